//! The topics of a deployment: which there should be, which there are, and how those differ.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, NewTopic, OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::Client;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::sleep;

use super::HEADERS_MAX;
use super::context::{Context, Reach};
use super::error::OpenError;
use super::settings::{Role, Settings};
use crate::json::PAYLOAD_MAX;
use crate::log::{DEFINITION_MAX, RECORD_MAX, Topics};

/// How long one question to the broker may take.
const ASK_WITHIN: Duration = Duration::from_secs(5);

/// How long making topics may take.
const MAKE_WITHIN: Duration = Duration::from_mins(1);

/// How long between two looks whether a topic is there.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Groups that are asked one by one, which costs a connection each.
const UNTOLD_MAX: usize = 20;

/// What Kafka adds to a record, at most: its batch's head.
pub(super) const BATCH_HEAD: usize = 1 << 10;

/// How long inputs are kept where the deployment's owner does not say otherwise: longer than the longest outage.
const INPUTS_KEPT_MS: &str = "604800000";

/// The replicas of a topic where there are as many brokers.
const REPLICATION_USUAL: i32 = 3;

/// What is to be made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The names.
    pub topics: Topics,
    /// Partitions of each.
    pub partitions: u32,
    /// Replicas; 3 where nobody says, or as many as there are brokers.
    pub replication: Option<u32>,
    /// Topics of commands.
    pub commands: Vec<String>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Topics that were made.
    pub made: Vec<String>,
    /// Topics that were there.
    pub known: Vec<String>,
    /// What is not as it should be with those.
    pub differences: Vec<Difference>,
}

/// A topic is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub topic: String,
    /// Of what: `partitions`, or the name of a setting.
    pub what: String,
    /// What it is.
    pub is: String,
    /// What it should be.
    pub should: String,
}

