//! The one layout of a text.
//!
//! It lays out the author's own tokens and comments, so nothing can be lost: the tree only says where members begin
//! ([`marks`]). A group in brackets stays on one line if it was written on one and fits; otherwise each member has
//! a line. Single empty lines between members stay. Formatting twice changes nothing, and the tree stays the same.

mod marks;

use super::form::{Form, convert, lost_by_layout};
use super::scan::{self, DocLines, Token, TokenKind};
use super::tree;
use crate::source::{FileId, SourceFile};
use marks::Marks;

/// Columns of a line that was written as one.
const WIDTH: usize = 120;

/// Lays out a file; `tree` is what [`super::parse()`] gave for it. A file that cannot be read as a whole stays as it is,
/// and so does a YAML file of which something would be lost.
#[must_use]
pub fn format(file: &SourceFile, tree: &tree::File) -> String {
    if Form::of(file) == Form::Yaml {
        let keep = tree.incomplete || lost_by_layout(file, tree).is_some();
        return if keep { file.text.to_string() } else { convert(tree, Form::Yaml) };
    }
    let scanned = scan::scan(FileId::default(), &file.text);
    if tree.incomplete || !scanned.readable || !scanned.problems.is_empty() {
        return file.text.to_string();
    }
    let marks = Marks::of(tree, &file.text, &scanned.tokens);
    let mut layout = Layout::new(&file.text, &scanned.tokens, &marks);
    let mut comments = comments(&file.text, &scanned.comments, &scanned.docs).into_iter().peekable();
    for (index, token) in scanned.tokens.iter().enumerate() {
        while let Some(comment) = comments.next_if(|comment| comment.0 < token.start) {
            layout.comment(comment);
        }
        layout.token(index, *token);
    }
    comments.for_each(|comment| layout.comment(comment));
    layout.out.push('\n');
    layout.out
}

/// All comments, documentation included, each line on its own: begin and end in the text.
fn comments(text: &str, comments: &[tree::Comment], docs: &[DocLines]) -> Vec<(u32, u32)> {
    let mut all: Vec<(u32, u32)> = comments.iter().map(|comment| (comment.span.start, comment.span.end)).collect();
    for doc in docs {
        let lines = text.get(doc.span.range()).unwrap_or_default();
        let mut start = doc.span.start;
        for line in lines.split_inclusive('\n') {
            let indent = line.len() - line.trim_start().len();
            all.push((start + scan::offset(indent), start + scan::offset(line.trim_end().len())));
            start += scan::offset(line.len());
        }
    }
    all.sort_unstable();
    all
}

struct Layout<'a> {
    text: &'a str,
    tokens: &'a [Token],
    marks: &'a Marks,
    /// For each bracket the index of its partner.
    partners: Vec<usize>,
    out: String,
    /// Of the line that is being written.
    column: usize,
    /// For each open bracket: whether its members have lines of their own.
    groups: Vec<bool>,
    previous: Option<Previous>,
}

/// What was written last.
#[derive(Clone, Copy)]
struct Previous {
    /// Where it ended in the original.
    end: u32,
    /// The token; none for a comment.
    token: Option<usize>,
}

impl<'a> Layout<'a> {
    fn new(text: &'a str, tokens: &'a [Token], marks: &'a Marks) -> Self {
        let mut partners = vec![0; tokens.len()];
        let mut open = Vec::new();
        for (index, token) in tokens.iter().enumerate() {
            match token.kind {
                TokenKind::Open => open.push(index),
                TokenKind::Close => {
                    if let Some(opener) = open.pop()
                        && let Some(partner) = partners.get_mut(opener)
                    {
                        *partner = index;
                    }
                }
                TokenKind::Word | TokenKind::Number | TokenKind::Text | TokenKind::Mark => {}
            }
        }
        let out = String::with_capacity(text.len() + text.len() / 8);
        Self { text, tokens, marks, partners, out, column: 0, groups: Vec::new(), previous: None }
    }

