//! With what each place comes to wait for a person: a shortest way shows one of them.

use std::collections::{BTreeMap, BTreeSet};

use super::happening::Move;
use super::state::World;
use super::{Ending, Happening, Setting};
use crate::engine::{Attempt, Direction, State, Wait, is_stuck};

/// The kinds of what happened at a place when it began to wait.
#[derive(Debug, Default)]
pub(super) struct Stuck(BTreeMap<Ending, BTreeSet<Happening>>);

impl Stuck {
    /// Takes a step in.
    pub(super) fn see(&mut self, setting: &Setting<'_>, before: &World, by: Move, next: &World) {
        let (Some(happening), Some(slot)) = (Happening::of(by), by.slot()) else { return };
        let Some((at, was)) = before.instance.states().nth(usize::from(slot)) else { return };
        let Some(state) = next.instance.state(at) else { return };
        let is_paused = |state: &State| matches!(state.attempt(), Some((_, Attempt { wait: Wait::Pause(_), .. })));
        // A pivot step is called beyond its retries once their last pause is over: by what its last attempt came to.
        let is_beyond = by.is_of_last_attempt() && is_paused(state);
        let is_newly_stuck = is_stuck(state) && !is_stuck(was) && !is_paused(was);
        if !is_beyond && !is_newly_stuck {
            return;
        }
        let direction = state.attempt().map_or(Direction::Do, |(direction, _)| direction);
        let ending = Ending::Stuck(setting.plan.node(at.node()).place.clone(), direction);
        self.0.entry(ending).or_default().insert(happening);
    }

    /// Of a place, and of its twins: what was looked at for one is true of the others.
    pub(super) fn by(&self, setting: &Setting<'_>, ending: &Ending) -> BTreeSet<Happening> {
        let Ending::Stuck(place, direction) = ending else { return BTreeSet::new() };
        let own = setting.plan.named(place);
        let twins = own.into_iter().flat_map(|node| {
            let others = setting.twins.others(node).into_iter().map(move |swap| swap.node(node));
            others.map(|node| Ending::Stuck(setting.plan.node(node).place.clone(), *direction))
        });
        let all = twins.chain([ending.clone()]);
        all.filter_map(|ending| self.0.get(&ending)).flatten().copied().collect()
    }
}
