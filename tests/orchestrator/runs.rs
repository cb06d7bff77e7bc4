//! One process: sagas run, are refused, taken back, cancelled, listed, shown.

use saga::engine::{Event, Order, OrderRequest, Phase, Refusal, Summary};
use saga::journal::record::Body;
use saga::runtime::{Decision, Error, Filter};

use super::house::{Cast, INPUT, Says, asked, instance, json, open_with, request, run, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_saga_runs_to_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let cast = Cast::new([]);
    let orchestrator = open_with(directory.path(), &cast).await;
    let records = run(&orchestrator, "order-1").await;
    assert_eq!(*cast.asked.lock().unwrap(), ["ReserveRoom", "Charge", "ConfirmRoom"]);
    assert!(records.is_sorted_by_key(|followed| followed.offset));

    let shown = orchestrator.get(&instance("order-1")).await.unwrap();
    let Phase::Completed(output) = &shown.instance.phase else { panic!("{:?}", shown.instance.phase) };
    assert_eq!(output.get(), r#"{"receipt":"r1"}"#);
    let row = orchestrator.row(&instance("order-1")).await.unwrap();
    assert_eq!((row.state, row.saga.as_str(), row.seq), (Summary::Completed, "booking", 4));
    assert_eq!(row.last, records.last().unwrap().offset);
    orchestrator.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_payment_takes_the_room_back() {
    let directory = tempfile::tempdir().unwrap();
    let cast = Cast::new([("Charge", Says::Fails("declined"))]);
    let orchestrator = open_with(directory.path(), &cast).await;
    run(&orchestrator, "order-1").await;
    assert_eq!(*cast.asked.lock().unwrap(), ["ReserveRoom", "Charge", "CancelRoom"]);
    let shown = orchestrator.get(&instance("order-1")).await.unwrap();
    assert_eq!(shown.instance.failure().unwrap().code, "declined");
    let metrics = orchestrator.metrics().await;
    for line in [
        r#"saga_started_total{saga="booking"} 1"#,
        r#"saga_ended_total{saga="booking",outcome="compensated"} 1"#,
        r#"saga_ended_total{saga="booking",outcome="completed"} 0"#,
    ] {
        assert!(metrics.lines().any(|metric| metric == line), "{line} in {metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_start_is_known_and_another_input_a_conflict() {
    let directory = tempfile::tempdir().unwrap();
    let cast = Cast::new([("Charge", Says::Nothing)]);
    let orchestrator = open_with(directory.path(), &cast).await;
    assert_eq!(start(&orchestrator, "order-1", INPUT).await, Decision::Changed);
    assert_eq!(start(&orchestrator, "order-1", INPUT).await, Decision::Known);
    let Decision::Rejected(rejection) = start(&orchestrator, "order-1", r#"{"nights":3,"amount":"1"}"#).await else {
        panic!("another input under the same id")
    };
    assert_eq!(rejection.code, Refusal::Conflict);
    let Decision::Rejected(rejection) = start(&orchestrator, "order-2", r#"{"nights":"two"}"#).await else {
        panic!("an input that does not fit")
    };
    assert_eq!(rejection.code, Refusal::InvalidInput);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saga_that_is_not_there_is_named_with_its_neighbour() {
    let directory = tempfile::tempdir().unwrap();
    let orchestrator = open_with(directory.path(), &Cast::new([])).await;
    let error = orchestrator.start("bookign", None, json(INPUT), None).await.unwrap_err();
    insta::assert_snapshot!(error, @"start saga `bookign`: none of that name is deployed; did you mean `booking`?");
    let error = orchestrator.get(&instance("order-9")).await.unwrap_err();
    insta::assert_snapshot!(error, @"find the instance `order-9`: there is none of this id, or it ended so long ago that it is forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_takes_back_and_is_refused_behind_the_point_of_no_return() {
    let directory = tempfile::tempdir().unwrap();
    let cast = Cast::new([("ReserveRoom", Says::Nothing)]);
    let orchestrator = open_with(directory.path(), &cast).await;
    start(&orchestrator, "order-1", INPUT).await;
    let cancel = |id: &str| OrderRequest { request: request(id), order: Order::Cancel, by: None, reason: None };
    let order = |id: &'static str| {
        let orchestrator = &orchestrator;
        async move { orchestrator.order(&instance("order-1"), cancel(id), None).await.unwrap().decision().await.unwrap() }
    };
    assert_eq!(order("c1").await, Decision::Changed);
    assert_eq!(order("c1").await, Decision::Known, "the same order once more");
    let shown = orchestrator.get(&instance("order-1")).await.unwrap();
    assert_eq!(shown.instance.summary(), Summary::Compensating);
    assert_eq!(orchestrator.row(&instance("order-1")).await.unwrap().state, Summary::Compensating);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_has_live_ones_stalest_first() {
    let directory = tempfile::tempdir().unwrap();
    let cast = Cast::new([("Charge", Says::Nothing)]);
    let orchestrator = open_with(directory.path(), &cast).await;
    for id in ["a", "b", "c"] {
        start(&orchestrator, id, INPUT).await;
        asked(&cast, "Charge", 1).await;
    }
    let rows = orchestrator.list(Filter { limit: Some(2), ..Filter::default() }).await.unwrap().rows;
    assert_eq!(rows.len(), 2);
    assert!(rows.is_sorted_by_key(|row| row.changed));
    assert!(rows.iter().all(|row| row.state == Summary::Running));
    let none = Filter { states: vec![Summary::Stuck, Summary::Completed], ..Filter::default() };
    assert_eq!(orchestrator.list(none).await.unwrap().rows, []);
    assert_eq!(orchestrator.list(Filter::everything()).await.unwrap().counts, [(Summary::Running, 3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn stuck_is_seen_in_the_list_and_gone_when_it_is_resolved() {
    let directory = tempfile::tempdir().unwrap();
    let cast = Cast::new([("Charge", Says::Fails("declined")), ("CancelRoom", Says::Fails("gone"))]);
    let orchestrator = open_with(directory.path(), &cast).await;
    let id = instance("order-1");
    let mut follow = orchestrator.follow(&id);
    start(&orchestrator, "order-1", INPUT).await;
    let is_stuck = |record: &saga::journal::record::Record| match &record.body {
        Body::Change { change, .. } => change.events.iter().any(|event| matches!(event, Event::Stuck { .. })),
        _ => false,
    };
    while !is_stuck(&follow.next().await.unwrap().record) {}
    let stuck = || Filter { states: vec![Summary::Stuck], ..Filter::default() };
    let rows = orchestrator.list(stuck()).await.unwrap().rows;
    assert_eq!(
        rows.iter().map(|row| (row.id.as_str(), row.stuck.join(","))).collect::<Vec<_>>(),
        [("order-1", "reserve_room".to_owned())]
    );

    let outcome = saga::engine::Outcome::Succeeded { reply: None };
    let order = Order::Resolve { step: "reserve_room".into(), work: saga::engine::Direction::Undo, outcome };
    let order = OrderRequest { request: request("r1"), order, by: Some("eva".into()), reason: None };
    assert_eq!(orchestrator.order(&id, order, None).await.unwrap().decision().await, Some(Decision::Changed));
    assert_eq!(orchestrator.list(stuck()).await.unwrap().rows, []);
    assert_eq!(orchestrator.row(&id).await.unwrap().state, Summary::Compensated);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_can_be_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let orchestrator = open_with(directory.path(), &Cast::new([])).await;
    run(&orchestrator, "order-1").await;
    let id = instance("order-1");
    let mut history = orchestrator.history(&id).await.unwrap();
    let mut sequence = Vec::new();
    while let Some(entry) = history.next().await.unwrap() {
        let Body::Change { change, .. } = entry.record.body else { panic!("only changes here") };
        sequence.push(change.seq);
    }
    assert_eq!(sequence, [1, 2, 3, 4]);
    let past = orchestrator.at_seq(&id, 2).await.unwrap();
    assert_eq!((past.instance.seq, past.instance.summary()), (2, Summary::Running));
    let start = past.instance.started;
    assert!(orchestrator.at_time(&id, start).await.unwrap().instance.seq >= 1);
    let before = orchestrator.at_time(&id, saga::time::Timestamp(start.0 - 1)).await;
    assert!(matches!(before, Err(Error::NotBegun { .. })));
}
