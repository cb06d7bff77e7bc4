//! Of what only some is tried, so that more may be done than was found: of lists only some lengths, with more elements more is
//! done; and of three conditions that look at the same data not all that they may come to together.

use super::Setting;
use super::pairs::crowded;
use crate::plan::{At, Kind, Node, NodeId, Plan};

/// The loops that may have more elements than were tried, since the text does not say how many there are; and the choices whose
/// conditions may come to more.
pub(super) fn open(plan: &Plan) -> Vec<bool> {
    let crowded = crowded(plan);
    let is_open = |(id, node): (NodeId, &Node)| {
        crowded.contains(&id) || matches!(&node.kind, Kind::Each(each) if each.length.is_none())
    };
    plan.nodes().map(is_open).collect()
}

/// Whether something stands in a loop that may have more elements than were tried, or in a choice that may be taken beside more.
pub(super) fn grows(setting: &Setting<'_>, at: At) -> bool {
    let plan = setting.plan;
    let mut around = std::iter::successors(plan.node(at.node()).parent, |id| plan.node(*id).parent);
    around.any(|around| setting.is_open(around))
}
