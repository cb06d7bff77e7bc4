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
        changed: Timestamp(1_700_000_000_000),
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

fn event(message: &Message) -> CloudEvent<'_> {
    CloudEvent::read(message).unwrap()
}

#[test]
fn a_command_is_a_cloud_event_that_says_who_asks_and_until_when() {
    let message = command(&a_command(CommandKind::Do, id("order-7")), &ENVELOPE);
    insta::assert_snapshot!(shown(&message), @r#"
    key: order-7
    content-type: application/cloudevents+json
    {"specversion":"1.0","type":"saga.command.v1","id":"order-7/1700000000000/reserve_room/1/do/2","source":"/sagas/booking","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","instance":"order-7","saga":"booking","step":"reserve_room","command":"order-7/1700000000000/reserve_room/1","call":"ReserveRoom","kind":"do","attempt":"2","replyto":"saga.replies","replypartition":"3","deadline":"1700000010000","keepuntil":"1700003610000","record":"3/1042","data":{"hotel":"Lux","nights":2}}
    "#);
}

#[test]
fn a_message_asks_for_no_answer_and_is_never_late() {
    let message = command(&a_command(CommandKind::Message, id("order-7")), &ENVELOPE);
    for absent in [attribute::REPLY_TO, attribute::REPLY_PARTITION, attribute::DEADLINE] {
        assert_eq!(event(&message).get(absent), None);
    }
    assert_eq!(event(&message).get(attribute::KIND), Some("message"));
    let read = read_command(&event(&message)).unwrap();
    assert!(read.is_message && read.deadline > Timestamp(4_000_000_000_000));
    assert_eq!(read.kind, ReplyKind::Do, "it is done like one");
    let sent = a_command(CommandKind::Message, id("order-7")).deadline;
    assert_eq!(read.keep_until, sent.after(Duration::from_hours(7 * 24)), "it may come again days later");
}

#[test]
fn a_reply_is_a_cloud_event_that_names_its_command() {
    let asked = read_command(&event(&command(&a_command(CommandKind::Do, id("order-7")), &ENVELOPE))).unwrap();
    let status = Status::Failed { code: "sold_out".into(), message: Some("no room at the Lux".into()) };
    let message = reply(&asked.reply(status, None), &About { participant: "hotels", traceparent: None });
    insta::assert_snapshot!(shown(&message), @r#"
    key: order-7
    content-type: application/cloudevents+json
    {"specversion":"1.0","type":"saga.reply.v1","id":"order-7/1700000000000/reserve_room/1/do/2/failed","source":"/participants/hotels","command":"order-7/1700000000000/reserve_room/1","kind":"do","attempt":"2","status":"failed","code":"sold_out","data":{"message":"no room at the Lux"}}
    "#);
}

#[test]
fn a_participant_reads_what_the_orchestrator_wrote() {
    let sent = a_command(CommandKind::Do, id("order/7 ü"));
    let read = read_command(&event(&command(&sent, &ENVELOPE))).unwrap();
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
    assert_eq!(Some("do"), event(&message).get(attribute::KIND));
    assert_eq!(own, read_command(&event(&message)).unwrap().id);
    let message = command(&a_command(CommandKind::Undo, id("order-7")), &ENVELOPE);
    assert_eq!(Some("undo"), event(&message).get(attribute::KIND));
}

#[test]
fn an_attempt_that_never_ends_has_a_deadline_that_every_language_can_read() {
    let endless = Command { deadline: Timestamp::NEVER, ..a_command(CommandKind::Query, id("a")) };
    let read = read_command(&event(&command(&endless, &ENVELOPE))).unwrap();
    let last = Timestamp(253_402_300_799_999);
    assert!(last.0 < 1 << 53);
    assert_eq!((last, last), (read.deadline, read.keep_until));
}

/// The least that a participant in any language has to send.
fn least_reply(status: &str) -> CloudEvent<'_> {
    let attributes = [
        (attribute::TYPE, attribute::REPLY_TYPE),
        (attribute::COMMAND, "order-7/1700000000000/reserve_room/1"),
        (attribute::KIND, "do"),
        (attribute::ATTEMPT, "1"),
        (attribute::STATUS, status),
    ];
    let mut event = CloudEvent::default();
    for (name, value) in attributes {
        event.set(name, value);
    }
    event
}

fn with<'a>(mut event: CloudEvent<'a>, name: &str, value: &'a str) -> CloudEvent<'a> {
    event.set(name, value);
    event
}

#[test]
fn five_attributes_are_enough_for_a_reply() {
    let read = read_reply(&least_reply("succeeded")).unwrap();
    assert_eq!((Status::Succeeded, None), (read.status, read.payload));
    for name in [attribute::TYPE, attribute::COMMAND, attribute::KIND, attribute::ATTEMPT, attribute::STATUS] {
        let mut without = least_reply("succeeded");
        without.remove(name);
        let error = read_reply(&without).unwrap_err();
        assert!(matches!(error, WireError::Missing { attribute, .. } if attribute == name), "{error}");
    }
}

#[test]
fn a_wrong_attribute_is_named_with_what_it_should_be() {
    let cases: BTreeMap<&str, &str> = [
        (attribute::TYPE, "saga.reply.v9"),
        (attribute::COMMAND, "order-7"),
        (attribute::KIND, "redo"),
        (attribute::ATTEMPT, "0"),
        (attribute::STATUS, "ok\u{7}"),
    ]
    .into();
    let shown: Vec<_> = cases
        .into_iter()
        .map(|(name, value)| read_reply(&with(least_reply("succeeded"), name, value)).unwrap_err().to_string())
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    read the attribute `attempt`: `0` is not the number of the attempt, 1, 2, 3 …
    read the attribute `command`: `order-7` is not a command's id, instance/run/step/round, exactly as the command has it
    read the attribute `kind`: `redo` is not `do`, `undo`, `query` or `message`
    read the attribute `status`: `ok\u{7}` is not `succeeded`, `failed`, `retry`, `pending` or `unknown-command`
    read the attribute `type`: `saga.reply.v9` is not saga.reply.v1
    "#);
}

#[test]
fn a_refusal_needs_a_code_and_may_have_any_data() {
    let error = read_reply(&least_reply("failed")).unwrap_err();
    assert_eq!("find the attribute `code`: a word of 1 to 200 bytes without control characters", error.to_string());
    let mut refusal = with(least_reply("failed"), attribute::CODE, "sold_out");
    for (data, words) in [(r#"{"message":"full"}"#, Some("full")), ("\"full\"", None), ("7", None)] {
        refusal.data = Some(json(data));
        let status = Status::Failed { code: "sold_out".into(), message: words.map(str::to_owned) };
        assert_eq!(status, read_reply(&refusal).unwrap().status);
    }
}

#[test]
fn a_refusal_with_endless_words_is_told_with_their_beginning() {
    let asked = read_command(&event(&command(&a_command(CommandKind::Do, id("order-7")), &ENVELOPE))).unwrap();
    let status = Status::Failed { code: "sold_out".into(), message: Some("\u{1}".repeat(PAYLOAD_MAX)) };
    let message = reply(&asked.reply(status, None), &About { participant: "hotels", traceparent: None });
    let read = read_reply(&event(&message)).unwrap();
    assert!(matches!(read.status, Status::Failed { message: Some(words), .. } if words.len() == 128 << 10));
}

#[test]
fn what_a_reader_of_json_says_is_told_in_short() {
    let said = CloudEvent::parse(format!("\"{}\"", "é".repeat(30_000)).as_bytes()).unwrap_err().to_string();
    assert!(
        said.starts_with("read a message as one JSON object") && said.ends_with('…') && said.len() < 1_000,
        "{said}"
    );
    let sent = Request {
        id: RequestId::try_from("r").unwrap(),
        instance: InstanceId::try_from("a").unwrap(),
        ask: an_order(Order::Cancel),
    };
    let message = request(&sent, "/test");
    let mut event = event(&message);
    event.data = Some(json(&format!("{{\"{}\":1}}", "é".repeat(30_000))));
    assert!(read_request(&event).unwrap_err().to_string().len() < 1_000);
}

#[test]
fn attributes_come_in_any_order_as_text_or_as_whole_numbers_and_beside_what_nobody_knows() {
    let text = r#" { "data": {"seat":  "1A"}, "attempt": 2, "deadline": null, "status": "succeeded", "tomorrow": {"a": [1.5]},
        "kind": "do", "command": "a/1/reserve/1", "typ\u0065": "saga.reply.v1" } "#;
    let event = CloudEvent::parse(text.as_bytes()).unwrap();
    assert_eq!(
        event.iter().collect::<Vec<_>>(),
        [
            ("type", "saga.reply.v1"),
            ("command", "a/1/reserve/1"),
            ("kind", "do"),
            ("attempt", "2"),
            ("status", "succeeded"),
        ]
    );
    assert_eq!(event.data.as_ref().map(Json::get), Some(r#"{"seat":  "1A"}"#));
    assert_eq!(read_reply(&event).unwrap().attempt, 2);
}

#[test]
fn what_is_no_event_is_refused_with_its_reason() {
    let cases = [
        "",
        "7",
        r#"{"kind":true}"#,
        r#"{"attempt":1.5}"#,
        r#"{"kind":"do","status":"pending","kind":"undo"}"#,
        r#"{"kind":null,"kind":"undo"}"#,
        r#"{"data":1,"data":2}"#,
        r#"{"data":{"a":}}"#,
        r#"{"kind":"do"} and more"#,
        r#"{"kind":"do""#,
    ];
    let shown: Vec<_> = cases.map(|text| CloudEvent::parse(text.as_bytes()).unwrap_err().to_string()).into();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    read a message: it has no value (a tombstone)
    read a message as one JSON object, a CloudEvent in structured mode: invalid type: integer `7`, expected an object at line 1 column 1
    read a message as one JSON object, a CloudEvent in structured mode: `kind`: invalid type: boolean `true`, expected text or a whole number at line 1 column 12
    read a message as one JSON object, a CloudEvent in structured mode: `attempt`: invalid type: floating point `1.5`, expected text or a whole number at line 1 column 14
    read a message as one JSON object, a CloudEvent in structured mode: `kind` stands twice at line 1 column 46
    read a message as one JSON object, a CloudEvent in structured mode: `kind` stands twice at line 1 column 27
    read a message as one JSON object, a CloudEvent in structured mode: `data` stands twice at line 1 column 16
    read a message as one JSON object, a CloudEvent in structured mode: expected value at line 1 column 14
    read a message as one JSON object, a CloudEvent in structured mode: trailing characters at line 1 column 15
    read a message as one JSON object, a CloudEvent in structured mode: EOF while parsing an object at line 1 column 12
    "#);
    assert!(matches!(CloudEvent::parse(b"{\"a\xff"), Err(WireError::NotUtf8 { valid_up_to: 3 })));
    assert!(
        matches!(CloudEvent::parse(&vec![b' '; EVENT_MAX + 1]), Err(WireError::TooLarge { bytes }) if bytes > EVENT_MAX)
    );
    let with_data = |bytes: usize| format!("{{\"data\":\"{}\"}}", "x".repeat(bytes - 2));
    assert!(CloudEvent::parse(with_data(PAYLOAD_MAX).as_bytes()).is_ok());
    assert!(matches!(CloudEvent::parse(with_data(PAYLOAD_MAX + 1).as_bytes()), Err(WireError::Payload(_))));
    let deep = format!("{{\"data\":{}", "[".repeat(PAYLOAD_MAX));
    assert!(matches!(CloudEvent::parse(deep.as_bytes()), Err(WireError::NoEvent(_))));
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
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
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
        assert_eq!(sent, read_request(&event(&request(&sent, "/test"))).unwrap());
    }
}

#[test]
fn a_request_with_a_surplus_field_is_refused() {
    let sent = Request {
        id: RequestId::try_from("r-1").unwrap(),
        instance: InstanceId::try_from("order-7").unwrap(),
        ask: an_order(Order::Cancel),
    };
    let message = request(&sent, "/test");
    let mut event = event(&message);
    event.data = Some(json(r#"{"by":"ana","step":"charge"}"#));
    let error = read_request(&event).unwrap_err().to_string();
    assert!(error.starts_with("read the data of a message that says `cancel`: unknown field `step`"), "{error}");
}

#[test]
fn answers_come_back_as_they_were_sent() {
    let to = ReplyTo { topic: "answers".into(), partition: None, request: RequestId::try_from("r-1").unwrap() };
    let instance = InstanceId::try_from("order-7").unwrap();
    let record = RecordId { partition: 0, offset: 9 };
    let failure = Failure { code: "declined".into(), step: "charge".into(), message: None };
    for end in [End::Completed(json(r#"{"seat":"1A"}"#)), End::Compensated(failure)] {
        let read =
            read_answer(&event(&answer(&Answer { to: to.clone(), end: end.clone() }, &instance, record))).unwrap();
        let wanted =
            Answered { request: to.request.clone(), instance: instance.clone(), ending: Ending::Ended(end), record };
        assert_eq!(wanted, read);
    }
    let refused = Rejection { code: Refusal::PastPivot, message: "too late".into() };
    let message = rejection(&to, &instance, &refused, record);
    assert_eq!(Some("past_pivot"), event(&message).get(attribute::CODE));
    assert_eq!(Ending::Rejected(refused), read_answer(&event(&message)).unwrap().ending);
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

/// An attribute's value: one that some reader would take, its neighbourhood, or anything.
fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(attribute::COMMAND_TYPE.to_owned()),
        Just(attribute::REPLY_TYPE.to_owned()),
        Just(attribute::REQUEST_TYPE.to_owned()),
        Just(attribute::ANSWER_TYPE.to_owned()),
        "do|undo|query|start|cancel|retry|resolve|succeeded|failed|pending|completed|rejected",
        "[0-9-]{1,25}",
        "[a-z/0-9]{0,20}/[0-9]{1,3}/[a-z~]{1,9}/[0-9]{1,12}",
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn an_event_comes_back_as_it_was_written(
        values in proptest::collection::vec(proptest::option::of(any::<String>()), attribute::ALL.len()),
        data in proptest::option::of(prop_oneof![Just("{}"), Just("\"a\\nb\""), Just("[1,\n2,\r\n 3]"), Just("7")]),
    ) {
        let mut sent = CloudEvent::default();
        sent.data = data.map(json);
        for (name, value) in attribute::ALL.into_iter().zip(values) {
            if let Some(value) = value {
                sent.set(name, value);
            }
        }
        sent.key = Arc::from(sent.get(attribute::INSTANCE).unwrap_or_default());
        let message = sent.write();
        prop_assert_eq!(&CloudEvent::read(&message).unwrap(), &sent);
        prop_assert_eq!(CloudEvent::parse(&message.payload).unwrap(), sent);
    }

    #[test]
    fn events_may_hold_anything(text in prop_oneof![any::<String>(), "[{}\"a-z:0-9,\\[\\] ]{0,60}"]) {
        if let Ok(event) = CloudEvent::parse(text.as_bytes()) {
            prop_assert_eq!(text.trim_start().chars().next(), Some('{'));
            prop_assert!(event.data.is_none_or(|data| text.contains(data.get())));
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
        let about = About { participant: "hotels", traceparent: None };
        let Reply { command, kind, attempt, status, payload: _ } = read_reply(&event(&reply(&sent, &about))).unwrap();
        prop_assert_eq!(
            (&sent.command, sent.kind, sent.attempt, &sent.status),
            (&command, kind, attempt, &status)
        );
    }

    #[test]
    fn readers_take_any_attributes_and_data(
        attributes in proptest::collection::vec((proptest::sample::select(&attribute::ALL[..]), any_value()), 0..24),
        data in proptest::option::of(prop_oneof![
            Just("{}"),
            Just("[7]"),
            Just(r#"{"step":"a","work":"do","outcome":{"failed":{"code":"b"}}}"#),
        ]),
    ) {
        let mut event = CloudEvent::default();
        event.data = data.map(json);
        for (name, value) in attributes {
        event.set(name, value);
    }
        // What is read is of the kind that the event says; else the error names an attribute or the data.
        let kind = event.get(attribute::TYPE);
        match read_command(&event) {
            Ok(_) => prop_assert_eq!(Some(attribute::COMMAND_TYPE), kind),
            Err(error) => prop_assert!(!error.to_string().contains(char::is_control)),
        }
        match read_reply(&event) {
            Ok(reply) => {
                prop_assert_eq!(Some(attribute::REPLY_TYPE), kind);
                let told = event.get(attribute::COMMAND).unwrap().len();
                prop_assert!(reply.attempt > 0 && told > 0);
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
        match read_request(&event) {
            Ok(_) => prop_assert_eq!(Some(attribute::REQUEST_TYPE), kind),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
        match read_answer(&event) {
            Ok(_) => prop_assert_eq!(Some(attribute::ANSWER_TYPE), kind),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}
