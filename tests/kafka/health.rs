//! What a server tells those that watch it: while a broker is away, while partitions move, with none of its own.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::Value;

use super::broker::{own, shared};
use super::house::{FILE, House, INPUT, PATIENCE, Server, text};

/// Starts that are sent while the broker is away: far more than are under way at once.
const FLOOD: usize = 6_000;

/// Who sends them.
const SENDERS: usize = 64;

fn start(id: &str) -> String {
    format!(r#"{{"saga": "booking", "id": "{id}", "input": {INPUT}}}"#)
}

fn partitions(body: &str) -> (u64, u64) {
    let told: Value = serde_json::from_str(body).unwrap();
    let count = |name: &str| told["partitions"][name].as_u64().unwrap();
    (count("running"), count("elsewhere"))
}

fn is_ready_with(running: u64) -> impl Fn(u16, &str) -> bool {
    move |status, body| status == 200 && partitions(body).0 == running
}

#[test]
fn a_broker_that_is_away_is_told_and_what_is_asked_meanwhile_is_refused() {
    let Some(broker) = own() else { return };
    let house = House::new(&broker);
    let server = house.serve(&["--participants", "simulated"]);
    server.until("/readyz", is_ready_with(3));
    server.start("early");
    broker.kill();
    let why = server.until("/readyz", |status, body| status == 503 && body.contains("cannot be reached"));
    assert!(why.contains(&broker.address()), "{why}");
    let is_told = |body: &str| body.contains("cannot be reached") && body.contains(", since 20");
    server.until("/healthz", |status, alive| status == 200 && is_told(alive));
    server.until("/metrics", |_, body| body.contains("\nsaga_log_up 0\n"));
    // Each is answered, whatever of it may be under way, and nothing of it waits.
    let taken: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (server, taken) = (&server, &taken);
            scope.spawn(move || {
                for number in 0..FLOOD / SENDERS {
                    let id = format!("flood-{sender}-{number}");
                    let (status, body) = server.http("POST /instances HTTP/1.1\r\n", &start(&id));
                    match status {
                        202 => taken.lock().unwrap().push(id),
                        503 => assert!(body.contains("nothing was taken"), "{body}"),
                        other => panic!("{other} {body}"),
                    }
                }
            });
        }
    });
    let orders = format!("POST /instances/{}/orders HTTP/1.1\r\n", "early");
    let (status, refused) = server.http(&orders, r#"{"order": "cancel"}"#);
    assert!(status == 503 && refused.contains("ask again in a moment"), "{refused}");
    for path in ["/instances", "/instances/early", "/instances/early/history"] {
        let (status, refused) = server.get(path);
        assert!(status == 503 && refused.contains("cannot be reached"), "{refused}");
    }
    broker.restart();
    server.until("/readyz", is_ready_with(3));
    assert!(server.get("/healthz").1.find("\"log\"").is_none());
    server.start("late");
    let taken = taken.into_inner().unwrap();
    server.until_completed(2 + taken.len());
    for id in taken {
        assert!(text(&server.ask(&["show", &id])).contains("completed"), "{id} was acknowledged");
    }
}

const RUNNING: &str = "saga_instances{state=\"running\"}";
const OURS: &str = "saga_partitions{state=\"running\"}";

/// Of a server, by name and labels: those that count.
fn metrics(server: &Server) -> BTreeMap<String, usize> {
    let (_, body) = server.get("/metrics");
    let values = body.lines().filter_map(|line| line.rsplit_once(' '));
    values.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
}

/// Partitions of which a server tells how far behind they are.
fn lagging(metrics: &BTreeMap<String, usize>) -> Vec<String> {
    let of = |name: &String| Some(name.strip_prefix("saga_lag_records{topic=\"requests\",partition=")?.to_owned());
    metrics.keys().filter_map(of).collect()
}

/// Waits until metrics are so.
fn measured(server: &Server, is_so: impl Fn(&BTreeMap<String, usize>) -> bool) -> BTreeMap<String, usize> {
    let began = Instant::now();
    loop {
        let metrics = metrics(server);
        if is_so(&metrics) {
            return metrics;
        }
        assert!(began.elapsed() < PATIENCE, "{metrics:#?}");
    }
}

