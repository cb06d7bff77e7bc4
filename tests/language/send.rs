//! **send.** A message is never answered; its step is done when the log has acknowledged it, and cannot fail.

use saga::engine::{Direction, Input, Order, Outcome, Reply, ReplyKind, Status, Summary};
use saga::json::Json;

use super::Story;

const TOLD: &str = r#"
participant shop {
  command Take { n: int } returns { kind: string } fails "gone"
  command Give { n: int }
  message Asked { n: int, kind: string? }
  message Unasked as "not-asked" { why: string }
}
saga order {
  version 1
  input { n: int }
  step ask { send shop.Asked { n: input.n }  compensate send shop.Unasked { why: failure.code } }
  step take { call shop.Take { n: input.n }  compensate shop.Give { n: input.n } }
  pivot
  step tell { send shop.Asked { n: input.n, kind: take.kind } }
  output { there: ask }
}
"#;

#[test]
fn a_step_that_sends_is_done_when_the_log_has_acknowledged_it() {
    let (mut story, lines) = Story::begin(TOLD, r#"{"n":2}"#);
    assert_eq!(lines, ["started", "sent ask 1"]);
    assert_eq!(story.owed(), [r#"message ask 1 {"n":2}"#]);
    assert_eq!(story.instance.next_due(&story.plan), None, "it waits for the log, and for no time");
    assert_eq!(story.acknowledged("ask"), ["succeeded ask", "called take 1"]);
    assert_eq!(story.done("take", r#"{"kind":"b"}"#), ["succeeded take", "reached pivot#1", "sent tell 1"]);
    assert_eq!(story.owed(), [r#"message tell 1 {"n":2,"kind":"b"}"#]);
    assert_eq!(story.acknowledged("tell"), ["succeeded tell", r#"completed {"there":{}}"#]);
}

#[test]
fn nobody_else_can_answer_a_message() {
    let (mut story, _) = Story::begin(TOLD, r#"{"n":2}"#);
    let command = story.command("ask").id;
    for status in [Status::Succeeded, Status::Pending, Status::Failed { code: "no".into(), message: None }] {
        let reply = Reply { command: command.clone(), kind: ReplyKind::Do, attempt: 1, status, payload: None };
        assert_eq!(story.tell(&Input::Reply(reply)), ["rejected NotSent"]);
    }
    story.acknowledged("ask");
    let late = saga::engine::Acknowledged { command, attempt: 1 };
    assert_eq!(story.tell(&Input::Acknowledged(late)), ["nothing"], "the log's word counts once");
}

#[test]
fn what_was_sent_is_taken_back_by_a_message_with_an_id_of_its_own() {
    let (mut story, _) = Story::begin(TOLD, r#"{"n":2}"#);
    story.acknowledged("ask");
    assert_eq!(story.refused("take", "gone"), ["refused take gone", "failed saga: gone at take", "sent undo ask 1"]);
    let undo = story.command("ask");
    assert_eq!((undo.id.to_string(), undo.wire.as_str()), (format!("i/{}/ask~/1", super::START.0), "not-asked"));
    assert_eq!(story.owed(), [r#"message ask 1 {"why":"gone"}"#]);
    let reply = Reply { command: undo.id, kind: ReplyKind::Do, attempt: 1, status: Status::Succeeded, payload: None };
    assert_eq!(story.tell(&Input::Reply(reply)), ["rejected NotSent"], "nor can anybody answer that");
    assert_eq!(story.acknowledged("ask"), ["succeeded undo ask", "compensated"]);
}

#[test]
fn a_late_word_about_the_message_is_none_about_the_one_that_takes_it_back() {
    let (mut story, _) = Story::begin(TOLD, r#"{"n":2}"#);
    let command = story.command("ask").id;
    story.acknowledged("ask");
    story.refused("take", "gone");
    let late = saga::engine::Acknowledged { command, attempt: 1 };
    assert_eq!(story.tell(&Input::Acknowledged(late)), ["nothing"]);
    assert_eq!(story.owed(), [r#"message ask 1 {"why":"gone"}"#]);
}

#[test]
fn a_message_that_the_log_refuses_for_good_makes_the_saga_stuck_there() {
    let (mut story, _) = Story::begin(TOLD, r#"{"n":2}"#);
    assert_eq!(story.refused_by_log("ask"), ["stuck ask refused_by_log"]);
    assert_eq!((story.summary(), story.owed().len()), (Summary::Stuck, 0));
    assert_eq!(story.retry("ask"), ["ordered", "sent ask 2"]);
    assert_eq!(story.refused_by_log("ask"), ["stuck ask refused_by_log"]);
    assert_eq!(story.resolve("ask", Direction::Do), ["ordered", "succeeded ask", "called take 1"], "told by hand");
}

#[test]
fn nobody_answers_a_message_by_hand_either() {
    let (mut story, _) = Story::begin(TOLD, r#"{"n":2}"#);
    story.refused_by_log("ask");
    let outcome = Outcome::Succeeded { reply: Some(Json::parse(r#"{"n":7}"#).unwrap()) };
    story.order(Order::Resolve { step: "ask".into(), work: Direction::Do, outcome });
    story.done("take", r#"{"kind":"b"}"#);
    assert_eq!(story.acknowledged("tell"), ["succeeded tell", r#"completed {"there":{}}"#]);
}

#[test]
fn a_stuck_message_holds_no_cancel_up() {
    let (mut story, _) = Story::begin(TOLD, r#"{"n":2}"#);
    story.refused_by_log("ask");
    let cancelled = story.order(Order::Cancel);
    assert_eq!(cancelled, ["ordered", "failed saga: cancelled at saga", "lost ask", "sent undo ask 1"]);
    assert_eq!(story.acknowledged("ask"), ["succeeded undo ask", "compensated"]);
}

#[test]
fn a_failing_saga_waits_for_the_log_and_then_takes_the_message_back() {
    let (mut story, _) = Story::begin(TOLD, r#"{"n":2}"#);
    assert_eq!(story.order(Order::Cancel), ["ordered", "failed saga: cancelled at saga"]);
    assert_eq!(story.owed(), [r#"message ask 1 {"n":2}"#]);
    assert_eq!(story.acknowledged("ask"), ["succeeded ask", "sent undo ask 1"]);
    assert_eq!(story.refused_by_log("ask"), ["stuck undo ask refused_by_log"]);
    assert_eq!(story.resolve("ask", Direction::Undo), ["ordered", "succeeded undo ask", "compensated"]);
}

#[test]
fn a_pivot_can_be_a_message_and_is_passed_with_it() {
    let text = r#"
participant mail { message Told { text: string } }
saga tell {
  version 1
  pivot step tell { send mail.Told { text: "now" } }
}
"#;
    let (mut story, lines) = Story::begin(text, "{}");
    assert_eq!(lines, ["started", "sent tell 1"]);
    assert_eq!(story.order(Order::Cancel), ["rejected PastPivot"], "its outcome is open");
    assert_eq!(story.acknowledged("tell"), ["succeeded tell", "completed {}"]);
}

#[test]
fn a_scenario_lists_messages_among_the_calls() {
    let text = format!(
        r#"{TOLD}
scenario "gone" for order {{
  given {{ n: 1 }}
  when take fails "gone"
  expect compensated "gone"
  expect calls ask, take, undo ask
}}
scenario "there" for order {{
  given {{ n: 1 }}
  expect completed {{ there: {{}} }}
  expect calls ask, take, tell
}}"#
    );
    super::scenarios_hold(&text);
}
