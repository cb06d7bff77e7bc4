//! The view is derived: whatever becomes of its tables, behind a recovery it says what the instances are.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use saga::engine::{Order, OrderRequest, Summary};
use saga::runtime::{self, Decision, Filter, History, Onlooker, Options, Orchestrator, Row, Serve};

use super::house::{BOOKING, Cast, INPUT, Says, asked, instance, open, open_with, request, run, start};

/// Works on the tables while nobody has them open.
fn by_hand(directory: &Path, sql: &str) {
    Connection::open(directory.join("saga.db")).unwrap().execute_batch(sql).unwrap();
}

async fn live(orchestrator: &Orchestrator) -> Vec<Row> {
    orchestrator.list(Filter::default()).await.unwrap().rows
}

/// One instance that waits at its pivot, begun before the journal was truncated to a checkpoint; its row.
async fn outlived(directory: &Path) -> Row {
    let cast = Cast::new([("Charge", Says::Nothing)]);
    let options = Options { retain: Duration::ZERO, ..Options::default() };
    let orchestrator = Orchestrator::open(directory, &options).await.unwrap();
    orchestrator.deploy("booking.saga", BOOKING).await.unwrap();
    for topic in ["hotels.commands", "payments.commands"] {
        runtime::serve(orchestrator.directory().unwrap(), &Arc::from(topic), Arc::clone(&cast) as Arc<dyn Serve>);
    }
    start(&orchestrator, "old", INPUT).await;
    asked(&cast, "Charge", 1).await;
    let row = live(&orchestrator).await.remove(0);
    // Others outgrow a checkpoint, so that the first records go.
    let note = "x".repeat(700_000);
    let input = format!(r#"{{"nights":2,"amount":"1.00","note":"{note}"}}"#);
    let mut number = 0;
    while orchestrator.directory().unwrap().range("saga.journal", row.partition).start <= row.last {
        start(&orchestrator, &format!("new-{number}"), &input).await;
        number += 1;
        assert!(number < 1_000, "the journal is truncated at some time");
    }
    orchestrator.close().await;
    row
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_lost_behind_a_truncated_journal_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let id = outlived(directory.path()).await.id;
    let before = live(&open(directory.path()).await).await;
    // Of the run itself the row may be a record behind what its participant has been asked.
    let old = before.iter().find(|row| row.id == id).unwrap();
    for damage in [
        "DROP TABLE instance",
        "DROP TABLE viewed",
        "DROP TABLE instance; DROP TABLE viewed",
        "DROP TABLE instance; CREATE TABLE instance (id, something)",
        "UPDATE instance SET state = 'odd', stuck = 7, saga = x'ff', seq = 'many'",
        "DELETE FROM instance",
        "UPDATE instance SET id = 'stranger' WHERE id = 'old'",
    ] {
        by_hand(directory.path(), damage);
        let orchestrator = open(directory.path()).await;
        let found = live(&orchestrator).await;
        let row = found.iter().find(|row| row.id == old.id).unwrap_or_else(|| panic!("{damage}: no row of {}", old.id));
        let said = |row: &Row| (row.saga.clone(), row.state, row.stuck.clone(), row.seq, row.started, row.changed);
        assert_eq!(said(row), said(old), "{damage}");
        assert_eq!(found.iter().map(said).collect::<Vec<_>>(), before.iter().map(said).collect::<Vec<_>>(), "{damage}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_comes_back_with_the_table_as_far_as_the_journal_goes() {
    let directory = tempfile::tempdir().unwrap();
    let orchestrator = open_with(directory.path(), &Cast::new([])).await;
    run(&orchestrator, "a").await;
    orchestrator.close().await;
    by_hand(directory.path(), "DROP TABLE instance");
    let orchestrator = open(directory.path()).await;
    assert_eq!(orchestrator.list(Filter::everything()).await.unwrap().counts, [(Summary::Completed, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_is_listed_by_when_it_ended_however_it_did() {
    let directory = tempfile::tempdir().unwrap();
    for (id, says) in [("a", None), ("b", Some(("Charge", Says::Fails("declined")))), ("c", None)] {
        let orchestrator = open_with(directory.path(), &Cast::new(says)).await;
        run(&orchestrator, id).await;
        orchestrator.close().await;
    }
    let orchestrator = open(directory.path()).await;
    let rows = orchestrator.list(Filter::everything()).await.unwrap().rows;
    let listed: Vec<_> = rows.iter().map(|row| (row.id.as_str(), row.state)).collect();
    let (done, undone) = (Summary::Completed, Summary::Compensated);
    assert_eq!(listed, [("c", done), ("b", undone), ("a", done)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_its_way_back_it_is_shown_so_after_a_restart_too() {
    let directory = tempfile::tempdir().unwrap();
    let cast = Cast::new([("Charge", Says::Fails("declined")), ("CancelRoom", Says::Fails("odd"))]);
    let orchestrator = open_with(directory.path(), &cast).await;
    let mut follow = orchestrator.follow(&instance("a"));
    start(&orchestrator, "a", INPUT).await;
    while live(&orchestrator).await.first().is_none_or(|row| row.state != Summary::Stuck) {
        follow.next().await.unwrap();
    }
    orchestrator.close().await;

    let silent = Cast::new([("CancelRoom", Says::Nothing)]);
    let orchestrator = open_with(directory.path(), &silent).await;
    assert_eq!(live(&orchestrator).await[0].state, Summary::Stuck);
    let order = OrderRequest { request: request("r"), order: Order::Retry { step: None }, by: None, reason: None };
    orchestrator.order(&instance("a"), order, None).await.unwrap().decision().await.unwrap();
    let row = live(&orchestrator).await.remove(0);
    assert_eq!((row.state, row.stuck.len()), (Summary::Compensating, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_not_what_was_written_is_not_believed_and_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let orchestrator = open_with(directory.path(), &Cast::new([])).await;
    run(&orchestrator, "a").await;
    let before = [orchestrator.row(&instance("a")).await.unwrap()];
    orchestrator.close().await;
    for damage in [
        "UPDATE instance SET run = run + 1",
        "UPDATE instance SET id = 'b'",
        "UPDATE instance SET saga = CAST(x'ff' AS TEXT)",
        "UPDATE instance SET state = 'compensated'",
        "UPDATE instance SET state = 'running'",
        "UPDATE instance SET first = last",
        "UPDATE instance SET crc = crc + 1",
        "UPDATE viewed SET last = last + 1000",
    ] {
        by_hand(directory.path(), damage);
        let beside = Onlooker::open(directory.path()).await.unwrap();
        match beside.list(&Filter::everything()).await {
            Ok((found, damaged)) if damaged.is_empty() => assert_eq!(found.rows, before, "{damage}"),
            Ok((found, damaged)) => {
                let said = damaged[0].to_string();
                assert!(said.contains("table `instance`") && said.contains("saga.db is damaged"), "{damage}: {said}");
                assert!(found.rows.is_empty(), "{damage}: {:?}", found.rows);
            }
            Err(error) => panic!("{damage}: {error}"),
        }
        drop(beside);
        let orchestrator = open(directory.path()).await;
        assert_eq!(orchestrator.list(Filter::everything()).await.unwrap().rows, before, "{damage}");
        orchestrator.close().await;
    }
}

/// The kinds of records that a history has.
async fn told(mut history: History) -> Vec<&'static str> {
    let mut told = Vec::new();
    while let Some(entry) = history.next().await.unwrap() {
        told.push(entry.record.body.name());
    }
    told
}

/// Cancels, which is refused.
async fn refused(orchestrator: &Orchestrator, id: &str, request_id: &str) {
    let order = OrderRequest { request: request(request_id), order: Order::Cancel, by: None, reason: None };
    let decision = orchestrator.order(&instance(id), order, None).await.unwrap().decision().await.unwrap();
    assert!(matches!(decision, Decision::Rejected(_)), "{decision:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_behind_the_last_change_are_in_the_history() {
    let directory = tempfile::tempdir().unwrap();
    let cast = Cast::new([("ConfirmRoom", Says::Nothing)]);
    let orchestrator = open_with(directory.path(), &cast).await;
    start(&orchestrator, "live", INPUT).await;
    asked(&cast, "ConfirmRoom", 1).await;
    refused(&orchestrator, "live", "r-1").await;
    // Nobody knows it: it makes no row.
    refused(&orchestrator, "unknown", "r-1").await;
    let changed = orchestrator.row(&instance("live")).await.unwrap().changed;
    assert_eq!(told(orchestrator.history(&instance("live")).await.unwrap()).await.last(), Some(&"reject"));
    // Another time, with its row in the table since long.
    refused(&orchestrator, "live", "r-2").await;
    let all = told(orchestrator.history(&instance("live")).await.unwrap()).await;
    assert_eq!(all.iter().filter(|name| **name == "reject").count(), 2, "{all:?}");
    orchestrator.close().await;
    // It is told to whoever looks beside, by an owner behind a restart, and where the table is made anew.
    for damage in ["SELECT 1", "DROP TABLE instance", "DELETE FROM instance"] {
        by_hand(directory.path(), damage);
        let beside = Onlooker::open(directory.path()).await.unwrap();
        assert_eq!(told(beside.history(&instance("live")).await.unwrap()).await, all, "{damage}");
        drop(beside);
        let orchestrator = open(directory.path()).await;
        assert_eq!(told(orchestrator.history(&instance("live")).await.unwrap()).await, all, "{damage}");
        let row = orchestrator.row(&instance("live")).await.unwrap();
        assert_eq!((row.changed, row.state), (changed, Summary::Running), "{damage}");
        assert!(orchestrator.row(&instance("unknown")).await.is_err(), "{damage}");
        orchestrator.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_behind_the_end_are_in_the_history() {
    let directory = tempfile::tempdir().unwrap();
    let orchestrator = open_with(directory.path(), &Cast::new([])).await;
    run(&orchestrator, "a").await;
    let ended = orchestrator.row(&instance("a")).await.unwrap();
    refused(&orchestrator, "a", "r-1").await;
    // Beside, while the refusal is not in the table yet: there is one row, not an old one and a new one.
    let beside = Onlooker::open(directory.path()).await.unwrap();
    let row = beside.row(&instance("a")).await.unwrap();
    assert_eq!(Row { last: ended.last, ..row.clone() }, ended, "nothing else of it moves");
    assert_eq!(beside.list(&Filter::everything()).await.unwrap().0.rows, std::slice::from_ref(&row));
    let all = told(beside.history(&instance("a")).await.unwrap()).await;
    assert_eq!(all.last(), Some(&"reject"));
    drop(beside);
    assert_eq!(orchestrator.row(&instance("a")).await.unwrap(), row);
    assert_eq!(told(orchestrator.history(&instance("a")).await.unwrap()).await, all);
    orchestrator.close().await;
    by_hand(directory.path(), "DROP TABLE instance");
    let orchestrator = open(directory.path()).await;
    assert_eq!(orchestrator.row(&instance("a")).await.unwrap(), row);
    assert_eq!(told(orchestrator.history(&instance("a")).await.unwrap()).await, all);
}
