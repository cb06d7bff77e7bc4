//! Reads the journals of a log that is shared, whoever owns the partitions, so that this process can tell of all
//! instances: their rows, those who follow them, and what became of requests.
//!
//! A partition's journal is read from when somebody asks for something in it: from the last complete checkpoint on, and
//! from the start where what is asked for is older. Records that count have been acknowledged, so they count for ever.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::client::{Client, ReadError};
use super::error::Error;
use super::reading;
use super::shared::Core;
use crate::journal::{Damage, JournalError, Rule, decode};
use crate::log::Stored;

/// How long a journal that cannot be read is left alone before it is tried again.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// How far back somebody looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// What happens from now on.
    News,
    /// What has changed since the last checkpoint.
    Recent,
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
    progress: watch::Receiver<Progress>,
    task: AbortHandle,
}

impl Mirror {
    fn goes_on(&self) -> bool {
        matches!(*self.progress.borrow(), Progress::At(_))
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone, Debug)]
enum Progress {
    /// Everything before this offset is in the view.
    At(u64),
    /// It cannot go on; for people.
    Failed(Arc<JournalError>),
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
        let mut slot = slot.lock().await;
        let is_enough = |mirror: &Mirror| depth != Depth::All || mirror.from <= range.start;
        let mut progress = if let Some(mirror) = slot.as_ref().filter(|mirror| is_enough(mirror)) {
            mirror.progress.clone()
        } else {
            let from = match depth {
                Depth::All => range.start,
                Depth::News | Depth::Recent => {
                    let client = Client::new(&core.log);
                    let read = reading::checkpoint(&client, &core.topics.journal, partition, range);
                    read.await.map_err(Error::Look)?.max(range.start)
                }
            };
            // The one before ends first: two would write the same rows.
            drop(slot.take());
            core.view.forget_all(partition);
            let (tell, progress) = watch::channel(Progress::At(from));
            let reader = Reader { core: Arc::clone(core), partition, next: from, rule: None, tell };
            let task = tokio::spawn(reader.run()).abort_handle();
            *slot = Some(Mirror { from, progress: progress.clone(), task });
            progress
        };
        drop(slot);
        if depth == Depth::News {
            return Ok(());
        }
        let is_there = |progress: &Progress| match progress {
            Progress::At(next) => *next >= range.end,
            Progress::Failed(_) => true,
        };
        match &*progress.wait_for(is_there).await.map_err(|_| Error::Closed)? {
            Progress::At(_) => Ok(()),
            Progress::Failed(error) => Err(Error::Unreadable(Arc::clone(error))),
        }
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

struct Reader {
    core: Arc<Core>,
    partition: u32,
    next: u64,
    /// None where reading has not begun, or begins anew at a checkpoint.
    rule: Option<Rule>,
    tell: watch::Sender<Progress>,
}

impl Reader {
    async fn run(mut self) {
        let client = Client::new(&self.core.log);
        let journal = Arc::clone(&self.core.topics.journal);
        if self.next == 0 {
            self.rule = Some(Rule::from_the_beginning());
        }
        loop {
            match client.read(&journal, self.partition, self.next).await {
                Ok((records, _)) => {
                    for stored in records {
                        if let Err(error) = self.take(&stored) {
                            tracing::error!(partition = self.partition, %error, "a journal cannot be read any further");
                            self.tell.send_replace(Progress::Failed(Arc::new(error)));
                            return;
                        }
                    }
                    self.tell.send_replace(Progress::At(self.next));
                }
                Err(ReadError::OutOfRange { range, .. }) => {
                    // Truncated meanwhile, to a complete checkpoint.
                    (self.next, self.rule) = (range.start, None);
                    sleep(READ_AGAIN_AFTER).await;
                }
                Err(ReadError::Failed { why } | ReadError::Damaged { why, .. }) => {
                    tracing::debug!(partition = self.partition, %why, "a journal cannot be read for now");
                    sleep(READ_AGAIN_AFTER).await;
                }
                Err(ReadError::Closed) => return,
            }
        }
    }

    fn take(&mut self, stored: &Stored) -> Result<(), JournalError> {
        let (partition, offset) = (self.partition, stored.offset);
        let damaged = |damage| JournalError { partition, offset, damage };
        let record = Arc::new(decode(&stored.message.payload).map_err(damaged)?);
        let mut rule = match self.rule.take() {
            Some(rule) => rule,
            None => Rule::from_checkpoint(offset, &record)
                .ok_or_else(|| damaged(Damage::NoCheckpoint { kind: record.body.name() }))?,
        };
        let counts = rule.counts(offset, &record);
        self.rule = Some(rule);
        self.next = offset.saturating_add(1);
        if counts {
            self.core.mirrored(partition, offset, &record);
        }
        Ok(())
    }
}
