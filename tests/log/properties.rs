//! Records: what becomes of appends, and what readers see of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Barrier};

use saga::log::{
    DEFINITIONS, JOURNAL, Outcome, READ_MAX, RECORD_MAX, REPLIES, REQUESTS, Range, Report, Request, Stored, Ticket,
    partition_of,
};
use saga::wire::{Headers, Message};

use super::probe::{Probe, Refused, message};
use super::{Adapter, PARTITIONS, TOPICS};

/// Somebody who owns nothing.
fn user<A: Adapter>(adapter: &A) -> Probe {
    Probe::new(|reports| adapter.attach(reports))
}

/// What was handed over for one partition of a topic, and what came of it.
struct Account {
    topic: Arc<str>,
    partition: u32,
    sent: Vec<(Arc<Message>, Outcome)>,
}

impl Account {
    fn new(topic: Arc<str>, partition: u32) -> Self {
        Self { topic, partition, sent: Vec::new() }
    }

    /// Appends all at once and waits for the ends.
    fn append(&mut self, user: &Probe, payloads: impl IntoIterator<Item = String>) {
        let send = |payload: String| {
            let message = message(&payload);
            let at = Some(self.partition);
            (user.send_message(&self.topic, self.partition, at, Arc::clone(&message)), message)
        };
        let under_way: Vec<(Ticket, Arc<Message>)> = payloads.into_iter().map(send).collect();
        self.sent.extend(under_way.into_iter().map(|(ticket, message)| (message, user.outcome(ticket))));
    }

    fn acknowledged(&self) -> BTreeMap<u64, &Arc<Message>> {
        let mut all = Vec::new();
        for (message, outcome) in &self.sent {
            if let Outcome::At(offset) = outcome {
                all.push((*offset, message));
            }
        }
        let by_offset: BTreeMap<u64, &Arc<Message>> = all.iter().copied().collect();
        assert_eq!(by_offset.len(), all.len(), "two records were acknowledged at one place");
        by_offset
    }

    /// Reads all that is there and holds it against what was handed over.
    fn audit<A: Adapter>(&self, adapter: &A, user: &Probe) -> Vec<Stored> {
        adapter.settle();
        let (last, range) = user.last(&self.topic, self.partition);
        let there = user.between(&self.topic, self.partition, range.start, range.end);
        assert_eq!(last.as_ref().map(|last| last.offset), there.last().map(|last| last.offset));
        let acknowledged = self.acknowledged();
        for (offset, message) in &acknowledged {
            assert!(*offset < range.end, "{offset} is acknowledged, and the end is {}", range.end);
            if let Some(stored) = there.iter().find(|stored| stored.offset == *offset) {
                assert_eq!(&&stored.message, message, "at {offset} stands another record");
            }
        }
        for stored in &there {
            let handed_over = |(message, outcome): &(Arc<Message>, Outcome)| {
                *message == stored.message && !matches!(outcome, Outcome::Refused(_))
            };
            assert!(self.sent.iter().any(handed_over), "nobody appended {stored:?}, or it was refused");
        }
        if A::CAN.keep_order {
            assert!(self.sent.iter().all(|(_, outcome)| matches!(outcome, Outcome::At(_))), "nothing fails here");
            let all: Vec<&Arc<Message>> = self.sent.iter().map(|(message, _)| message).collect();
            assert_eq!(acknowledged.into_values().collect::<Vec<_>>(), all, "each once, in order");
            assert_eq!(range.end, all.len() as u64);
        }
        there
    }
}

pub(crate) fn every_topic_takes_records<A: Adapter>(adapter: &mut A) {
    let user = user(adapter);
    for name in TOPICS {
        let topic = adapter.topic(name);
        for partition in 0..if name == DEFINITIONS { 1 } else { PARTITIONS } {
            let offset = user.append(&topic, partition, name);
            assert_eq!(user.payloads(&topic, partition, offset, offset + 1), [name]);
        }
    }
}

pub(crate) fn acknowledged_records_stay_where_they_are<A: Adapter>(adapter: &mut A) {
    let at = |adapter: &A| {
        [(JOURNAL, 0), (JOURNAL, 1), (REQUESTS, 1)].map(|(topic, at)| Account::new(adapter.topic(topic), at))
    };
    let mut accounts = at(adapter);
    let mut before: [Vec<Stored>; 3] = Default::default();
    for life in 0..3 {
        let first = user(adapter);
        for (account, before) in accounts.iter_mut().zip(&mut before) {
            account.append(&first, (0..10).map(|n| format!("{life} {n}")));
            let there = account.audit(adapter, &user(adapter));
            assert!(there.starts_with(before), "keys, headers, payloads and times are what they were");
            *before = there;
        }
        drop(first);
        if A::CAN.reopen {
            adapter.reopen();
        }
    }
}

