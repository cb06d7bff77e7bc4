//! `saga` itself on Kafka: topics made, instances run to their ends, owners that die, stand still and come back.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;

use super::broker::{own, shared, signal};
use super::house::{FILE, House, PATIENCE, text};

#[test]
fn topics_are_made_and_a_saga_runs_to_its_end() {
    let Some(broker) = shared() else { return };
    let house = House::unmade(broker);
    let refused = house.run(&["run", FILE, "--participants", "simulated"]);
    assert_eq!(refused.status.code(), Some(7), "{}", text(&refused));
    assert!(text(&refused).contains("saga init --kafka"), "{}", text(&refused));
    for made in ["made: ", "there already: "] {
        let init = house.run(&["init", "--partitions", "3", FILE]);
        assert!(init.status.success() && text(&init).contains(made), "{}", text(&init));
    }
    let differs = house.run(&["init", "--partitions", "4", FILE]);
    assert_eq!(differs.status.code(), Some(7));
    assert!(text(&differs).contains("with 4 partitions: this deployment has 3, for good"), "{}", text(&differs));
    house.run_to_its_end("order-1");
    house.run_to_its_end("order-1");
}

#[test]
fn participants_that_nobody_plays_are_named_and_waited_for() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let mut run = house.saga(&["run", FILE, "--id", "order-1", "--participant", "tickets=simulated"]);
    let mut child = run.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (tell, said) = mpsc::channel();
    // Ends with the child.
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| tell.send(line)));
    let next = || said.recv_timeout(PATIENCE).expect("it says something");
    let named: Vec<String> =
        std::iter::repeat_with(next).filter(|line| line.contains("nobody reads")).take(2).collect();
    assert!(named.iter().any(|line| line.contains("hotel.commands")), "{named:?}");
    assert!(named.iter().any(|line| line.contains("payment.commands")), "{named:?}");
    // Another plays them.
    house.run_to_its_end("order-2");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn an_orchestrator_that_is_killed_is_followed_by_another() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let mut first = house.serve(&["--participant", "tickets=simulated", "--participant", "hotels=simulated"]);
    let ids: Vec<String> = (0..6).map(|n| format!("order-{n}")).collect();
    for id in &ids {
        first.start(id);
    }
    // Nobody charges cards, so all of them are under way.
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    let second = house.serve(&["--participants", "simulated"]);
    second.until_completed(ids.len());
}

#[test]
fn an_orchestrator_that_stood_still_is_fenced_and_goes_on() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let zombie = house.serve(&["--participants", "simulated"]);
    for n in 0..6 {
        zombie.start(&format!("early-{n}"));
    }
    signal(zombie.child.id(), "STOP");
    // Takes the partitions when the other's session is over.
    let other = house.serve(&["--participants", "simulated"]);
    for n in 0..6 {
        other.start(&format!("late-{n}"));
    }
    other.until_completed(12);
    signal(zombie.child.id(), "CONT");
    for n in 0..6 {
        zombie.start(&format!("again-{n}"));
    }
    other.until_completed(18);
    zombie.until_completed(18);
}

#[test]
fn a_broker_that_is_killed_and_started_again_costs_nothing_but_time() {
    let Some(broker) = own() else { return };
    let house = House::new(&broker);
    let server = house.serve(&["--participants", "simulated"]);
    for n in 0..4 {
        server.start(&format!("early-{n}"));
    }
    broker.kill();
    broker.restart();
    for n in 0..4 {
        server.start(&format!("late-{n}"));
    }
    server.until_completed(8);
}
