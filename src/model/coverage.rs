//! Which of what can become of each step a file's scenarios show, and scenarios for what none shows.

use std::cell::LazyCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use compact_str::CompactString;
use serde_json::value::RawValue;

use super::example::{self, Example};
use super::explore::{self, Deed, Ending, Way, endings};
use super::scenario::Report;
use super::unreached::unreached;
use super::world::without_indices;
use crate::definition::expression::{Expr, Typed};
use crate::definition::limits::DEFAULT_TIMEOUT;
use crate::definition::types::{Record, Type};
use crate::definition::value::{Value, to_json};
use crate::definition::{HappeningKind, Scenario, Sleep, Verb};
use crate::diagnostic::Diagnostic;
use crate::engine::{Direction, Event, Place, Why};
use crate::json::Json;
use crate::plan::{Class, Kind, Plan};

/// Inputs from which a scenario is looked for: each takes some tenths of a second.
const INPUTS_MAX: usize = 4;

/// Ways behind which a scenario is looked for, as long each.
const WAYS_MAX: usize = 4;

/// Times that what was not found is looked for again, from what was found meanwhile: each time something is found, or it is the
/// last. Of the shipped sagas none takes more than three.
const ROUNDS_MAX: usize = 8;

/// What can become of a step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// It is done.
    Done,
    /// It is refused with this code.
    Refused(CompactString),
    /// An attempt is not answered in time, and it is asked again: what became of it, or to do it.
    TimesOut,
    /// Nobody knows what became of it.
    Unknown,
    /// It is taken back.
    Undone,
    /// It waits for a person, on its way forward or back.
    Stuck(Direction),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::Refused(code) => return write!(f, "fails \"{code}\""),
            Self::TimesOut => "times out and is asked again",
            Self::Unknown => "is unknown",
            Self::Undone => "is taken back",
            Self::Stuck(Direction::Do) => "is stuck",
            Self::Stuck(Direction::Undo) => "is stuck as it is taken back",
        })
    }
}

/// A way of a step: its place, in a loop without indices, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// Where the step stands in reading order.
    order: usize,
    /// The step.
    pub step: CompactString,
    /// What becomes of it.
    pub what: What,
}

/// What of a saga its scenarios show.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// What can be and is shown.
    pub shown: BTreeSet<Cell>,
    /// What can be and no scenario shows, in reading order.
    pub missing: BTreeSet<Cell>,
    /// The scenarios.
    known: Vec<Known>,
}

/// A scenario, from which others are looked for.
#[derive(Clone, Debug)]
struct Known {
    given: Json,
    happenings: Vec<HappeningKind>,
    shows: BTreeSet<(CompactString, What)>,
}

/// A scenario that was made.
struct Made {
    example: Example,
    known: Known,
    /// What of the missing it shows.
    shows: BTreeSet<Cell>,
}

