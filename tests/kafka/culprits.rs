//! Participants that break a rule each, on a guard in memory that was written by `docs/participants.md` alone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::SystemTime;

use saga::json::Json;
use saga::participant::kafka::{Addressed, Answer, Place};
use saga::wire::{CloudEvent, Message};
use serde_json::{Value, json};

/// What is wrong with a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    /// It does what it is told, every time.
    NoGuard,
    /// The same, with replies that never differ.
    NoGuardAndConstantReplies,
    IgnoresReplyPartition,
    IgnoresReplyTopic,
    RepliesAsFirstAttempt,
    RepliesWithoutKind,
    RepliesWithoutType,
    RepliesInAnotherShape,
    FailsWithAnUndeclaredCode,
    CutsIdsAtSpaces,
    DropsIdsBeyondAscii,
    NeedsOptionalAttributes,
    HasASmallBuffer,
    MakesUpAReplyForRepeats,
    RefusesUndo,
    RefusesSecondUndo,
    ForgetsUndone,
    RefusesUndoWithoutRow,
    LeavesNoRowOfEarlyUndo,
    IgnoresDeadlines,
    RemembersExpired,
    ExpiresRepeats,
    ExpiresUndo,
    PurgesDone,
    PurgesFailed,
    FailsUnknownQueries,
    ClaimsForQueries,
    ForgetsForQueries,
    AnswersQueriesOfUndoneAsDone,
    ForgetsRefusals,
    RefusesUndoOfRefused,
    GoesByTheInstance,
    WorksAgainAndRepliesTheSame,
    WorksPastTheDeadline,
    DoesUnknownCalls,
    TakesAnyRequest,
    LeavesRowsOfUnknownCalls,
    GuessesMissingAttributes,
    TakesTheLastOfTwo,
    DiesOfGarbage,
    DiesOfMessages,
    DiesOfLargePayloads,
    Silent,
    LeavesSomeUnanswered,
    StaysPending,
    DropsRepeats,
    CutsKeysOff,
    LeavesNoRowOfLateUndo,
    ExpiresUndone,
    /// No rule is broken by it.
    AnswersByAnotherKey,
    /// The same.
    EndsTraces,
    /// No bug: it takes each command on first, and then answers.
    PendingFirst,
    /// The same, and it does what it is told every time.
    PendingFirstWithoutGuard,
    /// No bug: now and then its database is locked.
    RetriesNowAndThen,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Done,
    Failed,
    Undone,
}

struct Row {
    state: State,
    reply: Value,
    keep_until: u64,
}

pub(super) struct Culprit {
    bug: Option<Bug>,
    rows: BTreeMap<String, Row>,
    /// Rooms that are held, in a file.
    rooms: i64,
    books: PathBuf,
    calls: u32,
    is_dead: bool,
    came: u32,
    /// Tells processes of one participant apart.
    number: u32,
}

