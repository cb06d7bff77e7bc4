//! Every way in which a saga can end: explores all orders of answers, silence, time, signals, cancel and people's orders,
//! on the engine that runs.
//!
//! ```text
//!   state --move--> input -> engine::decide -> change -> Instance::apply -> the clock left out -> state, seen before?
//! ```
//!
//! Breadth first, so that the first trace to anything is a shortest one. What makes no difference is left out: instants
//! (any timer may end at any moment before another, but those that a limit outlasts), attempts in the middle of many, the moment at which a participant
//! carries a command out before somebody learns of it. A crash is in each state: an instance is what its journal makes of
//! it, and what the world is owed follows from that alone, so a restart is the state itself with its messages once more.

mod against;
mod computed;
mod constants;
mod ranges;
mod reads;
mod data;
mod lengths;
mod ahead;
mod state;
mod later;
mod twins;
mod bounds;
mod moves;
mod happening;
mod signalled;
mod alike;
mod properties;
mod broken;
mod setting;
mod outlasted;
mod outside;
mod words;
mod parts;
mod pairs;
mod tried;
mod stuck;
mod found;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use compact_str::CompactString;
use foldhash::fast::FixedState;
use indexmap::IndexMap;

use self::alike::Sum;
use self::broken::Broken;
use self::happening::Move;
use self::later::Later;
use self::moves::{Moved, Step, carry_out};
use self::setting::Setting;
use self::signalled::Signalled;
use self::state::World;
use self::stuck::Stuck;
use self::tried::Tried;
use self::twins::Swap;
use super::world::without_indices;
use crate::engine::{
    self, Change, Decision, Direction, Event, Input, Instance, InstanceId, Misfit, Phase, Run, Summary, Takes,
};
use crate::plan::Plan;
use crate::time::Timestamp;

pub use self::bounds::{
    Bounds, INPUTS_MAX, INPUTS_USUAL, MEMORY_MAX, MEMORY_USUAL, REPLIES_MAX, REPLIES_USUAL, SIGNALS_USUAL, STATES_MAX,
    STEPS_USUAL, Without,
};
pub use self::found::{Cut, Ending, Report, Tally, Violation, Way};
pub use self::happening::Happening;
pub(super) use self::outside::{Outside, from_outside, inputs};
pub use self::properties::Property;
pub use self::stuck::StuckBy;
pub use self::tried::{Untaken, Untried};
pub use self::words::{Answer, Deed, Told};

/// The instant of everything that has happened.
const START: Timestamp = super::scenario::START;

/// The instance that is explored.
const EXPLORED: &str = "explored";

/// The instant of everything that will happen: far beyond all that a definition says, so that nothing has come by then.
const FAR: Timestamp = Timestamp(START.0 + 1_000 * 86_400_000);

/// Who decides and applies: the engine, or in tests one that makes mistakes, to see that they are found.
pub trait Decides {
    /// See [`engine::decide`].
    fn decide<'a>(&self, plan: &'a Plan, instance: &'a Instance, input: &Input, takes: &'a mut Takes<'a>) -> Decision;

    /// See [`Instance::apply`].
    ///
    /// # Errors
    /// The change does not belong to the instance.
    fn apply(&self, plan: &Plan, instance: &mut Instance, change: &Change) -> Result<(), Misfit> {
        instance.apply(plan, change)
    }

    /// The instance behind a change, which a decision brings. An engine that makes mistakes makes it of its change.
    ///
    /// # Errors
    /// The change does not belong to the instance.
    fn behind(&self, plan: &Plan, before: &Instance, change: &Change, decided: Instance) -> Result<Instance, Misfit> {
        let _ = (plan, before, change);
        Ok(decided)
    }
}

/// The engine that runs in production.
pub struct Engine;

impl Decides for Engine {
    fn decide<'a>(&self, plan: &'a Plan, instance: &'a Instance, input: &Input, takes: &'a mut Takes<'a>) -> Decision {
        engine::decide(plan, instance, START, input, takes)
    }
}

/// The state that a state was reached from, and how.
#[derive(Clone, Copy)]
struct Came {
    from: u32,
    by: Step,
}