impl Coverage {
    /// By what came of a saga's scenarios, and without the steps of which the findings of its file say that nothing comes to them.
    #[must_use]
    pub fn of<'r>(
        plan: &Plan,
        findings: &[Diagnostic],
        played: impl IntoIterator<Item = (&'r Scenario, &'r Report)>,
    ) -> Self {
        let known = played.into_iter().filter_map(|(scenario, report)| {
            let given = Json::parse(scenario.given.as_deref().unwrap_or("{}")).ok()?;
            let happenings = scenario.happenings.iter().map(|happening| happening.kind.clone()).collect();
            Some(Known { given, happenings, shows: shown_by(plan, report) })
        });
        let known: Vec<Known> = known.collect();
        let is_seen = |cell: &Cell| known.iter().any(|known| cell.is_in(&known.shows));
        let unreached = unreached(&plan.saga, findings);
        let can_be = possible(plan).into_iter().filter(|cell| !unreached.contains(&cell.step));
        let (shown, missing) = can_be.partition(is_seen);
        Self { shown, missing, known }
    }

    /// Scenarios for what is missing, and what none was found for. With the scenarios behind the others nothing more is found.
    /// `ways` are those of the saga to its ends, and are asked for where nothing is found from the inputs of scenarios.
    pub fn completed<'w>(&self, plan: &Plan, ways: &dyn Fn() -> &'w [Way]) -> (Vec<Example>, BTreeSet<Cell>) {
        let mut made: Vec<Made> = Vec::new();
        let mut unfound = BTreeSet::new();
        // All data by which conditions tell one way from another, once it is needed.
        let data = LazyCell::new(|| example::data(plan));
        for _ in 0..ROUNDS_MAX {
            let before = made.len();
            unfound.clear();
            let is_open = |cell: &&Cell| !made.iter().any(|made| made.shows.contains(*cell));
            let mut open: BTreeSet<&Cell> = self.missing.iter().filter(is_open).collect();
            while let Some(cell) = open.pop_first() {
                let known: Vec<&Known> = self.known.iter().chain(made.iter().map(|made| &made.known)).collect();
                let Some(example) = missing(plan, &known, cell, (&data, ways)) else {
                    unfound.insert(cell.clone());
                    continue;
                };
                let shows = shown_by(plan, &example.play(plan));
                // One scenario may show several things.
                let missing = self.missing.iter().filter(|cell| cell.is_in(&shows)).cloned().collect();
                let (given, happenings) = (example.given.clone(), example.happenings.clone());
                let one = Made { example, known: Known { given, happenings, shows }, shows: missing };
                open.retain(|cell| !one.shows.contains(*cell));
                unfound.retain(|cell| !one.shows.contains(cell));
                made.push(one);
            }
            if made.len() == before {
                break;
            }
            // What was not found is looked for again from what is left: so does whoever asks a second time.
            made = needed(made);
            if unfound.is_empty() {
                break;
            }
        }
        (made.into_iter().map(|made| made.example).collect(), unfound)
    }
}

impl Cell {
    fn is_in(&self, shows: &BTreeSet<(CompactString, What)>) -> bool {
        shows.iter().any(|(step, what)| *step == self.step && *what == self.what)
    }
}

/// Without those that show nothing but what others do, of which the longest go first.
fn needed(made: Vec<Made>) -> Vec<Made> {
    let mut order: Vec<usize> = (0..made.len()).collect();
    order.sort_by_key(|number| Reverse(made.get(*number).map_or(0, |made| made.known.happenings.len())));
    let mut left: BTreeSet<usize> = order.iter().copied().collect();
    for number in order {
        let is_shown = |cell: &Cell| {
            let mut others = made.iter().enumerate().filter(|(other, _)| *other != number && left.contains(other));
            others.any(|(_, made)| made.shows.contains(cell))
        };
        if made.get(number).is_some_and(|made| made.shows.iter().all(is_shown)) {
            left.remove(&number);
        }
    }
    made.into_iter().enumerate().filter(|(number, _)| left.contains(number)).map(|(_, made)| made).collect()
}

/// Everything that can become of a saga's steps, by what each promises and where it stands.
fn possible(plan: &Plan) -> BTreeSet<Cell> {
    let mut cells = BTreeSet::new();
    for (order, (id, node)) in plan.nodes().enumerate() {
        let Some(work) = plan.work(id) else { continue };
        let step = CompactString::from(without_indices(&node.place));
        let mut add = |what| {
            cells.insert(Cell { order, step: step.clone(), what });
        };
        if let Some(action) = work.action() {
            add(What::Done);
            if action.verb == Verb::Call {
                action.command.fails.iter().for_each(|code| add(What::Refused(code.clone())));
                if action.participant.answers_queries || action.timing.retry.times > 0 {
                    add(What::TimesOut);
                }
                add(if work.class == Class::Compensatable { What::Unknown } else { What::Stuck(Direction::Do) });
            }
        }
        if work.has_compensation() {
            add(What::Undone);
        }
        if work.compensation().is_some_and(|undo| undo.verb == Verb::Call) {
            add(What::Stuck(Direction::Undo));
        }
    }
    cells
}

