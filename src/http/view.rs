//! The forms in which instances are shown: by the API, by `--json`, and behind the tables of the command line.
//!
//! There is one serialization. It is stable: fields may join, none goes or changes its meaning. Instants are RFC 3339
//! in UTC, payloads are the JSON that went over the wire, with `personal` fields taken out.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use super::heard::{Untaken, untaken};
use super::redact::redact;
use super::waits::{called, is_under_way, trouble, why};
use crate::definition::Compensation;
use crate::definition::types::{Record, Type};
use crate::engine::{Attempt, Direction, Instance, Phase, State, Summary, Trouble, Wait};
use crate::json::Json;
use crate::plan::{Class, Kind, NodeId, Plan, ROOT};
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
        let instant: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self(Timestamp(u64::try_from(instant.as_millisecond()).unwrap_or_default())))
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
    /// Since when it stands so: for what is stuck, since it got stuck; else its last change.
    pub since: Instant,
    /// The steps that it is at.
    pub at: Vec<String>,
    /// Why it stands there, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A list: what is stuck, then what is being taken back, then what runs, each oldest change first; then what has ended,
/// newest first.
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

/// The row of an instance.
#[must_use]
pub fn row(plan: &Plan, instance: &Instance) -> Row {
    let status = instance.summary(plan);
    let stuck: Vec<&Trouble> = instance.states().filter_map(|(_, state)| trouble(state)).collect();
    let since = match status {
        Summary::Stuck => stuck.iter().map(|trouble| trouble.since).min().unwrap_or(instance.changed),
        Summary::Running | Summary::Compensating | Summary::Completed | Summary::Compensated => instance.changed,
    };
    let at: Vec<String> = match status {
        Summary::Stuck => instance.stuck(plan).iter().map(ToString::to_string).collect(),
        _ => instance
            .states()
            .filter(|(_, state)| is_under_way(state))
            .map(|(node, _)| plan.node(node).place.to_string())
            .collect(),
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
    let personal = |record: &std::sync::Arc<Record>, json: &Json| redact(&Type::Record(record.clone()), json);
    let point_of_no_return = match instance.phase {
        Phase::Committed | Phase::Completed(_) => PointOfNoReturn::Behind,
        _ if instance.pivot_is_open(plan) => PointOfNoReturn::Open,
        _ => PointOfNoReturn::Ahead,
    };
    let output = match &instance.phase {
        Phase::Completed(output) => {
            Some(plan.saga.output.as_ref().map_or_else(|| output.clone(), |typed| redact(&typed.ty, output)))
        }
        _ => None,
    };
    let mut flow = Vec::new();
    statements(plan, instance, ROOT, 0, &mut flow);
    let (signals, signals_left_out) = untaken(instance);
    Shown {
        row: row(plan, instance),
        version: plan.saga.version,
        definition: instance.definition.to_string(),
        changed: Instant(instance.changed),
        deadline: Some(instance.deadline).filter(|due| *due != Timestamp::NEVER).map(Instant),
        point_of_no_return,
        input: instance.input.as_ref().map(|input| personal(plan.input(), input)),
        output,
        failure: instance.failure().map(|failure| FailureView {
            code: failure.code.to_string(),
            step: failure.step.to_string(),
            message: failure.message.clone(),
        }),
        flow,
        signals,
        signals_left_out,
        orders: super::offers::offers(plan, instance),
        stopped: None,
    }
}

/// The statements below a node; a tree is at most 64 deep.
fn statements(plan: &Plan, instance: &Instance, node: NodeId, depth: u32, into: &mut Vec<Statement>) {
    for child in plan.children(node) {
        // The blocks of a `when` have no word of their own where they hold nothing.
        if matches!(&plan.node(child).kind, Kind::Sequence(inside) if inside.is_empty()) {
            continue;
        }
        into.push(statement(plan, instance, child, depth));
        statements(plan, instance, child, depth + 1, into);
    }
}

/// One statement.
#[must_use]
pub fn statement(plan: &Plan, instance: &Instance, id: NodeId, depth: u32) -> Statement {
    let node = plan.node(id);
    let (work, state) = (plan.work(id), instance.state(id));
    let (name, leaf) = match &node.kind {
        Kind::Scope(_) => ("saga", false),
        Kind::Sequence(_) => ("sequence", false),
        Kind::Parallel(_) => ("parallel", false),
        Kind::Try(_) => ("try", false),
        Kind::Choice { .. } => ("when", true),
        Kind::Step(work) if matches!(work.class, Class::Pivot | Class::InnerPivot) => ("pivot step", true),
        Kind::Step(_) => ("step", true),
        Kind::Run(_) => ("run", true),
        Kind::Pivot => ("pivot", true),
        Kind::Sleep(_) => ("sleep", true),
        Kind::Await(..) => ("await", true),
        Kind::Let(_) if plan.sub_saga_of_input(id).is_some() => ("input", true),
        Kind::Let(_) => ("let", true),
        Kind::Fail { .. } => ("fail", true),
    };
    let mut statement = Statement {
        at: node.place.to_string(),
        depth,
        word: name.to_owned(),
        calls: work.and_then(|work| work.action()).map(called),
        compensation: work.and_then(|work| match &work.step.compensation {
            Compensation::Call(invocation) => Some(called(invocation)),
            Compensation::Unsaid | Compensation::Nothing => None,
        }),
        state: leaf.then_some(Standing::NotBegun),
        work: None,
        attempt: None,
        until: None,
        value: None,
        code: None,
        message: None,
        since: None,
    };
    if let Some(state) = state {
        stand(&mut statement, (plan, instance), id, state);
    }
    if leaf && statement.state != Some(Standing::Stuck) && instance.stuck(plan).contains(&node.place) {
        // The pivot step past its retries: it goes on by itself, and a person should know.
        statement.state = Some(Standing::Stuck);
        statement.code = Some("timeout".to_owned());
        statement.message = statement
            .attempt
            .map(|attempt| format!("{attempt} attempts brought no outcome; it is tried until there is one"));
    }
    statement
}

/// Fills in what a state says.
fn stand(statement: &mut Statement, (plan, instance): (&Plan, &Instance), id: NodeId, state: &State) {
    let reply = |json: &Json| match (&plan.node(id).kind, plan.work(id).and_then(|work| work.action())) {
        (Kind::Let(value), _) => redact(&value.ty, json),
        (Kind::Await(wait, _), _) => redact(&Type::Record(wait.signal.shape.clone()), json),
        (Kind::Run(run), _) => redact(&run.output.ty, json),
        (_, Some(action)) => redact(&Type::Record(action.command.reply.clone()), json),
        (_, None) => json.clone(),
    };
    statement.state = Some(match state {
        State::Doing(attempt) => {
            statement.work = Some(Direction::Do);
            tried(statement, attempt)
        }
        State::Undoing(undoing) => {
            statement.work = Some(Direction::Undo);
            statement.value = undoing.value.as_ref().map(reply);
            tried(statement, &undoing.attempt)
        }
        State::Done(value) => {
            statement.value = value.as_ref().map(reply);
            Standing::Done
        }
        State::Bound(value) => {
            statement.value = Some(reply(value));
            Standing::Done
        }
        State::Refused(code) => {
            statement.code = Some(code.to_string());
            Standing::Refused
        }
        State::Unknown => Standing::Unknown,
        State::Undone => Standing::Undone,
        State::Sleeping(until) => {
            statement.until = Some(Instant(*until));
            match plan.node(id).kind {
                Kind::Await(..) => Standing::Awaiting,
                Kind::Try(_) => Standing::Timed,
                _ => Standing::Sleeping,
            }
        }
        State::Failing(failure) => {
            statement.code = Some(failure.code.to_string());
            if is_over(plan, instance, id) { Standing::Undone } else { Standing::Failing }
        }
        State::Caught(caught) => {
            statement.code = Some(caught.failure.code.to_string());
            Standing::Caught
        }
        State::Halted(trouble) => stuck(statement, trouble),
        State::Woke if matches!(plan.node(id).kind, Kind::Await(..)) => Standing::Missed,
        State::Chose(_) | State::Woke | State::Reached => Standing::Done,
    });
}

/// Whether a scope that failed with the one around it, or let its failure out, has been taken back with that.
fn is_over(plan: &Plan, instance: &Instance, scope: NodeId) -> bool {
    let around = std::iter::successors(Some(plan.node(scope).scope), |at| Some(plan.node(*at).scope));
    let caught = |at: NodeId| matches!(instance.state(at), Some(State::Caught(_)));
    instance.has_ended() || around.take_while(|at| *at != ROOT).any(caught)
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
