//! Runs definitions without a world: scenarios in virtual time, on the engine that runs in production.

pub mod world;
pub mod sequence;
pub mod example;
pub mod explore;
mod outputs;
pub mod scenario;
mod unreached;
pub mod coverage;
