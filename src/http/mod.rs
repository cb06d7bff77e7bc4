//! The HTTP API, and the forms in which instances are shown, which the command line shares.
//!
//! [`service`] carries a call out on an orchestrator, [`client`] sends it to a server, [`server`] takes it, [`looking`] reads
//! beside whoever holds the data: faces of the same calls, with the same [`view`]s and the same errors. [`reach`] chooses.

pub mod redact;
pub mod wanted;
pub mod view;
mod misfits;
mod waits;
mod flow;
mod late;
pub mod heard;
pub mod offers;
pub mod history;
pub mod api;
pub(crate) mod faults;
pub mod follower;
pub mod carrying;
pub mod cast;
pub mod looking;
pub mod past;
pub mod service;
pub mod definitions;
pub mod dead;
pub mod routes;
mod body;
mod events;
mod visitors;
pub mod server;
pub mod client;
pub mod reach;
