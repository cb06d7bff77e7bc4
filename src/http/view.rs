//! The forms in which instances are shown: by the API, by `--json`, and behind the tables of the command line.
//!
//! There is one serialization. It is stable: fields may join, none goes or changes its meaning. Instants are RFC 3339
//! in UTC, payloads are the JSON that went over the wire, with what is personal taken out.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use super::heard::{Untaken, untaken};
use super::past::Lives;
use super::redact::redact;
use super::waits::{is_under_way, stuck_since, why};
use crate::definition::personal::Veil;
use crate::engine::{Direction, Instance, Phase, Summary};
use crate::json::Json;
use crate::plan::Plan;
use crate::time::Timestamp;

/// An instant, as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub Timestamp);

impl Serialize for Instant {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// One row of a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Its saga's name.
    pub saga: String,
    /// How it stands.
    pub status: Summary,
    /// When it began.
    pub started: Instant,
    /// Since when it stands so: for what is stuck, since it got stuck, and for a pivot step that goes on by itself since the
    /// first attempt beyond its retries; else its last change.
    pub since: Instant,
    /// The steps that it is at.
    pub at: Vec<String>,
    /// Why it stands there, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A list: what is stuck, then what is being taken back, then what runs, each oldest change first; then what has ended,
/// newest first. Rows and counts are of one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct List {
    /// The rows, as many as were asked for.
    pub instances: Vec<Row>,
    /// How many instances match, whatever the limit: for each status that has some.
    pub counts: Vec<Count>,
    /// So many of the rows, from the first, were looked into; those behind have no `why`.
    pub explained: usize,
    /// Rows of the view that are damaged and left out, each with what to do, for people. Absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<String>,
    /// Partitions that stand still until a person acts: what belongs to them does not go on. Absent where all go on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopped: Vec<Stopped>,
    /// Requests that are in the log and that no orchestrator has decided yet. Absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undecided: Option<NonZeroU64>,
    /// Of the participants from which the rows that were looked into want something.
    #[serde(flatten)]
    pub silent: Silent,
}

/// Participants that may not hear what is asked of them, on Kafka.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Silent {
    /// Those whose commands nobody reads at the moment. Absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
    /// Those of which that cannot be told. Absent where it can be of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<Untold>,
}

/// A participant whose commands nobody reads: what is asked of it waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// Its name.
    pub participant: String,
    /// The topic of its commands.
    pub topic: String,
}

/// A participant of which cannot be told whether somebody reads its commands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untold {
    /// Its name.
    pub participant: String,
    /// The topic of its commands.
    pub topic: String,
    /// Why, for people.
    pub why: String,
}

/// A partition that stands still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Its number.
    pub partition: u32,
    /// Why, and what to do, for people.
    pub why: String,
    /// The order that lets it go on, if there is one: `accept_gap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Whether the order is to be given to another process, the one that owns the partition.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
}

/// How many instances stand so.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Count {
    /// How they stand.
    pub status: Summary,
    /// How many.
    pub count: u64,
}

/// One instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shown {
    /// The same as in a list.
    #[serde(rename = "instance")]
    pub row: Row,
    /// The instant at which it stood so. Absent where it stands so now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Instant>,
    /// Other lives of its id.
    #[serde(flatten)]
    pub lives: Lives,
    /// The number that people read.
    pub version: u64,
    /// The hash of its definition.
    pub definition: String,
    /// When it last changed.
    pub changed: Instant,
    /// When it fails by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Instant>,
    /// Whether it can still be taken back.
    pub point_of_no_return: PointOfNoReturn,
    /// What it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Json>,
    /// What it gave, if it completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Json>,
    /// Why it fails or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureView>,
    /// Its statements in reading order.
    pub flow: Vec<Statement>,
    /// Signals that came and that nobody has taken yet, the oldest first. Absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<Untaken>,
    /// So many more came behind them, which are left out. Absent where there are none.
    #[serde(default, skip_serializing_if = "is_none_left")]
    pub signals_left_out: usize,
    /// What a person can safely order now.
    pub orders: Vec<Offer>,
    /// The instance's partition, where that stands still: no order is taken before it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
    /// Requests for instances of its partition that are in the log and that no orchestrator has decided yet: an order for this
    /// one may be among them. Absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undecided: Option<NonZeroU64>,
    /// Of the participants from which it wants something.
    #[serde(flatten)]
    pub silent: Silent,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives references")]
const fn is_none_left(left_out: &usize) -> bool {
    *left_out == 0
}

/// Where the point of no return is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointOfNoReturn {
    /// Ahead: a failure or a cancel takes everything back.
    Ahead,
    /// Its step is under way and the outcome decides.
    Open,
    /// Behind: it can only go forward.
    Behind,
}

/// Why a saga fails.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FailureView {
    /// The code.
    pub code: String,
    /// Where.
    pub step: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A statement of the definition and how it stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Statement {
    /// Its place: a step's or `let`'s name, else its word and count.
    pub at: String,
    /// How deep it is nested, from 0.
    pub depth: u32,
    /// Its word: `step`, `pivot step`, `parallel`, `when` …
    pub word: String,
    /// The command that it calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<String>,
    /// The command that takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensation: Option<String>,
    /// How it stands; absent for a group of statements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Standing>,
    /// Of a loop: how far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Whether the action or the compensation is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Direction>,
    /// Of the latest attempt, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// When its wait ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Instant>,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    /// The code with which it was refused or got stuck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Since when it is stuck, or waits for its turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Instant>,
}

