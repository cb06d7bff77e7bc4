//! What `saga check` says of a saga that it has explored on the engine: whether every promise held, in how many states,
//! and where not, by which way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use compact_str::CompactString;
use serde_json::{Value, json};

use super::outcomes::{self, place, written};
use super::sources::Checked;
use super::table::Table;
use super::ways::{self, Form};
use crate::definition::Saga;
use crate::diagnostic::{Code, Diagnostic};
use crate::model::explore::{Bounds, Engine, Property, Report, Tally, Untaken, Untried, Violation, Way, explore};
use crate::plan::Plan;

/// So many reasons are said of why not everything was looked at.
const CUT_SHOWN: usize = 3;

/// A saga, explored.
pub(super) struct Explored {
    pub(super) saga: CompactString,
    pub(super) plan: Plan,
    pub(super) report: Report,
}

/// Explores the file's own sagas.
pub(super) fn all(file: &Checked, bounds: Bounds) -> Vec<Explored> {
    let one = |saga: &Arc<Saga>| {
        let plan = Plan::new(Arc::clone(saga));
        let report = explore(&plan, &Engine, bounds);
        Explored { saga: saga.name.clone(), plan, report }
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
            [] => ("explored", format!("no promise is broken in {states} states; {}", self.not_exhaustive(file))),
            broken => {
                let names: Vec<&str> = Property::ALL
                    .into_iter()
                    .filter(|property| broken.iter().any(|violation| violation.property == *property))
                    .map(Property::name)
                    .collect();
                let broken = format!("{} of {all} promises: {}", names.len(), names.join(", "));
                if self.report.is_exhaustive() {
                    ("broken", format!("{broken}; all of its {states} states were looked at"))
                } else {
                    ("broken", format!("{broken}; {states} states were looked at; {}", self.not_exhaustive(file)))
                }
            }
        }
    }

    fn not_exhaustive(&self, file: &Checked) -> String {
        let mut cut = self.cut(file);
        let more = cut.len().saturating_sub(CUT_SHOWN);
        cut.truncate(CUT_SHOWN);
        cut.extend((more > 0).then(|| format!("{more} more such")));
        format!("not exhaustive: {}", cut.join(", and "))
    }

    /// How long the lists were; nothing where there are none.
    pub(super) fn lists(&self) -> Option<String> {
        let mut alike: BTreeMap<&BTreeSet<usize>, Vec<String>> = BTreeMap::new();
        for (list, sizes) in &self.report.lists {
            alike.entry(sizes).or_default().push(format!("`{list}`"));
        }
        let counted = |(sizes, lists): (&BTreeSet<usize>, Vec<String>)| {
            let mut sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
            let last = sizes.pop().unwrap_or_default();
            let sizes = if sizes.is_empty() { last } else { format!("{} and {last}", sizes.join(", ")) };
            format!("{sizes} elements of {}", lists.join(", "))
        };
        let counted: Vec<String> = alike.into_iter().map(counted).collect();
        (!counted.is_empty()).then(|| format!("{} are explored", counted.join("; ")))
    }

    /// What was not looked at, and why.
    fn cut(&self, file: &Checked) -> Vec<String> {
        let untried = self.report.untried.iter().map(|Untried { run, span, way }| {
            let (expression, place) = (written(file, *span), place(file, *span));
            let run = run.as_ref().map(|run| format!("{run}: ")).unwrap_or_default();
            let what = match way {
                Untaken::Whole(holds) => format!("`{expression}`, {place}, {holds}"),
                Untaken::Part(holds) => format!("a part of `{expression}`, {place}, {holds}"),
                Untaken::Beside(holds, other, is_met) => {
                    let (other, there) = (written(file, *other), self::place(file, *other));
                    format!("`{expression}`, {place}, {holds} where `{other}`, {there}, is {is_met}")
                }
                Untaken::Overflow => format!("`{expression}`, {place}, too large to be computed"),
                Untaken::Elements(true) => format!("`{expression}`, {place}, a list with elements"),
                Untaken::Elements(false) => format!("`{expression}`, {place}, a list without elements"),
            };
            format!("{run}no data that is tried makes {what}")
        });
        self.report.cut.iter().map(ToString::to_string).chain(untried).collect()
    }

    /// The broken promises, each with a shortest way there; nothing if all hold.
    pub(super) fn broken(&self, file: &Checked, form: Form) -> String {
        let is_alike =
            |one: &Violation, next: &Violation| (one.property, one.is_outside()) == (next.property, next.is_outside());
        let mut text = String::new();
        for alike in self.report.violations.chunk_by(is_alike) {
            for violation in alike {
                let Violation { property, span, .. } = violation;
                let (name, at, line) = (property.name(), place_of(violation), place(file, *span));
                let _ = writeln!(text, "  BROKEN {name}{at} ({line}): {}", property.meaning());
                text.push_str(&ways::violation(self, violation, form));
            }
            // What is to be done is the same for all of them.
            if let Some(last) = alike.last() {
                let _ = writeln!(text, "    {}", remedy(last));
                let name = last.property.name();
                let _ = writeln!(text, "    `saga explain {name}` says what the promise means and why it matters");
            }
        }
        text
    }

    /// For programs.
    pub(super) fn json(&self, file: &Checked) -> Value {
        let Report { states, steps, violations, .. } = &self.report;
        let broken = |violation: &Violation| {
            let Violation { property, at, span, trace } = violation;
            json!({
                "promise": property.name(),
                "at": at,
                "file": outcomes::name(file, *span),
                "line": outcomes::line(file, *span),
                "trace": ways::json(&self.plan, trace),
            })
        };
        let mut known = json!({
            "states": states,
            "steps": steps,
            "exhaustive": self.report.is_exhaustive(),
            "cut": self.cut(file),
            "broken": violations.iter().map(broken).collect::<Vec<_>>(),
        });
        let lists = self.report.lists.iter().map(|(list, sizes)| json!({ "list": list, "elements": sizes }));
        let lists: Vec<Value> = lists.collect();
        if let Some(known) = known.as_object_mut().filter(|_| !lists.is_empty()) {
            known.insert("lists".to_owned(), lists.into());
        }
        known
    }
}

