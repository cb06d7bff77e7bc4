//! Pairs brackets, bounds how deep they nest, and puts missing ones where the indentation says.
//!
//! A bracket that is left out makes everything behind it look wrong; so it is found here, once, before the grammar
//! reads. A text whose brackets pair is not touched, however it is indented. In any other, a top-level word at the
//! begin of a line starts a new item, and inside an item indentation decides which bracket has lost its partner.

use super::limits::MAX_NESTING;
use super::mended::Edit;
use super::scan::{Token, TokenKind};
use crate::diagnostic::{Diagnostic, Problems, codes};
use crate::source::{FileId, Span};

/// What pairing found.
pub(super) struct Paired {
    pub(super) edits: Vec<Edit>,
    pub(super) problems: Problems,
    /// False where nesting is so deep that the text cannot be given to the grammar.
    pub(super) readable: bool,
}

pub(super) fn pair(file: FileId, text: &str, tokens: &[Token]) -> Paired {
    let mut pairing = Pairing { file, text, tokens, edits: Vec::new(), problems: Problems::default() };
    let readable = match pairing.depth() {
        Depth::Paired => true,
        Depth::Unpaired => {
            pairing.mend();
            true
        }
        Depth::TooDeep => false,
    };
    Paired { edits: pairing.edits, problems: pairing.problems, readable }
}

enum Depth {
    Paired,
    Unpaired,
    TooDeep,
}

/// What is open besides brackets.
#[derive(Clone, Copy, Default)]
struct Inner {
    choices: usize,
    types: usize,
}

struct Pairing<'a> {
    file: FileId,
    text: &'a str,
    tokens: &'a [Token],
    edits: Vec<Edit>,
    problems: Problems,
}

/// An open bracket while pairing by indentation.
struct Opened {
    mark: u8,
    at: u32,
    line: usize,
    indent: u32,
}

