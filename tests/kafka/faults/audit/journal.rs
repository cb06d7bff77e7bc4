//! Journals by the rule of reading, as `docs/protocol.md` has it, once more and in other words than those of the runtime.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::seen::Topics;
use super::{Faults, Names};

/// A record that counts.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) partition: u32,
    pub(super) offset: u64,
    pub(super) epoch: u64,
    pub(super) n: u64,
    pub(super) kind: String,
    /// What stands under its kind.
    pub(super) body: Value,
    pub(super) whole: Value,
}

/// All that counts, by partition and offset, and how much does not.
#[derive(Debug, Default)]
pub(super) struct Journals {
    pub(super) counting: BTreeMap<(u32, u64), Record>,
    pub(super) claims: usize,
    /// Records of the protocol's form that do not count.
    pub(super) misfits: usize,
    /// What is no record.
    pub(super) strangers: usize,
}

/// The record in some bytes, if they are one.
fn parse(partition: u32, offset: u64, payload: &[u8]) -> Option<Record> {
    let whole: Value = serde_json::from_slice(payload).ok()?;
    let number = |name: &str| whole.get(name)?.as_u64();
    let (version, epoch, n) = (number("v")?, number("epoch")?, number("n")?);
    // Nobody but `saga` writes these three; what else they need is what it says.
    number("sent")?;
    number("checkpoint")?;
    // Later versions have more events: waits for a turn, messages, signals, a `try`, loops, sagas that take back; checkpoints
    // tell what an ended saga was asked, and refusals who asked.
    if !(1..=8).contains(&version) {
        return None;
    }
    let (kind, body) = match whole.get("body")? {
        Value::String(kind) => (kind.clone(), Value::Null),
        Value::Object(fields) if fields.len() == 1 => {
            let (kind, body) = fields.iter().next()?;
            (kind.clone(), body.clone())
        }
        _ => return None,
    };
    Some(Record { partition, offset, epoch, n, kind, body, whole })
}

impl Journals {
    /// Reads all partitions.
    pub(super) fn read(topics: &Topics, names: &Names) -> Self {
        let mut journals = Self::default();
        for partition in topics.partitions(&names.journal) {
            journals.read_partition(topics, names, partition);
        }
        journals
    }

    fn read_partition(&mut self, topics: &Topics, names: &Names, partition: u32) {
        // The latest claim, and the offset up to which everything behind it counts.
        let mut latest: Option<(u64, u64)> = None;
        for seen in topics.partition(&names.journal, partition) {
            let Some(record) = parse(partition, seen.offset, &seen.payload) else {
                self.strangers += 1;
                continue; // nothing behind it will follow on what counts, before the next claim
            };
            if record.kind == "claim" {
                self.claims += 1;
                latest = Some((seen.offset, seen.offset));
                self.counting.insert((partition, seen.offset), record);
                continue;
            }
            match &mut latest {
                Some((epoch, last))
                    if record.epoch == *epoch && record.epoch + record.n == seen.offset && *last + 1 == seen.offset =>
                {
                    *last = seen.offset;
                    self.counting.insert((partition, seen.offset), record);
                }
                _ => self.misfits += 1,
            }
        }
    }

