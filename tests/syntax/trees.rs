//! What texts become.

use saga::source::SourceFile;
use saga::syntax::tree::{Item, Statement, StatementKind};

use super::{EXAMPLES, findings, parse};

#[test]
fn the_examples_have_no_findings() {
    for (name, source) in EXAMPLES {
        let found = findings(source);
        assert!(found.is_empty(), "{name}:\n{found}");
    }
}

/// A text in its layout.
fn formatted(source: &str) -> String {
    let (_, tree, _) = parse(source);
    saga::syntax::format(&SourceFile::new("case.saga", source), &tree)
}

/// A tree without its places.
fn shape(source: &str) -> String {
    let (_, tree, _) = parse(source);
    let debug = format!("{:#?}", tree.items);
    let mut lines: Vec<&str> = Vec::new();
    let mut inside = 0;
    for line in debug.lines() {
        if line.trim_start().starts_with("span: Span {") || line.trim() == "Span {" {
            inside = line.len() - line.trim_start().len() + 1;
        }
        if inside == 0 {
            lines.push(line);
        } else if line.starts_with(&format!("{}}}", " ".repeat(inside - 1))) {
            inside = 0;
        }
    }
    lines.join("\n")
}

#[test]
fn formatting_keeps_the_tree_and_is_done_at_once() {
    for (name, source) in EXAMPLES {
        let once = formatted(source);
        assert_eq!(shape(source), shape(&once), "{name}: another tree:\n{once}");
        assert_eq!(once, formatted(&once), "{name}: formatted twice");
    }
}

#[test]
fn the_examples_come_out_nearly_as_written() {
    for (name, source) in EXAMPLES {
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("formatted_{name}"), formatted(source));
        });
    }
}

/// Whether a statement of the first saga is a pivot: each as `point`, `step` or `pivot step`.
fn pivots(source: &str) -> Vec<&'static str> {
    let (_, tree, _) = parse(source);
    let Some(Item::Saga(saga)) = tree.items.into_iter().next() else { panic!("no saga") };
    let word = |statement: &Statement| match &statement.kind {
        StatementKind::Pivot => "point",
        StatementKind::Step(step) if step.pivot.is_some() => "pivot step",
        _ => "step",
    };
    saga.body.statements.iter().map(word).collect()
}

#[test]
fn a_pivot_on_a_line_of_its_own_is_a_point() {
    assert_eq!(pivots("saga a { pivot step x { } }"), ["pivot step"]);
    assert_eq!(pivots("saga a {\n  pivot // from here on\n  step x { }\n}"), ["point", "step"]);
    assert_eq!(pivots("saga a {\n  step x { }\n  pivot\n}"), ["step", "point"]);
}
