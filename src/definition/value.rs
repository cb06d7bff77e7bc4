//! Values while an expression is evaluated. At rest they are JSON text.

use std::fmt::Display;
use std::io::Write as _;

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::json::{decimal_text, duration_text};
use crate::json::Scratch;
use crate::time::Timestamp;

/// A value. Equal values of one type have one representation, but for decimals, which keep their scale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Absent, or null.
    Null,
    /// `bool`
    Bool(bool),
    /// `int`
    Int(i64),
    /// `decimal`
    Decimal(Decimal),
    /// `string` and choices
    String(CompactString),
    /// `timestamp`
    Timestamp(Timestamp),
    /// `duration`, in milliseconds
    Duration(i64),
    /// `list<T>`
    List(Vec<Value>),
    /// Records and maps, in the order of the text.
    Object(Vec<(CompactString, Value)>),
    /// JSON text that is passed on and not looked into.
    Raw(Box<str>),
}

/// Whole numbers beyond this do not survive a reader that makes floats of numbers; they are written as strings.
const SAFE_INT: u64 = 1 << 53;

/// The canonical JSON text of a value: decimals as strings with their scale, timestamps as RFC 3339 in UTC, durations
/// as ISO 8601, integers beyond 2^53 as strings, absent fields left out. Raw text is written as it is.
#[must_use]
pub fn to_json(value: &Value) -> String {
    let mut out = Scratch::take();
    write_json(value, &mut out);
    str::from_utf8(&out).expect("it was made of texts").to_owned()
}

fn write_json(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Int(value) if value.unsigned_abs() > SAFE_INT => write_quoted(value, out),
        Value::Int(value) => write_shown(value, out),
        Value::Decimal(value) => write_quoted(decimal_text(*value), out),
        Value::String(text) => write_string(text, out),
        Value::Timestamp(instant) => write_quoted(instant, out),
        Value::Duration(millis) => write_quoted(duration_text(*millis), out),
        Value::List(elements) => {
            out.push(b'[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_json(element, out);
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            out.push(b'{');
            let present = fields.iter().filter(|(_, value)| *value != Value::Null);
            for (index, (key, value)) in present.enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string(key, out);
                out.push(b':');
                write_json(value, out);
            }
            out.push(b'}');
        }
        Value::Raw(text) => out.extend_from_slice(text.as_bytes()),
    }
}

fn write_shown(shown: impl Display, out: &mut Vec<u8>) {
    write!(out, "{shown}").expect("memory takes it");
}

/// What needs no escapes.
fn write_quoted(shown: impl Display, out: &mut Vec<u8>) {
    write!(out, "\"{shown}\"").expect("memory takes it");
}

/// A string in quotes, escaped as RFC 8259 asks.
fn write_string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("text is JSON, and memory takes it");
}
