//! One of the two streams of inputs: what has been read of it and not yet been taken.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::setting::Setting;
use super::told::Do;
use crate::log::{Range, Request, Stored, Ticket};
use crate::time::Timestamp;

/// So many records are kept ahead at least, while there are any: the next read runs while these are taken.
const AHEAD: usize = 500;

#[derive(Debug)]
pub(super) struct Feed {
    pub(super) topic: Arc<str>,
    /// The next offset to be taken.
    pub(super) next: u64,
    ahead: VecDeque<Stored>,
    reading: Option<Question>,
    /// It is asked where the topic ends.
    measuring: Option<Question>,
    /// Where it ended, and when that was asked.
    end: Option<(u64, Duration)>,
    /// When the log took the latest of what has been taken.
    seen: Timestamp,
    /// So often the end was measured while a read found nothing.
    futile: u32,
    /// An operator accepts that what the next read does not find is lost.
    pub(super) accepts_gap: bool,
}

/// The end is asked for again so long after the last time, while something before it does not come.
const MEASURE_EVERY: Duration = Duration::from_millis(500);

/// What does not come although the end was measured so often meanwhile is not there: there are holes in the topic's
/// offsets, as behind a transaction of whoever writes to it. By answers and not by time, since a process that stood still
/// has seen much time go by and no record.
const FUTILE_MAX: u32 = 4;

/// What of a topic came before an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// All of it has been taken.
    Taken,
    /// It is on its way; the end is asked for again at that time.
    Coming { again: Duration },
    /// Nobody has asked.
    NotKnown,
}

/// Something that the log was asked, and when.
#[derive(Clone, Copy, Debug)]
struct Question {
    ticket: Ticket,
    at: Duration,
}

impl Feed {
    pub(super) const fn new(topic: Arc<str>, next: u64) -> Self {
        let ahead = VecDeque::new();
        let seen = Timestamp(0);
        Self { topic, next, ahead, reading: None, measuring: None, end: None, seen, futile: 0, accepts_gap: false }
    }

    /// Whether all that the log had taken at an instant has been taken from here.
    ///
    /// What is known of the end is as old as the question, not as its answer: between the two the process may have
    /// stood still for an hour.
    pub(super) fn before(&self, log: Timestamp, own: Duration) -> Before {
        if self.seen > log {
            return Before::Taken;
        }
        match self.end {
            Some((end, asked)) if asked >= own => {
                let taken = self.next >= end || self.futile >= FUTILE_MAX;
                if taken { Before::Taken } else { Before::Coming { again: asked + MEASURE_EVERY } }
            }
            _ => Before::NotKnown,
        }
    }

    /// Asks where the topic ends, if nobody has.
    pub(super) fn measure(&mut self, set: &mut Setting, at: Duration, out: &mut Vec<Do>) {
        if self.measuring.is_some() {
            return;
        }
        let ticket = set.ticket();
        self.measuring = Some(Question { ticket, at });
        out.push(Do::Ask(Request::End { ticket, topic: Arc::clone(&self.topic) }));
    }

    /// Where the topic ends, if that was asked by this ticket; what came of the question is `range`, or nothing.
    pub(super) fn measured(&mut self, ticket: Ticket, range: Option<Range>) -> bool {
        let Some(asked) = self.measuring.take_if(|asked| asked.ticket == ticket) else { return false };
        if let Some(range) = range {
            let waits = self.fetched() < range.end && self.reading.is_some_and(|reading| reading.at <= asked.at);
            self.futile = if waits { self.futile + 1 } else { 0 };
            self.end = Some((range.end, asked.at));
        }
        true
    }

    /// The next offset to be fetched.
    pub(super) fn fetched(&self) -> u64 {
        self.ahead.back().map_or(self.next, |last| last.offset + 1)
    }

    /// Reads on, if there is need.
    pub(super) fn fill(&mut self, set: &mut Setting, at: Duration, out: &mut Vec<Do>) {
        if self.reading.is_some() || self.ahead.len() >= AHEAD {
            return;
        }
        let from = self.fetched();
        let ticket = set.ticket();
        self.reading = Some(Question { ticket, at });
        out.push(Do::Ask(Request::Read { ticket, topic: Arc::clone(&self.topic), from }));
    }

    /// Whether a report is for the read that is under way; that is over then.
    pub(super) fn is_for(&mut self, ticket: Ticket) -> bool {
        let is_over = self.reading.take_if(|reading| reading.ticket == ticket).is_some();
        if is_over {
            self.futile = 0;
        }
        is_over
    }

    /// Goes on elsewhere, since what is next cannot be had. Nothing that was read is left then.
    pub(super) const fn go_on_at(&mut self, next: u64) {
        self.next = next;
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
        self.seen = self.seen.max(stored.timestamp);
        Some(stored)
    }
}
