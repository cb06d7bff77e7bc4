//! Reads a partition's journal back, record by record, by the rule of reading.

use std::sync::Arc;

use super::client::{Client, ReadError};
use super::error::{Error, OpenError};
use super::partition::Stop;
use crate::journal::record::Record;
use crate::journal::{self, Damage, JournalError, Ledger, Plans, Rule, STRANGERS};
use crate::log::Range;

/// What is wrong with the journal of one partition, told from what is wrong with the log.
pub(super) fn unreadable(partition: u32, error: OpenError) -> Error {
    match error {
        OpenError::Journal(error) => Error::Unreadable(Arc::new(Stop::Damaged(error))),
        OpenError::Read(ReadError::Damaged { why, .. }) => {
            Error::Unreadable(Arc::new(Stop::Unreadable { partition, why }))
        }
        error => Error::Look(error),
    }
}

/// Where reading begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Begin {
    /// At a record that is known to count.
    Counting(u64),
    /// At offset 0, or the start of a checkpoint.
    Start(u64),
}

/// Gives every record that counts to `each`, in order, with its offset and its size.
pub(super) async fn read(
    client: &Client,
    topic: &Arc<str>,
    (partition, range): (u32, Range),
    begin: Begin,
    mut each: impl FnMut(u64, &Record, usize) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    let damaged =
        |offset, damage| OpenError::Journal(JournalError { topic: Arc::clone(topic), partition, offset, damage });
    let (mut rule, mut next) = match begin {
        Begin::Counting(offset) => (None, offset),
        Begin::Start(0) => (Some(Rule::from_the_beginning()), 0),
        Begin::Start(offset) => (None, offset),
    };
    while next < range.end {
        let (records, _) = client.read(topic, partition, next).await?;
        for stored in records {
            let offset = stored.offset;
            next = offset.saturating_add(1);
            let read = journal::read(offset, &stored.message.payload).map_err(|damage| damaged(offset, damage))?;
            let Some(record) = read else {
                match (&mut rule, begin) {
                    (Some(rule), _) => rule.ends(offset),
                    (None, Begin::Counting(_)) => {}
                    (None, Begin::Start(_)) => return Err(damaged(offset, Damage::NoCheckpoint { kind: STRANGERS })),
                }
                continue;
            };
            let counts = match (&mut rule, begin) {
                (Some(rule), _) => rule.counts(offset, &record).map_err(|damage| damaged(offset, damage))?,
                (None, Begin::Counting(_)) => {
                    rule = Rule::from_counting(offset, &record);
                    rule.is_some()
                }
                (None, Begin::Start(_)) => {
                    let kind = record.body.name();
                    let first = Rule::from_checkpoint(offset, &record);
                    let mut first = first.ok_or_else(|| damaged(offset, Damage::NoCheckpoint { kind }))?;
                    let counts = first.counts(offset, &record).map_err(|damage| damaged(offset, damage))?;
                    rule = Some(first);
                    counts
                }
            };
            if counts {
                each(offset, &record, stored.message.payload.len())?;
            }
        }
    }
    Ok(())
}

/// Where the last complete checkpoint begins, by the word of the last record; 0 if that says none, or is a stranger's.
pub(super) async fn checkpoint(
    client: &Client,
    topic: &Arc<str>,
    partition: u32,
    range: Range,
) -> Result<u64, OpenError> {
    let mut checkpoint = 0;
    if let Some(last) = range.end.checked_sub(1).filter(|last| *last >= range.start) {
        read(client, topic, (partition, range), Begin::Counting(last), |_, record, _| {
            checkpoint = record.checkpoint;
            Ok(())
        })
        .await?;
    }
    Ok(checkpoint)
}

/// What a partition knows, as its journal has it now: read as an owner reads it, from the last complete checkpoint on.
/// So it takes as long, and as much memory, as an owner's recovery.
pub(super) async fn ledger(
    client: &Client,
    topic: &Arc<str>,
    partition: u32,
    range: Range,
    plans: &Plans,
) -> Result<Ledger, OpenError> {
    let mut ledger = Ledger::default();
    let from = checkpoint(client, topic, partition, range).await?.max(range.start);
    if from > 0 {
        ledger = Ledger::default().from_checkpoint(from);
    }
    read(client, topic, (partition, range), Begin::Start(from), |offset, record, bytes| {
        let damaged = |damage| OpenError::Journal(JournalError { topic: Arc::clone(topic), partition, offset, damage });
        ledger.book(plans, record, bytes, None).map(|_| ()).map_err(damaged)
    })
    .await?;
    Ok(ledger)
}
