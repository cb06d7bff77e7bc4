//! What an editor asks of a text that is being written: findings, what a name means and where it is defined, what
//! could stand here, another name for it, its layout, its picture.
//!
//! A [`Document`] is made anew for each version of the text, as `saga check` would read it. Nothing here knows a
//! protocol; offsets are bytes.

mod complete;
mod hover;
mod index;
mod rename;
mod types;

use std::sync::Arc;

use self::index::{Index, Symbol};
use crate::check::check_files;
use crate::definition::Program;
use crate::definition::lower::lower;
use crate::diagnostic::Diagnostic;
use crate::plan::{Plan, svg};
use crate::source::{FileId, SourceFile, Sources, Span};
use crate::syntax::{self, tree};

pub use self::complete::{Completion, What};
pub use self::rename::Refused;

/// The one file of a document.
const FILE: FileId = FileId(0);

/// A text as it stands in an editor.
#[derive(Debug)]
pub struct Document {
    /// The text.
    pub sources: Sources,
    /// All that `saga check` says of it.
    pub findings: Vec<Diagnostic>,
    /// What it means; while it is being written, as far as can be told.
    program: Program,
    tree: tree::File,
    index: Index,
}

/// What is known of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hover {
    /// Of these bytes.
    pub span: Span,
    /// Markdown.
    pub text: String,
}

/// An entry of the outline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub what: What,
    /// The name's place.
    pub name_span: Span,
    /// The whole of it.
    pub span: Span,
}

impl Document {
    /// Reads a text. `before` is the version before it: what a half-written text no longer says is taken from there.
    #[must_use]
    pub fn new(name: &str, text: &str, before: Option<&Self>) -> Self {
        let mut sources = Sources::default();
        let (file, problems) = syntax::decode(FILE, name, text.as_bytes());
        let (tree, _) = syntax::parse(FILE, &file);
        sources.add(file);
        if !problems.is_empty() {
            let findings = problems.sorted();
            let (program, tree, index) = (Program::default(), tree::File::default(), Index::default());
            return Self { sources, findings, program, tree, index };
        }
        let mut checked = check_files(&sources);
        let read = checked.programs.pop().map(|(_, program)| program).unwrap_or_default();
        let files = [(FILE, tree)];
        let mut program = if files.iter().any(|(_, tree)| tree.incomplete) { lower(&files).0 } else { read };
        let [(_, tree)] = files;
        if let Some(before) = before.filter(|_| tree.incomplete) {
            let kept = before.program.participants.iter().filter(|(name, _)| !program.participants.contains_key(*name));
            let kept: Vec<_> = kept.map(|(name, participant)| (name.clone(), Arc::clone(participant))).collect();
            program.participants.extend(kept);
        }
        let index = Index::new(&tree, &program);
        Self { sources, findings: checked.findings, program, tree, index }
    }

    /// The text's file.
    #[must_use]
    pub fn file(&self) -> Option<&SourceFile> {
        self.sources.get(FILE)
    }

    /// What the name at `offset` is.
    #[must_use]
    pub fn hover(&self, offset: u32) -> Option<Hover> {
        let found = self.index.at(offset)?;
        let text = hover::text(&self.program, &self.index, &found.symbol)?;
        Some(Hover { span: found.span, text })
    }

    /// Where the name at `offset` is defined.
    #[must_use]
    pub fn definition(&self, offset: u32) -> Option<Span> {
        let found = self.index.at(offset)?;
        match &found.symbol {
            Symbol::Field(field) => Some(*field),
            symbol => self.index.definition(symbol).map(|defined| defined.span),
        }
    }

    /// Everywhere where what stands at `offset` is named, its definition included.
    #[must_use]
    pub fn occurrences(&self, offset: u32) -> Vec<Span> {
        let Some(found) = self.index.at(offset) else { return Vec::new() };
        self.index.of(&found.symbol).map(|occurrence| occurrence.span).collect()
    }

    /// The name at `offset`, if it can be given another.
    #[must_use]
    pub fn renameable(&self, offset: u32) -> Option<Span> {
        self.index.at(offset).filter(|found| rename::is_possible(&self.index, &found.symbol)).map(|found| found.span)
    }

    /// The places that get the new name.
    ///
    /// # Errors
    /// Nothing there has a name of the author's, or the new name cannot be it.
    pub fn rename(&self, offset: u32, to: &str) -> Result<Vec<Span>, Refused> {
        let found = self.index.at(offset).ok_or(Refused::NoName)?;
        rename::rename(&self.index, &found.symbol, to)
    }

    /// What could stand at `offset`.
    #[must_use]
    pub fn completions(&self, offset: u32) -> Vec<Completion> {
        let text = self.file().map(|file| Arc::clone(&file.text)).unwrap_or_default();
        let before = text.get(..(offset as usize).min(text.len())).unwrap_or_default();
        complete::complete(&self.program, &self.tree, &self.index, before)
    }

    /// The text in the language's layout; none where it cannot be read.
    #[must_use]
    pub fn formatted(&self) -> Option<String> {
        let file = self.file()?;
        let (tree, problems) = syntax::parse(FILE, file);
        (!problems.has_errors()).then(|| syntax::format(file, &tree))
    }

    /// What it declares, with the steps of each saga behind it.
    #[must_use]
    pub fn outline(&self) -> Vec<Entry> {
        self.index.outline(&self.tree)
    }

    /// The picture of a saga, or of the only one.
    ///
    /// # Errors
    /// There is no such saga, or it has errors.
    pub fn picture(&self, saga: Option<&str>) -> Result<String, String> {
        if self.findings.iter().any(|finding| finding.severity == crate::diagnostic::Severity::Error) {
            return Err("the file has errors: mend them, and the saga can be drawn".to_owned());
        }
        let sagas = &self.program.sagas;
        let found = match saga {
            Some(name) => sagas.get(name).ok_or_else(|| format!("there is no saga `{name}` in the file"))?,
            None => sagas.values().next().ok_or_else(|| "there is no saga in the file".to_owned())?,
        };
        Ok(svg::svg(&Plan::new(Arc::clone(found)), &self.sources))
    }
}
