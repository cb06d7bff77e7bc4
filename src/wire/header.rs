//! The one table of header names and of the words in `ce_type`. `docs/participants.md` explains each to people.

/// CloudEvents: the version of the envelope, `1.0`.
pub const SPEC_VERSION: &str = "ce_specversion";
/// CloudEvents: one of the four types below.
pub const TYPE: &str = "ce_type";
/// CloudEvents: tells repeats of this very message. A request's id.
pub const ID: &str = "ce_id";
/// CloudEvents: who wrote it.
pub const SOURCE: &str = "ce_source";
/// Always `application/json`.
pub const CONTENT_TYPE: &str = "content-type";
/// W3C trace context.
pub const TRACEPARENT: &str = "traceparent";
/// The saga's instance, which is the message's key too.
pub const INSTANCE: &str = "saga-instance";
/// The saga's name.
pub const NAME: &str = "saga-name";
/// The step's place.
pub const STEP: &str = "saga-step";
/// One id for do, undo, query and all attempts.
pub const COMMAND: &str = "saga-command";
/// The command's name in its participant's contract, as in `as "…"` if the contract says so: `ReserveTicket`.
pub const CALL: &str = "saga-call";
/// What is asked: of a participant `do`, `undo` or `query`; of the engine `start`, `signal`, `cancel`, `retry` or `resolve`.
pub const KIND: &str = "saga-kind";
/// 1, 2, 3 …
pub const ATTEMPT: &str = "saga-attempt";
/// The topic for the reply or answer.
pub const REPLY_TO: &str = "saga-reply-to";
/// Its partition.
pub const REPLY_PARTITION: &str = "saga-reply-partition";
/// After it nobody waits: milliseconds since 1970, UTC.
pub const DEADLINE: &str = "saga-deadline";
/// The guard keeps its row so long: milliseconds since 1970, UTC.
pub const KEEP_UNTIL: &str = "saga-keep-until";
/// Partition and offset of the journal record that justifies the message: `3/1042`.
pub const RECORD: &str = "saga-record";
/// How it went.
pub const STATUS: &str = "saga-status";
/// Why it did not.
pub const CODE: &str = "saga-code";
/// The id of the request that is answered.
pub const REQUEST: &str = "saga-request";
/// Where a late reply can be posted, over HTTP: the address of the orchestrator.
pub const CALLBACK: &str = "saga-callback";

/// All of them, in the order of the documentation.
pub const ALL: [&str; 22] = [
    SPEC_VERSION,
    TYPE,
    ID,
    SOURCE,
    CONTENT_TYPE,
    TRACEPARENT,
    INSTANCE,
    NAME,
    STEP,
    COMMAND,
    CALL,
    KIND,
    ATTEMPT,
    REPLY_TO,
    REPLY_PARTITION,
    DEADLINE,
    KEEP_UNTIL,
    RECORD,
    STATUS,
    CODE,
    REQUEST,
    CALLBACK,
];

/// `ce_type` of a command to a participant.
pub const COMMAND_TYPE: &str = "saga.command.v1";
/// `ce_type` of a participant's reply.
pub const REPLY_TYPE: &str = "saga.reply.v1";
/// `ce_type` of a request to the engine.
pub const REQUEST_TYPE: &str = "saga.request.v1";
/// `ce_type` of the engine's answer to whoever made a request.
pub const ANSWER_TYPE: &str = "saga.answer.v1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_and_told_once() {
        for name in ALL {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-' || byte == b'_'), "{name}");
            assert_eq!(1, ALL.iter().filter(|other| **other == name).count(), "{name}");
        }
    }
}
