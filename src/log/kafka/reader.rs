//! Reads: consumers whose partitions are assigned by hand, shared by all users of a process.
//!
//! ```text
//!   ask -> lane: has it -> report
//!               has not -> job: which offsets are there? -> assign -> poll thread -> lane -> report
//! ```
//!
//! librdkafka fetches a partition once a consumer, so two users of one partition are put on two consumers. There are not
//! many: who finds none waits until one has gone.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers, Message as _};
use rdkafka::{Offset, TopicPartitionList};

use super::asking::Asking;
use super::context::{Context, Reach};
use super::error::is_absent;
use super::jobs::Jobs;
use super::lane::{Flow, Lane, Phase, QUIET_MAX, Then, Use, Want};
use super::queue::{Newcomer, Queue};
use super::rights::Reading;
use super::settings::{Role, Settings};
use crate::log::endpoint::{Endpoint, Outbox};
use crate::log::{Report, Stored, Topics};
use crate::time::Timestamp;
use crate::wire::{Headers as WireHeaders, Message};

/// How long a thread waits for records before it looks whether it should end.
const POLL: Duration = Duration::from_millis(100);

/// How long a question for a topic's leaders may take; who gets no answer finds them later.
const MEET_WITHIN: Duration = Duration::from_secs(2);

/// Records that are taken in one go, so that reports are groups and none waits long.
const AT_ONCE: usize = 1_000;

/// Users that read one partition of a topic at once; each further one needs another consumer, with its threads.
pub(super) const CONSUMERS_MAX: usize = 16;

const CLOSED: &str = "read a log that was closed";

type Place = (Arc<str>, u32);

/// All consumers of a process that read by hand.
pub(super) struct Readers {
    settings: Settings,
    group: String,
    reach: Arc<Reach>,
    jobs: Arc<Jobs>,
    asking: Arc<Asking>,
    rights: Arc<Reading>,
    pool: Arc<Mutex<Pool>>,
    is_closed: Arc<AtomicBool>,
}

/// The consumers, and who waits for a place on one.
#[derive(Default)]
struct Pool {
    all: Vec<(Arc<Reader>, JoinHandle<()>)>,
    queue: Queue,
}

fn locked(pool: &Mutex<Pool>) -> MutexGuard<'_, Pool> {
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    fn free(&self, topic: &str, home: u32) -> Option<&Arc<Reader>> {
        self.all.iter().map(|(reader, _)| reader).find(|reader| reader.is_free(topic, home))
    }

    /// Gives those who wait the places that have become free, in their turn.
    fn seat(&mut self, outbox: &mut Outbox) {
        for newcomer in self.queue.take() {
            let Newcomer { endpoint, topic, home, want, .. } = &newcomer;
            match (endpoint.upgrade(), self.free(topic, *home)) {
                (None, _) => {}
                (Some(endpoint), Some(reader)) => reader.ask(&endpoint, topic, *home, *want, outbox),
                (Some(endpoint), None) => match newcomer.given_up() {
                    Some(report) => outbox.push(&endpoint, *home, report),
                    None => self.queue.back(newcomer),
                },
            }
        }
    }
}

impl Readers {
    pub(super) fn new(
        settings: &Settings,
        (group, topics): (&str, &Topics),
        reach: &Arc<Reach>,
        jobs: &Arc<Jobs>,
        asking: &Arc<Asking>,
    ) -> Self {
        Self {
            settings: settings.clone(),
            group: group.to_owned(),
            reach: Arc::clone(reach),
            jobs: Arc::clone(jobs),
            asking: Arc::clone(asking),
            rights: Reading::new(settings, group, reach, topics.read()),
            pool: Arc::default(),
            is_closed: Arc::default(),
        }
    }

    /// Answers a question now or later.
    pub(super) fn ask(&self, endpoint: &Arc<Endpoint>, topic: &Arc<str>, home: u32, want: Want, outbox: &mut Outbox) {
        let mut pool = locked(&self.pool);
        let served = |(reader, _): &&(Arc<Reader>, JoinHandle<()>)| reader.serves(endpoint, want.usage(), topic, home);
        let known = pool.all.iter().find(served).map(|(reader, _)| reader);
        // Nobody overtakes those who wait already.
        let known = known.or_else(|| if pool.queue.has(topic, home) { None } else { pool.free(topic, home) });
        let reader = match known {
            Some(reader) => Arc::clone(reader),
            None if pool.all.len() >= CONSUMERS_MAX => return pool.queue.push(endpoint, topic, home, want),
            None => match self.open(&mut pool.all) {
                Ok(reader) => reader,
                Err(why) => return outbox.push(endpoint, home, Report::Failed { ticket: want.ticket(), why }),
            },
        };
        // Under the lock still: of two newcomers at one place both would find it free, and the first would wait for ever.
        reader.ask(endpoint, topic, home, want, outbox);
    }

