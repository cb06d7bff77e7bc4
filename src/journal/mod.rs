//! The journal: what its records are, how they are written, read and replayed.
//!
//! ```text
//!   bytes -> codec -> Record -> rule: does it count? -> ledger: what the partition knows
//! ```
//!
//! A partition's owner, a recovery, a view and a person's question about the past all go this way. Nothing here reads
//! a log: records come with their offsets.

pub mod record;
mod body;
mod codec;
mod rule;
mod ledger;
mod instances;
mod plans;

pub use codec::{Damage, JournalError, STRANGERS, decode, encode, read};
pub use instances::{AWAKE_MAX, Seen};
pub use ledger::{Booked, ENDED_A_RECORD, Ledger, Live, Queue};
pub use plans::Plans;
pub use rule::Rule;
