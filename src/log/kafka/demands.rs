//! What the rules of `docs/protocol.md` demand of topics, and how topics differ from that.

use std::fmt;
use std::sync::Arc;

use rdkafka::admin::{AdminClient, AdminOptions, OwnedResourceSpecifier, ResourceSpecifier};
use rdkafka::metadata::MetadataTopic;

use super::context::Context;
use crate::json::PAYLOAD_MAX;
use crate::log::{DEFINITION_MAX, RECORD_MAX, Topics};
use crate::wire::{EVENT_MAX, HEADERS_MAX};

/// What Kafka adds to a record, at most: its batch's head.
pub(super) const BATCH_HEAD: usize = 1 << 10;

/// How long inputs are kept where the deployment's owner does not say otherwise: longer than the longest outage.
const INPUTS_KEPT_MS: &str = "604800000";

/// The replicas of a topic where there are as many brokers.
pub(super) const REPLICATION_USUAL: u32 = 3;

const RETENTION_MS: &str = "retention.ms";
const RETENTION_BYTES: &str = "retention.bytes";
const CLEANUP: &str = "cleanup.policy";
const TIMESTAMPS: &str = "message.timestamp.type";
const LARGEST: &str = "max.message.bytes";
const IN_SYNC: &str = "min.insync.replicas";
const UNCLEAN: &str = "unclean.leader.election.enable";
const PARTITIONS: &str = "partitions";
const REPLICAS: &str = "replicas";

/// A topic that there should be.
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) partitions: u32,
    pub(super) replication: u32,
    /// Whether its number of partitions is ours to say.
    is_ours: bool,
    settings: Vec<Demand>,
}

/// A setting as it should be.
struct Demand {
    key: &'static str,
    should: String,
    harm: Harm,
    /// A number below which it is certain.
    certain_below: u64,
}

impl Demand {
    fn harm(&self, is: &str) -> Harm {
        let is_below = is.parse::<u64>().is_ok_and(|is| is < self.certain_below);
        if is_below { Harm::Certain } else { self.harm }
    }
}

/// What becomes of a deployment with another value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// What was acknowledged is lost without any failure, a saga is done twice, or a partition stands still for good:
    /// nobody should run on that.
    Certain,
    /// A failure, an outage or a large record costs more than it must.
    Possible,
}

/// A topic is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub topic: String,
    /// Of what: `partitions`, `replicas`, or the name of a setting.
    pub what: &'static str,
    /// What it is; empty if it is not set.
    pub is: String,
    /// What it should be.
    pub should: String,
    /// What comes of it.
    pub harm: Harm,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, what, is, should, .. } = self;
        let is = if is.is_empty() { "not set" } else { is };
        let or_more = if is_a_minimum(what) && should != "-1" { " or more" } else { "" };
        write!(f, "{topic}: {what} is {is}, and should be {should}{or_more}")
    }
}

impl Difference {
    /// The command of Kafka's own tools that mends it; none where a topic must be made anew.
    #[must_use]
    pub fn mended_by(&self, brokers: &str) -> Option<String> {
        let Self { topic, what, should, .. } = self;
        match *what {
            PARTITIONS | REPLICAS => None,
            _ => Some(format!(
                "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name {topic} \
                 --add-config {what}={should}"
            )),
        }
    }
}

/// A topic that there is.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) partitions: u32,
    /// The least that a partition has.
    replication: u32,
}

pub(super) fn found(topic: &MetadataTopic) -> Found {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let replicas = topic.partitions().iter().map(|partition| count(partition.replicas().len()));
    Found {
        name: topic.name().to_owned(),
        partitions: count(topic.partitions().len()),
        replication: replicas.min().unwrap_or_default(),
    }
}

impl Wanted {
    /// What it is made with. That of an unclean election is the broker's to say, some let nobody set it.
    pub(super) fn made_with(&self) -> impl Iterator<Item = (&str, &str)> {
        let set = self.settings.iter().filter(|demand| demand.key != UNCLEAN);
        set.map(|demand| (demand.key, demand.should.as_str()))
    }

    fn new(name: &Arc<str>, partitions: u32, replication: u32, payload: usize) -> Self {
        let mut wanted = Self { name: name.to_string(), partitions, replication, is_ours: true, settings: Vec::new() };
        wanted.demand(LARGEST, &largest(payload).to_string(), Harm::Possible);
        wanted.demand(UNCLEAN, "false", Harm::Possible);
        if replication >= REPLICATION_USUAL {
            // One replica may fail, and what is acknowledged is on two.
            wanted.demand(IN_SYNC, "2", Harm::Possible);
        }
        wanted
    }

