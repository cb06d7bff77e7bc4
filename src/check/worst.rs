//! How long a saga can take, and how many messages: the sum over its statements if every attempt stays without an
//! answer but the last.
//!
//! Where an end is only reached by a person, the time is that until somebody is needed. Waits that depend on data
//! have no bound here and are named. Nor has a participant's `pending`: it lasts until the step's `within`.

use std::time::Duration;

use super::times::{literal, pauses};
use crate::definition::expression::Typed;
use crate::definition::limits::MAX_ELEMENTS;
use crate::definition::{
    Await, Compensation, ForEach, Invocation, Repeat, Run, Saga, Sleep, Statement, StatementKind, Step, Try, Verb,
    has_pivot,
};
use crate::source::Span;

/// The bounds of a saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worst {
    /// Until it is completed.
    pub completed: Duration,
    /// Until all is taken back.
    pub compensated: Duration,
    /// Commands, their replies and messages on the way to completed; none where it never is.
    pub to_completed: Option<Messages>,
    /// Commands, their replies and messages on the way to compensated, at most.
    pub to_compensated: u64,
    /// Waits whose length depends on data: they come on top.
    pub waits: Vec<Span>,
    /// Lists that are gone through: each counts with as many elements as it may have.
    pub lists: Vec<Span>,
}

/// How many messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Messages {
    /// Where each command is answered at once.
    pub least: u64,
    /// Where each attempt but the last is lost.
    pub most: u64,
}

/// The bounds of a saga, from what is written in it.
#[must_use]
pub fn worst(saga: &Saga) -> Worst {
    let mut named = Named::default();
    let ways = block(&saga.body, &mut named);
    let deadline = saga.deadline.unwrap_or(Duration::MAX);
    // What is in flight when the deadline strikes has its timeout yet.
    let struck = deadline.saturating_add(ways.attempt);
    let sum = |times: [Duration; 3]| times.into_iter().fold(Duration::ZERO, Duration::saturating_add);
    let count = |parts: [&Part; 3]| parts.into_iter().fold(0, |most: u64, part| most.saturating_add(part.most));
    Worst {
        completed: sum([ways.before.time.min(deadline), ways.pivot.time, ways.behind.time]),
        compensated: sum([ways.before.time.min(struck), ways.pivot.time, ways.back.time]),
        to_completed: ways
            .least
            .map(|least| Messages { least, most: count([&ways.before, &ways.pivot, &ways.behind]) }),
        to_compensated: count([&ways.before, &ways.pivot, &ways.back]),
        waits: named.waits,
        lists: named.lists,
    }
}

/// What is named beside the bounds.
#[derive(Default)]
struct Named {
    waits: Vec<Span>,
    lists: Vec<Span>,
}

/// What a part of the flow costs at most.
#[derive(Clone, Copy, Debug)]
struct Part {
    time: Duration,
    most: u64,
}

impl Part {
    const NOTHING: Self = Self { time: Duration::ZERO, most: 0 };

    fn then(self, next: Self) -> Self {
        Self { time: self.time.saturating_add(next.time), most: self.most.saturating_add(next.most) }
    }

    fn beside(self, other: Self) -> Self {
        Self { time: self.time.max(other.time), most: self.most.saturating_add(other.most) }
    }

    fn times(self, count: u16, one_after_the_other: u16) -> Self {
        Self {
            time: self.time.saturating_mul(u32::from(one_after_the_other)),
            most: self.most.saturating_mul(u64::from(count)),
        }
    }

    fn or(self, other: Self) -> Self {
        Self { time: self.time.max(other.time), most: self.most.max(other.most) }
    }
}

/// The parts of a block: before the point of no return, at it and behind it, and what takes the first back.
#[derive(Clone, Copy, Debug)]
struct Ways {
    before: Part,
    pivot: Part,
    behind: Part,
    back: Part,
    passed: bool,
    /// The messages if each command is answered at once; none where the flow never comes to its end.
    least: Option<u64>,
    /// The longest attempt of a step that is given up when the saga fails.
    attempt: Duration,
}

