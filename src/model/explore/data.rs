//! The data that is explored: of what conditions look at, the values that make a difference; of all else the least.
//!
//! What a saga does depends on data only by what [`reads`](super::reads) finds. Each field that is looked at is tried with
//! the words of a choice, true and false, present and absent; with what it is [compared with](super::against), what stands
//! beside that, and one that is none of it; and where it is computed with, with the largest, for what does not fit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use compact_str::CompactString;

use super::Cut;
use super::against::{Against, LARGEST, LEAST, Overflow};
use super::reads::Look;
use crate::definition::json::{LONGEST, least};
use crate::definition::types::{Record, Type};
use crate::definition::value::{Value, to_json};
use crate::json::Json;
use crate::syntax::key;
use crate::time::Timestamp;

/// Payloads, made up.
#[derive(Debug)]
pub(super) struct Data {
    /// The most of one kind.
    max: usize,
    /// What it is called where there are more.
    beyond: fn(CompactString) -> Cut,
    /// Why not all are tried that make a difference.
    pub(super) cut: BTreeSet<Cut>,
    /// What is being made, as an expression names it.
    place: String,
    /// The lists of which something is looked at, with the numbers of elements that are tried.
    pub(super) lists: BTreeMap<CompactString, BTreeSet<usize>>,
}

impl Data {
    /// At most so many of one kind, with what it is called where there are more of something.
    pub(super) const fn up_to(max: usize, beyond: fn(CompactString) -> Cut) -> Self {
        Self { max, beyond, cut: BTreeSet::new(), place: String::new(), lists: BTreeMap::new() }
    }

    /// The values of a record of which this is looked at.
    pub(super) fn payloads(&mut self, record: &Arc<Record>, look: Option<&Look>, word: &str) -> Vec<Json> {
        word.clone_into(&mut self.place);
        let values = match look {
            Some(look) => self.each(&Type::Record(Arc::clone(record)), look, word),
            None => vec![tame(&Type::Record(Arc::clone(record)), word)],
        };
        values.iter().filter_map(|value| Json::parse(to_json(value)).ok()).collect()
    }

    /// What a record can be.
    fn records(&mut self, record: &Record, look: &Look, word: &str) -> Vec<Value> {
        let fields = record.fields.iter().map(|field| {
            let own = look.fields.get(&field.key).cloned().or_else(|| look.itself.clone().map(Look::itself));
            let values = match (&field.ty, own) {
                (Type::Json, _) => vec![Value::Raw("null".into())],
                (ty, Some(look)) => self.inside(&format!(".{}", key(&field.key)), |data| data.each(ty, &look, word)),
                (ty, None) => vec![tame(ty, word)],
            };
            (field.key.clone(), values)
        });
        let fields: Vec<_> = fields.collect();
        self.combined(&fields)
    }

    /// Not all that makes a difference is tried of what is being made.
    fn cut_here(&mut self, cut: impl FnOnce(CompactString) -> Cut) {
        let is_of_data = |cut: &&Cut| matches!(cut, Cut::Inputs(_) | Cut::Replies(_) | Cut::Payloads(_));
        if self.cut.iter().filter(is_of_data).count() < NAMED_MAX {
            self.cut.insert(cut(self.place.as_str().into()));
        }
    }

    /// What stands at a place inside.
    fn inside<T>(&mut self, at: &str, made: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.place.len();
        self.place.push_str(at);
        let made = made(self);
        self.place.truncate(length);
        made
    }

    /// Every combination of what the fields can be; of too many of them some, spread over all.
    fn combined(&mut self, fields: &[(CompactString, Vec<Value>)]) -> Vec<Value> {
        let all = fields.iter().fold(1_usize, |all, (_, values)| all.saturating_mul(values.len()));
        if all > self.max {
            self.cut_here(self.beyond);
        }
        let stride = if all > self.max { stride(all as u128) } else { 1 };
        let nth = |number: usize| {
            let mut rest = usize::try_from((number as u128 * stride) % all as u128).unwrap_or(number);
            let mut of_field = |(key, values): &(CompactString, Vec<Value>)| {
                let value = values.get(rest % values.len()).cloned();
                rest /= values.len();
                value.map(|value| (key.clone(), value))
            };
            Value::Object(fields.iter().filter_map(&mut of_field).collect())
        };
        (0..all.min(self.max)).map(nth).collect()
    }

