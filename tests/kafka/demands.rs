//! Topics that are not as they should be: what `saga init` and `saga serve` say of them.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use saga::log::kafka::{Raw, Settings};

use super::adapter::RUNTIME;
use super::broker::{Broker, shared};
use super::house::{FILE, House, INPUT, text};

#[test]
fn topics_that_lose_what_was_acknowledged_are_refused() {
    let Some(broker) = shared() else { return };
    let house = House::unmade(broker);
    // As somebody makes it who has not read what it is for: what is older than a day goes.
    let raw = Raw::open(&Settings::new(broker.address(), []).unwrap()).unwrap();
    let journal = format!("{}.journal", house.prefix);
    let replies = format!("{}.replies", house.prefix);
    for topic in [&journal, &replies] {
        RUNTIME.block_on(raw.make(topic, 3, Duration::from_hours(24))).unwrap();
    }
    let made = house.run(&["init", "--partitions", "3", FILE]);
    let said = text(&made);
    assert_eq!(made.status.code(), Some(7), "{said}");
    assert!(said.contains(&format!("made: {}.requests", house.prefix)), "the others are made: {said}");
    assert!(said.contains("one replica each: what that broker's disk loses is lost"), "{said}");
    let differences = [
        "max.message.bytes is ",
        "message.timestamp.type is CreateTime, and should be LogAppendTime: ",
        "retention.ms is 86400000, and should be -1: ",
    ];
    for difference in differences {
        assert!(said.contains(&format!("hint: {journal}: {difference}")), "{difference}: {said}");
    }
    for command in ["serve", "run"] {
        let more: &[&str] = if command == "serve" { &["--listen", "127.0.0.1:0"] } else { &[] };
        let refused = house.run(&[&[command, FILE], more].concat());
        let said = text(&refused);
        assert_eq!(refused.status.code(), Some(7), "{said}");
        assert!(said.contains("error: on topics with these settings sagas would be lost, done twice or"), "{said}");
        // A record that it does not take stops its partition.
        assert!(said.contains(&format!("hint: {journal}: max.message.bytes is ")), "{said}");
        let mended = format!(
            "hint: {journal}: retention.ms is 86400000, and should be -1: kafka-configs.sh --bootstrap-server {} \
             --alter --entity-type topics --entity-name {journal} --add-config retention.ms=-1\n",
            broker.address()
        );
        assert!(said.contains(&mended), "{said}");
        // It costs something only in an outage: said, and no reason to refuse.
        let warned = format!("{replies}: retention.ms is ");
        assert!(said.contains(&warned) && !said.contains(&format!("hint: {warned}")), "{said}");
    }
}

/// Who changes a topic later hears of it before what is in it goes.
#[test]
fn a_topic_that_is_changed_under_a_server_is_told() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let server = house.serve(&["--participants", "simulated"]);
    let admin: AdminClient<_> = ClientConfig::new().set("bootstrap.servers", broker.address()).create().unwrap();
    let journal = format!("{}.journal", house.prefix);
    let changed = AlterConfig::new(ResourceSpecifier::Topic(&journal)).set("retention.ms", "3600000");
    let altered = RUNTIME.block_on(admin.alter_configs(&[changed], &AdminOptions::new())).unwrap();
    assert!(altered.iter().all(Result::is_ok), "{altered:?}");
    let said = server.until_said(&format!("{journal}: retention.ms is 3600000, and should be -1: kafka-configs.sh"));
    assert!(said[0].contains("sagas will be lost, done twice or stand still"), "{said:?}");
}

/// Retention, or a person, takes what a recovery needs while its owner lives and has it all in memory.
#[test]
fn a_journal_that_is_emptied_under_its_owner_is_written_again() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    // Nobody plays the hotels, so all bookings stay under way.
    let mut owner = house.serve(&["--participant", "tickets=simulated"]);
    let ids: Vec<String> = (0..6).map(|number| format!("b-{number}")).collect();
    for id in &ids {
        owner.start(id);
    }
    (0..3).for_each(|partition| house.empty("journal", partition));
    for partition in 0..3 {
        let said = owner.until_said(&format!("partition {partition} of {}.journal begins at", house.prefix));
        assert!(said.len() == 1 && said[0].contains("must have retention.ms=-1 and retention.bytes=-1"), "{said:?}");
        owner.until_said(&format!(
            "the journal is whole again: a recovery finds all that it needs partition={partition}"
        ));
    }
    owner.child.kill().unwrap();
    owner.child.wait().unwrap();
    let heir = house.serve(&["--participants", "simulated"]);
    heir.until_completed(ids.len());
}

#[test]
fn a_participant_may_divide_its_topic_as_it_likes() {
    let Some(broker) = shared() else { return };
    let house = House::unmade(broker);
    let raw = Raw::open(&Settings::new(broker.address(), []).unwrap()).unwrap();
    let commands = format!("{}.hotel.commands", house.prefix);
    RUNTIME.block_on(raw.make(&commands, 5, Duration::from_hours(24))).unwrap();
    for arguments in [&["init", "--partitions", "2", FILE][..], &["init", FILE]] {
        let made = house.run(arguments);
        assert!(made.status.success(), "as many partitions as there are: {}", text(&made));
    }
    house.run_to_its_end("order-1");
}

