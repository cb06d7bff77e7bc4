//! Who reads the topics of commands, as far as the broker tells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::context::Context;
use super::settings::{Role, Settings};
use super::topics::{ASK_WITHIN, each, said};
use crate::log::{Silence, Topics, Unread};

/// Groups of whose members the broker does not tell that are asked one by one what they have committed: each costs a
/// connection and some 100 ms.
const GROUPS_MAX: usize = 100;

/// So many are asked at once: nearly all of that is waiting.
const ASKED_AT_ONCE: usize = 10;

/// How long groups are asked for whoever wants to know what nobody reads: it is asked again and again, and somebody waits.
const UNREAD_WITHIN: Duration = Duration::from_secs(1);

/// Partitions of other topics of which a group is asked for what it has committed: an answer of some 50 kB. Who has committed
/// something of the others alone stays unknown.
const OTHERS_MAX: usize = 1_000;

/// Groups that are named where something cannot be told.
const NAMED_MAX: usize = 3;

/// A member of a group that reads a topic of commands, or has read it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reader {
    /// What it reads.
    pub topic: String,
    /// Its group.
    pub group: String,
    /// Whether it is there.
    pub presence: Presence,
}

/// Whether a reader is there, as far as the broker tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    /// A member, and what it calls itself.
    Here(String),
    /// Its group, by KIP-848, has members of which the broker does not tell, and has committed something of the topic.
    Untold {
        /// What the member that committed last called itself, if it is one of ours.
        last: String,
    },
    /// Its group has no member at the moment, and has committed something of the topic.
    Away {
        /// What the member that committed last called itself, if it is one of ours.
        last: String,
    },
}

impl Reader {
    /// Whether it takes what a deployment asks: the bridges of others pass that over.
    #[must_use]
    pub fn takes_from(&self, ours: &Topics) -> bool {
        takes_ours(&self.group, &self.topic, ours)
    }
}

/// What the broker tells of some topics' readers by one question.
#[derive(Clone, Debug, Default)]
pub struct Membership {
    /// The members that it tells of.
    pub readers: Vec<Reader>,
    /// Groups of which it does not tell whether they have members.
    untold: Vec<String>,
    /// Groups that have no members.
    empty: Vec<String>,
}

/// What is known of a group by what it has committed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Past {
    /// It was not asked, or did not answer in time.
    Unasked,
    /// Of these topics, and maybe others.
    Committed(BTreeSet<String>),
}

impl Membership {
    /// Of these topics those that no member that is known of takes our commands from. What else may read them is asked for a
    /// moment only.
    pub(super) fn unread(
        &self,
        asking: &BaseConsumer<Context>,
        (settings, ours): (&Settings, &Topics),
        topics: &[String],
    ) -> Unread {
        let unread: Vec<String> = topics.iter().filter(|topic| !self.is_read(topic, ours)).cloned().collect();
        let may_read_one = |group: &&String| unread.iter().any(|topic| may_read(group, topic, ours));
        let groups: Vec<&String> = self.untold.iter().filter(may_read_one).collect();
        let mut pasts: BTreeMap<String, Past> = groups.iter().map(|group| ((*group).clone(), Past::Unasked)).collect();
        let until = Instant::now() + UNREAD_WITHIN;
        if !groups.is_empty()
            && let Ok(commits) = Commits::of_all(asking, settings, &unread)
        {
            let asked = commits.of_each(groups.get(..GROUPS_MAX).unwrap_or(&groups), Some(until));
            for (group, told) in asked {
                if let Ok(committed) = told {
                    pasts.insert(group, Past::Committed(committed.into_keys().collect()));
                }
            }
        }
        unread.into_iter().map(|topic| silence(topic, &pasts, ours)).collect()
    }

    fn is_read(&self, topic: &str, ours: &Topics) -> bool {
        self.readers.iter().any(|reader| reader.topic == *topic && reader.takes_from(ours))
    }

