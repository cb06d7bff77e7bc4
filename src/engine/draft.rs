//! A decision in the making: facts, and the instance as they leave it.
//!
//! Every fact goes through [`Instance::apply`]'s own code at once, so that what follows in the same decision is
//! decided on what the journal will say, not on a second idea of it. Work that is left is a stack of nodes, never the
//! machine's own stack: ten thousand `let`s in a row are no deeper than one.

use compact_str::CompactString;

use super::environment::View;
use super::event::{Change, Event, Place, Why};
use super::id::{CommandId, Direction};
use super::input::Decision;
use super::instance::{Attempt, Instance, Phase, State, Wait};
use super::step::{self, Move, Persistence, Queries, Stimulus};
use super::timing::{self, Repeat};
use crate::definition::evaluate::Invalid;
use crate::definition::expression::Typed;
use crate::definition::value::Value;
use crate::definition::{Invocation, Participant, Sleep, Verb};
use crate::json::Json;
use crate::plan::{Class, Kind, NodeId, Plan, ROOT, Undo, Work};
use crate::time::Timestamp;

/// A decision in the making.
pub(super) struct Draft<'a> {
    pub(super) plan: &'a Plan,
    pub(super) instance: Instance,
    pub(super) now: Timestamp,
    takes: &'a mut Takes<'a>,
    events: Vec<Event>,
    stack: Vec<Task>,
    /// The stack is being worked off: what comes meanwhile is put on it, and never a loop inside the loop.
    is_running: bool,
}

/// Says of a step's place whether its participant, which has limits, takes a command now. A yes is a promise: whoever
/// gives it counts the command from then on.
pub type Takes<'a> = dyn FnMut(&Place, &Participant) -> bool + 'a;

/// What something is decided about.
pub(super) struct Given<'a> {
    pub(super) plan: &'a Plan,
    pub(super) instance: &'a Instance,
    pub(super) now: Timestamp,
    pub(super) takes: &'a mut Takes<'a>,
}

/// What is left to do in this decision.
enum Task {
    /// The flow comes to the node.
    Enter(NodeId),
    /// The node has ended; the flow goes on behind it.
    Leave(NodeId),
}

/// A participant's words, or the engine's, about a step.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    pub(super) code: CompactString,
    pub(super) message: Option<String>,
    pub(super) reply: Option<Json>,
}

impl Words {
    pub(super) fn code(code: &str) -> Self {
        Self { code: code.into(), ..Self::default() }
    }
}

impl<'a> Draft<'a> {
    pub(super) fn new(given: Given<'a>) -> Self {
        let Given { plan, instance, now, takes } = given;
        let (events, stack) = (Vec::new(), Vec::new());
        Self { plan, instance: instance.clone(), now, takes, events, stack, is_running: false }
    }

    /// The decision: a change, or nothing if no fact was found.
    pub(super) fn finish(self) -> Decision {
        if self.events.is_empty() {
            return Decision::Nothing;
        }
        Decision::Change(Change { seq: self.instance.seq + 1, at: self.now, events: self.events })
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.instance.apply_event(self.plan, self.now, &event).expect("what is decided can be applied");
        self.events.push(event);
    }

    pub(super) fn place(&self, node: NodeId) -> Place {
        self.plan.node(node).place.clone()
    }

    // -- forward ---------------------------------------------------------------------------------------------------

    /// The flow begins.
    pub(super) fn begin(&mut self) {
        match self.plan.children(ROOT).first() {
            Some(first) => self.enter(*first),
            None => self.complete(),
        }
    }

    /// The flow comes to a node, and on from there as far as it can.
    pub(super) fn enter(&mut self, node: NodeId) {
        self.stack.push(Task::Enter(node));
        self.run();
    }

    /// The flow comes to a node once what is on the way now is done.
    pub(super) fn push_enter(&mut self, node: NodeId) {
        self.stack.push(Task::Enter(node));
    }

