//! A trace of each saga, for a collector that speaks OTLP: the feature `otlp`.
//!
//! ```text
//!   the start's traceparent
//!     +-- booking                       from the start to the end; parent: who started it
//!           +-- reserve_room            attempt 1: from the call to its outcome
//!           |     +-- …                 what the participant adds, since its traceparent names this span
//!           +-- reserve_room            attempt 2
//!           +-- undo reserve_room       its compensation
//! ```
//!
//! Spans are made of good records, so they say what counts. All ids follow from the instance, its run, the step and the
//! number of the attempt: what is repeated after a crash is the same span, whoever's partition it is, and whatever the
//! process that began it did not live to tell.
//!
//! It stands beside the partitions' tasks and changes nothing in them: [`Traced`] hears what their watcher hears, and
//! [`Way`] looks at what they hand to the log.

mod export;
mod ids;
mod open;
mod watch;

pub use export::{Export, TracesError, begin};
pub(super) use watch::{OPEN_MAX, traced};
