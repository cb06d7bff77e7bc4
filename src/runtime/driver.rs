//! Runs one partition task on a thread of its own, over a log.
//!
//! ```text
//!   log reports ---+                                  +--> requests to the log
//!   looks, plans --+--> inbox --> Partition::handle --+
//!   its own timer -+                                  +--> facts to whoever watches
//! ```
//!
//! What has gathered in the inbox is handled in one go, and what it asks of the log goes there in one go: so groups grow
//! with the load. A panic of the task drops its state and recovers the partition from the journal, as after a crash.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::journal::Plans;
use crate::journal::record::Positions;
use crate::log::{Log, Report, Request};
use crate::runtime::partition::{Config, Do, Fact, Partition, Told};

/// So often a partition is recovered from a panic before it is left standing: a panic that comes back is a bug that a
/// repetition does not heal.
pub const PANICS_MAX: u32 = 3;

/// Who is told what a partition says.
pub(super) trait Watch: Send + Sync {
    /// Takes facts, on the partition's thread: must not wait.
    fn facts(&self, partition: u32, facts: Vec<Fact>);

    /// Up to where the partition's inputs are handled, on its thread: must not wait.
    fn has_read(&self, partition: u32, read: Positions);

    /// A partition of this process may go on, says another: must not wait.
    fn wake(&self, partition: u32);

    /// The partition's task panicked; it is recovered, or left standing.
    fn panicked(&self, partition: u32, next: AfterPanic);
}

/// What follows a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterPanic {
    /// The partition recovers from its journal.
    Recovers,
    /// It stands still until the process is started again.
    StandsStill,
}

/// What the thread is told.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    told: Mutex<Letters>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Letters {
    told: Vec<Told>,
    /// Set when the thread is to end once the partition is released, which it may be for another owner, too.
    closes: bool,
    /// Set when nobody waits for a release any more: the thread ends whatever is under way.
    ends: bool,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, told: impl IntoIterator<Item = Told>) {
        let mut letters = self.lock();
        letters.told.extend(told);
        drop(letters);
        self.arrived.notify_one();
    }

    /// What has been told, once there is something or the time has come; `None` when the thread is to end.
    fn take(&self, at_most: Option<Duration>) -> Option<Vec<Told>> {
        let idle = |letters: &mut Letters| letters.told.is_empty() && !letters.ends;
        let letters = self.lock();
        let mut letters = match at_most {
            Some(at_most) => {
                self.arrived.wait_timeout_while(letters, at_most, idle).unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.arrived.wait_while(letters, idle).unwrap_or_else(PoisonError::into_inner),
        };
        (!letters.ends).then(|| std::mem::take(&mut letters.told))
    }
}

/// A partition's thread. `close` is its end: it tells the task to release the partition, which finishes what is under
/// way and says [`Fact::Released`]; the thread ends by itself behind that, or when the patience of `close` does.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) inbox: Arc<Inbox>,
    thread: JoinHandle<()>,
    /// Its other end is dropped by the thread when it ends.
    ended: Receiver<()>,
}

impl Driver {
    pub(super) fn start(
        config: Config,
        plans: Arc<Plans>,
        inbox: Arc<Inbox>,
        log: Arc<dyn Log>,
        watch: Arc<dyn Watch>,
    ) -> std::io::Result<Self> {
        let name = format!("partition-{}", config.partition);
        let for_thread = Arc::clone(&inbox);
        let (ends, ended) = mpsc::channel();
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            let _ends = ends;
            Run { config, plans, inbox: for_thread, log, watch, began: Instant::now() }.run();
        })?;
        Ok(Self { inbox, thread, ended })
    }

    /// Asks the task to let go.
    pub(super) fn release(&self) {
        self.inbox.lock().closes = true;
        self.inbox.tell([Told::Log(Report::Revoked)]);
    }

    /// Waits for the thread, no longer than until `end`; then what is under way is left to the next recovery.
    pub(super) fn join(self, end: Instant) {
        // Too late or ended: both times it is told to end.
        let _ended = self.ended.recv_timeout(end.saturating_duration_since(Instant::now()));
        self.inbox.lock().ends = true;
        self.inbox.arrived.notify_one();
        // Panics are caught inside.
        drop(self.thread.join());
    }
}

/// The thread's own.
struct Run {
    config: Config,
    plans: Arc<Plans>,
    inbox: Arc<Inbox>,
    log: Arc<dyn Log>,
    watch: Arc<dyn Watch>,
    began: Instant,
}

/// Whether the thread goes on.
enum Turn {
    GoesOn,
    IsReleased,
    Ends,
}

impl Run {
    fn run(mut self) {
        let number = self.config.partition;
        for panics in 1.. {
            let mut partition = Partition::new(self.config.clone(), Arc::clone(&self.plans));
            let ended = catch_unwind(AssertUnwindSafe(|| self.turns(&mut partition)));
            if ended.is_ok() {
                return;
            }
            let next = if panics < PANICS_MAX { AfterPanic::Recovers } else { AfterPanic::StandsStill };
            tracing::error!(partition = number, ?next, "the partition's task panicked");
            self.watch.panicked(number, next);
            if next == AfterPanic::StandsStill {
                return;
            }
            self.inbox.tell([Told::Log(Report::Assigned)]);
        }
    }

    fn turns(&mut self, partition: &mut Partition) {
        while let Turn::GoesOn = self.turn(partition) {}
    }

    fn turn(&mut self, partition: &mut Partition) -> Turn {
        let at_most = partition.wakes_at().map(|at| at.saturating_sub(self.began.elapsed()));
        let Some(told) = self.inbox.take(at_most) else { return Turn::Ends };
        let plans = told.iter().rev().find_map(|told| if let Told::Plans(plans) = told { Some(plans) } else { None });
        if let Some(plans) = plans {
            self.plans = Arc::clone(plans);
        }
        let mut out = Vec::new();
        let now = self.began.elapsed();
        partition.handle(told, now, &mut out);
        if partition.wakes_at().is_some_and(|at| at <= now) {
            partition.handle([Told::Tick], now, &mut out);
        }
        let mut requests: Vec<Request> = Vec::new();
        let mut facts: Vec<Fact> = Vec::new();
        for what in out {
            match what {
                Do::Ask(request) => requests.push(request),
                Do::Tell(fact) => facts.push(fact),
                Do::Wake(partition) => self.watch.wake(partition),
            }
        }
        let is_released = facts.iter().any(|fact| matches!(fact, Fact::Released));
        if !requests.is_empty() {
            self.log.submit(self.config.partition, requests);
        }
        if !facts.is_empty() {
            self.watch.facts(self.config.partition, facts);
        }
        if let Some(read) = partition.read() {
            self.watch.has_read(self.config.partition, read);
        }
        if is_released && self.inbox.lock().closes { Turn::IsReleased } else { Turn::GoesOn }
    }
}
