//! Messages on the log: a key, headers, a payload; and what the headers mean.
//!
//! Commands, replies, requests and answers are CloudEvents 1.0 in binary mode (`ce_*` headers) with `saga-*` headers
//! of our own; [`header`] is the one table of their names. Everything here turns engine data into a [`Message`] and
//! back. Anybody may write to a topic, so reading takes any bytes and answers with a typed error; it never looks into
//! a payload beyond "is this JSON". What an id or a code means to an instance is the engine's business.

mod answer;
mod command;
mod error;
pub mod header;
mod headers;
mod line;
mod reply;
mod request;
mod text;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use crate::json::Json;

pub use answer::{Answered, Ending, answer, read_answer, rejection};
pub use command::{Envelope, KEEP_AFTER_DEADLINE, ReceivedCommand, RecordId, command, read_command};
pub use error::WireError;
pub use headers::Headers;
pub use line::{LINE_MAX, from_line, to_line};
pub use reply::{About, read_reply, reply};
pub use request::{Ask, Request, read_request, request};

/// The version of CloudEvents that is spoken.
const SPEC_VERSION: &str = "1.0";

/// The only content type.
const CONTENT_TYPE: &str = "application/json";

/// A message to be appended, or as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The instance id, which chooses the partition.
    pub key: Arc<str>,
    /// In their order; names are ASCII lower case.
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

    /// Begins a message of ours: `id` tells repeats of it, `kind` is one of the types in [`header`].
    fn event(key: &str, id: impl fmt::Display, kind: &'static str, source: impl fmt::Display) -> Self {
        let headers = Headers::with_usual_capacity();
        let mut message = Self { key: Arc::from(key), headers, payload: Box::default() };
        message.push(header::SPEC_VERSION, SPEC_VERSION);
        message.push(header::TYPE, kind);
        message.push_shown(header::ID, id);
        message.push_shown(header::SOURCE, source);
        message.push(header::CONTENT_TYPE, CONTENT_TYPE);
        message
    }

    /// Adds a header behind the others. `name` is one of [`header`].
    pub(crate) fn push(&mut self, name: &'static str, value: &str) {
        self.headers.push(name, value);
    }

    /// The same, with what a value shows as.
    fn push_shown(&mut self, name: &'static str, value: impl fmt::Display) {
        self.headers.push_shown(name, value);
    }

    fn push_if(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.push(name, value);
        }
    }

    fn set_payload(&mut self, payload: &Json) {
        self.payload = Box::from(payload.get().as_bytes());
    }
}
