//! `saga simulate`: whole worlds under faults, and a saga under load; all in virtual time.

mod worlds;
mod load;
mod drawing;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use indicatif::HumanCount;
use serde_json::{Value, json};

use super::error::near_miss;
use super::sources::{Checked, check_file};
use super::{CliError, Exit, Out};
use crate::simulation::{Cast, LOAD_MAX, Load, Rule, Trouble, Wanted, bear, tell};

/// How long answers take where nothing is said.
const LATENCY_USUAL: Range<Duration> = Duration::from_millis(20)..Duration::from_millis(200);

/// Options of worlds under faults alone. What requires `--load` conflicts with them too: `clap` forgets what is required where
/// that conflicts with something that is given.
const WORLDS: [&str; 6] = ["seeds", "faults", "sagas", "steps", "unguarded", "story"];

/// Live a saga in simulated worlds: orchestrators, log, participants, clients and operators under faults
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(after_help = after_help())]
pub(super) struct Arguments {
    /// A file of the language; - for standard input
    file: String,
    /// The saga, if only one of the file's
    saga: Option<String>,
    /// How many worlds, from seed 0 on; or which: 17..18 is the one of seed 17
    #[arg(long, value_name = "N", default_value = "200", value_parser = seeds)]
    seeds: Range<u64>,
    /// What may go wrong: names of the list below, or none; all where nothing is said
    #[arg(long, value_name = "NAMES", value_parser = faults)]
    faults: Option<Troubles>,
    /// The most sagas of a world, from 1 on
    #[arg(long, value_name = "N", value_parser = world_sagas)]
    sagas: Option<usize>,
    /// The most actions of a world while things go wrong; with --sagas too, one that breaks a promise is not made smaller
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Participants keep no guard, to see what it is for
    #[arg(long)]
    unguarded: bool,
    /// Tell the first world: all records of its journals, requests and replies
    #[arg(long)]
    story: bool,
    /// No faults but a load: so many sagas, how long they take, what participants are asked
    #[arg(long, value_name = "SAGAS", value_parser = load_sagas, help_heading = "A load",
        conflicts_with_all = WORLDS)]
    load: Option<usize>,
    /// How many sagas begin in a second, at random
    #[arg(long, value_name = "N/s", default_value = "10/s", value_parser = load::rate, requires = "load", conflicts_with_all = WORLDS, help_heading = "A load")]
    rate: f64,
    /// How long answers take, most of them nearer the shortest: 20ms..200ms, or of one step or participant charge=1s..5s
    #[arg(long, value_name = "[NAME=]TIME", value_parser = load::latency, requires = "load", conflicts_with_all = WORLDS, help_heading = "A load")]
    latency: Vec<Rule<Range<Duration>>>,
    /// How many commands are refused, with one of the codes of their contract: 2%, or charge=10%
    #[arg(long, value_name = "[NAME=]N%", value_parser = load::percent, requires = "load", conflicts_with_all = WORLDS, help_heading = "A load")]
    fails: Vec<Rule<f64>>,
    /// How many attempts are never answered: 1%, or charge=5%
    #[arg(long, value_name = "[NAME=]N%", value_parser = load::percent, requires = "load", conflicts_with_all = WORLDS, help_heading = "A load")]
    silent: Vec<Rule<f64>>,
    /// A signal that comes so long after the start: approval=1h..2d
    #[arg(long, value_name = "NAME=TIME", value_parser = load::signal, requires = "load", conflicts_with_all = WORLDS, help_heading = "A load")]
    signal: Vec<(CompactString, Range<Duration>)>,
    /// How long a record takes through the log
    #[arg(long, value_name = "TIME", default_value = "2ms", value_parser = load::duration, requires = "load", conflicts_with_all = WORLDS, help_heading = "A load")]
    log: Duration,
    /// What is drawn differently
    #[arg(long, value_name = "N", default_value_t = 0, requires = "load", conflicts_with_all = WORLDS, help_heading = "A load")]
    seed: u64,
    /// Draw it as SVG: how long sagas take, and what participants are asked over time
    #[arg(long, requires = "load", conflicts_with = "json", conflicts_with_all = WORLDS, help_heading = "A load")]
    svg: bool,
    /// Print JSON, whose form is stable
    #[arg(long, conflicts_with = "story")]
    json: bool,
}

#[derive(Clone, Debug)]
struct Troubles(BTreeSet<Trouble>);

fn after_help() -> String {
    let mut text = "Everything follows from the seed: the same one lives the same life again. Faults:\n".to_owned();
    for trouble in Trouble::ALL {
        let _ = writeln!(text, "  {:16}{}", trouble.name(), trouble.meaning());
    }
    text
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let file = check_file(&arguments.file)?.accepted(out)?;
    if let Some(sagas) = arguments.load {
        return under_load(arguments, sagas, &file, out);
    }
    let wanted = Wanted {
        troubles: arguments.faults.clone().map_or_else(|| Trouble::ALL.into(), |Troubles(only)| only),
        sagas: arguments.sagas,
        steps: arguments.steps,
    };
    let sagas: Vec<_> = match &arguments.saga {
        Some(saga) => vec![Arc::clone(file.saga(Some(saga))?)],
        None => file.own_sagas().map(Arc::clone).collect(),
    };
    let asked = worlds::Asked { seeds: arguments.seeds.clone(), wanted, unguarded: arguments.unguarded };
    if sagas.is_empty() {
        out.remark(format_args!("{} defines no saga: there is nothing to simulate", file.name));
    }
    let (mut holds, mut all) = (true, Vec::new());
    for saga in &sagas {
        let Some(cast) = Cast::of(&file.program, &saga.name).map(Arc::new) else { continue };
        if arguments.story {
            out.data(tell(&cast, asked.seeds.start, &asked.wanted, asked.wrong()) + "\n")?;
            continue;
        }
        let lived = worlds::all(&saga.name, &cast, &asked);
        holds &= lived.holds();
        if arguments.json {
            all.push(lived.json(&file.name));
        } else {
            out.data(lived.text(&file.name))?;
        }
    }
    if arguments.json {
        out.json(&json!({ "sagas": all.into_iter().collect::<Value>() }))?;
    }
    Ok(if holds { Exit::Done } else { Exit::Findings })
}