/// A topic that there should be.
struct Wanted {
    name: String,
    partitions: u32,
    settings: Vec<(&'static str, String)>,
}

fn wanted(plan: &Plan, replication: i32) -> Vec<Wanted> {
    let Plan { topics, partitions, commands, .. } = plan;
    let largest = |payload: usize| (payload + HEADERS_MAX + BATCH_HEAD).to_string();
    let set = |settings: &[(&'static str, &str)], payload: usize| {
        let mut all: Vec<(&'static str, String)> =
            settings.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        all.push(("max.message.bytes", largest(payload)));
        if replication >= REPLICATION_USUAL {
            // One replica may fail, and what is acknowledged is on two.
            all.push(("min.insync.replicas", "2".to_owned()));
        }
        all
    };
    let kept = ("retention.ms", INPUTS_KEPT_MS);
    let (delete, by_broker) = (("cleanup.policy", "delete"), ("message.timestamp.type", "LogAppendTime"));
    let topic = |name: &Arc<str>, settings| Wanted { name: name.to_string(), partitions: *partitions, settings };
    let mut all = vec![
        topic(&topics.requests, set(&[delete, by_broker, kept], PAYLOAD_MAX)),
        topic(&topics.replies, set(&[delete, kept], PAYLOAD_MAX)),
        topic(
            &topics.journal,
            set(&[delete, by_broker, ("retention.ms", "-1"), ("retention.bytes", "-1")], RECORD_MAX),
        ),
        topic(&topics.dead, set(&[delete], PAYLOAD_MAX)),
        Wanted { partitions: 1, ..topic(&topics.definitions, set(&[("cleanup.policy", "compact")], DEFINITION_MAX)) },
    ];
    all.extend(commands.iter().map(|name| Wanted {
        name: name.clone(),
        partitions: *partitions,
        settings: set(&[delete], PAYLOAD_MAX),
    }));
    all
}

/// Makes the topics that are missing, and says how those differ that are there.
///
/// # Errors
/// The broker cannot be reached, or refuses.
pub async fn init(settings: &Settings, plan: &Plan) -> Result<Made, OpenError> {
    let refused = |what: &'static str, why: String| OpenError::Broker { what, brokers: settings.brokers.clone(), why };
    let reach = Reach::new(&settings.brokers);
    let config = settings.client(Role::Admin, "");
    let admin = AdminClient::from_config_and_context(&config, Context(Arc::clone(&reach)))
        .map_err(|error| OpenError::client(&error))?;
    let metadata = admin
        .inner()
        .fetch_metadata(None, MAKE_WITHIN)
        .map_err(|error| refused("ask for the topics", error.to_string()))?;
    let brokers = i32::try_from(metadata.brokers().len()).unwrap_or(1);
    let asked = plan.replication.and_then(|replication| i32::try_from(replication).ok());
    let replication = asked.unwrap_or_else(|| REPLICATION_USUAL.min(brokers));
    let known: BTreeMap<&str, usize> =
        metadata.topics().iter().map(|topic| (topic.name(), topic.partitions().len())).collect();
    let wanted = wanted(plan, replication);
    let (there, missing): (Vec<&Wanted>, Vec<&Wanted>) =
        wanted.iter().partition(|topic| known.contains_key(topic.name.as_str()));
    let options = AdminOptions::new().request_timeout(Some(MAKE_WITHIN)).operation_timeout(Some(MAKE_WITHIN));
    let mut made = Made::default();
    let new: Vec<NewTopic<'_>> = missing.iter().map(|topic| new_topic(topic, replication)).collect();
    if !new.is_empty() {
        let results = admin.create_topics(&new, &options).await;
        for result in results.map_err(|error| refused("make the topics", error.to_string()))? {
            match result {
                // Somebody else was faster.
                Ok(name) | Err((name, RDKafkaErrorCode::TopicAlreadyExists)) => made.made.push(name),
                Err((name, code)) => {
                    return Err(refused("make the topics", format!("topic `{name}`: {code}")));
                }
            }
        }
    }
    // What is made is not known to every broker at once.
    let began = Instant::now();
    for topic in &missing {
        while began.elapsed() < MAKE_WITHIN && !matches!(partitions_of(admin.inner(), &topic.name), Ok(Some(_))) {
            sleep(LOOK_AGAIN).await;
        }
    }
    for topic in &there {
        made.known.push(topic.name.clone());
        let count = known.get(topic.name.as_str()).copied().unwrap_or_default();
        if u32::try_from(count).ok() != Some(topic.partitions) {
            made.differences.push(Difference {
                topic: topic.name.clone(),
                what: "partitions".to_owned(),
                is: count.to_string(),
                should: topic.partitions.to_string(),
            });
        }
    }
    let specifiers: Vec<ResourceSpecifier<'_>> =
        there.iter().map(|topic| ResourceSpecifier::Topic(&topic.name)).collect();
    if !specifiers.is_empty() {
        let described = admin.describe_configs(&specifiers, &options).await;
        for resource in described.map_err(|error| refused("ask for the topics' settings", error.to_string()))? {
            let resource = resource.map_err(|code| refused("ask for the topics' settings", code.to_string()))?;
            let OwnedResourceSpecifier::Topic(name) = &resource.specifier else { continue };
            let Some(topic) = there.iter().find(|topic| topic.name == *name) else { continue };
            for (key, should) in &topic.settings {
                let is = resource.get(key).and_then(|entry| entry.value.clone()).unwrap_or_default();
                if !is_enough(key, &is, should) {
                    let (topic, what) = (name.clone(), (*key).to_owned());
                    made.differences.push(Difference { topic, what, is, should: should.clone() });
                }
            }
        }
    }
    Ok(made)
}

/// Whether a setting is at least what it should be.
fn is_enough(key: &str, is: &str, should: &str) -> bool {
    let number = |text: &str| text.parse::<i64>().ok();
    match (key, number(is), number(should)) {
        // Without end.
        ("retention.ms" | "retention.bytes", Some(-1), _) => true,
        ("retention.ms" | "retention.bytes", Some(_), Some(-1)) => false,
        ("retention.ms" | "max.message.bytes" | "min.insync.replicas", Some(is), Some(should)) => is >= should,
        _ => is == should,
    }
}

fn new_topic(topic: &Wanted, replication: i32) -> NewTopic<'_> {
    let partitions = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
    let new = NewTopic::new(&topic.name, partitions, TopicReplication::Fixed(replication));
    topic.settings.iter().fold(new, |new, (key, value)| new.set(key, value))
}

/// The number of partitions of a deployment. Waits for a broker that is away.
pub(super) fn count(
    asking: &BaseConsumer<Context>,
    reach: &Reach,
    settings: &Settings,
    topics: &Topics,
) -> Result<u32, OpenError> {
    let brokers = || settings.brokers.clone();
    let mut counts: Vec<(&Arc<str>, u32)> = Vec::new();
    let mut missing = Vec::new();
    for topic in topics.partitioned().into_iter().chain([&topics.definitions]) {
        let count = loop {
            match partitions_of(asking.client(), topic) {
                Ok(count) => break count,
                Err(why) => {
                    // What the client has to say about it comes first.
                    while asking.poll(Duration::ZERO).is_some() {}
                    reach.away(&why);
                }
            }
        };
        match count {
            Some(count) => counts.push((topic, count)),
            None => missing.push(topic.to_string()),
        }
    }
    reach.back();
    if !missing.is_empty() {
        return Err(OpenError::NoTopic { brokers: brokers(), prefix: topics.prefix.to_string(), topics: missing });
    }
    let Some(((first, expected), others)) = counts.split_first() else {
        return Err(OpenError::NoTopic { brokers: brokers(), prefix: topics.prefix.to_string(), topics: Vec::new() });
    };
    let is_odd = |(topic, count): &&(&Arc<str>, u32)| {
        **topic != topics.definitions && count != expected || **topic == topics.definitions && *count != 1
    };
    if let Some((topic, found)) = others.iter().find(is_odd) {
        let expected = if **topic == topics.definitions { 1 } else { *expected };
        let (topic, first) = (topic.to_string(), first.to_string());
        return Err(OpenError::Partitions { brokers: brokers(), topic, found: *found, first, expected });
    }
    Ok(*expected)
}

/// `None`: there is no such topic.
pub(super) fn partitions_of(asking: &Client<Context>, topic: &str) -> Result<Option<u32>, String> {
    let metadata = asking.fetch_metadata(Some(topic), ASK_WITHIN).map_err(|error| said(&error))?;
    let Some(found) = metadata.topics().iter().find(|known| known.name() == topic) else { return Ok(None) };
    match found.error() {
        None => Ok(u32::try_from(found.partitions().len()).ok().filter(|count| *count > 0)),
        Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => Ok(None),
        Some(error) => Err(RDKafkaErrorCode::from(error).to_string()),
    }
}

fn said(error: &KafkaError) -> String {
    error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string())
}

/// Which of these topics there are not.
pub(super) fn missing(asking: &BaseConsumer<Context>, topics: &[String]) -> Result<Vec<String>, String> {
    let mut missing = Vec::new();
    for topic in topics {
        if partitions_of(asking.client(), topic)?.is_none() {
            missing.push(topic.clone());
        }
    }
    Ok(missing)
}

/// Which of these topics no member of any group has. Of a group whose members are not told, what it has committed says
/// what it reads.
pub(super) fn unread(
    asking: &BaseConsumer<Context>,
    settings: &Settings,
    topics: &[String],
) -> Result<Vec<String>, String> {
    let groups = asking.fetch_group_list(None, ASK_WITHIN).map_err(|error| said(&error))?;
    let mut read: Vec<String> = Vec::new();
    let mut untold: Vec<&str> = Vec::new();
    for group in groups.groups() {
        let members = group.members();
        read.extend(members.iter().flat_map(|member| assigned_topics(member.assignment().unwrap_or_default())));
        // By KIP-848: the question does not know those, and says that there is nothing.
        if members.is_empty() && group.state() != "Empty" {
            untold.push(group.name());
        }
    }
    let mut unread: Vec<String> = topics.iter().filter(|topic| !read.contains(topic)).cloned().collect();
    for group in untold.into_iter().take(UNTOLD_MAX) {
        if unread.is_empty() {
            break;
        }
        let config = settings.client(Role::Reader, group);
        let member = BaseConsumer::from_config_and_context(&config, asking.context().as_ref().clone());
        let member = member.map_err(|error| said(&error))?;
        let mut list = TopicPartitionList::new();
        for topic in &unread {
            let count = partitions_of(asking.client(), topic)?.unwrap_or_default();
            for partition in 0..i32::try_from(count).unwrap_or_default() {
                list.add_partition(topic, partition);
            }
        }
        let committed = member.committed_offsets(list, ASK_WITHIN).map_err(|error| said(&error))?;
        let has_committed = |topic: &String| {
            let of_topic = committed.elements_for_topic(topic);
            of_topic.iter().any(|element| matches!(element.offset(), Offset::Offset(_)))
        };
        unread.retain(|topic| !has_committed(topic));
    }
    Ok(unread)
}

/// The topics in a member's assignment, as Kafka's consumers write it: version, then topics with their partitions.
fn assigned_topics(mut bytes: &[u8]) -> Vec<String> {
    fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = bytes.split_at_checked(count)?;
        *bytes = rest;
        Some(taken)
    }
    fn long(bytes: &mut &[u8]) -> Option<usize> {
        let number = i32::from_be_bytes(*take(bytes, 4)?.first_chunk()?);
        usize::try_from(number).ok()
    }
    fn short(bytes: &mut &[u8]) -> Option<usize> {
        let number = i16::from_be_bytes(*take(bytes, 2)?.first_chunk()?);
        usize::try_from(number).ok()
    }
    let mut topics = Vec::new();
    let mut read = || -> Option<()> {
        short(&mut bytes)?;
        for _ in 0..long(&mut bytes)? {
            let length = short(&mut bytes)?;
            let name = String::from_utf8_lossy(take(&mut bytes, length)?).into_owned();
            let partitions = long(&mut bytes)?;
            take(&mut bytes, partitions.checked_mul(4)?)?;
            if partitions > 0 {
                topics.push(name);
            }
        }
        Some(())
    };
    // What is cut off tells nothing more.
    let _cut = read();
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_names_its_topics() {
        let mut bytes = vec![0, 1, 0, 0, 0, 2];
        bytes.extend([0, 1, b'a', 0, 0, 0, 1, 0, 0, 0, 5]);
        bytes.extend([0, 2, b'b', b'c', 0, 0, 0, 0]);
        assert_eq!(assigned_topics(&bytes), ["a"], "and those without partitions are not read");
        for cut in 0..bytes.len() {
            assigned_topics(&bytes[..cut]);
        }
    }

    #[test]
    fn more_than_enough_is_enough() {
        assert!(is_enough("retention.ms", "-1", "604800000"));
        assert!(!is_enough("retention.ms", "604800000", "-1"));
        assert!(is_enough("max.message.bytes", "20", "10"));
        assert!(!is_enough("cleanup.policy", "compact", "delete"));
    }
}
