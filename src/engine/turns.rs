//! Turns: who is asked when, of those who wait for a participant that takes `at most …`.
//!
//! ```text
//!   takes: may this attempt go out now?     next: whose turn is it?     note: where does this attempt stand?
//! ```
//!
//! Everything in here follows from the states of instances, so nothing of it is stored: [`Turns::begin`] and a note of
//! each step rebuild it. An attempt is under way from its call until its answer is no longer waited for: through a query,
//! and through the wait behind `pending`. Whoever came first goes first, of each topic of commands; where several
//! definitions say different limits of one topic, the strictest counts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use compact_str::CompactString;

use super::attempts::{invocation, invocation_at};
use super::event::{Change, Event, Place};
use super::id::InstanceId;
use super::instance::{Instance, Wait};
use crate::definition::{Limit, Participant, Per};
use crate::plan::{At, Plan};
use crate::time::Timestamp;

/// Turns at all participants, as far as one share of their limits goes.
#[derive(Clone, Debug)]
pub struct Turns {
    share: Share,
    /// Partitions that draw on the share. Nobody is given a turn before each has begun: until then it is not known what
    /// is under way.
    partitions: u32,
    begun: BTreeSet<u32>,
    /// What was called before this is not known, if it is set.
    known_since: Option<Timestamp>,
    /// By the definitions by which new instances run.
    current: BTreeMap<CompactString, Bounds>,
    topics: BTreeMap<CompactString, Topic>,
    /// Every attempt that waits or is under way.
    held: BTreeMap<Holder, Held>,
    /// Topics at which something has changed since it was last asked who can go on.
    changed: BTreeSet<CompactString>,
}

/// Which part of a limit: `number` of `of`, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Which.
    pub number: u32,
    /// Of so many.
    pub of: u32,
}

impl Share {
    /// All of it.
    pub const WHOLE: Self = Self { number: 0, of: 1 };

    /// Of what can be counted: the first ones have what does not divide.
    #[must_use]
    pub const fn of(self, count: u32) -> u32 {
        match count.checked_div(self.of) {
            Some(all) => all + if self.number < count % self.of { 1 } else { 0 },
            None => 0,
        }
    }
}

/// A step of an instance, on its way there or back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Holder {
    instance: InstanceId,
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    partition: u32,
    topic: CompactString,
    bounds: Bounds,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It waits since then; of one instance and instant they go in reading order.
    Waits(Timestamp, At),
    UnderWay,
}

/// The strictest limit of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Bounds {
    at_once: Option<u32>,
    rate: Option<Rate>,
}

/// So many within so long. Ordered from the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rate {
    /// Between two, in microseconds.
    pause: Reverse<u64>,
    count: u32,
    /// In microseconds.
    within: u64,
}

#[derive(Clone, Debug, Default)]
struct Topic {
    waiting: BTreeSet<(Timestamp, At, Holder)>,
    under_way: u32,
    /// What the definitions of those say who wait or are under way, and of how many.
    bounds: BTreeMap<Bounds, u32>,
    /// The instant of the last call by the rate, in microseconds: calls that come at once are spread behind it.
    last: Option<u64>,
}

impl Bounds {
    fn of(limits: &[Limit]) -> Self {
        limits.iter().fold(Self { at_once: None, rate: None }, |bounds, Limit { count, per }| {
            bounds.and(match per {
                Per::Once => Self { at_once: Some(*count), rate: None },
                Per::Time(within) => Self { at_once: None, rate: Some(Rate::new(*count, *within)) },
            })
        })
    }

    /// The stricter of both.
    fn and(self, other: Self) -> Self {
        fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
            one.into_iter().chain(other).min()
        }
        Self { at_once: least(self.at_once, other.at_once), rate: least(self.rate, other.rate) }
    }
}

impl Rate {
    fn new(count: u32, within: Duration) -> Self {
        let within = u64::try_from(within.as_micros()).unwrap_or(u64::MAX);
        let count = count.max(1);
        Self { pause: Reverse(within / u64::from(count)), count, within }
    }

