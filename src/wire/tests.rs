//! Round trips of every message, and readers that meet anything at all.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use indexmap::IndexMap;
use proptest::prelude::*;

use super::*;
use crate::definition::Participant;
use crate::engine::{
    Answer, Command, CommandId, CommandKind, Direction, End, Failure, InstanceId, Order, OrderRequest, Outcome,
    Refusal, Rejection, Reply, ReplyKind, ReplyTo, RequestId, Run, Start, Status,
};
use crate::json::{Json, PAYLOAD_MAX};
use crate::source::Span;
use crate::time::Timestamp;

fn id(instance: &str) -> CommandId {
    CommandId {
        instance: InstanceId::try_from(instance).unwrap(),
        run: Run(1_700_000_000_000),
        place: CompactString::from("reserve_room"),
        round: 1,
        own_undo: false,
    }
}

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn a_command(kind: CommandKind, id: CommandId) -> Command {
    let participant = Participant {
        name: "hotels".into(),
        commands_topic: "hotel.commands".into(),
        events_topic: "hotels.events".into(),
        answers_queries: false,
        limits: Vec::new(),
        commands: IndexMap::new(),
        messages: IndexMap::new(),
        docs: None,
        span: Span::default(),
    };
    Command {
        place: id.place.clone(),
        id,
        work: Direction::Do,
        kind,
        attempt: 2,
        participant: Arc::new(participant),
        wire: "ReserveRoom".into(),
        payload: json(r#"{"hotel":"Lux","nights":2}"#),
        deadline: Timestamp(1_700_000_010_000),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
    }
}

const ENVELOPE: Envelope<'static> = Envelope {
    saga: "booking",
    reply_topic: "saga.replies",
    reply_partition: 3,
    record: RecordId { partition: 3, offset: 1042 },
};

/// What a reader of the log sees; the documentation shows the same.
fn shown(message: &Message) -> String {
    let mut text = format!("key: {}\n", message.key);
    for (name, value) in message.headers.iter() {
        writeln!(text, "{name}: {value}").unwrap();
    }
    text + &String::from_utf8_lossy(&message.payload)
}

