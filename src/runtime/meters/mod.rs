//! What is counted and timed, for `/metrics` in Prometheus' format.
//!
//! All of it is of this process: of the partitions that it owns, since it was opened. What a step or a saga takes is by the
//! clock of its partition's owner, from the records.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use foldhash::fast::RandomState;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

mod families;

use self::families::{Families, InState, OfCommands, OfInputs, OfPlan, OfStep, OfTopic, StepMeters, seconds};
use super::on_call::{came_by, newly_stuck};
use super::partition::Stands;
use super::triggers::EventMeters;
use crate::engine::{Direction, Event, InstanceId, Place, Summary};
use crate::journal::Plans;
use crate::journal::record::{Body, Positions, Record};
use crate::plan::parsed;
use crate::time::Timestamp;

/// Steps under way whose time is taken, per partition: what is called beyond that is counted and not timed, so that a
/// million instances that wait cost nothing here.
const TIMED_MAX: usize = 20_000;

/// Of a partition that this process owns.
#[derive(Debug)]
struct OfPartition {
    /// Live instances: running, compensating, stuck.
    live: [AtomicI64; 3],
    state: Mutex<Timed>,
}

#[derive(Debug)]
struct Timed {
    /// When the first attempts of steps under way went out, by a hash of instance, step and direction.
    called: HashMap<u64, Timestamp, RandomState>,
    /// Since when it recovers.
    recovers: Option<Instant>,
    /// Up to where its inputs are decided.
    read: Option<Positions>,
    /// The meters of the definition of its latest record: mostly those of the next one, too.
    latest: Option<(Arc<str>, Arc<OfPlan>)>,
}

/// Everything that is counted.
#[derive(Debug)]
pub(super) struct Meters {
    registry: Registry,
    families: Families,
    pub(super) events: EventMeters,
    appends: Counter,
    rejected: Counter,
    parked: Counter,
    fences: Counter,
    recovery: Histogram,
    log_up: Gauge,
    /// Of which topics of commands it is told whether somebody reads them.
    told: Mutex<BTreeSet<OfCommands>>,
    plans: RwLock<HashMap<Arc<str>, Arc<OfPlan>>>,
    partitions: Vec<OfPartition>,
    hasher: RandomState,
}

/// How partitions are, as they are shown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    pub(super) running: i64,
    pub(super) recovering: i64,
    pub(super) stopped: i64,
    pub(super) log_is_up: bool,
}

const LIVE: [Summary; 3] = [Summary::Running, Summary::Compensating, Summary::Stuck];

const fn index(work: Direction) -> usize {
    match work {
        Direction::Do => 0,
        Direction::Undo => 1,
    }
}

impl OfPartition {
    fn timed(&self) -> MutexGuard<'_, Timed> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, state: Summary, count: i64) {
        let place = LIVE.iter().position(|live| *live == state);
        if let Some(live) = place.and_then(|place| self.live.get(place)) {
            live.fetch_add(count, Ordering::Relaxed);
        }
    }

    fn clear(&self) {
        for live in &self.live {
            live.store(0, Ordering::Relaxed);
        }
        self.timed().called.clear();
    }
}

impl Meters {
    /// For so many partitions; those of a log of our own recover from the beginning on.
    pub(super) fn new(partitions: u32, begins_at_once: bool) -> Self {
        let mut registry = Registry::with_prefix("saga");
        let families = Families::new(&mut registry);
        let counter = |registry: &mut Registry, name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let appends = counter(&mut registry, "appends", "Records of journals that are acknowledged and count");
        let rejected = counter(&mut registry, "rejected", "Inputs that were refused");
        let parked = counter(&mut registry, "parked", "Inputs at which the engine failed");
        let fences = counter(
            &mut registry,
            "fences",
            "Times that a partition began anew, since a record was not where it should be",
        );
        let (recovery, log_up) = (seconds(), Gauge::default());
        let took = "What partitions took from being this process's to running";
        registry.register_with_unit("recovery", took, Unit::Seconds, recovery.clone());
        registry.register("log_up", "Whether the log can be written", log_up.clone());
        let of_partition = |_| OfPartition {
            live: Default::default(),
            state: Mutex::new(Timed {
                called: HashMap::default(),
                recovers: begins_at_once.then(Instant::now),
                read: None,
                latest: None,
            }),
        };
        Self {
            events: EventMeters::new(&mut registry),
            registry,
            families,
            appends,
            rejected,
            parked,
            fences,
            recovery,
            log_up,
            told: Mutex::default(),
            plans: RwLock::default(),
            partitions: (0..partitions).map(of_partition).collect(),
            hasher: RandomState::default(),
        }
    }

