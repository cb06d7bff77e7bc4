//! JSON text against types.

use std::sync::Arc;

use proptest::prelude::*;
use saga::check::check_text;
use saga::definition::expression::PathSegment;
use saga::definition::json::{MAX_JSON_BYTES, MAX_MISFITS, check_json, decode, least, locate};
use saga::definition::types::{Field, Record, Type};
use saga::definition::value::to_json;
use saga::source::Span;

fn record(fields: &[(&str, Type)]) -> Type {
    let field = |(key, ty): &(&str, Type)| Field {
        key: (*key).into(),
        ty: ty.clone(),
        personal: false,
        docs: None,
        span: Span::default(),
    };
    Type::Record(Arc::new(Record { name: None, fields: fields.iter().map(field).collect() }))
}

fn list(inner: Type) -> Type {
    Type::List(Arc::new(inner))
}

fn misfits(ty: &Type, text: &str) -> Vec<String> {
    check_json(ty, text).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// What `text` is as `ty`, written canonically.
fn canonical(ty: &Type, text: &str) -> Option<String> {
    let decoded = decode(ty, text).ok().map(|value| to_json(&value));
    assert_eq!(decoded.is_some(), check_json(ty, text).is_ok(), "{text} as {ty}: the check and the reader disagree");
    decoded
}

#[test]
fn all_misfits_are_named_with_their_places() {
    let item = record(&[("sku", Type::String), ("count", Type::Int), ("note", Type::String.optional())]);
    let order = record(&[("items", list(item)), ("total", Type::Decimal), ("customer", Type::String)]);
    let text = r#"{ "items": [{ "sku": 5, "count": 1 }, 7, { "sku": "a", "count": 1.5, "note": null, "more": [] }], "total": true }"#;
    assert_eq!(
        misfits(&order, text),
        [
            "at items[0].sku: expected string, found 5",
            "at items[1]: expected { sku: string, count: int, note: string? }, found 7",
            "at items[2].count: expected int, found 1.5",
            "at total: expected decimal, found true",
            "at customer: expected string, found nothing",
        ]
    );
}

#[test]
fn of_what_is_personal_a_misfit_tells_the_kind() {
    let ty = |text: &str| {
        let source = format!("type Shape = {text}\nsaga s {{ input {{ x: Shape }} }}");
        check_text("case.saga", &source).program.types["Shape"].clone()
    };
    let guest = "{ personal name: string, personal age: int, personal kin: list<{ of: string }>, personal by: map<int>, city: string }";
    let text = r#"{ "name": 7000, "age": "ana", "kin": [{ "of": true }, "ana"], "by": { "ana": "eva", "ana": 1 }, "city": 8010 }"#;
    assert_eq!(
        misfits(&ty(guest), text),
        [
            "at name: expected string, found a number",
            "at age: expected int, found a text",
            "at kin[0].of: expected string, found a truth value",
            "at kin[1]: expected { of: string }, found a text",
            "at by.…: expected int, found a text",
            "at by.…: expected it once, found it again",
            "at city: expected string, found 8010",
        ]
    );
    let text = r#"{ "name": null, "age": [1], "kin": {}, "by": 5, "city": "" }"#;
    assert_eq!(
        misfits(&ty(guest), text),
        [
            "at name: expected string, found null",
            "at age: expected int, found a list",
            "at kin: expected list<{ of: string }>, found an object",
            "at by: expected map<int>, found a number",
        ]
    );
}

#[test]
fn a_field_that_stands_twice_does_not_fit() {
    let item = record(&[("sku", Type::String)]);
    let order = record(&[("items", list(item)), ("prices", Type::Map(Arc::new(Type::Decimal)))]);
    let text = r#"{ "items": [{ "sku": "a", "sku": "a" }], "prices": { "a": 1, "b": 2, "a": 1 }, "items": [], "x": 1, "x": 2 }"#;
    assert_eq!(
        misfits(&order, text),
        [
            "at items[0].sku: expected it once, found it again",
            "at prices.a: expected it once, found it again",
            "at items: expected it once, found it again",
        ]
    );
}

#[test]
fn absent_and_null_are_alike() {
    let optional = record(&[("a", Type::Int.optional())]);
    assert!(check_json(&optional, "{}").is_ok());
    assert!(check_json(&optional, r#"{"a":null}"#).is_ok());
    let required = record(&[("a", Type::Int)]);
    assert_eq!(misfits(&required, "{}"), ["at a: expected int, found nothing"]);
    assert_eq!(misfits(&required, r#"{"a":null}"#), ["at a: expected int, found null"]);
}

#[test]
fn scalars_are_read_by_their_text() {
    let cases: &[(Type, &str, Option<&str>)] = &[
        (Type::Int, "42", Some("42")),
        (Type::Int, "\"-42\"", Some("-42")),
        (Type::Int, "9223372036854775807", Some("\"9223372036854775807\"")),
        (Type::Int, "9007199254740992", Some("9007199254740992")),
        (Type::Int, "9007199254740993", Some("\"9007199254740993\"")),
        (Type::Int, "9223372036854775808", None),
        (Type::Int, "1.0", None),
        (Type::Int, "1e3", None),
        (Type::Int, "\"0x10\"", None),
        (Type::Decimal, "840.00", Some("\"840.00\"")),
        (Type::Decimal, "\"840.00\"", Some("\"840.00\"")),
        (Type::Decimal, "0.1", Some("\"0.1\"")),
        (Type::Decimal, "-0.00", Some("\"0.00\"")),
        (Type::Decimal, "1e3", Some("\"1000\"")),
        (Type::Decimal, "1.5e-2", Some("\"0.015\"")),
        (Type::Decimal, "1e-60", None),
        (Type::Decimal, "\"1e3\"", None),
        (Type::Decimal, "1234567890123456789012345678", Some("\"1234567890123456789012345678\"")),
        (Type::Decimal, "12345678901234567890123456789", None),
        (Type::Decimal, "\"0.12345678901234567890123456789\"", None),
        (Type::Decimal, "\" 1\"", None),
        (Type::Bool, "true", Some("true")),
        (Type::Bool, "\"true\"", None),
        (Type::Bool, "1", None),
        (Type::Timestamp, "\"2026-11-23T22:00:00+01:00\"", Some("\"2026-11-23T21:00:00.000Z\"")),
        (Type::Timestamp, "\"2026-11-23T21:00:00.1239Z\"", Some("\"2026-11-23T21:00:00.123Z\"")),
        (Type::Timestamp, "\"2026-11-23T21:00:00\"", None),
        (Type::Timestamp, "\"1969-12-31T23:59:59Z\"", None),
        (Type::Timestamp, "\"9999-12-30T22:00:00Z\"", Some("\"9999-12-30T22:00:00.000Z\"")),
        (Type::Timestamp, "\"9999-12-30T22:00:00.999Z\"", None),
        (Type::Timestamp, "\"2026-11-23\"", None),
        (Type::Timestamp, "0", None),
        (Type::Duration, "\"PT15M\"", Some("\"PT15M\"")),
        (Type::Duration, "\"15m\"", Some("\"PT15M\"")),
        // 20,000 years, and a second more.
        (Type::Duration, "\"PT631107417600S\"", Some("\"PT175307616H\"")),
        (Type::Duration, "\"-PT631107417600S\"", Some("\"-PT175307616H\"")),
        (Type::Duration, "\"PT631107417601S\"", None),
        (Type::Duration, "\"PT1800000000000S\"", None),
        (Type::Duration, "\"P1DT1H\"", Some("\"PT25H\"")),
        (Type::Duration, "\"200ms\"", Some("\"PT0.2S\"")),
        (Type::Duration, "\"P1M\"", None),
        (Type::Duration, "\"1 hour\"", None),
        (Type::Duration, "\"99999999999999999999d\"", None),
        (Type::Choice(["a".into(), "b".into()].into()), "\"b\"", Some("\"b\"")),
        (Type::Choice(["a".into(), "b".into()].into()), "\"c\"", None),
        (Type::String, r#""\ud800""#, None),
        (Type::String, r#""a\"b\u00e9""#, Some("\"a\\\"bé\"")),
    ];
    for (ty, text, expected) in cases {
        assert_eq!(canonical(ty, text).as_deref(), *expected, "{text} as {ty}");
    }
}

#[test]
fn records_pass_on_what_their_type_does_not_know() {
    let text = r#"{"a":1,"unknown":[1.50]}"#;
    assert_eq!(canonical(&record(&[("a", Type::Int)]), text).as_deref(), Some(text));
}

#[test]
fn a_place_is_found_without_reading_the_rest() {
    let text = r#"{"a":[{"b":null},{"b":{"c":1.50}}],"a2":0}"#;
    let key = |key: &str| PathSegment::Key(key.into());
    assert_eq!(locate(text, &[key("a"), PathSegment::Element(1), key("b"), key("c")]), Ok(Some("1.50")));
    assert_eq!(locate(text, &[key("a"), PathSegment::Element(0), key("b")]), Ok(None));
    assert_eq!(locate(text, &[key("a"), PathSegment::Element(2)]), Ok(None));
    assert_eq!(locate(text, &[key("a2"), key("x")]), Ok(None));
    assert!(locate(r#"{"a":"#, &[key("a")]).is_err());
}

#[test]
fn depth_length_and_garbage_are_refused_in_one_line() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(check_json(&Type::Json, &nested(64)).is_ok());
    assert_eq!(misfits(&Type::Json, &nested(65)), ["expected at most 64 levels, found deeper nesting"]);
    assert_eq!(misfits(&Type::Json, &nested(400_000)).len(), 1);
    let long = format!("\"{}\"", "x".repeat(MAX_JSON_BYTES));
    assert_eq!(misfits(&Type::String, &long), ["expected at most 1048576 bytes, found 1048578 bytes"]);
    assert_eq!(misfits(&Type::Json, "{} {}").len(), 1);
    assert_eq!(misfits(&Type::Int, "").len(), 1);
    let many = format!("[{}\"x\"]", "\"x\",".repeat(500));
    assert_eq!(misfits(&list(Type::Int), &many).len(), MAX_MISFITS);
}

#[test]
fn the_least_value_fits_its_type() {
    let ty = record(&[
        ("word", Type::Choice(["new".into(), "old".into()].into())),
        ("amount", Type::Decimal),
        ("name", Type::String),
        ("any", Type::Json),
        ("maybe", Type::Bool.optional()),
        ("since", Type::Timestamp),
        ("every", Type::Duration),
        ("all", list(Type::Int)),
    ]);
    let text = least(&ty, "reserve");
    assert_eq!(
        text,
        r#"{"word":"new","amount":"0.00","name":"reserve","any":null,"since":"1970-01-01T00:00:00.000Z","every":"PT0S","all":[]}"#
    );
    assert_eq!(misfits(&ty, &text), Vec::<String>::new());
}

proptest! {
    #[test]
    fn integers_come_back_as_they_went(number: i64) {
        prop_assert_eq!(canonical(&Type::Int, &number.to_string()).and_then(|text| canonical(&Type::Int, &text)), canonical(&Type::Int, &number.to_string()));
        let text = canonical(&Type::Int, &number.to_string()).unwrap_or_default();
        prop_assert_eq!(text.trim_matches('"').parse::<i64>(), Ok(number));
    }

    #[test]
    fn decimals_keep_every_digit(whole in 0_u64.., fraction in "[0-9]{0,8}") {
        let text = if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") };
        prop_assert_eq!(canonical(&Type::Decimal, &text), Some(format!("\"{text}\"")));
    }

    #[test]
    fn no_text_makes_the_check_panic(text in ".{0,60}") {
        let ty = record(&[("a", list(Type::Decimal)), ("b", Type::Duration.optional())]);
        let _ = check_json(&ty, &text);
        for ty in [Type::Int, Type::Decimal, Type::Timestamp, Type::Duration, ty] {
            let quoted = serde_json::to_string(&text).unwrap();
            canonical(&ty, &quoted);
        }
    }
}

#[test]
fn a_type_is_shown_as_it_is_written() {
    for text in
        ["string?", "\"a\" | \"b\"", "\"a\" | \"b\"?", "list<\"a\" | \"b\"?>", "map<{ at: timestamp, n: int? }>"]
    {
        let source = format!("type Shape = {text}\nsaga s {{ input {{ x: Shape }} }}");
        let checked = check_text("case.saga", &source);
        assert_eq!(checked.program.types["Shape"].to_string(), text);
    }
}
