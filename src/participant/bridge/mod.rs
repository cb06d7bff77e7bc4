//! Bridges: from a command topic to a participant that reads no log, and back to the topic for replies.
//!
//! ```text
//!   (offset, command) -> serve -> ask: simulated | http | process -> Outgoing::Reply
//!                                                                    Outgoing::Handled, behind the replies it covers
//! ```
//!
//! A bridge answers for a participant that cannot: one that is down, slow or talks nonsense is a `retry` with a code
//! that says so, or a silence that the orchestrator's timeout ends. It never says `succeeded` or `failed` by itself.
//! A message, for whose answer nobody waits, it offers again until it is taken.

mod http;
mod messages;
mod process;
mod simulated;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use self::http::HttpEndpoint;
use self::messages::{Letter, WAITING_MAX};
use self::process::ProcessEndpoint;
use self::simulated::Simulated;
use super::address::Address;
use super::http::NoClient;
use crate::definition::{Command, Participant, Scenario};
use crate::engine::Status;
use crate::json::Json;
use crate::log::Topics;
use crate::runtime::{Ends, Lines};
use crate::time::{Timestamp, millis};
use crate::wire::{self, About, CloudEvent, Message, ReceivedCommand};

/// The most commands that one participant is asked at once over a bridge, and no more than its contract takes: as many as a
/// small service has threads. What waits, waits in the log.
pub const AT_ONCE_MAX: usize = 64;

/// The least and the longest time that an answer is waited for. Between them the command's deadline decides; the
/// bounds keep clocks that disagree from making every attempt fail, or any attempt hold its place for hours.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_mins(2);

/// What a bridge gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// A reply to be appended.
    Reply {
        /// The topic; without one that of the deployment.
        topic: Option<CompactString>,
        /// The partition; without one the key decides.
        partition: Option<i32>,
        /// What.
        message: Message,
    },
    /// All commands of a partition before `next` are handled: when the replies in front of this are acknowledged,
    /// that may be committed.
    Handled {
        /// Of the command topic.
        partition: i32,
        /// The offset behind the last one that is handled.
        next: u64,
    },
    /// Somebody waits until all in front of this is in the log, and committed.
    Settled(Settled),
}

/// Somebody who waits for that.
#[derive(Clone, Debug, Default)]
pub struct Settled(Arc<Notify>);

impl Settled {
    /// It is so.
    pub fn say(&self) {
        self.0.notify_one();
    }
}

impl PartialEq for Settled {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Settled {}

/// What commands of a saga are, by its name and theirs on the wire, which are all that a command says of its contract.
pub type Contracts = BTreeMap<(CompactString, CompactString), Arc<Command>>;

/// What a bridge has to know besides the address.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The contract; its name is told in replies, and simulated replies are made from it.
    pub participant: Arc<Participant>,
    /// In the place of that for sagas that have another one.
    pub contracts: Contracts,
    /// What a simulated participant departs in from the good path.
    pub scenario: Option<Arc<Scenario>>,
    /// Where an HTTP participant can post late replies.
    pub callback: Option<String>,
}

/// Why a bridge cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// No client for HTTP.
    #[error("set up HTTP for the participant {participant}: {source}")]
    Http {
        /// Whose.
        participant: CompactString,
        /// Why.
        source: NoClient,
    },
    /// No way to the commands.
    #[error("take the commands of the participant {participant}: {why}")]
    Log {
        /// Whose.
        participant: CompactString,
        /// Why.
        why: String,
    },
}

/// A way to one participant, shared by all partitions of its topic.
pub struct Bridge {
    participant: Arc<Participant>,
    /// Of the deployment whose commands it carries.
    topics: Topics,
    endpoint: Endpoint,
    at_once: Arc<Semaphore>,
    /// Places for messages that wait until they are taken.
    waiting: Arc<Semaphore>,
    /// Messages that nobody can read.
    passed_over: Lines,
    out: mpsc::Sender<Outgoing>,
}

#[derive(Clone)]
enum Endpoint {
    Simulated(Arc<Simulated>),
    Http(Arc<HttpEndpoint>),
    Process(Arc<ProcessEndpoint>),
}

/// What a participant says to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    status: Status,
    payload: Option<Json>,
}

impl Answer {
    fn retry(code: &str) -> Self {
        Self { status: Status::Retry { code: Some(CompactString::from(code)) }, payload: None }
    }
}

