//! Where something stands: a node, and in which element or round of each loop around it.
//!
//! An address is one number, so that it costs what the node's number alone costs. Addresses are in the order of the nodes,
//! and of one node in the order of elements and rounds. Their text, a *place*, is the node's own with the indices at the
//! names whose blocks are repeated, outermost first: `charge[2]`, `paid[1].charge[3]`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use compact_str::{CompactString, ToCompactString as _, format_compact};
use memchr::memchr;

use super::{Kind, Node, NodeId, Plan, ROOT};
use crate::definition::Signal;
use crate::definition::limits::{MAX_ELEMENTS, MAX_LOOPS, MAX_ROUNDS};

/// Bits of an index. What they cannot hold is no element of a loop.
const INDEX_BITS: u32 = 10;
const _: () = assert!((MAX_ELEMENTS as u32) < 1 << INDEX_BITS && (MAX_ROUNDS as u32) < 1 << INDEX_BITS);

/// All indices, below the node's number.
#[expect(clippy::cast_possible_truncation, reason = "a handful of loops")]
const ALL_BITS: u32 = INDEX_BITS * MAX_LOOPS as u32;
const _: () = assert!(ALL_BITS <= 40, "24 bits are for the node, of which a plan has far fewer");

/// A node, and in which element or round of each loop around it. Numbers of nodes come from one plan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At(u64);

/// A loop around a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Around {
    /// The loop.
    pub node: NodeId,
    /// Which name of the node's place its index stands at, from 0.
    pub part: usize,
}

impl At {
    /// The saga's body.
    pub const ROOT: Self = Self(0);
    /// No address is behind it.
    pub(crate) const LAST: Self = Self(u64::MAX);

    /// A node that stands in no loop.
    #[must_use]
    pub const fn new(node: NodeId) -> Self {
        Self((node.0 as u64) << ALL_BITS)
    }

    /// The node.
    #[must_use]
    pub const fn node(self) -> NodeId {
        NodeId((self.0 >> ALL_BITS) as u32)
    }

    /// The element or round of a loop around, counted from 1; loops from the outermost, 0. It is 0 where the node stands in
    /// no such loop.
    #[must_use]
    pub const fn index(self, depth: usize) -> u16 {
        match shift(depth) {
            Some(shift) => ((self.0 >> shift) & ((1 << INDEX_BITS) - 1)) as u16,
            None => 0,
        }
    }

    /// Another node in the same element or round of the first `depth` loops, and in no further one.
    #[must_use]
    pub const fn beside(self, node: NodeId, depth: usize) -> Self {
        let below = match shift(depth) {
            Some(shift) => (1 << (shift + INDEX_BITS)) - 1,
            None => 0,
        };
        let indices = self.0 & ((1 << ALL_BITS) - 1) & !below;
        Self(Self::new(node).0 | indices)
    }

    /// The number, for a hash of one's own.
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// Another node in all the same elements and rounds.
    pub(crate) const fn moved(self, node: NodeId) -> Self {
        self.beside(node, MAX_LOOPS)
    }

    /// The same in no element or round of one loop; loops from the outermost, 0.
    pub(crate) const fn without(self, depth: usize) -> Self {
        match shift(depth) {
            Some(shift) => Self(self.0 & !(((1 << INDEX_BITS) - 1) << shift)),
            None => self,
        }
    }

    /// The last address of its node in the same element or round of the first `depth` loops.
    #[must_use]
    pub(crate) const fn last_inside(self, depth: usize) -> Self {
        match shift(depth) {
            Some(shift) => Self(self.0 | ((1 << (shift + INDEX_BITS)) - 1)),
            None => self,
        }
    }

    /// A node in this element or round of a loop that stands in `depth` others, as this one does.
    #[must_use]
    pub const fn within(self, node: NodeId, depth: usize, index: u16) -> Self {
        let outside = self.beside(node, depth);
        match shift(depth) {
            Some(shift) => Self(outside.0 | (index as u64) << shift),
            None => outside,
        }
    }
}

/// Where the index of a loop stands; none beyond the deepest.
const fn shift(depth: usize) -> Option<u32> {
    #[expect(clippy::cast_possible_truncation, reason = "a handful of loops")]
    if depth < MAX_LOOPS { Some(ALL_BITS - INDEX_BITS * (depth as u32 + 1)) } else { None }
}

/// `12[3][1]`
impl fmt::Debug for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.node().0)?;
        let indices = (0..MAX_LOOPS).map(|depth| self.index(depth));
        indices.take_while(|index| *index > 0).try_for_each(|index| write!(f, "[{index}]"))
    }
}

impl Node {
    /// How many loops are around it.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.loops.len()
    }
}

/// What an order means by a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spots {
    /// What stands at this address.
    One(At),
    /// What stands there in any element or round of the loops around it.
    Every(NodeId),
}

impl Spots {
    /// Whether it means this address.
    #[must_use]
    pub fn has(self, at: At) -> bool {
        match self {
            Self::One(one) => one == at,
            Self::Every(node) => node == at.node(),
        }
    }
}

