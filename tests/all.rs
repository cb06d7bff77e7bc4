//! The integration tests, one binary: a `mod` for each area. `tidy` refuses a file that nobody includes.
//! With `--cfg mutants` only those that try a mutant of the engine (`.cargo/mutants.toml`).

#![cfg(test)] // so that clippy takes all of it, not the `#[test]` functions alone, for tests

mod engine;
#[cfg(not(mutants))]
mod fuzz;
#[cfg(not(mutants))]
mod definition;
mod language;
#[cfg(not(mutants))]
mod check;
#[cfg(not(mutants))]
mod embedded;
#[cfg(all(feature = "kafka", not(mutants)))]
mod kafka;
#[cfg(not(mutants))]
mod log;
#[cfg(not(mutants))]
mod lsp;
#[cfg(not(mutants))]
mod orchestrator;
#[cfg(not(mutants))]
mod syntax;
mod model;
#[cfg(not(mutants))]
mod participant;
#[cfg(not(mutants))]
mod journal;
#[cfg(not(mutants))]
mod partition;
#[cfg(not(mutants))]
mod simulation;
#[cfg(not(mutants))]
mod plan;
#[cfg(not(mutants))]
mod schema;
#[cfg(not(mutants))]
mod cli;
#[cfg(not(mutants))]
mod docs;
#[cfg(not(mutants))]
mod booking;
#[cfg(not(mutants))]
mod mutants;
#[cfg(not(mutants))]
mod tidy;
