//! What follows from the leaves about what stands around them: which nodes have ended, and what is to be taken back
//! next. Derived each time, so that it cannot disagree with the leaves.

use super::instance::{Instance, State};
use crate::plan::{Kind, NodeId, Plan};

impl Instance {
    /// Whether a node that was entered has ended forward.
    pub(super) fn ended(&self, plan: &Plan, node: NodeId) -> bool {
        match &plan.node(node).kind {
            Kind::Scope(children) | Kind::Sequence(children) => {
                children.last().is_none_or(|last| self.ended(plan, *last))
            }
            // From the last: where branches end in their order, the first look says no.
            Kind::Parallel(children) => children.iter().rev().all(|child| self.ended(plan, *child)),
            Kind::Choice { arms, otherwise } => {
                self.chosen(node, arms, *otherwise).is_some_and(|arm| self.ended(plan, arm))
            }
            Kind::Step(_) => matches!(self.state(node), Some(State::Done(_))),
            Kind::Pivot => matches!(self.state(node), Some(State::Reached)),
            Kind::Sleep(_) => matches!(self.state(node), Some(State::Woke)),
            Kind::Let(_) => matches!(self.state(node), Some(State::Bound(_))),
            Kind::Fail { .. } => false,
        }
    }

    /// Whether everything that was begun in the scope has come to rest.
    pub(super) fn is_settled(&self) -> bool {
        !self.states().any(|(_, state)| matches!(state, State::Doing(_) | State::Sleeping(_)))
    }

    /// Collects the steps under `node` that are to be taken back now, in the mirror image of what ran, and says
    /// whether nothing is left to take back.
    pub(super) fn owed(&self, plan: &Plan, node: NodeId, due: &mut Vec<NodeId>) -> Owed {
        let begun = self.states.last().is_some_and(|(last, _)| node <= *last);
        if !begun {
            return Owed::Nothing;
        }
        match &plan.node(node).kind {
            Kind::Scope(children) | Kind::Sequence(children) => {
                // From its end: what stands before waits until all behind it is taken back.
                for child in children.iter().rev() {
                    if self.owed(plan, *child, due) == Owed::Something {
                        return Owed::Something;
                    }
                }
                Owed::Nothing
            }
            Kind::Parallel(children) => children
                .iter()
                .map(|child| self.owed(plan, *child, due))
                .fold(Owed::Nothing, |all, one| if one == Owed::Something { one } else { all }),
            Kind::Choice { arms, otherwise } => match self.chosen(node, arms, *otherwise) {
                Some(arm) => self.owed(plan, arm, due),
                None => Owed::Nothing,
            },
            Kind::Step(work) => match self.state(node) {
                // Unknown counts as done: the guard finds out whether there is anything to take back.
                Some(State::Done(_) | State::Unknown) if work.compensation().is_some() => {
                    due.push(node);
                    Owed::Something
                }
                Some(State::Undoing(_) | State::Doing(_)) => Owed::Something,
                _ => Owed::Nothing,
            },
            Kind::Pivot | Kind::Sleep(_) | Kind::Let(_) | Kind::Fail { .. } => Owed::Nothing,
        }
    }

    fn chosen<C>(&self, node: NodeId, arms: &[(C, NodeId)], otherwise: NodeId) -> Option<NodeId> {
        let State::Chose(arm) = self.state(node)? else { return None };
        Some(arms.get(*arm as usize).map_or(otherwise, |(_, child)| *child))
    }
}

/// Whether something is left to take back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    /// Nothing.
    Nothing,
    /// At least one compensation is due, under way or stuck.
    Something,
}
