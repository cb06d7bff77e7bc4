//! What all states of a partition task share: how it is run, definitions, tickets, topics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::defect::Defect;
use super::told::{Config, Stop};
use super::turnstile::Turnstile;
use crate::journal::{Damage, JournalError, Plans};
use crate::log::Ticket;

/// Marks an input that was in the wrong partition once.
pub(in crate::runtime) const FORWARDED: &str = "saga-forwarded";

#[derive(Debug)]
pub(super) struct Setting {
    pub(super) config: Config,
    pub(super) plans: Arc<Plans>,
    /// The log refused a part of a checkpoint: none is begun before the journal has grown to so many bytes.
    pub(super) checkpoint_from: u64,
    /// Before this no tenure ends since its clock is behind the log's.
    pub(super) reads_clock_from: Duration,
    tickets: u64,
    /// Shared names of topics: few, and on every message.
    topics: BTreeMap<Box<str>, Arc<str>>,
}

/// Names beyond this are not kept: answers may go to a topic for each client.
const TOPICS_KEPT: usize = 1_000;

impl Setting {
    pub(super) fn new(mut config: Config, plans: Arc<Plans>) -> Self {
        if config.defect == Some(Defect::WholeShare) {
            config.turns = Turnstile::of_partition(0, 1);
        }
        let reads_clock_from = Duration::ZERO;
        Self { config, plans, checkpoint_from: 0, reads_clock_from, tickets: 0, topics: BTreeMap::new() }
    }

    /// A new ticket, above all others.
    pub(super) const fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    pub(super) fn journal(&self) -> Arc<str> {
        Arc::clone(&self.config.topics.journal)
    }

    /// Why its journal cannot be gone on with.
    pub(super) fn damaged(&self, offset: u64, damage: Damage) -> Stop {
        Stop::Damaged(JournalError { topic: self.journal(), partition: self.config.partition, offset, damage })
    }

    pub(super) fn requests(&self) -> Arc<str> {
        Arc::clone(&self.config.topics.requests)
    }

    pub(super) fn replies(&self) -> Arc<str> {
        Arc::clone(&self.config.topics.replies)
    }

    pub(super) fn dead(&self) -> Arc<str> {
        Arc::clone(&self.config.topics.dead)
    }

    /// The shared name of a topic.
    pub(super) fn topic(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.topics.get(name) {
            return Arc::clone(known);
        }
        let topic: Arc<str> = Arc::from(name);
        if self.topics.len() < TOPICS_KEPT {
            self.topics.insert(Box::from(name), Arc::clone(&topic));
        }
        topic
    }
}
