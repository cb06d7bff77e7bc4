//! A way through the exploration, in the words of the definition.

use compact_str::CompactString;

use super::happening::{Move, Said};
use super::later::Later;
use super::moves::{Moved, Step, carry_out};
use super::state::World;
use super::twins::Swap;
use super::{Setting, moves};
use crate::definition::Called;
use crate::engine::{self, Direction, Event, Status, Wait};
use crate::json::Json;
use crate::plan::{At, Kind, Plan};

/// What happens, for whoever makes a picture or a scenario of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// The saga begins, with this input.
    Begins(Json),
    /// A participant says so of a step or its compensation.
    Said(Called, Answer),
    /// No answer of it comes in time.
    Silence(Called),
    /// A pause, a sleep or a wait is over.
    Passes,
    /// The deadline comes.
    Deadline,
    /// Somebody cancels.
    Cancelled,
    /// This signal arrives, with what it carries.
    Signal(CompactString, Json),
    /// A person says what is to become of what is stuck.
    Ordered,
    /// The log has the message of a step.
    Acknowledged(Called),
    /// The log refuses a command or message for good.
    Refused(Called),
    /// A participant that says `at most …` takes the command of a step.
    Turn(Called),
    /// An answer about a step comes when all about it is settled, or about an attempt before the current one.
    Late(Called),
    /// A copy of the command of a step comes late, to a participant without a guard.
    Copied(Called),
}

/// What a participant says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done, with a value if its contract has one.
    Done(Option<Json>),
    /// Done, with what does not fit its contract.
    Unfit,
    /// Refused with this code, which its contract names or not.
    Fails {
        /// The code.
        code: CompactString,
        /// Whether the contract names it.
        is_declared: bool,
    },
    /// Not now, or not yet, or that it has never heard of the command.
    NoOutcome,
}

/// One thing that happens on a way, and what the engine makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What happens, in words.
    pub happens: String,
    /// The same, for programs.
    pub deed: Deed,
    /// Whether nothing is special about it: whoever asks what an ending needs leaves it out.
    pub is_usual: bool,
    /// What the engine makes of it.
    pub events: Vec<Event>,
}

/// Goes the way again, and tells it; or the way on which two twins are in each other's place.
pub(super) fn told(setting: &Setting<'_>, root: &World, way: &[Step], swap: Option<Swap>) -> Vec<Told> {
    let mut world = root.clone();
    let mut written = root.clone();
    let mut told = Vec::new();
    for step in way {
        let step = &match swap {
            Some(swap) => {
                let at = |slot: u16| written.instance.states().nth(usize::from(slot)).map(|(at, _)| at);
                let swapped = step.by.moved(|slot| {
                    let at = at(slot)?;
                    let at = at.beside(swap.node(at.node()), setting.plan.node(at.node()).depth());
                    let slot = world.instance.states().position(|(other, _)| other == at)?;
                    u16::try_from(slot).ok()
                });
                if let Moved::To(next, _) = carry_out(setting, &written, &mut Later::than(&written.instance), *step).0 {
                    written = next;
                }
                Step { by: swapped, ..*step }
            }
            None => *step,
        };
        let (happens, is_usual) = words(setting, &world, step.by);
        let deed = deed(setting, &world, step.by);
        match carry_out(setting, &world, &mut Later::than(&world.instance), *step).0 {
            Moved::To(next, change) => {
                told.push(Told { happens, deed, is_usual, events: change.events });
                world = next;
            }
            Moved::Misfit(misfit) => {
                let happens = format!("{happens}: {misfit}");
                told.push(Told { happens, deed, is_usual: false, events: Vec::new() });
                break;
            }
            Moved::Nothing => break,
        }
    }
    told
}

/// What comes behind a way: a late answer that changes something.
pub(super) fn late(place: &str, status: &Status, events: Vec<Event>) -> Told {
    let said = match status {
        Status::Failed { code, .. } => format!("\"{code}\""),
        Status::Retry { .. } => "\"retry\"".to_owned(),
        Status::Pending => "\"pending\"".to_owned(),
        _ => "done".to_owned(),
    };
    let deed = Deed::Late(Called { undo: false, step: place.into() });
    Told { happens: format!("a late answer of {place} comes: {said}"), deed, is_usual: false, events }
}

