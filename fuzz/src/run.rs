//! Definitions that pass `check`, run through the engine. What happens in a run is chosen by bytes: never a panic, and
//! always an end, or a person that it waits for.

use saga::check::check_text;
use saga::plan::{Kind, Plan};

use super::walk::{Walk, data};

/// Between the text and what chooses: a byte that no text has.
const CHOICES: u8 = 0;

/// The most choices of one run: what is longer is slow, and tries nothing new.
const CHOICES_MAX: usize = 400;

/// The largest text: what counts here is what definitions do.
const TEXT_MAX: usize = 64 * 1024;

/// The most that a saga may have to do: all that stands in its loops, so often as it can happen.
const WORK_MAX: u64 = 500;

/// Runs all sagas of a text that passes `check`, each for itself. How many that were.
pub(crate) fn run(bytes: &[u8]) -> usize {
    let end = bytes.iter().position(|byte| *byte == CHOICES).unwrap_or(bytes.len());
    let (text, choices) = bytes.split_at(end);
    let choices: Vec<u16> = choices
        .get(1..)
        .unwrap_or_default()
        .chunks(2)
        .take(CHOICES_MAX)
        .map(|pair| pair.iter().fold(0, |choice, byte| (choice << 8) | u16::from(*byte)))
        .collect();
    let Some(text) = std::str::from_utf8(text).ok().filter(|text| text.len() <= TEXT_MAX) else { return 0 };
    let checked = check_text("fuzz.saga", text);
    if checked.has_errors() {
        return 0;
    }
    let plans =
        checked.program.sagas.values().map(|saga| Plan::new(saga.clone())).filter(|plan| work(plan) <= WORK_MAX);
    plans.map(|plan| walk(plan, choices.clone())).count()
}

fn walk(plan: Plan, choices: Vec<u16>) {
    let mut walk = Walk::new(plan, choices);
    walk.start_somehow();
    // It asserts by itself that it comes to an end.
    while !walk.has_ended() {
        walk.step();
    }
    walk.check_end();
}

/// How often something can happen in a run, all loops included.
fn work(plan: &Plan) -> u64 {
    let times = |around| match &plan.node(around).kind {
        Kind::Repeat(repeat) => u64::from(repeat.times),
        _ => u64::from(data::ELEMENTS),
    };
    plan.nodes().map(|(_, node)| node.loops.iter().map(|around| times(around.node)).product::<u64>()).sum()
}
