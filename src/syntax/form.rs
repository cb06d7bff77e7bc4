//! The two forms of the language, and which of them a file is written in.

use super::tree::File;
use super::{scan, write, yaml};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::{FileId, SourceFile, Span};

/// How a definition is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The text form, `.saga`.
    Saga,
    /// The YAML twin, `.yaml` or `.yml`.
    Yaml,
}

impl Form {
    /// The form that the file's name says; of a name that says none, as of standard input, the one that the text has.
    #[must_use]
    pub fn of(file: &SourceFile) -> Self {
        let named = file.name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        match named.as_deref() {
            Some("yaml" | "yml") => Self::Yaml,
            Some("saga") => Self::Saga,
            _ => Self::seen(&file.text).map_or(Self::Saga, |(form, _)| form),
        }
    }

    /// The form that the text begins in, if that can be told, and where it shows.
    fn seen(text: &str) -> Option<(Self, (usize, usize))> {
        const KEYS: [&str; 6] = ["use", "types", "participants", "sagas", "triggers", "scenarios"];
        const WORDS: [&str; 6] = ["use", "type", "participant", "saga", "trigger", "scenario"];
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let start = at;
            at += line.len();
            let shown = line.trim_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}');
            let lead = start + line.find(shown).unwrap_or_default();
            if shown.is_empty() || shown.starts_with('#') {
                continue;
            }
            let place = (lead, lead + shown.len().min(40));
            if shown.starts_with("//") {
                return Some((Self::Saga, place));
            }
            if shown.starts_with("---") || shown.starts_with("%YAML") || shown.starts_with('{') {
                return Some((Self::Yaml, place));
            }
            let unquoted = shown.trim_start_matches(['"', '\'']);
            let length = unquoted.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(unquoted.len());
            let (word, behind) = (unquoted.get(..length)?, unquoted.get(length..)?);
            let behind = behind.trim_start_matches(['"', '\'']).trim_start();
            let place = (lead, lead + length.max(1));
            if behind.starts_with(':') {
                return KEYS.contains(&word).then_some((Self::Yaml, place));
            }
            let names = behind.starts_with(|c: char| c.is_ascii_alphabetic() || c == '"');
            return (names && WORDS.contains(&word)).then_some((Self::Saga, place));
        }
        None
    }

    /// The finding for a text that is plainly in the other form.
    pub(super) fn contradicted(self, id: FileId, file: &SourceFile) -> Option<Diagnostic> {
        let (seen, (start, end)) = Self::seen(&file.text)?;
        if seen == self {
            return None;
        }
        let end = (start..=end).rev().find(|end| file.text.is_char_boundary(*end)).unwrap_or(start);
        let span = Span { file: id, start: scan::offset(start), end: scan::offset(end) };
        let stem = file.name.rsplit_once('.').map_or(&*file.name, |(stem, _)| stem);
        let (title, other) = match self {
            Self::Saga => ("this is YAML, and the file is named `.saga`", "yaml"),
            Self::Yaml => ("this is not YAML, but the text form of the language", "saga"),
        };
        let finding = Diagnostic::error(codes::WRONG_FORM, span, title).here("begins here");
        Some(finding.hint(format!("name the file `{stem}.{other}`")))
    }
}

/// Writes a tree in the form, in its one layout. Comments are lost, for a tree has none.
#[must_use]
pub fn convert(tree: &File, form: Form) -> String {
    match form {
        Form::Yaml => yaml::write::yaml(tree),
        Form::Saga => {
            let file = SourceFile::new("converted.saga", write::saga(tree));
            let (tree, _) = super::parse(FileId::default(), &file);
            super::format(&file, &tree)
        }
    }
}

/// What [`super::format()`] of a file would lose, and so leaves as it is: comments and aliases of YAML.
#[must_use]
pub fn lost_by_layout(file: &SourceFile, tree: &File) -> Option<(Span, &'static str)> {
    if Form::of(file) == Form::Saga {
        return None;
    }
    yaml::lost(FileId::default(), &file.text, &convert(tree, Form::Yaml))
}

/// What to write behind a YAML document for it to have these scenarios too, with all else as it is written; none where they
/// cannot stand there: its own come before something else, or in brackets.
#[must_use]
pub fn appended(file: &SourceFile, tree: &File, scenarios: &File) -> Option<String> {
    let more = yaml::append::scenarios(&file.text, &convert(scenarios, Form::Yaml))?;
    let whole = SourceFile::new("appended.yaml", format!("{}{more}", file.text));
    let (read, problems) = super::parse(FileId::default(), &whole);
    let items = tree.items.iter().chain(&scenarios.items).cloned().collect();
    let wanted = File { items, ..File::default() };
    let is_wanted = !problems.has_errors() && convert(&read, Form::Yaml) == convert(&wanted, Form::Yaml);
    is_wanted.then_some(more)
}
