//! What a partition knows, as its counting records have it: live instances, parked inputs, ended ids, positions.
//!
//! [`Ledger::book`] is the only mutator, live and in replay: an owner books what it appends, a recovery what it reads,
//! and both come to the same ledger, byte for byte. It takes records that count; which those are, [`Rule`] says.
//!
//! [`Rule`]: super::Rule

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use super::Plans;
use super::codec::Damage;
use super::instances::{AWAKE_MAX, Instances, Seen};
use super::record::{
    Body, Cause, Ended, IdHash, Parked, Past, PastOutcome, Positions, Record, RequestHash, Resumed, StartHash,
};
use crate::engine::{
    Change, Instance, InstanceId, Order, OrderHash, Phase, RequestId, Run, SnapshotError, definition_of,
};
use crate::json::Json;
use crate::plan::Plan;
use crate::time::Timestamp;

/// How many ended instances one record of a checkpoint holds: about 100 KiB, and 300 at most.
pub const ENDED_A_RECORD: usize = 500;

/// So many of the signals and orders that an ended instance followed are remembered with it, the last ones: who lost an
/// answer repeats what came last, and what is remembered of a million instances has to be small.
const REQUESTS_REMEMBERED: usize = 16;

/// What a partition knows.
#[derive(Debug)]
pub struct Ledger {
    /// Next unread offsets of the inputs.
    pub read: Positions,
    /// All effects of records before this offset are acknowledged.
    pub sent: u64,
    /// The start of the last complete checkpoint that was read or written; 0 where there is none.
    pub checkpoint: u64,
    live: Instances,
    queues: BTreeMap<InstanceId, Queue>,
    ended: BTreeMap<IdHash, Past>,
    /// Of those that ended, the last requests; most had none.
    followed: BTreeMap<IdHash, Box<[RequestHash]>>,
    sight: Sight,
}

/// A live instance.
#[derive(Clone, Debug)]
pub struct Live {
    /// Its state.
    pub instance: Instance,
    /// Its definition.
    pub plan: Arc<Plan>,
    /// About how many bytes its state takes in the journal: limits it, decides nothing else.
    pub bytes: usize,
    /// When the timer for it is set: when time alone changes something, unless its owner has put that off.
    pub due: Timestamp,
}

/// The parked inputs of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Whether an operator has let them be tried again.
    pub resumed: Resumed,
    /// In their order; at least one.
    pub parked: VecDeque<Parked>,
}

/// How much of the past has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sight {
    /// All that matters.
    #[default]
    Whole,
    /// From a `started` record on, whose `completed` has not come yet: instances may be unknown.
    Partial { started: u64 },
}

/// What a record was about, as it left it.
#[derive(Debug)]
pub enum Booked<'a> {
    /// No instance.
    Other,
    /// An instance that is not known yet, since its snapshot is still to come.
    Unseen,
    /// An instance that goes on.
    Running(&'a Live),
    /// An instance that has ended by it.
    Over(Live),
}

impl Booked<'_> {
    /// The instance as the record left it.
    #[must_use]
    pub const fn live(&self) -> Option<&Live> {
        match self {
            Self::Running(live) => Some(live),
            Self::Over(live) => Some(live),
            Self::Other | Self::Unseen => None,
        }
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new(AWAKE_MAX)
    }
}

impl Ledger {
    /// For reading from the beginning on. Of its instances at most `awake_max` are awake: [`AWAKE_MAX`], and fewer in tests.
    #[must_use]
    pub fn new(awake_max: usize) -> Self {
        Self {
            read: Positions::default(),
            sent: 0,
            checkpoint: 0,
            live: Instances::new(awake_max),
            queues: BTreeMap::new(),
            ended: BTreeMap::new(),
            followed: BTreeMap::new(),
            sight: Sight::default(),
        }
    }

    /// This one, still empty, for reading from the `started` record of a complete checkpoint on, which is to be booked next.
    #[must_use]
    pub fn from_checkpoint(self, started: u64) -> Self {
        Self { checkpoint: started, sight: Sight::Partial { started }, ..self }
    }

