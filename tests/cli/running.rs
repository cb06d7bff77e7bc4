//! `saga run`, `saga check`, `saga test`, `saga graph` on a definition that works.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::{Desk, in_form};

/// A shop with a step before, at and behind its point of no return.
pub(crate) const ORDER: &str = r#"
participant stock {
  command Reserve { sku: string, count: int } returns { hold: string } fails "sold_out"
  command Release { hold: string? }
  command Ship { hold: string }
}
participant payments {
  answers queries
  command Charge { customer: string, amount: decimal } returns { receipt: string } fails "declined"
}

saga order {
  version 1
  input { personal customer: string, sku: string, count: int, amount: decimal }
  defaults { timeout 10s  retry 3 times every 10ms..50ms }

  step reserve {
    call stock.Reserve { sku: input.sku, count: input.count }
    compensate stock.Release { hold: reserve.hold }
  }
  pivot step charge { call payments.Charge { customer: input.customer, amount: input.amount } }
  step ship { call stock.Ship { hold: reserve.hold } }
  output { receipt: charge.receipt }
}

scenario "all goes well" for order {
  given { customer: "ana", sku: "lamp", count: 1, amount: 20.00 }
  expect completed { receipt: "charge" }
}
scenario "the card is declined" for order {
  given { customer: "ana", sku: "lamp", count: 1, amount: 20.00 }
  when charge fails "declined"
  expect compensated "declined"
  expect calls reserve, charge, undo reserve
}
scenario "the lamp cannot be put back" for order {
  given { customer: "ana", sku: "lamp", count: 1, amount: 20.00 }
  when charge fails "declined"
  when undo reserve fails
  expect stuck undo reserve
}
"#;

