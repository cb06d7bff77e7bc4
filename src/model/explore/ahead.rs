//! What may still come in a state: whether the flow may yet come to a node, and so whether anybody may yet look at a value
//! or take a signal. Where it is not sure, it may.

use super::Setting;
use super::reads::{Reader, When};
use crate::engine::{Instance, Phase, State};
use crate::plan::{At, Kind, NodeId, Plan, ROOT};

/// Who looks at the values of one name, or waits for one signal.
#[derive(Clone, Debug, Default)]
pub(super) struct Readers {
    /// By their numbers among all readers; and whether it is the value of the round before that they look at.
    all: Vec<(usize, bool)>,
}

impl Readers {
    pub(super) fn of(name: &str, readers: &[Reader]) -> Self {
        let all = readers.iter().enumerate().filter(|(_, reader)| reader.reads.names.contains_key(name));
        Self { all: all.map(|(number, reader)| (number, reader.reads.previous.contains(name))).collect() }
    }

    /// Whether anybody may yet look at the value that stands at an address.
    pub(super) fn may_come(&self, setting: &Setting<'_>, instance: &Instance, value: At) -> bool {
        let plan = setting.plan;
        self.all.iter().any(|(number, of_previous)| {
            let Some(reader) = setting.looked.readers.get(*number) else { return false };
            // The one that it stands in: beyond it, any element or round may be the one that looks.
            let known = if *of_previous {
                let loops = &plan.node(reader.node).loops;
                loops.iter().position(|around| matches!(plan.node(around.node).kind, Kind::Repeat(_))).unwrap_or(0)
            } else {
                plan.loops_around(reader.node, value.node())
            };
            is_ahead(plan, instance, (value.beside(reader.node, known), known), reader.when)
        })
    }
}

/// Whether a node's expressions may yet be evaluated; of its address the first `known` elements and rounds are known.
pub(super) fn is_ahead(plan: &Plan, instance: &Instance, (at, known): (At, usize), when: When) -> bool {
    let id = at.node();
    let own = if plan.node(id).depth() <= known { instance.state(at) } else { None };
    let is_over = match when {
        When::Entered => matches!(
            own,
            Some(
                State::Chose(_)
                    | State::Bound(_)
                    | State::Each(_)
                    | State::Sleeping(_)
                    | State::Woke
                    | State::Failing(_)
                    | State::Caught(_)
            )
        ),
        When::Awaiting => matches!(own, Some(State::Bound(_) | State::Woke)),
        When::Round => matches!((&plan.node(id).kind, own), (Kind::Repeat(repeat), Some(State::Rounds(rounds)))
            if rounds.met || rounds.over >= repeat.times),
        When::Left => id != ROOT && matches!(own, Some(State::Done(_) | State::Undone | State::Unknown)),
        When::Attempts => matches!(
            own,
            Some(
                State::Done(_) | State::Refused(_) | State::Unknown | State::Undoing(_) | State::Turned | State::Undone
            )
        ),
        When::Back => matches!(own, Some(State::Undone | State::Refused(_))),
    };
    !is_over && may_come(plan, instance, (at, known), when)
}

/// Whether what stands around a node lets the flow come to it.
fn may_come(plan: &Plan, instance: &Instance, (at, known): (At, usize), when: When) -> bool {
    // A compensation runs while what stands around it fails.
    if when == When::Back {
        return !instance.has_ended();
    }
    let mut child = at.node();
    while let Some(parent) = plan.node(child).parent {
        let node = plan.node(parent);
        if node.depth() <= known && is_closed(plan, instance, at.beside(parent, node.depth()), child) {
            return false;
        }
        child = parent;
    }
    let is_main = plan.node(at.node()).flow == ROOT;
    match &instance.phase {
        Phase::New | Phase::Forward | Phase::Committed => true,
        Phase::Failing(_) => !is_main,
        Phase::Completed(_) | Phase::Compensated(_) => false,
    }
}

/// Whether the flow does not come from a node to this child of it any more.
fn is_closed(plan: &Plan, instance: &Instance, parent: At, child: NodeId) -> bool {
    let state = instance.state(parent);
    match &plan.node(parent.node()).kind {
        Kind::Try(trial) if child <= trial.last => matches!(state, Some(State::Failing(_) | State::Caught(_))),
        Kind::Try(trial) => match state {
            Some(State::Caught(caught)) => {
                trial.catches.get(caught.handler as usize).is_some_and(|(_, handler)| *handler != child)
            }
            _ => false,
        },
        Kind::Choice { arms, otherwise } => match state {
            Some(State::Chose(arm)) => arms.get(*arm as usize).map_or(*otherwise, |(_, chosen)| *chosen) != child,
            _ => false,
        },
        Kind::Await(..) => matches!(state, Some(State::Bound(_))),
        Kind::Each(_) => matches!(state, Some(State::Each(elements))
            if elements.over == elements.count || elements.left.is_some()),
        Kind::Repeat(repeat) => match state {
            Some(State::Rounds(rounds)) if child == repeat.round => {
                rounds.met || rounds.over >= repeat.times || rounds.left.is_some()
            }
            Some(State::Rounds(rounds)) => rounds.met,
            _ => false,
        },
        Kind::Run(run) if run.work.back != Some(child) => {
            matches!(state, Some(State::Done(_) | State::Undone | State::Unknown | State::Undoing(_) | State::Turned))
        }
        Kind::Run(_) | Kind::Step(_) => matches!(state, Some(State::Undone | State::Refused(_))),
        Kind::Scope(_)
        | Kind::Sequence(_)
        | Kind::Parallel(_)
        | Kind::Pivot
        | Kind::Sleep(_)
        | Kind::Let(_)
        | Kind::Fail { .. } => false,
    }
}
