//! Steps and pauses: what is asked cannot always be computed, and when it is time.

use std::time::Duration;

use saga::engine::{Direction, Input, Order, Outcome, Status, Summary};
use saga::json::Json;

use super::{START, Story};

const TEXT: &str = r#"
participant shop {
  commands "shop"
  command Pay
  command Tell { n: int }
}
saga order {
  version 1
  input { n: int }
  pivot step pay { call shop.Pay }
  step tell { call shop.Tell { n: input.n + 1 } }
}
"#;

#[test]
fn behind_the_point_of_no_return_a_person_does_what_cannot_be_asked_for() {
    let (mut story, _) = Story::begin(TEXT, r#"{"n":9223372036854775807}"#);
    assert_eq!(story.done("pay", "{}"), ["succeeded pay", "stuck tell invalid"]);
    assert_eq!(story.summary(), Summary::Stuck);
    assert_eq!(story.retry("tell"), ["ordered", "stuck tell invalid"], "it is tried again");
    assert_eq!(story.resolve("tell", Direction::Do), ["ordered", "succeeded tell", "completed {}"]);
}

#[test]
fn what_a_person_did_has_the_value_that_the_person_says() {
    let text = r#"
participant shop { commands "shop"  command Take returns { n: int } }
saga order {
  version 1
  step take { call shop.Take  compensate nothing }
  output { n: take.n }
}
"#;
    let (mut story, _) = Story::begin(text, "{}");
    story.answer("take", Status::Pending, "{}");
    let outcome = Outcome::Succeeded { reply: Some(Json::parse(r#"{"n":7}"#).unwrap()) };
    let order = Order::Resolve { step: "take".into(), work: Direction::Do, outcome };
    assert_eq!(story.order(order), ["ordered", "succeeded take", r#"completed {"n":7}"#]);
}

#[test]
fn it_sleeps_until_an_instant_or_not_at_all_where_that_is_over() {
    let text = "saga nap { version 1  input { at: timestamp }  sleep until input.at }";
    let (mut story, lines) = Story::begin(text, r#"{"at":"2026-01-01T00:00:07Z"}"#);
    assert_eq!(lines, ["started", "slept sleep#1"]);
    assert_eq!(story.instance.next_due(&story.plan), Some(START.after(Duration::from_secs(7))));
    assert_eq!(story.wait(), ["woke sleep#1", "completed {}"]);
    let (mut story, _) = Story::begin(text, r#"{"at":"2025-01-01T00:00:00Z"}"#);
    assert_eq!(story.tell(&Input::Due), ["woke sleep#1", "completed {}"]);
}

#[test]
fn an_output_that_cannot_be_computed_is_computed_again_when_it_is_ordered_and_nothing_else_is() {
    let text = r"
participant shop { command Pay returns { n: int } }
saga order {
  version 1
  pivot step pay { call shop.Pay }
  output { n: pay.n * 1000000000000 }
}
";
    let (mut story, _) = Story::begin(text, "{}");
    assert_eq!(story.done("pay", r#"{"n":9000000000000000000}"#), ["succeeded pay", "stuck saga invalid"]);
    assert_eq!(story.order(Order::Retry { step: None }), ["ordered", "stuck saga invalid"]);
    assert_eq!((story.summary(), story.owed().len()), (Summary::Stuck, 0));
}
