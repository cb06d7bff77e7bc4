//! The embedded log: what it promises, and what it says when it cannot keep it.

mod file;
mod crash;
mod directory;
mod full;
mod probe;
