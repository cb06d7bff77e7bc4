//! Contracts for other tools: JSON Schema of all that goes over a log, and `AsyncAPI` of the topics that it goes over.
//!
//! Both are pure functions of the definitions. One document describes any number of files: what two of them define
//! alike is in it once, what they define differently is a [`Conflict`], for a document has one meaning a name.

mod asyncapi;
mod envelope;
mod types;

use serde_json::{Map, Value, json};

pub use self::asyncapi::asyncapi;
use self::types::Types;
use crate::definition::types::Record;
use crate::definition::{Command, Participant, Program};

/// The dialect.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Two files give one name two meanings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("describe `{name}` in one document: the files define it differently")]
pub struct Conflict {
    /// What is defined twice: `Address`, `booking.input`, `hotels.ReserveRoom.request`.
    pub name: String,
}

/// A map whose names have one meaning each.
#[derive(Clone, Debug, Default)]
struct Names {
    map: Map<String, Value>,
    conflict: Option<Conflict>,
}

impl Names {
    fn add(&mut self, name: impl Into<String>, value: Value) {
        let name = name.into();
        match self.map.get(&name) {
            Some(known) if *known != value => {
                self.conflict.get_or_insert(Conflict { name });
            }
            Some(_) => {}
            None => drop(self.map.insert(name, value)),
        }
    }

    fn done(self) -> Result<Value, Conflict> {
        self.conflict.map_or(Ok(Value::Object(self.map)), Err)
    }
}

/// The schemas of the types, inputs, signals, requests, replies, messages and events of some programs, each below its name in `$defs`.
///
/// # Errors
/// Two programs define one name differently.
pub fn json_schema<'p>(programs: impl IntoIterator<Item = &'p Program>) -> Result<Value, Conflict> {
    let schemas = schemas(programs, "#/$defs/").done()?;
    Ok(json!({ "$schema": DIALECT, "$defs": schemas }))
}

/// All schemas by name; `at` is where they stand in the document.
fn schemas<'p>(programs: impl IntoIterator<Item = &'p Program>, at: &'static str) -> Names {
    let mut types = Types::new(at);
    let mut shapes = Vec::new();
    for program in programs {
        for ty in program.types.values() {
            types.of(ty);
        }
        for saga in program.sagas.values() {
            shapes.push((format!("{}.input", saga.name), types.shape(&saga.input, saga.docs.as_deref())));
            for signal in saga.signals.values() {
                let schema = types.shape(&signal.shape, signal.docs.as_deref());
                shapes.push((format!("{}.{}.signal", saga.name, signal.name), schema));
            }
        }
        for (participant, command) in commands(program) {
            let mut add = |what: &str, shape: &Record| {
                let schema = types.shape(shape, command.docs.as_deref());
                shapes.push((format!("{}.{}.{what}", participant.name, command.name), schema));
            };
            add("request", &command.request);
            add("reply", &command.reply);
        }
        for (participant, message) in messages(program) {
            let schema = types.shape(&message.request, message.docs.as_deref());
            shapes.push((format!("{}.{}.message", participant.name, message.name), schema));
        }
        for trigger in &program.triggers {
            let schema = types.shape(&trigger.event, trigger.docs.as_deref());
            shapes.push((format!("{}.event", trigger.name), schema));
        }
    }
    let mut names = types.names;
    for (name, shape) in shapes {
        names.add(name, shape);
    }
    names
}

fn commands(program: &Program) -> impl Iterator<Item = (&Participant, &Command)> {
    program
        .participants
        .values()
        .flat_map(|participant| participant.commands.values().map(move |command| (&**participant, &**command)))
}

fn messages(program: &Program) -> impl Iterator<Item = (&Participant, &Command)> {
    program
        .participants
        .values()
        .flat_map(|participant| participant.messages.values().map(move |message| (&**participant, &**message)))
}
