//! Effects of records as messages, and those that the world is still owed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::setting::{FORWARDED, Setting};
use crate::engine::{Acknowledged, CommandId, CommandKind, Effect, InstanceId, Undeliverable, pending};
use crate::journal::record::{Body, Cause, Record};
use crate::journal::{Booked, Ledger, Live};
use crate::log::{Append, Outcome, Ticket};
use crate::wire::{self, Envelope, Message, RecordId, WireError};

/// How long a message that the log could not take waits for its repeat: longer than a blip, far below any timeout.
pub(super) const REPEAT_PAUSE: Duration = Duration::from_millis(200);

/// A message that a record causes.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    topic: Arc<str>,
    partition: Option<u32>,
    message: Arc<Message>,
    pub(super) command: Option<Sent>,
}

impl Outgoing {
    /// Whether it is a message of a step, which nobody answers but the log.
    fn is_message(&self) -> bool {
        self.command.as_ref().is_some_and(|sent| sent.kind == CommandKind::Message)
    }
}

/// Which command a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) id: CommandId,
    pub(super) kind: CommandKind,
    pub(super) attempt: u32,
}

/// The messages of a change's effects, its record being at `offset`.
pub(super) fn of_change(set: &mut Setting, offset: u64, live: &Live, effects: Vec<Effect>) -> Vec<Outgoing> {
    let record = set.record_id(offset);
    let replies = set.replies();
    let mut message = |effect: Effect| match effect {
        Effect::Command(command) => {
            let envelope = Envelope {
                saga: &live.plan.saga.name,
                reply_topic: &replies,
                reply_partition: record.partition,
                record,
            };
            Outgoing {
                topic: set.topic(&command.participant.commands_topic),
                partition: None,
                message: Arc::new(wire::command(&command, &envelope)),
                command: Some(Sent { id: command.id, kind: command.kind, attempt: command.attempt }),
            }
        }
        Effect::Answer(answer) => Outgoing {
            topic: set.topic(&answer.to.topic),
            partition: answer.to.partition.and_then(|partition| u32::try_from(partition).ok()),
            message: Arc::new(wire::answer(&answer, &live.instance.id, record)),
            command: None,
        },
    };
    effects.into_iter().map(&mut message).collect()
}

/// The messages of a record that is not a change: answers to refused requests, copies, forwards.
pub(super) fn of_others(set: &mut Setting, offset: u64, body: &Body) -> Vec<Outgoing> {
    let id = set.record_id(offset);
    let mut messages = Vec::new();
    match body {
        Body::Reject { rejection, tell, raw, instance, cause, .. } => {
            if let (Some(to), Some(instance)) = (tell, instance) {
                messages.push(answer(set, to, wire::rejection(to, instance, rejection, id)));
            }
            if let Some(raw) = raw {
                let mut copy = raw.to_message();
                copy.headers.push("saga-reason", beginning(&rejection.message));
                copy.headers.push("saga-record", &id.to_string());
                let came = match cause {
                    Cause::Request(at) => Some((set.requests(), at)),
                    Cause::Reply(at) => Some((set.replies(), at)),
                    _ => None,
                };
                if let Some((topic, at)) = came {
                    copy.headers.push("saga-topic", &topic);
                    copy.headers.push("saga-offset", &format!("{}/{at}", set.config.partition));
                }
                let topic = set.dead();
                messages.push(Outgoing {
                    topic,
                    partition: Some(set.config.partition),
                    message: Arc::new(copy),
                    command: None,
                });
            }
        }
        Body::Bar { rejection, tell: Some(to), instance, .. } => {
            messages.push(answer(set, to, wire::rejection(to, instance, rejection, id)));
        }
        Body::Forward { cause, partition, message } => {
            let mut copy = message.to_message();
            copy.headers.push(FORWARDED, &id.to_string());
            let topic = match cause {
                Cause::Reply(_) => set.replies(),
                Cause::Request(_)
                | Cause::Timer(_)
                | Cause::Turn
                | Cause::Undeliverable(_)
                | Cause::Acknowledged(_)
                | Cause::Parked => set.requests(),
            };
            messages.push(Outgoing { topic, partition: Some(*partition), message: Arc::new(copy), command: None });
        }
        _ => {}
    }
    messages
}

/// The most of a reason that a copy carries, in bytes: it may quote what came, and the whole stands in the record.
const REASON_MAX: usize = 4 << 10;

fn beginning(reason: &str) -> &str {
    reason.get(..reason.floor_char_boundary(REASON_MAX)).unwrap_or(reason)
}

fn answer(set: &mut Setting, to: &crate::engine::ReplyTo, message: Message) -> Outgoing {
    let partition = to.partition.and_then(|partition| u32::try_from(partition).ok());
    Outgoing { topic: set.topic(&to.topic), partition, message: Arc::new(message), command: None }
}

