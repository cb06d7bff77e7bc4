//! What the world is owed: derived from the state, never stored. Ids and payloads follow from the instance, so that a
//! repeat after a crash is the same message again.

use super::attempts::{command_id, invocation};
use super::effect::{Answer, Command, CommandKind, Effect, End};
use super::environment::View;
use super::event::{Change, Event};
use super::id::Direction;
use super::instance::{Instance, Phase, Wait};
use crate::definition::Invocation;
use crate::json::Json;
use crate::plan::{At, Plan, Undo, Work};

/// Everything that the world is still owed: the commands whose answers are awaited, the messages that the log has not
/// acknowledged, and the answer of an instance that has ended.
#[must_use]
pub fn pending(plan: &Plan, instance: &Instance) -> Vec<Effect> {
    let active = instance.active().into_iter();
    let commands = active.filter_map(|(at, _)| command(plan, instance, at)).map(Effect::Command);
    commands.chain(answer(instance).map(Effect::Answer)).collect()
}

/// The effects of one change, `instance` being as that change or any later one leaves it: commands only while their
/// answers are still awaited.
#[must_use]
pub fn caused(plan: &Plan, instance: &Instance, change: &Change) -> Vec<Effect> {
    let effect = |event: &Event| match event {
        Event::Called { at, attempt, .. } | Event::Sent { at, attempt, .. } => {
            let sent = command(plan, instance, plan.find(at)?)?;
            Some(Effect::Command(sent)).filter(|_| is_attempt(plan, instance, at, *attempt))
        }
        Event::Asked { at, .. } => command(plan, instance, plan.find(at)?).map(Effect::Command),
        Event::Completed { .. } | Event::Compensated => answer(instance).map(Effect::Answer),
        _ => None,
    };
    change.events.iter().filter_map(effect).collect()
}

fn is_attempt(plan: &Plan, instance: &Instance, place: &str, number: u32) -> bool {
    let attempt = plan.find(place).and_then(|at| instance.state(at)?.attempt());
    attempt.is_some_and(|(_, attempt)| attempt.number == number)
}

/// The command whose answer a step awaits.
fn command(plan: &Plan, instance: &Instance, at: At) -> Option<Command> {
    let work = plan.work(at.node())?;
    let (direction, attempt) = instance.state(at)?.attempt()?;
    let invocation = invocation(work, direction)?;
    let (kind, deadline) = match (&attempt.wait, direction) {
        (Wait::Answer(until), Direction::Do) => (CommandKind::Do, *until),
        (Wait::Answer(until), Direction::Undo) => (undo_kind(work), *until),
        (Wait::Query(until), Direction::Do | Direction::Undo) => (CommandKind::Query, *until),
        (Wait::Log(sent), Direction::Do | Direction::Undo) => (CommandKind::Message, *sent),
        // Whatever was answered has been sent.
        (
            Wait::Pause(_) | Wait::Pending(_) | Wait::Unfit(_) | Wait::Person(_) | Wait::Turn(_),
            Direction::Do | Direction::Undo,
        ) => return None,
    };
    let place = plan.place(at);
    Some(Command {
        id: command_id(instance, work, &place, direction),
        place,
        work: direction,
        kind,
        attempt: attempt.number,
        participant: invocation.participant.clone(),
        wire: invocation.command.wire.clone(),
        payload: payload(plan, instance, (at, direction, invocation), kind)?,
        deadline,
        changed: instance.changed,
        traceparent: instance.starter.as_ref().and_then(|starter| starter.traceparent.clone()),
    })
}

/// How the compensation reaches the participant: see [`Undo`].
fn undo_kind(work: &Work) -> CommandKind {
    match work.undo {
        Some(Undo::OfItsOwn) => CommandKind::Do,
        Some(Undo::OfCommand) | None => CommandKind::Undo,
    }
}

/// The payload. It was computed once before the attempt was journaled, from the same values, so it can be computed.
fn payload(
    plan: &Plan,
    instance: &Instance,
    (at, direction, invocation): (At, Direction, &Invocation),
    kind: CommandKind,
) -> Option<Json> {
    if kind == CommandKind::Query {
        return Some(Json::empty_object());
    }
    let text = invocation.payload.evaluate_json(&View::of(plan, instance, (at, direction))).ok()?;
    Json::parse(text).ok()
}

fn answer(instance: &Instance) -> Option<Answer> {
    let to = instance.starter.as_ref()?.reply_to.clone()?;
    let end = match &instance.phase {
        Phase::Completed(output) => End::Completed(output.clone()),
        Phase::Compensated(failure) => End::Compensated(failure.as_ref().clone()),
        Phase::New | Phase::Forward | Phase::Committed | Phase::Failing(_) => return None,
    };
    Some(Answer { to, end })
}
