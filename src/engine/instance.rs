//! One saga as a state machine: what is known of it, as small as it can be kept.
//!
//! Nothing about composite nodes is stored: that a sequence has ended, or what of a parallel is still to be taken
//! back, follows from its leaves (see [`flow`](super::flow)). Only [`Instance::apply`](super::apply) changes it.

use std::sync::Arc;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::event::{Failure, Why};
use super::heard::Heard;
use super::id::{Direction, InstanceId, Run};
use super::input::ReplyTo;
use super::loops::{Elements, Rounds};
use super::states::States;
use crate::json::Json;
use crate::plan::{At, Plan};
use crate::time::Timestamp;

/// A saga's instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Which life of the id.
    pub run: Run,
    /// The hash of its definition.
    pub definition: Arc<str>,
    /// Changes so far.
    pub seq: u64,
    /// When it began.
    pub started: Timestamp,
    /// When it last changed: never before an earlier change, whatever the clocks of two owners say.
    pub changed: Timestamp,
    /// Its input; `None` only before the first event.
    pub input: Option<Json>,
    /// When it fails by itself; `NEVER` where it has none, or where it has passed.
    pub deadline: Timestamp,
    /// Who wants to hear how it ends, and the trace context of the start. Together, since most sagas have neither.
    pub starter: Option<Box<Starter>>,
    /// Where it stands as a whole.
    pub phase: Phase,
    /// Nodes that have a state.
    pub(super) states: States,
    /// What came from outside; most instances never hear anything.
    pub(super) heard: Option<Box<Heard>>,
}

/// What the starter said besides the input.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Starter {
    /// Who wants to hear how it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<CompactString>,
}

/// Where an instance stands as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Phase {
    /// Before its first event.
    New,
    /// Before the point of no return.
    Forward,
    /// Behind the point of no return.
    Committed,
    /// It fails: it settles, then is taken back.
    Failing(Box<Failure>),
    /// The end, with the output.
    Completed(Json),
    /// The end, with the failure.
    Compensated(Box<Failure>),
}

/// The state of a node that has one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum State {
    /// A step is being done.
    Doing(Attempt),
    /// A step is done; its value, if its action has one.
    Done(Option<Json>),
    /// The participant refused: nothing to take back.
    Refused(CompactString),
    /// Nobody knows whether it was done.
    Unknown,
    /// A step is being taken back. Whether its outcome was known no longer matters: its value stays readable.
    Undoing(Box<Undoing>),
    /// A step is being taken back by a saga, which runs.
    Turned,
    /// A step is taken back.
    Undone,
    /// A `when` went this way: the arm from 0.
    Chose(u32),
    /// A `let` or the signal of an `await` has this value.
    Bound(Json),
    /// A loop over a list has come so far.
    Each(Elements),
    /// A `repeat` has come so far.
    Rounds(Rounds),
    /// A `sleep` or `await` lasts until then, or a `try` has until then.
    Sleeping(Timestamp),
    /// A `sleep` has ended; the signal of an `await` has not come; the time of a `try` runs no longer.
    Woke,
    /// A bare `pivot` was reached.
    Reached,
    /// A `try` fails: it settles, then is taken back.
    Failing(Box<Failure>),
    /// A `try` was taken back, and this handler of it runs or has run.
    Caught(Box<Caught>),
    /// An expression behind the point of no return cannot be computed.
    Halted(Box<Trouble>),
}

/// A `try` that was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caught {
    /// The handler, from 0.
    pub handler: u32,
    /// What it failed with.
    pub failure: Failure,
}

/// A step on its way back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undoing {
    /// The attempts of its compensation.
    pub attempt: Attempt,
    /// Its value, which the compensation may name; none if the outcome was unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
}

/// A step's attempts, forward or back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// Of the latest attempt: 1, 2, 3 …; 0 while none has gone out.
    pub number: u32,
    /// The attempt from which retries are counted: 1, or the one that an operator ordered.
    pub base: u32,
    /// When all attempts together end; `NEVER` without `within`.
    pub limit: Timestamp,
    /// Of a pivot step: when the first attempt beyond its retries went out. It goes on by itself, and is shown as stuck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beyond: Option<Timestamp>,
    /// Why the latest attempt that ended is repeated, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeated: Option<Box<Why>>,
    /// What is being waited for.
    pub wait: Wait,
}

