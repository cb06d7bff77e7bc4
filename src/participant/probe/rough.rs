//! What anybody may write to a topic: odd ids, odd headers, garbage, too much of it. Behind each, a command in order
//! goes to the same partition and must be answered.

use super::rules::{GARBAGE, WRONG_HEADERS};
use super::subject::Call;
use super::talk::{Case, Talk, Wrong};
use crate::engine::{CommandKind, ReplyKind, Status};
use crate::json::PAYLOAD_MAX;
use crate::log::kafka::RawMessage;
use crate::wire::{Message, header};

use ReplyKind::{Do, Query};

type Tried = Result<(), Wrong>;

/// Brackets that lie in each other: more than the stack of any recursive reader holds.
const BRACKETS: usize = 200_000;

/// As long as an instance's id may be.
const LONG: usize = 200;

/// A command in order, which must be done, in the partition where something else went before.
fn goes_on(talk: &mut Talk<'_>, call: &Call, partition: u32, behind: &str) -> Tried {
    let mut case = talk.case(call);
    case.partition = partition;
    match talk.done(&mut case) {
        Ok(_) => talk.put_back(&mut case),
        Err(Wrong::Broken(how)) => {
            talk.is_mute_now();
            Err(Wrong::broken(format!("behind {behind}: {how}")))
        }
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
    let long = format!("probe-{tag}-{}", "x".repeat(LONG));
    let long: String = long.chars().take(LONG).collect();
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

pub(super) fn extra_headers(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let mut case = talk.case(call);
    let heard = talk.ask_changed(&mut case, Do, "with headers in another order, unknown and missing ones", |message| {
        let optional = [header::RECORD, header::SPEC_VERSION, header::SOURCE, header::TRACEPARENT];
        message.headers = message.headers.iter().rev().filter(|(name, _)| !optional.contains(name)).collect();
        message.headers.push("x-unknown", "1");
        message.headers.push("saga-of-tomorrow", "ja");
        message.headers.push(header::TRACEPARENT, "not a trace");
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
    let heard = talk.ask_changed(&mut case, Do, "of 1 MiB", |message| pad(message, PAYLOAD_MAX));
    match heard {
        Some(heard) if matches!(heard.status, Some(Status::Succeeded)) => talk.put_back(&mut case),
        Some(heard) => Err(Wrong::broken(format!("`do` of 1 MiB gets {}", heard.shown()))),
        None if let Some(why) = talk.unsent.take() => {
            Err(Wrong::broken(format!("{why}: give the topic a `max.message.bytes` of 1114112 at least")))
        }
        None => Err(Wrong::broken(format!("`do` of 1 MiB gets {}", talk.nothing()))),
    }
}

fn pad(message: &mut Message, size: usize) {
    let mut payload = message.payload.to_vec();
    let end = payload.pop();
    payload.resize(size.saturating_sub(1), b' ');
    payload.extend(end);
    message.payload = payload.into_boxed_slice();
}

pub(super) fn oversized(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let case = {
        let mut case = talk.case(call);
        case.is_odd = true;
        case
    };
    let mut message = talk.message(&case, Do, 1);
    pad(&mut message, PAYLOAD_MAX + 1);
    talk.cases.insert(case.id.to_text(), case.clone());
    talk.asked.insert((case.id.to_text(), Do, 1), 1);
    // A topic that takes no such message is as good.
    drop(talk.send("do of 1 MiB and a byte", &[(case.partition, (&message).into())]));
    goes_on(talk, call, case.partition, "a payload over 1 MiB")?;
    let mut case = case;
    talk.put_back(&mut case)
}

pub(super) fn unknown_call(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let mut case = talk.case(call);
    case.is_odd = true;
    let heard = talk.ask_changed(&mut case, Do, "of SagaProbeKnowsNoSuchCommand", |message| {
        message.headers.set(header::CALL, "SagaProbeKnowsNoSuchCommand");
    });
    if let Some(heard) = heard.filter(|heard| matches!(heard.status, Some(Status::Succeeded))) {
        return Err(Wrong::broken(format!("it gets {}", heard.shown())));
    }
    is_unknown(talk, &mut case, "it")?;
    goes_on(talk, call, case.partition, "it")
}

pub(super) fn unknown_message(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let case = talk.case(call);
    let mut message = talk.message(&case, Do, 1);
    let absent = [header::REPLY_TO, header::REPLY_PARTITION, header::DEADLINE];
    for name in absent {
        message.headers.remove(name);
    }
    message.headers.set(header::KIND, CommandKind::Message.as_str());
    message.headers.set(header::CALL, "SagaProbeKnowsNoSuchMessage");
    talk.send("message SagaProbeKnowsNoSuchMessage", &[(case.partition, (&message).into())])?;
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
        let heard = talk.ask_changed(&mut case, Do, &format!("with the request {payload}"), |message| {
            message.payload = payload.as_bytes().into();
        });
        if let Some(heard) = heard.filter(|heard| matches!(heard.status, Some(Status::Succeeded))) {
            return Err(Wrong::broken(format!("with the request {payload} it gets {}", heard.shown())));
        }
    }
    goes_on(talk, call, last, "them")
}

pub(super) fn wrong_headers(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let (_, partitions) = talk.places.commands;
    let partition = partitions.saturating_sub(1);
    let changes: [(&str, &'static str, Option<&str>); 11] = [
        ("without `saga-command`", header::COMMAND, None),
        ("without `saga-kind`", header::KIND, None),
        ("without `saga-attempt`", header::ATTEMPT, None),
        ("without `saga-call`", header::CALL, None),
        ("without `saga-deadline`", header::DEADLINE, None),
        ("with `saga-kind: redo`", header::KIND, Some("redo")),
        ("with `saga-attempt: first`", header::ATTEMPT, Some("first")),
        ("with `saga-deadline: soon`", header::DEADLINE, Some("soon")),
        ("with `ce_type: saga.reply.v1`", header::TYPE, Some(header::REPLY_TYPE)),
        ("with `ce_type: saga.command.v99`", header::TYPE, Some("saga.command.v99")),
        ("without `ce_type`", header::TYPE, None),
    ];
    let mut cases = Vec::new();
    for (words, name, value) in changes {
        let case = never(talk, call, WRONG_HEADERS, partition);
        let mut message = talk.message(&case, Do, 1);
        match value {
            Some(value) => message.headers.set(name, value),
            None => message.headers.remove(name),
        }
        talk.send(&format!("do {words}"), &[(partition, (&message).into())])?;
        cases.push((words, case));
    }
    goes_on(talk, call, partition, "them")?;
    faultless(talk, WRONG_HEADERS)?;
    for (words, mut case) in cases {
        is_unknown(talk, &mut case, &format!("a `do` {words}"))?;
    }
    Ok(())
}

pub(super) fn garbage(talk: &mut Talk<'_>, call: &Call) -> Tried {
    let (_, partitions) = talk.places.commands;
    let partition = partitions.saturating_sub(1);
    let bytes = |bytes: &[u8]| Some(bytes.to_vec());
    let no_headers = [
        ("nothing at all", RawMessage::default()),
        ("random bytes", RawMessage { key: bytes(b"\xff\x00"), payload: bytes(b"\x00\x9f\x92\x96"), headers: vec![] }),
        ("JSON without headers", RawMessage { key: None, payload: bytes(b"{\"a\":1}"), headers: vec![] }),
    ];
    for (words, message) in no_headers {
        talk.send(words, &[(partition, message)])?;
    }
    let deep = "[".repeat(BRACKETS);
    let payloads: [(&str, Option<&[u8]>); 5] = [
        ("a command whose payload is cut off", Some(b"{\"a\":")),
        ("a command whose payload is no UTF-8", Some(b"{\"a\":\"\xff\"}")),
        ("a command whose payload is 200,000 brackets deep", Some(deep.as_bytes())),
        ("a command whose payload is HTML", Some(b"<html>")),
        ("a command whose payload is not even a word of JSON", Some(b"NaN")),
    ];
    for (words, payload) in payloads {
        let case = never(talk, call, GARBAGE, partition);
        let mut message = RawMessage::from(&talk.message(&case, Do, 1));
        message.payload = payload.map(<[u8]>::to_vec);
        talk.send(words, &[(partition, message)])?;
    }
    for (words, value) in [("headers that are null", None), ("headers that are no UTF-8", bytes(b"\xff\xfe\x00"))] {
        let case = never(talk, call, GARBAGE, partition);
        let mut message = RawMessage::from(&talk.message(&case, Do, 1));
        for (_, held) in &mut message.headers {
            held.clone_from(&value);
        }
        talk.send(&format!("a command with {words}"), &[(partition, message)])?;
    }
    goes_on(talk, call, partition, "them")?;
    faultless(talk, GARBAGE)
}
