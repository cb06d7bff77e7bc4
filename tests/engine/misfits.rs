//! What `apply` takes: of every fact about a step, in every state of it, only what can follow. What stands in a damaged
//! journal, or comes of a mistake in `decide`, ends there.

use saga::check::check_text;
use saga::definition::{Limit, Per};
use saga::engine::{Change, Direction, Event, Failure, Input, Misfit, Order, Outcome, ReplyKind, Status};
use saga::json::Json;
use saga::plan::Plan;
use saga::time::Timestamp;

use super::moves::{Script, failed, plain, step};
use super::shapes::{self, CODE, PivotShape, SagaShape, Shape, UndoShape};

fn begun(pivot: PivotShape, behind: usize, limits: Vec<Limit>) -> Script {
    let behind = (0..behind).map(|_| step()).collect();
    let mut script = Script::of(&SagaShape { before: vec![step(), step()], pivot, behind, deadline: true, limits });
    script.start();
    script
}

fn apply(script: &Script, event: Event) -> Result<(), Misfit> {
    let change = Change { seq: script.instance.seq + 1, at: script.now, events: vec![event] };
    script.instance.clone().apply(script.plan(), &change)
}

/// Every fact about a step and about the whole, with its name.
fn facts(step: &str) -> Vec<(String, Event)> {
    let at = || step.into();
    let (until, limit) = (Timestamp(2_000_000), None);
    let failure = || Failure { code: "no".into(), step: "s1".into(), message: None };
    let mut facts = Vec::new();
    for (side, work) in [("", Direction::Do), ("undo ", Direction::Undo)] {
        let mut both = vec![
            ("queued", Event::Queued { at: at(), work, until: None, limit }),
            ("asked", Event::Asked { at: at(), work, until }),
            ("pended", Event::Pended { at: at(), work, until }),
            ("succeeded", Event::Succeeded { at: at(), work, reply: None }),
            ("stuck", Event::Stuck { at: at(), work, code: "no".into(), message: None }),
        ];
        for attempt in 1..=3 {
            let name = ["called 1", "called 2", "called 3"][attempt as usize - 1];
            both.push((name, Event::Called { at: at(), work, attempt, until, limit }));
        }
        facts.extend(both.into_iter().map(|(name, event)| (format!("{side}{name}"), event)));
    }
    let others = [
        ("refused", Event::Refused { at: at(), code: "no".into(), message: None }),
        ("lost", Event::Lost { at: at() }),
        ("withdrawn", Event::Withdrawn { at: at() }),
        ("woke", Event::Woke { at: at() }),
        ("took", Event::Took { at: at(), request: "r".try_into().unwrap() }),
        ("caught", Event::Caught { at: at(), handler: 0 }),
        ("turned", Event::Turned { at: at() }),
        ("failed", Event::Failed { scope: "saga".into(), failure: failure() }),
        ("late", Event::Late),
        ("completed", Event::Completed { output: Json::empty_object() }),
        ("compensated", Event::Compensated),
    ];
    facts.extend(others.map(|(name, event)| (name.to_owned(), event)));
    facts
}

/// Which of the facts about `s1` can be applied.
fn taken(script: &Script) -> String {
    taken_of(script, "s1")
}

fn taken_of(script: &Script, step: &str) -> String {
    let can_be = |(name, event)| apply(script, event).is_ok().then_some(name);
    facts(step).into_iter().filter_map(can_be).collect::<Vec<_>>().join(", ")
}

fn step_of(limits: Vec<Limit>) -> Script {
    begun(PivotShape::None, 0, limits)
}

#[test]
fn forward_only_what_can_follow_is_applied() {
    let under_way = "queued, asked, pended, succeeded, stuck, called 2, refused, lost, failed, completed";
    let mut script = begun(PivotShape::Step, 1, Vec::new());
    assert_eq!(taken(&script), under_way);
    script.wait();
    assert_eq!(taken(&script), under_way, "paused");
    script.wait();
    assert_eq!(taken(&script), under_way.replace("called 2", "called 3"), "an attempt is the next");
    script.reply("s1", ReplyKind::Do, 2, Status::Succeeded);
    assert_eq!(taken(&script), "failed, completed", "done");
    script.done("s2");
    script.done("s3");
    assert_eq!(taken(&script), "late, completed", "behind the point of no return");
    script.done("s4");
    assert_eq!(taken(&script), "", "completed");
}

