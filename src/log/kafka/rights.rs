//! Rights that this user lacks: what a broker refused is said once and held against the log until it is allowed again.
//!
//! A consumer is told that it may not read, and not what. So the topics that it reads are tried one by one, and those that
//! are refused again and again, until none is: a topic to which nobody writes would never tell that it may be read again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::context::{Context, Reach};
use super::settings::{Role, Settings};
use crate::log::health::now;
use crate::log::{Denial, Right};

/// How long a topic that may not be read is left alone: a client's connection each time, and whoever gives the right can
/// wait as long.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// How long one try may take: the broker answers within a second, and one that is away tells nothing of rights.
const TRY_WITHIN: Duration = Duration::from_secs(10);

/// How long is waited in one piece before a look whether all is closed.
const POLL: Duration = Duration::from_millis(100);

/// What was refused last, by topic and right.
#[derive(Debug, Default)]
pub(super) struct Denials {
    all: Mutex<BTreeMap<(Box<str>, Right), Denial>>,
    /// Whether there are any: each append that succeeds asks.
    has_some: AtomicBool,
}

impl Denials {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Box<str>, Right), Denial>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A topic is refused. Said when it is news.
    pub(super) fn refused(&self, topic: &str, right: Right, is_vital: bool, brokers: &str) {
        let mut all = self.lock();
        if all.contains_key(&(Box::from(topic), right)) {
            return;
        }
        let why = forbidden(topic, right, brokers);
        let denial = Denial { topic: Box::from(topic), right, why: why.clone(), since: now(), is_vital };
        all.insert((Box::from(topic), right), denial);
        self.has_some.store(true, Ordering::Relaxed);
        drop(all);
        tracing::warn!("{why}; it is tried again and again");
    }

    /// A topic is not refused any more, or never was.
    pub(super) fn allowed(&self, topic: &str, right: Right) {
        if !self.has_some.load(Ordering::Relaxed) {
            return;
        }
        let mut all = self.lock();
        let was_refused = all.remove(&(Box::from(topic), right)).is_some();
        self.has_some.store(!all.is_empty(), Ordering::Relaxed);
        drop(all);
        if was_refused {
            tracing::warn!("this user may {right} topic `{topic}` again");
        }
    }

    pub(super) fn all(&self) -> Vec<Denial> {
        self.lock().values().cloned().collect()
    }
}

/// For people.
pub(super) fn forbidden(topic: &str, right: Right, brokers: &str) -> String {
    format!("this user may not {right} topic `{topic}` of Kafka at {brokers}; what each needs stands in docs/kafka.md")
}

/// Finds out which topics may not be read.
pub(super) struct Reading {
    settings: Settings,
    group: String,
    reach: Arc<Reach>,
    /// Without these nothing goes on.
    vital: BTreeSet<Arc<str>>,
    state: Mutex<Trying>,
    is_closed: AtomicBool,
}

#[derive(Default)]
struct Trying {
    /// What is to be tried.
    topics: BTreeSet<Arc<str>>,
    /// Ends once there is nothing to be tried.
    thread: Option<JoinHandle<()>>,
    is_running: bool,
}

impl Reading {
    pub(super) fn new(settings: &Settings, group: &str, reach: &Arc<Reach>, vital: BTreeSet<Arc<str>>) -> Arc<Self> {
        Arc::new(Self {
            settings: settings.clone(),
            group: group.to_owned(),
            reach: Arc::clone(reach),
            vital,
            state: Mutex::default(),
            is_closed: AtomicBool::new(false),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Trying> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of these topics was refused.
    pub(super) fn doubt(self: &Arc<Self>, topics: impl IntoIterator<Item = Arc<str>>) {
        let mut state = self.lock();
        state.topics.extend(topics);
        if state.is_running || self.is_closed.load(Ordering::Relaxed) {
            return;
        }
        let reading = Arc::clone(self);
        match std::thread::Builder::new().name("kafka-rights".to_owned()).spawn(move || reading.run()) {
            Ok(thread) => (state.is_running, state.thread) = (true, Some(thread)),
            Err(error) => tracing::error!(%error, "nobody finds out which topic of Kafka may not be read"),
        }
    }

    fn run(&self) {
        loop {
            let mut state = self.lock();
            // Whoever doubts one meanwhile has it tried again.
            let topics = std::mem::take(&mut state.topics);
            if topics.is_empty() || self.is_closed.load(Ordering::Relaxed) {
                state.is_running = false;
                return;
            }
            drop(state);
            for topic in topics {
                match self.may_read(&topic) {
                    Some(true) => self.reach.denials.allowed(&topic, Right::Read),
                    Some(false) => {
                        self.reach.refused(&topic, Right::Read, self.vital.contains(&topic));
                        self.lock().topics.insert(topic);
                    }
                    None => drop(self.lock().topics.insert(topic)),
                }
            }
            let began = Instant::now();
            while began.elapsed() < TRY_AGAIN_AFTER && !self.is_closed.load(Ordering::Relaxed) {
                std::thread::sleep(POLL);
            }
        }
    }

    /// `None`: the broker does not say.
    fn may_read(&self, topic: &str) -> Option<bool> {
        let mut config = self.settings.client(Role::Reader, &self.group);
        // A topic without records tells by its end that it may be read.
        config.set("enable.partition.eof", "true");
        let consumer = BaseConsumer::from_config_and_context(&config, Context(Arc::clone(&self.reach))).ok()?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning).ok()?;
        consumer.assign(&list).ok()?;
        let began = Instant::now();
        while began.elapsed() < TRY_WITHIN && !self.is_closed.load(Ordering::Relaxed) {
            match consumer.poll(POLL) {
                None => {}
                Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => return Some(true),
                Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                    return Some(false);
                }
                Some(Err(error)) => tracing::debug!(topic, %error, "whether a topic of Kafka may be read"),
            }
        }
        None
    }

    /// Ends its thread.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        let thread = self.lock().thread.take();
        drop(thread.map(JoinHandle::join));
    }
}
