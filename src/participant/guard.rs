//! The guard: which of a command's deliveries does the work, and what the others are answered.
//!
//! Its table is [`verdict`], one match over what is asked and what is known; `docs/participants.md` shows the same
//! table to people, and the same rules in SQL. It reads nothing and writes nothing: a
//! [`Transaction`](super::store::Transaction) does, in the transaction of the work itself. That is the whole point: the
//! row and the work are committed together or not at all.

use crate::engine::ReplyKind;
use crate::time::Timestamp;

/// What the guard knows of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Work outside the transaction is under way.
    Doing,
    /// Done, with a reply.
    Done,
    /// Refused: nothing happened.
    Failed,
    /// Taken back, or forbidden before it came.
    Undone,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Doing, Self::Done, Self::Failed, Self::Undone];

    /// As in the column `state`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Doing => "doing",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Undone => "undone",
        }
    }

    /// Reads the column `state`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What is asked of the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Do it.
    Do,
    /// Do it, but nobody waits any more.
    LateDo,
    /// Take it back. Never too late.
    Undo,
    /// What became of it?
    Query,
}

impl Ask {
    /// What a command of this kind asks at this time.
    #[must_use]
    pub fn of(kind: ReplyKind, deadline: Timestamp, now: Timestamp) -> Self {
        match kind {
            ReplyKind::Do if deadline < now => Self::LateDo,
            ReplyKind::Do => Self::Do,
            ReplyKind::Undo => Self::Undo,
            ReplyKind::Query => Self::Query,
        }
    }

    /// Whether a row is claimed for a command that has none.
    #[must_use]
    pub const fn claims(self) -> bool {
        match self {
            Self::Do | Self::Undo => true,
            Self::LateDo | Self::Query => false,
        }
    }
}

/// What is to be done, and answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Work; then `done` or `failed`.
    Work,
    /// Take the work back; then `undone`, answer `succeeded`.
    Compensate,
    /// There is nothing to take back: `undone`, so that a `do` on its way comes too late; answer `succeeded`.
    Forbid,
    /// Answer `succeeded`: it was taken back before.
    UndoneBefore,
    /// Answer what was answered before.
    SameReply,
    /// Answer `pending`.
    Pending,
    /// Answer `retry`: what is under way cannot be taken back yet.
    UndoLater,
    /// Answer `failed` with the code `already-undone`.
    AlreadyUndone,
    /// Answer `retry` with the code `expired`, and leave no row.
    Expired,
    /// Answer `unknown-command`, and leave no row.
    UnknownCommand,
}

/// The table of the guard.
#[must_use]
pub const fn verdict(ask: Ask, known: Option<State>) -> Verdict {
    match (ask, known) {
        (Ask::Do, None) => Verdict::Work,
        (Ask::LateDo, None) => Verdict::Expired,
        (Ask::Do | Ask::LateDo | Ask::Query, Some(State::Doing)) => Verdict::Pending,
        (Ask::Do | Ask::LateDo | Ask::Query, Some(State::Done | State::Failed)) => Verdict::SameReply,
        (Ask::Do | Ask::LateDo | Ask::Query, Some(State::Undone)) => Verdict::AlreadyUndone,

        (Ask::Undo, None | Some(State::Failed)) => Verdict::Forbid,
        (Ask::Undo, Some(State::Doing)) => Verdict::UndoLater,
        (Ask::Undo, Some(State::Done)) => Verdict::Compensate,
        (Ask::Undo, Some(State::Undone)) => Verdict::UndoneBefore,

        (Ask::Query, None) => Verdict::UnknownCommand,
    }
}

/// Codes that the guard itself answers with.
pub mod code {
    /// To a `do` whose deadline is over, with `retry`.
    pub const EXPIRED: &str = "expired";
    /// To a `do` that was taken back, with `failed`.
    pub const ALREADY_UNDONE: &str = "already-undone";
    /// To an `undo` of what is under way, with `retry`.
    pub const STILL_DOING: &str = "still-doing";
    /// The database does not answer, with `retry`.
    pub const STORE: &str = "store";
    /// A handler panicked, with `retry`.
    pub const PANICKED: &str = "panicked";
    /// The participant knows no such command, with `retry`: a newer one may.
    pub const UNKNOWN_CALL: &str = "unknown-call";
    /// The request does not fit what the participant takes, with `failed`.
    pub const UNFIT_REQUEST: &str = "unfit-request";
}
