//! Values while an expression is evaluated. At rest they are JSON text.

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::json::{decimal_text, duration_text};
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
    let mut out = String::new();
    write_json(value, &mut out);
    out
}

fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) if value.unsigned_abs() > SAFE_INT => push_all(out, &["\"", &value.to_string(), "\""]),
        Value::Int(value) => out.push_str(&value.to_string()),
        Value::Decimal(value) => push_all(out, &["\"", &decimal_text(*value), "\""]),
        Value::String(text) => write_string(text, out),
        Value::Timestamp(instant) => push_all(out, &["\"", &instant.to_string(), "\""]),
        Value::Duration(millis) => push_all(out, &["\"", &duration_text(*millis), "\""]),
        Value::List(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(element, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            let present = fields.iter().filter(|(_, value)| *value != Value::Null);
            for (index, (key, value)) in present.enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(key, out);
                out.push(':');
                write_json(value, out);
            }
            out.push('}');
        }
        Value::Raw(text) => out.push_str(text),
    }
}

fn push_all(out: &mut String, parts: &[&str]) {
    for part in parts {
        out.push_str(part);
    }
}

/// A string in quotes, escaped as RFC 8259 asks.
fn write_string(text: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(text).expect("text is JSON"));
}
