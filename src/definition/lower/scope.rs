//! Names of one saga, and which values are known to be there.
//!
//! A saga has one table of names, since nothing shadows. Leaving a block changes what its names mean below (optional
//! behind a branch, hidden beside a parallel branch); what narrowing knows is a stack with marks. Nothing is
//! copied, so deep and long sagas cost the same per name.

use std::sync::Arc;

use compact_str::{CompactString, ToCompactString, format_compact};
use indexmap::IndexMap;

use super::loops::Rounds;
use super::{NameSet, Names};
use crate::definition::expression::{BinaryOp, Expr, Function, PathSegment, Read, Root};
use crate::definition::types::{Record, Type};
use crate::definition::value::Value;
use crate::definition::{Length, Signal};
use crate::source::Span;

/// What gives a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Step,
    Let,
    Signal,
    /// The element of a `for each`.
    Element,
    /// Given by a statement that is not built yet.
    Skipped,
}

/// A name that is visible or was.
pub(super) struct Binding {
    pub(super) kind: Kind,
    pub(super) span: Span,
    pub(super) ty: Type,
    /// Given by another branch of the `parallel` that is being lowered.
    pub(super) is_beside: bool,
    pub(super) is_used: bool,
    /// How many elements it has, where the text says it.
    pub(super) length: Option<Length>,
}

/// Where expressions stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    #[default]
    Forward,
    /// `failure` says why.
    Compensation,
    /// Constants only.
    Scenario,
    /// `event` is what came, and there is no instance yet.
    Trigger,
}

#[derive(Default)]
pub(super) struct Scope {
    pub(super) bindings: Names<Binding>,
    /// Every name that the saga gives, wherever it stands.
    pub(super) everywhere: Names<Span>,
    /// Names that were used before they were there: reported, and so not unused.
    pub(super) used_early: NameSet<CompactString>,
    /// What came from outside: `input`, in a trigger `event`.
    pub(super) input: Option<Arc<Record>>,
    /// Of the head.
    pub(super) signals: IndexMap<CompactString, Arc<Signal>>,
    /// Signals that are awaited, in the order of the text.
    pub(super) awaited: Vec<(CompactString, Span)>,
    pub(super) place: Place,
    /// Those of each `repeat` around, the innermost last.
    pub(super) rounds: Vec<Rounds>,
    /// Handlers around, in which `failure` says why.
    pub(super) handlers: u32,
    /// Paths that are known to be there, in the order in which that became known.
    facts: Vec<CompactString>,
    known: Names<u32>,
}

impl Scope {
    /// Without names; what comes from outside has this shape.
    pub(super) fn new(input: Arc<Record>, place: Place) -> Self {
        Self { input: Some(input), place, ..Self::default() }
    }

    /// How many elements a list has, where the text says it.
    pub(super) fn length(&self, list: &Expr) -> Option<Length> {
        let of_one = |one: &Expr, other: &Expr| Some(self.length(one)?.or(self.length(other)?));
        match list {
            Expr::List(elements) => Some(Length::of(elements.len())),
            Expr::Literal(Value::List(elements)) => Some(Length::of(elements.len())),
            Expr::Every(inner, ..) => self.length(inner),
            Expr::Call(Function::Present, arguments) => Some(self.length(arguments.first()?)?.of_some()),
            Expr::Binary(BinaryOp::Coalesce, pair) => of_one(&pair.0, &pair.1),
            Expr::If(parts) => of_one(&parts.1, &parts.2),
            Expr::Read(Read { root: Root::Name(name), path, .. }) if path.is_empty() => self.bindings.get(name)?.length,
            _ => None,
        }
    }

    /// The root of what comes from outside, by its name.
    pub(super) fn outside(&self) -> &'static str {
        if self.place == Place::Trigger { "event" } else { "input" }
    }

    /// Whether `failure` says why something failed.
    pub(super) fn knows_failure(&self) -> bool {
        self.place == Place::Compensation || (self.place == Place::Forward && self.handlers > 0)
    }

    /// A mark for [`Scope::names_since`].
    pub(super) fn names_mark(&self) -> usize {
        self.bindings.len()
    }

    /// The names given since the mark.
    pub(super) fn names_since(&mut self, mark: usize) -> impl Iterator<Item = &mut Binding> {
        self.bindings.values_mut().skip(mark)
    }

    /// A mark for [`Scope::forget`].
    pub(super) fn facts_mark(&self) -> usize {
        self.facts.len()
    }

    /// From here on these paths are there.
    pub(super) fn assume(&mut self, paths: impl IntoIterator<Item = CompactString>) {
        for path in paths {
            *self.known.entry(path.clone()).or_default() += 1;
            self.facts.push(path);
        }
    }

    /// Forgets what became known since the mark, and returns it.
    pub(super) fn forget(&mut self, mark: usize) -> Vec<CompactString> {
        let forgotten = self.facts.split_off(mark.min(self.facts.len()));
        for path in &forgotten {
            if let Some(count) = self.known.get_mut(path) {
                *count -= 1;
                if *count == 0 {
                    self.known.swap_remove(path);
                }
            }
        }
        forgotten
    }

    /// The type of what is read, narrowed by what is known.
    pub(super) fn narrowed(&self, read: &Read) -> Type {
        if read.ty.is_optional() && !self.known.is_empty() && self.known.contains_key(&read.to_compact_string()) {
            return read.ty.required().clone();
        }
        read.ty.clone()
    }
}

/// The paths that are there where `condition` is `outcome`.
pub(super) fn facts(condition: &Expr, outcome: bool) -> Vec<CompactString> {
    let mut paths = Vec::new();
    collect(condition, outcome, &mut paths);
    paths
}

fn collect(condition: &Expr, outcome: bool, paths: &mut Vec<CompactString>) {
    match condition {
        Expr::Not(inner) => collect(inner, !outcome, paths),
        Expr::Binary(BinaryOp::And, operands) if outcome => {
            collect(&operands.0, true, paths);
            collect(&operands.1, true, paths);
        }
        Expr::Binary(BinaryOp::Or, operands) if !outcome => {
            collect(&operands.0, false, paths);
            collect(&operands.1, false, paths);
        }
        Expr::Binary(op, operands) if *op == (if outcome { BinaryOp::NotEqual } else { BinaryOp::Equal }) => {
            match operands.as_ref() {
                (Expr::Read(read), Expr::Literal(Value::Null)) | (Expr::Literal(Value::Null), Expr::Read(read)) => {
                    with_prefixes(read, paths);
                }
                _ => {}
            }
        }
        _ => {}
    }
}

/// What is there has everything above it.
fn with_prefixes(read: &Read, paths: &mut Vec<CompactString>) {
    for length in 0..=read.path.len() {
        let path: Vec<PathSegment> = read.path.iter().take(length).cloned().collect();
        let prefix = Read { root: read.root.clone(), path, ty: Type::Unknown };
        paths.push(format_compact!("{prefix}"));
    }
}
