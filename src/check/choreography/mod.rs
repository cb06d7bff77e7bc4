//! Choreography: whether a saga can be projected on its participants, so that their agents carry it out without anybody
//! who sees the whole.
//!
//! One walk in the order of the text follows which events come right before a statement, and what each agent has read
//! by then: the input, which goes with every event; its own steps; and the events of the steps right before its own, for
//! which it waits anyway. What stands in sub-sagas is judged with them, and here only passed through.

mod first;
mod known;

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;

use self::first::{First, first_agent};
use self::known::reads;
use crate::definition::expression::Typed;
use crate::definition::limits::MAX_AWAITED;
use crate::definition::{Compensation, Invocation, Program, Run, Saga, Statement, StatementKind, Step, Timing, Verb};
use crate::diagnostic::{Diagnostic, Problems, codes};
use crate::source::Span;

pub(super) fn check(program: &Program, problems: &mut Problems) {
    let (mut read, mut used): (BTreeSet<CompactString>, BTreeSet<CompactString>) = Default::default();
    for saga in program.sagas.values() {
        let Some(coordination) = saga.choreography else { continue };
        let mut walk = Walk::new(program, saga, coordination, problems);
        walk.saga(saga);
        read.append(&mut walk.read);
        used.append(&mut walk.used);
    }
    for participant in used.iter().filter_map(|name| program.participants.get(name)) {
        let is_named = participant.events_topic != format!("{}.events", participant.name);
        if is_named && !read.contains(&participant.name) {
            let title = format!("nobody reads the events of `{}`", participant.name);
            problems.push(
                Diagnostic::warning(codes::EVENT_UNREAD, participant.span, title)
                    .why("An event is read by whoever does the next step; after none of its steps comes another's.")
                    .hint(format!(
                        "remove `events \"{}\"`, or let it do a step that others wait for",
                        participant.events_topic
                    )),
            );
        }
    }
}

/// What an agent tells when a step is done.
struct Event {
    agent: CompactString,
    /// The values that it carries.
    names: Vec<CompactString>,
}

/// The events right before a statement, as numbers.
#[derive(Clone, Default)]
struct Front {
    events: Vec<usize>,
    /// All of them are waited for; else one of them.
    is_joined: bool,
}

/// A compensation by somebody else than who did the step.
struct Owed<'s> {
    step: &'s Step,
    undo: &'s Invocation,
}

struct Walk<'s, 'p> {
    program: &'s Program,
    problems: &'p mut Problems,
    /// Where the saga says that it is choreographed.
    coordination: Span,
    /// Who does the first step: it begins the saga, and says when all is done.
    initiator: CompactString,
    events: Vec<Event>,
    front: Front,
    /// What each agent has read, and in which order it learnt it.
    knows: BTreeSet<(CompactString, CompactString)>,
    learnt: Vec<(CompactString, CompactString)>,
    /// What goes with every event.
    everybody: BTreeSet<CompactString>,
    /// Where each value comes from.
    origins: BTreeMap<CompactString, Span>,
    /// By the event of the step, and by who takes it back.
    owed: BTreeMap<(usize, CompactString), Vec<Owed<'s>>>,
    /// Events that may still be waited for.
    room: usize,
    /// Who decides about the end, and where that is said.
    decider: Option<(CompactString, Span)>,
    /// Sub-sagas around: what stands in them is no finding of this saga.
    inside: usize,
    reported: BTreeSet<Span>,
    /// Whose events somebody else reads.
    read: BTreeSet<CompactString>,
    /// Of whom something is asked.
    used: BTreeSet<CompactString>,
}

impl<'s, 'p> Walk<'s, 'p> {
    fn new(program: &'s Program, saga: &'s Saga, coordination: Span, problems: &'p mut Problems) -> Self {
        Self {
            program,
            problems,
            coordination,
            initiator: first_agent(&saga.body).unwrap_or_default(),
            events: Vec::new(),
            front: Front::default(),
            knows: BTreeSet::new(),
            learnt: Vec::new(),
            everybody: BTreeSet::new(),
            origins: BTreeMap::new(),
            owed: BTreeMap::new(),
            room: MAX_AWAITED,
            decider: None,
            inside: 0,
            reported: BTreeSet::new(),
            read: BTreeSet::new(),
            used: BTreeSet::new(),
        }
    }

