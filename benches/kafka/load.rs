//! Who asks and who does the work: a driver that keeps so many sagas in flight, and bare participants.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::message::{BorrowedMessage, Header, Message as _, OwnedHeaders};
use saga::log::partition_of;
use serde::Deserialize;

use crate::client::{Nothing, Outgoing, Receiver, Sender};
use crate::floor::{self, Weight};
use crate::messages;
use crate::stage::Stage;

/// What answers: the floor, or `saga`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// With messages of this weight.
    Floor(Weight),
    Saga,
}

/// How long a thread waits for records before it looks whether it should end.
const POLL: Duration = Duration::from_millis(100);

/// An answer that does not come within that is lost, and the benchmark has failed.
const LOST_AFTER: Duration = Duration::from_mins(2);

/// Of so many sagas one is never answered by its participants, where some are to wait.
pub(crate) const ONE_WAITS_OF: u64 = 10;

/// Which commands participants answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    All,
    /// Not those of one saga in [`ONE_WAITS_OF`].
    Most,
}

/// Participants: all that read their topics of commands, and answer at once.
pub(crate) struct Participants {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Participants {
    pub(crate) fn start(stage: &Stage<'_>, engine: Engine, answers: Answers, linger_ms: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let topics = stage.names.commands.iter().map(AsRef::as_ref);
        let commands = Receiver::open(&stage.brokers(), topics, stage.names.partitions);
        let replies = Sender::open(&stage.brokers(), linger_ms, Nothing);
        let (to, refused, stopped) = (Arc::clone(&stage.names.replies), stage.shape.refused(), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let Some(command) = commands.next(POLL) else { continue };
                let key = command.key().unwrap_or_default();
                if answers == Answers::Most && number(key).is_some_and(waits) {
                    continue;
                }
                let came = command.payload().unwrap_or_default();
                let (payload, headers) = match engine {
                    Engine::Floor(weight) => (floor::payload(floor::number(came), weight.reply), weight.headers()),
                    Engine::Saga => (messages::reply(came, refused.as_deref()), Some(headers())),
                };
                let (partition, topic) = (command.partition().cast_unsigned(), Arc::clone(&to));
                let outgoing = Outgoing { topic, partition, key: Box::from(key), payload };
                replies.send(&outgoing, headers, Vec::new());
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Participants {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            assert!(ended.is_none_or(|ended| ended.is_ok()), "the participants answer to the end");
        }
    }
}

/// The header of every message of a saga.
pub(crate) fn headers() -> OwnedHeaders {
    let value = Some("application/cloudevents+json");
    OwnedHeaders::new_with_capacity(1).insert(Header { key: "content-type", value })
}

/// The number of the saga whose id a key is.
fn number(key: &[u8]) -> Option<u64> {
    str::from_utf8(key).ok()?.rsplit_once('-')?.1.parse().ok()
}

/// Whether a saga is one of those that wait, where some are to.
const fn waits(number: u64) -> bool {
    number.is_multiple_of(ONE_WAITS_OF)
}

/// Starts sagas and hears how they end.
pub(crate) struct Driver<'a> {
    stage: &'a Stage<'a>,
    engine: Engine,
    requests: Sender<Nothing>,
    answers: Receiver,
    next: u64,
    under_way: HashMap<u64, Instant>,
}

impl<'a> Driver<'a> {
    pub(crate) fn new(stage: &'a Stage<'a>, engine: Engine, linger_ms: u32) -> Self {
        let answers = Receiver::open(&stage.brokers(), [&*stage.names.answers], stage.names.partitions);
        let requests = Sender::open(&stage.brokers(), linger_ms, Nothing);
        Self { stage, engine, requests, answers, next: 0, under_way: HashMap::new() }
    }

    /// Starts one more saga.
    fn start(&mut self, answers: Answers) {
        let number = self.next;
        self.next += 1;
        let key = format!("order-{number}");
        let partition = partition_of(&key, self.stage.names.partitions);
        let (payload, headers) = match self.engine {
            Engine::Floor(weight) => (floor::payload(0, weight.request), weight.headers()),
            Engine::Saga => {
                let request = messages::request(&key, &self.stage.names.answers, partition);
                (request.payload, Some(headers()))
            }
        };
        let topic = Arc::clone(&self.stage.names.requests);
        let outgoing = Outgoing { topic, partition, key: key.into_bytes().into_boxed_slice(), payload };
        self.requests.send(&outgoing, headers, Vec::new());
        if answers == Answers::All || !waits(number) {
            self.under_way.insert(number, Instant::now());
        }
    }

    /// Takes an answer, if one comes: how long its saga took.
    fn take(&mut self) -> Option<Duration> {
        let answer = self.answers.next(POLL)?;
        if self.engine == Engine::Saga {
            expect_ending(&answer, self.stage.shape.ending());
        }
        let number = answer.key().and_then(number).expect("the key of an answer is the saga's id");
        let began = self.under_way.remove(&number).expect("a saga is answered once");
        Some(began.elapsed())
    }

    /// Keeps `at_once` sagas in flight until `goes_on` says no, asked behind each one that ends; hands over how long each took.
    pub(crate) fn run(&mut self, at_once: usize, answers: Answers, mut goes_on: impl FnMut(Option<Duration>) -> bool) {
        let mut last = Instant::now();
        loop {
            while self.under_way.len() < at_once {
                self.start(answers);
            }
            let took = self.take();
            if took.is_some() {
                last = Instant::now();
            }
            assert!(last.elapsed() < LOST_AFTER, "{} sagas never end", self.under_way.len());
            if !goes_on(took) {
                return;
            }
        }
    }

    /// Waits for what is in flight.
    pub(crate) fn drain(&mut self) {
        let mut last = Instant::now();
        while !self.under_way.is_empty() {
            if self.take().is_some() {
                last = Instant::now();
            }
            assert!(last.elapsed() < LOST_AFTER, "{} sagas never end", self.under_way.len());
        }
    }

    /// Starts so many sagas as fast as the broker takes them, and waits for none.
    pub(crate) fn flood(&mut self, sagas: u64) {
        for _ in 0..sagas {
            self.start(Answers::All);
        }
        self.requests.flush();
    }

    /// Sagas that were started so far.
    pub(crate) const fn started(&self) -> u64 {
        self.next
    }
}

fn expect_ending(answer: &BorrowedMessage<'_>, ending: &str) {
    #[derive(Deserialize)]
    struct Answered<'a> {
        status: &'a str,
    }

    let Answered { status } = serde_json::from_slice(answer.payload().unwrap_or_default()).expect("answers are JSON");
    assert_eq!(status, ending, "of {:?}", answer.key().map(String::from_utf8_lossy));
}
