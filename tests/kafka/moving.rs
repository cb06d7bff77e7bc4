//! Records in the wrong partition, journals that are cut, groups by KIP-848.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use saga::engine::InstanceId;
use saga::json::Json;
use saga::log::kafka::{Kafka, Raw, RawMessage, Settings};
use saga::log::{Site, Topics, partition_of};
use saga::runtime::{Client, Error, Options, Orchestrator};
use serde_json::{Value, json};

use super::adapter::RUNTIME;
use super::broker::shared;
use super::house::{FILE, House, INPUT, text};

/// A start as a service writes it to the topic itself.
fn start(id: &str) -> RawMessage {
    let event = json!({
        "specversion": "1.0", "type": "saga.request.v1", "id": id, "source": "/shop", "instance": id, "kind": "start",
        "saga": "booking", "data": serde_json::from_str::<Value>(INPUT).unwrap(),
    });
    RawMessage { key: Some(id.as_bytes().to_vec()), headers: vec![], payload: Some(event.to_string().into_bytes()) }
}

#[test]
fn a_request_in_the_wrong_partition_is_forwarded_once() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let raw = Raw::open(&Settings::new(broker.address(), []).unwrap()).unwrap();
    let server = house.serve(&["--participants", "simulated"]);
    let requests = format!("{}.requests", house.prefix);
    let wrong = |id: &str| (partition_of(id, 3) + 1) % 3;
    // As a client writes it that knows nothing of keys.
    let keyless = RawMessage { key: None, ..start("keyless") };
    raw.send(&requests, &[(wrong("astray"), start("astray")), (wrong("keyless"), keyless)]).unwrap();
    server.until_completed(2);
    assert!(["astray", "keyless"].iter().all(|id| text(&server.ask(&["show", id])).contains("completed")));
    // One that was forwarded already goes nowhere else: it would go round for ever.
    let mut again = start("round");
    again.headers.push(("saga-forwarded".to_owned(), Some(b"0/7".to_vec())));
    raw.send(&requests, &[(wrong("round"), again)]).unwrap();
    let dead = format!("{}.dead", house.prefix);
    let is_there = || raw.read_all(&dead, wrong("round")).unwrap().iter().any(|message| &*message.key == "round");
    while !is_there() {}
    assert_eq!(server.ask(&["show", "round"]).status.code(), Some(6));
}

#[test]
fn a_journal_is_cut_at_a_checkpoint_and_recovered_from_there() {
    let Some(broker) = shared() else { return };
    let house = House::unmade(broker);
    assert!(house.run(&["init", "--partitions", "1", FILE]).status.success());
    assert!(house.run(&["deploy", FILE]).status.success());
    let (settings, topics) =
        (Settings::new(broker.address(), []).unwrap(), Topics::with_prefix(&house.prefix).unwrap());
    let log = Arc::new(Kafka::open(&settings, &topics, None).unwrap());
    // Nothing is kept that recovery does not need.
    let options = Options { owner: "a test".to_owned(), retain: Duration::ZERO, ..Options::default() };
    let site = Arc::clone(&log) as Arc<dyn Site>;
    let orchestrator = RUNTIME.block_on(Orchestrator::join(site, &options)).unwrap();
    let traveller = "x".repeat(500_000);
    let input = INPUT.replace("ana", &traveller);
    let starts = || {
        let (tell, told) = std::sync::mpsc::channel();
        log.range(&topics.journal, 0, Box::new(move |range| tell.send(range).unwrap()));
        told.recv().unwrap().unwrap().start
    };
    let mut begun = BTreeSet::new();
    while starts() == 0 {
        assert!(begun.len() < 200, "a checkpoint comes after 8 MiB, and then the records before it go");
        let id = format!("b-{:03}", begun.len());
        let asked = orchestrator.start(
            "booking",
            Some(id.as_str().try_into().unwrap()),
            Json::parse(input.clone()).unwrap(),
            None,
        );
        let (_, accepted) = RUNTIME.block_on(asked).unwrap();
        assert!(RUNTIME.block_on(accepted.decision()).is_some());
        begun.insert(id);
    }
    RUNTIME.block_on(orchestrator.close());
    // Another one has only what is left, and knows all of them.
    let server = house.serve(&["--participants", "simulated"]);
    server.until_completed(begun.len());
}

