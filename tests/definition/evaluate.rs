//! Values of expressions: the twelve functions, arithmetic that never wraps, reads of data at rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use saga::definition::evaluate::{Datum, Environment, Invalid, evaluate};
use saga::definition::expression::{BinaryOp, Expr, Function, PathSegment, Read, Root};
use saga::definition::types::Type;
use saga::definition::value::{Value, to_json};
use saga::time::Timestamp;

/// JSON texts by name.
#[derive(Default)]
struct Data(BTreeMap<&'static str, String>);

impl Environment for Data {
    fn read(&self, root: &Root) -> Option<Datum<'_>> {
        match root {
            Root::SagaId => Some(Datum::Value(Value::String("order-7".into()))),
            Root::Name(name) => self.0.get(name.as_str()).map(|text| Datum::Json(text.into())),
            _ => None,
        }
    }
    fn id(&self, _: &str, word: &str) -> String {
        format!("uuid-of-{word}")
    }
}

fn data(texts: &[(&'static str, &str)]) -> Data {
    Data(texts.iter().map(|(name, text)| (*name, (*text).to_owned())).collect())
}

fn int(value: i64) -> Expr {
    Expr::Literal(Value::Int(value))
}
fn dec(text: &str) -> Expr {
    Expr::Literal(Value::Decimal(text.parse().expect("a decimal in a test")))
}
fn string(text: &str) -> Expr {
    Expr::Literal(Value::String(text.into()))
}
fn list(elements: Vec<Expr>) -> Expr {
    Expr::List(elements)
}
fn call(function: Function, arguments: Vec<Expr>) -> Expr {
    Expr::Call(function, arguments)
}
fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    Expr::Binary(op, Box::new((left, right)))
}
fn read(name: &str, path: &[&str], ty: Type) -> Expr {
    let path = path.iter().map(|key| PathSegment::Key((*key).into())).collect();
    Expr::Read(Read { root: Root::Name(name.into()), path, ty })
}
fn value(expr: &Expr) -> Result<String, Invalid> {
    evaluate(expr, &Data::default()).map(|value| to_json(&value))
}
#[track_caller]
fn check(expr: &Expr, expected: &str) {
    assert_eq!(value(expr), Ok(expected.to_owned()));
}
#[track_caller]
fn invalid(expr: &Expr, message: &str) {
    assert_eq!(value(expr).map_err(|error| error.to_string()), Err(message.to_owned()));
}

#[test]
fn each_of_the_twelve_functions_does_what_the_reference_says() {
    let numbers = || list(vec![int(3), int(1), int(2)]);
    let flags = |flags: &[bool]| list(flags.iter().map(|flag| Expr::Literal(Value::Bool(*flag))).collect());
    check(&call(Function::Id, vec![string("disk")]), "\"uuid-of-disk\"");
    check(&call(Function::Count, vec![numbers()]), "3");
    check(&call(Function::Sum, vec![numbers()]), "6");
    check(&call(Function::Sum, vec![list(vec![])]), "0");
    check(&call(Function::Sum, vec![list(vec![dec("0.10"), dec("0.20")])]), "\"0.30\"");
    check(&call(Function::Min, vec![numbers()]), "1");
    check(&call(Function::Max, vec![numbers()]), "3");
    check(&call(Function::Max, vec![list(vec![])]), "null");
    check(&call(Function::Min, vec![list(vec![dec("1.5"), dec("1.25")])]), "\"1.25\"");
    check(&call(Function::Any, vec![flags(&[false, true])]), "true");
    check(&call(Function::Any, vec![flags(&[])]), "false");
    check(&call(Function::All, vec![flags(&[true, false])]), "false");
    check(&call(Function::All, vec![flags(&[])]), "true");
    check(&call(Function::Contains, vec![numbers(), int(2)]), "true");
    check(&call(Function::Contains, vec![list(vec![dec("2.00")]), int(2)]), "true");
    check(&call(Function::Contains, vec![numbers(), int(9)]), "false");
    check(&call(Function::Contains, vec![string("abc"), string("bc")]), "true");
    check(&call(Function::Present, vec![list(vec![int(1), Expr::Literal(Value::Null)])]), "[1]");
    check(&call(Function::Length, vec![string("añ🚀")]), "3");
    check(&call(Function::Text, vec![dec("4.20")]), "\"4.20\"");
    check(&call(Function::Text, vec![Expr::Literal(Value::Duration(900_000))]), "\"PT15M\"");
    check(&call(Function::Text, vec![Expr::Literal(Value::Timestamp(Timestamp(0)))]), "\"1970-01-01T00:00:00.000Z\"");
    check(&call(Function::Text, vec![int(-5)]), "\"-5\"");
    check(&call(Function::Rounded, vec![dec("2.345"), int(2)]), "\"2.34\"");
}

#[test]
fn rounding_is_half_to_even_and_to_exactly_so_many_places() {
    for (number, places, expected) in [
        ("0.5", 0, "0"),
        ("1.5", 0, "2"),
        ("2.5", 0, "2"),
        ("-2.5", 0, "-2"),
        ("-0.5", 0, "0"),
        ("2.675", 2, "2.68"),
        ("2.665", 2, "2.66"),
        ("2", 2, "2.00"),
    ] {
        check(&call(Function::Rounded, vec![dec(number), int(places)]), &format!("\"{expected}\""));
    }
    invalid(
        &call(Function::Rounded, vec![dec("1234567890123456789012345678"), int(2)]),
        "round to 2 places: the result has more than 28 digits",
    );
}

#[test]
fn an_overflow_is_invalid_and_says_of_what_but_not_the_numbers() {
    invalid(&binary(BinaryOp::Add, int(i64::MAX), int(1)), "compute with `+`: the result is too large");
    invalid(&binary(BinaryOp::Multiply, int(i64::MIN), int(-1)), "compute with `*`: the result is too large");
    invalid(&Expr::Negate(Box::new(int(i64::MIN))), "compute with `-`: the result is too large");
    let digits = "9999999999999999999999999999";
    invalid(&binary(BinaryOp::Add, dec(digits), dec("1")), "compute with `+`: the result is too large");
    invalid(
        &binary(BinaryOp::Subtract, Expr::Literal(Value::Timestamp(Timestamp(0))), Expr::Literal(Value::Duration(1))),
        "compute with `-`: instants are from 1970 to 9999, and the result is none of them",
    );
    let last = || Expr::Literal(Value::Timestamp(Timestamp::LAST));
    invalid(
        &binary(BinaryOp::Add, last(), Expr::Literal(Value::Duration(1))),
        "compute with `+`: instants are from 1970 to 9999, and the result is none of them",
    );
    check(&binary(BinaryOp::Add, last(), Expr::Literal(Value::Duration(0))), "\"9999-12-30T22:00:00.000Z\"");
}

#[test]
fn arithmetic_follows_the_kinds_of_its_operands() {
    check(&binary(BinaryOp::Divide, int(7), int(2)), "3");
    check(&binary(BinaryOp::Divide, dec("7.00"), int(2)), "\"3.50\"");
    check(&binary(BinaryOp::Multiply, dec("0.10"), int(3)), "\"0.30\"");
    check(&binary(BinaryOp::Add, string("order "), string("7")), "\"order 7\"");
    let (minute, noon) =
        (Expr::Literal(Value::Duration(60_000)), Expr::Literal(Value::Timestamp(Timestamp(43_200_000))));
    check(&binary(BinaryOp::Add, noon.clone(), minute.clone()), "\"1970-01-01T12:01:00.000Z\"");
    check(&binary(BinaryOp::Subtract, noon.clone(), noon), "\"PT0S\"");
    check(&binary(BinaryOp::Multiply, minute.clone(), int(90)), "\"PT1H30M\"");
    check(&binary(BinaryOp::Divide, minute, int(7)), "\"PT8.571S\"");
    check(&binary(BinaryOp::Equal, dec("1.0"), dec("1.00")), "true");
    check(&binary(BinaryOp::Less, int(1), dec("1.01")), "true");
}

#[test]
fn conditions_look_no_further_than_they_must() {
    let overflow = || binary(BinaryOp::Less, binary(BinaryOp::Add, int(i64::MAX), int(1)), int(0));
    let truth = |value| Expr::Literal(Value::Bool(value));
    check(&binary(BinaryOp::And, truth(false), overflow()), "false");
    check(&binary(BinaryOp::Or, truth(true), overflow()), "true");
    check(&binary(BinaryOp::Coalesce, int(1), binary(BinaryOp::Add, int(i64::MAX), int(1))), "1");
    check(&Expr::If(Box::new((truth(true), int(1), binary(BinaryOp::Add, int(i64::MAX), int(1))))), "1");
}

#[test]
fn reads_take_only_what_they_name_from_data_at_rest() {
    let env =
        data(&[("r", r#"{"hold":"h1","n":"12","items":[{"sku":"a"},{"sku":null}],"whole":{"x":1,"unknown":2}}"#)]);
    let get = |expr: &Expr| evaluate(expr, &env).map(|value| to_json(&value)).map_err(|error| error.to_string());
    assert_eq!(get(&read("r", &["hold"], Type::String)), Ok("\"h1\"".into()));
    assert_eq!(get(&read("r", &["n"], Type::Int)), Ok("12".into()));
    assert_eq!(get(&read("r", &["whole"], Type::Map(Arc::new(Type::Int)))), Ok(r#"{"x":1,"unknown":2}"#.into()));
    assert_eq!(get(&read("r", &["gone"], Type::String.optional())), Ok("null".into()));
    assert_eq!(get(&read("r", &["gone"], Type::String)), Err("read r.gone: it is absent".into()));
    assert_eq!(get(&read("nobody", &["x"], Type::String.optional())), Ok("null".into()));
    assert_eq!(get(&read("r", &["hold"], Type::Int)), Err("read \"h1\" as int".into()));
    let items = read("r", &["items"], Type::List(Arc::new(Type::Json)));
    let skus = Expr::Every(Box::new(items.clone()), vec![PathSegment::Key("sku".into())], Type::String.optional());
    assert_eq!(get(&skus), Ok("[\"a\",null]".into()));
    let index = |at| Expr::Index(Box::new((items.clone(), int(at))), Type::Json.optional());
    let sku = |at| Expr::Into(Box::new(index(at)), PathSegment::Key("sku".into()), Type::String.optional());
    assert_eq!(get(&sku(0)), Ok("\"a\"".into()));
    assert_eq!(get(&sku(7)), Ok("null".into()));
    assert_eq!(get(&sku(-1)), Ok("null".into()));
}

#[test]
fn absent_fields_are_left_out_of_what_is_written() {
    check(&Expr::Object(vec![("a".into(), int(1)), ("b".into(), Expr::Literal(Value::Null))]), r#"{"a":1}"#);
}

#[test]
fn a_result_has_a_largest_size() {
    let long = "x".repeat(400_000);
    let env = data(&[("long", &format!("\"{long}\""))]);
    let one = || read("long", &[], Type::String);
    let three = binary(BinaryOp::Add, binary(BinaryOp::Add, one(), one()), one());
    assert_eq!(evaluate(&one(), &env), Ok(Value::String(long.as_str().into())));
    let refused = evaluate(&three, &env).unwrap_err();
    assert_eq!(refused.to_string(), "make a value of more than 1048576 bytes");
}

proptest! {
    #[test]
    fn integers_are_exact_or_refused(a: i64, b: i64) {
        for (op, exact) in [
            (BinaryOp::Add, i128::from(a) + i128::from(b)),
            (BinaryOp::Subtract, i128::from(a) - i128::from(b)),
            (BinaryOp::Multiply, i128::from(a) * i128::from(b)),
        ] {
            let computed = evaluate(&binary(op, int(a), int(b)), &Data::default()).ok();
            prop_assert_eq!(computed, i64::try_from(exact).ok().map(Value::Int));
        }
    }

    #[test]
    fn sums_of_cents_are_exact(cents in prop::collection::vec(-1_000_000_i64..1_000_000, 0..50)) {
        let decimals = cents.iter().map(|cents| Expr::Literal(Value::Decimal(rust_decimal::Decimal::new(*cents, 2))));
        let sum = evaluate(&call(Function::Sum, vec![list(decimals.collect())]), &Data::default());
        let expected = rust_decimal::Decimal::new(cents.iter().sum(), 2);
        let is_expected = matches!(sum, Ok(Value::Decimal(sum)) if sum == expected) || cents.is_empty();
        prop_assert!(is_expected);
    }

    #[test]
    fn rounding_is_never_off_by_more_than_half_a_place(units in -1_000_000_i64..1_000_000, scale in 0_u32..6, places in 0_i64..6) {
        let number = rust_decimal::Decimal::new(units, scale);
        let rounded = evaluate(&call(Function::Rounded, vec![Expr::Literal(Value::Decimal(number)), int(places)]), &Data::default());
        let Ok(Value::Decimal(rounded)) = rounded else { return Err(TestCaseError::fail("no decimal")) };
        let half = rust_decimal::Decimal::new(5, u32::try_from(places).unwrap() + 1);
        prop_assert!((rounded - number).abs() <= half);
        prop_assert_eq!(i64::from(rounded.scale()), places);
    }
}
