//! Random definitions, built directly: the engine must hold for all that can be compiled, not only for what is
//! pretty to write.

use std::sync::Arc;
use std::time::Duration;

use compact_str::{CompactString, format_compact};
use saga::definition::expression::{BinaryOp, Expr, PathSegment, Read, Root, Typed};
use saga::definition::types::{Field, Record, Type};
use saga::definition::value::Value;
use saga::definition::{
    Await, Catch, Command, Compensation, ForEach, Invocation, Limit, Participant, Repeat, Retry, Run, Saga, Signal,
    Sleep, Statement, StatementKind, Step, Timing, Try, Verb,
};
use saga::plan::Plan;
use saga::source::Span;

/// The codes with which the command `Try` may refuse.
pub(crate) const CODE: &str = "no";

/// The signal that is awaited.
pub(crate) const SIGNAL: &str = "go";

/// A statement, before it has a name.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// A step that may refuse; how it is taken back, and whether its participant answers queries.
    Step {
        undo: UndoShape,
        queries: bool,
    },
    /// A step that sends a message.
    Send {
        undo: UndoShape,
    },
    /// A step without an action.
    UndoOnly,
    Parallel(Vec<Shape>),
    Sequence(Vec<Shape>),
    /// On the flag of the input with this number, or on the reply of the latest step above.
    When {
        flag: u8,
        then: Vec<Shape>,
        otherwise: Vec<Shape>,
    },
    Sleep(u8),
    /// Waits for a signal whose flag is set, or any.
    Await {
        filtered: bool,
        otherwise: Vec<Shape>,
    },
    /// Overflows if the input's number is large.
    Let,
    Fail,
    /// A saga inside: what stands before a point of no return of its own, if it has one, and behind it.
    Run {
        before: Vec<Shape>,
        own: Option<(PivotShape, UndoShape)>,
        behind: Vec<Shape>,
    },
    /// For each element of the input's list, so many at once.
    Each {
        window: u16,
        filtered: bool,
        body: Vec<Shape>,
    },
    /// Until the flag of the input is set, or else until the second round.
    Repeat {
        times: u16,
        flag: Option<u8>,
        body: Vec<Shape>,
        otherwise: Vec<Shape>,
    },
    /// A scope of its own, with a time, and a handler for one code before the one for all.
    Try {
        timed: bool,
        body: Vec<Shape>,
        picky: Option<Vec<Shape>>,
        all: Option<Vec<Shape>>,
    },
}

/// How a step is taken back.
#[derive(Clone, Debug)]
pub(crate) enum UndoShape {
    Nothing,
    Same,
    Other,
    Message,
    /// A saga: what stands behind the point of no return with which it begins.
    Saga(Vec<Shape>),
}

