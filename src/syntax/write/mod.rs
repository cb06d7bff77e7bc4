//! From a tree back to text, in either form: what `saga fmt --to` prints.
//!
//! A tree has no comments and no layout, so both are lost; all else is kept. Items and the clauses of a head come in
//! one order whatever the order was, so that both forms of one definition give the same texts.

mod expression;
mod items;
mod order;
mod statements;
pub(super) mod words;

use std::fmt::Write as _;

use super::tree::{Docs, File};
pub(super) use expression::{expr, type_expr};
pub use expression::{key, quoted};
pub(super) use order::{heads, items, parts};

/// The text form, not laid out yet.
pub(super) fn saga(file: &File) -> String {
    let mut writer = Writer { out: String::new(), depth: 0 };
    writer.file(file);
    writer.out
}

struct Writer {
    out: String,
    depth: usize,
}

impl Writer {
    fn line(&mut self, text: &str) {
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
        let _ = writeln!(self.out, "{text}");
    }

    fn docs(&mut self, docs: &Docs) {
        for line in docs.iter().flat_map(|docs| docs.value.split('\n')) {
            self.line(format!("/// {line}").trim_end());
        }
    }

    /// A group with lines of its own.
    fn group(&mut self, head: &str, inner: impl FnOnce(&mut Self)) {
        self.line(&format!("{head} {{"));
        self.depth += 1;
        inner(self);
        self.depth -= 1;
        self.line("}");
    }
}
