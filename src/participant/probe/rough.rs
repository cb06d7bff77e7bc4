//! What anybody may write to a topic: odd ids, odd attributes, garbage, too much of it. Behind each, a command in order
//! goes to the same partition and must be answered.

use super::rules::{COMMITTED_ONLY, GARBAGE, WRONG_ATTRIBUTES};
use super::subject::Call;
use super::talk::{Case, Talk, Wrong, raw};
use crate::engine::{CommandKind, ID_MAX, ReplyKind, Status};
use crate::json::PAYLOAD_MAX;
use crate::log::kafka::RawMessage;
use crate::wire::{CloudEvent, attribute};

use ReplyKind::{Do, Query};

type Tried = Result<(), Wrong>;

/// Brackets that lie in each other: more than the stack of any recursive reader holds.
const BRACKETS: usize = 200_000;

/// A command in order, which must be done, in the partition where something else went before.
fn goes_on(talk: &mut Talk<'_>, call: &Call, partition: u32, behind: &str) -> Tried {
    let mut case = talk.case(call);
    case.partition = partition;
    match talk.done(&mut case) {
        Ok(_) => talk.put_back(&mut case),
        Err(Wrong::Broken(how)) => Err(Wrong::broken(format!("behind {behind}: {how}"))),
        Err(untried @ Wrong::Untried(_)) => Err(untried),
    }
}

/// A case that must not be done, for this rule; the rule on what comes is noted when it does.
fn never(talk: &mut Talk<'_>, call: &Call, rule: &'static str, partition: u32) -> Case {
    let mut case = talk.case(call);
    (case.partition, case.is_odd, case.never) = (partition, true, Some(rule));
    talk.cases.insert(case.id.to_text(), case.clone());
    // A reply to it is found, whichever attempt it names.
    talk.asked.insert((case.id.to_text(), Do, 1), 1);
    case
}

/// What the replies so far say about a rule.
fn faultless(talk: &Talk<'_>, rule: &'static str) -> Tried {
    talk.faults.get(rule).map_or(Ok(()), |(how, _)| Err(Wrong::broken(how.clone())))
}

/// Whether the participant knows a command that it must not have done.
fn is_unknown(talk: &mut Talk<'_>, case: &mut Case, what: &str) -> Tried {
    if !talk.subject.participant.answers_queries {
        return Ok(());
    }
    let Some(heard) = talk.ask(case, Query) else {
        return Err(Wrong::broken(format!("`query` behind {what} gets {}", talk.nothing())));
    };
    if matches!(heard.status, Some(Status::UnknownCommand)) {
        return Ok(());
    }
    Err(Wrong::broken(format!("`query` behind {what} gets {}", heard.shown())))
}

fn works(talk: &mut Talk<'_>, case: &mut Case, what: &str) -> Tried {
    match talk.done(case) {
        Ok(_) => talk.put_back(case),
        Err(Wrong::Broken(how)) => Err(Wrong::broken(format!("with {what}: {how}"))),
        Err(untried @ Wrong::Untried(_)) => Err(untried),
    }
}

pub(super) fn strange_ids(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let tag = talk.options.tag.clone();
    let long = format!("probe-{tag}-{}", "x".repeat(ID_MAX));
    let long: String = long.chars().take(ID_MAX).collect();
    let ids = [
        (format!("probe-{tag} O'Brien; \"quoted\" \\ 100 % <&>"), "quotes"),
        (format!("probe-{tag}/a/b//1"), "slashes"),
        (format!("probe-{tag}-Gödel-日本-🎉"), "letters beyond ASCII"),
        (long, "200 bytes"),
    ];
    for (instance, what) in &ids {
        let mut case = talk.case_of(call, instance, u64::MAX, "loop[12].probe", 1);
        works(talk, &mut case, &format!("an id with {what}"))?;
    }
    Ok(())
}

