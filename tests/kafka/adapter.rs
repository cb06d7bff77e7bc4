//! The adapter: the suite of the port, and what is Kafka's own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use saga::log::kafka::{Founding, Kafka, Plan, Settings};
use saga::log::{Log, REPLIES, Reports, Topics};

use super::broker::{Broker, shared};
use crate::log::{Adapter, Can, PARTITIONS, TOPICS, holds_for};

holds_for! { kafka: OnKafka<false> }
holds_for! { kafka_with_new_groups: OnKafka<true> }

/// A deployment of its own on the broker of all tests.
pub(super) struct OnKafka<const NEW: bool> {
    broker: &'static Broker,
    topics: Topics,
    log: Kafka,
}

/// Threads for what is asked of the broker.
pub(super) static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap());

/// A prefix that nobody else has.
pub(super) fn prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn settings(broker: &Broker, is_new: bool) -> Settings {
    // Members that die are found out fast; by KIP-848 the broker says how fast.
    let own: &[(&str, &str)] = if is_new {
        &[("group.protocol", "consumer")]
    } else {
        &[("session.timeout.ms", "2000"), ("heartbeat.interval.ms", "300")]
    };
    Settings::new(broker.address(), own.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))).unwrap()
}

impl<const NEW: bool> OnKafka<NEW> {
    fn open_log(&self) -> Kafka {
        Kafka::open(&settings(self.broker, NEW), &self.topics, None).unwrap()
    }
}

impl<const NEW: bool> Adapter for OnKafka<NEW> {
    const CAN: Can = Can { keep_order: true, share: true, reopen: true };

    fn open(_: u64) -> Option<Self> {
        let broker = shared()?;
        let prefix = prefix();
        let topics = Topics::with_prefix(&prefix).unwrap();
        let own: Vec<&str> = TOPICS.into_iter().filter(|topic| !topic.starts_with("saga.")).collect();
        let commands = own.iter().map(|topic| format!("{prefix}.{topic}")).collect();
        let settings = settings(broker, NEW);
        let plan = Plan { topics: topics.clone(), partitions: Some(PARTITIONS), replication: None, commands };
        let made = RUNTIME.block_on(Founding::begin(&settings).unwrap().make(&plan)).unwrap();
        assert_eq!(made.made.len(), TOPICS.len());
        let log = Kafka::open(&settings, &topics, None).unwrap();
        Some(Self { broker, topics, log })
    }

    fn topic(&self, name: &str) -> Arc<str> {
        let Topics { prefix, .. } = &self.topics;
        match name.strip_prefix("saga.") {
            Some(kind) => Arc::from(format!("{prefix}.{kind}")),
            None => Arc::from(format!("{prefix}.{name}")),
        }
    }

    fn attach(&self, reports: Arc<dyn Reports>) -> Arc<dyn Log> {
        Arc::new(self.log.attach(reports))
    }

    fn own(&self, reports: Arc<dyn Reports>) -> Arc<dyn Log> {
        Arc::new(self.log.own(reports).unwrap())
    }

    fn released(&self, owner: &Arc<dyn Log>, partition: u32) {
        owner.released(partition);
    }

    fn reopen(&mut self) {
        self.log.close();
        self.log = self.open_log();
    }
}

#[test]
fn topics_have_names_of_the_deployment() {
    let Some(adapter) = OnKafka::<false>::open(0) else { return };
    assert_eq!(adapter.topic(REPLIES), adapter.topics.replies);
}
