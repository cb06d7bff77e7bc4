//! `saga test --coverage`: what of a saga no scenario shows, and scenarios for it.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::fmt::{unreadable, write};
use super::out::plural;
use super::sources::{Checked, STDIN};
use super::table::Table;
use super::{CliError, Out};
use crate::definition::Scenario;
use crate::engine::Direction;
use crate::model::coverage::{Cell, Coverage, What};
use crate::model::explore::{Bounds, Engine, explore};
use crate::model::scenario::Report;
use crate::plan::Plan;
use crate::source::{FileId, SourceFile};
use crate::syntax::tree::File;
use crate::syntax::{self, Form};

/// A saga of a file with what its scenarios show.
pub(super) struct Covered<'f> {
    file: &'f Checked,
    plan: Arc<Plan>,
    coverage: Coverage,
}

impl<'f> Covered<'f> {
    /// By what came of the scenarios of that saga.
    pub(super) fn of(file: &'f Checked, plan: Arc<Plan>, played: &[(&Scenario, &Report)]) -> Self {
        let coverage = Coverage::of(&plan, &file.findings, played.iter().copied());
        Self { file, plan, coverage }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let Self { file, plan, coverage, .. } = self;
        let (shown, missing) = (coverage.shown.len(), coverage.missing.len());
        let (name, saga) = (&file.name, &plan.saga.name);
        let mut text = format!("{name}: saga {saga}: scenarios show {shown} of {} things", shown + missing);
        text.push_str(" that can become of its steps\n");
        let mut table = Table::headless();
        for Cell { step, what, .. } in &coverage.missing {
            table.row(["  not shown".to_owned(), step.to_string(), what.to_string()]);
        }
        text.push_str(&table.text());
        text
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let cells = |cells: &BTreeSet<Cell>| cells.iter().map(cell).collect::<Vec<_>>();
        json!({
            "file": self.file.name,
            "saga": self.plan.saga.name,
            "shown": cells(&self.coverage.shown),
            "missing": cells(&self.coverage.missing),
        })
    }

    /// Scenarios for what none shows, as text to stand behind the file's; and for what none was found.
    fn made(&self, titles: &mut BTreeSet<String>) -> (Vec<String>, BTreeSet<Cell>) {
        let explored = OnceCell::new();
        let ways = || explored.get_or_init(|| explore(&self.plan, &Engine, Bounds::USUAL).ways).as_slice();
        let (mut examples, unfound) = self.coverage.completed(&self.plan, &ways);
        for example in &mut examples {
            let title = example.title.clone();
            let mut number = 1;
            while !titles.insert(example.title.clone()) {
                number += 1;
                example.title = format!("{title} ({number})");
            }
        }
        (examples.iter().map(|example| example.text(&self.plan)).collect(), unfound)
    }
}

fn cell(Cell { step, what, .. }: &Cell) -> Value {
    let (word, code) = match what {
        What::Done => ("done", None),
        What::Refused(code) => ("refused", Some(code)),
        What::TimesOut => ("times_out", None),
        What::Unknown => ("unknown", None),
        What::Undone => ("undone", None),
        What::Stuck(Direction::Do) => ("stuck", None),
        What::Stuck(Direction::Undo) => ("stuck_undoing", None),
    };
    json!({ "step": step, "what": word, "code": code })
}

/// Writes scenarios for what none shows behind those of a file, in its form.
pub(super) fn complete(file: &Checked, all: &[Covered<'_>], out: &mut Out) -> Result<(), CliError> {
    let name = &file.name;
    let mut titles: BTreeSet<String> = file.program.scenarios.iter().map(|scenario| scenario.title.clone()).collect();
    let mut made = Vec::new();
    for covered in all {
        let missing = covered.coverage.missing.len();
        if missing > 0 {
            let (saga, things) = (&covered.plan.saga.name, plural(missing, "thing"));
            out.dim(format_args!("{name}: looking for scenarios of saga {saga} for {things}; this can take a minute"));
        }
        let (more, unfound) = covered.made(&mut titles);
        made.extend(more);
        for Cell { step, what, .. } in unfound {
            out.remark(format_args!("{name}: no scenario was found in which {step} {what}"));
        }
    }
    if made.is_empty() {
        return Ok(());
    }
    let count = made.len();
    let made = made.join("\n");
    let Some(source) = file.sources.get(FileId::default()) else { return Ok(()) };
    let completed = if name == STDIN {
        Err("standard input is not a file to write into".to_owned())
    } else {
        completed(source, &made).and_then(readable).map_err(|why| format!("{name} is left as it is: {why}"))
    };
    match completed {
        Ok(text) => {
            write(name, &text)?;
            let count = plural(count, "scenario");
            out.remark(format_args!(
                "{name}: {count} written; look whether they say what should be, and not only what is"
            ));
        }
        // What cannot be written is shown, to be put where it belongs.
        Err(why) => {
            out.data(in_form(Form::of(source), &made))?;
            out.remark(format_args!("{why}; the scenarios are those above"));
        }
    }
    Ok(())
}

/// The file with scenarios of the text form behind its own; or what of it would be lost.
fn completed(file: &SourceFile, made: &str) -> Result<String, String> {
    let with_its_line_ends =
        |text: &str| if file.text.contains("\r\n") { text.replace('\n', "\r\n") } else { text.to_owned() };
    if Form::of(file) == Form::Saga {
        let between = if file.text.ends_with('\n') { "\n" } else { "\n\n" };
        return Ok(format!("{}{}", file.text, with_its_line_ends(&format!("{between}{made}"))));
    }
    let (mut tree, _) = syntax::parse(FileId::default(), file);
    let made = tree_of(made);
    if let Some(more) = syntax::appended(file, &tree, &made) {
        return Ok(format!("{}{}", file.text, with_its_line_ends(&more)));
    }
    if let Some((span, what)) = syntax::lost_by_layout(file, &tree) {
        return Err(format!("{what} would be lost, line {}", file.line_column(span.start).line));
    }
    tree.items.extend(made.items);
    Ok(with_its_line_ends(&syntax::convert(&tree, Form::Yaml)))
}

/// A file that can be read is not replaced by one that cannot.
fn readable(text: String) -> Result<String, String> {
    match unreadable("completed", &text) {
        Some(_) => Err("with them it could not be read".to_owned()),
        None => Ok(text),
    }
}

/// Scenarios of the text form, in that one.
fn in_form(form: Form, made: &str) -> String {
    match form {
        Form::Saga => made.to_owned(),
        Form::Yaml => syntax::convert(&tree_of(made), Form::Yaml),
    }
}

fn tree_of(made: &str) -> File {
    syntax::parse(FileId::default(), &SourceFile::new("made.saga", made)).0
}