pub(crate) fn every_append_has_one_end<A: Adapter>(adapter: &mut A) {
    let user = user(adapter);
    let topic = adapter.topic(JOURNAL);
    let tickets: Vec<Ticket> = (0..50).map(|n| user.send(&topic, n % PARTITIONS, &n.to_string())).collect();
    for ticket in &tickets {
        user.outcome(*ticket);
    }
    for partition in 0..PARTITIONS {
        user.last(&topic, partition); // a round trip, so that a second report had its time
    }
    assert!(!user.inbox.has(|report| matches!(report, Report::Appended { .. })));
}

pub(crate) fn a_reader_at_the_end_is_woken_by_a_record<A: Adapter>(adapter: &mut A) {
    let (reader, writer) = (user(adapter), user(adapter));
    for topic in [JOURNAL, REQUESTS] {
        let topic = adapter.topic(topic);
        for _ in 0..3 {
            adapter.settle();
            let (_, range) = reader.last(&topic, 0);
            let read = reader.ask_read(&topic, 0, range.end);
            assert!(!reader.inbox.has(|report| matches!(report, Report::Records { .. })), "nothing to report yet");
            writer.append(&topic, 0, "next");
            let records = reader.finish(read, &topic, 0, range.end).unwrap();
            assert_eq!(records[0].offset, range.end);
        }
    }
}

pub(crate) fn a_second_read_replaces_the_first<A: Adapter>(adapter: &mut A) {
    let user = user(adapter);
    let topic = adapter.topic(REQUESTS);
    for _ in 0..3 {
        user.append(&topic, 0, "x");
    }
    let end = user.last(&topic, 0).1.end;
    user.ask_read(&topic, 0, end);
    // Backwards, forwards, and back to the end: the adapter follows.
    for from in [0, 2, 1] {
        assert_eq!(user.read(&topic, 0, from).unwrap()[0].offset, from);
    }
    let second = user.ask_read(&topic, 0, end);
    user.append(&topic, 0, "one");
    assert_eq!(user.finish(second, &topic, 0, end).unwrap()[0].offset, end);
}

pub(crate) fn newcomers_that_ask_at_the_same_moment_are_all_answered<A: Adapter>(adapter: &mut A) {
    const NEWCOMERS: usize = 6;
    const ROUNDS: usize = 50;
    let topic = adapter.topic(JOURNAL);
    user(adapter).append(&topic, 0, "x");
    adapter.settle();
    for _ in 0..ROUNDS {
        let newcomers: Vec<Probe> = (0..NEWCOMERS).map(|_| user(adapter)).collect();
        let barrier = Barrier::new(NEWCOMERS);
        std::thread::scope(|scope| {
            for one in &newcomers {
                scope.spawn(|| {
                    barrier.wait();
                    assert!(one.last(&topic, 0).0.is_some());
                });
            }
        });
    }
}

pub(crate) fn the_last_record_and_the_range<A: Adapter>(adapter: &mut A) {
    let topic = adapter.topic(JOURNAL);
    let one = user(adapter);
    assert_eq!(one.last(&topic, 0), (None, Range { start: 0, end: 0 }));
    for n in 0..5 {
        let offset = one.append(&topic, 0, &n.to_string());
        adapter.settle();
        // Whoever asks, once it is acknowledged.
        let (last, range) = user(adapter).last(&topic, 0);
        let last = last.unwrap();
        assert!(last.offset >= offset);
        assert_eq!((range.start, range.end), (0, last.offset + 1));
        let now = user(adapter).end(&topic, 0);
        assert!(now.start == 0 && now.end > offset, "an end is no older than the question: {now:?} behind {offset}");
        if last.offset == offset {
            assert_eq!(&*last.message.payload, n.to_string().as_bytes());
        }
    }
    let before = one.last(&topic, 0);
    drop(one);
    if A::CAN.reopen {
        adapter.reopen();
    }
    assert_eq!(user(adapter).last(&topic, 0), before);
}

/// Truncates, and waits until it has happened.
fn truncate(user: &Probe, topic: &str, partition: u32, before: u64) -> Range {
    user.truncate(topic, partition, before);
    // It may happen later, and nothing reports it: asking is all one can do.
    let asked = (0..100_000).map(|_| user.last(topic, partition).1);
    asked.into_iter().find(|range| range.start >= before).expect("what is truncated goes in the end")
}

pub(crate) fn reads_outside_the_range_say_which_there_is<A: Adapter>(adapter: &mut A) {
    let user = user(adapter);
    let topic = adapter.topic(REQUESTS);
    for n in 0..4 {
        user.append(&topic, 0, &n.to_string());
    }
    adapter.settle();
    let range = truncate(&user, &topic, 0, 3);
    assert_eq!(range.start, 3);
    for outside in [0, 2, range.end + 1, range.end + 1_000] {
        assert_eq!(user.read(&topic, 0, outside), Err(Refused::OutOfRange(range)), "{outside}");
    }
    assert_eq!(user.read(&topic, 0, 3).unwrap()[0].offset, 3, "it goes on as if nothing had been");
}

