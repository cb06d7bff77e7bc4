//! What must hold in every state and for every step that leads there: family 6 of the language's checks.
//!
//! `tests/engine/walk/promises.rs` says much of it a second time, on purpose: it looks at whole journals and at what
//! participants have done, and knows nothing of what is written here. A mistake in one is found by the other.

use compact_str::CompactString;

use super::broken::Broken;
use super::moves;
use super::signalled;
use super::state::{Row, World};
use super::words;
use super::{Happening, Setting};
use crate::engine::{self, Change, Direction, Event, Phase, State, Summary};
use crate::plan::{At, Class, Kind, Meant, NodeId, Plan, Undo, Work};

/// A promise of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    /// Something can always happen next, until it has ended or waits for a person.
    GoesOn,
    /// From everywhere it can still end, or come to wait for a person.
    Ends,
    /// Completed means that nothing is taken back or unknown; compensated, that nothing with a compensation stays.
    AllOrNothing,
    /// Nothing begins before all that stands before it has ended, and of a loop no more than are allowed at once.
    InOrder,
    /// In a scope that fails nothing begins, and nothing is tried again.
    Shut,
    /// A failure goes to the first handler that takes its code.
    RightHandler,
    /// What ran later is taken back earlier.
    MirrorOrder,
    /// A compensation is begun once.
    UndoneOnce,
    /// Behind the point of no return nothing is taken back.
    NoReturn,
    /// Behind the end nothing changes.
    OneOutcome,
    /// Late and repeated answers change nothing.
    LateChangesNothing,
    /// What is decided can be applied, and what is sent is owed.
    Sound,
}

impl Property {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::GoesOn,
        Self::Ends,
        Self::AllOrNothing,
        Self::InOrder,
        Self::Shut,
        Self::RightHandler,
        Self::MirrorOrder,
        Self::UndoneOnce,
        Self::NoReturn,
        Self::OneOutcome,
        Self::LateChangesNothing,
        Self::Sound,
    ];

    /// Its name, for people and programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GoesOn => "goes-on",
            Self::Ends => "ends",
            Self::AllOrNothing => "all-or-nothing",
            Self::InOrder => "in-order",
            Self::Shut => "shut",
            Self::RightHandler => "right-handler",
            Self::MirrorOrder => "mirror-order",
            Self::UndoneOnce => "undone-once",
            Self::NoReturn => "no-return",
            Self::OneOutcome => "one-outcome",
            Self::LateChangesNothing => "late-changes-nothing",
            Self::Sound => "sound",
        }
    }

    /// The promise of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|property| property.name().eq_ignore_ascii_case(name))
    }

    /// Its page (Markdown): what it says, why it matters, and what broke it.
    #[must_use]
    pub const fn page(self) -> &'static str {
        match self {
            Self::GoesOn => include_str!("promises/goes-on.md"),
            Self::Ends => include_str!("promises/ends.md"),
            Self::AllOrNothing => include_str!("promises/all-or-nothing.md"),
            Self::InOrder => include_str!("promises/in-order.md"),
            Self::Shut => include_str!("promises/shut.md"),
            Self::RightHandler => include_str!("promises/right-handler.md"),
            Self::MirrorOrder => include_str!("promises/mirror-order.md"),
            Self::UndoneOnce => include_str!("promises/undone-once.md"),
            Self::NoReturn => include_str!("promises/no-return.md"),
            Self::OneOutcome => include_str!("promises/one-outcome.md"),
            Self::LateChangesNothing => include_str!("promises/late-changes-nothing.md"),
            Self::Sound => include_str!("promises/sound.md"),
        }
    }

    /// What it promises.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::GoesOn => "something can always happen next, until it has ended or waits for a person",
            Self::Ends => "from everywhere it can still end, or come to wait for a person",
            Self::AllOrNothing => {
                "completed: nothing is taken back or unknown; compensated: nothing that has a compensation stays"
            }
            Self::InOrder => "nothing begins before all that stands before it has ended",
            Self::Shut => "in a scope that fails nothing begins, and nothing is tried again",
            Self::RightHandler => "a failure goes to the first handler that takes its code",
            Self::MirrorOrder => "what ran later is taken back earlier",
            Self::UndoneOnce => "a compensation is begun once",
            Self::NoReturn => "behind the point of no return nothing is taken back",
            Self::OneOutcome => "behind the end nothing changes",
            Self::LateChangesNothing => "late and repeated answers change nothing",
            Self::Sound => "what is decided can be applied, and what is sent is owed",
        }
    }
}

