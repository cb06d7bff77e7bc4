//! No input, however made, costs much time, memory or stack; each limit says so at its place.

use proptest::prelude::*;
use saga::definition::limits::{MAX_AWAITED, MAX_ELEMENTS, MAX_INLINED, MAX_LOOPS, MAX_ROUNDS};
use saga::engine::GONE_THROUGH_MAX;
use saga::source::{FileId, SourceFile};
use saga::syntax::limits::{
    MAX_ALIASED_NODES, MAX_FILE_BYTES, MAX_FILES, MAX_FINDINGS, MAX_NESTING, MAX_STATEMENTS, MAX_STRING_BYTES,
    MAX_YAML_DEPTH,
};

use super::{EXAMPLES, findings, parse};

/// The codes found, each once. What would take more than linear time would keep this test from ever ending.
fn codes(source: &str) -> Vec<&'static str> {
    let (_, _, found) = parse(source);
    let mut codes: Vec<&str> = found.iter().map(|finding| finding.code.0).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn in_saga(statement: &str) -> String {
    format!("saga a {{\n{statement}\n}}\n")
}

#[test]
fn deep_sources_are_refused_without_recursion() {
    let n = 10_000;
    for (open, close) in
        [("(", ")"), ("[", "]"), ("{ a: ", "}"), ("!(", ")"), ("if ", " then 1 else 2"), ("if a.call ", "")]
    {
        let source = in_saga(&format!("let x = {}1{}", open.repeat(n), close.repeat(n)));
        assert_eq!(codes(&source), ["SG0112"], "{open}");
    }
    assert_eq!(codes(&in_saga(&"sequence {".repeat(n))), ["SG0112"]);
    assert_eq!(codes(&in_saga(&format!("{}{}", "parallel {\n".repeat(n), "}\n".repeat(n)))), ["SG0112"]);
    assert_eq!(codes(&format!("type A = {}int{}", "list<".repeat(n), ">".repeat(n))), ["SG0112"]);
    for operand in ["- ", "!", "1 + ", "a.", "a ?? ", "1 == !"] {
        assert!(codes(&in_saga(&format!("let x = {}a", operand.repeat(n)))).contains(&"SG0112"), "{operand}");
    }
    assert_eq!(codes(&in_saga(&format!("let x = a{}", "[0]".repeat(n)))), ["SG0112"]);
}

#[test]
fn as_deep_as_allowed_is_read() {
    let blocks = MAX_NESTING - 1;
    let source = in_saga(&format!("{}{}", "sequence {\n".repeat(blocks), "}\n".repeat(blocks)));
    assert!(findings(&source).is_empty(), "{}", findings(&source));
    let inside = MAX_NESTING - 2;
    let source = in_saga(&format!("let x = {}1{}", "(".repeat(inside), ")".repeat(inside)));
    assert!(findings(&source).is_empty(), "{}", findings(&source));
}

#[test]
fn large_sources_are_refused_before_they_are_read() {
    assert_eq!(codes(&"x".repeat(MAX_FILE_BYTES + 1)), ["SG0103"]);
    let (file, problems) = saga::syntax::decode(FileId(0), "large.saga", &vec![b'x'; MAX_FILE_BYTES + 1]);
    assert!(file.text.is_empty());
    assert_eq!(problems.sorted()[0].code.0, "SG0103");
    let long = in_saga(&format!("fail \"a\", \"{}\"", "x".repeat(MAX_STRING_BYTES)));
    assert_eq!(codes(&long), ["SG0108"]);
    assert!(findings(&long).len() < 1_000, "a huge line is shown in part");
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let (_, problems) = saga::syntax::decode(FileId(0), "latin1.saga", b"saga caf\xe9 { }");
    assert_eq!(problems.sorted()[0].code.0, "SG0102");
    assert_eq!(codes("\u{0}\u{1}ELF"), ["SG0104"]);
}

