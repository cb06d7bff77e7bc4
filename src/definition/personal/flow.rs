//! Follows personal data through a saga: from its input, the replies and the signals into all that is computed of them.
//!
//! One walk in the order of the text, with sub-saga's statements where they are run. Only `previous` leads back: what a
//! round gives may reach itself in the next, so where such a name holds more than was thought, the walk is repeated.

use compact_str::CompactString;
use indexmap::IndexMap;

use super::Veil;
use crate::definition::expression::{BinaryOp, Expr, Function, PathSegment, Read, Root};
use crate::definition::{Compensation, Run, Saga, Statement, StatementKind, Step};
use crate::source::Span;

/// Walks before all that `previous` names is taken for personal. Each further one follows a chain of names
/// (`previous.a` into `b`, `previous.b` into `c`) by one link; nobody writes longer ones.
const WALKS_MAX: usize = 16;

/// What of each value of a saga is personal, those of the sagas that it runs included.
#[derive(Debug, Default)]
pub struct Veils {
    values: IndexMap<CompactString, Veil>,
    output: Veil,
    messages: Vec<Message>,
}

/// A `fail` whose message is made of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// The message.
    pub span: Span,
    /// The `run` in the saga itself that leads there, if one does.
    pub run: Option<Span>,
}

impl Veils {
    /// Of all values of a saga.
    #[must_use]
    pub fn of(saga: &Saga) -> Self {
        let mut flow = Flow { input: Veil::of_record(&saga.input), ..Flow::default() };
        for walk in 1.. {
            flow.walk(saga);
            if !std::mem::take(&mut flow.has_grown) {
                break;
            }
            if walk == WALKS_MAX {
                flow.previous.values_mut().for_each(|veil| *veil = Veil::Whole);
            }
        }
        flow.found
    }

    /// Of the value that a statement gives, by its name: of a step, a `let`, a signal, the input of a sub-saga. In a loop, that of
    /// one element; of a `for each` itself, by its element's name, that of an element.
    #[must_use]
    pub fn value(&self, name: &str) -> &Veil {
        self.values.get(name).unwrap_or(&Veil::Nothing)
    }

    /// Of the saga's output.
    #[must_use]
    pub const fn output(&self) -> &Veil {
        &self.output
    }

    /// The messages that are made of personal data.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }
}

#[derive(Default)]
struct Flow {
    input: Veil,
    /// As they are read where the walk is: of what stands in a `for each` above, lists.
    names: IndexMap<CompactString, Veil>,
    /// What `previous` may name, as it is at the end of a round.
    previous: IndexMap<CompactString, Veil>,
    /// More is hidden of one of those than was thought.
    has_grown: bool,
    /// The outermost `run` around.
    run: Option<Span>,
    found: Veils,
}

impl Flow {
    fn walk(&mut self, saga: &Saga) {
        self.names.clear();
        self.found.messages.clear();
        self.block(&saga.body);
        self.found.output = saga.output.as_ref().map(|output| self.of(&output.expr)).unwrap_or_default();
    }

    fn give(&mut self, name: &CompactString, veil: Veil) {
        if !veil.is_nothing() {
            self.found.values.insert(name.clone(), veil.clone());
        }
        self.names.insert(name.clone(), veil);
    }

    fn block(&mut self, statements: &[Statement]) {
        for statement in statements {
            self.statement(&statement.kind);
        }
    }

    fn statement(&mut self, statement: &StatementKind) {
        match statement {
            StatementKind::Step(step) => {
                let reply = step.action.as_ref().map(|action| Veil::of_record(&action.command.reply));
                self.give(&step.name, reply.unwrap_or_default());
                self.back(step);
            }
            StatementKind::Parallel(inner) | StatementKind::Sequence(inner) => self.block(inner),
            StatementKind::When { arms, otherwise } => {
                for (_, block) in arms {
                    self.block(block);
                }
                self.block(otherwise);
            }
            StatementKind::Await { wait, otherwise } => {
                self.give(&wait.name, Veil::of_record(&wait.signal.shape));
                self.block(otherwise);
            }
            StatementKind::Try(written) => {
                self.block(&written.body);
                for catch in &written.catches {
                    self.block(&catch.block);
                }
            }
            StatementKind::ForEach(each) => {
                let list = self.of(&each.list.expr);
                let mark = self.names.len();
                self.give(&each.element, list.element());
                self.block(&each.body);
                // Below, each name is the list of all.
                for veil in self.names.values_mut().skip(mark) {
                    *veil = Veil::each(std::mem::take(veil));
                }
            }
            StatementKind::Repeat(repeat) => {
                let mark = self.names.len();
                self.block(&repeat.body);
                for (name, veil) in self.names.iter().skip(mark) {
                    let before = self.previous.entry(name.clone()).or_default();
                    let after = before.clone().join(veil.clone());
                    self.has_grown |= *before != after;
                    *before = after;
                }
                self.block(&repeat.otherwise);
            }
            StatementKind::Run(run) => {
                self.run(run);
                let output = self.of(&run.output.expr);
                self.give(&run.step.name, output);
                self.back(&run.step);
            }
            StatementKind::Let { name, value } => {
                let veil = self.of(&value.expr);
                self.give(name, veil);
            }
            StatementKind::Fail { message: Some(message), .. } if !self.of(&message.expr).is_nothing() => {
                self.found.messages.push(Message { span: message.span, run: self.run });
            }
            StatementKind::Fail { .. } | StatementKind::Pivot | StatementKind::Sleep(_) => {}
        }
    }