impl Plan {
    /// The text of an address: the name of what stands there for people and for the journal.
    #[must_use]
    pub fn place(&self, at: At) -> CompactString {
        let node = self.node(at.node());
        if node.loops.is_empty() { node.place.clone() } else { indexed(&node.place, at, &node.loops) }
    }

    /// The name of a signal for what awaits it: one of a sub-saga in a loop has the index of its run.
    #[must_use]
    pub fn signal_name(&self, at: At, signal: &CompactString) -> CompactString {
        let parts = signal.matches('.').count();
        let loops: Vec<Around> =
            self.node(at.node()).loops.iter().filter(|loops| loops.part < parts).copied().collect();
        if loops.is_empty() { signal.clone() } else { indexed(signal, at, &loops) }
    }

    /// The signal of that name. One of a sub-saga that stands in a loop has the indices of its run.
    #[must_use]
    pub fn signal(&self, name: &str) -> Option<&Signal> {
        let bare = if name.contains('[') { parsed(name)?.0 } else { name.into() };
        let signal = self.saga.signals.get(bare.as_ref())?;
        let fits = match name.rsplit_once('.') {
            Some((run, own)) => !own.contains('[') && self.find(run).is_some(),
            None => !name.contains('['),
        };
        fits.then_some(signal)
    }

    /// How a signal is called where nobody says for which element: of a sub-saga in a loop, for the first.
    #[must_use]
    pub fn signal_in_general(&self, signal: &str) -> CompactString {
        match signal.rsplit_once('.').and_then(|(run, own)| Some((self.named(run)?, own))) {
            Some((run, own)) => format_compact!("{}.{own}", self.place(self.first(run))),
            None => signal.into(),
        }
    }

    /// What stands at a place: its node, in an element or round that there may be.
    #[must_use]
    pub fn find(&self, place: &str) -> Option<At> {
        if memchr(b'[', place.as_bytes()).is_none() {
            let node = self.named(place)?;
            return Some(At::new(node)).filter(|_| self.node(node).loops.is_empty());
        }
        let (name, indices) = parsed(place)?;
        let node = self.named(&name)?;
        let loops = &self.node(node).loops;
        let indices = indices.get();
        let fits = indices.len() == loops.len()
            && indices
                .iter()
                .zip(loops.iter())
                .all(|((part, index), around)| *part == around.part && *index > 0 && *index <= self.most(around.node));
        let at = |at: At, (depth, (_, index)): (usize, &(usize, u16))| at.within(node, depth, *index);
        fits.then(|| indices.iter().enumerate().fold(At::new(node), at))
    }

    /// What an order means by a place: what stands there, or without indices, in loops, all that stand there.
    #[must_use]
    pub fn spots(&self, place: &str) -> Option<Spots> {
        self.find(place).map(Spots::One).or_else(|| self.named(place).map(Spots::Every))
    }

    /// How many loops are around a node; none where the plan has no such node.
    pub(crate) fn loops_around_one(&self, node: NodeId) -> Option<usize> {
        self.nodes.get(node.0 as usize).map(Node::depth)
    }

    /// A node in the first element or round of all loops around it.
    #[must_use]
    pub fn first(&self, node: NodeId) -> At {
        (0..self.node(node).depth()).fold(At::new(node), |at, depth| at.within(node, depth, 1))
    }

