//! Commands as an orchestrator writes them, for tests.

use std::sync::Arc;

use saga::engine::Status;
use saga::time::Timestamp;
use saga::wire::{self, Message, header};

/// The time at which tests happen.
pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// A command of the instance `instance`, due in ten seconds.
pub(crate) fn command(instance: &str, kind: &str, call: &str, payload: &str) -> Message {
    let id = format!("{instance}/1/reserve/1");
    let (deadline, keep) = (NOW.0 + 10_000, NOW.0 + 3_610_000);
    let headers = [
        (header::TYPE, header::COMMAND_TYPE.to_owned()),
        (header::ID, format!("{id}/{kind}/1")),
        (header::INSTANCE, instance.to_owned()),
        (header::NAME, "booking".to_owned()),
        (header::STEP, "reserve".to_owned()),
        (header::COMMAND, id),
        (header::CALL, call.to_owned()),
        (header::KIND, kind.to_owned()),
        (header::ATTEMPT, "1".to_owned()),
        (header::REPLY_TO, "saga.replies".to_owned()),
        (header::REPLY_PARTITION, "3".to_owned()),
        (header::DEADLINE, deadline.to_string()),
        (header::KEEP_UNTIL, keep.to_string()),
        (header::RECORD, "3/1042".to_owned()),
    ];
    Message {
        key: Arc::from(instance),
        headers: headers.iter().map(|(name, value)| (*name, value.as_str())).collect(),
        payload: Box::from(payload.as_bytes()),
    }
}

/// The message with another value of a header.
pub(crate) fn with(mut message: Message, name: &str, value: &str) -> Message {
    message.headers.remove(name);
    message.headers.push(name, value);
    message
}

/// A reply in short: its status, its code and its payload.
pub(crate) fn shown(message: &Message) -> String {
    let reply = wire::read_reply(message).expect("a reply");
    let payload = reply.payload.map(|payload| format!(" {payload}")).unwrap_or_default();
    match reply.status {
        Status::Succeeded => format!("succeeded{payload}"),
        Status::Failed { code, .. } => format!("failed {code}"),
        Status::Retry { code } => format!("retry {}", code.unwrap_or_default()),
        Status::Pending => "pending".to_owned(),
        Status::UnknownCommand => "unknown-command".to_owned(),
    }
}
