//! What stands at the top of a file, and what fits nowhere.

use super::words::{self, Place};
use super::{Builder, Pair, Pairs, Rule, Style, word};
use crate::diagnostic::{Diagnostic, codes};
use crate::syntax::limits::MAX_FINDINGS;
use crate::syntax::scan::{Token, TokenKind};
use crate::syntax::tree::{File, Item, Statement, StatementKind, TypeItem, Use};

impl Builder<'_> {
    /// `file`
    pub(super) fn file(&mut self, pairs: Pairs<'_>) -> File {
        let mut items = Vec::new();
        for pair in pairs.flat_map(Pair::into_inner) {
            match pair.as_rule() {
                Rule::use_item => items.extend(self.use_item(pair).map(Item::Use)),
                Rule::type_item => items.extend(self.type_item(pair).map(Item::Type)),
                Rule::participant => items.extend(self.participant(pair).map(Item::Participant)),
                Rule::saga => items.extend(self.saga(pair).map(Item::Saga)),
                Rule::trigger => items.extend(self.trigger(pair).map(Item::Trigger)),
                Rule::scenario => items.extend(self.scenario(pair).map(Item::Scenario)),
                Rule::junk_top => self.junk(pair, Place::Top, &mut Vec::new()),
                _ => {}
            }
        }
        File { items, statements: self.statements, ..File::default() }
    }

    fn use_item(&mut self, pair: Pair<'_>) -> Option<Use> {
        let span = self.span(&pair);
        let path = pair.into_inner().next()?;
        let path = self.text_slot(&path, "a path", "the path of a file in quotes behind `use`")?;
        Some(Use { path, span })
    }

    fn type_item(&mut self, pair: Pair<'_>) -> Option<TypeItem> {
        let docs = self.docs(&pair);
        let span = self.span(&pair);
        let (mut name, mut body) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word => name = Some(self.new_name(&part, Style::Type)),
                Rule::missing_name => self.gap(&part, "the type's name", "write `type Item { … }`"),
                Rule::missing_type => {
                    self.gap(
                        &part,
                        "`{` or `=` behind the type's name",
                        "write `type Name { field: type }` or `type Name = \"a\" | \"b\"`",
                    );
                }
                Rule::wrong_colon if word(&part) == ":" => self.colon(&part),
                Rule::record => body = Some(self.record(part)),
                Rule::typeexpr => body = Some(self.type_expr(part)),
                _ => {}
            }
        }
        Some(TypeItem { docs, name: name?, body: body?, span })
    }

    /// Whether what stands there follows from the gap right before it.
    pub(super) fn silent(&self, pair: &Pair<'_>) -> bool {
        self.gap == Some(pair.as_span().start())
    }

    /// Says of what fits nowhere what it should have been; statements inside are read all the same.
    pub(super) fn junk(&mut self, pair: Pair<'_>, place: Place, statements: &mut Vec<Statement>) {
        self.incomplete = true;
        let span = self.span(&pair);
        let first = self.token_at(span.start);
        let before = self.token_before(span.start);
        // What begins a line, no deeper than the line of the gap, is a mistake of its own.
        let is_new = first.zip(before).is_some_and(|(first, before)| self.begins_line(first, before));
        if let Some(first) = first.filter(|_| is_new || !self.silent(&pair)) {
            self.report_junk(first, place);
        }
        if let Some(first) = first {
            for token in self.lines_within(first, span.end, place) {
                self.report_junk(token, place);
            }
        }
        for block in pair.into_inner().filter(|inner| inner.as_rule() == Rule::block) {
            let span = self.span(&block);
            let block = self.block(block);
            statements.push(Statement { kind: StatementKind::Sequence(block), span });
        }
    }

    /// How deep the line is that a token begins. Of a token within a line nothing is read but what stands right before it:
    /// a line may hold the whole file.
    fn begun_line(&self, token: Token) -> Option<usize> {
        let before = self.mended.original_text().get(..token.start as usize).unwrap_or_default();
        let line = before.trim_end_matches([' ', '\t']);
        (line.is_empty() || line.ends_with(['\n', '\u{FEFF}'])).then(|| before.len() - line.len())
    }

    /// How deep the line is in which a token stands.
    fn indent(&self, token: Token) -> usize {
        let before = self.mended.original_text().get(..token.start as usize).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        line.len() - line.trim_start().len()
    }

    /// Whether a token begins a line that is no deeper than that of an earlier one.
    fn begins_line(&self, token: Token, earlier: Token) -> bool {
        self.begun_line(token).is_some_and(|depth| depth <= self.indent(earlier))
    }

    /// The words in something unreadable that begin lines of their own: each is a mistake of its own. No more of them
    /// than are shown.
    fn lines_within(&self, first: Token, end: u32, place: Place) -> Vec<Token> {
        let from = self.tokens.partition_point(|token| token.start <= first.start);
        let (mut brackets, mut deepest) = (0_usize, None);
        let mut found = Vec::new();
        for token in self.tokens.iter().skip(from).take_while(|token| token.end <= end) {
            match token.kind {
                _ if found.len() == MAX_FINDINGS => break,
                TokenKind::Open => brackets += 1,
                TokenKind::Close => brackets = brackets.saturating_sub(1),
                TokenKind::Word if brackets == 0 => {
                    let Some(depth) = self.begun_line(*token) else { continue };
                    let deepest = *deepest.get_or_insert_with(|| self.indent(first));
                    if depth <= deepest && !place.words().contains(&self.shown(*token).as_str()) {
                        found.push(*token);
                    }
                }
                TokenKind::Word | TokenKind::Number | TokenKind::Text | TokenKind::Mark => {}
            }
        }
        found
    }

    fn report_junk(&mut self, token: Token, place: Place) {
        let span = crate::source::Span { file: self.file, start: token.start, end: token.end };
        let shown = self.shown(token);
        let next = self.token_at(token.end).map(|next| self.shown(next)).unwrap_or_default();
        let is_word = shown.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let known = place.words();
        if !is_word {
            if shown == "," {
                self.report(
                    codes::SEPARATOR,
                    span,
                    "a `,` too many",
                    "separates nothing",
                    "remove it; statements and clauses need no separator",
                );
                return;
            }
            let title = format!("expected {}", alternatives(place));
            self.report(
                codes::EXPECTED,
                span,
                title,
                &format!("`{shown}` cannot begin one"),
                "look at what stands before it",
            );
            return;
        }
        if let Some(instead) = words::foreign(place, &shown, &next) {
            let title = format!("`{shown}` is not a word of this language{}", belongs(place, &shown));
            let title =
                if known_elsewhere(&shown) { format!("`{shown}` does not stand {}", place.name()) } else { title };
            self.report(codes::FOREIGN_WORD, span, title, "", instead);
            return;
        }
        let title = if known_elsewhere(&shown) {
            format!("`{shown}` does not stand {}", place.name())
        } else {
            format!("`{shown}` begins nothing {}", place.name())
        };
        let finding = Diagnostic::error(codes::UNKNOWN_WORD, span, title);
        let finding = match words::near(&shown, known) {
            Some(meant) if meant != shown => finding.here("not known").hint(format!("did you mean `{meant}`?")),
            _ => finding.hint(format!("expected {}", alternatives(place))),
        };
        self.problems.push(finding);
    }
}

