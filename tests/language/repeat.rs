//! **repeat.** Runs the block until the condition holds, so many times at most; then `otherwise`. `round` counts from 1,
//! `previous.x` is x of the round before. Below, names mean the last round. Each round's steps are steps of their own.

use saga::engine::{Order, Summary};

use super::{Story, scenarios_hold, with_steps};

/// A saga of some statements, in which `@x` is a step that is told the round and is taken back.
fn saga(statements: &str) -> String {
    let text = with_steps(statements, "{ call shop.Do { n: round }  compensate shop.Undo { n: NAME.n, of: round } }");
    format!(
        r#"participant shop {{
  command Do {{ n: int }} returns {{ n: int, ok: bool }} fails "no"
  command Undo {{ n: int?, of: int }}
  command Write {{ notes: string?, last: int }} returns {{ text: string }}
  command Read {{ text: string }} returns {{ notes: string, good: bool }}
  command Name {{ id: string }}
}}
saga order {{
  version 1
  input {{ n: int }}
  signal go {{ on: bool }}
  {text}
}}"#
    )
}

fn begin(statements: &str) -> (Story, Vec<String>) {
    Story::begin(&saga(statements), r#"{"n":9}"#)
}

const OK: &str = r#"{"n":1,"ok":true}"#;
const NOT_OK: &str = r#"{"n":2,"ok":false}"#;

#[test]
fn until_the_condition_holds() {
    let (mut story, lines) =
        begin(r#"repeat at most 3 times { @a } until a.ok otherwise { fail "x" } output { n: a.n }"#);
    assert_eq!(lines, ["started", "called a[1] 1"]);
    let again = ["succeeded a[1]", "judged round#1[1] false", "called a[2] 1"];
    assert_eq!(story.done("a[1]", NOT_OK), again);
    assert_eq!(story.owed(), [r#"do a[2] 1 {"n":2}"#], "`round` counts from 1");
    let end = ["succeeded a[2]", "judged round#1[2] true", r#"completed {"n":1}"#];
    assert_eq!(story.done("a[2]", OK), end, "below, a name is that of the last round");
}

#[test]
fn so_many_times_at_most_and_then_otherwise() {
    let (mut story, _) =
        begin("repeat at most 2 times { @a } until a.ok otherwise { let tried = a.n } output { n: tried }");
    story.done("a[1]", NOT_OK);
    let end = ["succeeded a[2]", "judged round#1[2] false", "bound tried 2", r#"completed {"n":2}"#];
    assert_eq!(story.done("a[2]", NOT_OK), end);
}

#[test]
fn once_the_condition_has_held_it_is_over_for_what_waits_for_it() {
    let (mut story, _) = begin(
        "parallel { repeat at most 3 times { @a } until a.ok otherwise { } step z { call shop.Do { n: 0 }  compensate nothing } }",
    );
    assert_eq!(story.done("a[1]", OK), ["succeeded a[1]", "judged round#1[1] true"]);
    assert_eq!(story.done("z", OK), ["succeeded z", "completed {}"]);
}

#[test]
fn each_round_is_taken_back_from_the_last() {
    let (mut story, _) = begin(r#"repeat at most 2 times { @a @b } until b.ok otherwise { fail "x" }"#);
    for place in ["a[1]", "b[1]", "a[2]"] {
        story.done(place, NOT_OK);
    }
    let lines = story.done("b[2]", NOT_OK);
    assert_eq!(lines[2..], ["failed saga: x at fail#1", "turned repeat#1", "called undo b[2] 1"]);
    assert_eq!(story.owed(), [r#"undo b[2] 1 {"n":2,"of":2}"#]);
    assert_eq!(story.undone("b[2]"), ["succeeded undo b[2]", "called undo a[2] 1"]);
    assert_eq!(story.undone("a[2]"), ["succeeded undo a[2]", "unwound round#1[2]", "called undo b[1] 1"]);
    story.undone("b[1]");
    assert_eq!(story.undone("a[1]"), ["succeeded undo a[1]", "unwound round#1[1]", "compensated"]);
}

#[test]
fn a_round_that_fails_is_taken_back_with_those_before() {
    let (mut story, _) = begin(r"repeat at most 3 times { @a @b } until b.ok otherwise { }");
    for place in ["a[1]", "b[1]", "a[2]"] {
        story.done(place, NOT_OK);
    }
    let failed = ["refused b[2] no", "failed saga: no at b[2]", "turned repeat#1", "called undo a[2] 1"];
    assert_eq!(story.refused("b[2]", "no"), failed);
    assert_eq!(story.undone("a[2]"), ["succeeded undo a[2]", "unwound round#1[2]", "called undo b[1] 1"]);
}

#[test]
fn where_no_round_has_begun_nothing_is_said_of_it() {
    let (mut story, _) = begin(
        "parallel {
    sequence { step y { call shop.Do { n: 0 }  compensate nothing } repeat at most 2 times { @a } until a.ok otherwise { } }
    step z { call shop.Do { n: 0 }  compensate nothing }
  }",
    );
    story.done("z", OK);
    assert_eq!(story.refused("y", "no"), ["refused y no", "failed saga: no at y", "compensated"]);
}

#[test]
fn a_sub_saga_with_a_point_of_no_return_of_its_own_is_taken_back_as_a_whole_in_its_round() {
    let text = saga(
        "repeat at most 2 times { parallel { step p { run pay  compensate shop.Undo { n: p.n, of: round } } @a } } until a.ok otherwise { }",
    );
    let pay = "saga pay {
  version 1
  step h { call shop.Do { n: 0 }  compensate shop.Undo { n: h.n, of: 0 } }
  pivot
  step t { call shop.Read { text: \"\" } }
  output { n: h.n }
}
saga order {";
    let (mut story, _) = Story::begin(&text.replace("saga order {", pay), r#"{"n":9}"#);
    story.done("p[1].h", OK);
    assert_eq!(story.refused("a[1]", "no"), ["refused a[1] no", "failed saga: no at a[1]"], "t is in flight");
    let whole = ["succeeded p[1].t", "lost p[1]", "turned repeat#1", "called undo p[1] 1"];
    assert_eq!(story.done("p[1].t", r#"{"notes":"","good":true}"#), whole, "and h is not taken back");
}

#[test]
fn what_otherwise_did_is_taken_back_before_the_rounds() {
    let (mut story, _) = begin(
        "repeat at most 1 times { @a } until a.ok otherwise { step o { call shop.Do { n: 0 }  compensate shop.Undo { n: o.n, of: 0 } } }
  step z { call shop.Do { n: 0 }  compensate nothing }",
    );
    story.done("a[1]", NOT_OK);
    story.done("o", OK);
    assert_eq!(story.refused("z", "no")[2..], ["called undo o 1"]);
    assert_eq!(story.undone("o"), ["succeeded undo o", "turned repeat#1", "called undo a[1] 1"]);
}

#[test]
fn previous_is_the_round_before_also_of_what_stands_further_down() {
    let text = r#"repeat at most 3 times {
    let n = (previous.n ?? 0) + 10
    step write { call shop.Write { notes: previous.read.notes, last: n }  compensate nothing }
    step read { call shop.Read { text: write.text }  compensate nothing }
  } until read.good otherwise { fail "never_good" }
  output { text: write.text, n: n }"#;
    let (mut story, _) = begin(text);
    assert_eq!(story.owed(), [r#"do write[1] 1 {"last":10}"#], "in the first round it is absent");
    story.done("write[1]", r#"{"text":"one"}"#);
    let lines = story.done("read[1]", r#"{"notes":"shorter","good":false}"#);
    assert_eq!(lines, ["succeeded read[1]", "judged round#1[1] false", "bound n[2] 20", "called write[2] 1"]);
    assert_eq!(story.owed(), [r#"do write[2] 1 {"notes":"shorter","last":20}"#]);
    story.done("write[2]", r#"{"text":"two"}"#);
    let lines = story.done("read[2]", r#"{"notes":"","good":true}"#);
    assert_eq!(lines.last().unwrap(), r#"completed {"text":"two","n":20}"#);
}

#[test]
fn a_try_in_a_round_is_undone_and_the_next_round_tries_again() {
    let text = r#"repeat at most 3 times {
    try { @a @b } catch "no" { }
  } until b != null otherwise { fail "never" }
  output { n: b.n }"#;
    let (mut story, _) = begin(text);
    story.done("a[1]", OK);
    assert_eq!(story.refused("b[1]", "no"), ["refused b[1] no", "failed try#1[1]: no at b[1]", "called undo a[1] 1"]);
    let next = ["succeeded undo a[1]", "caught try#1[1] 0", "judged round#1[1] false", "called a[2] 1"];
    assert_eq!(story.undone("a[1]"), next);
    story.done("a[2]", OK);
    let end = ["succeeded b[2]", "judged round#1[2] true", r#"completed {"n":1}"#];
    assert_eq!(story.done("b[2]", OK), end, "`until` says that it is there, since otherwise the saga fails");
}

#[test]
fn a_reminder_in_each_round_until_the_signal_comes() {
    let text = r#"repeat at most 3 times { step ask { call shop.Do { n: round }  compensate nothing } await go within 8h otherwise { } }
  until go != null otherwise { fail "nobody" }
  output { on: go.on }"#;
    let (mut story, _) = begin(text);
    assert_eq!(story.done("ask[1]", OK), ["succeeded ask[1]", "slept go[1]"]);
    assert_eq!(story.wait(), ["woke go[1]", "judged round#1[1] false", "called ask[2] 1"]);
    story.done("ask[2]", OK);
    let with = Some(saga::json::Json::parse(r#"{"on":true}"#).unwrap());
    let taken = story.order(Order::Signal { signal: "go".into(), with });
    let end = ["ordered", "took go[2] by o1", "judged round#1[2] true", r#"completed {"on":true}"#];
    assert_eq!(taken, end);
    let (mut story, _) = begin(text);
    for round in 1..=3 {
        story.done(&format!("ask[{round}]"), OK);
        story.wait();
    }
    assert_eq!(story.summary(), Summary::Compensated);
}

#[test]
fn a_condition_that_cannot_be_computed_fails_or_behind_the_point_of_no_return_waits_for_a_person() {
    let text = |pivot: &str| {
        format!(
            "{pivot} repeat at most 2 times {{ step k {{ call shop.Read {{ text: \"\" }} }} }} until input.n * input.n > round otherwise {{ }}"
        )
    };
    let large = r#"{"n":9223372036854775807}"#;
    let compensated = saga(&text("")).replace("text: \"\" } }", "text: \"\" }  compensate nothing }");
    let (mut story, _) = Story::begin(&compensated, large);
    let reply = r#"{"notes":"","good":true}"#;
    let failed = ["succeeded k[1]", "failed saga: invalid at round#1[1]", "compensated"];
    assert_eq!(story.done("k[1]", reply), failed);
    let (mut story, _) = Story::begin(&saga(&text("pivot")), large);
    assert_eq!(story.done("k[1]", reply), ["succeeded k[1]", "stuck round#1[1] invalid"]);
    assert_eq!(story.retry("round#1[1]"), ["ordered", "stuck round#1[1] invalid"], "it is computed again");
}

#[test]
fn rounds_inside_elements_and_elements_inside_rounds() {
    let text = "let list = [1, 2]
  repeat at most 2 times {
    for each x in list, at most 2 at once { @a }
    let all = sum(a[*].n) + (count(previous.a ?? []) * 100)
  } until all > 100 otherwise { }
  output { all: all, last: a[*].n }";
    let (mut story, lines) = begin(text);
    assert_eq!(lines[3..], ["called a[1][1] 1", "called a[1][2] 1"]);
    story.done("a[1][1]", OK);
    let lines = story.done("a[1][2]", NOT_OK);
    assert_eq!(lines[1..4], ["passed x[1][2]", "bound all[1] 3", "judged round#1[1] false"]);
    story.done("a[2][2]", OK);
    let lines = story.done("a[2][1]", OK);
    assert_eq!(lines.last().unwrap(), r#"completed {"all":202,"last":[1,1]}"#);
}

#[test]
fn round_is_that_of_the_innermost_repeat_wherever_elements_are() {
    let text = "let list = [1, 2]
  for each x in list { repeat at most 2 times { for each y in list { @a } } until round == 2 otherwise { } }";
    let (mut story, _) = begin(text);
    for (place, round) in
        [("a[1][1][1]", 1), ("a[1][1][2]", 1), ("a[1][2][1]", 2), ("a[1][2][2]", 2), ("a[2][1][1]", 1)]
    {
        assert_eq!(story.owed(), [format!(r#"do {place} 1 {{"n":{round}}}"#)]);
        story.done(place, OK);
    }
}

#[test]
fn rounds_inside_each_other_that_wait_for_nothing_come_to_an_end() {
    let one = |block: &str| format!("repeat at most 1000 times {{ {block} }} until false otherwise {{ }}");
    let (story, lines) = begin(&one(&one(&one(""))));
    assert_eq!(lines.last().unwrap(), "compensated");
    assert!(lines[lines.len() - 2].starts_with("failed saga: invalid at round#3"), "{:?}", lines[lines.len() - 2]);
    assert!(story.journal[0].events.len() < 50_000);
    let (mut story, lines) = begin(&format!("pivot {}", one(&one(&one("")))));
    let stuck = lines.last().unwrap().clone();
    assert!(stuck.starts_with("stuck round#3[1][10][") && stuck.ends_with(" invalid"), "{stuck}");
    let place = stuck.split(' ').nth(1).unwrap().to_owned();
    let lines = story.retry(&place);
    assert!(lines.last().unwrap().starts_with("stuck round#3[1][20]["), "ordered anew, it goes on: {:?}", lines.last());
}

#[test]
fn an_id_is_another_one_in_each_round() {
    let text = r#"repeat at most 2 times { step a { call shop.Name { id: id("x") }  compensate nothing } } until round == 2 otherwise { }"#;
    let (mut story, _) = begin(text);
    let first = story.command("a[1]").payload;
    assert_eq!(first.get(), r#"{"id":"5eeec58a-4e3c-5440-aed0-2af72a5d9068"}"#, "of `i/1767225600000[round#1 1]/x`");
    story.done("a[1]", "{}");
    assert_ne!(story.command("a[2]").payload, first);
}

#[test]
fn scenarios_mean_one_round_or_any() {
    scenarios_hold(&format!(
        r#"{}
scenario "the second is good" for order {{
  given {{ n: 1 }}
  when a[2] replies {{ n: 7, ok: true }}
  expect completed {{ n: 7 }}
  expect calls a[1], a[2]
}}
scenario "none is" for order {{
  given {{ n: 1 }}
  expect compensated "never"
  expect calls a, a, a, undo a[3], undo a[2], undo a[1]
}}
scenario "the first is refused" for order {{
  given {{ n: 1 }}
  when a fails "no" 1 times
  expect compensated "no"
  expect calls a[1]
}}
"#,
        saga(r#"repeat at most 3 times { @a } until a.ok otherwise { fail "never" } output { n: a.n }"#)
    ));
}
