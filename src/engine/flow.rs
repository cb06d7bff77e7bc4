//! What follows from the leaves about what stands around them: which nodes have ended, which scopes fail, and whether all
//! in them is at rest. Derived each time, so that it cannot disagree with the leaves.

use super::event::Failure;
use super::instance::{Caught, Instance, Phase, State};
use super::states::Activity;
use crate::plan::{At, Kind, NodeId, Plan, ROOT, Trial};

impl Instance {
    /// Whether a node that was entered has ended forward.
    pub(super) fn ended(&self, plan: &Plan, at: At) -> bool {
        let ended = |node: NodeId| self.ended(plan, plan.beside(at, node));
        match &plan.node(at.node()).kind {
            Kind::Scope(children) | Kind::Sequence(children) => children.last().is_none_or(|last| ended(*last)),
            Kind::Try(trial) => match self.state(at) {
                Some(State::Failing(_)) => false,
                Some(State::Caught(caught)) => ended(handler(trial, caught)),
                _ => trial.body.last().is_none_or(|last| ended(*last)),
            },
            // From the last: where branches end in their order, the first look says no.
            Kind::Parallel(children) => children.iter().rev().all(|child| ended(*child)),
            Kind::Choice { arms, otherwise } => self.chosen(at, arms, *otherwise).is_some_and(ended),
            Kind::Each(_) => {
                matches!(self.state(at), Some(State::Each(elements)) if elements.over == elements.count)
            }
            Kind::Repeat(repeat) => {
                let rounds = self.rounds(at);
                rounds.met || (rounds.over >= repeat.times && ended(repeat.otherwise))
            }
            Kind::Step(_) | Kind::Run(_) => matches!(self.state(at), Some(State::Done(_))),
            Kind::Pivot => matches!(self.state(at), Some(State::Reached)),
            Kind::Sleep(_) => matches!(self.state(at), Some(State::Woke)),
            Kind::Await(_, otherwise) => match self.state(at) {
                Some(State::Bound(_)) => true,
                Some(State::Woke) => ended(*otherwise),
                _ => false,
            },
            Kind::Let(_) => matches!(self.state(at), Some(State::Bound(_))),
            Kind::Fail { .. } => false,
        }
    }

    /// Whether everything that was begun in the scope has come to rest.
    pub(super) fn is_settled(&self, plan: &Plan, scope: At) -> bool {
        !self.states.of(Activity::Ahead).any(|(at, _)| plan.is_within(at, scope))
    }

    /// Whether anything in the scope is being taken back.
    pub(super) fn is_going_back(&self, plan: &Plan, scope: At) -> bool {
        self.states.of(Activity::Back).any(|(at, _)| plan.is_within(at, scope))
    }

    /// The scopes inside that were begun and have neither ended nor failed: they fail with the one around. In one that
    /// fails already, or was taken back, all was told when that failed.
    pub(super) fn under_way(&self, plan: &Plan, scope: At) -> Vec<At> {
        let mut found = Vec::new();
        let inside = |inner: &&NodeId| **inner != scope.node() && plan.holds(scope.node(), **inner);
        for inner in plan.tries().iter().filter(inside) {
            let Kind::Try(trial) = &plan.node(*inner).kind else { continue };
            let is_under_way = |at: &At| match self.state(*at) {
                Some(State::Failing(_) | State::Caught(_)) => false,
                _ => !self.is_shut(plan, *at) && self.has_begun(plan, *at, trial.last) && !self.ended(plan, *at),
            };
            found.extend(self.open(plan, scope, *inner).into_iter().filter(is_under_way));
        }
        found
    }

    /// Where a node of a scope may be under way: in each element and round of loops inside the scope that is.
    pub(super) fn open(&self, plan: &Plan, scope: At, node: NodeId) -> Vec<At> {
        let outside = plan.node(scope.node()).depth();
        let mut found = vec![plan.beside(scope, node)];
        for (depth, around) in plan.node(node).loops.iter().enumerate().skip(outside) {
            let mut inside = Vec::new();
            for at in found {
                let around = at.beside(around.node, depth);
                inside.extend(self.open_elements(plan, around).into_iter().map(|index| at.within(node, depth, index)));
            }
            found = inside;
        }
        found
    }

    /// The elements or rounds of a loop that have begun and not ended.
    pub(super) fn open_elements(&self, plan: &Plan, at: At) -> Vec<u16> {
        match (&plan.node(at.node()).kind, self.state(at)) {
            (Kind::Each(each), Some(State::Each(elements))) if elements.over < elements.count => {
                let begun = 1..=elements.begun(each);
                begun.filter(|index| !self.ended(plan, plan.inside(at, each.element, *index))).collect()
            }
            (Kind::Repeat(repeat), _) => {
                let rounds = self.rounds(at);
                Some(rounds.begun(repeat)).filter(|begun| *begun > rounds.over).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether anything behind a node has a state, up to `last`.
    pub(super) fn has_begun(&self, plan: &Plan, first: At, last: NodeId) -> bool {
        let depth = plan.node(first.node()).depth();
        (first.node().0 + 1..=last.0).any(|node| self.states.has_any(first.beside(NodeId(node), depth), depth))
    }

    /// Whether the scope itself fails.
    pub(super) fn failing(&self, scope: At) -> Option<&Failure> {
        match (&self.phase, scope) {
            (Phase::Failing(failure), At::ROOT) => Some(failure),
            (_, At::ROOT) => None,
            _ => match self.state(scope)? {
                State::Failing(failure) => Some(failure),
                _ => None,
            },
        }
    }

    /// The scopes inside that fail, or have failed, in reading order.
    pub(super) fn failing_within(&self, plan: &Plan, scope: At) -> Vec<At> {
        let failing = self.states.of(Activity::Failing).map(|(at, _)| at);
        let mut failing: Vec<At> = failing.filter(|at| *at != scope && plan.is_within(*at, scope)).collect();
        failing.sort_unstable();
        failing
    }

    /// The scopes that fail, or have failed, in sagas which take steps back, in reading order.
    pub(super) fn failing_on_ways_back(&self, plan: &Plan) -> Vec<At> {
        let failing = self.states.of(Activity::Failing).map(|(at, _)| at);
        let mut failing: Vec<At> = failing.filter(|at| plan.node(at.node()).flow != ROOT).collect();
        failing.sort_unstable();
        failing
    }

    /// Whether nothing starts at a node any more: a scope around it fails, or has been taken back.
    pub(super) fn is_shut(&self, plan: &Plan, at: At) -> bool {
        plan.scopes(at).any(|scope| match scope {
            At::ROOT => matches!(self.phase, Phase::Failing(_)),
            _ => matches!(self.state(scope), Some(State::Failing(_) | State::Caught(_))),
        })
    }

    /// What the innermost failing scope around a node fails with.
    pub(super) fn failing_around(&self, plan: &Plan, at: At) -> Option<&Failure> {
        plan.scopes(at).find_map(|scope| self.failing(scope))
    }

    pub(super) fn chosen<C>(&self, at: At, arms: &[(C, NodeId)], otherwise: NodeId) -> Option<NodeId> {
        let State::Chose(arm) = self.state(at)? else { return None };
        Some(arms.get(*arm as usize).map_or(otherwise, |(_, child)| *child))
    }
}

/// The sequence of the handler that took it; a number that is none was refused when it was applied.
pub(super) fn handler(trial: &Trial, caught: &Caught) -> NodeId {
    trial.catches.get(caught.handler as usize).map_or(trial.last, |(_, block)| *block)
}
