//! Every name of a text: where it stands, and what it means. The one walk over the tree, which holds the whole
//! language, so that a statement is known here from the day on which it can be read.

use compact_str::CompactString;

use super::types::{field, of};
use super::{Entry, FILE, What};
use crate::definition::lower::Trees;
use crate::definition::types::{Record, Type};
use crate::definition::{Command, Program};
use crate::source::{FileId, Span};
use crate::syntax::tree::{
    Action, ActionKind, Answer, Block, Called, Expect, ExpectKind, Expr, ExprKind, File, HappeningKind, Head, Item,
    Literal, Name, ParticipantItem, Reference, Saga, Scenario, Statement, StatementKind, Target, Text, Timing, Trigger,
    TypeExpr, TypeExprKind,
};

/// What a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Symbol {
    Type(CompactString),
    Participant(CompactString),
    /// A command or message of a participant.
    Command(CompactString, CompactString),
    Saga(CompactString),
    Trigger(CompactString),
    /// A step, `let`, element or signal of a saga.
    Value(CompactString, CompactString),
    /// The input of a saga.
    Input(CompactString),
    /// The field that is declared there.
    Field(Span),
    /// A file that is used.
    File(FileId),
    /// A failure code.
    Code(CompactString),
}

/// A name and what it means.
#[derive(Clone, Debug)]
pub(super) struct Occurrence {
    pub(super) span: Span,
    pub(super) symbol: Symbol,
    pub(super) defines: bool,
}

/// All names of a text, in its order.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    occurrences: Vec<Occurrence>,
    /// The fields that are named, by where they are declared: what they are, as it is shown.
    fields: Vec<(Span, String)>,
}

impl Index {
    /// Of the first file everything, of those that it uses what comes in.
    pub(super) fn new(trees: &Trees, program: &Program) -> Self {
        let mut walk = Walk { program, saga: CompactString::default(), index: Self::default() };
        for (number, (_, tree)) in trees.files.iter().enumerate() {
            let comes_in = |item: &&Item| number == 0 || !matches!(item, Item::Scenario(_) | Item::Trigger(_));
            tree.items.iter().filter(comes_in).for_each(|item| walk.item(item));
        }
        for (span, used) in &trees.uses {
            walk.add(*span, Symbol::File(*used), false);
        }
        let mut index = walk.index;
        index.occurrences.sort_by_key(|occurrence| occurrence.span);
        index
    }

    /// What stands at `offset` of the first file, or ends there.
    pub(super) fn at(&self, offset: u32) -> Option<&Occurrence> {
        let is_upto = |span: Span| span.file == FILE && span.start <= offset;
        let upto = self.occurrences.partition_point(|occurrence| is_upto(occurrence.span));
        let before = self.occurrences.get(..upto).unwrap_or_default().iter().rev();
        // Names do not overlap, and what stands before the nearest ends before it.
        before.take(1).find(|occurrence| offset <= occurrence.span.end)
    }

    pub(super) fn of(&self, symbol: &Symbol) -> impl Iterator<Item = &Occurrence> {
        self.occurrences.iter().filter(move |occurrence| occurrence.symbol == *symbol)
    }

    pub(super) fn definition(&self, symbol: &Symbol) -> Option<&Occurrence> {
        self.of(symbol).find(|occurrence| occurrence.defines)
    }

    /// Everything that is named.
    pub(super) fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.occurrences.iter().map(|occurrence| &occurrence.symbol)
    }

    pub(super) fn field(&self, declared: Span) -> Option<&str> {
        self.fields.iter().find(|(span, _)| *span == declared).map(|(_, text)| text.as_str())
    }

    /// What is declared, and the steps.
    pub(super) fn outline(&self, tree: &File) -> Vec<Entry> {
        let mut entries = Vec::new();
        for item in &tree.items {
            let (name, what, span) = match item {
                Item::Type(item) => (&item.name, What::Type, item.span),
                Item::Participant(item) => (&item.name, What::Participant, item.span),
                Item::Saga(item) => (&item.name, What::Saga, item.span),
                Item::Trigger(item) => (&item.name, What::Saga, item.span),
                Item::Scenario(item) => {
                    let (name, name_span) = (item.title.value.clone(), item.title.span);
                    entries.push(Entry { name, what: What::Scenario, name_span, span: item.span });
                    continue;
                }
                Item::Use(_) => continue,
            };
            entries.push(Entry { name: name.text.to_string(), what, name_span: name.span, span });
            let inside = |occurrence: &&Occurrence| {
                let at = occurrence.span;
                at.file == span.file && span.start <= at.start && at.end <= span.end
            };
            for occurrence in self.occurrences.iter().filter(|occurrence| occurrence.defines).filter(inside) {
                let (name, what) = match &occurrence.symbol {
                    Symbol::Command(_, name) => (name, What::Command),
                    Symbol::Value(_, name) => (name, What::Value),
                    _ => continue,
                };
                let at = occurrence.span;
                entries.push(Entry { name: name.to_string(), what, name_span: at, span: at });
            }
        }
        entries
    }
}

