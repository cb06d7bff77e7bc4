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
    let said = String::from_utf8(guarded.stderr).unwrap();
    assert!(said.contains("no way was found on which this promise is broken: \"all-or-nothing\""), "{said}");
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
    let arguments = ["check", "order.saga", "--states", "10"];
    insta::assert_snapshot!(desk.saga(&arguments));
    let found = json(&desk, &[&arguments[..], &["--json"]].concat());
    let outcomes = found["sagas"][0]["outcomes"].as_array().unwrap();
    let counted: Vec<&Value> = outcomes.iter().filter(|outcome| outcome["called"].is_object()).collect();
    assert!(!counted.is_empty());
    assert!(counted.iter().all(|outcome| outcome["exhaustive"] == false), "{found:#}");
}

/// Of a list that is gone through it is said how long it was, and which counts grow with it.
#[test]
fn which_lists_were_explored_is_said() {
    const NOTIFY: &str = r#"participant mail { command Send { to: string } returns { id: string } fails "bounced"  command Unsend }
saga notify {
  version 1
  input { to: list<string>, cc: list<string> }
  step first { call mail.Send { to: "all" } compensate mail.Unsend }
  for each who in input.to { step tell { call mail.Send { to: who } compensate nothing } }
  when count(input.cc) > 4 { fail "too_many" }
  for each other in ["one", "two"] { step ask { call mail.Send { to: other } compensate nothing } }
}
"#;
    let desk = Desk::with("notify.saga", NOTIFY);
    insta::assert_snapshot!(desk.saga(&["check", "notify.saga"]));
    let found = json(&desk, &["check", "notify.saga", "--json"]);
    let explored = &found["sagas"][0]["explored"];
    let lists = serde_json::json!([
        { "list": "input.cc", "elements": [0, 1, 2, 5] },
        { "list": "input.to", "elements": [0, 1, 2] },
    ]);
    assert_eq!((&explored["exhaustive"], &explored["lists"]), (&true.into(), &lists));
    let outcomes = found["sagas"][0]["outcomes"].as_array().unwrap();
    let completed = &outcomes[0];
    assert_eq!(completed["called"], serde_json::json!({ "least": 3, "most": 5, "grows": true }));
    assert_eq!(completed["taken_back"], serde_json::json!({ "least": 0, "most": 0 }));
    // Where no list is, nothing is said of any.
    let without = json(&super::running::desk(), &["check", "order.saga", "--json"]);
    assert!(without["sagas"][0]["explored"].get("lists").is_none());
}

/// A sub-saga that runs twice has each of its conditions twice.
#[test]
fn a_condition_that_goes_one_way_is_named_with_the_run_that_it_is_of() {
    const TWICE: &str = r#"participant p { command C returns { o: string? }  command U }
saga part {
  version 1
  input { who: string? }
  step c { call p.C compensate p.U }
  when input.who == null && c.o == null { fail "anon" }
  output { who: input.who ?? c.o ?? "none" }
}
saga whole {
  version 1
  input { who: string? }
  step one { run part { who: input.who } }
  step two { run part { who: one.who } }
}
"#;
    let desk = Desk::with("twice.saga", TWICE);
    let why = "two: no data that is tried makes `input.who == null && c.o == null`, line 6, true";
    let shown = desk.saga(&["check", "twice.saga", "--brief"]);
    assert!(shown.contains(&format!("not exhaustive: {why}")), "{shown}");
    let found = json(&desk, &["check", "twice.saga", "--json"]);
    assert_eq!(found["sagas"][1]["explored"]["cut"], serde_json::json!([why]));
}