    /// Whether a checkpoint that reading began with has been read to its end, so that nothing is missing.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        matches!(self.sight, Sight::Whole)
    }

    /// Enters a record that counts. `bytes`: its size; `next`: the changed instance where the caller has it already.
    ///
    /// # Errors
    /// It contradicts the records before it, or its definition is not known: then the ledger is of no use.
    pub fn book(
        &mut self,
        plans: &Plans,
        record: &Record,
        bytes: usize,
        next: Option<Instance>,
    ) -> Result<Booked<'_>, Damage> {
        if matches!(record.body, Body::Claim { .. }) {
            return Ok(Booked::Other); // it has no positions
        }
        self.read = record.read;
        self.sent = self.sent.max(record.sent);
        match &record.body {
            Body::Change { instance, run, definition, cause, change } => {
                self.settle(instance, *cause);
                let about = About { instance, run: *run, definition, change, bytes };
                return self.change(plans, &about, next);
            }
            Body::Reject { instance, cause, .. } => {
                if let Some(instance) = instance {
                    self.settle(instance, *cause);
                }
            }
            Body::Bar { instance, cause, .. } => {
                self.settle(instance, *cause);
                // Above the run that is remembered, whatever the clocks of two owners say: the next life is above this one.
                let above = self.past(instance).map_or(0, |past| past.run.0 + 1);
                let past = Past { run: Run(record.at.0.max(above)), outcome: PastOutcome::Barred, at: record.at };
                self.remember(IdHash::of(instance), past, Box::default());
            }
            Body::Park { instance, parked } => self.park(instance, parked),
            Body::Resume { instance, .. } => {
                if let Some(queue) = self.queues.get_mut(instance) {
                    queue.resumed = Resumed::Yes;
                }
            }
            Body::Pass { instance } => self.settle(instance, Cause::Parked),
            Body::Gap { to, .. } => self.read = *to,
            Body::Started { forgets } => {
                if *forgets > Timestamp(0) {
                    self.ended.retain(|_, past| past.at >= *forgets);
                    self.followed.retain(|id, _| self.ended.contains_key(id));
                }
            }
            Body::Snapshot { instance } => self.snapshot(plans, instance)?,
            Body::Waiting { instance, resumed, parked } => {
                // The whole queue at the time of writing: whatever this reader missed of it is in there.
                self.queues
                    .insert(instance.clone(), Queue { resumed: *resumed, parked: parked.iter().cloned().collect() });
            }
            Body::Ended { ended } => {
                for Ended { id, was, requests } in ended {
                    self.remember(*id, *was, requests.clone());
                }
            }
            Body::Completed { started } => {
                self.checkpoint = *started;
                if self.sight == (Sight::Partial { started: *started }) {
                    self.sight = Sight::Whole;
                    self.live.pack();
                }
            }
            Body::Forward { .. } | Body::Mark | Body::Claim { .. } => {}
        }
        Ok(Booked::Other)
    }

    fn change(&mut self, plans: &Plans, about: &About<'_>, next: Option<Instance>) -> Result<Booked<'_>, Damage> {
        let About { instance: id, change, .. } = about;
        let place = match self.live.wake(id) {
            Some(place) => place,
            None if change.seq != 1 => {
                return match self.sight {
                    Sight::Partial { .. } => Ok(Booked::Unseen),
                    Sight::Whole => Err(about.out_of_sequence(0)),
                };
            }
            None => {
                let plan = plans.by_hash(about.definition).ok_or_else(|| about.no_definition())?;
                let fresh = Instance::new((*id).clone(), about.run, plan);
                if !self.ended.is_empty() {
                    let id = IdHash::of(id);
                    self.ended.remove(&id);
                    self.followed.remove(&id);
                }
                self.live.insert(Live { instance: fresh, plan: Arc::clone(plan), bytes: 0, due: Timestamp::NEVER })
            }
        };
        let live = self.live.at(place).ok_or_else(|| about.out_of_sequence(0))?;
        if live.instance.run != about.run {
            return Err(about.out_of_sequence(live.instance.seq));
        }
        if let Some(next) = next {
            live.instance = next;
            // The one before, with which it had most of its states in common, is gone.
            live.instance.fold_in();
        } else {
            let applied = live.instance.apply(&live.plan, change);
            applied.map_err(|misfit| Damage::Misfit { instance: id.to_string(), why: misfit.to_string() })?;
        }
        live.bytes += about.bytes;
        live.due = live.instance.next_due(&live.plan).unwrap_or(Timestamp::NEVER);
        if !live.instance.has_ended() {
            // Looked at again: the borrow above ends here, and the instance may be given away below.
            return Ok(self.live.at(place).map_or(Booked::Other, |live| Booked::Running(live)));
        }
        let Some(over) = self.live.remove(id) else { return Ok(Booked::Other) };
        self.remember(IdHash::of(id), past(&over), followed(&over));
        Ok(Booked::Over(*over))
    }

    fn remember(&mut self, id: IdHash, past: Past, requests: Box<[RequestHash]>) {
        self.ended.insert(id, past);
        if requests.is_empty() {
            self.followed.remove(&id);
        } else {
            self.followed.insert(id, requests);
        }
    }

    fn snapshot(&mut self, plans: &Plans, snapshot: &Json) -> Result<(), Damage> {
        if self.is_whole() {
            return Ok(());
        }
        let unknown = |error: SnapshotError| Damage::Misfit { instance: String::new(), why: error.to_string() };
        let hash = definition_of(snapshot).map_err(unknown)?;
        let no_definition = || Damage::NoDefinition { instance: "of a snapshot".to_owned(), hash: hash.to_string() };
        let plan = plans.by_hash(&hash).ok_or_else(no_definition)?;
        let instance = Instance::from_snapshot(plan, snapshot).map_err(unknown)?;
        let bytes = snapshot.get().len();
        let due = instance.next_due(plan).unwrap_or(Timestamp::NEVER);
        self.live.insert(Live { instance, plan: Arc::clone(plan), bytes, due });
        Ok(())
    }

    fn park(&mut self, instance: &InstanceId, parked: &Parked) {
        if parked.cause == Cause::Parked {
            // The first one failed again.
            if let Some(queue) = self.queues.get_mut(instance) {
                queue.resumed = Resumed::No;
                if let Some(first) = queue.parked.front_mut() {
                    first.why.clone_from(&parked.why);
                }
            }
            return;
        }
        let queue = self.queues.entry(instance.clone());
        queue
            .or_insert_with(|| Queue { resumed: Resumed::No, parked: VecDeque::new() })
            .parked
            .push_back(parked.clone());
    }

    /// A parked input is dealt with.
    fn settle(&mut self, instance: &InstanceId, cause: Cause) {
        if cause != Cause::Parked {
            return;
        }
        let Some(queue) = self.queues.get_mut(instance) else { return };
        queue.parked.pop_front();
        if queue.parked.is_empty() {
            self.queues.remove(instance);
        }
    }

    /// A live instance.
    #[must_use]
    pub fn live(&self, id: &InstanceId) -> Option<Seen<'_>> {
        self.live.get(id)
    }

    /// The same of one with which something is to be done: it wakes.
    pub fn wake(&mut self, id: &InstanceId) -> Option<&Live> {
        let place = self.live.wake(id)?;
        self.live.at(place).map(|live| &*live)
    }

    /// Notes when an instance's timer is set, and gives the instant at which it was.
    pub fn schedule(&mut self, id: &InstanceId, due: Timestamp) -> Option<Timestamp> {
        let place = self.live.wake(id)?;
        self.live.at(place).map(|live| std::mem::replace(&mut live.due, due))
    }

    /// How many instances are live.
    #[must_use]
    pub fn live_count(&self) -> usize {
        self.live.len()
    }

    /// All live instances, in the order of their ids.
    pub fn all_live(&self) -> impl Iterator<Item = Seen<'_>> {
        self.live.behind(None)
    }

    /// The live instances whose ids are behind this one.
    pub fn live_behind(&self, id: Option<&InstanceId>) -> impl Iterator<Item = Seen<'_>> {
        self.live.behind(id)
    }

    /// When the timers of live instances are set, in any order.
    pub fn dues(&self) -> impl Iterator<Item = (Timestamp, &str)> {
        self.live.dues()
    }

    /// The parked inputs of an instance, if there are any.
    #[must_use]
    pub fn queue(&self, id: &InstanceId) -> Option<&Queue> {
        self.queues.get(id)
    }

    /// The instances that have parked inputs and whose ids are behind this one.
    pub fn queues_behind(&self, id: Option<&InstanceId>) -> impl Iterator<Item = (&InstanceId, &Queue)> {
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        self.queues.range::<InstanceId, _>((from, Bound::Unbounded))
    }

    /// What is remembered of an ended instance.
    #[must_use]
    pub fn past(&self, id: &InstanceId) -> Option<&Past> {
        if self.ended.is_empty() { None } else { self.ended.get(&IdHash::of(id)) }
    }

    /// Whether an ended instance is remembered to have followed this very signal or order under that id.
    #[must_use]
    pub fn has_followed(&self, id: &InstanceId, request: &RequestId, order: &Order) -> bool {
        let hashes = || [Some(OrderHash::of(order)), None].map(|order| RequestHash::of(request, order));
        !self.followed.is_empty()
            && self.followed.get(&IdHash::of(id)).is_some_and(|all| hashes().iter().any(|hash| all.contains(hash)))
    }

    /// The ended instances that are remembered and whose hashes are behind this one.
    pub fn ended_behind(&self, id: Option<IdHash>) -> impl Iterator<Item = Ended> {
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        self.ended.range((from, Bound::Unbounded)).map(|(id, was)| {
            let requests = self.followed.get(id).cloned().unwrap_or_default();
            Ended { id: *id, was: *was, requests }
        })
    }

    /// How many ended instances are remembered.
    #[must_use]
    pub fn ended_count(&self) -> usize {
        self.ended.len()
    }

    /// The instant so that all but `keep` of the remembered instances ended before it.
    #[must_use]
    pub fn end_of_all_but(&self, keep: usize) -> Timestamp {
        let Some(surplus) = self.ended.len().checked_sub(keep).filter(|surplus| *surplus > 0) else {
            return Timestamp(0);
        };
        let mut ends: Vec<Timestamp> = self.ended.values().map(|past| past.at).collect();
        let (_, last, _) = ends.select_nth_unstable(surplus - 1);
        Timestamp(last.0.saturating_add(1))
    }

    /// Everything, as text: two ledgers are the same if their texts are.
    ///
    /// # Errors
    /// An instance that does not serialize: none is known.
    pub fn to_text(&self) -> Result<String, SnapshotError> {
        let mut lines = vec![format!("read {:?} sent {} checkpoint {}", self.read, self.sent, self.checkpoint)];
        for live in self.all_live() {
            lines.push(live.instance.to_snapshot(&live.plan)?.get().to_owned());
        }
        lines.extend(self.queues.iter().map(|(id, queue)| format!("{id} parked {queue:?}")));
        lines.extend(self.ended.iter().map(|(id, past)| format!("{id:?} ended {past:?}")));
        lines.extend(self.followed.iter().map(|(id, requests)| format!("{id:?} followed {requests:?}")));
        Ok(lines.join("\n"))
    }
}

