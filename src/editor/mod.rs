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
use crate::check::{Checked, Library, check_file};
use crate::definition::lower::{Trees, lower};
use crate::definition::{Program, Trigger};
use crate::diagnostic::Diagnostic;
use crate::plan::{Plan, svg};
use crate::source::{FileId, SourceFile, Sources, Span};
use crate::syntax::{self, tree};

pub use self::complete::{Completion, What};
pub use self::rename::{Named, Refused};

/// The one file of a document.
const FILE: FileId = FileId(0);

/// A text as it stands in an editor, with the files that it uses.
#[derive(Debug)]
pub struct Document {
    /// The texts, its own first.
    pub sources: Sources,
    /// All that `saga check` says of it.
    pub findings: Vec<Diagnostic>,
    /// What it means; while it is being written, as far as can be told.
    program: Program,
    trees: Trees,
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
    /// Reads a text, and what it uses. `before` is the version before it: what a half-written text no longer says is
    /// taken from there.
    #[must_use]
    pub fn new(name: &str, text: &str, before: Option<&Self>, library: &dyn Library) -> Self {
        let (file, problems) = syntax::decode(FILE, name, text.as_bytes());
        if !problems.is_empty() {
            let mut sources = Sources::default();
            sources.add(file);
            let findings = problems.sorted();
            let (program, trees, index) = (Program::default(), Trees::default(), Index::default());
            return Self { sources, findings, program, trees, index };
        }
        let Checked { sources, trees, mut program, findings } = check_file(file, library);
        if trees.files.first().is_some_and(|(_, tree)| tree.incomplete) {
            program = lower(&trees).0;
            let known = before.into_iter().flat_map(|before| &before.program.participants);
            let kept: Vec<_> = known
                .filter(|(name, _)| !program.participants.contains_key(*name))
                .map(|(name, participant)| (name.clone(), Arc::clone(participant)))
                .collect();
            program.participants.extend(kept);
            let known = before.into_iter().flat_map(|before| &before.program.triggers);
            let is_lost = |known: &&Arc<Trigger>| program.triggers.iter().all(|trigger| trigger.name != known.name);
            let kept: Vec<_> = known.filter(is_lost).cloned().collect();
            program.triggers.extend(kept);
        }
        let index = Index::new(&trees, &program);
        Self { sources, findings, program, trees, index }
    }

    /// The text's file.
    #[must_use]
    pub fn file(&self) -> Option<&SourceFile> {
        self.sources.get(FILE)
    }

    /// Whether it uses other files, so that it has to be read again when they change.
    #[must_use]
    pub fn uses_others(&self) -> bool {
        self.tree().is_some_and(|tree| tree.items.iter().any(|item| matches!(item, tree::Item::Use(_))))
    }

    /// The findings in other files, each with the `use` of this one by which its file came in.
    pub fn found_elsewhere(&self) -> impl Iterator<Item = (Span, &Diagnostic)> {
        let elsewhere = self.findings.iter().filter(|finding| finding.span().file != FILE);
        elsewhere.filter_map(|finding| Some((self.brought_in_by(finding.span().file)?, finding)))
    }

    /// The `use` of this file that leads to another, by way of others perhaps.
    fn brought_in_by(&self, mut file: FileId) -> Option<Span> {
        // Files are numbered as they were first reached: each was, by one that has a smaller number.
        loop {
            let (at, _) = self.trees.uses.iter().find(|(_, used)| *used == file)?;
            if at.file == FILE {
                return Some(*at);
            }
            file = at.file;
        }
    }

    fn tree(&self) -> Option<&tree::File> {
        self.trees.files.first().map(|(_, tree)| tree)
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
            Symbol::File(file) => Some(Span { file: *file, ..Span::default() }),
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
        let found = self.index.at(offset)?;
        rename::named(&self.index, &self.sources, &found.symbol).is_ok().then_some(found.span)
    }

    /// What stands at `offset`, to be given another name.
    ///
    /// # Errors
    /// Nothing there has a name of the author's.
    pub fn named(&self, offset: u32) -> Result<Named, Refused> {
        let found = self.index.at(offset).ok_or(Refused::NoName)?;
        rename::named(&self.index, &self.sources, &found.symbol)
    }

    /// Whether it is defined here, or in a file that this one uses.
    #[must_use]
    pub fn knows(&self, named: &Named) -> bool {
        rename::is_known(&self.index, &self.sources, named)
    }

    /// The places that get the new name: in this file, and in those that it uses.
    ///
    /// # Errors
    /// The new name cannot be it.
    pub fn rename(&self, named: &Named, to: &str) -> Result<Vec<Span>, Refused> {
        rename::rename(&self.index, named, to)
    }

    /// Whether it can be read to its end: of one that cannot, not all names are known.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.trees.files.iter().all(|(_, tree)| !tree.incomplete) && !self.trees.files.is_empty()
    }

    /// What could stand at `offset`.
    #[must_use]
    pub fn completions(&self, offset: u32) -> Vec<Completion> {
        let text = self.file().map(|file| Arc::clone(&file.text)).unwrap_or_default();
        let before = text.get(..(offset as usize).min(text.len())).unwrap_or_default();
        self.tree().map(|tree| complete::complete(&self.program, tree, &self.index, before)).unwrap_or_default()
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
        self.tree().map(|tree| self.index.outline(tree)).unwrap_or_default()
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
            None => sagas
                .values()
                .find(|saga| saga.span.file == FILE)
                .ok_or_else(|| "there is no saga in the file".to_owned())?,
        };
        Ok(svg::svg(&Plan::new(Arc::clone(found)), &self.sources))
    }
}
