//! Who owns which partition: a member of the consumer group on `saga.requests`.
//!
//! ```text
//!   assigned ------> Assigned                revoked -> Revoked -> the task finishes -> released -> given away
//!   Confirm -> commit of this partition -> the coordinator's answer -> Confirmed | Stale | Failed
//! ```
//!
//! A commit waits for its answer, on a thread that does nothing else: librdkafka tells the end of one that does not
//! wait to nobody. Whatever is asked meanwhile goes in the next one.
//!
//! The member fetches nothing: its partitions are paused, and inputs are read by hand. It commits up to where they have
//! been handled. Of requests nobody relies on that, but tools show how far behind a deployment is; of any other topic it is
//! where the next owner begins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use super::context::{Reach, remark};
use super::error::OpenError;
use super::positions::Positions;
use super::settings::{REBALANCE_TIMEOUT_MS, Role, Settings};
use super::settled::has_settled;
use crate::log::endpoint::{Endpoint, Outbox};
use crate::log::{Member, Report, Ticket};

/// How long partitions that are revoked may be held by tasks that finish: half of the time that the group waits.
const RELEASE_WITHIN: Duration = Duration::from_millis(REBALANCE_TIMEOUT_MS as u64 / 2);

/// How long the member's thread waits for something before it looks at clocks.
const POLL: Duration = Duration::from_millis(100);

/// How often a partition that was said to be another's, and is still assigned to us, is asked for again.
const PROBE_EVERY: Duration = Duration::from_millis(500);

/// How long closing waits for a commit that is under way.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// How long the coordinator may take to say what is committed.
const COMMITTED_WITHIN: Duration = Duration::from_secs(10);

/// How often positions are committed: what is handled meanwhile is done again if the process dies.
const COMMIT_EVERY: Duration = Duration::from_secs(1);

/// Characters of a name that stand beside an offset: Kafka allows 4,096 bytes (`offset.metadata.max.bytes`), and a URL can be longer.
const NAME_MAX: usize = 1_024;

/// A member of the group.
pub(super) struct Group {
    consumer: BaseConsumer<Context>,
    /// What it calls itself.
    name: String,
    /// It stands in for others, who stay those that have read a partition.
    stands_in: bool,
    state: Arc<Shared>,
    /// Each is dropped at the other end when its thread ends.
    threads: Mutex<Vec<Receiver<()>>>,
}

struct Shared {
    topic: Arc<str>,
    /// Its partitions from this number on are nobody's: topics can be given more than a deployment has.
    below: u32,
    endpoint: Arc<Endpoint>,
    reach: Arc<Reach>,
    state: Mutex<State>,
    /// Told when something is asked, or to end.
    asked: Condvar,
    is_closing: AtomicBool,
    /// Whether it is a group by KIP-848.
    is_new: bool,
    /// Whether the group has ever said what is ours.
    has_joined: AtomicBool,
}

#[derive(Default)]
struct State {
    /// What is assigned, as far as is known.
    held: BTreeMap<u32, Held>,
    /// What must be let go once the tasks have finished.
    revoking: Option<Revoking>,
    /// What the next commit is for, and who waits for its answer.
    asked: BTreeMap<u32, Vec<Ticket>>,
    /// Up to where what is held is handled.
    positions: Positions,
    /// Whoever had handled something of a partition before somebody who stands in.
    before: BTreeMap<u32, String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    Yes,
    /// The coordinator has said no; whether that changes is asked by ourselves.
    Stale,
}

struct Revoking {
    list: TopicPartitionList,
    unfinished: BTreeSet<u32>,
    until: Instant,
}

impl State {
    fn let_go(&mut self, partition: u32) {
        self.held.remove(&partition);
        self.positions.forget(partition);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Context(Arc<Shared>);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, words: &str) {
        remark(level, facility, words);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.reach.trouble(&error, reason);
    }

    /// Of a member that is given nothing only this tells that the group has settled.
    fn stats_raw(&self, json: &[u8]) {
        if !self.0.has_joined.load(Ordering::Relaxed) && has_settled(json, self.0.is_new) {
            self.0.has_joined.store(true, Ordering::Relaxed);
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.0.assigned(consumer, list),
            _ => self.0.revoked(consumer, list),
        }
    }
}

