//! Commands as an orchestrator writes them, for tests.

use std::sync::Arc;

use saga::engine::Status;
use saga::json::Json;
use saga::time::Timestamp;
use saga::wire::{self, CloudEvent, Message, attribute};

/// The time at which tests happen.
pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// A command of the instance `instance`, due in ten seconds.
pub(crate) fn command(instance: &str, kind: &str, call: &str, payload: &str) -> CloudEvent<'static> {
    let id = format!("{instance}/1/reserve/1");
    let (deadline, keep) = (NOW.0 + 10_000, NOW.0 + 3_610_000);
    let attributes = [
        (attribute::TYPE, attribute::COMMAND_TYPE.to_owned()),
        (attribute::ID, format!("{id}/{kind}/1")),
        (attribute::INSTANCE, instance.to_owned()),
        (attribute::SAGA, "booking".to_owned()),
        (attribute::STEP, "reserve".to_owned()),
        (attribute::COMMAND, id),
        (attribute::CALL, call.to_owned()),
        (attribute::KIND, kind.to_owned()),
        (attribute::ATTEMPT, "1".to_owned()),
        (attribute::REPLY_TO, "saga.replies".to_owned()),
        (attribute::REPLY_PARTITION, "3".to_owned()),
        (attribute::DEADLINE, deadline.to_string()),
        (attribute::KEEP_UNTIL, keep.to_string()),
        (attribute::RECORD, "3/1042".to_owned()),
    ];
    let mut event = CloudEvent::default();
    event.key = Arc::from(instance);
    event.data = Some(Json::parse(payload).unwrap());
    for (name, value) in attributes {
        event.set(name, value);
    }
    event
}

/// The command with another value of an attribute.
pub(crate) fn with(mut event: CloudEvent<'static>, name: &str, value: &str) -> CloudEvent<'static> {
    event.set(name, value.to_owned());
    event
}

/// A reply in short: its status, its code and its payload.
pub(crate) fn shown(message: &Message) -> String {
    answered(&CloudEvent::read(message).expect("an event"))
}

/// The same of one that is not written yet.
pub(crate) fn answered(reply: &CloudEvent<'_>) -> String {
    let reply = wire::read_reply(reply).expect("a reply");
    let payload = reply.payload.map(|payload| format!(" {payload}")).unwrap_or_default();
    match reply.status {
        Status::Succeeded => format!("succeeded{payload}"),
        Status::Failed { code, .. } => format!("failed {code}"),
        Status::Retry { code } => format!("retry {}", code.unwrap_or_default()),
        Status::Pending => "pending".to_owned(),
        Status::UnknownCommand => "unknown-command".to_owned(),
    }
}
