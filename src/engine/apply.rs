//! The only mutator of an instance, live and in replay.
//!
//! Nothing is decided or evaluated here: what an event says is folded in, or the event does not belong and that is
//! said. Invariants are checked here a second time, so that a journal that was tampered with, or written by another
//! definition, is refused instead of believed.

use super::event::{Change, Event, Failure, Place};
use super::heard::{Followed, Heralded, OrderHash};
use super::id::Direction;
use super::input::Order;
use super::instance::{Attempt, Caught, Instance, Phase, Starter, State, Trouble, Turn, Undoing, Wait};
use crate::json::Json;
use crate::plan::{At, Class, Kind, Plan, ROOT};
use crate::time::Timestamp;

/// Why a change does not belong to an instance. The instance is then of no use: it may hold half of the change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// A record is missing, or is there twice.
    #[error("apply change {found}: the instance has had {applied} and the next must be {}", .applied + 1)]
    OutOfSequence {
        /// Changes so far.
        applied: u64,
        /// The number that came.
        found: u64,
    },
    /// The definition has no such place.
    #[error("apply an event at `{place}`: the definition has no such place")]
    UnknownPlace {
        /// What the event names.
        place: Place,
    },
    /// The event cannot happen in this state.
    #[error("apply `{event}` at `{place}`: it cannot happen while that is {state}")]
    Illegal {
        /// The event's name in the journal.
        event: &'static str,
        /// Where.
        place: Place,
        /// The state that it met.
        state: String,
    },
}

impl Instance {
    /// Folds a change in.
    ///
    /// # Errors
    /// The change does not belong to this instance: a gap, a place that the definition lacks, an impossible move.
    pub fn apply(&mut self, plan: &Plan, change: &Change) -> Result<(), Misfit> {
        if change.seq != self.seq + 1 {
            return Err(Misfit::OutOfSequence { applied: self.seq, found: change.seq });
        }
        self.seq = change.seq;
        self.changed = self.changed.max(change.at);
        change.events.iter().try_for_each(|event| self.apply_event(plan, change.at, event))
    }

