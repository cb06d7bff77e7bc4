//! The data that is explored: of what conditions look at, the values that make a difference; of all else the least.
//!
//! What a saga does depends on data only by what [`reads`](super::reads) finds. Each field that is looked at is tried with
//! the words of a choice, true and false, present and absent; with the numbers and texts that it is compared with, those
//! beside them, and one that is none of them; and where it is computed with, with the largest, for what does not fit.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::reads::{Against, Look};
use crate::definition::json::least;
use crate::definition::types::{Record, Type};
use crate::definition::value::{Value, to_json};
use crate::json::Json;
use crate::time::Timestamp;

/// The most payloads of one kind that are tried.
pub const PAYLOADS_MAX: usize = 64;

/// Payloads, made up.
#[derive(Debug, Default)]
pub(super) struct Data {
    /// Whether more payloads were possible than are tried.
    pub(super) was_cut: bool,
}

impl Data {
    /// The values of a record of which this is looked at.
    pub(super) fn payloads(&mut self, record: &Arc<Record>, look: Option<&Look>, word: &str) -> Vec<Json> {
        let values = match look {
            Some(look) => self.each(&Type::Record(Arc::clone(record)), look, word),
            None => vec![tame(&Type::Record(Arc::clone(record)), word)],
        };
        values.iter().filter_map(|value| Json::parse(to_json(value)).ok()).collect()
    }

    /// Every combination of what the fields can be, up to the limit.
    fn records(&mut self, record: &Record, look: &Look, word: &str) -> Vec<Value> {
        let mut all: Vec<Vec<(CompactString, Value)>> = vec![Vec::new()];
        for field in &record.fields {
            let own = look.fields.get(&field.key).cloned().or_else(|| look.itself.clone().map(Look::itself));
            let values = match (&field.ty, own) {
                (Type::Json, _) => vec![Value::Raw("null".into())],
                (ty, Some(look)) => self.each(ty, &look, word),
                (ty, None) => vec![tame(ty, word)],
            };
            let mut next = Vec::new();
            for value in &values {
                for before in &all {
                    if next.len() == PAYLOADS_MAX {
                        self.was_cut = true;
                        break;
                    }
                    let mut fields = before.clone();
                    fields.push((field.key.clone(), value.clone()));
                    next.push(fields);
                }
            }
            all = next;
        }
        all.into_iter().map(Value::Object).collect()
    }

    fn each(&mut self, ty: &Type, look: &Look, word: &str) -> Vec<Value> {
        let against = look.itself.as_ref();
        match (ty, against) {
            (Type::Optional(inner), _) => {
                let mut values = self.each(inner, look, word);
                values.insert(0, Value::Null);
                values
            }
            (Type::Record(record), _) => self.records(record, look, word),
            (Type::List(inner), _) => {
                let of_element = look.elements.as_deref().cloned().or_else(|| against.cloned().map(Look::itself));
                let Some(of_element) = of_element else { return vec![Value::List(Vec::new())] };
                let mut values = vec![Value::List(Vec::new())];
                let one = self.each(inner, &of_element, word);
                // Two differ from one by what stands before and behind.
                let two = one.first().cloned().zip(one.last().cloned());
                values.extend(one.into_iter().map(|one| Value::List(vec![one])));
                values.extend(two.map(|(first, last)| Value::List(vec![first, last])));
                values
            }
            (Type::Bool, Some(_)) => vec![Value::Bool(false), Value::Bool(true)],
            (Type::Choice(words), Some(_)) => words.iter().cloned().map(Value::String).collect(),
            (Type::Int, Some(against)) => {
                let large = large(against, i64::MAX, i64::MIN);
                numbers(against).into_iter().chain(large).map(Value::Int).collect()
            }
            (Type::Decimal, Some(against)) => {
                let large = large(against, LARGEST, -LARGEST);
                numbers(against).into_iter().map(Decimal::from).chain(large).map(Value::Decimal).collect()
            }
            (Type::Timestamp, Some(against)) => {
                let later = Some(super::START.after(DAY)).filter(|_| against.is_compared);
                let last = Some(LAST).filter(|_| against.is_computed);
                [super::START].into_iter().chain(later).chain(last).map(Value::Timestamp).collect()
            }
            (Type::Duration, Some(_)) => [0, DAY_MILLIS].into_iter().map(Value::Duration).collect(),
            // The same text in all that is looked at, so that two can be equal, and one that no other is.
            (Type::String, Some(against)) => {
                let own = [CompactString::const_new("same"), word.into()];
                own.into_iter().chain(against.words.iter().cloned()).map(Value::String).collect()
            }
            (ty, _) => vec![tame(ty, word)],
        }
    }
}

/// Apart from another instant.
const DAY: Duration = Duration::from_hours(24);
const DAY_MILLIS: i64 = 86_400_000;

/// On the calendar's last day.
const LAST: Timestamp = Timestamp(253_402_200_000_000);

/// The largest decimal.
const LARGEST: Decimal = Decimal::from_parts(0x0fff_ffff, 0x3e25_0261, 0x204f_ce5e, false, 0);

/// The largest of each sign, where what is computed of them may be too large.
fn large<T>(against: &Against, largest: T, least: T) -> impl Iterator<Item = T> {
    let largest = Some(largest).filter(|_| against.is_computed);
    largest.into_iter().chain(Some(least).filter(|_| against.is_subtracted))
}

/// 0, 1, and the numbers that something is compared with and those beside them.
fn numbers(against: &Against) -> BTreeSet<i64> {
    let near = |number: &i64| [number.saturating_sub(1), *number, number.saturating_add(1)];
    against.numbers.iter().flat_map(near).chain([0, 1]).collect()
}

/// The least value; of instants the one of all that happens.
fn tame(ty: &Type, word: &str) -> Value {
    match ty {
        Type::Timestamp => Value::Timestamp(super::START),
        Type::Record(record) => {
            let fields = record.fields.iter().map(|field| {
                let value = if field.ty == Type::Json { Value::Raw("null".into()) } else { tame(&field.ty, word) };
                (field.key.clone(), value)
            });
            Value::Object(fields.collect())
        }
        ty => Value::Raw(least(ty, word).into()),
    }
}
