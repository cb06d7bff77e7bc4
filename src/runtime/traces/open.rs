//! Spans of one instance while they are open, and what its events make of them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{Event as Noted, SpanId, SpanKind, Status};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::ids::{Call, Trace};
use crate::engine::{self, Direction, Event, Instance, InstanceId, Order, Run, Wait, Why};
use crate::plan::Plan;
use crate::time::Timestamp;

/// The most events of one span: an attempt has a few, a saga some orders. What is beyond is counted.
const EVENTS_MAX: usize = 32;

/// An instance whose spans are open.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) trace: Trace,
    pub(super) run: Run,
    started: Timestamp,
    notes: Notes,
    calls: Vec<OpenCall>,
}

/// An attempt whose outcome is not known.
#[derive(Debug)]
struct OpenCall {
    place: String,
    work: Direction,
    attempt: u32,
    began: Timestamp,
    notes: Notes,
    /// Whether another process saw it begin.
    taken_over: Option<KeyValue>,
}

/// What happened within a span.
#[derive(Debug, Default)]
struct Notes {
    events: Vec<Noted>,
    dropped: u32,
}

impl Notes {
    fn add(&mut self, name: &'static str, at: Timestamp, attributes: Vec<KeyValue>) {
        if self.events.len() < EVENTS_MAX {
            self.events.push(Noted::new(name, system_time(at), attributes, 0));
        } else {
            self.dropped += 1;
        }
    }

    fn take(&mut self) -> SpanEvents {
        let mut events = SpanEvents::default();
        (events.events, events.dropped_count) = (std::mem::take(&mut self.events), self.dropped);
        events
    }
}

/// Whose events they are.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) instance: &'a InstanceId,
    pub(super) plan: &'a Plan,
}

fn system_time(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(at.0)
}

fn failed(why: impl Into<String>) -> Status {
    Status::Error { description: why.into().into() }
}

fn said(why: &Why) -> String {
    match why {
        Why::Asked(reason) => format!("retry: {reason}"),
        Why::Silence => "no answer in time".to_owned(),
        Why::Unfit => why.to_string(),
        Why::Unknown => "the participant does not know the command".to_owned(),
    }
}

impl Open {
    /// An instance that begins.
    pub(super) fn begin(trace: Trace, run: Run, started: Timestamp) -> Self {
        Self { trace, run, started, notes: Notes::default(), calls: Vec::new() }
    }

    /// An instance that another process began, or this one in an earlier life. When its open attempts went out is not in
    /// its state: no later than its last change.
    pub(super) fn adopt(trace: Trace, instance: &Instance, plan: &Plan) -> Self {
        let mut open = Self::begin(trace, instance.run, instance.started);
        for (at, state) in instance.states() {
            let Some((work, attempt)) = state.attempt() else { continue };
            if attempt.wait.is_under_way() || matches!(attempt.wait, Wait::Log(_)) {
                open.calls.push(OpenCall {
                    place: plan.place(at).to_string(),
                    work,
                    attempt: attempt.number,
                    began: instance.changed,
                    notes: Notes::default(),
                    taken_over: Some(KeyValue::new("saga.taken_over", true)),
                });
            }
        }
        open
    }

    /// What events make of it: spans that end. The saga's own is the last one.
    pub(super) fn happened(&mut self, about: About<'_>, at: Timestamp, events: &[Event], ended: &mut Vec<SpanData>) {
        for event in events {
            match event {
                Event::Called { at: place, work, attempt, .. } | Event::Sent { at: place, work, attempt } => {
                    // Silence, and what was asked about it, lead straight to the next one.
                    ended.extend(self.ends(about, (place, *work), at, failed("no answer in time")));
                    self.calls.push(OpenCall {
                        place: place.to_string(),
                        work: *work,
                        attempt: *attempt,
                        began: at,
                        notes: Notes::default(),
                        taken_over: None,
                    });
                }
                // What it waits for comes before the next attempt, and belongs to none.
                Event::Queued { at: place, work, .. } => {
                    ended.extend(self.ends(about, (place, *work), at, failed("no answer in time")));
                }
                Event::Asked { at: place, work, .. } => {
                    self.note((place, *work), "asked what became of it", at);
                }
                Event::Pended { at: place, work, .. } => self.note((place, *work), "pending", at),
                // Why is for the operator: it may tell of what people keep to themselves.
                Event::Unfit { at: place, work, .. } => {
                    self.note((place, *work), "a reply that does not fit", at);
                }
                Event::Paused { at: place, work, why, .. } => {
                    ended.extend(self.ends(about, (place, *work), at, failed(said(why))));
                }
                Event::Succeeded { at: place, work, .. } => {
                    ended.extend(self.ends(about, (place, *work), at, Status::Ok));
                }
                Event::Refused { at: place, code, .. } => {
                    ended.extend(self.ends(about, (place, Direction::Do), at, failed(format!("refused: {code}"))));
                }
                Event::Lost { at: place } => {
                    let why = failed("nobody knows whether it was done");
                    ended.extend(self.ends(about, (place, Direction::Do), at, why));
                }
                Event::Stuck { at: place, work, code, .. } => {
                    let stuck = failed(format!("stuck: {code}"));
                    ended.extend(self.ends(about, (place, *work), at, stuck));
                    let what = [("saga.step", place.to_string()), ("saga.code", code.to_string())];
                    self.notes.add("stuck", at, what.map(|(key, value)| KeyValue::new(key, value)).to_vec());
                }
                Event::Failed { failure, .. } => {
                    let what = [("saga.step", failure.step.to_string()), ("saga.code", failure.code.to_string())];
                    self.notes.add("fails", at, what.map(|(key, value)| KeyValue::new(key, value)).to_vec());
                }
                Event::Ordered { order, .. } => {
                    let (what, key, word) = match order {
                        Order::Cancel => ("an operator's order", "saga.order", "cancel".to_owned()),
                        Order::Retry { .. } => ("an operator's order", "saga.order", "retry".to_owned()),
                        Order::Resolve { .. } => ("an operator's order", "saga.order", "resolve".to_owned()),
                        Order::Signal { signal, .. } => ("a signal", "saga.signal", signal.to_string()),
                    };
                    self.notes.add(what, at, vec![KeyValue::new(key, word)]);
                }
                Event::Late => self.notes.add("late", at, Vec::new()),
                Event::Completed { .. } => ended.push(self.end(about, at, "completed", Status::Ok)),
                Event::Compensated => {
                    ended.push(self.end(about, at, "compensated", failed("all that it did is taken back")));
                }
                Event::Started { .. }
                | Event::Withdrawn { .. }
                | Event::Took { .. }
                | Event::Caught { .. }
                | Event::Chose { .. }
                | Event::Bound { .. }
                | Event::Slept { .. }
                | Event::Woke { .. }
                | Event::Reached { .. }
                | Event::Listed { .. }
                | Event::Passed { .. }
                | Event::Judged { .. }
                | Event::Turned { .. }
                | Event::Unwound { .. } => {}
            }
        }
    }

