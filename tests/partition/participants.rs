//! A participant with the guard of `docs/protocol.md`, whose work can be counted.

use std::collections::BTreeMap;

use saga::engine::{CommandId, ReplyKind, Status};
use saga::json::Json;
use saga::log::simulated::Random;
use saga::time::Timestamp;
use saga::wire::{self, About, Message, ReceivedCommand};

/// A fault in the guard, to show that the simulator catches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slip {
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Done,
    Failed,
    Undone,
}

/// What became of the work of one command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// How often it was done.
    pub(crate) done: u32,
    /// How often it was taken back.
    pub(crate) undone: u32,
}

#[derive(Debug)]
pub(crate) struct Worker {
    slip: Option<Slip>,
    /// What became of commands, and how long that is kept.
    rows: BTreeMap<CommandId, (Row, Timestamp)>,
    pub(crate) work: BTreeMap<CommandId, Work>,
    /// Whether it still refuses and stumbles.
    pub(crate) moody: bool,
}

impl Worker {
    pub(crate) fn new(slip: Option<Slip>) -> Self {
        Self { slip, rows: BTreeMap::new(), work: BTreeMap::new(), moody: true }
    }

    /// Rows go that need not be kept.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        let slip = self.slip;
        let stays = |row: Row| match row {
            Row::Done => slip != Some(Slip::DoneForgotten),
            Row::Failed => true,
            Row::Undone => false,
        };
        self.rows.retain(|_, (row, keep_until)| stays(*row) || *keep_until >= now);
    }

    /// Does what a command says, and replies: what, and in which partition. To a message it says nothing.
    pub(crate) fn handle(&mut self, message: &Message, now: Timestamp, random: &mut Random) -> Option<(Message, u32)> {
        let command = wire::read_command(message).unwrap();
        if self.slip == Some(Slip::RowsForgotten) && random.chance(10) {
            self.rows.clear();
        }
        let status = self.act(&command, now, random);
        if command.is_message {
            return None;
        }
        let payload = matches!(status, Status::Succeeded).then(Json::empty_object);
        let about = About { participant: "worker", saga: &command.saga, traceparent: None };
        let to = command.reply_partition.and_then(|partition| u32::try_from(partition).ok()).unwrap();
        Some((wire::reply(&command.reply(status, payload), &about), to))
    }

    fn act(&mut self, command: &ReceivedCommand, now: Timestamp, random: &mut Random) -> Status {
        let id = &command.id;
        if let Some((_, keep_until)) = self.rows.get_mut(id) {
            *keep_until = command.keep_until.max(*keep_until);
        }
        let row = self.rows.get(id).map(|(row, _)| *row).filter(|_| self.slip != Some(Slip::NoGuard));
        let undone = || Status::Failed { code: "already-undone".into(), message: None };
        match (command.kind, row) {
            (ReplyKind::Query, None) => Status::UnknownCommand,
            (ReplyKind::Do, None) if now > command.deadline && self.slip != Some(Slip::NoDeadline) => {
                Status::Retry { code: Some("expired".into()) }
            }
            (ReplyKind::Do, None) => {
                let may_fail = command.step != "r";
                // A message that it stumbles at it would read again until it has taken it.
                match random.below(10) {
                    _ if command.is_message => self.done(command),
                    0 if self.moody => Status::Retry { code: None },
                    1 if self.moody && may_fail => {
                        if self.slip != Some(Slip::FailedForgotten) {
                            self.rows.insert(id.clone(), (Row::Failed, command.keep_until));
                        }
                        Status::Failed { code: "no".into(), message: None }
                    }
                    _ => self.done(command),
                }
            }
            (ReplyKind::Do | ReplyKind::Query, Some(Row::Done)) => Status::Succeeded,
            (ReplyKind::Do | ReplyKind::Query, Some(Row::Failed)) => {
                Status::Failed { code: "no".into(), message: None }
            }
            (ReplyKind::Do | ReplyKind::Query, Some(Row::Undone)) => undone(),
            (ReplyKind::Undo, row) => {
                if row == Some(Row::Done) {
                    self.work.entry(id.clone()).or_default().undone += 1;
                }
                let bars = row.is_some() || self.slip != Some(Slip::NoBarAfterUndo);
                if bars {
                    self.rows.insert(id.clone(), (Row::Undone, command.keep_until));
                }
                Status::Succeeded
            }
        }
    }

    fn done(&mut self, command: &ReceivedCommand) -> Status {
        self.work.entry(command.id.clone()).or_default().done += 1;
        self.rows.insert(command.id.clone(), (Row::Done, command.keep_until));
        Status::Succeeded
    }
}