    /// All but claims.
    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.counting.values().filter(|record| record.kind != "claim")
    }

    pub(super) fn count(&self, kind: &str) -> usize {
        self.records().filter(|record| record.kind == kind).count()
    }

    /// What records say of themselves and of each other.
    pub(super) fn audit(&self, topics: &Topics, names: &Names, faults: &mut Faults) {
        let partitions: BTreeSet<u32> = self.counting.keys().map(|(partition, _)| *partition).collect();
        for partition in partitions {
            self.positions(partition, faults);
            self.checkpoints(partition, faults);
            self.causes(topics, names, partition, faults);
        }
    }

    fn of(&self, partition: u32) -> impl Iterator<Item = &Record> {
        self.counting.range((partition, 0)..=(partition, u64::MAX)).map(|(_, record)| record)
    }

    /// Positions never step back. That `n` counts 1, 2, 3 … behind each claim, the rule of reading sees to.
    fn positions(&self, partition: u32, faults: &mut Faults) {
        let mut read = [0, 0];
        for record in self.of(partition).filter(|record| record.kind != "claim") {
            for (was, topic) in read.iter_mut().zip(["requests", "replies"]) {
                let position = record.whole["read"][topic].as_u64().unwrap_or_default();
                if position < *was && record.kind != "gap" {
                    faults.add(
                        "read steps back",
                        format!("{partition}/{}: {position} of {topic} behind {was}", record.offset),
                    );
                }
                *was = position;
            }
        }
    }

    /// A pointer leads to the start of a checkpoint that is complete by then.
    fn checkpoints(&self, partition: u32, faults: &mut Faults) {
        let mut started = BTreeSet::from([0]);
        let mut complete = BTreeSet::from([0]);
        for record in self.of(partition) {
            match record.kind.as_str() {
                "started" => {
                    started.insert(record.offset);
                }
                "completed" => {
                    let of = record.body["started"].as_u64().unwrap_or(u64::MAX);
                    if !started.contains(&of) {
                        faults.add("a checkpoint that never started", format!("{partition}/{}", record.offset));
                    }
                    complete.insert(of);
                }
                _ => {}
            }
            let pointer = record.whole["checkpoint"].as_u64().unwrap_or(u64::MAX);
            if !complete.contains(&pointer) {
                faults.add("a pointer to no checkpoint", format!("{partition}/{}: {pointer}", record.offset));
            }
        }
    }

    /// Each input counts once, and is what the record says that it was.
    fn causes(&self, topics: &Topics, names: &Names, partition: u32, faults: &mut Faults) {
        let mut taken = BTreeMap::new();
        for record in self.of(partition) {
            let cause = &record.body["cause"];
            let cause = if record.kind == "park" { &record.body["parked"]["cause"] } else { cause };
            for (lane, topic) in [("request", &names.requests), ("reply", &names.replies)] {
                let Some(at) = cause.get(lane).and_then(Value::as_u64) else { continue };
                if let Some(before) = taken.insert((lane, at), record.offset) {
                    let what = format!("{lane} {partition}/{at} at {before} and at {}", record.offset);
                    faults.add("an input counts twice", what);
                }
                let Some(input) = topics.at(topic, partition, at) else {
                    faults.add("a record without its input", format!("{partition}/{}: {lane} {at}", record.offset));
                    continue;
                };
                let instance = record.body["instance"].as_str();
                if record.kind == "change" && instance.map(str::as_bytes) != Some(&input.key) {
                    faults.add("another's input", format!("{partition}/{}: {lane} {at}", record.offset));
                }
            }
        }
    }

    /// Inputs behind what the last record has read, and effects that no record calls sent.
    pub(super) fn under_way(&self, topics: &Topics, names: &Names) -> Vec<String> {
        let mut all = Vec::new();
        for partition in topics.partitions(&names.journal) {
            let records = || self.of(partition).filter(|record| record.kind != "claim");
            for (lane, topic) in [("requests", &names.requests), ("replies", &names.replies)] {
                let end = topics.partition(topic, partition).last().map_or(0, |last| last.offset + 1);
                let read = records().last().and_then(|last| last.whole["read"][lane].as_u64()).unwrap_or_default();
                if read < end {
                    all.push(format!("{lane} {partition}: {read} of {end}"));
                }
            }
            let sent = records().filter_map(|record| record.whole["sent"].as_u64()).max().unwrap_or_default();
            let acts = |record: &&Record| ["change", "reject", "bar", "forward"].contains(&record.kind.as_str());
            if let Some(last) = records().filter(acts).last()
                && last.offset >= sent
            {
                all.push(format!("effects of {partition}/{}: sent before {sent}", last.offset));
            }
        }
        all
    }

    /// The start of the last complete checkpoint of a partition: so far its journal may be cut.
    pub(super) fn cut(&self, partition: u32) -> Option<u64> {
        let complete = self.of(partition).filter(|record| record.kind == "completed");
        complete.filter_map(|record| record.body["started"].as_u64()).last()
    }
}
