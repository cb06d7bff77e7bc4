//! The least value of a type: what a simulated participant answers where nothing is said.

use crate::definition::types::{Record, Type};
use crate::definition::value::{Value, to_json};
use crate::time::Timestamp;

/// The least value of `ty` as JSON: 0, 0.00, false, the first word, an empty list, absent; a string is `word`.
#[must_use]
pub fn least(ty: &Type, word: &str) -> String {
    to_json(&value(ty, word))
}

fn value(ty: &Type, word: &str) -> Value {
    match ty {
        Type::String => Value::String(word.into()),
        Type::Int => Value::Int(0),
        Type::Decimal => Value::Decimal(rust_decimal::Decimal::new(0, 2)),
        Type::Bool => Value::Bool(false),
        Type::Timestamp => Value::Timestamp(Timestamp(0)),
        Type::Duration => Value::Duration(0),
        Type::Json | Type::Optional(_) | Type::Unknown => Value::Null,
        Type::List(_) => Value::List(Vec::new()),
        Type::Map(_) => Value::Object(Vec::new()),
        Type::Choice(words) => Value::String(words.first().cloned().unwrap_or_default()),
        Type::Record(record) => least_record(record, word),
    }
}

fn least_record(record: &Record, word: &str) -> Value {
    let fields = record.fields.iter().map(|field| match field.ty {
        // `json` is required, and null is JSON.
        Type::Json => (field.key.clone(), Value::Raw("null".into())),
        _ => (field.key.clone(), value(&field.ty, word)),
    });
    Value::Object(fields.collect())
}
