//! Instances of a deployment on Kafka as people see them, with a server and without one, and what they order.

use std::fs;
use std::sync::Barrier;

use saga::log::kafka::{Raw, RawMessage, Settings};
use saga::log::partition_of;
use serde_json::Value;

use super::broker::{Broker, shared};
use super::house::{FILE, House, INPUT, text};
use crate::cli::running::ORDER;

const ORDERS: &str = "order.saga";

/// A house where one order is stuck, one has ended, one has ended compensated; and nobody runs anything.
fn night(broker: &Broker) -> House<'_> {
    night_in(House::new(broker), "3")
}

fn night_in<'b>(house: House<'b>, partitions: &str) -> House<'b> {
    let topic = |name: &str| format!("participant {name} {{\n  commands \"{}.{name}\"", house.prefix);
    let own =
        ORDER.replace("participant stock {", &topic("stock")).replace("participant payments {", &topic("payments"));
    fs::write(house.folder.path().join(ORDERS), own).unwrap();
    assert!(house.run(&["init", "--partitions", partitions, FILE, ORDERS]).status.success());
    for (title, id, exit) in
        [("the lamp cannot be put back", "o-3", 4), ("the card is declined", "o-2", 3), ("all goes well", "o-1", 0)]
    {
        let ran = house.run(&["run", ORDERS, "--scenario", title, "--id", id]);
        assert_eq!(ran.status.code(), Some(exit), "{}", text(&ran));
    }
    house
}

impl House<'_> {
    pub(super) fn look(&self, arguments: &[&str]) -> String {
        let looked = self.run(arguments);
        assert!(looked.status.success(), "{}", text(&looked));
        text(&looked)
    }
}

#[test]
fn instances_are_seen_without_a_server() {
    let Some(broker) = shared() else { return };
    let house = night(broker);
    let listed = house.look(&["list"]);
    assert!(listed.contains("o-3") && listed.contains("stuck") && !listed.contains("o-1"), "{listed}");
    let all = house.look(&["list", "--all"]);
    assert!(["o-1", "o-2", "o-3"].iter().all(|id| all.contains(id)), "{all}");
    let declined = all.lines().find(|line| line.starts_with("o-2")).unwrap();
    assert!(declined.contains("declined at charge"), "{declined}");
    assert!(house.look(&["list", "--status", "completed"]).contains("o-1"));
    let shown = house.look(&["show", "o-3"]);
    assert!(
        shown.contains(&format!("saga retry o-3 --kafka {} --prefix {}", broker.address(), house.prefix)),
        "{shown}"
    );
    assert!(house.look(&["show", "o-2"]).contains("compensated"));
    let history = house.look(&["history", "o-3"]);
    assert!(history.contains("STUCK: cannot be taken back"), "{history}");
    let unknown = house.run(&["show", "o-9"]);
    assert_eq!(unknown.status.code(), Some(6), "{}", text(&unknown));
}

#[test]
fn a_server_tells_the_same() {
    let Some(broker) = shared() else { return };
    let house = night(broker);
    // The participants stay silent, so nothing moves between the two looks.
    let server = house.serve_with(&[]);
    for words in [&["list", "--all", "--json"][..], &["show", "o-3", "--json"], &["history", "o-2", "--json"]] {
        let by_server = server.ask(words);
        assert!(by_server.status.success(), "{}", text(&by_server));
        assert_eq!(text(&by_server), house.look(words), "{words:?}");
    }
}

