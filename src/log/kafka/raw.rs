//! Any bytes to any partition, and whatever comes on topics from now on: for what speaks to participants from outside.
//!
//! The adapter beside it reads and writes [`Message`]s; this one also writes what no message can hold, and says of what
//! it reads what was wrong with it. It belongs to no group and commits nothing, so nobody notices it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::Client;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use super::asking::watermarks;
use super::context::{Context, Reach, remark};
use super::demands::BATCH_HEAD;
use super::error::OpenError;
use super::producer::with_headers;
use super::reader::stored;
use super::readership::{self, Reader};
use super::settings::{Role, Settings};
use super::topics::{Unasked, away, partitions_of, said};
use crate::wire::{EVENT_MAX, Message};

/// How long the broker may take for one question, and for an acknowledgement.
const ASK_WITHIN: Duration = Duration::from_secs(30);

/// The replicas of a topic that is made where nobody says how many: as many as the broker has set as its default.
const REPLICATION: TopicReplication<'static> = TopicReplication::Fixed(-1);

/// What is sent: everything may be missing or wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawMessage {
    /// The key.
    pub key: Option<Vec<u8>>,
    /// In their order; a value may be null.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The payload; null is what deletes a key of a compacted topic.
    pub payload: Option<Vec<u8>>,
}

impl From<&Message> for RawMessage {
    fn from(message: &Message) -> Self {
        let header = |(name, value): (&str, &str)| (name.to_owned(), Some(value.as_bytes().to_vec()));
        Self {
            key: Some(message.key.as_bytes().to_vec()),
            headers: message.headers.iter().map(header).collect(),
            payload: Some(message.payload.to_vec()),
        }
    }
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawArrival {
    /// On which topic.
    pub topic: String,
    /// In which partition of it.
    pub partition: u32,
    /// What; bytes of headers that are no text are replaced by U+FFFD.
    pub message: Message,
}

/// An acknowledgement on its way.
type Ack = Result<(), String>;

/// Tells who waits for it what became of each message.
pub(super) struct Acknowledging(pub(super) Arc<Reach>);

impl ClientContext for Acknowledging {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, words: &str) {
        remark(level, facility, words);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.trouble(&error, reason);
    }
}

impl ProducerContext for Acknowledging {
    type DeliveryOpaque = Box<Sender<Ack>>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Box<Sender<Ack>>) {
        let ack = result.as_ref().map(|_| ()).map_err(|(error, _)| said(error));
        // Whoever waited may have gone.
        drop(waiting.send(ack));
    }
}

/// A way to the topics.
pub struct Raw {
    settings: Settings,
    reach: Arc<Reach>,
    producer: ThreadedProducer<Acknowledging>,
    consumer: BaseConsumer<Context>,
}

