//! The engine: its table, and what holds for every saga under every order of events.

mod beyond;
mod many;
mod misfits;
mod moves;
mod timing;
mod told;
mod turns;
mod rest;
mod words;
mod untimed;
pub(crate) mod drawn;
pub(crate) mod shapes;
pub(crate) mod walk;
mod walks;
