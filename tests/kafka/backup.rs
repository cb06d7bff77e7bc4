//! Copies of a deployment on Kafka: a snapshot of the broker's directories, and topics that were written anew.

use saga::log::kafka::{Kafka, Settings};
use saga::log::{Outcome, Topics};

use super::broker::{own, shared};
use super::house::{FILE, House, text};
use crate::log::probe::Probe;

/// Nobody charges cards.
const CLOSED: &[&str] = &["--participant", "tickets=simulated", "--participant", "hotels=simulated"];

#[test]
fn a_restored_snapshot_of_the_broker_goes_on_from_its_instant() {
    let Some(broker) = own() else { return };
    let house = House::new(&broker);
    assert_eq!(house.run(&["deploy", FILE]).status.code(), Some(0));
    let mut server = house.serve_with(CLOSED);
    server.start("old-1");
    server.until("/instances/old-1", |_, body| body.contains(r#""at":["charge"]"#));
    broker.kill();
    let snapshot = broker.snapshot();
    broker.restart();
    // Behind the snapshot.
    server.start("new-1");
    server.until("/instances/new-1", |_, body| body.contains(r#""at":["charge"]"#));
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    broker.kill();
    broker.restore(&snapshot);
    broker.restart();
    let server = house.serve_with(&["--participants", "simulated"]);
    server.until_completed(1);
    assert_eq!(server.get("/instances/old-1").0, 200);
    assert_eq!(server.get("/instances/new-1").0, 404, "nothing of it is in the snapshot");
}

#[test]
fn a_journal_whose_offsets_were_counted_anew_tells_nothing() {
    let Some(broker) = shared() else { return };
    let (house, mirror) = (House::new(broker), House::new(broker));
    house.run_to_its_end("trip-1");
    let listed = |house: &House<'_>| text(&house.run(&["list", "--all"]));
    assert!(listed(&house).contains("trip-1"));
    // As a mirror writes it that began behind the first record of each partition.
    let settings = Settings::new(broker.address(), []).unwrap();
    let opened = [&house, &mirror].map(|house| {
        let topics = Topics::with_prefix(&house.prefix).unwrap();
        let log = Kafka::open(&settings, &topics, None).unwrap();
        (Probe::new(|reports| std::sync::Arc::new(log.attach(reports))), topics, log)
    });
    let [(from, of, _first), (to, into, _second)] = opened;
    let copy = |from_topic: &str, to_topic: &str, partition: u32, skipped: usize| {
        let (_, range) = from.last(from_topic, partition);
        for stored in from.between(from_topic, partition, range.start, range.end).into_iter().skip(skipped) {
            let sent = to.send_message(to_topic, partition, Some(partition), stored.message);
            assert!(matches!(to.outcome(sent), Outcome::At(_)));
        }
    };
    copy(&of.definitions, &into.definitions, 0, 0);
    for partition in 0..3 {
        copy(&of.journal, &into.journal, partition, 1);
    }
    assert!(listed(&mirror).contains("none"), "{}", listed(&mirror));
}
