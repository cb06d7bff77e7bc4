//! A decision in the making: facts, and the instance as they leave it.
//!
//! Every fact goes through [`Instance::apply`]'s own code at once, so that what follows in the same decision is
//! decided on what the journal will say, not on a second idea of it. Work that is left is a stack of nodes, never the
//! machine's own stack: ten thousand `let`s in a row are no deeper than one.

use std::borrow::Cow;

use compact_str::CompactString;

use super::environment::View;
use super::event::{Change, Event, Place};
use super::id::Direction;
use super::input::Decision;
use super::instance::{Instance, State};
use super::instead::Instead;
use crate::definition::evaluate::Invalid;
use crate::definition::expression::Typed;
use crate::definition::value::Value;
use crate::definition::{Participant, Sleep};
use crate::json::Json;
use crate::plan::{At, Kind, NodeId, Plan, ROOT, Work};
use crate::time::Timestamp;

/// A decision in the making.
pub(super) struct Draft<'a> {
    pub(super) plan: &'a Plan,
    /// A copy from the first fact on: many inputs bring none.
    pub(super) instance: Cow<'a, Instance>,
    pub(super) now: Timestamp,
    pub(super) takes: &'a mut Takes<'a>,
    events: Vec<Event>,
    pub(super) stack: Vec<Task>,
    /// Elements and rounds that loops have come to in this decision.
    pub(super) gone_through: usize,
    /// Loops that this decision turns back, and at whose elements it has not looked yet.
    pub(super) turned: Vec<At>,
    /// What this decision has taken back.
    pub(super) touched: Vec<At>,
    /// What a person gives in place of what cannot be computed, until it is taken.
    pub(super) instead: Option<Instead>,
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
pub(super) enum Task {
    /// The flow comes to the node.
    Enter(At),
    /// The node has ended; the flow goes on behind it.
    Leave(At),
    /// Elements of a loop begin from this one on, as many as there is room for.
    Begin(At, u16),
    /// A step is taken back: what is before it is due.
    Unwind,
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
        Self {
            plan,
            instance: Cow::Borrowed(instance),
            now,
            takes,
            events: Vec::new(),
            stack: Vec::new(),
            gone_through: 0,
            turned: Vec::new(),
            touched: Vec::new(),
            instead: None,
            is_running: false,
        }
    }

    /// The decision: a change, or nothing if no fact was found.
    pub(super) fn finish(self) -> Decision {
        if self.events.is_empty() {
            return Decision::Nothing;
        }
        let Self { now: at, events, instance, .. } = self;
        let mut next = instance.into_owned();
        (next.seq, next.changed) = (next.seq + 1, next.changed.max(at));
        Decision::Change(Change { seq: next.seq, at, events }, next)
    }

    pub(super) fn emit(&mut self, event: Event) {
        let applied = self.instance.to_mut().apply_event(self.plan, self.now, &event);
        applied.expect("what is decided can be applied");
        self.events.push(event);
    }

    pub(super) fn place(&self, at: At) -> Place {
        self.plan.place(at)
    }

    // -- forward ---------------------------------------------------------------------------------------------------

    /// The flow begins.
    pub(super) fn begin(&mut self) {
        match self.plan.children(ROOT).first() {
            Some(first) => self.enter(At::new(*first)),
            None => self.complete(),
        }
    }

    /// The flow comes to a node, and on from there as far as it can.
    pub(super) fn enter(&mut self, at: At) {
        self.stack.push(Task::Enter(at));
        self.run();
    }

    /// The flow comes to a node once what is on the way now is done.
    pub(super) fn push_enter(&mut self, at: At) {
        self.stack.push(Task::Enter(at));
    }

    /// A node has ended; the flow goes on as far as it can.
    pub(super) fn leave(&mut self, at: At) {
        self.stack.push(Task::Leave(at));
        self.run();
    }

    /// Goes on as far as it can, unless somebody around does so already.
    pub(super) fn run(&mut self) {
        if std::mem::replace(&mut self.is_running, true) {
            return;
        }
        self.work_off();
        self.is_running = false;
    }

    fn work_off(&mut self) {
        while let Some(task) = self.stack.pop() {
            if self.instance.has_ended() {
                self.stack.clear();
                return;
            }
            // In a failing scope nothing new starts, nor once it was taken back; beside it all goes on.
            let is_shut = |at: At| self.instance.is_shut(self.plan, at);
            match task {
                Task::Enter(at) | Task::Leave(at) | Task::Begin(at, _) if is_shut(at) => {}
                Task::Enter(at) => self.enter_one(at),
                Task::Leave(at) => self.leave_one(at),
                Task::Begin(at, index) => self.begin_elements(at, index),
                Task::Unwind => self.unwind(),
            }
        }
    }

    fn enter_one(&mut self, at: At) {
        let plan = self.plan;
        let enter = |child: &NodeId| Task::Enter(plan.beside(at, *child));
        match &plan.node(at.node()).kind {
            Kind::Scope(children) | Kind::Sequence(children) => {
                self.stack.push(children.first().map_or(Task::Leave(at), enter));
            }
            Kind::Try(trial) => self.begin_try(at, trial),
            // It begins with its input, so it holds something.
            Kind::Run(run) => self.stack.extend(run.children.first().map(enter)),
            // The first branch on top: branches begin in their order.
            Kind::Parallel(children) => self.stack.extend(children.iter().rev().map(enter)),
            Kind::Each(each) => self.begin_each(at, each),
            Kind::Repeat(repeat) => self.stack.push(Task::Enter(plan.inside(at, repeat.round, 1))),
            Kind::Choice { arms, otherwise } => self.choose(at, arms, *otherwise),
            Kind::Step(work) => self.begin_step(at, work),
            Kind::Pivot => {
                self.emit(Event::Reached { at: self.place(at) });
                self.stack.push(Task::Leave(at));
            }
            Kind::Sleep(sleep) => match self.wake_time(at, sleep) {
                Ok(until) => self.emit(Event::Slept { at: self.place(at), until }),
                Err(invalid) => self.cannot_compute(at, &invalid),
            },
            Kind::Await(wait, _) => self.begin_await(at, wait),
            Kind::Let(value) => match self.json(at, value) {
                Ok(value) => {
                    self.emit(Event::Bound { at: self.place(at), value });
                    self.stack.push(Task::Leave(at));
                }
                Err(invalid) => self.cannot_compute(at, &invalid),
            },
            Kind::Fail { code, message } => {
                let message = match message.as_ref().map(|message| self.value(at, message)) {
                    Some(Ok(Value::String(text))) => Some(text.into_string()),
                    // Absent, or not to be computed: the code says enough.
                    Some(Ok(_) | Err(_)) | None => None,
                };
                self.fail(at, Words { code: code.clone(), message, reply: None });
            }
        }
    }

    fn leave_one(&mut self, at: At) {
        let plan = self.plan;
        let Some(parent) = plan.parent(at) else { return };
        let next = plan.node(at.node()).next.map(|next| Task::Enter(plan.beside(at, next)));
        match &plan.node(parent.node()).kind {
            Kind::Try(trial) => {
                if let Some(next) = next {
                    return self.stack.push(next);
                }
                if at.node() <= trial.last && matches!(self.instance.state(parent), Some(State::Sleeping(_))) {
                    self.emit(Event::Woke { at: self.place(parent) });
                }
                self.stack.push(Task::Leave(parent));
            }
            Kind::Scope(_) | Kind::Sequence(_) => match next {
                Some(next) => self.stack.push(next),
                None if parent == At::ROOT => self.complete(),
                None if matches!(plan.node(parent.node()).kind, Kind::Scope(_)) => self.end_way_back(parent),
                None => self.stack.push(Task::Leave(parent)),
            },
            Kind::Run(run) => match next {
                Some(next) => self.stack.push(next),
                None => self.end_run(parent, run),
            },
            Kind::Each(each) => self.leave_element(at, parent, each),
            Kind::Repeat(repeat) if at.node() == repeat.round => self.leave_round(at, parent, repeat),
            Kind::Parallel(_) if !self.instance.ended(plan, parent) => {}
            Kind::Parallel(_) | Kind::Choice { .. } | Kind::Await(..) | Kind::Repeat(_) => {
                self.stack.push(Task::Leave(parent));
            }
            Kind::Step(_) | Kind::Pivot | Kind::Sleep(_) | Kind::Let(_) | Kind::Fail { .. } => {}
        }
    }

    fn choose(&mut self, at: At, arms: &[(Typed, NodeId)], otherwise: NodeId) {
        let branch = self.branch(at, arms).or_else(|invalid| self.branch_instead(at, invalid));
        let chosen = match branch {
            Ok(branch) => branch,
            Err(invalid) => return self.cannot_compute(at, &invalid),
        };
        self.emit(Event::Chose { at: self.place(at), arm: chosen });
        let way = arms.get(chosen as usize).map_or(otherwise, |(_, arm)| *arm);
        self.stack.push(Task::Enter(self.plan.beside(at, way)));
    }

    /// The first branch whose condition holds, from 0; behind the last one is `otherwise`.
    fn branch(&self, at: At, arms: &[(Typed, NodeId)]) -> Result<u32, Invalid> {
        let view = View::of(self.plan, &self.instance, (at, Direction::Do));
        let mut branch = 0;
        for (condition, _) in arms {
            if condition.evaluate(&view)? == Value::Bool(true) {
                break;
            }
            branch += 1;
        }
        Ok(branch)
    }

    fn begin_step(&mut self, at: At, work: &Work) {
        let Some(action) = work.action() else {
            self.emit(Event::Succeeded { at: self.place(at), work: Direction::Do, reply: None });
            self.stack.push(Task::Leave(at));
            return;
        };
        match self.prepare(at, Direction::Do, action) {
            Ok(limit) => self.call(at, work, (Direction::Do, action), None, limit),
            Err(invalid) => self.cannot_compute(at, &invalid),
        }
    }

    /// The end of the flow.
    pub(super) fn complete(&mut self) {
        let output = match &self.plan.saga.output {
            Some(output) => self.json(At::ROOT, output),
            None => Ok(Json::empty_object()),
        };
        match output {
            Ok(output) => self.emit(Event::Completed { output }),
            Err(invalid) => self.cannot_compute(At::ROOT, &invalid),
        }
    }

    /// A timer has ended.
    pub(super) fn wake(&mut self, at: At) {
        self.emit(Event::Woke { at: self.place(at) });
        match &self.plan.node(at.node()).kind {
            Kind::Await(_, otherwise) => self.enter(self.plan.beside(at, *otherwise)),
            _ => self.leave(at),
        }
    }

    // -- expressions -----------------------------------------------------------------------------------------------

    /// An expression cannot be computed: the place fails, or behind the point of no return waits for a person.
    pub(super) fn cannot_compute(&mut self, at: At, invalid: &Invalid) {
        let words = Words { message: Some(invalid.message.clone()), ..Words::code("invalid") };
        self.fail(at, words);
    }

    pub(super) fn stick(&mut self, at: At, work: Direction, invalid: &Invalid) {
        let code = CompactString::const_new("invalid");
        self.emit(Event::Stuck { at: self.place(at), work, code, message: Some(invalid.message.clone()) });
    }

    /// The value of an expression of a node on its way forward.
    pub(super) fn value(&mut self, at: At, typed: &Typed) -> Result<Value, Invalid> {
        let computed = typed.evaluate(&View::of(self.plan, &self.instance, (at, Direction::Do)));
        computed.or_else(|invalid| self.value_instead(at, &typed.ty, invalid))
    }

    pub(super) fn json(&mut self, at: At, typed: &Typed) -> Result<Json, Invalid> {
        self.json_for((at, Direction::Do), typed).or_else(|invalid| self.instead(at, invalid))
    }

    pub(super) fn json_for(&self, at: (At, Direction), typed: &Typed) -> Result<Json, Invalid> {
        let text = typed.evaluate_json(&View::of(self.plan, &self.instance, at))?;
        Json::parse(text).map_err(|error| Invalid { message: format!("failed to {error}") })
    }

    fn wake_time(&mut self, at: At, sleep: &Sleep) -> Result<Timestamp, Invalid> {
        match sleep {
            Sleep::For(duration) => {
                let duration = self.value(at, duration)?;
                Ok(self.later(&duration))
            }
            Sleep::Until(instant) => self.value(at, instant).map(|instant| match instant {
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