impl Ways {
    const NOTHING: Self = Self {
        before: Part::NOTHING,
        pivot: Part::NOTHING,
        behind: Part::NOTHING,
        back: Part::NOTHING,
        passed: false,
        least: Some(0),
        attempt: Duration::ZERO,
    };

    /// Both of them: one behind the other, or at once.
    fn and(self, other: Self, how: fn(Part, Part) -> Part) -> Self {
        let least = self.least.zip(other.least).map(|(one, other)| one.saturating_add(other));
        Self { least, ..self.join(other, how) }
    }

    /// One of them.
    fn or(self, other: Self) -> Self {
        let least = match (self.least, other.least) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Self { least, ..self.join(other, Part::or) }
    }

    fn join(self, other: Self, how: fn(Part, Part) -> Part) -> Self {
        Self {
            least: None,
            before: how(self.before, other.before),
            pivot: how(self.pivot, other.pivot),
            behind: how(self.behind, other.behind),
            back: how(self.back, other.back),
            passed: self.passed || other.passed,
            attempt: self.attempt.max(other.attempt),
        }
    }

    /// What comes behind it; behind the point of no return all of it counts there.
    fn then(self, next: Self) -> Self {
        let next = if self.passed {
            Self { before: Part::NOTHING, behind: next.before, back: Part::NOTHING, ..next }
        } else {
            next
        };
        self.and(next, Part::then)
    }
}

fn block(statements: &[Statement], named: &mut Named) -> Ways {
    statements.iter().fold(Ways::NOTHING, |ways, next| ways.then(statement(next, named)))
}

fn statement(statement: &Statement, named: &mut Named) -> Ways {
    match &statement.kind {
        StatementKind::Step(step) => work(step, named),
        StatementKind::Pivot => Ways { passed: true, ..Ways::NOTHING },
        StatementKind::Parallel(branches) => branches
            .iter()
            .map(|branch| self::statement(branch, named))
            .fold(Ways::NOTHING, |ways, branch| ways.and(branch, Part::beside)),
        StatementKind::Sequence(inner) => block(inner, named),
        StatementKind::When { arms, otherwise } => arms
            .iter()
            .map(|(_, arm)| arm)
            .chain([otherwise])
            .map(|arm| block(arm, named))
            .reduce(Ways::or)
            .unwrap_or(Ways::NOTHING),
        StatementKind::Sleep(sleep) => {
            let time = match sleep {
                Sleep::For(duration) => Some(duration),
                Sleep::Until(_) => None,
            };
            pause(time, statement.span, named)
        }
        StatementKind::Await { wait, otherwise } => awaited(wait, otherwise, statement.span, named),
        StatementKind::Try(written) => tried(written, named),
        StatementKind::Run(run) => ran(run, named),
        StatementKind::ForEach(each) => for_each(each, named),
        StatementKind::Repeat(repeat) => repeated(repeat, named),
        StatementKind::Let { .. } => Ways::NOTHING,
        StatementKind::Fail { .. } => Ways { least: None, ..Ways::NOTHING },
    }
}

/// A wait that time ends.
fn pause(time: Option<&Typed>, span: Span, named: &mut Named) -> Ways {
    let time = time.and_then(literal);
    if time.is_none() {
        named.waits.push(span);
    }
    Ways { before: Part { time: time.unwrap_or_default(), ..Part::NOTHING }, ..Ways::NOTHING }
}

/// The signal comes at the last moment, or does not come.
fn awaited(wait: &Await, otherwise: &[Statement], span: Span, named: &mut Named) -> Ways {
    let missed = block(otherwise, named);
    pause(Some(&wait.within), span, named).then(Ways::NOTHING.or(missed))
}

/// The body fails at its very end, is taken back, and the costliest handler follows. Where the saga fails behind it, what
/// is taken back then is that handler, or the body which had not failed.
fn tried(written: &Try, named: &mut Named) -> Ways {
    let mut body = block(&written.body, named);
    if let Some(within) = written.within.as_ref().and_then(literal) {
        // What is in flight when the time is over has its timeout yet.
        body.before.time = body.before.time.min(within.saturating_add(body.attempt));
    }
    let handlers = written.catches.iter().map(|catch| block(&catch.block, named));
    let Some(handlers) = handlers.reduce(Ways::or) else { return body };
    Ways { before: body.before.then(body.back).then(handlers.before), ..body.or(handlers) }
}

