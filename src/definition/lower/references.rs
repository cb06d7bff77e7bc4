//! What scenarios name: the steps and signals of a saga, and in loops the element or round that is meant.

use std::sync::Arc;

use compact_str::CompactString;
use indexmap::{IndexMap, IndexSet};

use super::{Lowering, listed};
use crate::definition::json::int_literal;
use crate::definition::limits::MAX_ELEMENTS;
use crate::definition::{Compensation, ENGINE_CODES, Saga, Signal, Statement, StatementKind, Step};
use crate::diagnostic::{Diagnostic, codes};
use crate::syntax::tree;

/// The steps of one saga, and the codes that it can fail with.
pub(super) struct Known {
    pub(super) steps: IndexMap<CompactString, Arc<Step>>,
    /// The loops around each.
    loops: IndexMap<CompactString, Vec<Around>>,
    /// Those of them that run a saga.
    pub(super) runs: IndexSet<CompactString>,
    pub(super) signals: IndexMap<CompactString, Arc<Signal>>,
    pub(super) codes: IndexSet<CompactString>,
    /// Something of the saga was skipped: what is not known may be there.
    pub(super) is_partial: bool,
}

/// A loop around a step.
#[derive(Clone, Copy)]
struct Around {
    /// At which name of the path its index stands: at that of the saga whose text has the loop.
    part: usize,
    /// How far its indices may go.
    most: u16,
}

/// How many indices a reference has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Indices {
    /// One for each loop; or none at all, for any element.
    AllOrNone,
    /// One for each loop.
    All,
}

impl Known {
    pub(super) fn of(saga: &Saga, is_partial: bool) -> Self {
        let mut known = Self {
            steps: IndexMap::new(),
            loops: IndexMap::new(),
            runs: IndexSet::new(),
            signals: saga.signals.clone(),
            codes: IndexSet::new(),
            is_partial,
        };
        let possible = ENGINE_CODES.into_iter().filter(|code| *code != "deadline" || saga.deadline.is_some());
        known.codes.extend(possible.map(CompactString::const_new));
        known.gather(&saga.body, 0, &mut Vec::new());
        known
    }

    /// What takes a step back stands below it, behind the word `undo`. It cannot fail.
    fn gather_back(&mut self, step: &Step, part: usize, around: &mut Vec<Around>) {
        let Compensation::Run(run) = &step.compensation else { return };
        let codes = self.codes.clone();
        self.runs.insert(run.step.name.clone());
        self.step(&run.step, around);
        self.gather(&run.body, part + 2, around);
        self.codes = codes;
    }

    fn step(&mut self, step: &Arc<Step>, around: &[Around]) {
        self.steps.entry(step.name.clone()).or_insert_with(|| Arc::clone(step));
        if !around.is_empty() {
            self.loops.insert(step.name.clone(), around.to_vec());
        }
    }

    fn gather(&mut self, statements: &[Statement], part: usize, around: &mut Vec<Around>) {
        for statement in statements {
            match &statement.kind {
                StatementKind::Step(step) => {
                    let fails = step.action.iter().flat_map(|action| action.command.fails.iter().cloned());
                    self.codes.extend(fails);
                    self.step(step, around);
                    self.gather_back(step, part, around);
                }
                StatementKind::Fail { code, .. } => drop(self.codes.insert(code.clone())),
                StatementKind::Parallel(inner) | StatementKind::Sequence(inner) => self.gather(inner, part, around),
                StatementKind::When { arms, otherwise } => {
                    for (_, block) in arms {
                        self.gather(block, part, around);
                    }
                    self.gather(otherwise, part, around);
                }
                StatementKind::Await { otherwise, .. } => self.gather(otherwise, part, around),
                StatementKind::Run(run) => {
                    self.runs.insert(run.step.name.clone());
                    self.step(&run.step, around);
                    self.gather(&run.body, part + 1, around);
                    self.gather_back(&run.step, part, around);
                }
                StatementKind::Try(written) => {
                    self.gather(&written.body, part, around);
                    // Where nobody catches it.
                    self.codes.extend(written.within.iter().map(|_| CompactString::const_new("deadline")));
                    written.catches.iter().for_each(|catch| self.gather(&catch.block, part, around));
                }
                StatementKind::ForEach(each) => {
                    around.push(Around { part, most: MAX_ELEMENTS });
                    self.gather(&each.body, part, around);
                    around.pop();
                }
                StatementKind::Repeat(repeat) => {
                    around.push(Around { part, most: repeat.times });
                    self.gather(&repeat.body, part, around);
                    around.pop();
                    self.gather(&repeat.otherwise, part, around);
                }
                StatementKind::Pivot | StatementKind::Sleep(_) | StatementKind::Let { .. } => {}
            }
        }
    }
}