/// A late copy of a step's command, which its participant does again.
pub(super) fn copied(plan: &Plan, at: At) -> Told {
    let step = plan.place(at);
    let action = plan.work(at.node()).and_then(|work| work.action());
    let participant = action.map(|action| action.participant.name.clone()).unwrap_or_default();
    let happens =
        format!("a late copy of the command of {step} comes to {participant}, which does it again: it stays done");
    Told { happens, deed: Deed::Copied(Called { undo: false, step }), is_usual: false, events: Vec::new() }
}

/// A cancel that changes something.
pub(super) fn cancelled(events: Vec<Event>) -> Told {
    Told { happens: CANCELS.to_owned(), deed: Deed::Cancelled, is_usual: false, events }
}

/// A signal that changes something.
pub(super) fn signalled(name: &CompactString, with: Json, events: Vec<Event>) -> Told {
    Told { happens: arrives(name, &with), deed: Deed::Signal(name.clone(), with), is_usual: false, events }
}

const CANCELS: &str = "somebody cancels";

fn arrives(name: &str, with: &Json) -> String {
    format!("the signal {name} arrives with {with}")
}

/// What happens, and whether nothing is special about it.
fn words(setting: &Setting<'_>, world: &World, step: Move) -> (String, bool) {
    let plan = setting.plan;
    let at = |slot: u16| world.instance.states().nth(usize::from(slot));
    let place = |slot: u16| {
        at(slot).map_or(CompactString::default(), |(node, state)| {
            let undo = matches!(state.attempt(), Some((Direction::Undo, _)));
            let place = plan.place(node);
            if undo { compact_str::format_compact!("undo {place}") } else { place }
        })
    };
    let is_await = |slot| at(slot).is_some_and(|(node, _)| matches!(plan.node(node.node()).kind, Kind::Await(..)));
    match step {
        Move::Start(number) => {
            let input = setting.inputs.get(usize::from(number)).map(ToString::to_string).unwrap_or_default();
            (format!("it begins with {input}"), number == 0)
        }
        Move::Answer { slot, said, last } => {
            let (words, is_usual) = said_words(setting, world, slot, said);
            let at_last = if last { ", to its last attempt" } else { "" };
            (format!("{} answers {words}{at_last}", place(slot)), is_usual)
        }
        Move::Time { slot, last, limit } => {
            let attempt = at(slot).and_then(|(_, state)| state.attempt());
            let what = match attempt.map(|(_, attempt)| &attempt.wait) {
                Some(Wait::Pause(_)) => format!("the pause of {} is over", place(slot)),
                Some(Wait::Pending(_)) => format!("the final answer of {} does not come", place(slot)),
                Some(Wait::Turn(_)) => format!("{} has waited too long for its turn", place(slot)),
                Some(_) => format!("{} does not answer in time", place(slot)),
                None if is_await(slot) => format!("no signal for {} comes in time", place(slot)),
                None => format!("the time of {} is over", place(slot)),
            };
            let is_usual = match attempt {
                Some((_, attempt)) => matches!(attempt.wait, Wait::Pause(_)),
                None => at(slot).is_some_and(|(node, _)| matches!(plan.node(node.node()).kind, Kind::Sleep(_))),
            };
            let last = if last { ", its last attempt" } else { "" };
            let limit = if limit { ", and its `within` is over" } else { "" };
            (format!("{what}{last}{limit}"), is_usual)
        }
        Move::Deadline => ("the deadline comes".to_owned(), false),
        Move::Cancel => (CANCELS.to_owned(), false),
        Move::Signal { signal, value } => {
            let with = signal.values(setting).get(usize::from(value)).cloned();
            (arrives(&signal.name(setting), &with.unwrap_or_else(Json::empty_object)), false)
        }
        Move::Retry => ("a person orders it tried again".to_owned(), true),
        Move::Resolve { slot, failed: None } => (format!("a person says that {} is done", place(slot)), true),
        Move::Resolve { slot, failed: Some(_) } => (format!("a person says that {} was not done", place(slot)), false),
        Move::Instead { slot, .. } => (format!("a person gives the value of {}", place(slot)), true),
        Move::Acknowledge { slot } => (format!("the log has the message of {}", place(slot)), true),
        Move::Refuse { slot } => (format!("the log refuses {} for good", place(slot)), false),
        Move::Turn { slot } => (format!("it is the turn of {}", place(slot)), true),
    }
}

