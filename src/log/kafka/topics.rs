//! The topics of a deployment: which there should be, which there are, and how those differ.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::Client;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use tokio::time::sleep;

use super::asking::Asking;
use super::context::{Context, Reach};
use super::demands::{Difference, Found, REPLICATION_USUAL, Undescribed, Wanted, compare, deployment, found};
use super::error::{OpenError, is_forbidden};
use super::layout::{self, Layout};
use super::settings::{Role, Settings};
use crate::log::{PARTITIONS_DEFAULT, Topics};

/// What whoever opens a deployment does, for people.
pub(super) const OPENING: &str = "open the log on Kafka";

/// How long one question to the broker may take.
pub(super) const ASK_WITHIN: Duration = Duration::from_secs(5);

/// How long making topics may take.
const MAKE_WITHIN: Duration = Duration::from_mins(1);

/// How long a broker that is away is waited for by whoever makes topics: one that is started at the same time comes up within
/// it, on a busy machine, too.
const AWAY_PATIENCE: Duration = Duration::from_mins(1);

/// How long a client's reasons for a failure are waited for.
const REASONS_WITHIN: Duration = Duration::from_millis(200);

/// How long between two looks whether a topic is there.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What is to be made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The names.
    pub topics: Topics,
    /// Partitions of each; where nobody says, as many as there are already, or 12.
    pub partitions: Option<u32>,
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
    /// How many replicas those have.
    pub replication: u32,
    /// Topics that were there.
    pub known: Vec<String>,
    /// Of those that were made, topics of inputs beside a journal that tells how far they had been read.
    pub renewed: Vec<String>,
    /// What is not as it should be.
    pub differences: Vec<Difference>,
}

/// A broker at which topics are to be made, and what it has already.
pub struct Founding<'s> {
    broker: Broker<'s>,
    before: Vec<Found>,
    brokers: u32,
}

impl<'s> Founding<'s> {
    /// Asks what there is.
    ///
    /// # Errors
    /// The broker cannot be reached, or refuses.
    pub fn begin(settings: &'s Settings) -> Result<Self, OpenError> {
        let broker = Broker::begin(settings)?;
        let (before, brokers) = broker.found(AWAY_PATIENCE)?;
        Ok(Self { broker, before, brokers })
    }

    /// How many partitions the deployment's topics have, or are to be made with: as many as its log says, as there are
    /// already, as was asked for, or as is usual.
    ///
    /// # Errors
    /// Topics that are there differ in that, or all of it from what was asked for: with those nothing could run.
    pub fn partitions(&self, topics: &Topics, asked: Option<u32>) -> Result<u32, OpenError> {
        if let Some(partitions) = self.settled(topics, asked)? {
            return Ok(partitions);
        }
        let all = topics.partitioned();
        let known: Vec<&Found> = all.iter().filter_map(|topic| self.known(topic)).collect();
        let Some((first, others)) = known.split_first() else { return Ok(asked.unwrap_or(PARTITIONS_DEFAULT)) };
        let brokers = || self.broker.settings.brokers.clone();
        if let Some(other) = others.iter().find(|other| other.partitions != first.partitions) {
            return Err(OpenError::Uneven {
                brokers: brokers(),
                topics: [first, other].map(|topic| (topic.name.clone(), topic.partitions)),
            });
        }
        match asked.filter(|asked| *asked != first.partitions) {
            Some(asked) => {
                Err(OpenError::Asked { brokers: brokers(), asked, topic: first.name.clone(), found: first.partitions })
            }
            None => Ok(first.partitions),
        }
    }

