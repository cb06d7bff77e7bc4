//! What is wrong in a YAML file, at its own bytes, all at once.

use std::fmt::Write as _;

use saga::source::{FileId, SourceFile};
use saga::syntax::limits::{MAX_FILE_BYTES, MAX_STATEMENTS, MAX_STRING_BYTES, MAX_YAML_DEPTH};

use super::{findings_as, parse_as};

/// A mistake in YAML, and a snapshot of it with what is said about it.
macro_rules! mistake_in_yaml {
    ($name:ident, $source:expr) => {
        #[test]
        fn $name() {
            let source: &str = $source;
            let said = findings_as("case.yaml", source);
            insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
                insta::assert_snapshot!(format!("{source}\n\n{:─<100}\n\n{said}", ""));
            });
        }
    };
}

fn codes(source: &str) -> Vec<&'static str> {
    let (_, _, found) = parse_as("case.yaml", source);
    let mut codes: Vec<&str> = found.iter().map(|finding| finding.code.0).collect();
    codes.dedup();
    codes
}

/// The text that each finding underlines first.
fn underlined(source: &str) -> Vec<(&'static str, &str)> {
    let (_, _, found) = parse_as("case.yaml", source);
    found.iter().map(|finding| (finding.code.0, source.get(finding.span().range()).unwrap())).collect()
}

mistake_in_yaml!(
    yaml_that_many_mistakes_were_made_in,
    r#"participants:
  Hotels:
    comands: hotel.commands
    at most: [5 per week, 10 at once]
    command:
      reserveRoom: { with: { hotel: strin g, nights: int }, fails: sold_out }
      CancelRoom: { request: { hold: "string?" } }
sagas:
  booking:
    version: "1"
    input: { hotel: string, hotel: int }
    deadline: 15
    defaults: { timeout: 10 s, retry: { every: 5s...1s } }
    steps: []
    sequence:
      - step: reserve
        call: hotels.ReserveRoom
        send: hotels.Told
        with: { hotel: "${ input.hotel + }", nights: "about ${ input.nights }" }
        rollback: { call: hotels.CancelRoom }
      - pivot: yes
      - stepp: pay
      - if: "${ true }"
      - when: "${ input.a = 1 }"
        otherwise: { do: [] }
      - repeat: { at most: 3 }
        do: []
      - pause
      - step: a
        parallel: []
      - await: signal_x
scenarios:
  - scenario: all is well
    for: booking
    when: [ reserve fials sold_out, charge replies ]
    expect: [ completed, calls reserve undo ]
  - scenario: nothing
    for: booking
"#
);

mistake_in_yaml!(
    words_and_numbers_that_readers_of_yaml_differ_about,
    r"types:
  Country: no
participants:
  no: { commands: off, events: 12 }
sagas:
  on_call:
    version: 1
    sequence:
      - fail: 404
      - let: a
        be: [ yes, NO, 1e5, 0x1F, 007, 12:30, +5, ~, true, 840.00, 15m ]
scenarios:
  - scenario: yes
    for: on_call
    expect: [ completed ]
"
);

