//! Participants: the guard, work outside the database, the fronts, the bridges.

pub(crate) mod messages;
mod guard;
mod outside;
mod http;
mod process;
mod carrier;
mod simulated;
pub(crate) mod log;
mod page;
#[cfg(feature = "kafka")]
mod queue;
pub(crate) mod servers;

pub(crate) use messages::{command, with};
pub(crate) use simulated::{carried, settings};
