//! One of the two streams of inputs: what has been read of it and not yet been taken.

use std::collections::VecDeque;
use std::sync::Arc;

use super::setting::Setting;
use super::told::Do;
use crate::log::{Request, Stored, Ticket};

/// So many records are kept ahead at least, while there are any: the next read runs while these are taken.
const AHEAD: usize = 500;

#[derive(Debug)]
pub(super) struct Feed {
    pub(super) topic: Arc<str>,
    /// The next offset to be taken.
    pub(super) next: u64,
    ahead: VecDeque<Stored>,
    reading: Option<Ticket>,
    /// An operator accepts that what the next read does not find is lost.
    pub(super) accepts_gap: bool,
}

impl Feed {
    pub(super) const fn new(topic: Arc<str>, next: u64) -> Self {
        Self { topic, next, ahead: VecDeque::new(), reading: None, accepts_gap: false }
    }

    /// The next offset to be fetched.
    pub(super) fn fetched(&self) -> u64 {
        self.ahead.back().map_or(self.next, |last| last.offset + 1)
    }

    /// Reads on, if there is need.
    pub(super) fn fill(&mut self, set: &mut Setting, out: &mut Vec<Do>) {
        if self.reading.is_some() || self.ahead.len() >= AHEAD {
            return;
        }
        let from = self.fetched();
        let ticket = set.ticket();
        self.reading = Some(ticket);
        out.push(Do::Ask(Request::Read { ticket, topic: Arc::clone(&self.topic), from }));
    }

    /// Whether a report is for the read that is under way; that is over then.
    pub(super) fn is_for(&mut self, ticket: Ticket) -> bool {
        self.reading.take_if(|reading| *reading == ticket).is_some()
    }

    /// Whether everything that was read has been taken.
    pub(super) fn is_drained(&self) -> bool {
        self.ahead.is_empty()
    }

    /// Keeps what was read.
    pub(super) fn keep(&mut self, records: Vec<Stored>) {
        self.accepts_gap = false;
        let from = self.fetched();
        self.ahead.extend(records.into_iter().filter(|stored| stored.offset >= from));
    }

    /// The next input; `next` is behind it then.
    pub(super) fn take(&mut self) -> Option<Stored> {
        let stored = self.ahead.pop_front()?;
        self.next = stored.offset + 1;
        Some(stored)
    }
}