impl Attempt {
    /// Before the first.
    pub(super) const fn none(limit: Timestamp, wait: Wait) -> Self {
        Self { number: 0, base: 1, limit, beyond: None, repeated: None, wait }
    }

    /// How many attempts there were before the one that an operator ordered; without an order none.
    pub(crate) const fn before_order(&self) -> u32 {
        self.base.saturating_sub(1)
    }
}

/// What a step waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Wait {
    /// The answer to the attempt.
    Answer(Timestamp),
    /// The answer to a query.
    Query(Timestamp),
    /// The next attempt.
    Pause(Timestamp),
    /// The final answer, after `pending`.
    Pending(Timestamp),
    /// An answer that fits its contract, after one that does not.
    Unfit(Timestamp),
    /// The log's acknowledgement of a message that was sent then.
    Log(Timestamp),
    /// A person.
    Person(Box<Trouble>),
    /// That the participant takes another command: then the next attempt goes out.
    Turn(Box<Turn>),
}

/// A wait for a turn.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// Since when: who came first goes first.
    pub since: Timestamp,
    /// How long at most, if that has an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Why something waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trouble {
    /// A code.
    pub code: CompactString,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Since when.
    pub since: Timestamp,
}

impl Wait {
    /// Whether the next attempt waits for its turn.
    #[must_use]
    pub const fn is_for_turn(&self) -> bool {
        matches!(self, Self::Turn(_))
    }

    /// Whether an attempt is out, and an answer to it is waited for.
    #[must_use]
    pub const fn is_under_way(&self) -> bool {
        matches!(self, Self::Answer(_) | Self::Query(_) | Self::Pending(_) | Self::Unfit(_))
    }

    /// When time alone ends the wait.
    #[must_use]
    pub const fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Answer(until)
            | Self::Query(until)
            | Self::Pause(until)
            | Self::Pending(until)
            | Self::Unfit(until) => Some(*until),
            Self::Turn(turn) => turn.until,
            Self::Log(_) | Self::Person(_) => None,
        }
    }

    /// The same, to be changed.
    pub(super) const fn until_mut(&mut self) -> Option<&mut Timestamp> {
        match self {
            Self::Answer(until)
            | Self::Query(until)
            | Self::Pause(until)
            | Self::Pending(until)
            | Self::Unfit(until) => Some(until),
            Self::Turn(turn) => turn.until.as_mut(),
            Self::Log(_) | Self::Person(_) => None,
        }
    }
}

impl State {
    /// The attempts of a step that is being done or taken back.
    #[must_use]
    pub const fn attempt(&self) -> Option<(Direction, &Attempt)> {
        match self {
            Self::Doing(attempt) => Some((Direction::Do, attempt)),
            Self::Undoing(undoing) => Some((Direction::Undo, &undoing.attempt)),
            Self::Done(_)
            | Self::Refused(_)
            | Self::Unknown
            | Self::Turned
            | Self::Undone
            | Self::Chose(_)
            | Self::Bound(_)
            | Self::Each(_)
            | Self::Rounds(_)
            | Self::Sleeping(_)
            | Self::Woke
            | Self::Reached
            | Self::Failing(_)
            | Self::Caught(_)
            | Self::Halted(_) => None,
        }
    }

    /// The same, to be changed.
    pub(super) const fn attempt_mut(&mut self) -> Option<&mut Attempt> {
        match self {
            Self::Doing(attempt) => Some(attempt),
            Self::Undoing(undoing) => Some(&mut undoing.attempt),
            _ => None,
        }
    }

