//! The log on Apache Kafka, by librdkafka: for as many processes as one likes.
//!
//! ```text
//!   submit --append--> producers --> broker --> delivery callbacks --> reports
//!          --read----> readers: consumers assigned by hand ---------> reports
//!          --confirm-> the member of the group ---------------------> reports
//! ```
//!
//! [`Kafka::own`] joins the group of orchestrators, in which each partition has one owner; [`Kafka::attach`] is for
//! everybody else. Nothing here waits but threads of its own: what takes a round trip is a report later on. A broker
//! that is away is said once, and tried again by librdkafka for as long as it takes; what waits meanwhile is bounded.

mod context;
mod asking;
mod commits;
mod demands;
mod error;
mod group;
mod jobs;
mod keys;
mod lane;
mod layout;
mod positions;
mod producer;
mod queue;
mod raw;
mod reader;
mod readership;
mod rights;
mod settings;
mod settled;
mod site;
mod topics;
mod absence;
mod trust;
mod truncation;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::asking::Asking;
use self::commits::Progress;
use self::group::Group;
use self::jobs::Jobs;
use self::lane::Want;
use self::producer::{Deliveries, Producer};
use self::reader::Readers;
use self::truncation::Truncations;
use super::endpoint::{Endpoint, Outbox};
use super::{Append, Health, Log, Member, Outcome, Range, Report, Reports, Request, Topics, Unread};

pub(crate) use context::{Context, Reach};
pub use demands::{Difference, Harm};
pub use error::OpenError;
pub(crate) use error::{is_final, of_prefix};
pub(crate) use producer::headers;
pub use raw::{Raw, RawArrival, RawMessage};
pub(crate) use reader::stored;
pub use readership::{Membership, Presence, Reader};
pub(crate) use settings::Role;
pub use settings::Settings;
pub use topics::{Founding, Made, Plan};

/// The longest name of a topic, as Kafka has it.
const TOPIC_MAX: usize = 249;

/// How long closing waits for appends that are under way. What is not acknowledged then may be there or not.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);

/// What those who share a deployment's partitions call themselves.
const OWNER: &str = "saga";

/// What to do where topics of inputs are gone and cannot be restored.
const ANEW: &str = "make it anew with `saga init`: what nobody had read of it is lost then, and each partition that had read \
                    of it stands still until `saga accept-gap` says that it is to go on";

/// A deployment's topics on Kafka, open. Dropping it closes it.
pub struct Kafka {
    shared: Arc<Shared>,
    partitions: u32,
    deliverer: Mutex<Option<JoinHandle<()>>>,
}

/// What all ways to the log share.
struct Shared {
    settings: Settings,
    topics: Topics,
    group: String,
    reach: Arc<Reach>,
    deliveries: Arc<Deliveries>,
    journal: Producer,
    effects: Producer,
    readers: Readers,
    asking: Arc<Asking>,
    jobs: Arc<Jobs>,
    truncations: Truncations,
    /// Groups that take a topic in turn and of which this process is a member, each as often as it is.
    taking: Mutex<Vec<String>>,
    /// How far groups have come of whose members the broker does not tell.
    progress: Progress,
}

impl Kafka {
    /// Opens the log: learns how many partitions the deployment has. Waits for a broker that is away, for as long as
    /// `patience`, or for as long as it takes, and says so once.
    ///
    /// # Errors
    /// Topics are missing or do not fit each other, this user may not look at them, or the settings are no good.
    pub fn open(settings: &Settings, topics: &Topics, patience: Option<Duration>) -> Result<Self, OpenError> {
        let reach = Reach::opening(&settings.brokers);
        let group = topics.group_of_orchestrators();
        let asking = Arc::new(Asking::open(settings, &group, &reach)?);
        let partitions = layout::partitions(&asking, (settings, &reach), topics, patience)?;
        let deliveries = Arc::new(Deliveries::default());
        let for_thread = Arc::clone(&deliveries);
        let deliverer = std::thread::Builder::new().name("kafka-deliver".to_owned()).spawn(move || for_thread.run())?;
        let jobs = Jobs::start()?;
        let shared = Shared {
            settings: settings.clone(),
            topics: topics.clone(),
            journal: Producer::open(settings, Role::Journal, &reach, &deliveries)?,
            effects: Producer::open(settings, Role::Effects, &reach, &deliveries)?,
            readers: Readers::new(settings, (&group, topics), &reach, &jobs, &asking),
            truncations: Truncations::start(settings, &reach)?,
            taking: Mutex::default(),
            progress: Progress::default(),
            asking,
            group,
            deliveries,
            jobs,
            reach,
        };
        Ok(Self { shared: Arc::new(shared), partitions, deliverer: Mutex::new(Some(deliverer)) })
    }

