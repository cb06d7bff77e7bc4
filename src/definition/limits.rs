//! The limits of a definition and the times it has where it says nothing: one table of each.
//!
//! Limits keep every check, hash and plan bounded whatever was written; a definition that meets one is refused with
//! a finding that names it. `saga check` prints the default times.

use std::time::Duration;

use super::Retry;
use crate::syntax::limits::MAX_NESTING;

/// Bytes of a name in a message: of a saga, a command, a code, and of a step with those that run it (docs/participants.md).
pub const MAX_WORD: usize = 200;

/// Depth of an expression, and of a type with all types inside it written out: that of the text.
pub const MAX_DEPTH: usize = MAX_NESTING;

/// Operators, reads and literals of one expression: bounds what evaluating it can cost.
pub const MAX_EXPRESSION_NODES: usize = 10_000;

/// Fields of one type with all types inside it written out: bounds comparing and checking it.
pub const MAX_TYPE_FIELDS: usize = 10_000;

/// Statements, operators, reads and literals that `run` copies into the sagas of one program, all together: sagas that
/// run others, each several times, would else multiply beyond memory. About 10,000 steps.
pub const MAX_INLINED: usize = 100_000;

/// Elements of a list that `for each` goes through, and so how many of them are under way at once. One instance is one
/// state in memory and one line of records in the journal: longer lists are work for several sagas.
pub const MAX_ELEMENTS: u16 = 1_000;

/// Rounds of `repeat`: what is not there by then will not come by trying.
pub const MAX_ROUNDS: u16 = 1_000;

/// Loops inside each other, with those of the sagas that are run in them: the address of a step in a loop has an index
/// for each, and a thousand elements four times over are more than anybody has.
pub const MAX_LOOPS: usize = 4;

/// Events that the agents of one choreographed saga wait for, all together: a hundred thousand are a thousand steps each of
/// which waits for a hundred others. What each has read by then is followed for all of them.
pub const MAX_AWAITED: usize = 100_000;

/// Repetitions of one command.
pub const MAX_RETRIES: u32 = 1_000;

/// The longest duration that can be written: 100 years, so that sums of times never overflow.
pub const MAX_DURATION: Duration = Duration::from_hours(100 * 365 * 24 + 25 * 24);

/// `timeout` where nothing is said, of steps and compensations: longer than a busy service takes, shorter than a
/// person waits.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// `retry` of steps where nothing is said: over a restart of one service, not over an outage.
pub const DEFAULT_RETRY: Retry = Retry { times: 3, from: Duration::from_millis(200), to: Duration::from_secs(5) };

/// `retry` of compensations where nothing is said: they must succeed, so they are repeated for an hour and a half
/// before a person is asked.
pub const DEFAULT_COMPENSATION_RETRY: Retry =
    Retry { times: 20, from: Duration::from_secs(1), to: Duration::from_mins(5) };

/// The least pause of a pivot step that is past its retries: it goes on for ever, so even a `retry` with
/// pauses of a millisecond must not turn into a loop.
pub const PIVOT_PAUSE_MIN: Duration = Duration::from_secs(1);
