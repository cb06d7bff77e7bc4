//! A broker that dies, stands still, or is not there yet.

use std::time::Duration;

use saga::log::kafka::{Founding, Kafka, Plan, Settings};
use saga::log::{Health, Outcome, Ticket, Topics};

use super::adapter::RUNTIME;
use super::broker::{Broker, own};
use crate::log::probe::Probe;

fn deployment(broker: &Broker) -> (Settings, Topics) {
    let settings = Settings::new(broker.address(), []).unwrap();
    let topics = Topics::default();
    let plan = Plan { topics: topics.clone(), partitions: Some(2), replication: None, commands: Vec::new() };
    RUNTIME.block_on(Founding::begin(&settings).unwrap().make(&plan)).unwrap();
    (settings, topics)
}

fn user(log: &Kafka) -> Probe {
    Probe::new(|reports| std::sync::Arc::new(log.attach(reports)))
}

#[test]
fn a_broker_that_dies_and_comes_back_loses_nothing() {
    let Some(broker) = own() else { return };
    let (settings, topics) = deployment(&broker);
    let log = Kafka::open(&settings, &topics, None).unwrap();
    let one = user(&log);
    let mut sent: Vec<(String, Ticket)> = Vec::new();
    let mut acknowledged: Vec<(u64, String)> = Vec::new();
    for round in 0..3 {
        let begin = |n: u32| {
            let payload = format!("{round} {n}");
            (payload.clone(), one.send(&topics.journal, 0, &payload))
        };
        sent.extend((0..200).map(begin));
        if round == 1 {
            broker.kill();
            // Nothing of this can have been taken before, and it waits.
            let late = begin(200);
            while log.health() == Health::Writing {
                std::thread::yield_now();
            }
            broker.restart();
            sent.push(late);
        }
        for (payload, ticket) in sent.drain(..) {
            match one.outcome(ticket) {
                Outcome::At(offset) => acknowledged.push((offset, payload)),
                Outcome::Unknown => assert_eq!(round, 1, "nothing else went wrong"),
                Outcome::Refused(why) => panic!("{why}"),
            }
        }
    }
    assert!(acknowledged.len() >= 400);
    while log.health() != Health::Writing {
        std::thread::yield_now();
    }
    let (last, range) = one.last(&topics.journal, 0);
    assert_eq!(last.unwrap().offset + 1, range.end);
    let there = one.between(&topics.journal, 0, 0, range.end);
    for (offset, payload) in acknowledged {
        let stored = &there[usize::try_from(offset).unwrap()];
        assert_eq!((stored.offset, &*stored.message.payload), (offset, payload.as_bytes()));
    }
}

#[test]
fn a_broker_that_stands_still_is_waited_for() {
    let Some(broker) = own() else { return };
    let (settings, topics) = deployment(&broker);
    let log = Kafka::open(&settings, &topics, None).unwrap();
    let one = user(&log);
    let read = one.ask_read(&topics.requests, 0, 0);
    broker.pause();
    let sent = one.send(&topics.requests, 0, "late");
    broker.resume();
    assert_eq!(one.outcome(sent), Outcome::At(0));
    assert_eq!(&*one.finish(read, &topics.requests, 0, 0).unwrap()[0].message.payload, b"late");
}

#[test]
fn a_broker_that_is_not_there_yet_is_waited_for() {
    let Some(broker) = own() else { return };
    let (settings, topics) = deployment(&broker);
    broker.kill();
    let hurried = Kafka::open(&settings, &topics, Some(Duration::ZERO)).err().unwrap().to_string();
    assert!(
        hurried.starts_with("open the log on Kafka at 127.0.0.1:") && hurried.contains("cannot be reached"),
        "{hurried}"
    );
    let opening = std::thread::spawn(move || Kafka::open(&settings, &topics, None).map(|log| log.partitions()));
    broker.restart();
    assert_eq!(opening.join().unwrap().unwrap(), 2);
}
