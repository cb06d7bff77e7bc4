//! What each agent has read by the time that it needs it, and who decides.

use std::collections::BTreeSet;

use compact_str::CompactString;

use super::first::First;
use super::{Event, Front, Walk};
use crate::definition::expression::{Expr, Root, Typed};
use crate::definition::limits::MAX_AWAITED;
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;

impl Walk<'_, '_> {
    /// An agent waits for the events right before its step.
    pub(super) fn reads_front(&mut self, agent: &CompactString) {
        for event in self.front.events.clone() {
            if !self.has_room() {
                return;
            }
            let Some(Event { agent: teller, names }) = self.events.get(event) else { continue };
            let (teller, names) = (teller.clone(), names.clone());
            if teller != *agent {
                self.read.insert(teller);
            }
            for name in &names {
                self.learns(agent, name);
            }
            for owed in self.owed.remove(&(event, agent.clone())).unwrap_or_default() {
                self.known_to(agent, &owed.undo.payload);
            }
        }
    }

    /// It tells that its step is done; what comes next waits for that.
    pub(super) fn tells(&mut self, agent: &CompactString, names: Vec<CompactString>) {
        for name in &names {
            self.learns(agent, name);
        }
        self.front = Front { events: vec![self.events.len()], is_joined: false };
        self.events.push(Event { agent: agent.clone(), names });
    }

    pub(super) fn learns(&mut self, agent: &CompactString, name: &CompactString) {
        let learnt = (agent.clone(), name.clone());
        if self.knows.insert(learnt.clone()) {
            self.learnt.push(learnt);
        }
    }

    /// The agents that do what has no participant of its own: those of the steps right before it.
    pub(super) fn agents_before(&mut self, at: Span, what: &str) -> BTreeSet<CompactString> {
        if self.front.is_joined {
            self.not_allowed(
                at,
                &format!("{what} behind steps that end at once"),
                "write it behind one of them, or behind the next step: the participant of the step before does it",
            );
            return BTreeSet::new();
        }
        if self.front.events.is_empty() {
            self.not_allowed(
                at,
                &format!("{what} before the first step"),
                "write it behind a step, whose participant does it",
            );
        }
        let agents = self.front.events.iter().filter_map(|event| self.events.get(*event));
        agents.map(|event| event.agent.clone()).collect()
    }

    /// Whoever acts first on either way decides which it is.
    pub(super) fn known_to_first(&mut self, first: &First, computed: &Typed) {
        let mut agents = first.agents.clone();
        if first.before {
            let before = self.front.events.iter().filter_map(|event| self.events.get(*event));
            agents.extend(before.map(|event| event.agent.clone()));
        }
        for agent in agents {
            if !self.has_room() {
                return;
            }
            let told = self.front.events.iter().filter_map(|event| self.events.get(*event));
            let told: BTreeSet<CompactString> = told.flat_map(|event| event.names.iter().cloned()).collect();
            self.known(&agent, computed, &told);
        }
    }

    pub(super) fn known_to(&mut self, agent: &CompactString, computed: &Typed) {
        self.known(agent, computed, &BTreeSet::new());
    }

    pub(super) fn known(&mut self, agent: &CompactString, computed: &Typed, told: &BTreeSet<CompactString>) {
        let mut names = BTreeSet::new();
        reads(&computed.expr, &mut names);
        for name in names {
            let Some(origin) = self.origins.get(&name).copied() else { continue };
            let is_known = self.everybody.contains(&name)
                || told.contains(&name)
                || self.knows.contains(&(agent.clone(), name.clone()));
            if is_known || !self.reported.insert(computed.span) {
                continue;
            }
            self.report(
                Diagnostic::error(codes::NOT_READ, computed.span, format!("`{agent}` has not read `{name}` by then"))
                    .also(origin, "the value comes from here")
                    .why(
                        "Without an orchestrator each participant knows the input, what its own steps gave, and what the \
                         steps right before its own gave: for those it waits.",
                    )
                    .hint(format!("let the step right before return it too, or let `{agent}` do a step right behind `{name}`")),
            );
        }
    }

    /// Counts an event that somebody waits for.
    fn has_room(&mut self) -> bool {
        if let Some(room) = self.room.checked_sub(1) {
            self.room = room;
            return true;
        }
        if self.reported.insert(self.coordination) {
            let title = format!("the agents of this saga wait for more than {MAX_AWAITED} events");
            self.report(
                Diagnostic::error(codes::TOO_LARGE, self.coordination, title)
                    .why("Each waits for the events of all steps right before its own.")
                    .hint("let one step follow where many ways end, or write `coordination orchestration`"),
            );
        }
        false
    }

    pub(super) fn decides(&mut self, agent: &CompactString, at: Span) {
        match self.decider.clone() {
            Some((other, first)) if other != *agent => {
                let title = format!("`{agent}` decides here, and `{other}` on another way");
                self.report(
                    Diagnostic::error(codes::CANNOT_LEARN, at, title)
                        .also(first, "the other point of no return")
                        .why(
                            "Whoever has something to take back waits for the word of one participant, and could not learn whose \
                             word counts.",
                        )
                        .hint("let one participant do the pivot step on each way, or write one `pivot` behind the `when`"),
                );
            }
            Some(_) => {}
            None => self.decider = Some((agent.clone(), at)),
        }
    }
}

/// The names that an expression reads.
pub(super) fn reads(expr: &Expr, names: &mut BTreeSet<CompactString>) {
    expr.walk(&mut |expr| {
        if let Expr::Read(read) = expr
            && let Root::Name(name) | Root::Previous(name) = &read.root
        {
            names.insert(name.clone());
        }
    });
}
