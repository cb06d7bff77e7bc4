//! Worlds under faults: many seeds, what happened in them, and the smallest one that breaks a promise.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{end, several};
use crate::cli::sources::STDIN;
use crate::cli::table::Table;
use crate::simulation::{Cast, Seen, Shrunk, Slip, Trouble, Violation, Wanted, Wrong, live, shrink};

/// Which worlds, and what they are made of.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) seeds: Range<u64>,
    pub(super) wanted: Wanted,
    pub(super) unguarded: bool,
}

impl Asked {
    /// What is wrong with the worlds on purpose.
    pub(super) fn wrong(&self) -> Wrong {
        Wrong { slip: self.unguarded.then_some(Slip::NoGuard), ..Wrong::default() }
    }
}

/// A saga that has lived them.
pub(super) struct Lived {
    saga: String,
    asked: Asked,
    /// What happened in the worlds, where one broke a promise in those before it.
    seen: Seen,
    /// The first seed whose world broke a promise, and the smallest world of it that does.
    broken: Option<(u64, Shrunk)>,
}

/// The worlds of a range, as threads live them. What is told depends on the seeds alone: of the worlds that come behind the first
/// that broke a promise some have been lived, and which is a matter of chance.
struct Progress {
    /// Those that nobody lives yet.
    left: Range<u64>,
    /// The next one to be counted: those before it are.
    next: u64,
    /// What happened in worlds behind that one.
    ahead: BTreeMap<u64, Seen>,
    seen: Seen,
    broken: Option<(u64, Violation)>,
}

impl Progress {
    fn new(seeds: &Range<u64>) -> Self {
        Self { left: seeds.clone(), next: seeds.start, ahead: BTreeMap::new(), seen: Seen::default(), broken: None }
    }

    /// Takes what came of a world. Behind one that broke a promise none begins any more; those before it have all begun, and
    /// are waited for.
    fn take(&mut self, seed: u64, lived: Result<Seen, Violation>) {
        match lived {
            Ok(world) => {
                self.ahead.insert(seed, world);
                while let Some(world) = self.ahead.remove(&self.next) {
                    self.seen.add(&world);
                    self.next += 1;
                }
            }
            Err(violation) => {
                self.left.end = self.left.start;
                if self.broken.as_ref().is_none_or(|(first, _)| seed < *first) {
                    self.broken = Some((seed, violation));
                }
            }
        }
    }
}

