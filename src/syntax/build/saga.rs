//! Sagas: the head, timing, and the order of what stands in the braces.

use super::words::Place;
use super::{Builder, Pair, Rule, Style, Wanted};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::tree::{Block, Defaults, Expr, Head, Literal, Retry, Saga, Signal, Timing};

impl Builder<'_> {
    pub(super) fn saga(&mut self, pair: Pair<'_>) -> Option<Saga> {
        let docs = self.docs(&pair);
        let span = self.span(&pair);
        let mut saga = None;
        let mut body = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word => saga = Some(self.new_name(&part, Style::Snake)),
                Rule::missing_name => self.gap(&part, "the saga's name", "write `saga booking { … }`"),
                Rule::missing_block => {
                    self.gap_of(codes::MISSING_BRACE, &part, "`{` behind the saga's name", "write `saga name { … }`");
                }
                Rule::saga_body => body = Some(self.saga_body(part)),
                _ => {}
            }
        }
        let (heads, body, output) = body.unwrap_or_default();
        Some(Saga { docs, name: saga?, heads, body, output, span })
    }

    fn saga_body(&mut self, pair: Pair<'_>) -> (Vec<Head>, Block, Option<Expr>) {
        let mut heads: Vec<Head> = Vec::new();
        let mut statements = Vec::new();
        let mut output: Option<Expr> = None;
        let mut first_statement: Option<Span> = None;
        for part in pair.into_inner() {
            let span = self.span(&part);
            match part.as_rule() {
                Rule::version | Rule::coordination | Rule::input | Rule::signal | Rule::deadline | Rule::defaults => {
                    if let Some(statement) = first_statement {
                        self.problems.push(
                            Diagnostic::error(codes::CLAUSE_ORDER, span, "this belongs to the head of the saga")
                                .here("stands behind a statement")
                                .also(statement, "the first statement")
                                .hint("move it above the first statement"),
                        );
                    }
                    self.head(part, span, &mut heads);
                }
                Rule::output => {
                    if self.once(output.as_ref().map(|output| output.span), span, "`output`") {
                        output = self.output(part);
                    }
                }
                Rule::junk => self.junk(part, Place::Saga, &mut statements),
                _ => {
                    if let Some(earlier) = &output {
                        self.problems.push(
                            Diagnostic::error(codes::CLAUSE_ORDER, earlier.span, "`output` is the last line of a saga")
                                .here("stands before a statement")
                                .also(span, "this statement comes after it")
                                .hint("move `output` to the end"),
                        );
                    }
                    first_statement = first_statement.or(Some(span));
                    statements.extend(self.statement(part, span));
                }
            }
        }
        let span = statements.iter().map(|statement| statement.span).reduce(Span::to).unwrap_or_default();
        (heads, Block { statements, span }, output)
    }

    pub(super) fn output(&mut self, pair: Pair<'_>) -> Option<Expr> {
        let mut output = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::wrong_colon => self.colon(&part),
                Rule::missing_object => self.gap(&part, "`{` behind `output`", "write `output { name: value }`"),
                Rule::object => output = Some(self.object(part)),
                _ => {}
            }
        }
        output
    }

    fn head(&mut self, pair: Pair<'_>, span: Span, heads: &mut Vec<Head>) {
        let rule = pair.as_rule();
        let earlier = heads.iter().find_map(|head| match (head, rule) {
            (Head::Version(_, span), Rule::version)
            | (Head::Coordination(_, span), Rule::coordination)
            | (Head::Input(_, span), Rule::input)
            | (Head::Deadline(_, span), Rule::deadline) => Some(*span),
            (Head::Defaults(defaults), Rule::defaults) => Some(defaults.span),
            _ => None,
        });
        if !self.once(earlier, span, "this") {
            return;
        }
        if rule == Rule::signal {
            let docs = self.docs(&pair);
            let (mut name, mut shape) = (None, None);
            for part in pair.into_inner() {
                match part.as_rule() {
                    Rule::word => name = Some(self.new_name(&part, Style::Snake)),
                    Rule::missing_name => {
                        self.gap(&part, "the signal's name", "write `signal approved { by: string }`");
                    }
                    Rule::record | Rule::shape_name => shape = Some(self.shape(part)),
                    _ => {}
                }
            }
            heads.extend(name.map(|name| Head::Signal(Signal { docs, name, shape, span })));
            return;
        }
        if rule == Rule::defaults {
            heads.push(Head::Defaults(self.defaults(pair, span)));
            return;
        }
        let mut inner = pair.into_inner();
        while let Some(part) = inner.next() {
            match (rule, part.as_rule()) {
                (_, Rule::wrong_colon) => self.colon(&part),
                (Rule::version, Rule::number | Rule::string | Rule::missing_number) => {
                    let number = self.number_slot(&part, &mut inner, Wanted::Count, "a whole number behind `version`");
                    heads.extend(number.map(|number| Head::Version(number, span)));
                }
                (Rule::deadline, Rule::number | Rule::string | Rule::missing_duration) => {
                    let duration =
                        self.number_slot(&part, &mut inner, Wanted::Duration, "a duration behind `deadline`");
                    heads.extend(duration.map(|duration| Head::Deadline(duration, span)));
                }
                (Rule::coordination, Rule::word) => heads.push(Head::Coordination(self.name(&part), span)),
                (_, Rule::missing_name) => {
                    self.gap(&part, "`orchestration` or `choreography` behind `coordination`", "");
                }
                (_, Rule::missing_type) => self.gap(&part, "`{` behind `input`", "write `input { name: type }`"),
                (Rule::input, Rule::record | Rule::shape_name) => {
                    let shape = self.shape(part);
                    heads.push(Head::Input(shape, span));
                }
                _ => {}
            }
        }
    }

    fn defaults(&mut self, pair: Pair<'_>, span: Span) -> Defaults {
        let mut defaults = Defaults { timing: Vec::new(), compensate: Vec::new(), span };
        let mut behind: Option<Span> = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::wrong_colon => self.colon(&part),
                Rule::kw_compensate => {
                    let place = self.span(&part);
                    if self.once(behind, place, "`compensate`") {
                        behind = Some(place);
                    }
                }
                Rule::timings => {
                    let place = self.span(&part);
                    let hint = "what stands behind `compensate` is for compensations: `compensate timeout 10s retry 20 times every 1s..5m`";
                    self.report(codes::SEPARATOR, place, "no braces here", "remove them", hint);
                    for timing in part.into_inner() {
                        let list = if behind.is_some() { &mut defaults.compensate } else { &mut defaults.timing };
                        self.timing(timing, list);
                    }
                }
                Rule::missing_block => self.gap_of(
                    codes::MISSING_BRACE,
                    &part,
                    "`{` behind `defaults`",
                    "write `defaults { timeout 10s }`",
                ),
                _ => {
                    let list = if behind.is_some() { &mut defaults.compensate } else { &mut defaults.timing };
                    self.timing(part, list);
                }
            }
        }
        defaults
    }

    /// `1s...5s`
    pub(super) fn wrong_range(&mut self, pair: &Pair<'_>) {
        let span = self.span(pair);
        self.report(codes::SEPARATOR, span, "a range has two dots", "", "write `200ms..5s`");
    }

    /// A timing clause, which may stand once in `list`.
    pub(super) fn timing(&mut self, pair: Pair<'_>, list: &mut Vec<Timing>) {
        let span = self.span(&pair);
        let rule = pair.as_rule();
        let earlier = list.iter().find_map(|timing| match (timing, rule) {
            (Timing::Timeout(_, span), Rule::timeout) | (Timing::Within(_, span), Rule::within) => Some(*span),
            (Timing::Retry(retry), Rule::retry) => Some(retry.span),
            _ => None,
        });
        match rule {
            Rule::timeout | Rule::within | Rule::retry => {}
            Rule::junk_clause => return self.junk(pair, Place::Timing, &mut Vec::new()),
            _ => return,
        }
        if !self.once(earlier, span, "this") {
            return;
        }
        let mut inner = pair.into_inner();
        let mut numbers: [Option<Literal>; 3] = [None, None, None];
        let mut index = 0;
        while let Some(part) = inner.next() {
            match (rule, part.as_rule()) {
                (_, Rule::wrong_colon) => self.colon(&part),
                (Rule::timeout, Rule::number | Rule::string | Rule::missing_duration) => {
                    let duration = self.number_slot(&part, &mut inner, Wanted::Duration, "a duration behind `timeout`");
                    list.extend(duration.map(|duration| Timing::Timeout(duration, span)));
                }
                (Rule::within, Rule::expr | Rule::missing_expr) => {
                    let within = self.expr_slot(part, "a duration behind `within`");
                    list.extend(within.map(|within| Timing::Within(within, span)));
                }
                (_, Rule::missing_word) => {
                    self.gap(&part, "`times` behind the number", "write `retry 3 times every 200ms..5s`");
                }
                (_, Rule::wrong_range) => self.wrong_range(&part),
                (Rule::retry, Rule::number | Rule::string | Rule::missing_number | Rule::missing_duration) => {
                    let (wanted, expected) = match index {
                        0 => (Wanted::Count, "a number behind `retry`"),
                        1 => (Wanted::Duration, "a duration behind `every`"),
                        _ => (Wanted::Duration, "a duration behind `..`"),
                    };
                    let number = self.number_slot(&part, &mut inner, wanted, expected);
                    if let Some(slot) = numbers.get_mut(index) {
                        *slot = number;
                    }
                    index += 1;
                }
                _ => {}
            }
        }
        if rule == Rule::retry {
            let [times, from, to] = numbers;
            list.extend(times.map(|times| Timing::Retry(Retry { times, from, to, span })));
        }
    }
}
