//! Who reads the topics of commands, as far as the broker tells.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::commits::{Commits, Ends, Progress};
use super::context::Context;
use super::settings::Settings;
use super::topics::{ASK_WITHIN, said};
use crate::log::{Silence, Topics, Unread};

/// Groups of whose members the broker does not tell that are asked one by one what they have committed: each costs a
/// connection and some 100 ms.
const GROUPS_MAX: usize = 100;

/// How long groups are asked for whoever wants to know what nobody reads: it is asked again and again, and somebody waits.
const UNREAD_WITHIN: Duration = Duration::from_secs(1);

/// How long the ends of topics are asked for behind that, a few milliseconds for each partition.
const ENDS_WITHIN: Duration = Duration::from_millis(500);

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
    /// Of these topics, and maybe others; whether it is seen to read on.
    Committed(BTreeMap<String, bool>),
}

impl Membership {
    /// Of these topics those that no member that is known of takes our commands from. What else may read them is asked for a
    /// moment only.
    pub(super) fn unread(
        &self,
        asking: &BaseConsumer<Context>,
        (settings, ours): (&Settings, &Topics),
        topics: &[String],
        progress: &Progress,
    ) -> Unread {
        let unread: Vec<String> = topics.iter().filter(|topic| !self.is_read(topic, ours)).cloned().collect();
        let may_read_one = |group: &&String| unread.iter().any(|topic| may_read(group, topic, ours));
        let groups: Vec<&String> = self.untold.iter().filter(may_read_one).collect();
        let mut pasts: BTreeMap<String, Past> = groups.iter().map(|group| ((*group).clone(), Past::Unasked)).collect();
        let until = Instant::now() + UNREAD_WITHIN;
        if !groups.is_empty()
            && let Ok(commits) = Commits::of_all(asking, settings, &unread, UNREAD_WITHIN)
        {
            let asked = commits.of_each(groups.get(..GROUPS_MAX).unwrap_or(&groups), Some(until));
            let mut ends = Ends::new(&commits, Instant::now() + ENDS_WITHIN);
            for (group, told) in asked {
                if let Ok(committed) = told {
                    let reads_on = |(topic, of): (String, _)| {
                        let is_wanted = unread.contains(&topic);
                        let reads_on = is_wanted && progress.reads_on((&group, &topic), &of, &mut ends);
                        (topic, reads_on)
                    };
                    let committed = committed.into_iter().map(reads_on).collect();
                    pasts.insert(group, Past::Committed(committed));
                }
            }
        }
        unread.into_iter().filter_map(|topic| silence(topic, &pasts, ours)).collect()
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
        readers.extend(committed?.into_iter().map(|(topic, of)| (topic, of.last)).map(reader));
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
/// reads on is there; one that has committed something of other topics alone reads those; one that has committed nothing at
/// all may have just come.
fn silence(topic: String, pasts: &BTreeMap<String, Past>, ours: &Topics) -> Option<(String, Silence)> {
    let (mut read, mut new, mut unasked) = (Vec::new(), Vec::new(), Vec::new());
    for (group, past) in pasts.iter().filter(|(group, _)| may_read(group, &topic, ours)) {
        match past {
            Past::Committed(topics) if topics.get(&topic) == Some(&true) => return None,
            Past::Committed(topics) if topics.contains_key(&topic) => read.push(&**group),
            Past::Committed(topics) if topics.is_empty() => new.push(&**group),
            Past::Committed(_) => {}
            Past::Unasked => unasked.push(&**group),
        }
    }
    let why = if !read.is_empty() {
        let (groups, it, has) = named(&read);
        let is = if read.len() == 1 { "is" } else { "are" };
        format!(
            "{groups} {has} read it and {is} not seen to read on; the broker does not tell whether {it} {has} members (KIP-848)"
        )
    } else if !new.is_empty() {
        let (groups, it, has) = named(&new);
        format!(
            "{groups} {has} committed nothing so far, and the broker does not tell what members {it} {has} (KIP-848)"
        )
    } else if !unasked.is_empty() {
        let (groups, it, has) = named(&unasked);
        format!("{groups} did not say in time what {it} {has} read, and the broker does not tell of members (KIP-848)")
    } else {
        return Some((topic, Silence::Certain));
    };
    Some((topic, Silence::Untold(why)))
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
        let committed = |topics: &[(&str, bool)]| {
            Past::Committed(topics.iter().map(|(topic, reads_on)| ((*topic).to_owned(), *reads_on)).collect())
        };
        let (hotel, new, other) =
            (committed(&[("hotel.commands", false)]), committed(&[]), committed(&[("logs", false)]));
        for (groups, why) in [
            (&[][..], None),
            (&[("logs", &other)][..], None),
            (&[("hotels", &hotel), ("new", &new)], Some("the group hotels has read it and is not seen to read on")),
            (&[("logs", &other), ("new", &new)], Some("the group new has committed nothing so far")),
            (
                &[("slow", &Past::Unasked), ("logs", &other)],
                Some("the group slow did not say in time what it has read"),
            ),
            (&[("slow", &Past::Unasked), ("hotels", &hotel)], Some("the group hotels has read it")),
            (
                &[("a", &hotel), ("b", &hotel), ("c", &hotel), ("d", &hotel), ("e", &hotel)],
                Some(
                    "the groups a, b, c and 2 more have read it and are not seen to read on; the broker does not tell whether they have",
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
            match (silence("hotel.commands".to_owned(), &pasts, &ours), why) {
                (Some((_, Silence::Certain)), None) => {}
                (Some((_, Silence::Untold(said))), Some(why)) => assert!(said.starts_with(why), "{said}"),
                (silence, _) => panic!("{groups:?}: {silence:?}"),
            }
        }
        let groups = [("away", hotel), ("hotels", committed(&[("hotel.commands", true)]))];
        let pasts = groups.map(|(group, past)| (group.to_owned(), past)).into();
        assert_eq!(silence("hotel.commands".to_owned(), &pasts, &ours), None, "one of them reads on");
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
