//! The journal's form: what was written once can be read for ever, and nothing else is taken for a record.

use std::sync::Arc;

use proptest::prelude::*;
use saga::engine::{
    Change, Direction, Event, Failure, InstanceId, Order, Refusal, Rejection, ReplyTo, RequestId, Run, Why,
};
use saga::journal::record::{
    Body, Cause, Ended, HexBytes, IdHash, Parked, Past, PastOutcome, Positions, Raw, RawPayload, Record, RequestHash,
    Resumed, StartHash, VERSION,
};
use saga::journal::{Damage, JournalError, Ledger, Plans, Rule, decode, encode, read};
use saga::json::Json;
use saga::time::Timestamp;

/// One record of each kind, in the form that version 1 has for ever. A new version adds a file and never edits this.
const V1: &str = include_str!("../cases/journal/v1.jsonl");
/// What version 2 has besides: steps that wait for their turn.
const V2: &str = include_str!("../cases/journal/v2.jsonl");
/// What version 3 has besides: messages, signals, scopes that fail by themselves, and that only answers came that do not
/// fit.
const V3: &str = include_str!("../cases/journal/v3.jsonl");
/// What version 4 has besides: loops.
const V4: &str = include_str!("../cases/journal/v4.jsonl");
/// What version 5 has besides: sagas that take steps back.
const V5: &str = include_str!("../cases/journal/v5.jsonl");
/// What version 6 has besides: the last requests of ended instances.
const V6: &str = include_str!("../cases/journal/v6.jsonl");

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn lines() -> impl Iterator<Item = &'static str> {
    V1.lines().chain(V2.lines()).chain(V3.lines()).chain(V4.lines()).chain(V5.lines()).chain(V6.lines())
}

fn ended(id: &InstanceId, was: Past, requests: &[&str]) -> Ended {
    let hash = |request: &&str| RequestHash::of(&RequestId::try_from(*request).unwrap());
    Ended { id: IdHash::of(id), was, requests: requests.iter().map(hash).collect() }
}

