//! Questions to the broker, by a client of their own: a broker answers what comes on one connection in turn, so behind a
//! fetch that waits for records a question would wait as long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::context::{Context, Reach};
use super::error::OpenError;
use super::reader::stored;
use super::settings::{Role, Settings};
use crate::log::{Range, Stored};

/// How long the broker is asked for the offsets of a partition before that counts as failed, for now.
const RANGE_WITHIN: Duration = Duration::from_secs(10);

/// How long one wait for a record of a topic that is looked through may take.
const POLL: Duration = Duration::from_millis(100);

/// How long nothing may come of a topic that is looked through before that counts as failed, for now.
const FIND_WITHIN: Duration = Duration::from_secs(10);

/// A client that fetches nothing, but where a topic is looked through before anybody else asks.
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
        let asked = watermarks(self.client(), topic, number, RANGE_WITHIN);
        let (low, high) =
            asked.map_err(|error| format!("ask for the offsets of partition {partition} of {topic}: {error}"))?;
        let offset = |raw: i64| u64::try_from(raw).unwrap_or_default();
        Ok(Range { start: offset(low), end: offset(high) })
    }

    /// Looks through partition 0 of a topic, to the end that it has by now, for the first record that is wanted.
    pub(super) fn find<T>(&self, topic: &str, mut wanted: impl FnMut(&Stored) -> Option<T>) -> KafkaResult<Option<T>> {
        let (start, end) = watermarks(self.client(), topic, 0, RANGE_WITHIN)?;
        if start >= end {
            return Ok(None);
        }
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Offset(start))?;
        self.0.assign(&list)?;
        let found = self.look_through(end, &mut wanted);
        self.0.unassign()?;
        found
    }

    fn look_through<T>(&self, end: i64, wanted: &mut impl FnMut(&Stored) -> Option<T>) -> KafkaResult<Option<T>> {
        let mut came = Instant::now();
        while came.elapsed() < FIND_WITHIN {
            match self.0.poll(POLL) {
                Some(Ok(message)) => {
                    came = Instant::now();
                    if let Some(found) = wanted(&stored(&message)) {
                        return Ok(Some(found));
                    }
                }
                Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                    return Err(error);
                }
                Some(Err(error)) => tracing::debug!(%error, "a topic that is looked through"),
                None => {}
            }
            // Compaction leaves holes, so the position says when the end is reached.
            let position = self.0.position()?;
            if position.elements().iter().any(|at| at.offset().to_raw().is_some_and(|offset| offset >= end)) {
                return Ok(None);
            }
        }
        Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut))
    }
}

/// The first offset of a partition, and the one behind its last.
///
/// librdkafka sends two questions at once, for the one and for the other. Where a broker refuses the first and answers
/// the second, since it has begun to lead the partition in between, and the client wakes to both answers, it forgets the
/// refusal and gives the second's offset as both. That reads as a partition whose records are all gone. So what looks
/// empty is asked for again: by then the broker leads.
pub(super) fn watermarks<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
    within: Duration,
) -> KafkaResult<(i64, i64)> {
    let (low, high) = client.fetch_watermarks(topic, partition, within)?;
    if low == high { client.fetch_watermarks(topic, partition, within) } else { Ok((low, high)) }
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;

    /// Far longer than anything here takes.
    const WITHIN: Duration = Duration::from_mins(1);

    /// Of the refusals half are forgotten, more or less: it is up to when threads run.
    const REFUSALS: usize = 40;

    #[test]
    fn a_partition_that_a_broker_begins_to_lead_does_not_look_empty() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("journal", 1, 1).unwrap();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", cluster.bootstrap_servers()).set("group.id", "asking");
        let producer: BaseProducer = config.create().unwrap();
        for _ in 0..5 {
            producer.send(BaseRecord::<(), _>::to("journal").partition(0).payload("a record")).unwrap();
        }
        producer.flush(WITHIN).unwrap();
        let asking: BaseConsumer = config.create().unwrap();
        for _ in 0..REFUSALS {
            let refusal = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION];
            cluster.request_errors(RDKafkaApiKey::ListOffsets, &refusal);
            if let Ok(range) = watermarks(&asking, "journal", 0, WITHIN) {
                assert_eq!(range, (0, 5));
            }
            cluster.clear_request_errors(RDKafkaApiKey::ListOffsets);
        }
    }
}
