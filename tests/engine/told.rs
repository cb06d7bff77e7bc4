//! What others are told: whoever asked for a saga, of its end; people, of what went wrong.

use saga::engine::{
    self, Acknowledged, Answer, CommandId, Decision, Direction, Effect, End, Event, Input, Order, OrderRequest,
    Outcome, ReplyKind, ReplyTo, RequestId, Run, Start, Status, UNFIT_KEPT, Undeliverable, Why,
};
use saga::json::Json;

use super::moves::{Script, failed, plain, step};
use super::shapes::{self, CODE, PivotShape, SagaShape, Shape, UndoShape};

fn of(before: Vec<Shape>) -> Script {
    Script::of(&plain(before))
}

fn to() -> ReplyTo {
    ReplyTo { topic: "answers".into(), partition: Some(3), request: RequestId::try_from("mine").unwrap() }
}

/// What is owed behind the last change, and what that change itself gives rise to: how it ended.
fn told(script: &mut Script, input: &Input) -> [Option<Answer>; 2] {
    let decision = engine::decide(script.plan(), &script.instance, script.now, input, &mut |_, _| true);
    let Decision::Change(change, instance) = decision else { panic!("{decision:?}") };
    let answers = |effects: Vec<Effect>| {
        effects.into_iter().find_map(|effect| if let Effect::Answer(answer) = effect { Some(answer) } else { None })
    };
    let told = [engine::pending(script.plan(), &instance), engine::caused(script.plan(), &instance, &change)];
    script.instance = instance;
    told.map(answers)
}

/// The id of the first step's command in that life.
fn id(script: &Script, run: Run) -> CommandId {
    CommandId { instance: script.instance.id.clone(), run, place: "s1".into(), round: 1, own_undo: false }
}

