//! Where the participants of a data directory were last reached, beside the log in `saga.db`:
//!
//! ```sql
//! participant (topic, name, address)   -- the topic of its commands; the address as `--participant` takes it
//! ```
//!
//! An instance goes on where it began, with the participants that know of it, whatever the next command line says or
//! leaves out. The topic is the key, since definitions may call one participant by several names; a topic that is new is found by its
//! participant's name, which is what people give addresses to.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;
use rusqlite::{Connection, OptionalExtension as _};
use tokio::sync::oneshot;

use super::address::{Address, AddressError};
use crate::definition::Participant;
use crate::log::embedded::{Aside, Embedded, Written};

/// Addresses by the topics of commands.
pub type Addresses = BTreeMap<CompactString, Address>;

/// What is remembered.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    topics: Addresses,
    /// The address by name, for a topic that is new; a real one rather than none.
    names: Addresses,
}

impl Remembered {
    /// Where a participant was last reached: the one of this topic, else one of that name.
    #[must_use]
    pub fn of(&self, topic: &str, name: &str) -> Option<&Address> {
        self.topics.get(topic).or_else(|| self.names.get(name))
    }
}

/// Why it is not known, or not kept, where participants are reached.
#[derive(Debug, thiserror::Error)]
pub enum RememberedError {
    /// The table cannot be read.
    #[error(
        "read where participants were last reached, from the table `participant` of saga.db: {0}; restore the directory \
         from a backup, or copy it and rescue what can be read with SQLite's `.recover`"
    )]
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
pub fn read(log: &Embedded) -> Result<Remembered, RememberedError> {
    let connection = log.connect()?;
    let is_there = connection
        .query_row("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'participant'", (), |_| Ok(()))
        .optional()?;
    if is_there.is_none() {
        return Ok(Remembered::default());
    }
    let mut statement = connection.prepare("SELECT topic, name, address FROM participant ORDER BY topic")?;
    let rows = statement
        .query_map((), |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)))?;
    let mut remembered = Remembered::default();
    for row in rows {
        let (topic, name, address) = row?;
        let topic = CompactString::from(topic);
        let address: Address = match address.parse() {
            Ok(address) => address,
            Err(why) => return Err(RememberedError::Damaged { topic, why }),
        };
        let named = remembered.names.entry(name.into()).or_insert_with(|| address.clone());
        if *named == Address::Simulated {
            named.clone_from(&address);
        }
        remembered.topics.insert(topic, address);
    }
    Ok(remembered)
}

/// Makes a data directory remember these; returns when they are durable.
///
/// # Errors
/// The table does not take them.
pub async fn keep(log: &Embedded, participants: Vec<(Arc<Participant>, Address)>) -> Result<(), RememberedError> {
    let (done, kept) = oneshot::channel();
    log.aside(Box::new(Keep { participants, done }));
    match kept.await {
        Ok(Written::Yes) => Ok(()),
        Ok(Written::No) | Err(_) => Err(RememberedError::NotKept),
    }
}

struct Keep {
    participants: Vec<(Arc<Participant>, Address)>,
    done: oneshot::Sender<Written>,
}

impl Aside for Keep {
    fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS participant (topic TEXT PRIMARY KEY, name TEXT NOT NULL, address TEXT NOT NULL) WITHOUT ROWID",
        )?;
        let mut upsert = connection
            .prepare("INSERT INTO participant VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET name = ?2, address = ?3")?;
        for (participant, address) in &self.participants {
            let (topic, name) = (participant.commands_topic.as_str(), participant.name.as_str());
            upsert.execute((topic, name, address.written()))?;
        }
        Ok(())
    }

    fn done(self: Box<Self>, written: Written) {
        // Whoever asked has gone: nothing to do.
        let _gone = self.done.send(written);
    }
}
