//! A way to the log for what waits: requests go in, futures come back.
//!
//! The port reports to one receiver; this sorts the reports by their tickets. A future that is dropped leaves nothing
//! behind but a report that nobody takes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::log::{Append, Log, Member, Outcome, Range, Report, Reports, Request, Site, Stored, Take, Ticket};
use crate::wire::Message;

/// How long a log that does not answer is left alone before it is asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// So many questions without an answer are worth a word: a topic that was just made has no leader for a moment.
const SAID_AFTER: u64 = 10;

/// One user of the log. Of reads of one topic's partition only the latest is answered: whoever reads by itself takes
/// a client of its own, they are cheap.
#[derive(Clone)]
pub struct Client {
    log: Arc<dyn Log>,
    waiting: Arc<Waiting>,
}

/// Who waits for which report.
#[derive(Default)]
struct Waiting {
    next: AtomicU64,
    by_ticket: Mutex<BTreeMap<Ticket, Waiter>>,
    /// Who is told of partitions that come and go.
    turns: Option<mpsc::UnboundedSender<Turn>>,
}

/// A partition comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Its commands are this process's to take.
    Begins(u32),
    /// They are another's: let go of it.
    Ends(u32),
}

/// The way of somebody who takes a topic's commands.
pub struct Taking {
    /// Reads and appends.
    pub client: Client,
    /// Partitions as they come and go.
    pub turns: mpsc::UnboundedReceiver<Turn>,
    take: Arc<dyn Take>,
}

impl Taking {
    /// Begins to take commands, in turn with others of the group.
    ///
    /// # Errors
    /// It cannot be set up; for people.
    pub fn begin(log: &dyn Site, topic: &Arc<str>, member: Member<'_>) -> Result<Self, String> {
        // As many as there are changes of members: they are few, and each is taken at once.
        let (tell, turns) = mpsc::unbounded_channel();
        let waiting = Arc::new(Waiting { turns: Some(tell), ..Waiting::default() });
        let take = log.take(topic, member, Arc::clone(&waiting) as Arc<dyn Reports>)?;
        let client = Client { log: Arc::clone(&take) as Arc<dyn Log>, waiting };
        Ok(Self { client, turns, take })
    }

    /// Asks where to go on in a partition.
    #[must_use]
    pub fn places(&self) -> Places {
        Places(Arc::clone(&self.take))
    }
}

/// What becomes of a report.
enum Waiter {
    /// Of an append. Called at once, on the log's thread, so that nothing can come between.
    Appended(Box<dyn FnOnce(Outcome) + Send>),
    /// Of anything else.
    Read(oneshot::Sender<Report>),
}

/// Why a read gave nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// Before the start or beyond the end.
    #[error("read offset {from} of partition {partition} of {topic}: it holds offsets {} to before {}", range.start, range.end)]
    OutOfRange {
        /// Which topic.
        topic: Arc<str>,
        /// Which partition.
        partition: u32,
        /// The offset.
        from: u64,
        /// Which offsets there are.
        range: Range,
    },
    /// The log says no.
    #[error("{why}")]
    Failed {
        /// For people.
        why: String,
    },
    /// They are not what was written.
    #[error("{why}")]
    Damaged {
        /// For people.
        why: String,
        /// The first offset behind them, where that can be told.
        until: Option<u64>,
    },
    /// The log was closed meanwhile.
    #[error("read a log that was closed")]
    Closed,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Ticket, Waiter>> {
        self.by_ticket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ticket(&self, waiter: Waiter) -> Ticket {
        let ticket = Ticket(self.next.fetch_add(1, Ordering::Relaxed));
        self.lock().insert(ticket, waiter);
        ticket
    }
}

impl Reports for Waiting {
    fn report(&self, partition: u32, reports: Vec<Report>) {
        let mut taken = Vec::with_capacity(reports.len());
        let mut by_ticket = self.lock();
        for report in reports {
            let turn = match report {
                Report::Assigned => Some(Turn::Begins(partition)),
                Report::Revoked => Some(Turn::Ends(partition)),
                _ => None,
            };
            if let (Some(turn), Some(turns)) = (turn, &self.turns) {
                // Nobody takes anything any more.
                let _closed = turns.send(turn);
            }
            let waiter = ticket_of(&report).and_then(|ticket| by_ticket.remove(&ticket));
            taken.extend(waiter.map(|waiter| (waiter, report)));
        }
        drop(by_ticket);
        for (waiter, report) in taken {
            match (waiter, report) {
                (Waiter::Appended(done), Report::Appended { outcome, .. }) => done(outcome),
                // Whoever asked has gone: nothing to do.
                (Waiter::Read(sender), report) => drop(sender.send(report)),
                (Waiter::Appended(done), _) => done(Outcome::Unknown),
            }
        }
    }
}

fn ticket_of(report: &Report) -> Option<Ticket> {
    match report {
        Report::Confirmed { ticket }
        | Report::Stale { ticket }
        | Report::Last { ticket, .. }
        | Report::End { ticket, .. }
        | Report::Appended { ticket, .. }
        | Report::Records { ticket, .. }
        | Report::OutOfRange { ticket, .. }
        | Report::Failed { ticket, .. }
        | Report::Damaged { ticket, .. } => Some(*ticket),
        Report::Assigned | Report::Revoked => None,
    }
}