    /// Who reads these topics, and groups that may.
    pub(super) fn all(
        self,
        asking: &BaseConsumer<Context>,
        settings: &Settings,
        topics: &[String],
    ) -> Result<Vec<Reader>, String> {
        let groups = asked(self.untold.iter().collect(), topics);
        let untold = past(&Commits::of(asking, settings, topics)?, &groups, |last| Presence::Untold { last })?;
        let mut readers = [self.readers, untold].concat();
        readers.sort();
        readers.dedup();
        Ok(readers)
    }

    /// Who has read these topics, and is away.
    pub(super) fn away(
        &self,
        asking: &BaseConsumer<Context>,
        (settings, ours): (&Settings, &Topics),
        topics: &[String],
    ) -> Result<Vec<Reader>, String> {
        let may_read_one = |group: &&String| topics.iter().any(|topic| may_read(group, topic, ours));
        let groups = asked(self.empty.iter().filter(may_read_one).collect(), topics);
        past(&Commits::of(asking, settings, topics)?, &groups, |last| Presence::Away { last })
    }
}

/// Of groups those that are asked what they have committed of these topics.
fn asked<'g>(mut groups: Vec<&'g String>, topics: &[String]) -> Vec<&'g String> {
    if groups.len() > GROUPS_MAX {
        // Those of bridges count most.
        groups.sort_by_key(|group| !topics.iter().any(|topic| Topics::is_group_of_bridges(group, topic)));
        let left_out = groups.len() - GROUPS_MAX;
        groups.truncate(GROUPS_MAX);
        tracing::warn!(
            "{left_out} groups without known members are not asked whether they answer participants' commands"
        );
    }
    groups
}

/// What these groups have read.
fn past(commits: &Commits<'_>, groups: &[&String], presence: fn(String) -> Presence) -> Result<Vec<Reader>, String> {
    let mut readers = Vec::new();
    for (group, committed) in commits.of_each(groups, None) {
        let reader = |(topic, last)| Reader { topic, group: group.clone(), presence: presence(last) };
        readers.extend(committed?.into_iter().map(reader));
    }
    Ok(readers)
}

/// Whether a group that reads a topic takes our commands: the bridges of other deployments pass those over.
fn takes_ours(group: &str, topic: &str, ours: &Topics) -> bool {
    !Topics::is_group_of_bridges(group, topic) || group == ours.group_of_bridges(topic)
}

/// Whether a group may read a topic and take our commands, as far as its name tells.
fn may_read(group: &str, topic: &str, ours: &Topics) -> bool {
    !Topics::is_group_of_deployment(group) || group == ours.group_of_bridges(topic)
}

/// What it means for a topic that no member is known to read it, where groups have members or not that are not told. One that
/// has committed something of other topics alone reads those; one that has committed nothing at all may have just come.
fn silence(topic: String, pasts: &BTreeMap<String, Past>, ours: &Topics) -> (String, Silence) {
    let (mut read, mut new, mut unasked) = (Vec::new(), Vec::new(), Vec::new());
    for (group, past) in pasts.iter().filter(|(group, _)| may_read(group, &topic, ours)) {
        match past {
            Past::Committed(topics) if topics.contains(&topic) => read.push(&**group),
            Past::Committed(topics) if topics.is_empty() => new.push(&**group),
            Past::Committed(_) => {}
            Past::Unasked => unasked.push(&**group),
        }
    }
    let why = if !read.is_empty() {
        let (groups, it, has) = named(&read);
        format!("{groups} {has} read it, and the broker does not tell whether {it} {has} members (KIP-848)")
    } else if !new.is_empty() {
        let (groups, it, has) = named(&new);
        format!(
            "{groups} {has} committed nothing so far, and the broker does not tell what members {it} {has} (KIP-848)"
        )
    } else if !unasked.is_empty() {
        let (groups, it, has) = named(&unasked);
        format!("{groups} did not say in time what {it} {has} read, and the broker does not tell of members (KIP-848)")
    } else {
        return (topic, Silence::Certain);
    };
    (topic, Silence::Untold(why))
}

