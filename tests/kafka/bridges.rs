//! Participants that read no log, behind a bridge inside `saga serve`: no more at once than they bear, and none of their
//! answers lost when the server is stopped.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use saga::log::kafka::{Raw, Settings};
use saga::participant::bridge::AT_ONCE_MAX;
use saga::wire::CloudEvent;

use super::broker::{Broker, shared};
use super::house::{FILE, House, INPUT, PATIENCE};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A ticket desk behind HTTP that answers when it is let.
#[derive(Clone)]
struct Desk {
    address: String,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    /// Its answers are held back.
    is_shut: bool,
    /// What it works on now, and the most that it ever did.
    now: usize,
    most: usize,
    /// All that it was asked: the command and what of it, and the trace.
    asked: Vec<(String, String)>,
}

impl Desk {
    fn shut() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("tickets=http://{}/commands", listener.local_addr().unwrap());
        let desk = Self { address, state: Arc::default() };
        desk.lock().is_shut = true;
        let serving = desk.clone();
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let desk = serving.clone();
                std::thread::spawn(move || desk.serve(&stream.unwrap()));
            }
        });
        desk
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap()
    }

    fn serve(&self, mut stream: &TcpStream) {
        let mut request = BufReader::new(stream);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if request.read_line(&mut head).unwrap_or_default() == 0 {
                    return;
                }
            }
            let header = |name: &str| {
                let of = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned());
                head.lines().find_map(of).unwrap_or_default()
            };
            let mut body = vec![0; header("content-length").parse().unwrap()];
            request.read_exact(&mut body).unwrap();
            let mut state = self.lock();
            state.asked.push((format!("{} {}", header("ce-command"), header("ce-kind")), header("traceparent")));
            state.now += 1;
            state.most = state.most.max(state.now);
            self.state.1.notify_all();
            let mut state = self.state.1.wait_while(state, |state| state.is_shut).unwrap();
            state.now -= 1;
            drop(state);
            let reply = r#"{"hold":"h-1","seat":"1A"}"#;
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{reply}", reply.len());
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    /// Waits until so many are there at once.
    fn until_asked(&self, count: usize) {
        let (state, waited) =
            self.state.1.wait_timeout_while(self.lock(), PATIENCE, |state| state.now < count).unwrap();
        assert!(!waited.timed_out(), "{} of {count}", state.now);
    }

    fn open(&self) {
        self.lock().is_shut = false;
        self.state.1.notify_all();
    }
}

fn start(id: &str) -> String {
    format!(r#"{{"saga": "booking", "id": "{id}", "input": {INPUT}}}"#)
}

/// A deployment whose commands wait for a shut desk as long as a slow machine takes to send them all.
fn patient(broker: &Broker) -> House<'_> {
    let house = House::unmade(broker);
    let file = house.folder.path().join(FILE);
    let hasty = fs::read_to_string(&file).unwrap();
    let patient = hasty.replacen("defaults { timeout 10s ", "defaults { timeout 5m ", 1);
    assert_ne!(patient, hasty);
    fs::write(file, patient).unwrap();
    let made = house.run(&["init", "--partitions", "3", FILE]);
    assert!(made.status.success(), "{made:?}");
    house
}

#[test]
fn a_participant_is_asked_no_more_at_once_than_it_bears() {
    let Some(broker) = shared() else { return };
    let (house, desk) = (patient(broker), Desk::shut());
    let server = house.serve(&["--participant", &desk.address, "--participants", "simulated"]);
    let count = AT_ONCE_MAX * 2;
    let head = format!("POST /instances HTTP/1.1\r\ntraceparent: {TRACE}\r\n");
    for number in 0..count {
        let (status, body) = server.http(&head, &start(&format!("b-{number}")));
        assert_eq!(status, 202, "{body}");
    }
    // All are decided, so half of their commands wait on the topic or behind it.
    desk.until_asked(AT_ONCE_MAX);
    desk.open();
    server.until_completed(count);
    let state = desk.lock();
    assert_eq!(state.most, AT_ONCE_MAX);
    // Every command had the trace of its start, and so had every reply.
    assert!(state.asked.iter().all(|(_, trace)| trace == TRACE), "{:?}", state.asked.first());
    drop(state);
    let raw = Raw::open(&Settings::new(broker.address(), []).unwrap()).unwrap();
    for partition in 0..3 {
        for reply in raw.read_all(&format!("{}.replies", house.prefix), partition).unwrap() {
            let event = CloudEvent::read(&reply).unwrap();
            assert_eq!(event.get("traceparent"), Some(TRACE), "{event:?}");
        }
    }
}