    /// A node has ended; the flow goes on as far as it can.
    pub(super) fn leave(&mut self, node: NodeId) {
        self.stack.push(Task::Leave(node));
        self.run();
    }

    fn run(&mut self) {
        if std::mem::replace(&mut self.is_running, true) {
            return;
        }
        self.work_off();
        self.is_running = false;
    }

    fn work_off(&mut self) {
        while let Some(task) = self.stack.pop() {
            if !matches!(self.instance.phase, Phase::Forward | Phase::Committed) {
                self.stack.clear();
                return;
            }
            let (Task::Enter(node) | Task::Leave(node)) = task;
            // In a failing scope nothing new starts, nor once it was taken back; beside it all goes on.
            if self.instance.is_shut(self.plan, node) {
                continue;
            }
            match task {
                Task::Enter(node) => self.enter_one(node),
                Task::Leave(node) => self.leave_one(node),
            }
        }
    }

    fn enter_one(&mut self, node: NodeId) {
        let plan = self.plan;
        match &plan.node(node).kind {
            Kind::Scope(children) | Kind::Sequence(children) => match children.first() {
                Some(first) => self.stack.push(Task::Enter(*first)),
                None => self.stack.push(Task::Leave(node)),
            },
            Kind::Try(trial) => self.begin_try(node, trial),
            // It begins with its input, so it holds something.
            Kind::Run(run) => self.stack.extend(run.children.first().map(|first| Task::Enter(*first))),
            // The first branch on top: branches begin in their order.
            Kind::Parallel(children) => self.stack.extend(children.iter().rev().map(|child| Task::Enter(*child))),
            Kind::Choice { arms, otherwise } => self.choose(node, arms, *otherwise),
            Kind::Step(work) => self.begin_step(node, work),
            Kind::Pivot => {
                self.emit(Event::Reached { at: self.place(node) });
                self.stack.push(Task::Leave(node));
            }
            Kind::Sleep(sleep) => match self.wake_time(node, sleep) {
                Ok(until) => self.emit(Event::Slept { at: self.place(node), until }),
                Err(invalid) => self.cannot_compute(node, &invalid),
            },
            Kind::Await(wait, _) => self.begin_await(node, wait),
            Kind::Let(value) => match self.json(node, value) {
                Ok(value) => {
                    self.emit(Event::Bound { at: self.place(node), value });
                    self.stack.push(Task::Leave(node));
                }
                Err(invalid) => self.cannot_compute(node, &invalid),
            },
            Kind::Fail { code, message } => {
                let message = match message.as_ref().map(|message| self.value(node, message)) {
                    Some(Ok(Value::String(text))) => Some(text.into_string()),
                    // Absent, or not to be computed: the code says enough.
                    Some(Ok(_) | Err(_)) | None => None,
                };
                self.fail(node, Words { code: code.clone(), message, reply: None });
            }
        }
    }

    fn leave_one(&mut self, node: NodeId) {
        let plan = self.plan;
        let Some(parent) = plan.node(node).parent else { return };
        match &plan.node(parent).kind {
            Kind::Try(trial) => {
                if let Some(next) = plan.node(node).next {
                    return self.stack.push(Task::Enter(next));
                }
                if node <= trial.last && matches!(self.instance.state(parent), Some(State::Sleeping(_))) {
                    self.emit(Event::Woke { at: self.place(parent) });
                }
                self.stack.push(Task::Leave(parent));
            }
            Kind::Scope(_) | Kind::Sequence(_) => match plan.node(node).next {
                Some(next) => self.stack.push(Task::Enter(next)),
                None if parent == ROOT => self.complete(),
                None => self.stack.push(Task::Leave(parent)),
            },
            Kind::Run(run) => match plan.node(node).next {
                Some(next) => self.stack.push(Task::Enter(next)),
                None => self.end_run(parent, run),
            },
            Kind::Parallel(_) if !self.instance.ended(plan, parent) => {}
            Kind::Parallel(_) | Kind::Choice { .. } | Kind::Await(..) => self.stack.push(Task::Leave(parent)),
            Kind::Step(_) | Kind::Pivot | Kind::Sleep(_) | Kind::Let(_) | Kind::Fail { .. } => {}
        }
    }

