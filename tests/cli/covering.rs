//! `saga test --coverage`: what no scenario shows, and scenarios that are written for it.

use std::fs;

use super::Desk;

const BOOKING: &str = include_str!("../../workflows/booking.saga");
const TRANSFER: &str = include_str!("../../workflows/transfer.saga");
const FOOD_ORDER: &str = include_str!("../../workflows/food_order.saga");
const GROUP_TRAVEL: &str = include_str!("../../workflows/group_travel.saga");

/// A trip that is paid, without a scenario but this.
const TRIP: &str = r#"participant hotel {
  command Hold { nights: int } returns { key: string } fails "full"
  command Free { }
}
participant bank {
  command Charge { } fails "declined"
}
participant mail {
  message Tell { }
}

saga trip {
  version 1
  input { nights: int }
  step hold {
    call hotel.Hold { nights: input.nights }
    compensate hotel.Free
  }
  pivot step charge {
    call bank.Charge
  }
  step tell {
    send mail.Tell
  }
}

scenario "fine" for trip {
  given { nights: 2 }
  expect completed
}
"#;

#[test]
fn what_no_scenario_shows_is_listed() {
    insta::assert_snapshot!(Desk::with("trip.saga", TRIP).saga(&["test", "trip.saga", "--coverage"]));
}

#[test]
fn for_programs() {
    insta::assert_snapshot!(Desk::with("trip.saga", TRIP).saga(&["test", "trip.saga", "--coverage", "--json"]));
}

#[test]
fn scenarios_are_written_and_hold_and_nothing_is_missing_then() {
    let desk = Desk::with("trip.saga", TRIP);
    let written = desk.saga(&["test", "trip.saga", "--coverage", "--write"]);
    let text = fs::read_to_string(desk.path().join("trip.saga")).unwrap();
    insta::assert_snapshot!(
        [&written, text.strip_prefix(TRIP).unwrap(), &desk.saga(&["test", "trip.saga", "--coverage"])]
            .map(String::from)
            .join("\n")
    );
    assert!(desk.saga(&["fmt", "--check", "trip.saga"]).contains("[exit status: 0]"));
    // A second time there is nothing to write.
    desk.saga(&["test", "trip.saga", "--coverage", "--write"]);
    assert_eq!(fs::read_to_string(desk.path().join("trip.saga")).unwrap(), text);
}

/// Steps in a loop that the least input does not come to: from it nothing of them is found, but one along the explorer's ways,
/// behind what else befalls on those. And one that never comes about.
const LOOP: &str = r#"participant p {
  command A fails "c"
  command B
  command U
}
saga main {
  version 1
  input { xs: list<int> }
  step s2 { call p.A  compensate nothing }
  for each e in input.xs where e > 2 {
    step s4 { call p.B  compensate p.U }
    step s3 { call p.B  compensate nothing }
    when e < 1 {
      step never { call p.B  compensate nothing }
    }
  }
}
"#;

/// Of what nothing comes to, nothing can be shown: by the findings or by how long a list is. Behind a point of no return no
/// deadline counts, and that of a saga that is run does not.
#[test]
fn steps_that_are_never_reached_do_not_count() {
    let source = r#"participant p { command Do fails "no" command Fin }
saga other { version 1 deadline 1h signal t {}
  await t within 1h otherwise { step inner { call p.Do compensate nothing } }
  for each i in [] { step none { call p.Do compensate nothing } }
}
saga main { version 1 deadline 1h signal s {} signal u {}
  step seen { call p.Do compensate nothing }
  await s within 1h otherwise { parallel { step late { call p.Do compensate nothing } step later { call p.Do compensate nothing } } }
  try within 10m { await u within 20m otherwise { step latest { call p.Do compensate nothing } } } catch { }
  parallel {
    sequence { fail "off"  step behind { call p.Do compensate nothing } }
    step beside { call p.Do compensate nothing }
  }
}
saga around { version 1 deadline 2h signal s {}
  step x { run other }
  pivot
  await s within 3h otherwise { step forward { call p.Fin } }
}
"#;
    let desk = Desk::with("main.saga", source);
    let said = desk.saga(&["test", "main.saga", "--coverage"]);
    let mut steps: Vec<&str> =
        said.lines().filter_map(|line| line.strip_prefix("  not shown  ")?.split(' ').next()).collect();
    steps.dedup();
    assert_eq!(steps, ["seen", "beside", "x.inner", "forward"], "{said}");
}

