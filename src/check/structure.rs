//! The structure of a saga: the point of no return, what must be taken back before it, what must succeed behind it.
//!
//! One walk in the order of the text carries whether the point of no return is passed. Where two branches of a
//! `when` disagree, that is the finding, and what is below is judged as behind it, so that nothing follows from it.

use crate::definition::expression::Typed;
use crate::definition::{Compensation, Run, Saga, Sleep, Statement, StatementKind, Step, cannot_fail, has_pivot};
use crate::diagnostic::{Diagnostic, Problems, codes};
use crate::source::Span;

pub(super) fn check(saga: &Saga, problems: &mut Problems) {
    let has_pivot = has_pivot(&saga.body);
    let mut walk = Walk { problems, has_pivot };
    let passed = walk.sequence(&saga.body, None, Place::OwnSequence);
    if let (Some(pivot), Some(output)) = (passed, &saga.output) {
        walk.computed_behind(output, pivot);
    }
}

/// Whether a point of no return may stand here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the saga's own sequence, or in a branch of a `when` there.
    OwnSequence,
    Elsewhere,
}

pub(super) struct Walk<'p> {
    pub(super) problems: &'p mut Problems,
    has_pivot: bool,
}

/// Where the point of no return was passed, if it was.
pub(super) type Passed = Option<Span>;

fn is_pivot_step(statement: &Statement) -> bool {
    matches!(&statement.kind, StatementKind::Step(step) if step.pivot)
}

