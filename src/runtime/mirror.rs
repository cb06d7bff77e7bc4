//! Reads the journals of a log that is shared, whoever owns the partitions, so that this process can tell of all
//! instances: their rows, those who follow them, and what became of requests.
//!
//! A partition's journal is read from when somebody asks for something in it: from the last complete checkpoint on, and
//! from the start where what is asked for is older. Records that count have been acknowledged, so they count for ever.
//! What is live is kept in memory as an owner has it, as long as somebody looks.

use std::sync::{Arc, Mutex as Lock, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::client::{Client, ReadError};
use super::error::Error;
use super::orchestrator::Shown;
use super::partition::{Recovered, Stands, Stop};
use super::reading;
use super::shared::Core;
use crate::engine::InstanceId;
use crate::journal::record::Positions;
use crate::journal::{self, Damage, JournalError, Ledger, Rule, STRANGERS};
use crate::log::Stored;

/// How long a journal that cannot be read is left alone before it is tried again.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// How long a journal that cannot be read any further is not read again, however many look: what is read in vain can be
/// long. Behind that it may be mended.
const FAILED_FOR: Duration = Duration::from_secs(30);

/// How long what is live is kept in memory when nobody looks any more: longer than somebody who looks again and again
/// waits in between.
const QUIET_MAX: Duration = Duration::from_mins(1);

/// How far back somebody looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// What happens from now on.
    News,
    /// What is live.
    Live,
    /// All that the journal has.
    All,
}

/// Of each partition, the reader of its journal once there is one.
#[derive(Default)]
pub(super) struct Mirrors {
    each: Vec<Mutex<Option<Mirror>>>,
}

struct Mirror {
    from: u64,
    seen: Arc<Seen>,
    progress: watch::Receiver<Progress>,
    task: AbortHandle,
}

/// What is live in a partition.
struct Seen {
    /// None where nobody has looked, or not for long.
    ledger: Lock<Option<Ledger>>,
    looked: Lock<Instant>,
    /// Whether its reader is still the one who writes the partition's rows. Held while it does: a task that is aborted goes
    /// on to its next await, and what it wrote behind the start of another one would keep the rows before that out.
    writes: Lock<bool>,
}

impl Seen {
    fn new(ledger: Option<Ledger>) -> Self {
        Self { ledger: Lock::new(ledger), looked: Lock::new(Instant::now()), writes: Lock::new(true) }
    }

    /// The right to write the partition's rows, unless another reader has it by now.
    fn writing(&self) -> Option<MutexGuard<'_, bool>> {
        Some(self.writes.lock().unwrap_or_else(PoisonError::into_inner)).filter(|writes| **writes)
    }

    /// Its reader writes nothing any more.
    fn ends(&self) {
        *self.writes.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }

    fn ledger(&self) -> MutexGuard<'_, Option<Ledger>> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn looked(&self) -> MutexGuard<'_, Instant> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mirror {
    fn goes_on(&self) -> bool {
        matches!(*self.progress.borrow(), Progress::At(_))
    }

    /// Whether it failed so long ago that another may do better.
    fn is_over(&self) -> bool {
        matches!(&*self.progress.borrow(), Progress::Failed { since, .. } if since.elapsed() > FAILED_FOR)
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.task.abort();
        self.seen.ends();
    }
}

#[derive(Clone, Debug)]
enum Progress {
    /// Everything before this offset is in the view.
    At(u64),
    /// It cannot go on.
    Failed { why: Arc<Stop>, since: Instant },
}

impl Mirrors {
    pub(super) fn new(partitions: u32) -> Self {
        Self { each: (0..partitions).map(|_| Mutex::default()).collect() }
    }

