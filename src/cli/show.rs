//! `saga show`: one instance, for the person who is woken at three: what it does, what is stuck, its last answers, and
//! the exact commands that are safe to give next.

use std::fmt::Write as _;

use super::history::{lives, one_run, sentence};
use super::instance::{Access, Where, ago, is_under_way, now};
use super::list::{not_decided, waits_at};
use super::table::Table;
use super::{CliError, Exit, Out};
use crate::engine::{Direction, Summary};
use crate::http::heard::Untaken;
use crate::http::history::{Entry, History};
use crate::http::past::{ShowQuery, instant_of};
use crate::http::view::{Offer, PointOfNoReturn, Progress, Shown, Standing, Statement};

/// How many of the last events of a step that hangs are shown: enough to see what the participant said.
const LAST_ANSWERS: usize = 5;

/// Of how many steps: where a thousand elements of a loop hang, they hang for one reason.
const HANGING_SHOWN: usize = 10;

/// Show an instance: its steps, what is stuck and why, and what can be done about it
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The instance
    id: String,
    /// As it stood at an instant, such as `2026-11-23T22:54:57Z`, or so long ago, such as `10m`
    #[arg(long, value_name = "INSTANT", value_parser = instant, conflicts_with = "run")]
    at: Option<String>,
    /// An earlier life of the id, at its end: the instant of its start
    #[arg(long, value_name = "RUN", value_parser = one_run)]
    run: Option<String>,
    #[command(flatten)]
    place: Where,
}

fn instant(text: &str) -> Result<String, String> {
    instant_of(text).map(|_| text.to_owned())
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let place = &arguments.place;
    let is_hanging = |shown: &Shown| shown.flow.iter().any(hangs) && !place.is_json();
    let access = Access::to(place)?;
    let query = ShowQuery { at: arguments.at.clone(), run: arguments.run.clone() };
    let (shown, history) = access.show((&arguments.id, &query), is_hanging, out)?;
    if place.is_json() {
        out.json(&shown)?;
        return Ok(Exit::Done);
    }
    out.data(text(&shown, history.as_ref(), place))?;
    if shown.as_of.is_none() && is_under_way(shown.row.status) {
        access.say_if_idle(out);
    }
    Ok(Exit::Done)
}

/// Whether a step does not go on as it should: what its participant said, says why.
fn hangs(statement: &Statement) -> bool {
    match statement.state {
        Some(Standing::Stuck | Standing::Pausing | Standing::Unfit) => true,
        Some(Standing::Called | Standing::Asked) => statement.attempt.is_some_and(|attempt| attempt > 1),
        _ => false,
    }
}

fn text(shown: &Shown, history: Option<&History>, place: &Where) -> String {
    let mut text = head(shown);
    text.push('\n');
    text.push_str(&flow(&shown.flow));
    if let Some(history) = history {
        for statement in shown.flow.iter().filter(|statement| hangs(statement)).take(HANGING_SHOWN) {
            let _ = write!(text, "\nlast answers to {}\n{}", statement.at, last_answers(&statement.at, shown, history));
        }
    }
    for line in waits_at(&shown.silent) {
        let _ = writeln!(text, "\n{line}");
    }
    if !shown.signals.is_empty() {
        let _ = write!(text, "\nsignals that nobody has taken yet\n{}", signals(shown));
    }
    if let Some(stopped) = &shown.stopped {
        let _ = write!(text, "\nno order is taken now\n  {}\n", place.stopped(stopped));
    } else if !shown.orders.is_empty() {
        let _ = write!(text, "\nsafe to give now\n{}", orders(&shown.row.id, &shown.orders, place));
    }
    if let Some(undecided) = shown.undecided {
        let so = ", and an order for it may be among them";
        let _ = writeln!(text, "\n{}", not_decided(undecided, (" of its partition", so)));
    }
    if shown.lives.others().next().is_some() {
        let _ = write!(text, "\nother runs of this id\n{}", lives(&shown.row.id, &shown.lives, ("show", place)));
    }
    text
}