    fn open(&self, all: &mut Vec<(Arc<Reader>, JoinHandle<()>)>) -> Result<Arc<Reader>, String> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(CLOSED.to_owned());
        }
        let config = self.settings.client(Role::Reader, &self.group);
        let consumer = BaseConsumer::from_config_and_context(&config, Context(Arc::clone(&self.reach)));
        let reader = Arc::new(Reader {
            consumer: consumer.map_err(|error| error.to_string())?,
            lanes: Mutex::default(),
            assigned: Mutex::default(),
            topics: Mutex::default(),
            jobs: Arc::clone(&self.jobs),
            asking: Arc::clone(&self.asking),
            rights: Arc::clone(&self.rights),
        });
        let (running, pool, is_closed) = (Arc::clone(&reader), Arc::clone(&self.pool), Arc::clone(&self.is_closed));
        let thread = std::thread::Builder::new().name(format!("kafka-read-{}", all.len()));
        let thread = thread.spawn(move || running.run(&pool, &is_closed)).map_err(|error| error.to_string())?;
        all.push((Arc::clone(&reader), thread));
        Ok(reader)
    }

    /// Ends the threads; whoever waits is told.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.rights.close();
        let Pool { all, mut queue } = std::mem::take(&mut *locked(&self.pool));
        let mut outbox = Outbox::default();
        for newcomer in queue.take() {
            newcomer.failed(CLOSED, &mut outbox);
        }
        outbox.deliver();
        for (reader, thread) in all {
            drop(thread.join());
            let mut outbox = Outbox::default();
            for lane in reader.lock().values_mut().flat_map(BTreeMap::values_mut) {
                lane.failed(CLOSED, &mut outbox);
            }
            outbox.deliver();
        }
    }
}

/// One consumer.
struct Reader {
    consumer: BaseConsumer<Context>,
    lanes: Mutex<BTreeMap<Arc<str>, BTreeMap<u32, Lane>>>,
    /// What librdkafka fetches. Held while that changes, so that changes come one by one.
    assigned: Mutex<BTreeMap<Place, Flow>>,
    /// Topics of which it knows the leaders.
    topics: Mutex<BTreeSet<Arc<str>>>,
    jobs: Arc<Jobs>,
    asking: Arc<Asking>,
    rights: Arc<Reading>,
}

impl Reader {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, BTreeMap<u32, Lane>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serves(&self, endpoint: &Arc<Endpoint>, usage: Use, topic: &str, home: u32) -> bool {
        let lanes = self.lock();
        lanes.get(topic).and_then(|of| of.get(&home)).is_some_and(|lane| lane.is_of(endpoint, usage))
    }

    fn is_free(&self, topic: &str, home: u32) -> bool {
        let lanes = self.lock();
        lanes.get(topic).and_then(|of| of.get(&home)).is_none_or(Lane::is_free)
    }

    fn ask(self: &Arc<Self>, endpoint: &Arc<Endpoint>, topic: &Arc<str>, home: u32, want: Want, outbox: &mut Outbox) {
        let mut lanes = self.lock();
        let of_topic = lanes.entry(Arc::clone(topic)).or_default();
        let lane = of_topic.entry(home).or_insert_with(|| Lane::new(endpoint, want.usage(), home));
        if !lane.is_of(endpoint, want.usage()) {
            *lane = Lane::new(endpoint, want.usage(), home);
        }
        let then = lane.ask(want, outbox);
        drop(lanes);
        self.follow_up((Arc::clone(topic), home), then);
    }

    fn follow_up(self: &Arc<Self>, place: Place, then: Then) {
        let reader = Arc::clone(self);
        match then {
            Then::Nothing => {}
            Then::Start(generation) => self.jobs.run(move || reader.start(&place, generation)),
            Then::SetFlow => self.jobs.run(move || reader.set_flow(&place)),
        }
    }

    /// Does something with a lane that still is what it was, and delivers what it says.
    fn with<T>(
        &self,
        (topic, home): &Place,
        generation: u64,
        change: impl FnOnce(&mut Lane, &mut Outbox) -> T,
    ) -> Option<T> {
        let mut outbox = Outbox::default();
        let mut lanes = self.lock();
        let lane = lanes.get_mut(topic)?.get_mut(home).filter(|lane| lane.generation == generation)?;
        let done = change(lane, &mut outbox);
        drop(lanes);
        outbox.deliver();
        Some(done)
    }

