//! The statements of a definition and how they stand in one instance, in reading order.

use super::redact::redact;
use super::view::{Instant, Progress, Standing, Statement};
use super::waits::{called, last};
use crate::definition::Compensation;
use crate::engine::{Attempt, Direction, Instance, State, Trouble, Wait};
use crate::json::Json;
use crate::plan::{At, Class, Kind, NodeId, Plan};

/// How many elements or rounds of a loop are shown: more are read by nobody, and those that are under way come first.
const SHOWN_MAX: u16 = 10;

pub(super) fn flow(plan: &Plan, instance: &Instance) -> Vec<Statement> {
    let mut flow = Vec::new();
    statements(plan, instance, At::ROOT, 0, &mut flow);
    // What comes last is no statement, and is shown where it waits for a person.
    if let Some(State::Halted(trouble)) = instance.state(At::ROOT) {
        let mut output = Statement::new(plan.place(At::ROOT).to_string(), 0, "output");
        output.state = Some(stuck(&mut output, trouble));
        flow.push(output);
    }
    flow
}

/// The statements below a node; a tree is at most 64 deep.
fn statements(plan: &Plan, instance: &Instance, at: At, depth: u32, into: &mut Vec<Statement>) {
    for child in plan.children(at.node()) {
        let around = plan.node(at.node());
        if plan.node(child).depth() > around.depth() {
            elements(plan, instance, (at, child), depth, into);
            continue;
        }
        // What takes a step back is shown once it has begun.
        if plan.is_way_back(child) && !has_begun_way_back(plan, instance, plan.beside(at, child)) {
            continue;
        }
        // The blocks of a `when` have no word of their own where they hold nothing.
        if matches!(&plan.node(child).kind, Kind::Sequence(inside) if inside.is_empty()) {
            continue;
        }
        let child = plan.beside(at, child);
        into.push(statement(plan, instance, child, depth));
        statements(plan, instance, child, depth + 1, into);
    }
}

fn has_begun_way_back(plan: &Plan, instance: &Instance, back: At) -> bool {
    let input = plan.children(back.node()).into_iter().next();
    input.is_some_and(|input| instance.state(plan.beside(back, input)).is_some())
}

/// Elements or rounds of a loop, each with what stands in it; before the first, what will stand in each.
fn elements(plan: &Plan, instance: &Instance, (at, inside): (At, NodeId), depth: u32, into: &mut Vec<Statement>) {
    let Some((begun, mut progress)) = progress(plan, instance, at) else {
        return statements(plan, instance, plan.inside(at, inside, 0), depth, into);
    };
    let shown = shown(plan, instance, (at, begun));
    progress.hidden = begun.saturating_sub(u16::try_from(shown.len()).unwrap_or(begun));
    if let Some(around) = into.last_mut() {
        around.progress = Some(progress);
    }
    for index in shown {
        let element = plan.inside(at, inside, index);
        into.push(statement(plan, instance, element, depth));
        statements(plan, instance, element, depth + 1, into);
    }
}

/// Those that have begun, and how far the loop is; none where it has not begun.
fn progress(plan: &Plan, instance: &Instance, at: At) -> Option<(u16, Progress)> {
    let of = |of: u16, over: u16, left: Option<u16>| Progress { of, over, left, hidden: 0 };
    match (&plan.node(at.node()).kind, instance.state(at)) {
        (Kind::Each(each), Some(State::Each(elements))) => {
            Some((elements.begun(each), of(elements.count, elements.over, elements.left)))
        }
        (Kind::Repeat(repeat), Some(State::Rounds(rounds))) => {
            Some((rounds.begun(repeat), of(repeat.times, rounds.over, rounds.left)))
        }
        (Kind::Repeat(repeat), None) if instance.in_first_round(plan, at) => Some((1, of(repeat.times, 0, None))),
        _ => None,
    }
}

/// All that have begun, or those that are under way.
fn shown(plan: &Plan, instance: &Instance, (at, begun): (At, u16)) -> Vec<u16> {
    if begun <= SHOWN_MAX {
        return (1..=begun).collect();
    }
    let depth = plan.node(at.node()).depth();
    let inside = instance.active().into_iter().map(|(active, _)| active);
    let mut shown: Vec<u16> =
        inside.filter(|active| plan.is_in_loop(*active, at)).map(|active| active.index(depth)).collect();
    shown.sort_unstable();
    shown.dedup();
    shown.truncate(usize::from(SHOWN_MAX));
    shown
}

/// What a sequence is called: an element, a round, or nothing of its own.
fn inside(plan: &Plan, at: At) -> &'static str {
    let around = plan.node(at.node()).parent.map(|parent| &plan.node(parent).kind);
    match around {
        Some(Kind::Each(_)) => "element",
        Some(Kind::Repeat(repeat)) if repeat.round == at.node() => "round",
        _ => "sequence",
    }
}

