//! The first look at a text: tokens, comments, and what is wrong with single characters.
//!
//! It hands over a text that the grammar can rely on: every string is closed, every bracket has its partner (see
//! [`super::brackets`]), nothing nests too deep, foreign quotes and comments are replaced. Where something was
//! replaced, [`Mended`] translates places back to what the author wrote. A correct text is passed on as it is. Time
//! is linear in the length of the text, and nothing here recurses.

use super::brackets;
use super::limits::{MAX_PLACES, MAX_STRING_BYTES};
use super::mended::{Edit, Mended, mend};
use super::tree::Comment;
use crate::diagnostic::{Diagnostic, Problems, codes};
use crate::source::{FileId, Span, is_obeyed};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Word,
    Number,
    Text,
    Open,
    Close,
    Mark,
}

/// A token of the original text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// `/// …` lines that stand directly above each other.
#[derive(Clone, Debug)]
pub(super) struct DocLines {
    /// Without slashes, joined by newlines.
    pub(super) text: String,
    pub(super) span: Span,
    /// Where what they document begins: the next token.
    pub(super) before: u32,
}

/// All that the first look found.
#[derive(Debug)]
pub(super) struct Scanned<'a> {
    pub(super) mended: Mended<'a>,
    pub(super) tokens: Vec<Token>,
    pub(super) comments: Vec<Comment>,
    pub(super) docs: Vec<DocLines>,
    pub(super) problems: Problems,
    /// Whether the text can be given to the grammar at all.
    pub(super) readable: bool,
}

/// Looks at `text`, whose length is within the limit of files.
pub(super) fn scan(file: FileId, text: &str) -> Scanned<'_> {
    let mut scanner = Scanner::new(file, text);
    if text.as_bytes().contains(&0) {
        let at = text.find('\0').unwrap_or_default();
        scanner.problems.push(
            Diagnostic::error(codes::STRAY_CHARACTER, scanner.span(at, at + 1), "this file is not text")
                .here("a zero byte")
                .hint("give a `.saga` file, in UTF-8"),
        );
        return scanner.finish(false);
    }
    scanner.run();
    let paired = brackets::pair(file, text, &scanner.tokens);
    scanner.problems.extend(paired.problems);
    scanner.edits.extend(paired.edits);
    scanner.finish(paired.readable)
}

/// The tokens of a text that was mended, so that there is nothing to say about it.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut scanner = Scanner::new(FileId::default(), text);
    scanner.run();
    scanner.tokens
}

/// A token with the space before it takes about so many bytes: a first guess at their number, which may grow.
const BYTES_OF_TOKEN: usize = 4;

/// Mistakes of which one finding marks all places.
#[derive(Default)]
struct Places {
    spans: Vec<Span>,
    more: usize,
}

impl Places {
    fn add(&mut self, span: Span) {
        if self.spans.len() < MAX_PLACES {
            self.spans.push(span);
        } else {
            self.more += 1;
        }
    }

    fn report(&self, problems: &mut Problems, finding: impl FnOnce(Span) -> Diagnostic) {
        let Some((first, others)) = self.spans.split_first() else { return };
        let mut finding = finding(*first);
        for span in others {
            finding = finding.also(*span, "");
        }
        if self.more > 0 {
            finding = finding.why(format!("And in {} more places of this file.", self.more));
        }
        problems.push(finding);
    }
}

struct Scanner<'a> {
    file: FileId,
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Where the line of `at` begins.
    line_start: usize,
    /// Where the latest line that was asked for ends.
    line_end: usize,
    tokens: Vec<Token>,
    comments: Vec<Comment>,
    /// Doc lines whose next token has not come yet.
    open_docs: Option<(String, Span)>,
    docs: Vec<DocLines>,
    edits: Vec<Edit>,
    problems: Problems,
    semicolons: Places,
    hashes: Places,
    controls: Places,
    returns: Places,
    spaces: Places,
    quotes: Places,
}

