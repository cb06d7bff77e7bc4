//! Of which lists only some lengths are tried, and which loops go through them: with more elements more is done.

use super::Setting;
use crate::plan::{At, Kind, Plan};

/// The loops, by node, that may have more elements than were tried: the text does not say how many there are.
pub(super) fn open_loops(plan: &Plan) -> Vec<bool> {
    plan.nodes().map(|(_, node)| matches!(&node.kind, Kind::Each(each) if each.length.is_none())).collect()
}

/// Whether something stands in a loop that may have more elements than were tried.
pub(super) fn grows(setting: &Setting<'_>, at: At) -> bool {
    setting.plan.node(at.node()).loops.iter().any(|around| setting.is_open_loop(around.node))
}
