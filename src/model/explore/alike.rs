//! Which states are taken for one.
//!
//! Always: those that differ only in which attempt in the middle this is, in words for people, or in a code that nobody
//! asks for any more. With the reductions also those that differ in values at which nobody may look any more, in signals
//! that nobody may take, in whether a deadline that only says that it has passed has passed, or in which of
//! several twins is in which state. The first one that is found stands for all of them.

use std::hash::{BuildHasher as _, Hash};

use foldhash::quality::FixedState;

use super::Setting;
use super::ahead;
use super::reads::When;
use super::state::World;
use super::twins::Twins;
use crate::engine::{self, Attempt, Direction, Failure, Heralded, Phase, State, Wait};
use crate::json::Json;
use crate::plan::{At, Class, NodeId, parsed};
use crate::time::Timestamp;

/// The hash of one part of a state.
pub(super) fn hash(part: impl Hash) -> u64 {
    FixedState::default().hash_one(part)
}

/// The same of two numbers, as `foldhash` does it: a state has dozens of them, and a hasher for each took longer than all
/// else that is done with them.
fn mixed(one: u64, other: u64) -> u64 {
    /// The first digits of pi.
    const DIGITS: [u64; 2] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344];
    let product = u128::from(one ^ DIGITS[0]) * u128::from(other ^ DIGITS[1]);
    #[expect(clippy::cast_possible_truncation, reason = "the lower half, then the upper one")]
    let (low, high) = (product as u64, (product >> 64) as u64);
    low ^ high
}

/// States with the same fingerprint are taken for the same. Of a million states two share one by chance with a
/// probability of 3 in 100 million. `sum` is memory for it.
pub(super) fn fingerprint(setting: &Setting<'_>, world: &World, sum: &mut Sum) -> u64 {
    let instance = &world.instance;
    sum.all = hash(phase(setting, world));
    sum.twins.clear();
    let mut spent = 0u32;
    let is_crowded = setting.reduces && instance.states().filter(|(_, state)| is_between(state)).count() > 1;
    instance.states().for_each(|(at, state)| {
        if setting.reduces && is_spent(setting, world, at, state) {
            spent += 1;
        } else {
            sum.add(setting, world, at, hash_state(of_state(setting, world, (at, is_crowded), state)));
        }
    });
    for (at, row) in world.rows.iter() {
        if !setting.reduces || setting.is_asked_of_row(*at) {
            sum.add(setting, world, *at, hash_state((ROW, [*row as u32, 0, 0], None, None)));
        }
    }
    let input = instance.input.as_ref().map(|input| of_input(setting, world, input));
    sum.add_all((spent, input));
    let may_take = |signal: &&Heralded| !setting.reduces || may_take(setting, world, &signal.signal);
    let waiting = instance.signals().iter().filter(may_take);
    let mut waiting: Vec<_> = waiting.map(|signal| (signal.signal.as_str(), signal.with.get())).collect();
    if !waiting.is_empty() {
        // Of one name in the order of their coming.
        waiting.sort_by_key(|(name, _)| *name);
        sum.add_all(waiting);
    }
    sum.finish()
}

/// Parts of a state, in any order; those of twins are kept apart, and added at the end.
#[derive(Default)]
pub(super) struct Sum {
    all: u64,
    /// Each of them, what they stand in, and its sum: a handful.
    twins: Vec<(At, (At, NodeId), u64)>,
}

impl Sum {
    /// A part that stands nowhere.
    fn add_all(&mut self, part: impl Hash) {
        self.all = self.all.wrapping_add(hash(part));
    }

    fn add(&mut self, setting: &Setting<'_>, world: &World, at: At, part: u64) {
        let Some(twin) = setting.twins.at(at) else {
            self.all = self.all.wrapping_add(mixed(at.bits(), part));
            return;
        };
        let order = if Twins::waits_for_others(setting.plan, world, &twin) { twin.index } else { 0 };
        let part = mixed(mixed(twin.inside.bits(), order.into()), part);
        // Those of one branch stand beside each other.
        match self.twins.iter_mut().rev().find(|(own, ..)| *own == twin.own) {
            Some((.., sum)) => *sum = sum.wrapping_add(part),
            None => self.twins.push((twin.own, twin.around, part)),
        }
    }