fn head(shown: &Shown) -> String {
    let row = &shown.row;
    let mut table = Table::headless();
    let now = now();
    if let Some(as_of) = shown.as_of {
        table.row([
            "AS OF".to_owned(),
            format!("{} ({} ago): what came later is left out", as_of.0, ago(now.since(as_of.0))),
        ]);
    }
    table.row(["instance", &row.id]);
    table.row(["saga".to_owned(), format!("{} version {}", row.saga, shown.version)]);
    let why = row.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    table.row(["status".to_owned(), format!("{}{why}", row.status)]);
    let (then, word) = shown.as_of.map_or((now, "ago"), |as_of| (as_of.0, "before"));
    let since = ago(then.since(row.since.0));
    table.row(["since".to_owned(), format!("{} ({since} {word}), started {}", row.since.0, row.started.0)]);
    if let Some(deadline) = shown.deadline {
        table.row(["deadline".to_owned(), deadline.0.to_string()]);
    }
    let point = match shown.point_of_no_return {
        PointOfNoReturn::Ahead if shown.failure.is_some() => "not reached: everything is taken back",
        PointOfNoReturn::Ahead => "ahead: a failure or a cancel takes everything back",
        PointOfNoReturn::Open => "its step is under way, and the outcome decides: neither cancel nor deadline acts",
        PointOfNoReturn::Behind => "behind: it can only go forward",
    };
    if !matches!(row.status, Summary::Completed | Summary::Compensated) {
        table.row(["point of no return", point]);
    }
    if let Some(failure) = &shown.failure {
        let message = failure.message.as_ref().map(|message| format!(" ({message})")).unwrap_or_default();
        table.row(["failure".to_owned(), format!("{} at {}{message}", failure.code, failure.step)]);
    }
    for (name, payload) in [("input", &shown.input), ("output", &shown.output)] {
        if let Some(payload) = payload {
            table.row([name, payload.get()]);
        }
    }
    table.text()
}

fn flow(statements: &[Statement]) -> String {
    let mut table = Table::headless();
    for statement in statements {
        let indent = "  ".repeat(statement.depth as usize);
        let name = match &statement.state {
            Some(_) if statement.word == "step" => statement.at.clone(),
            Some(_) if statement.word == "pivot step" => format!("{} (pivot)", statement.at),
            Some(_) if statement.word == "run" => statement.at.clone(),
            Some(_) if matches!(statement.word.as_str(), "await" | "let") => {
                format!("{} {}", statement.word, statement.at)
            }
            _ if matches!(statement.word.as_str(), "element" | "round") => statement.at.clone(),
            Some(_) | None => statement.word.clone(),
        };
        table.row([format!("  {indent}{name}"), standing(statement), detail(statement)]);
    }
    table.text()
}

/// How a statement stands, in a word or two.
pub(super) fn standing(statement: &Statement) -> String {
    let back = statement.work == Some(Direction::Undo);
    let word = match statement.state {
        None => "",
        Some(Standing::NotBegun) => "-",
        Some(Standing::Called | Standing::Sent) if back => "taking back",
        Some(Standing::Turned) => "taking back",
        Some(Standing::Called) => "called",
        Some(Standing::Sent) => "sent",
        Some(Standing::Asked) => "asked about",
        Some(Standing::Pausing) => "pausing",
        Some(Standing::Pending) => "pending",
        Some(Standing::Unfit) => "answers do not fit",
        Some(Standing::Stuck) if back => "STUCK taking back",
        Some(Standing::Stuck) => "STUCK",
        Some(Standing::Queued) => "queued",
        Some(Standing::Sleeping) => "sleeping",
        Some(Standing::Awaiting) => "awaited",
        Some(Standing::Missed) => "missed",
        Some(Standing::Timed) => "timed",
        Some(Standing::Failing) => "failing",
        Some(Standing::Caught) => "caught",
        Some(Standing::Done) => "done",
        Some(Standing::Refused) => "refused",
        Some(Standing::Unknown) => "unknown",
        Some(Standing::Undone) => "taken back",
    };
    word.to_owned()
}