fn give(consumer: &BaseConsumer<Context>, list: &TopicPartitionList) {
    let given = match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
    };
    if let Err(error) = given {
        tracing::warn!(%error, "partitions cannot be given back to the group");
    }
}

impl Shared {
    /// Those of a list that can be somebody's.
    fn partitions(&self, list: &TopicPartitionList) -> Vec<u32> {
        let numbers = list.elements();
        let numbers = numbers.iter().filter_map(|element| u32::try_from(element.partition()).ok());
        numbers.filter(|number| *number < self.below).collect()
    }

    fn assigned(&self, consumer: &BaseConsumer<Context>, list: &mut TopicPartitionList) {
        // Nothing is fetched: neither an old offset nor a new one matters.
        if let Err(error) = list.set_all_offsets(Offset::End) {
            tracing::warn!(%error, "the offsets of an assignment cannot be set");
        }
        let taken = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
            RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.assign(list),
        };
        if let Err(error) = taken.and_then(|()| consumer.pause(list)) {
            tracing::warn!(%error, "an assignment cannot be taken");
        }
        let partitions = self.partitions(list);
        tracing::debug!(?partitions, beyond = list.count() - partitions.len(), "assigned by the group");
        let mut outbox = Outbox::default();
        let mut state = self.lock();
        for partition in partitions {
            state.held.insert(partition, Held::Yes);
            outbox.push(&self.endpoint, partition, Report::Assigned);
        }
        drop(state);
        self.has_joined.store(true, Ordering::Relaxed);
        self.reach.back();
        outbox.deliver();
    }

    fn revoked(&self, consumer: &BaseConsumer<Context>, list: &TopicPartitionList) {
        let partitions = self.partitions(list);
        let is_lost = consumer.assignment_lost() || self.is_closing.load(Ordering::Relaxed);
        tracing::debug!(?partitions, is_lost, "revoked by the group");
        let mut outbox = Outbox::default();
        let mut state = self.lock();
        for partition in &partitions {
            if is_lost {
                state.let_go(*partition);
            }
            outbox.push(&self.endpoint, *partition, Report::Revoked);
        }
        // Lost ones are given already: nobody waits for us.
        let waits = !is_lost && !partitions.is_empty();
        if waits {
            let (list, unfinished) = (list.clone(), partitions.into_iter().collect());
            state.revoking = Some(Revoking { list, unfinished, until: Instant::now() + RELEASE_WITHIN });
        }
        drop(state);
        if !waits {
            give(consumer, list);
        }
        outbox.deliver();
    }

    /// The coordinator's answer to a commit.
    fn committed(&self, asked: BTreeMap<u32, Vec<Ticket>>, result: &KafkaResult<()>, offsets: &TopicPartitionList) {
        let mut outbox = Outbox::default();
        let mut state = self.lock();
        let elements = offsets.elements();
        for (partition, tickets) in asked {
            let of_it = elements.iter().find(|element| u32::try_from(element.partition()).ok() == Some(partition));
            let error = of_it.and_then(|element| element.error().err()).or_else(|| result.as_ref().err().cloned());
            let is_no = error.as_ref().is_some_and(|error| says_no(error.rdkafka_error_code()));
            let sent = of_it.and_then(|element| u64::try_from(element.offset().to_raw()?).ok());
            if let (None, Some(sent)) = (&error, sent) {
                state.positions.committed(partition, sent);
            }
            match state.held.get(&partition).copied() {
                Some(Held::Stale) if error.is_none() => {
                    state.held.insert(partition, Held::Yes);
                    outbox.push(&self.endpoint, partition, Report::Assigned);
                }
                // Who asked is told that it is not the owner, so it must be told when it is again.
                Some(Held::Yes) if is_no && !tickets.is_empty() => drop(state.held.insert(partition, Held::Stale)),
                _ => {}
            }
            let is_held = state.held.contains_key(&partition);
            for ticket in tickets {
                let report = match &error {
                    None if is_held => Report::Confirmed { ticket },
                    Some(error) if is_held && !is_no => Report::Failed {
                        ticket,
                        why: format!("confirm the ownership of partition {partition}: {error}"),
                    },
                    None | Some(_) => Report::Stale { ticket },
                };
                outbox.push(&self.endpoint, partition, report);
            }
        }
        drop(state);
        if result.is_ok() {
            self.reach.back();
        }
        outbox.deliver();
    }

    /// Takes what is asked, once there is something; nothing if it takes long.
    fn take_asked(&self) -> BTreeMap<u32, Vec<Ticket>> {
        let idle = |state: &mut State| state.asked.is_empty() && !self.is_closing.load(Ordering::Relaxed);
        let waited = self.asked.wait_timeout_while(self.lock(), POLL, idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.asked)
    }
}

