//! Up to where the partitions that a member holds have been handled, and how much of that the coordinator has taken.
//!
//! A commit that fails is made again: nothing else may ever come to a partition, and whoever has it next would do again
//! what is handled. And what is not held any more is forgotten: committed later, it would take back what its new owner has
//! said.

use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Positions(BTreeMap<u32, Position>);

#[derive(Debug)]
struct Position {
    handled: u64,
    committed: Option<u64>,
}

impl Positions {
    /// All before this offset is handled.
    pub(super) fn handled(&mut self, partition: u32, before: u64) {
        self.0.entry(partition).or_insert(Position { handled: before, committed: None }).handled = before;
    }

    /// Up to where a partition is handled.
    pub(super) fn of(&self, partition: u32) -> Option<u64> {
        self.0.get(&partition).map(|position| position.handled)
    }

    /// The same, unless the coordinator has it.
    pub(super) fn open(&self, partition: u32) -> Option<u64> {
        self.0.get(&partition).filter(|at| at.committed != Some(at.handled)).map(|at| at.handled)
    }

    /// The coordinator has taken this offset.
    pub(super) fn committed(&mut self, partition: u32, offset: u64) {
        if let Some(position) = self.0.get_mut(&partition) {
            position.committed = Some(offset);
        }
    }

    /// The partition is not ours any more.
    pub(super) fn forget(&mut self, partition: u32) {
        self.0.remove(&partition);
    }
}

#[cfg(test)]
mod tests {
    use super::Positions;

    #[test]
    fn what_is_not_committed_stays_open() {
        let mut positions = Positions::default();
        assert_eq!(positions.open(0), None);
        positions.handled(0, 7);
        // A commit that fails says nothing.
        assert_eq!((positions.open(0), positions.open(1)), (Some(7), None));
        positions.committed(0, 7);
        assert_eq!((positions.open(0), positions.of(0)), (None, Some(7)));
    }

    #[test]
    fn what_is_handled_while_a_commit_is_under_way_is_open_behind_it() {
        let mut positions = Positions::default();
        positions.handled(0, 7);
        positions.handled(0, 9);
        positions.committed(0, 7);
        assert_eq!(positions.open(0), Some(9));
    }

    #[test]
    fn what_is_lost_is_never_committed() {
        let mut positions = Positions::default();
        positions.handled(0, 7);
        positions.forget(0);
        // The answer to a commit that was under way.
        positions.committed(0, 7);
        assert_eq!((positions.open(0), positions.of(0)), (None, None));
    }
}