impl Lowering<'_> {
    /// Whether there is what a reference means, by its indices. They stand at the names whose blocks are repeated.
    pub(super) fn indices_fit(&mut self, written: &tree::Reference, known: &Known, wanted: Indices) -> bool {
        let name = name(written);
        // A signal stands in the loops of the step that runs its saga.
        let of = if wanted == Indices::All { name.rsplit_once('.').map_or("", |(run, _)| run) } else { &name };
        let loops = known.loops.get(of).map(Vec::as_slice).unwrap_or_default();
        let given: usize = written.parts.iter().map(|(_, indices)| indices.len()).sum();
        if given == 0 && (wanted == Indices::AllOrNone || loops.is_empty()) {
            return true;
        }
        for (part, (part_name, indices)) in written.parts.iter().enumerate() {
            let around: Vec<Around> = loops.iter().filter(|around| around.part == part).copied().collect();
            if around.len() != indices.len() {
                let title = match around.len() {
                    0 => format!("`{}` stands in no loop, so it has no index here", part_name.text),
                    1 => format!("`{}` stands in one loop, so it has one index here", part_name.text),
                    count => format!("`{}` stands in {count} loops, so it has {count} indices here", part_name.text),
                };
                let finding = Diagnostic::error(codes::UNKNOWN_STEP, written.span, title);
                let first = indexed(written, loops);
                self.report(match wanted {
                    Indices::All => finding.hint(format!("in the first element it is `{first}`")),
                    Indices::AllOrNone => {
                        finding.hint(format!("in the first element or round it is `{first}`, in any `{name}`"))
                    }
                });
                return false;
            }
            for (index, Around { most, .. }) in indices.iter().zip(around) {
                match int_literal(&index.text).and_then(|number| u16::try_from(number).ok()) {
                    Some(0) => {
                        self.senseless(index.span, "elements and rounds are counted from 1", "write at least 1");
                        return false;
                    }
                    Some(number) if number <= most => {}
                    Some(_) | None => {
                        self.out_of_range(index, "an element or round", &most.to_string());
                        return false;
                    }
                }
            }
        }
        true
    }

    pub(super) fn unknown_step(&mut self, written: &tree::Reference, known: &Known) {
        let name = name(written);
        let title = format!("the saga has no step `{name}`");
        let finding = Diagnostic::error(codes::UNKNOWN_STEP, written.span, title);
        let names: Vec<&str> = known.steps.keys().map(CompactString::as_str).collect();
        self.report(match super::near(&name, names.iter().copied()) {
            Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
            None => finding.hint(format!("its steps are {}", listed(names))),
        });
    }
}

/// The names alone, without indices.
pub(super) fn name(written: &tree::Reference) -> String {
    let names: Vec<&str> = written.parts.iter().map(|(name, _)| name.text.as_str()).collect();
    names.join(".")
}

/// A place as commands have it.
pub(super) fn place(written: &tree::Reference) -> String {
    let mut place = String::new();
    for (name, indices) in &written.parts {
        if !place.is_empty() {
            place.push('.');
        }
        place.push_str(&name.text);
        for index in indices {
            // As numbers are written elsewhere: `007` and `1_0` are 7 and 10.
            let number = int_literal(&index.text).map_or_else(|| index.text.to_string(), |number| number.to_string());
            place.extend(["[", &number, "]"]);
        }
    }
    place
}

/// The first element of all loops.
fn indexed(written: &tree::Reference, loops: &[Around]) -> String {
    let parts = written.parts.iter().enumerate().map(|(part, (name, _))| {
        let count = loops.iter().filter(|around| around.part == part).count();
        format!("{}{}", name.text, "[1]".repeat(count))
    });
    parts.collect::<Vec<_>>().join(".")
}
