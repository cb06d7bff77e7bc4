//! Scenarios: the shipped ones hold, and what departs is said.

mod constants;
mod crowded;
mod data;
mod explore;
mod example;
mod overflow;
mod mutants;

use std::path::Path;

use saga::check;
use saga::engine::Summary;
use saga::files::Folder;
use saga::model::scenario::{self, Report};
use saga::plan::Plan;
use saga::source::SourceFile;

/// Runs all scenarios of a text: their titles and what came of them.
fn play(text: &str) -> Vec<(String, Report)> {
    play_file("test.saga", text)
}

fn play_file(name: &str, text: &str) -> Vec<(String, Report)> {
    let folder = Folder::around(Path::new(name)).unwrap();
    let checked = check::check_file(SourceFile::new(name, text), &folder);
    assert!(!checked.has_errors(), "{:?}", checked.findings);
    let program = &checked.program;
    let run = |scenario: &saga::definition::Scenario| {
        let plan = Plan::new(program.sagas[&scenario.saga].clone());
        (scenario.title.clone(), scenario::run(&plan, scenario))
    };
    program.scenarios.iter().map(run).collect()
}

/// The departures of the only scenario, a line each.
fn departures(scenario: &str) -> Vec<String> {
    let reports = play(&format!("{SAGA}{scenario}"));
    assert_eq!(reports.len(), 1);
    reports[0].1.departures.iter().map(|departure| format!("{} | {}", departure.expected, departure.found)).collect()
}

const SAGA: &str = r#"
participant stock {
  answers queries
  command Take { n: int } returns { kind: "small" | "large", at: timestamp, part: decimal? } fails "gone"
  command Give { n: int }
}
saga order {
  version 1
  input { n: int }
  step one { call stock.Take { n: input.n }  compensate stock.Give { n: input.n } }
  parallel {
    step two { call stock.Take { n: input.n }  compensate stock.Give { n: input.n } }
    step three { call stock.Take { n: input.n }  compensate stock.Give { n: input.n } }
  }
  sleep 1h
  pivot step four { call stock.Take { n: input.n } }
  output { kind: one.kind, n: input.n }
}
"#;

#[test]
fn the_scenarios_of_every_workflow_hold() {
    for entry in Path::new(env!("CARGO_MANIFEST_DIR")).join("workflows").read_dir().unwrap() {
        let path = entry.unwrap().path();
        let reports = play_file(path.to_str().unwrap(), &std::fs::read_to_string(&path).unwrap());
        // Files with participants alone are there to be used.
        let is_used = path.file_stem().is_some_and(|stem| stem == "billing");
        assert!(is_used || reports.len() >= 5, "{}", path.display());
        for (title, report) in reports {
            assert_eq!(report.departures, [], "{}: {title}", path.display());
        }
    }
}

