//! The one layout of a document: values that fit stay on the line of their key, all else has lines of its own.

use std::fmt::Write as _;

use super::scalar::{Plain, plain};
use crate::source::is_obeyed;

/// Columns of a line, as in the text form.
const WIDTH: usize = 120;

/// A value to be written.
pub(super) enum Out {
    /// As it is written, quotes included.
    Scalar(String),
    List(Vec<Out>),
    Map(Vec<Key>),
    /// Written below its key, whatever its width.
    Lines(Box<Out>),
}

/// A key with its value.
pub(super) struct Key {
    /// Lines of documentation.
    pub(super) docs: Vec<String>,
    /// As it is written.
    pub(super) name: String,
    pub(super) value: Out,
    /// An empty line stands before it.
    pub(super) apart: bool,
}

impl Key {
    pub(super) fn new(key: &str, value: Out) -> Self {
        Self { docs: Vec::new(), name: key.to_owned(), value, apart: false }
    }
}

/// Writes the whole document.
pub(super) fn document(keys: &[Key]) -> String {
    let mut out = String::new();
    map(&mut out, keys, 0, false);
    out
}

/// Keys below each other; the first stands on the line that is begun where `begun` says so.
fn map(out: &mut String, keys: &[Key], indent: usize, begun: bool) {
    for (index, key) in keys.iter().enumerate() {
        let first = index == 0 && begun;
        if key.apart && index > 0 {
            out.push('\n');
        }
        for line in &key.docs {
            if !first {
                pad(out, indent);
            }
            out.push_str(format!("## {line}").trim_end());
            out.push('\n');
            if first {
                pad(out, indent);
            }
        }
        if !first {
            pad(out, indent);
        }
        out.push_str(&key.name);
        out.push(':');
        value(out, &key.value, indent, indent + key.name.chars().count() + 2);
    }
}

/// The value behind a key, whose line has `column` columns so far.
fn value(out: &mut String, value: &Out, indent: usize, column: usize) {
    if let Some(line) = flow(value).filter(|line| column + line.chars().count() <= WIDTH || is_scalar(value)) {
        out.push(' ');
        out.push_str(&line);
        out.push('\n');
        return;
    }
    out.push('\n');
    below(out, value, indent + 2);
}

fn below(out: &mut String, value: &Out, indent: usize) {
    match value {
        Out::Scalar(text) => {
            pad(out, indent);
            out.push_str(text);
            out.push('\n');
        }
        Out::Map(keys) => map(out, keys, indent, false),
        Out::Lines(inner) => below(out, inner, indent),
        Out::List(elements) => {
            for element in elements {
                pad(out, indent);
                out.push_str("- ");
                match flow(element).filter(|line| indent + 2 + line.chars().count() <= WIDTH || is_scalar(element)) {
                    Some(line) => {
                        out.push_str(&line);
                        out.push('\n');
                    }
                    None => match element {
                        Out::Map(keys) => map(out, keys, indent + 2, true),
                        Out::Lines(inner) => match inner.as_ref() {
                            Out::Map(keys) => map(out, keys, indent + 2, true),
                            Out::Scalar(_) | Out::List(_) | Out::Lines(_) => nested(out, inner, indent),
                        },
                        Out::Scalar(_) | Out::List(_) => nested(out, element, indent),
                    },
                }
            }
        }
    }
}

/// A list in a list.
fn nested(out: &mut String, value: &Out, indent: usize) {
    while out.ends_with(' ') {
        out.pop();
    }
    out.push('\n');
    below(out, value, indent + 2);
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

const fn is_scalar(value: &Out) -> bool {
    matches!(value, Out::Scalar(_))
}

/// A value on one line, where it may stand on one.
fn flow(value: &Out) -> Option<String> {
    match value {
        Out::Scalar(text) => Some(text.clone()),
        Out::Lines(inner) => match inner.as_ref() {
            Out::List(elements) if elements.is_empty() => Some("[]".to_owned()),
            Out::Map(keys) if keys.is_empty() => Some("{}".to_owned()),
            _ => None,
        },
        Out::List(elements) if elements.is_empty() => Some("[]".to_owned()),
        Out::Map(keys) if keys.is_empty() => Some("{}".to_owned()),
        Out::List(elements) => {
            let elements = elements.iter().map(flow).collect::<Option<Vec<_>>>()?;
            Some(format!("[{}]", elements.join(", ")))
        }
        Out::Map(keys) => {
            let keys = keys
                .iter()
                .map(|key| {
                    let value = flow(&key.value).filter(|_| key.docs.is_empty())?;
                    Some(format!("{}: {value}", key.name))
                })
                .collect::<Option<Vec<_>>>()?;
            Some(format!("{{ {} }}", keys.join(", ")))
        }
    }
}

/// A text as a scalar: plain where every reader takes it for that text.
pub(super) fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_alphanumeric())
        && !text.ends_with(' ')
        && text.chars().all(|c| c.is_alphanumeric() || " _.-/'()+;%=$".contains(c))
        && plain(text) == Plain::Text;
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// A text in quotes: single ones where double ones would want escapes.
pub(super) fn quoted(text: &str) -> String {
    if text.contains(['"', '\\']) && !text.contains('\'') && text.chars().all(is_printed) {
        return format!("'{text}'");
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            other if is_printed(other) => out.push(other),
            other if u32::from(other) <= 0xFFFF => {
                let _ = write!(out, "\\u{:04X}", u32::from(other));
            }
            other => {
                let _ = write!(out, "\\U{:08X}", u32::from(other));
            }
        }
    }
    out.push('"');
    out
}

/// What stands in a document as it is.
fn is_printed(c: char) -> bool {
    let is_break = matches!(c, '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{85}');
    let is_unassigned = matches!(c, '\u{FFFE}' | '\u{FFFF}');
    !is_obeyed(c) && !is_break && !is_unassigned
}