/// Whether the coordinator says that the member is none any more. Anything else may be over in a moment.
const fn says_no(code: Option<RDKafkaErrorCode>) -> bool {
    matches!(
        code,
        Some(
            RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::FencedMemberEpoch
                | RDKafkaErrorCode::StaleMemberEpoch
                | RDKafkaErrorCode::FencedInstanceId
                | RDKafkaErrorCode::AssignmentLost
        )
    )
}

impl Group {
    /// Joins the group.
    pub(super) fn join(
        settings: &Settings,
        member: Member<'_>,
        (topic, below): (&Arc<str>, u32),
        reach: &Arc<Reach>,
        endpoint: &Arc<Endpoint>,
    ) -> Result<Arc<Self>, OpenError> {
        let state = Arc::new(Shared {
            topic: Arc::clone(topic),
            below,
            endpoint: Arc::clone(endpoint),
            reach: Arc::clone(reach),
            state: Mutex::default(),
            asked: Condvar::new(),
            is_closing: AtomicBool::new(false),
            is_new: settings.is_new_group(),
            has_joined: AtomicBool::new(false),
        });
        let mut config = settings.client(Role::Member, member.group);
        if !settings.names_clients() {
            config.set("client.id", member.name);
        }
        let consumer = BaseConsumer::from_config_and_context(&config, Context(Arc::clone(&state)))
            .map_err(|error| OpenError::client(&error))?;
        consumer.subscribe(&[topic]).map_err(|error| OpenError::client(&error))?;
        let group = Arc::new(Self {
            consumer,
            name: member.name.chars().take(NAME_MAX).collect(),
            stands_in: member.stands_in,
            state,
            threads: Mutex::default(),
        });
        let mut clocks = Clocks { probed: Instant::now(), committed: Instant::now() };
        start(&group, "kafka-group", move |group| group.turn(&mut clocks))?;
        start(&group, "kafka-confirm", |group| {
            let asked = group.state.take_asked();
            if !asked.is_empty() {
                group.commit(asked);
            }
        })?;
        Ok(group)
    }

    /// Asks the coordinator whether a partition is ours.
    pub(super) fn confirm(&self, partition: u32, ticket: Ticket, outbox: &mut Outbox) {
        let mut state = self.state.lock();
        if !state.held.contains_key(&partition) {
            drop(state);
            return outbox.push(&self.state.endpoint, partition, Report::Stale { ticket });
        }
        state.asked.entry(partition).or_default().push(ticket);
        drop(state);
        self.state.asked.notify_one();
    }

    /// Commits what is asked, and waits for the answer.
    fn commit(&self, asked: BTreeMap<u32, Vec<Ticket>>) {
        let mut list = TopicPartitionList::new();
        let state = self.state.lock();
        for partition in asked.keys() {
            self.add(&state, *partition, state.positions.of(*partition).unwrap_or_default(), &mut list);
        }
        drop(state);
        let result = self.consumer.commit(&list, CommitMode::Sync);
        self.state.committed(asked, &result, &list);
    }

    /// Whether the group has said what is ours.
    pub(super) fn has_joined(&self) -> bool {
        self.state.has_joined.load(Ordering::Relaxed)
    }

    /// Which topic it is about.
    pub(super) fn topic(&self) -> &Arc<str> {
        &self.state.topic
    }

