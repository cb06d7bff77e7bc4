//! The way back: what is to be taken back next, in the mirror image of what ran.
//!
//! It follows from the leaves, each time anew; of a loop also from how far it is, so that its other elements need no look.
//! Behind each decision all that is due has begun. So of elements that are taken back at once, only those can
//! be due for something in which this decision has taken something back.

use super::draft::{Draft, Task};
use super::event::Event;
use super::flow::handler;
use super::id::Direction;
use super::instance::State;
use crate::plan::{At, Kind, NodeId};

/// Whether something is left to take back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    /// Nothing.
    Nothing,
    /// At least one compensation is due, under way or stuck.
    Something,
}

/// A loop on the way back.
struct Back {
    at: At,
    /// The sequence of an element or round, and the last node in it.
    inside: NodeId,
    last: NodeId,
    /// All elements at once.
    at_once: bool,
}

impl Draft<'_> {
    /// Begins all compensations that are due in a scope which has settled.
    pub(super) fn undo(&mut self, scope: At) -> Owed {
        self.lose_runs(scope);
        loop {
            let mut due = Vec::new();
            if self.owed(scope, &mut due) == Owed::Nothing {
                return Owed::Nothing;
            }
            // What is taken back at once lets others be due.
            let at_once = due.into_iter().filter(|at| self.begin_undo(*at)).count();
            if at_once == 0 {
                return Owed::Something;
            }
        }
    }

    /// Whether that was all: a sub-saga that has unwound itself, an element of which all is taken back; or a loop, whose
    /// elements come next.
    fn begin_undo(&mut self, at: At) -> bool {
        let plan = self.plan;
        let node = plan.node(at.node());
        match &node.kind {
            Kind::Each(_) | Kind::Repeat(_) => {
                self.emit(Event::Turned { at: self.place(at) });
                self.turned.push(at);
                self.touched.push(at);
                return true;
            }
            Kind::Sequence(_) => {
                self.emit(Event::Unwound { at: self.place(at) });
                self.touched.push(at);
                return true;
            }
            _ => {}
        }
        let Some(work) = plan.work(at.node()) else { return false };
        if let Some(back) = work.back {
            self.begin_way_back(at, back);
            return false;
        }
        let Some(compensation) = work.compensation() else {
            self.emit(Event::Succeeded { at: self.place(at), work: Direction::Undo, reply: None });
            self.touched.push(at);
            return true;
        };
        match self.prepare(at, Direction::Undo, compensation) {
            Ok(limit) => self.call(at, work, (Direction::Undo, compensation), None, limit),
            Err(invalid) => self.stick(at, Direction::Undo, &invalid),
        }
        false
    }

    /// The saga begins that takes a step back. It goes on from its input once this decision has seen what else is due.
    pub(super) fn begin_way_back(&mut self, at: At, back: NodeId) {
        let plan = self.plan;
        let Kind::Scope(children) = &plan.node(back).kind else { return };
        let Some(input) = children.first().map(|input| plan.beside(at, *input)) else { return };
        let Kind::Let(given) = &plan.node(input.node()).kind else { return };
        match self.json_for((at, Direction::Undo), given) {
            Ok(value) => {
                self.emit(Event::Turned { at: self.place(at) });
                self.emit(Event::Bound { at: self.place(input), value });
                self.stack.push(Task::Leave(input));
            }
            Err(invalid) => self.stick(at, Direction::Undo, &invalid),
        }
    }

    /// What such a saga is given is computed again.
    pub(super) fn begin_way_back_again(&mut self, at: At, back: NodeId) {
        self.begin_way_back(at, back);
        self.run();
    }

    /// That saga has come to its end: the step is taken back.
    pub(super) fn end_way_back(&mut self, back: At) {
        let Some(step) = self.plan.parent(back) else { return };
        self.emit(Event::Succeeded { at: self.place(step), work: Direction::Undo, reply: None });
        self.touched.push(step);
        self.stack.push(Task::Unwind);
    }

    /// Collects what is to be taken back now of a node, in the mirror image of what ran, and says whether nothing is left
    /// to take back.
    fn owed(&mut self, at: At, due: &mut Vec<At>) -> Owed {
        let plan = self.plan;
        let begun = self.instance.last_begun().is_some_and(|last| at.node() <= last.node());
        if !begun {
            return Owed::Nothing;
        }
        let state = self.instance.state(at);
        match &plan.node(at.node()).kind {
            Kind::Scope(children) | Kind::Sequence(children) => self.owed_from_the_end(at, children, due),
            Kind::Try(trial) => match state {
                Some(State::Caught(caught)) => self.owed(plan.beside(at, handler(trial, caught)), due),
                _ => self.owed_from_the_end(at, &trial.body, due),
            },
            Kind::Run(run) => match state {
                None => self.owed_from_the_end(at, &run.children, due),
                Some(State::Done(_) | State::Unknown) if run.own_pivot => {
                    if run.work.has_compensation() {
                        owed_itself(at, due)
                    } else {
                        Owed::Nothing
                    }
                }
                // Unwound, it has no value any more.
                Some(State::Done(_)) => match self.owed_from_the_end(at, &run.children, due) {
                    Owed::Something => Owed::Something,
                    Owed::Nothing => owed_itself(at, due),
                },
                Some(State::Undoing(_) | State::Turned) => Owed::Something,
                Some(_) => Owed::Nothing,
            },
            Kind::Parallel(children) => children
                .iter()
                .map(|child| self.owed(plan.beside(at, *child), due))
                .fold(Owed::Nothing, |all, one| if one == Owed::Something { one } else { all }),
            Kind::Choice { arms, otherwise } => match self.instance.chosen(at, arms, *otherwise) {
                Some(arm) => self.owed(plan.beside(at, arm), due),
                None => Owed::Nothing,
            },
            Kind::Each(each) => {
                let back = Back { at, inside: each.element, last: each.last, at_once: each.window > 1 };
                if each.owes { self.owed_by_loop(&back, due) } else { Owed::Nothing }
            }
            Kind::Repeat(repeat) => match self.owed(plan.beside(at, repeat.otherwise), due) {
                Owed::Something => Owed::Something,
                Owed::Nothing if repeat.owes => {
                    let back = Back { at, inside: repeat.round, last: repeat.last, at_once: false };
                    self.owed_by_loop(&back, due)
                }
                Owed::Nothing => Owed::Nothing,
            },
            Kind::Step(work) => match state {
                // Unknown counts as done: the guard finds out whether there is anything to take back.
                Some(State::Done(_) | State::Unknown) if work.has_compensation() => owed_itself(at, due),
                Some(State::Undoing(_) | State::Turned | State::Doing(_)) => Owed::Something,
                _ => Owed::Nothing,
            },
            Kind::Await(_, otherwise) => match state {
                Some(State::Woke) => self.owed(plan.beside(at, *otherwise), due),
                _ => Owed::Nothing,
            },
            Kind::Pivot | Kind::Sleep(_) | Kind::Let(_) | Kind::Fail { .. } => Owed::Nothing,
        }
    }

    /// What stands before waits until all behind it is taken back.
    fn owed_from_the_end(&mut self, at: At, children: &[NodeId], due: &mut Vec<At>) -> Owed {
        let plan = self.plan;
        let something = children.iter().rev().any(|child| self.owed(plan.beside(at, *child), due) == Owed::Something);
        if something { Owed::Something } else { Owed::Nothing }
    }

    /// From the last element or round; or all elements at once.
    fn owed_by_loop(&mut self, back: &Back, due: &mut Vec<At>) -> Owed {
        let plan = self.plan;
        let Some((begun, left)) = self.instance.way_back(plan, back.at) else { return Owed::Nothing };
        match left {
            None if begun == 0 => Owed::Nothing,
            None => owed_itself(back.at, due),
            Some(0) => Owed::Nothing,
            Some(_) if back.at_once => {
                for index in self.may_be_due(back, begun) {
                    let element = plan.inside(back.at, back.inside, index);
                    let is_back = matches!(self.instance.state(element), Some(State::Undone));
                    if !is_back && self.owed(element, due) == Owed::Nothing {
                        due.push(element);
                    }
                }
                Owed::Something
            }
            Some(left) => {
                for index in (1..=left).rev() {
                    let element = plan.inside(back.at, back.inside, index);
                    if self.owed(element, due) == Owed::Something {
                        break;
                    }
                    due.push(element);
                }
                Owed::Something
            }
        }
    }

    /// The elements of which something may be due: when a loop is looked at for the first time all, and then those of
    /// which something was taken back in this decision.
    fn may_be_due(&mut self, back: &Back, begun: u16) -> Vec<u16> {
        if let Some(index) = self.turned.iter().position(|turned| *turned == back.at) {
            self.turned.swap_remove(index);
            return (1..=begun).collect();
        }
        let depth = self.plan.node(back.at.node()).depth();
        let inside = self.touched.iter().filter(|at| self.plan.is_between(**at, back.at, back.last));
        let mut touched: Vec<u16> = inside.map(|at| at.index(depth)).collect();
        touched.sort_unstable();
        touched.dedup();
        touched
    }
}

fn owed_itself(at: At, due: &mut Vec<At>) -> Owed {
    due.push(at);
    Owed::Something
}
