//! Carries commands from the log to participants that read no log, and their replies back.
//!
//! ```text
//!   topic of commands --reader--> Bridge::serve --> writer --> saga.replies
//!                                                      +-----> truncate: handled, and its replies are durable
//! ```
//!
//! A reply of which the log cannot say whether it has it is sent again: a broker may be away for longer than it tries.
//! What is handled is let go from the topic, so its start is where the next process goes on: a command is carried at
//! least once, and again after a crash in between. The journal keeps the history, not this topic.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::address::Address;
use super::bridge::{Bridge, BridgeError, Outgoing, Settings, Settled};
use crate::log::{Member, Outcome, Site, partition_of};
use crate::runtime::{Client, Ends, Handle, QUEUED_MAX, Taker, Taking};
use crate::wire::{CloudEvent, Message, attribute};

/// Replies on their way into the log, per participant: a group commit's worth.
const REPLIES_IN_FLIGHT_MAX: usize = 1_000;

/// How long behind its sending a reply is sent again at the earliest. A log that cannot say what became of it has tried
/// for longer by itself; only one that is closed, or full, says so at once.
const SEND_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// How long the last replies may take to be in the log: it has the same again behind that, with all else that is under way.
const WRITTEN_WITHIN: Duration = Duration::from_secs(2);

/// The carriers of all participants.
pub struct Carriers {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    bridges: Vec<Arc<Bridge>>,
}

impl Carriers {
    /// Opens a bridge to each participant and begins to carry.
    ///
    /// # Errors
    /// HTTP cannot be set up.
    pub fn open(log: &Arc<dyn Site>, participants: Vec<(Address, Settings)>) -> Result<Self, BridgeError> {
        let (stop, stopped) = watch::channel(false);
        let mut carriers = Self { stop, tasks: JoinSet::new(), bridges: Vec::new() };
        let (partitions, topics) = (log.partitions(), log.topics());
        for (address, settings) in participants {
            let topic: Arc<str> = Arc::from(settings.participant.commands_topic.as_str());
            let participant = settings.participant.name.clone();
            let (out, outgoing) = mpsc::channel(QUEUED_MAX);
            let bridge = Arc::new(Bridge::open(&address, settings, &topics, out)?);
            let (group, name) = (topics.group_of_bridges(&topic), address.member());
            let member = Member { group: &group, name: &name, stands_in: address == Address::Simulated };
            let taking = Taking::begin(log, &topic, member).map_err(|why| BridgeError::Log { participant, why })?;
            let writer = Writer {
                client: taking.client.clone(),
                topic: Arc::clone(&topic),
                replies: Arc::clone(&topics.replies),
                partitions,
            };
            carriers.tasks.spawn(writer.run(outgoing));
            let dead = Arc::clone(&topics.dead);
            let (log, handler, stopped) = (Arc::clone(log), Arc::clone(&bridge), stopped.clone());
            let taker = Taker { log, taking, topic, dead, handler, stopped };
            carriers.tasks.spawn(taker.run());
            carriers.bridges.push(bridge);
        }
        Ok(carriers)
    }

    /// Stops reading, waits for so long until what is under way is answered, or until there is no more time, and ends the
    /// participants' processes. What is not answered is asked again by whoever reads these commands next.
    pub async fn close(mut self, within: Duration, hurry: impl Future<Output = ()>) {
        self.stop.send_replace(true);
        // The writers end when the bridges go, which the readers' and servers' ends leave to us alone.
        let bridges = std::mem::take(&mut self.bridges);
        let finished = async {
            while bridges.iter().any(|bridge| Arc::strong_count(bridge) > 1) {
                if self.tasks.join_next().await.is_none() {
                    break;
                }
            }
        };
        let is_finished = tokio::select! {
            finished = timeout(within, finished) => finished.is_ok(),
            () = hurry => false,
        };
        if !is_finished {
            tracing::warn!(
                "participants have not answered everything: it is asked again by who carries commands to them next"
            );
            self.tasks.abort_all();
            while self.tasks.join_next().await.is_some() {}
        }
        for bridge in bridges.into_iter().filter_map(Arc::into_inner) {
            bridge.close(is_finished).await;
        }
        // The last replies.
        drop(timeout(WRITTEN_WITHIN, async { while self.tasks.join_next().await.is_some() {} }).await);
    }
}

impl Handle for Bridge {
    async fn handle(&self, partition: u32, commands: mpsc::Receiver<(u64, Message)>, ends: Ends) {
        self.serve(i32::try_from(partition).unwrap_or(i32::MAX), commands, ends).await;
        self.settle().await;
    }
}

