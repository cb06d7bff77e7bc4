//! An event as it stands on a log or a pipe: one JSON object of attributes and `data`, CloudEvents 1.0 in structured mode.
//!
//! One object and one header, since a header of Kafka costs the producer, the broker and the consumer a piece of memory
//! and a parse each: with a dozen of them a bare program without any saga reached two fifths of what it does with none.

use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;
use std::sync::Arc;

use memchr::memmem;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::{Headers, Message, WireError, attribute};
use crate::json::{Json, PAYLOAD_MAX, Scratch};

/// The name of what is not an attribute.
const DATA: &str = "data";

/// Room for attributes beside the largest payload, in bytes: an order's reason, a participant's words and a few ids are far
/// below it.
pub const HEADERS_MAX: usize = 64 << 10;

/// The largest event in bytes: the largest data with room for its attributes.
pub const EVENT_MAX: usize = PAYLOAD_MAX + HEADERS_MAX;

/// An event as it was read, or is to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudEvent<'a> {
    /// The key of its record; of an event that was no record the instance, if it names one.
    pub key: Arc<str>,
    /// By their places in [`attribute::ALL`].
    values: Values<'a>,
    /// What it says beyond its attributes.
    pub data: Option<Json>,
}

impl<'a> CloudEvent<'a> {
    /// Reads the payload of a message.
    ///
    /// # Errors
    /// It is too large, or no JSON object, or an attribute or `data` stands twice, or an attribute is neither text nor a
    /// whole number.
    pub fn read(message: &'a Message) -> Result<Self, WireError> {
        let mut event = Self { key: Arc::clone(&message.key), ..Self::default() };
        event.take(&message.payload)?;
        Ok(event)
    }

    /// Reads it if it is of that type. Where the word for it does not stand in it, which is so for nearly all records of a
    /// journal, that is found out without a parse; nobody writes its letters as escapes.
    pub(crate) fn of_type(message: &'a Message, kind: &str) -> Option<Self> {
        memmem::find(&message.payload, kind.as_bytes())?;
        Self::read(message).ok().filter(|event| event.get(attribute::TYPE) == Some(kind))
    }

    /// Reads one that has no key: from a pipe, or from a table.
    ///
    /// # Errors
    /// As for [`CloudEvent::read`].
    pub fn parse(text: &'a [u8]) -> Result<Self, WireError> {
        let mut event = Self::default();
        event.take(text)?;
        event.key = Arc::from(event.get(attribute::INSTANCE).unwrap_or_default());
        Ok(event)
    }

    /// Takes what stands in a payload. In place: an event is half a kilobyte.
    fn take(&mut self, bytes: &'a [u8]) -> Result<(), WireError> {
        // What clients write that delete from a compacted topic: a reader of JSON would only say that something ended.
        if bytes.is_empty() {
            return Err(WireError::NoValue);
        }
        if bytes.len() > EVENT_MAX {
            return Err(WireError::TooLarge { bytes: bytes.len() });
        }
        let text = str::from_utf8(bytes).map_err(|error| WireError::NotUtf8 { valid_up_to: error.valid_up_to() })?;
        let mut json = serde_json::Deserializer::from_str(text);
        let read = Object(&mut self.values).deserialize(&mut json).and_then(|data| json.end().map(|()| data));
        let data = read.map_err(|error| WireError::no_event(&error))?;
        self.data = data.map(Json::from_raw).transpose()?;
        Ok(())
    }

    /// The value of an attribute.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(attribute::place(name)?)?.as_deref()
    }

    /// Gives it a value. What is none of [`attribute::ALL`] has no place.
    pub fn set(&mut self, name: &str, value: impl Into<Cow<'a, str>>) {
        if let Some(slot) = attribute::place(name).and_then(|place| self.values.get_mut(place)) {
            *slot = Some(value.into());
        }
    }

    /// Takes it away.
    pub fn remove(&mut self, name: &str) {
        if let Some(slot) = attribute::place(name).and_then(|place| self.values.get_mut(place)) {
            *slot = None;
        }
    }

    /// Takes it for one of that type if it names none.
    pub(crate) fn or_type(&mut self, kind: &'static str) {
        if self.get(attribute::TYPE).is_none() {
            self.set(attribute::TYPE, kind);
        }
    }

    /// Its data; an empty object if it has none.
    #[must_use]
    pub fn data_or_empty(&self) -> Json {
        self.data.clone().unwrap_or_else(Json::empty_object)
    }

    /// Those that it has.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&'static str, &str)> {
        attribute::ALL.into_iter().zip(&self.values).filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// Apart from what it was read from.
    #[must_use]
    pub fn into_owned(self) -> CloudEvent<'static> {
        let Self { key, values, data } = self;
        CloudEvent { key, values: values.map(|value| value.map(|value| Cow::Owned(value.into_owned()))), data }
    }

    /// The message that it is read from.
    #[must_use]
    pub fn write(&self) -> Message {
        let mut writing = Writing::empty(&self.key);
        self.iter().for_each(|(name, value)| writing.push(name, value));
        writing.end(self.data.as_ref().map(Json::get))
    }
}

