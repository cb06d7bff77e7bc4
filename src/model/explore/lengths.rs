//! Of which lists only some lengths are tried, and which loops go through them: with more elements more is done.

use super::Setting;
use crate::definition::expression::{BinaryOp, Expr, Function, Read, Root};
use crate::plan::{At, Kind, NodeId, Plan};

/// The loops, by node, that may have more elements than were tried.
pub(super) fn open_loops(plan: &Plan) -> Vec<bool> {
    plan.nodes().map(|(id, _)| is_open(plan, id)).collect()
}

/// Whether something stands in a loop that may have more elements than were tried.
pub(super) fn grows(setting: &Setting<'_>, at: At) -> bool {
    setting.plan.node(at.node()).loops.iter().any(|around| setting.is_open_loop(around.node))
}

fn is_open(plan: &Plan, id: NodeId) -> bool {
    matches!(&plan.node(id).kind, Kind::Each(each) if !is_fixed(plan, &each.list.expr))
}

/// Whether the text says how many there are at most.
fn is_fixed(plan: &Plan, list: &Expr) -> bool {
    match list {
        Expr::Literal(_) | Expr::List(_) => true,
        Expr::Every(inner, ..) => is_fixed(plan, inner),
        Expr::Call(Function::Present, arguments) => arguments.iter().all(|argument| is_fixed(plan, argument)),
        Expr::Binary(BinaryOp::Coalesce, pair) => is_fixed(plan, &pair.0) && is_fixed(plan, &pair.1),
        Expr::If(parts) => is_fixed(plan, &parts.1) && is_fixed(plan, &parts.2),
        Expr::Read(Read { root: Root::Name(name), path, .. }) if path.is_empty() => {
            plan.named(name).is_some_and(|id| is_value_fixed(plan, id))
        }
        _ => false,
    }
}

/// The same of what is known by the name of a node: outside of a loop it is one of each element.
fn is_value_fixed(plan: &Plan, id: NodeId) -> bool {
    let node = plan.node(id);
    let is_own = match &node.kind {
        Kind::Let(value) => is_fixed(plan, &value.expr),
        Kind::Step(_) | Kind::Run(_) => !node.loops.is_empty(),
        _ => false,
    };
    is_own && !node.loops.iter().any(|around| is_open(plan, around.node))
}
