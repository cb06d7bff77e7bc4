//! Which ways each condition went: what no data led to was not explored.

use std::collections::BTreeSet;

use compact_str::CompactString;

use super::Setting;
use super::computed::{Computed, INVALID};
use super::constants::DEPTH_MAX;
use super::pairs::{Apart, Pairs};
use super::parts::{Part, Parts};
use crate::definition::expression::{BinaryOp, Expr, Read, Root, Typed};
use crate::definition::value::Value;
use crate::engine::{Change, Event, Instance};
use crate::model::world::without_indices;
use crate::plan::{At, Kind, NodeId, Plan, ROOT, ROOT_PLACE};
use crate::source::Span;

/// What comes of an expression and nothing that was tried led to, though the flow came to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Untried {
    /// The step that runs the saga, or is taken back by the saga, in which it stands; none where that is the saga itself.
    pub run: Option<CompactString>,
    /// The expression, or what it stands in.
    pub span: Span,
    /// What would come of it.
    pub way: Untaken,
}

/// What nothing that was tried makes of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Untaken {
    /// The condition holds or does not. That the last of several does not hold means that none of them does.
    Whole(bool),
    /// A part of what stands there does.
    Part(bool),
    /// It cannot be computed.
    Overflow,
    /// A list has an element, or none.
    Elements(bool),
    /// The condition holds or does not while another one, which stands there, does.
    Beside(bool, Span, bool),
}

/// The ways that conditions went.
pub(super) struct Tried<'p> {
    /// Of a choice the arm, and behind the last one that none holds; of rounds, of a wait and of a loop over what is filtered
    /// 1 if their condition holds of anything, or else 0.
    ways: BTreeSet<(NodeId, u32)>,
    parts: Parts<'p>,
    pairs: Pairs<'p>,
    computed: Computed<'p>,
}

impl<'p> Tried<'p> {
    pub(super) fn new(plan: &'p Plan) -> Self {
        Self { ways: BTreeSet::new(), parts: Parts::of(plan), pairs: Pairs::of(plan), computed: Computed::of(plan) }
    }

    pub(super) fn see(&mut self, plan: &Plan, change: &Change, behind: &Instance) {
        for event in &change.events {
            let Some((node, at)) = place_of(plan, event) else { continue };
            self.parts.see(plan, (node, at), event, behind);
            self.pairs.see(plan, (node, at), event, behind);
            self.computed.see(node, event);
            let way = match event {
                Event::Chose { arm, .. } => *arm,
                Event::Judged { met, .. } => u32::from(*met),
                Event::Slept { .. } => 0,
                Event::Took { .. } => 1,
                Event::Listed { elements, .. } => u32::from(!elements.is_empty()),
                _ => continue,
            };
            self.ways.insert((node, way));
        }
    }

    pub(super) fn untried(&self, setting: &Setting<'_>) -> Vec<Untried> {
        let plan = setting.plan;
        let mut untried = BTreeSet::new();
        for (id, node) in plan.nodes() {
            // What is found of one twin is true of the others.
            let others = setting.twins.others(id).into_iter().map(|swap| swap.node(id));
            let alike: Vec<NodeId> = others.chain([id]).collect();
            let parts = self.parts.untried(id, &alike);
            let parts = parts.filter(|(part, holds)| !is_of_absence(part.condition, *holds));
            let of_part = |(part, holds): (&Part<'_>, bool)| Untried {
                run: run_of(plan, id),
                span: part.span,
                way: Untaken::Part(holds),
            };
            untried.extend(parts.map(of_part));
            untried.extend(self.computed.untried(id, &alike).map(|span| Untried {
                run: run_of(plan, id),
                span,
                way: Untaken::Overflow,
            }));
            let went = |way| alike.iter().any(|id| self.ways.contains(&(*id, way)));
            // Each condition with the ways on which it holds and on which it does not, if that is seen.
            let conditions: Vec<(&Typed, u32, Option<u32>)> = match &node.kind {
                Kind::Choice { arms, .. } => {
                    let last = arms.len().saturating_sub(1);
                    let arms = (0..).zip(arms).enumerate();
                    arms.map(|(number, (arm, (condition, _)))| (condition, arm, (number == last).then_some(arm + 1)))
                        .collect()
                }
                Kind::Repeat(repeat) => vec![(&repeat.until, 1, Some(0))],
                Kind::Await(wait, _) => wait.filter.iter().map(|filter| (filter, 1, None)).collect(),
                Kind::Each(each) => each.filter.iter().map(|filter| (filter, 1, None)).collect(),
                _ => continue,
            };
            if !alike.iter().any(|id| self.ways.range((*id, 0)..=(*id, u32::MAX)).next().is_some()) {
                continue;
            }
            if let Kind::Each(each) = &node.kind
                && each.filter.is_none()
            {
                let may_have = each.length.is_none_or(|length| length.most > 0);
                // What comes from outside is tried with none as with some: that the flow never comes there without is its own doing.
                let may_lack =
                    each.length.is_none_or(|length| length.least == 0) && is_computed(plan, &each.list.expr, DEPTH_MAX);
                let ways = [(true, may_have), (false, may_lack)].into_iter();
                let missed = ways.filter(|(has_any, can_be)| *can_be && !went(u32::from(*has_any)));
                untried.extend(missed.map(|(has_any, _)| Untried {
                    run: run_of(plan, id),
                    span: each.list.span,
                    way: Untaken::Elements(has_any),
                }));
            }
            for (condition, holds, fails) in conditions {
                // Of a constant there is nothing to find.
                let ways = [(true, Some(holds)), (false, fails)].into_iter();
                let ways = ways.filter(|_| !matches!(condition.expr, Expr::Literal(_)));
                let missed = ways.filter(|(holds, way)| {
                    way.is_some_and(|way| !went(way)) && !is_of_absence(&condition.expr, *holds)
                });
                let run = run_of(plan, id);
                untried.extend(missed.map(|(holds, _)| Untried {
                    run: run.clone(),
                    span: condition.span,
                    way: Untaken::Whole(holds),
                }));
            }
        }
        let apart = self.pairs.apart().into_iter().filter(|apart| setting.twins.others(apart.node).is_empty());
        untried.extend(apart.map(|Apart { node, condition: (span, holds), other: (other, is_met) }| Untried {
            run: run_of(plan, node),
            span,
            way: Untaken::Beside(holds, other, is_met),
        }));
        untried.into_iter().collect()
    }
}

