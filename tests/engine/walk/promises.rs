//! What a walk must hold to, after every record and at its end.
//!
//! The explorer looks for much of this in single states and steps (`src/model/explore/properties.rs`). Here it stands once
//! more, on purpose, said of whole journals and of what participants have done, with nothing of that file: what would be
//! wrong in one is found by the other.

use std::collections::BTreeSet;

use saga::engine::{self, Decision, Direction, Event, Input, Phase, Place, State};
use saga::plan::{At, Class, Kind};

use super::Walk;

impl Walk {
    /// The mirror image: what the flow ends before it enters another is taken back only when that is taken back.
    pub(super) fn check_order(&self) {
        let mut begun = BTreeSet::new();
        let mut undone = BTreeSet::new();
        let mut ended = BTreeSet::new();
        let mut committed = false;
        let mut past = BTreeSet::new();
        let find = |place: &Place| self.plan.find(place).unwrap();
        for event in &self.events {
            if let Event::Reached { at } | Event::Succeeded { at, work: Direction::Do, .. } = event {
                past.extend(self.own(find(at)));
            }
            match event {
                Event::Called { at, work: Direction::Do, attempt: 1, .. }
                | Event::Sent { at, work: Direction::Do, attempt: 1 } => {
                    assert!(begun.insert(find(at)), "a step is begun once: {at}");
                    for node in begun.iter().filter(|node| self.is_of_one_flow(**node, find(at))) {
                        if self.precedes(*node, find(at)) {
                            let tried = self.tries(*node).any(|scope| !self.plan.is_within(find(at), scope));
                            assert!(ended.contains(node) || tried, "{at} is begun when all before it is done");
                        }
                    }
                }
                Event::Called { at, work: Direction::Undo, attempt, .. }
                | Event::Sent { at, work: Direction::Undo, attempt } => {
                    let mut around = self.plan.runs_around(find(at));
                    assert!(!around.any(|run| past.contains(&run)), "a sub-saga behind its own is taken back whole");
                    let tried = self.tries(find(at)).next().is_some();
                    assert!(!committed || tried, "nothing is taken back behind the point of no return");
                    if *attempt == 1 {
                        assert!(undone.insert((find(at), false)), "a compensation is never started twice: {at}");
                    }
                    self.check_mirror(find(at), &begun, &undone);
                }
                // By a saga.
                Event::Turned { at } if self.plan.work(find(at).node()).is_some() => {
                    assert!(undone.insert((find(at), false)), "a compensation is never started twice: {at}");
                    self.check_mirror(find(at), &begun, &undone);
                }
                Event::Succeeded { at, work: Direction::Do, .. } => {
                    let node = find(at);
                    ended.insert(node);
                    committed |= self.plan.work(node.node()).unwrap().class == Class::Pivot;
                }
                Event::Succeeded { at, work: Direction::Undo, .. } => {
                    undone.insert((find(at), true));
                }
                Event::Reached { at } => committed |= self.own(find(at)).is_none(),
                Event::Completed { .. } => {
                    let tried = undone.iter().all(|(node, _)| self.tries(*node).next().is_some());
                    assert!(tried, "completed: nothing taken back but what a `try` did");
                }
                Event::Failed { scope, .. } => {
                    assert!(!committed || scope != "saga", "nothing fails behind the point of no return");
                }
                Event::Caught { at, .. } => {
                    let inside = begun.iter().filter(|node| self.plan.is_within(**node, find(at)));
                    for node in inside.filter(|node| self.owes(**node)) {
                        assert!(undone.contains(&(*node, true)), "{at} is taken back before its handler runs");
                    }
                }
                _ => {}
            }
        }
    }

    /// What followed a step that is being taken back was taken back before it. What takes steps back is not taken back
    /// itself: it ends before the step is.
    fn check_mirror(&self, at: At, begun: &BTreeSet<At>, undone: &BTreeSet<(At, bool)>) {
        for node in begun.iter().filter(|node| self.is_of_one_flow(**node, at)) {
            if self.precedes(at, *node) && self.owes(*node) {
                let place = self.plan.place(at);
                assert!(undone.contains(&(*node, true)), "{place} is taken back behind what followed it");
            }
        }
    }

