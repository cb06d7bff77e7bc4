//! What expressions are, and what is refused: each in one line, in the `output` of one saga.

use saga::definition::types::Type;

use super::{check, findings};

/// One field of each kind.
const INPUT: &str = r#"type Item { sku: string, price: decimal, note: string? }

saga case {
  input {
    s: string, n: int, d: decimal, b: bool, at: timestamp, span: duration, j: json, c: "a" | "b"
    s2: string?, n2: int?, c2: ("a" | "b")?, item: Item, item2: Item?
    items: list<Item>, ns: list<int>, ds: list<decimal>, bs: list<bool>, maybe: list<int?>, prices: map<decimal>
  }
"#;

fn source(expression: &str) -> String {
    let input = INPUT.replace("c2: (\"a\" | \"b\")?, ", "");
    format!("{input}  output {{ x: {expression} }}\n}}")
}

/// The type of an expression, and whether it can overflow; or the codes of what is said about it.
fn of(expression: &str) -> String {
    let source = source(expression);
    let checked = check(&source);
    if !checked.findings.is_empty() {
        let codes: Vec<&str> = checked.findings.iter().map(|finding| finding.code.0).collect();
        return codes.join(" ");
    }
    let output = checked.program.sagas["case"].output.clone().unwrap();
    let Type::Record(record) = &output.ty else { panic!("an output is an object: {}", findings(&source)) };
    format!("{}{}", record.fields[0].ty, if output.overflow.is_some() { ", may overflow" } else { "" })
}

#[track_caller]
fn all(cases: &[(&str, &str)]) {
    for (expression, expected) in cases {
        assert_eq!(of(expression), *expected, "{expression}\n{}", findings(&source(expression)));
    }
}

/// A list of JSON may hold anything, at any depth; any other list is of one type.
#[test]
fn what_json_is_wanted_for_may_be_mixed() {
    let given = |ty: &str, value: &str| {
        let saga = format!("saga case {{ input {{ x: {ty} }} step done {{ compensate nothing }} }}");
        findings(&format!("{saga}\nscenario \"s\" for case {{ given {{ x: {value} }} expect completed }}"))
    };
    for value in ["[1, \"a\", { b: true }]", "{ a: [1, \"a\", [null, 2.5]] }"] {
        assert!(!given("json", value).contains("SG0301"), "{value}: {}", given("json", value));
    }
    assert!(given("list<json>", "[1, \"a\"]").find("SG0301").is_none());
    assert!(given("list<int>", "[1, \"a\"]").contains("SG0301"));
}

#[test]
fn literals_are_what_their_place_wants() {
    all(&[
        ("\"text\"", "string"),
        ("42", "int"),
        ("-9_223_372_036_854_775_808", "int"),
        ("9_223_372_036_854_775_808", "SG0306"),
        ("4.20", "decimal"),
        ("12345678901234567890123456789.0", "SG0306"),
        ("15m", "duration"),
        ("36_526d", "SG0306"),
        ("input.c == \"a\"", "bool"),
        ("\"b\" == input.c", "bool"),
        ("input.c == \"z\"", "SG0308"),
        ("input.at > \"2026-11-23T21:00:00Z\"", "bool"),
        ("input.at > \"tomorrow\"", "SG0301"),
        ("contains(input.ds, 1)", "bool"),
        ("[1, 2.5]", "list<decimal>"),
        ("[1, \"a\"]", "SG0301"),
        ("[]", "list<an unknown type>"),
    ]);
}

#[test]
fn operators_take_what_the_reference_says() {
    all(&[
        ("input.n + 1", "int, may overflow"),
        ("input.n + 1.5", "decimal, may overflow"),
        ("input.s + \"!\"", "string"),
        ("input.s + 1", "SG0305"),
        ("input.c + \"!\"", "SG0305"),
        ("input.at + 15m", "timestamp, may overflow"),
        ("input.at - input.at", "duration"),
        ("input.at + input.at", "SG0305"),
        ("input.span * 2", "duration, may overflow"),
        ("input.span / 2", "duration"),
        ("input.n / 2", "int"),
        ("input.d / 2", "decimal"),
        ("input.d / 0.5", "decimal, may overflow"),
        ("input.d / 0", "SG0307"),
        ("input.d / input.n", "SG0307"),
        ("-input.n", "int, may overflow"),
        ("-input.d", "decimal"),
        ("-input.s", "SG0301"),
        ("input.n < input.d", "bool"),
        ("input.s < \"b\"", "SG0305"),
        ("input.b && input.n", "SG0301"),
        ("!input.s", "SG0301"),
        ("input.item == input.item", "SG0305"),
        ("input.j == 1", "SG0305"),
        ("input.s == 1", "SG0305"),
        ("if input.b then 1 else 2.5", "decimal"),
        ("if input.b then 1 else null", "int?"),
        ("if input.b then 1 else \"a\"", "SG0301"),
    ]);
}

#[test]
fn optionals_are_asked_for_where_they_are_and_nowhere_else() {
    all(&[
        ("input.s2", "string?"),
        ("input.s2 == \"a\"", "bool"),
        ("input.s2 == null", "bool"),
        ("input.s == null", "SG0304"),
        ("input.s2 ?? \"none\"", "string"),
        ("input.s ?? \"none\"", "SG0304"),
        ("input.s2 ?? input.s2", "string?"),
        ("input.s2 + \"a\"", "SG0302"),
        ("input.n2 + input.n2", "SG0302 SG0302"),
        ("input.n2 > 1", "SG0302"),
        ("length(input.s2)", "SG0302"),
        ("input.item2.sku", "string?"),
        ("input.item2.note", "string?"),
        ("input.item2.sku ?? \"none\"", "string"),
        ("input.n2 != null && input.n2 > 1", "bool"),
        ("input.n2 == null || input.n2 > 1", "bool"),
        ("input.n2 != null || input.n2 > 1", "SG0302"),
        ("!(input.n2 == null) && input.n2 > 1", "bool"),
        ("if input.n2 == null then 0 else input.n2", "int"),
        ("if input.item2.note != null then input.item2.sku else \"\"", "string"),
        ("if input.items[0] != null then input.items[0].sku else \"\"", "string"),
        ("input.n2 != null && input.n2 != null", "SG0304"),
    ]);
}

#[test]
fn ways_into_values_follow_the_shape() {
    all(&[
        ("input.item.price", "decimal"),
        ("input.item.cost", "SG0206"),
        ("input.items[0].sku", "string?"),
        ("input.items[input.n].sku", "string?"),
        ("input.items[input.s]", "SG0301"),
        ("input.items.sku", "SG0311"),
        ("input.items[*].sku", "list<string>"),
        ("input.items[*].note", "list<string?>"),
        ("input.items[*].size", "SG0206"),
        ("input.prices[\"lux\"]", "decimal?"),
        ("input.prices[input.s]", "decimal?"),
        ("input.prices.lux", "SG0311"),
        ("input.j.x", "SG0311"),
        ("input.s[*]", "SG0311"),
        ("input.s[0]", "SG0311"),
        ("saga.id", "string"),
        ("saga.started", "timestamp"),
        ("saga.name", "SG0206"),
        ("saga", "SG0213"),
        ("failure.code", "SG0213"),
        ("round", "SG0213"),
        ("nights", "SG0201"),
    ]);
}

#[test]
fn functions_take_what_the_reference_says() {
    all(&[
        ("id(\"disk\")", "string"),
        ("id(input.s)", "SG0310"),
        ("count(input.items)", "int"),
        ("count(input.s)", "SG0310"),
        ("sum(input.ns)", "int, may overflow"),
        ("sum(input.items[*].price)", "decimal, may overflow"),
        ("sum(input.maybe)", "SG0302"),
        ("sum(present(input.maybe))", "int, may overflow"),
        ("present(input.ns)", "SG0304"),
        ("min(input.ds)", "decimal?"),
        ("max(input.bs)", "SG0310"),
        ("any(input.bs)", "bool"),
        ("all(input.ns)", "SG0310"),
        ("contains(input.s, \"a\")", "bool"),
        ("contains(input.items[*].sku, input.s)", "bool"),
        ("contains(input.ns, \"a\")", "SG0310"),
        ("contains(input.items, input.item)", "SG0310"),
        ("rounded(input.d, 2)", "decimal, may overflow"),
        ("rounded(input.n, 2)", "decimal, may overflow"),
        ("rounded(input.d, input.n)", "SG0310"),
        ("rounded(input.d, 29)", "SG0310"),
        ("length(input.s)", "int"),
        ("text(input.c)", "string"),
        ("text(input.at)", "string"),
        ("text(input.s)", "SG0310"),
        ("text(input.items)", "SG0310"),
        ("size(input.items)", "SG0207"),
    ]);
}

#[test]
fn one_mistake_is_one_finding_whatever_stands_around_it() {
    all(&[
        ("rounded(sum(input.itms[*].price) * 2, 2) + 1", "SG0206"),
        ("if nobody.knows then nobody2.does else 1", "SG0201 SG0201"),
        ("(nobody.knows ?? 1) + length(nobody.else_knows)", "SG0201 SG0201"),
    ]);
}
