//! Which ways the parts of conditions went: what stands beside a part may hide that nothing that was tried ever led to it.
//!
//! Parts are what `&&` and `||` join, and the conditions of `if … then … else` wherever they stand.

use std::collections::BTreeSet;

use super::constants::Constants;
use crate::definition::expression::{BinaryOp, Expr, Typed};
use crate::engine::{Event, Instance, holds};
use crate::plan::{At, Kind, NodeId, Plan};
use crate::source::Span;

/// A part of a condition, at its node.
pub(super) struct Part<'p> {
    pub(super) condition: &'p Expr,
    /// Of all in which it stands.
    pub(super) span: Span,
    /// Of a choice the arm, which is asked if those before it do not hold.
    arm: u32,
}

/// The parts of a plan's conditions, and the ways they went.
pub(super) struct Parts<'p> {
    /// The parts at each node.
    by_node: Vec<Vec<Part<'p>>>,
    went: BTreeSet<(NodeId, usize, bool)>,
    /// So many ways there are.
    all: usize,
}

impl<'p> Parts<'p> {
    pub(super) fn of(plan: &'p Plan) -> Self {
        let by_node: Vec<Vec<Part<'p>>> = plan.nodes().map(|(id, _)| parts_at(plan, id)).collect();
        let all = by_node.iter().map(|parts| parts.len() * 2).sum();
        Self { by_node, went: BTreeSet::new(), all }
    }

    /// What is asked at a node where an event says that it was computed, on the way to a state.
    pub(super) fn see(&mut self, plan: &Plan, (node, at): (NodeId, At), event: &Event, behind: &Instance) {
        if self.went.len() == self.all {
            return;
        }
        let arm = match event {
            Event::Chose { arm, .. } => *arm,
            Event::Judged { .. } | Event::Bound { .. } | Event::Called { .. } | Event::Listed { .. } => 0,
            _ => return,
        };
        let parts = self.by_node.get(node.0 as usize).map(Vec::as_slice).unwrap_or_default();
        for (number, part) in parts.iter().enumerate().filter(|(_, part)| part.arm <= arm) {
            if let Some(way) = holds(plan, behind, at, part.condition) {
                self.went.insert((node, number, way));
            }
        }
    }

    /// The parts at a node with the ways that they never went, if the flow came there; `alike` are all nodes of which the same
    /// is true.
    pub(super) fn untried(&self, id: NodeId, alike: &[NodeId]) -> impl Iterator<Item = (&Part<'p>, bool)> {
        let parts = self.by_node.get(id.0 as usize).map(Vec::as_slice).unwrap_or_default();
        let went = |number, way| alike.iter().any(|id| self.went.contains(&(*id, number, way)));
        let is_asked = (0..parts.len()).any(|number| went(number, true) || went(number, false));
        let ways = parts.iter().enumerate().filter(move |_| is_asked);
        ways.flat_map(move |(number, part)| {
            let missed = [true, false].into_iter().filter(move |way| !went(number, *way));
            missed.map(move |way| (part, way)).collect::<Vec<_>>()
        })
    }
}

fn parts_at(plan: &Plan, id: NodeId) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut add = |typed, arm, is_condition| add_parts(typed, arm, is_condition, &mut parts);
    match &plan.node(id).kind {
        Kind::Choice { arms, .. } => {
            (0..).zip(arms).for_each(|(arm, (condition, _))| add(condition, arm, true));
        }
        Kind::Repeat(repeat) => add(&repeat.until, 0, true),
        Kind::Let(value) => add(value, 0, false),
        Kind::Each(each) => add(&each.list, 0, false),
        _ => {}
    }
    if let Some(action) = plan.work(id).and_then(|work| work.action()) {
        add(&action.payload, 0, false);
    }
    // Of what the text alone says there is nothing to find.
    parts.retain(|part| !Constants { plan, node: id }.says(part.condition));
    parts
}

fn add_parts<'p>(typed: &'p Typed, arm: u32, is_condition: bool, parts: &mut Vec<Part<'p>>) {
    let mut all = Vec::new();
    // What is no part of anything is looked at as a whole.
    if is_condition && matches!(typed.expr, Expr::Binary(BinaryOp::And | BinaryOp::Or, _) | Expr::Not(_)) {
        joined(&typed.expr, &mut all);
        if all.len() == 1 {
            all.clear();
        }
    }
    typed.expr.walk(&mut |expr| {
        if let Expr::If(inner) = expr {
            joined(&inner.0, &mut all);
        }
    });
    parts.extend(all.into_iter().map(|condition| Part { condition, span: typed.span, arm }));
}

/// What `&&` and `||` join.
pub(super) fn joined<'e>(condition: &'e Expr, all: &mut Vec<&'e Expr>) {
    match condition {
        Expr::Not(inner) => joined(inner, all),
        Expr::Binary(BinaryOp::And | BinaryOp::Or, pair) => {
            joined(&pair.0, all);
            joined(&pair.1, all);
        }
        condition => all.push(condition),
    }
}
