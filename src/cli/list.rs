//! `saga list`: which instances there are, what hangs, since when and why.

use std::num::NonZeroU64;

use super::instance::{Access, Where, ago, is_under_way};
use super::table::Table;
use super::{CliError, Exit, Out};
use crate::engine::Summary;
use crate::http::api::{Ended, ListQuery};
use crate::http::view::{List, Row, Silent, Unread, Untold};
use crate::runtime::LIST_MAX;

/// List the instances: what needs a person first
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only those of this saga
    #[arg(long)]
    saga: Option<String>,
    /// Only those that stand so
    #[arg(long, value_enum)]
    status: Option<Status>,
    /// Only those that wait for a person: --status stuck
    #[arg(long, conflicts_with = "status")]
    stuck: bool,
    /// Only those that wait for a person at this step; without an index in any element or round: `charge` or `charge[2]`
    #[arg(long, conflicts_with = "status", value_name = "NAME")]
    step: Option<String>,
    /// Ended ones too, the newest first
    #[arg(long, conflicts_with_all = ["stuck", "step"])]
    all: bool,
    /// At most so many, up to 10000
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
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
    let status = arguments.status.map(Status::summary).or_else(|| arguments.stuck.then_some(Summary::Stuck));
    let query = ListQuery {
        saga: arguments.saga.clone(),
        status,
        step: arguments.step.clone(),
        ended: arguments.all.then_some(Ended::Too),
        limit: Some(arguments.limit),
    };
    let access = Access::to(place)?;
    let list = access.list(&query, out)?;
    if place.is_json() {
        out.json(&list)?;
        return Ok(Exit::Done);
    }
    if list.instances.is_empty() && list.damaged.is_empty() {
        let live = status.is_none() && arguments.step.is_none() && !arguments.all;
        let hint = if live { ": `--all` lists ended ones too" } else { "" };
        out.remark(format_args!("none{hint}"));
        stopped(&list, place, out);
        return Ok(Exit::Done);
    }
    if !list.instances.is_empty() {
        out.data(table(&list))?;
    }
    for damaged in &list.damaged {
        out.remark(format_args!("\nleft out: failed to {damaged}"));
    }
    remarks(&list, place, out);
    stopped(&list, place, out);
    if list.instances.iter().any(|row| is_under_way(row.status)) {
        for line in waits_at(&list.silent) {
            out.remark(format_args!("\n{line}"));
        }
        access.say_if_idle(out);
    }
    Ok(Exit::Done)
}

/// What is said of participants whose commands nobody reads, or of which that cannot be told.
pub(super) fn waits_at(Silent { unread, untold }: &Silent) -> impl Iterator<Item = String> {
    let unread = unread.iter().map(|Unread { participant, topic }| {
        format!("nobody reads {topic}: what is asked of {participant} waits there until it is started")
    });
    let untold = untold.iter().map(|Untold { participant, topic, why }| untold_of(participant, topic, why));
    unread.chain(untold)
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

/// What is said of a participant of which cannot be told whether somebody reads its commands.
pub(super) fn untold_of(participant: &str, topic: &str, why: &str) -> String {
    format!(
        "whether somebody reads {topic} cannot be told: {why}; if nobody does, what is asked of {participant} waits there"
    )
}

/// Requests that wait, with what is said of whose they are, and of what follows.
pub(super) fn not_decided(count: NonZeroU64, (whose, so): (&str, &str)) -> String {
    let (requests, are) = if count.get() == 1 { ("request", "is") } else { ("requests", "are") };
    format!(
        "{count} {requests}{whose} {are} in the log and not decided yet{so}: if this stays so, no orchestrator runs (`saga serve`)"
    )
}

/// What belongs to these partitions does not go on, whatever its row says; and what has not begun yet.
fn stopped(list: &List, place: &Where, out: &mut Out) {
    if let Some(undecided) = list.undecided {
        out.remark(format_args!("\n{}", not_decided(undecided, ("", ""))));
    }
    for stopped in &list.stopped {
        out.remark(format_args!("\n{}", place.stopped(stopped)));
    }
}

/// What the table does not show, and what to do first.
fn remarks(list: &List, place: &Where, out: &mut Out) {
    let (shown, damaged) = (list.instances.len(), list.damaged.len());
    let all: u64 = list.counts.iter().map(|count| count.count).sum();
    let mut lines = Vec::new();
    if all > (shown + damaged) as u64 {
        let each: Vec<String> = list.counts.iter().map(|count| format!("{} {}", count.count, count.status)).collect();
        lines.push(format!(
            "{shown} of {all} are shown ({}): --status, --stuck, --step and --saga narrow them down, --limit N shows up to {LIST_MAX}",
            each.join(", ")
        ));
    }
    if shown > list.explained {
        lines.push(format!(
            "only the first {} say WHY: narrow them down, or ask for one with `{}`",
            list.explained,
            place.command_line("show", "ID")
        ));
    }
    let first = list.instances.iter().find(|row: &&Row| row.status == Summary::Stuck);
    let stuck = list.counts.iter().find(|count| count.status == Summary::Stuck);
    if let (Some(first), Some(stuck)) = (first, stuck) {
        let verb = if stuck.count == 1 { "waits" } else { "wait" };
        let begin = place.command_line("show", &first.id);
        lines.push(format!("{} {verb} for a person: begin with `{begin}`", stuck.count));
    }
    if !lines.is_empty() {
        out.remark(format_args!("\n{}", lines.join("\n")));
    }
}
