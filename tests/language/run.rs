//! **run.** Another saga inside this one: its statements under the step's name, its output the step's value, its codes
//! the step's. Without a point of no return it unwinds as a part of the saga around; with one it is taken back as a whole.

use saga::engine::{Input, Order, Reply, ReplyKind, Status, Summary};
use saga::json::Json;

use super::{Story, scenarios_hold, with_shop_steps};

/// Contracts; a saga `pay` of some statements; and one around it.
fn saga(inner: &str, outer: &str) -> String {
    format!(
        r#"participant shop {{
  command Do {{ n: int }} returns {{ n: int }} fails "no", "never"
  command Undo {{ n: int?, why: string? }}
  command Sure {{ n: int }} returns {{ n: int }}
  command Back {{ n: int?, why: string }}
  message Told {{ why: string }}
}}
saga pay {{
  version 1
  input {{ n: int }}
  {}
}}
saga order {{
  version 1
  input {{ big: bool }}
  {}
}}"#,
        with_shop_steps(inner),
        with_shop_steps(outer)
    )
}

fn begin(inner: &str, outer: &str) -> (Story, Vec<String>) {
    Story::begin(&saga(inner, outer), r#"{"big":false}"#)
}

const N: &str = r#"{"n":7}"#;

/// Its hold is taken back by itself; once it is charged it can only be refunded as a whole.
const PIVOT: &str =
    "@h pivot step c { call shop.Do { n: input.n } } step t { call shop.Sure { n: h.n } } output { n: c.n }";

/// What runs it, and can take it back.
const PAID: &str = "step paid { run pay { n: 4 }  compensate shop.Back { n: paid.n, why: failure.code } }";

#[test]
fn its_steps_stand_under_the_name_of_the_step_and_its_output_is_the_value() {
    let (mut story, lines) = begin(
        "let twice = input.n * 2 step c { call shop.Do { n: twice }  compensate nothing } output { n: c.n, of: twice }",
        "@s step paid { run pay { n: s.n } } @d output { n: paid.n, of: paid.of }",
    );
    assert_eq!(lines, ["started", "called s 1"]);
    let begun = ["succeeded s", r#"bound paid.input {"n":7}"#, "bound paid.twice 14", "called paid.c 1"];
    assert_eq!(story.done("s", N), begun);
    assert_eq!(story.owed(), [r#"do paid.c 1 {"n":14}"#]);
    assert_eq!(story.done("paid.c", r#"{"n":3}"#), ["succeeded paid.c", "succeeded paid", "called d 1"]);
    assert_eq!(story.done("d", N), ["succeeded d", r#"completed {"n":3,"of":14}"#]);
}

#[test]
fn a_saga_may_be_run_several_times_and_run_others() {
    let text = saga("@a output { n: a.n }", "");
    let text = text.replace("saga order {", "saga two {\n version 1\n  step one { run pay { n: 1 } }\n  step two { run pay { n: one.n } }\n  output { n: two.n }\n}\nsaga order {");
    let text = text.replace(
        "input { big: bool }",
        "input { big: bool }\n  step x { run two }  step y { run two }  output { n: x.n + y.n }",
    );
    let (mut story, lines) = Story::begin(&text, r#"{"big":true}"#);
    assert_eq!(lines, ["started", "bound x.input {}", r#"bound x.one.input {"n":1}"#, "called x.one.a 1"]);
    for place in ["x.one.a", "x.two.a", "y.one.a"] {
        story.done(place, N);
    }
    let end = ["succeeded y.two.a", "succeeded y.two", "succeeded y", r#"completed {"n":14}"#];
    assert_eq!(story.done("y.two.a", N), end);
}

#[test]
fn what_has_no_name_is_counted_in_its_saga() {
    let (mut story, _) =
        begin("when input.n > 1 { @a }", "when input.big { } step x { run pay { n: 2 } } when input.big { }");
    let places: Vec<_> = story.plan.nodes().map(|(_, node)| node.place.to_string()).collect();
    assert!(places.contains(&"x.when#1".to_owned()) && places.contains(&"when#2".to_owned()), "{places:?}");
    assert_eq!(story.done("x.a", N), ["succeeded x.a", "succeeded x", "chose when#2 1", "completed {}"]);
}

#[test]
fn a_failure_inside_is_one_of_the_saga_around_and_all_is_taken_back_in_the_mirror_image() {
    let (mut story, _) = begin("@a @b", "@s step x { run pay { n: 1 } } @d");
    story.done("s", N);
    story.done("x.a", N);
    assert_eq!(story.refused("x.b", "no"), ["refused x.b no", "failed saga: no at x.b", "called undo x.a 1"]);
    assert_eq!(story.owed(), [r#"undo x.a 1 {"n":7,"why":"no"}"#]);
    assert_eq!(story.undone("x.a"), ["succeeded undo x.a", "called undo s 1"]);
    assert_eq!(story.undone("s"), ["succeeded undo s", "compensated"]);
}

#[test]
fn done_it_is_taken_back_step_by_step_where_a_later_step_fails() {
    let (mut story, _) = begin("@a parallel { @b @c }", "@s step x { run pay { n: 1 } } @d");
    for place in ["s", "x.a", "x.b", "x.c"] {
        story.done(place, N);
    }
    let failed = ["refused d no", "failed saga: no at d", "called undo x.b 1", "called undo x.c 1"];
    assert_eq!(story.refused("d", "no"), failed);
    story.undone("x.b");
    assert_eq!(story.undone("x.c"), ["succeeded undo x.c", "called undo x.a 1"]);
    assert_eq!(story.undone("x.a"), ["succeeded undo x.a", "succeeded undo x", "called undo s 1"]);
    assert_eq!(story.undone("s"), ["succeeded undo s", "compensated"]);
}

#[test]
fn an_unknown_outcome_inside_is_a_timeout_and_is_taken_back_itself() {
    let inner = "step c { call shop.Do { n: 1 }  timeout 1s  retry 1 times every 1s  compensate shop.Undo { n: c.n } }";
    let (mut story, _) = begin(inner, "@s step x { run pay { n: 1 } }");
    story.done("s", N);
    assert_eq!(story.wait(), ["paused x.c"]);
    assert_eq!(story.wait(), ["called x.c 2"]);
    assert_eq!(story.wait(), ["lost x.c", "failed saga: timeout at x.c", "called undo x.c 1"]);
    assert_eq!(story.owed(), ["undo x.c 1 {}"]);
    story.undone("x.c");
    assert_eq!(story.undone("s"), ["succeeded undo s", "compensated"]);
}

#[test]
fn taken_back_it_has_no_value() {
    let inner = "@a output { n: a.n }";
    let outer = r#"try { step x { run pay { n: 1 } } @d } catch "no" { } output { stands: x != null, n: x.n ?? 0 }"#;
    let (mut story, _) = begin(inner, outer);
    story.done("x.a", N);
    let mut well = story.copy();
    assert_eq!(well.done("d", N), ["succeeded d", r#"completed {"stands":true,"n":7}"#]);
    story.refused("d", "no");
    let end = ["succeeded undo x.a", "succeeded undo x", "caught try#1 0", r#"completed {"stands":false,"n":0}"#];
    assert_eq!(story.undone("x.a"), end);
}

#[test]
fn its_scopes_stay_its_own() {
    let (mut story, _) = begin(
        r#"try { @a } catch "no" { step t { send shop.Told { why: failure.step }  compensate nothing } }"#,
        "step x { run pay { n: 1 } } @d",
    );
    assert_eq!(
        story.refused("x.a", "no"),
        ["refused x.a no", "failed x.try#1: no at x.a", "caught x.try#1 0", "sent x.t 1"]
    );
    assert_eq!(story.owed(), [r#"message x.t 1 {"why":"x.a"}"#]);
    assert_eq!(story.acknowledged("x.t"), ["succeeded x.t", "succeeded x", "called d 1"]);
}

#[cfg(not(mutants))] // the API's words
#[test]
fn what_a_signal_to_one_in_a_loop_carried_is_told() {
    let inner = r#"signal came { by: string } await came within 1h otherwise { fail "late" } output { by: came.by }"#;
    let (mut story, _) = begin(inner, "for each n in [1, 2] { step x { run pay { n: n } } }");
    let with = Json::parse(r#"{"by":"eva"}"#).unwrap();
    let signal = |name: &str| Order::Signal { signal: name.into(), with: Some(with.clone()) };
    assert_eq!(story.order(signal("x.came")), ["rejected UnknownSignal"], "which?");
    assert_eq!(story.order(signal("x[1].came"))[..2], ["ordered", "took x[1].came by o2"]);
    let ordered = &story.journal.last().unwrap().events[0];
    let told = saga::http::history::happened(&story.plan, ordered);
    assert_eq!((told.text, told.payload), ("signal: x[1].came".to_owned(), Some(with)));
}

#[test]
fn its_signals_are_addressed_by_their_way() {
    let inner = r#"signal came { by: string } await came within 1h otherwise { fail "late" } output { by: came.by }"#;
    let (mut story, lines) = begin(inner, "step x { run pay { n: 1 } } output { by: x.by }");
    assert_eq!(lines.last().unwrap(), "slept x.came");
    let mut late = story.copy();
    let signal =
        |name: &str| Order::Signal { signal: name.into(), with: Some(Json::parse(r#"{"by":"eva"}"#).unwrap()) };
    assert_eq!(story.order(signal("came")), ["rejected UnknownSignal"], "the saga itself has none");
    let end = ["ordered", "took x.came by o2", "succeeded x", r#"completed {"by":"eva"}"#];
    assert_eq!(story.order(signal("x.came")), end);
    assert_eq!(late.wait(), ["woke x.came", "failed saga: late at x.fail#1", "compensated"]);
}

#[test]
fn ids_are_other_ones_in_each_run() {
    let text = saga(
        r#"output { id: id("card") }"#,
        r#"step x { run pay { n: 1 } } step y { run pay { n: 1 } } output { a: x.id, b: y.id, c: id("card") }"#,
    );
    let (_, lines) = Story::begin(&text, r#"{"big":true}"#);
    let ids: std::collections::BTreeSet<&str> =
        lines.last().unwrap().split('"').filter(|part| part.len() == 36).collect();
    assert_eq!(ids.len(), 3, "{lines:?}");
}

#[test]
fn a_pivot_step_that_runs_a_saga_without_one_is_it_once_all_is_done() {
    let inner = "@a @b";
    let (mut story, _) = begin(inner, "@s pivot step x { run pay { n: 1 } } step t { call shop.Sure { n: 1 } }");
    story.done("s", N);
    story.done("x.a", N);
    let mut refused = story.copy();
    assert_eq!(refused.refused("x.b", "no"), ["refused x.b no", "failed saga: no at x.b", "called undo x.a 1"]);
    assert_eq!(story.done("x.b", N), ["succeeded x.b", "reached x.pivot#1", "succeeded x", "called t 1"]);
    assert_eq!(story.order(Order::Cancel), ["rejected PastPivot"]);
}

#[test]
fn a_pivot_step_that_runs_a_saga_with_one_has_it_there() {
    let (mut story, _) = begin(PIVOT, "@s pivot step x { run pay { n: 1 } } step z { call shop.Sure { n: 1 } }");
    story.done("s", N);
    story.done("x.h", N);
    assert_eq!(story.order(Order::Cancel), ["rejected PastPivot"], "its outcome decides");
    let mut refused = story.copy();
    assert_eq!(refused.refused("x.c", "no"), ["refused x.c no", "failed saga: no at x.c", "called undo x.h 1"]);
    assert_eq!(story.done("x.c", N), ["succeeded x.c", "called x.t 1"]);
    assert_eq!(story.refused("x.t", "no"), ["stuck x.t undeclared"], "behind it what stands there must succeed");
    story.retry("x.t");
    assert_eq!(story.done("x.t", N), ["succeeded x.t", "succeeded x", "called z 1"]);
    assert_eq!(story.done("z", N), ["succeeded z", "completed {}"]);
}

#[test]
fn behind_the_pivot_its_steps_are_repeated_until_they_succeed() {
    let step = |name: &str| {
        format!("step {name} {{ call shop.Sure {{ n: 1 }}  timeout 1s  retry 1 times every 1s  compensate nothing }}")
    };
    let (mut story, _) = begin(
        &format!("{} pivot {}", step("t"), step("u").replace("compensate nothing", "")),
        "pivot step x { run pay { n: 1 } } step y { run pay { n: 2 } }",
    );
    let mut before = story.copy();
    before.wait();
    before.wait();
    assert_eq!(before.wait(), ["lost x.t", "failed saga: timeout at x.t", "compensated"], "before it, it fails");
    assert_eq!(story.done("x.t", N), ["succeeded x.t", "called x.u 1"]);
    assert_eq!(story.done("x.u", N), ["succeeded x.u", "succeeded x", r#"bound y.input {"n":2}"#, "called y.t 1"]);
    story.wait();
    story.wait();
    assert_eq!(story.wait(), ["stuck y.t timeout"], "behind it, a person is asked");
    story.retry("y.t");
    assert_eq!(story.done("y.t", N), ["succeeded y.t", "called y.u 1"], "there is no second point of no return");
    assert_eq!(story.done("y.u", N), ["succeeded y.u", "succeeded y", "completed {}"]);
}

#[test]
fn with_a_pivot_of_its_own_it_is_taken_back_step_by_step_before_that() {
    let (mut story, _) = begin(PIVOT, &format!("@s {PAID} @d"));
    story.done("s", N);
    story.done("paid.h", N);
    assert_eq!(
        story.refused("paid.c", "no"),
        ["refused paid.c no", "failed saga: no at paid.c", "called undo paid.h 1"]
    );
    assert_eq!(story.undone("paid.h"), ["succeeded undo paid.h", "called undo s 1"]);
    assert_eq!(story.undone("s"), ["succeeded undo s", "compensated"]);
}

#[test]
fn and_as_a_whole_behind_it() {
    let (mut story, _) = begin(PIVOT, &format!("@s {PAID} @d"));
    for place in ["s", "paid.h", "paid.c"] {
        story.done(place, N);
    }
    assert_eq!(story.done("paid.t", N), ["succeeded paid.t", "succeeded paid", "called d 1"]);
    assert_eq!(story.refused("d", "no"), ["refused d no", "failed saga: no at d", "called undo paid 1"]);
    assert_eq!(story.owed(), [r#"do paid 1 {"n":7,"why":"no"}"#], "a command of its own, not an undo of another");
    assert_eq!(story.undone("paid"), ["succeeded undo paid", "called undo s 1"], "and the hold is not taken back");
    assert_eq!(story.undone("s"), ["succeeded undo s", "compensated"]);
}

#[test]
fn under_way_behind_its_pivot_it_settles_and_is_taken_back_as_a_whole() {
    let (mut story, _) = begin(PIVOT, &format!("@s parallel {{ {PAID} @d }}"));
    for place in ["s", "paid.h", "paid.c"] {
        story.done(place, N);
    }
    assert_eq!(story.refused("d", "no"), ["refused d no", "failed saga: no at d"], "t is in flight");
    let mut silent = story.copy();
    assert_eq!(story.done("paid.t", N), ["succeeded paid.t", "lost paid", "called undo paid 1"]);
    assert_eq!(story.owed(), [r#"do paid 1 {"why":"no"}"#], "it never came to its end");
    story.undone("paid");
    assert_eq!(story.undone("s"), ["succeeded undo s", "compensated"]);
    assert_eq!(silent.wait(), ["lost paid.t", "lost paid", "called undo paid 1"], "nothing is repeated any more");
}

#[test]
fn while_the_outcome_of_its_pivot_is_open_the_saga_around_waits_for_it() {
    let (mut story, _) = begin(PIVOT, &format!("@s parallel {{ {PAID} @d }}"));
    story.done("s", N);
    story.done("paid.h", N);
    assert_eq!(story.refused("d", "no"), ["refused d no", "failed saga: no at d"]);
    // It is asked until it is known: what is to be taken back depends on it.
    assert_eq!(story.wait(), ["paused paid.c"]);
    assert_eq!(story.wait(), ["called paid.c 2"]);
    let mut refused = story.copy();
    assert_eq!(story.done("paid.c", N), ["succeeded paid.c", "lost paid", "called undo paid 1"]);
    assert_eq!(refused.refused("paid.c", "no"), ["refused paid.c no", "called undo paid.h 1"]);
    refused.undone("paid.h");
    assert_eq!(refused.undone("s"), ["succeeded undo s", "compensated"]);
}

#[test]
fn the_pivot_of_a_sub_saga_that_pauses_when_the_saga_fails_is_tried_again() {
    let (mut story, _) = begin(PIVOT, &format!("@s parallel {{ {PAID} @d }}"));
    story.done("s", N);
    story.done("paid.h", N);
    assert_eq!(story.answer("paid.c", Status::Retry { code: None }, "{}"), ["paused paid.c"]);
    assert_eq!(story.refused("d", "no"), ["refused d no", "failed saga: no at d"]);
    assert_eq!(story.wait(), ["called paid.c 2"], "the first attempt may have passed it");
}

#[test]
fn a_cancel_acts_while_only_the_pivot_of_a_sub_saga_is_behind() {
    let (mut story, _) = begin(PIVOT, &format!("@s {PAID} @d"));
    for place in ["s", "paid.h", "paid.c"] {
        story.done(place, N);
    }
    assert_eq!(story.order(Order::Cancel), ["ordered", "failed saga: cancelled at saga"]);
    assert_eq!(story.done("paid.t", N), ["succeeded paid.t", "lost paid", "called undo paid 1"]);
}

#[test]
fn in_a_try_it_is_taken_back_as_a_whole_too_and_the_saga_goes_on() {
    let (mut story, _) =
        begin(PIVOT, &format!(r#"try {{ {PAID} @d }} catch "no" {{ }} output {{ stands: paid != null }}"#));
    for place in ["paid.h", "paid.c", "paid.t"] {
        story.done(place, N);
    }
    assert_eq!(story.refused("d", "no"), ["refused d no", "failed try#1: no at d", "called undo paid 1"]);
    assert_eq!(story.undone("paid"), ["succeeded undo paid", "caught try#1 0", r#"completed {"stands":false}"#]);
}

#[test]
fn beside_a_try_that_fails_it_goes_on() {
    let (mut story, _) = begin(PIVOT, &format!(r#"parallel {{ try {{ @d }} catch "no" {{ }} {PAID} }}"#));
    story.done("paid.h", N);
    story.done("paid.c", N);
    assert_eq!(story.refused("d", "no"), ["refused d no", "failed try#1: no at d", "caught try#1 0"]);
    assert_eq!(story.done("paid.t", N), ["succeeded paid.t", "succeeded paid", "completed {}"]);
}

#[test]
fn a_saga_with_a_pivot_inside_one_with_a_pivot_belongs_to_it() {
    let text = saga(PIVOT, "@s step m { run middle  compensate shop.Back { n: null, why: failure.code } } @d");
    let text = text.replace("saga order {", "saga middle {\n  version 1\n  step f { call shop.Sure { n: 1 }  compensate shop.Undo { n: f.n } }\n  pivot step p { run pay { n: 1 } }\n}\nsaga order {");
    let (mut story, _) = Story::begin(&text, r#"{"big":true}"#);
    for place in ["s", "m.f", "m.p.h", "m.p.c", "m.p.t"] {
        story.done(place, N);
    }
    assert_eq!(story.refused("d", "no"), ["refused d no", "failed saga: no at d", "called undo m 1"]);
    assert_eq!(story.undone("m"), ["succeeded undo m", "called undo s 1"]);
}

#[test]
fn what_takes_it_back_is_stuck_like_any_other_compensation() {
    let (mut story, _) = begin(PIVOT, &format!("{PAID} @d"));
    for place in ["paid.h", "paid.c", "paid.t"] {
        story.done(place, N);
    }
    story.refused("d", "no");
    assert_eq!(story.answer("paid", Status::Failed { code: "x".into(), message: None }, "{}"), ["stuck undo paid x"]);
    assert_eq!(story.summary(), Summary::Stuck);
    assert_eq!(story.retry("paid"), ["ordered", "called undo paid 2"]);
    assert_eq!(story.undone("paid"), ["succeeded undo paid", "compensated"]);
}

#[test]
fn an_output_that_cannot_be_computed_fails_it_or_behind_the_pivot_waits_for_a_person() {
    let (mut story, _) = begin("@a output { n: a.n * 1000000000000 }", "step x { run pay { n: 1 } }");
    let large = r#"{"n":9000000000000000000}"#;
    assert_eq!(story.done("x.a", large), ["succeeded x.a", "failed saga: invalid at x", "called undo x.a 1"]);
    let inner = "step a { call shop.Sure { n: 1 }  compensate nothing } output { n: a.n * 1000000000000 }";
    let (mut story, _) = begin(inner, "pivot step x { run pay { n: 1 } } ");
    assert_eq!(story.done("x.a", large), ["succeeded x.a", "reached x.pivot#1", "stuck x invalid"]);
    assert_eq!(story.retry("x"), ["ordered", "stuck x invalid"]);
}

#[test]
fn behind_a_point_of_no_return_of_its_own_it_waits_for_a_person_too() {
    let inner = "pivot step a { call shop.Sure { n: 1 } } let more = a.n * 1000000000000 output { n: more }";
    let (mut story, _) = begin(inner, "step x { run pay { n: 1 }  compensate shop.Undo { n: 1 } } @d");
    let large = r#"{"n":9000000000000000000}"#;
    assert_eq!(story.done("x.a", large), ["succeeded x.a", "stuck x.more invalid"], "nothing of it can be taken back");
    assert_eq!(story.retry("x.more"), ["ordered", "stuck x.more invalid"]);
}

#[test]
fn a_signal_to_it_comes_too_late_once_the_saga_fails() {
    let (mut story, _) = begin("signal go { } @a await go within 1h otherwise { }", "step x { run pay { n: 1 } } @d");
    let go = || Order::Signal { signal: "x.go".into(), with: None };
    assert_eq!(story.order(go()), ["ordered"]);
    story.order(Order::Cancel);
    assert_eq!(story.order(go()), ["rejected Compensating"]);
}

#[test]
fn a_late_answer_changes_nothing() {
    let (mut story, _) = begin("@a", "step x { run pay { n: 1 } } @d");
    let command = story.command("x.a");
    story.done("x.a", N);
    let reply = Reply {
        command: command.id,
        kind: ReplyKind::Do,
        attempt: 1,
        status: Status::Failed { code: "no".into(), message: None },
        payload: None,
    };
    assert_eq!(story.tell(&Input::Reply(reply)), ["nothing"]);
}

#[test]
fn scenarios_name_inner_steps() {
    let text = saga(PIVOT, &format!("@s {PAID} @d"));
    scenarios_hold(&format!(
        r#"{text}
scenario "well" for order {{
  given {{ big: true }}
  expect completed
  expect calls s, paid.h, paid.c, paid.t, d
}}
scenario "refused inside" for order {{
  given {{ big: true }}
  when paid.c fails "no"
  expect compensated "no"
  expect calls s, paid.h, paid.c, undo paid.h, undo s
}}
scenario "refused behind" for order {{
  given {{ big: true }}
  when d fails "no"
  expect compensated "no"
  expect calls s, paid.h, paid.c, paid.t, d, undo paid, undo s
}}
scenario "stuck on the way back" for order {{
  given {{ big: true }}
  when d fails "no"
  when undo paid fails
  expect stuck undo paid
}}
"#
    ));
}