/// Of two reads of one client only the latest is answered: whoever looked first waited for ever, and an order with him.
#[test]
fn many_ask_at_once_for_what_nobody_has_decided() {
    let Some(broker) = shared() else { return };
    let house = House::unmade(broker);
    assert!(house.run(&["init", "--partitions", "1", FILE]).status.success());
    assert!(house.run(&["deploy", FILE]).status.success());
    let raw = Raw::open(&Settings::new(broker.address(), []).unwrap()).unwrap();
    let ids: Vec<String> = (0..12).map(|number| format!("b-{number}")).collect();
    let starts: Vec<_> = ids.iter().map(|id| (0, start(id))).collect();
    raw.send(&format!("{}.requests", house.prefix), &starts).unwrap();
    let (settings, topics) =
        (Settings::new(broker.address(), []).unwrap(), Topics::with_prefix(&house.prefix).unwrap());
    let site: Arc<dyn Site> = Arc::new(Kafka::open(&settings, &topics, None).unwrap());
    // Nobody runs anything.
    let orchestrator = Arc::new(RUNTIME.block_on(Orchestrator::visit(site)).unwrap());
    let looks = ids.iter().map(|id| {
        let (orchestrator, id) = (Arc::clone(&orchestrator), InstanceId::try_from(id.as_str()).unwrap());
        RUNTIME.spawn(async move { orchestrator.get(&id).await })
    });
    for look in looks.collect::<Vec<_>>() {
        let looked = RUNTIME.block_on(look).unwrap();
        assert!(matches!(looked, Err(Error::Undecided { .. })), "{looked:?}");
    }
    RUNTIME.block_on(orchestrator.close());
}

/// Only who owns the partition can go on behind a gap, so that is whom the command asks.
#[test]
fn inputs_that_were_deleted_unread_are_listed_with_an_order_that_is_taken() {
    let Some(broker) = shared() else { return };
    let house = House::unmade(broker);
    assert!(house.run(&["init", "--partitions", "1", FILE]).status.success());
    assert!(house.run(&["deploy", FILE]).status.success());
    let settings = Settings::new(broker.address(), []).unwrap();
    let topics = Topics::with_prefix(&house.prefix).unwrap();
    let server = house.serve(&["--participants", "simulated"]);
    server.start("before");
    server.until_completed(1);
    drop(server);
    Raw::open(&settings).unwrap().send(&topics.requests, &[(0, start("lost")), (0, start("lost-too"))]).unwrap();
    let log = Arc::new(Kafka::open(&settings, &topics, None).unwrap());
    let site = Arc::clone(&log) as Arc<dyn Site>;
    let end = |of: fn(saga::log::Range) -> u64| {
        let (tell, told) = std::sync::mpsc::channel();
        log.range(&topics.requests, 0, Box::new(move |range| tell.send(range).unwrap()));
        of(told.recv().unwrap().unwrap())
    };
    let client = Client::new(&site);
    let last = end(|range| range.end);
    client.truncate(&topics.requests, 0, last);
    while end(|range| range.start) < last {}
    let listed = text(&house.run(&["list"]));
    assert!(listed.contains("stands still") && listed.contains("were deleted unread"), "{listed}");
    assert!(listed.contains("`saga accept-gap 0 --server URL` of the `saga serve`"), "{listed}");
    let server = house.serve(&["--participants", "simulated"]);
    // Once the partition is its own.
    while !server.ask(&["accept-gap", "0"]).status.success() {}
    server.start("behind");
    server.until_completed(2);
}

#[test]
fn sagas_run_with_groups_by_kip_848() {
    let Some(broker) = shared() else { return };
    let house = House::with_new_groups(broker);
    let mut first = house.serve(&["--participant", "tickets=simulated", "--participant", "hotels=simulated"]);
    let ids: Vec<String> = (0..6).map(|number| format!("order-{number}")).collect();
    for id in &ids {
        first.start(id);
    }
    let second = house.serve(&["--participants", "simulated"]);
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    second.until_completed(ids.len());
    house.run_to_its_end("order-6");
    // What this protocol leaves to the broker is refused before anything runs, and named.
    let refused = house.run(&["run", FILE, "--participants", "simulated", "--kafka-config", "session.timeout.ms=3000"]);
    assert_eq!(refused.status.code(), Some(7), "{}", text(&refused));
    assert!(text(&refused).contains("session.timeout.ms"), "{}", text(&refused));
}
