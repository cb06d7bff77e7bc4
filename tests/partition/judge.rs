//! What must hold in a simulated world: the properties of `docs/protocol.md`, "What the simulator checks".
//!
//! The judge reads the whole journal from record 0 with a rule of reading of its own, and looks at each record as it
//! lands, at each message as it is handed over, and at each fact as it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use saga::engine::{Decision, Effect, Event, Input, InstanceId, Order, Refusal, Run, caused, decide, pending};
use saga::journal::record::{Body, Cause, PastOutcome, Record, StartHash};
use saga::journal::{Ledger, Plans, Rule, decode};
use saga::log::simulated::Shelf;
use saga::log::{Append, Stored};
use saga::runtime::partition::Fact;
use saga::time::Timestamp;
use saga::wire::{self, Ask, Envelope, Message, RecordId};

use super::participants::Work;
use super::saga::STEPS;

/// A property that does not hold, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation(pub(crate) String);

type Holds = Result<(), Violation>;

fn violated(property: &str, details: impl std::fmt::Display) -> Holds {
    Err(Violation(format!("{property}: {details}")))
}

/// How an instance's life ended, by the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Completed,
    Compensated,
}

/// A message that a record justifies: its topic's kind and its `ce_id`.
type Key = (&'static str, String);

pub(crate) struct Judge {
    plans: Arc<Plans>,
    remember: std::time::Duration,
    truth: Ledger,
    epoch: Option<u64>,
    run_goes_on: bool,
    records: Vec<(Record, bool)>,
    causes: BTreeMap<Cause, &'static str>,
    effects: BTreeMap<u64, Vec<Key>>,
    landed: BTreeSet<(u64, Key)>,
    complete: BTreeSet<u64>,
    passed_over: BTreeSet<Cause>,
    told_rejected: BTreeSet<Cause>,
    told_known: BTreeSet<u64>,
    sent_checked: u64,
    endings: BTreeMap<(InstanceId, Run), Ending>,
    begun: BTreeSet<(InstanceId, Run)>,
    pub(crate) claims: u32,
}

impl Judge {
    pub(crate) fn new(plans: Arc<Plans>, remember: std::time::Duration) -> Self {
        Self {
            plans,
            remember,
            truth: Ledger::default(),
            epoch: None,
            run_goes_on: false,
            records: Vec::new(),
            causes: BTreeMap::new(),
            effects: BTreeMap::new(),
            landed: BTreeSet::new(),
            complete: BTreeSet::new(),
            passed_over: BTreeSet::new(),
            told_rejected: BTreeSet::new(),
            told_known: BTreeSet::new(),
            sent_checked: 0,
            endings: BTreeMap::new(),
            begun: BTreeSet::new(),
            claims: 0,
        }
    }

    /// What every reader makes of the journal.
    pub(crate) fn truth(&self) -> &Ledger {
        &self.truth
    }

    /// Records have landed.
    pub(crate) fn journal(&mut self, journal: &Shelf, requests: &Shelf, replies: &Shelf) -> Holds {
        while let Some(stored) = journal.records.get(self.records.len()) {
            let record = decode(&stored.message.payload).map_err(|damage| Violation(damage.to_string()))?;
            self.record(stored, record, journal, requests, replies)?;
        }
        Ok(())
    }

    fn record(&mut self, stored: &Stored, record: Record, journal: &Shelf, requests: &Shelf, replies: &Shelf) -> Holds {
        let offset = stored.offset;
        let claim = matches!(record.body, Body::Claim { .. });
        // The rule of reading, once more and in other words.
        let counts =
            claim || (self.run_goes_on && Some(record.epoch) == self.epoch && record.epoch + record.n == offset);
        self.run_goes_on = counts;
        if claim {
            self.epoch = Some(offset);
            self.claims += 1;
        }
        let pointer = record.checkpoint;
        if pointer != 0 && pointer >= journal.start && !self.complete.contains(&pointer) {
            return violated("pointers lead to complete checkpoints", format!("record {offset} points at {pointer}"));
        }
        if counts && !claim {
            self.counting(offset, &record, requests, replies)?;
        }
        self.records.push((record, counts));
        if counts && let Some((Record { body: Body::Completed { started }, .. }, _)) = self.records.last() {
            let started = *started;
            self.complete.insert(started);
            self.recovers_from(started)?;
            self.all_sent_before(started)?;
        }
        Ok(())
    }

    fn counting(&mut self, offset: u64, record: &Record, requests: &Shelf, replies: &Shelf) -> Holds {
        let cause = cause_of(&record.body);
        if let Some(cause @ (Cause::Request(_) | Cause::Reply(_))) = cause {
            let parked = matches!(record.body, Body::Park { .. });
            if self.causes.insert(cause, record.body.name()).is_some() {
                return violated("no cause counts twice", format!("record {offset}, {cause:?}, parked: {parked}"));
            }
            let changes = matches!(record.body, Body::Change { .. } | Body::Bar { .. });
            if changes && self.told_rejected.contains(&cause) {
                return violated("what was told rejected never happens", format!("record {offset}, {cause:?}"));
            }
            if let Cause::Request(request) = cause
                && self.told_known.contains(&request)
            {
                return violated("what was told known never happens", format!("record {offset}, request {request}"));
            }
        }
        // What is passed over without a record.
        for (shelf, from, to, lane) in [
            (requests, self.truth.read.requests, record.read.requests, Cause::Request as fn(u64) -> Cause),
            (replies, self.truth.read.replies, record.read.replies, Cause::Reply as fn(u64) -> Cause),
        ] {
            for input in from..to {
                let passed = lane(input);
                if cause == Some(passed) || self.causes.contains_key(&passed) {
                    continue;
                }
                let stored = &shelf.records[usize::try_from(input).unwrap()];
                if self.ignorable(stored, passed, record.at) == Some(false) {
                    return violated(
                        "nothing before `read` would still change a saga",
                        format!("record {offset} passes over {passed:?}"),
                    );
                }
                self.passed_over.insert(passed);
            }
        }
        if let Body::Bar { instance, .. } = &record.body {
            self.begun.insert((instance.clone(), Run(record.at.0))); // it takes the place of the life before it
        }
        if let Body::Change { instance, run, change, .. } = &record.body {
            let life = (instance.clone(), *run);
            for event in &change.events {
                let ending = match event {
                    Event::Started { .. } if !self.begun.insert(life.clone()) => {
                        return violated("a life of an instance begins once", format!("{instance} {run:?}"));
                    }
                    Event::Completed { .. } => Ending::Completed,
                    Event::Compensated => Ending::Compensated,
                    _ => continue,
                };
                self.endings.insert(life.clone(), ending);
            }
        }
        let bytes = 0;
        let plans = Arc::clone(&self.plans);
        let booked = match self.truth.book(&plans, record, bytes, None) {
            Ok(booked) => booked,
            Err(damage) => return violated("a counting change continues the state before it", damage),
        };
        let mut keys = Vec::new();
        if let (Body::Change { change, .. }, Some(live)) = (&record.body, booked.live()) {
            let id = RecordId { partition: 0, offset };
            for effect in caused(&live.plan, &live.instance, change) {
                let message = match &effect {
                    Effect::Command(command) => {
                        let envelope =
                            Envelope { saga: "toy", reply_topic: "saga.replies", reply_partition: 0, record: id };
                        wire::command(command, &envelope)
                    }
                    Effect::Answer(answer) => wire::answer(answer, &live.instance.id, id),
                };
                keys.push(key(&message));
            }
        }
        match &record.body {
            Body::Reject { tell, rejection, instance: Some(instance), .. } if rejection.code != Refusal::Unreadable => {
                let id = RecordId { partition: 0, offset };
                keys.extend(tell.iter().map(|to| key(&wire::rejection(to, instance, rejection, id))));
            }
            Body::Reject { raw: Some(raw), .. } => keys.push(("dead", key(&raw.to_message()).1)),
            Body::Bar { tell: Some(to), rejection, instance, .. } => {
                keys.push(key(&wire::rejection(to, instance, rejection, RecordId { partition: 0, offset })));
            }
            _ => {}
        }
        self.effects.insert(offset, keys);
        self.all_sent_before(self.truth.sent)
    }

    /// What a recovery would not repeat has been sent.
    fn all_sent_before(&mut self, before: u64) -> Holds {
        let from = self.sent_checked;
        for (offset, keys) in self.effects.range(from..before.max(from)) {
            for key in keys {
                if !self.landed.contains(&(*offset, key.clone())) && self.is_awaited(key) {
                    return violated("what recovery would not repeat has been sent", format!("{offset}: {key:?}"));
                }
            }
        }
        self.sent_checked = self.sent_checked.max(before);
        Ok(())
    }

    /// Commands that nobody waits for need not be sent; all else does.
    fn is_awaited(&self, (kind, id): &Key) -> bool {
        *kind != "command"
            || self.truth.all_live().any(|live| {
                pending(&live.plan, &live.instance).iter().any(|effect| match effect {
                    Effect::Command(command) => *id == command_key(command),
                    Effect::Answer(_) => false,
                })
            })
    }

    /// Recovery from a checkpoint comes to the truth, byte for byte.
    fn recovers_from(&self, started: u64) -> Holds {
        let mut ledger = Ledger::from_checkpoint(started);
        let mut rule = None;
        for (offset, (record, _)) in (0u64..).zip(&self.records).skip(usize::try_from(started).unwrap()) {
            let rule = rule.get_or_insert_with(|| Rule::from_checkpoint(started, record).unwrap());
            if rule.counts(offset, record)
                && let Err(damage) = ledger.book(&self.plans, record, 0, None)
            {
                return violated("recovery from any checkpoint equals the fold from record 0", damage);
            }
        }
        same("recovery from any checkpoint equals the fold from record 0", &ledger, &self.truth)
    }

    /// A task says that it runs, and this is what it knows, these records of its own included.
    pub(crate) fn running(&self, epoch: u64, ledger: &Ledger, own: &[Record]) -> Holds {
        let mut truth = Ledger::default();
        let mut rule = Rule::from_the_beginning();
        for (offset, (record, _)) in (0..=epoch).zip(&self.records) {
            if rule.counts(offset, record) {
                truth.book(&self.plans, record, 0, None).map_err(|damage| Violation(damage.to_string()))?;
            }
        }
        for record in own {
            truth.book(&self.plans, record, 0, None).map_err(|damage| Violation(damage.to_string()))?;
        }
        same("a recovered owner knows what the fold from record 0 knows", ledger, &truth)
    }

    /// A message is handed over, or has landed.
    pub(crate) fn sends(&mut self, append: &Append) -> Holds {
        let (offset, key) = justification(&append.message);
        let counts = self.records.get(usize::try_from(offset).unwrap()).is_some_and(|(_, counts)| *counts);
        if !counts || !self.effects.get(&offset).is_some_and(|keys| keys.contains(&key)) {
            return violated("a sent effect belongs to a counting record", format!("{offset}: {key:?}"));
        }
        Ok(())
    }

    pub(crate) fn lands(&mut self, message: &Message) {
        let (offset, key) = justification(message);
        self.landed.insert((offset, key));
    }

    /// A fact is told.
    pub(crate) fn hears(&mut self, fact: &Fact) -> Holds {
        match fact {
            Fact::Recorded { offset, record, .. } => {
                let counts = usize::try_from(*offset).ok().and_then(|at| self.records.get(at));
                let unrecorded = *offset == u64::MAX;
                if !unrecorded && counts.is_none_or(|(there, counts)| !counts || there != &**record) {
                    return violated("good records count", format!("record {offset}"));
                }
                if let Body::Reject { cause, .. } = &record.body {
                    self.told_rejected.insert(*cause);
                    if self.causes.get(cause).is_some_and(|kind| *kind == "change" || *kind == "bar") {
                        return violated("what was told rejected never happens", format!("{cause:?}"));
                    }
                }
            }
            Fact::Known { request, .. } => {
                self.told_known.insert(*request);
                if self.causes.contains_key(&Cause::Request(*request)) {
                    return violated("what was told known never happens", format!("request {request}"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether nothing would come of an input now; `None` where it would be another life's.
    fn ignorable(&self, stored: &Stored, cause: Cause, now: Timestamp) -> Option<bool> {
        let decided = |id: &InstanceId, input: &Input| {
            self.truth.live(id).map(|live| decide(&live.plan, &live.instance, now, input) == Decision::Nothing)
        };
        if matches!(cause, Cause::Reply(_)) {
            let Ok(reply) = wire::read_reply(&stored.message) else { return Some(false) };
            let id = reply.command.instance.clone();
            let run = self.truth.live(&id).map(|live| live.instance.run);
            return match (run, self.truth.past(&id)) {
                (Some(run), _) if reply.command.run < run => Some(true),
                (Some(_), _) => decided(&id, &Input::Reply(reply)),
                (None, Some(past)) => Some(reply.command.run <= past.run),
                (None, None) => Some(false),
            };
        }
        let Ok(request) = wire::read_request(&stored.message) else { return Some(false) };
        let id = &request.instance;
        let past = self.truth.past(id).filter(|past| stored.timestamp < past.at.after(self.remember));
        match &request.ask {
            Ask::Start { saga, start } => match past.map(|past| past.outcome) {
                _ if self.truth.live(id).is_some() => decided(id, &Input::Start(start.clone())),
                Some(PastOutcome::Completed(was) | PastOutcome::Compensated(was)) => {
                    Some(was == StartHash::of(saga, &start.input))
                }
                Some(PastOutcome::Barred) | None => Some(false),
            },
            Ask::Order { order, .. } if self.truth.live(id).is_some() => decided(id, &Input::Order(order.clone())),
            Ask::Order { order, .. } => {
                Some(past.is_some_and(|past| past.outcome == PastOutcome::Barred) && order.order == Order::Cancel)
            }
        }
    }

    /// At the end of the world.
    pub(crate) fn end(
        &self,
        requests: &Shelf,
        replies: &Shelf,
        work: &BTreeMap<saga::engine::CommandId, Work>,
    ) -> Holds {
        for cause in &self.passed_over {
            let (topic, at) = match cause {
                Cause::Request(at) => (requests, at),
                Cause::Reply(at) => (replies, at),
                Cause::Timer(_) | Cause::Undeliverable(_) | Cause::Parked => continue,
            };
            let stored = &topic.records[usize::try_from(*at).unwrap()];
            let id = InstanceId::try_from(&*stored.message.key).unwrap();
            // Another life, or forgotten: then `read` is beyond it.
            let lives = self.begun.iter().filter(|(begun, _)| *begun == id).count();
            let known = self.truth.live(&id).is_some() || self.truth.past(&id).is_some();
            if lives == 1 && known && self.ignorable(stored, *cause, Timestamp(0)) == Some(false) {
                return violated("nothing is stable", format!("{cause:?}"));
            }
        }
        for ((instance, run), ending) in &self.endings {
            for step in STEPS {
                let of = |id: &&saga::engine::CommandId| id.instance == *instance && id.run == *run && id.place == step;
                let total = work.iter().filter(|(id, _)| of(id)).fold(Work::default(), |sum, (_, work)| Work {
                    done: sum.done + work.done,
                    undone: sum.undone + work.undone,
                });
                if total.done > 1 {
                    return violated(
                        "a guarded step runs at most once a run",
                        format!("{instance} {run:?} {step} {total:?}"),
                    );
                }
                let in_effect = i64::from(total.done) - i64::from(total.undone);
                match ending {
                    Ending::Completed if in_effect != 1 => {
                        return violated(
                            "completed = every step in effect once",
                            format!("{instance} {run:?} {step} {total:?}"),
                        );
                    }
                    Ending::Compensated if in_effect != 0 => {
                        return violated(
                            "compensated = none, for ever",
                            format!("{instance} {run:?} {step} {total:?}"),
                        );
                    }
                    Ending::Completed | Ending::Compensated => {}
                }
            }
        }
        Ok(())
    }
}

fn same(property: &str, left: &Ledger, right: &Ledger) -> Holds {
    let (left, right) = (left.to_text().unwrap(), right.to_text().unwrap());
    if left == right { Ok(()) } else { violated(property, format!("\n{left}\n--- is not\n{right}")) }
}

fn cause_of(body: &Body) -> Option<Cause> {
    match body {
        Body::Change { cause, .. }
        | Body::Reject { cause, .. }
        | Body::Bar { cause, .. }
        | Body::Forward { cause, .. }
        | Body::Resume { cause, .. } => Some(*cause),
        Body::Park { parked, .. } => Some(parked.cause),
        _ => None,
    }
}

fn command_key(command: &saga::engine::Command) -> String {
    let envelope = Envelope {
        saga: "toy",
        reply_topic: "saga.replies",
        reply_partition: 0,
        record: RecordId { partition: 0, offset: 0 },
    };
    key(&wire::command(command, &envelope)).1
}

fn key(message: &Message) -> Key {
    let id = message.header(wire::header::ID).unwrap_or("none").to_owned();
    let kind = match message.header(wire::header::TYPE) {
        Some(wire::header::COMMAND_TYPE) => "command",
        Some(wire::header::ANSWER_TYPE) => "answer",
        _ => "dead",
    };
    (kind, id)
}

/// The record that a message says to belong to, and what it is.
fn justification(message: &Message) -> (u64, Key) {
    let record: RecordId = message
        .headers
        .iter()
        .rev()
        .find(|(name, _)| **name == *wire::header::RECORD)
        .map(|(_, value)| value.parse().unwrap())
        .unwrap();
    let mut key = key(message);
    if message.header("saga-reason").is_some() {
        key.0 = "dead";
    }
    (record.offset, key)
}
