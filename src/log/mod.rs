//! The port to the log: topics of partitions of records with dense offsets, and who owns which partition.
//!
//! ```text
//!   partition task --Request--> adapter          adapter --Report--> partition task
//! ```
//!
//! Requests and reports are data, so that one partition task runs over a Kafka client with its delivery callbacks, over
//! an embedded file with its group commit, and over a simulator with a seed. A request never waits; what came of it is
//! a report that carries its ticket. An adapter owns buffering, batching and its threads. It does not own any rule of
//! `docs/protocol.md`: it may lose, double and reorder what it has not acknowledged, and it must keep what it has.

mod topics;
mod health;
mod endpoint;
#[cfg(test)]
pub(crate) mod listening;
mod site;
pub mod embedded;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod simulated;

use std::sync::Arc;

use crate::time::Timestamp;
use crate::wire::Message;

pub use health::{Denial, Health, Right};
pub use site::{Member, Silence, Site, Take, Told, Unread};
pub use topics::{PREFIX_MAX, PREFIX_USUAL, Topics};

/// Requests to the engine, from anybody: starts and orders.
pub const REQUESTS: &str = "saga.requests";
/// Replies of participants.
pub const REPLIES: &str = "saga.replies";
/// The journal: the truth.
pub const JOURNAL: &str = "saga.journal";
/// Inputs that nobody can read or place, with the reason.
pub const DEAD: &str = "saga.dead";
/// The sources of definitions; one partition, see `docs/protocol.md`.
pub const DEFINITIONS: &str = "saga.definitions";

/// Among the [`DEFINITIONS`] of a log whose topics others can change, what the key of the record begins with that says
/// how many partitions the deployment has: the number stands behind it, so that compaction keeps the first of several,
/// which counts.
pub const PARTITIONS: &str = "partitions/";

/// Partitions of every `saga.*` topic where nobody chose otherwise.
pub const PARTITIONS_DEFAULT: u32 = 12;

/// The largest record that an adapter must take on [`JOURNAL`], in bytes of its value: a snapshot of an instance at its
/// limit of 8 MiB, escaped and wrapped. (Kafka: `max.message.bytes` of the topic, and of the producer.)
pub const RECORD_MAX: usize = 16 << 20;

/// The largest record that an adapter must take on [`DEFINITIONS`], in bytes of its value: the source of a file at the
/// limit of the language.
pub const DEFINITION_MAX: usize = 4 << 20;

/// The most that one report of records should hold, in bytes; one record is always given, whatever its size.
pub const READ_MAX: usize = 1 << 20;

/// Names a request in its report. Chosen by the asker, rising; means nothing to an adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What a partition's owner asks of the log.
#[derive(Clone, Debug)]
pub enum Request {
    /// Is this process still the partition's owner? Answered by a round trip to whoever assigns, never from memory:
    /// [`Report::Confirmed`] or [`Report::Stale`]. (Kafka: a synchronous commit in the consumer group.)
    Confirm {
        /// Named in the report.
        ticket: Ticket,
    },
    /// The last record of this partition of a topic: [`Report::Last`].
    Last {
        /// Named in the report.
        ticket: Ticket,
        /// Which topic.
        topic: Arc<str>,
    },
    /// Where this partition of a topic ends by now, and no earlier than this is asked: [`Report::End`] or
    /// [`Report::Failed`]. (Kafka: the high watermark, by the broker's word.) An earlier read that has something to give
    /// is answered first where an adapter can tell.
    End {
        /// Named in the report.
        ticket: Ticket,
        /// Which topic.
        topic: Arc<str>,
    },
    /// Puts a message behind all others: [`Report::Appended`].
    ///
    /// Appends are pipelined: up to [`IN_FLIGHT_MAX`](crate::runtime::partition::IN_FLIGHT_MAX) journal records are
    /// under way at once, and an adapter should send those of one batch of requests together. It tries to land those
    /// of one topic in order, but nothing is unsafe if it fails to.
    Append(Append),
    /// Records of this partition of a topic from an offset on: [`Report::Records`], [`Report::OutOfRange`] or
    /// [`Report::Failed`]. At the log's end it waits for a record. A second read of the same topic replaces the first,
    /// whose report need not come.
    Read {
        /// Named in the report.
        ticket: Ticket,
        /// Which topic.
        topic: Arc<str>,
        /// The offset of the first record.
        from: u64,
    },
    /// Records of this partition of a topic before an offset may go, now or later. No report; a failure is repeated
    /// by the next truncation.
    Truncate {
        /// Which topic.
        topic: Arc<str>,
        /// The first offset that stays.
        before: u64,
    },
}

