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
//! `ARCHITECTURE.md` has the picture, the invariants and the glossary.

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
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod editor;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod engine;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod model;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod wire;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod schema;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod journal;

pub mod files;
pub mod log;
pub mod runtime;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod simulation;
pub mod participant;
pub mod http;
pub mod lsp;
pub mod cli;
