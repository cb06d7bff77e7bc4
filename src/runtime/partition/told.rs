//! What the partition task is told, and what it wants done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;

use super::defect::Defect;
use super::turnstile::Turnstile;
use super::{IN_FLIGHT_MAX, OWED_MAX};
use crate::engine::{Instance, InstanceId, Place, Run, Summary, Why};
use crate::journal::record::Record;
use crate::journal::{AWAKE_MAX, JournalError, Live, Plans};
use crate::log::{Range, Report, Request, Topics};
use crate::time::Timestamp;

/// What the partition task is told.
#[derive(Clone, Debug)]
pub enum Told {
    /// The log reports.
    Log(Report),
    /// Time has passed: due at [`Partition::wakes_at`](super::Partition::wakes_at), harmless at any other time.
    Tick,
    /// Definitions were deployed. What is running keeps its own, so those must still be in there.
    Plans(Arc<Plans>),
    /// Somebody wants to see an instance: [`Fact::View`].
    Look {
        /// Given back.
        token: u64,
        /// Which.
        instance: InstanceId,
    },
    /// An operator accepts that inputs are lost which retention took before they were read, or which went with their topic,
    /// and lets a partition go on that stopped for [`Stop::InputsLost`], [`Stop::InputsDamaged`] or [`Stop::OtherTopic`].
    /// Journaled. What is lost later stops it again.
    AcceptGap(Signed),
    /// Where the journal begins by now, by the log's word. It may have been cut by others than owners.
    JournalBegins {
        /// The first offset that is there.
        at: u64,
    },
}

/// Who gives an order, and why, as far as that is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signed {
    /// As that person or program calls itself.
    pub by: Option<CompactString>,
    /// Why.
    pub reason: Option<String>,
}

/// What the partition task wants done, in this order.
#[derive(Clone, Debug)]
pub enum Do {
    /// Hand this to the log.
    Ask(Request),
    /// Tell whoever watches.
    Tell(Fact),
    /// Let a partition of this process go on, by a [`Told::Tick`]: it shares a [`Turnstile`] with this one, and one of its
    /// steps is first.
    Wake(u32),
}

/// What those who watch a partition are told. All of it rests on good records: it stays true, whoever owns the
/// partition. What was told before a crash may be told again.
#[derive(Clone, Debug)]
pub enum Fact {
    /// The partition is recovered, with these live instances. What is derived from records can be mended by it.
    Recovered {
        /// The offset of the claim: every good record before it is in here.
        epoch: u64,
        /// How many stand where.
        counts: BTreeMap<Summary, usize>,
        /// By id, the first [`Config::told_max`].
        live: Vec<Recovered>,
    },
    /// The partition is recovered and runs.
    Running {
        /// The offset of the claim.
        epoch: u64,
        /// How many instances are live.
        live: usize,
    },
    /// The partition may be this process's: whoever assigns is asked, or its journal is read.
    Recovering,
    /// It is another's, by the word of whoever assigns.
    Elsewhere,
    /// The state of an owner was dropped; what has not been told as recorded may never be.
    Idle {
        /// Whether a record of its own is not where it should be, or nobody knows.
        is_fenced: bool,
    },
    /// Everything is finished behind [`Report::Revoked`]: the adapter may give the partition away.
    Released,
    /// A record is good. Requests that were accepted or refused are found here by their cause.
    Recorded {
        /// Its offset.
        offset: u64,
        /// The record.
        record: Arc<Record>,
        /// Where the instance stands behind it, if it changes one.
        stands: Option<Stands>,
    },
    /// A request changes nothing, since what it wants is the case already.
    Known {
        /// Its offset in `saga.requests`.
        request: u64,
        /// Which instance it is for.
        instance: InstanceId,
    },
    /// An instance, as of [`Told::Look`].
    View {
        /// As it was asked.
        token: u64,
        /// The instance; `None`: it has not begun, or has ended.
        instance: Option<Arc<Instance>>,
    },
    /// Cannot look: the partition does not run here now.
    Blind {
        /// As it was asked.
        token: u64,
    },
    /// The log refused a message for good which no saga waits for: an answer, or a copy to `saga.dead`.
    Undeliverable {
        /// The topic.
        topic: Arc<str>,
        /// Its key, which is the instance where one is known.
        key: Arc<str>,
        /// Why.
        why: Arc<str>,
    },
    /// The log refused a record of the journal for good. The task goes on without it where it can, or hands it over again.
    Refused {
        /// For people.
        why: String,
    },
    /// Records of the journal were deleted that a recovery needs: its last complete checkpoint is not there any more. The
    /// task writes another at once; until it is complete only this owner knows the state.
    Overtaken {
        /// Where the journal begins.
        begins: u64,
        /// Where that checkpoint began; 0 where there was none.
        checkpoint: u64,
    },
    /// That other checkpoint is complete: whoever recovers finds all that is needed.
    Whole {
        /// Where it began.
        checkpoint: u64,
    },
    /// The log cannot be read for now; the task goes on asking.
    Trouble {
        /// For people.
        why: String,
    },
    /// The partition stands still until a person acts. It begins anew when it is assigned anew.
    Stopped(Arc<Stop>),
}