    pub(super) fn apply_event(&mut self, plan: &Plan, at: Timestamp, event: &Event) -> Result<(), Misfit> {
        match event {
            Event::Started { input, deadline, reply_to, traceparent, .. } => {
                self.in_phase(event, |phase| matches!(phase, Phase::New))?;
                self.started = at;
                self.input = Some(input.clone());
                self.deadline = deadline.unwrap_or(Timestamp::NEVER);
                if reply_to.is_some() || traceparent.is_some() {
                    let (reply_to, traceparent) = (reply_to.clone(), traceparent.clone());
                    self.starter = Some(Box::new(Starter { reply_to, traceparent }));
                }
                self.phase = Phase::Forward;
            }
            Event::Queued { at: place, work, until, limit } => {
                let node = self.goes_on(plan, event, place, *work)?;
                let turn = || Wait::Turn(Box::new(Turn { since: at, until: *until }));
                let next = |before: Option<Attempt>| match before {
                    None => Attempt::none(limit.unwrap_or(Timestamp::NEVER), turn()),
                    Some(before) => Attempt { limit: limit.unwrap_or(before.limit), wait: turn(), ..before },
                };
                let waits = |attempt: &Attempt| attempt.wait.is_for_turn();
                let state = match (work, self.states.take(node)) {
                    (Direction::Do, None) => State::Doing(next(None)),
                    (Direction::Do, Some(State::Doing(before))) if !waits(&before) => State::Doing(next(Some(before))),
                    (Direction::Undo, Some(State::Done(value))) => undoing(next(None), value),
                    (Direction::Undo, Some(State::Unknown)) => undoing(next(None), None),
                    (Direction::Undo, Some(State::Undoing(before))) if !waits(&before.attempt) => {
                        undoing(next(Some(before.attempt)), before.value)
                    }
                    (_, state) => return Err(illegal("queued", place, state.as_ref())),
                };
                self.states.put(node, state);
            }
            Event::Called { at: place, work, attempt, until, limit } => {
                let retries = plan.find(place).and_then(|at| pivot_retries(plan, at, *work));
                self.goes_out(plan, event, (place, *work, *attempt), |before| {
                    let wait = Wait::Answer(*until);
                    let before = before.unwrap_or_else(|| Attempt::none(Timestamp::NEVER, wait.clone()));
                    let is_beyond = retries.is_some_and(|retries| attempt.saturating_sub(before.base) > retries);
                    let beyond = before.beyond.or(is_beyond.then_some(at));
                    Attempt { number: *attempt, limit: limit.unwrap_or(before.limit), beyond, wait, ..before }
                })?;
            }
            Event::Sent { at: place, work, attempt } => {
                self.goes_out(plan, event, (place, *work, *attempt), |before| {
                    let before = before.unwrap_or_else(|| Attempt::none(Timestamp::NEVER, Wait::Log(at)));
                    Attempt { number: *attempt, wait: Wait::Log(at), ..before }
                })?;
            }
            Event::Asked { at: place, work, until } => self.wait("asked", plan, place, *work, Wait::Query(*until))?,
            Event::Paused { at: place, work, until, why } => {
                let repeated = Some(Box::new(why.clone()));
                self.waits("paused", plan, (place, *work), |attempt| Attempt {
                    wait: Wait::Pause(*until),
                    repeated,
                    ..attempt
                })?;
            }
            Event::Pended { at: place, work, until } => {
                self.wait("pended", plan, place, *work, Wait::Pending(*until))?;
            }
            Event::Succeeded { at: place, work, reply } => {
                let node = resolve(plan, place)?;
                let run = if let Kind::Run(run) = &plan.node(node.node()).kind { Some(run) } else { None };
                let state = match (work, self.states.take(node)) {
                    (Direction::Do, Some(State::Doing(_))) => State::Done(reply.clone()),
                    // A step without an action does nothing forward, and is taken back all the same.
                    (Direction::Do, None) => State::Done(reply.clone()),
                    (Direction::Do, Some(State::Halted(_))) if run.is_some() => State::Done(reply.clone()),
                    (Direction::Undo, Some(State::Undoing(_))) => State::Undone,
                    (Direction::Undo, Some(State::Turned)) => State::Undone,
                    // Its steps have been taken back.
                    (Direction::Undo, Some(State::Done(_))) if run.is_some_and(|run| !run.own_pivot) => State::Undone,
                    (_, state) => return Err(illegal("succeeded", place, state.as_ref())),
                };
                self.states.put(node, state);
                let is_pivot = plan.work(node.node()).is_some_and(|work| work.class == Class::Pivot);
                if *work == Direction::Do && is_pivot {
                    self.in_phase(event, |phase| matches!(phase, Phase::Forward))?;
                    self.phase = Phase::Committed;
                }
            }
            Event::Refused { at: place, code, .. } => {
                let node = resolve(plan, place)?;
                match self.states.take(node) {
                    Some(State::Doing(_)) => self.states.put(node, State::Refused(code.clone())),
                    state => return Err(illegal("refused", place, state.as_ref())),
                }
            }
            Event::Lost { at: place } => {
                let node = resolve(plan, place)?;
                match self.states.take(node) {
                    Some(State::Doing(_)) => self.states.put(node, State::Unknown),
                    None if self.has_passed_own_pivot(plan, node) => self.states.put(node, State::Unknown),
                    state => return Err(illegal("lost", place, state.as_ref())),
                }
            }
            Event::Withdrawn { at: place } => {
                let node = resolve(plan, place)?;
                match self.state(node) {
                    Some(State::Doing(Attempt { number: 0, wait: Wait::Turn(_), .. })) => self.states.remove(node),
                    state => return Err(illegal("withdrawn", place, state)),
                }
            }
            Event::Stuck { at: place, work, code, message } => {
                let trouble = Box::new(Trouble { code: code.clone(), message: message.clone(), since: at });
                self.stick(plan, event, (place, *work), trouble)?;
            }
            Event::Unfit { at: place, work, until: Some(until), .. } => {
                self.wait("unfit", plan, place, *work, Wait::Unfit(*until))?;
            }
            Event::Unfit { at: place, until: None, .. } => {
                resolve(plan, place)?;
            }
            Event::Chose { at: place, arm } => self.first("chose", plan, place, State::Chose(*arm))?,
            Event::Bound { at: place, value } => self.first("bound", plan, place, State::Bound(value.clone()))?,
            Event::Listed { .. } => self.apply_listed(plan, event)?,
            Event::Turned { at } if self.turns_step(plan, at) => {
                self.states.put(resolve(plan, at)?, State::Turned);
            }
            Event::Passed { at } | Event::Judged { at, .. } | Event::Turned { at } | Event::Unwound { at } => {
                self.apply_to_loop(plan, event, at)?;
            }
            Event::Slept { at: place, until } => self.first("slept", plan, place, State::Sleeping(*until))?,
            Event::Woke { at: place } => {
                let node = resolve(plan, place)?;
                match self.states.take(node) {
                    Some(State::Sleeping(_)) => self.states.put(node, State::Woke),
                    state => return Err(illegal("woke", place, state.as_ref())),
                }
            }
            Event::Took { at: place, request } => {
                let node = resolve(plan, place)?;
                let heard = self.heard.as_deref_mut().map(|heard| &mut heard.signals);
                let index = heard.as_ref().and_then(|all| all.iter().position(|signal| signal.request == *request));
                let Some(signal) = heard.zip(index).map(|(all, index)| all.remove(index)) else {
                    return Err(illegal("took", place, self.state(node)));
                };
                match self.states.take(node) {
                    None | Some(State::Sleeping(_) | State::Halted(_)) => {
                        self.states.put(node, State::Bound(signal.with));
                    }
                    state => return Err(illegal("took", place, state.as_ref())),
                }
            }
            Event::Reached { at: place } => {
                let at = resolve(plan, place)?;
                let is_inner = plan.sub_saga_of_pivot(at.node()).is_some();
                if !self.goes_forward(plan, at) || !(is_inner || matches!(self.phase, Phase::Forward)) {
                    return Err(self.wrong_phase(event));
                }
                self.first("reached", plan, place, State::Reached)?;
                if !is_inner {
                    self.phase = Phase::Committed;
                }
            }
            Event::Caught { at: place, handler } => {
                let node = resolve(plan, place)?;
                match self.states.take(node) {
                    Some(State::Failing(failure)) => {
                        let caught = Caught { handler: *handler, failure: *failure };
                        self.states.put(node, State::Caught(Box::new(caught)));
                    }
                    state => return Err(illegal("caught", place, state.as_ref())),
                }
            }
            Event::Failed { scope, failure } => {
                let node = resolve(plan, scope)?;
                let failure = Box::new(failure.clone());
                if node == At::ROOT {
                    self.in_phase(event, |phase| matches!(phase, Phase::Forward))?;
                    self.phase = Phase::Failing(failure);
                } else {
                    self.in_phase(event, |phase| {
                        matches!(phase, Phase::Forward | Phase::Committed | Phase::Failing(_))
                    })?;
                    match self.states.take(node) {
                        None | Some(State::Sleeping(_)) => self.states.put(node, State::Failing(failure)),
                        state => return Err(illegal("failed", scope, state.as_ref())),
                    }
                }
            }
            Event::Ordered { request, order, by, .. } => {
                let heard = self.heard.get_or_insert_default();
                heard.followed.push(Followed { request: request.clone(), order: Some(OrderHash::of(order)) });
                match order {
                    Order::Signal { signal, with } => {
                        let with = with.clone().unwrap_or_else(Json::empty_object);
                        let (signal, request, by) = (signal.clone(), request.clone(), by.clone());
                        heard.signals.push(Heralded { signal, request, at, by, with });
                    }
                    Order::Retry { step } => self.count_retries_anew(plan, step.as_ref())?,
                    Order::Cancel | Order::Resolve { .. } => {}
                }
            }
            Event::Late => {
                self.in_phase(event, |phase| matches!(phase, Phase::Committed))?;
                self.deadline = Timestamp::NEVER;
            }
            Event::Completed { output } => {
                self.in_phase(event, |phase| matches!(phase, Phase::Forward | Phase::Committed))?;
                self.phase = Phase::Completed(output.clone());
            }
            Event::Compensated => match &self.phase {
                Phase::Failing(failure) => self.phase = Phase::Compensated(failure.clone()),
                _ => return Err(self.wrong_phase(event)),
            },
        }
        Ok(())
    }

