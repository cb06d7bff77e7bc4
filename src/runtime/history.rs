//! An instance's journal records in their order, of live and ended ones, read as they are asked for.

use std::collections::VecDeque;
use std::sync::Arc;

use super::client::{Client, ReadError};
use super::error::Error;
use crate::engine::{Instance, InstanceId, Run};
use crate::journal::record::{Body, Record};
use crate::journal::{self, JournalError, Plans, Rule};
use crate::time::Timestamp;

/// A good record.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its offset in the partition's journal.
    pub offset: u64,
    /// It.
    pub record: Record,
}

/// Records of one run of an instance. Holds one piece of the log in memory, whatever the history's length.
pub struct History {
    client: Client,
    topic: Arc<str>,
    partition: u32,
    id: InstanceId,
    run: Run,
    /// The next offset to be read.
    next: u64,
    /// The last record's.
    last: u64,
    rule: Option<Rule>,
    gathered: VecDeque<Entry>,
}

/// Where an instance's records are: of one partition's journal, the first and the last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) partition: u32,
    pub(super) first: u64,
    pub(super) last: u64,
}

impl History {
    pub(super) fn new(client: Client, topic: &Arc<str>, id: InstanceId, run: Run, span: Span) -> Self {
        let Span { partition, first, last } = span;
        let topic = Arc::clone(topic);
        Self { client, topic, partition, id, run, next: first, last, rule: None, gathered: VecDeque::new() }
    }

    /// Which life of the id it is.
    #[must_use]
    pub const fn run(&self) -> Run {
        self.run
    }

    /// The next record; none behind the last one.
    ///
    /// # Errors
    /// The journal cannot be read, or retention has taken the beginning.
    pub async fn next(&mut self) -> Result<Option<Entry>, Error> {
        while self.gathered.is_empty() && self.next <= self.last {
            self.read_on().await?;
        }
        Ok(self.gathered.pop_front())
    }

    async fn read_on(&mut self) -> Result<(), Error> {
        let (records, _) = match self.client.read(&self.topic, self.partition, self.next).await {
            Ok(read) => read,
            Err(ReadError::OutOfRange { range, .. }) if self.next < range.start => {
                return Err(Error::Forgotten { id: self.id.clone(), first: self.next, start: range.start });
            }
            Err(error) => return Err(Error::Read(error)),
        };
        for stored in records.into_iter().take_while(|stored| stored.offset <= self.last) {
            self.next = stored.offset.saturating_add(1);
            let (partition, offset) = (self.partition, stored.offset);
            let topic = &self.topic;
            let damaged = |damage| Error::Journal(JournalError { topic: Arc::clone(topic), partition, offset, damage });
            let Some(record) = journal::read(offset, &stored.message.payload).map_err(damaged)? else {
                if let Some(rule) = &mut self.rule {
                    rule.ends(offset);
                }
                continue;
            };
            // The first record is a good one: it stands in the view. From it on the rule tells.
            let counts = if let Some(rule) = &mut self.rule {
                rule.counts(offset, &record).map_err(damaged)?
            } else {
                self.rule = Rule::from_counting(offset, &record);
                true
            };
            if counts && self.is_ours(&record) {
                self.gathered.push_back(Entry { offset, record });
            }
        }
        Ok(())
    }

    fn is_ours(&self, record: &Record) -> bool {
        match &record.body {
            Body::Change { instance, run, .. } => *instance == self.id && *run == self.run,
            body => body.instance() == Some(&self.id),
        }
    }

    /// The instance as it was behind its last change that `wanted` says yes to, asked in their order.
    pub(super) async fn replay(
        mut self,
        plans: &Plans,
        mut wanted: impl FnMut(u64, Timestamp) -> bool,
    ) -> Result<Option<Instance>, Error> {
        let mut instance: Option<Instance> = None;
        while let Some(entry) = self.next().await? {
            let Body::Change { definition, change, run, .. } = &entry.record.body else { continue };
            if !wanted(change.seq, change.at) {
                break;
            }
            let plan = plans
                .by_hash(definition)
                .ok_or_else(|| Error::NoDefinition { id: self.id.clone(), hash: Arc::clone(definition) })?;
            let instance = instance.get_or_insert_with(|| Instance::new(self.id.clone(), *run, plan));
            instance.apply(plan, change).map_err(|misfit| Error::Misfit { id: self.id.clone(), misfit })?;
        }
        Ok(instance)
    }
}
