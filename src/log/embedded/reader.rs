//! The thread that reads from the disk what is no longer in memory: recovery, history, and readers far behind.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use rusqlite::Connection;

use super::file::{self, Batch, LaneId, RowError};
use super::lane::Waiting;
use super::shared::Shared;
use crate::log::endpoint::Outbox;
use crate::log::{READ_MAX, Range, Report, Stored};

/// A read from the disk.
#[derive(Clone, Debug)]
pub(super) struct DiskRead {
    pub(super) row: LaneId,
    pub(super) range: Range,
    pub(super) waiting: Waiting,
    pub(super) kind: Kind,
}

/// How its report looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Records from the offset on.
    From,
    /// The last record, which is the one at the offset.
    Last,
}

/// Serves until the senders are gone.
pub(super) fn run(shared: &Arc<Shared>, connection: &Connection, reads: &Receiver<DiskRead>) {
    while let Ok(read) = reads.recv() {
        let mut outbox = Outbox::default();
        let Waiting { endpoint, home, ticket, .. } = &read.waiting;
        match records(connection, read.row, read.waiting.from, read.range) {
            Ok(records) => {
                let range = read.range;
                let report = match read.kind {
                    Kind::From => Report::Records { ticket: *ticket, records, range },
                    Kind::Last => Report::Last { ticket: *ticket, last: records.into_iter().next(), range },
                };
                outbox.push(endpoint, *home, report);
            }
            Err(ReadError::Gone { next }) => shared.lock().read_again(&read, next, &mut outbox),
            Err(error) => {
                let why = format!("read {}: {error}", shared.path.display());
                // Whoever asked says it, or does something about it.
                tracing::debug!(path = %shared.path.display(), offset = read.waiting.from, "{why}");
                let ticket = *ticket;
                let report = match error {
                    ReadError::Damaged { until, .. } => Report::Damaged { ticket, why, until },
                    ReadError::Sqlite(_) | ReadError::Gone { .. } => Report::Failed { ticket, why },
                };
                outbox.push(endpoint, *home, report);
            }
        }
        outbox.deliver();
    }
}

/// Why records cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// They are not there: truncated since they were asked for, or lost.
    #[error("records are not there")]
    Gone {
        /// The first that is there behind them.
        next: Option<u64>,
    },
    /// They are not those that were written.
    #[error("it is damaged: {what}. {advice}", advice = super::error::ADVICE)]
    Damaged {
        /// What is wrong.
        what: String,
        /// The first offset behind them, where that can be told.
        until: Option<u64>,
    },
    /// SQLite says no.
    #[error(transparent)]
    Sqlite(rusqlite::Error),
}

impl From<RowError> for ReadError {
    fn from(error: RowError) -> Self {
        match error {
            RowError::Damaged { what, until } => Self::Damaged { what, until },
            RowError::Sqlite(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
                Self::Damaged { what: error.to_string(), until: None }
            }
            RowError::Sqlite(error) => Self::Sqlite(error),
        }
    }
}

/// Records from `from` on, at least one, up to [`READ_MAX`] bytes of them, none at or behind `range.end`.
pub(super) fn records(connection: &Connection, row: LaneId, from: u64, range: Range) -> Result<Vec<Stored>, ReadError> {
    let batches = file::read_batches(connection, row, from, READ_MAX)?;
    match batches.first() {
        None => return Err(ReadError::Gone { next: None }),
        Some(first) if first.first > from => return Err(ReadError::Gone { next: Some(first.first) }),
        Some(_) => {}
    }
    let offsets = batches.into_iter().flat_map(|Batch { first, entries }| (first..).zip(entries));
    let mut bytes = 0usize;
    let records: Vec<Stored> = offsets
        .filter(|(offset, _)| (from..range.end).contains(offset))
        .take_while(|(offset, (_, message))| {
            bytes = bytes.saturating_add(message.size());
            bytes <= READ_MAX || *offset == from
        })
        .map(|(offset, (timestamp, message))| Stored { offset, timestamp, message: Arc::new(message) })
        .collect();
    match records.first() {
        Some(first) if first.offset == from => Ok(records),
        Some(_) | None => Err(ReadError::Gone { next: None }),
    }
}
