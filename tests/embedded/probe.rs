//! A user of the log that keeps all reports and waits for those that a test expects.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use saga::log::embedded::{Attached, Embedded, Options};
use saga::log::{Append, Log, Outcome, Range, Report, Reports, Request, Stored, Ticket};
use saga::wire::Message;

/// Far longer than anything here takes: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

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

    /// Whether there is such a report now.
    pub(crate) fn has(&self, mut pick: impl FnMut(&Report) -> bool) -> bool {
        self.reports.lock().unwrap().iter().any(|(_, report)| pick(report))
    }
}

/// A user with an inbox. Tickets are made here.
pub(crate) struct Probe {
    pub(crate) log: Attached,
    pub(crate) inbox: Arc<Inbox>,
    next: std::sync::atomic::AtomicU64,
}

impl Probe {
    pub(crate) fn new(log: &Embedded) -> Self {
        let inbox = Arc::new(Inbox::default());
        Self { log: log.attach(Arc::clone(&inbox) as Arc<dyn Reports>), inbox, next: 1.into() }
    }

    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    }

    /// Asks for an append and does not wait.
    pub(crate) fn send(&self, topic: &str, partition: u32, payload: &str) -> Ticket {
        let ticket = self.ticket();
        let append = Append { ticket, topic: topic.into(), partition: Some(partition), message: message(payload) };
        self.log.submit(partition, vec![Request::Append(append)]);
        ticket
    }

    pub(crate) fn outcome(&self, ticket: Ticket) -> Outcome {
        self.inbox.take(|_, report| match report {
            Report::Appended { ticket: of, outcome } if *of == ticket => Some(outcome.clone()),
            _ => None,
        })
    }

    /// Appends and waits for the offset.
    pub(crate) fn append(&self, topic: &str, partition: u32, payload: &str) -> u64 {
        match self.outcome(self.send(topic, partition, payload)) {
            Outcome::At(offset) => offset,
            other => panic!("{other:?}"),
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
            _ => None,
        })
    }

    /// All payloads from an offset to the end.
    pub(crate) fn payloads(&self, topic: &str, partition: u32, mut from: u64, end: u64) -> Vec<String> {
        let mut payloads = Vec::new();
        while from < end {
            let records = self.records(self.ask_read(topic, partition, from)).unwrap();
            for stored in records {
                assert_eq!(stored.offset, from, "offsets rise by one");
                from += 1;
                payloads.push(String::from_utf8(stored.message.payload.to_vec()).unwrap());
            }
        }
        payloads
    }

    pub(crate) fn last(&self, topic: &str, partition: u32) -> (Option<Stored>, Range) {
        let ticket = self.ticket();
        self.log.submit(partition, vec![Request::Last { ticket, topic: topic.into() }]);
        self.inbox.take(|_, report| match report {
            Report::Last { ticket: of, last, range } if *of == ticket => Some((last.clone(), *range)),
            _ => None,
        })
    }

    pub(crate) fn truncate(&self, topic: &str, partition: u32, before: u64) {
        self.log.submit(partition, vec![Request::Truncate { topic: topic.into(), before }]);
    }
}

/// Why a read gives nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    OutOfRange(Range),
    Failed(String),
}

pub(crate) fn open(directory: &Path) -> Embedded {
    Embedded::open(directory, &Options::default()).unwrap()
}

pub(crate) fn message(payload: &str) -> Arc<Message> {
    let headers = vec![("ce_id".into(), "1".into()), ("saga-kind".into(), "do".into())];
    Arc::new(Message { key: "order-1".into(), headers, payload: payload.as_bytes().into() })
}
