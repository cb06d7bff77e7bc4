//! Bookings by real services, all of which, `saga` included, are killed again and again.

mod processes;
mod world;
mod by_hand;
mod chaos;

#[cfg(feature = "kafka")]
pub(crate) use processes::booking;
#[cfg(feature = "kafka")]
pub(crate) use world::{Dice, setting};