/// What to do about it.
fn remedy(violation: &Violation) -> &'static str {
    if violation.is_outside() {
        "it is what the guard of participants is for: docs/participants.md; `saga probe` says whether one keeps it"
    } else {
        "this is a defect of saga or of its checks; please report it with the file"
    }
}

/// What is special about the way.
pub(super) fn needed(way: &Way) -> Vec<&str> {
    way.trace.iter().filter(|told| !told.is_usual).map(|told| told.happens.as_str()).collect()
}

/// Of the ways to one end: steps called, and taken back; with a `+` where there may be more such ways, or more elements.
pub(super) fn counts(tally: &Tally, is_exhaustive: bool) -> [String; 2] {
    [(tally.called, tally.called_grows), (tally.undone, tally.undone_grows)].map(|((least, most), grows)| {
        let more = if is_exhaustive && !grows { "" } else { "+" };
        if least == most { format!("{least}{more}") } else { format!("{least}-{most}{more}") }
    })
}

/// The broken promises as findings, for who reads no tables.
pub(super) fn findings(explored: &[Explored]) -> impl Iterator<Item = Diagnostic> {
    let of = |one: &Explored, violation: &Violation| {
        let Violation { property, span, .. } = violation;
        let (name, at) = (property.name(), place_of(violation));
        let title = format!("saga {} breaks the promise {name}{at}: {}", one.saga, property.meaning());
        let way = format!("A shortest way to it:\n{}", ways::violation(one, violation, Form::Steps));
        Diagnostic::error(Code(name), *span, title).why(way.trim_end()).hint(remedy(violation))
    };
    explored.iter().flat_map(move |one| one.report.violations.iter().map(move |violation| of(one, violation)))
}

/// `, at reserve`
pub(super) fn place_of(violation: &Violation) -> String {
    if violation.at.is_empty() { String::new() } else { format!(", at {}", violation.at) }
}

/// For a table in a block.
pub(super) fn indented(table: &Table, by: &str) -> String {
    table.text().lines().flat_map(|line| [by, line, "\n"]).collect()
}
