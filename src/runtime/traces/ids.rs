//! Which trace an instance belongs to, and the ids of its spans. Nothing is random, so that all who work on an instance
//! come to the same, one after the other.

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use sha2::{Digest as _, Sha256};

use crate::engine::{Direction, InstanceId, Run};
use crate::wire::attribute::TRACEPARENT;

/// The trace of one run of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trace {
    pub(super) id: TraceId,
    /// The span of whoever started it; none if nobody said.
    pub(super) parent: Option<SpanId>,
    /// The instance's own.
    pub(super) saga: SpanId,
}

/// One piece of work, as its span's id has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) instance: &'a InstanceId,
    pub(super) run: Run,
    pub(super) place: &'a str,
    pub(super) work: Direction,
    pub(super) attempt: u32,
}

struct Header<'a>(&'a str);

impl Extractor for Header<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

/// The trace that a `traceparent` says; none if it is none, as W3C says what to do with a wrong one.
pub(super) fn read(traceparent: &str) -> Option<SpanContext> {
    let read = TraceContextPropagator::new().extract_with_context(&Context::new(), &Header(traceparent));
    Some(read.span().span_context().clone()).filter(SpanContext::is_valid)
}

/// What names a span to a participant.
pub(super) fn traceparent(trace: TraceId, span: SpanId) -> String {
    format!("00-{trace}-{span}-01")
}

impl Trace {
    /// Continues a trace, or begins one that belongs to the instance alone.
    pub(super) fn of(instance: &InstanceId, run: Run, started: Option<&SpanContext>) -> Self {
        let saga = SpanId::from_bytes(hash(&["saga", instance.as_str(), &run.0.to_string()]));
        let own = || TraceId::from_bytes(hash(&["trace", instance.as_str(), &run.0.to_string()]));
        Self { id: started.map_or_else(own, SpanContext::trace_id), parent: started.map(SpanContext::span_id), saga }
    }

    /// A span in it, for an exporter.
    pub(super) fn context(&self, span: SpanId) -> SpanContext {
        SpanContext::new(self.id, span, TraceFlags::SAMPLED, false, TraceState::NONE)
    }
}

impl Call<'_> {
    /// The span of the attempt. A question for its outcome is part of it.
    pub(super) fn span(&self) -> SpanId {
        let Self { instance, run, place, work, attempt } = self;
        SpanId::from_bytes(hash(&[work.name(), instance.as_str(), &run.0.to_string(), place, &attempt.to_string()]))
    }
}

/// The first bytes of the SHA-256 of the parts, which nothing within them can shift.
fn hash<const N: usize>(parts: &[&str]) -> [u8; N] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    *digest.finalize().first_chunk().expect("32 bytes are more than an id has")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn id(text: &str) -> InstanceId {
        InstanceId::try_from(text).unwrap()
    }

    #[test]
    fn a_trace_goes_on_with_that_of_the_start() {
        let read = read(PARENT).unwrap();
        let trace = Trace::of(&id("o-1"), Run(7), Some(&read));
        let said = traceparent(trace.id, trace.parent.unwrap());
        assert_eq!(said, PARENT);
        for wrong in ["", "00-0-0-00", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "ff-a-b-c"] {
            assert_eq!(super::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ids_follow_from_what_they_are_of() {
        let (one, other) = (id("o-1"), id("o-2"));
        let call = Call { instance: &one, run: Run(7), place: "charge", work: Direction::Do, attempt: 1 };
        assert_eq!(call.span(), call.span());
        let all = [
            call.span(),
            Call { instance: &other, ..call }.span(),
            Call { run: Run(8), ..call }.span(),
            Call { place: "charg", ..call }.span(),
            Call { work: Direction::Undo, ..call }.span(),
            Call { attempt: 2, ..call }.span(),
            Trace::of(&one, Run(7), None).saga,
        ];
        for (at, span) in all.iter().enumerate() {
            assert!(!all[..at].contains(span) && *span != SpanId::INVALID, "{at}");
        }
        assert_ne!(Trace::of(&one, Run(7), None).id, Trace::of(&other, Run(7), None).id);
    }
}