#[test]
fn orders_are_taken_without_a_server_and_with_one() {
    let Some(broker) = shared() else { return };
    let house = night(broker);
    let server = house.serve_with(&[]);
    let refused = house.run(&["cancel", "o-1"]);
    assert_eq!(refused.status.code(), Some(6), "it has ended: {}", text(&refused));
    let resolved = house.look(&[
        "resolve",
        "o-3",
        "reserve",
        "--undo",
        "--succeeded",
        "--by",
        "eva",
        "--reason",
        "put back by hand",
    ]);
    assert!(resolved.contains("taken: see what comes of it with `saga show o-3 --kafka"), "{resolved}");
    assert!(house.look(&["show", "o-3"]).contains("compensated"));
    assert!(house.look(&["history", "o-3"]).contains("put back by hand"));
    assert!(house.look(&["history", "o-1"]).contains("ordered: cancel; refused: "), "behind the end, too");
    // Nobody plays the hotel, so what is started waits, and can be taken back.
    let input = r#"{"traveller": "ana", "flight": "KE905", "hotel": "Lux", "nights": 2, "amount": 840.00}"#;
    assert!(house.run(&["deploy", FILE]).status.success());
    for id in ["b-1", "b-2"] {
        assert!(house.look(&["start", "booking", "--id", id, "--input", input]).contains(id));
    }
    assert!(house.look(&["cancel", "b-1"]).contains("taken"));
    assert!(server.ask(&["cancel", "b-2"]).status.success());
    assert!(house.look(&["list", "--status", "compensating"]).contains("b-1"));
    drop(server);
    let other = house.serve_with(&["--participants", "simulated"]);
    for id in ["b-1", "b-2"] {
        while !text(&other.ask(&["show", id])).contains("compensated") {}
    }
    let listed = text(&other.ask(&["list", "--all"]));
    for (id, why) in [("o-2", "declined at charge"), ("b-1", "cancelled at saga")] {
        assert!(listed.lines().any(|line| line.starts_with(id) && line.contains(why)), "{why}: {listed}");
    }
}

#[test]
fn a_start_at_which_nobody_has_looked_yet_has_not_begun() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let unknown = house.run(&["start", "booking", "--id", "b-1"]);
    assert!(text(&unknown).contains("saga deploy"), "what to do about it: {}", text(&unknown));
    assert!(house.run(&["deploy", FILE]).status.success());
    // Its input does not fit, and nobody is there to decide that: it is foreseen.
    let left = house.run(&["start", "booking", "--id", "b-1", "--input", "{}"]);
    let said = text(&left);
    assert!(left.status.code() == Some(2) && said.contains("whoever takes it up will refuse it"), "{said}");
    let left = house.run(&["start", "booking", "--id", "b-2", "--input", INPUT]);
    let said = text(&left);
    assert!(left.status.success() && said.contains("is in the log") && !said.contains("began"), "{said}");
    let _server = house.serve_with(&["--participants", "simulated"]);
    let refused = house.run(&["start", "booking", "--id", "b-1", "--input", "{}"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
}

#[test]
fn a_start_at_which_nobody_has_looked_yet_is_seen_and_takes_orders() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    assert!(house.run(&["deploy", FILE]).status.success());
    assert!(house.run(&["start", "booking", "--id", "b-1", "--input", INPUT]).status.success());
    for look in ["show", "history"] {
        let looked = house.run(&[look, "b-1"]);
        assert_eq!(looked.status.code(), Some(6), "{}", text(&looked));
        assert!(text(&looked).contains("no orchestrator has decided it yet"), "{}", text(&looked));
    }
    let listed = house.look(&["list"]);
    assert!(listed.contains("1 request is in the log and not decided yet"), "{listed}");
    assert!(house.look(&["list", "--json"]).contains("\"undecided\": 1"));
    let said = house.look(&["cancel", "b-1"]);
    assert!(said.contains("nobody has decided it yet: it may still be refused"), "{said}");
    assert!(said.contains("`saga history b-1 --kafka") && !said.contains("taken:"), "{said}");
    let again = house.look(&["cancel", "b-1", "--json"]);
    assert!(again.contains("\"order\": \"waiting\""), "{again}");
    assert!(house.look(&["list"]).contains("3 requests are in the log"));
    let server = house.serve_with(&["--participants", "simulated"]);
    while !text(&server.ask(&["show", "b-1"])).contains("compensated") {}
    assert!(!house.look(&["list"]).contains("not decided yet"));
    assert_eq!(house.run(&["show", "b-2"]).status.code(), Some(6));
}

#[test]
fn a_start_whose_partition_stands_still_says_so() {
    let Some(broker) = shared() else { return };
    let house = House::unmade(broker);
    assert!(house.run(&["init", "--partitions", "1", FILE]).status.success());
    assert!(house.run(&["deploy", FILE]).status.success());
    assert!(house.run(&["start", "booking", "--id", "b-1", "--input", INPUT]).status.success());
    house.empty("requests", 0);
    let left = house.run(&["start", "booking", "--id", "b-2", "--input", INPUT]);
    assert!(text(&left).contains("partition 0 stands still"), "{}", text(&left));
    for look in ["show", "history"] {
        let looked = house.run(&[look, "b-2"]);
        assert_eq!(looked.status.code(), Some(6), "{}", text(&looked));
        let said = text(&looked);
        assert!(said.contains("its start is in the log, and partition 0 stands still: failed to"), "{said}");
        assert!(said.contains("says what lets it go on") && !said.contains("none runs"), "{said}");
    }
}

