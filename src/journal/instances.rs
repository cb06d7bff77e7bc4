//! The live instances of a partition, in the order of their ids: awake, or at rest.
//!
//! An instance that is touched wakes, and the latest of those stay awake. All others are at rest, each in one small piece
//! of memory: what waits for days, by the million, takes a fifth of what it takes awake.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::{BTreeSet, VecDeque, btree_set};
use std::iter::Peekable;
use std::mem;
use std::ops::{Bound, Deref};
use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use indexmap::map::Entry;

use super::ledger::Live;
use crate::engine::{InstanceId, Rest};
use crate::plan::Plan;
use crate::time::Timestamp;

/// The most instances that are awake: as many as records are under way at once. Under load an instance is mostly touched
/// again before so many others are.
pub const AWAKE_MAX: usize = 1_024;

/// Live instances.
#[derive(Debug)]
pub(super) struct Instances {
    awake_max: usize,
    /// Looked up many times for each decision, and therefore by a hash.
    awake: IndexMap<InstanceId, Box<Live>, RandomState>,
    /// Their ids in order.
    order: BTreeSet<InstanceId>,
    /// In the order in which they woke; whichever has ended since is there, too.
    woken: VecDeque<InstanceId>,
    resting: BTreeSet<Resting>,
    rest: Rest,
    /// Those of instances that were ever at rest: few.
    plans: Vec<Arc<Plan>>,
    /// Room to put one together, so that its piece is no larger than it must be.
    piece: Vec<u8>,
}

/// A live instance to be looked at.
#[derive(Debug)]
pub enum Seen<'a> {
    /// It is awake.
    Awake(&'a Live),
    /// It is at rest, and this is a copy of it.
    Resting(Box<Live>),
}

impl Deref for Seen<'_> {
    type Target = Live;

    fn deref(&self) -> &Live {
        match self {
            Self::Awake(live) => live,
            Self::Resting(live) => live,
        }
    }
}

impl Instances {
    pub(super) fn new(awake_max: usize) -> Self {
        Self {
            awake_max: awake_max.max(1),
            awake: IndexMap::default(),
            order: BTreeSet::new(),
            woken: VecDeque::new(),
            resting: BTreeSet::new(),
            rest: Rest::default(),
            plans: Vec::new(),
            piece: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.awake.len() + self.resting.len()
    }

    pub(super) fn get(&self, id: &InstanceId) -> Option<Seen<'_>> {
        match self.awake.get(id) {
            Some(live) => Some(Seen::Awake(live)),
            None => self.resting.get(id.as_str()).map(|resting| self.look(resting)),
        }
    }

    fn look(&self, resting: &Resting) -> Seen<'_> {
        Seen::Resting(Box::new(self.woken(resting)))
    }

    /// Wakes an instance, and tells its place among those that are awake: [`at`](Self::at).
    pub(super) fn wake(&mut self, id: &InstanceId) -> Option<usize> {
        if let Some(place) = self.awake.get_index_of(id) {
            return Some(place);
        }
        let resting = self.resting.take(id.as_str())?;
        let live = self.woken(&resting);
        Some(self.insert(live))
    }

    /// The instance at a place, which it has until one wakes, comes or goes.
    pub(super) fn at(&mut self, place: usize) -> Option<&mut Live> {
        self.awake.get_index_mut(place).map(|(_, live)| live.as_mut())
    }

    /// Adds an instance, which is awake, and tells its place.
    pub(super) fn insert(&mut self, live: Live) -> usize {
        let id = live.instance.id.clone();
        self.woken.push_back(id.clone());
        if self.woken.len() > self.awake_max {
            self.put_to_rest();
        }
        self.resting.remove(id.as_str());
        match self.awake.entry(id) {
            Entry::Vacant(place) => {
                self.order.insert(place.key().clone());
                let at = place.index();
                place.insert(Box::new(live));
                at
            }
            Entry::Occupied(mut known) => {
                **known.get_mut() = live;
                known.index()
            }
        }
    }

    pub(super) fn remove(&mut self, id: &InstanceId) -> Option<Box<Live>> {
        match self.fall_asleep(id) {
            Some(live) => Some(live),
            None => self.resting.take(id.as_str()).map(|resting| Box::new(self.woken(&resting))),
        }
    }

    fn fall_asleep(&mut self, id: &InstanceId) -> Option<Box<Live>> {
        let live = self.awake.swap_remove(id)?;
        self.order.remove(id);
        Some(live)
    }

    /// Those behind an id.
    pub(super) fn behind(&self, id: Option<&InstanceId>) -> Behind<'_> {
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        let resting = id.map_or(Bound::Unbounded, |id| Bound::Excluded(id.as_str()));
        Behind {
            instances: self,
            awake: self.order.range::<InstanceId, _>((from, Bound::Unbounded)).peekable(),
            resting: self.resting.range::<str, _>((resting, Bound::Unbounded)).peekable(),
        }
    }

    /// When timers of instances are set, in any order; none is woken for it.
    pub(super) fn dues(&self) -> impl Iterator<Item = (Timestamp, &str)> {
        let awake = self.awake.iter().map(|(id, live)| (live.due, id.as_str()));
        awake.chain(self.resting.iter().map(|resting| (resting.due(), resting.id())))
    }

    /// Packs those at rest together: what came in the order of ids left each node of the set half empty.
    pub(super) fn pack(&mut self) {
        self.resting = mem::take(&mut self.resting).into_iter().collect();
    }

    /// The one that has been awake for longest.
    fn put_to_rest(&mut self) {
        let Some(live) = self.woken.pop_front().and_then(|id| self.fall_asleep(&id)) else { return };
        let Live { instance, plan, bytes, due } = &*live;
        let known = self.plans.iter().position(|known| Arc::ptr_eq(known, plan));
        let number = known.unwrap_or_else(|| {
            self.plans.push(Arc::clone(plan));
            self.plans.len() - 1
        });
        self.piece.clear();
        Resting::begin(&instance.id, *due, number, *bytes, &mut self.piece);
        self.rest.put(instance, plan, &mut self.piece);
        self.resting.insert(Resting(Box::from(self.piece.as_slice())));
    }

    fn woken(&self, resting: &Resting) -> Live {
        let read = || {
            let (plan, bytes) = (self.plans.get(resting.plan())?, resting.bytes());
            let id = InstanceId::try_from(resting.id()).ok()?;
            let instance = self.rest.wake(id, plan, resting.instance())?;
            Some(Live { instance, plan: Arc::clone(plan), bytes, due: resting.due() })
        };
        read().expect("what was put to rest here can be woken here")
    }
}

