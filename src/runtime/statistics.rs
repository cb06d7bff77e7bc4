//! Counters since the orchestrator was opened.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::Event;
use crate::journal::record::{Body, Record};

/// What has happened since the orchestrator was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Good journal records that change an instance, refuse or place an input.
    pub records: u64,
    /// Instances that began.
    pub started: u64,
    /// Instances that ended completed.
    pub completed: u64,
    /// Instances that ended compensated.
    pub compensated: u64,
    /// Attempts of steps and compensations that went out.
    pub called: u64,
    /// Times that a step or compensation began to wait for a person.
    pub stuck: u64,
    /// Inputs that were refused.
    pub rejected: u64,
    /// Answers that did not fit their contract.
    pub unfit: u64,
    /// Inputs at which the engine failed.
    pub parked: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    records: AtomicU64,
    started: AtomicU64,
    completed: AtomicU64,
    compensated: AtomicU64,
    called: AtomicU64,
    stuck: AtomicU64,
    rejected: AtomicU64,
    unfit: AtomicU64,
    parked: AtomicU64,
}

impl Counters {
    pub(super) fn count(&self, record: &Record) {
        let one = |counter: &AtomicU64| {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        one(&self.records);
        match &record.body {
            Body::Change { change, .. } => {
                for event in &change.events {
                    match event {
                        Event::Started { .. } => one(&self.started),
                        Event::Completed { .. } => one(&self.completed),
                        Event::Compensated => one(&self.compensated),
                        Event::Called { .. } => one(&self.called),
                        Event::Stuck { .. } => one(&self.stuck),
                        Event::Unfit { .. } => one(&self.unfit),
                        _ => {}
                    }
                }
            }
            Body::Reject { .. } | Body::Bar { .. } => one(&self.rejected),
            Body::Park { .. } => one(&self.parked),
            _ => {}
        }
    }

    pub(super) fn read(&self) -> Statistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Statistics {
            records: read(&self.records),
            started: read(&self.started),
            completed: read(&self.completed),
            compensated: read(&self.compensated),
            called: read(&self.called),
            stuck: read(&self.stuck),
            rejected: read(&self.rejected),
            unfit: read(&self.unfit),
            parked: read(&self.parked),
        }
    }
}
