//! What the fuzzer feeds with bytes. `tests/fuzz.rs` runs the same functions over `fuzz/corpus/`.

use std::sync::Arc;

use saga::journal;
use saga::source::{FileId, SourceFile};
use saga::syntax::{self, Form};
use saga::wire::{Message, from_line, read_reply, read_request, to_line};

/// A source file: never a panic, and what can be read can be laid out, and laid out again to the same text.
pub(crate) fn source(bytes: &[u8]) {
    let (file, problems) = syntax::decode(FileId(0), "fuzz.saga", bytes);
    if problems.has_errors() {
        return;
    }
    let (tree, problems) = syntax::parse(FileId(0), &file);
    if problems.has_errors() {
        return;
    }
    let once = syntax::format(&file, &tree);
    let file = SourceFile::new("fuzz.saga", once.as_str());
    let (tree, problems) = syntax::parse(FileId(0), &file);
    assert!(!problems.has_errors(), "what was laid out can be read:\n{once}");
    assert_eq!(syntax::format(&file, &tree), once, "laid out once is laid out");
}

/// A YAML file: never a panic, every finding inside of the text; and what can be read is the same in both forms.
pub(crate) fn yaml(bytes: &[u8]) {
    let (file, problems) = syntax::decode(FileId(0), "fuzz.yaml", bytes);
    if problems.has_errors() {
        return;
    }
    let (tree, problems) = syntax::parse(FileId(0), &file);
    let refused = problems.has_errors();
    for label in problems.sorted().iter().flat_map(|finding| &finding.labels) {
        assert!(file.text.get(label.span.range()).is_some(), "a finding points into the text: {:?}", label.span);
    }
    if refused {
        return;
    }
    let yaml = syntax::convert(&tree, Form::Yaml);
    let saga = syntax::convert(&tree, Form::Saga);
    let (twin, problems) = syntax::parse(FileId(0), &SourceFile::new("fuzz.yaml", yaml.as_str()));
    // What nests as deep as one form may is too deep for the other.
    if !problems.has_errors() {
        assert_eq!(syntax::convert(&twin, Form::Yaml), yaml, "laid out once is laid out");
        assert_eq!(syntax::convert(&twin, Form::Saga), saga, "both forms say the same:\n{yaml}");
    }
}

/// A record of the journal: refused with a reason, or read; and what was read is written as it was meant.
pub(crate) fn record(bytes: &[u8]) {
    if let Ok(record) = journal::decode(bytes) {
        let written = journal::encode(&record);
        assert_eq!(journal::decode(&written).ok().as_ref(), Some(&record), "a record reads as it was written");
    }
}

/// A message of a stranger on a topic: headers as `name: value` lines, an empty line, the payload. Also as the line of
/// a `process:` participant.
pub(crate) fn reply(bytes: &[u8]) {
    let end = bytes.windows(2).position(|two| two == b"\n\n").unwrap_or(bytes.len());
    let (head, payload) = bytes.split_at(end);
    let headers = String::from_utf8_lossy(head).lines().filter_map(|line| line.split_once(": ")).collect();
    let payload = payload.get(2..).unwrap_or_default().into();
    let message = Message { key: Arc::from("fuzz"), headers, payload };
    let _ = (read_reply(&message).is_ok(), read_request(&message).is_ok());
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(message) = from_line(text)
        && let Ok(line) = to_line(&message)
    {
        assert!(!line.trim_end().contains('\n'), "a line is one line");
    }
}
