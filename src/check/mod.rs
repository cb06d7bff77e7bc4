//! The rules that a finished definition keeps: one file for each family. A finding never follows from another, and
//! none hides another.
//!
//! [`check_file`] is the front door: from a text, and the files that it uses, to the program and everything that is to
//! be said about it. Names and
//! types are `definition::lower`'s rules, since they are what lowering computes; here stand structure, times, topics and
//! personal data. `outcomes` says how a saga can end, `worst` how long that takes and how many messages.

mod files;
mod structure;
mod times;
mod lists;
mod tries;
mod runs;
mod personal;
mod topics;
mod words;
mod choreography;
mod outcomes;
mod worst;

pub use self::files::{Alone, Library, NotFound, Place, as_one_text};
pub use self::outcomes::{Cause, Defaults, Outcomes, Reason, Return, defaults, outcomes, points_of_no_return};
pub use self::times::shown;
pub use self::topics::on_own_topics;
pub use self::worst::{Bound, Completed, Worst, until_stuck, worst};

use std::collections::BTreeSet;

use crate::definition::lower::{Trees, lower};
use crate::definition::{Program, Statement, StatementKind, Step, Try, blocks};
use crate::diagnostic::{Diagnostic, Problems, Severity, codes};
use crate::source::{FileId, SourceFile, Sources};

/// What came of checking a file with those that it uses.
#[derive(Debug, Default)]
pub struct Checked {
    /// The files as they were read, the named one first.
    pub sources: Sources,
    /// Their trees.
    pub trees: Trees,
    /// What they mean. Where there are errors it may lack parts.
    pub program: Program,
    /// All findings of all of them, by file and place.
    pub findings: Vec<Diagnostic>,
}

impl Checked {
    /// Whether a definition is refused; warnings refuse nothing.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// Parses, lowers and checks a file with all that it uses as one program.
///
/// Of a file whose tree lacks something (which was reported) nothing more is said: it would follow from that.
#[must_use]
pub fn check_file(file: SourceFile, library: &dyn Library) -> Checked {
    let files::Files { sources, trees, mut problems } = files::load(file, library);
    let is_incomplete = trees.files.first().is_none_or(|(_, tree)| tree.incomplete);
    let program = if is_incomplete {
        Program::default()
    } else {
        let (program, found) = lower(&trees);
        problems.extend(found);
        problems.extend(check(&program));
        program
    };
    let mut findings = problems.sorted();
    // What a word before `step` was meant to say is open, so nothing is missing in what the step says.
    let refused: BTreeSet<_> =
        findings.iter().filter(|finding| finding.code == codes::FOREIGN_WORD).map(begin).collect();
    let follows = |finding: &Diagnostic| {
        finding.code == codes::COMPENSATION_UNSAID
            && finding.labels.iter().any(|label| refused.contains(&(label.span.file, label.span.start)))
    };
    findings.retain(|finding| !follows(finding));
    Checked { sources, trees, program, findings }
}

/// The same for a text that has no files around it.
#[must_use]
pub fn check_text(name: &str, text: &str) -> Checked {
    check_file(SourceFile::new(name, text), &Alone)
}

fn begin(finding: &Diagnostic) -> (FileId, u32) {
    (finding.span().file, finding.span().start)
}

/// The rules of structure, times, topics and personal data.
#[must_use]
pub fn check(program: &Program) -> Problems {
    let mut problems = Problems::default();
    topics::check(program, &mut problems);
    words::check(program, &mut problems);
    choreography::check(program, &mut problems);
    for saga in program.sagas.values() {
        structure::check(saga, &mut problems);
        lists::check(saga, &mut problems);
        times::check(saga, &mut problems);
    }
    personal::check(program, &mut problems);
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
