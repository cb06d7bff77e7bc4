//! Topics that are not as they should be: what `saga init` and `saga serve` say of them.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use saga::log::kafka::{Raw, Settings};

use super::adapter::RUNTIME;
use super::broker::shared;
use super::house::{FILE, House, text};

#[test]
fn topics_that_lose_what_was_acknowledged_are_refused() {
    let Some(broker) = shared() else { return };
    let house = House::unmade(broker);
    // As somebody makes it who has not read what it is for: what is older than a day goes.
    let raw = Raw::open(&Settings::new(broker.address(), []).unwrap()).unwrap();
    let journal = format!("{}.journal", house.prefix);
    RUNTIME.block_on(raw.make(&journal, 3, Duration::from_hours(24))).unwrap();
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
        assert!(said.contains("error: on topics with these settings sagas would be lost or done twice\n"), "{said}");
        let mended = format!(
            "hint: {journal}: retention.ms is 86400000, and should be -1: kafka-configs.sh --bootstrap-server {} \
             --alter --entity-type topics --entity-name {journal} --add-config retention.ms=-1\n",
            broker.address()
        );
        assert!(said.contains(&mended), "{said}");
        // It costs something only when a record is large: said, and no reason to refuse.
        let warned = format!("{journal}: max.message.bytes is ");
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
    assert!(said[0].contains("sagas will be lost or done twice"), "{said:?}");
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
