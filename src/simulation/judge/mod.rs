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

use super::cast::Cast;
use crate::definition::{Invocation, Limit, Per};
use crate::engine::{Direction, InstanceId, Place, Run, State, Wait, invocation};
use crate::journal::record::{Body, Cause, Record};
use crate::journal::{Ledger, Live, Plans, Rule, decode};
use crate::log::simulated::Shelf;
use crate::log::{Stored, partition_of};
use crate::plan::At;
use crate::runtime::partition::Fact;
use crate::time::Timestamp;

pub(in crate::simulation) use self::counting::hands_over;
pub(in crate::simulation) use self::effects::{FORWARDED, justification};
use self::end::Ending;

/// A page on each property, its name in the heading.
const PROMISES: &str = include_str!("promises.md");

/// The page of a property of simulated worlds.
#[must_use]
pub fn page(property: &str) -> Option<&'static str> {
    let heading = format!("# {}", property.to_ascii_lowercase());
    let from = PROMISES.lines().position(|line| line.to_ascii_lowercase() == heading)?;
    let start = PROMISES.split_inclusive('\n').take(from).map(str::len).sum();
    let page = PROMISES.get(start..)?;
    // Up to the next heading.
    page.get(..page.find("\n\n# ").map_or(page.len(), |end| end + 1))
}

/// The names of all properties of simulated worlds.
pub fn properties() -> impl Iterator<Item = &'static str> {
    PROMISES.lines().filter_map(|line| line.strip_prefix("# "))
}

/// A property that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{property}: {details}")]
pub struct Violation {
    /// Its name.
    pub property: &'static str,
    /// Where, and what is there instead.
    pub details: String,
}

pub(super) type Holds = Result<(), Violation>;

pub(super) fn violated(property: &'static str, details: impl std::fmt::Display) -> Holds {
    Err(Violation { property, details: details.to_string() })
}

/// What cannot be read back was not written as it should.
pub(super) fn broken(what: impl std::fmt::Display) -> Violation {
    Violation { property: "what is written can be read", details: what.to_string() }
}

/// A message that a record justifies: what it is, and its `id`.
type Key = (&'static str, String);

/// The topics of a partition.
#[derive(Clone, Copy)]
pub(in crate::simulation) struct Shelves<'a> {
    pub(in crate::simulation) journal: &'a Shelf,
    pub(in crate::simulation) requests: &'a Shelf,
    pub(in crate::simulation) replies: &'a Shelf,
}

/// A participant's rate, as a partition must keep it.
struct Rate {
    /// The least time between two calls of this partition, in milliseconds.
    pause: u64,
    last: Option<Timestamp>,
}

pub(in crate::simulation) struct Judge {
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
    /// How many losses of requests, and of replies, people have accepted that no record says yet.
    consents: [u32; 2],
    pub(in crate::simulation) claims: u32,
    /// Attempts that waited for their turn.
    pub(in crate::simulation) queued: usize,
    /// By the topic of a participant with a rate.
    rates: BTreeMap<Arc<str>, Rate>,
    /// Of what people said what became of it.
    said: BTreeSet<(InstanceId, Run, Place, Direction)>,
    /// What a stranger wrote.
    pub(in crate::simulation) strangers: u32,
    /// The most that two clocks have differed.
    pub(in crate::simulation) apart: Duration,
}

impl Judge {
    pub(in crate::simulation) fn new(partition: u32, partitions: u32, cast: &Cast, remember: Duration) -> Self {
        let rate = |(topic, limit)| {
            let topic: &Arc<str> = topic;
            Some((Arc::clone(topic), Rate { pause: pause(limit, partitions)?, last: None }))
        };
        Self {
            queued: 0,
            rates: cast.limits().filter_map(rate).collect(),
            partition,
            partitions,
            plans: Arc::clone(&cast.plans),
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
            consents: [0; 2],
            claims: 0,
            said: BTreeSet::new(),
            strangers: 0,
            apart: Duration::ZERO,
        }
    }

    /// What every reader makes of the journal.
    pub(in crate::simulation) fn truth(&self) -> &Ledger {
        &self.truth
    }

    /// The offset of the latest claim.
    pub(in crate::simulation) const fn epoch(&self) -> Option<u64> {
        self.epoch
    }

    /// How many commands are under way to a participant, as every reader sees it.
    pub(in crate::simulation) fn under_way(&self, topic: &str) -> usize {
        let under_way = |live: &Live| {
            let is = |(at, state): &(At, &State)| {
                let Some((direction, attempt)) = state.attempt() else { return false };
                let work = || live.plan.work(at.node());
                is_under_way(&attempt.wait)
                    && work().and_then(|work| invocation(work, direction)).is_some_and(|of| is_of(of, topic))
            };
            live.instance.states().filter(is).count()
        };
        self.truth.all_live().map(|live| under_way(&live)).sum()
    }

    /// How each instance's life ended that did: the code with which it was compensated.
    pub(in crate::simulation) fn ended(&self) -> impl Iterator<Item = Option<&str>> {
        self.endings.values().map(|ending| ending.code.as_deref())
    }