    /// An attempt goes out: the first, or the one behind the attempt that `next` is given.
    fn goes_out(
        &mut self,
        plan: &Plan,
        event: &Event,
        (place, work, attempt): (&Place, Direction, u32),
        next: impl Fn(Option<Attempt>) -> Attempt,
    ) -> Result<(), Misfit> {
        let node = self.goes_on(plan, event, place, work)?;
        let state = match (work, self.states.take(node)) {
            (Direction::Do, None) if attempt == 1 => State::Doing(next(None)),
            (Direction::Do, Some(State::Doing(before))) if attempt == before.number + 1 => {
                State::Doing(next(Some(before)))
            }
            (Direction::Undo, Some(State::Done(value))) if attempt == 1 => undoing(next(None), value),
            (Direction::Undo, Some(State::Unknown)) if attempt == 1 => undoing(next(None), None),
            (Direction::Undo, Some(State::Undoing(before))) if attempt == before.attempt.number + 1 => {
                undoing(next(Some(before.attempt)), before.value)
            }
            (_, state) => return Err(illegal(event.name(), place, state.as_ref())),
        };
        self.states.put(node, state);
        Ok(())
    }

    /// A first state, for what happens once.
    fn first(&mut self, event: &'static str, plan: &Plan, place: &Place, state: State) -> Result<(), Misfit> {
        let node = resolve(plan, place)?;
        match self.states.take(node) {
            None | Some(State::Halted(_)) => {
                self.states.put(node, state);
                Ok(())
            }
            before => Err(illegal(event, place, before.as_ref())),
        }
    }

