//! The YAML twin wherever a file is asked for, and the way from one form to the other.

use std::fs;

use super::{Desk, in_form};

const BOOKING: &str = include_str!("../../workflows/booking.yaml");

const SMALL: &str = "participants:
  hotels:
    command:
      Reserve: { with: { hotel: string }, returns: { hold: string } }
      Cancel: { with: { hold: \"string?\" } }

sagas:
  trip:
    version: 1
    input: { hotel: string }
    sequence:
      - step: reserve
        call: hotels.Reserve
        with: { hotel: \"${ input.hotel }\" }
        compensate: { call: hotels.Cancel, with: { hold: \"${ reserve.hold }\" } }
    output: { hold: \"${ reserve.hold }\" }
";

#[test]
fn a_yaml_file_is_translated_and_back() {
    let desk = Desk::with("trip.yaml", SMALL);
    insta::assert_snapshot!(desk.saga(&["fmt", "--to", "saga", "trip.yaml"]));
    let output = desk.command(&["fmt", "--to", "saga", "trip.yaml"]).output().unwrap();
    desk.file("trip.saga", output.stdout);
    let back = desk.command(&["fmt", "--to", "yaml", "trip.saga"]).output().unwrap();
    assert_eq!(String::from_utf8(back.stdout).unwrap(), SMALL);
}

#[test]
fn two_files_are_not_translated_at_once() {
    let desk = Desk::with("trip.yaml", SMALL);
    insta::assert_snapshot!(desk.saga(&["fmt", "--to", "saga", "trip.yaml", "trip.yml"]));
}

#[test]
fn a_yaml_file_with_a_comment_is_left_as_it_is() {
    let commented = SMALL.replace("    version: 1\n", "    version: 1 # the first\n");
    let desk = Desk::with("trip.yaml", &commented);
    insta::assert_snapshot!(desk.saga(&["fmt", "trip.yaml"]));
    assert_eq!(fs::read_to_string(desk.path().join("trip.yaml")).unwrap(), commented);
}

#[test]
fn a_yaml_file_is_laid_out() {
    let spread = SMALL.replace("{ hotel: string }", "{hotel:   string}");
    let desk = Desk::with("trip.yaml", spread);
    insta::assert_snapshot!(desk.saga(&["fmt", "--check", "trip.yaml"]));
    desk.saga(&["fmt", "trip.yaml"]);
    assert_eq!(fs::read_to_string(desk.path().join("trip.yaml")).unwrap(), SMALL);
}

#[test]
fn a_yaml_file_is_checked_and_its_findings_stand_in_it() {
    let wrong = SMALL.replace("input.hotel", "input.hotal");
    let desk = Desk::with("trip.yml", wrong);
    insta::assert_snapshot!(desk.saga(&["check", "trip.yml"]));
}

#[test]
fn yaml_on_standard_input_is_known_by_its_text() {
    let shown = Desk::new().saga_reading(&["check", "-"], SMALL);
    assert!(shown.contains("saga trip, version 1"), "{shown}");
}

#[test]
fn a_yaml_file_is_run_and_its_instance_is_known_without_it() {
    let desk = Desk::with("booking.yaml", BOOKING);
    let shown = desk.saga(&["run", "booking.yaml", "--id", "trip-1", "--scenario", "the card is declined"]);
    assert!(shown.contains("compensated: all is taken back"), "{shown}");
    let shown = in_form(&desk.saga(&["show", "trip-1"]));
    assert!(shown.contains("booking version 1"), "{shown}");
    let shown = desk.saga(&["test", "booking.yaml"]);
    assert!(shown.contains("12 scenarios, all as expected"), "{shown}");
    let shown = desk.saga(&["graph", "booking.yaml"]);
    assert!(shown.contains("flowchart TD"), "{shown}");
}
