//! One `AsyncAPI` 3 document of a deployment, from the orchestrator's side: it sends commands to the participants' topics
//! and receives their replies; it receives requests from anybody and sends answers to whoever wants them, and it receives
//! the events for which it has triggers.
//!
//! The journal and the topics beside it are the orchestrator's own and no contract, so they are not in it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Conflict, Names, commands, envelope, messages, schemas};
use crate::definition::expression::PathSegment;
use crate::definition::{Program, Trigger};
use crate::plan::Plan;

/// Where schemas stand in the document.
const SCHEMAS: &str = "#/components/schemas/";

/// The channel of requests, a topic.
const REQUESTS: &str = "saga.requests";

/// The channel of participants' replies; each command says its topic.
const REPLIES: &str = "replies";

/// The channel of answers; each request says its topic.
const ANSWERS: &str = "answers";

/// The document for some programs.
///
/// # Errors
/// Two programs define one name differently.
pub fn asyncapi<'p>(programs: impl IntoIterator<Item = &'p Program> + Clone) -> Result<Value, Conflict> {
    let mut document = Document::default();
    document.orders();
    for program in programs.clone() {
        for saga in program.sagas.values() {
            document.start(&saga.name, saga.docs.as_deref());
            let plan = Plan::new(Arc::clone(saga));
            for signal in saga.signals.values() {
                document.signal(&plan, signal);
            }
        }
        for participant in program.participants.values() {
            document.participant(participant);
        }
        for (participant, command) in commands(program) {
            document.command(participant, command);
        }
        for (participant, message) in messages(program) {
            document.told(participant, message);
        }
        for trigger in &program.triggers {
            document.event(trigger);
        }
    }
    let names: Vec<&str> = programs
        .clone()
        .into_iter()
        .flat_map(|program| program.sagas.keys().map(compact_str::CompactString::as_str))
        .collect();
    let versions: Vec<String> = programs
        .clone()
        .into_iter()
        .flat_map(|program| program.sagas.values().map(|saga| saga.version.to_string()))
        .collect();
    let title = if names.is_empty() { "participants".to_owned() } else { format!("sagas: {}", names.join(", ")) };
    Ok(json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": title,
            "version": if versions.is_empty() { "0".to_owned() } else { versions.join(".") },
            "description": "What the orchestrator sends and receives. The key of every record but those of events is the instance.",
        },
        "defaultContentType": "application/json",
        "channels": document.channels()?,
        "operations": document.operations.done()?,
        "components": {
            "schemas": schemas(programs, SCHEMAS).done()?,
            "messages": document.messages.done()?,
            "correlationIds": {
                "command": {
                    "description": "one id for do, undo, query, all attempts, and their replies",
                    "location": "$message.payload#/command",
                },
                "request": {
                    "description": "the id of the request: in its answer under another name",
                    "location": "$message.payload#/id",
                },
                "answered": { "description": "the id of the request", "location": "$message.payload#/request" },
            },
        },
    }))
}

#[derive(Default)]
struct Document {
    /// Topic, what it is for, and its messages.
    topics: Vec<(String, Value, Vec<String>)>,
    operations: Names,
    messages: Names,
}

fn reference(at: &str) -> Value {
    json!({ "$ref": at })
}

fn schema(name: &str) -> Value {
    reference(&format!("{SCHEMAS}{name}"))
}

impl Document {
    /// Adds a message to a channel, which is made if it is new.
    fn message(&mut self, channel: &str, name: &str, correlation: &str, payload: &Value, summary: &str) {
        let message = json!({
            "name": name,
            "summary": summary,
            "contentType": "application/cloudevents+json",
            "payload": payload,
            "correlationId": reference(&format!("#/components/correlationIds/{correlation}")),
            "bindings": keyed(&json!({ "type": "string" })),
        });
        self.described(channel, name, message);
    }

    fn described(&mut self, channel: &str, name: &str, message: Value) {
        self.messages.add(name, message);
        if let Some((.., messages)) = self.topics.iter_mut().find(|(known, ..)| known == channel)
            && !messages.iter().any(|known| known == name)
        {
            messages.push(name.to_owned());
        }
    }

