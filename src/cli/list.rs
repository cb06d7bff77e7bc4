//! `saga list`: which instances there are, what hangs, since when and why.

use super::instance::{Access, Where, ago};
use super::table::Table;
use super::{CliError, Exit, Out};
use crate::engine::Summary;
use crate::http::api::{Ended, ListQuery};
use crate::http::view::{List, Row};

/// List the instances: what needs a person first
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only those of this saga
    #[arg(long)]
    saga: Option<String>,
    /// Only those that stand so
    #[arg(long, value_enum)]
    status: Option<Status>,
    /// Ended ones too
    #[arg(long, conflicts_with = "status")]
    all: bool,
    #[command(flatten)]
    place: Where,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Status {
    Running,
    Compensating,
    Stuck,
    Completed,
    Compensated,
}

impl Status {
    const fn summary(self) -> Summary {
        match self {
            Self::Running => Summary::Running,
            Self::Compensating => Summary::Compensating,
            Self::Stuck => Summary::Stuck,
            Self::Completed => Summary::Completed,
            Self::Compensated => Summary::Compensated,
        }
    }
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let place = &arguments.place;
    let query = ListQuery {
        saga: arguments.saga.clone(),
        status: arguments.status.map(Status::summary),
        ended: arguments.all.then_some(Ended::Too),
    };
    let list = Access::to(place)?.list(&query, out)?;
    if place.is_json() {
        out.json(&list)?;
        return Ok(Exit::Done);
    }
    if list.instances.is_empty() {
        let live = arguments.status.is_none() && !arguments.all;
        let hint = if live { ": `--all` lists ended ones too" } else { "" };
        out.remark(format_args!("none{hint}"));
        return Ok(Exit::Done);
    }
    out.data(table(&list))?;
    let stuck: Vec<&Row> = list.instances.iter().filter(|row| row.status == Summary::Stuck).collect();
    if let Some(first) = stuck.first() {
        let (count, verb) = (stuck.len(), if stuck.len() == 1 { "waits" } else { "wait" });
        out.remark(format_args!(
            "\n{count} {verb} for a person: begin with `{}`",
            place.command_line("show", &first.id)
        ));
    }
    Ok(Exit::Done)
}

fn table(list: &List) -> String {
    let now = super::instance::now();
    let mut table = Table::new(&["ID", "SAGA", "STATUS", "SINCE", "AT", "WHY"]);
    for row in &list.instances {
        let at = row.at.join(", ");
        let why = row.why.clone().unwrap_or_default();
        let since = format!("{} ago", ago(now.since(row.since.0)));
        table.row([row.id.clone(), row.saga.clone(), row.status.to_string(), since, at, why]);
    }
    table.text()
}
