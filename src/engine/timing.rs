//! When the next attempt is due, or that there is none.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::id::CommandId;
use super::instance::Attempt;
use super::step::Persistence;
use crate::definition::Timing;
use crate::definition::limits::PIVOT_PAUSE_MIN;
use crate::time::{Timestamp, millis};

/// How long a final answer behind `pending` is waited for where the step has no `within`.
pub const PENDING_MAX: Duration = Duration::from_hours(24);

/// What follows an attempt that brought no final answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// The next attempt, then.
    At(Timestamp),
    /// None is left: the outcome is unknown.
    GiveUp,
    /// None is left: a person must help.
    AskPerson,
}

/// When `attempt` of `command` is repeated.
pub(super) fn repeat(
    timing: &Timing,
    attempt: &Attempt,
    persistence: Persistence,
    command: &CommandId,
    now: Timestamp,
) -> Repeat {
    let retries = attempt.number.saturating_sub(attempt.base);
    let due = || now.after(pause(timing, retries, command, attempt.number));
    let due = (persistence != Persistence::Settling && retries < timing.retry.times).then(due);
    match (due.filter(|due| *due < attempt.limit), persistence) {
        (Some(due), _) => Repeat::At(due),
        (None, Persistence::Settling | Persistence::Bounded) => Repeat::GiveUp,
        (None, Persistence::UntilDone) => Repeat::AskPerson,
        (None, Persistence::Pivot) => {
            Repeat::At(now.after(lengthened(timing.retry.to, command, attempt.number).max(PIVOT_PAUSE_MIN)))
        }
    }
}

/// How long the answer to an attempt that goes out now is waited for.
pub(super) fn answer_until(timing: &Timing, limit: Timestamp, persistence: Persistence, now: Timestamp) -> Timestamp {
    let until = now.after(timing.timeout);
    match persistence {
        // A pivot goes on past every limit.
        Persistence::Pivot => until,
        Persistence::Bounded | Persistence::Settling | Persistence::UntilDone => until.min(limit),
    }
}

/// How long an attempt waits for its turn at most, if that has an end.
pub(super) fn turn_until(limit: Timestamp, persistence: Persistence) -> Option<Timestamp> {
    // A pivot goes on past every limit.
    Some(limit).filter(|limit| *limit != Timestamp::NEVER && persistence != Persistence::Pivot)
}

/// How long a final answer behind `pending` is waited for.
pub(super) fn pending_until(limit: Timestamp, now: Timestamp) -> Timestamp {
    if limit > now && limit != Timestamp::NEVER { limit } else { now.after(PENDING_MAX) }
}

/// Doubling from `from` to `to`, lengthened.
fn pause(timing: &Timing, retries: u32, command: &CommandId, attempt: u32) -> Duration {
    let doubled = timing.retry.from.saturating_mul(1u32.checked_shl(retries).unwrap_or(u32::MAX));
    lengthened(doubled.min(timing.retry.to), command, attempt)
}

/// By 0 to 20 %, so that what failed together is not repeated together. Derived from the command's id and the
/// attempt: a replay and a simulation come to the same pause.
fn lengthened(pause: Duration, command: &CommandId, attempt: u32) -> Duration {
    let mut hash = Fnv::default();
    // It takes every text.
    let _ = write!(hash, "{command}");
    attempt.to_le_bytes().into_iter().for_each(|byte| hash.add(byte));
    let share = hash.0 % 201;
    Duration::from_millis(millis(pause).saturating_add(millis(pause).saturating_mul(share) / 1_000))
}

/// FNV-1a, 64 bit (<http://www.isthe.com/chongo/tech/comp/fnv/>): small, and the same on every machine.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
}

impl fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.add(byte));
        Ok(())
    }
}