    fn channel(&mut self, name: &str, address: Option<&str>, description: &str) {
        if !self.topics.iter().any(|(known, ..)| known == name) {
            self.topics.push((name.to_owned(), json!({ "address": address, "description": description }), Vec::new()));
        }
    }

    fn channels(&mut self) -> Result<Value, Conflict> {
        let mut channels = Names::default();
        for (name, mut channel, messages) in std::mem::take(&mut self.topics) {
            let messages: serde_json::Map<String, Value> = messages
                .into_iter()
                .map(|name| (name.clone(), reference(&format!("#/components/messages/{name}"))))
                .collect();
            if let Some(channel) = channel.as_object_mut() {
                channel.insert("messages".to_owned(), Value::Object(messages));
            }
            channels.add(name, channel);
        }
        channels.done()
    }

    /// An operation with one message, and what may come back by which channel.
    fn operation(&mut self, action: &str, channel: &str, message: &str, back: Option<(&str, &[String])>) {
        let of = |channel: &str, message: &str| reference(&format!("#/channels/{channel}/messages/{message}"));
        let mut operation = json!({
            "action": action,
            "channel": reference(&format!("#/channels/{channel}")),
            "messages": [of(channel, message)],
        });
        if let (Some((back, replies)), Some(operation)) = (back, operation.as_object_mut()) {
            let reply = json!({
                "address": { "location": "$message.payload#/replyto" },
                "channel": reference(&format!("#/channels/{back}")),
                "messages": replies.iter().map(|reply| of(back, reply)).collect::<Vec<_>>(),
            });
            operation.insert("reply".to_owned(), reply);
        }
        self.operations.add(message, operation);
    }

    /// What is the same for every saga.
    fn orders(&mut self) {
        self.channel(REQUESTS, Some(REQUESTS), "requests to the engine; with another prefix than `saga`, its own name");
        self.channel(ANSWERS, None, "the topic that a request names in `replyto`");
        self.channel(REPLIES, None, "the topic and partition that a command names: `saga.replies`, or by its prefix");
        let failure = json!({
            "type": "object",
            "properties": { "code": { "type": "string" }, "step": { "type": "string" }, "message": { "type": "string" } },
            "required": ["code", "step"],
        });
        let refusal = json!({
            "type": "object",
            "properties": { "code": { "type": "string" }, "message": { "type": "string" } },
            "required": ["code", "message"],
        });
        for (status, payload, summary) in [
            ("completed", json!({ "type": "object" }), "the saga's output"),
            ("compensated", failure, "the saga failed, and all is taken back"),
            ("rejected", refusal, "the request is refused"),
        ] {
            self.message(ANSWERS, status, "answered", &envelope::answer(status, payload), summary);
        }
        let text = json!({ "type": "string" });
        let step = json!({ "type": "string", "description": "the step's place" });
        let outcome = json!({ "oneOf": [
            { "type": "object", "properties": { "succeeded": { "type": "object", "properties": { "reply": {} } } }, "required": ["succeeded"] },
            { "type": "object", "properties": { "failed": { "type": "object", "properties": { "code": text }, "required": ["code"] } }, "required": ["failed"] },
        ] });
        let direction = json!({ "type": "string", "enum": ["do", "undo"] });
        let rejected = ["rejected".to_owned()];
        for (kind, payload, summary) in [
            ("cancel", order(json!({}), &[]), "take the instance back"),
            ("retry", order(json!({ "step": step }), &[]), "try what is stuck again"),
            (
                "resolve",
                order(json!({ "step": step, "work": direction, "outcome": outcome }), &["step", "work", "outcome"]),
                "say what became of a stuck step",
            ),
        ] {
            self.message(REQUESTS, kind, "request", &envelope::request(kind, None, payload), summary);
            self.operation("receive", REQUESTS, kind, Some((ANSWERS, &rejected)));
        }
        for (status, kinds, summary) in [
            ("retry-later", &["do", "undo", "query"][..], "not now: repeat it"),
            ("pending", &["do", "undo", "query"], "taken on; the final reply comes later"),
            ("unknown-command", &["query"], "never heard of it, which proves nothing"),
        ] {
            // `retry` is the name of an order already.
            let word = if status == "retry-later" { "retry" } else { status };
            self.message(REPLIES, status, "command", &envelope::reply(word, kinds, None, json!({})), summary);
        }
        let undone = envelope::reply("succeeded", &["undo"], None, json!({}));
        self.message(REPLIES, "undone", "command", &undone, "it is taken back, or there was nothing to take back");
        let refused = envelope::reply("failed", &["undo"], Some(json!({ "type": "string" })), json!({}));
        self.message(REPLIES, "undo-refused", "command", &refused, "it cannot be taken back: the saga is stuck");
    }

