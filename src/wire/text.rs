//! Attributes and data as typed values, for the readers of this layer.

use std::str::FromStr;

use compact_str::CompactString;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CloudEvent, WireError, attribute};
use crate::definition::limits::MAX_WORD;
use crate::engine::{CommandId, ID_MAX, InstanceId, RequestId};
use crate::time::Timestamp;

const MILLISECONDS: &str = "milliseconds since 1970, a whole number";
const WORD: &str = "a word of 1 to 200 bytes without control characters";
const A_PARTITION: &str = "a partition's number from 0 on";

/// The attribute, which must be there.
pub(super) fn required<'a>(
    event: &'a CloudEvent<'_>,
    name: &'static str,
    wanted: &'static str,
) -> Result<&'a str, WireError> {
    event.get(name).ok_or(WireError::Missing { attribute: name, wanted })
}

/// The attribute as what it must be.
pub(super) fn parsed<T: FromStr>(
    event: &CloudEvent<'_>,
    name: &'static str,
    wanted: &'static str,
) -> Result<T, WireError> {
    let value = required(event, name, wanted)?;
    value.parse().map_err(|_| WireError::wrong(name, value, wanted))
}

/// `type`, which says the message's form and version.
pub(super) fn expect_type(event: &CloudEvent<'_>, wanted: &'static str) -> Result<(), WireError> {
    let value = required(event, attribute::TYPE, wanted)?;
    if value == wanted { Ok(()) } else { Err(WireError::wrong(attribute::TYPE, value, wanted)) }
}

/// A word: a name, a code, a topic.
pub(super) fn word(event: &CloudEvent<'_>, name: &'static str) -> Result<CompactString, WireError> {
    let value = required(event, name, WORD)?;
    check_word(name, value)
}

/// A word that may be absent.
pub(super) fn optional_word(event: &CloudEvent<'_>, name: &'static str) -> Result<Option<CompactString>, WireError> {
    event.get(name).map(|value| check_word(name, value)).transpose()
}

// Else a definition could be checked whose commands nobody reads.
const _: () = assert!(MAX_WORD == ID_MAX, "names and ids are words alike");

/// Whether a text can be a name, a code, a topic.
pub(crate) fn is_word(value: &str) -> bool {
    !value.is_empty() && value.len() <= ID_MAX && !value.chars().any(char::is_control)
}

fn check_word(name: &'static str, value: &str) -> Result<CompactString, WireError> {
    if is_word(value) { Ok(CompactString::from(value)) } else { Err(WireError::wrong(name, value, WORD)) }
}

/// `instance`.
pub(super) fn instance(event: &CloudEvent<'_>) -> Result<InstanceId, WireError> {
    let value = required(event, attribute::INSTANCE, WORD)?;
    InstanceId::try_from(value).map_err(|_| WireError::wrong(attribute::INSTANCE, value, WORD))
}

/// A request's id, in `id` or `request`.
pub(super) fn request_id(event: &CloudEvent<'_>, name: &'static str) -> Result<RequestId, WireError> {
    let value = required(event, name, WORD)?;
    RequestId::try_from(value).map_err(|_| WireError::wrong(name, value, WORD))
}

/// `command`.
pub(super) fn command_id(event: &CloudEvent<'_>) -> Result<CommandId, WireError> {
    const WANTED: &str = "a command's id, instance/run/step/round, exactly as the command has it";
    let value = required(event, attribute::COMMAND, WANTED)?;
    CommandId::parse(value).ok_or_else(|| WireError::wrong(attribute::COMMAND, value, WANTED))
}

/// `attempt`.
pub(super) fn attempt(event: &CloudEvent<'_>) -> Result<u32, WireError> {
    const WANTED: &str = "the number of the attempt, 1, 2, 3 …";
    let number = parsed(event, attribute::ATTEMPT, WANTED)?;
    if number == 0 { Err(WireError::wrong(attribute::ATTEMPT, "0", WANTED)) } else { Ok(number) }
}

