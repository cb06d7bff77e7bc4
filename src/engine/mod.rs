//! One saga instance as a pure state machine.
//!
//! ```text
//!   input -> decide -> Change(events) -> Instance::apply      pending -> what the world is still owed
//! ```
//!
//! Attempts at participants that take `at most …` wait for their turn; [`Turns`] says whose it is, over all instances.
//!
//! [`decide`] never waits, never reads a clock, never fails for an outside reason; [`Instance::apply`] is the only
//! mutator, live and in replay; [`pending`] derives all open effects from the state alone. The runtime, recovery,
//! replay, scenarios and the explorer call these same functions: what is proved is what runs.

mod id;
mod event;
mod why;
mod input;
mod effect;
mod heard;
mod instance;
mod states;
mod summary;
mod apply;
mod snapshot;
mod rest;
mod step;
mod timing;
mod flow;
mod environment;
mod draft;
mod attempts;
mod decide;
mod orders;
mod instead;
mod signals;
mod scopes;
mod back;
mod loops;
mod runs;
mod pending;
mod turns;
mod untimed;

pub use apply::Misfit;
pub use attempts::{command_id, invocation, invocation_at};
pub use decide::decide;
pub use draft::Takes;
pub use effect::{Answer, Command, CommandKind, Effect, End};
pub(crate) use environment::holds;
pub use event::{Change, Event, Failure, Place, UNFIT_KEPT, Why};
pub use heard::{Heralded, OrderHash, REQUESTS_MAX, SIGNALS_MAX};
pub use id::{CommandId, Direction, ID_MAX, IdError, InstanceId, RequestId, Run};
pub use input::{
    Acknowledged, Decision, Input, Order, OrderRequest, Outcome, Refusal, Rejection, Reply, ReplyKind, ReplyTo, Start,
    Status, Undeliverable,
};
pub use instance::{Attempt, Caught, Instance, Phase, Starter, State, Trouble, Turn, Undoing, Wait};
pub use loops::{Elements, GONE_THROUGH_MAX, Rounds};
pub use pending::{caused, pending};
pub use rest::Rest;
pub use snapshot::{SnapshotError, definition_of};
pub use summary::Summary;
pub(crate) use summary::is_stuck;
pub use timing::PENDING_MAX;
pub use turns::{Calls, Share, Turns};
pub(crate) use untimed::last_attempt;
