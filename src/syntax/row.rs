//! The text that the grammar reads: the tokens of a source in a row, each with one blank behind it.
//!
//! ```text
//!   saga s {           // all
//!     pivot step pack { call shop.Pack { n: 1 } } }
//!
//!   saga s { pivot~ step pack { call shop.Pack { n : 1 } } }
//! ```
//!
//! Layout and comments stay behind, so that no rule looks for them. Words that `.` joins are one token, whatever stands
//! between them. Line ends matter in one place, and there this file looks: a `pivot` with its `step` on the same line
//! is written `pivot~`. For each byte of the row its token is known, and so its place in the text.

use std::borrow::Cow;

use super::scan::{self, Token, TokenKind, offset};

/// What stands behind a `pivot` that belongs to a step.
pub(super) const OF_STEP: char = '~';

/// The tokens in a row.
#[derive(Debug)]
pub(super) struct Row<'t> {
    /// What the grammar reads.
    pub(super) text: String,
    source: &'t str,
    tokens: Cow<'t, [Token]>,
    /// Where each token begins in `text`.
    begins: Vec<u32>,
    /// For each [`BLOCK`] bytes of `text`, the number of the token that holds the first.
    blocks: Vec<u32>,
}

/// From the begin of so many bytes a token is looked for: an index of every byte would be as large as all else.
const BLOCK: usize = 4;

impl<'t> Row<'t> {
    /// The row of `source`, whose tokens are these; `None`: they are looked for.
    pub(super) fn new(source: &'t str, tokens: Option<&'t [Token]>) -> Self {
        let tokens = tokens.map_or_else(|| Cow::Owned(scan::tokens(source)), Cow::Borrowed);
        let mut row = Self {
            text: String::with_capacity(source.len()),
            source,
            begins: Vec::with_capacity(tokens.len()),
            blocks: Vec::with_capacity(source.len() / BLOCK),
            tokens,
        };
        let mut joined = false;
        // What stands in the source as it will in the row is copied at once: a copy of a few bytes costs a call.
        let mut run = 0..0;
        for (index, owner) in (0..row.tokens.len()).zip(0u32..) {
            let Some(token) = row.tokens.get(index).copied() else { break };
            let (start, end) = (token.start as usize, token.end as usize);
            let goes_on = index > 0
                && (joined && start == run.end || !joined && source.as_bytes().get(run.end..start) == Some(b" "));
            if goes_on {
                run.end = end;
            } else {
                row.text.push_str(source.get(run).unwrap_or_default());
                if index > 0 && !joined {
                    row.text.push(' ');
                }
                run = start..end;
            }
            row.begins.push(offset(row.text.len() + start - run.start));
            if row.is_pivot_of_step(index) {
                row.text.push_str(source.get(run.start..end).unwrap_or_default());
                row.text.push(OF_STEP);
                run = end..end;
            }
            joined = row.joins(index, joined);
            row.blocks.resize((row.text.len() + run.len() + usize::from(!joined)).div_ceil(BLOCK), owner);
        }
        row.text.push_str(source.get(run).unwrap_or_default());
        if !row.tokens.is_empty() {
            row.text.push(' ');
        }
        row
    }

    fn written(&self, index: usize) -> &'t str {
        let Some(token) = self.tokens.get(index) else { return "" };
        self.source.get(token.start as usize..token.end as usize).unwrap_or_default()
    }

    fn kind(&self, index: usize) -> Option<TokenKind> {
        self.tokens.get(index).map(|token| token.kind)
    }

    /// Whether the next token stands right behind this one: `.` behind a word and before another, or that other.
    fn joins(&self, index: usize, joined: bool) -> bool {
        match self.kind(index) {
            Some(TokenKind::Word) => {
                self.kind(index + 2) == Some(TokenKind::Word)
                    && self.kind(index + 1) == Some(TokenKind::Mark)
                    && self.written(index + 1) == "."
            }
            Some(TokenKind::Mark) => joined,
            _ => false,
        }
    }

    /// `pivot step` and `pivot word step` on one line; `pivot` on a line of its own is a point between two statements.
    fn is_pivot_of_step(&self, index: usize) -> bool {
        if self.written(index) != "pivot" {
            return false;
        }
        let step = match (self.written(index + 1), self.kind(index + 1)) {
            ("step", _) => index + 1,
            ("pivot", _) => return false,
            (_, Some(TokenKind::Word)) if self.written(index + 2) == "step" => index + 2,
            _ => return false,
        };
        let (Some(first), Some(last)) = (self.tokens.get(index), self.tokens.get(step)) else { return false };
        let between = self.source.get(first.end as usize..last.start as usize).unwrap_or_default();
        !between.contains('\n')
    }

    /// The token that holds a byte of the row.
    fn owner(&self, at: usize) -> Option<&Token> {
        let mut owner = *self.blocks.get(at / BLOCK).filter(|_| at < self.text.len())? as usize;
        while self.begins.get(owner + 1).is_some_and(|begin| *begin as usize <= at) {
            owner += 1;
        }
        self.tokens.get(owner)
    }

    /// Where the token at a byte of the row begins in the source; behind the last, where the source ends.
    pub(super) fn start(&self, at: usize) -> u32 {
        self.owner(at).map_or(offset(self.source.len()), |token| token.start)
    }

    /// Where the token before a byte of the row ends in the source.
    pub(super) fn end(&self, at: usize) -> u32 {
        at.checked_sub(1).and_then(|at| self.owner(at)).map_or(0, |token| token.end)
    }

    /// What stands in the source for a range of the row.
    pub(super) fn source(&self, start: usize, end: usize) -> &'t str {
        self.source.get(self.start(start) as usize..self.end(end) as usize).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Row;

    #[test]
    fn layout_stays_behind_and_a_pivot_knows_its_step() {
        for (source, row) in [
            ("step a{call b.C{}}", "step a { call b.C { } } "),
            ("x . y // z\n  .w", "x.y.w "),
            ("xs[0].a.b \"s t\"", "xs [ 0 ] . a.b \"s t\" "),
            ("1s..5s .5 a.5", "1s .. 5s .5 a . 5 "),
            ("pivot step a", "pivot~ step a "),
            ("pivot retriable step a", "pivot~ retriable step a "),
            ("pivot\nstep a", "pivot step a "),
            ("pivot pivot step a", "pivot pivot~ step a "),
            ("a<=b", "a <= b "),
        ] {
            assert_eq!(Row::new(source, None).text, row, "{source}");
        }
    }

    #[test]
    fn each_byte_knows_where_it_stands() {
        let row = Row::new("  a . b\n+ 10", None);
        assert_eq!(row.text, "a.b + 10 ");
        assert_eq!((row.start(0), row.end(4)), (2, 7), "a . b");
        assert_eq!((row.start(2), row.end(3)), (6, 7), "b");
        assert_eq!(row.source(4, 9), "+ 10");
        assert_eq!((row.start(9), row.end(0)), (12, 0), "behind the last, before the first");
    }
}
