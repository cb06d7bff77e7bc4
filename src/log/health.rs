//! How a log is, and what this user may not do with it.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::{Timestamp, millis};

/// How a log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// All is well.
    Writing,
    /// It is written, but is not as it must be: a person has to do something about it.
    Unfit {
        /// What is the matter, for people.
        why: String,
        /// Since when that is known.
        since: Timestamp,
    },
    /// Nothing can be written for now: what was appended waits and is tried again and again. Nothing is lost.
    Waiting {
        /// Why, for people: the disk is full, or another program holds a lock on the file, or the broker is away.
        why: String,
        /// Since when.
        since: Timestamp,
    },
    /// The log failed while writing: what it holds is no longer known, so nothing more is accepted. What was
    /// acknowledged is kept; opening the log again reads what is there.
    Failed {
        /// Why, for people.
        why: String,
    },
    /// It was closed.
    Closed,
}

impl Health {
    /// Whether what is appended is written.
    #[must_use]
    pub const fn is_writing(&self) -> bool {
        matches!(self, Self::Writing | Self::Unfit { .. })
    }
}

/// Something that this user is not let do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// With which topic.
    pub topic: Box<str>,
    /// What.
    pub right: Right,
    /// For people: what, where, and what to do.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
    /// Whether nothing goes on without it.
    pub is_vital: bool,
}

/// What may be done with a topic, as rules of access call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// To read it.
    Read,
    /// To append to it.
    Write,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "Read",
            Self::Write => "Write",
        })
    }
}

/// The machine's clock: the embedded log's own, and of nobody's decisions otherwise.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(millis(since))
}
