//! The states of an instance's nodes, by address.
//!
//! Most instances have a handful, and wait: those stand in a vector, which is as small as it can be. A loop over many elements
//! makes thousands: those stand in a tree, with a register of what is under way, so that nothing that is asked of them for
//! one element takes time for all. A decision works on a copy: of a vector it is a copy; over a tree it is what differs
//! from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::instance::State;
use crate::plan::At;
use crate::time::Timestamp;

/// How many states stand in a vector. Copying them for a decision is then about the work of one payload.
const FEW_MAX: usize = 32;

/// States by address.
#[derive(Clone, Debug)]
pub(super) struct States(Kept);

#[derive(Clone, Debug)]
enum Kept {
    Few(Vec<(At, State)>),
    Many(Box<Many>),
}

#[derive(Clone, Debug)]
struct Many {
    base: Arc<Base>,
    /// What differs from the base; none where there is no state any more.
    over: BTreeMap<At, Option<State>>,
}

#[derive(Debug, Default, Clone)]
struct Base {
    all: BTreeMap<At, State>,
    /// Those that are under way.
    active: BTreeSet<(Activity, At)>,
    /// Those that time alone changes.
    due: BTreeSet<(Timestamp, At)>,
}

/// How something is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Activity {
    /// On its way forward: it must settle before its scope is taken back.
    Ahead,
    /// On its way back.
    Back,
    /// A scope that fails, or has failed.
    Failing,
    /// It waits for a person, in no direction.
    Halted,
}

const ACTIVITIES: [Activity; 4] = [Activity::Ahead, Activity::Back, Activity::Failing, Activity::Halted];

/// How it is under way, if it is.
const fn activity(state: &State) -> Option<Activity> {
    match state {
        State::Doing(_) | State::Sleeping(_) => Some(Activity::Ahead),
        State::Undoing(_) | State::Turned => Some(Activity::Back),
        State::Failing(_) => Some(Activity::Failing),
        State::Halted(_) => Some(Activity::Halted),
        State::Done(_)
        | State::Refused(_)
        | State::Unknown
        | State::Undone
        | State::Chose(_)
        | State::Bound(_)
        | State::Woke
        | State::Reached
        | State::Caught(_)
        | State::Each(_)
        | State::Rounds(_) => None,
    }
}

impl Base {
    fn put(&mut self, at: At, state: State) -> Option<State> {
        if let Some(activity) = activity(&state) {
            self.active.insert((activity, at));
        }
        if let Some(due) = state.until() {
            self.due.insert((due, at));
        }
        self.all.insert(at, state)
    }

    fn forget(&mut self, at: At, state: &State) {
        if let Some(activity) = activity(state) {
            self.active.remove(&(activity, at));
        }
        if let Some(due) = state.until() {
            self.due.remove(&(due, at));
        }
    }

    /// The state; its place is kept for the next one.
    fn take(&mut self, at: At) -> Option<State> {
        let state = std::mem::replace(self.all.get_mut(&at)?, State::Undone);
        self.forget(at, &state);
        Some(state)
    }

    fn remove(&mut self, at: At) {
        if let Some(state) = self.all.remove(&at) {
            self.forget(at, &state);
        }
    }
}

impl Many {
    /// The base, if nobody else looks at it: then it is changed itself.
    fn own(&mut self) -> Option<&mut Base> {
        let base = Arc::get_mut(&mut self.base)?;
        for (at, state) in std::mem::take(&mut self.over) {
            base.remove(at);
            if let Some(state) = state {
                base.put(at, state);
            }
        }
        Some(base)
    }

    fn get(&self, at: At) -> Option<&State> {
        match self.over.get(&at) {
            Some(over) => over.as_ref(),
            None => self.base.all.get(&at),
        }
    }

    /// What is under way so, in no order.
    fn of(&self, wanted: Activity) -> impl Iterator<Item = (At, &State)> {
        let range = (wanted, At::ROOT)..=(wanted, At::LAST);
        let base = self.base.active.range(range).filter(|(_, at)| !self.over.contains_key(at));
        let base = base.filter_map(|(_, at)| Some((*at, self.base.all.get(at)?)));
        let over = self.over.iter().filter_map(|(at, state)| Some((*at, state.as_ref()?)));
        base.chain(over.filter(move |(_, state)| activity(state) == Some(wanted)))
    }
}

impl States {
    pub(super) const fn new() -> Self {
        Self(Kept::Few(Vec::new()))
    }

