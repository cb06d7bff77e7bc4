//! Who reads the topics of commands, as far as the broker tells.

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::context::Context;
use super::settings::{Role, Settings};
use super::topics::{ASK_WITHIN, partitions_of, said};

/// Groups that are asked one by one, which costs a connection each.
const UNTOLD_MAX: usize = 20;

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
            let count = partitions_of(asking.client(), topic).map_err(|why| why.to_string())?.unwrap_or_default();
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
}