/// Writes the replies of one participant.
struct Writer {
    client: Client,
    /// Of the commands.
    topic: Arc<str>,
    /// Where replies go that say nothing else.
    replies: Arc<str>,
    partitions: u32,
}

/// What is on its way, in order.
enum UnderWay {
    Reply(Reply),
    Handled { partition: u32, next: u64 },
    Settled(Settled),
}

/// A reply, until it is in the log.
struct Reply {
    topic: Arc<str>,
    partition: u32,
    message: Arc<Message>,
    sent: Instant,
    outcome: oneshot::Receiver<Outcome>,
}

impl Writer {
    async fn run(self, mut outgoing: mpsc::Receiver<Outgoing>) {
        let mut under_way: VecDeque<UnderWay> = VecDeque::new();
        let mut is_open = true;
        while is_open || !under_way.is_empty() {
            tokio::select! {
                biased;
                next = outgoing.recv(), if is_open && under_way.len() < REPLIES_IN_FLIGHT_MAX => match next {
                    Some(next) => under_way.push_back(self.begin(next)),
                    None => is_open = false,
                },
                outcome = first(&mut under_way), if !under_way.is_empty() => match (outcome, under_way.pop_front()) {
                    // It may be there twice then, and the first counts. Without it nothing behind it may count as handled.
                    (Outcome::Unknown, Some(UnderWay::Reply(Reply { topic, partition, message, sent, .. }))) => {
                        tracing::debug!(topic = %self.topic, "a reply may not be in the log: it is sent again");
                        sleep_until(sent + SEND_AGAIN_AFTER).await;
                        under_way.push_front(self.send(topic, partition, message));
                    }
                    (Outcome::Refused(why), Some(UnderWay::Reply(reply))) => self.say_refused(&reply, &why),
                    _ => {}
                }
            }
            self.let_go(&mut under_way);
        }
    }

    /// Nobody hears a reply: which, where it was to go, and what it answers.
    fn say_refused(&self, Reply { topic: reply_topic, partition: reply_partition, message, .. }: &Reply, why: &str) {
        let reply = CloudEvent::read(message).ok();
        let command = reply.as_ref().and_then(|reply| reply.get(attribute::COMMAND));
        tracing::error!(
            topic = %self.topic, command, %reply_topic, reply_partition, %why,
            "the log refuses a reply: its step hears nothing until it asks again"
        );
    }

    fn begin(&self, outgoing: Outgoing) -> UnderWay {
        match outgoing {
            Outgoing::Reply { topic, partition, message } => {
                let chosen = partition.and_then(|partition| u32::try_from(partition).ok());
                let partition = chosen.unwrap_or_else(|| partition_of(&message.key, self.partitions));
                let topic = topic.map_or_else(|| Arc::clone(&self.replies), |topic| Arc::from(topic.as_str()));
                self.send(topic, partition, Arc::new(message))
            }
            Outgoing::Handled { partition, next } => {
                UnderWay::Handled { partition: u32::try_from(partition).unwrap_or_default(), next }
            }
            Outgoing::Settled(settled) => UnderWay::Settled(settled),
        }
    }

    fn send(&self, topic: Arc<str>, partition: u32, message: Arc<Message>) -> UnderWay {
        let (done, outcome) = oneshot::channel();
        // Whoever waited may have gone.
        let tell = move |outcome| drop(done.send(outcome));
        self.client.append_then(&topic, partition, Arc::clone(&message), tell);
        UnderWay::Reply(Reply { topic, partition, message, sent: Instant::now(), outcome })
    }

    /// Lets commands go whose replies are all durable.
    fn let_go(&self, under_way: &mut VecDeque<UnderWay>) {
        loop {
            match under_way.front() {
                Some(UnderWay::Handled { partition, next }) => self.client.truncate(&self.topic, *partition, *next),
                Some(UnderWay::Settled(settled)) => settled.say(),
                Some(UnderWay::Reply(_)) | None => return,
            }
            under_way.pop_front();
        }
    }
}

/// What came of the first.
async fn first(under_way: &mut VecDeque<UnderWay>) -> Outcome {
    match under_way.front_mut() {
        Some(UnderWay::Reply(reply)) => (&mut reply.outcome).await.unwrap_or(Outcome::Unknown),
        Some(UnderWay::Handled { .. } | UnderWay::Settled(_)) | None => Outcome::At(0),
    }
}