    /// Whether the step had something to take back.
    fn owes(&self, node: At) -> bool {
        let refused = |event: &Event| matches!(event, Event::Refused { at, .. } if self.plan.find(at) == Some(node));
        let whole = self.plan.runs_around(node).any(|run| self.is_past_its_pivot(run));
        self.plan.work(node.node()).unwrap().has_compensation() && !self.events.iter().any(refused) && !whole
    }

    /// Whether a point of no return was passed that is a sub-saga's own.
    fn is_past_its_pivot(&self, run: At) -> bool {
        self.events.iter().any(|event| match event {
            Event::Reached { at } | Event::Succeeded { at, work: Direction::Do, .. } => {
                self.own(self.plan.find(at).unwrap()) == Some(run)
            }
            _ => false,
        })
    }

    /// The sub-saga whose own point of no return something is.
    fn own(&self, pivot: At) -> Option<At> {
        self.plan.sub_saga_of_pivot(pivot.node()).map(|run| self.plan.beside(pivot, run))
    }

    /// The inner scopes around a node.
    fn tries(&self, node: At) -> impl Iterator<Item = At> {
        let scopes = std::iter::successors(Some(self.plan.scope(node)), |scope| Some(self.plan.scope(*scope)));
        let inner = scopes.take_while(|scope| *scope != At::ROOT);
        inner.filter(|scope| !self.plan.is_way_back(scope.node()))
    }

    /// What takes a step of one round back is another flow than what takes back that of the next, which comes before it.
    fn is_of_one_flow(&self, one: At, other: At) -> bool {
        let flow = |at: At| self.plan.beside(at, self.plan.node(at.node()).flow);
        flow(one) == flow(other)
    }

    fn is_of_way_back(&self, node: At) -> bool {
        self.plan.is_way_back(self.plan.node(node.node()).flow)
    }

    fn precedes(&self, one: At, other: At) -> bool {
        let path = |node: At| {
            let mut path: Vec<At> = std::iter::successors(Some(node), |node| self.plan.parent(*node)).collect();
            path.reverse();
            path
        };
        let (one, other) = (path(one), path(other));
        let Some(fork) = one.iter().zip(&other).position(|(one, other)| one != other) else { return false };
        let in_order = match &self.plan.node(one[fork - 1].node()).kind {
            Kind::Scope(_) | Kind::Sequence(_) | Kind::Run(_) | Kind::Repeat(_) => true,
            Kind::Each(each) => each.window == 1,
            Kind::Try(trial) => other[fork].node() <= trial.last,
            _ => false,
        };
        in_order && one[fork] < other[fork]
    }

    pub(crate) fn check_end(&mut self) {
        self.check_order();
        let ends = self.events.iter().filter(|event| matches!(event, Event::Completed { .. } | Event::Compensated));
        assert_eq!(ends.count(), 1, "one outcome");
        assert!(self.instance.next_due(&self.plan).is_none());
        assert!(engine::pending(&self.plan, &self.instance).is_empty());
        for (node, state) in self.instance.states() {
            let place = &self.plan.place(node);
            let owes = self.plan.work(node.node()).is_some() && self.owes(node);
            match (&self.instance.phase, state) {
                (Phase::Completed(_), state) => {
                    let tried = self.tries(node).next().is_some();
                    let ended = !matches!(state, State::Undone | State::Unknown | State::Refused(_));
                    assert!(tried || ended, "{place}: {state:?}");
                }
                // What took a step back is done.
                (Phase::Compensated(_), State::Done(_) | State::Unknown) if self.is_of_way_back(node) => {}
                (Phase::Compensated(_), State::Done(_) | State::Unknown) => assert!(!owes, "{place} is taken back"),
                (Phase::Compensated(_), state) => {
                    let is_open = matches!(state, State::Doing(_) | State::Undoing(_) | State::Turned);
                    assert!(!is_open, "{place}: {state:?}");
                }
                (phase, _) => panic!("not an end: {phase:?}"),
            }
        }
        // Late and repeated messages change nothing any more.
        for reply in std::mem::take(&mut self.replies) {
            let decision = self.would_decide(&Input::Reply(reply));
            assert_eq!(decision, Decision::Nothing);
        }
    }
}