    /// What the log says of it, where there is one that does.
    fn settled(&self, topics: &Topics, asked: Option<u32>) -> Result<Option<u32>, OpenError> {
        const WHAT: &str = "make the topics";
        if self.known(&topics.definitions).is_none() {
            return Ok(None);
        }
        let Broker { settings, reach, asking, .. } = &self.broker;
        let settled = layout::settled(asking, (settings, reach), topics, None, Some(MAKE_WITHIN))?;
        let Some(Layout { partitions, since }) = settled else { return Ok(None) };
        let counts = topics.own().filter_map(|topic| Some((Arc::clone(topic), self.known(topic)?.partitions)));
        let odd = layout::misfits(partitions, topics, &counts.collect::<Vec<_>>());
        let brokers = settings.brokers.clone();
        if !odd.is_empty() {
            let topics = Box::new(topics.clone());
            return Err(OpenError::Repartitioned { what: WHAT, brokers, topics, partitions, since, odd });
        }
        match asked.filter(|asked| *asked != partitions) {
            Some(asked) => {
                let definitions = topics.definitions.to_string();
                Err(OpenError::Settled { brokers, asked, partitions, definitions, since })
            }
            None => Ok(Some(partitions)),
        }
    }

    fn known(&self, name: &str) -> Option<&Found> {
        self.before.iter().find(|topic| topic.name == name)
    }

    /// Refuses to make a journal beside requests that were decided by another one: all of them would be done again, under
    /// ids of commands that no participant has seen.
    fn keeps_its_journal(&self, plan: &Plan) -> Result<(), OpenError> {
        let Topics { requests, journal, .. } = &plan.topics;
        if self.known(journal).is_some() || !self.has_had_records(requests)? {
            return Ok(());
        }
        let (journal, requests) = (journal.to_string(), requests.to_string());
        Err(OpenError::JournalGone { brokers: self.broker.settings.brokers.clone(), journal, requests })
    }

