//! What the text alone says of a value: the constants that a name stands for, and what is computed of them.
//!
//! `when x.r > limit` compares with a number as much as `when x.r > 500` does, where `let limit = 500`; so does `x.r == i * 10`
//! in a loop over `[1, 2]`, with two, and `x.r == round` with as many as there are rounds.

use std::collections::BTreeSet;

use compact_str::CompactString;

use super::against::NUMBERS_MAX;
use super::{EXPLORED, START};
use crate::definition::ENGINE_CODES;
use crate::definition::evaluate::{Nothing, evaluate};
use crate::definition::expression::{Expr, PathSegment, Read, Root};
use crate::definition::types::Type;
use crate::definition::value::Value;
use crate::plan::{Kind, NodeId, Plan, Work};

/// So deep names stand for other names, and expressions in each other.
pub(super) const DEPTH_MAX: u8 = 16;

/// The constants of a plan, for what stands at a node.
#[derive(Clone, Copy)]
pub(super) struct Constants<'p> {
    pub(super) plan: &'p Plan,
    pub(super) node: NodeId,
}

impl Constants<'_> {
    /// All that an expression can be; none where data says it, or there are too many.
    pub(super) fn of(&self, expr: &Expr) -> Option<Vec<Value>> {
        let mut values = self.values(expr, &[], DEPTH_MAX)?;
        values.retain(|value| !matches!(value, Value::Null | Value::List(_) | Value::Object(_) | Value::Raw(_)));
        (!values.is_empty()).then_some(values)
    }

    /// Whether the text alone says what an expression is: in every run, and not in the exploration alone.
    pub(super) fn says(&self, expr: &Expr) -> bool {
        let mut depends = false;
        expr.walk(&mut |expr: &Expr| {
            depends |=
                matches!(expr, Expr::Read(Read { root: Root::SagaId | Root::SagaStarted | Root::FailureCode, .. }));
        });
        !depends && self.of(expr).is_some()
    }

    /// What stands at the end of a way into an expression's value.
    fn values(&self, expr: &Expr, path: &[PathSegment], depth: u8) -> Option<Vec<Value>> {
        let depth = depth.checked_sub(1)?;
        let values = match (expr, path) {
            (Expr::Literal(value), path) => vec![at(value, path)?],
            (Expr::Read(read), path) => {
                let whole: Vec<PathSegment> = read.path.iter().chain(path).cloned().collect();
                self.of_root(read, &whole, depth)?
            }
            (Expr::Object(fields), [PathSegment::Key(key), rest @ ..]) => {
                let (_, value) = fields.iter().find(|(own, _)| own == key)?;
                self.values(value, rest, depth)?
            }
            (Expr::List(elements), [PathSegment::Element(index), rest @ ..]) => {
                self.values(elements.get(usize::try_from(*index).ok()?)?, rest, depth)?
            }
            (Expr::Into(inner, segment, _), path) => {
                let whole: Vec<PathSegment> = std::iter::once(segment).chain(path).cloned().collect();
                self.values(inner, &whole, depth)?
            }
            (Expr::If(parts), path) => {
                let mut either = self.values(&parts.1, path, depth)?;
                either.extend(self.values(&parts.2, path, depth)?);
                either
            }
            (Expr::ToDecimal(inner), []) => {
                self.each(inner, depth, |value| Expr::ToDecimal(Box::new(Expr::Literal(value))))?
            }
            (Expr::Negate(inner), []) => {
                self.each(inner, depth, |value| Expr::Negate(Box::new(Expr::Literal(value))))?
            }
            (Expr::Binary(op, pair), []) => {
                let (left, right) = (self.values(&pair.0, &[], depth)?, self.values(&pair.1, &[], depth)?);
                if left.len() * right.len() > NUMBERS_MAX {
                    return None;
                }
                let of_both = |left: &Value, right: &Value| {
                    let pair = (Expr::Literal(left.clone()), Expr::Literal(right.clone()));
                    evaluate(&Expr::Binary(*op, Box::new(pair)), &Nothing).ok()
                };
                left.iter().flat_map(|left| right.iter().filter_map(move |right| of_both(left, right))).collect()
            }
            _ => return None,
        };
        (values.len() <= NUMBERS_MAX).then_some(values)
    }

    fn each(&self, inner: &Expr, depth: u8, made: impl Fn(Value) -> Expr) -> Option<Vec<Value>> {
        let values = self.values(inner, &[], depth)?;
        Some(values.into_iter().filter_map(|value| evaluate(&made(value), &Nothing).ok()).collect())
    }

    fn of_root(&self, read: &Read, path: &[PathSegment], depth: u8) -> Option<Vec<Value>> {
        match &read.root {
            Root::Round => self.rounds(),
            Root::FailureCode => Some(texts(self.failure_codes())),
            Root::FailureStep => self.failing_places().map(texts),
            Root::SagaId => Some(texts([EXPLORED])),
            Root::SagaStarted => Some(vec![Value::Timestamp(START)]),
            Root::Name(name) => {
                let id = self.plan.named(name)?;
                let node = self.plan.node(id);
                match &node.kind {
                    // Below the loops around it, it is a list.
                    Kind::Let(value) if !matches!(read.ty.required(), Type::List(_)) || !path.is_empty() => {
                        Constants { node: id, ..*self }.values(&value.expr, path, depth)
                    }
                    Kind::Sequence(_) => match &self.plan.node(node.parent?).kind {
                        Kind::Each(each) if each.element == id => self.elements(&each.list.expr, path, depth),
                        _ => None,
                    },
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// What stands there in any element of a list.
    fn elements(&self, list: &Expr, path: &[PathSegment], depth: u8) -> Option<Vec<Value>> {
        let depth = depth.checked_sub(1)?;
        match list {
            Expr::Literal(Value::List(elements)) => elements.iter().map(|element| at(element, path)).collect(),
            Expr::List(elements) => {
                let all: Option<Vec<_>> = elements.iter().map(|element| self.values(element, path, depth)).collect();
                Some(all?.into_iter().flatten().collect())
            }
            Expr::Read(Read { root: Root::Name(name), path: none, .. }) if none.is_empty() => {
                match &self.plan.node(self.plan.named(name)?).kind {
                    Kind::Let(value) => self.elements(&value.expr, path, depth),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// All codes with which anything in the saga fails: more than can be caught at one place, and none less.
    fn failure_codes(&self) -> BTreeSet<&str> {
        let nodes = self.plan.nodes().map(|(id, node)| (&node.kind, self.plan.work(id).and_then(Work::action)));
        let own = nodes.flat_map(|(kind, action)| {
            let failing = if let Kind::Fail { code, .. } = kind { Some(code) } else { None };
            failing.into_iter().chain(action.into_iter().flat_map(|action| &action.command.fails))
        });
        own.map(CompactString::as_str).chain(ENGINE_CODES.iter().copied()).collect()
    }

    /// Where anything in the saga fails; none where there are elements and rounds, each of which is a place of its own.
    fn failing_places(&self) -> Option<BTreeSet<&str>> {
        let mut nodes = self.plan.nodes();
        nodes
            .all(|(_, node)| node.loops.is_empty())
            .then(|| self.plan.nodes().map(|(_, node)| node.place.as_str()).filter(|place| !place.is_empty()).collect())
    }

    /// The numbers of the rounds of the innermost `repeat` around.
    fn rounds(&self) -> Option<Vec<Value>> {
        let mut around = std::iter::successors(Some(self.node), |id| self.plan.node(*id).parent);
        let times = around.find_map(|id| match &self.plan.node(id).kind {
            Kind::Repeat(repeat) => Some(repeat.times),
            _ => None,
        })?;
        (usize::from(times) <= NUMBERS_MAX).then(|| (1..=i64::from(times)).map(Value::Int).collect())
    }
}

fn texts<'t>(words: impl IntoIterator<Item = &'t str>) -> Vec<Value> {
    words.into_iter().map(|word| Value::String(word.into())).collect()
}

/// What stands at the end of a way into a value.
fn at(value: &Value, path: &[PathSegment]) -> Option<Value> {
    path.iter().try_fold(value.clone(), |value, segment| match (value, segment) {
        (Value::Object(fields), PathSegment::Key(key)) => {
            fields.into_iter().find(|(own, _)| own == key).map(|(_, value)| value)
        }
        (Value::List(elements), PathSegment::Element(index)) => elements.into_iter().nth(usize::try_from(*index).ok()?),
        _ => None,
    })
}
