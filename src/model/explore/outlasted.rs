//! What something ends before it is over, by what the text says: waits, and the pauses between the attempts of a step, which the
//! deadline, the time of a `try` around them or that of all attempts ends.
//!
//! Any timer may end before another, but these cannot: a limit began no later than a wait in it and takes no longer, and of
//! what is overdue the engine takes the first, and of two of one moment the limit. `SG0502` and `SG0503` warn of the same.

use std::time::Duration;

use crate::definition::expression::Typed;
use crate::definition::{Sleep, Timing};
use crate::engine::{Attempt, Direction, Instance, Phase, State, invocation, last_attempt};
use crate::plan::{At, Class, Kind, NodeId, Plan, ROOT, Work};

/// What ends of a node before it is over.
#[derive(Debug, Default)]
struct OfNode {
    /// The limits that are over no later than its wait, or than the pauses between its attempts; the root is the deadline.
    limits: Vec<NodeId>,
    /// Whether the time of all attempts is, of its action and of its compensation.
    own: [bool; 2],
}

/// Of each node what ends before it is over.
#[derive(Debug)]
pub(super) struct Outlasted(Vec<OfNode>);

impl Outlasted {
    pub(super) fn of(plan: &Plan) -> Self {
        Self(plan.nodes().map(|(id, _)| of_node(plan, id)).collect())
    }

    /// Whether a limit comes first that is running now.
    pub(super) fn never_ends(&self, plan: &Plan, instance: &Instance, at: At) -> bool {
        let limits = self.0.get(at.node().0 as usize).map_or(&[][..], |of| of.limits.as_slice());
        limits.iter().any(|limit| match *limit {
            ROOT => instance.phase == Phase::Forward && instance.deadline_ahead(plan).is_some(),
            of_try => matches!(instance.state(plan.beside(at, of_try)), Some(State::Sleeping(_))),
        })
    }

    /// Whether the last attempt that the retries allow never comes, since the pauses before it take longer than a limit.
    pub(super) fn never_last(&self, plan: &Plan, instance: &Instance, (at, direction): (At, Direction)) -> bool {
        let own = self.0.get(at.node().0 as usize).map_or([false; 2], |of| of.own);
        match direction {
            Direction::Do => own[0] || self.never_ends(plan, instance, at),
            Direction::Undo => own[1],
        }
    }
}

/// Whether the attempt behind this one is the last that the retries allow.
pub(super) fn is_last_but_one(work: &Work, direction: Direction, attempt: &Attempt) -> bool {
    let number = attempt.number.saturating_sub(attempt.before_order());
    last_attempt(work, direction).is_some_and(|last| number.saturating_add(1) >= last)
}

fn of_node(plan: &Plan, id: NodeId) -> OfNode {
    let wait = match &plan.node(id).kind {
        Kind::Sleep(Sleep::For(time)) => time.literal_duration(),
        Kind::Await(wait, _) => wait.within.literal_duration(),
        _ => None,
    };
    if let Some(wait) = wait {
        return OfNode { limits: limits(plan, id, wait), ..OfNode::default() };
    }
    let Some(work) = plan.work(id) else { return OfNode::default() };
    let timing = |direction| invocation(work, direction).map(|invocation| &invocation.timing);
    let pauses = |timing: &Timing| (timing.retry.times > 0).then(|| timing.retry.pauses());
    let is_over = |timing: &Timing| {
        let within = timing.within.as_ref().and_then(Typed::literal_duration);
        within.zip(pauses(timing)).is_some_and(|(within, pauses)| within <= pauses)
    };
    // A pivot goes on past every limit.
    let action = timing(Direction::Do).filter(|_| work.class != Class::Pivot);
    OfNode {
        limits: action.and_then(pauses).map(|pauses| limits(plan, id, pauses)).unwrap_or_default(),
        own: [action.is_some_and(is_over), timing(Direction::Undo).is_some_and(is_over)],
    }
}

/// The limits around a node that are over no later than what it waits for.
fn limits(plan: &Plan, id: NodeId, wait: Duration) -> Vec<NodeId> {
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
