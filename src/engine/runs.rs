//! Sub-sagas: where one ends, and what becomes of one that has a point of no return of its own.
//!
//! Its statements are statements like all others. Before its own point of no return it is taken back step by step;
//! behind it as a whole, by the compensation of the step that runs it.

use super::draft::Draft;
use super::event::Event;
use super::id::Direction;
use super::instance::{Instance, State};
use crate::plan::{At, NodeId, Plan, SubSaga};

impl Draft<'_> {
    /// The flow comes to the end of a sub-saga: its output is the step's value.
    pub(super) fn end_run(&mut self, at: At, run: &SubSaga) {
        match self.json(at, &run.output) {
            Ok(output) => {
                self.emit(Event::Succeeded { at: self.place(at), work: Direction::Do, reply: Some(output) });
                self.leave(at);
            }
            Err(invalid) => self.cannot_compute(at, &invalid),
        }
    }

    /// In a scope that fails, a sub-saga under way behind its own point of no return is neither done nor undone: it is
    /// taken back as a whole, by what takes back an unknown outcome.
    pub(super) fn lose_runs(&mut self, scope: At) {
        let plan = self.plan;
        // Behind the first look nothing goes forward any more.
        if self.instance.is_going_back(plan, scope) {
            return;
        }
        let held = |run: &NodeId| plan.has_own_pivot(*run) && plan.holds(scope.node(), *run);
        for run in plan.runs().iter().copied().filter(held) {
            for at in self.instance.open(plan, scope, run) {
                let is_under_way = self.instance.state(at).is_none() && self.instance.has_passed_own_pivot(plan, at);
                let is_part = plan.runs_around(at).any(|run| matches!(self.instance.state(run), Some(State::Unknown)));
                if is_under_way && !is_part {
                    self.emit(Event::Lost { at: self.place(at) });
                }
            }
        }
    }
}

impl Instance {
    /// Whether a sub-saga is behind a point of no return that is its own.
    pub(super) fn has_passed_own_pivot(&self, plan: &Plan, run: At) -> bool {
        let passed = |pivot| matches!(self.state(plan.beside(run, pivot)), Some(State::Reached | State::Done(_)));
        plan.pivots_of(run.node()).any(passed)
    }

    /// Whether a node of a scope stands in a sub-saga of that scope which is behind its own point of no return.
    pub(super) fn is_past_own_pivot(&self, plan: &Plan, at: At, scope: At) -> bool {
        let mut around = plan.runs_around(at).filter(|run| plan.scope(*run) == scope);
        around.any(|run| self.state(run).is_none() && self.has_passed_own_pivot(plan, run))
    }
}
