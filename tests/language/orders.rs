//! **Orders.** Each has an id of its own, speaks of one piece of work, and there is always room for one that ends it.

use saga::engine::{
    self, Command, Decision, Direction, Input, Order, OrderRequest, Outcome, REQUESTS_MAX, Reply, ReplyKind, RequestId,
    Status, Summary,
};
use saga::json::Json;

use super::Story;

const TRIP: &str = r#"
participant shop {
  commands "shop"
  command Take returns { n: int } fails "gone"
  command PutBack { n: int? }
}
saga trip {
  version 1
  signal news { n: int }
  step take { call shop.Take  retry 1 times every 1s  compensate shop.PutBack { n: take.n }  retry 1 times every 1s }
  await news within 1d otherwise { fail "gone" }
}
"#;

fn news(n: u32) -> Order {
    Order::Signal { signal: "news".into(), with: Some(Json::parse(format!(r#"{{"n": {n}}}"#)).unwrap()) }
}

fn resolve(place: &str, work: Direction, reply: Option<&str>) -> Order {
    let outcome = Outcome::Succeeded { reply: reply.map(|reply| Json::parse(reply).unwrap()) };
    Order::Resolve { step: place.into(), work, outcome }
}

#[test]
fn one_id_is_one_order_and_another_under_it_is_a_conflict() {
    let (mut story, _) = Story::begin(TRIP, "{}");
    let mut tell = |order| {
        let request = RequestId::try_from("INC-7").unwrap();
        story.tell(&Input::Order(OrderRequest { request, order, by: None, reason: None }))
    };
    assert_eq!(tell(news(1)), ["ordered"]);
    assert_eq!(tell(news(1)), ["nothing"]);
    let spaced = Json::parse("{ \"n\" : 1 }").unwrap();
    assert_eq!(tell(Order::Signal { signal: "news".into(), with: Some(spaced) }), ["nothing"], "it says the same");
    assert_eq!(tell(news(2)), ["rejected Conflict"]);
    assert_eq!(tell(Order::Cancel), ["rejected Conflict"], "and nobody is told that it is cancelled");
}

#[test]
fn what_was_ordered_of_a_step_is_never_done_to_its_compensation() {
    let (mut story, _) = Story::begin(TRIP, "{}");
    story.done("take", r#"{"n": 1}"#);
    story.order(Order::Cancel);
    story.refused("take", "odd");
    assert_eq!(story.summary(), Summary::Stuck);
    // "It is done, and this is its reply": that was so, and now it is being taken back.
    assert_eq!(story.order(resolve("take", Direction::Do, Some(r#"{"n": 1}"#))), ["rejected NotStuck"]);
    assert_eq!(story.order(resolve("take", Direction::Undo, Some(r#"{"n": 1}"#))), ["rejected Misfit"]);
    assert_eq!(story.resolve("take", Direction::Undo), ["ordered", "succeeded undo take", "compensated"]);
}

/// Without rebuilding it as after a crash; whether it changed anything.
fn briefly(story: &mut Story, input: &Input) -> bool {
    let decided = engine::decide(&story.plan, &story.instance, story.now, input, &mut |_, _| true);
    let Decision::Change(change, next) = decided else { return false };
    story.instance = next;
    story.journal.push(change);
    true
}

#[test]
fn what_is_ordered_again_and_again_leaves_room_for_what_ends_it() {
    let (mut story, _) = Story::begin(TRIP, "{}");
    story.done("take", r#"{"n": 1}"#);
    story.order(Order::Cancel);
    story.refused("take", "odd");
    let again = |number: usize| {
        let request = RequestId::try_from(format!("again-{number}").as_str()).unwrap();
        let order = Order::Retry { step: Some("take".into()) };
        Input::Order(OrderRequest { request, order, by: None, reason: None })
    };
    let mut number = 0;
    while briefly(&mut story, &again(number)) {
        let Command { id: command, attempt, .. } = story.command("take");
        let status = Status::Failed { code: "odd".into(), message: None };
        let reply = Reply { command, kind: ReplyKind::Undo, attempt, status, payload: None };
        assert!(briefly(&mut story, &Input::Reply(reply)), "it is stuck again");
        number += 1;
    }
    // As docs/protocol.md has it; the first of them was the cancel.
    assert_eq!(1 + number, REQUESTS_MAX - 256);
    let refused = engine::decide(&story.plan, &story.instance, story.now, &again(number), &mut |_, _| true);
    let Decision::Rejected(rejection) = refused else { panic!("{refused:?}") };
    assert!(rejection.message.ends_with("only `cancel` and `resolve` are still taken"), "{}", rejection.message);
    assert_eq!(story.retry("take"), ["rejected Busy"]);
    assert_eq!(story.resolve("take", Direction::Undo), ["ordered", "succeeded undo take", "compensated"]);
}

#[test]
fn an_order_is_known_by_its_request_and_what_it_says() {
    let (mut story, _) = Story::begin(TRIP, "{}");
    story.done("take", r#"{"n": 1}"#);
    let (mine, another) = ["mine", "another"].map(|text| RequestId::try_from(text).unwrap()).into();
    let order = OrderRequest { request: mine.clone(), order: Order::Cancel, by: None, reason: None };
    assert!(briefly(&mut story, &Input::Order(order)));
    let has_followed = |request, order| story.instance.has_followed(request, order);
    assert!(has_followed(&mine, &Order::Cancel));
    assert!(!has_followed(&mine, &Order::Retry { step: None }), "another order under it");
    assert!(!has_followed(&another, &Order::Cancel));
}

/// `resolve` is taken to the last: each step is over with it.
#[test]
fn at_the_limit_of_orders_no_more_are_taken() {
    const MANY: &str = r#"
participant shop {
  commands "shop"
  command Take
}
saga many {
  version 1
  input { all: list<int> }
  for each n in input.all {
    step a { call shop.Take  retry 1 times every 1s  compensate nothing }
    step b { call shop.Take  retry 1 times every 1s  compensate nothing }
    step c { call shop.Take  retry 1 times every 1s  compensate nothing }
    step d { call shop.Take  retry 1 times every 1s  compensate nothing }
    step e { call shop.Take  retry 1 times every 1s  compensate nothing }
  }
}
"#;
    const STEPS: [&str; 5] = ["a", "b", "c", "d", "e"];
    let all: Vec<String> = (0..=REQUESTS_MAX / STEPS.len()).map(|n| n.to_string()).collect();
    let place = |number: usize| format!("{}[{}]", STEPS[number % STEPS.len()], 1 + number / STEPS.len());
    let (mut story, _) = Story::begin(MANY, &format!(r#"{{"all": [{}]}}"#, all.join(",")));
    let resolved = |number: usize| {
        let request = RequestId::try_from(format!("resolve-{number}").as_str()).unwrap();
        let order = resolve(&place(number), Direction::Do, None);
        Input::Order(OrderRequest { request, order, by: None, reason: None })
    };
    for number in 0..=REQUESTS_MAX {
        let Command { id: command, attempt, .. } = story.command(&place(number));
        let reply =
            Reply { command, kind: ReplyKind::Do, attempt, status: Status::Retry { code: None }, payload: None };
        assert!(briefly(&mut story, &Input::Reply(reply)), "it pauses");
        let is_taken = briefly(&mut story, &resolved(number));
        assert_eq!(is_taken, number < REQUESTS_MAX, "{number}");
    }
    let refused = engine::decide(&story.plan, &story.instance, story.now, &resolved(REQUESTS_MAX), &mut |_, _| true);
    let Decision::Rejected(rejection) = refused else { panic!("{refused:?}") };
    assert!(rejection.message.ends_with("no more are taken"), "{}", rejection.message);
}
