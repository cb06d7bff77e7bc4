//! An instance without its clock and its counters, for whoever explores every order of things: two instances that
//! differ in nothing but when something happened, or how often it was tried in between, behave alike.

use super::attempts::invocation;
use super::event::Failure;
use super::id::Direction;
use super::instance::{Attempt, Instance, Phase, State, Trouble, Wait};
use crate::plan::{At, Plan, Work};
use crate::time::Timestamp;

impl Instance {
    /// Forgets what makes no difference to whoever explores: when something happened (it was `past`) and will happen (it is
    /// `future`; [`Timestamp::NEVER`] stays), how many changes there were, which requests are recognised, which of several
    /// attempts in the middle this is, and the deadline of a saga that fails already. The first attempt, the second, the last
    /// and those past it behave in ways of their own, and no others. Words that are for people alone go, too, unless
    /// `keeps_words` says that an expression reads them.
    pub fn blur(&mut self, plan: &Plan, (past, future): (Timestamp, Timestamp), keeps_words: bool) {
        self.seq = 0;
        (self.started, self.changed) = (past, past);
        set(&mut self.deadline, future);
        match &mut self.phase {
            Phase::Failing(failure) => {
                self.deadline = Timestamp::NEVER;
                hush(failure, keeps_words);
            }
            Phase::Compensated(failure) => hush(failure, keeps_words),
            Phase::New | Phase::Forward | Phase::Committed | Phase::Completed(_) => {}
        }
        if let Some(heard) = &mut self.heard {
            heard.followed.clear();
            heard.signals.iter_mut().for_each(|signal| signal.at = past);
            if heard.signals.is_empty() {
                self.heard = None;
            }
        }
        self.states.edit(|at, state| match state {
            State::Sleeping(until) => set(until, future),
            State::Halted(trouble) => blur_trouble(trouble, past),
            State::Failing(failure) => hush(failure, keeps_words),
            State::Caught(caught) => hush(&mut caught.failure, keeps_words),
            State::Doing(attempt) => blur_attempt(plan, (at, Direction::Do), attempt, (past, future)),
            State::Undoing(undoing) => {
                blur_attempt(plan, (at, Direction::Undo), &mut undoing.attempt, (past, future));
            }
            State::Done(_)
            | State::Refused(_)
            | State::Unknown
            | State::Turned
            | State::Undone
            | State::Chose(_)
            | State::Bound(_)
            | State::Each(_)
            | State::Rounds(_)
            | State::Woke
            | State::Reached => {}
        });
    }

    /// Lets the wait of a state, by its number among [`Instance::states`], end at an instant; and with it the time of all its
    /// attempts, if that `is_limit`.
    pub fn let_end(&mut self, slot: usize, at: Timestamp, is_limit: bool) {
        let Some((node, _)) = self.nth_state(slot) else { return };
        self.states.change(node, |state| {
            if let State::Sleeping(until) = state {
                return set(until, at);
            }
            let Some(attempt) = state.attempt_mut() else { return };
            if is_limit {
                set(&mut attempt.limit, at);
            }
            attempt.wait.until_mut().into_iter().for_each(|until| set(until, at));
        });
    }

    /// Lets the attempt of a state, by its number, be the last that its retries allow. False where it is that already, or
    /// there is none.
    pub fn exhaust(&mut self, plan: &Plan, slot: usize) -> bool {
        let last = self.nth_state(slot).and_then(|(at, state)| {
            let (direction, attempt) = state.attempt()?;
            let last = last_attempt(plan.work(at.node())?, direction)?;
            let last = attempt.before_order().saturating_add(last);
            (attempt.number > 0 && attempt.number < last).then_some((at, last))
        });
        let Some((at, last)) = last else { return false };
        self.states.change(at, |state| state.attempt_mut().into_iter().for_each(|attempt| attempt.number = last));
        true
    }

    /// Makes a state, by its number, again what it is in an instance of which this is a copy.
    pub fn change_back(&mut self, slot: usize, of: &Self) {
        if let Some((at, state)) = of.nth_state(slot) {
            self.states.put(at, state.clone());
        }
    }
}

/// An instant becomes another; what never comes stays so.
fn set(instant: &mut Timestamp, to: Timestamp) {
    if *instant != Timestamp::NEVER {
        *instant = to;
    }
}

fn hush(failure: &mut Failure, keeps_words: bool) {
    if !keeps_words {
        failure.message = None;
    }
}

fn blur_trouble(trouble: &mut Trouble, past: Timestamp) {
    trouble.since = past;
    trouble.message = None;
}

fn blur_attempt(
    plan: &Plan,
    (at, direction): (At, Direction),
    attempt: &mut Attempt,
    (past, future): (Timestamp, Timestamp),
) {
    set(&mut attempt.limit, future);
    attempt.beyond.iter_mut().for_each(|since| *since = past);
    attempt.repeated = None;
    match &mut attempt.wait {
        Wait::Log(since) => *since = past,
        Wait::Person(trouble) => blur_trouble(trouble, past),
        wait => {
            if let Wait::Turn(turn) = wait {
                turn.since = past;
            }
            wait.until_mut().into_iter().for_each(|until| set(until, future));
        }
    }
    let Some(last) = plan.work(at.node()).and_then(|work| last_attempt(work, direction)) else { return };
    // Of those before an operator's order it matters that there were any.
    let before = attempt.before_order();
    let since = match attempt.number.saturating_sub(before) {
        number if number > last => last + 1,
        number if number > 2 && number < last => 2,
        number => number,
    };
    attempt.number = before.min(1) + since;
    attempt.base = attempt.base.min(2);
}

/// The number of the last attempt that retries allow, counted from 1, or from an operator's order.
pub(crate) fn last_attempt(work: &Work, direction: Direction) -> Option<u32> {
    invocation(work, direction).map(|invocation| invocation.timing.retry.times.saturating_add(1))
}
