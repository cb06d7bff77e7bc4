//! The messages of a saga as its starter and its participants write them, for benchmarks without a library in between.

use saga::engine::{InstanceId, ReplyTo, RequestId, Start};
use saga::json::Json;
use saga::wire::attribute::REPLY_TYPE;
use saga::wire::{self, Ask, Message, Request};
use serde::Deserialize;

use crate::shape::{INPUT, REFUSAL, REPLY, SAGA};

/// As anybody would ask who wants to hear in that topic and partition how it ends.
pub(crate) fn request(key: &str, answers: &str, partition: u32) -> Message {
    let id = RequestId::try_from(key).expect("it is short");
    let reply_to =
        Some(ReplyTo { topic: answers.into(), partition: i32::try_from(partition).ok(), request: id.clone() });
    let start = Start { input: Json::parse(INPUT).expect("it is JSON"), reply_to, traceparent: None };
    let ask = Ask::Start { saga: SAGA.into(), start };
    let request = Request { id, instance: InstanceId::try_from(key).expect("it is short"), ask };
    wire::request(&request, "/bench")
}

/// What a participant looks at of a command.
#[derive(Deserialize)]
struct Asked<'a> {
    step: &'a str,
    command: &'a str,
    kind: &'a str,
    attempt: &'a str,
}

/// The reply to a command, as the libraries for participants write it: all is done but the step that is refused.
pub(crate) fn reply(command: &[u8], refused: Option<&str>) -> Box<[u8]> {
    let Asked { step, command, kind, attempt } = serde_json::from_slice(command).expect("commands are JSON");
    let is_refused = refused == Some(step) && kind == "do";
    let (status, code) =
        if is_refused { ("failed", format!(r#""code":"{REFUSAL}","#)) } else { ("succeeded", String::new()) };
    let data = if is_refused || kind == "undo" { "{}" } else { REPLY };
    let text = format!(
        r#"{{"specversion":"1.0","type":"{REPLY_TYPE}","id":"{command}/{kind}/{attempt}/{status}","source":"/participants/bench","command":"{command}","kind":"{kind}","attempt":"{attempt}","status":"{status}",{code}"data":{data}}}"#
    );
    text.into_bytes().into_boxed_slice()
}
