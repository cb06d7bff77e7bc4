//! How long is waited before the next attempt.

use std::time::Duration;

use saga::check::check_text;
use saga::engine::{Input, Instance, InstanceId, Order, ReplyKind, Run, Status};
use saga::plan::Plan;
use saga::time::Timestamp;

use super::moves::{Script, failed, plain, step};
use super::shapes::{PivotShape, SagaShape, Shape};

/// The pauses before the second and third attempt of the only step of this instance, in milliseconds.
fn pauses(id: &str) -> [u64; 2] {
    let mut script = Script::of(&plain(vec![step()]));
    script.instance = Instance::new(InstanceId::try_from(id).unwrap(), Run(script.now.0), script.plan());
    script.start();
    [1, 2].map(|attempt| {
        assert_eq!(script.wait(), ["paused s1"]);
        let begins = script.now;
        assert_eq!(script.wait(), [format!("called s1 {}", attempt + 1)]);
        script.now.0 - begins.0
    })
}

#[test]
fn pauses_double_and_are_lengthened_by_up_to_a_fifth_for_each_instance_otherwise() {
    let all: Vec<[u64; 2]> = (0..200).map(|number| pauses(&format!("order-{number}"))).collect();
    for (index, base) in [(0, 1_000), (1, 2_000)] {
        let longer: Vec<u64> = all.iter().map(|pauses| pauses[index] - base).collect();
        let (least, most) = (longer.iter().min().unwrap(), longer.iter().max().unwrap());
        assert!(*least < base / 50 && (base / 6..=base / 5).contains(most), "from {least} to {most} ms: {longer:?}");
    }
    let alike = all.iter().filter(|[first, second]| first * 2 == *second).count();
    assert!(alike < 10, "not by the same part for each attempt: {alike} of 200");
}

#[test]
fn an_order_to_try_again_gives_all_retries_anew() {
    let mut script = Script::of(&plain(vec![step(), step()]));
    script.start();
    script.done("s1");
    script.refused("s2");
    script.reply("s1", ReplyKind::Undo, 1, failed("will_not"));
    assert_eq!(script.order(Order::Retry { step: Some("s1".into()) }), ["ordered", "called undo s1 2"]);
    for attempt in 3..=4 {
        assert_eq!(script.wait(), ["paused undo s1"]);
        assert_eq!(script.wait(), [format!("called undo s1 {attempt}")]);
    }
    assert_eq!(script.wait(), ["stuck undo s1 timeout"], "two retries, and no more");
}

/// A saga of one step that has an hour for all its attempts, at a participant that takes one command at once.
fn within_an_hour() -> Script {
    one("step take { call shop.Take  timeout 10m  within 1h  compensate shop.Give }")
}

pub(super) fn one(step: &str) -> Script {
    let text = format!(
        r#"
participant shop {{ commands "shop"  at most 1 at once  command Take  command Give }}
saga order {{
  version 1
  {step}
}}
"#
    );
    let checked = check_text("order.saga", &text);
    assert!(!checked.has_errors(), "{:?}", checked.findings);
    Script::playing(Plan::new(checked.program.sagas["order"].clone()))
}

fn start(script: &mut Script) -> Vec<String> {
    script.start_with("{}")
}

#[test]
fn what_will_be_answered_later_is_waited_for_as_long_as_its_attempts_have_or_else_a_day() {
    let mut script = within_an_hour();
    let begins = script.now;
    script.takes = true;
    assert_eq!(start(&mut script), ["started", "called take 1"]);
    assert_eq!(script.reply("take", ReplyKind::Do, 1, Status::Pending), ["pended take"]);
    assert_eq!(script.instance.next_due(script.plan()), Some(begins.after(Duration::from_hours(1))));

    let mut script = Script::of(&plain(vec![step()]));
    script.start();
    assert_eq!(script.reply("s1", ReplyKind::Do, 1, Status::Pending), ["pended s1"]);
    assert_eq!(script.instance.next_due(script.plan()), Some(script.now.after(Duration::from_hours(24))));
}

#[test]
fn the_time_of_all_attempts_begins_with_the_first_and_anew_with_an_order_to_try_again() {
    let hour = Duration::from_hours(1);
    for is_ordered in [false, true] {
        let mut script = within_an_hour();
        let begins = script.now;
        script.takes = true;
        start(&mut script);
        assert_eq!(script.wait(), ["paused take"]);
        let begins = if is_ordered {
            assert_eq!(script.order(Order::Retry { step: None }), ["ordered", "called take 2"]);
            script.now
        } else {
            assert_eq!(script.wait(), ["called take 2"]);
            begins
        };
        script.reply("take", ReplyKind::Do, 2, Status::Pending);
        assert_eq!(script.instance.next_due(script.plan()), Some(begins.after(hour)), "ordered: {is_ordered}");
    }
    // The same where it waits for its turn.
    let mut script = within_an_hour();
    script.takes = true;
    start(&mut script);
    assert_eq!(script.wait(), ["paused take"]);
    script.takes = false;
    assert_eq!(script.order(Order::Retry { step: None }), ["ordered", "queued take"]);
    let ends = script.now.after(hour);
    assert_eq!(script.instance.next_due(script.plan()), Some(ends));
    assert_eq!(script.tell(&Input::Turn("take".into())), ["called take 2"]);
    script.reply("take", ReplyKind::Do, 2, Status::Pending);
    assert_eq!(script.instance.next_due(script.plan()), Some(ends), "and once it is its turn");
}