/// Some groups, and two words for what they do.
fn named(groups: &[&str]) -> (String, &'static str, &'static str) {
    match groups {
        [group] => (format!("the group {group}"), "it", "has"),
        groups => {
            let shown = groups.get(..NAMED_MAX).unwrap_or(groups).join(", ");
            let more = groups.len().saturating_sub(NAMED_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            (format!("the groups {shown}{more}"), "they", "have")
        }
    }
}

/// Asks who reads these topics.
pub(super) fn told(asking: &BaseConsumer<Context>, topics: &[String]) -> Result<Membership, String> {
    let groups = asking.fetch_group_list(None, ASK_WITHIN).map_err(|error| said(&error))?;
    let mut readers = Vec::new();
    let (mut untold, mut empty) = (Vec::new(), Vec::new());
    for group in groups.groups() {
        for member in group.members() {
            let read = assigned_topics(member.assignment().unwrap_or_default());
            readers.extend(read.into_iter().filter(|topic| topics.contains(topic)).map(|topic| Reader {
                topic,
                group: group.name().to_owned(),
                presence: Presence::Here(member.client_id().to_owned()),
            }));
        }
        // By KIP-848: the question does not know those, and says that there is nothing.
        if group.members().is_empty() {
            let groups = if group.state() == "Empty" { &mut empty } else { &mut untold };
            groups.push(group.name().to_owned());
        }
    }
    Ok(Membership { readers, untold, empty })
}

/// Topics of which a group has committed something, and what the last of our own that did calls itself.
type Committed = BTreeMap<String, String>;

/// Asks groups what they have committed of some partitions.
struct Commits<'a> {
    asking: &'a BaseConsumer<Context>,
    settings: &'a Settings,
    partitions: TopicPartitionList,
}

impl<'a> Commits<'a> {
    /// Of these topics.
    fn of(asking: &'a BaseConsumer<Context>, settings: &'a Settings, topics: &[String]) -> Result<Self, String> {
        let counts = each(asking, topics, Duration::ZERO)?;
        let mut partitions = TopicPartitionList::new();
        for (topic, count) in topics.iter().zip(counts) {
            add(&mut partitions, topic, count.and_then(|count| i32::try_from(count).ok()).unwrap_or_default());
        }
        Ok(Self { asking, settings, partitions })
    }

    /// Of these topics, and of others, which tell who reads something else.
    fn of_all(asking: &'a BaseConsumer<Context>, settings: &'a Settings, topics: &[String]) -> Result<Self, String> {
        let metadata = asking.fetch_metadata(None, UNREAD_WITHIN).map_err(|error| said(&error))?;
        let mut partitions = TopicPartitionList::new();
        let (wanted, others): (Vec<_>, Vec<_>) =
            metadata.topics().iter().partition(|topic| topics.iter().any(|wanted| wanted == topic.name()));
        for topic in &wanted {
            add(&mut partitions, topic.name(), i32::try_from(topic.partitions().len()).unwrap_or_default());
        }
        let of_wanted = partitions.count();
        for topic in others {
            if partitions.count() - of_wanted + topic.partitions().len() <= OTHERS_MAX {
                add(&mut partitions, topic.name(), i32::try_from(topic.partitions().len()).unwrap_or_default());
            }
        }
        Ok(Self { asking, settings, partitions })
    }