mistake_in_yaml!(
    expressions_that_are_not_alone_or_not_closed,
    r#"sagas:
  a:
    version: 1
    sequence:
      - fail: "${ input.code }"
        message: "order ${ input.id } of ${ input.day }"
      - let: b
        be: ${ input.x
      - let: c
        be: "$${ is a literal, and so is $$${"
      - let: d
        be: |
          ${ input.a
             + * input.b }
      - let: e
        be: "${ \"é\" ++ input.b }"
      - let: f
        be: >-
          ${ input.a and
             input.b }
"#
);

mistake_in_yaml!(
    merge_keys_tags_and_doubled_keys,
    r"types:
  A: &a { id: string }
  B:
    <<: *a
    id: int
    id: decimal
  ? [x, y]
  : int
"
);

mistake_in_yaml!(tabs_that_indent, "types:\n\tA: { id: string }\n\tB:\n\t\tid: int\n");
mistake_in_yaml!(a_tag, "types:\n  A: !record { id: string }\n");
mistake_in_yaml!(yaml_that_readers_read_differently, "types:\n  A: { id: ?string }\n");
mistake_in_yaml!(a_second_document, "types: { A: { id: string } }\n---\ntypes: { B: { id: int } }\n");
mistake_in_yaml!(a_bracket_that_is_not_closed, "types:\n  A: { id: string\n  B: { id: int }\n");
mistake_in_yaml!(a_line_that_does_not_fit, "sagas:\n  a:\n    version: 1\n   deadline: 5m\n");
mistake_in_yaml!(a_colon_in_a_text, "scenarios:\n  - scenario: late: the hotel is slow\n");
mistake_in_yaml!(an_alias_without_an_anchor, "types:\n  A: *b\n");
mistake_in_yaml!(the_text_form_in_a_yaml_file, "// all of it\nsaga booking {\n  version 1\n}\n");
mistake_in_yaml!(an_empty_document, "# nothing yet\n");
mistake_in_yaml!(
    documentation_of_nothing_in_yaml,
    "## Rooms.\ntypes:\n  ## Its key.\n  A:\n    ## In the hotel.\n    id: string\n"
);

#[test]
fn yaml_in_a_saga_file_is_one_finding() {
    let said = findings_as("case.saga", "# ours\nsagas:\n  booking:\n    version: 1\n");
    insta::assert_snapshot!(said);
}

#[test]
fn findings_stand_at_their_bytes_whatever_the_style_and_the_letters() {
    let source = "sagas:\n  a:\n    version: 1\n    sequence:\n      - let: x # ünïcödé\n        be: ${ über.x }\n      - let: y\n        be: \"\\u0024{ \\\"é\\\" + größe }\"\n      - let: z\n        be: '${ it''s }'\n      - let: w\n        be: >\n          ${ input.a\n             + maß }\n";
    let found = underlined(source);
    assert!(found.contains(&("SG0104", "über")), "{found:?}");
    assert!(found.contains(&("SG0104", "größe")), "{found:?}");
    assert!(found.contains(&("SG0104", "maß")), "{found:?}");
    let crlf = "\u{FEFF}types:\r\n  A: { id: string }\r\n  a_b: { id: string }\r\n";
    assert_eq!(underlined(crlf), [("SG0116", "a_b")]);
}

#[test]
fn aliases_repeat_a_value_and_never_more_than_fits() {
    assert!(codes("types:\n  A: &a { id: string }\n  B: *a\n").is_empty());
    let mut bomb = String::from("types:\n  A0: &a0 { id: string }\n");
    for level in 1..40 {
        let before = level - 1;
        let inner: Vec<String> = (0..9).map(|at| format!("f{at}: *a{before}")).collect();
        writeln!(bomb, "  A{level}: &a{level} {{ {} }}", inner.join(", ")).unwrap();
    }
    let (_, _, found) = parse_as("case.yaml", &bomb);
    assert_eq!(codes(&bomb), ["SG0142"]);
    assert!(found[0].title.contains("too large"));
    assert_eq!(codes("types:\n  A: &a { next: *a }\n"), ["SG0142"]);
}

#[test]
fn what_is_too_large_or_too_deep_or_no_text_is_refused() {
    for (open, close) in [("[", "]"), ("{ a: ", "}"), ("{ parallel: [", "]}")] {
        let deep = format!("sagas: {{ a: {{ sequence: {}{} }} }}", open.repeat(10_000), close.repeat(10_000));
        assert_eq!(codes(&deep), ["SG0112"], "{open}");
    }
    let blocks = "{ parallel: [".repeat(MAX_YAML_DEPTH);
    assert_eq!(
        codes(&format!("sagas: {{ a: {{ sequence: [{blocks}{}] }} }}", "]}".repeat(MAX_YAML_DEPTH))),
        ["SG0112"]
    );
    let indented: Vec<String> = (0..10_000).map(|level| format!("{}a:\n", " ".repeat(level.min(300)))).collect();
    assert!(!codes(&indented.concat()).is_empty());
    assert_eq!(codes(&"x".repeat(MAX_FILE_BYTES + 1)), ["SG0103"]);
    let (_, problems) = saga::syntax::decode(FileId(0), "latin1.yaml", b"sagas: { caf\xe9: { } }");
    assert_eq!(problems.sorted()[0].code.0, "SG0102");
    let long =
        format!("sagas: {{ a: {{ sequence: [{{ fail: a, message: \"{}\" }}] }} }}", "x".repeat(MAX_STRING_BYTES + 1));
    assert_eq!(codes(&long), ["SG0108"]);
    assert_eq!(codes("types: { A: \"\u{7}\" }"), ["SG0104"]);
    assert_eq!(codes("types: { \u{0} }"), ["SG0104"]);
    let many = |count: usize| format!("sagas:\n  a:\n    sequence:\n{}", "      - sleep: 1s\n".repeat(count));
    assert!(codes(&many(MAX_STATEMENTS)).is_empty());
    assert_eq!(codes(&many(MAX_STATEMENTS + 1)), ["SG0113"]);
}

#[test]
fn the_form_is_that_of_the_name_and_of_the_text_where_there_is_no_name() {
    let yaml = "types: { A: { id: string } }\n";
    for name in ["a.yaml", "a.yml", "A.YML", "standard input", "deployed"] {
        let (_, tree, found) = parse_as(name, yaml);
        assert!(found.is_empty(), "{name}");
        assert_eq!(tree.items.len(), 1, "{name}");
    }
    let (_, tree, found) = parse_as("standard input", "type A { id: string }\n");
    assert!(found.is_empty());
    assert_eq!(tree.items.len(), 1);
}

#[test]
fn a_file_is_laid_out_once_and_never_loses_a_comment() {
    let laid_out = |text: &str| {
        let file = SourceFile::new("a.yaml", text);
        let (tree, _) = saga::syntax::parse(FileId(0), &file);
        (saga::syntax::format(&file, &tree), saga::syntax::lost_by_layout(&file, &tree).map(|(_, what)| what))
    };
    let (once, lost) =
        laid_out("types:\n    ## Doc.\n    A: {id: \"string\"}\n    B:\n        id: string\n        nights: int\n");
    assert_eq!(once, "types:\n  ## Doc.\n  A: { id: string }\n  B: { id: string, nights: int }\n");
    assert_eq!(lost, None);
    assert_eq!(laid_out(&once), (once.clone(), None));
    for (text, lost) in [
        ("types: {A: {id: string}} # ours\n", "this comment"),
        ("types: {A: &a {id: string}, B: *a}\n", "this alias"),
        ("sagas:\n  a:\n    sequence:\n      ## First.\n      - sleep: 1s\n", "this documentation of a statement"),
    ] {
        assert_eq!(laid_out(text), (text.to_owned(), Some(lost)));
    }
}
