//! Findings as a SARIF 2.1.0 log (OASIS, *Static Analysis Results Interchange Format*), which code hosts and editors
//! show beside the lines. Each rule carries its page, each result its places.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{Code, Diagnostic, Label, Severity};
use crate::source::{SourceFile, Sources};

/// What may stand in the path of a URI as it is (RFC 3986, 3.3), without the colon that would end a scheme.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The log of one run over some files, each with its findings. `failures` says of what else could not be looked at, and `page`
/// has the page of each rule.
#[must_use]
pub fn log(
    files: &[(&Sources, Vec<Diagnostic>)],
    failures: &[String],
    page: impl Fn(&str) -> Option<&'static str>,
) -> Value {
    let mut rules: Vec<Code> = files.iter().flat_map(|(_, findings)| findings).map(|finding| finding.code).collect();
    rules.sort_unstable();
    rules.dedup();
    let results: Vec<Value> = files
        .iter()
        .flat_map(|(sources, findings)| findings.iter().map(|finding| result(sources, finding, &rules)))
        .collect();
    let artifacts: Vec<Value> = files
        .iter()
        .flat_map(|(sources, _)| sources.iter())
        .map(|(_, file)| json!({ "location": { "uri": uri(&file.name) }, "length": file.text.len() }))
        .collect();
    let notices: Vec<Value> =
        failures.iter().map(|text| json!({ "level": "error", "message": { "text": text } })).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "saga",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|code| rule(*code, page(code.0))).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "invocations": [{ "executionSuccessful": failures.is_empty(), "toolExecutionNotifications": notices }],
            "artifacts": artifacts,
            "results": results,
        }],
    })
}

fn rule(code: Code, page: Option<&'static str>) -> Value {
    let page = page.unwrap_or_default();
    let heading = page.lines().next().unwrap_or_default();
    let title = heading.split_once(": ").map_or(heading, |(_, title)| title);
    json!({
        "id": code.0,
        "shortDescription": { "text": title },
        "help": { "text": page, "markdown": page },
    })
}

fn result(sources: &Sources, finding: &Diagnostic, rules: &[Code]) -> Value {
    let why = finding.why.iter().cloned();
    let hint = finding.hint.iter().map(|hint| format!("Hint: {hint}"));
    let text: Vec<String> = std::iter::once(finding.title.clone()).chain(why).chain(hint).collect();
    let location = |label: &Label| sources.get(label.span.file).map(|file| location(file, label));
    let mut labels = finding.labels.iter();
    json!({
        "ruleId": finding.code.0,
        "ruleIndex": rules.binary_search(&finding.code).ok(),
        "level": match finding.severity { Severity::Error => "error", Severity::Warning => "warning" },
        "message": { "text": text.join("\n\n") },
        "locations": labels.next().and_then(location).into_iter().collect::<Vec<_>>(),
        "relatedLocations": labels.filter_map(location).collect::<Vec<_>>(),
    })
}

fn location(file: &SourceFile, label: &Label) -> Value {
    let (start, end) = (file.line_column(label.span.start), file.line_column(label.span.end));
    let mut location = json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(&file.name) },
        "region": {
            "startLine": start.line,
            "startColumn": start.column,
            "endLine": end.line,
            "endColumn": end.column,
            "byteOffset": label.span.start,
            "byteLength": label.span.end.saturating_sub(label.span.start),
        },
    } });
    if let Some(location) = location.as_object_mut().filter(|_| !label.text.is_empty()) {
        location.insert("message".to_owned(), json!({ "text": label.text }));
    }
    location
}

/// As the user named it, relative to where the command was given, or absolute.
fn uri(name: &str) -> String {
    let scheme = if name.starts_with('/') { "file://" } else { "" };
    format!("{scheme}{}", utf8_percent_encode(name, PATH))
}
