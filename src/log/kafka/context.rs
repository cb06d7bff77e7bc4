//! What librdkafka's clients tell: whether the broker can be reached, said once each way; all else to the debug log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::log::Health;
use crate::log::health::now;

/// How the broker is, as all clients of a process see it.
#[derive(Debug)]
pub(crate) struct Reach {
    brokers: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    health: Health,
    /// The last reason that one client gave: "all are down" says less.
    detail: Option<String>,
}

impl Reach {
    pub(crate) fn new(brokers: &str) -> Arc<Self> {
        let state = State { health: Health::Writing, detail: None };
        Arc::new(Self { brokers: brokers.to_owned(), state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn health(&self) -> Health {
        self.lock().health.clone()
    }

    pub(super) fn close(&self) {
        self.lock().health = Health::Closed;
    }

    /// It cannot be reached. Said when it is news.
    pub(super) fn away(&self, why: &str) {
        let mut state = self.lock();
        if state.health != Health::Writing {
            return;
        }
        let why = state.detail.clone().unwrap_or_else(|| why.to_owned());
        let why = format!("Kafka at {} cannot be reached ({why})", self.brokers);
        state.health = Health::Waiting { why: why.clone(), since: now() };
        drop(state);
        tracing::warn!("{why}; it is tried again and again, and nothing is lost");
    }

    /// It can.
    pub(super) fn back(&self) {
        let mut state = self.lock();
        state.detail = None;
        if matches!(state.health, Health::Waiting { .. }) {
            state.health = Health::Writing;
            drop(state);
            tracing::info!(brokers = %self.brokers, "Kafka can be reached again");
        }
    }

    /// An error that is of no single request.
    pub(super) fn trouble(&self, error: &KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => self.away(reason),
            Some(
                RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::SSL,
            ) => self.lock().detail = Some(reason.to_owned()),
            _ => tracing::debug!(%error, reason, "librdkafka"),
        }
    }

    /// Of a client's statistics: whether it has a connection.
    pub(super) fn statistics(&self, json: &[u8]) {
        let is_connected =
            |statistics: Statistics| statistics.brokers.values().any(|broker| broker.state.as_deref() == Some("UP"));
        if serde_json::from_slice(json).is_ok_and(is_connected) {
            self.back();
        }
    }
}

/// The little that we look at.
#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    brokers: std::collections::BTreeMap<String, BrokerStatistics>,
}

#[derive(Deserialize)]
struct BrokerStatistics {
    state: Option<String>,
    #[serde(flatten)]
    _others: IgnoredAny,
}

/// A line of librdkafka's own log: it repeats itself while a broker is away, so it is for those who look for a fault.
pub(super) fn remark(level: RDKafkaLogLevel, facility: &str, words: &str) {
    tracing::debug!(target: "librdkafka", ?level, facility, "{words}");
}

/// Of a client that has nothing else to tell.
#[derive(Clone, Debug)]
pub(crate) struct Context(pub(crate) Arc<Reach>);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, words: &str) {
        remark(level, facility, words);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.trouble(&error, reason);
    }

    fn stats_raw(&self, json: &[u8]) {
        self.0.statistics(json);
    }
}

impl ConsumerContext for Context {}