    /// Finds out which offsets there are, and fetches from there.
    fn start(&self, place: &Place, generation: u64) {
        if self.with(place, generation, |_, _| ()).is_none() {
            return;
        }
        self.meet(&place.0);
        let range = match self.asking.range(&place.0, place.1) {
            Ok(range) => range,
            Err(why) => {
                self.with(place, generation, |lane, outbox| lane.failed(&why, outbox));
                return;
            }
        };
        let mut assigned = self.assigned.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(found) = self.with(place, generation, |lane, outbox| lane.found(range, outbox)) else { return };
        self.let_go(place, &mut assigned);
        let Some(from) = found else { return };
        // Nothing older comes from here on, and nothing new yet.
        if self.with(place, generation, |lane, _| lane.streams_from(from)).is_none() {
            return;
        }
        match self.consumer.incremental_assign(&list(place, Some(from))) {
            Ok(()) => drop(assigned.insert(place.clone(), Flow::Goes)),
            Err(error) => {
                let why = format!("fetch partition {} of {}: {error}", place.1, place.0);
                self.with(place, generation, |lane, outbox| lane.failed(&why, outbox));
            }
        }
    }

    /// Lets the consumer learn who leads a topic's partitions: by itself it would look for a new one once a second.
    fn meet(&self, topic: &Arc<str>) {
        let known = || self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if !known().contains(topic) && self.consumer.fetch_metadata(Some(topic), MEET_WITHIN).is_ok() {
            known().insert(Arc::clone(topic));
        }
    }

    fn let_go(&self, place: &Place, assigned: &mut BTreeMap<Place, Flow>) {
        let Some(flow) = assigned.remove(place) else { return };
        let list = list(place, None);
        // A pause would outlast the assignment.
        let resumed = if flow == Flow::Pauses { self.consumer.resume(&list) } else { Ok(()) };
        if let Err(error) = resumed.and_then(|()| self.consumer.incremental_unassign(&list)) {
            tracing::warn!(topic = %place.0, partition = place.1, %error, "a partition cannot be let go by a Kafka consumer");
        }
    }

    fn set_flow(&self, place: &Place) {
        let mut assigned = self.assigned.lock().unwrap_or_else(PoisonError::into_inner);
        let flow = self.lock().get(&place.0).and_then(|of| of.get(&place.1)).map(|lane| lane.flow);
        let (Some(flow), Some(known)) = (flow, assigned.get_mut(place)) else { return };
        let set = match std::mem::replace(known, flow) {
            before if before == flow => Ok(()),
            Flow::Goes => self.consumer.pause(&list(place, None)),
            Flow::Pauses => self.consumer.resume(&list(place, None)),
        };
        if let Err(error) = set {
            tracing::warn!(topic = %place.0, partition = place.1, %error, "a partition cannot be paused by a Kafka consumer");
        }
    }

