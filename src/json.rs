//! JSON text that passes through: payloads are parsed only where a definition looks into them.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The largest payload of a request, command or reply, in bytes: Kafka's default limit of a message.
pub const PAYLOAD_MAX: usize = 1 << 20;

/// A thread's memory in which JSON is written until it is known how long it is: a piece that grows and then shrinks for each
/// message was a tenth of what an orchestrator took.
pub(crate) struct Scratch(Vec<u8>);

/// What is kept of it, in bytes: a message with more is rare.
const SCRATCH_MAX: usize = 64 << 10;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Scratch {
    /// Empty, with the room of the last time.
    pub(crate) fn take() -> Self {
        Self(SCRATCH.take())
    }

    /// What was written, in a piece of its size.
    pub(crate) fn exact(self) -> Box<[u8]> {
        Box::from(self.0.as_slice())
    }
}

impl Deref for Scratch {
    type Target = Vec<u8>;
    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.0.capacity() <= SCRATCH_MAX {
            self.0.clear();
            SCRATCH.set(std::mem::take(&mut self.0));
        }
    }
}

/// The same text for JSON that means the same: without white space, and with the fields of each object in order. What is nested
/// too deep is as it stands.
pub(crate) fn sorted(text: &str) -> Cow<'_, str> {
    // `Value` keeps fields sorted.
    let value = serde_json::from_str::<serde_json::Value>(text);
    value.map_or(Cow::Borrowed(text), |value| Cow::Owned(value.to_string()))
}

/// One JSON value as text, cheap to clone. Equal if the texts are.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(Arc<RawValue>);

/// Why a text is not a [`Json`].
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Not JSON.
    #[error("read it as JSON: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Over [`PAYLOAD_MAX`].
    #[error("take a payload of {bytes} bytes: the limit is {PAYLOAD_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

impl Json {
    /// Takes the text of one JSON value.
    ///
    /// # Errors
    /// The text is not JSON, or over [`PAYLOAD_MAX`].
    pub fn parse(text: impl Into<String>) -> Result<Self, JsonError> {
        let text = text.into();
        if text.len() > PAYLOAD_MAX {
            return Err(JsonError::TooLarge { bytes: text.len() });
        }
        Ok(Self(Arc::from(RawValue::from_string(text)?)))
    }

    /// Takes a value out of a larger text.
    ///
    /// # Errors
    /// It is over [`PAYLOAD_MAX`].
    pub fn from_raw(raw: &RawValue) -> Result<Self, JsonError> {
        let bytes = raw.get().len();
        if bytes > PAYLOAD_MAX {
            return Err(JsonError::TooLarge { bytes });
        }
        Ok(Self(Arc::from(raw.to_owned())))
    }

    /// What a value serializes to. Without a limit: for what is not a payload and is limited by other means.
    ///
    /// # Errors
    /// The value does not serialize.
    pub fn of(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        serde_json::value::to_raw_value(value).map(|raw| Self(Arc::from(raw)))
    }

    /// `{}`
    #[must_use]
    pub fn empty_object() -> Self {
        Self(Arc::from(RawValue::from_string("{}".to_owned()).expect("`{}` is JSON")))
    }

    /// The text.
    #[must_use]
    pub fn get(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}
impl Eq for Json {}

impl Hash for Json {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.get().hash(state);
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}
