//! Pictures as text: goldens, and that they are well-formed whatever the text holds.

use std::collections::BTreeSet;

use saga::plan::picture::{dot, mermaid};

use super::{EVERYTHING, LOOPS, SCOPES, SUB_SAGAS, plan};

#[test]
fn everything_in_mermaid() {
    let (plan, sources) = plan(EVERYTHING);
    insta::assert_snapshot!(mermaid(&plan, &sources));
}

#[test]
fn everything_in_dot() {
    let (plan, sources) = plan(EVERYTHING);
    insta::assert_snapshot!(dot(&plan, &sources));
}

#[test]
fn scopes_and_waits_in_mermaid() {
    let (plan, sources) = plan(SCOPES);
    insta::assert_snapshot!(mermaid(&plan, &sources));
}

#[test]
fn scopes_and_waits_in_dot() {
    let (plan, sources) = plan(SCOPES);
    insta::assert_snapshot!(dot(&plan, &sources));
}

#[test]
fn sub_sagas_in_mermaid() {
    let (plan, sources) = plan(SUB_SAGAS);
    insta::assert_snapshot!(mermaid(&plan, &sources));
}

#[test]
fn sub_sagas_in_dot() {
    let (plan, sources) = plan(SUB_SAGAS);
    insta::assert_snapshot!(dot(&plan, &sources));
}

#[test]
fn loops_in_mermaid() {
    let (plan, sources) = plan(LOOPS);
    insta::assert_snapshot!(mermaid(&plan, &sources));
}

#[test]
fn loops_in_dot() {
    let (plan, sources) = plan(LOOPS);
    insta::assert_snapshot!(dot(&plan, &sources));
}

#[test]
fn the_same_text_gives_the_same_picture() {
    let draw = || {
        let (plan, sources) = plan(EVERYTHING);
        (mermaid(&plan, &sources), dot(&plan, &sources))
    };
    assert_eq!(draw(), draw());
}

/// The strings of a line are closed, and what is left without them.
fn without_strings(line: &str, escape: Option<char>) -> String {
    let mut rest = String::new();
    let mut characters = line.chars();
    let mut inside = false;
    while let Some(character) = characters.next() {
        match character {
            '"' => inside = !inside,
            _ if inside && Some(character) == escape => drop(characters.next()),
            _ if inside => {}
            _ => rest.push(character),
        }
    }
    assert!(!inside, "a string is not closed: {line}");
    rest
}

fn is_name(word: &str) -> bool {
    word.starts_with('n') && word.len() > 1 && word.chars().skip(1).all(|c| c.is_ascii_digit() || c == 'u')
}

#[test]
fn every_arrow_of_mermaid_joins_shapes_that_are_drawn_and_no_label_breaks_out() {
    let (plan, sources) = plan(EVERYTHING);
    let text = mermaid(&plan, &sources);
    let mut shapes = BTreeSet::new();
    let mut arrows = 0;
    for line in text.lines().skip(1).filter(|line| !line.trim_start().starts_with("classDef")) {
        let bare = without_strings(line, None);
        let words: Vec<&str> = bare.split_whitespace().collect();
        match words.as_slice() {
            [shape] => {
                let name: String = shape.chars().take_while(char::is_ascii_alphanumeric).collect();
                assert!(is_name(&name), "{line}");
                assert!(shapes.insert(name), "drawn twice: {line}");
            }
            [from, arrow, to] => {
                assert!(arrow.starts_with("-->") || *arrow == "-.->", "{line}");
                assert!(shapes.contains(*from) && shapes.contains(*to), "{line}");
                arrows += 1;
            }
            _ => panic!("neither a shape nor an arrow: {line}"),
        }
    }
    assert!(arrows > 10);
}

#[test]
fn every_arrow_of_dot_joins_shapes_that_are_drawn_and_no_label_breaks_out() {
    let (plan, sources) = plan(EVERYTHING);
    let text = dot(&plan, &sources);
    assert!(text.starts_with("digraph \"order\" {\n") && text.ends_with("}\n"));
    let mut shapes = BTreeSet::new();
    let mut arrows = 0;
    let is_placing = |line: &str| line.starts_with("  { rank=same n") && line.ends_with("u }");
    for line in text.lines().skip(3).filter(|line| *line != "}" && !is_placing(line)) {
        let bare = without_strings(line, Some('\\'));
        let (head, attributes) = bare.split_once(" [").unwrap_or((&bare, "]"));
        assert!(attributes.ends_with(']') && !attributes.contains('['), "{line}");
        match head.split_whitespace().collect::<Vec<_>>().as_slice() {
            [shape] => assert!(is_name(shape) && shapes.insert((*shape).to_owned()), "{line}"),
            [from, "->", to] => {
                assert!(shapes.contains(*from) && shapes.contains(*to), "{line}");
                arrows += 1;
            }
            _ => panic!("neither a shape nor an arrow: {line}"),
        }
    }
    assert!(arrows > 10);
}