fn input_of(script: &Script, status: Status) -> Input {
    let command = id(script, script.instance.run);
    let payload = Some(Json::parse(r#"{"ok":true}"#).unwrap());
    Input::Reply(engine::Reply { command, kind: ReplyKind::Do, attempt: 1, status, payload })
}

#[test]
fn whoever_asked_for_it_is_told_how_it_ended_and_nobody_before() {
    for status in [Status::Succeeded, failed(CODE)] {
        let mut script = of(vec![step()]);
        let input = Json::parse(shapes::input(0, false)).unwrap();
        let start = Input::Start(Start { input, reply_to: Some(to()), traceparent: None });
        assert_eq!(told(&mut script, &start), [None, None]);
        let reply = input_of(&script, status.clone());
        let [owed, caused] = told(&mut script, &reply);
        assert_eq!(owed, caused);
        let answer = owed.unwrap();
        assert_eq!(answer.to, to());
        assert_eq!(matches!(answer.end, End::Completed(_)), status == Status::Succeeded, "{answer:?}");
    }
}

/// The message of the failure.
fn why(script: &Script) -> Option<&str> {
    script.instance.failure()?.message.as_deref()
}

#[test]
fn why_it_failed_is_kept_in_words() {
    let mut script = of(vec![step()]);
    script.start();
    let request = RequestId::try_from("o").unwrap();
    let reason = Some("the customer called".to_owned());
    script.tell(&Input::Order(OrderRequest { request, order: Order::Cancel, by: None, reason }));
    assert_eq!(why(&script), Some("the customer called"));

    for (code, message, expected) in [
        (CODE, Some("sold out"), Some("sold out")),
        (CODE, None, None),
        ("what", Some("sold out"), Some("the participant refuses with the undeclared code `what`: sold out")),
        ("what", None, Some("the participant refuses with the undeclared code `what`")),
    ] {
        let mut script = of(vec![step()]);
        script.start();
        let message = message.map(str::to_owned);
        script.reply("s1", ReplyKind::Do, 1, Status::Failed { code: code.into(), message });
        assert_eq!(why(&script), expected);
    }

    let mut script = of(vec![step()]);
    script.start();
    script.reply("s1", ReplyKind::Do, 1, Status::Pending);
    let outcome = Outcome::Failed { code: CODE.into() };
    let order = Order::Resolve { step: "s1".into(), work: Direction::Do, outcome };
    let reason = Some("they said so on the phone".to_owned());
    let request = RequestId::try_from("o").unwrap();
    script.tell(&Input::Order(OrderRequest { request, order, by: None, reason }));
    assert_eq!(why(&script), Some("they said so on the phone"));
}

#[test]
fn why_something_could_not_be_computed_is_kept_in_words() {
    let mut script = of(vec![Shape::Let]);
    let lines = script.start_with(&shapes::input(0, true));
    assert_eq!(lines, ["started", "failed invalid at s1", "compensated"]);
    assert_eq!(why(&script), Some("compute with `*`: the result is too large"));
}

#[test]
fn of_an_attempt_that_is_over_nothing_is_sent_any_more() {
    let mut script = of(vec![step()]);
    let input = Json::parse(shapes::input(0, false)).unwrap();
    let start = Input::Start(Start { input, reply_to: None, traceparent: None });
    let decision = engine::decide(script.plan(), &script.instance, script.now, &start, &mut |_, _| true);
    let Decision::Change(change, instance) = decision else { panic!("{decision:?}") };
    let sent = |script: &Script| engine::caused(script.plan(), &script.instance, &change).len();
    script.instance = instance;
    assert_eq!(sent(&script), 1);
    script.wait();
    assert_eq!(script.wait(), ["called s1 2"]);
    assert_eq!(sent(&script), 0, "the second is what its own change gives rise to");
}

#[test]
fn why_an_attempt_is_repeated_is_kept() {
    let mut script = of(vec![step()]);
    script.start();
    let reply = input_of(&script, Status::Retry { code: Some("locked".into()) });
    let decision = engine::decide(script.plan(), &script.instance, script.now, &reply, &mut |_, _| true);
    let Decision::Change(change, _) = decision else { panic!("{decision:?}") };
    let [Event::Paused { why, .. }] = change.events.as_slice() else { panic!("{change:?}") };
    assert_eq!(*why, Why::Asked("locked".into()));

    let mut script = of(vec![Shape::Step { undo: UndoShape::Same, queries: true }]);
    script.start();
    assert_eq!(script.wait(), ["asked s1"]);
    let Input::Reply(reply) = input_of(&script, Status::UnknownCommand) else { unreachable!() };
    let reply = Input::Reply(engine::Reply { kind: ReplyKind::Query, ..reply });
    let decision = engine::decide(script.plan(), &script.instance, script.now, &reply, &mut |_, _| true);
    let Decision::Change(change, _) = decision else { panic!("{decision:?}") };
    assert!(matches!(change.events.as_slice(), [Event::Paused { why: Why::Unknown, .. }]), "{change:?}");
}

#[test]
fn a_refusal_of_an_earlier_attempt_counts_but_where_the_step_is_repeated_until_it_is_done() {
    let second = |shape: SagaShape| {
        let mut script = Script::of(&shape);
        script.start();
        script.wait();
        assert_eq!(script.wait(), ["called s1 2"]);
        script
    };
    let refused = ["refused s1 no", "failed no at s1", "compensated"];
    assert_eq!(second(plain(vec![step()])).refused("s1"), refused);
    let mut script = second(SagaShape { pivot: PivotShape::Bare, behind: vec![step()], ..plain(Vec::new()) });
    assert_eq!(script.refused("s1"), ["nothing"]);
    assert_eq!(script.reply("s1", ReplyKind::Do, 2, failed(CODE)), ["stuck s1 undeclared"]);
}

#[test]
fn of_an_answer_that_does_not_fit_the_beginning_is_kept() {
    let mut script = of(vec![step()]);
    script.start();
    let Input::Reply(reply) = input_of(&script, Status::Succeeded) else { unreachable!() };
    let payload = Some(Json::parse(format!(r#"{{"ok":"{}"}}"#, "é".repeat(UNFIT_KEPT))).unwrap());
    let reply = Input::Reply(engine::Reply { payload, ..reply });
    let decision = engine::decide(script.plan(), &script.instance, script.now, &reply, &mut |_, _| true);
    let Decision::Change(change, _) = decision else { panic!("{decision:?}") };
    let [Event::Unfit { payload, .. }] = change.events.as_slice() else { panic!("{change:?}") };
    assert_eq!(payload.len(), 4_095, "up to the last letter that is whole within 4 KiB");
}

#[test]
fn what_was_never_sent_is_refused() {
    let mut script = of(vec![step()]);
    script.start();
    for attempt in [0, 2] {
        assert_eq!(script.reply("s1", ReplyKind::Do, attempt, Status::Succeeded), ["rejected NotSent"], "{attempt}");
    }
    let Input::Reply(reply) = input_of(&script, Status::Succeeded) else { unreachable!() };
    let command = CommandId { round: 2, ..reply.command.clone() };
    assert_eq!(script.tell(&Input::Reply(engine::Reply { command, ..reply })), ["rejected NotSent"], "another round");
    let unknown = script.reply("s1", ReplyKind::Do, 1, Status::UnknownCommand);
    assert_eq!(unknown, ["rejected NotSent"], "only a question is answered so");
}

#[test]
fn what_is_said_of_another_attempt_or_life_or_behind_the_end_changes_nothing() {
    let refuses = |command, attempt| Input::Undeliverable(Undeliverable { command, attempt, why: "too large".into() });
    let mut script = of(vec![step()]);
    script.start();
    let run = script.instance.run;
    let own = id(&script, run);
    let Input::Reply(reply) = input_of(&script, Status::Succeeded) else { unreachable!() };
    let other = Input::Reply(engine::Reply { command: id(&script, Run(7)), ..reply });
    assert_eq!(script.tell(&other), ["nothing"], "an answer to another life");
    assert_eq!(script.tell(&refuses(id(&script, Run(7)), 1)), ["nothing"], "another life");
    assert_eq!(script.tell(&refuses(own.clone(), 2)), ["nothing"], "another attempt");
    assert_eq!(script.tell(&refuses(own.clone(), 1)), ["lost s1", "failed timeout at s1", "called undo s1 1"]);
    assert_eq!(why(&script), Some("the log refuses it: too large"));
    script.undone("s1");
    assert_eq!(script.tell(&refuses(own, 1)), ["nothing"], "it is over");

    let mut script = of(vec![Shape::Send { undo: UndoShape::Nothing }]);
    assert_eq!(script.start(), ["started", "sent s1 1"]);
    let has = |command, attempt| Input::Acknowledged(Acknowledged { command, attempt });
    let own = id(&script, run);
    assert_eq!(script.tell(&has(id(&script, Run(7)), 1)), ["nothing"]);
    assert_eq!(script.tell(&has(own.clone(), 2)), ["nothing"]);
    assert_eq!(script.tell(&has(own.clone(), 1)), ["succeeded s1", "completed {}"]);
    assert_eq!(script.tell(&has(own, 1)), ["nothing"]);
}
