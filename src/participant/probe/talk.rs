//! The conversation with a participant: commands of the probe's own, and the answers that belong to them.
//!
//! A [`Case`] is one command's id, new for each attempt at a rule. Replies are found by it; what is wrong with a reply
//! itself is noted as a fault of the rules on all replies, and the conversation goes on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use compact_str::{CompactString, format_compact};

use super::report::Left;
pub(super) use super::said::{Heard, Marks, Said, Wrong};
use super::subject::{Call, Subject};
use super::{Options, Places};
use crate::engine::{Command, CommandId, CommandKind, Direction, ID_MAX, InstanceId, ReplyKind, Run, Status};
use crate::json::Json;
use crate::log::kafka::{Raw, RawMessage};
use crate::log::partition_of;
use crate::time::Timestamp;
use crate::wire::{self, CloudEvent, Envelope, RecordId, attribute};

/// How long a command of the probe is waited for, as its deadline says: longer than the probe waits itself.
const DEADLINE: Duration = Duration::from_mins(5);

/// How far back a deadline lies that is over: further than clocks usually differ.
pub(super) const OVER: Duration = Duration::from_mins(30);

/// How long a `retry` is left alone before it is asked again, as an orchestrator would: twice as long each time, at most so long.
const RETRY_AFTER: Duration = Duration::from_millis(200);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(1);

/// How long the first answer may take at least: a participant that has just begun waits for its group.
const FIRST_WITHIN: Duration = Duration::from_secs(20);

/// How long the first answer may take, where any other one may take so long.
#[must_use]
pub fn first_within(within: Duration) -> Duration {
    within.max(FIRST_WITHIN)
}

/// How long is listened for what comes late, at the end.
const DRAIN: Duration = Duration::from_millis(500);

/// What librdkafka and the broker say of a message that the topic does not take.
const TOO_LARGE: &str = "MessageSizeTooLarge";

/// The saga and the step that the probe's commands are of.
const SAGA: &str = "saga-probe";

/// One command's id, and how often it was asked for.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) id: CommandId,
    pub(super) call: Call,
    pub(super) reply_partition: u32,
    pub(super) partition: u32,
    attempts: u32,
    /// Replies to it need not fit the contract: it was asked for what is not in there.
    pub(super) is_odd: bool,
    /// Its commands have a `traceparent` that can be handed on.
    pub(super) is_traced: bool,
    /// The rule that is broken if it is done.
    pub(super) never: Option<&'static str>,
}

impl Case {
    /// W3C trace context. Nobody is asked to record it.
    fn traceparent(&self, attempt: u32) -> CompactString {
        let (trace, instance) = (self.id.run.0, crc32fast::hash(self.id.instance.as_str().as_bytes()));
        format_compact!("00-{trace:016x}{instance:016x}-{attempt:016x}-00")
    }

    /// Whether a reply is part of its trace: whoever works has spans of their own in it.
    pub(super) fn is_trace(&self, traceparent: &str) -> bool {
        let trace = |text: &str| text.split('-').nth(1).map(str::to_owned);
        trace(traceparent) == trace(&self.traceparent(1))
    }
}

pub(super) type Key = (CompactString, ReplyKind, u32);

/// A conversation with one participant.
pub(super) struct Talk<'a> {
    pub(super) raw: &'a Raw,
    pub(super) places: &'a Places,
    pub(super) subject: &'a Subject,
    pub(super) options: Options,
    pub(super) cases: BTreeMap<CompactString, Case>,
    pub(super) inbox: BTreeMap<Key, VecDeque<Heard>>,
    /// How often each was answered for good.
    pub(super) answered: BTreeMap<Key, u32>,
    /// What was asked last, which a reply without a name answers.
    pub(super) last: Option<Key>,
    /// What was sent while this rule is tried, each with its partition.
    pub(super) sent: BTreeMap<Key, (u32, RawMessage)>,
    /// All that was ever asked.
    pub(super) asked: BTreeMap<Key, u32>,
    /// Of the rules on all replies, by name: the first fault and their number.
    pub(super) faults: BTreeMap<&'static str, (String, u32)>,
    /// Replies of ours that came.
    pub(super) heard: u32,
    /// Of those that name their command: what people and tools go by.
    pub(super) marks: Marks,
    pub(super) said: Said,
    /// Why the last command could not be sent, if it could not.
    pub(super) unsent: Option<String>,
    /// Why the broker took no more, which is no fault of the participant.
    pub(super) lost: Option<String>,
    /// Whether it was seen to answer attempts by the number of another.
    pub(super) misnames: bool,
    /// What was not answered since it was last seen to answer, if anything.
    pub(super) silent: Option<Key>,
    /// Whether it does not answer any more.
    pub(super) is_mute: bool,
    next_case: u32,
    /// Commands that may have been done, in order.
    open: Vec<CompactString>,
}

