//! What must hold in a partition of a simulated world: the properties of `docs/protocol.md`, "What the simulator checks".
//!
//! The judge reads the whole journal from record 0 with a rule of reading of its own, and looks at each record as it
//! lands, at each message as it is handed over, and at each fact as it is told.

mod counting;
mod effects;
mod end;
mod inputs;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use saga::definition::{Limit, Per};
use saga::engine::{InstanceId, Run, State, Wait};
use saga::journal::record::{Body, Cause, Record};
use saga::journal::{Ledger, Plans, Rule, decode};
use saga::log::simulated::Shelf;
use saga::log::{Stored, partition_of};
use saga::runtime::partition::Fact;
use saga::time::Timestamp;

pub(crate) use self::counting::hands_over;
pub(crate) use self::effects::{FORWARDED, justification};
use self::end::Ending;

/// A property that does not hold, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation(pub(crate) String);

pub(crate) type Holds = Result<(), Violation>;

pub(crate) fn violated(property: &str, details: impl std::fmt::Display) -> Holds {
    Err(Violation(format!("{property}: {details}")))
}

/// A message that a record justifies: what it is, and its `ce_id`.
type Key = (&'static str, String);

/// The topics of a partition.
#[derive(Clone, Copy)]
pub(crate) struct Shelves<'a> {
    pub(crate) journal: &'a Shelf,
    pub(crate) requests: &'a Shelf,
    pub(crate) replies: &'a Shelf,
}

pub(crate) struct Judge {
    partition: u32,
    partitions: u32,
    plans: Arc<Plans>,
    remember: Duration,
    truth: Ledger,
    epoch: Option<u64>,
    run_goes_on: bool,
    /// Each with whether it counts; none where a stranger wrote.
    records: Vec<(Option<Record>, bool)>,
    /// Inputs that count, and as what.
    causes: BTreeMap<Cause, &'static str>,
    effects: BTreeMap<u64, Vec<Key>>,
    landed: BTreeSet<(u64, Key)>,
    refused: BTreeSet<(u64, Key)>,
    complete: BTreeSet<u64>,
    passed_over: BTreeSet<Cause>,
    told_rejected: BTreeSet<Cause>,
    told_known: BTreeSet<u64>,
    sent_checked: u64,
    endings: BTreeMap<(InstanceId, Run), Ending>,
    begun: BTreeSet<(InstanceId, Run)>,
    /// Requests by their own id that changed a life of an instance.
    asked: BTreeSet<(InstanceId, Run, String)>,
    /// Each state that counts, cut to a hash.
    states: BTreeSet<(InstanceId, Run, u64, u64)>,
    /// Whether people accept a loss of requests, and of replies.
    consents: [bool; 2],
    pub(crate) claims: u32,
    /// Attempts that waited for their turn.
    pub(crate) queued: usize,
    /// The least time between two calls of this partition, if the participant's limits have one, and the last call.
    pause: Option<u64>,
    last_call: Option<Timestamp>,
    /// What a stranger wrote.
    pub(crate) strangers: u32,
}

impl Judge {
    pub(crate) fn new(
        partition: u32,
        partitions: u32,
        plans: Arc<Plans>,
        remember: Duration,
        limits: &[Limit],
    ) -> Self {
        Self {
            queued: 0,
            pause: limits.iter().find_map(|limit| pause(limit, partitions)),
            last_call: None,
            partition,
            partitions,
            plans,
            remember,
            truth: Ledger::default(),
            epoch: None,
            run_goes_on: false,
            records: Vec::new(),
            causes: BTreeMap::new(),
            effects: BTreeMap::new(),
            landed: BTreeSet::new(),
            refused: BTreeSet::new(),
            complete: BTreeSet::new(),
            passed_over: BTreeSet::new(),
            told_rejected: BTreeSet::new(),
            told_known: BTreeSet::new(),
            sent_checked: 0,
            endings: BTreeMap::new(),
            begun: BTreeSet::new(),
            asked: BTreeSet::new(),
            states: BTreeSet::new(),
            consents: [false; 2],
            claims: 0,
            strangers: 0,
        }
    }

    /// What every reader makes of the journal.
    pub(crate) fn truth(&self) -> &Ledger {
        &self.truth
    }

    /// How many commands are under way, as every reader sees it.
    pub(crate) fn under_way(&self) -> usize {
        let under_way = |state: &State| state.attempt().is_some_and(|(_, attempt)| is_under_way(&attempt.wait));
        self.truth.all_live().map(|live| live.instance.states().filter(|(_, state)| under_way(state)).count()).sum()
    }

    /// Whether each record counts.
    pub(crate) fn verdicts(&self) -> impl Iterator<Item = bool> {
        self.records.iter().map(|(_, counts)| *counts)
    }

