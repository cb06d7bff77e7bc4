//! What the fuzzer feeds with bytes. `tests/fuzz.rs` runs the same functions over `fuzz/corpus/`.

use saga::journal;
use saga::source::{FileId, SourceFile};
use saga::syntax::{self, Form};
use saga::wire::{CloudEvent, read_command, read_reply, read_request};

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

/// A message of a stranger on a topic or a pipe: refused with a reason, or read; and what was read is written as it was meant.
pub(crate) fn reply(bytes: &[u8]) {
    let Ok(event) = CloudEvent::parse(bytes) else { return };
    let _ = (read_command(&event).is_ok(), read_reply(&event).is_ok(), read_request(&event).is_ok());
    let written = event.write();
    assert_eq!(CloudEvent::parse(&written.payload).ok().as_ref(), Some(&event), "an event reads as it was written");
}
