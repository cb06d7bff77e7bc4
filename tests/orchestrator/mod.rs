//! The orchestrator on the embedded log, from a source text to the end of its sagas.

mod assigned;
mod damage;
mod dead;
mod definitions;
pub(crate) mod house;
mod limits;
pub(crate) mod past;
mod restart;
mod runs;
mod triggers;
mod view;
