//! How long a saga can take to each of its ends, and how many messages: over all places at which what leads there can come
//! about, the sum over what may have run before and what takes that back, if every attempt stays without an answer but the last.
//!
//! Nobody helps: an end behind a place where the saga was stuck has no bound, as no person has; that place has its own, the time
//! until somebody is needed. A pivot step goes on past its retries by itself until it is answered: an end that waits for one counts
//! those retries, and says so. Waits that depend on data have no bound here and are named, and so are participants that take only so
//! much at once. Nor has a participant's `pending`: it lasts until the step's `within`.

mod flow;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use compact_str::CompactString;

use self::flow::{Fall, Falls, Part};
use self::walk::{Sought, Walk};
use crate::definition::Saga;
use crate::source::Span;

/// The bounds of a saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worst {
    /// Until it is completed; none where it never is.
    pub completed: Option<Completed>,
    /// Until all is taken back, for each code.
    pub compensated: BTreeMap<CompactString, Bound>,
    /// Waits whose length depends on data: they come on top.
    pub waits: Vec<Span>,
    /// Lists that are gone through: each counts with as many elements as it may have.
    pub lists: Vec<Span>,
    /// Participants that say `at most …`: the wait for a turn at them comes on top.
    pub turns: BTreeSet<CompactString>,
    /// Pivot steps that wait for an answer: they are asked past their retries until one comes.
    pub pivots: BTreeSet<CompactString>,
}

/// What it takes at most to come to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// From the start.
    pub time: Duration,
    /// Commands, their replies, and what is sent, where each attempt but the last is lost.
    pub messages: u64,
    /// It waits for the answer of a pivot step: what that takes beyond its retries comes on top.
    pub awaits_pivot: bool,
}

/// What it takes to be completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completed {
    /// At most.
    pub bound: Bound,
    /// The messages where each command is answered at once.
    pub least: u64,
}

/// The bounds of a saga, from what is written in it; lists count with so many elements.
#[must_use]
pub fn worst(saga: &Saga, elements: u16) -> Worst {
    let mut walk = Walk::new(elements, None);
    let ends = ends(&mut walk, saga);
    let endless = walk.endless().map(|mut walk| self::ends(&mut walk, saga));
    let completed = ends.completed.map(|(part, least)| {
        let endless = endless.as_ref().and_then(|endless| endless.completed).map(|(part, _)| part);
        Completed { bound: bound(part, endless), least }
    });
    let compensated = ends.compensated.into_iter().map(|(code, part)| {
        let endless = endless.as_ref().and_then(|endless| endless.compensated.get(&code)).copied();
        (code, bound(part, endless))
    });
    walk.into_worst(completed, compensated.collect())
}

/// What each end takes.
struct Ends {
    /// With the least messages.
    completed: Option<(Part, u64)>,
    compensated: BTreeMap<CompactString, Part>,
}

fn ends(walk: &mut Walk<'_>, saga: &Saga) -> Ends {
    let mut flow = walk.block(&saga.body);
    let deadline = saga.deadline.unwrap_or(Duration::MAX);
    let completed = flow.done.map(|done| done.within(deadline)).zip(flow.least);
    // It may be struck before anything else is.
    let struck = flow.struck.clone().and(Fall::NOTHING);
    flow.fails("cancelled", struck.clone(), 0);
    let mut falls = flow.falls_as(|fall| fall.within(deadline));
    if saga.deadline.is_some() {
        falls.entry("deadline".into()).or_default().join(struck.at(deadline));
    }
    let compensated = falls.into_iter().filter_map(|(code, falls)| Some((code, falls.whole()?))).collect();
    Ends { completed, compensated }
}

/// What it takes at most until the saga is stuck at a step, or as that is taken back. None where nobody can tell.
#[must_use]
pub fn until_stuck(saga: &Saga, elements: u16, step: &str, undo: bool) -> Option<Bound> {
    let mut walk = Walk::new(elements, Some(Sought { step, undo }));
    let part = stuck(&mut walk, saga)?;
    Some(bound(part, walk.endless().and_then(|mut walk| stuck(&mut walk, saga))))
}

fn stuck(walk: &mut Walk<'_>, saga: &Saga) -> Option<Part> {
    let flow = walk.block(&saga.body);
    let deadline = saga.deadline.unwrap_or(Duration::MAX);
    let forward = flow.stuck.map(|done| done.within(deadline));
    if !flow.holds {
        return forward;
    }
    let mut falls = Falls::default();
    flow.falls.into_values().for_each(|of_code| falls.join(of_code));
    falls.join(flow.struck.clone());
    let mut back = falls.map(|fall| fall.within(deadline));
    if saga.deadline.is_some() {
        back.join(flow.struck.at(deadline));
    }
    back.whole().into_iter().chain(forward).reduce(Part::or)
}

/// With what the same takes where no pivot step is ever answered.
fn bound(part: Part, endless: Option<Part>) -> Bound {
    Bound { time: part.time, messages: part.most, awaits_pivot: endless.is_some_and(Part::is_endless) }
}
