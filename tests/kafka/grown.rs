//! Topics that were given more partitions than the deployment has, by Kafka's own tools.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use saga::log::kafka::{Raw, Settings};
use saga::log::partition_of;

use super::adapter::RUNTIME;
use super::broker::{Broker, shared};
use super::house::{FILE, House, INPUT, PATIENCE, text};

/// For longer than a test takes.
const KEPT: Duration = Duration::from_hours(1);

const PARTITIONED: [&str; 4] = ["requests", "replies", "journal", "dead"];

/// Nobody plays the hotels, so all bookings stay under way. The group hears of new partitions soon.
const OPEN: &[&str] =
    &[FILE, "--participant", "tickets=simulated", "--kafka-config", "topic.metadata.refresh.interval.ms=500"];

/// As `kafka-topics.sh --alter --partitions 6` does it.
fn grow(broker: &Broker, house: &House<'_>, topics: &[&str]) {
    let admin: AdminClient<_> = ClientConfig::new().set("bootstrap.servers", broker.address()).create().unwrap();
    let names: Vec<String> = topics.iter().map(|topic| format!("{}.{topic}", house.prefix)).collect();
    let new: Vec<NewPartitions<'_>> = names.iter().map(|name| NewPartitions::new(name, 6)).collect();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let grown = RUNTIME.block_on(admin.create_partitions(&new, &options)).unwrap();
    assert!(grown.iter().all(Result::is_ok), "{grown:?}");
}

/// An id that lives in one of the three partitions, and that would live in a new one if there were six.
fn strays(number: usize) -> String {
    let mut all = (0..).map(|number| format!("b-{number}")).filter(|id| partition_of(id, 6) >= 3);
    all.nth(number).unwrap()
}

#[test]
fn nothing_is_begun_on_topics_that_were_given_more_partitions() {
    let Some(broker) = shared() else { return };
    for grown in [&PARTITIONED[..], &["requests"], &["journal"]] {
        let house = House::new(broker);
        let server = house.serve_with(OPEN);
        server.start(&strays(0));
        server.stop();
        grow(broker, &house, grown);
        let id = strays(0);
        for command in [
            &["serve", FILE, "--listen", "127.0.0.1:0"][..],
            &["run", FILE, "--id", &id, "--input", INPUT],
            &["deploy", FILE],
            &["list"],
            &["show", &id],
            &["history", &id],
            &["definitions"],
            &["start", "booking", "--id", &id, "--input", INPUT],
            &["cancel", &id],
            &["init", FILE],
            &["init", "--partitions", "6", FILE],
        ] {
            let refused = house.run(command);
            let said = text(&refused);
            assert_eq!(refused.status.code(), Some(7), "{command:?}: {said}");
            for topic in grown {
                assert!(said.contains(&format!("`{}.{topic}` has 6", house.prefix)), "{command:?}: {said}");
            }
            let since =
                format!("this deployment has 3 partitions, for good, as `{}.definitions` says since 20", house.prefix);
            assert!(said.contains(&since) && said.contains("(docs/kafka.md)"), "{command:?}: {said}");
        }
    }
}

#[test]
fn a_server_goes_on_with_the_partitions_of_its_deployment() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let (one, other) = (house.serve_with(OPEN), house.serve_with(OPEN));
    let is_shared = |_: u16, body: &str| !body.contains("\"running\":0") && !body.contains("\"running\":3");
    one.until("/readyz", is_shared);
    let ids: Vec<String> = (0..6).map(strays).collect();
    ids.iter().take(3).for_each(|id| one.start(id));
    grow(broker, &house, &PARTITIONED);
    let why = format!("`{0}.requests` has 6 and `{0}.replies` has 6 and", house.prefix);
    for server in [&one, &other] {
        let told = server.until("/readyz", |status, body| status == 503 && body.contains(&why));
        assert!(told.contains("this deployment has 3, for good"), "{told}");
        let (status, alive) = server.get("/healthz");
        assert!(status == 200 && alive.contains(&why) && alive.contains(", since 20"), "{alive}");
        assert!(server.get("/metrics").1.contains("\nsaga_log_up 1\n"));
        // The group gives out the new ones, too.
        server.until_said("assigned by the group partitions=[] beyond=");
    }
    // One of the two takes all that there is, and hashes as before.
    drop(other);
    one.until("/healthz", |_, body| body.contains("\"running\":3"));
    ids.iter().skip(3).for_each(|id| one.start(id));
    let listed = text(&one.ask(&["list", "--json"]));
    assert_eq!(listed.matches("\"id\": \"b-").count(), ids.len(), "each once: {listed}");
    assert_eq!(one.until_said("and none that is started can").len(), 1, "once");
    let raw = Raw::open(&Settings::new(broker.address(), []).unwrap()).unwrap();
    for topic in PARTITIONED {
        for partition in 3..6 {
            let there = raw.read_all(&format!("{}.{topic}", house.prefix), partition).unwrap();
            assert!(there.is_empty(), "{topic} {partition}: {there:?}");
        }
    }
}

/// What is not the journal can be made anew, with the number that stands in the log.
#[test]
fn a_topic_of_requests_that_grew_is_made_anew() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    grow(broker, &house, &["requests"]);
    let listed = text(&house.run(&["list"]));
    assert!(listed.contains("delete what has another number, and `saga init` makes it anew with 3"), "{listed}");
    house.delete("requests");
    // The broker may know the old one for a moment.
    let mut made = (0..100).map(|_| house.run(&["init", FILE]));
    assert!(made.any(|made| made.status.success()), "it is made");
    house.run_to_its_end("b-1");
}

#[test]
fn who_opens_topics_first_that_were_made_by_hand_notes_how_many_partitions_they_have() {
    let Some(broker) = shared() else { return };
    let house = House::unmade(broker);
    let raw = Raw::open(&Settings::new(broker.address(), []).unwrap()).unwrap();
    for topic in PARTITIONED {
        RUNTIME.block_on(raw.make(&format!("{}.{topic}", house.prefix), 3, KEPT)).unwrap();
    }
    let definitions = format!("{}.definitions", house.prefix);
    RUNTIME.block_on(raw.make(&definitions, 1, KEPT)).unwrap();
    for _ in 0..2 {
        let listed = house.run(&["list"]);
        assert!(listed.status.success(), "{}", text(&listed));
        let keys: Vec<String> = raw.read_all(&definitions, 0).unwrap().iter().map(|it| it.key.to_string()).collect();
        assert_eq!(keys, ["partitions/3"], "once");
    }
    grow(broker, &house, &PARTITIONED);
    let refused = house.run(&["list"]);
    assert_eq!(refused.status.code(), Some(7), "{}", text(&refused));
}

#[test]
fn another_number_than_the_deployment_has_is_not_asked_for_in_vain() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let refused = house.run(&["init", "--partitions", "2", FILE]);
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(7), "{said}");
    let why =
        format!("with 2 partitions: this deployment has 3, for good, as `{}.definitions` says since 20", house.prefix);
    assert!(said.contains(&why) && said.contains("leave out `--partitions`"), "{said}");
}
