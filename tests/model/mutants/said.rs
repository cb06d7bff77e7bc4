//! Mistakes about what one kind of input says.

use saga::engine::{Decision, Direction, Event, Input, Instance, Order, Phase, State, Status};
use saga::model::explore::Property;
use saga::plan::Plan;

use super::{Mutant, call, deciding, fails, instead, is_call, state, with};
use crate::model::explore::TRIP;

/// A participant that is asked what became of its commands, takes one at a time, and is told.
pub(super) const DESK: &str = r#"
participant rooms {
  commands "rooms"
  answers queries
  at most 1 at once
  command Hold fails "full"
  command Free
  message Tell
}
saga desk {
  version 1
  step room { call rooms.Hold  retry 1 times every 1s  within 1h  compensate rooms.Free  retry 1 times every 1s }
  step car { call rooms.Hold  retry 1 times every 1s  compensate rooms.Free  retry 1 times every 1s }
  pivot
  step tell { send rooms.Tell }
}
"#;

/// The room is taken for refused, where it has been asked for and nothing is settled.
fn refused(plan: &Plan, instance: &Instance) -> Option<Vec<Event>> {
    let State::Doing(attempt) = state(plan, instance, "room")? else { return None };
    let is_open = attempt.number > 0 && instance.phase == Phase::Forward;
    let refused = Event::Refused { at: "room".into(), code: "full".into(), message: None };
    is_open.then(|| vec![refused, fails("full"), Event::Compensated])
}

/// Whether a reply about the room says this.
fn says(input: &Input, what: impl FnOnce(&Status, Option<&str>) -> bool) -> bool {
    let Input::Reply(reply) = input else { return false };
    reply.command.place == "room" && what(&reply.status, reply.payload.as_ref().map(saga::json::Json::get))
}

/// An engine that takes a reply about the room for a refusal.
macro_rules! for_a_refusal {
    ($name:literal, $saga:expr, $input:ident => $is:expr) => {
        deciding($name, $saga, Property::AllOrNothing, |plan, instance, $input, decision| {
            match refused(plan, instance).filter(|_| decision != Decision::Nothing && $is) {
                Some(events) => instead(instance, events),
                None => decision,
            }
        })
    };
}

/// Whether the time of all attempts is over for the room.
fn is_over(plan: &Plan, instance: &Instance) -> bool {
    let attempt = state(plan, instance, "room").and_then(State::attempt);
    attempt.is_some_and(|(_, attempt)| attempt.limit.0 <= instance.run.0)
}

pub(super) const MUTANTS: &[Mutant] = &[
    for_a_refusal!(
        "takes `retry` for a refusal",
        TRIP,
        input => says(input, |status, _| matches!(status, Status::Retry { .. }))
    ),
    for_a_refusal!(
        "takes `pending` for a refusal",
        TRIP,
        input => says(input, |status, _| *status == Status::Pending)
    ),
    for_a_refusal!(
        "takes an answer that does not fit for a refusal",
        TRIP,
        input => says(input, |status, payload| *status == Status::Succeeded && payload == Some("[]"))
    ),
    for_a_refusal!(
        "takes `unknown-command` for a refusal",
        DESK,
        input => says(input, |status, _| *status == Status::UnknownCommand)
    ),
    for_a_refusal!(
        "takes a command that the log refuses for one that nobody has",
        TRIP,
        input => matches!(input, Input::Undeliverable(_))
    ),
    deciding(
        "takes the end of a timeout for a refusal",
        TRIP,
        Property::AllOrNothing,
        |plan, instance, input, decision| {
            let is_lost = matches!(&decision, Decision::Change(change, _) if change.events.iter().any(|event| matches!(event, Event::Lost { at } if at == "room")));
            match refused(plan, instance).filter(|_| matches!(input, Input::Due) && is_lost) {
                Some(events) => instead(instance, events),
                None => decision,
            }
        },
    ),
    deciding(
        "takes the end of `within` for a refusal",
        DESK,
        Property::AllOrNothing,
        |plan, instance, input, decision| match refused(plan, instance)
            .filter(|_| matches!(input, Input::Due) && is_over(plan, instance))
        {
            Some(events) => instead(instance, events),
            None => decision,
        },
    ),
    deciding(
        "takes an order to try again for word that it is done",
        TRIP,
        Property::AllOrNothing,
        |plan, instance, input, decision| {
            let is_undone = matches!(state(plan, instance, "room"), Some(State::Undoing(_)));
            match input {
                Input::Order(order) if is_undone && matches!(order.order, Order::Retry { .. }) => {
                    let done = Event::Succeeded { at: "room".into(), work: Direction::Undo, reply: None };
                    instead(instance, vec![done, Event::Compensated])
                }
                _ => decision,
            }
        },
    ),
    deciding(
        "begins a compensation anew that a person has done",
        TRIP,
        Property::Sound,
        |plan, instance, input, decision| {
            let is_undone = matches!(state(plan, instance, "room"), Some(State::Undoing(_)));
            match input {
                Input::Order(order) if is_undone && matches!(order.order, Order::Resolve { .. }) => {
                    instead(instance, vec![call("room", Direction::Undo, 1)])
                }
                _ => decision,
            }
        },
    ),
    deciding(
        "sends a message again that the log has",
        DESK,
        Property::Sound,
        |_, instance, input, decision| match input {
            Input::Acknowledged(_) => {
                instead(instance, vec![Event::Sent { at: "tell".into(), work: Direction::Do, attempt: 1 }])
            }
            _ => decision,
        },
    ),
    deciding("calls twice whose turn it is", DESK, Property::Sound, |_, _, input, decision| {
        with(decision, |events| {
            if matches!(input, Input::Turn(_)) {
                let called = events.iter().find(|event| is_call(event, "room", Direction::Do)).cloned();
                events.extend(called);
            }
        })
    }),
];
