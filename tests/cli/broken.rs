//! `saga check` where a promise is broken: the way to it in each form, and what is said of all that was looked at.

use serde_json::Value;

use super::Desk;
use super::running::{ORDER, desk};

/// What a command prints on standard output.
fn printed(desk: &Desk, arguments: &[&str]) -> String {
    let output = desk.command(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn json(desk: &Desk, arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(desk, arguments)).unwrap()
}

#[test]
fn a_broken_promise_is_shown_with_its_way() {
    let desk = desk();
    for form in ["steps", "mermaid", "scenario"] {
        let arguments = ["check", "order.saga", "--unguarded", "--as", form];
        insta::assert_snapshot!(format!("a_broken_promise_in_{form}"), desk.saga(&arguments));
    }
    assert_eq!(desk.command(&["check", "order.saga", "--unguarded"]).output().unwrap().status.code(), Some(1));
}

/// The very event that breaks it is the last, in each form.
#[test]
fn the_way_to_a_broken_promise_ends_with_what_breaks_it() {
    let desk = desk();
    let last = "a late copy of the command of reserve comes to stock, which does it again: it stays done";
    let found = json(&desk, &["check", "order.saga", "--unguarded", "--json"]);
    let broken = &found["sagas"][0]["explored"]["broken"][0];
    assert_eq!(broken["trace"].as_array().unwrap().last().unwrap()["happens"], last);
    assert_eq!((&broken["file"], &broken["line"]), (&"order.saga".into(), &17.into()));
    for (form, line) in
        [("steps", last), ("mermaid", "  saga->>p_stock: a late copy of reserve: Reserve"), ("scenario", last)]
    {
        let shown = printed(&desk, &["check", "order.saga", "--unguarded", "--as", form]);
        assert!(shown.contains(line), "{form}: {shown}");
    }
}

/// One element of a loop stands for all.
#[test]
fn the_way_to_a_broken_promise_can_be_asked_for() {
    const GROUP: &str = r#"
participant seats {
  command Hold { seat: string } returns { ticket: string } fails "taken"
  command Free { ticket: string? }
}
saga group {
  version 1
  input { seats: list<string> }
  for each seat in input.seats {
    step hold {
      call seats.Hold { seat: seat }
      compensate seats.Free { ticket: hold.ticket }
    }
  }
}
"#;
    let desk = Desk::with("group.saga", GROUP);
    for wanted in ["all-or-nothing", "all-or-nothing hold"] {
        let shown = printed(&desk, &["check", "group.saga", "--unguarded", "--how", wanted]);
        let first = "group.saga: saga group, all-or-nothing is broken, at hold[1]\n";
        assert!(shown.starts_with(first) && shown.matches("is broken").count() == 1, "{shown}");
    }
    let guarded = desk.command(&["check", "group.saga", "--how", "all-or-nothing"]).output().unwrap();
    assert_eq!(guarded.status.code(), Some(2), "the promise holds");
}

#[test]
fn the_scenario_of_a_broken_promise_can_be_pasted() {
    let desk = desk();
    let shown = printed(&desk, &["check", "order.saga", "--unguarded", "--how", "all-or-nothing", "--as", "scenario"]);
    desk.file("more.saga", format!("{ORDER}\n{shown}"));
    let checked = desk.saga(&["check", "more.saga", "--brief"]);
    assert!(checked.contains("no findings"), "{shown}{checked}");
    let played = desk.saga(&["test", "more.saga"]);
    assert!(played.contains("4 scenarios, all as expected"), "{shown}{played}");
}

/// What a participant does without a guard keeps nobody from looking at what the saga does.
#[test]
fn a_promise_that_participants_break_hides_no_end() {
    let desk = desk();
    let of = |more: &[&str]| {
        let found = json(&desk, &[&["check", "order.saga", "--json"], more].concat());
        let saga = &found["sagas"][0];
        (saga["outcomes"].clone(), saga["explored"]["states"].clone(), saga["explored"]["exhaustive"].clone())
    };
    assert_eq!(of(&["--unguarded"]), of(&[]));
    assert_eq!(of(&[]).2, true);
}

#[test]
fn a_broken_promise_has_its_place_and_its_page_for_code_hosts() {
    let desk = desk();
    let log = json(&desk, &["check", "order.saga", "--unguarded", "--format", "sarif"]);
    crate::check::sarif::valid(&log);
    let run = &log["runs"][0];
    let [result] = run["results"].as_array().unwrap().as_slice() else { panic!("one is broken: {log:#}") };
    assert_eq!((&result["ruleId"], &result["level"]), (&"all-or-nothing".into(), &"error".into()));
    let region = &result["locations"][0]["physicalLocation"]["region"];
    let name = "reserve";
    let offset = ORDER.find("step reserve").unwrap() + "step ".len();
    assert_eq!((&region["byteOffset"], &region["byteLength"]), (&offset.into(), &name.len().into()));
    insta::assert_snapshot!(result["message"]["text"].as_str().unwrap());
    let rule = &run["tool"]["driver"]["rules"][0];
    let page = printed(&desk, &["explain", "all-or-nothing"]);
    assert_eq!((&rule["id"], &rule["help"]["markdown"]), (&"all-or-nothing".into(), &page.into()));
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    let without = json(&desk, &["check", "order.saga", "--format", "sarif"]);
    assert_eq!(without["runs"][0]["results"].as_array().unwrap().len(), 0);
}

/// What was counted until a budget was spent is no more than that.
#[test]
fn what_a_budget_cuts_is_said_of_each_count() {
    let desk = desk();
    let arguments = ["check", "order.saga", "--deep", "--states", "10"];
    insta::assert_snapshot!(desk.saga(&arguments));
    let found = json(&desk, &[&arguments[..], &["--json"]].concat());
    let outcomes = found["sagas"][0]["outcomes"].as_array().unwrap();
    let counted: Vec<&Value> = outcomes.iter().filter(|outcome| outcome["called"].is_object()).collect();
    assert!(!counted.is_empty());
    assert!(counted.iter().all(|outcome| outcome["exhaustive"] == false), "{found:#}");
}
