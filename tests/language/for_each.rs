//! **for each.** Runs the block for each element of a list, one after the other or so many at once. Below, a name of the
//! block is the list of its values. A failing element fails the loop; a `try` inside confines it.

use saga::engine::{Direction, Input, Order, Summary};

use super::{Story, scenarios_hold, with_steps};

/// A saga of some statements over a list of items, in which `@x` is a step for the item and is taken back.
fn saga(statements: &str) -> String {
    let text = with_steps(statements, "{ call shop.Do { n: item.n }  compensate shop.Undo { n: NAME.n, of: item.n } }");
    format!(
        r#"participant shop {{
  command Do {{ n: int }} returns {{ n: int }} fails "no"
  command Undo {{ n: int?, of: int }}
  command Sum {{ all: list<int> }} returns {{ n: int }}
  command Kept {{ all: list<int?> }}
  command Name {{ id: string }}
}}
saga order {{
  version 1
  input {{ items: list<{{ n: int, gift: bool }}> }}
  signal go {{ on: bool }}
  {text}
}}"#
    )
}

fn items(numbers: &[i32]) -> String {
    let items: Vec<String> = numbers.iter().map(|n| format!(r#"{{"n":{n},"gift":{}}}"#, n % 2 == 0)).collect();
    format!(r#"{{"items":[{}]}}"#, items.join(","))
}

fn begin(statements: &str, numbers: &[i32]) -> (Story, Vec<String>) {
    let (story, mut lines) = Story::begin(&saga(statements), &items(numbers));
    lines.retain(|line| !line.starts_with("started") && !line.starts_with("listed"));
    (story, lines)
}

fn n(n: i32) -> String {
    format!(r#"{{"n":{n}}}"#)
}

#[test]
fn one_after_the_other() {
    let (mut story, lines) = begin("for each item in input.items { @a @b } output { all: a[*].n }", &[5, 7]);
    assert_eq!(lines, ["called a[1] 1"]);
    assert_eq!(story.owed(), [r#"do a[1] 1 {"n":5}"#], "the name is that of the element");
    assert_eq!(story.done("a[1]", &n(50)), ["succeeded a[1]", "called b[1] 1"]);
    assert_eq!(story.done("b[1]", &n(0)), ["succeeded b[1]", "passed item[1]", "called a[2] 1"]);
    assert_eq!(story.owed(), [r#"do a[2] 1 {"n":7}"#]);
    story.done("a[2]", &n(70));
    let last = ["succeeded b[2]", "passed item[2]", r#"completed {"all":[50,70]}"#];
    assert_eq!(story.done("b[2]", &n(0)), last, "below, a name is the list of its values");
}

#[test]
fn so_many_at_once() {
    let (mut story, lines) = begin("for each item in input.items, at most 2 at once { @a @b }", &[1, 2, 3, 4]);
    assert_eq!(lines, ["called a[1] 1", "called a[2] 1"]);
    assert_eq!(story.done("a[2]", &n(0)), ["succeeded a[2]", "called b[2] 1"]);
    let next = ["succeeded b[2]", "passed item[2]", "called a[3] 1"];
    assert_eq!(story.done("b[2]", &n(0)), next, "a new element begins when one has ended");
    story.done("a[1]", &n(0));
    assert_eq!(story.done("b[1]", &n(0)), ["succeeded b[1]", "passed item[1]", "called a[4] 1"]);
    story.done("a[4]", &n(0));
    assert_eq!(story.done("b[4]", &n(0)), ["succeeded b[4]", "passed item[4]"], "there is no fifth");
    story.done("a[3]", &n(0));
    assert_eq!(story.done("b[3]", &n(0)), ["succeeded b[3]", "passed item[3]", "completed {}"]);
}

#[test]
fn where_keeps_some_and_indices_count_those() {
    let text = "for each item in input.items where item.gift { @a } output { all: a[*].n, first: a[0].n ?? 0 }";
    let (mut story, lines) = begin(text, &[1, 2, 3, 4]);
    assert_eq!(lines, ["called a[1] 1"]);
    assert_eq!(story.owed(), [r#"do a[1] 1 {"n":2}"#]);
    assert_eq!(story.done("a[1]", &n(20)), ["succeeded a[1]", "passed item[1]", "called a[2] 1"]);
    let last = ["succeeded a[2]", "passed item[2]", r#"completed {"all":[20,40],"first":20}"#];
    assert_eq!(story.done("a[2]", &n(40)), last);
}

#[test]
fn of_none_there_is_nothing_to_do() {
    let (_, lines) = begin("for each item in input.items { @a } output { all: a[*].n, sum: sum(a[*].n) }", &[]);
    assert_eq!(lines, [r#"completed {"all":[],"sum":0}"#]);
    let (_, lines) = begin(r#"for each item in input.items { @a } fail "x""#, &[]);
    assert_eq!(lines, ["failed saga: x at fail#1", "compensated"], "nor to take back");
}

#[test]
fn below_names_are_lists_and_of_optional_values_where_something_may_not_have_happened() {
    let text = "for each item in input.items, at most 5 at once {
    let twice = item.n * 2
    when item.gift { step a { call shop.Do { n: twice }  compensate nothing } }
  }
  let all = sum(twice)
  step s { call shop.Sum { all: twice }  compensate nothing }
  step k { call shop.Kept { all: a[*].n }  compensate nothing }
  output { all: all, sum: sum(present(a[*].n)), kept: item[*].n }";
    let (mut story, lines) = begin(text, &[1, 2]);
    let first = ["bound twice[1] 2", "chose when#1[1] 1", "passed item[1]", "bound twice[2] 4", "chose when#1[2] 0"];
    assert_eq!(lines[..5], first, "elements begin in their order");
    assert_eq!(lines[5..], ["called a[2] 1"]);
    story.done("a[2]", &n(9));
    assert_eq!(story.owed(), [r#"do s 1 {"all":[2,4]}"#]);
    story.done("s", &n(0));
    assert_eq!(story.owed(), [r#"do k 1 {"all":[null,9]}"#]);
    assert_eq!(story.done("k", "{}"), ["succeeded k", r#"completed {"all":6,"sum":9,"kept":[1,2]}"#]);
}

#[test]
fn a_failing_element_fails_the_loop_and_what_ran_is_taken_back_from_the_last() {
    let (mut story, _) =
        begin("step s { compensate shop.Undo { of: 0 } } for each item in input.items { @a @b }", &[1, 2, 3]);
    for place in ["a[1]", "b[1]", "a[2]"] {
        story.done(place, &n(0));
    }
    let failed = ["refused b[2] no", "failed saga: no at b[2]", "turned each#1", "called undo a[2] 1"];
    assert_eq!(story.refused("b[2]", "no"), failed, "no third begins");
    assert_eq!(story.owed(), [r#"undo a[2] 1 {"n":0,"of":2}"#], "in a compensation the name is that of the element");
    assert_eq!(story.undone("a[2]"), ["succeeded undo a[2]", "unwound item[2]", "called undo b[1] 1"]);
    assert_eq!(story.undone("b[1]"), ["succeeded undo b[1]", "called undo a[1] 1"]);
    assert_eq!(story.undone("a[1]"), ["succeeded undo a[1]", "unwound item[1]", "called undo s 1"]);
    assert_eq!(story.undone("s"), ["succeeded undo s", "compensated"]);
}

#[test]
fn elements_at_once_settle_and_are_taken_back_at_once_each_from_its_end() {
    let (mut story, _) = begin("for each item in input.items, at most 3 at once { @a @b }", &[1, 2, 3, 4]);
    for place in ["a[1]", "a[2]", "b[2]", "a[3]"] {
        story.done(place, &n(0));
    }
    assert_eq!(
        story.refused("b[3]", "no"),
        ["refused b[3] no", "failed saga: no at b[3]"],
        "b[1] and a[4] are in flight"
    );
    assert_eq!(story.done("b[1]", &n(0)), ["succeeded b[1]"], "and no other begins");
    let turned = ["refused a[4] no", "turned each#1", "unwound item[4]"];
    let undone = ["called undo b[1] 1", "called undo b[2] 1", "called undo a[3] 1"];
    let lines = story.refused("a[4]", "no");
    assert_eq!(lines[..2], turned[..2]);
    let mut rest = lines[2..].to_vec();
    rest.sort();
    assert_eq!(
        rest,
        ["called undo a[3] 1", "called undo b[1] 1", "called undo b[2] 1", "unwound item[4]"],
        "{undone:?}"
    );
    assert_eq!(story.undone("b[2]"), ["succeeded undo b[2]", "called undo a[2] 1"]);
    assert_eq!(story.undone("a[3]"), ["succeeded undo a[3]", "unwound item[3]"]);
    assert_eq!(story.undone("b[1]"), ["succeeded undo b[1]", "called undo a[1] 1"]);
    assert_eq!(story.undone("a[1]"), ["succeeded undo a[1]", "unwound item[1]"]);
    assert_eq!(story.undone("a[2]"), ["succeeded undo a[2]", "unwound item[2]", "compensated"]);
}

#[test]
fn where_nothing_in_it_can_be_taken_back_nothing_is_said_of_its_elements() {
    let text = r#"for each item in input.items { let twice = item.n * 2 } fail "x""#;
    let (_, lines) = begin(text, &[1, 2]);
    assert_eq!(lines[4..], ["failed saga: x at fail#1", "compensated"]);
}

#[test]
fn a_loop_that_has_ended_is_taken_back_as_any_other_statement() {
    let (mut story, _) =
        begin("for each item in input.items { @a } step c { call shop.Do { n: 0 }  compensate nothing }", &[1, 2]);
    story.done("a[1]", &n(0));
    story.done("a[2]", &n(0));
    let failed = ["refused c no", "failed saga: no at c", "turned each#1", "called undo a[2] 1"];
    assert_eq!(story.refused("c", "no"), failed);
    story.undone("a[2]");
    assert_eq!(story.undone("a[1]"), ["succeeded undo a[1]", "unwound item[1]", "compensated"]);
}

#[test]
fn a_try_inside_confines_the_failure_to_the_element() {
    let text = r#"for each item in input.items, at most 2 at once { try { @a @b } catch "no" { let failed = failure.code } }
  output { bs: b[*].n, failed: failed }"#;
    let (mut story, _) = begin(text, &[1, 2, 3]);
    story.done("a[1]", &n(10));
    assert_eq!(story.refused("b[1]", "no"), ["refused b[1] no", "failed try#1[1]: no at b[1]", "called undo a[1] 1"]);
    assert_eq!(story.done("a[2]", &n(20)), ["succeeded a[2]", "called b[2] 1"], "the others go on");
    let caught =
        ["succeeded undo a[1]", "caught try#1[1] 0", r#"bound failed[1] "no""#, "passed item[1]", "called a[3] 1"];
    assert_eq!(story.undone("a[1]"), caught);
    story.done("b[2]", &n(21));
    story.done("a[3]", &n(30));
    let end = ["succeeded b[3]", "passed item[3]", r#"completed {"bs":[null,21,31],"failed":["no",null,null]}"#];
    assert_eq!(story.done("b[3]", &n(31)), end);
}

#[test]
fn a_try_around_it_is_taken_back_and_the_saga_goes_on_without_the_list() {
    let text =
        "try { for each item in input.items, at most 2 at once { @a } } catch { } output { is_there: a != null }";
    let (mut story, _) = begin(text, &[1, 2, 3]);
    story.done("a[1]", &n(0));
    story.refused("a[3]", "no");
    let undo = ["succeeded a[2]", "turned each#1", "called undo a[1] 1", "called undo a[2] 1", "unwound item[3]"];
    let mut lines = story.done("a[2]", &n(0));
    lines[2..].sort();
    assert_eq!(lines, undo);
    story.undone("a[2]");
    let end = ["succeeded undo a[1]", "unwound item[1]", "caught try#1 0", r#"completed {"is_there":false}"#];
    assert_eq!(story.undone("a[1]"), end);
}

#[test]
fn one_that_had_ended_and_is_taken_back_has_no_list_either() {
    let text =
        "try { for each item in input.items { @a } step b { call shop.Do { n: 1 }  compensate nothing } } catch { }
  output { is_there: a != null }";
    let (mut story, _) = begin(text, &[1, 2]);
    story.done("a[1]", &n(0));
    story.done("a[2]", &n(0));
    story.refused("b", "no");
    story.undone("a[2]");
    let end = ["succeeded undo a[1]", "unwound item[1]", "caught try#1 0", r#"completed {"is_there":false}"#];
    assert_eq!(story.undone("a[1]"), end);
}

#[test]
fn an_unknown_outcome_of_an_element_is_taken_back_itself() {
    let text = "for each item in input.items { step a { call shop.Do { n: item.n }  timeout 1s  retry 1 times every 1s
    compensate shop.Undo { n: a.n, of: item.n } } }";
    let (mut story, _) = begin(text, &[1, 2]);
    story.done("a[1]", &n(0));
    assert_eq!(story.wait(), ["paused a[2]"]);
    assert_eq!(story.wait(), ["called a[2] 2"]);
    assert_eq!(story.wait(), ["lost a[2]", "failed saga: timeout at a[2]", "turned each#1", "called undo a[2] 1"]);
    assert_eq!(story.owed(), [r#"undo a[2] 1 {"of":2}"#]);
}

#[test]
fn behind_the_point_of_no_return_each_element_is_repeated_until_it_succeeds() {
    let text = "pivot for each item in input.items, at most 2 at once { step k { call shop.Kept { all: [item.n] } } } output { all: k }";
    let (mut story, lines) = begin(text, &[1, 2]);
    assert_eq!(lines, ["reached pivot#1", "called k[1] 1", "called k[2] 1"]);
    assert_eq!(story.refused("k[2]", "out_of_paper"), ["stuck k[2] undeclared"]);
    assert_eq!(story.summary(), Summary::Stuck);
    assert_eq!(story.done("k[1]", "{}"), ["succeeded k[1]", "passed item[1]"]);
    assert_eq!(story.retry("k[2]"), ["ordered", "called k[2] 2"]);
    assert_eq!(story.done("k[2]", "{}"), ["succeeded k[2]", "passed item[2]", r#"completed {"all":[{},{}]}"#]);
}

#[test]
fn orders_name_the_element() {
    let (mut story, _) = begin("for each item in input.items { @a }", &[1, 2]);
    for place in ["a", "a[3]", "a[0]", "a[01]", "a[1][1]", "item[x]", "a[2"] {
        let rejected = story.retry(place);
        assert!(rejected == ["rejected UnknownStep"] || rejected == ["rejected NotStuck"], "{place}: {rejected:?}");
    }
    story.done("a[1]", &n(0));
    story.refused("a[2]", "no");
    assert_eq!(story.refused("a[1]", "will_not"), ["stuck undo a[1] will_not"]);
    let resolved = ["ordered", "succeeded undo a[1]", "unwound item[1]", "compensated"];
    assert_eq!(story.resolve("a[1]", Direction::Undo), resolved);
}

#[test]
fn a_cancel_takes_the_elements_back() {
    let (mut story, _) = begin("for each item in input.items, at most 2 at once { @a sleep 1h }", &[1, 2]);
    story.done("a[1]", &n(0));
    let cancelled = ["ordered", "failed saga: cancelled at saga", "woke sleep#1[1]"];
    assert_eq!(story.order(Order::Cancel), cancelled);
    let lines = story.done("a[2]", &n(0));
    assert_eq!(lines, ["succeeded a[2]", "turned each#1", "called undo a[1] 1", "called undo a[2] 1"]);
}

#[test]
fn a_thousand_elements_are_the_limit() {
    let numbers: Vec<i32> = (0..1_000).map(|_| 1).collect();
    let (_, lines) = begin("for each item in input.items { let x = item.n }", &numbers);
    assert_eq!(lines.last().unwrap(), "completed {}");
    let more: Vec<i32> = (0..1_001).map(|_| 1).collect();
    let (_, lines) = begin("for each item in input.items { @a }", &more);
    assert_eq!(lines, ["failed saga: invalid at each#1", "compensated"]);
    let (story, lines) = begin("for each item in input.items where item.gift { @a }", &more);
    assert_eq!(lines, ["completed {}"], "of those that are kept");
    assert_eq!(story.journal.len(), 1);
    let (story, lines) = begin("pivot for each item in input.items { step k { call shop.Kept { all: [] } } }", &more);
    assert_eq!(lines, ["reached pivot#1", "stuck each#1 invalid"], "where nothing can be taken back");
    assert_eq!(story.summary(), Summary::Stuck);
}

#[test]
fn loops_inside_each_other_that_wait_for_nothing_come_to_an_end() {
    let text = "for each item in input.items { for each a in input.items { for each b in input.items { for each c in input.items { let x = c.n } } } }";
    let hundred: Vec<i32> = (0..100).collect();
    let (story, lines) = begin(text, &hundred);
    assert_eq!(lines.last().unwrap(), "compensated");
    assert!(lines[lines.len() - 2].starts_with("failed saga: invalid at each#4"), "{:?}", lines[lines.len() - 2]);
    assert!(story.journal[0].events.len() < 50_000);
}

#[test]
fn a_list_that_cannot_be_computed_fails_and_so_does_a_condition() {
    let (_, lines) = begin("for each item in input.items where item.n * item.n > 0 { @a }", &[1]);
    assert_eq!(lines, ["called a[1] 1"]);
    let text = saga("for each item in input.items where item.n * item.n > 0 { @a }");
    let (_, lines) = Story::begin(&text, r#"{"items":[{"n":9223372036854775807,"gift":true}]}"#);
    assert_eq!(lines, ["started", "failed saga: invalid at each#1", "compensated"]);
}

#[test]
fn one_inside_another() {
    let text = "for each item in input.items { for each other in input.items, at most 2 at once { @a } }
  output { all: a[*] }";
    let (mut story, lines) = begin(text, &[1, 2]);
    assert_eq!(lines, ["called a[1][1] 1", "called a[1][2] 1"]);
    story.done("a[1][2]", &n(12));
    let next = ["succeeded a[1][1]", "passed other[1][1]", "passed item[1]"];
    let lines = story.done("a[1][1]", &n(11));
    assert_eq!(lines[..3], next);
    assert_eq!(lines[4..], ["called a[2][1] 1", "called a[2][2] 1"]);
    assert_eq!(story.command("a[2][1]").id.to_string(), "i/1767225600000/a[2][1]/1");
    story.done("a[2][1]", &n(21));
    let lines = story.done("a[2][2]", &n(22));
    assert_eq!(lines.last().unwrap(), r#"completed {"all":[[{"n":11},{"n":12}],[{"n":21},{"n":22}]]}"#);
}

#[test]
fn on_the_way_back_loops_inside_each_other_mirror_what_ran() {
    let text = "for each item in input.items, at most 2 at once { for each other in input.items { @a } }";
    let (mut story, _) = begin(text, &[1, 2]);
    for place in ["a[1][1]", "a[2][1]", "a[2][2]"] {
        story.done(place, &n(0));
    }
    let mut lines = story.refused("a[1][2]", "no");
    assert_eq!(lines[..3], ["refused a[1][2] no", "failed saga: no at a[1][2]", "turned each#1"]);
    lines[3..].sort();
    let both = [
        "called undo a[1][1] 1",
        "called undo a[2][2] 1",
        "turned each#2[1]",
        "turned each#2[2]",
        "unwound other[1][2]",
    ];
    assert_eq!(lines[3..], both);
    assert_eq!(story.undone("a[2][2]"), ["succeeded undo a[2][2]", "unwound other[2][2]", "called undo a[2][1] 1"]);
    let one = ["succeeded undo a[1][1]", "unwound other[1][1]", "unwound item[1]"];
    assert_eq!(story.undone("a[1][1]"), one);
    let last = ["succeeded undo a[2][1]", "unwound other[2][1]", "unwound item[2]", "compensated"];
    assert_eq!(story.undone("a[2][1]"), last);
}

#[test]
fn an_id_is_another_one_in_each_element_and_the_same_after_a_crash() {
    let text = r#"for each item in input.items { step a { call shop.Name { id: id("disk") }  compensate nothing } }
  step b { call shop.Name { id: id("disk") }  compensate nothing }"#;
    let (mut story, _) = begin(text, &[1, 2]);
    let mut ids = vec![story.command("a[1]").payload];
    assert_eq!(ids[0].get(), r#"{"id":"cbfc16df-d7d1-5f72-9371-5f39a87cfb8d"}"#, "of `i/1767225600000[item 1]/disk`");
    assert_eq!(story.copy().command("a[1]").payload, ids[0]);
    story.done("a[1]", "{}");
    ids.push(story.command("a[2]").payload);
    story.done("a[2]", "{}");
    ids.push(story.command("b").payload);
    ids.sort_by(|one, other| one.get().cmp(other.get()));
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[test]
fn a_signal_is_taken_by_the_first_element_that_awaits_it() {
    let text = "for each item in input.items { await go within 1h otherwise { } } output { on: go[*].on }";
    let (mut story, lines) = begin(text, &[1, 2]);
    assert_eq!(lines, ["slept go[1]"]);
    let signal = |on: bool| Order::Signal {
        signal: "go".into(),
        with: Some(saga::json::Json::parse(format!(r#"{{"on":{on}}}"#)).unwrap()),
    };
    assert_eq!(story.order(signal(true)), ["ordered", "took go[1] by o1", "passed item[1]", "slept go[2]"]);
    assert_eq!(story.wait(), ["woke go[2]", "passed item[2]", r#"completed {"on":[true,null]}"#]);
}

#[test]
fn time_runs_for_each_element_by_itself() {
    let text = r#"for each item in input.items, at most 2 at once { try within 5s { @a } catch "deadline" { } }"#;
    let (mut story, lines) = begin(text, &[1, 2]);
    assert_eq!(lines, ["slept try#1[1]", "called a[1] 1", "slept try#1[2]", "called a[2] 1"]);
    assert_eq!(story.done("a[2]", &n(0)), ["succeeded a[2]", "woke try#1[2]", "passed item[2]"]);
    assert_eq!(story.wait(), ["failed try#1[1]: deadline at try#1[1]"]);
    assert_eq!(story.done("a[1]", &n(0)), ["succeeded a[1]", "called undo a[1] 1"]);
    assert_eq!(story.undone("a[1]"), ["succeeded undo a[1]", "caught try#1[1] 0", "passed item[1]", "completed {}"]);
}

#[test]
fn each_element_may_run_a_saga_whose_signals_are_its_own() {
    let text = saga(
        "for each item in input.items, at most 2 at once { step paid { run pay { n: item.n } } } output { all: paid[*].n }",
    );
    let pay = r#"saga pay {
  version 1
  input { n: int }
  signal card { n: int }
  await card within 1h otherwise { fail "no_card" }
  step charge { call shop.Do { n: input.n + card.n }  compensate nothing }
  output { n: charge.n }
}
saga order {"#;
    let (mut story, lines) = Story::begin(&text.replace("saga order {", pay), &items(&[1, 2]));
    assert_eq!(lines[3..], ["slept paid[1].card", "bound paid[2].input {\"n\":2}", "slept paid[2].card"], "{lines:?}");
    let signal = |name: &str| Order::Signal {
        signal: name.into(),
        with: Some(saga::json::Json::parse(r#"{"n":100}"#).unwrap()),
    };
    for name in ["paid.card", "paid[1001].card", "paid.card[1]", "card", "paid[2].input"] {
        assert_eq!(story.order(signal(name)), ["rejected UnknownSignal"], "{name}");
    }
    let took = ["ordered", "took paid[2].card by o6", "called paid[2].charge 1"];
    assert_eq!(story.order(signal("paid[2].card")), took);
    assert_eq!(story.owed(), [r#"do paid[2].charge 1 {"n":102}"#]);
    story.done("paid[2].charge", &n(5));
    story.order(signal("paid[1].card"));
    let end = story.done("paid[1].charge", &n(4));
    assert_eq!(end.last().unwrap(), r#"completed {"all":[4,5]}"#);
}

#[test]
fn a_sub_saga_with_a_point_of_no_return_of_its_own_is_taken_back_as_a_whole_in_its_element() {
    let text = saga(
        "for each item in input.items, at most 2 at once { step paid { run pay { n: item.n }  compensate shop.Undo { n: paid.n, of: item.n } } @z }",
    );
    let pay = "saga pay {
  version 1
  input { n: int }
  step h { call shop.Do { n: input.n }  compensate shop.Undo { n: h.n, of: 0 } }
  pivot step c { call shop.Do { n: input.n } }
  step t { call shop.Kept { all: [] } }
  output { n: c.n }
}
saga order {";
    let (mut story, _) = Story::begin(&text.replace("saga order {", pay), &items(&[1, 2]));
    for place in ["paid[1].h", "paid[1].c", "paid[1].t", "paid[2].h", "paid[2].c"] {
        story.done(place, &n(0));
    }
    // The second is behind its own point of no return, and will not come to its end any more.
    assert_eq!(story.refused("z[1]", "no"), ["refused z[1] no", "failed saga: no at z[1]"]);
    let mut lines = story.done("paid[2].t", "{}");
    lines[1..].sort();
    let back = ["called undo paid[1] 1", "called undo paid[2] 1", "lost paid[2]", "turned each#1"];
    assert_eq!((lines[0].as_str(), &lines[1..]), ("succeeded paid[2].t", &back.map(str::to_owned)[..]));
    story.undone("paid[1]");
    assert_eq!(story.undone("paid[2]"), ["succeeded undo paid[2]", "unwound item[2]", "compensated"]);
}

#[test]
fn scenarios_mean_one_element_or_any() {
    let text = saga("for each item in input.items, at most 5 at once { @a @b }");
    scenarios_hold(&format!(
        r#"{text}
scenario "all is well" for order {{
  given {{ items: [{{ n: 1, gift: false }}, {{ n: 2, gift: true }}] }}
  expect completed
  expect calls a[1], b[1], a[2], b[2]
}}
scenario "in any order of the elements" for order {{
  given {{ items: [{{ n: 1, gift: false }}, {{ n: 2, gift: true }}] }}
  expect calls a, a, b, b
}}
scenario "the second is refused" for order {{
  given {{ items: [{{ n: 1, gift: false }}, {{ n: 2, gift: true }}] }}
  when b[2] fails "no"
  expect compensated "no"
  expect calls a, a, b, b[2], undo b[1], undo a[1], undo a[2]
}}
scenario "every one is refused, and the first counts" for order {{
  given {{ items: [{{ n: 1, gift: false }}, {{ n: 2, gift: true }}] }}
  when a fails "no"
  expect compensated "no"
}}
scenario "what takes the first back cannot" for order {{
  given {{ items: [{{ n: 1, gift: false }}, {{ n: 2, gift: true }}] }}
  when b[2] fails "no"
  when undo a[1] fails
  expect stuck undo a[1]
}}
"#
    ));
}

#[test]
fn an_input_that_comes_again_changes_nothing() {
    let (mut story, _) = begin("for each item in input.items { @a }", &[1, 2]);
    let answer = |story: &Story, index: usize| {
        let sent = story.command(&format!("a[{index}]"));
        let payload = Some(saga::json::Json::parse(n(0)).unwrap());
        let (kind, status) = (saga::engine::ReplyKind::Do, saga::engine::Status::Succeeded);
        Input::Reply(saga::engine::Reply { command: sent.id, kind, attempt: 1, status, payload })
    };
    let first = answer(&story, 1);
    story.tell(&first);
    assert_eq!(story.tell(&first), ["nothing"]);
    let second = answer(&story, 2);
    story.tell(&second);
    assert_eq!(story.tell(&second), ["nothing"]);
}
