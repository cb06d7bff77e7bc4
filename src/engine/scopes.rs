//! Scopes that fail: they settle, are taken back, and either the saga goes on in a handler or the scope around fails too.
//!
//! Nothing is kept of how far that is: it follows from the steps (see [`flow`](super::flow)), each time anew.

use compact_str::CompactString;

use super::draft::{Draft, Words};
use super::event::{Event, Failure};
use super::flow::Owed;
use super::id::Direction;
use super::instance::{Phase, State};
use super::step::{self, Move, Persistence, Queries, Stimulus};
use crate::plan::{Kind, NodeId, ROOT, Trial};

impl Draft<'_> {
    /// The flow comes to a scope of its own.
    pub(super) fn begin_try(&mut self, node: NodeId, trial: &Trial) {
        match trial.within.as_ref().map(|within| self.value(node, within)) {
            Some(Ok(within)) => {
                let until = self.later(&within);
                self.emit(Event::Slept { at: self.place(node), until });
            }
            Some(Err(invalid)) => return self.cannot_compute(node, &invalid),
            None => {}
        }
        if let Some(first) = trial.body.first() {
            self.push_enter(*first);
        }
    }

    /// The time of a scope is over.
    pub(super) fn overdue(&mut self, scope: NodeId) {
        let failure = Failure { code: CompactString::const_new("deadline"), step: self.place(scope), message: None };
        self.fail_scope(scope, scope, failure);
    }

    /// Something fails, and its scope with it.
    pub(super) fn fail(&mut self, node: NodeId, words: Words) {
        let failure = Failure { code: words.code, step: self.place(node), message: words.message };
        self.fail_scope(self.plan.node(node).scope, node, failure);
    }

    /// The first failure of a scope counts; behind the point of no return the saga itself cannot fail.
    fn fail_scope(&mut self, scope: NodeId, node: NodeId, failure: Failure) {
        let fails_already = self.instance.failing(scope).is_some() || self.instance.is_shut(self.plan, scope);
        match (&self.instance.phase, scope) {
            (Phase::New | Phase::Completed(_) | Phase::Compensated(_), _) => return,
            _ if fails_already => {}
            (Phase::Committed, ROOT) => {
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
    fn settle(&mut self, scope: NodeId) {
        let nodes = self.instance.states().map(|(node, _)| node);
        let nodes: Vec<NodeId> = nodes.filter(|node| self.plan.is_within(*node, scope)).collect();
        for node in nodes {
            match self.instance.state(node) {
                Some(State::Sleeping(_)) => self.emit(Event::Woke { at: self.place(node) }),
                // Its outcome decides what is to be taken back.
                Some(State::Doing(attempt)) if attempt.number > 0 && self.plan.sub_saga_of_pivot(node).is_some() => {}
                Some(State::Doing(attempt)) => {
                    match step::next(attempt, Persistence::Settling, Queries::NotAnswered, Stimulus::Settle) {
                        Move::Lose => self.emit(Event::Lost { at: self.place(node) }),
                        Move::Withdraw => self.emit(Event::Withdrawn { at: self.place(node) }),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
    }

    /// Goes on taking back, as far as it can: each failing scope that no other failing one is around.
    pub(super) fn unwind(&mut self) {
        if self.instance.failing(ROOT).is_some() {
            return self.take_back(ROOT);
        }
        for scope in self.plan.tries() {
            if self.instance.failing(*scope).is_some() && !self.instance.is_shut(self.plan, *scope) {
                self.take_back(*scope);
            }
        }
    }

    fn take_back(&mut self, scope: NodeId) {
        if !self.inner_are_back(scope) || !self.instance.is_settled(self.plan, scope) {
            return;
        }
        if self.undo(scope) == Owed::Something {
            return;
        }
        match &self.plan.node(scope).kind {
            Kind::Try(trial) => self.handle(scope, trial),
            _ => self.emit(Event::Compensated),
        }
    }

    /// Scopes inside that fail too are taken back first, the inner before those around them.
    fn inner_are_back(&mut self, scope: NodeId) -> bool {
        let plan = self.plan;
        let mut open: Vec<NodeId> = Vec::new();
        for inner in plan.tries_within(scope).iter().rev().copied() {
            if self.instance.failing(inner).is_none() {
                continue;
            }
            let waits = open.iter().any(|open| plan.is_within(*open, inner));
            if waits || !self.instance.is_settled(plan, inner) || self.undo(inner) == Owed::Something {
                open.push(inner);
            }
        }
        open.is_empty()
    }

    /// Begins all compensations that are due in a scope which has settled.
    fn undo(&mut self, scope: NodeId) -> Owed {
        self.lose_runs(scope);
        loop {
            let mut due = Vec::new();
            if self.instance.owed(self.plan, scope, &mut due) == Owed::Nothing {
                return Owed::Nothing;
            }
            // What is taken back at once lets others be due.
            let at_once = due.into_iter().filter(|node| self.begin_undo(*node)).count();
            if at_once == 0 {
                return Owed::Something;
            }
        }
    }

    /// Whether that was all: a sub-saga that has unwound itself.
    fn begin_undo(&mut self, node: NodeId) -> bool {
        let plan = self.plan;
        let Some(work) = plan.work(node) else { return false };
        let Some(compensation) = work.compensation() else {
            self.emit(Event::Succeeded { at: self.place(node), work: Direction::Undo, reply: None });
            return true;
        };
        match self.prepare(node, Direction::Undo, compensation) {
            Ok(limit) => self.call(node, work, (Direction::Undo, compensation), None, limit),
            Err(invalid) => self.stick(node, Direction::Undo, &invalid),
        }
        false
    }

    /// A scope is taken back: the saga goes on in a handler, or the scope around fails with the same.
    fn handle(&mut self, scope: NodeId, trial: &Trial) {
        let Some(failure) = self.instance.failing(scope).cloned() else { return };
        let takes = |codes: &Vec<CompactString>| codes.is_empty() || codes.contains(&failure.code);
        let found = (0u32..).zip(&trial.catches).find(|(_, (codes, _))| takes(codes));
        match found {
            Some((handler, (_, block))) => {
                self.emit(Event::Caught { at: self.place(scope), handler });
                self.enter(*block);
            }
            None => self.fail_scope(self.plan.node(scope).scope, scope, failure),
        }
    }
}
