//! Operators: which operands they take, what comes out, and what narrowing follows.

use std::sync::Arc;

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::Lowering;
use super::expressions::{literal, unknown};
use super::loops::Rounds;
use super::scope::facts;
use crate::definition::evaluate::{Nothing, evaluate};
use crate::definition::expression::{BinaryOp, Expr, Read, Root, Typed};
use crate::definition::types::Type;
use crate::definition::value::Value;
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::tree::{self, ExprKind};

/// Where an operation stands: the whole, and its operator.
#[derive(Clone, Copy)]
pub(super) struct Site {
    pub(super) span: Span,
    pub(super) sign: Span,
}

impl Lowering<'_> {
    fn truth(&mut self, written: &tree::Expr) -> Typed {
        let typed = self.expr(written, Some(&Type::Bool));
        self.coerce(typed, &Type::Bool)
    }

    pub(super) fn not(&mut self, inner: &tree::Expr, span: Span) -> Typed {
        let inner = self.truth(inner);
        Typed { overflow: inner.overflow, expr: Expr::Not(Box::new(inner.expr)), ty: Type::Bool, span }
    }

    pub(super) fn negate(&mut self, inner: &tree::Expr, wanted: Option<&Type>, span: Span) -> Typed {
        if let ExprKind::Int(digits) = &inner.kind {
            let digits: CompactString = digits.chars().filter(|c| *c != '_').collect();
            let is_decimal = wanted.is_some_and(|wanted| *wanted.required() == Type::Decimal);
            if let (false, Ok(value)) = (is_decimal, format!("-{digits}").parse()) {
                return literal(Value::Int(value), Type::Int, span);
            }
        }
        let inner = self.expr(inner, wanted);
        match (&inner.ty, &inner.expr) {
            (_, Expr::Literal(Value::Decimal(value))) => literal(Value::Decimal(-value), Type::Decimal, span),
            (Type::Int | Type::Duration, _) => {
                Typed { ty: inner.ty, expr: Expr::Negate(Box::new(inner.expr)), span, overflow: Some(span) }
            }
            (Type::Decimal, _) => {
                Typed { ty: inner.ty, expr: Expr::Negate(Box::new(inner.expr)), span, overflow: inner.overflow }
            }
            (Type::Unknown, _) => unknown(span),
            _ => {
                self.coerce(inner, &Type::Decimal);
                unknown(span)
            }
        }
    }

    pub(super) fn choose(
        &mut self,
        parts: &(tree::Expr, tree::Expr, tree::Expr),
        wanted: Option<&Type>,
        span: Span,
    ) -> Typed {
        let condition = self.truth(&parts.0);
        let then = self.knowing(facts(&condition.expr, true), &parts.1, wanted);
        let otherwise = self.knowing(facts(&condition.expr, false), &parts.2, wanted);
        let Some(ty) = self.joined(&then, &otherwise, span) else { return unknown(span) };
        let (then, otherwise) = (self.coerce(then, &ty), self.coerce(otherwise, &ty));
        let overflow = condition.overflow.or(then.overflow).or(otherwise.overflow);
        Typed { expr: Expr::If(Box::new((condition.expr, then.expr, otherwise.expr))), ty, span, overflow }
    }

    /// An operand that is only looked at where `paths` are there.
    fn knowing(&mut self, paths: Vec<CompactString>, written: &tree::Expr, wanted: Option<&Type>) -> Typed {
        let mark = self.scope.facts_mark();
        self.scope.assume(paths);
        let typed = self.expr(written, wanted);
        self.scope.forget(mark);
        typed
    }

    /// The type that both have, or a finding.
    fn joined(&mut self, left: &Typed, right: &Typed, span: Span) -> Option<Type> {
        let joined = join(&left.ty, &right.ty);
        if joined.is_none() {
            let title = format!("one side is `{}`, the other `{}`", left.ty, right.ty);
            self.report(
                Diagnostic::error(codes::TYPE_MISMATCH, span, title)
                    .also(left.span, format!("`{}`", left.ty))
                    .also(right.span, format!("`{}`", right.ty))
                    .hint("both must have one type"),
            );
        }
        joined
    }

    pub(super) fn list(&mut self, elements: &[tree::Expr], wanted: Option<&Type>, span: Span) -> Typed {
        let wanted = match wanted.map(Type::required) {
            Some(Type::List(element)) => Some(element.as_ref()),
            // Each for itself: a list of JSON may hold anything.
            Some(Type::Json) => Some(&Type::Json),
            _ => None,
        };
        let mut typed: Vec<Typed> = Vec::with_capacity(elements.len());
        let mut ty = Type::Unknown;
        for element in elements {
            let mut element = self.expr(element, wanted);
            if let Some(wanted) = wanted {
                element = self.coerce(element, wanted);
            } else {
                let before = Typed { ty, ..unknown(span) };
                match self.joined(&before, &element, element.span) {
                    Some(joined) => ty = joined,
                    None => return unknown(span),
                }
            }
            typed.push(element);
        }
        let ty = wanted.cloned().unwrap_or(ty);
        let overflow = typed.iter().find_map(|element| element.overflow);
        let elements = typed.into_iter().map(|element| self.coerce(element, &ty).expr).collect();
        Typed { expr: Expr::List(elements), ty: Type::List(Arc::new(ty)), span, overflow }
    }

    pub(super) fn binary(
        &mut self,
        op: BinaryOp,
        operands: &(tree::Expr, tree::Expr),
        wanted: Option<&Type>,
        site: Site,
    ) -> Typed {
        let Site { span, .. } = site;
        match op {
            BinaryOp::And | BinaryOp::Or => {
                let left = self.truth(&operands.0);
                let known = facts(&left.expr, op == BinaryOp::And);
                let right = self.knowing(known, &operands.1, Some(&Type::Bool));
                let right = self.coerce(right, &Type::Bool);
                self.binary_of(op, (left, right), Type::Bool, span, Overflow::OfOperands)
            }
            BinaryOp::Coalesce => self.coalesce(operands, wanted, site),
            BinaryOp::Equal | BinaryOp::NotEqual => self.equal(op, operands, site),
            BinaryOp::LessEqual | BinaryOp::GreaterEqual | BinaryOp::Less | BinaryOp::Greater => {
                let (left, right) = self.pair(operands, None);
                let Some(ty) = self.operands(op, &left, &right, site) else { return unknown(span) };
                if !matches!(ty, Type::Int | Type::Decimal | Type::Timestamp | Type::Duration) {
                    return self.bad_operands(op, &left, &right, site);
                }
                let (left, right) = (self.coerce(left, &ty), self.coerce(right, &ty));
                self.binary_of(op, (left, right), Type::Bool, span, Overflow::OfOperands)
            }
            BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply => self.arithmetic(op, operands, wanted, site),
            BinaryOp::Divide => self.divide(operands, wanted, site),
        }
    }

    /// Both operands; a literal is read as what the other side is.
    fn pair(&mut self, operands: &(tree::Expr, tree::Expr), wanted: Option<&Type>) -> (Typed, Typed) {
        if matches!(operands.0.kind, ExprKind::Text(_) | ExprKind::Int(_) | ExprKind::Null) {
            let right = self.expr(&operands.1, wanted);
            let left = self.expr(&operands.0, Some(&right.ty));
            return (left, right);
        }
        let left = self.expr(&operands.0, wanted);
        let right = self.expr(&operands.1, Some(&left.ty));
        (left, right)
    }

    fn coalesce(
        &mut self,
        operands: &(tree::Expr, tree::Expr),
        wanted: Option<&Type>,
        Site { span, sign }: Site,
    ) -> Typed {
        let left = self.expr(&operands.0, wanted);
        let inner = left.ty.required().clone();
        let right = self.expr(&operands.1, wanted.or(Some(&inner)));
        // While it is being found out what `previous.x` is, this says it: `previous.x ?? 0`.
        if left.ty == Type::Unknown && self.scope.rounds.iter().any(Rounds::is_open) {
            let read = Read { root: Root::Round, path: Vec::new(), ty: right.ty.clone() };
            return Typed { expr: Expr::Read(read), ty: right.ty, span, overflow: None };
        }
        if left.ty == Type::Unknown || right.ty == Type::Unknown {
            return unknown(span);
        }
        if !left.ty.is_optional() {
            self.never_absent(&left, "??", sign);
            return left;
        }
        let there = Typed { ty: inner, ..left.clone() };
        let Some(ty) = self.joined(&there, &right, span) else { return unknown(span) };
        let (left, right) = (self.coerce(left, &ty.clone().optional()), self.coerce(right, &ty));
        self.binary_of(BinaryOp::Coalesce, (left, right), ty, span, Overflow::OfOperands)
    }

    pub(super) fn never_absent(&mut self, typed: &Typed, sign: &str, span: Span) {
        let shown = match &typed.expr {
            Expr::Read(read) => format!("`{read}`"),
            _ => "this value".into(),
        };
        let title = format!("{shown} is never absent here, so `{sign}` does nothing");
        self.report(
            Diagnostic::error(codes::NEVER_ABSENT, span, title).also(typed.span, format!("`{}`", typed.ty)).hint(
                match sign {
                    "??" => "remove `??` and what is behind it",
                    "present" => "remove `present(…)` around it",
                    _ => "remove the comparison",
                },
            ),
        );
    }

    fn equal(&mut self, op: BinaryOp, operands: &(tree::Expr, tree::Expr), site: Site) -> Typed {
        let Site { span, sign } = site;
        let (left, right) = self.pair(operands, None);
        if left.ty == Type::Unknown || right.ty == Type::Unknown {
            return Typed { ty: Type::Bool, ..unknown(span) };
        }
        let is_null = |typed: &Typed| matches!(typed.expr, Expr::Literal(Value::Null)) && typed.ty.is_optional();
        let compared_with_null = if is_null(&left) { Some(&right) } else { Some(&left).filter(|_| is_null(&right)) };
        if let Some(other) = compared_with_null {
            if !other.ty.is_optional() {
                self.never_absent(other, op.symbol(), sign);
            }
            return self.binary_of(op, (left, right), Type::Bool, span, Overflow::OfOperands);
        }
        let Some(ty) = join(&left.ty, &right.ty) else { return self.bad_operands(op, &left, &right, site) };
        if matches!(ty.required(), Type::Record(_) | Type::List(_) | Type::Map(_) | Type::Json) {
            return self.bad_operands(op, &left, &right, site);
        }
        self.binary_of(op, (left, right), Type::Bool, span, Overflow::OfOperands)
    }

    /// The common type of two operands that must be there; a finding where one may be absent.
    fn operands(&mut self, op: BinaryOp, left: &Typed, right: &Typed, site: Site) -> Option<Type> {
        if left.ty == Type::Unknown || right.ty == Type::Unknown {
            return None;
        }
        let mut all_there = true;
        for operand in [left, right] {
            if operand.ty.is_optional() {
                self.coerce(operand.clone(), operand.ty.required());
                all_there = false;
            }
        }
        let joined = join(&left.ty, &right.ty);
        if joined.is_none() && all_there {
            self.bad_operands(op, left, right, site);
        }
        joined.filter(|_| all_there)
    }

    fn bad_operands(&mut self, op: BinaryOp, left: &Typed, right: &Typed, site: Site) -> Typed {
        let title = format!("`{}` does not take `{}` and `{}`", op.symbol(), left.ty, right.ty);
        let finding = Diagnostic::error(codes::BAD_OPERANDS, site.sign, title)
            .also(left.span, format!("`{}`", left.ty))
            .also(right.span, format!("`{}`", right.ty));
        let hint = match op {
            BinaryOp::Add if left.ty == Type::String || right.ty == Type::String => {
                "texts are joined; make a text of the other side with `text(…)`"
            }
            BinaryOp::Equal | BinaryOp::NotEqual => {
                "compare numbers, texts, words, times or truths of one type, field by field"
            }
            BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual => {
                "an order have `int`, `decimal`, `timestamp` and `duration`"
            }
            _ => "numbers, durations, and timestamps with durations are computed with",
        };
        self.report(finding.hint(hint));
        unknown(site.span)
    }

    fn arithmetic(
        &mut self,
        op: BinaryOp,
        operands: &(tree::Expr, tree::Expr),
        wanted: Option<&Type>,
        site: Site,
    ) -> Typed {
        let Site { span, .. } = site;
        let number = wanted.filter(|wanted| *wanted.required() == Type::Decimal);
        let mut left = self.expr(&operands.0, number);
        let mut right = self.expr(&operands.1, number);
        if left.ty == Type::Unknown || right.ty == Type::Unknown {
            return unknown(span);
        }
        if left.ty.is_optional() || right.ty.is_optional() {
            for operand in [left, right] {
                let required = operand.ty.required().clone();
                self.coerce(operand, &required);
            }
            return unknown(span);
        }
        let ty = match (op, &left.ty, &right.ty) {
            (_, Type::Int, Type::Int) => Type::Int,
            (_, Type::Int | Type::Decimal, Type::Int | Type::Decimal) => Type::Decimal,
            (BinaryOp::Add, Type::String, Type::String) => Type::String,
            (BinaryOp::Add | BinaryOp::Subtract, Type::Duration, Type::Duration) => Type::Duration,
            (BinaryOp::Multiply, Type::Duration, Type::Int) | (BinaryOp::Multiply, Type::Int, Type::Duration) => {
                Type::Duration
            }
            (BinaryOp::Add | BinaryOp::Subtract, Type::Timestamp, Type::Duration) => Type::Timestamp,
            (BinaryOp::Add, Type::Duration, Type::Timestamp) => Type::Timestamp,
            (BinaryOp::Subtract, Type::Timestamp, Type::Timestamp) => Type::Duration,
            _ => return self.bad_operands(op, &left, &right, site),
        };
        if ty == Type::Decimal {
            (left, right) = (self.coerce(left, &ty), self.coerce(right, &ty));
        }
        // What lies between two instants that are there is no longer than the calendar.
        let is_between = left.ty == Type::Timestamp && right.ty == Type::Timestamp;
        let overflow = if ty == Type::String || is_between { Overflow::OfOperands } else { Overflow::OfItsOwn };
        self.binary_of(op, (left, right), ty, span, overflow)
    }

    /// Only by a literal that is not 0: no division can fail for its divisor.
    fn divide(&mut self, operands: &(tree::Expr, tree::Expr), wanted: Option<&Type>, site: Site) -> Typed {
        let Site { span, .. } = site;
        let number = wanted.filter(|wanted| *wanted.required() == Type::Decimal);
        let left = self.expr(&operands.0, number);
        let right = self.expr(&operands.1, None);
        let divisor = match &right.expr {
            _ if right.ty == Type::Unknown => return unknown(span),
            Expr::Literal(Value::Int(value)) => Some(Decimal::from(*value)),
            Expr::Literal(Value::Decimal(value)) => Some(*value),
            _ => None,
        };
        let Some(divisor) = divisor.filter(|divisor| !divisor.is_zero()) else {
            let title = if divisor.is_some() { "nothing can be divided by 0" } else { "division is by a number only" };
            self.report(
                Diagnostic::error(codes::DIVISION, right.span, title)
                    .why("An expression may not fail for its data: a divisor that is computed could be 0.")
                    .hint("write a number that is not 0, or have a participant compute it"),
            );
            return unknown(span);
        };
        let ty = match (&left.ty, &right.ty) {
            (Type::Unknown, _) => return unknown(span),
            (Type::Int, Type::Int) => Type::Int,
            (Type::Duration, Type::Int) => Type::Duration,
            (Type::Int | Type::Decimal, _) => Type::Decimal,
            (ty, _) if ty.is_optional() => {
                let required = ty.required().clone();
                self.coerce(left, &required);
                return unknown(span);
            }
            _ => return self.bad_operands(BinaryOp::Divide, &left, &right, site),
        };
        let (left, right) =
            if ty == Type::Decimal { (self.coerce(left, &ty), self.coerce(right, &ty)) } else { (left, right) };
        let overflow = if divisor.abs() >= Decimal::ONE && divisor != Decimal::NEGATIVE_ONE {
            Overflow::OfOperands
        } else {
            Overflow::OfItsOwn
        };
        self.binary_of(BinaryOp::Divide, (left, right), ty, span, overflow)
    }

    /// Arithmetic on constants is computed here, by what computes it when it runs: `2 * 24h` cannot overflow.
    fn binary_of(
        &mut self,
        op: BinaryOp,
        (left, right): (Typed, Typed),
        ty: Type,
        span: Span,
        overflow: Overflow,
    ) -> Typed {
        let constant = matches!((&left.expr, &right.expr), (Expr::Literal(_), Expr::Literal(_)));
        let own = matches!(overflow, Overflow::OfItsOwn).then_some(span);
        let overflow = left.overflow.or(right.overflow).or(own);
        let expr = Expr::Binary(op, Box::new((left.expr, right.expr)));
        if own.is_none() || !constant {
            return Typed { expr, ty, span, overflow };
        }
        if let Ok(value) = evaluate(&expr, &Nothing) {
            return Typed { expr: Expr::Literal(value), ty, span, overflow: None };
        }
        let title = format!("the result is out of the range of `{ty}`");
        let finding = Diagnostic::error(codes::OUT_OF_RANGE, span, title).here("the same in every run");
        self.report(finding.hint("write smaller numbers"));
        unknown(span)
    }
}

/// What of an operation may overflow.
#[derive(Clone, Copy)]
enum Overflow {
    OfOperands,
    OfItsOwn,
}

/// The smallest type that both fit; `None` where there is none.
pub(super) fn join(left: &Type, right: &Type) -> Option<Type> {
    let (a, b) = (left.required(), right.required());
    let inner = match (a, b) {
        (Type::Choice(a), Type::Choice(b)) => {
            let more = b.iter().filter(|word| !a.contains(word));
            Type::Choice(a.iter().chain(more).cloned().collect())
        }
        (Type::List(a), Type::List(b)) => Type::List(Arc::new(join(a, b)?)),
        (Type::Unknown, other) | (other, Type::Unknown) => other.clone(),
        (a, b) if a.fits(b) => b.clone(),
        (a, b) if b.fits(a) => a.clone(),
        _ => return None,
    };
    let is_optional = left.is_optional() || right.is_optional();
    Some(if is_optional { inner.optional() } else { inner })
}
