//! From an input to facts: one function a kind of input.

use compact_str::CompactString;

use super::attempts::{command_id, invocation};
use super::draft::{Draft, Given, Takes, Words};
use super::event::{Event, Place, UNFIT_KEPT};
use super::id::{CommandId, Direction};
use super::input::{Acknowledged, Decision, Input, Refusal, Rejection, Reply, ReplyKind, Start, Status, Undeliverable};
use super::instance::{Attempt, Instance, Phase, State, Wait};
use super::orders;
use super::step::{Move, Stimulus};
use crate::definition::json::{Misfit, check_json};
use crate::definition::types::Type;
use crate::definition::{Invocation, Verb};
use crate::json::Json;
use crate::plan::{At, Class, Kind, Plan, Undo, Work};
use crate::time::Timestamp;

/// What an input makes of an instance, `now` being the time of the partition's owner, and `takes` what participants with
/// limits take now. Pure: the same arguments give the same decision, in the runtime, in recovery, in a simulation and in
/// a proof.
#[must_use]
pub fn decide<'a>(
    plan: &'a Plan,
    instance: &'a Instance,
    now: Timestamp,
    input: &Input,
    takes: &'a mut Takes<'a>,
) -> Decision {
    let given = Given { plan, instance, now, takes };
    match input {
        Input::Start(start) => decide_start(given, start),
        Input::Reply(reply) => decide_reply(given, reply),
        Input::Due => decide_due(given),
        Input::Order(order) => orders::decide(given, order),
        Input::Undeliverable(undeliverable) => decide_undeliverable(given, undeliverable),
        Input::Acknowledged(acknowledged) => decide_acknowledged(given, acknowledged),
        Input::Turn(place) => decide_turn(given, place),
    }
}

pub(super) fn rejected(code: Refusal, message: impl Into<String>) -> Decision {
    Decision::Rejected(Rejection { code, message: message.into() })
}

fn decide_start(given: Given<'_>, start: &Start) -> Decision {
    let Given { plan, instance, now, .. } = given;
    if instance.phase != Phase::New {
        let id = &instance.id;
        return match &instance.input {
            Some(input) if instance.definition == *plan.saga.hash() && same_json(input, &start.input) => {
                Decision::Nothing
            }
            _ => rejected(
                Refusal::Conflict,
                format!("`{id}` is taken by an instance with another input or another saga"),
            ),
        };
    }
    let saga = &plan.saga;
    if let Err(misfits) = check_json(&Type::Record(saga.input.clone()), start.input.get()) {
        let message = format!("the input does not fit saga `{}`: {}", saga.name, listed(&misfits));
        return rejected(Refusal::InvalidInput, message);
    }
    let mut draft = Draft::new(given);
    draft.emit(Event::Started {
        saga: saga.name.clone(),
        input: start.input.clone(),
        deadline: saga.deadline.map(|deadline| now.after(deadline)),
        reply_to: start.reply_to.clone(),
        traceparent: start.traceparent.clone(),
    });
    draft.begin();
    draft.finish()
}

/// A repeat of a start is the same request if its input means the same, however it is written.
fn same_json(one: &Json, other: &Json) -> bool {
    let parsed = |json: &Json| serde_json::from_str::<serde_json::Value>(json.get()).ok();
    one == other || parsed(one) == parsed(other)
}

