//! A participant in Rust: handlers by the name of their command, behind the guard.
//!
//! It takes a command's message and gives the reply's message; how they travel is a front's business. Handlers run in
//! the transaction in which the guard's row is written; work that cannot be in it (a card network) is registered by
//! [`Participant::outside`].

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use compact_str::CompactString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::guard::{self, Ask, State, Verdict, code};
use super::store::{Claim, Row, Store, Transaction};
use crate::engine::Status;
use crate::json::Json;
use crate::time::Timestamp;
use crate::wire::{self, About, CloudEvent, ReceivedCommand, WireError};

/// How long a `done` or `failed` row outlives its `keep_until`. Its saga may wait for a person for weeks and then take it
/// back, and an undo that finds no row takes nothing back. Or the orchestrator may be down for longer than the row is
/// kept and repeat the command before it reads that it `failed`: done then, nobody would take it back.
const KEEP_ANSWERS: Duration = Duration::from_hours(400 * 24);

/// What a handler is called with.
#[derive(Debug)]
pub struct Call<'a> {
    /// The command.
    pub command: &'a ReceivedCommand,
}

impl Call<'_> {
    /// The request.
    ///
    /// # Errors
    /// It does not fit the type: refused with the code `unfit-request`.
    pub fn request<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_str(self.command.payload.get()).map_err(|error| Refusal::Failed {
            code: CompactString::const_new(code::UNFIT_REQUEST),
            message: Some(format!("{} cannot read its request: {error}", self.command.call)),
        })
    }

    /// The command's id as text: the key under which work outside the database is recognised when it is repeated.
    #[must_use]
    pub fn key(&self) -> CompactString {
        self.command.id.to_text()
    }
}

/// Why a handler does not do it. Either way nothing that it wrote stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A business no, for good.
    Failed {
        /// One of the codes that the contract declares.
        code: CompactString,
        /// For people.
        message: Option<String>,
    },
    /// A passing fault: it may work later.
    Retry {
        /// For people.
        code: CompactString,
    },
}

impl Refusal {
    /// A business no.
    #[must_use]
    pub fn failed(code: &str) -> Self {
        Self::Failed { code: CompactString::from(code), message: None }
    }

    /// A passing fault.
    #[must_use]
    pub fn retry(code: &str) -> Self {
        Self::Retry { code: CompactString::from(code) }
    }
}

/// A database that does not answer is a passing fault.
impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        tracing::warn!(%error, "a handler's statement failed; its command is answered `retry`");
        Self::retry(code::STORE)
    }
}

type Work<S> = Box<dyn for<'s> Fn(&<S as Store>::Transaction<'s>, &Call<'_>) -> Result<Json, Refusal> + Send + Sync>;
type Undo<S> =
    Box<dyn for<'s> Fn(&<S as Store>::Transaction<'s>, &Call<'_>, Option<&Json>) -> Result<(), Refusal> + Send + Sync>;
