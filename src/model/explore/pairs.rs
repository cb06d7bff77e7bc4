//! Which ways two conditions went together: data of which a first one and a second one look may have to be of a kind that
//! neither of them alone asks for.
//!
//! Against constants everything that makes a difference is tried, so any two conditions that compare one piece of data
//! each go together in all ways that there are. Where one compares data with other data there may be no end of kinds.
//! What three conditions come to together is not asked for: where they look at the same, there may be more than was found.

use std::collections::BTreeSet;

use super::constants::DEPTH_MAX;
use super::parts::joined;
use super::tried::is_of_absence;
use crate::definition::expression::{BinaryOp, Expr, Function, Read, Root};
use crate::definition::types::Type;
use crate::engine::{Event, Instance, State};
use crate::plan::{At, Kind, NodeId, Plan};
use crate::source::Span;

/// A condition of a choice.
struct Asked<'p> {
    node: NodeId,
    /// The step that runs the saga in which it stands, if that is not the outermost one: names and `input` are of that.
    within: Option<&'p str>,
    arm: u32,
    condition: &'p Expr,
    span: Span,
    /// The parts that `&&` and `||` join, each with what it looks at, wherever that comes from.
    parts: Vec<(&'p Expr, BTreeSet<String>)>,
}

impl Asked<'_> {
    /// How it went, if it was asked.
    const fn way(&self, arm: u32) -> Option<bool> {
        if arm < self.arm { None } else { Some(arm == self.arm) }
    }
}

/// All conditions of choices.
fn asked(plan: &Plan) -> Vec<Asked<'_>> {
    let mut asked = Vec::new();
    for (node, of) in plan.nodes() {
        let Kind::Choice { arms, .. } = &of.kind else { continue };
        let within = of.place.rsplit_once('.').map(|(run, _)| run);
        for (arm, (condition, _)) in (0..).zip(arms) {
            let mut parts = Vec::new();
            joined(&condition.expr, &mut parts);
            let parts = parts.into_iter().map(|part| {
                let mut data = BTreeSet::new();
                add_data(plan, part, DEPTH_MAX, &mut data);
                (part, data)
            });
            let parts = parts.collect();
            asked.push(Asked { node, within, arm, condition: &condition.expr, span: condition.span, parts });
        }
    }
    asked
}

/// A condition that never went this way while the other one went that way, though each did.
pub(super) struct Apart {
    pub(super) node: NodeId,
    pub(super) condition: (Span, bool),
    pub(super) other: (Span, bool),
}

/// The conditions of a plan of which two look at the same data, and the ways they went.
pub(super) struct Pairs<'p> {
    asked: Vec<Asked<'p>>,
    related: Vec<(usize, usize)>,
    went: BTreeSet<(usize, [bool; 2])>,
}

impl<'p> Pairs<'p> {
    pub(super) fn of(plan: &'p Plan) -> Self {
        let asked = asked(plan);
        let mut related = Vec::new();
        for (first, one) in asked.iter().enumerate() {
            let others = asked.iter().enumerate().skip(first + 1);
            related.extend(others.filter(|(_, other)| is_related(one, other)).map(|(second, _)| (first, second)));
        }
        Self { asked, related, went: BTreeSet::new() }
    }

