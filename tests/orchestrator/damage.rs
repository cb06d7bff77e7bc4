//! Records that are not what was written: what is given up for them, and that everything else goes on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use saga::engine::{InstanceId, Start, Summary};
use saga::log::embedded::{Embedded, Options};
use saga::log::{DEAD, Outcome, REQUESTS, partition_of};
use saga::runtime::partition::Signed;
use saga::runtime::{Client, Error, PartitionState};
use saga::wire::{self, Ask, Request};

use super::house::{Cast, INPUT, instance, json, open, open_with, request, run};

/// Flips the checksum of a topic's last batch, or of all.
fn damage(directory: &Path, topic: &str, which: &str) {
    let file = Connection::open(directory.join("saga.db")).unwrap();
    let of = format!("lane IN (SELECT id FROM lane WHERE topic = '{topic}')");
    let changed = file.execute(&format!("UPDATE batch SET crc = crc + 1 WHERE {of} AND {which}"), []).unwrap();
    assert!(changed > 0, "there is something to damage");
}

/// Puts a start into the log while nobody runs: a batch of its own.
async fn ask(directory: &Path, id: &InstanceId) {
    let log = Embedded::open(directory, &Options::default()).unwrap();
    let start = Start { input: json(INPUT), reply_to: None, traceparent: None };
    let ask = Ask::Start { saga: "booking".into(), start };
    let message = wire::request(&Request { id: request(id.as_str()), instance: id.clone(), ask }, "/test");
    let partition = partition_of(id.as_str(), log.layout().partitions);
    let outcome = Client::new(&log).append(&Arc::from(REQUESTS), partition, message).await;
    assert!(matches!(outcome, Outcome::At(_)), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_command_is_set_aside_and_those_behind_it_are_served() {
    let directory = tempfile::tempdir().unwrap();
    let orchestrator = open_with(directory.path(), &Cast::new([])).await;
    run(&orchestrator, "a").await;
    orchestrator.close().await;
    damage(directory.path(), "hotels.commands", "1");
    let orchestrator = open_with(directory.path(), &Cast::new([])).await;
    run(&orchestrator, "a-2").await;
    let shown = orchestrator.get(&instance("a-2")).await.unwrap();
    assert_eq!(shown.instance.summary(), Summary::Completed);
    let notes: u64 = (0..2).map(|partition| orchestrator.directory().unwrap().range(DEAD, partition).end).sum();
    assert!(notes > 0, "it is said in saga.dead");
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_requests_stop_their_partition_until_the_loss_is_accepted() {
    let directory = tempfile::tempdir().unwrap();
    open_with(directory.path(), &Cast::new([])).await.close().await;
    let lost = instance("lost");
    let partition = partition_of("lost", 2);
    let of_the_same = |id: &String| partition_of(id, 2) == partition;
    let kept = instance(&(0..100).map(|number| format!("kept-{number}")).find(of_the_same).unwrap());
    ask(directory.path(), &lost).await;
    ask(directory.path(), &kept).await;
    damage(directory.path(), REQUESTS, "first = 0");

    let orchestrator = open_with(directory.path(), &Cast::new([])).await;
    // It stops at the first read of its requests, which may be behind the opening.
    let stops = async {
        loop {
            if let PartitionState::Stopped { why, is_gap: true } = &orchestrator.partitions()[partition as usize] {
                break why.to_string();
            }
            tokio::task::yield_now().await;
        }
    };
    let why = tokio::time::timeout(Duration::from_mins(1), stops).await.expect("it stops");
    assert!(why.contains("to do without 1 inputs, accept the loss with `saga accept-gap"), "{why}");
    let mut follow = orchestrator.follow(&kept);
    orchestrator.accept_gap(partition, Signed::default()).await.unwrap();
    while follow.next().await.is_some() {}
    assert!(matches!(orchestrator.get(&lost).await, Err(Error::Unknown { .. })));
    assert!(matches!(orchestrator.accept_gap(partition, Signed::default()).await, Err(Error::NoGap { .. })));
    orchestrator.close().await;
    // It is journaled: nobody is asked again.
    let orchestrator = open(directory.path()).await;
    assert!(orchestrator.partitions().iter().all(|state| matches!(state, PartitionState::Running { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_journal_is_refused_and_never_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let orchestrator = open_with(directory.path(), &Cast::new([])).await;
    run(&orchestrator, "a").await;
    orchestrator.close().await;
    // Not the last batch, which opening reads first.
    damage(directory.path(), "saga.journal", "first = 1");
    let Err(error) = saga::runtime::Orchestrator::open(directory.path(), &saga::runtime::Options::default()).await
    else {
        panic!("it must be refused");
    };
    assert!(error.to_string().contains("the checksum of offsets"), "{error}");
}
