//! Appends: one producer for journals, one for everything else, so that a flood of the one does not hold up the other.
//!
//! ```text
//!   submit -> librdkafka's queue -> broker -> delivery callback -> Deliveries -> its own thread -> reports
//! ```
//!
//! A producer that failed for good is replaced; what it had under way is reported as unknown, which sends the
//! partitions that wait for it to step 1.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};

use super::absence::{Absences, Absent};
use super::context::{Reach, remark};
use super::demands::too_large;
use super::error::{OpenError, is_absent, is_final};
use super::settings::{Role, Settings};
use super::trust::{Renewal, Trust};
use crate::log::endpoint::{Endpoint, Outbox};
use crate::log::{Append, Outcome, Report, Right, Ticket};
use crate::wire::Message;

/// From so many appends under way on their reports are gathered for [`GATHERS_FOR`]: who is told of many at once does many
/// at once, and what it appends travels together. Where so much is under way, all of them at one broker that answers or at one that does not, this is little.
const GATHERS_FROM: usize = 1_000;

/// How long reports are gathered: about what a broker takes for a request.
const GATHERS_FOR: Duration = Duration::from_millis(2);

/// Reports of appends on their way to those who asked.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    state: Mutex<Waiting>,
    changed: Condvar,
    /// Appends without a report.
    open: AtomicUsize,
}

#[derive(Debug, Default)]
struct Waiting {
    outbox: Outbox,
    has_some: bool,
    closing: bool,
}

impl Deliveries {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, asker: &Asker, outcome: Outcome) {
        let Asker { endpoint, home, ticket, .. } = asker;
        let mut state = self.lock();
        state.outbox.push(endpoint, *home, Report::Appended { ticket: *ticket, outcome });
        let is_first = !std::mem::replace(&mut state.has_some, true);
        drop(state);
        if is_first {
            self.changed.notify_all();
        }
    }

    /// Delivers until it is closed. What has gathered meanwhile goes in one piece, so groups grow with the load.
    pub(super) fn run(&self) {
        loop {
            let idle = |state: &mut Waiting| !state.has_some && !state.closing;
            let mut state = self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
            if !state.has_some {
                return;
            }
            if !state.closing && self.open.load(Ordering::Relaxed) >= GATHERS_FROM {
                drop(state);
                std::thread::sleep(GATHERS_FOR);
                state = self.lock();
            }
            state.has_some = false;
            let outbox = std::mem::take(&mut state.outbox);
            drop(state);
            let count = outbox.len();
            outbox.deliver();
            self.open.fetch_sub(count, Ordering::Relaxed);
            // Who looks at the count before it waits holds this.
            drop(self.lock());
            self.changed.notify_all();
        }
    }

    /// Waits until nothing is under way, no longer than until `end`.
    pub(super) fn drain(&self, end: Instant) {
        let waits = |_: &mut Waiting| self.open.load(Ordering::Relaxed) > 0;
        let left = end.saturating_duration_since(Instant::now());
        drop(self.changed.wait_timeout_while(self.lock(), left, waits));
    }

    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }
}

/// Who waits for the end of an append.
struct Asker {
    endpoint: Arc<Endpoint>,
    home: u32,
    ticket: Ticket,
    /// See [`Append::waits`].
    waits: bool,
}

/// What is known of the topics to which it appends, by what became of appends.
#[derive(Default)]
struct Topics {
    trust: BTreeMap<Box<str>, BTreeMap<i32, Trust>>,
    absent: Absences,
}

