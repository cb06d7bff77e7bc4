//! Every way in which sagas can end: the shipped ones keep every promise, random ones too, and an engine that makes
//! mistakes does not.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use compact_str::CompactString;
use proptest::prelude::*;
use saga::check;
use saga::engine::{Change, Decision, Direction, Event, Failure, Input, Instance, Order, Phase, State, Takes};
use saga::files::Folder;
use saga::model::explore::{Bounds, Decides, Ending, Engine, Property, Report, Violation, explore};
use saga::plan::Plan;
use saga::source::SourceFile;

use crate::engine::shapes;

/// States that are looked at in a test: it runs without optimizations.
const FEW: Bounds = Bounds { states: 8_000, guard: true };

fn plan(text: &str) -> Plan {
    let checked = check::check_text("test.saga", text);
    assert!(!checked.has_errors(), "{:?}", checked.findings);
    Plan::new(Arc::clone(checked.program.sagas.values().next().unwrap()))
}

fn broken(report: &Report) -> String {
    let one = |violation: &Violation| {
        let told = violation.trace.iter().map(|told| format!("  {} -> {:?}\n", told.happens, told.events));
        format!("{} at {}\n{}", violation.property.name(), violation.at, told.collect::<String>())
    };
    report.violations.iter().map(one).collect()
}

#[test]
fn every_shipped_saga_keeps_every_promise() {
    let mut exhaustive = 0;
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/workflows")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "saga") {
            continue;
        }
        let folder = Folder::around(&path).unwrap();
        let file = SourceFile::new(path.to_str().unwrap(), fs::read_to_string(&path).unwrap());
        let checked = check::check_file(file, &folder);
        for saga in checked.program.sagas.values() {
            let report = explore(&Plan::new(Arc::clone(saga)), &Engine, FEW, || true);
            assert!(report.violations.is_empty(), "{} {}: {}", path.display(), saga.name, broken(&report));
            if report.cut.is_empty() {
                exhaustive += 1;
                // What is computed from the text alone and what the engine does are the same.
                let outcomes = check::outcomes(saga);
                let computed: BTreeSet<CompactString> = outcomes.codes().cloned().collect();
                assert_eq!(codes(&report), computed, "{} {}", path.display(), saga.name);
            }
        }
    }
    assert!(exhaustive >= 4, "some are explored to the end: {exhaustive}");
}

/// The codes with which it ends.
fn codes(report: &Report) -> BTreeSet<CompactString> {
    let code = |ending: &Ending| match ending {
        Ending::Compensated(code) => Some(code.clone()),
        Ending::Completed | Ending::Stuck(..) => None,
    };
    report.ways.iter().filter_map(|way| code(&way.ending)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 500, ..ProptestConfig::default() })]

    #[test]
    fn every_random_saga_keeps_every_promise(shape in shapes::saga()) {
        let bounds = Bounds { states: 400, ..FEW };
        let report = explore(&shapes::plan(&shape), &Engine, bounds, || true);
        prop_assert!(report.violations.is_empty(), "{}", broken(&report));
    }
}

/// `EXPLORED_CASES` for a longer search.
fn cases() -> u32 {
    std::env::var("EXPLORED_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(60)
}

/// Two steps that are taken back, a pivot, and one behind it.
const TRIP: &str = r#"
participant rooms {
  commands "rooms"
  command Hold fails "full"
  command Free
  command Confirm
}
participant cards {
  commands "cards"
  command Charge fails "declined"
}
saga trip {
  version 1
  deadline 1h
  step room { call rooms.Hold  retry 1 times every 1s  compensate rooms.Free  retry 1 times every 1s }
  step car { call rooms.Hold  retry 1 times every 1s  compensate rooms.Free  retry 1 times every 1s }
  pivot step charge { call cards.Charge }
  step confirm { call rooms.Confirm  retry 1 times every 1s }
}
"#;

#[test]
fn the_ends_of_a_trip_and_what_each_needs() {
    let report = explore(&plan(TRIP), &Engine, Bounds::default(), || true);
    assert_eq!((report.cut.as_slice(), broken(&report).as_str()), (&[][..], ""));
    let needs = |way: &saga::model::explore::Way| {
        let special = way.trace.iter().filter(|told| !told.is_usual).map(|told| told.happens.clone());
        format!("{:?}: {}", way.ending, special.collect::<Vec<_>>().join("; "))
    };
    insta::assert_snapshot!(report.ways.iter().map(needs).collect::<Vec<_>>().join("\n"));
}

#[test]
fn what_is_not_looked_at_is_said() {
    let report = explore(&plan(TRIP), &Engine, Bounds { states: 10, guard: true }, || true);
    assert_eq!(report.cut, ["there are more states than were looked at"]);
    let report = explore(&plan(TRIP), &Engine, Bounds::default(), || false);
    assert!(report.cut.is_empty() || report.cut == ["there was no time for more"]);
}

#[test]
fn without_a_guard_a_late_copy_is_done_again() {
    let report = explore(&plan(TRIP), &Engine, Bounds { guard: false, ..Bounds::default() }, || true);
    assert!(report.violations.iter().any(|it| it.property == Property::AllOrNothing), "{}", broken(&report));
}

/// An engine that makes one mistake: it is given what is right, and may change it.
struct Saboteur(fn(&Plan, &Instance, &Input, Decision) -> Decision);

impl Decides for Saboteur {
    fn decide<'a>(&self, plan: &'a Plan, instance: &'a Instance, input: &Input, takes: &'a mut Takes<'a>) -> Decision {
        self.0(plan, instance, input, Engine.decide(plan, instance, input, takes))
    }
}

