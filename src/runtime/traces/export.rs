//! Where spans go: to a collector, in batches, by the usual variables of OpenTelemetry. Nothing waits for it, and what it
//! does not take is dropped.

use std::env;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanKind, TraceContextExt as _};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, Config, SamplingDecision, ShouldSample, SpanData, SpanExporter as Exporter, SpanProcessor,
};

use super::ids::Trace;
use crate::engine::{InstanceId, Run};

/// How long the end waits for the last spans.
const END_WITHIN: Duration = Duration::from_secs(5);

/// Any of these says where the collector is. Without one nothing is exported: nobody is asked at the usual address unasked.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// How it is spoken to; the first that is set counts.
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];

/// The one that is built.
const HTTP_PROTOBUF: &str = "http/protobuf";

/// What this process calls itself where nobody says.
const SERVICE: &str = "saga";

/// The export of this process, while there is one.
static CURRENT: Mutex<Option<Arc<Export>>> = Mutex::new(None);

/// Why there can be no traces.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// Another one is spoken.
    #[error(
        "export traces by `{protocol}`, as {variable} has it: only {HTTP_PROTOBUF} is built; collectors take it on port 4318"
    )]
    Protocol {
        /// Where that was set.
        variable: &'static str,
        /// Which.
        protocol: String,
    },
    /// The variables make no sense together.
    #[error("set up the export of traces: {0}; it is set by the variables OTEL_EXPORTER_OTLP_*")]
    Settings(#[from] ExporterBuildError),
}

/// A way to the collector. Orchestrators that are opened while it lives are traced.
#[derive(Debug)]
pub struct Export {
    processor: BatchSpanProcessor,
    sampler: Box<dyn ShouldSample>,
}

fn set(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|value| !value.trim().is_empty())
}

/// Begins to export, if the environment says where to. Orchestrators that are opened from now on are traced.
///
/// # Errors
/// What the environment says makes no sense.
pub fn begin() -> Result<Option<Arc<Export>>, TracesError> {
    let is_off = set("OTEL_SDK_DISABLED").is_some_and(|off| off.eq_ignore_ascii_case("true"))
        || set("OTEL_TRACES_EXPORTER").is_some_and(|exporter| exporter == "none");
    if is_off || !ENDPOINTS.iter().any(|variable| set(variable).is_some()) {
        return Ok(None);
    }
    let protocol = PROTOCOLS.into_iter().find_map(|variable| Some((variable, set(variable)?)));
    if let Some((variable, protocol)) = protocol.filter(|(_, protocol)| protocol != HTTP_PROTOBUF) {
        return Err(TracesError::Protocol { variable, protocol });
    }
    // Another part of the program may have chosen one, which serves us too.
    let _chosen = rustls::crypto::ring::default_provider().install_default();
    let to_collector = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build()?;
    let exporter = Telling { to_collector, is_away: AtomicBool::new(false) };
    let mut processor = BatchSpanProcessor::builder(exporter).build();
    processor.set_resource(&resource());
    let export = Arc::new(Export { processor, sampler: Config::default().sampler });
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&export));
    Ok(Some(export))
}

/// What is exported of, by name and by what the environment adds.
fn resource() -> Resource {
    let is_named = set("OTEL_SERVICE_NAME").is_some()
        || set("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|attributes| attributes.contains("service.name="));
    let builder = Resource::builder();
    if is_named { builder.build() } else { builder.with_service_name(SERVICE).build() }
}

pub(super) fn current() -> Option<Arc<Export>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

impl Export {
    /// The trace of an instance, if it is to be traced: `OTEL_TRACES_SAMPLER` decides by the start's trace alone, so that
    /// all processes come to the same.
    pub(super) fn trace(&self, instance: &InstanceId, run: Run, started: Option<&SpanContext>) -> Option<Trace> {
        let trace = Trace::of(instance, run, started);
        let parent = started.map(|started| Context::new().with_remote_span_context(started.clone()));
        let kind = SpanKind::Consumer;
        let result = self.sampler.should_sample(parent.as_ref(), trace.id, SERVICE, &kind, &[], &[]);
        (result.decision == SamplingDecision::RecordAndSample).then_some(trace)
    }

    /// Spans that have ended. Returns at once; where too many wait, some are dropped.
    pub(super) fn ended(&self, spans: Vec<SpanData>) {
        for span in spans {
            self.processor.on_end(span);
        }
    }

    /// Sends what waits, and ends. Nothing is exported behind it.
    pub fn end(&self) {
        CURRENT.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Err(error) = self.processor.shutdown_with_timeout(END_WITHIN) {
            tracing::warn!(%error, "the last spans may not have reached the collector");
        }
    }
}

/// Says when the collector cannot be reached, and when it can again: each once.
#[derive(Debug)]
struct Telling {
    to_collector: SpanExporter,
    is_away: AtomicBool,
}

impl Exporter for Telling {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.to_collector.export(batch).await;
        match (&result, self.is_away.swap(result.is_err(), Ordering::Relaxed)) {
            (Err(error), false) => {
                tracing::warn!(%error, "the collector does not take spans for now: they are dropped, and sagas run on");
            }
            (Ok(()), true) => tracing::warn!("the collector takes spans again"),
            (Err(_), true) | (Ok(()), false) => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.to_collector.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.to_collector.set_resource(resource);
    }
}
