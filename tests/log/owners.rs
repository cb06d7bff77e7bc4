//! Who owns a partition.

use std::sync::Arc;

use saga::log::{Log, Report};

use super::probe::Probe;
use super::{Adapter, PARTITIONS};

fn owner<A: Adapter>(adapter: &A) -> Probe {
    Probe::new(|reports| adapter.own(reports))
}

fn is_assigned(at: u32, report: &Report) -> Option<u32> {
    matches!(report, Report::Assigned).then_some(at)
}

/// Until the log confirms that a partition is this owner's; it may have been told so a little early.
fn becomes(owner: &Probe, partition: u32) {
    while !owner.confirms(partition) {
        owner.inbox.take(|at, report| is_assigned(at, report).filter(|at| *at == partition));
    }
}

pub(crate) fn an_owner_is_assigned_and_confirmed<A: Adapter>(adapter: &mut A) {
    let owner = owner(adapter);
    let mut assigned: Vec<u32> = (0..PARTITIONS).map(|_| owner.inbox.take(is_assigned)).collect();
    assigned.sort_unstable();
    assert_eq!(assigned, (0..PARTITIONS).collect::<Vec<u32>>(), "each once");
    for partition in 0..PARTITIONS {
        becomes(&owner, partition);
    }
}

pub(crate) fn who_owns_nothing_is_not_confirmed<A: Adapter>(adapter: &mut A) {
    if !A::CAN.share {
        return; // then whoever has it open owns it
    }
    let first = owner(adapter);
    for partition in 0..PARTITIONS {
        first.inbox.take(|at, report| is_assigned(at, report).filter(|at| *at == partition));
        becomes(&first, partition);
    }
    let user = Probe::new(|reports| adapter.attach(reports));
    assert!(!user.confirms(0));
    assert!(first.confirms(0));
}

/// Lets an owner do what it is told, until another has been assigned something: gives that partition.
fn yields<A: Adapter>(adapter: &A, first: &Probe, second: &Probe) -> u32 {
    loop {
        let revoked = |at: u32, report: &Report| matches!(report, Report::Revoked).then_some(at);
        let (log, inbox): (&Arc<dyn Log>, _) = (&first.log, &first.inbox);
        while let Some(partition) = inbox.poll(revoked) {
            adapter.released(log, partition);
        }
        if let Some(partition) = second.inbox.poll(is_assigned) {
            return partition;
        }
        // Whatever the log has to say: a round trip each, so that this loop waits for the log.
        let _ = (first.confirms(0), second.confirms(0));
    }
}

pub(crate) fn a_former_owner_is_stale_once_another_is_confirmed<A: Adapter>(adapter: &mut A) {
    if !A::CAN.share {
        return;
    }
    let first = owner(adapter);
    for partition in 0..PARTITIONS {
        first.inbox.take(|at, report| is_assigned(at, report).filter(|at| *at == partition));
        becomes(&first, partition);
    }
    let second = owner(adapter);
    let partition = yields(adapter, &first, &second);
    becomes(&second, partition);
    assert!(!first.confirms(partition), "two owners are confirmed");
    assert!(second.confirms(partition));
    for other in (0..PARTITIONS).filter(|other| *other != partition) {
        assert!(!(first.confirms(other) && second.confirms(other)), "two owners are confirmed");
    }
}

pub(crate) fn what_an_owner_left_behind_another_takes_over<A: Adapter>(adapter: &mut A) {
    if !A::CAN.share {
        return;
    }
    let first = owner(adapter);
    for partition in 0..PARTITIONS {
        first.inbox.take(|at, report| is_assigned(at, report).filter(|at| *at == partition));
    }
    let second = owner(adapter);
    drop(first);
    for partition in 0..PARTITIONS {
        second.inbox.take(|at, report| is_assigned(at, report).filter(|at| *at == partition));
        becomes(&second, partition);
    }
}
