//! The least value of a type: what a simulated participant answers where nothing is said; and a value to be filled in, which
//! is none before that.

use crate::definition::types::{Record, Type};
use crate::definition::value::{Value, to_json};
use crate::time::Timestamp;

/// The least value of `ty` as JSON: 0, 0.00, false, the first word, an empty list, absent; a string is `word`.
#[must_use]
pub fn least(ty: &Type, word: &str) -> String {
    to_json(&value(ty, word))
}

/// A value of `ty` to be filled in, as JSON: `"<string>"` and `"<int>"` stand where values belong, so that nobody can give it as
/// it is. What is optional is left out.
#[must_use]
pub fn to_fill_in(ty: &Type) -> String {
    to_json(&open(ty))
}

/// What stands where values belong. The first and the last fit where they stand, so they have to be known.
pub const OPEN: [&str; 7] = ["<string>", "<int>", "<decimal>", "<bool>", "<timestamp>", "<duration>", "<json>"];

fn open(ty: &Type) -> Value {
    match ty {
        Type::String | Type::Int | Type::Decimal | Type::Bool | Type::Timestamp | Type::Duration | Type::Json => {
            Value::String(format!("<{ty}>").into())
        }
        Type::Choice(words) => Value::String(format!("<{}>", words.join(" | ")).into()),
        Type::Optional(_) | Type::Unknown => Value::Null,
        Type::List(inner) => Value::List(vec![open(wanted(inner))]),
        Type::Map(inner) => Value::Object(vec![("<string>".into(), open(wanted(inner)))]),
        Type::Record(record) => {
            Value::Object(record.fields.iter().map(|field| (field.key.clone(), open(&field.ty))).collect())
        }
    }
}

/// What is to be given where something is.
fn wanted(ty: &Type) -> &Type {
    if let Type::Optional(inner) = ty { inner } else { ty }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_is_to_be_filled_in_is_known_or_fits_nowhere() {
        let list = |inner: Type| Type::List(Arc::new(inner));
        for (ty, wanted) in [
            (Type::Int, r#""<int>""#),
            (Type::Choice(Arc::from(["small".into(), "large".into()])), r#""<small | large>""#),
            (list(Type::Optional(Arc::new(Type::Decimal))), r#"["<decimal>"]"#),
            (Type::Map(Arc::new(Type::Bool)), r#"{"<string>":"<bool>"}"#),
        ] {
            assert_eq!(to_fill_in(&ty), wanted);
        }
        let simple = [Type::String, Type::Int, Type::Decimal, Type::Bool, Type::Timestamp, Type::Duration, Type::Json];
        assert!(simple.iter().map(to_fill_in).eq(OPEN.map(|open| format!("\"{open}\""))));
    }
}
