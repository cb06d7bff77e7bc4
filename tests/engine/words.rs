//! What the engine writes and reads back: ids, and why an attempt is repeated.

use saga::definition::{Limit, Per};
use saga::engine::{
    self, CommandId, Decision, Direction, Failure, ID_MAX, IdError, Input, InstanceId, Order, OrderHash, OrderRequest,
    Outcome, ReplyKind, RequestId, Run, Summary, Why,
};

use super::moves::{Script, failed, plain, step};
use super::shapes::{PivotShape, SagaShape};

#[test]
fn an_id_is_short_and_printable() {
    let long = "x".repeat(ID_MAX);
    for id in ["x", "café/7", long.as_str()] {
        assert_eq!(InstanceId::try_from(id).unwrap().as_str(), id);
        assert_eq!(RequestId::try_from(id).unwrap().as_str(), id);
    }
    assert_eq!(InstanceId::try_from(""), Err(IdError::Empty));
    assert_eq!(InstanceId::try_from(format!("{long}x").as_str()), Err(IdError::TooLong { bytes: ID_MAX + 1 }));
    assert_eq!(InstanceId::try_from("a\nb"), Err(IdError::Control { code: 10 }));
    let startable = |id: &str| InstanceId::try_from(id).unwrap().is_startable();
    assert_eq!([startable("café/7"), startable("...")], [Ok(()), Ok(())]);
    assert_eq!(startable(".."), Err(IdError::Path { id: "..".into() }));
    assert_eq!(startable("a\u{202e}b"), Err(IdError::Turning { code: 0x202e }));
}

#[test]
fn the_id_of_a_command_reads_back_and_nothing_else_does() {
    for (own_undo, text) in [(false, "eu/order-7/1000/charge[2]/1"), (true, "eu/order-7/1000/charge[2]~/1")] {
        let instance = InstanceId::try_from("eu/order-7").unwrap();
        let id = CommandId { instance, run: Run(1_000), place: "charge[2]".into(), round: 1, own_undo };
        assert_eq!(id.to_text(), text);
        assert_eq!(CommandId::parse(text), Some(id));
    }
    for text in ["", "order-7", "order-7/1000/charge", "order-7/x/charge/1", "order-7/1000/charge/x", "/1000/charge/1"]
    {
        assert_eq!(CommandId::parse(text), None, "{text:?}");
    }
}

#[test]
fn why_an_attempt_is_repeated_is_said_in_words() {
    let asked = |code: &str| Why::Asked(code.into()).to_string();
    let said = [
        Why::Silence.to_string(),
        Why::Unfit.to_string(),
        Why::Unknown.to_string(),
        asked(""),
        asked("busy"),
        asked("http-no-connection http://a"),
        asked("http-no-connection"),
        asked("http-no-answer http://a"),
        asked("http-broken http://a"),
        asked("answer-not-json http://a"),
        asked("answer-too-large http://a"),
        asked("answer-to-another-command http://a"),
        asked("http-503 http://a"),
        asked("http-422-without-code http://a"),
        asked("http-odd http://a"),
        asked("process-died"),
        asked("process-down"),
        asked("process-busy"),
        asked("process-unwritable"),
    ];
    let expected = [
        "no answer within the timeout",
        "only answers came that do not fit the contract",
        "the participant does not know the command",
        "the participant asks for a repeat",
        "the participant asks for a repeat: busy",
        "no connection to http://a",
        "no connection to the participant",
        "no answer from http://a in time",
        "the connection to http://a broke",
        "an answer from http://a that is no JSON",
        "an answer from http://a over the limit of a payload",
        "an answer from http://a to another command",
        "HTTP 503 from http://a",
        "HTTP 422 without a code from http://a",
        "the participant asks for a repeat: http-odd http://a",
        "its process died before it answered",
        "its process does not run: it died or cannot be started",
        "its process does not read what it is sent",
        "the command cannot be written as a line",
    ];
    assert_eq!(said.as_slice(), expected.as_slice());
}