struct Search<'p> {
    setting: Setting<'p>,
    root: World,
    sum: Sum,
    /// The states by their fingerprints.
    seen: IndexMap<u64, u32, FixedState>,
    came: Vec<Came>,
    /// Steps, each from a state to a state.
    edges: Vec<(u32, u32)>,
    /// States in which it has ended, or waits for a person.
    at_rest: Vec<u32>,
    /// What is still to be gone on from, and the bytes that it takes.
    queue: VecDeque<(u32, Box<World>)>,
    queued: usize,
    endings: BTreeMap<Ending, (u32, Tally)>,
    stuck: Stuck,
    /// What is broken in a state, or behind it.
    violations: BTreeMap<(Property, String), (u32, Broken)>,
    /// Something was not gone on from, because the engine had broken a promise.
    was_stopped: bool,
    tried: Tried<'p>,
    /// At most so many states.
    states_max: usize,
    /// There was one more.
    is_full: bool,
}

/// No state: where a search begins.
const NOWHERE: u32 = u32::MAX;

/// Explores a saga.
#[must_use]
pub fn explore(plan: &Plan, engine: &dyn Decides, bounds: Bounds) -> Report {
    let (setting, cut) = Setting::new(plan, engine, bounds);
    let mut cut: Vec<Cut> = cut.into_iter().collect();
    let mut search = Search::new(setting, bounds.states);
    search.begin();
    let mut spent = 0_usize;
    while let Some((id, world)) = search.queue.pop_front() {
        if spent >= bounds.steps {
            cut.push(Cut::Steps);
            break;
        }
        if search.bytes() > bounds.memory {
            cut.push(Cut::Memory);
            break;
        }
        search.queued -= world.bytes();
        let before = search.edges.len();
        search.go_on(id, &world);
        spent = spent.saturating_add((search.edges.len() - before).saturating_mul(weight(&world)));
        if search.is_full {
            break;
        }
    }
    // Also where there was no room for a beginning.
    if search.is_full {
        cut.push(Cut::States);
    }
    search.report(cut)
}

/// A step from a state with so many places of the saga in it counts once.
const USUAL_SIZE: usize = 28;

/// What a step from a state counts, so that a budget of steps is one of time and memory, too: in a state that is twice as
/// large there is twice as much to try, and each takes more than twice as long. With 50 places it is 9, with 100 it is 48.
fn weight(world: &World) -> usize {
    let (size, usual) = (world.instance.states().count(), USUAL_SIZE * USUAL_SIZE);
    1 + (size * size).saturating_sub(usual) / (usual / 4)
}

impl<'p> Search<'p> {
    fn new(setting: Setting<'p>, states_max: usize) -> Self {
        let id = InstanceId::try_from(EXPLORED).expect("a short word is an id");
        let (instance, tried) = (Instance::new(id, Run(START.0), setting.plan), Tried::new(setting.plan));
        Self {
            setting,
            root: World { instance, rows: Rc::default() },
            sum: Sum::default(),
            seen: IndexMap::default(),
            came: Vec::new(),
            edges: Vec::new(),
            at_rest: Vec::new(),
            queue: VecDeque::new(),
            queued: 0,
            endings: BTreeMap::new(),
            stuck: Stuck::default(),
            violations: BTreeMap::new(),
            was_stopped: false,
            tried,
            states_max,
            is_full: false,
        }
    }

    /// The beginnings: each input.
    fn begin(&mut self) {
        let root = self.root.clone();
        let mut later = Later::than(&root.instance);
        for input in 0..u16::try_from(self.setting.inputs.len()).unwrap_or(u16::MAX) {
            self.take(NOWHERE, (&root, &mut later), Move::Start(input));
        }
    }

    /// Everything that can happen next.
    ///
    /// A signal for which nobody waits is remembered, and that is all; `properties` looks whether it is so. So it makes no
    /// difference when it comes before somebody does: it is enough that it comes just before the step with which somebody
    /// begins to wait.
    fn go_on(&mut self, id: u32, world: &World) {
        let mut moves = Vec::new();
        moves::moves(&self.setting, world, &mut moves);
        let mut offered = Vec::new();
        let mut signals = signalled::awaited(&self.setting, world);
        if !self.setting.reduces {
            signals.extend(Signalled::all(&self.setting));
        }
        for signal in signals {
            self.offer(world, signal, &mut offered, &mut moves);
        }
        let mut later = Later::than(&world.instance);
        let mut next = 0;
        while let Some(by) = moves.get(next).copied() {
            next += 1;
            for signal in self.take(id, (world, &mut later), by) {
                self.offer(world, signal, &mut offered, &mut moves);
            }
        }
    }

    fn offer(&self, world: &World, signal: Signalled, offered: &mut Vec<CompactString>, moves: &mut Vec<Move>) {
        let name = signal.name(&self.setting);
        if !offered.contains(&name) {
            offered.push(name);
            signalled::signals(&self.setting, world, signal, moves);
        }
    }

