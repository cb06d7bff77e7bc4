//! What the owner of partitions of a shared log is told, and not before it knows the definitions that it needs.
//!
//! Others deploy, too: so a partition is claimed, and a start of an unknown saga is decided, only when the definitions
//! have been read to the end that their topic has by then.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::sleep;

use super::client::{Client, ReadError};
use super::definitions;
use super::partition::Told;
use super::shared::{Core, PartitionState};
use crate::journal::Plans;
use crate::log::{Report, Reports, Stored};
use crate::wire::header;

/// How long definitions that cannot be read are left alone before they are tried again.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// The word of a start in its header.
const START: &str = "start";

/// Where the reports of an owner's way go.
pub(super) struct Gate {
    pub(super) core: Weak<Core>,
    pub(super) runtime: Handle,
}

impl Reports for Gate {
    fn report(&self, partition: u32, reports: Vec<Report>) {
        let Some(core) = self.core.upgrade() else { return };
        let mut at_once = Vec::with_capacity(reports.len());
        for report in reports {
            match &report {
                Report::Assigned => {
                    core.set_state(partition, PartitionState::Recovering);
                    self.later(&core, partition, report);
                }
                Report::Records { records, .. } if records.iter().any(|stored| is_unknown(&core.plans(), stored)) => {
                    self.later(&core, partition, report);
                }
                Report::Stale { .. } => {
                    core.set_state(partition, PartitionState::Released);
                    at_once.push(Told::Log(report));
                }
                _ => at_once.push(Told::Log(report)),
            }
        }
        core.tell(partition, at_once);
    }
}

impl Gate {
    /// Hands a report over when the definitions are known.
    fn later(&self, core: &Arc<Core>, partition: u32, report: Report) {
        let core = Arc::clone(core);
        self.runtime.spawn(async move {
            core.learn().await;
            core.tell(partition, [Told::Log(report)]);
        });
    }
}

/// Whether it is a start of a saga that is not known here.
fn is_unknown(plans: &Plans, stored: &Stored) -> bool {
    let message = &stored.message;
    message.header(header::KIND) == Some(START)
        && message.header(header::NAME).is_some_and(|saga| plans.current(saga).is_none())
}

/// Up to where the definitions have been read.
pub(super) type Learned = watch::Receiver<u64>;

/// Reads definitions as others deploy them, for as long as the log is open.
pub(super) fn follow(core: &Arc<Core>, mut next: u64, learned: watch::Sender<u64>) {
    let (weak, client, topic) = (Arc::downgrade(core), Client::new(&core.log), Arc::clone(&core.topics.definitions));
    tokio::spawn(async move {
        loop {
            let end = match client.read(&topic, 0, next).await {
                Ok((records, _)) => records.last().map_or(next, |last| last.offset.saturating_add(1)),
                Err(ReadError::Closed) => return,
                Err(error) => {
                    tracing::debug!(%error, "definitions cannot be read for now");
                    sleep(READ_AGAIN_AFTER).await;
                    if weak.strong_count() == 0 {
                        return;
                    }
                    continue;
                }
            };
            let Some(core) = weak.upgrade() else { return };
            match relearn(&core, end).await {
                Ok(()) => {
                    next = end;
                    learned.send_replace(end);
                }
                Err(why) => {
                    tracing::error!(%why, "definitions that were deployed cannot be used here");
                    // Whoever needs them is refused with the reason.
                    next = end;
                    learned.send_replace(end);
                }
            }
        }
    });
}

async fn relearn(core: &Arc<Core>, end: u64) -> Result<(), String> {
    let client = Client::new(&core.log);
    let range = core.range(&core.topics.definitions, 0).await.map_err(|error| error.to_string())?;
    let stored = definitions::Stored::read(&client, &core.topics.definitions, range.start, end).await;
    let plans = stored.map_err(|error| error.to_string())?.compile().map_err(|error| error.to_string())?;
    core.set_plans(&Arc::new(plans));
    Ok(())
}
