//! What happened to an instance, as sentences and as data: the same words in `saga history`, in the lines of
//! `saga run`, and in the API.

use std::borrow::Cow;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::past::Lives;
use super::redact::{redact, redact_unfit};
use super::view::Instant;
use crate::definition::personal::Veil;
use crate::definition::{Participant, types};
use crate::engine::{Direction, Event, Order, OrderRequest, Outcome, Refusal, Rejection, RequestId, invocation_at};
use crate::journal::Plans;
use crate::journal::record::{Body, Cause, Record};
use crate::json::Json;
use crate::plan::{At, Kind, NodeId, Plan};

/// What one input made of an instance: one record of the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Of which life, where those of all are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Instant>,
    /// 1, 2, 3 … within a run; none for what changed nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// When it was decided, by the clock of the partition's owner.
    pub at: Instant,
    /// What happened, in order.
    pub events: Vec<Happened>,
}

/// The history of an instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct History {
    /// Its id.
    pub id: String,
    /// Its saga's name.
    pub saga: String,
    /// Other lives of its id.
    #[serde(flatten)]
    pub lives: Lives,
    /// Lives of which retention has taken the beginning, where all are shown. Absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgotten: Vec<Instant>,
    /// From the start.
    pub entries: Vec<Entry>,
}

/// One fact.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Happened {
    /// Which: the event's name in the journal.
    pub event: String,
    /// The statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// In words.
    pub text: String,
    /// The input, reply, value or output, without personal fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Json>,
    /// The order, if it is one or the refusal of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Given>,
    /// The id of the request that was refused, where it was no order and asked for an answer. Absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// An order, as it was given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Given {
    /// `cancel`, `retry`, `resolve`, `signal`.
    pub word: String,
    /// Who gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The id by which a repeat of it is known.
    pub request: String,
    /// Why it was refused, in a word. Absent where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
}

impl Given {
    fn of(request: &RequestId, order: &Order, (by, reason): (Option<&CompactString>, Option<&String>)) -> Self {
        let (word, by) = (order.name().to_owned(), by.map(ToString::to_string));
        Self { word, by, reason: reason.cloned(), request: request.to_string(), refused: None }
    }

    /// "ordered by eva: cancel: she stays at home", "signal by portal: approval".
    fn words(&self, order: &Order, plan: Option<&Plan>) -> String {
        let (given, order) = order_words(order, plan);
        let by = self.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let reason = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("{given}{by}: {order}{reason}")
    }
}

/// A record of an instance, for people and programs; none for what only the protocol needs.
#[must_use]
pub fn of_record(record: &Record, plans: &Plans) -> Option<Entry> {
    let entry = |event| Some(Entry { run: None, seq: None, at: Instant(record.at), events: vec![event] });
    let alone = |event: &str, text: String| {
        entry(Happened { event: event.to_owned(), at: None, text, payload: None, order: None, request: None })
    };
    let ordered = |event: &str, asked: &OrderRequest, rejection: Option<&Rejection>| {
        let mut given = Given::of(&asked.request, &asked.order, (asked.by.as_ref(), asked.reason.as_ref()));
        given.refused = rejection.map(|rejection| rejection.code);
        let mut text = given.words(&asked.order, None);
        if let Some(rejection) = rejection {
            text = format!("{text}; refused: {}", rejection.message);
        }
        let at = order_step(&asked.order).map(str::to_owned);
        entry(Happened { event: event.to_owned(), at, text, payload: None, order: Some(given), request: None })
    };
    match &record.body {
        Body::Change { definition, change, .. } => {
            let plan = plans.by_hash(definition)?;
            let events = change.events.iter().map(|event| happened(plan, event)).collect();
            Some(Entry { run: None, seq: Some(change.seq), at: Instant(change.at), events })
        }
        Body::Reject { rejection, order: Some(order), .. } | Body::Bar { rejection, order: Some(order), .. } => {
            ordered("rejected", order, Some(rejection))
        }
        Body::Reject { rejection, cause, tell, .. } | Body::Bar { rejection, cause, tell, .. } => {
            let input = if matches!(cause, Cause::Reply(_)) { "reply" } else { "request" };
            let request = tell.as_ref().map(|to| to.request.to_string());
            let which = request.as_ref().map_or_else(|| format!("a {input}"), |id| format!("the {input} {id}"));
            let text = format!("{which} was refused: {}", rejection.message);
            entry(Happened { event: "rejected".to_owned(), at: None, text, payload: None, order: None, request })
        }
        Body::Park { .. } => {
            alone("parked", "the engine failed at an input, which is a defect of saga; it is kept".into())
        }
        Body::Resume { order: Some(order), .. } => ordered("resumed", order, None),
        Body::Resume { order: None, .. } => alone("resumed", "an operator lets what was kept be tried again".into()),
        Body::Pass { .. } => alone("passed", "what was kept came to nothing".into()),
        Body::Claim { .. }
        | Body::Forward { .. }
        | Body::Gap { .. }
        | Body::Mark
        | Body::Started { .. }
        | Body::Snapshot { .. }
        | Body::Waiting { .. }
        | Body::Ended { .. }
        | Body::Completed { .. } => None,
    }
}