/// The messages of any record that counts, for a recovery.
pub(super) fn of_record(set: &mut Setting, offset: u64, record: &Record, booked: &Booked<'_>) -> Vec<Outgoing> {
    match (&record.body, booked.live()) {
        (Body::Change { change, .. }, Some(live)) => {
            let effects = crate::engine::caused(&live.plan, &live.instance, change);
            of_change(set, offset, live, effects)
        }
        // Not known yet: then the checkpoint that explains it waited for these very effects.
        (Body::Change { .. }, None) => Vec::new(),
        (body, _) => of_others(set, offset, body),
    }
}

/// Messages that records cause and that are not all acknowledged, in the order of the journal.
#[derive(Debug, Default)]
pub(super) struct Owed {
    all: VecDeque<Owing>,
    /// How many of them, from the front, have been handed to the log at least once.
    handed: usize,
    /// How many wait for their repeat.
    again: usize,
    /// Messages that the log has acknowledged, and whose instances are still to be told. Until then they are owed, so
    /// that a crash in between sends them once more instead of leaving a saga to wait for ever.
    acknowledged: VecDeque<Ticket>,
    /// Those that are not done.
    open: Open,
}

/// Of what is owed, that which is not done: how many, and their bytes.
#[derive(Debug, Default)]
struct Open {
    count: usize,
    bytes: usize,
}

impl Open {
    /// One is done. Behind one that is not it stays in its place, without its message.
    fn end(&mut self, owing: &mut Owing) {
        owing.state = Delivery::Done;
        self.count -= 1;
        self.bytes -= std::mem::take(&mut owing.what.message).payload.len();
    }
}