pub(super) fn extra_attributes(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let mut case = talk.case(call);
    case.is_traced = false;
    let words = "with attributes in another order, unknown and missing ones, and odd headers";
    let heard = talk.ask_changed(&mut case, Do, words, |event| {
        let optional = [attribute::RECORD, attribute::SPEC_VERSION, attribute::SOURCE, attribute::TRACEPARENT];
        let numbers = [attribute::ATTEMPT, attribute::DEADLINE, attribute::KEEP_UNTIL, attribute::REPLY_PARTITION];
        let mut object = Vec::new();
        object.extend(event.data.as_ref().map(|data| format!("\"data\": {data}")));
        object.push(r#""traceparent": "not a trace""#.to_owned());
        object.push(r#""oftomorrow": {"a": [1, null]}, "xunknown": 1"#.to_owned());
        object.push(r#""request": null"#.to_owned());
        for (name, value) in event.iter().rev().filter(|(name, _)| !optional.contains(name)) {
            let value = if numbers.contains(&name) { value.to_owned() } else { serde_json::json!(value).to_string() };
            object.push(format!("{}: {value}", serde_json::json!(name)));
        }
        let headers = vec![("x-unknown".to_owned(), None), ("x-bytes".to_owned(), Some(b"\xff\xfe\x00".to_vec()))];
        let payload = format!(" {{\n{}\n}}\n", object.join(",\n"));
        RawMessage { payload: Some(payload.into_bytes()), headers, ..raw(&event) }
    });
    match heard {
        Some(heard) if matches!(heard.status, Some(Status::Succeeded)) => talk.put_back(&mut case),
        Some(heard) => Err(Wrong::broken(format!("`do` gets {}", heard.shown()))),
        None => Err(Wrong::broken(format!("`do` gets {}", talk.nothing()))),
    }
}

pub(super) fn largest_request(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let mut case = talk.case(call);
    // Spaces in front of the end: the same request.
    let heard = talk.ask_changed(&mut case, Do, "of 1 MiB", |event| pad(&event, PAYLOAD_MAX));
    match heard {
        Some(heard) if matches!(heard.status, Some(Status::Succeeded)) => talk.put_back(&mut case),
        Some(heard) => Err(Wrong::broken(format!("`do` of 1 MiB gets {}", heard.shown()))),
        None if let Some(why) = talk.unsent.take() => {
            Err(Wrong::broken(format!("{why}: give the topic a `max.message.bytes` of 1115136 at least")))
        }
        None => Err(Wrong::broken(format!("`do` of 1 MiB gets {}", talk.nothing()))),
    }
}

/// The event with so many bytes of data.
fn pad(event: &CloudEvent<'_>, size: usize) -> RawMessage {
    let mut data = event.data.as_ref().map(|data| data.get().as_bytes().to_vec()).unwrap_or_default();
    let end = data.pop();
    data.resize(size.saturating_sub(1), b' ');
    data.extend(end);
    with_data(event, &data)
}

/// The event with these bytes for its data.
fn with_data(event: &CloudEvent<'_>, data: &[u8]) -> RawMessage {
    let mut bare = event.clone();
    bare.data = None;
    let mut message = raw(&bare);
    if let Some(payload) = &mut message.payload {
        payload.pop();
        payload.extend_from_slice(b",\"data\":");
        payload.extend_from_slice(data);
        payload.push(b'}');
    }
    message
}

pub(super) fn oversized(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let case = {
        let mut case = talk.case(call);
        case.is_odd = true;
        case
    };
    let message = pad(&talk.message(&case, Do, 1), PAYLOAD_MAX + 1);
    talk.cases.insert(case.id.to_text(), case.clone());
    talk.asked.insert((case.id.to_text(), Do, 1), 1);
    // A topic that takes no such message is as good.
    drop(talk.send("do of 1 MiB and a byte", &[(case.partition, message)]));
    goes_on(talk, call, case.partition, "a payload over 1 MiB")?;
    let mut case = case;
    talk.put_back(&mut case)
}

pub(super) fn unknown_call(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let mut case = talk.case(call);
    case.is_odd = true;
    let heard = talk.ask_once(&mut case, Do, "of SagaProbeKnowsNoSuchCommand", |mut event| {
        event.set(attribute::CALL, "SagaProbeKnowsNoSuchCommand");
        raw(&event)
    });
    if let Some(heard) = heard.filter(|heard| matches!(heard.status, Some(Status::Succeeded))) {
        return Err(Wrong::broken(format!("it gets {}", heard.shown())));
    }
    if talk.subject.participant.answers_queries {
        is_unknown(talk, &mut case, "it")?;
        return goes_on(talk, call, case.partition, "it");
    }
    // A row shows as soon as the same id is asked for what it can do.
    case.is_odd = false;
    match talk.done(&mut case) {
        Err(Wrong::Broken(how) | Wrong::Untried(how)) => {
            Err(Wrong::broken(format!("a command that it has, by the same id behind it: {how}")))
        }
        Ok(_) => talk.put_back(&mut case),
    }
}

pub(super) fn unknown_message(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let case = talk.case(call);
    let mut message = talk.message(&case, Do, 1);
    let absent = [attribute::REPLY_TO, attribute::REPLY_PARTITION, attribute::DEADLINE];
    for name in absent {
        message.remove(name);
    }
    message.set(attribute::KIND, CommandKind::Message.as_str());
    message.set(attribute::CALL, "SagaProbeKnowsNoSuchMessage");
    talk.send("message SagaProbeKnowsNoSuchMessage", &[(case.partition, raw(&message))])?;
    goes_on(talk, call, case.partition, "it")
}

pub(super) fn unfit_request(talk: &mut Talk<'_>, call: &Call) -> Tried {
    if call.command.request.fields.iter().all(|field| field.ty.is_optional()) {
        return Err(Wrong::untried("every request fits its contract"));
    }
    let mut last = 0;
    for payload in ["{}", "[]", "null", "7"] {
        let mut case = talk.case(call);
        (case.is_odd, last) = (true, case.partition);
        let heard = talk.ask_once(&mut case, Do, &format!("with the request {payload}"), |event| {
            with_data(&event, payload.as_bytes())
        });
        if let Some(heard) = heard.filter(|heard| matches!(heard.status, Some(Status::Succeeded))) {
            return Err(Wrong::broken(format!("with the request {payload} it gets {}", heard.shown())));
        }
    }
    goes_on(talk, call, last, "them")
}

/// The event with a member that it has once more.
fn with_twice(event: &CloudEvent<'_>, name: &str, value: &str) -> RawMessage {
    let mut message = raw(event);
    if let Some(payload) = &mut message.payload {
        payload.pop();
        payload.extend_from_slice(format!(",\"{name}\":{value}}}").as_bytes());
    }
    message
}

pub(super) fn wrong_attributes(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let (_, partitions) = talk.places.commands;
    let partition = partitions.saturating_sub(1);
    let changes: [(&str, &'static str, Option<&str>); 11] = [
        ("without `command`", attribute::COMMAND, None),
        ("without `kind`", attribute::KIND, None),
        ("without `attempt`", attribute::ATTEMPT, None),
        ("without `call`", attribute::CALL, None),
        ("without `deadline`", attribute::DEADLINE, None),
        ("with `kind` redo", attribute::KIND, Some("redo")),
        ("with `attempt` first", attribute::ATTEMPT, Some("first")),
        ("with `deadline` soon", attribute::DEADLINE, Some("soon")),
        ("with `type` saga.reply.v1", attribute::TYPE, Some(attribute::REPLY_TYPE)),
        ("with `type` saga.command.v99", attribute::TYPE, Some("saga.command.v99")),
        ("without `type`", attribute::TYPE, None),
    ];
    let mut cases = Vec::new();
    for (words, name, value) in changes {
        let case = never(talk, call, WRONG_ATTRIBUTES, partition);
        let mut message = talk.message(&case, Do, 1);
        match value {
            Some(value) => message.set(name, value),
            None => message.remove(name),
        }
        talk.send(&format!("do {words}"), &[(partition, raw(&message))])?;
        cases.push((words, case));
    }
    for (words, name) in [("with `attempt` twice", attribute::ATTEMPT), ("with `call` twice", attribute::CALL)] {
        let case = never(talk, call, WRONG_ATTRIBUTES, partition);
        let event = talk.message(&case, Do, 1);
        let value = serde_json::json!(event.get(name).unwrap_or_default()).to_string();
        talk.send(&format!("do {words}"), &[(partition, with_twice(&event, name, &value))])?;
        cases.push((words, case));
    }
    goes_on(talk, call, partition, "them")?;
    faultless(talk, WRONG_ATTRIBUTES)?;
    for (words, mut case) in cases {
        is_unknown(talk, &mut case, &format!("a `do` {words}"))?;
    }
    Ok(())
}

pub(super) fn committed_only(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let (_, partitions) = talk.places.commands;
    let partition = partitions.saturating_sub(1);
    let case = never(talk, call, COMMITTED_ONLY, partition);
    let message = (partition, raw(&talk.message(&case, Do, 1)));
    talk.said.sent.push("do in a transaction that is aborted".to_owned());
    let (topic, id) = (&talk.places.commands.0, format!("saga-probe-{}", talk.options.tag));
    if let Err(why) = talk.raw.send_and_abort(&id, topic, &[message]) {
        return Err(Wrong::untried(format!("the broker lets this user make no transaction: {why}")));
    }
    goes_on(talk, call, partition, "it")?;
    faultless(talk, COMMITTED_ONLY)
}

pub(super) fn garbage(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let (_, partitions) = talk.places.commands;
    let partition = partitions.saturating_sub(1);
    let bytes = |bytes: &[u8]| Some(bytes.to_vec());
    let strangers = [
        ("nothing at all", RawMessage::default()),
        ("random bytes", RawMessage { key: bytes(b"\xff\x00"), payload: bytes(b"\x00\x9f\x92\x96"), headers: vec![] }),
        ("an object that is no event", RawMessage { key: None, payload: bytes(b"{\"a\":1}"), headers: vec![] }),
        ("HTML", RawMessage { key: None, payload: bytes(b"<html>"), headers: vec![] }),
        ("a number", RawMessage { key: None, payload: bytes(b"7"), headers: vec![] }),
    ];
    for (words, message) in strangers {
        talk.send(words, &[(partition, message)])?;
    }
    let deep = "[".repeat(BRACKETS);
    let datas: [(&str, &[u8]); 4] = [
        ("a command whose data is cut off", b"{\"a\":"),
        ("a command whose data is no UTF-8", b"{\"a\":\"\xff\"}"),
        ("a command whose data is 200,000 brackets deep", deep.as_bytes()),
        ("a command whose data is not even a word of JSON", b"nothing"),
    ];
    for (words, data) in datas {
        let case = never(talk, call, GARBAGE, partition);
        let message = with_data(&talk.message(&case, Do, 1), data);
        talk.send(words, &[(partition, message)])?;
    }
    let case = never(talk, call, GARBAGE, partition);
    let mut message = raw(&talk.message(&case, Do, 1));
    if let Some(payload) = &mut message.payload {
        payload.truncate(payload.len() / 2);
    }
    talk.send("half a command", &[(partition, message)])?;
    goes_on(talk, call, partition, "them")?;
    faultless(talk, GARBAGE)
}
