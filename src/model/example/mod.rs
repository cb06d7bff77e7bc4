//! A scenario for a way in which a saga can end: the fewest departures from the good path that lead there.
//!
//! A way of the [explorer](super::explore) has events in any order, whatever the times of the definition are; a scenario has
//! times, and participants that answer at once, never, or `pending`. So the way says what may be needed, and playing says whether it is enough:
//! departures are added one by one, until the saga ends as it should.

mod broken;
mod late;
mod menu;
mod written;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::iter::once;
use std::time::Duration;

pub use self::broken::of_broken;
use self::late::{delays, late};
pub(super) use self::menu::data;
use self::menu::everything;
use super::explore::{self, Deed, Ending, Told, Way, endings};
use super::scenario::{self, Report, calls};
use super::world::without_indices;
use crate::definition::json::least;
use crate::definition::types::Type;
use crate::definition::{Answer, Called, Expect, ExpectKind, Happening, HappeningKind, Invocation, Scenario, Verb};
use crate::engine::{Direction, Summary, invocation};
use crate::json::Json;
use crate::plan::{Plan, Work};
use crate::source::Span;

/// Scenarios that are played in search of one: some tenths of a second.
const PLAYS_MAX: usize = 1_500;

/// Departures that a scenario has at most, as many as a reader can follow.
const HAPPENINGS_MAX: usize = 6;

/// Signals of one kind that a scenario has at most, as many as a loop of some rounds takes.
const SIGNALS_MAX: usize = 4;

/// Moments of a play at which something from outside is tried.
const MOMENTS_MAX: usize = 8;

/// A scenario, made up.
#[derive(Clone, Debug)]
pub struct Example {
    /// How it ends, and by what.
    pub title: String,
    /// The input.
    pub given: Json,
    /// What departs from the good path.
    pub happenings: Vec<HappeningKind>,
    /// What comes of it.
    pub expects: Vec<ExpectKind>,
    /// What stands above it as comments: what a scenario cannot say.
    pub remarks: Vec<String>,
}

/// An example of a way's end; `ways` are all of the saga.
///
/// # Errors
/// What of the way no scenario can say; or that none was found.
pub fn of(plan: &Plan, way: &Way, ways: &[Way]) -> Result<Example, String> {
    match &way.ending {
        Ending::Compensated(code) if code == "undeclared" => {
            return Err("in a scenario participants keep their contracts".to_owned());
        }
        Ending::Stuck(place, direction) => match called(plan, place, *direction) {
            Some(Invocation { verb: Verb::Call, .. }) => {}
            Some(Invocation { verb: Verb::Send, .. }) => {
                return Err("in a scenario the log takes every message".to_owned());
            }
            None => {
                return Err(format!(
                    "a scenario names what is called, and at `{place}` nothing is; `--as steps` and `--as mermaid` show the way"
                ));
            }
        },
        Ending::Completed | Ending::Compensated(_) => {}
    }
    let mut clues = Clues::of(plan, &way.trace);
    let mut stuck = None;
    if let Ending::Stuck(step, direction) = &way.ending {
        let called = Called { undo: *direction == Direction::Undo, step: step.clone() };
        if !called.undo {
            // Whatever keeps it from being done on the way, a silence does too.
            clues.add(HappeningKind::Answer { called: called.clone(), answer: Answer::TimesOut, times: None });
        }
        stuck = Some(called);
    }
    let mut all = everything(plan, &clues.menu);
    let is_late = matches!(&way.ending, Ending::Compensated(code) if code == "deadline");
    if is_late {
        all.extend(delays(plan));
    }
    let ends = |report: &Report| endings(plan, &report.instance).contains(&way.ending).then(|| way.ending.clone());
    let goal = Goal { stuck, ends: &ends };
    let menus = [&clues.menu, &all];
    let found =
        menus.iter().find_map(|menu| search(plan, once((&clues.given, Vec::new())), menu, &goal, First::Fewest));
    let found = found.or_else(|| followed(plan, &clues, &goal));
    let found = found.or_else(|| if is_late { late(plan, ways, &clues.given, &all, &goal) } else { None });
    found.ok_or_else(|| {
        let unsaid = clues.unsaid.first().map(|unsaid| format!("; of this way no scenario can say that {unsaid}"));
        let unsaid = unsaid.unwrap_or_default();
        format!("of those tried, in which participants answer at once, never, or `pending`, none ends so{unsaid}")
    })
}

