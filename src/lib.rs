//! A declarative saga engine: a small typed language is compiled to a step graph with compensations, and a runtime
//! runs that graph over a log.
//!
//! Data flows one way, and every module knows only those above it in this list:
//!
//! * pure, without a clock, randomness or I/O: [`source`], [`diagnostic`], [`syntax`], [`definition`], [`check`], [`plan`],
//!   [`editor`], [`engine`], [`model`], [`wire`], [`schema`], [`journal`]
//! * bytes, clocks and tasks: [`files`], [`log`], [`runtime`], [`participant`], [`http`], [`lsp`]
//! * and pure again, although it drives the runtime: [`simulation`]
//!
//! `ARCHITECTURE.md` has the picture, the invariants and the glossary. With `--cfg mutants` only the layers are built
//! that a mutant of the engine is tried with (`.cargo/mutants.toml`).

#![deny(clippy::print_stdout, clippy::print_stderr)] // data and remarks go through `cli::out`, which knows pipes

#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod source;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod diagnostic;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod time;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod json;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod syntax;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod definition;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod check;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod plan;
#[cfg(not(mutants))]
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod editor;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod engine;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod model;
#[cfg(not(mutants))]
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod wire;
#[cfg(not(mutants))]
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod schema;
#[cfg(not(mutants))]
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod journal;

pub mod files;
#[cfg(not(mutants))]
pub mod log;
#[cfg(not(mutants))]
pub mod runtime;
#[cfg(not(mutants))]
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod simulation;
#[cfg(not(mutants))]
pub mod participant;
#[cfg(not(mutants))]
pub mod http;
#[cfg(not(mutants))]
pub mod lsp;
#[cfg(not(mutants))]
pub mod cli;
