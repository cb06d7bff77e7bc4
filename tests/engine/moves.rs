//! The engine as scripts: given what happened, when this comes in, then these facts and no others.

use std::time::Duration;

use saga::engine::{
    self, Command, CommandId, CommandKind, Decision, Direction, Effect, Event, Input, Instance, InstanceId, Order,
    OrderRequest, Outcome, Refusal, Reply, ReplyKind, RequestId, Run, Start, Status, Summary,
};
use saga::json::Json;
use saga::plan::Plan;
use saga::time::Timestamp;

use super::shapes::{self, CODE, PivotShape, SagaShape, Shape, UndoShape};

/// One instance and its clock; every method says what came of it, a line a fact.
pub(super) struct Script {
    plan: Plan,
    pub(super) instance: Instance,
    pub(super) now: Timestamp,
    sent: Vec<Command>,
    orders: u32,
    /// Whether participants with limits take commands.
    pub(super) takes: bool,
}

impl Script {
    pub(super) fn new(before: Vec<Shape>, pivot: PivotShape, behind: Vec<Shape>, deadline: bool) -> Self {
        Self::of(&SagaShape { before, pivot, behind, deadline, limits: Vec::new() })
    }

    pub(super) fn of(shape: &SagaShape) -> Self {
        Self::playing(shapes::plan(shape))
    }

    pub(super) fn playing(plan: Plan) -> Self {
        let now = Timestamp(1_000_000);
        let instance = Instance::new(InstanceId::try_from("i").unwrap(), Run(now.0), &plan);
        Self { plan, instance, now, sent: Vec::new(), orders: 0, takes: false }
    }

    pub(super) const fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn tell(&mut self, input: &Input) -> Vec<String> {
        let takes = self.takes;
        match engine::decide(&self.plan, &self.instance, self.now, input, &mut |_, _| takes) {
            Decision::Nothing => vec!["nothing".to_owned()],
            Decision::Rejected(rejection) => vec![format!("rejected {:?}", rejection.code)],
            Decision::Change(change, next) => {
                self.instance = next;
                self.sent = engine::caused(&self.plan, &self.instance, &change)
                    .into_iter()
                    .filter_map(|effect| if let Effect::Command(command) = effect { Some(command) } else { None })
                    .collect();
                change.events.iter().map(line).collect()
            }
        }
    }

    pub(super) fn start(&mut self) -> Vec<String> {
        self.start_with(&shapes::input(0, false))
    }

    pub(super) fn start_with(&mut self, input: &str) -> Vec<String> {
        let input = Json::parse(input).unwrap();
        self.tell(&Input::Start(Start { input, reply_to: None, traceparent: None }))
    }

