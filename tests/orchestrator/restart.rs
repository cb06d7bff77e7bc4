//! Closing and opening: what is under way goes on, what has ended stays known.

use saga::engine::Summary;
use saga::runtime::{Decision, Filter};

use super::house::{Cast, INPUT, Says, asked, instance, open, open_with, run, start};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let silent = Cast::new([("Charge", Says::Nothing)]);
    let orchestrator = open_with(directory.path(), &silent).await;
    for id in ["a", "b", "c"] {
        start(&orchestrator, id, INPUT).await;
    }
    asked(&silent, "Charge", 3).await;
    orchestrator.close().await;
    drop(orchestrator);

    let cast = Cast::new([]);
    let orchestrator = open(directory.path()).await;
    let mut follows: Vec<_> = ["a", "b", "c"].iter().map(|id| orchestrator.follow(&instance(id))).collect();
    for topic in ["hotels.commands", "payments.commands"] {
        saga::runtime::serve(orchestrator.directory().unwrap(), &topic.into(), cast.clone());
    }
    for follow in &mut follows {
        while follow.next().await.is_some() {}
    }
    assert_eq!(orchestrator.list(Filter::everything()).await.unwrap().counts, [(Summary::Completed, 3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_stays_known() {
    let directory = tempfile::tempdir().unwrap();
    let orchestrator = open_with(directory.path(), &Cast::new([])).await;
    run(&orchestrator, "order-1").await;
    drop(orchestrator);

    let cast = Cast::new([]);
    let orchestrator = open_with(directory.path(), &cast).await;
    assert_eq!(start(&orchestrator, "order-1", INPUT).await, Decision::Known);
    let shown = orchestrator.get(&instance("order-1")).await.unwrap();
    assert_eq!(shown.instance.summary(), Summary::Completed);
    assert!(cast.asked.lock().unwrap().iter().filter(|asked| *asked == "Charge").count() <= 1, "at most told again");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_view_is_made_anew_from_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let orchestrator = open_with(directory.path(), &Cast::new([])).await;
    for id in ["a", "b"] {
        run(&orchestrator, id).await;
    }
    let states = || Filter { states: vec![Summary::Completed], ..Filter::default() };
    let before = orchestrator.list(states()).await.unwrap();
    assert_eq!(before.rows.len(), 2);
    drop(orchestrator);
    let file = rusqlite::Connection::open(directory.path().join("saga.db")).unwrap();
    file.execute_batch("DROP TABLE instance; DROP TABLE viewed").unwrap();
    drop(file);
    let orchestrator = open(directory.path()).await;
    assert_eq!(orchestrator.list(states()).await.unwrap(), before);
}