/// As a journal is made, but for the largest record that it takes.
fn takes(broker: &Broker, journal: &str, largest: &str) {
    let mut config = ClientConfig::new();
    let admin: AdminClient<_> = config.set("bootstrap.servers", broker.address()).create().unwrap();
    let settings = [
        ("cleanup.policy", "delete"),
        ("retention.ms", "-1"),
        ("retention.bytes", "-1"),
        ("message.timestamp.type", "LogAppendTime"),
        ("unclean.leader.election.enable", "false"),
        ("max.message.bytes", largest),
    ];
    let altered = AlterConfig::new(ResourceSpecifier::Topic(journal));
    let altered = settings.iter().fold(altered, |altered, (key, value)| altered.set(key, value));
    let answers = RUNTIME.block_on(admin.alter_configs(&[altered], &AdminOptions::new())).unwrap();
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

/// Somebody sets it while it is written. The claims go in, the record that is too large never does.
#[test]
fn a_journal_that_takes_no_record_as_large_says_so_until_it_does() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let journal = format!("{}.journal", house.prefix);
    let server = house.serve(&["--participants", "simulated"]);
    server.until("/readyz", |status, _| status == 200);
    takes(broker, &journal, "1000");
    let input = INPUT.replace("ana", &"a".repeat(2_000));
    let started = server.ask(&["start", "booking", "--id", "big", "--input", &input]);
    let stands = server.until("/readyz", |status, body| status == 503 && body.contains("stands still"));
    assert!(stands.contains("a `change` record of instance `big`"), "{stands}; {}", text(&started));
    let mended = format!(
        "{journal}: max.message.bytes is less than this record, and should be 16843776 or more: kafka-configs.sh \
         --bootstrap-server {} --alter --entity-type topics --entity-name {journal} --add-config \
         max.message.bytes=16843776",
        broker.address()
    );
    let listed = text(&server.ask(&["list"]));
    assert!(listed.contains("stands still: failed to write") && listed.contains(&mended), "{listed}");
    assert_eq!(server.until_said("the log refuses a record of the journal").len(), 1);
    server.stop();

    let refused = house.run(&["serve", FILE, "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.status.code(), Some(7), "{}", text(&refused));
    takes(broker, &journal, "16843776");
    house.serve(&["--participants", "simulated"]).until_completed(1);
}

#[test]
fn topics_are_made_to_fit_those_that_are_there_or_not_at_all() {
    let Some(broker) = shared() else { return };
    let house = House::unmade(broker);
    let raw = Raw::open(&Settings::new(broker.address(), []).unwrap()).unwrap();
    let by_hand = |house: &House<'_>, topic: &str, partitions| {
        let name = format!("{}.{topic}", house.prefix);
        RUNTIME.block_on(raw.make(&name, partitions, Duration::from_hours(24))).unwrap();
    };
    by_hand(&house, "journal", 3);
    let asked = text(&house.run(&["init", "--partitions", "4"]));
    let why = format!("`{}.journal` is there and has 3", house.prefix);
    assert!(asked.contains(&why) && asked.starts_with("error: "), "{asked}");
    let told = text(&house.run(&["init"]));
    assert!(told.contains("made: ") && !told.contains("partitions is "), "{told}");
    let uneven = House::unmade(broker);
    by_hand(&uneven, "replies", 2);
    by_hand(&uneven, "journal", 3);
    let refused = uneven.run(&["init"]);
    let said = text(&refused);
    let why = format!("`{0}.replies` has 2 partitions and `{0}.journal` has 3", uneven.prefix);
    assert!(refused.status.code() == Some(7) && said.contains(&why) && said.starts_with("error: "), "{said}");
}

/// The broker's own reasons do not come through its client.
#[test]
fn what_a_broker_never_makes_is_refused_in_words_and_nothing_is_made() {
    let Some(broker) = shared() else { return };
    let house = House::unmade(broker);
    let refused = house.run(&["init", "--replication", "3", FILE]);
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(7), "{said}");
    assert!(said.contains("with 3 replicas: there is 1 broker, and each holds one"), "{said}");
    let raw = Raw::open(&Settings::new(broker.address(), []).unwrap()).unwrap();
    let [ours, theirs] = [".", "_"].map(|between| format!("{}{between}replies", house.prefix));
    RUNTIME.block_on(raw.make(&theirs, 1, Duration::from_hours(24))).unwrap();
    let refused = house.run(&["init", FILE]);
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(7), "{said}");
    assert!(said.contains(&format!("`{ours}` and `{theirs}` differ in `.` and `_` alone")), "{said}");
    assert_eq!(raw.partitions(&format!("{}.requests", house.prefix)).unwrap(), None);
}
