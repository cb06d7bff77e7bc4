//! Findings for people (miette) and for programs (JSON).
//!
//! The text is the same on every machine: 100 columns, no links, colour only where it is asked for. A label is shown
//! on its first line, and of a line that is very long only the part around the label. The JSON is an interface:
//! fields are added to it, never renamed.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan,
    SpanContents,
};
use serde_json::{Value, json};

use super::{Diagnostic, Label, Severity};
use crate::source::{self, SourceFile, Sources, Span};

/// Columns of the text.
const WIDTH: usize = 100;

/// Bytes of a line that is shown whole; of a longer one, as much around the label.
const MAX_LINE: usize = 400;

/// Whether escape codes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// For terminals.
    Always,
    /// For files and tests.
    Never,
}

/// The findings as people read them, in the order given, each followed by an empty line.
#[must_use]
pub fn text(sources: &Sources, findings: &[Diagnostic], color: Color) -> String {
    let theme = match color {
        Color::Always => GraphicalTheme::unicode(),
        Color::Never => GraphicalTheme::unicode_nocolor(),
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false).with_context_lines(1);
    let mut text = String::new();
    let sources = &harmless(sources);
    for finding in findings {
        let finding = &said(finding);
        let report = Report::new(sources, finding);
        // Writing to a string cannot fail, and miette fails only where a label lies outside its source.
        if handler.render_report(&mut text, &report).is_err() {
            text.extend([finding.code.0, ": ", &finding.title, "\n"]);
        }
        if let Some(why) = &finding.why {
            note(&mut text, why);
        }
        text.push('\n');
    }
    text
}

/// Whether a terminal obeys it rather than showing it. A line end of Windows is none.
fn is_obeyed(character: char) -> bool {
    source::is_obeyed(character) && !matches!(character, '\n' | '\t' | '\r')
}

/// The sources, with a mark of the same length for each character that a terminal would obey.
fn harmless(sources: &Sources) -> Cow<'_, Sources> {
    let is_harmless = |text: &str| !text.contains(is_obeyed) && !text.replace("\r\n", "").contains('\r');
    if sources.iter().all(|(_, file)| is_harmless(&file.text)) {
        return Cow::Borrowed(sources);
    }
    let mut shown = Sources::default();
    for (_, file) in sources.iter() {
        let mut characters = file.text.chars().peekable();
        let mut text = String::with_capacity(file.text.len());
        while let Some(character) = characters.next() {
            let is_line_end = character == '\r' && characters.peek() == Some(&'\n');
            text.push(match character.len_utf8() {
                _ if is_line_end || !(is_obeyed(character) || character == '\r') => character,
                1 => '?',
                // As many bytes as it takes.
                2 => '¿',
                _ => '\u{fffd}',
            });
        }
        shown.add(SourceFile::new(Arc::clone(&file.name), text));
    }
    Cow::Owned(shown)
}

/// The finding, with an escape for each such character in its words, which may quote the source.
fn said(finding: &Diagnostic) -> Cow<'_, Diagnostic> {
    let words = |text: &str| -> String {
        let escape = |character: char| {
            let is_obeyed = is_obeyed(character) || character == '\r';
            if is_obeyed { character.escape_unicode().to_string() } else { character.to_string() }
        };
        text.chars().map(escape).collect()
    };
    let labels = finding.labels.iter().map(|label| &label.text);
    let mut texts = labels.chain(&finding.why).chain(&finding.hint).chain([&finding.title]);
    if !texts.any(|text| text.contains(|character| is_obeyed(character) || character == '\r')) {
        return Cow::Borrowed(finding);
    }
    let labels = finding.labels.iter().map(|label| Label { text: words(&label.text), ..label.clone() });
    Cow::Owned(Diagnostic {
        title: words(&finding.title),
        why: finding.why.as_deref().map(words),
        hint: finding.hint.as_deref().map(words),
        labels: labels.collect(),
        ..finding.clone()
    })
}