/// An event that is being written.
pub(super) struct Writing {
    key: Arc<str>,
    bytes: Scratch,
}

impl Writing {
    fn empty(key: &Arc<str>) -> Self {
        Self { key: Arc::clone(key), bytes: Scratch::take() }
    }

    /// Begins one of ours: `id` tells repeats of it, `kind` is one of the types in [`attribute`].
    pub(super) fn new(key: &str, id: impl fmt::Display, kind: &str, source: impl fmt::Display) -> Self {
        let mut writing = Self::empty(&Arc::from(key));
        writing.push(attribute::SPEC_VERSION, attribute::VERSION);
        writing.push(attribute::TYPE, kind);
        writing.push_shown(attribute::ID, id);
        writing.push_shown(attribute::SOURCE, source);
        writing
    }

    fn name(&mut self, name: &str) {
        let before = if self.bytes.is_empty() { b"{\"" } else { b",\"" };
        self.bytes.extend_from_slice(before);
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b"\":");
    }

    /// Adds an attribute. `name` is one of [`attribute`].
    pub(super) fn push(&mut self, name: &str, value: &str) {
        self.push_text(name, value);
    }

    /// The same, with what a value shows as.
    pub(super) fn push_shown(&mut self, name: &str, value: impl fmt::Display) {
        self.push_text(name, &format_args!("{value}"));
    }

    /// The same, with what shows without anything to be escaped: numbers, say.
    pub(super) fn push_plain(&mut self, name: &str, value: impl fmt::Display) {
        self.name(name);
        write!(self.bytes, "\"{value}\"").expect("memory takes all");
    }

    fn push_text<T: Serialize + ?Sized>(&mut self, name: &str, text: &T) {
        self.name(name);
        serde_json::to_writer(&mut *self.bytes, text).expect("text is JSON, and memory takes all");
    }

    pub(super) fn push_if(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.push(name, value);
        }
    }

    /// Ends it with its data, which is JSON.
    pub(super) fn end(mut self, data: Option<&str>) -> Message {
        if let Some(data) = data {
            self.name(DATA);
            self.bytes.extend_from_slice(data.as_bytes());
        }
        let end: &[u8] = if self.bytes.is_empty() { b"{}" } else { b"}" };
        self.bytes.extend_from_slice(end);
        Message { key: self.key, headers: Headers::ours(), payload: self.bytes.exact() }
    }
}

/// The values of attributes, by their places in [`attribute::ALL`].
type Values<'a> = [Option<Cow<'a, str>>; attribute::ALL.len()];

/// Where what stands in a payload is put, but for its data.
struct Object<'e, 'a>(&'e mut Values<'a>);

impl<'de> DeserializeSeed<'de> for Object<'_, 'de> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, 'de> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut data = None;
        let (mut has_data, mut seen) = (false, [false; attribute::ALL.len()]);
        // Readers differ in which of two counts, so neither does.
        let twice = |name: &str| A::Error::custom(format_args!("`{name}` stands twice"));
        while let Some(Text(name)) = map.next_key()? {
            if name == DATA {
                if std::mem::replace(&mut has_data, true) {
                    return Err(twice(DATA));
                }
                data = map.next_value()?;
                continue;
            }
            let Some(place) = attribute::place(&name) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let (Some(slot), Some(seen)) = (self.0.get_mut(place), seen.get_mut(place)) else { continue };
            let value = map.next_value::<Value<'_>>();
            let value = value.map_err(|error| A::Error::custom(format_args!("`{name}`: {error}")))?;
            if std::mem::replace(seen, true) {
                return Err(twice(&name));
            }
            *slot = match value {
                Value::Text(text) => Some(text),
                Value::Number(number) => Some(Cow::Owned(number.to_string())),
                Value::Null => None,
            };
        }
        Ok(data)
    }
}

/// Text that is borrowed where nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// What an attribute may be.
enum Value<'a> {
    Text(Cow<'a, str>),
    Number(i128),
    Null,
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or a whole number")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }
}
