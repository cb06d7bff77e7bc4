//! `saga simulate`: worlds under faults, the smallest that breaks a promise, and a saga under a load.

use super::{Desk, in_form};

const BOOKING: &str = include_str!("../../workflows/booking.saga");

fn desk() -> Desk {
    Desk::with("booking.saga", BOOKING)
}

#[test]
fn every_promise_holds_in_all_worlds() {
    insta::assert_snapshot!(desk().saga(&["simulate", "booking.saga", "--seeds", "5"]));
}

#[test]
fn json_says_the_same() {
    let said = desk().saga(&["simulate", "booking.saga", "--seeds", "3..6", "--faults", "lost,crash", "--json"]);
    insta::assert_snapshot!(said);
}

#[test]
fn without_a_guard_the_smallest_world_that_shows_it_is_told_and_repeats() {
    let desk = desk();
    let said = desk.saga(&["simulate", "booking.saga", "--seeds", "50", "--unguarded"]);
    insta::assert_snapshot!(said);
    let again = said.lines().find_map(|line| line.trim().strip_prefix("again ")).unwrap();
    let words: Vec<&str> = again.split_whitespace().skip(1).collect();
    let repeated = desk.saga(&words);
    let promise = |said: &str| said.lines().find(|line| line.trim().starts_with("promise")).map(str::to_owned);
    assert_eq!(promise(&said), promise(&repeated));
    assert!(promise(&said).is_some());
    // The same world with guards is sound.
    let guarded: Vec<&str> = words.into_iter().filter(|word| *word != "--unguarded").collect();
    assert!(desk.saga(&guarded).contains("every promise holds"));
}

#[test]
fn a_world_tells_its_story() {
    let told =
        desk().saga(&["simulate", "booking.saga", "--seeds", "2..3", "--faults", "none", "--sagas", "1", "--story"]);
    assert!(told.contains("partition 0") && told.contains("\"claim\"") && told.contains("saga.replies"), "{told}");
}

#[test]
fn a_load_shows_how_long_sagas_take_and_what_participants_are_asked() {
    let said = desk().saga(&[
        "simulate",
        "booking.saga",
        "--load",
        "300",
        "--rate",
        "20/s",
        "--latency",
        "20ms..200ms",
        "--latency",
        "charge=1s..3s",
        "--fails",
        "charge=10%",
        "--silent",
        "hotels=1%",
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn a_load_as_json() {
    insta::assert_snapshot!(desk().saga(&["simulate", "booking.saga", "--load", "50", "--json"]));
}

#[test]
fn a_load_as_svg_is_xml_with_a_line_for_each_end_and_participant() {
    let output =
        desk().command(&["simulate", "booking.saga", "--load", "200", "--fails", "5%", "--svg"]).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let picture = roxmltree::Document::parse(&text).unwrap();
    let words: Vec<String> = picture
        .descendants()
        .filter(|node| node.has_tag_name("text"))
        .filter_map(|node| node.text())
        .map(|text| text.trim().to_owned())
        .collect();
    for word in ["completed", "compensated declined", "hotels", "payments", "tickets", "100 ms", "1.00 s"] {
        assert!(words.iter().any(|other| other == word), "{word} is not among {words:?}");
    }
}

#[test]
fn what_cannot_be_asked_is_said() {
    let desk = desk();
    let said = [
        ["--seeds", "5..5"],
        ["--seeds", "many"],
        ["--faults", "lost,crahs"],
        ["--sagas", "0"],
        ["--load", "0"],
        ["--load", "1000000"],
        ["--rate", "10/s"],
    ]
    .map(|arguments| desk.saga(&[&["simulate", "booking.saga"], &arguments[..]].concat()));
    let loads = [
        ["--latency", "chrage=1s"],
        ["--latency", "fast"],
        ["--latency", "2s..1s"],
        ["--fails", "200%"],
        ["--silent", "nobody=1%"],
        ["--signal", "go=1h"],
        ["--signal", "1h"],
        ["--rate", "0"],
        ["--seeds", "5"],
    ]
    .map(|arguments| desk.saga(&[&["simulate", "booking.saga", "--load", "5"], &arguments[..]].concat()));
    insta::assert_snapshot!([said.join("\n"), loads.join("\n")].join("\n"));
}

#[test]
fn a_file_without_a_saga_says_so() {
    let said = Desk::with("parts.saga", "participant shop {\n  command Take\n}\n").saga(&["simulate", "parts.saga"]);
    assert!(said.contains("defines no saga: there is nothing to simulate"), "{said}");
}

#[test]
fn a_file_with_findings_is_not_simulated() {
    let broken = BOOKING.replace("call payments.Charge", "call payments.Chrage");
    let said = Desk::with("booking.saga", broken).saga(&["simulate", "booking.saga"]);
    assert!(in_form(&said).contains("SG0"), "{said}");
}
