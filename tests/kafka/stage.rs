//! Where a participant is tried: topics of its own on the broker of all tests, and processes that read them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::groups::{GroupInfo, GroupMemberInfo};
use rdkafka::message::Message as _;
use saga::check::check_text;
use saga::json::Json;
use saga::log::kafka::{Raw, RawMessage, Settings};
use saga::participant::kafka::{Answer, Place, consume, serve};
use saga::participant::probe::{Books, Options, Places, Report, Subject, Wishes, run};
use saga::participant::{Participant, SqliteStore};
use saga::wire::Message;
use serde_json::Value;
use tempfile::TempDir;

use super::adapter::{RUNTIME, prefix};
use super::broker::{Quiet, shared};
use crate::cli::Desk;

/// How long an answer may take: those who do not answer are waited for, and an answer takes milliseconds.
const WITHIN: Duration = Duration::from_secs(5);

/// How long one look at a group takes, and how many there are before a test fails.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS_MAX: usize = 6_000;

/// How long the probe's topics keep what is in them.
const KEPT: Duration = Duration::from_hours(1);

/// What is asked of a participant.
pub(super) struct Contract {
    pub(super) participant: &'static str,
    /// With `TOPIC` for its topic of commands.
    definition: &'static str,
    /// A command, and a request that it refuses.
    pub(super) refused: (&'static str, &'static str),
}

