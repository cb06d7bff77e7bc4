//! Where reports go, and reports on their way there.
//!
//! Reports are gathered while the log's lock is held and delivered after it is let go, so that a receiver may submit
//! requests at once.

use std::fmt;
use std::sync::Arc;

use crate::log::{Report, Reports};

/// Somebody who uses the log.
pub(super) struct Endpoint(pub(super) Arc<dyn Reports>);

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Endpoint")
    }
}

/// Reports to be delivered.
#[derive(Debug, Default)]
pub(super) struct Outbox(Vec<(Arc<Endpoint>, u32, Vec<Report>)>);

impl Outbox {
    pub(super) fn push(&mut self, endpoint: &Arc<Endpoint>, home: u32, report: Report) {
        // Few receivers at once, and mostly the one of the report before: a search from the end is the fastest map.
        let known =
            self.0.iter_mut().rev().find(|(known, partition, _)| *partition == home && Arc::ptr_eq(known, endpoint));
        match known {
            Some((_, _, reports)) => reports.push(report),
            None => self.0.push((Arc::clone(endpoint), home, vec![report])),
        }
    }

    /// How many reports there are.
    #[cfg(feature = "kafka")]
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|(_, _, reports)| reports.len()).sum()
    }

    /// Delivers all. The log's lock must not be held.
    pub(super) fn deliver(self) {
        for (endpoint, home, reports) in self.0 {
            endpoint.0.report(home, reports);
        }
    }
}