/// Where an instance stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stands {
    /// In a word.
    pub state: Summary,
    /// The places that wait for a person.
    pub stuck: Vec<Place>,
    /// Why it fails or failed, in short.
    pub why: Option<String>,
    /// Why a step that goes on beyond its retries is repeated.
    pub repeated: Option<Why>,
    /// How it stood before, if it had begun and that is known.
    pub was: Option<Summary>,
    /// When it began.
    pub started: Timestamp,
}

/// Of a row that is kept with every ended instance, so much says why: whoever wants more looks into the instance.
const WHY_MAX: usize = 200;

/// Words of a row, in so many characters at most.
pub(in crate::runtime) fn in_short(text: String) -> String {
    match text.char_indices().nth(WHY_MAX) {
        Some((end, _)) => text.get(..end).map(|cut| format!("{cut}…")).unwrap_or(text),
        None => text,
    }
}

impl Stands {
    pub(crate) fn of(live: &Live) -> Self {
        let Live { instance, plan, .. } = live;
        let state = instance.summary();
        let stuck = if state == Summary::Stuck { instance.stuck(plan) } else { Vec::new() };
        let why = instance.failure().map(|failure| in_short(failure.to_string()));
        let repeated = if state == Summary::Stuck { beyond(instance) } else { None };
        Self { state, stuck, why, repeated, was: None, started: instance.started }
    }
}

fn beyond(instance: &Instance) -> Option<Why> {
    let active = instance.active().into_iter();
    let mut attempts = active.filter_map(|(_, state)| state.attempt()).map(|(_, attempt)| attempt);
    attempts.find(|attempt| attempt.beyond.is_some())?.repeated.as_deref().cloned()
}

/// A live instance as a recovery finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Its id.
    pub id: InstanceId,
    /// Which life of it.
    pub run: Run,
    /// Its saga's name.
    pub saga: CompactString,
    /// The hash of its definition.
    pub definition: Arc<str>,
    /// Where it stands.
    pub stands: Stands,
    /// Changes so far.
    pub seq: u64,
    /// When it began.
    pub started: Timestamp,
    /// When it last changed.
    pub changed: Timestamp,
}

impl Recovered {
    pub(crate) fn of(live: &Live) -> Self {
        let Live { instance, plan, .. } = live;
        Self {
            id: instance.id.clone(),
            run: instance.run,
            saga: plan.saga.name.clone(),
            definition: Arc::clone(&instance.definition),
            stands: Stands::of(live),
            seq: instance.seq,
            started: instance.started,
            changed: instance.changed,
        }
    }
}

/// Why a partition stands still.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// The journal cannot be read, or contradicts itself.
    #[error(transparent)]
    Damaged(#[from] JournalError),
    /// Retention took inputs before they were read.
    #[error(
        "read partition {partition} of {topic} from offset {read}: it begins at {start}, so {} inputs were deleted \
         unread; restore them, or accept the loss with `saga accept-gap`", start - read
    )]
    InputsLost {
        /// Which partition.
        partition: u32,
        /// Which topic.
        topic: Arc<str>,
        /// The next unread offset.
        read: u64,
        /// The first that is there.
        start: u64,
    },
    /// Inputs are damaged.
    #[error(
        "read partition {partition} of {topic} from offset {read}: {why}; to do without {} inputs, accept the loss with \
         `saga accept-gap`", until - read
    )]
    InputsDamaged {
        /// Which partition.
        partition: u32,
        /// Which topic.
        topic: Arc<str>,
        /// The next unread offset.
        read: u64,
        /// The first behind them.
        until: u64,
        /// For people.
        why: String,
    },
    /// The log is damaged where nobody can go on.
    #[error("read partition {partition}: {why}")]
    Unreadable {
        /// Which partition.
        partition: u32,
        /// For people.
        why: String,
    },
    /// The topic ends before what has been read of it.
    #[error(
        "read partition {partition} of {topic} from offset {read}: it ends at {end}, so it was made anew, or has lost its \
         end; restore the old one, or go on at {end} with `saga accept-gap`: what nobody had read of the old one is lost, \
         and what is before {end} is passed over"
    )]
    OtherTopic {
        /// Which partition.
        partition: u32,
        /// Which topic.
        topic: Arc<str>,
        /// The next unread offset.
        read: u64,
        /// Its end.
        end: u64,
    },
    /// Its offsets are not dense.
    #[error(
        "own partition {partition}: the log gave {losses} times in a row an offset to a record that is not the next \
         one, and nothing foreign stands between; the journal needs dense offsets, without transactions or compaction"
    )]
    NotDense {
        /// Which partition.
        partition: u32,
        /// How often.
        losses: u32,
    },
    /// The log takes claims, and never this record.
    #[error(
        "write {record} to partition {partition} of {topic}: the log refused it {times} times, and took other records \
         in between: {why}; let it take such a record, and start again whoever runs the partition"
    )]
    Refused {
        /// Which partition.
        partition: u32,
        /// Which topic.
        topic: Arc<str>,
        /// What it is, and how large.
        record: String,
        /// How often.
        times: u32,
        /// What the log said.
        why: Arc<str>,
    },
}

