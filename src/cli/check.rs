//! `saga check`: all findings of all files, and what is proved of those without.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::explored::{self, Explored};
use super::out::{plural, visible};
use super::sources::{Checked, check_file, colour};
use super::ways::{self, Form};
use super::{CliError, Exit, Out, contradictions, proved};
use crate::diagnostic::{Diagnostic, Severity, render, sarif};
use crate::engine::SIGNALS_MAX;
use crate::http::cast::Cast;
use crate::model::explore::{Bounds, INPUTS_MAX, REPLIES_MAX};

/// Check definitions, explore how each saga can end, and say what is proved
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(after_help = "\
Each file is a program of its own. `saga explain CODE` explains a finding.
The table lists every way in which a saga can end: what it needs, how many steps are called and taken back, how long it takes and
how many messages at most.
Sagas without errors are explored on the engine that runs: every order of answers, silence, time, signals and orders, within a
budget of 1,000,000 steps and 256 MB, about 2 seconds a saga. What lies beyond is said to be, and is no finding.")]
pub(super) struct Arguments {
    /// Files of the language; - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Leave out the table of every way in which each saga can end
    #[arg(long)]
    brief: bool,
    /// Only show a shortest way to an end: `completed`, `compensated declined`, `stuck undo reserve`; `compensated` for all such;
    /// or to a broken promise: `all-or-nothing`
    #[arg(long, value_name = "END", conflicts_with_all = ["brief", "json", "format", "quick"])]
    how: Option<String>,
    /// How a way is written, to an end or to a broken promise
    #[arg(long = "as", value_enum, value_name = "FORM", default_value_t = Form::Steps, conflicts_with_all = ["json", "format"])]
    form: Form,
    /// Do not explore: say what follows from the text alone
    #[arg(long)]
    quick: bool,
    /// Explore to the end, without a budget
    #[arg(long, conflicts_with = "quick")]
    deep: bool,
    #[command(flatten)]
    bounds: Bounding,
    /// Participants do not keep the guard, so a late copy of a command is carried out again
    #[arg(long, conflicts_with = "quick")]
    unguarded: bool,
    /// Print JSON, whose form is stable: short for --format json
    #[arg(long)]
    json: bool,
    /// How all of it is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text, conflicts_with = "json")]
    format: Format,
}

/// How far is explored; what is not said is as usual, or as `--deep` has it.
#[derive(Clone, Copy, Debug, clap::Args)]
struct Bounding {
    /// Try no more than so many steps from state to state of a saga [usually 1,000,000; with --deep all]
    #[arg(long, value_name = "N", conflicts_with = "quick", value_parser = positive, help_heading = "Bounds of what is explored")]
    steps: Option<usize>,
    /// Look at no more than so many states of a saga [usually 1,000,000]
    #[arg(long, value_name = "N", conflicts_with = "quick", value_parser = positive, help_heading = "Bounds of what is explored")]
    states: Option<usize>,
    /// Take no more than about so many megabytes for the states of a saga [usually 256; with --deep 2,048]
    #[arg(long, value_name = "MB", conflicts_with = "quick", value_parser = positive, help_heading = "Bounds of what is explored")]
    memory: Option<usize>,
    /// Try no more than so many inputs of a saga, up to 65,535 [usually 1,024]
    #[arg(long, value_name = "N", conflicts_with = "quick", value_parser = up_to::<INPUTS_MAX>, help_heading = "Bounds of what is explored")]
    inputs: Option<usize>,
    /// Try no more than so many replies of a step and signals of a kind, up to 255 [usually 64]
    #[arg(long, value_name = "N", conflicts_with = "quick", value_parser = up_to::<REPLIES_MAX>, help_heading = "Bounds of what is explored")]
    replies: Option<usize>,
    /// Let no more than so many signals of a name wait to be taken, up to 100 [usually 2]
    #[arg(long, value_name = "N", conflicts_with = "quick", value_parser = up_to::<SIGNALS_MAX>, help_heading = "Bounds of what is explored")]
    signals: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
    /// SARIF 2.1.0: the findings, for code hosts and editors
    Sarif,
}

/// A file with its sagas as they were explored: none where it has errors, or nobody asked.
struct Seen {
    file: Checked,
    sagas: Vec<Explored>,
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
    let usable = checked.iter().filter(|file| !file.is_refused());
    let casts: Vec<_> = usable.map(|file| (file.name.as_str(), Cast::of(&file.program))).collect();
    contradictions::warn(&casts, out);
    let explore = |file: Checked| {
        let sagas =
            if arguments.quick || file.is_refused() { Vec::new() } else { explored::all(&file, arguments.bounds()) };
        Seen { file, sagas }
    };
    let seen: Vec<Seen> = checked.into_iter().map(explore).collect();
    if let Some(wanted) = &arguments.how {
        seen.iter()
            .filter(|seen| seen.file.is_refused())
            .for_each(|seen| out.aside(&seen.file.text(colour(out.remarks_in_colour()))));
        let sagas: Vec<_> = seen.iter().flat_map(|seen| seen.sagas.iter().map(|saga| (&seen.file, saga))).collect();
        if !sagas.is_empty() {
            ways::show(&sagas, (wanted, arguments.form), out)?;
        }
    } else if arguments.format() == Format::Sarif {
        let findings = |seen: &Seen| -> Vec<Diagnostic> {
            seen.file.findings.iter().cloned().chain(explored::findings(&seen.sagas)).collect()
        };
        let files: Vec<_> = seen.iter().map(|seen| (&seen.file.sources, findings(seen))).collect();
        let unread: Vec<String> = unreadable.iter().map(CliError::title).collect();
        out.json(&sarif::log(&files, &unread, super::explain::page))?;
    } else if arguments.format() == Format::Json {
        let findings: Vec<_> =
            seen.iter().flat_map(|Seen { file, .. }| as_list(render::json(&file.sources, &file.findings))).collect();
        let sagas: Vec<_> = seen
            .iter()
            .filter(|seen| !seen.file.is_refused())
            .flat_map(|seen| proved::json(&seen.file, &seen.sagas, !arguments.brief))
            .collect();
        out.json(&json!({ "findings": findings, "sagas": sagas }))?;
    } else {
        for Seen { file, sagas } in &seen {
            out.coloured(file.text(colour(out.data_in_colour())))?;
            if !file.is_refused() {
                out.data(proved::text(file, sagas, (!arguments.brief, arguments.form)))?;
            }
        }
        if !seen.is_empty() {
            out.remark(format_args!("{}", summary(&seen)));
        }
    }
    if let Some(last) = unreadable.pop() {
        for error in unreadable {
            out.aside(&visible(&error.text()));
        }
        return Err(last);
    }
    let holds = seen.iter().all(|seen| seen.file.findings.is_empty() && seen.sagas.iter().all(Explored::holds));
    Ok(if holds { Exit::Done } else { Exit::Findings })
}

impl Arguments {
    const fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }

    fn bounds(&self) -> Bounds {
        let usual = if self.deep { Bounds::DEEP } else { Bounds::USUAL };
        let Bounding { steps, states, memory, inputs, replies, signals } = self.bounds;
        Bounds {
            steps: steps.unwrap_or(usual.steps),
            states: states.unwrap_or(usual.states),
            memory: memory.map_or(usual.memory, |memory| memory.saturating_mul(1 << 20)),
            inputs: inputs.unwrap_or(usual.inputs),
            replies: replies.unwrap_or(usual.replies),
            signals: signals.unwrap_or(usual.signals),
            guard: !self.unguarded,
            ..usual
        }
    }
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

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("it is a number from 1 on".to_owned()),
        Ok(number) => Ok(number),
    }
}

fn up_to<const MAX: usize>(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MAX).contains(number));
    number.ok_or_else(|| format!("it is a number from 1 to {MAX}"))
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

fn summary(seen: &[Seen]) -> String {
    let count = |severity| {
        seen.iter().flat_map(|seen| &seen.file.findings).filter(|finding| finding.severity == severity).count()
    };
    let files = plural(seen.len(), "file");
    let found = match (count(Severity::Error), count(Severity::Warning)) {
        (0, 0) => "no findings".to_owned(),
        (errors, warnings) => format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
    };
    let broken: usize = seen.iter().flat_map(|seen| &seen.sagas).map(|saga| saga.report.violations.len()).sum();
    let broken = if broken == 0 { String::new() } else { format!(", {}", plural(broken, "broken promise")) };
    format!("{files}: {found}{broken}")
}
