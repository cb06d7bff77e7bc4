//! Events for triggers: the topics that are read, and events that come by the API.

use std::collections::BTreeSet;

use super::api::{ApiError, EventBody, Fault, Published};
use super::service::Service;
use crate::log::{Outcome, partition_of};
use crate::runtime::Triggers;
use crate::wire::{Headers, Message};

impl Service {
    /// Reads the topics of all triggers from now on.
    pub async fn heed(&self) {
        self.triggers.lock().await.get_or_insert_with(|| Triggers::open(&self.orchestrator));
    }

    /// The topics that triggers read.
    #[must_use]
    pub fn topics_of_triggers(&self) -> BTreeSet<String> {
        self.orchestrator.plans().triggers().map(|trigger| trigger.topic.to_string()).collect()
    }

    /// Puts an event on a topic that a trigger reads.
    ///
    /// # Errors
    /// No trigger reads it, or the log does not take it.
    pub async fn publish(&self, topic: &str, body: EventBody) -> Result<Published, ApiError> {
        let log = self.orchestrator.log();
        if log.is_shared() {
            let message = format!("`{topic}` is a topic on Kafka: events come to it from whoever writes there");
            return Err(ApiError::bad_request(message).hint("use any Kafka client, such as kafka-console-producer.sh"));
        }
        let plans = self.orchestrator.plans();
        if !plans.triggers().any(|trigger| trigger.topic == *topic) {
            let mut topics: Vec<&str> = plans.triggers().map(|trigger| trigger.topic.as_str()).collect();
            topics.dedup();
            let error = ApiError::new(Fault::Unknown, "unknown_topic", format!("no trigger reads the topic `{topic}`"));
            return Err(if topics.is_empty() {
                error.hint("no definition that is deployed here has a trigger; `saga help language` tells of them")
            } else {
                error.hint(format!("triggers read {}", topics.join(", ")))
            });
        }
        let key = body.key.unwrap_or_default();
        let partition = partition_of(&key, log.partitions());
        let payload = body.event.get().as_bytes().into();
        let message = Message { key: key.as_str().into(), headers: Headers::default(), payload };
        match self.replies.append(&topic.into(), partition, message).await {
            Outcome::At(offset) => Ok(Published { topic: topic.to_owned(), partition, offset }),
            Outcome::Refused(why) => Err(ApiError::new(Fault::Size, "refused", format!("the log refuses it: {why}"))),
            Outcome::Unknown => Err(ApiError::unavailable("the log cannot say whether it took the event")
                .hint("publish it again: a start with the same id is done once")),
        }
    }
}
