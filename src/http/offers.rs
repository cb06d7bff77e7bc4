//! Which orders are safe to give to an instance now: exactly those that the engine would take, and that a person may
//! want. Each says when to give it.

use super::view::Offer;
use crate::definition::json::to_fill_in;
use crate::definition::types::Type;
use crate::definition::{Invocation, Verb};
use crate::engine::{self, Attempt, Direction, Instance, Phase, State, Wait};
use crate::plan::{At, Class, Kind, Plan};

/// When an expression that could not be computed is worth another try: its definition and its values stay what they are.
const UNCOMPUTED: &str =
    "once a newer release of the program `saga` runs that can compute the expression: with this one it fails again";

/// The orders, the least drastic first.
#[must_use]
pub fn offers(plan: &Plan, instance: &Instance) -> Vec<Offer> {
    let mut offers = Vec::new();
    let stuck = instance.stuck(plan);
    for (at, state) in instance.active() {
        let place = plan.place(at);
        match (state, state.attempt()) {
            (_, Some((work, attempt))) if is_resolvable(attempt) || stuck.contains(&place) => {
                step(plan, at, attempt, work, &mut offers);
            }
            (State::Sleeping(_), _) => offers.extend(signal(plan, at)),
            (State::Halted(_), _) => {
                offers.push(retry(&place, UNCOMPUTED));
                offers.extend(instance.wanted(plan, at).map(|ty| instead(plan, at, &ty)));
            }
            _ => {}
        }
    }
    let can_be_cancelled = instance.phase == Phase::Forward && !instance.pivot_is_open(plan);
    if can_be_cancelled {
        offers.push(Offer {
            order: "cancel".into(),
            step: None,
            work: None,
            outcome: None,
            signal: None,
            with: None,
            when: "to take back everything that it did".into(),
        });
    }
    offers
}

const fn is_resolvable(attempt: &Attempt) -> bool {
    matches!(attempt.wait, Wait::Person(_) | Wait::Pause(_) | Wait::Pending(_) | Wait::Unfit(_) | Wait::Turn(_))
}

fn retry(place: &str, when: &str) -> Offer {
    let (order, step, when) = ("retry".into(), Some(place.into()), when.into());
    Offer { order, step, work: None, outcome: None, signal: None, with: None, when }
}

/// What is awaited there, if it is a signal.
fn signal(plan: &Plan, at: At) -> Option<Offer> {
    let Kind::Await(wait, _) = &plan.node(at.node()).kind else { return None };
    let name = plan.signal_name(at, &wait.signal.name);
    let shape = &wait.signal.shape;
    Some(Offer {
        order: "signal".into(),
        step: None,
        work: None,
        outcome: None,
        when: format!("once it has happened: `{name}` is awaited{}", filled_in(!shape.fields.is_empty())),
        signal: Some(name.to_string()),
        with: (!shape.fields.is_empty()).then(|| to_fill_in(&Type::Record(shape.clone()))),
    })
}

fn step(plan: &Plan, at: At, attempt: &Attempt, direction: Direction, offers: &mut Vec<Offer>) {
    let place = &plan.place(at);
    let Some(work) = plan.work(at.node()) else { return };
    let Some(invocation) = engine::invocation(work, direction) else {
        // A saga takes it back, and what that is given cannot be computed.
        offers.push(retry(place, UNCOMPUTED));
        offers.push(resolved(place, direction, format!("if you know that what `{place}` did is taken back by hand")));
        return;
    };
    let participant = invocation.participant.name.as_str();
    if matches!(attempt.wait, Wait::Person(_) | Wait::Pause(_)) {
        let is_uncomputed = matches!(&attempt.wait, Wait::Person(trouble) if trouble.code == "invalid");
        let when = match invocation.verb {
            _ if is_uncomputed => UNCOMPUTED.to_owned(),
            Verb::Call => format!("once `{participant}` can do it: asks it again now, with the same command id"),
            Verb::Send => "once the log can take it: sends it again now, with the same id".to_owned(),
        };
        offers.push(retry(place, &when));
    }
    let resolve = |outcome: &str, with: Option<String>, when: String| {
        let resolved = resolved(place, direction, when);
        Offer { outcome: Some(outcome.into()), with, ..resolved }
    };
    match direction {
        Direction::Do => {
            let command = &invocation.command.name;
            let is_unasked = attempt.number == 0;
            let done = match invocation.verb {
                _ if is_unasked => format!("if {command} was done by hand: `{participant}` has not been asked yet"),
                Verb::Call => format!("if you know that `{participant}` did {command}"),
                Verb::Send => format!("if `{participant}` has been told {command} by hand"),
            };
            let skeleton = reply_skeleton(invocation);
            let done = format!("{done}{}", filled_in(skeleton.is_some()));
            offers.push(resolve("succeeded", skeleton, done));
            let codes = &invocation.command.fails;
            if work.class != Class::Retriable && !codes.is_empty() {
                let never = if is_unasked {
                    format!("if it is not to be done: `{participant}` has not been asked yet, and will not be")
                } else {
                    format!("if you know that `{participant}` did nothing and never will")
                };
                offers.push(resolve("failed", Some(codes.join("|")), never));
            }
        }
        Direction::Undo => {
            let undone = format!("if you know that what `{place}` did is taken back, by `{participant}` or by hand");
            offers.push(resolve("succeeded", None, undone));
        }
    }
}

/// A value in place of the one that cannot be computed.
fn instead(plan: &Plan, at: At, ty: &Type) -> Offer {
    let (with, when) = match &plan.node(at.node()).kind {
        Kind::Choice { arms, .. } => {
            let last = arms.len() + 1;
            (last.to_string(), format!("to go on in this branch: they count from 1, and {last} is `otherwise`"))
        }
        Kind::Sequence(_) => {
            ("true".to_owned(), "to go on as if the condition held, or with `false` as if not".to_owned())
        }
        _ => {
            let what = format!("to go on with a value of yours ({ty}), since there is none{}", filled_in(true));
            (to_fill_in(ty), what)
        }
    };
    Offer { with: Some(with), ..resolved(&plan.place(at), Direction::Do, when) }
}

fn resolved(place: &str, work: Direction, when: String) -> Offer {
    Offer {
        order: "resolve".into(),
        step: Some(place.into()),
        work: Some(work),
        outcome: Some("succeeded".into()),
        signal: None,
        with: None,
        when,
    }
}

/// What stands in an order that is offered is to be filled in.
const fn filled_in(has_values: bool) -> &'static str {
    if has_values { "; with the real values in place of these" } else { "" }
}

/// A reply to fill in; none where it is empty.
fn reply_skeleton(invocation: &Invocation) -> Option<String> {
    let reply = &invocation.command.reply;
    (!reply.fields.is_empty()).then(|| to_fill_in(&Type::Record(reply.clone())))
}
