//! A saga under load: many instances in virtual time, on the partition tasks that run in production, with participants that
//! take their time, refuse, and stay silent now and then. Nothing else goes wrong here; that is what [worlds](super::live)
//! are for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use compact_str::{CompactString, format_compact};

use super::cast::Cast;
use super::figures::Figures;
use super::requests::{instance, ordered, started};
use super::worker::Worker;
use super::world::BEGIN;
use crate::definition::Per;
use crate::engine::{Event, InstanceId, Order, Summary, invocation_at};
use crate::journal::record::Body;
use crate::log::simulated::{Client, Faults, Manner, Random, Simulated};
use crate::log::{REPLIES, REQUESTS, Report};
use crate::model::world::names;
use crate::plan::ROOT_PLACE;
use crate::runtime::partition::{Config, Do, Fact, Partition, Told};
use crate::time::Timestamp;
use crate::wire::{self, CloudEvent, Message, attribute};

/// The most instances of one load: what they leave in the log is kept in memory, some 20 KB each.
pub const LOAD_MAX: usize = 100_000;
/// Partitions where a participant's limit does not ask for fewer.
const PARTITIONS: u32 = 6;
/// The one process.
const ENGINE: Client = Client(1);
/// After so long in virtual time what has not ended is left: ten years.
const PASSED_MAX: u64 = 10 * 365 * 24 * 60 * 60 * 1_000;

/// What is asked of which participants: of a step, or of all steps of a participant, or of everybody.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule<T> {
    /// The name of a step, without indices, or of a participant; none for all others.
    pub of: Option<CompactString>,
    /// What.
    pub is: T,
}

/// A load.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// How many instances; at most [`LOAD_MAX`].
    pub sagas: usize,
    /// How many begin in a second, at random times (a Poisson process).
    pub rate: f64,
    /// How long an answer takes: drawn evenly on a logarithmic scale, since most answers are quick.
    pub latency: Vec<Rule<Range<Duration>>>,
    /// How many of a hundred commands are refused, with one of their codes.
    pub fails: Vec<Rule<f64>>,
    /// How many of a hundred attempts are never answered.
    pub silent: Vec<Rule<f64>>,
    /// Signals that come, so long after the start.
    pub signals: Vec<(CompactString, Range<Duration>)>,
    /// How long a record takes through the log.
    pub log: Duration,
    /// All else follows from it.
    pub seed: u64,
}

/// What holds for a step and its participant: the most particular rule.
pub(super) fn rule_for<'r, T>(rules: &'r [Rule<T>], step: &str, participant: &str) -> Option<&'r T> {
    let is_step = |rule: &&Rule<T>| rule.of.as_ref().is_some_and(|of| names(of, step));
    let is_participant = |rule: &&Rule<T>| rule.of.as_ref().is_some_and(|of| of == participant);
    let all = || rules.iter().rev();
    let found = all().find(is_step).or_else(|| all().find(is_participant));
    found.or_else(|| all().find(|rule| rule.of.is_none())).map(|rule| &rule.is)
}

/// Bears a load.
#[must_use]
pub fn bear(cast: &Arc<Cast>, load: &Load) -> Figures {
    let mut house = House::new(cast, load);
    house.open();
    house.run();
    house.figures
}

/// What is still to come.
enum Due {
    /// A client starts an instance.
    Start(usize),
    /// A client signals it.
    Signal(InstanceId, CompactString),
    /// The log tells the engine.
    Report(u32, Report),
    /// A participant answers.
    Answer { topic: Arc<str>, reply: Arc<Message>, to: u32, since: u64 },
    /// Nobody waits any longer for the answer of a participant that is silent.
    Silence(CompactString),
}

struct House<'a> {
    cast: &'a Arc<Cast>,
    load: &'a Load,
    random: Random,
    log: Simulated,
    tasks: Vec<Partition>,
    worker: Worker,
    now: u64,
    due: BinaryHeap<Reverse<(u64, u64)>>,
    what: BTreeMap<u64, Due>,
    numbers: u64,
    seen: BTreeMap<(Arc<str>, u32), usize>,
    landed: u64,
    /// When a step began to wait for its turn.
    queued: BTreeMap<(InstanceId, CompactString), u64>,
    stuck: BTreeSet<InstanceId>,
    /// When the first instance began, by its journal.
    began: Option<Timestamp>,
    figures: Figures,
}

