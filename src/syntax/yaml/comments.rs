//! Comments of a document, and those that are documentation: `## …` is what `/// …` is in the text form.

use super::offset;
use crate::source::{FileId, Span};
use crate::syntax::scan::DocLines;
use crate::syntax::tree::Comment;

pub(super) struct Comments {
    pub(super) comments: Vec<Comment>,
    pub(super) docs: Vec<DocLines>,
}

/// All `# …` outside of scalars, whose places are `scalars`.
pub(super) fn comments(file: FileId, text: &str, scalars: &[Span]) -> Comments {
    let mut found = Comments { comments: Vec::new(), docs: Vec::new() };
    let mut from = 0;
    let mut open: Option<DocLines> = None;
    let end = offset(text.len());
    let behind = Span { file, start: end, end };
    for scalar in scalars.iter().filter(|scalar| scalar.end > scalar.start).chain([&behind]) {
        let between = text.get(from as usize..scalar.start as usize).unwrap_or_default();
        let mut at = from as usize;
        for line in between.split_inclusive('\n') {
            if let Some(hash) = begin(text, at, line) {
                let written = line.get(hash..).unwrap_or_default().trim_end();
                let start = offset(at + hash);
                let span = Span { file, start, end: start + offset(written.len()) };
                let own_line = line_before(text, at + hash).trim().is_empty();
                match written.strip_prefix("##").filter(|rest| own_line && (rest.is_empty() || rest.starts_with(' '))) {
                    Some(rest) => {
                        let rest = rest.strip_prefix(' ').unwrap_or(rest);
                        match &mut open {
                            Some(docs) => {
                                docs.text.push('\n');
                                docs.text.push_str(rest);
                                docs.span = docs.span.to(span);
                            }
                            None => open = Some(DocLines { text: rest.to_owned(), span, before: 0 }),
                        }
                    }
                    None => found.comments.push(Comment { text: written.to_owned(), span }),
                }
            }
            at += line.len();
        }
        found.docs.extend(open.take().map(|docs| DocLines { before: scalar.start, ..docs }));
        from = scalar.end.max(from);
    }
    found
}

/// Where in the line a comment begins: a `#` at its begin or behind a blank.
fn begin(text: &str, at: usize, line: &str) -> Option<usize> {
    line.match_indices('#').map(|(hash, _)| hash).find(|hash| {
        let before = text.get(..at + hash).unwrap_or_default();
        before.is_empty() || before.ends_with([' ', '\t', '\n', '\r', '\u{FEFF}'])
    })
}

fn line_before(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    before.rsplit('\n').next().unwrap_or_default()
}