impl Example {
    /// What comes of it.
    #[must_use]
    pub fn play(&self, plan: &Plan) -> Report {
        play(plan, &self.given, &self.happenings, scenario::awaited(self.expects.iter()))
    }
}

/// What a way says of the scenario that is looked for.
struct Clues {
    given: Json,
    /// What happens, each once.
    menu: Vec<HappeningKind>,
    /// The same with each signal as often as it comes.
    script: Vec<HappeningKind>,
    unsaid: Vec<String>,
}

impl Clues {
    fn of(plan: &Plan, trace: &[Told]) -> Self {
        let mut clues = Self { given: Json::empty_object(), menu: Vec::new(), script: Vec::new(), unsaid: Vec::new() };
        for told in trace {
            let answer =
                |called: &Called, answer| HappeningKind::Answer { called: called.clone(), answer, times: None };
            let happening = match &told.deed {
                Deed::Begins(given) => {
                    clues.given = given.clone();
                    continue;
                }
                Deed::Said(called, said) => match said {
                    explore::Answer::Fails { code, is_declared: true } => {
                        answer(called, Answer::Fails(Some(code.clone())))
                    }
                    explore::Answer::Fails { is_declared: false, .. } if called.undo => {
                        answer(called, Answer::Fails(None))
                    }
                    explore::Answer::Done(Some(value)) if !is_least(plan, called, value) => {
                        answer(called, Answer::Replies(value.get().into()))
                    }
                    explore::Answer::Done(_) => continue,
                    explore::Answer::NoOutcome => answer(called, Answer::TimesOut),
                    explore::Answer::Fails { .. } | explore::Answer::Unfit => {
                        clues.unsaid.push(told.happens.clone());
                        continue;
                    }
                },
                Deed::Silence(called) => answer(called, Answer::TimesOut),
                Deed::Cancelled => HappeningKind::Cancelled(Duration::ZERO),
                Deed::Signal(signal, with) => {
                    HappeningKind::Arrives { signal: signal.clone(), with: with.get().into(), after: Duration::ZERO }
                }
                Deed::Ordered | Deed::Refused(_) | Deed::Late(_) | Deed::Copied(_) => {
                    clues.unsaid.push(told.happens.clone());
                    continue;
                }
                Deed::Passes | Deed::Deadline | Deed::Acknowledged(_) | Deed::Turn(_) => continue,
            };
            clues.add(happening);
        }
        clues
    }

    fn add(&mut self, happening: HappeningKind) {
        let is_known = self.menu.iter().any(|known| is_same(known, &happening));
        if !is_known {
            self.menu.push(happening.clone());
        }
        if !is_known || matches!(happening, HappeningKind::Arrives { .. }) {
            self.script.push(happening);
        }
    }
}

/// What a scenario is looked for.
struct Goal<'g> {
    /// Where a person is waited for then.
    stuck: Option<Called>,
    /// How a play ends that comes to it.
    ends: &'g dyn Fn(&Report) -> Option<Ending>,
}

impl Goal<'_> {
    fn play(&self, plan: &Plan, given: &Json, happenings: &[HappeningKind]) -> Report {
        play(plan, given, happenings, self.stuck.clone())
    }

    /// An example, if these happenings came about and to it.
    fn reached(&self, plan: &Plan, given: &Json, happenings: &[HappeningKind], report: &Report) -> Option<Example> {
        let end = (self.ends)(report).filter(|_| report.departures.is_empty())?;
        Some(of_play(plan, (given, happenings.to_vec()), Some(&end), report))
    }
}