impl Raw {
    /// Opens it. Nothing is asked of the broker yet.
    ///
    /// # Errors
    /// The settings are no good.
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        let reach = Reach::new(&settings.brokers);
        let producer = ThreadedProducer::from_config_and_context(
            &settings.client(Role::Effects, ""),
            Acknowledging(Arc::clone(&reach)),
        );
        let reader = settings.client(Role::Reader, "saga.raw");
        let consumer = BaseConsumer::from_config_and_context(&reader, Context(Arc::clone(&reach)));
        Ok(Self {
            settings: settings.clone(),
            reach,
            producer: producer.map_err(|error| OpenError::client(&error))?,
            consumer: consumer.map_err(|error| OpenError::client(&error))?,
        })
    }

    /// The broker does not do it.
    pub(crate) fn refused(&self, what: &'static str, why: String) -> OpenError {
        OpenError::Broker { what, brokers: self.settings.brokers.clone(), why }
    }

    fn asking(&self) -> &Client<Context> {
        self.consumer.client()
    }

    /// How many partitions a topic has; none if there is no such topic. Waits a moment for a broker that is away.
    ///
    /// # Errors
    /// The broker does not answer.
    pub fn partitions(&self, topic: &str) -> Result<Option<u32>, OpenError> {
        const WHAT: &str = "ask for a topic";
        let began = Instant::now();
        let brokers = &self.settings.brokers;
        loop {
            match partitions_of(self.asking(), topic) {
                Ok(count) => {
                    self.reach.back();
                    return Ok(count);
                }
                Err(Unasked::NotAllowed) => {
                    let (brokers, on) = (brokers.clone(), format!("topic `{topic}`"));
                    return Err(OpenError::NotAllowed { what: WHAT, brokers, operation: "Describe", on });
                }
                Err(Unasked::Failed(why)) => {
                    let left = ASK_WITHIN.checked_sub(began.elapsed());
                    away(&self.consumer, &self.reach, (WHAT, brokers), &why, left)?;
                }
            }
        }
    }

    /// Who reads a topic, and of groups by KIP-848 those that have committed something.
    ///
    /// # Errors
    /// The broker does not answer.
    pub fn readers(&self, topic: &str) -> Result<Vec<Reader>, String> {
        let topics = [topic.to_owned()];
        readership::told(&self.consumer, &topics)?.all(&self.consumer, &self.settings, &topics)
    }

    /// Makes a topic for payloads of any size that is allowed, whose records go after `kept`, unless it is there. How many partitions it has then.
    ///
    /// # Errors
    /// The broker does not answer, or refuses.
    pub async fn make(&self, topic: &str, partitions: u32, kept: Duration) -> Result<u32, OpenError> {
        if let Some(count) = self.partitions(topic)? {
            return Ok(count);
        }
        let config = self.settings.client(Role::Admin, "");
        let admin = AdminClient::from_config_and_context(&config, Context(Arc::clone(&self.reach)))
            .map_err(|error| OpenError::client(&error))?;
        let (kept, largest) = (kept.as_millis().to_string(), (EVENT_MAX + BATCH_HEAD).to_string());
        let new = NewTopic::new(topic, i32::try_from(partitions).unwrap_or(i32::MAX), REPLICATION)
            .set("cleanup.policy", "delete")
            .set("max.message.bytes", &largest)
            .set("retention.ms", &kept);
        let options = AdminOptions::new().request_timeout(Some(ASK_WITHIN)).operation_timeout(Some(ASK_WITHIN));
        let results = admin.create_topics(&[new], &options).await;
        for result in results.map_err(|error| self.refused("make a topic", said(&error)))? {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => return Err(self.refused("make a topic", format!("`{name}`: {code}"))),
            }
        }
        let began = Instant::now();
        loop {
            match self.partitions(topic)? {
                Some(count) => return Ok(count),
                None if began.elapsed() >= ASK_WITHIN => {
                    return Err(self.refused("make a topic", format!("`{topic}` does not appear")));
                }
                None => {}
            }
        }
    }

    fn ends(&self, topic: &str, partition: u32) -> Result<(i64, i64), OpenError> {
        let number = i32::try_from(partition).unwrap_or(i32::MAX);
        let began = Instant::now();
        loop {
            match watermarks(&self.consumer, topic, number, ASK_WITHIN) {
                Ok(range) => return Ok(range),
                // A topic that was made just now has no leader for a moment.
                Err(error) if began.elapsed() >= ASK_WITHIN => {
                    return Err(self.refused("ask for the end of a topic", said(&error)));
                }
                Err(_) => {}
            }
        }
    }

    /// Reads these topics from their ends on, instead of what was read before.
    ///
    /// # Errors
    /// The broker does not answer.
    pub fn follow(&self, topics: &[(String, u32)]) -> Result<(), OpenError> {
        let mut list = TopicPartitionList::new();
        for (topic, partitions) in topics {
            for partition in 0..*partitions {
                let (_, end) = self.ends(topic, partition)?;
                let added =
                    list.add_partition_offset(topic, i32::try_from(partition).unwrap_or(i32::MAX), Offset::Offset(end));
                added.map_err(|error| OpenError::client(&error))?;
            }
        }
        self.consumer.assign(&list).map_err(|error| OpenError::client(&error))
    }

    /// All that a partition holds now. For small topics: it is read into memory. What was followed is followed no more.
    ///
    /// # Errors
    /// The broker does not answer.
    pub fn read_all(&self, topic: &str, partition: u32) -> Result<Vec<Message>, OpenError> {
        let (start, end) = self.ends(topic, partition)?;
        let number = i32::try_from(partition).unwrap_or(i32::MAX);
        let mut list = TopicPartitionList::new();
        let added = list.add_partition_offset(topic, number, Offset::Offset(start));
        added.and_then(|()| self.consumer.assign(&list)).map_err(|error| OpenError::client(&error))?;
        let mut all = Vec::new();
        let began = Instant::now();
        // Compaction leaves holes, so the position says when the end is reached.
        let is_there = |position: &TopicPartitionList| {
            position.elements().iter().any(|at| at.offset().to_raw().is_some_and(|offset| offset >= end))
        };
        while start < end && began.elapsed() < ASK_WITHIN {
            if let Some(arrival) = self.next(Duration::from_millis(100)) {
                all.push(arrival.message);
            }
            if self.consumer.position().is_ok_and(|position| is_there(&position)) {
                return Ok(all);
            }
        }
        if start >= end { Ok(all) } else { Err(self.refused("read a topic to its end", format!("`{topic}`"))) }
    }

    /// Sends messages to partitions of a topic, in this order, and waits until all are acknowledged or refused.
    ///
    /// # Errors
    /// The first of them that is not in the log: why. Those behind it may be.
    pub fn send(&self, topic: &str, messages: &[(u32, RawMessage)]) -> Result<(), String> {
        send_by(&self.producer, topic, messages)
    }

    /// Sends messages in a transaction by this id, and aborts it: nobody who reads committed records alone is given them.
    ///
    /// # Errors
    /// The broker makes no transaction for this user, or does not take the messages.
    pub fn send_and_abort(&self, id: &str, topic: &str, messages: &[(u32, RawMessage)]) -> Result<(), String> {
        let mut config = self.settings.client(Role::Effects, "");
        config.set("transactional.id", id);
        let producer: ThreadedProducer<Acknowledging> =
            ThreadedProducer::from_config_and_context(&config, Acknowledging(Arc::clone(&self.reach)))
                .map_err(|error| said(&error))?;
        producer.init_transactions(ASK_WITHIN).map_err(|error| said(&error))?;
        producer.begin_transaction().map_err(|error| said(&error))?;
        // What is not in the log when it is aborted never comes there.
        let sent = send_by(&producer, topic, messages);
        let aborted = producer.abort_transaction(ASK_WITHIN).map_err(|error| said(&error));
        sent.and(aborted)
    }

    /// What comes next on the topics that are followed; none if nothing comes so long.
    pub fn next(&self, within: Duration) -> Option<RawArrival> {
        let began = Instant::now();
        loop {
            let left = within.saturating_sub(began.elapsed());
            match self.consumer.poll(left) {
                Some(Ok(message)) => {
                    let taken = stored(&message);
                    return Some(RawArrival {
                        topic: message.topic().to_owned(),
                        partition: u32::try_from(message.partition()).unwrap_or_default(),
                        message: Message::clone(&taken.message),
                    });
                }
                // It is tried again by the client itself.
                Some(Err(error)) => tracing::debug!(%error, "reading"),
                None => {}
            }
            if began.elapsed() >= within {
                return None;
            }
        }
    }
}

