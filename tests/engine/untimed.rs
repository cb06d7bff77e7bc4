//! Instances without their clock, as whoever explores all orders of things takes them: what is told apart, and what is not.

use std::time::Duration;

use saga::engine::{Attempt, Input, Instance, Order, ReplyKind, Status};
use saga::time::Timestamp;

use super::moves::{Script, plain, step};
use super::shapes::{CODE, SagaShape};
use super::timing::one;

const PAST: Timestamp = Timestamp(1);
const FUTURE: Timestamp = Timestamp(9_000_000_000_000);

fn blurred(script: &Script, keeps_words: bool) -> Instance {
    let mut instance = script.instance.clone();
    instance.blur(script.plan(), (PAST, FUTURE), keeps_words);
    instance
}

/// Of the only step that has any.
fn attempt(instance: &Instance) -> &Attempt {
    instance.states().find_map(|(_, state)| state.attempt()).expect("it is under way").1
}

/// A step with five attempts, which goes on behind the last.
fn pivot() -> Script {
    let mut script = one("pivot step take { call shop.Take  timeout 1s  retry 4 times every 1s }");
    assert_eq!(script.start_with("{}"), ["started", "queued take"]);
    script
}

/// Of the next seven attempts, the numbers that they have without a clock; and the last ones, where they become that.
fn told_apart(script: &mut Script) -> [Vec<u32>; 2] {
    let [mut numbers, mut last] = [Vec::new(), Vec::new()];
    for _ in 0..7 {
        numbers.push(attempt(&blurred(script, false)).number);
        let mut later = script.instance.clone();
        if later.exhaust(script.plan(), 0) {
            last.push(attempt(&later).number);
        } else {
            assert_eq!(later, script.instance);
        }
        assert_eq!(script.wait(), ["paused take"]);
        script.wait();
    }
    [numbers, last]
}

#[test]
fn the_first_attempt_the_second_the_last_and_those_past_it_are_told_apart_and_no_others() {
    let mut script = pivot();
    assert!(!script.instance.clone().exhaust(script.plan(), 0), "none has gone out");
    script.takes = true;
    script.tell(&Input::Turn("take".into()));
    let mut ordered = pivot();
    assert_eq!(told_apart(&mut script), [vec![1, 2, 2, 2, 5, 6, 6], vec![5; 4]]);

    ordered.takes = true;
    ordered.tell(&Input::Turn("take".into()));
    for lines in [["paused take"], ["called take 2"], ["paused take"], ["called take 3"], ["paused take"]] {
        assert_eq!(ordered.wait(), lines);
    }
    assert_eq!(ordered.order(Order::Retry { step: None }), ["ordered", "called take 4"]);
    let [numbers, last] = told_apart(&mut ordered);
    assert_eq!(
        (numbers, last),
        (vec![2, 3, 3, 3, 6, 7, 7], vec![8; 4]),
        "there were others before, and no matter how many"
    );
}

/// A saga on its way to a compensation that waits for a person: each time as it is, without the clock, and without it but
/// with the words.
fn stages(late: Duration, why: &str) -> Vec<[Instance; 3]> {
    let mut script = Script::of(&SagaShape { deadline: true, ..plain(vec![step(), step()]) });
    let says = |code: &str| Status::Failed { code: code.into(), message: Some(why.to_owned()) };
    let stage = |number: usize| {
        script.now = script.now.after(late);
        match number {
            0 => script.start(),
            1 => script.done("s1"),
            2 => script.reply("s2", ReplyKind::Do, 1, says(CODE)),
            _ => script.reply("s1", ReplyKind::Undo, 1, says("will_not")),
        };
        [script.instance.clone(), blurred(&script, false), blurred(&script, true)]
    };
    (0..4).map(stage).collect()
}

#[test]
fn those_that_differ_in_when_and_in_words_for_people_are_one() {
    let [soon, late] = [(1, "sold out"), (2, "none left")].map(|(late, why)| stages(Duration::from_secs(late), why));
    for ([one, blurred, _], [other, same, _]) in soon.iter().zip(&late) {
        assert_ne!(one, other);
        assert_eq!(blurred, same);
    }
    let [[_, begun, _], _, [_, failing, worded], [_, stuck, _]] = soon.as_slice() else { panic!("four stages") };
    assert_eq!((begun.deadline, attempt(begun).limit), (FUTURE, Timestamp::NEVER), "what never comes stays so");
    assert_eq!(failing.deadline, Timestamp::NEVER, "it fails already");
    let words = |instance: &Instance| instance.failure().and_then(|failure| failure.message.clone());
    assert_eq!((words(failing), words(worded).as_deref()), (None, Some("sold out")), "where an expression reads them");
    assert!(matches!(stuck.states().next(), Some((_, state)) if state.words() == "stuck"));
}

#[test]
fn a_wait_ends_when_it_is_told_to_and_is_what_it_was_again() {
    for (within, has_limit) in [("within 1h", true), ("", false)] {
        let mut script = one(&format!("step take {{ call shop.Take  timeout 10m  {within}  compensate shop.Give }}"));
        script.takes = true;
        script.start_with("{}");
        let mut later = script.instance.clone();
        later.let_end(0, PAST, false);
        assert_eq!(later.next_due(script.plan()), Some(PAST));
        assert_eq!(attempt(&later).limit, attempt(&script.instance).limit);
        later.let_end(0, PAST, true);
        assert_eq!(attempt(&later).limit == PAST, has_limit);
        later.change_back(0, &script.instance);
        assert_eq!(later, script.instance);
    }
}
