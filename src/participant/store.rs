//! The guard's row in the participant's own database: a port of few words, and its SQLite adapter.
//!
//! A [`Store`] begins transactions; handlers work on the same transaction in which the guard's row changes. A
//! transaction that is dropped without a commit leaves nothing behind, which is what makes a crash harmless.

use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior};

use super::guard::State;
use crate::time::Timestamp;

/// A guard's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What is known of the command.
    pub state: State,
    /// Its reply; of one that is `doing`, the command itself, to be taken up again.
    pub reply: Option<String>,
    /// Until when the row is kept.
    pub keep_until: Timestamp,
}

/// A participant's database.
pub trait Store: Send + 'static {
    /// What handlers get.
    type Transaction<'s>: Transaction<Error = Self::Error>
    where
        Self: 's;
    /// Why the database did not do it.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Begins a transaction that waits for others which hold the rows it reads.
    ///
    /// # Errors
    /// The database does not answer.
    fn begin(&mut self) -> Result<Self::Transaction<'_>, Self::Error>;

    /// The commands whose work outside a transaction was begun and not ended.
    ///
    /// # Errors
    /// The database does not answer.
    fn doing(&mut self) -> Result<Vec<(String, Row)>, Self::Error>;

    /// Removes rows that no delivery can ask for any more: `undone` ones past `keep_until`, and `done` and `failed` ones
    /// past `keep_until + keep_answers`: a saga may take back what is done long after its own deadline, and an
    /// orchestrator that was down may not have read the `failed` and repeat the command. Returns how many went.
    ///
    /// # Errors
    /// The database does not answer.
    fn purge(&mut self, now: Timestamp, keep_answers: Duration) -> Result<usize, Self::Error>;
}

/// One transaction of the participant's database. Dropped without [`commit`](Transaction::commit), it never was.
pub trait Transaction: Sized {
    /// Why the database did not do it.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Inserts a row that is `doing` unless the command has one; says whether it did. The primary key makes two
    /// deliveries at once wait for each other.
    ///
    /// # Errors
    /// The database does not answer.
    fn claim(&self, command: &str, keep_until: Timestamp) -> Result<Claim, Self::Error>;

    /// The command's row, locked.
    ///
    /// # Errors
    /// The database does not answer, or the row is none of ours.
    fn find(&self, command: &str) -> Result<Option<Row>, Self::Error>;

    /// Writes what became of a command that has a row; `keep_until` never shrinks.
    ///
    /// # Errors
    /// The database does not answer.
    fn settle(&self, command: &str, row: &Row) -> Result<(), Self::Error>;

    /// Marks the place to which [`back`](Transaction::back) returns.
    ///
    /// # Errors
    /// The database does not answer.
    fn mark(&self) -> Result<(), Self::Error>;

    /// Forgets what was written since [`mark`](Transaction::mark): a refusal leaves nothing but its row.
    ///
    /// # Errors
    /// The database does not answer.
    fn back(&self) -> Result<(), Self::Error>;

    /// Makes it last.
    ///
    /// # Errors
    /// The database does not answer; whether it committed is then unknown, and the next delivery finds out.
    fn commit(self) -> Result<(), Self::Error>;
}

/// What came of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The row is new.
    New,
    /// The command has a row.
    Known,
}

/// The statements for SQLite. Those for others differ in a word or two: see `docs/participants.md`.
pub mod sql {
    /// The table.
    pub const CREATE: &str = "CREATE TABLE IF NOT EXISTS saga_guard (
        command TEXT PRIMARY KEY, state TEXT NOT NULL, reply TEXT, keep_until BIGINT NOT NULL)";
    /// `?1` the command, `?2` until when its row is kept.
    pub const CLAIM: &str = "INSERT INTO saga_guard (command, state, reply, keep_until)
        VALUES (?1, 'doing', NULL, ?2) ON CONFLICT (command) DO NOTHING";
    /// `?1` the command. A transaction that is `IMMEDIATE` needs no `FOR UPDATE`.
    pub const FIND: &str = "SELECT state, reply, keep_until FROM saga_guard WHERE command = ?1";
    /// `?1` the command, `?2` the state, `?3` the reply, `?4` until when its row is kept.
    pub const SETTLE: &str = "UPDATE saga_guard SET state = ?2, reply = ?3, keep_until = max(keep_until, ?4)
        WHERE command = ?1";
    /// All that is `doing`.
    pub const DOING: &str = "SELECT state, reply, keep_until, command FROM saga_guard WHERE state = 'doing'
        ORDER BY command";
    /// `?1` now, `?2` now less the time that `done` and `failed` rows are kept beyond theirs.
    pub const PURGE: &str = "DELETE FROM saga_guard WHERE (state = 'undone' AND keep_until < ?1)
        OR (state IN ('done', 'failed') AND keep_until < ?2)";
}

