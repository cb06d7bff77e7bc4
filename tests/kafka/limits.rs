//! `at most …` over all orchestrators: a share a partition, whoever owns it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use saga::engine::Status;
use saga::json::Json;
use saga::log::kafka::Settings;
use saga::participant::kafka::{Addressed, Answer, Place, consume};
use saga::wire::{self, About, CloudEvent, Message};

use super::broker::{Broker, shared};
use super::house::{House, Server, text};

const DOORS: &str = "counted.saga";

/// Looks at an empty topic before it lets somebody out: all that may come at once has come by then.
const LOOKS: u32 = 3;

/// A participant that reads its topic itself, and counts who is in at once.
#[derive(Default)]
struct Doors {
    inside: BTreeMap<String, CloudEvent<'static>>,
    out: BTreeSet<String>,
    looks: u32,
    most: Arc<AtomicUsize>,
}

fn done(event: &CloudEvent<'_>) -> Option<Addressed> {
    let command = wire::read_command(event).unwrap();
    let about = About { participant: "doors", traceparent: None };
    let reply = command.reply(Status::Succeeded, Some(Json::empty_object()));
    Addressed::reply_to(event, wire::reply(&reply, &about))
}

impl Answer for Doors {
    fn answer(&mut self, message: &Message, _: Place<'_>) -> Vec<Addressed> {
        self.looks = 0;
        let event = CloudEvent::read(message).unwrap();
        let command = event.get("command").unwrap().to_owned();
        if self.out.contains(&command) {
            return done(&event).into_iter().collect();
        }
        self.inside.insert(command, event.into_owned());
        self.most.fetch_max(self.inside.len(), Ordering::Relaxed);
        Vec::new()
    }

    fn upkeep(&mut self) -> Vec<Addressed> {
        self.looks += 1;
        if self.looks <= LOOKS {
            return Vec::new();
        }
        let (out, inside) = (&mut self.out, std::mem::take(&mut self.inside));
        out.extend(inside.keys().cloned());
        inside.values().filter_map(done).collect()
    }
}

fn house(broker: &Broker) -> House<'_> {
    let house = House::unmade(broker);
    let topic = format!("{}.doors.commands", house.prefix);
    fs::write(house.folder.path().join(DOORS), include_str!("counted.saga").replace("TOPIC", &topic)).unwrap();
    house
}

fn enter(server: &Server, number: usize) {
    let begun = server.ask(&["start", "visit", "--id", &format!("visitor-{number}"), "--input", "{}"]);
    assert!(begun.status.success(), "{}", text(&begun));
}

#[test]
fn two_orchestrators_together_send_no_more_than_a_participant_takes() {
    let Some(broker) = shared() else { return };
    let house = house(broker);
    let made = house.run(&["init", "--partitions", "3", DOORS]);
    assert!(made.status.success(), "{}", text(&made));
    let (most, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let doors = {
        let (most, stop) = (Arc::clone(&most), Arc::clone(&stop));
        let settings = Settings::new(broker.address(), []).unwrap();
        let topic = format!("{}.doors.commands", house.prefix);
        let mut doors = Doors { most, ..Doors::default() };
        std::thread::spawn(move || consume(&mut doors, &settings, &topic, &format!("{topic}.readers"), &stop).unwrap())
    };
    let mut first = house.serve_with(&[DOORS]);
    let second = house.serve_with(&[DOORS]);
    (0..24).for_each(|number| enter(&first, number));
    second.until_completed(6);
    // What it had under way stays counted by whoever follows it.
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    (24..36).for_each(|number| enter(&second, number));
    second.until_completed(36);
    stop.store(true, Ordering::Relaxed);
    doors.join().unwrap();
    assert_eq!(most.load(Ordering::Relaxed), 3, "all shares together are used, and no more");
}

#[test]
fn a_limit_of_which_a_partition_would_have_nothing_is_refused() {
    let Some(broker) = shared() else { return };
    let house = house(broker);
    let refused = house.run(&["init", "--partitions", "4", DOORS]);
    assert_eq!(refused.status.code(), Some(2));
    insta::assert_snapshot!(text(&refused).trim(), @r"
    error: failed to share `at most 3 at once` of participant `doors`: this deployment has 4 partitions, each keeps a share of its own, and 1 would have none
    hint: write `at most 4 at once` or more, or a rate, such as `at most 3 per second`
    hint: or make a deployment with fewer partitions: saga init --partitions 3 --prefix NAME
    ");
    // Its topic may be there all the same.
    let free = fs::read_to_string(house.folder.path().join(DOORS)).unwrap().replace("at most 3 at once", "");
    fs::write(house.folder.path().join("free.saga"), free).unwrap();
    let made = house.run(&["init", "--partitions", "4", "free.saga"]);
    assert!(made.status.success(), "{}", text(&made));
    // Compared with how many there are, and not with how many there usually would be.
    let known = house.run(&["init", DOORS]);
    assert!(known.status.code() == Some(2) && text(&known).contains("has 4 partitions"), "{}", text(&known));
    let fewer = House::new(broker);
    fs::write(fewer.folder.path().join(DOORS), fs::read_to_string(house.folder.path().join(DOORS)).unwrap()).unwrap();
    let made = fewer.run(&["init", DOORS]);
    let next = format!("next: `saga deploy {DOORS} --kafka {} --prefix {}`", broker.address(), fewer.prefix);
    assert!(made.status.success() && text(&made).contains(&next), "{}", text(&made));
    for command in [
        &["deploy", DOORS][..],
        &["serve", DOORS, "--listen", "127.0.0.1:0"],
        &["run", DOORS, "--participants", "simulated"],
    ] {
        let said = house.run(command);
        assert_eq!(said.status.code(), Some(2), "{}", text(&said));
        assert!(text(&said).contains("has 4 partitions"), "{command:?}: {}", text(&said));
    }
}