/// The findings as programs read them: a list of
/// `{code, severity, title, why, hint, labels: [{file, start: {line, column, offset}, end: {…}, text}]}`.
///
/// `severity` is `"error"` or `"warning"`; `why` and `hint` may be null. Lines and columns count from 1, columns in
/// Unicode scalar values; offsets are bytes from 0. The first label is the cause.
#[must_use]
pub fn json(sources: &Sources, findings: &[Diagnostic]) -> Value {
    let place = |file: Option<&SourceFile>, offset: u32| {
        let at = file.map(|file| file.line_column(offset));
        json!({ "line": at.map(|at| at.line), "column": at.map(|at| at.column), "offset": offset })
    };
    let label = |label: &Label| {
        let file = sources.get(label.span.file);
        json!({
            "file": file.map(|file| &*file.name),
            "start": place(file, label.span.start),
            "end": place(file, label.span.end),
            "text": label.text,
        })
    };
    let finding = |finding: &Diagnostic| {
        json!({
            "code": finding.code.0,
            "severity": match finding.severity { Severity::Error => "error", Severity::Warning => "warning" },
            "title": finding.title,
            "why": finding.why,
            "hint": finding.hint,
            "labels": finding.labels.iter().map(label).collect::<Vec<_>>(),
        })
    };
    Value::Array(findings.iter().map(finding).collect())
}

/// `note: …`, wrapped as miette wraps its help.
fn note(text: &mut String, why: &str) {
    const INDENT: &str = "        ";
    text.push_str("  note: ");
    let mut column = INDENT.len();
    for word in why.split_whitespace() {
        let width = word.chars().count();
        if column > INDENT.len() && column + width > WIDTH {
            text.push('\n');
            text.push_str(INDENT);
            column = INDENT.len();
        }
        text.push_str(word);
        text.push(' ');
        column += width + 1;
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
}

/// One finding, or its part in one file, as miette takes it.
#[derive(Debug)]
struct Report {
    title: String,
    code: Option<String>,
    severity: miette::Severity,
    help: Option<String>,
    source: Excerpt,
    labels: Vec<LabeledSpan>,
    elsewhere: Vec<Self>,
}

impl Report {
    fn new(sources: &Sources, finding: &Diagnostic) -> Self {
        let cause = finding.span();
        let (here, other): (Vec<&Label>, Vec<&Label>) =
            finding.labels.iter().partition(|label| label.span.file == cause.file);
        let file = sources.get(cause.file);
        let (source, labels) = file.map_or_else(|| (Excerpt::default(), Vec::new()), |file| excerpt(file, &here));
        let elsewhere = other
            .into_iter()
            .filter_map(|label| {
                let (source, labels) = excerpt(sources.get(label.span.file)?, &[label]);
                let title = if label.text.is_empty() { "and here".to_owned() } else { label.text.clone() };
                let severity = miette::Severity::Advice;
                Some(Self { title, code: None, severity, help: None, source, labels, elsewhere: Vec::new() })
            })
            .collect();
        Self {
            title: finding.title.clone(),
            code: Some(finding.code.0.to_owned()),
            severity: match finding.severity {
                Severity::Error => miette::Severity::Error,
                Severity::Warning => miette::Severity::Warning,
            },
            help: finding.hint.clone(),
            source,
            labels,
            elsewhere,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)
    }
}

impl std::error::Error for Report {}

impl miette::Diagnostic for Report {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.as_ref().map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        if self.elsewhere.is_empty() {
            return None;
        }
        Some(Box::new(self.elsewhere.iter().map(|report| report as &dyn miette::Diagnostic)))
    }
}

/// A text to be shown, and the number of its first line.
#[derive(Debug, Default)]
struct Excerpt {
    name: String,
    text: Arc<str>,
    /// From 0.
    first_line: usize,
    /// Columns cut off before the text.
    cut: usize,
}

/// What of a file is shown for labels in it.
fn excerpt(file: &SourceFile, labels: &[&Label]) -> (Excerpt, Vec<LabeledSpan>) {
    let text: &str = &file.text;
    let long = |label: &&&Label| {
        let (start, end) = line_around(text, label.span.start as usize);
        end - start > MAX_LINE
    };
    if let Some(label) = labels.iter().find(long) {
        return window(file, label);
    }
    let shown = labels.iter().enumerate().map(|(index, label)| {
        let span = clip(text, label.span);
        let remark = Some(label.text.clone()).filter(|text| !text.is_empty());
        labelled(index == 0, remark, span)
    });
    let excerpt = Excerpt { name: file.name.to_string(), text: file.text.clone(), first_line: 0, cut: 0 };
    (excerpt, shown.collect())
}

