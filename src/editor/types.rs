//! Types of values by name, and how shapes are shown.

use std::fmt::Write as _;
use std::sync::Arc;

use compact_str::CompactString;

use crate::definition::types::{Field, Record, Type};
use crate::definition::{Program, Run, Saga, Signal, Statement, StatementKind, Step};
use crate::syntax::tree::{Expr, ExprKind};

/// What gives a value its name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Given<'s> {
    /// A step: its reply.
    Step(&'s Arc<Step>),
    /// A step that runs a saga: its output.
    Run(&'s Run),
    /// A `let`.
    Let(&'s Type),
    /// The element of a `for each`, of this list.
    Element(&'s Type),
    /// An `await`: what the signal brings.
    Signal(&'s Signal),
}

impl Given<'_> {
    pub(super) fn ty(self) -> Type {
        match self {
            Self::Step(step) => {
                let reply = step.action.as_ref().map(|action| Arc::clone(&action.command.reply));
                Type::Record(reply.unwrap_or_default())
            }
            Self::Run(run) => run.output.ty.clone(),
            Self::Let(ty) => ty.clone(),
            Self::Element(list) => element(list).unwrap_or(Type::Unknown),
            Self::Signal(signal) => Type::Record(Arc::clone(&signal.shape)),
        }
    }
}

/// All values that a saga names, in the order of the text.
pub(super) fn values(saga: &Saga) -> Vec<(&CompactString, Given<'_>)> {
    let mut found = Vec::new();
    gather(&saga.body, &mut found);
    found
}

fn gather<'s>(statements: &'s [Statement], found: &mut Vec<(&'s CompactString, Given<'s>)>) {
    for statement in statements {
        match &statement.kind {
            StatementKind::Step(step) => found.push((&step.name, Given::Step(step))),
            StatementKind::Let { name, value } => found.push((name, Given::Let(&value.ty))),
            StatementKind::Run(run) => found.push((&run.step.name, Given::Run(run))),
            StatementKind::Parallel(inner) | StatementKind::Sequence(inner) => gather(inner, found),
            StatementKind::When { arms, otherwise } => {
                for (_, block) in arms {
                    gather(block, found);
                }
                gather(otherwise, found);
            }
            StatementKind::Await { wait, otherwise } => {
                found.push((&wait.name, Given::Signal(&wait.signal)));
                gather(otherwise, found);
            }
            StatementKind::Try(written) => {
                gather(&written.body, found);
                written.catches.iter().for_each(|catch| gather(&catch.block, found));
            }
            StatementKind::ForEach(each) => {
                found.push((&each.element, Given::Element(&each.list.ty)));
                gather(&each.body, found);
            }
            StatementKind::Repeat(repeat) => {
                gather(&repeat.body, found);
                gather(&repeat.otherwise, found);
            }
            StatementKind::Pivot | StatementKind::Sleep(_) | StatementKind::Fail { .. } => {}
        }
    }
}

/// The value of that name, or what a signal of that name brings.
pub(super) fn value<'s>(saga: &'s Saga, name: &str) -> Option<Given<'s>> {
    let given = values(saga).into_iter().find(|(known, _)| *known == name).map(|(_, given)| given);
    given.or_else(|| saga.signals.get(name).map(|signal| Given::Signal(signal)))
}

/// The type of a name or root in a saga.
pub(super) fn root(program: &Program, saga: &str, name: &str) -> Option<Type> {
    let saga = program.sagas.get(saga)?;
    match name {
        "input" => Some(Type::Record(Arc::clone(&saga.input))),
        _ => value(saga, name).map(Given::ty),
    }
}

/// The saga that a step runs.
pub(super) fn runs(program: &Program, saga: &str, step: &str) -> Option<CompactString> {
    match value(program.sagas.get(saga)?, step)? {
        Given::Run(run) => Some(run.saga.clone()),
        Given::Step(_) | Given::Let(_) | Given::Element(_) | Given::Signal(_) => None,
    }
}

/// The type of a path as it is written, as far as can be told.
pub(super) fn of(program: &Program, saga: &str, expr: &Expr) -> Option<Type> {
    match &expr.kind {
        ExprKind::Name(name) => root(program, saga, name),
        // What a round before gave is what this one gives.
        ExprKind::Field(base, key) if matches!(&base.kind, ExprKind::Name(name) if name == "previous") => {
            root(program, saga, &key.text)
        }
        ExprKind::Field(base, key) => field(&of(program, saga, base)?, &key.text).map(|field| field.ty.clone()),
        ExprKind::Every(base) | ExprKind::Index(base, _) => of(program, saga, base).map(indexed),
        _ => None,
    }
}

/// The field of that key, of the value or of each of its elements.
pub(super) fn field<'t>(ty: &'t Type, key: &str) -> Option<&'t Field> {
    match ty.required() {
        Type::Record(record) => record.field(key),
        _ => None,
    }
}

/// What a list or map holds.
pub(super) fn element(ty: &Type) -> Option<Type> {
    match ty.required() {
        Type::List(inner) | Type::Map(inner) => Some(inner.as_ref().clone()),
        _ => None,
    }
}

/// What stands behind brackets. Below a loop its names are lists of what they are in it.
pub(super) fn indexed(ty: Type) -> Type {
    element(&ty).unwrap_or(ty)
}

/// The fields in braces, whatever the shape is called.
pub(super) fn shape(record: &Record) -> String {
    if record.fields.is_empty() {
        return "{}".to_owned();
    }
    let mut text = String::from("{ ");
    for (index, field) in record.fields.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let personal = if field.personal { "personal " } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{personal}{}: {}", field.key, field.ty);
    }
    text + " }"
}