    fn finish(&self) -> u64 {
        // What they are, and no longer which.
        let twins =
            self.twins.iter().map(|(_, (around, first), sum)| mixed(mixed(around.bits(), first.0.into()), *sum));
        twins.fold(self.all, u64::wrapping_add)
    }
}

/// Of a failure the code; the step and the words where somebody reads them.
type OfFailure<'w> = (&'w str, Option<&'w str>, Option<&'w str>);

fn phase<'w>(setting: &Setting<'_>, world: &'w World) -> (u8, Option<OfFailure<'w>>, bool) {
    let instance = &world.instance;
    let has_deadline = instance.deadline != Timestamp::NEVER;
    match &instance.phase {
        Phase::New => (0, None, has_deadline),
        Phase::Forward => (1, None, has_deadline),
        // It passes, and that is all: the state before, in which it can pass, is found first.
        Phase::Committed => (2, None, has_deadline && !setting.reduces),
        Phase::Failing(failure) => (3, Some(of_failure(setting, failure)), false),
        Phase::Completed(_) => (4, None, false),
        Phase::Compensated(failure) => (5, Some(of_failure(setting, failure)), false),
    }
}

fn of_failure<'w>(setting: &Setting<'_>, failure: &'w Failure) -> OfFailure<'w> {
    let reads = &setting.looked.all;
    let step = Some(failure.step.as_str()).filter(|_| !setting.reduces || reads.failure_step);
    let message = failure.message.as_deref().filter(|_| reads.failure_message);
    (&failure.code, step, message)
}

/// What of a state or a row makes a difference: what it is, what it counts, and what it holds.
type OfState<'w> = (u32, [u32; 3], Option<&'w str>, Option<OfFailure<'w>>);

/// What a row is, behind all that states are.
const ROW: u32 = 17;

fn hash_state((kind, [first, second, third], value, failure): OfState<'_>) -> u64 {
    let numbers = mixed(u64::from(kind) << 32 | u64::from(first), u64::from(second) << 32 | u64::from(third));
    if value.is_some() || failure.is_some() { mixed(numbers, hash((value, failure))) } else { numbers }
}

fn of_state<'w>(setting: &Setting<'_>, world: &World, (at, is_crowded): (At, bool), state: &'w State) -> OfState<'w> {
    let value = |value: &'w Json| Some(value.get()).filter(|_| is_looked_at(setting, world, at));
    match state {
        State::Doing(attempt) => (0, of_attempt(setting, (at, is_crowded), Direction::Do, attempt), None, None),
        State::Done(Some(json)) => (1, [1, 0, 0], value(json), None),
        State::Done(None) => (1, [0; 3], None, None),
        State::Refused(_) => (2, [0; 3], None, None),
        State::Unknown => (3, [0; 3], None, None),
        State::Undoing(undoing) => {
            let value = undoing.value.as_ref().and_then(value);
            (4, of_attempt(setting, (at, is_crowded), Direction::Undo, &undoing.attempt), value, None)
        }
        State::Turned => (5, [0; 3], None, None),
        State::Undone => (6, [0; 3], None, None),
        State::Chose(arm) => (7, [*arm, 0, 0], None, None),
        State::Bound(json) => (8, [0; 3], value(json), None),
        State::Each(elements) => {
            let left = elements.left.map_or(0, |left| u32::from(left) + 1);
            (9, [elements.count.into(), elements.over.into(), left], None, None)
        }
        State::Rounds(rounds) => {
            let left = rounds.left.map_or(0, |left| u32::from(left) + 1);
            (10, [rounds.over.into(), rounds.met.into(), left], None, None)
        }
        State::Sleeping(_) => (11, [0; 3], None, None),
        State::Woke => (12, [0; 3], None, None),
        State::Reached => (13, [0; 3], None, None),
        State::Failing(failure) => (14, [0; 3], None, Some(of_failure(setting, failure))),
        State::Caught(caught) => {
            let failure = of_failure(setting, &caught.failure);
            let is_read = !setting.reduces || setting.looked.all.failure_code;
            (15, [caught.handler, 0, 0], None, Some(failure).filter(|_| is_read))
        }
        State::Halted(_) => (16, [0; 3], None, None),
    }
}