    /// The node of that name, whatever loops it stands in.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<NodeId> {
        self.places.get(name).copied()
    }

    /// How many elements or rounds a loop has at most.
    fn most(&self, node: NodeId) -> u16 {
        match &self.node(node).kind {
            Kind::Each(_) => MAX_ELEMENTS,
            Kind::Repeat(repeat) => repeat.times,
            _ => 0,
        }
    }

    /// What stands around it, one level up.
    #[must_use]
    pub fn parent(&self, at: At) -> Option<At> {
        self.node(at.node()).parent.map(|parent| self.beside(at, parent))
    }

    /// The scope around it.
    #[must_use]
    pub fn scope(&self, at: At) -> At {
        self.beside(at, self.node(at.node()).scope)
    }

    /// The scopes around it, the innermost first, up to the saga's body that it belongs to: what takes a step back is not
    /// touched by what fails around that step.
    pub fn scopes(&self, at: At) -> impl Iterator<Item = At> {
        let flow = self.node(at.node()).flow;
        std::iter::successors(Some(self.scope(at)), move |scope| (scope.node() != flow).then(|| self.scope(*scope)))
    }

    /// Another node in the same element or round of all loops that are around both.
    #[must_use]
    pub fn beside(&self, at: At, node: NodeId) -> At {
        let (from, to) = (&self.node(at.node()).loops, &self.node(node).loops);
        at.beside(node, common(from, to))
    }

    /// The sub-sagas around, the innermost first.
    pub fn runs_around(&self, at: At) -> impl Iterator<Item = At> {
        self.around(at.node()).map(move |run| self.beside(at, run))
    }

    /// A node in an element or round of a loop.
    #[must_use]
    pub fn inside(&self, around: At, node: NodeId, index: u16) -> At {
        around.within(node, self.node(around.node()).depth(), index)
    }

    /// Whether a node belongs to a scope, wherever in its loops. What takes a step of it back does not: that is a flow of
    /// its own, which goes forward while the scope is taken back.
    #[must_use]
    pub fn holds(&self, scope: NodeId, node: NodeId) -> bool {
        let is_inside = match &self.node(scope).kind {
            Kind::Try(trial) => scope < node && node <= trial.last,
            _ => scope == ROOT,
        };
        is_inside && self.node(scope).flow == self.node(node).flow
    }

    /// Whether something belongs to a scope, itself or by one inside.
    #[must_use]
    pub fn is_within(&self, at: At, scope: At) -> bool {
        let is_inside = match &self.node(scope.node()).kind {
            Kind::Try(trial) => self.is_between(at, scope, trial.last),
            _ => scope.node() == ROOT,
        };
        is_inside && self.node(scope.node()).flow == self.node(at.node()).flow
    }

    /// Whether something stands in an element or round of a loop.
    #[must_use]
    pub fn is_in_loop(&self, at: At, around: At) -> bool {
        let last = match &self.node(around.node()).kind {
            Kind::Each(each) => each.last,
            Kind::Repeat(repeat) => repeat.last,
            _ => return false,
        };
        self.is_between(at, around, last)
    }

    /// Whether something stands behind a node, up to `last`, in the same elements and rounds of the loops around that.
    pub(crate) fn is_between(&self, at: At, first: At, last: NodeId) -> bool {
        let (node, depth) = (at.node(), self.node(first.node()).depth());
        first.node() < node && node <= last && at.beside(ROOT, depth) == first.beside(ROOT, depth)
    }
}

/// How many loops are around both.
#[must_use]
pub(crate) fn common(one: &Arc<[Around]>, other: &Arc<[Around]>) -> usize {
    if Arc::ptr_eq(one, other) {
        return one.len();
    }
    one.iter().zip(other.iter()).take_while(|(one, other)| one == other).count()
}

/// A name with its indices.
fn indexed(name: &str, at: At, loops: &[Around]) -> CompactString {
    let mut text = CompactString::default();
    let mut loops = loops.iter().enumerate().peekable();
    for (part, word) in name.split_inclusive('.').enumerate() {
        let bare = word.strip_suffix('.').unwrap_or(word);
        text.push_str(bare);
        while let Some((depth, _)) = loops.next_if(|(_, around)| around.part == part) {
            push_index(&mut text, at.index(depth));
        }
        text.push_str(word.get(bare.len()..).unwrap_or_default());
    }
    text
}

/// `[3]`; nothing where nothing is said of it, since any is meant.
fn push_index(text: &mut CompactString, index: u16) {
    /// Most lists are short.
    const FIRST: [&str; 10] = ["", "[1]", "[2]", "[3]", "[4]", "[5]", "[6]", "[7]", "[8]", "[9]"];
    match FIRST.get(usize::from(index)) {
        Some(first) => text.push_str(first),
        None => text.extend(["[", &index.to_compact_string(), "]"]),
    }
}

/// A place without its indices, and the indices, each with the name that it stands at.
pub(crate) fn parsed(place: &str) -> Option<(Cow<'_, str>, Indices)> {
    let mut indices = Indices::default();
    // Mostly they stand at the end, and nothing is to be put together.
    let (bare, behind) = place.split_at_checked(memchr(b'[', place.as_bytes())?)?;
    if memchr(b'.', behind.as_bytes()).is_none() {
        let part = bare.bytes().filter(|byte| *byte == b'.').count();
        indices.read(part, behind)?;
        return Some((Cow::Borrowed(bare), indices));
    }
    let mut name = String::with_capacity(place.len());
    for (part, word) in place.split('.').enumerate() {
        if part > 0 {
            name.push('.');
        }
        let (own, behind) = word.find('[').map_or((word, ""), |begin| word.split_at(begin));
        name.push_str(own);
        indices.read(part, behind)?;
    }
    Some((Cow::Owned(name), indices))
}

/// The indices of a place, each with the name that it stands at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Indices {
    all: [(usize, u16); MAX_LOOPS],
    count: usize,
}

impl Indices {
    pub(crate) fn get(&self) -> &[(usize, u16)] {
        self.all.get(..self.count).unwrap_or_default()
    }

    /// `[3][1]`, as the engine writes them: one thing has one name.
    fn read(&mut self, part: usize, text: &str) -> Option<()> {
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            let mut index = 0u16;
            loop {
                match bytes.next()? {
                    b']' if index > 0 => break,
                    digit @ b'0'..=b'9' if index > 0 || digit > b'0' => {
                        index = index.checked_mul(10)?.checked_add(u16::from(digit - b'0'))?;
                    }
                    _ => return None,
                }
            }
            *self.all.get_mut(self.count).filter(|_| byte == b'[')? = (part, index);
            self.count += 1;
        }
        Some(())
    }
}