    /// Of how many steps a person said what became of them.
    pub(in crate::simulation) fn resolved(&self) -> usize {
        self.said.len()
    }

    /// Whether each record counts.
    pub(in crate::simulation) fn verdicts(&self) -> impl Iterator<Item = bool> {
        self.records.iter().map(|(_, counts)| *counts)
    }

    fn counting_records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter_map(|(record, counts)| record.as_ref().filter(|_| *counts))
    }

    /// How many records of a kind count.
    pub(in crate::simulation) fn counted(&self, kind: &str) -> usize {
        self.counting_records().filter(|record| record.body.name() == kind).count()
    }

    fn is_home_of(&self, key: &str) -> bool {
        partition_of(key, self.partitions) == self.partition
    }

    /// Records have landed.
    pub(in crate::simulation) fn journal(&mut self, shelves: Shelves<'_>) -> Holds {
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
        for (offset, (record, _)) in (0u64..).zip(&self.records).skip(usize::try_from(started).unwrap_or(usize::MAX)) {
            let Some(record) = record else {
                if let Some(rule) = &mut rule {
                    rule.ends(offset);
                }
                continue;
            };
            let rule = match &mut rule {
                Some(rule) => rule,
                none => none.insert(Rule::from_checkpoint(started, record).ok_or_else(|| broken(started))?),
            };
            if rule.counts(offset, record).map_err(broken)?
                && let Err(damage) = ledger.book(&self.plans, record, 0, None)
            {
                return violated("recovery from any checkpoint equals the fold from record 0", damage);
            }
        }
        same("recovery from any checkpoint equals the fold from record 0", &ledger, &self.truth)
    }

    /// A task says that it runs, and this is what it knows, these records of its own included.
    pub(in crate::simulation) fn running(&self, epoch: u64, ledger: &Ledger, own: &[Record]) -> Holds {
        const PROPERTY: &str = "a recovered owner knows what the fold from record 0 knows";
        let mut truth = Ledger::default();
        let mut rule = Rule::from_the_beginning();
        let mut before = Vec::new();
        for (offset, (record, _)) in (0..=epoch).zip(&self.records) {
            match record {
                Some(record) if rule.counts(offset, record).map_err(broken)? => before.push(record),
                Some(_) => {}
                None => rule.ends(offset),
            }
        }
        for record in before.into_iter().chain(own) {
            if let Err(damage) = truth.book(&self.plans, record, 0, None) {
                return violated(PROPERTY, damage);
            }
        }
        same(PROPERTY, ledger, &truth)
    }

    /// The journal is being cut.
    pub(in crate::simulation) fn cuts(&self, before: u64) -> Holds {
        if self.complete.contains(&before) {
            return Ok(());
        }
        violated("the journal is cut at the start of a complete checkpoint", before)
    }

    /// A fact is told.
    pub(in crate::simulation) fn hears(&mut self, fact: &Fact) -> Holds {
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
            // Where clocks differ a repeat of a start may be read again as one that came long behind the end.
            Fact::Known { .. } if !self.apart.is_zero() => {}
            Fact::Known { request, .. } => {
                self.told_known.insert(*request);
                // It was parked and came to nothing, or its instance ended before it was read again.
                let happened = |kind: &&str| *kind != "park" && *kind != "reject";
                if self.causes.get(&Cause::Request(*request)).is_some_and(happened) {
                    return violated("what was told known never happens", format!("request {request}"));
                }
            }
            Fact::View { instance: Some(instance), .. } => {
                let Some(plan) = self.plans.by_hash(&instance.definition) else {
                    return Err(broken(&instance.definition));
                };
                let state = (instance.id.clone(), instance.run, instance.seq, counting::cut(instance, plan)?);
                if !self.states.contains(&state) {
                    return violated("what people see has happened", format!("{} at {}", instance.id, instance.seq));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether a participant is asked.
fn is_of(invocation: &Invocation, topic: &str) -> bool {
    invocation.participant.commands_topic == topic
}

fn is_under_way(wait: &Wait) -> bool {
    matches!(wait, Wait::Answer(_) | Wait::Query(_) | Wait::Pending(_) | Wait::Unfit(_))
}

/// The least time between two calls of one partition, in milliseconds: of all together so many within so long are allowed,
/// and what does not divide is for the first ones. Where there are fewer than partitions, a partition is a quarter of a
/// slot before its time at most.
fn pause(limit: &Limit, partitions: u32) -> Option<u64> {
    let Per::Time(within) = limit.per else { return None };
    let within = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
    let share = limit.count.div_ceil(partitions);
    Some(if limit.count < partitions {
        within * u64::from(partitions) / u64::from(limit.count) * 3 / 4
    } else {
        within / u64::from(share)
    })
}

fn same(property: &'static str, left: &Ledger, right: &Ledger) -> Holds {
    let (left, right) = (left.to_text().map_err(broken)?, right.to_text().map_err(broken)?);
    if left == right { Ok(()) } else { violated(property, format!("\n{left}\n--- is not\n{right}")) }
}
