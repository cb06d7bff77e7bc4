//! What is said of participants whose groups follow KIP-848: of those the broker does not tell whether they have members, so
//! it is neither said that nobody reads their commands, nor that somebody does.

use std::thread;
use std::time::Instant;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::adapter::RUNTIME;
use super::broker::{Broker, own};
use super::house::{House, PATIENCE, Server, text};
use super::rivals::reading;

/// More than are asked at once, and than were asked at all once.
const OTHERS: usize = 25;

/// A member of a group by KIP-848, once it has a part of a topic.
fn member(broker: &Broker, group: &str, topic: &str) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address()).set("group.id", group);
    config.set("group.protocol", "consumer").set("enable.auto.commit", "false");
    reading(&config, topic)
}

/// Commits that nothing of its partitions has been handled.
fn commit(member: &BaseConsumer) {
    commit_up_to(member, |_, _| 0);
}

fn commit_up_to(member: &BaseConsumer, offset: impl Fn(&str, i32) -> i64) {
    let mut handled = TopicPartitionList::new();
    for one in member.assignment().unwrap().elements() {
        let (topic, partition) = (one.topic(), one.partition());
        handled.add_partition_offset(topic, partition, Offset::Offset(offset(topic, partition))).unwrap();
    }
    member.commit(&handled, CommitMode::Sync).unwrap();
}

fn is_gone(broker: &Broker, group: &str) {
    let admin: AdminClient<_> = ClientConfig::new().set("bootstrap.servers", broker.address()).create().unwrap();
    let gone = RUNTIME.block_on(admin.delete_groups(&[group], &AdminOptions::new())).unwrap();
    assert!(gone.iter().all(Result::is_ok), "{gone:?}");
}

/// Until whoever looks is told so.
fn until_told(server: &Server, told: &str) {
    until_shown(|| text(&server.ask(&["list"])), |shown| shown.contains(told));
}

/// Until a look shows so.
fn until_shown(look: impl Fn() -> String, is_so: impl Fn(&str) -> bool) {
    let began = Instant::now();
    loop {
        let shown = look();
        if is_so(&shown) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{shown}");
    }
}

#[test]
fn of_groups_by_kip_848_nothing_is_said_that_is_not_known() {
    let Some(broker) = own() else { return };
    let house = House::new(&broker);
    let (topic, group) = (format!("{}.hotel.commands", house.prefix), format!("{}.hotels", house.prefix));
    let server = house.serve(&[]);
    server.start("b-1");
    let nobody = format!("nobody reads {topic}: what is asked of hotels waits there");
    let untold = format!("whether somebody reads {topic} cannot be told: ");
    let line = |unread: u8| format!("saga_commands_unread{{participant=\"hotels\",topic=\"{topic}\"}} {unread}\n");
    let is_absent = |metrics: &str| !metrics.contains(&line(0)) && !metrics.contains(&line(1));
    until_told(&server, &nobody);
    server.until("/metrics", |_, body| body.contains(&line(1)));

    // A member that has just come may read whatever it is.
    let hotels = member(&broker, &group, &topic);
    let new = format!("{untold}the group {group} has committed nothing so far, and the broker does not tell");
    until_told(&server, &new);
    server.until_said(&new);
    server.until("/metrics", |_, body| is_absent(body));

    // Whether it lives or has died looks the same.
    commit(&hotels);
    let old = format!(
        "{untold}the group {group} has read it and is not seen to read on; the broker does not tell whether it has members (KIP-848)"
    );
    until_told(&server, &old);
    let commands = format!("{}.ticket.commands", house.prefix);
    thread::scope(|scope| {
        for number in 0..OTHERS {
            let (broker, commands) = (&broker, &commands);
            scope.spawn(move || commit(&member(broker, &format!("others.{number}"), commands)));
        }
    });
    for _ in 0..3 {
        for look in [&["list"][..], &["show", "b-1"]] {
            let shown = text(&server.ask(look)) + &house.look(look);
            assert!(shown.contains(&untold) && !shown.contains(&nobody), "{shown}");
        }
    }
    drop(hotels);
    until_told(&server, &old);
    assert!(is_absent(&server.get("/metrics").1));

    // It is asked again and again. A server that has seen it handle more takes it that it is there; who has not looked
    // before does so where it has handled all.
    let hotels = member(&broker, &group, &topic);
    let end = |topic: &str, partition| hotels.fetch_watermarks(topic, partition, PATIENCE).unwrap().1;
    commit_up_to(&hotels, end);
    server.until("/metrics", |_, body| body.contains(&line(0)));
    for look in [&["list"][..], &["show", "b-1"]] {
        let shown = text(&server.ask(look));
        assert!(!shown.contains(&topic), "{shown}");
    }
    until_shown(|| house.look(&["list"]), |shown| shown.contains(&old));
    commit_up_to(&hotels, |topic, partition| end(topic, partition) + 1_000_000);
    until_shown(|| house.look(&["show", "b-1"]), |shown| !shown.contains(&topic));
    drop(hotels);

    // Who has read other topics alone is no reader of this one.
    is_gone(&broker, &group);
    until_told(&server, &nobody);
    server.until("/metrics", |_, body| body.contains(&line(1)));
    server.stop();
}

/// Whoever takes commands knows that they are taken, whatever the broker tells of its group.
#[test]
fn what_a_server_takes_itself_by_kip_848_is_read() {
    let Some(broker) = own() else { return };
    let house = House::with_new_groups(&broker);
    let topic = format!("{}.hotel.commands", house.prefix);
    let server = house.serve(&["--participant", "hotels=http://127.0.0.1:9/"]);
    server.start("b-1");
    until_told(&server, "b-1");
    let shown = text(&server.ask(&["show", "b-1"]));
    assert!(!shown.contains(&topic), "{shown}");
    let nobody = format!("nobody reads {topic}");
    // It answers `retry`, which is an answer.
    until_shown(
        || house.look(&["show", "b-1"]),
        |shown| {
            assert!(!shown.contains(&nobody), "{shown}");
            !shown.contains(&topic)
        },
    );
}
