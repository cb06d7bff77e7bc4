//! The way from bytes to the tree: [`decode`], then [`parse`].
//!
//! Neither ever fails as a whole: whatever is wrong becomes findings, and the tree holds what could be read. Time and
//! memory are linear in the length of the text; a text above the limits is refused before it is looked into.

use super::form::Form;
use super::limits::{MAX_FILE_BYTES, MAX_FINDINGS};
use super::tree::File;
use super::{build, scan, yaml};
use crate::diagnostic::{Diagnostic, Problems, codes};
use crate::source::{FileId, SourceFile, Span};

/// Makes a source of the bytes of the file `name`, which will have the number `id`.
///
/// Where there are findings, the source is only for showing them: it is not to be parsed.
#[must_use]
pub fn decode(id: FileId, name: &str, bytes: &[u8]) -> (SourceFile, Problems) {
    let mut problems = Problems::default();
    let beginning = Span { file: id, start: 0, end: 0 };
    if bytes.len() > MAX_FILE_BYTES {
        problems.push(too_large(beginning));
        return (SourceFile::new(name, ""), problems);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => (SourceFile::new(name, text), problems),
        Err(error) => {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let start = scan::offset(error.valid_up_to());
            let end = start + scan::offset(char::REPLACEMENT_CHARACTER.len_utf8());
            problems.push(
                Diagnostic::error(codes::NOT_UTF8, Span { file: id, start, end }, "this file is not UTF-8")
                    .here("the first byte that is none")
                    .hint("save it as UTF-8; is it a text at all?"),
            );
            (SourceFile::new(name, text), problems)
        }
    }
}

/// Parses a file that has the number `id`, in the form that it is written in ([`Form::of`]).
///
/// Never fails as a whole; [`File::incomplete`] says whether the tree lacks something that was written or needed.
#[must_use]
pub fn parse(id: FileId, file: &SourceFile) -> (File, Problems) {
    let beginning = Span { file: id, start: 0, end: 0 };
    if file.text.len() > MAX_FILE_BYTES {
        let mut problems = Problems::default();
        problems.push(too_large(beginning));
        return (File { incomplete: true, ..File::default() }, problems);
    }
    let form = Form::of(file);
    if let Some(finding) = form.contradicted(id, file) {
        let mut problems = Problems::default();
        problems.push(finding);
        return (File { incomplete: true, ..File::default() }, problems);
    }
    if form == Form::Yaml {
        let (tree, problems) = yaml::parse(id, file);
        return (tree, limited(problems));
    }
    let scanned = scan::scan(id, &file.text);
    if !scanned.readable {
        return (File { comments: scanned.comments, incomplete: true, ..File::default() }, limited(scanned.problems));
    }
    let (mut tree, found) = build::build(id, &scanned);
    let mut problems = scanned.problems;
    problems.extend(found);
    tree.comments = scanned.comments;
    if tree.items.is_empty() && problems.is_empty() {
        tree.incomplete = true;
        problems.push(
            Diagnostic::error(codes::EMPTY_FILE, beginning, "this file declares nothing")
                .hint("`saga help language` shows a saga to begin with"),
        );
    }
    (tree, limited(problems))
}

fn too_large(span: Span) -> Diagnostic {
    Diagnostic::error(codes::FILE_TOO_LARGE, span, format!("this file has more than {MAX_FILE_BYTES} bytes"))
        .why("No more is read: no saga that people write comes near.")
        .hint("split it: each saga into a file of its own")
}

/// The first [`MAX_FINDINGS`] in order, and a word about the others.
fn limited(problems: Problems) -> Problems {
    let findings = problems.sorted();
    let mut limited = Problems::default();
    let more = findings.len().saturating_sub(MAX_FINDINGS);
    let last = findings.get(MAX_FINDINGS).map(Diagnostic::span);
    findings.into_iter().take(MAX_FINDINGS).for_each(|finding| limited.push(finding));
    if let Some(span) = last {
        limited.push(
            Diagnostic::error(codes::TOO_MANY_FINDINGS, span, format!("{more} more findings are not shown"))
                .here("the first of them is here")
                .hint("mend those above, and look again"),
        );
    }
    limited
}