/// An event as it goes on a topic.
pub(super) fn raw(event: &CloudEvent<'_>) -> RawMessage {
    RawMessage::from(&event.write())
}

impl<'a> Talk<'a> {
    pub(super) fn new(raw: &'a Raw, places: &'a Places, subject: &'a Subject, options: Options) -> Self {
        Self {
            raw,
            places,
            subject,
            options,
            cases: BTreeMap::new(),
            inbox: BTreeMap::new(),
            answered: BTreeMap::new(),
            last: None,
            sent: BTreeMap::new(),
            asked: BTreeMap::new(),
            faults: BTreeMap::new(),
            heard: 0,
            marks: Marks::default(),
            said: Said::default(),
            unsent: None,
            lost: None,
            misnames: false,
            silent: None,
            is_mute: false,
            next_case: 0,
            open: Vec::new(),
        }
    }

    pub(super) fn end(&mut self) -> Said {
        std::mem::take(&mut self.said)
    }

    /// Whether it does not answer any more.
    pub(super) const fn is_mute(&self) -> bool {
        self.is_mute
    }

    /// Whether anything at all comes back.
    pub(super) fn is_answered(&mut self, call: &Call) -> bool {
        let mut case = self.case(call);
        let within = self.options.within;
        self.options.within = first_within(within);
        let first = self.ask_once(&mut case, ReplyKind::Do, "", |event| raw(&event));
        self.options.within = within;
        // A reply that cannot be read is an answer, too.
        let is_answered = first.is_some() || self.heard > 0;
        if is_answered {
            drop(self.put_back(&mut case));
        }
        self.silent = None;
        self.is_mute = !is_answered;
        is_answered
    }

    /// A command that was never heard of.
    pub(super) fn case(&mut self, call: &Call) -> Case {
        self.next_case += 1;
        let instance = format!("probe-{}-{}", self.options.tag, self.next_case);
        let round = 1;
        self.case_of(call, &instance, now().0, "probe", round)
    }

    pub(super) fn case_of(&mut self, call: &Call, instance: &str, run: u64, place: &str, round: u32) -> Case {
        let (_, reply_partitions) = self.places.replies;
        let (_, partitions) = self.places.commands;
        let place = CompactString::from(place);
        let id = InstanceId::try_from(instance).expect("the probe makes ids that are in order");
        // Not where the key would lead, so that a participant which goes by the key is seen.
        let reply_partition = (partition_of(instance, reply_partitions) + 1) % reply_partitions.max(1);
        Case {
            id: CommandId { instance: id, run: Run(run), place, round, own_undo: false },
            call: call.clone(),
            reply_partition,
            partition: partition_of(instance, partitions),
            attempts: 0,
            is_odd: false,
            is_traced: true,
            never: None,
        }
    }

