//! `kill -9` while appending: everything that was acknowledged is there afterwards.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use saga::log::{JOURNAL, Outcome, REPLIES, REQUESTS, Ticket};

use super::probe::{open, user};

/// Where the child works; without it this test is nobody's child.
const CHILD: &str = "SAGA_TEST_CRASH_DIRECTORY";

const TOPICS: [&str; 3] = [REQUESTS, REPLIES, JOURNAL];

/// Appends for ever and says which offsets were acknowledged. Runs in a process of its own.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let log = open(&directory);
    let probe = user(&log);
    let mut out = std::io::stdout();
    for round in 0u64.. {
        let tickets: Vec<(usize, Ticket)> = (0..30)
            .map(|n| (n % TOPICS.len(), probe.send(TOPICS[n % TOPICS.len()], 0, &format!("{round} {n}"))))
            .collect();
        for (topic, ticket) in tickets {
            let Outcome::At(offset) = probe.outcome(ticket) else { panic!("not acknowledged") };
            writeln!(out, "acknowledged {topic} {offset}").unwrap();
        }
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    for kills_after in [1, 100, 777] {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "embedded::crash::child", "--nocapture"])
            .env(CHILD, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = [None; TOPICS.len()];
        let mut note = |line: &str| {
            let Some(rest) = line.strip_prefix("acknowledged ") else { return false };
            let (topic, offset) = rest.split_once(' ').unwrap();
            let offset: u64 = offset.parse().unwrap();
            acknowledged[topic.parse::<usize>().unwrap()] = Some(offset);
            true
        };
        let mut seen = 0;
        while seen < kills_after {
            let line = lines.next().expect("the child appends for ever").unwrap();
            seen += usize::from(note(&line));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had said before it died counts too; its last line may be cut.
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        for line in rest.iter().take(rest.len().saturating_sub(1)) {
            note(line);
        }

        let log = open(directory.path());
        let probe = user(&log);
        for (topic, last) in TOPICS.iter().zip(acknowledged) {
            let Some(last) = last else { continue };
            let end = log.range(topic, 0).end;
            assert!(end > last, "{topic} ends at {end}, and {last} was acknowledged");
            let payloads = probe.payloads(topic, 0, 0, end);
            assert_eq!(payloads.len() as u64, end);
        }
    }
}
