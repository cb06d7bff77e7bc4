//! What a check proves of a saga, for people and programs: how it can end, where it cannot turn back any more, which
//! topics it uses, which times hold that nobody wrote.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use compact_str::CompactString;
use serde_json::{Value, json};

use super::explored::Explored;
use super::outcomes;
use super::sources::Checked;
use super::table::Table;
use super::ways::Form;
use crate::check::{self, Defaults, Outcomes, Return};
use crate::definition::limits::MAX_ELEMENTS;
use crate::definition::{Invocation, Retry, Saga, Verb};
use crate::model::explore::{Ending, Report};
use crate::plan::{Class, Plan};

/// What is known of one saga.
struct Proved {
    /// The codes with which it can end compensated, and what each needs.
    outcomes: Outcomes,
    /// Where the points of no return are, one on each way; none: its end.
    pivots: Vec<Return>,
    /// Steps behind it: they are repeated until they succeed.
    retriable: Vec<CompactString>,
    /// Topics of the participants that it calls.
    topics: BTreeSet<CompactString>,
    /// Of a choreographed saga, the topics of its participants' events.
    events: BTreeSet<CompactString>,
    /// Steps, and compensations, whose times are the built-in ones.
    built_in: (Vec<CompactString>, Vec<CompactString>),
}

impl Proved {
    fn of(saga: &Arc<Saga>) -> Self {
        let plan = Plan::new(Arc::clone(saga));
        let mut this = Self {
            outcomes: check::outcomes(saga),
            pivots: check::points_of_no_return(saga),
            retriable: Vec::new(),
            topics: BTreeSet::new(),
            events: BTreeSet::new(),
            built_in: (Vec::new(), Vec::new()),
        };
        let Defaults { timeout, retry, compensation_retry } = check::defaults();
        let is_built_in = |invocation: &Invocation, retry: Retry| {
            // What is sent has no times.
            let Invocation { verb, timing, .. } = invocation;
            *verb == Verb::Call && timing.timeout == timeout && timing.retry == retry
        };
        for (id, node) in plan.nodes() {
            let Some(work) = plan.work(id) else { continue };
            for invocation in work.action().into_iter().chain(work.compensation()) {
                this.topics.insert(invocation.participant.commands_topic.clone());
                if saga.choreography.is_some() {
                    this.events.insert(invocation.participant.events_topic.clone());
                }
            }
            if work.action().is_some_and(|action| is_built_in(action, retry)) {
                this.built_in.0.push(node.place.clone());
            }
            if work.compensation().is_some_and(|undo| is_built_in(undo, compensation_retry)) {
                this.built_in.1.push(node.place.clone());
            }
            // Behind that of a sub-saga the saga itself can still turn back.
            let is_inside = plan.around(id).any(|run| plan.has_own_pivot(run));
            if work.class == Class::Retriable && work.action().is_some() && !is_inside {
                this.retriable.push(node.place.clone());
            }
        }
        this
    }
}

/// For people, a block a saga.
pub(super) fn text(file: &Checked, explored: &[Explored], (with_outcomes, form): (bool, Form)) -> String {
    let mut text = String::new();
    for saga in file.own_sagas() {
        let proved = Proved::of(saga);
        let explored = explored.iter().find(|one| one.saga == saga.name);
        let _ = writeln!(text, "{}: saga {}, version {}", file.name, saga.name, saga.version);
        let mut table = Table::headless();
        let mut row = |name: &str, words: String| table.row([format!("  {name}"), words]);
        row("ends", ends(&proved, explored));
        let lost = explored.map(|explored| not_found(&proved, explored)).unwrap_or_default();
        if !lost.is_empty() {
            row("not found", format!("{}: nothing that is tried leads there", lost.join(", ")));
        }
        row("no return", no_return(&proved));
        if !proved.topics.is_empty() {
            row("topics", list(&proved.topics));
        }
        if !proved.events.is_empty() {
            row("events", list(&proved.events));
        }
        let (steps, undos) = &proved.built_in;
        if !steps.is_empty() || !undos.is_empty() {
            row("built in", check::defaults().to_string());
            row("", format!("hold for {}", held(steps, undos)));
        }
        if let Some((word, line)) = explored.map(|explored| explored.line(file)) {
            table.row([format!("  {word}"), line]);
        }
        if let Some(lists) = explored.and_then(Explored::lists) {
            table.row(["  of lists".to_owned(), lists]);
        }
        text.push_str(&table.text());
        if with_outcomes {
            text.push_str(&outcomes::text(file, (saga, explored), &proved.outcomes));
        }
        text.extend(explored.map(|explored| explored.broken(file, form)));
    }
    text
}