    /// What each of these groups has committed; an error of those that are not asked by an instant.
    fn of_each(&self, groups: &[&String], until: Option<Instant>) -> Vec<(String, Result<Committed, String>)> {
        let queue = Mutex::new(groups.iter());
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || {
            let mut told = Vec::new();
            while let Some(group) = next() {
                let within = until.map_or(ASK_WITHIN, |until| until.saturating_duration_since(Instant::now()));
                let committed =
                    if within.is_zero() { Err("not asked in time".to_owned()) } else { self.of_group(group, within) };
                told.push(((*group).clone(), committed));
            }
            told
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..ASKED_AT_ONCE.min(groups.len())).map(|_| scope.spawn(work)).collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
        })
    }

    /// What a group has committed.
    fn of_group(&self, group: &str, within: Duration) -> Result<Committed, String> {
        let config = self.settings.client(Role::Reader, group);
        let member = BaseConsumer::from_config_and_context(&config, self.asking.context().as_ref().clone());
        let member = member.map_err(|error| said(&error))?;
        let committed = member.committed_offsets(self.partitions.clone(), within).map_err(|error| said(&error))?;
        let elements = committed.elements();
        let by = elements.iter().filter(|element| matches!(element.offset(), Offset::Offset(_)));
        Ok(by.map(|element| (element.topic().to_owned(), element.metadata().to_owned())).collect())
    }
}

fn add(partitions: &mut TopicPartitionList, topic: &str, count: i32) {
    for partition in 0..count {
        partitions.add_partition(topic, partition);
    }
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
    fn who_passes_our_commands_over_reads_nothing_of_them() {
        let (topic, ours) = ("hotel.commands", Topics::default());
        for (group, is_read) in [
            ("hotels", true),
            ("saga.bridge.hotel.commands", true),
            ("other.bridge.hotel.commands", false),
            ("saga.bridge.car.commands", true),
        ] {
            let presence = Presence::Here("a".to_owned());
            let reader = Reader { topic: topic.to_owned(), group: group.to_owned(), presence };
            let told = Membership { readers: vec![reader], ..Membership::default() };
            assert_eq!(told.is_read(topic, &ours), is_read, "{group}");
        }
    }

    #[test]
    fn nobody_reads_a_topic_only_where_no_group_may() {
        let ours = Topics::default();
        let committed = |topics: &[&str]| Past::Committed(topics.iter().map(ToString::to_string).collect());
        let (hotel, new, other) = (committed(&["hotel.commands"]), committed(&[]), committed(&["logs"]));
        for (groups, why) in [
            (&[][..], None),
            (&[("logs", &other)][..], None),
            (&[("hotels", &hotel), ("new", &new)], Some("the group hotels has read it")),
            (&[("logs", &other), ("new", &new)], Some("the group new has committed nothing so far")),
            (
                &[("slow", &Past::Unasked), ("logs", &other)],
                Some("the group slow did not say in time what it has read"),
            ),
            (&[("slow", &Past::Unasked), ("hotels", &hotel)], Some("the group hotels has read it")),
            (
                &[("a", &hotel), ("b", &hotel), ("c", &hotel), ("d", &hotel), ("e", &hotel)],
                Some(
                    "the groups a, b, c and 2 more have read it, and the broker does not tell whether they have members",
                ),
            ),
            (&[("saga.bridge.hotel.commands", &hotel)], Some("the group saga.bridge.hotel.commands has read it")),
            (
                &[("saga.bridge.hotel.commands", &new)],
                Some("the group saga.bridge.hotel.commands has committed nothing"),
            ),
            // Of deployments: they take nothing from there, or pass ours over.
            (&[("saga.orchestrators", &new), ("saga.bridge.car.commands", &Past::Unasked)], None),
            (&[("other.bridge.hotel.commands", &hotel)], None),
        ] {
            let pasts = groups.iter().map(|(group, past)| ((*group).to_owned(), (*past).clone())).collect();
            match (silence("hotel.commands".to_owned(), &pasts, &ours).1, why) {
                (Silence::Certain, None) => {}
                (Silence::Untold(said), Some(why)) => assert!(said.starts_with(why), "{said}"),
                (silence, _) => panic!("{groups:?}: {silence:?}"),
            }
        }
    }

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
}
