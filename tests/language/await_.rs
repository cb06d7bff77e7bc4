//! **await.** Takes the first signal of that name that nobody has taken and that satisfies `where`, also one that came
//! earlier; or, after `within`, runs `otherwise`.

use saga::engine::{Input, Order, OrderRequest, Phase, RequestId, SIGNALS_MAX, Summary};
use saga::json::Json;

use super::Story;

const TRANSFER: &str = r#"
participant accounts {
  command Withdraw { amount: decimal } returns { entry: string } fails "no_funds"
  command GiveBack { amount: decimal }
  command Remind { by: string }
}
saga transfer {
  version 1
  input { amount: decimal }
  signal approval { by: string, approved: bool, note: string? }
  deadline 3d
  await approval where approval.approved within 8h otherwise {
    step remind { call accounts.Remind { by: "mail" }  compensate nothing }
    fail "not_approved"
  }
  step withdraw {
    call accounts.Withdraw { amount: input.amount }
    compensate accounts.GiveBack { amount: input.amount }
  }
  output { by: approval.by, entry: withdraw.entry }
}
"#;

const INPUT: &str = r#"{"amount":"5.00"}"#;

/// Its name, as a program would send it.
fn signal(story: &mut Story, name: &str, with: &str) -> Vec<String> {
    story.order(Order::Signal { signal: name.into(), with: Some(Json::parse(with).unwrap()) })
}

