//! A text in which foreign quotes, stray characters and missing brackets are mended for the grammar.
//!
//! It knows for each of its places where that stands in what the author wrote, so that every finding points there.

use std::borrow::Cow;

use super::scan::offset;

/// Replaces a range of the original text.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) with: String,
}

/// What the grammar reads, and where each piece of it stands in the original.
#[derive(Debug)]
pub(super) struct Mended<'a> {
    pub(super) text: Cow<'a, str>,
    original: &'a str,
    /// Behind each replacement: (offset in the mended text, offset in the original), ascending.
    anchors: Vec<(u32, u32)>,
}

impl Mended<'_> {
    /// What the author wrote.
    pub(super) const fn original_text(&self) -> &str {
        self.original
    }

    /// Whether anything was mended.
    pub(super) const fn is_changed(&self) -> bool {
        !self.anchors.is_empty()
    }

    /// The original offset of an offset in the mended text.
    pub(super) fn original(&self, offset: u32) -> u32 {
        let behind = self.anchors.partition_point(|(mended, _)| *mended <= offset);
        let Some((mended, original)) = behind.checked_sub(1).and_then(|index| self.anchors.get(index)) else {
            return offset;
        };
        let limit = self.anchors.get(behind).map_or(u32::MAX, |(_, next)| *next);
        (original + (offset - mended)).min(limit)
    }
}

/// Applies the edits; of edits that overlap, the first counts.
pub(super) fn mend(text: &str, mut edits: Vec<Edit>) -> Mended<'_> {
    if edits.is_empty() {
        return Mended { text: Cow::Borrowed(text), original: text, anchors: Vec::new() };
    }
    edits.sort_by_key(|edit| edit.start);
    let mut mended = String::with_capacity(text.len() + edits.len());
    let mut anchors = Vec::with_capacity(edits.len() * 2);
    let mut from = 0;
    for edit in &edits {
        if edit.start < from {
            continue;
        }
        mended.push_str(text.get(from as usize..edit.start as usize).unwrap_or_default());
        // A place inside the replacement is a place in what it replaced, or its end.
        anchors.push((offset(mended.len()), edit.start));
        mended.push_str(&edit.with);
        anchors.push((offset(mended.len()), edit.end));
        from = edit.end;
    }
    mended.push_str(text.get(from as usize..).unwrap_or_default());
    Mended { text: Cow::Owned(mended), original: text, anchors }
}
