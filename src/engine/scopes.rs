//! Scopes that fail: they settle, are taken back, and either the saga goes on in a handler or the scope around fails too.
//!
//! Nothing is kept of how far that is: it follows from the steps (see [`back`](super::back)), each time anew.

use compact_str::CompactString;

use super::back::Owed;
use super::draft::{Draft, Words};
use super::event::{Event, Failure};
use super::id::Direction;
use super::instance::{Phase, State};
use super::step::{self, Move, Persistence, Queries, Stimulus};
use crate::plan::{At, Kind, Trial};

impl Draft<'_> {
    /// The flow comes to a scope of its own.
    pub(super) fn begin_try(&mut self, at: At, trial: &Trial) {
        match trial.within.as_ref().map(|within| self.value(at, within)) {
            Some(Ok(within)) => {
                let until = self.later(&within);
                self.emit(Event::Slept { at: self.place(at), until });
            }
            Some(Err(invalid)) => return self.cannot_compute(at, &invalid),
            None => {}
        }
        if let Some(first) = trial.body.first() {
            self.push_enter(self.plan.beside(at, *first));
        }
    }

    /// The time of a scope is over.
    pub(super) fn overdue(&mut self, scope: At) {
        let failure = Failure { code: CompactString::const_new("deadline"), step: self.place(scope), message: None };
        self.fail_scope(scope, scope, failure);
    }

    /// Something fails, and its scope with it.
    pub(super) fn fail(&mut self, at: At, words: Words) {
        let failure = Failure { code: words.code, step: self.place(at), message: words.message };
        self.fail_scope(self.plan.scope(at), at, failure);
    }

    /// The first failure of a scope counts; behind the point of no return the saga itself cannot fail.
    fn fail_scope(&mut self, scope: At, node: At, failure: Failure) {
        let fails_already = self.instance.failing(scope).is_some() || self.instance.is_shut(self.plan, scope);
        match (&self.instance.phase, scope) {
            (Phase::New | Phase::Completed(_) | Phase::Compensated(_), _) => return,
            // A saga that takes a step back cannot fail.
            _ if self.plan.is_way_back(scope.node()) => {
                let (at, Failure { code, message, .. }) = (self.place(node), failure);
                return self.emit(Event::Stuck { at, work: Direction::Do, code, message });
            }
            _ if fails_already => {}
            (Phase::Committed, At::ROOT) => {
                let (at, Failure { code, message, .. }) = (self.place(node), failure);
                return self.emit(Event::Stuck { at, work: Direction::Do, code, message });
            }
            // Nor can a sub-saga behind its own, though what stands around it may.
            _ if self.instance.is_past_own_pivot(self.plan, node, scope) => {
                let (at, Failure { code, message, .. }) = (self.place(node), failure);
                return self.emit(Event::Stuck { at, work: Direction::Do, code, message });
            }
            _ => {
                // Told before anything ends: later it would look as if it had ended by itself.
                let under_way = self.instance.under_way(self.plan, scope);
                for scope in std::iter::once(scope).chain(under_way) {
                    self.emit(Event::Failed { scope: self.place(scope), failure: failure.clone() });
                }
                self.settle(scope);
            }
        }
        self.unwind();
    }

    /// What is in flight settles: attempts under way get their answer or their timeout, all else ends at once.
    fn settle(&mut self, scope: At) {
        let inside = self.instance.active().into_iter().map(|(at, _)| at);
        let inside: Vec<At> = inside.filter(|at| self.plan.is_within(*at, scope)).collect();
        for at in inside {
            match self.instance.state(at) {
                Some(State::Sleeping(_)) => self.emit(Event::Woke { at: self.place(at) }),
                // Its outcome decides what is to be taken back.
                Some(State::Doing(attempt))
                    if attempt.number > 0 && self.plan.sub_saga_of_pivot(at.node()).is_some() => {}
                Some(State::Doing(attempt)) => {
                    match step::next(attempt, Persistence::Settling, Queries::NotAnswered, Stimulus::Settle) {
                        Move::Lose => self.emit(Event::Lost { at: self.place(at) }),
                        Move::Withdraw => self.emit(Event::Withdrawn { at: self.place(at) }),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
    }

    /// Goes on taking back, as far as it can: each failing scope that no other failing one is around. What takes a step
    /// back comes before what waits for that.
    pub(super) fn unwind(&mut self) {
        for scope in self.instance.failing_on_ways_back(self.plan).into_iter().rev() {
            self.take_back_open(scope);
        }
        if self.instance.failing(At::ROOT).is_some() {
            self.take_back(At::ROOT);
        } else {
            for scope in self.instance.failing_within(self.plan, At::ROOT) {
                self.take_back_open(scope);
            }
        }
        // Sagas that take steps back have begun.
        self.run();
    }

    fn take_back_open(&mut self, scope: At) {
        if self.instance.failing(scope).is_some() && !self.instance.is_shut(self.plan, scope) {
            self.take_back(scope);
        }
    }

    fn take_back(&mut self, scope: At) {
        if !self.inner_are_back(scope) || !self.instance.is_settled(self.plan, scope) {
            return;
        }
        if self.undo(scope) == Owed::Something {
            return;
        }
        match &self.plan.node(scope.node()).kind {
            Kind::Try(trial) => self.handle(scope, trial),
            _ => self.emit(Event::Compensated),
        }
    }

    /// Scopes inside that fail too are taken back first, the inner before those around them.
    fn inner_are_back(&mut self, scope: At) -> bool {
        let plan = self.plan;
        let mut open: Vec<At> = Vec::new();
        for inner in self.instance.failing_within(plan, scope).into_iter().rev() {
            let waits = open.iter().any(|open| plan.is_within(*open, inner));
            if waits || !self.instance.is_settled(plan, inner) || self.undo(inner) == Owed::Something {
                open.push(inner);
            }
        }
        open.is_empty()
    }

    /// A scope is taken back: the saga goes on in a handler, or the scope around fails with the same.
    fn handle(&mut self, scope: At, trial: &Trial) {
        let Some(failure) = self.instance.failing(scope).cloned() else { return };
        let takes = |codes: &Vec<CompactString>| codes.is_empty() || codes.contains(&failure.code);
        let found = (0u32..).zip(&trial.catches).find(|(_, (codes, _))| takes(codes));
        match found {
            Some((handler, (_, block))) => {
                self.emit(Event::Caught { at: self.place(scope), handler });
                self.enter(self.plan.beside(scope, *block));
            }
            None => self.fail_scope(self.plan.scope(scope), scope, failure),
        }
    }
}