    /// For messages: "it cannot happen while that is …".
    #[must_use]
    pub const fn words(&self) -> &'static str {
        match self {
            Self::Doing(attempt) if matches!(attempt.wait, Wait::Person(_)) => "stuck",
            Self::Undoing(undoing) if matches!(undoing.attempt.wait, Wait::Person(_)) => "stuck",
            Self::Doing(attempt) if attempt.wait.is_for_turn() => "waiting for its turn",
            Self::Undoing(undoing) if undoing.attempt.wait.is_for_turn() => "waiting for its turn",
            Self::Doing(_) => "being done",
            Self::Done(_) => "done",
            Self::Refused(_) => "refused",
            Self::Unknown => "of unknown outcome",
            Self::Undoing(_) | Self::Turned => "being taken back",
            Self::Undone => "taken back",
            Self::Chose(_) => "chosen",
            Self::Bound(_) => "computed",
            Self::Each(_) | Self::Rounds(_) => "gone through",
            Self::Sleeping(_) => "asleep",
            Self::Woke => "over",
            Self::Reached => "reached",
            Self::Failing(_) => "failing",
            Self::Caught(_) => "caught",
            Self::Halted(_) => "stuck",
        }
    }

    /// When time alone changes it.
    #[must_use]
    pub const fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Doing(attempt) => attempt.wait.until(),
            Self::Undoing(undoing) => undoing.attempt.wait.until(),
            Self::Sleeping(until) => Some(*until),
            Self::Done(_)
            | Self::Refused(_)
            | Self::Unknown
            | Self::Turned
            | Self::Undone
            | Self::Chose(_)
            | Self::Bound(_)
            | Self::Each(_)
            | Self::Rounds(_)
            | Self::Woke
            | Self::Reached
            | Self::Failing(_)
            | Self::Caught(_)
            | Self::Halted(_) => None,
        }
    }
}

impl Instance {
    /// An instance before its first event.
    #[must_use]
    pub fn new(id: InstanceId, run: Run, plan: &Plan) -> Self {
        Self {
            id,
            run,
            definition: Arc::clone(plan.saga.hash()),
            seq: 0,
            started: Timestamp(run.0),
            changed: Timestamp(run.0),
            input: None,
            deadline: Timestamp::NEVER,
            starter: None,
            phase: Phase::New,
            states: States::new(),
            heard: None,
        }
    }

    /// The state of what stands at an address, if it has one.
    #[must_use]
    pub fn state(&self, at: At) -> Option<&State> {
        self.states.get(at)
    }

    /// All that have a state, in the order of addresses.
    pub fn states(&self) -> impl Iterator<Item = (At, &State)> {
        self.states.iter()
    }

    /// The one of that number in the order of addresses.
    #[must_use]
    pub fn nth_state(&self, number: usize) -> Option<(At, &State)> {
        self.states.nth(number)
    }

    /// Those that are under way, in the order of addresses: what is done, taken back or waited for, scopes that fail, and
    /// what waits for a person.
    #[must_use]
    pub fn active(&self) -> Vec<(At, &State)> {
        self.states.active()
    }

    /// Copies of an instance with many states have them in common, and each keeps what differs. Where the other copies
    /// are gone, this folds that in; to be called once behind each change of a copy.
    pub fn fold_in(&mut self) {
        self.states.fold_in();
    }

    /// No state stands at a node behind that.
    pub(super) fn last_begun(&self) -> Option<At> {
        self.states.last()
    }

    /// Whether it has ended.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Completed(_) | Phase::Compensated(_))
    }

    /// Why it fails or failed.
    #[must_use]
    pub const fn failure(&self) -> Option<&Failure> {
        match &self.phase {
            Phase::Failing(failure) | Phase::Compensated(failure) => Some(failure),
            Phase::New | Phase::Forward | Phase::Committed | Phase::Completed(_) => None,
        }
    }

    /// Whether the outcome of the pivot step is open: neither cancel nor deadline acts then. It is not while the step has
    /// only waited for its turn.
    #[must_use]
    pub fn pivot_is_open(&self, plan: &Plan) -> bool {
        let is_sent = |state: &State| matches!(state, State::Doing(attempt) if attempt.number > 0);
        plan.pivots().iter().any(|pivot| self.state(At::new(*pivot)).is_some_and(is_sent))
    }

    /// The next instant at which time alone changes something: then [`Input::Due`](super::Input::Due) is due.
    #[must_use]
    pub fn next_due(&self, plan: &Plan) -> Option<Timestamp> {
        self.states.next_due().into_iter().chain(self.deadline_ahead(plan)).min()
    }

    /// The deadline, where it would be noticed.
    #[must_use]
    pub fn deadline_ahead(&self, plan: &Plan) -> Option<Timestamp> {
        Some(self.deadline).filter(|due| *due != Timestamp::NEVER && self.deadline_acts(plan))
    }

    /// Whether the deadline would be noticed now.
    pub(super) fn deadline_acts(&self, plan: &Plan) -> bool {
        match self.phase {
            Phase::Forward => !self.pivot_is_open(plan),
            Phase::Committed => true,
            Phase::New | Phase::Failing(_) | Phase::Completed(_) | Phase::Compensated(_) => false,
        }
    }
}