#[test]
fn what_is_under_way_is_answered_before_a_server_stops() {
    let Some(broker) = shared() else { return };
    let (house, desk) = (House::new(broker), Desk::shut());
    let participants = ["--participant", &desk.address, "--participants", "simulated"];
    let first = house.serve(&participants);
    first.start("b-1");
    desk.until_asked(1);
    let address = first.url.strip_prefix("http://").unwrap().to_owned();
    let stopping = std::thread::spawn(move || first.stop());
    // Nobody is let in any more: it is about to end.
    while TcpStream::connect(&address).is_ok() {}
    desk.open();
    stopping.join().unwrap();
    let second = house.serve(&participants);
    second.until_completed(1);
    let mut asked: Vec<String> = desk.lock().asked.iter().map(|(command, _)| command.clone()).collect();
    asked.sort_unstable();
    let count = asked.len();
    asked.dedup();
    assert_eq!((asked.len(), count), (2, 2), "a reservation and its confirmation, each asked for once: {asked:?}");
}

#[test]
fn what_is_given_to_a_server_that_joins_is_asked_once() {
    let Some(broker) = shared() else { return };
    let (house, [one, other]) = (patient(broker), [Desk::shut(), Desk::shut()]);
    other.open();
    let first = house.serve(&["--participant", &one.address, "--participants", "simulated"]);
    let begin = |number: usize| {
        let (status, body) = first.http("POST /instances HTTP/1.1\r\n", &start(&format!("b-{number}")));
        assert_eq!(status, 202, "{body}");
    };
    let mut count = AT_ONCE_MAX * 2;
    (0..count).for_each(begin);
    // Half of the commands are at the desk and half wait before it when the other server joins; none is committed.
    one.until_asked(AT_ONCE_MAX);
    let second = house.serve(&["--participant", &other.address, "--participants", "simulated"]);
    one.open();
    while other.lock().asked.is_empty() {
        begin(count);
        count += 1;
    }
    second.until_completed(count);
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for (command, _) in [one, other].iter().flat_map(|desk| desk.lock().asked.clone()) {
        *times.entry(command).or_default() += 1;
    }
    assert_eq!(times.len(), count * 2, "a reservation and its confirmation each");
    let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{} of {} are asked again: {:?}", twice.len(), times.len(), twice.first());
}

#[test]
fn a_process_takes_commands_from_kafka() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    house.write_desk();
    let tickets = ["--participant", "tickets=process:sh desk.sh", "--participants", "simulated"];
    // Two of them share its topic, with a process each.
    let servers = [house.serve(&tickets), house.serve(&tickets)];
    for number in 0..10 {
        servers[number % 2].start(&format!("b-{number}"));
    }
    servers[0].until_completed(10);
    let shown = servers[0].get("/instances/b-1").1;
    assert!(shown.contains("\"seat\":\"1A\""), "{shown}");
    let [one, other] = servers;
    one.stop();
    other.start("b-10");
    other.until_completed(11);
    assert!(house.run(&["list"]).status.success(), "{FILE}");
}

#[test]
fn a_topic_of_commands_that_goes_away_is_said_once_and_so_is_that_it_is_back() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let server = house.serve(&["--participants", "simulated"]);
    let sagas = |letter: char, count: usize| (0..count).for_each(|number| server.start(&format!("{letter}-{number}")));
    // Some in each partition, so that what is written to the new topic does not come behind the last of the old one.
    sagas('a', 9);
    server.until_completed(9);
    let topic = house.delete("hotel.commands");
    server.until_said("cannot be read for now");
    // So that it is tried again and again: each of these is as long as many tries.
    for _ in 0..3 {
        assert!(house.run(&["list"]).status.success());
    }
    // What is to be sent meanwhile waits, and nothing is stuck for it.
    sagas('b', 3);
    server.until_said("there is no such topic");
    let made = house.run(&["init", "--partitions", "3", FILE]);
    assert!(made.status.success(), "{made:?}");
    let back = server.until_said("can be read again");
    let away = server.until_said("cannot be read for now");
    assert_eq!((away.len(), back.len()), (1, 1), "{away:#?} {back:#?}");
    server.until_completed(12);
    sagas('c', 9);
    server.until_completed(21);
    // Twice at most: where nobody can tell whether it is there it is sent again, and then one can.
    let raw = Raw::open(&Settings::new(broker.address(), []).unwrap()).unwrap();
    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    for message in (0..3).flat_map(|partition| raw.read_all(&topic, partition).unwrap()) {
        *sent.entry(String::from_utf8_lossy(&message.payload).into_owned()).or_default() += 1;
    }
    assert!(sent.len() >= 12 && sent.values().all(|times| *times <= 2), "{:?}", sent.values());
}
