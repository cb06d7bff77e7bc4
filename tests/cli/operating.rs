//! Looking after instances on a data directory.

use super::running::desk;
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
    assert_eq!(offered, ["retry o-3 --step reserve", "resolve o-3 reserve --succeeded"], "{shown}");
    // Tried again: the order is in the log, and whoever runs sagas next carries it out.
    let words = shell_words::split(offered[0]).unwrap();
    let taken = desk.saga(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(taken.ends_with("[exit status: 0]\n"), "{taken}");
    let again = desk.saga(&["run", "order.saga", "--id", "o-3"]);
    assert!(again.ends_with("[exit status: 3]\n"), "{again}");
}

#[test]
fn a_person_says_what_became_of_it() {
    let desk = night();
    let taken = desk.saga(&["resolve", "o-3", "reserve", "--succeeded", "--by", "eva", "--reason", "put back by hand"]);
    assert!(taken.ends_with("[exit status: 0]\n"), "{taken}");
    let shown = desk.saga(&["show", "o-3"]);
    assert!(shown.contains("compensated"), "{shown}");
    let history = desk.saga(&["history", "o-3"]);
    assert!(history.contains("ordered by eva: it is taken back: put back by hand"), "{history}");
}

#[test]
fn orders_that_are_refused() {
    let desk = night();
    insta::assert_snapshot!(in_form(&desk.saga(&["cancel", "o-1"])));
    insta::assert_snapshot!(in_form(&desk.saga(&["cancel", "o-3"])));
    insta::assert_snapshot!(in_form(&desk.saga(&["retry", "o-3", "--step", "reserv"])));
    insta::assert_snapshot!(in_form(&desk.saga(&["resolve", "o-3", "reserve", "--failed", "sold_out"])));
    insta::assert_snapshot!(in_form(&desk.saga(&["resolve", "o-3", "reserve"])));
    insta::assert_snapshot!(in_form(&desk.saga(&["show", "o-9"])));
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
