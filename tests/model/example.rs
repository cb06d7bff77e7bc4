//! Scenarios that are made up for a way to end: each holds, as text, behind the definition that it is for.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use saga::check;
use saga::files::Folder;
use saga::model::example;
use saga::model::explore::{Bounds, Engine, explore};
use saga::model::scenario::{self, Report};
use saga::plan::Plan;
use saga::source::SourceFile;

use super::explore::shipped;

/// Ends to which no scenario is found: their deadlines. In a scenario participants answer at once, or are waited for as `pending`
/// for the day that the engine grants. All waits of `claim` and `transfer` are over before the deadline then, however late
/// each signal comes. Where participants break their contracts or the log refuses a message there is none at all.
const NOT_FOUND: &[&str] = &["claim: compensated deadline", "transfer: compensated deadline"];

#[test]
fn every_end_of_every_shipped_saga_has_a_scenario_that_holds() {
    let mut not_found = BTreeSet::new();
    let played = all_hold_of_each_shipped_saga(|plan, made| {
        let ways = explore(plan, &Engine, Bounds { states: 30_000, ..Bounds::default() }).ways;
        for way in &ways {
            match example::of(plan, way, &ways) {
                Ok(example) => made.push_str(&example.text(plan)),
                Err(why) if why.contains("keep their contracts") || why.contains("takes every message") => {}
                Err(_) => drop(not_found.insert(format!("{}: {}", plan.saga.name, way.ending))),
            }
        }
    });
    assert!(played > 60, "{played}");
    assert_eq!(not_found.iter().map(String::as_str).collect::<Vec<_>>(), NOT_FOUND);
}

/// Each comes to where a late copy breaks the promise, and says so above.
#[test]
fn every_promise_that_a_participant_without_a_guard_breaks_has_a_scenario_that_holds() {
    let mut broken = 0;
    let played = all_hold_of_each_shipped_saga(|plan, made| {
        let bounds = Bounds { states: 5_000, guard: false, ..Bounds::default() };
        for violation in explore(plan, &Engine, bounds).violations {
            let text = example::of_broken(plan, &violation).unwrap().text(plan);
            let last = &violation.trace.last().unwrap().happens;
            assert!(text.starts_with("// ") && text.contains(last) && last.contains("a late copy"), "{text}");
            made.push_str(&text);
            broken += 1;
        }
    });
    assert!(played == broken && broken > 20, "{played} of {broken}");
}

/// Makes scenarios for each shipped saga, and plays them as text behind its file; says how many were played.
fn all_hold_of_each_shipped_saga(mut make: impl FnMut(&Plan, &mut String)) -> usize {
    let mut played = 0;
    for path in shipped() {
        let folder = Folder::around(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let read = |text: &str| check::check_file(SourceFile::new(path.to_str().unwrap(), text), &folder);
        let mut with_examples = text.clone();
        let checked = read(&text);
        for saga in checked.program.sagas.values().filter(|saga| text.contains(&format!("saga {} {{", saga.name))) {
            make(&Plan::new(Arc::clone(saga)), &mut with_examples);
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
    played
}

/// Plays all scenarios of a text, which hold.
fn play_all(text: &str) -> Vec<Report> {
    let checked = check::check_text("text.saga", text);
    assert!(!checked.has_errors(), "{:?}", checked.findings);
    let played = checked.program.scenarios.iter().map(|scenario| {
        let plan = Plan::new(Arc::clone(&checked.program.sagas[&scenario.saga]));
        let report = scenario::run(&plan, scenario);
        assert!(report.departures.is_empty(), "{}: {:?}", scenario.title, report.departures);
        report
    });
    let reports: Vec<Report> = played.collect();
    assert!(!reports.is_empty());
    reports
}

/// What has no scenario says why. A scenario names steps, and a person may be waited for where there is none.
#[test]
fn what_no_scenario_can_say_is_refused_with_the_reason() {
    let text = r"
participant p {
  command A { n: int } returns { n: int }
  message M { n: int }
}
saga m {
  version 1
  input { n: int, xs: list<int> }
  deadline 300d
  step h { call p.A { n: 1 }  compensate nothing }
  pivot step z { call p.A { n: 1 } }
  let y = z.n * 2
  for each x in input.xs where x * 2 > 5 { step a { call p.A { n: x } } }
  when input.n * 2 > 5 { step b { send p.M { n: 1 } } }
  repeat at most 2 times { step r { call p.A { n: 1 } } } until r.n * 2 > 5 otherwise { }
  output { y: y }
}
";
    let checked = check::check_text("text.saga", text);
    assert!(!checked.has_errors(), "{:?}", checked.findings);
    let plan = Plan::new(Arc::clone(&checked.program.sagas["m"]));
    let ways = explore(&plan, &Engine, Bounds::default()).ways;
    let mut with_examples = text.to_owned();
    let mut refused = Vec::new();
    for way in &ways {
        match example::of(&plan, way, &ways) {
            Ok(example) => with_examples.push_str(&example.text(&plan)),
            Err(why) => refused.push(format!("{}: {why}\n", way.ending)),
        }
    }
    insta::assert_snapshot!(refused.concat());
    play_all(&with_examples);
}

/// Two waits of four days and the beginning of a third: each signal must come in the last moments of its wait, and from the
/// input with which anything is waited for.
#[test]
fn a_deadline_behind_waits_that_are_nearly_over_is_found() {
    let text = r#"
participant bank { command Pay }
saga slow {
  version 1
  input { asks: bool }
  signal first
  signal second
  signal third
  deadline 287h
  when input.asks {
    await first within 4d otherwise { fail "late" }
    await second within 4d otherwise { fail "late" }
    await third within 4d otherwise { fail "late" }
    step pay { call bank.Pay  compensate nothing }
  }
}
"#;
    let checked = check::check_text("text.saga", text);
    assert!(!checked.has_errors(), "{:?}", checked.findings);
    let plan = Plan::new(Arc::clone(&checked.program.sagas["slow"]));
    let ways = explore(&plan, &Engine, Bounds::default()).ways;
    let way = ways.iter().find(|way| way.ending.to_string().contains("deadline")).expect("waits last");
    let example = example::of(&plan, way, &ways).expect("it is reached");
    let written = example.text(&plan);
    assert!(written.contains("first arrives") && written.contains("second arrives"), "{written}");
    play_all(&format!("{text}{written}"));
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
    play_all(text);
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
    play_all(text);
}

/// A scenario that expects a person to be waited for is over before a deadline ends that; one that does not goes on. What is
/// asked for ever in vain, at a point of no return of a saga inside, ends it too.
#[test]
fn what_is_stuck_before_a_deadline_is_seen() {
    let text = r#"
participant meter { command Begin  command Start  command Stop }
saga billed {
  version 1
  pivot step begin { call meter.Begin }
  step start { call meter.Start }
}
saga disk {
  version 1
  deadline 30m
  step paid { run billed  compensate meter.Stop }
}
scenario "behind the inner point of no return" for disk {
  when paid.start times out
  expect stuck paid.start
  expect calls paid.begin, paid.start
}
scenario "nobody has helped" for disk {
  when paid.start times out
  expect compensated "deadline"
  expect calls paid.begin, paid.start, undo paid
}
scenario "at the inner point of no return" for disk {
  when paid.begin times out
  expect stuck paid.begin
}
"#;
    for report in play_all(text) {
        assert!(report.trace.len() < 1_000, "{}", report.trace.len());
    }
}