    /// Brings what is known of a partition up to the end that its journal has now, and keeps it there. Of news, it is
    /// enough that they are being read.
    pub(super) async fn look(&self, core: &Arc<Core>, partition: u32, depth: Depth) -> Result<(), Error> {
        let Some(slot) = self.each.get(partition as usize) else { return Err(Error::Closed) };
        if depth == Depth::News && slot.lock().await.as_ref().is_some_and(Mirror::goes_on) {
            return Ok(());
        }
        let range = core.range(&core.topics.journal, partition).await?;
        if range.start > 0 && range.start == range.end {
            let (topic, damage) = (Arc::clone(&core.topics.journal), Damage::Emptied);
            let emptied = JournalError { topic, partition, offset: range.end, damage };
            return Err(Error::Unreadable(Arc::new(Stop::Damaged(emptied))));
        }
        let mut slot = slot.lock().await;
        let is_enough = |mirror: &Mirror| match depth {
            _ if !mirror.goes_on() => !mirror.is_over(),
            Depth::News => true,
            Depth::Live => mirror.seen.ledger().is_some(),
            Depth::All => mirror.from <= range.start && mirror.seen.ledger().is_some(),
        };
        let mut progress = if let Some(mirror) = slot.as_ref().filter(|mirror| is_enough(mirror)) {
            *mirror.seen.looked() = Instant::now();
            mirror.progress.clone()
        } else {
            let from = match depth {
                Depth::All => range.start,
                Depth::News | Depth::Live => {
                    let client = Client::new(&core.log);
                    let read = reading::checkpoint(&client, &core.topics.journal, partition, range);
                    read.await.map_err(|error| reading::unreadable(partition, error))?.max(range.start)
                }
            };
            core.learn().await;
            // The one before ends first: two would write the same rows.
            drop(slot.take());
            let ledger = (depth != Depth::News).then(|| ledger(from));
            let seen = Arc::new(Seen::new(ledger));
            let (tell, progress) = watch::channel(Progress::At(from));
            core.view.forget_all(partition);
            let reader = Reader {
                core: Arc::clone(core),
                partition,
                seen: Arc::clone(&seen),
                next: from,
                rule: (from == 0).then(Rule::from_the_beginning),
                heals_at: Some(range.end),
                tell,
            };
            let task = tokio::spawn(reader.run()).abort_handle();
            *slot = Some(Mirror { from, seen, progress: progress.clone(), task });
            progress
        };
        drop(slot);
        if depth == Depth::News && matches!(*progress.borrow(), Progress::At(_)) {
            return Ok(());
        }
        let is_there = |progress: &Progress| match progress {
            Progress::At(next) => *next >= range.end,
            Progress::Failed { .. } => true,
        };
        match &*progress.wait_for(is_there).await.map_err(|_| Error::Closed)? {
            Progress::At(_) => Ok(()),
            Progress::Failed { why, .. } => Err(Error::Unreadable(Arc::clone(why))),
        }
    }

    /// What a partition's ledger says, behind a look at what is live.
    async fn ask<T>(&self, partition: u32, ask: impl FnOnce(&Ledger) -> T) -> Option<T> {
        let slot = self.each.get(partition as usize)?.lock().await;
        let seen = Arc::clone(&slot.as_ref()?.seen);
        drop(slot);
        let ledger = seen.ledger();
        ledger.as_ref().map(ask)
    }

    /// A live instance.
    pub(super) async fn live(&self, partition: u32, id: &InstanceId) -> Option<Shown> {
        let shown = self.ask(partition, |ledger| {
            let live = ledger.live(id)?;
            Some(Shown { instance: Arc::new(live.instance.clone()), plan: Arc::clone(&live.plan) })
        });
        shown.await.flatten()
    }

    /// Up to where the inputs of a partition are decided.
    pub(super) async fn read(&self, partition: u32) -> Option<Positions> {
        self.ask(partition, |ledger| ledger.read).await
    }

    pub(super) fn close(&self) {
        for slot in &self.each {
            // One that is being begun ends with the runtime.
            if let Ok(mut slot) = slot.try_lock() {
                drop(slot.take());
            }
        }
    }
}

fn ledger(from: u64) -> Ledger {
    if from == 0 { Ledger::default() } else { Ledger::default().from_checkpoint(from) }
}

struct Reader {
    core: Arc<Core>,
    partition: u32,
    seen: Arc<Seen>,
    next: u64,
    /// None where reading has not begun, or begins anew at a checkpoint.
    rule: Option<Rule>,
    /// Where the rows are mended by what is live: what began before the checkpoint has none.
    heals_at: Option<u64>,
    tell: watch::Sender<Progress>,
}

impl Reader {
    async fn run(mut self) {
        let client = Client::new(&self.core.log);
        let journal = Arc::clone(&self.core.topics.journal);
        let from = self.next;
        let mut has_learned = false;
        loop {
            let Ok(read) = timeout(QUIET_MAX, client.read(&journal, self.partition, self.next)).await else {
                self.forget();
                continue;
            };
            match read {
                Ok((records, range)) => match self.take_all(&records) {
                    Ok(()) => {}
                    Err(JournalError { damage: Damage::NoDefinition { .. }, .. }) if !has_learned => {
                        // It was deployed while we read: all of it again, by what is known then.
                        has_learned = true;
                        self.core.learn().await;
                        self.begin_at(from.max(range.start), range.end);
                    }
                    // The pointer to it was a stranger's. The log's start is a checkpoint, or offset 0.
                    Err(JournalError { damage: Damage::NoCheckpoint { .. }, offset, .. }) if offset > range.start => {
                        self.begin_at(range.start, range.end);
                    }
                    Err(error) => return self.fail(Stop::Damaged(error)),
                },
                Err(ReadError::OutOfRange { range, .. }) => {
                    // Truncated meanwhile, to a complete checkpoint.
                    sleep(READ_AGAIN_AFTER).await;
                    self.begin_at(range.start, range.end);
                }
                Err(ReadError::Damaged { why, .. }) => {
                    return self.fail(Stop::Unreadable { partition: self.partition, why });
                }
                Err(ReadError::Failed { why }) => {
                    tracing::debug!(partition = self.partition, %why, "a journal cannot be read for now");
                    sleep(READ_AGAIN_AFTER).await;
                }
                Err(ReadError::Closed) => return,
            }
            self.forget();
        }
    }

