//! Both forms say the same: what one is translated to and back is what it was, comments aside.

use proptest::prelude::*;
use saga::diagnostic::{Diagnostic, Severity};
use saga::source::{FileId, SourceFile};
use saga::syntax::tree::File;
use saga::syntax::{Form, convert};

use super::EXAMPLES;

fn read(name: &str, text: &str) -> (File, Vec<Diagnostic>) {
    let (tree, problems) = saga::syntax::parse(FileId(0), &SourceFile::new(name, text));
    (tree, problems.sorted())
}

/// Translates to YAML and back; both ways are read without a finding, and come to the same.
fn there_and_back(text: &str) {
    let (tree, found) = read("a.saga", text);
    assert!(found.iter().all(|finding| finding.severity == Severity::Warning), "{found:?}\n{text}");
    let plain = convert(&tree, Form::Saga);
    let yaml = convert(&tree, Form::Yaml);
    let (twin, found) = read("a.yaml", &yaml);
    assert!(found.is_empty(), "{found:#?}\n{yaml}");
    assert_eq!(convert(&twin, Form::Saga), plain, "{yaml}");
    assert_eq!(convert(&twin, Form::Yaml), yaml, "laid out once is laid out");
    let (again, found) = read("a.saga", &plain);
    assert!(found.is_empty(), "{found:#?}\n{plain}");
    assert_eq!(convert(&again, Form::Saga), plain);
}

#[test]
fn every_example_is_the_same_in_both_forms() {
    for (_, source) in EXAMPLES {
        there_and_back(source);
    }
    for source in [
        include_str!("../../workflows/booking.saga"),
        include_str!("../../workflows/booking_in_order.saga"),
        include_str!("../../workflows/claim.saga"),
        include_str!("../../workflows/disk.saga"),
        include_str!("../../workflows/travel.saga"),
        include_str!("../../workflows/order.saga"),
        include_str!("../../workflows/transfer.saga"),
    ] {
        there_and_back(source);
    }
}

/// Every word of the grammar once.
const EVERYTHING: &str = r#"
use "common.saga"
/// An item.
/// In two lines.
type Item {
  /// Its key.
  sku: string, personal name: string?, "odd key": list<map<{ a: int, personal b: json }>>, personal: "a" | "b c"?
}
type Size = "small" | "large"
type Maybe = list<Size?>
participant shop {
  events "shop.events"  commands "shop.commands"  answers queries
  at most 5 at once  at most 100 per second  at most 7 per hour
  /// Takes.
  command Take as "take-it" Item returns { hold: string } fails "gone", "out-of-stock"
  command Give { hold: string? }
  command Ping
  message Told as "told" { text: string }
  message Rang
}
/// Everything.
saga all {
  version 3
  coordination orchestration
  input { personal name: string, n: int, size: Size, due: timestamp?, xs: list<Item> }
  /// It came.
  signal came { by: string }
  signal went
  signal gone Item
  deadline 15m
  defaults { timeout 10s within 5m retry 3 times every 200ms..5s compensate timeout 1s retry 20 times every 1s }
  step a {
    call shop.Take { sku: "no", name: "${x} $${y}", amount: -1, price: -0.50, at: 840.00, t: 15m, yes: true, nil: null, "on": [1, "2", { a: 1 }], z: { }, l: [], w: 1_000 }
    timeout 1s  within 2 * 30s  retry 3 times every 1s
    compensate shop.Give { hold: a.hold } timeout 2s within 1m retry 1 times
  }
  step b { compensate nothing }
  step c { send shop.Told compensate send shop.Told { text: "undone" } }
  step d { run other { n: 1 } compensate run undo_it { n: 1 } retry 3 times }
  pivot step e { call shop.Ping }
  pivot
  parallel { sequence { sleep 1h } sequence { sleep until input.due ?? saga.started } parallel { } }
  when input.n > 0 && !(input.n == 3) { let x = if input.n > 1 then "a" else "b: c # d" } otherwise when (input.n + 1) * 2 - 3 < 4 { } otherwise { fail "code", "why " + text(input.n) }
  when true { fail "other" }
  for each item in input.xs where item.sku != "x", at most 5 at once { step f { call shop.Take item.sku compensate nothing } }
  for each thing in input.xs { sleep 1s }
  repeat at most 3 times { let y = round } until y == 3 otherwise { fail "never" }
  try within 5d { sleep 1s } catch "gone", "timeout" { sleep 2s } catch { }
  await came as it where came.by == "ana\n\"b\" \\ 'c'" within 24h otherwise { fail "late" }
  await went within input.n * 1s otherwise { }
  let s = [input.xs[*].sku, input.xs[0].sku ?? "none", id("disk"), (1).x, -(2 + 3), !(!true), a."odd key"]
  let q = ((1 - (2 - 3)) - 4) / 2 ?? (if true then 1 else 2) ?? (null ?? 1)
  output { a: a.hold, b: { c: [a.hold] } }
}
/// Comes in.
trigger arrived {
  on "orders" event { id: string, kind: string }
  where event.kind == "new"
  start all { id: event.id, input: { n: 1 } }
  signal all.d[2].came { id: event.id, with: { by: "x" } }
}
trigger bare { on "orders.2" event Item signal all.went { id: event.sku } }
scenario "all: is well, # or not" for all {
  given { name: "ana", n: 1, due: "2026-11-23T21:00:00Z" }
  when a fails "gone" 2 times
  when a[1].b[2][3] fails "out-of-stock"
  when b times out 6 times
  when b stays pending 2 times
  when c replies { hold: "h" } 3 times
  when d replies { }
  when undo a fails
  when undo a fails "with"
  when cancelled after 5s
  when cancelled
  when signal came arrives { by: "ana" } after 2h
  when signal d.went arrives after 1h
  when signal went arrives
  expect completed { a: "h" }
  expect completed
  expect compensated "declined"
  expect compensated "timeout"
  expect compensated
  expect stuck undo a
  expect calls a, b[2], undo a
  expect calls nothing
}
"#;