    fn choose(&mut self, node: NodeId, arms: &[(Typed, NodeId)], otherwise: NodeId) {
        for (index, (condition, arm)) in (0u32..).zip(arms) {
            match self.value(node, condition) {
                Ok(Value::Bool(true)) => {
                    self.emit(Event::Chose { at: self.place(node), arm: index });
                    self.stack.push(Task::Enter(*arm));
                    return;
                }
                Ok(_) => {}
                Err(invalid) => return self.cannot_compute(node, &invalid),
            }
        }
        let arm = u32::try_from(arms.len()).unwrap_or(u32::MAX);
        self.emit(Event::Chose { at: self.place(node), arm });
        self.stack.push(Task::Enter(otherwise));
    }

    fn begin_step(&mut self, node: NodeId, work: &Work) {
        let Some(action) = work.action() else {
            self.emit(Event::Succeeded { at: self.place(node), work: Direction::Do, reply: None });
            self.stack.push(Task::Leave(node));
            return;
        };
        match self.prepare(node, Direction::Do, action) {
            Ok(limit) => self.call(node, work, (Direction::Do, action), None, limit),
            Err(invalid) => self.cannot_compute(node, &invalid),
        }
    }

    /// The end of the flow.
    pub(super) fn complete(&mut self) {
        let output = match &self.plan.saga.output {
            Some(output) => self.json(ROOT, output),
            None => Ok(Json::empty_object()),
        };
        match output {
            Ok(output) => self.emit(Event::Completed { output }),
            Err(invalid) => self.cannot_compute(ROOT, &invalid),
        }
    }

    /// A timer has ended.
    pub(super) fn wake(&mut self, node: NodeId) {
        self.emit(Event::Woke { at: self.place(node) });
        match &self.plan.node(node).kind {
            Kind::Await(_, otherwise) => self.enter(*otherwise),
            _ => self.leave(node),
        }
    }

    // -- one step --------------------------------------------------------------------------------------------------

    /// Something comes in for a step that is being done or taken back.
    pub(super) fn stimulate(&mut self, node: NodeId, stimulus: Stimulus, words: Words) -> Move {
        let plan = self.plan;
        let Some(work) = plan.work(node) else { return Move::Ignore };
        let Some((direction, attempt)) = self.attempt(node) else { return Move::Ignore };
        let Some(invocation) = invocation(work, direction) else { return Move::Ignore };
        let persistence = self.persistence(node, work, direction);
        let answers = direction == Direction::Do && invocation.participant.answers_queries;
        let queries = if answers { Queries::Answered } else { Queries::NotAnswered };
        let at = self.place(node);
        let next = step::next(&attempt, persistence, queries, stimulus);
        match next {
            Move::Ignore | Move::Stay | Move::Impossible => {}
            Move::Succeed => self.succeed(node, direction, words.reply),
            Move::Refuse => {
                self.emit(Event::Refused { at, code: words.code.clone(), message: words.message.clone() });
                self.fail(node, words);
            }
            Move::Lose => self.lose(node, words),
            Move::Withdraw => {
                self.emit(Event::Withdrawn { at });
                self.fail(node, Words { code: CompactString::const_new("timeout"), ..words });
            }
            Move::Stick => self.emit(Event::Stuck { at, work: direction, code: words.code, message: words.message }),
            Move::Pend => {
                let until = timing::pending_until(attempt.limit, self.now);
                self.emit(Event::Pended { at, work: direction, until });
            }
            Move::Ask => {
                let until = timing::answer_until(&invocation.timing, attempt.limit, persistence, self.now);
                if until > self.now {
                    self.emit(Event::Asked { at, work: direction, until });
                } else {
                    // `within` is used up: nobody would wait for the answer.
                    self.again(node, work, invocation, (direction, &attempt), Why::Silence);
                }
            }
            Move::Call => match self.prepare(node, direction, invocation) {
                Ok(limit) => self.call(node, work, (direction, invocation), Some(&attempt), limit),
                Err(invalid) => self.stick(node, direction, &invalid),
            },
            Move::Send => match self.prepare(node, direction, invocation) {
                Ok(_) => {
                    let until = timing::answer_until(&invocation.timing, attempt.limit, persistence, self.now);
                    self.emit(Event::Called { at, work: direction, attempt: attempt.number + 1, until, limit: None });
                }
                Err(invalid) => self.stick(node, direction, &invalid),
            },
            Move::Again => {
                let why = match stimulus {
                    Stimulus::Retry => Why::Asked(words.code),
                    Stimulus::UnknownCommand => Why::Unknown,
                    _ if matches!(attempt.wait, Wait::Unfit(_)) => Why::Unfit,
                    _ => Why::Silence,
                };
                self.again(node, work, invocation, (direction, &attempt), why);
            }
        }
        next
    }