#[test]
fn what_began_before_the_last_checkpoint_is_seen() {
    let Some(broker) = shared() else { return };
    let house = night_in(House::unmade(broker), "1");
    let settings = Settings::new(broker.address(), []).unwrap();
    let journal = format!("{}.journal", house.prefix);
    let raw = Raw::open(&settings).unwrap();
    // The last record says where the last complete one begins.
    let is_taken = || {
        let last = raw.read_all(&journal, 0).unwrap().pop().unwrap();
        !String::from_utf8_lossy(&last.payload).contains("\"checkpoint\":0,")
    };
    assert!(house.run(&["deploy", FILE]).status.success());
    let server = house.serve_with(&["--participants", "simulated"]);
    let traveller = "x".repeat(500_000);
    for number in 0.. {
        if is_taken() {
            break;
        }
        assert!(number < 100, "a checkpoint comes after 8 MiB");
        let input = format!(r#"{{"traveller":"{traveller}","flight":"KE905","hotel":"Lux","nights":2,"amount":1.00}}"#);
        fs::write(house.folder.path().join("input.json"), input).unwrap();
        let started = house.run(&["start", "booking", "--id", &format!("b-{number}"), "--input", "@input.json"]);
        assert!(started.status.success(), "{}", text(&started));
    }
    for looked in [house.look(&["list"]), text(&server.ask(&["list"]))] {
        assert!(looked.contains("o-3") && looked.contains("stuck"), "{looked}");
    }
    assert!(house.look(&["show", "o-3"]).contains("cannot be taken back"));
    assert!(house.look(&["history", "o-3"]).contains("order started"));
}

/// Of a newer version by its own word, so it may be one that counts: who reads that journal can go no further.
const DAMAGED: &str = r#"{"v":1000,"epoch":0,"n":0}"#;

#[test]
fn one_damaged_journal_hides_nothing_of_the_other_partitions() {
    let Some(broker) = shared() else { return };
    let house = night(broker);
    let (stuck, journal) = (partition_of("o-3", 3), format!("{}.journal", house.prefix));
    let ended = ["o-1", "o-2"].into_iter().find(|id| partition_of(id, 3) != stuck).unwrap();
    let damaged = partition_of(ended, 3);
    let raw = Raw::open(&Settings::new(broker.address(), []).unwrap()).unwrap();
    let put = |payload: &str| {
        let message = RawMessage { payload: Some(payload.as_bytes().to_vec()), ..RawMessage::default() };
        raw.send(&journal, &[(damaged, message)]).unwrap();
    };
    let stands =
        format!("\npartition {damaged} stands still: failed to read partition {damaged} of {journal} at offset");
    // All of it is gone; then the last record is damaged, by which reading begins; and then one before the end.
    for payload in [None, Some(DAMAGED), Some("a stranger's")] {
        payload.map_or_else(|| house.empty("journal", damaged), put);
        for command in [&["list"][..], &["list", "--all"]] {
            let listed = house.look(command);
            assert!(listed.contains("o-3") && !listed.contains(ended), "{listed}");
            assert_eq!(listed.matches(&stands).count(), 1, "{stands}: {listed}");
        }
        assert!(house.look(&["show", "o-3"]).contains("stuck"));
        assert!(house.look(&["history", "o-3"]).contains("STUCK"));
        for command in ["show", "history"] {
            let refused = house.run(&[command, ended]);
            assert_eq!(refused.status.code(), Some(7), "{}", text(&refused));
            assert!(text(&refused).contains(&format!("of {journal} at offset")), "{}", text(&refused));
        }
    }

    // A server that owns all of them.
    let server = house.serve_with(&[]);
    server.until("/healthz", |_, body| body.contains(&format!("failed to read partition {damaged}")));
    let listed = text(&server.ask(&["list"]));
    assert!(listed.contains("o-3") && listed.matches(&stands).count() == 1, "{listed}");
    assert!(text(&server.ask(&["show", "o-3"])).contains("stuck"));
    let ordered = server.ask(&["retry", "o-3"]);
    assert!(ordered.status.success(), "{}", text(&ordered));
}

#[test]
fn the_past_and_the_dead_are_seen_with_a_server_and_without_one() {
    let Some(broker) = shared() else { return };
    let house = night(broker);
    let history: Value = serde_json::from_str(&house.look(&["history", "o-3", "--json"])).unwrap();
    let began = history["entries"][0]["at"].as_str().unwrap();
    let message = RawMessage { key: Some(b"k".to_vec()), payload: Some(b"junk".to_vec()), ..RawMessage::default() };
    let raw = Raw::open(&Settings::new(broker.address(), []).unwrap()).unwrap();
    raw.send(&format!("{}.requests", house.prefix), &[(partition_of("k", 3), message)]).unwrap();
    let server = house.serve_with(&[]);
    server.until("/dead", |_, body| body.contains("\"count\":1"));
    let past = ["show", "o-3", "--at", began, "--json"];
    for words in [&past[..], &["history", "o-3", "--run", "all", "--json"], &["dead", "--json"]] {
        let by_server = server.ask(words);
        assert!(by_server.status.success(), "{}", text(&by_server));
        assert_eq!(text(&by_server), house.look(words), "{words:?}");
    }
    let past: Value = serde_json::from_str(&house.look(&past)).unwrap();
    assert_eq!((past["as_of"].as_str(), &past["instance"]["status"]), (Some(began), &"running".into()));
    let dead = house.look(&["dead"]);
    assert!(dead.contains(&format!("{}.requests {}/0", house.prefix, partition_of("k", 3))), "{dead}");
}

const BRIEF: &str = "saga brief {\n  version 1\n  input { number: int }\n  sleep 1ms\n}\n";

/// Who sends starts at once, and how many each sends before somebody looks for the first time, and in all.
const SENDERS: u32 = 8;
const BEFORE: u32 = 25;
const EACH: u32 = 75;

/// The reader that tells senders what became of their starts ends where somebody looks, and another one begins: nothing that
/// the first one still had in its hands may keep out what the second one reads.
#[test]
fn what_is_listed_for_the_first_time_while_starts_come_is_all_there_is() {
    let Some(broker) = shared() else { return };
    let house = House::unmade(broker);
    fs::write(house.folder.path().join("brief.saga"), BRIEF).unwrap();
    assert!(house.run(&["init", "--partitions", "1", "brief.saga"]).status.success());
    for round in 1..=4 {
        let server = house.serve_with(&["brief.saga"]);
        let looks = Barrier::new(SENDERS as usize + 1);
        std::thread::scope(|scope| {
            for sender in 0..SENDERS {
                let (server, looks) = (&server, &looks);
                scope.spawn(move || {
                    for number in 0..EACH {
                        if number == BEFORE {
                            looks.wait();
                        }
                        let body = format!(
                            r#"{{"saga": "brief", "id": "{round}-{sender}-{number}", "input": {{"number": {number}}}}}"#
                        );
                        let (status, body) = server.http("POST /instances HTTP/1.1\r\n", &body);
                        assert_eq!(status, 202, "{body}");
                    }
                });
            }
            looks.wait();
            let (status, body) = server.get("/instances?status=completed&limit=10000");
            assert_eq!(status, 200, "{body}");
        });
        let count = (round * SENDERS * EACH) as usize;
        server.until("/instances?status=completed&limit=10000", |_, body| body.matches("\"id\"").count() == count);
        server.stop();
    }
}

/// More than there are consumers to read one partition.
const LOOKERS: u32 = 24;

/// What has ended is read from the log for each look, and a look that is over keeps nobody from the next one.
#[test]
fn what_has_ended_is_looked_at_as_often_as_one_likes() {
    let Some(broker) = shared() else { return };
    let house = night_in(House::unmade(broker), "1");
    let server = house.serve_with(&[]);
    let look = |path: &str| {
        let (status, body) = server.get(path);
        assert_eq!(status, 200, "{path}: {body}");
    };
    for _ in 0..100 {
        look("/instances/o-1");
        look("/instances/o-2/history");
    }
    std::thread::scope(|scope| {
        for _ in 0..LOOKERS {
            scope.spawn(|| (0..3).for_each(|_| look("/instances/o-1")));
        }
    });
    assert!(text(&server.ask(&["show", "o-1"])).contains("completed"));
}