pub(super) fn listed(misfits: &[Misfit]) -> String {
    let lines: Vec<String> = misfits.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

fn decide_reply(given: Given<'_>, reply: &Reply) -> Decision {
    let Given { plan, instance, .. } = given;
    let command = &reply.command;
    // Another life of the id, or one that is over: nobody will ever listen.
    if command.run != instance.run || instance.has_ended() {
        return Decision::Nothing;
    }
    let Some((node, work)) = plan.find(&command.place).and_then(|at| Some((at, plan.work(at.node())?))) else {
        let message = format!("saga `{}` has no step `{}`", plan.saga.name, command.place);
        return rejected(Refusal::UnknownStep, message);
    };
    let not_sent = || {
        let Reply { command, kind, attempt, .. } = reply;
        let message =
            format!("no `{}`, attempt {attempt}, of `{command}` has been sent: nobody can answer it", kind.as_str());
        rejected(Refusal::NotSent, message)
    };
    let Some(direction) = direction(work, reply) else { return not_sent() };
    let state = instance.state(node);
    let attempt = match (direction, state) {
        (direction, Some(state)) if state.attempt().is_some_and(|(current, _)| current == direction) => state.attempt(),
        // Settled: an answer changes nothing any more.
        (Direction::Do, Some(_)) | (Direction::Undo, Some(State::Undone)) => return Decision::Nothing,
        (Direction::Do | Direction::Undo, _) => None,
    };
    let Some((_, attempt)) = attempt else { return not_sent() };
    if reply.attempt > attempt.number || reply.attempt == 0 || command.round != 1 {
        return not_sent();
    }
    let is_current = reply.attempt == attempt.number;
    let repeats_until_done = direction == Direction::Undo || work.class == Class::Retriable;
    let mut draft = Draft::new(given);
    let (stimulus, words) = match &reply.status {
        Status::Succeeded => match fitting_value(work, direction, reply.payload.as_ref()) {
            Ok(value) => (Stimulus::Succeeded, Words { reply: value, ..Words::default() }),
            Err(why) => {
                // Behind `pending` the wait stays what it is: a copy of that must not begin another.
                let until = match attempt.wait {
                    Wait::Answer(until) | Wait::Query(until) | Wait::Unfit(until) if is_current => Some(until),
                    _ => None,
                };
                draft.emit(unfit((&command.place, direction), until, why, reply.payload.as_ref()));
                return draft.finish();
            }
        },
        // What is repeated until it is done does not end with a refusal: that says something about one attempt. Else a
        // late copy of it would undo an operator's order to try again.
        Status::Failed { .. } if repeats_until_done && !is_current => return Decision::Nothing,
        Status::Failed { code, message } => (Stimulus::Failed, refusal(work, direction, code, message.as_ref())),
        // These say something about one attempt, and only about that.
        Status::Retry { .. } | Status::Pending | Status::UnknownCommand if !is_current => return Decision::Nothing,
        Status::Retry { code } => (Stimulus::Retry, Words::code(code.as_deref().unwrap_or_default())),
        Status::Pending => (Stimulus::Pending, Words::code("timeout")),
        Status::UnknownCommand => (Stimulus::UnknownCommand, Words::default()),
    };
    match draft.stimulate(node, stimulus, words) {
        Move::Impossible => not_sent(),
        _ => draft.finish(),
    }
}

/// What a reply is about; `None` if no such command is ever sent.
fn direction(work: &Work, reply: &Reply) -> Option<Direction> {
    let is_answered = |invocation: Option<&Invocation>| invocation.is_some_and(|called| called.verb == Verb::Call);
    match (reply.command.own_undo, reply.kind, work.undo) {
        (false, ReplyKind::Do | ReplyKind::Query, _) if is_answered(work.action()) => Some(Direction::Do),
        (false, ReplyKind::Undo, Some(Undo::OfCommand)) => Some(Direction::Undo),
        (true, ReplyKind::Do, Some(Undo::OfItsOwn)) if is_answered(work.compensation()) => Some(Direction::Undo),
        (false | true, ReplyKind::Do | ReplyKind::Undo | ReplyKind::Query, _) => None,
    }
}

/// The step's value, if the payload fits the contract. A compensation has none, and nobody answers a message.
pub(super) fn fitting_value(work: &Work, direction: Direction, payload: Option<&Json>) -> Result<Option<Json>, String> {
    match (direction, work.action()) {
        (Direction::Do, Some(action)) if action.verb == Verb::Call => {
            let value = payload.cloned().unwrap_or_else(Json::empty_object);
            check_json(&Type::Record(action.command.reply.clone()), value.get())
                .map_err(|misfits| listed(&misfits))
                .map(|()| Some(value))
        }
        (Direction::Do | Direction::Undo, _) => Ok(None),
    }
}

fn unfit((place, work): (&Place, Direction), until: Option<Timestamp>, why: String, payload: Option<&Json>) -> Event {
    let text = payload.map(Json::get).unwrap_or_default();
    let kept = text.floor_char_boundary(UNFIT_KEPT.min(text.len()));
    let payload = text.get(..kept).unwrap_or_default().to_owned();
    Event::Unfit { at: place.clone(), work, until, why, payload }
}

/// A code that the contract does not declare breaks it: a clean failure all the same, with the engine's own code.
fn refusal(work: &Work, direction: Direction, code: &CompactString, message: Option<&String>) -> Words {
    let declared = match (direction, work.action()) {
        (Direction::Do, Some(action)) => action.command.fails.contains(code),
        (Direction::Do | Direction::Undo, _) => true,
    };
    if declared {
        return Words { code: code.clone(), message: message.cloned(), reply: None };
    }
    let original = match message {
        Some(message) => format!("the participant refuses with the undeclared code `{code}`: {message}"),
        None => format!("the participant refuses with the undeclared code `{code}`"),
    };
    Words { message: Some(original), ..Words::code("undeclared") }
}

/// All that time alone has brought about, in the order in which it came due.
fn decide_due(given: Given<'_>) -> Decision {
    /// What can come due.
    enum Due {
        Deadline,
        Wait(At),
    }
    let Given { plan, instance, now, .. } = given;
    let mut draft = Draft::new(given);
    let waits = instance.states.overdue(now).into_iter().map(|(due, at)| (due, Due::Wait(at)));
    let deadline = Some((instance.deadline, Due::Deadline)).filter(|_| instance.deadline_acts(plan));
    let mut due: Vec<(Timestamp, Due)> = deadline.into_iter().chain(waits).filter(|(at, _)| *at <= now).collect();
    due.sort_by_key(|(at, _)| *at);
    for (_, due) in due {
        match due {
            Due::Deadline if draft.instance.deadline_acts(plan) => match draft.instance.phase {
                Phase::Committed => draft.emit(Event::Late),
                _ => draft.fail(At::ROOT, Words::code("deadline")),
            },
            Due::Deadline => {}
            // Something before it in this very loop may have changed it.
            Due::Wait(node) if draft.instance.state(node).and_then(State::until).is_none_or(|until| until > now) => {}
            Due::Wait(node) => match draft.instance.state(node) {
                Some(State::Sleeping(_)) if matches!(plan.node(node.node()).kind, Kind::Try(_)) => draft.overdue(node),
                Some(State::Sleeping(_)) => draft.wake(node),
                Some(state) => {
                    let words = overdue(plan, node, state);
                    draft.stimulate(node, Stimulus::Due, words);
                }
                None => {}
            },
        }
    }
    draft.finish()
}

/// What is said where a wait has ended by time alone.
fn overdue(plan: &Plan, at: At, state: &State) -> Words {
    let message = match (state.attempt(), plan.work(at.node())) {
        (Some((direction, Attempt { wait: Wait::Turn(_), .. })), Some(work)) => {
            let asked = invocation(work, direction).map(|invocation| &invocation.participant);
            asked.map(|participant| {
                format!("its turn at `{}` ({}) did not come in time", participant.name, participant.limits_text())
            })
        }
        _ => None,
    };
    Words { message, ..Words::code("timeout") }
}

/// The participant takes another command.
fn decide_turn(given: Given<'_>, place: &Place) -> Decision {
    let Given { plan, now, .. } = given;
    let mut draft = Draft::new(given);
    let Some(node) = plan.find(place) else { return Decision::Nothing };
    let Some(state) = draft.instance.state(node) else { return Decision::Nothing };
    // Its time may be over, and nobody have noticed yet.
    let (stimulus, words) = match state.until() {
        Some(until) if until <= now => (Stimulus::Due, overdue(plan, node, state)),
        _ => (Stimulus::Turn, Words::default()),
    };
    if matches!(state.attempt(), Some((_, Attempt { wait: Wait::Turn(_), .. }))) {
        draft.stimulate(node, stimulus, words);
    }
    draft.finish()
}

fn decide_undeliverable(given: Given<'_>, input: &Undeliverable) -> Decision {
    let Given { plan, instance, .. } = given;
    let Some((node, attempt)) = under_way(plan, instance, &input.command) else { return Decision::Nothing };
    let is_current = attempt.number == input.attempt;
    let mut draft = Draft::new(given);
    if is_current {
        let message = format!("the log refuses it: {}", input.why);
        draft.stimulate(
            node,
            Stimulus::Undeliverable,
            Words { message: Some(message), ..Words::code("refused_by_log") },
        );
    }
    draft.finish()
}

/// A message is in the log: its step is done, or taken back.
fn decide_acknowledged(given: Given<'_>, input: &Acknowledged) -> Decision {
    let Given { plan, instance, .. } = given;
    let Some((node, attempt)) = under_way(plan, instance, &input.command) else { return Decision::Nothing };
    let is_awaited = attempt.number == input.attempt && matches!(attempt.wait, Wait::Log(_));
    let mut draft = Draft::new(given);
    if is_awaited {
        draft.stimulate(node, Stimulus::Succeeded, Words::default());
    }
    draft.finish()
}

/// The attempts of the very work that a command's id names, in this life and no other: what takes a step back may have an
/// id of its own.
fn under_way<'i>(plan: &Plan, instance: &'i Instance, command: &CommandId) -> Option<(At, &'i Attempt)> {
    let node = plan.find(&command.place)?;
    let (direction, attempt) = instance.state(node)?.attempt()?;
    let current = command_id(instance, plan.work(node.node())?, &command.place, direction);
    (current == *command).then_some((node, attempt))
}
