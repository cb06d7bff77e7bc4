//! Records as bytes: JSON with a version.
//!
//! Whatever is not exactly a record of a known version is refused with its place: a field or kind that is skipped here
//! could be the one that matters. Older versions are raised by an upcaster each.

use serde::Deserialize;

use super::record::{Record, VERSION};

/// The journal cannot be read, or contradicts itself.
#[derive(Debug, thiserror::Error)]
#[error("read partition {partition} of saga.journal at offset {offset}: {damage}")]
pub struct JournalError {
    /// Which partition.
    pub partition: u32,
    /// Where in it.
    pub offset: u64,
    /// What is wrong.
    #[source]
    pub damage: Damage,
}

/// What is wrong with a record.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// The bytes are no record.
    #[error("it is no journal record ({0}); the log is damaged, or something other than saga wrote to it")]
    Malformed(#[source] serde_json::Error),
    /// A newer engine wrote it.
    #[error("it has version {found}, and this saga knows versions up to {VERSION}; run the newer saga that wrote it")]
    Newer {
        /// Its version.
        found: u32,
    },
    /// A version that never was.
    #[error("it has version {found}, which never was; the log is damaged")]
    NoVersion {
        /// Its version.
        found: u32,
    },
    /// A pointer to a checkpoint leads elsewhere.
    #[error("a checkpoint should start there, and there is a `{kind}` record; the log is damaged")]
    NoCheckpoint {
        /// What is there.
        kind: &'static str,
    },
    /// It speaks of an instance that no record has begun.
    #[error("it continues instance `{instance}` at {found}, of which {known} is known; the log is damaged")]
    OutOfSequence {
        /// The instance.
        instance: String,
        /// Its sequence number.
        found: u64,
        /// The one before.
        known: u64,
    },
    /// Its definition is not deployed here.
    #[error(
        "instance `{instance}` runs by the definition {hash}, which is not deployed here; deploy that version again, \
         it is needed until its last instance has ended"
    )]
    NoDefinition {
        /// The instance.
        instance: String,
        /// The definition's hash.
        hash: String,
    },
    /// The events do not fit the instance.
    #[error("its events do not fit instance `{instance}`: {why}; this saga and the one that wrote it differ")]
    Misfit {
        /// The instance.
        instance: String,
        /// Why.
        why: String,
    },
}

/// A record's bytes.
#[must_use]
pub fn encode(record: &Record) -> Vec<u8> {
    /// Most records are below this.
    const USUAL: usize = 512;
    let mut bytes = Vec::with_capacity(USUAL);
    serde_json::to_writer(&mut bytes, record).expect("a record is text, numbers and JSON, and memory takes it");
    bytes
}

/// Reads a record.
///
/// # Errors
/// The bytes are no record of a known version.
pub fn decode(bytes: &[u8]) -> Result<Record, Damage> {
    match serde_json::from_slice::<Record>(bytes) {
        Ok(record) if record.v == VERSION => Ok(record),
        // Version 2 has more: steps that wait for their turn. All that version 1 has means the same.
        Ok(record) if record.v == 1 => Ok(Record { v: VERSION, ..record }),
        Ok(record) => Err(version(record.v)),
        // A newer form may well fail to parse: then its version says more than the parser does.
        Err(error) => match serde_json::from_slice::<Versioned>(bytes) {
            Ok(Versioned { v }) if !(1..=VERSION).contains(&v) => Err(version(v)),
            Ok(_) | Err(_) => Err(Damage::Malformed(error)),
        },
    }
}

#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

const fn version(found: u32) -> Damage {
    if found > VERSION { Damage::Newer { found } } else { Damage::NoVersion { found } }
}
