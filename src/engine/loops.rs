//! Loops: where elements and rounds begin and end, forward and on the way back.
//!
//! How far a loop is stands in its own state, so that it takes no look at its elements to say it. An element is a
//! sequence with the element's value; what stands in it is addressed with its index.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::apply::{Misfit, illegal, resolve};
use super::draft::{Draft, Task};
use super::environment::View;
use super::event::Event;
use super::id::Direction;
use super::instance::{Instance, State};
use crate::definition::evaluate::Invalid;
use crate::definition::limits::MAX_ELEMENTS;
use crate::definition::value::{Value, to_json};
use crate::json::Json;
use crate::plan::{At, Each, Kind, Plan, Repeat};

/// How many elements and rounds loops inside each other may come to in one decision. All that a decision makes stands in
/// one record, and loops whose blocks wait for nothing would come to their ends in one.
pub const GONE_THROUGH_MAX: usize = 10_000;

/// How far a loop over a list is. Elements begin in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Elements {
    /// Elements.
    pub count: u16,
    /// Those that have ended.
    pub over: u16,
    /// On the way back: those that are not taken back yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u16>,
}

/// How far a `repeat` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rounds {
    /// Rounds that have ended.
    pub over: u16,
    /// Whether the condition held behind the last of them.
    pub met: bool,
    /// On the way back: those that are not taken back yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u16>,
}

impl Elements {
    /// Those that have begun, if nothing keeps any from it.
    #[must_use]
    pub fn begun(self, each: &Each) -> u16 {
        self.count.min(self.over.saturating_add(each.window))
    }
}

impl Rounds {
    /// Before the first one has ended.
    pub(super) const FIRST: Self = Self { over: 0, met: false, left: None };

    /// Those that have begun, if nothing keeps any from it.
    #[must_use]
    pub const fn begun(self, repeat: &Repeat) -> u16 {
        if self.met || self.over >= repeat.times { self.over } else { self.over + 1 }
    }
}

impl Draft<'_> {
    /// The flow comes to a loop over a list: the list is computed once.
    pub(super) fn begin_each(&mut self, at: At, each: &Each) {
        let computed = self.elements(at, each).and_then(|elements| self.within_limits(elements));
        match computed.or_else(|invalid| self.elements_instead(at, invalid)) {
            Ok(elements) => {
                let is_empty = elements.is_empty();
                self.emit(Event::Listed { at: self.place(at), elements });
                self.stack.push(if is_empty { Task::Leave(at) } else { Task::Begin(at, 1) });
            }
            Err(invalid) => self.cannot_compute(at, &invalid),
        }
    }

    /// The elements that are kept.
    fn elements(&self, at: At, each: &Each) -> Result<Vec<Json>, Invalid> {
        let view = View::of(self.plan, &self.instance, (at, Direction::Do));
        let Value::List(all) = each.list.evaluate(&view)? else { return Ok(Vec::new()) };
        let name = &self.plan.node(each.element).place;
        let mut kept = Vec::with_capacity(all.len());
        for value in all {
            let element =
                Json::parse(to_json(&value)).map_err(|error| Invalid { message: format!("failed to {error}") })?;
            if let Some(filter) = &each.filter {
                let view = View {
                    candidate: Some((name, &element)),
                    ..View::of(self.plan, &self.instance, (at, Direction::Do))
                };
                if filter.evaluate(&view)? != Value::Bool(true) {
                    continue;
                }
            }
            kept.push(element);
        }
        Ok(kept)
    }

    /// Those that a person gives where the list, or which of it are kept, cannot be computed: all of them are.
    fn elements_instead(&mut self, at: At, invalid: Invalid) -> Result<Vec<Json>, Invalid> {
        let given = self.instead(at, invalid)?;
        let elements = serde_json::from_str(given.get());
        let elements = elements.map_err(|error| Invalid { message: format!("read the list: {error}") })?;
        self.within_limits(elements)
    }

    fn within_limits(&mut self, elements: Vec<Json>) -> Result<Vec<Json>, Invalid> {
        if elements.len() > usize::from(MAX_ELEMENTS) {
            let message = format!("go through a list of {} elements: the limit is {MAX_ELEMENTS}", elements.len());
            return Err(Invalid { message });
        }
        self.go_through(elements.len())?;
        Ok(elements)
    }

    /// Counts what loops come to in this decision.
    fn go_through(&mut self, count: usize) -> Result<(), Invalid> {
        self.gone_through += count;
        if self.gone_through <= GONE_THROUGH_MAX {
            return Ok(());
        }
        let message =
            format!("go through more than {GONE_THROUGH_MAX} elements and rounds at once, in loops inside each other");
        Err(Invalid { message })
    }

    /// The elements from this one on begin, as many as there is room for, in their order.
    pub(super) fn begin_elements(&mut self, at: At, index: u16) {
        let Kind::Each(each) = &self.plan.node(at.node()).kind else { return };
        let Some(State::Each(elements)) = self.instance.state(at) else { return };
        if index <= elements.begun(each) {
            self.stack.push(Task::Begin(at, index + 1));
            self.stack.push(Task::Enter(self.plan.inside(at, each.element, index)));
        }
    }

    /// An element has ended; another one may begin.
    pub(super) fn leave_element(&mut self, element: At, at: At, each: &Each) {
        self.emit(Event::Passed { at: self.place(element) });
        let Some(State::Each(elements)) = self.instance.state(at) else { return };
        if elements.over == elements.count {
            return self.stack.push(Task::Leave(at));
        }
        // Where some are still to begin in this decision, they go on to this one by themselves.
        let begins = self.stack.iter().any(|task| matches!(task, Task::Begin(other, _) if *other == at));
        if !begins {
            self.stack.push(Task::Begin(at, elements.over.saturating_add(each.window)));
        }
    }

    /// A round has ended: whether that was the last follows from it.
    pub(super) fn leave_round(&mut self, round: At, at: At, repeat: &Repeat) {
        let until = self.go_through(1).and_then(|()| self.value(round, &repeat.until));
        let met = match until {
            Ok(met) => met == Value::Bool(true),
            Err(invalid) => return self.cannot_compute(round, &invalid),
        };
        self.emit(Event::Judged { at: self.place(round), met });
        let index = round.index(self.plan.node(at.node()).depth());
        self.stack.push(match index {
            _ if met => Task::Leave(at),
            last if last >= repeat.times => Task::Enter(self.plan.beside(at, repeat.otherwise)),
            _ => Task::Enter(self.plan.inside(at, repeat.round, index + 1)),
        });
    }
}

