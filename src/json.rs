//! JSON text that passes through: payloads are parsed only where a definition looks into them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The largest payload of a request, command or reply, in bytes: Kafka's default limit of a message.
pub const PAYLOAD_MAX: usize = 1 << 20;

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