/// Rooms, of which hotel `Full` has none.
pub(super) const ROOMS: Contract = Contract {
    participant: "rooms",
    definition: include_str!("rooms.saga"),
    refused: ("ReserveRoom", r#"{"hotel":"Full","nights":1}"#),
};

/// Rooms that nobody takes back.
pub(super) const FOR_GOOD: Contract = Contract {
    definition: "\
/// Holds rooms.
participant rooms {
  commands \"TOPIC\"
  command ReserveRoom { hotel: string, nights: int } returns { hold: string } fails \"sold_out\"
}
",
    ..ROOMS
};

/// Money. `ana` has 5000.00, and `ben` 100.00.
pub(super) const PAYMENTS: Contract = Contract {
    participant: "payments",
    definition: include_str!("payments.saga"),
    refused: ("Charge", r#"{"traveller":"ben","amount":"840.00"}"#),
};

/// Topics of a test, and processes that read them.
pub(super) struct Stage {
    contract: &'static Contract,
    pub(super) address: String,
    settings: Settings,
    pub(super) prefix: String,
    pub(super) topic: String,
    raw: Raw,
    pub(super) folder: TempDir,
    stop: Arc<AtomicBool>,
    processes: Vec<JoinHandle<()>>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for process in self.processes.drain(..) {
            // A panic in there has been printed.
            drop(process.join());
        }
    }
}

impl Stage {
    /// `None` where there is no Kafka.
    pub(super) fn of(contract: &'static Contract) -> Option<Self> {
        let address = shared()?.address();
        let settings = Settings::new(&address, []).unwrap();
        let raw = Raw::open(&settings).unwrap();
        let prefix = prefix();
        let topic = format!("{prefix}.{}.commands", contract.participant);
        for (name, partitions) in
            [(topic.clone(), 3), (format!("{prefix}.replies"), 3), (format!("{prefix}.definitions"), 1)]
        {
            RUNTIME.block_on(raw.make(&name, partitions, KEPT)).unwrap();
        }
        let (folder, stop) = (TempDir::new().unwrap(), Arc::default());
        Some(Self { contract, address, settings, prefix, topic, raw, folder, stop, processes: Vec::new() })
    }

    /// The books of participants in this process.
    pub(super) fn books(&self) -> PathBuf {
        self.folder.path().join("books")
    }

    /// What the processes of the participant share the topic by.
    pub(super) fn group(&self) -> String {
        format!("{}.readers", self.topic)
    }

    /// A process that answers so.
    pub(super) fn begin(&mut self, mut answers: impl Answer + Send + 'static) {
        let (settings, topic, group) = (self.settings.clone(), self.topic.clone(), self.group());
        let stop = Arc::clone(&self.stop);
        self.processes.push(std::thread::spawn(move || {
            consume(&mut answers, &settings, &topic, &group, &stop).unwrap();
        }));
    }

    /// A process that reads what is not committed, too, which no setting of ours lets it do.
    pub(super) fn begin_uncommitted(&mut self, mut answers: impl Answer + Send + 'static) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address).set("group.id", self.group());
        config.set("isolation.level", "read_uncommitted").set("auto.offset.reset", "earliest");
        let reader: BaseConsumer<Quiet> = config.create_with_context(Quiet).unwrap();
        reader.subscribe(&[&self.topic]).unwrap();
        let (raw, stop) = (Raw::open(&self.settings).unwrap(), Arc::clone(&self.stop));
        self.processes.push(std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let Some(Ok(record)) = reader.poll(LOOK) else { continue };
                let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec).unwrap_or_default();
                let key = String::from_utf8(bytes(record.key())).unwrap_or_default();
                let payload = bytes(record.payload()).into();
                let message = Message { key: key.into(), payload, ..Message::default() };
                let place = Place { topic: record.topic(), partition: record.partition(), offset: record.offset() };
                for reply in answers.answer(&message, place) {
                    let partition = reply.partition.and_then(|number| u32::try_from(number).ok()).unwrap();
                    raw.send(&reply.topic, &[(partition, RawMessage::from(&reply.message))]).unwrap();
                }
            }
        }));
    }

    /// A process of the library in Rust.
    pub(super) fn begin_library(&mut self, participant: Participant<SqliteStore>) {
        let (settings, topic, group) = (self.settings.clone(), self.topic.clone(), self.group());
        let stop = Arc::clone(&self.stop);
        self.processes.push(std::thread::spawn(move || {
            serve(&participant, &settings, &topic, &group, &stop).unwrap();
        }));
    }

    /// Waits until so many processes share the topic. Before that one of them has all partitions, and there is nothing
    /// for the others to do wrong.
    pub(super) fn wait_for_readers(&self, processes: usize) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        let asking: BaseConsumer<Quiet> = config.create_with_context(Quiet).unwrap();
        let group = self.group();
        for _ in 0..LOOKS_MAX {
            // Nothing comes there: it is how long a look takes.
            assert!(asking.poll(LOOK).is_none());
            let Ok(found) = asking.fetch_group_list(Some(&group), WITHIN) else { continue };
            let shares = found.groups().iter().filter(|group| group.state() == "Stable").flat_map(GroupInfo::members);
            if shares.filter(|member| has_partitions(member)).count() == processes {
                return;
            }
        }
        panic!("{processes} processes never shared `{}`", self.topic);
    }

    /// `saga probe`: where it runs, and all its arguments.
    pub(super) fn command(&self, arguments: &[&str]) -> (Desk, Vec<String>) {
        let file = format!("{}.saga", self.contract.participant);
        let desk = Desk::with(&file, self.definition());
        let mut all = vec!["probe", &file, "--kafka", &self.address, "--prefix", &self.prefix];
        all.extend(["--participant", self.contract.participant]);
        all.extend(arguments);
        (desk, all.into_iter().map(str::to_owned).collect())
    }

    /// Runs `saga probe`.
    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        let (desk, all) = self.command(arguments);
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        desk.command(&all).output().unwrap()
    }

    /// All that was sent to the participant.
    pub(super) fn sent(&self) -> Vec<Value> {
        let partitions = 0..3;
        let records = partitions.flat_map(|partition| self.raw.read_all(&self.topic, partition).unwrap());
        records.map(|record| serde_json::from_slice(&record.payload).unwrap()).collect()
    }

    fn definition(&self) -> String {
        self.contract.definition.replace("TOPIC", &self.topic)
    }

    /// The probe as a function.
    pub(super) fn probe(&self, books: &str, only: &[&str]) -> Report {
        let checked = check_text("it.saga", &self.definition());
        assert!(checked.findings.is_empty(), "{:?}", checked.findings);
        let program = &checked.program;
        let (call, request) = self.contract.refused;
        let refused = [(call.to_owned(), Json::parse(request).unwrap())].into();
        let wishes = Wishes { refused, ..Wishes::default() };
        let subject = Subject::of(program, self.contract.participant, &wishes).unwrap();
        let replies = format!("{}.probe", self.prefix);
        RUNTIME.block_on(self.raw.make(&replies, 3, KEPT)).unwrap();
        let places = Places {
            commands: (self.topic.clone(), 3),
            groups: BTreeSet::new(),
            replies: (replies, 3),
            astray: vec![(format!("{}.replies", self.prefix), 3)],
        };
        let options = Options {
            tag: format!("t{}", self.prefix),
            within: WITHIN,
            only: only.iter().map(|name| (*name).to_owned()).collect(),
            books: Some(Books(books.to_owned())),
        };
        run(&self.raw, &places, &subject, options, |_| {}).unwrap()
    }
}

/// Whether a member of a group has partitions, by what the group's leader wrote for it: a version, a count of topics, and
/// for each its name and a count of partitions. Of [`Stage`] it is one topic.
fn has_partitions(member: &GroupMemberInfo) -> bool {
    let number = |at: usize, bytes: &[u8]| bytes.get(at..at + 4).map(|four| four.iter().any(|byte| *byte != 0));
    let Some(share) = member.assignment() else { return false };
    let Some(name) = share.get(6..8).map(|two| usize::from(two[0]) * 256 + usize::from(two[1])) else { return false };
    number(2, share) == Some(true) && number(8 + name, share) == Some(true)
}
