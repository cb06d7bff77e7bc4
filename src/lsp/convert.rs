//! Between bytes and the protocol's lines and UTF-16 units, and between our answers and its forms.

use gen_lsp_types as lsp;

use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::editor::{Completion, Document, Entry, Hover, What};
use crate::source::{FileId, SourceFile, Span};

/// The offset of a place; one behind a line or the text is its end.
pub(super) fn offset(document: &Document, place: lsp::Position) -> u32 {
    let Some(file) = document.file() else { return 0 };
    let (start, line) = file.line(place.line);
    let mut units = 0;
    let mut bytes = 0;
    for letter in line.chars() {
        if units >= place.character {
            break;
        }
        units += if letter.len_utf16() == 2 { 2 } else { 1 };
        bytes += letter.len_utf8();
    }
    start.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX))
}

/// The place of an offset.
fn position(file: &SourceFile, offset: u32) -> lsp::Position {
    let number = file.line_column(offset).line.saturating_sub(1);
    let (start, line) = file.line(number);
    let before = line.get(..(offset.saturating_sub(start) as usize).min(line.len())).unwrap_or(line);
    lsp::Position::new(number, u32::try_from(before.encode_utf16().count()).unwrap_or(u32::MAX))
}

pub(super) fn range(document: &Document, span: Span) -> lsp::Range {
    let nowhere = lsp::Position::new(0, 0);
    document.sources.get(span.file).map_or(lsp::Range { start: nowhere, end: nowhere }, |file| lsp::Range {
        start: position(file, span.start),
        end: position(file, span.end),
    })
}

/// A place in the document or in a file that it uses: each is named by its URI.
pub(super) fn location(document: &Document, span: Span) -> lsp::Location {
    let uri = document.sources.get(span.file).map(|file| file.name.to_string()).unwrap_or_default();
    lsp::Location { uri: lsp::Uri(uri), range: range(document, span) }
}

pub(super) fn hover(document: &Document, hover: Hover) -> lsp::Hover {
    lsp::Hover { contents: markdown(hover.text).into(), range: Some(range(document, hover.span)) }
}

fn markdown(value: String) -> lsp::MarkupContent {
    lsp::MarkupContent { kind: lsp::MarkupKind::Markdown, value }
}

/// All findings of a document. Those in a file that it uses are at the `use`, for that file may not be open.
pub(super) fn findings(document: &Document) -> Vec<lsp::Diagnostic> {
    let own = document.findings.iter().filter(|finding| finding.span().file == FileId::default());
    let elsewhere = document.found_elsewhere().map(|(at, finding)| {
        let mut told = diagnostic(document, finding);
        let related = lsp::DiagnosticRelatedInformation {
            location: location(document, finding.span()),
            message: "found there".to_owned(),
        };
        told.range = range(document, at);
        told.tags = None;
        told.related_information.get_or_insert_default().insert(0, related);
        told
    });
    own.map(|finding| diagnostic(document, finding)).chain(elsewhere).collect()
}

fn diagnostic(document: &Document, finding: &Diagnostic) -> lsp::Diagnostic {
    let mut message = finding.title.clone();
    for more in finding.why.iter().cloned().chain(finding.hint.iter().map(|hint| format!("hint: {hint}"))) {
        message.push('\n');
        message.push_str(&more);
    }
    let related = finding.labels.iter().skip(1).map(|label| lsp::DiagnosticRelatedInformation {
        location: location(document, label.span),
        message: label.text.clone(),
    });
    let faded = [codes::UNUSED, codes::NEVER_REACHED].contains(&finding.code);
    lsp::Diagnostic {
        range: range(document, finding.span()),
        severity: Some(match finding.severity {
            Severity::Error => lsp::DiagnosticSeverity::Error,
            Severity::Warning => lsp::DiagnosticSeverity::Warning,
        }),
        code: Some(finding.code.0.to_owned().into()),
        source: Some("saga".to_owned()),
        message: message.into(),
        tags: faded.then(|| vec![lsp::DiagnosticTag::Unnecessary]),
        related_information: Some(related.collect()),
        ..Default::default()
    }
}

pub(super) fn completion(completion: Completion) -> lsp::CompletionItem {
    lsp::CompletionItem {
        label: completion.label,
        kind: Some(match completion.what {
            What::Type => lsp::CompletionItemKind::Struct,
            What::Participant => lsp::CompletionItemKind::Module,
            What::Command => lsp::CompletionItemKind::Method,
            What::Saga | What::Scenario => lsp::CompletionItemKind::Class,
            What::Value => lsp::CompletionItemKind::Variable,
            What::Field => lsp::CompletionItemKind::Field,
            What::Code => lsp::CompletionItemKind::EnumMember,
            What::Keyword => lsp::CompletionItemKind::Keyword,
            What::Function => lsp::CompletionItemKind::Function,
        }),
        detail: Some(completion.detail).filter(|detail| !detail.is_empty()),
        documentation: completion.docs.map(|docs| markdown(docs).into()),
        ..Default::default()
    }
}

/// The edit that makes the whole text this one.
pub(super) fn whole(document: &Document, text: String) -> Vec<lsp::TextEdit> {
    let Some(file) = document.file() else { return Vec::new() };
    if *file.text == *text {
        return Vec::new();
    }
    let end = u32::try_from(file.text.len()).unwrap_or(u32::MAX);
    let span = Span { end, ..Span::default() };
    vec![lsp::TextEdit { range: range(document, span), new_text: text }]
}

#[expect(deprecated, reason = "the protocol's structure has the field still")]
pub(super) fn entry(document: &Document, entry: Entry) -> lsp::DocumentSymbol {
    lsp::DocumentSymbol {
        name: entry.name,
        detail: None,
        kind: match entry.what {
            What::Type => lsp::SymbolKind::Struct,
            What::Participant => lsp::SymbolKind::Module,
            What::Command => lsp::SymbolKind::Method,
            What::Saga => lsp::SymbolKind::Class,
            What::Scenario => lsp::SymbolKind::Event,
            What::Value | What::Field | What::Code | What::Keyword | What::Function => lsp::SymbolKind::Variable,
        },
        tags: None,
        deprecated: None,
        range: range(document, entry.span),
        selection_range: range(document, entry.name_span),
        children: None,
    }
}
