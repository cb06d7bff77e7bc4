//! `saga signal`: an instance that awaits something is told of it, through a server and on a directory that nobody holds.

use std::process::Stdio;

use serde_json::json;

use super::serving::Server;
use super::{Desk, in_form};

const SAGA: &str = r#"
participant mail { message Told { text: string } }
saga transfer {
  version 1
  input { amount: decimal }
  signal approval { personal by: string, approved: bool }
  await approval within 8h otherwise { fail "not_approved" }
  when !approval.approved { fail "declined" }
  pivot
  step tell { send mail.Told { text: "approved" } }
  output { amount: input.amount }
}
"#;

fn server() -> Server {
    begun(Desk::with("transfer.saga", SAGA))
}

fn begun(desk: Desk) -> Server {
    let server = Server::at(desk, &["transfer.saga"]);
    let input = json!({ "saga": "transfer", "id": "t-1", "input": { "amount": "5.00" } });
    assert_eq!(server.ask("POST", "/instances", &input.to_string()).0, 202);
    server.until("t-1", "running");
    server
}

#[test]
fn what_is_awaited_is_shown_with_the_command_that_ends_the_wait() {
    let server = server();
    insta::assert_snapshot!(in_form(&server.saga(&["show", "t-1"])));
    insta::assert_snapshot!(in_form(&server.saga(&["signal", "t-1", "aproval", "{}"])));
    insta::assert_snapshot!(in_form(&server.saga(&["signal", "t-1", "approval", r#"{"by":"eva"}"#])));
    insta::assert_snapshot!(in_form(&server.saga(&["signal", "t-1", "approval", "{by: eva}"])));
    insta::assert_snapshot!(in_form(&server.saga(&["signal", "t-9", "approval", r#"{"by":"eva","approved":true}"#])));
    let arguments =
        ["signal", "t-1", "approval", r#"{"by":"eva","approved":true}"#, "--by", "portal", "--request", "r-1"];
    assert!(server.saga(&arguments).ends_with("[exit status: 0]\n"));
    server.until("t-1", "completed");
    let history = server.saga(&["history", "t-1"]);
    assert!(!history.contains("eva"), "who approved is personal: {history}");
    insta::assert_snapshot!(in_form(&history));
}

#[test]
fn signals_that_nobody_has_taken_yet_are_shown_with_who_gave_them() {
    let early = "  await first within 8h otherwise { fail \"not_approved\" }\n  await approval";
    let text = SAGA.replacen("  signal approval", "  signal first\n  signal approval", 1).replacen(
        "  await approval",
        early,
        1,
    );
    let server = begun(Desk::with("transfer.saga", text));
    let approval = r#"{"by":"eva","approved":true}"#;
    server.saga(&["signal", "t-1", "approval", approval, "--by", "portal", "--request", "r-1"]);
    server.saga(&["signal", "t-1", "approval", approval, "--request", "r-2"]);
    let below = |shown: &str| shown.split_once("\n\n").unwrap().1.to_owned();
    let shown = below(&in_form(&server.saga(&["show", "t-1"])));
    assert!(!shown.contains("eva"), "who approved is personal: {shown}");
    insta::assert_snapshot!(shown);
    let (_, shown) = server.ask("GET", "/instances/t-1", "");
    let signals = shown["signals"].as_array().unwrap();
    assert_eq!((&signals[0]["by"], &signals[1]["by"]), (&json!("portal"), &json!(null)), "{shown}");
    for request in 3..=52 {
        let order = json!({ "order": "signal", "signal": "approval", "request": format!("r-{request}"),
            "with": { "by": "eva", "approved": true } });
        assert_eq!(server.ask("POST", "/instances/t-1/orders", &order.to_string()).0, 202);
    }
    let (_, shown) = server.ask("GET", "/instances/t-1", "");
    assert_eq!((shown["signals"].as_array().unwrap().len(), &shown["signals_left_out"]), (50, &json!(2)));
    assert!(server.saga(&["show", "t-1"]).contains("  and 2 more, later\n"));
    server.saga(&["signal", "t-1", "first"]);
    let shown = server.until("t-1", "completed");
    assert_eq!((&shown["signals"][0]["request"], &shown["signals_left_out"]), (&json!("r-2"), &json!(1)));
}

/// Whoever lost the answer gives the signal again, and the saga has gone on to its end meanwhile.
#[test]
fn a_signal_that_is_given_again_behind_the_end_gets_the_answer_of_the_first() {
    let server = server();
    let signal = |request| ["signal", "t-1", "approval", r#"{"by":"eva","approved":true}"#, "--request", request];
    let told = |desk: &Desk, request| {
        let output = desk.command(&signal(request)).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let first = told(&server.desk, "r-1");
    assert_eq!(first.0, Some(0), "{first:?}");
    server.until("t-1", "completed");
    assert_eq!(told(&server.desk, "r-1"), first);
    assert_eq!(told(&server.desk, "r-2").0, Some(6), "another comes too late");
    let before = server.saga(&["history", "t-1"]);
    // From what the log remembers, too.
    let desk = server.stop();
    assert_eq!(told(&desk, "r-1"), first);
    assert_eq!(told(&desk, "r-2").0, Some(6));
    assert_eq!(
        desk.saga(&["history", "t-1"]).split_once("[stderr]").map_or(before.as_str(), |(lines, _)| lines),
        before
    );
}

#[test]
fn a_run_that_awaits_a_signal_is_given_it() {
    let desk = Desk::with("transfer.saga", SAGA);
    let mut run = desk.command(&["run", "transfer.saga", "--id", "t-1", "--input", r#"{"amount":"5.00"}"#]);
    let run = run.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    while !desk.saga(&["show", "t-1"]).contains("awaits the signal approval") {
        std::thread::yield_now();
    }
    let told = desk.saga(&["signal", "t-1", "approval", r#"{"by":"eva","approved":true}"#]);
    assert!(told.ends_with("[exit status: 0]\n"), "{told}");
    let ended = run.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert!(String::from_utf8(ended.stdout).unwrap().contains("\"completed\""));
}

#[test]
fn the_api_takes_a_signal_once() {
    let server = server();
    let signal = json!({ "order": "signal", "signal": "approval", "request": "r-1", "with": { "by": "eva", "approved": false } });
    let path = "/instances/t-1/orders";
    assert_eq!(server.ask("POST", path, &signal.to_string()).0, 202);
    let ended = server.until("t-1", "compensated");
    assert_eq!(ended["failure"]["code"], "declined");
    for (body, status, code) in [
        (json!({ "order": "signal" }), 400, "bad_request"),
        (json!({ "order": "signal", "signal": "approval", "step": "tell" }), 400, "bad_request"),
        (json!({ "order": "cancel", "signal": "approval" }), 400, "bad_request"),
        (json!({ "order": "signal", "signal": "approval" }), 409, "ended"),
    ] {
        let (found, answer) = server.ask("POST", path, &body.to_string());
        assert_eq!((found, answer["error"]["code"].as_str()), (status, Some(code)), "{body}: {answer}");
    }
}

#[test]
fn what_is_over_is_shown_as_it_ended() {
    let text = r#"
participant shop {
  command Take { n: int } returns { n: int }
  command Give { n: int? }
}
participant mail { message Told { text: string } }
saga order {
  version 1
  signal go
  try {
    step take { call shop.Take { n: 2 }  timeout 1s  retry 3 times every 1s  compensate shop.Give { n: take.n } }
    await go within 1h otherwise { fail "late" }
  } catch { step sorry { send mail.Told { text: failure.code }  compensate nothing } }
}
scenario "cancelled in between" for order {
  when cancelled after 200ms
  expect compensated "cancelled"
}
"#;
    let desk = Desk::with("order.saga", text);
    let checked = desk.saga(&["check", "order.saga"]);
    assert!(checked.contains("hold for the compensations of take"), "what is sent has no times: {checked}");
    assert!(
        desk.saga(&["run", "order.saga", "--scenario", "cancelled in between", "--id", "o-1"]).contains("compensated")
    );
    let shown = desk.saga(&["show", "o-1"]);
    let line = |word: &str| {
        let found = shown.lines().find(|line| line.trim_start().starts_with(word)).unwrap_or_default();
        found.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        ["try", "take", "await go", "sorry"].map(line),
        ["try taken back cancelled", "take taken back", "await go missed", "sorry -"]
    );
}

#[cfg(unix)]
#[test]
fn a_signal_waits_in_the_log_until_somebody_runs_the_saga() {
    let desk = server().stop();
    let arguments = ["signal", "t-1", "approval", r#"{"by":"eva","approved":true}"#];
    let taken = desk.saga(&arguments);
    assert!(taken.ends_with("[exit status: 0]\n"), "{taken}");
    let ended = desk.saga(&["run", "transfer.saga", "--id", "t-1"]);
    assert!(ended.contains("takes the signal approval") || ended.contains("completed"), "{ended}");
    assert!(ended.ends_with("[exit status: 0]\n"), "{ended}");
}
