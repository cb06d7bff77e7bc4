//! Documentation as it was found in a text: what stands above something, and what documents nothing.

use super::scan::DocLines;
use super::tree::{Docs, Text};
use crate::diagnostic::{Diagnostic, codes};

/// All that a text has, in its order.
pub(super) struct Documentation<'a> {
    lines: &'a [DocLines],
    used: Vec<bool>,
}

impl<'a> Documentation<'a> {
    pub(super) fn new(lines: &'a [DocLines]) -> Self {
        Self { lines, used: vec![false; lines.len()] }
    }

    /// That of what begins at `start`.
    pub(super) fn of(&mut self, start: u32) -> Docs {
        let index = self.lines.binary_search_by_key(&start, |docs| docs.before).ok()?;
        if let Some(used) = self.used.get_mut(index) {
            *used = true;
        }
        self.lines.get(index).map(|docs| Text { value: docs.text.clone(), span: docs.span })
    }

    /// What nobody has asked for: it documents nothing. The hint says how a remark is written in this form.
    pub(super) fn stray(&self, hint: &str) -> impl Iterator<Item = Diagnostic> {
        let unused = self.lines.iter().zip(&self.used).filter(|(_, used)| !**used);
        unused.map(move |(docs, _)| {
            Diagnostic::warning(codes::STRAY_DOC, docs.span, "this documents nothing")
                .here("no item, field or step begins behind it")
                .hint(hint)
        })
    }
}
