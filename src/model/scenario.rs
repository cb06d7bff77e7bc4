//! A scenario in virtual time: the engine, the scenario's participants, and a clock that jumps.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::outputs;
use super::world::{World, names};
use crate::definition::types::Type;
use crate::definition::{Called, Expect, ExpectKind, Happening, HappeningKind, Participant, Scenario};
use crate::engine::{
    self, Acknowledged, Calls, Command, CommandKind, Decision, Direction, Effect, Event, Input, Instance, InstanceId,
    Order, OrderRequest, Phase, Place, RequestId, Run, Share, Start, State, Summary, Turns,
};
use crate::json::Json;
use crate::plan::{InLoops, Meant, NodeId, Plan};
use crate::source::Span;
use crate::time::Timestamp;

/// When every scenario starts: a fixed instant, so that a scenario always gives the same trace.
pub const START: Timestamp = Timestamp(1_767_225_600_000); // 2026-01-01T00:00:00Z

/// The most inputs of one scenario. A saga has at most 10,000 statements with at most 1,000 retries each, but none
/// that a person writes a scenario for comes near this.
const INPUTS_MAX: u32 = 200_000;

/// What came of a scenario.
#[derive(Clone, Debug)]
pub struct Report {
    /// How the instance stood at the end.
    pub summary: Summary,
    /// The instance itself.
    pub instance: Instance,
    /// What happened, and how long after the start.
    pub trace: Vec<(Duration, Event)>,
    /// What participants were asked, attempts and all.
    pub asked: Vec<Command>,
    /// So much of the trace it takes to pass the point of no return, if it was passed.
    pub committed: Option<usize>,
    /// What departed from the expectations; empty if the scenario holds.
    pub departures: Vec<Departure>,
}

/// An expectation that was not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The expectation, or the happening that never came about.
    pub span: Span,
    /// What the scenario says.
    pub expected: String,
    /// What happened.
    pub found: String,
}

/// Runs a scenario of the plan's saga.
#[must_use]
pub fn run(plan: &Plan, scenario: &Scenario) -> Report {
    until_stuck(plan, scenario, awaited(scenario.expects.iter().map(|expect| &expect.kind)))
}

/// Where a person is expected to be waited for.
pub(super) fn awaited<'e>(mut expects: impl Iterator<Item = &'e ExpectKind>) -> Option<Called> {
    expects.find_map(|kind| match kind {
        ExpectKind::Stuck(called) => Some(called.clone()),
        ExpectKind::Completed(_) | ExpectKind::Compensated(_) | ExpectKind::Calls(_) => None,
    })
}

/// The same up to where a person is waited for there, if time alone would end that: a deadline, or the time of a
/// scope around.
pub(super) fn until_stuck(plan: &Plan, scenario: &Scenario, stuck: Option<Called>) -> Report {
    let mut stage = Stage::new(plan, scenario, stuck);
    let given = scenario.given.as_deref().unwrap_or("{}");
    let trouble = match Json::parse(given) {
        Ok(input) => stage.play(input),
        Err(error) => Some(format!("the input cannot be used: failed to {error}")),
    };
    stage.report(scenario, trouble)
}

struct Stage<'a> {
    plan: &'a Plan,
    instance: Instance,
    world: World,
    now: Timestamp,
    /// The scenario's instance has all that participants take to itself.
    turns: Turns,
    trace: Vec<(Duration, Event)>,
    asked: Vec<Command>,
    committed: Option<usize>,
    /// What is still to come from outside, as numbers of happenings.
    outside: BTreeSet<(Timestamp, usize)>,
    happenings: &'a [Happening],
    /// Where it is expected to wait for a person.
    stuck: Option<Called>,
}

impl<'a> Stage<'a> {
    fn new(plan: &'a Plan, scenario: &'a Scenario, stuck: Option<Called>) -> Self {
        let id = InstanceId::try_from("scenario").expect("a short word is an id");
        let outside = scenario.happenings.iter().enumerate().filter_map(|(index, happening)| match happening.kind {
            HappeningKind::Cancelled(after) | HappeningKind::Arrives { after, .. } => Some((START.after(after), index)),
            HappeningKind::Answer { .. } => None,
        });
        let mut turns = Turns::new(Share::WHOLE, 1);
        turns.begin(0, &Calls::default(), START);
        Self {
            plan,
            instance: Instance::new(id, Run(START.0), plan),
            world: World::new(Some(scenario)),
            now: START,
            turns,
            trace: Vec::new(),
            asked: Vec::new(),
            committed: None,
            outside: outside.collect(),
            happenings: &scenario.happenings,
            stuck,
        }
    }

