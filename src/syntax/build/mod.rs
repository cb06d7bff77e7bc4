//! From the grammar's pairs to the tree.
//!
//! Here a finding is made of everything that the grammar accepts and the language does not. No message names a rule
//! of the grammar. A gap (`missing_*`) is reported once; what cannot be read right behind it is its consequence and
//! is silent.

mod expression;
mod item;
pub(super) mod lone;
mod operators;
mod saga;
mod scenario;
mod statement;
mod step;
mod types;
pub(super) mod words;

use compact_str::CompactString;
use pest::iterators::Pair as PestPair;

use super::documentation::Documentation;
use super::limits::MAX_STATEMENTS;
use super::mended::Mended;
use super::row::{OF_STEP, Row};
use super::scan::{Scanned, Token, offset};
use super::tree::{Docs, File, Literal, Name, Text};
use crate::diagnostic::{Code, Diagnostic, Problems, codes};
use crate::source::{FileId, Span};
pub use words::Place;
pub(super) use words::{RESERVED, Style, misnamed};

/// The parser that pest derives.
mod grammar {
    /// Rules of `grammar/saga.pest`.
    #[derive(pest_derive::Parser)]
    #[grammar = "grammar/saga.pest"]
    pub(super) struct Grammar;
}

use grammar::{Grammar, Rule};

type Pair<'t> = PestPair<'t, Rule>;
type Pairs<'t> = pest::iterators::Pairs<'t, Rule>;

/// What a number has to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Count,
    Duration,
}

/// The forms of a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NumberKind {
    Int,
    Decimal,
    Duration,
}

/// Builds the tree of the text that was scanned.
pub(super) fn build(file: FileId, scanned: &Scanned<'_>) -> (File, Problems) {
    let (tree, incomplete, problems) = start(file, scanned, Rule::file, |builder, pairs| Some(builder.file(pairs)));
    (File { incomplete, ..tree.unwrap_or_default() }, problems)
}

/// Reads a text by `rule`; `build` makes of its pairs what is wanted.
fn start<T>(
    file: FileId,
    scanned: &Scanned<'_>,
    rule: Rule,
    build: impl FnOnce(&mut Builder<'_>, Pairs<'_>) -> Option<T>,
) -> (Option<T>, bool, Problems) {
    let Scanned { mended, tokens, docs, .. } = scanned;
    let row = Row::new(&mended.text, (!mended.is_changed()).then_some(tokens));
    let mut builder = Builder {
        file,
        row: &row,
        mended,
        tokens,
        documentation: Documentation::new(docs),
        problems: Problems::default(),
        statements: 0,
        ranks: 0,
        incomplete: false,
        bare_codes: false,
        gap: None,
    };
    let value = match <Grammar as pest::Parser<Rule>>::parse(rule, &row.text) {
        Ok(pairs) => build(&mut builder, pairs),
        Err(error) => {
            builder.unread(&error);
            None
        }
    };
    builder.stray_docs();
    (value, builder.incomplete, builder.problems)
}

struct Builder<'a> {
    file: FileId,
    row: &'a Row<'a>,
    mended: &'a Mended<'a>,
    tokens: &'a [Token],
    documentation: Documentation<'a>,
    problems: Problems,
    /// So many so far.
    statements: usize,
    /// How deep [`expression`] recurses at the moment.
    ranks: usize,
    incomplete: bool,
    /// Codes stand without quotes, as in a scalar of YAML.
    bare_codes: bool,
    /// Where in the row the latest gap is.
    gap: Option<usize>,
}

