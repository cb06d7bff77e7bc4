//! One partition of one topic as one user reads it: what was fetched and not yet asked for, and who waits.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::log::endpoint::{Endpoint, Outbox};
use crate::log::{READ_MAX, Range, Report, Stored, Ticket};

/// Beyond so many bytes that nobody asks for, fetching pauses: two reports' worth.
const BUFFER_MAX: usize = 2 * READ_MAX;

/// Below so many it goes on.
const BUFFER_LOW: usize = READ_MAX / 2;

/// A lane that nobody has asked for so long is given up: it would fetch for nobody.
pub(super) const QUIET_MAX: Duration = Duration::from_secs(5);

/// What is wanted of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Read { ticket: Ticket, from: u64 },
    Last { ticket: Ticket },
}

impl Want {
    pub(super) const fn usage(self) -> Use {
        match self {
            Self::Read { .. } => Use::Reads,
            Self::Last { .. } => Use::Lasts,
        }
    }

    pub(super) const fn ticket(self) -> Ticket {
        match self {
            Self::Read { ticket, .. } | Self::Last { ticket } => ticket,
        }
    }
}

/// What a lane is for: a question for the last record does not disturb a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Reads,
    Lasts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is being found out which offsets there are.
    Starting,
    /// Records come.
    Streaming,
    /// Nothing comes.
    Ended,
}

/// Whether records are to be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Goes,
    Pauses,
}

/// What is to be done in librdkafka behind a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Nothing,
    /// Begin anew, if it still has this generation.
    Start(u64),
    /// Let it fetch or not, as [`Lane::flow`] says.
    SetFlow,
}

fn next_generation() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[derive(Debug)]
pub(super) struct Lane {
    /// Its user's, who may go at any time: nobody says so, and then the lane is another's to have.
    endpoint: Weak<Endpoint>,
    usage: Use,
    home: u32,
    /// Another with each start: what was begun for an older one is of no use.
    pub(super) generation: u64,
    pub(super) phase: Phase,
    /// The least offset that the next fetched record can have.
    next: u64,
    buffer: VecDeque<Stored>,
    bytes: usize,
    range: Range,
    pub(super) waiting: Option<Want>,
    pub(super) flow: Flow,
    /// Since when nobody has asked.
    quiet: Option<Instant>,
    /// Nothing has come yet since fetching began.
    is_fresh: bool,
    /// A hole at which fetching began: from where on nothing came, and what came first.
    hole: Option<(u64, u64)>,
}

impl Lane {
    pub(super) fn new(endpoint: &Arc<Endpoint>, usage: Use, home: u32) -> Self {
        Self {
            endpoint: Arc::downgrade(endpoint),
            usage,
            home,
            generation: next_generation(),
            phase: Phase::Ended,
            next: 0,
            buffer: VecDeque::new(),
            bytes: 0,
            range: Range::default(),
            waiting: None,
            flow: Flow::Goes,
            quiet: None,
            is_fresh: false,
            hole: None,
        }
    }

    /// Whether it is this user's, for this.
    pub(super) fn is_of(&self, endpoint: &Arc<Endpoint>, usage: Use) -> bool {
        std::ptr::eq(self.endpoint.as_ptr(), Arc::as_ptr(endpoint)) && self.usage == usage
    }

    /// Whether another may have its place.
    pub(super) fn is_free(&self) -> bool {
        self.is_quiet() || (self.waiting.is_none() && self.phase == Phase::Ended)
    }

    /// Whether nobody has asked for long, or ever will: its user has gone, with whatever it waited for.
    pub(super) fn is_quiet(&self) -> bool {
        let has_gone = self.endpoint.strong_count() == 0;
        has_gone || (self.waiting.is_none() && self.quiet.is_some_and(|since| since.elapsed() > QUIET_MAX))
    }

    /// Tells its user, who may have gone.
    fn tell(&self, report: Report, outbox: &mut Outbox) {
        if let Some(endpoint) = self.endpoint.upgrade() {
            outbox.push(&endpoint, self.home, report);
        }
    }

