//! Triggers on a user's own topic: each event once, whatever dies.

use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, TopicPartitionList};
use saga::log::kafka::{Raw, RawMessage, Settings};

use super::adapter::RUNTIME;
use super::broker::{Broker, Quiet, shared};
use super::house::{House, PATIENCE, Server, text};

/// The topic has another number of partitions than the deployment.
const PARTITIONS: u32 = 5;

/// A house with an order that an event starts and signals; the topic of events.
fn house(broker: &Broker) -> (House<'_>, String) {
    let house = House::new(broker);
    // Of what begins with the prefix only the deployment's own topics are kept from triggers.
    let topic = format!("{}.orders", house.prefix);
    let saga = format!(
        r#"saga order {{
  version 1
  input {{ order: string }}
  signal seen
  await seen within 1h otherwise {{ fail "unseen" }}
}}
trigger ordered {{
  on "{topic}"
  event {{ order: string }}
  start order {{ id: "order-" + event.order, input: {{ order: event.order }} }}
  signal order.seen {{ id: "order-" + event.order }}
}}
"#
    );
    std::fs::write(house.folder.path().join("order.saga"), saga).unwrap();
    RUNTIME.block_on(raw(broker).make(&topic, PARTITIONS, PATIENCE)).unwrap();
    (house, topic)
}

fn raw(broker: &Broker) -> Raw {
    Raw::open(&Settings::new(broker.address(), []).unwrap()).unwrap()
}

fn publish(broker: &Broker, topic: &str, events: impl Iterator<Item = (u32, String)>) {
    let message = |payload: String| RawMessage { key: None, headers: Vec::new(), payload: Some(payload.into_bytes()) };
    let messages: Vec<_> = events.map(|(partition, event)| (partition, message(event))).collect();
    raw(broker).send(topic, &messages).unwrap();
}