    fn of(&self, partition: u32) -> Option<&OfPartition> {
        self.partitions.get(partition as usize)
    }

    fn of_plan(&self, plans: &Plans, hash: &Arc<str>) -> Option<Arc<OfPlan>> {
        let known = self.plans.read().unwrap_or_else(PoisonError::into_inner).get(hash).cloned();
        if known.is_some() {
            return known;
        }
        let meters = Arc::new(self.families.of_plan(plans.by_hash(hash)?));
        let mut known = self.plans.write().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(known.entry(Arc::clone(hash)).or_insert(meters)))
    }

    fn meters_of(&self, of: &OfPartition, plans: &Plans, hash: &Arc<str>) -> Option<Arc<OfPlan>> {
        let mut timed = of.timed();
        if let Some((_, meters)) = timed.latest.as_ref().filter(|(latest, _)| latest == hash) {
            return Some(Arc::clone(meters));
        }
        let meters = self.of_plan(plans, hash)?;
        timed.latest = Some((Arc::clone(hash), Arc::clone(&meters)));
        Some(meters)
    }

    /// A partition has begun to recover.
    pub(super) fn recovers(&self, partition: u32) {
        if let Some(of) = self.of(partition) {
            of.timed().recovers.get_or_insert_with(Instant::now);
        }
    }

    /// A partition is recovered: so many of its live instances stand where.
    pub(super) fn recovered(&self, partition: u32, counts: &BTreeMap<Summary, usize>) {
        let Some(of) = self.of(partition) else { return };
        of.clear();
        for (state, count) in counts {
            of.add(*state, i64::try_from(*count).unwrap_or(i64::MAX));
        }
    }

    /// A partition runs.
    pub(super) fn runs(&self, partition: u32) {
        if let Some(began) = self.of(partition).and_then(|of| of.timed().recovers.take()) {
            self.recovery.observe(began.elapsed().as_secs_f64());
        }
    }

    /// A partition is not run here any more, or not for now.
    pub(super) fn idle(&self, partition: u32, is_fenced: bool) {
        if is_fenced {
            self.fences.inc();
        }
        if let Some(of) = self.of(partition) {
            of.clear();
            let mut timed = of.timed();
            (timed.recovers, timed.read) = (None, None);
        }
    }

    /// Inputs of a partition are decided up to here.
    pub(super) fn has_read(&self, partition: u32, read: Positions) {
        if let Some(of) = self.of(partition) {
            of.timed().read = Some(read);
        }
    }

    /// Up to where inputs are decided, of the partitions that run here, or stand still here.
    pub(super) fn read(&self) -> Vec<(u32, Positions)> {
        let of = |(number, of): (u32, &OfPartition)| Some((number, of.timed().read?));
        (0..).zip(&self.partitions).filter_map(of).collect()
    }

    /// Inputs of a partition that are not decided.
    pub(super) fn lags(&self, partition: u32, requests: Option<u64>, replies: Option<u64>) {
        for (topic, lag) in [("requests", requests), ("replies", replies)] {
            let labels = OfInputs { topic, partition };
            match lag {
                Some(lag) => {
                    self.families.lag.get_or_create(&labels).set(i64::try_from(lag).unwrap_or(i64::MAX));
                }
                None => {
                    self.families.lag.remove(&labels);
                }
            }
        }
    }

    /// Participants and their topics of commands, and whether nobody reads them; there is nothing to tell of others.
    pub(super) fn unread(&self, commands: impl IntoIterator<Item = (String, String, bool)>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut past = std::mem::take(&mut *told);
        for (participant, topic, is_unread) in commands {
            let labels = OfCommands { participant, topic };
            self.families.unread.get_or_create(&labels).set(i64::from(is_unread));
            past.remove(&labels);
            told.insert(labels);
        }
        for labels in past {
            self.families.unread.remove(&labels);
        }
    }

    /// A record is good.
    pub(super) fn recorded(&self, partition: u32, record: &Record, stands: Option<&Stands>, plans: &Plans) {
        self.appends.inc();
        match &record.body {
            Body::Change { instance, definition, change, .. } => {
                let Some(of) = self.of(partition) else { return };
                let Some(meters) = self.meters_of(of, plans, definition) else { return };
                if let Some(Stands { state, was, started, .. }) = stands {
                    if let Some(was) = was {
                        of.add(*was, -1);
                    }
                    of.add(*state, 1);
                    let ended = match state {
                        Summary::Completed => meters.ended.first(),
                        Summary::Compensated => meters.ended.last(),
                        Summary::Running | Summary::Compensating | Summary::Stuck => None,
                    };
                    if let Some((count, took)) = ended {
                        count.inc();
                        took.observe(since(*started, change.at));
                    }
                }
                for event in &change.events {
                    self.happened(of, &meters, (instance, change.at), event);
                }
                for stuck in newly_stuck(change, stands) {
                    if let Some(step) = step_of(&meters, stuck.at, stuck.work) {
                        step.stuck.inc();
                    } else {
                        // A place that calls nobody, whose expression cannot be computed.
                        let (saga, step) = (meters.saga.clone(), stuck.at.to_string());
                        self.families.stuck.get_or_create(&OfStep { saga, step, work: stuck.work.name() }).inc();
                    }
                }
            }
            Body::Reject { cause, raw, .. } => {
                self.rejected.inc();
                if raw.is_some() {
                    self.families.dead.get_or_create(&OfTopic { topic: came_by(*cause) }).inc();
                }
            }
            Body::Bar { .. } => {
                self.rejected.inc();
            }
            Body::Park { .. } => {
                self.parked.inc();
            }
            _ => {}
        }
    }

    fn happened(&self, of: &OfPartition, meters: &OfPlan, (instance, now): (&InstanceId, Timestamp), event: &Event) {
        let step = |at: &Place, work: Direction| step_of(meters, at, work);
        let key = |at: &Place, work: Direction| self.hasher.hash_one((instance, at, index(work)));
        let over = |at: &Place, work: Direction| {
            let began = of.timed().called.remove(&key(at, work));
            if let (Some(began), Some(step)) = (began, step(at, work)) {
                step.took.observe(since(began, now));
            }
        };
        match event {
            Event::Started { .. } => {
                meters.started.inc();
            }
            Event::Called { at, work, attempt, .. } | Event::Sent { at, work, attempt } => {
                let Some(step) = step(at, *work) else { return };
                step.calls.inc();
                if *attempt > 1 {
                    step.retries.inc();
                    return;
                }
                let mut timed = of.timed();
                if timed.called.len() < TIMED_MAX {
                    timed.called.insert(key(at, *work), now);
                }
            }
            Event::Succeeded { at, work, .. } => over(at, *work),
            Event::Refused { at, .. } | Event::Lost { at, .. } => over(at, Direction::Do),
            Event::Unfit { at, work, .. } => {
                if let Some(step) = step(at, *work) {
                    step.unfit.inc();
                }
            }
            _ => {}
        }
    }

    /// All of it, in the `OpenMetrics` text format.
    pub(super) fn text(&self, shape: Shape) -> String {
        for (place, state) in LIVE.into_iter().enumerate() {
            let count = |of: &OfPartition| of.live.get(place).map_or(0, |live| live.load(Ordering::Relaxed));
            let labels = InState { state: state.name() };
            self.families.instances.get_or_create(&labels).set(self.partitions.iter().map(count).sum());
        }
        let Shape { running, recovering, stopped, log_is_up } = shape;
        for (state, count) in [("running", running), ("recovering", recovering), ("stopped", stopped)] {
            self.families.partitions.get_or_create(&InState { state }).set(count);
        }
        self.log_up.set(i64::from(log_is_up));
        let mut shown = String::new();
        // A String takes everything.
        let _written = text::encode(&mut shown, &self.registry);
        shown
    }
}

/// The meters of a step. Elements and rounds of a loop count together.
fn step_of<'m>(meters: &'m OfPlan, at: &Place, work: Direction) -> Option<&'m StepMeters> {
    let bare = if at.contains('[') { parsed(at)?.0 } else { at.as_str().into() };
    meters.steps.get(bare.as_ref())?.get(index(work))?.as_ref()
}

fn since(began: Timestamp, now: Timestamp) -> f64 {
    std::time::Duration::from_millis(now.0.saturating_sub(began.0)).as_secs_f64()
}
