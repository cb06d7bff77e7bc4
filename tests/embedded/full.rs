//! A disk that is full, and a file that somebody else holds: appends wait, nothing is lost, and it goes on by itself.

use saga::log::Health;
use saga::log::embedded::{Embedded, Options};
use saga::log::{JOURNAL, Outcome, REQUESTS, Report, Ticket};

use super::probe::{Probe, open, user};

fn wait_for_health(log: &Embedded, probe: &Probe, wanted: impl Fn(&Health) -> bool) -> Health {
    // Reads of memory answer at once: this turns with the log, it does not sleep.
    for _ in 0..5_000_000 {
        let health = log.health();
        if wanted(&health) {
            return health;
        }
        let _ = probe.last(REQUESTS, 0);
    }
    panic!("the log is still {:?}", log.health());
}

#[test]
fn a_full_disk_makes_appends_wait_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { max_pages: Some(40), ..Options::default() };
    let log = Embedded::open(directory.path(), &options).unwrap();
    let probe = user(&log);
    let payload = "x".repeat(8_000);
    for _ in 0..20 {
        probe.append(REQUESTS, 0, &payload);
    }
    let waiting: Vec<Ticket> = (0..25).map(|_| probe.send(JOURNAL, 0, &payload)).collect();
    let health = wait_for_health(&log, &probe, |health| matches!(health, Health::Waiting { .. }));
    let Health::Waiting { why, .. } = health else { unreachable!() };
    insta::assert_snapshot!(why, @"the disk is full: make space");
    assert!(log.queued_bytes() > 0);
    let range = log.range(JOURNAL, 0);
    assert!(range.end < 25, "what is not durable is not shown as the truth");

    // Retention makes space.
    probe.truncate(REQUESTS, 0, 20);
    for (offset, ticket) in (0..).zip(waiting) {
        assert_eq!(probe.outcome(ticket), Outcome::At(offset));
    }
    assert_eq!(log.health(), Health::Writing);
    assert_eq!(log.queued_bytes(), 0);
    drop(log);
    let log = open(directory.path());
    assert_eq!(user(&log).payloads(JOURNAL, 0, 0, 25), vec![payload; 25]);
}

#[test]
fn closing_while_the_disk_is_full_says_what_is_unknown() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { max_pages: Some(24), ..Options::default() };
    let log = Embedded::open(directory.path(), &options).unwrap();
    let probe = user(&log);
    let payload = "x".repeat(8_000);
    let tickets: Vec<Ticket> = (0..60).map(|_| probe.send(JOURNAL, 0, &payload)).collect();
    wait_for_health(&log, &probe, |health| matches!(health, Health::Waiting { .. }));
    log.close();
    let outcomes: Vec<Outcome> = tickets.into_iter().map(|ticket| probe.outcome(ticket)).collect();
    assert!(outcomes.contains(&Outcome::Unknown));
    let kept = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::At(_))).count() as u64;
    let log = open(directory.path());
    assert!(log.range(JOURNAL, 0).end >= kept, "what was acknowledged is there");
    assert_eq!(user(&log).append(REQUESTS, 0, "it goes on"), 0);
}

#[test]
fn a_lock_of_somebody_else_on_the_file_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let probe = user(&log);
    probe.append(REQUESTS, 0, "a");
    let other = rusqlite::Connection::open(directory.path().join("saga.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let ticket = probe.send(JOURNAL, 0, "b");
    wait_for_health(
        &log,
        &probe,
        |health| matches!(health, Health::Waiting { why, .. } if why.contains("another program")),
    );
    assert!(!probe.inbox.has(|report| matches!(report, Report::Appended { ticket: of, .. } if *of == ticket)));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(probe.outcome(ticket), Outcome::At(0));
}
