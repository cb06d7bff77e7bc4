//! A pivot step that is called beyond its retries: it goes on by itself, and is shown as stuck since then.

use saga::engine::{Instance, Order, ReplyKind, Rest, State, Status, Summary};
use saga::time::Timestamp;

use super::moves::{Script, step};
use super::shapes::PivotShape;

/// Since when `s2` is called beyond its retries, also where the instance has been at rest.
fn beyond(script: &Script) -> Option<Timestamp> {
    let at = script.plan().find("s2").unwrap();
    let of = |instance: &Instance| instance.state(at).and_then(State::attempt).and_then(|(_, attempt)| attempt.beyond);
    let (mut rest, mut bytes) = (Rest::default(), Vec::new());
    rest.put(&script.instance, script.plan(), &mut bytes);
    let woken = rest.wake(script.instance.id.clone(), script.plan(), &bytes).unwrap();
    assert_eq!(of(&woken), of(&script.instance));
    of(&script.instance)
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
