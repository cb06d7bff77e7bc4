//! Why a message cannot be read. Whoever wrote it reads this, so it names the header and what would do instead.

use crate::json::JsonError;

/// The most of a wrong value that an error quotes, in characters.
const QUOTED: usize = 80;

/// Why a message cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// A header is not there.
    #[error("find the header `{header}`: {wanted}")]
    Missing {
        /// Its name.
        header: &'static str,
        /// What it would hold.
        wanted: &'static str,
    },
    /// A header holds something else.
    #[error("read the header `{header}`: `{value}` is not {wanted}")]
    Wrong {
        /// Its name.
        header: &'static str,
        /// The beginning of what it holds.
        value: String,
        /// What it should hold.
        wanted: &'static str,
    },
    /// The payload is not UTF-8.
    #[error("read the payload as JSON: it is not UTF-8 from byte {valid_up_to} on")]
    NotUtf8 {
        /// So much of it is.
        valid_up_to: usize,
    },
    /// The payload is not JSON, or too large.
    #[error(transparent)]
    Payload(#[from] JsonError),
    /// A line is over its limit.
    #[error("take a line of over {} bytes: the payload's limit is {}", super::LINE_MAX, crate::json::PAYLOAD_MAX)]
    LongLine,
    /// A line is not `{"headers": {…}, "payload": …}`.
    #[error("read a line as {{\"headers\": {{…}}, \"payload\": …}}: {0}")]
    Line(#[source] serde_json::Error),
    /// A header's value is neither text nor a whole number.
    #[error("read the header `{name}`: `{value}` is neither a string nor a whole number")]
    HeaderValue {
        /// Its name.
        name: String,
        /// The beginning of its value.
        value: String,
    },
    /// The payload is JSON of another shape.
    #[error("read the payload of a message that says `{kind}`: {source}")]
    Shape {
        /// What the message says it is.
        kind: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl WireError {
    pub(super) fn wrong(header: &'static str, value: &str, wanted: &'static str) -> Self {
        let mut quoted: String = value.chars().take(QUOTED).flat_map(char::escape_debug).collect();
        if value.chars().nth(QUOTED).is_some() {
            quoted.push('…');
        }
        Self::Wrong { header, value: quoted, wanted }
    }
}
