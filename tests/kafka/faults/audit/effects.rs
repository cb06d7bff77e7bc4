//! Messages that are there because a record says so: commands, answers, copies and forwards.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::journal::{Journals, Record};
use super::runs::{End, Runs};
use super::seen::{Seen, Topics, place};
use super::{Expected, Faults, Names};

/// What every command has. What lacks one of them is a stranger's, and no participant takes it.
const ATTRIBUTES: [&str; 9] =
    ["type", "id", "instance", "step", "kind", "attempt", "command", "record", "replypartition"];

/// All that is a command by its own word.
pub(super) fn commands<'a>(topics: &'a Topics, names: &'a Names) -> impl Iterator<Item = (&'a str, u32, &'a Seen)> {
    let of = |topic: &'a String| topics.all(topic).map(move |(partition, seen)| (topic.as_str(), partition, seen));
    names.commands.iter().flat_map(of).filter(|(.., seen)| {
        seen.attribute("type").as_deref() == Some("saga.command.v1")
            && ATTRIBUTES.iter().all(|name| seen.attribute(name).is_some())
    })
}

pub(super) fn audit(
    topics: &Topics,
    names: &Names,
    journals: &Journals,
    runs: &Runs,
    expected: &Expected,
    faults: &mut Faults,
) {
    for (topic, partition, seen) in commands(topics, names) {
        let place = format!("{topic} {partition}/{}", seen.offset);
        match justifying(journals, seen.attribute("record"), &["change"]) {
            None => faults.add("an orphan command", place),
            Some(record) => command(record, seen, &place, faults),
        }
    }
    answers(topics, names, journals, runs, expected, faults);
    copies(topics, names, journals, faults);
}

/// The record that a message names, if it counts and is of these kinds.
fn justifying<'a>(journals: &'a Journals, named: Option<String>, kinds: &[&str]) -> Option<&'a Record> {
    let record = journals.counting.get(&place(&named?)?)?;
    kinds.contains(&record.kind.as_str()).then_some(record)
}

fn events(record: &Record) -> impl Iterator<Item = &Value> {
    record.body["change"]["events"].as_array().into_iter().flatten()
}

/// A command is what an event of its record calls for, under the id of that run.
fn command(record: &Record, seen: &Seen, place: &str, faults: &mut Faults) {
    let told = |name| seen.attribute(name).unwrap_or_default();
    let (step, kind, attempt) = (told("step"), told("kind"), told("attempt"));
    let is_called = |event: &Value| {
        if kind == "query" {
            return event["asked"]["at"] == *step;
        }
        let called = &event["called"];
        called["at"] == *step && called["work"] == *kind && called["attempt"].as_u64() == attempt.parse().ok()
    };
    if !events(record).any(is_called) {
        faults.add("a command that its record does not call for", format!("{place}: {kind} {step} {attempt}"));
    }
    let instance = record.body["instance"].as_str().unwrap_or_default();
    let id = format!("{instance}/{}/{step}/1", record.body["run"]);
    let rights = [
        (told("command"), id.clone()),
        (told("id"), format!("{id}/{kind}/{attempt}")),
        (told("instance"), instance.to_owned()),
        (String::from_utf8_lossy(&seen.key).into_owned(), instance.to_owned()),
        (told("replypartition"), record.partition.to_string()),
    ];
    for (is, should) in rights {
        if is != should {
            faults.add("a command with a wrong id", format!("{place}: {is} for {should}"));
        }
    }
}

/// An answer tells the end that its record has, or a refusal; and every end that was asked for is told.
fn answers(topics: &Topics, names: &Names, journals: &Journals, runs: &Runs, expected: &Expected, faults: &mut Faults) {
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (partition, seen) in
        topics.all(&names.answers).filter(|(_, seen)| seen.attribute("type").as_deref() == Some("saga.answer.v1"))
    {
        let place = format!("{} {partition}/{}", names.answers, seen.offset);
        let (instance, status) = (seen.attribute("instance").unwrap_or_default(), seen.attribute("status"));
        let Some(record) = justifying(journals, seen.attribute("record"), &["change", "reject", "bar"]) else {
            faults.add("an orphan answer", place);
            continue;
        };
        let says = match record.kind.as_str() {
            "change" if events(record).any(|event| event == "compensated") => Some("compensated"),
            "change" if events(record).any(|event| event.get("completed").is_some()) => Some("completed"),
            "change" => None,
            _ => Some("rejected"),
        };
        if record.body["instance"] != instance || status.as_deref() != says {
            faults.add("another answer than its record's", format!("{place}: {instance} {status:?} for {says:?}"));
        }
        told.entry(instance).or_default().extend(status.filter(|status| status != "rejected"));
    }
    for id in &expected.asked {
        let should = match runs.end(id) {
            Some(End::Completed) => "completed",
            Some(End::Compensated) => "compensated",
            None => continue,
        };
        let is = told.remove(id).unwrap_or_default();
        if is != BTreeSet::from([should.to_owned()]) {
            faults.add("an end that was not told", format!("{id}: {is:?} for {should}"));
        }
    }
}

/// What stands in `saga.dead` is what a record rejected, and what was forwarded is what a record forwards; and the other
/// way round.
fn copies(topics: &Topics, names: &Names, journals: &Journals, faults: &mut Faults) {
    let mut copied = BTreeSet::new();
    for (partition, seen) in topics.all(&names.dead) {
        let justified_by = seen.header("saga-record").map(str::to_owned);
        let Some(place) = justified_by.as_deref().and_then(place) else { continue };
        let record = justifying(journals, justified_by, &["reject"]).filter(|record| !record.body["raw"].is_null());
        if record.is_none() {
            faults.add("an orphan in saga.dead", format!("{partition}/{}", seen.offset));
        }
        copied.insert(place);
    }
    for topic in [&names.requests, &names.replies] {
        for (partition, seen) in topics.all(topic) {
            let justified_by = seen.header("saga-forwarded").map(str::to_owned);
            let Some(place) = justified_by.as_deref().and_then(place) else { continue };
            let record = justifying(journals, justified_by, &["forward"]);
            let key = record.and_then(|record| record.body["message"]["key"].as_str());
            if key.map(str::as_bytes) != Some(&seen.key) {
                faults.add("an orphan that was forwarded", format!("{topic} {partition}/{}", seen.offset));
            }
            copied.insert(place);
        }
    }
    for record in journals.records() {
        let is_copied = record.kind == "forward" || (record.kind == "reject" && !record.body["raw"].is_null());
        if is_copied && !copied.contains(&(record.partition, record.offset)) {
            faults.add("a copy that is missing", format!("{}/{}: {}", record.partition, record.offset, record.kind));
        }
    }
}