/// What is found leads to more. What is said not to be found is not found the second time either, and what is written is no longer
/// than it must be, and no more.
#[test]
fn it_goes_round_until_nothing_is_found() {
    let desk = Desk::with("loop.saga", LOOP);
    let unfound = |said: &str| -> Vec<String> {
        said.lines().filter(|line| line.contains("was found")).map(String::from).collect()
    };
    let first = desk.saga(&["test", "loop.saga", "--coverage", "--write"]);
    let text = fs::read_to_string(desk.path().join("loop.saga")).unwrap();
    insta::assert_snapshot!(format!("{}\n{}", unfound(&first).join("\n"), text.strip_prefix(LOOP).unwrap()));
    let second = desk.saga(&["test", "loop.saga", "--coverage", "--write"]);
    assert!(second.contains("[exit status: 0]"), "{second}");
    assert_eq!(unfound(&second), unfound(&first));
    assert_eq!(fs::read_to_string(desk.path().join("loop.saga")).unwrap(), text);
}

/// A message has no answer, and a wait of the input has a length: both are found.
#[test]
fn messages_behind_a_condition_and_waits_of_the_input_are_covered() {
    const SENT: &str = r#"participant w {
  command Do returns { v: "red" | "green" | "blue" } fails "no"
  command Un
  message Msg
}
saga main {
  version 1
  step p { call w.Do  compensate w.Un }
  when p.v == "blue" {
    step t { send w.Msg  compensate w.Un }
    step u { call w.Do  compensate w.Un }
  }
}
"#;
    const WAITS: &str = r#"participant w {
  command Do fails "no"
  command Un
}
saga main {
  version 1
  input { w: duration }
  step b { call w.Do  within input.w  compensate w.Un }
}
"#;
    const JSON: &str = r#"participant w {
  command Do { j: json } returns { n: int, j: json }
  command Un
}
saga main {
  version 1
  input { k: json }
  step b { call w.Do { j: input.k }  compensate w.Un }
  when b.n == 7 { fail "hit" }
}
"#;
    let nested = WAITS.replace("w: duration", "plan: { w: duration }").replace("input.w", "input.plan.w");
    for source in [SENT, WAITS, &nested, JSON] {
        let desk = Desk::with("main.saga", source);
        let said = desk.saga(&["test", "main.saga", "--coverage", "--write"]);
        assert!(!said.contains("was found"), "{said}");
        let said = desk.saga(&["test", "main.saga", "--coverage"]);
        assert!(said.contains("[exit status: 0]") && !said.contains("not shown"), "{said}");
    }
}

/// Where a person is waited for at a place that no scenario can name, the scenario says what is called.
/// Of replies, signals and inputs the values by which conditions tell one way from another are tried.
#[test]
fn what_stands_behind_a_condition_on_data_is_covered() {
    let step = |body: String, name: &str| {
        body.replace(&format!("@{name}"), &format!("step {name} {{ call p.Do {{ x: 1 }} compensate nothing }}"))
    };
    for body in [
        "@a when a.r > 7 { @b } when a.r == 9 { @c }",
        "@a when a.ok { @b }",
        "signal s { k: int } @a await s within 1h otherwise { fail \"none\" } when s.k > 7 { @b }",
        "input { n: int } when input.n == 10 { @a } when input.n == 20 { @b } when input.n == 30 { @c } @d",
        "for each e in [1, 2] { @a } for each q in a where q.r > 7 { @b }",
    ] {
        let contract = "participant p { command Do { x: int } returns { r: int, ok: bool } fails \"no\" }";
        let steps = ["a", "b", "c", "d"].into_iter().fold(body.to_owned(), step);
        let desk = Desk::with("data.saga", format!("{contract}\nsaga main {{ version 1 {steps} }}\n"));
        let written = desk.saga(&["test", "data.saga", "--coverage", "--write"]);
        assert!(!written.contains("no scenario was found"), "{body}: {written}");
        let after = desk.saga(&["test", "data.saga", "--coverage"]);
        assert!(!after.contains("not shown") && after.contains("all as expected"), "{body}: {after}");
    }
}

