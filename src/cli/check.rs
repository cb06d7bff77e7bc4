//! `saga check`: all findings of all files, and what is proved of those without.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::out::visible;
use super::sources::{Checked, check_file, colour};
use super::{CliError, Exit, Out, explored, proved};
use crate::diagnostic::{Severity, render, sarif};
use crate::model::explore::{Bounds, STATES_MAX};

/// Check definitions and say what is proved of them
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(after_help = "Each file is a program of its own. `saga explain CODE` explains a finding.")]
pub(super) struct Arguments {
    /// Files of the language; - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Also list every way in which each saga can end: what it needs, how long it takes, how many messages
    #[arg(long)]
    outcomes: bool,
    /// Also explore every order of answers, silence, time, signals and orders, on the engine that runs: how each saga can
    /// end, by the shortest way, and whether every promise holds in each state
    #[arg(long)]
    deep: bool,
    /// With --deep: look at no more states than these of a saga
    #[arg(long, value_name = "N", requires = "deep", default_value_t = STATES_MAX, value_parser = states)]
    states: usize,
    /// With --deep: participants do not keep the guard, so a late copy of a command is carried out again
    #[arg(long, requires = "deep")]
    unguarded: bool,
    /// Print JSON, whose form is stable
    #[arg(long)]
    json: bool,
    /// How findings are written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text, conflicts_with_all = ["json", "outcomes", "deep"])]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// SARIF 2.1.0, for code hosts and editors
    Sarif,
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    // A file that cannot be read hides nothing of the others.
    let (mut checked, mut unreadable) = (Vec::new(), Vec::new());
    for file in each_once(&arguments.files) {
        match check_file(file) {
            Ok(file) => checked.push(file),
            Err(error) => unreadable.push(error),
        }
    }
    each_finding_once(&mut checked);
    let bounds = Bounds { states: arguments.states, guard: !arguments.unguarded };
    let sound = checked.iter().filter(|file| arguments.deep && !file.is_refused());
    let explored: Vec<_> =
        sound.flat_map(|file| explored::all(file, bounds).into_iter().map(move |saga| (file, saga))).collect();
    if arguments.format == Format::Sarif {
        let files: Vec<_> = checked.iter().map(|file| (&file.sources, file.findings.as_slice())).collect();
        let failures: Vec<String> = unreadable.iter().map(CliError::title).collect();
        out.json(&sarif::log(&files, &failures))?;
    } else if arguments.json {
        let findings: Vec<_> =
            checked.iter().flat_map(|file| as_list(render::json(&file.sources, &file.findings))).collect();
        let sagas: Vec<_> = checked
            .iter()
            .filter(|file| !file.is_refused())
            .flat_map(|file| proved::json(file, arguments.outcomes))
            .collect();
        let mut all = json!({ "findings": findings, "sagas": sagas });
        if let Some(all) = all.as_object_mut().filter(|_| arguments.deep) {
            let explored = explored.iter().map(|(file, saga)| saga.json(&file.name));
            all.insert("explored".to_owned(), explored.collect());
        }
        out.json(&all)?;
    } else {
        for file in &checked {
            out.coloured(file.text(colour(out.data_in_colour())))?;
            if !file.is_refused() {
                out.data(proved::text(file, arguments.outcomes))?;
            }
        }
        for (file, saga) in &explored {
            out.data(saga.text(&file.name))?;
        }
        if !checked.is_empty() {
            out.remark(format_args!("{}", summary(&checked)));
        }
    }
    if let Some(last) = unreadable.pop() {
        for error in unreadable {
            out.aside(&visible(&error.text()));
        }
        return Err(last);
    }
    let holds = checked.iter().all(|file| file.findings.is_empty()) && explored.iter().all(|(_, saga)| saga.holds());
    Ok(if holds { Exit::Done } else { Exit::Findings })
}

/// What is found in a file that several use is said once.
fn each_finding_once(checked: &mut [Checked]) {
    let mut said = BTreeSet::new();
    for Checked { sources, findings, .. } in checked {
        findings.retain(|finding| {
            let span = finding.span();
            let file = sources.get(span.file).map(|file| Arc::clone(&file.name));
            said.insert((file, span.start, span.end, finding.code, finding.title.clone()))
        });
    }
}

fn states(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("it is a number from 1 on".to_owned()),
        Ok(number) => Ok(number),
    }
}

fn as_list(value: serde_json::Value) -> Vec<serde_json::Value> {
    if let serde_json::Value::Array(list) = value { list } else { vec![value] }
}

/// The files in their order; one that is named twice is meant once.
pub(super) fn each_once(files: &[String]) -> impl Iterator<Item = &String> {
    files
        .iter()
        .enumerate()
        .filter(|(index, file)| !files.iter().take(*index).any(|before| before == *file))
        .map(|(_, file)| file)
}

fn summary(checked: &[Checked]) -> String {
    let count = |severity| {
        checked.iter().flat_map(|file| &file.findings).filter(|finding| finding.severity == severity).count()
    };
    let plural = |count: usize, word: &str| if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") };
    let files = plural(checked.len(), "file");
    match (count(Severity::Error), count(Severity::Warning)) {
        (0, 0) => format!("{files}: no findings"),
        (errors, warnings) => format!("{files}: {}, {}", plural(errors, "error"), plural(warnings, "warning")),
    }
}