/// The way itself, with all that comes from outside at the start, where it waits to be taken: for more departures than are
/// searched through.
fn followed(plan: &Plan, clues: &Clues, goal: &Goal<'_>) -> Option<Example> {
    let report = goal.play(plan, &clues.given, &clues.script);
    Some(shortened(plan, goal, goal.reached(plan, &clues.given, &clues.script, &report)?))
}

/// Without what it does without, and with what befalls each round alike said once.
fn shortened(plan: &Plan, goal: &Goal<'_>, mut found: Example) -> Example {
    let given = found.given.clone();
    let reached =
        |happenings: &[HappeningKind]| goal.reached(plan, &given, happenings, &goal.play(plan, &given, happenings));
    let mut index = 0;
    while let Some(happening) = found.happenings.get(index).cloned() {
        let mut shorter = found.happenings.clone();
        shorter.remove(index);
        let general = said_once(&found.happenings, &happening);
        let is_fewer = general.len() < found.happenings.len();
        match reached(&shorter).or_else(|| if is_fewer { reached(&general) } else { None }) {
            Some(better) => found = better,
            None => index += 1,
        }
    }
    found
}

/// A scenario that comes to what is wanted, from this input, and would not with one departure less; it is found by the fewest
/// more than one of `from` has: any that can be, of these first; without these, by none. What is wanted says how it ends then.
pub(super) fn reaching(
    plan: &Plan,
    (given, from): (&Json, &[Vec<HappeningKind>]),
    first: Option<&[HappeningKind]>,
    wanted: &dyn Fn(&Report) -> bool,
) -> Option<Example> {
    let known = from.iter().flatten();
    let menu = first.map(|first| everything(plan, &first.iter().chain(known).cloned().collect::<Vec<_>>()));
    let menu = menu.unwrap_or_default();
    let goal = |report: &Report| {
        // A scenario expects one end.
        let mut all = endings(plan, &report.instance).into_iter().filter(|_| wanted(report));
        all.next().filter(|_| all.next().is_none())
    };
    let from = from.iter().map(|from| (given, from.clone()));
    let goal = Goal { stuck: None, ends: &goal };
    // What it was found behind may not be needed.
    Some(shortened(plan, &goal, search(plan, from, &menu, &goal, First::Fewest)?))
}

/// The same behind all that comes from outside on a way.
pub(super) fn behind(plan: &Plan, way: &Way, wanted: &dyn Fn(&Report) -> bool) -> Option<Example> {
    let Clues { given, script, .. } = Clues::of(plan, &way.trace);
    reaching(plan, (&given, &[script]), Some(&[]), wanted)
}

/// Which plays are tried first.
#[derive(Clone, Copy)]
enum First {
    /// Those with the fewest departures.
    Fewest,
    /// With one departure more those that last longest. What comes from outside comes so long before it is too late.
    Latest(Duration),
}

/// Something of the menu behind what there is with which the saga comes to its goal.
fn search<'g>(
    plan: &Plan,
    from: impl Iterator<Item = (&'g Json, Vec<HappeningKind>)>,
    menu: &[HappeningKind],
    goal: &Goal<'_>,
    first: First,
) -> Option<Example> {
    let mut all: Vec<(&Json, Vec<HappeningKind>)> = from.collect();
    // By what goes first, and then as they came.
    let mut queue: BinaryHeap<(Duration, Reverse<usize>)> = BinaryHeap::new();
    // Each start once before what comes of any.
    queue.extend((0..all.len()).map(|number| (Duration::MAX, Reverse(number))));
    let mut seen = BTreeSet::new();
    for _ in 0..PLAYS_MAX {
        let (_, Reverse(number)) = queue.pop()?;
        let (given, happenings) = all.get_mut(number)?;
        let (given, happenings) = (*given, std::mem::take(happenings));
        let report = goal.play(plan, given, &happenings);
        let found = goal.reached(plan, given, &happenings, &report);
        if found.is_some() {
            return found;
        }
        let lasted = match first {
            First::Fewest => Duration::ZERO,
            // What waits for a person lasts for ever, and comes to no end.
            First::Latest(_) if report.summary == Summary::Stuck => continue,
            First::Latest(_) => {
                // Behind the point of no return there is no deadline.
                let before = report.trace.get(..report.committed.unwrap_or(report.trace.len())).unwrap_or_default();
                let lasted = before.last().map_or(Duration::ZERO, |(passed, _)| *passed);
                let asked = calls(before.iter().map(|(_, event)| event));
                // Another input, or one departure more, that changed nothing is not worth another.
                if !seen.insert((lasted, asked)) {
                    continue;
                }
                lasted
            }
        };
        if !report.departures.is_empty() || happenings.len() >= HAPPENINGS_MAX {
            continue;
        }
        let next = all.len();
        let more = menu.iter().flat_map(|option| with(&happenings, option, &report, first));
        all.extend(more.map(|happenings| (given, happenings)));
        queue.extend((next..all.len()).map(|number| (lasted, Reverse(number))));
    }
    None
}