/// In the order of ids.
pub(super) struct Behind<'a> {
    instances: &'a Instances,
    awake: Peekable<btree_set::Range<'a, InstanceId>>,
    resting: Peekable<btree_set::Range<'a, Resting>>,
}

impl<'a> Iterator for Behind<'a> {
    type Item = Seen<'a>;

    fn next(&mut self) -> Option<Seen<'a>> {
        let is_awake = match (self.awake.peek(), self.resting.peek()) {
            (Some(id), Some(resting)) => id.as_str() < resting.id(),
            (awake, _) => awake.is_some(),
        };
        if is_awake {
            let live = self.awake.next().and_then(|id| self.instances.awake.get(id));
            return live.map(|live| Seen::Awake(live));
        }
        self.resting.next().map(|resting| self.instances.look(resting))
    }
}

/// An instance at rest, with what is asked for without waking it: due, plan, bytes, the id with its length in front, and
/// the instance.
#[derive(Debug)]
struct Resting(Box<[u8]>);

const DUE: usize = 8;
const PLAN: usize = DUE + 4;
const BYTES: usize = PLAN + 4;
const LENGTH: usize = BYTES + 1;

impl Resting {
    fn begin(id: &InstanceId, due: Timestamp, plan: usize, bytes: usize, piece: &mut Vec<u8>) {
        piece.extend_from_slice(&due.0.to_le_bytes());
        piece.extend_from_slice(&u32::try_from(plan).expect("plans are few").to_le_bytes());
        piece.extend_from_slice(&u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes());
        piece.push(u8::try_from(id.as_str().len()).expect("an id has a limit"));
        piece.extend_from_slice(id.as_str().as_bytes());
    }

    fn number<const SIZE: usize>(&self, from: usize) -> [u8; SIZE] {
        let piece = self.0.get(from..).and_then(|behind| behind.first_chunk());
        *piece.expect("it was put there")
    }

    fn due(&self) -> Timestamp {
        Timestamp(u64::from_le_bytes(self.number(0)))
    }

    fn plan(&self) -> usize {
        u32::from_le_bytes(self.number(DUE)) as usize
    }

    fn bytes(&self) -> usize {
        u32::from_le_bytes(self.number(PLAN)) as usize
    }

    fn split(&self) -> (&str, &[u8]) {
        let [length] = self.number(BYTES);
        let split = self.0.get(LENGTH..).and_then(|behind| behind.split_at_checked(usize::from(length)));
        let (id, instance) = split.expect("it was put there");
        (str::from_utf8(id).expect("an id is text"), instance)
    }

    fn id(&self) -> &str {
        self.split().0
    }

    fn instance(&self) -> &[u8] {
        self.split().1
    }
}

impl Borrow<str> for Resting {
    fn borrow(&self) -> &str {
        self.id()
    }
}

impl PartialEq for Resting {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Resting {}

impl PartialOrd for Resting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Resting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.id().cmp(other.id())
    }
}
