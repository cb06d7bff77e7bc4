//! How an instance stands as a whole, in a word, and what of it waits for a person.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::Place;
use super::instance::{Instance, Phase, State, Wait};
use crate::plan::Plan;

/// What people ask first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Summary {
    /// On its way forward.
    Running,
    /// On its way back.
    Compensating,
    /// It waits for a person.
    Stuck,
    /// All done.
    Completed,
    /// All taken back.
    Compensated,
}

impl Summary {
    /// The word that people, metrics and the table of instances have for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Compensating => "compensating",
            Self::Stuck => "stuck",
            Self::Completed => "completed",
            Self::Compensated => "compensated",
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Instance {
    /// What people ask first.
    #[must_use]
    pub fn summary(&self) -> Summary {
        match self.phase {
            Phase::Completed(_) => Summary::Completed,
            Phase::Compensated(_) => Summary::Compensated,
            _ if self.states.under_way().any(|(_, state)| is_stuck(state)) => Summary::Stuck,
            Phase::Failing(_) => Summary::Compensating,
            Phase::New | Phase::Forward | Phase::Committed => Summary::Running,
        }
    }

    /// The places that wait for a person.
    #[must_use]
    pub fn stuck(&self, plan: &Plan) -> Vec<Place> {
        let stuck = self.active().into_iter().filter(|(_, state)| is_stuck(state));
        stuck.map(|(at, _)| plan.place(at)).collect()
    }
}

/// Stuck, or shown so: a pivot step beyond its retries goes on at the longest pause and is shown as stuck.
pub(crate) const fn is_stuck(state: &State) -> bool {
    match state {
        State::Doing(attempt) => matches!(attempt.wait, Wait::Person(_)) || attempt.beyond.is_some(),
        State::Undoing(undoing) => matches!(undoing.attempt.wait, Wait::Person(_)),
        State::Halted(_) => true,
        State::Done(_)
        | State::Refused(_)
        | State::Unknown
        | State::Turned
        | State::Undone
        | State::Chose(_)
        | State::Bound(_)
        | State::Each(_)
        | State::Rounds(_)
        | State::Sleeping(_)
        | State::Woke
        | State::Failing(_)
        | State::Caught(_)
        | State::Reached => false,
    }
}
