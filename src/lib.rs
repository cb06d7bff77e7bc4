//! A declarative saga engine: a small typed language is compiled to a step graph with compensations, and a runtime
//! runs that graph over a log.
//!
//! Data flows one way, and every module knows only those above it in this list:
//!
//! * pure, without a clock, randomness or I/O: [`source`], [`diagnostic`], [`syntax`], [`definition`], [`plan`],
//!   [`engine`], [`journal`], [`wire`]
//! * bytes, clocks and tasks: [`log`], [`runtime`]
//!
//! `ARCHITECTURE.md` has the picture, the invariants and the glossary.

pub mod source;
pub mod diagnostic;
pub mod time;
pub mod json;
pub mod syntax;
pub mod definition;
pub mod plan;
pub mod engine;
pub mod journal;
pub mod wire;

pub mod log;
pub mod runtime;
