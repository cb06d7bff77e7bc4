//! Signals: what comes from outside while the saga runs, and the statements that wait for it.

use super::decide::{listed, rejected};
use super::draft::{Draft, Given};
use super::environment::View;
use super::event::{Event, Place};
use super::heard::{Heralded, SIGNALS_MAX};
use super::id::{Direction, RequestId};
use super::input::{Decision, OrderRequest, Refusal};
use super::instance::{Phase, State};
use super::orders::ordered;
use crate::definition::Await;
use crate::definition::json::check_json;
use crate::definition::types::Type;
use crate::definition::value::Value;
use crate::json::Json;
use crate::plan::{At, Kind, Plan, ROOT};

/// A signal arrives: it is journaled whether or not anybody awaits it yet.
pub(super) fn decide(given: Given<'_>, (request, name, with): (&OrderRequest, &str, Option<&Json>)) -> Decision {
    let Given { plan, instance, .. } = given;
    let Some(signal) = plan.signal(name) else {
        let known: Vec<_> = plan.saga.signals.keys().map(|signal| plan.signal_in_general(signal)).collect();
        let saga = &plan.saga.name;
        let message = if known.is_empty() {
            format!("saga `{saga}` has no signals, so none `{name}`")
        } else {
            format!("saga `{saga}` has no signal `{name}`; its signals: {}", known.join(", "))
        };
        return rejected(Refusal::UnknownSignal, message);
    };
    if let Err(misfits) = check_json(&Type::Record(signal.shape.clone()), with.map_or("{}", Json::get)) {
        return rejected(Refusal::Misfit, format!("the signal `{name}` does not fit: {}", listed(&misfits)));
    }
    if let Phase::Failing(failure) = &instance.phase
        && !is_of_way_back(plan, name)
    {
        let message = format!("`{}` fails already with `{}`: it awaits nothing any more", instance.id, failure.code);
        return rejected(Refusal::Compensating, message);
    }
    let mut draft = Draft::new(given);
    draft.emit(ordered(request));
    draft.offer(name);
    if draft.instance.signals().iter().filter(|waiting| waiting.signal == name).count() > SIGNALS_MAX {
        let message = format!("{SIGNALS_MAX} signals `{name}` wait in `{}` already, which is the limit", instance.id);
        return rejected(Refusal::Busy, message);
    }
    draft.finish()
}

/// Whether it is one of a saga that takes a step back, which awaits it while all else awaits nothing any more.
fn is_of_way_back(plan: &Plan, name: &str) -> bool {
    let run = name.rsplit_once('.').and_then(|(run, _)| plan.find(run));
    run.is_some_and(|run| plan.is_way_back(run.node()) || plan.node(run.node()).flow != ROOT)
}

impl Draft<'_> {
    /// The flow comes to an `await`: a signal may have come before it.
    pub(super) fn begin_await(&mut self, node: At, wait: &Await) {
        match self.first(node, wait) {
            Some(request) => self.took(node, request),
            None => match self.value(node, &wait.within) {
                Ok(within) => {
                    let until = self.later(&within);
                    self.emit(Event::Slept { at: self.place(node), until });
                }
                Err(invalid) => self.cannot_compute(node, &invalid),
            },
        }
    }

    /// A signal of that name has come: whoever waits for it takes it, the first in the order of the text.
    fn offer(&mut self, name: &str) {
        let waits = self.instance.active().into_iter().filter(|(_, state)| matches!(state, State::Sleeping(_)));
        let waits: Vec<At> = waits.map(|(at, _)| at).collect();
        for node in waits {
            let plan = self.plan;
            let Kind::Await(wait, _) = &plan.node(node.node()).kind else { continue };
            let waits_still = matches!(self.instance.state(node), Some(State::Sleeping(_)));
            if !waits_still || plan.signal_name(node, &wait.signal.name) != name {
                continue;
            }
            if let Some(request) = self.first(node, wait) {
                self.took(node, request);
            }
        }
    }

    fn took(&mut self, node: At, request: RequestId) {
        let at: Place = self.place(node);
        self.emit(Event::Took { at, request });
        self.leave(node);
    }

    /// The first signal that the wait takes.
    fn first(&self, node: At, wait: &Await) -> Option<RequestId> {
        let name = self.plan.signal_name(node, &wait.signal.name);
        let waiting = self.instance.signals().iter().filter(|waiting| waiting.signal == name);
        waiting.filter(|waiting| self.accepts(node, wait, waiting)).map(|waiting| waiting.request.clone()).next()
    }

    /// Whether a signal satisfies `where`. One for which that cannot be computed, since its numbers are too large, does not:
    /// whoever may signal must not be able to make the saga fail or hang.
    fn accepts(&self, node: At, wait: &Await, waiting: &Heralded) -> bool {
        let Some(filter) = &wait.filter else { return true };
        let view = View {
            candidate: Some((&wait.name, &waiting.with)),
            ..View::of(self.plan, &self.instance, (node, Direction::Do))
        };
        filter.evaluate(&view).is_ok_and(|it| it == Value::Bool(true))
    }
}