/// What a play shows.
fn shown_by(plan: &Plan, report: &Report) -> BTreeSet<(CompactString, What)> {
    let mut all: BTreeSet<_> = report.trace.iter().filter_map(|(_, event)| of_event(event)).collect();
    all.extend(repeated(report).map(|at| (without_indices(at).into(), What::TimesOut)));
    // A pivot step is shown as stuck and goes on: no event says so.
    all.extend(endings(plan, &report.instance).into_iter().filter_map(|ending| match ending {
        Ending::Stuck(at, direction) => Some((without_indices(&at).into(), What::Stuck(direction))),
        Ending::Completed | Ending::Compensated(_) => None,
    }));
    all
}

/// The places at which an attempt followed one that was not answered. A pause alone says nothing: a deadline may come in it.
fn repeated(report: &Report) -> impl Iterator<Item = &Place> {
    let mut silent = BTreeSet::new();
    report.trace.iter().filter_map(move |(_, event)| match event {
        Event::Paused { at, work: Direction::Do, why: Why::Silence, .. } => {
            silent.insert(at);
            None
        }
        Event::Called { at, work: Direction::Do, .. } => silent.remove(at).then_some(at),
        _ => None,
    })
}

fn of_event(event: &Event) -> Option<(CompactString, What)> {
    let (at, what) = match event {
        Event::Succeeded { at, work: Direction::Do, .. } => (at, What::Done),
        Event::Succeeded { at, work: Direction::Undo, .. } => (at, What::Undone),
        Event::Refused { at, code, .. } => (at, What::Refused(code.clone())),
        Event::Asked { at, work: Direction::Do, .. } => (at, What::TimesOut),
        Event::Lost { at } => (at, What::Unknown),
        Event::Stuck { at, work, .. } => (at, What::Stuck(*work)),
        _ => return None,
    };
    Some((without_indices(at).into(), what))
}

/// A scenario that shows what none of these does; none where none was found.
fn missing<'w>(
    plan: &Plan,
    known: &[&Known],
    cell: &Cell,
    (data, ways): (&LazyCell<Vec<HappeningKind>, impl FnOnce() -> Vec<HappeningKind>>, &dyn Fn() -> &'w [Way]),
) -> Option<Example> {
    let wanted = |report: &Report| cell.is_in(&shown_by(plan, report));
    let mut inputs: Vec<(&Json, Vec<Vec<HappeningKind>>)> = Vec::new();
    // Those first that come to the step.
    let comes_by = |known: &&&Known| known.shows.iter().any(|(step, _)| *step == cell.step);
    let others = known.iter().filter(|known| !comes_by(known));
    for Known { given, happenings, .. } in known.iter().filter(comes_by).chain(others) {
        match inputs.iter_mut().find(|(known, _)| known.get() == given.get()) {
            Some((_, from)) => from.push(happenings.clone()),
            None => inputs.push((given, vec![Vec::new(), happenings.clone()])),
        }
    }
    let explored = explore::inputs(plan);
    for input in &explored {
        if !inputs.iter().any(|(known, _)| known.get() == input.get()) {
            inputs.push((input, vec![Vec::new()]));
        }
    }
    // Where a wait is as long as the input says, it may be too short for what is looked for.
    let long = inputs.first().and_then(|(given, from)| Some((lengthened(plan, given)?, from.clone())));
    if let Some((given, from)) = &long {
        inputs.insert(1, (given, from.clone()));
    }
    let reaching =
        |(given, from): &(&Json, Vec<Vec<HappeningKind>>), more| example::reaching(plan, (given, from), more, &wanted);
    let few = || inputs.iter().take(INPUTS_MAX);
    let found = few().find_map(|input| reaching(input, Some(&[])));
    // Of an input without departures there is one play.
    let found = found.or_else(|| inputs.iter().skip(INPUTS_MAX).find_map(|input| reaching(input, None)));
    let found = found.or_else(|| few().find_map(|input| reaching(input, Some(data.as_slice()))));
    found.or_else(|| along(plan, ways(), cell, &wanted))
}

