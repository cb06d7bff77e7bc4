//! The owner of one partition, as a state machine without I/O.

/// The most journal records under way at once: enough to fill a group commit or a round trip to a broker.
pub const IN_FLIGHT_MAX: usize = 1_000;
