//! With what each place comes to wait for a person: a shortest way shows one of them.

use std::collections::{BTreeMap, BTreeSet};

use super::computed::INVALID;
use super::happening::Move;
use super::state::World;
use super::{Ending, Happening, Setting};
use crate::engine::{Attempt, Change, Direction, Event, State, Wait, is_stuck};
use crate::model::world::without_indices;

/// What a place comes to wait for a person with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StuckBy {
    /// A participant refuses.
    Refused,
    /// It says `retry` to the last attempt.
    Retry,
    /// It says what does not fit.
    Unfit,
    /// To the query behind the last attempt it says that it has never heard of the command.
    Unknown,
    /// It says nothing to the last attempt.
    Silent,
    /// The time of all attempts is over.
    Overdue,
    /// The log refuses the command.
    Undeliverable,
    /// A value cannot be computed.
    Invalid,
}

impl StuckBy {
    const fn of(happening: Happening) -> Option<Self> {
        match happening {
            Happening::Refused => Some(Self::Refused),
            Happening::Retry => Some(Self::Retry),
            Happening::Unfit => Some(Self::Unfit),
            Happening::Unknown => Some(Self::Unknown),
            Happening::Time => Some(Self::Silent),
            Happening::Within => Some(Self::Overdue),
            Happening::Undeliverable => Some(Self::Undeliverable),
            _ => None,
        }
    }

    /// For programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Retry => "retry",
            Self::Unfit => "unfit",
            Self::Unknown => "unknown",
            Self::Silent => "silent",
            Self::Overdue => "overdue",
            Self::Undeliverable => "undeliverable",
            Self::Invalid => "invalid",
        }
    }

    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Refused => "a refusal",
            Self::Retry => "`retry` to the last attempt",
            Self::Unfit => "an answer to the last attempt that does not fit",
            Self::Unknown => "`unknown-command` to the query behind the last attempt",
            Self::Silent => "no answer to the last attempt",
            Self::Overdue => "no answer within the time of all attempts",
            Self::Undeliverable => "a command that the log refuses for good",
            Self::Invalid => "a value that cannot be computed",
        }
    }
}

/// What was seen of it.
#[derive(Debug, Default)]
pub(super) struct Stuck {
    all: BTreeMap<Ending, BTreeSet<StuckBy>>,
    /// On a shortest way.
    first: BTreeMap<Ending, StuckBy>,
}

impl Stuck {
    /// Takes a step in.
    pub(super) fn see(&mut self, setting: &Setting<'_>, before: &World, by: Move, (change, next): (&Change, &World)) {
        if let Some((ending, by)) = of_step(setting, before, by, next) {
            self.note(ending, by);
        }
        for event in &change.events {
            if let Event::Stuck { at, work, code, .. } = event
                && code == INVALID
            {
                self.note(Ending::Stuck(without_indices(at).into(), *work), StuckBy::Invalid);
            }
        }
    }

    /// Breadth first, the first one is on a shortest way.
    fn note(&mut self, ending: Ending, by: StuckBy) {
        self.first.entry(ending.clone()).or_insert(by);
        self.all.entry(ending).or_default().insert(by);
    }

    /// Of a place, or of the twin on whose way it is shown: with what on a shortest way.
    pub(super) fn first(&self, ending: &Ending) -> Option<StuckBy> {
        self.first.get(ending).copied()
    }

    /// Of a place, and of its twins: what was looked at for one is true of the others.
    pub(super) fn by(&self, setting: &Setting<'_>, ending: &Ending) -> BTreeSet<StuckBy> {
        let Ending::Stuck(place, direction) = ending else { return BTreeSet::new() };
        let own = setting.plan.named(place);
        let twins = own.into_iter().flat_map(|node| {
            let others = setting.twins.others(node).into_iter().map(move |swap| swap.node(node));
            others.map(|node| Ending::Stuck(setting.plan.node(node).place.clone(), *direction))
        });
        let all = twins.chain([ending.clone()]);
        all.filter_map(|ending| self.all.get(&ending)).flatten().copied().collect()
    }
}

/// What happens at a place with which that comes to wait.
fn of_step(setting: &Setting<'_>, before: &World, by: Move, next: &World) -> Option<(Ending, StuckBy)> {
    let stuck_by = StuckBy::of(Happening::of(by)?)?;
    let (at, was) = before.instance.states().nth(usize::from(by.slot()?))?;
    let state = next.instance.state(at)?;
    let is_paused = |state: &State| matches!(state.attempt(), Some((_, Attempt { wait: Wait::Pause(_), .. })));
    // A pivot step is called beyond its retries once their last pause is over: by what its last attempt came to.
    let is_beyond = by.is_of_last_attempt() && is_paused(state);
    let is_newly_stuck = is_stuck(state) && !is_stuck(was) && !is_paused(was);
    let direction_of = |state: &State| state.attempt().map(|(direction, _)| direction);
    // What becomes of an attempt is no reason why what takes it back cannot be called.
    if direction_of(state) != direction_of(was) {
        return None;
    }
    let direction = direction_of(state).unwrap_or(Direction::Do);
    let ending = Ending::Stuck(setting.plan.node(at.node()).place.clone(), direction);
    (is_beyond || is_newly_stuck).then_some((ending, stuck_by))
}