impl Stop {
    /// Whether an operator can let the partition go on by accepting that inputs are lost.
    #[must_use]
    pub const fn is_gap(&self) -> bool {
        match self {
            Self::InputsLost { .. } | Self::InputsDamaged { .. } | Self::OtherTopic { .. } => true,
            Self::Damaged(_) | Self::Unreadable { .. } | Self::NotDense { .. } | Self::Refused { .. } => false,
        }
    }
}

/// Why reading a topic of inputs cannot go on at an offset, where the topic has these; none if it can.
#[must_use]
pub fn lost(partition: u32, topic: &Arc<str>, read: u64, range: Range) -> Option<Stop> {
    let topic = || Arc::clone(topic);
    if read > range.end {
        return Some(Stop::OtherTopic { partition, topic: topic(), read, end: range.end });
    }
    (read < range.start).then(|| Stop::InputsLost { partition, topic: topic(), read, start: range.start })
}

/// How a partition is run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The partition's number.
    pub partition: u32,
    /// How many partitions the `saga.*` topics have.
    pub partitions: u32,
    /// The names of the topics.
    pub topics: Topics,
    /// The owner's name, for people who read the journal.
    pub owner: CompactString,
    /// How long ended instances are remembered, so that a repeated start is recognised.
    pub remember: Duration,
    /// How far back the journal is kept, beyond what recovery needs.
    pub retain: Duration,
    /// The least growth of the journal, in bytes, after which a checkpoint is taken.
    pub checkpoint_bytes: u64,
    /// The most live instances; then starts are refused as busy.
    pub live_max: usize,
    /// The most journal records under way at once: [`IN_FLIGHT_MAX`](super::IN_FLIGHT_MAX), and less in tests.
    pub in_flight_max: usize,
    /// The most live instances of which a recovery tells one by one: all, where whoever watches keeps something of each.
    pub told_max: usize,
    /// The most live instances that are awake: [`AWAKE_MAX`], and fewer in tests.
    pub awake_max: usize,
    /// The most messages owed to the world: [`OWED_MAX`](super::OWED_MAX), and less in tests.
    pub owed_max: usize,
    /// Where steps wait for participants with limits.
    pub turns: Arc<Turnstile>,
    /// How long a release waits for what is under way: at most half of the rebalance timeout.
    pub release: Duration,
    /// Always `None`, but in the tests of the simulator: a fault in the protocol that it must catch.
    #[doc(hidden)]
    pub defect: Option<Defect>,
    /// Always false, but in tests: the engine panics at every reply, which the protocol must bear.
    #[doc(hidden)]
    pub panics_at_replies: bool,
}

impl Config {
    /// With the usual limits.
    #[must_use]
    pub fn new(partition: u32, partitions: u32, owner: impl Into<CompactString>) -> Self {
        Self {
            partition,
            partitions,
            topics: Topics::default(),
            owner: owner.into(),
            remember: Duration::from_hours(1),
            retain: Duration::from_hours(7 * 24),
            checkpoint_bytes: 8 << 20,
            live_max: 1_000_000,
            in_flight_max: IN_FLIGHT_MAX,
            told_max: usize::MAX,
            awake_max: AWAKE_MAX,
            owed_max: OWED_MAX,
            turns: Turnstile::of_partition(partition, partitions),
            release: Duration::from_secs(15),
            defect: None,
            panics_at_replies: false,
        }
    }
}
