//! Messages on the log: a key, headers, a payload; and what the headers mean.
//!
//! Commands and replies are CloudEvents 1.0 in binary mode (`ce_*` headers) with headers of our own, as
//! `docs/protocol.md` lists them. Requests (start, order) are ours alone.

use std::sync::Arc;

/// A message to be appended, or as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The instance id, which chooses the partition.
    pub key: Arc<str>,
    /// In their order; names are ASCII lower case.
    pub headers: Vec<(Arc<str>, Box<str>)>,
    /// The payload: bytes, since anybody may write to a topic.
    pub payload: Box<[u8]>,
}

impl Message {
    /// The value of the first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| **known == *name).map(|(_, value)| value.as_ref())
    }
}