/// A participant that answers anything, but takes what it is asked without a word while there is no file `open`.
pub(super) const TILL: &str = r#"
[ -e open ] || exec sed d
while read -r line; do
  field() { printf '%s' "$line" | sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
  printf '{"command":"%s","kind":"%s","attempt":%s,"status":"succeeded","data":{"hold":"h-1","receipt":"r-1"}}\n' \
    "$(field command)" "$(field kind)" "$(field attempt)"
done
"#;

pub(super) fn desk() -> Desk {
    let desk = Desk::with("order.saga", ORDER);
    desk.file("till.sh", TILL);
    desk
}

/// A run that is killed as it says this.
#[cfg(unix)]
pub(super) fn killed_at(desk: &Desk, arguments: &[&str], at: &str) {
    let mut command = desk.command(arguments);
    command.env("PATH", std::env::var_os("PATH").unwrap()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(at) {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it ended before it said `{at}`");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_is_proved() {
    insta::assert_snapshot!(desk().saga(&["check", "order.saga", "--brief"]));
}

#[test]
fn every_way_in_which_it_can_end() {
    insta::assert_snapshot!(desk().saga(&["check", "order.saga"]));
}

#[test]
fn every_way_in_which_it_can_end_without_a_look() {
    insta::assert_snapshot!(desk().saga(&["check", "order.saga", "--quick"]));
}

/// No event says so: the way to it ends with what the step itself came to.
#[test]
fn where_a_value_cannot_be_computed_the_table_says_so() {
    let desk = desk();
    let saga = r#"participant shop { command Take returns { n: int } fails "no"  command Put { n: int } }
saga order {
  version 1
  input { n: int }
  step took { call shop.Take  compensate shop.Put { n: input.n * 2 } }
}
"#;
    desk.file("much.saga", saga);
    let checked = desk.saga(&["check", "much.saga"]);
    let row = checked.lines().find(|line| line.contains("stuck        undo took")).expect("there is that row");
    assert!(row.ends_with("; a value that cannot be computed"), "{row}");
    assert!(checked.contains("undo took also by a refusal, `retry` to the last attempt,"), "{checked}");
}

#[test]
fn how_it_can_come_to_an_end() {
    let desk = desk();
    let mut shown = String::new();
    for (end, form) in [
        ("compensated declined", "steps"),
        ("stuck undo reserve", "mermaid"),
        ("compensated", "scenario"),
        ("stuck", "scenario"),
        ("compensated declin", "steps"),
    ] {
        shown.push_str(&desk.saga(&["check", "order.saga", "--how", end, "--as", form]));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn the_scenario_of_an_end_can_be_pasted() {
    let desk = desk();
    let shown = desk.command(&["check", "order.saga", "--how", "stuck", "--as", "scenario"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    desk.file("more.saga", format!("{ORDER}\n{shown}"));
    let played = desk.saga(&["test", "more.saga"]);
    assert!(played.contains("6 scenarios, all as expected"), "{shown}{played}");
}

#[test]
fn a_budget_that_was_not_enough_is_no_finding() {
    let output = desk().command(&["check", "order.saga", "--states", "10"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("not exhaustive: there are more states than were looked at"), "{said}");
}

#[test]
fn json_is_short_for_the_format_json() {
    let desk = desk();
    desk.file("wrong.saga", ORDER.replace("reserve.hold }\n  }", "reserve.hld }\n  }"));
    for brief in [&["--brief"][..], &[]] {
        let printed = |form: &[&str]| {
            let arguments = [&["check", "order.saga", "wrong.saga"], form, brief].concat();
            let output = desk.command(&arguments).output().unwrap();
            (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
        };
        let short = printed(&["--json"]);
        assert!(short.1.starts_with('{') && short.0 == Some(1), "{short:?}");
        assert_eq!(printed(&["--format", "json"]), short);
    }
}

#[test]
fn findings_for_code_hosts() {
    let desk = desk();
    desk.file("wrong.saga", ORDER.replace("reserve.hold }\n  }", "reserve.hld }\n  }"));
    let output =
        desk.command(&["check", "order.saga", "wrong.saga", "away.saga", "--format", "sarif"]).output().unwrap();
    let log: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let run = &log["runs"][0];
    assert_eq!(run["artifacts"].as_array().unwrap().len(), 2);
    assert_eq!(run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "wrong.saga");
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    assert_eq!(output.status.code(), Some(2), "a file cannot be read");
    let output = desk.command(&["check", "order.saga", "wrong.saga", "--format", "sarif"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(desk.saga(&["check", "order.saga", "--format", "sarif", "--json"]));
}

#[test]
fn a_file_with_findings_ends_every_command_alike() {
    let desk = desk();
    desk.file("wrong.saga", ORDER.replace("reserve.hold }\n  }", "reserve.hld }\n  }"));
    for command in ["check", "run", "serve", "test", "graph", "schema"] {
        let output = desk.command(&[command, "wrong.saga"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        assert!(said.contains("hld"), "{command}: {said}");
    }
}

#[test]
fn all_findings_of_all_files_at_once() {
    let desk = desk();
    desk.file(
        "wrong.saga",
        ORDER.replace("reserve.hold }\n  }", "reserve.hld }\n  }").replace("count: input.count", ""),
    );
    desk.file("worse.saga", "saga {\n}\n");
    insta::assert_snapshot!(desk.saga(&["check", "order.saga", "wrong.saga", "worse.saga", "order.saga"]));
    let output = desk.command(&["check", "order.saga", "wrong.saga", "--json"]).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        json["sagas"][0]["codes"],
        serde_json::json!(["cancelled", "declined", "sold_out", "timeout", "undeclared"])
    );
    assert_eq!(json["findings"][0]["labels"][0]["file"], "wrong.saga");
    assert_eq!(output.status.code(), Some(1));
}

/// Each may be right alone: what is wrong is that one participant reads the topic.
#[test]
fn files_that_give_one_command_two_contracts_are_named_and_are_no_finding() {
    let desk = Desk::new();
    let of = |saga: &str, command: &str| {
        format!(
            "participant p {{ commands \"rs.work\" command Do {command} }}
             saga {saga} {{ version 1 deadline 1m step do {{ call p.Do {{ }} compensate nothing }} }}"
        )
    };
    desk.file("near.saga", of("near", "{ } returns { seat: string } fails \"full\", \"shut\""));
    desk.file("same.saga", of("same", "{ } returns { seat: string } fails \"shut\", \"full\""));
    desk.file("far.saga", of("far", "{ row: int? } returns { hold: string }"));
    let checked = |files: &[&str]| desk.command(&[&["check", "--brief", "--quick"], files].concat()).output().unwrap();
    let contradicting = checked(&["near.saga", "far.saga"]);
    let said = String::from_utf8(contradicting.stderr).unwrap();
    let why = "warning: near.saga and far.saga give `Do` on rs.work different failure codes, replies, requests: ";
    assert!(contradicting.status.success() && said.contains(why), "{said}");
    let said = String::from_utf8(checked(&["near.saga", "same.saga"]).stderr).unwrap();
    assert!(!said.contains("warning: "), "{said}");
}

#[test]
fn scenarios_that_hold_and_one_that_does_not() {
    let desk = desk();
    insta::assert_snapshot!(desk.saga(&["test", "order.saga"]));
    desk.file("wrong.saga", ORDER.replace("expect compensated \"declined\"", "expect completed"));
    insta::assert_snapshot!(desk.saga(&["test", "wrong.saga", "--scenario", "the card is declined"]));
    insta::assert_snapshot!(desk.saga(&["test", "order.saga", "--scenario", "the card is refused"]));
}

#[test]
fn a_picture_in_each_language() {
    insta::assert_snapshot!(desk().saga(&["graph", "order.saga"]));
    insta::assert_snapshot!(desk().saga(&["graph", "order.saga", "order", "--format", "dot"]));
}

#[test]
fn to_its_end() {
    insta::assert_snapshot!(in_form(&desk().saga(&["run", "order.saga", "--id", "o-1"])));
}

#[test]
fn a_known_id_tells_how_it_ended_and_another_input_is_a_conflict() {
    let desk = desk();
    desk.saga(&["run", "order.saga", "--id", "o-1", "--participants", "simulated"]);
    insta::assert_snapshot!(in_form(&desk.saga(&["run", "order.saga", "--id", "o-1", "--participants", "simulated"])));
    let other = r#"{"customer": "eva", "sku": "lamp", "count": 2, "amount": "40.00"}"#;
    let again = desk.saga(&["run", "order.saga", "--id", "o-1", "--input", other, "--participants", "simulated"]);
    insta::assert_snapshot!(in_form(&again));
}

#[test]
fn an_id_that_exists_needs_no_input() {
    let desk = desk();
    let input = r#"{"customer": "eva", "sku": "lamp", "count": 2, "amount": "40.00"}"#;
    let begin = ["run", "order.saga", "--id", "o-1", "--participants", "simulated"];
    desk.saga(&[&begin[..], &["--input", input]].concat());
    let again = desk.saga(&begin);
    assert!(again.contains("instance o-1 had begun before") && !again.contains("that of the scenario"), "{again}");
    assert!(again.ends_with("[exit status: 0]\n"), "{again}");
    let other = desk.saga(&["run", "order.saga", "--id", "o-2", "--participants", "simulated"]);
    assert!(other.contains("input: that of the scenario") && other.contains("instance o-2 began"), "{other}");
}

#[test]
#[cfg(target_os = "linux")]
fn an_output_that_cannot_be_written_is_said() {
    let desk = desk();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = desk.command(&["run", "order.saga", "--id", "o-1"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(74));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("error: failed to write to standard output: the disk is full"), "{said}");
    assert!(desk.saga(&["show", "o-1"]).contains("completed"));
}

#[test]
fn a_content_whose_number_is_taken_names_who_runs_by_it() {
    let desk = desk();
    desk.saga(&["run", "order.saga", "--scenario", "the lamp cannot be put back", "--id", "o-3"]);
    desk.file("order.saga", ORDER.replace("timeout 10s", "timeout 11s"));
    insta::assert_snapshot!(desk.saga(&["run", "order.saga", "--id", "o-4", "--participants", "simulated"]));
}

#[test]
fn compensated_and_stuck_have_exit_codes_of_their_own() {
    let desk = desk();
    let run = |title: &str| in_form(&desk.saga(&["run", "order.saga", "--scenario", title, "--id", title]));
    insta::assert_snapshot!(run("the card is declined"));
    insta::assert_snapshot!(run("the lamp cannot be put back"));
}

/// A participant that is silent holds the instance until somebody presses Ctrl-C; another process goes on with it.
#[test]
#[cfg(unix)]
fn interrupted_and_gone_on_with() {
    for signal in ["-INT", "-TERM"] {
        stopped_by(signal);
    }
}

#[cfg(unix)]
fn stopped_by(signal: &str) {
    let desk = desk();
    let mut child = desk
        .command(&["run", "order.saga", "--id", "o-1", "--participant", "stock=process:sh till.sh"])
        .env("PATH", std::env::var_os("PATH").unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("call stock.Reserve") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it ended before it called");
    }
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    let mut rest = String::new();
    while said.read_line(&mut rest).unwrap() > 0 {}
    assert_eq!(child.wait().unwrap().code(), Some(5), "{rest}");
    let command = rest.lines().find_map(|line| line.strip_prefix("left in the log; go on with: saga ")).unwrap();
    desk.file("open", "");
    let words = shell_words::split(command).unwrap();
    let again = desk.saga(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(again.contains("had begun before") && again.contains("\"completed\""), "{again}");
}

/// Killed without a word, in the middle: nothing is lost.
#[test]
#[cfg(unix)]
fn killed_and_gone_on_with() {
    let desk = desk();
    let arguments = ["run", "order.saga", "--id", "o-1", "--participant", "payments=process:sh till.sh"];
    killed_at(&desk, &arguments, "call payments.Charge");
    desk.file("open", "");
    let again = desk.saga(&["run", "order.saga", "--id", "o-1"]);
    assert!(again.contains("had begun before") && again.contains("\"completed\""), "{again}");
    assert_eq!(again.matches("reserve: done").count(), 1, "what was done is not done again: {again}");
}

/// Whoever plays it sits before it for so long.
#[test]
fn a_scenario_that_takes_long_says_so_before_it_is_played() {
    const SLOW: &str = r#"
participant shop { command Take { }  command Give { } }
saga order {
  version 1
  step take { call shop.Take { }  timeout 10m  retry 2 times every 1m  compensate shop.Give { } }
  pivot
}
scenario "nobody answers" for order {
  when take times out
  expect compensated "timeout"
}
"#;
    let desk = Desk::with("slow.saga", SLOW);
    let mut run = desk.command(&["run", "slow.saga", "--scenario", "nobody answers"]);
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(run.stderr.take().unwrap()).lines().map(Result::unwrap);
    let said = said.take_while(|line| !line.contains("began")).filter(|line| line.contains("time is real"));
    let said: Vec<String> = said.collect();
    run.kill().unwrap();
    run.wait().unwrap();
    insta::assert_snapshot!(said.join("\n"), @"time is real: the scenario takes 32m 12s, and waits at take; `saga test` plays it at once");
}