/// A message for the end of a partition.
#[derive(Clone, Debug)]
pub struct Append {
    /// Named in the report.
    pub ticket: Ticket,
    /// Which topic.
    pub topic: Arc<str>,
    /// Which partition; `None`: [`partition_of`] the message's key, with that topic's number of partitions.
    pub partition: Option<u32>,
    /// What; shared, since the asker keeps it until it is acknowledged.
    pub message: Arc<Message>,
    /// Whether it may wait for a topic that is gone for the moment, and is not refused at once. Not for one whose name
    /// comes from outside: it may never be there.
    pub waits: bool,
}

/// What the log tells a partition's owner.
#[derive(Clone, Debug)]
pub enum Report {
    /// This process is the partition's owner from here on, as far as is known.
    Assigned,
    /// It should let go: the partition task finishes what is under way and says when it is done.
    Revoked,
    /// The assignment holds.
    Confirmed {
        /// Of the request.
        ticket: Ticket,
    },
    /// It does not: another owns the partition. The adapter joins again by itself and says `Assigned` when it holds.
    Stale {
        /// Of the request.
        ticket: Ticket,
    },
    /// The end of a topic's partition.
    Last {
        /// Of the request.
        ticket: Ticket,
        /// The last record, if there is one.
        last: Option<Stored>,
        /// Which offsets there are.
        range: Range,
    },
    /// Which offsets a topic's partition has.
    End {
        /// Of the request.
        ticket: Ticket,
        /// Which.
        range: Range,
    },
    /// What came of an append. One for each append, in any order.
    Appended {
        /// Of the request.
        ticket: Ticket,
        /// What.
        outcome: Outcome,
    },
    /// Records, with offsets that rise by one; at least one.
    Records {
        /// Of the request.
        ticket: Ticket,
        /// In their order.
        records: Vec<Stored>,
        /// Which offsets there were when they were read.
        range: Range,
    },
    /// A read before the start or beyond the end.
    OutOfRange {
        /// Of the request.
        ticket: Ticket,
        /// Which offsets there are.
        range: Range,
    },
    /// A request other than an append could not be done for now. The task asks again.
    Failed {
        /// Of the request.
        ticket: Ticket,
        /// For people.
        why: String,
    },
    /// The records that were asked for are not what was written, and never will be again.
    Damaged {
        /// Of the request.
        ticket: Ticket,
        /// For people.
        why: String,
        /// The first offset behind them, where that can be told.
        until: Option<u64>,
    },
}

/// What came of an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is durable, at this offset.
    At(u64),
    /// It may be there or not, or may come later; or where it is cannot be told for certain. (Kafka: a timeout, and
    /// every success whose offset the client made up.)
    Unknown,
    /// It is not there and never will be, and a repeat would end the same way: too large, no such topic, not allowed.
    Refused(Arc<str>),
}

/// The offsets of a topic's partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The first that is still there.
    pub start: u64,
    /// The one that the next append gets.
    pub end: u64,
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where it is.
    pub offset: u64,
    /// When the log took it, by the log's clock.
    pub timestamp: Timestamp,
    /// What it is.
    pub message: Arc<Message>,
}

/// A log, as one process has it open. Cheap to share.
///
/// Reports go to the [`Reports`] that was given when the adapter was opened, from any thread.
pub trait Log: Send + Sync {
    /// Takes requests of the owner of a partition, in their order. Returns at once: what would wait is queued, and the
    /// asker limits what it has under way.
    fn submit(&self, partition: u32, requests: Vec<Request>);

    /// Whether it is known by now which partitions are this owner's; none is an answer, too.
    fn has_joined(&self) -> bool {
        true
    }

    /// The owner of a partition has finished behind [`Report::Revoked`]: it may be given to another at once.
    fn released(&self, _partition: u32) {}
}

/// Where an adapter's reports go.
pub trait Reports: Send + Sync {
    /// Takes reports for the owner of a partition, in the order in which the adapter learned of them.
    fn report(&self, partition: u32, reports: Vec<Report>);
}

/// The partition of a key, as Kafka's default partitioner has it: `murmur2(key) mod count`.
#[must_use]
pub fn partition_of(key: &str, count: u32) -> u32 {
    // The sign bit is dropped, not the number negated: that is what Kafka does.
    (murmur2(key.as_bytes()) & 0x7fff_ffff) % count.max(1)
}

/// Murmur2 with Kafka's seed.
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k = (k ^ (k >> R)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::murmur2;

    /// The vectors of Kafka's own `UtilsTest`.
    #[test]
    fn murmur2_is_that_of_kafka() {
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }
}
