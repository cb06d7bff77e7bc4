//! What librdkafka's clients tell: whether the broker can be reached, said once each way; all else to the debug log.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::layout::listed;
use super::rights::{Denials, forbidden};
use crate::log::health::now;
use crate::log::{Denial, Health, Right};
use crate::time::Timestamp;

/// How the broker is, as all clients of a process see it.
#[derive(Debug)]
pub(crate) struct Reach {
    brokers: String,
    state: Mutex<State>,
    /// Whether the broker took nothing of this user at the last try.
    is_denied: AtomicBool,
    /// What it may not do with single topics.
    pub(super) denials: Denials,
}

#[derive(Debug)]
struct State {
    health: Health,
    /// The last reason that one client gave: "all are down" says less.
    detail: Option<String>,
    /// Whether that reason is that the broker does not accept who we are, or we not who it is: waiting mends neither.
    is_refusal: bool,
    /// Topics of the deployment that are there no more: why nothing can be written, and since when.
    gone: Option<(String, Timestamp)>,
    /// Topics with more partitions than the deployment has: what is the matter, and since when.
    misfits: Option<(String, Timestamp)>,
    /// Whether it has never been reached, and whoever opens it says what is the matter.
    is_opening: bool,
}

impl State {
    fn why(&self, why: &str) -> String {
        self.detail.clone().unwrap_or_else(|| why.to_owned())
    }
}

impl Reach {
    pub(crate) fn new(brokers: &str) -> Arc<Self> {
        Self::begun(brokers, false)
    }

    /// For one who opens the log, and says by itself why that takes long.
    pub(super) fn opening(brokers: &str) -> Arc<Self> {
        Self::begun(brokers, true)
    }