#[test]
fn what_came_due_while_nobody_looked_and_is_something_else_by_now_is_left_alone() {
    let mut script = Script::of(&SagaShape { deadline: true, ..plain(vec![step()]) });
    script.start();
    assert_eq!(script.reply("s1", ReplyKind::Do, 1, Status::Pending), ["pended s1"]);
    script.now = script.now.after(Duration::from_hours(25));
    let undone = ["failed deadline at saga", "lost s1", "called undo s1 1"];
    assert_eq!(script.tell(&Input::Due), undone, "the day of `pending` is over too, and s1 is being taken back");
}

#[test]
fn a_turn_that_comes_when_its_time_is_over_is_not_taken() {
    let mut script = within_an_hour();
    assert_eq!(start(&mut script), ["started", "queued take"]);
    let ends = script.instance.next_due(script.plan()).unwrap();
    assert_eq!(ends, script.now.after(Duration::from_hours(1)));
    let mut early = within_an_hour();
    start(&mut early);
    early.now = Timestamp(ends.0 - 1);
    assert_eq!(early.tell(&Input::Turn("take".into())), ["called take 1"], "there is a millisecond left");
    script.now = ends;
    assert_eq!(
        script.tell(&Input::Turn("take".into())),
        ["withdrawn take", "failed timeout at take", "compensated"],
        "nobody has noticed yet"
    );
    let why = script.instance.failure().unwrap().message.as_deref();
    assert_eq!(why, Some("its turn at `shop` (at most 1 at once) did not come in time"));
}

#[test]
fn a_turn_is_waited_for_as_long_as_its_attempts_have_and_without_an_end_where_they_have_none_or_it_is_the_pivot() {
    for step in [
        "step take { call shop.Take  timeout 10m  compensate shop.Give }",
        "pivot step take { call shop.Take  timeout 10m  within 1h }",
    ] {
        let mut script = one(step);
        assert_eq!(start(&mut script), ["started", "queued take"]);
        assert_eq!(script.instance.next_due(script.plan()), None, "{step}");
    }
}

#[test]
fn what_will_be_answered_later_in_the_last_instant_of_its_attempts_has_a_day() {
    let mut script = within_an_hour();
    let ends = script.now.after(Duration::from_hours(1));
    script.takes = true;
    start(&mut script);
    script.now = ends;
    assert_eq!(script.reply("take", ReplyKind::Do, 1, Status::Pending), ["pended take"]);
    assert_eq!(script.instance.next_due(script.plan()), Some(ends.after(Duration::from_hours(24))));
}

#[test]
fn a_deadline_that_came_due_while_nobody_looked_does_not_act_on_the_pivot_that_a_pause_before_it_has_begun() {
    let shape = SagaShape { pivot: PivotShape::Step, deadline: true, ..plain(vec![Shape::Sleep(3)]) };
    let mut script = Script::of(&shape);
    script.start();
    script.now = script.now.after(Duration::from_hours(1));
    assert_eq!(script.tell(&Input::Due), ["woke", "called s1 1"]);
}

#[test]
fn at_the_very_end_of_the_time_of_all_attempts_nothing_is_sent_any_more() {
    let take = |within: &str| {
        let mut script = one(&format!(
            "step take {{ call shop.Take  timeout 1s  {within}  retry 1 times every 1s  compensate shop.Give }}"
        ));
        script.takes = true;
        start(&mut script);
        script
    };
    let mut script = take("");
    let begins = script.now;
    assert_eq!(script.wait(), ["paused take"]);
    let next = script.instance.next_due(script.plan()).unwrap().0 - begins.0;
    assert_eq!(take(&format!("within {}ms", next + 1)).wait(), ["paused take"]);
    assert_eq!(take(&format!("within {next}ms")).wait()[0], "lost take", "no second attempt");

    let text = r#"
participant shop { commands "shop"  answers queries  command Take  command Give }
saga order { version 1  step take { call shop.Take  timeout 10m  within 10m  compensate shop.Give } }
"#;
    let checked = check_text("order.saga", text);
    let mut script = Script::playing(Plan::new(checked.program.sagas["order"].clone()));
    start(&mut script);
    assert_eq!(script.wait()[0], "lost take", "no question");
}