impl Instance {
    /// The state of a `repeat` that the flow has come to.
    pub(super) fn rounds(&self, at: At) -> Rounds {
        match self.state(at) {
            Some(State::Rounds(rounds)) => *rounds,
            _ => Rounds::FIRST,
        }
    }

    /// How far a loop is on the way back: the elements or rounds that had begun, and those that are left once it is
    /// begun. None where it has not begun at all.
    pub(super) fn way_back(&self, plan: &Plan, at: At) -> Option<(u16, Option<u16>)> {
        match (&plan.node(at.node()).kind, self.state(at)) {
            (Kind::Each(each), Some(State::Each(elements))) => Some((elements.begun(each), elements.left)),
            (Kind::Repeat(repeat), _) => {
                let has_begun = self.has_begun(plan, plan.inside(at, repeat.round, 1), repeat.last);
                let rounds = self.rounds(at);
                has_begun.then(|| (rounds.begun(repeat), rounds.left))
            }
            _ => None,
        }
    }

    /// Whether a `repeat` is in its first round, of which its own state says nothing yet.
    #[must_use]
    pub fn in_first_round(&self, plan: &Plan, at: At) -> bool {
        match &plan.node(at.node()).kind {
            Kind::Repeat(repeat) => {
                self.state(at).is_none() && self.has_begun(plan, plan.inside(at, repeat.round, 1), repeat.last)
            }
            _ => false,
        }
    }

    pub(super) fn apply_listed(&mut self, plan: &Plan, event: &Event) -> Result<(), Misfit> {
        let Event::Listed { at: place, elements } = event else { return Ok(()) };
        let at = resolve(plan, place)?;
        let count = u16::try_from(elements.len()).ok().filter(|count| *count <= MAX_ELEMENTS);
        match (&plan.node(at.node()).kind, count, self.states.take(at)) {
            (Kind::Each(each), Some(count), None | Some(State::Halted(_))) => {
                self.states.put(at, State::Each(Elements { count, over: 0, left: None }));
                for (index, value) in (1..=count).zip(elements) {
                    self.states.put(plan.inside(at, each.element, index), State::Bound(value.clone()));
                }
                Ok(())
            }
            (_, _, state) => Err(illegal(event.name(), place, state.as_ref())),
        }
    }

    /// An element or round has ended, or is taken back; or a loop is to be taken back.
    pub(super) fn apply_to_loop(&mut self, plan: &Plan, event: &Event, place: &CompactString) -> Result<(), Misfit> {
        let inside = resolve(plan, place)?;
        let around = if matches!(event, Event::Turned { .. }) { Some(inside) } else { plan.parent(inside) };
        let misfit = |state: Option<&State>| illegal(event.name(), place, state);
        let Some(at) = around else { return Err(misfit(None)) };
        let index = inside.index(plan.node(at.node()).depth());
        let state = match (event, &plan.node(at.node()).kind, self.state(at)) {
            (Event::Passed { .. }, Kind::Each(_), Some(State::Each(elements))) if elements.over < elements.count => {
                State::Each(Elements { over: elements.over + 1, ..*elements })
            }
            (Event::Judged { met, .. }, Kind::Repeat(_), _)
                if index == self.rounds(at).over + 1 && !self.rounds(at).met =>
            {
                if matches!(self.state(inside), Some(State::Halted(_))) {
                    self.states.remove(inside);
                }
                State::Rounds(Rounds { over: index, met: *met, left: None })
            }
            (Event::Turned { .. }, Kind::Each(each), Some(State::Each(elements))) if elements.left.is_none() => {
                State::Each(Elements { left: Some(elements.begun(each)), ..*elements })
            }
            (Event::Turned { .. }, Kind::Repeat(repeat), _) if self.rounds(at).left.is_none() => {
                let rounds = self.rounds(at);
                State::Rounds(Rounds { left: Some(rounds.begun(repeat)), ..rounds })
            }
            (Event::Unwound { .. }, Kind::Each(_), Some(State::Each(elements))) => match elements.left {
                Some(left) if left > 0 => State::Each(Elements { left: Some(left - 1), ..*elements }),
                _ => return Err(misfit(self.state(at))),
            },
            (Event::Unwound { .. }, Kind::Repeat(_), Some(State::Rounds(rounds))) => match rounds.left {
                Some(left) if left > 0 => State::Rounds(Rounds { left: Some(left - 1), ..*rounds }),
                _ => return Err(misfit(self.state(at))),
            },
            (_, _, state) => return Err(misfit(state)),
        };
        self.states.put(at, state);
        if matches!(event, Event::Unwound { .. }) {
            self.states.put(inside, State::Undone);
        }
        Ok(())
    }
}