    fn counting_records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter_map(|(record, counts)| record.as_ref().filter(|_| *counts))
    }

    /// How many records of a kind count.
    pub(crate) fn counted(&self, kind: &str) -> usize {
        self.counting_records().filter(|record| record.body.name() == kind).count()
    }

    fn is_home_of(&self, key: &str) -> bool {
        partition_of(key, self.partitions) == self.partition
    }

    /// Records have landed.
    pub(crate) fn journal(&mut self, shelves: Shelves<'_>) -> Holds {
        while let Some(stored) = shelves.journal.records.get(self.records.len()) {
            // What the task writes is always a record, and a simulated stranger writes none.
            if let Ok(record) = decode(&stored.message.payload) {
                self.record(stored, record, shelves)?;
            } else {
                self.run_goes_on = false;
                self.strangers += 1;
                self.records.push((None, false));
            }
        }
        Ok(())
    }

    fn record(&mut self, stored: &Stored, record: Record, shelves: Shelves<'_>) -> Holds {
        let offset = stored.offset;
        let claim = matches!(record.body, Body::Claim { .. });
        // The rule of reading, once more and in other words.
        let counts =
            claim || (self.run_goes_on && Some(record.epoch) == self.epoch && record.epoch + record.n == offset);
        self.run_goes_on = counts;
        if claim {
            self.epoch = Some(offset);
            self.claims += 1;
        }
        let pointer = record.checkpoint;
        if pointer != 0 && pointer >= shelves.journal.start && !self.complete.contains(&pointer) {
            return violated("pointers lead to complete checkpoints", format!("record {offset} points at {pointer}"));
        }
        if counts && !claim {
            self.counting(offset, &record, shelves)?;
        }
        let complete = if let Body::Completed { started } = record.body { Some(started) } else { None };
        self.records.push((Some(record), counts));
        if let Some(started) = complete.filter(|_| counts) {
            self.complete.insert(started);
            self.recovers_from(started)?;
            self.all_sent_before(started)?;
        }
        Ok(())
    }

    /// Recovery from a checkpoint comes to the truth, byte for byte.
    fn recovers_from(&self, started: u64) -> Holds {
        let mut ledger = Ledger::default().from_checkpoint(started);
        let mut rule: Option<Rule> = None;
        for (offset, (record, _)) in (0u64..).zip(&self.records).skip(usize::try_from(started).unwrap()) {
            let Some(record) = record else {
                rule.as_mut().unwrap().ends(offset);
                continue;
            };
            let rule = rule.get_or_insert_with(|| Rule::from_checkpoint(started, record).unwrap());
            if rule.counts(offset, record).unwrap()
                && let Err(damage) = ledger.book(&self.plans, record, 0, None)
            {
                return violated("recovery from any checkpoint equals the fold from record 0", damage);
            }
        }
        same("recovery from any checkpoint equals the fold from record 0", &ledger, &self.truth)
    }

    /// A task says that it runs, and this is what it knows, these records of its own included.
    pub(crate) fn running(&self, epoch: u64, ledger: &Ledger, own: &[Record]) -> Holds {
        const PROPERTY: &str = "a recovered owner knows what the fold from record 0 knows";
        let mut truth = Ledger::default();
        let mut rule = Rule::from_the_beginning();
        let before = (0..=epoch).zip(&self.records).filter_map(|(offset, (record, _))| {
            if let Some(record) = record {
                return rule.counts(offset, record).unwrap().then_some(record);
            }
            rule.ends(offset);
            None
        });
        for record in before.chain(own) {
            if let Err(damage) = truth.book(&self.plans, record, 0, None) {
                return violated(PROPERTY, damage);
            }
        }
        same(PROPERTY, ledger, &truth)
    }

    /// The journal is being cut.
    pub(crate) fn cuts(&self, before: u64) -> Holds {
        if self.complete.contains(&before) {
            return Ok(());
        }
        violated("the journal is cut at the start of a complete checkpoint", before)
    }

    /// A fact is told.
    pub(crate) fn hears(&mut self, fact: &Fact) -> Holds {
        match fact {
            Fact::Recorded { offset, record, .. } => {
                let counts = usize::try_from(*offset).ok().and_then(|at| self.records.get(at));
                let unrecorded = *offset == u64::MAX;
                if !unrecorded && counts.is_none_or(|(there, counts)| !counts || there.as_ref() != Some(&**record)) {
                    return violated("good records count", format!("record {offset}"));
                }
                if let Body::Reject { cause, .. } = &record.body {
                    self.told_rejected.insert(*cause);
                    if self.causes.get(cause).is_some_and(|kind| *kind == "change" || *kind == "bar") {
                        return violated("what was told rejected never happens", format!("{cause:?}"));
                    }
                }
            }
            Fact::Known { request, .. } => {
                self.told_known.insert(*request);
                // It was parked and came to nothing, or its instance ended before it was read again.
                let happened = |kind: &&str| *kind != "park" && *kind != "reject";
                if self.causes.get(&Cause::Request(*request)).is_some_and(happened) {
                    return violated("what was told known never happens", format!("request {request}"));
                }
            }
            Fact::View { instance: Some(instance), .. } => {
                let plan = self.plans.by_hash(&instance.definition).unwrap();
                let state = (instance.id.clone(), instance.run, instance.seq, counting::cut(instance, plan));
                if !self.states.contains(&state) {
                    return violated("what people see has happened", format!("{} at {}", instance.id, instance.seq));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn is_under_way(wait: &Wait) -> bool {
    matches!(wait, Wait::Answer(_) | Wait::Query(_) | Wait::Pending(_) | Wait::Unfit(_))
}

/// The least time between two calls of one partition, in milliseconds: of all together so many within so long are allowed,
/// and what does not divide is for the first ones. Where there are fewer than partitions, a partition is a quarter of a
/// slot before its time at most.
fn pause(limit: &Limit, partitions: u32) -> Option<u64> {
    let Per::Time(within) = limit.per else { return None };
    let within = u64::try_from(within.as_millis()).unwrap();
    let share = limit.count.div_ceil(partitions);
    Some(if limit.count < partitions {
        within * u64::from(partitions) / u64::from(limit.count) * 3 / 4
    } else {
        within / u64::from(share)
    })
}

fn same(property: &str, left: &Ledger, right: &Ledger) -> Holds {
    let (left, right) = (left.to_text().unwrap(), right.to_text().unwrap());
    if left == right { Ok(()) } else { violated(property, format!("\n{left}\n--- is not\n{right}")) }
}