fn fitting(shape: &types::Record, json: &Json) -> Json {
    redact(&Veil::of_record(shape), json)
}

/// One event.
#[must_use]
pub fn happened(plan: &Plan, event: &Event) -> Happened {
    let fact = |name: &str, at: Option<&str>, text: String, payload: Option<Json>| Happened {
        event: name.to_owned(),
        at: at.map(str::to_owned),
        text,
        payload,
        order: None,
        request: None,
    };
    match event {
        Event::Started { saga, input, deadline, .. } => {
            let until = deadline.map(|due| format!(", deadline {due}")).unwrap_or_default();
            fact("started", None, format!("{saga} started{until}"), Some(fitting(plan.input(), input)))
        }
        Event::Queued { at, work, .. } => {
            let back = if *work == Direction::Undo { "take back: " } else { "" };
            let asked = invocation_at(plan, at, *work).map(|invocation| &invocation.participant);
            let turn = asked.map(|asked| turn_at(asked)).unwrap_or_default();
            fact("queued", Some(at), format!("{back}waits for {turn}"), None)
        }
        Event::Called { at, work, attempt, .. } => {
            let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
            let back = if *work == Direction::Undo { "take back: " } else { "" };
            fact("called", Some(at), format!("{back}call {}{again}", called(plan, at, *work)), None)
        }
        Event::Sent { at, work, attempt } => {
            let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
            let back = if *work == Direction::Undo { "take back: " } else { "" };
            fact("sent", Some(at), format!("{back}send {}{again}", called(plan, at, *work)), None)
        }
        Event::Asked { at, work, .. } => {
            fact("asked", Some(at), format!("no answer: ask what became of {}", called(plan, at, *work)), None)
        }
        Event::Paused { at, until, why, .. } => fact("paused", Some(at), format!("{why}: again at {until}"), None),
        Event::Pended { at, until, .. } => {
            fact("pended", Some(at), format!("the participant works on it, awaited until {until}"), None)
        }
        Event::Succeeded { at, work: Direction::Do, reply } => {
            let reply = reply.as_ref().map(|reply| redact(veil(plan, at), reply));
            fact("succeeded", Some(at), "done".to_owned(), reply)
        }
        Event::Succeeded { at, work: Direction::Undo, .. } => {
            fact("succeeded", Some(at), "taken back".to_owned(), None)
        }
        Event::Refused { at, code, message } => {
            fact("refused", Some(at), format!("refused: {}", said(code, message.as_deref())), None)
        }
        Event::Lost { at } => {
            let is_run = node(plan, at).is_some_and(|node| matches!(plan.node(node).kind, Kind::Run(_)));
            let why = if is_run { "stops behind its point of no return" } else { "nobody knows whether it was done" };
            fact("lost", Some(at), format!("{why}: it will be taken back"), None)
        }
        Event::Withdrawn { at } => fact("withdrawn", Some(at), "was not called, and will not be".to_owned(), None),
        Event::Stuck { at, work, code, message } => {
            let what = if *work == Direction::Undo { "cannot be taken back" } else { "cannot be done" };
            fact("stuck", Some(at), format!("STUCK: {what}: {}", said(code, message.as_deref())), None)
        }
        Event::Unfit { at, work, why, payload, .. } => {
            let text = format!("an answer that does not fit its contract counts as none: {why}");
            let payload = Json::parse(payload.as_str()).ok().map(|payload| match invocation_at(plan, at, *work) {
                Some(asked) => redact_unfit(&asked.command.reply, &payload),
                None => payload,
            });
            fact("unfit", Some(at), text, payload)
        }
        Event::Chose { at, arm } => {
            let arms = node(plan, at).map(|node| plan.node(node));
            let otherwise =
                matches!(arms.map(|node| &node.kind), Some(Kind::Choice { arms, .. }) if arms.len() == *arm as usize);
            let way = if otherwise { "otherwise".to_owned() } else { format!("branch {}", arm.saturating_add(1)) };
            fact("chose", Some(at), way, None)
        }
        Event::Bound { at, value } => {
            let run = node(plan, at).and_then(|node| plan.saga_of_input(node));
            let text = run.map_or_else(|| "computed".to_owned(), |saga| format!("of the saga {saga}"));
            fact("bound", Some(at), text, Some(redact(veil(plan, at), value)))
        }
        Event::Listed { at, elements } => {
            let veil = veil(plan, at);
            let shown: Vec<Json> = elements.iter().map(|element| redact(veil, element)).collect();
            let count = match elements.len() {
                1 => "1 element".to_owned(),
                count => format!("{count} elements"),
            };
            fact("listed", Some(at), count, Json::of(&shown).ok())
        }
        Event::Passed { at } => fact("passed", Some(at), "through".to_owned(), None),
        Event::Judged { at, met } => {
            let text = if *met { "through: the condition holds" } else { "through: the condition does not hold" };
            fact("judged", Some(at), text.to_owned(), None)
        }
        Event::Turned { at } => fact("turned", Some(at), "is taken back".to_owned(), None),
        Event::Unwound { at } => fact("unwound", Some(at), "taken back".to_owned(), None),
        Event::Slept { at, until } => {
            let text = match awaited(plan, at) {
                Some(signal) => format!("awaits {signal} until {until}"),
                None if is_try(plan, at) => format!("has until {until}"),
                None => format!("sleeps until {until}"),
            };
            fact("slept", Some(at), text, None)
        }
        Event::Woke { at } => {
            let text = match awaited(plan, at) {
                Some(_) => "waits no longer",
                None if is_try(plan, at) => "is in time",
                None => "woke",
            };
            fact("woke", Some(at), text.to_owned(), None)
        }
        Event::Took { at, .. } => {
            let text = format!("takes the signal {}", awaited(plan, at).unwrap_or_default());
            fact("took", Some(at), text, None)
        }
        Event::Reached { at } => {
            let run = node(plan, at).and_then(|node| plan.sub_saga_of_pivot(node));
            let text = match run.map(|run| &plan.node(run).place) {
                Some(run) => format!("from here on {run} is taken back as a whole"),
                None => "from here on only forward".to_owned(),
            };
            fact("reached", Some(at), text, None)
        }
        Event::Caught { at, handler } => {
            let codes = node(plan, at).and_then(|node| match &plan.node(node).kind {
                Kind::Try(trial) => trial.catches.get(*handler as usize).map(|(codes, _)| codes.join(", ")),
                _ => None,
            });
            let codes = codes.filter(|codes| !codes.is_empty()).map(|codes| format!(" {codes}")).unwrap_or_default();
            fact("caught", Some(at), format!("taken back to its start; goes on in `catch{codes}`"), None)
        }
        Event::Failed { scope, failure } => {
            let text = format!("fails: {} at {}", said(&failure.code, failure.message.as_deref()), failure.step);
            fact("failed", Some(scope), text, None)
        }
        Event::Ordered { request, order, by, reason } => {
            let given = Given::of(request, order, (by.as_ref(), reason.as_ref()));
            if let Order::Signal { signal, with } = order {
                let shape = plan.signal(signal).map(|signal| &signal.shape);
                let with =
                    with.as_ref().map(|with| shape.map_or_else(Json::empty_object, |shape| fitting(shape, with)));
                let signalled = fact("ordered", None, given.words(order, Some(plan)), with);
                return Happened { order: Some(given), ..signalled };
            }
            let ordered = fact("ordered", order_step(order), given.words(order, Some(plan)), None);
            Happened { order: Some(given), ..ordered }
        }
        Event::Late => fact("late", None, "the deadline has passed behind the point of no return".to_owned(), None),
        Event::Completed { output } => {
            fact("completed", None, "completed".to_owned(), Some(redact(plan.veils().output(), output)))
        }
        Event::Compensated => fact("compensated", None, "compensated: all is taken back".to_owned(), None),
    }
}

