//! The past of an id: how an instance stood at an instant, and the lives that its id had before.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use saga::engine::{ReplyTo, Run, Start, Summary};
use saga::http::history::of_record;
use saga::runtime::{self, Error, Life, Onlooker, Options, Orchestrator, Row, Serve};
use saga::time::Timestamp;
use saga::wire::{Ask, Request};

use super::house::{BOOKING, Cast, INPUT, Says, instance, json, request, run, start};

/// With a cast, and with ended instances forgotten at once: their ids may be used again.
async fn open_forgetful(directory: &Path, cast: &Arc<Cast>) -> Orchestrator {
    let options = Options { remember: Duration::ZERO, ..Options::default() };
    let orchestrator = Orchestrator::open(directory, &options).await.unwrap();
    orchestrator.deploy("booking.saga", BOOKING).await.unwrap();
    for topic in ["hotels.commands", "payments.commands"] {
        runtime::serve(orchestrator.directory().unwrap(), &Arc::from(topic), Arc::clone(cast) as Arc<dyn Serve>);
    }
    orchestrator
}

/// A directory where the id `order-1` had two lives: one that was taken back, then one that completed.
pub(crate) async fn lived_twice(directory: &Path) -> Vec<Row> {
    for cast in [Cast::new([("Charge", Says::Fails("declined"))]), Cast::new([])] {
        let orchestrator = open_forgetful(directory, &cast).await;
        run(&orchestrator, "order-1").await;
        orchestrator.close().await;
    }
    let orchestrator = open_forgetful(directory, &Cast::new([])).await;
    let lives = orchestrator.lives(&instance("order-1")).await.unwrap();
    orchestrator.close().await;
    lives
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_has_all_of_its_lives_the_newest_first() {
    let directory = tempfile::tempdir().unwrap();
    let lives = lived_twice(directory.path()).await;
    let states: Vec<Summary> = lives.iter().map(|row| row.state).collect();
    assert_eq!(states, [Summary::Completed, Summary::Compensated]);
    assert!(lives[0].run > lives[1].run && lives[0].first > lives[1].last);

    let id = instance("order-1");
    let beside = Onlooker::open(directory.path()).await.unwrap();
    assert_eq!(beside.lives(&id).await.unwrap(), lives, "who only looks knows the same");
    for row in &lives {
        let life = Life::Of(row.run);
        assert_eq!(life.choose(&id, lives.clone()).unwrap(), *row);
        let shown = life.replay(row, beside.records(row), &beside.plans()).await.unwrap();
        assert_eq!((shown.instance.run, shown.instance.summary()), (row.run, row.state));
    }
    let none = Life::Of(Run(7)).choose(&id, lives.clone()).unwrap_err();
    insta::assert_snapshot!(none, @"find the run 1970-01-01T00:00:00.007Z of `order-1`: nothing of it is known, or it ended so long ago that it is forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instant_is_looked_at_in_the_life_that_the_id_had_then() {
    let directory = tempfile::tempdir().unwrap();
    let lives = lived_twice(directory.path()).await;
    let id = instance("order-1");
    let orchestrator = open_forgetful(directory.path(), &Cast::new([])).await;
    let at = |at: Timestamp| orchestrator.at_time(&id, at);
    for row in &lives {
        let first = at(row.started).await.unwrap().instance;
        assert_eq!((first.run, first.started), (row.run, row.started));
        let last = at(row.changed).await.unwrap().instance;
        assert_eq!((last.run, last.summary(), last.seq), (row.run, row.state, row.seq));
    }
    let between = at(Timestamp(lives[0].started.0 - 1)).await.unwrap().instance;
    assert_eq!(between.run, lives[1].run, "between the two it is what had ended");
    let before = at(Timestamp(lives[1].started.0 - 1)).await.unwrap_err();
    assert!(matches!(before, Error::NotBegun { began, .. } if began == lives[1].started), "{before}");
    let unknown = orchestrator.at_time(&instance("order-2"), lives[0].changed).await.unwrap_err();
    assert!(matches!(unknown, Error::Unknown { .. }), "{unknown}");
    orchestrator.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_was_refused_says_which_request_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let orchestrator = open_forgetful(directory.path(), &Cast::new([("Charge", Says::Nothing)])).await;
    start(&orchestrator, "order-1", INPUT).await;
    let reply_to = Some(ReplyTo { topic: "shop.answers".into(), partition: None, request: request("r-9") });
    let start = Start { input: json(r#"{"nights":3,"amount":"1"}"#), reply_to, traceparent: None };
    let ask = Ask::Start { saga: "booking".into(), start };
    let other = Request { id: request("r-9"), instance: instance("order-1"), ask };
    orchestrator.request(&other, "/test").await.unwrap().decision().await.unwrap();
    let mut history = orchestrator.history(&instance("order-1")).await.unwrap();
    let mut refused = None;
    while let Some(entry) = history.next().await.unwrap() {
        let shown = of_record(&entry.record, &orchestrator.plans()).unwrap();
        refused = refused.or_else(|| shown.events.into_iter().find(|event| event.event == "rejected"));
    }
    let refused = refused.unwrap();
    assert_eq!(refused.request.as_deref(), Some("r-9"));
    assert!(refused.text.starts_with("the request r-9 was refused: "), "{}", refused.text);
    orchestrator.close().await;
}
