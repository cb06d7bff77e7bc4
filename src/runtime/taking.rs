//! Takes the partitions of somebody's topic as they come: reads each, and hands over what is read.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::aside::unreadable;
use super::client::{Client, ReadError, Taking, Turn, range};
use super::readable::Readable;
use crate::log::{Range, Site, Stored};
use crate::wire::Message;

/// Messages that wait between the log and whoever deals with them, per partition: enough that nobody waits for a read.
pub const QUEUED_MAX: usize = 256;

/// How long a log that cannot be read is left alone before it is tried again.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// A read that has not failed by then waits for records that do not come.
const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// Deals with what is read of a partition, and lets it go from the topic.
pub trait Handle: Send + Sync + 'static {
    /// Until nothing comes any more or it ends: then what waits is left to the next one, and what is under way finished and let
    /// go from the topic.
    fn handle(
        &self,
        partition: u32,
        messages: mpsc::Receiver<(u64, Message)>,
        ends: Ends,
    ) -> impl Future<Output = ()> + Send;
}

/// Whether a partition is to be let go of.
#[derive(Clone, Debug)]
pub struct Ends(watch::Receiver<bool>);

impl Ends {
    /// With the one who says so: by true, or by being dropped.
    #[must_use]
    pub fn told() -> (watch::Sender<bool>, Self) {
        let (tell, told) = watch::channel(false);
        (tell, Self(told))
    }

    /// Returns once it is.
    pub async fn come(&mut self) {
        // Also when nobody is there to say so any more.
        let _gone = self.0.wait_for(|ends| *ends).await;
    }
}

/// Takes the partitions of a topic as they come, and lets go of them.
pub struct Taker<H> {
    /// The log with the topic.
    pub log: Arc<dyn Site>,
    /// The way to the topic.
    pub taking: Taking,
    /// Which.
    pub topic: Arc<str>,
    /// Where it is noted what cannot be read.
    pub dead: Arc<str>,
    /// Deals with what is read.
    pub handler: Arc<H>,
    /// Whether it is to end.
    pub stopped: watch::Receiver<bool>,
}

impl<H: Handle> Taker<H> {
    /// Until it is told to end, and all that was read is dealt with.
    pub async fn run(mut self) {
        let mut tasks = JoinSet::new();
        let mut readers: BTreeMap<u32, (AbortHandle, watch::Sender<bool>)> = BTreeMap::new();
        let mut stopped = self.stopped.clone();
        let readable = Arc::new(Readable::new(&self.topic));
        loop {
            let turn = tokio::select! {
                turn = self.taking.turns.recv() => turn,
                // Also when nobody is there to stop us any more.
                _ = stopped.wait_for(|stopped| *stopped) => None,
            };
            match turn {
                Some(Turn::Begins(partition)) => {
                    let (queue, queued) = mpsc::channel(QUEUED_MAX);
                    let reader = Reader {
                        log: Arc::clone(&self.log),
                        client: self.taking.client.clone(),
                        topic: Arc::clone(&self.topic),
                        dead: Arc::clone(&self.dead),
                        readable: Arc::clone(&readable),
                        partition,
                        next: 0,
                        is_sure: false,
                    };
                    let begins = self.begins(partition, &readable);
                    let reading = tasks.spawn(reader.run(begins, queue, self.stopped.clone()));
                    let (end, ends) = Ends::told();
                    if let Some((before, _)) = readers.insert(partition, (reading, end)) {
                        before.abort();
                    }
                    let (handler, places) = (Arc::clone(&self.handler), self.taking.places());
                    tasks.spawn(async move {
                        handler.handle(partition, queued, ends).await;
                        // Not before: the next one would do again what is under way.
                        places.released(partition);
                    });
                }
                Some(Turn::Ends(partition)) => {
                    match readers.remove(&partition) {
                        // Its other half is dropped with it, so what is under way is finished.
                        Some((reader, _)) => reader.abort(),
                        None => self.taking.places().released(partition),
                    }
                    readable.left(partition);
                }
                None => break,
            }
        }
        drop(readers);
        while tasks.join_next().await.is_some() {}
    }

    /// Where reading a partition begins; asked until it is answered.
    fn begins(&self, partition: u32, readable: &Arc<Readable>) -> impl Future<Output = Option<u64>> + Send + 'static {
        let (places, readable) = (self.taking.places(), Arc::clone(readable));
        async move {
            loop {
                match places.of(partition).await {
                    Ok(next) => return Some(next),
                    Err(ReadError::Failed { why }) => {
                        readable.failed(partition, &why);
                        sleep(READ_AGAIN_AFTER).await;
                    }
                    Err(ReadError::OutOfRange { .. } | ReadError::Damaged { .. } | ReadError::Closed) => return None,
                }
            }
        }
    }
}

/// Reads one partition of a topic.
struct Reader {
    log: Arc<dyn Site>,
    client: Client,
    topic: Arc<str>,
    /// Where it is noted what cannot be read.
    dead: Arc<str>,
    readable: Arc<Readable>,
    partition: u32,
    next: u64,
    /// Whether the last read did not fail.
    is_sure: bool,
}

impl Reader {
    async fn run(
        mut self,
        begins: impl Future<Output = Option<u64>> + Send,
        queue: mpsc::Sender<(u64, Message)>,
        mut stopped: watch::Receiver<bool>,
    ) {
        self.next = tokio::select! {
            begins = begins => match begins {
                Some(next) => next,
                None => return,
            },
            _ = stopped.wait_for(|stopped| *stopped) => return,
        };
        loop {
            let read = tokio::select! {
                read = self.read() => read,
                // Also when nobody is there to stop us any more.
                _ = stopped.wait_for(|stopped| *stopped) => return,
            };
            self.is_sure = !matches!(read, Err(ReadError::Failed { .. } | ReadError::Damaged { until: None, .. }));
            if self.is_sure {
                self.readable.read(self.partition);
            }
            match read {
                Ok((records, _)) => {
                    for stored in records {
                        self.next = stored.offset.saturating_add(1);
                        let message = Message::clone(&stored.message);
                        if queue.send((stored.offset, message)).await.is_err() {
                            return;
                        }
                    }
                }
                Err(ReadError::OutOfRange { range, .. }) => {
                    // Let go meanwhile, or cut off by somebody: what there is, is read.
                    self.next = if self.next < range.start { range.start } else { range.end };
                }
                Err(ReadError::Damaged { why, until: Some(until) }) if until > self.next => {
                    let note = unreadable(&self.topic, self.partition, (self.next, until), &why);
                    // A note that is not taken is in the program's own log.
                    self.client.append(&self.dead, self.partition, note).await;
                    self.next = until;
                }
                Err(ReadError::Failed { why } | ReadError::Damaged { why, .. }) => {
                    self.readable.failed(self.partition, &why);
                    sleep(READ_AGAIN_AFTER).await;
                }
                Err(ReadError::Closed) => return,
            }
        }
    }

    /// Reads on. Where the topic could not be read, that is over once there is something to wait for, not only once
    /// something comes.
    async fn read(&self) -> Result<(Vec<Stored>, Range), ReadError> {
        let mut reading = pin!(self.client.read(&self.topic, self.partition, self.next));
        if self.is_sure || self.readable.is_so() {
            return reading.await;
        }
        range(&*self.log, &self.topic, self.partition).await?;
        if let Ok(read) = timeout(SETTLED_AFTER, &mut reading).await {
            return read;
        }
        self.readable.read(self.partition);
        reading.await
    }
}