impl Walk<'_> {
    fn sequence(&mut self, statements: &[Statement], mut passed: Passed, place: Place) -> Passed {
        let mut fails: Option<Span> = None;
        for statement in statements {
            if let Some(fail) = fails.take() {
                self.problems.push(
                    Diagnostic::warning(codes::NEVER_REACHED, statement.span, "this is never reached")
                        .also(fail, "the saga fails here")
                        .hint("remove it, or move it above"),
                );
            }
            passed = self.statement(statement, passed, place);
            if crate::definition::lower::ends_in_fail(std::slice::from_ref(statement)) {
                fails = Some(statement.span);
            }
        }
        passed
    }

    fn statement(&mut self, statement: &Statement, passed: Passed, place: Place) -> Passed {
        match &statement.kind {
            StatementKind::Step(step) => self.step(step, statement.span, passed, place),
            StatementKind::Pivot => self.pivot(statement.span, passed, place),
            StatementKind::Parallel(branches) => {
                for branch in branches {
                    self.statement(branch, passed, Place::Elsewhere);
                }
                passed
            }
            StatementKind::Sequence(inner) => {
                self.sequence(inner, passed, Place::Elsewhere);
                passed
            }
            StatementKind::When { arms, otherwise } => {
                if let Some(pivot) = passed {
                    for (condition, _) in arms {
                        self.computed_behind(condition, pivot);
                    }
                }
                let blocks = arms.iter().map(|(condition, block)| (block.as_slice(), condition.span));
                let blocks = blocks.chain([(otherwise.as_slice(), statement.span)]);
                self.branches(blocks, statement.span, passed, place)
            }
            StatementKind::Fail { code, .. } => {
                if let Some(pivot) = passed {
                    self.problems.push(
                        Diagnostic::error(
                            codes::FAIL_BEHIND_PIVOT,
                            statement.span,
                            format!("`fail \"{code}\"` behind the point of no return"),
                        )
                        .also(pivot, "the point of no return")
                        .why("Behind it nothing is undone any more: the saga must reach its end.")
                        .hint("decide this above the point of no return"),
                    );
                }
                passed
            }
            StatementKind::Try(written) => {
                super::tries::check(written, statement.span, passed, self.problems);
                if let (Some(pivot), Some(within)) = (passed, &written.within) {
                    self.computed_behind(within, pivot);
                }
                // What fails in it is taken back, wherever it stands.
                self.sequence(&written.body, None, Place::Elsewhere);
                for catch in &written.catches {
                    self.sequence(&catch.block, passed, Place::Elsewhere);
                }
                passed
            }
            StatementKind::Run(run) => self.run(run, passed, place),
            StatementKind::ForEach(each) => {
                if let Some(pivot) = passed {
                    each.filter.iter().chain([&each.list]).for_each(|computed| self.computed_behind(computed, pivot));
                }
                self.sequence(&each.body, passed, Place::Elsewhere);
                passed
            }
            StatementKind::Repeat(repeat) => {
                if let Some(pivot) = passed {
                    self.computed_behind(&repeat.until, pivot);
                }
                self.sequence(&repeat.body, passed, Place::Elsewhere);
                self.sequence(&repeat.otherwise, passed, Place::Elsewhere);
                passed
            }
            StatementKind::Await { wait, otherwise } => {
                if let Some(pivot) = passed {
                    self.computed_behind(&wait.within, pivot);
                }
                self.sequence(otherwise, passed, Place::Elsewhere);
                passed
            }
            StatementKind::Sleep(Sleep::For(value) | Sleep::Until(value)) | StatementKind::Let { value, .. } => {
                if let Some(pivot) = passed {
                    self.computed_behind(value, pivot);
                }
                passed
            }
        }
    }

    /// Arithmetic behind the point of no return.
    pub(super) fn computed_behind(&mut self, computed: &Typed, pivot: Span) {
        let Some(arithmetic) = computed.overflow else { return };
        let title = "this arithmetic may overflow behind the point of no return";
        self.problems.push(
            Diagnostic::warning(codes::OVERFLOW_IS_STUCK, arithmetic, title)
                .also(pivot, "the point of no return")
                .why(
                    "Nothing is taken back any more: with numbers too large, the saga is stuck until a person decides.",
                )
                .hint("compute it in a `let` above the point of no return, as far as its data is known there"),
        );
    }

    /// Arithmetic of a compensation.
    pub(super) fn computed_in_undo(&mut self, step: &Step) {
        let computed: Vec<&Typed> = match &step.compensation {
            Compensation::Unsaid | Compensation::Nothing => return,
            Compensation::Call(undo) => [&undo.payload].into_iter().chain(&undo.timing.within).collect(),
            Compensation::Run(run) => vec![&run.input],
        };
        for computed in computed {
            let Some(arithmetic) = computed.overflow else { continue };
            let title = format!("this arithmetic may overflow while `{}` is taken back", step.name);
            self.problems.push(
                Diagnostic::warning(codes::OVERFLOW_IS_STUCK, arithmetic, title)
                    .also(step.span, "the step that is taken back")
                    .why("A compensation must not fail: with numbers too large, the saga is stuck until a person decides.")
                    .hint(format!("compute it in a `let` above `{}`, as far as its data is known there", step.name)),
            );
        }
    }

    /// One branch has passed a point of no return: all that go on must have.
    fn branches<'b>(
        &mut self,
        blocks: impl Iterator<Item = (&'b [Statement], Span)>,
        when: Span,
        passed: Passed,
        place: Place,
    ) -> Passed {
        let mut pivot: Passed = None;
        let mut without: Option<Span> = None;
        for (block, at) in blocks {
            let ends = crate::definition::lower::ends_in_fail(block);
            let after = self.sequence(block, passed, place);
            if after != passed {
                pivot = pivot.or(after);
            } else if !ends {
                without = without.or(Some(block.last().map_or(at, |last| last.span)));
            }
        }
        if let (Some(pivot), Some(without), None) = (pivot, without, passed) {
            let at = if without == when {
                "a branch without one: none of the conditions holds"
            } else {
                "a branch without one"
            };
            self.problems.push(
                Diagnostic::error(codes::PIVOT_ON_ONE_BRANCH, pivot, "only some branches pass a point of no return")
                    .also(without, at)
                    .why("Below, nobody could say whether a failure still takes everything back.")
                    .hint("write `pivot` at the end of each other branch too, `otherwise` included, or one behind the `when`"),
            );
        }
        pivot.or(passed)
    }

    pub(super) fn pivot(&mut self, span: Span, passed: Passed, place: Place) -> Passed {
        if place == Place::Elsewhere {
            self.problems.push(
                Diagnostic::error(codes::PIVOT_MISPLACED, span, "a point of no return cannot stand here")
                    .why(
                        "It parts the whole saga into before and behind, so it stands in the saga's own sequence, or in \
                         the branches of a `when` there.",
                    )
                    .hint("write `pivot` behind this block"),
            );
            return passed;
        }
        if let Some(first) = passed {
            self.problems.push(
                Diagnostic::error(codes::PIVOT_TWICE, span, "this is a second point of no return")
                    .also(first, "the first one")
                    .hint("keep the one behind which nothing may be undone"),
            );
        }
        passed.or(Some(span))
    }

    fn step(&mut self, step: &Step, span: Span, passed: Passed, place: Place) -> Passed {
        self.undo_can_fail(step);
        self.computed_in_undo(step);
        if step.pivot {
            self.pivot_step(step);
            return self.pivot(step.span, passed, place);
        }
        match passed {
            None => self.before(step, span),
            Some(pivot) => self.behind(step, pivot),
        }
        passed
    }

    pub(super) fn pivot_step(&mut self, step: &Step) {
        if let Some(undo) = undo_span(step) {
            self.problems.push(
                Diagnostic::error(
                    codes::PIVOT_COMPENSATED,
                    undo,
                    format!("`{}` is the point of no return, and is never taken back", step.name),
                )
                .also(step.span, "the pivot step")
                .hint("remove `compensate`, or remove `pivot` here and write it where nothing may be undone any more"),
            );
        }
        if matches!(step.compensation, Compensation::Nothing) {
            self.problems.push(
                Diagnostic::error(
                    codes::PIVOT_COMPENSATED,
                    step.span,
                    format!("`{}` is the point of no return, and is never taken back", step.name),
                )
                .hint("remove `compensate nothing`"),
            );
        }
    }

    fn before(&mut self, step: &Step, span: Span) {
        if !matches!(step.compensation, Compensation::Unsaid) || step.action.is_none() {
            return;
        }
        let finding = Diagnostic::error(
            codes::COMPENSATION_UNSAID,
            step.span,
            format!("`{}` does not say how it is taken back", step.name),
        );
        let scope = if self.has_pivot {
            "Before the point of no return, and in every `try`,"
        } else {
            "In a saga without a point of no return"
        };
        let why = format!("{scope} each step may have to be undone when a later one fails.");
        let undo = step.action.as_ref().map(|action| action.participant.name.as_str()).unwrap_or_default();
        let hint =
            format!("add `compensate {undo}.… {{ … }}`, or `compensate nothing` if there is nothing to take back");
        self.problems.push(finding.also(span, "").why(why).hint(hint));
    }

    fn behind(&mut self, step: &Step, pivot: Span) {
        self.compensated_behind(step, pivot);
        let Some(action) = &step.action else { return };
        for computed in [&action.payload].into_iter().chain(&action.timing.within) {
            self.computed_behind(computed, pivot);
        }
        if action.command.fails.is_empty() {
            return;
        }
        let codes_of = action.command.fails.iter().map(|code| format!("\"{code}\"")).collect::<Vec<_>>().join(", ");
        self.problems.push(
            Diagnostic::error(
                codes::CODE_ESCAPES,
                step.span,
                format!("`{}` may refuse with {codes_of} behind the point of no return", step.name),
            )
            .also(action.command.span, "its command may refuse")
            .also(pivot, "the point of no return")
            .why("Behind it nothing is undone any more: what stands there must succeed in the end.")
            .hint(
                "move the step above the point of no return, put it into a `try` whose `catch { … }` takes everything, or let the \
                 participant answer `retry` instead of refusing",
            ),
        );
    }

    /// Nothing is taken back behind the point of no return.
    pub(super) fn compensated_behind(&mut self, step: &Step, pivot: Span) {
        if matches!(step.compensation, Compensation::Unsaid) {
            return;
        }
        let at = undo_span(step).unwrap_or(step.span);
        self.problems.push(
            Diagnostic::error(
                codes::COMPENSATED_BEHIND_PIVOT,
                at,
                format!("`{}` stands behind the point of no return, and is never taken back", step.name),
            )
            .also(pivot, "the point of no return")
            .hint("remove `compensate`: the step is repeated until it succeeds"),
        );
    }

    pub(super) fn undo_can_fail(&mut self, step: &Step) {
        let undo = match &step.compensation {
            Compensation::Call(undo) => undo,
            Compensation::Run(run) => return self.undo_run_can_fail(step, run),
            Compensation::Unsaid | Compensation::Nothing => return,
        };
        if undo.command.fails.is_empty() {
            return;
        }
        self.problems.push(
            Diagnostic::error(
                codes::COMPENSATION_CAN_FAIL,
                undo.span,
                format!("`{}.{}` may refuse, and a compensation must not", undo.participant.name, undo.command.name),
            )
            .also(undo.command.span, "it declares `fails`")
            .why("A compensation that is refused leaves the saga neither done nor undone: it is stuck until a person decides.")
            .hint("take it back with a command that cannot refuse: one that succeeds where there is nothing to take back"),
        );
    }

    fn undo_run_can_fail(&mut self, step: &Step, run: &Run) {
        if cannot_fail(&run.body) {
            return;
        }
        let title = format!("`{}` can fail, and what takes `{}` back must not", run.saga, step.name);
        let finding = Diagnostic::error(codes::COMPENSATION_CAN_FAIL, run.span, title);
        let finding = match run.body.first() {
            Some(first) if is_pivot_step(first) => {
                finding.also(first.span, "this `pivot` belongs to its step, which can still be refused")
            }
            Some(first) => finding.also(first.span, "it begins with something else than `pivot`"),
            None => finding,
        };
        self.problems.push(
            finding
                .why(
                    "A failure would leave the saga neither done nor undone. Behind a point of no return nothing fails: each \
                     step is repeated until it succeeds.",
                )
                .hint(format!("write `pivot` as the first statement of `{}`, on a line of its own", run.saga)),
        );
    }
}

/// What takes a step back, as it is written.
pub(super) fn undo_span(step: &Step) -> Option<Span> {
    match &step.compensation {
        Compensation::Call(undo) => Some(undo.span),
        Compensation::Run(run) => Some(run.span),
        Compensation::Unsaid | Compensation::Nothing => None,
    }
}
