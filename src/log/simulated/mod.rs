//! A log in memory with a seed: any append late, lost, doubled, reordered, unacknowledged; any report late.
//!
//! It is the port's twin for tests of everything above it. Nothing happens by itself: [`Simulated::step`] lets one
//! thing happen that could happen next, chosen by the seed, and tells who learns of it. What is acknowledged is kept,
//! as of every log; for what is not, anything goes as long as the budget of faults lasts.

mod faults;
mod random;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use self::faults::strikes;
use super::{
    Append, DEFINITIONS, JOURNAL, Outcome, READ_MAX, RECORD_MAX, Range, Report, Request, Stored, Ticket, partition_of,
};
use crate::time::Timestamp;
use crate::wire::Message;

pub use self::faults::{Faults, Full};
pub use self::random::Random;

/// A process that uses the log, in one of its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client(pub u32);

/// How reports come, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// How likely a report is told before something else happens.
    pub prompt: usize,
    /// How likely the end of an append overtakes others.
    pub overtaking: usize,
    /// How likely an append waits as long as anything else can happen.
    pub slow: usize,
}

impl Manner {
    /// Neither prompt nor slow, mostly in order.
    pub const USUAL: Self = Self { prompt: 50, overtaking: 15, slow: 0 };
}

/// What somebody learns.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Who.
    pub client: Client,
    /// As the owner of which partition.
    pub partition: u32,
    /// What.
    pub report: Report,
}

/// A partition of a topic. Records before `start` are deleted, and kept for whoever checks the past.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    /// The first offset that can be read.
    pub start: u64,
    /// All that ever were.
    pub records: Vec<Stored>,
}

/// The log.
#[derive(Debug)]
pub struct Simulated {
    random: Random,
    partitions: u32,
    /// What may still go wrong.
    pub faults: Faults,
    /// Topics that take nothing, for good.
    pub refusing: BTreeSet<Arc<str>>,
    /// The largest record that it takes.
    pub record_max: usize,
    /// What has gone wrong.
    pub happened: Faults,
    /// How disorderly it reports.
    pub manner: Manner,
    /// Until when there is no room, and what becomes of appends meanwhile.
    full: Option<(Timestamp, Full)>,
    /// Records that ever landed.
    pub landed: u64,
    /// How many appends landed after their client was gone or had been told that nothing is known of them.
    pub landed_late: u32,
    /// The right time.
    pub now: Timestamp,
    /// How far the log's clock is ahead of it where others than its clients write, in milliseconds.
    pub skew: i64,
    /// And where these clients do: on Kafka by the clock of whichever broker leads the partition, in an embedded log by that of
    /// the machine.
    pub skews: BTreeMap<Client, i64>,
    shelves: BTreeMap<(Arc<str>, u32), Shelf>,
    owners: BTreeMap<u32, Client>,
    waiting: Vec<Waiting>,
    reports: VecDeque<Delivery>,
    /// Appends whose end nobody waits for; they land some time or never.
    strays: Vec<(Arc<str>, u32, Arc<Message>)>,
}

/// A request that nothing has come of yet.
#[derive(Debug)]
struct Waiting {
    client: Client,
    partition: u32,
    request: Request,
}

impl Simulated {
    /// An empty log, whose `saga.*` topics have so many partitions.
    #[must_use]
    pub const fn new(seed: u64, partitions: u32, faults: Faults, now: Timestamp) -> Self {
        Self {
            random: Random::new(seed),
            partitions,
            faults,
            refusing: BTreeSet::new(),
            record_max: RECORD_MAX,
            happened: Faults::NONE,
            manner: Manner::USUAL,
            full: None,
            landed: 0,
            landed_late: 0,
            now,
            skew: 0,
            skews: BTreeMap::new(),
            shelves: BTreeMap::new(),
            owners: BTreeMap::new(),
            waiting: Vec::new(),
            reports: VecDeque::new(),
            strays: Vec::new(),
        }
    }

    /// A partition of a topic.
    #[must_use]
    pub fn shelf(&self, topic: &str, partition: u32) -> Option<&Shelf> {
        self.shelves.get(&(Arc::from(topic), partition))
    }

    /// How many partitions a topic has.
    fn partitions_of(&self, topic: &str) -> u32 {
        if topic == DEFINITIONS { 1 } else { self.partitions }
    }