#[test]
fn how_an_instance_stands_and_what_is_answered_have_words() {
    let all = [Summary::Running, Summary::Compensating, Summary::Stuck, Summary::Completed, Summary::Compensated];
    let words = all.map(|summary| summary.to_string());
    assert_eq!(words, ["running", "compensating", "stuck", "completed", "compensated"]);
    assert_eq!([ReplyKind::Do, ReplyKind::Undo, ReplyKind::Query].map(ReplyKind::as_str), ["do", "undo", "query"]);
    assert_eq!([Direction::Do, Direction::Undo].map(Direction::name), ["do", "undo"]);
    let resolve =
        Order::Resolve { step: "take".into(), work: Direction::Undo, outcome: Outcome::Succeeded { reply: None } };
    let signal = Order::Signal { signal: "go".into(), with: None };
    let orders = [Order::Cancel, Order::Retry { step: None }, signal, resolve];
    assert_eq!(orders.each_ref().map(Order::name), ["cancel", "retry", "signal", "resolve"]);
    let failure = |message: Option<&str>| Failure {
        code: "full".into(),
        step: "reserve".into(),
        message: message.map(ToOwned::to_owned),
    };
    assert_eq!(failure(None).to_string(), "full at reserve");
    assert_eq!(failure(Some("no room")).to_string(), "full at reserve: no room");
}

/// Checkpoints have it of orders of instances that have ended.
#[test]
fn what_an_order_says_has_bytes_of_its_own() {
    let retry = |step: &str| OrderHash::of(&Order::Retry { step: Some(step.into()) });
    assert_eq!(OrderHash::of(&Order::Cancel).to_bytes(), crc32fast::hash(b"\"cancel\"").to_be_bytes());
    assert_ne!(retry("take").to_bytes(), retry("charge").to_bytes());
}

/// What is said to whoever wants to resolve a step forward or back.
fn refusal(script: &Script, step: &str, work: Direction) -> String {
    let outcome = Outcome::Succeeded { reply: None };
    let order = Order::Resolve { step: step.into(), work, outcome };
    let request = RequestId::try_from("mine").unwrap();
    let input = Input::Order(OrderRequest { request, order, by: None, reason: None });
    match engine::decide(script.plan(), &script.instance, script.now, &input, &mut |_, _| true) {
        Decision::Rejected(rejection) => rejection.message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_stands_in_the_way_of_an_order_is_said_in_words() {
    let at_once = Limit { count: 1, per: Per::Once };
    let mut script = Script::of(&SagaShape { limits: vec![at_once], ..plain(vec![step(), step()]) });
    script.start();
    let not_yet = |how: &str| {
        format!(
            "`s1` is {how}, and nothing takes it back: what became of the step itself is another order, of work `do` (without `--undo`)"
        )
    };
    assert_eq!(refusal(&script, "s1", Direction::Undo), not_yet("waiting for its turn"));
    script.tell(&Input::Turn("s1".into()));
    script.takes = true;
    assert_eq!(refusal(&script, "s2", Direction::Do), "`s2` has not begun: there is nothing to resolve");
    script.done("s1");
    assert_eq!(refusal(&script, "s1", Direction::Do), "`s1` is done: there is nothing to resolve");
    script.takes = false;
    script.refused("s2");
    let by_now = |how: &str| {
        format!("`s1` is {how} by now: what became of its compensation is another order, of work `undo` (`--undo`)")
    };
    assert_eq!(refusal(&script, "s1", Direction::Do), by_now("waiting for its turn"));
    script.tell(&Input::Turn("s1".into()));
    assert_eq!(refusal(&script, "s1", Direction::Do), by_now("being taken back"));
    script.reply("s1", ReplyKind::Undo, 1, failed("will_not"));
    assert_eq!(refusal(&script, "s1", Direction::Do), by_now("stuck"));

    let mut script = Script::of(&SagaShape { pivot: PivotShape::Bare, behind: vec![step()], ..plain(Vec::new()) });
    script.start();
    assert_eq!(refusal(&script, "s1", Direction::Undo), not_yet("being done"));
    script.reply("s1", ReplyKind::Do, 1, failed("will_not"));
    assert_eq!(refusal(&script, "s1", Direction::Undo), not_yet("stuck"));
}