    fn demand(&mut self, key: &'static str, should: &str, harm: Harm) {
        self.settings.push(Demand { key, should: should.to_owned(), harm, certain_below: 0 });
    }

    /// A journal that does not take one payload of the largest size: whoever sends one makes a partition stand still. What is
    /// larger are several of them in one record, which a host of Kafka that takes no 16 MiB seldom sees.
    fn takes_payloads(mut self) -> Self {
        for demand in self.settings.iter_mut().filter(|demand| demand.key == LARGEST) {
            demand.certain_below = largest(EVENT_MAX);
        }
        self
    }

    fn with(mut self, demands: &[(&'static str, &str, Harm)]) -> Self {
        for (key, should, harm) in demands {
            self.demand(key, should, *harm);
        }
        self
    }
}

/// The topics of a deployment, with those of commands.
pub(super) fn deployment(topics: &Topics, partitions: u32, replication: u32, commands: &[String]) -> Vec<Wanted> {
    use Harm::{Certain, Possible};
    let topic = |name: &Arc<str>, payload| Wanted::new(name, partitions, replication, payload);
    let deletes = (CLEANUP, "delete", Certain);
    // Whether a start is a repeat is told by when it came, by the broker's clock.
    let by_broker = (TIMESTAMPS, "LogAppendTime", Certain);
    let kept = (RETENTION_MS, INPUTS_KEPT_MS, Possible);
    let unbounded = (RETENTION_BYTES, "-1", Possible);
    let for_ever = [(RETENTION_MS, "-1", Certain), (RETENTION_BYTES, "-1", Certain)];
    let mut all = vec![
        topic(&topics.requests, PAYLOAD_MAX).with(&[deletes, by_broker, kept, unbounded]),
        topic(&topics.replies, PAYLOAD_MAX).with(&[deletes, kept, unbounded]),
        topic(&topics.journal, RECORD_MAX).with(&[deletes, by_broker]).with(&for_ever).takes_payloads(),
        // The largest input, with the reason and where it came from.
        topic(&topics.dead, EVENT_MAX).with(&[deletes]),
        Wanted::new(&topics.definitions, 1, replication, DEFINITION_MAX).with(&[(CLEANUP, "compact", Certain)]),
    ];
    for name in commands {
        let commands = topic(&Arc::from(name.as_str()), PAYLOAD_MAX).with(&[deletes]);
        all.push(Wanted { is_ours: false, ..commands });
    }
    all
}

/// What `max.message.bytes` should be for payloads of so many bytes.
fn largest(payload: usize) -> u64 {
    (payload + HEADERS_MAX + BATCH_HEAD) as u64
}

/// Why a journal takes no record of some size, with what mends it.
pub(super) fn too_large(journal: &str, brokers: &str) -> String {
    let (topic, should) = (journal.to_owned(), largest(RECORD_MAX).to_string());
    let is = "less than this record".to_owned();
    let small = Difference { topic, what: LARGEST, is, should, harm: Harm::Certain };
    let command = small.mended_by(brokers).unwrap_or_default();
    format!("{small}: {command}")
}

/// Why the settings of topics are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Undescribed {
    /// The broker does not tell this user.
    NotAllowed {
        /// Of which.
        topic: String,
    },
    /// It does not answer.
    Failed {
        /// For people.
        why: String,
    },
}

/// How those that are there differ from what they should be.
pub(super) async fn compare(
    admin: &AdminClient<Context>,
    wanted: &[Wanted],
    there: &[Found],
    options: &AdminOptions,
) -> Result<Vec<Difference>, Undescribed> {
    let pairs = wanted.iter().filter_map(|wanted| Some((wanted, there.iter().find(|it| it.name == wanted.name)?)));
    let mut differences = Vec::new();
    let mut specifiers = Vec::new();
    for (wanted, there) in pairs {
        specifiers.push(ResourceSpecifier::Topic(&wanted.name));
        let counts = [
            (PARTITIONS, there.partitions, wanted.partitions, wanted.is_ours && there.partitions != wanted.partitions),
            (REPLICAS, there.replication, wanted.replication, there.replication < wanted.replication),
        ];
        for (what, is, should, _) in counts.into_iter().filter(|(.., differs)| *differs) {
            let (topic, is, should) = (wanted.name.clone(), is.to_string(), should.to_string());
            differences.push(Difference { topic, what, is, should, harm: Harm::Possible });
        }
    }
    if specifiers.is_empty() {
        return Ok(differences);
    }
    let described = admin.describe_configs(&specifiers, options).await;
    let described = described.map_err(|error| Undescribed::Failed { why: error.to_string() })?;
    for resource in described {
        let resource = resource.map_err(|code| Undescribed::Failed { why: code.to_string() })?;
        let OwnedResourceSpecifier::Topic(name) = &resource.specifier else { continue };
        // Each topic has dozens. The client tells nothing of the broker's reason, which is this one.
        if resource.entries.is_empty() {
            return Err(Undescribed::NotAllowed { topic: name.clone() });
        }
        let Some(wanted) = wanted.iter().find(|wanted| wanted.name == *name) else { continue };
        for demand in &wanted.settings {
            let Demand { key, should, .. } = demand;
            let is = resource.get(key).and_then(|entry| entry.value.clone()).unwrap_or_default();
            if !is_enough(key, &is, should) {
                let (topic, should, harm) = (name.clone(), should.clone(), demand.harm(&is));
                differences.push(Difference { topic, what: key, is, should, harm });
            }
        }
    }
    Ok(differences)
}

/// Whether more is as good.
fn is_a_minimum(key: &str) -> bool {
    matches!(key, RETENTION_MS | RETENTION_BYTES | LARGEST | IN_SYNC | REPLICAS)
}

/// Whether a setting is at least what it should be.
fn is_enough(key: &str, is: &str, should: &str) -> bool {
    let number = |text: &str| text.parse::<i64>().ok();
    match (key, number(is), number(should)) {
        // Without end.
        (RETENTION_MS | RETENTION_BYTES, Some(-1), _) => true,
        (RETENTION_MS | RETENTION_BYTES, Some(_), Some(-1)) => false,
        (_, Some(is), Some(should)) if is_a_minimum(key) => is >= should,
        _ => is == should,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_enough_is_enough() {
        assert!(is_enough(RETENTION_MS, "-1", "604800000"));
        assert!(!is_enough(RETENTION_MS, "604800000", "-1"));
        assert!(is_enough(LARGEST, "20", "10"));
        assert!(!is_enough(CLEANUP, "compact", "delete"));
        assert!(!is_enough(UNCLEAN, "true", "false"));
    }

    /// A partition whose next record does not fit can do nothing but stand still; of other topics one message is refused.
    #[test]
    fn a_journal_must_take_every_record() {
        let topics = Topics::default();
        let harm = |topic: &Wanted, is| topic.settings.iter().find(|demand| demand.key == LARGEST).unwrap().harm(is);
        for topic in deployment(&topics, 3, 1, &["hotel.commands".to_owned()]) {
            let expected = if *topic.name == *topics.journal { Harm::Certain } else { Harm::Possible };
            assert_eq!(harm(&topic, "1048588"), expected, "Kafka's default, {}", topic.name);
            assert_eq!(harm(&topic, "8388608"), Harm::Possible, "{}", topic.name);
        }
        let said = too_large("saga.journal", "k:9092");
        let start = "saga.journal: max.message.bytes is less than this record, and should be 16";
        assert!(
            said.starts_with(start) && said.contains(" or more: kafka-configs.sh --bootstrap-server k:9092 "),
            "{said}"
        );
    }

    #[test]
    fn a_difference_says_what_mends_it() {
        let difference = |what, is: &str, should: &str| Difference {
            topic: "saga.journal".to_owned(),
            what,
            is: is.to_owned(),
            should: should.to_owned(),
            harm: Harm::Certain,
        };
        let kept = difference(RETENTION_MS, "604800000", "-1");
        assert_eq!(kept.to_string(), "saga.journal: retention.ms is 604800000, and should be -1");
        assert_eq!(
            kept.mended_by("k:9092").unwrap(),
            "kafka-configs.sh --bootstrap-server k:9092 --alter --entity-type topics --entity-name saga.journal \
             --add-config retention.ms=-1"
        );
        let few = difference(IN_SYNC, "", "2");
        assert_eq!(few.to_string(), "saga.journal: min.insync.replicas is not set, and should be 2 or more");
        assert_eq!(difference(PARTITIONS, "3", "12").mended_by("k:9092"), None);
    }
}