    /// Lists of what an element can be: none, each, any two, and as many as something asks for, of one kind and mixed; and as
    /// many as fill a loop. Where all of a list is looked at, one has them all.
    fn lists(&mut self, one: &[Value], look: &Look) -> Vec<Value> {
        let pairs = one.iter().enumerate().flat_map(|(at, first)| {
            // What comes first makes a difference only where somebody looks at places.
            let from = if look.is_by_place { 0 } else { at };
            one.iter().skip(from).map(move |second| vec![first.clone(), second.clone()])
        });
        let mut lists = vec![Vec::new()];
        lists.extend(one.iter().map(|one| vec![one.clone()]));
        lists.extend(pairs.take(self.max));
        if one.len() * one.len() > self.max {
            self.cut_here(self.beyond);
        }
        let (Some(first), Some(last)) = (one.first(), one.last()) else { return vec![Value::List(Vec::new())] };
        let of = |size: usize, begun: &[&Value], on: &[&Value]| {
            begun.iter().chain(on.iter().cycle()).take(size).map(|value| (*value).clone()).collect()
        };
        let is_more = |size: &&usize| **size > PAIR && !look.sizes.contains(*size);
        // Of each kind: which of them a loop keeps is for its `where` to say.
        for size in look.fill.iter().filter(is_more) {
            lists.extend(one.iter().take(self.max).map(|kind| of(*size, &[], &[kind])));
        }
        for size in look.sizes.iter().filter(|size| **size > PAIR) {
            let of = |begun: &[&Value], on: &[&Value]| of(*size, begun, on);
            lists.push(of(&[], &[first]));
            if one.len() > 1 {
                lists.extend([of(&[], &[last]), of(&[], &[first, last])]);
            }
            // One that makes the sum what is asked for.
            lists.extend(one.iter().skip(1).rev().skip(1).map(|other| of(&[other], &[first])));
        }
        if look.itself.is_some() && one.len() > 2 {
            lists.push(one.to_vec());
        }
        let tried = self.lists.entry(self.place.as_str().into()).or_default();
        tried.extend(lists.iter().map(Vec::len));
        lists.into_iter().map(Value::List).collect()
    }

    fn each(&mut self, ty: &Type, look: &Look, word: &str) -> Vec<Value> {
        let against = look.itself.as_ref();
        for cut in against.into_iter().flat_map(Against::cuts) {
            match cut {
                Cut::Payloads(_) => self.cut_here(|place| Cut::Payloads(Some(place))),
                cut => drop(self.cut.insert(cut)),
            }
        }
        match (ty, against) {
            (Type::Optional(inner), _) => {
                let mut values = self.each(inner, look, word);
                values.insert(0, Value::Null);
                values
            }
            (Type::Record(record), _) => self.records(record, look, word),
            (Type::Map(inner), _) => {
                let keys = look.fields.iter().map(|(key, look)| {
                    let at = format!("[\"{key}\"]");
                    let mut values = self.inside(&at, |data| data.each(inner, look, word));
                    values.insert(0, Value::Null);
                    (key.clone(), values)
                });
                let keys: Vec<_> = keys.collect();
                self.combined(&keys)
            }
            (Type::List(inner), _) => {
                let of_element = look.elements.as_deref().cloned().or_else(|| against.cloned().map(Look::itself));
                let Some(of_element) = of_element else { return vec![Value::List(Vec::new())] };
                let one = self.inside("[*]", |data| data.each(inner, &of_element, word));
                self.lists(&one, look)
            }
            (Type::Bool, Some(_)) => vec![Value::Bool(false), Value::Bool(true)],
            (Type::Choice(words), Some(_)) => words.iter().cloned().map(Value::String).collect(),
            (Type::Int, Some(against)) => {
                let large = large(against, i64::MAX, i64::MIN);
                against.whole_numbers().into_iter().chain(large).map(Value::Int).collect()
            }
            (Type::Decimal, Some(against)) => {
                let large = large(against, LARGEST, LEAST);
                against.decimals().into_iter().chain(large).map(Value::Decimal).collect()
            }
            (Type::Timestamp, Some(against)) => {
                let ends = large(against, Timestamp::LAST, FIRST);
                let near = against.instants(super::START);
                let before = against.before(Timestamp::LAST.0).map(Timestamp);
                let near = near.into_iter().chain(before).filter(|instant| (FIRST..=Timestamp::LAST).contains(instant));
                let all: BTreeSet<Timestamp> = [super::START].into_iter().chain(ends).chain(near).collect();
                all.into_iter().map(Value::Timestamp).collect()
            }
            (Type::Duration, Some(against)) => {
                let large = large(against, LONGEST, -LONGEST);
                let before = against.before(LONGEST.unsigned_abs()).filter_map(|millis| i64::try_from(millis).ok());
                against.durations().into_iter().chain(before).chain(large).map(Value::Duration).collect()
            }
            (Type::String, Some(against)) => against.texts(word).into_iter().map(Value::String).collect(),
            (ty, _) => vec![tame(ty, word)],
        }
    }
}

/// From one combination to the next where there are too many: near the whole over the golden ratio (Knuth, *The Art of
/// Computer Programming* 3, 6.4), so that each value of each field comes early; and without a factor in common, so that none
/// comes twice.
fn stride(all: u128) -> u128 {
    let shares = |number: &u128| {
        let (mut a, mut b) = (all, *number);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a > 1
    };
    let from = all * 618_034 / 1_000_000;
    (from..from + STRIDES_MAX).find(|number| !shares(number)).unwrap_or(1)
}

/// Among so many numbers in a row one shares no factor with a product of a few small ones.
const STRIDES_MAX: u128 = 1_000;

/// So many places at which not all is tried are named: whoever has cut those short asks again.
const NAMED_MAX: usize = 3;

/// Any two elements.
const PAIR: usize = 2;

/// The first instant that a value may be.
const FIRST: Timestamp = Timestamp(0);

/// The largest and the least, where what is computed of them may be too large.
fn large<T>(against: &Against, largest: T, least: T) -> impl Iterator<Item = T> {
    let largest = Some(largest).filter(|_| against.overflow > Overflow::Never);
    largest.into_iter().chain(Some(least).filter(|_| against.overflow == Overflow::AboveAndBelow))
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