    fn run(self: &Arc<Self>, pool: &Mutex<Pool>, is_closed: &AtomicBool) {
        let mut looked = Instant::now();
        while !is_closed.load(Ordering::Relaxed) {
            let mut fetched: Vec<(BorrowedMessage<'_>, Stored)> = Vec::new();
            let mut next = self.consumer.poll(POLL);
            while let Some(polled) = next {
                match polled {
                    Ok(message) => {
                        let stored = stored(&message);
                        fetched.push((message, stored));
                    }
                    Err(error) => self.trouble(&error),
                }
                next = if fetched.len() < AT_ONCE { self.consumer.poll(Duration::ZERO) } else { None };
            }
            if !fetched.is_empty() {
                self.consumer.context().0.back();
                self.distribute(fetched);
            }
            let mut outbox = Outbox::default();
            locked(pool).seat(&mut outbox);
            outbox.deliver();
            if looked.elapsed() > QUIET_MAX {
                looked = Instant::now();
                self.give_up_quiet_ones();
            }
        }
    }

    fn distribute(self: &Arc<Self>, fetched: Vec<(BorrowedMessage<'_>, Stored)>) {
        let mut outbox = Outbox::default();
        let mut touched: BTreeSet<Place> = BTreeSet::new();
        let mut follow_ups = Vec::new();
        let mut lanes = self.lock();
        for (message, stored) in fetched {
            let Ok(partition) = u32::try_from(message.partition()) else { continue };
            let Some((topic, of_topic)) = lanes.get_key_value(message.topic()) else { continue };
            if of_topic.contains_key(&partition)
                && !touched.iter().any(|(known, at)| *at == partition && known == topic)
            {
                touched.insert((Arc::clone(topic), partition));
            }
            if let Some(lane) = lanes.get_mut(message.topic()).and_then(|of| of.get_mut(&partition)) {
                let bytes = stored.message.size();
                let then = lane.fetched(stored, bytes);
                if then != Then::Nothing {
                    follow_ups.push(((Arc::from(message.topic()), partition), then));
                }
            }
        }
        for place in touched {
            if let Some(lane) = lanes.get_mut(&place.0).and_then(|of| of.get_mut(&place.1)) {
                let then = lane.answer(&mut outbox);
                follow_ups.push((place, then));
            }
        }
        drop(lanes);
        outbox.deliver();
        for (place, then) in follow_ups {
            self.follow_up(place, then);
        }
    }

    /// An error of one partition, but it is not said of which: those that wait ask anew what there is.
    fn trouble(self: &Arc<Self>, error: &KafkaError) {
        let code = error.rdkafka_error_code();
        if code == Some(RDKafkaErrorCode::TopicAuthorizationFailed) {
            // It says so once, fetches again about once a second by itself, and goes on where it was when it is let.
            return self.rights.doubt(self.lock().keys().cloned());
        }
        let is_of_a_partition = code.is_some_and(|code| {
            is_absent(code) || matches!(code, RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
        });
        if !is_of_a_partition {
            return tracing::trace!(%error, "a Kafka consumer");
        }
        let mut follow_ups = Vec::new();
        for (topic, of_topic) in self.lock().iter_mut() {
            for (partition, lane) in of_topic.iter_mut().filter(|(_, lane)| lane.phase == Phase::Streaming) {
                if lane.waiting.is_some() {
                    follow_ups.push(((Arc::clone(topic), *partition), lane.restart()));
                } else {
                    lane.end();
                }
            }
        }
        for (place, then) in follow_ups {
            self.follow_up(place, then);
        }
    }

    fn give_up_quiet_ones(self: &Arc<Self>) {
        let mut gone: Vec<Place> = Vec::new();
        let mut lanes = self.lock();
        for (topic, of_topic) in lanes.iter_mut() {
            of_topic.retain(|partition, lane| {
                if lane.is_quiet() {
                    gone.push((Arc::clone(topic), *partition));
                }
                !lane.is_quiet()
            });
        }
        drop(lanes);
        for place in gone {
            let reader = Arc::clone(self);
            self.jobs.run(move || {
                let mut assigned = reader.assigned.lock().unwrap_or_else(PoisonError::into_inner);
                // Somebody may have come meanwhile, whose start is behind this or has been.
                if reader.lock().get(&place.0).and_then(|of| of.get(&place.1)).is_none() {
                    reader.let_go(&place, &mut assigned);
                }
            });
        }
    }
}

fn list((topic, partition): &Place, from: Option<u64>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    let number = i32::try_from(*partition).unwrap_or(i32::MAX);
    let mut element = list.add_partition(topic, number);
    if let Some(from) = from {
        let offset = Offset::Offset(i64::try_from(from).unwrap_or(i64::MAX));
        element.set_offset(offset).expect("an offset of a record is one");
    }
    list
}

/// A header. None if its name is no text: the client panics at one, and anybody may write it.
fn header(all: &BorrowedHeaders, index: usize) -> Option<(&str, Cow<'_, str>)> {
    let header = catch_unwind(AssertUnwindSafe(|| all.get(index))).ok()?;
    Some((header.key, String::from_utf8_lossy(header.value.unwrap_or_default())))
}

/// The key of a record. One that is no text is escaped, so that whoever wrote it knows it again.
fn key<'m>(message: &'m BorrowedMessage<'_>) -> Cow<'m, str> {
    let key = message.key().unwrap_or_default();
    str::from_utf8(key).map_or_else(|_| Cow::Owned(key.escape_ascii().to_string()), Cow::Borrowed)
}

/// A record as it was fetched. What is not text in a header's value is replaced: anybody may write to a topic.
pub(crate) fn stored(message: &BorrowedMessage<'_>) -> Stored {
    let headers = message
        .headers()
        .map_or_else(WireHeaders::default, |all| (0..all.count()).filter_map(|index| header(all, index)).collect());
    let taken =
        Message { key: Arc::from(key(message)), headers, payload: Box::from(message.payload().unwrap_or_default()) };
    let millis = message.timestamp().to_millis().and_then(|millis| u64::try_from(millis).ok());
    Stored {
        offset: u64::try_from(message.offset()).unwrap_or_default(),
        timestamp: Timestamp(millis.unwrap_or_default()),
        message: Arc::new(taken),
    }
}