struct Walk<'p> {
    program: &'p Program,
    /// Whose names are meant.
    saga: CompactString,
    index: Index,
}

impl Walk<'_> {
    fn add(&mut self, span: Span, symbol: Symbol, defines: bool) {
        self.index.occurrences.push(Occurrence { span, symbol, defines });
    }

    fn code(&mut self, code: &Text, defines: bool) {
        self.add(code.span, Symbol::Code(code.value.as_str().into()), defines);
    }

    fn value(&mut self, name: &Name, defines: bool) {
        let symbol = match name.text.as_str() {
            "input" => Symbol::Input(self.saga.clone()),
            "saga" | "failure" | "previous" | "round" | "event" => return,
            _ => Symbol::Value(self.saga.clone(), name.text.clone()),
        };
        self.add(name.span, symbol, defines);
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Use(_) => {}
            Item::Type(item) => {
                self.add(item.name.span, Symbol::Type(item.name.text.clone()), true);
                self.ty(&item.body);
            }
            Item::Participant(item) => {
                self.add(item.name.span, Symbol::Participant(item.name.text.clone()), true);
                for part in &item.items {
                    let (name, shapes, fails) = match part {
                        ParticipantItem::Command(command) => {
                            (&command.name, [&command.request, &command.returns], command.fails.as_slice())
                        }
                        ParticipantItem::Message(message) => (&message.name, [&message.shape, &None], [].as_slice()),
                        ParticipantItem::Commands(..)
                        | ParticipantItem::Events(..)
                        | ParticipantItem::AnswersQueries(_)
                        | ParticipantItem::AtMost(_) => continue,
                    };
                    self.add(name.span, Symbol::Command(item.name.text.clone(), name.text.clone()), true);
                    shapes.into_iter().flatten().for_each(|shape| self.ty(shape));
                    for code in fails {
                        self.code(code, true);
                    }
                }
            }
            Item::Saga(item) => self.saga(item),
            Item::Trigger(item) => self.trigger(item),
            Item::Scenario(item) => self.scenario(item),
        }
    }

    fn ty(&mut self, ty: &TypeExpr) {
        match &ty.kind {
            TypeExprKind::Named(name) => {
                if name.starts_with(|letter: char| letter.is_ascii_uppercase()) {
                    self.add(ty.span, Symbol::Type(name.clone()), false);
                }
            }
            TypeExprKind::List(inner) | TypeExprKind::Map(inner) | TypeExprKind::Optional(inner) => self.ty(inner),
            TypeExprKind::Choice(_) => {}
            TypeExprKind::Record(record) => record.fields.iter().for_each(|field| self.ty(&field.ty)),
        }
    }

    fn saga(&mut self, saga: &Saga) {
        self.saga.clone_from(&saga.name.text);
        self.add(saga.name.span, Symbol::Saga(saga.name.text.clone()), true);
        for head in &saga.heads {
            match head {
                Head::Input(shape, span) => {
                    let word = Span { end: span.start.saturating_add(5), ..*span };
                    self.add(word, Symbol::Input(self.saga.clone()), true);
                    self.ty(shape);
                }
                Head::Signal(signal) => {
                    self.value(&signal.name, true);
                    signal.shape.iter().for_each(|shape| self.ty(shape));
                }
                Head::Defaults(defaults) => self.timing(defaults.timing.iter().chain(&defaults.compensate)),
                Head::Version(..) | Head::Coordination(..) | Head::Deadline(..) => {}
            }
        }
        self.block(&saga.body);
        saga.output.iter().for_each(|output| self.expr(output, None));
    }

    fn block(&mut self, block: &Block) {
        block.statements.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &Statement) {
        match &statement.kind {
            StatementKind::Step(step) => {
                self.value(&step.name, true);
                step.action.iter().for_each(|action| self.action(action));
                self.timing(&step.timing);
                if let Some(compensate) = &step.compensate {
                    compensate.action.iter().for_each(|action| self.action(action));
                    self.timing(&compensate.timing);
                }
            }
            StatementKind::Pivot => {}
            StatementKind::Parallel(block) | StatementKind::Sequence(block) => self.block(block),
            StatementKind::When(when) => {
                for arm in &when.arms {
                    self.expr(&arm.condition, None);
                    self.block(&arm.block);
                }
                when.otherwise.iter().for_each(|block| self.block(block));
            }
            StatementKind::ForEach(each) => {
                self.value(&each.element, true);
                self.expr(&each.list, None);
                each.filter.iter().for_each(|filter| self.expr(filter, None));
                self.block(&each.block);
            }
            StatementKind::Repeat(repeat) => {
                self.block(&repeat.block);
                repeat.until.iter().for_each(|until| self.expr(until, None));
                repeat.otherwise.iter().for_each(|block| self.block(block));
            }
            StatementKind::Try(scope) => {
                scope.within.iter().for_each(|within| self.expr(within, None));
                self.block(&scope.block);
                for catch in &scope.catches {
                    catch.codes.iter().for_each(|code| self.code(code, false));
                    self.block(&catch.block);
                }
            }
            StatementKind::Await(wait) => {
                self.value(&wait.signal, false);
                wait.alias.iter().for_each(|alias| self.value(alias, true));
                wait.filter.iter().chain(&wait.within).for_each(|expr| self.expr(expr, None));
                wait.otherwise.iter().for_each(|block| self.block(block));
            }
            StatementKind::Sleep(sleep) => self.expr(&sleep.expr, None),
            StatementKind::Let(bind) => {
                self.value(&bind.name, true);
                self.expr(&bind.value, None);
            }
            StatementKind::Fail(fail) => {
                self.code(&fail.code, true);
                fail.message.iter().for_each(|message| self.expr(message, None));
            }
        }
    }

    fn timing<'t>(&mut self, timing: impl IntoIterator<Item = &'t Timing>) {
        for clause in timing {
            if let Timing::Within(within, _) = clause {
                self.expr(within, None);
            }
        }
    }

    fn action(&mut self, action: &Action) {
        let wanted = match &action.kind {
            ActionKind::Call(target) | ActionKind::Send(target) => {
                self.target(target);
                self.command(target).map(|command| Type::Record(command.request.clone()))
            }
            ActionKind::Run(saga) => {
                self.add(saga.span, Symbol::Saga(saga.text.clone()), false);
                self.program.sagas.get(&saga.text).map(|saga| Type::Record(saga.input.clone()))
            }
        };
        action.payload.iter().for_each(|payload| self.expr(payload, wanted.as_ref()));
    }

    fn target(&mut self, Target { participant, command }: &Target) {
        self.add(participant.span, Symbol::Participant(participant.text.clone()), false);
        self.add(command.span, Symbol::Command(participant.text.clone(), command.text.clone()), false);
    }

    fn command(&self, target: &Target) -> Option<&Command> {
        let participant = self.program.participants.get(&target.participant.text)?;
        let name = &target.command.text;
        participant.commands.get(name).or_else(|| participant.messages.get(name)).map(AsRef::as_ref)
    }

    fn expr(&mut self, expr: &Expr, wanted: Option<&Type>) {
        match &expr.kind {
            ExprKind::Name(text) => self.value(&Name { text: text.clone(), span: expr.span }, false),
            ExprKind::Field(base, key) if matches!(&base.kind, ExprKind::Name(name) if name == "previous") => {
                self.value(key, false);
            }
            ExprKind::Field(base, key) => {
                if let Some(ty) = of(self.program, &self.saga, base) {
                    self.key(&ty, key);
                }
                self.expr(base, None);
            }
            ExprKind::Object(fields) => {
                for (key, value) in fields {
                    let declared = wanted.and_then(|ty| field(ty, &key.text)).map(|field| field.ty.clone());
                    if let Some(ty) = wanted {
                        self.key(ty, key);
                    }
                    self.expr(value, declared.as_ref());
                }
            }
            ExprKind::List(items) => {
                let inner = wanted.and_then(super::types::element);
                for item in items {
                    self.expr(item, inner.as_ref());
                }
            }
            ExprKind::Every(inner) | ExprKind::Not(inner) | ExprKind::Negate(inner) => self.expr(inner, None),
            ExprKind::Index(base, index) => {
                self.expr(base, None);
                self.expr(index, None);
            }
            ExprKind::Call(_, arguments) => arguments.iter().for_each(|argument| self.expr(argument, None)),
            ExprKind::Binary(_, _, operands) => {
                self.expr(&operands.0, None);
                self.expr(&operands.1, None);
            }
            ExprKind::If(parts) => {
                self.expr(&parts.0, None);
                self.expr(&parts.1, wanted);
                self.expr(&parts.2, wanted);
            }
            ExprKind::Text(_)
            | ExprKind::Int(_)
            | ExprKind::Decimal(_)
            | ExprKind::Duration(_)
            | ExprKind::Bool(_)
            | ExprKind::Null => {}
        }
    }

    /// An expression that may be missing.
    fn all<'t>(&mut self, exprs: impl IntoIterator<Item = &'t Expr>) {
        for expr in exprs {
            self.expr(expr, None);
        }
    }

    /// A key of a value of this type.
    fn key(&mut self, ty: &Type, key: &Name) {
        let Some(field) = field(ty, &key.text) else { return };
        self.add(key.span, Symbol::Field(field.span), false);
        if self.index.field(field.span).is_none() {
            let personal = if field.personal { "personal " } else { "" };
            let docs = field.docs.as_deref().map(|docs| format!("\n\n{docs}")).unwrap_or_default();
            let text = format!("```saga\n{personal}{}: {}\n```{docs}", field.key, field.ty);
            self.index.fields.push((field.span, text));
        }
    }

    fn trigger(&mut self, trigger: &Trigger) {
        self.add(trigger.name.span, Symbol::Trigger(trigger.name.text.clone()), true);
        self.saga = CompactString::default();
        self.ty(&trigger.event);
        trigger.filter.iter().for_each(|filter| self.expr(filter, None));
        if let Some((saga, payload)) = &trigger.start {
            self.add(saga.span, Symbol::Saga(saga.text.clone()), false);
            self.all(payload);
        }
        if let Some((signal, payload)) = &trigger.signal {
            self.all(payload);
            if let Some(((saga, _), way)) = signal.parts.split_first() {
                self.add(saga.span, Symbol::Saga(saga.text.clone()), false);
                self.saga.clone_from(&saga.text);
                self.way(way);
            }
        }
    }

    fn scenario(&mut self, scenario: &Scenario) {
        self.saga.clone_from(&scenario.saga.text);
        self.add(scenario.saga.span, Symbol::Saga(self.saga.clone()), false);
        let record = |record: &std::sync::Arc<Record>| Type::Record(record.clone());
        let input = self.program.sagas.get(&self.saga).map(|saga| record(&saga.input));
        scenario.given.iter().for_each(|given| self.expr(given, input.as_ref()));
        for happening in &scenario.happenings {
            match &happening.kind {
                HappeningKind::Signal { signal, payload, .. } => {
                    self.reference(signal);
                    self.all(payload);
                }
                HappeningKind::Cancelled { .. } => {}
                HappeningKind::Answer { called, what, .. } => {
                    self.called(called);
                    match what {
                        Answer::Fails(code) => code.iter().for_each(|code| self.code(code, false)),
                        Answer::TimesOut | Answer::StaysPending => {}
                        Answer::Replies(reply) => {
                            let wanted = self.referred(&called.step);
                            self.expr(reply, wanted.as_ref());
                        }
                    }
                }
            }
        }
        scenario.expects.iter().for_each(|expect| self.expect(expect));
    }

    fn expect(&mut self, expect: &Expect) {
        match &expect.kind {
            ExpectKind::Completed(output) => output.iter().for_each(|output| self.expr(output, None)),
            ExpectKind::Compensated(code) => code.iter().for_each(|code| self.code(code, false)),
            ExpectKind::Stuck(called) => self.called(called),
            ExpectKind::Calls(called) => called.iter().for_each(|called| self.called(called)),
        }
    }

    fn called(&mut self, called: &Called) {
        self.reference(&called.step);
    }

    /// The first name is this saga's own, each other one that of the saga which the step before it runs.
    fn reference(&mut self, reference: &Reference) {
        self.way(&reference.parts);
    }

    fn way(&mut self, parts: &[(Name, Vec<Literal>)]) {
        let around = self.saga.clone();
        for (name, _) in parts {
            self.value(name, false);
            let Some(inner) = super::types::runs(self.program, &self.saga, &name.text) else { break };
            self.saga = inner;
        }
        self.saga = around;
    }

    /// The type of what a reference leads to.
    fn referred(&self, reference: &Reference) -> Option<Type> {
        let (last, way) = reference.parts.split_last()?;
        let inner =
            |saga: CompactString, (name, _): &(Name, Vec<_>)| super::types::runs(self.program, &saga, &name.text);
        let saga = way.iter().try_fold(self.saga.clone(), inner)?;
        super::types::root(self.program, &saga, &last.0.text)
    }
}
