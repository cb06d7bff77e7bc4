//! Steps that the text alone says nothing ever comes to, by what the checker knows.

use std::collections::BTreeSet;

use compact_str::CompactString;

use crate::definition::lower::ends_in_fail;
use crate::definition::{Compensation, Saga, Statement, StatementKind, Step, blocks};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;

/// Behind a `fail`, in a loop over a list that is written empty, or where a signal does not come in time and by its findings
/// (`SG0503`) the saga has failed before. Names are without indices.
pub(super) fn unreached(saga: &Saga, findings: &[Diagnostic]) -> BTreeSet<CompactString> {
    let is_too_long = |finding: &&Diagnostic| finding.code == codes::DEADLINE_TOO_SHORT;
    let mut walk =
        Walk { too_long: findings.iter().filter(is_too_long).map(Diagnostic::span).collect(), found: BTreeSet::new() };
    walk.block(&saga.body, true);
    walk.found
}

struct Walk {
    /// Waits that something ends before they are over.
    too_long: Vec<Span>,
    found: BTreeSet<CompactString>,
}

impl Walk {
    fn block(&mut self, statements: &[Statement], mut is_reached: bool) {
        for statement in statements {
            self.statement(statement, is_reached);
            is_reached &= !ends_in_fail(std::slice::from_ref(statement));
        }
    }

    fn statement(&mut self, statement: &Statement, is_reached: bool) {
        match &statement.kind {
            StatementKind::Step(step) => self.step(step, is_reached),
            StatementKind::Run(run) => {
                self.step(&run.step, is_reached);
                // The deadline of a saga that is run does not count, and its findings are by that.
                let own = std::mem::take(&mut self.too_long);
                self.block(&run.body, is_reached);
                self.too_long = own;
            }
            StatementKind::Parallel(branches) => {
                for branch in branches {
                    self.statement(branch, is_reached);
                }
            }
            StatementKind::ForEach(each) => {
                self.block(&each.body, is_reached && each.length.is_none_or(|length| length.most > 0));
            }
            StatementKind::Await { wait, otherwise } => {
                self.block(otherwise, is_reached && !self.too_long.contains(&wait.within.span));
            }
            _ => {
                for block in blocks(statement) {
                    self.block(block, is_reached);
                }
            }
        }
    }

    fn step(&mut self, step: &Step, is_reached: bool) {
        if !is_reached {
            self.found.insert(step.name.clone());
        }
        if let Compensation::Run(run) = &step.compensation {
            self.block(&run.body, is_reached);
        }
    }
}
