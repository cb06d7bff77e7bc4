//! What stands in the file. What the port promises is held against it in `tests/log/`.

use saga::log::{JOURNAL, Outcome, REQUESTS, Range, Ticket};

use super::probe::{open, user};

#[test]
fn what_is_truncated_is_deleted_and_offsets_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let probe = user(&log);
    for n in 0..40 {
        probe.append(REQUESTS, 0, &n.to_string());
    }
    probe.truncate(REQUESTS, 0, 40);
    drop(log);

    let file = rusqlite::Connection::open(directory.path().join("saga.db")).unwrap();
    let batches: i64 = file.query_row("SELECT count(*) FROM batch", [], |row| row.get(0)).unwrap();
    assert_eq!(batches, 0);
    drop(file);
    let log = open(directory.path());
    assert_eq!(log.range(REQUESTS, 0), Range { start: 40, end: 40 });
    assert_eq!(user(&log).append(REQUESTS, 0, "next"), 40);
}

#[test]
fn what_is_appended_together_is_written_together() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let probe = user(&log);
                let tickets: Vec<Ticket> = (0..500).map(|n| probe.send(JOURNAL, 0, &n.to_string())).collect();
                for ticket in tickets {
                    assert!(matches!(probe.outcome(ticket), Outcome::At(_)));
                }
            });
        }
    });
    drop(log);
    let file = rusqlite::Connection::open(directory.path().join("saga.db")).unwrap();
    let batches: i64 = file.query_row("SELECT count(*) FROM batch", [], |row| row.get(0)).unwrap();
    assert!(batches < 1_000, "2,000 appends took {batches} rows");
}

#[test]
fn what_can_never_be_taken_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let probe = user(&log);
    let refused = |ticket| match probe.outcome(ticket) {
        Outcome::Refused(why) => why.to_string(),
        other => panic!("{other:?}"),
    };
    insta::assert_snapshot!(refused(probe.send(REQUESTS, 7, "x")), @"topic `saga.requests` has 2 partitions, and none of number 7");
    insta::assert_snapshot!(refused(probe.send(REQUESTS, 0, &"x".repeat(2 << 20))), @"a record of 2097190 bytes is over the limit of 1114112 of topic `saga.requests`");
    insta::assert_snapshot!(refused(probe.send("", 0, "x")), @"a topic's name has 1 to 249 bytes");
    assert_eq!(probe.append(JOURNAL, 0, &"x".repeat(2 << 20)), 0, "the journal's records may be larger");
}

#[test]
fn people_can_look_into_a_log_that_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    user(&log).append(REQUESTS, 1, "x");
    let file = rusqlite::Connection::open(directory.path().join("saga.db")).unwrap();
    let (topic, partition, last): (String, u32, u64) = file
        .query_row("SELECT topic, partition, last_offset FROM log", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.cast_unsigned()))
        })
        .unwrap();
    assert_eq!((topic.as_str(), partition, last), (REQUESTS, 1, 0));
}
