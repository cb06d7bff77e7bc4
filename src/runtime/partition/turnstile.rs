//! What participants with limits take, as one partition sees it: its own share, or what it has together with others.
//!
//! On a log that several processes share, a partition has a share of its own, so that its owner needs nobody's word. Where
//! one process has all partitions and keeps them, they have the whole together.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::considered::{Considered, consider};
use super::defect::Defect;
use super::setting::Setting;
use super::tenure::Tenure;
use crate::definition::Participant;
use crate::engine::{Calls, Change, Input, Instance, InstanceId, Place, Share, Turns};
use crate::journal::{Ledger, Live, Plans};
use crate::plan::{At, Plan};
use crate::time::Timestamp;

/// Turns, for all partitions that draw on them.
#[derive(Debug)]
pub struct Turnstile {
    turns: Mutex<Turns>,
    is_shared: bool,
}

impl Turnstile {
    /// For a partition with a share of its own.
    #[must_use]
    pub fn of_partition(partition: u32, partitions: u32) -> Arc<Self> {
        let turns = Turns::new(Share { number: partition, of: partitions }, 1);
        Arc::new(Self { turns: Mutex::new(turns), is_shared: false })
    }

    /// For so many partitions of one process, which are all that there are.
    #[must_use]
    pub fn of_all(partitions: u32) -> Arc<Self> {
        let turns = Turns::new(Share::WHOLE, partitions);
        Arc::new(Self { turns: Mutex::new(turns), is_shared: partitions > 1 })
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A partition's place at the turnstile, while it runs.
#[derive(Debug)]
pub(super) struct Seat {
    turnstile: Arc<Turnstile>,
    partition: u32,
    /// Whether a participant with limits was ever asked here: else there is nothing to look at.
    is_used: Cell<bool>,
    /// It has just begun, and others may have waited for that.
    is_new: Cell<bool>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.turnstile.lock().end(self.partition);
    }
}

impl Seat {
    /// A partition begins, with these live instances.
    pub(super) fn take(set: &Setting, calls: &Calls, ledger: &Ledger, now: Timestamp) -> Self {
        let (turnstile, partition) = (Arc::clone(&set.config.turns), set.config.partition);
        let mut turns = turnstile.lock();
        turns.define(current(&set.plans));
        turns.begin(partition, calls, now);
        let mut is_used = false;
        let live = ledger.all_live().filter(|live| live.plan.has_limits());
        for live in live {
            let Live { instance, plan, .. } = &*live;
            is_used = true;
            for (at, state) in instance.active() {
                let waits = || state.attempt().is_some_and(|(_, attempt)| attempt.wait.is_for_turn());
                if set.config.defect != Some(Defect::UnderWayForgotten) || waits() {
                    turns.note(partition, plan, instance, at);
                }
            }
        }
        drop(turns);
        Self { turnstile, partition, is_used: Cell::new(is_used), is_new: Cell::new(true) }
    }

    /// Definitions were deployed.
    pub(super) fn define(&self, plans: &Plans) {
        self.turnstile.lock().define(current(plans));
    }

    /// Whether a participant takes a command now; if so it counts from now on.
    pub(super) fn takes(&self, step: (&InstanceId, &Place), participant: &Participant, now: Timestamp) -> bool {
        self.is_used.set(true);
        self.turnstile.lock().takes(self.partition, step, participant, now)
    }

    fn note(&self, plan: &Plan, instance: &Instance, at: At) {
        self.turnstile.lock().note(self.partition, plan, instance, at);
    }

    pub(super) fn forget(&self, instance: &InstanceId, place: &Place) {
        self.turnstile.lock().forget(instance, place);
    }

    /// Whose turn it is.
    pub(super) fn next(&self, now: Timestamp) -> Option<(InstanceId, Place)> {
        if self.is_used.get() { self.turnstile.lock().next(self.partition, now) } else { None }
    }

    /// When time alone may bring a turn.
    pub(super) fn next_at(&self, now: Timestamp) -> Option<Timestamp> {
        if self.is_used.get() { self.turnstile.lock().next_at(self.partition, now) } else { None }
    }

    /// The partitions that may go on, since something has changed.
    pub(super) fn may_go_on(&self) -> BTreeSet<u32> {
        let has_changed = self.is_new.take() || self.is_used.get();
        if has_changed && self.turnstile.is_shared { self.turnstile.lock().may_go_on() } else { BTreeSet::new() }
    }

    /// Notes where the steps of a change stand behind it.
    pub(super) fn changed(&self, live: &Live, change: &Change) {
        let Live { instance, plan, .. } = live;
        for at in change.events.iter().filter_map(|event| plan.find(event.step()?)) {
            self.note(plan, instance, at);
        }
    }
}

fn current(plans: &Plans) -> impl Iterator<Item = &Plan> {
    plans.sagas().filter_map(|saga| plans.current(saga)).map(AsRef::as_ref)
}

impl Tenure {
    /// What the engine makes of an input, and which steps are promised a command of a participant with limits by it.
    pub(super) fn ponder(
        &self,
        set: &Setting,
        plan: &Plan,
        instance: &Instance,
        input: &Input,
    ) -> (Considered, Vec<Place>) {
        let (now, mut promised) = (self.time(), Vec::new());
        let mut takes = |place: &Place, participant: &Participant| {
            let takes = self.seat.takes((&instance.id, place), participant, now);
            promised.extend(takes.then(|| place.clone()));
            takes
        };
        let considered = consider(set, plan, instance, now, input, &mut takes);
        (considered, promised)
    }

    /// Notes where steps stand, or that they do not.
    pub(super) fn note_steps(&self, id: &InstanceId, steps: &[Place]) {
        for place in steps {
            match self.ledger.live(id) {
                Some(live) => {
                    if let Some(at) = live.plan.find(place) {
                        self.seat.note(&live.plan, &live.instance, at);
                    }
                }
                None => self.seat.forget(id, place),
            }
        }
    }

    /// Notes where all steps of an instance stand.
    pub(super) fn note_instance(&self, id: &InstanceId) {
        if let Some(live) = self.ledger.live(id)
            && let Live { instance, plan, .. } = &*live
            && plan.has_limits()
        {
            instance.active().into_iter().for_each(|(at, _)| self.seat.note(plan, instance, at));
        }
    }
}
