//! Values that people give in place of what cannot be computed where nothing may fail any more.
//!
//! An expression that overflows makes its place fail; behind the point of no return, and in a saga that takes a step back,
//! the place waits for a person, and no retry will ever help: its definition and its values stay what they are. So a
//! person says what is to be taken instead, and the saga goes on with that as if it had been computed.

use super::draft::Draft;
use super::instance::{Instance, State};
use crate::definition::Sleep;
use crate::definition::evaluate::Invalid;
use crate::definition::json::decode;
use crate::definition::types::Type;
use crate::definition::value::Value;
use crate::json::Json;
use crate::plan::{At, Kind, Plan};

/// What a person gives for a place. It is taken where the place has no value of its own, and once.
#[derive(Debug)]
pub(super) struct Instead {
    pub(super) at: At,
    pub(super) value: Json,
}

impl Instance {
    /// The type of what could not be computed at a place that waits for a person; none where nothing does.
    #[must_use]
    pub fn wanted(&self, plan: &Plan, at: At) -> Option<Type> {
        matches!(self.state(at), Some(State::Halted(_))).then(|| computed(plan, at))?
    }
}

/// The type of what is computed where the flow comes to a node.
fn computed(plan: &Plan, at: At) -> Option<Type> {
    match &plan.node(at.node()).kind {
        // Of the saga its output, which is there if it can fail to be computed.
        Kind::Scope(_) => plan.saga.output.as_ref().map(|output| output.ty.clone()),
        Kind::Let(value) => Some(value.ty.clone()),
        Kind::Each(each) => Some(each.list.ty.clone()),
        Kind::Run(run) => Some(run.output.ty.clone()),
        Kind::Sleep(Sleep::Until(_)) => Some(Type::Timestamp),
        Kind::Sleep(Sleep::For(_)) | Kind::Await(..) | Kind::Try(_) => Some(Type::Duration),
        // The branch that is taken, from 1; behind the last condition is `otherwise`.
        Kind::Choice { .. } => Some(Type::Int),
        // Whether the round was the last.
        Kind::Sequence(_) => Some(Type::Bool),
        // A step has attempts, of which a person says what became.
        Kind::Step(_) | Kind::Parallel(_) | Kind::Repeat(_) | Kind::Pivot | Kind::Fail { .. } => None,
    }
}

impl Draft<'_> {
    /// What a person gives for the place, if it is given and not taken yet; else why there is nothing.
    pub(super) fn instead(&mut self, at: At, invalid: Invalid) -> Result<Json, Invalid> {
        self.instead.take_if(|instead| instead.at == at).map(|instead| instead.value).ok_or(invalid)
    }

    /// The branch, from 0, that a person gives where a condition cannot be computed.
    pub(super) fn branch_instead(&mut self, at: At, invalid: Invalid) -> Result<u32, Invalid> {
        let branch = match self.value_instead(at, &Type::Int, invalid)? {
            Value::Int(branch) => branch.checked_sub(1).and_then(|branch| u32::try_from(branch).ok()),
            _ => None,
        };
        branch.ok_or_else(|| Invalid { message: "branches count from 1".to_owned() })
    }

    /// The same as a value.
    pub(super) fn value_instead(&mut self, at: At, ty: &Type, invalid: Invalid) -> Result<Value, Invalid> {
        let given = self.instead(at, invalid)?;
        Ok(decode(ty, given.get())?)
    }
}
