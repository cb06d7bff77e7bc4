//! Triggers: what is said of them, and what they make of an event.

use std::sync::Arc;

use saga::check::{as_one_text, check_text};
use saga::definition::{Trigger, Wanted};
use saga::json::Json;
use saga::syntax::{Form, convert};

use super::{Shelf, check, findings};

const ORDER: &str = r"participant shop {
  command Pack { order: string }
}
saga order {
  version 1
  input { order: string, lines: list<Line>, gift: bool? }
  signal paid { amount: decimal }
  signal called_off
  pivot
  step pack { call shop.Pack { order: input.order } }
  await paid within 1h otherwise { }
  await called_off within 1h otherwise { }
}
type Line { sku: string, count: int }
";

fn trigger(text: &str) -> Arc<Trigger> {
    let source = format!("{ORDER}{text}");
    assert_eq!(findings(&source), "");
    Arc::clone(&check(&source).program.triggers[0])
}

const CREATED: &str = r#"
trigger created {
  on "shop.orders"
  event { type: string, order: string, lines: list<Line>, gift: bool? }
  where event.type == "OrderCreated"
  start order { id: "order-" + event.order, input: { order: event.order, lines: event.lines, gift: event.gift } }
}"#;

mistake!(
    triggers_with_slips,
    r#"participant shop {
  command Pack { order: string, why: string? }
}
saga order {
  version 1
  input { order: string, count: int }
  signal paid { amount: decimal }
  signal seen { by: string? }
  pivot
  step pack { call shop.Pack { order: input.order } }
  await paid within 1h otherwise { }
  await seen within 1h otherwise { }
}
trigger idle { on "shop.a" event { order: string } }
trigger of_the_engine { on "saga.requests" event { order: string } signal order.seen { id: event.order } }
trigger of_nobody { on "shop.a" event { order: string } start ordr { id: event.order } }
trigger incomplete { on "shop.a" event { order: string, number: int } start order { id: event.number, input: { order: event.order } } }
trigger without_id { on "shop.a" event { order: string } start order { input: { order: event.order, count: 1 } } }
trigger perhaps { on "shop.a" event { order: string? } signal order.seen { id: event.order } }
trigger surplus { on "shop.a" event { order: string } signal order.seen { id: event.order, input: { } } }
trigger deaf { on "shop.a" event { order: string } signal order.payd { id: event.order } }
trigger vague { on "shop.a" event { order: string } signal order { id: event.order } }
trigger of_an_instance {
  on "shop.a" event { order: string, count: int }
  where event.count
  start order { id: saga.id, input: { order: id("order"), count: input.count + pack } }
}
trigger deaf { on "shop.commands" event Word signal order.seen { id: "x" } }
type Word = string"#
);

#[test]
fn what_where_asks_for_is_there_in_what_it_lets_through() {
    trigger(
        r#"trigger seen { on "shop.a" event { order: string?, by: string } where event.order != null && event.by != "us"
  signal order.called_off { id: event.order } }"#,
    );
}

