//! Messages: each belongs to a record that counts, and none is missing.

use crate::engine::{Command, Effect, Refusal, caused, pending};
use crate::journal::Live;
use crate::journal::record::{Body, Cause};
use crate::log::{Append, partition_of};
use crate::wire::{self, CloudEvent, Envelope, Message, RecordId, attribute};

use super::inputs::whose;
use super::{Holds, Judge, Key, violated};

pub(in crate::simulation) const FORWARDED: &str = "saga-forwarded";

impl Judge {
    /// A message is handed over.
    pub(in crate::simulation) fn sends(&mut self, append: &Append) -> Holds {
        let Some((record, key)) = justification(&append.message) else {
            return violated("a sent effect belongs to a counting record", "it names none");
        };
        let offset = record.offset;
        let ours = u32::try_from(record.partition) == Ok(self.partition);
        let counts =
            usize::try_from(offset).ok().and_then(|at| self.records.get(at)).is_some_and(|(_, counts)| *counts);
        if !ours || !counts || !self.calls_for(offset, &key, is_message(&append.message)) {
            return violated("a sent effect belongs to a counting record", format!("{record}: {key:?}"));
        }
        let is_right = || append.partition == Some(partition_of(&whose(&append.message), self.partitions));
        if key.0 == "forward" && !is_right() {
            return violated("an input is forwarded to its right partition", format!("{record}: {key:?}"));
        }
        Ok(())
    }

    /// Whether a record calls for a message. What the log said of a one-way message while its instance was parked is not
    /// heard, so that it is sent again for a later record.
    fn calls_for(&self, offset: u64, key: &Key, is_message: bool) -> bool {
        let from = if is_message { 0 } else { offset };
        self.effects.range(from..=offset).any(|(_, keys)| keys.contains(key))
    }

    /// A one-way message is done only when the log has it, and not before that can be told.
    pub(super) fn is_in_the_log(&self, cause: Cause) -> Holds {
        let Cause::Acknowledged(offset) = cause else { return Ok(()) };
        if self.landed.iter().any(|(at, (kind, _))| *at == offset && *kind == "command") {
            return Ok(());
        }
        violated("a message is done when the log has acknowledged it", format!("{offset}"))
    }

    /// It has landed.
    pub(in crate::simulation) fn lands(&mut self, offset: u64, key: Key) {
        self.landed.insert((offset, key));
    }

    /// The log refused it for good.
    pub(in crate::simulation) fn refuses(&mut self, message: &Message) {
        if let Some((record, key)) = justification(message) {
            self.refused.insert((record.offset, key));
        }
    }

    /// What a recovery would not repeat has been sent, or its instance knows better.
    pub(super) fn all_sent_before(&mut self, before: u64) -> Holds {
        let from = self.sent_checked;
        for (offset, keys) in self.effects.range(from..before.max(from)) {
            for key in keys {
                let place = (*offset, key.clone());
                if self.landed.contains(&place) || !self.is_awaited(key) {
                    continue;
                }
                // An answer has nobody to be told; a command's instance has.
                if !self.refused.contains(&place) {
                    return violated("what recovery would not repeat has been sent", format!("{offset}: {key:?}"));
                }
                if key.0 == "command" && !self.is_told(*offset, key) {
                    return violated("what the log refused for good is told", format!("{offset}: {key:?}"));
                }
            }
        }
        self.sent_checked = self.sent_checked.max(before);
        Ok(())
    }

    /// Whether a command's instance was told that the log refused it, or is parked and will notice by its timer.
    fn is_told(&self, offset: u64, (_, id): &Key) -> bool {
        let told = |body: &Body| matches!(body, Body::Change { cause: Cause::Undeliverable(at), .. } if *at == offset);
        let parked = |body: &Body| matches!(body, Body::Park { instance, .. } if id.starts_with(instance.as_str()));
        self.counting_records().any(|record| told(&record.body) || parked(&record.body))
    }

    /// Commands that nobody waits for need not be sent; all else does.
    fn is_awaited(&self, (kind, id): &Key) -> bool {
        *kind != "command"
            || self.truth.all_live().any(|live| {
                pending(&live.plan, &live.instance).iter().any(|effect| match effect {
                    Effect::Command(command) => *id == command_key(command),
                    Effect::Answer(_) => false,
                })
            })
    }
}

/// The messages that a record calls for.
pub(super) fn keys(partition: u32, offset: u64, body: &Body, live: Option<&Live>) -> Vec<Key> {
    let record = RecordId { partition: i32::try_from(partition).unwrap_or(i32::MAX), offset };
    let mut keys = Vec::new();
    if let (Body::Change { change, .. }, Some(live)) = (body, live) {
        for effect in caused(&live.plan, &live.instance, change) {
            keys.push(match &effect {
                Effect::Command(command) => ("command", command_key(command)),
                Effect::Answer(answer) => key(&wire::answer(answer, &live.instance.id, record)),
            });
        }
    }
    match body {
        Body::Reject { tell, rejection, instance: Some(instance), .. } if rejection.code != Refusal::Unreadable => {
            keys.extend(tell.iter().map(|to| key(&wire::rejection(to, instance, rejection, record))));
        }
        Body::Reject { raw: Some(raw), .. } => keys.push(("dead", key(&raw.to_message()).1)),
        Body::Bar { tell: Some(to), rejection, instance, .. } => {
            keys.push(key(&wire::rejection(to, instance, rejection, record)));
        }
        Body::Forward { message, .. } => keys.push(("forward", key(&message.to_message()).1)),
        _ => {}
    }
    keys
}

fn command_key(command: &Command) -> String {
    let record = RecordId { partition: 0, offset: 0 };
    let envelope = Envelope { saga: "", reply_topic: "saga.replies", reply_partition: 0, record };
    key(&wire::command(command, &envelope)).1
}

fn key(message: &Message) -> Key {
    key_of(&CloudEvent::read(message).unwrap_or_default())
}

fn key_of(event: &CloudEvent<'_>) -> Key {
    let id = event.get(attribute::ID).unwrap_or("none").to_owned();
    let kind = match event.get(attribute::TYPE) {
        Some(attribute::COMMAND_TYPE) => "command",
        Some(attribute::ANSWER_TYPE) => "answer",
        _ => "dead",
    };
    (kind, id)
}

fn is_message(message: &Message) -> bool {
    CloudEvent::read(message).is_ok_and(|event| event.get(attribute::KIND) == Some("message"))
}

/// The record that a message says to belong to, and what it is; `None` if no orchestrator sent it.
pub(in crate::simulation) fn justification(message: &Message) -> Option<(RecordId, Key)> {
    // A copy has all headers of what it is a copy of.
    let last = |wanted: &str| message.headers.iter().rev().find(|(name, _)| *name == wanted);
    let event = CloudEvent::read(message).unwrap_or_default();
    let (kind, id) = key_of(&event);
    if message.header("saga-reason").is_some() {
        return Some((last("saga-record")?.1.parse().ok()?, ("dead", id)));
    }
    if let Some((_, forwarded)) = last(FORWARDED) {
        return Some((forwarded.parse().ok()?, ("forward", id)));
    }
    Some((event.get(attribute::RECORD)?.parse().ok()?, (kind, id)))
}
