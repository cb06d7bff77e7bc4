//! `saga` itself on Kafka: topics made, instances run to their ends, owners that die, stand still and come back.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::adapter::prefix;
use super::broker::{Broker, own, shared, signal};

/// A deployment of its own: a prefix, and participants whose commands nobody else takes.
struct House<'b> {
    broker: &'b Broker,
    prefix: String,
    folder: tempfile::TempDir,
}

/// Far longer than anything here takes: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_mins(1);

const FILE: &str = "booking.saga";

impl<'b> House<'b> {
    fn new(broker: &'b Broker) -> Self {
        let house = Self::unmade(broker);
        let made = house.run(&["init", "--partitions", "3", FILE]);
        assert!(made.status.success(), "{}", text(&made));
        house
    }

    fn unmade(broker: &'b Broker) -> Self {
        let prefix = prefix();
        let folder = tempfile::tempdir().unwrap();
        let workflow = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/workflows/booking.saga")).unwrap();
        let own = workflow.replace("commands \"", &format!("commands \"{prefix}."));
        std::fs::write(folder.path().join(FILE), own).unwrap();
        Self { broker, prefix, folder }
    }

    /// The binary on this deployment, with sessions that end soon.
    fn saga(&self, arguments: &[&str]) -> Command {
        let mut saga = Command::new(env!("CARGO_BIN_EXE_saga"));
        saga.current_dir(self.folder.path()).stdin(Stdio::null()).args(arguments);
        saga.args(["--kafka", &self.broker.address(), "--prefix", &self.prefix]);
        saga.args(["--kafka-config", "session.timeout.ms=3000", "--kafka-config", "heartbeat.interval.ms=300"]);
        saga
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.saga(arguments).output().unwrap()
    }

    fn serve(&self, participants: &[&str]) -> Server {
        let mut serve = self.saga(&["serve", "--listen", "127.0.0.1:0", FILE]);
        let mut child = serve.args(participants).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let url = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {said:#?}")).unwrap();
            if let Some((_, url)) = line.split_once(" on http://").filter(|_| line.starts_with("serving")) {
                break format!("http://{url}");
            }
            said.push(line);
        };
        // What else it says is read and thrown away, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Server { child, url }
    }

    /// Runs an instance to its end with everybody played from here: another orchestrator for the time.
    fn run_to_its_end(&self, id: &str) {
        let ended = self.run(&["run", FILE, "--id", id, "--participants", "simulated"]);
        assert!(ended.status.success(), "{}", text(&ended));
        assert!(text(&ended).contains("\"status\": \"completed\""), "{}", text(&ended));
    }
}

/// A `saga serve`.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn ask(&self, arguments: &[&str]) -> Output {
        let mut saga = Command::new(env!("CARGO_BIN_EXE_saga"));
        saga.stdin(Stdio::null()).args(arguments).args(["--server", &self.url]).output().unwrap()
    }

    fn start(&self, id: &str) {
        let input = r#"{"traveller": "ana", "flight": "KE905", "hotel": "Lux", "nights": 2, "amount": 840.00}"#;
        // Again, while nobody can say whether it was taken.
        let begun = (0..100).map(|_| self.ask(&["start", "booking", "--id", id, "--input", input]));
        let begun: Vec<Output> = begun
            .scan(false, |done, output| {
                if *done {
                    return None;
                }
                *done = output.status.success();
                Some(output)
            })
            .collect();
        let last = begun.last().unwrap();
        assert!(last.status.success(), "{}", text(last));
    }

    /// Waits until so many have completed, and nothing else is left.
    fn until_completed(&self, count: usize) {
        let mut last = String::new();
        for _ in 0..2_000 {
            let listed = self.ask(&["list", "--json", "--status", "completed", "--limit", "1000"]);
            last = text(&listed);
            let completed = last.matches("\"status\": \"completed\"").count();
            if listed.status.success() && completed >= count {
                return;
            }
        }
        panic!("{last}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

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
    assert!(text(&differs).contains("partitions is 3, and should be 4"), "{}", text(&differs));
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