/// Which promises a step from `before` to `after` breaks, and at what places; the first says it best.
pub(super) fn broken_by(setting: &Setting<'_>, before: &World, change: &Change, after: &World) -> Vec<Broken> {
    let plan = setting.plan;
    let at = |property, place| Broken::at(setting, property, place);
    let ahead = |property, place: &str, node, other| {
        Broken::said(property, format!("{place} before {}", plan.place(other))).of(node)
    };
    let mut broken = Vec::new();
    if before.instance.has_ended() {
        broken.push(Broken::said(Property::OneOutcome, "the saga"));
    }
    let mut failed: Vec<At> = Vec::new();
    for event in &change.events {
        match event {
            Event::Failed { scope, .. } => failed.extend(plan.find(scope)),
            Event::Called { at: place, work: Direction::Do, attempt, .. }
            | Event::Sent { at: place, work: Direction::Do, attempt } => {
                let Some(node) = plan.find(place) else { continue };
                if is_shut(plan, before, &failed, node) {
                    broken.push(at(Property::Shut, node));
                }
                if *attempt == 1
                    && let Some(other) = still_under_way_before(plan, after, node)
                {
                    broken.push(ahead(Property::InOrder, place, node, other));
                }
            }
            Event::Called { at: place, work: Direction::Undo, attempt, .. }
            | Event::Sent { at: place, work: Direction::Undo, attempt } => {
                let Some(node) = plan.find(place) else { continue };
                if *attempt == 1 && has_begun_undo(before.instance.state(node)) {
                    broken.push(at(Property::UndoneOnce, node));
                }
                if before.instance.phase == Phase::Committed
                    && scopes(plan, node).next().is_none()
                    && !is_of_run(plan, node)
                {
                    broken.push(at(Property::NoReturn, node));
                }
                if let Some(other) = still_owed_behind(plan, after, node) {
                    broken.push(ahead(Property::MirrorOrder, place, node, other));
                }
            }
            Event::Succeeded { at: place, work: Direction::Undo, .. } => {
                // Where a person has done it without that saga, it could not be given its input.
                let by_hand = |step: At| matches!(before.instance.state(step), Some(State::Undoing(_)));
                let step = plan.find(place).filter(|step| !by_hand(*step));
                let left = step.and_then(|step| cut_short(plan, after, step));
                broken.extend(left.map(|left| at(Property::AllOrNothing, left)));
            }
            Event::Caught { at: place, handler } => {
                let Some(scope) = plan.find(place) else { continue };
                if !is_right_handler(plan, after, scope, *handler) {
                    broken.push(at(Property::RightHandler, scope));
                }
                broken.extend(left_over(plan, after, scope).map(|left| at(Property::AllOrNothing, left)));
            }
            _ => {}
        }
    }
    broken
}

/// Which promises a state breaks, however it was reached, and at what places.
pub(super) fn broken_in(setting: &Setting<'_>, after: &World) -> Vec<Broken> {
    let plan = setting.plan;
    let mut broken = Vec::new();
    // Where a cancel is refused it is not among the moves: it is tried here.
    if !matches!(after.instance.phase, Phase::New | Phase::Forward)
        && setting.happens(Happening::Cancel)
        && let Some(told) = moves::takes_cancel(setting, after)
    {
        broken.push(Broken::said(Property::NoReturn, "a cancel").by(told));
    }
    let comes_late = setting.happens(Happening::Late);
    if comes_late && let Some((signal, told)) = signalled::unawaited(setting, after) {
        broken.push(Broken::said(Property::LateChangesNothing, format!("a signal {signal}")).by(told));
    }
    let left = match &after.instance.phase {
        Phase::Completed(_) => of_completed(plan, after),
        Phase::Compensated(_) => left_over(plan, after, At::ROOT),
        _ => None,
    };
    broken.extend(left.map(|place| Broken::at(setting, Property::AllOrNothing, place)));
    if comes_late {
        let property = if after.instance.has_ended() { Property::OneOutcome } else { Property::LateChangesNothing };
        let late = moves::late(setting, after);
        broken.extend(late.map(|(place, told)| Broken::at(setting, property, place).by(told)));
    }
    broken
}

