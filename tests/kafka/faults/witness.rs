//! Reads all topics as they are written, so that the auditor has also what is cut later.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::super::broker::Quiet;
use super::audit::{Names, Seen, Topics};

/// How long one look waits for messages.
const LOOK: Duration = Duration::from_millis(100);

/// How long the broker may take to say where topics end.
const WITHIN: Duration = Duration::from_secs(5);

/// A thread that reads everything.
pub(super) struct Witness {
    topics: Arc<Mutex<Topics>>,
    /// Where each partition ends, asked by a client that fetches nothing.
    asking: BaseConsumer<Quiet>,
    partitions: BTreeMap<String, u32>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Witness {
    pub(super) fn new(address: &str, names: &Names, partitions: u32) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", address).set("group.id", "witness").set("enable.auto.commit", "false");
        config.set("isolation.level", "read_uncommitted").set("auto.offset.reset", "error");
        config.set("fetch.wait.max.ms", "50").set("reconnect.backoff.max.ms", "500");
        config.set("receive.message.max.bytes", "100000000");
        let consumer: BaseConsumer<Quiet> = config.create_with_context(Quiet).expect("the settings are right");
        let asking = config.create_with_context(Quiet).expect("the settings are right");
        let of = |topic: &str| if topic == names.definitions { 1 } else { partitions };
        let partitions: BTreeMap<String, u32> = names.all().map(|topic| (topic.to_owned(), of(topic))).collect();
        let mut list = TopicPartitionList::new();
        for (topic, count) in &partitions {
            for partition in 0..*count {
                let number = i32::try_from(partition).expect("a small number");
                list.add_partition_offset(topic, number, Offset::Offset(0)).expect("an offset of a record is one");
            }
        }
        consumer.assign(&list).expect("partitions can be assigned");
        let (topics, stop) = (Arc::<Mutex<Topics>>::default(), Arc::<AtomicBool>::default());
        let (writing, stopped) = (Arc::clone(&topics), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                // The client reads on by itself behind whatever was wrong.
                let Some(Ok(message)) = consumer.poll(LOOK) else { continue };
                let header = |header: rdkafka::message::Header<'_, &[u8]>| {
                    (header.key.to_owned(), header.value.unwrap_or_default().to_vec())
                };
                let seen = Seen {
                    offset: u64::try_from(message.offset()).expect("an offset of a record is one"),
                    key: message.key().unwrap_or_default().to_vec(),
                    headers: message.headers().map(|all| all.iter().map(header).collect()).unwrap_or_default(),
                    payload: message.payload().unwrap_or_default().to_vec(),
                };
                let partition = u32::try_from(message.partition()).expect("a partition has a number");
                lock(&writing).put(message.topic(), partition, seen);
            }
        });
        Self { topics, asking, partitions, stop, thread: Some(thread) }
    }

    /// What has been read so far.
    pub(super) fn topics(&self) -> MutexGuard<'_, Topics> {
        lock(&self.topics)
    }

    /// Whether everything has been read that there is now; false too where the broker does not say.
    pub(super) fn has_all(&self) -> bool {
        self.partitions.iter().all(|(topic, count)| {
            (0..*count).all(|partition| {
                let number = i32::try_from(partition).expect("a small number");
                let Ok((_, end)) = self.asking.fetch_watermarks(topic, number, WITHIN) else { return false };
                let read = self.topics().partition(topic, partition).last().map_or(0, |last| last.offset + 1);
                i64::try_from(read).is_ok_and(|read| read >= end)
            })
        })
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic in there has been printed.
            drop(thread.join());
        }
    }
}

fn lock(topics: &Mutex<Topics>) -> MutexGuard<'_, Topics> {
    topics.lock().unwrap_or_else(PoisonError::into_inner)
}
