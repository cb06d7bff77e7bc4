//! The rule of reading: which records of a journal count.
//!
//! They are the unbroken run behind the latest claim. Zombies, gaps, repeats and reorderings are all just misfits, and
//! the first misfit ends the run until the next claim: so safety asks nothing of whoever writes. What is no record is a
//! misfit too, unless a later record of the run says that its owner had one acknowledged there: then the log is damaged.

use super::codec::Damage;
use super::record::{Body, Record};

/// Tells of each record, read in the order of the log, whether it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    epoch: u64,
    run: Run,
    /// What ended the run, if that is no record.
    stranger: Option<u64>,
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
        Self { epoch: 0, run: Run::Ended, stranger: None }
    }

    /// For reading from a checkpoint on: its `started` record is in the current run, if it stands where it says.
    #[must_use]
    pub fn from_checkpoint(offset: u64, started: &Record) -> Option<Self> {
        let stands = matches!(started.body, Body::Started { .. }) && place(started) == Some(offset);
        if stands { Some(Self::unbroken(started.epoch, offset)) } else { None }
    }

    /// For reading from a record on that is known to count, itself included. A claim counts anyway.
    #[must_use]
    pub fn from_counting(offset: u64, record: &Record) -> Option<Self> {
        if matches!(record.body, Body::Claim { .. }) {
            return Some(Self::unbroken(offset, offset + 1));
        }
        match place(record) {
            Some(place) if place == offset => Some(Self::unbroken(record.epoch, offset + 1)),
            Some(_) | None => None,
        }
    }

    const fn unbroken(epoch: u64, next: u64) -> Self {
        Self { epoch, run: Run::Unbroken { next }, stranger: None }
    }

    /// The offset of the latest claim.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Something stands at this offset that is no record: a misfit.
    pub fn ends(&mut self, offset: u64) {
        if self.run == (Run::Unbroken { next: offset }) {
            self.stranger = Some(offset);
        }
        self.run = Run::Ended;
    }

    /// Whether the record at this offset counts. A claim does.
    ///
    /// # Errors
    /// It shows that what was taken for a stranger's was a record that counted.
    pub fn counts(&mut self, offset: u64, record: &Record) -> Result<bool, Damage> {
        if matches!(record.body, Body::Claim { .. }) {
            *self = Self::unbroken(offset, offset + 1);
            return Ok(true);
        }
        let stands = record.epoch == self.epoch && place(record) == Some(offset);
        // All before `sent` was acknowledged to its writer, at its place.
        if let Some(at) = self.stranger.filter(|at| stands && record.sent > *at) {
            return Err(Damage::Overwritten { at });
        }
        // `next` is the record's place too, so a hole in the offsets ends the run like any other gap.
        let fits = stands && self.run == (Run::Unbroken { next: offset });
        self.run = if fits { Run::Unbroken { next: offset + 1 } } else { Run::Ended };
        Ok(fits)
    }
}

/// Where a record says it stands.
fn place(record: &Record) -> Option<u64> {
    record.epoch.checked_add(record.n)
}