    /// Puts a message into the log, as any other producer does.
    pub fn put(&mut self, topic: &str, partition: Option<u32>, message: Arc<Message>) -> u64 {
        self.store(topic, partition, message, self.skew)
    }

    fn store(&mut self, topic: &str, partition: Option<u32>, message: Arc<Message>, skew: i64) -> u64 {
        let partition = partition.unwrap_or_else(|| partition_of(&message.key, self.partitions_of(topic)));
        let timestamp = Timestamp(self.now.0.saturating_add_signed(skew));
        let held = self.shelves.entry((Arc::from(topic), partition)).or_default();
        let offset = held.records.len() as u64;
        held.records.push(Stored { offset, timestamp, message });
        self.landed += 1;
        offset
    }

    /// Deletes records of a topic, as retention does.
    pub fn expire(&mut self, topic: &str, partition: u32, before: u64) {
        let held = self.shelves.entry((Arc::from(topic), partition)).or_default();
        held.start = held.start.max(before);
    }

    /// Somebody deletes a topic and makes it anew: all of it is gone, and its offsets begin at 0.
    pub fn renew(&mut self, topic: &str, partition: u32) {
        self.shelves.remove(&(Arc::from(topic), partition));
    }

    /// Gives a partition to a client. The one before learns of it when it asks, or when it is told.
    pub fn assign(&mut self, partition: u32, client: Client) {
        self.owners.insert(partition, client);
        self.reports.push_back(Delivery { client, partition, report: Report::Assigned });
    }

    /// Whose a partition is.
    #[must_use]
    pub fn owner(&self, partition: u32) -> Option<Client> {
        self.owners.get(&partition).copied()
    }

