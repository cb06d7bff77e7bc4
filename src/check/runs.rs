//! Sub-sagas in their place: how they are taken back, and what can come out of them behind the point of no return.
//!
//! What stands inside has been checked with the saga itself; nothing of it is said again.

use std::collections::BTreeSet;

use compact_str::CompactString;

use super::outcomes::codes_of_try;
use super::structure::{Passed, Place, Walk, undo_span};
use crate::definition::{Compensation, Run, Statement, StatementKind, blocks, has_pivot};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;

impl Walk<'_> {
    pub(super) fn run(&mut self, run: &Run, passed: Passed, place: Place) -> Passed {
        let step = &run.step;
        self.undo_can_fail(step);
        self.computed_in_undo(step);
        if let Some(pivot) = passed {
            self.computed_behind(&run.input, pivot);
            self.computed_behind(&run.output, pivot);
        }
        if step.pivot {
            self.pivot_step(step);
            return self.pivot(step.span, passed, place);
        }
        match passed {
            Some(pivot) => self.run_behind(run, pivot),
            None => self.run_before(run),
        }
        passed
    }

    fn run_before(&mut self, run: &Run) {
        let (step, saga) = (&run.step, &run.saga);
        let at = undo_span(step).unwrap_or(step.span);
        match (&step.compensation, has_pivot(&run.body)) {
            (Compensation::Unsaid, true) => {
                let title =
                    format!("`{saga}` has a point of no return, and `{}` does not say how it is taken back", step.name);
                self.problems.push(
                    Diagnostic::error(codes::COMPENSATION_UNSAID, step.span, title)
                        .why("Behind its own point of no return a sub-saga cannot unwind itself when a later step fails.")
                        .hint(
                            "add `compensate …`, which takes back all that it did; or write `pivot step`, so that it is the \
                             point of no return of this saga too",
                        ),
                );
            }
            (Compensation::Nothing | Compensation::Call(_) | Compensation::Run(_), false) => {
                let title = format!("`{saga}` takes itself back, so `{}` needs no `compensate`", step.name);
                self.problems.push(
                    Diagnostic::error(codes::RUN_COMPENSATED, at, title)
                        .why(
                            "It has no point of no return: its steps are taken back one by one, as those of this saga.",
                        )
                        .hint("remove `compensate`"),
                );
            }
            (Compensation::Unsaid, false)
            | (Compensation::Nothing | Compensation::Call(_) | Compensation::Run(_), true) => {}
        }
    }

    /// It must succeed in the end, as everything there.
    fn run_behind(&mut self, run: &Run, pivot: Span) {
        self.compensated_behind(&run.step, pivot);
        let mut escaping = BTreeSet::new();
        escape(&run.body, &mut escaping);
        if escaping.is_empty() {
            return;
        }
        let listed = escaping.iter().map(|code| format!("\"{code}\"")).collect::<Vec<_>>().join(", ");
        let title = format!("`{}` may fail with {listed} behind the point of no return", run.step.name);
        self.problems.push(
            Diagnostic::error(codes::CODE_ESCAPES, run.step.span, title)
                .also(pivot, "the point of no return")
                .why("Behind it nothing is undone any more: what stands there must succeed in the end.")
                .hint(
                    "move the step above the point of no return, or put it into a `try` whose `catch { … }` takes everything",
                ),
        );
    }
}

/// The codes with which statements can fail where every step is repeated until it succeeds.
fn escape(statements: &[Statement], found: &mut BTreeSet<CompactString>) {
    for statement in statements {
        match &statement.kind {
            StatementKind::Step(step) => {
                found.extend(step.action.iter().flat_map(|action| action.command.fails.iter().cloned()));
            }
            StatementKind::Fail { code, .. } => {
                found.insert(code.clone());
            }
            StatementKind::Try(written) => {
                let mut codes = codes_of_try(written);
                for catch in &written.catches {
                    codes.retain(|code| !catch.codes.is_empty() && !catch.codes.contains(code));
                    escape(&catch.block, found);
                }
                found.extend(codes);
            }
            _ => blocks(statement).into_iter().for_each(|block| escape(block, found)),
        }
    }
}
