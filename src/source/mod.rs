//! Source text and places in it.
//!
//! A [`SourceFile`] owns the text exactly as it was read, so that every [`Span`] is a byte range into what the
//! author wrote; a [`Sources`] numbers the files of one check. Nothing here opens a file: `cli` reads, this holds.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

/// Whether whatever shows a text obeys the character rather than showing it: a control character, or one that turns the
/// direction of what is behind it, so that a line reads as another one (<https://trojansource.codes>). The marks U+200E and
/// U+200F turn nothing; right-to-left texts have them.
#[must_use]
pub fn is_obeyed(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Number of a file within one [`Sources`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId(pub u32);

/// A byte range in one file. `start <= end`; both lie on character boundaries of the file's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
}

impl Span {
    /// The range of bytes.
    #[must_use]
    pub const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The smallest span that holds both; they must be of one file.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// One file as it was read.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// As the user named it; shown in messages.
    pub name: Arc<str>,
    /// The text, a byte order mark included.
    pub text: Arc<str>,
    lines: OnceLock<LineIndex>,
}

/// A place for people: both count from 1, columns in Unicode scalar values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineColumn {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

impl SourceFile {
    /// Takes the text of the file `name`.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into(), lines: OnceLock::new() }
    }

    /// Made when a place is first asked for: a file without findings needs none.
    fn lines(&self) -> &LineIndex {
        self.lines.get_or_init(|| LineIndex::new(&self.text))
    }

    /// Where the byte `offset` stands; an offset behind the end is that of the end.
    #[must_use]
    pub fn line_column(&self, offset: u32) -> LineColumn {
        self.lines().line_column(&self.text, offset)
    }

    /// The line of that number from 0, without its end, and where it starts; behind the last one, the end of the text.
    #[must_use]
    pub fn line(&self, number: u32) -> (u32, &str) {
        let starts = &self.lines().starts;
        let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        let start = starts.get(number as usize).copied().unwrap_or(end);
        let next = starts.get(number as usize + 1).copied().unwrap_or(end);
        let line = self.text.get(start as usize..next as usize).unwrap_or_default();
        (start, line.trim_end_matches(['\n', '\r']))
    }
}

/// Starts of lines, for translating byte offsets.
#[derive(Clone, Debug)]
pub struct LineIndex {
    starts: Vec<u32>,
}

impl LineIndex {
    /// Indexes `text`, whose length must fit in 32 bits (files are limited to 4 MiB).
    #[must_use]
    pub fn new(text: &str) -> Self {
        let behind_newlines = text.bytes().zip(1u32..).filter(|(byte, _)| *byte == b'\n').map(|(_, next)| next);
        Self { starts: std::iter::once(0).chain(behind_newlines).collect() }
    }

    fn line_column(&self, text: &str, offset: u32) -> LineColumn {
        let offset = (offset as usize).min(text.len());
        let line = self.starts.partition_point(|start| *start as usize <= offset).saturating_sub(1);
        let start = self.starts.get(line).copied().unwrap_or_default() as usize;
        let before = text.get(start..offset).unwrap_or_default();
        let column = before.chars().count();
        LineColumn { line: count(line), column: count(column) }
    }
}

/// From 0-based to 1-based; files are limited to 4 MiB, so this never saturates.
fn count(zero_based: usize) -> u32 {
    u32::try_from(zero_based).unwrap_or(u32::MAX).saturating_add(1)
}

/// The files of one check, numbered in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    /// Adds a file and returns its number.
    pub fn add(&mut self, file: SourceFile) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(file);
        id
    }

    /// The file of that number.
    #[must_use]
    pub fn get(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(id.0 as usize)
    }

    /// All files with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        (0u32..).map(FileId).zip(&self.files)
    }
}