    fn start(&mut self, saga: &str, docs: Option<&str>) {
        let name = format!("{saga}.start");
        let payload = envelope::request("start", Some(saga), schema(&format!("{saga}.input")));
        let summary = docs.map_or_else(|| format!("begin an instance of {saga}"), ToOwned::to_owned);
        self.message(REQUESTS, &name, "request", &payload, &summary);
        let answers = ["completed", "compensated", "rejected"].map(ToOwned::to_owned);
        self.operation("receive", REQUESTS, &name, Some((ANSWERS, &answers)));
    }

    /// What a saga can be told, by its instance's key.
    fn signal(&mut self, plan: &Plan, signal: &crate::definition::Signal) {
        let saga = &plan.saga.name;
        let name = format!("{saga}.{}.signal", signal.name);
        // Without a shape, or with nothing in it that must be there, it may be left out.
        let is_wanted = signal.shape.fields.iter().any(|field| !field.ty.is_optional());
        let required: &[&str] = if is_wanted { &["signal", "with"] } else { &["signal"] };
        let fields = json!({ "signal": addressed(&plan.signal_in_general(&signal.name)), "with": schema(&name) });
        let payload = envelope::request("signal", None, order(fields, required));
        let summary = signal.docs.clone().unwrap_or_else(|| format!("tell an instance of {saga} {}", signal.name));
        self.message(REQUESTS, &name, "request", &payload, &summary);
        self.operation("receive", REQUESTS, &name, Some((ANSWERS, &["rejected".to_owned()])));
    }

    fn participant(&mut self, participant: &crate::definition::Participant) {
        let (name, topic) = (&participant.name, &participant.commands_topic);
        let docs = participant.docs.clone().unwrap_or_else(|| format!("the commands of {name}"));
        self.channel(topic, Some(topic), &docs);
        if participant.answers_queries {
            let query = format!("{name}.query");
            let payload = envelope::command(None, json!({ "type": "object" }));
            self.message(topic, &query, "command", &payload, "what became of a command");
            let replies = participant
                .commands
                .values()
                .flat_map(|command| replies(name, &command.name, !command.fails.is_empty()));
            let replies: Vec<String> = replies.chain(["unknown-command".to_owned(), "pending".to_owned()]).collect();
            self.operation("send", topic, &query, Some((REPLIES, &replies)));
        }
    }

    fn command(&mut self, participant: &crate::definition::Participant, command: &crate::definition::Command) {
        let (topic, name) = (&participant.commands_topic, format!("{}.{}", participant.name, command.name));
        let summary = command.docs.clone().unwrap_or_else(|| format!("ask {} for {}", participant.name, command.name));
        let payload = envelope::command(Some(&command.wire), schema(&format!("{name}.request")));
        self.message(topic, &name, "command", &payload, &summary);
        let done = envelope::reply("succeeded", &["do", "query"], None, schema(&format!("{name}.reply")));
        self.message(REPLIES, &format!("{name}.succeeded"), "command", &done, "it is done");
        if !command.fails.is_empty() {
            let codes = envelope::codes(command.fails.iter().map(compact_str::CompactString::as_str));
            let message = json!({ "type": "object", "properties": { "message": { "type": "string" } } });
            let payload = envelope::reply("failed", &["do", "query"], Some(codes), message);
            self.message(REPLIES, &format!("{name}.failed"), "command", &payload, "a business no: nothing happened");
        }
        let general = ["retry-later", "pending", "undone", "undo-refused"].map(ToOwned::to_owned);
        let replies: Vec<String> =
            replies(&participant.name, &command.name, !command.fails.is_empty()).chain(general).collect();
        self.operation("send", topic, &name, Some((REPLIES, &replies)));
    }

