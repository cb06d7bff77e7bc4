//! The journal: what its records are, how they are written, read and replayed.

pub mod record;