    /// Whether a topic is there and has had records.
    fn has_had_records(&self, topic: &str) -> Result<bool, OpenError> {
        for partition in 0..self.known(topic).map_or(0, |known| known.partitions) {
            let range = self.broker.asking.range(topic, partition);
            if range.map_err(|why| self.broker.refused("ask for the records that there are", why))?.end > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Topics of inputs that are missing, although partitions have read of them.
    fn renewed(&self, topics: &Topics) -> Result<Vec<String>, OpenError> {
        let inputs = [&topics.requests, &topics.replies].into_iter().filter(|topic| self.known(topic).is_none());
        let missing: Vec<String> = inputs.map(ToString::to_string).collect();
        let is_begun = !missing.is_empty() && self.has_had_records(&topics.journal)?;
        Ok(if is_begun { missing } else { Vec::new() })
    }

    /// Refuses what Kafka would, before anything is made: of its reasons the client tells codes alone.
    fn can_be_made(&self, plan: &Plan, wanted: &[Wanted], missing: &[&Wanted]) -> Result<(), OpenError> {
        let (brokers, there) = (self.broker.settings.brokers.clone(), self.brokers);
        if let Some(asked) = plan.replication.filter(|asked| *asked > there && !missing.is_empty()) {
            return Err(OpenError::Replicas { brokers, asked, there });
        }
        let all = || self.before.iter().map(|topic| &topic.name).chain(wanted.iter().map(|topic| &topic.name));
        let same = |one: &str, other: &str| one != other && one.replace('.', "_") == other.replace('.', "_");
        let collides =
            |topic: &&Wanted| Some((topic.name.clone(), all().find(|other| same(&topic.name, other))?.clone()));
        match missing.iter().find_map(collides) {
            Some((topic, other)) => Err(OpenError::Collides { brokers, topic, other }),
            None => Ok(()),
        }
    }

    /// Makes the topics that are missing, and says how those differ that are there.
    ///
    /// # Errors
    /// The broker cannot be reached, or refuses.
    pub async fn make(self, plan: &Plan) -> Result<Made, OpenError> {
        let Self { broker, brokers, .. } = &self;
        let partitions = self.partitions(&plan.topics, plan.partitions)?;
        let replication = plan.replication.unwrap_or_else(|| REPLICATION_USUAL.min(*brokers));
        let wanted = deployment(&plan.topics, partitions, replication, &plan.commands);
        let (there, missing): (Vec<&Wanted>, Vec<&Wanted>) =
            wanted.iter().partition(|topic| self.known(&topic.name).is_some());
        self.keeps_its_journal(plan)?;
        let renewed = self.renewed(&plan.topics)?;
        self.can_be_made(plan, &wanted, &missing)?;
        let mut made = Made { replication, renewed, ..Made::default() };
        let new: Vec<NewTopic<'_>> = missing.iter().map(|topic| new_topic(topic)).collect();
        if !new.is_empty() {
            let results = broker.admin.create_topics(&new, &options()).await;
            for result in results.map_err(|error| broker.refused("make the topics", said(&error)))? {
                match result {
                    // Somebody else was faster.
                    Ok(name) | Err((name, RDKafkaErrorCode::TopicAlreadyExists)) => made.made.push(name),
                    Err((name, code)) if is_forbidden(code) => {
                        return Err(broker.not_allowed("make the topics", "Create", &name));
                    }
                    Err((name, code)) => {
                        return Err(broker.refused("make the topics", format!("topic `{name}`: {code}")));
                    }
                }
            }
        }
        // What is made is not known to every broker at once.
        let began = Instant::now();
        for topic in &missing {
            let is_there = || matches!(partitions_of(broker.admin.inner(), &topic.name), Ok(Some(_)));
            while began.elapsed() < MAKE_WITHIN && !is_there() {
                sleep(LOOK_AGAIN).await;
            }
        }
        layout::settled(
            &broker.asking,
            (broker.settings, &broker.reach),
            &plan.topics,
            Some(partitions),
            Some(MAKE_WITHIN),
        )?;
        made.known.extend(there.iter().map(|topic| topic.name.clone()));
        // Those that were made, too: where we set nothing, they have what is usual on this broker.
        let (now, _) = broker.found(AWAY_PATIENCE)?;
        made.differences = broker.compared(&wanted, &now).await?;
        Ok(made)
    }
}

/// How the topics of a deployment that is there, with so many partitions, differ from what they should be. What is said of
/// the broker is said of `reach`, so by whoever has it, once.
pub(super) async fn differences(
    (settings, reach, asking): (&Settings, &Arc<Reach>, &Arc<Asking>),
    topics: &Topics,
    partitions: u32,
    patience: Duration,
) -> Result<Vec<Difference>, OpenError> {
    let broker = Broker::of(settings, reach, asking)?;
    let (now, brokers) = broker.found(patience)?;
    let wanted = deployment(topics, partitions, REPLICATION_USUAL.min(brokers), &[]);
    broker.compared(&wanted, &now).await
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(MAKE_WITHIN)).operation_timeout(Some(MAKE_WITHIN))
}

/// The broker, to be asked for what is there and to make what is not.
struct Broker<'s> {
    settings: &'s Settings,
    reach: Arc<Reach>,
    admin: AdminClient<Context>,
    asking: Arc<Asking>,
}

impl<'s> Broker<'s> {
    fn begin(settings: &'s Settings) -> Result<Self, OpenError> {
        let reach = Reach::opening(&settings.brokers);
        let asking = Arc::new(Asking::open(settings, "saga.init", &reach)?);
        Self::of(settings, &reach, &asking)
    }

    fn of(settings: &'s Settings, reach: &Arc<Reach>, asking: &Arc<Asking>) -> Result<Self, OpenError> {
        let admin = AdminClient::from_config_and_context(&settings.client(Role::Admin, ""), Context(Arc::clone(reach)));
        let admin = admin.map_err(|error| OpenError::client(&error))?;
        Ok(Self { settings, reach: Arc::clone(reach), admin, asking: Arc::clone(asking) })
    }

    fn refused(&self, what: &'static str, why: String) -> OpenError {
        OpenError::Broker { what, brokers: self.settings.brokers.clone(), why }
    }

    fn not_allowed(&self, what: &'static str, operation: &'static str, topic: &str) -> OpenError {
        let brokers = self.settings.brokers.clone();
        OpenError::NotAllowed { what, brokers, operation, on: format!("topic `{topic}`") }
    }

