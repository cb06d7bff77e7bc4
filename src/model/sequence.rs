//! A way through a saga as a sequence diagram of Mermaid: who says what to whom, and what the saga makes of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::explore::{Answer, Deed, Told};
use crate::definition::{Called, Invocation};
use crate::engine::{Direction, Event, invocation_at};
use crate::plan::Plan;
use crate::plan::picture::mermaid_text;

/// Of a trace of the explorer.
#[must_use]
pub fn mermaid(plan: &Plan, trace: &[Told]) -> String {
    let mut diagram = Diagram { plan, lines: String::new(), asked: BTreeSet::new(), has_person: false };
    for told in trace {
        diagram.deed(told);
        told.events.iter().for_each(|event| diagram.event(event));
    }
    let Diagram { lines, asked, has_person, .. } = diagram;
    let mut text = String::from("sequenceDiagram\n");
    if has_person {
        text.push_str("  actor person\n");
    }
    let _ = writeln!(text, "  participant saga as {}", safe(&plan.saga.name));
    for name in asked {
        let _ = writeln!(text, "  participant p_{name} as {}", safe(&name));
    }
    text.push_str(&lines);
    text
}

struct Diagram<'p> {
    plan: &'p Plan,
    lines: String,
    asked: BTreeSet<String>,
    has_person: bool,
}

impl Diagram<'_> {
    fn deed(&mut self, told: &Told) {
        match &told.deed {
            Deed::Begins(_) | Deed::Cancelled | Deed::Signal(..) | Deed::Ordered => {
                self.has_person = true;
                self.line("person->>saga", &told.happens);
            }
            Deed::Said(called, said) => {
                let words = match said {
                    Answer::Done(Some(value)) => format!("done {value}"),
                    Answer::Done(None) => "done".to_owned(),
                    _ => told.happens.clone(),
                };
                let from = self.participant(called);
                self.line(&format!("{from}-->>saga"), &words);
            }
            Deed::Silence(called) => {
                let from = self.participant(called);
                self.line(&format!("{from}--xsaga"), &told.happens);
            }
            Deed::Passes | Deed::Deadline | Deed::Acknowledged(_) | Deed::Refused(_) | Deed::Turn(_) => {
                self.line("Note over saga", &told.happens);
            }
            Deed::Late(called) => {
                let from = self.participant(called);
                self.line(&format!("{from}-->>saga"), &told.happens);
            }
            Deed::Copied(called) => {
                let Some(invocation) = self.invocation(called) else { return };
                let command = format!("a late copy of {}: {}", shown(called), invocation.command.name);
                let to = self.participant(called);
                self.line(&format!("saga->>{to}"), &command);
                self.line(&format!("Note over {to}"), "does it again: it stays done");
            }
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Called { at, work, .. } | Event::Sent { at, work, .. } => {
                let called = Called { undo: *work == Direction::Undo, step: at.clone() };
                let Some(invocation) = self.invocation(&called) else { return };
                let command = format!("{}: {}", shown(&called), invocation.command.name);
                let to = self.participant(&called);
                let arrow = if matches!(event, Event::Sent { .. }) { ")" } else { ">>" };
                self.line(&format!("saga-{arrow}{to}"), &command);
            }
            Event::Asked { at, work, .. } => {
                let called = Called { undo: *work == Direction::Undo, step: at.clone() };
                let to = self.participant(&called);
                self.line(&format!("saga->>{to}"), &format!("what became of {}?", shown(&called)));
            }
            Event::Failed { scope, failure } if scope == "saga" => {
                self.line("Note over saga", &format!("fails: {}", failure.code));
            }
            Event::Failed { scope, failure } => {
                self.line("Note over saga", &format!("{scope} fails: {}", failure.code));
            }
            Event::Caught { at, .. } => self.line("Note over saga", &format!("{at} is caught")),
            Event::Lost { at } => self.line("Note over saga", &format!("{at}: nobody knows whether it was done")),
            Event::Reached { .. } => self.line("Note over saga", "no return from here on"),
            Event::Stuck { at, work, .. } => {
                let called = Called { undo: *work == Direction::Undo, step: at.clone() };
                self.line("Note over saga", &format!("{} waits for a person", shown(&called)));
            }
            Event::Completed { .. } => self.line("Note over saga", "completed"),
            Event::Compensated => self.line("Note over saga", "compensated"),
            _ => {}
        }
    }

    fn line(&mut self, who: &str, words: &str) {
        let _ = writeln!(self.lines, "  {who}: {}", safe(words));
    }

    fn invocation(&self, called: &Called) -> Option<&Invocation> {
        invocation_at(self.plan, &called.step, if called.undo { Direction::Undo } else { Direction::Do })
    }

    /// Its name in the diagram.
    fn participant(&mut self, called: &Called) -> String {
        let Some(name) = self.invocation(called).map(|invocation| invocation.participant.name.to_string()) else {
            return "saga".to_owned();
        };
        let id = format!("p_{name}");
        self.asked.insert(name);
        id
    }
}

fn shown(called: &Called) -> String {
    if called.undo { format!("undo {}", called.step) } else { called.step.to_string() }
}

/// `;` ends a line of a diagram.
fn safe(text: &str) -> String {
    text.split(';').map(mermaid_text).collect::<Vec<_>>().join("#59;")
}
