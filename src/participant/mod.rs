//! Participants: the services that do the work of steps.
//!
//! ```text
//!   a command's message -> front (http, lines) -> Participant -> guard + work in one database transaction -> reply
//!   a command topic     -> bridge (http, process, simulated) ->  … the participant …  -> saga.replies
//! ```
//!
//! The first line is a library for services in Rust: [`Participant`] keeps the [`guard`] of `docs/participants.md`, so
//! that a command which comes twice, late, or behind its own undo does the work at most once. The second is the
//! orchestrator's side for services that read no log. Nothing here knows instances or journals.

pub mod guard;
pub mod store;
mod service;
mod http_message;
pub mod http;
pub mod lines;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "kafka")]
pub mod probe;
pub mod address;
pub mod bridge;
pub mod carrier;
pub mod remembered;

use std::time::SystemTime;

use crate::time::{Timestamp, millis};

pub use address::{Address, AddressError};
pub use service::{Call, Participant, Refusal, Told};
pub use store::SqliteStore;

/// The wall clock, which participants compare deadlines with.
fn now() -> Timestamp {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(Timestamp(0), |since| Timestamp(millis(since)))
}