/// How long a transaction waits for others before it gives up; then the command is answered `retry`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a file is asked to write ahead while others open it too, and how long it is left alone in between.
const WRITE_AHEAD_TRIES: u32 = 500;
const WRITE_AHEAD_AGAIN: Duration = Duration::from_millis(10);

/// Lets the file write ahead, which it remembers. Of processes that begin so with a new file at once, SQLite refuses one
/// without waiting for the other, whatever its timeout: two that wait to upgrade a lock would wait for ever
/// (<https://sqlite.org/c3ref/busy_handler.html>).
fn write_ahead(connection: &Connection) -> Result<(), rusqlite::Error> {
    for _ in 0..WRITE_AHEAD_TRIES {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                thread::sleep(WRITE_AHEAD_AGAIN);
            }
            done => return done,
        }
    }
    connection.pragma_update(None, "journal_mode", "WAL")
}

/// A database file of SQLite.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
}

impl SqliteStore {
    /// Opens or makes the file, with the guard's table in it. What is committed stays, a loss of power included.
    ///
    /// # Errors
    /// The file cannot be opened or written.
    pub fn open(path: &Path) -> Result<Self, rusqlite::Error> {
        let connection = Connection::open(path)?;
        write_ahead(&connection)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        Self::new(connection)
    }

    /// Takes a connection, and makes the guard's table in it.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn new(connection: Connection) -> Result<Self, rusqlite::Error> {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.execute_batch(sql::CREATE)?;
        Ok(Self { connection })
    }

    /// The connection, for the participant's own tables.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl Store for SqliteStore {
    type Transaction<'s> = rusqlite::Transaction<'s>;
    type Error = rusqlite::Error;

    fn begin(&mut self) -> Result<rusqlite::Transaction<'_>, rusqlite::Error> {
        self.connection.transaction_with_behavior(TransactionBehavior::Immediate)
    }

    fn doing(&mut self) -> Result<Vec<(String, Row)>, rusqlite::Error> {
        let mut statement = self.connection.prepare(sql::DOING)?;
        let rows = statement.query_map((), |row| Ok((row.get(3)?, read_row(row)?)))?;
        rows.collect()
    }

    fn purge(&mut self, now: Timestamp, keep_answers: Duration) -> Result<usize, rusqlite::Error> {
        let answered_before = now.0.saturating_sub(crate::time::millis(keep_answers));
        self.connection.execute(sql::PURGE, (column(now), column(Timestamp(answered_before))))
    }
}

impl Transaction for rusqlite::Transaction<'_> {
    type Error = rusqlite::Error;

    fn claim(&self, command: &str, keep_until: Timestamp) -> Result<Claim, rusqlite::Error> {
        let inserted = self.prepare_cached(sql::CLAIM)?.execute((command, column(keep_until)))?;
        Ok(if inserted == 1 { Claim::New } else { Claim::Known })
    }

    fn find(&self, command: &str) -> Result<Option<Row>, rusqlite::Error> {
        self.prepare_cached(sql::FIND)?.query_row((command,), read_row).optional()
    }

    fn settle(&self, command: &str, row: &Row) -> Result<(), rusqlite::Error> {
        let Row { state, reply, keep_until } = row;
        self.prepare_cached(sql::SETTLE)?.execute((command, state.as_str(), reply, column(*keep_until)))?;
        Ok(())
    }

    fn mark(&self) -> Result<(), rusqlite::Error> {
        self.execute_batch("SAVEPOINT saga_work")
    }

    fn back(&self) -> Result<(), rusqlite::Error> {
        self.execute_batch("ROLLBACK TO saga_work")
    }

    fn commit(self) -> Result<(), rusqlite::Error> {
        rusqlite::Transaction::commit(self)
    }
}

/// `BIGINT` holds no more; [`Timestamp::NEVER`] saturates.
fn column(instant: Timestamp) -> i64 {
    i64::try_from(instant.0).unwrap_or(i64::MAX)
}

fn read_row(row: &rusqlite::Row<'_>) -> Result<Row, rusqlite::Error> {
    let state: String = row.get(0)?;
    let state = State::parse(&state).ok_or_else(|| {
        let wrong = format!("`{state}` is no state of a guard's row");
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, wrong.into())
    })?;
    let keep_until: i64 = row.get(2)?;
    Ok(Row { state, reply: row.get(1)?, keep_until: Timestamp(u64::try_from(keep_until).unwrap_or(0)) })
}
