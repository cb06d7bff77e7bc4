//! Requests that are in a log which several processes share, and that no orchestrator has decided yet.

use super::error::Error;
use super::mirror::Depth;
use super::orchestrator::Orchestrator;
use crate::engine::InstanceId;
use crate::wire::{self, Ask};

/// How many requests are looked at for the start of one instance. Behind more of them nobody finds out by looking.
const LOOKED_MAX: u64 = 10_000;

impl Orchestrator {
    /// Whether the start of an instance is among the requests that nobody has decided, of a log that is shared.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(super) async fn is_undecided(&self, id: &InstanceId) -> Result<bool, Error> {
        let (core, partition) = (&self.core, self.partition(id));
        let Some(read) = core.mirrors.read(partition).await else { return Ok(false) };
        let topic = &core.topics.requests;
        let range = core.range(topic, partition).await?;
        let mut next = read.requests.max(range.start);
        let end = range.end.min(next.saturating_add(LOOKED_MAX));
        while next < end {
            let (records, _) = self.client.read(topic, partition, next).await?;
            let Some(last) = records.last() else { return Ok(false) };
            next = last.offset.saturating_add(1);
            let is_its_start = |message| {
                wire::read_request(message).is_ok_and(|it| it.instance == *id && matches!(it.ask, Ask::Start { .. }))
            };
            if records.iter().any(|record| is_its_start(&record.message)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How many requests nobody has decided.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn undecided(&self) -> Result<u64, Error> {
        if !self.core.is_shared() {
            return Ok(0);
        }
        self.all(Depth::Live).await?;
        let mut count = 0;
        for partition in 0..self.core.log.partitions() {
            let Some(read) = self.core.mirrors.read(partition).await else { continue };
            let range = self.core.range(&self.core.topics.requests, partition).await?;
            count += range.end.saturating_sub(read.requests.max(range.start));
        }
        Ok(count)
    }
}
