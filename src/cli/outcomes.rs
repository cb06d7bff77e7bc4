//! Every way in which a saga can end, for people and programs: what it needs, how long it takes at most, how many
//! messages.

use std::time::Duration;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::explored::{Explored, counts, needed};
use super::proved::list;
use super::sources::Checked;
use super::table::Table;
use super::ways;
use crate::check::{self, Bound, Cause, Outcomes, Reason, Worst};
use crate::definition::Saga;
use crate::definition::limits::MAX_ELEMENTS;
use crate::engine::Direction;
use crate::model::explore::{Ending, StuckBy, Tally, Way};
use crate::source::{FileId, Span};

/// For people: a table of the ends below what is proved, and what its bounds do not hold.
pub(super) fn text(file: &Checked, (saga, explored): (&Saga, Option<&Explored>), outcomes: &Outcomes) -> String {
    let worst = check::worst(saga, MAX_ELEMENTS);
    let heads = ["  END", "OF", "CALLED", "TAKEN BACK", "TIME", "MESSAGES", "WHAT IT NEEDS"];
    // Nobody has counted where nobody has looked.
    let is_shown = |column: &usize| explored.is_some() || !matches!(column, 2 | 3);
    let shown = |cells: &[&str; 7]| -> Vec<String> {
        let cells = cells.iter().enumerate().filter(|(column, _)| is_shown(column));
        cells.map(|(_, cell)| (*cell).to_owned()).collect()
    };
    let is_exhaustive = explored.is_none_or(|explored| explored.report.is_exhaustive());
    let mut table = Table::headless();
    table.row(shown(&heads));
    let mut row = |ending: &Ending, needs: &[String]| {
        let (end, of) = named(ending);
        let way = explored.and_then(|explored| explored.report.ways.iter().find(|way| way.ending == *ending));
        let [called, undone] =
            way.map_or_else(|| ["?".to_owned(), "?".to_owned()], |way| counts(&way.tally, is_exhaustive));
        let [time, messages] = match at_most(saga, &worst, ending) {
            Some((Bound { time, messages, awaits_pivot }, least)) => {
                let least = least.map(|least| format!("{least} to ")).unwrap_or_default();
                let more = if awaits_pivot { "+" } else { "" };
                [format!("{}{more}", long(time)), format!("{least}{messages}{more}")]
            }
            None => ["-".to_owned(), "-".to_owned()],
        };
        for (index, needs) in needs.iter().enumerate() {
            match index {
                0 => table.row(shown(&[&format!("  {end}"), &of, &called, &undone, &time, &messages, needs])),
                _ => table.row(shown(&["", "", "", "", "", "", needs])),
            }
        }
    };
    let completed = if worst.completed.is_some() { "every step succeeds" } else { "it is never completed" };
    row(&Ending::Completed, &[completed.to_owned()]);
    for (code, reasons) in outcomes.iter() {
        row(&Ending::Compensated(code.clone()), &needs(file, reasons));
    }
    // Where a person is waited for, and codes of which the text does not tell.
    let is_untold = |ending: &Ending| match ending {
        Ending::Completed => false,
        Ending::Compensated(code) => !outcomes.codes().any(|known| known == code),
        Ending::Stuck(..) => true,
    };
    let untold = explored.into_iter().flat_map(|explored| &explored.report.ways);
    for way in untold.filter(|way| is_untold(&way.ending)) {
        // With what it is called is no event of its own.
        let uncomputed = (way.stuck_by.0 == Some(StuckBy::Invalid)).then(|| StuckBy::Invalid.words());
        row(&way.ending, &[needed(way).into_iter().chain(uncomputed).collect::<Vec<_>>().join("; ")]);
    }
    let mut text = table.text();
    let mut bounds = Table::headless();
    if let Some(explored) = explored {
        for (index, also) in also_stuck_by(&explored.report.ways).into_iter().enumerate() {
            bounds.row([if index == 0 { "  stuck" } else { "" }, &also]);
        }
    }
    bounds.row([
        "  bounds",
        "time and messages are the most of each end where nobody helps; messages are commands, replies and what is sent",
    ]);
    bounds.row([
        "",
        "no value is larger than 1 MiB: to make one is `invalid`, and behind the point of no return it is stuck",
    ]);
    if !is_exhaustive {
        bounds.row([
            "",
            "+ behind CALLED and TAKEN BACK: of the ways that were looked at; there may be others, and ends that are not in the table",
        ]);
    }
    let mut found = explored.into_iter().flat_map(|explored| &explored.report.ways);
    if found.any(|way| way.tally.called_grows || way.tally.undone_grows) {
        bounds.row([
            "",
            "+ behind CALLED and TAKEN BACK: with lists that are longer than was explored, or of three and more elements that differ, and where three conditions look at the same data, there may be more",
        ]);
    }
    if !worst.pivots.is_empty() {
        let pivots = list(&worst.pivots);
        bounds.row(["", &format!("+ what {pivots} takes beyond its retries: it is asked until it has answered")]);
    }
    bounds.row(["", "on top of that a participant's `pending`: until `within`, or a day"]);
    if !worst.turns.is_empty() {
        bounds.row(["", &format!("on top of that the wait for a turn at {}; who says of a step that waits there that it is done calls less", list(&worst.turns))]);
    }
    for wait in &worst.waits {
        bounds.row(["", &format!("on top of that `{}`, {}", written(file, *wait), place(file, *wait))]);
    }
    for list in &worst.lists {
        let (list, place) = (written(file, *list), place(file, *list));
        bounds.row(["", &format!("counted with {MAX_ELEMENTS} elements of `{list}`, {place}")]);
    }
    text.push_str(&bounds.text());
    text
}

