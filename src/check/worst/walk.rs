//! What each statement costs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use compact_str::CompactString;

use super::flow::{Done, Fall, Falls, Flow, Others, Part, either};
use super::{Bound, Completed, Worst};
use crate::check::outcomes::Outcomes;
use crate::definition::expression::Typed;
use crate::definition::limits::PIVOT_PAUSE_MIN;
use crate::definition::{
    Await, Compensation, ForEach, Invocation, Repeat, Run, Sleep, Statement, StatementKind, Step, Try, Verb, has_pivot,
};
use crate::source::Span;

/// A place where the saga may be stuck.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sought<'s> {
    /// The step, without indices.
    pub(super) step: &'s str,
    /// As it is taken back.
    pub(super) undo: bool,
}

/// Through the statements.
#[derive(Clone, Debug)]
pub(super) struct Walk<'s> {
    elements: u16,
    sought: Option<Sought<'s>>,
    /// What is sought is a point of no return.
    seeks_pivot: bool,
    waits: Vec<Span>,
    lists: Vec<Span>,
    turns: BTreeSet<CompactString>,
    pivots: BTreeSet<CompactString>,
    /// No pivot step is ever answered, but for one that is sought.
    is_endless: bool,
}

impl<'s> Walk<'s> {
    pub(super) const fn new(elements: u16, sought: Option<Sought<'s>>) -> Self {
        Self {
            elements,
            sought,
            seeks_pivot: false,
            waits: Vec::new(),
            lists: Vec::new(),
            turns: BTreeSet::new(),
            pivots: BTreeSet::new(),
            is_endless: false,
        }
    }

    /// Once more with pivot steps that are never answered; none where there is no such step.
    pub(super) fn endless(&self) -> Option<Self> {
        let again = Self { is_endless: true, ..Self::new(self.elements, self.sought) };
        Some(again).filter(|_| !self.pivots.is_empty())
    }

    pub(super) fn into_worst(self, completed: Option<Completed>, compensated: BTreeMap<CompactString, Bound>) -> Worst {
        Worst { completed, compensated, waits: self.waits, lists: self.lists, turns: self.turns, pivots: self.pivots }
    }

    pub(super) fn block(&mut self, statements: &[Statement]) -> Flow {
        statements.iter().fold(Flow::NOTHING, |flow, next| flow.then(&self.statement(next)))
    }

    fn statement(&mut self, statement: &Statement) -> Flow {
        let flow = match &statement.kind {
            StatementKind::Step(step) => return self.step(step, &Outcomes::of_itself(statement)),
            StatementKind::Pivot => Flow { passed: true, ..Flow::NOTHING },
            StatementKind::Parallel(branches) => {
                let branches = branches.iter().map(|branch| self.statement(branch));
                branches.reduce(|flow, branch| flow.beside(&branch)).unwrap_or(Flow::NOTHING)
            }
            StatementKind::Sequence(inner) => self.block(inner),
            StatementKind::When { arms, otherwise } => {
                let blocks = arms.iter().map(|(_, arm)| arm).chain([otherwise]);
                blocks.map(|block| self.block(block)).reduce(Flow::or).unwrap_or(Flow::NOTHING)
            }
            StatementKind::Sleep(Sleep::For(duration)) => self.pause(Some(duration), statement.span),
            StatementKind::Sleep(Sleep::Until(_)) => self.pause(None, statement.span),
            StatementKind::Await { wait, otherwise } => self.awaited(wait, otherwise, statement.span),
            StatementKind::Try(written) => self.tried(written),
            StatementKind::Run(run) => self.ran(run),
            StatementKind::ForEach(each) => self.for_each(each),
            StatementKind::Repeat(repeat) => self.repeated(repeat),
            StatementKind::Let { .. } => Flow::NOTHING,
            StatementKind::Fail { .. } => Flow { done: None, least: None, ..Flow::NOTHING },
        };
        let mut itself = Flow::NOTHING;
        for code in Outcomes::of_itself(statement).codes() {
            itself.fails(code, Falls::one(Fall::NOTHING), 0);
        }
        itself.then(&flow)
    }

    /// A wait that time ends.
    fn pause(&mut self, time: Option<&Typed>, span: Span) -> Flow {
        let time = time.and_then(Typed::literal_duration);
        if time.is_none() {
            self.waits.push(span);
        }
        let before = Part { time: time.unwrap_or_default(), most: 0 };
        let struck = Falls::one(Fall::of(before));
        Flow { done: Some(Done::forward_only(before, Part::NOTHING)), struck, ..Flow::NOTHING }
    }

