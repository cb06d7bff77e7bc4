//! Participants with the guard of `docs/protocol.md`, whose work can be counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cast::Cast;
use super::load::{Rule, fraction, rule_for};
use super::values;
use crate::engine::{CommandId, ReplyKind, Status};
use crate::json::Json;
use crate::log::simulated::Random;
use crate::time::Timestamp;
use crate::wire::{self, About, CloudEvent, Message, ReceivedCommand};

/// The code of a compensation that is refused.
const NOT_NOW: &str = "not-now";

/// A fault in the guard, to show that the simulator catches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slip {
    /// No guard at all.
    NoGuard,
    /// An undo of what was never done leaves no row.
    NoBarAfterUndo,
    /// A refusal leaves no row.
    FailedForgotten,
    /// Rows are forgotten whenever it likes.
    RowsForgotten,
    /// What was done is forgotten past `keep_until`.
    DoneForgotten,
    /// A late command is done for all that.
    NoDeadline,
}

#[derive(Clone, Debug)]
enum Row {
    Done(Json),
    Failed(compact_str::CompactString),
    Undone,
}

/// What became of the work of one command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    /// How often it was done.
    pub(super) done: u32,
    /// How often it was taken back.
    pub(super) undone: u32,
}

/// `done 2 times, taken back 0 times`
impl std::fmt::Display for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "done {} times, taken back {} times", self.done, self.undone)
    }
}

/// All participants of a saga.
#[derive(Debug)]
pub struct Worker {
    cast: Arc<Cast>,
    slip: Option<Slip>,
    /// What became of commands, by the topic they were read from, and how long that is kept.
    rows: BTreeMap<(Arc<str>, CommandId), (Row, Timestamp)>,
    pub(super) work: BTreeMap<CommandId, Work>,
    /// Whether they still refuse and stumble.
    pub moody: bool,
    /// How many of a hundred commands are refused under a load, moody or not.
    pub(super) fails: Vec<Rule<f64>>,
}

impl Worker {
    /// Participants that have done nothing yet.
    #[must_use]
    pub fn new(cast: &Arc<Cast>, slip: Option<Slip>) -> Self {
        Self {
            cast: Arc::clone(cast),
            slip,
            rows: BTreeMap::new(),
            work: BTreeMap::new(),
            moody: true,
            fails: Vec::new(),
        }
    }

    /// Rows go that need not be kept.
    pub(super) fn forget(&mut self, now: Timestamp) {
        let slip = self.slip;
        let stays = |row: &Row| match row {
            Row::Done(_) => slip != Some(Slip::DoneForgotten),
            Row::Failed(_) => true,
            Row::Undone => false,
        };
        self.rows.retain(|_, (row, keep_until)| stays(row) || *keep_until >= now);
    }

    /// Does what a command says, and replies: what, and in which partition. To a message nobody says anything, and nobody
    /// reads what is no command.
    pub fn handle(
        &mut self,
        topic: &Arc<str>,
        message: &Message,
        now: Timestamp,
        random: &mut Random,
    ) -> Option<(Message, u32)> {
        let command = wire::read_command(&CloudEvent::read(message).ok()?).ok()?;
        if self.slip == Some(Slip::RowsForgotten) && random.chance(10) {
            self.rows.clear();
        }
        let (status, payload) = self.act(topic, &command, now, random);
        if command.is_message {
            return None;
        }
        let participant = self.cast.participants.get(topic).map_or("", |participant| participant.name.as_str());
        let about = About { participant, traceparent: None };
        let to = command.reply_partition.and_then(|partition| u32::try_from(partition).ok())?;
        Some((wire::reply(&command.reply(status, payload), &about), to))
    }

    fn act(
        &mut self,
        topic: &Arc<str>,
        command: &ReceivedCommand,
        now: Timestamp,
        random: &mut Random,
    ) -> (Status, Option<Json>) {
        let key = (Arc::clone(topic), command.id.clone());
        if let Some((_, keep_until)) = self.rows.get_mut(&key) {
            *keep_until = command.keep_until.max(*keep_until);
        }
        let row = self.rows.get(&key).map(|(row, _)| row.clone()).filter(|_| self.slip != Some(Slip::NoGuard));
        let failed = |code: compact_str::CompactString| (Status::Failed { code, message: None }, None);
        match (command.kind, row) {
            (ReplyKind::Query, None) => (Status::UnknownCommand, None),
            (ReplyKind::Do, None) if now > command.deadline && self.slip != Some(Slip::NoDeadline) => {
                (Status::Retry { code: Some("expired".into()) }, None)
            }
            (ReplyKind::Do, None) => {
                let contract = self.cast.contract(topic, &command.call);
                let codes = contract.map(|contract| contract.fails.as_slice()).unwrap_or_default();
                let name = self.cast.participants.get(topic).map_or("", |participant| participant.name.as_str());
                let refuses = !codes.is_empty()
                    && rule_for(&self.fails, &command.step, name)
                        .is_some_and(|percent| fraction(random) * 100.0 <= *percent);
                // A message that it stumbles at it would read again until it has taken it.
                match random.below(10) {
                    _ if command.is_message => {}
                    0 if self.moody => return (Status::Retry { code: None }, None),
                    roll if refuses || roll == 1 && self.moody && !codes.is_empty() => {
                        let chosen = if codes.len() == 1 { 0 } else { random.below(codes.len()) };
                        let code = codes.get(chosen).cloned().unwrap_or_default();
                        if self.slip != Some(Slip::FailedForgotten) {
                            self.rows.insert(key, (Row::Failed(code.clone()), command.keep_until));
                        }
                        return failed(code);
                    }
                    _ => {}
                }
                self.work.entry(command.id.clone()).or_default().done += 1;
                let reply = self.reply(topic, command, now, random);
                self.rows.insert(key, (Row::Done(reply.clone()), command.keep_until));
                (Status::Succeeded, Some(reply))
            }
            (ReplyKind::Do | ReplyKind::Query, Some(Row::Done(reply))) => (Status::Succeeded, Some(reply)),
            (ReplyKind::Do | ReplyKind::Query, Some(Row::Failed(code))) => failed(code),
            (ReplyKind::Do | ReplyKind::Query, Some(Row::Undone)) => failed("already-undone".into()),
            (ReplyKind::Undo, row) => {
                match random.below(12) {
                    0 if self.moody => return (Status::Retry { code: None }, None),
                    1 if self.moody => return failed(NOT_NOW.into()),
                    _ => {}
                }
                // Without a guard it takes back what it is told to, if there is anything.
                let work = self.work.get(&command.id).copied().unwrap_or_default();
                let is_there = self.slip == Some(Slip::NoGuard) && work.done > work.undone;
                if is_there || matches!(row, Some(Row::Done(_))) {
                    self.work.entry(command.id.clone()).or_default().undone += 1;
                }
                let bars = row.is_some() || self.slip != Some(Slip::NoBarAfterUndo);
                if bars {
                    let kept = self.rows.get(&key).map_or(command.keep_until, |(_, keep_until)| *keep_until);
                    self.rows.insert(key, (Row::Undone, kept));
                }
                (Status::Succeeded, Some(self.reply(topic, command, now, random)))
            }
        }
    }

    /// Some reply that fits.
    fn reply(&self, topic: &str, command: &ReceivedCommand, now: Timestamp, random: &mut Random) -> Json {
        let contract = self.cast.contract(topic, &command.call);
        contract.map_or_else(Json::empty_object, |contract| values::any(&contract.reply, now, random))
    }
}
