//! A participant in another language on the broker of all tests: started, driven over the wire, killed, started again.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use rdkafka::ClientConfig;
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use saga::log::Topics;
use saga::log::kafka::{Plan, Settings, init};
use saga::wire::{Message, header};
use tempfile::TempDir;

use super::adapter::{RUNTIME, prefix};
use super::broker::{Broker, Quiet};
use crate::participant::messages::{command, shown, with};

/// Where this is set, a missing tool is an error and not a reason to skip.
const REQUIRED: &str = "SAGA_KAFKA_REQUIRED";

/// Looks of a second each for a reply: whoever starts a virtual machine on a busy one takes many.
const LOOKS_MAX: usize = 120;

/// Of the topic of replies.
const PARTITIONS: u32 = 2;

/// Whether all tools are there; said once each where they are not.
pub(super) fn has_tools(what: &str, tools: &[(&str, &str)]) -> bool {
    let missing = tools.iter().find(|(tool, version)| {
        let asked = Command::new(tool).arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status();
        !asked.is_ok_and(|status| status.success())
    });
    let Some((missing, _)) = missing else { return true };
    assert!(std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, and `{missing}` is missing");
    let _seen = writeln!(std::io::stderr(), "\nSKIPPED: {what}, since `{missing}` is missing\n");
    false
}

/// Runs a command of a build to its end.
pub(super) fn run(command: &mut Command) {
    let ran = command.stdin(Stdio::null()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{command:?} fails:\n{out}{err}");
}

/// A folder of the repository.
pub(super) fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What a participant is started with.
pub(super) struct Start<'a> {
    pub(super) kafka: &'a str,
    pub(super) topic: &'a str,
    pub(super) store: &'a Path,
}

/// A participant, and the topics over which it is driven.
pub(super) struct Driven<F> {
    start: F,
    kafka: String,
    commands: String,
    replies: String,
    producer: BaseProducer,
    consumer: BaseConsumer<Quiet>,
    process: Process,
    attempts: AtomicU32,
    folder: TempDir,
}

/// A process that ends with this one, however that ends: its shell waits for the end of its input, and kills it then.
struct Process(Child);

const SHELL: &str = r#""$@" </dev/null & cat >/dev/null; kill -KILL $! 2>/dev/null; wait"#;

impl Process {
    fn start(program: &Command, said: &Path) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", SHELL, "sh"]).arg(program.get_program()).args(program.get_args());
        let said = File::options().create(true).append(true).open(said).unwrap();
        shell.stdin(Stdio::piped()).stdout(said.try_clone().unwrap()).stderr(said);
        Self(shell.spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _gone = self.0.wait();
    }
}

impl<F: Fn(&Start<'_>) -> Command> Driven<F> {
    /// Makes the topics, and starts it.
    pub(super) fn start(broker: &Broker, start: F) -> Self {
        let (kafka, prefix) = (broker.address(), prefix());
        let topics = Topics::with_prefix(&prefix).unwrap();
        let commands = format!("{prefix}.commands-of-it");
        let plan = Plan {
            topics: topics.clone(),
            partitions: PARTITIONS,
            replication: None,
            commands: vec![commands.clone()],
        };
        RUNTIME.block_on(init(&Settings::new(kafka.clone(), []).unwrap(), &plan)).unwrap();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &kafka).set("group.id", &prefix);
        let producer = config.create().unwrap();
        let consumer: BaseConsumer<Quiet> = config.create_with_context(Quiet).unwrap();
        let replies = topics.replies.to_string();
        let mut all = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            all.add_partition_offset(&replies, i32::try_from(partition).unwrap(), Offset::Beginning).unwrap();
        }
        consumer.assign(&all).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let process = Self::process(&start, &kafka, &commands, folder.path());
        Self { start, kafka, commands, replies, producer, consumer, process, attempts: AtomicU32::new(0), folder }
    }

    fn process(start: &F, kafka: &str, topic: &str, folder: &Path) -> Process {
        let program = start(&Start { kafka, topic, store: &folder.join("store.db") });
        Process::start(&program, &folder.join("said"))
    }

    /// Its database.
    pub(super) fn store(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    /// Kills it as a loss of power does, and starts it on what is on its disk.
    pub(super) fn kill_and_start_again(&mut self) {
        drop(self.process.0.stdin.take());
        self.process.0.wait().unwrap();
        self.process = Self::process(&self.start, &self.kafka, &self.commands, self.folder.path());
    }

    /// A command that is due in a minute.
    pub(super) fn command(&self, instance: &str, kind: &str, call: &str, payload: &str) -> Message {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let command = with(command(instance, kind, call, payload), header::REPLY_TO, &self.replies);
        let command = with(command, header::REPLY_PARTITION, "1");
        let command = with(command, header::DEADLINE, &(now + 60_000).to_string());
        with(command, header::KEEP_UNTIL, &(now + 3_660_000).to_string())
    }

    /// Sends anything.
    pub(super) fn send(&self, message: &Message) {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &message.headers {
            headers = headers.insert(Header { key, value: Some(value.as_bytes()) });
        }
        let record = BaseRecord::to(&self.commands).key(&*message.key).payload(&*message.payload).headers(headers);
        self.producer.send(record).map_err(|(error, _)| error).unwrap();
        self.producer.flush(Duration::from_mins(1)).unwrap();
    }

    /// Asks, by an attempt of its own, and gives the answer to that.
    pub(super) fn answer(&mut self, message: Message) -> String {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed) + 1;
        let message = with(message, header::ATTEMPT, &attempt.to_string());
        self.send(&message);
        for _ in 0..LOOKS_MAX {
            if let Some(found) = self.consumer.poll(Duration::from_secs(1)) {
                let reply = received(&found.unwrap());
                if reply.header(header::ATTEMPT) == message.header(header::ATTEMPT) {
                    for copied in [header::COMMAND, header::KIND, header::INSTANCE, header::NAME, header::STEP] {
                        assert_eq!(reply.header(copied), message.header(copied));
                    }
                    assert_eq!(reply.key, message.key);
                    return shown(&reply);
                }
            }
            let ended = self.process.0.try_wait().unwrap();
            assert!(ended.is_none(), "the participant has ended:\n{}", self.said());
        }
        panic!("no answer to {message:?}:\n{}", self.said());
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("said")).unwrap()
    }
}

