//! An instance without its clock and its counters, for whoever explores every order of things: two instances that
//! differ in nothing but when something happened, or how often it was tried in between, behave alike.

use super::attempts::invocation;
use super::id::Direction;
use super::instance::{Attempt, Instance, Phase, State, Wait};
use crate::plan::{Plan, Work};
use crate::time::Timestamp;

/// Which instant of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instant {
    /// When the saga fails by itself.
    Deadline,
    /// When time alone ends the wait of a state, by its number among [`Instance::states`].
    Wait(usize),
    /// When all attempts of a step together end, by the number of its state.
    Limit(usize),
    /// Of something that has happened.
    Past,
}

impl Instance {
    /// Sets every instant to what `map` makes of it; [`Timestamp::NEVER`] stays.
    pub fn retime(&mut self, mut map: impl FnMut(Instant, Timestamp) -> Timestamp) {
        let mut set = |which: Instant, at: &mut Timestamp| {
            if *at != Timestamp::NEVER {
                *at = map(which, *at);
            }
        };
        set(Instant::Past, &mut self.started);
        set(Instant::Past, &mut self.changed);
        set(Instant::Deadline, &mut self.deadline);
        if let Some(heard) = &mut self.heard {
            heard.signals.iter_mut().for_each(|signal| set(Instant::Past, &mut signal.at));
        }
        self.states.edit(|slot, _, state| match state {
            State::Sleeping(until) => set(Instant::Wait(slot), until),
            State::Halted(trouble) => set(Instant::Past, &mut trouble.since),
            state => {
                let Some(attempt) = state.attempt_mut() else { return };
                set(Instant::Limit(slot), &mut attempt.limit);
                match &mut attempt.wait {
                    Wait::Answer(until)
                    | Wait::Query(until)
                    | Wait::Pause(until)
                    | Wait::Pending(until)
                    | Wait::Unfit(until) => set(Instant::Wait(slot), until),
                    Wait::Log(since) => set(Instant::Past, since),
                    Wait::Person(trouble) => set(Instant::Past, &mut trouble.since),
                    Wait::Turn(turn) => {
                        set(Instant::Past, &mut turn.since);
                        turn.until.iter_mut().for_each(|until| set(Instant::Wait(slot), until));
                    }
                }
            }
        });
    }

    /// Forgets the words that are for people alone, unless `keep` says that an expression reads them; and the deadline of a
    /// saga that fails already.
    pub fn silence(&mut self, keep: bool) {
        if matches!(self.phase, Phase::Failing(_)) {
            self.deadline = Timestamp::NEVER;
        }
        let failure = match &mut self.phase {
            Phase::Failing(failure) | Phase::Compensated(failure) => Some(failure),
            _ => None,
        };
        if let Some(failure) = failure.filter(|_| !keep) {
            failure.message = None;
        }
        self.states.edit(|_, _, state| match state {
            State::Failing(failure) if !keep => failure.message = None,
            State::Caught(caught) if !keep => caught.failure.message = None,
            State::Halted(trouble) => trouble.message = None,
            state => {
                if let Some(Attempt { wait: Wait::Person(trouble), .. }) = state.attempt_mut() {
                    trouble.message = None;
                }
            }
        });
    }

    /// Forgets how many changes there were, which requests are recognised, and which of several attempts in the middle
    /// this is: the first, the second, the last and those past it behave in ways of their own, and no others.
    pub fn uncount(&mut self, plan: &Plan) {
        self.seq = 0;
        if let Some(heard) = &mut self.heard {
            heard.requests.clear();
            if heard.signals.is_empty() {
                self.heard = None;
            }
        }
        self.states.edit(|_, at, state| {
            let Some(work) = plan.work(at.node()) else { return };
            let Some((direction, _)) = state.attempt() else { return };
            let (Some(attempt), Some(last)) = (state.attempt_mut(), last_attempt(work, direction)) else { return };
            // Of those before an operator's order it matters that there were any.
            let before = attempt.before_order();
            let since = match attempt.number.saturating_sub(before) {
                number if number > last => last + 1,
                number if number > 2 && number < last => 2,
                number => number,
            };
            attempt.number = before.min(1) + since;
            attempt.base = attempt.base.min(2);
        });
    }

    /// Lets the attempt of a state, by its number, be the last that its retries allow. False where it is that already, or
    /// there is none.
    pub fn exhaust(&mut self, plan: &Plan, slot: usize) -> bool {
        let mut is_before = false;
        self.states.edit(|number, at, state| {
            let (Some(work), Some((direction, _))) = (plan.work(at.node()), state.attempt()) else { return };
            let (Some(attempt), Some(last)) = (state.attempt_mut(), last_attempt(work, direction)) else { return };
            let last = attempt.before_order().saturating_add(last);
            if number == slot && attempt.number > 0 && attempt.number < last {
                attempt.number = last;
                is_before = true;
            }
        });
        is_before
    }
}

/// The number of the last attempt that retries allow, counted from 1, or from an operator's order.
pub(crate) fn last_attempt(work: &Work, direction: Direction) -> Option<u32> {
    invocation(work, direction).map(|invocation| invocation.timing.retry.times.saturating_add(1))
}
