//! A participant with its guard, as what answers the messages of a topic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use compact_str::CompactString;

use super::{Addressed, Answer, POLL, Place};
use crate::engine::{CommandKind, Status};
use crate::participant::guard::code;
use crate::participant::service::{Participant, Told};
use crate::participant::store::Store;
use crate::runtime::{Flood, Line};
use crate::wire::{self, About, CloudEvent, Message, WireError, attribute};

/// How often work outside the database that was interrupted is taken up again.
const RESUME_EVERY: Duration = Duration::from_secs(10);

/// How often rows of the guard that nobody can ask for are removed.
const PURGE_EVERY: Duration = Duration::from_mins(10);

/// How long a message that met a passing fault waits for the next try.
const TAKE_AGAIN: Duration = Duration::from_secs(2);

/// A participant with its guard.
pub(super) struct Guarded<'a, S: Store> {
    participant: &'a Participant<S>,
    stop: &'a AtomicBool,
    is_unfinished: bool,
    resumed: Option<Instant>,
    purged: Instant,
    /// What cannot be read.
    passed_over: Flood,
}

impl<'a, S: Store> Guarded<'a, S> {
    pub(super) fn new(participant: &'a Participant<S>, stop: &'a AtomicBool) -> Self {
        let (purged, passed_over) = (Instant::now(), Flood::default());
        Self { participant, stop, is_unfinished: false, resumed: None, purged, passed_over }
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self) {
        say_more(self.passed_over.sum());
    }
}

impl<S: Store> Answer for Guarded<'_, S> {
    fn answer(&mut self, message: &Message, place: Place<'_>) -> Vec<Addressed> {
        let event = match CloudEvent::read(message) {
            Ok(event) => event,
            Err(error) => {
                self.pass_over(&error, place);
                return Vec::new();
            }
        };
        if event.get(attribute::KIND) == Some(CommandKind::Message.as_str()) {
            self.take(&event, place);
            return Vec::new();
        }
        // A handler that panics has left nothing: its transaction was dropped.
        let handled = catch_unwind(AssertUnwindSafe(|| self.participant.handle(&event, crate::participant::now())));
        let reply = match handled {
            Ok(Ok(reply)) => Some(reply.write()),
            Ok(Err(error)) => {
                self.pass_over(&error, place);
                None
            }
            Err(_) => {
                tracing::error!("a handler panicked; nothing of its work stays, and its command is answered `retry`");
                wire::read_command(&event).ok().map(|command| {
                    let status = Status::Retry { code: Some(CompactString::const_new(code::PANICKED)) };
                    let about =
                        About { participant: self.participant.name(), traceparent: command.traceparent.as_deref() };
                    wire::reply(&command.reply(status, None), &about)
                })
            }
        };
        let Some(reply) = reply else { return Vec::new() };
        let addressed = Addressed::reply_to(&event, reply);
        if addressed.is_none() {
            let Place { topic, partition, offset } = place;
            let command = event.get(attribute::COMMAND).unwrap_or_default();
            tracing::error!(
                topic,
                partition,
                offset,
                command,
                "a command names no topic for its reply, which nobody hears"
            );
        }
        addressed.into_iter().collect()
    }

    fn is_unfinished(&self) -> bool {
        self.is_unfinished
    }

    fn upkeep(&mut self) -> Vec<Addressed> {
        say_more(self.passed_over.sum_if_over(Instant::now()));
        if self.purged.elapsed() >= PURGE_EVERY {
            self.purged = Instant::now();
            match self.participant.purge(crate::participant::now()) {
                Ok(rows) => tracing::debug!(rows, "rows of the guard removed"),
                Err(error) => tracing::warn!(%error, "the guard's old rows cannot be removed for now"),
            }
        }
        Vec::new()
    }

    fn resume(&mut self, tell: &mut dyn FnMut(Addressed) -> Told) {
        if self.resumed.is_some_and(|resumed| resumed.elapsed() < RESUME_EVERY) {
            return;
        }
        self.resumed = Some(Instant::now());
        let tell = |command: &CloudEvent<'_>, reply: CloudEvent<'_>| match Addressed::reply_to(command, reply.write()) {
            // Nobody said where it is to go.
            None => Told::Yes,
            Some(addressed) => tell(addressed),
        };
        match catch_unwind(AssertUnwindSafe(|| self.participant.resume(tell))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "interrupted work cannot be taken up for now"),
            Err(_) => tracing::error!("interrupted work panicked"),
        }
    }
}

impl<S: Store> Guarded<'_, S> {
    /// Takes a message that nobody answers and nobody repeats: while it meets a passing fault it is tried again, and
    /// what is behind it in the topic waits, as it does in front of any consumer whose database is away.
    fn take(&mut self, message: &CloudEvent<'_>, place: Place<'_>) {
        loop {
            let handled =
                catch_unwind(AssertUnwindSafe(|| self.participant.handle(message, crate::participant::now())));
            let reply = match handled {
                Ok(Ok(reply)) => reply,
                Ok(Err(error)) => {
                    self.pass_over(&error, place);
                    return;
                }
                Err(_) => {
                    tracing::error!("a handler panicked at a message, which is passed over; nothing of its work stays");
                    return;
                }
            };
            match (reply.get(attribute::STATUS), reply.get(attribute::CODE)) {
                (Some("retry"), Some(code::UNKNOWN_CALL)) => {
                    tracing::error!(key = %message.key, "nobody here takes this message, which is passed over");
                    return;
                }
                (Some("retry"), code) => {
                    let code = code.unwrap_or_default();
                    tracing::warn!(key = %message.key, code, "a message cannot be taken for now, and what is behind it waits");
                }
                (Some("failed"), code) => {
                    let code = code.unwrap_or_default();
                    tracing::warn!(key = %message.key, code, "a message was refused, which its saga never hears");
                    return;
                }
                (Some(_) | None, _) => return,
            }
            let until = Instant::now() + TAKE_AGAIN;
            while Instant::now() < until {
                if self.stop.load(Ordering::Relaxed) {
                    self.is_unfinished = true;
                    return;
                }
                std::thread::sleep(POLL);
            }
        }
    }

    fn pass_over(&mut self, error: &WireError, Place { topic, partition, offset }: Place<'_>) {
        if self.passed_over.take(Instant::now()) == Line::Said {
            tracing::warn!(topic, partition, offset, "a message is passed over: failed to {error}");
        }
    }
}

/// Sums up what no line was left for.
fn say_more(more: u64) {
    if more > 0 {
        tracing::warn!(more, "and more messages are passed over");
    }
}
