//! **try … catch.** A scope of its own: what fails in it is taken back to its start, a handler runs as part of the scope
//! around, and the saga goes on behind the `try`.

use saga::engine::{Direction, Input, Order, Summary};

use super::{Story, with_shop_steps};

/// A saga of some statements, in which `@x` is a step that may refuse and is taken back.
fn saga(statements: &str) -> String {
    let text = with_shop_steps(statements);
    format!(
        r#"participant shop {{
  command Do {{ n: int }} returns {{ n: int }} fails "no", "never"
  command Undo {{ n: int?, why: string? }}
  command Sure {{ n: int }} returns {{ n: int }}
  message Told {{ why: string }}
}}
saga order {{
  version 1
  {text}
}}"#
    )
}

fn begin(statements: &str) -> Story {
    Story::begin(&saga(statements), "{}").0
}

const N: &str = r#"{"n":7}"#;

#[test]
fn what_goes_well_goes_on_behind_it() {
    let mut story = begin("try { @a @b } catch { } output { a: a.n ?? 0 }");
    assert_eq!(story.done("a", N), ["succeeded a", "called b 1"]);
    assert_eq!(story.done("b", N), ["succeeded b", r#"completed {"a":7}"#]);
}

#[test]
fn what_fails_is_taken_back_to_its_start_and_a_handler_runs() {
    let handlers = r#"catch "never" { fail "x" } catch "no" { @c }"#;
    let mut story = begin(&format!("@s try {{ @a @b }} {handlers} @d output {{ a: a != null, c: c.n ?? 0 }}"));
    story.done("s", N);
    story.done("a", N);
    assert_eq!(story.refused("b", "no"), ["refused b no", "failed try#1: no at b", "called undo a 1"]);
    assert_eq!(story.owed(), [r#"undo a 1 {"n":7,"why":"no"}"#], "`failure` says why the scope fails");
    assert_eq!(story.summary(), Summary::Running, "the saga itself goes on");
    assert_eq!(story.undone("a"), ["succeeded undo a", "caught try#1 1", "called c 1"]);
    assert_eq!(story.done("c", N), ["succeeded c", "called d 1"]);
    assert_eq!(story.done("d", N), ["succeeded d", r#"completed {"a":false,"c":7}"#]);
}

#[test]
fn an_empty_handler_makes_it_optional() {
    let mut story = begin(r#"try { @a } catch "no" { }"#);
    assert_eq!(story.refused("a", "no"), ["refused a no", "failed try#1: no at a", "caught try#1 0", "completed {}"]);
}

#[test]
fn a_code_that_no_handler_takes_goes_outward() {
    let mut story = begin(r#"@s try { @a @b } catch "never" { }"#);
    story.done("s", N);
    story.done("a", N);
    assert_eq!(story.refused("b", "no"), ["refused b no", "failed try#1: no at b", "called undo a 1"]);
    assert_eq!(story.undone("a"), ["succeeded undo a", "failed saga: no at b", "called undo s 1"]);
    assert_eq!(story.undone("s"), ["succeeded undo s", "compensated"]);
}

#[test]
fn what_a_handler_did_and_what_went_well_are_taken_back_with_the_scope_around() {
    let mut story = begin("try { @a } catch { } try { @b } catch { @c } @d");
    story.done("a", N);
    story.refused("b", "no");
    story.done("c", N);
    assert_eq!(story.refused("d", "no"), ["refused d no", "failed saga: no at d", "called undo c 1"]);
    assert_eq!(story.undone("c"), ["succeeded undo c", "called undo a 1"]);
    assert_eq!(story.undone("a"), ["succeeded undo a", "compensated"]);
}

#[test]
fn an_unknown_outcome_is_a_timeout_and_is_taken_back_itself() {
    let mut story = begin(
        r#"try { step a { call shop.Do { n: 1 }  timeout 1s  retry 1 times every 1s  compensate shop.Undo { n: a.n } } }
  catch "timeout" { step y { send shop.Told { why: failure.code + " of " + failure.step }  compensate nothing } }"#,
    );
    assert_eq!(story.wait(), ["paused a"]);
    assert_eq!(story.wait(), ["called a 2"]);
    assert_eq!(story.wait(), ["lost a", "failed try#1: timeout at a", "called undo a 1"]);
    assert_eq!(story.undone("a"), ["succeeded undo a", "caught try#1 0", "sent y 1"]);
    let why = r#"message y 1 {"why":"timeout of a"}"#;
    assert_eq!(story.owed(), [why], "in a handler `failure` says what was caught");
}

#[test]
fn in_time_or_not() {
    let text = r#"try within 5s { @a sleep 2s @b } catch "deadline" { }"#;
    let (mut story, lines) = Story::begin(&saga(text), "{}");
    assert_eq!(lines, ["started", "slept try#1", "called a 1"]);
    assert_eq!(story.done("a", N), ["succeeded a", "slept sleep#1"]);
    assert_eq!(story.wait(), ["woke sleep#1", "called b 1"]);
    let mut late = story.copy();
    assert_eq!(story.done("b", N), ["succeeded b", "woke try#1", "completed {}"]);
    assert_eq!(late.wait(), ["failed try#1: deadline at try#1"]);
    // What is in flight gets its answer, then all is taken back.
    assert_eq!(late.done("b", N), ["succeeded b", "called undo b 1"]);
    late.undone("b");
    assert_eq!(late.undone("a"), ["succeeded undo a", "caught try#1 0", "completed {}"]);
}

#[test]
fn beside_it_all_goes_on() {
    let mut story = begin("parallel { try { parallel { @a @b } } catch { } sequence { @c @d } }");
    assert_eq!(story.refused("a", "no"), ["refused a no", "failed try#1: no at a"], "b is in flight");
    assert_eq!(story.done("c", N), ["succeeded c", "called d 1"], "c stands beside it");
    assert_eq!(story.done("b", N), ["succeeded b", "called undo b 1"]);
    assert_eq!(story.undone("b"), ["succeeded undo b", "caught try#1 0"]);
    assert_eq!(story.done("d", N), ["succeeded d", "completed {}"]);
}

#[test]
fn where_the_scope_around_fails_those_inside_are_taken_back_first_and_no_handler_runs() {
    let mut story = begin("parallel { sequence { @a try { @b @c } catch { @h } } sequence { @d @e } }");
    for place in ["a", "b", "d"] {
        story.done(place, N);
    }
    let failed = ["refused e no", "failed saga: no at e", "failed try#1: no at e"];
    assert_eq!(story.refused("e", "no"), failed, "c is in flight");
    assert_eq!(story.refused("c", "no"), ["refused c no", "called undo b 1"], "first what the `try` did, and d waits");
    assert_eq!(story.undone("b"), ["succeeded undo b", "called undo a 1", "called undo d 1"]);
    story.undone("a");
    assert_eq!(story.undone("d"), ["succeeded undo d", "compensated"]);
}

#[test]
fn one_that_only_waits_is_taken_back_first_too() {
    let mut story = begin("parallel { try { @a sleep 1h } catch { } @b sequence { @c @d } }");
    for place in ["a", "b", "c"] {
        story.done(place, N);
    }
    let failed = ["refused d no", "failed saga: no at d", "failed try#1: no at d", "woke sleep#1", "called undo a 1"];
    assert_eq!(story.refused("d", "no"), failed, "b and c wait for it");
    assert_eq!(story.undone("a"), ["succeeded undo a", "called undo b 1", "called undo c 1"]);
}

#[test]
fn one_that_went_well_is_taken_back_in_its_turn_and_holds_nothing_beside_it_up() {
    let mut story = begin("parallel { try { @a @b } catch { } sequence { @c @d } @e }");
    for place in ["a", "b", "c", "d"] {
        story.done(place, N);
    }
    assert_eq!(
        story.refused("e", "no"),
        ["refused e no", "failed saga: no at e", "called undo b 1", "called undo d 1"],
    );
    assert_eq!(story.undone("d"), ["succeeded undo d", "called undo c 1"], "though b is not back");
    assert_eq!(story.undone("b"), ["succeeded undo b", "called undo a 1"]);
}

#[test]
fn one_that_fails_settles_before_the_scope_around_takes_it_back() {
    let mut story = begin("parallel { try { parallel { @a @b @c } } catch { } @e }");
    story.done("a", N);
    story.refused("b", "no");
    assert_eq!(story.refused("e", "no"), ["refused e no", "failed saga: no at e"], "c is in flight");
    assert_eq!(story.done("c", N), ["succeeded c", "called undo a 1", "called undo c 1"]);
}

#[test]
fn one_that_is_taken_back_waits_for_no_other_beside_it() {
    let mut story = begin("parallel { try { @a @b } catch { @h } try { @c @d } catch { @k } }");
    for place in ["a", "c"] {
        story.done(place, N);
    }
    for place in ["b", "d"] {
        story.refused(place, "no");
    }
    assert_eq!(story.undone("c"), ["succeeded undo c", "caught try#2 0", "called k 1"], "a is not back");
    assert_eq!(story.undone("a"), ["succeeded undo a", "caught try#1 0", "called h 1"]);
}

#[test]
fn one_that_has_not_begun_does_not_fail_with_the_saga() {
    let mut story = begin("@a try { @b } catch { @h }");
    assert_eq!(story.refused("a", "no"), ["refused a no", "failed saga: no at a", "compensated"]);
}

#[test]
fn one_whose_last_step_is_done_in_vain_is_not_over_before_it_is_taken_back() {
    let last = "step l { call shop.Do { n: 2 }  compensate nothing }";
    let mut story = begin(&format!("parallel {{ try within 2s {{ @a {last} }} catch {{ }} @b }} @c"));
    story.done("a", N);
    assert_eq!(story.wait(), ["failed try#1: deadline at try#1"]);
    assert_eq!(story.done("l", N), ["succeeded l", "called undo a 1"]);
    assert_eq!(story.done("b", N), ["succeeded b"], "c waits for the `try`");
    assert_eq!(story.undone("a"), ["succeeded undo a", "caught try#1 0", "called c 1"]);
}

#[test]
fn a_cancel_is_never_caught() {
    let mut story = begin("try { @a @b } catch { @h }");
    story.done("a", N);
    let cancelled = ["ordered", "failed saga: cancelled at saga", "failed try#1: cancelled at saga"];
    assert_eq!(story.order(Order::Cancel), cancelled);
    assert_eq!(story.done("b", N), ["succeeded b", "called undo b 1"]);
    story.undone("b");
    assert_eq!(story.undone("a"), ["succeeded undo a", "compensated"]);
}

#[test]
fn a_cancel_overtakes_a_scope_that_is_being_taken_back() {
    let mut story = begin("@s try { @a @b } catch { @h }");
    story.done("s", N);
    story.done("a", N);
    story.refused("b", "no");
    assert_eq!(story.order(Order::Cancel), ["ordered", "failed saga: cancelled at saga"]);
    assert_eq!(story.undone("a"), ["succeeded undo a", "called undo s 1"]);
    assert_eq!(story.undone("s"), ["succeeded undo s", "compensated"]);
}

#[test]
fn a_compensation_that_cannot_is_stuck_and_the_handler_waits_for_a_person() {
    let mut story = begin("try { @a @b } catch { }");
    story.done("a", N);
    story.refused("b", "no");
    assert_eq!(story.refused("a", "will_not"), ["stuck undo a will_not"]);
    assert_eq!(story.summary(), Summary::Stuck);
    let resolved = story.resolve("a", Direction::Undo);
    assert_eq!(resolved, ["ordered", "succeeded undo a", "caught try#1 0", "completed {}"]);
}

#[test]
fn one_inside_another() {
    let mut story = begin(r#"try { @a try { @b } catch "never" { } @c } catch "no" { @h }"#);
    story.done("a", N);
    let outward = ["refused b no", "failed try#2: no at b", "failed try#1: no at b", "called undo a 1"];
    assert_eq!(story.refused("b", "no"), outward);
    assert_eq!(story.undone("a"), ["succeeded undo a", "caught try#1 0", "called h 1"]);
}

#[test]
fn one_inside_that_is_under_way_fails_with_the_one_around() {
    let mut story = begin("try { parallel { try { @a @b } catch { @g } sequence { @c @d } } } catch { @h }");
    story.done("a", N);
    story.done("c", N);
    assert_eq!(story.refused("d", "no"), ["refused d no", "failed try#1: no at d", "failed try#2: no at d"]);
    assert_eq!(story.refused("b", "no"), ["refused b no", "called undo a 1"], "and g never runs");
    assert_eq!(story.undone("a"), ["succeeded undo a", "called undo c 1"]);
    assert_eq!(story.undone("c"), ["succeeded undo c", "caught try#1 0", "called h 1"]);
    assert_eq!(story.done("h", N), ["succeeded h", "completed {}"]);
}

#[test]
fn one_inside_that_went_well_does_not_fail_with_the_saga_while_it_is_taken_back() {
    let mut story = begin("try { try within 1h { @a @b } catch { } @c } catch { }");
    story.done("a", N);
    story.done("b", N);
    assert_eq!(story.refused("c", "no"), ["refused c no", "failed try#1: no at c", "called undo b 1"]);
    assert_eq!(story.order(Order::Cancel), ["ordered", "failed saga: cancelled at saga"]);
    assert_eq!(story.undone("b"), ["succeeded undo b", "called undo a 1"]);
    assert_eq!(story.undone("a"), ["succeeded undo a", "compensated"]);
}

#[test]
fn the_time_of_the_scope_around_is_never_caught_inside() {
    let mut story = begin(r#"try within 5s { try { @a } catch { @g } } catch "deadline" { @h }"#);
    assert_eq!(story.wait(), ["failed try#1: deadline at try#1", "failed try#2: deadline at try#1"]);
    assert_eq!(story.done("a", N), ["succeeded a", "called undo a 1"]);
    assert_eq!(story.undone("a"), ["succeeded undo a", "caught try#1 0", "called h 1"]);
}

#[test]
fn the_deadline_of_the_saga_is_never_caught() {
    let text = saga("try within 1h { @a @b } catch { @h }").replace("version 1", "version 1  deadline 5s");
    let (mut story, _) = Story::begin(&text, "{}");
    story.done("a", N);
    assert_eq!(story.wait(), ["failed saga: deadline at saga", "failed try#1: deadline at saga"]);
    assert_eq!(story.done("b", N), ["succeeded b", "called undo b 1"]);
    story.undone("b");
    assert_eq!(story.undone("a"), ["succeeded undo a", "compensated"], "no handler has run");
}

#[test]
fn a_failure_in_a_handler_belongs_to_the_scope_around() {
    let mut story = begin(r#"try { @a try { @b } catch { fail "worse" } } catch "worse" { }"#);
    story.done("a", N);
    assert_eq!(
        story.refused("b", "no"),
        ["refused b no", "failed try#2: no at b", "caught try#2 0", "failed try#1: worse at fail#1", "called undo a 1"]
    );
    assert_eq!(story.undone("a"), ["succeeded undo a", "caught try#1 0", "completed {}"]);
}

#[test]
fn alternatives_behind_the_point_of_no_return() {
    let text = "pivot
  try { @a @b } catch { step sure { call shop.Sure { n: 2 } } }
  output { n: b.n ?? sure.n ?? 0 }";
    let (mut story, lines) = Story::begin(&saga(text), "{}");
    assert_eq!(lines, ["started", "reached pivot#1", "called a 1"]);
    story.done("a", N);
    let undeclared = ["refused b undeclared", "failed try#1: undeclared at b", "called undo a 1"];
    assert_eq!(story.refused("b", "unheard_of"), undeclared);
    assert_eq!(story.order(Order::Cancel), ["rejected PastPivot"]);
    assert_eq!(story.undone("a"), ["succeeded undo a", "caught try#1 0", "called sure 1"]);
    assert_eq!(story.done("sure", N), ["succeeded sure", r#"completed {"n":7}"#]);
}

#[test]
fn a_wait_inside_ends_with_it() {
    let text = "signal go
  try { parallel { @a sequence { await go within 1h otherwise { @h } } } } catch { }";
    let mut story = begin(text);
    let ended = ["refused a no", "failed try#1: no at a", "woke go", "caught try#1 0", "completed {}"];
    assert_eq!(story.refused("a", "no"), ended);
}

#[test]
fn thousands_of_them_in_a_row_are_no_deeper_than_one() {
    let many = "try { fail \"f\" } catch { }\n".repeat(3_000);
    let mut story = Story::of(&saga(&many));
    let input = saga::json::Json::parse("{}").unwrap();
    let start = saga::engine::Start { input, reply_to: None, traceparent: None };
    assert_eq!(story.tell(&Input::Start(start)).len(), 2 + 2 * 3_000);
}

#[test]
fn below_its_names_may_be_absent_unless_every_handler_fails() {
    let mut story = begin(r#"try { @a } catch { fail "x" } output { n: a.n }"#);
    assert_eq!(story.done("a", N), ["succeeded a", r#"completed {"n":7}"#]);
}

#[test]
fn scenarios_order_what_a_try_took_back_before_its_handler() {
    let text = saga("try { @a @b } catch { @c }");
    super::scenarios_hold(&format!(
        r#"{text}
scenario "not b" for order {{
  when b fails "no"
  expect completed
  expect calls a, b, undo a, c
}}
scenario "neither b nor c" for order {{
  when b fails "no"
  when c fails "never"
  expect compensated "never"
  expect calls a, b, undo a, c
}}"#
    ));
}

#[test]
fn a_scenario_may_expect_that_its_time_is_over_where_nobody_catches_that() {
    let scenario = r#"scenario "x" for order { given {} when a stays pending expect compensated "deadline" }"#;
    let read = |statements: &str| {
        let checked = saga::check::check_text("text.saga", &format!("{}\n{scenario}", saga(statements)));
        let codes = checked.findings.iter().map(|finding| finding.code.to_string());
        codes.filter(|code| code.starts_with("SG07")).collect::<Vec<_>>()
    };
    assert_eq!(read(r#"try within 10m { @a } catch "no" { }"#), [""; 0]);
    assert_eq!(read(r#"try { @a } catch "no" { }"#), ["SG0702"], "without a time there is none");
}
