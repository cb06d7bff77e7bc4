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
            tracing::warn!("Kafka at {} can be reached again", self.brokers);
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

#[cfg(test)]
mod tests {
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Level, Metadata, Subscriber};

    use super::*;

    /// Counts what is logged for everybody.
    struct Warnings(Arc<Mutex<usize>>);

    impl Subscriber for Warnings {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() <= Level::WARN
        }

        fn event(&self, _event: &Event<'_>) {
            *self.0.lock().unwrap() += 1;
        }

        fn new_span(&self, _span: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _span: &Id, _values: &Record<'_>) {}

        fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

        fn enter(&self, _span: &Id) {}

        fn exit(&self, _span: &Id) {}
    }

    #[test]
    fn who_is_told_that_kafka_is_away_is_told_that_it_is_back() {
        let count = Arc::default();
        tracing::subscriber::with_default(Warnings(Arc::clone(&count)), || {
            let reach = Reach::new("kafka:9092");
            let told = || *count.lock().unwrap();
            reach.back();
            assert_eq!(told(), 0, "it was never away");
            for expected in [2, 4] {
                reach.away("1/1 brokers are down");
                reach.away("1/1 brokers are down");
                reach.back();
                reach.back();
                assert_eq!(told(), expected);
            }
        });
    }
}
