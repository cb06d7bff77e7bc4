//! A load: how long sagas take, what participants are asked; as a table, a chart, JSON or SVG.

use std::ops::Range;
use std::time::Duration;

use compact_str::CompactString;
use indicatif::HumanCount;
use serde_json::{Value, json};

use super::{end, several};
use crate::cli::input;
use crate::cli::table::Table;
use crate::simulation::{Asked, Figures, Load, Rule, percentile};

/// How wide the longest bar of the chart is, in characters.
const BAR_MAX: usize = 40;
/// How many bars the chart has.
const BARS: usize = 12;

/// For people.
pub(super) fn text(saga: &str, load: &Load, figures: &Figures) -> String {
    let partitions = several(figures.partitions as usize, "partition");
    let mut text = format!(
        "{saga}: {}, {} a second, on {partitions}: {} passed, {}, {} of the journal\n",
        several(load.sagas, "saga"),
        load.rate,
        millis(u64::try_from(figures.passed.as_millis()).unwrap_or(u64::MAX)),
        several(figures.commands(), "command"),
        several(figures.records, "record"),
    );
    let mut table = Table::new(&["  END", "SAGAS", "P50", "P90", "P99", "LONGEST"]);
    for (how, took) in &figures.ended {
        let how = format!("  {}", end(how.as_deref()));
        let at = |percent| millis(percentile(took, percent));
        table.row([how, HumanCount(took.len() as u64).to_string(), at(50), at(90), at(99), at(100)]);
    }
    if figures.stuck > 0 {
        table.row(["  stuck".to_owned(), HumanCount(figures.stuck as u64).to_string()]);
    }
    let open = load.sagas - figures.over() - figures.stuck;
    if open > 0 {
        table.row(["  not over".to_owned(), HumanCount(open as u64).to_string()]);
    }
    text.push_str(&table.text());
    // A saga may wait, choose and compute alone.
    if !figures.participants.is_empty() {
        text.push_str(&participants(figures));
    }
    text.push_str(&chart(figures));
    text
}

fn participants(figures: &Figures) -> String {
    let heads = [
        "  PARTICIPANT",
        "COMMANDS",
        "REPEATED",
        "A SECOND, PEAK",
        "AT ONCE, PEAK",
        "ANSWER P50, P99",
        "TURN P50, P99",
    ];
    let mut table = Table::new(&heads);
    for (name, asked) in &figures.participants {
        let both = |values: &[u64]| {
            if values.is_empty() {
                return "-".to_owned();
            }
            format!("{}, {}", millis(percentile(values, 50)), millis(percentile(values, 99)))
        };
        let counts = [asked.commands, asked.repeats, asked.peak(), asked.at_once];
        let [commands, repeats, peak, at_once] = counts.map(|count| HumanCount(count as u64).to_string());
        let (answers, turns) = (both(&asked.answers), both(&asked.waits));
        table.row([format!("  {name}"), commands, repeats, peak, at_once, answers, turns]);
    }
    table.text()
}

/// How many sagas took how long, in steps that grow: most are quick, and some are not.
fn chart(figures: &Figures) -> String {
    let all: Vec<u64> = figures.ended.values().flatten().copied().collect();
    let (Some(least), Some(most)) = (all.iter().min().copied(), all.iter().max().copied()) else {
        return String::new();
    };
    let bounds = bounds(least, most);
    let mut counts = vec![0_usize; bounds.len()];
    for took in &all {
        let at = bounds.partition_point(|bound| bound < took).min(bounds.len() - 1);
        if let Some(count) = counts.get_mut(at) {
            *count += 1;
        }
    }
    let highest = counts.iter().max().copied().unwrap_or(1).max(1);
    let mut table = Table::headless();
    for (bound, count) in bounds.iter().zip(counts) {
        // A bar that is there is seen.
        let width = (count * BAR_MAX).div_ceil(highest);
        let number = if count == 0 { String::new() } else { HumanCount(count as u64).to_string() };
        table.row([format!("  up to {}", millis(*bound)), format!("{} {number}", "█".repeat(width))]);
    }
    table.text()
}