#[test]
fn a_step_before_what_is_stuck_without_a_name_has_a_scenario() {
    let source = r"participant p {
  command A
}
saga main {
  version 1
  input { n: int }
  pivot
  when input.n > 9223372036854775806 {
    step a { call p.A }
    let twice = input.n * 2
  }
}
";
    let desk = Desk::with("main.saga", source);
    desk.saga(&["test", "main.saga", "--coverage", "--write"]);
    let said = desk.saga(&["test", "main.saga", "--coverage"]);
    assert!(said.contains("[exit status: 0]") && !said.contains("not shown"), "{said}");
}

#[test]
fn the_shipped_ones_can_be_completed() {
    // Of the last two some things are only found along the explorer's ways.
    let shipped = [
        ("booking.saga", BOOKING),
        ("transfer.saga", TRANSFER),
        ("food_order.saga", FOOD_ORDER),
        ("group_travel.saga", GROUP_TRAVEL),
    ];
    for (name, source) in shipped {
        let desk = Desk::with(name, source);
        desk.saga(&["test", name, "--coverage", "--write"]);
        let said = desk.saga(&["test", name, "--coverage"]);
        assert!(said.contains("[exit status: 0]") && !said.contains("not shown"), "{said}");
        assert!(desk.saga(&["fmt", "--check", name]).contains("[exit status: 0]"));
    }
}

#[test]
fn they_are_written_into_a_file_of_the_other_form() {
    let desk = Desk::with("trip.saga", TRIP);
    let yaml = desk.command(&["fmt", "--to", "yaml", "trip.saga"]).output().unwrap().stdout;
    desk.file("trip.yaml", &yaml);
    desk.saga(&["test", "trip.yaml", "--coverage", "--write"]);
    desk.saga(&["test", "trip.saga", "--coverage", "--write"]);
    let twin = desk.command(&["fmt", "--to", "yaml", "trip.saga"]).output().unwrap().stdout;
    assert_eq!(fs::read_to_string(desk.path().join("trip.yaml")).unwrap(), String::from_utf8(twin).unwrap());
}

/// As people write it: comments, quotes, space between scenarios, lists as far to the left as their key.
const HAND_WRITTEN: &str = r#"---
# Trips that are paid.
participants:
    hotel:
        command:
            Hold: { with: { 'nights': int }, returns: { key: string }, fails: ["full"] }
            Free: {}

sagas:
    trip:
        version: 1
        input: { nights: int }

        sequence:
            -   step: hold
                call: hotel.Hold
                with: { nights: "${ input.nights }" }
                compensate: { call: hotel.Free }
scenarios:   # at the end
-   scenario: "fine"
    for: trip
    given: { nights: 2 }
    expect: [completed]

# Another.
-   scenario: full
    for: trip
    given: { nights: 2 }
    when: ['hold fails full']
    expect: [compensated full]"#;

#[test]
fn yaml_stays_as_it_is_written_where_the_scenarios_come_last() {
    let written = |before: &str| {
        let desk = Desk::with("trip.yaml", before);
        let said = desk.saga(&["test", "trip.yaml", "--coverage", "--write"]);
        assert!(said.contains(" written; "), "{said}");
        let said = desk.saga(&["test", "trip.yaml", "--coverage"]);
        assert!(said.contains("[exit status: 0]") && !said.contains("not shown"), "{said}");
        let after = fs::read_to_string(desk.path().join("trip.yaml")).unwrap();
        after.strip_prefix(before).unwrap_or_else(|| panic!("{after}")).to_owned()
    };
    insta::assert_snapshot!(written(HAND_WRITTEN));
    let windows = HAND_WRITTEN.replace('\n', "\r\n");
    assert_eq!(written(&windows), written(HAND_WRITTEN).replace('\n', "\r\n"));
    let without = HAND_WRITTEN.split_once("scenarios:").unwrap().0;
    assert!(written(without).starts_with("\nscenarios:\n  - scenario: "));
}

