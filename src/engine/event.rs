//! What happened to an instance: facts, in the order of the journal, and the only thing that changes it.
//!
//! Everything that was decided or computed stands in an event: a replay never decides and never evaluates. Payloads
//! of commands do not: they follow from the definition and from what events say.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::id::{Direction, RequestId};
use super::input::{Order, ReplyTo};
use crate::json::Json;
use crate::time::Timestamp;

/// A node's name in the journal: `reserve_room`, `when#1`, and in loops with indices: `charge[2]`.
pub type Place = CompactString;

/// What one input made of an instance: one record of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// 1, 2, 3 … within a run.
    pub seq: u64,
    /// When it was decided, by the partition owner's clock.
    pub at: Timestamp,
    /// In their order; at least one.
    pub events: Vec<Event>,
}

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// The instance began.
    Started {
        /// The saga's name, for people: the definition's hash stands in the record.
        saga: CompactString,
        /// What it was given.
        input: Json,
        /// When it fails by itself, if it has a deadline.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<Timestamp>,
        /// Who wants to hear how it ends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<ReplyTo>,
        /// W3C trace context, carried through every command.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<CompactString>,
    },
    /// The next attempt waits until its participant takes another command: it says `at most …`.
    Queued {
        /// The step.
        at: Place,
        /// Its action or its compensation.
        work: Direction,
        /// How long it waits at most, if that has an end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// When all attempts together end (`within`), told with the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<Timestamp>,
    },
    /// An attempt goes out.
    Called {
        /// The step.
        at: Place,
        /// Its action or its compensation.
        work: Direction,
        /// 1, 2, 3 …
        attempt: u32,
        /// How long its answer is waited for.
        until: Timestamp,
        /// When all attempts together end (`within`), told with the first unless that was queued.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<Timestamp>,
    },
    /// A message goes out: done when the log has acknowledged it.
    Sent {
        /// The step.
        at: Place,
        /// Its action or its compensation.
        work: Direction,
        /// 1; more where the log refused it and a person ordered it anew.
        attempt: u32,
    },
    /// No answer came; the participant is asked what became of the command.
    Asked {
        /// The step.
        at: Place,
        /// Its action or its compensation.
        work: Direction,
        /// How long the answer is waited for.
        until: Timestamp,
    },
    /// A pause before the next attempt.
    Paused {
        /// The step.
        at: Place,
        /// Its action or its compensation.
        work: Direction,
        /// Its end.
        until: Timestamp,
        /// Why the attempt is repeated.
        why: Why,
    },
    /// The participant works on it and will answer later; nothing is repeated until then.
    Pended {
        /// The step.
        at: Place,
        /// Its action or its compensation.
        work: Direction,
        /// How long the final answer is waited for.
        until: Timestamp,
    },
    /// Done: a reply for an action; for a compensation the step is taken back.
    Succeeded {
        /// The step.
        at: Place,
        /// Its action or its compensation.
        work: Direction,
        /// The step's value; none for a compensation and for a step without an action.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply: Option<Json>,
    },
    /// The participant refused: nothing happened there.
    Refused {
        /// The step.
        at: Place,
        /// Its code, or `undeclared`.
        code: CompactString,
        /// Its words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// Nobody knows whether the step was done: it counts as done when it comes to taking back.
    Lost {
        /// The step.
        at: Place,
    },
    /// It waited for its turn and will not be asked: nothing happened, and it is as if it had not begun.
    Withdrawn {
        /// The step.
        at: Place,
    },
    /// It cannot go on by itself: it waits for a person.
    Stuck {
        /// The step, or the place whose expression cannot be computed.
        at: Place,
        /// Its action or its compensation.
        work: Direction,
        /// A code: that of the participant, `timeout`, `invalid` or `refused_by_log`.
        code: CompactString,
        /// What a person should know.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// An answer that does not fit its contract: it counts as none, and is kept here for the operator.
    Unfit {
        /// The step.
        at: Place,
        /// Its action or its compensation.
        work: Direction,
        /// How long another answer to this attempt is waited for; none where it was not waited for any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// What does not fit, and where.
        why: String,
        /// What came, at most [`UNFIT_KEPT`] bytes of it.
        payload: String,
    },
    /// A choice was made.
    Chose {
        /// The `when`.
        at: Place,
        /// The arm from 0; the number of arms: `otherwise`.
        arm: u32,
    },
    /// A `let` was computed.
    Bound {
        /// Its name.
        at: Place,
        /// Its value.
        value: Json,
    },
    /// The flow came to a loop over a list, which was computed: these elements are gone through.
    Listed {
        /// The `for each`.
        at: Place,
        /// The elements that are kept.
        elements: Vec<Json>,
    },
    /// An element has ended.
    Passed {
        /// The element.
        at: Place,
    },
    /// A round has ended, and the condition was computed.
    Judged {
        /// The round.
        at: Place,
        /// Whether it holds.
        met: bool,
    },
    /// What a loop did is taken back from here on; or the saga begins that takes a step back.
    Turned {
        /// The `for each` or `repeat`, or the step.
        at: Place,
    },
    /// All that an element or a round did is taken back.
    Unwound {
        /// The element or round.
        at: Place,
    },
    /// A timer runs.
    Slept {
        /// The `sleep`, `await` or `try within`.
        at: Place,
        /// Its end.
        until: Timestamp,
    },
    /// A timer ended, or was cut short since its scope fails.
    Woke {
        /// The `sleep`, `await` or `try within`.
        at: Place,
    },
    /// An `await` took a signal.
    Took {
        /// The `await`.
        at: Place,
        /// The request that brought the signal.
        request: RequestId,
    },
    /// The flow came to a bare `pivot`: from here on only forward.
    Reached {
        /// The `pivot`.
        at: Place,
    },
    /// What a scope inside the saga did is taken back, and the saga goes on in a handler of it.
    Caught {
        /// The `try`.
        at: Place,
        /// The handler, from 0.
        handler: u32,
    },
    /// The scope fails: nothing new starts in it, and when all has settled it is taken back. Those inside that are under
    /// way fail with it, and are taken back before it.
    Failed {
        /// The scope.
        scope: Place,
        /// Why.
        failure: Failure,
    },
    /// An operator gave an order; what came of it follows.
    Ordered {
        /// Recognises a repeat.
        request: RequestId,
        /// What is to be done.
        order: Order,
        /// Who gave it, as that person or program calls itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<CompactString>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The deadline passed behind the point of no return: it changes nothing, and is said.
    Late,
    /// The end: all done.
    Completed {
        /// What the saga gives.
        output: Json,
    },
    /// The end: all taken back.
    Compensated,
}

impl Event {
    /// Its name in the journal.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Queued { .. } => "queued",
            Self::Called { .. } => "called",
            Self::Sent { .. } => "sent",
            Self::Asked { .. } => "asked",
            Self::Paused { .. } => "paused",
            Self::Pended { .. } => "pended",
            Self::Succeeded { .. } => "succeeded",
            Self::Refused { .. } => "refused",
            Self::Lost { .. } => "lost",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Stuck { .. } => "stuck",
            Self::Unfit { .. } => "unfit",
            Self::Chose { .. } => "chose",
            Self::Bound { .. } => "bound",
            Self::Listed { .. } => "listed",
            Self::Passed { .. } => "passed",
            Self::Judged { .. } => "judged",
            Self::Turned { .. } => "turned",
            Self::Unwound { .. } => "unwound",
            Self::Slept { .. } => "slept",
            Self::Woke { .. } => "woke",
            Self::Took { .. } => "took",
            Self::Reached { .. } => "reached",
            Self::Caught { .. } => "caught",
            Self::Failed { .. } => "failed",
            Self::Ordered { .. } => "ordered",
            Self::Late => "late",
            Self::Completed { .. } => "completed",
            Self::Compensated => "compensated",
        }
    }

    /// The step whose attempts it is about.
    #[must_use]
    pub const fn step(&self) -> Option<&Place> {
        match self {
            Self::Queued { at, .. }
            | Self::Called { at, .. }
            | Self::Sent { at, .. }
            | Self::Asked { at, .. }
            | Self::Paused { at, .. }
            | Self::Pended { at, .. }
            | Self::Succeeded { at, .. }
            | Self::Refused { at, .. }
            | Self::Lost { at }
            | Self::Withdrawn { at }
            | Self::Stuck { at, .. } => Some(at),
            Self::Started { .. }
            | Self::Unfit { .. }
            | Self::Chose { .. }
            | Self::Bound { .. }
            | Self::Listed { .. }
            | Self::Passed { .. }
            | Self::Judged { .. }
            | Self::Turned { .. }
            | Self::Unwound { .. }
            | Self::Slept { .. }
            | Self::Woke { .. }
            | Self::Took { .. }
            | Self::Reached { .. }
            | Self::Caught { .. }
            | Self::Failed { .. }
            | Self::Ordered { .. }
            | Self::Late
            | Self::Completed { .. }
            | Self::Compensated => None,
        }
    }
}

/// The most of an unfit answer that is kept, in bytes: enough to see what is wrong with it.
pub const UNFIT_KEPT: usize = 4 << 10;

/// Why a scope fails.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// A declared code, or one of the engine's.
    pub code: CompactString,
    /// The place that failed; the scope itself for a deadline or a cancel.
    pub step: Place,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at {}", self.code, self.step)?;
        self.message.as_ref().map_or(Ok(()), |message| write!(out, ": {message}"))
    }
}

/// Why an attempt is repeated.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Why {
    /// The participant asked for it, with its reason; or whoever carries commands to it, with what happened on the way.
    Asked(CompactString),
    /// No answer in time.
    Silence,
    /// An answer came, or several, and none that fits its contract.
    Unfit,
    /// The participant does not know the command.
    Unknown,
}