#[test]
fn every_word_has_its_form() {
    // `Take item.sku` above is no payload; what cannot be read is taken out.
    let source = EVERYTHING.replace("call shop.Take item.sku", "call shop.Take { sku: item.sku }");
    there_and_back(&source);
    let (tree, _) = read("a.saga", &source);
    insta::assert_snapshot!(convert(&tree, Form::Yaml));
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,6}",
        "\\PC{0,12}",
        "[-+.0-9eExo_:]{1,6}",
        "[$\\{\\} \"'\\\\#:,\\[\\]&*!|>%@`?-]{1,8}",
        "[ \t\n]{0,3}[a-z\u{85}\u{2028}\u{feff}\u{7f}é]{0,4}[ \n]{0,2}",
        prop::sample::select(vec!["no", "Yes", "null", "~", "true", "15m", "840.00", "<<", "---", "=", "y", "0o7", ""])
            .prop_map(str::to_owned),
    ]
}

/// A text in quotes of the text form.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            other if other.is_control() => out.extend(other.escape_unicode()),
            other => out.push(other),
        }
    }
    out + "\""
}

/// An expression of the text form, as deep as it comes.
fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        texts().prop_map(|text| quoted(&text)),
        "[0-9]{1,4}",
        "[0-9]{1,3}\\.[0-9]{1,3}",
        prop::sample::select(vec![
            "1_000",
            "15m",
            "200ms",
            "true",
            "null",
            "input.a",
            "xs[0]",
            "xs[*].sku",
            "a.\"odd key\""
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(5, 24, 4, |inner| {
        let operators = vec!["??", "||", "&&", "==", "<", "+", "-", "*", "/"];
        prop_oneof![
            (inner.clone(), prop::sample::select(operators), inner.clone())
                .prop_map(|(left, op, right)| format!("({left}) {op} ({right})")),
            inner.clone().prop_map(|of| format!("!({of})")),
            inner.clone().prop_map(|of| format!("-({of})")),
            inner.clone().prop_map(|of| format!("({of}).x")),
            inner.clone().prop_map(|of| format!("({of})[1]")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("if {a} then {b} else {c}")),
            prop::collection::vec(inner.clone(), 0..4).prop_map(|all| format!("[{}]", all.join(", "))),
            prop::collection::vec((texts(), inner), 0..4).prop_map(|all| {
                // A key stands once in a map of YAML.
                let mut keys = std::collections::BTreeSet::new();
                let all = all.into_iter().filter(|(key, _)| keys.insert(key.clone()));
                let all: Vec<String> = all.map(|(key, value)| format!("{}: {value}", quoted(&key))).collect();
                format!("{{ {} }}", all.join(", "))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn any_text_and_any_expression_come_back(text in texts(), value in expressions(), other in expressions()) {
        prop_assume!(!text.is_empty());
        there_and_back(&format!(
            "participant p {{ commands {0} }}\nsaga s {{ let a = {value} when ({other}) {{ fail {0}, {other} }} \
             step b {{ call p.C {{ a: {value}, b: {{ c: {other} }} }} }} }}\n\
             scenario {0} for s {{ given {{ a: {value} }} when b fails {0} when b replies {{ a: {other} }} expect compensated {0} }}",
            quoted(&text),
        ));
    }

    #[test]
    fn any_bytes_are_read_as_yaml_without_a_panic(text in "[ -~\n:{}\\[\\]&*!|>'\"#é-]{0,300}") {
        let (tree, _) = read("a.yaml", &text);
        prop_assert!(convert(&tree, Form::Saga).len() < 1 << 20);
    }

    #[test]
    fn a_damaged_document_is_read_without_a_panic(
        at in any::<prop::sample::Index>(),
        length in 0..40_usize,
        with in "[ -~\n\t]{0,6}",
        example in 0..EXAMPLES.len(),
    ) {
        let (tree, _) = read("a.saga", EXAMPLES[example].1);
        let yaml = convert(&tree, Form::Yaml);
        let mut damaged: Vec<char> = yaml.chars().collect();
        let from = at.index(damaged.len());
        let to = (from + length).min(damaged.len());
        damaged.splice(from..to, with.chars());
        let damaged: String = damaged.into_iter().collect();
        let (_, found) = read("a.yaml", &damaged);
        for finding in &found {
            for label in &finding.labels {
                prop_assert!(damaged.get(label.span.range()).is_some(), "{finding:?}\n{damaged}");
            }
        }
    }
}
