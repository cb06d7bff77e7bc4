//! Where it is run: topics of their own on the broker for every run, with the floor's and `saga`'s the same.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::config::FromClientConfigAndContext;
use saga::log::Topics;
use saga::log::kafka::{Founding, Plan, Settings};
use tokio::runtime::Runtime;

use crate::broker::{Own, Quiet};
use crate::client::Receiver;
use crate::floor::Weight;
use crate::process::{Process, Server};
use crate::shape::{PARTICIPANTS, Shape};

/// So many messages of a topic are weighed: enough for a mean.
const WEIGHED: u64 = 1_000;

/// The names of topics.
pub(crate) struct Names {
    pub(crate) prefix: String,
    pub(crate) partitions: u32,
    pub(crate) requests: Arc<str>,
    pub(crate) replies: Arc<str>,
    pub(crate) journal: Arc<str>,
    pub(crate) answers: Arc<str>,
    pub(crate) commands: Vec<Arc<str>>,
}

impl Names {
    pub(crate) fn new(prefix: &str, partitions: u32) -> Self {
        let topics = Topics::with_prefix(prefix).expect("it is short and plain");
        let named = |kind: &str| Arc::from(format!("{prefix}.{kind}"));
        Self {
            prefix: prefix.to_owned(),
            partitions,
            answers: named("answers"),
            commands: PARTICIPANTS.iter().map(|name| named(&format!("{name}.commands"))).collect(),
            requests: topics.requests,
            replies: topics.replies,
            journal: topics.journal,
        }
    }

    /// The topic of the command behind so many.
    pub(crate) fn commands(&self, done: u32) -> &Arc<str> {
        let mut round = self.commands.iter().cycle();
        round.nth(done as usize % self.commands.len()).expect("there are participants")
    }
}

/// How runs are set.
pub(crate) struct Setup {
    pub(crate) broker: Own,
    pub(crate) partitions: u32,
    pub(crate) runtime: Runtime,
    /// Settings of librdkafka for `saga`.
    pub(crate) config: Vec<String>,
}

/// Topics of one run, deleted behind it.
pub(crate) struct Stage<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) names: Names,
    pub(crate) shape: Shape,
    folder: tempfile::TempDir,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(setup: &'a Setup, shape: Shape) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let names = Names::new(&format!("bench{}", NEXT.fetch_add(1, Ordering::Relaxed)), setup.partitions);
        let folder = tempfile::tempdir().expect("a directory can be made");
        std::fs::write(folder.path().join("bench.saga"), shape.text(&names.prefix)).expect("a file can be written");
        let settings = Settings::new(setup.broker.address(), []).expect("the settings are right");
        let commands = names.commands.iter().chain([&names.answers]).map(ToString::to_string).collect();
        let topics = Topics::with_prefix(&names.prefix).expect("it is short and plain");
        let plan = Plan { topics, partitions: Some(names.partitions), replication: None, commands };
        let founding = Founding::begin(&settings).expect("the broker answers");
        setup.runtime.block_on(founding.make(&plan)).expect("topics are made");
        Self { setup, names, shape, folder }
    }

    pub(crate) fn brokers(&self) -> String {
        self.setup.broker.address()
    }

    /// Starts the floor's engine.
    pub(crate) fn floor(&self, weight: Weight, linger_ms: u32) -> Process {
        let mut command = Command::new(std::env::current_exe().expect("it runs"));
        command.args(["floor-engine", &self.brokers(), &self.names.prefix, &self.names.partitions.to_string()]);
        Process::start(command.args([self.shape.to_string(), weight.to_string(), linger_ms.to_string()]))
    }

    /// How large the messages of this run are: the means of the first ones, when it is over.
    pub(crate) fn weigh(&self) -> Weight {
        let Names { requests, journal, replies, answers, commands, .. } = &self.names;
        Weight {
            request: self.mean(requests),
            record: self.mean(journal),
            command: commands.iter().map(|topic| self.mean(topic)).sum::<usize>() / commands.len(),
            reply: self.mean(replies),
            answer: self.mean(answers),
            has_header: true,
        }
    }

    /// The mean size of payloads of the first messages of a topic.
    fn mean(&self, topic: &str) -> usize {
        let reading = Receiver::open(&self.brokers(), [topic], 1);
        let (start, end) = reading.range(topic, 0);
        let wanted = (end - start).min(WEIGHED);
        let (mut read, mut bytes) = (0, 0);
        while read < wanted {
            let Some(record) = reading.next(Duration::from_secs(1)) else { continue };
            (read, bytes) = (read + 1, bytes + record.payload_len());
        }
        bytes / usize::try_from(wanted.max(1)).expect("they are few")
    }

    /// Starts `saga serve`, and waits until all of its partitions run.
    pub(crate) fn serve(&self) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_saga"));
        command.current_dir(self.folder.path()).args(["serve", "bench.saga", "--listen", "127.0.0.1:0"]);
        command.args(["--kafka", &self.brokers(), "--prefix", &self.names.prefix]);
        for setting in &self.setup.config {
            command.args(["--kafka-config", setting]);
        }
        let server = Server::start(&mut command);
        server.until_ready(self.names.partitions);
        server
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.brokers());
        let admin = AdminClient::from_config_and_context(&config, Quiet).expect("the settings are right");
        let topics = Topics::with_prefix(&self.names.prefix).expect("it is short and plain");
        let mut all = vec![&self.names.answers, &topics.dead, &topics.definitions];
        all.extend([&topics.requests, &topics.replies, &topics.journal]);
        all.extend(&self.names.commands);
        let all: Vec<&str> = all.into_iter().map(AsRef::as_ref).collect();
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
        // What stays is in the way of nobody but the disk.
        let _deleted = self.setup.runtime.block_on(admin.delete_topics(&all, &options));
    }
}