#[test]
fn a_command_is_a_cloud_event_that_says_who_asks_and_until_when() {
    let message = command(&a_command(CommandKind::Do, id("order-7")), &ENVELOPE);
    insta::assert_snapshot!(shown(&message), @r#"
    key: order-7
    ce_specversion: 1.0
    ce_type: saga.command.v1
    ce_id: order-7/1700000000000/reserve_room/1/do/2
    ce_source: /sagas/booking
    content-type: application/json
    traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
    saga-instance: order-7
    saga-name: booking
    saga-step: reserve_room
    saga-command: order-7/1700000000000/reserve_room/1
    saga-call: ReserveRoom
    saga-kind: do
    saga-attempt: 2
    saga-reply-to: saga.replies
    saga-reply-partition: 3
    saga-deadline: 1700000010000
    saga-keep-until: 1700003610000
    saga-record: 3/1042
    {"hotel":"Lux","nights":2}
    "#);
}

#[test]
fn a_message_asks_for_no_answer_and_is_never_late() {
    let message = command(&a_command(CommandKind::Message, id("order-7")), &ENVELOPE);
    for absent in [header::REPLY_TO, header::REPLY_PARTITION, header::DEADLINE] {
        assert_eq!(message.header(absent), None);
    }
    assert_eq!(message.header(header::KIND), Some("message"));
    let read = read_command(&message).unwrap();
    assert!(read.is_message && read.deadline > Timestamp(4_000_000_000_000));
    assert_eq!(read.kind, ReplyKind::Do, "it is done like one");
    let sent = a_command(CommandKind::Message, id("order-7")).deadline;
    assert_eq!(read.keep_until, sent.after(Duration::from_hours(7 * 24)), "it may come again days later");
}

#[test]
fn a_reply_is_a_cloud_event_that_names_its_command() {
    let asked = read_command(&command(&a_command(CommandKind::Do, id("order-7")), &ENVELOPE)).unwrap();
    let status = Status::Failed { code: "sold_out".into(), message: Some("no room at the Lux".into()) };
    let message =
        reply(&asked.reply(status, None), &About { participant: "hotels", saga: "booking", traceparent: None });
    insta::assert_snapshot!(shown(&message), @r#"
    key: order-7
    ce_specversion: 1.0
    ce_type: saga.reply.v1
    ce_id: order-7/1700000000000/reserve_room/1/do/2/failed
    ce_source: /participants/hotels
    content-type: application/json
    saga-instance: order-7
    saga-name: booking
    saga-step: reserve_room
    saga-command: order-7/1700000000000/reserve_room/1
    saga-kind: do
    saga-attempt: 2
    saga-status: failed
    saga-code: sold_out
    {"message":"no room at the Lux"}
    "#);
}

#[test]
fn a_participant_reads_what_the_orchestrator_wrote() {
    let sent = a_command(CommandKind::Do, id("order/7 ü"));
    let read = read_command(&command(&sent, &ENVELOPE)).unwrap();
    assert_eq!(
        ReceivedCommand {
            id: sent.id.clone(),
            call: "ReserveRoom".into(),
            kind: ReplyKind::Do,
            is_message: false,
            attempt: 2,
            saga: "booking".into(),
            step: "reserve_room".into(),
            reply_topic: Some("saga.replies".into()),
            reply_partition: Some(3),
            deadline: sent.deadline,
            keep_until: Timestamp(1_700_003_610_000),
            record: Some(ENVELOPE.record),
            traceparent: sent.traceparent.clone(),
            payload: sent.payload.clone(),
        },
        read
    );
}

#[test]
fn a_compensation_of_its_own_goes_out_as_a_do() {
    let own = CommandId { own_undo: true, ..id("order-7") };
    let message = command(&a_command(CommandKind::Undo, own.clone()), &ENVELOPE);
    assert_eq!(Some("do"), message.header(header::KIND));
    assert_eq!(own, read_command(&message).unwrap().id);
    let message = command(&a_command(CommandKind::Undo, id("order-7")), &ENVELOPE);
    assert_eq!(Some("undo"), message.header(header::KIND));
}

#[test]
fn an_attempt_that_never_ends_has_a_deadline_that_every_language_can_read() {
    let endless = Command { deadline: Timestamp::NEVER, ..a_command(CommandKind::Query, id("a")) };
    let read = read_command(&command(&endless, &ENVELOPE)).unwrap();
    let last = Timestamp(253_402_300_799_999);
    assert!(last.0 < 1 << 53);
    assert_eq!((last, last), (read.deadline, read.keep_until));
}

/// The least that a participant in any language has to send.
fn least_reply(status: &str) -> Message {
    let headers = [
        (header::TYPE, header::REPLY_TYPE),
        (header::COMMAND, "order-7/1700000000000/reserve_room/1"),
        (header::KIND, "do"),
        (header::ATTEMPT, "1"),
        (header::STATUS, status),
    ];
    Message { key: Arc::from("order-7"), headers: headers.into_iter().collect(), payload: Box::default() }
}

fn with(mut message: Message, name: &str, value: &str) -> Message {
    message.headers.remove(name);
    message.headers.push(name, value);
    message
}

fn without(mut message: Message, name: &str) -> Message {
    message.headers.remove(name);
    message
}

#[test]
fn five_headers_are_enough_for_a_reply() {
    let read = read_reply(&least_reply("succeeded")).unwrap();
    assert_eq!((Status::Succeeded, None), (read.status, read.payload));
    for name in [header::TYPE, header::COMMAND, header::KIND, header::ATTEMPT, header::STATUS] {
        let error = read_reply(&without(least_reply("succeeded"), name)).unwrap_err();
        assert!(matches!(error, WireError::Missing { header, .. } if header == name), "{error}");
    }
}

#[test]
fn a_wrong_header_is_named_with_what_it_should_be() {
    let cases: BTreeMap<&str, &str> = [
        (header::TYPE, "saga.reply.v9"),
        (header::COMMAND, "order-7"),
        (header::KIND, "redo"),
        (header::ATTEMPT, "0"),
        (header::STATUS, "ok\u{7}"),
    ]
    .into();
    let shown: Vec<_> = cases
        .into_iter()
        .map(|(name, value)| read_reply(&with(least_reply("succeeded"), name, value)).unwrap_err().to_string())
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @"
    read the header `ce_type`: `saga.reply.v9` is not saga.reply.v1
    read the header `saga-attempt`: `0` is not the number of the attempt, 1, 2, 3 …
    read the header `saga-command`: `order-7` is not a command's id, instance/run/step/round, exactly as the command has it
    read the header `saga-kind`: `redo` is not `do`, `undo`, `query` or `message`
    read the header `saga-status`: `ok\\u{7}` is not `succeeded`, `failed`, `retry`, `pending` or `unknown-command`
    ");
}

#[test]
fn a_refusal_needs_a_code_and_may_have_any_payload() {
    let error = read_reply(&least_reply("failed")).unwrap_err();
    assert_eq!("find the header `saga-code`: a word of 1 to 200 bytes without control characters", error.to_string());
    let mut refusal = with(least_reply("failed"), header::CODE, "sold_out");
    for (payload, words) in
        [(&b"{\"message\":\"full\"}"[..], Some("full")), (b"full", None), (b"\xff", None), (b"7", None)]
    {
        refusal.payload = Box::from(payload);
        let status = Status::Failed { code: "sold_out".into(), message: words.map(str::to_owned) };
        assert_eq!(status, read_reply(&refusal).unwrap().status);
    }
}

#[test]
fn a_success_whose_payload_cannot_be_read_is_none() {
    let mut message = least_reply("succeeded");
    message.payload = Box::from(&b"{\"hold\":"[..]);
    assert!(matches!(read_reply(&message).unwrap_err(), WireError::Payload(_)));
    message.payload = Box::from(&b"\"\xff\""[..]);
    assert!(matches!(read_reply(&message).unwrap_err(), WireError::NotUtf8 { valid_up_to: 1 }));
    message.payload = vec![b' '; PAYLOAD_MAX + 1].into_boxed_slice();
    assert!(matches!(read_reply(&message).unwrap_err(), WireError::Payload(_)));
    message.payload = "[".repeat(PAYLOAD_MAX).into_bytes().into_boxed_slice();
    assert!(matches!(read_reply(&message).unwrap_err(), WireError::Payload(_)));
}

fn an_order(order: Order) -> Ask {
    let request = RequestId::try_from("r-1").unwrap();
    let reply_to = Some(ReplyTo { topic: "answers".into(), partition: None, request: request.clone() });
    Ask::Order { order: OrderRequest { request, order, by: Some("ana".into()), reason: None }, reply_to }
}

#[test]
fn requests_come_back_as_they_were_sent() {
    let id = RequestId::try_from("r-1").unwrap();
    let start = Start {
        input: json(r#"{"nights":2}"#),
        reply_to: Some(ReplyTo { topic: "answers".into(), partition: Some(0), request: id.clone() }),
        traceparent: Some("00-1-2-01".into()),
    };
    let resolve = |outcome| Order::Resolve { step: "charge".into(), work: Direction::Do, outcome };
    for ask in [
        Ask::Start { saga: "booking".into(), start },
        an_order(Order::Cancel),
        an_order(Order::Retry { step: None }),
        an_order(Order::Retry { step: Some("charge".into()) }),
        an_order(Order::Signal { signal: "approval".into(), with: None }),
        an_order(Order::Signal { signal: "approval".into(), with: Some(json(r#"{"by":"eva"}"#)) }),
        an_order(resolve(Outcome::Failed { code: "declined".into() })),
        an_order(resolve(Outcome::Succeeded { reply: Some(json(r#"{"receipt":"r"}"#)) })),
        an_order(resolve(Outcome::Succeeded { reply: None })),
    ] {
        let sent = Request { id: id.clone(), instance: InstanceId::try_from("order-7").unwrap(), ask };
        assert_eq!(sent, read_request(&request(&sent, "/test")).unwrap());
    }
}

#[test]
fn a_request_with_a_surplus_field_is_refused() {
    let sent = Request {
        id: RequestId::try_from("r-1").unwrap(),
        instance: InstanceId::try_from("order-7").unwrap(),
        ask: an_order(Order::Cancel),
    };
    let mut message = request(&sent, "/test");
    message.payload = Box::from(&br#"{"by":"ana","step":"charge"}"#[..]);
    let error = read_request(&message).unwrap_err().to_string();
    assert!(error.starts_with("read the payload of a message that says `cancel`: unknown field `step`"), "{error}");
}

#[test]
fn answers_come_back_as_they_were_sent() {
    let to = ReplyTo { topic: "answers".into(), partition: None, request: RequestId::try_from("r-1").unwrap() };
    let instance = InstanceId::try_from("order-7").unwrap();
    let record = RecordId { partition: 0, offset: 9 };
    let failure = Failure { code: "declined".into(), step: "charge".into(), message: None };
    for end in [End::Completed(json(r#"{"seat":"1A"}"#)), End::Compensated(failure)] {
        let read = read_answer(&answer(&Answer { to: to.clone(), end: end.clone() }, &instance, record)).unwrap();
        let wanted =
            Answered { request: to.request.clone(), instance: instance.clone(), ending: Ending::Ended(end), record };
        assert_eq!(wanted, read);
    }
    let refused = Rejection { code: Refusal::PastPivot, message: "too late".into() };
    let message = rejection(&to, &instance, &refused, record);
    assert_eq!(Some("past_pivot"), message.header(header::CODE));
    assert_eq!(Ending::Rejected(refused), read_answer(&message).unwrap().ending);
}

fn any_status() -> impl Strategy<Value = Status> {
    let code = "[a-z_]{1,12}";
    prop_oneof![
        Just(Status::Succeeded),
        Just(Status::Pending),
        Just(Status::UnknownCommand),
        (code, proptest::option::of(".{0,40}"))
            .prop_map(|(code, message)| Status::Failed { code: code.into(), message }),
        proptest::option::of(code).prop_map(|code| Status::Retry { code: code.map(Into::into) }),
    ]
}

fn any_id() -> impl Strategy<Value = CommandId> {
    ("[a-zA-Z0-9/~ ü-]{1,40}", any::<u64>(), "[a-z_]{1,9}(\\[[0-9]\\])?", 1_u32.., any::<bool>()).prop_map(
        |(instance, run, place, round, own_undo)| CommandId {
            instance: InstanceId::try_from(instance.as_str()).unwrap(),
            run: Run(run),
            place: place.into(),
            round,
            own_undo,
        },
    )
}

/// A header's value: one that some reader would take, its neighbourhood, or anything.
fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(header::COMMAND_TYPE.to_owned()),
        Just(header::REPLY_TYPE.to_owned()),
        Just(header::REQUEST_TYPE.to_owned()),
        Just(header::ANSWER_TYPE.to_owned()),
        "do|undo|query|start|cancel|retry|resolve|succeeded|failed|pending|completed|rejected",
        "[0-9-]{1,25}",
        "[a-z/0-9]{0,20}/[0-9]{1,3}/[a-z~]{1,9}/[0-9]{1,12}",
        any::<String>(),
    ]
}

#[test]
fn a_line_that_is_no_message_is_refused_with_its_reason() {
    let cases = [
        "",
        "7",
        r#"{"payload":{}}"#,
        r#"{"headers":{"saga-kind":true},"payload":{}}"#,
        r#"{"headers":{"saga-attempt":1.5},"payload":{}}"#,
        r#"{"headers":{},"payload":{}} and more"#,
    ];
    let shown: Vec<_> = cases.map(|line| from_line(line).unwrap_err().to_string()).into();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    read a line as {"headers": {…}, "payload": …}: EOF while parsing a value at line 1 column 0
    read a line as {"headers": {…}, "payload": …}: invalid type: integer `7`, expected an object at line 1 column 1
    read a line as {"headers": {…}, "payload": …}: missing field `headers` at line 1 column 14
    read the header `saga-kind`: `true` is neither a string nor a whole number
    read the header `saga-attempt`: `1.5` is neither a string nor a whole number
    read a line as {"headers": {…}, "payload": …}: trailing characters at line 1 column 29
    "#);
    assert!(matches!(from_line(&" ".repeat(LINE_MAX + 1)), Err(WireError::LongLine)));
}

proptest! {
    #[test]
    fn a_message_comes_back_from_its_line(
        values in proptest::collection::vec(any::<String>(), header::ALL.len()),
        payload in prop_oneof![Just("{}"), Just("\"a\\nb\""), Just("[1,\n2,\r\n 3]"), Just("7")],
    ) {
        let mut sent = Message { payload: Box::from(payload.as_bytes()), ..Message::default() };
        for (name, value) in header::ALL.into_iter().zip(values) {
            sent.push(name, &value);
        }
        sent.key = Arc::from(sent.header(header::INSTANCE).unwrap());
        let line = to_line(&sent).unwrap();
        prop_assert!(!line.contains(['\n', '\r']));
        let read = from_line(&line).unwrap();
        let sorted = |message: &Message| -> BTreeMap<String, String> {
            message.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        prop_assert_eq!(sorted(&sent), sorted(&read));
        let value = |message: &Message| serde_json::from_slice::<serde_json::Value>(&message.payload).unwrap();
        prop_assert_eq!((&sent.key, value(&sent)), (&read.key, value(&read)));
    }

    #[test]
    fn lines_may_hold_anything(line in prop_oneof![any::<String>(), "[{}\"a-z:0-9,\\[\\] ]{0,60}"]) {
        if let Ok(message) = from_line(&line) {
            prop_assert!(line.contains("headers") && message.payload.len() < line.len());
        }
    }

    #[test]
    fn a_reply_comes_back_as_it_was_sent(
        command in any_id(),
        attempt in 1_u32..,
        kind in prop_oneof![Just(ReplyKind::Do), Just(ReplyKind::Undo), Just(ReplyKind::Query)],
        status in any_status(),
    ) {
        let sent = Reply { command, kind, attempt, status, payload: None };
        let about = About { participant: "hotels", saga: "booking", traceparent: None };
        let Reply { command, kind, attempt, status, payload: _ } = read_reply(&reply(&sent, &about)).unwrap();
        prop_assert_eq!(
            (&sent.command, sent.kind, sent.attempt, &sent.status),
            (&command, kind, attempt, &status)
        );
    }

    #[test]
    fn readers_take_any_headers_and_bytes(
        headers in proptest::collection::vec((proptest::sample::select(&header::ALL[..]), any_value()), 0..24),
        payload in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..64),
            Just(b"{}".to_vec()),
            Just(br#"{"step":"a","work":"do","outcome":{"failed":{"code":"b"}}}"#.to_vec()),
        ],
    ) {
        let message = Message {
            key: Arc::from(""),
            headers: headers.iter().map(|(name, value)| (*name, value.as_str())).collect(),
            payload: payload.into_boxed_slice(),
        };
        // What is read is of the kind that the message says; else the error names a header or the payload.
        let kind = message.header(header::TYPE);
        match read_command(&message) {
            Ok(_) => prop_assert_eq!(Some(header::COMMAND_TYPE), kind),
            Err(error) => prop_assert!(!error.to_string().contains(char::is_control)),
        }
        match read_reply(&message) {
            Ok(reply) => {
                prop_assert_eq!(Some(header::REPLY_TYPE), kind);
                let told = message.header(header::COMMAND).unwrap().len();
                prop_assert!(reply.attempt > 0 && told > 0);
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
        match read_request(&message) {
            Ok(_) => prop_assert_eq!(Some(header::REQUEST_TYPE), kind),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
        match read_answer(&message) {
            Ok(_) => prop_assert_eq!(Some(header::ANSWER_TYPE), kind),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}
