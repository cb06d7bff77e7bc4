//! What runs sagas over a log.

pub mod partition;
