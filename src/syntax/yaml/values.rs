//! Scalars where the language wants a name, a text, a number, a duration or an expression.

use compact_str::CompactString;

use super::keys::{Entry, is_text};
use super::node::{Kind, Node, Places, Scalar, Style};
use super::relocate::Relocate;
use super::scalar::{Content, Plain, content, plain};
use super::{Reader, codes, offset};
use crate::diagnostic::{Diagnostic, Problems};
use crate::source::{FileId, Span};
use crate::syntax::build::lone::{self, Lone};
use crate::syntax::build::words::{self, misnamed};
use crate::syntax::limits::MAX_NESTING;
use crate::syntax::tree::{Expr, ExprKind, Literal, Name, Text};

impl Reader<'_> {
    /// A name where it is given.
    pub(super) fn new_name(&mut self, node: &Node, style: words::Style, what: &str) -> Option<Name> {
        let text = self.text(node, what)?;
        let name = Name { text: text.value.into(), span: text.span };
        self.named(&name, style);
        Some(name)
    }

    /// The key of an entry as the name that it gives.
    pub(super) fn key_name(&mut self, entry: &Entry<'_>, style: words::Style) -> Name {
        let name = Name { text: CompactString::from(entry.key), span: entry.at };
        self.named(&name, style);
        name
    }

    fn named(&mut self, name: &Name, style: words::Style) {
        if let Some(finding) = misnamed(name, style) {
            // A text that cannot be a word stands in no expression.
            let is_word = name.text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            self.incomplete |= !is_word;
            self.problems.push(finding);
        }
    }

    /// A name where it is used.
    pub(super) fn name(&mut self, node: &Node, what: &str) -> Option<Name> {
        let text = self.text(node, what)?;
        if !text.value.starts_with(|c: char| c.is_ascii_alphabetic())
            || !text.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            let hint = "a name consists of `a` to `z`, `0` to `9` and `_`";
            self.report(codes::EXPECTED, text.span, format!("expected {what}"), "is no name", hint);
            return None;
        }
        Some(Name { text: text.value.into(), span: text.span })
    }

    /// A literal text: a topic, a code, a title.
    pub(super) fn text(&mut self, node: &Node, what: &str) -> Option<Text> {
        let Some(scalar) = node.scalar() else {
            self.expected(what, node, "write it on the line of its key");
            return None;
        };
        if scalar.text.is_empty() {
            self.report(codes::EXPECTED, node.span, format!("expected {what}"), "nothing is written here", "");
            return None;
        }
        if !is_text(scalar) {
            self.no_text(node, scalar, what);
            return None;
        }
        match content(&scalar.text) {
            Content::Literal(value) => Some(Text { value: value.into_owned(), span: node.span }),
            Content::Expression(..) | Content::Mixed(_) | Content::Unclosed(_) => {
                let title = format!("expected {what}, and this is an expression");
                let hint = "write the text itself; a text that holds `${` is written with `$${`";
                self.report(codes::EXPRESSION_OUT_OF_PLACE, node.span, title, "is known before a saga runs", hint);
                None
            }
        }
    }

    /// A plain scalar that is something else than a text to some reader of YAML, where a text is wanted.
    fn no_text(&mut self, node: &Node, scalar: &Scalar, what: &str) {
        let finding = trap(node.span, &scalar.text);
        self.refuse(finding.unwrap_or_else(|| {
            let is = match plain(&scalar.text) {
                Plain::Bool(_) => "a truth value",
                Plain::Null => "null",
                Plain::Duration => "a duration",
                _ => "a number",
            };
            Diagnostic::error(
                codes::YAML_AMBIGUOUS,
                node.span,
                format!("`{}` is {is}, and {what} is wanted", scalar.text),
            )
            .hint(format!("write it in quotes: `\"{}\"`", scalar.text))
        }));
    }

    /// A part of the grammar that a scalar holds, quoted or not.
    pub(super) fn part<T: Relocate>(
        &mut self,
        node: &Node,
        what: &str,
        read: impl FnOnce(FileId, &str) -> Lone<T>,
    ) -> Option<T> {
        let Some(scalar) = node.scalar() else {
            self.expected(what, node, "write it on the line of its key");
            return None;
        };
        if matches!(content(&scalar.text), Content::Expression(..)) {
            let title = format!("expected {what}, and this is an expression");
            self.report(codes::EXPRESSION_OUT_OF_PLACE, node.span, title, "is known before a saga runs", "");
            return None;
        }
        let lone = read(self.file, &scalar.text);
        self.placed(node, scalar, 0, lone)
    }

    /// A number or a duration, which stands without quotes.
    pub(super) fn plain_part<T: Relocate>(
        &mut self,
        node: &Node,
        what: &str,
        read: impl FnOnce(FileId, &str) -> Lone<T>,
    ) -> Option<T> {
        if let Some(scalar) = node.scalar().filter(|scalar| scalar.style != Style::Plain) {
            let hint = format!("write `{}` without quotes", scalar.text.trim());
            self.problems.push(
                Diagnostic::error(codes::NUMBER_STYLE, node.span, "a number has no quotes")
                    .here("this is a string")
                    .hint(hint),
            );
        }
        self.part(node, what, read)
    }

    /// `10s`
    pub(super) fn duration(&mut self, node: &Node, what: &str) -> Option<Literal> {
        let (from, to) = self.plain_part(node, what, lone::range)?;
        if let Some(to) = to {
            self.report(
                codes::EXPECTED,
                to.span,
                format!("expected {what}"),
                "one is enough",
                "a range stands behind `every`",
            );
        }
        Some(from)
    }

    /// Moves what was read in a scalar, from `skipped` bytes on, to where it stands.
    fn placed<T: Relocate>(&mut self, node: &Node, scalar: &Scalar, skipped: usize, lone: Lone<T>) -> Option<T> {
        let Lone { mut value, problems, incomplete } = lone;
        let places = Places::of(self.text, node, scalar);
        let skipped = offset(skipped);
        let place = |span: Span| places.span(node.span, span.start + skipped, span.end + skipped);
        value.relocate(&place);
        self.incomplete |= incomplete;
        let mut moved = Problems::default();
        for mut finding in problems.sorted() {
            finding.labels.iter_mut().for_each(|label| label.span = place(label.span));
            moved.push(finding);
        }
        self.problems.extend(moved);
        value
    }

    /// An expression in `${ … }`, or a literal; maps are objects, lists are lists.
    pub(super) fn expr(&mut self, node: &Node) -> Option<Expr> {
        match &node.kind {
            Kind::Scalar(scalar) => self.scalar_expr(node, scalar),
            Kind::List(nodes) => {
                if !self.deeper(node.span) {
                    return None;
                }
                let elements = nodes.iter().filter_map(|node| self.expr(node)).collect();
                self.depth -= 1;
                Some(Expr { kind: ExprKind::List(elements), span: node.span })
            }
            Kind::Map(_) => self.object(node),
        }
    }

    /// A payload: a map of values.
    pub(super) fn object(&mut self, node: &Node) -> Option<Expr> {
        let entries =
            self.entries(node, "a map of values", "write `{ key: value }`, or each key on a line of its own")?;
        if !self.deeper(node.span) {
            return None;
        }
        let mut fields = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = Name { text: entry.key.into(), span: entry.at };
            fields.extend(self.expr(entry.value).map(|value| (key, value)));
        }
        self.depth -= 1;
        Some(Expr { kind: ExprKind::Object(fields), span: node.span })
    }

    /// Goes one level down; false where there are too many.
    pub(super) fn deeper(&mut self, span: Span) -> bool {
        if self.depth >= MAX_NESTING {
            let here = format!("level {}; at most {MAX_NESTING} are allowed", MAX_NESTING + 1);
            let hint = "move a part of it out: a `let` for an expression, a type for a record";
            self.report(codes::TOO_DEEP, span, "this nests too deep", &here, hint);
            return false;
        }
        self.depth += 1;
        true
    }

    fn scalar_expr(&mut self, node: &Node, scalar: &Scalar) -> Option<Expr> {
        let span = node.span;
        let at = |reader: &Self, from: usize, to: usize| {
            Places::of(reader.text, node, scalar).span(span, offset(from), offset(to))
        };
        match content(&scalar.text) {
            Content::Expression(inner, from) => {
                let lone = lone::expr(self.file, inner);
                return self.placed(node, scalar, from, lone);
            }
            Content::Mixed(from) => {
                let place = at(self, from, from + 2);
                self.report(
                    codes::EXPRESSION_MIXED,
                    place,
                    "text around an expression",
                    "`${ … }` stands alone in its value",
                    "join texts inside of it: `${ \"order \" + input.id }`; a literal `${` is written `$${`",
                );
                return None;
            }
            Content::Unclosed(from) => {
                let place = at(self, from, from + 2);
                self.report(
                    codes::EXPRESSION_NOT_CLOSED,
                    place,
                    "this expression is not closed",
                    "begins here, and no `}` ends it",
                    "write `${ … }`, in quotes where it stands in `{ … }` or `[ … ]`; a literal `${` is written `$${`",
                );
                return None;
            }
            Content::Literal(value) if scalar.style != Style::Plain => {
                return Some(Expr { kind: ExprKind::Text(value.into_owned()), span });
            }
            Content::Literal(_) => {}
        }
        let text = scalar.text.as_str();
        let kind = match plain(text) {
            Plain::Null => ExprKind::Null,
            Plain::Bool(value) => ExprKind::Bool(value),
            Plain::Int => number(text, span, ExprKind::Int),
            Plain::Decimal => number(text, span, ExprKind::Decimal),
            Plain::Duration => ExprKind::Duration(text.into()),
            Plain::Text => match content(text) {
                Content::Literal(value) => ExprKind::Text(value.into_owned()),
                _ => return None,
            },
            Plain::WordOfSome | Plain::NumberOfSome => {
                if let Some(finding) = trap(span, text) {
                    self.refuse(finding);
                }
                return None;
            }
        };
        Some(Expr { kind, span })
    }
}