#[test]
fn an_event_becomes_what_is_wanted() {
    let created = trigger(CREATED);
    let read = |event: &str| created.read(event.as_bytes());
    let wanted = Wanted {
        start: Some((
            "order-7".to_owned(),
            Json::parse(r#"{"order":"7","lines":[{"sku":"lamp","count":2,"colour":"red"}]}"#).unwrap(),
        )),
        signal: None,
    };
    let event = r#"{"type":"OrderCreated","order":"7","lines":[{"sku":"lamp","count":2,"colour":"red"}],"more":1}"#;
    assert_eq!(read(event), Ok(Some(wanted)));
    // None of this trigger's, whatever else it holds.
    assert_eq!(read(r#"{"type":"OrderShipped","lines":"?"}"#), Ok(None));
    let refused = |event: &str| read(event).expect_err(event);
    for (event, why) in [
        ("", "it has no value (a tombstone)"),
        ("{", "it is no JSON"),
        ("null", "`where` cannot be computed"),
        ("[]", "`where` cannot be computed"),
        (r#"{"order":"7","lines":[]}"#, "`where` cannot be computed: failed to read event.type"),
        (r#"{"type":"OrderCreated","lines":[]}"#, "it does not fit"),
        (r#"{"type":"OrderCreated","order":"7","lines":[{"sku":"lamp"}]}"#, "count"),
    ] {
        assert!(refused(event).contains(why), "{event}: {}", refused(event));
    }
    assert!(created.read(b"\xff").expect_err("bytes").contains("UTF-8"));
    let deep = format!(r#"{{"type":"OrderCreated","order":"7","lines":{}}}"#, "[".repeat(100_000));
    assert!(refused(&deep).contains("it is no JSON"), "{}", refused(&deep));
    let large = format!(r#"{{"type":"OrderCreated","order":"{}","lines":[]}}"#, "x".repeat(2 << 20));
    assert!(refused(&large).contains("limit"), "{}", refused(&large));
}

#[test]
fn what_cannot_be_computed_is_said() {
    let huge = trigger(
        r#"trigger huge { on "shop.payments" event { order: string, count: int }
  start order { id: event.order, input: { order: text(event.count * 9_223_372_036_854_775_807), lines: [] } } }"#,
    );
    let why = huge.read(br#"{"order":"7","count":2}"#).expect_err("too large");
    assert!(why.contains("the payload for `order` cannot be computed"), "{why}");
    assert!(huge.read(br#"{"order":"7","count":1}"#).is_ok());
}

#[test]
fn why_an_event_is_set_aside_tells_nothing_personal() {
    let trigger = trigger(
        r#"trigger vip { on "shop.orders" event { personal age: int, order: string } where event.age > 17
  start order { id: event.order, input: { order: event.order, lines: [] } } }"#,
    );
    assert_eq!(trigger.read(br#"{"age":"SECRET","order":"7"}"#).unwrap_err(), "`where` cannot be computed of it");
    assert_eq!(
        trigger.read(br#"{"age":18,"order":7}"#).unwrap_err(),
        "it does not fit: at order: expected string, found 7"
    );
}

#[test]
fn a_trigger_changes_no_hash() {
    let hash = |text: &str| check_text("case.saga", text).program.sagas["order"].hash().to_string();
    assert_eq!(hash(ORDER), hash(&format!("{ORDER}{CREATED}")));
}

#[test]
fn the_twin_has_the_same_triggers() {
    let source = format!("{ORDER}{CREATED}");
    let checked = check(&source);
    let twin = convert(&checked.trees.files[0].1, Form::Yaml);
    let twin = super::check_as("case.yaml", &twin);
    assert!(twin.findings.is_empty(), "{:?}", twin.findings);
    let event = r#"{"type":"OrderCreated","order":"7","lines":[]}"#.as_bytes();
    let read = |trigger: &Trigger| (trigger.name.clone(), trigger.topic.clone(), trigger.read(event));
    assert_eq!(read(&checked.program.triggers[0]), read(&twin.program.triggers[0]));
}

#[test]
fn triggers_are_those_of_the_named_file() {
    let own = r#"use "order.saga"
trigger again { on "shop.again" event { order: string } signal order.called_off { id: event.order } }"#;
    let theirs = format!("{ORDER}{CREATED}");
    let shelf = Shelf::of(&[("case.saga", own), ("order.saga", &theirs)]);
    assert_eq!(shelf.findings(), "");
    let checked = shelf.check();
    let names: Vec<&str> = checked.program.triggers.iter().map(|trigger| trigger.name.as_str()).collect();
    assert_eq!(names, ["again"]);
    assert_eq!(checked.program.triggers[0].saga().map(compact_str::CompactString::as_str), Some("order"));
    let text = as_one_text(&checked.sources, &checked.trees);
    assert_eq!(check_text("one.saga", &text).program.triggers.len(), 1, "{text}");
}