#[test]
fn statements_and_findings_are_counted() {
    assert!(codes(&in_saga(&"sleep 1s\n".repeat(MAX_STATEMENTS))).is_empty());
    assert_eq!(codes(&in_saga(&"sleep 1s\n".repeat(MAX_STATEMENTS + 1))), ["SG0113"]);
    let (_, _, found) = parse(&in_saga(&"sleep\n".repeat(1_000)));
    assert_eq!(found.len(), MAX_FINDINGS + 1);
    assert!(found.iter().any(|finding| finding.code.0 == "SG0131"));
}

#[test]
fn odd_sources_take_linear_time() {
    let n = 100_000;
    let parts = [
        "x ", "\"", "}", "{", "(", ",", "'a", "= ", "saga ", "step ", "? ", "a b ", "/// d\n", "é", "0", "//", "/*",
        ". ", "a: {} ", "x\n", "@ x\n", "  x y\n",
    ];
    for part in parts {
        codes(&in_saga(&format!("step a {{ {} }}", part.repeat(n))));
    }
}

/// A text made of pieces of the examples and of what goes wrong.
fn mutated() -> impl Strategy<Value = String> {
    let cut = (0..EXAMPLES.len(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..12_usize, "\\PC{0,6}");
    let piece = cut.prop_map(|(example, from, to, what, random)| {
        let source = EXAMPLES[example].1;
        let boundary = |index: prop::sample::Index| {
            let at = index.index(source.len() + 1);
            (at..=source.len()).find(|at| source.is_char_boundary(*at)).unwrap_or(source.len())
        };
        let (from, to) = (boundary(from), boundary(to));
        let (from, to) = (from.min(to), from.max(to));
        let insert = ["", "{", "}", "\"", "(", ")", "step ", "\u{7}", ";", "'", "pivot ", random.as_str()][what];
        format!("{}{insert}{}", source.split_at(from).0, source.split_at(to).1)
    });
    prop::collection::vec(piece, 1..3).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let (file, problems) = saga::syntax::decode(FileId(0), "any.saga", &bytes);
        if problems.is_empty() {
            findings(&file.text);
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "[ -~\n\"{}()a-z“é\u{7}]{0,400}") {
        findings(&text);
    }

    #[test]
    fn broken_examples_are_read_and_formatted_without_a_panic(source in mutated()) {
        let found = findings(&source);
        for word in ["junk", "missing_", "kw_", "wrong_", "Rule"] {
            prop_assert!(!found.contains(&format!("expected {word}")) , "{found}");
        }
        let (_, tree, _) = parse(&source);
        let once = saga::syntax::format(&SourceFile::new("a.saga", source.as_str()), &tree);
        let (_, tree, _) = parse(&once);
        let twice = saga::syntax::format(&SourceFile::new("a.saga", once.as_str()), &tree);
        prop_assert_eq!(once, twice);
    }
}

#[test]
fn the_reference_names_every_limit() {
    let reference = include_str!("../../grammar/reference.md");
    for row in [
        format!("| `MAX_FILE_BYTES` | {MAX_FILE_BYTES} "),
        format!("| `MAX_FILES` | {MAX_FILES} "),
        format!("| `MAX_STRING_BYTES` | {MAX_STRING_BYTES} "),
        format!("| `MAX_STATEMENTS` | {MAX_STATEMENTS} "),
        format!("| `MAX_INLINED` | {MAX_INLINED} "),
        format!("| `MAX_ELEMENTS` | {MAX_ELEMENTS} "),
        format!("| `MAX_ROUNDS` | {MAX_ROUNDS} "),
        format!("| `MAX_LOOPS` | {MAX_LOOPS} "),
        format!("| `MAX_AWAITED` | {MAX_AWAITED} "),
        format!("| `GONE_THROUGH_MAX` | {GONE_THROUGH_MAX} "),
        format!("| `MAX_NESTING` | {MAX_NESTING} "),
        format!("| `MAX_FINDINGS` | {MAX_FINDINGS} "),
        format!("| `MAX_YAML_DEPTH` | {MAX_YAML_DEPTH} "),
        format!("| `MAX_ALIASED_NODES` | {MAX_ALIASED_NODES} "),
    ] {
        assert!(reference.contains(&row), "the table of limits lacks `{row}`");
    }
}
