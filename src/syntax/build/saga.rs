//! Sagas, statements, steps.

use super::words::Place;
use super::{Builder, Pair, Pairs, Rule, Style, Wanted};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::tree::{
    Action, ActionKind, Arm, Await, Block, Catch, Compensate, Defaults, Expr, ExprKind, Fail, ForEach, Head, Let,
    Literal, Name, Repeat, Retry, Saga, Signal, Sleep, Statement, StatementKind, Step, Target, Text, Timing, Try, When,
};

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
                    self.gap_of(codes::MISSING_BRACE, &part, "`{` behind the saga's name", "write `saga name { … }`")
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

    fn output(&mut self, pair: Pair<'_>) -> Option<Expr> {
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
                        self.gap(&part, "the signal's name", "write `signal approved { by: string }`")
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
                    let place = self.exact(&part);
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

    /// A timing clause, which may stand once in `list`.
    fn timing(&mut self, pair: Pair<'_>, list: &mut Vec<Timing>) {
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
                (_, Rule::range) if part.as_str() == "..." => {
                    let place = self.exact(&part);
                    self.report(codes::SEPARATOR, place, "a range has two dots", "", "write `200ms..5s`");
                }
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

    /// Statements in braces.
    pub(super) fn block(&mut self, pair: Pair<'_>) -> Block {
        let span = self.span(&pair);
        let mut statements = Vec::new();
        for part in pair.into_inner() {
            let place = self.span(&part);
            match part.as_rule() {
                Rule::junk => self.junk(part, Place::Block, &mut statements),
                Rule::output => {
                    let hint = "move it to the end of the saga; `a.x ?? b.x` takes what is there";
                    self.incomplete = true;
                    self.report(
                        codes::CLAUSE_ORDER,
                        place,
                        "`output` is the last line of a saga",
                        "not of a block",
                        hint,
                    );
                    self.output(part);
                }
                _ => statements.extend(self.statement(part, place)),
            }
        }
        Block { statements, span }
    }

    /// A block or its gap; `behind` completes "expected `{` behind …".
    fn block_slot(&mut self, pair: Pair<'_>, behind: &str) -> Block {
        if pair.as_rule() == Rule::missing_block {
            self.gap_of(
                codes::MISSING_BRACE,
                &pair,
                &format!("`{{` behind {behind}"),
                "put what belongs to it in braces: `{ … }`",
            );
            return Block { statements: Vec::new(), span: self.exact(&pair) };
        }
        self.block(pair)
    }

    fn statement(&mut self, pair: Pair<'_>, span: Span) -> Option<Statement> {
        let counted = self.count_statement(span);
        // Documentation of a statement is for its reader; the tree has no place for it.
        drop(self.docs(&pair));
        let rule = pair.as_rule();
        let kind = match rule {
            Rule::step | Rule::wrong_step => self.step(pair).map(StatementKind::Step),
            Rule::point => Some(StatementKind::Pivot),
            Rule::parallel => self.braces(pair, "`parallel`").map(StatementKind::Parallel),
            Rule::sequence => self.braces(pair, "`sequence`").map(StatementKind::Sequence),
            Rule::when => Some(StatementKind::When(self.when(pair))),
            Rule::for_each => self.for_each(pair).map(StatementKind::ForEach),
            Rule::repeat => self.repeat(pair, span).map(StatementKind::Repeat),
            Rule::try_catch => Some(StatementKind::Try(self.try_catch(pair, span))),
            Rule::await_signal => self.await_signal(pair, span).map(StatementKind::Await),
            Rule::sleep => self.sleep(pair).map(StatementKind::Sleep),
            Rule::let_value => self.let_value(pair).map(StatementKind::Let),
            Rule::fail => self.fail(pair).map(StatementKind::Fail),
            _ => None,
        };
        kind.filter(|_| counted).map(|kind| Statement { kind, span })
    }

    fn braces(&mut self, pair: Pair<'_>, behind: &str) -> Option<Block> {
        let block = pair.into_inner().nth(1)?;
        Some(self.block_slot(block, behind))
    }

    fn step(&mut self, pair: Pair<'_>) -> Option<Step> {
        let mut step_name = None;
        let mut pivot = None;
        let mut clauses = Clauses::default();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::kw_pivot => pivot = Some(self.exact(&part)),
                Rule::modifier => self.modifier(&part),
                Rule::word => step_name = Some(self.new_name(&part, Style::Snake)),
                Rule::missing_name => self.gap(&part, "the step's name", "write `step reserve_room { … }`"),
                Rule::missing_block => {
                    self.gap_of(
                        codes::MISSING_BRACE,
                        &part,
                        "`{` behind the step's name",
                        "write `step name { call … }`",
                    );
                }
                Rule::wrong_after => {
                    let place = self.span(&part);
                    let hint = "order is the order of the text: write steps one below the other, or put them into `parallel { … }`";
                    self.report(codes::FOREIGN_WORD, place, "`after` is not a word of this language", "", hint);
                }
                Rule::step_body => part.into_inner().for_each(|clause| self.clause(clause, &mut clauses)),
                Rule::kw_step => {}
                _ => self.clause(part, &mut clauses),
            }
        }
        let Clauses { action, timing, compensate } = clauses;
        Some(Step { pivot, name: step_name?, action, timing, compensate })
    }

    fn modifier(&mut self, pair: &Pair<'_>) {
        let span = self.exact(pair);
        let word = pair.as_str();
        let hint = match word.to_ascii_lowercase().as_str() {
            "retriable" | "retryable" | "repeatable" => {
                "write `step`: behind the pivot every step is repeated until it succeeds"
            }
            "compensatable" | "compensable" | "reversible" => "write `step`, and `compensate …` in it",
            "parallel" | "async" | "concurrent" => "write `parallel { step … step … }`",
            "optional" => "write `try { step … } catch { }`",
            "final" | "last" | "commit" | "pivotal" | "point" => "write `pivot step`",
            "compensate" | "compensation" | "undo" => {
                "write `compensate service.Command { … }` in the step that it takes back"
            }
            _ => "only `pivot` can stand before `step`",
        };
        self.report(codes::FOREIGN_WORD, span, format!("a step cannot be `{word}`"), "", hint);
    }

    fn clause(&mut self, pair: Pair<'_>, clauses: &mut Clauses) {
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::call | Rule::send | Rule::run => {
                if !self.once(clauses.action.as_ref().map(|action| action.span), span, "what the step does") {
                    return;
                }
                if let Some(compensate) = &clauses.compensate {
                    let earlier = compensate.span;
                    self.out_of_order(span, "what the step does", earlier, "`compensate`");
                } else if let Some(timing) = clauses.timing.first() {
                    let earlier = timing_span(timing);
                    self.out_of_order(span, "what the step does", earlier, "its timing");
                }
                clauses.action = self.action(pair, span);
            }
            Rule::compensate => {
                if self.once(clauses.compensate.as_ref().map(|compensate| compensate.span), span, "`compensate`") {
                    clauses.compensate = self.compensate(pair, span);
                }
            }
            Rule::junk_clause => self.junk(pair, Place::Step, &mut Vec::new()),
            _ => {
                if let Some(compensate) = &clauses.compensate {
                    let earlier = compensate.span;
                    self.out_of_order(span, "this", earlier, "`compensate`");
                }
                self.timing(pair, &mut clauses.timing);
            }
        }
    }

    fn out_of_order(&mut self, span: Span, what: &str, earlier: Span, before: &str) {
        self.problems.push(
            Diagnostic::error(codes::CLAUSE_ORDER, span, format!("{what} stands before {before}"))
                .here("too late")
                .also(earlier, "stands first")
                .hint("the order in a step is: what it does, its timing, `compensate`"),
        );
    }

    fn action(&mut self, pair: Pair<'_>, span: Span) -> Option<Action> {
        let rule = pair.as_rule();
        let mut kind = None;
        let mut payload = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::wrong_colon => self.colon(&part),
                Rule::target if rule == Rule::call => kind = self.target(part).map(ActionKind::Call),
                Rule::target => kind = self.target(part).map(ActionKind::Send),
                Rule::plain_name => kind = Some(ActionKind::Run(self.name(&part))),
                Rule::missing_target if rule == Rule::call => {
                    self.gap(&part, "what is called, behind `call`", "write `call hotels.ReserveRoom { … }`");
                }
                Rule::missing_target => self.gap(&part, "what is sent, behind `send`", "write `send mail.Told { … }`"),
                Rule::missing_name => self.gap(&part, "the name of a saga behind `run`", "write `run pay { … }`"),
                _ => self.payload(part, &mut payload),
            }
        }
        Some(Action { kind: kind?, payload, span })
    }

    fn payload(&mut self, pair: Pair<'_>, payload: &mut Option<Expr>) {
        match pair.as_rule() {
            Rule::kw_with => {
                let span = self.exact(&pair);
                self.report(
                    codes::FOREIGN_WORD,
                    span,
                    "no word before the braces",
                    "remove it",
                    "write `call hotels.ReserveRoom { key: value }`",
                );
            }
            Rule::wrong_arguments => {
                let span = self.span(&pair);
                self.incomplete = true;
                let hint = "write `call hotels.ReserveRoom { key: value }`";
                self.report(codes::SEPARATOR, span, "what is given stands in braces", "not in parentheses", hint);
            }
            Rule::object => *payload = Some(self.object(pair)),
            _ => {}
        }
    }

    fn target(&mut self, pair: Pair<'_>) -> Option<Target> {
        let span = self.span(&pair);
        let mut names = Vec::with_capacity(2);
        for part in pair.into_inner() {
            if part.as_rule() == Rule::missing_name {
                self.gap(&part, "the name of a command or message behind `.`", "write `hotels.ReserveRoom`");
                return None;
            }
            names.push(self.name(&part));
        }
        let mut names = names.into_iter();
        match (names.next(), names.next(), names.next()) {
            (Some(participant), Some(command), None) => Some(Target { participant, command }),
            (_, None, _) => {
                self.incomplete = true;
                let hint = "write `participant.Command`, such as `hotels.ReserveRoom`";
                self.report(codes::EXPECTED, span, "expected the participant and its command", "only one name", hint);
                None
            }
            _ => {
                self.incomplete = true;
                let hint = "write `participant.Command`, such as `hotels.ReserveRoom`";
                self.report(codes::EXPECTED, span, "expected the participant and its command", "too many names", hint);
                None
            }
        }
    }

    fn compensate(&mut self, pair: Pair<'_>, span: Span) -> Option<Compensate> {
        let (mut target, mut payload) = (None, None);
        let mut kind = Rule::kw_call;
        let mut first: Option<Span> = None;
        let mut end = span;
        let mut timing = Vec::new();
        let mut nothing = false;
        for part in pair.into_inner() {
            let place = self.span(&part);
            match part.as_rule() {
                Rule::kw_compensate => {}
                Rule::wrong_undo => {
                    let title = format!("`{}` is written `compensate` here", part.as_str());
                    self.report(codes::FOREIGN_WORD, place, title, "", "write `compensate service.Command { … }`");
                }
                Rule::wrong_colon => self.colon(&part),
                Rule::kw_nothing => nothing = true,
                Rule::undo_by => {
                    let title = format!("no `{}` behind `compensate`", part.as_str().trim_end());
                    self.report(
                        codes::FOREIGN_WORD,
                        place,
                        title,
                        "remove it",
                        "write `compensate service.Command { … }`",
                    );
                }
                Rule::kw_send | Rule::kw_run => {
                    kind = part.as_rule();
                    first = first.or(Some(place));
                }
                Rule::kw_call => {
                    self.report(
                        codes::FOREIGN_WORD,
                        place,
                        "no `call` behind `compensate`",
                        "remove it",
                        "write `compensate service.Command { … }`",
                    );
                }
                Rule::target => {
                    first = first.or(Some(place));
                    end = place;
                    target = if kind == Rule::kw_run {
                        self.run_name(part).map(ActionKind::Run)
                    } else {
                        self.compensating(part, kind)
                    };
                }
                Rule::missing_target => {
                    self.gap(
                        &part,
                        "what takes the step back, behind `compensate`",
                        "write `compensate hotels.CancelRoom { … }` or `compensate nothing`",
                    );
                }
                Rule::timeout | Rule::within | Rule::retry => self.timing(part, &mut timing),
                _ => {
                    end = place;
                    self.payload(part, &mut payload);
                }
            }
        }
        if nothing {
            return Some(Compensate { action: None, timing, span });
        }
        let action = Action { kind: target?, payload, span: first.unwrap_or(span).to(end) };
        Some(Compensate { action: Some(action), timing, span })
    }

    fn compensating(&mut self, pair: Pair<'_>, kind: Rule) -> Option<ActionKind> {
        let target = self.target(pair)?;
        Some(if kind == Rule::kw_send { ActionKind::Send(target) } else { ActionKind::Call(target) })
    }

    fn run_name(&mut self, pair: Pair<'_>) -> Option<Name> {
        let span = self.span(&pair);
        let mut names = pair.into_inner();
        let name = names.next().map(|name| self.name(&name));
        if names.next().is_some() {
            self.incomplete = true;
            self.report(
                codes::EXPECTED,
                span,
                "expected the name of a saga",
                "has a `.`",
                "write `compensate run name { … }`",
            );
            return None;
        }
        name
    }

    fn when(&mut self, pair: Pair<'_>) -> When {
        let mut arms = Vec::new();
        let mut otherwise = None;
        self.arm(pair.into_inner(), &mut arms, &mut otherwise);
        When { arms, otherwise }
    }

    fn arm(&mut self, inner: Pairs<'_>, arms: &mut Vec<Arm>, otherwise: &mut Option<Block>) {
        let mut condition = None;
        for part in inner {
            match part.as_rule() {
                Rule::kw_if | Rule::wrong_else | Rule::wrong_elif => {
                    let span = self.exact(&part);
                    let instead = match part.as_rule() {
                        Rule::kw_if => "when",
                        Rule::wrong_else => "otherwise",
                        _ => "otherwise when",
                    };
                    let title = format!("`{}` is written `{instead}` here", part.as_str());
                    let hint = "write `when condition { … } otherwise { … }`; `if … then … else …` is for values";
                    self.report(codes::FOREIGN_WORD, span, title, "", hint);
                }
                Rule::expr | Rule::missing_expr => condition = self.expr_slot(part, "a condition behind `when`"),
                Rule::block | Rule::missing_block => {
                    let block = self.block_slot(part, "the condition");
                    match condition.take() {
                        Some(condition) => arms.push(Arm { condition, block }),
                        None => arms.push(Arm { condition: Expr { kind: ExprKind::Null, span: block.span }, block }),
                    }
                }
                Rule::other_when => self.arm(part.into_inner(), arms, otherwise),
                Rule::other => *otherwise = self.other(part),
                _ => {}
            }
        }
    }

    /// `otherwise { … }`
    fn other(&mut self, pair: Pair<'_>) -> Option<Block> {
        let mut block = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::wrong_else => {
                    let span = self.exact(&part);
                    self.report(
                        codes::FOREIGN_WORD,
                        span,
                        "`else` is written `otherwise` here",
                        "",
                        "write `otherwise { … }`; `if … then … else …` is for values",
                    );
                }
                Rule::block | Rule::missing_block => block = Some(self.block_slot(part, "`otherwise`")),
                _ => {}
            }
        }
        block
    }

    /// `where c`
    pub(super) fn filter(&mut self, pair: Pair<'_>) -> Option<Expr> {
        let condition = pair.into_inner().nth(1)?;
        self.expr_slot(condition, "a condition behind `where`")
    }

    fn for_each(&mut self, pair: Pair<'_>) -> Option<ForEach> {
        let (mut element, mut list, mut filter, mut window, mut block) = (None, None, None, None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word => element = Some(self.new_name(&part, Style::Snake)),
                Rule::missing_name => {
                    self.gap(&part, "a name for the element", "write `for each item in input.items { … }`")
                }
                Rule::missing_word if element.is_none() => {
                    self.gap(&part, "`each` behind `for`", "write `for each item in input.items { … }`")
                }
                Rule::missing_word => {
                    self.gap(&part, "`in` behind the element's name", "write `for each item in input.items { … }`")
                }
                Rule::expr | Rule::missing_expr => list = self.expr_slot(part, "a list behind `in`"),
                Rule::filter => filter = self.filter(part),
                Rule::window => window = self.window(part),
                Rule::block | Rule::missing_block => block = Some(self.block_slot(part, "the list")),
                _ => {}
            }
        }
        Some(ForEach { element: element?, list: list?, filter, window, block: block? })
    }

    fn window(&mut self, pair: Pair<'_>) -> Option<Literal> {
        let mut count = None;
        let mut inner = pair.into_inner();
        while let Some(part) = inner.next() {
            match part.as_rule() {
                Rule::number | Rule::missing_number => {
                    count = self.number_slot(&part, &mut inner, Wanted::Count, "a number behind `at most`")
                }
                Rule::missing_word => {
                    self.gap(&part, "`at most 5 at once`", "write `for each x in list, at most 5 at once { … }`")
                }
                _ => {}
            }
        }
        count
    }

    fn repeat(&mut self, pair: Pair<'_>, span: Span) -> Option<Repeat> {
        const FORM: &str = "write `repeat at most 3 times { … } until condition otherwise { … }`";
        let (mut times, mut block, mut until, mut otherwise) = (None, None, None, None);
        let mut has_until = false;
        let mut has_otherwise = false;
        let mut inner = pair.into_inner();
        while let Some(part) = inner.next() {
            match part.as_rule() {
                Rule::number | Rule::missing_number => {
                    times = self.number_slot(&part, &mut inner, Wanted::Count, "how many times, behind `at most`")
                }
                Rule::missing_word if times.is_none() => self.gap(&part, "`at most` behind `repeat`", FORM),
                Rule::missing_word => self.gap(&part, "`times` behind the number", FORM),
                Rule::block | Rule::missing_block => block = Some(self.block_slot(part, "`times`")),
                Rule::until => {
                    has_until = true;
                    until =
                        part.into_inner().nth(1).and_then(|part| self.expr_slot(part, "a condition behind `until`"));
                }
                Rule::other => {
                    has_otherwise = true;
                    otherwise = self.other(part);
                }
                _ => {}
            }
        }
        let keyword = Span { end: span.start + 6, ..span };
        if !has_until {
            self.incomplete = true;
            self.report(codes::MISSING_PART, keyword, "`repeat` without `until`", "never known to be done", FORM);
        }
        if !has_otherwise {
            self.incomplete = true;
            let title = "`repeat` without `otherwise`";
            self.report(
                codes::MISSING_OTHERWISE,
                keyword,
                title,
                "and when the last round was not enough?",
                "add `otherwise { fail \"code\" }`, or `otherwise { }` to go on",
            );
        }
        Some(Repeat { times: times?, block: block?, until, otherwise })
    }

    fn try_catch(&mut self, pair: Pair<'_>, span: Span) -> Try {
        let mut result = Try { within: None, block: Block::default(), catches: Vec::new() };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr | Rule::missing_expr => result.within = self.expr_slot(part, "a duration behind `within`"),
                Rule::block | Rule::missing_block => result.block = self.block_slot(part, "`try`"),
                Rule::catch => {
                    let place = self.span(&part);
                    let mut catch = Catch { codes: Vec::new(), block: Block::default(), span: place };
                    for part in part.into_inner() {
                        match part.as_rule() {
                            Rule::codes => catch.codes = self.codes(part),
                            Rule::block | Rule::missing_block => catch.block = self.block_slot(part, "`catch`"),
                            _ => {}
                        }
                    }
                    result.catches.push(catch);
                }
                _ => {}
            }
        }
        if result.catches.is_empty() {
            self.incomplete = true;
            let keyword = Span { end: span.start + 3, ..span };
            let hint = "add `catch \"code\" { … }`, or `catch { }` to go on whatever happened";
            self.report(
                codes::MISSING_PART,
                keyword,
                "`try` without `catch`",
                "nothing says what follows a failure",
                hint,
            );
        }
        result
    }

    fn await_signal(&mut self, pair: Pair<'_>, span: Span) -> Option<Await> {
        const FORM: &str = "write `await approval within 8h otherwise { … }`";
        let (mut signal, mut alias, mut filter, mut within, mut otherwise) = (None, None, None, None, None);
        let (mut has_within, mut has_otherwise) = (false, false);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word => signal = Some(self.name(&part)),
                Rule::missing_name => self.gap(&part, "the name of a signal behind `await`", FORM),
                Rule::alias => {
                    for name in part.into_inner() {
                        match name.as_rule() {
                            Rule::word => alias = Some(self.new_name(&name, Style::Snake)),
                            Rule::missing_name => self.gap(&name, "a name behind `as`", ""),
                            _ => {}
                        }
                    }
                }
                Rule::filter => filter = self.filter(part),
                Rule::kw_within => has_within = true,
                Rule::expr | Rule::missing_expr => within = self.expr_slot(part, "a duration behind `within`"),
                Rule::other => {
                    has_otherwise = true;
                    otherwise = self.other(part);
                }
                _ => {}
            }
        }
        let keyword = Span { end: span.start + 5, ..span };
        if !has_within {
            self.incomplete = true;
            self.report(
                codes::MISSING_PART,
                keyword,
                "`await` without `within`",
                "a saga does not wait for ever",
                FORM,
            );
        }
        if !has_otherwise {
            self.incomplete = true;
            self.report(
                codes::MISSING_OTHERWISE,
                keyword,
                "`await` without `otherwise`",
                "and when nothing comes?",
                "add `otherwise { fail \"code\" }`, or `otherwise { }` to go on",
            );
        }
        Some(Await { signal: signal?, alias, filter, within, otherwise })
    }

    fn sleep(&mut self, pair: Pair<'_>) -> Option<Sleep> {
        let mut until = false;
        let mut expr = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::kw_until => until = true,
                Rule::kw_for => {
                    let span = self.exact(&part);
                    self.report(codes::FOREIGN_WORD, span, "no `for` behind `sleep`", "remove it", "write `sleep 30m`");
                }
                Rule::expr | Rule::missing_expr => {
                    expr = self
                        .expr_slot(part, if until { "an instant behind `until`" } else { "a duration behind `sleep`" })
                }
                _ => {}
            }
        }
        Some(Sleep { until, expr: expr? })
    }

    fn let_value(&mut self, pair: Pair<'_>) -> Option<Let> {
        if pair
            .as_str()
            .split_once([':', '='])
            .is_some_and(|(before, _)| pair.as_str().as_bytes().get(before.len()) == Some(&b':'))
        {
            let written = self.span(&pair);
            let colon = pair.as_str().find(':').map_or(0, |at| pair.as_span().start() + at);
            let place = self.at(colon, colon + 1);
            self.report(
                codes::SEPARATOR,
                Span { file: written.file, ..place },
                "`let` takes `=`",
                "",
                "write `let name = value`",
            );
        }
        let (mut name, mut value) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word => name = Some(self.new_name(&part, Style::Snake)),
                Rule::missing_name => self.gap(&part, "a name behind `let`", "write `let name = value`"),
                Rule::missing_word => self.gap(&part, "`=` behind the name", "write `let name = value`"),
                Rule::expr | Rule::missing_expr => value = self.expr_slot(part, "a value behind `=`"),
                _ => {}
            }
        }
        Some(Let { name: name?, value: value? })
    }

    fn fail(&mut self, pair: Pair<'_>) -> Option<Fail> {
        let mut code: Option<Text> = None;
        let mut message = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::kw_fail => {}
                Rule::expr | Rule::missing_expr => message = self.expr_slot(part, "a message behind `,`"),
                _ => code = self.text_slot(&part, "a code", "a code in quotes behind `fail`"),
            }
        }
        Some(Fail { code: code?, message })
    }
}

/// What a step says.
#[derive(Default)]
struct Clauses {
    action: Option<Action>,
    timing: Vec<Timing>,
    compensate: Option<Compensate>,
}

const fn timing_span(timing: &Timing) -> Span {
    match timing {
        Timing::Timeout(_, span) | Timing::Within(_, span) => *span,
        Timing::Retry(retry) => retry.span,
    }
}
