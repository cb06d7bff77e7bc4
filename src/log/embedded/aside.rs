//! Rows beside the log, in the same file and in the same commit.
//!
//! A view that is written with the records that it rests on needs no fsync of its own, and people find both in one
//! file. Rows go behind everything that was appended before them. A failure of theirs never touches the records.

use std::fmt;

use rusqlite::{Connection, Transaction};

/// Something that writes rows of its own.
pub trait Aside: Send {
    /// Writes. May be called again if the commit has to be repeated.
    ///
    /// # Errors
    /// What SQLite says. What was written is taken back then, and the rest of the commit goes on.
    fn write(&self, connection: &Connection) -> rusqlite::Result<()>;

    /// It is durable now, or was given up.
    fn done(self: Box<Self>, written: Written);
}

/// What became of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// They are durable.
    Yes,
    /// They were given up: the log was closed or failed, or SQLite refused them.
    No,
}

/// Rows that wait for the next commit.
#[derive(Default)]
pub(super) struct Asides(pub(super) Vec<Box<dyn Aside>>);

impl fmt::Debug for Asides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} asides", self.0.len())
    }
}

impl Asides {
    /// Gives all of them up.
    pub(super) fn give_up(self) {
        self.0.into_iter().for_each(|aside| aside.done(Written::No));
    }
}

/// Writes within the transaction that is open; a refusal is undone and said. A passing failure is the commit's own.
pub(super) fn write(
    transaction: &mut Transaction<'_>,
    aside: &dyn Aside,
    is_passing: fn(&rusqlite::Error) -> bool,
) -> rusqlite::Result<Written> {
    let savepoint = transaction.savepoint()?;
    match aside.write(&savepoint) {
        Ok(()) => savepoint.commit().map(|()| Written::Yes),
        Err(error) if is_passing(&error) => Err(error),
        Err(error) => {
            tracing::error!(%error, "rows beside the log could not be written");
            drop(savepoint);
            Ok(Written::No)
        }
    }
}