    async fn compared(&self, wanted: &[Wanted], there: &[Found]) -> Result<Vec<Difference>, OpenError> {
        const WHAT: &str = "ask for the topics' settings";
        compare(&self.admin, wanted, there, &options()).await.map_err(|error| match error {
            Undescribed::NotAllowed { topic } => self.not_allowed(WHAT, "DescribeConfigs on", &topic),
            Undescribed::Failed { why } => self.refused(WHAT, why),
        })
    }

    /// All topics, and how many brokers there are. Waits for one that is away, for as long as `patience`, and says so.
    fn found(&self, patience: Duration) -> Result<(Vec<Found>, u32), OpenError> {
        let began = Instant::now();
        let metadata = loop {
            match self.asking.client().fetch_metadata(None, ASK_WITHIN) {
                Ok(metadata) => break metadata,
                Err(error) => {
                    let left = patience.checked_sub(began.elapsed());
                    let brokers = &self.settings.brokers;
                    away(self.asking.client(), &self.reach, ("ask for the topics", brokers), &said(&error), left)?;
                }
            }
        };
        let brokers = u32::try_from(metadata.brokers().len()).unwrap_or(1);
        Ok((metadata.topics().iter().map(found).collect(), brokers))
    }
}

fn new_topic(topic: &Wanted) -> NewTopic<'_> {
    let partitions = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
    let replicas = TopicReplication::Fixed(i32::try_from(topic.replication).unwrap_or(i32::MAX));
    let new = NewTopic::new(&topic.name, partitions, replicas);
    topic.made_with().fold(new, |new, (key, value)| new.set(key, value))
}

/// Waits a moment longer for a broker that is away, and says so; `left` is for how long at most, if that has an end.
pub(super) fn away(
    asking: &BaseConsumer<Context>,
    reach: &Reach,
    (what, brokers): (&'static str, &str),
    why: &str,
    left: Option<Duration>,
) -> Result<(), OpenError> {
    listen(asking);
    let brokers = || brokers.to_owned();
    if let Some(why) = reach.refusal() {
        return Err(OpenError::Credentials { what, brokers: brokers(), why });
    }
    if left.is_none_or(|left| left.is_zero()) {
        return Err(OpenError::Away { what, brokers: brokers(), why: reach.why(why) });
    }
    reach.away(why);
    Ok(())
}

/// How many partitions the topics of a deployment have, the definitions among them. Waits for a broker that is away, for
/// as long as `patience`.
pub(super) fn counts(
    asking: &BaseConsumer<Context>,
    reach: &Reach,
    settings: &Settings,
    topics: &Topics,
    patience: Option<Duration>,
) -> Result<Vec<(Arc<str>, u32)>, OpenError> {
    let began = Instant::now();
    let brokers = || settings.brokers.clone();
    let mut counts: Vec<(Arc<str>, u32)> = Vec::new();
    let mut missing = Vec::new();
    for topic in topics.own() {
        let count = loop {
            match partitions_of(asking.client(), topic) {
                Ok(count) => break count,
                Err(Unasked::NotAllowed) => {
                    let on = format!("topic `{topic}`");
                    return Err(OpenError::NotAllowed { what: OPENING, brokers: brokers(), operation: "Describe", on });
                }
                Err(Unasked::Failed(why)) => {
                    let left = patience.unwrap_or(Duration::MAX).checked_sub(began.elapsed());
                    away(asking, reach, (OPENING, &settings.brokers), &why, left)?;
                }
            }
        };
        match count {
            Some(count) => counts.push((Arc::clone(topic), count)),
            None => missing.push(topic.to_string()),
        }
    }
    reach.back();
    if missing.is_empty() {
        return Ok(counts);
    }
    Err(OpenError::NoTopic { brokers: brokers(), prefix: topics.prefix.to_string(), topics: missing })
}

/// Lets a client say why it reaches nobody: its reasons come a moment behind the failure, among other news.
pub(super) fn listen(asking: &BaseConsumer<Context>) {
    let began = Instant::now();
    while began.elapsed() < REASONS_WITHIN {
        drop(asking.poll(LOOK_AGAIN));
    }
}

/// Why the broker does not tell of a topic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unasked {
    /// It tells this user nothing.
    #[error("this user may not Describe the topic; what each needs stands in docs/kafka.md")]
    NotAllowed,
    /// For people.
    #[error("{0}")]
    Failed(String),
}

