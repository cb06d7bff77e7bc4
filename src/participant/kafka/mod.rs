//! A participant on Kafka: one of the processes that share its topic of commands.
//!
//! ```text
//!   poll -> answer -> replies -> acknowledged -> the offset counts
//! ```
//!
//! Commands are done one after the other; further processes, or calls of [`serve`], share the topic's partitions. An
//! offset counts once the reply is in the log, so a crash in between brings the command again, which the guard knows.
//! A message that cannot be read is passed over, with a word in the program's own log.

mod guarded;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};

use self::guarded::Guarded;
use super::service::{Participant, Told};
use super::store::Store;
use crate::log::kafka::{Context, OpenError, Reach, Role, Settings, headers, is_final, stored};
use crate::wire::{CloudEvent, Message, attribute};

/// How long one look at the topic waits.
const POLL: Duration = Duration::from_millis(100);

/// Commands whose replies are on their way; beyond that nothing is read.
const UNDER_WAY_MAX: usize = 1_000;

/// How long the end waits for replies on their way; what takes longer is asked again.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);

/// How long replies that could not be sent wait before they are sent again: the client's queue is full, or its broker away.
const SEND_AGAIN: Duration = Duration::from_millis(100);

/// How long late replies are waited for to be in the log, all of one look together, while nothing else is read: longer than the
/// client tries one, so that it is known what became of it. Then they are told at the next look.
const TELL_WITHIN: Duration = Duration::from_secs(45);

/// A message with its place.
#[derive(Clone, Debug)]
pub struct Addressed {
    /// The topic.
    pub topic: String,
    /// The partition; without one the key decides.
    pub partition: Option<i32>,
    /// What goes there.
    pub message: Message,
}

impl Addressed {
    /// A reply, addressed as its command asks; `None` if that names no topic.
    #[must_use]
    pub fn reply_to(command: &CloudEvent<'_>, reply: Message) -> Option<Self> {
        let topic = command.get(attribute::REPLY_TO)?.to_owned();
        let partition = command.get(attribute::REPLY_PARTITION).and_then(|number| number.parse().ok());
        Some(Self { topic, partition, message: reply })
    }
}

/// Where a message came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition of it.
    pub partition: i32,
    /// The offset in that.
    pub offset: i64,
}

/// What answers commands.
pub trait Answer {
    /// What goes out for a message that came.
    fn answer(&mut self, message: &Message, place: Place<'_>) -> Vec<Addressed>;

    /// Whether what came last could not be dealt with before the end: then it comes again.
    fn is_unfinished(&self) -> bool {
        false
    }

    /// What goes out by itself. Called now and then.
    fn upkeep(&mut self) -> Vec<Addressed> {
        Vec::new()
    }

    /// Ends what was interrupted, and tells its replies: each is acknowledged before it counts. Called now and then.
    fn resume(&mut self, tell: &mut dyn FnMut(Addressed) -> Told) {
        let _ = tell;
    }
}

/// Serves a participant until `stop` is set: reads `topic` as a member of the consumer group `group`, which is that of
/// all processes of this participant. Blocks.
///
/// # Errors
/// The settings are no good. A broker that is away is waited for.
pub fn serve<S: Store>(
    participant: &Participant<S>,
    settings: &Settings,
    topic: &str,
    group: &str,
    stop: &AtomicBool,
) -> Result<(), OpenError> {
    let mut guarded = Guarded::new(participant, stop);
    let ended = consume(&mut guarded, settings, topic, group, stop);
    guarded.end();
    ended
}

/// What came of sending: of which reply, and what.
type Ack = (u64, Ended);

/// What came of sending a reply.
enum Ended {
    /// It is in the log.
    There,
    /// It never will be: why.
    Refused(KafkaError, Box<Addressed>),
    /// It is to be sent again.
    Again(Box<Addressed>),
}

/// A reply on its way.
struct Sending {
    id: u64,
    addressed: Addressed,
    acks: Sender<Ack>,
}

struct Replies(Context);

impl ClientContext for Replies {
    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }

    fn stats_raw(&self, json: &[u8]) {
        self.0.stats_raw(json);
    }
}

