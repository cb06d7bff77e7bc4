//! Engines that each make one mistake: the explorer finds every one of them, by the promise that it breaks. If one
//! lived, "proved" would mean little. The table in docs/how-it-is-proved.md is that of this file.

mod back;
mod checks;
mod forward;
mod needed;
mod said;

use std::fmt::Write as _;
use std::fs;

use saga::engine::{Change, Decision, Direction, Event, Failure, Input, Instance, Misfit, State, Takes};
use saga::model::explore::{Bounds, Cut, Decides, Engine, Property, Report, Told, explore};
use saga::plan::Plan;

use super::explore::{TRIP, broken, plan};

/// A mistake is given what is right, and may change it.
type Mistake = fn(&Plan, &Instance, &Input, Decision) -> Decision;

struct Mutant {
    name: &'static str,
    saga: &'static str,
    breaks: Property,
    mistake: Mistake,
    /// What it makes of a change before it applies it.
    applies: fn(&Plan, &Instance, &Change) -> Change,
    /// And where it reads it in its journal.
    reads: fn(&Plan, &Instance, &Change) -> Change,
    /// Whether the participants keep the guard.
    guard: bool,
}

type Read = fn(&Plan, &Instance, &Change) -> Change;

const AS_IT_IS: Read = |_, _, change| change.clone();

/// Nothing is wrong with the engine.
const UNGUARDED: Mutant = Mutant {
    guard: false,
    ..deciding("asks participants that keep no guard", TRIP, Property::AllOrNothing, |_, _, _, decision| decision)
};

/// Whoever reads the journal must come to what was decided.
const FORGETFUL: Mutant = Mutant {
    reads: |_, _, change| {
        let mut change = change.clone();
        change.events.retain(|event| !matches!(event, Event::Paused { .. }));
        change
    },
    ..deciding("reads something else in its journal than it wrote", TRIP, Property::Sound, |_, _, _, decision| decision)
};

/// An engine that applies what was decided.
const fn deciding(name: &'static str, saga: &'static str, breaks: Property, mistake: Mistake) -> Mutant {
    Mutant { name, saga, breaks, mistake, applies: AS_IT_IS, reads: AS_IT_IS, guard: true }
}

impl Decides for Mutant {
    fn decide<'a>(&self, plan: &'a Plan, instance: &'a Instance, input: &Input, takes: &'a mut Takes<'a>) -> Decision {
        (self.mistake)(plan, instance, input, Engine.decide(plan, instance, input, takes))
    }

    fn apply(&self, plan: &Plan, instance: &mut Instance, change: &Change) -> Result<(), Misfit> {
        let change = (self.applies)(plan, instance, &(self.reads)(plan, instance, change));
        Engine.apply(plan, instance, &change)
    }

    fn behind(&self, plan: &Plan, before: &Instance, change: &Change, _: Instance) -> Result<Instance, Misfit> {
        let mut behind = before.clone();
        let change = (self.applies)(plan, before, change);
        Engine.apply(plan, &mut behind, &change).map(|()| behind)
    }
}

/// Two steps at once behind one, then one more.
const FORK: &str = r#"
participant rooms { commands "rooms"  command Hold fails "full"  command Free }
saga fork {
  version 1
  step first { call rooms.Hold  compensate rooms.Free  retry 1 times every 1s }
  parallel {
    step left { call rooms.Hold  retry 1 times every 1s  compensate rooms.Free  retry 1 times every 1s }
    step right { call rooms.Hold  retry 1 times every 1s  compensate rooms.Free  retry 1 times every 1s }
  }
  step last { call rooms.Hold  compensate rooms.Free }
}
"#;

/// A scope of its own with two handlers.
const SCOPE: &str = r#"
participant rooms { commands "rooms"  command Hold fails "full", "dirty"  command Free }
saga scope {
  version 1
  try {
    step room { call rooms.Hold  compensate rooms.Free  retry 1 times every 1s }
    step look { call rooms.Hold  compensate rooms.Free  retry 1 times every 1s }
  } catch "full" { } catch { }
}
"#;

/// Elements one after the other, and rounds.
const LOOPS: &str = r#"
participant rooms { commands "rooms"  command Hold fails "full"  command Free }
saga loops {
  version 1
  let numbers = [1, 2]
  for each number in numbers {
    step hold { call rooms.Hold  compensate rooms.Free  retry 1 times every 1s }
  }
  repeat at most 3 times { step look { call rooms.Hold  compensate nothing } } until round == 2 otherwise { }
}
"#;

/// The same signal is awaited twice.
const SIGNALS: &str = r#"
saga signals {
  version 1
  signal go
  await go as one within 1h otherwise { fail "late" }
  await go as two within 1h otherwise { fail "late" }
}
"#;

/// The decision with its events changed; nothing, if none is left.
fn with(decision: Decision, edit: impl FnOnce(&mut Vec<Event>)) -> Decision {
    let Decision::Change(mut change, next) = decision else { return decision };
    edit(&mut change.events);
    if change.events.is_empty() { Decision::Nothing } else { Decision::Change(change, next) }
}

/// These events, whatever was decided.
fn instead(instance: &Instance, events: Vec<Event>) -> Decision {
    Decision::Change(Change { seq: instance.seq + 1, at: instance.changed, events }, instance.clone())
}