    fn wait(
        &mut self,
        event: &'static str,
        plan: &Plan,
        place: &Place,
        work: Direction,
        wait: Wait,
    ) -> Result<(), Misfit> {
        self.waits(event, plan, (place, work), |attempt| Attempt { wait, ..attempt })
    }

    fn waits(
        &mut self,
        event: &'static str,
        plan: &Plan,
        (place, work): (&Place, Direction),
        next: impl FnOnce(Attempt) -> Attempt,
    ) -> Result<(), Misfit> {
        let node = resolve(plan, place)?;
        let state = match (work, self.states.take(node)) {
            (Direction::Do, Some(State::Doing(attempt))) => State::Doing(next(attempt)),
            (Direction::Undo, Some(State::Undoing(before))) => undoing(next(before.attempt), before.value),
            (_, before) => return Err(illegal(event, place, before.as_ref())),
        };
        self.states.put(node, state);
        Ok(())
    }

    fn stick(
        &mut self,
        plan: &Plan,
        event: &Event,
        (place, work): (&Place, Direction),
        trouble: Box<Trouble>,
    ) -> Result<(), Misfit> {
        /// Attempt 0: the payload could not be computed, so none has gone out.
        fn never_sent(trouble: Box<Trouble>) -> Attempt {
            Attempt::none(Timestamp::NEVER, Wait::Person(trouble))
        }
        let node = resolve(plan, place)?;
        if work == Direction::Undo && self.failing_around(plan, node).is_none() {
            return Err(self.wrong_phase(event));
        }
        let state = match (work, self.states.take(node)) {
            (Direction::Do, None) if matches!(plan.node(node.node()).kind, Kind::Step(_)) => {
                State::Doing(never_sent(trouble))
            }
            (Direction::Do, None | Some(State::Halted(_))) => State::Halted(trouble),
            (Direction::Do, Some(State::Doing(attempt))) => {
                State::Doing(Attempt { wait: Wait::Person(trouble), ..attempt })
            }
            (Direction::Undo, Some(State::Done(value))) => undoing(never_sent(trouble), value),
            (Direction::Undo, Some(State::Unknown)) => undoing(never_sent(trouble), None),
            (Direction::Undo, Some(State::Undoing(before))) => {
                undoing(Attempt { wait: Wait::Person(trouble), ..before.attempt }, before.value)
            }
            (_, before) => return Err(illegal("stuck", place, before.as_ref())),
        };
        self.states.put(node, state);
        Ok(())
    }

    /// Whether a step that a saga takes back is there to be taken back.
    fn turns_step(&self, plan: &Plan, place: &Place) -> bool {
        let Some(at) = plan.find(place) else { return false };
        let is_taken_back_by_saga = plan.work(at.node()).is_some_and(|work| work.back.is_some());
        let may_begin = match self.state(at) {
            Some(State::Done(_) | State::Unknown) => true,
            // What it is given could not be computed.
            Some(State::Undoing(undoing)) => undoing.attempt.number == 0,
            _ => false,
        };
        is_taken_back_by_saga && may_begin && self.failing_around(plan, at).is_some()
    }