/// Status, code, payload.
type Said = (&'static str, Option<String>, Value);

fn failed(code: &str) -> Said {
    ("failed", Some(code.to_owned()), Value::Null)
}

fn retry(code: &str) -> Said {
    ("retry", Some(code.to_owned()), Value::Null)
}

impl Culprit {
    pub(super) fn new(bug: Option<Bug>, books: PathBuf, number: u32) -> Self {
        let culprit = Self { bug, rows: BTreeMap::new(), rooms: 0, books, calls: 0, is_dead: false, came: 0, number };
        culprit.write_books();
        culprit
    }

    fn is(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn write_books(&self) {
        std::fs::write(&self.books, self.rooms.to_string()).unwrap();
    }

    fn book(&mut self, rooms: i64) {
        self.rooms += rooms;
        self.write_books();
    }

    /// Holds a room, or not.
    fn work(&mut self, command: &str, request: &Value) -> Said {
        let is_fit = request["hotel"].is_string() && request["nights"].is_i64();
        if !is_fit && !self.is(Bug::TakesAnyRequest) {
            return failed("unfit-request");
        }
        if request["hotel"] == "Full" {
            return failed(if self.is(Bug::FailsWithAnUndeclaredCode) { "full-up" } else { "sold_out" });
        }
        self.book(1);
        self.calls += 1;
        let hold = if self.is(Bug::NoGuardAndConstantReplies) {
            json!("held")
        } else if self.is(Bug::RepliesInAnotherShape) {
            json!(self.calls)
        } else {
            json!(format!("{command} {} {}", self.number, self.calls))
        };
        ("succeeded", None, json!({ "hold": hold }))
    }

    fn guarded(&mut self, command: &str, kind: &str, late: bool, keep_until: u64, request: &Value) -> Said {
        if self.is(Bug::NoGuard) || self.is(Bug::NoGuardAndConstantReplies) || self.is(Bug::PendingFirstWithoutGuard) {
            return match kind {
                "do" => self.work(command, request),
                "undo" => {
                    self.book(-1);
                    ("succeeded", None, json!({}))
                }
                _ => ("succeeded", None, json!({ "hold": "held" })),
            };
        }
        for (bug, state) in [(Bug::PurgesDone, State::Done), (Bug::PurgesFailed, State::Failed)] {
            if self.is(bug) {
                self.rows.retain(|_, row| row.state != state || row.keep_until > now());
            }
        }
        let known = self.rows.get(command).map(|row| (row.state, row.reply.clone()));
        let kept = |state: State, reply: &Value| match state {
            State::Failed => failed(reply.as_str().unwrap()),
            State::Done | State::Undone => ("succeeded", None, reply.clone()),
        };
        match (kind, known) {
            ("do", _) if self.is(Bug::StaysPending) => ("pending", None, Value::Null),
            ("do", None) => {
                if late && !self.is(Bug::IgnoresDeadlines) {
                    if self.is(Bug::WorksPastTheDeadline) {
                        self.book(1);
                    }
                    if self.is(Bug::RemembersExpired) {
                        self.settle(command, State::Failed, json!("sold_out"), keep_until);
                    }
                    return retry("expired");
                }
                let said = self.work(command, request);
                match &said {
                    ("succeeded", _, reply) => self.settle(command, State::Done, reply.clone(), keep_until),
                    (_, Some(code), _) if !self.is(Bug::ForgetsRefusals) => {
                        self.settle(command, State::Failed, json!(code), keep_until);
                    }
                    _ => {}
                }
                said
            }
            ("do", Some((State::Undone, _))) if self.is(Bug::ForgetsUndone) => self.work(command, request),
            ("do" | "query", Some((State::Undone, reply)))
                if kind == "query" && self.is(Bug::AnswersQueriesOfUndoneAsDone) =>
            {
                ("succeeded", None, json!({ "hold": reply.to_string() }))
            }
            ("do", Some((State::Undone, _))) if late && self.is(Bug::ExpiresUndone) => retry("expired"),
            ("do" | "query", Some((State::Undone, _))) => failed("already-undone"),
            ("do", Some(_)) if late && self.is(Bug::ExpiresRepeats) => retry("expired"),
            ("do", Some((State::Done, _))) if self.is(Bug::MakesUpAReplyForRepeats) => {
                self.calls += 1;
                ("succeeded", None, json!({ "hold": format!("again {}", self.calls) }))
            }
            ("query", Some(_)) if self.is(Bug::ForgetsForQueries) => ("unknown-command", None, Value::Null),
            ("do", Some(_)) if self.is(Bug::DropsRepeats) => ("", None, Value::Null),
            ("do" | "query", Some((state, reply))) => {
                if kind == "do" && state == State::Done && self.is(Bug::WorksAgainAndRepliesTheSame) {
                    self.book(1);
                }
                kept(state, &reply)
            }
            ("undo", known) => {
                if late && self.is(Bug::ExpiresUndo) {
                    return retry("expired");
                }
                match known {
                    Some((State::Undone, _)) if self.is(Bug::RefusesSecondUndo) => return failed("unknown-hold"),
                    Some((State::Failed, _)) if self.is(Bug::RefusesUndoOfRefused) => return failed("unknown-hold"),
                    None if self.is(Bug::RefusesUndoWithoutRow) => return failed("unknown-hold"),
                    None if late && self.is(Bug::LeavesNoRowOfLateUndo) => return ("succeeded", None, json!({})),
                    None if self.is(Bug::LeavesNoRowOfEarlyUndo) => return ("succeeded", None, json!({})),
                    Some((State::Done, _)) if self.is(Bug::RefusesUndo) => return failed("not-today"),
                    Some((State::Done, _)) => self.book(-1),
                    Some((State::Failed | State::Undone, _)) | None => {}
                }
                self.settle(command, State::Undone, json!({}), keep_until);
                ("succeeded", None, json!({}))
            }
            (_, None) => {
                if self.is(Bug::ClaimsForQueries) {
                    self.settle(command, State::Undone, json!({}), keep_until);
                }
                if self.is(Bug::FailsUnknownQueries) {
                    return failed("sold_out");
                }
                ("unknown-command", None, Value::Null)
            }
            (_, Some(_)) => retry("unknown-kind"),
        }
    }

    fn settle(&mut self, command: &str, state: State, reply: Value, keep_until: u64) {
        self.rows.insert(command.to_owned(), Row { state, reply, keep_until });
    }

    /// What it makes of a message; nothing if it cannot be read.
    fn read_and_do(&mut self, message: &CloudEvent<'_>, is_locked: bool) -> Option<(String, String, String, Said)> {
        let guesses = self.is(Bug::GuessesMissingAttributes);
        let told = |name: &str, guess: &str| {
            let value = message.get(name).map(str::to_owned);
            value.or_else(|| guesses.then(|| guess.to_owned())).filter(|value| !value.is_empty())
        };
        if message.get("type") != Some("saga.command.v1") && !guesses {
            return None;
        }
        let (command, kind) = (told("command", "unknown")?, told("kind", "do")?);
        let (attempt, call) = (told("attempt", "1")?, told("call", "ReserveRoom")?);
        if kind == "message" {
            self.is_dead |= self.is(Bug::DiesOfMessages);
            return None;
        }
        let deadline: u64 = told("deadline", "9999999999999")?.parse().ok()?;
        let keep_until: u64 = told("keepuntil", "9999999999999")?.parse().ok()?;
        if !matches!(&*kind, "do" | "undo" | "query") || attempt.parse::<u32>().is_err() {
            return None;
        }
        if self.is(Bug::DropsIdsBeyondAscii) && !command.is_ascii() {
            return None;
        }
        if self.is(Bug::NeedsOptionalAttributes) {
            message.get("record")?;
        }
        let data = message.data.as_ref().map_or("{}", Json::get);
        if data.len() > 1 << 16 && self.is(Bug::HasASmallBuffer) {
            return None;
        }
        let request: Value = serde_json::from_str(data).unwrap_or_default();
        let said = match (&*kind, &*call) {
            _ if is_locked => retry("locked"),
            ("do", "ReserveRoom") | ("undo" | "query", _) => {
                let key = if self.is(Bug::GoesByTheInstance) { message.get("instance")? } else { &command };
                let cut = key.char_indices().nth(200).filter(|_| self.is(Bug::CutsKeysOff));
                let key = cut.map_or(key, |(end, _)| key.get(..end).unwrap_or(key));
                self.guarded(key, &kind, deadline < now(), keep_until, &request)
            }
            _ if self.is(Bug::DoesUnknownCalls) => ("succeeded", None, json!({})),
            _ => {
                if self.is(Bug::LeavesRowsOfUnknownCalls) {
                    self.settle(&command, State::Failed, json!("unknown-call"), keep_until);
                }
                retry("unknown-call")
            }
        };
        Some((command, kind, attempt, said))
    }
}

impl Answer for Culprit {
    fn answer(&mut self, message: &Message, _: Place<'_>) -> Vec<Addressed> {
        if self.is_dead || self.is(Bug::Silent) {
            return Vec::new();
        }
        self.came += 1;
        if self.is(Bug::LeavesSomeUnanswered) && self.came.is_multiple_of(3) {
            return Vec::new();
        }
        let last = if self.is(Bug::TakesTheLastOfTwo) { last_of_two(message) } else { None };
        let Ok(event) = CloudEvent::read(last.as_ref().unwrap_or(message)) else {
            let is_large = message.payload.len() > 1 << 20;
            let is_garbage = serde_json::from_slice::<Value>(&message.payload).is_err();
            self.is_dead = is_large && self.is(Bug::DiesOfLargePayloads) || is_garbage && self.is(Bug::DiesOfGarbage);
            return Vec::new();
        };
        let is_locked = self.is(Bug::RetriesNowAndThen) && self.came.is_multiple_of(3);
        let Some((command, kind, attempt, (status, code, payload))) = self.read_and_do(&event, is_locked) else {
            return Vec::new();
        };
        if status.is_empty() {
            return Vec::new();
        }
        let command = match command.split_once(' ') {
            Some((cut, _)) if self.is(Bug::CutsIdsAtSpaces) => cut.to_owned(),
            _ => command,
        };
        let attempt = if self.is(Bug::RepliesAsFirstAttempt) { "1".to_owned() } else { attempt };
        let mut reply = json!({ "command": command, "attempt": attempt, "status": status, "data": payload });
        let mut say = |name: &str, value: &str| reply[name] = json!(value);
        if !self.is(Bug::RepliesWithoutKind) {
            say("kind", &kind);
        }
        if !self.is(Bug::RepliesWithoutType) {
            say("type", "saga.reply.v1");
        }
        if let Some(code) = &code {
            say("code", code);
        }
        let mut replies = vec![reply];
        if (self.is(Bug::PendingFirst) || self.is(Bug::PendingFirstWithoutGuard)) && status != "retry" {
            let pending = json!({ "type": "saga.reply.v1", "command": command, "kind": kind, "attempt": attempt, "status": "pending" });
            replies.insert(0, pending);
        }
        let written = |mut reply: Value| {
            if let Some(traceparent) = event.get("traceparent").filter(|_| !self.is(Bug::EndsTraces)) {
                reply["traceparent"] = json!(traceparent);
            }
            let payload = reply.to_string().into_bytes().into();
            let key = if self.is(Bug::AnswersByAnotherKey) { command.as_str().into() } else { message.key.clone() };
            Addressed::reply_to(&event, Message { key, payload, ..Message::default() })
        };
        let mut addressed: Vec<Addressed> = replies.into_iter().filter_map(written).collect();
        for reply in &mut addressed {
            if self.is(Bug::IgnoresReplyPartition) {
                reply.partition = None;
            }
            if self.is(Bug::IgnoresReplyTopic) {
                // That of the deployment, whose name it has in its settings.
                reply.topic = reply.topic.replace(".probe", ".replies");
            }
        }
        addressed
    }
}

/// As a reader that takes the last of two members of one name would have it.
fn last_of_two(message: &Message) -> Option<Message> {
    let read: Value = serde_json::from_slice(&message.payload).ok()?;
    Some(Message { payload: read.to_string().into_bytes().into(), ..message.clone() })
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}