    /// Ends. What was read before the damage is as old as that, and goes: nobody would know it from what is so now.
    fn fail(&self, why: Stop) {
        let Some(_writing) = self.seen.writing() else { return };
        tracing::error!(partition = self.partition, error = %why, "a journal cannot be read any further");
        self.core.view.forget_all(self.partition);
        *self.seen.ledger() = None;
        self.tell.send_replace(Progress::Failed { why: Arc::new(why), since: Instant::now() });
    }

    /// Begins anew.
    fn begin_at(&mut self, from: u64, end: u64) {
        let seen = Arc::clone(&self.seen);
        let Some(_writing) = seen.writing() else { return };
        self.core.view.forget_all(self.partition);
        if let Some(before) = &mut *self.seen.ledger() {
            *before = ledger(from);
        }
        (self.next, self.heals_at) = (from, Some(end));
        self.rule = (from == 0).then(Rule::from_the_beginning);
    }

    /// Lets what is live go, if nobody has looked for long.
    fn forget(&self) {
        if self.heals_at.is_none() && self.seen.looked().elapsed() > QUIET_MAX {
            *self.seen.ledger() = None;
        }
    }

    fn take_all(&mut self, records: &[Stored]) -> Result<(), JournalError> {
        let seen = Arc::clone(&self.seen);
        let Some(_writing) = seen.writing() else { return Ok(()) };
        for stored in records {
            self.take(stored)?;
        }
        if self.heals_at.is_some_and(|end| self.next >= end) {
            self.heals_at = None;
            if let Some(ledger) = &*self.seen.ledger() {
                let live: Vec<Recovered> = ledger.all_live().map(|live| Recovered::of(&live)).collect();
                self.core.view.heal(self.partition, self.next, live);
            }
        }
        self.tell.send_replace(Progress::At(self.next));
        Ok(())
    }

    fn take(&mut self, stored: &Stored) -> Result<(), JournalError> {
        let (partition, offset) = (self.partition, stored.offset);
        let topic = &self.core.topics.journal;
        let damaged = |damage| JournalError { topic: Arc::clone(topic), partition, offset, damage };
        let read = journal::read(offset, &stored.message.payload).map_err(damaged)?;
        let Some(record) = read.map(Arc::new) else {
            let rule = self.rule.as_mut().ok_or_else(|| damaged(Damage::NoCheckpoint { kind: STRANGERS }))?;
            rule.ends(offset);
            self.next = offset.saturating_add(1);
            return Ok(());
        };
        let mut rule = match self.rule.take() {
            Some(rule) => rule,
            None => Rule::from_checkpoint(offset, &record)
                .ok_or_else(|| damaged(Damage::NoCheckpoint { kind: record.body.name() }))?,
        };
        let counts = rule.counts(offset, &record).map_err(damaged)?;
        self.rule = Some(rule);
        self.next = offset.saturating_add(1);
        if counts {
            let stands = match &mut *self.seen.ledger() {
                Some(ledger) => {
                    let booked = ledger.book(&self.core.plans(), &record, stored.message.payload.len(), None);
                    booked.map_err(damaged)?.live().map(Stands::of)
                }
                None => None,
            };
            self.core.mirrored(partition, offset, &record, stands);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reader_that_another_follows_writes_no_more_rows() {
        let seen = Arc::new(Seen::new(None));
        let (_tell, progress) = watch::channel(Progress::At(0));
        let task = tokio::spawn(std::future::pending::<()>()).abort_handle();
        let mirror = Mirror { from: 0, seen: Arc::clone(&seen), progress, task };
        let writing = seen.writing().expect("it is the first one");
        // Whoever ends it waits for what it writes just now.
        let ending = std::thread::spawn(move || drop(mirror));
        drop(writing);
        ending.join().unwrap();
        assert!(seen.writing().is_none());
    }
}