/// What an end takes at most, and the messages at least where that is known.
fn at_most(saga: &Saga, worst: &Worst, ending: &Ending) -> Option<(Bound, Option<u64>)> {
    match ending {
        Ending::Completed => worst.completed.map(|completed| (completed.bound, Some(completed.least))),
        Ending::Compensated(code) => worst.compensated.get(code).map(|bound| (*bound, None)),
        Ending::Stuck(step, direction) => {
            check::until_stuck(saga, MAX_ELEMENTS, step, *direction == Direction::Undo).map(|bound| (bound, None))
        }
    }
}

/// How it ends, and with what or where.
fn named(ending: &Ending) -> (&'static str, String) {
    match ending {
        Ending::Completed => ("completed", String::new()),
        Ending::Compensated(code) => ("compensated", code.to_string()),
        Ending::Stuck(place, Direction::Do) => ("stuck", place.to_string()),
        Ending::Stuck(place, Direction::Undo) => ("stuck", format!("undo {place}")),
    }
}

/// With what else than on the way that is shown places come to wait for a person, each set of that with its places.
fn also_stuck_by(ways: &[Way]) -> Vec<String> {
    let mut alike: IndexMap<Vec<&str>, Vec<String>> = IndexMap::new();
    for way in ways {
        let (first, all) = &way.stuck_by;
        let others: Vec<&str> = all.iter().filter(|by| Some(**by) != *first).map(|by| by.words()).collect();
        if !others.is_empty() {
            alike.entry(others).or_default().push(named(&way.ending).1);
        }
    }
    alike.into_iter().map(|(by, places)| format!("{} also by {}", places.join(", "), by.join(", "))).collect()
}

/// What a code needs: a line for each kind of cause.
fn needs(file: &Checked, reasons: &[Reason]) -> Vec<String> {
    let mut needs: Vec<String> = Vec::new();
    let (mut silent, mut undeclared) = (Vec::new(), Vec::new());
    for Reason { cause, span, run } in reasons {
        // What has no name of its own is told apart by the step that runs it.
        let run = run.as_ref().map(|run| format!("{run}: ")).unwrap_or_default();
        match cause {
            Cause::Cancelled => needs.push("an operator cancels it before the point of no return".to_owned()),
            Cause::Late(deadline) => {
                needs.push(format!("{} are over before the point of no return", check::shown(*deadline)));
            }
            Cause::Overdue => {
                let (words, place) = (written(file, *span), place(file, *span));
                needs.push(format!("{run}the {words} of the `try` are over, {place}"));
            }
            Cause::Refused(step) => {
                let action = step.action.as_ref();
                let command = action.map(|action| format!("{}.{}", action.participant.name, action.command.name));
                needs.push(format!("{}: {} is refused", step.name, command.unwrap_or_default()));
            }
            Cause::Silent(step) => silent.push(&step.name),
            Cause::Undeclared(step) => undeclared.push(&step.name),
            Cause::Fail => needs.push(format!("{run}`{}`, {}", written(file, *span), place(file, *span))),
            Cause::TooMany => {
                let (list, place) = (written(file, *span), place(file, *span));
                needs.push(format!("{run}more than {MAX_ELEMENTS} elements in `{list}`, {place}"));
            }
            Cause::Overflow => {
                let (computed, place) = (written(file, *span), place(file, *span));
                needs.push(format!("{run}`{computed}` is out of range, {place}"));
            }
        }
    }
    for (steps, words) in
        [(silent, "no attempt brings an answer"), (undeclared, "a refusal with a code that the contract does not name")]
    {
        if !steps.is_empty() {
            needs.push(format!("{}: {words}", list(steps)));
        }
    }
    needs
}

/// The longest piece of source that is quoted, in characters.
const QUOTED_MAX: usize = 60;

