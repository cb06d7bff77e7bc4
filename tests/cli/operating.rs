//! Looking after instances on a data directory.

use super::running::{ORDER, desk};
use super::serving::Server;
use super::{Desk, in_form};

/// A desk where one instance is stuck, one has ended each way.
pub(super) fn night() -> Desk {
    let desk = desk();
    for (title, id) in
        [("the lamp cannot be put back", "o-3"), ("the card is declined", "o-2"), ("all goes well", "o-1")]
    {
        desk.saga(&["run", "order.saga", "--scenario", title, "--id", id]);
    }
    desk
}

#[test]
fn what_hangs_since_when_and_why() {
    let desk = night();
    insta::assert_snapshot!(in_form(&desk.saga(&["list"])));
    insta::assert_snapshot!(in_form(&desk.saga(&["show", "o-3"])));
    insta::assert_snapshot!(in_form(&desk.saga(&["history", "o-3"])));
    let all = desk.saga(&["list", "--all"]);
    assert!(all.contains("o-1") && all.contains("o-2"), "{all}");
    let ended = desk.saga(&["list", "--status", "completed"]);
    assert!(ended.contains("o-1") && !ended.contains("o-2"), "{ended}");
}

/// A participant that is not up to it.
const BUSY: &str = r#"while read -r line; do
  field() { printf '%s' "${line%%\"data\":*}" | sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
  printf '{"command":"%s","kind":"do","attempt":"%s","status":"retry","code":"db_down"}\n' "$(field command)" "$(field attempt)"
done
"#;

#[test]
fn a_step_that_is_tried_again_shows_why() {
    let desk = Desk::with(
        "nap.saga",
        "participant bank { command Pay {} }\n\nsaga nap {\n  version 1\n  step pay {\n    call bank.Pay {}\n    retry 9 times every 1m..1m\n    compensate nothing\n  }\n}\n",
    );
    desk.file("busy.sh", BUSY);
    let server = Server::at(desk, &["nap.saga", "--participant", "bank=process:sh busy.sh"]);
    assert_eq!(server.ask("POST", "/instances", r#"{"saga": "nap", "id": "n-1", "input": {}}"#).0, 202);
    let shown = loop {
        let shown = server.saga(&["show", "n-1"]);
        if shown.contains("pausing") {
            break shown;
        }
    };
    assert!(shown.contains("last answers to pay\n") && shown.contains("db_down"), "{shown}");
}

#[test]
fn personal_fields_are_shown_to_nobody() {
    let desk = night();
    for arguments in
        [&["show", "o-3"][..], &["history", "o-3"], &["show", "o-3", "--json"], &["history", "o-3", "--json"]]
    {
        let shown = desk.saga(arguments);
        assert!(!shown.contains("ana") && shown.contains("(personal)"), "{shown}");
    }
}

#[test]
fn the_commands_that_are_offered_are_taken() {
    let desk = night();
    let shown = desk.saga(&["show", "o-3"]);
    let offered: Vec<&str> = shown.lines().filter_map(|line| line.strip_prefix("  saga ")).collect();
    assert_eq!(offered, ["retry o-3 --step reserve", "resolve o-3 reserve --undo --succeeded"], "{shown}");
    // Tried again: the order is in the log, and whoever runs sagas next carries it out.
    let words = shell_words::split(offered[0]).unwrap();
    let taken = desk.saga(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(taken.ends_with("[exit status: 0]\n"), "{taken}");
    let again = desk.saga(&["run", "order.saga", "--id", "o-3"]);
    assert!(again.ends_with("[exit status: 3]\n"), "{again}");
}

#[test]
fn the_commands_for_an_id_that_looks_like_an_option_are_taken() {
    let desk = desk();
    let ran = desk.saga(&["run", "order.saga", "--scenario", "the lamp cannot be put back", "--id=-rf"]);
    assert!(ran.contains("`saga show --data .saga -- -rf`"), "{ran}");
    let shown = desk.saga(&["show", "--data", ".saga", "--", "-rf"]);
    let offered: Vec<&str> = shown.lines().filter_map(|line| line.strip_prefix("  saga ")).collect();
    let [retry, resolve] =
        ["retry --data .saga --step reserve -- -rf", "resolve --data .saga --undo --succeeded -- -rf reserve"];
    assert_eq!(offered, [retry, resolve], "{shown}");
    let give = |line: &str| desk.saga(&line.split(' ').collect::<Vec<_>>());
    let taken = give(resolve);
    assert!(taken.contains("taken: ") && taken.contains("`saga show --data .saga -- -rf`"), "{taken}");
    // The hint behind a refusal.
    let refused = desk.saga(&["cancel", "--data", ".saga", "--", "-rf"]);
    assert!(refused.ends_with("[exit status: 6]\n"), "{refused}");
    let other = desk.saga(&[
        "start",
        "order",
        "--id=-rf",
        "--data",
        ".saga",
        "--input",
        r#"{"customer": "eva", "sku": "sofa", "count": 1, "amount": "1.00"}"#,
    ]);
    assert_eq!(hinted(&other), ["show", "--data", ".saga", "--", "-rf"], "{other}");
}

#[test]
fn a_person_says_what_became_of_it() {
    let desk = night();
    let taken = desk.saga(&[
        "resolve",
        "o-3",
        "reserve",
        "--undo",
        "--succeeded",
        "--by",
        "eva",
        "--reason",
        "put back by hand",
    ]);
    assert!(taken.ends_with("[exit status: 0]\n"), "{taken}");
    let shown = desk.saga(&["show", "o-3"]);
    assert!(shown.contains("compensated"), "{shown}");
    let history = desk.saga(&["history", "o-3"]);
    assert!(history.contains("ordered by eva: it is taken back: put back by hand"), "{history}");
}

#[test]
fn a_person_gives_a_value_that_cannot_be_computed() {
    let desk = desk();
    desk.file(
        "double.saga",
        "participant bank { command Pay { cents: int } }\n\nsaga double {\n  version 1\n  input { cents: int }\n  pivot\n  \
         let twice = input.cents * 2\n  step pay { call bank.Pay { cents: twice } }\n}\n",
    );
    let run = ["run", "double.saga", "--id", "d-1", "--participants", "simulated", "--data", ".saga"];
    let input = ["--input", r#"{"cents": 9000000000000000000}"#];
    let ran = desk.saga(&[&run[..], &input[..]].concat());
    assert!(ran.ends_with("[exit status: 4]\n"), "{ran}");
    let shown = desk.saga(&["show", "d-1", "--data", ".saga"]);
    let offered: Vec<&str> = shown.lines().filter_map(|line| line.strip_prefix("  saga ")).collect();
    let resolve = r#"resolve d-1 --data .saga twice --succeeded --reply '"<int>"'"#;
    assert_eq!(offered[1], resolve, "{shown}");
    let give =
        |order: &str| desk.saga(&shell_words::split(order).unwrap().iter().map(String::as_str).collect::<Vec<_>>());
    let pasted = give(resolve);
    assert!(
        pasted.contains(r#"put the real value in place of "<int>""#) && pasted.ends_with("[exit status: 2]\n"),
        "{pasted}"
    );
    let given = give(&resolve.replace(r#""<int>""#, "0"));
    assert!(given.ends_with("[exit status: 0]\n"), "{given}");
    let ran = desk.saga(&run);
    assert!(ran.ends_with("[exit status: 0]\n"), "{ran}");
    let history = desk.saga(&["history", "d-1", "--data", ".saga"]);
    insta::assert_snapshot!(in_form(&history));
}

/// What `saga run` says of where it is stuck, and the line of `saga show` of that.
fn stuck_of(saga: &str) -> (String, String) {
    let desk = desk();
    let head = "participant bank { command Pay { cents: int } }\n\nsaga double {\n  version 1\n  input { cents: int }\n  pivot\n";
    desk.file("double.saga", format!("{head}{saga}\n}}\n"));
    let run = ["run", "double.saga", "--id", "d-1", "--participants", "simulated", "--data", ".saga"];
    let ran = desk.command(&[&run[..], &["--input", r#"{"cents": 9000000000000000000}"#]].concat()).output().unwrap();
    let ran: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    let shown = desk.saga(&["show", "d-1", "--data", ".saga"]);
    let line = shown.lines().find(|line| line.contains("STUCK")).unwrap_or_else(|| panic!("{shown}"));
    (ran["stuck"].to_string(), in_form(line.trim()))
}

/// Neither is a statement with an attempt of its own: the output comes last, and the condition behind its round.
#[test]
fn an_output_and_a_condition_that_cannot_be_computed_are_said_where_it_is_stuck() {
    let (run, shown) = stuck_of("  step pay { call bank.Pay { cents: 1 } }\n  output { twice: input.cents * 2 }");
    let why = r#""code":"invalid","message":"compute with `*`: the result is too large""#;
    assert_eq!(run, format!(r#"[{{{why},"step":"saga"}}]"#));
    let stuck = "STUCK  since INSTANT, invalid (compute with `*`: the result is too large)";
    assert_eq!(shown.trim_end(), format!("output  {stuck}"));
    let (run, shown) = stuck_of(
        "  repeat at most 2 times {\n    step pay { call bank.Pay { cents: 1 } }\n  } until input.cents * 2 > round otherwise { }",
    );
    assert_eq!(run, format!(r#"[{{{why},"step":"round#1[1]"}}]"#));
    assert_eq!(shown.trim_end(), format!("round#1[1]  {stuck}"));
}

#[test]
fn orders_that_are_refused() {
    let desk = night();
    insta::assert_snapshot!(in_form(&desk.saga(&["cancel", "o-1"])));
    insta::assert_snapshot!(in_form(&desk.saga(&["cancel", "o-3"])));
    insta::assert_snapshot!(in_form(&desk.saga(&["retry", "o-3", "--step", "reserv"])));
    insta::assert_snapshot!(in_form(&desk.saga(&["resolve", "o-3", "reserve", "--undo", "--failed", "sold_out"])));
    insta::assert_snapshot!(in_form(&desk.saga(&["resolve", "o-3", "reserve", "--undo"])));
    insta::assert_snapshot!(in_form(&desk.saga(&["show", "o-9"])));
}

#[test]
fn who_gave_an_order_that_was_refused_is_told() {
    let desk = night();
    desk.saga(&["cancel", "o-1", "--by", "eva", "--reason", "she stays at home", "--request", "r-1"]);
    desk.saga(&["resolve", "o-3", "reserve", "--undo", "--failed", "sold_out", "--by", "eva", "--request", "r-2"]);
    let behind = |shown: &str| shown.lines().filter(|line| line.contains("; refused: ")).collect::<Vec<_>>().join("\n");
    let [of_ended, of_stuck] = ["o-1", "o-3"].map(|id| behind(&desk.saga(&["history", id])));
    insta::assert_snapshot!(in_form(&format!("{of_ended}\n{of_stuck}")));
    let history = desk.saga(&["history", "o-1", "--json"]);
    let rejected = history.split_once("\"event\": \"rejected\"").unwrap().1;
    insta::assert_snapshot!(in_form(rejected));
}

/// The command that a hint names.
fn hinted(shown: &str) -> Vec<String> {
    let hint = shown.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap_or_else(|| panic!("no hint: {shown}"));
    let command = hint.split('`').nth(1).unwrap().strip_prefix("saga ").unwrap();
    shell_words::split(command).unwrap()
}

#[test]
fn the_command_in_a_hint_can_be_pasted() {
    let desk = desk();
    let (id, elsewhere) = ("o 3", ["--data", "night shift"]);
    let stuck = "the lamp cannot be put back";
    let other = r#"{"customer": "ana", "sku": "lamp", "count": 2, "amount": "20.00"}"#;
    desk.saga(&[&["run", "order.saga", "--scenario", stuck, "--id", id], &elsewhere[..]].concat());
    let refused = [
        desk.saga(&[&["retry", id, "--step", "reserv"], &elsewhere[..]].concat()),
        desk.saga(&[&["run", "order.saga", "--input", other, "--id", id], &elsewhere[..]].concat()),
    ];
    for refused in refused {
        let words = hinted(&refused);
        assert_eq!(words, ["show", id, "--data", "night shift"], "{refused}");
        let shown = desk.saga(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(shown.contains("STUCK taking back"), "{shown}");
    }
    desk.file("again.saga", ORDER.replace("count: int,", "count: int, gift: bool?,"));
    for command in [&["run"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let taken = desk.saga(&[command, &["again.saga"], &elsewhere].concat());
        assert!(taken.contains("`saga list --saga order --data 'night shift'` shows what still runs"), "{taken}");
    }
}

#[test]
fn the_commands_in_hints_can_be_pasted() {
    let desk = desk();
    desk.saga(&["run", "order.saga", "--scenario", "the lamp cannot be put back", "--id", "o 3"]);
    let refused = desk.saga(&["retry", "o 3", "--step", "reserv"]);
    assert!(refused.contains("`saga show 'o 3'`"), "{refused}");
}

#[test]
fn json_is_stable() {
    let desk = night();
    let json = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_slice(&desk.command(arguments).output().unwrap().stdout).unwrap()
    };
    let list = json(&["list", "--json"]);
    assert_eq!(list["instances"][0]["id"], "o-3");
    assert_eq!(list["instances"][0]["status"], "stuck");
    let shown = json(&["show", "o-3", "--json"]);
    insta::assert_snapshot!(in_form(&serde_json::to_string_pretty(&shown).unwrap()));
    let history = json(&["history", "o-3", "--json"]);
    assert_eq!(history["entries"][0]["events"][0]["event"], "started");
}

#[test]
fn data_that_is_not_there_or_no_data() {
    let desk = Desk::new();
    insta::assert_snapshot!(desk.saga(&["list"]));
    assert!(!desk.path().join(".saga").exists(), "looking makes nothing");
    std::fs::create_dir(desk.path().join(".saga")).unwrap();
    desk.file(".saga/saga.db", "this is no database, although it is where one should be".repeat(100));
    insta::assert_snapshot!(desk.saga(&["list"]));
    insta::assert_snapshot!(desk.saga(&["list", "--server", "http://127.0.0.1:1"]));
    insta::assert_snapshot!(desk.saga(&["list", "--server", "127.0.0.1:1"]));
}

/// As in a small container.
#[test]
fn a_machine_without_certificates_asks_what_needs_none() {
    let desk = Desk::new();
    let asked = |url: &str| {
        let mut saga = desk.command(&["list", "--server", url]);
        let said = saga.env("SSL_CERT_FILE", "none").env("SSL_CERT_DIR", "none").output().unwrap();
        (said.status.code(), String::from_utf8_lossy(&said.stderr).into_owned())
    };
    let (code, said) = asked("http://127.0.0.1:1");
    assert!(code == Some(7) && said.starts_with("error: http://127.0.0.1:1 cannot be reached: "), "{said}");
    let (code, said) = asked("https://127.0.0.1:1");
    assert!(code == Some(7) && said.contains("error: https://127.0.0.1:1 cannot be asked: "), "{said}");
    assert!(said.contains("`ca-certificates`") && said.ends_with("that SSL_CERT_FILE names\n"), "{said}");
    desk.file("saga.toml", "[participants]\nshop = \"https://127.0.0.1:1\"\n");
    desk.file("one.saga", ONE);
    let mut saga = desk.command(&["run", "one.saga"]);
    let said = saga.env("SSL_CERT_FILE", "none").env("SSL_CERT_DIR", "none").output().unwrap();
    let said = String::from_utf8_lossy(&said.stderr);
    assert!(said.contains("failed to set up HTTP for the participant shop: "), "{said}");
    assert!(said.ends_with("that SSL_CERT_FILE names\n"), "{said}");
}

const ONE: &str = "participant shop { command Buy {} returns {} }
saga one { version 1 input {} pivot step buy { call shop.Buy {} } }
";
