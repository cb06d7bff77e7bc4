//! What the users of the log, its writer and its reader share: one lock, held for moments and never across I/O.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::aside::{Aside, Asides, Written};
use super::lane::{Found, Lane, Waiting};
use super::reader::{DiskRead, Kind};
use crate::json::PAYLOAD_MAX;
use crate::log::endpoint::{Endpoint, Outbox};
use crate::log::health::now;
use crate::log::{
    Append, DEFINITION_MAX, DEFINITIONS, Health, JOURNAL, Outcome, RECORD_MAX, Report, Request, Ticket, partition_of,
};
use crate::time::Timestamp;
use crate::wire::HEADERS_MAX;

/// What may wait for the disk, in bytes, before further appends are turned away: minutes of a full load, so that it is
/// reached only while the disk is full or gone.
pub const QUEUE_BYTES_MAX: usize = 256 << 20;

/// What all lanes together keep in memory for readers behind what is written, in bytes.
const TAIL_BYTES: usize = 16 << 20;

/// The least that one lane keeps, whatever the number of lanes.
const LANE_TAIL_BYTES_MIN: usize = 64 << 10;

/// What the journal keeps: it is read at start and by people, not by a follower.
const JOURNAL_TAIL_BYTES: usize = 64 << 10;

/// The longest name of a topic, as Kafka has it.
const TOPIC_MAX: usize = 249;

/// Index of a lane.
pub(super) type LaneIndex = usize;

/// An append that waits for the disk.
#[derive(Debug)]
pub(super) struct Unacknowledged {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) home: u32,
    pub(super) ticket: Ticket,
    pub(super) lane: LaneIndex,
    pub(super) offset: u64,
}

/// What the lock guards.
#[derive(Debug)]
pub(super) struct State {
    pub(super) lanes: Vec<Lane>,
    by_name: BTreeMap<Arc<str>, Vec<Option<LaneIndex>>>,
    /// Lanes with something to write, in the order in which they were given it.
    pub(super) dirty: VecDeque<LaneIndex>,
    /// In the order of the appends.
    pub(super) unacknowledged: VecDeque<Unacknowledged>,
    pub(super) queued_bytes: usize,
    /// Lanes whose start moved: batches before it are to be deleted.
    pub(super) truncated: VecDeque<LaneIndex>,
    pub(super) asides: Asides,
    pub(super) health: Health,
    pub(super) closing: bool,
    pub(super) disk: Option<Sender<DiskRead>>,
}

/// The log, open.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) path: PathBuf,
    pub(super) partitions: u32,
    state: Mutex<State>,
    /// Told when there is something to write or to close.
    pub(super) work: Condvar,
}

impl Shared {
    pub(super) fn new(path: PathBuf, partitions: u32, lanes: Vec<Lane>, disk: Sender<DiskRead>) -> Self {
        let mut state = State {
            lanes: Vec::new(),
            by_name: BTreeMap::new(),
            dirty: VecDeque::new(),
            unacknowledged: VecDeque::new(),
            queued_bytes: 0,
            truncated: VecDeque::new(),
            asides: Asides::default(),
            health: Health::Writing,
            closing: false,
            disk: Some(disk),
        };
        for lane in lanes {
            state.add(lane);
        }
        Self { path, partitions, state: Mutex::new(state), work: Condvar::new() }
    }

    /// The state. A panic while it was held cannot have left it half changed in a way that matters to durability:
    /// what is acknowledged comes from the file.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many partitions a topic has.
    pub(super) fn partitions_of(&self, topic: &str) -> u32 {
        if topic == DEFINITIONS { 1 } else { self.partitions }
    }