    fn saga(&mut self, saga: &'s Saga) {
        if saga.deadline.is_some() {
            self.not_allowed(
                self.coordination,
                "a `deadline`",
                "remove it, or let the participants refuse what comes too late",
            );
        }
        if self.initiator.is_empty() {
            return self.not_allowed(
                self.coordination,
                "a saga in which no participant does a step",
                "let it call one",
            );
        }
        let end = First::of(&self.initiator);
        self.block(&saga.body, &end);
        let initiator = self.initiator.clone();
        self.reads_front(&initiator);
        if let Some(output) = &saga.output {
            self.known_to(&initiator, output);
        }
        let never = std::mem::take(&mut self.owed).into_iter().filter(|_| self.room > 0);
        let never = never.flat_map(|((_, by), owed)| owed.into_iter().map(move |owed| (by.clone(), owed)));
        for (by, Owed { step, undo }) in never.collect::<Vec<_>>() {
            let title = format!("`{by}` cannot learn what became of `{}`, nor that the saga fails", step.name);
            self.report(
                Diagnostic::error(codes::CANNOT_LEARN, undo.span, title)
                    .also(step.span, "the step that it should take back")
                    .why("It takes the step back, and does no step right behind it: so it reads nothing of it.")
                    .hint("let the participant that does the step take it back, or let this one do the next step"),
            );
        }
    }

    fn block(&mut self, statements: &'s [Statement], after: &First) {
        let mut behind = vec![after.clone()];
        for statement in statements.iter().rev() {
            let next = behind.last().cloned().unwrap_or_default();
            behind.push(self.first(statement).then(&next));
        }
        for (statement, after) in statements.iter().zip(behind.iter().rev().skip(1)) {
            self.statement(statement, after);
        }
    }

    fn statement(&mut self, statement: &'s Statement, after: &First) {
        match &statement.kind {
            StatementKind::Step(step) => self.step(step),
            StatementKind::Pivot => {
                let initiator = self.initiator.clone();
                self.reads_front(&initiator);
                self.decides(&initiator, statement.span);
                self.tells(&initiator, Vec::new());
            }
            StatementKind::Sequence(inner) => self.block(inner, after),
            StatementKind::Parallel(branches) => {
                let branches: Vec<&[Statement]> = branches.iter().map(std::slice::from_ref).collect();
                let joined = self.branches(&branches, after);
                self.front.is_joined = joined.len() > 1 || joined.iter().any(|front| front.is_joined);
            }
            StatementKind::When { arms, otherwise } => {
                let blocks: Vec<&[Statement]> =
                    arms.iter().map(|(_, block)| block.as_slice()).chain([otherwise.as_slice()]).collect();
                let deciders = blocks
                    .iter()
                    .map(|block| self.first_of(block, after))
                    .reduce(|one, other| one.and(other, |_, _| false));
                for (condition, _) in arms {
                    self.known_to_first(&deciders.clone().unwrap_or_default(), condition);
                }
                let ways = self.branches(&blocks, after);
                self.front.is_joined = ways.iter().any(|front| front.is_joined);
            }
            StatementKind::Let { name, value } => self.computed(name, value, statement.span),
            StatementKind::Run(run) => self.run(run, after),
            StatementKind::ForEach(_) => {
                self.refused(statement, "`for each`", "let one participant take the whole list");
            }
            StatementKind::Repeat(_) => self.refused(statement, "`repeat`", "let the participant repeat it"),
            StatementKind::Try(_) => self.refused(statement, "`try`", "let the participant find another way"),
            StatementKind::Await { .. } => {
                self.refused(statement, "`await`", "let a participant wait, and answer when it is decided");
            }
            StatementKind::Sleep(_) => self.refused(statement, "`sleep`", "let a participant wait, and answer later"),
            StatementKind::Fail { .. } => self.refused(statement, "`fail`", "let the participant refuse with the code"),
        }
    }

