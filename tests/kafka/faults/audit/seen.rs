//! What stands in the topics, as the auditor has it: bytes, and as little else as possible.

use std::collections::BTreeMap;

use serde_json::Value;

/// A message where it stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) offset: u64,
    pub(crate) key: Vec<u8>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) payload: Vec<u8>,
}

impl Seen {
    /// A header's text, if it is text; of several of one name the first.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        std::str::from_utf8(value).ok()
    }

    /// An attribute's text, if the payload is an object that has it.
    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        let event: Value = serde_json::from_slice(&self.payload).ok()?;
        Some(event.get(name)?.as_str()?.to_owned())
    }
}

/// All topics, each partition in the order of its offsets, from offset 0 on: also what has been cut since.
#[derive(Clone, Debug, Default)]
pub(crate) struct Topics(BTreeMap<String, BTreeMap<u32, Vec<Seen>>>);

impl Topics {
    pub(crate) fn put(&mut self, topic: &str, partition: u32, seen: Seen) {
        self.0.entry(topic.to_owned()).or_default().entry(partition).or_default().push(seen);
    }

    pub(crate) fn partition(&self, topic: &str, partition: u32) -> &[Seen] {
        self.0.get(topic).and_then(|of| of.get(&partition)).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn partition_mut(&mut self, topic: &str, partition: u32) -> &mut Vec<Seen> {
        self.0.entry(topic.to_owned()).or_default().entry(partition).or_default()
    }

    /// All of a topic, with their partitions.
    pub(crate) fn all<'a>(&'a self, topic: &str) -> impl Iterator<Item = (u32, &'a Seen)> {
        let of_topic = self.0.get(topic).into_iter().flatten();
        of_topic.flat_map(|(partition, all)| all.iter().map(|seen| (*partition, seen)))
    }

    pub(crate) fn partitions(&self, topic: &str) -> impl Iterator<Item = u32> {
        self.0.get(topic).into_iter().flat_map(BTreeMap::keys).copied()
    }

    /// The message at an offset.
    pub(crate) fn at(&self, topic: &str, partition: u32, offset: u64) -> Option<&Seen> {
        let all = self.partition(topic, partition);
        all.binary_search_by_key(&offset, |seen| seen.offset).ok().map(|index| &all[index])
    }
}

/// `3/1042`: a partition of the journal, and an offset in it.
pub(crate) fn place(text: &str) -> Option<(u32, u64)> {
    let (partition, offset) = text.split_once('/')?;
    Some((partition.parse().ok()?, offset.parse().ok()?))
}
