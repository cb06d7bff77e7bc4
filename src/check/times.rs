//! Times that contradict each other: what can be told from literals alone.

use std::time::Duration;

use crate::definition::expression::Typed;
use crate::definition::{Compensation, Invocation, Saga, Sleep, Statement, StatementKind, Verb, blocks};
use crate::diagnostic::{Diagnostic, Problems, codes};
use crate::source::Span;

pub(super) fn check(saga: &Saga, problems: &mut Problems) {
    super::each_step(&saga.body, &mut |step| {
        step.action.iter().for_each(|action| within(action, &step.name, problems));
        if let Compensation::Call(undo) = &step.compensation {
            within(undo, &step.name, problems);
        }
    });
    tries(&saga.body, problems);
    let Some(deadline) = saga.deadline else { return };
    outlasting(&saga.body, deadline, "the deadline", problems);
    let (least, longest) = least_sleep(&saga.body);
    if let Some(longest) = longest.filter(|_| least >= deadline) {
        problems.push(
            Diagnostic::error(
                codes::DEADLINE_TOO_SHORT,
                longest,
                format!(
                    "this saga sleeps for {} before its point of no return, and its deadline is {}",
                    shown(least),
                    shown(deadline)
                ),
            )
            .here("the longest sleep")
            .why("The deadline counts from the start, and before the point of no return it makes the saga fail.")
            .hint("write a longer deadline, or sleep less"),
        );
    }
}

/// A `try` that sleeps longer than it has.
fn tries(statements: &[Statement], problems: &mut Problems) {
    super::each_try(statements, &mut |written| {
        let Some(limit) = written.within.as_ref().and_then(Typed::literal_duration) else { return };
        outlasting(&written.body, limit, "the time of the `try`", problems);
        let (least, longest) = least_sleep(&written.body);
        let Some(longest) = longest.filter(|_| least >= limit && !limit.is_zero()) else { return };
        let title = format!("this `try` sleeps for {} and has {} in all", shown(least), shown(limit));
        problems.push(
            Diagnostic::error(codes::DEADLINE_TOO_SHORT, longest, title)
                .here("the longest sleep")
                .hint("write a longer `within`, or sleep less"),
        );
    });
}

/// Waits that alone take longer than a limit which ends them. Retries may: so one says "until then". Says whether the point of no return is reached,
/// behind which no limit acts. What stands in sub-sagas is judged with them.
fn outlasting(statements: &[Statement], limit: Duration, what: &str, problems: &mut Problems) -> bool {
    statements.iter().any(|statement| {
        match &statement.kind {
            StatementKind::Pivot => return true,
            StatementKind::Run(run) => return run.step.pivot,
            StatementKind::Step(step) if step.pivot => return true,
            StatementKind::Await { wait, .. } => {
                let title = |wait: Duration| {
                    format!(
                        "this wait may take {}, and {what} is {}: nobody gets to `otherwise`",
                        shown(wait),
                        shown(limit)
                    )
                };
                if let Some(within) =
                    wait.within.literal_duration().filter(|within| *within >= limit && !limit.is_zero())
                {
                    problems.push(
                        Diagnostic::warning(codes::DEADLINE_TOO_SHORT, wait.within.span, title(within))
                            .hint("wait less, or allow more time"),
                    );
                }
            }
            // One of its own has the last word inside.
            StatementKind::Try(written) if written.within.is_some() => return false,
            _ => {}
        }
        let mut passed = false;
        for block in blocks(statement) {
            passed |= outlasting(block, limit, what, problems);
        }
        passed
    })
}

fn within(invocation: &Invocation, step: &str, problems: &mut Problems) {
    let Some(within) = invocation.timing.within.as_ref().filter(|_| invocation.verb == Verb::Call) else { return };
    let Some(limit) = within.literal_duration() else { return };
    if limit.is_zero() {
        return;
    }
    let timing = &invocation.timing;
    if limit < timing.timeout {
        problems.push(
            Diagnostic::error(
                codes::WITHIN_TOO_SHORT,
                within.span,
                format!("`{step}` has {} in all, and one attempt may take {}", shown(limit), shown(timing.timeout)),
            )
            .hint(format!("write `timeout` of less than {}, or a longer `within`", shown(limit))),
        );
        return;
    }
    let pauses = timing.retry.pauses();
    if pauses >= limit {
        problems.push(
            Diagnostic::warning(
                codes::WITHIN_TOO_SHORT,
                within.span,
                format!(
                    "`{step}` has {} in all, and the pauses of its {} repetitions alone take {}",
                    shown(limit),
                    timing.retry.times,
                    shown(pauses)
                ),
            )
            .hint("write a longer `within`, fewer repetitions, or shorter pauses"),
        );
    }
}

/// The time that the literal sleeps before the point of no return take at least, and the longest of them.
fn least_sleep(statements: &[Statement]) -> (Duration, Option<Span>) {
    let mut sum = Duration::ZERO;
    let mut longest: Option<(Duration, Span)> = None;
    for statement in statements {
        let slept = match &statement.kind {
            StatementKind::Sleep(Sleep::For(duration)) => duration.literal_duration().map(|time| (time, Some(duration.span))),
            StatementKind::Sequence(inner) => Some(least_sleep(inner)),
            StatementKind::Parallel(branches) => {
                branches.iter().map(|branch| least_sleep(std::slice::from_ref(branch))).max_by_key(|(time, _)| *time)
            }
            StatementKind::When { arms, otherwise } => {
                let blocks = arms.iter().map(|(_, block)| block).chain([otherwise]);
                blocks.map(|block| least_sleep(block)).min_by_key(|(time, _)| *time)
            }
            // One round at least.
            StatementKind::Repeat(repeat) => Some(least_sleep(&repeat.body)),
            // Behind its own point of no return it still counts against the deadline.
            StatementKind::Run(run) if !run.step.pivot => Some(least_sleep(&run.body)),
            StatementKind::Run(_) => break,
            StatementKind::Pivot => break,
            StatementKind::Step(step) if step.pivot => break,
            StatementKind::Step(_)
            // The signal may come at once.
            | StatementKind::Await { .. }
            // The list may be empty.
            | StatementKind::ForEach(_)
            // It may fail at once.
            | StatementKind::Try(_)
            | StatementKind::Sleep(Sleep::Until(_))
            | StatementKind::Let { .. }
            | StatementKind::Fail { .. } => None,
        };
        if let Some((time, Some(span))) = slept {
            sum = sum.saturating_add(time);
            longest = longest.filter(|(known, _)| *known >= time).or(Some((time, span)));
        }
    }
    (sum, longest.map(|(_, span)| span))
}

/// As the language writes it, in the largest unit that is whole.
#[must_use]
pub fn shown(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let whole = units.iter().find(|(_, size)| millis >= *size && millis.is_multiple_of(*size));
    whole.map_or_else(|| format!("{millis}ms"), |(unit, size)| format!("{}{unit}", millis / size))
}