#[test]
fn an_outcome_that_departs_is_said() {
    let found = |outcome: &str| {
        let head = r#"scenario "x" for order { given { n: 1 }  when two fails "gone"  expect"#;
        departures(&format!("{head} {outcome} }}"))
    };
    assert_eq!(found("completed { n: 2 }"), [r#"completed {"n":2} | compensated "gone" at `two`"#]);
    assert_eq!(found("stuck undo one"), [r#"stuck undo one | compensated "gone" at `two`"#]);
    assert_eq!(found(r#"compensated "timeout""#), [r#"compensated "timeout" | compensated "gone" at `two`"#]);
    assert!(found("compensated").is_empty());
}

#[test]
fn only_the_fields_of_an_output_that_are_given_count() {
    let scenario = |n: u8| format!(r#"scenario "x" for order {{ given {{ n: 1 }} expect completed {{ n: {n} }} }}"#);
    assert!(departures(&scenario(1)).is_empty());
    let found = r#"completed with n: 3 | completed with n: 1, of {"kind":"small","n":1}"#;
    assert_eq!(departures(&scenario(3)), [found]);
}

/// One value has several ways of writing it; and where an output departs, the place is said.
#[test]
fn outputs_are_compared_by_their_values() {
    let told = |expected: &str| {
        let text = format!(
            r#"saga s {{
              version 1
              input {{ fee: decimal, wait: duration, lines: list<{{ price: decimal }}> }}
              output {{ fee: input.fee, none: input.fee * 0.00, wait: input.wait, lines: input.lines }}
            }}
            scenario "x" for s {{
              given {{ fee: 10.50, wait: 90m, lines: [{{ price: 1.00 }}, {{ price: 2.50 }}] }}
              expect completed {expected}
            }}"#
        );
        let found = play(&text).remove(0).1.departures;
        found.into_iter().map(|departure| departure.expected).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(told("{ fee: 10.5, none: 0, wait: 5400s, lines: [{ price: 1 }, { price: 2.5 }] }"), "");
    assert_eq!(told("{ none: 0.0000 }"), "");
    assert_eq!(told("{ lines: [{ price: 1 }, { price: 2 }] }"), r#"completed with lines[1].price: "2""#);
    assert_eq!(told("{ fee: 10.51 }"), r#"completed with fee: "10.51""#);
}

/// Each element is taken back by a saga of its own, the last one first.
#[test]
fn sagas_that_take_elements_back_stand_in_the_order_of_what_they_take_back() {
    let departures = |repeated: &str, calls: &str| {
        let text = format!(
            r#"participant shop {{ command Take fails "gone"  command Give  command Note }}
            saga back {{
              version 1
              pivot
              step given {{ call shop.Give }}
              step noted {{ call shop.Note }}
            }}
            saga s {{
              version 1
              {repeated}
              step last {{ call shop.Take  compensate nothing }}
            }}
            scenario "x" for s {{ when last fails "gone"  expect calls take[1], take[2], last, {calls} }}"#
        );
        play(&text).remove(0).1.departures
    };
    let take = "step take { call shop.Take  compensate run back }";
    let each = format!("let all = [1, 2] for each one in all {{ {take} }}");
    let rounds = format!("repeat at most 2 times {{ {take} }} until round == 2 otherwise {{ }}");
    for repeated in [each, rounds] {
        let of = |index: u8| format!("take[{index}].undo.given, take[{index}].undo.noted");
        assert_eq!(departures(&repeated, &[of(2), of(1)].join(", ")), []);
        assert_eq!(departures(&repeated, &[of(1), of(2)].join(", ")).len(), 1, "the first one first");
        let mixed = "take[2].undo.noted, take[2].undo.given, take[1].undo.given, take[1].undo.noted";
        assert_eq!(departures(&repeated, mixed).len(), 1, "of one element they keep their order");
    }
}

/// Words of scenarios and contracts are no words of a flow: a step may be called by them.
#[test]
fn a_step_may_have_the_name_of_a_word_of_scenarios() {
    let words = ["start", "expect", "given", "on", "at", "command", "message", "answers", "events", "cancelled"];
    for word in words {
        let text = format!(
            r#"participant shop {{ command Take fails "gone"  command Give }}
            saga s {{
              version 1
              step {word} {{ call shop.Take  compensate shop.Give }}
              step last {{ call shop.Take  compensate nothing }}
            }}
            scenario "refused" for s {{ when {word} fails "gone"  expect compensated "gone"  expect calls {word} }}
            scenario "stuck" for s {{
              when last fails "gone"
              when undo {word} fails
              expect stuck undo {word}
              expect calls {word}, last, undo {word}
            }}
            scenario "cancelled" for s {{ when cancelled  expect compensated "cancelled" }}"#
        );
        for (title, report) in play(&text) {
            assert_eq!(report.departures, [], "{word}: {title}");
        }
    }
}

#[test]
fn calls_are_compared_in_the_order_that_the_definition_gives_and_no_other() {
    let scenario = |calls: &str| {
        format!(r#"scenario "x" for order {{ given {{ n: 1 }} when four fails "gone" expect calls {calls} }}"#)
    };
    let all = "one, three, two, four, undo two, undo three, undo one";
    assert!(departures(&scenario(all)).is_empty(), "branches in any order");
    let found = departures(&scenario("two, one, three, four, undo two, undo three, undo one"));
    assert!(found.len() == 1 && found[0].contains("the definition orders one before two"), "{found:?}");
    let found = departures(&scenario("one, three, two, four, undo one, undo two, undo three"));
    assert!(found.len() == 1 && found[0].contains("the definition orders undo"), "{found:?}");
    assert_eq!(departures(&scenario("one, three, two, four, undo two, undo three")).len(), 1, "the whole list");
}

/// What a `try` took back is behind it, whatever the saga takes back later; and beside it others go on.
#[test]
fn what_a_try_took_back_stands_before_what_is_taken_back_around_it() {
    let text = |body: &str, happenings: &str, calls: &str| {
        let contract = r#"participant shop { command Take fails "gone"  command Give }"#;
        let text = format!(
            r#"{contract}
            saga s {{ version 1 {body} }}
            scenario "x" for s {{ {happenings} expect calls {calls} }}"#
        );
        let step = |name: &str| format!("step {name} {{ call shop.Take  compensate shop.Give }}");
        ["take", "odd", "alt", "last"].iter().fold(text, |text, name| text.replace(&format!("<{name}>"), &step(name)))
    };
    let told = |body: &str, happenings: &str, calls: &str| {
        let mut reports = play_file("text.saga", &text(body, happenings, calls));
        reports.remove(0).1.departures
    };
    let caught = "try { <take> <odd> } catch { <alt> } <last>";
    let both = r#"when odd fails "gone" when last fails "gone""#;
    assert_eq!(told(caught, both, "take, odd, undo take, alt, last, undo alt"), []);
    assert_eq!(told(caught, both, "take, odd, alt, undo take, last, undo alt").len(), 1, "its handler is behind it");
    let last = r#"when last fails "gone""#;
    assert_eq!(told(caught, last, "take, odd, last, undo odd, undo take"), []);
    assert_eq!(told(caught, last, "take, odd, last, undo take, undo odd").len(), 1, "of one try they keep their order");
    let beside = "parallel { sequence { sleep 1h <alt> } try { <take> <odd> } catch { } }";
    let odd = r#"when odd fails "gone""#;
    assert_eq!(told(beside, odd, "take, odd, undo take, alt"), []);
}

#[test]
fn a_happening_that_never_came_about_fails_the_scenario() {
    let found = departures(
        r#"scenario "x" for order { given { n: 1 }  when undo one fails  when cancelled after 2h  expect completed }"#,
    );
    assert_eq!(found, ["this happens | it never came about"; 2]);
}

#[test]
fn a_silence_that_is_counted_ends_and_one_that_is_not_leaves_the_pivot_stuck() {
    let scenario = |times: &str, outcome: &str| {
        format!(r#"scenario "x" for order {{ given {{ n: 1 }} when four times out {times} expect {outcome} }}"#)
    };
    assert!(departures(&scenario("9 times", "completed")).is_empty());
    assert!(departures(&scenario("", "stuck four")).is_empty());
}

#[test]
fn time_passes_at_once_and_is_told() {
    let reports = play(&format!(r#"{SAGA}scenario "x" for order {{ given {{ n: 1 }}  expect completed }}"#));
    let report = &reports[0].1;
    assert_eq!(report.summary, Summary::Completed);
    assert_eq!(report.trace.last().unwrap().0.as_secs(), 3_600);
}

#[test]
fn what_a_participant_does_not_take_at_once_waits_and_its_rate_takes_time() {
    let limited = SAGA.replace("answers queries", "answers queries  at most 1 at once  at most 1 per minute");
    let reports = play(&format!(r#"{limited}scenario "x" for order {{ given {{ n: 1 }}  expect completed }}"#));
    let report = &reports[0].1;
    assert_eq!((report.summary, &report.departures[..]), (Summary::Completed, &[][..]));
    let told: Vec<String> = report
        .trace
        .iter()
        .filter_map(|(passed, event)| Some(format!("{} {} {}", passed.as_secs(), event.name(), event.step()?)))
        .filter(|line| !line.contains("succeeded"))
        .collect();
    let expected =
        ["0 called one", "0 queued two", "0 queued three", "60 called two", "120 called three", "3720 called four"];
    assert_eq!(told, expected);
}