/// One statement.
fn statement(plan: &Plan, instance: &Instance, at: At, depth: u32) -> Statement {
    let node = plan.node(at.node());
    let (work, state) = (plan.work(at.node()), instance.state(at));
    let place = plan.place(at);
    let (name, leaf) = match &node.kind {
        Kind::Scope(_) => ("compensate run", false),
        Kind::Sequence(_) => (inside(plan, at), false),
        Kind::Each(_) => ("for each", false),
        Kind::Repeat(_) => ("repeat", false),
        Kind::Parallel(_) => ("parallel", false),
        Kind::Try(_) => ("try", false),
        Kind::Choice { .. } => ("when", true),
        Kind::Step(work) if matches!(work.class, Class::Pivot | Class::InnerPivot) => ("pivot step", true),
        Kind::Step(_) => ("step", true),
        Kind::Run(_) => ("run", true),
        Kind::Pivot => ("pivot", true),
        Kind::Sleep(_) => ("sleep", true),
        Kind::Await(..) => ("await", true),
        Kind::Let(_) if plan.saga_of_input(at.node()).is_some() => ("input", true),
        Kind::Let(_) => ("let", true),
        Kind::Fail { .. } => ("fail", true),
    };
    let mut statement = Statement {
        calls: work.and_then(|work| work.action()).map(called),
        compensation: work.and_then(|work| match &work.step.compensation {
            Compensation::Call(invocation) => Some(called(invocation)),
            Compensation::Run(run) => Some(format!("run {}", run.saga)),
            Compensation::Unsaid | Compensation::Nothing => None,
        }),
        state: leaf.then_some(Standing::NotBegun),
        ..Statement::new(place.to_string(), depth, name)
    };
    if let Some(state) = state {
        stand(&mut statement, (plan, instance), at, state);
    }
    let attempt = state.and_then(State::attempt).map(|(_, attempt)| attempt);
    if let Some((attempt, since)) = attempt.and_then(|attempt| Some((attempt, attempt.beyond?))) {
        // The pivot step beyond its retries: it goes on by itself, and a person should know.
        statement.state = Some(Standing::Stuck);
        statement.since = Some(Instant(since));
        statement.code = Some("timeout".to_owned());
        let last = last(attempt);
        statement.message = statement
            .attempt
            .map(|attempt| format!("{attempt} attempts brought no outcome{last}; it is tried until there is one"));
    }
    statement
}

/// Fills in what a state says.
fn stand(statement: &mut Statement, (plan, instance): (&Plan, &Instance), at: At, state: &State) {
    let seen = |json: &Json| redact(plan.veil(at.node()), json);
    if let Kind::Sequence(_) = plan.node(at.node()).kind {
        match state {
            // An element: what stands in it says how it stands.
            State::Bound(value) => statement.value = Some(seen(value)),
            // A round, behind which the condition cannot be computed.
            State::Halted(trouble) => statement.state = Some(stuck(statement, trouble)),
            _ => {}
        }
        return;
    }
    statement.state = Some(match state {
        // Told by how far it is.
        State::Each(_) | State::Rounds(_) => return,
        State::Doing(attempt) => {
            statement.work = Some(Direction::Do);
            tried(statement, attempt)
        }
        State::Undoing(undoing) => {
            statement.work = Some(Direction::Undo);
            statement.value = undoing.value.as_ref().map(seen);
            tried(statement, &undoing.attempt)
        }
        State::Done(value) => {
            statement.value = value.as_ref().map(seen);
            Standing::Done
        }
        State::Bound(value) => {
            statement.value = Some(seen(value));
            Standing::Done
        }
        State::Refused(code) => {
            statement.code = Some(code.to_string());
            Standing::Refused
        }
        State::Unknown => Standing::Unknown,
        State::Turned => {
            statement.work = Some(Direction::Undo);
            Standing::Turned
        }
        State::Undone => Standing::Undone,
        State::Sleeping(until) => {
            statement.until = Some(Instant(*until));
            match plan.node(at.node()).kind {
                Kind::Await(..) => Standing::Awaiting,
                Kind::Try(_) => Standing::Timed,
                _ => Standing::Sleeping,
            }
        }
        State::Failing(failure) => {
            statement.code = Some(failure.code.to_string());
            if is_over(plan, instance, at) { Standing::Undone } else { Standing::Failing }
        }
        State::Caught(caught) => {
            statement.code = Some(caught.failure.code.to_string());
            Standing::Caught
        }
        State::Halted(trouble) => stuck(statement, trouble),
        State::Woke if matches!(plan.node(at.node()).kind, Kind::Await(..)) => Standing::Missed,
        State::Chose(_) | State::Woke | State::Reached => Standing::Done,
    });
}

/// Whether a scope that failed with the one around it, or let its failure out, has been taken back with that.
fn is_over(plan: &Plan, instance: &Instance, scope: At) -> bool {
    let around = std::iter::successors(Some(plan.scope(scope)), |at| Some(plan.scope(*at)));
    let caught = |at: At| matches!(instance.state(at), Some(State::Caught(_)));
    instance.has_ended() || around.take_while(|at| *at != At::ROOT).any(caught)
}

fn tried(statement: &mut Statement, attempt: &Attempt) -> Standing {
    statement.attempt = Some(attempt.number).filter(|number| *number > 0);
    statement.until = attempt.wait.until().map(Instant);
    match &attempt.wait {
        Wait::Answer(_) => Standing::Called,
        Wait::Log(_) => Standing::Sent,
        Wait::Query(_) => Standing::Asked,
        Wait::Pause(_) => Standing::Pausing,
        Wait::Pending(_) => Standing::Pending,
        Wait::Unfit(_) => Standing::Unfit,
        Wait::Person(trouble) => stuck(statement, trouble),
        Wait::Turn(turn) => {
            statement.since = Some(Instant(turn.since));
            Standing::Queued
        }
    }
}

fn stuck(statement: &mut Statement, trouble: &Trouble) -> Standing {
    statement.code = Some(trouble.code.to_string());
    statement.message.clone_from(&trouble.message);
    statement.since = Some(Instant(trouble.since));
    Standing::Stuck
}