type Outside = Box<dyn Fn(&Call<'_>) -> Result<Json, Refusal> + Send + Sync>;

enum Handler<S: Store> {
    Work(Work<S>),
    Undo(Undo<S>),
    Outside(Outside),
}

/// A participant.
pub struct Participant<S: Store> {
    name: CompactString,
    store: Mutex<S>,
    handlers: BTreeMap<CompactString, Handler<S>>,
    /// Work outside transactions that this process is doing, so that [`Participant::resume`] leaves it alone.
    outside: Mutex<BTreeSet<CompactString>>,
}

impl<S: Store> Participant<S> {
    /// A participant without commands, named as in the definition.
    pub fn new(name: &str, store: S) -> Self {
        Self {
            name: CompactString::from(name),
            store: Mutex::new(store),
            handlers: BTreeMap::new(),
            outside: Mutex::default(),
        }
    }

    /// Does a command in the guard's own transaction; gives its reply.
    #[must_use]
    pub fn command<F, R>(mut self, name: &str, work: F) -> Self
    where
        F: for<'s> Fn(&S::Transaction<'s>, &Call<'_>) -> Result<R, Refusal> + Send + Sync + 'static,
        R: Serialize,
    {
        let work: Work<S> = Box::new(move |transaction, call| work(transaction, call).and_then(|reply| encode(&reply)));
        self.handlers.insert(CompactString::from(name), Handler::Work(work));
        self
    }

    /// Takes a command back. It is given the reply of the work that it takes back, since the saga may not have seen
    /// it; none where the compensation is a work of its own and its request says what is meant.
    #[must_use]
    pub fn undo<F>(mut self, name: &str, undo: F) -> Self
    where
        F: for<'s> Fn(&S::Transaction<'s>, &Call<'_>, Option<&Json>) -> Result<(), Refusal> + Send + Sync + 'static,
    {
        self.handlers.insert(CompactString::from(name), Handler::Undo(Box::new(undo)));
        self
    }

    /// Does a command that no transaction can hold. Its begin is committed first; the work must recognise
    /// [`Call::key`], since it is called again after a crash ([`Participant::resume`]).
    #[must_use]
    pub fn outside<F, R>(mut self, name: &str, work: F) -> Self
    where
        F: Fn(&Call<'_>) -> Result<R, Refusal> + Send + Sync + 'static,
        R: Serialize,
    {
        let work: Outside = Box::new(move |call| work(call).and_then(|reply| encode(&reply)));
        self.handlers.insert(CompactString::from(name), Handler::Outside(work));
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Answers a command. Blocks for as long as the handler and the database do.
    ///
    /// # Errors
    /// The event is no command that can be read: there is nobody to answer.
    pub fn handle(&self, event: &CloudEvent<'_>, now: Timestamp) -> Result<CloudEvent<'static>, WireError> {
        let command = wire::read_command(event)?;
        let answer = self.answer(event, &command, now).unwrap_or_else(|fault| {
            tracing::warn!(command = %command.id, error = %fault, "the store failed; the command is answered `retry`");
            Answer::retry(code::STORE)
        });
        Ok(self.reply(&command, answer))
    }

    /// Ends the work outside transactions that a crash or a passing fault interrupted, and tells each command's reply. What
    /// still cannot be done, or told, stays for the next call, and so does work whose handler panics. To be called at every start and now and then.
    ///
    /// Nobody asks behind a `pending`: so the row says that it is done only once the reply is told. A process that dies
    /// between the two does the work again by the same key, and tells its reply again, which changes nothing.
    ///
    /// # Errors
    /// The database does not answer.
    pub fn resume(&self, mut tell: impl FnMut(&CloudEvent<'_>, CloudEvent<'static>) -> Told) -> Result<(), S::Error> {
        let begun = self.lock().doing()?;
        for (id, row) in begun {
            let begun = row.reply.as_deref().map(|text| CloudEvent::parse(text.as_bytes()));
            let Some(Ok(event)) = begun else {
                tracing::error!(command = %id, "a row of the guard that is `doing` does not hold its command");
                continue;
            };
            let Ok(command) = wire::read_command(&event) else { continue };
            let Some(_running) = Running::begin(&self.outside, &id) else { continue };
            let Some(Handler::Outside(work)) = self.handlers.get(&command.call) else {
                tracing::error!(command = %id, call = %command.call, "nobody does this command any more");
                continue;
            };
            // One that panics each time holds up none behind it.
            let outcome = catch_unwind(AssertUnwindSafe(|| work(&Call { command: &command })));
            let outcome = outcome.unwrap_or_else(|_| Err(Refusal::retry(code::PANICKED)));
            let answer = match (self.ended(&id)?, &outcome) {
                (Some(answer), _) => answer,
                (None, Ok(reply)) => Answer::succeeded(reply.clone()),
                (None, Err(Refusal::Failed { code, message })) => Answer::failed(code, message.clone()),
                (None, Err(Refusal::Retry { code })) => {
                    not_yet(&command, code);
                    continue;
                }
            };
            match tell(&event, self.reply(&command, answer)) {
                Told::Yes => drop(self.end_outside(outcome, &command)?),
                Told::NotNow => {}
                Told::Stop => break,
            }
        }
        Ok(())
    }

    /// Removes guard rows that no delivery can ask for any more; returns how many. To be called now and then.
    ///
    /// # Errors
    /// The database does not answer.
    pub fn purge(&self, now: Timestamp) -> Result<usize, S::Error> {
        self.lock().purge(now, KEEP_ANSWERS)
    }

    /// A handler that panicked has left nothing: its transaction was dropped.
    fn lock(&self) -> MutexGuard<'_, S> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reply(&self, command: &ReceivedCommand, answer: Answer) -> CloudEvent<'static> {
        let about = About { participant: &self.name, traceparent: command.traceparent.as_deref() };
        wire::reply_event(&command.reply(answer.status, answer.payload), &about).into_owned()
    }

    fn answer(&self, event: &CloudEvent<'_>, command: &ReceivedCommand, now: Timestamp) -> Result<Answer, S::Error> {
        let id = command.id.to_text();
        let ask = Ask::of(command.kind, command.deadline, now);
        let mut store = self.lock();
        let transaction = store.begin()?;
        let is_new = ask.claims() && transaction.claim(&id, command.keep_until)? == Claim::New;
        let known = if is_new { None } else { transaction.find(&id)? };
        let open = Open { transaction, id: &id, keep_until: command.keep_until };
        let call = Call { command };
        let reply = known.as_ref().and_then(|row| row.reply.as_deref());
        match guard::verdict(ask, known.as_ref().map(|row| row.state)) {
            Verdict::Work => match self.handlers.get(&command.call) {
                Some(Handler::Work(work)) => {
                    open.transaction.mark()?;
                    let outcome = work(&open.transaction, &call);
                    open.end(outcome, State::Done)
                }
                Some(Handler::Undo(undo)) => {
                    open.transaction.mark()?;
                    let outcome = undo(&open.transaction, &call, None).map(|()| Json::empty_object());
                    open.end(outcome, State::Done)
                }
                Some(Handler::Outside(work)) => {
                    let Ok(text) = String::from_utf8(event.write().payload.into_vec()) else {
                        return Ok(Answer::retry(code::STORE));
                    };
                    let running = Running::begin(&self.outside, &id);
                    open.commit(State::Doing, Some(text))?;
                    drop(store);
                    let answer = self.end_outside(work(&call), command);
                    drop(running);
                    answer
                }
                None => Ok(Answer::retry(code::UNKNOWN_CALL)),
            },
            Verdict::Compensate => match self.handlers.get(&command.call) {
                Some(Handler::Undo(undo)) => {
                    let done = reply.and_then(|text| Json::parse(text).ok());
                    let outcome = undo(&open.transaction, &call, done.as_ref()).map(|()| Json::empty_object());
                    open.end_undo(outcome)
                }
                Some(Handler::Work(work)) => {
                    let outcome = work(&open.transaction, &call);
                    open.end_undo(outcome)
                }
                Some(Handler::Outside(_)) | None => Ok(Answer::retry(code::UNKNOWN_CALL)),
            },
            Verdict::Forbid => {
                open.commit(State::Undone, Some("{}".to_owned()))?;
                Ok(Answer::succeeded(Json::empty_object()))
            }
            Verdict::UndoneBefore => {
                let answer = Answer::kept(State::Done, reply);
                open.keep(known)?;
                Ok(answer)
            }
            Verdict::SameReply => {
                let state = known.as_ref().map_or(State::Failed, |row| row.state);
                let answer = Answer::kept(state, reply);
                open.keep(known)?;
                Ok(answer)
            }
            Verdict::Pending => {
                open.keep(known)?;
                Ok(Answer { status: Status::Pending, payload: None })
            }
            Verdict::UndoLater => Ok(Answer::retry(code::STILL_DOING)),
            Verdict::AlreadyUndone => {
                open.keep(known)?;
                Ok(Answer::failed(code::ALREADY_UNDONE, None))
            }
            Verdict::Expired => Ok(Answer::retry(code::EXPIRED)),
            Verdict::UnknownCommand => Ok(Answer { status: Status::UnknownCommand, payload: None }),
        }
    }

    /// The row is `doing` and committed; no lock is held while the world is asked. So another process may take the work up
    /// too ([`Participant::resume`]) and end it, and it may have been taken back since: what the row says then, stands.
    fn end_outside(&self, outcome: Result<Json, Refusal>, command: &ReceivedCommand) -> Result<Answer, S::Error> {
        let id = command.id.to_text();
        let mut store = self.lock();
        let open = Open { transaction: store.begin()?, id: &id, keep_until: command.keep_until };
        if let Some(answer) = ended(open.transaction.find(&id)?) {
            return Ok(answer);
        }
        match outcome {
            Ok(reply) => {
                open.commit(State::Done, Some(reply.get().to_owned()))?;
                Ok(Answer::succeeded(reply))
            }
            Err(Refusal::Failed { code, message }) => {
                open.commit(State::Failed, Some(Kept { code: code.clone(), message: message.clone() }.to_text()))?;
                Ok(Answer::failed(&code, message))
            }
            // Whether it worked is unknown, so it stays `doing`: nothing else may begin under this id.
            Err(Refusal::Retry { code }) => {
                not_yet(command, &code);
                Ok(Answer { status: Status::Pending, payload: None })
            }
        }
    }

    /// The answer of a row that is not `doing` any more.
    fn ended(&self, id: &str) -> Result<Option<Answer>, S::Error> {
        Ok(ended(self.lock().begin()?.find(id)?))
    }
}

/// Whether a late reply is where it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Or it never will be: its topic refuses it for good.
    Yes,
    /// Not now: to be told again.
    NotNow,
    /// The same, and nothing else is to be taken up: the process ends, or has other things to do.
    Stop,
}

fn not_yet(command: &ReceivedCommand, code: &str) {
    tracing::warn!(command = %command.id, %code, "work outside the database is not done yet; it is taken up again");
}

fn ended(row: Option<Row>) -> Option<Answer> {
    let row = row.filter(|row| row.state != State::Doing)?;
    Some(match row.state {
        State::Undone => Answer::failed(code::ALREADY_UNDONE, None),
        State::Doing | State::Done | State::Failed => Answer::kept(row.state, row.reply.as_deref()),
    })
}

/// Work outside transactions, while this process does it.
struct Running<'a> {
    all: &'a Mutex<BTreeSet<CompactString>>,
    id: CompactString,
}

impl<'a> Running<'a> {
    /// None if it is being done already.
    fn begin(all: &'a Mutex<BTreeSet<CompactString>>, id: &str) -> Option<Self> {
        let id = CompactString::from(id);
        let is_new = all.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
        is_new.then_some(Self { all, id })
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// The transaction of one delivery.
struct Open<'a, T> {
    transaction: T,
    id: &'a str,
    keep_until: Timestamp,
}

impl<T: Transaction> Open<'_, T> {
    fn commit(self, state: State, reply: Option<String>) -> Result<(), T::Error> {
        self.transaction.settle(self.id, &Row { state, reply, keep_until: self.keep_until })?;
        self.transaction.commit()
    }

    /// The row as it is, kept as long as this attempt asks for.
    fn keep(self, known: Option<Row>) -> Result<(), T::Error> {
        match known {
            Some(row) if row.keep_until < self.keep_until => self.commit(row.state, row.reply),
            Some(_) | None => Ok(()),
        }
    }

    /// After the work: a refusal leaves nothing but its row, a passing fault not even that.
    fn end(self, outcome: Result<Json, Refusal>, state: State) -> Result<Answer, T::Error> {
        match outcome {
            Ok(reply) => {
                self.commit(state, Some(reply.get().to_owned()))?;
                Ok(Answer::succeeded(reply))
            }
            Err(Refusal::Failed { code, message }) => {
                self.transaction.back()?;
                self.commit(State::Failed, Some(Kept { code: code.clone(), message: message.clone() }.to_text()))?;
                Ok(Answer::failed(&code, message))
            }
            Err(Refusal::Retry { code }) => Ok(Answer::retry(&code)),
        }
    }

    /// After a compensation: refused, the work stays done and a person has to look.
    fn end_undo(self, outcome: Result<Json, Refusal>) -> Result<Answer, T::Error> {
        match outcome {
            Ok(reply) => {
                self.commit(State::Undone, Some(reply.get().to_owned()))?;
                Ok(Answer::succeeded(reply))
            }
            Err(Refusal::Failed { code, message }) => Ok(Answer::failed(&code, message)),
            Err(Refusal::Retry { code }) => Ok(Answer::retry(&code)),
        }
    }
}

/// What a delivery is answered.
struct Answer {
    status: Status,
    payload: Option<Json>,
}

impl Answer {
    const fn succeeded(payload: Json) -> Self {
        Self { status: Status::Succeeded, payload: Some(payload) }
    }

    fn failed(code: &str, message: Option<String>) -> Self {
        Self { status: Status::Failed { code: CompactString::from(code), message }, payload: None }
    }

    fn retry(code: &str) -> Self {
        Self { status: Status::Retry { code: Some(CompactString::from(code)) }, payload: None }
    }

    /// As it was answered before.
    fn kept(state: State, reply: Option<&str>) -> Self {
        let text = reply.unwrap_or("{}");
        match state {
            State::Failed => match serde_json::from_str(text) {
                Ok(Kept { code, message }) => Self::failed(&code, message),
                Err(_) => Self::retry(code::STORE),
            },
            State::Doing | State::Done | State::Undone => {
                Json::parse(text).map_or_else(|_| Self::retry(code::STORE), Self::succeeded)
            }
        }
    }
}

/// A refusal in the column `reply`.
#[derive(Serialize, Deserialize)]
struct Kept {
    code: CompactString,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl Kept {
    fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a struct of text serializes")
    }
}

/// A reply that is not JSON, or too large, is a defect of the participant: nothing of it stays, and it is seen.
fn encode(reply: &impl Serialize) -> Result<Json, Refusal> {
    let text = serde_json::to_string(reply).map_err(|error| {
        tracing::error!(%error, "a handler's reply cannot be written as JSON");
        Refusal::retry("unwritable-reply")
    })?;
    Json::parse(text).map_err(|error| {
        tracing::error!(%error, "a handler's reply cannot be sent");
        Refusal::retry("unwritable-reply")
    })
}