impl Bridge {
    /// Opens the way. A process is started at once; an HTTP participant is first asked when there is a command.
    ///
    /// # Errors
    /// HTTP cannot be set up. A participant that is down is no error: its commands are answered `retry`.
    pub fn open(
        address: &Address,
        settings: Settings,
        topics: &Topics,
        out: mpsc::Sender<Outgoing>,
    ) -> Result<Self, BridgeError> {
        let participant = Arc::clone(&settings.participant);
        let endpoint = match address {
            Address::Simulated => {
                let Settings { participant, contracts, scenario, callback: _ } = settings;
                Endpoint::Simulated(Arc::new(Simulated { participant, contracts, scenario }))
            }
            Address::Http(url) => {
                let endpoint = HttpEndpoint::new(url.clone(), settings.callback)
                    .map_err(|source| BridgeError::Http { participant: participant.name.clone(), source })?;
                Endpoint::Http(Arc::new(endpoint))
            }
            Address::Process { program, arguments } => {
                let endpoint = ProcessEndpoint::start(&participant.name, program, arguments, out.clone());
                Endpoint::Process(Arc::new(endpoint))
            }
        };
        // Behind a process that died, what it had not committed is asked again, and orchestrators do not count that.
        let at_once = Arc::new(Semaphore::new(AT_ONCE_MAX.min(participant.at_once().unwrap_or(usize::MAX))));
        let waiting = Arc::new(Semaphore::new(WAITING_MAX));
        let whose = Arc::clone(&participant);
        let passed_over = Lines::new(Handle::current(), move |more| {
            let Participant { name: participant, commands_topic: topic, .. } = &*whose;
            tracing::warn!(%participant, %topic, more, "and more messages are passed over");
        });
        Ok(Self { participant, topics: topics.clone(), endpoint, at_once, waiting, passed_over, out })
    }

    /// Carries one partition's commands until their channel is closed, or it ends, or the other end of the outgoing one is
    /// closed. What is under way is then ended; what waits is not begun any more, but where the channel was closed. Offsets rise.
    pub async fn serve(&self, partition: i32, mut commands: mpsc::Receiver<(u64, Message)>, mut ends: Ends) {
        let mut handled = Handled::default();
        let mut under_way = JoinSet::new();
        // The next one, until there is a place for it.
        let mut first: Option<Waiting> = None;
        // Dropped with the channel: messages that nobody takes are not offered any longer, and come again.
        let (open, closed) = watch::channel(());
        let mut open = Some(open);
        while open.is_some() || first.is_some() || !under_way.is_empty() {
            tokio::select! {
                biased;
                () = ends.come(), if open.is_some() || first.is_some() => {
                    commands.close();
                    (open, first) = (None, None);
                }
                ended = under_way.join_next(), if !under_way.is_empty() => {
                    let next = match ended {
                        Some(Ok(Some(offset))) => handled.end(offset),
                        // It has answered nothing, which is a silence, and is not handled: it comes again.
                        Some(Err(panic)) => {
                            tracing::error!(participant = %self.participant.name, error = %panic, "a bridge panicked");
                            None
                        }
                        Some(Ok(None)) | None => None,
                    };
                    if !self.say_handled(partition, next).await {
                        return;
                    }
                }
                place = place(first.as_ref()), if first.is_some() => {
                    if let Some(waiting) = first.take() {
                        self.begin(waiting, place, &closed, &mut under_way);
                    }
                }
                next = commands.recv(), if open.is_some() && first.is_none() => match next {
                    None => open = None,
                    Some((offset, message)) => {
                        handled.begin(offset);
                        first = self.read((partition, offset), &message).await;
                        if first.is_none() && !self.say_handled(partition, handled.end(offset)).await {
                            return;
                        }
                    }
                },
            }
        }
    }

    /// Until all that was said before is in the log, and committed.
    pub(super) async fn settle(&self) {
        let settled = Settled::default();
        if self.out.send(Outgoing::Settled(settled.clone())).await.is_ok() {
            settled.0.notified().await;
        }
    }

    /// Lets a child process end, at once if it has no time. What it has in flight is answered by nobody; the orchestrator asks
    /// again.
    pub async fn close(self, has_time: bool) {
        self.passed_over.end();
        if let Endpoint::Process(endpoint) = &self.endpoint {
            endpoint.close(has_time).await;
        }
    }

    async fn say_handled(&self, partition: i32, next: Option<u64>) -> bool {
        match next {
            Some(next) => self.out.send(Outgoing::Handled { partition, next }).await.is_ok(),
            None => true,
        }
    }

