//! Inputs of a log that several processes share: which no orchestrator has decided yet, and which none can read any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::Error;
use super::mirror::Depth;
use super::orchestrator::Orchestrator;
use super::partition::{Stop, lost};
use crate::engine::InstanceId;
use crate::wire::{Ask, CloudEvent, read_request};

/// How many requests are looked at for the start of one instance. Behind more of them nobody finds out by looking.
const LOOKED_MAX: u64 = 10_000;

/// How the inputs of a log that is shared stand.
#[derive(Debug, Default)]
pub struct Backlog {
    /// Partitions that would stand still for their inputs or their journal, with why.
    pub stopped: Vec<(u32, Arc<Stop>)>,
    /// In which partitions there are requests that nobody has decided, and how many.
    pub undecided: BTreeMap<u32, u64>,
}

impl Orchestrator {
    /// Whether the start of an instance is among the requests that nobody has decided, of a log that is shared.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(super) async fn is_undecided(&self, id: &InstanceId) -> Result<bool, Error> {
        let (core, partition) = (&self.core, self.partition(id));
        let _turn = self.looks.get(partition as usize).ok_or(Error::Closed)?.lock().await;
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
                let request = CloudEvent::read(message).and_then(|event| read_request(&event));
                request.is_ok_and(|it| it.instance == *id && matches!(it.ask, Ask::Start { .. }))
            };
            if records.iter().any(|record| is_its_start(&record.message)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How the inputs of all partitions stand, whoever owns them; of a log that is not shared nothing is to be said.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn backlog(&self) -> Result<Backlog, Error> {
        let (core, mut backlog) = (&self.core, Backlog::default());
        if !core.is_shared() {
            return Ok(backlog);
        }
        let mut unreadable = self.all(Depth::Live).await?;
        for partition in 0..core.log.partitions() {
            match unreadable.remove(&partition) {
                Some(why) => backlog.stopped.push((partition, why)),
                None => self.inputs_of(partition, &mut backlog).await?,
            }
        }
        Ok(backlog)
    }

    /// Why one partition stands still or would, of a log that is shared.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn stands_still(&self, partition: u32) -> Result<Option<Arc<Stop>>, Error> {
        let (core, mut backlog) = (&self.core, Backlog::default());
        match core.mirrors.look(core, partition, Depth::Live).await {
            Ok(()) => {}
            Err(Error::Unreadable(why)) => return Ok(Some(why)),
            Err(error) => return Err(error),
        }
        self.inputs_of(partition, &mut backlog).await?;
        Ok(backlog.stopped.pop().map(|(_, why)| why))
    }

    /// How the inputs of a partition stand whose journal is known.
    async fn inputs_of(&self, partition: u32, backlog: &mut Backlog) -> Result<(), Error> {
        let (core, topics) = (&self.core, &self.core.topics);
        let Some(read) = core.mirrors.read(partition).await else { return Ok(()) };
        let inputs: [(&Arc<str>, u64); 2] = [(&topics.requests, read.requests), (&topics.replies, read.replies)];
        for (topic, read) in inputs {
            let range = core.range(topic, partition).await?;
            backlog.stopped.extend(lost(partition, topic, read, range).map(|stop| (partition, stop.into())));
            if *topic == topics.requests {
                let undecided = range.end.saturating_sub(read.max(range.start));
                backlog.undecided.extend((undecided > 0).then_some((partition, undecided)));
            }
        }
        Ok(())
    }
}