/// A whole saga: what stands before the point of no return, the point itself, what stands behind.
#[derive(Clone, Debug)]
pub(crate) struct SagaShape {
    pub(crate) before: Vec<Shape>,
    pub(crate) pivot: PivotShape,
    pub(crate) behind: Vec<Shape>,
    pub(crate) deadline: bool,
    /// Of each of its two participants.
    pub(crate) limits: Vec<Limit>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum PivotShape {
    None,
    Step,
    Bare,
}

/// Compiles a shape.
pub(crate) fn plan(shape: &SagaShape) -> Plan {
    let mut builder = Builder { names: 0, limits: shape.limits.clone(), loops: 0, way: CompactString::default() };
    let mut body = builder.block(&shape.before, Place::Before);
    body.extend(builder.pivot(shape.pivot, true));
    body.extend(builder.block(&shape.behind, Place::Behind));
    Plan::new(Arc::new(Saga {
        name: "walk".into(),
        version: 1,
        content: saga::definition::ContentHash::default(),
        input: Arc::new(input_shape()),
        signals: [(SIGNAL.into(), signal())].into(),
        choreography: None,
        deadline: shape.deadline.then(|| Duration::from_secs(40)),
        body,
        output: None,
        docs: None,
        span: Span::default(),
    }))
}

/// The input: four flags, a number, and a list as long as the first two flags say.
pub(crate) fn input(flags: u8, large: bool) -> String {
    let flag = |bit: u8| (flags >> bit) & 1 == 1;
    let n = if large { i64::MAX } else { 7 };
    let list = ["", "1", "1,2", "2,1,3"][usize::from(flags & 3)];
    let flags = format!(r#""f0":{},"f1":{},"f2":{},"f3":{}"#, flag(0), flag(1), flag(2), flag(3));
    format!(r#"{{{flags},"n":{n},"list":[{list}]}}"#)
}

fn signal() -> Arc<Signal> {
    let shape = Record { name: None, fields: vec![field("go", Type::Bool)] };
    Arc::new(Signal { name: SIGNAL.into(), shape: Arc::new(shape), docs: None, span: Span::default() })
}

fn input_shape() -> Record {
    let mut fields: Vec<Field> = (0..4).map(|bit| field(&format!("f{bit}"), Type::Bool)).collect();
    fields.push(field("n", Type::Int));
    fields.push(field("list", Type::List(Arc::new(Type::Int))));
    Record { name: None, fields }
}

fn field(key: &str, ty: Type) -> Field {
    Field { key: key.into(), ty, personal: false, docs: None, span: Span::default() }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    Pivot,
    Behind,
}

struct Builder {
    names: u32,
    limits: Vec<Limit>,
    /// Around what is being built.
    loops: u32,
    /// Before each name in a sub-saga.
    way: CompactString,
}

/// More loops inside each other, and a walk takes too long.
const LOOPS_MAX: u32 = 2;

impl Builder {
    fn name(&mut self) -> CompactString {
        self.names += 1;
        format_compact!("{}s{}", self.way, self.names)
    }

    fn block(&mut self, shapes: &[Shape], place: Place) -> Vec<Statement> {
        shapes.iter().map(|shape| self.statement(shape, place)).collect()
    }

    fn pivot(&mut self, shape: PivotShape, fails: bool) -> Option<Statement> {
        match shape {
            PivotShape::None => None,
            PivotShape::Bare => Some(statement(StatementKind::Pivot)),
            PivotShape::Step => {
                let action = self.invocation("worker", true, "Try", fails);
                Some(self.step(action, &UndoShape::Nothing, true, Place::Pivot))
            }
        }
    }

    fn run(&mut self, shapes: [&[Shape]; 2], own: Option<&(PivotShape, UndoShape)>, place: Place) -> Statement {
        let (name, [before, behind]) = (self.name(), shapes);
        let around = std::mem::replace(&mut self.way, format_compact!("{name}."));
        let mut body = self.block(before, place);
        body.extend(own.and_then(|(pivot, _)| self.pivot(*pivot, place != Place::Behind)));
        body.extend(self.block(behind, Place::Behind));
        self.way = around;
        let compensation = match own {
            Some((_, undo)) if place == Place::Before => self.undo(&name, undo, false),
            _ => Compensation::Unsaid,
        };
        statement(StatementKind::Run(Box::new(sub_saga(name, body, compensation))))
    }

    fn undo(&mut self, step: &str, undo: &UndoShape, queries: bool) -> Compensation {
        match undo {
            UndoShape::Saga(behind) => {
                let name = format_compact!("{step}.undo");
                let around = std::mem::replace(&mut self.way, format_compact!("{name}."));
                let mut body = vec![statement(StatementKind::Pivot)];
                body.extend(self.block(behind, Place::Behind));
                self.way = around;
                Compensation::Run(Box::new(sub_saga(name, body, Compensation::Unsaid)))
            }
            UndoShape::Nothing => Compensation::Nothing,
            UndoShape::Same => Compensation::Call(Box::new(self.invocation("worker", queries, "Undo", false))),
            UndoShape::Other => Compensation::Call(Box::new(self.invocation("other", false, "Undo", false))),
            UndoShape::Message => Compensation::Call(Box::new(self.message("worker", "Untell"))),
        }
    }

    fn statement(&mut self, shape: &Shape, place: Place) -> Statement {
        match shape {
            Shape::Run { before, own, behind } => self.run([before, behind], own.as_ref(), place),
            Shape::Step { undo, queries } => {
                let action = self.invocation("worker", *queries, "Try", place != Place::Behind);
                self.step(action, undo, *queries, place)
            }
            Shape::Send { undo } => self.step(self.message("worker", "Tell"), undo, false, place),
            Shape::UndoOnly => {
                let compensation = Compensation::Call(Box::new(self.invocation("other", false, "Undo", false)));
                let step = Step { name: self.name(), span: Span::default(), pivot: false, action: None, compensation };
                statement(StatementKind::Step(Arc::new(step)))
            }
            Shape::Parallel(block) => statement(StatementKind::Parallel(self.block(block, place))),
            Shape::Sequence(block) => statement(StatementKind::Sequence(self.block(block, place))),
            Shape::When { flag, then, otherwise } => {
                let condition = read(Root::Input, &format!("f{flag}"), Type::Bool);
                let arms = vec![(condition, self.block(then, place))];
                statement(StatementKind::When { arms, otherwise: self.block(otherwise, place) })
            }
            Shape::Each { body, .. } | Shape::Repeat { body, .. } if self.loops == LOOPS_MAX => {
                statement(StatementKind::Sequence(self.block(body, place)))
            }
            Shape::Each { window, filtered, body } => {
                let element = self.name();
                let list = read(Root::Input, "list", Type::List(Arc::new(Type::Int)));
                let own = Expr::Read(Read { root: Root::Name(element.clone()), path: Vec::new(), ty: Type::Int });
                let filter = filtered.then(|| above(own));
                self.loops += 1;
                let body = self.block(body, place);
                self.loops -= 1;
                statement(StatementKind::ForEach(Box::new(ForEach {
                    element,
                    list,
                    length: None,
                    filter,
                    window: *window,
                    body,
                })))
            }
            Shape::Repeat { times, flag, body, otherwise } => {
                let round = Expr::Read(Read { root: Root::Round, path: Vec::new(), ty: Type::Int });
                let until = flag.map_or(above(round), |flag| read(Root::Input, &format!("f{flag}"), Type::Bool));
                self.loops += 1;
                let body = self.block(body, place);
                self.loops -= 1;
                let otherwise = self.block(otherwise, place);
                statement(StatementKind::Repeat(Box::new(Repeat { times: *times, body, until, otherwise })))
            }
            Shape::Sleep(seconds) => {
                let duration = typed(Expr::Literal(Value::Duration(i64::from(*seconds) * 1_000)), Type::Duration);
                statement(StatementKind::Sleep(Sleep::For(duration)))
            }
            Shape::Await { filtered, otherwise } => {
                let name = self.name();
                let filter = filtered.then(|| read(Root::Name(name.clone()), "go", Type::Bool));
                let within = typed(Expr::Literal(Value::Duration(3_000)), Type::Duration);
                let wait = Arc::new(Await { name, signal: signal(), filter, within });
                statement(StatementKind::Await { wait, otherwise: self.block(otherwise, place) })
            }
            Shape::Let => {
                let n = || read(Root::Input, "n", Type::Int).expr;
                let mut value = typed(Expr::Binary(BinaryOp::Multiply, Box::new((n(), n()))), Type::Int);
                value.overflow = Some(Span::default());
                statement(StatementKind::Let { name: self.name(), value })
            }
            Shape::Try { timed, body, picky, all } => {
                let within = timed.then(|| typed(Expr::Literal(Value::Duration(7_000)), Type::Duration));
                let inside = if place == Place::Behind { Place::Before } else { place };
                let body = self.block(body, inside);
                let mut catch = |codes: Vec<CompactString>, block: &Vec<Shape>| Catch {
                    codes,
                    block: self.block(block, place),
                    span: Span::default(),
                };
                let picky = picky.iter().map(|block| (vec![CODE.into()], block));
                let catches = picky.chain(all.iter().map(|block| (Vec::new(), block)));
                let catches = catches.map(|(codes, block)| catch(codes, block)).collect();
                statement(StatementKind::Try(Box::new(Try { within, body, catches })))
            }
            Shape::Fail => statement(StatementKind::Fail { code: "given_up".into(), message: None }),
        }
    }

    fn step(&mut self, action: Invocation, undo: &UndoShape, queries: bool, place: Place) -> Statement {
        let name = self.name();
        let compensation = match place {
            Place::Pivot | Place::Behind => Compensation::Unsaid,
            Place::Before => self.undo(&name, undo, queries),
        };
        let (pivot, action) = (place == Place::Pivot, Some(action));
        let step = Step { name, span: Span::default(), pivot, action, compensation };
        statement(StatementKind::Step(Arc::new(step)))
    }

    fn message(&self, participant: &str, name: &str) -> Invocation {
        Invocation { verb: Verb::Send, ..self.invocation(participant, false, name, false) }
    }

    fn invocation(&self, participant: &str, answers_queries: bool, command: &str, fails: bool) -> Invocation {
        let reply = Record { name: None, fields: vec![field("ok", Type::Bool)] };
        let participant = Arc::new(Participant {
            name: participant.into(),
            commands_topic: format_compact!("{participant}.commands"),
            events_topic: format_compact!("{participant}.events"),
            answers_queries,
            limits: self.limits.clone(),
            commands: indexmap::IndexMap::default(),
            messages: indexmap::IndexMap::default(),
            docs: None,
            span: Span::default(),
        });
        let command = Arc::new(Command {
            name: command.into(),
            wire: command.into(),
            request: Arc::default(),
            reply: Arc::new(if command == "Try" { reply } else { Record::default() }),
            fails: if fails { vec![CODE.into()] } else { Vec::new() },
            docs: None,
            span: Span::default(),
        });
        let second = Duration::from_secs(1);
        let retry = Retry { times: 2, from: second, to: second * 2 };
        Invocation {
            verb: Verb::Call,
            participant,
            command,
            payload: typed(Expr::Object(Vec::new()), Type::Record(Arc::default())),
            timing: Timing { timeout: second * 5, within: None, retry },
            span: Span::default(),
        }
    }
}

/// A saga that is given nothing and gives nothing.
fn sub_saga(name: CompactString, body: Vec<Statement>, compensation: Compensation) -> Run {
    let step = Arc::new(Step { name, span: Span::default(), pivot: false, action: None, compensation });
    let nothing = || typed(Expr::Object(Vec::new()), Type::Record(Arc::default()));
    Run { step, saga: "inner".into(), input: nothing(), body, output: nothing(), span: Span::default() }
}

/// More than one.
fn above(number: Expr) -> Typed {
    let one = Expr::Literal(Value::Int(1));
    typed(Expr::Binary(BinaryOp::Greater, Box::new((number, one))), Type::Bool)
}

fn statement(kind: StatementKind) -> Statement {
    Statement { kind, span: Span::default() }
}

fn typed(expr: Expr, ty: Type) -> Typed {
    Typed { expr, ty, span: Span::default(), overflow: None }
}

fn read(root: Root, key: &str, ty: Type) -> Typed {
    let path = vec![PathSegment::Key(key.into())];
    typed(Expr::Read(Read { root, path, ty: ty.clone() }), ty)
}
