//! `saga test`: plays the scenarios of files in virtual time and shows what departed.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::check::each_once;
use super::covered::{Covered, complete};
use super::error::near_miss;
use super::out::plural;
use super::sources::{Checked, check_file};
use super::table::Table;
use super::{CliError, Exit, Out};
use crate::definition::{Saga, Scenario};
use crate::http::history::happened;
use crate::model::scenario::{self, Report};
use crate::plan::Plan;

/// Play the scenarios of files, in virtual time, with simulated participants
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Days pass at once, nothing is written, and what is expected is compared. To have one in the log, where it can be
looked at and operated, `saga run FILE --scenario TITLE` plays it in real time.")]
pub(super) struct Arguments {
    /// Files of the language; - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Only the scenario of this title
    #[arg(long, value_name = "TITLE")]
    scenario: Option<String>,
    /// Also say what can become of each step and no scenario shows: done, each code, silence, unknown, taken back, stuck
    #[arg(long, conflicts_with = "scenario")]
    coverage: bool,
    /// Write scenarios for that behind those of the file, with what comes of them as expectations
    #[arg(long, requires = "coverage", conflicts_with = "scenario")]
    write: bool,
    /// Print JSON, whose form is stable
    #[arg(long, conflicts_with = "write")]
    json: bool,
}

/// A scenario that was played.
struct Played<'f> {
    file: &'f Checked,
    scenario: &'f Scenario,
    plan: Arc<Plan>,
    report: Report,
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let mut files = Vec::new();
    for file in each_once(&arguments.files) {
        files.push(check_file(file)?.accepted(out)?);
    }
    let wanted = |scenario: &&Scenario| arguments.scenario.as_ref().is_none_or(|title| *title == scenario.title);
    let mut played = Vec::new();
    for file in &files {
        for scenario in file.program.scenarios.iter().filter(wanted) {
            let plan = Arc::new(Plan::new(Arc::clone(file.saga(Some(&scenario.saga))?)));
            let report = scenario::run(&plan, scenario);
            played.push(Played { file, scenario, plan, report });
        }
    }
    if let (Some(title), true) = (&arguments.scenario, played.is_empty()) {
        let titles = files.iter().flat_map(|file| &file.program.scenarios).map(|scenario| scenario.title.as_str());
        let error = CliError::usage(format!("there is no scenario \"{title}\""));
        return Err(match near_miss("there are", title, titles) {
            Some(hint) => error.hint(hint),
            None => error,
        });
    }
    let covered = if arguments.coverage { covered(&files, &played) } else { Vec::new() };
    if arguments.json {
        let mut all = json!({ "scenarios": played.iter().map(result).collect::<Vec<_>>() });
        if let Some(all) = all.as_object_mut().filter(|_| arguments.coverage) {
            let sagas = covered.iter().flat_map(|(_, sagas)| sagas).map(Covered::json);
            all.insert("coverage".to_owned(), sagas.collect());
        }
        out.json(&all)?;
    } else {
        for one in &played {
            out.data(text(one))?;
        }
        for saga in covered.iter().flat_map(|(_, sagas)| sagas) {
            out.data(saga.text())?;
        }
        out.remark(format_args!("{}", summary(&played)));
    }
    if arguments.write {
        for (file, sagas) in &covered {
            complete(file, sagas, out)?;
        }
    }
    let holds = played.iter().all(|one| one.report.departures.is_empty());
    Ok(if holds { Exit::Done } else { Exit::Findings })
}

/// What the scenarios of each file's own sagas show.
fn covered<'f>(files: &'f [Checked], played: &[Played<'f>]) -> Vec<(&'f Checked, Vec<Covered<'f>>)> {
    let of = |file: &'f Checked, saga: &Arc<Saga>| {
        let of_it = |one: &&Played<'f>| std::ptr::eq(one.file, file) && one.scenario.saga == saga.name;
        let reports: Vec<_> = played.iter().filter(of_it).map(|one| (one.scenario, &one.report)).collect();
        Covered::of(file, Arc::new(Plan::new(Arc::clone(saga))), &reports)
    };
    files.iter().map(|file| (file, file.own_sagas().map(|saga| of(file, saga)).collect())).collect()
}

fn summary(played: &[Played<'_>]) -> String {
    let failed = played.iter().filter(|one| !one.report.departures.is_empty()).count();
    let scenarios = plural(played.len(), "scenario");
    match (played.len(), failed) {
        (0, _) => "no scenarios".to_owned(),
        (_, 0) => format!("{scenarios}, all as expected"),
        (_, failed) => format!("{scenarios}, {failed} not as expected"),
    }
}

/// One line where it holds; else where it departed, and everything that happened.
fn text(played: &Played<'_>) -> String {
    let Played { file, scenario, report, .. } = played;
    if report.departures.is_empty() {
        return format!("ok    {}: {}\n", file.name, scenario.title);
    }
    let mut text = format!("FAIL  {}: {}\n", file.name, scenario.title);
    for departure in &report.departures {
        let at = file.sources.get(departure.span.file).map(|source| source.line_column(departure.span.start));
        let place = at.map(|at| format!("{}:{}:{}", file.name, at.line, at.column)).unwrap_or_default();
        let _ =
            write!(text, "  {place}\n    - expected  {}\n    + found     {}\n", departure.expected, departure.found);
    }
    text.push_str("  what happened\n");
    let mut table = Table::headless();
    for (passed, happened) in trace(played) {
        table.row([format!("    {passed}"), happened.at.unwrap_or_default(), happened.text]);
    }
    text.push_str(&table.text());
    text
}

fn trace(played: &Played<'_>) -> Vec<(String, crate::http::history::Happened)> {
    played.report.trace.iter().map(|(passed, event)| (clock(*passed), happened(&played.plan, event))).collect()
}

/// Time since the start: `+00:00:10.200`.
fn clock(passed: Duration) -> String {
    let (seconds, ms) = (passed.as_secs(), passed.subsec_millis());
    format!("+{:02}:{:02}:{:02}.{ms:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

fn result(played: &Played<'_>) -> Value {
    let Played { file, scenario, report, .. } = played;
    let departure = |departure: &scenario::Departure| {
        let at = file.sources.get(departure.span.file).map(|source| source.line_column(departure.span.start));
        json!({
            "line": at.map(|at| at.line),
            "column": at.map(|at| at.column),
            "expected": departure.expected,
            "found": departure.found,
        })
    };
    let events: Vec<Value> = trace(played)
        .into_iter()
        .map(|(after, happened)| json!({ "after": after, "event": happened.event, "at": happened.at, "text": happened.text }))
        .collect();
    json!({
        "file": file.name,
        "saga": scenario.saga,
        "scenario": scenario.title,
        "holds": report.departures.is_empty(),
        "outcome": report.summary,
        "departures": report.departures.iter().map(departure).collect::<Vec<_>>(),
        "trace": events,
    })
}
