//! Arithmetic, equality and order of values. Nothing wraps, nothing is a float: what does not fit is [`Invalid`].
//!
//! Quotients of integers and durations are cut towards zero; those of decimals have up to 28 digits.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::Invalid;
use crate::definition::expression::BinaryOp;
use crate::definition::json::is_duration;
use crate::definition::value::Value;
use crate::time::Timestamp;

/// An `int` as a `decimal`; in a list, each.
pub(super) fn to_decimal(value: Value) -> Value {
    match value {
        Value::Int(value) => Value::Decimal(Decimal::from(value)),
        Value::List(elements) => Value::List(elements.into_iter().map(to_decimal).collect()),
        other => other,
    }
}

pub(super) fn negate(value: &Value) -> Result<Value, Invalid> {
    let negated = match value {
        Value::Int(number) => number.checked_neg().map(Value::Int),
        Value::Decimal(number) => Some(Value::Decimal(-number)),
        Value::Duration(millis) => millis.checked_neg().map(Value::Duration),
        _ => None,
    };
    negated.ok_or_else(|| too_large('-'))
}

/// `left op right` for the four operations.
pub(super) fn compute(op: BinaryOp, left: &Value, right: &Value) -> Result<Value, Invalid> {
    let computed = match (left, right) {
        (Value::Int(a), Value::Int(b)) => ints(op, *a, *b).map(Value::Int),
        (Value::Int(a), Value::Decimal(b)) => decimals(op, Decimal::from(*a), *b).map(Value::Decimal),
        (Value::Decimal(a), Value::Int(b)) => decimals(op, *a, Decimal::from(*b)).map(Value::Decimal),
        (Value::Decimal(a), Value::Decimal(b)) => decimals(op, *a, *b).map(Value::Decimal),
        (Value::Duration(a), Value::Duration(b)) => spans(op, *a, *b).map(Value::Duration),
        (Value::Duration(a), Value::Int(b)) | (Value::Int(b), Value::Duration(a)) => {
            spans(op, *a, *b).map(Value::Duration)
        }
        (Value::Timestamp(a), Value::Duration(b)) => shifted(op, *a, *b).map(Value::Timestamp),
        (Value::Duration(b), Value::Timestamp(a)) => shifted(op, *a, *b).map(Value::Timestamp),
        (Value::Timestamp(a), Value::Timestamp(b)) => between(*a, *b).map(Value::Duration),
        (Value::String(a), Value::String(b)) => {
            let mut joined = a.clone();
            joined.push_str(b);
            Some(Value::String(joined))
        }
        _ => None,
    };
    computed.ok_or_else(|| {
        let sign = match op {
            BinaryOp::Add => '+',
            BinaryOp::Subtract => '-',
            BinaryOp::Multiply => '*',
            _ => '/',
        };
        match (left, right) {
            (Value::Timestamp(_), Value::Duration(_)) | (Value::Duration(_), Value::Timestamp(_)) => Invalid::new(
                format!("compute with `{sign}`: instants are from 1970 to 9999, and the result is none of them"),
            ),
            _ => too_large(sign),
        }
    })
}

/// Without the numbers: they may be personal, and this becomes the message of a failure, which everybody sees.
fn too_large(sign: char) -> Invalid {
    Invalid::new(format!("compute with `{sign}`: the result is too large"))
}

fn ints(op: BinaryOp, a: i64, b: i64) -> Option<i64> {
    match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Subtract => a.checked_sub(b),
        BinaryOp::Multiply => a.checked_mul(b),
        BinaryOp::Divide => a.checked_div(b),
        _ => None,
    }
}

/// Durations, in milliseconds: one that is longer than what JSON takes would be another when it is read again.
fn spans(op: BinaryOp, a: i64, b: i64) -> Option<i64> {
    ints(op, a, b).filter(|millis| is_duration(*millis))
}

fn decimals(op: BinaryOp, a: Decimal, b: Decimal) -> Option<Decimal> {
    let computed = match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Subtract => a.checked_sub(b),
        BinaryOp::Multiply => a.checked_mul(b).map(|product| scaled(product, a.scale() + b.scale())),
        BinaryOp::Divide => a.checked_div(b),
        _ => None,
    }?;
    within_digits(computed)
}

/// Nothing times 12.50 is 0.00, and not 0: the library gives the scale up there.
fn scaled(product: Decimal, scale: u32) -> Decimal {
    if product.is_zero() { Decimal::new(0, scale.min(Decimal::MAX_SCALE)) } else { product }
}

/// The range of `decimal` is 28 digits; the representation reaches a little further.
pub(super) fn within_digits(value: Decimal) -> Option<Decimal> {
    /// 10^28 - 1
    const LARGEST: i128 = 9_999_999_999_999_999_999_999_999_999;
    if value.mantissa().abs() <= LARGEST {
        return Some(value);
    }
    // 29 digits: the last one behind the point is rounded away; without one the number is too large.
    let scale = value.scale().checked_sub(1)?;
    Some(value.round_dp(scale))
}

fn shifted(op: BinaryOp, instant: Timestamp, by_millis: i64) -> Option<Timestamp> {
    let shifted = match op {
        BinaryOp::Add => instant.0.checked_add_signed(by_millis),
        BinaryOp::Subtract => instant.0.checked_add_signed(by_millis.checked_neg()?),
        _ => None,
    }?;
    Some(Timestamp(shifted)).filter(|instant| *instant <= Timestamp::LAST)
}

fn between(a: Timestamp, b: Timestamp) -> Option<i64> {
    i64::try_from(i128::from(a.0) - i128::from(b.0)).ok()
}

/// Equality of scalars and of absence: numbers by value, whatever their scale.
pub(super) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Int(a), Value::Decimal(b)) | (Value::Decimal(b), Value::Int(a)) => Decimal::from(*a) == *b,
        (left, right) => left == right,
    }
}

/// Order of two numbers, instants or durations; `None` of anything else.
pub(super) fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) | (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Decimal(b)) => Some(Decimal::from(*a).cmp(b)),
        (Value::Decimal(a), Value::Int(b)) => Some(a.cmp(&Decimal::from(*b))),
        (Value::Decimal(a), Value::Decimal(b)) => Some(a.cmp(b)),
        (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
        _ => None,
    }
}
