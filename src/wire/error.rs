//! Why a message cannot be read. Whoever wrote it reads this, so it names the attribute and what would do instead.

use crate::json::JsonError;

/// The most of a wrong value that an error quotes, in characters.
const QUOTED: usize = 80;

/// The most that is told of what a reader of JSON says, in characters.
const SAID: usize = 200;

fn cut(text: &str, most: usize) -> String {
    let mut told: String = text.chars().take(most).collect();
    if text.chars().nth(most).is_some() {
        told.push('…');
    }
    told
}

/// Why a message cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// An attribute is not there.
    #[error("find the attribute `{attribute}`: {wanted}")]
    Missing {
        /// Its name.
        attribute: &'static str,
        /// What it would hold.
        wanted: &'static str,
    },
    /// An attribute holds something else.
    #[error("read the attribute `{attribute}`: `{value}` is not {wanted}")]
    Wrong {
        /// Its name.
        attribute: &'static str,
        /// The beginning of what it holds.
        value: String,
        /// What it should hold.
        wanted: &'static str,
    },
    /// There is nothing to read.
    #[error("read a message: it has no value (a tombstone)")]
    NoValue,
    /// It is not UTF-8.
    #[error("read a message as JSON: it is not UTF-8 from byte {valid_up_to} on")]
    NotUtf8 {
        /// So much of it is.
        valid_up_to: usize,
    },
    /// The data is not JSON, or too large.
    #[error(transparent)]
    Payload(#[from] JsonError),
    /// It is over its limit.
    #[error(
        "take a message of {bytes} bytes: the limit is {}, of which {} for its data",
        super::EVENT_MAX,
        crate::json::PAYLOAD_MAX
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It is no event.
    #[error("read a message as one JSON object, a CloudEvent in structured mode: {0}")]
    NoEvent(String),
    /// The data is JSON of another shape.
    #[error("read the data of a message that says `{kind}`: {why}")]
    Shape {
        /// What the message says it is.
        kind: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl WireError {
    /// What JSON's reader says: it may quote all that it has read.
    pub(super) fn no_event(error: &serde_json::Error) -> Self {
        Self::NoEvent(cut(&error.to_string(), SAID))
    }

    /// The same of the data.
    pub(super) fn shape(kind: &'static str, error: &serde_json::Error) -> Self {
        Self::Shape { kind, why: cut(&error.to_string(), SAID) }
    }

    pub(super) fn wrong(attribute: &'static str, value: &str, wanted: &'static str) -> Self {
        let mut quoted: String = value.chars().take(QUOTED).flat_map(char::escape_debug).collect();
        if value.chars().nth(QUOTED).is_some() {
            quoted.push('…');
        }
        Self::Wrong { attribute, value: quoted, wanted }
    }
}
