//! Replies: from a participant to the orchestrator.

use compact_str::CompactString;
use serde::Deserialize;

use super::{Message, WireError, header, text};
use crate::engine::{Reply, ReplyKind, Status};
use crate::json::Json;

impl ReplyKind {
    /// As in the header `saga-kind`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Do => "do",
            Self::Undo => "undo",
            Self::Query => "query",
        }
    }
}

impl Status {
    /// As in the header `saga-status`.
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
    /// The saga's name, as the command has it.
    pub saga: &'a str,
    /// W3C trace context, as the command has it.
    pub traceparent: Option<&'a str>,
}

/// The payload of a refusal where the participant sends none of its own.
#[derive(Deserialize)]
struct Words {
    message: Option<String>,
}

/// A reply as a message for the topic and partition that the command names. The words of a refusal go into the
/// payload's `message` where there is no other payload.
#[must_use]
pub fn reply(reply: &Reply, about: &About<'_>) -> Message {
    let instance = reply.command.instance.as_str();
    let id = reply.command.to_text();
    let (kind, attempt, status) = (reply.kind.as_str(), reply.attempt, reply.status.as_str());
    let event = format_args!("{id}/{kind}/{attempt}/{status}");
    let source = format_args!("/participants/{}", about.participant);
    let mut message = Message::event(instance, event, header::REPLY_TYPE, source);
    message.push_if(header::TRACEPARENT, about.traceparent);
    message.push(header::INSTANCE, instance);
    message.push(header::NAME, about.saga);
    message.push(header::STEP, reply.command.place.as_str());
    message.push(header::COMMAND, id.as_str());
    message.push(header::KIND, kind);
    message.push_shown(header::ATTEMPT, attempt);
    message.push(header::STATUS, status);
    let code = match &reply.status {
        Status::Failed { code, .. } => Some(code.as_str()),
        Status::Retry { code } => code.as_deref(),
        Status::Succeeded | Status::Pending | Status::UnknownCommand => None,
    };
    message.push_if(header::CODE, code);
    match (&reply.payload, &reply.status) {
        (Some(payload), _) => message.set_payload(payload),
        (None, Status::Failed { message: Some(words), .. }) => {
            message.payload = serde_json::json!({ "message": words }).to_string().into_bytes().into_boxed_slice();
        }
        (None, _) => {}
    }
    message
}

/// Reads a reply. Only `saga-command`, `saga-kind`, `saga-attempt`, `saga-status` and, for `failed`, `saga-code` are
/// asked for: all that a participant in any language has to know.
///
/// # Errors
/// A header is missing or wrong, or the payload of `succeeded` is not JSON within its limit. The payload of a refusal
/// may be anything: the code says what counts.
pub fn read_reply(message: &Message) -> Result<Reply, WireError> {
    text::expect_type(message, header::REPLY_TYPE)?;
    let command = text::command_id(message)?;
    let kind = kind_from(message)?;
    let attempt = text::attempt(message)?;
    let (status, payload) = match read_word(message)? {
        StatusWord::Succeeded => (Status::Succeeded, text::payload(message)?),
        StatusWord::Failed => {
            let code = text::word(message, header::CODE)?;
            let payload = text::payload(message).unwrap_or_default();
            (Status::Failed { code, message: words(payload.as_ref()) }, payload)
        }
        StatusWord::Retry => (Status::Retry { code: retry_code(message) }, None),
        StatusWord::Pending => (Status::Pending, None),
        StatusWord::UnknownCommand => (Status::UnknownCommand, None),
    };
    Ok(Reply { command, kind, attempt, status, payload })
}

/// `saga-kind` of a command or reply.
pub(super) fn kind_from(message: &Message) -> Result<ReplyKind, WireError> {
    const WANTED: &str = "`do`, `undo`, `query` or `message`";
    match text::required(message, header::KIND, WANTED)? {
        // A message is done like a `do`; who answers it all the same is told apart by the engine, and over a bridge
        // says by it that the message was taken.
        "do" | "message" => Ok(ReplyKind::Do),
        "undo" => Ok(ReplyKind::Undo),
        "query" => Ok(ReplyKind::Query),
        other => Err(WireError::wrong(header::KIND, other, WANTED)),
    }
}

/// `saga-status` without what belongs to it.
enum StatusWord {
    Succeeded,
    Failed,
    Retry,
    Pending,
    UnknownCommand,
}

fn read_word(message: &Message) -> Result<StatusWord, WireError> {
    const WANTED: &str = "`succeeded`, `failed`, `retry`, `pending` or `unknown-command`";
    match text::required(message, header::STATUS, WANTED)? {
        "succeeded" => Ok(StatusWord::Succeeded),
        "failed" => Ok(StatusWord::Failed),
        "retry" => Ok(StatusWord::Retry),
        "pending" => Ok(StatusWord::Pending),
        "unknown-command" => Ok(StatusWord::UnknownCommand),
        other => Err(WireError::wrong(header::STATUS, other, WANTED)),
    }
}

/// The reason for a `retry` is for people only, so a wrong one is dropped rather than the reply.
fn retry_code(message: &Message) -> Option<CompactString> {
    text::optional_word(message, header::CODE).ok().flatten()
}

/// The words of a refusal, if its payload has them.
fn words(payload: Option<&Json>) -> Option<String> {
    serde_json::from_str::<Words>(payload?.get()).ok()?.message
}
