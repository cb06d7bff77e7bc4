//! What `saga check` tells besides findings: how a saga can end, where its point of no return stands, and the times
//! and topics that hold where nothing is said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;

use super::times::shown;
use crate::definition::expression::Typed;
use crate::definition::limits::{DEFAULT_COMPENSATION_RETRY, DEFAULT_RETRY, DEFAULT_TIMEOUT, MAX_ELEMENTS};
use crate::definition::{Retry, Saga, Sleep, Statement, StatementKind, Step, Try, Verb};
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
            StatementKind::Run(run) if run.step.pivot => {
                points.push(Return { step: Some(run.step.name.clone()), span: run.step.span });
            }
            // None stands inside the others.
            StatementKind::Step(_)
            | StatementKind::Run(_)
            | StatementKind::Parallel(_)
            | StatementKind::Sequence(_)
            | StatementKind::ForEach(_)
            | StatementKind::Repeat(_)
            | StatementKind::Sleep(_)
            | StatementKind::Await { .. }
            | StatementKind::Try(_)
            | StatementKind::Let { .. }
            | StatementKind::Fail { .. } => {}
        }
    }
}

/// What lets a saga end compensated, and where.
#[derive(Clone, Debug)]
pub struct Reason {
    /// What happens.
    pub cause: Cause,
    /// What it happens to.
    pub span: Span,
    /// The step that runs the saga in which that stands, if it is a sub-saga's.
    pub run: Option<CompactString>,
}

/// What can make a saga fail.
#[derive(Clone, Debug)]
pub enum Cause {
    /// An operator cancels it.
    Cancelled,
    /// It takes longer than its deadline.
    Late(Duration),
    /// A `try` takes longer than its `within`.
    Overdue,
    /// The participant refuses the step's command with this code.
    Refused(Arc<Step>),
    /// The participant refuses it with a code that its contract does not name.
    Undeclared(Arc<Step>),
    /// No attempt of the step brings an answer.
    Silent(Arc<Step>),
    /// A `fail` is reached.
    Fail,
    /// What this arithmetic comes to is out of range.
    Overflow,
    /// More elements than a `for each` goes through.
    TooMany,
}

/// The failure codes with which a saga can end, and what each needs, in the order of the text: the codes that its
/// steps before and at the point of no return may refuse with, those of its `fail`s, and the engine's own as far as
/// they can come about.
#[must_use]
pub fn outcomes(saga: &Saga) -> Outcomes {
    let mut outcomes = Outcomes::default();
    if !begins_at_pivot(&saga.body) {
        outcomes.add("cancelled", Cause::Cancelled, saga.span);
        if let Some(deadline) = saga.deadline {
            outcomes.add("deadline", Cause::Late(deadline), saga.span);
        }
    }
    let passed = outcomes.block(&saga.body);
    if !passed {
        outcomes.computed(saga.output.as_ref());
    }
    outcomes
}

/// Whether these come to the point of no return in the instant in which they begin: then nobody and no deadline comes before it.
/// A pivot step is called in that instant, and from then on its outcome decides, unless it waits for its turn.
fn begins_at_pivot(statements: &[Statement]) -> bool {
    let takes_no_time = |statement: &&Statement| matches!(statement.kind, StatementKind::Let { .. });
    statements.iter().find(|statement| !takes_no_time(statement)).is_some_and(|first| match &first.kind {
        StatementKind::Pivot => true,
        StatementKind::Step(step) => {
            step.pivot && step.action.as_ref().is_some_and(|action| action.participant.limits.is_empty())
        }
        StatementKind::When { arms, otherwise } => {
            arms.iter().map(|(_, block)| block).chain([otherwise]).all(|block| begins_at_pivot(block))
        }
        StatementKind::Run(run) => run.step.pivot && begins_at_pivot(&run.body),
        _ => false,
    })
}

/// The codes with which the body of a `try` can fail.
pub(super) fn codes_of_try(written: &Try) -> BTreeSet<CompactString> {
    let mut outcomes = Outcomes::default();
    outcomes.body(written);
    outcomes.codes().cloned().collect()
}

/// Codes with what each needs.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    reasons: BTreeMap<CompactString, Vec<Reason>>,
    /// The step that runs what is being looked at.
    run: Option<CompactString>,
}

impl Outcomes {
    /// The codes, each with all that can lead to it.
    pub fn iter(&self) -> impl Iterator<Item = (&CompactString, &[Reason])> {
        self.reasons.iter().map(|(code, reasons)| (code, reasons.as_slice()))
    }

    /// The codes.
    pub fn codes(&self) -> impl Iterator<Item = &CompactString> {
        self.reasons.keys()
    }