/// The decision with its events changed; nothing, if none is left.
fn with(decision: Decision, edit: impl FnOnce(&mut Vec<Event>)) -> Decision {
    let Decision::Change(mut change) = decision else { return decision };
    edit(&mut change.events);
    if change.events.is_empty() { Decision::Nothing } else { Decision::Change(change) }
}

fn state<'i>(plan: &Plan, instance: &'i Instance, place: &str) -> Option<&'i State> {
    instance.state(plan.find(place)?)
}

fn is_undo_of(event: &Event, place: &str) -> bool {
    matches!(event, Event::Called { at, work: Direction::Undo, .. } if at == place)
}

/// Which promises it breaks.
fn caught(mistake: fn(&Plan, &Instance, &Input, Decision) -> Decision) -> BTreeSet<Property> {
    let report = explore(&plan(TRIP), &Saboteur(mistake), Bounds::default(), || true);
    for violation in &report.violations {
        assert!(!violation.trace.is_empty(), "each has a trace");
    }
    report.violations.iter().map(|violation| violation.property).collect()
}

#[test]
fn taking_back_in_the_wrong_order_is_caught() {
    let found = caught(|plan, instance, _, decision| {
        with(decision, |events| {
            for event in events {
                if is_undo_of(event, "car")
                    && matches!(state(plan, instance, "room"), Some(State::Done(_)))
                    && let Event::Called { at, .. } = event
                {
                    *at = "room".into();
                }
            }
        })
    });
    assert!(found.contains(&Property::MirrorOrder), "{found:?}");
}

#[test]
fn a_forgotten_compensation_is_caught() {
    let found = caught(|_, _, _, decision| {
        with(decision, |events| {
            if events.iter().any(|event| is_undo_of(event, "room")) {
                events.retain(|event| !is_undo_of(event, "room"));
                events.push(Event::Compensated);
            }
        })
    });
    assert!(found.contains(&Property::AllOrNothing), "{found:?}");
}

#[test]
fn forgetting_what_may_have_been_done_is_caught() {
    let found = caught(|plan, instance, _, decision| {
        with(decision, |events| {
            let is_lost = matches!(state(plan, instance, "room"), Some(State::Unknown))
                || events.iter().any(|event| matches!(event, Event::Lost { at } if at == "room"));
            if is_lost && events.iter().any(|event| is_undo_of(event, "room")) {
                events.retain(|event| !is_undo_of(event, "room"));
                events.push(Event::Compensated);
            }
        })
    });
    assert!(found.contains(&Property::AllOrNothing), "{found:?}");
}

#[test]
fn a_compensation_that_is_begun_again_is_caught() {
    let found = caught(|_, instance, input, decision| match (input, decision) {
        (Input::Due, Decision::Change(change)) => with(Decision::Change(change), |events| {
            for event in events {
                if let Event::Called { work: Direction::Undo, attempt, .. } = event {
                    *attempt = 1;
                }
            }
        }),
        (_, decision) => {
            let _ = instance;
            decision
        }
    });
    assert!(found.contains(&Property::UndoneOnce) || found.contains(&Property::Sound), "{found:?}");
}

#[test]
fn a_step_that_nobody_calls_is_caught() {
    let found = caught(|_, _, _, decision| {
        with(decision, |events| {
            events.retain(|event| !matches!(event, Event::Called { at, work: Direction::Do, .. } if at == "confirm"));
        })
    });
    // The deadline still comes, and changes nothing any more.
    assert!(found.contains(&Property::GoesOn) || found.contains(&Property::Ends), "{found:?}");
}

#[test]
fn a_late_answer_that_counts_is_caught() {
    let found = caught(|plan, instance, input, decision| match input {
        Input::Reply(reply) if matches!(state(plan, instance, &reply.command.place), Some(State::Done(_))) => {
            let at = instance.changed;
            let failure = Failure { code: "late".into(), step: reply.command.place.clone(), message: None };
            let events = vec![Event::Failed { scope: "saga".into(), failure }];
            Decision::Change(Change { seq: instance.seq + 1, at, events })
        }
        _ => decision,
    });
    assert!(found.contains(&Property::LateChangesNothing), "{found:?}");
}

#[test]
fn a_cancel_behind_the_point_of_no_return_is_caught() {
    let found = caught(|_, instance, input, decision| match input {
        Input::Order(order) if matches!(order.order, Order::Cancel) && instance.phase == Phase::Committed => {
            let failure = Failure { code: "cancelled".into(), step: "saga".into(), message: None };
            let events = vec![Event::Failed { scope: "saga".into(), failure }];
            Decision::Change(Change { seq: instance.seq + 1, at: instance.changed, events })
        }
        _ => decision,
    });
    assert!(found.contains(&Property::NoReturn), "{found:?}");
}

#[test]
fn an_end_that_forgets_a_step_is_caught() {
    let found = caught(|_, _, _, decision| {
        with(decision, |events| {
            let is_called =
                |event: &Event| matches!(event, Event::Called { at, work: Direction::Do, .. } if at == "confirm");
            if events.iter().any(is_called) {
                let output = saga::json::Json::parse("{}").unwrap();
                events.push(Event::Completed { output });
            }
        })
    });
    assert!(found.contains(&Property::AllOrNothing), "{found:?}");
}
