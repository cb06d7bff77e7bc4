//! Random values of any type, as participants, senders of signals and starters give them.

use saga::definition::types::{Record, Type};
use saga::definition::value::{Value, to_json};
use saga::json::Json;
use saga::time::Timestamp;

/// The longest list that is made up.
pub(crate) const ELEMENTS: u16 = 3;

/// Numbers that make a difference, the tamest last.
const NUMBERS: [i64; 6] = [i64::MAX, i64::MIN, -1, 1_000, 0, 1];

/// One of so many, by number: chance while it lasts, then the last.
pub(crate) type Choose<'c> = dyn FnMut(u16) -> u16 + 'c;

/// JSON that fits the record.
pub(crate) fn fitting(record: &Record, word: &str, choose: &mut Choose<'_>) -> Json {
    Json::parse(to_json(&object(record, word, choose))).unwrap()
}

/// JSON that fits it, with a field that it does not know.
pub(crate) fn more(record: &Record, word: &str, choose: &mut Choose<'_>) -> Json {
    let Value::Object(mut fields) = object(record, word, choose) else { panic!("a record is an object") };
    fields.push(("more".into(), Value::List(vec![Value::Int(1)])));
    Json::parse(to_json(&Value::Object(fields))).unwrap()
}

fn object(record: &Record, word: &str, choose: &mut Choose<'_>) -> Value {
    Value::Object(record.fields.iter().map(|field| (field.key.clone(), value(&field.ty, word, choose))).collect())
}

fn value(ty: &Type, word: &str, choose: &mut Choose<'_>) -> Value {
    let number = |choose: &mut Choose<'_>| NUMBERS[usize::from(choose(6))];
    match ty {
        Type::Bool => Value::Bool(choose(2) == 1),
        Type::Choice(words) => Value::String(words[usize::from(choose(u16::try_from(words.len()).unwrap()))].clone()),
        Type::Optional(inner) if choose(3) > 0 => value(inner, word, choose),
        Type::Optional(_) => Value::Null,
        Type::Record(record) => object(record, word, choose),
        Type::Int => Value::Int(number(choose)),
        Type::Decimal => Value::Decimal(number(choose).into()),
        Type::String => Value::String(word.into()),
        Type::Timestamp => Value::Timestamp(Timestamp(u64::from(choose(100)) * 100_000_000)),
        Type::Duration => Value::Duration(i64::from(choose(100)) * 100_000),
        Type::List(inner) => Value::List((0..choose(ELEMENTS + 1)).map(|_| value(inner, word, choose)).collect()),
        Type::Map(inner) => Value::Object((0..choose(2)).map(|_| (word.into(), value(inner, word, choose))).collect()),
        Type::Json | Type::Unknown => Value::Raw("[{}]".into()),
    }
}
