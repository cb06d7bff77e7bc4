//! What expressions see of an instance.

use compact_str::CompactString;
use uuid::Uuid;

use super::instance::{Instance, State};
use crate::definition::evaluate::{Datum, Environment};
use crate::definition::expression::Root;
use crate::definition::value::Value;
use crate::plan::Plan;

/// An instance's data, seen by an expression.
pub(super) struct View<'a> {
    pub(super) plan: &'a Plan,
    pub(super) instance: &'a Instance,
}

impl Environment for View<'_> {
    fn read(&self, root: &Root) -> Option<Datum<'_>> {
        match root {
            Root::Input => self.instance.input.as_ref().map(|input| Datum::Json(input.get())),
            Root::Name(name) => self.named(name),
            Root::SagaId => Some(text(self.instance.id.as_str())),
            Root::SagaStarted => Some(Datum::Value(Value::Timestamp(self.instance.started))),
            Root::FailureCode => self.instance.failure().map(|failure| text(&failure.code)),
            Root::FailureStep => self.instance.failure().map(|failure| text(&failure.step)),
            Root::FailureMessage => self.instance.failure()?.message.as_deref().map(text),
            // Roots of loops and triggers: lowering lets none through while those are not built.
            Root::Previous(_) | Root::Round | Root::Event => None,
        }
    }

    /// A UUID v5 (RFC 9562) of the instance, its run and the word.
    fn id(&self, word: &str) -> String {
        let Instance { id, run, .. } = self.instance;
        let name = format!("{id}/{}/{word}", run.0);
        Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
    }
}

impl View<'_> {
    fn named(&self, name: &CompactString) -> Option<Datum<'_>> {
        let node = self.plan.find(name)?;
        match self.instance.state(node)? {
            State::Done(Some(value)) | State::Bound(value) => Some(Datum::Json(value.get())),
            State::Undoing(undoing) => undoing.value.as_ref().map(|value| Datum::Json(value.get())),
            // A step that was refused, lost or taken back has no value.
            State::Doing(_)
            | State::Done(None)
            | State::Refused(_)
            | State::Unknown
            | State::Undone
            | State::Chose(_)
            | State::Sleeping(_)
            | State::Woke
            | State::Reached
            | State::Halted(_) => None,
        }
    }
}

fn text(text: &str) -> Datum<'static> {
    Datum::Value(Value::String(CompactString::from(text)))
}
