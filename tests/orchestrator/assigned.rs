//! Partitions of a log that several processes share, as they are assigned.

use std::sync::Arc;

use saga::log::{Report, Site};
use saga::runtime::{Options, Orchestrator, PartitionState};

use super::house::{BOOKING, INPUT, start};
use crate::log::wrapped::Wrapped;

/// A member of a group that was thought lost comes back before its tasks have finished: what runs goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_is_assigned_again_while_it_runs_takes_requests() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = Wrapped::new(directory.path(), 1);
    log.is_shared = true;
    let log = Arc::new(log);
    let orchestrator = Orchestrator::join(Arc::clone(&log) as Arc<dyn Site>, &Options::default()).await.unwrap();
    orchestrator.deploy("booking.saga", BOOKING).await.unwrap();
    start(&orchestrator, "order-0", INPUT).await;
    let owner = log.owner.lock().unwrap().clone().unwrap();
    for number in 1..50 {
        owner.report(0, vec![Report::Assigned]);
        start(&orchestrator, &format!("order-{number}"), INPUT).await;
        assert!(matches!(orchestrator.partitions()[..], [PartitionState::Running { .. }]), "{number}");
    }
    orchestrator.close().await;
}