    /// The signal comes at the last moment, or does not come.
    fn awaited(&mut self, wait: &Await, otherwise: &[Statement], span: Span) -> Flow {
        let missed = self.block(otherwise);
        self.pause(Some(&wait.within), span).then(&Flow::NOTHING.or(missed))
    }

    /// The body is done; or it fails, is taken back, and a handler follows.
    fn tried(&mut self, written: &Try) -> Flow {
        let body = self.block(&written.body);
        let within = written.within.as_ref().map(|within| within.literal_duration().unwrap_or(Duration::MAX));
        let limit = within.unwrap_or(Duration::MAX);
        let capped = |done: Done| Done { before: Part { time: done.before.time.min(limit), ..done.before }, ..done };
        let struck = body.struck.clone().and(Fall::NOTHING).map(|fall| fall.within(limit));
        let mut falls = body.falls_as(|fall| fall.within(limit));
        if let Some(within) = within {
            let overdue = if within == Duration::MAX { struck.clone() } else { struck.at(within) };
            falls.entry("deadline".into()).or_default().join(overdue);
        }
        // That its time is over may come before anything else.
        let least_until =
            |code: &CompactString| if within.is_some() && code == "deadline" { 0 } else { body.until(code) };
        let mut flow = Flow {
            done: body.done.map(capped),
            passed: false,
            falls: BTreeMap::new(),
            least_until: BTreeMap::new(),
            // Struck from outside, it is taken back before what stands around it; so it is where it is on its way back already.
            struck: struck.map(Self::inside),
            late: Falls::default(),
            least: body.least,
            holds: body.holds,
            stuck: body.stuck,
        };
        for falls in falls.values() {
            flow.struck.join(falls.map(|fall| Self::inside(Fall { time: fall.settled, ..fall })));
        }
        if body.holds {
            let back = falls.values().filter_map(Falls::whole).reduce(Part::or);
            let back = back.map(|back| Done::forward_only(back, Part::NOTHING));
            flow.stuck = either(flow.stuck, back, Done::or);
            return flow;
        }
        for catch in &written.catches {
            let taken = |code: &CompactString| catch.codes.is_empty() || catch.codes.contains(code);
            let before = falls.iter().filter(|(code, _)| taken(code)).filter_map(|(_, falls)| falls.whole());
            let before = before.reduce(Part::or);
            let least = falls.keys().filter(|code| taken(code)).map(least_until).min();
            falls.retain(|code, _| !taken(code));
            let handler = self.block(&catch.block);
            if let Some(before) = before {
                let failed = Flow { done: Some(Done::forward_only(before, Part::NOTHING)), least, ..Flow::NOTHING };
                flow = flow.or(failed.then(&handler));
            }
        }
        if !flow.holds {
            for (code, falls) in falls {
                let least = least_until(&code);
                flow.fails(&code, falls.map(|fall| Fall::of(fall.whole())), least);
            }
        }
        flow
    }

    /// Of a scope inside.
    fn inside(fall: Fall) -> Fall {
        Fall { inner: fall.inner.saturating_add(fall.outer), outer: Duration::ZERO, ..fall }
    }

    /// A list that is as long as it may be; and where it is empty, nothing. Of some the text says how long they are.
    fn for_each(&mut self, each: &ForEach) -> Flow {
        let written = each.length.and_then(|length| u16::try_from(length.most).ok());
        let elements = written.unwrap_or(self.elements);
        if written.is_none() {
            self.lists.push(each.list.span);
        }
        if elements == 0 {
            return Flow::NOTHING;
        }
        let window = each.window.min(elements).max(1);
        let rows = elements.div_ceil(window);
        let one = self.block(&each.body);
        let whole = self.without_sought(&each.body, &one);
        let done = whole.done.unwrap_or(Done::NOTHING);
        // Those of a window are taken back all at once.
        let at_once = window > 1;
        let before = Part { most: 0, ..done.before.times(1, rows - 1) };
        let own = whole.others();
        let others = Others {
            busy: before.time.saturating_add(own.busy.max(done.before.time)),
            most: own.most.saturating_mul(u64::from(elements - 1)),
            ..own
        };
        let ahead = Done::forward_only(before, Part::NOTHING);
        let of_last = |fall: Fall| {
            if at_once {
                return fall.behind(ahead).beside(&others);
            }
            fall.behind(Done { back: done.back.saturating_mul(u32::from(rows - 1)), both_ways: others.most, ..ahead })
        };
        let stuck = one.stuck.map(|stuck| {
            let before = before.then(stuck.before);
            Done::forward_only(Part { most: before.most.saturating_add(others.most), ..before }, stuck.behind)
        });
        // What is filtered may be nothing.
        let fewest = each.length.filter(|_| each.filter.is_none()).map_or(0, |length| length.least);
        let fewest = u64::try_from(fewest).unwrap_or(u64::MAX);
        let least = if fewest == 0 { Some(0) } else { one.least.map(|least| least.saturating_mul(fewest)) };
        Flow {
            done: Some(done.times(elements, rows, if at_once { 1 } else { rows })),
            falls: whole.falls_as(of_last),
            least_until: whole.least_until.clone(),
            struck: whole.struck.map(of_last),
            least,
            holds: one.holds,
            stuck,
            ..Flow::NOTHING
        }
    }