    pub(super) fn reply(&mut self, place: &str, kind: ReplyKind, attempt: u32, status: Status) -> Vec<String> {
        self.reply_with(place, kind, attempt, status, r#"{"ok":true}"#)
    }

    fn reply_with(&mut self, place: &str, kind: ReplyKind, attempt: u32, status: Status, payload: &str) -> Vec<String> {
        let own_undo = place.ends_with('~');
        let place = place.trim_end_matches('~').into();
        let command =
            CommandId { instance: self.instance.id.clone(), run: self.instance.run, place, round: 1, own_undo };
        let payload = Some(Json::parse(payload).unwrap());
        self.tell(&Input::Reply(Reply { command, kind, attempt, status, payload }))
    }

    pub(super) fn done(&mut self, place: &str) -> Vec<String> {
        self.reply(place, ReplyKind::Do, 1, Status::Succeeded)
    }

    pub(super) fn refused(&mut self, place: &str) -> Vec<String> {
        self.reply(place, ReplyKind::Do, 1, failed(CODE))
    }

    pub(super) fn undone(&mut self, place: &str) -> Vec<String> {
        self.reply(place, ReplyKind::Undo, 1, Status::Succeeded)
    }

    /// To the next instant at which time alone changes something.
    pub(super) fn wait(&mut self) -> Vec<String> {
        self.now = self.instance.next_due(&self.plan).expect("something is due");
        self.tell(&Input::Due)
    }

    /// Why the attempts are repeated that are repeated by time alone.
    fn why(&mut self) -> Vec<String> {
        self.now = self.instance.next_due(&self.plan).expect("something is due");
        let Decision::Change(change, _) =
            engine::decide(&self.plan, &self.instance, self.now, &Input::Due, &mut |_, _| true)
        else {
            return Vec::new();
        };
        let paused = change.events.iter();
        paused
            .filter_map(|event| if let Event::Paused { why, .. } = event { Some(why.to_string()) } else { None })
            .collect()
    }

    pub(super) fn order(&mut self, order: Order) -> Vec<String> {
        self.orders += 1;
        let request = RequestId::try_from(format!("o{}", self.orders).as_str()).unwrap();
        self.tell(&Input::Order(OrderRequest { request, order, by: None, reason: None }))
    }

    pub(super) fn summary(&self) -> Summary {
        self.instance.summary()
    }
}

pub(super) fn failed(code: &str) -> Status {
    Status::Failed { code: code.into(), message: None }
}

/// Without a point of no return, a deadline or limits.
pub(super) fn plain(before: Vec<Shape>) -> SagaShape {
    SagaShape { before, pivot: PivotShape::None, behind: Vec::new(), deadline: false, limits: Vec::new() }
}

pub(super) fn step() -> Shape {
    Shape::Step { undo: UndoShape::Same, queries: false }
}

fn asked_step() -> Shape {
    Shape::Step { undo: UndoShape::Same, queries: true }
}

/// An event in few words.
fn line(event: &Event) -> String {
    let side = |work: &Direction| match work {
        Direction::Do => "",
        Direction::Undo => "undo ",
    };
    match event {
        Event::Queued { at, work, .. } => format!("queued {}{at}", side(work)),
        Event::Withdrawn { at } => format!("withdrawn {at}"),
        Event::Called { at, work, attempt, .. } => format!("called {}{at} {attempt}", side(work)),
        Event::Sent { at, work, attempt } => format!("sent {}{at} {attempt}", side(work)),
        Event::Asked { at, .. } => format!("asked {at}"),
        Event::Paused { at, work, .. } => format!("paused {}{at}", side(work)),
        Event::Pended { at, work, .. } => format!("pended {}{at}", side(work)),
        Event::Succeeded { at, work, .. } => format!("succeeded {}{at}", side(work)),
        Event::Refused { at, code, .. } => format!("refused {at} {code}"),
        Event::Lost { at } => format!("lost {at}"),
        Event::Stuck { at, work, code, .. } => format!("stuck {}{at} {code}", side(work)),
        Event::Unfit { at, why, .. } => format!("unfit {at}: {why}"),
        Event::Failed { failure, .. } => format!("failed {} at {}", failure.code, failure.step),
        Event::Completed { output } => format!("completed {output}"),
        other => other.name().to_owned(),
    }
}

#[test]
fn a_diamond_is_taken_back_through_a_crash() {
    // a, b in parallel, then c; b fails while a is done: recovery must accept the legal state in between.
    let mut script =
        Script::new(vec![Shape::Parallel(vec![step(), step()]), step()], PivotShape::None, Vec::new(), false);
    assert_eq!(script.start(), ["started", "called s1 1", "called s2 1"]);
    assert_eq!(script.done("s1"), ["succeeded s1"]);
    assert_eq!(script.refused("s2"), ["refused s2 no", "failed no at s2", "called undo s1 1"]);
    let snapshot = script.instance.to_snapshot(&script.plan).unwrap();
    script.instance = Instance::from_snapshot(&script.plan, &snapshot).unwrap();
    let owed = engine::pending(&script.plan, &script.instance);
    assert!(matches!(owed.as_slice(), [Effect::Command(Command { kind: CommandKind::Undo, .. })]), "{owed:?}");
    assert_eq!(script.undone("s1"), ["succeeded undo s1", "compensated"]);
    assert_eq!(script.undone("s1"), ["nothing"], "an answer behind the end changes nothing");
}

#[test]
fn taking_back_mirrors_what_ran() {
    let branch = Shape::Sequence(vec![step(), step()]);
    let mut script =
        Script::new(vec![step(), Shape::Parallel(vec![branch, step()]), step()], PivotShape::None, Vec::new(), false);
    script.start();
    for place in ["s1", "s2", "s3", "s4"] {
        script.done(place);
    }
    assert_eq!(
        script.refused("s5"),
        ["refused s5 no", "failed no at s5", "called undo s3 1", "called undo s4 1"],
        "the branches at once, each from its end"
    );
    assert_eq!(script.undone("s4"), ["succeeded undo s4"]);
    assert_eq!(script.undone("s3"), ["succeeded undo s3", "called undo s2 1"]);
    assert_eq!(script.undone("s2"), ["succeeded undo s2", "called undo s1 1"]);
    assert_eq!(script.undone("s1"), ["succeeded undo s1", "compensated"]);
}

#[test]
fn what_is_in_flight_settles_before_anything_is_taken_back() {
    let mut script = Script::new(
        vec![Shape::Parallel(vec![step(), step(), Shape::Sleep(3), step()])],
        PivotShape::None,
        Vec::new(),
        false,
    );
    script.start();
    assert_eq!(script.reply("s3", ReplyKind::Do, 1, Status::Retry { code: None }), ["paused s3"]);
    assert_eq!(
        script.refused("s1"),
        ["refused s1 no", "failed no at s1", "woke", "lost s3"],
        "a sleep and a pause end at once, an attempt under way does not"
    );
    assert_eq!(
        script.reply("s2", ReplyKind::Do, 1, Status::Retry { code: None }),
        ["lost s2", "called undo s2 1", "called undo s3 1"],
        "no retries any more, and what nobody knows is taken back"
    );
}

#[test]
fn silence_is_asked_about_then_repeated_then_unknown() {
    let mut script = Script::new(vec![asked_step()], PivotShape::None, Vec::new(), false);
    script.start();
    assert_eq!(script.wait(), ["asked s1"]);
    assert_eq!(script.sent[0].kind, CommandKind::Query);
    assert_eq!(script.reply("s1", ReplyKind::Query, 1, Status::UnknownCommand), ["paused s1"]);
    assert_eq!(script.wait(), ["called s1 2"]);
    assert_eq!(script.wait(), ["asked s1"]);
    assert_eq!(script.wait(), ["paused s1"]);
    assert_eq!(script.wait(), ["called s1 3"]);
    assert_eq!(script.wait(), ["asked s1"]);
    assert_eq!(script.wait(), ["lost s1", "failed timeout at s1", "called undo s1 1"]);
    assert_eq!(script.done("s1"), ["nothing"], "an answer after the step is settled changes nothing");
    assert_eq!(script.undone("s1"), ["succeeded undo s1", "compensated"]);
}

#[test]
fn the_first_final_answer_of_any_attempt_wins() {
    let mut script = Script::new(vec![step()], PivotShape::None, Vec::new(), false);
    script.start();
    script.wait();
    assert_eq!(script.wait(), ["called s1 2"]);
    assert_eq!(script.reply("s1", ReplyKind::Do, 1, Status::Retry { code: None }), ["nothing"], "of an old attempt");
    assert_eq!(script.reply("s1", ReplyKind::Do, 3, Status::Succeeded), ["rejected NotSent"]);
    assert_eq!(script.reply("s1", ReplyKind::Do, 1, Status::Succeeded), ["succeeded s1", "completed {}"]);
}

#[test]
fn pending_is_waited_for_a_day_and_then_unknown() {
    let mut script = Script::new(vec![step()], PivotShape::None, Vec::new(), false);
    script.start();
    assert_eq!(script.reply("s1", ReplyKind::Do, 1, Status::Pending), ["pended s1"]);
    assert_eq!(script.instance.next_due(&script.plan), Some(script.now.after(Duration::from_hours(24))));
    assert_eq!(script.wait(), ["lost s1", "failed timeout at s1", "called undo s1 1"]);
}

#[test]
fn an_answer_that_does_not_fit_counts_as_none() {
    let mut script = Script::new(vec![step()], PivotShape::None, Vec::new(), false);
    script.start();
    let said = script.reply_with("s1", ReplyKind::Do, 1, Status::Succeeded, r#"{"ok":"yes"}"#);
    assert_eq!(said.len(), 1);
    assert!(said[0].starts_with("unfit s1: ") && said[0].contains("bool"), "{said:?}");
    assert_eq!(script.wait(), ["paused s1"]);
    assert_eq!(script.wait(), ["called s1 2"]);
    assert_eq!(script.done("s1"), ["succeeded s1", "completed {}"]);
}

const UNFIT: &str = r#"{"ok":"yes"}"#;
const ONLY_UNFIT: &str = "only answers came that do not fit the contract";

/// Why the saga fails.
fn failure(script: &Script) -> Option<&str> {
    script.instance.failure()?.message.as_deref()
}

#[test]
fn a_step_whose_answers_do_not_fit_fails_with_that_and_not_with_silence() {
    for shape in [step(), asked_step()] {
        let mut script = Script::new(vec![shape], PivotShape::None, Vec::new(), false);
        script.start();
        for attempt in 1..3 {
            script.reply_with("s1", ReplyKind::Do, attempt, Status::Succeeded, UNFIT);
            assert_eq!(script.wait(), ["paused s1"], "what became of it would be answered in the same way");
            assert_eq!(script.wait(), [format!("called s1 {}", attempt + 1)]);
        }
        script.reply_with("s1", ReplyKind::Do, 3, Status::Succeeded, UNFIT);
        assert_eq!(script.wait(), ["lost s1", "failed timeout at s1", "called undo s1 1"]);
        assert_eq!(failure(&script), Some(ONLY_UNFIT));
    }
}

#[test]
fn of_what_does_not_fit_only_that_of_the_current_attempt_counts() {
    let mut script = Script::new(vec![step()], PivotShape::None, Vec::new(), false);
    script.start();
    for attempt in 2..4 {
        script.wait();
        assert_eq!(script.wait(), [format!("called s1 {attempt}")]);
    }
    script.reply_with("s1", ReplyKind::Do, 2, Status::Succeeded, UNFIT);
    script.wait();
    assert_eq!(failure(&script), Some("no answer within the timeout"));
}

#[test]
fn an_answer_to_a_query_that_does_not_fit_is_no_silence_and_a_wait_behind_pending_stays_what_it_is() {
    let mut script = Script::new(vec![asked_step()], PivotShape::Step, Vec::new(), false);
    script.start();
    assert_eq!(script.wait(), ["asked s1"]);
    script.reply_with("s1", ReplyKind::Query, 1, Status::Succeeded, UNFIT);
    assert_eq!(script.why(), [ONLY_UNFIT]);

    let mut script = Script::new(vec![step()], PivotShape::None, Vec::new(), false);
    script.start();
    script.reply("s1", ReplyKind::Do, 1, Status::Pending);
    script.reply_with("s1", ReplyKind::Do, 1, Status::Succeeded, UNFIT);
    let copy = script.reply("s1", ReplyKind::Do, 1, Status::Pending);
    assert_eq!(copy, ["nothing"], "it must not begin another day");
}

#[test]
fn what_does_not_fit_is_not_waited_for_where_the_scope_fails_and_can_be_resolved() {
    let unfit = || {
        let mut script = Script::new(vec![step()], PivotShape::None, Vec::new(), false);
        script.start();
        script.reply_with("s1", ReplyKind::Do, 1, Status::Succeeded, UNFIT);
        script
    };
    assert_eq!(
        unfit().order(Order::Cancel),
        ["ordered", "failed cancelled at saga", "lost s1", "called undo s1 1"],
        "an answer that may take a day is not waited for"
    );
    let done = Outcome::Succeeded { reply: Some(Json::parse(r#"{"ok":true}"#).unwrap()) };
    let by_hand = Order::Resolve { step: "s1".into(), work: Direction::Do, outcome: done };
    assert_eq!(unfit().order(by_hand), ["ordered", "succeeded s1", "completed {}"]);
    assert_eq!(unfit().refused("s1"), ["refused s1 no", "failed no at s1", "compensated"]);
}

#[test]
fn an_undeclared_code_is_a_clean_failure_with_the_engines_code() {
    let mut script = Script::new(vec![step(), step()], PivotShape::None, Vec::new(), false);
    script.start();
    script.done("s1");
    assert_eq!(
        script.reply("s2", ReplyKind::Do, 1, failed("what")),
        ["refused s2 undeclared", "failed undeclared at s2", "called undo s1 1"]
    );
}

#[test]
fn cancel_acts_before_the_point_of_no_return_only() {
    let mut script = Script::new(vec![step()], PivotShape::Step, vec![step()], false);
    script.start();
    script.done("s1");
    assert_eq!(script.order(Order::Cancel), ["rejected PastPivot"], "the pivot's outcome is open");
    assert_eq!(script.done("s2"), ["succeeded s2", "called s3 1"]);
    assert_eq!(script.order(Order::Cancel), ["rejected PastPivot"]);

    let mut script = Script::new(vec![step()], PivotShape::Step, vec![step()], false);
    script.start();
    assert_eq!(script.order(Order::Cancel), ["ordered", "failed cancelled at saga"]);
    assert_eq!(script.order(Order::Cancel), ["rejected Compensating"]);
    assert_eq!(script.done("s1"), ["succeeded s1", "called undo s1 1"], "in flight: it settles, then is taken back");
}

#[test]
fn a_deadline_fails_the_saga_before_the_pivot_and_is_only_said_behind_it() {
    let mut script = Script::new(vec![Shape::Sleep(3), step()], PivotShape::None, Vec::new(), true);
    script.start();
    script.wait();
    assert_eq!(script.reply("s1", ReplyKind::Do, 1, Status::Pending), ["pended s1"]);
    assert_eq!(script.wait(), ["failed deadline at saga", "lost s1", "called undo s1 1"]);

    let mut script = Script::new(Vec::new(), PivotShape::Bare, vec![step()], true);
    script.start();
    assert_eq!(script.reply("s1", ReplyKind::Do, 1, Status::Pending), ["pended s1"]);
    assert_eq!(script.wait(), ["late"]);
    assert_eq!(script.done("s1"), ["succeeded s1", "completed {}"]);
}

#[test]
fn a_deadline_waits_while_the_pivot_is_open() {
    let mut script = Script::new(vec![step()], PivotShape::Step, Vec::new(), true);
    script.start();
    script.done("s1");
    assert_eq!(script.reply("s2", ReplyKind::Do, 1, Status::Pending), ["pended s2"]);
    script.now = script.now.after(Duration::from_hours(1));
    assert_eq!(script.tell(&Input::Due), ["nothing"]);
    assert_eq!(script.refused("s2"), ["refused s2 no", "failed no at s2", "called undo s1 1"]);
}

#[test]
fn a_compensation_that_fails_waits_for_a_person() {
    let mut script = Script::new(vec![step(), step()], PivotShape::None, Vec::new(), false);
    script.start();
    script.done("s1");
    script.refused("s2");
    let refusal = || failed("will_not");
    assert_eq!(script.reply("s1", ReplyKind::Undo, 1, refusal()), ["stuck undo s1 will_not"]);
    assert_eq!(script.summary(), Summary::Stuck);
    assert_eq!(script.instance.next_due(&script.plan), None);
    assert_eq!(script.order(Order::Retry { step: None }), ["ordered", "called undo s1 2"]);
    assert_eq!(script.reply("s1", ReplyKind::Undo, 1, refusal()), ["nothing"], "a late copy undoes no order");
    assert_eq!(script.wait(), ["paused undo s1"]);
    assert_eq!(script.wait(), ["called undo s1 3"], "all retries anew");
    assert_eq!(script.reply("s1", ReplyKind::Undo, 3, refusal()), ["stuck undo s1 will_not"]);
    let by_hand =
        Order::Resolve { step: "s1".into(), work: Direction::Undo, outcome: Outcome::Succeeded { reply: None } };
    assert_eq!(script.order(by_hand), ["ordered", "succeeded undo s1", "compensated"]);
}

#[test]
fn a_compensation_that_is_a_work_of_its_own_is_sent_as_one() {
    let other = Shape::Step { undo: UndoShape::Other, queries: false };
    let mut script = Script::new(vec![Shape::UndoOnly, other, step()], PivotShape::None, Vec::new(), false);
    assert_eq!(script.start(), ["started", "succeeded s1", "called s2 1"]);
    script.done("s2");
    assert_eq!(script.refused("s3"), ["refused s3 no", "failed no at s3", "called undo s2 1"]);
    let sent = &script.sent[0];
    assert_eq!((sent.kind, sent.id.to_string().as_str()), (CommandKind::Do, "i/1000000/s2~/1"));
    assert_eq!(script.reply("s2~", ReplyKind::Do, 1, Status::Succeeded), ["succeeded undo s2", "called undo s1 1"]);
    assert_eq!(script.reply("s1~", ReplyKind::Do, 1, Status::Succeeded), ["succeeded undo s1", "compensated"]);
}

#[test]
fn orders_that_would_do_harm_are_refused() {
    let mut script = Script::new(vec![step()], PivotShape::Step, vec![step()], false);
    script.start();
    let resolve = |step: &str, work, outcome| Order::Resolve { step: step.into(), work, outcome };
    let fail = |code: &str| Outcome::Failed { code: code.into() };
    let retry = |step: &str| Order::Retry { step: Some(step.into()) };
    assert_eq!(script.order(retry("s1")), ["rejected NotStuck"], "its answer is awaited");
    assert_eq!(script.order(retry("nobody")), ["rejected UnknownStep"]);
    assert_eq!(script.order(resolve("s1", Direction::Do, fail(CODE))), ["rejected NotStuck"]);
    script.wait();
    assert_eq!(script.order(resolve("s1", Direction::Do, fail("what"))), ["rejected Misfit"], "not in the contract");
    assert_eq!(script.order(resolve("s1", Direction::Undo, fail(CODE))), ["rejected NotStuck"]);
    let reply = Some(Json::parse(r#"{"ok":3}"#).unwrap());
    assert_eq!(script.order(resolve("s1", Direction::Do, Outcome::Succeeded { reply })), ["rejected Misfit"]);
    assert_eq!(script.order(retry("s1")), ["ordered", "called s1 2"]);
    script.reply("s1", ReplyKind::Do, 2, Status::Succeeded);
    script.done("s2");
    script.wait();
    assert_eq!(script.order(resolve("s3", Direction::Do, fail(CODE))), ["rejected PastPivot"]);
}

#[test]
fn a_start_is_recognised_and_a_conflict_is_told() {
    let mut script = Script::new(vec![step()], PivotShape::None, Vec::new(), false);
    script.start();
    assert_eq!(script.start(), ["nothing"]);
    let spaced = Json::parse(shapes::input(0, false).replace(',', ", ")).unwrap();
    let start = |input| Input::Start(Start { input, reply_to: None, traceparent: None });
    assert_eq!(script.tell(&start(spaced)), ["nothing"], "the same JSON, written otherwise");
    let other = Json::parse(shapes::input(1, false)).unwrap();
    assert_eq!(script.tell(&start(other)), ["rejected Conflict"]);
}

#[test]
fn an_input_that_does_not_fit_names_all_that_is_wrong() {
    let script = Script::new(vec![step()], PivotShape::None, Vec::new(), false);
    let input = Json::parse(r#"{"f0":1,"f1":true,"f2":true,"n":"many"}"#).unwrap();
    let start = Input::Start(Start { input, reply_to: None, traceparent: None });
    let decision = engine::decide(&script.plan, &script.instance, script.now, &start, &mut |_, _| true);
    let Decision::Rejected(rejection) = decision else { panic!("{decision:?}") };
    assert_eq!(rejection.code, Refusal::InvalidInput);
    for path in ["f0", "f3", "n"] {
        assert!(rejection.message.contains(path), "{path}: {}", rejection.message);
    }
}

#[test]
fn ten_thousand_statements_in_a_row_are_no_deeper_than_one() {
    let shapes = std::iter::repeat_n(Shape::Let, 9_999).chain([Shape::Fail]).collect();
    let mut script = Script::new(shapes, PivotShape::None, Vec::new(), false);
    assert_eq!(script.start().last().map(String::as_str), Some("compensated"));
}
