//! Instances with many states: those are kept otherwise than few, in common with copies, and nobody notices.

use std::time::Duration;

use saga::engine::{self, Decision, Direction, Input, Order, OrderRequest, Outcome, ReplyKind, RequestId, Status};
use saga::time::Timestamp;

use super::moves::{Script, plain, step};
use super::shapes::{self, Shape};

/// More than stand in a vector.
const MANY: usize = 36;

#[test]
fn of_those_that_wait_each_is_over_when_its_time_is() {
    // Three elements of twelve branches: half of them wait twice, so that some of what is due at last has just begun.
    let twice = Shape::Sequence(vec![Shape::Sleep(1), Shape::Sleep(2)]);
    let branches = [vec![twice; 6], vec![Shape::Sleep(3); 6]].concat();
    let each = Shape::Each { window: 3, filtered: false, body: vec![Shape::Parallel(branches)] };
    let count = |lines: &[String], word: &str| lines.iter().filter(|line| *line == word).count();
    for late in [0, 1] {
        let mut script = Script::of(&plain(vec![each.clone()]));
        let ends = script.now.after(Duration::from_secs(3));
        script.start_with(&shapes::input(3, false));
        let lines = script.wait();
        assert_eq!((count(&lines, "woke"), count(&lines, "slept"), lines.len()), (18, 18, 36), "{lines:?}");
        assert_eq!(script.instance.next_due(script.plan()), Some(ends));
        script.now = Timestamp(ends.0 - 1);
        assert_eq!(script.tell(&Input::Due), ["nothing"]);
        script.now = Timestamp(ends.0 + late);
        let lines = script.tell(&Input::Due);
        assert_eq!((count(&lines, "woke"), lines.last().unwrap().as_str()), (36, "completed {}"), "{lines:?}");
    }
}

#[test]
fn what_is_over_is_under_way_no_more() {
    let mut script = Script::of(&plain(vec![Shape::Parallel((0..MANY).map(|_| step()).collect())]));
    script.start();
    let first = script.instance.next_due(script.plan()).unwrap();
    for number in 1..MANY {
        assert_eq!(script.done(&format!("s{number}")), [format!("succeeded s{number}")]);
        script.instance.fold_in();
    }
    assert_eq!(script.instance.next_due(script.plan()), Some(first), "the last is waited for");
    let last = format!("s{MANY}");
    script.now = first;
    assert_eq!(script.tell(&Input::Due), [format!("paused {last}")]);
    script.instance.fold_in();
    assert!(script.instance.next_due(script.plan()).unwrap() > first, "nothing is due twice");
    let lines = script.refused(&last);
    let undone = lines.iter().filter(|line| line.starts_with("called undo")).count();
    assert_eq!(undone, MANY - 1, "all has settled: {lines:?}");
}

#[test]
fn each_stands_there_once_in_every_copy_whatever_they_have_in_common() {
    let all = Shape::Parallel((0..MANY).map(|_| step()).collect());
    let mut script = Script::of(&plain(vec![all, step()]));
    script.start();
    let mut copies = vec![script.instance.clone()];
    for number in 1..=MANY {
        script.done(&format!("s{number}"));
        copies.push(script.instance.clone());
    }
    for (number, copy) in copies.iter().enumerate() {
        let states: Vec<&str> = copy.states().map(|(_, state)| state.words()).collect();
        let done = states.iter().filter(|words| **words == "done").count();
        // Behind the last of them another one begins.
        assert_eq!((done, states.len()), (number, if number == MANY { MANY + 1 } else { MANY }));
    }
}

#[test]
fn a_round_that_has_begun_is_taken_back() {
    let repeat = Shape::Repeat { times: 2, flag: None, body: vec![step()], otherwise: Vec::new() };
    let branches = [vec![repeat], vec![Shape::Sleep(3); MANY], vec![step()]].concat();
    for folds_in in [false, true] {
        let mut script = Script::of(&plain(vec![Shape::Parallel(branches.clone())]));
        script.start();
        script.done("s1[1]");
        assert_eq!(script.done("s1[2]"), ["succeeded s1[2]", "judged"]);
        if folds_in {
            script.instance.fold_in();
        }
        assert_eq!(script.refused("s2").last().unwrap(), "called undo s1[2] 1", "{folds_in}");
    }
}

/// A step in a loop is there as often as there are elements: an order for it means those that are stuck or pause, or by an index one.
#[test]
fn an_order_for_a_step_in_a_loop_means_all_elements_or_the_one_that_it_names() {
    let mut script = Script::of(&plain(vec![Shape::Each { window: 3, filtered: false, body: vec![step()] }]));
    script.start_with(&shapes::input(3, false));
    let retry = |step: &str| Order::Retry { step: Some(step.into()) };
    let refused = |script: &Script, order: Order| {
        let request = OrderRequest { request: RequestId::try_from("o").unwrap(), order, by: None, reason: None };
        let decided =
            engine::decide(script.plan(), &script.instance, script.now, &Input::Order(request), &mut |_, _| true);
        match decided {
            Decision::Rejected(rejection) => rejection.message,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        refused(&script, retry("s2")),
        "`s2` is stuck or pauses in no element or round: there is nothing to repeat"
    );
    assert_eq!(refused(&script, retry("s2[1]")), "`s2[1]` is being done: there is nothing to repeat");
    assert!(refused(&script, retry("nobody")).contains("has no step `nobody`"));
    let outcome = Outcome::Succeeded { reply: None };
    let resolve = Order::Resolve { step: "s2".into(), work: Direction::Do, outcome };
    assert_eq!(
        refused(&script, resolve),
        "`s2` stands in a loop: say in which element or round, as in `s2[1]`",
        "nobody knows that of all of them at once"
    );
    let pause = |script: &mut Script, element: &str, attempt| {
        script.reply(element, ReplyKind::Do, attempt, Status::Retry { code: None });
    };
    pause(&mut script, "s2[1]", 1);
    pause(&mut script, "s2[3]", 1);
    assert_eq!(script.order(retry("s2[3]")), ["ordered", "called s2[3] 2"]);
    pause(&mut script, "s2[3]", 2);
    assert_eq!(script.order(retry("s2")), ["ordered", "called s2[1] 2", "called s2[3] 3"]);
}
