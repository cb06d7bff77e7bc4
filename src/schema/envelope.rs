//! What each kind of message is on a topic, as JSON Schema: one object of attributes, whose values are text, and `data`.

use serde_json::{Map, Value, json};

use crate::wire::attribute;

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

/// An object of attributes, those that must be there and those that may, and its data.
fn object(required: &[(&str, Value)], optional: &[(&str, Value)], data: Value) -> Value {
    let names: Vec<&str> = required.iter().map(|(name, _)| *name).collect();
    let all = required.iter().chain(optional).map(|(name, schema)| ((*name).to_owned(), schema.clone()));
    let properties: Map<String, Value> = all.chain([("data".to_owned(), data)]).collect();
    json!({ "type": "object", "properties": properties, "required": names })
}

fn cloud_event(kind: &str) -> Vec<(&'static str, Value)> {
    vec![
        (attribute::SPEC_VERSION, word(attribute::VERSION)),
        (attribute::TYPE, word(kind)),
        (attribute::ID, text("tells repeats of this very message")),
        (attribute::SOURCE, text("who wrote it")),
    ]
}

fn trace() -> Vec<(&'static str, Value)> {
    vec![(attribute::TRACEPARENT, text("W3C trace context; hand it on"))]
}

/// Of a command to a participant; without the name of one, of a query.
pub(super) fn command(wire: Option<&str>, data: Value) -> Value {
    let (call, kind) = match wire {
        Some(wire) => (word(wire), one_of(&["do", "undo"])),
        None => (text("the command whose outcome is asked for"), word("query")),
    };
    let answered = [
        (attribute::REPLY_TO, text("the topic for the reply")),
        (attribute::REPLY_PARTITION, number("its partition")),
        (attribute::DEADLINE, number("after it nobody waits: milliseconds since 1970, UTC")),
    ];
    sent("one id for do, undo, query and all attempts: the key of the guard", (call, kind), answered, data)
}

/// Of a message to a participant, which nobody answers.
pub(super) fn message(wire: &str, data: Value) -> Value {
    sent("one id for all times that it is sent: the key of the guard", (word(wire), word("message")), [], data)
}

/// Of what a participant is sent, with what only that has which is answered.
fn sent<const N: usize>(
    id: &str,
    (call, kind): (Value, Value),
    answered: [(&'static str, Value); N],
    data: Value,
) -> Value {
    let mut all = cloud_event(attribute::COMMAND_TYPE);
    all.extend([
        (attribute::INSTANCE, text("the saga's instance, the key of the record too")),
        (attribute::SAGA, text("the saga's name")),
        (attribute::STEP, text("the step's place")),
        (attribute::COMMAND, text(id)),
        (attribute::CALL, call),
        (attribute::KIND, kind),
        (attribute::ATTEMPT, number("1, 2, 3 …")),
    ]);
    all.extend(answered);
    all.extend([
        (attribute::KEEP_UNTIL, number("the guard keeps its row so long: milliseconds since 1970, UTC")),
        (attribute::RECORD, text("partition/offset of the journal record that justifies it")),
    ]);
    object(&all, &trace(), data)
}

/// Of a reply with this status; `failed` with one of these codes.
pub(super) fn reply(status: &str, kinds: &[&str], codes: Option<Value>, data: Value) -> Value {
    let mut required = vec![
        (attribute::TYPE, word(attribute::REPLY_TYPE)),
        (attribute::COMMAND, text("as in the command")),
        (attribute::KIND, one_of(kinds)),
        (attribute::ATTEMPT, number("as in the command")),
        (attribute::STATUS, word(status)),
    ];
    let mut optional: Vec<(&str, Value)> =
        cloud_event(attribute::REPLY_TYPE).into_iter().filter(|(name, _)| *name != attribute::TYPE).collect();
    optional.extend(trace());
    match codes {
        Some(codes) => required.push((attribute::CODE, codes)),
        None => optional.push((attribute::CODE, text("why, for people"))),
    }
    object(&required, &optional, data)
}

/// One of the codes of a contract.
pub(super) fn codes<'c>(codes: impl Iterator<Item = &'c str>) -> Value {
    one_of(&codes.collect::<Vec<_>>())
}

/// Of a request to the engine; `saga` is that which is started.
pub(super) fn request(kind: &str, saga: Option<&str>, data: Value) -> Value {
    let mut required: Vec<(&str, Value)> = vec![
        (attribute::TYPE, word(attribute::REQUEST_TYPE)),
        (attribute::ID, text("the request's id: a repeat of it changes nothing")),
        (attribute::INSTANCE, text("the instance, the key of the record too")),
        (attribute::KIND, word(kind)),
    ];
    required.extend(saga.map(|saga| (attribute::SAGA, word(saga))));
    let envelope = [attribute::SPEC_VERSION, attribute::SOURCE];
    let mut optional: Vec<(&str, Value)> =
        cloud_event(attribute::REQUEST_TYPE).into_iter().filter(|(name, _)| envelope.contains(name)).collect();
    optional.extend([
        (attribute::REPLY_TO, text("the topic for the answer; without it there is none")),
        (attribute::REPLY_PARTITION, number("its partition")),
    ]);
    optional.extend(trace());
    object(&required, &optional, data)
}

/// Of an answer of the engine.
pub(super) fn answer(status: &str, data: Value) -> Value {
    let mut required = cloud_event(attribute::ANSWER_TYPE);
    required.extend([
        (attribute::INSTANCE, text("the instance, the key of the record too")),
        (attribute::REQUEST, text("the id of the request that is answered")),
        (attribute::STATUS, word(status)),
        (attribute::RECORD, text("partition/offset of the journal record; of two answers the higher counts")),
    ]);
    object(&required, &[(attribute::CODE, text("the failure's or refusal's code"))], data)
}
