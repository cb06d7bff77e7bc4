//! `saga dead`: inputs that nobody could read or place, and events that no trigger could use, with why.

use super::instance::{Access, Where, ago, now};
use super::table::Table;
use super::{CliError, Exit, Out};
use crate::http::dead::{Dead, DeadQuery, Shown};

/// The most of a reason or a beginning in a table, in characters: `--show` has all of it.
const SHOWN_MAX: usize = 80;

/// List what was set aside: inputs that nobody can read or place, and events that a trigger cannot use
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nothing of it comes again by itself. Once the reason is gone, an event is given to its trigger with `saga publish TOPIC EVENT --key KEY` (on Kafka
with any client), a start with `saga start`, an order with its command; a step whose reply was unreadable is asked again when its timeout is over.
Where anything that is deployed has personal fields, the list leaves the payloads out; --show shows one whole, as it came.")]
pub(super) struct Arguments {
    /// At most so many, the newest, up to 10000
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// One of them, with its whole payload, even where that is personal
    #[arg(long, value_name = "PARTITION/OFFSET", value_parser = place, conflicts_with = "limit")]
    show: Option<(u32, u64)>,
    #[command(flatten)]
    place: Where,
}

fn place(text: &str) -> Result<(u32, u64), String> {
    let parts =
        text.split_once('/').and_then(|(partition, offset)| Some((partition.parse().ok()?, offset.parse().ok()?)));
    parts.ok_or_else(|| format!("`{text}` is no place: a partition and an offset, as 0/12"))
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let place = &arguments.place;
    let access = Access::to(place)?;
    if let Some(at) = arguments.show {
        let shown = access.dead_at(at, out)?;
        if place.is_json() {
            out.json(&shown)?;
        } else {
            out.data(whole(&shown))?;
        }
        return Ok(Exit::Done);
    }
    let listed = access.dead(DeadQuery { limit: Some(arguments.limit) }, out)?;
    if place.is_json() {
        out.json(&listed)?;
        return Ok(Exit::Done);
    }
    let Some(first) = listed.dead.first() else {
        out.remark(format_args!("none: nothing was set aside"));
        return Ok(Exit::Done);
    };
    out.data(table(&listed))?;
    let shown = listed.dead.len() as u64;
    if listed.count > shown {
        out.remark(format_args!("\n{shown} of {} are shown: --limit N shows more", listed.count));
    }
    let at = format!("{}/{}", first.partition, first.offset);
    out.remark(format_args!("\none of them, whole: `{}`", place.pasted(&["dead", "--show", &at])));
    Ok(Exit::Done)
}

fn table(listed: &Dead) -> String {
    let now = now();
    let mut table = Table::new(&["AT", "SINCE", "FROM", "KEY", "WHY", "BEGINS"]);
    for dead in &listed.dead {
        let begins = dead.payload.as_deref().map_or_else(|| format!("({} bytes, may be personal)", dead.bytes), cut);
        table.row([
            format!("{}/{}", dead.partition, dead.offset),
            format!("{} ago", ago(now.since(dead.at.0))),
            came(dead),
            cut(&dead.key),
            cut(&dead.why),
            begins,
        ]);
    }
    table.text()
}

/// Where it came.
fn came(dead: &Shown) -> String {
    let place = dead.place.as_ref().map(|place| format!(" {place}")).unwrap_or_default();
    dead.topic.as_ref().map(|topic| format!("{topic}{place}")).unwrap_or_default()
}

/// The beginning of a text, on one line.
fn cut(text: &str) -> String {
    // Quotes disturb nobody here.
    let one = |letter: char| match letter {
        '"' | '\'' | '\\' => letter.to_string(),
        letter => letter.escape_debug().to_string(),
    };
    let shown: String = text.chars().take(SHOWN_MAX).map(one).collect();
    if text.chars().count() > SHOWN_MAX { format!("{shown}…") } else { shown }
}

fn whole(dead: &Shown) -> String {
    let mut table = Table::headless();
    table.row(["at".to_owned(), format!("{}/{}, {}", dead.partition, dead.offset, dead.at.0)]);
    table.row(["from".to_owned(), came(dead)]);
    table.row(["trigger", dead.trigger.as_deref().unwrap_or_default()]);
    table.row(["journal", dead.record.as_deref().unwrap_or_default()]);
    table.row(["key", &dead.key]);
    table.row(["why", &dead.why]);
    table.row(["bytes".to_owned(), dead.bytes.to_string()]);
    format!("{}\n{}\n", table.text(), dead.payload.as_deref().unwrap_or_default())
}