fn send_by(
    producer: &ThreadedProducer<Acknowledging>,
    topic: &str,
    messages: &[(u32, RawMessage)],
) -> Result<(), String> {
    let waiting: Vec<Receiver<Ack>> =
        messages.iter().map(|(partition, message)| begin(producer, topic, *partition, message)).collect();
    let mut first = Ok(());
    for ack in waiting {
        let ack = ack.recv_timeout(ASK_WITHIN * 2).unwrap_or_else(|_| Err("it was not acknowledged".to_owned()));
        first = first.and(ack);
    }
    first
}

fn begin(
    producer: &ThreadedProducer<Acknowledging>,
    topic: &str,
    partition: u32,
    message: &RawMessage,
) -> Receiver<Ack> {
    let (done, ack) = channel();
    let mut record = BaseRecord::with_opaque_to(topic, Box::new(done))
        .partition(i32::try_from(partition).unwrap_or(i32::MAX))
        .headers(with_headers(message.headers.iter().map(|(key, value)| (&**key, value.as_ref()))));
    if let Some(key) = &message.key {
        record = record.key(key);
    }
    if let Some(payload) = &message.payload {
        record = record.payload(payload);
    }
    if let Err((error, record)) = producer.send::<Vec<u8>, Vec<u8>>(record) {
        drop(record.delivery_opaque.send(Err(said(&error))));
    }
    ack
}