impl Builder<'_> {
    /// A range of the mended text in what the author wrote.
    fn place(&self, start: u32, end: u32) -> Span {
        Span { file: self.file, start: self.mended.original(start), end: self.mended.original(end) }
    }

    /// What the author wrote for a pair; for an empty one, where it is missing.
    fn span(&self, pair: &Pair<'_>) -> Span {
        let span = pair.as_span();
        self.range(span.start(), span.end())
    }

    fn range(&self, start: usize, end: usize) -> Span {
        let first = self.row.start(start);
        self.place(first, if end > start { self.row.end(end) } else { first })
    }

    /// The text of a pair of several tokens, as it is in the source.
    fn written(&self, pair: &Pair<'_>) -> &str {
        let span = pair.as_span();
        self.row.source(span.start(), span.end())
    }

    /// The token at or behind a place.
    fn token_at(&self, start: u32) -> Option<Token> {
        self.tokens.get(self.tokens.partition_point(|token| token.start < start)).copied()
    }

    /// The token before a place.
    fn token_before(&self, start: u32) -> Option<Token> {
        self.tokens
            .partition_point(|token| token.end <= start)
            .checked_sub(1)
            .and_then(|index| self.tokens.get(index))
            .copied()
    }

    fn report(&mut self, code: Code, span: Span, title: impl Into<String>, here: &str, hint: impl Into<String>) {
        self.problems.push(Diagnostic::error(code, span, title).here(here).hint(hint));
    }

    /// The text of a token as the author wrote it, shortened.
    fn shown(&self, token: Token) -> String {
        let start = token.start as usize;
        let Some(original) = self.mended.original_text().get(start..token.end as usize) else { return String::new() };
        if original.chars().count() <= 40 {
            return original.to_owned();
        }
        original.chars().take(37).chain("…".chars()).collect()
    }

    /// Reports what is missing at `pair`, an empty `missing_*`.
    fn gap(&mut self, pair: &Pair<'_>, expected: &str, hint: &str) {
        self.gap_of(codes::EXPECTED, pair, expected, hint);
    }

    fn gap_of(&mut self, code: Code, pair: &Pair<'_>, expected: &str, hint: &str) {
        self.incomplete = true;
        let start = pair.as_span().start();
        if self.gap.replace(start) == Some(start) {
            return;
        }
        let place = self.range(start, start).start;
        let before = self.token_before(place);
        let next = self.token_at(place);
        let span = |start, end| Span { file: self.file, start, end };
        let same_line = |token: &Token| {
            let from = before.map_or(0, |before| before.end) as usize;
            self.mended.original_text().get(from..token.start as usize).is_some_and(|between| !between.contains('\n'))
        };
        let (label, here) = match (next.filter(same_line), before) {
            (Some(next), _) => (span(next.start, next.end), format!("found `{}`", self.shown(next))),
            (None, Some(before)) => (span(before.start, before.end), "behind this".to_owned()),
            (None, None) => (span(place, place), String::new()),
        };
        let mut finding = Diagnostic::error(code, label, format!("expected {expected}")).here(here);
        if !hint.is_empty() {
            finding = finding.hint(hint);
        }
        self.problems.push(finding);
    }

    /// A name where it is given, so in its style and not a word of the language.
    fn new_name(&mut self, pair: &Pair<'_>, style: Style) -> Name {
        let name = self.name(pair);
        if let Some(finding) = misnamed(&name, style) {
            self.problems.push(finding);
        }
        name
    }

    fn name(&self, pair: &Pair<'_>) -> Name {
        Name { text: CompactString::from(word(pair)), span: self.span(pair) }
    }

    /// The names that `.` joins in a path.
    fn names(&self, pair: &Pair<'_>) -> impl Iterator<Item = Name> {
        let mut start = pair.as_span().start();
        let mut rest = Some(word(pair));
        std::iter::from_fn(move || {
            let path = rest?;
            // By bytes: what searches text is made for longer ones.
            let length = path.bytes().position(|byte| byte == b'.').unwrap_or(path.len());
            rest = path.get(length + 1..);
            let span = self.range(start, start + length);
            start += length + 1;
            Some(Name { text: path.get(..length).unwrap_or_default().into(), span })
        })
    }

    /// A word or string as a key.
    fn key(&mut self, pair: &Pair<'_>) -> Name {
        if pair.as_rule() == Rule::string {
            let text = self.text(pair);
            return Name { text: text.value.into(), span: text.span };
        }
        self.name(pair)
    }

    /// A string literal, its escapes resolved.
    fn text(&mut self, pair: &Pair<'_>) -> Text {
        let span = self.span(pair);
        let body = word(pair).strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
        if !body.contains('\\') {
            return Text { value: body.to_owned(), span };
        }
        let start = self.row.start(pair.as_span().start()) + 1;
        let mut value = String::with_capacity(body.len());
        let mut rest = body;
        while let Some(index) = rest.find('\\') {
            value.push_str(rest.get(..index).unwrap_or_default());
            let escape = rest.get(index..).unwrap_or_default();
            let (character, length) = unescape(escape);
            if let Some(character) = character {
                value.push(character);
            } else {
                let from = start + offset(body.len() - escape.len());
                let title = format!("`{}` is no escape", escape.get(..length).unwrap_or_default());
                let hint = r#"known are `\"`, `\\`, `\n`, `\t` and `\u{41}`; a backslash itself is written `\\`"#;
                let place = self.place(from, from + offset(length));
                self.report(codes::BAD_ESCAPE, place, title, "nothing is known by this", hint);
            }
            rest = escape.get(length..).unwrap_or_default();
        }
        value.push_str(rest);
        Text { value, span }
    }

    /// A code, topic or path that should have been a string.
    fn unquoted(&mut self, pair: &Pair<'_>, what: &str) -> Text {
        let span = self.span(pair);
        let value = self.written(pair).to_owned();
        if self.bare_codes {
            return Text { value, span };
        }
        let hint = format!("write `\"{value}\"`");
        self.report(codes::MISSING_QUOTES, span, format!("{what} stands in quotes"), "quotes are missing here", hint);
        Text { value, span }
    }

    /// A string, or what stands in its place.
    fn text_slot(&mut self, pair: &Pair<'_>, what: &str, expected: &str) -> Option<Text> {
        match pair.as_rule() {
            Rule::string => Some(self.text(pair)),
            Rule::missing_string => {
                self.gap(pair, expected, "");
                None
            }
            _ => Some(self.unquoted(pair, what)),
        }
    }

    /// A number of the kind wanted, or what stands in its place.
    fn number_slot(
        &mut self,
        pair: &Pair<'_>,
        inner: &mut Pairs<'_>,
        wanted: Wanted,
        expected: &str,
    ) -> Option<Literal> {
        match pair.as_rule() {
            Rule::number => {
                let unit = inner.peek().filter(|next| next.as_rule() == Rule::wrong_unit);
                if unit.is_some() {
                    inner.next();
                }
                let (kind, literal) = self.number(pair, unit.as_ref());
                match (wanted, kind) {
                    (Wanted::Count, NumberKind::Int) | (Wanted::Duration, NumberKind::Duration) => {}
                    (Wanted::Duration, NumberKind::Int | NumberKind::Decimal) => {
                        let hint =
                            format!("write `{}s` for seconds; units are `ms`, `s`, `m`, `h` and `d`", literal.text);
                        self.report(codes::NUMBER_STYLE, literal.span, "a duration has a unit", "of what?", hint);
                    }
                    (Wanted::Count, NumberKind::Decimal | NumberKind::Duration) => {
                        let title = format!("expected {expected}");
                        self.report(codes::EXPECTED, literal.span, title, "not a whole number", "write digits only");
                    }
                }
                Some(literal)
            }
            Rule::string => {
                let text = self.text(pair);
                let hint = format!("write `{}` without quotes", text.value);
                self.report(codes::NUMBER_STYLE, text.span, "a number has no quotes", "this is a string", hint);
                Some(Literal { text: text.value.into(), span: text.span })
            }
            _ => {
                let hint = if wanted == Wanted::Duration {
                    "a duration is a number with its unit: `200ms`, `10s`, `15m`, `8h`, `3d`"
                } else {
                    ""
                };
                self.gap(pair, expected, hint);
                None
            }
        }
    }

    /// A number literal, told apart; a form that is not known is reported and read as what it looks like.
    fn number(&mut self, pair: &Pair<'_>, unit: Option<&Pair<'_>>) -> (NumberKind, Literal) {
        let written = word(pair);
        if unit.is_none()
            && let Some(kind) = words::number_kind(written)
        {
            return (kind, Literal { text: written.into(), span: self.span(pair) });
        }
        let span = unit.map_or_else(|| self.span(pair), |unit| self.span(pair).to(self.span(unit)));
        let joined = unit.map_or_else(|| written.to_owned(), |unit| format!("{written}{}", word(unit)));
        if let Some(kind) = words::number_kind(&joined) {
            self.report(
                codes::NUMBER_STYLE,
                span,
                "a duration is one word",
                "number and unit stand together",
                format!("write `{joined}`"),
            );
            return (kind, Literal { text: joined.into(), span });
        }
        let title = format!(
            "`{}` is not a number that is known here",
            if unit.is_some() {
                format!("{written} {}", joined.get(written.len()..).unwrap_or_default())
            } else {
                joined.clone()
            }
        );
        if let Some(meant) = words::duration_meant(&joined) {
            self.report(
                codes::NUMBER_STYLE,
                span,
                title,
                "units are `ms`, `s`, `m`, `h` and `d`",
                format!("write `{meant}`"),
            );
            return (NumberKind::Duration, Literal { text: meant.into(), span });
        }
        let hint = "an integer is written `1_000`, a decimal `0.50`, a duration `15m`";
        self.report(codes::NUMBER_STYLE, span, title, "", hint);
        let kind = if joined.contains('.') { NumberKind::Decimal } else { NumberKind::Int };
        let text = if kind == NumberKind::Decimal { "0.0" } else { "0" };
        (kind, Literal { text: text.into(), span })
    }

    /// The documentation of what begins at `pair`.
    fn docs(&mut self, pair: &Pair<'_>) -> Docs {
        self.documentation.of(self.span(pair).start)
    }

    fn stray_docs(&mut self) {
        if self.incomplete {
            return;
        }
        let hint = "write `//` for a remark, or move it above what it documents";
        self.documentation.stray(hint).for_each(|finding| self.problems.push(finding));
    }

    /// Counts a statement; false where there are too many.
    fn count_statement(&mut self, span: Span) -> bool {
        self.statements += 1;
        if self.statements == MAX_STATEMENTS + 1 {
            self.incomplete = true;
            self.report(
                codes::TOO_MANY_STATEMENTS,
                span,
                "this file has too many statements",
                &format!("statement {}; at most {MAX_STATEMENTS} are allowed", self.statements),
                "split it into several sagas, or loop over data",
            );
        }
        self.statements <= MAX_STATEMENTS
    }

    /// A clause that may stand once; true if it is the first.
    fn once(&mut self, earlier: Option<Span>, span: Span, what: &str) -> bool {
        let Some(earlier) = earlier else { return true };
        self.problems.push(
            Diagnostic::error(codes::CLAUSE_TWICE, span, format!("{what} is said twice"))
                .here("and here again")
                .also(earlier, "said here first")
                .hint("keep one of the two"),
        );
        false
    }

    /// `version: 1`: a colon where none belongs.
    fn colon(&mut self, pair: &Pair<'_>) {
        let span = self.span(pair);
        let title = format!("`{}` has no place behind this word", word(pair));
        self.report(codes::SEPARATOR, span, title, "remove it", "the word and what it says are separated by a space");
    }

    /// The grammar never refuses a text that was scanned; should it, say so without hiding it.
    fn unread(&mut self, error: &pest::error::Error<Rule>) {
        let at = match error.location {
            pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
        };
        self.incomplete = true;
        let span = self.range(at, at);
        self.report(codes::EXPECTED, span, "this cannot be read", "from here on", "look at what stands before it");
    }
}

/// The text of a token.
fn word<'t>(pair: &Pair<'t>) -> &'t str {
    pair.as_str().trim_end_matches([' ', OF_STEP])
}

/// What an escape stands for, and how many bytes it takes.
fn unescape(escape: &str) -> (Option<char>, usize) {
    let kind = escape.chars().nth(1);
    match kind {
        Some('"') => (Some('"'), 2),
        Some('\\') => (Some('\\'), 2),
        Some('n') => (Some('\n'), 2),
        Some('t') => (Some('\t'), 2),
        Some('u') => {
            let Some((digits, _)) = escape.strip_prefix("\\u{").and_then(|rest| rest.split_once('}')) else {
                return (None, 2);
            };
            let value = Some(digits).filter(|digits| (1..=6).contains(&digits.len()));
            let value = value.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
            let character = value.and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
            (character, if character.is_some() { digits.len() + 4 } else { 2 })
        }
        Some(other) => (None, 1 + other.len_utf8()),
        None => (None, 1),
    }
}
