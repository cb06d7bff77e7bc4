//! The explorer: states a second, on the shipped workflows and on sagas that grow.
//!
//! As TLC of TLA+ counts them: a state is *generated* for each step that is tried from a state, and looked up; it is
//! *distinct* if it was not known before. Each saga is explored again and again for a second, and the quickest counts.
//!
//! `cargo bench --bench model` for all; `-- shipped`, `-- parallel`, `-- loops` for some. `STATES=…` changes the bound.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mimalloc::MiMalloc;
use saga::check;
use saga::definition::Saga;
use saga::files::Folder;
use saga::model::explore::{Bounds, Engine, explore};
use saga::plan::Plan;
use saga::source::SourceFile;

/// How long each is explored, if once takes no longer.
const MEASURED: Duration = Duration::from_secs(1);

/// As in `saga` itself.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    println!(
        "{:<28} {:>9} {:>10} {:>10} {:>12} {:>11} {:>12} {:>11}",
        "", "distinct", "generated", "time", "generated/s", "distinct/s", "a generated", "a distinct"
    );
    if is_wanted("shipped") {
        for (name, saga) in shipped() {
            measure(&name, saga);
        }
    }
    if is_wanted("parallel") {
        for width in 2..=8 {
            measure(&format!("{width} at once"), parse(&at_once(width)));
        }
    }
    if is_wanted("loops") {
        for window in 1..=5 {
            measure(&format!("a loop, {window} at once"), parse(&in_a_loop(window)));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark stay far below 2^52")]
fn measure(name: &str, saga: Arc<Saga>) {
    let states = std::env::var("STATES").ok().and_then(|states| states.parse().ok());
    let bounds = Bounds { states: states.unwrap_or(Bounds::default().states), ..Bounds::default() };
    let plan = Plan::new(saga);
    let begun = Instant::now();
    let mut quickest = Duration::MAX;
    let report = loop {
        let started = Instant::now();
        let report = black_box(explore(&plan, &Engine, bounds));
        quickest = quickest.min(started.elapsed());
        if begun.elapsed() >= MEASURED {
            break report;
        }
    };
    let rate = |count: usize| count as f64 / quickest.as_secs_f64();
    let nanos = |count: usize| quickest.as_secs_f64() * 1e9 / count.max(1) as f64;
    println!(
        "{name:<28} {:>9} {:>10} {:>8.4} s {:>12.0} {:>11.0} {:>9.0} ns {:>8.1} µs {}",
        report.states,
        report.steps,
        quickest.as_secs_f64(),
        rate(report.steps),
        rate(report.states),
        nanos(report.steps),
        nanos(report.states) / 1e3,
        report.cut.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    );
}

fn shipped() -> Vec<(String, Arc<Saga>)> {
    let mut paths: Vec<_> = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/workflows"))
        .expect("the shipped workflows are here")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "saga"))
        .collect();
    paths.sort();
    let mut sagas = Vec::new();
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("it is there");
        let folder = Folder::around(&path).expect("it is in a folder");
        let checked = check::check_file(SourceFile::new(name.as_str(), text), &folder);
        sagas.extend(checked.program.sagas.values().map(|saga| (format!("{name}: {}", saga.name), Arc::clone(saga))));
    }
    sagas
}

fn parse(text: &str) -> Arc<Saga> {
    let checked = check::check_text("grown.saga", text);
    assert!(!checked.has_errors(), "{:?}", checked.findings);
    Arc::clone(checked.program.sagas.values().next().expect("there is one"))
}

const ROOMS: &str =
    "participant rooms { commands \"rooms\"  command Hold { number: int }  command Free { number: int } }\n";

/// Steps at once, each of which is taken back.
fn at_once(width: usize) -> String {
    let mut text = format!("{ROOMS}saga grown {{ version 1\n  parallel {{\n");
    for number in 0..width {
        let _ = writeln!(
            text,
            "    step s{number} {{ call rooms.Hold {{ number: {number} }}  compensate rooms.Free {{ number: {number} }} }}"
        );
    }
    text.push_str("  }\n}\n");
    text
}

/// The elements of a list, so many at once.
fn in_a_loop(window: usize) -> String {
    format!(
        "{ROOMS}saga grown {{ version 1\n  let numbers = [1, 2, 3, 4, 5]\n  for each number in numbers at most {window} at once {{\n    \
         step hold {{ call rooms.Hold {{ number: number }}  compensate rooms.Free {{ number: number }} }}\n  }}\n}}\n"
    )
}
