//! Whatever is written, the check ends and says something: no panic, no hang, in time that grows with the text.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::{Shelf, check};
use crate::syntax::EXAMPLES;

/// Words that mean something, in any order.
const WORDS: &[&str] = &[
    "saga",
    "participant",
    "type",
    "scenario",
    "step",
    "pivot",
    "parallel",
    "sequence",
    "when",
    "otherwise",
    "let",
    "fail",
    "sleep",
    "until",
    "output",
    "input",
    "version",
    "deadline",
    "defaults",
    "timeout",
    "retry",
    "times",
    "every",
    "within",
    "compensate",
    "nothing",
    "call",
    "command",
    "message",
    "returns",
    "fails",
    "for",
    "given",
    "expect",
    "compensated",
    "completed",
    "calls",
    "stuck",
    "undo",
    "a",
    "b",
    "Reserve",
    "Item",
    "string",
    "int",
    "decimal",
    "list<int>",
    "map<Item>",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "[*]",
    ":",
    ",",
    ".",
    "..",
    "=",
    "==",
    "!=",
    "??",
    "&&",
    "||",
    "!",
    "+",
    "-",
    "*",
    "/",
    "<",
    ">",
    "?",
    "|",
    "\"x\"",
    "\"timeout\"",
    "0",
    "1",
    "99999999999999999999",
    "1.5",
    "0s",
    "15m",
    "99999999d",
    "null",
    "true",
    "if",
    "then",
    "else",
    "sum",
    "count",
    "text",
    "failure",
    "previous",
    "round",
    "input.a",
    "saga.id",
    "a.b.c",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_soup_of_words_is_checked_without_a_panic(words in prop::collection::vec(prop::sample::select(WORDS), 0..80)) {
        check(&words.join(" "));
    }

    #[test]
    fn a_body_of_words_is_checked_without_a_panic(words in prop::collection::vec(prop::sample::select(WORDS), 0..30)) {
        check(&format!("type Item {{ a: int }}\nsaga s {{ input {{ a: Item?, b: list<Item> }} {} }}", words.join(" ")));
    }

    #[test]
    fn an_expression_of_words_is_checked_without_a_panic(words in prop::collection::vec(prop::sample::select(&WORDS[45..]), 0..12)) {
        check(&format!("saga s {{ input {{ a: int?, b: list<decimal?> }} output {{ x: {} }} }}", words.join(" ")));
    }

    #[test]
    fn a_damaged_example_is_checked_without_a_panic(
        example in prop::sample::select(&EXAMPLES[..]),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(WORDS)), 1..6),
    ) {
        let mut words: Vec<&str> = example.1.split_inclusive([' ', '\n', '.']).collect();
        for (at, word) in &cuts {
            let at = at.index(words.len());
            words[at] = word;
        }
        check(&words.concat());
    }
}

/// A saga of so many steps, each of which reads the one before.
fn long(steps: usize) -> String {
    let mut source = String::from(
        "participant shop {\n  command Take { of: string } returns { hold: string }\n  command Give { hold: string? }\n}\n\
         saga long {\n  input { of: string }\n  step s0 { call shop.Take { of: input.of } compensate shop.Give { hold: s0.hold } }\n",
    );
    for step in 1..steps {
        let before = step - 1;
        writeln!(
            source,
            "  step s{step} {{ call shop.Take {{ of: s{before}.hold }} compensate shop.Give {{ hold: s{step}.hold }} }}"
        )
        .expect("a string takes everything");
    }
    source.push_str("}\n");
    source
}

#[test]
fn ten_thousand_steps_are_checked() {
    let checked = check(&long(9_990));
    assert!(checked.findings.is_empty());
}

#[test]
fn types_that_grow_by_doubling_are_refused_before_they_cost_anything() {
    let mut source = String::from("saga s { input { all: T0 } }\n");
    for level in 0..60 {
        let next = level + 1;
        writeln!(source, "type T{level} {{ a: T{next}, b: T{next} }}").expect("a string takes everything");
    }
    source.push_str("type T60 { a: int }\n");
    let checked = check(&source);
    assert!(checked.findings.iter().all(|finding| finding.code.0 == "SG0312"));
    assert!(!checked.findings.is_empty());
}

#[test]
fn the_examples_have_no_findings() {
    for (name, source) in &EXAMPLES[2..] {
        let shelf = Shelf::of(&[("case.saga", source), ("payment.saga", EXAMPLES[4].1)]);
        let checked = shelf.check();
        let codes: Vec<&str> = checked.findings.iter().map(|finding| finding.code.0).collect();
        assert!(codes.is_empty(), "{name}: {}", shelf.findings());
    }
}
