//! What the API takes and how it says no. The command line gives orders in the same words, so that a refusal reads the
//! same whether the data is here or behind a server.

use serde::{Deserialize, Serialize};

use super::view::Stopped;
use crate::engine::{Direction, Order, Outcome, Place, Summary};
use crate::json::Json;

/// The code where an input does not fit the saga's.
pub(crate) const INVALID_INPUT: &str = "invalid_input";

/// Who answers: the body of `GET /healthz`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Alive {
    /// Always `alive`.
    pub status: String,
    /// Names this process as the holder of its data directory: the `id` in the directory's lock file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// Partitions that stand still until a person acts; absent where all go on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopped: Vec<Stopped>,
    /// What is the matter with the log, and since when: it cannot be written for now, or a person has to mend it; absent
    /// where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// How many partitions are how.
    #[serde(default)]
    pub partitions: Partitions,
}

/// How many partitions are how, of all that the log has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partitions {
    /// Run here.
    pub running: usize,
    /// Will soon.
    pub recovering: usize,
    /// Stand still here until a person acts.
    pub stopped: usize,
    /// Are another's, or nobody's for a moment.
    pub elsewhere: usize,
}

/// Sagas run here: the body of `GET /readyz`.
#[derive(Clone, Debug, Serialize)]
pub struct Ready {
    /// Always `ready`.
    pub status: &'static str,
    /// How many partitions are how.
    pub partitions: Partitions,
}

/// An order to a partition: the body of `POST /partitions/{n}/orders`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionOrder {
    /// What is to be done.
    pub order: PartitionWord,
    /// Who gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What can be ordered of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartitionWord {
    /// Accept that inputs are lost which cannot be read any more, and go on behind them.
    AcceptGap,
}

/// An order to a partition that was carried out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Accepted {
    /// Which partition.
    pub partition: u32,
    /// What was done.
    pub order: String,
}

/// A request to begin: the body of `POST /instances`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartBody {
    /// The saga's name.
    pub saga: String,
    /// A business key, such as an order's number: the same start with the same id is done once. Made up if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The saga's input; `{}` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Json>,
}

/// An accepted start: it stands in the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Started {
    /// The instance's id.
    pub id: String,
    /// The saga's name.
    pub saga: String,
    /// Whether it is new.
    pub start: StartOutcome,
    /// Why nobody has looked at it yet, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What a start came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartOutcome {
    /// It began.
    Accepted,
    /// It had begun before, with the same input.
    Known,
    /// It is in the log, and nobody has looked at it yet.
    Waiting,
}

/// An event for a topic that a trigger reads: the body of `POST /topics/{topic}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventBody {
    /// The event.
    pub event: Json,
    /// Events of one key stay in their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// An event that stands in the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Published {
    /// The topic.
    pub topic: String,
    /// Its partition.
    pub partition: u32,
    /// Where.
    pub offset: u64,
}

/// Which instances are wanted: the query of `GET /instances`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Of this saga.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saga: Option<String>,
    /// That stand so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Summary>,
    /// That wait for a person at this step; without an index, in whatever element or round of loops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Ended ones too, where no status is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// At most so many: 200 if nobody says, 10,000 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Whether ended instances are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// With the others.
    Too,
}

impl ListQuery {
    /// The states that are wanted.
    #[must_use]
    pub fn states(&self) -> Vec<Summary> {
        let live = [Summary::Stuck, Summary::Compensating, Summary::Running];
        match (self.status, self.ended) {
            (None, _) if self.step.is_some() => vec![Summary::Stuck],
            (Some(status), _) => vec![status],
            (None, None) => live.to_vec(),
            (None, Some(Ended::Too)) => live.into_iter().chain([Summary::Completed, Summary::Compensated]).collect(),
        }
    }
}

/// An operator's order: the body of `POST /instances/{id}/orders`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderBody {
    /// What is to be done.
    pub order: OrderWord,
    /// The step: wanted by `resolve`, possible for `retry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// For `resolve`: the step's action or its compensation; whichever is under way if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Direction>,
    /// For `resolve`: what became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OutcomeWord>,
    /// For `resolve` as `succeeded`: the reply, which must fit the contract; or the value that cannot be computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Json>,
    /// For `resolve` as `failed`: a declared code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// For `signal`: which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// For `signal`: what it carries, which must fit its shape; `{}` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Json>,
    /// Who gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Recognises a repeat: the same request id is carried out once. Made up if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// The kinds of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderWord {
    /// Take everything back.
    Cancel,
    /// Try again now.
    Retry,
    /// Something that the saga awaits has happened.
    Signal,
    /// A person knows what became of a step.
    Resolve,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeWord {
    /// It was done.
    Succeeded,
    /// It was not done and never will be.
    Failed,
}

/// An order that stands in the log, and was not refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Taken {
    /// The instance.
    pub id: String,
    /// The order's request id.
    pub request: String,
    /// Whether it is decided.
    pub order: OrderOutcome,
    /// Why nobody has looked at it yet, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What an order came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderOutcome {
    /// It is carried out, or was before.
    Taken,
    /// It is in the log, and nobody has looked at it yet: it may still be refused.
    Waiting,
}

impl OrderBody {
    /// An order of this kind, with nothing else said.
    #[must_use]
    pub const fn new(order: OrderWord) -> Self {
        Self {
            order,
            step: None,
            work: None,
            outcome: None,
            reply: None,
            code: None,
            signal: None,
            with: None,
            by: None,
            reason: None,
            request: None,
        }
    }

