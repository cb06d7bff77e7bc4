//! Between which numbers a result lies, by what the text says: what counts elements or rounds is never too large.

use rust_decimal::Decimal;

use super::against::{WHOLE, is_instant, is_text, literal};
use super::constants::{Constants, DEPTH_MAX};
use crate::definition::expression::{BinaryOp, Expr, Function, Read, Root};
use crate::definition::json::LONGEST;
use crate::definition::limits::{MAX_ELEMENTS, MAX_ROUNDS};
use crate::definition::types::Type;
use crate::definition::value::Value;
use crate::plan::Kind;
use crate::time::Timestamp;

/// No saga begins later: the year 8000.
const CLOCK_MAX: Timestamp = Timestamp(190_288_396_800_000);

/// The least and the greatest.
type Range = (Decimal, Decimal);

/// Whether something in an expression may come out too large.
pub(super) fn may_overflow(constants: &Constants<'_>, expr: &Expr) -> bool {
    let mut found = false;
    expr.walk(&mut |expr: &Expr| {
        found |= match expr {
            Expr::Binary(BinaryOp::Add, pair) if is_text(&pair.0) || is_text(&pair.1) => false,
            Expr::Binary(BinaryOp::Subtract, pair) if is_instant(&pair.0) && is_instant(&pair.1) => false,
            Expr::Binary(BinaryOp::Divide, pair) if is_large(&pair.1) => false,
            Expr::Binary(BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide, _)
            | Expr::Negate(_) => range(constants, expr, DEPTH_MAX).is_none(),
            Expr::Call(Function::Sum, _) => true,
            _ => false,
        };
    });
    found
}

/// Whether it is a duration, or computed of one.
fn is_span(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value) => matches!(value, Value::Duration(_)),
        Expr::Read(read) => *read.ty.required() == Type::Duration,
        Expr::Negate(inner) => is_span(inner),
        Expr::Binary(BinaryOp::Coalesce, pair) => is_span(&pair.0) || is_span(&pair.1),
        Expr::Binary(BinaryOp::Add | BinaryOp::Multiply | BinaryOp::Divide, pair) => {
            is_span(&pair.0) || is_span(&pair.1)
        }
        Expr::Binary(BinaryOp::Subtract, pair) => is_span(&pair.0) || is_time(&pair.0) && is_time(&pair.1),
        Expr::If(parts) => is_span(&parts.1),
        _ => false,
    }
}

/// What is divided by it does not get larger.
fn is_large(divisor: &Expr) -> bool {
    literal(divisor).is_some_and(|number| number.abs() >= Decimal::ONE && number != Decimal::NEGATIVE_ONE)
}

/// Of a duration and an instant its milliseconds.
fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Int(number) | Value::Duration(number) => Some(Decimal::from(*number)),
        Value::Timestamp(instant) => Some(Decimal::from(instant.0)),
        Value::Decimal(number) => Some(*number),
        _ => None,
    }
}

/// None where it is not known, or may be too large.
fn range(constants: &Constants<'_>, expr: &Expr, depth: u8) -> Option<Range> {
    let depth = depth.checked_sub(1)?;
    let of = |expr: &Expr| range(constants, expr, depth);
    let either = |one: &Expr, other: &Expr| {
        let ((a, b), (c, d)) = (of(one)?, of(other)?);
        Some((a.min(c), b.max(d)))
    };
    let found = match expr {
        Expr::Literal(value) => number(value).map(|number| (number, number))?,
        Expr::ToDecimal(inner) => of(inner)?,
        Expr::Negate(inner) => of(inner).map(|(least, most)| (-most, -least))?,
        Expr::Call(Function::Count, _) => (Decimal::ZERO, Decimal::from(MAX_ELEMENTS)),
        Expr::If(parts) => either(&parts.1, &parts.2)?,
        Expr::Binary(BinaryOp::Coalesce, pair) => either(&pair.0, &pair.1)?,
        Expr::Binary(op, pair) => {
            let ((a, b), (c, d)) = (of(&pair.0)?, of(&pair.1)?);
            match op {
                BinaryOp::Add => (a.checked_add(c)?, b.checked_add(d)?),
                BinaryOp::Subtract => (a.checked_sub(d)?, b.checked_sub(c)?),
                BinaryOp::Multiply => {
                    let all = [a.checked_mul(c)?, a.checked_mul(d)?, b.checked_mul(c)?, b.checked_mul(d)?];
                    (all.into_iter().min()?, all.into_iter().max()?)
                }
                _ => return None,
            }
        }
        Expr::Read(Read { root: Root::Round, .. }) => (Decimal::ONE, Decimal::from(MAX_ROUNDS)),
        Expr::Read(read) => of_read(constants, (expr, read), depth)?,
        _ => return None,
    };
    let (least, most) = if is_time(expr) {
        (Decimal::ZERO, Decimal::from(Timestamp::LAST.0))
    } else if is_span(expr) {
        (Decimal::from(-LONGEST), Decimal::from(LONGEST))
    } else {
        // Whole numbers and decimals alike, without any loss.
        (-WHOLE, WHOLE)
    };
    (found.0 >= least && found.1 <= most).then_some(found)
}

/// Whether it is an instant, or computed of one.
fn is_time(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value) => matches!(value, Value::Timestamp(_)),
        Expr::Binary(BinaryOp::Add, pair) => is_time(&pair.0) || is_time(&pair.1),
        Expr::Binary(BinaryOp::Subtract, pair) => is_time(&pair.0) && !is_time(&pair.1),
        expr => is_instant(expr),
    }
}

fn of_read(constants: &Constants<'_>, (expr, read): (&Expr, &Read), depth: u8) -> Option<Range> {
    // The clock is not near its end.
    if read.root == Root::SagaStarted {
        return Some((Decimal::ZERO, Decimal::from(CLOCK_MAX.0)));
    }
    if let Some(values) = constants.of(expr) {
        let numbers: Vec<Decimal> = values.iter().map(number).collect::<Option<_>>()?;
        return Some((*numbers.iter().min()?, *numbers.iter().max()?));
    }
    let is_list = matches!(read.ty, Type::List(_));
    if let (Root::Name(name), true, false) = (&read.root, read.path.is_empty(), is_list)
        && let id = constants.plan.named(name)?
        && let Kind::Let(value) = &constants.plan.node(id).kind
    {
        return range(&Constants { node: id, ..*constants }, &value.expr, depth);
    }
    (*read.ty.required() == Type::Duration).then(|| (Decimal::from(-LONGEST), Decimal::from(LONGEST)))
}
