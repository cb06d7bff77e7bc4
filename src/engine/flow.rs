//! What follows from the leaves about what stands around them: which nodes have ended, and what is to be taken back
//! next. Derived each time, so that it cannot disagree with the leaves.

use super::event::Failure;
use super::instance::{Caught, Instance, Phase, State};
use crate::plan::{Kind, NodeId, Plan, ROOT, Trial};

impl Instance {
    /// Whether a node that was entered has ended forward.
    pub(super) fn ended(&self, plan: &Plan, node: NodeId) -> bool {
        match &plan.node(node).kind {
            Kind::Scope(children) | Kind::Sequence(children) => {
                children.last().is_none_or(|last| self.ended(plan, *last))
            }
            Kind::Try(trial) => match self.state(node) {
                Some(State::Failing(_)) => false,
                Some(State::Caught(caught)) => self.ended(plan, handler(trial, caught)),
                _ => trial.body.last().is_none_or(|last| self.ended(plan, *last)),
            },
            // From the last: where branches end in their order, the first look says no.
            Kind::Parallel(children) => children.iter().rev().all(|child| self.ended(plan, *child)),
            Kind::Choice { arms, otherwise } => {
                self.chosen(node, arms, *otherwise).is_some_and(|arm| self.ended(plan, arm))
            }
            Kind::Step(_) | Kind::Run(_) => matches!(self.state(node), Some(State::Done(_))),
            Kind::Pivot => matches!(self.state(node), Some(State::Reached)),
            Kind::Sleep(_) => matches!(self.state(node), Some(State::Woke)),
            Kind::Await(_, otherwise) => match self.state(node) {
                Some(State::Bound(_)) => true,
                Some(State::Woke) => self.ended(plan, *otherwise),
                _ => false,
            },
            Kind::Let(_) => matches!(self.state(node), Some(State::Bound(_))),
            Kind::Fail { .. } => false,
        }
    }

    /// Whether everything that was begun in the scope has come to rest.
    pub(super) fn is_settled(&self, plan: &Plan, scope: NodeId) -> bool {
        !self
            .states()
            .any(|(node, state)| matches!(state, State::Doing(_) | State::Sleeping(_)) && plan.is_within(node, scope))
    }

    /// The scopes inside that were begun and have neither ended nor failed: they fail with the one around. In one that
    /// fails already, or was taken back, all was told when that failed.
    pub(super) fn under_way(&self, plan: &Plan, scope: NodeId) -> Vec<NodeId> {
        let is_under_way = |inner: &NodeId| match self.state(*inner) {
            Some(State::Failing(_) | State::Caught(_)) => false,
            _ => !self.is_shut(plan, *inner) && self.has_begun(plan, *inner) && !self.ended(plan, *inner),
        };
        plan.tries_within(scope).iter().copied().filter(is_under_way).collect()
    }

    /// Whether anything in an inner scope has a state.
    fn has_begun(&self, plan: &Plan, scope: NodeId) -> bool {
        let behind = self.states.partition_point(|(node, _)| *node <= scope);
        self.states.get(behind).is_some_and(|(node, _)| plan.is_within(*node, scope))
    }

    /// Collects the steps under `node` that are to be taken back now, in the mirror image of what ran, and says
    /// whether nothing is left to take back.
    pub(super) fn owed(&self, plan: &Plan, node: NodeId, due: &mut Vec<NodeId>) -> Owed {
        let begun = self.states.last().is_some_and(|(last, _)| node <= *last);
        if !begun {
            return Owed::Nothing;
        }
        match &plan.node(node).kind {
            Kind::Scope(children) | Kind::Sequence(children) => self.owed_from_the_end(plan, children, due),
            Kind::Try(trial) => match self.state(node) {
                Some(State::Caught(caught)) => self.owed(plan, handler(trial, caught), due),
                _ => self.owed_from_the_end(plan, &trial.body, due),
            },
            Kind::Run(run) => match self.state(node) {
                None => self.owed_from_the_end(plan, &run.children, due),
                Some(State::Done(_) | State::Unknown) if run.own_pivot => match run.work.compensation() {
                    Some(_) => owed_itself(node, due),
                    None => Owed::Nothing,
                },
                // Unwound, it has no value any more.
                Some(State::Done(_)) => match self.owed_from_the_end(plan, &run.children, due) {
                    Owed::Something => Owed::Something,
                    Owed::Nothing => owed_itself(node, due),
                },
                Some(State::Undoing(_)) => Owed::Something,
                Some(_) => Owed::Nothing,
            },
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
                Some(State::Done(_) | State::Unknown) if work.compensation().is_some() => owed_itself(node, due),
                Some(State::Undoing(_) | State::Doing(_)) => Owed::Something,
                _ => Owed::Nothing,
            },
            Kind::Await(_, otherwise) => match self.state(node) {
                Some(State::Woke) => self.owed(plan, *otherwise, due),
                _ => Owed::Nothing,
            },
            Kind::Pivot | Kind::Sleep(_) | Kind::Let(_) | Kind::Fail { .. } => Owed::Nothing,
        }
    }

    /// What stands before waits until all behind it is taken back.
    fn owed_from_the_end(&self, plan: &Plan, children: &[NodeId], due: &mut Vec<NodeId>) -> Owed {
        let something = children.iter().rev().any(|child| self.owed(plan, *child, due) == Owed::Something);
        if something { Owed::Something } else { Owed::Nothing }
    }

    /// Whether the scope itself fails.
    pub(super) fn failing(&self, scope: NodeId) -> Option<&Failure> {
        match (&self.phase, scope) {
            (Phase::Failing(failure), ROOT) => Some(failure),
            (_, ROOT) => None,
            _ => match self.state(scope)? {
                State::Failing(failure) => Some(failure),
                _ => None,
            },
        }
    }

    /// Whether nothing starts at a node any more: a scope around it fails, or has been taken back.
    pub(super) fn is_shut(&self, plan: &Plan, node: NodeId) -> bool {
        let mut scope = plan.node(node).scope;
        while scope != ROOT {
            if matches!(self.state(scope), Some(State::Failing(_) | State::Caught(_))) {
                return true;
            }
            scope = plan.node(scope).scope;
        }
        self.failing(ROOT).is_some()
    }

    /// What the innermost failing scope around a node fails with.
    pub(super) fn failing_around(&self, plan: &Plan, node: NodeId) -> Option<&Failure> {
        let mut scope = plan.node(node).scope;
        loop {
            if let Some(failure) = self.failing(scope) {
                return Some(failure);
            }
            if scope == ROOT {
                return None;
            }
            scope = plan.node(scope).scope;
        }
    }

    fn chosen<C>(&self, node: NodeId, arms: &[(C, NodeId)], otherwise: NodeId) -> Option<NodeId> {
        let State::Chose(arm) = self.state(node)? else { return None };
        Some(arms.get(*arm as usize).map_or(otherwise, |(_, child)| *child))
    }
}

/// The sequence of the handler that took it; a number that is none was refused when it was applied.
fn handler(trial: &Trial, caught: &Caught) -> NodeId {
    trial.catches.get(caught.handler as usize).map_or(trial.last, |(_, block)| *block)
}

fn owed_itself(node: NodeId, due: &mut Vec<NodeId>) -> Owed {
    due.push(node);
    Owed::Something
}

/// Whether something is left to take back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    /// Nothing.
    Nothing,
    /// At least one compensation is due, under way or stuck.
    Something,
}
