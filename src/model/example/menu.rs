//! What may depart from the good path: what a scenario is put together of.

use std::time::Duration;

use super::{is_least, is_same};
use crate::definition::json::least;
use crate::definition::types::Type;
use crate::definition::{Answer, Called, HappeningKind, Verb};
use crate::model::explore::{self, Outside};
use crate::model::world::without_indices;
use crate::plan::Plan;

/// All that can depart at any place, what the way has first.
pub(super) fn everything(plan: &Plan, clues: &[HappeningKind]) -> Vec<HappeningKind> {
    let mut menu = clues.to_vec();
    let mut add = |happening: HappeningKind| {
        if !menu.iter().any(|known| is_same(known, &happening)) {
            menu.push(happening);
        }
    };
    for (id, node) in plan.nodes() {
        let Some(work) = plan.work(id) else { continue };
        let answer = |undo, answer, times| {
            let called = Called { undo, step: without_indices(&node.place).into() };
            HappeningKind::Answer { called, answer, times }
        };
        if let Some(action) = work.action().filter(|action| action.verb == Verb::Call) {
            action.command.fails.iter().for_each(|code| add(answer(false, Answer::Fails(Some(code.clone())), None)));
            add(answer(false, Answer::TimesOut, None));
            // All attempts but the last.
            add(answer(false, Answer::TimesOut, Some(action.timing.retry.times).filter(|times| *times > 0)));
        }
        if work.compensation().is_some_and(|undo| undo.verb == Verb::Call) {
            add(answer(true, Answer::Fails(None), None));
        }
    }
    add(HappeningKind::Cancelled(Duration::ZERO));
    for signal in plan.saga.signals.values() {
        // In a loop, the first round or element.
        let name = plan.signal_in_general(&signal.name);
        let with = least(&Type::Record(signal.shape.clone()), &signal.name);
        add(HappeningKind::Arrives { signal: name, with: with.as_str().into(), after: Duration::ZERO });
    }
    menu
}

/// All replies and signals whose data makes a difference.
pub(in crate::model) fn data(plan: &Plan) -> Vec<HappeningKind> {
    let of = |outside| match outside {
        Outside::Reply { step, value } => {
            let called = Called { undo: false, step: without_indices(&step).into() };
            let is_usual = is_least(plan, &called, &value);
            let answer = Answer::Replies(value.get().into());
            (!is_usual).then_some(HappeningKind::Answer { called, answer, times: None })
        }
        Outside::Signal { signal, with } => {
            Some(HappeningKind::Arrives { signal, with: with.get().into(), after: Duration::ZERO })
        }
    };
    explore::from_outside(plan).into_iter().filter_map(of).collect()
}