    /// Takes a question, in place of the one before.
    pub(super) fn ask(&mut self, want: Want, outbox: &mut Outbox) -> Then {
        let before = self.waiting.replace(want);
        self.quiet = None;
        let front = self.buffer.front().map_or(self.next, |first| first.offset);
        match (want, before) {
            (Want::Read { from, .. }, _) if self.phase == Phase::Streaming && from == front => self.answer(outbox),
            (Want::Read { from, .. }, Some(Want::Read { from: asked, .. }))
                if self.phase == Phase::Starting && from == asked =>
            {
                Then::Nothing
            }
            _ => self.restart(),
        }
    }

    /// Forgets what it has and begins anew with what is wanted.
    pub(super) fn restart(&mut self) -> Then {
        self.generation = next_generation();
        self.phase = Phase::Starting;
        self.buffer.clear();
        self.bytes = 0;
        Then::Start(self.generation)
    }

    /// Nothing comes any more, until somebody asks.
    pub(super) fn end(&mut self) {
        self.phase = Phase::Ended;
        self.buffer.clear();
        self.bytes = 0;
        self.quiet = Some(Instant::now());
    }

    /// It is known which offsets there are: where to fetch from, or it is answered already.
    pub(super) fn found(&mut self, range: Range, outbox: &mut Outbox) -> Option<u64> {
        self.range = range;
        let report = match self.waiting? {
            Want::Last { ticket } if range.start >= range.end => Report::Last { ticket, last: None, range },
            Want::Last { .. } => return Some(range.end - 1),
            Want::Read { ticket, from } if from < range.start || from > range.end => {
                Report::OutOfRange { ticket, range }
            }
            Want::Read { from, .. } => return Some(from),
        };
        self.waiting = None;
        self.end();
        self.tell(report, outbox);
        None
    }

    /// Fetching begins.
    pub(super) fn streams_from(&mut self, from: u64) {
        self.phase = Phase::Streaming;
        self.next = from;
        self.flow = Flow::Goes;
        self.is_fresh = true;
    }

    /// It could not be found out, or not be begun.
    pub(super) fn failed(&mut self, why: &str, outbox: &mut Outbox) {
        self.end();
        if let Some(want) = self.waiting.take() {
            let report = Report::Failed { ticket: want.ticket(), why: why.to_owned() };
            self.tell(report, outbox);
        }
    }

    /// A record was fetched.
    ///
    /// The first one behind a start may be of what was fetched before, for somebody else's question: the thread that polls
    /// had it in its hands already. So if it is not the one that was wanted, fetching begins anew, and a hole is one if it
    /// is found twice.
    pub(super) fn fetched(&mut self, stored: Stored, bytes: usize) -> Then {
        if self.phase != Phase::Streaming || stored.offset < self.next {
            return Then::Nothing;
        }
        let hole = (self.next, stored.offset);
        if self.is_fresh && stored.offset > self.next && self.hole.replace(hole) != Some(hole) {
            return self.restart();
        }
        self.is_fresh = false;
        self.next = stored.offset + 1;
        self.bytes += bytes;
        self.buffer.push_back(stored);
        Then::Nothing
    }

    /// Gives what there is to whoever waits.
    pub(super) fn answer(&mut self, outbox: &mut Outbox) -> Then {
        let range = Range { start: self.range.start, end: self.range.end.max(self.next) };
        if let Some(first) = self.buffer.front()
            && let Some(want) = self.waiting.take()
        {
            let report = match want {
                Want::Last { ticket } => Report::Last { ticket, last: Some(first.clone()), range },
                Want::Read { ticket, .. } => Report::Records { ticket, records: self.take(), range },
            };
            self.quiet = Some(Instant::now());
            self.tell(report, outbox);
            if self.usage == Use::Lasts {
                self.end();
            }
        }
        let flow = match self.flow {
            Flow::Goes if self.bytes > BUFFER_MAX => Flow::Pauses,
            Flow::Pauses if self.bytes < BUFFER_LOW => Flow::Goes,
            flow => flow,
        };
        if std::mem::replace(&mut self.flow, flow) == flow { Then::Nothing } else { Then::SetFlow }
    }

