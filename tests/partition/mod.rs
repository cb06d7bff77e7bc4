//! The partition task: under a simulated world with a seed, and alone with a script.
//!
//! `SAGA_SEEDS=100000 cargo test --release partition::seeds` tries more seeds; a seed that fails is printed with the
//! command that repeats it.

mod judge;
mod participants;
mod saga;
mod scripts;
mod seeds;
mod world;
