//! What the explorer looks at, and what it lets happen: without each of them an engine that makes a mistake lives. So none
//! is there for nothing, and each can fail.

use std::fmt::Write as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use saga::model::explore::{Bounds, Happening, Property, Without};

use super::{Mutant, found, found_within, mutants};

/// So few states that not all are looked at: `ends` is looked at only where all are.
const FEW: usize = 60;

/// An engine that panics does not live either.
fn lives(mutant: &Mutant, without: Without, states: usize) -> bool {
    let bounds = Bounds { states, without: Some(without), ..Bounds::default() };
    catch_unwind(AssertUnwindSafe(|| found_within(mutant, bounds).violations.is_empty())).unwrap_or(false)
}

/// An engine that is found, and is not where nobody looks at its promise. Whatever cannot go on cannot end either, so of those
/// two it depends on whether all states are looked at.
fn lives_without_promise(property: Property) -> Option<&'static Mutant> {
    let states = if property == Property::GoesOn { FEW } else { 20_000 };
    let bounds = Bounds { states, ..Bounds::default() };
    mutants().filter(|mutant| mutant.breaks == property).find(|mutant| {
        !found_within(mutant, bounds).violations.is_empty() && lives(mutant, Without::Promise(property), states)
    })
}

fn lives_without_happening(happening: Happening) -> Option<&'static Mutant> {
    mutants()
        .find(|mutant| lives(mutant, Without::Happening(happening), 20_000) && !found(mutant).violations.is_empty())
}

fn document() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/how-it-is-proved.md")).unwrap()
}

#[test]
fn without_any_one_promise_a_mutant_lives() {
    let mut table = String::from("| where nobody looks at | an engine lives that … |\n|---|---|\n");
    let mut useless = Vec::new();
    for property in Property::ALL {
        match lives_without_promise(property) {
            Some(mutant) => drop(writeln!(table, "| `{}` | {} |", property.name(), mutant.name)),
            None => useless.push(property.name()),
        }
    }
    assert!(useless.is_empty(), "every mutant is found without {useless:?}");
    assert!(document().contains(&table), "the table of promises is:\n{table}");
}

#[test]
fn without_any_one_happening_a_mutant_lives() {
    let mut table = String::from("| where it never happens that … | an engine lives that … |\n|---|---|\n");
    let mut useless = Vec::new();
    for happening in Happening::ALL {
        match lives_without_happening(happening) {
            Some(mutant) => drop(writeln!(table, "| {} | {} |", happening.words(), mutant.name)),
            None => useless.push(happening.words()),
        }
    }
    assert!(useless.is_empty(), "every mutant is found without {useless:?}");
    assert!(document().contains(&table), "the table of happenings is:\n{table}");
}