    /// All rounds, and what follows where the condition never held; at least one.
    fn repeated(&mut self, repeat: &Repeat) -> Flow {
        let mut judged = Flow::NOTHING;
        if repeat.until.overflow.is_some() {
            judged.fails("invalid", Falls::one(Fall::NOTHING), 0);
        }
        let one = self.block(&repeat.body);
        let whole = self.without_sought(&repeat.body, &one).then(&judged);
        let otherwise = self.block(&repeat.otherwise);
        let all = |rounds: u16| whole.done.map(|done| done.times(rounds, rounds, rounds));
        let before = all(repeat.times.saturating_sub(1)).unwrap_or(Done::NOTHING);
        let last = |fall: Fall| fall.behind(before);
        let rounds = Flow {
            done: all(repeat.times),
            falls: whole.falls_as(last),
            least_until: whole.least_until.clone(),
            struck: whole.struck.map(last),
            least: one.least,
            holds: one.holds,
            stuck: one.stuck.map(|stuck| Done::forward_only(before.before.then(stuck.before), stuck.behind)),
            ..Flow::NOTHING
        };
        Flow { least: one.least, ..rounds.then(&Flow::NOTHING.or(otherwise)) }
    }

    /// The block of a loop in which something is sought, as it is for the other elements and rounds.
    fn without_sought(&self, body: &[Statement], sought: &Flow) -> Flow {
        if sought.holds {
            Walk { is_endless: self.is_endless, ..Walk::new(self.elements, None) }.block(body)
        } else {
            sought.clone()
        }
    }

    /// A sub-saga. With a point of no return of its own it counts as a whole; it is taken back from before that, or by the
    /// compensation of its step.
    fn ran(&mut self, run: &Run) -> Flow {
        let mut inside = self.block(&run.body);
        if !inside.passed && run.output.overflow.is_some() {
            let mut given = Flow::NOTHING;
            given.fails("invalid", Falls::one(Fall::NOTHING), 0);
            inside = inside.then(&given);
        }
        if run.step.pivot {
            return Flow { passed: true, ..inside };
        }
        if !has_pivot(&run.body) {
            return inside;
        }
        let (back, holds) = self.undone(&run.step);
        let pivot = |fall: Fall| Fall {
            time: fall.time.saturating_add(fall.pivot),
            settled: fall.settled.saturating_add(fall.pivot),
            pivot: Duration::ZERO,
            ..fall
        };
        let mut struck = inside.struck.clone();
        if holds {
            struck = Falls::default();
            inside.falls.clear();
        }
        // Refused at last, it is taken back as from before; else as a whole.
        struck.join(inside.late.map(|fall| Fall {
            outer: fall.outer.max(back.time),
            most: fall.most.saturating_add(back.most),
            ..fall
        }));
        Flow {
            done: inside.done.map(|done| there_and_back(done.forward(), back)),
            passed: false,
            falls: inside.falls_as(pivot),
            least_until: inside.least_until,
            struck,
            late: Falls::default(),
            least: inside.least,
            holds: inside.holds || holds,
            // No deadline ends a point of no return, as it ends all else of a sub-saga.
            stuck: match inside.stuck {
                Some(done) if !self.seeks_pivot => Some(Done::forward_only(done.forward(), Part::NOTHING)),
                found => found,
            },
        }
    }

    /// What takes a step back; and whether what is sought is that, or stands in it.
    fn undone(&mut self, step: &Step) -> (Part, bool) {
        let is_sought = self.is_sought(step, true);
        match &step.compensation {
            Compensation::Call(undo) => (self.asked(undo, Asked::Back), is_sought),
            // It begins with its point of no return.
            Compensation::Run(run) => {
                let flow = self.block(&run.body);
                let stuck = flow.stuck.map(Done::forward);
                (stuck.or(flow.done.map(Done::forward)).unwrap_or(Part::NOTHING), is_sought || stuck.is_some())
            }
            Compensation::Unsaid | Compensation::Nothing => (Part::NOTHING, is_sought),
        }
    }

    fn is_sought(&self, step: &Step, undo: bool) -> bool {
        self.sought.is_some_and(|sought| sought.undo == undo && sought.step == step.name)
    }

