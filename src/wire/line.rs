//! A message as one line of JSON, `{"headers": {…}, "payload": …}`: for participants on the other end of a pipe.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Message, WireError, header, text};
use crate::json::{Json, PAYLOAD_MAX};

/// The longest line, in bytes: the largest payload with room for its headers.
pub const LINE_MAX: usize = PAYLOAD_MAX + (64 << 10);

#[derive(Serialize)]
struct Written<'a> {
    headers: serde_json::Map<String, serde_json::Value>,
    payload: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Line<'a> {
    headers: serde_json::Map<String, serde_json::Value>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// The message as a line, without its end.
///
/// # Errors
/// The payload is not JSON within its limit.
pub fn to_line(message: &Message) -> Result<String, WireError> {
    let payload = text::payload(message)?.unwrap_or_else(Json::empty_object);
    let value = |value: &str| serde_json::Value::String(value.to_owned());
    let headers = message.headers.iter().map(|(name, text)| (name.to_owned(), value(text))).collect();
    // JSON text may be spread over lines; compact text is not.
    let compact: Box<RawValue> = compacted(&payload)?;
    Ok(text::encoded(&Written { headers, payload: &compact }))
}

/// The same JSON without line ends between its tokens. Inside of strings JSON has none.
fn compacted(payload: &Json) -> Result<Box<RawValue>, WireError> {
    let spread = payload.get().contains(['\n', '\r']);
    let text = if spread { payload.get().replace(['\n', '\r'], " ") } else { payload.get().to_owned() };
    Ok(RawValue::from_string(text).map_err(crate::json::JsonError::from)?)
}

/// Reads a line. Header values may be strings or whole numbers; names are taken in lower case.
///
/// # Errors
/// The line is too long, or not of this form.
pub fn from_line(line: &str) -> Result<Message, WireError> {
    if line.len() > LINE_MAX {
        return Err(WireError::LongLine);
    }
    let Line { headers, payload } = serde_json::from_str(line).map_err(WireError::Line)?;
    let mut message = Message::default();
    for (name, value) in headers {
        let value = match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
            other => return Err(WireError::HeaderValue { name, value: other.to_string().chars().take(40).collect() }),
        };
        message.headers.push(&name.to_ascii_lowercase(), &value);
    }
    message.key = Arc::from(message.header(header::INSTANCE).unwrap_or_default());
    if let Some(payload) = payload {
        message.payload = Box::from(payload.get().as_bytes());
    }
    Ok(message)
}
