//! One partition of one topic in memory: what is not written yet, the newest of what is, and who waits for more.
//!
//! ```text
//!   start ..... tail.front ..... durable ..... next
//!   on disk only | memory and disk  | memory only
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use super::file::{LaneId, LaneRow};
use crate::log::endpoint::Endpoint;
use crate::log::{JOURNAL, READ_MAX, Range, Stored, Ticket};
use crate::time::Timestamp;
use crate::wire::Message;

/// When a reader may see a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visible {
    /// Once it is durable. The journal is the truth: nobody may act upon what a crash can still take back.
    Durable,
    /// At once. Whatever a reader makes of it is written behind it in the same file, so a crash that takes it back
    /// takes back what came of it. This spares each command and each reply a wait for the disk.
    AtOnce,
}

/// A partition of a topic.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) topic: Arc<str>,
    pub(super) partition: u32,
    /// `None` until the first commit.
    pub(super) row: Option<LaneId>,
    pub(super) visible: Visible,
    start: u64,
    /// What is before it may go, once it is durable: readers are done with it, maybe sooner than the disk.
    let_go: u64,
    next: u64,
    durable: u64,
    last_at: Timestamp,
    tail: VecDeque<Stored>,
    tail_bytes: usize,
    waiting: Vec<Waiting>,
    /// Whether the writer has been told that there is something to write.
    pub(super) is_dirty: bool,
}

/// A read that waits for a record.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) endpoint: Arc<Endpoint>,
    /// The partition under whose owner's name it is reported.
    pub(super) home: u32,
    pub(super) ticket: Ticket,
    pub(super) from: u64,
}

/// What a read finds.
#[derive(Debug)]
pub(super) enum Found {
    /// These.
    Records(Vec<Stored>),
    /// The end: nothing yet.
    End,
    /// They are on the disk only.
    OnDisk(LaneId),
    /// No such offset.
    OutOfRange,
}

impl Lane {
    pub(super) fn new(topic: Arc<str>, partition: u32) -> Self {
        let visible = if *topic == *JOURNAL { Visible::Durable } else { Visible::AtOnce };
        Self {
            topic,
            partition,
            row: None,
            visible,
            start: 0,
            let_go: 0,
            next: 0,
            durable: 0,
            last_at: Timestamp(0),
            tail: VecDeque::new(),
            tail_bytes: 0,
            waiting: Vec::new(),
            is_dirty: false,
        }
    }

    pub(super) fn from_row(row: &LaneRow) -> Self {
        let LaneRow { id, topic, partition, start, next, last_at } = row;
        let mut lane = Self::new(Arc::from(topic.as_str()), *partition);
        (lane.row, lane.start, lane.next, lane.durable, lane.last_at) = (Some(*id), *start, *next, *next, *last_at);
        lane
    }

    /// The offsets that a reader may see.
    pub(super) fn range(&self) -> Range {
        let end = match self.visible {
            Visible::Durable => self.durable,
            Visible::AtOnce => self.next,
        };
        Range { start: self.start.min(end), end }
    }

    /// Puts a message behind all others; `now` never goes back within a lane.
    pub(super) fn push(&mut self, message: Arc<Message>, now: Timestamp) -> u64 {
        let offset = self.next;
        self.last_at = self.last_at.max(now);
        self.tail_bytes = self.tail_bytes.saturating_add(message.size());
        self.tail.push_back(Stored { offset, timestamp: self.last_at, message });
        self.next = self.next.saturating_add(1);
        offset
    }

    /// What is to be written, up to about `bytes` of it and at least one record.
    pub(super) fn unwritten(&self, bytes: usize) -> (Vec<Stored>, usize) {
        let mut taken = 0;
        let mut records = Vec::new();
        for stored in self.tail.range(self.index(self.durable)..) {
            if taken >= bytes && !records.is_empty() {
                break;
            }
            taken = taken.saturating_add(stored.message.size());
            records.push(stored.clone());
        }
        (records, taken)
    }

    pub(super) fn has_unwritten(&self) -> bool {
        self.durable < self.next
    }