    /// Takes requests of `endpoint`, reported under `home`.
    pub(super) fn submit(&self, endpoint: &Arc<Endpoint>, home: u32, requests: Vec<Request>) {
        let mut outbox = Outbox::default();
        let now = now();
        let mut state = self.lock();
        let was_idle = !state.has_work();
        for request in requests {
            match request {
                // The lock on the data directory is the assignment, and it cannot be lost while the process lives.
                Request::Confirm { ticket } => outbox.push(endpoint, home, Report::Confirmed { ticket }),
                Request::Append(append) => {
                    if let Some(report) = self.append(&mut state, (endpoint, home), append, now, &mut outbox) {
                        outbox.push(endpoint, home, report);
                    }
                }
                Request::Last { ticket, topic } => {
                    let index = state.lane(&topic, home);
                    state.last(index, endpoint, home, ticket, &mut outbox);
                }
                Request::End { ticket, topic } => {
                    let index = state.lane(&topic, home);
                    let range = state.lanes.get(index).map(Lane::range).unwrap_or_default();
                    outbox.push(endpoint, home, Report::End { ticket, range });
                }
                Request::Read { ticket, topic, from } => {
                    let index = state.lane(&topic, home);
                    let waiting = Waiting { endpoint: Arc::clone(endpoint), home, ticket, from };
                    state.read(index, waiting, &mut outbox);
                }
                Request::Truncate { topic, before } => {
                    let index = state.lane(&topic, home);
                    state.truncate(index, before);
                }
            }
        }
        let wakes = was_idle && state.has_work();
        drop(state);
        if wakes {
            self.work.notify_one();
        }
        outbox.deliver();
    }

    /// Queues rows beside the log.
    pub(super) fn aside(&self, aside: Box<dyn Aside>) {
        let mut state = self.lock();
        if state.closing || matches!(state.health, Health::Failed { .. } | Health::Closed) {
            drop(state);
            return aside.done(Written::No);
        }
        state.asides.0.push(aside);
        drop(state);
        self.work.notify_one();
    }

    /// Queues an append; a report where it is turned away.
    fn append(
        &self,
        state: &mut State,
        (endpoint, home): (&Arc<Endpoint>, u32),
        append: Append,
        now: Timestamp,
        outbox: &mut Outbox,
    ) -> Option<Report> {
        let Append { ticket, topic, partition, message, .. } = append;
        let refused = |why: String| Some(Report::Appended { ticket, outcome: Outcome::Refused(Arc::from(why)) });
        let size = message.size();
        let largest = match &*topic {
            JOURNAL => RECORD_MAX,
            DEFINITIONS => DEFINITION_MAX,
            _ => PAYLOAD_MAX,
        };
        let limit = largest.saturating_add(HEADERS_MAX);
        let count = self.partitions_of(&topic);
        let partition = partition.unwrap_or_else(|| partition_of(&message.key, count));
        if size > limit {
            return refused(format!("a record of {size} bytes is over the limit of {limit} of topic `{topic}`"));
        }
        if partition >= count {
            return refused(format!("topic `{topic}` has {count} partitions, and none of number {partition}"));
        }
        if topic.is_empty() || topic.len() > TOPIC_MAX {
            return refused(format!("a topic's name has 1 to {TOPIC_MAX} bytes"));
        }
        let full = state.queued_bytes.saturating_add(size) > QUEUE_BYTES_MAX;
        if full || state.closing || matches!(state.health, Health::Failed { .. } | Health::Closed) {
            return Some(Report::Appended { ticket, outcome: Outcome::Unknown });
        }
        let index = state.lane(&topic, partition);
        let lane = state.lanes.get_mut(index)?;
        let offset = lane.push(message, now);
        let woken = lane.woken();
        if !std::mem::replace(&mut lane.is_dirty, true) {
            state.dirty.push_back(index);
        }
        state.queued_bytes = state.queued_bytes.saturating_add(size);
        state.unacknowledged.push_back(Unacknowledged {
            endpoint: Arc::clone(endpoint),
            home,
            ticket,
            lane: index,
            offset,
        });
        for waiting in woken {
            state.read(index, waiting, outbox);
        }
        None
    }
}

impl State {
    pub(super) fn has_work(&self) -> bool {
        !self.dirty.is_empty() || !self.truncated.is_empty() || !self.asides.0.is_empty() || self.closing
    }

    fn add(&mut self, lane: Lane) -> LaneIndex {
        let index = self.lanes.len();
        let places = self.by_name.entry(Arc::clone(&lane.topic)).or_default();
        let place = lane.partition as usize;
        if places.len() <= place {
            places.resize(place.saturating_add(1), None);
        }
        if let Some(slot) = places.get_mut(place) {
            *slot = Some(index);
        }
        self.lanes.push(lane);
        index
    }