    pub(super) fn get(&self, at: At) -> Option<&State> {
        match &self.0 {
            Kept::Few(few) => {
                let index = few.binary_search_by_key(&at, |(at, _)| *at).ok()?;
                few.get(index).map(|(_, state)| state)
            }
            Kept::Many(many) => many.get(at),
        }
    }

    /// Those in a vector, or those in a tree.
    fn kept(&self) -> (&[(At, State)], Option<&Many>) {
        match &self.0 {
            Kept::Few(few) => (few, None),
            Kept::Many(many) => (&[], Some(many)),
        }
    }

    /// All of them, in the order of addresses.
    pub(super) fn iter(&self) -> impl Iterator<Item = (At, &State)> {
        let (few, many) = self.kept();
        let few = few.iter().map(|(at, state)| (*at, state));
        few.chain(many.into_iter().flat_map(|many| {
            let (mut base, mut over) = (many.base.all.iter().peekable(), many.over.iter().peekable());
            std::iter::from_fn(move || {
                loop {
                    let next = match (base.peek(), over.peek()) {
                        (Some((at, _)), Some((other, _))) if at < other => base.next().map(|(at, state)| (*at, state)),
                        (Some((at, _)), Some((other, _))) => {
                            if at == other {
                                base.next();
                            }
                            match over.next() {
                                Some((at, Some(state))) => Some((*at, state)),
                                _ => continue,
                            }
                        }
                        (None, Some(_)) => match over.next() {
                            Some((at, Some(state))) => Some((*at, state)),
                            _ => continue,
                        },
                        (_, None) => base.next().map(|(at, state)| (*at, state)),
                    };
                    return next;
                }
            })
        }))
    }

    /// The state of that number in the order of addresses.
    pub(super) fn nth(&self, number: usize) -> Option<(At, &State)> {
        match &self.0 {
            Kept::Few(few) => few.get(number).map(|(at, state)| (*at, state)),
            Kept::Many(_) => self.iter().nth(number),
        }
    }

    /// What is under way so, in no order.
    pub(super) fn of(&self, wanted: Activity) -> impl Iterator<Item = (At, &State)> {
        let (few, many) = self.kept();
        let few = few.iter().map(|(at, state)| (*at, state));
        let few = few.filter(move |(_, state)| activity(state) == Some(wanted));
        few.chain(many.into_iter().flat_map(move |many| many.of(wanted)))
    }

    /// All that is under way, in no order.
    pub(super) fn under_way(&self) -> impl Iterator<Item = (At, &State)> {
        let (few, many) = self.kept();
        let few = few.iter().filter(|(_, state)| activity(state).is_some()).map(|(at, state)| (*at, state));
        few.chain(many.into_iter().flat_map(|many| ACTIVITIES.into_iter().flat_map(|wanted| many.of(wanted))))
    }

    /// The same in the order of addresses.
    pub(super) fn active(&self) -> Vec<(At, &State)> {
        let mut active: Vec<(At, &State)> = self.under_way().collect();
        active.sort_unstable_by_key(|(at, _)| *at);
        active
    }