/// One saga under a load.
fn under_load(arguments: &Arguments, sagas: usize, file: &Checked, out: &mut Out) -> Result<Exit, CliError> {
    let saga = file.saga(arguments.saga.as_deref())?;
    let Some(cast) = Cast::of(&file.program, &saga.name).map(Arc::new) else { return Ok(Exit::Done) };
    let mut latency = arguments.latency.clone();
    if latency.iter().all(|rule| rule.of.is_some()) {
        latency.push(Rule { of: None, is: LATENCY_USUAL });
    }
    let load = Load {
        sagas,
        rate: arguments.rate,
        latency,
        fails: arguments.fails.clone(),
        silent: arguments.silent.clone(),
        signals: arguments.signal.clone(),
        log: arguments.log,
        seed: arguments.seed,
    };
    let known = |name: &str| cast.knows(name);
    let unknown = load::unknown(&load.latency, known).or_else(|| load::unknown(&load.fails, known));
    if let Some(name) = unknown.or_else(|| load::unknown(&load.silent, known)) {
        let error = CliError::usage(format!("saga {} has no step and no participant `{name}`", saga.name));
        return Err(hinted(error, name, cast.names()));
    }
    if let Some(rule) = load.fails.iter().find(|rule| rule.is > 0.0 && !cast.refuses(rule.of.as_deref())) {
        return Err(never_refused(&saga.name, rule.of.as_deref()));
    }
    let is_unknown = |(name, _): &&(CompactString, Range<Duration>)| !saga.signals.contains_key(name);
    if let Some((name, _)) = load.signals.iter().find(is_unknown) {
        let error = CliError::usage(format!("saga {} has no signal `{name}`", saga.name));
        return Err(hinted(error, name, saga.signals.keys().map(CompactString::as_str)));
    }
    let figures = bear(&cast, &load);
    if arguments.svg {
        out.data(drawing::svg(&saga.name, &figures))?;
    } else if arguments.json {
        out.json(&load::json(&file.name, &saga.name, &load, &figures))?;
    } else {
        out.data(load::text(&saga.name, &load, &figures))?;
    }
    Ok(Exit::Done)
}

/// A command is refused with a code of its contract.
fn never_refused(saga: &str, of: Option<&str>) -> CliError {
    let (what, silent) = match of {
        Some(name) => (format!("nothing that saga {saga} calls at `{name}`"), format!("{name}=10%")),
        None => (format!("no command that saga {saga} calls"), "10%".to_owned()),
    };
    CliError::usage(format!("--fails: {what} can be refused: its contract has no codes behind `fails`"))
        .hint(format!("`--silent {silent}` leaves attempts without an answer"))
}

fn hinted<'n>(error: CliError, name: &str, known: impl Iterator<Item = &'n str>) -> CliError {
    match near_miss("there are", name, known) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn load_sagas(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(sagas) if (1..=LOAD_MAX).contains(&sagas) => Ok(sagas),
        _ => Err(format!("it is a number from 1 to {LOAD_MAX}")),
    }
}

fn world_sagas(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|sagas| *sagas > 0).ok_or_else(|| "it is a number from 1 on".to_owned())
}

/// `200`, or `17..18`.
fn seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("`{text}` is no number"));
    let range = match text.split_once("..") {
        Some((from, until)) => number(from)?..number(until)?,
        None => 0..number(text)?,
    };
    if range.is_empty() { Err("there is no seed in it".to_owned()) } else { Ok(range) }
}

fn faults(text: &str) -> Result<Troubles, String> {
    if text == "none" {
        return Ok(Troubles(BTreeSet::new()));
    }
    let known = |name: &str| {
        let trouble = Trouble::ALL.into_iter().find(|trouble| trouble.name() == name);
        trouble.ok_or_else(|| format!("there is no fault `{name}`; there are none, {}", all_names()))
    };
    text.split(',').map(|name| known(name.trim())).collect::<Result<_, _>>().map(Troubles)
}

/// How sagas ended, in words.
fn end(code: Option<&str>) -> String {
    code.map_or_else(|| "completed".to_owned(), |code| format!("compensated {code}"))
}

/// `1 saga`, `1,000 sagas`.
fn several(count: usize, word: &str) -> String {
    format!("{} {word}{}", HumanCount(count as u64), if count == 1 { "" } else { "s" })
}

fn all_names() -> String {
    Trouble::ALL.map(Trouble::name).join(", ")
}
