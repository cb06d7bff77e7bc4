//! Triggers on the embedded log: what an event begins, what is set aside, and what a crash changes, which is nothing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use saga::engine::{Event, Summary};
use saga::journal::record::Body;
use saga::log::{DEAD, Log, Outcome, REQUESTS, Request, Take, Told, partition_of};
use saga::runtime::{Client, Options, Orchestrator, Standing, Triggers};
use saga::wire::{Headers, Message};

use super::house::instance;
use crate::log::wrapped::Wrapped;

const ORDER: &str = r#"
saga order {
  version 1
  input { order: string, count: int }
  signal paid { amount: decimal }
  signal called_off
  await paid within 30d otherwise { }
  await called_off within 30d otherwise { fail "late" }
}
trigger ordered {
  on "shop.orders"
  event { kind: string, order: string, count: int }
  where event.kind == "ordered"
  start order { id: event.order, input: { order: event.order, count: event.count * 1 } }
}
trigger paid {
  on "shop.orders"
  event { kind: string, order: string, amount: decimal }
  where event.kind == "paid"
  signal order.paid { id: event.order, with: { amount: event.amount } }
}
trigger called_off {
  on "shop.calls"
  event { order: string, count: int }
  start order { id: event.order, input: { order: event.order, count: event.count } }
  signal order.called_off { id: event.order }
}
"#;

/// An orchestrator on a directory, which may not remember what it has dealt with.
async fn open(directory: &Path, remembers: bool) -> Arc<Orchestrator> {
    let mut log = Wrapped::new(directory, 2);
    if !remembers {
        log.take = Box::new(|take, _| Arc::new(Forgetful(take)));
    }
    let orchestrator = Orchestrator::join(Arc::new(log), &Options::default()).await.unwrap();
    orchestrator.deploy("order.saga", ORDER).await.unwrap();
    Arc::new(orchestrator)
}

/// As after a crash right behind the last request: nothing of what was read is let go.
struct Forgetful(Arc<dyn Take>);

impl Log for Forgetful {
    fn submit(&self, partition: u32, requests: Vec<Request>) {
        let kept = requests.into_iter().filter(|request| !matches!(request, Request::Truncate { .. }));
        self.0.submit(partition, kept.collect());
    }
}

impl Take for Forgetful {
    fn goes_on(&self, partition: u32, told: Told<u64>) {
        self.0.goes_on(partition, told);
    }
}

/// A log that hangs at requests, and what is let go of a topic.
#[derive(Clone, Default)]
struct Hanging {
    requests: Arc<AtomicUsize>,
    let_go: Arc<AtomicUsize>,
}

struct Hung(Arc<dyn Log>, Hanging);

impl Log for Hung {
    fn submit(&self, partition: u32, requests: Vec<Request>) {
        let passes = |request: &Request| match request {
            Request::Append(append) if &*append.topic == REQUESTS => {
                self.1.requests.fetch_add(1, Ordering::SeqCst);
                false
            }
            _ => true,
        };
        self.0.submit(partition, requests.into_iter().filter(passes).collect());
    }
}

struct Counted(Arc<dyn Take>, Hanging);

impl Log for Counted {
    fn submit(&self, partition: u32, requests: Vec<Request>) {
        let truncates = requests.iter().filter(|request| matches!(request, Request::Truncate { .. })).count();
        self.1.let_go.fetch_add(truncates, Ordering::SeqCst);
        self.0.submit(partition, requests);
    }
}

impl Take for Counted {
    fn goes_on(&self, partition: u32, told: Told<u64>) {
        self.0.goes_on(partition, told);
    }
}

async fn publish(orchestrator: &Orchestrator, topic: &str, event: &str) {
    let partition = partition_of("k", 2);
    let message = Message { key: "k".into(), headers: Headers::default(), payload: event.as_bytes().into() };
    let outcome = Client::new(orchestrator.log()).append(&topic.into(), partition, message).await;
    assert!(matches!(outcome, Outcome::At(_)));
}

/// The facts of an instance, once it has ended: their kinds, and of an order its request.
async fn ended(orchestrator: &Orchestrator, id: &str) -> Vec<String> {
    let id = instance(id);
    while !orchestrator.get(&id).await.is_ok_and(|shown| shown.instance.summary() == Summary::Completed) {
        tokio::task::yield_now().await;
    }
    let mut history = orchestrator.history(&id).await.unwrap();
    let mut facts = Vec::new();
    while let Some(entry) = history.next().await.unwrap() {
        if let Body::Change { change, .. } = entry.record.body {
            facts.extend(change.events.iter().filter_map(fact));
        }
    }
    facts
}

fn fact(event: &Event) -> Option<String> {
    match event {
        Event::Started { input, .. } => Some(format!("started with {input}")),
        Event::Ordered { order, by, reason, .. } => {
            Some(format!("{:?} by {} of {}", order, by.as_deref()?, reason.as_deref()?))
        }
        _ => None,
    }
}

/// What was set aside: the trigger, the place, and why.
async fn dead(orchestrator: &Arc<Orchestrator>, count: usize) -> Vec<String> {
    let client = Client::new(orchestrator.log());
    let partition = partition_of("k", 2);
    let mut notes = Vec::new();
    let mut next = 0;
    while notes.len() < count {
        for stored in client.read(&DEAD.into(), partition, next).await.unwrap().0 {
            next = stored.offset + 1;
            let header = |name: &str| stored.message.header(name).unwrap_or_default().to_owned();
            let place = format!("{} {}", header("saga-topic"), header("saga-offset"));
            let payload = String::from_utf8_lossy(&stored.message.payload).into_owned();
            notes.push(format!("{} {place}: {} {payload}", header("saga-trigger"), header("saga-reason")));
        }
    }
    notes
}