/// A list that is as long as it may be; and where it is empty, nothing.
fn for_each(each: &ForEach, named: &mut Named) -> Ways {
    named.lists.push(each.list.span);
    let one = block(&each.body, named);
    let rows = MAX_ELEMENTS.div_ceil(each.window);
    // Those of a window are taken back all at once.
    let back = if each.window > 1 { 1 } else { MAX_ELEMENTS };
    Ways {
        before: one.before.times(MAX_ELEMENTS, rows),
        back: one.back.times(MAX_ELEMENTS, back),
        least: Some(0),
        attempt: one.attempt,
        ..Ways::NOTHING
    }
}

/// All rounds, and what follows where the condition never held; at least one.
fn repeated(repeat: &Repeat, named: &mut Named) -> Ways {
    let round = block(&repeat.body, named);
    let all = Ways {
        before: round.before.times(repeat.times, repeat.times),
        back: round.back.times(repeat.times, repeat.times),
        ..round
    };
    Ways { least: round.least, ..all.then(Ways::NOTHING.or(block(&repeat.otherwise, named))) }
}

/// A sub-saga. With a point of no return of its own it counts as a whole; it is taken back from before that, or by the
/// compensation of its step.
fn ran(run: &Run, named: &mut Named) -> Ways {
    let inside = block(&run.body, named);
    if run.step.pivot {
        return Ways { passed: true, ..inside };
    }
    if !has_pivot(&run.body) {
        return inside;
    }
    let whole = inside.before.then(inside.pivot).then(inside.behind);
    let back = inside.back.or(undone(&run.step, named));
    Ways { before: whole, back, least: inside.least, attempt: inside.attempt, ..Ways::NOTHING }
}

/// What takes a step back.
fn undone(step: &Step, named: &mut Named) -> Part {
    match &step.compensation {
        Compensation::Call(undo) => asked(undo, Asked::Back),
        // It begins with its point of no return.
        Compensation::Run(run) => block(&run.body, named).behind,
        Compensation::Unsaid | Compensation::Nothing => Part::NOTHING,
    }
}

fn work(step: &Step, named: &mut Named) -> Ways {
    let called = |invocation: &Invocation| invocation.verb == Verb::Call;
    let waited = step.action.as_ref().filter(|action| called(action));
    let attempt = waited.map(|action| action.timing.timeout).unwrap_or_default();
    let forward = step.action.as_ref().map_or(Part::NOTHING, |action| asked(action, Asked::Forward(step.pivot)));
    let back = undone(step, named);
    let least = step.action.as_ref().map(|action| if called(action) { 2 } else { 1 }).or(Some(0));
    if step.pivot {
        return Ways { pivot: forward, passed: true, least, ..Ways::NOTHING };
    }
    Ways { before: forward, back, attempt, least, ..Ways::NOTHING }
}

/// In which direction a participant is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// True for a pivot step, which goes on past its `within`.
    Forward(bool),
    Back,
}

/// Each attempt waits for its answer, and then for that to a query where those are answered; then comes a pause,
/// which the engine lengthens by up to a fifth. A message is in the log as soon as that takes anything.
fn asked(invocation: &Invocation, asked: Asked) -> Part {
    if invocation.verb == Verb::Send {
        return Part { most: 1, ..Part::NOTHING };
    }
    let timing = &invocation.timing;
    let attempts = timing.retry.times.saturating_add(1);
    let queries = asked != Asked::Back && invocation.participant.answers_queries;
    let waits = if queries { attempts.saturating_mul(2) } else { attempts };
    let pauses = pauses(timing.retry.times, timing.retry.from, timing.retry.to);
    let all = timing.timeout.saturating_mul(waits).saturating_add(pauses).saturating_add(pauses / 5);
    let limit = timing.within.as_ref().and_then(literal).filter(|_| asked != Asked::Forward(true));
    Part { time: limit.map_or(all, |limit| all.min(limit)), most: u64::from(waits).saturating_mul(2) }
}