fn received(found: &rdkafka::message::BorrowedMessage<'_>) -> Message {
    assert_eq!(1, found.partition(), "it replies where it is told to");
    let mut reply = Message {
        key: std::str::from_utf8(found.key().unwrap()).unwrap().into(),
        payload: found.payload().unwrap_or_default().into(),
        ..Message::default()
    };
    for one in found.headers().unwrap().iter() {
        let value = std::str::from_utf8(one.value.unwrap()).unwrap();
        reply.headers.push((one.key.into(), value.into()));
    }
    reply
}

/// Drives the payments of the booking example: the table of the guard over the wire. Accounts: ana 5000.00, ben 100.00.
pub(super) fn keeps_the_protocol<F: Fn(&Start<'_>) -> Command>(mut payments: Driven<F>) {
    let amount = |traveller: &str| format!(r#"{{"traveller":"{traveller}","amount":"840.00"}}"#);
    let ask = |payments: &mut Driven<F>, instance: &str, kind: &str, payload: &str| {
        let command = payments.command(instance, kind, "Charge", payload);
        payments.answer(command)
    };
    let charged = r#"succeeded {"receipt":"a/1/reserve/1"}"#;
    assert_eq!(charged, ask(&mut payments, "a", "do", &amount("ana")));
    assert_eq!(charged, ask(&mut payments, "a", "do", &amount("ana")), "the second time");
    assert_eq!(charged, ask(&mut payments, "a", "query", "{}"));
    assert_eq!("failed declined", ask(&mut payments, "b", "do", &amount("ben")));
    assert_eq!("failed declined", ask(&mut payments, "b", "do", &amount("ana")), "a refusal is remembered");
    assert_eq!("succeeded {}", ask(&mut payments, "b", "undo", "{}"), "there is nothing to take back");
    assert_eq!("succeeded {}", ask(&mut payments, "c", "undo", "{}"), "before its do");
    assert_eq!("failed already-undone", ask(&mut payments, "c", "do", &amount("ana")));
    assert_eq!("failed already-undone", ask(&mut payments, "c", "query", "{}"));
    assert_eq!("unknown-command", ask(&mut payments, "d", "query", "{}"));
    let late = with(payments.command("d", "do", "Charge", &amount("ana")), header::DEADLINE, "1");
    assert_eq!("retry expired", payments.answer(late));
    assert_eq!("unknown-command", ask(&mut payments, "d", "query", "{}"), "a late do leaves nothing");
    let unknown = payments.command("e", "do", "Refund", "{}");
    assert_eq!("retry unknown-call", payments.answer(unknown));
    for unfit in ["{}", "[]", r#"{"traveller":"ana","amount":"much"}"#] {
        let instance = format!("unfit{}", unfit.len());
        assert_eq!("failed unfit-request", ask(&mut payments, &instance, "do", unfit));
    }
    // What nobody can read blocks nothing.
    let charge = payments.command("f", "do", "Charge", &amount("ana"));
    payments.send(&Message::default());
    payments.send(&Message { payload: Box::from(*b"\xff{"), ..charge.clone() });
    payments.send(&Message { payload: vec![b'['; 1 << 19].into(), ..charge.clone() });
    for (name, value) in [
        (header::TYPE, "saga.reply.v1"),
        (header::KIND, "redo"),
        (header::ATTEMPT, "0"),
        (header::DEADLINE, "soon"),
        (header::REPLY_TO, "nowhere"),
        (header::REPLY_PARTITION, "77"),
    ] {
        payments.send(&with(charge.clone(), name, value));
    }
    assert_eq!("unknown-command", ask(&mut payments, "f", "query", "{}"));
    payments.kill_and_start_again();
    assert_eq!(charged, ask(&mut payments, "a", "do", &amount("ana")), "after a crash");
    let books = rusqlite::Connection::open(payments.store()).unwrap();
    let number = |sql| books.query_row::<i64, _, _>(sql, (), |row| row.get(0)).unwrap();
    assert_eq!(500_000 - 84_000, number("SELECT cents FROM accounts WHERE name = 'ana'"));
    assert_eq!(1, number("SELECT count(*) FROM charges"));
}
