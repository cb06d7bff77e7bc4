//! The rule of reading: which records of a journal count.
//!
//! They are the unbroken run behind the latest claim. Zombies, gaps, repeats and reorderings are all just misfits, and
//! the first misfit ends the run until the next claim: so safety asks nothing of whoever writes.

use super::record::{Body, Record};

/// Tells of each record, read in the order of the log, whether it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    epoch: u64,
    run: Run,
}

/// The run behind the latest claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    /// Its next record has this offset.
    Unbroken {
        next: u64,
    },
    Ended,
}

impl Rule {
    /// For reading from offset 0.
    #[must_use]
    pub const fn from_the_beginning() -> Self {
        Self { epoch: 0, run: Run::Ended }
    }

    /// For reading from a checkpoint on: its `started` record is in the current run, if it stands where it says.
    #[must_use]
    pub fn from_checkpoint(offset: u64, started: &Record) -> Option<Self> {
        let stands = matches!(started.body, Body::Started { .. }) && place(started) == Some(offset);
        if stands { Some(Self { epoch: started.epoch, run: Run::Unbroken { next: offset } }) } else { None }
    }

    /// For reading from a record on that is known to count, itself included. A claim counts anyway.
    #[must_use]
    pub fn from_counting(offset: u64, record: &Record) -> Option<Self> {
        if matches!(record.body, Body::Claim { .. }) {
            return Some(Self { epoch: offset, run: Run::Unbroken { next: offset + 1 } });
        }
        match place(record) {
            Some(place) if place == offset => {
                Some(Self { epoch: record.epoch, run: Run::Unbroken { next: offset + 1 } })
            }
            Some(_) | None => None,
        }
    }

    /// The offset of the latest claim.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether the record at this offset counts. A claim does.
    pub fn counts(&mut self, offset: u64, record: &Record) -> bool {
        if matches!(record.body, Body::Claim { .. }) {
            *self = Self { epoch: offset, run: Run::Unbroken { next: offset + 1 } };
            return true;
        }
        let fits = match (self.run, place(record)) {
            // `next` is the record's place too, so a hole in the offsets ends the run like any other gap.
            (Run::Unbroken { next }, Some(place)) => record.epoch == self.epoch && place == offset && next == offset,
            (Run::Unbroken { .. }, None) | (Run::Ended, _) => false,
        };
        self.run = if fits { Run::Unbroken { next: offset + 1 } } else { Run::Ended };
        fits
    }
}

/// Where a record says it stands.
fn place(record: &Record) -> Option<u64> {
    record.epoch.checked_add(record.n)
}
