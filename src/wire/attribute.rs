//! The one table of attributes and of the words in `type`. `docs/participants.md` explains each to people.
//!
//! CloudEvents has names of small letters and digits alone, and whole numbers of 32 bits: so all values are text.

/// CloudEvents: the version of the envelope, `1.0`.
pub const SPEC_VERSION: &str = "specversion";
/// CloudEvents: one of the four types below.
pub const TYPE: &str = "type";
/// CloudEvents: tells repeats of this very message. A request's id.
pub const ID: &str = "id";
/// CloudEvents: who wrote it.
pub const SOURCE: &str = "source";
/// W3C trace context.
pub const TRACEPARENT: &str = "traceparent";
/// The saga's instance, which is the message's key too.
pub const INSTANCE: &str = "instance";
/// The saga's name.
pub const SAGA: &str = "saga";
/// The step's place.
pub const STEP: &str = "step";
/// One id for do, undo, query and all attempts.
pub const COMMAND: &str = "command";
/// The command's name in its participant's contract, as in `as "…"` if the contract says so: `ReserveTicket`.
pub const CALL: &str = "call";
/// What is asked: of a participant `do`, `undo` or `query`; of the engine `start`, `signal`, `cancel`, `retry` or `resolve`.
pub const KIND: &str = "kind";
/// 1, 2, 3 …
pub const ATTEMPT: &str = "attempt";
/// The topic for the reply or answer.
pub const REPLY_TO: &str = "replyto";
/// Its partition.
pub const REPLY_PARTITION: &str = "replypartition";
/// After it nobody waits: milliseconds since 1970, UTC.
pub const DEADLINE: &str = "deadline";
/// The guard keeps its row so long: milliseconds since 1970, UTC.
pub const KEEP_UNTIL: &str = "keepuntil";
/// Partition and offset of the journal record that justifies the message: `3/1042`.
pub const RECORD: &str = "record";
/// How it went.
pub const STATUS: &str = "status";
/// Why it did not.
pub const CODE: &str = "code";
/// The id of the request that is answered.
pub const REQUEST: &str = "request";
/// Where a late reply can be posted, over HTTP: the address of the orchestrator.
pub const CALLBACK: &str = "callback";

/// All of them, in the order of the documentation.
pub const ALL: [&str; 21] = [
    SPEC_VERSION,
    TYPE,
    ID,
    SOURCE,
    TRACEPARENT,
    INSTANCE,
    SAGA,
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

/// Where in [`ALL`] an attribute stands.
pub(super) fn place(name: &str) -> Option<usize> {
    ALL.iter().position(|known| *known == name)
}

/// `specversion`: the version of CloudEvents that is spoken.
pub const VERSION: &str = "1.0";
/// `type` of a command to a participant.
pub const COMMAND_TYPE: &str = "saga.command.v1";
/// `type` of a participant's reply.
pub const REPLY_TYPE: &str = "saga.reply.v1";
/// `type` of a request to the engine.
pub const REQUEST_TYPE: &str = "saga.request.v1";
/// `type` of the engine's answer to whoever made a request.
pub const ANSWER_TYPE: &str = "saga.answer.v1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_and_told_once() {
        for name in ALL {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()), "{name}");
            assert_eq!(1, ALL.iter().filter(|other| **other == name).count(), "{name}");
        }
    }
}
