//! Users of the embedded log.

use std::path::Path;
use std::sync::Arc;

use saga::log::embedded::{Embedded, Options};

pub(crate) use crate::log::probe::{Probe, Refused};

pub(crate) fn open(directory: &Path) -> Embedded {
    Embedded::open(directory, &Options::default()).unwrap()
}

/// Somebody who reads and appends.
pub(crate) fn user(log: &Embedded) -> Probe {
    Probe::new(|reports| Arc::new(log.attach(reports)))
}
