//! Headers and payloads as typed values, for the readers of this layer.

use std::str::FromStr;

use compact_str::CompactString;
use serde::Serialize;

use super::{Message, WireError, header};
use crate::engine::{CommandId, ID_MAX, InstanceId, RequestId};
use crate::json::Json;
use crate::time::Timestamp;

const MILLISECONDS: &str = "milliseconds since 1970, a whole number";
const WORD: &str = "a word of 1 to 200 bytes without control characters";
const A_PARTITION: &str = "a partition's number from 0 on";

/// The header, which must be there.
pub(super) fn required<'a>(
    message: &'a Message,
    name: &'static str,
    wanted: &'static str,
) -> Result<&'a str, WireError> {
    message.header(name).ok_or(WireError::Missing { header: name, wanted })
}

/// The header as what it must be.
pub(super) fn parsed<T: FromStr>(message: &Message, name: &'static str, wanted: &'static str) -> Result<T, WireError> {
    let value = required(message, name, wanted)?;
    value.parse().map_err(|_| WireError::wrong(name, value, wanted))
}

/// `ce_type`, which says the message's form and version.
pub(super) fn expect_type(message: &Message, wanted: &'static str) -> Result<(), WireError> {
    let value = required(message, header::TYPE, wanted)?;
    if value == wanted { Ok(()) } else { Err(WireError::wrong(header::TYPE, value, wanted)) }
}

/// A word: a name, a code, a topic.
pub(super) fn word(message: &Message, name: &'static str) -> Result<CompactString, WireError> {
    let value = required(message, name, WORD)?;
    check_word(name, value)
}

/// A word that may be absent.
pub(super) fn optional_word(message: &Message, name: &'static str) -> Result<Option<CompactString>, WireError> {
    message.header(name).map(|value| check_word(name, value)).transpose()
}

fn check_word(name: &'static str, value: &str) -> Result<CompactString, WireError> {
    if value.is_empty() || value.len() > ID_MAX || value.chars().any(char::is_control) {
        return Err(WireError::wrong(name, value, WORD));
    }
    Ok(CompactString::from(value))
}

/// `saga-instance`.
pub(super) fn instance(message: &Message) -> Result<InstanceId, WireError> {
    let value = required(message, header::INSTANCE, WORD)?;
    InstanceId::try_from(value).map_err(|_| WireError::wrong(header::INSTANCE, value, WORD))
}

/// A request's id, in `ce_id` or `saga-request`.
pub(super) fn request_id(message: &Message, name: &'static str) -> Result<RequestId, WireError> {
    let value = required(message, name, WORD)?;
    RequestId::try_from(value).map_err(|_| WireError::wrong(name, value, WORD))
}

/// `saga-command`.
pub(super) fn command_id(message: &Message) -> Result<CommandId, WireError> {
    const WANTED: &str = "a command's id, instance/run/step/round, exactly as the command has it";
    let value = required(message, header::COMMAND, WANTED)?;
    CommandId::parse(value).ok_or_else(|| WireError::wrong(header::COMMAND, value, WANTED))
}

/// `saga-attempt`.
pub(super) fn attempt(message: &Message) -> Result<u32, WireError> {
    const WANTED: &str = "the number of the attempt, 1, 2, 3 …";
    let number = parsed(message, header::ATTEMPT, WANTED)?;
    if number == 0 { Err(WireError::wrong(header::ATTEMPT, "0", WANTED)) } else { Ok(number) }
}

/// `saga-deadline`, `saga-keep-until`.
pub(super) fn instant(message: &Message, name: &'static str) -> Result<Timestamp, WireError> {
    parsed(message, name, MILLISECONDS).map(Timestamp)
}

/// `saga-reply-partition`, which may be absent: then the key decides.
pub(super) fn partition(message: &Message) -> Result<Option<i32>, WireError> {
    let Some(value) = message.header(header::REPLY_PARTITION) else { return Ok(None) };
    match value.parse() {
        Ok(number) if number >= 0 => Ok(Some(number)),
        _ => Err(WireError::wrong(header::REPLY_PARTITION, value, A_PARTITION)),
    }
}

/// `traceparent`. A wrong one is dropped, as W3C says: tracing never makes work fail.
pub(super) fn traceparent(message: &Message) -> Option<CompactString> {
    optional_word(message, header::TRACEPARENT).ok().flatten()
}

/// The payload as JSON; none if it is empty.
pub(super) fn payload(message: &Message) -> Result<Option<Json>, WireError> {
    if message.payload.is_empty() {
        return Ok(None);
    }
    let text =
        str::from_utf8(&message.payload).map_err(|error| WireError::NotUtf8 { valid_up_to: error.valid_up_to() })?;
    Ok(Some(Json::parse(text)?))
}

/// The JSON of a struct of ours.
pub(super) fn encoded(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("structs of text and numbers serialize")
}
