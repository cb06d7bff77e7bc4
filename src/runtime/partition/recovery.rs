//! Reading the journal back, from a checkpoint to the own claim.

use std::sync::Arc;
use std::time::Duration;

use super::defect::Defect;
use super::effects::{Owed, Unsent, of_record};
use super::reports::unheard;
use super::setting::Setting;
use super::told::Stop;
use crate::engine::{Calls, InstanceId};
use crate::journal::record::{Body, Cause, Record};
use crate::journal::{self, Damage, JournalError, Ledger, Rule, STRANGERS};
use crate::log::Stored;
use crate::time::Timestamp;

/// The journal as far as it has been read. It outlives a claim that turns out not to be the last record: what counts
/// counts for ever, so reading goes on behind it.
#[derive(Debug)]
pub(super) struct Recovery {
    pub(super) ledger: Ledger,
    rule: Option<Rule>,
    /// Where it began.
    pub(super) from: u64,
    pub(super) next: u64,
    unsent: Unsent,
    /// Behind the last hole in the offsets: a log for a journal has none.
    pub(super) last_hole: Option<u64>,
    pub(super) volume: Volume,
    calls: Calls,
}

/// What an owner begins with.
pub(super) struct Found {
    pub(super) ledger: Ledger,
    pub(super) owed: Owed,
    pub(super) volume: Volume,
    pub(super) calls: Calls,
}

/// How much stands in the journal, to tell when a checkpoint is due.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Volume {
    /// Bytes since the last complete checkpoint began, but for its own.
    pub(super) since: u64,
    /// Bytes of the last complete checkpoint: about the size of the state.
    pub(super) state: u64,
    /// Bytes since the checkpoint began that is being written.
    begun: u64,
    /// Bytes of the checkpoint that is being written.
    writing: u64,
}

impl Volume {
    pub(super) const fn count(&mut self, body: &Body, bytes: usize) {
        let bytes = bytes as u64;
        match body {
            Body::Started { .. } => (self.begun, self.writing) = (0, bytes),
            Body::Snapshot { .. } | Body::Waiting { .. } | Body::Ended { .. } => self.writing += bytes,
            Body::Completed { .. } => (self.since, self.state) = (self.begun, self.writing),
            _ => {
                self.since += bytes;
                self.begun += bytes;
            }
        }
    }
}

/// The own claim, so that it is recognised in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) epoch: u64,
    pub(super) attempt: u64,
    /// When it was handed over.
    pub(super) since: Duration,
}

/// A record as it was read, or what is wrong with it.
struct Decoded<'a> {
    stored: &'a Stored,
    record: Result<Option<Record>, Damage>,
}

/// What reading records came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Go on.
    On,
    /// That was the own claim, appended then.
    Claimed(Timestamp),
    /// There should have been the own claim, and there is something else.
    NotOurs,
}

impl Recovery {
    pub(super) fn new(set: &Setting, from: u64) -> Self {
        Self {
            ledger: Ledger::new(set.config.awake_max),
            rule: None,
            from,
            next: from,
            unsent: Unsent::default(),
            last_hole: None,
            volume: Volume::default(),
            calls: Calls::default(),
        }
    }

    /// Reads records, at most up to the own claim, for as long as nothing else follows from one than to go on.
    pub(super) fn read(&mut self, set: &mut Setting, records: &[Stored], claim: Claim) -> Result<Read, Stop> {
        let records = records.iter().filter(|stored| stored.offset <= claim.epoch);
        let decoded: Vec<Decoded<'_>> = records
            .map(|stored| Decoded { stored, record: journal::read(stored.offset, &stored.message.payload) })
            .collect();
        let acknowledged = self.acknowledged(set, &decoded);
        for decoded in decoded {
            match self.read_one(set, decoded, acknowledged, claim)? {
                Read::On => {}
                other => return Ok(other),
            }
        }
        Ok(Read::On)
    }

