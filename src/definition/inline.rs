//! Puts a saga in the place of a step that runs it: its statements, with the step's name before each name.
//!
//! From there on a sub-saga is nothing of its own: plan, engine, journal and checks meet statements like all others,
//! and the content hash covers them. What is copied is counted, so that sagas which run each other, and each several
//! times, do not multiply beyond memory.

use std::sync::Arc;

use compact_str::{CompactString, format_compact};

use super::expression::{Expr, Function, PathSegment, Read, Root, Typed};
use super::types::{Record, Type};
use super::value::Value;
use super::{
    Await, Catch, Compensation, ForEach, Invocation, Repeat, Run, Saga, Signal, Sleep, Statement, StatementKind, Step,
    Timing, Try,
};

/// More is copied than there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMuch;

/// What a saga is inside another.
pub(super) struct Inlined {
    pub(super) body: Vec<Statement>,
    pub(super) output: Typed,
    pub(super) signals: Vec<Arc<Signal>>,
}

/// What stands behind a step's name in the names of the saga that takes it back (`paid.undo.refund`): a word of the
/// language, so that no step of one that it runs forward is called so.
pub(super) const UNDO: &str = "undo";

/// A name inside the saga that a step runs.
pub(super) fn under(step: &str, name: &str) -> CompactString {
    format_compact!("{step}.{name}")
}

/// The saga, as the step of that name runs it. Takes what it costs from `room`.
pub(super) fn inlined(saga: &Saga, step: &str, room: &mut usize) -> Result<Inlined, TooMuch> {
    let mut copy = Copy { step, room };
    let body = copy.block(&saga.body)?;
    let output = if let Some(output) = &saga.output {
        copy.typed(output)?
    } else {
        let (expr, ty) = (Expr::Object(Vec::new()), Type::Record(Arc::<Record>::default()));
        Typed { expr, ty, span: saga.span, overflow: None }
    };
    let signals = saga.signals.values().map(|signal| copy.signal(signal)).collect::<Result<_, _>>()?;
    Ok(Inlined { body, output, signals })
}

struct Copy<'c> {
    step: &'c str,
    room: &'c mut usize,
}