    /// What was chosen on the way to a state, beside what had been chosen before.
    pub(super) fn see(&mut self, plan: &Plan, (node, at): (NodeId, At), event: &Event, behind: &Instance) {
        let Event::Chose { arm, .. } = event else { return };
        if self.went.len() == self.related.len() * 4 {
            return;
        }
        let way = |asked: &Asked<'_>| {
            if asked.node == node {
                return asked.way(*arm);
            }
            match behind.state(plan.beside(at, asked.node)) {
                Some(State::Chose(arm)) => asked.way(*arm),
                _ => None,
            }
        };
        for (number, (one, other)) in self.related.iter().enumerate() {
            let (Some(one), Some(other)) = (self.asked.get(*one), self.asked.get(*other)) else { continue };
            if (one.node == node || other.node == node)
                && let (Some(one), Some(other)) = (way(one), way(other))
            {
                self.went.insert((number, [one, other]));
            }
        }
    }

    /// What never went together although each of the two was seen beside the other one.
    pub(super) fn apart(&self) -> Vec<Apart> {
        let mut apart = Vec::new();
        for (number, (one, other)) in self.related.iter().enumerate() {
            let (Some(one), Some(other)) = (self.asked.get(*one), self.asked.get(*other)) else { continue };
            let went = |way: [bool; 2]| self.went.contains(&(number, way));
            for way in [[true, true], [true, false], [false, true], [false, false]] {
                let [holds, beside] = way;
                let is_missed = !went(way) && went([holds, !beside]) && went([!holds, beside]);
                let can_be =
                    || one.within != other.within || !is_excluded((one.condition, holds), (other.condition, beside));
                if is_missed
                    && can_be()
                    && !is_of_absence(one.condition, holds)
                    && !is_of_absence(other.condition, beside)
                {
                    let (condition, other_condition) = ((other.span, beside), (one.span, holds));
                    apart.push(Apart { node: other.node, condition, other: other_condition });
                }
            }
        }
        apart
    }
}

/// The choices whose condition looks at what two others look at, too: of all that three of them come to together not all is
/// tried. Of one number, word or instant it is.
pub(super) fn crowded(plan: &Plan) -> BTreeSet<NodeId> {
    let asked = asked(plan);
    let lists: Vec<BTreeSet<String>> = asked.iter().map(|asked| lists_of(plan, asked.condition)).collect();
    let shares = |(one, own): (&Asked<'_>, &BTreeSet<String>), (other, beside): (&Asked<'_>, &BTreeSet<String>)| {
        is_related(one, other) || (one.node != other.node && !own.is_disjoint(beside))
    };
    let crowded = asked.iter().zip(&lists).filter(|one| {
        let others = asked.iter().zip(&lists).filter(|other| shares(*one, *other)).map(|(other, _)| other.node);
        others.collect::<BTreeSet<_>>().len() > 1
    });
    crowded.map(|(asked, _)| asked.node).collect()
}

/// The lists of which a condition looks at more than one element, or how many there are.
fn lists_of(plan: &Plan, condition: &Expr) -> BTreeSet<String> {
    let mut data = BTreeSet::new();
    add_reads(plan, condition, DEPTH_MAX, &mut |read| {
        if matches!(read.ty.required(), Type::List(_)) {
            data.insert(format!("{}{:?}", read.root, read.path));
        }
    });
    data
}

/// Whether two conditions may ask together for data that neither asks for.
fn is_related(one: &Asked<'_>, other: &Asked<'_>) -> bool {
    let is_of_one_saga = one.within == other.within;
    let mut parts = one.parts.iter().flat_map(|part| other.parts.iter().map(move |beside| (part, beside)));
    one.node != other.node
        && parts.any(|((one, data), (other, beside))| {
            let is_of_other_data = data.len() > 1 || beside.len() > 1;
            let is_of_the_same = is_of_one_saga && is_of_the_same(one, other);
            is_of_other_data && !data.is_disjoint(beside) && !is_of_the_same
        })
}

/// Whether two conditions of one saga cannot go these ways together, whatever the data are.
fn is_excluded(one: (&Expr, bool), other: (&Expr, bool)) -> bool {
    let (mut facts, mut others) = (Vec::new(), Vec::new());
    add_facts(one, &mut facts);
    add_facts(other, &mut others);
    facts.iter().any(|fact| others.iter().any(|other| fact.excludes(other)))
}

/// What is known of data once a condition went a way.
struct Fact {
    /// Of this, as it is written, that it holds or not.
    of: (String, bool),
    /// Of these two things, which of them may be the larger one, if it says so.
    pair: Option<([String; 2], Orders)>,
}

/// Which orders of two things there may be: the first one less, both equal, the first one greater.
type Orders = [bool; 3];

/// With which a comparison holds; none of what is no comparison.
const fn orders(op: BinaryOp) -> Option<Orders> {
    match op {
        BinaryOp::Equal => Some([false, true, false]),
        BinaryOp::NotEqual => Some([true, false, true]),
        BinaryOp::Less => Some([true, false, false]),
        BinaryOp::LessEqual => Some([true, true, false]),
        BinaryOp::Greater => Some([false, false, true]),
        BinaryOp::GreaterEqual => Some([false, true, true]),
        _ => None,
    }
}