/// Rising bounds from the least to the most, each about the same factor above the one before.
fn bounds(least: u64, most: u64) -> Vec<u64> {
    let (least, most) = (f64_of(least.max(1)), f64_of(most.max(1)));
    let step = (most / least).powf(1.0 / f64_of(BARS as u64));
    let mut bounds: Vec<u64> =
        (1..BARS).map(|number| rounded(least * step.powi(i32::try_from(number).unwrap_or(1)))).collect();
    bounds.push(rounded(most));
    // Of those that read alike the highest.
    bounds.reverse();
    bounds.dedup_by_key(|bound| millis(*bound));
    bounds.reverse();
    bounds
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds and counts of a chart")]
const fn f64_of(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds of a chart, above 0")]
pub(super) fn rounded(number: f64) -> u64 {
    number.ceil() as u64
}

/// `0 ms`, `340 ms`, `1.25 s`, `3m 20s`, `2d 4h`: three digits tell enough.
pub(super) fn millis(millis: u64) -> String {
    let seconds = millis / 1_000;
    match seconds {
        0 => format!("{millis} ms"),
        1..10 => format!("{}.{:02} s", seconds, millis % 1_000 / 10),
        10..60 => format!("{}.{} s", seconds, millis % 1_000 / 100),
        60..3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// For programs: durations in milliseconds.
pub(super) fn json(file: &str, saga: &str, load: &Load, figures: &Figures) -> Value {
    let spread = |values: &[u64]| {
        let at = |percent| percentile(values, percent);
        json!({ "p50": at(50), "p90": at(90), "p99": at(99), "max": at(100) })
    };
    let ended = |(how, took): (&Option<CompactString>, &Vec<u64>)| {
        let end = if how.is_some() { "compensated" } else { "completed" };
        json!({ "end": end, "code": how, "sagas": took.len(), "took": spread(took) })
    };
    let participant = |(name, asked): (&CompactString, &Asked)| {
        json!({
            "participant": name,
            "commands": asked.commands,
            "repeats": asked.repeats,
            "a_second_peak": asked.peak(),
            "at_once_peak": asked.at_once,
            "answers": spread(&asked.answers),
            "turns": { "waited": asked.waits.len(), "took": spread(&asked.waits) },
        })
    };
    json!({
        "file": file,
        "saga": saga,
        "sagas": load.sagas,
        "seed": load.seed,
        "partitions": figures.partitions,
        "passed": figures.passed.as_millis(),
        "records": figures.records,
        "commands": figures.commands(),
        "ends": figures.ended.iter().map(ended).collect::<Vec<_>>(),
        "stuck": figures.stuck,
        "participants": figures.participants.iter().map(participant).collect::<Vec<_>>(),
    })
}

/// `20ms..200ms`, `50ms`, or the same behind `NAME=`.
pub(super) fn latency(text: &str) -> Result<Rule<Range<Duration>>, String> {
    let (of, text) = named(text);
    Ok(Rule { of, is: range(text)? })
}

/// `2%`, `0.5%`, or the same behind `NAME=`.
pub(super) fn percent(text: &str) -> Result<Rule<f64>, String> {
    let (of, text) = named(text);
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>();
    match number {
        Ok(is) if (0.0..=100.0).contains(&is) => Ok(Rule { of, is }),
        _ => Err(format!("`{text}` is no share of a hundred, as 2% is")),
    }
}

/// `NAME=1h..2d`
pub(super) fn signal(text: &str) -> Result<(CompactString, Range<Duration>), String> {
    match named(text) {
        (Some(name), text) => Ok((name, range(text)?)),
        (None, _) => Err("it is a signal's name and how long after the start it comes: approval=1h..2d".to_owned()),
    }
}

/// `50`, `50/s`
pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.strip_suffix("/s").unwrap_or(text).parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 1_000_000.0 => Ok(rate),
        _ => Err(format!("`{text}` is no number of sagas in a second, as 50/s is")),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let range = range(text)?;
    if range.start == range.end { Ok(range.start) } else { Err("it is one duration, as 2ms is".to_owned()) }
}

fn named(text: &str) -> (Option<CompactString>, &str) {
    text.split_once('=').map_or((None, text), |(name, rest)| (Some(name.trim().into()), rest.trim()))
}

fn range(text: &str) -> Result<Range<Duration>, String> {
    let one = |text: &str| input::duration(text).ok_or_else(|| format!("`{text}` is no duration, as 200ms or 2s is"));
    match text.split_once("..") {
        Some((from, to)) => {
            let range = one(from)?..one(to)?;
            if range.start > range.end { Err(format!("`{text}` begins behind its end")) } else { Ok(range) }
        }
        None => Ok(one(text)?..one(text)?),
    }
}

/// The names of rules that are neither a step's nor a participant's.
pub(super) fn unknown<T>(rules: &[Rule<T>], is_known: impl Fn(&str) -> bool) -> Option<&str> {
    rules.iter().filter_map(|rule| rule.of.as_deref()).find(|of| !is_known(of))
}