    fn told(&mut self, participant: &crate::definition::Participant, message: &crate::definition::Command) {
        let (topic, name) = (&participant.commands_topic, format!("{}.{}", participant.name, message.name));
        let summary = message.docs.clone().unwrap_or_else(|| format!("tell {} {}", participant.name, message.name));
        let payload = envelope::message(&message.wire, schema(&format!("{name}.message")));
        self.message(topic, &name, "command", &payload, &summary);
        self.operation("send", topic, &name, None);
    }

    /// What somebody else writes, and a trigger reads.
    fn event(&mut self, trigger: &Trigger) {
        let (topic, name) = (&trigger.topic, format!("{}.event", trigger.name));
        self.channel(topic, Some(topic), "events of others, of which triggers take those that are theirs");
        let starts = trigger.start.iter().map(|aim| format!("starts {}", aim.saga));
        let signals = trigger.signal.iter().map(|(aim, signal)| format!("signals {}.{signal}", aim.saga));
        let does = starts.chain(signals).collect::<Vec<_>>().join(" and ");
        let those = if trigger.filter.is_some() { ", where the trigger's condition holds" } else { "" };
        let summary = trigger.docs.clone().unwrap_or_else(|| does.clone());
        let key = json!({ "type": "string", "description": "any: events of one key are dealt with in their order" });
        let mut message = json!({
            "name": name,
            "summary": summary,
            "description": format!("{does}{those}"),
            "payload": schema(&name),
            "bindings": keyed(&key),
        });
        // Both clauses may mean one instance, or the second another than the first.
        let aims = trigger.start.iter().chain(trigger.signal.iter().map(|(aim, _)| aim));
        let mut fields: Vec<Option<String>> = aims.map(|aim| aim.identified_by().map(pointer)).collect();
        fields.dedup();
        if let ([Some(field)], Some(message)) = (fields.as_slice(), message.as_object_mut()) {
            let correlation = json!({
                "description": "what the id of the instance is made of",
                "location": format!("$message.payload#{field}"),
            });
            message.insert("correlationId".to_owned(), correlation);
        }
        self.described(topic, &name, message);
        self.operation("receive", topic, &name, None);
    }
}

/// How Kafka has the key of a record.
fn keyed(key: &Value) -> Value {
    json!({ "kafka": { "key": key, "bindingVersion": "0.5.0" } })
}

/// A way into JSON, as RFC 6901 writes it.
fn pointer(way: &[PathSegment]) -> String {
    let part = |segment: &PathSegment| match segment {
        PathSegment::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        PathSegment::Element(index) => format!("/{index}"),
    };
    way.iter().map(part).collect()
}

/// The names of the replies that are a command's own.
fn replies(participant: &str, command: &str, can_fail: bool) -> impl Iterator<Item = String> {
    let ends = ["succeeded", "failed"].into_iter().filter(move |end| can_fail || *end != "failed");
    let name = format!("{participant}.{command}");
    ends.map(move |end| format!("{name}.{end}"))
}

/// The payload of an order: its own fields, and who gives it and why.
fn order(fields: Value, required: &[&str]) -> Value {
    let mut properties = json!({ "by": { "type": "string" }, "reason": { "type": "string" } });
    if let (Some(properties), Value::Object(fields)) = (properties.as_object_mut(), fields) {
        properties.extend(fields);
    }
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// How a signal is named. One of a saga that is run in a loop has the index of its run: any.
fn addressed(name: &str) -> Value {
    if !name.contains('[') {
        return json!({ "type": "string", "const": name });
    }
    let pattern = name.replace('.', "\\.").replace("[1]", "\\[[1-9][0-9]*\\]");
    json!({ "type": "string", "pattern": format!("^{pattern}$"), "examples": [name] })
}