/// The happenings with one more, at each moment at which that makes a difference.
fn with(
    happenings: &[HappeningKind],
    option: &HappeningKind,
    report: &Report,
    first: First,
) -> Vec<Vec<HappeningKind>> {
    let count = happenings.iter().filter(|known| is_same(known, option)).count();
    let and = |option: HappeningKind| happenings.iter().cloned().chain([option]).collect();
    match option {
        HappeningKind::Answer { .. } if count > 0 => Vec::new(),
        HappeningKind::Answer { .. } => vec![and(option.clone())],
        HappeningKind::Cancelled(_) if count > 0 => Vec::new(),
        HappeningKind::Cancelled(_) => {
            moments(report, first).map(|after| and(HappeningKind::Cancelled(after))).collect()
        }
        HappeningKind::Arrives { .. } if count == SIGNALS_MAX => Vec::new(),
        HappeningKind::Arrives { signal, with, .. } => {
            // They come in their order.
            let last = happenings.iter().filter(|known| is_same(known, option)).filter_map(|known| match known {
                HappeningKind::Arrives { after, .. } => Some(*after),
                _ => None,
            });
            let last = last.max();
            let arrives = |after| HappeningKind::Arrives { signal: signal.clone(), with: with.clone(), after };
            let moments = moments(report, first).filter(|after| last.is_none_or(|last| *after > last));
            moments.map(|after| and(arrives(after))).collect()
        }
    }
}

/// The beginning, and shortly before each thing that time alone brings: as late as can be where that is what counts.
fn moments(report: &Report, first: First) -> impl Iterator<Item = Duration> {
    let mut instants: Vec<Duration> = report.trace.iter().map(|(passed, _)| *passed).collect();
    instants.dedup();
    let between = instants.windows(2).filter_map(|pair| {
        let [from, to] = pair else { return None };
        let time = to.saturating_sub(*from);
        let late = match first {
            First::Latest(late) if time > late => to.saturating_sub(late),
            First::Latest(_) | First::Fewest => *from + time * 19 / 20,
        };
        let whole = Duration::from_secs(late.as_secs());
        Some(if whole > *from { whole } else { Duration::from_millis(u64::try_from(late.as_millis()).ok()?) })
    });
    let moments: Vec<Duration> = once(Duration::ZERO).chain(between).take(MOMENTS_MAX).collect();
    moments.into_iter()
}

fn play(plan: &Plan, given: &Json, happenings: &[HappeningKind], stuck: Option<Called>) -> Report {
    let happenings = happenings.iter().map(|kind| Happening { kind: kind.clone(), span: Span::default() });
    let scenario = Scenario {
        title: String::new(),
        saga: plan.saga.name.clone(),
        given: Some(given.get().into()),
        happenings: happenings.collect(),
        expects: Vec::<Expect>::new(),
        span: Span::default(),
    };
    scenario::until_stuck(plan, &scenario, stuck)
}