impl Pairing<'_> {
    fn mark(&self, token: Token) -> u8 {
        self.text.as_bytes().get(token.start as usize).copied().unwrap_or_default()
    }

    fn word(&self, token: Token) -> &str {
        self.text.get(token.start as usize..token.end as usize).unwrap_or_default()
    }

    fn span(&self, start: u32, end: u32) -> Span {
        Span { file: self.file, start, end }
    }

    /// Whether all brackets pair, and whether they, `if`s and the `<` of types stay within the limit.
    ///
    /// What recurses in the grammar is counted here, and only what ends such a recursion there may reset a count.
    fn depth(&mut self) -> Depth {
        // For each open bracket its mark, and what was open around it.
        let mut open: Vec<(u8, Inner)> = Vec::new();
        let mut inner = Inner::default();
        let mut paired = true;
        let (mut generic, mut behind_dot) = (false, false);
        for (index, token) in self.tokens.iter().enumerate() {
            let mut deeper = false;
            let outer = open.last().map_or(Inner::default(), |(_, outer)| *outer);
            let mark = self.mark(*token);
            match token.kind {
                TokenKind::Open => {
                    open.push((mark, inner));
                    deeper = true;
                }
                TokenKind::Close if open.last().is_some_and(|(opener, _)| closer(*opener) == mark) => {
                    inner = outer;
                    open.pop();
                }
                TokenKind::Close => paired = false,
                TokenKind::Word if self.word(*token) == "if" => {
                    inner.choices += 1;
                    deeper = true;
                }
                TokenKind::Word if !behind_dot && begins_statement(self.word(*token)) && !self.dotted(index + 1) => {
                    inner = outer;
                }
                TokenKind::Mark if generic && mark == b'<' => {
                    inner.types += 1;
                    deeper = true;
                }
                TokenKind::Mark if mark == b'>' => inner.types = inner.types.saturating_sub(1).max(outer.types),
                TokenKind::Mark if mark == b',' || mark == b':' => inner.choices = outer.choices,
                TokenKind::Word | TokenKind::Number | TokenKind::Text | TokenKind::Mark => {}
            }
            generic = token.kind == TokenKind::Word && takes_types(self.word(*token));
            behind_dot = mark == b'.';
            if deeper && open.len() + inner.choices + inner.types > MAX_NESTING {
                self.problems.push(
                    Diagnostic::error(codes::TOO_DEEP, self.span(token.start, token.end), "this nests too deep")
                        .here(format!("level {}; at most {MAX_NESTING} are allowed", MAX_NESTING + 1))
                        .hint("move a part of it out: a `let` for an expression, a `type` for a record"),
                );
                return Depth::TooDeep;
            }
        }
        if paired && open.is_empty() { Depth::Paired } else { Depth::Unpaired }
    }

    fn dotted(&self, index: usize) -> bool {
        self.tokens.get(index).is_some_and(|token| self.mark(*token) == b'.')
    }

    /// Goes through the items, each on its own: a bracket missing in one does not touch the next.
    fn mend(&mut self) {
        let lines = Lines::new(self.text, self.tokens);
        let mut start = 0;
        for index in 1..=self.tokens.len() {
            if index == self.tokens.len() || self.starts_item(index, &lines) {
                self.mend_item(start, index, &lines);
                start = index;
            }
        }
    }

    fn starts_item(&self, index: usize, lines: &Lines) -> bool {
        let Some(token) = self.tokens.get(index) else { return false };
        let next = self.tokens.get(index + 1).map(|next| next.kind);
        token.kind == TokenKind::Word
            && lines.leads(index)
            && lines.indent(index) == 0
            && match self.word(*token) {
                "use" | "scenario" => next == Some(TokenKind::Text),
                "type" | "participant" | "saga" | "trigger" => next == Some(TokenKind::Word),
                _ => false,
            }
    }

    fn mend_item(&mut self, start: usize, end: usize, lines: &Lines) {
        let item = self.tokens.get(start..end).unwrap_or_default();
        let count =
            |mark: u8| item.iter().filter(|token| token.kind != TokenKind::Text && self.mark(**token) == mark).count();
        let (opened, closed) = (count(b'{'), count(b'}'));
        let mut missing = opened.saturating_sub(closed);
        let mut surplus = closed.saturating_sub(opened);
        let mut stack: Vec<Opened> = Vec::new();
        for index in start..end {
            let Some(token) = self.tokens.get(index).copied() else { return };
            let leads = lines.leads(index);
            let (line, indent) = (lines.line(index), lines.indent(index));
            let before = index.checked_sub(1).and_then(|index| self.tokens.get(index)).map_or(0, |token| token.end);
            if leads && token.kind == TokenKind::Word && begins_statement(self.word(token)) {
                while stack.last().is_some_and(|top| top.mark != b'{') {
                    self.close(stack.pop(), before);
                }
            }
            if leads && token.kind != TokenKind::Close {
                while missing > 0
                    && stack.last().is_some_and(|top| top.mark == b'{' && top.line < line && indent <= top.indent)
                {
                    self.close(stack.pop(), before);
                    missing -= 1;
                }
            }
            match token.kind {
                TokenKind::Open => stack.push(Opened { mark: self.mark(token), at: token.start, line, indent }),
                TokenKind::Close => {
                    let mark = self.mark(token);
                    let partner = |top: &Opened| closer(top.mark) == mark;
                    if !stack.iter().any(partner) {
                        self.closes_nothing(token);
                        surplus = surplus.saturating_sub(usize::from(mark == b'}'));
                        continue;
                    }
                    while stack.last().is_some_and(|top| !partner(top)) {
                        self.close(stack.pop(), before);
                    }
                    let deeper = |top: &Opened| leads && top.line < line && top.indent > indent;
                    while missing > 0 && mark == b'}' && stack.len() > 1 && stack.last().is_some_and(deeper) {
                        self.close(stack.pop(), before);
                        missing -= 1;
                    }
                    let shallower = |top: &Opened| leads && top.line < line && top.indent < indent;
                    if surplus > 0 && mark == b'}' && stack.last().is_some_and(shallower) {
                        self.closes_nothing(token);
                        surplus -= 1;
                    } else {
                        stack.pop();
                    }
                }
                TokenKind::Word if surplus > 0 && leads => {
                    if let Some(name) = self.lacks_brace(index, end) {
                        self.problems.push(missing_brace(self.span(name.start, name.end), self.word(token)));
                        self.insert(name.end, "{");
                        stack.push(Opened { mark: b'{', at: name.end, line, indent });
                        surplus -= 1;
                    }
                }
                TokenKind::Word | TokenKind::Number | TokenKind::Text | TokenKind::Mark => {}
            }
        }
        let last = end.checked_sub(1).and_then(|index| self.tokens.get(index)).map_or(0, |token| token.end);
        while let Some(top) = stack.pop() {
            self.close(Some(top), last);
        }
    }

    /// `step name` or `parallel` without the `{` that belongs there: the token behind which it is missing.
    fn lacks_brace(&self, index: usize, end: usize) -> Option<Token> {
        let at = |ahead: usize| self.tokens.get(index + ahead).filter(|_| index + ahead < end).copied();
        let word = |ahead: usize| at(ahead).filter(|token| token.kind == TokenKind::Word);
        let name = match self.word(at(0)?) {
            "parallel" | "sequence" => return at(0).filter(|_| word(1).is_some()),
            "step" | "saga" | "participant" | "trigger" => 1,
            "pivot" => {
                let step = word(1)?;
                (self.word(step) == "step").then_some(2)?
            }
            _ => return None,
        };
        word(name + 1).and(word(name))
    }

    fn insert(&mut self, at: u32, with: &str) {
        self.edits.push(Edit { start: at, end: at, with: with.to_owned() });
    }

    fn close(&mut self, opened: Option<Opened>, at: u32) {
        let Some(opened) = opened else { return };
        let (open, close) = (char::from(opened.mark), char::from(closer(opened.mark)));
        self.problems.push(
            Diagnostic::error(
                codes::NOT_CLOSED,
                self.span(opened.at, opened.at + 1),
                format!("this `{open}` is never closed"),
            )
            .here("opened here")
            .also(self.span(at, at), format!("`{close}` is missing here, as the indentation says"))
            .hint(format!("add `{close}`")),
        );
        self.insert(at, &close.to_string());
    }

    fn closes_nothing(&mut self, token: Token) {
        let mark = char::from(self.mark(token));
        self.problems.push(
            Diagnostic::error(
                codes::CLOSES_NOTHING,
                self.span(token.start, token.end),
                format!("this `{mark}` closes nothing"),
            )
            .here("no bracket is open here that it could close")
            .hint("remove it, or look for a missing opening bracket above"),
        );
        self.edits.push(Edit { start: token.start, end: token.end, with: " ".to_owned() });
    }
}