    /// How many partitions the deployment has.
    #[must_use]
    pub const fn partitions(&self) -> u32 {
        self.partitions
    }

    /// The names of its topics.
    #[must_use]
    pub fn topics(&self) -> &Topics {
        &self.shared.topics
    }

    /// How the broker is.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.reach.health()
    }

    /// The way of an owner: joins the group, and learns which partitions are its own. Leaves when it is dropped.
    ///
    /// # Errors
    /// The settings are no good.
    pub fn own(&self, reports: Arc<dyn Reports>) -> Result<Owner, OpenError> {
        let user = self.attach(reports);
        let Shared { settings, group, topics, reach, .. } = &*self.shared;
        let member = Member { group, name: OWNER, stands_in: false };
        let group = Group::join(settings, member, (&topics.requests, self.partitions), reach, &user.endpoint)?;
        Ok(Owner { user, group })
    }

    /// Anybody else's way. What its requests and reports call the partition is that of the topic that it reads.
    #[must_use]
    pub fn attach(&self, reports: Arc<dyn Reports>) -> User {
        User { shared: Arc::clone(&self.shared), endpoint: Arc::new(Endpoint(reports)) }
    }

    /// Asks which offsets a partition of a topic has; the answer comes on a thread of the log.
    pub fn range(&self, topic: &str, partition: u32, told: impl FnOnce(Result<Range, String>) + Send + 'static) {
        let (shared, topic) = (Arc::clone(&self.shared), topic.to_owned());
        self.shared.jobs.run(move || told(shared.asking.range(&topic, partition)));
    }

    /// Asks who reads these topics at the moment, as far as the broker tells.
    ///
    /// # Errors
    /// The broker does not answer.
    pub fn told(&self, topics: &[String]) -> Result<Membership, String> {
        readership::told(self.shared.asking.client(), topics)
    }

    /// Of these topics, about which `told` was asked, those that nobody reads who is known to take our commands. Whether a group
    /// by KIP-848 has members is not told, so where it may be a reader that is all that is said.
    #[must_use]
    pub fn unread_of(&self, told: &Membership, topics: &[String]) -> Unread {
        self.shared.unread(told, topics)
    }

    /// Who reads these topics or has read them: members, and groups that have committed something of them.
    ///
    /// # Errors
    /// The broker does not answer.
    pub fn readers(&self, topics: &[String]) -> Result<Vec<Reader>, String> {
        let Shared { settings, topics: ours, asking, .. } = &*self.shared;
        let told = self.told(topics)?;
        let away = told.away(asking.client(), (settings, ours), topics)?;
        Ok([told.all(asking.client(), settings, topics)?, away].concat())
    }

    /// Looks whether the deployment's topics are all there, of which `missing` were not at the look before, and have as many
    /// partitions as they must. Without some twice in a row nothing counts as written until they are there: a broker that
    /// starts may not know all at once. Which are not there.
    ///
    /// # Errors
    /// The broker does not answer.
    pub fn look(&self, missing: &[String]) -> Result<Vec<String>, String> {
        let topics = &self.shared.topics;
        let all: Vec<String> = topics.own().map(ToString::to_string).collect();
        let counts = topics::each(self.shared.asking.client(), &all, Duration::ZERO)?;
        let counts = topics.own().cloned().zip(counts);
        let (there, gone): (Vec<_>, Vec<_>) = counts.partition(|(_, count)| count.is_some());
        let now: Vec<String> = gone.into_iter().map(|(topic, _)| topic.to_string()).collect();
        let twice: Vec<String> = now.iter().filter(|topic| missing.contains(topic)).cloned().collect();
        let is_input = |topic: &String| **topic == *topics.requests || **topic == *topics.replies;
        let to_do = if twice.iter().all(is_input) { ANEW } else { "begin anew with topics of another prefix" };
        self.shared.reach.are_gone(&twice, to_do);
        let there: Vec<_> = there.into_iter().filter_map(|(topic, count)| Some((topic, count?))).collect();
        self.shared.reach.have_misfits(&layout::misfits(self.partitions, topics, &there), self.partitions);
        Ok(now)
    }

    /// How its topics differ from what they should be.
    ///
    /// # Errors
    /// The broker cannot be reached, for as long as `patience`, or does not tell.
    pub async fn differences(&self, patience: Duration) -> Result<Vec<Difference>, OpenError> {
        let Shared { settings, reach, asking, topics, .. } = &*self.shared;
        topics::differences((settings, reach, asking), topics, self.partitions, patience).await
    }

    /// Which of these topics there are not.
    ///
    /// # Errors
    /// The broker does not answer, for as long as `patience`.
    pub fn missing(&self, topics: &[String], patience: Duration) -> Result<Vec<String>, String> {
        topics::missing(self.shared.asking.client(), topics, patience)
    }

    /// Waits for what is under way, a moment, and ends the threads. A second call does nothing.
    pub fn close(&self) {
        let Some(deliverer) = self.deliverer.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let shared = &self.shared;
        shared.deliveries.drain(Instant::now() + CLOSE_WITHIN);
        shared.journal.close();
        shared.effects.close();
        shared.truncations.close();
        shared.jobs.close();
        shared.readers.close();
        shared.deliveries.close();
        drop(deliverer.join());
        shared.reach.close();
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.close();
    }
}

