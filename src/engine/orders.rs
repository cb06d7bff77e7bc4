//! What is asked of an instance: an operator's orders, and signals. Each is refused with a reason where it would do harm or nothing.

use super::decide::{fitting_value, listed, rejected};
use super::draft::{Draft, Given, Words};
use super::event::{Event, Place};
use super::heard::{REQUESTS_KEPT, REQUESTS_MAX};
use super::id::Direction;
use super::input::{Decision, Order, OrderRequest, Outcome, Refusal};
use super::instance::{Instance, Phase, State, Wait};
use super::instead::Instead;
use super::signals;
use super::step::Stimulus;
use super::summary::is_stuck;
use crate::definition::json::check_json;
use crate::definition::types::Type;
use crate::plan::{At, Class, Kind, Plan, Spots};

pub(super) fn decide(given: Given<'_>, request: &OrderRequest) -> Decision {
    let instance = given.instance;
    let id = &instance.id;
    if let Some(known) = instance.known(&request.request) {
        if known.is_of(&request.order) {
            return Decision::Nothing;
        }
        let request = &request.request;
        let message = format!(
            "request `{request}` to `{id}` was another order, which was followed: nothing is done twice under one id"
        );
        return rejected(Refusal::Conflict, message);
    }
    match instance.phase {
        Phase::New => return rejected(Refusal::UnknownInstance, format!("there is no instance `{id}`")),
        Phase::Completed(_) => return rejected(Refusal::Ended, format!("`{id}` has ended: completed")),
        Phase::Compensated(_) => return rejected(Refusal::Ended, format!("`{id}` has ended: compensated")),
        Phase::Forward | Phase::Committed | Phase::Failing(_) => {}
    }
    if !has_room(instance, &request.order) {
        let many = instance.followed().len();
        let left = "only `cancel` and `resolve` are still taken";
        let left = if many < REQUESTS_MAX { left } else { "no more are taken" };
        return rejected(
            Refusal::Busy,
            format!("`{id}` has had {many} orders and signals, which is the limit: {left}"),
        );
    }
    match &request.order {
        Order::Cancel => cancel(given, request),
        Order::Retry { step } => retry(given, request, step.as_ref()),
        Order::Signal { signal, with } => signals::decide(given, (request, signal, with.as_ref())),
        Order::Resolve { step, work, outcome } => resolve(given, request, (step, *work, outcome)),
    }
}

/// Whether one more can be remembered. What repeats for ever must not take the room of an order that ends it.
fn has_room(instance: &Instance, order: &Order) -> bool {
    let kept = match order {
        Order::Cancel | Order::Resolve { .. } => 0,
        Order::Retry { .. } | Order::Signal { .. } => REQUESTS_KEPT,
    };
    instance.followed().len() < REQUESTS_MAX - kept
}

pub(super) fn ordered(request: &OrderRequest) -> Event {
    let OrderRequest { request, order, by, reason } = request.clone();
    Event::Ordered { request, order, by, reason }
}

fn cancel(given: Given<'_>, request: &OrderRequest) -> Decision {
    let Given { plan, instance, .. } = given;
    match instance.phase {
        Phase::Forward if instance.pivot_is_open(plan) => {
            let message = "the pivot step is under way and its outcome decides: cancel is refused until it is known";
            return rejected(Refusal::PastPivot, message);
        }
        Phase::Forward => {}
        Phase::Failing(_) => {
            let code = instance.failure().map(|failure| failure.code.as_str()).unwrap_or_default();
            let message = format!("`{}` fails already with `{code}` and is being taken back", instance.id);
            return rejected(Refusal::Compensating, message);
        }
        _ => {
            let message = format!("`{}` is behind its point of no return: it can only go forward", instance.id);
            return rejected(Refusal::PastPivot, message);
        }
    }
    let mut draft = Draft::new(given);
    draft.emit(ordered(request));
    draft.fail(At::ROOT, Words { message: request.reason.clone(), ..Words::code("cancelled") });
    draft.finish()
}

