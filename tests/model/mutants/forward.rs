//! Mistakes about what may happen when.

use saga::engine::{Direction, Event, Input, Order, Phase, RequestId, State, Status};
use saga::model::explore::Property;

use super::{
    AS_IT_IS, FORK, LOOPS, Mutant, SCOPE, SIGNALS, call, deciding, fails, instead, is_call, is_done, state, with,
};
use crate::model::explore::TRIP;

pub(super) const MUTANTS: &[Mutant] = &[
    deciding("does not wait for the other branch", FORK, Property::InOrder, |plan, instance, _, decision| {
        with(decision, |events| {
            let other = matches!(state(plan, instance, "right"), Some(State::Doing(_)));
            if other && events.iter().any(|event| is_done(event, "left")) && instance.phase == Phase::Forward {
                events.push(call("last", Direction::Do, 1));
            }
        })
    }),
    Mutant {
        name: "goes round once more although the condition holds, and does not note it",
        saga: LOOPS,
        breaks: Property::InOrder,
        mistake: |_, _, _, decision| {
            with(decision, |events| {
                if events.iter().any(|event| matches!(event, Event::Judged { met: true, .. })) {
                    events.push(call("look[3]", Direction::Do, 1));
                }
            })
        },
        applies: |_, _, change| {
            let mut change = change.clone();
            change.events.retain(|event| !is_call(event, "look[3]", Direction::Do));
            change
        },
        reads: AS_IT_IS,
        guard: true,
    },
    deciding("begins more elements than may be under way at once", LOOPS, Property::InOrder, |_, _, _, decision| {
        with(decision, |events| {
            if events.iter().any(|event| is_call(event, "hold[1]", Direction::Do)) {
                events.push(call("hold[2]", Direction::Do, 1));
            }
        })
    }),
    deciding("goes round once more although the condition holds", LOOPS, Property::InOrder, |_, _, _, decision| {
        with(decision, |events| {
            if let Some(at) = events.iter().position(|event| matches!(event, Event::Judged { met: true, .. })) {
                events.truncate(at + 1);
                events.push(call("look[3]", Direction::Do, 1));
            }
        })
    }),
    Mutant {
        name: "tries again in a saga that fails, and does not note it",
        saga: FORK,
        breaks: Property::Shut,
        mistake: |plan, instance, _, decision| {
            with(decision, |events| {
                let lost = events.iter().find_map(|event| match event {
                    Event::Lost { at } if instance.failure().is_some() => Some(at.clone()),
                    _ => None,
                });
                if let Some(at) = lost
                    && let Some((_, attempt)) = state(plan, instance, &at).and_then(State::attempt)
                {
                    *events = vec![call(&at, Direction::Do, attempt.number + 1)];
                }
            })
        },
        applies: |_, instance, change| {
            let mut change = change.clone();
            let is_tried = |event: &Event| matches!(event, Event::Called { work: Direction::Do, .. });
            change.events.retain(|event| instance.failure().is_none() || !is_tried(event));
            change
        },
        reads: AS_IT_IS,
        guard: true,
    },
    deciding("begins a step in a saga that fails", FORK, Property::Sound, |_, _, _, decision| {
        with(decision, |events| {
            let settles = !events.iter().any(|event| matches!(event, Event::Called { .. } | Event::Compensated));
            if settles && events.iter().any(|event| matches!(event, Event::Failed { .. })) {
                events.push(call("last", Direction::Do, 1));
            }
        })
    }),
    deciding("catches with a handler for another code", SCOPE, Property::RightHandler, |_, _, _, decision| {
        with(decision, |events| {
            for event in events.iter_mut() {
                if let Event::Caught { handler, .. } = event {
                    *handler = 0;
                }
            }
        })
    }),
    deciding("catches with a later handler", SCOPE, Property::RightHandler, |_, _, _, decision| {
        with(decision, |events| {
            for event in events.iter_mut() {
                if let Event::Caught { handler, .. } = event {
                    *handler = 1;
                }
            }
        })
    }),
    deciding(
        "accepts a late answer",
        TRIP,
        Property::LateChangesNothing,
        |plan, instance, input, decision| match input {
            Input::Reply(reply)
                if matches!(state(plan, instance, &reply.command.place), Some(State::Done(_)))
                    && instance.phase == Phase::Forward =>
            {
                instead(instance, vec![fails("late")])
            }
            _ => decision,
        },
    ),
    deciding(
        "counts a retry that an attempt before has asked for",
        TRIP,
        Property::LateChangesNothing,
        |plan, instance, input, decision| match input {
            Input::Reply(reply) if matches!(reply.status, Status::Retry { .. }) => {
                match state(plan, instance, &reply.command.place).and_then(State::attempt) {
                    Some((Direction::Do, attempt)) if attempt.number > reply.attempt && attempt.wait.is_under_way() => {
                        instead(instance, vec![call(&reply.command.place, Direction::Do, attempt.number + 1)])
                    }
                    _ => decision,
                }
            }
            _ => decision,
        },
    ),
    deciding(
        "takes a cancel behind the point of no return",
        TRIP,
        Property::NoReturn,
        |_, instance, input, decision| match input {
            Input::Order(order) if matches!(order.order, Order::Cancel) && instance.phase == Phase::Committed => {
                instead(instance, vec![fails("cancelled")])
            }
            _ => decision,
        },
    ),
    deciding("takes back behind the point of no return", TRIP, Property::Sound, |_, instance, _, decision| {
        with(decision, |events| {
            let is_stuck = |event: &Event| matches!(event, Event::Stuck { at, .. } if at == "confirm");
            if instance.phase == Phase::Committed && events.iter().any(is_stuck) {
                events.push(call("car", Direction::Undo, 1));
            }
        })
    }),
    deciding("lets the deadline act behind the point of no return", TRIP, Property::Sound, |_, _, _, decision| {
        with(decision, |events| {
            if events.iter().any(|event| matches!(event, Event::Late)) {
                events.push(call("car", Direction::Undo, 1));
            }
        })
    }),
    deciding("changes what has ended", TRIP, Property::OneOutcome, |_, instance, input, decision| match input {
        Input::Reply(_) if instance.has_ended() => instead(instance, vec![fails("late")]),
        _ => decision,
    }),
    deciding("never calls the last step", TRIP, Property::Ends, |_, _, _, decision| {
        with(decision, |events| events.retain(|event| !is_call(event, "confirm", Direction::Do)))
    }),
    deciding("never goes on behind two branches", FORK, Property::GoesOn, |_, _, _, decision| {
        with(decision, |events| events.retain(|event| !is_call(event, "last", Direction::Do)))
    }),
    Mutant {
        name: "begins a compensation twice, and takes the second for the next attempt",
        saga: TRIP,
        breaks: Property::UndoneOnce,
        mistake: |_, instance, _, decision| {
            with(decision, |events| {
                for event in events.iter_mut().filter(|_| instance.failure().is_some()) {
                    if let Event::Called { work: Direction::Undo, attempt, .. } = event {
                        *attempt = 1;
                    }
                }
            })
        },
        applies: |plan, instance, change| {
            let mut change = change.clone();
            for event in &mut change.events {
                if let Event::Called { at, work: Direction::Undo, attempt, .. } = event
                    && let Some((Direction::Undo, before)) = state(plan, instance, at).and_then(State::attempt)
                {
                    *attempt = before.number + 1;
                }
            }
            change
        },
        reads: AS_IT_IS,
        guard: true,
    },
    deciding("takes a signal twice", SIGNALS, Property::Sound, |_, _, _, decision| {
        with(decision, |events| {
            let taken = events.iter().find_map(|event| match event {
                Event::Took { at, request } if at == "one" => Some(request.clone()),
                _ => None,
            });
            events.extend(taken.map(|request: RequestId| Event::Took { at: "two".into(), request }));
        })
    }),
    deciding("takes back what was refused", TRIP, Property::Sound, |_, _, _, decision| {
        with(decision, |events| {
            if events.iter().any(|event| matches!(event, Event::Refused { at, .. } if at == "room")) {
                events.retain(|event| !matches!(event, Event::Compensated));
                events.push(call("room", Direction::Undo, 1));
            }
        })
    }),
    deciding("lets a second failure replace the first", FORK, Property::Sound, |_, instance, _, decision| {
        with(decision, |events| {
            if instance.failure().is_some() && events.iter().any(|event| matches!(event, Event::Refused { .. })) {
                events.insert(1, fails("full"));
            }
        })
    }),
    deciding("sends an attempt twice", TRIP, Property::Sound, |_, _, _, decision| {
        with(decision, |events| {
            let again = events.iter().find(|event| is_call(event, "room", Direction::Do)).cloned();
            events.extend(again);
        })
    }),
    deciding("withdraws a command that was sent", TRIP, Property::Sound, |_, _, _, decision| {
        with(decision, |events| {
            for event in events.iter_mut() {
                if let Event::Lost { at } = event {
                    *event = Event::Withdrawn { at: at.clone() };
                }
            }
        })
    }),
];
