//! **compensate run.** A saga that takes a step back: it runs forward while all around it goes back, below the step and
//! behind the word `undo`. It begins with its point of no return, so it cannot fail.

use saga::engine::{Change, Direction, Event, Input, Order, Outcome, Reply, ReplyKind, Status, Summary};
use saga::json::Json;

use super::{Story, scenarios_hold, with_shop_steps};

/// Contracts; a saga `back` of some statements behind its `pivot`; and one around it.
fn saga(back: &str, outer: &str) -> String {
    format!(
        r#"participant shop {{
  command Do {{ n: int }} returns {{ n: int }} fails "no", "never"
  command Undo {{ n: int?, why: string? }}
  command Sure {{ n: int }} returns {{ n: int }}
  message Told {{ why: string }}
}}
saga back {{
  version 1
  input {{ n: int, why: string }}
  signal paid {{ by: string }}
  pivot
  {}
}}
saga order {{
  version 1
  input {{ big: bool, n: int }}
  {}
}}"#,
        with_shop_steps(back),
        with_shop_steps(outer)
    )
}

fn begin(back: &str, outer: &str) -> (Story, Vec<String>) {
    Story::begin(&saga(back, outer), r#"{"big":false,"n":3}"#)
}

const N: &str = r#"{"n":7}"#;

/// Two steps, one after the other.
const TWO: &str = "step f { call shop.Sure { n: input.n } } step g { call shop.Sure { n: f.n } }";

/// What it takes back. Its own name is optional, since its outcome may be unknown.
const STEP: &str = "step x { call shop.Do { n: 4 }  timeout 1s  retry 1 times every 1s
  compensate run back { n: x.n ?? 0, why: failure.code } }";

