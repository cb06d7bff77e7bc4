//! Questions to the broker, by a client of their own: a broker answers what comes on one connection in turn, so behind a
//! fetch that waits for records a question would wait as long.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::context::{Context, Reach};
use super::error::OpenError;
use super::settings::{Role, Settings};
use crate::log::Range;

/// How long the broker is asked for the offsets of a partition before that counts as failed, for now.
const RANGE_WITHIN: Duration = Duration::from_secs(10);

/// A client that fetches nothing.
pub(super) struct Asking(BaseConsumer<Context>);

impl Asking {
    pub(super) fn open(settings: &Settings, group: &str, reach: &Arc<Reach>) -> Result<Self, OpenError> {
        let config = settings.client(Role::Reader, group);
        let client = BaseConsumer::from_config_and_context(&config, Context(Arc::clone(reach)));
        Ok(Self(client.map_err(|error| OpenError::client(&error))?))
    }

    /// It, with what it had to tell told.
    pub(super) fn client(&self) -> &BaseConsumer<Context> {
        while let Some(told) = self.0.poll(Duration::ZERO) {
            if let Err(error) = told {
                tracing::debug!(%error, "a Kafka client that asks");
            }
        }
        &self.0
    }

    /// The offsets of a partition, by the broker's word.
    pub(super) fn range(&self, topic: &str, partition: u32) -> Result<Range, String> {
        let number = i32::try_from(partition).unwrap_or(i32::MAX);
        let asked = self.client().fetch_watermarks(topic, number, RANGE_WITHIN);
        let (low, high) =
            asked.map_err(|error| format!("ask for the offsets of partition {partition} of {topic}: {error}"))?;
        let offset = |raw: i64| u64::try_from(raw).unwrap_or_default();
        Ok(Range { start: offset(low), end: offset(high) })
    }
}