/// A step that nothing takes back, in a scope that fails: whether it is done, refused or unknown is nobody's business any
/// more, nor which of several such steps have begun, unless something around is asked whether anything in it has.
fn is_spent(setting: &Setting<'_>, world: &World, at: At, state: &State) -> bool {
    let is_settled = matches!(state, State::Done(_) | State::Refused(_) | State::Unknown);
    is_settled
        && setting.is_without_way_back(at)
        && matches!(world.instance.phase, Phase::Failing(_) | Phase::Compensated(_))
}

/// Whether a step is between two attempts, or waits for more than the first answer to one.
fn is_between(state: &State) -> bool {
    state.attempt().is_some_and(|(_, attempt)| is_in_between(attempt))
}

fn is_in_between(attempt: &Attempt) -> bool {
    match &attempt.wait {
        Wait::Query(_) | Wait::Pause(_) | Wait::Pending(_) | Wait::Unfit(_) => true,
        // Of one to whom none has gone out yet, everything is known.
        Wait::Turn(_) | Wait::Person(_) => attempt.number > 0,
        Wait::Answer(_) | Wait::Log(_) => false,
    }
}

/// Which attempt it is, what it waits for, and whether all attempts together have an end. Of one that has gone out it makes
/// no difference whether there were others, as long as there may be another. A pivot step goes on behind the last, and is shown as stuck then.
fn of_attempt(
    setting: &Setting<'_>,
    (at, is_crowded): (At, bool),
    direction: Direction,
    attempt: &Attempt,
) -> [u32; 3] {
    let work = setting.plan.work(at.node());
    let last = work.and_then(|work| engine::last_attempt(work, direction)).unwrap_or(0);
    let is_pivot = work.is_some_and(|work| matches!(work.class, Class::Pivot | Class::InnerPivot));
    let since = attempt.number.saturating_sub(attempt.before_order());
    let number = match attempt.number {
        number if !setting.reduces => 4 * number + attempt.base,
        _ if is_pivot && since > 1 && since >= last => 2 + since - last,
        number => number.min(1),
    };
    let wait = match &attempt.wait {
        _ if is_crowded && is_in_between(attempt) => 0,
        Wait::Answer(_) => 0,
        Wait::Query(_) => 1,
        Wait::Pause(_) => 2,
        Wait::Pending(_) => 3,
        Wait::Unfit(_) => 4,
        Wait::Log(_) => 5,
        Wait::Person(_) => 6,
        Wait::Turn(turn) => 7 + u32::from(turn.until.is_some()),
    };
    [number, wait, u32::from(attempt.limit != Timestamp::NEVER)]
}

/// Whether anybody may yet look at the value of what stands at an address.
fn is_looked_at(setting: &Setting<'_>, world: &World, at: At) -> bool {
    if !setting.reduces {
        return true;
    }
    let readers = setting.readers(at);
    readers.is_some_and(|readers| readers.may_come(setting, &world.instance, at))
}

/// Of the input, the fields at which somebody may yet look.
fn of_input(setting: &Setting<'_>, world: &World, input: &Json) -> u64 {
    if !setting.reduces {
        return hash(input.get());
    }
    // A copy of one of them has its text in common with it.
    let Some(number) = setting.inputs.iter().position(|known| std::ptr::eq(known.get(), input.get())) else {
        return hash(input.get());
    };
    let fields = setting.input_fields.get(number).map(Vec::as_slice).unwrap_or_default();
    let is_ahead = |reader: &usize| {
        let reader = setting.looked.readers.get(*reader);
        reader.is_some_and(|it| ahead::is_ahead(setting.plan, &world.instance, (At::new(it.node), 0), it.when))
    };
    let looked_at = fields.iter().filter(|field| field.readers.iter().any(is_ahead));
    looked_at.fold(0, |sum: u64, field| sum.wrapping_add(field.hash))
}

/// Whether anything may yet wait for a signal.
pub(super) fn may_take(setting: &Setting<'_>, world: &World, signal: &str) -> bool {
    let declared = parsed(signal).map_or(signal.into(), |(declared, _)| declared);
    let waits = setting.waits.get(declared.as_ref());
    waits.is_none_or(|waits| {
        let mut waits = waits.iter();
        waits.any(|node| ahead::is_ahead(setting.plan, &world.instance, (At::new(*node), 0), When::Awaiting))
    })
}