/// The finding for a block that does not begin; `word` is that of the statement.
pub(super) fn missing_brace(behind: Span, word: &str) -> Diagnostic {
    let what = match word {
        "parallel" | "sequence" => format!("behind `{word}`"),
        "pivot" => "behind the step's name".to_owned(),
        _ => format!("behind the {word}'s name"),
    };
    Diagnostic::error(codes::MISSING_BRACE, behind, format!("expected `{{` {what}"))
        .here("`{` is missing behind this")
        .hint("put what belongs to it in braces: `{ … }`")
}

/// Lines and indentation of tokens.
struct Lines {
    /// For each token its line, and the column of the line's first token.
    places: Vec<(usize, u32)>,
}

impl Lines {
    fn new(text: &str, tokens: &[Token]) -> Self {
        let mut places = Vec::with_capacity(tokens.len());
        let (mut line, mut indent, mut from) = (0, 0, 0);
        for token in tokens {
            let between = text.get(from as usize..token.start as usize).unwrap_or_default();
            let breaks = between.bytes().filter(|byte| *byte == b'\n').count();
            if breaks > 0 || places.is_empty() {
                line += breaks;
                let behind = between.rfind('\n').map_or(0, |at| at + 1);
                indent = super::scan::offset(between.len() - behind);
            }
            places.push((line, indent));
            from = token.end;
        }
        Self { places }
    }

    fn line(&self, index: usize) -> usize {
        self.places.get(index).map_or(0, |(line, _)| *line)
    }

    fn indent(&self, index: usize) -> u32 {
        self.places.get(index).map_or(0, |(_, indent)| *indent)
    }

    /// Whether the token is the first of its line.
    fn leads(&self, index: usize) -> bool {
        index.checked_sub(1).is_none_or(|before| self.line(before) != self.line(index))
    }
}

const fn closer(opener: u8) -> u8 {
    match opener {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    }
}

/// Reserved words that cannot stand inside an expression's brackets.
fn begins_statement(word: &str) -> bool {
    matches!(
        word,
        "step"
            | "pivot"
            | "call"
            | "send"
            | "run"
            | "compensate"
            | "timeout"
            | "within"
            | "retry"
            | "parallel"
            | "sequence"
            | "when"
            | "for"
            | "repeat"
            | "try"
            | "await"
            | "sleep"
            | "let"
            | "fail"
            | "output"
    )
}

/// Words behind which `<` begins the argument of a type; `generic_name` of the grammar.
fn takes_types(word: &str) -> bool {
    matches!(
        word,
        "list" | "map" | "List" | "Map" | "array" | "Array" | "set" | "Set" | "optional" | "Optional" | "Option"
    )
}