    /// Plays to the end, or until it waits for a person. Says what kept it from that.
    fn play(&mut self, input: Json) -> Option<String> {
        let mut inbox = VecDeque::from([Input::Start(Start { input, reply_to: None, traceparent: None })]);
        for _ in 0..INPUTS_MAX {
            let input = self.outside_now().or_else(|| inbox.pop_front());
            let input = input.or_else(|| self.next_turn()).or_else(|| self.next_input())?;
            let (id, turns, now) = (self.instance.id.clone(), &mut self.turns, self.now);
            let mut takes = |place: &Place, participant: &Participant| turns.takes(0, (&id, place), participant, now);
            match engine::decide(self.plan, &self.instance, now, &input, &mut takes) {
                Decision::Nothing => {}
                Decision::Rejected(rejection) => match input {
                    Input::Start(_) => return Some(rejection.message),
                    Input::Order(OrderRequest { order: Order::Signal { signal, .. }, .. }) => {
                        return Some(format!("the signal `{signal}` is refused: {}", rejection.message));
                    }
                    _ => {}
                },
                Decision::Change(_, next) if matches!(input, Input::Due) && self.ends_the_wait(&next) => return None,
                Decision::Change(change, next) => {
                    self.instance = next;
                    let steps = change.events.iter().filter_map(|event| self.plan.find(event.step()?));
                    steps.for_each(|node| self.turns.note(0, self.plan, &self.instance, node));
                    for effect in engine::caused(self.plan, &self.instance, &change) {
                        if let Effect::Command(command) = effect {
                            inbox.extend(self.ask(&command));
                        }
                    }
                    let passed = self.now.since(START);
                    self.trace.extend(change.events.into_iter().map(|event| (passed, event)));
                    if self.instance.phase == Phase::Committed {
                        self.committed.get_or_insert(self.trace.len());
                    }
                }
            }
        }
        Some(format!("it had not ended after {INPUTS_MAX} inputs"))
    }

    fn ask(&mut self, command: &Command) -> Option<Input> {
        self.asked.push(command.clone());
        if command.kind == CommandKind::Message {
            let (command, attempt) = (command.id.clone(), command.attempt);
            return Some(Input::Acknowledged(Acknowledged { command, attempt }));
        }
        self.world.answer(self.plan, command).map(Input::Reply)
    }

    /// What comes from outside goes before answers of the same instant: who cancels at the start does not mean a saga
    /// that has ended.
    fn outside_now(&mut self) -> Option<Input> {
        let (at, index) = self.outside.first().copied()?;
        if at > self.now || self.instance.phase == Phase::New {
            return None;
        }
        self.outside.remove(&(at, index));
        let request = RequestId::try_from(format!("happening {index}").as_str()).ok()?;
        let order = match &self.happenings.get(index)?.kind {
            HappeningKind::Arrives { signal, with, .. } => {
                Order::Signal { signal: signal.clone(), with: Json::parse(with.clone()).ok() }
            }
            HappeningKind::Cancelled(_) | HappeningKind::Answer { .. } => Order::Cancel,
        };
        Some(Input::Order(OrderRequest { request, order, by: None, reason: None }))
    }

    /// A participant takes another command.
    fn next_turn(&mut self) -> Option<Input> {
        self.turns.next(0, self.now).map(|(_, place)| Input::Turn(place))
    }

    /// What time brings next, once everybody has answered.
    fn next_input(&mut self) -> Option<Input> {
        if self.instance.has_ended() || self.instance.phase == Phase::New {
            return None;
        }
        let outside = self.outside.first().copied();
        let turn = self.turns.next_at(0, self.now);
        let due = self.instance.next_due(self.plan).into_iter().chain(turn).min();
        let due = due.filter(|_| turn.is_some() || !self.is_in_vain());
        match (due, outside) {
            (due, Some((at, _))) if due.is_none_or(|due| at <= due) => {
                self.now = self.now.max(at);
                self.outside_now()
            }
            (Some(due), _) => {
                self.now = self.now.max(due);
                Some(Input::Due)
            }
            (None, _) => None,
        }
    }

    /// Whether time brings no more than further attempts of pivot steps past their retries. They go on for ever; where nobody
    /// will ever answer, the scenario has seen enough.
    fn is_in_vain(&self) -> bool {
        let stuck = self.instance.stuck(self.plan);
        let is_asked_in_vain = |place: &Place| stuck.contains(place) && self.world.is_silent_for_ever(place);
        let active = self.instance.active();
        let mut timed = active.iter().filter(|(_, state)| state.until().is_some());
        self.instance.deadline_ahead(self.plan).is_none()
            && timed.all(|(at, _)| is_asked_in_vain(&self.plan.place(*at)))
    }

