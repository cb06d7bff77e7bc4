//! Scenarios that are made up for a way to end: each holds, as text, behind the definition that it is for.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use saga::check;
use saga::files::Folder;
use saga::model::example;
use saga::model::explore::{Bounds, Engine, explore};
use saga::model::scenario;
use saga::plan::Plan;
use saga::source::SourceFile;

use super::explore::shipped;

/// Ends to which no scenario is found: the deadline is behind a day, for which `pending` is waited at most, or there are more
/// departures than are searched through. Where
/// participants break their contracts or the log refuses a message there is none at all.
const NOT_FOUND: &[&str] = &[
    "claim: compensated deadline",
    "disk: stuck paid.activate",
    "disk: stuck paid.begin",
    "food_order: stuck keep",
    "order: compensated deadline",
    "pay: compensated declined_too_often",
    "port_in: compensated deadline",
    "port_in: stuck begin_contract",
    "port_in: stuck register",
    "port_in: stuck switch_on",
    "subscription: compensated deadline",
    "transfer: compensated deadline",
];

#[test]
fn every_end_of_every_shipped_saga_has_a_scenario_that_holds() {
    let mut not_found = BTreeSet::new();
    let mut played = 0;
    for path in shipped() {
        let folder = Folder::around(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let read = |text: &str| check::check_file(SourceFile::new(path.to_str().unwrap(), text), &folder);
        let mut with_examples = text.clone();
        let checked = read(&text);
        for saga in checked.program.sagas.values().filter(|saga| text.contains(&format!("saga {} {{", saga.name))) {
            let plan = Plan::new(Arc::clone(saga));
            for way in explore(&plan, &Engine, Bounds { states: 3_000, ..Bounds::default() }).ways {
                match example::of(&plan, &way) {
                    Ok(example) => with_examples.push_str(&example.text(&plan)),
                    Err(why) if why.contains("keep their contracts") || why.contains("takes every message") => {}
                    Err(_) => drop(not_found.insert(format!("{}: {}", saga.name, way.ending))),
                }
            }
        }
        let again = read(&with_examples);
        assert!(!again.has_errors(), "{}: {:?}\n{with_examples}", path.display(), again.findings);
        let made_up = again.program.scenarios.iter().skip(checked.program.scenarios.len());
        for scenario in made_up {
            let plan = Plan::new(Arc::clone(&again.program.sagas[&scenario.saga]));
            let report = scenario::run(&plan, scenario);
            assert!(report.departures.is_empty(), "{}: {:?}", scenario.title, report.departures);
            played += 1;
        }
    }
    assert!(played > 60, "{played}");
    assert_eq!(not_found.iter().map(String::as_str).collect::<Vec<_>>(), NOT_FOUND);
}

#[test]
fn what_is_stuck_in_a_try_is_said_with_its_direction() {
    let text = r#"
participant rooms { command Hold fails "full"  command Free  command Look fails "dirty" }
saga trip {
  version 1
  try {
    step room { call rooms.Hold  compensate rooms.Free }
    step look { call rooms.Look  compensate nothing }
  } catch { }
}
scenario "it cannot be freed" for trip {
  when look fails "dirty"
  when undo room fails
  expect stuck undo room
}
"#;
    let checked = check::check_text("trip.saga", text);
    assert!(!checked.has_errors(), "{:?}", checked.findings);
    let plan = Plan::new(Arc::clone(&checked.program.sagas["trip"]));
    let report = scenario::run(&plan, &checked.program.scenarios[0]);
    assert!(report.departures.is_empty(), "{:?}", report.departures);
}

/// What is pending is waited for until something ends that: the deadline, `within`, or a day.
#[test]
fn what_stays_pending_uses_the_time_up() {
    let text = r#"
participant bank { command Pay fails "declined"  command Void  command Note }
saga order {
  version 1
  deadline 1h
  step note { call bank.Note  within 10m  compensate nothing }
  step pay { call bank.Pay  compensate bank.Void }
}
scenario "until the deadline" for order {
  when pay stays pending
  expect compensated "deadline"
  expect calls note, pay, undo pay
}
scenario "until the time of the step is over" for order {
  when note stays pending
  expect compensated "timeout"
  expect calls note
}
scenario "no attempt is made anew" for order {
  when pay stays pending 1 times
  expect compensated "deadline"
}
scenario "as it is taken back, a day and then well" for order {
  when pay times out
  when undo pay stays pending 1 times
  expect compensated "timeout"
}
"#;
    let checked = check::check_text("order.saga", text);
    assert!(!checked.has_errors(), "{:?}", checked.findings);
    let plan = Plan::new(Arc::clone(&checked.program.sagas["order"]));
    for scenario in &checked.program.scenarios {
        let report = scenario::run(&plan, scenario);
        assert!(report.departures.is_empty(), "{}: {:?}", scenario.title, report.departures);
    }
}
