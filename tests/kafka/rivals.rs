//! Nobody is simulated beside a participant that runs, and deployments that share a topic of commands keep out of each
//! other's sagas.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::broker::shared;
use super::house::{FILE, House, INPUT, PATIENCE, Server, text};

/// A participant that reads its commands itself, once it has a part of them.
pub(super) fn reader(brokers: &str, topic: &str) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", format!("{topic}.hotels"));
    reading(&config, topic)
}

/// A consumer with these settings, once it has a part of a topic.
pub(super) fn reading(config: &ClientConfig, topic: &str) -> BaseConsumer {
    let reader: BaseConsumer = config.create().unwrap();
    reader.subscribe(&[topic]).unwrap();
    let began = Instant::now();
    while reader.assignment().is_ok_and(|assigned| assigned.count() == 0) {
        assert!(began.elapsed() < PATIENCE, "it is never given anything");
        drop(reader.poll(Duration::from_millis(50)));
    }
    reader
}

#[test]
fn who_runs_is_not_simulated_and_who_is_simulated_is_not_asked_elsewhere() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let topic = format!("{}.hotel.commands", house.prefix);
    let hotels = reader(&broker.address(), &topic);
    let simulated = ["run", FILE, "--input", INPUT, "--participants", "simulated"];
    let refused = house.run(&simulated);
    assert_eq!(refused.status.code(), Some(6), "{}", text(&refused));
    let why = format!("the group {topic}.hotels reads the commands of `hotels`, {topic}: it answers itself");
    assert!(text(&refused).contains(&why), "{}", text(&refused));
    drop(hotels);
    house.run_to_its_end("b-1");
    // Those who do the same share the work.
    let server = house.serve(&["--participants", "simulated"]);
    house.run_to_its_end("b-2");
    let refused = house.run(&["run", FILE, "--input", INPUT, "--participant", "hotels=http://127.0.0.1:9/"]);
    let why = format!(
        "the group {}.bridge.{topic} reads the commands of `hotels`, {topic}: another process simulates it",
        house.prefix
    );
    assert!(text(&refused).contains(&why), "{}", text(&refused));
    server.stop();
}

/// A participant that starts anew would find that somebody has answered what it was asked.
#[test]
fn who_is_away_is_not_simulated_unless_that_is_said_by_name() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let topic = format!("{}.hotel.commands", house.prefix);
    let hotels = reader(&broker.address(), &topic);
    let mut handled = TopicPartitionList::new();
    handled.add_partition_offset(&topic, 0, Offset::Offset(0)).unwrap();
    hotels.commit(&handled, CommitMode::Sync).unwrap();
    drop(hotels);
    let simulated = ["run", FILE, "--input", INPUT, "--participants", "simulated"];
    let refused = house.run(&simulated);
    assert_eq!(refused.status.code(), Some(6), "{}", text(&refused));
    let away = format!("the group {topic}.hotels has read the commands of `hotels`, {topic}, and has no member now");
    for said in [&*away, "said by name: --participant hotels=simulated"] {
        assert!(text(&refused).contains(said), "{}", text(&refused));
    }
    let named = house.run(&[&simulated[..], &["--participant", "hotels=simulated"]].concat());
    assert!(named.status.success() && text(&named).contains(&away), "{}", text(&named));
    // A bridge's group is the same whatever it carries: what it has committed tells.
    let other = House::new(broker);
    other.write_desk();
    let server = other.serve(&["--participant", "tickets=process:sh desk.sh", "--participants", "simulated"]);
    server.start("b-1");
    server.until_completed(1);
    server.stop();
    let refused = other.run(&simulated);
    let topic = format!("{}.ticket.commands", other.prefix);
    let away = format!(
        "the group {}.bridge.{topic} has passed on the commands of `tickets`, {topic}, to process:sh",
        other.prefix
    );
    assert!(refused.status.code() == Some(6) && text(&refused).contains(&away), "{}", text(&refused));
    // Once by its name is not for good.
    let named = other.run(&[&simulated[..], &["--participant", "tickets=simulated"]].concat());
    assert!(named.status.success() && text(&named).contains(&away), "{}", text(&named));
    assert_eq!(other.run(&simulated).status.code(), Some(6));
    let again = ["--participant", "tickets=process:sh desk.sh"];
    assert!(other.run(&[&simulated[..], &again].concat()).status.success());
}

