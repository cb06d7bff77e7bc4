//! Where the participants of a data directory were last reached, beside the log in `saga.db`:
//!
//! ```sql
//! participant (topic, address)   -- of its commands; as `--participant` takes it
//! ```
//!
//! An instance goes on where it began, with the participants that know of it, whatever the next command line says or
//! leaves out. The topic is the key, since definitions may call one participant by several names.

use std::collections::BTreeMap;

use compact_str::CompactString;
use rusqlite::{Connection, OptionalExtension as _};
use tokio::sync::oneshot;

use super::address::{Address, AddressError};
use crate::log::embedded::{Aside, Embedded, Written};

/// Addresses by the topics of commands.
pub type Addresses = BTreeMap<CompactString, Address>;

/// Why it is not known, or not kept, where participants are reached.
#[derive(Debug, thiserror::Error)]
pub enum RememberedError {
    /// The table cannot be read.
    #[error("read where participants were last reached, from the table `participant` of saga.db: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A row is not what we write.
    #[error(
        "read where the participant of `{topic}` was last reached: {why}; delete its row in the table `participant` of \
         saga.db while nobody has it open, and name its address"
    )]
    Damaged {
        /// Its topic.
        topic: CompactString,
        /// What is wrong with the address.
        why: AddressError,
    },
    /// The rows were not taken.
    #[error(
        "write where participants are reached, to the table `participant` of saga.db: the log was closed, or SQLite refuses it as standard error says"
    )]
    NotKept,
}

/// What a data directory remembers.
///
/// # Errors
/// The table cannot be read.
pub fn read(log: &Embedded) -> Result<Addresses, RememberedError> {
    let connection = log.connect()?;
    let is_there = connection
        .query_row("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'participant'", (), |_| Ok(()))
        .optional()?;
    if is_there.is_none() {
        return Ok(Addresses::new());
    }
    let mut statement = connection.prepare("SELECT topic, address FROM participant")?;
    let rows = statement.query_map((), |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let mut addresses = Addresses::new();
    for row in rows {
        let (topic, address) = row?;
        let topic = CompactString::from(topic);
        match address.parse() {
            Ok(address) => drop(addresses.insert(topic, address)),
            Err(why) => return Err(RememberedError::Damaged { topic, why }),
        }
    }
    Ok(addresses)
}

/// Makes a data directory remember these; returns when they are durable.
///
/// # Errors
/// The table does not take them.
pub async fn keep(log: &Embedded, addresses: Addresses) -> Result<(), RememberedError> {
    let (done, kept) = oneshot::channel();
    log.aside(Box::new(Keep { addresses, done }));
    match kept.await {
        Ok(Written::Yes) => Ok(()),
        Ok(Written::No) | Err(_) => Err(RememberedError::NotKept),
    }
}

struct Keep {
    addresses: Addresses,
    done: oneshot::Sender<Written>,
}

impl Aside for Keep {
    fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS participant (topic TEXT PRIMARY KEY, address TEXT NOT NULL) WITHOUT ROWID",
        )?;
        let mut upsert =
            connection.prepare("INSERT INTO participant VALUES (?1, ?2) ON CONFLICT DO UPDATE SET address = ?2")?;
        for (topic, address) in &self.addresses {
            upsert.execute((topic.as_str(), address.to_string()))?;
        }
        Ok(())
    }

    fn done(self: Box<Self>, written: Written) {
        // Whoever asked has gone: nothing to do.
        let _gone = self.done.send(written);
    }
}
