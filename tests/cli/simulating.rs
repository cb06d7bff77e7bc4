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

/// A line of what is said of a broken promise.
fn row<'t>(said: &'t str, name: &str) -> &'t str {
    let row = said.lines().find_map(|line| line.trim().strip_prefix(name));
    row.unwrap_or_else(|| panic!("{name}: {said}")).trim()
}

fn words(again: &str) -> Vec<&str> {
    again.split_whitespace().skip(1).collect()
}

#[test]
fn without_a_guard_the_smallest_world_that_shows_it_is_told_and_repeats() {
    let desk = desk();
    let said = desk.saga(&["simulate", "booking.saga", "--seeds", "50", "--unguarded"]);
    insta::assert_snapshot!(said);
    let words = words(row(&said, "again"));
    // The same world with guards is sound.
    let guarded: Vec<&str> = words.into_iter().filter(|word| *word != "--unguarded").collect();
    assert!(desk.saga(&guarded).contains("every promise holds"));
}

#[test]
fn the_command_that_repeats_a_broken_promise_prints_the_same_one_and_the_same_world() {
    for (name, text) in [
        ("booking.saga", BOOKING),
        ("travel.saga", include_str!("../../workflows/travel.saga")),
        ("claim.saga", include_str!("../../workflows/claim.saga")),
    ] {
        let desk = Desk::with(name, text);
        for asked in
            [&["--seeds", "50"][..], &["--seeds", "20..60", "--sagas", "3"], &["--seeds", "60", "--steps", "400"]]
        {
            let said = desk.saga(&[&["simulate", name, "--unguarded"], asked].concat());
            let repeated = desk.saga(&words(row(&said, "again")));
            for name in ["promise", "found", "world", "again"] {
                assert_eq!(row(&said, name), row(&repeated, name), "{said}{repeated}");
            }
        }
    }
}

#[test]
fn what_is_told_of_a_broken_promise_depends_on_the_seeds_alone() {
    let desk = Desk::with("travel.saga", include_str!("../../workflows/travel.saga"));
    let from = |from: &str| {
        desk.command(&["simulate", "travel.saga", "--unguarded", "--faults", "lost", "--seeds", from, "--json"])
            .output()
            .unwrap()
            .stdout
    };
    let first = from("1..50");
    for _ in 0..4 {
        assert_eq!(String::from_utf8_lossy(&first), String::from_utf8_lossy(&from("1..50")));
    }
    let told: serde_json::Value = serde_json::from_slice(&first).unwrap();
    let told = &told["sagas"][0];
    // All worlds before it, and no other.
    let seed = told["broken"]["seed"].as_u64().unwrap();
    assert_eq!(told["worlds"].as_u64().unwrap(), seed - 1, "{told}");
    let text = desk.saga(&["simulate", "travel.saga", "--unguarded", "--faults", "lost", "--seeds", "50"]);
    assert!(text.contains("BROKEN in seed 4, behind 4 worlds\n"), "{text}");
}

#[test]
fn of_standard_input_it_is_said_that_it_has_no_name() {
    let said = desk().saga_reading(&["simulate", "-", "--seeds", "50", "--unguarded"], BOOKING);
    assert!(row(&said, "again").starts_with("saga simulate - booking "), "{said}");
    assert!(said.contains("with the same on standard input, which has no name"), "{said}");
}

#[test]
fn the_last_seeds_there_are_come_to_an_end() {
    let said = desk().saga(&["simulate", "booking.saga", "--seeds", "18446744073709551613..18446744073709551615"]);
    assert!(
        said.contains("2 worlds, seeds 18446744073709551613 to 18446744073709551614: every promise holds"),
        "{said}"
    );
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
        ["--fails", "confirm_room=50%"],
        ["--signal", "go=1h"],
        ["--signal", "1h"],
        ["--rate", "0"],
        ["--seeds", "5"],
    ]
    .map(|arguments| desk.saga(&[&["simulate", "booking.saga", "--load", "5"], &arguments[..]].concat()));
    insta::assert_snapshot!([said.join("\n"), loads.join("\n")].join("\n"));
}

#[test]
fn what_is_only_of_a_load_is_refused_beside_what_is_only_of_worlds() {
    let desk = desk();
    for [option, value] in [
        ["--rate", "10/s"],
        ["--latency", "1s"],
        ["--fails", "5%"],
        ["--silent", "5%"],
        ["--signal", "go=1h"],
        ["--log", "2ms"],
        ["--seed", "1"],
        ["--svg", ""],
    ] {
        let arguments = [option, value].into_iter().filter(|word| !word.is_empty());
        let alone: Vec<_> = ["simulate", "booking.saga"].into_iter().chain(arguments.clone()).collect();
        let said = desk.saga(&alone);
        assert!(said.contains("required arguments") && said.contains("--load"), "{option}: {said}");
        for world in [&["--seeds", "1"][..], &["--faults", "none"], &["--unguarded"], &["--story"]] {
            let said = desk.saga(&[&alone, world].concat());
            assert!(said.contains(&format!("cannot be used with '{}", world[0])), "{option}: {said}");
        }
    }
}

/// `requires` of `clap` is forgotten where what is required conflicts with something that is given.
#[test]
fn what_needs_an_option_is_refused_beside_what_excludes_it() {
    let desk = desk();
    for arguments in [
        &["check", "booking.saga", "--states", "5", "--quick"][..],
        &["check", "booking.saga", "--memory", "5", "--quick"],
        &["check", "booking.saga", "--steps", "5", "--quick"],
        &["check", "booking.saga", "--inputs", "5", "--quick"],
        &["check", "booking.saga", "--replies", "5", "--quick"],
        &["check", "booking.saga", "--signals", "5", "--quick"],
        &["test", "booking.saga", "--write", "--scenario", "a"],
        &["resolve", "x", "take", "--failed", "no", "--reply", "{}"],
    ] {
        let said = desk.saga(arguments);
        assert!(said.contains("cannot be used with"), "{said}");
    }
}

#[test]
fn what_can_never_be_refused_is_said_and_what_can_is_not() {
    let fails = |text: &str, rule: &str| {
        let said = Desk::with("a.saga", text).saga(&["simulate", "a.saga", "--load", "5", "--fails", rule]);
        said.contains("can be refused: its contract has no codes")
    };
    for (rule, is_refused) in
        [("5%", false), ("payments=5%", false), ("charge=5%", false), ("confirm_ticket=0%", false)]
    {
        assert_eq!(fails(BOOKING, rule), is_refused, "{rule}");
    }
    let shop = "participant shop {\n  command Take {}\n}\nsaga buy {\n  version 1\n  step take { call shop.Take compensate nothing }\n}\n";
    for rule in ["5%", "shop=5%", "take=5%"] {
        assert!(fails(shop, rule), "{rule}");
    }
}

#[test]
fn a_load_of_one_saga_that_asks_nobody() {
    let desk = Desk::with("nap.saga", "saga nap {\n  version 1\n  sleep 3s\n}\n");
    insta::assert_snapshot!(desk.saga(&["simulate", "nap.saga", "--load", "1"]));
}

#[test]
fn two_forms_at_once_are_refused_without_a_wrong_tip() {
    let said = desk().saga(&["simulate", "booking.saga", "--load", "5", "--json", "--svg"]);
    assert!(said.contains("cannot be used with") && !said.contains("tip:"), "{said}");
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