    fn persistence(&self, node: NodeId, work: &Work, direction: Direction) -> Persistence {
        match (direction, work.class) {
            (Direction::Undo, _) => Persistence::UntilDone,
            (Direction::Do, Class::Pivot | Class::InnerPivot) => Persistence::Pivot,
            (Direction::Do, class) => match (self.instance.failing_around(self.plan, node), class) {
                (Some(_), _) => Persistence::Settling,
                (None, Class::Retriable) => Persistence::UntilDone,
                (None, _) => Persistence::Bounded,
            },
        }
    }

    fn again(
        &mut self,
        node: NodeId,
        work: &Work,
        invocation: &Invocation,
        (direction, attempt): (Direction, &Attempt),
        why: Why,
    ) {
        let persistence = self.persistence(node, work, direction);
        let at = self.place(node);
        let command = command_id(&self.instance, work, &at, direction);
        match timing::repeat(&invocation.timing, attempt, persistence, &command, self.now) {
            Repeat::At(until) => {
                let until = until.max(Timestamp(self.now.0 + 1));
                self.emit(Event::Paused { at, work: direction, until, why });
            }
            Repeat::GiveUp => self.lose(node, Words { message: Some(why.to_string()), ..Words::code("timeout") }),
            Repeat::AskPerson => {
                let attempts = attempt.number;
                let message = format!("{attempts} attempts brought no outcome; the last: {why}");
                let code = CompactString::const_new("timeout");
                self.emit(Event::Stuck { at, work: direction, code, message: Some(message) });
            }
        }
    }

    fn succeed(&mut self, node: NodeId, direction: Direction, reply: Option<Json>) {
        self.emit(Event::Succeeded { at: self.place(node), work: direction, reply });
        if self.instance.failing_around(self.plan, node).is_some() {
            self.unwind();
        } else {
            self.leave(node);
        }
    }

    fn lose(&mut self, node: NodeId, words: Words) {
        self.emit(Event::Lost { at: self.place(node) });
        self.fail(node, Words { code: CompactString::const_new("timeout"), ..words });
    }

    /// An attempt goes out, or waits for its turn: the first, or the one behind `before`. `limit` is when all attempts
    /// together would end if they began now.
    pub(super) fn call(
        &mut self,
        node: NodeId,
        work: &Work,
        (direction, invocation): (Direction, &Invocation),
        before: Option<&Attempt>,
        limit: Option<Timestamp>,
    ) {
        let attempt = before.map_or(1, |before| before.number + 1);
        if invocation.verb == Verb::Send {
            return self.emit(Event::Sent { at: self.place(node), work: direction, attempt });
        }
        // `within` begins with the first attempt; ordered by a person, it begins anew, as the retries do.
        let limit = limit.filter(|_| before.is_none_or(|before| before.base == attempt));
        let known = limit.or(before.map(|before| before.limit)).unwrap_or(Timestamp::NEVER);
        let persistence = self.persistence(node, work, direction);
        let at = self.place(node);
        let participant = &invocation.participant;
        if !participant.limits.is_empty() && !(self.takes)(&at, participant) {
            let until = timing::turn_until(known, persistence);
            return self.emit(Event::Queued { at, work: direction, until, limit });
        }
        let until = timing::answer_until(&invocation.timing, known, persistence, self.now);
        self.emit(Event::Called { at, work: direction, attempt, until, limit });
    }

