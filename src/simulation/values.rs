//! Values of any type, drawn: what clients ask with, and participants reply.

use crate::definition::types::{Record, Type};
use crate::definition::value::{Value, to_json};
use crate::json::Json;
use crate::log::simulated::Random;
use crate::time::Timestamp;

/// The most elements of a list.
const ELEMENTS_MAX: usize = 3;
/// Around what conditions are likely to ask for, and never so much that a sum overflows.
const NUMBERS: [i64; 8] = [0, 0, 1, 1, 2, 3, 10, 1_000];
/// The longest duration, and how far ahead an instant is, in milliseconds: a day.
const AHEAD_MAX: usize = 24 * 60 * 60 * 1_000;

/// A record as JSON; nothing is drawn for one without fields.
pub(super) fn any(record: &Record, now: Timestamp, random: &mut Random) -> Json {
    let value = Value::Object(fields(record, now, random));
    Json::parse(to_json(&value)).expect("what is written of a value is JSON")
}

fn fields(record: &Record, now: Timestamp, random: &mut Random) -> Vec<(compact_str::CompactString, Value)> {
    let field =
        |field: &crate::definition::types::Field| (field.key.clone(), value(&field.ty, &field.key, now, random));
    record.fields.iter().map(field).collect()
}

fn value(ty: &Type, word: &str, now: Timestamp, random: &mut Random) -> Value {
    let ahead = |random: &mut Random| i64::try_from(random.below(AHEAD_MAX)).unwrap_or_default();
    match ty {
        Type::String => Value::String(compact_str::format_compact!("{word} {}", random.below(4))),
        Type::Int => Value::Int(number(random)),
        Type::Decimal => Value::Decimal(rust_decimal::Decimal::new(100 * number(random), 2)),
        Type::Bool => Value::Bool(random.chance(50)),
        Type::Timestamp => Value::Timestamp(Timestamp(now.0.saturating_add_signed(ahead(random)))),
        Type::Duration => Value::Duration(ahead(random)),
        // `json` is required, and null is JSON.
        Type::Json => Value::Raw("null".into()),
        Type::Unknown => Value::Null,
        Type::List(inner) => {
            let count = random.below(ELEMENTS_MAX + 1);
            Value::List((0..count).map(|_| value(inner, word, now, random)).collect())
        }
        Type::Map(inner) => {
            let count = random.below(ELEMENTS_MAX + 1);
            let entry = |number| (compact_str::format_compact!("{word} {number}"), value(inner, word, now, random));
            Value::Object((0..count).map(entry).collect())
        }
        Type::Choice(words) => Value::String(words.get(random.below(words.len())).cloned().unwrap_or_default()),
        Type::Record(record) => Value::Object(fields(record, now, random)),
        Type::Optional(_) if random.chance(30) => Value::Null,
        Type::Optional(inner) => value(inner, word, now, random),
    }
}

fn number(random: &mut Random) -> i64 {
    NUMBERS.get(random.below(NUMBERS.len())).copied().unwrap_or_default()
}
