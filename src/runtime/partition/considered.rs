//! What the engine makes of an input, with a net below it: a panic in it must never stop a partition.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::defect::Defect;
use super::setting::Setting;
use crate::engine::{Change, Decision, Effect, Input, Instance, Rejection, Reply, Status, Takes, caused, decide};
use crate::plan::Plan;
use crate::time::Timestamp;

/// What the engine makes of an input.
pub(super) enum Considered {
    Change {
        change: Change,
        /// The instance behind it.
        next: Instance,
        effects: Vec<Effect>,
    },
    Nothing,
    Rejected(Rejection),
    /// The engine failed: our fault, and this instance's trouble alone.
    Failed(String),
}

/// Decides on a copy: the instance itself stays as it was whatever happens.
pub(super) fn consider<'a>(
    set: &Setting,
    plan: &'a Plan,
    instance: &'a Instance,
    now: Timestamp,
    input: &Input,
    takes: &'a mut Takes<'a>,
) -> Considered {
    let mistaken = set.config.defect.and_then(|defect| mistaken(defect, input));
    let input = mistaken.as_ref().unwrap_or(input);
    let attempt = || match decide(plan, instance, now, input, takes) {
        _ if set.config.panics_at_replies && matches!(input, Input::Reply(_)) => {
            std::panic::resume_unwind(Box::new("as the test wants it"))
        }
        Decision::Nothing => Considered::Nothing,
        Decision::Rejected(rejection) => Considered::Rejected(rejection),
        Decision::Change(change, next) => {
            let effects = caused(plan, &next, &change);
            Considered::Change { change, next, effects }
        }
    };
    // Nothing that is mutable is shared with what may unwind.
    catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|panic| Considered::Failed(words(&*panic)))
}

/// An input as it is misunderstood, where a simulation asks for it.
fn mistaken(defect: Defect, input: &Input) -> Option<Input> {
    match (defect, input) {
        (Defect::UnknownMeansNo, Input::Reply(reply)) if reply.status == Status::UnknownCommand => {
            let status = Status::Failed { code: "no".into(), message: None };
            Some(Input::Reply(Reply { status, ..reply.clone() }))
        }
        _ => None,
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the engine failed: {}", words.unwrap_or("it gave no reason"))
}