    /// What is to be carried; nothing, if it is dealt with already.
    async fn read(&self, (partition, offset): (i32, u64), message: &Message) -> Option<Waiting> {
        let read = CloudEvent::read(message).and_then(|event| Ok((wire::read_command(&event)?, event.into_owned())));
        let (command, event) = match read {
            Ok(read) => read,
            Err(error) => {
                if self.passed_over.takes() {
                    let Participant { name: participant, commands_topic: topic, .. } = &*self.participant;
                    let key = &message.key;
                    tracing::warn!(
                        %participant, %topic, partition, offset, %key, "a message is passed over: failed to {error}"
                    );
                }
                return None;
            }
        };
        // Deployments share topics of commands. Another's are carried there, if nobody reads them.
        if command.reply_topic.as_deref().is_some_and(|topic| self.topics.is_for_others(topic)) {
            return None;
        }
        if let Endpoint::Simulated(simulated) = &self.endpoint {
            // A simulated participant takes note of a message, and keeps nothing.
            if let Some(answer) = simulated.answer(&command).filter(|_| !command.is_message) {
                send(&self.out, &self.participant.name, &command, answer).await;
            }
            return None;
        }
        let places = Arc::clone(if command.is_message { &self.waiting } else { &self.at_once });
        Some(Waiting { offset, event, command, places })
    }

    fn begin(
        &self,
        Waiting { offset, event, command, .. }: Waiting,
        place: Option<OwnedSemaphorePermit>,
        closed: &watch::Receiver<()>,
        under_way: &mut JoinSet<Option<u64>>,
    ) {
        let (out, name, endpoint) = (self.out.clone(), self.participant.name.clone(), self.endpoint.clone());
        if command.is_message {
            let (at_once, closed) = (Arc::clone(&self.at_once), closed.clone());
            let letter = Letter { participant: name, endpoint, at_once, closed };
            under_way.spawn(async move {
                let taken = letter.deliver(event, &command).await;
                drop(place);
                taken.then_some(offset)
            });
            return;
        }
        under_way.spawn(async move {
            let answer = endpoint.ask(event, &command).await;
            drop(place);
            if let Some(answer) = answer {
                send(&out, &name, &command, answer).await;
            }
            Some(offset)
        });
    }
}

/// A command that waits for a place.
struct Waiting {
    offset: u64,
    event: CloudEvent<'static>,
    command: ReceivedCommand,
    /// Of which there may be a shortage.
    places: Arc<Semaphore>,
}

/// A place for it, once one is free; nobody closes them.
async fn place(waiting: Option<&Waiting>) -> Option<OwnedSemaphorePermit> {
    Arc::clone(&waiting?.places).acquire_owned().await.ok()
}

impl Endpoint {
    /// What the participant says; none if it stays silent.
    async fn ask(&self, event: CloudEvent<'static>, command: &ReceivedCommand) -> Option<Answer> {
        match self {
            Self::Simulated(simulated) => simulated.answer(command),
            Self::Http(endpoint) => Some(endpoint.ask(event, command).await),
            Self::Process(endpoint) => endpoint.ask(event, command).await,
        }
    }
}

/// A reply to a command goes where the command says.
async fn send(out: &mpsc::Sender<Outgoing>, participant: &str, command: &ReceivedCommand, answer: Answer) {
    let about = About { participant, traceparent: command.traceparent.as_deref() };
    let message = wire::reply(&command.reply(answer.status, answer.payload), &about);
    let topic = command.reply_topic.clone();
    // Nobody listens any more: the command stays unhandled and comes again.
    let _closed = out.send(Outgoing::Reply { topic, partition: command.reply_partition, message }).await;
}

/// How long the answer to a command is waited for.
fn patience(deadline: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(millis(deadline.since(now)).clamp(millis(WAIT_MIN), millis(WAIT_MAX)))
}

/// Up to where a partition's commands are handled, although they end in any order.
#[derive(Debug, Default)]
struct Handled {
    begun: BTreeSet<u64>,
    next: u64,
}

impl Handled {
    fn begin(&mut self, offset: u64) {
        self.begun.insert(offset);
        self.next = self.next.max(offset.saturating_add(1));
    }

    /// The new end of what is handled, if this command moved it.
    fn end(&mut self, offset: u64) -> Option<u64> {
        let was_first = self.begun.first() == Some(&offset);
        self.begun.remove(&offset);
        was_first.then(|| self.begun.first().copied().unwrap_or(self.next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handled_has_no_gaps() {
        let mut handled = Handled::default();
        for offset in [4, 5, 7] {
            handled.begin(offset);
        }
        assert_eq!(None, handled.end(5));
        assert_eq!(Some(7), handled.end(4));
        handled.begin(8);
        assert_eq!(None, handled.end(8));
        assert_eq!(Some(9), handled.end(7));
    }

    #[test]
    fn clocks_that_disagree_neither_fail_nor_hold_an_attempt() {
        let now = Timestamp(1_000_000);
        assert_eq!(WAIT_MIN, patience(Timestamp(0), now));
        assert_eq!(WAIT_MAX, patience(Timestamp::NEVER, now));
        assert_eq!(Duration::from_secs(10), patience(Timestamp(1_010_000), now));
    }
}
