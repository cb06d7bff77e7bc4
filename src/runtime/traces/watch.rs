//! Beside the partitions' tasks: hears what their watcher hears, and gives commands the names of their spans.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::export::{self, Export};
use super::ids::{Call, read, traceparent};
use super::open::{About, Open};
use crate::engine::{CommandId, CommandKind, Direction, Event, Instance, InstanceId};
use crate::journal::record::{Body, Positions, Record};
use crate::log::{Append, Log, Request};
use crate::runtime::driver::{AfterPanic, Watch};
use crate::runtime::partition::{FORWARDED, Fact, Recovered, Told};
use crate::runtime::shared::Core;
use crate::wire::{CloudEvent, attribute};

/// Instances whose spans are open at once, in one process: a few hundred bytes each. What begins beyond that has no
/// trace, which is said once.
pub(in crate::runtime) const OPEN_MAX: usize = 50_000;

/// Marks the tokens of our own looks among those of people.
const OURS: u64 = 1 << 63;

/// The same two ways, with traces if there are any.
pub(in crate::runtime) fn traced(core: &Arc<Core>, owned: Arc<dyn Log>) -> (Arc<dyn Log>, Arc<dyn Watch>) {
    let Some(export) = export::current() else { return (owned, Arc::clone(core) as Arc<dyn Watch>) };
    let partitions = (0..core.log.partitions()).map(|_| Mutex::default()).collect();
    let way = Way { log: owned, export: Arc::clone(&export), dead: Arc::clone(&core.topics.dead) };
    let (open, is_full) = (AtomicUsize::new(0), AtomicBool::new(false));
    let watch = Traced { core: Arc::clone(core), export, partitions, open, is_full };
    (Arc::new(way), Arc::new(watch))
}

/// What the partitions' tasks tell, on its way to whoever else hears it.
struct Traced {
    core: Arc<Core>,
    export: Arc<Export>,
    partitions: Vec<Mutex<HashMap<InstanceId, Open>>>,
    /// Instances in all of them.
    open: AtomicUsize,
    is_full: AtomicBool,
}

impl Watch for Traced {
    fn facts(&self, partition: u32, facts: Vec<Fact>) {
        let mut others = Vec::with_capacity(facts.len());
        for fact in facts {
            match &fact {
                Fact::Recovered { live, .. } => self.recovered(partition, live),
                Fact::Recorded { record, .. } => self.recorded(partition, record),
                Fact::Idle { .. } | Fact::Released | Fact::Stopped(_) => self.forget(partition),
                Fact::View { token, instance } if token & OURS != 0 => {
                    if let Some(instance) = instance {
                        self.adopt(partition, instance);
                    }
                    continue;
                }
                Fact::Blind { token } if token & OURS != 0 => continue,
                Fact::View { .. }
                | Fact::Blind { .. }
                | Fact::Recovering
                | Fact::Elsewhere
                | Fact::Running { .. }
                | Fact::Known { .. }
                | Fact::Undeliverable { .. }
                | Fact::Refused { .. }
                | Fact::Overtaken { .. }
                | Fact::Whole { .. }
                | Fact::Trouble { .. } => {}
            }
            others.push(fact);
        }
        self.core.facts(partition, others);
    }

    fn has_read(&self, partition: u32, read: Positions) {
        self.core.has_read(partition, read);
    }

    fn wake(&self, partition: u32) {
        self.core.wake(partition);
    }

    fn panicked(&self, partition: u32, next: AfterPanic) {
        self.forget(partition);
        self.core.panicked(partition, next);
    }
}