fn detail(statement: &Statement) -> String {
    let mut parts = Vec::new();
    if let Some(progress) = &statement.progress {
        parts.push(far(progress));
    }
    if let Some(attempt) = statement.attempt.filter(|attempt| *attempt > 1) {
        parts.push(format!("attempt {attempt}"));
    }
    if let Some(until) = statement.until {
        parts.push(format!("until {}", until.0));
    }
    if let Some(since) = statement.since {
        parts.push(format!("since {}", since.0));
    }
    match (&statement.code, &statement.message) {
        (Some(code), Some(message)) => parts.push(format!("{code} ({message})")),
        (Some(code), None) => parts.push(code.clone()),
        (None, _) => {}
    }
    if let Some(value) = &statement.value {
        parts.push(value.to_string());
    }
    parts.join(", ")
}

/// "3 of 20 done, 2 more begun".
fn far(Progress { of, over, left, hidden }: &Progress) -> String {
    let mut text = match left {
        Some(left) => format!("{left} to take back"),
        None => format!("{over} of {of} done"),
    };
    if *hidden > 0 {
        let _ = write!(text, ", {hidden} not shown");
    }
    text
}

fn last_answers(step: &str, shown: &Shown, history: &History) -> String {
    let mut rows: Vec<[String; 2]> = Vec::new();
    let is_past = |entry: &&Entry| shown.as_of.is_none_or(|as_of| entry.at <= as_of);
    for entry in history.entries.iter().filter(is_past) {
        for event in entry.events.iter().filter(|event| event.at.as_deref() == Some(step)) {
            rows.push([format!("  {}", entry.at.0), sentence(event)]);
        }
    }
    let mut table = Table::headless();
    for row in rows.into_iter().rev().take(LAST_ANSWERS).rev() {
        table.row(row);
    }
    table.text()
}

fn signals(shown: &Shown) -> String {
    let mut table = Table::headless();
    for Untaken { signal, at, by, request } in &shown.signals {
        let by = by.as_ref().map(|by| format!("by {by}, ")).unwrap_or_default();
        table.row([format!("  {signal}"), at.0.to_string(), format!("{by}request {request}")]);
    }
    if shown.signals_left_out > 0 {
        table.row([format!("  and {} more, later", shown.signals_left_out)]);
    }
    table.text()
}

/// The exact commands, each with when to give it.
fn orders(id: &str, offers: &[Offer], place: &Where) -> String {
    let mut text = String::new();
    for offer in offers {
        let quote = |text: &str| shell_words::quote(text).into_owned();
        let (mut behind, mut options) = (Vec::new(), Vec::new());
        if let Some(signal) = &offer.signal {
            behind.push(quote(signal));
            behind.extend(offer.with.as_deref().map(quote));
        }
        match (offer.order.as_str(), &offer.step) {
            ("resolve", Some(step)) => behind.push(quote(step)),
            (_, Some(step)) => options.push(format!("--step {}", quote(step))),
            (_, None) => {}
        }
        if offer.work == Some(Direction::Undo) {
            options.push("--undo".to_owned());
        }
        match (offer.outcome.as_deref(), &offer.with) {
            (Some("failed"), Some(codes)) => options.push(format!("--failed {}", quote(codes))),
            (Some(outcome), with) => {
                options.push(format!("--{outcome}"));
                options.extend(with.as_deref().map(|reply| format!("--reply {}", quote(reply))));
            }
            (None, _) => {}
        }
        let command = place.command_with((&offer.order, id), &behind, &options);
        let _ = writeln!(text, "  {command}\n      {}", offer.when);
    }
    text
}
