//! From records to rows: what a record changes in its instance's row, without knowing the instance.

use std::collections::BTreeMap;

use compact_str::CompactString;

use crate::definition::Retry;
use crate::engine::{Change, Direction, Event, InstanceId, Place, Run, Summary};
use crate::journal::Plans;
use crate::journal::record::{Body, Record};
use crate::plan::{Class, Plan};
use crate::time::Timestamp;

/// Up to where a partition's journal is in the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) struct Position {
    /// The last record that is.
    pub(in crate::runtime) last: u64,
}

/// What is to be changed in a row; what is `None` stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Delta {
    pub(super) saga: Option<CompactString>,
    pub(super) definition: CompactString,
    pub(super) state: Option<Summary>,
    pub(super) stuck: Option<Vec<Place>>,
    pub(super) started: Option<Timestamp>,
    pub(super) first: Option<u64>,
    pub(super) seq: u64,
    pub(super) changed: Timestamp,
    pub(super) partition: u32,
    pub(super) last: u64,
}

/// Rows for the table, and up to where they reach.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) deltas: Vec<((InstanceId, Run), Delta)>,
    pub(super) positions: Vec<(u32, Position)>,
}

/// An instance that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stuck {
    places: Vec<Place>,
    /// What it is when none is left.
    under: Summary,
}

/// Rows that are not in the table yet.
#[derive(Debug, Default)]
pub(super) struct Folding {
    deltas: BTreeMap<(InstanceId, Run), Delta>,
    positions: BTreeMap<u32, Position>,
    stuck: BTreeMap<(InstanceId, Run), Stuck>,
}

impl Folding {
    pub(super) fn new(positions: Vec<(u32, Position)>, stuck: Vec<((InstanceId, Run), Vec<Place>, Summary)>) -> Self {
        let stuck = stuck.into_iter().map(|(key, places, under)| (key, Stuck { places, under })).collect();
        Self { deltas: BTreeMap::new(), positions: positions.into_iter().collect(), stuck }
    }

    pub(super) fn position(&self, partition: u32) -> Option<Position> {
        self.positions.get(&partition).copied()
    }

    pub(super) fn gathered(&self) -> usize {
        self.deltas.len()
    }

    pub(super) fn take_rows(&mut self) -> Rows {
        let deltas = std::mem::take(&mut self.deltas).into_iter().collect();
        let positions = self.positions.iter().map(|(partition, position)| (*partition, *position)).collect();
        Rows { deltas, positions }
    }

    pub(super) fn take(&mut self, partition: u32, offset: u64, record: &Record, plans: &Plans) {
        // Told again after a crash or a recovery: it is in there already.
        if self.positions.get(&partition).is_some_and(|position| position.last >= offset) {
            return;
        }
        self.positions.insert(partition, Position { last: offset });
        let Body::Change { instance, run, definition, change, .. } = &record.body else { return };
        let key = (instance.clone(), *run);
        let plan = plans.by_hash(definition);
        let stuck = self.stuck_by(&key, change, plan.map(AsRef::as_ref));
        let delta = self.deltas.entry(key).or_insert_with(|| Delta {
            saga: None,
            definition: CompactString::from(&**definition),
            state: None,
            stuck: None,
            started: None,
            first: None,
            seq: change.seq,
            changed: change.at,
            partition,
            last: offset,
        });
        (delta.seq, delta.changed, delta.last) = (change.seq, change.at, offset);
        for event in &change.events {
            match event {
                Event::Started { saga, .. } => {
                    delta.saga = Some(saga.clone());
                    delta.started = Some(change.at);
                    delta.first = Some(offset);
                    delta.state = Some(Summary::Running);
                }
                Event::Failed { .. } => delta.state = Some(Summary::Compensating),
                Event::Completed { .. } => delta.state = Some(Summary::Completed),
                Event::Compensated => delta.state = Some(Summary::Compensated),
                _ => {}
            }
        }
        let has_ended = matches!(delta.state, Some(Summary::Completed | Summary::Compensated));
        if let Some((places, under)) = stuck {
            if !has_ended {
                delta.state = Some(if places.is_empty() { under } else { Summary::Stuck });
            }
            delta.stuck = Some(places);
        }
    }

    /// The places that wait for a person behind this change, and what the instance is without them; `None` if
    /// nothing of it changes.
    fn stuck_by(
        &mut self,
        key: &(InstanceId, Run),
        change: &Change,
        plan: Option<&Plan>,
    ) -> Option<(Vec<Place>, Summary)> {
        let mut touched = false;
        for event in &change.events {
            if let Event::Stuck { at, work, .. } = event {
                self.mark_stuck(key, at, *work);
                touched = true;
            } else if let Event::Called { at, work: Direction::Do, attempt, .. } = event
                && plan.is_some_and(|plan| is_pivot_past_retries(plan, at, *attempt))
            {
                self.mark_stuck(key, at, Direction::Do);
                touched = true;
            } else if let Some(stuck) = self.stuck.get_mut(key) {
                if matches!(event, Event::Failed { .. }) {
                    stuck.under = Summary::Compensating;
                    touched = true;
                }
                if let Some(place) = moves(event) {
                    stuck.places.retain(|known| known != place);
                    touched = true;
                }
                if matches!(event, Event::Completed { .. } | Event::Compensated) {
                    stuck.places.clear();
                }
            }
        }
        if !touched {
            return None;
        }
        let stuck = self.stuck.get(key)?.clone();
        if stuck.places.is_empty() {
            self.stuck.remove(key);
        }
        Some((stuck.places, stuck.under))
    }

    fn mark_stuck(&mut self, key: &(InstanceId, Run), at: &Place, work: Direction) {
        let under = match work {
            Direction::Do => Summary::Running,
            Direction::Undo => Summary::Compensating,
        };
        let stuck = self.stuck.entry(key.clone()).or_insert(Stuck { places: Vec::new(), under });
        if !stuck.places.contains(at) {
            stuck.places.push(at.clone());
        }
    }
}

/// A pivot step past its retries goes on, and is shown as stuck.
fn is_pivot_past_retries(plan: &Plan, place: &str, attempt: u32) -> bool {
    let work = plan.find(place).and_then(|node| plan.work(node)).filter(|work| work.class == Class::Pivot);
    let retry: Option<Retry> = work.and_then(|work| work.action()).map(|action| action.timing.retry);
    retry.is_some_and(|retry| attempt.saturating_sub(1) > retry.times)
}

/// The place that an event moves on.
fn moves(event: &Event) -> Option<&Place> {
    match event {
        Event::Called { at, .. }
        | Event::Asked { at, .. }
        | Event::Paused { at, .. }
        | Event::Succeeded { at, .. }
        | Event::Refused { at, .. }
        | Event::Lost { at }
        | Event::Chose { at, .. }
        | Event::Bound { at, .. }
        | Event::Slept { at, .. }
        | Event::Woke { at }
        | Event::Reached { at } => Some(at),
        Event::Started { .. }
        | Event::Pended { .. }
        | Event::Stuck { .. }
        | Event::Unfit { .. }
        | Event::Failed { .. }
        | Event::Ordered { .. }
        | Event::Late
        | Event::Completed { .. }
        | Event::Compensated => None,
    }
}