impl<'a> House<'a> {
    fn new(cast: &'a Arc<Cast>, load: &'a Load) -> Self {
        let mut random = Random::new(load.seed);
        let at_once = cast.limits().filter(|(_, limit)| limit.per == Per::Once).map(|(_, limit)| limit.count).min();
        let partitions = PARTITIONS.min(at_once.unwrap_or(PARTITIONS)).max(1);
        let mut log = Simulated::new(random.next(), partitions, Faults::NONE, Timestamp(BEGIN));
        log.manner = Manner { prompt: 100, overtaking: 0, slow: 0 };
        let task = |partition| Partition::new(Config::new(partition, partitions, "engine"), Arc::clone(&cast.plans));
        let mut worker = Worker::new(cast, None);
        worker.moody = false;
        worker.fails.clone_from(&load.fails);
        let names = cast.participants.values().map(|participant| participant.name.clone());
        Self {
            cast,
            load,
            random,
            log,
            tasks: (0..partitions).map(task).collect(),
            worker,
            now: 0,
            due: BinaryHeap::new(),
            what: BTreeMap::new(),
            numbers: 0,
            seen: BTreeMap::new(),
            landed: 0,
            queued: BTreeMap::new(),
            stuck: BTreeSet::new(),
            began: None,
            figures: Figures::new(partitions, names),
        }
    }

    fn open(&mut self) {
        for partition in (0..).take(self.tasks.len()) {
            self.log.assign(partition, ENGINE);
        }
        let mut at = 0.0;
        for number in 0..self.load.sagas {
            // Between two of a Poisson process lies an exponentially distributed time.
            at -= self.fraction().ln() / self.load.rate * 1_000.0;
            self.later(rounded(at), Due::Start(number));
        }
    }

    fn run(&mut self) {
        while self.figures.over() + self.stuck.len() < self.load.sagas && self.now < PASSED_MAX {
            self.settle();
            let wakes = self.tasks.iter().filter_map(Partition::wakes_at).min();
            let wakes = wakes.map(|due| u64::try_from(due.as_millis()).unwrap_or(u64::MAX).saturating_add(1));
            let due = self.due.peek().map(|Reverse((due, _))| *due);
            let Some(next) = due.into_iter().chain(wakes).min() else { break };
            self.now = self.now.max(next);
            self.log.now = Timestamp(BEGIN + self.now);
            while let Some(Reverse((due, number))) = self.due.peek().copied()
                && due <= self.now
            {
                self.due.pop();
                if let Some(what) = self.what.remove(&number) {
                    self.happen(what);
                }
            }
            for partition in 0..self.tasks.len() {
                let due = self.tasks.get(partition).and_then(Partition::wakes_at);
                if due.is_some_and(|due| due <= Duration::from_millis(self.now)) {
                    self.tell(partition, Told::Tick);
                }
            }
        }
        self.figures.stuck = self.stuck.len();
        self.figures.sort();
        let end = Timestamp(BEGIN + self.now);
        self.figures.passed = end.since(self.began.unwrap_or(end));
    }

    /// All that needs no time.
    fn settle(&mut self) {
        while !self.log.is_idle() {
            if let Some(delivery) = self.log.step() {
                let takes = u64::try_from(self.load.log.as_millis()).unwrap_or(u64::MAX);
                self.later(self.now.saturating_add(takes), Due::Report(delivery.partition, delivery.report));
            }
        }
        if std::mem::replace(&mut self.landed, self.log.landed) != self.log.landed {
            self.work();
        }
    }

    fn later(&mut self, at: u64, what: Due) {
        self.numbers += 1;
        self.due.push(Reverse((at, self.numbers)));
        self.what.insert(self.numbers, what);
    }

    fn happen(&mut self, what: Due) {
        match what {
            Due::Start(number) => {
                let id = instance(&format_compact!("saga-{number}"));
                let input = self.cast.usual_input(Timestamp(BEGIN + self.now), &mut self.random);
                let message = started(self.cast, id.as_str(), &input, &format!("start-{number}"));
                self.log.put(REQUESTS, None, message.into());
                for (signal, range) in &self.load.signals {
                    let at = self.now + between(range, fraction(&mut self.random));
                    self.later(at, Due::Signal(id.clone(), signal.clone()));
                }
            }
            Due::Signal(id, signal) => {
                let now = Timestamp(BEGIN + self.now);
                let with = self.cast.usual_signal(&signal, now, &mut self.random);
                let request = format!("{signal}-{id}");
                let order = Order::Signal { signal, with: Some(with) };
                let message = ordered(id.as_str(), order, &request);
                self.log.put(REQUESTS, None, message.into());
            }
            Due::Report(partition, report) => self.tell(partition as usize, Told::Log(report)),
            Due::Answer { topic, reply, to, since } => {
                let name = self.name(&topic);
                self.figures.answered(&name, self.now - since);
                self.log.put(REPLIES, Some(to), reply);
            }
            Due::Silence(name) => self.figures.forgone(&name),
        }
    }

    fn name(&self, topic: &str) -> CompactString {
        self.cast.participants.get(topic).map(|participant| participant.name.clone()).unwrap_or_default()
    }