    /// The next instant at which time alone changes one.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        match &self.0 {
            Kept::Few(few) => few.iter().filter_map(|(_, state)| state.until()).min(),
            Kept::Many(many) => {
                let mut base = many.base.due.iter().filter(|(_, at)| !many.over.contains_key(at));
                let base = base.next().map(|(due, _)| *due);
                let over = many.over.values().filter_map(|state| state.as_ref()?.until());
                over.chain(base).min()
            }
        }
    }

    /// Those that time alone has changed by now, in the order of addresses.
    pub(super) fn overdue(&self, now: Timestamp) -> Vec<(Timestamp, At)> {
        let mut overdue: Vec<(Timestamp, At)> = match &self.0 {
            Kept::Few(few) => {
                let due = few.iter().filter_map(|(at, state)| Some((state.until()?, *at)));
                due.filter(|(due, _)| *due <= now).collect()
            }
            Kept::Many(many) => {
                let base = many.base.due.iter().take_while(|(due, _)| *due <= now);
                let base = base.filter(|(_, at)| !many.over.contains_key(at)).copied();
                let over = many.over.iter().filter_map(|(at, state)| Some((state.as_ref()?.until()?, *at)));
                base.chain(over.filter(|(due, _)| *due <= now)).collect()
            }
        };
        overdue.sort_unstable_by_key(|(_, at)| *at);
        overdue
    }

    /// Whether a node has a state in any element or round, in the first `depth` loops in those of the address.
    pub(super) fn has_any(&self, at: At, depth: usize) -> bool {
        let (first, last) = (at, at.last_inside(depth));
        match &self.0 {
            Kept::Few(few) => {
                let from = few.partition_point(|(at, _)| *at < first);
                few.get(from).is_some_and(|(at, _)| *at <= last)
            }
            Kept::Many(many) => {
                many.over.range(first..=last).any(|(_, state)| state.is_some())
                    || many.base.all.range(first..=last).any(|(at, _)| !many.over.contains_key(at))
            }
        }
    }

    /// No state stands behind it.
    pub(super) fn last(&self) -> Option<At> {
        match &self.0 {
            Kept::Few(few) => few.last().map(|(at, _)| *at),
            Kept::Many(many) => {
                let (base, over) = (many.base.all.last_key_value(), many.over.last_key_value());
                base.map(|(at, _)| *at).max(over.map(|(at, _)| *at))
            }
        }
    }

    /// Takes a state out; every path puts one back or gives the instance up.
    pub(super) fn take(&mut self, at: At) -> Option<State> {
        match &mut self.0 {
            Kept::Few(few) => {
                let index = few.binary_search_by_key(&at, |(at, _)| *at).ok()?;
                // The place is kept, so that putting the next state back moves nothing.
                few.get_mut(index).map(|(_, state)| std::mem::replace(state, State::Undone))
            }
            Kept::Many(many) => {
                if let Some(own) = many.own() {
                    return own.take(at);
                }
                match many.over.get_mut(&at) {
                    Some(over) => over.replace(State::Undone),
                    None => many.base.all.get(&at).cloned(),
                }
            }
        }
    }

    pub(super) fn put(&mut self, at: At, state: State) {
        match &mut self.0 {
            Kept::Few(few) => match few.binary_search_by_key(&at, |(at, _)| *at) {
                Ok(index) => {
                    if let Some(slot) = few.get_mut(index) {
                        slot.1 = state;
                    }
                }
                Err(index) if few.len() < FEW_MAX => {
                    // One more at a time while there are few: most instances wait with one or two.
                    if few.len() < 4 {
                        few.reserve_exact(1);
                    }
                    few.insert(index, (at, state));
                }
                Err(_) => {
                    let mut base = Base::default();
                    for (at, state) in std::mem::take(few) {
                        base.put(at, state);
                    }
                    base.put(at, state);
                    self.0 = Kept::Many(Box::new(Many { base: Arc::new(base), over: BTreeMap::new() }));
                }
            },
            Kept::Many(many) => match many.own() {
                Some(own) => drop(own.put(at, state)),
                None => drop(many.over.insert(at, Some(state))),
            },
        }
    }

    /// A node that has begun is as if it had not.
    pub(super) fn remove(&mut self, at: At) {
        match &mut self.0 {
            Kept::Few(few) => {
                if let Ok(index) = few.binary_search_by_key(&at, |(at, _)| *at) {
                    few.remove(index);
                }
            }
            Kept::Many(many) => match many.own() {
                Some(own) => own.remove(at),
                None => drop(many.over.insert(at, None)),
            },
        }
    }

    /// Folds what differs into what copies had in common, if no other copy is left.
    pub(super) fn fold_in(&mut self) {
        if let Kept::Many(many) = &mut self.0 {
            many.own();
        }
    }

    /// Changes each state in its place.
    pub(super) fn edit(&mut self, mut change: impl FnMut(At, &mut State)) {
        if let Kept::Few(few) = &mut self.0 {
            return few.iter_mut().for_each(|(at, state)| change(*at, state));
        }
        let edited = self.iter().map(|(at, state)| {
            let mut state = state.clone();
            change(at, &mut state);
            (at, state)
        });
        *self = edited.collect();
    }

    /// Changes a state in its place.
    pub(super) fn change(&mut self, at: At, change: impl FnOnce(&mut State)) {
        if let Some(mut state) = self.take(at) {
            change(&mut state);
            self.put(at, state);
        }
    }
}

impl FromIterator<(At, State)> for States {
    fn from_iter<I: IntoIterator<Item = (At, State)>>(all: I) -> Self {
        let mut states = Self::new();
        all.into_iter().for_each(|(at, state)| states.put(at, state));
        states
    }
}

/// How they are kept is nobody's business.
impl PartialEq for States {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}
impl Eq for States {}