impl<'a> Scanner<'a> {
    fn new(file: FileId, text: &'a str) -> Self {
        Self {
            file,
            text,
            bytes: text.as_bytes(),
            at: 0,
            line_start: 0,
            line_end: 0,
            tokens: Vec::with_capacity(text.len() / BYTES_OF_TOKEN),
            comments: Vec::new(),
            open_docs: None,
            docs: Vec::new(),
            edits: Vec::new(),
            problems: Problems::default(),
            semicolons: Places::default(),
            hashes: Places::default(),
            controls: Places::default(),
            returns: Places::default(),
            spaces: Places::default(),
            quotes: Places::default(),
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, start: offset(start), end: offset(end) }
    }

    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or_default()
    }

    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    fn replace(&mut self, start: usize, end: usize, with: impl Into<String>) {
        self.edits.push(Edit { start: offset(start), end: offset(end), with: with.into() });
    }

    fn run(&mut self) {
        if self.text.starts_with('\u{FEFF}') {
            self.at = '\u{FEFF}'.len_utf8();
        }
        while self.at < self.bytes.len() {
            let start = self.at;
            match self.byte(start) {
                b' ' | b'\t' => self.at += 1,
                b'\n' => {
                    self.at += 1;
                    self.line_start = self.at;
                }
                b'\r' => {
                    if self.byte(start + 1) != b'\n' {
                        let span = self.span(start, start + 1);
                        self.returns.add(span);
                    }
                    self.at += 1;
                }
                b'/' if self.byte(start + 1) == b'/' => self.comment(),
                b'/' if self.byte(start + 1) == b'*' => self.block_comment(),
                b'#' => {
                    let end = self.line_end(start);
                    let span = self.span(start, end);
                    self.hashes.add(span);
                    self.replace(start, end, " ");
                    self.at = end;
                }
                b'"' => self.string(),
                b'\'' | b'`' => self.foreign_string(1),
                b'(' | b'[' | b'{' => self.token(TokenKind::Open, start + 1),
                b')' | b']' | b'}' => self.token(TokenKind::Close, start + 1),
                b'A'..=b'Z' | b'a'..=b'z' | b'_' => self.token(TokenKind::Word, self.word_end(start)),
                b'0'..=b'9' => self.token(TokenKind::Number, self.number_end(start)),
                b'.' if self.byte(start + 1).is_ascii_digit() && !self.is_value_before(start) => {
                    self.token(TokenKind::Number, self.number_end(start + 1));
                }
                b';' => {
                    let span = self.span(start, start + 1);
                    self.semicolons.add(span);
                    self.replace(start, start + 1, " ");
                    self.at += 1;
                }
                0..=31 | 127 => {
                    let span = self.span(start, start + 1);
                    self.controls.add(span);
                    self.replace(start, start + 1, " ");
                    self.at += 1;
                }
                128.. => self.foreign_character(),
                _ => self.token(TokenKind::Mark, start + self.mark_length(start)),
            }
        }
        self.document(self.text.len());
    }

    fn token(&mut self, kind: TokenKind, end: usize) {
        self.document(self.at);
        self.tokens.push(Token { kind, start: offset(self.at), end: offset(end) });
        self.at = end;
    }

    /// Ends a run of doc lines: what begins at `before` is documented by it.
    fn document(&mut self, before: usize) {
        if let Some((text, span)) = self.open_docs.take() {
            self.docs.push(DocLines { text, span, before: offset(before) });
        }
    }

    fn line_end(&mut self, start: usize) -> usize {
        // A line may hold the whole file, and each of its strings asks.
        if start < self.line_end {
            return self.line_end;
        }
        let rest = self.bytes.get(start..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(self.bytes.len(), |length| start + length);
        self.line_end = if end > start && self.byte(end - 1) == b'\r' { end - 1 } else { end };
        self.line_end
    }

    fn word_end(&self, start: usize) -> usize {
        let rest = self.bytes.get(start..).unwrap_or_default();
        start + rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
    }

    fn number_end(&self, start: usize) -> usize {
        let mut end = self.word_end(start);
        while self.byte(end) == b'.' && self.byte(end + 1).is_ascii_digit() {
            end = self.word_end(end + 1);
        }
        end
    }

    /// Whether a value ends right before `at`, so that a `.` there goes into it.
    fn is_value_before(&self, at: usize) -> bool {
        let before = at.checked_sub(1).map_or(0, |at| self.byte(at));
        before.is_ascii_alphanumeric() || matches!(before, b'_' | b')' | b']' | b'}' | b'"' | b'.')
    }

    fn mark_length(&self, start: usize) -> usize {
        const LONG: [&[u8]; 14] =
            [b"===", b"!==", b"...", b"??", b"||", b"&&", b"==", b"!=", b"<=", b">=", b"<>", b"..", b"=>", b"->"];
        let rest = self.bytes.get(start..).unwrap_or_default();
        LONG.iter().find(|mark| rest.starts_with(mark)).map_or(1, |mark| mark.len())
    }

    fn comment(&mut self) {
        let start = self.at;
        let end = self.line_end(start);
        let text = self.slice(start, end);
        let span = self.span(start, end);
        self.at = end;
        let own_line = self.tokens.last().is_none_or(|token| (token.end as usize) <= self.line_start);
        for (index, control) in text.match_indices(|c: char| is_obeyed(c) && c != '\t') {
            let place = self.span(start + index, start + index + control.len());
            self.controls.add(place);
        }
        match text.strip_prefix("///") {
            Some(line) if own_line && !line.starts_with('/') => {
                let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
                match &mut self.open_docs {
                    Some((docs, all)) => {
                        docs.push('\n');
                        docs.push_str(line);
                        *all = all.to(span);
                    }
                    None => self.open_docs = Some((line.to_owned(), span)),
                }
            }
            _ => self.comments.push(Comment { text: text.trim_end().to_owned(), span }),
        }
    }

    fn block_comment(&mut self) {
        let start = self.at;
        let rest = self.slice(start, self.text.len());
        let end = rest.find("*/").map_or(self.text.len(), |length| start + length + 2);
        let finding = Diagnostic::error(codes::COMMENT_STYLE, self.span(start, start + 2), "comments begin with `//`")
            .here(if rest.contains("*/") { "not a comment here" } else { "never closed either" })
            .hint("write `//` at the begin of each line of the comment");
        self.problems.push(finding);
        self.replace(start, end, " ");
        self.at = end;
    }

    fn string(&mut self) {
        let start = self.at;
        let mut end = start + 1;
        loop {
            match self.byte(end) {
                b'"' => {
                    self.check_string(start, end + 1);
                    return self.token(TokenKind::Text, end + 1);
                }
                b'\n' | 0 => break,
                b'\\' if self.byte(end + 1) != b'\n' && end + 1 < self.bytes.len() => end += 2,
                _ => end += 1,
            }
        }
        self.open_string(start, 1);
    }

    /// A string without its end: it is closed before what closes the brackets of its line.
    fn open_string(&mut self, start: usize, quote: usize) {
        let line_end = self.line_end(start);
        let line = self.slice(start, line_end);
        let inside = line.trim_end_matches([' ', '\t', '}', ')', ']', ',', ';', '{', '\\']);
        let end = (start + inside.len()).max(start + quote);
        let finding = Diagnostic::error(codes::STRING_NOT_CLOSED, self.span(start, end), "this string is not closed")
            .here("begins here, and the line ends first")
            .hint("close it with `\"` on the same line; write a line break in a string as `\\n`");
        self.problems.push(finding);
        if quote > 1 || self.byte(start) != b'"' {
            self.replace(start, start + quote, "\"");
        }
        self.replace(end, end, "\"");
        self.token(TokenKind::Text, end);
    }

    fn check_string(&mut self, start: usize, end: usize) {
        if end - start > MAX_STRING_BYTES {
            let finding =
                Diagnostic::error(codes::STRING_TOO_LONG, self.span(start, start + 1), "this string is too long")
                    .here(format!("{} bytes; at most {MAX_STRING_BYTES} are allowed", end - start))
                    .hint("keep the text in a store of your own and pass on its name");
            self.problems.push(finding);
        }
        for (index, control) in self.slice(start, end).char_indices().filter(|(_, c)| is_obeyed(*c)) {
            let place = self.span(start + index, start + index + control.len_utf8());
            self.controls.add(place);
        }
    }

    /// `'…'`, `` `…` ``, `“…”`: read as a string, whose opening quote takes `quote` bytes.
    fn foreign_string(&mut self, quote: usize) {
        let start = self.at;
        let opening = self.slice(start, start + quote).chars().next().unwrap_or('\'');
        let line_end = self.line_end(start);
        let inside = start + quote;
        let closes = |c: char| match opening {
            '\'' | '`' => c == opening,
            '‘' | '’' | '‚' => matches!(c, '‘' | '’' | '\''),
            _ => matches!(c, '“' | '”' | '„' | '«' | '»' | '"'),
        };
        let Some((length, closing)) = self.slice(inside, line_end).char_indices().find(|(_, c)| closes(*c)) else {
            return self.open_string(start, quote);
        };
        let close = inside + length;
        let end = close + closing.len_utf8();
        let place = self.span(start, end);
        self.quotes.add(place);
        self.replace(start, inside, "\"");
        for (index, _) in self.slice(inside, close).match_indices('"') {
            self.replace(inside + index, inside + index + 1, "'");
        }
        self.replace(close, end, "\"");
        self.token(TokenKind::Text, end);
    }

    fn foreign_character(&mut self) {
        let start = self.at;
        let Some(character) = self.slice(start, self.text.len()).chars().next() else {
            self.at += 1;
            return;
        };
        let end = start + character.len_utf8();
        if matches!(character, '“' | '”' | '„' | '«' | '»' | '‘' | '’' | '‚') {
            return self.foreign_string(character.len_utf8());
        }
        if character.is_whitespace() || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}') {
            let place = self.span(start, end);
            self.spaces.add(place);
            self.replace(start, end, " ");
            self.at = end;
            return;
        }
        // The whole word, so that `größe` is one finding and one name.
        let rest = self.slice(start, self.text.len());
        let length: usize =
            rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum::<usize>();
        let end = start + length.max(character.len_utf8());
        let glued =
            self.tokens.last().filter(|last| last.end as usize == start && last.kind == TokenKind::Word).copied();
        let first = glued.map_or(start, |last| last.start as usize);
        let finding = Diagnostic::error(
            codes::STRAY_CHARACTER,
            self.span(first, end),
            format!("`{}` has no meaning here", self.slice(first, end)),
        )
        .here(if length > 0 {
            "names consist of `a` to `z`, `0` to `9` and `_`"
        } else {
            "only strings and comments may hold it"
        });
        self.problems.push(finding);
        if length > 0 {
            let word: String = self.slice(start, end).chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
            self.replace(start, end, word);
            if glued.is_some() {
                self.tokens.pop();
                self.at = first;
            }
            self.token(TokenKind::Word, end);
        } else {
            self.replace(start, end, " ");
            self.at = end;
        }
    }

    fn finish(mut self, readable: bool) -> Scanned<'a> {
        let problems = &mut self.problems;
        self.semicolons.report(problems, |span| {
            Diagnostic::error(codes::SEPARATOR, span, "`;` has no place in a saga")
                .here("remove it")
                .hint("a statement ends where the next one begins; fields and arguments are separated by `,`")
        });
        self.hashes.report(problems, |span| {
            Diagnostic::error(codes::COMMENT_STYLE, span, "comments begin with `//`").hint("write `//` in place of `#`")
        });
        self.controls.report(problems, |span| {
            Diagnostic::error(codes::STRAY_CHARACTER, span, "a control character")
                .here("cannot be seen, and has no meaning here")
                .hint("remove it; in a string, write it as `\\u{…}`")
        });
        self.returns.report(problems, |span| {
            Diagnostic::error(codes::STRAY_CHARACTER, span, "a carriage return without a line feed")
                .here("looks like a line end in some editors only")
                .hint("save the file with LF or CRLF line ends")
        });
        self.spaces.report(problems, |span| {
            Diagnostic::error(codes::STRAY_CHARACTER, span, "a space of an unusual kind")
                .here("cannot be told from a space by eye")
                .hint("replace it by an ordinary space; it often comes from a web page or a text processor")
        });
        self.quotes.report(problems, |span| {
            Diagnostic::error(codes::QUOTES, span, "strings stand in straight double quotes")
                .hint("write `\"…\"`; a text processor may have changed the quotes")
        });
        let mended = mend(self.text, self.edits);
        Scanned {
            mended,
            tokens: self.tokens,
            comments: self.comments,
            docs: self.docs,
            problems: self.problems,
            readable,
        }
    }
}

/// Offsets fit: files are limited to 4 MiB.
pub(super) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