/// An input whose durations are longer than any attempt and the pauses around it; none where nothing waits as long as data
/// says.
fn lengthened(plan: &Plan, given: &Json) -> Option<Json> {
    let is_of_data = |time: &Typed| !matches!(time.expr, Expr::Literal(_));
    let waits = plan.nodes().any(|(id, node)| match &node.kind {
        Kind::Sleep(Sleep::For(time)) => is_of_data(time),
        Kind::Await(wait, _) => is_of_data(&wait.within),
        Kind::Try(trial) => trial.within.as_ref().is_some_and(is_of_data),
        _ => plan.work(id).and_then(|work| work.action()?.timing.within.as_ref()).is_some_and(is_of_data),
    });
    if !waits {
        return None;
    }
    let actions = plan.nodes().filter_map(|(id, _)| plan.work(id)?.action());
    let asked =
        actions.map(|action| action.timing.timeout.saturating_add(action.timing.retry.to.saturating_mul(2))).max();
    let longer = i64::try_from(asked.unwrap_or(DEFAULT_TIMEOUT).as_millis()).ok()?;
    let longer = RawValue::from_string(to_json(&Value::Duration(longer))).ok()?;
    let given = RawValue::from_string(given.get().to_owned()).ok()?;
    let long = with_durations(&plan.saga.input, &given, &longer)?;
    Json::parse(String::from(Box::<str>::from(long))).ok()
}

/// A record in which each duration is this one, also inside of those in it; none where there is no duration.
fn with_durations(record: &Record, given: &RawValue, longer: &RawValue) -> Option<Box<RawValue>> {
    let mut fields: BTreeMap<CompactString, Box<RawValue>> = serde_json::from_str(given.get()).ok()?;
    let mut has_any = false;
    for field in &record.fields {
        let long = match field.ty.required() {
            Type::Duration => Some(longer.to_owned()),
            Type::Record(inner) => fields.get(&field.key).and_then(|given| with_durations(inner, given, longer)),
            _ => None,
        };
        has_any |= long.is_some();
        fields.extend(long.map(|long| (field.key.clone(), long)));
    }
    let text = serde_json::to_string(&fields).ok()?;
    RawValue::from_string(text).ok().filter(|_| has_any)
}

/// A scenario by the ways that come by the step: they have the input and the signals that lead there.
fn along(plan: &Plan, ways: &[Way], cell: &Cell, wanted: &dyn Fn(&Report) -> bool) -> Option<Example> {
    let is_of_it = |at: &str| without_indices(at) == cell.step;
    let comes_by = |way: &&Way| {
        way.trace.iter().any(|told| match &told.deed {
            Deed::Said(called, _) | Deed::Silence(called) | Deed::Acknowledged(called) | Deed::Refused(called) => {
                is_of_it(&called.step)
            }
            _ => false,
        })
    };
    let ends_so = |way: &&Way| match &way.ending {
        Ending::Stuck(at, direction) => cell.what == What::Stuck(*direction) && is_of_it(at),
        Ending::Completed | Ending::Compensated(_) => false,
    };
    let as_it_is = ways.iter().find(ends_so).and_then(|way| example::of(plan, way, ways).ok());
    let shows_it = |example: &Example| wanted(&example.play(plan));
    as_it_is.filter(shows_it).or_else(|| {
        let mut ways: Vec<&Way> = ways.iter().filter(comes_by).collect();
        ways.sort_by_key(|way| way.trace.len());
        ways.into_iter().take(WAYS_MAX).find_map(|way| example::behind(plan, way, wanted))
    })
}