/// Tells where to go on in the partitions of a topic of commands, and is told where somebody has finished.
pub struct Places(Arc<dyn Take>);

impl Places {
    /// A partition is let go of.
    pub fn released(&self, partition: u32) {
        self.0.released(partition);
    }

    /// Behind what is handled of a partition.
    ///
    /// # Errors
    /// The log does not say, for now.
    pub async fn of(&self, partition: u32) -> Result<u64, ReadError> {
        let (tell, told) = oneshot::channel();
        // Whoever asked may have gone.
        self.0.goes_on(partition, Box::new(move |at| drop(tell.send(at))));
        match told.await {
            Ok(Ok(at)) => Ok(at),
            Ok(Err(why)) => Err(ReadError::Failed { why }),
            Err(_) => Err(ReadError::Closed),
        }
    }
}

/// Which offsets a partition of a topic has.
pub(super) async fn range(log: &dyn Site, topic: &str, partition: u32) -> Result<Range, ReadError> {
    let (tell, told) = oneshot::channel();
    // Whoever asked may have gone.
    log.range(topic, partition, Box::new(move |range| drop(tell.send(range))));
    match told.await {
        Ok(Ok(range)) => Ok(range),
        Ok(Err(why)) => Err(ReadError::Failed { why }),
        Err(_) => Err(ReadError::Closed),
    }
}

/// Whether a log has a topic. Where it does not say, it may.
pub(super) async fn has(log: &dyn Site, topic: &str) -> bool {
    let (tell, told) = oneshot::channel();
    // Whoever asked may have gone.
    log.has(topic, Box::new(move |has| drop(tell.send(has))));
    !matches!(told.await, Ok(Ok(false)))
}

/// Asks a log that others have too until it answers: it may be between two leaders, which is said if it lasts. Any other
/// log is asked once.
pub(super) async fn patiently<T>(
    log: &dyn Site,
    mut ask: impl AsyncFnMut() -> Result<T, ReadError>,
) -> Result<T, ReadError> {
    for tried in 1_u64.. {
        match ask().await {
            Err(ReadError::Failed { why }) if log.is_shared() => {
                if tried == SAID_AFTER {
                    tracing::warn!(%why, "the log does not answer for now; it is asked again");
                }
                sleep(ASK_AGAIN_AFTER).await;
            }
            answer => return answer,
        }
    }
    Err(ReadError::Closed)
}

impl Client {
    /// A new user of the log.
    #[must_use]
    pub fn new(log: &dyn Site) -> Self {
        let waiting = Arc::new(Waiting::default());
        Self { log: log.attach(Arc::clone(&waiting) as Arc<dyn Reports>), waiting }
    }

    /// Appends; `done` is called on a thread of the log when it is known what came of it.
    pub fn append_then(
        &self,
        topic: &Arc<str>,
        partition: u32,
        message: impl Into<Arc<Message>>,
        done: impl FnOnce(Outcome) + Send + 'static,
    ) {
        let ticket = self.waiting.ticket(Waiter::Appended(Box::new(done)));
        let append = Append {
            ticket,
            topic: Arc::clone(topic),
            partition: Some(partition),
            message: message.into(),
            waits: false,
        };
        self.log.submit(partition, vec![Request::Append(append)]);
    }

    /// Appends and waits until it is durable.
    pub async fn append(&self, topic: &Arc<str>, partition: u32, message: Message) -> Outcome {
        let (sender, receiver) = oneshot::channel();
        self.append_then(topic, partition, message, move |outcome| drop(sender.send(outcome)));
        receiver.await.unwrap_or(Outcome::Unknown)
    }

    /// Reads from an offset on, and waits for a record at the end.
    ///
    /// # Errors
    /// There is no such offset, or the log cannot be read.
    pub async fn read(&self, topic: &Arc<str>, partition: u32, from: u64) -> Result<(Vec<Stored>, Range), ReadError> {
        let (sender, receiver) = oneshot::channel();
        let ticket = self.waiting.ticket(Waiter::Read(sender));
        self.log.submit(partition, vec![Request::Read { ticket, topic: Arc::clone(topic), from }]);
        match receiver.await {
            Ok(Report::Records { records, range, .. }) => Ok((records, range)),
            Ok(Report::OutOfRange { range, .. }) => {
                Err(ReadError::OutOfRange { topic: Arc::clone(topic), partition, from, range })
            }
            Ok(Report::Failed { why, .. }) => Err(ReadError::Failed { why }),
            Ok(Report::Damaged { why, until, .. }) => Err(ReadError::Damaged { why, until }),
            Ok(_) | Err(_) => Err(ReadError::Closed),
        }
    }

    /// Lets records before an offset go.
    pub fn truncate(&self, topic: &Arc<str>, partition: u32, before: u64) {
        self.log.submit(partition, vec![Request::Truncate { topic: Arc::clone(topic), before }]);
    }
}