/// What a change says of its instance.
struct About<'a> {
    instance: &'a InstanceId,
    run: Run,
    definition: &'a str,
    change: &'a Change,
    bytes: usize,
}

impl About<'_> {
    fn out_of_sequence(&self, known: u64) -> Damage {
        Damage::OutOfSequence { instance: self.instance.to_string(), found: self.change.seq, known }
    }

    fn no_definition(&self) -> Damage {
        Damage::NoDefinition { instance: self.instance.to_string(), hash: self.definition.to_owned() }
    }
}

fn followed(over: &Live) -> Box<[RequestHash]> {
    let requests = over.instance.requests();
    let forgotten = requests.len().saturating_sub(REQUESTS_REMEMBERED);
    requests.skip(forgotten).map(|(request, order)| RequestHash::of(request, order)).collect()
}

fn past(over: &Live) -> Past {
    let Live { instance, plan, .. } = over;
    let nothing = Json::empty_object();
    let start = StartHash::of(&plan.saga.name, instance.input.as_ref().unwrap_or(&nothing));
    let outcome = match instance.phase {
        Phase::Completed(_) => PastOutcome::Completed(start),
        Phase::New | Phase::Forward | Phase::Committed | Phase::Failing(_) | Phase::Compensated(_) => {
            PastOutcome::Compensated(start)
        }
    };
    Past { run: instance.run, outcome, at: instance.changed }
}
