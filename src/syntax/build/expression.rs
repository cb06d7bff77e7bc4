//! Expressions: the grammar gives operands and operators in a row, here they get their ranks.

use compact_str::CompactString;

use super::operators::{RANK_COMPARE, RANK_NOT, operator};
use super::{Builder, NumberKind, Pair, Pairs, Rule, word};
use crate::diagnostic::codes;
use crate::source::Span;
use crate::syntax::limits::MAX_NESTING;
use crate::syntax::tree::{Expr, ExprKind, Name};

/// An expression with what its surroundings need to know of it.
struct Built {
    expr: Expr,
    depth: usize,
    form: Form,
}

/// What cannot stand beside some operators without parentheses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Comparison,
    Not,
    Choice,
}

impl Builder<'_> {
    /// An expression (`expr`).
    pub(super) fn expr(&mut self, pair: Pair<'_>) -> Expr {
        self.built(pair).expr
    }

    /// An expression or its gap; `expected` completes "expected …".
    pub(super) fn expr_slot(&mut self, pair: Pair<'_>, expected: &str) -> Option<Expr> {
        if pair.as_rule() == Rule::missing_expr {
            self.gap(&pair, expected, "");
            return None;
        }
        Some(self.expr(pair))
    }

    fn built(&mut self, pair: Pair<'_>) -> Built {
        let mut inner = pair.into_inner();
        let built = self.rank(&mut inner, 0);
        for rest in inner {
            if rest.as_rule() == Rule::wrong_ternary {
                let span = self.span(&rest);
                let place = Span { end: span.start + 1, ..span };
                self.incomplete = true;
                self.report(
                    codes::OPERATOR,
                    place,
                    "`? :` is not known here",
                    "",
                    "write `if condition then a else b`",
                );
            }
        }
        built
    }

    /// Operators of at least the rank `least`, by precedence climbing.
    fn rank(&mut self, inner: &mut Pairs<'_>, least: u8) -> Built {
        self.ranks += 1;
        let mut left = self.operand(inner);
        while let Some(next) = inner.peek().filter(|next| next.as_rule() == Rule::infix) {
            let written = word(&next);
            let (op, rank) = operator(written);
            if rank < least {
                break;
            }
            inner.next();
            let span = self.span(&next);
            self.foreign_operator(written, span);
            if rank == RANK_COMPARE && left.form == Form::Comparison {
                let hint = "write `a < b && b < c`";
                self.report(
                    codes::CHAINED_COMPARISON,
                    span,
                    "comparisons cannot be chained",
                    "compares the result of the first",
                    hint,
                );
            }
            let right = self.rank(inner, rank + 1);
            if right.form == Form::Choice || (right.form == Form::Not && rank > RANK_NOT) {
                let title = format!("`{}` needs parentheses here", if right.form == Form::Choice { "if" } else { "!" });
                let hint = "put it into parentheses: `( … )`";
                self.report(codes::PARENTHESES, right.expr.span, title, "", hint);
            }
            let depth = left.depth.max(right.depth) + 1;
            let whole = left.expr.span.to(right.expr.span);
            if depth > MAX_NESTING {
                left = self.too_deep(inner, &left);
                break;
            }
            left = Built {
                expr: Expr { kind: ExprKind::Binary(op, span, Box::new((left.expr, right.expr))), span: whole },
                depth,
                form: if rank == RANK_COMPARE { Form::Comparison } else { Form::Plain },
            };
        }
        self.ranks -= 1;
        left
    }

    /// Reports a tree that is too deep, and skips the rest of its row.
    fn too_deep(&mut self, inner: &mut Pairs<'_>, left: &Built) -> Built {
        self.incomplete = true;
        for rest in inner.by_ref() {
            drop(rest);
        }
        let span = left.expr.span;
        let here = format!("more than {MAX_NESTING} operators inside each other");
        self.report(codes::TOO_DEEP, span, "this expression is too deep", &here, "name a part of it with `let`");
        Built { expr: Expr { kind: ExprKind::Null, span }, depth: 1, form: Form::Plain }
    }

    /// Prefixes, a value, and what is looked up in it.
    fn operand(&mut self, inner: &mut Pairs<'_>) -> Built {
        let mut prefixes: Vec<(bool, Span)> = Vec::new();
        while let Some(next) = inner.peek().filter(|next| next.as_rule() == Rule::prefix) {
            inner.next();
            let span = self.span(&next);
            if word(&next) == "not" {
                self.report(codes::OPERATOR, span, "`not` is written `!`", "", "write `!`");
            }
            let not = word(&next) != "-";
            prefixes.push((not, span));
            // What stands behind `!` is an expression with prefixes of its own.
            if not {
                break;
            }
        }
        if prefixes.len() > MAX_NESTING || self.ranks > MAX_NESTING {
            let span = prefixes.first().map(|(_, span)| *span).or_else(|| inner.peek().map(|next| self.span(&next)));
            let expr = Expr { kind: ExprKind::Null, span: span.unwrap_or_default() };
            return self.too_deep(inner, &Built { expr, depth: 1, form: Form::Plain });
        }
        // `!` takes the comparison behind it, `-` only the value.
        let mut built = match prefixes.last() {
            Some((true, _)) => self.rank(inner, RANK_NOT),
            Some((false, _)) | None => self.value(inner),
        };
        for (not, span) in prefixes.into_iter().rev() {
            let whole = span.to(built.expr.span);
            let operand = Box::new(built.expr);
            let kind = if not { ExprKind::Not(operand) } else { ExprKind::Negate(operand) };
            let form = if not { Form::Not } else { Form::Plain };
            built = Built { expr: Expr { kind, span: whole }, depth: built.depth + 1, form };
        }
        if built.depth > MAX_NESTING { self.too_deep(inner, &built) } else { built }
    }

    fn value(&mut self, inner: &mut Pairs<'_>) -> Built {
        let Some(first) = inner.next() else {
            return Built { expr: Expr { kind: ExprKind::Null, span: Span::default() }, depth: 1, form: Form::Plain };
        };
        let mut built = self.primary(first, inner);
        if built.depth > MAX_NESTING {
            return self.too_deep(inner, &built);
        }
        let is_postfix = |next: &Pair<'_>| matches!(next.as_rule(), Rule::member | Rule::index | Rule::arguments);
        while let Some(next) = inner.peek().filter(is_postfix) {
            inner.next();
            if next.as_rule() == Rule::arguments {
                self.no_function("this", built.expr.span);
                continue;
            }
            let whole = built.expr.span.to(self.span(&next));
            let mut postfix = next.clone().into_inner();
            let Some(first) = postfix.next() else { continue };
            built = match first.as_rule() {
                Rule::path => fields(built, self.names(&first)),
                Rule::string => {
                    let key = self.key(&first);
                    fields(built, [key])
                }
                _ => {
                    let (kind, inside) = self.index(&first, built.expr);
                    let depth = (built.depth + 1).max(inside + 1);
                    Built { expr: Expr { kind, span: whole }, depth, form: Form::Plain }
                }
            };
            self.junk_elements(postfix, "`]`");
            if built.depth > MAX_NESTING {
                return self.too_deep(inner, &built);
            }
        }
        built
    }

    /// `[*]` or `[index]`, and the depth of the index.
    fn index(&mut self, pair: &Pair<'_>, of: Expr) -> (ExprKind, usize) {
        match pair.as_rule() {
            Rule::every => (ExprKind::Every(Box::new(of)), 0),
            Rule::missing_expr => {
                self.gap(pair, "an index", "write `[0]`, `[\"key\"]`, or `[*]` for every element");
                (ExprKind::Every(Box::new(of)), 0)
            }
            _ => {
                let index = self.built(pair.clone());
                (ExprKind::Index(Box::new(of), Box::new(index.expr)), index.depth)
            }
        }
    }

    fn primary(&mut self, pair: Pair<'_>, inner: &mut Pairs<'_>) -> Built {
        let span = self.span(&pair);
        let plain = |kind| Built { expr: Expr { kind, span }, depth: 1, form: Form::Plain };
        match pair.as_rule() {
            Rule::string => plain(ExprKind::Text(self.text(&pair).value)),
            Rule::number => {
                let unit = inner.peek().filter(|next| next.as_rule() == Rule::wrong_unit);
                if unit.is_some() {
                    inner.next();
                }
                let (kind, literal) = self.number(&pair, unit.as_ref());
                let kind = match kind {
                    NumberKind::Int => ExprKind::Int(literal.text),
                    NumberKind::Decimal => ExprKind::Decimal(literal.text),
                    NumberKind::Duration => ExprKind::Duration(literal.text),
                };
                Built { expr: Expr { kind, span: literal.span }, depth: 1, form: Form::Plain }
            }
            Rule::path | Rule::dotted => self.named(&pair, inner),
            Rule::object => self.object_built(pair),
            Rule::list => {
                let (elements, depth) = self.elements(pair.into_inner());
                Built { expr: Expr { kind: ExprKind::List(elements), span }, depth: depth + 1, form: Form::Plain }
            }
            Rule::paren => {
                let mut inside = pair.into_inner();
                let built = match inside.next() {
                    Some(first) if first.as_rule() == Rule::expr => self.built(first),
                    Some(gap) => {
                        self.gap(&gap, "a value in the parentheses", "");
                        plain(ExprKind::Null)
                    }
                    None => plain(ExprKind::Null),
                };
                self.junk_elements(inside, "`)`");
                Built { expr: Expr { kind: built.expr.kind, span }, depth: built.depth, form: Form::Plain }
            }
            Rule::choose => self.choose(pair, span),
            _ => {
                self.gap(&pair, "a value behind the operator", "");
                plain(ExprKind::Null)
            }
        }
    }

    /// A name or a path; with arguments, a function.
    fn named(&mut self, path: &Pair<'_>, inner: &mut Pairs<'_>) -> Built {
        let span = self.span(path);
        let Some(arguments) = inner.peek().filter(|next| next.as_rule() == Rule::arguments) else {
            let first = self.names(path).next().unwrap_or(Name { text: CompactString::default(), span });
            let kind = match first.text.as_str() {
                "true" => ExprKind::Bool(true),
                "false" => ExprKind::Bool(false),
                "null" => ExprKind::Null,
                _ => self.foreign_value(first.text, first.span),
            };
            let base = Built { expr: Expr { kind, span: first.span }, depth: 1, form: Form::Plain };
            return fields(base, self.names(path).skip(1));
        };
        inner.next();
        let whole = span.to(self.span(&arguments));
        let (elements, depth) = self.elements(arguments.into_inner());
        let name = Name { text: word(path).into(), span };
        if name.text.contains('.') {
            self.no_function(&format!("`{}`", name.text), span);
        }
        Built { expr: Expr { kind: ExprKind::Call(name, elements), span: whole }, depth: depth + 1, form: Form::Plain }
    }

    fn no_function(&mut self, what: &str, span: Span) {
        self.incomplete = true;
        let hint = "functions have plain names and take what they work on: `count(input.items)`";
        self.report(codes::EXPECTED, span, format!("{what} is not a function"), "takes no arguments", hint);
    }

    /// `True`, `nil`: constants of other languages; anything else is a name.
    fn foreign_value(&mut self, text: CompactString, span: Span) -> ExprKind {
        let (kind, instead) = match text.as_str() {
            "True" | "TRUE" => (ExprKind::Bool(true), "true"),
            "False" | "FALSE" => (ExprKind::Bool(false), "false"),
            "None" | "nil" | "NULL" | "Null" | "undefined" => (ExprKind::Null, "null"),
            _ => return ExprKind::Name(text),
        };
        self.report(
            codes::OPERATOR,
            span,
            format!("`{text}` is written `{instead}`"),
            "",
            format!("write `{instead}`"),
        );
        kind
    }

    fn choose(&mut self, pair: Pair<'_>, span: Span) -> Built {
        let mut parts = Vec::with_capacity(3);
        let mut depth = 0;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr => {
                    let built = self.built(part);
                    depth = built.depth.max(depth);
                    parts.push(built.expr);
                }
                Rule::missing_expr => {
                    let expected = match parts.len() {
                        0 => "a condition behind `if`",
                        1 => "a value behind `then`",
                        _ => "a value behind `else`",
                    };
                    self.gap(&part, expected, "");
                    parts.push(Expr { kind: ExprKind::Null, span: self.span(&part) });
                }
                Rule::missing_word => {
                    let expected =
                        if parts.len() == 1 { "`then` behind the condition" } else { "`else` behind the first value" };
                    self.gap(&part, expected, "write `if condition then a else b`; both values are needed");
                }
                _ => {}
            }
        }
        let mut parts = parts.into_iter();
        let mut part = || parts.next().unwrap_or(Expr { kind: ExprKind::Null, span });
        let kind = ExprKind::If(Box::new((part(), part(), part())));
        Built { expr: Expr { kind, span }, depth: depth + 1, form: Form::Choice }
    }

    /// `{ key: value, … }`
    pub(super) fn object(&mut self, pair: Pair<'_>) -> Expr {
        self.object_built(pair).expr
    }

    fn object_built(&mut self, pair: Pair<'_>) -> Built {
        let span = self.span(&pair);
        let mut depth = 0;
        let mut entries: Vec<(Name, Expr)> = Vec::new();
        let mut key: Option<Name> = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word | Rule::string => key = Some(self.key(&part)),
                Rule::wrong_equals => {
                    let place = self.span(&part);
                    self.report(
                        codes::SEPARATOR,
                        place,
                        "keys are followed by `:`",
                        "`=` is for `let`",
                        "write `key: value`",
                    );
                }
                Rule::expr => {
                    let built = self.built(part);
                    depth = depth.max(built.depth);
                    entries.extend(key.take().map(|key| (key, built.expr)));
                }
                Rule::junk_entry => self.junk_entry(&part),
                _ => {
                    let name = key.as_ref().map_or(String::new(), |key| format!(" for `{}`", key.text));
                    self.gap(&part, &format!("a value{name}"), "");
                }
            }
        }
        Built { expr: Expr { kind: ExprKind::Object(entries), span }, depth: depth + 1, form: Form::Plain }
    }

    fn junk_entry(&mut self, pair: &Pair<'_>) {
        let span = self.span(pair);
        let text = self.written(pair).trim_end_matches(',').trim_end().to_owned();
        if text.is_empty() {
            self.report(codes::SEPARATOR, span, "a `,` too many", "separates nothing", "remove it");
            return;
        }
        if self.silent(pair) {
            return;
        }
        self.incomplete = true;
        if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            let hint = format!("write `{text}: …`");
            self.report(
                codes::EXPECTED,
                span,
                "expected `key: value`",
                "a value without a key, or a key without a value",
                hint,
            );
        } else {
            self.report(
                codes::EXPECTED,
                span,
                "expected `key: value`",
                "cannot be read as that",
                "fields are written `key: value`, separated by `,`",
            );
        }
    }

    /// Elements of a list or arguments, which `,` separates; and the greatest depth.
    fn elements(&mut self, inner: Pairs<'_>) -> (Vec<Expr>, usize) {
        let mut elements: Vec<Expr> = Vec::new();
        let mut depth = 0;
        let mut separated = true;
        let mut comma: Option<Span> = None;
        for part in inner {
            match part.as_rule() {
                Rule::expr => {
                    let start = self.span(&part);
                    if !separated {
                        let place = Span { end: start.start + 1, ..start };
                        self.report(
                            codes::SEPARATOR,
                            place,
                            "expected `,` between the elements",
                            "the next begins here",
                            "add `,`",
                        );
                    }
                    let built = self.built(part);
                    depth = depth.max(built.depth);
                    elements.push(built.expr);
                    separated = false;
                    comma = None;
                }
                Rule::comma => {
                    let span = self.span(&part);
                    if separated {
                        self.report(codes::SEPARATOR, span, "a `,` too many", "separates nothing", "remove it");
                    } else {
                        comma = Some(span);
                    }
                    separated = true;
                }
                _ => {
                    let span = self.span(&part);
                    if !self.silent(&part) {
                        self.incomplete = true;
                        self.report(
                            codes::EXPECTED,
                            span,
                            "expected a value",
                            "cannot be read as one",
                            "elements are separated by `,`",
                        );
                    }
                    separated = false;
                    comma = None;
                }
            }
        }
        if let Some(span) = comma {
            self.report(codes::SEPARATOR, span, "a `,` too many", "nothing follows", "remove it");
        }
        (elements, depth)
    }

    /// What stands where a bracket should have closed.
    pub(super) fn junk_elements(&mut self, inner: Pairs<'_>, expected: &str) {
        for junk in inner.filter(|pair| pair.as_rule() == Rule::junk_list) {
            if !self.silent(&junk) {
                self.incomplete = true;
                let span = self.span(&junk);
                let title = format!("expected {expected}");
                self.report(codes::EXPECTED, span, title, "cannot follow here", "is an operator or a `,` missing?");
            }
        }
    }
}

/// Looks up a field, and in that the next.
fn fields(mut of: Built, names: impl IntoIterator<Item = Name>) -> Built {
    for name in names {
        let span = of.expr.span.to(name.span);
        let kind = ExprKind::Field(Box::new(of.expr), name);
        of = Built { expr: Expr { kind, span }, depth: of.depth + 1, form: Form::Plain };
    }
    of
}
