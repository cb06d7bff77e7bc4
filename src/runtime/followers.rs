//! Whoever follows an instance: gets its good changes as they come.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::engine::{Event, InstanceId};
use crate::journal::record::{Body, Record};

/// What one follower may be behind: a saga rarely has more changes. One that is further behind is told so, and reads on
/// in the history.
const BEHIND_MAX: usize = 1_024;

/// A good record of the instance.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Its partition.
    pub partition: u32,
    /// Its offset in the journal.
    pub offset: u64,
    /// It.
    pub record: Arc<Record>,
}

impl Followed {
    /// Whether it is the instance's last.
    #[must_use]
    pub fn is_end(&self) -> bool {
        match &self.record.body {
            Body::Change { change, .. } => {
                change.events.iter().any(|event| matches!(event, Event::Completed { .. } | Event::Compensated))
            }
            _ => false,
        }
    }
}

/// An instance's good records from now on. Ends behind the last one of a run, when the orchestrator is closed, or when
/// its reader is more than a thousand records behind.
#[derive(Debug)]
pub struct Follow {
    records: mpsc::Receiver<Followed>,
}

impl Follow {
    /// The next record, once there is one.
    pub async fn next(&mut self) -> Option<Followed> {
        self.records.recv().await
    }
}

/// All followers.
#[derive(Debug, Default)]
pub(super) struct Followers {
    /// Spares the lock while nobody follows anything.
    count: AtomicUsize,
    by_instance: Mutex<BTreeMap<InstanceId, Vec<mpsc::Sender<Followed>>>>,
}

impl Followers {
    pub(super) fn follow(&self, id: &InstanceId) -> Follow {
        let (sender, records) = mpsc::channel(BEHIND_MAX);
        let mut followers = self.by_instance.lock().unwrap_or_else(PoisonError::into_inner);
        followers.entry(id.clone()).or_default().push(sender);
        self.count.store(followers.len(), Ordering::Relaxed);
        Follow { records }
    }

    /// A good record.
    pub(super) fn tell(&self, partition: u32, offset: u64, record: &Arc<Record>) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let Some(instance) = record.body.instance() else { return };
        let mut followers = self.by_instance.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(senders) = followers.get_mut(instance) else { return };
        let followed = Followed { partition, offset, record: Arc::clone(record) };
        // Who has gone, or is too far behind, is let go.
        senders.retain(|sender| sender.try_send(followed.clone()).is_ok());
        if senders.is_empty() || followed.is_end() {
            followers.remove(instance);
            self.count.store(followers.len(), Ordering::Relaxed);
        }
    }

    /// Lets everybody go.
    pub(super) fn end(&self) {
        self.by_instance.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
