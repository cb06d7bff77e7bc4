//! Expressions: literals, names, and the way into values.
//!
//! Types flow both ways: the place says what it wants, so that a literal is read as that; what comes out is compared
//! with it. Depth and number of nodes are limited here, which bounds what evaluation can cost.

use compact_str::CompactString;

use super::operators::Site;
use super::participants::is_unknown;
use super::scope::{Kind, Place};
use super::{Lowering, listed, near};
use crate::definition::expression::{Expr, PathSegment, Read, Root, Typed};
use crate::definition::json::{decimal, duration_literal, int_literal, timestamp};
use crate::definition::limits::{MAX_DURATION, MAX_EXPRESSION_NODES};
use crate::definition::types::Type;
use crate::definition::value::Value;
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::tree::{self, ExprKind};
use crate::time::millis;

/// What could not be resolved: silent from here on.
pub(super) fn unknown(span: Span) -> Typed {
    Typed { expr: Expr::Literal(Value::Null), ty: Type::Unknown, span, overflow: None }
}

pub(super) fn literal(value: Value, ty: Type, span: Span) -> Typed {
    Typed { expr: Expr::Literal(value), ty, span, overflow: None }
}

impl Lowering<'_> {
    /// An expression where any type will do.
    pub(super) fn expression(&mut self, written: &tree::Expr) -> Typed {
        self.nodes = 0;
        self.expr(written, None)
    }

    /// An expression where `wanted` is wanted.
    pub(super) fn expression_of(&mut self, written: &tree::Expr, wanted: &Type) -> Typed {
        self.nodes = 0;
        let typed = self.expr(written, Some(wanted));
        self.coerce(typed, wanted)
    }

    pub(super) fn expr(&mut self, written: &tree::Expr, wanted: Option<&Type>) -> Typed {
        let span = written.span;
        self.nodes += 1;
        if self.nodes > MAX_EXPRESSION_NODES {
            // Said once: everything further in has no type and is silent.
            if self.nodes == MAX_EXPRESSION_NODES + 1 {
                let title =
                    format!("an expression may have {MAX_EXPRESSION_NODES} operators and values, and this has more");
                self.report(Diagnostic::error(codes::TOO_LARGE, span, title).hint("name parts of it with `let`"));
            }
            return unknown(span);
        }
        match &written.kind {
            ExprKind::Text(text) => self.text(text, wanted, span),
            ExprKind::Int(text) => self.int(text, wanted, span),
            ExprKind::Decimal(text) => self.decimal(text, span),
            ExprKind::Duration(text) => {
                let literal_of = tree::Literal { text: text.clone(), span };
                match self.duration(&literal_of) {
                    Some(duration) => {
                        let value = i64::try_from(millis(duration)).unwrap_or(i64::MAX);
                        literal(Value::Duration(value), Type::Duration, span)
                    }
                    None => unknown(span),
                }
            }
            ExprKind::Bool(value) => literal(Value::Bool(*value), Type::Bool, span),
            ExprKind::Null => literal(Value::Null, Type::Unknown.optional(), span),
            ExprKind::Name(name) => self.name(name, span),
            ExprKind::Field(base, key) => self.field(base, key, span),
            ExprKind::Every(list) => {
                let list = self.expr(list, None);
                self.every(list, span)
            }
            ExprKind::Index(base, key) => self.index(base, key, span),
            ExprKind::Call(function, arguments) => self.call(function, arguments, span),
            ExprKind::Object(fields) => self.object(fields, wanted, span),
            ExprKind::List(elements) => self.list(elements, wanted, span),
            ExprKind::Not(inner) => self.not(inner, span),
            ExprKind::Negate(inner) => self.negate(inner, wanted, span),
            ExprKind::Binary(op, sign, operands) => self.binary(*op, operands, wanted, Site { span, sign: *sign }),
            ExprKind::If(parts) => self.choose(parts, wanted, span),
        }
    }

    fn text(&mut self, text: &str, wanted: Option<&Type>, span: Span) -> Typed {
        match wanted.map(Type::required) {
            Some(Type::Choice(words)) => {
                if let Some(word) = words.iter().find(|word| *word == text) {
                    return literal(Value::String(word.clone()), Type::Choice(words.clone()), span);
                }
                let finding = Diagnostic::error(
                    codes::UNKNOWN_WORD_OF_CHOICE,
                    span,
                    format!("\"{text}\" is not one of the words"),
                );
                let words = words.iter().map(CompactString::as_str);
                self.report(match near(text, words.clone()) {
                    Some(meant) => finding.hint(format!("did you mean \"{meant}\"?")),
                    None => finding.hint(format!("the words are {}", listed(words))),
                });
                unknown(span)
            }
            Some(Type::Timestamp) => {
                if let Some(instant) = timestamp(text) {
                    literal(Value::Timestamp(instant), Type::Timestamp, span)
                } else {
                    let title = format!("\"{text}\" is not a timestamp");
                    self.report(
                        Diagnostic::error(codes::TYPE_MISMATCH, span, title)
                            .hint("write it as RFC 3339 has it, from 1970 on: \"2026-11-23T21:00:00Z\""),
                    );
                    unknown(span)
                }
            }
            // A decimal is a text in JSON, so that no reader makes a float of it.
            Some(Type::Decimal) if decimal(text).is_some() => self.decimal(text, span),
            _ => literal(Value::String(text.into()), Type::String, span),
        }
    }

    fn int(&mut self, text: &CompactString, wanted: Option<&Type>, span: Span) -> Typed {
        if wanted.is_some_and(|wanted| *wanted.required() == Type::Decimal) {
            return self.decimal(text, span);
        }
        if let Some(value) = int_literal(text) {
            return literal(Value::Int(value), Type::Int, span);
        }
        self.out_of_range(&tree::Literal { text: text.clone(), span }, "a number", &i64::MAX.to_string());
        unknown(span)
    }

    fn decimal(&mut self, text: &str, span: Span) -> Typed {
        let digits: CompactString = text.chars().filter(|c| *c != '_').collect();
        if let Some(value) = decimal(&digits) {
            return literal(Value::Decimal(value), Type::Decimal, span);
        }
        let title = format!("`{text}` has more digits than a decimal can hold");
        self.report(Diagnostic::error(codes::OUT_OF_RANGE, span, title).hint("write at most 28 digits"));
        unknown(span)
    }

    /// A duration literal within [`MAX_DURATION`].
    pub(super) fn duration(&mut self, written: &tree::Literal) -> Option<std::time::Duration> {
        let millis = duration_literal(&written.text).and_then(|millis| u64::try_from(millis).ok());
        let duration = millis.map(std::time::Duration::from_millis).filter(|duration| *duration <= MAX_DURATION);
        if duration.is_none() {
            self.out_of_range(written, "a duration", "36_525d");
        }
        duration
    }

    fn name(&mut self, name: &CompactString, span: Span) -> Typed {
        match name.as_str() {
            outside if outside == self.scope.outside() => match self.scope.input.clone() {
                Some(_) if self.scope.place == Place::Scenario => self.out_of_place("input", span),
                Some(record) if !is_unknown(&record) => {
                    let root = if outside == "event" { Root::Event } else { Root::Input };
                    let ty = Type::Record(record);
                    let read = Read { root, path: Vec::new(), ty: ty.clone() };
                    Typed { expr: Expr::Read(read), ty, span, overflow: None }
                }
                Some(_) | None => unknown(span),
            },
            "input" => self.out_of_place("input", span),
            "saga" => {
                let title = "`saga` alone is no value".to_owned();
                self.report(
                    Diagnostic::error(codes::ROOT_OUT_OF_PLACE, span, title).hint("write `saga.id` or `saga.started`"),
                );
                unknown(span)
            }
            "failure" => self.out_of_place("failure", span),
            "round" if !self.scope.rounds.is_empty() => {
                let read = Read { root: Root::Round, path: Vec::new(), ty: Type::Int };
                Typed { expr: Expr::Read(read), ty: Type::Int, span, overflow: None }
            }
            "round" | "previous" | "event" => self.out_of_place(name, span),
            _ => self.variable(name, span),
        }
    }

    /// A root where it means nothing.
    pub(super) fn out_of_place(&mut self, root: &str, span: Span) -> Typed {
        let (where_it_stands, hint) = match root {
            _ if self.scope.place == Place::Scenario => ("is not known in a scenario", "write the value itself"),
            "input" | "saga" | "id" => {
                ("is not known in a trigger, where there is no instance yet", "what came is `event`")
            }
            "failure" if self.scope.knows_failure() => {
                ("alone is no value", "write `failure.code`, `failure.step` or `failure.message`")
            }
            "failure" => (
                "is known in compensations and handlers only",
                "use it in the payload behind `compensate`, or in a `catch`",
            ),
            "previous" if !self.scope.rounds.is_empty() => {
                ("alone is no value", "write `previous.` and the name of a step, `let` or signal of the block")
            }
            "event" => ("is known in triggers only", "what a saga starts with is `input`"),
            _ => ("is known inside `repeat` only", "use a value from above"),
        };
        let finding = Diagnostic::error(codes::ROOT_OUT_OF_PLACE, span, format!("`{root}` {where_it_stands}"));
        self.report(finding.hint(hint));
        unknown(span)
    }

    fn variable(&mut self, name: &CompactString, span: Span) -> Typed {
        if self.scope.place == Place::Scenario {
            return self.out_of_place(name, span);
        }
        let Some(binding) = self.scope.bindings.get_mut(name) else {
            self.not_visible(name, span);
            return unknown(span);
        };
        binding.is_used = true;
        if binding.is_beside {
            let declared = binding.span;
            self.report(
                Diagnostic::error(codes::USED_BESIDE, span, format!("`{name}` runs at the same time"))
                    .here("used here")
                    .also(declared, "in another branch of the same `parallel`")
                    .why("The branches of a `parallel` start at once, so the value may not be there yet.")
                    .hint(format!("put this behind the `parallel`, or into one `sequence` with `{name}`")),
            );
            return unknown(span);
        }
        if binding.kind == Kind::Skipped {
            return unknown(span);
        }
        let read = Read { root: Root::Name(name.clone()), path: Vec::new(), ty: binding.ty.clone() };
        let ty = self.scope.narrowed(&read);
        Typed { expr: Expr::Read(Read { ty: ty.clone(), ..read }), ty, span, overflow: None }
    }

    fn not_visible(&mut self, name: &CompactString, span: Span) {
        if let Some(declared) = self.scope.everywhere.get(name).copied() {
            self.scope.used_early.insert(name.clone());
            if self.scope.signals.contains_key(name) {
                let title = format!("the signal `{name}` has not been awaited here");
                return self.report(
                    Diagnostic::error(codes::USED_TOO_EARLY, span, title)
                        .here("used here")
                        .also(declared, "declared here")
                        .why("A signal has a value only once it was awaited.")
                        .hint(format!("write above: `await {name} within 1h otherwise {{ … }}`")),
                );
            }
            let is_itself = declared.start <= span.start && self.scope.bindings.get_index_of(name).is_none();
            let title = if is_itself {
                format!("`{name}` is not there before its own step has ended")
            } else {
                format!("`{name}` is not there yet")
            };
            return self.report(
                Diagnostic::error(codes::USED_TOO_EARLY, span, title)
                    .here("used here")
                    .also(declared, "given here")
                    .why("Statements run in the order of the text.")
                    .hint("move what uses it below"),
            );
        }
        let finding = Diagnostic::error(codes::UNKNOWN_NAME, span, format!("nothing is called `{name}`"));
        let is_input = self.scope.input.as_ref().is_some_and(|input| input.field(name).is_some());
        let outside = self.scope.outside();
        if is_input {
            return self.report(finding.hint(format!("the {outside} has such a field: `{outside}.{name}`")));
        }
        let known = self.scope.bindings.keys().map(CompactString::as_str).chain([outside]);
        let meant = near(name, known).map(CompactString::from);
        if let Some(binding) = meant.as_ref().and_then(|meant| self.scope.bindings.get_mut(meant)) {
            binding.is_used = true;
        }
        self.report(match meant {
            Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
            None if outside == "event" => finding.hint("what came is `event`"),
            None => finding.hint("a value is `input`, a step, a `let` or an awaited signal above, by its name"),
        });
    }

    fn field(&mut self, base: &tree::Expr, key: &tree::Name, span: Span) -> Typed {
        let root = |root, ty: Type| {
            let read = Read { root, path: Vec::new(), ty: ty.clone() };
            Typed { expr: Expr::Read(read), ty, span, overflow: None }
        };
        match (&base.kind, key.text.as_str()) {
            (ExprKind::Name(name), _)
                if name == "saga" && matches!(self.scope.place, Place::Scenario | Place::Trigger) =>
            {
                return self.out_of_place("saga", span);
            }
            (ExprKind::Name(name), "id") if name == "saga" => return root(Root::SagaId, Type::String),
            (ExprKind::Name(name), "started") if name == "saga" => return root(Root::SagaStarted, Type::Timestamp),
            (ExprKind::Name(name), _) if name == "saga" => {
                self.unknown_field("`saga`", key, &["id", "started"]);
                return unknown(span);
            }
            (ExprKind::Name(name), _) if name == "previous" && !self.scope.rounds.is_empty() => {
                return self.previous(key, span);
            }
            (ExprKind::Name(name), field) if name == "failure" && self.scope.knows_failure() => {
                return match field {
                    "code" => root(Root::FailureCode, Type::String),
                    "step" => root(Root::FailureStep, Type::String),
                    "message" => {
                        let read = Read { root: Root::FailureMessage, path: Vec::new(), ty: Type::String.optional() };
                        root(Root::FailureMessage, self.scope.narrowed(&read))
                    }
                    _ => {
                        self.unknown_field("`failure`", key, &["code", "step", "message"]);
                        unknown(span)
                    }
                };
            }
            _ => {}
        }
        let typed = self.expr(base, None);
        if is_projection(base) {
            return self.project(typed, key, span);
        }
        let Some(inner) = self.field_type(&typed.ty, key, base) else { return unknown(span) };
        self.into(typed, PathSegment::Key(key.text.clone()), inner, span)
    }

    /// The type of a field, or a finding.
    fn field_type(&mut self, base: &Type, key: &tree::Name, written: &tree::Expr) -> Option<Type> {
        let what = || match &written.kind {
            ExprKind::Name(name) => format!("`{name}`"),
            ExprKind::Field(_, name) => format!("`{}`", name.text),
            _ => "this value".into(),
        };
        match base.required() {
            Type::Record(record) if is_unknown(record) => None,
            Type::Record(record) => {
                let found = record.field(&key.text).map(|field| field.ty.clone());
                if found.is_none() {
                    let fields: Vec<&str> = record.fields.iter().map(|field| field.key.as_str()).collect();
                    self.unknown_field(&what(), key, &fields);
                }
                found.filter(|ty| *ty != Type::Unknown)
            }
            Type::Unknown => None,
            other => {
                let hint = match other {
                    Type::List(_) => {
                        format!("a field of each element is `[*].{}`, of the first `[0].{}`", key.text, key.text)
                    }
                    Type::Map(_) => format!("write `[\"{}\"]`", key.text),
                    Type::Json => {
                        "`json` is passed on and not looked into: give it a type with the fields that you need".into()
                    }
                    _ => "use the value itself".into(),
                };
                let title = format!("{} is `{other}`, which has no fields", what());
                self.report(Diagnostic::error(codes::NO_FIELDS, key.span, title).hint(hint));
                None
            }
        }
    }

    fn unknown_field(&mut self, of_what: &str, key: &tree::Name, fields: &[&str]) {
        let finding =
            Diagnostic::error(codes::UNKNOWN_FIELD, key.span, format!("{of_what} has no field `{}`", key.text));
        self.report(match near(&key.text, fields.iter().copied()) {
            Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
            None if fields.is_empty() => finding.hint("it has no fields at all"),
            None => finding.hint(format!("it has {}", listed(fields.iter().copied()))),
        });
    }

    /// One segment further into a value; absent where the value is.
    fn into(&mut self, base: Typed, segment: PathSegment, inner: Type, span: Span) -> Typed {
        let ty = if base.ty.is_optional() { inner.optional() } else { inner };
        let overflow = base.overflow;
        match base.expr {
            Expr::Read(mut read) => {
                read.path.push(segment);
                read.ty = ty;
                read.ty = self.scope.narrowed(&read);
                Typed { ty: read.ty.clone(), expr: Expr::Read(read), span, overflow }
            }
            other => Typed { expr: Expr::Into(Box::new(other), segment, ty.clone()), ty, span, overflow },
        }
    }

    /// `xs[*]`
    fn every(&mut self, list: Typed, span: Span) -> Typed {
        match list.ty.required() {
            Type::List(element) => {
                let expr = Expr::Every(Box::new(list.expr), Vec::new(), element.as_ref().clone());
                Typed { expr, ty: list.ty, span, overflow: list.overflow }
            }
            Type::Unknown => unknown(span),
            other => {
                let title = format!("`[*]` goes through a list, and this is `{other}`");
                self.report(Diagnostic::error(codes::NO_FIELDS, span, title).hint("leave `[*]` out"));
                unknown(span)
            }
        }
    }

    /// `xs[*].key`
    fn project(&mut self, list: Typed, key: &tree::Name, span: Span) -> Typed {
        let Typed { expr: Expr::Every(inner, mut path, element), ty, overflow, .. } = list else {
            return unknown(span);
        };
        let place = tree::Expr { kind: ExprKind::Null, span };
        let Some(field) = self.field_type(&element, key, &place) else { return unknown(span) };
        let field = if element.is_optional() { field.optional() } else { field };
        path.push(PathSegment::Key(key.text.clone()));
        let projected = Type::List(std::sync::Arc::new(field.clone()));
        let ty = if ty.is_optional() { projected.optional() } else { projected };
        Typed { expr: Expr::Every(inner, path, field), ty, span, overflow }
    }

    fn index(&mut self, base: &tree::Expr, key: &tree::Expr, span: Span) -> Typed {
        let base = self.expr(base, None);
        let (wanted, inner) = match base.ty.required() {
            Type::List(element) => (Type::Int, element.as_ref().clone().optional()),
            Type::Map(value) => (Type::String, value.as_ref().clone().optional()),
            Type::Unknown => return unknown(span),
            other => {
                let title = format!("`[…]` takes from a list or a map, and this is `{other}`");
                self.report(Diagnostic::error(codes::NO_FIELDS, span, title).hint("use the value itself, or `.field`"));
                return unknown(span);
            }
        };
        let key = self.expr(key, Some(&wanted));
        let key = self.coerce(key, &wanted);
        let segment = match &key.expr {
            Expr::Literal(Value::Int(index)) => u32::try_from(*index).ok().map(PathSegment::Element),
            Expr::Literal(Value::String(key)) => Some(PathSegment::Key(key.clone())),
            _ => None,
        };
        match segment {
            Some(segment) => self.into(base, segment, inner, span),
            None if key.ty == Type::Unknown => unknown(span),
            None => {
                let overflow = base.overflow.or(key.overflow);
                let expr = Expr::Index(Box::new((base.expr, key.expr)), inner.clone());
                Typed { expr, ty: inner, span, overflow }
            }
        }
    }
}

/// Whether fields behind it are taken from each element.
fn is_projection(written: &tree::Expr) -> bool {
    let mut inner = written;
    loop {
        match &inner.kind {
            ExprKind::Every(_) => return true,
            ExprKind::Field(base, _) => inner = base,
            _ => return false,
        }
    }
}