    /// Everything before `end` is on the disk; forgets the oldest beyond `budget` bytes. Whether the start has moved.
    pub(super) fn written(&mut self, end: u64, budget: usize) -> bool {
        self.durable = self.durable.max(end);
        let has_moved = self.move_start();
        while self.tail_bytes > budget && self.tail.front().is_some_and(|oldest| oldest.offset < self.durable) {
            self.forget_oldest();
        }
        has_moved
    }

    /// Lets go of what is before. Whether the start has moved: only what is durable can go, and the rest goes when it is.
    pub(super) fn truncate(&mut self, before: u64) -> bool {
        self.let_go = self.let_go.max(before.min(self.next));
        self.move_start()
    }

    fn move_start(&mut self) -> bool {
        let before = self.let_go.min(self.durable);
        if before <= self.start {
            return false;
        }
        self.start = before;
        while self.tail.front().is_some_and(|oldest| oldest.offset < before) {
            self.forget_oldest();
        }
        true
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.tail.pop_front() {
            self.tail_bytes = self.tail_bytes.saturating_sub(oldest.message.size());
        }
    }

    /// Records from an offset on, if they are in memory.
    pub(super) fn read(&self, from: u64) -> Found {
        let Range { start, end } = self.range();
        if from < start || from > end {
            return Found::OutOfRange;
        }
        if from == end {
            return Found::End;
        }
        let in_memory = self.tail.front().is_some_and(|oldest| oldest.offset <= from);
        if !in_memory {
            return self.row.map_or(Found::OutOfRange, Found::OnDisk);
        }
        let mut bytes = 0;
        let mut records = Vec::new();
        for stored in self.tail.range(self.index(from)..self.index(end)) {
            bytes += stored.message.size();
            if bytes > READ_MAX && !records.is_empty() {
                break;
            }
            records.push(stored.clone());
        }
        Found::Records(records)
    }

    /// The place in `tail` of an offset.
    fn index(&self, offset: u64) -> usize {
        let first = self.tail.front().map_or(offset, |oldest| oldest.offset);
        usize::try_from(offset.saturating_sub(first)).unwrap_or(usize::MAX).min(self.tail.len())
    }

    /// Leaves a read waiting for a record; the same endpoint's earlier read is replaced.
    pub(super) fn wait(&mut self, waiting: Waiting) {
        self.cancel(&waiting.endpoint, waiting.home);
        self.waiting.push(waiting);
    }

    /// Takes an endpoint's waiting read away.
    pub(super) fn cancel(&mut self, endpoint: &Arc<Endpoint>, home: u32) {
        self.waiting.retain(|known| known.home != home || !Arc::ptr_eq(&known.endpoint, endpoint));
    }

    /// Takes the reads that need not wait any more.
    pub(super) fn woken(&mut self) -> Vec<Waiting> {
        let end = self.range().end;
        if self.waiting.iter().all(|waiting| waiting.from >= end) {
            return Vec::new();
        }
        let (woken, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.from < end);
        self.waiting = waiting;
        woken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::REPLIES;

    #[test]
    fn what_was_read_before_it_was_durable_goes_when_it_is() {
        let mut lane = Lane::new(Arc::from(REPLIES), 0);
        for _ in 0..3 {
            lane.push(Arc::default(), Timestamp(1));
        }
        assert!(!lane.truncate(2), "it is not on the disk yet");
        assert_eq!(lane.range(), Range { start: 0, end: 3 });
        assert!(lane.written(1, 0), "and goes with it");
        assert_eq!(lane.range(), Range { start: 1, end: 3 });
        assert!(lane.written(3, 0) && !lane.written(3, 0));
        assert_eq!(lane.range(), Range { start: 2, end: 3 });
        // Nobody can let go of what is not there yet.
        assert!(lane.truncate(9));
        lane.push(Arc::default(), Timestamp(1));
        assert!(!lane.written(4, 0));
        assert_eq!(lane.range(), Range { start: 3, end: 4 });
    }
}