fn belongs(place: Place, _word: &str) -> &'static str {
    match place {
        Place::Timing => ", at least not among defaults",
        _ => "",
    }
}

/// Whether the word has a meaning in some other place.
fn known_elsewhere(word: &str) -> bool {
    const PLACES: [Place; 7] =
        [Place::Top, Place::Saga, Place::Block, Place::Step, Place::Participant, Place::Trigger, Place::Scenario];
    words::RESERVED.contains(&word) || PLACES.iter().any(|place| place.words().contains(&word))
}

/// What can stand at a place, in words.
fn alternatives(place: Place) -> &'static str {
    match place {
        Place::Top => "`use`, `type`, `participant`, `saga`, `trigger` or `scenario`",
        Place::Saga | Place::Block => {
            "a statement: `step`, `pivot`, `parallel`, `sequence`, `when`, `let`, `fail`, `sleep`, …"
        }
        Place::Step => "`call`, `send`, `run`, `timeout`, `within`, `retry` or `compensate`",
        Place::Timing => "`timeout`, `within`, `retry` or `compensate`",
        Place::Participant => "`command`, `message`, `commands`, `events`, `answers queries` or `at most`",
        Place::Trigger => "`on`, `event`, `where`, `start` or `signal`",
        Place::Scenario => "`given`, `when` or `expect`",
    }
}
