//! Mistakes on the way back, and about what must be taken back.

use saga::engine::{Direction, Event, State};
use saga::json::Json;
use saga::model::explore::Property;

use super::{FORK, LOOPS, Mutant, SCOPE, call, deciding, fails, is_call, state, with};
use crate::model::explore::{TRIP, WAY_BACK};

pub(super) const MUTANTS: &[Mutant] = &[
    deciding("compensates in the order of the steps", TRIP, Property::MirrorOrder, |plan, instance, _, decision| {
        with(decision, |events| {
            let has_room = matches!(state(plan, instance, "room"), Some(State::Done(_)));
            for event in events.iter_mut().filter(|event| has_room && is_call(event, "car", Direction::Undo)) {
                *event = call("room", Direction::Undo, 1);
            }
        })
    }),
    deciding("compensates before the other branch has settled", FORK, Property::MirrorOrder, |_, _, _, decision| {
        with(decision, |events| {
            if events.iter().any(|event| matches!(event, Event::Failed { .. }))
                && !events.iter().any(|event| matches!(event, Event::Called { .. } | Event::Compensated))
            {
                events.push(call("first", Direction::Undo, 1));
            }
        })
    }),
    deciding("forgets a compensation", TRIP, Property::AllOrNothing, |_, _, _, decision| {
        with(decision, |events| {
            if let Some(event) = events.iter_mut().find(|event| is_call(event, "room", Direction::Undo)) {
                *event = Event::Compensated;
            }
        })
    }),
    deciding("forgets to undo what nobody knows to be done", TRIP, Property::AllOrNothing, |_, _, _, decision| {
        with(decision, |events| {
            if events.iter().any(|event| matches!(event, Event::Lost { at } if at == "room"))
                && let Some(event) = events.iter_mut().find(|event| is_call(event, "room", Direction::Undo))
            {
                *event = Event::Compensated;
            }
        })
    }),
    deciding("takes silence for a refusal", TRIP, Property::AllOrNothing, |_, _, _, decision| {
        with(decision, |events| {
            for event in events.iter_mut() {
                if let Event::Lost { at } = event {
                    *event = Event::Refused { at: at.clone(), code: "timeout".into(), message: None };
                }
            }
            for event in events.iter_mut().filter(|event| is_call(event, "room", Direction::Undo)) {
                *event = Event::Compensated;
            }
        })
    }),
    deciding(
        "gives a point of no return up without knowing its outcome",
        TRIP,
        Property::AllOrNothing,
        |_, instance, _, decision| {
            with(decision, |events| {
                if events.iter().any(|event| matches!(event, Event::Paused { at, .. } if at == "charge")) {
                    *events =
                        vec![Event::Lost { at: "charge".into() }, fails("timeout"), call("car", Direction::Undo, 1)];
                }
                let _ = instance;
            })
        },
    ),
    deciding("ends while a compensation is under way", TRIP, Property::AllOrNothing, |_, _, _, decision| {
        with(decision, |events| {
            if events.iter().any(|event| is_call(event, "room", Direction::Undo)) {
                events.push(Event::Compensated);
            }
        })
    }),
    deciding("takes a compensation that failed for done", TRIP, Property::AllOrNothing, |_, _, _, decision| {
        with(decision, |events| {
            let is_stuck =
                |event: &Event| matches!(event, Event::Stuck { at, work: Direction::Undo, .. } if at == "room");
            if events.iter().any(is_stuck) {
                let done = Event::Succeeded { at: "room".into(), work: Direction::Undo, reply: None };
                *events = vec![done, Event::Compensated];
            }
        })
    }),
    deciding("completes before the last step is done", TRIP, Property::AllOrNothing, |_, _, _, decision| {
        with(decision, |events| {
            if events.iter().any(|event| is_call(event, "confirm", Direction::Do)) {
                events.push(Event::Completed { output: Json::parse("{}").unwrap() });
            }
        })
    }),
    deciding(
        "goes on behind a point of no return that was refused",
        TRIP,
        Property::AllOrNothing,
        |_, _, _, decision| {
            with(decision, |events| {
                if events.iter().any(|event| matches!(event, Event::Refused { at, .. } if at == "charge")) {
                    events.truncate(1);
                    events.push(Event::Completed { output: Json::parse("{}").unwrap() });
                }
            })
        },
    ),
    deciding("comes to a handler before the body is taken back", SCOPE, Property::AllOrNothing, |_, _, _, decision| {
        with(decision, |events| {
            if let Some(at) = events.iter().position(|event| is_call(event, "room", Direction::Undo)) {
                events.truncate(at);
                events.push(Event::Caught { at: "try#1".into(), handler: 1 });
            }
        })
    }),
    deciding("skips an element on the way back", LOOPS, Property::AllOrNothing, |_, _, _, decision| {
        with(decision, |events| {
            if let Some(event) = events.iter_mut().find(|event| is_call(event, "hold[1]", Direction::Undo)) {
                *event = Event::Compensated;
            }
        })
    }),
    deciding("forgets the saga that takes a step back", WAY_BACK, Property::AllOrNothing, |_, _, _, decision| {
        with(decision, |events| {
            if let Some(turned) = events.iter().position(|event| matches!(event, Event::Turned { .. })) {
                events.truncate(turned + 1);
                events.push(Event::Succeeded { at: "charge".into(), work: Direction::Undo, reply: None });
                events.push(Event::Compensated);
            }
        })
    }),
];