#[derive(Debug)]
struct Owing {
    record: u64,
    ticket: Ticket,
    state: Delivery,
    what: Outgoing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivery {
    /// Not acknowledged; for how long nobody knows.
    Open,
    /// To be handed over again then.
    Again(Duration),
    /// Acknowledged, and its instance waits for that.
    Acknowledged,
    /// Acknowledged, or of no use any more.
    Done,
}

/// What a report about an owed message calls for.
pub(super) enum Next {
    Nothing,
    /// A command will never get out: its instance must be told.
    Tell {
        record: u64,
        command: Undeliverable,
    },
    /// Another message will never get out.
    Lost {
        topic: Arc<str>,
        key: Arc<str>,
    },
}

impl Owed {
    pub(super) fn push(&mut self, set: &mut Setting, record: u64, what: Outgoing) {
        self.open.count += 1;
        self.open.bytes += what.message.payload.len();
        self.all.push_back(Owing { record, ticket: set.ticket(), state: Delivery::Open, what });
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many are not done.
    pub(super) const fn open(&self) -> usize {
        self.open.count
    }

    /// How many there are from the first that is not done on.
    pub(super) fn span(&self) -> usize {
        self.all.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.open.bytes
    }

    /// The first record whose messages are not all acknowledged.
    pub(super) fn first(&self) -> Option<u64> {
        self.all.front().map(|owing| owing.record)
    }

    /// Messages of records up to this offset that are due to be handed over.
    pub(super) fn hand_over(&mut self, good: u64, now: Duration, mut to: impl FnMut(Append)) {
        if self.again > 0 {
            for owing in self.all.iter_mut().take(self.handed) {
                if matches!(owing.state, Delivery::Again(due) if due <= now) {
                    owing.state = Delivery::Open;
                    self.again -= 1;
                    to(append(owing));
                }
            }
        }
        while let Some(owing) = self.all.get(self.handed).filter(|owing| owing.record <= good) {
            self.handed += 1;
            to(append(owing));
        }
    }

    /// When something is to be handed over again.
    pub(super) fn next_repeat(&self) -> Option<Duration> {
        if self.again == 0 {
            return None;
        }
        let due = |owing: &Owing| if let Delivery::Again(due) = owing.state { Some(due) } else { None };
        self.all.iter().take(self.handed).filter_map(due).min()
    }

    /// Whether it is a message of a step, which nobody answers but the log.
    pub(super) fn is_message(&self, ticket: Ticket) -> bool {
        let index = self.all.binary_search_by_key(&ticket, |owing| owing.ticket).ok();
        index.and_then(|index| self.all.get(index)).is_some_and(|owing| owing.what.is_message())
    }

    /// The log reports on a message.
    pub(super) fn report(&mut self, ticket: Ticket, outcome: Outcome, now: Duration) -> Next {
        let Ok(index) = self.all.binary_search_by_key(&ticket, |owing| owing.ticket) else { return Next::Nothing };
        let Some(owing) = self.all.get_mut(index) else { return Next::Nothing };
        let is_message = owing.what.is_message();
        match (owing.state, outcome) {
            (Delivery::Done | Delivery::Acknowledged | Delivery::Again(_), _) => Next::Nothing,
            (Delivery::Open, Outcome::At(_)) => {
                if is_message {
                    owing.state = Delivery::Acknowledged;
                    self.acknowledged.push_back(ticket);
                } else {
                    self.open.end(owing);
                }
                Next::Nothing
            }
            (Delivery::Open, Outcome::Unknown) => {
                owing.state = Delivery::Again(now + REPEAT_PAUSE);
                self.again += 1;
                Next::Nothing
            }
            (Delivery::Open, Outcome::Refused(why)) => {
                // What is done lets go of its message.
                let key = Arc::clone(&owing.what.message.key);
                self.open.end(owing);
                let record = owing.record;
                match owing.what.command.clone() {
                    Some(Sent { id, attempt, .. }) => {
                        Next::Tell { record, command: Undeliverable { command: id, attempt, why: why.to_string() } }
                    }
                    None => Next::Lost { topic: Arc::clone(&owing.what.topic), key },
                }
            }
        }
    }

    /// The next message that is in the log and whose instance is to be told; with the record that caused it.
    pub(super) fn next_acknowledged(&mut self) -> Option<(u64, Acknowledged)> {
        while let Some(ticket) = self.acknowledged.pop_front() {
            let Ok(index) = self.all.binary_search_by_key(&ticket, |owing| owing.ticket) else { continue };
            let Some(owing) = self.all.get_mut(index) else { continue };
            self.open.end(owing);
            if let Some(Sent { id, attempt, .. }) = owing.what.command.clone() {
                return Some((owing.record, Acknowledged { command: id, attempt }));
            }
        }
        None
    }

    /// Whether a message is among them.
    pub(super) fn has(&self, sent: &Sent) -> bool {
        self.all.iter().any(|owing| owing.state != Delivery::Done && owing.what.command.as_ref() == Some(sent))
    }

    /// Lets go of what is done at the front; says whether there was anything.
    pub(super) fn settle(&mut self) -> bool {
        let before = self.all.len();
        while self.all.front().is_some_and(|owing| owing.state == Delivery::Done) {
            self.all.pop_front();
            self.handed -= 1;
        }
        self.all.len() < before
    }

    /// As [`Defect::SentAtHandOver`](super::Defect::SentAtHandOver) has it.
    pub(super) fn forget_handed(&mut self) {
        for owing in self.all.iter_mut().take(self.handed).filter(|owing| owing.state != Delivery::Done) {
            self.open.end(owing);
        }
        self.again = 0;
    }
}

fn append(owing: &Owing) -> Append {
    let Owing { ticket, what: Outgoing { topic, partition, message, command }, .. } = owing;
    let (topic, message) = (Arc::clone(topic), Arc::clone(message));
    // The topics of answers come with requests.
    Append { ticket: *ticket, topic, partition: *partition, message, waits: command.is_some() }
}

/// What a recovery owes: messages of records that may not have been sent, while the records are being read.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    all: VecDeque<(u64, Outgoing)>,
}

impl Unsent {
    pub(super) fn push(&mut self, record: u64, messages: Vec<Outgoing>) {
        self.all.extend(messages.into_iter().map(|message| (record, message)));
    }

    /// All before this offset is acknowledged.
    pub(super) fn drop_before(&mut self, sent: u64) {
        while self.all.front().is_some_and(|(record, _)| *record < sent) {
            self.all.pop_front();
        }
    }

    /// What is still owed: of commands those whose answers the instance still awaits.
    pub(super) fn into_owed(self, set: &mut Setting, ledger: &Ledger) -> Owed {
        let mut owed = Owed::default();
        for (record, what) in self.all {
            if what.command.as_ref().is_none_or(|command| is_awaited(ledger, command)) {
                owed.push(set, record, what);
            }
        }
        owed
    }
}

fn is_awaited(ledger: &Ledger, sent: &Sent) -> bool {
    let Sent { id, kind, attempt } = sent;
    let Some(live) = ledger.live(&id.instance) else { return false };
    pending(&live.plan, &live.instance).iter().any(|effect| match effect {
        Effect::Command(command) => command.id == *id && command.kind == *kind && command.attempt == *attempt,
        Effect::Answer(_) => false,
    })
}

/// The instance of an input as far as it can be told, for whoever reads `saga.dead`.
pub(super) fn key_of(message: &Message) -> Option<InstanceId> {
    InstanceId::try_from(&*message.key).ok()
}

/// Why an input cannot be read, in a sentence.
pub(super) fn unreadable(error: &WireError) -> String {
    format!("failed to {error}")
}

impl Setting {
    fn record_id(&self, offset: u64) -> RecordId {
        RecordId { partition: i32::try_from(self.config.partition).unwrap_or(i32::MAX), offset }
    }
}
