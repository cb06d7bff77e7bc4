//! What can happen, and the kinds of it: a test leaves each kind out, and shows which mistake of an engine is not found
//! without.

use super::signalled::Signalled;

/// What happens. A slot is the number of a state in the instance's reading order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// The saga begins, with the input of this number.
    Start(u16),
    /// An answer arrives.
    Answer {
        slot: u16,
        said: Said,
        /// To the last attempt that the retries allow.
        last: bool,
    },
    /// A wait ends by time.
    Time {
        slot: u16,
        /// The attempt is the last that the retries allow.
        last: bool,
        /// The time of all attempts is over, too.
        limit: bool,
    },
    /// The deadline comes.
    Deadline,
    /// Somebody cancels.
    Cancel,
    /// A signal arrives: which, and with which value.
    Signal { signal: Signalled, value: u8 },
    /// A person orders what is stuck to be tried again.
    Retry,
    /// A person says what became of a step: done, or failed with the code of this number.
    Resolve { slot: u16, failed: Option<u8> },
    /// A person gives a value that cannot be computed: the one of this number.
    Instead { slot: u16, value: u16 },
    /// The log has acknowledged a message.
    Acknowledge { slot: u16 },
    /// The log refuses a command or message for good.
    Refuse { slot: u16 },
    /// The participant takes another command.
    Turn { slot: u16 },
}

impl Move {
    /// At which state of the instance it happens.
    pub(super) const fn slot(self) -> Option<u16> {
        match self {
            Self::Answer { slot, .. }
            | Self::Time { slot, .. }
            | Self::Resolve { slot, .. }
            | Self::Instead { slot, .. }
            | Self::Acknowledge { slot }
            | Self::Refuse { slot }
            | Self::Turn { slot } => Some(slot),
            Self::Start(_) | Self::Deadline | Self::Cancel | Self::Signal { .. } | Self::Retry => None,
        }
    }

    /// Whether it is what becomes of the last attempt that the retries allow.
    pub(super) const fn is_of_last_attempt(self) -> bool {
        matches!(self, Self::Answer { last: true, .. } | Self::Time { last: true, .. })
    }

    /// The same for another state, whose number is made of this one's.
    pub(super) fn moved(self, to: impl Fn(u16) -> Option<u16>) -> Self {
        let to = |slot| to(slot).unwrap_or(slot);
        match self {
            Self::Answer { slot, said, last } => Self::Answer { slot: to(slot), said, last },
            Self::Time { slot, last, limit } => Self::Time { slot: to(slot), last, limit },
            Self::Resolve { slot, failed } => Self::Resolve { slot: to(slot), failed },
            Self::Instead { slot, value } => Self::Instead { slot: to(slot), value },
            Self::Acknowledge { slot } => Self::Acknowledge { slot: to(slot) },
            Self::Refuse { slot } => Self::Refuse { slot: to(slot) },
            Self::Turn { slot } => Self::Turn { slot: to(slot) },
            Self::Start(_) | Self::Deadline | Self::Cancel | Self::Signal { .. } | Self::Retry => self,
        }
    }
}

/// What a participant says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Done, with the value of this number.
    Succeeded(u8),
    /// Done, with a value that does not fit the contract.
    Unfit,
    /// Refused, with the code of this number; past the declared ones: another.
    Failed(u8),
    /// Not now.
    Retry,
    /// It will answer later.
    Pending,
    /// To a query: never heard of it.
    Unknown,
}

/// A kind of what can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happening {
    /// A participant has done it.
    Done,
    /// It refuses.
    Refused,
    /// It says: not now.
    Retry,
    /// It will answer later.
    Pending,
    /// It answers what does not fit.
    Unfit,
    /// To a query it says that it has never heard of the command.
    Unknown,
    /// Nobody answers in time, or a pause or wait is over.
    Time,
    /// The time of all attempts is over.
    Within,
    /// The deadline comes.
    Deadline,
    /// Somebody cancels.
    Cancel,
    /// A signal arrives.
    Signal,
    /// A person orders what is stuck to be tried again.
    TriedAgain,
    /// A person says what became of a step.
    Resolved,
    /// The log acknowledges a message.
    Acknowledged,
    /// The log refuses a command or message for good.
    Undeliverable,
    /// A participant lets a command wait for its turn.
    Turn,
    /// An answer comes late, or twice; a signal for which nobody waits.
    Late,
    /// Whoever runs the instance dies, and another reads its journal.
    Crash,
}

impl Happening {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Done,
        Self::Refused,
        Self::Retry,
        Self::Pending,
        Self::Unfit,
        Self::Unknown,
        Self::Time,
        Self::Within,
        Self::Deadline,
        Self::Cancel,
        Self::Signal,
        Self::TriedAgain,
        Self::Resolved,
        Self::Acknowledged,
        Self::Undeliverable,
        Self::Turn,
        Self::Late,
        Self::Crash,
    ];

    /// What it is, for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Done => "a participant has done it",
            Self::Refused => "a participant refuses",
            Self::Retry => "a participant answers `retry`",
            Self::Pending => "a participant answers `pending`",
            Self::Unfit => "a participant answers what does not fit",
            Self::Unknown => "to a query, that it has never heard of it",
            Self::Time => "nobody answers, a pause or a wait is over",
            Self::Within => "the time of `within` is over",
            Self::Deadline => "the deadline comes",
            Self::Cancel => "somebody cancels",
            Self::Signal => "a signal arrives",
            Self::TriedAgain => "a person orders it to be tried again",
            Self::Resolved => "a person says what became of it",
            Self::Acknowledged => "the log acknowledges a message",
            Self::Undeliverable => "the log refuses a command for good",
            Self::Turn => "a participant lets a command wait for its turn",
            Self::Late => "an answer comes late or twice",
            Self::Crash => "a crash: another reads the journal",
        }
    }

    /// Of which kind a move is; a beginning is of none.
    pub(super) const fn of(step: Move) -> Option<Self> {
        Some(match step {
            Move::Start(_) => return None,
            Move::Answer { said, .. } => match said {
                Said::Succeeded(_) => Self::Done,
                Said::Unfit => Self::Unfit,
                Said::Failed(_) => Self::Refused,
                Said::Retry => Self::Retry,
                Said::Pending => Self::Pending,
                Said::Unknown => Self::Unknown,
            },
            Move::Time { limit: true, .. } => Self::Within,
            Move::Time { limit: false, .. } => Self::Time,
            Move::Deadline => Self::Deadline,
            Move::Cancel => Self::Cancel,
            Move::Signal { .. } => Self::Signal,
            Move::Retry => Self::TriedAgain,
            Move::Resolve { .. } | Move::Instead { .. } => Self::Resolved,
            Move::Acknowledge { .. } => Self::Acknowledged,
            Move::Refuse { .. } => Self::Undeliverable,
            Move::Turn { .. } => Self::Turn,
        })
    }
}