    /// An operator's retry gives what pauses or waits for a person all its retries anew, from the next attempt on.
    fn count_retries_anew(&mut self, plan: &Plan, step: Option<&Place>) -> Result<(), Misfit> {
        let spots = |place: &Place| plan.spots(place).ok_or_else(|| Misfit::UnknownPlace { place: place.clone() });
        let only = step.map(spots).transpose()?;
        let waits = |state: &State| {
            let attempt = state.attempt();
            attempt.is_some_and(|(_, attempt)| matches!(attempt.wait, Wait::Person(_) | Wait::Pause(_)))
        };
        let all = self.active().into_iter().filter(|(_, state)| waits(state)).map(|(at, _)| at);
        let all: Vec<At> = all.filter(|at| only.is_none_or(|only| only.has(*at))).collect();
        for at in all {
            self.states.change(at, |state| {
                if let Some(attempt) = state.attempt_mut() {
                    (attempt.base, attempt.beyond, attempt.repeated) = (attempt.number + 1, None, None);
                }
            });
        }
        Ok(())
    }

    /// Whether what stands there may go forward, as far as the phase of the saga says.
    fn goes_forward(&self, plan: &Plan, at: At) -> bool {
        match self.phase {
            Phase::Forward | Phase::Committed => true,
            // What takes a step back goes forward while the saga goes back.
            Phase::Failing(_) => plan.node(at.node()).flow != ROOT,
            Phase::New | Phase::Completed(_) | Phase::Compensated(_) => false,
        }
    }

    /// Whether there is a next attempt in this direction, and whose.
    fn goes_on(&self, plan: &Plan, event: &Event, place: &Place, work: Direction) -> Result<At, Misfit> {
        let node = resolve(plan, place)?;
        let legal = match work {
            Direction::Do => self.goes_forward(plan, node),
            Direction::Undo => true,
        };
        let fails = self.failing_around(plan, node).is_some();
        // That of a sub-saga goes on until its outcome is known.
        let is_open = matches!(self.state(node), Some(State::Doing(_)));
        let is_open_pivot = is_open && plan.sub_saga_of_pivot(node.node()).is_some();
        if is_open_pivot && work == Direction::Do {
            return Ok(node);
        }
        if !legal || fails != (work == Direction::Undo) {
            return Err(self.wrong_phase(event));
        }
        Ok(node)
    }

    fn in_phase(&self, event: &Event, legal: impl Fn(&Phase) -> bool) -> Result<(), Misfit> {
        if legal(&self.phase) { Ok(()) } else { Err(self.wrong_phase(event)) }
    }

    fn wrong_phase(&self, event: &Event) -> Misfit {
        let phase = match &self.phase {
            Phase::New => "not started",
            Phase::Forward => "before the point of no return",
            Phase::Committed => "behind the point of no return",
            Phase::Failing(_) => "being taken back",
            Phase::Completed(_) => "completed",
            Phase::Compensated(_) => "compensated",
        };
        let place = match event {
            Event::Failed { failure: Failure { step, .. }, .. } => step.clone(),
            Event::Queued { at, .. }
            | Event::Called { at, .. }
            | Event::Sent { at, .. }
            | Event::Succeeded { at, .. }
            | Event::Reached { at } => at.clone(),
            _ => Place::const_new("saga"),
        };
        Misfit::Illegal { event: event.name(), place, state: phase.to_owned() }
    }
}

/// How many retries a pivot step has before it is shown as stuck; none for anything else.
fn pivot_retries(plan: &Plan, at: At, work: Direction) -> Option<u32> {
    let work = plan.work(at.node()).filter(|_| work == Direction::Do)?;
    let is_pivot = matches!(work.class, Class::Pivot | Class::InnerPivot);
    work.action().filter(|_| is_pivot).map(|action| action.timing.retry.times)
}

fn undoing(attempt: Attempt, value: Option<Json>) -> State {
    State::Undoing(Box::new(Undoing { attempt, value }))
}

pub(super) fn resolve(plan: &Plan, place: &Place) -> Result<At, Misfit> {
    plan.find(place).ok_or_else(|| Misfit::UnknownPlace { place: place.clone() })
}

pub(super) fn illegal(event: &'static str, place: &Place, state: Option<&State>) -> Misfit {
    Misfit::Illegal { event, place: place.clone(), state: state.map_or("not begun", State::words).to_owned() }
}