fn deed(setting: &Setting<'_>, world: &World, step: Move) -> Deed {
    let at = |slot: u16| world.instance.states().nth(usize::from(slot));
    let called = |slot: u16| {
        let found = at(slot);
        let undo = found.is_some_and(|(_, state)| matches!(state.attempt(), Some((Direction::Undo, _))));
        Called { undo, step: found.map_or(CompactString::default(), |(node, _)| setting.plan.place(node)) }
    };
    match step {
        Move::Start(number) => {
            let input = setting.inputs.get(usize::from(number)).cloned();
            Deed::Begins(input.unwrap_or_else(Json::empty_object))
        }
        Move::Answer { slot, said, .. } => Deed::Said(called(slot), answer(setting, world, slot, said)),
        Move::Time { slot, .. } => match at(slot).and_then(|(_, state)| state.attempt()) {
            Some((_, attempt)) if attempt.wait.is_under_way() => Deed::Silence(called(slot)),
            _ => Deed::Passes,
        },
        Move::Deadline => Deed::Deadline,
        Move::Cancel => Deed::Cancelled,
        Move::Signal { signal, value } => {
            let with = signal.values(setting).get(usize::from(value)).cloned();
            Deed::Signal(signal.name(setting), with.unwrap_or_else(Json::empty_object))
        }
        Move::Retry | Move::Resolve { .. } | Move::Instead { .. } => Deed::Ordered,
        Move::Acknowledge { slot } => Deed::Acknowledged(called(slot)),
        Move::Refuse { slot } => Deed::Refused(called(slot)),
        Move::Turn { slot } => Deed::Turn(called(slot)),
    }
}

fn answer(setting: &Setting<'_>, world: &World, slot: u16, said: Said) -> Answer {
    match said {
        Said::Succeeded(number) => {
            let found = world.instance.states().nth(usize::from(slot));
            let value = found.filter(|(_, state)| matches!(state.attempt(), Some((Direction::Do, _))));
            Answer::Done(value.and_then(|(node, _)| setting.value(node, number)))
        }
        Said::Unfit => Answer::Unfit,
        Said::Failed(number) => {
            let code = code(setting, world, slot, number);
            let is_declared = code.is_some();
            Answer::Fails { code: code.unwrap_or(CompactString::const_new(moves::UNDECLARED)), is_declared }
        }
        Said::Retry | Said::Pending | Said::Unknown => Answer::NoOutcome,
    }
}

/// The declared code of this number.
fn code(setting: &Setting<'_>, world: &World, slot: u16, number: u8) -> Option<CompactString> {
    let (node, state) = world.instance.states().nth(usize::from(slot))?;
    let (direction, _) = state.attempt()?;
    let invocation = engine::invocation(setting.plan.work(node.node())?, direction)?;
    invocation.command.fails.get(usize::from(number)).cloned()
}

fn value_words(value: Option<Json>) -> String {
    value.map_or("done".to_owned(), |value| format!("done {value}"))
}

fn said_words(setting: &Setting<'_>, world: &World, slot: u16, said: Said) -> (String, bool) {
    let found = world.instance.states().nth(usize::from(slot));
    match said {
        Said::Succeeded(number) => {
            let forward = found.filter(|(_, state)| matches!(state.attempt(), Some((Direction::Do, _))));
            let value = forward.and_then(|(node, _)| setting.value(node, number));
            (value_words(value), number == 0)
        }
        Said::Unfit => ("with something that does not fit its contract".to_owned(), false),
        Said::Failed(number) => {
            let code = code(setting, world, slot, number);
            (format!("\"{}\"", code.unwrap_or(CompactString::const_new(moves::UNDECLARED))), false)
        }
        Said::Retry => ("\"retry\"".to_owned(), false),
        Said::Pending => ("\"pending\"".to_owned(), false),
        Said::Unknown => ("that it has never heard of the command".to_owned(), false),
    }
}