    fn word(&self, token: Token) -> &'a str {
        self.text.get(token.start as usize..token.end as usize).unwrap_or_default()
    }

    /// Line breaks between two places of the original.
    fn breaks(&self, from: u32, to: u32) -> usize {
        self.text.get(from as usize..to as usize).unwrap_or_default().matches('\n').count()
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    /// Begins a line, `deeper` levels inside the open groups; keeps one empty line where `blank` allows it.
    fn line(&mut self, start: u32, deeper: usize, blank: bool) {
        let Some(previous) = self.previous else { return };
        self.out.push('\n');
        if blank && self.breaks(previous.end, start) > 1 {
            self.out.push('\n');
        }
        self.column = 0;
        let depth = self.groups.iter().filter(|multi| **multi).count() + deeper;
        for _ in 0..depth {
            self.push("  ");
        }
    }

    fn comment(&mut self, (start, end): (u32, u32)) {
        let text = self.text.get(start as usize..end as usize).unwrap_or_default().trim_end();
        if let Some(previous) = self.previous {
            if self.breaks(previous.end, start) == 0 && previous.token.is_some() {
                self.push("  ");
            } else {
                let behind_opener = previous
                    .token
                    .and_then(|index| self.tokens.get(index))
                    .is_some_and(|token| token.kind == TokenKind::Open);
                self.line(start, 0, !behind_opener);
            }
        }
        self.push(text);
        self.previous = Some(Previous { end, token: None });
    }

    fn token(&mut self, index: usize, token: Token) {
        if self.marks.is_separator(token.start) {
            // Written anew on one line, left out where each member has a line; a comment behind it keeps its place.
            if let Some(previous) = &mut self.previous {
                previous.end = token.end;
            }
            return;
        }
        if token.kind == TokenKind::Close {
            let multi = self.groups.pop().unwrap_or_default();
            self.separate(index, token, multi);
        } else {
            let member = self.marks.is_member(token.start);
            let multi = self.groups.last().copied().unwrap_or(true);
            self.separate(index, token, member && multi);
        }
        self.push(self.word(token));
        if token.kind == TokenKind::Open {
            let multi = self.is_multi(index, token);
            self.groups.push(multi);
        }
        self.previous = Some(Previous { end: token.end, token: Some(index) });
    }

    /// What stands between the token and what was written before it.
    fn separate(&mut self, index: usize, token: Token, line: bool) {
        let Some(previous) = self.previous else { return };
        let before = previous.token.and_then(|before| self.tokens.get(before)).copied();
        let opened = before.is_some_and(|before| before.kind == TokenKind::Open);
        if line {
            let empty = token.kind == TokenKind::Close && opened;
            if empty {
                return self.push(" ");
            }
            return self.line(token.start, 0, !opened && token.kind != TokenKind::Close);
        }
        let Some((before_index, before)) = previous.token.zip(before) else {
            // Behind a comment.
            let deeper = usize::from(!self.marks.is_member(token.start) && token.kind != TokenKind::Close);
            return self.line(token.start, deeper, false);
        };
        if self.marks.begins_line(token.start) && self.line_closes() {
            return self.line(token.start, 0, false);
        }
        let broken = self.breaks(previous.end, token.start) > 0;
        let member = self.marks.is_member(token.start);
        if broken && !member && (is_operator(self.word(before)) || is_operator(self.word(token))) {
            return self.line(token.start, 1, false);
        }
        let space = self.space(before_index, index);
        self.push(space);
    }

    /// Whether the line that is being written begins with the end of a block.
    fn line_closes(&self) -> bool {
        let line = self.out.rfind('\n').map_or(0, |at| at + 1);
        self.out.get(line..).is_some_and(|line| line.trim_start().starts_with('}'))
    }

    fn is_multi(&self, index: usize, token: Token) -> bool {
        let Some(close) = self.partners.get(index).and_then(|close| self.tokens.get(*close)) else { return false };
        if !self.marks.may_break(token.start) && self.word(token) != "{" {
            return false;
        }
        let written_as_lines = self.breaks(token.end, close.start) > 0;
        let close_index = self.partners.get(index).copied().unwrap_or(index);
        let empty = close_index == index + 1
            && self.text.get(token.end as usize..close.start as usize).is_some_and(|between| between.trim().is_empty());
        !empty && (written_as_lines || self.column + self.width(index, close_index) > WIDTH)
    }

    /// Columns of the tokens behind `open` up to `close`, on one line.
    fn width(&self, open: usize, close: usize) -> usize {
        let mut width = 0;
        let mut before = open;
        for index in open + 1..=close {
            let Some(token) = self.tokens.get(index) else { break };
            if self.marks.is_separator(token.start) {
                continue;
            }
            width += self.space(before, index).len() + self.word(*token).chars().count();
            before = index;
            if width > WIDTH {
                break;
            }
        }
        width
    }

    /// What stands between two tokens of a line.
    fn space(&self, before: usize, index: usize) -> &'static str {
        let (Some(left), Some(right)) = (self.tokens.get(before).copied(), self.tokens.get(index).copied()) else {
            return " ";
        };
        let (a, b) = (self.word(left), self.word(right));
        if right.kind == TokenKind::Close && b == "}" || left.kind == TokenKind::Open && a == "{" {
            return " ";
        }
        if self.marks.is_member(right.start) && left.kind != TokenKind::Open && a != "," {
            return if self.marks.is_listed(right.start) { ", " } else { "  " };
        }
        if self.marks.is_clause(right.start) {
            return "  ";
        }
        if self.marks.is_tight(left.start) || self.marks.is_tight_before(right.start) {
            return "";
        }
        let tight = matches!(a, "(" | "[" | "." | ".." | "!")
            || matches!(b, ")" | "]" | "," | ":" | "." | ".." | "?")
            || a == "-" && left.kind == TokenKind::Mark && self.is_sign(before)
            || matches!(b, "(" | "[") && right.kind == TokenKind::Open && self.ends_value(before);
        if tight { "" } else { " " }
    }

    /// Whether a `-` is a sign, so not between two values.
    fn is_sign(&self, index: usize) -> bool {
        !index.checked_sub(1).is_some_and(|before| self.ends_value(before))
    }

    /// Whether a value may end with this token.
    fn ends_value(&self, index: usize) -> bool {
        self.tokens.get(index).is_some_and(|token| match token.kind {
            TokenKind::Number | TokenKind::Text | TokenKind::Close => true,
            TokenKind::Word => !precedes_value(self.word(*token)) || self.follows_dot(index),
            TokenKind::Open | TokenKind::Mark => false,
        })
    }

    fn follows_dot(&self, index: usize) -> bool {
        index.checked_sub(1).and_then(|before| self.tokens.get(before)).is_some_and(|token| self.word(*token) == ".")
    }
}

/// Words behind which an expression begins.
fn precedes_value(word: &str) -> bool {
    matches!(word, "when" | "where" | "until" | "in" | "if" | "then" | "else" | "within" | "sleep" | "otherwise")
}

/// Where a line that was broken stays broken.
fn is_operator(word: &str) -> bool {
    matches!(
        word,
        "&&" | "||"
            | "??"
            | "+"
            | "-"
            | "*"
            | "/"
            | "=="
            | "!="
            | "<"
            | "<="
            | ">"
            | ">="
            | "|"
            | ","
            | "then"
            | "else"
    )
}
