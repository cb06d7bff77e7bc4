//! What the owner of partitions of a shared log is told, and not before it knows the definitions that it needs.
//!
//! Others deploy, too: so a partition is claimed, and a start of an unknown saga is decided, only when the definitions
//! have been read to the end that their topic has by then.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::sleep;

use super::client::{Client, ReadError};
use super::definitions;
use super::partition::Told;
use super::shared::Core;
use crate::journal::Plans;
use crate::log::{Report, Reports, Stored};
use crate::wire::{CloudEvent, attribute};

/// How long definitions that cannot be read are left alone before they are tried again.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// The kind of a start.
const START: &str = "start";

/// Where the reports of an owner's way go: on in their order, and none past one that waits for definitions.
pub(super) struct Gate {
    core: Weak<Core>,
    runtime: Handle,
    /// Of each partition, what waits; there is a task for it if it is not empty.
    held: Arc<Vec<Mutex<VecDeque<Report>>>>,
}

impl Reports for Gate {
    fn report(&self, partition: u32, reports: Vec<Report>) {
        let (Some(core), Some(slot)) = (self.core.upgrade(), self.held.get(partition as usize)) else { return };
        let mut held = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.is_empty() {
            held.extend(reports);
            return;
        }
        let mut reports = VecDeque::from(reports);
        pass(&core, partition, None, &mut reports);
        if !reports.is_empty() {
            *held = reports;
            self.runtime.spawn(hand_over(core, Arc::clone(&self.held), partition));
        }
    }
}

impl Gate {
    /// To an orchestrator's partitions.
    pub(super) fn to(core: &Arc<Core>) -> Self {
        let held = (0..core.log.partitions()).map(|_| Mutex::default()).collect();
        Self { core: Arc::downgrade(core), runtime: Handle::current(), held: Arc::new(held) }
    }
}

/// Hands over what waits, one after the other as the definitions are known.
async fn hand_over(core: Arc<Core>, held: Arc<Vec<Mutex<VecDeque<Report>>>>, partition: u32) {
    let Some(slot) = held.get(partition as usize) else { return };
    let is_empty = || slot.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
    while !is_empty() {
        core.learn().await;
        let mut held = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let known = held.pop_front();
        pass(&core, partition, known, &mut held);
    }
}

/// Hands reports over up to the first that waits for definitions, in one go; `first` does not wait any more.
fn pass(core: &Core, partition: u32, first: Option<Report>, reports: &mut VecDeque<Report>) {
    let plans = core.plans();
    let others = std::iter::from_fn(|| reports.pop_front_if(|report| !waits(&plans, report)));
    let told: Vec<Told> = first.into_iter().chain(others).map(Told::Log).collect();
    if !told.is_empty() {
        core.tell(partition, told);
    }
}

fn waits(plans: &Plans, report: &Report) -> bool {
    match report {
        Report::Assigned => true,
        Report::Records { records, .. } => records.iter().any(|stored| is_unknown(plans, stored)),
        _ => false,
    }
}

/// Whether it is a start of a saga that is not known here.
fn is_unknown(plans: &Plans, stored: &Stored) -> bool {
    let Some(event) = CloudEvent::of_type(&stored.message, attribute::REQUEST_TYPE) else { return false };
    event.get(attribute::KIND) == Some(START)
        && event.get(attribute::SAGA).is_some_and(|saga| plans.current(saga).is_none())
}

/// Up to where the definitions have been read.
pub(super) type Learned = watch::Receiver<u64>;

/// Reads definitions as others deploy them, for as long as the log is open. What was stored before `next` is known.
pub(super) fn follow(core: &Arc<Core>, mut stored: definitions::Stored, mut next: u64, learned: watch::Sender<u64>) {
    let (weak, client, topic) = (Arc::downgrade(core), Client::new(&core.log), Arc::clone(&core.topics.definitions));
    tokio::spawn(async move {
        loop {
            match client.read(&topic, 0, next).await {
                Ok((records, _)) => next = stored.take(&records).unwrap_or(next),
                Err(ReadError::Closed) => return,
                Err(error) => {
                    tracing::debug!(%error, "definitions cannot be read for now");
                    sleep(READ_AGAIN_AFTER).await;
                    if weak.strong_count() == 0 {
                        return;
                    }
                    continue;
                }
            }
            let Some(core) = weak.upgrade() else { return };
            let (plans, unusable) = stored.compile();
            if let Some(error) = unusable {
                // Whoever needs it is refused with the reason.
                tracing::error!("failed to {error}");
            }
            core.set_plans(&Arc::new(plans));
            learned.send_replace(next);
        }
    });
}
