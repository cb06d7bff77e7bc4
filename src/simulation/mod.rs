//! Whole worlds in one process, in virtual time, under one seed: orchestrators that win and lose partitions, a log that
//! loses, doubles and reorders what it has not acknowledged, participants with their guards, clients, operators, clocks.
//!
//! Orchestrators are the partition tasks of [`runtime`](crate::runtime), the very ones that run in production; only their
//! log is [simulated](crate::log::simulated). A judge looks at every record, message and fact with a rule of
//! reading of its own and holds them to the properties of `docs/protocol.md`. Nothing here reads a clock or draws a random
//! number but from the seed: the same seed lives the same life, for ever.

mod cast;
mod values;
mod requests;
mod worker;
mod judge;
mod world;
mod troubles;
mod shrink;
mod load;
mod figures;

pub use self::cast::Cast;
pub use self::figures::{Asked, Figures, percentile};
pub use self::judge::{Violation, page, properties};
pub use self::load::{LOAD_MAX, Load, Rule, bear};
pub use self::shrink::{SHRINKS_MAX, Shrunk, shrink};
pub use self::troubles::{Trouble, Wanted};
#[doc(hidden)]
pub use self::worker::{Slip, Worker};
#[doc(hidden)]
pub use self::world::Wrong;
pub use self::world::{Seen, live, tell};