impl ProducerContext for Replies {
    type DeliveryOpaque = Box<Sending>;

    fn delivery(&self, result: &DeliveryResult<'_>, sending: Box<Sending>) {
        sending.ended(result.as_ref().err().map(|(error, _)| error));
    }
}

impl Sending {
    fn ended(self, error: Option<&KafkaError>) {
        let Self { id, addressed, acks } = self;
        let ended = match error {
            None => Ended::There,
            Some(error) if error.rdkafka_error_code().is_some_and(is_final) => {
                Ended::Refused(error.clone(), Box::new(addressed))
            }
            Some(_) => Ended::Again(Box::new(addressed)),
        };
        // Nobody waits once it is closed.
        drop(acks.send((id, ended)));
    }
}

/// A command that is done, until its replies are in the log.
struct Done {
    partition: i32,
    offset: i64,
    /// Ids of its replies: from here on, so many.
    first: u64,
    left: u64,
    count: u64,
}

/// Reads `topic` as a member of the consumer group `group`, and sends what `answers` has to say, until `stop` is set.
///
/// # Errors
/// The settings are no good. A broker that is away is waited for.
pub fn consume(
    answers: &mut impl Answer,
    settings: &Settings,
    topic: &str,
    group: &str,
    stop: &AtomicBool,
) -> Result<(), OpenError> {
    let context = Context(Reach::new(&settings.brokers));
    let reading = settings.client(Role::Participant, group);
    let consumer = BaseConsumer::from_config_and_context(&reading, context.clone());
    let consumer = consumer.map_err(|error| OpenError::client(&error))?;
    let producer = ThreadedProducer::from_config_and_context(&settings.client(Role::Effects, ""), Replies(context));
    let producer = producer.map_err(|error| OpenError::client(&error))?;
    consumer.subscribe(&[topic]).map_err(|error| OpenError::client(&error))?;
    let (acks, acknowledged) = channel();
    let (under_way, again) = (VecDeque::new(), Vec::new());
    let mut out = Out {
        topic: topic.to_owned(),
        producer,
        acks,
        acknowledged,
        next: 0,
        under_way,
        again,
        sent_again: Instant::now(),
    };
    while !stop.load(Ordering::Relaxed) {
        for addressed in answers.upkeep() {
            out.send_new(addressed);
        }
        let end = Instant::now() + TELL_WITHIN;
        answers.resume(&mut |addressed| out.tell(addressed, end, stop));
        if out.under_way.len() >= UNDER_WAY_MAX {
            out.wait(POLL);
        } else {
            match consumer.poll(POLL) {
                Some(Ok(record)) => {
                    let message = stored(&record).message;
                    let (partition, offset) = (record.partition(), record.offset());
                    let (first, mut count) = (out.next, 0);
                    let answered = answers.answer(&message, Place { topic, partition, offset });
                    if answers.is_unfinished() {
                        break;
                    }
                    for addressed in answered {
                        out.send_new(addressed);
                        count += 1;
                    }
                    out.under_way.push_back(Done { partition, offset, first, left: count, count });
                }
                // The client tries again by itself.
                Some(Err(error)) => tracing::debug!(%error, topic, "commands cannot be read for now"),
                None => {}
            }
        }
        out.settle(&consumer, topic);
    }
    let end = Instant::now() + CLOSE_WITHIN;
    while !out.under_way.is_empty() && Instant::now() < end {
        out.wait(POLL);
        out.settle(&consumer, topic);
    }
    if let Err(error) = consumer.commit_consumer_state(CommitMode::Sync) {
        tracing::debug!(%error, topic, "nothing is committed: the last commands come again");
    }
    Ok(())
}

/// Replies on their way, and the commands that wait for them.
struct Out {
    /// That of the commands.
    topic: String,
    producer: ThreadedProducer<Replies>,
    acks: Sender<Ack>,
    acknowledged: Receiver<Ack>,
    next: u64,
    under_way: VecDeque<Done>,
    /// What could not be sent. It waits here, since a client that refuses it refuses it again at once.
    again: Vec<(u64, Addressed)>,
    sent_again: Instant,
}

