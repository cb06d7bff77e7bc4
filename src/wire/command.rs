//! Commands: from the orchestrator to a participant.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use compact_str::CompactString;

use super::cloud_event::Writing;
use super::reply::kind_from;
use super::{CloudEvent, Message, WireError, attribute, text};
use crate::engine::{Command, CommandId, CommandKind, Reply, ReplyKind, Status};
use crate::json::Json;
use crate::time::Timestamp;

/// How long behind the deadline of the latest attempt a guard keeps its row: for stragglers of a log that was down.
pub const KEEP_AFTER_DEADLINE: Duration = Duration::from_hours(1);

/// How long behind its sending the guard keeps the row of a message, which has no deadline behind which it is refused: it
/// comes again when an orchestrator that died with it takes up its work, which may be days later.
pub(super) const KEEP_MESSAGE: Duration = Duration::from_hours(7 * 24);

/// The latest instant that goes on the wire, the end of the year 9999: every language's numbers hold it exactly.
const LATEST: Timestamp = Timestamp(253_402_300_799_999);

/// Where a record stands in the journal: the version of what it caused, and its trace. As text `3/1042`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    /// The partition.
    pub partition: i32,
    /// The offset in it.
    pub offset: u64,
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition, self.offset)
    }
}

/// A text is not a [`RecordId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read a record's place: it is partition/offset, such as 3/1042")]
pub struct RecordIdError;

impl FromStr for RecordId {
    type Err = RecordIdError;
    fn from_str(text: &str) -> Result<Self, RecordIdError> {
        let (partition, offset) = text.split_once('/').ok_or(RecordIdError)?;
        let partition = partition.parse().map_err(|_| RecordIdError)?;
        let offset = offset.parse().map_err(|_| RecordIdError)?;
        Ok(Self { partition, offset })
    }
}

/// What a command's message says besides the command.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The saga's name.
    pub saga: &'a str,
    /// The topic for the reply.
    pub reply_topic: &'a str,
    /// Its partition: the instance's, so that nobody needs our hash.
    pub reply_partition: i32,
    /// The record that justifies the command.
    pub record: RecordId,
}

/// A command, or a message that nobody answers, as a message for its participant's topic. The same command gives the same message.
#[must_use]
pub fn command(command: &Command, envelope: &Envelope<'_>) -> Message {
    let instance = command.id.instance.as_str();
    let id = command.id.to_text();
    let kind = kind_on_the_wire(command);
    let attempt = command.attempt;
    let event = format_args!("{id}/{}/{attempt}", kind.as_str());
    let source = format_args!("/sagas/{}", envelope.saga);
    let mut writing = Writing::new(instance, event, attribute::COMMAND_TYPE, source);
    writing.push_if(attribute::TRACEPARENT, command.traceparent.as_deref());
    writing.push(attribute::INSTANCE, instance);
    writing.push(attribute::SAGA, envelope.saga);
    writing.push(attribute::STEP, command.place.as_str());
    writing.push(attribute::COMMAND, id.as_str());
    writing.push(attribute::CALL, command.wire.as_str());
    writing.push(attribute::KIND, kind.as_str());
    writing.push_plain(attribute::ATTEMPT, attempt);
    if kind != CommandKind::Message {
        writing.push(attribute::REPLY_TO, envelope.reply_topic);
        writing.push_plain(attribute::REPLY_PARTITION, envelope.reply_partition);
        writing.push_plain(attribute::DEADLINE, command.deadline.min(LATEST).0);
    }
    let keep = if kind == CommandKind::Message { KEEP_MESSAGE } else { KEEP_AFTER_DEADLINE };
    writing.push_plain(attribute::KEEP_UNTIL, command.deadline.max(command.changed).after(keep).min(LATEST).0);
    writing.push_plain(attribute::RECORD, envelope.record);
    writing.end(Some(command.payload.get()))
}

/// A compensation that is a work of its own is done, not undone: its participant never heard of the step's command.
const fn kind_on_the_wire(command: &Command) -> CommandKind {
    match (command.kind, command.id.own_undo) {
        (CommandKind::Undo, true) => CommandKind::Do,
        (kind, _) => kind,
    }
}

/// A command as its participant reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedCommand {
    /// One id for do, undo, query and all attempts: the key of the participant's guard.
    pub id: CommandId,
    /// The command's name in the contract.
    pub call: CompactString,
    /// What is asked; a message is done like a `do`.
    pub kind: ReplyKind,
    /// Nobody waits for an answer.
    pub is_message: bool,
    /// 1, 2, 3 …
    pub attempt: u32,
    /// The saga's name.
    pub saga: CompactString,
    /// The step's place.
    pub step: CompactString,
    /// The topic for the reply, if replies go over a log.
    pub reply_topic: Option<CompactString>,
    /// Its partition; without one the key decides.
    pub reply_partition: Option<i32>,
    /// After it nobody waits; for a message there is no such time.
    pub deadline: Timestamp,
    /// The guard keeps its row so long.
    pub keep_until: Timestamp,
    /// The record that justifies the command.
    pub record: Option<RecordId>,
    /// W3C trace context.
    pub traceparent: Option<CompactString>,
    /// The request; `{}` for a query.
    pub payload: Json,
}

impl ReceivedCommand {
    /// The reply to it.
    #[must_use]
    pub fn reply(&self, status: Status, payload: Option<Json>) -> Reply {
        Reply { command: self.id.clone(), kind: self.kind, attempt: self.attempt, status, payload }
    }
}

/// Reads a command.
///
/// # Errors
/// An attribute is missing or wrong.
pub fn read_command(event: &CloudEvent<'_>) -> Result<ReceivedCommand, WireError> {
    text::expect_type(event, attribute::COMMAND_TYPE)?;
    let is_message = event.get(attribute::KIND) == Some(CommandKind::Message.as_str());
    Ok(ReceivedCommand {
        id: text::command_id(event)?,
        call: text::word(event, attribute::CALL)?,
        kind: if is_message { ReplyKind::Do } else { kind_from(event)? },
        is_message,
        attempt: text::attempt(event)?,
        saga: text::word(event, attribute::SAGA)?,
        step: text::word(event, attribute::STEP)?,
        reply_topic: text::optional_word(event, attribute::REPLY_TO)?,
        reply_partition: text::partition(event)?,
        deadline: if is_message { LATEST } else { text::instant(event, attribute::DEADLINE)? },
        keep_until: text::instant(event, attribute::KEEP_UNTIL)?,
        record: match event.get(attribute::RECORD) {
            Some(_) => Some(text::parsed(event, attribute::RECORD, "partition/offset, such as 3/1042")?),
            None => None,
        },
        traceparent: text::traceparent(event),
        payload: event.data_or_empty(),
    })
}