#[test]
fn what_waits_for_its_turn_goes_out_or_is_withdrawn() {
    let mut script = step_of(vec![Limit { count: 1, per: Per::Once }]);
    let waits = "asked, pended, succeeded, stuck, called 1, refused, lost, withdrawn, failed, completed";
    assert_eq!(taken(&script), waits);
    script.takes = true;
    script.tell(&Input::Turn("s1".into()));
    script.wait();
    script.takes = false;
    script.wait();
    assert_eq!(taken(&script), waits.replace("called 1", "called 2").replace("withdrawn, ", ""), "it was sent once");
}

#[test]
fn on_the_way_back_only_what_can_follow_is_applied() {
    let under_way =
        "undo queued, undo asked, undo pended, undo succeeded, undo stuck, undo called 2, compensated".to_owned();
    let mut script = step_of(Vec::new());
    script.done("s1");
    assert_eq!(script.refused("s2"), ["refused s2 no", "failed no at s2", "called undo s1 1"]);
    assert_eq!(taken(&script), under_way);
    script.wait();
    script.wait();
    assert_eq!(taken(&script), under_way.replace("called 2", "called 3"));
    script.reply("s1", ReplyKind::Undo, 2, failed("will_not"));
    assert_eq!(taken(&script), under_way.replace("called 2", "called 3"), "stuck");
    let by_hand =
        Order::Resolve { step: "s1".into(), work: Direction::Undo, outcome: Outcome::Succeeded { reply: None } };
    script.order(by_hand);
    assert_eq!(taken(&script), "", "compensated");
}

#[test]
fn while_the_other_branch_settles_what_is_done_may_be_taken_back_and_nothing_is_tried_again() {
    let both = Shape::Parallel(vec![step(), step()]);
    let mut script = Script::of(&SagaShape { deadline: true, ..plain(vec![both]) });
    script.start();
    script.refused("s2");
    assert_eq!(taken(&script), "asked, pended, succeeded, stuck, refused, lost, compensated", "under way");
    script.tell(&Input::Due);
    script.wait();
    assert_eq!(
        taken(&script),
        "undo queued, undo asked, undo pended, undo succeeded, undo stuck, undo called 2, compensated"
    );
}

#[test]
fn a_first_attempt_is_the_first() {
    let mut script = Script::of(&SagaShape { deadline: true, ..plain(vec![step(), step(), step()]) });
    script.start();
    assert_eq!(taken_of(&script, "s2"), "queued, succeeded, stuck, called 1, failed, completed", "not begun");
    script.done("s1");
    script.done("s2");
    assert_eq!(script.refused("s3"), ["refused s3 no", "failed no at s3", "called undo s2 1"]);
    assert_eq!(taken(&script), "undo queued, undo stuck, undo called 1, compensated", "done");
    let both = Shape::Parallel(vec![step(), step()]);
    let limits = vec![Limit { count: 1, per: Per::Once }];
    let mut script = Script::of(&SagaShape { limits, ..plain(vec![step(), both]) });
    script.takes = true;
    script.start();
    script.done("s1");
    script.takes = false;
    script.refused("s3");
    assert_eq!(script.done("s2"), ["succeeded s2", "queued undo s2"]);
    assert_eq!(
        taken_of(&script, "s2"),
        "undo asked, undo pended, undo succeeded, undo stuck, undo called 1, compensated",
        "waits for its turn on the way back"
    );
}

#[test]
fn an_unknown_outcome_is_taken_back_from_the_first_attempt_on() {
    let mut script = Script::of(&plain(vec![Shape::Parallel(vec![step(), step(), step()])]));
    script.start();
    script.reply("s1", ReplyKind::Do, 1, Status::Retry { code: None });
    assert_eq!(script.refused("s2"), ["refused s2 no", "failed no at s2", "lost s1"]);
    assert_eq!(taken(&script), "undo queued, undo stuck, undo called 1, compensated", "s3 is in flight");
}

#[test]
fn before_the_start_and_behind_the_end_nobody_is_called() {
    let mut script = Script::of(&plain(vec![step(), step()]));
    assert_eq!(taken(&script), "succeeded, stuck", "not started");
    script.start();
    script.refused("s1");
    assert_eq!(taken_of(&script, "s2"), "succeeded, stuck", "compensated");
}

/// Which facts about a loop and its element or round can be applied.
fn taken_of_loop(script: &Script, around: &str, inside: &str) -> String {
    let (around, inside) = (|| around.into(), || inside.into());
    let facts = [
        ("passed", Event::Passed { at: inside() }),
        ("judged", Event::Judged { at: inside(), met: false }),
        ("turned", Event::Turned { at: around() }),
        ("unwound", Event::Unwound { at: inside() }),
    ];
    let can_be = |(name, event)| apply(script, event).is_ok().then_some(name);
    facts.into_iter().filter_map(can_be).collect::<Vec<_>>().join(", ")
}

