//! How many partitions a deployment has: for good, since an instance lives in the one that its id hashes to.
//!
//! Anybody may give topics more of them, by Kafka's own tools, and nobody can take them back. So the number stands in the
//! log, in a record of the definitions, and topics are compared with it. It is noted by `saga init`, else by whoever
//! opens a deployment first.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, ThreadedProducer};

use super::asking::Asking;
use super::context::Reach;
use super::error::OpenError;
use super::raw::Acknowledging;
use super::settings::{Role, Settings};
use super::topics::{OPENING, counts, listen, said};
use crate::log::{PARTITIONS, Topics};
use crate::time::Timestamp;

/// How long the broker may take to acknowledge the number: who opens a deployment waits for it.
const NOTE_WITHIN: Duration = Duration::from_secs(10);

/// What a deployment's log says of its partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// How many it has.
    pub(super) partitions: u32,
    /// Since when that stands there.
    pub(super) since: Timestamp,
}

/// Of topics with so many partitions each, those that have another number than they must in a deployment of `partitions`.
pub(super) fn misfits(partitions: u32, topics: &Topics, counts: &[(Arc<str>, u32)]) -> Vec<(String, u32)> {
    let must = |topic: &Arc<str>| if *topic == topics.definitions { 1 } else { partitions };
    let odd = counts.iter().filter(|(topic, count)| *count != must(topic));
    odd.map(|(topic, count)| (topic.to_string(), *count)).collect()
}

/// For people: topics, and how many partitions each has.
pub(super) fn listed(misfits: &[(String, u32)]) -> String {
    let each = misfits.iter().map(|(topic, count)| format!("`{topic}` has {count}"));
    each.collect::<Vec<_>>().join(" and ")
}

/// How many partitions a deployment has that is opened: as many as its log says; where that says nothing as many as all
/// of its topics have, which is noted. Waits for a broker that is away, for as long as `patience`.
pub(super) fn partitions(
    asking: &Asking,
    (settings, reach): (&Settings, &Arc<Reach>),
    topics: &Topics,
    patience: Option<Duration>,
) -> Result<u32, OpenError> {
    let counts = counts(asking.client(), reach, settings, topics, patience)?;
    let brokers = || settings.brokers.clone();
    let (first, count) = counts.first().map_or((&topics.requests, 0), |(first, count)| (first, *count));
    let odd = misfits(count, topics, &counts);
    let all = odd.is_empty().then_some(count);
    if let Some(Layout { partitions, since }) = settled(asking, (settings, reach), topics, all, patience)? {
        let odd = misfits(partitions, topics, &counts);
        return if odd.is_empty() {
            Ok(partitions)
        } else {
            let topics = Box::new(topics.clone());
            Err(OpenError::Repartitioned { what: OPENING, brokers: brokers(), topics, partitions, since, odd })
        };
    }
    match odd.into_iter().next() {
        None => Ok(count),
        Some((topic, found)) => {
            let expected = if *topic == *topics.definitions { 1 } else { count };
            Err(OpenError::Partitions { brokers: brokers(), topic, found, first: first.to_string(), expected })
        }
    }
}

/// What the log says, if it does and this user may read it. Of several the first counts: whoever noted another one had
/// not seen it.
pub(super) fn noted(asking: &Asking, topics: &Topics) -> Result<Option<Layout>, KafkaError> {
    let found = asking.find(&topics.definitions, |record| {
        let partitions = record.message.key.strip_prefix(PARTITIONS)?.parse().ok().filter(|number| *number > 0)?;
        Some(Layout { partitions, since: record.timestamp })
    });
    match found {
        // Who reads the definitions is told.
        Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed) => Ok(None),
        found => found,
    }
}

/// The same; where it says nothing, `count` is noted, as far as this user may. Waits for a broker that
/// does not answer, for as long as `patience`.
pub(super) fn settled(
    asking: &Asking,
    (settings, reach): (&Settings, &Arc<Reach>),
    topics: &Topics,
    count: Option<u32>,
    patience: Option<Duration>,
) -> Result<Option<Layout>, OpenError> {
    let began = Instant::now();
    let mut noted_here = false;
    loop {
        match (noted(asking, topics), count) {
            (Ok(None), Some(count)) if !noted_here => {
                noted_here = true;
                if let Err(why) = note(settings, reach, topics, count) {
                    tracing::debug!(why, "the number of partitions is not noted");
                    return Ok(None);
                }
            }
            (Ok(layout), _) => return Ok(layout),
            (Err(error), _) => {
                if patience.is_some_and(|patience| began.elapsed() >= patience) {
                    let (brokers, why) = (settings.brokers.clone(), reach.why(&said(&error)));
                    return Err(OpenError::Away { what: OPENING, brokers, why });
                }
                listen(asking.client());
            }
        }
    }
}

/// Writes the number down.
fn note(settings: &Settings, reach: &Arc<Reach>, topics: &Topics, count: u32) -> Result<(), String> {
    // Not idempotent: a repeat does no harm, and whoever may write nothing hears of it at once.
    let mut config = settings.client(Role::Admin, "");
    config.set("acks", "all").set("message.timeout.ms", NOTE_WITHIN.as_millis().to_string());
    let producer = ThreadedProducer::from_config_and_context(&config, Acknowledging(Arc::clone(reach)));
    let producer: ThreadedProducer<Acknowledging> = producer.map_err(|error| said(&error))?;
    let (done, ack) = channel();
    let (key, number) = (format!("{PARTITIONS}{count}"), count.to_string());
    let record = BaseRecord::with_opaque_to(&topics.definitions, Box::new(done)).partition(0);
    producer.send(record.key(&key).payload(&number)).map_err(|(error, _)| said(&error))?;
    // The producer gives up by itself.
    ack.recv_timeout(NOTE_WITHIN * 2).unwrap_or_else(|_| Err("it was not acknowledged".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_with_another_number_than_the_log_says_are_named() {
        let topics = Topics::default();
        let with = |requests, definitions| {
            let counts = [(Arc::clone(&topics.requests), requests), (Arc::clone(&topics.definitions), definitions)];
            misfits(3, &topics, &counts)
        };
        assert_eq!(with(3, 1), []);
        assert_eq!(with(6, 1), [("saga.requests".to_owned(), 6)]);
        assert_eq!(listed(&with(2, 3)), "`saga.requests` has 2 and `saga.definitions` has 3");
    }
}
