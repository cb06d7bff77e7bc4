//! Messages on the log: a key, headers, a payload; and what ours mean.
//!
//! Commands, replies, requests and answers are CloudEvents 1.0 in structured mode: the payload is one JSON object, a
//! [`CloudEvent`] once it is read; [`attribute`] is the one table of its names. Everything here turns engine data into a
//! [`Message`], and a [`CloudEvent`] back. Anybody may write to a topic, so reading takes any bytes and answers with a typed
//! error; it never looks into the data beyond "is this JSON". What an id or a code means to an instance is the engine's business.

mod answer;
pub mod attribute;
mod cloud_event;
mod command;
mod error;
mod headers;
mod reply;
mod request;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

pub use answer::{Answered, Ending, answer, read_answer, rejection};
pub use cloud_event::{CloudEvent, EVENT_MAX, HEADERS_MAX};
pub use command::{Envelope, KEEP_AFTER_DEADLINE, ReceivedCommand, RecordId, command, read_command};
pub use error::WireError;
pub use headers::Headers;
pub use reply::{About, read_reply, reply, reply_event};
pub(crate) use request::is_watched;
pub use request::{Ask, Request, read_request, request};
pub(crate) use text::is_word;

/// A message to be appended, or as it was read. Of ours the payload is a [`CloudEvent`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The instance id, which chooses the partition.
    pub key: Arc<str>,
    /// In their order.
    pub headers: Headers,
    /// The payload: bytes, since anybody may write to a topic.
    pub payload: Box<[u8]>,
}

impl Message {
    /// The value of the first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// What it takes in a log, within a few bytes: for budgets.
    #[must_use]
    pub fn size(&self) -> usize {
        self.key.len() + self.payload.len() + self.headers.bytes() + 2 * self.headers.len() + 10
    }
}
