//! One state of the exploration: the instance, what participants remember, and what is still allowed from outside.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hash, Hasher as _};

use compact_str::CompactString;

use crate::engine::{CommandId, Instance};

/// What a participant's guard remembers of a command (docs/protocol.md).
///
/// Whether a command that is on its way has been carried out is not decided before it matters: an answer that arrives
/// decides it. So one state stands for all moments at which the participant may have done it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Row {
    /// It was sent: carried out, or not yet, or never.
    Sent,
    /// The participant works on it.
    Doing,
    /// Done.
    Done,
    /// Refused, with the code of this number in the contract; past them: an undeclared one.
    Refused(u8),
    /// Taken back, or barred before it came.
    Undone,
}

/// Names a command within an instance: its step, and whether it is a compensation of its own.
pub(super) type Key = (CompactString, bool);

/// What the world outside has done and still may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Outside {
    pub(super) cancelled: bool,
    /// Orders of a person so far.
    pub(super) orders: u8,
    /// Signals so far, by number in the definition.
    pub(super) signals: Vec<u8>,
    /// Participants that say `at most …` let each command wait first.
    pub(super) is_crowded: bool,
}

/// A state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) instance: Instance,
    /// What participants remember of what was sent.
    pub(super) rows: BTreeMap<Key, Row>,
    pub(super) outside: Outside,
}

impl World {
    /// States with the same fingerprint are taken for the same. Of a million states two share one by chance with a
    /// probability of 3 in 100 million.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = foldhash::quality::FixedState::default().build_hasher();
        self.instance.hash_what_changes(&mut hasher);
        self.rows.hash(&mut hasher);
        self.outside.hash(&mut hasher);
        hasher.finish()
    }
}

pub(super) fn key(command: &CommandId) -> Key {
    (command.place.clone(), command.own_undo)
}