impl Copy<'_> {
    /// Takes the cost of one thing with so many bytes of text.
    fn take(&mut self, bytes: usize) -> Result<(), TooMuch> {
        /// A statement or an operator is about as large as that much text.
        const BYTES: usize = 64;
        *self.room = self.room.checked_sub(1 + bytes / BYTES).ok_or(TooMuch)?;
        Ok(())
    }

    fn name(&mut self, name: &str) -> Result<CompactString, TooMuch> {
        self.take(self.step.len() + name.len())?;
        Ok(under(self.step, name))
    }

    fn block(&mut self, statements: &[Statement]) -> Result<Vec<Statement>, TooMuch> {
        statements.iter().map(|statement| self.statement(statement)).collect()
    }

    fn statement(&mut self, statement: &Statement) -> Result<Statement, TooMuch> {
        self.take(0)?;
        let kind = match &statement.kind {
            StatementKind::Step(step) => StatementKind::Step(Arc::new(self.work(step)?)),
            StatementKind::Pivot => StatementKind::Pivot,
            StatementKind::Parallel(inner) => StatementKind::Parallel(self.block(inner)?),
            StatementKind::Sequence(inner) => StatementKind::Sequence(self.block(inner)?),
            StatementKind::When { arms, otherwise } => StatementKind::When {
                arms: arms
                    .iter()
                    .map(|(condition, block)| Ok((self.typed(condition)?, self.block(block)?)))
                    .collect::<Result<_, _>>()?,
                otherwise: self.block(otherwise)?,
            },
            StatementKind::Sleep(Sleep::For(time)) => StatementKind::Sleep(Sleep::For(self.typed(time)?)),
            StatementKind::Sleep(Sleep::Until(time)) => StatementKind::Sleep(Sleep::Until(self.typed(time)?)),
            StatementKind::Await { wait, otherwise } => StatementKind::Await {
                wait: Arc::new(Await {
                    name: self.name(&wait.name)?,
                    signal: self.signal(&wait.signal)?,
                    filter: self.maybe(wait.filter.as_ref())?,
                    within: self.typed(&wait.within)?,
                }),
                otherwise: self.block(otherwise)?,
            },
            StatementKind::Try(written) => {
                let catch = |catch: &Catch| {
                    Ok(Catch { codes: catch.codes.clone(), block: self.block(&catch.block)?, span: catch.span })
                };
                let catches = written.catches.iter().map(catch).collect::<Result<_, _>>()?;
                let (within, body) = (self.maybe(written.within.as_ref())?, self.block(&written.body)?);
                StatementKind::Try(Box::new(Try { within, body, catches }))
            }
            StatementKind::ForEach(each) => StatementKind::ForEach(Box::new(ForEach {
                element: self.name(&each.element)?,
                list: self.typed(&each.list)?,
                length: each.length,
                filter: self.maybe(each.filter.as_ref())?,
                window: each.window,
                body: self.block(&each.body)?,
            })),
            StatementKind::Repeat(repeat) => StatementKind::Repeat(Box::new(Repeat {
                times: repeat.times,
                body: self.block(&repeat.body)?,
                until: self.typed(&repeat.until)?,
                otherwise: self.block(&repeat.otherwise)?,
            })),
            StatementKind::Run(run) => StatementKind::Run(Box::new(self.run(run)?)),
            StatementKind::Let { name, value } => {
                StatementKind::Let { name: self.name(name)?, value: self.typed(value)? }
            }
            StatementKind::Fail { code, message } => {
                StatementKind::Fail { code: code.clone(), message: self.maybe(message.as_ref())? }
            }
        };
        Ok(Statement { kind, span: statement.span })
    }

    fn run(&mut self, run: &Run) -> Result<Run, TooMuch> {
        Ok(Run {
            step: Arc::new(self.work(&run.step)?),
            saga: run.saga.clone(),
            input: self.typed(&run.input)?,
            body: self.block(&run.body)?,
            output: self.typed(&run.output)?,
            span: run.span,
        })
    }

    fn work(&mut self, step: &Step) -> Result<Step, TooMuch> {
        Ok(Step {
            name: self.name(&step.name)?,
            span: step.span,
            pivot: step.pivot,
            action: step.action.as_ref().map(|action| self.invocation(action)).transpose()?,
            compensation: match &step.compensation {
                Compensation::Unsaid => Compensation::Unsaid,
                Compensation::Nothing => Compensation::Nothing,
                Compensation::Call(undo) => Compensation::Call(Box::new(self.invocation(undo)?)),
                Compensation::Run(run) => Compensation::Run(Box::new(self.run(run)?)),
            },
        })
    }

    fn invocation(&mut self, invocation: &Invocation) -> Result<Invocation, TooMuch> {
        let timing = &invocation.timing;
        Ok(Invocation {
            verb: invocation.verb,
            participant: Arc::clone(&invocation.participant),
            command: Arc::clone(&invocation.command),
            payload: self.typed(&invocation.payload)?,
            timing: Timing { within: self.maybe(timing.within.as_ref())?, ..timing.clone() },
            span: invocation.span,
        })
    }

    fn signal(&mut self, signal: &Signal) -> Result<Arc<Signal>, TooMuch> {
        let (shape, docs, span) = (Arc::clone(&signal.shape), signal.docs.clone(), signal.span);
        Ok(Arc::new(Signal { name: self.name(&signal.name)?, shape, docs, span }))
    }

    fn maybe(&mut self, typed: Option<&Typed>) -> Result<Option<Typed>, TooMuch> {
        typed.map(|typed| self.typed(typed)).transpose()
    }

    fn typed(&mut self, typed: &Typed) -> Result<Typed, TooMuch> {
        let Typed { expr, ty, span, overflow } = typed;
        Ok(Typed { expr: self.expr(expr)?, ty: ty.clone(), span: *span, overflow: *overflow })
    }

    fn boxed(&mut self, expr: &Expr) -> Result<Box<Expr>, TooMuch> {
        self.expr(expr).map(Box::new)
    }

    /// Expressions are at most 64 deep, so this may recurse.
    fn expr(&mut self, expr: &Expr) -> Result<Expr, TooMuch> {
        self.take(0)?;
        Ok(match expr {
            Expr::Literal(value) => {
                if let Value::String(text) = value {
                    self.take(text.len())?;
                }
                Expr::Literal(value.clone())
            }
            Expr::Read(read) => Expr::Read(self.read(read)?),
            Expr::Every(list, path, ty) => Expr::Every(self.boxed(list)?, self.path(path)?, ty.clone()),
            Expr::Into(base, segment, ty) => Expr::Into(self.boxed(base)?, segment.clone(), ty.clone()),
            Expr::Index(operands, ty) => {
                Expr::Index(Box::new((self.expr(&operands.0)?, self.expr(&operands.1)?)), ty.clone())
            }
            Expr::Not(inner) => Expr::Not(self.boxed(inner)?),
            Expr::Negate(inner) => Expr::Negate(self.boxed(inner)?),
            Expr::Binary(op, operands) => {
                Expr::Binary(*op, Box::new((self.expr(&operands.0)?, self.expr(&operands.1)?)))
            }
            Expr::If(parts) => Expr::If(Box::new((self.expr(&parts.0)?, self.expr(&parts.1)?, self.expr(&parts.2)?))),
            Expr::Call(Function::Id, arguments) => Expr::Call(Function::Id, self.id(arguments)?),
            Expr::Call(function, arguments) => Expr::Call(*function, self.all(arguments)?),
            Expr::Object(fields) => Expr::Object(
                fields.iter().map(|(key, value)| Ok((key.clone(), self.expr(value)?))).collect::<Result<_, _>>()?,
            ),
            Expr::List(elements) => Expr::List(self.all(elements)?),
            Expr::ToDecimal(inner) => Expr::ToDecimal(self.boxed(inner)?),
        })
    }

    fn all(&mut self, exprs: &[Expr]) -> Result<Vec<Expr>, TooMuch> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    /// `id("word")` is another one in each run: behind the word stands the way to the saga.
    fn id(&mut self, arguments: &[Expr]) -> Result<Vec<Expr>, TooMuch> {
        let mut copied = self.all(arguments)?;
        let way = match copied.get(1) {
            Some(Expr::Literal(Value::String(way))) => self.name(way)?,
            _ => CompactString::from(self.step),
        };
        copied.truncate(1);
        copied.push(Expr::Literal(Value::String(way)));
        Ok(copied)
    }

    fn path(&mut self, path: &[PathSegment]) -> Result<Vec<PathSegment>, TooMuch> {
        path.iter().try_for_each(|_| self.take(0))?;
        Ok(path.to_vec())
    }

    fn read(&mut self, read: &Read) -> Result<Read, TooMuch> {
        let root = match &read.root {
            Root::Input => Root::Name(self.name("input")?),
            Root::Name(name) => Root::Name(self.name(name)?),
            Root::Previous(name) => Root::Previous(self.name(name)?),
            Root::SagaId
            | Root::SagaStarted
            | Root::FailureCode
            | Root::FailureStep
            | Root::FailureMessage
            | Root::Round
            | Root::Event => read.root.clone(),
        };
        Ok(Read { root, path: self.path(&read.path)?, ty: read.ty.clone() })
    }
}
