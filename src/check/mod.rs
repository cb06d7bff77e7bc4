//! The rules that a finished definition keeps: one file for each family. A finding never follows from another, and
//! none hides another.
//!
//! [`check_files`] is the front door: from texts to programs and everything that is to be said about them. Names and
//! types are `definition::lower`'s rules, since they are what lowering computes; here stand structure, times and
//! topics. `outcomes` says how a saga can end, `worst` how long that takes and how many messages.

mod structure;
mod times;
mod tries;
mod runs;
mod topics;
mod outcomes;
mod worst;

pub use self::outcomes::{Cause, Defaults, Outcomes, Reason, Return, defaults, outcomes, points_of_no_return};
pub use self::times::shown;
pub use self::worst::{Messages, Worst, worst};

use std::collections::BTreeSet;

use crate::definition::lower::lower;
use crate::definition::{Program, Statement, StatementKind, Step, Try, blocks};
use crate::diagnostic::{Diagnostic, Problems, Severity, codes};
use crate::source::{FileId, Sources};
use crate::syntax;

/// What came of checking some files.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// The program of each file, in the order of the files. Where there are errors it may lack parts.
    pub programs: Vec<(FileId, Program)>,
    /// All findings of all files, by file and place.
    pub findings: Vec<Diagnostic>,
}

impl Checked {
    /// The program of a file.
    #[must_use]
    pub fn program(&self, file: FileId) -> Option<&Program> {
        self.programs.iter().find(|(id, _)| *id == file).map(|(_, program)| program)
    }

    /// Whether a definition is refused; warnings refuse nothing.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// Parses, lowers and checks each file as a program of its own.
///
/// Of a file whose tree lacks something (which was reported) nothing more is said: it would follow from that.
#[must_use]
pub fn check_files(sources: &Sources) -> Checked {
    let mut checked = Checked::default();
    let mut problems = Problems::default();
    for (id, source) in sources.iter() {
        let (tree, found) = syntax::parse(id, source);
        problems.extend(found);
        if tree.incomplete {
            checked.programs.push((id, Program::default()));
            continue;
        }
        let (program, found) = lower(&[(id, tree)]);
        problems.extend(found);
        problems.extend(check(&program));
        checked.programs.push((id, program));
    }
    checked.findings = problems.sorted();
    // What a word before `step` was meant to say is open, so nothing is missing in what the step says.
    let refused: BTreeSet<_> =
        checked.findings.iter().filter(|finding| finding.code == codes::FOREIGN_WORD).map(begin).collect();
    let follows = |finding: &Diagnostic| {
        finding.code == codes::COMPENSATION_UNSAID
            && finding.labels.iter().any(|label| refused.contains(&(label.span.file, label.span.start)))
    };
    checked.findings.retain(|finding| !follows(finding));
    checked
}

fn begin(finding: &Diagnostic) -> (FileId, u32) {
    (finding.span().file, finding.span().start)
}

/// The rules of structure, times and topics.
#[must_use]
pub fn check(program: &Program) -> Problems {
    let mut problems = Problems::default();
    topics::check(program, &mut problems);
    for saga in program.sagas.values() {
        structure::check(saga, &mut problems);
        times::check(saga, &mut problems);
    }
    problems
}

/// Calls `visit` with each statement, in the order of the text; what a sub-saga holds is checked with that saga.
fn each_statement<'s>(statements: &'s [Statement], visit: &mut dyn FnMut(&'s Statement)) {
    for statement in statements {
        visit(statement);
        if !matches!(statement.kind, StatementKind::Run(_)) {
            for block in blocks(statement) {
                each_statement(block, visit);
            }
        }
    }
}

/// Calls `visit` with each step, in the order of the text; of sub-sagas the step alone.
fn each_step<'s>(statements: &'s [Statement], visit: &mut dyn FnMut(&'s Step)) {
    each_statement(statements, &mut |statement| match &statement.kind {
        StatementKind::Step(step) => visit(step),
        StatementKind::Run(run) => visit(&run.step),
        _ => {}
    });
}

/// Calls `visit` with each `try`, in the order of the text.
fn each_try<'s>(statements: &'s [Statement], visit: &mut dyn FnMut(&'s Try)) {
    each_statement(statements, &mut |statement| {
        if let StatementKind::Try(written) = &statement.kind {
            visit(written);
        }
    });
}
