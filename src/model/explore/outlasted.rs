//! Waits that something ends before they are over, by what the text says: the deadline, or the time of a `try` around them.
//!
//! Any timer may end before another, but these cannot: a limit began no later than a wait in it and takes no longer, and of
//! what is overdue the engine takes the first, and of two of one moment the limit. `SG0503` warns of the same.

use crate::definition::Sleep;
use crate::definition::expression::Typed;
use crate::engine::{Instance, Phase, State};
use crate::plan::{At, Kind, NodeId, Plan, ROOT};

/// Of each node the limits that are over no later than its own wait; the root is the deadline.
#[derive(Debug)]
pub(super) struct Outlasted(Vec<Vec<NodeId>>);

impl Outlasted {
    pub(super) fn of(plan: &Plan) -> Self {
        Self(plan.nodes().map(|(id, _)| limits(plan, id)).collect())
    }

    /// Whether a limit comes first that is running now.
    pub(super) fn never_ends(&self, plan: &Plan, instance: &Instance, at: At) -> bool {
        let limits = self.0.get(at.node().0 as usize).map_or(&[][..], Vec::as_slice);
        limits.iter().any(|limit| match *limit {
            ROOT => instance.phase == Phase::Forward && instance.deadline_ahead(plan).is_some(),
            of_try => matches!(instance.state(plan.beside(at, of_try)), Some(State::Sleeping(_))),
        })
    }
}

fn limits(plan: &Plan, id: NodeId) -> Vec<NodeId> {
    let wait = match &plan.node(id).kind {
        Kind::Sleep(Sleep::For(time)) => time.literal_duration(),
        Kind::Await(wait, _) => wait.within.literal_duration(),
        _ => None,
    };
    let Some(wait) = wait else { return Vec::new() };
    let around = std::iter::successors(plan.node(id).parent, |around| plan.node(*around).parent);
    let tries = around.filter(|around| match &plan.node(*around).kind {
        Kind::Try(trial) => {
            // A handler is behind the time of its `try`.
            let is_in_body = trial.body.iter().any(|first| *first <= id) && id <= trial.last;
            is_in_body && trial.within.as_ref().and_then(Typed::literal_duration).is_some_and(|limit| limit <= wait)
        }
        _ => false,
    });
    let deadline = plan.saga.deadline.filter(|deadline| *deadline <= wait);
    tries.chain(deadline.map(|_| ROOT)).collect()
}
