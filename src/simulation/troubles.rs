//! What may go wrong in a world, by name.

use std::collections::BTreeSet;

use crate::log::simulated::Faults;

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// An append never lands and is reported unknown.
    Lost,
    /// An append lands and is reported unknown.
    Unacknowledged,
    /// An append is reported unknown and lands later, or never.
    Late,
    /// An append lands twice.
    Doubled,
    /// An append overtakes an earlier one.
    Reordered,
    /// An older record stands in an append's place.
    Replaced,
    /// An append is said to be where it is not.
    Mistaken,
    /// A command or answer is refused by the log for good.
    Refused,
    /// A read or a question to the log fails for now.
    Failed,
    /// There is no room in the log for a while: appends wait, or nobody knows of them.
    FullDisk,
    /// Orchestrators die between any two actions, and begin anew.
    Crash,
    /// Partitions go from one orchestrator to another.
    Rebalance,
    /// Orchestrators stand still past their session and go on as if nothing had been.
    Pause,
    /// Retention takes inputs that nobody has read.
    Retention,
    /// Everything stands still for longer than guards keep their rows.
    LongPause,
    /// The engine panics at replies.
    Panic,
    /// Somebody writes into journals what is no record.
    Stranger,
    /// Participants' clocks are behind.
    SlowClock,
    /// Orchestrators' clocks, and the log's, leap ahead and fall back.
    ClockJump,
    /// Participants refuse, stumble, crash before they reply, reply twice and in the wrong place.
    Participant,
    /// Clients repeat, contradict, cancel, order, ask in the wrong place and out of order.
    Client,
    /// Operators resolve, repeat and cancel what is stuck, and what is not: twice, late, against each other.
    Operator,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::Lost,
        Self::Unacknowledged,
        Self::Late,
        Self::Doubled,
        Self::Reordered,
        Self::Replaced,
        Self::Mistaken,
        Self::Refused,
        Self::Failed,
        Self::FullDisk,
        Self::Crash,
        Self::Rebalance,
        Self::Pause,
        Self::Retention,
        Self::LongPause,
        Self::Panic,
        Self::Stranger,
        Self::SlowClock,
        Self::ClockJump,
        Self::Participant,
        Self::Client,
        Self::Operator,
    ];

    /// Its name, for people and programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Unacknowledged => "unacknowledged",
            Self::Late => "late",
            Self::Doubled => "doubled",
            Self::Reordered => "reordered",
            Self::Replaced => "replaced",
            Self::Mistaken => "mistaken",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::FullDisk => "full-disk",
            Self::Crash => "crash",
            Self::Rebalance => "rebalance",
            Self::Pause => "pause",
            Self::Retention => "retention",
            Self::LongPause => "long-pause",
            Self::Panic => "panic",
            Self::Stranger => "stranger",
            Self::SlowClock => "slow-clock",
            Self::ClockJump => "clock-jump",
            Self::Participant => "participant",
            Self::Client => "client",
            Self::Operator => "operator",
        }
    }

    /// What it does, for people.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Lost => "an append never lands, and nobody knows",
            Self::Unacknowledged => "an append lands, and nobody knows",
            Self::Late => "an append lands long after it was given up, or never",
            Self::Doubled => "an append lands twice",
            Self::Reordered => "an append overtakes an earlier one",
            Self::Replaced => "an older record stands where an append should",
            Self::Mistaken => "an append is said to be where it is not",
            Self::Refused => "the log refuses a command or an answer for good",
            Self::Failed => "the log cannot be read for a moment",
            Self::FullDisk => "the log has no room for a while: appends wait, or nobody knows of them",
            Self::Crash => "orchestrators die between any two actions, and begin anew",
            Self::Rebalance => "partitions go from one orchestrator to another",
            Self::Pause => "orchestrators stand still past their session, and go on",
            Self::Retention => "requests and replies are deleted before they are read",
            Self::LongPause => "all stands still for longer than guards keep their rows",
            Self::Panic => "the engine panics at a reply",
            Self::Stranger => "somebody writes into a journal what is no record",
            Self::SlowClock => "the participants' clocks are behind",
            Self::ClockJump => "an orchestrator's clock, or the log's, leaps ahead or falls back, by seconds to a day",
            Self::Participant => {
                "participants refuse, stumble, die before they reply, reply twice or elsewhere, and read commands again"
            }
            Self::Client => "clients repeat, contradict, cancel, and ask elsewhere",
            Self::Operator => {
                "operators resolve, repeat and cancel what is stuck, and what is not: twice, late, against each other"
            }
        }
    }
}

/// What a world is made of; what is left out follows from the seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What may go wrong.
    pub troubles: BTreeSet<Trouble>,
    /// The most instances.
    pub sagas: Option<usize>,
    /// The most actions while things go wrong.
    pub steps: Option<usize>,
}

impl Default for Wanted {
    /// All that there is.
    fn default() -> Self {
        Self { troubles: Trouble::ALL.into(), sagas: None, steps: None }
    }
}

impl Wanted {
    pub(super) fn has(&self, trouble: Trouble) -> bool {
        self.troubles.contains(&trouble)
    }

    /// Of these faults of the log those that are wanted.
    pub(super) fn of(&self, faults: Faults) -> Faults {
        let only = |trouble: Trouble, times: u32| if self.has(trouble) { times } else { 0 };
        Faults {
            lost: only(Trouble::Lost, faults.lost),
            unacknowledged: only(Trouble::Unacknowledged, faults.unacknowledged),
            late: only(Trouble::Late, faults.late),
            doubled: only(Trouble::Doubled, faults.doubled),
            reordered: only(Trouble::Reordered, faults.reordered),
            replaced: only(Trouble::Replaced, faults.replaced),
            mistaken: only(Trouble::Mistaken, faults.mistaken),
            refused: only(Trouble::Refused, faults.refused),
            failed: only(Trouble::Failed, faults.failed),
            full: only(Trouble::FullDisk, faults.full),
        }
    }
}