fn retry(given: Given<'_>, request: &OrderRequest, step: Option<&Place>) -> Decision {
    let Given { plan, instance, .. } = given;
    let only = match step.map(|place| plan.spots(place)) {
        Some(None) => return unknown_step(plan, step),
        Some(Some(spots)) => Some(spots),
        None => None,
    };
    let active = instance.active().into_iter();
    let meant = active.filter(|(at, state)| only.is_none_or(|only| only.has(*at)) && can_be_retried(state));
    let nodes: Vec<At> = meant.map(|(at, _)| at).collect();
    if nodes.is_empty() {
        let message = match step.zip(only) {
            Some((place, Spots::One(at))) => {
                format!("`{place}` {}: there is nothing to repeat", standing(instance, Some(at)))
            }
            Some((place, Spots::Every(_))) => {
                format!("`{place}` is stuck or pauses in no element or round: there is nothing to repeat")
            }
            None => format!("nothing in `{}` is stuck or pauses: there is nothing to repeat", instance.id),
        };
        return rejected(Refusal::NotStuck, message);
    }
    let mut draft = Draft::new(given);
    draft.emit(ordered(request));
    for node in nodes {
        match draft.instance.state(node) {
            Some(State::Halted(_)) => compute_again(&mut draft, node),
            Some(State::Undoing(_)) if let Some(back) = plan.work(node.node()).and_then(|work| work.back) => {
                draft.begin_way_back_again(node, back);
            }
            _ => drop(draft.stimulate(node, Stimulus::RetryOrdered, Words::default())),
        }
    }
    draft.finish()
}

/// What could not be computed at a place is computed again, and the flow goes on from there.
fn compute_again(draft: &mut Draft<'_>, at: At) {
    match &draft.plan.node(at.node()).kind {
        _ if at == At::ROOT => draft.complete(),
        // All inside is done; its output could not be computed.
        Kind::Run(run) => draft.end_run(at, run),
        // A round, behind which the condition could not be computed.
        Kind::Sequence(_) => draft.leave(at),
        _ => draft.enter(at),
    }
}

fn can_be_retried(state: &State) -> bool {
    match state.attempt() {
        Some((_, attempt)) => matches!(attempt.wait, Wait::Person(_) | Wait::Pause(_)),
        None => matches!(state, State::Halted(_)),
    }
}

fn resolve(
    given: Given<'_>,
    request: &OrderRequest,
    (place, direction, outcome): (&Place, Direction, &Outcome),
) -> Decision {
    let Given { plan, instance, .. } = given;
    let found = plan.find(place);
    if direction == Direction::Do
        && let Some((at, ty)) = found.and_then(|at| Some((at, instance.wanted(plan, at)?)))
    {
        return give_instead(given, request, (at, place, &ty), outcome);
    }
    let Some((node, work)) = found.and_then(|at| Some((at, plan.work(at.node())?))) else {
        return match found.filter(|at| direction == Direction::Do && instance.state(*at).is_some()) {
            // It may have waited for a value.
            Some(at) => rejected(
                Refusal::NotStuck,
                format!("`{place}` {}: there is nothing to resolve", standing(instance, Some(at))),
            ),
            None => unknown_step(plan, Some(place)),
        };
    };
    let attempt = match instance.state(node).and_then(State::attempt) {
        Some((current, attempt)) if current == direction => attempt,
        Some((Direction::Undo, _)) => {
            let message = format!(
                "`{place}` {} by now: what became of its compensation is another order, of work `undo` (`--undo`)",
                standing(instance, Some(node))
            );
            return rejected(Refusal::NotStuck, message);
        }
        Some((Direction::Do, _)) => {
            let message = format!(
                "`{place}` {}, and nothing takes it back: what became of the step itself is another order, of work `do` (without `--undo`)",
                standing(instance, Some(node))
            );
            return rejected(Refusal::NotStuck, message);
        }
        None => {
            let message = format!("`{place}` {}: there is nothing to resolve", standing(instance, Some(node)));
            return rejected(Refusal::NotStuck, message);
        }
    };
    let waits =
        matches!(attempt.wait, Wait::Person(_) | Wait::Pause(_) | Wait::Pending(_) | Wait::Unfit(_) | Wait::Turn(_));
    let shown_stuck = instance.state(node).is_some_and(is_stuck);
    if !waits && !shown_stuck {
        let message =
            format!("`{place}` has just been called and its answer is awaited: give the order when it is stuck");
        return rejected(Refusal::NotStuck, message);
    }
    let (stimulus, words) = match (direction, outcome) {
        (Direction::Undo, Outcome::Succeeded { reply: Some(_) }) => {
            let message = format!("`{place}`: a compensation has no reply; give the order without one");
            return rejected(Refusal::Misfit, message);
        }
        (_, Outcome::Succeeded { reply }) => match fitting_value(work, direction, reply.as_ref()) {
            Ok(reply) => (Stimulus::Succeeded, Words { reply, ..Words::default() }),
            Err(why) => {
                return rejected(Refusal::Misfit, format!("the reply does not fit the contract of `{place}`: {why}"));
            }
        },
        (Direction::Undo, Outcome::Failed { .. }) => {
            let message =
                format!("a compensation cannot fail: leave `{place}` stuck until it is taken back, by hand if need be");
            return rejected(Refusal::Misfit, message);
        }
        (Direction::Do, Outcome::Failed { .. }) if work.class == Class::Retriable => {
            let message =
                format!("`{place}` is behind the point of no return and cannot fail: repeat it, or do it by hand");
            return rejected(Refusal::PastPivot, message);
        }
        (Direction::Do, Outcome::Failed { code }) => {
            let declared = work.action().map(|action| action.command.fails.as_slice()).unwrap_or_default();
            if !declared.contains(code) {
                let known = if declared.is_empty() { "none".to_owned() } else { declared.join(", ") };
                let message = format!("`{place}` cannot fail with `{code}`: its contract declares {known}");
                return rejected(Refusal::Misfit, message);
            }
            (Stimulus::Failed, Words { message: request.reason.clone(), ..Words::code(code) })
        }
    };
    let mut draft = Draft::new(given);
    draft.emit(ordered(request));
    match work.back {
        // What the saga would be given cannot be computed, and somebody has done without it.
        Some(_) if direction == Direction::Undo => draft.succeed(node, direction, None),
        _ => drop(draft.stimulate(node, stimulus, words)),
    }
    draft.finish()
}