    /// Each block from here; then what was learnt in any of them is known. Returns their ends.
    fn branches(&mut self, blocks: &[&'s [Statement]], after: &First) -> Vec<Front> {
        let (before, mark) = (self.front.clone(), self.learnt.len());
        let (mut ends, mut all) = (Vec::new(), Vec::new());
        for block in blocks {
            self.front = before.clone();
            self.block(block, after);
            ends.push(std::mem::take(&mut self.front));
            for learnt in self.learnt.split_off(mark) {
                self.knows.remove(&learnt);
                all.push(learnt);
            }
        }
        for (agent, name) in all {
            self.learns(&agent, &name);
        }
        let mut seen = BTreeSet::new();
        let events = ends.iter().flat_map(|end| end.events.iter().copied()).filter(|event| seen.insert(*event));
        self.front = Front { events: events.collect(), is_joined: false };
        ends.retain(|end| end.events != before.events);
        ends
    }

    fn step(&mut self, step: &'s Step) {
        self.origins.insert(step.name.clone(), step.span);
        let Some(action) = &step.action else { return self.undo_only(step) };
        self.timing(&action.timing);
        self.used.insert(action.participant.name.clone());
        if action.verb == Verb::Send {
            for agent in self.agents_before(action.span, "a `send`") {
                self.known_to(&agent, &action.payload);
            }
            return self.compensation(step, None);
        }
        let agent = action.participant.name.clone();
        self.reads_front(&agent);
        self.known_to(&agent, &action.payload);
        if step.pivot {
            self.decides(&agent, step.span);
        }
        self.tells(&agent, vec![step.name.clone()]);
        self.compensation(step, Some(&agent));
    }

    /// Its participant takes part as if it did something, so that it knows what it may have to take back.
    fn undo_only(&mut self, step: &'s Step) {
        if let Compensation::Call(undo) = &step.compensation
            && undo.verb == Verb::Call
        {
            let agent = undo.participant.name.clone();
            self.reads_front(&agent);
            self.tells(&agent, Vec::new());
            return self.compensation(step, Some(&agent));
        }
        self.compensation(step, None);
    }

    /// What takes a step back, which an agent does, or those before it.
    fn compensation(&mut self, step: &'s Step, agent: Option<&CompactString>) {
        let undo = match &step.compensation {
            Compensation::Unsaid | Compensation::Nothing => return,
            Compensation::Run(run) => {
                return self.not_allowed(
                    run.span,
                    "`compensate run`",
                    "take it back with one command of its participant",
                );
            }
            Compensation::Call(undo) => undo,
        };
        self.timing(&undo.timing);
        self.used.insert(undo.participant.name.clone());
        let by = &undo.participant.name;
        match agent {
            Some(agent) if undo.verb == Verb::Send || agent == by => self.known_to(agent, &undo.payload),
            None if undo.verb == Verb::Send => {
                for agent in self.agents_before(undo.span, "a `send`") {
                    self.known_to(&agent, &undo.payload);
                }
            }
            Some(_) | None => {
                if let Some(event) = self.front.events.first().copied() {
                    self.owed.entry((event, by.clone())).or_default().push(Owed { step, undo });
                }
            }
        }
    }

    fn run(&mut self, run: &'s Run, after: &First) {
        let is_choreographed = self.program.sagas.get(&run.saga).is_some_and(|saga| saga.choreography.is_some());
        if !is_choreographed {
            let what = format!("`run` of `{}`, which is orchestrated", run.saga);
            return self.not_allowed(run.span, &what, "write `coordination choreography` in it too");
        }
        let first = self.first_of(&run.body, after);
        self.known_to_first(&first, &run.input);
        self.everybody.insert(run.input_name());
        let decider = self.decider.clone();
        self.inside += 1;
        self.block(&run.body, after);
        self.inside -= 1;
        if !run.step.pivot {
            self.decider = decider;
        }
        self.computed(&run.step.name, &run.output, run.step.span);
        self.compensation(&run.step, None);
    }

    /// A value that the agents before it compute; or everybody, where it follows from what everybody knows.
    fn computed(&mut self, name: &CompactString, value: &Typed, at: Span) {
        self.origins.insert(name.clone(), at);
        let mut names = BTreeSet::new();
        reads(&value.expr, &mut names);
        if names.iter().all(|name| self.everybody.contains(name)) {
            self.everybody.insert(name.clone());
            return;
        }
        for agent in self.agents_before(at, "a `let`") {
            self.known_to(&agent, value);
            self.learns(&agent, name);
        }
        for event in self.front.events.clone() {
            if let Some(event) = self.events.get_mut(event) {
                event.names.push(name.clone());
            }
        }
    }

    /// Times of all attempts together.
    fn timing(&mut self, timing: &Timing) {
        if let Some(within) = &timing.within {
            self.not_allowed(within.span, "`within`", "remove it: `timeout` and `retry` are kept by the participant");
        }
    }

    fn refused(&mut self, statement: &Statement, what: &str, hint: &str) {
        self.not_allowed(statement.span, what, hint);
    }

    fn not_allowed(&mut self, at: Span, what: &str, hint: &str) {
        if !self.reported.insert(at) {
            return;
        }
        let finding = Diagnostic::error(codes::NOT_CHOREOGRAPHED, at, format!("{what} has no place in a choreography"));
        let finding = if at == self.coordination { finding } else { finding.also(self.coordination, "said here") };
        self.report(
            finding
                .why("Nobody sees the whole: there is no one who owns the clock, counts, or decides but the participants of the steps.")
                .hint(format!("{hint}; or write `coordination orchestration`")),
        );
    }

    fn report(&mut self, finding: Diagnostic) {
        if self.inside == 0 {
            self.problems.push(finding);
        }
    }
}