    /// What is committed of a partition. Waits for the coordinator.
    pub(super) fn committed(&self, partition: u32) -> Result<Option<u64>, String> {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.state.topic, i32::try_from(partition).unwrap_or(i32::MAX));
        let known = self.consumer.committed_offsets(list, COMMITTED_WITHIN);
        let known = known.map_err(|error| format!("ask what is handled of {}: {error}", self.state.topic))?;
        let elements = known.elements();
        let Some(element) = elements.first() else { return Ok(None) };
        if self.stands_in && !element.metadata().is_empty() {
            self.state.lock().before.insert(partition, element.metadata().to_owned());
        }
        Ok(element.offset().to_raw().and_then(|offset| u64::try_from(offset).ok()))
    }

    /// All of a partition before this offset is handled.
    pub(super) fn handled(&self, partition: u32, before: u64) {
        let mut state = self.state.lock();
        if state.held.contains_key(&partition) {
            state.positions.handled(partition, before);
        }
    }

    /// The task of a partition has finished.
    pub(super) fn released(&self, partition: u32) {
        let mut state = self.state.lock();
        let Some(revoking) = &mut state.revoking else { return };
        revoking.unfinished.remove(&partition);
        self.give_released(state);
    }

    fn give_released(&self, mut state: MutexGuard<'_, State>) {
        let is_due = |revoking: &mut Revoking| revoking.unfinished.is_empty() || revoking.until <= Instant::now();
        if let Some(Revoking { list, .. }) = state.revoking.take_if(is_due) {
            let mut handled = TopicPartitionList::new();
            for partition in self.state.partitions(&list) {
                if let Some(before) = state.positions.open(partition) {
                    self.add(&state, partition, before, &mut handled);
                }
                state.let_go(partition);
            }
            drop(state);
            // It goes out before we join anew, so whoever gets a partition finds it. Nobody waits for its end.
            if handled.count() > 0
                && let Err(error) = self.consumer.commit(&handled, CommitMode::Async)
            {
                tracing::debug!(%error, "what is handled of partitions that are given away is not committed");
            }
            give(&self.consumer, &list);
        }
    }

    /// With who it is, which tells later what has read a topic when nobody is there.
    fn add(&self, state: &State, partition: u32, before: u64, list: &mut TopicPartitionList) {
        let offset = Offset::Offset(i64::try_from(before).unwrap_or(i64::MAX));
        let number = i32::try_from(partition).unwrap_or(i32::MAX);
        list.add_partition_offset(&self.state.topic, number, offset).expect("an offset of a record is one");
        if let Some(mut element) = list.find_partition(&self.state.topic, number) {
            element.set_metadata(state.before.get(&partition).unwrap_or(&self.name));
        }
    }

    fn turn(&self, clocks: &mut Clocks) {
        // Nothing is fetched but what was on its way before the pause.
        drop(self.consumer.poll(POLL));
        self.give_released(self.state.lock());
        let mut state = self.state.lock();
        let State { held, asked, positions, .. } = &mut *state;
        if clocks.probed.elapsed() >= PROBE_EVERY {
            clocks.probed = Instant::now();
            for partition in held.iter().filter(|(_, held)| **held == Held::Stale).map(|(partition, _)| *partition) {
                asked.entry(partition).or_default();
            }
        }
        if clocks.committed.elapsed() >= COMMIT_EVERY {
            clocks.committed = Instant::now();
            for partition in held.keys().filter(|partition| positions.open(**partition).is_some()) {
                asked.entry(*partition).or_default();
            }
        }
        let has_some = !asked.is_empty();
        drop(state);
        if has_some {
            self.state.asked.notify_one();
        }
    }

    /// Leaves the group once everybody has let go of this.
    pub(super) fn close(&self) {
        self.state.is_closing.store(true, Ordering::Relaxed);
        self.state.asked.notify_all();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let state = self.state.lock();
        let open = state.held.keys().filter(|partition| state.positions.open(**partition).is_some());
        let open: BTreeMap<u32, Vec<Ticket>> = open.map(|partition| (*partition, Vec::new())).collect();
        drop(state);
        if !open.is_empty() && self.state.reach.health().is_writing() {
            self.commit(open);
        }
        for ended in threads {
            // A commit may wait for a broker that is away: then it ends behind us.
            let _late = ended.recv_timeout(CLOSE_WITHIN);
        }
    }
}

/// When things were last done that are done from time to time.
struct Clocks {
    probed: Instant,
    committed: Instant,
}

fn start(group: &Arc<Group>, name: &str, mut turn: impl FnMut(&Group) + Send + 'static) -> std::io::Result<()> {
    let running = Arc::downgrade(group);
    let (ends, ended) = mpsc::channel();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _ends = ends;
        while let Some(group) = running.upgrade().filter(|group| !group.state.is_closing.load(Ordering::Relaxed)) {
            turn(&group);
        }
    })?;
    group.threads.lock().unwrap_or_else(PoisonError::into_inner).push(ended);
    Ok(())
}