/// A way to the log. Cheap to clone.
#[derive(Clone)]
pub struct User {
    shared: Arc<Shared>,
    endpoint: Arc<Endpoint>,
}

/// An owner's way to the log.
pub struct Owner {
    user: User,
    group: Arc<Group>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.group.close();
    }
}

impl Log for User {
    fn submit(&self, partition: u32, requests: Vec<Request>) {
        self.shared.submit(&self.endpoint, partition, requests, None);
    }
}

impl Log for Owner {
    fn submit(&self, partition: u32, requests: Vec<Request>) {
        self.user.shared.submit(&self.user.endpoint, partition, requests, Some(&self.group));
    }

    fn has_joined(&self) -> bool {
        self.group.has_joined()
    }

    fn released(&self, partition: u32) {
        self.group.released(partition);
    }
}

impl Shared {
    fn taking(&self) -> MutexGuard<'_, Vec<String>> {
        self.taking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of these topics those that nobody reads who is known to take our commands. Of itself each process knows.
    fn unread(&self, told: &Membership, topics: &[String]) -> Unread {
        let Self { settings, topics: ours, asking, progress, .. } = self;
        let taking = self.taking().clone();
        let is_taken = |topic: &&String| taking.contains(&ours.group_of_bridges(topic));
        let others: Vec<String> = topics.iter().filter(|topic| !is_taken(topic)).cloned().collect();
        told.unread(asking.client(), (settings, ours), &others, progress)
    }

    /// Why an append can go nowhere.
    fn no_way(&self, append: &Append) -> Option<String> {
        let Append { topic, waits, .. } = append;
        if topic.is_empty() || topic.len() > TOPIC_MAX || topic.contains('\0') {
            return Some(format!("a topic's name has 1 to {TOPIC_MAX} bytes"));
        }
        // What waits for its topic is a command: in the journal it would fence its own partition.
        (*waits && self.topics.is_own(topic)).then(|| format!("the topic {topic} is the deployment's own"))
    }

    fn submit(&self, endpoint: &Arc<Endpoint>, home: u32, requests: Vec<Request>, group: Option<&Group>) {
        let mut outbox = Outbox::default();
        let (mut journal, mut effects) = (Vec::new(), Vec::new());
        for request in requests {
            match request {
                Request::Confirm { ticket } => match group {
                    Some(group) => group.confirm(home, ticket, &mut outbox),
                    None => outbox.push(endpoint, home, Report::Stale { ticket }),
                },
                Request::Append(append) => {
                    if let Some(why) = self.no_way(&append) {
                        let outcome = Outcome::Refused(Arc::from(why));
                        outbox.push(endpoint, home, Report::Appended { ticket: append.ticket, outcome });
                        continue;
                    }
                    let of = if *append.topic == *self.topics.journal { &mut journal } else { &mut effects };
                    of.push(append);
                }
                Request::Last { ticket, topic } => {
                    self.readers.ask(endpoint, &topic, home, Want::Last { ticket }, &mut outbox);
                }
                Request::End { ticket, topic } => {
                    let (asking, endpoint) = (Arc::clone(&self.asking), Arc::clone(endpoint));
                    self.jobs.run(move || {
                        let report = match asking.range(&topic, home) {
                            Ok(range) => Report::End { ticket, range },
                            Err(why) => Report::Failed { ticket, why },
                        };
                        let mut outbox = Outbox::default();
                        outbox.push(&endpoint, home, report);
                        outbox.deliver();
                    });
                }
                Request::Read { ticket, topic, from } => {
                    if let Some(group) = group.filter(|_| *topic == *self.topics.requests) {
                        group.handled(home, from);
                    }
                    self.readers.ask(endpoint, &topic, home, Want::Read { ticket, from }, &mut outbox);
                }
                Request::Truncate { topic, before } => self.truncations.ask(topic, home, before),
            }
        }
        self.journal.append(endpoint, home, &journal);
        self.effects.append(endpoint, home, &effects);
        outbox.deliver();
    }
}
