//! The owner of one partition, as a state machine without I/O: `docs/protocol.md`, "Owning a partition".
//!
//! ```text
//!   idle -assigned-> confirming -> asking for the last record -> claiming -> recovering -> running -revoked-> idle
//!                        ^                                          |            |            |
//!                        +------------- not ours, unknown, a stray record behind the claim ---+  fenced
//! ```
//!
//! [`Partition::handle`] takes what the world tells and says what it should do. It never waits and never reads a
//! clock, so thousands of seeds of a simulation drive the very code that runs over a real log. It does not know which
//! log that is; it trusts no acknowledgement that is not at its place.

mod told;
mod defect;
mod setting;
mod considered;
mod effects;
mod feed;
mod recovery;
mod tenure;
mod timers;
mod turnstile;
mod asked;
mod inputs;
mod reports;
mod work;
mod checkpoint;
mod phases;
mod losses;

use std::sync::Arc;
use std::time::Duration;

pub use defect::Defect;
#[cfg(feature = "otlp")]
pub(in crate::runtime) use setting::FORWARDED;
pub(in crate::runtime) use told::in_short;
pub use told::{Config, Do, Fact, Recovered, Signed, Stands, Stop, Told, lost};
pub use turnstile::Turnstile;

use self::losses::Renewed;
use self::phases::Phase;
use self::setting::Setting;
use crate::journal::record::Positions;
use crate::journal::{Ledger, Plans};
use crate::log::Ticket;
use crate::time::Timestamp;

/// The most journal records under way at once: enough to fill a group commit or a round trip to a broker.
pub const IN_FLIGHT_MAX: usize = 1_000;
/// The most messages that are owed to the world; then reading stops, since the log of commands is behind. About two for
/// each record under way: more would be memory without speed, some three kilobytes each with the log's own copy.
pub const OWED_MAX: usize = 2_000;
/// So many times as many may be counted from the first that is owed on, those that are done among them: one that cannot be
/// delivered for now, such as an answer to a topic that is not there, holds nobody else up. A crash repeats them.
pub const OWED_SPAN: usize = 10;
/// The most bytes of messages that are owed; then reading stops.
pub const OWED_BYTES_MAX: usize = 64 << 20;
/// The largest state of an instance, in bytes of its records: its snapshot must fit a record.
pub const INSTANCE_MAX: usize = 8 << 20;
/// The most parked inputs of an instance; then they are refused as busy. They stand in one record of a checkpoint.
pub const PARKED_MAX: usize = 1_000;
/// The most bytes of parked inputs of an instance.
pub const PARKED_BYTES_MAX: usize = 4 << 20;
/// The most ended instances that are remembered: about 100 MB of memory.
pub const REMEMBERED_MAX: usize = 1_000_000;
/// How often an owner that is otherwise silent says where it stands.
pub const MARK_EVERY: Duration = Duration::from_secs(1);
/// How long the task waits before it asks a log again that could not answer.
pub const ASK_AGAIN: Duration = Duration::from_millis(250);
/// A claim that took longer is made again: an owner's clock is ahead of the log's by as long.
pub const CLAIM_WITHIN: Duration = Duration::from_secs(10);
/// An owner whose clock is so far behind the log's claims again, to read it anew: its commands would be too late before they are
/// sent. Clocks of brokers that are told the time differ by less.
pub const BEHIND_MAX: Duration = Duration::from_secs(10);
/// So often at most, since clocks of brokers that are wrong for long cannot be put right by that.
pub const READ_CLOCK_EVERY: Duration = Duration::from_mins(10);
/// So many claims in a row may take long; the next one counts all the same, since the log is like that.
pub const SLOW_MAX: u32 = 3;
/// So many times in a row records may be misplaced by holes in the offsets, before it is called what it is.
pub const LOSSES_MAX: u32 = 3;
/// So many tenures in a row may end by a record that the log refuses, although it takes the claims in between. What it
/// refuses for a reason that passes (a right, a topic without a leader) it takes by then, or refuses the claims as well.
pub const REFUSALS_MAX: u32 = 3;

/// One partition, owned or not.
#[derive(Debug)]
pub struct Partition {
    set: Setting,
    phase: Phase,
    /// Claims so far, so that each recognises itself.
    attempts: u64,
    losses: u32,
    /// Tenures in a row that ended by a record that the log refused.
    refusals: u32,
    /// Claims in a row that took long.
    slow: u32,
    /// Where the last tenure was whose record was misplaced.
    misplaced: Option<u64>,
    /// Tickets of claims, for a defect.
    claims: Vec<Ticket>,
    /// An operator accepts that inputs were lost.
    accepts_gap: bool,
    /// Which one did last.
    accepted: Signed,
    /// Topics of inputs that are others than were read.
    renewed: Renewed,
    now: Duration,
}

impl Partition {
    /// A partition that is not assigned yet.
    #[must_use]
    pub fn new(config: Config, plans: Arc<Plans>) -> Self {
        Self {
            set: Setting::new(config, plans),
            phase: Phase::Idle,
            attempts: 0,
            losses: 0,
            refusals: 0,
            slow: 0,
            misplaced: None,
            claims: Vec::new(),
            accepts_gap: false,
            accepted: Signed::default(),
            renewed: Renewed::default(),
            now: Duration::ZERO,
        }
    }

    /// Takes what the world tells, at a monotonic time since any fixed instant, and adds to `out` what is to be done,
    /// in its order. What is told together is all known before anything is made of it.
    pub fn handle(&mut self, told: impl IntoIterator<Item = Told>, now: Duration, out: &mut Vec<Do>) {
        self.now = self.now.max(now);
        told.into_iter().for_each(|told| self.step(told, out));
        self.work(out);
    }

    /// What the partition knows, its latest records included that are not good yet; `None` while it does not run here.
    #[must_use]
    pub fn ledger(&self) -> Option<&Ledger> {
        if let Phase::Running(tenure) = &self.phase { Some(&tenure.ledger) } else { None }
    }

    /// The offset of its claim, while it runs.
    #[must_use]
    pub const fn epoch(&self) -> Option<u64> {
        if let Phase::Running(tenure) = &self.phase { Some(tenure.epoch) } else { None }
    }

    /// What its owner's clock shows at a time of [`handle`](Self::handle), while it runs.
    #[must_use]
    pub fn time(&self, now: Duration) -> Option<Timestamp> {
        if let Phase::Running(tenure) = &self.phase { Some(tenure.clock.now(now)) } else { None }
    }

    /// Up to where its inputs are read and handled, while it runs, and while it stands still where it knew that.
    #[must_use]
    pub fn read(&self) -> Option<Positions> {
        match &self.phase {
            Phase::Running(tenure) => Some(tenure.read()),
            Phase::Stopped { read, .. } => *read,
            _ => None,
        }
    }

    /// When [`Told::Tick`] is due, by the time of [`handle`](Self::handle): at once if that is in the past.
    #[must_use]
    pub fn wakes_at(&self) -> Option<Duration> {
        self.phase.wakes_at()
    }
}
