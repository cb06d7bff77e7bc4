//! The integration tests, one binary: a `mod` for each area. `tidy` refuses a file that nobody includes.

#![cfg(test)] // so that clippy takes all of it, not the `#[test]` functions alone, for tests

mod engine;
mod fuzz;
mod definition;
mod language;
mod check;
mod embedded;
#[cfg(feature = "kafka")]
mod kafka;
mod log;
mod lsp;
mod orchestrator;
mod syntax;
mod model;
mod participant;
mod journal;
mod partition;
mod simulation;
mod plan;
mod schema;
mod cli;
mod docs;
mod booking;
mod tidy;
