//! The YAML twin: the same language in the syntax of YAML, to the same tree.
//!
//! ```text
//!   text ── index ──> nodes with their places          (saphyr-parser)
//!     └── document ──> what they are to other readers  (serde_yaml)
//!   nodes ── items, sagas, statements, scenarios ──> tree
//!            scalars in `${ … }`, types, clauses ── build::lone ──> the same grammar, places moved to the file
//!   tree ── write ──> text
//! ```
//!
//! Every key and value that is not what its place wants is a finding at its own bytes, all at once. What cannot be read
//! as YAML at all is one finding: what stands behind it may mean anything.

pub(super) mod append;
mod comments;
mod document;
mod index;
mod items;
mod keys;
mod layout;
mod node;
mod relocate;
mod sagas;
mod scalar;
mod scenarios;
mod statements;
mod types;
mod values;
pub(super) mod write;

use super::documentation::Documentation;
use super::scan::offset;
use super::tree::{Docs, File};
use crate::diagnostic::{Code, Diagnostic, Problems, codes};
use crate::source::{FileId, SourceFile, Span, is_obeyed};
use comments::Comments;
use node::Node;

/// Reads a document; what is too large has been refused before.
pub(super) fn parse(id: FileId, file: &SourceFile) -> (File, Problems) {
    if let Some(finding) = control(id, &file.text) {
        let mut problems = Problems::default();
        problems.push(finding);
        return (File { incomplete: true, ..File::default() }, problems);
    }
    let indexed = index::index(id, &file.text);
    let Comments { comments, docs } = comments::comments(id, &file.text, &indexed.scalars);
    let mut problems = indexed.problems;
    let refused = File { comments: comments.clone(), incomplete: true, ..File::default() };
    let Some(root) = indexed.root else {
        if problems.is_empty() {
            problems.push(empty(Span { file: id, start: 0, end: 0 }));
        }
        return (refused, problems);
    };
    if let Some(finding) = document::differs(id, &file.text, &root) {
        problems.push(finding);
        return (refused, problems);
    }
    let documentation = Documentation::new(&docs);
    let mut reader =
        Reader { file: id, text: &file.text, documentation, problems, statements: 0, depth: 0, incomplete: false };
    let items = reader.file(&root);
    reader.stray_docs();
    if items.is_empty() && reader.problems.is_empty() {
        reader.incomplete = true;
        reader.problems.push(empty(Span { file: id, start: 0, end: 0 }));
    }
    (File { items, comments, statements: reader.statements, incomplete: reader.incomplete }, reader.problems)
}

/// A character that YAML does not allow; in quotes it has an escape.
fn control(file: FileId, text: &str) -> Option<Diagnostic> {
    let is_allowed = |c: char| !is_obeyed(c) || matches!(c, '\n' | '\t' | '\u{85}');
    let mut characters = text.char_indices();
    let (at, found) =
        characters.find(|(at, c)| !(is_allowed(*c) || *c == '\r' && text.as_bytes().get(at + 1) == Some(&b'\n')))?;
    let span = Span { file, start: offset(at), end: offset(at + found.len_utf8()) };
    let title = if found == '\r' { "a carriage return without a line feed" } else { "a control character" };
    Some(
        Diagnostic::error(codes::STRAY_CHARACTER, span, title)
            .here("cannot be seen, and has no meaning here")
            .hint(format!("remove it; in double quotes, write it as `\\u{:04X}`", u32::from(found))),
    )
}

/// The first thing that the one layout would lose: a tree has neither comments nor aliases.
pub(super) fn lost(id: FileId, text: &str, laid_out: &str) -> Option<(Span, &'static str)> {
    let indexed = index::index(id, text);
    let Comments { comments, docs } = comments::comments(id, text, &indexed.scalars);
    let comment = comments.first().map(|comment| (comment.span, "this comment"));
    let alias = indexed.alias.map(|alias| (alias, "this alias"));
    let kept = comments::comments(id, laid_out, &index::index(id, laid_out).scalars).docs;
    let doc = docs.iter().find(|doc| !kept.iter().any(|kept| kept.text == doc.text));
    let doc = doc.map(|doc| (doc.span, "this documentation of a statement"));
    [comment, alias, doc].into_iter().flatten().min_by_key(|(span, _)| span.start)
}

fn empty(beginning: Span) -> Diagnostic {
    Diagnostic::error(codes::EMPTY_FILE, beginning, "this file declares nothing")
        .hint("`saga help language` shows a saga to begin with, in YAML too")
}

struct Reader<'a> {
    file: FileId,
    text: &'a str,
    documentation: Documentation<'a>,
    problems: Problems,
    /// So many so far.
    statements: usize,
    /// Blocks, records, objects and lists that are open.
    depth: usize,
    incomplete: bool,
}

impl Reader<'_> {
    /// A finding after which the tree lacks what was written.
    fn refuse(&mut self, finding: Diagnostic) {
        self.incomplete = true;
        self.problems.push(finding);
    }

    fn report(&mut self, code: Code, span: Span, title: impl Into<String>, here: &str, hint: impl Into<String>) {
        self.refuse(Diagnostic::error(code, span, title).here(here).hint(hint));
    }

    /// The place wants something else.
    fn expected(&mut self, what: &str, node: &Node, hint: impl Into<String>) {
        self.report(
            codes::YAML_SHAPE,
            node.span,
            format!("expected {what}"),
            &format!("this is {}", node.what()),
            hint,
        );
    }

    /// Something that must be said is not.
    fn lacks(&mut self, code: Code, lead: Span, title: impl Into<String>, here: &str, hint: &str) {
        self.report(code, lead, title, here, hint);
    }

    /// `## …` above the key that begins at `at`.
    fn docs(&mut self, at: Span) -> Docs {
        self.documentation.of(at.start)
    }

    fn stray_docs(&mut self) {
        if self.incomplete {
            return;
        }
        let hint = "write `#` for a remark, or move it above the key that it documents";
        self.documentation.stray(hint).for_each(|finding| self.problems.push(finding));
    }
}