    /// Whether the payload can be computed, and when all attempts together end.
    pub(super) fn prepare(
        &self,
        node: NodeId,
        direction: Direction,
        invocation: &Invocation,
    ) -> Result<Option<Timestamp>, Invalid> {
        let value = |typed: &Typed| typed.evaluate(&View::of(self.plan, &self.instance, (node, direction)));
        value(&invocation.payload)?;
        match invocation.timing.within.as_ref().filter(|_| invocation.verb == Verb::Call) {
            Some(within) => value(within).map(|within| Some(self.later(&within))),
            None => Ok(None),
        }
    }

    /// The step's attempts, and in which direction.
    pub(super) fn attempt(&self, node: NodeId) -> Option<(Direction, Attempt)> {
        let (direction, attempt) = self.instance.state(node)?.attempt()?;
        Some((direction, attempt.clone()))
    }

    // -- expressions -----------------------------------------------------------------------------------------------

    /// An expression cannot be computed: the place fails, or behind the point of no return waits for a person.
    pub(super) fn cannot_compute(&mut self, node: NodeId, invalid: &Invalid) {
        let words = Words { message: Some(invalid.message.clone()), ..Words::code("invalid") };
        self.fail(node, words);
    }

    pub(super) fn stick(&mut self, node: NodeId, work: Direction, invalid: &Invalid) {
        let code = CompactString::const_new("invalid");
        self.emit(Event::Stuck { at: self.place(node), work, code, message: Some(invalid.message.clone()) });
    }

    /// The value of an expression of a node on its way forward.
    pub(super) fn value(&self, node: NodeId, typed: &Typed) -> Result<Value, Invalid> {
        typed.evaluate(&View::of(self.plan, &self.instance, (node, Direction::Do)))
    }

    pub(super) fn json(&self, node: NodeId, typed: &Typed) -> Result<Json, Invalid> {
        let text = typed.evaluate_json(&View::of(self.plan, &self.instance, (node, Direction::Do)))?;
        Json::parse(text).map_err(|error| Invalid { message: format!("failed to {error}") })
    }

    fn wake_time(&self, node: NodeId, sleep: &Sleep) -> Result<Timestamp, Invalid> {
        match sleep {
            Sleep::For(duration) => self.value(node, duration).map(|duration| self.later(&duration)),
            Sleep::Until(instant) => self.value(node, instant).map(|instant| match instant {
                Value::Timestamp(instant) => instant,
                _ => self.now,
            }),
        }
    }

    /// So long from now; a duration below zero is over at once.
    pub(super) fn later(&self, duration: &Value) -> Timestamp {
        let ms = match duration {
            Value::Duration(ms) => u64::try_from(*ms).unwrap_or_default(),
            _ => 0,
        };
        self.now.after(std::time::Duration::from_millis(ms))
    }
}

/// What is asked of a participant in one direction.
pub(super) fn invocation(work: &Work, direction: Direction) -> Option<&Invocation> {
    match direction {
        Direction::Do => work.action(),
        Direction::Undo => work.compensation(),
    }
}

/// The id of a step's work in one direction.
pub(super) fn command_id(instance: &Instance, work: &Work, place: &Place, direction: Direction) -> CommandId {
    let own_undo = direction == Direction::Undo && work.undo == Some(Undo::OfItsOwn);
    CommandId { instance: instance.id.clone(), run: instance.run, place: place.clone(), round: 1, own_undo }
}