/// At which node something was computed or could not be, by what an event says, and in which element or round. The condition
/// behind a round is that of the loop.
fn place_of(plan: &Plan, event: &Event) -> Option<(NodeId, At)> {
    let place = match event {
        Event::Chose { at, .. }
        | Event::Judged { at, .. }
        | Event::Bound { at, .. }
        | Event::Listed { at, .. }
        | Event::Slept { at, .. }
        | Event::Took { at, .. }
        | Event::Called { at, .. }
        | Event::Sent { at, .. }
        | Event::Succeeded { at, .. } => at.as_str(),
        Event::Stuck { at, code, .. } if code == INVALID => at.as_str(),
        Event::Failed { failure, .. } if failure.code == INVALID => failure.step.as_str(),
        Event::Completed { .. } => ROOT_PLACE,
        _ => return None,
    };
    let at = plan.find(place)?;
    let node = if matches!(event, Event::Judged { .. }) { plan.node(at.node()).parent? } else { at.node() };
    Some((node, at))
}

/// Whether a list is made of something, and not what somebody gives.
fn is_computed(plan: &Plan, list: &Expr, depth: u8) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return true };
    match list {
        Expr::Read(Read { root: Root::Name(name), path, .. }) => match plan.named(name).map(|id| &plan.node(id).kind) {
            Some(Kind::Let(value)) if path.is_empty() => is_computed(plan, &value.expr, depth),
            _ => false,
        },
        Expr::Read(_) => false,
        Expr::Into(inner, ..) | Expr::Every(inner, ..) => is_computed(plan, inner, depth),
        _ => true,
    }
}

/// The same condition stands in each run of a sub-saga.
fn run_of(plan: &Plan, id: NodeId) -> Option<CompactString> {
    let way_back = plan.node(id).flow;
    let way_back = (way_back != ROOT).then(|| plan.node(way_back).parent).flatten();
    let run = plan.around(id).next().or(way_back)?;
    Some(without_indices(&plan.node(run).place).into())
}

/// Whether something has to be absent for a condition to hold, or not to. Each field and list is tried without a value, and
/// each step without an answer: what was never absent is always there, and the types may ask for the condition all the same.
pub(super) fn is_of_absence(condition: &Expr, holds: bool) -> bool {
    match condition {
        Expr::Not(inner) => is_of_absence(inner, !holds),
        Expr::Binary(op, pair) => {
            let (left, right) = &**pair;
            let is_null = |side: &Expr| matches!(side, Expr::Literal(Value::Null));
            match op {
                BinaryOp::Equal => holds && (is_null(left) || is_null(right)),
                BinaryOp::NotEqual => !holds && (is_null(left) || is_null(right)),
                // Each of them alone would be enough.
                BinaryOp::Or => holds && is_of_absence(left, holds) && is_of_absence(right, holds),
                BinaryOp::And => !holds && is_of_absence(left, holds) && is_of_absence(right, holds),
                _ => false,
            }
        }
        _ => false,
    }
}
