//! Lives of instances, by the changes that count.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::journal::{Journals, Record};
use super::{Expected, Faults};

/// How an instance ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Completed,
    Compensated,
}

/// One step of one run. Instants are numbers of events.
#[derive(Clone, Debug, Default)]
struct Step {
    called: Option<usize>,
    /// How often it succeeded, and how often nobody knew.
    done: usize,
    lost: usize,
    settled: Option<usize>,
    called_back: Option<usize>,
    taken_back: usize,
    taken_back_at: Option<usize>,
}

impl Step {
    const fn is_in_effect(&self) -> bool {
        self.done > 0 || self.lost > 0
    }
}

#[derive(Clone, Debug, Default)]
struct Run {
    partition: u32,
    seq: u64,
    events: usize,
    end: Option<End>,
    steps: BTreeMap<String, Step>,
    /// What waits for a person, with the code that says why.
    stuck: BTreeMap<(String, String), String>,
}

/// All runs by instance and run.
#[derive(Debug, Default)]
pub(super) struct Runs {
    all: BTreeMap<(String, u64), Run>,
    /// Instances of which a request was refused.
    refused: BTreeSet<String>,
}

impl Runs {
    pub(super) fn read(journals: &Journals, faults: &mut Faults) -> Self {
        let mut runs = Self::default();
        for record in journals.records() {
            let Some(instance) = record.body["instance"].as_str() else { continue };
            match record.kind.as_str() {
                "change" => runs.change(instance, record, faults),
                // One that cannot be read was no start.
                "reject" | "bar" if record.body["raw"].is_null() => {
                    runs.refused.insert(instance.to_owned());
                }
                _ => {}
            }
        }
        runs
    }

    fn change(&mut self, instance: &str, record: &Record, faults: &mut Faults) {
        let place = format!("{instance}: {}/{}", record.partition, record.offset);
        let number = record.body["run"].as_u64().unwrap_or_default();
        let change = &record.body["change"];
        let run = self.all.entry((instance.to_owned(), number)).or_default();
        let seq = change["seq"].as_u64().unwrap_or_default();
        if seq != run.seq + 1 {
            faults.add("a hole in seq", format!("{place}: {seq} behind {}", run.seq));
        }
        if run.seq == 0 {
            run.partition = record.partition;
        } else if run.partition != record.partition {
            faults.add("in two partitions", place.as_str());
        }
        run.seq = seq;
        if run.end.is_some() {
            faults.add("a change behind the end", place.as_str());
        }
        for (at, event) in change["events"].as_array().into_iter().flatten().enumerate() {
            let is_first = seq == 1 && at == 0;
            if event.get("started").is_some() != is_first {
                faults.add("a run begins with its start, and only there", place.as_str());
            }
            run.event(event, &place, faults);
        }
    }

    fn of<'a>(&'a self, instance: &'a str) -> impl Iterator<Item = &'a Run> {
        self.all.range((instance.to_owned(), 0)..=(instance.to_owned(), u64::MAX)).map(|(_, run)| run)
    }

    /// Whether nothing is to be expected of an instance any more.
    pub(super) fn has_ended(&self, instance: &str) -> bool {
        let mut runs = self.of(instance).peekable();
        if runs.peek().is_none() { self.refused.contains(instance) } else { runs.all(|run| run.end.is_some()) }
    }

    pub(super) fn is_stuck(&self, instance: &str) -> bool {
        self.of(instance).any(|run| run.end.is_none() && !run.stuck.is_empty())
    }

    /// How its last run ended.
    pub(super) fn end(&self, instance: &str) -> Option<End> {
        self.of(instance).last().and_then(|run| run.end)
    }

    pub(super) fn is_known(&self, instance: &str) -> bool {
        self.of(instance).next().is_some()
    }

    pub(super) fn instances(&self) -> BTreeSet<&str> {
        self.all.keys().map(|(instance, _)| instance.as_str()).collect()
    }

    pub(super) fn sums(&self) -> (usize, usize, usize) {
        let ended = |end| self.all.values().filter(|run| run.end == Some(end)).count();
        let stuck = self.all.values().filter(|run| run.end.is_none() && !run.stuck.is_empty()).count();
        (ended(End::Completed), ended(End::Compensated), stuck)
    }

