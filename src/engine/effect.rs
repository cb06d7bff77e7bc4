//! What the engine asks of the world: data, with ids that follow from the instance. Nothing here is ever random, so a
//! repeat after a crash is the same message again.

use std::sync::Arc;

use compact_str::CompactString;

use super::event::Place;
use super::id::{CommandId, Direction};
use super::input::ReplyTo;
use crate::definition::Participant;
use crate::json::Json;
use crate::time::Timestamp;

/// Something that the world is owed.
#[derive(Clone, Debug)]
pub enum Effect {
    /// A participant must be told.
    Command(Command),
    /// Whoever started the saga must be told how it ended.
    Answer(Answer),
}

/// A command or message to a participant.
#[derive(Clone, Debug)]
pub struct Command {
    /// One id for all attempts, the undo and the queries.
    pub id: CommandId,
    /// The step's place.
    pub place: Place,
    /// Whether the step is being done or taken back.
    pub work: Direction,
    /// What the participant is asked, as `kind` says.
    pub kind: CommandKind,
    /// 1, 2, 3 …
    pub attempt: u32,
    /// Who is asked.
    pub participant: Arc<Participant>,
    /// Its name on the wire.
    pub wire: CompactString,
    /// The request; `{}` for a query.
    pub payload: Json,
    /// After it nobody waits for the answer to this attempt; of a message, when it was sent.
    pub deadline: Timestamp,
    /// When its instance last changed. Where the clock fell back between two owners an earlier attempt may be in time until then,
    /// and the guard's row has to last longer.
    pub changed: Timestamp,
    /// W3C trace context.
    pub traceparent: Option<CompactString>,
}

/// What a participant is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandKind {
    /// Do it.
    Do,
    /// Take back what the command of this id did.
    Undo,
    /// Say what became of it.
    Query,
    /// Take note of it: nobody waits for an answer.
    Message,
}

impl CommandKind {
    /// As in the attribute `kind`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Do => "do",
            Self::Undo => "undo",
            Self::Query => "query",
            Self::Message => "message",
        }
    }
}

/// How a saga ended, for its starter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Where to.
    pub to: ReplyTo,
    /// How it ended.
    pub end: End,
}

/// How an instance ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// All done, with the output.
    Completed(Json),
    /// All taken back, with the failure's code.
    Compensated(super::event::Failure),
}