/// All that version 1 has.
fn all_kinds() -> Vec<Record> {
    let id = || InstanceId::try_from("order-1042").unwrap();
    let asked = || RequestId::try_from("ask/1").unwrap();
    let tell = || Some(ReplyTo { topic: "shop.answers".into(), partition: Some(3), request: asked() });
    let rejection = |code| Rejection { code, message: "because".into() };
    let hash = || Arc::from("5f".repeat(32));
    let change = |seq, events| Change { seq, at: Timestamp(1_800_000_000_000 + seq), events };
    let place = || "reserve_room".into();
    let raw = |payload| Raw { key: Arc::from("k"), headers: [("ce_id", "1")].into_iter().collect(), payload };
    let start = || StartHash::of("booking", &json(r#"{"nights":2}"#));
    let changed = |cause, events| Body::Change {
        instance: id(),
        run: Run(1_800_000_000_000),
        definition: hash(),
        cause,
        change: change(1, events),
    };
    let bodies = vec![
        Body::Claim { owner: "host-1".into(), attempt: 2 },
        changed(
            Cause::Request(7),
            vec![
                Event::Started {
                    saga: "booking".into(),
                    input: json(r#"{"nights":2}"#),
                    deadline: Some(Timestamp(1_800_000_060_000)),
                    reply_to: tell(),
                    traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
                },
                Event::Called {
                    at: place(),
                    work: Direction::Do,
                    attempt: 1,
                    until: Timestamp(1_800_000_010_000),
                    limit: Some(Timestamp(1_800_000_030_000)),
                },
            ],
        ),
        changed(
            Cause::Timer(Timestamp(1_800_000_010_000)),
            vec![
                Event::Asked { at: place(), work: Direction::Do, until: Timestamp(1_800_000_020_000) },
                Event::Paused { at: place(), work: Direction::Undo, until: Timestamp(1), why: Why::Silence },
                Event::Paused { at: place(), work: Direction::Do, until: Timestamp(1), why: Why::Asked("busy".into()) },
                Event::Slept { at: "sleep#1".into(), until: Timestamp(9) },
                Event::Woke { at: "sleep#1".into() },
            ],
        ),
        changed(
            Cause::Reply(9),
            vec![
                Event::Succeeded {
                    at: place(),
                    work: Direction::Do,
                    reply: Some(json(r#"{"room":"12a","price":"80.00"}"#)),
                },
                Event::Refused { at: "pay".into(), code: "declined".into(), message: Some("no funds".into()) },
                Event::Lost { at: "pay".into() },
                Event::Stuck { at: "pay".into(), work: Direction::Undo, code: "timeout".into(), message: None },
                Event::Unfit {
                    at: "pay".into(),
                    work: Direction::Do,
                    until: None,
                    why: "no `id`".into(),
                    payload: "{}".into(),
                },
                Event::Pended { at: "pay".into(), work: Direction::Do, until: Timestamp(5) },
                Event::Chose { at: "when#1".into(), arm: 1 },
                Event::Bound { at: "total".into(), value: json("\"80.00\"") },
                Event::Reached { at: "pivot#1".into() },
                Event::Failed {
                    scope: "saga".into(),
                    failure: Failure { code: "declined".into(), step: "pay".into(), message: None },
                },
                Event::Late,
                Event::Compensated,
            ],
        ),
        changed(
            Cause::Undeliverable(4),
            vec![Event::Ordered {
                request: asked(),
                order: Order::Retry { step: Some("pay".into()) },
                by: Some("ann".into()),
                reason: Some("the bank is back".into()),
            }],
        ),
        changed(Cause::Parked, vec![Event::Completed { output: json(r#"{"room":"12a"}"#) }]),
        Body::Reject {
            instance: Some(id()),
            cause: Cause::Request(8),
            rejection: rejection(Refusal::Conflict),
            tell: tell(),
            raw: None,
        },
        Body::Reject {
            instance: None,
            cause: Cause::Reply(3),
            rejection: rejection(Refusal::Unreadable),
            tell: None,
            raw: Some(raw(RawPayload::Hex(HexBytes(Box::from([0xff, 0x00]))))),
        },
        Body::Bar {
            instance: id(),
            cause: Cause::Request(9),
            rejection: rejection(Refusal::UnknownInstance),
            tell: None,
        },
        Body::Forward { cause: Cause::Request(10), partition: 5, message: raw(RawPayload::Text(Box::from("{}"))) },
        Body::Park {
            instance: id(),
            parked: Parked {
                cause: Cause::Reply(11),
                timestamp: Timestamp(12),
                why: Some("the engine failed".into()),
                message: Some(raw(RawPayload::Text(Box::from("{}")))),
            },
        },
        Body::Resume { instance: id(), cause: Cause::Request(11) },
        Body::Pass { instance: id() },
        Body::Gap { to: Positions { requests: 90, replies: 70 } },
        Body::Mark,
        Body::Started { forgets: Timestamp(1_799_999_000_000) },
        Body::Snapshot { instance: json(r#"{"id":"order-1042"}"#) },
        Body::Waiting {
            instance: id(),
            resumed: Resumed::Yes,
            parked: vec![Parked {
                cause: Cause::Timer(Timestamp(4)),
                timestamp: Timestamp(4),
                why: None,
                message: None,
            }],
        },
        Body::Ended {
            ended: [PastOutcome::Completed(start()), PastOutcome::Compensated(start()), PastOutcome::Barred]
                .map(|outcome| ended(&id(), Past { run: Run(1), outcome, at: Timestamp(2) }, &[]))
                .to_vec(),
        },
        Body::Completed { started: 40 },
    ];
    (1..)
        .zip(bodies)
        .map(|(n, body)| {
            let claim = matches!(body, Body::Claim { .. });
            Record {
                v: VERSION,
                epoch: if claim { 0 } else { 100 },
                n: if claim { 0 } else { n },
                read: Positions { requests: 12, replies: 34 },
                sent: 99,
                checkpoint: 40,
                at: Timestamp(1_800_000_000_000),
                body,
            }
        })
        .collect()
}

fn change(seq: u64, cause: Cause, events: Vec<Event>) -> Record {
    Record {
        v: VERSION,
        epoch: 100,
        n: seq,
        read: Positions { requests: 12, replies: 34 },
        sent: 99,
        checkpoint: 40,
        at: Timestamp(1_800_000_000_000),
        body: Body::Change {
            instance: InstanceId::try_from("order-1042").unwrap(),
            run: Run(1_800_000_000_000),
            definition: Arc::from("5f".repeat(32)),
            cause,
            change: Change { seq, at: Timestamp(1_800_000_000_000 + seq), events },
        },
    }
}

/// What version 2 has besides.
fn of_version_2() -> Vec<Record> {
    let (at, until) = (|| "reserve_room".into(), Some(Timestamp(1_800_000_030_000)));
    let queued = vec![
        Event::Queued { at: at(), work: Direction::Do, until, limit: until },
        Event::Queued { at: "pay".into(), work: Direction::Undo, until: None, limit: None },
        Event::Withdrawn { at: at() },
    ];
    let until = Timestamp(1_800_000_010_000);
    let called = Event::Called { at: "pay".into(), work: Direction::Undo, attempt: 1, until, limit: None };
    vec![change(1, Cause::Request(7), queued), change(2, Cause::Turn, vec![called])]
}

/// What version 3 has besides.
fn of_version_3() -> Vec<Record> {
    let request = || RequestId::try_from("ask/2").unwrap();
    let order = |with| Event::Ordered {
        request: request(),
        order: Order::Signal { signal: "approval".into(), with },
        by: None,
        reason: None,
    };
    let failure = Failure { code: "deadline".into(), step: "try#1".into(), message: None };
    vec![
        change(1, Cause::Request(7), vec![Event::Sent { at: "tell".into(), work: Direction::Do, attempt: 1 }]),
        change(2, Cause::Acknowledged(101), vec![Event::Sent { at: "tell".into(), work: Direction::Undo, attempt: 2 }]),
        change(
            3,
            Cause::Request(8),
            vec![
                order(Some(json(r#"{"by":"ann"}"#))),
                order(None),
                Event::Took { at: "approval".into(), request: request() },
            ],
        ),
        change(
            4,
            Cause::Timer(Timestamp(9)),
            vec![Event::Failed { scope: "try#1".into(), failure }, Event::Caught { at: "try#1".into(), handler: 1 }],
        ),
        change(
            5,
            Cause::Reply(35),
            vec![
                Event::Unfit {
                    at: "pay".into(),
                    work: Direction::Do,
                    until: Some(Timestamp(1_800_000_010_000)),
                    why: "no `id`".into(),
                    payload: "{}".into(),
                },
                Event::Paused {
                    at: "pay".into(),
                    work: Direction::Do,
                    until: Timestamp(1_800_000_011_000),
                    why: Why::Unfit,
                },
            ],
        ),
    ]
}

/// What version 4 has besides.
fn of_version_4() -> Vec<Record> {
    let event = |seq, event| change(seq, Cause::Reply(40 + seq), vec![event]);
    vec![
        event(1, Event::Listed { at: "each#1".into(), elements: vec![json("1"), json(r#"{"sku":"b"}"#)] }),
        event(2, Event::Passed { at: "item[2]".into() }),
        event(3, Event::Judged { at: "paid[1].round#1[3]".into(), met: false }),
        event(4, Event::Turned { at: "each#1".into() }),
        event(5, Event::Unwound { at: "item[2]".into() }),
    ]
}

/// What version 5 has besides: the form is the same, and what it says of a step is new.
fn of_version_5() -> Vec<Record> {
    let event = |seq, event| change(seq, Cause::Reply(40 + seq), vec![event]);
    vec![
        event(1, Event::Turned { at: "paid[2]".into() }),
        event(2, Event::Bound { at: "paid[2].undo.input".into(), value: json(r#"{"receipt":"r-1"}"#) }),
        event(3, Event::Succeeded { at: "paid[2].undo.refund".into(), work: Direction::Do, reply: Some(json("{}")) }),
    ]
}

fn of_version_6() -> Vec<Record> {
    let id = InstanceId::try_from("order-1042").unwrap();
    let outcome = PastOutcome::Compensated(StartHash::of("booking", &json(r#"{"nights":2}"#)));
    let was = Past { run: Run(1), outcome, at: Timestamp(2) };
    let body = Body::Ended { ended: vec![ended(&id, was, &["cancel/1", "ask/1"])] };
    vec![Record { body, ..change(1, Cause::Request(1), Vec::new()) }]
}

#[test]
fn older_versions_read_as_they_always_did_and_are_written_as_this_one() {
    let older = [
        (1, V1, all_kinds()),
        (2, V2, of_version_2()),
        (3, V3, of_version_3()),
        (4, V4, of_version_4()),
        (5, V5, of_version_5()),
    ];
    for (version, lines, records) in older {
        assert_eq!(lines.lines().count(), records.len(), "version {version}");
        for (line, record) in lines.lines().zip(&records) {
            assert_eq!(decode(line.as_bytes()).unwrap(), *record, "{line}");
            let written = line.replacen(&format!(r#""v":{version}"#), &format!(r#""v":{VERSION}"#), 1);
            assert_eq!(String::from_utf8(encode(record).into_vec()).unwrap(), written);
        }
    }
}

#[test]
fn version_6_reads_and_writes_as_it_always_did() {
    let records = of_version_6();
    assert_eq!(V6.lines().count(), records.len());
    for (line, record) in V6.lines().zip(&records) {
        assert_eq!(String::from_utf8(encode(record).into_vec()).unwrap(), *line);
        assert_eq!(decode(line.as_bytes()).unwrap(), *record, "{line}");
    }
}

#[test]
fn a_newer_version_is_refused_plainly_whatever_its_form() {
    for text in [
        r#"{"v":8,"epoch":0,"n":0,"read":{"requests":0,"replies":0},"sent":0,"checkpoint":0,"at":0,"body":"mark"}"#,
        r#"{"v":7,"something":"else"}"#,
    ] {
        let damage = decode(text.as_bytes()).unwrap_err();
        assert!(matches!(damage, Damage::Newer { found: 7 | 8 }), "{damage}");
        let error = JournalError { topic: saga::log::JOURNAL.into(), partition: 3, offset: 17, damage }.to_string();
        assert!(error.starts_with("read partition 3 of saga.journal at offset 17: it has version "), "{error}");
        assert!(error.contains("run the newer saga that wrote it"), "{error}");
    }
    assert!(matches!(decode(br#"{"v":0}"#), Err(Damage::NoVersion { found: 0 })));
}

#[test]
fn what_is_unknown_is_refused_and_not_skipped() {
    let known = V1.lines().find(|line| line.contains("\"called\"")).unwrap();
    decode(known.as_bytes()).unwrap();
    for (from, to) in [
        (r#""sent":99"#, r#""sent":99,"new":1"#),
        (r#""attempt":1"#, r#""attempt":1,"new":1"#),
        (r#""topic":"shop.answers""#, r#""topic":"shop.answers","new":1"#),
        (r#""seq":1"#, r#""seq":1,"new":1"#),
        (r#"{"called":"#, r#"{"shouted":"#),
        (r#"{"change":"#, r#"{"exchange":"#),
        (r#"{"request":7}"#, r#"{"rumour":7}"#),
        (r#""replies":34"#, r#""replies":34,"rumours":1"#),
    ] {
        let other = known.replacen(from, to, 1);
        assert_ne!(other, known, "{from} is not in there");
        assert!(matches!(decode(other.as_bytes()), Err(Damage::Malformed(_))), "{other}");
    }
}

/// An owner's clock may be ahead, if its claim was long on its way, and the next owner's is not.
#[test]
fn a_bar_takes_a_life_above_the_one_it_follows() {
    let id = InstanceId::try_from("x").unwrap();
    let past = Past { run: Run(1_000), outcome: PastOutcome::Barred, at: Timestamp(5) };
    let rejection = Rejection { code: Refusal::UnknownInstance, message: String::new() };
    let bar = Body::Bar { instance: id.clone(), cause: Cause::Request(0), rejection, tell: None };
    let mut ledger = Ledger::default();
    for (n, at, body) in [(1, 5, Body::Ended { ended: vec![ended(&id, past, &[])] }), (2, 10, bar)] {
        let (read, at) = (Positions::default(), Timestamp(at));
        let record = Record { v: VERSION, epoch: 0, n, read, sent: 0, checkpoint: 0, at, body };
        ledger.book(&Plans::default(), &record, 0, None).unwrap();
    }
    assert_eq!(ledger.past(&id).unwrap().run, Run(1_001), "or the next start might be named as the first was");
}

#[test]
fn what_is_no_record_ends_the_run_and_what_may_be_one_is_refused() {
    let known = V1.lines().find(|line| line.contains("\"called\"")).unwrap(); // epoch 100, n 2
    let later = format!(r#""v":{}"#, VERSION + 1);
    for (offset, text) in [
        (102, known.replace(r#""sent":99"#, r#""sent":99,"new":1"#)),
        (7, known.replace(r#""n":2"#, r#""n":0,"new":1"#)),
    ] {
        assert!(matches!(read(offset, text.as_bytes()), Err(Damage::Malformed(_))), "{text}");
        let newer = read(offset, text.replace(r#""v":1"#, &later).as_bytes());
        assert!(matches!(newer, Err(Damage::Newer { found }) if found == VERSION + 1), "{newer:?}");
    }
    assert!(read(103, known.as_bytes()).unwrap().is_some(), "out of its place it is a record all the same");
    let newer = known.replace(r#""v":1"#, &later);
    for nothing in [newer.as_str(), "", "{}", r#"{"v":2}"#, r#"{"v":0,"epoch":103,"n":0}"#, "\u{0}"] {
        assert!(read(103, nothing.as_bytes()).unwrap().is_none(), "{nothing}");
    }
}

#[test]
fn a_record_that_was_overwritten_is_found_out() {
    let mark = |n, sent| Record {
        v: VERSION,
        epoch: 0,
        n,
        read: Positions::default(),
        sent,
        checkpoint: 0,
        at: Timestamp(0),
        body: if n == 0 { Body::Claim { owner: "x".into(), attempt: 1 } } else { Body::Mark },
    };
    let rule = || {
        let mut rule = Rule::from_the_beginning();
        assert!(rule.counts(0, &mark(0, 0)).unwrap() && rule.counts(1, &mark(1, 0)).unwrap());
        rule.ends(2);
        rule
    };
    // Its owner waits for it still, so it may have been lost, and a stranger has filled the gap.
    assert!(!rule().counts(3, &mark(3, 2)).unwrap());
    // Its owner had it acknowledged, so it stood there.
    assert!(matches!(rule().counts(3, &mark(3, 3)), Err(Damage::Overwritten { at: 2 })));
    // Not where it says: this one's writer knows nothing of what stands here.
    assert!(!rule().counts(4, &mark(3, 3)).unwrap());
    let mut claimed = rule();
    assert!(claimed.counts(3, &mark(0, 0)).unwrap());
    assert!(!claimed.counts(4, &mark(4, 4)).unwrap(), "another claim has begun another run");
}

#[test]
fn every_cut_record_is_an_error() {
    for line in lines() {
        for end in 0..line.len() {
            assert!(decode(&line.as_bytes()[..end]).is_err(), "cut at {end}: {line}");
        }
    }
}

#[test]
fn every_flipped_bit_is_an_error_or_another_record_and_never_a_panic() {
    for line in lines() {
        let right = decode(line.as_bytes()).unwrap();
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut bytes = line.as_bytes().to_vec();
                bytes[at] ^= 1 << bit;
                // Only a hexadecimal digit has two forms. What else changes unseen is for the log's own checksums.
                if let Ok(other) = decode(&bytes) {
                    assert!(other != right || bytes[at].is_ascii_hexdigit(), "byte {at}, bit {bit} of {line}");
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&bytes);
    }

    /// The rule of reading, in its own words: a record counts iff its epoch is the latest claim, it stands at
    /// `epoch + n`, and every record between that claim and it counts.
    #[test]
    fn the_rule_of_reading_is_what_it_says(
        log in prop::collection::vec((any::<bool>(), 0u64..6, 0u64..8), 0..24)
    ) {
        let records: Vec<Record> = log.iter().map(|(claim, epoch, n)| {
            let body = if *claim { Body::Claim { owner: "x".into(), attempt: 1 } } else { Body::Mark };
            Record {
                v: VERSION, epoch: *epoch, n: *n, read: Positions::default(), sent: 0, checkpoint: 0,
                at: Timestamp(0), body,
            }
        }).collect();
        let is_claim = |at: usize| matches!(records[at].body, Body::Claim { .. });
        let mut rule = Rule::from_the_beginning();
        for (at, record) in records.iter().enumerate() {
            let fits = |o: usize, claim: usize| {
                records[o].epoch == claim as u64 && records[o].epoch + records[o].n == o as u64
            };
            let expected = is_claim(at)
                || (0..at).rev().find(|before| is_claim(*before)).is_some_and(|claim| (claim + 1..=at).all(|o| fits(o, claim)));
            prop_assert_eq!(rule.counts(at as u64, record).unwrap(), expected, "record {}", at);
        }
    }
}