impl Out {
    fn send_new(&mut self, addressed: Addressed) {
        let id = self.next;
        self.next += 1;
        self.send(id, addressed);
    }

    fn send(&self, id: u64, addressed: Addressed) {
        let Addressed { topic, partition, message } = addressed.clone();
        let sending = Box::new(Sending { id, addressed, acks: self.acks.clone() });
        let mut record = BaseRecord::with_opaque_to(&topic, sending)
            .key(message.key.as_bytes())
            .payload(&*message.payload)
            .headers(headers(&message));
        if let Some(partition) = partition {
            record = record.partition(partition);
        }
        if let Err((error, record)) = self.producer.send(record) {
            record.delivery_opaque.ended(Some(&error));
        }
    }

    /// Sends it, and waits until it is in the log, or never will be.
    fn tell(&mut self, addressed: Addressed, end: Instant, stop: &AtomicBool) -> Told {
        // What is left stays for the next look, or the next process.
        let goes_on = || Instant::now() < end && !stop.load(Ordering::Relaxed);
        if !goes_on() {
            return Told::Stop;
        }
        let id = self.next;
        self.send_new(addressed);
        while goes_on() {
            match self.acknowledged.recv_timeout(POLL) {
                Ok((told, Ended::There)) if told == id => return Told::Yes,
                Ok((told, Ended::Refused(error, addressed))) if told == id => {
                    self.say_refused(None, &addressed, &error);
                    return Told::Yes;
                }
                // Not to be sent again from here: its row is taken up again.
                Ok((told, Ended::Again(_))) if told == id => break,
                Ok(other) => self.take(other),
                Err(_) => {}
            }
        }
        tracing::warn!("a late reply is not in the log yet; it is told again");
        if goes_on() { Told::NotNow } else { Told::Stop }
    }

    /// Takes an acknowledgement, if one comes so soon.
    fn wait(&mut self, within: Duration) {
        if let Ok(ack) = self.acknowledged.recv_timeout(within) {
            self.take(ack);
        }
    }

    fn take(&mut self, (id, ended): Ack) {
        if let Ended::Again(again) = ended {
            self.again.push((id, *again));
            return;
        }
        let is_of = |done: &&mut Done| (done.first..done.first + done.count).contains(&id);
        let mut done = self.under_way.iter_mut().find(is_of);
        if let Some(done) = &mut done {
            done.left -= 1;
        }
        if let Ended::Refused(error, addressed) = ended {
            let of = done.map(|done| (done.partition, done.offset));
            self.say_refused(of, &addressed, &error);
        }
    }

    /// Sends again what waited for that, and lets offsets count whose replies are all in the log.
    fn settle(&mut self, consumer: &BaseConsumer<Context>, topic: &str) {
        while let Ok(ack) = self.acknowledged.try_recv() {
            self.take(ack);
        }
        if self.sent_again.elapsed() >= SEND_AGAIN {
            self.sent_again = Instant::now();
            for (id, addressed) in std::mem::take(&mut self.again) {
                self.send(id, addressed);
            }
        }
        while let Some(done) = self.under_way.pop_front_if(|done| done.left == 0) {
            // Of a partition that has gone to another process, which does it again.
            if let Err(error) = consumer.store_offset(topic, done.partition, done.offset) {
                tracing::debug!(%error, topic, partition = done.partition, "an offset counts no more");
            }
        }
    }

    /// Says that nobody hears a reply, by which one finds what it answers: the command's own place, unless it came long before.
    fn say_refused(
        &self,
        of: Option<(i32, i64)>,
        Addressed { topic, partition, message }: &Addressed,
        error: &KafkaError,
    ) {
        let (of_partition, of_offset) = of.unzip();
        let reply = CloudEvent::read(message).ok();
        let command = reply.as_ref().and_then(|reply| reply.get(attribute::COMMAND));
        let (reply_topic, reply_partition) = (topic, partition);
        tracing::error!(
            topic = self.topic, partition = of_partition, offset = of_offset, command, reply_topic, reply_partition, %error,
            "the log refuses a reply: its step hears nothing until it asks again"
        );
    }
}