/// What is done again where participants keep no guard: each command that was taken back, once the scope around it is over.
/// It may be any copy of it that is late, and nothing takes that back any more.
pub(super) fn copied(setting: &Setting<'_>, change: &Change, after: &World) -> Vec<Broken> {
    if setting.guard {
        return Vec::new();
    }
    let plan = setting.plan;
    let over = |event: &Event| match event {
        Event::Caught { at, .. } => plan.find(at),
        Event::Compensated => Some(At::ROOT),
        _ => None,
    };
    let over: Vec<At> = change.events.iter().filter_map(over).collect();
    let is_over = |at: At| over.iter().any(|scope| is_owed_to(plan, at, *scope));
    let undone = after.rows.iter().filter(|(at, row)| *row == Row::Undone && is_over(*at));
    let copied = |at: At| Broken::at(setting, Property::AllOrNothing, at).by(words::copied(plan, at));
    undone.map(|(at, _)| copied(*at)).collect()
}

/// Whether nothing can happen any more, although it has not ended.
pub(super) fn is_dead(plan: &Plan, world: &World) -> bool {
    let instance = &world.instance;
    let waits =
        || instance.states().any(|(_, state)| matches!(state.attempt(), Some((_, of)) if of.wait.is_for_turn()));
    !instance.has_ended()
        && instance.summary() != Summary::Stuck
        && instance.next_due(plan).is_none()
        && engine::pending(plan, instance).is_empty()
        && !waits()
}

fn has_begun_undo(state: Option<&State>) -> bool {
    match state {
        Some(State::Undone | State::Turned) => true,
        Some(State::Undoing(undoing)) => undoing.attempt.number > 0,
        _ => false,
    }
}

/// The inner scopes around a node.
fn scopes(plan: &Plan, node: At) -> impl Iterator<Item = At> {
    std::iter::successors(Some(plan.scope(node)), |scope| Some(plan.scope(*scope)))
        .take_while(|scope| *scope != At::ROOT)
}

/// Whether it belongs to a sub-saga that is taken back as a whole, or is the step that runs it.
fn is_of_run(plan: &Plan, node: At) -> bool {
    plan.has_own_pivot(node.node()) || plan.around(node.node()).any(|run| plan.has_own_pivot(run))
}

/// The saga that a node belongs to: the whole one, or one that takes a step back, each element's and round's its own.
fn flow(plan: &Plan, node: At) -> At {
    plan.beside(node, plan.node(node.node()).flow)
}

/// That very one.
const fn meant(at: At) -> Meant {
    Meant { node: at.node(), at: Some(at) }
}

/// A step that ran behind `node` and is not taken back yet.
fn still_owed_behind(plan: &Plan, world: &World, node: At) -> Option<At> {
    let owes = |(other, state): (At, &State)| {
        let has_compensation = plan.work(other.node()).is_some_and(Work::has_compensation);
        let owes = match state {
            // What takes another step back is done when that is.
            State::Done(_) | State::Unknown => {
                has_compensation && !is_of_run(plan, other) && flow(plan, other) == flow(plan, node)
            }
            State::Doing(_) | State::Undoing(_) | State::Turned => {
                matches!(plan.node(other.node()).kind, Kind::Step(_))
            }
            _ => false,
        };
        (owes && other != node && plan.is_before(meant(node), meant(other))).then_some(other)
    };
    world.instance.states().find_map(owes)
}

/// Whether a scope around fails, or has failed. The pivot step of a sub-saga is asked all the same: its outcome decides what
/// is to be taken back.
fn is_shut(plan: &Plan, before: &World, failed: &[At], node: At) -> bool {
    let fails = |scope: At| {
        failed.contains(&scope)
            || matches!(before.instance.state(scope), Some(State::Failing(_) | State::Caught(_)))
            || (scope == At::ROOT && matches!(before.instance.phase, Phase::Failing(_) | Phase::Compensated(_)))
    };
    let is_found_out = plan.work(node.node()).is_some_and(|work| work.class == Class::InnerPivot);
    !is_found_out && plan.scopes(node).any(fails)
}

