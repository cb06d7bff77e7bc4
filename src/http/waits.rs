//! What an instance waits for, in words.

use super::history::turn_at;
use crate::definition::Invocation;
use crate::engine::{Attempt, Instance, State, Summary, Trouble, Wait, invocation};
use crate::plan::{At, Kind, Plan};
use crate::time::Timestamp;

/// One sentence on why an instance stands where it does.
pub(super) fn why(plan: &Plan, instance: &Instance, status: Summary) -> Option<String> {
    let failure = instance.failure().map(ToString::to_string);
    let first = |wanted: fn(&State) -> bool| {
        // The time of a `try` says less than what is being done in it.
        let is_try = |at: At| matches!(plan.node(at.node()).kind, Kind::Try(_));
        let mut waits = instance.active().into_iter().filter(|(_, state)| wanted(state));
        let (at, state) = waits.find(|(at, _)| !is_try(*at))?;
        Some(doing(plan, at, state))
    };
    match status {
        Summary::Completed => None,
        Summary::Compensated => failure,
        Summary::Stuck => first(|state| stuck_since(state).is_some()).or_else(|| first(is_under_way)),
        Summary::Running => first(is_under_way),
        Summary::Compensating => match (failure, first(is_under_way)) {
            (Some(failure), Some(doing)) => Some(format!("{failure}; {doing}")),
            (failure, doing) => failure.or(doing),
        },
    }
}

/// The participants from which it wants something, also those that have been asked in vain: the topic of their commands, and the
/// name.
pub(super) fn asked(plan: &Plan, instance: &Instance) -> Vec<(String, String)> {
    let active = instance.active().into_iter();
    let asked = active.filter_map(|(at, state)| invocation(plan.work(at.node())?, state.attempt()?.0));
    let asked = asked.map(|asked| (asked.participant.commands_topic.to_string(), asked.participant.name.to_string()));
    asked.collect()
}

/// Whether it goes on by itself.
pub(super) fn is_under_way(state: &State) -> bool {
    match state.attempt() {
        Some((_, attempt)) => !matches!(attempt.wait, Wait::Person(_)),
        None => matches!(state, State::Sleeping(_)),
    }
}

/// What a node waits for, in words: "`hotels.ReserveRoom` is not answered yet, attempt 3".
fn doing(plan: &Plan, at: At, state: &State) -> String {
    let (attempt, invocation) = match (state, plan.work(at.node())) {
        (State::Doing(attempt), Some(work)) => (attempt, work.action()),
        (State::Undoing(undoing), Some(work)) => (&undoing.attempt, work.compensation()),
        (State::Sleeping(until), _) => {
            return match &plan.node(at.node()).kind {
                Kind::Await(wait, _) => {
                    format!("awaits the signal {} until {until}", plan.signal_name(at, &wait.signal.name))
                }
                _ => format!("sleeps until {until}"),
            };
        }
        (State::Halted(trouble), _) => return said(trouble),
        _ => return String::new(),
    };
    let called = invocation.map(called).unwrap_or_default();
    let participant = invocation.map(|invocation| invocation.participant.name.as_str()).unwrap_or_default();
    let number = attempt.number;
    let last = last(attempt);
    let waits = match &attempt.wait {
        Wait::Answer(until) => format!("{called} is not answered yet, attempt {number}, until {until}{last}"),
        Wait::Query(until) => format!("{participant} was asked what became of {called}, until {until}{last}"),
        Wait::Pause(until) => format!("{called} is repeated at {until}, after attempt {number}{last}"),
        Wait::Pending(until) => format!("{participant} works on {called}, awaited until {until}"),
        Wait::Unfit(until) => {
            format!(
                "{participant} answers {called} with what does not fit its contract, attempt {number}, until {until}"
            )
        }
        Wait::Log(_) => format!("the log has not acknowledged {called} yet"),
        Wait::Person(trouble) => format!("{called}: {}", said(trouble)),
        Wait::Turn(_) => {
            let turn = invocation.map(|invocation| turn_at(&invocation.participant)).unwrap_or_default();
            format!("{called} waits for {turn}")
        }
    };
    match attempt.beyond {
        Some(since) => format!("beyond its retries since {since}: {waits}"),
        None => waits,
    }
}

/// Why the attempt before is repeated, to stand behind what is said of a step; nothing of the first one.
pub(super) fn last(attempt: &Attempt) -> String {
    attempt.repeated.as_ref().map(|why| format!("; the last: {why}")).unwrap_or_default()
}

/// What is said of a pending step, and what is to be said of it where its final answer came and did not fit.
pub(super) fn answered_unfit(plan: &Plan, at: At, state: &State) -> Option<(String, String)> {
    let (_, Attempt { wait: Wait::Pending(until), .. }) = state.attempt()? else { return None };
    let work = plan.work(at.node())?;
    let is_doing = matches!(state, State::Doing(_));
    let invocation = if is_doing { work.action() } else { work.compensation() }?;
    let (participant, called) = (&invocation.participant.name, called(invocation));
    let now = format!(
        "{participant} answered {called}, on which it worked, with what does not fit its contract; awaited until {until}"
    );
    Some((doing(plan, at, state), now))
}

/// Since when it waits for a person, or a person should know.
pub(super) fn stuck_since(state: &State) -> Option<Timestamp> {
    let beyond = state.attempt().and_then(|(_, attempt)| attempt.beyond);
    trouble(state).map(|trouble| trouble.since).or(beyond)
}

fn said(trouble: &Trouble) -> String {
    match &trouble.message {
        Some(message) => format!("{} ({message})", trouble.code),
        None => trouble.code.to_string(),
    }
}

fn trouble(state: &State) -> Option<&Trouble> {
    match (state, state.attempt()) {
        (State::Halted(trouble), _) | (_, Some((_, Attempt { wait: Wait::Person(trouble), .. }))) => Some(trouble),
        _ => None,
    }
}

pub(super) fn called(invocation: &Invocation) -> String {
    format!("{}.{}", invocation.participant.name, invocation.command.name)
}
