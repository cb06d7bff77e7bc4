//! What `saga check` tells besides findings: how a saga can end, where its point of no return stands, and the times
//! and topics that hold where nothing is said.

use std::collections::BTreeSet;
use std::time::Duration;

use compact_str::CompactString;

use super::times::shown;
use crate::definition::expression::Typed;
use crate::definition::limits::{DEFAULT_COMPENSATION_RETRY, DEFAULT_RETRY, DEFAULT_TIMEOUT};
use crate::definition::{Retry, Saga, Sleep, Statement, StatementKind};
use crate::source::Span;

/// A point of no return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    /// The pivot step; without one it is a `pivot` of its own.
    pub step: Option<CompactString>,
    /// Where it stands.
    pub span: Span,
}

/// The times that hold where a saga says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Of one attempt.
    pub timeout: Duration,
    /// Of steps.
    pub retry: Retry,
    /// Of compensations.
    pub compensation_retry: Retry,
}

/// As the language writes it.
impl std::fmt::Display for Defaults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let retry =
            |retry: &Retry| format!("retry {} times every {}..{}", retry.times, shown(retry.from), shown(retry.to));
        let timeout = shown(self.timeout);
        write!(
            f,
            "defaults {{ timeout {timeout}  {}  compensate timeout {timeout}  {} }}",
            retry(&self.retry),
            retry(&self.compensation_retry)
        )
    }
}

/// The built-in times.
#[must_use]
pub const fn defaults() -> Defaults {
    Defaults { timeout: DEFAULT_TIMEOUT, retry: DEFAULT_RETRY, compensation_retry: DEFAULT_COMPENSATION_RETRY }
}

/// The points of no return, in the order of the text: at most one is passed on each way. Empty: the saga's end is it.
#[must_use]
pub fn points_of_no_return(saga: &Saga) -> Vec<Return> {
    let mut points = Vec::new();
    gather(&saga.body, &mut points);
    points
}

fn gather(statements: &[Statement], points: &mut Vec<Return>) {
    for statement in statements {
        match &statement.kind {
            StatementKind::Pivot => points.push(Return { step: None, span: statement.span }),
            StatementKind::Step(step) if step.pivot => {
                points.push(Return { step: Some(step.name.clone()), span: step.span });
            }
            StatementKind::When { arms, otherwise } => {
                for (_, block) in arms {
                    gather(block, points);
                }
                gather(otherwise, points);
            }
            // None stands inside the others.
            StatementKind::Step(_)
            | StatementKind::Parallel(_)
            | StatementKind::Sequence(_)
            | StatementKind::Sleep(_)
            | StatementKind::Let { .. }
            | StatementKind::Fail { .. } => {}
        }
    }
}

/// The failure codes with which a saga can end: those that its steps before and at the point of no return may refuse
/// with, those of its `fail`s, and the engine's own as far as they can come about.
#[must_use]
pub fn codes_of(saga: &Saga) -> BTreeSet<CompactString> {
    let mut codes = BTreeSet::from([CompactString::const_new("cancelled")]);
    if saga.deadline.is_some() {
        codes.insert(CompactString::const_new("deadline"));
    }
    let passed = add(&saga.body, &mut codes);
    if !passed && saga.output.as_ref().is_some_and(|output| output.overflow.is_some()) {
        codes.insert(CompactString::const_new("invalid"));
    }
    codes
}

/// Adds the codes of the statements; true where they pass the point of no return.
fn add(statements: &[Statement], codes: &mut BTreeSet<CompactString>) -> bool {
    for statement in statements {
        let invalid = |typed: &Typed| typed.overflow.map(|_| CompactString::const_new("invalid"));
        let passed = match &statement.kind {
            StatementKind::Step(step) => {
                if let Some(action) = &step.action {
                    codes.extend(action.command.fails.iter().cloned());
                    codes.extend(invalid(&action.payload));
                    codes.extend(action.timing.within.as_ref().and_then(invalid));
                    codes.insert(CompactString::const_new("undeclared"));
                    // The outcome of a pivot step is found out, however long that takes.
                    if !step.pivot {
                        codes.insert(CompactString::const_new("timeout"));
                    }
                }
                step.pivot
            }
            StatementKind::Pivot => true,
            StatementKind::Parallel(inner) => {
                for branch in inner {
                    add(std::slice::from_ref(branch), codes);
                }
                false
            }
            StatementKind::Sequence(inner) => add(inner, codes),
            StatementKind::When { arms, otherwise } => {
                let mut passed = false;
                for (condition, block) in arms {
                    codes.extend(invalid(condition));
                    passed |= add(block, codes);
                }
                passed | add(otherwise, codes)
            }
            StatementKind::Sleep(Sleep::For(typed) | Sleep::Until(typed)) => {
                codes.extend(invalid(typed));
                false
            }
            StatementKind::Let { value, .. } => {
                codes.extend(invalid(value));
                false
            }
            // A message that cannot be computed is left out.
            StatementKind::Fail { code, message: _ } => {
                codes.insert(code.clone());
                false
            }
        };
        if passed {
            return true;
        }
    }
    false
}