    fn begun(brokers: &str, is_opening: bool) -> Arc<Self> {
        let (health, is_refusal) = (Health::Writing, false);
        let state = State { health, detail: None, is_refusal, gone: None, misfits: None, is_opening };
        Arc::new(Self {
            brokers: brokers.to_owned(),
            state: Mutex::new(state),
            is_denied: AtomicBool::new(false),
            denials: Denials::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn health(&self) -> Health {
        let state = self.lock();
        match (&state.health, &state.gone) {
            (Health::Writing, Some((why, since))) => Health::Waiting { why: why.clone(), since: *since },
            (Health::Writing, None) => match self.denials.all().into_iter().find(|denial| denial.is_vital) {
                Some(Denial { why, since, .. }) => Health::Waiting { why, since },
                None => match &state.misfits {
                    Some((why, since)) => Health::Unfit { why: why.clone(), since: *since },
                    None => Health::Writing,
                },
            },
            (health, _) => health.clone(),
        }
    }

    /// This user is refused a topic, without which nothing goes on if it is vital. Said when it is news.
    pub(super) fn refused(&self, topic: &str, right: Right, is_vital: bool) {
        self.denials.refused(topic, right, is_vital, &self.brokers);
    }

    /// The same of an append; what to answer.
    pub(super) fn refused_to_write(&self, topic: &str, is_vital: bool) -> String {
        self.refused(topic, Right::Write, is_vital);
        forbidden(topic, Right::Write, &self.brokers)
    }

    /// Topics of the deployment that are not there, of which there were all. Said when it is news, with what to do.
    pub(super) fn are_gone(&self, missing: &[String], to_do: &str) {
        let mut state = self.lock();
        match (missing.is_empty(), state.gone.is_some()) {
            (false, false) => {
                let why = format!("{} is gone from Kafka at {}", missing.join(", "), self.brokers);
                state.gone = Some((why.clone(), now()));
                drop(state);
                tracing::error!("{why}: nothing goes on; restore it, or {to_do}");
            }
            (true, true) => {
                state.gone = None;
                drop(state);
                tracing::warn!("all topics are at Kafka at {} again", self.brokers);
            }
            (false, true) | (true, false) => {}
        }
    }

    /// Topics of a deployment of so many partitions that have another number. Said when it is news.
    pub(super) fn have_misfits(&self, misfits: &[(String, u32)], partitions: u32) {
        let mut state = self.lock();
        let why = (!misfits.is_empty()).then(|| {
            format!(
                "{} partitions at Kafka at {}, and this deployment has {partitions}, for good",
                listed(misfits),
                self.brokers
            )
        });
        if state.misfits.as_ref().map(|(said, _)| said) == why.as_ref() {
            return;
        }
        state.misfits = why.clone().map(|why| (why, now()));
        drop(state);
        if let Some(why) = why {
            tracing::error!(
                "{why}: nobody reads what is written to those behind; this process goes on with its {partitions}, and none that \
                 is started can; what to do stands in docs/kafka.md"
            );
        } else {
            tracing::warn!("all topics at Kafka at {} have {partitions} partitions again", self.brokers);
        }
    }

    /// Why the broker does not accept this client, if that is why it cannot be reached.
    pub(super) fn refusal(&self) -> Option<String> {
        let state = self.lock();
        state.detail.clone().filter(|_| state.is_refusal)
    }

    pub(super) fn close(&self) {
        self.lock().health = Health::Closed;
    }

    /// Why it cannot be reached, as far as is known: at least `why`.
    pub(super) fn why(&self, why: &str) -> String {
        self.lock().why(why)
    }

    /// It cannot be reached. Said when it is news.
    pub(super) fn away(&self, why: &str) {
        let mut state = self.lock();
        if state.health != Health::Writing {
            return;
        }
        let why = state.why(why);
        let why = format!("Kafka at {} cannot be reached ({why})", self.brokers);
        state.health = Health::Waiting { why: why.clone(), since: now() };
        drop(state);
        tracing::warn!("{why}; it is tried again and again, and nothing is lost");
    }

    /// This user may write nothing. Said when it is news.
    pub(super) fn denied(&self) {
        if self.is_denied.swap(true, Ordering::Relaxed) {
            return;
        }
        let why =
            format!("Kafka at {} lets this user write nothing; what each needs stands in docs/kafka.md", self.brokers);
        self.lock().health = Health::Waiting { why: why.clone(), since: now() };
        tracing::warn!("{why}");
    }

    /// Something was written.
    pub(super) fn wrote(&self) {
        if self.is_denied.load(Ordering::Relaxed) && self.is_denied.swap(false, Ordering::Relaxed) {
            self.back();
        }
    }

    /// It can.
    pub(super) fn back(&self) {
        if self.is_denied.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.lock();
        state.is_opening = false;
        (state.detail, state.is_refusal) = (None, false);
        if matches!(state.health, Health::Waiting { .. }) {
            state.health = Health::Writing;
            drop(state);
            tracing::warn!("Kafka at {} can be reached again", self.brokers);
        }
    }

    /// An error that is of no single request.
    pub(super) fn trouble(&self, error: &KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                if !self.lock().is_opening {
                    // It counts clients, and calls them brokers.
                    self.away("none of its brokers answers");
                }
            }
            Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::Resolve) => {
                let mut state = self.lock();
                (state.detail, state.is_refusal) = (Some(reason.to_owned()), false);
            }
            Some(
                RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed | RDKafkaErrorCode::SSL,
            ) => {
                let mut state = self.lock();
                (state.detail, state.is_refusal) = (Some(reason.to_owned()), true);
            }
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
    use super::*;
    use crate::log::listening::Heard;

    #[test]
    fn who_is_told_that_kafka_is_away_is_told_that_it_is_back() {
        let heard = Heard::default();
        tracing::subscriber::with_default(heard.clone(), || {
            let reach = Reach::new("kafka:9092");
            let mut count = 0;
            let mut told = || {
                count += heard.take().len();
                count
            };
            let down = |reach: &Reach| {
                reach.trouble(&KafkaError::Global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
            };
            down(&Reach::opening("kafka:9092"));
            assert_eq!(told(), 0, "whoever opens it says it");
            reach.back();
            assert_eq!(told(), 0, "it was never away");
            for expected in [2, 4] {
                down(&reach);
                down(&reach);
                reach.back();
                reach.back();
                assert_eq!(told(), expected);
            }
        });
    }

    #[test]
    fn what_waiting_does_not_mend_is_told_from_a_broker_that_is_away() {
        let reach = Reach::new("kafka:9092");
        let trouble = |code, words| reach.trouble(&KafkaError::Global(code), words);
        trouble(RDKafkaErrorCode::SaslAuthenticationFailed, "invalid password");
        assert_eq!(reach.refusal().as_deref(), Some("invalid password"));
        trouble(RDKafkaErrorCode::BrokerTransportFailure, "connection refused");
        assert_eq!(reach.refusal(), None);
        assert_eq!(reach.why("timed out"), "connection refused");
    }

    #[test]
    fn who_may_write_nothing_waits_until_something_is_written() {
        let reach = Reach::new("kafka:9092");
        reach.denied();
        reach.back();
        assert!(matches!(reach.health(), Health::Waiting { why, .. } if why.contains("lets this user write nothing")));
        reach.wrote();
        assert_eq!(reach.health(), Health::Writing);
    }
}