pub(super) fn written(file: &Checked, span: Span) -> String {
    let text = file.sources.get(span.file).and_then(|file| file.text.get(span.range())).unwrap_or_default();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(QUOTED_MAX) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// `line 3`, and of which file, if it is not the named one.
pub(super) fn place(file: &Checked, span: Span) -> String {
    let line = line(file, span);
    match file.sources.get(span.file).filter(|_| span.file != FileId::default()) {
        Some(used) => format!("line {line} of {}", used.name),
        None => format!("line {line}"),
    }
}

pub(super) fn name(file: &Checked, span: Span) -> Option<&str> {
    file.sources.get(span.file).map(|file| &*file.name)
}

pub(super) fn line(file: &Checked, span: Span) -> u32 {
    file.sources.get(span.file).map_or(0, |file| file.line_column(span.start).line)
}

/// In its two largest units, rounded up: a bound stays one.
pub(super) fn long(duration: Duration) -> String {
    const UNITS: [(&str, u128); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let millis = duration.as_millis();
    let Some(at) = UNITS.iter().position(|(_, size)| millis >= *size) else { return "0s".to_owned() };
    let mut units = UNITS.iter().skip(at);
    let (Some((large, size)), next) = (units.next(), units.next()) else { return "0s".to_owned() };
    let Some((small, part)) = next else { return format!("{millis}{large}") };
    let parts = millis.div_ceil(*part);
    let per = size / part;
    match parts % per {
        0 => format!("{}{large}", parts / per),
        rest => format!("{}{large} {rest}{small}", parts / per),
    }
}

/// For programs: a list, `completed` first.
pub(super) fn json(
    file: &Checked,
    (saga, explored): (&Saga, Option<&Explored>),
    outcomes: &Outcomes,
    worst: &Worst,
) -> Value {
    let reason = |Reason { cause, span, run }: &Reason| {
        let (word, step) = match cause {
            Cause::Cancelled => ("cancelled", None),
            Cause::Late(_) => ("late", None),
            Cause::Overdue => ("overdue", None),
            Cause::Refused(step) => ("refused", Some(step)),
            Cause::Undeclared(step) => ("undeclared", Some(step)),
            Cause::Silent(step) => ("silent", Some(step)),
            Cause::Fail => ("fail", None),
            Cause::Overflow => ("overflow", None),
            Cause::TooMany => ("too_many", None),
        };
        let mut reason = json!({ "cause": word, "file": name(file, *span), "line": line(file, *span) });
        if let Some(reason) = reason.as_object_mut() {
            reason.extend(step.map(|step| ("step".to_owned(), json!(step.name))));
            reason.extend(run.as_ref().map(|run| ("run".to_owned(), json!(run))));
        }
        reason
    };
    let ways = || explored.into_iter().flat_map(|explored| explored.report.ways.iter().map(move |way| (explored, way)));
    let row = |mut row: Value, ending: &Ending| {
        let found = ways().find(|(_, way)| way.ending == *ending);
        if let (Some(row), Some((explored, way))) = (row.as_object_mut(), found) {
            let Tally { states, called, undone, called_grows, undone_grows } = way.tally;
            let range = |(least, most), grows| {
                if grows {
                    json!({ "least": least, "most": most, "grows": true })
                } else {
                    json!({ "least": least, "most": most })
                }
            };
            row.insert("exhaustive".to_owned(), json!(explored.report.is_exhaustive()));
            row.insert("states".to_owned(), json!(states));
            row.insert("called".to_owned(), range(called, called_grows));
            row.insert("taken_back".to_owned(), range(undone, undone_grows));
            row.insert("trace".to_owned(), json!(ways::json(&explored.plan, &way.trace)));
        }
        if let (Some(row), Some((bound, least))) = (row.as_object_mut(), at_most(saga, worst, ending)) {
            row.insert("ms".to_owned(), json!(millis(bound.time)));
            let messages = match least {
                Some(least) => json!({ "least": least, "most": bound.messages }),
                None => json!({ "most": bound.messages }),
            };
            row.insert("messages".to_owned(), messages);
            if bound.awaits_pivot {
                row.insert("awaits_pivot".to_owned(), json!(true));
            }
        }
        row
    };
    let mut rows = vec![row(json!({ "status": "completed" }), &Ending::Completed)];
    for (code, reasons) in outcomes.iter() {
        let needs: Vec<_> = reasons.iter().map(reason).collect();
        let known = json!({ "status": "compensated", "code": code, "needs": needs });
        rows.push(row(known, &Ending::Compensated(code.clone())));
    }
    for (_, way) in ways() {
        if let Ending::Stuck(place, direction) = &way.ending {
            let by: Vec<&str> = way.stuck_by.1.iter().map(|by| by.name()).collect();
            let known = json!({ "status": "stuck", "step": place, "undo": *direction == Direction::Undo, "by": by });
            rows.push(row(known, &way.ending));
        }
    }
    rows.into()
}

/// For programs: what the bounds of the ends do not hold, and how they count.
pub(super) fn beside_json(file: &Checked, worst: &Worst) -> Value {
    let named =
        |span: &Span| json!({ "text": written(file, *span), "file": name(file, *span), "line": line(file, *span) });
    json!({
        "lists": worst.lists.iter().map(named).collect::<Vec<_>>(),
        "pivots": worst.pivots,
        "turns": worst.turns,
        "waits": worst.waits.iter().map(named).collect::<Vec<_>>(),
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