    /// The first instant from `now` on at which a share of it lets another call out, in microseconds.
    ///
    /// A share of one or more keeps a pause between its calls, so that all shares together stay below the rate. Where
    /// there are more shares than calls, each has moments of its own: time is cut into slots, so that two calls that are
    /// `count` slots apart are never closer than the rate allows, and slots are dealt in turn.
    fn opens(self, share: Share, last: Option<u64>, now: u64) -> u64 {
        let own = share.of(self.count);
        if self.count >= share.of {
            return last.map_or(now, |last| now.max(last.saturating_add(self.within.div_ceil(u64::from(own)))));
        }
        let width =
            self.within.saturating_mul(4).div_ceil(u64::from(self.count).saturating_mul(4).saturating_sub(1)).max(1);
        let (of, number) = (u64::from(share.of), u64::from(share.number));
        let slot = now / width;
        let used = last.map(|last| last / width);
        // Only its first quarter counts; by the clock's own measure where that is shorter.
        if slot % of == number && now % width <= (width / 4).max(MICROS) && used < Some(slot) {
            return now;
        }
        let next = used.map_or(slot, |used| used.max(slot)) + 1;
        (next + (number + of - next % of) % of).saturating_mul(width)
    }
}

/// The last calls at topics with a rate, as a journal has them.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    /// It was read from here on; none if from its beginning.
    known_since: Option<Timestamp>,
    last: BTreeMap<CompactString, Timestamp>,
}

impl Calls {
    /// Where the journal is read from an instant on.
    #[must_use]
    pub fn since(at: Timestamp) -> Self {
        Self { known_since: Some(at), last: BTreeMap::new() }
    }

    /// A change of an instance at this instant.
    pub fn see(&mut self, plan: &Plan, change: &Change) {
        if !plan.has_limits() {
            return;
        }
        for event in &change.events {
            let Event::Called { at, work, .. } = event else { continue };
            let called = invocation_at(plan, at, *work);
            let Some(participant) = called.map(|invocation| &invocation.participant) else { continue };
            if participant.limits.iter().any(|limit| limit.per != Per::Once) {
                let last = self.last.entry(participant.commands_topic.clone()).or_default();
                *last = change.at.max(*last);
            }
        }
    }
}

/// How far the clock steps back from owner to owner where none is wrong: each is ahead by the time of its claim.
const STEP_BACK_MAX: Duration = Duration::from_secs(10);

/// A millisecond, the measure of [`Timestamp`].
const MICROS: u64 = 1_000;

const fn micros(at: Timestamp) -> u64 {
    at.0.saturating_mul(MICROS)
}

impl Turns {
    /// Of this share of all limits, for so many partitions together.
    #[must_use]
    pub const fn new(share: Share, partitions: u32) -> Self {
        Self {
            share,
            partitions,
            begun: BTreeSet::new(),
            known_since: None,
            current: BTreeMap::new(),
            topics: BTreeMap::new(),
            held: BTreeMap::new(),
            changed: BTreeSet::new(),
        }
    }