/// What should have ended before `node` begins: a step or wait that stands before it, or an element or round of a loop.
fn still_under_way_before(plan: &Plan, after: &World, node: At) -> Option<At> {
    let is_ahead = |(other, state): (At, &State)| {
        let waits = matches!(plan.node(other.node()).kind, Kind::Step(_) | Kind::Sleep(_) | Kind::Await(..));
        let is_under_way = matches!(state, State::Doing(_) | State::Sleeping(_));
        let is_of_flow = flow(plan, other) == flow(plan, node);
        (waits && is_under_way && is_of_flow && other != node && plan.is_before(meant(other), meant(node)))
            .then_some(other)
    };
    let too_many = || {
        plan.node(node.node()).loops.iter().enumerate().find_map(|(depth, around)| {
            let (at, index) = (node.beside(around.node, depth), node.index(depth));
            let begun = match (&plan.node(at.node()).kind, after.instance.state(at)) {
                (Kind::Each(each), Some(State::Each(elements))) => elements.begun(each),
                (Kind::Repeat(repeat), Some(State::Rounds(rounds))) => rounds.begun(repeat),
                (Kind::Repeat(_), _) => 1,
                _ => return None,
            };
            (index > begun).then_some(at)
        })
    };
    after.instance.states().find_map(is_ahead).or_else(too_many)
}

fn is_right_handler(plan: &Plan, after: &World, at: At, handler: u32) -> bool {
    let (Kind::Try(trial), Some(State::Caught(caught))) = (&plan.node(at.node()).kind, after.instance.state(at)) else {
        return false;
    };
    let takes = |codes: &[CompactString]| codes.is_empty() || codes.contains(&caught.failure.code);
    let first = trial.catches.iter().position(|(codes, _)| takes(codes));
    first.and_then(|first| u32::try_from(first).ok()) == Some(handler)
}

/// A statement of the saga that takes a step back which was not come to, or not ended.
fn cut_short(plan: &Plan, world: &World, step: At) -> Option<At> {
    let back = plan.work(step.node())?.back?;
    let all: Vec<NodeId> = plan.children(back);
    let last = |child: NodeId| all.iter().copied().find(|next| *next > child);
    let open = |at: At, state: &State| {
        matches!(state, State::Doing(_) | State::Undoing(_) | State::Turned) && plan.node(at.node()).flow == back
    };
    let missed = all.iter().copied().find(|child| {
        let is_in = |at: At| at.node() >= *child && last(*child).is_none_or(|next| at.node() < next);
        let is_of = |at: At| plan.node(at.node()).flow == back && plan.beside(at, step.node()) == step;
        !world.instance.states().any(|(at, _)| is_in(at) && is_of(at))
    });
    let is_open = |(at, state): &(At, &State)| open(*at, state) && plan.beside(*at, step.node()) == step;
    let missed = missed.map(|child| plan.beside(step, child));
    missed.or_else(|| world.instance.states().find(is_open).map(|(at, _)| at))
}

/// Completed, although something was not done.
fn of_completed(plan: &Plan, world: &World) -> Option<At> {
    let is_wrong = |(node, state): (At, &State)| {
        let not_done = matches!(
            state,
            State::Undone | State::Unknown | State::Refused(_) | State::Undoing(_) | State::Turned | State::Doing(_)
        );
        (not_done && scopes(plan, node).next().is_none()).then_some(node)
    };
    world.instance.states().find_map(is_wrong)
}

/// What a participant may have done that a compensation should have taken back.
fn left_over(plan: &Plan, world: &World, scope: At) -> Option<At> {
    let of_rows = world.rows.iter().find_map(|(node, row)| {
        let stays = matches!(row, Row::Sent | Row::Done);
        // Nothing takes a point of no return back: nobody may go back before it is known that it was not passed.
        let is_pivot = || {
            let is_pivot = plan.work(node.node()).is_some_and(|work| work.class == Class::Pivot);
            scope == At::ROOT && is_pivot && !is_of_run(plan, *node)
        };
        (stays && (is_owed_to(plan, *node, scope) || is_pivot())).then_some(*node)
    });
    let of_states = || {
        world.instance.states().find_map(|(node, state)| {
            let work = plan.work(node.node())?;
            let is_open = matches!(state, State::Doing(_) | State::Undoing(_) | State::Turned);
            let stays = (is_open || matches!(state, State::Done(_) | State::Unknown))
                && work.has_compensation()
                && plan.is_within(node, scope)
                && !plan.around(node.node()).any(|run| plan.has_own_pivot(run));
            stays.then_some(node)
        })
    };
    of_rows.or_else(of_states)
}

/// Whether a scope that fails is not over before the command of a step is taken back.
fn is_owed_to(plan: &Plan, step: At, scope: At) -> bool {
    let is_taken_back = plan
        .work(step.node())
        .is_some_and(|work| work.undo == Some(Undo::OfCommand) && work.class == Class::Compensatable);
    is_taken_back && plan.is_within(step, scope) && !is_of_run(plan, step)
}