/// Of a very long line, the part around one label.
fn window(file: &SourceFile, label: &Label) -> (Excerpt, Vec<LabeledSpan>) {
    let text: &str = &file.text;
    let span = clip(text, label.span);
    let (line_start, line_end) = line_around(text, span.start);
    let boundary = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(span.start.saturating_sub(WIDTH / 4).max(line_start));
    let end = boundary(span.start.saturating_add(WIDTH / 2).min(line_end)).max(start);
    let part = text.get(start..end).unwrap_or_default();
    let mark = |cut: bool| if cut { "…" } else { "" };
    let before = mark(start > line_start);
    let shown = format!("{before}{part}{}", mark(end < line_end));
    let place = file.line_column(u32::try_from(start).unwrap_or(u32::MAX));
    let from = span.start.min(end) - start + before.len();
    let to = span.end.clamp(span.start.min(end), end) - start + before.len();
    let excerpt = Excerpt {
        name: file.name.to_string(),
        text: shown.into(),
        first_line: (place.line as usize).saturating_sub(1),
        cut: (place.column as usize).saturating_sub(1),
    };
    let remark = Some(label.text.clone()).filter(|text| !text.is_empty());
    (excerpt, vec![labelled(true, remark, from..to)])
}

fn labelled(primary: bool, remark: Option<String>, range: std::ops::Range<usize>) -> LabeledSpan {
    let span = SourceSpan::new(range.start.into(), range.len());
    if primary { LabeledSpan::new_primary_with_span(remark, span) } else { LabeledSpan::new_with_span(remark, span) }
}

/// The span, or of one over several lines what lies on its first.
fn clip(text: &str, span: Span) -> std::ops::Range<usize> {
    let range = span.range();
    let start = range.start.min(text.len());
    let end = range.end.clamp(start, text.len());
    let first = text.get(start..end).unwrap_or_default();
    let length = first.find('\n').unwrap_or(first.len());
    start..start + first.get(..length).unwrap_or_default().trim_end().len()
}

/// Begin and end of the line that holds the offset.
fn line_around(text: &str, at: usize) -> (usize, usize) {
    let bytes = text.as_bytes();
    let at = at.min(bytes.len());
    let before = bytes.get(..at).unwrap_or_default();
    let behind = bytes.get(at..).unwrap_or_default();
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let end = behind.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length);
    (start, end)
}

impl SourceCode for Excerpt {
    /// As miette's own for strings, without reading the text from its begin for each label.
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let text: &str = &self.text;
        let (from, to) = (span.offset(), span.offset().saturating_add(span.len()));
        if to > text.len() {
            return Err(MietteError::OutOfBounds);
        }
        // Asked for no lines around, miette wants the place itself, for the heading.
        let mut start = if lines_before == 0 { from } else { line_around(text, from).0 };
        for _ in 0..lines_before {
            if start == 0 {
                break;
            }
            let (earlier, end) = line_around(text, start - 1);
            // A long neighbour would be shown whole.
            if end - earlier > MAX_LINE {
                break;
            }
            start = earlier;
        }
        let mut end = if lines_after == 0 { to } else { line_around(text, to).1 };
        for _ in 0..lines_after {
            if end >= text.len() {
                break;
            }
            let (begin, later) = line_around(text, end + 1);
            if later - begin > MAX_LINE {
                break;
            }
            end = later;
        }
        let (line_start, _) = line_around(text, from);
        let column = self.cut + text.get(line_start..from).unwrap_or_default().chars().count();
        let line = text.get(..start).unwrap_or_default().matches('\n').count();
        let data = text.get(start..end).unwrap_or_default();
        let count = data.matches('\n').count() + 1;
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            data.as_bytes(),
            SourceSpan::new(start.into(), end - start),
            self.first_line + line,
            if start == from { column } else { self.cut },
            count,
        )))
    }
}