    /// By these definitions new instances run.
    pub fn define<'p>(&mut self, plans: impl Iterator<Item = &'p Plan>) {
        self.current.clear();
        let limited = plans.filter(|plan| plan.has_limits()).flat_map(Plan::invocations);
        for participant in limited.map(|invocation| &invocation.participant) {
            if !participant.limits.is_empty() {
                let bounds = Bounds::of(&participant.limits);
                let known = self.current.entry(participant.commands_topic.clone()).or_insert(bounds);
                *known = known.and(bounds);
            }
        }
        self.changed.extend(self.topics.keys().cloned());
    }

    /// A partition begins: what it has is noted next. `calls` are its last ones.
    ///
    /// Where the clock fell back between two owners calls lie far ahead of it. They went out by `now` all the same: else nobody
    /// would be called until it has caught up.
    pub fn begin(&mut self, partition: u32, calls: &Calls, now: Timestamp) {
        self.leave(partition, |_| true);
        self.begun.insert(partition);
        let by_now = |at: Timestamp| if at > now.after(STEP_BACK_MAX) { now } else { at };
        self.known_since = self.known_since.max(calls.known_since).map(by_now);
        for (topic, at) in &calls.last {
            let topic = self.topics.entry(topic.clone()).or_default();
            topic.last = topic.last.max(Some(micros(*at)));
        }
        for topic in self.topics.values_mut() {
            topic.last =
                topic.last.map(|last| if last > micros(now.after(STEP_BACK_MAX)) { micros(now) } else { last });
        }
    }

    /// A partition is not run here for now. What it has under way still is, as far as is known.
    pub fn end(&mut self, partition: u32) {
        self.leave(partition, |standing| matches!(standing, Standing::Waits(..)));
    }

    fn leave(&mut self, partition: u32, goes: impl Fn(Standing) -> bool) {
        let leaves = |held: &Held| held.partition == partition && goes(held.standing);
        let gone: Vec<Holder> =
            self.held.iter().filter(|(_, held)| leaves(held)).map(|(holder, _)| holder.clone()).collect();
        for holder in gone {
            self.set(holder, None);
        }
        self.changed.extend(self.topics.keys().cloned());
    }

    /// Notes where a step stands, whatever was known of it.
    pub fn note(&mut self, partition: u32, plan: &Plan, instance: &Instance, at: At) {
        let Some(work) = plan.work(at.node()) else { return };
        let attempt = instance.state(at).and_then(|state| state.attempt());
        let held = attempt.and_then(|(direction, attempt)| {
            let participant = &invocation(work, direction)?.participant;
            let standing = match &attempt.wait {
                Wait::Turn(turn) => Standing::Waits(turn.since, at),
                wait if wait.is_under_way() => Standing::UnderWay,
                _ => return None,
            };
            held(partition, participant, standing)
        });
        self.set(holder(&instance.id, &plan.place(at)), held);
    }

    /// A step waits no more, and is not under way.
    pub fn forget(&mut self, instance: &InstanceId, place: &Place) {
        self.set(holder(instance, place), None);
    }

    /// Whether the participant takes a command now, and nobody waits before it. If so, it counts as under way.
    pub fn takes(
        &mut self,
        partition: u32,
        (instance, place): (&InstanceId, &Place),
        participant: &Participant,
        now: Timestamp,
    ) -> bool {
        let Some(held) = held(partition, participant, Standing::UnderWay) else { return true };
        let name = &participant.commands_topic;
        let topic = self.topics.get(name);
        let waits = topic.is_some_and(|topic| !topic.waiting.is_empty());
        if waits || !self.has_room(name, held.bounds) || self.opens(name, held.bounds, now) > now {
            return false;
        }
        self.call(name, held.bounds, now);
        self.set(holder(instance, place), Some(held));
        true
    }

    /// Whose turn it is of those in this partition. It counts as under way.
    pub fn next(&mut self, partition: u32, now: Timestamp) -> Option<(InstanceId, Place)> {
        let (topic, holder) = self.heads().find_map(|(name, holder, held)| {
            let is_its_turn = held.partition == partition && self.opens(name, held.bounds, now) <= now;
            is_its_turn.then(|| (name.clone(), holder.clone()))
        })?;
        let held = self.held.get(&holder).cloned()?;
        self.call(&topic, held.bounds, now);
        self.set(holder.clone(), Some(Held { standing: Standing::UnderWay, ..held }));
        Some((holder.instance, holder.place))
    }

    /// When it is worth to ask for the next turn in this partition by time alone.
    #[must_use]
    pub fn next_at(&self, partition: u32, now: Timestamp) -> Option<Timestamp> {
        let own = self.heads().filter(|(.., held)| held.partition == partition);
        own.map(|(name, _, held)| self.opens(name, held.bounds, now)).min()
    }

    /// The partitions that may go on, since something has changed where one of theirs is first.
    pub fn may_go_on(&mut self) -> BTreeSet<u32> {
        if self.changed.is_empty() {
            return BTreeSet::new();
        }
        let changed = std::mem::take(&mut self.changed);
        self.heads().filter(|(name, ..)| changed.contains(*name)).map(|(.., held)| held.partition).collect()
    }

    /// Who is first where there is room.
    fn heads(&self) -> impl Iterator<Item = (&CompactString, &Holder, &Held)> {
        self.topics.iter().filter_map(|(name, topic)| {
            let (.., holder) = topic.waiting.first()?;
            let held = self.held.get(holder)?;
            self.has_room(name, held.bounds).then_some((name, holder, held))
        })
    }

    /// What counts at a topic, for one who comes to it with `own`.
    fn bounds(&self, name: &CompactString, own: Bounds) -> Bounds {
        let current = self.current.get(name).copied().into_iter();
        let held = self.topics.get(name).into_iter().flat_map(|topic| topic.bounds.keys().copied());
        current.chain(held).fold(own, Bounds::and)
    }

    fn has_room(&self, name: &CompactString, own: Bounds) -> bool {
        let under_way = self.topics.get(name).map_or(0, |topic| topic.under_way);
        let at_once = self.bounds(name, own).at_once;
        self.begun.len() >= self.partitions as usize && at_once.is_none_or(|count| under_way < self.share.of(count))
    }

    /// The first instant from `now` on at which the rate lets a call out.
    fn opens(&self, name: &CompactString, own: Bounds, now: Timestamp) -> Timestamp {
        let Some(rate) = self.bounds(name, own).rate else { return now };
        let opens = rate.opens(self.share, self.last(name), micros(now));
        // Within the millisecond: below it there is no telling.
        Timestamp(opens / MICROS).max(now)
    }

    /// A call goes out.
    fn call(&mut self, name: &CompactString, own: Bounds, now: Timestamp) {
        let Some(rate) = self.bounds(name, own).rate else { return };
        let at = rate.opens(self.share, self.last(name), micros(now));
        self.topics.entry(name.clone()).or_default().last = Some(at);
    }

    /// When the last call went out, or might have.
    fn last(&self, name: &CompactString) -> Option<u64> {
        self.topics.get(name).and_then(|topic| topic.last).max(self.known_since.map(micros))
    }

    fn set(&mut self, holder: Holder, held: Option<Held>) {
        let before = self.held.get(&holder);
        if before == held.as_ref() {
            return;
        }
        if let Some(before) = self.held.remove(&holder)
            && let Some(topic) = self.topics.get_mut(&before.topic)
        {
            match before.standing {
                Standing::Waits(since, node) => drop(topic.waiting.remove(&(since, node, holder.clone()))),
                Standing::UnderWay => topic.under_way = topic.under_way.saturating_sub(1),
            }
            if let Some(count) = topic.bounds.get_mut(&before.bounds) {
                *count -= 1;
                if *count == 0 {
                    topic.bounds.remove(&before.bounds);
                }
            }
            self.changed.insert(before.topic);
        }
        if let Some(held) = held {
            let topic = self.topics.entry(held.topic.clone()).or_default();
            match held.standing {
                Standing::Waits(since, node) => drop(topic.waiting.insert((since, node, holder.clone()))),
                Standing::UnderWay => topic.under_way += 1,
            }
            *topic.bounds.entry(held.bounds).or_default() += 1;
            self.changed.insert(held.topic.clone());
            self.held.insert(holder, held);
        }
    }
}

fn holder(instance: &InstanceId, place: &Place) -> Holder {
    Holder { instance: instance.clone(), place: place.clone() }
}

/// None for a participant without limits.
fn held(partition: u32, participant: &Participant, standing: Standing) -> Option<Held> {
    let topic = participant.commands_topic.clone();
    let bounds = Bounds::of(&participant.limits);
    (!participant.limits.is_empty()).then_some(Held { partition, topic, bounds, standing })
}