    /// A client is gone. What it had under way lands later or never.
    pub fn crash(&mut self, client: Client) {
        self.reports.retain(|delivery| delivery.client != client);
        let (gone, stay) = std::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.client == client);
        self.waiting = stay;
        let gone: Vec<Waiting> = gone;
        for Waiting { request, .. } in gone {
            if let Request::Append(append) = request {
                self.stray(&append);
            }
        }
    }

    fn stray(&mut self, append: &Append) {
        let count = self.partitions_of(&append.topic);
        let partition = append.partition.unwrap_or_else(|| partition_of(&append.message.key, count));
        self.strays.push((Arc::clone(&append.topic), partition, Arc::clone(&append.message)));
    }

    /// A client asks.
    pub fn submit(&mut self, client: Client, partition: u32, request: Request) {
        match &request {
            Request::Truncate { topic, before } => {
                let held = self.shelves.entry((Arc::clone(topic), partition)).or_default();
                held.start = held.start.max((*before).min(held.records.len() as u64));
                return;
            }
            // A read replaces the one before it.
            Request::Read { topic, .. } => self.waiting.retain(|waiting| {
                let same = waiting.client == client && waiting.partition == partition;
                !(same && matches!(&waiting.request, Request::Read { topic: other, .. } if other == topic))
            }),
            Request::Confirm { .. } | Request::Last { .. } | Request::End { .. } | Request::Append(_) => {}
        }
        self.waiting.push(Waiting { client, partition, request });
    }

    /// Leaves no room until an instant, if that may still happen.
    pub fn fill(&mut self, until: Timestamp, full: Full) {
        if strikes(&mut self.faults.full, &mut self.happened.full) {
            self.full = Some((until, full));
        }
    }

    /// What becomes of appends, if there is no room for them now.
    #[must_use]
    pub fn full(&self) -> Option<Full> {
        self.full.filter(|(until, _)| self.now < *until).map(|(_, full)| full)
    }

    /// Lets nothing go wrong any more; what is astray never lands.
    pub fn heal(&mut self) {
        self.faults = Faults::default();
        self.full = None;
        self.strays.clear();
    }

    /// Lets one thing happen, if anything can, and says who learns of it if anybody does.
    pub fn step(&mut self) -> Option<Delivery> {
        if !self.strays.is_empty() && self.full().is_none() && self.random.chance(10) {
            let index = self.random.below(self.strays.len());
            let (topic, partition, message) = self.strays.swap_remove(index);
            if self.random.chance(70) {
                self.landed_late += 1;
                self.put(&topic, Some(partition), message);
            }
        }
        let ready: Vec<usize> = (0..self.waiting.len()).filter(|index| self.can_happen(*index)).collect();
        let tell = !self.reports.is_empty() && (ready.is_empty() || self.random.chance(self.manner.prompt));
        if tell {
            // The end of an append may overtake others: a timeout is told by another thread than an acknowledgement.
            let jumps = self.random.chance(self.manner.overtaking);
            let chosen = if jumps { self.random.below(self.reports.len()) } else { 0 };
            let overtakes = |delivery: &Delivery| matches!(delivery.report, Report::Appended { .. });
            return self.reports.remove(if self.reports.get(chosen).is_some_and(overtakes) { chosen } else { 0 });
        }
        let is_append =
            |index: &usize| matches!(self.waiting.get(*index), Some(Waiting { request: Request::Append(_), .. }));
        let quick: Vec<usize> = ready.iter().copied().filter(|index| !is_append(index)).collect();
        let waits = self.manner.slow > 0 && !quick.is_empty() && self.random.chance(self.manner.slow);
        let ready = if waits { quick } else { ready };
        let chosen = *ready.get(self.random.below(ready.len()))?;
        let first = if self.faults.reordered > 0 && self.random.chance(20) { chosen } else { self.first_like(chosen) };
        if first != self.first_like(chosen) {
            self.faults.reordered -= 1;
            self.happened.reordered += 1;
        }
        let Waiting { client, partition, request } = self.waiting.remove(first);
        if let Some(report) = self.happen(client, partition, request) {
            self.reports.push_back(Delivery { client, partition, report });
        }
        None
    }

    /// Whether anything is left to happen.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.reports.is_empty() && !(0..self.waiting.len()).any(|index| self.can_happen(index))
    }

    fn can_happen(&self, index: usize) -> bool {
        match self.waiting.get(index) {
            Some(Waiting { partition, request: Request::Read { topic, from, .. }, .. }) => {
                let range = self.range(topic, *partition);
                *from != range.end || *from < range.start
            }
            // Behind a read that has something to give.
            Some(Waiting { client, partition, request: Request::End { topic, .. } }) => {
                let is_read = |before: &Waiting| {
                    before.client == *client
                        && before.partition == *partition
                        && matches!(&before.request, Request::Read { topic: read, .. } if read == topic)
                };
                let read = self.waiting.iter().take(index).position(is_read);
                read.is_none_or(|read| !self.can_happen(read))
            }
            Some(Waiting { request: Request::Append(_), .. }) => self.full() != Some(Full::Waits),
            Some(_) => true,
            None => false,
        }
    }

    /// The earliest append of the same owner to the same topic: those land in order.
    fn first_like(&self, index: usize) -> usize {
        let Some(Waiting { client, partition, request: Request::Append(append) }) = self.waiting.get(index) else {
            return index;
        };
        let same = |waiting: &Waiting| {
            waiting.client == *client
                && waiting.partition == *partition
                && matches!(&waiting.request, Request::Append(other) if other.topic == append.topic)
        };
        self.waiting.iter().position(same).unwrap_or(index)
    }

    fn range(&self, topic: &Arc<str>, partition: u32) -> Range {
        let held = self.shelves.get(&(Arc::clone(topic), partition));
        held.map_or_else(Range::default, |held| Range { start: held.start, end: held.records.len() as u64 })
    }

    fn happen(&mut self, client: Client, partition: u32, request: Request) -> Option<Report> {
        if let Request::Confirm { ticket }
        | Request::Last { ticket, .. }
        | Request::End { ticket, .. }
        | Request::Read { ticket, .. } = &request
            && self.faults.failed > 0
            && self.random.chance(3)
        {
            (self.faults.failed, self.happened.failed) = (self.faults.failed - 1, self.happened.failed + 1);
            return Some(Report::Failed { ticket: *ticket, why: "a passing fault".to_owned() });
        }
        Some(match request {
            Request::Confirm { ticket } if self.owner(partition) == Some(client) => Report::Confirmed { ticket },
            Request::Confirm { ticket } => Report::Stale { ticket },
            Request::Last { ticket, topic } => {
                let range = self.range(&topic, partition);
                let held = self.shelves.get(&(topic, partition));
                let last = held.and_then(|held| held.records.last()).filter(|last| last.offset >= range.start);
                Report::Last { ticket, last: last.cloned(), range }
            }
            Request::End { ticket, topic } => Report::End { ticket, range: self.range(&topic, partition) },
            Request::Read { ticket, topic, from } => self.read(ticket, &topic, partition, from),
            Request::Append(append) => {
                let outcome = self.append(client, &append);
                Report::Appended { ticket: append.ticket, outcome }
            }
            Request::Truncate { .. } => return None,
        })
    }

    fn read(&mut self, ticket: Ticket, topic: &Arc<str>, partition: u32, from: u64) -> Report {
        let range = self.range(topic, partition);
        if from < range.start || from > range.end {
            return Report::OutOfRange { ticket, range };
        }
        let most = 1 + self.random.below(8);
        let mut bytes = 0;
        let mut fits = |stored: &&Stored| {
            let is_first = bytes == 0;
            bytes += stored.message.payload.len().max(1);
            is_first || bytes <= READ_MAX
        };
        let held = self.shelves.get(&(Arc::clone(topic), partition));
        let behind = held.into_iter().flat_map(|held| &held.records).skip(usize::try_from(from).unwrap_or(usize::MAX));
        Report::Records { ticket, records: behind.take(most).take_while(&mut fits).cloned().collect(), range }
    }

    fn append(&mut self, client: Client, append: &Append) -> Outcome {
        if self.refusing.contains(&append.topic) {
            return Outcome::Refused(Arc::from("no such topic"));
        }
        if append.partition.is_some_and(|partition| partition >= self.partitions_of(&append.topic)) {
            return Outcome::Refused(Arc::from("no such partition"));
        }
        if append.message.payload.len() > self.record_max {
            return Outcome::Refused(Arc::from("too large"));
        }
        if self.full().is_some() {
            return Outcome::Unknown;
        }
        let skew = self.skews.get(&client).copied().unwrap_or_default();
        let fault = self.random.below(100);
        let (faults, happened) = (&mut self.faults, &mut self.happened);
        match fault {
            0..5 if strikes(&mut faults.lost, &mut happened.lost) => Outcome::Unknown,
            5..10 if strikes(&mut faults.unacknowledged, &mut happened.unacknowledged) => {
                self.store(&append.topic, append.partition, Arc::clone(&append.message), skew);
                Outcome::Unknown
            }
            10..15 if strikes(&mut faults.late, &mut happened.late) => {
                self.stray(append);
                Outcome::Unknown
            }
            15..20 if strikes(&mut faults.doubled, &mut happened.doubled) => {
                let offset = self.store(&append.topic, append.partition, Arc::clone(&append.message), skew);
                self.store(&append.topic, append.partition, Arc::clone(&append.message), skew);
                Outcome::At(offset)
            }
            20..25 if strikes(&mut faults.replaced, &mut happened.replaced) => {
                self.repeat(append);
                Outcome::Unknown
            }
            25..28 if strikes(&mut faults.mistaken, &mut happened.mistaken) => {
                self.store(&append.topic, append.partition, Arc::clone(&append.message), skew);
                Outcome::At(0)
            }
            28..31 if *append.topic != *JOURNAL && strikes(&mut faults.refused, &mut happened.refused) => {
                Outcome::Refused(Arc::from("not allowed"))
            }
            _ => Outcome::At(self.store(&append.topic, append.partition, Arc::clone(&append.message), skew)),
        }
    }

    /// Puts an older record of the same partition in the place of an append.
    fn repeat(&mut self, append: &Append) {
        let count = self.partitions_of(&append.topic);
        let partition = append.partition.unwrap_or_else(|| partition_of(&append.message.key, count));
        let held = self.shelves.get(&(Arc::clone(&append.topic), partition));
        // One of the latest, as a rule: what a producer still has in its hands.
        let older: Vec<&Stored> = held.into_iter().flat_map(|held| held.records.iter().rev().take(8)).collect();
        let Some(message) = older.get(self.random.below(older.len())).map(|older| Arc::clone(&older.message)) else {
            return;
        };
        self.put(&append.topic, Some(partition), message);
    }
}
