//! Partitions of a log that several processes share, as they are assigned.

use std::sync::Arc;

use saga::log::{Report, Site};
use saga::runtime::partition::Signed;
use saga::runtime::{Error, Options, Orchestrator, PartitionState};

use super::house::{BOOKING, INPUT, start};
use crate::log::wrapped::Wrapped;

/// A log that says of itself that it is shared, and one who has joined it.
async fn joined() -> (tempfile::TempDir, Arc<Wrapped>, Orchestrator) {
    let directory = tempfile::tempdir().unwrap();
    let mut log = Wrapped::new(directory.path(), 1);
    log.is_shared = true;
    let log = Arc::new(log);
    let orchestrator = Orchestrator::join(Arc::clone(&log) as Arc<dyn Site>, &Options::default()).await.unwrap();
    (directory, log, orchestrator)
}

/// A member of a group that was thought lost comes back before its tasks have finished: what runs goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_is_assigned_again_while_it_runs_takes_requests() {
    let (_directory, log, orchestrator) = joined().await;
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

/// Whoever is asked to let a partition of another process go on says whose it is, and not that it does not stand still.
#[tokio::test(flavor = "multi_thread")]
async fn a_loss_in_a_partition_of_another_process_is_accepted_there() {
    let (_directory, log, orchestrator) = joined().await;
    while !matches!(orchestrator.partitions()[..], [PartitionState::Running { .. }]) {
        tokio::task::yield_now().await;
    }
    let ours = orchestrator.accept_gap(0, Signed::default()).await.unwrap_err();
    assert!(matches!(ours, Error::NoGap { partition: 0 }), "{ours}");
    let owner = log.owner.lock().unwrap().clone().unwrap();
    owner.report(0, vec![Report::Revoked]);
    while !matches!(orchestrator.partitions()[..], [PartitionState::Released]) {
        tokio::task::yield_now().await;
    }
    let elsewhere = orchestrator.accept_gap(0, Signed::default()).await.unwrap_err();
    assert!(matches!(elsewhere, Error::NotOwned { partition: 0 }), "{elsewhere}");
    orchestrator.close().await;
}
