//! Statements and blocks.

use super::words::{self, Place};
use super::{Builder, Pair, Pairs, Rule, Style, Wanted, word};
use crate::diagnostic::codes;
use crate::source::Span;
use crate::syntax::tree::{
    Arm, Await, Block, Catch, Expr, ExprKind, Fail, ForEach, Let, Literal, Repeat, Sleep, Statement, StatementKind,
    Text, Try, When,
};

/// How a loop over a list is written.
const EACH: &str = "write `for each item in input.items { … }`";

impl Builder<'_> {
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
            return Block { statements: Vec::new(), span: self.span(&pair) };
        }
        self.block(pair)
    }

    pub(super) fn statement(&mut self, pair: Pair<'_>, span: Span) -> Option<Statement> {
        let counted = self.count_statement(span);
        // Documentation of a statement is for its reader; the tree has no place for it.
        drop(self.docs(&pair));
        let rule = pair.as_rule();
        let kind = match rule {
            Rule::step | Rule::wrong_step => self.step(pair).map(|step| StatementKind::Step(Box::new(step))),
            Rule::point => Some(StatementKind::Pivot),
            Rule::parallel => self.braces(pair, "`parallel`").map(StatementKind::Parallel),
            Rule::sequence => self.braces(pair, "`sequence`").map(StatementKind::Sequence),
            Rule::when => Some(StatementKind::When(Box::new(self.when(pair)))),
            Rule::for_each => self.for_each(pair).map(Box::new).map(StatementKind::ForEach),
            Rule::repeat => self.repeat(pair, span).map(Box::new).map(StatementKind::Repeat),
            Rule::try_catch => Some(StatementKind::Try(Box::new(self.try_catch(pair, span)))),
            Rule::await_signal => self.await_signal(pair, span).map(Box::new).map(StatementKind::Await),
            Rule::sleep => self.sleep(pair).map(StatementKind::Sleep),
            Rule::let_value => self.let_value(pair).map(StatementKind::Let),
            Rule::fail => self.fail(pair).map(StatementKind::Fail),
            _ => None,
        };
        kind.filter(|_| counted).map(|kind| Statement { kind, span })
    }

    fn braces(&mut self, pair: Pair<'_>, behind: &str) -> Option<Block> {
        let block = pair.into_inner().next()?;
        Some(self.block_slot(block, behind))
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
                    let span = self.span(&part);
                    let instead = match part.as_rule() {
                        Rule::kw_if => "when",
                        Rule::wrong_else => "otherwise",
                        _ => "otherwise when",
                    };
                    let title = format!("`{}` is written `{instead}` here", word(&part));
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
                    let span = self.span(&part);
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
        let condition = pair.into_inner().next()?;
        self.expr_slot(condition, "a condition behind `where`")
    }

    fn for_each(&mut self, pair: Pair<'_>) -> Option<ForEach> {
        let (mut element, mut list, mut filter, mut window, mut block) = (None, None, None, None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word => element = Some(self.new_name(&part, Style::Snake)),
                Rule::missing_name => {
                    self.gap(&part, "a name for the element", EACH);
                }
                Rule::wrong_foreach | Rule::wrong_of => {
                    let place = self.span(&part);
                    let instead = if part.as_rule() == Rule::wrong_of { "in" } else { "for each" };
                    let title = format!("`{}` is written `{instead}` here", word(&part));
                    self.report(codes::FOREIGN_WORD, place, title, "", EACH);
                }
                Rule::missing_word if element.is_none() => {
                    self.gap(&part, "`each` behind `for`", EACH);
                }
                Rule::missing_word => {
                    self.gap(&part, "`in` behind the element's name", EACH);
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
                    count = self.number_slot(&part, &mut inner, Wanted::Count, "a number behind `at most`");
                }
                Rule::missing_word => {
                    self.gap(&part, "`at most 5 at once` here", "write `for each x in list, at most 5 at once { … }`");
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
                    times = self.number_slot(&part, &mut inner, Wanted::Count, "how many times, behind `at most`");
                }
                Rule::missing_word if times.is_none() => self.gap(&part, "`at most` behind `repeat`", FORM),
                Rule::missing_word => self.gap(&part, "`times` behind the number", FORM),
                Rule::block | Rule::missing_block => block = Some(self.block_slot(part, "`times`")),
                Rule::until => {
                    has_until = true;
                    until =
                        part.into_inner().next().and_then(|part| self.expr_slot(part, "a condition behind `until`"));
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
            let hint = "add `otherwise { fail \"code\" }`, or `otherwise { }` to go on";
            self.report(codes::MISSING_OTHERWISE, keyword, title, "and when the last round was not enough?", hint);
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
            let hint = words::TRY;
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

    /// Whether a part of an `await` is there for the first time; also said is what should stand before another one.
    fn is_next_of_await(&mut self, part: &Pair<'_>, parts: &mut Vec<(u8, &str, Span)>) -> bool {
        let span = self.span(part);
        let (rank, what) = match part.as_rule() {
            Rule::alias => (0, "`as`"),
            Rule::filter => (1, "`where`"),
            _ => (2, "`within`"),
        };
        let earlier = parts.iter().find(|(known, ..)| *known == rank).map(|(.., span)| *span);
        if !self.once(earlier, span, what) {
            return false;
        }
        if let Some((_, before, earlier)) = parts.iter().find(|(known, ..)| *known > rank) {
            let hint = "the order is: the signal, `as`, `where`, `within`, `otherwise`";
            self.out_of_order((span, what), (*earlier, before), hint);
        }
        parts.push((rank, what, span));
        true
    }

    fn await_signal(&mut self, pair: Pair<'_>, span: Span) -> Option<Await> {
        const FORM: &str = words::AWAIT;
        let (mut signal, mut alias, mut filter, mut within, mut otherwise) = (None, None, None, None, None);
        let (mut has_within, mut has_otherwise) = (false, false);
        let mut parts = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::alias | Rule::filter | Rule::time if !self.is_next_of_await(&part, &mut parts) => {}
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
                Rule::time => {
                    has_within = true;
                    for length in part.into_inner().filter(|part| part.as_rule() != Rule::kw_within) {
                        within = self.expr_slot(length, "a duration behind `within`");
                    }
                }
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
                FORM,
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
                    let span = self.span(&part);
                    self.report(codes::FOREIGN_WORD, span, "no `for` behind `sleep`", "remove it", "write `sleep 30m`");
                }
                Rule::expr | Rule::missing_expr => {
                    expr = self
                        .expr_slot(part, if until { "an instant behind `until`" } else { "a duration behind `sleep`" });
                }
                _ => {}
            }
        }
        Some(Sleep { until, expr: expr? })
    }

    fn let_value(&mut self, pair: Pair<'_>) -> Option<Let> {
        let (mut name, mut value) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word => name = Some(self.new_name(&part, Style::Snake)),
                Rule::missing_name => self.gap(&part, "a name behind `let`", "write `let name = value`"),
                Rule::missing_word => self.gap(&part, "`=` behind the name", "write `let name = value`"),
                Rule::wrong_colon => {
                    let place = self.span(&part);
                    self.report(codes::SEPARATOR, place, "`let` takes `=`", "", "write `let name = value`");
                }
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
                Rule::expr | Rule::missing_expr => message = self.expr_slot(part, "a message behind `,`"),
                _ => code = self.text_slot(&part, "a code", "a code in quotes behind `fail`"),
            }
        }
        Some(Fail { code: code?, message })
    }
}