    /// What the statement itself can fail with, and not what stands in it.
    pub(super) fn of_itself(statement: &Statement) -> Self {
        let mut outcomes = Self::default();
        outcomes.itself(statement);
        outcomes
    }

    /// Adds what the body of a `try` can fail with.
    fn body(&mut self, written: &Try) {
        self.block(&written.body);
        if let Some(within) = &written.within {
            self.add("deadline", Cause::Overdue, within.span);
        }
    }

    fn add(&mut self, code: &str, cause: Cause, span: Span) {
        self.reasons.entry(code.into()).or_default().push(Reason { cause, span, run: self.run.clone() });
    }

    fn computed<'t>(&mut self, computed: impl IntoIterator<Item = &'t Typed>) {
        for overflow in computed.into_iter().filter_map(|typed| typed.overflow) {
            self.add("invalid", Cause::Overflow, overflow);
        }
    }

    /// Adds what the statements can fail with; true where they pass the point of no return.
    fn block(&mut self, statements: &[Statement]) -> bool {
        statements.iter().any(|statement| self.statement(statement))
    }

    fn statement(&mut self, statement: &Statement) -> bool {
        self.itself(statement);
        match &statement.kind {
            StatementKind::Step(step) => step.pivot,
            StatementKind::Pivot => true,
            StatementKind::Parallel(branches) => {
                for branch in branches {
                    self.statement(branch);
                }
                false
            }
            StatementKind::Sequence(inner) => self.block(inner),
            StatementKind::When { arms, otherwise } => {
                let blocks = arms.iter().map(|(_, block)| block).chain([otherwise]);
                blocks.fold(false, |passed, block| passed | self.block(block))
            }
            StatementKind::Try(written) => {
                let mut escaping = Self { run: self.run.clone(), ..Self::default() };
                escaping.body(written);
                for catch in &written.catches {
                    escaping.reasons.retain(|code, _| !catch.codes.is_empty() && !catch.codes.contains(code));
                    self.block(&catch.block);
                }
                for (code, reasons) in escaping.reasons {
                    self.reasons.entry(code).or_default().extend(reasons);
                }
                false
            }
            StatementKind::ForEach(each) => self.block(&each.body),
            StatementKind::Repeat(repeat) => {
                let passed = self.block(&repeat.body);
                self.computed([&repeat.until]);
                self.block(&repeat.otherwise) | passed
            }
            StatementKind::Run(run) => {
                let around = self.run.replace(run.step.name.clone());
                if !self.block(&run.body) {
                    self.computed([&run.output]);
                }
                self.run = around;
                run.step.pivot
            }
            StatementKind::Await { otherwise, .. } => self.block(otherwise),
            StatementKind::Sleep(_) | StatementKind::Let { .. } | StatementKind::Fail { .. } => false,
        }
    }

    /// What a statement can fail with as the flow comes to it, before anything that stands in it.
    fn itself(&mut self, statement: &Statement) {
        match &statement.kind {
            StatementKind::Step(step) => {
                let Some(action) = &step.action else { return };
                for code in &action.command.fails {
                    self.add(code, Cause::Refused(Arc::clone(step)), step.span);
                }
                self.computed([&action.payload]);
                if action.verb == Verb::Call {
                    self.computed(&action.timing.within);
                    self.add("undeclared", Cause::Undeclared(Arc::clone(step)), step.span);
                }
                // The outcome of a pivot step is found out, however long that takes.
                if action.verb == Verb::Call && !step.pivot {
                    self.add("timeout", Cause::Silent(Arc::clone(step)), step.span);
                }
            }
            StatementKind::When { arms, .. } => self.computed(arms.iter().map(|(condition, _)| condition)),
            StatementKind::Sleep(Sleep::For(typed) | Sleep::Until(typed)) => self.computed([typed]),
            StatementKind::Try(written) => self.computed(&written.within),
            StatementKind::ForEach(each) => {
                if each.length.is_none_or(|length| length.most > MAX_ELEMENTS.into()) {
                    self.add("invalid", Cause::TooMany, each.list.span);
                }
                self.computed(each.filter.iter().chain([&each.list]));
            }
            StatementKind::Run(run) => self.computed([&run.input]),
            // A signal for which `where` cannot be computed is not taken.
            StatementKind::Await { wait, .. } => self.computed([&wait.within]),
            StatementKind::Let { value, .. } => self.computed([value]),
            // A message that cannot be computed is left out.
            StatementKind::Fail { code, message: _ } => self.add(code, Cause::Fail, statement.span),
            StatementKind::Pivot
            | StatementKind::Parallel(_)
            | StatementKind::Sequence(_)
            | StatementKind::Repeat(_) => {}
        }
    }
}