/// Lives the worlds of a saga, on all cores.
pub(super) fn all(saga: &str, cast: &Arc<Cast>, asked: &Asked) -> Lived {
    let wrong = asked.wrong();
    let bar = ProgressBar::new(asked.seeds.end - asked.seeds.start);
    let style = ProgressStyle::with_template("{prefix}  {bar:30} {pos}/{len} worlds, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_prefix(saga.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    let progress = Mutex::new(Progress::new(&asked.seeds));
    let locked = || progress.lock().unwrap_or_else(PoisonError::into_inner);
    let work = || {
        loop {
            let Some(seed) = locked().left.next() else { return };
            let lived = live(cast, seed, &asked.wanted, wrong);
            locked().take(seed, lived);
            bar.inc(1);
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    bar.finish_and_clear();
    let Progress { seen, broken, .. } = progress.into_inner().unwrap_or_else(PoisonError::into_inner);
    let broken = broken.map(|(seed, violation)| (seed, shrink(cast, seed, &asked.wanted, wrong, violation)));
    Lived { saga: saga.to_owned(), asked: asked.clone(), seen, broken }
}

impl Lived {
    pub(super) const fn holds(&self) -> bool {
        self.broken.is_none()
    }

    /// For people.
    pub(super) fn text(&self, file: &str) -> String {
        let Self { saga, asked, seen, broken } = self;
        let Range { start, end } = asked.seeds;
        let mut text = match broken {
            None => format!(
                "{saga}: {}, {}\n",
                several(seen.worlds, "world"),
                if end - start == 1 {
                    format!("seed {start}: every promise holds in it")
                } else {
                    format!("seeds {start} to {}: every promise holds in all of them", end - 1)
                },
            ),
            Some((seed, _)) => format!("{saga}: BROKEN in seed {seed}, behind {}\n", several(seen.worlds, "world")),
        };
        if let Some((seed, Shrunk { wanted, violation })) = broken {
            let mut table = Table::headless();
            table.row(["  promise", violation.property]);
            table.row(["  found", &violation.details]);
            table.row(["  world", &made_of(wanted)]);
            table.row(["  again", &self.again(file, *seed, wanted)]);
            if file == STDIN {
                table.row(["", "with the same on standard input, which has no name"]);
            }
            text.push_str(&table.text());
            text.push_str(if asked.unguarded {
                "  participants kept no guard here: it is what they are for\n"
            } else {
                "  this is a defect of saga; please report these lines with the file\n"
            });
            return text;
        }
        let mut table = Table::headless();
        for (name, what) in self.rows() {
            if !what.is_empty() {
                table.row([format!("  {name}"), what.join(", ")]);
            }
        }
        text.push_str(&table.text());
        text
    }

    fn rows(&self) -> Vec<(&'static str, Vec<String>)> {
        let seen = &self.seen;
        let some = |all: &[(usize, &str)]| -> Vec<String> {
            let happened = all.iter().filter(|(count, _)| *count > 0);
            happened.map(|(count, what)| format!("{} {what}", counted(*count))).collect()
        };
        let mut ended: Vec<_> = seen.ended.iter().collect();
        ended.sort_by_key(|(how, count)| (how.is_some(), std::cmp::Reverse(**count)));
        let ended = ended.into_iter().map(|(how, count)| format!("{} {}", counted(*count), end(how.as_deref())));
        let faults = seen.faults.named();
        let days = seen.passed.as_secs() / 86_400;
        vec![
            ("sagas", ended.collect()),
            (
                "in the log",
                some(&[
                    (seen.records, "records of the journal"),
                    (seen.commands, "commands"),
                    (usize::try_from(days).unwrap_or(usize::MAX), "days passed"),
                ]),
            ),
            (
                "orchestrators",
                some(&[
                    (seen.crashes, "died"),
                    (seen.rebalances, "partitions handed over"),
                    (seen.claims, "claims"),
                    (seen.checkpoints, "checkpoints"),
                    (seen.jumps, "clocks jumped"),
                ]),
            ),
            (
                "the log's faults",
                some(
                    &[&faults.map(|(name, count)| (count as usize, name))[..], &[(seen.strangers, "by strangers")]]
                        .concat(),
                ),
            ),
            (
                "inputs",
                some(&[
                    (seen.forwarded, "forwarded"),
                    (seen.parked, "parked"),
                    (seen.resumed, "resumed by a person"),
                    (seen.resolved, "steps resolved by a person"),
                    (seen.bars, "cancelled before their start"),
                    (seen.gaps, "losses accepted"),
                    (seen.queued, "waited for their turn"),
                ]),
            ),
        ]
    }

    /// The command that lives that world again: with its sagas and steps it is taken as it is.
    fn again(&self, file: &str, seed: u64, wanted: &Wanted) -> String {
        let mut command = format!("saga simulate {} {}", shell_words::quote(file), self.saga);
        let _ = write!(command, " --seeds {seed}..{}", seed + 1);
        if wanted.troubles.len() < Trouble::ALL.len() {
            let _ = write!(command, " --faults {}", names(wanted));
        }
        if let Some(sagas) = wanted.sagas {
            let _ = write!(command, " --sagas {sagas}");
        }
        if let Some(steps) = wanted.steps {
            let _ = write!(command, " --steps {steps}");
        }
        if self.asked.unguarded {
            command.push_str(" --unguarded");
        }
        command
    }

    /// For programs.
    pub(super) fn json(&self, file: &str) -> Value {
        let Self { saga, asked, seen, broken } = self;
        let ended = |(how, count): (&Option<String>, &usize)| json!({ "end": if how.is_some() { "compensated" } else { "completed" }, "code": how, "sagas": count });
        let faults: BTreeMap<_, _> = seen.faults.named().into();
        let broken = broken.as_ref().map(|(seed, Shrunk { wanted, violation })| {
            json!({
                "seed": seed,
                "property": violation.property,
                "found": violation.details,
                "faults": wanted.troubles.iter().map(|trouble| trouble.name()).collect::<Vec<_>>(),
                "sagas": wanted.sagas,
                "steps": wanted.steps,
                "again": self.again(file, *seed, wanted),
            })
        });
        json!({
            "file": file,
            "saga": saga,
            "seeds": { "from": asked.seeds.start, "until": asked.seeds.end },
            "worlds": seen.worlds,
            "ends": seen.ended.iter().map(ended).collect::<Vec<_>>(),
            "records": seen.records,
            "commands": seen.commands,
            "crashes": seen.crashes,
            "handovers": seen.rebalances,
            "jumps": seen.jumps,
            "claims": seen.claims,
            "checkpoints": seen.checkpoints,
            "faults": faults,
            "forwarded": seen.forwarded,
            "parked": seen.parked,
            "resolved": seen.resolved,
            "broken": broken,
        })
    }
}

fn names(wanted: &Wanted) -> String {
    let names: Vec<_> = wanted.troubles.iter().map(|trouble| trouble.name()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(",") }
}

fn made_of(wanted: &Wanted) -> String {
    let sagas = wanted.sagas.map_or_else(|| "all its sagas".to_owned(), |sagas| several(sagas, "saga"));
    let steps = wanted.steps.map_or_else(|| "its whole life".to_owned(), |steps| several(steps, "action"));
    format!("{sagas}, {steps}, faults: {}", names(wanted))
}

fn counted(count: usize) -> HumanCount {
    HumanCount(count as u64)
}