    /// The command, in time.
    pub(super) fn message(&self, case: &Case, kind: ReplyKind, attempt: u32) -> CloudEvent<'static> {
        let Call { command, request, undo, .. } = &case.call;
        let (sent, wire, payload) = match (kind, undo) {
            (ReplyKind::Do, _) => (CommandKind::Do, command.wire.clone(), request.clone()),
            (ReplyKind::Undo, Some((wire, request))) => (CommandKind::Undo, wire.clone(), request.clone()),
            (ReplyKind::Undo, None) => (CommandKind::Undo, command.wire.clone(), Json::empty_object()),
            (ReplyKind::Query, _) => (CommandKind::Query, command.wire.clone(), Json::empty_object()),
        };
        // Of the longest ids the step alone would be longer than a word of a message may be.
        let place = case.id.place.chars().take(ID_MAX).collect();
        let command = Command {
            place,
            id: case.id.clone(),
            work: if kind == ReplyKind::Undo { Direction::Undo } else { Direction::Do },
            kind: sent,
            attempt,
            participant: Arc::clone(&self.subject.participant),
            wire,
            payload,
            deadline: now().after(DEADLINE),
            changed: now(),
            traceparent: case.is_traced.then(|| case.traceparent(attempt)),
        };
        let message = wire::command(&command, &self.envelope(case));
        CloudEvent::read(&message).expect("it was written just now").into_owned()
    }

    fn envelope(&self, case: &Case) -> Envelope<'_> {
        let record = RecordId { partition: 0, offset: u64::from(self.next_case) };
        let reply_partition = i32::try_from(case.reply_partition).unwrap_or_default();
        Envelope { saga: SAGA, reply_topic: &self.places.replies.0, reply_partition, record }
    }

    /// Makes it known, so that replies to it are found.
    fn register(&mut self, case: &Case, (kind, attempt): (ReplyKind, u32), sent: (u32, RawMessage)) -> Key {
        let id = case.id.to_text();
        if kind == ReplyKind::Do && !self.open.contains(&id) {
            self.open.push(id.clone());
        }
        self.cases.insert(id.clone(), case.clone());
        let key = (id, kind, attempt);
        *self.asked.entry(key.clone()).or_default() += 1;
        self.sent.insert(key.clone(), sent);
        self.last = Some(key.clone());
        key
    }

    /// Sends messages as they are, and says so.
    pub(super) fn send(&mut self, words: &str, messages: &[(u32, RawMessage)]) -> Result<(), Wrong> {
        self.said.sent.push(words.to_owned());
        let sent = self.raw.send(&self.places.commands.0, messages);
        if let Err(why) = &sent
            && !why.contains(TOO_LARGE)
        {
            self.lost = Some(why.clone());
        }
        sent.map_err(|why| Wrong::untried(format!("{words} could not be sent: {why}")))
    }

    /// Sends a command as the next attempt, changed, and waits for its answer: while that is `retry`, with another attempt.
    pub(super) fn ask_changed(
        &mut self,
        case: &mut Case,
        kind: ReplyKind,
        words: &str,
        change: impl Fn(CloudEvent<'static>) -> RawMessage,
    ) -> Option<Heard> {
        let first = self.ask_once(case, kind, words, &change);
        self.ask_on(case, kind, words, &change, first)
    }

    /// The same, where `retry` is an answer like any other.
    pub(super) fn ask_once(
        &mut self,
        case: &mut Case,
        kind: ReplyKind,
        words: &str,
        change: impl Fn(CloudEvent<'static>) -> RawMessage,
    ) -> Option<Heard> {
        case.attempts += 1;
        let message = change(self.message(case, kind, case.attempts));
        let key = self.register(case, (kind, case.attempts), (case.partition, message.clone()));
        let words = if words.is_empty() { kind.as_str().to_owned() } else { format!("{} {words}", kind.as_str()) };
        if let Err(Wrong::Untried(why) | Wrong::Broken(why)) = self.send(&words, &[(case.partition, message)]) {
            self.said.came.push(why.clone());
            self.unsent = Some(why);
            return None;
        }
        self.hear(&key)
    }

    /// As an orchestrator asks: again, with the next attempt, while it says `retry`. No new one once the time is over, so who says
    /// nothing else is found.
    fn ask_on(
        &mut self,
        case: &mut Case,
        kind: ReplyKind,
        words: &str,
        change: impl Fn(CloudEvent<'static>) -> RawMessage,
        first: Option<Heard>,
    ) -> Option<Heard> {
        let end = Instant::now() + self.options.within;
        let (mut heard, mut pause) = (first, RETRY_AFTER);
        while let Some(Heard { status: Some(Status::Retry { .. }), .. }) = &heard
            && Instant::now() + pause < end
        {
            std::thread::sleep(pause);
            pause = (pause * 2).min(RETRY_AFTER_MAX);
            heard = self.ask_once(case, kind, words, &change);
        }
        heard
    }

    /// Sends a command as the next attempt, and waits for its answer.
    pub(super) fn ask(&mut self, case: &mut Case, kind: ReplyKind) -> Option<Heard> {
        self.ask_changed(case, kind, "", |event| raw(&event))
    }

    /// Sends a command as the next attempt, past its deadline, and waits for its answer.
    pub(super) fn ask_late(&mut self, case: &mut Case, kind: ReplyKind) -> Option<Heard> {
        self.ask_changed(case, kind, LATE, late)
    }

    /// The same, where `retry` is an answer like any other.
    pub(super) fn ask_late_once(&mut self, case: &mut Case, kind: ReplyKind) -> Option<Heard> {
        self.ask_once(case, kind, LATE, late)
    }

    /// The last attempt once more, as a log that delivers twice does.
    pub(super) fn redeliver(&mut self, case: &mut Case, kind: ReplyKind) -> Option<Heard> {
        let message = raw(&self.message(case, kind, case.attempts));
        let key = self.register(case, (kind, case.attempts), (case.partition, message.clone()));
        self.send(&format!("{} again", kind.as_str()), &[(case.partition, message)]).ok()?;
        let first = self.hear(&key);
        self.ask_on(case, kind, "", |event| raw(&event), first)
    }

    /// Sends attempts without waiting; the keys of their answers, in the order of `kinds`.
    pub(super) fn send_at_once(
        &mut self,
        case: &mut Case,
        words: &str,
        kinds: &[(ReplyKind, u32)],
    ) -> Result<Vec<Key>, Wrong> {
        let (mut keys, mut messages) = (Vec::new(), Vec::new());
        for (kind, partition) in kinds {
            case.attempts += 1;
            let message = (*partition, raw(&self.message(case, *kind, case.attempts)));
            keys.push(self.register(case, (*kind, case.attempts), message.clone()));
            messages.push(message);
        }
        self.send(words, &messages)?;
        Ok(keys)
    }

    /// Asks, and there must be an answer.
    pub(super) fn settle(&mut self, case: &mut Case, kind: ReplyKind) -> Result<Heard, Wrong> {
        let heard = self.ask(case, kind);
        heard.ok_or_else(|| Wrong::broken(format!("`{}` gets {}", kind.as_str(), self.nothing())))
    }

    /// Does it, which must work, or the rule cannot be tried.
    pub(super) fn done(&mut self, case: &mut Case) -> Result<Heard, Wrong> {
        let heard = self.settle(case, ReplyKind::Do)?;
        match heard.status {
            Some(Status::Succeeded) => Ok(heard),
            Some(Status::Failed { .. }) => {
                let (name, shown) = (&case.call.command.name, heard.shown());
                Err(Wrong::untried(format!(
                    "it answers {shown} to {name}: give --request {name}=JSON with a request that it does"
                )))
            }
            _ => Err(Wrong::broken(format!("`do` gets {}", heard.shown()))),
        }
    }

    /// What the participant has in its books, if anybody can tell.
    pub(super) fn books(&self) -> Result<String, Wrong> {
        let Some(books) = &self.options.books else {
            return Err(Wrong::untried("give --books COMMAND, which prints what the participant has in its books"));
        };
        books.read().map_err(|why| Wrong::untried(format!("its books cannot be read: {why}")))
    }

    pub(super) fn was_undone(&mut self, case: &Case) {
        let id = case.id.to_text();
        self.open.retain(|open| *open != id);
    }

    /// Takes a command back, so that it leaves nothing.
    pub(super) fn put_back(&mut self, case: &mut Case) -> Result<(), Wrong> {
        if case.call.undo.is_none() {
            return Ok(());
        }
        // That is no part of what the rule is about.
        let said = self.said.clone();
        let heard = self.settle(case, ReplyKind::Undo);
        self.said = said;
        let heard = heard?;
        if matches!(heard.status, Some(Status::Succeeded)) {
            self.was_undone(case);
        }
        Ok(())
    }

    /// Takes back what may still be in effect; what could not be, or nobody knows.
    pub(super) fn tidy(&mut self) -> Vec<Left> {
        let mut left = Vec::new();
        for id in std::mem::take(&mut self.open) {
            let Some(mut case) = self.cases.get(&id).cloned() else { continue };
            let call = case.call.command.name.clone();
            let mut is_undo_sent = false;
            if case.call.undo.is_some() {
                if self.is_mute {
                    // Nobody is there to answer. Whoever comes up finds it behind what it takes back.
                    let undo = [(ReplyKind::Undo, case.partition)];
                    is_undo_sent = self.send_at_once(&mut case, "undo", &undo).is_ok();
                } else if let Ok(Heard { status: Some(Status::Succeeded), .. }) =
                    self.settle(&mut case, ReplyKind::Undo)
                {
                    continue;
                }
            }
            left.push(Left { command: id, call, is_undo_sent });
        }
        left
    }

    /// Listens for what comes late.
    pub(super) fn drain(&mut self) {
        let end = Instant::now() + DRAIN;
        while let left @ 1.. = end.saturating_duration_since(Instant::now()).as_millis() {
            self.listen(Duration::from_millis(u64::try_from(left).unwrap_or_default()));
        }
    }
}

/// What is said of a command whose deadline is over.
const LATE: &str = "past its deadline";

fn late(mut event: CloudEvent<'static>) -> RawMessage {
    event.set(attribute::DEADLINE, before(OVER));
    raw(&event)
}

/// Now, by this machine's clock.
pub(super) fn now() -> Timestamp {
    crate::participant::now()
}

/// An instant that is over, as an attribute has it.
pub(super) fn before(duration: Duration) -> String {
    now().0.saturating_sub(crate::time::millis(duration)).to_string()
}
