//! `saga check --deep`: every way in which a saga can end, explored on the engine, for people and programs.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use super::sources::Checked;
use super::table::Table;
use crate::engine::Direction;
use crate::http::history::happened;
use crate::model::explore::{Bounds, Ending, Engine, Property, Report, Told, Violation, Way, explore};
use crate::plan::Plan;

/// A saga, explored.
pub(super) struct Explored {
    saga: String,
    plan: Plan,
    report: Report,
}

/// Explores the file's own sagas.
pub(super) fn all(file: &Checked, bounds: Bounds) -> Vec<Explored> {
    let one = |saga: &Arc<crate::definition::Saga>| {
        let plan = Plan::new(Arc::clone(saga));
        let report = explore(&plan, &Engine, bounds, || true);
        Explored { saga: saga.name.to_string(), plan, report }
    };
    file.own_sagas().map(one).collect()
}

impl Explored {
    pub(super) const fn holds(&self) -> bool {
        self.report.violations.is_empty()
    }

    /// For people.
    pub(super) fn text(&self, file: &str) -> String {
        let Report { states, steps, cut, ways, violations } = &self.report;
        let mut text = format!("{file}: saga {}, explored\n", self.saga);
        let mut table = Table::headless();
        table.row(["  states".to_owned(), format!("{states}, and {steps} steps between them")]);
        let promises = match (violations.len(), cut.as_slice()) {
            (0, []) => format!("all {} hold in every one", Property::ALL.len()),
            (0, _) => "none is broken in what was looked at".to_owned(),
            (count, _) => format!("{count} broken"),
        };
        table.row(["  promises".to_owned(), promises]);
        for why in cut {
            table.row(["  not exhaustive".to_owned(), (*why).to_owned()]);
        }
        text.push_str(&table.text());
        let mut table = Table::new(&["  END", "OF", "STATES", "WHAT IT NEEDS"]);
        for way in ways {
            let (end, of) = end(&way.ending);
            table.row([format!("  {end}"), of, way.states.to_string(), needs(way)]);
        }
        text.push_str(&table.text());
        for violation in violations {
            text.push_str(&self.broken(violation));
        }
        text
    }

    fn broken(&self, violation: &Violation) -> String {
        let Violation { property, at, trace } = violation;
        let place = if at.is_empty() { String::new() } else { format!(", at {at}") };
        let mut text = format!("  BROKEN {}{place}: {}\n", property.name(), property.meaning());
        let mut table = Table::headless();
        for (number, told) in (1..).zip(trace) {
            table.row([format!("    {number}"), told.happens.clone(), self.made(told).join("; ")]);
        }
        text.push_str(&table.text());
        let _ = writeln!(text, "    this is a defect of saga or of its checks; please report it with the file");
        text
    }

    /// What the engine made of it.
    fn made(&self, told: &Told) -> Vec<String> {
        let one = |event| {
            let happened = happened(&self.plan, event);
            match happened.at {
                Some(at) => format!("{at}: {}", happened.text),
                None => happened.text,
            }
        };
        told.events.iter().map(one).collect()
    }

    /// For programs.
    pub(super) fn json(&self, file: &str) -> Value {
        let Report { states, steps, cut, ways, violations } = &self.report;
        let trace = |trace: &[Told]| -> Vec<Value> {
            let one = |told: &Told| json!({ "happens": told.happens, "events": self.made(told) });
            trace.iter().map(one).collect()
        };
        let way = |way: &Way| {
            let (end, of) = end(&way.ending);
            json!({ "end": end, "of": of, "states": way.states, "needs": needed(way), "trace": trace(&way.trace) })
        };
        let broken = |violation: &Violation| {
            let Violation { property, at, trace: way } = violation;
            json!({ "property": property.name(), "at": at, "trace": trace(way) })
        };
        json!({
            "file": file,
            "saga": self.saga,
            "states": states,
            "steps": steps,
            "exhaustive": cut.is_empty(),
            "cut": cut,
            "ends": ways.iter().map(way).collect::<Vec<_>>(),
            "broken": violations.iter().map(broken).collect::<Vec<_>>(),
        })
    }
}

fn end(ending: &Ending) -> (&'static str, String) {
    match ending {
        Ending::Completed => ("completed", String::new()),
        Ending::Compensated(code) => ("compensated", code.to_string()),
        Ending::Stuck(place, Direction::Do) => ("stuck", place.to_string()),
        Ending::Stuck(place, Direction::Undo) => ("stuck", format!("undo {place}")),
    }
}

/// What is special about the way.
fn needed(way: &Way) -> Vec<&str> {
    way.trace.iter().filter(|told| !told.is_usual).map(|told| told.happens.as_str()).collect()
}

fn needs(way: &Way) -> String {
    match needed(way).as_slice() {
        [] => "nothing special".to_owned(),
        needed => needed.join("; "),
    }
}