    pub(super) fn audit(&self, expected: &Expected, faults: &mut Faults) {
        for id in &expected.accepted {
            let runs = self.of(id).count();
            if runs > 1 {
                faults.add("begun twice", id.as_str());
            }
            if runs == 0 && !self.refused.contains(id) {
                faults.add("an accepted start is lost", id.as_str());
            }
        }
        for ((instance, _), run) in &self.all {
            match run.end {
                None if run.stuck.is_empty() => faults.add("no end", instance.as_str()),
                None => {
                    if run.stuck.values().any(String::is_empty) {
                        faults.add("stuck without a reason", instance.as_str());
                    }
                }
                Some(End::Completed) => run.is_whole(instance, faults),
                Some(End::Compensated) => run.is_mirrored(instance, faults),
            }
        }
    }
}

impl Run {
    fn event(&mut self, event: &Value, place: &str, faults: &mut Faults) {
        self.events += 1;
        let now = self.events;
        if let Some(end) = event.as_str() {
            if end == "compensated" {
                self.ends(End::Compensated, place, faults);
            }
            return;
        }
        let Some((name, fields)) = event.as_object().and_then(|fields| fields.iter().next()) else {
            return faults.add("an event that is none", place);
        };
        let at = fields["at"].as_str().unwrap_or_default().to_owned();
        let work = fields["work"].as_str().unwrap_or("do").to_owned();
        let is_back = work == "undo";
        match name.as_str() {
            "completed" => self.ends(End::Completed, place, faults),
            "called" => {
                self.stuck.remove(&(at.clone(), work));
                let step = self.steps.entry(at).or_default();
                let called = if is_back { &mut step.called_back } else { &mut step.called };
                called.get_or_insert(now);
            }
            "succeeded" | "lost" => {
                self.stuck.remove(&(at.clone(), work));
                let step = self.steps.entry(at).or_default();
                match (name.as_str(), is_back) {
                    ("lost", _) => step.lost += 1,
                    (_, false) => step.done += 1,
                    (_, true) => (step.taken_back, step.taken_back_at) = (step.taken_back + 1, Some(now)),
                }
                if !is_back {
                    step.settled = Some(now);
                }
            }
            "refused" => {
                self.stuck.remove(&(at, work));
            }
            "stuck" => {
                let code = fields["code"].as_str().unwrap_or_default().to_owned();
                self.stuck.insert((at, work), code);
            }
            _ => {}
        }
    }

    fn ends(&mut self, end: End, place: &str, faults: &mut Faults) {
        if self.end.replace(end).is_some() {
            faults.add("ended twice", place);
        }
    }

    /// Completed: every step that was called is done once, and none is taken back.
    fn is_whole(&self, instance: &str, faults: &mut Faults) {
        for (at, step) in &self.steps {
            if step.called_back.is_some() || step.taken_back > 0 {
                faults.add("completed and taken back", format!("{instance} {at}"));
            } else if step.done != 1 {
                faults.add("completed without its step", format!("{instance} {at}: done {} times", step.done));
            }
        }
    }

    /// Compensated: what is in effect is taken back once, in the mirror image of what ran, and nothing else is.
    fn is_mirrored(&self, instance: &str, faults: &mut Faults) {
        for (at, step) in &self.steps {
            let place = format!("{instance} {at}");
            match (step.is_in_effect(), step.taken_back) {
                (true, 1) => {}
                (true, 0) => faults.add("not taken back", place),
                (true, _) => faults.add("taken back twice", place),
                (false, _) if step.called_back.is_some() => faults.add("taken back though it was not done", place),
                (false, _) => {}
            }
        }
        let both = |step: &&Step| step.is_in_effect() && step.taken_back > 0;
        for (one, first) in self.steps.iter().filter(|(_, step)| both(step)) {
            for (other, second) in self.steps.iter().filter(|(_, step)| both(step)) {
                let is_behind = first.settled < second.called;
                if is_behind && second.taken_back_at > first.called_back {
                    faults.add("taken back in another order", format!("{instance}: {one} before {other}"));
                }
            }
        }
    }
}
