//! What `saga check` says of a saga that it has explored on the engine: whether every promise held, in how many states,
//! and where not, by which way.

use std::fmt::Write as _;
use std::sync::Arc;

use compact_str::CompactString;
use serde_json::{Value, json};

use super::outcomes::{place, written};
use super::sources::Checked;
use super::table::Table;
use super::ways::{self, Form};
use crate::definition::Saga;
use crate::model::explore::{Bounds, Engine, Property, Report, Tally, Untried, Violation, Way, explore};
use crate::plan::Plan;

/// So many reasons are said of why not everything was looked at.
const CUT_SHOWN: usize = 3;

/// A saga, explored.
pub(super) struct Explored {
    pub(super) saga: CompactString,
    pub(super) plan: Plan,
    pub(super) report: Report,
    guard: bool,
}

/// Explores the file's own sagas.
pub(super) fn all(file: &Checked, bounds: Bounds) -> Vec<Explored> {
    let one = |saga: &Arc<Saga>| {
        let plan = Plan::new(Arc::clone(saga));
        let report = explore(&plan, &Engine, bounds);
        Explored { saga: saga.name.clone(), plan, report, guard: bounds.guard }
    };
    file.own_sagas().map(one).collect()
}

impl Explored {
    pub(super) const fn holds(&self) -> bool {
        self.report.violations.is_empty()
    }

    /// What it says of the promises, in one line: its first word, and the others.
    pub(super) fn line(&self, file: &Checked) -> (&'static str, String) {
        let Report { states, violations, .. } = &self.report;
        let all = Property::ALL.len();
        match violations.as_slice() {
            [] if self.report.is_exhaustive() => {
                ("proved", format!("all {all} promises hold in each of its {states} states"))
            }
            [] => {
                let mut cut = self.cut(file);
                let more = cut.len().saturating_sub(CUT_SHOWN);
                cut.truncate(CUT_SHOWN);
                cut.extend((more > 0).then(|| format!("{more} more such")));
                let cut = cut.join(", and ");
                ("explored", format!("no promise is broken in {states} states; not exhaustive: {cut}"))
            }
            broken => {
                let names: Vec<&str> = Property::ALL
                    .into_iter()
                    .filter(|property| broken.iter().any(|violation| violation.property == *property))
                    .map(Property::name)
                    .collect();
                ("broken", format!("{} of {all} promises: {}", names.len(), names.join(", ")))
            }
        }
    }

    /// What was not looked at, and why.
    fn cut(&self, file: &Checked) -> Vec<String> {
        let untried = self.report.untried.iter().map(|Untried { span, holds }| {
            let (condition, place) = (written(file, *span), place(file, *span));
            format!("no data that is tried makes `{condition}`, {place}, {holds}")
        });
        self.report.cut.iter().map(ToString::to_string).chain(untried).collect()
    }

    /// The broken promises, each with a shortest way there; nothing if all hold.
    pub(super) fn broken(&self, form: Form) -> String {
        let mut text = String::new();
        for violation in &self.report.violations {
            let Violation { property, at, .. } = violation;
            let place = if at.is_empty() { String::new() } else { format!(", at {at}") };
            let _ = writeln!(text, "  BROKEN {}{place}: {}", property.name(), property.meaning());
            let _ = writeln!(text, "    `saga explain {}` says what that means and why it matters", property.name());
            text.push_str(&ways::violation(self, violation, form));
            text.push_str(if self.guard {
                "    this is a defect of saga or of its checks; please report it with the file\n"
            } else {
                "    it is what the guard of participants is for: docs/participants.md\n"
            });
        }
        text
    }

    /// For programs.
    pub(super) fn json(&self, file: &Checked) -> Value {
        let Report { states, steps, violations, .. } = &self.report;
        let broken = |violation: &Violation| {
            let Violation { property, at, trace } = violation;
            json!({ "promise": property.name(), "at": at, "trace": ways::json(&self.plan, trace) })
        };
        json!({
            "states": states,
            "steps": steps,
            "exhaustive": self.report.is_exhaustive(),
            "cut": self.cut(file),
            "broken": violations.iter().map(broken).collect::<Vec<_>>(),
        })
    }
}

/// What is special about the way.
pub(super) fn needed(way: &Way) -> Vec<&str> {
    way.trace.iter().filter(|told| !told.is_usual).map(|told| told.happens.as_str()).collect()
}

/// Of the ways to one end: steps called, and taken back.
pub(super) fn counts(tally: &Tally) -> [String; 2] {
    [tally.called, tally.undone]
        .map(|(least, most)| if least == most { least.to_string() } else { format!("{least}-{most}") })
}

/// The findings of a file, for who reads no tables.
pub(super) fn failures(explored: &[Explored]) -> impl Iterator<Item = String> {
    explored.iter().flat_map(|one| {
        one.report.violations.iter().map(move |violation| {
            format!(
                "saga {} breaks the promise {}: {}",
                one.saga,
                violation.property.name(),
                violation.property.meaning()
            )
        })
    })
}

/// For a table in a block.
pub(super) fn indented(table: &Table, by: &str) -> String {
    table.text().lines().flat_map(|line| [by, line, "\n"]).collect()
}
