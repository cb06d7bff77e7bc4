//! A user of a log that keeps all reports and waits for those that a test expects. It knows the port alone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use saga::log::{Append, Log, Outcome, Range, Report, Reports, Request, Stored, Ticket};
use saga::wire::Message;

/// Far longer than anything here takes, the end of a dead member's session included: a test that waits so long has
/// failed.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Default)]
pub(crate) struct Inbox {
    reports: Mutex<Vec<(u32, Report)>>,
    arrived: Condvar,
}

impl Reports for Inbox {
    fn report(&self, partition: u32, reports: Vec<Report>) {
        self.reports.lock().unwrap().extend(reports.into_iter().map(|report| (partition, report)));
        self.arrived.notify_all();
    }
}

impl Inbox {
    /// Takes the first report that `pick` wants, waiting for it.
    pub(crate) fn take<T>(&self, mut pick: impl FnMut(u32, &Report) -> Option<T>) -> T {
        let mut found = None;
        let (reports, _) = self
            .arrived
            .wait_timeout_while(self.reports.lock().unwrap(), PATIENCE, |reports| {
                let at = reports.iter().position(|(partition, report)| {
                    found = pick(*partition, report);
                    found.is_some()
                });
                if let Some(at) = at {
                    reports.remove(at);
                }
                at.is_none()
            })
            .unwrap();
        found.unwrap_or_else(|| panic!("the report never came; there are {reports:#?}"))
    }

    /// Takes the first report that `pick` wants, if it is there now.
    pub(crate) fn poll<T>(&self, mut pick: impl FnMut(u32, &Report) -> Option<T>) -> Option<T> {
        let mut reports = self.reports.lock().unwrap();
        let mut found = None;
        let at = reports.iter().position(|(partition, report)| {
            found = pick(*partition, report);
            found.is_some()
        });
        reports.remove(at?);
        found
    }

    /// Whether there is such a report now.
    pub(crate) fn has(&self, mut pick: impl FnMut(&Report) -> bool) -> bool {
        self.reports.lock().unwrap().iter().any(|(_, report)| pick(report))
    }
}

/// A user with an inbox. Tickets are made here.
pub(crate) struct Probe {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) inbox: Arc<Inbox>,
    next: AtomicU64,
}

impl Probe {
    /// A user of the log that `open` gives a way to.
    pub(crate) fn new(open: impl FnOnce(Arc<dyn Reports>) -> Arc<dyn Log>) -> Self {
        let inbox = Arc::new(Inbox::default());
        Self { log: open(Arc::clone(&inbox) as Arc<dyn Reports>), inbox, next: 1.into() }
    }

    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks for an append and does not wait.
    pub(crate) fn send(&self, topic: &str, partition: u32, payload: &str) -> Ticket {
        self.send_message(topic, partition, Some(partition), message(payload))
    }

    /// The same, of any message, to a partition or to that of its key, in the name of the owner of `home`.
    pub(crate) fn send_message(&self, topic: &str, home: u32, partition: Option<u32>, message: Arc<Message>) -> Ticket {
        let ticket = self.ticket();
        self.log.submit(
            home,
            vec![Request::Append(Append { ticket, topic: topic.into(), partition, message, waits: false })],
        );
        ticket
    }

    pub(crate) fn outcome(&self, ticket: Ticket) -> Outcome {
        self.inbox.take(|_, report| match report {
            Report::Appended { ticket: of, outcome } if *of == ticket => Some(outcome.clone()),
            _ => None,
        })
    }

    /// Appends until it is acknowledged, and gives the offset.
    pub(crate) fn append(&self, topic: &str, partition: u32, payload: &str) -> u64 {
        loop {
            match self.outcome(self.send(topic, partition, payload)) {
                Outcome::At(offset) => return offset,
                Outcome::Unknown => {}
                Outcome::Refused(why) => panic!("refused: {why}"),
            }
        }
    }

    pub(crate) fn ask_read(&self, topic: &str, partition: u32, from: u64) -> Ticket {
        let ticket = self.ticket();
        self.log.submit(partition, vec![Request::Read { ticket, topic: topic.into(), from }]);
        ticket
    }

    pub(crate) fn records(&self, ticket: Ticket) -> Result<Vec<Stored>, Refused> {
        self.inbox.take(|_, report| match report {
            Report::Records { ticket: of, records, .. } if *of == ticket => Some(Ok(records.clone())),
            Report::OutOfRange { ticket: of, range } if *of == ticket => Some(Err(Refused::OutOfRange(*range))),
            Report::Failed { ticket: of, why } if *of == ticket => Some(Err(Refused::Failed(why.clone()))),
            Report::Damaged { ticket: of, why, until } if *of == ticket => {
                Some(Err(Refused::Damaged(why.clone(), *until)))
            }
            _ => None,
        })
    }

