//! The kinds of what can happen: a test leaves each out, and shows which mistake of an engine is not found without.

use super::moves::{Move, Said};

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
