//! What the engine can be told, and what it answers.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::effect::CommandKind;
use super::event::{Change, Place};
use super::id::{CommandId, Direction, RequestId};
use super::instance::Instance;
use crate::json::Json;

/// Something that the world tells an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Begin.
    Start(Start),
    /// A participant answers.
    Reply(Reply),
    /// A time has come: see [`Instance::next_due`](super::Instance::next_due).
    Due,
    /// An operator's order.
    Order(OrderRequest),
    /// The log refuses a command or message for good: it was never sent.
    Undeliverable(Undeliverable),
    /// The log has acknowledged a message.
    Acknowledged(Acknowledged),
    /// The participant of a step takes another command: see [`Turns`](super::Turns).
    Turn(Place),
}

/// A request to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// What the saga is given.
    pub input: Json,
    /// Who wants to hear how it ends.
    pub reply_to: Option<ReplyTo>,
    /// W3C trace context of the starter.
    pub traceparent: Option<CompactString>,
}

/// Where an answer is sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyTo {
    /// The topic.
    pub topic: CompactString,
    /// The partition; without one the key decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// The request's own id, given back with the answer.
    pub request: RequestId,
}

/// A participant's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// To which command.
    pub command: CommandId,
    /// What the participant was asked.
    pub kind: ReplyKind,
    /// To which attempt.
    pub attempt: u32,
    /// What it says.
    pub status: Status,
    /// The reply, if there is one.
    pub payload: Option<Json>,
}

/// What a reply answers, as `kind` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReplyKind {
    /// A `do`.
    Do,
    /// An `undo`.
    Undo,
    /// A `query`.
    Query,
}

impl ReplyKind {
    /// As in the attribute `kind`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        let asked = match self {
            Self::Do => CommandKind::Do,
            Self::Undo => CommandKind::Undo,
            Self::Query => CommandKind::Query,
        };
        asked.as_str()
    }
}

/// What a participant says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Succeeded,
    /// A business no: nothing happened.
    Failed {
        /// Its code.
        code: CompactString,
        /// Its words.
        message: Option<String>,
    },
    /// Not now: repeat it.
    Retry {
        /// Its reason, if it gives one.
        code: Option<CompactString>,
    },
    /// It is being worked on.
    Pending,
    /// To a query: never heard of it, which proves nothing.
    UnknownCommand,
}

/// An order and who gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderRequest {
    /// Recognises a repeat.
    pub request: RequestId,
    /// What is to be done.
    pub order: Order,
    /// Who gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<CompactString>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl OrderRequest {
    /// The same without what it carries: enough to tell what was ordered, and by whom.
    #[must_use]
    pub fn bare(&self) -> Self {
        let order = match &self.order {
            Order::Cancel => Order::Cancel,
            Order::Retry { step } => Order::Retry { step: step.clone() },
            Order::Signal { signal, with: _ } => Order::Signal { signal: signal.clone(), with: None },
            Order::Resolve { step, work, outcome } => {
                let outcome = match outcome {
                    Outcome::Succeeded { reply: _ } => Outcome::Succeeded { reply: None },
                    Outcome::Failed { code } => Outcome::Failed { code: code.clone() },
                };
                Order::Resolve { step: step.clone(), work: *work, outcome }
            }
        };
        Self { request: self.request.clone(), order, by: self.by.clone(), reason: self.reason.clone() }
    }
}

/// What can be asked of an instance that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Take everything back. Refused behind the point of no return.
    Cancel,
    /// Try again now what is stuck or pauses, with all its retries anew.
    Retry {
        /// Only this step; without one, all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<Place>,
    },
    /// Something that the saga declares as a `signal` has happened outside.
    Signal {
        /// Which.
        signal: CompactString,
        /// What it carries; `{}` if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        with: Option<Json>,
    },
    /// A person has found out, or done by hand, what became of a step that is stuck, pauses, pends or waits for its turn; or
    /// gives a value that cannot be computed.
    Resolve {
        /// The step, or the place that waits for the value.
        step: Place,
        /// Its action or its compensation.
        work: Direction,
        /// What became of it.
        outcome: Outcome,
    },
}

impl Order {
    /// Its word.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Retry { .. } => "retry",
            Self::Signal { .. } => "signal",
            Self::Resolve { .. } => "resolve",
        }
    }
}

/// What a person says became of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// It was done. For an action with the reply, which must fit the contract; where a value cannot be computed, with that.
    Succeeded {
        /// The reply, `{}` if left out; or the value, see [`Instance::wanted`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply: Option<Json>,
    },
    /// It was not done and never will be. For an action only.
    Failed {
        /// A declared code.
        code: CompactString,
    },
}

/// A command that the log refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undeliverable {
    /// Which.
    pub command: CommandId,
    /// Of which attempt.
    pub attempt: u32,
    /// Why.
    pub why: String,
}

/// A message that the log has acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Which.
    pub command: CommandId,
    /// Of which attempt.
    pub attempt: u32,
}

/// What the engine makes of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// These facts, to be journaled; and the instance behind them, as [`Instance::apply`] makes it of them.
    Change(Change, Instance),
    /// Nothing, and no later state would listen to it either.
    Nothing,
    /// Refused, although a later state might have accepted it: must be journaled, so that a second reading of the
    /// same input comes to the same end.
    Rejected(Rejection),
}

/// Why an input is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// One of [`Refusal`]'s words.
    pub code: Refusal,
    /// What happened, why, and what to do instead.
    pub message: String,
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The input does not fit the saga's.
    InvalidInput,
    /// The id belongs to an instance with another input or saga, or to another order.
    Conflict,
    /// No such instance.
    UnknownInstance,
    /// No such saga.
    UnknownSaga,
    /// The definition has no such step.
    UnknownStep,
    /// The definition has no such signal.
    UnknownSignal,
    /// The point of no return is passed, or its outcome is open.
    PastPivot,
    /// The saga is being taken back already.
    Compensating,
    /// The instance has ended.
    Ended,
    /// The step is not in a state for this.
    NotStuck,
    /// The reply or code does not fit the contract.
    Misfit,
    /// A reply to a command that was not sent.
    NotSent,
    /// Too much of it: see the message.
    Busy,
    /// The message cannot be read.
    Unreadable,
}
