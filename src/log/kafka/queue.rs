//! Who waits for a consumer to read a partition: so many read it at once already as there are consumers.
//!
//! A place becomes free when whoever has it ends its reading, which takes milliseconds where somebody looks at an instance.
//! So newcomers wait for one a while, in their turn, before they are told.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::lane::Want;
use super::reader::CONSUMERS_MAX;
use crate::log::Report;
use crate::log::endpoint::{Endpoint, Outbox};

/// How long somebody waits for a place. Longer than anybody needs who looks, and shorter than people's patience.
const PLACE_WITHIN: Duration = Duration::from_secs(10);

/// Somebody without a place.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub(super) endpoint: Weak<Endpoint>,
    pub(super) topic: Arc<str>,
    pub(super) home: u32,
    pub(super) want: Want,
    since: Instant,
}

impl Newcomer {
    /// What it is told once it has waited for too long.
    pub(super) fn given_up(&self) -> Option<Report> {
        let Self { topic, home, want, since, .. } = self;
        (since.elapsed() > PLACE_WITHIN).then(|| Report::Failed {
            ticket: want.ticket(),
            why: format!(
                "read partition {home} of {topic}: {CONSUMERS_MAX} others read it at once already, and none of them has \
                 ended within {} s; ask again, and for fewer at once",
                PLACE_WITHIN.as_secs()
            ),
        })
    }

    /// It is told that nothing comes.
    pub(super) fn failed(&self, why: &str, outbox: &mut Outbox) {
        if let Some(endpoint) = self.endpoint.upgrade() {
            outbox.push(&endpoint, self.home, Report::Failed { ticket: self.want.ticket(), why: why.to_owned() });
        }
    }
}

/// All of them, the first to come first. Bounded by who asks: each has one question of a partition here, for a while.
#[derive(Debug, Default)]
pub(super) struct Queue(VecDeque<Newcomer>);

impl Queue {
    /// Whether somebody waits to read this partition.
    pub(super) fn has(&self, topic: &str, home: u32) -> bool {
        self.0.iter().any(|newcomer| newcomer.home == home && *newcomer.topic == *topic)
    }

    /// Takes a question, in place of the one before of this user.
    pub(super) fn push(&mut self, endpoint: &Arc<Endpoint>, topic: &Arc<str>, home: u32, want: Want) {
        let is_same = |known: &&mut Newcomer| {
            let is_of = std::ptr::eq(known.endpoint.as_ptr(), Arc::as_ptr(endpoint));
            is_of && known.home == home && known.topic == *topic && known.want.usage() == want.usage()
        };
        if let Some(known) = self.0.iter_mut().find(is_same) {
            known.want = want;
            return;
        }
        let (endpoint, topic) = (Arc::downgrade(endpoint), Arc::clone(topic));
        self.0.push_back(Newcomer { endpoint, topic, home, want, since: Instant::now() });
    }

    /// All of them, in their turn.
    pub(super) fn take(&mut self) -> VecDeque<Newcomer> {
        std::mem::take(&mut self.0)
    }

    /// It waits on.
    pub(super) fn back(&mut self, newcomer: Newcomer) {
        self.0.push_back(newcomer);
    }
}
