//! The headers of each kind of message, as JSON Schema. On a topic every value is text.

use serde_json::{Map, Value, json};

use crate::wire::header;

/// A value of exactly this text.
fn word(text: &str) -> Value {
    json!({ "type": "string", "const": text })
}

fn one_of(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn number(description: &str) -> Value {
    json!({ "type": "string", "pattern": "^[0-9]+$", "description": description })
}

/// An object of headers: those that must be there, and those that may.
fn headers(required: &[(&str, Value)], optional: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = required.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> =
        required.iter().chain(optional).map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({ "type": "object", "properties": properties, "required": names })
}

fn cloud_event(kind: &str) -> Vec<(&'static str, Value)> {
    vec![
        (header::SPEC_VERSION, word("1.0")),
        (header::TYPE, word(kind)),
        (header::ID, text("tells repeats of this very message")),
        (header::SOURCE, text("who wrote it")),
        (header::CONTENT_TYPE, word("application/json")),
    ]
}

fn trace() -> Vec<(&'static str, Value)> {
    vec![(header::TRACEPARENT, text("W3C trace context; hand it on"))]
}

/// Of a command to a participant; of a query where `query` is true.
pub(super) fn command(wire: Option<&str>) -> Value {
    let (call, kind) = match wire {
        Some(wire) => (word(wire), one_of(&["do", "undo"])),
        None => (text("the command whose outcome is asked for"), word("query")),
    };
    let mut all = cloud_event(header::COMMAND_TYPE);
    all.extend([
        (header::INSTANCE, text("the saga's instance, the key of the record too")),
        (header::NAME, text("the saga's name")),
        (header::STEP, text("the step's place")),
        (header::COMMAND, text("one id for do, undo, query and all attempts: the key of the guard")),
        (header::CALL, call),
        (header::KIND, kind),
        (header::ATTEMPT, number("1, 2, 3 …")),
        (header::REPLY_TO, text("the topic for the reply")),
        (header::REPLY_PARTITION, number("its partition")),
        (header::DEADLINE, number("after it nobody waits: milliseconds since 1970, UTC")),
        (header::KEEP_UNTIL, number("the guard keeps its row so long: milliseconds since 1970, UTC")),
        (header::RECORD, text("partition/offset of the journal record that justifies it")),
    ]);
    headers(&all, &trace())
}

/// Of a message to a participant, which nobody answers.
pub(super) fn message(wire: &str) -> Value {
    let mut all = cloud_event(header::COMMAND_TYPE);
    all.extend([
        (header::INSTANCE, text("the saga's instance, the key of the record too")),
        (header::NAME, text("the saga's name")),
        (header::STEP, text("the step's place")),
        (header::COMMAND, text("one id for all times that it is sent: the key of the guard")),
        (header::CALL, word(wire)),
        (header::KIND, word("message")),
        (header::ATTEMPT, number("1, 2, 3 …")),
        (header::KEEP_UNTIL, number("the guard keeps its row so long: milliseconds since 1970, UTC")),
        (header::RECORD, text("partition/offset of the journal record that justifies it")),
    ]);
    headers(&all, &trace())
}

/// Of a reply with this status; `failed` with one of these codes.
pub(super) fn reply(status: &str, kinds: &[&str], codes: Option<Value>) -> Value {
    let mut required = vec![
        (header::TYPE, word(header::REPLY_TYPE)),
        (header::COMMAND, text("as in the command")),
        (header::KIND, one_of(kinds)),
        (header::ATTEMPT, number("as in the command")),
        (header::STATUS, word(status)),
    ];
    let mut optional: Vec<(&str, Value)> =
        cloud_event(header::REPLY_TYPE).into_iter().filter(|(name, _)| *name != header::TYPE).collect();
    optional.extend([
        (header::INSTANCE, text("as in the command")),
        (header::NAME, text("as in the command")),
        (header::STEP, text("as in the command")),
    ]);
    optional.extend(trace());
    match codes {
        Some(codes) => required.push((header::CODE, codes)),
        None => optional.push((header::CODE, text("why, for people"))),
    }
    headers(&required, &optional)
}

/// One of the codes of a contract.
pub(super) fn codes<'c>(codes: impl Iterator<Item = &'c str>) -> Value {
    one_of(&codes.collect::<Vec<_>>())
}

/// Of a request to the engine; `saga` is that which is started.
pub(super) fn request(kind: &str, saga: Option<&str>) -> Value {
    let mut required: Vec<(&str, Value)> = vec![
        (header::TYPE, word(header::REQUEST_TYPE)),
        (header::ID, text("the request's id: a repeat of it changes nothing")),
        (header::INSTANCE, text("the instance, the key of the record too")),
        (header::KIND, word(kind)),
    ];
    required.extend(saga.map(|saga| (header::NAME, word(saga))));
    let envelope = [header::SPEC_VERSION, header::SOURCE, header::CONTENT_TYPE];
    let mut optional: Vec<(&str, Value)> =
        cloud_event(header::REQUEST_TYPE).into_iter().filter(|(name, _)| envelope.contains(name)).collect();
    optional.extend([
        (header::REPLY_TO, text("the topic for the answer; without it there is none")),
        (header::REPLY_PARTITION, number("its partition")),
    ]);
    optional.extend(trace());
    headers(&required, &optional)
}

/// Of an answer of the engine.
pub(super) fn answer(status: &str) -> Value {
    let mut required = cloud_event(header::ANSWER_TYPE);
    required.extend([
        (header::INSTANCE, text("the instance, the key of the record too")),
        (header::REQUEST, text("the id of the request that is answered")),
        (header::STATUS, word(status)),
        (header::RECORD, text("partition/offset of the journal record; of two answers the higher counts")),
    ]);
    headers(&required, &[(header::CODE, text("the failure's or refusal's code"))])
}
