//! Who acts first in a block: whoever does its first steps, and so decides whether the flow takes it.

use std::collections::BTreeSet;

use compact_str::CompactString;

use super::Walk;
use crate::definition::{Compensation, Statement, StatementKind, Step, Verb, blocks};

/// Who acts first in a block.
#[derive(Clone, Default)]
pub(super) struct First {
    pub(super) agents: BTreeSet<CompactString>,
    /// The agents of the steps before it, too.
    pub(super) before: bool,
    /// Nobody in the block has to: those behind it go on.
    pub(super) through: bool,
}

impl First {
    pub(super) fn of(agent: &CompactString) -> Self {
        Self { agents: [agent.clone()].into(), ..Self::default() }
    }

    /// One block, then another.
    pub(super) fn then(mut self, next: &Self) -> Self {
        if self.through {
            self.agents.extend(next.agents.iter().cloned());
            self.before |= next.before;
            self.through = next.through;
        }
        self
    }

    /// Either, or both at once.
    pub(super) fn and(mut self, other: Self, through: fn(bool, bool) -> bool) -> Self {
        self.agents.extend(other.agents);
        self.before |= other.before;
        self.through = through(self.through, other.through);
        self
    }
}

impl Walk<'_, '_> {
    /// Who acts first.
    pub(super) fn first(&self, statement: &Statement) -> First {
        let before = First { before: true, through: true, ..First::default() };
        match &statement.kind {
            StatementKind::Step(step) => step_agent(step).map_or(before, First::of),
            StatementKind::Pivot => First::of(&self.initiator),
            StatementKind::Let { .. } => before,
            StatementKind::Sequence(inner) => self.first_of(inner, &First { through: true, ..First::default() }),
            StatementKind::Run(run) => self.first_of(&run.body, &First { through: true, ..First::default() }),
            StatementKind::Parallel(branches) => {
                let nobody = First { through: true, ..First::default() };
                branches.iter().fold(nobody, |all, branch| all.and(self.first(branch), |one, other| one && other))
            }
            StatementKind::When { arms, otherwise } => {
                let through = First { through: true, ..First::default() };
                let ways = arms.iter().map(|(_, block)| block).chain([otherwise]);
                let ways = ways.map(|block| self.first_of(block, &through));
                ways.reduce(|one, other| one.and(other, |one, other| one || other)).unwrap_or(through)
            }
            _ => First::default(),
        }
    }

    pub(super) fn first_of(&self, block: &[Statement], after: &First) -> First {
        block.iter().rev().fold(after.clone(), |next, statement| self.first(statement).then(&next))
    }
}

/// The participant that does a step; none where those before it do it.
fn step_agent(step: &Step) -> Option<&CompactString> {
    let undo = || if let Compensation::Call(undo) = &step.compensation { Some(undo.as_ref()) } else { None };
    let asked = step.action.as_ref().or_else(undo)?;
    (asked.verb == Verb::Call).then_some(&asked.participant.name)
}

/// The participant of the first step that has one.
pub(super) fn first_agent(statements: &[Statement]) -> Option<CompactString> {
    statements.iter().find_map(|statement| match &statement.kind {
        StatementKind::Step(step) => step_agent(step).cloned(),
        _ => blocks(statement).into_iter().find_map(first_agent),
    })
}
