//! Replies: from a participant to the orchestrator.

use std::sync::Arc;

use compact_str::CompactString;
use serde::Deserialize;

use super::{CloudEvent, Message, WireError, attribute, text};
use crate::engine::{Reply, ReplyKind, Status};
use crate::json::Json;

impl Status {
    /// As in the attribute `status`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Retry { .. } => "retry",
            Self::Pending => "pending",
            Self::UnknownCommand => "unknown-command",
        }
    }

    /// Whether no other answer can follow it.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Succeeded | Self::Failed { .. } => true,
            Self::Retry { .. } | Self::Pending | Self::UnknownCommand => false,
        }
    }
}

/// What a reply's message says besides the reply.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Who replies: the participant's name.
    pub participant: &'a str,
    /// W3C trace context, as the command has it.
    pub traceparent: Option<&'a str>,
}

/// The data of a refusal where the participant sends none of its own.
#[derive(Deserialize)]
struct Words {
    message: Option<String>,
}

/// A reply as a message for the topic and partition that the command names.
#[must_use]
pub fn reply(reply: &Reply, about: &About<'_>) -> Message {
    reply_event(reply, about).write()
}

/// A reply, before it is written. The words of a refusal go into the data's `message` where there is no other data.
#[must_use]
pub fn reply_event<'r>(reply: &'r Reply, about: &About<'r>) -> CloudEvent<'r> {
    let mut event = CloudEvent::default();
    event.key = Arc::from(reply.command.instance.as_str());
    let id = reply.command.to_text();
    let (kind, attempt, status) = (reply.kind.as_str(), reply.attempt, reply.status.as_str());
    event.set(attribute::SPEC_VERSION, attribute::VERSION);
    event.set(attribute::TYPE, attribute::REPLY_TYPE);
    event.set(attribute::ID, format!("{id}/{kind}/{attempt}/{status}"));
    event.set(attribute::SOURCE, format!("/participants/{}", about.participant));
    if let Some(traceparent) = about.traceparent {
        event.set(attribute::TRACEPARENT, traceparent);
    }
    event.set(attribute::COMMAND, String::from(id));
    event.set(attribute::KIND, kind);
    event.set(attribute::ATTEMPT, attempt.to_string());
    event.set(attribute::STATUS, status);
    let code = match &reply.status {
        Status::Failed { code, .. } => Some(code.as_str()),
        Status::Retry { code } => code.as_deref(),
        Status::Succeeded | Status::Pending | Status::UnknownCommand => None,
    };
    if let Some(code) = code {
        event.set(attribute::CODE, code);
    }
    event.data = match (&reply.payload, &reply.status) {
        (Some(payload), _) => Some(payload.clone()),
        (None, Status::Failed { message: Some(words), .. }) => {
            Json::parse(serde_json::json!({ "message": beginning(words) }).to_string()).ok()
        }
        (None, _) => None,
    };
    event
}

/// Reads a reply. Only `command`, `kind`, `attempt`, `status` and, for `failed`, `code` are
/// asked for: all that a participant in any language has to know.
///
/// # Errors
/// An attribute is missing or wrong.
pub fn read_reply(event: &CloudEvent<'_>) -> Result<Reply, WireError> {
    text::expect_type(event, attribute::REPLY_TYPE)?;
    let command = text::command_id(event)?;
    let kind = kind_from(event)?;
    let attempt = text::attempt(event)?;
    let (status, payload) = match read_word(event)? {
        StatusWord::Succeeded => (Status::Succeeded, event.data.clone()),
        StatusWord::Failed => {
            let code = text::word(event, attribute::CODE)?;
            let payload = event.data.clone();
            (Status::Failed { code, message: words(payload.as_ref()) }, payload)
        }
        StatusWord::Retry => (Status::Retry { code: retry_code(event) }, None),
        StatusWord::Pending => (Status::Pending, None),
        StatusWord::UnknownCommand => (Status::UnknownCommand, None),
    };
    Ok(Reply { command, kind, attempt, status, payload })
}

/// So much of the words of a refusal is told, in bytes: escaped it is below the limit of all data.
const WORDS_MAX: usize = 128 << 10;

fn beginning(words: &str) -> &str {
    words.get(..words.floor_char_boundary(WORDS_MAX)).unwrap_or(words)
}

/// `kind` of a command or reply.
pub(super) fn kind_from(event: &CloudEvent<'_>) -> Result<ReplyKind, WireError> {
    const WANTED: &str = "`do`, `undo`, `query` or `message`";
    match text::required(event, attribute::KIND, WANTED)? {
        // A message is done like a `do`; who answers it all the same is told apart by the engine, and over a bridge
        // says by it that the message was taken.
        "do" | "message" => Ok(ReplyKind::Do),
        "undo" => Ok(ReplyKind::Undo),
        "query" => Ok(ReplyKind::Query),
        other => Err(WireError::wrong(attribute::KIND, other, WANTED)),
    }
}

/// `status` without what belongs to it.
enum StatusWord {
    Succeeded,
    Failed,
    Retry,
    Pending,
    UnknownCommand,
}

fn read_word(event: &CloudEvent<'_>) -> Result<StatusWord, WireError> {
    const WANTED: &str = "`succeeded`, `failed`, `retry`, `pending` or `unknown-command`";
    match text::required(event, attribute::STATUS, WANTED)? {
        "succeeded" => Ok(StatusWord::Succeeded),
        "failed" => Ok(StatusWord::Failed),
        "retry" => Ok(StatusWord::Retry),
        "pending" => Ok(StatusWord::Pending),
        "unknown-command" => Ok(StatusWord::UnknownCommand),
        other => Err(WireError::wrong(attribute::STATUS, other, WANTED)),
    }
}

/// The reason for a `retry` is for people only, so a wrong one is dropped rather than the reply.
fn retry_code(event: &CloudEvent<'_>) -> Option<CompactString> {
    text::optional_word(event, attribute::CODE).ok().flatten()
}

/// The words of a refusal, if its data has them.
fn words(payload: Option<&Json>) -> Option<String> {
    serde_json::from_str::<Words>(payload?.get()).ok()?.message
}
