//! What comes to a deadline: delays, as much goes well before them as is needed, and inputs that make waits long.

use std::iter::once;
use std::time::Duration;

use serde_json::Value as Plain;

use super::{Clues, Example, First, Goal, HAPPENINGS_MAX, search, shortened};
use crate::definition::types::{Record, Type};
use crate::definition::value::{Value, to_json};
use crate::definition::{Answer, Called, HappeningKind, Verb};
use crate::json::Json;
use crate::model::explore::{self, Deed, Ending, Way};
use crate::model::scenario::START;
use crate::model::world::without_indices;
use crate::plan::Plan;

/// So long before something is too late, where late moments are looked for: as a reader has it, and as late as can be.
const LATE: [Duration; 2] = [Duration::from_hours(1), Duration::from_secs(1)];

/// Inputs from which what is late is looked for.
const INPUTS_MAX: usize = 32;

/// Longer than deadlines are, and to a date that a reader takes for one.
const DISTANCE: Duration = Duration::from_hours(24 * 1_000);

/// What uses the time up, and nobody is asked anew.
pub(super) fn delays(plan: &Plan) -> impl Iterator<Item = HappeningKind> {
    plan.nodes().filter_map(|(id, node)| {
        plan.work(id)?.action().filter(|action| action.verb == Verb::Call)?;
        let called = Called { undo: false, step: without_indices(&node.place).into() };
        Some(HappeningKind::Answer { called, answer: Answer::StaysPending, times: None })
    })
}

/// What comes to a deadline by one delay after the other, from whatever input lasts longest and from what goes well.
pub(super) fn late(
    plan: &Plan,
    ways: &[Way],
    given: &Json,
    menu: &[HappeningKind],
    goal: &Goal<'_>,
) -> Option<Example> {
    let is_delay = |one: &&HappeningKind| match one {
        HappeningKind::Answer { called, .. } => !called.undo,
        HappeningKind::Arrives { .. } => true,
        HappeningKind::Cancelled(_) => false,
    };
    let menu: Vec<HappeningKind> = menu.iter().filter(is_delay).cloned().collect();
    let distant = distant(&plan.saga.input, given);
    let others = explore::inputs(plan);
    // Those first that lead to the other ends: between them they come to each place.
    let begun = ways.iter().flat_map(|way| &way.trace).filter_map(|told| match &told.deed {
        Deed::Begins(input) => Some(input),
        _ => None,
    });
    let mut inputs: Vec<&Json> = Vec::new();
    for input in once(given).chain(&distant).chain(begun).chain(&others) {
        if inputs.len() < INPUTS_MAX && !inputs.contains(&input) {
            inputs.push(input);
        }
    }
    let good = good(plan, ways);
    let beginnings = || (0..=good.len().min(HAPPENINGS_MAX)).filter_map(|count| good.get(..count));
    let from = || inputs.iter().flat_map(|input| beginnings().map(move |good| (*input, good.to_vec())));
    let found = LATE.into_iter().find_map(|late| search(plan, from(), &menu, goal, First::Latest(late)))?;
    Some(shortened(plan, goal, found))
}

/// What the saga goes on by, of which the shortest way to a deadline says little.
fn good(plan: &Plan, ways: &[Way]) -> Vec<HappeningKind> {
    let good = ways.iter().find(|way| way.ending == Ending::Completed);
    good.map_or_else(Vec::new, |good| Clues::of(plan, &good.trace).script)
}

/// An input with all instants and durations far away, for waits whose length comes with it. The explorer needs none: to it
/// any wait may end at any moment.
fn distant(shape: &Record, given: &Json) -> Option<Json> {
    let mut plain: Plain = serde_json::from_str(given.get()).ok()?;
    put_off(shape, &mut plain);
    Json::parse(plain.to_string()).ok()
}

fn put_off(shape: &Record, plain: &mut Plain) {
    let Plain::Object(fields) = plain else { return };
    for field in &shape.fields {
        let Some(value) = fields.get_mut(field.key.as_str()) else { continue };
        let ty = if let Type::Optional(inner) = &field.ty { inner } else { &field.ty };
        let far = match ty {
            Type::Record(inner) => {
                put_off(inner, value);
                continue;
            }
            Type::Timestamp => Value::Timestamp(START.after(DISTANCE)),
            Type::Duration => Value::Duration(i64::try_from(DISTANCE.as_millis()).unwrap_or(i64::MAX)),
            _ => continue,
        };
        *value = serde_json::from_str(&to_json(&far)).unwrap_or_default();
    }
}