const EVENTS: [(&str, &str); 9] = [
    ("shop.orders", r#"{"kind":"shipped"}"#),
    ("shop.orders", r#"{"kind":"ordered","order":"o-1","count":2}"#),
    ("shop.orders", "no event"),
    ("shop.orders", r#"{"kind":"ordered","order":"o-1","count":3}"#),
    ("shop.orders", r#"{"kind":"ordered","order":"","count":3}"#),
    ("shop.orders", r#"{"kind":"ordered","order":"o-2","count":"many"}"#),
    ("shop.orders", r#"{"kind":"paid","order":"o-9","amount":"1.00"}"#),
    ("shop.orders", r#"{"kind":"paid","order":"o-1","amount":"7.50"}"#),
    ("shop.calls", r#"{"order":"o-1","count":2}"#),
];

#[tokio::test(flavor = "multi_thread")]
async fn events_start_and_signal_and_what_is_of_no_use_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let orchestrator = open(directory.path(), true).await;
    let triggers = Triggers::open(&orchestrator);
    for (topic, event) in EVENTS {
        publish(&orchestrator, topic, event).await;
    }
    let facts = ended(&orchestrator, "o-1").await;
    let notes = dead(&orchestrator, 5).await;
    insta::assert_snapshot!(format!("{}\n\n{}", sorted(facts).join("\n"), sorted(notes).join("\n")));
    let metrics = orchestrator.metrics().await;
    for line in [
        r#"saga_trigger_events_total{trigger="ordered",outcome="dead"} 3"#,
        r#"saga_trigger_events_total{trigger="ordered",outcome="done"} 2"#,
        r#"saga_trigger_events_total{trigger="paid",outcome="dead"} 2"#,
    ] {
        assert!(metrics.lines().any(|metric| metric == line), "{line}: {metrics}");
    }
    triggers.close().await;
    orchestrator.close().await;
}

/// What stands on two topics comes in any order.
fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort_unstable();
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_read_again_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path(), false).await;
    let triggers = Triggers::open(&first);
    for (topic, event) in EVENTS {
        publish(&first, topic, event).await;
    }
    let facts = ended(&first, "o-1").await;
    triggers.close().await;
    first.close().await;
    drop(first);

    let second = open(directory.path(), true).await;
    let triggers = Triggers::open(&second);
    publish(&second, "shop.calls", r#"{"order":"o-3","count":2}"#).await;
    // Behind all that is read again on that topic.
    publish(&second, "shop.orders", r#"{"kind":"ordered","order":"o-4","count":2}"#).await;
    for id in ["o-3", "o-4"] {
        while second.get(&instance(id)).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(ended(&second, "o-1").await, facts);
    // A signal that an instance took while it lived is not lost on it.
    let notes = dead(&second, 10).await;
    assert_eq!(notes.len(), 10, "what was of no use is set aside again: {notes:#?}");
    assert_eq!(sorted(notes[..5].to_vec()), sorted(notes[5..].to_vec()));
    assert_eq!(
        second.history(&instance("o-1")).await.unwrap().run(),
        second.get(&instance("o-1")).await.unwrap().instance.run
    );
    triggers.close().await;
    second.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_let_go_only_when_its_requests_are_in_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let hanging = Hanging::default();
    let mut log = Wrapped::new(directory.path(), 2);
    let (of_log, of_take) = (hanging.clone(), hanging.clone());
    log.attach = Box::new(move |log| Arc::new(Hung(log, of_log.clone())));
    log.take = Box::new(move |take, _| Arc::new(Counted(take, of_take.clone())));
    let first = Arc::new(Orchestrator::join(Arc::new(log), &Options::default()).await.unwrap());
    first.deploy("order.saga", ORDER).await.unwrap();
    let triggers = Triggers::open(&first);
    publish(&first, "shop.orders", EVENTS[1].1).await;
    while hanging.requests.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(hanging.let_go.load(Ordering::SeqCst), 0);
    first.close().await;
    triggers.close().await;

    let second = open(directory.path(), true).await;
    let triggers = Triggers::open(&second);
    while second.get(&instance("o-1")).await.is_err() {
        tokio::task::yield_now().await;
    }
    triggers.close().await;
    second.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_triggers_of_a_saga_are_those_that_were_deployed_last() {
    let directory = tempfile::tempdir().unwrap();
    let topics = |orchestrator: &Orchestrator| -> Vec<String> {
        orchestrator.plans().triggers().map(|trigger| format!("{} on {}", trigger.name, trigger.topic)).collect()
    };
    let all = ["ordered on shop.orders", "paid on shop.orders", "called_off on shop.calls"];
    let first = open(directory.path(), true).await;
    assert_eq!(topics(&first), all);
    first.close().await;
    drop(first);
    // They come from the log.
    let second = Orchestrator::open(directory.path(), &Options::default()).await.unwrap();
    assert_eq!(topics(&second), all);
    let (saga, _) = ORDER.split_once("trigger paid").unwrap();
    let deployed = second.deploy("order.saga", saga).await.unwrap();
    assert_eq!(deployed[0].standing, Standing::Unchanged, "a trigger is no part of what an instance does");
    assert_eq!(topics(&second), ["ordered on shop.orders"]);
    // A file that only has the saga from elsewhere says nothing of its triggers.
    second.deploy("other.saga", "saga other { version 1  sleep 1s }").await.unwrap();
    assert_eq!(topics(&second), ["ordered on shop.orders"]);
    let (saga, _) = ORDER.split_once("trigger ordered").unwrap();
    second.deploy("order.saga", saga).await.unwrap();
    second.close().await;
    drop(second);
    let third = Orchestrator::open(directory.path(), &Options::default()).await.unwrap();
    assert!(topics(&third).is_empty());
    third.close().await;
}