#[test]
fn of_a_loop_only_what_can_follow_is_applied() {
    let each = Shape::Each { window: 1, filtered: false, body: vec![step()] };
    let mut script = Script::of(&plain(vec![each, step()]));
    assert_eq!(taken_of_loop(&script, "each#1", "s1[1]"), "", "not begun");
    script.start_with(&shapes::input(2, false));
    assert_eq!(taken_of_loop(&script, "each#1", "s1[1]"), "passed, turned", "under way");
    script.done("s2[1]");
    script.done("s2[2]");
    assert_eq!(taken_of_loop(&script, "each#1", "s1[2]"), "turned", "over");
    script.refused("s3");
    assert_eq!(taken_of_loop(&script, "each#1", "s1[2]"), "unwound", "turned back");
    script.undone("s2[2]");
    script.undone("s2[1]");
    assert_eq!(taken_of_loop(&script, "each#1", "s1[1]"), "", "taken back");

    let repeat = Shape::Repeat { times: 2, flag: None, body: vec![step()], otherwise: Vec::new() };
    let mut script = Script::of(&plain(vec![repeat, step()]));
    script.start();
    assert_eq!(taken_of_loop(&script, "repeat#1", "round#1[1]"), "judged, turned", "in the first round");
    assert_eq!(taken_of_loop(&script, "repeat#1", "round#1[2]"), "turned", "the second has not begun");
    script.done("s1[1]");
    script.done("s1[2]");
    script.refused("s2");
    assert_eq!(taken_of_loop(&script, "repeat#1", "round#1[2]"), "unwound", "turned back");
    script.undone("s1[2]");
    script.undone("s1[1]");
    assert_eq!(taken_of_loop(&script, "repeat#1", "round#1[1]"), "", "taken back");
}

#[test]
fn a_point_of_no_return_is_reached_while_what_it_stands_in_goes_forward() {
    let reached = |script: &Script, at: &str| apply(script, Event::Reached { at: at.into() }).is_ok();
    let inner = Shape::Run { before: vec![step()], own: Some((PivotShape::Bare, UndoShape::Same)), behind: Vec::new() };
    let mut script = Script::of(&plain(vec![inner]));
    assert!(!reached(&script, "s1.pivot#1"), "not started");
    script.start();
    assert!(reached(&script, "s1.pivot#1"));
    script.order(Order::Cancel);
    assert!(!reached(&script, "s1.pivot#1"), "the saga goes back");

    let text = "saga order { version 1  input { a: bool }  when input.a { pivot } otherwise { pivot } sleep 1s }";
    let checked = check_text("order.saga", text);
    assert!(!checked.has_errors(), "{:?}", checked.findings);
    let mut script = Script::playing(Plan::new(checked.program.sagas["order"].clone()));
    script.start_with(r#"{"a":true}"#);
    assert!(!reached(&script, "pivot#2"), "there is no second one");
}

#[test]
fn a_value_that_cannot_be_computed_is_computed_and_nobody_says_that_it_is_done() {
    let stuck = |behind: &str, line: &str| {
        let text = format!(
            "saga pay {{ version 1  input {{ n: int }}  let m = input.n  output {{ n: m * 9223372036854775807 }} }}
saga order {{ version 1  input {{ n: int }}  pivot  {behind} }}"
        );
        let checked = check_text("order.saga", &text);
        assert!(!checked.has_errors(), "{:?}", checked.findings);
        let mut script = Script::playing(Plan::new(checked.program.sagas["order"].clone()));
        assert_eq!(script.start_with(r#"{"n":7}"#).last().unwrap(), line);
        script
    };
    let value = stuck("let x = input.n * 9223372036854775807", "stuck x invalid");
    assert_eq!(taken_of(&value, "x"), "stuck, late, completed");
    let saga = stuck("step x { run pay { n: input.n } }", "stuck x invalid");
    assert_eq!(taken_of(&saga, "x"), "succeeded, stuck, late, completed", "but the output of a saga that is done");
}

#[test]
fn what_does_not_fit_is_named_with_its_place() {
    let mut script = step_of(Vec::new());
    script.refused("s1");
    let failure = Failure { code: CODE.into(), step: "s2".into(), message: None };
    for (event, expected) in [
        (
            Event::Failed { scope: "saga".into(), failure },
            "apply `failed` at `s2`: it cannot happen while that is compensated",
        ),
        (Event::Late, "apply `late` at `saga`: it cannot happen while that is compensated"),
    ] {
        assert_eq!(apply(&script, event).unwrap_err().to_string(), expected);
    }
}
