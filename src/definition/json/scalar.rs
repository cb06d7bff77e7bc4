//! Scalars from JSON text, and their text in JSON. Everything is read from digits; nothing passes through a float.

use compact_str::CompactString;
use jiff::{SignedDuration, Span};
use rust_decimal::Decimal;

use crate::definition::types::Type;
use crate::definition::value::Value;
use crate::time::Timestamp;

/// Significant digits of a `decimal`.
const DECIMAL_DIGITS: usize = 28;

/// The scalar of type `ty` that the JSON `text` is; `None` where it is none.
pub(super) fn read(ty: &Type, text: &str) -> Option<Value> {
    let quoted = || serde_json::from_str::<CompactString>(text).ok();
    match ty {
        Type::String => quoted().map(Value::String),
        Type::Choice(words) => quoted().filter(|word| words.contains(word)).map(Value::String),
        Type::Bool => match text {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        Type::Int => number_or_digits(text).filter(|digits| is_int(digits))?.parse().ok().map(Value::Int),
        Type::Decimal if text.starts_with('"') => decimal(&quoted()?).map(Value::Decimal),
        Type::Decimal => json_number(text).map(Value::Decimal),
        Type::Timestamp => timestamp(&quoted()?).map(Value::Timestamp),
        Type::Duration => duration(&quoted()?).map(Value::Duration),
        Type::Json | Type::List(_) | Type::Map(_) | Type::Record(_) | Type::Optional(_) | Type::Unknown => None,
    }
}

/// The text of a JSON number, or of a string, without its quotes.
fn number_or_digits(text: &str) -> Option<CompactString> {
    if text.starts_with('"') { serde_json::from_str(text).ok() } else { Some(text.into()) }
}

fn is_int(text: &str) -> bool {
    is_digits(text.strip_prefix('-').unwrap_or(text))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `-840.00`: an optional sign, digits, and an optional fraction; at most 28 significant digits, scale kept.
pub(crate) fn decimal(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    if !is_digits(whole) || !is_digits(fraction) || !has_decimal_precision(digits) {
        return None;
    }
    Decimal::from_str_exact(text).ok().map(without_negative_zero)
}

/// A JSON number by its text, an exponent resolved exactly.
fn json_number(text: &str) -> Option<Decimal> {
    if let Some((mantissa, _)) = text.split_once(['e', 'E']) {
        let in_range = has_decimal_precision(mantissa.strip_prefix('-').unwrap_or(mantissa));
        let read = Decimal::from_scientific(text).ok().filter(|_| in_range)?;
        // An exponent that pushes digits out below the 28th would be rounded silently: compare with the mantissa.
        let lost = read.is_zero() && mantissa.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
        return (!lost).then(|| without_negative_zero(read));
    }
    decimal(text)
}

/// Whether digits (with a point perhaps) are within 28 significant ones and 28 behind the point.
fn has_decimal_precision(digits: &str) -> bool {
    let significant = digits.trim_start_matches(['0', '.']).bytes().filter(u8::is_ascii_digit).count();
    let scale = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    significant <= DECIMAL_DIGITS && scale <= DECIMAL_DIGITS
}

/// `-0.00` and `0.00` are one value, so they have one text.
fn without_negative_zero(mut value: Decimal) -> Decimal {
    if value.is_zero() {
        value.set_sign_positive(true);
    }
    value
}

/// A decimal as it stands in JSON, without the quotes.
pub(crate) fn decimal_text(value: Decimal) -> String {
    without_negative_zero(value).to_string()
}

/// An RFC 3339 instant from 1970 to [`Timestamp::LAST`]; what is finer than a millisecond is cut off.
pub(crate) fn timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let separates = |at: usize, marks: &[u8]| bytes.get(at).is_some_and(|byte| marks.contains(byte));
    let zone_at = |from_end: usize| bytes.len().checked_sub(from_end);
    let has_zone = bytes.last().is_some_and(|byte| matches!(byte, b'Z' | b'z'))
        || (zone_at(6).is_some_and(|at| separates(at, b"+-")) && zone_at(3).is_some_and(|at| separates(at, b":")));
    let shaped = separates(4, b"-") && separates(7, b"-") && separates(10, b"Tt ") && separates(13, b":");
    if !shaped || !separates(16, b":") || !has_zone {
        return None;
    }
    let instant: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(instant.as_millisecond()).ok().map(Timestamp).filter(|instant| *instant <= Timestamp::LAST)
}

/// The longest duration that the calendar has, 20,000 years, in milliseconds: with it any instant comes to lie before the
/// first one, or behind the last.
pub(crate) const LONGEST: i64 = 631_107_417_600_000;

/// ISO 8601 (`PT15M`, `P1D`; years and months have no fixed length) or as a literal (`15m`); in milliseconds, no longer than
/// [`LONGEST`]. Of what is longer jiff keeps as much as its units hold.
pub(crate) fn duration(text: &str) -> Option<i64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(['P', 'p']) {
        return duration_literal(text);
    }
    let span: Span = text.parse().ok()?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return None;
    }
    let parts = [
        (i64::from(span.get_weeks()), 7 * 86_400_000),
        (i64::from(span.get_days()), 86_400_000),
        (i64::from(span.get_hours()), 3_600_000),
        (span.get_minutes(), 60_000),
        (span.get_seconds(), 1_000),
        (span.get_milliseconds(), 1),
    ];
    parts
        .iter()
        .try_fold(0_i64, |sum, (count, unit)| sum.checked_add(count.checked_mul(*unit)?))
        .filter(|millis| is_duration(*millis))
}

/// Whether a duration may be so long, in milliseconds.
pub(crate) fn is_duration(millis: i64) -> bool {
    (-LONGEST..=LONGEST).contains(&millis)
}

/// `15m`, `200ms`, `1_000s`, as in the language; in milliseconds, at most [`LONGEST`].
pub(crate) fn duration_literal(text: &str) -> Option<i64> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (digits, unit) = text.split_at_checked(unit_at)?;
    let scale = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    int_literal(digits)?.checked_mul(scale).filter(|millis| is_duration(*millis))
}

/// `1_000`, as in the language.
pub(crate) fn int_literal(text: &str) -> Option<i64> {
    let digits: CompactString = text.chars().filter(|c| *c != '_').collect();
    if is_digits(&digits) { digits.parse().ok() } else { None }
}

/// A duration as ISO 8601.
pub(crate) fn duration_text(millis: i64) -> String {
    SignedDuration::from_millis(millis).to_string()
}