/// `None`: there is no such topic.
pub(super) fn partitions_of(asking: &Client<Context>, topic: &str) -> Result<Option<u32>, Unasked> {
    let metadata = asking.fetch_metadata(Some(topic), ASK_WITHIN).map_err(|error| Unasked::Failed(said(&error)))?;
    let Some(found) = metadata.topics().iter().find(|known| known.name() == topic) else { return Ok(None) };
    match found.error() {
        None => Ok(u32::try_from(found.partitions().len()).ok().filter(|count| *count > 0)),
        Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => Ok(None),
        Some(error) if is_forbidden(RDKafkaErrorCode::from(error)) => Err(Unasked::NotAllowed),
        Some(error) => Err(Unasked::Failed(RDKafkaErrorCode::from(error).to_string())),
    }
}

pub(super) fn said(error: &KafkaError) -> String {
    error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string())
}

/// How many partitions each of these topics has; none if there is no such topic. Asks again for as long as `patience` where
/// the broker does not tell: one that has just started may take seconds for an answer, or know no leader yet.
pub(super) fn each(
    asking: &BaseConsumer<Context>,
    topics: &[String],
    patience: Duration,
) -> Result<Vec<Option<u32>>, String> {
    let began = Instant::now();
    let mut counts = Vec::new();
    for topic in topics {
        let count = loop {
            match partitions_of(asking.client(), topic) {
                Ok(count) => break count,
                Err(Unasked::Failed(_)) if began.elapsed() < patience => listen(asking),
                Err(why) => return Err(format!("`{topic}`: {why}")),
            }
        };
        counts.push(count);
    }
    Ok(counts)
}

/// Which of these topics there are not, asked in the same way.
pub(super) fn missing(
    asking: &BaseConsumer<Context>,
    topics: &[String],
    patience: Duration,
) -> Result<Vec<String>, String> {
    let counts = each(asking, topics, patience)?;
    Ok(topics.iter().zip(counts).filter(|(_, count)| count.is_none()).map(|(topic, _)| topic.clone()).collect())
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;

    use super::*;
    use crate::log::listening::Heard;

    #[tokio::test]
    async fn who_looks_at_the_settings_of_topics_says_nothing_of_a_broker_that_was_said_to_be_away() {
        let settings = Settings::new("127.0.0.1:1", []).unwrap();
        let reach = Reach::new(&settings.brokers);
        let asking = Arc::new(Asking::open(&settings, "asking", &reach).unwrap());
        reach.away("nobody answers");
        let heard = Heard::default();
        let _hears = tracing::subscriber::set_default(heard.clone());
        let looked = differences((&settings, &reach, &asking), &Topics::default(), 3, ASK_WITHIN * 2).await;
        assert!(matches!(looked, Err(OpenError::Away { .. })), "{looked:?}");
        assert_eq!(heard.take(), Vec::<String>::new());
    }

    #[test]
    fn a_topic_that_a_broker_cannot_tell_of_yet_is_asked_for_again() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("hotel.commands", 1, 1).unwrap();
        let settings = Settings::new(cluster.bootstrap_servers(), []).unwrap();
        let reach = Reach::opening(&settings.brokers);
        let asking = Asking::open(&settings, "asking", &reach).unwrap();
        let missing = |patience| missing(asking.client(), &["hotel.commands".to_owned()], patience);
        let tells = |error| cluster.topic_error("hotel.commands", error).unwrap();
        tells(RDKafkaRespErr::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE);
        std::thread::scope(|scope| {
            let patient = scope.spawn(|| missing(Duration::from_mins(1)));
            for _ in 0..3 {
                missing(Duration::ZERO).expect_err("the broker does not know yet");
            }
            tells(RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR);
            assert_eq!(patient.join().unwrap(), Ok(Vec::new()));
        });
    }
}
