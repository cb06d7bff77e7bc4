//! The engine: its table, and what holds for every saga under every order of events.

mod moves;
mod promises;
mod turns;
pub(crate) mod shapes;
mod walks;
