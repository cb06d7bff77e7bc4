//! How the process ends. The one place that knows the numbers: `saga help exit-codes` prints this table.

use std::fmt::Write as _;
use std::process::ExitCode;

/// How a command ended. A script may rely on the numbers; they are never used for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done: the saga completed, the files are clean, the scenarios pass, the order is taken, or waits in the log.
    Done,
    /// The files have findings, are not formatted, a scenario fails, or a participant breaks a rule.
    Findings,
    /// The arguments make no sense, or a file or an input cannot be read.
    Usage,
    /// The saga ended compensated.
    Compensated,
    /// The saga is stuck: it waits for a person.
    Stuck,
    /// The saga has not ended yet: it was left, safely, in the log.
    Left,
    /// The start or the order was refused.
    Refused,
    /// The data directory, the server, the broker or the participant cannot be used.
    Unavailable,
    /// A defect of this program.
    Bug,
    /// The output cannot be written.
    Unwritten,
    /// Whoever read the output went away.
    PipeClosed,
}

impl Exit {
    const ALL: [Self; 11] = [
        Self::Done,
        Self::Findings,
        Self::Usage,
        Self::Compensated,
        Self::Stuck,
        Self::Left,
        Self::Refused,
        Self::Unavailable,
        Self::Bug,
        Self::Unwritten,
        Self::PipeClosed,
    ];

    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Findings => 1,
            Self::Usage => 2,
            Self::Compensated => 3,
            Self::Stuck => 4,
            Self::Left => 5,
            Self::Refused => 6,
            Self::Unavailable => 7,
            Self::Bug => 70,
            Self::Unwritten => 74,
            Self::PipeClosed => 141,
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::Done => {
                "done: the saga completed, the files are clean, the scenarios pass, the start or the order is taken, or waits in the log"
            }
            Self::Findings => {
                "the files have findings, are not formatted, a scenario fails, or a participant breaks a rule"
            }
            Self::Usage => "the arguments make no sense, or a file or an input cannot be read",
            Self::Compensated => "the saga ended compensated: it failed, and all that it did is taken back",
            Self::Stuck => "the saga is stuck: it waits for a person; `saga show ID` says why and what to do",
            Self::Left => "the saga has not ended: it was left safely in the log and goes on with the next run",
            Self::Refused => "the start or the order was refused: nothing changed",
            Self::Unavailable => {
                "the data directory, the server, the broker or the participant cannot be used; on a full disk `run` and `serve` wait"
            }
            Self::Bug => "a defect of saga; the message says what to report",
            Self::Unwritten => "what was asked for is done, and the output cannot be written, as on a full disk",
            Self::PipeClosed => "whoever read the output went away",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// The table, for `saga help exit-codes` and the README.
#[must_use]
pub fn table() -> String {
    let mut table = String::new();
    for exit in Exit::ALL {
        // Writing to a string cannot fail.
        let _ = writeln!(table, "{:>4}  {}", exit.number(), exit.meaning());
    }
    table
}