#[test]
fn deployments_that_share_topics_of_commands_answer_their_own_alone() {
    let Some(broker) = shared() else { return };
    let (house, other) = (House::new(broker), House::new(broker));
    std::fs::copy(house.folder.path().join(FILE), other.folder.path().join(FILE)).unwrap();
    let made = other.run(&["init", FILE]);
    assert!(made.status.success(), "{}", text(&made));
    let simulating = other.serve(&["--participants", "simulated"]);
    let waiting = house.serve(&[]);
    waiting.start("b-1");
    // The other's bridges pass it over, so they are nobody who reads it.
    let topic = format!("{}.hotel.commands", house.prefix);
    waiting.until_said(&format!("nobody reads {topic}: what is asked of hotels waits there"));
    // What is asked behind it there is answered, so that was passed over.
    other.run_to_its_end("b-2");
    let shown = waiting.get("/instances/b-1").1;
    assert!(shown.contains("\"status\":\"running\""), "{shown}");
    let line = |unread: u8| format!("saga_commands_unread{{participant=\"hotels\",topic=\"{topic}\"}} {unread}\n");
    waiting.until("/metrics", |_, body| body.contains(&line(1)));
    // Whoever looks sees it, by way of a server or without one.
    let nobody = format!("nobody reads {topic}: what is asked of hotels waits there until it is started");
    for look in [&["list"][..], &["show", "b-1"]] {
        let shown = text(&waiting.ask(look));
        assert!(shown.contains(&nobody), "{shown}");
        let shown = house.look(look);
        assert!(shown.contains(&nobody), "{shown}");
    }
    let reading = house.serve(&["--participant", "hotels=simulated"]);
    waiting.until("/metrics", |_, body| body.contains(&line(0)));
    assert!(!house.look(&["list"]).contains(&nobody));
    reading.stop();
    waiting.stop();
    assert!(house.run(&["retry", "b-1"]).status.success());
    let shown = house.look(&["show", "b-1"]);
    assert!(shown.contains("1 request of its partition is in the log and not decided yet"), "{shown}");
    house.run_to_its_end("b-1");
    simulating.stop();
}

/// They share the topic, so a command goes to the one or the other: fine for two doors of one participant, and a participant
/// that does not know what it did for two of them.
#[test]
fn servers_that_pass_commands_on_to_different_places_name_both() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let places = ["hotels=http://127.0.0.1:9/a?token=t0ken", "hotels=http://127.0.0.1:9/b"];
    let [one, other] = places.map(|place| house.serve(&["--participant", place]));
    for (server, there, here) in [(&one, "b", "a"), (&other, "a", "b")] {
        let topic = format!("{}.hotel.commands", house.prefix);
        let said = server.until_said(&format!("another process passes commands of `hotels`, {topic}, on to "));
        let both = format!("on to http://127.0.0.1:9/{there}, and this one to http://127.0.0.1:9/{here}: ");
        assert!(said.len() == 1 && said[0].contains(&both) && !said[0].contains("t0ken"), "{said:?}");
    }
}

/// Who was reached by one name stays reached when a definition that is deployed later calls it by another one.
#[test]
fn a_second_name_of_a_participant_leaves_its_bridge_alone() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    house.write_desk();
    let printing = format!(
        "participant desks {{ commands \"{}.ticket.commands\" command PrintTicket {{ }} returns {{ seat: string }} }}
         saga an_early_name {{ version 1 deadline 1m step print {{ call desks.PrintTicket {{ }} compensate nothing }} \
         output {{ seat: print.seat }} }}",
        house.prefix
    );
    std::fs::write(house.folder.path().join("printing.saga"), printing).unwrap();
    let desk = ["--participant", "tickets=process:sh desk.sh", "--participants", "simulated"];
    let server = house.serve(&desk);
    server.start("b-1");
    server.until_completed(1);
    let deployed = house.run(&["deploy", "printing.saga"]);
    assert!(deployed.status.success(), "{}", text(&deployed));
    let is_sold_at_the_desk = |server: &Server, id: &str| {
        let shown = server.get(&format!("/instances/{id}")).1;
        assert!(shown.contains("\"seat\":\"1A\""), "{shown}");
    };
    while !server.ask(&["start", "an_early_name", "--id", "p-1"]).status.success() {}
    server.until_completed(2);
    server.start("b-2");
    server.until_completed(3);
    for id in ["b-1", "p-1", "b-2"] {
        is_sold_at_the_desk(&server, id);
    }
    server.stop();
    // Either name will do, and no two places.
    let contradicting = ["--participant", "desks=simulated"];
    let refused = house.run(&[&["serve", "--listen", "127.0.0.1:0"], &desk[..], &contradicting[..]].concat());
    let both = "`desks` and `tickets` are one participant";
    assert!(refused.status.code() == Some(2) && text(&refused).contains(both), "{}", text(&refused));
    for (participant, id, count) in [(desk[1], "b-3", 4), ("desks=process:sh desk.sh", "b-4", 5)] {
        let server = house.serve_with(&["--participant", participant, "--participants", "simulated"]);
        server.start(id);
        server.until_completed(count);
        is_sold_at_the_desk(&server, id);
        server.stop();
    }
}