    fn call(&mut self, (place, work): (&str, Direction)) -> Option<usize> {
        self.calls.iter().position(|call| call.place == place && call.work == work)
    }

    fn note(&mut self, call: (&str, Direction), name: &'static str, at: Timestamp) {
        if let Some(call) = self.call(call).and_then(|index| self.calls.get_mut(index)) {
            call.notes.add(name, at, Vec::new());
        }
    }

    /// The attempt of a step is over, if one is open.
    fn ends(&mut self, about: About<'_>, call: (&str, Direction), at: Timestamp, status: Status) -> Option<SpanData> {
        let index = self.call(call)?;
        let OpenCall { place, work, attempt, began, mut notes, taken_over } = self.calls.swap_remove(index);
        let About { instance, plan } = about;
        let span = Call { instance, run: self.run, place: &place, work, attempt }.span();
        let invocation = engine::invocation_at(plan, &place, work);
        let (word, name) = match work {
            Direction::Do => ("do", place.clone()),
            Direction::Undo => ("undo", format!("undo {place}")),
        };
        let mut attributes = self.attributes(about);
        attributes.extend([
            KeyValue::new("saga.step", place),
            KeyValue::new("saga.work", word),
            KeyValue::new("saga.attempt", i64::from(attempt)),
        ]);
        if let Some(invocation) = invocation {
            attributes.extend([
                KeyValue::new("saga.participant", invocation.participant.name.to_string()),
                KeyValue::new("saga.call", invocation.command.wire.to_string()),
                KeyValue::new("messaging.destination.name", invocation.participant.commands_topic.to_string()),
            ]);
        }
        attributes.extend(taken_over);
        let within = Within { span, parent: self.trace.saga, kind: SpanKind::Client };
        Some(self.data(within, name, (began, at), (attributes, notes.take(), status)))
    }

    /// The end of the instance.
    fn end(&mut self, about: About<'_>, at: Timestamp, outcome: &'static str, status: Status) -> SpanData {
        let mut attributes = self.attributes(about);
        attributes.push(KeyValue::new("saga.outcome", outcome));
        let parent = self.trace.parent.unwrap_or(SpanId::INVALID);
        let within = Within { span: self.trace.saga, parent, kind: SpanKind::Consumer };
        let (name, notes) = (about.plan.saga.name.to_string(), self.notes.take());
        self.data(within, name, (self.started, at), (attributes, notes, status))
    }

    fn attributes(&self, About { instance, plan }: About<'_>) -> Vec<KeyValue> {
        vec![
            KeyValue::new("saga.name", plan.saga.name.to_string()),
            KeyValue::new("saga.instance", instance.to_string()),
            KeyValue::new("saga.run", i64::try_from(self.run.0).unwrap_or(i64::MAX)),
        ]
    }

    fn data(
        &self,
        Within { span, parent, kind }: Within,
        name: String,
        (began, ended): (Timestamp, Timestamp),
        (attributes, events, status): (Vec<KeyValue>, SpanEvents, Status),
    ) -> SpanData {
        SpanData {
            span_context: self.trace.context(span),
            parent_span_id: parent,
            parent_span_is_remote: self.trace.parent == Some(parent),
            span_kind: kind,
            name: name.into(),
            start_time: system_time(began),
            end_time: system_time(ended.max(began)),
            attributes,
            dropped_attributes_count: 0,
            events,
            links: SpanLinks::default(),
            status,
            instrumentation_scope: InstrumentationScope::builder("saga")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        }
    }
}

/// Where a span stands.
struct Within {
    span: SpanId,
    parent: SpanId,
    kind: SpanKind,
}
