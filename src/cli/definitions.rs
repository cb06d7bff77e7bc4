//! `saga definitions`: what is deployed, by which version new instances run, and how many run by each.

use super::instance::{Access, Where, ago, now};
use super::table::Table;
use super::{CliError, Exit, Out};
use crate::definition::short_hash;
use crate::http::definitions::Definitions;

/// List the definitions: what is deployed, which is current, and how many live instances run by each
#[derive(Debug, clap::Args)]
#[command(after_help = "\
New instances of a saga run by the version that is current. What runs goes on by the version that it was started with. On Kafka
`saga deploy` makes a version current, in a data directory `saga serve FILE` and `saga run FILE` do.")]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Where,
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let place = &arguments.place;
    let listed = Access::to(place)?.definitions(out)?;
    if place.is_json() {
        out.json(&listed)?;
        return Ok(Exit::Done);
    }
    if listed.definitions.is_empty() {
        out.remark(format_args!("none: nothing is deployed there"));
    } else {
        out.data(table(&listed))?;
    }
    for stopped in &listed.stopped {
        out.remark(format_args!("\n{}", place.stopped(stopped)));
    }
    Ok(Exit::Done)
}

fn table(listed: &Definitions) -> String {
    let now = now();
    let mut table = Table::new(&["SAGA", "VERSION", "DEFINITION", "LIVE", "CURRENT"]);
    for version in &listed.definitions {
        let current = version.current.map(|since| format!("since {} ago", ago(now.since(since.0))));
        table.row([
            version.saga.clone(),
            version.version.to_string(),
            short_hash(&version.definition).to_owned(),
            version.live.to_string(),
            current.unwrap_or_default(),
        ]);
    }
    table.text()
}