/// What was played, with what came of it. Where it comes to no end it expects the calls alone.
fn of_play(
    plan: &Plan,
    (given, happenings): (&Json, Vec<HappeningKind>),
    end: Option<&Ending>,
    report: &Report,
) -> Example {
    let ends = end.and_then(|end| match end {
        Ending::Completed => Some(ExpectKind::Completed(None)),
        Ending::Compensated(code) => Some(ExpectKind::Compensated(Some(code.clone()))),
        // Of what no scenario can name it says what was called until then.
        Ending::Stuck(step, direction) => called(plan, step, *direction).map(|_| {
            let undo = *direction == Direction::Undo;
            ExpectKind::Stuck(Called { undo, step: step.clone() })
        }),
    });
    let calls = ExpectKind::Calls(calls(report.trace.iter().map(|(_, event)| event)));
    let title = title(plan, &end.map(ToString::to_string).unwrap_or_default(), &happenings);
    let expects = ends.into_iter().chain([calls]).collect();
    Example { title, given: given.clone(), happenings, expects, remarks: Vec::new() }
}

fn title(plan: &Plan, end: &str, happenings: &[HappeningKind]) -> String {
    let words: Vec<String> = happenings.iter().map(|one| written::happening(plan, one).replace('"', "")).collect();
    let words = match words.as_slice() {
        [] if end == Ending::Completed.to_string() => "all goes well".to_owned(),
        [] => "all is answered".to_owned(),
        words => words.join(", "),
    };
    format!("{end}: {words}")
}

/// With what is answered so in any round in place of it and of all that are like it.
fn said_once(happenings: &[HappeningKind], like: &HappeningKind) -> Vec<HappeningKind> {
    let in_general = |happening: &HappeningKind| match happening {
        HappeningKind::Answer { called: Called { undo, step }, answer, times } => {
            let called = Called { undo: *undo, step: without_indices(step).into() };
            Some(HappeningKind::Answer { called, answer: answer.clone(), times: *times })
        }
        HappeningKind::Cancelled(_) | HappeningKind::Arrives { .. } => None,
    };
    let Some(general) = in_general(like) else { return happenings.to_vec() };
    let is_like = |one: &&HappeningKind| in_general(one).is_some_and(|one| is_same(&one, &general));
    let others = happenings.iter().filter(|one| !is_like(one)).cloned();
    once(general.clone()).chain(others).collect()
}

/// The same of the same, at whatever time.
fn is_same(one: &HappeningKind, other: &HappeningKind) -> bool {
    match (one, other) {
        (HappeningKind::Cancelled(_), HappeningKind::Cancelled(_)) => true,
        (HappeningKind::Arrives { signal, with, .. }, HappeningKind::Arrives { signal: name, with: value, .. }) => {
            signal == name && with == value
        }
        (
            HappeningKind::Answer { called, answer, times },
            HappeningKind::Answer { called: step, answer: said, times: often },
        ) => {
            let same_answer = match (answer, said) {
                (Answer::Fails(one), Answer::Fails(other)) => one == other,
                (Answer::TimesOut, Answer::TimesOut) | (Answer::StaysPending, Answer::StaysPending) => true,
                (Answer::Replies(one), Answer::Replies(other)) => one == other,
                (Answer::Fails(_) | Answer::TimesOut | Answer::StaysPending | Answer::Replies(_), _) => false,
            };
            called == step && same_answer && times == often
        }
        _ => false,
    }
}

/// Whether a participant of a scenario replies so by itself.
fn is_least(plan: &Plan, called: &Called, value: &Json) -> bool {
    let action = work(plan, &called.step).and_then(|work| work.action());
    action.is_none_or(|action| least(&Type::Record(action.command.reply.clone()), &called.step) == value.get())
}

/// What is called there: without that a scenario has no name for it.
fn called<'p>(plan: &'p Plan, place: &str, direction: Direction) -> Option<&'p Invocation> {
    invocation(work(plan, place)?, direction)
}

fn work<'p>(plan: &'p Plan, place: &str) -> Option<&'p Work> {
    let id = plan.nodes().find(|(_, node)| node.place == without_indices(place))?.0;
    plan.work(id)
}
