//! The nodes of a document with their places: each key and value knows its bytes in the file.

use std::rc::Rc;

use crate::source::Span;

/// A value of the document.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Its bytes: of a scalar with its quotes, of a block from its first key to the end of its last value.
    pub(super) span: Span,
    /// Nodes in it, itself included, with all that aliases stand for.
    pub(super) size: usize,
    /// Levels of lists and maps, itself included.
    pub(super) depth: usize,
}

#[derive(Debug)]
pub(super) enum Kind {
    Scalar(Scalar),
    List(Vec<Rc<Node>>),
    Map(Vec<(Rc<Node>, Rc<Node>)>),
}

/// A scalar: its text with escapes and line folding resolved.
#[derive(Debug)]
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) style: Style,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Without quotes: its text decides what readers of YAML take it for.
    Plain,
    /// In `'…'`.
    Single,
    /// In `"…"`.
    Double,
    /// A block behind `|` or `>`.
    Block,
}

impl Node {
    pub(super) const fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// What it is, for messages.
    pub(super) const fn what(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar(scalar) if scalar.text.is_empty() => "nothing",
            Kind::Scalar(_) => "a scalar",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }
}

/// For each byte of a scalar's text where that stands in the file.
pub(super) enum Places {
    /// The text stands in the file as it is, from here on.
    Verbatim(u32),
    /// The place of each byte, and of the end.
    Each(Vec<u32>),
    /// Not told apart: the whole scalar.
    Whole,
}

impl Places {
    /// Finds the text of a scalar in what was written for it.
    pub(super) fn of(source: &str, node: &Node, scalar: &Scalar) -> Self {
        let from = node.span.start + u32::from(matches!(scalar.style, Style::Single | Style::Double));
        let written = source.get(from as usize..node.span.end as usize).unwrap_or_default();
        if written.starts_with(scalar.text.as_str()) && scalar.style != Style::Block {
            return Self::Verbatim(from);
        }
        align(&scalar.text, written, scalar.style, from).map_or(Self::Whole, Self::Each)
    }

    /// A place in the text, as one of the file.
    pub(super) fn span(&self, whole: Span, start: u32, end: u32) -> Span {
        match self {
            Self::Verbatim(from) => Span { start: from + start, end: from + end, ..whole },
            Self::Each(places) => {
                let at = |offset: u32| places.get(offset as usize).or(places.last()).copied();
                let (Some(first), Some(behind)) = (at(start), at(end)) else { return whole };
                Span { start: first, end: behind.max(first), ..whole }
            }
            Self::Whole => whole,
        }
    }
}

/// Goes through the text and what was written for it side by side; none where they cannot be told apart.
fn align(text: &str, written: &str, style: Style, from: u32) -> Option<Vec<u32>> {
    let mut places = Vec::with_capacity(text.len() + 1);
    let mut rest = written;
    let at = |rest: &str| from + super::offset(written.len() - rest.len());
    for character in text.chars() {
        if !character.is_whitespace() {
            rest = rest.trim_start();
            while style == Style::Double
                && let Some(folded) = rest.strip_prefix("\\\n").or_else(|| rest.strip_prefix("\\\r\n"))
            {
                rest = folded.trim_start();
            }
        }
        let place = at(rest);
        let length = if style == Style::Double && rest.starts_with('\\') {
            escape(rest)
        } else if style == Style::Single && character == '\'' {
            rest.starts_with("''").then_some(2)?
        } else if rest.starts_with(character) {
            character.len_utf8()
        } else if character.is_whitespace() {
            // Folded: a blank or a line end for a line end with the indentation around it.
            rest.len() - rest.trim_start_matches([' ', '\t', '\r']).len()
                + usize::from(rest.trim_start_matches([' ', '\t', '\r']).starts_with('\n'))
        } else {
            return None;
        };
        rest = rest.get(length..)?;
        places.extend(std::iter::repeat_n(place, character.len_utf8()));
    }
    places.push(at(rest));
    Some(places)
}

/// How many bytes an escape of a double-quoted scalar takes.
fn escape(rest: &str) -> usize {
    match rest.chars().nth(1) {
        Some('x') => 4,
        Some('u') => 6,
        Some('U') => 10,
        Some(other) => 1 + other.len_utf8(),
        None => 1,
    }
}
