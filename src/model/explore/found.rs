//! What an exploration finds: the ends, a shortest way to each, and the promises that are broken.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use compact_str::CompactString;

use super::lengths::grows;
use super::{Deed, Property, Setting, StuckBy, Told, Untried};
use crate::engine::{Direction, Instance, State};
use crate::model::world::without_indices;
use crate::source::Span;

/// How a saga can end, or come to wait for a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// All done.
    Completed,
    /// All taken back, for this code.
    Compensated(CompactString),
    /// It waits for a person, at a step's action or compensation, in any element or round.
    Stuck(CompactString, Direction),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed => f.write_str("completed"),
            Self::Compensated(code) => write!(f, "compensated {code}"),
            Self::Stuck(place, Direction::Do) => write!(f, "stuck {place}"),
            Self::Stuck(place, Direction::Undo) => write!(f, "stuck undo {place}"),
        }
    }
}

/// One way to an ending, of which there is no shorter one.
#[derive(Clone, Debug)]
pub struct Way {
    /// What it ends in.
    pub ending: Ending,
    /// What happens.
    pub trace: Vec<Told>,
    /// Of all the ways that end so.
    pub tally: Tally,
    /// With what it came to wait for a person there: on this trace, and on others.
    pub stuck_by: (Option<StuckBy>, BTreeSet<StuckBy>),
}

/// What the ways to one ending have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// States that end so.
    pub states: usize,
    /// The least and the most steps that are called.
    pub called: (u32, u32),
    /// The least and the most that are taken back, or are on the way back.
    pub undone: (u32, u32),
    /// Whether some of those that are called stand in a loop that may have more elements than were tried: then more may be called.
    pub called_grows: bool,
    /// The same of those that are taken back.
    pub undone_grows: bool,
}

impl Tally {
    pub(super) fn of(setting: &Setting<'_>, instance: &Instance) -> Self {
        let (mut called, mut undone) = (0, 0);
        let (mut called_grows, mut undone_grows) = (false, false);
        for (at, state) in instance.states() {
            let Some(work) = setting.plan.work(at.node()) else { continue };
            let was_called =
                state.attempt().is_none_or(|(direction, attempt)| direction == Direction::Undo || attempt.number > 0);
            let was_called = was_called && work.action().is_some();
            let is_undone = match state {
                // Where its payload cannot be computed it was never called.
                State::Undoing(undoing) => undoing.attempt.number > 0,
                state => matches!(state, State::Undone | State::Turned),
            };
            let is_undone = is_undone && work.has_compensation();
            called += u32::from(was_called);
            undone += u32::from(is_undone);
            if (was_called || is_undone) && grows(setting, at) {
                called_grows |= was_called;
                undone_grows |= is_undone;
            }
        }
        Self { states: 1, called: (called, called), undone: (undone, undone), called_grows, undone_grows }
    }

    /// With what was found for a twin: it is true of this one, too, and so many states end so for each.
    pub(super) fn as_of_twin(self, twin: Self) -> Self {
        Self { states: self.states, ..self.and(twin) }
    }

    pub(super) fn and(self, other: Self) -> Self {
        let both = |(least, most): (u32, u32), (low, high): (u32, u32)| (least.min(low), most.max(high));
        Self {
            states: self.states + other.states,
            called: both(self.called, other.called),
            undone: both(self.undone, other.undone),
            called_grows: self.called_grows || other.called_grows,
            undone_grows: self.undone_grows || other.undone_grows,
        }
    }
}

/// A promise that is broken.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which.
    pub property: Property,
    /// Where, in words.
    pub at: String,
    /// Where that is written.
    pub span: Span,
    /// A shortest way there, with what breaks it as the last.
    pub trace: Vec<Told>,
}

/// By this name it is asked for: of all elements and rounds.
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.property.name())?;
        if self.at.is_empty() { Ok(()) } else { write!(f, " {}", without_indices(&self.at)) }
    }
}

impl Violation {
    /// Whether the engine has done as it should, and a participant without a guard has not.
    #[must_use]
    pub fn is_outside(&self) -> bool {
        self.trace.last().is_some_and(|last| matches!(last.deed, Deed::Copied(_)))
    }
}

/// Why not everything was looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cut {
    /// At [`Bounds::steps`](super::Bounds::steps).
    Steps,
    /// At [`Bounds::states`](super::Bounds::states).
    States,
    /// At [`Bounds::memory`](super::Bounds::memory).
    Memory,
    /// At [`Bounds::inputs`](super::Bounds::inputs), of this.
    Inputs(CompactString),
    /// At [`Bounds::replies`](super::Bounds::replies), of this.
    Replies(CompactString),
    /// Of this data, or of something that only its flow says, whatever the bounds are.
    Payloads(Option<CompactString>),
    /// Where data is compared with `saga.id` or `saga.started` and with others: it was tried with one id and one beginning.
    Own,
    /// Where something looks at `failure.message`: no word of it is known before it is there.
    Message,
    /// Where the engine has broken a promise.
    Broken,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Steps => "there are more steps than were tried (`--steps N`, `--deep`)",
            Self::States => "there are more states than were looked at (`--states N`)",
            Self::Memory => "its states take more memory than they may (`--memory MB`, `--deep`)",
            Self::Inputs(place) => {
                return write!(f, "more values of `{place}` make a difference than are tried (`--inputs N`)");
            }
            Self::Replies(place) => {
                return write!(f, "more values of `{place}` make a difference than are tried (`--replies N`)");
            }
            Self::Payloads(Some(place)) => {
                return write!(f, "more values of `{place}` make a difference than are tried");
            }
            Self::Payloads(None) => "more payloads were possible than are tried",
            Self::Own => {
                "data is compared with `saga.id` or `saga.started` and with other values, which those may be as well"
            }
            Self::Message => "something looks at `failure.message`, of which nothing is known before it is there",
            Self::Broken => "what comes behind a broken promise was not looked at",
        })
    }
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Different states.
    pub states: usize,
    /// Steps from one to another.
    pub steps: usize,
    /// Why not everything was looked at that the data leads to; empty if it was.
    pub cut: Vec<Cut>,
    /// To what no data led that was tried; not asked where there was a cut.
    pub untried: Vec<Untried>,
    /// The lists of which something is looked at, with the numbers of elements that were tried.
    pub lists: BTreeMap<CompactString, BTreeSet<usize>>,
    /// The ways to end, each once.
    pub ways: Vec<Way>,
    /// Broken promises, each once.
    pub violations: Vec<Violation>,
}

impl Report {
    /// Whether it would find more with a larger budget.
    #[must_use]
    pub fn is_budget_spent(&self) -> bool {
        self.cut.iter().any(|cut| matches!(cut, Cut::Steps | Cut::Memory))
    }

    /// Whether everything was looked at.
    #[must_use]
    pub const fn is_exhaustive(&self) -> bool {
        self.cut.is_empty() && self.untried.is_empty()
    }
}
