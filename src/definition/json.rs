//! JSON text against types: does it fit, what stands at a place, what value is it.
//!
//! Payloads stay text. [`check_json`] walks a text once and names every misfit; [`locate`] finds a place in it
//! without building anything; [`decode`] reads the value at a place. Numbers are read from their text, never
//! through a float. Records and maps are not taken apart: they stay [`Value::Raw`], so that fields that the type
//! does not know are kept when the whole is passed on. A field that stands twice does not fit: who reads the first and who
//! reads the last would act on different things. Inside of `json`, and among fields that the type does not know, the last
//! one counts.

mod fit;
mod least;
mod scalar;

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

pub use self::fit::{Misfit, check_json};
pub use self::least::{OPEN, least, to_fill_in};
pub(crate) use self::scalar::{
    LONGEST, decimal, decimal_text, duration_literal, duration_text, int_literal, is_duration, timestamp,
};

use super::expression::PathSegment;
use super::types::Type;
use super::value::Value;
use crate::json::PAYLOAD_MAX;

/// Longest JSON text of an input, reply, signal or value, in bytes.
pub const MAX_JSON_BYTES: usize = PAYLOAD_MAX;

/// Deepest nesting of JSON text: that of types, and far below any stack's end.
pub const MAX_JSON_DEPTH: usize = 64;

/// Misfits that one check names before it stops counting: more help nobody.
pub const MAX_MISFITS: usize = 100;

/// Why a text is no value of a type: what was wanted, and what stood there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read {found} as {expected}")]
pub struct Unreadable {
    /// The type, or what JSON lacks.
    pub expected: String,
    /// What was found, shortened.
    pub found: String,
}

/// The text at `path` in `text`; `None` where it is absent or null, or where something else than an object or list
/// stands on the way. Walks, and builds nothing.
///
/// # Errors
///
/// The text is not JSON.
pub fn locate<'t>(text: &'t str, path: &[PathSegment]) -> Result<Option<&'t str>, Unreadable> {
    let mut json = serde_json::Deserializer::from_str(text);
    let found = At(path).deserialize(&mut json).map_err(|error| not_json(&error))?;
    Ok(found.map(RawValue::get).filter(|raw| *raw != "null"))
}

/// The value of type `ty` that `text` is. Records, maps and `json` stay text; the elements of a list are read one
/// level deep.
///
/// # Errors
///
/// The text does not fit the type at the level that was looked at.
pub fn decode(ty: &Type, text: &str) -> Result<Value, Unreadable> {
    let text = text.trim_ascii();
    match ty {
        Type::Json => Ok(Value::Raw(text.into())),
        Type::Optional(_) if text == "null" => Ok(Value::Null),
        Type::Optional(inner) => decode(inner, text),
        Type::Record(_) | Type::Map(_) if text.starts_with('{') => Ok(Value::Raw(text.into())),
        Type::List(element) => {
            let raw: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| unreadable(ty, text))?;
            raw.into_iter().map(|raw| decode(element, raw.get())).collect::<Result<_, _>>().map(Value::List)
        }
        _ => scalar::read(ty, text).ok_or_else(|| unreadable(ty, text)),
    }
}

fn unreadable(ty: &Type, text: &str) -> Unreadable {
    Unreadable { expected: ty.to_string(), found: describe(text) }
}

fn not_json(error: &serde_json::Error) -> Unreadable {
    Unreadable { expected: "JSON".into(), found: format!("text that is not: {error}") }
}

/// A JSON text in a message: scalars as they are (shortened), what is nested by its kind.
fn describe(text: &str) -> String {
    /// Longer scalars are cut in messages.
    const SHOWN_CHARS: usize = 40;
    match text.as_bytes().first() {
        None => "nothing".into(),
        Some(b'{') => "an object".into(),
        Some(b'[') => "a list".into(),
        Some(_) if text.chars().count() > SHOWN_CHARS => {
            let cut: String = text.chars().take(SHOWN_CHARS).collect();
            format!("{cut}…")
        }
        Some(_) => text.into(),
    }
}

/// What is told in a message of a JSON text that is personal.
fn kind(text: &str) -> &'static str {
    match text.as_bytes().first() {
        None => "nothing",
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "a truth value",
        Some(b'n') => "null",
        Some(_) => "a number",
    }
}

/// Walks along a path.
struct At<'p>(&'p [PathSegment]);

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        match self.0.split_first() {
            None => <&RawValue>::deserialize(json).map(Some),
            Some((segment, rest)) => json.deserialize_any(Step { segment, rest }),
        }
    }
}

/// Whether a key is this one.
struct IsKey<'p>(Option<&'p str>);

impl<'de> DeserializeSeed<'de> for IsKey<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for IsKey<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(self.0 == Some(key))
    }
}

/// One segment, and what is behind it.
struct Step<'p> {
    segment: &'p PathSegment,
    rest: &'p [PathSegment],
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        let wanted = match self.segment {
            PathSegment::Key(wanted) => Some(wanted.as_str()),
            PathSegment::Element(_) => None,
        };
        while let Some(is_wanted) = map.next_key_seed(IsKey(wanted))? {
            if is_wanted {
                found = map.next_value_seed(At(self.rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        if let PathSegment::Element(index) = self.segment {
            for _ in 0..*index {
                if list.next_element::<IgnoredAny>()?.is_none() {
                    return Ok(None);
                }
            }
            let found = list.next_element_seed(At(self.rest))?.flatten();
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(found);
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
}