fn state<'i>(plan: &Plan, instance: &'i Instance, place: &str) -> Option<&'i State> {
    instance.state(plan.find(place)?)
}

fn call(at: &str, work: Direction, attempt: u32) -> Event {
    Event::Called { at: at.into(), work, attempt, until: saga::time::Timestamp(0), limit: None }
}

fn is_call(event: &Event, place: &str, direction: Direction) -> bool {
    matches!(event, Event::Called { at, work, .. } if at == place && *work == direction)
}

fn is_done(event: &Event, place: &str) -> bool {
    matches!(event, Event::Succeeded { at, work: Direction::Do, .. } if at == place)
}

fn fails(code: &str) -> Event {
    let failure = Failure { code: code.into(), step: "saga".into(), message: None };
    Event::Failed { scope: "saga".into(), failure }
}

/// All of them.
fn mutants() -> impl Iterator<Item = &'static Mutant> {
    back::MUTANTS.iter().chain(forward::MUTANTS).chain(said::MUTANTS).chain([&UNGUARDED, &FORGETFUL])
}

/// What the explorer says of one: all that is broken.
fn found(mutant: &Mutant) -> Report {
    found_within(mutant, Bounds { states: 20_000, ..Bounds::default() })
}

fn found_within(mutant: &Mutant, bounds: Bounds) -> Report {
    explore(&plan(mutant.saga), mutant, Bounds { guard: mutant.guard, ..bounds })
}

#[test]
fn every_mutant_is_killed_and_shown_with_a_way() {
    let mut shown = String::new();
    let mut alive = Vec::new();
    for mutant in mutants() {
        let report = found(mutant);
        let violation = report.violations.iter().find(|violation| violation.property == mutant.breaks);
        let Some(violation) = violation else {
            alive.push(format!("{}: {}", mutant.name, broken(&report)));
            continue;
        };
        let _ = writeln!(shown, "{}\n  {} {}", mutant.name, violation.property.name(), violation.at);
        shown.push_str(&steps(&violation.trace, "    "));
    }
    assert!(alive.is_empty(), "{}", alive.join("\n"));
    assert!(mutants().count() >= 25);
    insta::assert_snapshot!(shown);
}

#[test]
fn the_page_of_every_promise_shows_what_breaks_it() {
    for property in Property::ALL {
        let page = property.page();
        assert!(page.starts_with(&format!("# {}: {}\n", property.name(), property.meaning())), "{page}");
        let mutant = mutants().find(|mutant| page.contains(&format!("\nAn engine that {}:\n", mutant.name)));
        let mutant = mutant.unwrap_or_else(|| panic!("{} names a mutant", property.name()));
        assert_eq!(mutant.breaks, property, "{}", mutant.name);
        let report = found(mutant);
        let way = &report.violations.iter().find(|violation| violation.property == property).unwrap().trace;
        let shown = format!("```text\n{}```\n", steps(way, ""));
        assert!(page.contains(&shown), "the page of {} shows:\n{shown}", property.name());
        assert_eq!(Property::named(property.name()), Some(property));
    }
}

/// A way, a line for each step.
fn steps(way: &[Told], indent: &str) -> String {
    way.iter().fold(String::new(), |mut text, told| {
        let events: Vec<&str> = told.events.iter().map(Event::name).collect();
        let line = format!("{indent}{} -> {}", told.happens, events.join(", "));
        let _ = writeln!(text, "{}", line.trim_end());
        text
    })
}

#[test]
fn without_mistakes_the_same_sagas_keep_every_promise() {
    for text in [TRIP, FORK, SCOPE, LOOPS, SIGNALS, said::DESK] {
        let report = explore(&plan(text), &Engine, Bounds { states: 20_000, ..Bounds::default() });
        assert_eq!(broken(&report), "");
    }
}

/// Behind what the engine has broken nothing is promised, so what was counted is not all.
#[test]
fn what_comes_behind_a_broken_promise_is_said_not_to_be_looked_at() {
    let is_stopped = |mutant: &&Mutant| mutant.guard && !matches!(mutant.breaks, Property::GoesOn | Property::Ends);
    for mutant in mutants().filter(is_stopped) {
        assert_eq!(found(mutant).cut, [Cut::Broken], "{}", mutant.name);
    }
    assert!(mutants().filter(|mutant| !is_stopped(mutant)).all(|mutant| found(mutant).is_exhaustive()));
}

#[test]
fn the_document_names_every_mutant() {
    let document = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/how-it-is-proved.md")).unwrap();
    let rows = mutants().map(|mutant| format!("| {} | `{}` |\n", mutant.name, mutant.breaks.name()));
    let table = format!("| an engine that … | breaks |\n|---|---|\n{}", rows.collect::<String>());
    assert!(document.contains(&table), "the table of mutants is:\n{table}");
    for property in Property::ALL {
        let name = property.name();
        let link = format!("| [`{name}`](../src/model/explore/promises/{name}.md) |");
        assert!(document.contains(&link), "{name}");
        assert!(mutants().any(|mutant| mutant.breaks == property), "{} can fail", property.name());
    }
}
