//! Reads a command topic and appends the replies, for participants that answer at once.
//!
//! It works on the thread on which the log reports, so a command costs no hand-over between threads. Whoever may wait
//! (a service behind HTTP, a process) reads by a [`Client`](super::Client) in a task of its own instead.
//!
//! A command is behind us when its reply is durable: then the topic is truncated, which is where reading goes on after
//! a crash. So commands come at least once, as from any log.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::aside;
use crate::log::embedded::{Attached, Embedded};
use crate::log::{Append, Log, Report, Reports, Request, Ticket};
use crate::wire::Message;

/// The topic is truncated in steps of so many commands, so that each commit deletes little.
const COMMANDS_KEPT: u64 = 1_024;

/// How long a log that cannot be read is left alone before it is asked again.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Answers commands at once.
pub trait Serve: Send + Sync {
    /// The reply to a command; none: silence. Must not wait.
    fn serve(&self, command: &Message) -> Option<Reply>;
}

/// A reply and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition; without one the key decides.
    pub partition: Option<u32>,
    /// What.
    pub message: Message,
}

/// Starts to serve all partitions of a topic. Ends with the log.
pub fn serve(log: &Embedded, topic: &Arc<str>, participant: Arc<dyn Serve>) {
    let partitions = log.layout().partitions;
    let starts: Vec<u64> = (0..partitions).map(|partition| log.range(topic, partition).start).collect();
    let consumer = Arc::new(Consumer {
        topic: Arc::clone(topic),
        participant,
        log: Mutex::new(None),
        partitions: starts.iter().map(|start| Mutex::new(Reading::new(*start))).collect(),
    });
    let attached = log.attach(Arc::clone(&consumer) as Arc<dyn Reports>);
    *consumer.log.lock().unwrap_or_else(PoisonError::into_inner) = Some(attached.clone());
    for (partition, from) in (0..).zip(starts) {
        attached.submit(partition, vec![Request::Read { ticket: Ticket::default(), topic: Arc::clone(topic), from }]);
    }
}

struct Consumer {
    topic: Arc<str>,
    participant: Arc<dyn Serve>,
    /// Set before the first read.
    log: Mutex<Option<Attached>>,
    partitions: Vec<Mutex<Reading>>,
}

/// One partition's state.
struct Reading {
    /// Reports that came while one was being worked on: on this very thread, or another.
    reports: VecDeque<Report>,
    works: Works,
    next_ticket: u64,
    /// The next command's offset.
    next: u64,
    /// Commands whose replies are not durable, by the replies' tickets.
    unanswered: BTreeMap<Ticket, u64>,
    truncated: u64,
}

/// Whether somebody works on the reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Works {
    Yes,
    No,
}

impl Reading {
    fn new(start: u64) -> Self {
        let (reports, unanswered) = (VecDeque::new(), BTreeMap::new());
        Self { reports, works: Works::No, next_ticket: 1, next: start, unanswered, truncated: start }
    }

    fn ticket(&mut self) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket = self.next_ticket.saturating_add(1);
        ticket
    }

    /// Up to where every reply is durable.
    fn handled(&self) -> u64 {
        self.unanswered.values().next().copied().unwrap_or(self.next)
    }
}

impl Reports for Consumer {
    fn report(&self, partition: u32, reports: Vec<Report>) {
        let Some(lock) = self.partitions.get(partition as usize) else { return };
        let mut reading = held(lock);
        reading.reports.extend(reports);
        // A submit below may report at once, on this thread: then the loop that submitted takes it, not the stack.
        if reading.works == Works::Yes {
            return;
        }
        reading.works = Works::Yes;
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner).clone();
        while let Some(log) = &log
            && !reading.reports.is_empty()
        {
            let reports = std::mem::take(&mut reading.reports);
            let mut requests = Vec::new();
            for report in reports {
                self.take(&mut reading, partition, report, &mut requests);
            }
            drop(reading);
            if !requests.is_empty() {
                log.submit(partition, requests);
            }
            reading = held(lock);
        }
        reading.works = Works::No;
    }
}

fn held(reading: &Mutex<Reading>) -> MutexGuard<'_, Reading> {
    reading.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Consumer {
    fn take(&self, reading: &mut Reading, partition: u32, report: Report, requests: &mut Vec<Request>) {
        match report {
            Report::Records { records, .. } => {
                for stored in records {
                    reading.next = stored.offset.saturating_add(1);
                    let Some(Reply { topic, partition, message }) = self.participant.serve(&stored.message) else {
                        continue;
                    };
                    let ticket = reading.ticket();
                    reading.unanswered.insert(ticket, stored.offset);
                    let message = Arc::new(message);
                    requests.push(Request::Append(Append { ticket, topic, partition, message, waits: false }));
                }
                self.read_on(reading, requests);
            }
            // A reply that the log refused or lost is never given: the orchestrator's timeout asks again.
            Report::Appended { ticket, .. } => {
                reading.unanswered.remove(&ticket);
                let handled = reading.handled();
                if handled >= reading.truncated.saturating_add(COMMANDS_KEPT) {
                    reading.truncated = handled;
                    requests.push(Request::Truncate { topic: Arc::clone(&self.topic), before: handled });
                }
            }
            Report::OutOfRange { range, .. } => {
                tracing::warn!(topic = %self.topic, partition, next = reading.next, start = range.start, end = range.end,
                    "commands are not where they were; reading goes on at the start of what is there");
                reading.next = range.start;
                self.read_on(reading, requests);
            }
            Report::Damaged { why, until: Some(until), .. } if until > reading.next => {
                let ticket = reading.ticket();
                let note = aside::note(ticket, &self.topic, partition, (reading.next, until), &why);
                requests.push(Request::Append(note));
                reading.next = until;
                self.read_on(reading, requests);
            }
            Report::Failed { why, .. } | Report::Damaged { why, .. } => {
                tracing::error!(topic = %self.topic, partition, %why, "commands cannot be read for now");
                let read = self.read(reading);
                let log = self.log.lock().unwrap_or_else(PoisonError::into_inner).clone();
                // A thread of its own, since nothing here may wait; it seldom comes to this.
                thread::spawn(move || {
                    thread::sleep(READ_AGAIN_AFTER);
                    if let Some(log) = log {
                        log.submit(partition, vec![read]);
                    }
                });
            }
            Report::Assigned
            | Report::Revoked
            | Report::Confirmed { .. }
            | Report::Stale { .. }
            | Report::Last { .. }
            | Report::End { .. } => {}
        }
    }

    fn read_on(&self, reading: &mut Reading, requests: &mut Vec<Request>) {
        requests.push(self.read(reading));
    }

    fn read(&self, reading: &mut Reading) -> Request {
        let ticket = reading.ticket();
        Request::Read { ticket, topic: Arc::clone(&self.topic), from: reading.next }
    }
}
