//! How a log is.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::{Timestamp, millis};

/// How a log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// All is well.
    Writing,
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

/// The machine's clock: the embedded log's own, and of nobody's decisions otherwise.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(millis(since))
}