    /// Whether a person is waited for as it is expected, and would not be any more.
    fn ends_the_wait(&self, next: &Instance) -> bool {
        let waits = |instance| self.stuck.as_ref().is_some_and(|called| is_stuck_at(self.plan, instance, called));
        waits(&self.instance) && !waits(next)
    }

    fn report(self, scenario: &Scenario, trouble: Option<String>) -> Report {
        let summary = self.instance.summary();
        let mut never: Vec<usize> = self.world.idle();
        never.extend(self.outside.iter().map(|(_, index)| *index));
        never.sort_unstable();
        let mut departures: Vec<Departure> = Vec::new();
        if let Some(trouble) = trouble {
            let expected = "a run of the saga".to_owned();
            departures.push(Departure { span: scenario.span, expected, found: trouble });
        } else {
            let never = never.iter().filter_map(|index| scenario.happenings.get(*index)).map(|happening| Departure {
                span: happening.span,
                expected: "this happens".to_owned(),
                found: "it never came about".to_owned(),
            });
            departures.extend(never);
            departures.extend(scenario.expects.iter().filter_map(|expect| self.departure(expect, summary)));
        }
        Report {
            summary,
            instance: self.instance,
            trace: self.trace,
            asked: self.asked,
            committed: self.committed,
            departures,
        }
    }

    fn departure(&self, expect: &Expect, summary: Summary) -> Option<Departure> {
        let found = || self.outcome(summary);
        let (expected, found) = match &expect.kind {
            ExpectKind::Completed(wanted) => match (&self.instance.phase, wanted) {
                (Phase::Completed(_), None) => return None,
                (_, None) => ("completed".to_owned(), found()),
                (Phase::Completed(output), Some(wanted)) => {
                    let ty = self.plan.saga.output.as_ref().map_or(&Type::Json, |output| &output.ty);
                    let (at, expected, found) = outputs::departure(ty, wanted, output.get())?;
                    (format!("completed with {at}: {expected}"), format!("completed with {at}: {found}, of {output}"))
                }
                (_, Some(wanted)) => (format!("completed {wanted}"), found()),
            },
            ExpectKind::Compensated(code) => match (&self.instance.phase, code) {
                (Phase::Compensated(_), None) => return None,
                (Phase::Compensated(failure), Some(code)) if failure.code == *code => return None,
                (_, None) => ("compensated".to_owned(), found()),
                (_, Some(code)) => (format!("compensated \"{code}\""), found()),
            },
            ExpectKind::Stuck(called) => {
                if is_stuck_at(self.plan, &self.instance, called) {
                    return None;
                }
                (format!("stuck {}", shown(called)), found())
            }
            ExpectKind::Calls(wanted) => {
                let calls = self.calls();
                let found = listed(&calls);
                if let Some(pair) = self.out_of_order(wanted) {
                    (listed(wanted), format!("{found}; the definition orders {pair}"))
                } else if same_calls(wanted, &calls) {
                    return None;
                } else {
                    (listed(wanted), found)
                }
            }
        };
        Some(Departure { span: expect.span, expected, found })
    }

    fn outcome(&self, summary: Summary) -> String {
        match &self.instance.phase {
            Phase::Completed(output) => format!("completed {output}"),
            Phase::Compensated(failure) => format!("compensated \"{}\" at `{}`", failure.code, failure.step),
            _ => {
                let places: Vec<String> = stuck(self.plan, &self.instance).iter().map(shown).collect();
                if places.is_empty() { summary.to_string() } else { format!("stuck {}", places.join(", ")) }
            }
        }
    }

    fn calls(&self) -> Vec<Called> {
        calls(self.trace.iter().map(|(_, event)| event))
    }

    /// Two calls that the list has in an order which the definition forbids.
    fn out_of_order(&self, calls: &[Called]) -> Option<String> {
        for (index, later) in calls.iter().enumerate() {
            for earlier in calls.iter().take(index) {
                if self.must_precede(later, earlier) {
                    return Some(format!("{} before {}", shown(later), shown(earlier)));
                }
            }
        }
        None
    }