/// "its turn at tickets (at most 100 at once)".
pub(super) fn turn_at(participant: &Participant) -> String {
    format!("its turn at {} ({})", participant.name, participant.limits_text())
}

fn order_step(order: &Order) -> Option<&str> {
    match order {
        Order::Cancel | Order::Retry { step: None } | Order::Signal { .. } => None,
        Order::Retry { step: Some(step) } | Order::Resolve { step, .. } => Some(step),
    }
}

/// What it is to give such an order, and the order.
fn order_words<'o>(order: &'o Order, plan: Option<&Plan>) -> (&'static str, Cow<'o, str>) {
    let is_step = |place: &str| {
        plan.zip(plan.and_then(|plan| node(plan, place))).is_none_or(|(plan, node)| plan.work(node).is_some())
    };
    let words = match order {
        Order::Signal { signal, .. } => return ("signal", signal.as_str().into()),
        Order::Cancel => "cancel".into(),
        Order::Retry { step: None } => "retry all that is stuck".into(),
        Order::Retry { step: Some(_) } => "retry".into(),
        Order::Resolve { step, outcome: Outcome::Succeeded { .. }, work: Direction::Do } if is_step(step) => {
            "it was done".into()
        }
        Order::Resolve { outcome: Outcome::Succeeded { .. }, work: Direction::Do, .. } => "this is its value".into(),
        Order::Resolve { outcome: Outcome::Succeeded { .. }, work: Direction::Undo, .. } => "it is taken back".into(),
        Order::Resolve { outcome: Outcome::Failed { code }, .. } => format!("it was not done: {code}").into(),
    };
    ("ordered", words)
}

/// What is hidden of the value that a place gives; of a loop's, that of an element.
fn veil<'p>(plan: &'p Plan, place: &str) -> &'p Veil {
    node(plan, place).map_or(&Veil::Whole, |node| plan.veil(node))
}

/// What stands at a place, in whichever element and round.
fn node(plan: &Plan, place: &str) -> Option<NodeId> {
    plan.find(place).map(At::node)
}

fn is_try(plan: &Plan, place: &str) -> bool {
    node(plan, place).is_some_and(|node| matches!(plan.node(node).kind, Kind::Try(_)))
}

/// The signal that an `await` waits for.
fn awaited(plan: &Plan, place: &str) -> Option<CompactString> {
    let at = plan.find(place)?;
    match &plan.node(at.node()).kind {
        Kind::Await(wait, _) => Some(plan.signal_name(at, &wait.signal.name)),
        _ => None,
    }
}

fn said(code: &str, message: Option<&str>) -> String {
    message.map_or_else(|| code.to_owned(), |message| format!("{code} ({message})"))
}

fn called(plan: &Plan, place: &str, work: Direction) -> String {
    invocation_at(plan, place, work)
        .map(|invocation| format!("{}.{}", invocation.participant.name, invocation.command.name))
        .unwrap_or_default()
}
