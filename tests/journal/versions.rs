//! One record of each kind that each version of the form has, as data and as it was written.

use std::sync::Arc;

use saga::engine::{
    Change, Direction, Event, Failure, InstanceId, Order, OrderRequest, Outcome, Refusal, Rejection, ReplyTo,
    RequestId, Run, Why,
};
use saga::journal::record::{
    Body, Cause, Ended, HexBytes, IdHash, Parked, Past, PastOutcome, Positions, Raw, RawPayload, Record, RequestHash,
    Resumed, StartHash, VERSION,
};
use saga::json::Json;
use saga::time::Timestamp;

/// One record of each kind, in the form that version 1 has for ever. A new version adds a file and never edits this.
pub(super) const V1: &str = include_str!("../cases/journal/v1.jsonl");
/// What version 2 has besides: steps that wait for their turn.
pub(super) const V2: &str = include_str!("../cases/journal/v2.jsonl");
/// What version 3 has besides: messages, signals, scopes that fail by themselves, and that only answers came that do not
/// fit.
pub(super) const V3: &str = include_str!("../cases/journal/v3.jsonl");
/// What version 4 has besides: loops.
pub(super) const V4: &str = include_str!("../cases/journal/v4.jsonl");
/// What version 5 has besides: sagas that take steps back.
pub(super) const V5: &str = include_str!("../cases/journal/v5.jsonl");
/// What version 6 has besides: the last requests of ended instances.
pub(super) const V6: &str = include_str!("../cases/journal/v6.jsonl");
/// What version 7 has besides: whose orders were refused, and who accepted that inputs are lost.
pub(super) const V7: &str = include_str!("../cases/journal/v7.jsonl");

/// What version 8 has besides: what each request of an instance said, beside its id.
pub(super) const V8: &str = include_str!("../cases/journal/v8.jsonl");

pub(super) fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

pub(super) fn lines() -> impl Iterator<Item = &'static str> {
    V1.lines()
        .chain(V2.lines())
        .chain(V3.lines())
        .chain(V4.lines())
        .chain(V5.lines())
        .chain(V6.lines())
        .chain(V7.lines())
        .chain(V8.lines())
}

pub(super) fn ended(id: &InstanceId, was: Past, requests: &[&str]) -> Ended {
    let hash = |request: &&str| RequestHash::of(&RequestId::try_from(*request).unwrap(), None);
    Ended { id: IdHash::of(id), was, requests: requests.iter().map(hash).collect() }
}

/// All that version 1 has.
pub(super) fn all_kinds() -> Vec<Record> {
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
            order: None,
            raw: None,
        },
        Body::Reject {
            instance: None,
            cause: Cause::Reply(3),
            rejection: rejection(Refusal::Unreadable),
            tell: None,
            order: None,
            raw: Some(raw(RawPayload::Hex(HexBytes(Box::from([0xff, 0x00]))))),
        },
        Body::Bar {
            instance: id(),
            cause: Cause::Request(9),
            rejection: rejection(Refusal::UnknownInstance),
            tell: None,
            order: None,
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
        Body::Resume { instance: id(), cause: Cause::Request(11), order: None },
        Body::Pass { instance: id() },
        Body::Gap { to: Positions { requests: 90, replies: 70 }, by: None, reason: None },
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

pub(super) fn change(seq: u64, cause: Cause, events: Vec<Event>) -> Record {
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
pub(super) fn of_version_2() -> Vec<Record> {
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
pub(super) fn of_version_3() -> Vec<Record> {
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
pub(super) fn of_version_4() -> Vec<Record> {
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
pub(super) fn of_version_5() -> Vec<Record> {
    let event = |seq, event| change(seq, Cause::Reply(40 + seq), vec![event]);
    vec![
        event(1, Event::Turned { at: "paid[2]".into() }),
        event(2, Event::Bound { at: "paid[2].undo.input".into(), value: json(r#"{"receipt":"r-1"}"#) }),
        event(3, Event::Succeeded { at: "paid[2].undo.refund".into(), work: Direction::Do, reply: Some(json("{}")) }),
    ]
}

pub(super) fn of_version_6() -> Vec<Record> {
    let id = InstanceId::try_from("order-1042").unwrap();
    let outcome = PastOutcome::Compensated(StartHash::of("booking", &json(r#"{"nights":2}"#)));
    let was = Past { run: Run(1), outcome, at: Timestamp(2) };
    let body = Body::Ended { ended: vec![ended(&id, was, &["cancel/1", "ask/1"])] };
    vec![Record { body, ..change(1, Cause::Request(1), Vec::new()) }]
}

pub(super) fn of_version_7() -> Vec<Record> {
    let id = || InstanceId::try_from("order-1042").unwrap();
    let request = || RequestId::try_from("ask/3").unwrap();
    let (by, reason) = (|| Some("ann".into()), || Some("changed her mind".to_owned()));
    let order = |order| Some(Box::new(OrderRequest { request: request(), order, by: by(), reason: reason() }));
    let rejection = |code| Rejection { code, message: "because".into() };
    let record = |n, body| Record { body, ..change(n, Cause::Request(1), Vec::new()) };
    let resolve =
        Order::Resolve { step: "pay".into(), work: Direction::Undo, outcome: Outcome::Succeeded { reply: None } };
    vec![
        record(
            1,
            Body::Reject {
                instance: Some(id()),
                cause: Cause::Request(8),
                rejection: rejection(Refusal::NotStuck),
                tell: None,
                order: order(resolve),
                raw: None,
            },
        ),
        record(
            2,
            Body::Bar {
                instance: id(),
                cause: Cause::Request(9),
                rejection: rejection(Refusal::UnknownInstance),
                tell: None,
                order: order(Order::Cancel),
            },
        ),
        record(
            3,
            Body::Resume { instance: id(), cause: Cause::Request(11), order: order(Order::Retry { step: None }) },
        ),
        record(4, Body::Gap { to: Positions { requests: 90, replies: 70 }, by: by(), reason: reason() }),
    ]
}

pub(super) fn of_version_8() -> Vec<Record> {
    let instance = json(r#"{"id":"order-1042","requests":["ask/2","ask/3"],"orders":[3202655821,null]}"#);
    vec![Record { body: Body::Snapshot { instance }, ..change(1, Cause::Request(1), Vec::new()) }]
}