    fn tell(&mut self, partition: usize, told: Told) {
        let mut out = Vec::new();
        let Some(task) = self.tasks.get_mut(partition) else { return };
        task.handle([told], Duration::from_millis(self.now), &mut out);
        let partition = u32::try_from(partition).unwrap_or(u32::MAX);
        for doing in out {
            match doing {
                Do::Ask(request) => self.log.submit(ENGINE, partition, request),
                Do::Tell(fact) => self.hear(&fact),
                // Each partition has a share of its own.
                Do::Wake(_) => {}
            }
        }
    }

    fn hear(&mut self, fact: &Fact) {
        let Fact::Recorded { record, stands, .. } = fact else { return };
        self.figures.records += 1;
        let Body::Change { instance, change, .. } = &record.body else { return };
        for event in &change.events {
            match event {
                Event::Queued { at, .. } => {
                    self.queued.insert((instance.clone(), at.clone()), self.now);
                }
                Event::Called { at, work, .. } => {
                    let since = self.queued.remove(&(instance.clone(), at.clone()));
                    let asked = invocation_at(&self.cast.plan, at, *work);
                    if let (Some(since), Some(asked)) = (since, asked) {
                        self.figures.waited(&asked.participant.name, self.now - since);
                    }
                }
                Event::Failed { scope, failure } if *scope == ROOT_PLACE => {
                    self.figures.failing(instance, &failure.code);
                }
                _ => {}
            }
        }
        let Some(stands) = stands else { return };
        self.began = Some(self.began.map_or(stands.started, |began| began.min(stands.started)));
        self.stuck.remove(instance);
        match stands.state {
            Summary::Completed | Summary::Compensated => {
                let took = (BEGIN + self.now).saturating_sub(stands.started.0);
                self.figures.ended(instance, stands.state, took);
            }
            Summary::Stuck => drop(self.stuck.insert(instance.clone())),
            Summary::Running | Summary::Compensating => {}
        }
    }

    /// Participants read what has come.
    fn work(&mut self) {
        let topics: Vec<Arc<str>> = self.cast.participants.keys().cloned().collect();
        for topic in topics {
            for partition in (0..).take(self.tasks.len()) {
                let seen = self.seen.entry((Arc::clone(&topic), partition)).or_default();
                let kept = self.log.shelf(&topic, partition);
                let new: Vec<_> = kept.into_iter().flat_map(|kept| kept.records.iter().skip(*seen)).cloned().collect();
                *seen += new.len();
                for stored in new {
                    self.take(&topic, &stored.message);
                }
            }
        }
    }

    fn take(&mut self, topic: &Arc<str>, message: &Message) {
        let name = self.name(topic);
        let event = CloudEvent::read(message).unwrap_or_default();
        let step = event.get(attribute::STEP).unwrap_or_default();
        let is_message = event.get(attribute::KIND) == Some("message");
        let is_repeat = event.get(attribute::ATTEMPT).is_some_and(|attempt| attempt != "1");
        self.figures.asked(&name, self.now, is_repeat, is_message);
        let now = Timestamp(BEGIN + self.now);
        let Some((reply, to)) = self.worker.handle(topic, message, now, &mut self.random) else {
            if !is_message {
                self.is_silent(&event, name);
            }
            return;
        };
        let silent = rule_for(&self.load.silent, step, &name).copied().unwrap_or_default();
        if fraction(&mut self.random) * 100.0 < silent {
            self.is_silent(&event, name);
            return;
        }
        let usual = Duration::ZERO..Duration::ZERO;
        let range = rule_for(&self.load.latency, step, &name).unwrap_or(&usual);
        let at = self.now + between(range, fraction(&mut self.random));
        self.later(at, Due::Answer { topic: Arc::clone(topic), reply: Arc::new(reply), to, since: self.now });
    }

    /// A participant will not answer: that is known when its attempt is over.
    fn is_silent(&mut self, command: &CloudEvent<'_>, participant: CompactString) {
        let over = wire::read_command(command).map_or(self.now, |command| command.deadline.0.saturating_sub(BEGIN));
        self.later(over, Due::Silence(participant));
    }

    fn fraction(&mut self) -> f64 {
        fraction(&mut self.random)
    }
}

/// A number above 0 and up to 1.
pub(super) fn fraction(random: &mut Random) -> f64 {
    const ALL: u32 = 1 << 24;
    let drawn = u32::try_from(random.next() >> 40).unwrap_or_default();
    f64::from(drawn + 1) / f64::from(ALL)
}

/// Milliseconds of a range, by a fraction of its length on a logarithmic scale.
fn between(range: &Range<Duration>, fraction: f64) -> u64 {
    let (from, to) = (range.start.as_secs_f64().max(0.000_5), range.end.as_secs_f64().max(0.000_5));
    if range.end <= range.start {
        return u64::try_from(range.start.as_millis()).unwrap_or(u64::MAX);
    }
    rounded(from * (to / from).powf(fraction) * 1_000.0)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "durations are positive and saturate")]
fn rounded(millis: f64) -> u64 {
    millis.round() as u64
}