/// By the text, and what exploring has found besides.
fn ends(proved: &Proved, explored: Option<&Explored>) -> String {
    let found = explored.into_iter().flat_map(|explored| &explored.report.ways).filter_map(|way| match &way.ending {
        Ending::Compensated(code) => Some(code),
        Ending::Completed | Ending::Stuck(..) => None,
    });
    let codes: BTreeSet<&CompactString> = proved.outcomes.codes().chain(found).collect();
    if codes.is_empty() { "completed".to_owned() } else { format!("completed, or compensated with {}", list(codes)) }
}

/// The ends by the text to which no way was found although all was looked at: they need data that is not tried, or never
/// come about.
fn not_found(proved: &Proved, explored: &Explored) -> Vec<String> {
    let Report { cut, ways, .. } = &explored.report;
    if !cut.is_empty() {
        return Vec::new();
    }
    let ends = proved.outcomes.codes().map(|code| Ending::Compensated(code.clone()));
    let ends = [Ending::Completed].into_iter().chain(ends);
    ends.filter(|end| !ways.iter().any(|way| way.ending == *end)).map(|end| end.to_string()).collect()
}

fn no_return(proved: &Proved) -> String {
    let once = |point: &Return| match &point.step {
        Some(step) => format!("once {step} has succeeded"),
        None => "once `pivot` is reached".to_owned(),
    };
    let points: BTreeSet<String> = proved.pivots.iter().map(once).collect();
    let points = points.into_iter().collect::<Vec<_>>().join(", or ");
    match (points.is_empty(), proved.retriable.is_empty()) {
        (true, _) => "the end: until then a failure takes everything back".to_owned(),
        (false, true) => points,
        (false, false) => format!("{points}; then {} until done, by a person if need be", list(&proved.retriable)),
    }
}

/// For whom the built-in times hold.
fn held(steps: &[CompactString], undos: &[CompactString]) -> String {
    match (steps.is_empty(), undos.is_empty()) {
        (_, true) => list(steps),
        (true, false) => format!("the compensations of {}", list(undos)),
        (false, false) => format!("{}; the compensations of {}", list(steps), list(undos)),
    }
}

pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a CompactString>) -> String {
    names.into_iter().map(CompactString::as_str).collect::<Vec<_>>().join(", ")
}

/// For programs, an object a saga.
pub(super) fn json(file: &Checked, explored: &[Explored], with_outcomes: bool) -> Vec<Value> {
    let one = |saga: &Arc<Saga>| {
        let proved = Proved::of(saga);
        let explored = explored.iter().find(|one| one.saga == saga.name);
        let mut known = json!({
            "file": file.name,
            "saga": saga.name,
            "version": saga.version,
            "definition": saga.hash(),
            "codes": proved.outcomes.codes().collect::<Vec<_>>(),
            "points_of_no_return": proved.pivots.iter().map(|point| point.step.as_deref().unwrap_or("pivot")).collect::<Vec<_>>(),
            "retriable": proved.retriable,
            "topics": proved.topics,
            "built_in_times": { "steps": proved.built_in.0, "compensations": proved.built_in.1 },
        });
        if let Some(known) = known.as_object_mut().filter(|_| !proved.events.is_empty()) {
            known.insert("events".to_owned(), json!(proved.events));
        }
        if let Some(known) = known.as_object_mut().filter(|_| with_outcomes) {
            let worst = check::worst(saga, MAX_ELEMENTS);
            known.insert("outcomes".to_owned(), outcomes::json(file, (saga, explored), &proved.outcomes, &worst));
            known.insert("worst".to_owned(), outcomes::beside_json(file, &worst));
        }
        if let (Some(known), Some(explored)) = (known.as_object_mut(), explored) {
            known.insert("explored".to_owned(), explored.json(file));
        }
        known
    };
    file.own_sagas().map(one).collect()
}