impl Traced {
    fn of(&self, partition: u32) -> Option<MutexGuard<'_, HashMap<InstanceId, Open>>> {
        let of = self.partitions.get(partition as usize)?;
        Some(of.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The spans of a partition that is another's now, or begins anew: whoever has it then ends them.
    fn forget(&self, partition: u32) {
        if let Some(mut all) = self.of(partition) {
            self.open.fetch_sub(all.len(), Ordering::Relaxed);
            all.clear();
        }
    }

    /// Asks the partition for the state of what others began, which holds the trace of the start and what is under way.
    fn recovered(&self, partition: u32, live: &[Recovered]) {
        self.forget(partition);
        let room = OPEN_MAX.saturating_sub(self.open.load(Ordering::Relaxed));
        let look = |live: &Recovered| Told::Look { token: OURS, instance: live.id.clone() };
        self.core.tell(partition, live.iter().take(room).map(look));
    }

    fn adopt(&self, partition: u32, instance: &Instance) {
        let plans = self.core.plans();
        let Some(plan) = plans.by_hash(&instance.definition) else { return };
        let started = instance.starter.as_ref().and_then(|starter| read(starter.traceparent.as_deref()?));
        if let Some(trace) = self.export.trace(&instance.id, instance.run, started.as_ref()) {
            self.keep(partition, &instance.id, Open::adopt(trace, instance, plan));
        }
    }

    fn keep(&self, partition: u32, instance: &InstanceId, open: Open) {
        if self.open.load(Ordering::Relaxed) >= OPEN_MAX {
            if !self.is_full.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    "more than {OPEN_MAX} instances are under way here, and those beyond have no trace; \
                     OTEL_TRACES_SAMPLER=parentbased_traceidratio with OTEL_TRACES_SAMPLER_ARG=0.01 traces one of a hundred"
                );
            }
            return;
        }
        if let Some(mut all) = self.of(partition)
            && all.insert(instance.clone(), open).is_none()
        {
            self.open.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn recorded(&self, partition: u32, record: &Record) {
        let Body::Change { instance, run, definition, change, .. } = &record.body else { return };
        if let Some(Event::Started { traceparent, .. }) = change.events.first() {
            let started = traceparent.as_deref().and_then(read);
            if let Some(trace) = self.export.trace(instance, *run, started.as_ref()) {
                self.keep(partition, instance, Open::begin(trace, *run, change.at));
            }
        }
        let plans = self.core.plans();
        let (Some(plan), Some(mut all)) = (plans.by_hash(definition), self.of(partition)) else { return };
        let Some(open) = all.get_mut(instance).filter(|open| open.run == *run) else { return };
        let mut ended = Vec::new();
        open.happened(About { instance, plan }, change.at, &change.events, &mut ended);
        let is_over = change.events.iter().any(|event| matches!(event, Event::Completed { .. } | Event::Compensated));
        if is_over && all.remove(instance).is_some() {
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
        drop(all);
        self.export.ended(ended);
    }
}

/// An owner's way to the log, on which commands are given the names of their spans, for their participants to go on from.
struct Way {
    log: Arc<dyn Log>,
    export: Arc<Export>,
    /// Copies of commands that somebody wrote where they do not belong stay as they are.
    dead: Arc<str>,
}

impl Log for Way {
    fn submit(&self, partition: u32, mut requests: Vec<Request>) {
        for request in &mut requests {
            if let Request::Append(append) = request {
                self.name(append);
            }
        }
        self.log.submit(partition, requests);
    }

    fn released(&self, partition: u32) {
        self.log.released(partition);
    }
}

impl Way {
    fn name(&self, append: &mut Append) {
        // A copy of what somebody wrote stays as it came.
        if append.topic == self.dead || append.message.header(FORWARDED).is_some() {
            return;
        }
        let Some(mut event) = CloudEvent::of_type(&append.message, attribute::COMMAND_TYPE) else { return };
        let command = event.get(attribute::COMMAND).and_then(CommandId::parse);
        let attempt = event.get(attribute::ATTEMPT).and_then(|attempt| attempt.parse().ok());
        let (Some(command), Some(attempt)) = (command, attempt) else { return };
        let CommandId { instance, run, place, own_undo, .. } = &command;
        let is_undo = *own_undo || event.get(attribute::KIND) == Some(CommandKind::Undo.as_str());
        let work = if is_undo { Direction::Undo } else { Direction::Do };
        let started = event.get(attribute::TRACEPARENT).and_then(read);
        let Some(trace) = self.export.trace(instance, *run, started.as_ref()) else { return };
        let span = Call { instance, run: *run, place, work, attempt }.span();
        event.set(attribute::TRACEPARENT, traceparent(trace.id, span));
        let named = event.write();
        append.message = Arc::new(named);
    }
}