/// A person gives what could not be computed at a place.
fn give_instead(
    given: Given<'_>,
    request: &OrderRequest,
    (at, place, ty): (At, &Place, &Type),
    outcome: &Outcome,
) -> Decision {
    let plan = given.plan;
    let value = match outcome {
        Outcome::Succeeded { reply: Some(value) } => value.clone(),
        Outcome::Succeeded { reply: None } => {
            let message = format!("`{place}` waits for a value that cannot be computed: give it, as {ty}");
            return rejected(Refusal::Misfit, message);
        }
        Outcome::Failed { .. } => {
            let message = format!(
                "`{place}` is behind the point of no return and cannot fail: give the value that cannot be computed, as {ty}"
            );
            return rejected(Refusal::PastPivot, message);
        }
    };
    if let Err(misfits) = check_json(ty, value.get()) {
        let message = format!("the value does not fit `{place}`, which wants {ty}: {}", listed(&misfits));
        return rejected(Refusal::Misfit, message);
    }
    if let Kind::Choice { arms, .. } = &plan.node(at.node()).kind
        && !(1..=arms.len() + 1).any(|branch| value.get() == branch.to_string())
    {
        let message = format!(
            "`{place}` has the branches 1 to {}, the last of which is `otherwise`: there is none {value}",
            arms.len() + 1
        );
        return rejected(Refusal::Misfit, message);
    }
    let mut draft = Draft::new(given);
    draft.emit(ordered(request));
    draft.instead = Some(Instead { at, value });
    compute_again(&mut draft, at);
    if draft.instead.is_some() {
        let message =
            format!("`{place}` takes no value: it can be computed by now (give `retry`), or is being taken back");
        return rejected(Refusal::NotStuck, message);
    }
    draft.finish()
}

fn unknown_step(plan: &Plan, place: Option<&Place>) -> Decision {
    let place = place.map(Place::as_str).unwrap_or_default();
    let is_in_loop = plan.named(place).is_some_and(|node| !plan.node(node).loops.is_empty());
    let message = if is_in_loop {
        format!("`{place}` stands in a loop: say in which element or round, as in `{place}[1]`")
    } else {
        format!("saga `{}` has no step `{place}`", plan.saga.name)
    };
    rejected(Refusal::UnknownStep, message)
}

/// "`x` is being done".
fn standing(instance: &Instance, node: Option<At>) -> String {
    match node.and_then(|node| instance.state(node)) {
        Some(state) => format!("is {}", state.words()),
        None => "has not begun".to_owned(),
    }
}