struct Context {
    reach: Arc<Reach>,
    deliveries: Arc<Deliveries>,
    topics: Mutex<Topics>,
    renewal: Renewal,
    /// Where it writes journals, of which no record may be too large: for the command that mends that.
    brokers: Option<String>,
    /// Whether the producer can do nothing any more.
    has_failed: AtomicBool,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, words: &str) {
        remark(level, facility, words);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            tracing::warn!(reason, "a Kafka producer failed for good and is replaced");
            self.has_failed.store(true, Ordering::Relaxed);
            return;
        }
        // It gives up for good on its first question for an id, which whoever may write to any topic is answered.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::ClusterAuthorizationFailed) {
            self.has_failed.store(true, Ordering::Relaxed);
            self.reach.denied();
            return;
        }
        self.reach.trouble(&error, reason);
    }

    fn stats_raw(&self, json: &[u8]) {
        self.reach.statistics(json);
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Asker>;

    fn delivery(&self, result: &DeliveryResult<'_>, asker: Box<Asker>) {
        let outcome = match result {
            Ok(message) => {
                self.reach.wrote();
                let topic = message.topic();
                self.reach.denials.allowed(topic, Right::Write);
                let Topics { trust, absent } = &mut *self.lock();
                if absent.is_back(topic) {
                    tracing::info!(topic, "a topic is there again");
                }
                let judge = |of: &mut BTreeMap<i32, Trust>| {
                    of.entry(message.partition()).or_default().judge(message.offset(), self.renewal)
                };
                let judged = match trust.get_mut(topic) {
                    Some(of_topic) => judge(of_topic),
                    None => judge(trust.entry(Box::from(topic)).or_default()),
                };
                judged.map_or(Outcome::Unknown, Outcome::At)
            }
            Err((error, message)) => self.outcome_of(error, message.topic(), &asker),
        };
        self.deliveries.push(&asker, outcome);
    }
}

impl Context {
    fn lock(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of an append that failed.
    fn outcome_of(&self, error: &KafkaError, topic: &str, asker: &Asker) -> Outcome {
        if asker.waits && error.rdkafka_error_code().is_some_and(is_absent) {
            match self.lock().absent.note(topic, Instant::now()) {
                Absent::Suddenly => {
                    tracing::warn!(
                        topic,
                        "there is no such topic: what is to be sent there is tried again for a minute"
                    );
                }
                Absent::ForNow => {}
                Absent::ForGood => return Outcome::Refused(Arc::from(format!("there is no topic {topic}"))),
            }
            return Outcome::Unknown;
        }
        match (error.rdkafka_error_code(), &self.brokers) {
            (Some(RDKafkaErrorCode::MessageSizeTooLarge), Some(brokers)) => {
                Outcome::Refused(Arc::from(too_large(topic, brokers)))
            }
            (Some(RDKafkaErrorCode::TopicAuthorizationFailed), _) => {
                // What cannot be journaled stops everything; of anything else those hear that wanted it written.
                let is_vital = self.renewal == Renewal::Doubted;
                Outcome::Refused(Arc::from(self.reach.refused_to_write(topic, is_vital)))
            }
            _ => outcome_of(error),
        }
    }
}

fn outcome_of(error: &KafkaError) -> Outcome {
    match error.rdkafka_error_code() {
        Some(code) if is_final(code) => Outcome::Refused(Arc::from(code.to_string())),
        code => {
            tracing::debug!(?code, %error, "nobody knows what became of an append");
            Outcome::Unknown
        }
    }
}

/// A producer that is replaced when it fails.
pub(super) struct Producer {
    settings: Settings,
    role: Role,
    reach: Arc<Reach>,
    deliveries: Arc<Deliveries>,
    /// `None` once it is closed.
    current: RwLock<Option<Arc<ThreadedProducer<Context>>>>,
}

impl Producer {
    pub(super) fn open(
        settings: &Settings,
        role: Role,
        reach: &Arc<Reach>,
        deliveries: &Arc<Deliveries>,
    ) -> Result<Self, OpenError> {
        let producer = Self {
            settings: settings.clone(),
            role,
            reach: Arc::clone(reach),
            deliveries: Arc::clone(deliveries),
            current: RwLock::new(None),
        };
        let first = producer.make().map_err(|error| OpenError::client(&error))?;
        *producer.current.write().unwrap_or_else(PoisonError::into_inner) = Some(first);
        Ok(producer)
    }

