//! Who reads the topics of commands, as far as the broker tells.

use std::collections::BTreeMap;
use std::thread;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::context::Context;
use super::settings::{Role, Settings};
use super::topics::{ASK_WITHIN, partitions_of, said};
use crate::log::Topics;

/// Groups that are asked one by one, which costs a connection each.
const UNTOLD_MAX: usize = 20;

/// Groups without members that are asked, some 100 ms each, once at a start. Those of deployments do not count.
const EMPTY_MAX: usize = 100;

/// So many are asked at once: nearly all of that is waiting.
const ASKED_AT_ONCE: usize = 10;

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
    /// Groups that have members of which it does not tell.
    untold: Vec<String>,
    /// Groups that have no members.
    empty: Vec<String>,
}

impl Membership {
    /// Which of these topics no member of any group has that takes our commands. Of a group whose members are not told, what
    /// it has committed says what it reads.
    pub(super) fn unread(
        &self,
        asking: &BaseConsumer<Context>,
        (settings, ours): (&Settings, &Topics),
        topics: &[String],
    ) -> Result<Vec<String>, String> {
        let mut unread: Vec<String> = topics.iter().filter(|topic| !self.is_read(topic, ours)).cloned().collect();
        for group in &self.untold {
            if unread.is_empty() {
                break;
            }
            let committed = committed(asking, settings, group, &unread)?;
            unread.retain(|topic| !(committed.contains_key(topic) && takes_ours(group, topic, ours)));
        }
        Ok(unread)
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
        let Self { mut readers, untold, .. } = self;
        for group in untold {
            readers.extend(past(asking, settings, &group, topics, |last| Presence::Untold { last })?);
        }
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
        let is_ours = |group: &String| topics.iter().any(|topic| *group == ours.group_of_bridges(topic));
        let mut groups: Vec<&String> =
            self.empty.iter().filter(|group| is_ours(group) || !Topics::is_group_of_deployment(group)).collect();
        if groups.len() > EMPTY_MAX {
            // Our own count most.
            groups.sort_by_key(|group| !is_ours(group));
            let left_out = groups.len() - EMPTY_MAX;
            groups.truncate(EMPTY_MAX);
            tracing::warn!(
                "{left_out} groups without members are not asked whether they answer participants' commands"
            );
        }
        let of_each = |groups: &[&String]| -> Result<Vec<Reader>, String> {
            let mut readers = Vec::new();
            for group in groups {
                readers.extend(past(asking, settings, group, topics, |last| Presence::Away { last })?);
            }
            Ok(readers)
        };
        let shares = groups.chunks(groups.len().div_ceil(ASKED_AT_ONCE).max(1));
        let readers = thread::scope(|scope| {
            let asked: Vec<_> = shares.map(|share| scope.spawn(|| of_each(share))).collect();
            let told =
                asked.into_iter().map(|asked| asked.join().unwrap_or_else(|_| Err("asking panicked".to_owned())));
            told.collect::<Result<Vec<_>, _>>()
        })?;
        Ok(readers.concat())
    }
}

/// Whether a group that reads a topic takes our commands: the bridges of other deployments pass those over.
fn takes_ours(group: &str, topic: &str, ours: &Topics) -> bool {
    !Topics::is_group_of_bridges(group, topic) || group == ours.group_of_bridges(topic)
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
            if group.state() == "Empty" {
                empty.push(group.name().to_owned());
            } else if untold.len() < UNTOLD_MAX {
                untold.push(group.name().to_owned());
            }
        }
    }
    Ok(Membership { readers, untold, empty })
}

/// What a group that tells of no member has read of these topics.
fn past(
    asking: &BaseConsumer<Context>,
    settings: &Settings,
    group: &str,
    topics: &[String],
    presence: fn(String) -> Presence,
) -> Result<impl Iterator<Item = Reader>, String> {
    let committed = committed(asking, settings, group, topics)?;
    let group = group.to_owned();
    Ok(committed.into_iter().map(move |(topic, last)| Reader { topic, group: group.clone(), presence: presence(last) }))
}

/// Of which of these topics a group has committed something, and what the last of our own that did calls itself.
fn committed(
    asking: &BaseConsumer<Context>,
    settings: &Settings,
    group: &str,
    topics: &[String],
) -> Result<BTreeMap<String, String>, String> {
    let config = settings.client(Role::Reader, group);
    let member = BaseConsumer::from_config_and_context(&config, asking.context().as_ref().clone());
    let member = member.map_err(|error| said(&error))?;
    let mut list = TopicPartitionList::new();
    for topic in topics {
        let count = partitions_of(asking.client(), topic).map_err(|why| why.to_string())?.unwrap_or_default();
        for partition in 0..i32::try_from(count).unwrap_or_default() {
            list.add_partition(topic, partition);
        }
    }
    let committed = member.committed_offsets(list, ASK_WITHIN).map_err(|error| said(&error))?;
    let elements = committed.elements();
    let by = elements.iter().filter(|element| matches!(element.offset(), Offset::Offset(_)));
    Ok(by.map(|element| (element.topic().to_owned(), element.metadata().to_owned())).collect())
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