    /// Whether the definition has `one` before `other` whenever both happen.
    fn must_precede(&self, one: &Called, other: &Called) -> bool {
        let plan = self.plan;
        let Some((first, second)) = plan.meant(&one.step).zip(plan.meant(&other.step)) else { return false };
        let ((first, undo), (second, other_undo)) = in_one_flow(plan, (first, one.undo), (second, other.undo));
        // The first stands in a `try`, in all loops around that.
        let is_held =
            |at: NodeId| plan.holds(at, first.node) && plan.loops_around(first.node, at) == plan.node(at).depth();
        match (undo, other_undo) {
            (false, false) => plan.is_before(first, second),
            // What a `try` took back goes before what is taken back around it, wherever that stands.
            (true, true) => {
                let is_shared =
                    |at: &NodeId| is_held(*at) && plan.in_loops(first, second, plan.node(*at).depth()) == InLoops::Same;
                plan.is_before(second, first)
                    && plan.tries().iter().filter(|at| plan.holds(**at, second.node)).all(is_shared)
            }
            // What a `try` took back, it took back before its handler; what stands behind may come before or after.
            (false, true) => plan.tries().iter().filter(|at| plan.holds(**at, second.node)).all(|at| {
                let around = plan.loops_around(first.node, *at);
                match plan.in_loops(first, second, around) {
                    InLoops::Same if is_held(*at) => true,
                    InLoops::Same => {
                        plan.is_before(first, Meant { node: *at, at: second.at.map(|second| plan.beside(second, *at)) })
                    }
                    InLoops::Before => true,
                    InLoops::Unordered => false,
                }
            }),
            (true, false) => std::iter::successors(plan.handled(second.node), |at| plan.handled(*at)).any(|at| {
                let around = plan.node(at).depth();
                plan.holds(at, first.node) && plan.in_loops(first, second, around) == InLoops::Same
            }),
        }
    }
}

/// What waits for a person, with its direction: in a `try` compensations are stuck while the saga goes forward.
#[must_use]
pub fn stuck(plan: &Plan, instance: &Instance) -> Vec<Called> {
    let called = |step: Place| {
        let state = plan.find(&step).and_then(|at| instance.state(at));
        let undo = matches!(state.and_then(State::attempt), Some((Direction::Undo, _)));
        Called { undo, step }
    };
    instance.stuck(plan).into_iter().map(called).collect()
}

fn is_stuck_at(plan: &Plan, instance: &Instance, called: &Called) -> bool {
    stuck(plan, instance).iter().any(|at| at.undo == called.undo && names(&called.step, &at.step))
}

/// Steps called and undone, each once however often it was attempted, in the order of their first attempts.
pub fn calls<'e>(events: impl IntoIterator<Item = &'e Event>) -> Vec<Called> {
    let first = |event: &Event| match event {
        Event::Called { at, work, attempt: 1, .. } | Event::Sent { at, work, attempt: 1 } => {
            Some(Called { undo: *work == Direction::Undo, step: at.clone() })
        }
        _ => None,
    };
    events.into_iter().filter_map(first).collect()
}

/// Two calls as they stand in one flow: for one in a saga that takes a step back stands, outside of it, that step's undo.
fn in_one_flow(plan: &Plan, mut one: (Meant, bool), mut other: (Meant, bool)) -> ((Meant, bool), (Meant, bool)) {
    let outside = |(meant, undo): (Meant, bool)| {
        let flow = plan.node(meant.node).flow;
        match plan.node(flow).parent {
            Some(node) => (Meant { node, at: meant.at.map(|at| plan.beside(at, node)) }, true),
            None => (meant, undo),
        }
    };
    loop {
        let (flow, other_flow) = (plan.node(one.0.node).flow, plan.node(other.0.node).flow);
        // What takes a step back is written behind that step, so the later flow is the inner one. And what takes one element
        // back is a flow of its own beside what takes another one back.
        let is_apart = flow == other_flow
            && plan
                .node(flow)
                .parent
                .is_some_and(|step| plan.in_loops(one.0, other.0, plan.node(step).depth()) != InLoops::Same);
        if !is_apart && flow == other_flow {
            return (one, other);
        }
        if is_apart || flow > other_flow {
            one = outside(one);
        }
        if is_apart || flow < other_flow {
            other = outside(other);
        }
    }
}

fn same_calls(wanted: &[Called], found: &[Called]) -> bool {
    let mut left: Vec<&Called> = found.iter().collect();
    let all_found = wanted.iter().all(|wanted| {
        let index = left.iter().position(|found| found.undo == wanted.undo && names(&wanted.step, &found.step));
        index.map(|index| left.remove(index)).is_some()
    });
    all_found && left.is_empty()
}

fn shown(called: &Called) -> String {
    let undo = if called.undo { "undo " } else { "" };
    format!("{undo}{}", called.step)
}

fn listed(calls: &[Called]) -> String {
    if calls.is_empty() {
        return "calls nothing".to_owned();
    }
    format!("calls {}", calls.iter().map(shown).collect::<Vec<_>>().join(", "))
}