fn number(text: &str, span: Span, kind: impl FnOnce(CompactString) -> ExprKind) -> ExprKind {
    match text.strip_prefix('-') {
        Some(digits) => {
            let inner = Span { start: span.start + 1, ..span };
            ExprKind::Negate(Box::new(Expr { kind: kind(digits.into()), span: inner }))
        }
        None => kind(text.into()),
    }
}

/// The finding for a plain scalar that readers of YAML take for different things.
fn trap(span: Span, text: &str) -> Option<Diagnostic> {
    let finding = |title: String| Diagnostic::error(codes::YAML_AMBIGUOUS, span, title);
    match plain(text) {
        Plain::WordOfSome => {
            let is = match text.to_ascii_lowercase().as_str() {
                "yes" | "on" | "y" | "true" => "true",
                "null" => "null",
                _ => "false",
            };
            Some(
                finding(format!("`{text}` is `{is}` to some readers of YAML, and a text to others"))
                    .here("which of the two?")
                    .hint(format!("write `\"{text}\"` for the text, or `{is}`")),
            )
        }
        Plain::NumberOfSome => Some(
            finding(format!("`{text}` is a number to some readers of YAML, and something else to others"))
                .here("which of the two?")
                .hint(format!("write `\"{text}\"` for the text; numbers are digits only, as in `42` and `0.50`")),
        ),
        _ => None,
    }
}
