//! `saga history`: all that happened to an instance.

use std::fmt::Write as _;

use super::instance::{Access, Where};
use super::table::Table;
use super::{CliError, Exit, Out};
use crate::http::history::Happened;
use crate::http::past::{ALL, HistoryQuery, Life, Lives, run_of};

/// Show all that happened to an instance
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The instance
    id: String,
    /// Of an earlier life of the id: the instant of its start, or `all`
    #[arg(long, value_name = "RUN", value_parser = run)]
    run: Option<String>,
    #[command(flatten)]
    place: Where,
}

/// `all`, or what names one.
fn run(text: &str) -> Result<String, String> {
    if text == ALL { Ok(text.to_owned()) } else { one_run(text) }
}

/// What names one life.
pub(super) fn one_run(text: &str) -> Result<String, String> {
    run_of(text).map(|_| text.to_owned())
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let query = HistoryQuery { run: arguments.run.clone() };
    let history = Access::to(&arguments.place)?.history(&arguments.id, &query, out)?;
    if arguments.place.is_json() {
        out.json(&history)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::headless();
    for entry in &history.entries {
        for event in &entry.events {
            let at = event.at.clone().unwrap_or_default();
            table.row([
                entry.seq.map(|seq| seq.to_string()).unwrap_or_default(),
                entry.at.0.to_string(),
                at,
                sentence(event),
            ]);
        }
    }
    out.data(table.text())?;
    for run in &history.forgotten {
        out.remark(format_args!("\nleft out: the beginning of the run {} was deleted by retention", run.0));
    }
    if arguments.run.as_deref() != Some(ALL) && history.lives.others().next().is_some() {
        let lives = lives(&arguments.id, &history.lives, ("history", &arguments.place));
        out.remark(format_args!("\nother runs of this id (--run {ALL} for all)\n{}", lives.trim_end()));
    }
    Ok(Exit::Done)
}

/// The other lives of an id, each with the command that shows it.
pub(super) fn lives(id: &str, lives: &Lives, (command, place): (&str, &Where)) -> String {
    let mut table = Table::headless();
    for Life { run, saga, status, .. } in lives.others() {
        let asked = place.command_with((command, id), &[], &[format!("--run {}", run.0)]);
        table.row([format!("  {}", run.0), saga.clone(), status.to_string(), asked]);
    }
    table.text()
}

/// The words of an event, with its payload.
pub(super) fn sentence(event: &Happened) -> String {
    let mut text = event.text.clone();
    if let Some(payload) = &event.payload {
        let _ = write!(text, " {payload}");
    }
    text
}
