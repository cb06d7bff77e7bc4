//! Which expressions could not be computed: arithmetic that no data that was tried makes too large hides what comes of that.

use std::collections::BTreeSet;

use super::constants::Constants;
use super::ranges;
use crate::definition::Sleep;
use crate::definition::expression::Typed;
use crate::engine::{Direction, Event};
use crate::plan::{Kind, NodeId, Plan, ROOT};
use crate::source::Span;

/// The code of what fails since it cannot be computed.
pub(super) const INVALID: &str = "invalid";

/// What is computed at the nodes of a plan, and what came of it.
pub(super) struct Computed<'p> {
    /// The arithmetic at each node that may be too large, there and back.
    by_node: Vec<[Vec<&'p Typed>; 2]>,
    /// Where it was computed, and where it could not be.
    seen: BTreeSet<(NodeId, bool, bool)>,
}

impl<'p> Computed<'p> {
    pub(super) fn of(plan: &'p Plan) -> Self {
        Self { by_node: plan.nodes().map(|(id, _)| arithmetic_at(plan, id)).collect(), seen: BTreeSet::new() }
    }

    /// What an event says of a node.
    pub(super) fn see(&mut self, node: NodeId, event: &Event) {
        if self.by_node.get(node.0 as usize).is_none_or(|both| both.iter().all(Vec::is_empty)) {
            return;
        }
        let (is_back, is_computed) = match event {
            Event::Called { work, .. } | Event::Sent { work, .. } | Event::Succeeded { work, .. } => {
                (*work == Direction::Undo, true)
            }
            Event::Stuck { work, .. } => (*work == Direction::Undo, false),
            Event::Failed { .. } => (false, false),
            // A signal that was there already: nobody waits, and the time of the wait is not computed.
            Event::Took { .. } => return,
            _ => (false, true),
        };
        self.seen.insert((node, is_back, is_computed));
    }

    /// What could always be computed at a node, if the flow came there; `alike` are all nodes of which the same is true.
    pub(super) fn untried(&self, id: NodeId, alike: &[NodeId]) -> impl Iterator<Item = Span> {
        let both = self.by_node.get(id.0 as usize).map(<[_; 2]>::as_slice).unwrap_or_default();
        let was = |is_back, is_computed| alike.iter().any(|id| self.seen.contains(&(*id, is_back, is_computed)));
        let missed =
            both.iter().zip([false, true]).filter(move |(_, is_back)| was(*is_back, true) && !was(*is_back, false));
        missed.filter_map(|(all, _)| all.first().map(|typed| typed.span)).collect::<Vec<_>>().into_iter()
    }
}

fn arithmetic_at(plan: &Plan, id: NodeId) -> [Vec<&Typed>; 2] {
    let mut there: Vec<&Typed> = Vec::new();
    match &plan.node(id).kind {
        Kind::Choice { arms, .. } => there.extend(arms.iter().map(|(condition, _)| condition)),
        Kind::Repeat(repeat) => there.push(&repeat.until),
        Kind::Let(value) => there.push(value),
        Kind::Each(each) => there.extend(each.filter.iter().chain([&each.list])),
        Kind::Sleep(Sleep::For(time) | Sleep::Until(time)) => there.push(time),
        Kind::Await(wait, _) => there.push(&wait.within),
        Kind::Try(trial) => there.extend(&trial.within),
        Kind::Run(run) => there.push(&run.output),
        Kind::Scope(_) if id == ROOT => there.extend(&plan.saga.output),
        _ => {}
    }
    let work = plan.work(id);
    if let Some(action) = work.and_then(|work| work.action()) {
        there.extend([&action.payload].into_iter().chain(&action.timing.within));
    }
    let back = work.and_then(|work| work.compensation());
    let back: Vec<&Typed> =
        back.into_iter().flat_map(|back| [&back.payload].into_iter().chain(&back.timing.within)).collect();
    let constants = Constants { plan, node: id };
    let may_overflow = |typed: &&Typed| {
        typed.overflow.is_some() && !constants.says(&typed.expr) && ranges::may_overflow(&constants, &typed.expr)
    };
    [there, back].map(|all| all.into_iter().filter(may_overflow).collect())
}