    fn step(&mut self, step: &Step, outcomes: &Outcomes) -> Flow {
        let waited = step.action.as_ref().filter(|action| action.verb == Verb::Call);
        let mut forward =
            step.action.as_ref().map_or(Part::NOTHING, |action| self.asked(action, Asked::Forward(step.pivot)));
        if step.pivot && waited.is_some() {
            self.pivots.insert(step.name.clone());
            if self.is_endless && !self.is_sought(step, false) {
                forward = Part::ENDLESS;
            }
        }
        let (back, holds) = self.undone(step);
        let done = there_and_back(forward, back);
        let mut flow = Flow {
            done: Some(done),
            least: Some(step.action.as_ref().map_or(0, |_| if waited.is_some() { 2 } else { 1 })),
            holds,
            stuck: Some(done).filter(|_| self.is_sought(step, false)),
            ..Flow::NOTHING
        };
        if step.pivot {
            self.seeks_pivot |= flow.stuck.is_some();
            let past = |action: &Invocation| Part { time: pivot_pause(action), most: 2 };
            let behind = waited.map_or(forward, |action| forward.then(past(action)));
            flow.stuck = flow.stuck.map(|_| Done::forward_only(Part::NOTHING, behind));
            flow.done = Some(Done::forward_only(Part::NOTHING, forward));
            flow.passed = true;
            flow.struck.add(Fall::NOTHING);
            flow.late.add(Fall { settle: forward.time, busy: forward.time, ..Fall::of(forward) });
        } else if let Some(action) = &step.action {
            let settle = waited.map_or(Duration::ZERO, |_| action.timing.timeout).min(forward.time);
            flow.struck.add(Fall { settle, busy: forward.time, ..unknown(done) });
        }
        for code in outcomes.codes() {
            let least = match (code.as_str(), waited) {
                ("invalid", _) | (_, None) => 0,
                // None may have an answer; and `within` may end it behind the first, or before that has its turn.
                ("timeout", Some(action)) if action.timing.within.is_some() => {
                    u64::from(action.participant.limits.is_empty())
                }
                ("timeout", Some(action)) => u64::from(action.timing.retry.times).saturating_add(1),
                _ => 2,
            };
            let fall = match code.as_str() {
                "timeout" => unknown(done),
                // Refused, or never called, there is nothing to take back.
                _ if holds => continue,
                "invalid" => Fall::NOTHING,
                _ if step.pivot => Fall { pivot: forward.time, most: forward.most, ..Fall::NOTHING },
                _ => Fall::of(forward),
            };
            flow.fails(code, Falls::one(fall), least);
        }
        flow
    }

    /// Each attempt waits for its answer, and then for that to a query where those are answered; then comes a pause,
    /// which the engine lengthens by up to a fifth. A message is in the log as soon as that takes anything.
    fn asked(&mut self, invocation: &Invocation, asked: Asked) -> Part {
        if invocation.verb == Verb::Send {
            return Part { time: Duration::ZERO, most: 1 };
        }
        let participant = &invocation.participant;
        if !participant.limits.is_empty() {
            self.turns.insert(participant.name.clone());
        }
        let timing = &invocation.timing;
        let attempts = timing.retry.times.saturating_add(1);
        let queries = asked != Asked::Back && participant.answers_queries;
        let waits = if queries { attempts.saturating_mul(2) } else { attempts };
        let pauses = match (asked, &timing.within) {
            // It goes on past its `within`, at the longest pause.
            (Asked::Forward(true), Some(_)) => pivot_pause(invocation).saturating_mul(timing.retry.times),
            _ => lengthened(timing.retry.pauses()),
        };
        let all = timing.timeout.saturating_mul(waits).saturating_add(pauses);
        let limit = timing.within.as_ref().and_then(Typed::literal_duration).filter(|_| asked != Asked::Forward(true));
        Part { time: limit.map_or(all, |limit| all.min(limit)), most: u64::from(waits).saturating_mul(2) }
    }
}

/// In which direction a participant is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// True for a pivot step, which goes on past its `within`.
    Forward(bool),
    Back,
}

/// A step, and what takes it back.
const fn there_and_back(before: Part, back: Part) -> Done {
    Done { before, behind: Part::NOTHING, back: back.time, both_ways: before.then(back).most }
}

/// All attempts were made, nobody knows what came of them, and it is taken back.
fn unknown(done: Done) -> Fall {
    Fall { outer: done.back, most: done.both_ways, ..Fall::of(done.before) }
}

fn lengthened(pause: Duration) -> Duration {
    pause.saturating_add(pause / 5)
}

/// Of a pivot step past its retries or its `within`.
fn pivot_pause(invocation: &Invocation) -> Duration {
    lengthened(invocation.timing.retry.to).max(PIVOT_PAUSE_MIN)
}
