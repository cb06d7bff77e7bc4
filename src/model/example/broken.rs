//! A scenario for a way to a broken promise: as much of the way as a scenario can say, with what comes of that.

use std::iter::once;

use super::{Clues, Example, First, Goal, everything, followed, of_play, search, title};
use crate::engine::{Direction, Event};
use crate::model::explore::{Deed, Ending, Told, Violation, endings};
use crate::model::scenario::Report;
use crate::plan::Plan;

/// A scenario that comes to where the promise breaks, which [`Example::play`] does as the scenario says. What breaks it there
/// may be what no scenario says; then a remark does.
///
/// # Errors
/// Why there is none.
pub fn of_broken(plan: &Plan, violation: &Violation) -> Result<Example, String> {
    let Violation { property, at, trace, .. } = violation;
    let clues = Clues::of(plan, trace);
    // For the reasons that the way has, or else for any.
    let (marks, failures) = marks(trace, at);
    let reasons: Vec<&Event> = marks.iter().copied().chain(failures).collect();
    let found = coming_to(plan, &clues, &reasons).or_else(|| coming_to(plan, &clues, &marks));
    let mut example = match found {
        Some(mut example) => {
            example.remarks.extend(trace.last().and_then(behind));
            example
        }
        None => as_far(plan, &clues)?,
    };
    let place = if at.is_empty() { String::new() } else { format!(" at {at}") };
    example.title = title(plan, &format!("{} breaks{place}", property.name()), &example.happenings);
    Ok(example)
}

/// A scenario in which all of this happens.
fn coming_to(plan: &Plan, clues: &Clues, marks: &[&Event]) -> Option<Example> {
    let ends = |report: &Report| {
        let has_come = |mark: &&Event| report.trace.iter().any(|(_, event)| is_like(mark, event));
        only_end(plan, report).filter(|_| marks.iter().all(has_come))
    };
    let goal = Goal { stuck: None, ends: &ends };
    let all = everything(plan, &clues.menu);
    let mut menus = [&clues.menu, &all].into_iter();
    let found = menus.find_map(|menu| search(plan, once((&clues.given, Vec::new())), menu, &goal, First::Fewest));
    found.or_else(|| followed(plan, clues, &goal))
}

/// What breaks the promise behind the end of the scenario.
fn behind(last: &Told) -> Option<String> {
    let is_unsaid = matches!(last.deed, Deed::Copied(_) | Deed::Late(_));
    is_unsaid
        .then(|| format!("what breaks the promise comes behind this, and no scenario can say it: {}", last.happens))
}

/// As much of the way as comes about, for what only a way that no scenario can say leads to.
fn as_far(plan: &Plan, clues: &Clues) -> Result<Example, String> {
    let goal = Goal { stuck: None, ends: &|_| None };
    let mut happenings = Vec::new();
    let mut report = goal.play(plan, &clues.given, &happenings);
    if let Some(trouble) = report.departures.first() {
        return Err(format!("{}: {}", trouble.expected, trouble.found));
    }
    for happening in &clues.script {
        happenings.push(happening.clone());
        let longer = goal.play(plan, &clues.given, &happenings);
        if longer.departures.is_empty() {
            report = longer;
        } else {
            happenings.pop();
        }
    }
    let end = only_end(plan, &report);
    let mut example = of_play(plan, (&clues.given, happenings), end.as_ref(), &report);
    let unsaid = clues.unsaid.iter().map(|unsaid| format!("no scenario can say: {unsaid}"));
    example.remarks.extend(unsaid);
    example.remarks.push("so the promise holds in what comes of this".to_owned());
    Ok(example)
}

/// A scenario expects one end.
fn only_end(plan: &Plan, report: &Report) -> Option<Ending> {
    let mut all = endings(plan, &report.instance).into_iter();
    all.next().filter(|_| all.next().is_none())
}

/// What a play must come to: what happened last at the place, and what happened last of all; and beside them what failed.
fn marks<'t>(trace: &'t [Told], at: &str) -> (Vec<&'t Event>, Vec<&'t Event>) {
    let events = || trace.iter().flat_map(|told| &told.events);
    let of_place = events().rfind(|event| event.step().is_some_and(|step| step == at));
    let failures = events().filter(|event| matches!(event, Event::Failed { .. }));
    (of_place.into_iter().chain(events().next_back()).collect(), failures.collect())
}

/// The same of the same, at whatever time.
fn is_like(one: &Event, other: &Event) -> bool {
    let direction = |event: &Event| match event {
        Event::Called { work, .. } | Event::Sent { work, .. } | Event::Succeeded { work, .. } => *work,
        _ => Direction::Do,
    };
    let is_like = match (one, other) {
        (Event::Caught { at, .. }, Event::Caught { at: scope, .. }) => at == scope,
        (Event::Failed { scope, failure }, Event::Failed { scope: at, failure: with }) => {
            scope == at && failure.code == with.code
        }
        _ => one.step() == other.step() && direction(one) == direction(other),
    };
    one.name() == other.name() && is_like
}
