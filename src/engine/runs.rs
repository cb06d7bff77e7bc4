//! Sub-sagas: where one ends, and what becomes of one that has a point of no return of its own.
//!
//! Its statements are statements like all others. Before its own point of no return it is taken back step by step;
//! behind it as a whole, by the compensation of the step that runs it.

use super::draft::Draft;
use super::event::Event;
use super::id::Direction;
use super::instance::{Instance, State};
use crate::plan::{Kind, NodeId, Plan, SubSaga};

impl Draft<'_> {
    /// The flow comes to the end of a sub-saga: its output is the step's value.
    pub(super) fn end_run(&mut self, node: NodeId, run: &SubSaga) {
        match self.json(node, &run.output) {
            Ok(output) => {
                self.emit(Event::Succeeded { at: self.place(node), work: Direction::Do, reply: Some(output) });
                self.leave(node);
            }
            Err(invalid) => self.cannot_compute(node, &invalid),
        }
    }

    /// In a scope that fails, a sub-saga under way behind its own point of no return is neither done nor undone: it is
    /// taken back as a whole, by what takes back an unknown outcome.
    pub(super) fn lose_runs(&mut self, scope: NodeId) {
        let plan = self.plan;
        for node in plan.runs().iter().copied().filter(|node| plan.is_within(*node, scope)) {
            let is_under_way = self.instance.state(node).is_none() && self.instance.has_passed_own_pivot(plan, node);
            let is_part = plan.around(node).any(|run| matches!(self.instance.state(run), Some(State::Unknown)));
            if is_under_way && !is_part {
                self.emit(Event::Lost { at: self.place(node) });
            }
        }
    }
}

impl Instance {
    /// Whether a sub-saga is behind a point of no return that is its own.
    pub(super) fn has_passed_own_pivot(&self, plan: &Plan, run: NodeId) -> bool {
        let Kind::Run(sub_saga) = &plan.node(run).kind else { return false };
        let inside = |node: &NodeId| *node > run && *node <= sub_saga.last;
        sub_saga.own_pivot
            && self.states().filter(|(node, _)| inside(node)).any(|(node, state)| {
                matches!(state, State::Reached | State::Done(_)) && plan.sub_saga_of_pivot(node) == Some(run)
            })
    }

    /// Whether a node of a scope stands in a sub-saga of that scope which is behind its own point of no return.
    pub(super) fn is_past_own_pivot(&self, plan: &Plan, node: NodeId, scope: NodeId) -> bool {
        let mut around = plan.around(node).filter(|run| plan.node(*run).scope == scope);
        around.any(|run| self.state(run).is_none() && self.has_passed_own_pivot(plan, run))
    }
}
