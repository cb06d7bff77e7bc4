//! Records as bytes: JSON with a version.
//!
//! Whatever is not exactly a record of a known version is refused with its place, if by its own word it is at its place:
//! a field or kind that is skipped here could be the one that matters. What does not even say so was written by a
//! stranger, and is a misfit like any other. Older versions are raised by an upcaster each.

use std::sync::Arc;

use serde::Deserialize;

use super::record::{Record, VERSION};
use crate::json::Scratch;

/// What is to be done about a journal that is damaged.
const RESTORE: &str = "restore it, or begin anew with an empty one";

/// The journal cannot be read, or contradicts itself.
#[derive(Debug, thiserror::Error)]
#[error("read partition {partition} of {topic} at offset {offset}: {damage}")]
pub struct JournalError {
    /// Which journal: that of the deployment.
    pub topic: Arc<str>,
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
    #[error("it is no journal record ({0}); the log is damaged, or something other than saga wrote to it: {RESTORE}")]
    Malformed(#[source] serde_json::Error),
    /// A newer engine wrote it.
    #[error("it has version {found}, and this saga knows versions up to {VERSION}; run the newer saga that wrote it")]
    Newer {
        /// Its version.
        found: u32,
    },
    /// A version that never was.
    #[error("it has version {found}, which never was; the log is damaged: {RESTORE}")]
    NoVersion {
        /// Its version.
        found: u32,
    },
    /// A pointer to a checkpoint leads elsewhere.
    #[error("a checkpoint should start there, and there is a `{kind}` record; the log is damaged: {RESTORE}")]
    NoCheckpoint {
        /// What is there.
        kind: &'static str,
    },
    /// What starts there was never completed.
    #[error("the checkpoint that starts there was never completed; the log is damaged: {RESTORE}")]
    Incomplete,
    /// Nothing is there, and something was: an owner leaves its last complete checkpoint.
    #[error("all records before it were deleted; the log is damaged: {RESTORE}")]
    Emptied,
    /// What was a record is none any more.
    #[error(
        "what stands at offset {at} is no record, and its owner had one acknowledged there; the log is damaged: {RESTORE}"
    )]
    Overwritten {
        /// Where.
        at: u64,
    },
    /// It speaks of an instance that no record has begun.
    #[error("it continues instance `{instance}` at {found}, of which {known} is known; the log is damaged: {RESTORE}")]
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
pub fn encode(record: &Record) -> Box<[u8]> {
    let mut bytes = Scratch::take();
    serde_json::to_writer(&mut *bytes, record).expect("a record is text, numbers and JSON, and memory takes it");
    bytes.exact()
}

/// Reads a record.
///
/// # Errors
/// The bytes are no record of a known version.
pub fn decode(bytes: &[u8]) -> Result<Record, Damage> {
    match serde_json::from_slice::<Record>(bytes) {
        Ok(record) if record.v == VERSION => Ok(record),
        // Version 2 has more: steps that wait for their turn. Version 3 too: messages, signals, scopes that fail by
        // themselves, and answers that do not fit as a wait of their own. Version 6 has the last requests of ended instances,
        // version 7 whose orders were refused, and who accepted a gap, version 8 what each request of an instance said.
        // All that those before have means the same.
        Ok(record) if (1..VERSION).contains(&record.v) => Ok(Record { v: VERSION, ..record }),
        Ok(record) => Err(version(record.v)),
        // A newer form may well fail to parse: then its version says more than the parser does.
        Err(error) => match serde_json::from_slice::<Versioned>(bytes) {
            Ok(Versioned { v }) if !(1..=VERSION).contains(&v) => Err(version(v)),
            Ok(_) | Err(_) => Err(Damage::Malformed(error)),
        },
    }
}

/// Reads what stands at an offset of a journal; none where a stranger wrote it, which is a misfit by the rule of reading.
///
/// # Errors
/// It is no record of a known version, and says that it stands there or that it is a claim: it may be one that counts.
pub fn read(offset: u64, bytes: &[u8]) -> Result<Option<Record>, Damage> {
    let damage = match decode(bytes) {
        Ok(record) => return Ok(Some(record)),
        Err(damage) => damage,
    };
    match serde_json::from_slice::<Head>(bytes) {
        Ok(Head { v: 1.., epoch, n }) if n == 0 || epoch.checked_add(n) == Some(offset) => Err(damage),
        Ok(_) | Err(_) => Ok(None),
    }
}

/// What stands in a journal and is no record, as the kind in a message.
pub const STRANGERS: &str = "stranger's";

/// What a record of every version has, so that the rule of reading can be kept by those who know no more of it.
#[derive(Deserialize)]
struct Head {
    v: u32,
    epoch: u64,
    /// 0 in a claim alone.
    n: u64,
}

#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

const fn version(found: u32) -> Damage {
    if found > VERSION { Damage::Newer { found } } else { Damage::NoVersion { found } }
}
