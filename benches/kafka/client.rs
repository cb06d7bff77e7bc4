//! librdkafka as it is fastest: an idempotent producer with delivery callbacks, consumers assigned by hand.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use crate::broker::Quiet;

/// What one message is.
pub(crate) struct Outgoing {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: u32,
    pub(crate) key: Box<[u8]>,
    pub(crate) payload: Box<[u8]>,
}

/// What follows when a message is acknowledged.
pub(crate) trait Then: Send + Sync + 'static {
    fn acknowledged(&self, then: Outgoing);
}

/// Nothing follows.
pub(crate) struct Nothing;

impl Then for Nothing {
    fn acknowledged(&self, _: Outgoing) {}
}

struct Context<T>(T);

impl<T: Then> ClientContext for Context<T> {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
}

impl<T: Then> ProducerContext for Context<T> {
    type DeliveryOpaque = Box<Vec<Outgoing>>;

    fn delivery(&self, result: &DeliveryResult<'_>, then: Box<Vec<Outgoing>>) {
        // The driver notices what is lost, and ends with an error.
        assert!(result.is_ok(), "the broker acknowledges all that it is sent: {result:?}");
        for then in *then {
            self.0.acknowledged(then);
        }
    }
}

/// A producer.
pub(crate) struct Sender<T: Then>(ThreadedProducer<Context<T>>);

impl<T: Then> Sender<T> {
    pub(crate) fn open(brokers: &str, linger_ms: u32, then: T) -> Self {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", linger_ms.to_string())
            .set("retry.backoff.ms", "1")
            .set("queue.buffering.max.messages", "1000000");
        let opened = ThreadedProducer::from_config_and_context(&config, Context(then));
        Self(opened.expect("the settings are right"))
    }

    pub(crate) fn send(&self, message: &Outgoing, headers: Option<OwnedHeaders>, then: Vec<Outgoing>) {
        let partition = i32::try_from(message.partition).expect("partitions are few");
        let mut record = BaseRecord::with_opaque_to(&message.topic, Box::new(then))
            .partition(partition)
            .key(&*message.key)
            .payload(&*message.payload);
        if let Some(headers) = headers {
            record = record.headers(headers);
        }
        while let Err((error, refused)) = self.0.send(record) {
            assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull), "{error}");
            record = refused;
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until all is acknowledged.
    pub(crate) fn flush(&self) {
        self.0.flush(Duration::from_mins(2)).expect("the broker acknowledges all that it is sent");
    }
}

/// A consumer of all partitions of some topics.
pub(crate) struct Receiver(BaseConsumer<Quiet>);

impl Receiver {
    /// Reads topics from their beginnings on.
    pub(crate) fn open<'a>(brokers: &str, topics: impl IntoIterator<Item = &'a str>, partitions: u32) -> Self {
        let places = topics.into_iter().flat_map(|topic| (0..partitions).map(move |partition| (topic, partition, 0)));
        Self::from(brokers, places)
    }

    /// Reads partitions from offsets on.
    pub(crate) fn from<'a>(brokers: &str, places: impl IntoIterator<Item = (&'a str, u32, u64)>) -> Self {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers)
            .set("group.id", "bench")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "100")
            .set("fetch.queue.backoff.ms", "1")
            .set("queued.min.messages", "100000")
            .set("auto.offset.reset", "error");
        let consumer = BaseConsumer::from_config_and_context(&config, Quiet).expect("the settings are right");
        let mut list = TopicPartitionList::new();
        for (topic, partition, offset) in places {
            let partition = i32::try_from(partition).expect("partitions are few");
            let offset = Offset::Offset(i64::try_from(offset).expect("it is one"));
            list.add_partition_offset(topic, partition, offset).expect("an offset is one");
        }
        consumer.assign(&list).expect("the topics are there");
        Self(consumer)
    }

    /// What comes next, if something comes so soon.
    pub(crate) fn next(&self, within: Duration) -> Option<BorrowedMessage<'_>> {
        let polled = self.0.poll(within)?;
        // A topic that was made just now has no leader for a moment; the client tries again.
        assert!(polled.as_ref().err().is_none_or(is_passing), "topics are read: {polled:?}");
        polled.ok()
    }

    /// Which offsets a partition has.
    pub(crate) fn range(&self, topic: &str, partition: u32) -> (u64, u64) {
        let partition = i32::try_from(partition).expect("partitions are few");
        let range = self.0.fetch_watermarks(topic, partition, Duration::from_secs(30)).expect("the topic is there");
        (range.0.cast_unsigned(), range.1.cast_unsigned())
    }
}

fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::PreferredLeaderNotAvailable
        )
    )
}