    /// What a sub-saga is given is hidden by what it is made of, and by what that saga says of its input.
    fn run(&mut self, run: &Run) {
        let input = self.of(&run.input.expr).join(Veil::of(&run.input.ty));
        self.give(&run.input_name(), input);
        let around = self.run;
        self.run = around.or(Some(run.span));
        self.block(&run.body);
        self.run = around;
    }

    fn back(&mut self, step: &Step) {
        if let Compensation::Run(run) = &step.compensation {
            self.run(run);
        }
    }

    /// What of an expression's value is personal. Expressions are at most 64 deep, so this may recurse.
    ///
    /// What decides between values is not in them, and what is counted or compared cannot be told from the answer: neither a
    /// condition nor a number of elements or characters carries on what it was made of.
    fn of(&self, expr: &Expr) -> Veil {
        match expr {
            Expr::Literal(_) | Expr::Not(_) => Veil::Nothing,
            Expr::Read(read) => self.read(read),
            Expr::Every(list, path, _) => Veil::each(into(self.of(list).element(), path)),
            Expr::Into(base, segment, _) => self.of(base).at(segment),
            Expr::Index(operands, _) => self.of(&operands.0).element(),
            Expr::Negate(inner) | Expr::ToDecimal(inner) => self.of(inner),
            Expr::Binary(op, operands) => match op {
                BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide => {
                    self.of(&operands.0).join(self.of(&operands.1)).merged()
                }
                BinaryOp::Coalesce => self.of(&operands.0).join(self.of(&operands.1)),
                BinaryOp::And
                | BinaryOp::Or
                | BinaryOp::Equal
                | BinaryOp::NotEqual
                | BinaryOp::Less
                | BinaryOp::LessEqual
                | BinaryOp::Greater
                | BinaryOp::GreaterEqual => Veil::Nothing,
            },
            Expr::If(parts) => self.of(&parts.1).join(self.of(&parts.2)),
            Expr::Call(function, arguments) => {
                let first = || arguments.first().map(|first| self.of(first)).unwrap_or_default();
                match function {
                    Function::Sum | Function::Min | Function::Max => first().element().merged(),
                    Function::Present => first(),
                    Function::Rounded | Function::Text => first().merged(),
                    Function::Id
                    | Function::Count
                    | Function::Any
                    | Function::All
                    | Function::Contains
                    | Function::Length => Veil::Nothing,
                }
            }
            Expr::Object(fields) => Veil::fields(fields.iter().map(|(key, value)| (key, self.of(value)))),
            Expr::List(elements) => {
                Veil::each(elements.iter().fold(Veil::Nothing, |veil, element| veil.join(self.of(element))))
            }
        }
    }

    fn read(&self, read: &Read) -> Veil {
        let root = match &read.root {
            Root::Input => self.input.clone(),
            Root::Name(name) => self.names.get(name).cloned().unwrap_or_default(),
            Root::Previous(name) => self.previous.get(name).cloned().unwrap_or_default(),
            // A message is shown wherever the failure is, and `check` says so where it is made of personal data.
            Root::SagaId
            | Root::SagaStarted
            | Root::FailureCode
            | Root::FailureStep
            | Root::FailureMessage
            | Root::Round
            | Root::Event => Veil::Nothing,
        };
        into(root, &read.path)
    }
}

fn into(veil: Veil, path: &[PathSegment]) -> Veil {
    path.iter().fold(veil, |veil, segment| veil.at(segment))
}