    /// The engine's order. A `resolve` that does not say of what work it speaks means the step's action, whatever is under way
    /// now: an order that comes late must not turn into its opposite.
    ///
    /// # Errors
    /// Something is missing, or said that has no meaning for this kind of order.
    pub fn order(&self) -> Result<Order, ApiError> {
        let step = self.step.as_deref().map(Place::from);
        let surplus = |fields: &[(&str, bool)]| match fields.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(ApiError::bad_request(format!("`{name}` has no meaning for this order"))),
            None => Ok(()),
        };
        let (work, outcome) = (self.work.is_some(), self.outcome.is_some());
        let (reply, code) = (self.reply.is_some(), self.code.is_some());
        if self.order != OrderWord::Signal {
            surplus(&[("signal", self.signal.is_some()), ("with", self.with.is_some())])?;
        }
        match self.order {
            OrderWord::Cancel => {
                surplus(&[
                    ("step", step.is_some()),
                    ("work", work),
                    ("outcome", outcome),
                    ("reply", reply),
                    ("code", code),
                ])?;
                Ok(Order::Cancel)
            }
            OrderWord::Retry => {
                surplus(&[("work", work), ("outcome", outcome), ("reply", reply), ("code", code)])?;
                Ok(Order::Retry { step })
            }
            OrderWord::Signal => {
                let said =
                    [("step", step.is_some()), ("work", work), ("outcome", outcome), ("reply", reply), ("code", code)];
                surplus(&said)?;
                let signal =
                    self.signal.as_deref().ok_or_else(|| ApiError::bad_request("`signal` needs the `signal`"))?;
                Ok(Order::Signal { signal: signal.into(), with: self.with.clone() })
            }
            OrderWord::Resolve => {
                let step = step.ok_or_else(|| ApiError::bad_request("`resolve` needs the `step`"))?;
                let outcome = match (self.outcome, &self.code) {
                    (Some(OutcomeWord::Succeeded), None) => Outcome::Succeeded { reply: self.reply.clone() },
                    (Some(OutcomeWord::Failed), Some(code)) => {
                        surplus(&[("reply", reply)])?;
                        Outcome::Failed { code: code.as_str().into() }
                    }
                    (Some(OutcomeWord::Succeeded), Some(_)) => {
                        return Err(ApiError::bad_request("`code` has no meaning for a step that succeeded"));
                    }
                    (Some(OutcomeWord::Failed), None) => {
                        return Err(ApiError::bad_request("`failed` needs a `code` that the contract declares"));
                    }
                    (None, _) => {
                        return Err(ApiError::bad_request("`resolve` needs the `outcome`: `succeeded` or `failed`"));
                    }
                };
                Ok(Order::Resolve { step, work: self.work.unwrap_or(Direction::Do), outcome })
            }
        }
    }
}

/// Why something is not done: `{"error": {"code": …, "message": …, "hint": …}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// A stable word for programs.
    pub code: String,
    /// What happened and why.
    pub message: String,
    /// What to do next; a line for each way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What could be given instead: a whole body, or where an input does not fit, an input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Json>,
    /// Whose fault it is, which is also the HTTP status.
    #[serde(skip)]
    pub fault: Fault,
}

/// The body of an error.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error.
    pub error: ApiError,
}

/// Kinds of error, by what a caller can do about them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// The request makes no sense: 400.
    Request,
    /// It is a foreign web page's: 403.
    Foreign,
    /// There is no such thing: 404.
    Unknown,
    /// The path is right, the method is not: 405.
    Method,
    /// It exists otherwise, or its state does not allow it: 409.
    State,
    /// The body is too large: 413.
    Size,
    /// The body is said to be something else than JSON: 415.
    Media,
    /// The input does not fit: 422.
    Input,
    /// Too much at once: 429.
    Busy,
    /// It cannot be done now: 503.
    #[default]
    Unavailable,
}

impl ApiError {
    /// The code where another process holds the data directory.
    pub const LOCKED: &str = "locked";

    /// The code where a server was not reached, or went away before it had answered.
    pub const UNREACHABLE: &str = "unreachable";

    /// Of this fault.
    pub fn new(fault: Fault, code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), hint: None, example: None, fault }
    }

    /// The request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Fault::Request, "bad_request", message)
    }

    /// There is no such instance.
    #[must_use]
    pub fn unknown_instance(id: &str) -> Self {
        Self::new(Fault::Unknown, "unknown_instance", format!("there is no instance `{id}`"))
            .hint("`saga list` shows those that there are; long-ended ones are forgotten")
    }

    /// The log cannot be used.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Fault::Unavailable, "unavailable", message)
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        self.hint = Some(match self.hint {
            Some(before) => format!("{before}\n{hint}"),
            None => hint,
        });
        self
    }

    /// Shows what could be given instead.
    #[must_use]
    pub fn example(self, example: &str) -> Self {
        Self { example: Json::parse(example).ok(), ..self }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self.fault {
            Fault::Request => 400,
            Fault::Foreign => 403,
            Fault::Unknown => 404,
            Fault::Method => 405,
            Fault::State => 409,
            Fault::Size => 413,
            Fault::Media => 415,
            Fault::Input => 422,
            Fault::Busy => 429,
            Fault::Unavailable => 503,
        }
    }

    /// The fault that an HTTP status stands for.
    #[must_use]
    pub const fn fault_of(status: u16) -> Fault {
        match status {
            403 => Fault::Foreign,
            404 => Fault::Unknown,
            405 => Fault::Method,
            409 => Fault::State,
            413 => Fault::Size,
            415 => Fault::Media,
            422 => Fault::Input,
            429 => Fault::Busy,
            400..=499 => Fault::Request,
            _ => Fault::Unavailable,
        }
    }
}
