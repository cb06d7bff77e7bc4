//! A way through a saga as people and programs read it: its steps in words, a sequence diagram, or a scenario to paste.

use serde_json::{Value, json};

use super::explored::{Explored, indented, place_of};
use super::sources::Checked;
use super::table::Table;
use super::{CliError, Out};
use crate::http::history::happened;
use crate::model::example;
use crate::model::explore::{Property, Report, Told, Violation, Way};
use crate::model::sequence;
use crate::plan::Plan;

/// How a way is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// What happens, and what the engine makes of it
    Steps,
    /// A sequence diagram, for Markdown of many hosts
    Mermaid,
    /// A scenario of the language: `saga test` plays it
    Scenario,
}

/// Shows how sagas can come to an end that is asked for.
pub(super) fn show(
    sagas: &[(&Checked, &Explored)],
    (wanted, form): (&str, Form),
    out: &mut Out,
) -> Result<(), CliError> {
    let mut found: Vec<String> = Vec::new();
    for (file, explored) in sagas {
        let Report { ways, violations, .. } = &explored.report;
        let ways = ways.iter().filter(|way| is_meant(&way.ending.to_string(), wanted));
        found.extend(ways.map(|way| of_way(file, explored, way, form)));
        let violations = violations.iter().filter(|violation| is_meant(&violation.to_string(), wanted));
        found.extend(violations.map(|violation| of_violation(file, explored, violation, form)));
    }
    if !found.is_empty() {
        return out.data(found.join("\n"));
    }
    let ends = sagas.iter().flat_map(|(_, explored)| &explored.report.ways).map(|way| way.ending.to_string());
    let broken = sagas.iter().flat_map(|(_, explored)| &explored.report.violations).map(Violation::to_string);
    let mut ends: Vec<String> = ends.chain(broken).collect();
    ends.sort();
    ends.dedup();
    let is_budget_spent = sagas.iter().any(|(_, explored)| explored.report.is_budget_spent());
    if Property::ALL.iter().any(|property| is_meant(wanted, property.name())) {
        return Err(CliError::usage(format!("no way was found on which this promise is broken: \"{wanted}\"")));
    }
    let error = CliError::usage(format!("no way to this end was found: \"{wanted}\""));
    let error = error.hint(format!("its ends: {}", ends.join(", ")));
    Err(error.hint(if is_budget_spent {
        "not all was looked at; `--deep` has no budget"
    } else {
        "data is tried that conditions and arithmetic look at: docs/how-it-is-proved.md says which"
    }))
}

/// `compensated declined`, and `compensated` for each such; `all-or-nothing reserve` likewise.
fn is_meant(words: &str, wanted: &str) -> bool {
    words == wanted || words.strip_prefix(wanted).is_some_and(|rest| rest.starts_with(' '))
}

fn of_violation(file: &Checked, explored: &Explored, violation: &Violation, form: Form) -> String {
    let broken = format!("{} is broken{}", violation.property.name(), place_of(violation));
    let title = format!("{}: saga {}, {broken}", file.name, explored.saga);
    let way = self::violation(explored, violation, form);
    match form {
        Form::Steps => format!("{title}\n{way}"),
        Form::Mermaid => format!("%% {title}\n{way}"),
        Form::Scenario => way,
    }
}

fn of_way(file: &Checked, explored: &Explored, way: &Way, form: Form) -> String {
    let (plan, title) = (&explored.plan, format!("{}: saga {}, {}", file.name, explored.saga, way.ending));
    match form {
        Form::Steps => format!("{title}\n{}", indented(&steps(plan, &way.trace), "  ")),
        Form::Mermaid => format!("%% {title}\n{}", sequence::mermaid(plan, &way.trace)),
        Form::Scenario => match example::of(plan, way, &explored.report.ways) {
            Ok(example) => example.text(plan),
            Err(why) => format!("// {title}: no scenario was found: {why}\n"),
        },
    }
}

/// A shortest way to a broken promise.
pub(super) fn violation(explored: &Explored, violation: &Violation, form: Form) -> String {
    let plan = &explored.plan;
    match form {
        Form::Steps => indented(&steps(plan, &violation.trace), "    "),
        Form::Mermaid => sequence::mermaid(plan, &violation.trace),
        Form::Scenario => match example::of_broken(plan, violation) {
            Ok(example) => example.text(plan),
            Err(why) => format!("// no scenario was found: {why}\n"),
        },
    }
}

fn steps(plan: &Plan, trace: &[Told]) -> Table {
    let mut table = Table::headless();
    for (number, told) in (1..).zip(trace) {
        table.row([number.to_string(), told.happens.clone(), made(plan, told).join("; ")]);
    }
    table
}

/// What the engine made of it.
fn made(plan: &Plan, told: &Told) -> Vec<String> {
    let one = |event| {
        let happened = happened(plan, event);
        match happened.at {
            Some(at) => format!("{at}: {}", happened.text),
            None => happened.text,
        }
    };
    told.events.iter().map(one).collect()
}

/// For programs.
pub(super) fn json(plan: &Plan, trace: &[Told]) -> Vec<Value> {
    trace.iter().map(|told| json!({ "happens": told.happens, "events": made(plan, told) })).collect()
}