impl Fact {
    fn excludes(&self, other: &Self) -> bool {
        let of_pairs = self.pair.as_ref().zip(other.pair.as_ref());
        let of_orders = of_pairs.is_some_and(|((pair, orders), (beside, [less, equal, greater]))| {
            let none = |beside: Orders| orders.iter().zip(beside).all(|(one, other)| !(*one && other));
            let mirrored = [&beside[1], &beside[0]];
            (pair == beside && none([*less, *equal, *greater]))
                || (pair.each_ref() == mirrored && none([*greater, *equal, *less]))
        });
        of_orders || (self.of.0 == other.of.0 && self.of.1 != other.of.1)
    }
}

/// All of what stands in `&&` that holds, and in `||` that does not; else the condition as a whole.
fn add_facts((condition, holds): (&Expr, bool), facts: &mut Vec<Fact>) {
    match condition {
        Expr::Not(inner) => return add_facts((inner, !holds), facts),
        Expr::Binary(op @ (BinaryOp::And | BinaryOp::Or), pair) if holds == (*op == BinaryOp::And) => {
            add_facts((&pair.0, holds), facts);
            add_facts((&pair.1, holds), facts);
        }
        _ => {}
    }
    if !is_steady(condition) {
        return;
    }
    let both = |one: &Expr, other: &Expr| [format!("{one:?}"), format!("{other:?}")];
    let pair = match condition {
        Expr::Binary(op, pair) => {
            orders(*op).map(|orders| (both(&pair.0, &pair.1), orders.map(|order| order == holds)))
        }
        // What is equal to another text has that in it.
        Expr::Call(Function::Contains, arguments) if !holds => match arguments.as_slice() {
            [whole, part] => Some((both(whole, part), [true, false, true])),
            _ => None,
        },
        _ => None,
    };
    facts.push(Fact { of: (format!("{condition:?}"), holds), pair });
}

/// Whether it comes to the same wherever in an element of a saga it is asked: nothing that it looks at joins or changes meanwhile, as
/// what a loop gathers does, and what may be absent still.
fn is_steady(condition: &Expr) -> bool {
    let is_one = |ty: &Type| {
        matches!(
            ty,
            Type::Bool | Type::Int | Type::Decimal | Type::String | Type::Choice(_) | Type::Timestamp | Type::Duration
        )
    };
    let mut is_steady = true;
    condition.walk(&mut |expr| {
        is_steady &= match expr {
            Expr::Read(Read { root: Root::Input, .. }) => true,
            Expr::Read(Read { root: Root::Name(_), ty, .. }) => is_one(ty),
            Expr::Read(_) | Expr::Call(Function::Id, _) => false,
            _ => true,
        };
    });
    is_steady
}

/// Whether both compare the same two things: which of them is the larger one is tried in all ways.
fn is_of_the_same(one: &Expr, other: &Expr) -> bool {
    let compared = |expr: &Expr| match expr {
        Expr::Binary(op, pair) if orders(*op).is_some() => {
            Some(BTreeSet::from([format!("{:?}", pair.0), format!("{:?}", pair.1)]))
        }
        _ => None,
    };
    compared(one).is_some_and(|pair| Some(pair) == compared(other))
}

/// What an expression looks at, with what a `let` is made of in its place.
fn add_data(plan: &Plan, expr: &Expr, depth: u8, data: &mut BTreeSet<String>) {
    add_reads(plan, expr, depth, &mut |Read { root, path, .. }| {
        data.insert(format!("{root}{path:?}"));
    });
}

fn add_reads(plan: &Plan, expr: &Expr, depth: u8, see: &mut dyn FnMut(&Read)) {
    let Some(depth) = depth.checked_sub(1) else { return };
    expr.walk(&mut |expr| {
        let Expr::Read(read) = expr else { return };
        let made = match &read.root {
            Root::Name(name) => plan.named(name).map(|id| &plan.node(id).kind),
            _ => None,
        };
        match made {
            Some(Kind::Let(value)) => add_reads(plan, &value.expr, depth, see),
            _ => see(read),
        }
    });
}
