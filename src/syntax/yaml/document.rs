//! What the document says to `serde_yaml`, the reader that other tools share its rules with.
//!
//! [`super::index`] knows the place of everything, this knows what it is. The two readers are of different makers and
//! of different versions of YAML: what they read differently, a person and another tool may read differently too, so
//! it is refused. No other file names `serde_yaml`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::node::{Kind, Node, Style};
use super::offset;
use crate::diagnostic::{Diagnostic, codes};
use crate::source::{FileId, Span};

/// A value as `serde_yaml` reads it.
enum Seen {
    /// Not a text: null, a truth value, a number.
    Resolved,
    Text(String),
    List(Vec<Seen>),
    Map(Vec<(Seen, Seen)>),
}

/// Compares both readings; none where they are the same.
pub(super) fn differs(file: FileId, text: &str, root: &Node) -> Option<Diagnostic> {
    let bom = text.len() - text.trim_start_matches('\u{FEFF}').len();
    let document = serde_yaml::Deserializer::from_str(text.get(bom..).unwrap_or_default());
    match serde_path_to_error::deserialize::<_, Seen>(document) {
        Ok(seen) => difference(root, &seen).map(read_differently),
        Err(error) => {
            let path = error.path().to_string();
            let error = error.into_inner();
            let at = error.location().map_or(root.span.start, |location| offset(location.index() + bom));
            let span = Span { file, start: at.min(offset(text.len())), end: at.min(offset(text.len())) };
            let said = error.to_string();
            let said = said.split(" at line").next().unwrap_or_default().to_owned();
            let inside = if path == "." { String::new() } else { format!(" in `{path}`") };
            Some(
                read_differently(span)
                    .why(format!("The YAML of most other tools cannot read on here{inside}: {said}.")),
            )
        }
    }
}

fn read_differently(span: Span) -> Diagnostic {
    Diagnostic::error(codes::YAML_READ_DIFFERENTLY, span, "readers of YAML differ about this")
        .here("one reads it, another does not, or as something else")
        .hint("put the text in double quotes, or write it in a simpler way")
}

/// The first place where they differ.
fn difference(node: &Node, seen: &Seen) -> Option<Span> {
    match (&node.kind, seen) {
        (Kind::Scalar(scalar), Seen::Text(text)) if *text == scalar.text => None,
        (Kind::Scalar(scalar), Seen::Resolved) if scalar.style == Style::Plain => None,
        (Kind::List(nodes), Seen::List(seen)) if nodes.len() == seen.len() => {
            nodes.iter().zip(seen).find_map(|(node, seen)| difference(node, seen))
        }
        (Kind::Map(pairs), Seen::Map(seen)) if pairs.len() == seen.len() => pairs
            .iter()
            .zip(seen)
            .find_map(|((key, value), seen)| difference(key, &seen.0).or_else(|| difference(value, &seen.1))),
        _ => Some(node.span),
    }
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SeenVisitor)
    }
}

struct SeenVisitor;

impl<'de> Visitor<'de> for SeenVisitor {
    type Value = Seen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of YAML")
    }

    fn visit_unit<E>(self) -> Result<Seen, E> {
        Ok(Seen::Resolved)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Seen, E> {
        Ok(Seen::Resolved)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Seen, E> {
        Ok(Seen::Resolved)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Seen, E> {
        Ok(Seen::Resolved)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Seen, E> {
        Ok(Seen::Resolved)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Seen, E> {
        Ok(Seen::Resolved)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Seen, E> {
        Ok(Seen::Resolved)
    }

    fn visit_str<E>(self, text: &str) -> Result<Seen, E> {
        Ok(Seen::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Seen, E> {
        Ok(Seen::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Seen, A::Error> {
        let mut seen = Vec::new();
        while let Some(element) = list.next_element()? {
            seen.push(element);
        }
        Ok(Seen::List(seen))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Seen, A::Error> {
        let mut seen = Vec::new();
        while let Some(entry) = map.next_entry()? {
            seen.push(entry);
        }
        Ok(Seen::Map(seen))
    }
}
