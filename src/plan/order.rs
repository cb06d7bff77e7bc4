//! What the definition orders: whether one thing is before another whenever the flow comes to both.

use super::at::common;
use super::{At, Kind, NodeId, Plan};

/// What somebody means who names a step: the node, in one element or round of the loops around it, or in any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meant {
    /// The node.
    pub node: NodeId,
    /// In which element and round; none for any.
    pub at: Option<At>,
}

/// How two things stand to each other in the loops around both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InLoops {
    /// In the same elements and rounds.
    Same,
    /// The first in an element or round that ends before that of the second begins.
    Before,
    /// Neither is known.
    Unordered,
}

impl Plan {
    /// What a name means, with indices or without.
    #[must_use]
    pub fn meant(&self, reference: &str) -> Option<Meant> {
        match self.find(reference) {
            Some(at) => Some(Meant { node: at.node(), at: Some(at) }),
            None => self.named(reference).map(|node| Meant { node, at: None }),
        }
    }

    /// Whether the flow ends `one` before it enters `other`, whenever it comes to both. Neither is before the other
    /// where they stand in sibling branches or in elements that are under way at once, and a `fail` is before nothing: it
    /// never ends. In a loop around both, any element is not ordered with any. Takes time in proportion to the nesting.
    #[must_use]
    pub fn is_before(&self, one: Meant, other: Meant) -> bool {
        if matches!(self.node(one.node).kind, Kind::Fail { .. }) {
            return false;
        }
        let around = common(&self.node(one.node).loops, &self.node(other.node).loops);
        match self.in_loops(one, other, around) {
            InLoops::Same => self.is_written_before(one.node, other.node),
            InLoops::Before => true,
            InLoops::Unordered => false,
        }
    }

    /// How two things stand to each other in the first `depth` loops, which are around both.
    #[must_use]
    pub fn in_loops(&self, one: Meant, other: Meant, depth: usize) -> InLoops {
        for (depth, around) in self.node(one.node).loops.iter().take(depth).enumerate() {
            let Some((one, other)) = one.at.zip(other.at) else { return InLoops::Unordered };
            let (one, other) = (one.index(depth), other.index(depth));
            if one != other {
                let is_windowed = matches!(&self.node(around.node).kind, Kind::Each(each) if each.window > 1);
                return if one < other && !is_windowed { InLoops::Before } else { InLoops::Unordered };
            }
        }
        InLoops::Same
    }

    /// How many loops are around both nodes.
    #[must_use]
    pub fn loops_around(&self, one: NodeId, other: NodeId) -> usize {
        common(&self.node(one).loops, &self.node(other).loops)
    }

    /// In one element or round of all loops around both.
    fn is_written_before(&self, one: NodeId, other: NodeId) -> bool {
        let Some((fork, one, other)) = self.fork(one, other) else { return false };
        let in_order = match &self.node(fork).kind {
            Kind::Scope(_) | Kind::Sequence(_) | Kind::Run(_) | Kind::Repeat(_) => true,
            // A handler begins when the body has ended; of handlers one alone runs.
            Kind::Try(trial) => one <= trial.last,
            _ => false,
        };
        in_order && one < other
    }

    /// The innermost node around both, and of its children those that they stand in; none where one stands in the other.
    fn fork(&self, one: NodeId, other: NodeId) -> Option<(NodeId, NodeId, NodeId)> {
        let (mut one, mut other) = ((one, None), (other, None));
        while one.0 != other.0 {
            // A parent's number is below its children's: the one with the larger number has further to go.
            let deeper = if one.0 > other.0 { &mut one } else { &mut other };
            *deeper = (self.node(deeper.0).parent?, Some(deeper.0));
        }
        Some((one.0, one.1?, other.1?))
    }
}