pub(crate) fn what_is_truncated_is_gone_and_offsets_go_on<A: Adapter>(adapter: &mut A) {
    let topic = adapter.topic(JOURNAL);
    let mut account = Account::new(Arc::clone(&topic), 0);
    let one = user(adapter);
    account.append(&one, (0..40).map(|n| n.to_string()));
    adapter.settle();
    let end = one.last(&topic, 0).1.end;
    for before in [1, 20, end] {
        assert_eq!(truncate(&one, &topic, 0, before), Range { start: before, end });
        assert_eq!(account.audit(adapter, &one).len() as u64, end - before, "what is behind it stays");
    }
    one.truncate(&topic, 0, 5);
    assert_eq!(one.last(&topic, 0), (None, Range { start: end, end }), "the start never goes back");
    drop(one);
    if A::CAN.reopen {
        adapter.reopen();
    }
    let one = user(adapter);
    let read = one.ask_read(&topic, 0, end);
    account.append(&one, ["next".to_owned()]);
    while one.last(&topic, 0).1.end == end {
        account.append(&one, ["next".to_owned()]);
    }
    assert_eq!(one.finish(read, &topic, 0, end).unwrap()[0].offset, end);
    account.audit(adapter, &one);
}

pub(crate) fn what_is_appended_together_is_all_there<A: Adapter>(adapter: &mut A) {
    let topic = adapter.topic(JOURNAL);
    let accounts: Vec<Account> = std::thread::scope(|scope| {
        let writer = |writer: u32| {
            let (adapter, topic) = (user(adapter), Arc::clone(&topic));
            move || {
                let mut account = Account::new(topic, 0);
                account.append(&adapter, (0..250).map(|n| format!("{writer} {n}")));
                account
            }
        };
        let writers: Vec<_> = (0..4).map(|number| scope.spawn(writer(number))).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let reader = user(adapter);
    let end = reader.last(&topic, 0).1.end;
    let there = reader.between(&topic, 0, 0, end);
    for (number, account) in accounts.iter().enumerate() {
        for (offset, message) in account.acknowledged() {
            assert_eq!(&there[usize::try_from(offset).unwrap()].message, message);
        }
        if A::CAN.keep_order {
            let own = format!("{number} ");
            let own = there.iter().filter(|stored| stored.message.payload.starts_with(own.as_bytes()));
            let sent: Vec<&Arc<Message>> = account.sent.iter().map(|(message, _)| message).collect();
            assert_eq!(own.map(|stored| &stored.message).collect::<Vec<_>>(), sent);
        }
    }
}

pub(crate) fn the_key_chooses_the_partition_where_nobody_says<A: Adapter>(adapter: &mut A) {
    let user = user(adapter);
    for (name, count) in [(REQUESTS, PARTITIONS), (DEFINITIONS, 1), ("worker.commands", PARTITIONS)] {
        let topic = adapter.topic(name);
        for key in ["", "a", "b", "order-1", "ärger"] {
            let message = Arc::new(Message { key: key.into(), ..Message::clone(&message(key)) });
            let place = partition_of(key, count);
            for home in 0..PARTITIONS {
                let end = user.last(&topic, place).1.end;
                let offset = loop {
                    let ticket = user.send_message(&topic, home, None, Arc::clone(&message));
                    match user.outcome(ticket) {
                        Outcome::At(offset) => break offset,
                        Outcome::Unknown => {}
                        Outcome::Refused(why) => panic!("{why}"),
                    }
                };
                assert!(offset >= end);
                let stored = &user.between(&topic, place, offset, offset + 1)[0];
                assert_eq!(stored.message, message, "{name} {key} {home}");
            }
        }
    }
}

pub(crate) fn what_can_never_be_taken_is_refused<A: Adapter>(adapter: &mut A) {
    let user = user(adapter);
    let topic = adapter.topic(REQUESTS);
    let good = user.send(&topic, 0, "before");
    let large = user.send(&topic, 0, &"x".repeat(4 * RECORD_MAX));
    let nowhere = user.send_message(&topic, 0, Some(PARTITIONS + 5), message("x"));
    let after = user.send(&topic, 0, "after");
    for ticket in [large, nowhere] {
        let outcome = user.outcome(ticket);
        assert!(matches!(&outcome, Outcome::Refused(why) if !why.is_empty()), "{outcome:?}");
    }
    for ticket in [good, after] {
        assert!(!matches!(user.outcome(ticket), Outcome::Refused(_)), "the others do not suffer");
    }
    let end = user.last(&topic, 0).1.end;
    assert!(user.payloads(&topic, 0, 0, end).iter().all(|payload| payload == "before" || payload == "after"));
}

pub(crate) fn the_largest_record_of_a_journal_is_taken<A: Adapter>(adapter: &mut A) {
    let user = user(adapter);
    let topic = adapter.topic(JOURNAL);
    user.append(&topic, 0, "small");
    let offset = user.append(&topic, 0, &"x".repeat(RECORD_MAX));
    user.append(&topic, 0, "small");
    // One record is always given, whatever its size.
    let stored = &user.between(&topic, 0, offset, offset + 1)[0];
    assert_eq!(stored.message.payload.len(), RECORD_MAX);
}

pub(crate) fn long_histories_are_read_in_pieces<A: Adapter>(adapter: &mut A) {
    let user = user(adapter);
    let topic = adapter.topic(JOURNAL);
    let mut account = Account::new(Arc::clone(&topic), 0);
    let payload = "x".repeat(200_000);
    account.append(&user, (0..30).map(|_| payload.clone()));
    let first = user.read(&topic, 0, 0).unwrap();
    let size: usize = first.iter().skip(1).map(|stored| stored.message.payload.len()).sum();
    assert!(size <= READ_MAX, "one report is bounded, and this one has {} records", first.len());
    account.audit(adapter, &user);
}

pub(crate) fn messages_of_any_content_come_back<A: Adapter>(adapter: &mut A) {
    let user = user(adapter);
    let topic = adapter.topic(REPLIES);
    let mut many = Headers::default();
    (0..100).for_each(|n| many.push(&format!("h{n}"), &n.to_string()));
    let messages = [
        Message::default(),
        Message { payload: (0..=255).collect(), ..Message::default() },
        Message {
            key: "ключ/🔑".into(), headers: [("ce_id", "ü\n\0")].into_iter().collect(), payload: Box::default()
        },
        Message {
            headers: [("twice", "1"), ("twice", "2"), ("empty", "")].into_iter().collect(),
            ..Message::default()
        },
        Message { headers: many, ..Message::default() },
    ];
    for message in messages {
        let message = Arc::new(message);
        let offset = loop {
            if let Outcome::At(at) = user.outcome(user.send_message(&topic, 1, Some(1), Arc::clone(&message))) {
                break at;
            }
        };
        assert_eq!(user.between(&topic, 1, offset, offset + 1)[0].message, message);
    }
}

pub(crate) fn reports_name_the_partition_that_asked<A: Adapter>(adapter: &mut A) {
    let user = user(adapter);
    let topic = adapter.topic(REQUESTS);
    for partition in 0..PARTITIONS {
        user.append(&topic, partition, &format!("of {partition}"));
    }
    // Both at once, and an append to the other one's partition in the name of the first.
    let reads: Vec<Ticket> = (0..PARTITIONS).map(|partition| user.ask_read(&topic, partition, 0)).collect();
    let across = user.send_message(&adapter.topic(REPLIES), 0, Some(1), message("across"));
    for (partition, mut read) in (0..PARTITIONS).zip(reads) {
        let payload = loop {
            let (at, payload) = user.inbox.take(|at, report| match report {
                Report::Records { ticket, records, .. } if *ticket == read => {
                    Some((at, Some(records[0].message.payload.clone())))
                }
                Report::Failed { ticket, .. } if *ticket == read => Some((at, None)),
                _ => None,
            });
            assert_eq!(at, partition);
            match payload {
                Some(payload) => break payload,
                None => read = user.ask_read(&topic, partition, 0),
            }
        };
        assert_eq!(&*payload, format!("of {partition}").as_bytes());
    }
    let at = user.inbox.take(|at, report| match report {
        Report::Appended { ticket, .. } if *ticket == across => Some(at),
        _ => None,
    });
    assert_eq!(at, 0, "the end of an append goes to whoever asked for it");
    let last = user.ticket();
    user.log.submit(1, vec![Request::Last { ticket: last, topic }]);
    let at = user.inbox.take(|at, report| match report {
        Report::Last { ticket, .. } | Report::Failed { ticket, .. } if *ticket == last => Some(at),
        _ => None,
    });
    assert_eq!(at, 1);
}

pub(crate) fn times_never_go_back<A: Adapter>(adapter: &mut A) {
    let topic = adapter.topic(REQUESTS);
    let mut there = Vec::new();
    for n in 0..20 {
        let user = user(adapter);
        user.append(&topic, 0, &n.to_string());
        let end = user.last(&topic, 0).1.end;
        there = user.between(&topic, 0, 0, end);
    }
    assert!(there.is_sorted_by_key(|stored| stored.timestamp), "starts are told from repeats by these times");
}
