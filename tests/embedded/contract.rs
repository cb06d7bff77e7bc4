//! What the port promises, on the embedded log.

use std::sync::Arc;

use saga::log::{DEFINITIONS, JOURNAL, Outcome, REQUESTS, Range, Report, Reports, Request, Ticket, partition_of};

use super::probe::{Inbox, Probe, Refused, message, open};

#[test]
fn offsets_are_dense_and_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let probe = Probe::new(&log);
    let offsets: Vec<u64> = (0..5).map(|n| probe.append(JOURNAL, 1, &format!("r{n}"))).collect();
    assert_eq!(offsets, [0, 1, 2, 3, 4]);
    let before = probe.records(probe.ask_read(JOURNAL, 1, 0)).unwrap();
    drop(log);

    let log = open(directory.path());
    let probe = Probe::new(&log);
    let after = probe.records(probe.ask_read(JOURNAL, 1, 0)).unwrap();
    assert_eq!(before, after, "keys, headers, payloads and times are what they were");
    assert_eq!(probe.append(JOURNAL, 1, "r5"), 5);
    assert_eq!(probe.append(JOURNAL, 0, "other"), 0, "partitions count by themselves");
    assert_eq!(probe.payloads(JOURNAL, 1, 3, 6), ["r3", "r4", "r5"]);
}

#[test]
fn a_reader_at_the_end_is_woken_by_a_record() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let probe = Probe::new(&log);
    for topic in [JOURNAL, REQUESTS] {
        let read = probe.ask_read(topic, 0, 0);
        assert!(!probe.inbox.has(|report| matches!(report, Report::Records { .. })), "nothing to report yet");
        probe.append(topic, 0, "first");
        assert_eq!(probe.records(read).unwrap().len(), 1);
    }
}

#[test]
fn a_second_read_replaces_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let probe = Probe::new(&log);
    let first = probe.ask_read(REQUESTS, 0, 0);
    let second = probe.ask_read(REQUESTS, 0, 0);
    probe.append(REQUESTS, 0, "one");
    assert_eq!(probe.records(second).unwrap().len(), 1);
    assert!(!probe.inbox.has(|report| matches!(report, Report::Records { ticket, .. } if *ticket == first)));
}

#[test]
fn the_last_record_and_the_range() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let probe = Probe::new(&log);
    assert_eq!(probe.last(JOURNAL, 0), (None, Range { start: 0, end: 0 }));
    probe.append(JOURNAL, 0, "a");
    probe.append(JOURNAL, 0, "b");
    let (last, range) = probe.last(JOURNAL, 0);
    assert_eq!((&*last.unwrap().message.payload, range), (&b"b"[..], Range { start: 0, end: 2 }));
    drop(log);
    let log = open(directory.path());
    let (last, _) = Probe::new(&log).last(JOURNAL, 0);
    assert_eq!(last.unwrap().offset, 1, "from the disk as well");
}

#[test]
fn reads_outside_the_range_say_which_there_is() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let probe = Probe::new(&log);
    for n in 0..4 {
        probe.append(REQUESTS, 0, &n.to_string());
    }
    probe.truncate(REQUESTS, 0, 3);
    let range = Range { start: 3, end: 4 };
    assert_eq!(probe.records(probe.ask_read(REQUESTS, 0, 2)), Err(Refused::OutOfRange(range)));
    assert_eq!(probe.records(probe.ask_read(REQUESTS, 0, 5)), Err(Refused::OutOfRange(range)));
    assert_eq!(probe.payloads(REQUESTS, 0, 3, 4), ["3"]);
}

#[test]
fn what_is_truncated_is_deleted_and_offsets_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let probe = Probe::new(&log);
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
    assert_eq!(Probe::new(&log).append(REQUESTS, 0, "next"), 40);
}

#[test]
fn what_is_appended_together_is_written_together_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let log = &log;
            scope.spawn(move || {
                let probe = Probe::new(log);
                let tickets: Vec<Ticket> = (0..500).map(|n| probe.send(JOURNAL, 0, &format!("{writer} {n}"))).collect();
                let offsets: Vec<Outcome> = tickets.into_iter().map(|ticket| probe.outcome(ticket)).collect();
                assert!(offsets.is_sorted_by_key(|outcome| match outcome {
                    Outcome::At(offset) => *offset,
                    other => panic!("{other:?}"),
                }));
            });
        }
    });
    let payloads = Probe::new(&log).payloads(JOURNAL, 0, 0, 2_000);
    for writer in 0..4 {
        let own: Vec<&String> = payloads.iter().filter(|text| text.starts_with(&format!("{writer} "))).collect();
        let expected: Vec<String> = (0..500).map(|n| format!("{writer} {n}")).collect();
        assert_eq!(own, expected.iter().collect::<Vec<_>>());
    }
    drop(log);
    let file = rusqlite::Connection::open(directory.path().join("saga.db")).unwrap();
    let batches: i64 = file.query_row("SELECT count(*) FROM batch", [], |row| row.get(0)).unwrap();
    assert!(batches < 1_000, "2,000 appends took {batches} rows");
}

#[test]
fn the_owner_is_assigned_every_partition_and_keeps_them() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let inbox = Arc::new(Inbox::default());
    let owner = log.own(Arc::clone(&inbox) as Arc<dyn Reports>);
    for expected in 0..log.layout().partitions {
        let assigned = |partition, report: &Report| matches!(report, Report::Assigned).then_some(partition);
        assert_eq!(inbox.take(assigned), expected);
    }
    saga::log::Log::submit(&owner, 1, vec![Request::Confirm { ticket: Ticket(9) }]);
    inbox.take(|partition, report| match report {
        Report::Confirmed { ticket: Ticket(9) } if partition == 1 => Some(()),
        _ => None,
    });
}

#[test]
fn the_key_chooses_the_partition_where_nobody_says() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let probe = Probe::new(&log);
    for topic in [REQUESTS, DEFINITIONS] {
        let ticket = probe.ticket();
        let append = saga::log::Append { ticket, topic: topic.into(), partition: None, message: message("x") };
        saga::log::Log::submit(&probe.log, 0, vec![Request::Append(append)]);
        assert_eq!(probe.outcome(ticket), Outcome::At(0));
    }
    assert_eq!(log.range(REQUESTS, partition_of("order-1", log.layout().partitions)).end, 1);
    assert_eq!(log.range(DEFINITIONS, 0).end, 1);
}

#[test]
fn what_can_never_be_taken_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let probe = Probe::new(&log);
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
fn long_histories_are_read_from_the_disk_in_pieces() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let probe = Probe::new(&log);
    let payload = "x".repeat(200_000);
    let tickets: Vec<Ticket> = (0..30).map(|_| probe.send(JOURNAL, 0, &payload)).collect();
    for ticket in tickets {
        assert!(matches!(probe.outcome(ticket), Outcome::At(_)));
    }
    let first = probe.records(probe.ask_read(JOURNAL, 0, 0)).unwrap();
    assert!(first.len() < 30, "one report is bounded");
    assert_eq!(probe.payloads(JOURNAL, 0, 0, 30).len(), 30);
}

#[test]
fn people_can_look_into_a_log_that_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    Probe::new(&log).append(REQUESTS, 1, "x");
    let file = rusqlite::Connection::open(directory.path().join("saga.db")).unwrap();
    let (topic, partition, last): (String, u32, u64) = file
        .query_row("SELECT topic, partition, last_offset FROM log", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.cast_unsigned()))
        })
        .unwrap();
    assert_eq!((topic.as_str(), partition, last), (REQUESTS, 1, 0));
}
