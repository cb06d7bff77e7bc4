//! What expressions see of an instance.

use compact_str::CompactString;
use uuid::Uuid;

use super::event::Failure;
use super::id::Direction;
use super::instance::{Instance, State};
use crate::definition::evaluate::{Datum, Environment};
use crate::definition::expression::Root;
use crate::definition::value::Value;
use crate::json::Json;
use crate::plan::{NodeId, Plan};

/// An instance's data, seen by an expression.
pub(super) struct View<'a> {
    pub(super) plan: &'a Plan,
    pub(super) instance: &'a Instance,
    /// The node whose expression it is, and whether that is being done or taken back: `failure` depends on it.
    pub(super) at: (NodeId, Direction),
    /// The signal that a `where` is asked about, by the name that it has there.
    pub(super) candidate: Option<(&'a str, &'a Json)>,
}

impl<'a> View<'a> {
    pub(super) const fn of(plan: &'a Plan, instance: &'a Instance, at: (NodeId, Direction)) -> Self {
        Self { plan, instance, at, candidate: None }
    }

    /// In a compensation why it runs; in a handler what it was caught for.
    fn failure(&self) -> Option<&'a Failure> {
        let (node, direction) = self.at;
        match direction {
            Direction::Undo => self.instance.failing_around(self.plan, node),
            Direction::Do => match self.instance.state(self.plan.handled(node)?)? {
                State::Caught(caught) => Some(&caught.failure),
                _ => None,
            },
        }
    }
}

impl Environment for View<'_> {
    fn read(&self, root: &Root) -> Option<Datum<'_>> {
        match root {
            Root::Input => self.instance.input.as_ref().map(|input| Datum::Json(input.get())),
            Root::Name(name) => self.named(name),
            Root::SagaId => Some(text(self.instance.id.as_str())),
            Root::SagaStarted => Some(Datum::Value(Value::Timestamp(self.instance.started))),
            Root::FailureCode => self.failure().map(|failure| text(&failure.code)),
            Root::FailureStep => self.failure().map(|failure| text(&failure.step)),
            Root::FailureMessage => self.failure()?.message.as_deref().map(text),
            // Roots of loops and triggers: lowering lets none through while those are not built.
            Root::Previous(_) | Root::Round | Root::Event => None,
        }
    }

    /// A UUID v5 (RFC 9562) of the instance, its run, the way and the word.
    fn id(&self, way: &str, word: &str) -> String {
        let Instance { id, run, .. } = self.instance;
        // The run is a number, so what stands behind it cannot be taken for a part of it.
        let way = if way.is_empty() { String::new() } else { format!(".{way}") };
        let name = format!("{id}/{}{way}/{word}", run.0);
        Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
    }
}

impl View<'_> {
    fn named(&self, name: &CompactString) -> Option<Datum<'_>> {
        if let Some((_, value)) = self.candidate.filter(|(candidate, _)| *name == **candidate) {
            return Some(Datum::Json(value.get()));
        }
        let node = self.plan.find(name)?;
        match self.instance.state(node)? {
            State::Done(Some(value)) | State::Bound(value) => Some(Datum::Json(value.get())),
            // What has no answer is there all the same, and holds nothing.
            State::Done(None) => Some(Datum::Json("{}")),
            State::Undoing(undoing) => undoing.value.as_ref().map(|value| Datum::Json(value.get())),
            // A step that was refused, lost or taken back has no value.
            State::Doing(_)
            | State::Refused(_)
            | State::Unknown
            | State::Undone
            | State::Chose(_)
            | State::Sleeping(_)
            | State::Woke
            | State::Reached
            | State::Failing(_)
            | State::Caught(_)
            | State::Halted(_) => None,
        }
    }
}

fn text(text: &str) -> Datum<'static> {
    Datum::Value(Value::String(CompactString::from(text)))
}