    /// The lane of a topic's partition; made if it is new.
    pub(super) fn lane(&mut self, topic: &Arc<str>, partition: u32) -> LaneIndex {
        let known = self.by_name.get(topic).and_then(|places| places.get(partition as usize)).copied().flatten();
        known.unwrap_or_else(|| self.add(Lane::new(Arc::clone(topic), partition)))
    }

    /// What a lane may keep in memory.
    pub(super) fn tail_budget(&self, index: LaneIndex) -> usize {
        match self.lanes.get(index) {
            Some(lane) if *lane.topic == *JOURNAL => JOURNAL_TAIL_BYTES,
            Some(_) | None => (TAIL_BYTES / self.lanes.len().max(1)).max(LANE_TAIL_BYTES_MIN),
        }
    }

    /// Answers a read, leaves it waiting, or sends it to the disk.
    pub(super) fn read(&mut self, index: LaneIndex, waiting: Waiting, outbox: &mut Outbox) {
        let Some(lane) = self.lanes.get_mut(index) else { return };
        let range = lane.range();
        lane.cancel(&waiting.endpoint, waiting.home);
        match lane.read(waiting.from) {
            Found::Records(records) => {
                let report = Report::Records { ticket: waiting.ticket, records, range };
                outbox.push(&waiting.endpoint, waiting.home, report);
            }
            Found::End => lane.wait(waiting),
            Found::OutOfRange => {
                outbox.push(&waiting.endpoint, waiting.home, Report::OutOfRange { ticket: waiting.ticket, range });
            }
            Found::OnDisk(row) => self.read_disk(DiskRead { row, range, waiting, kind: Kind::From }, outbox),
        }
    }

    fn last(&mut self, index: LaneIndex, endpoint: &Arc<Endpoint>, home: u32, ticket: Ticket, outbox: &mut Outbox) {
        let Some(lane) = self.lanes.get(index) else { return };
        let range = lane.range();
        let from = range.end.saturating_sub(1);
        let waiting = Waiting { endpoint: Arc::clone(endpoint), home, ticket, from };
        if range.start >= range.end {
            return outbox.push(endpoint, home, Report::Last { ticket, last: None, range });
        }
        match lane.read(from) {
            Found::Records(records) => {
                outbox.push(endpoint, home, Report::Last { ticket, last: records.into_iter().next_back(), range });
            }
            Found::OnDisk(row) => self.read_disk(DiskRead { row, range, waiting, kind: Kind::Last }, outbox),
            Found::End | Found::OutOfRange => {
                outbox.push(endpoint, home, Report::Last { ticket, last: None, range });
            }
        }
    }

    /// A read from the disk that found its records gone: truncated meanwhile, or lost. `next` is there behind them.
    pub(super) fn read_again(&mut self, read: &DiskRead, next: Option<u64>, outbox: &mut Outbox) {
        let Waiting { endpoint, home, ticket, from } = &read.waiting;
        let range = self.lanes.iter().find(|lane| lane.row == Some(read.row)).map_or(read.range, Lane::range);
        let report = if range.start <= *from && *from < range.end {
            let why = format!("it is damaged: offset {from} is missing. {}", super::error::ADVICE);
            Report::Damaged { ticket: *ticket, why, until: next }
        } else {
            Report::OutOfRange { ticket: *ticket, range }
        };
        outbox.push(endpoint, *home, report);
    }

    fn read_disk(&mut self, read: DiskRead, outbox: &mut Outbox) {
        let refused = match &self.disk {
            Some(disk) => match disk.send(read) {
                Ok(()) => return,
                Err(mpsc::SendError(read)) => read,
            },
            None => read,
        };
        let Waiting { endpoint, home, ticket, .. } = refused.waiting;
        outbox.push(&endpoint, home, Report::Failed { ticket, why: "read a log that is closed".to_owned() });
    }

    fn truncate(&mut self, index: LaneIndex, before: u64) {
        if self.lanes.get_mut(index).is_some_and(|lane| lane.truncate(before)) && !self.truncated.contains(&index) {
            self.truncated.push_back(index);
        }
    }
}