/// In brackets, or before something else.
#[test]
fn yaml_is_laid_out_anew_where_the_scenarios_do_not_come_last() {
    let bare = HAND_WRITTEN.lines().filter(|line| !line.starts_with("# ")).collect::<Vec<_>>().join("\n");
    let (head, scenarios) = bare.split_once("scenarios:   # at the end\n").unwrap();
    let bracketed = "scenarios: [{ scenario: fine, for: trip, given: { nights: 2 }, expect: [completed] }]";
    for before in [format!("scenarios:\n{scenarios}\n{}", head.replace("---\n", "")), format!("{head}{bracketed}\n")] {
        let desk = Desk::with("trip.yaml", &before);
        let said = desk.saga(&["test", "trip.yaml", "--coverage", "--write"]);
        assert!(said.contains(" written; "), "{said}");
        assert!(desk.saga(&["fmt", "--check", "trip.yaml"]).contains("[exit status: 0]"));
        assert!(!desk.saga(&["test", "trip.yaml", "--coverage"]).contains("not shown"));
    }
}

/// The deadline comes in the pause before the second attempt; and so does a cancel.
#[test]
fn who_was_not_asked_again_is_not_shown_to_be() {
    let source = |deadline: &str| {
        format!(
            "participant p {{ command Do fails \"no\" command Undo }}\nsaga q {{\n  version 1\n  deadline {deadline}\n  step a {{ \
             call p.Do timeout 5s retry 2 times every 20s..20s compensate p.Undo }}\n}}\nscenario \"late\" for q {{ when a times \
             out expect compensated }}\nscenario \"cancelled\" for q {{ when a times out when cancelled after 6s expect compensated }}\n"
        )
    };
    let is_missing = |said: &str| said.contains("not shown  a  times out and is asked again");
    for (deadline, is_asked_again) in [("10s", false), ("1h", true)] {
        let desk = Desk::with("q.saga", source(deadline));
        let said = desk.saga(&["test", "q.saga", "--coverage"]);
        assert_eq!(is_missing(&said), !is_asked_again, "{said}");
        // Where it can come about, it is found.
        let cancelled: String = source(deadline).split_inclusive('\n').filter(|line| !line.contains("late")).collect();
        desk.file("q.saga", cancelled);
        assert!(is_missing(&desk.saga(&["test", "q.saga", "--coverage"])));
        let said = desk.saga(&["test", "q.saga", "--coverage", "--write"]);
        assert_eq!(said.contains("no scenario was found in which a times out"), !is_asked_again, "{said}");
    }
}

#[test]
fn line_ends_stay_those_of_the_file() {
    let desk = Desk::with("trip.saga", TRIP.replace('\n', "\r\n"));
    desk.saga(&["test", "trip.saga", "--coverage", "--write"]);
    let written = fs::read_to_string(desk.path().join("trip.saga")).unwrap();
    assert!(written.len() > TRIP.len() + 500 && written.replace("\r\n", "").find(['\r', '\n']).is_none());
}

/// What is read from standard input cannot be written into, and a comment of YAML would be lost where the scenarios do not
/// come last: they are shown, in the
/// form of what was read.
#[test]
fn where_they_cannot_be_written_they_are_shown() {
    let desk = Desk::with("trip.saga", TRIP);
    let yaml = desk.command(&["fmt", "--to", "yaml", "trip.saga"]).output().unwrap().stdout;
    let yaml = String::from_utf8(yaml).unwrap();
    let (head, scenarios) = yaml.split_once("scenarios:\n").unwrap();
    let commented = format!("# Trips that are paid.\nscenarios:\n{scenarios}\n{head}");
    desk.file("trip.yaml", &commented);
    let said = desk.saga(&["test", "trip.yaml", "--coverage", "--write"]);
    assert_eq!(fs::read_to_string(desk.path().join("trip.yaml")).unwrap(), commented);
    let from_stdin = desk.saga_reading(&["test", "-", "--coverage", "--write"], TRIP);
    insta::assert_snapshot!([said, from_stdin].join("\n"));
}
