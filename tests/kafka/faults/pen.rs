//! Writes requests and garbage, and learns which of them the log has taken.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};
use serde_json::{Value, json};

use super::super::adapter::RUNTIME;
use super::stranger::Litter;

/// How long a message is tried: longer than the broker is away.
const TRIED_MS: &str = "60000";

/// How long what was written may take to be taken.
const TAKEN_WITHIN: Duration = Duration::from_secs(90);

/// A message on its way: the instance, if it is a start.
pub(super) struct Asked(Option<String>);

#[derive(Default)]
struct Taken {
    accepted: Mutex<BTreeSet<String>>,
}

#[derive(Clone, Default)]
struct Acks(Arc<Taken>);

impl ClientContext for Acks {
    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, _: &str, _: &str) {}
    fn error(&self, _: rdkafka::error::KafkaError, _: &str) {}
}

impl ProducerContext for Acks {
    type DeliveryOpaque = Box<Asked>;

    fn delivery(&self, result: &DeliveryResult<'_>, asked: Box<Asked>) {
        if let (Ok(_), Asked(Some(instance))) = (result, *asked) {
            self.0.accepted.lock().unwrap_or_else(PoisonError::into_inner).insert(instance);
        }
    }
}

pub(super) struct Pen {
    producer: BaseProducer<Acks>,
    acks: Acks,
    admin: AdminClient<DefaultClientContext>,
    requests: String,
    answers: String,
    written: u64,
}

impl Pen {
    pub(super) fn new(address: &str, requests: &str, answers: &str) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", address).set("reconnect.backoff.max.ms", "500");
        let admin = config.create().expect("the settings are right");
        config.set("partitioner", "murmur2").set("message.timeout.ms", TRIED_MS).set("message.max.bytes", "20000000");
        let acks = Acks::default();
        let producer = config.create_with_context(acks.clone()).expect("the settings are right");
        let (requests, answers) = (requests.to_owned(), answers.to_owned());
        Self { producer, acks, admin, requests, answers, written: 0 }
    }

    /// Starts whose requests the log has.
    pub(super) fn accepted(&self) -> BTreeSet<String> {
        self.acks.0.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks for something, once more if it was asked for before.
    pub(super) fn ask(&mut self, instance: &str, kind: &str, saga: &str, payload: &str) {
        self.written += 1;
        let id = format!("{kind}-{}", self.written);
        let data: Value = serde_json::from_str(payload).expect("requests are JSON");
        let event = json!({
            "data": data, "type": "saga.request.v1", "id": id, "source": "/tests/faults", "specversion": "1.0",
            "instance": instance, "kind": kind, "saga": saga, "replyto": self.answers,
        });
        let payload = event.to_string();
        let asked = Box::new(Asked((kind == "start").then(|| instance.to_owned())));
        let record = BaseRecord::with_opaque_to(&self.requests, asked).key(instance).payload(&payload);
        self.producer.send(record).unwrap_or_else(|(error, _)| panic!("a request can be written: {error}"));
    }

    pub(super) fn litter(&mut self, litter: &Litter) {
        let Litter { topic, partition, message, is_tombstone } = litter;
        let mut headers = OwnedHeaders::new();
        for (key, value) in &message.headers {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        let mut record = BaseRecord::with_opaque_to(topic, Box::new(Asked(None))).key(&message.key).headers(headers);
        record = record.partition(i32::try_from(*partition).expect("a small number"));
        if !is_tombstone {
            record = record.payload(&message.payload);
        }
        self.producer.send(record).unwrap_or_else(|(error, _)| panic!("garbage can be written: {error}"));
    }

    /// Lets delivery reports come, for as long.
    pub(super) fn poll(&self, within: Duration) {
        self.producer.poll(within);
    }

    /// Waits until everything is taken.
    pub(super) fn flush(&self) {
        self.producer.flush(TAKEN_WITHIN).expect("the log takes what is written");
    }

    /// Deletes the records before an offset; whether the broker did.
    pub(super) fn cut(&self, topic: &str, partition: u32, before: u64) -> bool {
        let mut list = TopicPartitionList::new();
        let offset = Offset::Offset(i64::try_from(before).expect("an offset of a record is one"));
        let number = i32::try_from(partition).expect("a small number");
        list.add_partition_offset(topic, number, offset).expect("an offset of a record is one");
        let options = AdminOptions::new().request_timeout(Some(TAKEN_WITHIN));
        RUNTIME.block_on(self.admin.delete_records(&list, &options)).is_ok()
    }
}