/// `deadline`, `keepuntil`.
pub(super) fn instant(event: &CloudEvent<'_>, name: &'static str) -> Result<Timestamp, WireError> {
    parsed(event, name, MILLISECONDS).map(Timestamp)
}

/// `replypartition`, which may be absent: then the key decides.
pub(super) fn partition(event: &CloudEvent<'_>) -> Result<Option<i32>, WireError> {
    let Some(value) = event.get(attribute::REPLY_PARTITION) else { return Ok(None) };
    match value.parse() {
        Ok(number) if number >= 0 => Ok(Some(number)),
        _ => Err(WireError::wrong(attribute::REPLY_PARTITION, value, A_PARTITION)),
    }
}

/// `traceparent`. A wrong one is dropped, as W3C says: tracing never makes work fail, and nobody behind us is given it.
pub(super) fn traceparent(event: &CloudEvent<'_>) -> Option<CompactString> {
    event.get(attribute::TRACEPARENT).filter(|value| is_traceparent(value)).map(CompactString::from)
}

/// The longest `traceparent` that is handed on: that of version 00 has 55 bytes, and later ones may have more behind it.
const TRACEPARENT_MAX: usize = 200;

/// Whether a text is a `traceparent`: version, trace, parent and flags in lower-case hexadecimal digits, and neither trace
/// nor parent all zeros. A later version may go on behind them. See <https://www.w3.org/TR/trace-context/#traceparent-header>.
fn is_traceparent(value: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_id = |part: &str, digits| part.len() == digits && is_hex(part) && part.bytes().any(|byte| byte != b'0');
    let is_byte = |part: &str| part.len() == 2 && is_hex(part);
    let parts: Vec<&str> = value.splitn(5, '-').collect();
    let [version, trace, parent, flags, more @ ..] = parts.as_slice() else { return false };
    let is_long = !more.is_empty();
    is_byte(version)
        && *version != "ff"
        && (*version != "00" || !is_long)
        && is_id(trace, 32)
        && is_id(parent, 16)
        && is_byte(flags)
        && value.len() <= TRACEPARENT_MAX
        && !value.chars().any(char::is_control)
}

/// The data as what a message of that kind has.
pub(super) fn shape<T: DeserializeOwned>(kind: &'static str, event: &CloudEvent<'_>) -> Result<T, WireError> {
    serde_json::from_str(event.data_or_empty().get()).map_err(|error| WireError::shape(kind, &error))
}

/// The JSON of a struct of ours.
pub(super) fn encoded(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("structs of text and numbers serialize")
}

#[cfg(test)]
mod tests {
    use super::{CloudEvent, is_traceparent, traceparent};

    #[test]
    fn a_traceparent_is_as_w3c_has_it() {
        let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        for right in [format!("00-{trace}-{parent}-01"), format!("42-{trace}-{parent}-01-more-of-it")] {
            assert!(is_traceparent(&right), "{right}");
        }
        for wrong in [
            "not a trace".to_owned(),
            format!("00-{trace}-{parent}-01-more"),
            format!("ff-{trace}-{parent}-01"),
            format!("0-{trace}-{parent}-01"),
            format!("00-{}-{parent}-01", trace.to_uppercase()),
            format!("00-{}-{parent}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{trace}-{parent}-1"),
            format!("00-{trace}-{parent}"),
            format!("42-{trace}-{parent}-01-{}", "x".repeat(200)),
            format!("42-{trace}-{parent}-01-a\nb"),
        ] {
            assert!(!is_traceparent(&wrong), "{wrong}");
        }
    }

    #[test]
    fn a_traceparent_that_is_none_is_not_handed_on() {
        let of = |said: &str| {
            let text = format!(r#"{{"specversion":"1.0","type":"t","id":"i","source":"s","traceparent":"{said}"}}"#);
            traceparent(&CloudEvent::parse(text.as_bytes()).unwrap())
        };
        let right = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(of(right).as_deref(), Some(right));
        assert_eq!(of("not a trace"), None);
    }
}