    /// Records whose offsets rise by one, of about one report's size; one at least.
    fn take(&mut self) -> Vec<Stored> {
        let mut records: Vec<Stored> = Vec::new();
        let mut bytes = 0;
        while let Some(next) = self.buffer.front() {
            let size = next.message.size();
            bytes += size;
            let follows = records.last().is_none_or(|last| last.offset + 1 == next.offset);
            if !records.is_empty() && (bytes > READ_MAX || !follows) {
                break;
            }
            self.bytes = self.bytes.saturating_sub(size);
            records.extend(self.buffer.pop_front());
        }
        records
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::log::Reports;
    use crate::time::Timestamp;
    use crate::wire::Message;

    /// The offsets of what was reported.
    #[derive(Default)]
    struct Seen(Mutex<Vec<u64>>);

    impl Reports for Seen {
        fn report(&self, _: u32, reports: Vec<Report>) {
            let records = reports.into_iter().flat_map(|report| match report {
                Report::Records { records, .. } => records,
                other => unreachable!("{other:?}"),
            });
            self.0.lock().unwrap().extend(records.map(|record| record.offset));
        }
    }

    fn stored(offset: u64) -> Stored {
        Stored { offset, timestamp: Timestamp(0), message: Arc::new(Message::default()) }
    }

    /// A lane is started for a read from 0 on of a topic with four records, until fetching goes on. What was fetched last
    /// time around comes first.
    fn read(stray: u64, fetched: &[u64]) -> (Vec<u64>, u32) {
        let seen = Arc::new(Seen::default());
        let endpoint = Arc::new(Endpoint(Arc::clone(&seen) as Arc<dyn Reports>));
        let mut lane = Lane::new(&endpoint, Use::Reads, 0);
        let mut outbox = Outbox::default();
        let mut then = lane.ask(Want::Read { ticket: Ticket(1), from: 0 }, &mut outbox);
        let mut starts = 0;
        while let Then::Start(_) = then {
            starts += 1;
            assert_eq!(lane.found(Range { start: 0, end: 4 }, &mut outbox), Some(0));
            lane.streams_from(0);
            let first = if starts == 1 { Some(stray) } else { None };
            let came = first.into_iter().chain(fetched.iter().copied());
            then = came
                .map(|offset| lane.fetched(stored(offset), 1))
                .find(|then| *then != Then::Nothing)
                .unwrap_or(Then::Nothing);
        }
        assert_eq!(lane.answer(&mut outbox), Then::Nothing);
        outbox.deliver();
        let seen = seen.0.lock().unwrap().clone();
        (seen, starts)
    }

    #[test]
    fn what_was_fetched_before_is_not_taken_for_the_first_that_was_asked_for() {
        assert_eq!(read(3, &[0, 1, 2, 3]), (vec![0, 1, 2, 3], 2));
        assert_eq!(read(0, &[0, 1, 2, 3]), (vec![0, 1, 2, 3], 1), "what is the same is no harm");
    }

    #[test]
    fn a_hole_is_one_if_it_is_found_twice() {
        assert_eq!(read(2, &[2, 3]), (vec![2, 3], 2));
        assert_eq!(read(3, &[2, 3]), (vec![2, 3], 3));
    }

    #[test]
    fn whoever_goes_leaves_its_place_at_once() {
        let endpoint = Arc::new(Endpoint(Arc::new(Seen::default())));
        let mut outbox = Outbox::default();
        let lane = |outbox: &mut Outbox| {
            let mut lane = Lane::new(&endpoint, Use::Reads, 0);
            lane.ask(Want::Read { ticket: Ticket(1), from: 0 }, outbox);
            assert_eq!(lane.found(Range { start: 0, end: 4 }, outbox), Some(0));
            lane.streams_from(0);
            lane
        };
        let (waits, mut answered) = (lane(&mut outbox), lane(&mut outbox));
        answered.fetched(stored(0), 1);
        answered.answer(&mut outbox);
        outbox.deliver();
        assert!(!waits.is_free() && !answered.is_free(), "it may ask for what comes next");
        drop(endpoint);
        assert!(waits.is_free() && answered.is_free());
    }
}
