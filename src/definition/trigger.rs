//! Triggers: what an event on somebody's topic starts and signals.
//!
//! `where` is asked first, and reads only the fields that it names: a topic may carry events of many shapes, and those for
//! which it says no are not this trigger's. Any other event must fit.

use std::borrow::Cow;
use std::sync::Arc;

use compact_str::CompactString;

use super::evaluate::{Datum, Environment, Invalid, evaluate};
use super::expression::{Expr, PathSegment, Root, Typed};
use super::json::check_json;
use super::personal::Veil;
use super::types::{Record, Type};
use super::value::{Value, to_json};
use crate::json::Json;
use crate::source::Span;

/// `trigger name { … }`
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Its name.
    pub name: CompactString,
    /// The topic that it reads.
    pub topic: CompactString,
    /// The shape of the events that are its own.
    pub event: Arc<Record>,
    /// Which those are; all, if it says nothing.
    pub filter: Option<Typed>,
    /// What it starts: a saga.
    pub start: Option<Aim>,
    /// What it signals: a saga and a signal of it.
    pub signal: Option<(Aim, CompactString)>,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where its name is declared.
    pub span: Span,
}

/// An instance, and what it is given.
#[derive(Clone, Debug)]
pub struct Aim {
    /// The saga.
    pub saga: CompactString,
    /// The instance: a text.
    pub id: Expr,
    /// The input, or what the signal carries; `{}` if left out.
    pub payload: Option<Expr>,
}

/// What an event asks for, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// An instance that is to be there, and its input.
    pub start: Option<(String, Json)>,
    /// An instance that is to be signalled, and what the signal carries.
    pub signal: Option<(String, Json)>,
}

impl Trigger {
    /// The saga whose trigger it is: what it starts, else what it signals.
    #[must_use]
    pub fn saga(&self) -> Option<&CompactString> {
        let signalled = self.signal.as_ref().map(|(aim, _)| aim);
        self.start.as_ref().or(signalled).map(|aim| &aim.saga)
    }

    /// What an event asks for; nothing, if it is none of this trigger's.
    ///
    /// # Errors
    /// It is no event of that shape, or something cannot be computed of it; for people.
    pub fn read(&self, event: &[u8]) -> Result<Option<Wanted>, String> {
        if event.is_empty() {
            return Err("it has no value (a tombstone)".to_owned());
        }
        let text = str::from_utf8(event).map_err(|_| "it is not UTF-8".to_owned())?;
        let event = Json::parse(text).map_err(|error| format!("it is no JSON: {error}"))?;
        let event = Event(event.get());
        if let Some(filter) = &self.filter {
            let holds = filter.evaluate(&event).map_err(|invalid| self.not_computed(&invalid))?;
            if holds != Value::Bool(true) {
                return Ok(None);
            }
        }
        check_json(&Type::Record(Arc::clone(&self.event)), event.0).map_err(|misfits| {
            let misfits: Vec<String> = misfits.iter().map(ToString::to_string).collect();
            format!("it does not fit: {}", misfits.join("; "))
        })?;
        let start = self.start.as_ref().map(|aim| aim.at(&event)).transpose()?;
        let signal = self.signal.as_ref().map(|(aim, _)| aim.at(&event)).transpose()?;
        Ok(Some(Wanted { start, signal }))
    }

    /// The reason names what it found, which is said of no event that may hold anything personal.
    fn not_computed(&self, invalid: &Invalid) -> String {
        if Veil::of_record(&self.event).is_nothing() {
            format!("`where` cannot be computed: failed to {invalid}")
        } else {
            "`where` cannot be computed of it".to_owned()
        }
    }
}

impl Aim {
    /// The way into the event to the one field of which the id is made; `None` if it is made of several, or of none.
    #[must_use]
    pub fn identified_by(&self) -> Option<&[PathSegment]> {
        let mut ways = Vec::new();
        self.id.walk(&mut |expr| {
            if let Expr::Read(read) = expr {
                ways.push(read.path.as_slice());
            }
        });
        let (first, others) = ways.split_first()?;
        others.iter().all(|other| other == first).then_some(*first)
    }

    fn at(&self, event: &Event<'_>) -> Result<(String, Json), String> {
        let failed = |what: &str, why: &dyn std::fmt::Display| {
            format!("the {what} for `{}` cannot be computed: failed to {why}", self.saga)
        };
        let id = match evaluate(&self.id, event).map_err(|invalid| failed("id", &invalid))? {
            Value::String(id) => id.to_string(),
            other => return Err(failed("id", &format!("read {} as a text", to_json(&other)))),
        };
        let Some(payload) = &self.payload else { return Ok((id, Json::empty_object())) };
        let payload = evaluate(payload, event).map_err(|invalid| failed("payload", &invalid))?;
        let payload = Json::parse(to_json(&payload)).map_err(|error| failed("payload", &error))?;
        Ok((id, payload))
    }
}

/// An event, seen by an expression.
struct Event<'a>(&'a str);

impl Environment for Event<'_> {
    fn read(&self, root: &Root) -> Option<Datum<'_>> {
        (*root == Root::Event).then_some(Datum::Json(Cow::Borrowed(self.0)))
    }

    /// Lowering lets none through: there is no instance yet that it could come from.
    fn id(&self, _way: &str, _word: &str) -> String {
        String::new()
    }
}