    /// Takes a step, and says for which signals somebody begins to wait with it.
    fn take(&mut self, from: u32, (world, later): (&World, &mut Later<'_>), by: Move) -> Vec<Signalled> {
        let mut awaited = Vec::new();
        if Happening::of(by).is_some_and(|happening| !self.setting.happens(happening)) {
            return awaited;
        }
        for is_crowded in [false, true] {
            let step = Step { by, is_crowded };
            let (moved, was_asked) = carry_out(&self.setting, world, later, step);
            if let Moved::To(_, change) = &moved {
                for event in &change.events {
                    if let Event::Slept { at, .. } = event {
                        let at = self.setting.plan.find(at);
                        awaited.extend(at.and_then(|at| Signalled::awaited(&self.setting, at)));
                    }
                }
            }
            self.arrive(from, (world, later), step, moved);
            if !was_asked || !self.setting.happens(Happening::Turn) {
                break;
            }
        }
        awaited
    }

    fn arrive(&mut self, from: u32, (world, later): (&World, &Later<'_>), by: Step, moved: Moved) {
        match moved {
            Moved::Nothing => {}
            Moved::Misfit(misfit) => {
                let id = self.note(from, by);
                self.breaks(id, Broken::said(Property::Sound, misfit.to_string()));
                self.stop(id);
            }
            Moved::To(next, change) => {
                self.tried.see(self.setting.plan, &change, &next.instance);
                self.stuck.see(&self.setting, world, by.by, (&change, &next));
                let broken = properties::broken_by(&self.setting, world, &change, &next);
                let broken = broken.into_iter().find(|broken| self.setting.looks_at(broken.property));
                let fingerprint = alike::fingerprint(&self.setting, &next, &mut self.sum);
                let known = self.seen.get(&fingerprint).copied();
                let in_itself = || {
                    let has_crashed = self.setting.happens(Happening::Crash);
                    let is_replayed = !has_crashed || moves::is_replayed(&self.setting, later, &change, &next);
                    let defect = (!is_replayed).then(|| Broken::said(Property::Sound, "a replay"));
                    let defect = defect.filter(|broken| self.setting.looks_at(broken.property));
                    let in_it = || properties::broken_in(&self.setting, &next).into_iter();
                    defect.or_else(|| in_it().find(|broken| self.setting.looks_at(broken.property)))
                };
                let broken = broken.or_else(|| if known.is_none() { in_itself() } else { None });
                let copied = properties::copied(&self.setting, &change, &next);
                if let (Some(known), None) = (known, &broken) {
                    self.edges.push((from, known));
                    for copied in copied {
                        if !self.violations.contains_key(&copied.key()) {
                            let id = self.note(from, by);
                            self.at_rest.push(id);
                            self.breaks(id, copied);
                        }
                    }
                    return;
                }
                if known.is_none() && broken.is_none() && self.seen.len() >= self.states_max {
                    self.is_full = true;
                    return;
                }
                let id = self.note(from, by);
                self.edges.push((from, id));
                self.seen.entry(fingerprint).or_insert(id);
                if let Some(broken) = broken {
                    self.breaks(id, broken);
                    return self.stop(id);
                }
                for copied in copied {
                    self.breaks(id, copied);
                }
                if properties::is_dead(self.setting.plan, &next) {
                    self.breaks(id, Broken::said(Property::GoesOn, ""));
                }
                let endings = endings(self.setting.plan, &next.instance);
                if !endings.is_empty() {
                    self.at_rest.push(id);
                }
                for ending in endings {
                    let tally = Tally::of(&self.setting, &next.instance);
                    let known = self.endings.entry(ending);
                    known.and_modify(|(_, known)| *known = known.and(tally)).or_insert((id, tally));
                }
                if known.is_none() && !next.instance.has_ended() {
                    self.queued += next.bytes();
                    self.queue.push_back((id, Box::new(next)));
                }
            }
        }
    }

    /// The first time that something is broken is by a shortest way.
    fn breaks(&mut self, id: u32, broken: Broken) {
        if self.setting.looks_at(broken.property) {
            self.violations.entry(broken.key()).or_insert((id, broken));
        }
    }

    /// Nothing is promised of what follows from what the engine has broken.
    fn stop(&mut self, id: u32) {
        self.was_stopped = true;
        self.at_rest.push(id);
    }

    fn note(&mut self, from: u32, by: Step) -> u32 {
        let id = u32::try_from(self.came.len()).unwrap_or(NOWHERE);
        self.came.push(Came { from, by });
        id
    }

    /// What is kept, in bytes: of all states how they were reached, and those from which is still to be gone on.
    fn bytes(&self) -> usize {
        /// Half of a table that grows is empty at its worst.
        const SPARE: usize = 2;
        let known = self.seen.len() * size_of::<(u64, u32, usize)>() * SPARE;
        known + self.came.len() * size_of::<Came>() + self.edges.len() * size_of::<(u32, u32)>() + self.queued
    }

    /// A shortest way to a state.
    fn way(&self, to: u32) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut at = to;
        while let Some(came) = self.came.get(at as usize) {
            steps.push(came.by);
            at = came.from;
        }
        steps.reverse();
        steps
    }

    /// A shortest way to each ending. One on which a twin gets stuck is one for each of them, with the two in each other's place;
    /// and of twins that which was looked at for all may have come to another one later.
    fn ways(&self) -> BTreeMap<Ending, Way> {
        let plan = self.setting.plan;
        let own = self.endings.iter().map(|(ending, (id, tally))| {
            (ending.clone(), (self.way(*id), None::<Swap>, *tally, self.stuck.first(ending)))
        });
        let mut shortest: BTreeMap<_, _> = own.collect();
        for (ending, (id, tally)) in &self.endings {
            let Ending::Stuck(place, direction) = ending else { continue };
            let Some(node) = plan.named(place) else { continue };
            let steps = self.way(*id);
            for swap in self.setting.twins.others(node) {
                let other = Ending::Stuck(plan.node(swap.node(node)).place.clone(), *direction);
                let by = self.stuck.first(ending);
                let known = shortest.entry(other).or_insert_with(|| (steps.clone(), Some(swap), *tally, by));
                known.2 = known.2.as_of_twin(*tally);
                if steps.len() < known.0.len() {
                    (known.0, known.1, known.3) = (steps.clone(), Some(swap), by);
                }
            }
        }
        let told = shortest.into_iter().map(|(ending, (steps, swap, tally, by))| {
            let trace = words::told(&self.setting, &self.root, &steps, swap);
            let stuck_by = (by, self.stuck.by(&self.setting, &ending));
            (ending.clone(), Way { ending, trace, tally, stuck_by })
        });
        told.collect()
    }

    /// A state from which nothing leads to an end.
    fn lost(&self) -> Option<u32> {
        let mut back: Vec<(u32, u32)> = self.edges.iter().map(|(from, to)| (*to, *from)).collect();
        back.sort_unstable();
        let mut leads = vec![false; self.came.len()];
        let mut way: Vec<u32> = self.at_rest.clone();
        while let Some(at) = way.pop() {
            let Some(known) = leads.get_mut(at as usize) else { continue };
            if std::mem::replace(known, true) {
                continue;
            }
            let first = back.partition_point(|(to, _)| *to < at);
            way.extend(back.iter().skip(first).take_while(|(to, _)| *to == at).map(|(_, from)| *from));
        }
        leads.iter().position(|leads| !leads).and_then(|id| u32::try_from(id).ok())
    }

    fn report(mut self, mut cut: Vec<Cut>) -> Report {
        if cut.is_empty()
            && let Some(lost) = self.lost()
        {
            self.breaks(lost, Broken::said(Property::Ends, ""));
        }
        if self.was_stopped {
            cut.push(Cut::Broken);
        }
        let ways = self.ways().into_values();
        let violations = self.violations.values().map(|(id, broken)| {
            let mut trace = words::told(&self.setting, &self.root, &self.way(*id), None);
            trace.extend(broken.by.clone());
            Violation { property: broken.property, at: broken.at.clone(), span: broken.span(&self.setting), trace }
        });
        let (ways, violations) = (ways.collect(), violations.collect());
        let untried = if cut.is_empty() { self.tried.untried(&self.setting) } else { Vec::new() };
        let lists = self.setting.lists;
        Report { states: self.seen.len(), steps: self.edges.len(), cut, untried, lists, ways, violations }
    }
}

/// The endings that a state is.
pub(super) fn endings(plan: &Plan, instance: &Instance) -> Vec<Ending> {
    match &instance.phase {
        Phase::Completed(_) => vec![Ending::Completed],
        Phase::Compensated(failure) => vec![Ending::Compensated(failure.code.clone())],
        _ if instance.summary() == Summary::Stuck => {
            let stuck = instance.stuck(plan).into_iter().map(|place| {
                let state = plan.find(&place).and_then(|node| instance.state(node));
                let direction =
                    state.and_then(|state| state.attempt()).map_or(Direction::Do, |(direction, _)| direction);
                Ending::Stuck(without_indices(&place).into(), direction)
            });
            stuck.collect()
        }
        _ => Vec::new(),
    }
}
