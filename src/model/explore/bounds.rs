//! How far an exploration goes, and what tests leave out of one.

use super::{Happening, Property};

/// States that are looked at even where there is no other budget.
pub const STATES_MAX: usize = 1_000_000;

/// Memory of an exploration without another budget, in bytes: what a machine on which one waits for it has to spare.
pub const MEMORY_MAX: usize = 2 << 30;

/// Steps from state to state that `saga check` tries of a saga: about 2 seconds. Steps and not seconds, so that what is found
/// is the same on every machine; one from a large state counts as several.
pub const STEPS_USUAL: usize = 1_000_000;

/// Memory that `saga check` takes for a saga, in bytes: an editor's machine, or one that builds, has it to spare. So many steps
/// take less where they lead to states that are known; where each leads to a new one, it is this that ends them.
pub const MEMORY_USUAL: usize = 256 << 20;

/// The most inputs that are tried: each comes once, and what nobody looks at any more is the same then.
pub const INPUTS_USUAL: usize = 1_024;

/// As many may be asked for: they are known by a number of 16 bits.
pub const INPUTS_MAX: usize = (1 << 16) - 1;

/// The most replies of a step and the most signals of a kind that are tried: each may come in many states.
pub const REPLIES_USUAL: usize = 64;

/// As many may be asked for: they are known by a number of 8 bits.
pub const REPLIES_MAX: usize = 255;

/// How many signals of one name wait to be taken: one that is taken, and one that stays.
pub const SIGNALS_USUAL: usize = 2;

/// How an exploration is bounded.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// At most so many states.
    pub states: usize,
    /// At most so many steps between them.
    pub steps: usize,
    /// At most about so many bytes for them, by the sizes of their types.
    pub memory: usize,
    /// At most so many inputs: up to [`INPUTS_MAX`].
    pub inputs: usize,
    /// At most so many replies of a step and signals of a kind: up to [`REPLIES_MAX`].
    pub replies: usize,
    /// At most so many signals of one name wait to be taken.
    pub signals: usize,
    /// Whether participants keep the guard of docs/protocol.md.
    pub guard: bool,
    /// Whether one state is looked at for several that nothing can tell from it. Without, for tests of the reductions alone.
    pub reduces: bool,
    /// What is left out, for tests that show what it is there for.
    pub without: Option<Without>,
}

/// What can be left out of an exploration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Without {
    /// Nobody looks at this promise.
    Promise(Property),
    /// This never happens.
    Happening(Happening),
}

impl Bounds {
    /// What an answer can be waited for.
    pub const USUAL: Self = Self { steps: STEPS_USUAL, memory: MEMORY_USUAL, ..Self::DEEP };
    /// To the end, as far as memory goes.
    pub const DEEP: Self = Self {
        states: STATES_MAX,
        steps: usize::MAX,
        memory: MEMORY_MAX,
        inputs: INPUTS_USUAL,
        replies: REPLIES_USUAL,
        signals: SIGNALS_USUAL,
        guard: true,
        reduces: true,
        without: None,
    };
}

impl Default for Bounds {
    fn default() -> Self {
        Self::DEEP
    }
}