fn orders(from: u32, to: u32) -> impl Iterator<Item = (u32, String)> {
    (from..to).map(|number| (number % PARTITIONS, format!(r#"{{"order":"{number}"}}"#)))
}

/// How many events it has dealt with, by outcome.
fn counted(server: &Server, outcome: &str) -> u64 {
    let (_, metrics) = server.get("/metrics");
    let line = format!(r#"saga_trigger_events_total{{trigger="ordered",outcome="{outcome}"}} "#);
    metrics.lines().find_map(|metric| metric.strip_prefix(&line)?.parse().ok()).unwrap_or_default()
}

/// Waits until so many events are let go of: the group has committed all offsets before.
fn until_let_go(broker: &Broker, house: &House<'_>, topic: &str, count: i64) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address()).set("group.id", format!("{}.triggers.{topic}", house.prefix));
    let asking: BaseConsumer<Quiet> = config.create_with_context(Quiet).unwrap();
    let began = Instant::now();
    loop {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, i32::try_from(PARTITIONS).unwrap() - 1);
        let committed = asking.committed_offsets(list, PATIENCE);
        if let Ok(committed) = &committed {
            let places = committed.elements().into_iter().filter_map(|element| element.offset().to_raw());
            let sum: i64 = places.filter(|place| *place > 0).sum();
            if sum == count {
                return;
            }
        }
        assert!(began.elapsed() < PATIENCE, "{committed:?}");
    }
}

/// How often each order was started and signalled, by the journals.
fn facts(broker: &Broker, house: &House<'_>) -> (usize, usize) {
    let journal = format!("{}.journal", house.prefix);
    let records: Vec<String> = (0..3)
        .flat_map(|partition| raw(broker).read_all(&journal, partition).unwrap())
        .map(|message| String::from_utf8_lossy(&message.payload).into_owned())
        .collect();
    let count = |fact: &str| records.iter().map(|record| record.matches(fact).count()).sum();
    (count("\"started\":{\"saga\""), count("\"ordered\":{"))
}

#[test]
fn events_are_dealt_with_once_where_servers_are_killed() {
    let Some(broker) = shared() else { return };
    let (house, topic) = house(broker);
    for round in 0..3 {
        let mut server = house.serve_with(&["order.saga"]);
        publish(broker, &topic, orders(round * 100, (round + 1) * 100));
        // In the middle of it: what was asked for is not committed yet.
        server.until("/metrics", |_, metrics| metrics.contains(r#"saga_trigger_events_total{trigger="ordered""#));
        server.child.kill().unwrap();
        server.child.wait().unwrap();
    }
    let server = house.serve_with(&["order.saga"]);
    server.until_completed(300);
    assert_eq!(facts(broker, &house), (300, 300));
    // Those that are read again are dealt with behind that.
    until_let_go(broker, &house, &topic, 300);
    server.stop();
    // Another one reads only what is new.
    let server = house.serve_with(&["order.saga"]);
    publish(broker, &topic, orders(300, 301));
    server.until_completed(301);
    server.until("/metrics", |_, metrics| metrics.contains(r#"outcome="done"} "#));
    assert!(counted(&server, "done") <= 2, "a start and a signal: {}", counted(&server, "done"));
}

#[test]
fn a_topic_that_is_made_later_is_read_from_its_beginning() {
    let Some(broker) = shared() else { return };
    let (house, topic) = house(broker);
    let file = house.folder.path().join("order.saga");
    let later = format!("{topic}-later");
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace(&topic, &later)).unwrap();
    let server = house.serve_with(&["order.saga"]);
    assert!(server.said.contains(&format!("there is no topic {later}")), "{}", server.said);
    // Also of what was deployed before.
    let other = house.serve_with(&[]);
    assert!(other.said.contains(&format!("there is no topic {later}")), "{}", other.said);
    RUNTIME.block_on(raw(broker).make(&later, PARTITIONS, PATIENCE)).unwrap();
    publish(broker, &later, orders(0, 10));
    server.until_completed(10);
}

#[test]
fn what_cannot_be_used_is_set_aside_and_what_is_behind_it_goes_on() {
    let Some(broker) = shared() else { return };
    let (house, topic) = house(broker);
    // Triggers that are deployed while it runs are heeded.
    let server = house.serve_with(&[]);
    let deployed = house.run(&["deploy", "order.saga"]);
    assert!(
        text(&deployed).contains("order version 1: new; its triggers are those of this file now"),
        "{}",
        text(&deployed)
    );
    let again = house.run(&["deploy", "order.saga"]);
    assert!(text(&again).contains("order version 1: deployed before\n"), "{}", text(&again));
    let garbage = ["", "null", "{", r#"{"order":7}"#].map(|event| (1, event.to_owned()));
    publish(broker, &topic, garbage.into_iter().chain([(1, r#"{"order":"last"}"#.to_owned())]));
    server.until_completed(1);
    assert_eq!(counted(&server, "dead"), 4);
    let dead = raw(broker).read_all(&format!("{}.dead", house.prefix), 1).unwrap();
    let places: Vec<&str> = dead.iter().filter_map(|note| note.header("saga-offset")).collect();
    assert_eq!(places, ["1/0", "1/1", "1/2", "1/3"]);
    let reasons: Vec<&str> = dead.iter().filter_map(|note| note.header("saga-reason")).collect();
    assert!(reasons.len() == 4 && reasons.iter().all(|reason| !reason.is_empty()), "{reasons:?}");
    assert_eq!(reasons[0], "it has no value (a tombstone)");
    let refused = server.ask(&["publish", &topic, "{}"]);
    assert!(text(&refused).contains("any Kafka client"), "{}", text(&refused));
}

#[test]
fn triggers_that_are_gone_with_a_version_are_named() {
    let Some(broker) = shared() else { return };
    let (house, topic) = house(broker);
    let file = house.folder.path().join("order.saga");
    house.run(&["deploy", "order.saga"]);
    let with = std::fs::read_to_string(&file).unwrap();
    let (saga, _) = with.split_once("trigger").unwrap();
    std::fs::write(&file, saga.replace("version 1", "version 2")).unwrap();
    let deployed = text(&house.run(&["deploy", "order.saga"]));
    let gone = format!("; this file has no triggers, so `ordered` on {topic} is read for it no more\n");
    assert!(deployed.contains(&gone), "{deployed}");
    std::fs::write(&file, with.replace("version 1", "version 3")).unwrap();
    let again = text(&house.run(&["deploy", "order.saga"]));
    assert!(again.contains("; its triggers are those of this file now\n"), "{again}");
}