impl Statement {
    /// A group of statements, of which nothing else is said.
    pub(super) fn new(at: String, depth: u32, word: &str) -> Self {
        Self {
            at,
            depth,
            word: word.to_owned(),
            calls: None,
            compensation: None,
            state: None,
            progress: None,
            work: None,
            attempt: None,
            until: None,
            value: None,
            code: None,
            message: None,
            since: None,
        }
    }
}

/// How far a loop is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// Elements, or rounds at most.
    pub of: u16,
    /// Those that have ended.
    pub over: u16,
    /// On the way back: those that are not taken back yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u16>,
    /// Those that have begun and are not shown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hidden: u16,
}

/// What is shown nowhere.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
const fn is_zero(number: &u16) -> bool {
    *number == 0
}

/// How a statement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It has not begun, or never will.
    NotBegun,
    /// It waits for an answer.
    Called,
    /// The log has not acknowledged its message yet.
    Sent,
    /// It asked what became of its command.
    Asked,
    /// It waits for the next attempt.
    Pausing,
    /// The participant works on it.
    Pending,
    /// An answer came that does not fit its contract; it waits for another.
    Unfit,
    /// It waits for a person.
    Stuck,
    /// It waits for its turn at a participant with limits.
    Queued,
    /// It waits for a time.
    Sleeping,
    /// It waits for a signal.
    Awaiting,
    /// The signal did not come, or is not waited for any more.
    Missed,
    /// A `try` has a time of its own, which runs.
    Timed,
    /// A `try` that fails is taken back.
    Failing,
    /// A `try` was taken back, and one of its handlers followed.
    Caught,
    /// Done.
    Done,
    /// The participant said no.
    Refused,
    /// Nobody knows whether it was done.
    Unknown,
    /// A saga takes it back, and runs.
    Turned,
    /// Taken back.
    Undone,
}

/// An order that is safe to give now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Offer {
    /// `cancel`, `retry`, `resolve`, `signal`.
    pub order: String,
    /// The step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The action or the compensation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Direction>,
    /// `succeeded` or `failed`, for `resolve`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// For `succeeded` a reply to fill in, for `failed` the codes to choose from, with bars, for `signal` what it carries,
    /// to fill in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    /// When to give it.
    pub when: String,
}

/// Of how many places a row tells at most: those of a loop may be a thousand, which nobody reads in a list.
pub const AT_MAX: usize = 20;

/// The row of an instance.
#[must_use]
pub fn row(plan: &Plan, instance: &Instance) -> Row {
    let status = instance.summary();
    let active = instance.active();
    let since = match status {
        Summary::Stuck => active.iter().filter_map(|(_, state)| stuck_since(state)).min().unwrap_or(instance.changed),
        Summary::Running | Summary::Compensating | Summary::Completed | Summary::Compensated => instance.changed,
    };
    let at: Vec<String> = if status == Summary::Stuck {
        instance.stuck(plan).iter().take(AT_MAX).map(ToString::to_string).collect()
    } else {
        let under_way = active.iter().filter(|(_, state)| is_under_way(state));
        under_way.take(AT_MAX).map(|(at, _)| plan.place(*at).to_string()).collect()
    };
    Row {
        id: instance.id.to_string(),
        saga: plan.saga.name.to_string(),
        status,
        started: Instant(instance.started),
        since: Instant(since),
        at,
        why: why(plan, instance, status),
    }
}

/// An instance, whole.
#[must_use]
pub fn shown(plan: &Plan, instance: &Instance) -> Shown {
    let point_of_no_return = match instance.phase {
        Phase::Committed | Phase::Completed(_) => PointOfNoReturn::Behind,
        _ if instance.pivot_is_open(plan) => PointOfNoReturn::Open,
        _ => PointOfNoReturn::Ahead,
    };
    let output = match &instance.phase {
        Phase::Completed(output) => Some(redact(plan.veils().output(), output)),
        _ => None,
    };
    let (signals, signals_left_out) = untaken(instance);
    Shown {
        row: row(plan, instance),
        as_of: None,
        lives: Lives::default(),
        version: plan.saga.version,
        definition: instance.definition.to_string(),
        changed: Instant(instance.changed),
        deadline: Some(instance.deadline).filter(|due| *due != Timestamp::NEVER).map(Instant),
        point_of_no_return,
        input: instance.input.as_ref().map(|input| redact(&Veil::of_record(plan.input()), input)),
        output,
        failure: instance.failure().map(|failure| FailureView {
            code: failure.code.to_string(),
            step: failure.step.to_string(),
            message: failure.message.clone(),
        }),
        flow: super::flow::flow(plan, instance),
        signals,
        signals_left_out,
        orders: super::offers::offers(plan, instance),
        stopped: None,
        undecided: None,
        silent: Silent::default(),
    }
}
