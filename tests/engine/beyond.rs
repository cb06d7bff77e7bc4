//! A pivot step that is called beyond its retries: it goes on by itself, and is shown as stuck since then. Of each attempt that is
//! repeated it is known why.

use saga::engine::{Attempt, Instance, Order, ReplyKind, Rest, State, Status, Summary, Why};
use saga::time::Timestamp;

use super::moves::{Script, step};
use super::shapes::PivotShape;

/// The attempts of `s2`, which are the same where the instance has been at rest.
fn attempt(script: &Script) -> Option<Attempt> {
    let at = script.plan().find("s2").unwrap();
    let of = |instance: &Instance| instance.state(at).and_then(State::attempt).map(|(_, attempt)| attempt.clone());
    let (mut rest, mut bytes) = (Rest::default(), Vec::new());
    rest.put(&script.instance, script.plan(), &mut bytes);
    let woken = rest.wake(script.instance.id.clone(), script.plan(), &bytes).unwrap();
    assert_eq!(of(&woken), of(&script.instance));
    of(&script.instance)
}

/// Since when it is called beyond its retries.
fn beyond(script: &Script) -> Option<Timestamp> {
    attempt(script).and_then(|attempt| attempt.beyond)
}

/// Why the attempt before is repeated.
fn repeated(script: &Script) -> Option<Why> {
    attempt(script).and_then(|attempt| attempt.repeated.map(|why| *why))
}

#[test]
fn why_an_attempt_is_repeated_is_known_until_it_is_over() {
    let mut script = Script::new(vec![step()], PivotShape::Step, Vec::new(), false);
    script.start();
    script.done("s1");
    assert_eq!(repeated(&script), None, "it is the first one");
    assert_eq!(script.reply("s2", ReplyKind::Do, 1, Status::Retry { code: Some("busy".into()) }), ["paused s2"]);
    let busy = Some(Why::Asked("busy".into()));
    assert_eq!(repeated(&script), busy);
    assert_eq!(script.wait(), ["called s2 2"]);
    assert_eq!(repeated(&script), busy, "while the next one is under way");
    assert_eq!(script.wait(), ["asked s2"]);
    assert_eq!(repeated(&script), busy);
    assert_eq!(script.wait(), ["paused s2"]);
    assert_eq!(repeated(&script), Some(Why::Silence), "the latest counts");
    assert_eq!(script.order(Order::Retry { step: None }), ["ordered", "called s2 3"]);
    assert_eq!(repeated(&script), None, "what was before an order is over");
}

#[test]
fn a_pivot_past_its_retries_is_shown_as_stuck_and_goes_on() {
    let mut script = Script::new(vec![step()], PivotShape::Step, Vec::new(), false);
    script.start();
    script.done("s1");
    let mut since = None;
    for attempt in 2..=6 {
        assert_eq!(script.wait(), ["asked s2"]);
        assert_eq!(script.wait(), ["paused s2"]);
        assert_eq!(script.wait(), [format!("called s2 {attempt}")]);
        assert_eq!(script.summary(), if attempt > 3 { Summary::Stuck } else { Summary::Running });
        if attempt == 4 {
            since = Some(script.now);
        }
        assert_eq!(beyond(&script), since, "since the first attempt beyond its retries");
    }
    assert_eq!(script.wait(), ["asked s2"]);
    assert_eq!(script.wait(), ["paused s2"]);
    assert_eq!(script.order(Order::Retry { step: None }), ["ordered", "called s2 7"]);
    assert_eq!((script.summary(), beyond(&script)), (Summary::Running, None), "an order gives it all its retries");
    assert_eq!(script.reply("s2", ReplyKind::Do, 4, Status::Succeeded), ["succeeded s2", "completed {}"]);
}
