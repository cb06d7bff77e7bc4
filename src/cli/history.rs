//! `saga history`: all that happened to an instance.

use std::fmt::Write as _;

use super::instance::{Access, Where};
use super::table::Table;
use super::{CliError, Exit, Out};
use crate::http::history::Happened;

/// Show all that happened to an instance
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The instance
    id: String,
    #[command(flatten)]
    place: Where,
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let history = Access::to(&arguments.place)?.history(&arguments.id, out)?;
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
    Ok(Exit::Done)
}

/// The words of an event, with its payload.
pub(super) fn sentence(event: &Happened) -> String {
    let mut text = event.text.clone();
    if let Some(payload) = &event.payload {
        let _ = write!(text, " {payload}");
    }
    text
}
