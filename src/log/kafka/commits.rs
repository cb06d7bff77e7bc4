//! What groups have committed, and whether they read on: of groups of whose members the broker does not tell, that is all
//! there is to see.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::asking::watermarks;
use super::context::Context;
use super::settings::{Role, Settings};
use super::topics::{ASK_WITHIN, each, said};

/// So many groups are asked at once: nearly all of that is waiting.
const ASKED_AT_ONCE: usize = 10;

/// Partitions of other topics of which a group is asked for what it has committed: an answer of some 50 kB. Who has committed
/// something of the others alone stays unknown.
const OTHERS_MAX: usize = 1_000;

/// A group counts as one that reads on for so long after it was seen to have committed more than before: longer than clients
/// wait before they commit, which is 5 s by default, and than servers wait before they look again.
const READS_ON_FOR: Duration = Duration::from_mins(1);

/// What a group had committed is kept for so long after somebody looked.
const KEPT_FOR: Duration = Duration::from_mins(10);

/// Topics of which a group has committed something.
pub(super) type Committed = BTreeMap<String, OfTopic>;

/// What a group has committed of a topic.
#[derive(Debug, Default)]
pub(super) struct OfTopic {
    /// What the last of our own that did calls itself.
    pub(super) last: String,
    /// Offsets by partition: before them everything is handled.
    handled: BTreeMap<i32, i64>,
}

/// Asks groups what they have committed of some partitions.
pub(super) struct Commits<'a> {
    asking: &'a BaseConsumer<Context>,
    settings: &'a Settings,
    partitions: TopicPartitionList,
}

impl<'a> Commits<'a> {
    /// Of these topics.
    pub(super) fn of(
        asking: &'a BaseConsumer<Context>,
        settings: &'a Settings,
        topics: &[String],
    ) -> Result<Self, String> {
        let counts = each(asking, topics, Duration::ZERO)?;
        let mut partitions = TopicPartitionList::new();
        for (topic, count) in topics.iter().zip(counts) {
            add(&mut partitions, topic, count.and_then(|count| i32::try_from(count).ok()).unwrap_or_default());
        }
        Ok(Self { asking, settings, partitions })
    }

    /// Of these topics, and of others, which tell who reads something else.
    pub(super) fn of_all(
        asking: &'a BaseConsumer<Context>,
        settings: &'a Settings,
        topics: &[String],
        within: Duration,
    ) -> Result<Self, String> {
        let metadata = asking.fetch_metadata(None, within).map_err(|error| said(&error))?;
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
    pub(super) fn of_each(
        &self,
        groups: &[&String],
        until: Option<Instant>,
    ) -> Vec<(String, Result<Committed, String>)> {
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
        let mut told = Committed::new();
        for element in elements {
            if let Offset::Offset(offset) = element.offset() {
                let of = told.entry(element.topic().to_owned()).or_default();
                element.metadata().clone_into(&mut of.last);
                of.handled.insert(element.partition(), offset);
            }
        }
        Ok(told)
    }
}

fn add(partitions: &mut TopicPartitionList, topic: &str, count: i32) {
    for partition in 0..count {
        partitions.add_partition(topic, partition);
    }
}

/// The ends of topics' partitions, as far as they are told by an instant; each topic is asked for once.
pub(super) struct Ends<'a> {
    commits: &'a Commits<'a>,
    until: Instant,
    known: BTreeMap<String, Option<BTreeMap<i32, i64>>>,
}

impl<'a> Ends<'a> {
    /// Of topics of which groups are asked.
    pub(super) const fn new(commits: &'a Commits<'a>, until: Instant) -> Self {
        Self { commits, until, known: BTreeMap::new() }
    }

    /// Of the partitions that have records.
    fn of(&mut self, topic: &str) -> Option<&BTreeMap<i32, i64>> {
        let (Commits { asking, partitions, .. }, until) = (self.commits, self.until);
        let ask = || -> Option<BTreeMap<i32, i64>> {
            let within = || Some(until.saturating_duration_since(Instant::now())).filter(|within| !within.is_zero());
            let mut ends = BTreeMap::new();
            for element in partitions.elements_for_topic(topic) {
                let (low, high) = watermarks(asking, topic, element.partition(), within()?).ok()?;
                if low < high {
                    ends.insert(element.partition(), high);
                }
            }
            Some(ends)
        };
        self.known.entry(topic.to_owned()).or_insert_with(ask).as_ref()
    }
}

/// How far groups had come with topics when somebody looked: as many groups as are asked in a look, and topics of commands.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<BTreeMap<(String, String), Seen>>);

#[derive(Debug)]
struct Seen {
    /// The sum of its offsets.
    handled: i64,
    /// When somebody looked last.
    looked: Instant,
    /// When it was found to be more than before.
    rose: Option<Instant>,
}

impl Progress {
    /// Whether a group reads a topic on: it has handled all of it, or was seen to handle more of late.
    pub(super) fn reads_on(&self, (group, topic): (&str, &str), of: &OfTopic, ends: &mut Ends<'_>) -> bool {
        let rises = self.rises((group, topic), of.handled.values().sum(), Instant::now());
        rises || ends.of(topic).is_some_and(|ends| has_all(&of.handled, ends))
    }

    fn rises(&self, (group, topic): (&str, &str), handled: i64, now: Instant) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, seen| now.saturating_duration_since(seen.looked) < KEPT_FOR);
        let seen = all.entry((group.to_owned(), topic.to_owned())).or_insert(Seen { handled, looked: now, rose: None });
        if handled > seen.handled {
            seen.rose = Some(now);
        }
        (seen.handled, seen.looked) = (handled, now);
        seen.rose.is_some_and(|rose| now.saturating_duration_since(rose) < READS_ON_FOR)
    }
}

fn has_all(handled: &BTreeMap<i32, i64>, ends: &BTreeMap<i32, i64>) -> bool {
    ends.iter().all(|(partition, end)| handled.get(partition).is_some_and(|handled| handled >= end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_handled_all_or_handles_more_reads_on() {
        let ends = BTreeMap::from([(0, 5), (2, 7)]);
        for (handled, all) in [
            (&[(0, 5), (2, 7)][..], true),
            (&[(0, 5), (1, 3), (2, 9)], true),
            (&[(0, 5), (2, 6)], false),
            (&[(0, 5)], false),
        ] {
            assert_eq!(has_all(&handled.iter().copied().collect(), &ends), all, "{handled:?}");
        }
        let (progress, began) = (Progress::default(), Instant::now());
        let rises = |handled, after| progress.rises(("hotels", "hotel.commands"), handled, began + after);
        assert!(!rises(5, Duration::ZERO), "nobody has looked before");
        assert!(!rises(5, Duration::from_secs(1)), "nothing more");
        assert!(rises(6, Duration::from_secs(2)));
        assert!(rises(6, Duration::from_secs(2) + READS_ON_FOR / 2), "a while ago");
        assert!(!rises(6, Duration::from_secs(2) + READS_ON_FOR));
        assert!(!rises(9, KEPT_FOR * 2), "how far it had come is forgotten");
        assert!(!progress.rises(("hotels", "car.commands"), 6, began), "another topic");
    }
}