    /// What comes of a read that is under way; one that fails for now is asked again, as owners do.
    pub(crate) fn finish(
        &self,
        mut read: Ticket,
        topic: &str,
        partition: u32,
        from: u64,
    ) -> Result<Vec<Stored>, Refused> {
        loop {
            match self.records(read) {
                Err(Refused::Failed(_)) => read = self.ask_read(topic, partition, from),
                other => return other,
            }
        }
    }

    /// The same, from the beginning.
    pub(crate) fn read(&self, topic: &str, partition: u32, from: u64) -> Result<Vec<Stored>, Refused> {
        self.finish(self.ask_read(topic, partition, from), topic, partition, from)
    }

    /// All records from an offset to another, each at the place behind the one before it.
    pub(crate) fn between(&self, topic: &str, partition: u32, mut from: u64, end: u64) -> Vec<Stored> {
        let mut all = Vec::new();
        while from < end {
            let records = match self.records(self.ask_read(topic, partition, from)) {
                Ok(records) => records,
                Err(Refused::Failed(_)) => continue,
                Err(Refused::Damaged(why, _)) => panic!("{why}"),
                Err(Refused::OutOfRange(range)) => panic!("{topic} {partition} has {range:?}, and not {from}"),
            };
            assert!(!records.is_empty(), "a report of records has at least one");
            for stored in records {
                assert_eq!(stored.offset, from, "offsets rise by one");
                from += 1;
                all.push(stored);
            }
        }
        all
    }

    /// All payloads from an offset to another.
    pub(crate) fn payloads(&self, topic: &str, partition: u32, from: u64, end: u64) -> Vec<String> {
        let text = |stored: Stored| String::from_utf8(stored.message.payload.to_vec()).unwrap();
        let before_end = |stored: &Stored| stored.offset < end;
        self.between(topic, partition, from, end).into_iter().filter(before_end).map(text).collect()
    }

    pub(crate) fn last(&self, topic: &str, partition: u32) -> (Option<Stored>, Range) {
        let once = || {
            let ticket = self.ticket();
            self.log.submit(partition, vec![Request::Last { ticket, topic: topic.into() }]);
            self.inbox.take(|_, report| match report {
                Report::Last { ticket: of, last, range } if *of == ticket => Some(Some((last.clone(), *range))),
                Report::Failed { ticket: of, .. } if *of == ticket => Some(None),
                _ => None,
            })
        };
        std::iter::repeat_with(once).flatten().next().unwrap()
    }

    /// Where the topic ends, asked now.
    pub(crate) fn end(&self, topic: &str, partition: u32) -> Range {
        let once = || {
            let ticket = self.ticket();
            self.log.submit(partition, vec![Request::End { ticket, topic: topic.into() }]);
            self.inbox.take(|_, report| match report {
                Report::End { ticket: of, range } if *of == ticket => Some(Some(*range)),
                Report::Failed { ticket: of, .. } if *of == ticket => Some(None),
                _ => None,
            })
        };
        std::iter::repeat_with(once).flatten().next().unwrap()
    }

    pub(crate) fn truncate(&self, topic: &str, partition: u32, before: u64) {
        self.log.submit(partition, vec![Request::Truncate { topic: topic.into(), before }]);
    }

    /// Whether the log confirms that the partition is this user's.
    pub(crate) fn confirms(&self, partition: u32) -> bool {
        let once = || {
            let ticket = self.ticket();
            self.log.submit(partition, vec![Request::Confirm { ticket }]);
            self.inbox.take(|at, report| match report {
                Report::Confirmed { ticket: of } if *of == ticket && at == partition => Some(Some(true)),
                Report::Stale { ticket: of } if *of == ticket && at == partition => Some(Some(false)),
                Report::Failed { ticket: of, .. } if *of == ticket => Some(None),
                _ => None,
            })
        };
        std::iter::repeat_with(once).flatten().next().unwrap()
    }
}

/// Why a read gives nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    OutOfRange(Range),
    Failed(String),
    Damaged(String, Option<u64>),
}

pub(crate) fn message(payload: &str) -> Arc<Message> {
    let headers = [("ce_id", "1"), ("saga-kind", "do")].into_iter().collect();
    Arc::new(Message { key: "order-1".into(), headers, payload: payload.as_bytes().into() })
}