#[test]
fn its_steps_run_in_their_own_order_where_the_step_is_due() {
    let (mut story, _) = begin(TWO, &format!("@s {STEP} @d"));
    story.done("s", N);
    story.done("x", N);
    let due = ["refused d no", "failed saga: no at d", "turned x", r#"bound x.undo.input {"n":7,"why":"no"}"#];
    let lines = story.refused("d", "no");
    assert_eq!(lines[..4], due);
    assert_eq!(lines[4..], ["called x.undo.f 1"]);
    assert_eq!(story.owed(), [r#"do x.undo.f 1 {"n":7}"#], "a command of its own, forward");
    assert_eq!(story.summary(), Summary::Compensating);
    assert_eq!(story.done("x.undo.f", r#"{"n":9}"#), ["succeeded x.undo.f", "called x.undo.g 1"]);
    assert_eq!(story.owed(), [r#"do x.undo.g 1 {"n":9}"#]);
    let end = ["succeeded x.undo.g", "succeeded undo x", "called undo s 1"];
    assert_eq!(story.done("x.undo.g", N), end, "what ran before it comes next");
    assert_eq!(story.undone("s"), ["succeeded undo s", "compensated"]);
}

#[test]
fn nothing_of_it_runs_where_the_step_stands_or_never_was() {
    let (mut story, _) = begin(TWO, &format!("@s {STEP}"));
    let mut refused = story.copy();
    story.done("s", N);
    let mut never = story.copy();
    assert_eq!(story.done("x", N), ["succeeded x", "completed {}"]);
    refused.refused("s", "no");
    assert!(refused.instance.has_ended(), "x has not begun");
    assert_eq!(
        never.refused("x", "no"),
        ["refused x no", "failed saga: no at x", "called undo s 1"],
        "nothing happened"
    );
}

#[test]
fn an_unknown_outcome_is_taken_back_as_if_it_was_done() {
    let (mut story, _) = begin(TWO, STEP);
    assert_eq!(story.wait(), ["paused x"]);
    assert_eq!(story.wait(), ["called x 2"]);
    let begun = ["turned x", r#"bound x.undo.input {"n":0,"why":"timeout"}"#, "called x.undo.f 1"];
    assert_eq!(story.wait()[2..], begun);
    // The answer comes all the same, and changes nothing any more.
    let command = story.command("x.undo.f").id;
    let late = saga::engine::CommandId { place: "x".into(), ..command };
    let reply = Reply {
        command: late,
        kind: ReplyKind::Do,
        attempt: 2,
        status: Status::Succeeded,
        payload: Some(Json::parse(N).unwrap()),
    };
    assert_eq!(story.tell(&Input::Reply(reply)), ["nothing"]);
    story.done("x.undo.f", N);
    assert_eq!(story.done("x.undo.g", N), ["succeeded x.undo.g", "succeeded undo x", "compensated"]);
}

#[test]
fn its_steps_are_repeated_then_a_person_is_asked() {
    let step = "step f { call shop.Sure { n: 1 }  timeout 1s  retry 1 times every 1s }";
    let (mut story, _) = begin(step, &format!("{STEP} @d"));
    story.done("x", N);
    story.refused("d", "no");
    assert_eq!(story.wait(), ["paused x.undo.f"]);
    assert_eq!(story.wait(), ["called x.undo.f 2"]);
    assert_eq!(story.wait(), ["stuck x.undo.f timeout"]);
    assert_eq!(story.summary(), Summary::Stuck);
    assert_eq!(story.order(Order::Cancel), ["rejected Compensating"]);
    assert_eq!(story.retry("x"), ["rejected NotStuck"], "its step is");
    let mut by_hand = story.copy();
    assert_eq!(story.retry("x.undo.f"), ["ordered", "called x.undo.f 3"]);
    assert_eq!(story.refused("x.undo.f", "no"), ["stuck x.undo.f undeclared"]);
    story.retry("x.undo.f");
    let end = ["succeeded x.undo.f", "succeeded undo x", "compensated"];
    assert_eq!(story.done("x.undo.f", N), end);
    let resolved = Outcome::Succeeded { reply: Some(Json::parse(N).unwrap()) };
    let order = Order::Resolve { step: "x.undo.f".into(), work: Direction::Do, outcome: resolved };
    assert_eq!(by_hand.order(order)[1..], end);
}

#[test]
fn what_it_is_given_may_not_be_computable_and_a_person_decides() {
    let step =
        "step x { call shop.Do { n: 4 }  compensate run back { n: input.n * 9223372036854775807, why: failure.code } }";
    let (mut story, _) = begin(TWO, &format!("@s {step} @d"));
    story.done("s", N);
    story.done("x", N);
    assert_eq!(story.refused("d", "no"), ["refused d no", "failed saga: no at d", "stuck undo x invalid"]);
    assert_eq!(story.retry("x"), ["ordered", "stuck undo x invalid"]);
    // An engine that computes it one day goes on from here.
    let change = Change { seq: story.instance.seq + 1, at: story.now, events: vec![Event::Turned { at: "x".into() }] };
    assert_eq!(story.instance.clone().apply(&story.plan, &change), Ok(()));
    let lines = story.resolve("x", Direction::Undo);
    assert_eq!(lines, ["ordered", "succeeded undo x", "called undo s 1"]);
    assert_eq!(story.undone("s"), ["succeeded undo s", "compensated"]);
}

#[test]
fn what_it_computes_may_overflow_and_it_is_stuck_there() {
    let (mut story, _) = begin("let all = input.n * 9223372036854775807", &format!("{STEP} @d"));
    story.done("x", N);
    assert_eq!(story.refused("d", "no").last().unwrap(), "stuck x.undo.all invalid");
    assert_eq!(story.retry("x.undo.all"), ["ordered", "stuck x.undo.all invalid"]);
    assert_eq!(story.summary(), Summary::Stuck);
}

#[test]
fn a_step_that_pauses_on_its_way_forward_is_repeated_when_a_person_says_so() {
    let (mut story, _) = begin(TWO, STEP);
    assert_eq!(story.wait(), ["paused x"]);
    assert_eq!(story.retry("x"), ["ordered", "called x 2"]);
}

#[test]
fn a_step_that_pauses_on_its_way_forward_has_failed_when_a_person_says_so() {
    let (mut story, _) = begin(TWO, STEP);
    assert_eq!(story.wait(), ["paused x"]);
    let order =
        Order::Resolve { step: "x".into(), work: Direction::Do, outcome: Outcome::Failed { code: "no".into() } };
    assert_eq!(story.order(order), ["ordered", "refused x no", "failed saga: no at x", "compensated"]);
}

#[test]
fn it_may_be_done_at_once() {
    let (mut story, _) = begin("let all = input.n", &format!("@s {STEP} @d"));
    story.done("s", N);
    story.done("x", N);
    let lines = story.refused("d", "no");
    let end = [r#"bound x.undo.input {"n":7,"why":"no"}"#, "bound x.undo.all 7", "succeeded undo x", "called undo s 1"];
    assert_eq!(lines[3..], end, "and what is before it is due in the same decision");
}

#[test]
fn several_run_at_once_and_each_is_done_once() {
    let x = STEP.replace("step x", "step y").replace("x.n", "y.n");
    let (mut story, _) = begin("step f { call shop.Sure { n: input.n } }", &format!("@s parallel {{ {STEP} {x} }} @d"));
    for place in ["s", "x", "y"] {
        story.done(place, N);
    }
    let lines = story.refused("d", "no");
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("called")).collect::<Vec<_>>(),
        ["called y.undo.f 1", "called x.undo.f 1"]
    );
    assert_eq!(story.done("x.undo.f", N), ["succeeded x.undo.f", "succeeded undo x"]);
    assert_eq!(story.done("y.undo.f", N), ["succeeded y.undo.f", "succeeded undo y", "called undo s 1"]);
}

#[test]
fn several_that_are_done_at_once_let_what_is_before_them_be_due_once() {
    let y = STEP.replace("step x", "step y").replace("x.n", "y.n");
    let (mut story, _) = begin("let all = input.n", &format!("@s parallel {{ {STEP} {y} }} @d"));
    for place in ["s", "x", "y"] {
        story.done(place, N);
    }
    let lines = story.refused("d", "no");
    assert_eq!(lines.iter().filter(|line| line.starts_with("succeeded undo")).count(), 2, "{lines:?}");
    assert_eq!(lines.last().unwrap(), "called undo s 1");
    assert_eq!(story.undone("s"), ["succeeded undo s", "compensated"]);
}

#[test]
fn in_a_loop_each_element_has_its_own() {
    let outer = "for each n in [1, 2, 3] { step x { call shop.Do { n: n }  compensate run back { n: n, why: failure.code } } } @d";
    let (mut story, _) = begin(TWO, outer);
    for place in ["x[1]", "x[2]", "x[3]"] {
        story.done(place, N);
    }
    let lines = story.refused("d", "no");
    assert_eq!(
        lines[2..],
        ["turned each#1", "turned x[3]", r#"bound x[3].undo.input {"n":3,"why":"no"}"#, "called x[3].undo.f 1"]
    );
    assert_eq!(story.owed(), [r#"do x[3].undo.f 1 {"n":3}"#]);
    for index in [3, 2] {
        story.done(&format!("x[{index}].undo.f"), N);
        let lines = story.done(&format!("x[{index}].undo.g"), N);
        let [done, undone, unwound, turned, ..] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(
            [done, undone, unwound, turned].map(String::as_str),
            [
                format!("succeeded x[{index}].undo.g"),
                format!("succeeded undo x[{index}]"),
                format!("unwound n[{index}]"),
                format!("turned x[{}]", index - 1)
            ]
        );
    }
    story.done("x[1].undo.f", N);
    assert_eq!(story.done("x[1].undo.g", N)[1..], ["succeeded undo x[1]", "unwound n[1]", "compensated"]);
}

#[test]
fn the_elements_of_a_window_are_taken_back_at_once() {
    let outer = "@s for each n in [1, 2, 3], at most 3 at once { @a step x { call shop.Do { n: n }  compensate run back { n: n, why: failure.code } } } @d";
    let (mut story, _) = begin("step f { call shop.Sure { n: input.n } }", outer);
    story.done("s", N);
    for index in 1..=3 {
        story.done(&format!("a[{index}]"), N);
    }
    for index in 1..=3 {
        story.done(&format!("x[{index}]"), N);
    }
    story.refused("d", "no");
    assert_eq!(story.owed().len(), 3, "{:?}", story.owed());
    assert_eq!(story.done("x[2].undo.f", N), ["succeeded x[2].undo.f", "succeeded undo x[2]", "called undo a[2] 1"]);
    assert_eq!(story.undone("a[2]"), ["succeeded undo a[2]", "unwound n[2]"]);
    for index in [1, 3] {
        story.done(&format!("x[{index}].undo.f"), N);
    }
    story.undone("a[1]");
    assert_eq!(story.undone("a[3]"), ["succeeded undo a[3]", "unwound n[3]", "called undo s 1"]);
}

#[test]
fn loops_of_its_own_stand_at_their_own_names() {
    let back = "for each k in [1, 2] { step f { call shop.Sure { n: k } } }";
    let outer =
        "for each n in [5] { step x { call shop.Do { n: n }  compensate run back { n: n, why: failure.code } } } @d";
    let (mut story, _) = begin(back, outer);
    story.done("x[1]", N);
    assert_eq!(story.refused("d", "no").last().unwrap(), "called x[1].undo.f[1] 1");
    story.done("x[1].undo.f[1]", N);
    assert_eq!(story.done("x[1].undo.f[2]", N).last().unwrap(), "compensated");
}

#[test]
fn in_a_try_the_saga_goes_on_in_the_handler_once_it_is_done() {
    let outer = format!(r#"@s try {{ {STEP} @d }} catch "no" {{ @h }} output {{ stands: x != null }}"#);
    let (mut story, _) = begin(TWO, &outer);
    story.done("s", N);
    story.done("x", N);
    assert_eq!(story.refused("d", "no")[1..3], ["failed try#1: no at d", "turned x"]);
    assert_eq!(story.summary(), Summary::Running);
    story.done("x.undo.f", N);
    assert_eq!(story.done("x.undo.g", N)[1..], ["succeeded undo x", "caught try#1 0", "called h 1"]);
    assert_eq!(story.done("h", N), ["succeeded h", r#"completed {"stands":false}"#]);
}

#[test]
fn what_fails_around_a_try_leaves_it_alone() {
    let outer = format!("@s parallel {{ try {{ {STEP} @d }} catch {{ }} @e }}");
    let (mut story, _) = begin(TWO, &outer);
    for place in ["s", "x"] {
        story.done(place, N);
    }
    story.refused("d", "no");
    assert_eq!(story.refused("e", "never"), ["refused e never", "failed saga: never at e"], "f goes on");
    assert_eq!(story.owed(), [r#"do x.undo.f 1 {"n":7}"#]);
    assert_eq!(story.order(Order::Cancel), ["rejected Compensating"]);
    story.done("x.undo.f", N);
    assert_eq!(story.done("x.undo.g", N)[1..], ["succeeded undo x", "called undo s 1"], "and no handler runs");
    assert_eq!(story.undone("s"), ["succeeded undo s", "compensated"]);
}

#[test]
fn a_try_in_it_is_taken_back_within_and_it_goes_on() {
    let back = "try { @a @b } catch { step t { call shop.Sure { n: 1 } } }";
    let (mut story, _) = begin(back, &format!("@s {STEP} @d"));
    for place in ["s", "x"] {
        story.done(place, N);
    }
    assert_eq!(story.refused("d", "no").last().unwrap(), "called x.undo.a 1");
    story.done("x.undo.a", N);
    let lines = story.refused("x.undo.b", "never");
    assert_eq!(lines, ["refused x.undo.b never", "failed x.undo.try#1: never at x.undo.b", "called undo x.undo.a 1"]);
    assert_eq!(story.owed(), [r#"undo x.undo.a 1 {"n":7,"why":"never"}"#]);
    assert_eq!(story.undone("x.undo.a")[1..], ["caught x.undo.try#1 0", "called x.undo.t 1"]);
    assert_eq!(story.done("x.undo.t", N)[1..], ["succeeded undo x", "called undo s 1"]);
    assert_eq!(story.undone("s"), ["succeeded undo s", "compensated"]);
}

#[test]
fn in_a_try_of_it_a_saga_passes_a_point_of_no_return_of_its_own() {
    let back = "try { parallel { step p { run pay { n: 1 }  compensate shop.Undo { n: p.n, why: failure.code } } @b } } catch { }";
    let pay = "saga pay {
  version 1
  input { n: int }
  @h
  pivot
  step t { call shop.Sure { n: h.n } }
  output { n: h.n }
}
saga order {";
    let text = saga(back, &format!("{STEP} @d")).replace("saga order {", &with_shop_steps(pay));
    let (mut story, _) = Story::begin(&text, r#"{"big":true,"n":1}"#);
    story.done("x", N);
    story.refused("d", "no");
    assert_eq!(
        story.done("x.undo.p.h", N),
        ["succeeded x.undo.p.h", "reached x.undo.p.pivot#1", "called x.undo.p.t 1"]
    );
    let mut well = story.copy();
    assert_eq!(story.refused("x.undo.b", "no").len(), 2, "t is in flight");
    let whole = ["succeeded x.undo.p.t", "lost x.undo.p", "called undo x.undo.p 1"];
    assert_eq!(story.done("x.undo.p.t", N), whole, "and h is not taken back");
    assert_eq!(story.undone("x.undo.p")[1..], ["caught x.undo.try#1 0", "succeeded undo x", "compensated"]);
    well.done("x.undo.b", N);
    assert_eq!(well.done("x.undo.p.t", N)[1..], ["succeeded x.undo.p", "succeeded undo x", "compensated"]);
}

#[test]
fn waits_in_it_last_their_time_and_hear_their_signals() {
    let back = "sleep 1h await paid within 2h otherwise { } step t { send shop.Told { why: paid.by ?? input.why } }";
    let (mut story, _) = begin(back, &format!("{STEP} @d"));
    story.done("x", N);
    assert_eq!(story.refused("d", "no").last().unwrap(), "slept x.undo.sleep#1");
    assert_eq!(story.wait(), ["woke x.undo.sleep#1", "slept x.undo.paid"]);
    let mut late = story.copy();
    let with = Some(Json::parse(r#"{"by":"eva"}"#).unwrap());
    let signal = Order::Signal { signal: "x.undo.paid".into(), with };
    assert_eq!(story.order(signal), ["ordered", "took x.undo.paid by o1", "sent x.undo.t 1"]);
    assert_eq!(story.owed(), [r#"message x.undo.t 1 {"why":"eva"}"#]);
    assert_eq!(story.acknowledged("x.undo.t"), ["succeeded x.undo.t", "succeeded undo x", "compensated"]);
    assert_eq!(late.wait(), ["woke x.undo.paid", "sent x.undo.t 1"]);
    assert_eq!(late.owed(), [r#"message x.undo.t 1 {"why":"no"}"#]);
}

#[test]
fn it_takes_back_a_step_that_runs_a_saga_as_a_whole() {
    let text = saga(TWO, "@s step p { run pay { n: 1 }  compensate run back { n: p.n ?? 0, why: failure.code } } @d");
    let text = text.replace(
        "saga order {",
        "saga pay {\n  version 1\n  input { n: int }\n  pivot step c { call shop.Do { n: input.n } }\n  output { n: c.n }\n}\nsaga order {",
    );
    let (mut story, _) = Story::begin(&text, r#"{"big":true,"n":1}"#);
    story.done("s", N);
    let mut before = story.copy();
    assert_eq!(before.refused("p.c", "no"), ["refused p.c no", "failed saga: no at p.c", "called undo s 1"]);
    story.done("p.c", N);
    let lines = story.refused("d", "no");
    assert_eq!(lines[2..], ["turned p", r#"bound p.undo.input {"n":7,"why":"no"}"#, "called p.undo.f 1"]);
    story.done("p.undo.f", N);
    assert_eq!(story.done("p.undo.g", N)[1..], ["succeeded undo p", "called undo s 1"]);
}

#[test]
fn it_runs_others_and_is_run_inside_others() {
    let text =
        saga("step r { run last { n: input.n } } step t { call shop.Sure { n: r.n } }", "step m { run middle } @d");
    let text = text.replace(
        "saga order {",
        &format!(
            "saga last {{\n  version 1\n  input {{ n: int }}\n  step f {{ call shop.Sure {{ n: input.n }}  compensate nothing }}\n  output {{ n: f.n }}\n}}\nsaga middle {{\n  version 1\n  {STEP}\n}}\nsaga order {{"
        ),
    );
    let (mut story, _) = Story::begin(&text, r#"{"big":true,"n":1}"#);
    story.done("m.x", N);
    let lines = story.refused("d", "no");
    assert_eq!(lines.last().unwrap(), "called m.x.undo.r.f 1");
    assert_eq!(story.done("m.x.undo.r.f", N)[1..], ["succeeded m.x.undo.r", "called m.x.undo.t 1"]);
    assert_eq!(story.done("m.x.undo.t", N)[1..], ["succeeded undo m.x", "succeeded undo m", "compensated"]);
}

#[test]
fn a_step_that_only_undoes_may_be_taken_back_by_one() {
    let (mut story, _) = begin(TWO, "step x { compensate run back { n: 1, why: failure.step } } @d");
    assert_eq!(story.refused("d", "no").last().unwrap(), "called x.undo.f 1");
}

#[test]
fn scenarios_name_its_steps_behind_undo() {
    scenarios_hold(&format!(
        r#"{}
scenario "all is taken back" for order {{
  given {{ big: true, n: 1 }}
  when d fails "no"
  expect compensated "no"
  expect calls s, x, d, x.undo.f, x.undo.g, undo s
}}
scenario "one of its steps is silent" for order {{
  given {{ big: true, n: 1 }}
  when d fails "no"
  when x.undo.g times out
  expect stuck x.undo.g
  expect calls s, x, d, x.undo.f, x.undo.g
}}
scenario "one of its steps is slow" for order {{
  given {{ big: true, n: 1 }}
  when d fails "no"
  when x.undo.g times out 2 times
  expect compensated "no"
}}"#,
        saga(TWO, &format!("@s {STEP} @d"))
    ));
}