    fn make(&self) -> Result<Arc<ThreadedProducer<Context>>, KafkaError> {
        let context = Context {
            reach: Arc::clone(&self.reach),
            deliveries: Arc::clone(&self.deliveries),
            topics: Mutex::default(),
            renewal: if self.role == Role::Journal { Renewal::Doubted } else { Renewal::Believed },
            brokers: (self.role == Role::Journal).then(|| self.settings.brokers.clone()),
            has_failed: AtomicBool::new(false),
        };
        ThreadedProducer::from_config_and_context(&self.settings.client(self.role, ""), context).map(Arc::new)
    }

    /// The producer that works; `None` if it is closed, or cannot be made for now.
    fn current(&self) -> Option<Arc<ThreadedProducer<Context>>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        if !current.context().has_failed.load(Ordering::Relaxed) {
            return Some(current);
        }
        let mut slot = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().is_some_and(|known| Arc::ptr_eq(known, &current)) {
            let fresh = self.make().inspect_err(|error| tracing::error!(%error, "a Kafka producer cannot be made"));
            let old = slot.replace(fresh.ok()?);
            // Dropping it waits for its thread, which is nothing for a submitter.
            std::thread::spawn(move || drop((old, current)));
        }
        slot.clone()
    }

    /// Hands messages over. What came of each is reported to the endpoint.
    pub(super) fn append(&self, endpoint: &Arc<Endpoint>, home: u32, appends: &[Append]) {
        if appends.is_empty() {
            return;
        }
        self.deliveries.open.fetch_add(appends.len(), Ordering::Relaxed);
        let producer = self.current();
        for append in appends {
            let (ticket, waits) = (append.ticket, append.waits);
            let asker = Box::new(Asker { endpoint: Arc::clone(endpoint), home, ticket, waits });
            match &producer {
                Some(producer) => self.hand_over(producer, append, asker),
                None => self.deliveries.push(&asker, Outcome::Unknown),
            }
        }
    }

    fn hand_over(&self, producer: &ThreadedProducer<Context>, append: &Append, asker: Box<Asker>) {
        let Append { topic, partition, message, .. } = append;
        let mut record = BaseRecord::with_opaque_to(topic, asker).payload(&*message.payload);
        // Journal records have none, and an empty list is a piece of memory all the same.
        if !message.headers.is_empty() {
            record = record.headers(headers(message));
        }
        // Without a partition an empty key is a key, too, and chooses.
        if !message.key.is_empty() || partition.is_none() {
            record = record.key(message.key.as_bytes());
        }
        match partition.map(i32::try_from) {
            Some(Ok(number)) => record = record.partition(number),
            Some(Err(_)) => {
                let outcome = Outcome::Refused(Arc::from("no such partition"));
                return self.deliveries.push(&record.delivery_opaque, outcome);
            }
            None => {}
        }
        if let Err((error, record)) = producer.send(record) {
            if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
                producer.context().has_failed.store(true, Ordering::Relaxed);
            }
            let outcome = producer.context().outcome_of(&error, topic, &record.delivery_opaque);
            self.deliveries.push(&record.delivery_opaque, outcome);
        }
    }

    /// Ends it. What is under way is reported as unknown.
    pub(super) fn close(&self) {
        let current = self.current.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(current);
    }
}

pub(crate) fn headers(message: &Message) -> OwnedHeaders {
    with_headers(message.headers.iter().map(|(key, value)| (key, Some(value))))
}

/// As the client takes them; a value may be null.
pub(super) fn with_headers<'h, V: AsRef<[u8]> + ?Sized + 'h>(
    all: impl ExactSizeIterator<Item = (&'h str, Option<&'h V>)>,
) -> OwnedHeaders {
    let none = OwnedHeaders::new_with_capacity(all.len());
    all.fold(none, |headers, (key, value)| headers.insert(Header { key, value: value.map(AsRef::as_ref) }))
}