#[test]
fn partitions_that_left_are_not_reported_any_more() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    // Nobody plays the hotels, so all bookings stay under way.
    let (one, others) = (house.serve(&["--participant", "tickets=simulated"]), ["--participant", "tickets=simulated"]);
    one.until("/readyz", is_ready_with(3));
    let ids: Vec<String> = (0..9).map(|number| format!("b-{number}")).collect();
    for id in &ids {
        one.start(id);
    }
    let alone = measured(&one, |now| now[RUNNING] == 9 && now[OURS] == 3 && lagging(now).len() == 3);
    assert_eq!((alone["saga_fences_total"], alone["saga_recovery_seconds_count"]), (0, 3), "{alone:#?}");
    let other = house.serve(&others);
    let is_shared = |now: &BTreeMap<String, usize>| (1..3).contains(&now[OURS]);
    let left = measured(&one, is_shared);
    let left = measured(&one, |now| is_shared(now) && now[OURS] == left[OURS] && now[RUNNING] < 9);
    let came = measured(&other, |now| now[OURS] + left[OURS] == 3 && now[RUNNING] + left[RUNNING] == 9);
    let both = measured(&one, |now| lagging(now).len() == now[OURS]);
    let others = measured(&other, |now| lagging(now).len() == now[OURS]);
    assert!(lagging(&both).iter().all(|partition| !lagging(&others).contains(partition)), "{both:#?} {others:#?}");
    // What came was recovered, and not for as long as the server had nothing to do.
    assert_eq!(came["saga_recovery_seconds_count"], came[OURS], "{came:#?}");
    drop(other);
    let back = measured(&one, |now| now[OURS] == 3 && now[RUNNING] == 9 && lagging(now).len() == 3);
    assert_eq!(back["saga_started_total{saga=\"booking\"}"], 9, "counted where they began: {back:#?}");
}

#[test]
fn a_server_without_partitions_is_ready_and_says_so() {
    let Some(broker) = shared() else { return };
    for house in [House::new(broker), House::with_new_groups(broker)] {
        let servers: Vec<Server> = (0..4).map(|_| house.serve(&["--participants", "simulated"])).collect();
        // Three partitions for four: one has none, and takes requests all the same.
        let began = Instant::now();
        let idle = loop {
            let told: Vec<(u16, String)> = servers.iter().map(|server| server.get("/readyz")).collect();
            let running = |(_, body): &(u16, String)| partitions(body).0;
            if told.iter().all(|(status, _)| *status == 200) && told.iter().map(running).sum::<u64>() == 3 {
                break told
                    .iter()
                    .position(|told| running(told) == 0)
                    .expect("there are fewer partitions than servers");
            }
            assert!(began.elapsed() < PATIENCE, "{told:#?}");
        };
        servers[idle].start("order-1");
        servers[idle].until_completed(1);
    }
}

#[test]
fn a_journal_that_is_gone_is_told_and_none_is_made_in_its_place() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let server = house.serve(&["--participants", "simulated"]);
    server.start("early");
    server.until_completed(1);
    let journal = house.delete("journal");
    let why = server.until("/readyz", |status, body| status == 503 && body.contains("is gone"));
    assert!(why.contains(&format!("{journal} is gone from Kafka at {}", broker.address())), "{why}");
    let refused = house.run(&["init", FILE]);
    assert!(!refused.status.success(), "{}", text(&refused));
    assert!(
        text(&refused).contains(&format!("{journal} is gone, and {}.requests has had", house.prefix)),
        "{}",
        text(&refused)
    );
    // Where nothing was decided, nothing is done again.
    let fresh = House::new(broker);
    let journal = fresh.delete("journal");
    // The broker may know the old one for a moment.
    let made = (0..100).map(|_| text(&fresh.run(&["init", FILE])));
    assert!(made.into_iter().any(|made| made.contains(&format!("made: {journal}"))), "it is made");
    let mut server = server;
    server.child.kill().unwrap();
    server.child.wait().unwrap();
}