#[test]
fn a_signal_ends_the_wait_and_is_its_value() {
    let (mut story, lines) = Story::begin(TRANSFER, INPUT);
    assert_eq!(lines, ["started", "slept approval"]);
    assert_eq!(story.summary(), Summary::Running);
    let taken = signal(&mut story, "approval", r#"{"by":"eva","approved":true}"#);
    assert_eq!(taken, ["ordered", "took approval by o1", "called withdraw 1"]);
    let done = story.done("withdraw", r#"{"entry":"e"}"#);
    assert_eq!(done, ["succeeded withdraw", r#"completed {"by":"eva","entry":"e"}"#]);
}

#[test]
fn one_that_does_not_satisfy_where_waits_on_and_so_does_the_saga() {
    let (mut story, _) = Story::begin(TRANSFER, INPUT);
    assert_eq!(signal(&mut story, "approval", r#"{"by":"bob","approved":false}"#), ["ordered"]);
    assert_eq!(story.instance.signals().len(), 1);
    assert_eq!(
        signal(&mut story, "approval", r#"{"by":"eva","approved":true}"#),
        ["ordered", "took approval by o2", "called withdraw 1"]
    );
}

#[test]
fn after_its_time_otherwise_runs_and_a_late_signal_does_no_harm() {
    let (mut story, _) = Story::begin(TRANSFER, INPUT);
    assert_eq!(story.wait(), ["woke approval", "called remind 1"]);
    assert_eq!(story.now.since(super::START), std::time::Duration::from_hours(8));
    assert_eq!(signal(&mut story, "approval", r#"{"by":"eva","approved":true}"#), ["ordered"]);
    assert_eq!(story.done("remind", "{}"), ["succeeded remind", "failed saga: not_approved at fail#1", "compensated"]);
}

#[test]
fn one_that_came_early_is_taken_at_once_the_first_first() {
    let text = r"
participant shop { command Ask { n: int } returns { n: int }  message Told { text: string } }
saga order {
  version 1
  signal paid { amount: int }
  pivot
  step ask { call shop.Ask { n: 1 } }
  await paid as large where large.amount >= 10 within 1h otherwise { }
  await paid as any within 1h otherwise { }
  output { large: large.amount ?? 0, any: any.amount ?? 0 }
}
";
    let (mut story, _) = Story::begin(text, "{}");
    for amount in [3, 10, 20] {
        assert_eq!(signal(&mut story, "paid", &format!(r#"{{"amount":{amount}}}"#)), ["ordered"]);
    }
    assert_eq!(
        story.done("ask", r#"{"n":1}"#),
        ["succeeded ask", "took large by o2", "took any by o1", r#"completed {"large":10,"any":3}"#]
    );
}

#[test]
fn a_repeat_is_recognised_by_its_request() {
    let (mut story, _) = Story::begin(TRANSFER, INPUT);
    let with = Some(Json::parse(r#"{"by":"bob","approved":false}"#).unwrap());
    let request = RequestId::try_from("mail-7").unwrap();
    let order = Order::Signal { signal: "approval".into(), with };
    let input = Input::Order(OrderRequest { request, order, by: None, reason: None });
    assert_eq!(story.tell(&input), ["ordered"]);
    assert_eq!(story.tell(&input), ["nothing"]);
    assert_eq!(story.instance.signals().len(), 1);
}

#[test]
fn what_the_saga_does_not_declare_or_that_does_not_fit_is_refused() {
    let (mut story, _) = Story::begin(TRANSFER, INPUT);
    assert_eq!(signal(&mut story, "aproval", "{}"), ["rejected UnknownSignal"]);
    assert_eq!(signal(&mut story, "approval", r#"{"by":7,"approved":true}"#), ["rejected Misfit"]);
    assert_eq!(story.order(Order::Signal { signal: "approval".into(), with: None }), ["rejected Misfit"]);
}

#[test]
fn at_most_a_hundred_wait_and_the_one_that_is_awaited_is_never_refused() {
    let (mut story, _) = Story::begin(TRANSFER, INPUT);
    for _ in 0..SIGNALS_MAX {
        assert_eq!(signal(&mut story, "approval", r#"{"by":"bob","approved":false}"#), ["ordered"]);
    }
    assert_eq!(signal(&mut story, "approval", r#"{"by":"bob","approved":false}"#), ["rejected Busy"]);
    assert_eq!(signal(&mut story, "approval", r#"{"by":"eva","approved":true}"#).len(), 3);
}

#[test]
fn a_wait_ends_at_once_when_the_saga_fails() {
    let (mut story, _) = Story::begin(TRANSFER, INPUT);
    let cancelled = story.order(Order::Cancel);
    assert_eq!(cancelled, ["ordered", "failed saga: cancelled at saga", "woke approval", "compensated"]);
    assert!(matches!(story.instance.phase, Phase::Compensated(_)), "otherwise has not run");
    assert_eq!(signal(&mut story, "approval", r#"{"by":"eva","approved":true}"#), ["rejected Ended"]);
}

#[test]
fn a_wait_ends_at_once_when_the_saga_is_over_its_time() {
    let (mut story, _) = Story::begin(&TRANSFER.replace("deadline 3d", "deadline 1h"), INPUT);
    assert_eq!(story.wait(), ["failed saga: deadline at saga", "woke approval", "compensated"]);
}

#[test]
fn a_failing_saga_refuses_signals() {
    let (mut story, _) = Story::begin(TRANSFER, INPUT);
    signal(&mut story, "approval", r#"{"by":"eva","approved":true}"#);
    story.order(Order::Cancel);
    assert_eq!(signal(&mut story, "approval", r#"{"by":"eva","approved":true}"#), ["rejected Compensating"]);
}

#[test]
fn behind_the_point_of_no_return_one_waits_too_and_what_otherwise_did_is_taken_back_before_it() {
    let text = r#"
participant shop { command Ask returns { n: int }  command Undo  command Try fails "no" }
saga order {
  version 1
  signal paid
  await paid within 1h otherwise { step ask { call shop.Ask  compensate shop.Undo } }
  step last { call shop.Try  compensate nothing }
  pivot
  await paid as again within 1h otherwise { }
  output { first: paid != null, again: again != null }
}
"#;
    let (mut story, _) = Story::begin(text, "{}");
    assert_eq!(story.wait(), ["woke paid", "called ask 1"]);
    story.done("ask", r#"{"n":1}"#);
    let mut other = story.copy();
    assert_eq!(story.refused("last", "no"), ["refused last no", "failed saga: no at last", "called undo ask 1"]);
    assert_eq!(story.undone("ask"), ["succeeded undo ask", "compensated"]);
    assert_eq!(other.done("last", "{}"), ["succeeded last", "reached pivot#1", "slept again"]);
    assert_eq!(
        signal(&mut other, "paid", "{}"),
        ["ordered", "took again by o1", r#"completed {"first":false,"again":true}"#]
    );
}

#[test]
fn one_for_which_where_cannot_be_computed_is_not_taken() {
    let text = r#"
participant shop { command Ask returns { n: int } }
saga order {
  version 1
  signal paid { amount: int }
  BEFORE
  await paid where paid.amount * 1_000 > 10 within 1h otherwise { fail "not_paid" }
  output { amount: paid.amount }
}
"#;
    for before in ["", "pivot"] {
        // `fail` behind the point of no return is a finding of its own.
        let otherwise = if before.is_empty() { r#"{ fail "not_paid" }"# } else { "{ }" };
        let text = text.replace("BEFORE", before).replace(r#"{ fail "not_paid" }"#, otherwise);
        let text = if before.is_empty() { text } else { text.replace("paid.amount }", "paid.amount ?? 0 }") };
        let (mut story, _) = Story::begin(&text, "{}");
        let huge = format!(r#"{{"amount":{}}}"#, i64::MAX);
        assert_eq!(signal(&mut story, "paid", &huge), ["ordered"], "{before}: it waits on, and so does the saga");
        let taken = signal(&mut story, "paid", r#"{"amount":3}"#);
        assert_eq!(taken, ["ordered", "took paid by o2", r#"completed {"amount":3}"#], "{before}");
    }
}

#[test]
fn scenarios_have_signals_arrive() {
    let text = format!(
        r#"{TRANSFER}
scenario "nobody approves" for transfer {{
  given {{ amount: 5.00 }}
  expect compensated "not_approved"
  expect calls remind
}}
scenario "approved in time" for transfer {{
  given {{ amount: 5.00 }}
  when signal approval arrives {{ by: "bob", approved: false }} after 1h
  when signal approval arrives {{ by: "eva", approved: true }} after 7h
  expect completed {{ by: "eva" }}
  expect calls withdraw
}}"#
    );
    super::scenarios_hold(&text);
}