    /// All effects of records before this offset are acknowledged, as those that count among these say. What is not owed
    /// need not be made: in a long journal that is nearly all.
    fn acknowledged(&self, set: &Setting, decoded: &[Decoded<'_>]) -> u64 {
        let Some(mut rule) = self.rule.clone() else { return 0 };
        let mut before = 0;
        for Decoded { stored, record } in decoded {
            match record {
                Ok(Some(record)) => match counts(set, &mut rule, stored.offset, record) {
                    Ok(true) => before = before.max(record.sent),
                    Ok(false) => {}
                    Err(_) => break,
                },
                Ok(None) => rule.ends(stored.offset),
                Err(_) => break,
            }
        }
        before
    }

    fn read_one(
        &mut self,
        set: &mut Setting,
        Decoded { stored, record }: Decoded<'_>,
        acknowledged: u64,
        claim: Claim,
    ) -> Result<Read, Stop> {
        let (partition, journal) = (set.config.partition, set.journal());
        let Stored { offset, timestamp, message } = stored;
        let damaged =
            |damage| Stop::Damaged(JournalError { topic: Arc::clone(&journal), partition, offset: *offset, damage });
        let record = record.map_err(damaged)?;
        let mut rule = match (self.rule.take(), &record) {
            (Some(rule), _) => rule,
            (None, _) if *offset == 0 => Rule::from_the_beginning(),
            (None, Some(record)) => self.begin(set.config.awake_max, *offset, record).map_err(damaged)?,
            (None, None) => return Err(damaged(Damage::NoCheckpoint { kind: STRANGERS })),
        };
        if *offset > self.next {
            self.last_hole = Some(*offset);
        }
        self.next = offset + 1;
        let Some(record) = record else {
            rule.ends(*offset);
            self.rule = Some(rule);
            return Ok(if *offset < claim.epoch { Read::On } else { Read::NotOurs });
        };
        let foreign = match &record.body {
            Body::Claim { owner, attempt } => *owner != set.config.owner || *attempt != claim.attempt,
            _ => false,
        };
        let counts = counts(set, &mut rule, *offset, &record).map_err(damaged)?;
        self.rule = Some(rule);
        if counts {
            let plans = Arc::clone(&set.plans);
            let bytes = message.payload.len();
            self.volume.count(&record.body, bytes);
            if let Body::Change { definition, change, .. } = &record.body
                && let Some(plan) = plans.by_hash(definition)
            {
                self.calls.see(plan, change);
            }
            let booked = self.ledger.book(&plans, &record, bytes, None).map_err(damaged)?;
            if *offset >= acknowledged {
                let messages = of_record(set, *offset, &record, &booked);
                self.unsent.push(*offset, messages);
                if let Some(id) = dealt_with(&record.body).filter(|id| self.ledger.queue(id).is_none())
                    && let Some(live) = self.ledger.live(id)
                {
                    self.unsent.push(*offset, unheard(set, *offset, &live));
                }
            }
            self.unsent.drop_before(self.ledger.sent);
        }
        if *offset < claim.epoch {
            return Ok(Read::On);
        }
        let ours = matches!(record.body, Body::Claim { .. }) && !foreign;
        Ok(if ours { Read::Claimed(*timestamp) } else { Read::NotOurs })
    }

    fn begin(&mut self, awake_max: usize, offset: u64, record: &Record) -> Result<Rule, Damage> {
        self.ledger = Ledger::new(awake_max).from_checkpoint(offset);
        self.calls = Calls::since(record.at);
        Rule::from_checkpoint(offset, record).ok_or(Damage::NoCheckpoint { kind: record.body.name() })
    }

    /// What an owner begins with, once its claim has been read and is the last record.
    pub(super) fn finish(self, set: &mut Setting) -> Found {
        let unsent = if set.config.defect == Some(Defect::NoRepeats) { Unsent::default() } else { self.unsent };
        let owed = unsent.into_owed(set, &self.ledger);
        let calls = if set.config.defect == Some(Defect::CallsForgotten) { Calls::default() } else { self.calls };
        Found { ledger: self.ledger, owed, volume: self.volume, calls }
    }
}

/// The instance of which a record deals with a parked input.
const fn dealt_with(body: &Body) -> Option<&InstanceId> {
    match body {
        Body::Change { instance, cause: Cause::Parked, .. }
        | Body::Bar { instance, cause: Cause::Parked, .. }
        | Body::Reject { instance: Some(instance), cause: Cause::Parked, .. }
        | Body::Pass { instance } => Some(instance),
        _ => None,
    }
}

/// Whether a record counts; wrongly, where a simulation asks for it.
fn counts(set: &Setting, rule: &mut Rule, offset: u64, record: &Record) -> Result<bool, Damage> {
    let before = rule.epoch();
    let counts = rule.counts(offset, record)?;
    let placed = record.epoch.checked_add(record.n) == Some(offset);
    Ok(match set.config.defect {
        Some(Defect::ReaderWithoutRun) => counts || (placed && record.epoch == before),
        Some(Defect::ReaderWithoutN) => counts || record.epoch == before,
        Some(Defect::ReaderWithoutEpoch) => counts || placed,
        _ => counts,
    })
}
