//! What was set aside: the records of the topic of the dead, the newest first, each with what its headers say of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::client::{self, Client, ReadError};
use super::error::Error;
use super::onlooker::Onlooker;
use super::orchestrator::Orchestrator;
use super::view::LIST_MAX;
use crate::log::{DEAD, Range, Stored};
use crate::time::Timestamp;
use crate::wire::Message;

/// So much of each payload is kept in a list, in bytes: enough to see what it is, and a list of many stays small.
const BEGINNING_MAX: usize = 200;

/// So long the next record is waited for: behind the last one there may be offsets without a record.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// Something that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The partition of the topic of the dead.
    pub partition: u32,
    /// Its offset there.
    pub offset: u64,
    /// When it was set aside.
    pub at: Timestamp,
    /// Its key.
    pub key: Arc<str>,
    /// Why.
    pub why: String,
    /// The topic where it came.
    pub topic: Option<String>,
    /// Where in that: a partition and an offset, or several.
    pub place: Option<String>,
    /// The trigger that could not use it.
    pub trigger: Option<String>,
    /// The record of the journal that refuses it.
    pub record: Option<String>,
    /// How many bytes its payload has.
    pub bytes: usize,
    /// The payload, or its beginning.
    pub payload: Vec<u8>,
}

impl Letter {
    fn of(partition: u32, stored: &Stored, most: usize) -> Self {
        let Stored { offset, timestamp, message } = stored;
        let payload = &message.payload;
        let said = |name| said(message, name);
        Self {
            partition,
            offset: *offset,
            at: *timestamp,
            key: Arc::clone(&message.key),
            why: said("saga-reason").unwrap_or_default(),
            topic: said("saga-topic"),
            place: said("saga-offset").or_else(|| said("saga-offsets")),
            trigger: said("saga-trigger"),
            record: said("saga-record"),
            bytes: payload.len(),
            payload: payload.iter().take(most).copied().collect(),
        }
    }
}

/// What the last header of a name says: those of whoever wrote the input stand before ours.
fn said(message: &Message, name: &str) -> Option<String> {
    message.headers.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
}

/// Some of them, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letters {
    /// The newest first.
    pub letters: Vec<Letter>,
    /// How many there are in all.
    pub all: u64,
}

impl Letters {
    /// Adds the newest of one partition.
    async fn add(
        &mut self,
        client: &Client,
        topic: &Arc<str>,
        (partition, range): (u32, Range),
        limit: usize,
    ) -> Result<(), ReadError> {
        self.all += range.end.saturating_sub(range.start);
        let mut next = range.start.max(range.end.saturating_sub(limit as u64));
        while next < range.end {
            let Ok(read) = timeout(READ_WITHIN, client.read(topic, partition, next)).await else { break };
            match read {
                Ok((records, _)) => {
                    for stored in records.iter().filter(|stored| stored.offset < range.end) {
                        self.letters.push(Letter::of(partition, stored, BEGINNING_MAX));
                    }
                    next = records.last().map_or(range.end, |last| last.offset.saturating_add(1));
                }
                // Retention was faster.
                Err(ReadError::OutOfRange { range: now, .. }) if next < now.start => next = now.start,
                Err(error) => return Err(error),
            }
        }
        self.letters.sort_by_key(|letter| std::cmp::Reverse((letter.at, letter.offset)));
        self.letters.truncate(limit);
        Ok(())
    }
}

/// The one at an offset, with its whole payload.
async fn one(
    client: &Client,
    topic: &Arc<str>,
    partition: u32,
    offset: u64,
    range: Range,
) -> Result<Option<Letter>, ReadError> {
    if !(range.start..range.end).contains(&offset) {
        return Ok(None);
    }
    let Ok(read) = timeout(READ_WITHIN, client.read(topic, partition, offset)).await else { return Ok(None) };
    let (records, _) = read?;
    let found = records.iter().find(|stored| stored.offset == offset);
    Ok(found.map(|stored| Letter::of(partition, stored, usize::MAX)))
}

impl Orchestrator {
    /// What was set aside, the newest first, at most so many.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn dead(&self, limit: usize) -> Result<Letters, Error> {
        let (log, limit) = (&self.core.log, limit.min(LIST_MAX));
        let (topic, client, mut letters) = (log.topics().dead, Client::new(log), Letters::default());
        for partition in 0..log.partitions() {
            let range = client::range(&**log, &topic, partition).await?;
            letters.add(&client, &topic, (partition, range), limit).await?;
        }
        Ok(letters)
    }

    /// One of them.
    ///
    /// # Errors
    /// The log cannot be read, or has no such partition.
    pub async fn dead_at(&self, partition: u32, offset: u64) -> Result<Option<Letter>, Error> {
        let log = &self.core.log;
        if partition >= log.partitions() {
            return Err(Error::NoPartition { partition, count: log.partitions() });
        }
        let topic = log.topics().dead;
        let range = client::range(&**log, &topic, partition).await?;
        Ok(one(&Client::new(log), &topic, partition, offset, range).await?)
    }
}

impl Onlooker {
    /// What was set aside, the newest first, at most so many.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub async fn dead(&self, limit: usize) -> Result<Letters, Error> {
        let (topic, limit) = (Arc::from(DEAD), limit.min(LIST_MAX));
        let (client, mut letters) = (Client::new(&self.log), Letters::default());
        for partition in 0..self.log.layout().partitions {
            letters.add(&client, &topic, (partition, self.log.range(DEAD, partition)), limit).await?;
        }
        Ok(letters)
    }

    /// One of them.
    ///
    /// # Errors
    /// The directory cannot be read, or has no such partition.
    pub async fn dead_at(&self, partition: u32, offset: u64) -> Result<Option<Letter>, Error> {
        let count = self.log.layout().partitions;
        if partition >= count {
            return Err(Error::NoPartition { partition, count });
        }
        let (client, topic) = (Client::new(&self.log), Arc::from(DEAD));
        Ok(one(&client, &topic, partition, offset, self.log.range(DEAD, partition)).await?)
    }
}
