//! What the partitions' threads share with those who ask: plans, the view, who waits for what.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::time::{timeout, timeout_at};

use super::client::{self, Client};
use super::decisions::{Decision, Decisions};
use super::driver::{AfterPanic, Driver, Inbox, Watch};
use super::error::{Error, OpenError};
use super::followers::Followers;
use super::gate::Learned;
use super::meters::{Meters, Shape};
use super::mirror::Mirrors;
use super::on_call::{OnCall, say_news};
use super::partition::{Fact, Stands, Told};
use super::reading::{self, Begin};
use super::view::View;
use crate::engine::{Instance, InstanceId};
use crate::journal::Plans;
use crate::journal::record::{Positions, Record};
use crate::log::{Log, Range, Report, Reports, Site, Topics};

/// How long closing waits for partitions to finish what is under way, beyond which it is left to the next recovery.
const CLOSE_WITHIN: Duration = Duration::from_secs(20);

/// How long the log may take to say how far behind the inputs are: who scrapes metrics waits for it.
const LAGS_WITHIN: Duration = Duration::from_secs(2);

/// How long an owner waits for the definitions to be read before it goes on by those that it knows.
const LEARN_WITHIN: Duration = Duration::from_secs(30);

/// Inputs that are read go from the log in steps of so many, so that each commit deletes little.
const INPUTS_KEPT: u64 = 1_024;

/// How a partition is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionState {
    /// It reads its journal.
    Recovering,
    /// It runs; so many instances were live when it began to.
    Running {
        /// Instances.
        live: usize,
    },
    /// It stands still until a person acts.
    Stopped {
        /// For people.
        why: Arc<str>,
        /// Whether it goes on if it is accepted that inputs are lost.
        is_gap: bool,
    },
    /// It was let go.
    Released,
}

/// What the partitions' threads share with those who ask.
pub(super) struct Core {
    pub(super) log: Arc<dyn Site>,
    pub(super) topics: Topics,
    /// The owner's way to the log, until it is closed.
    owner: Mutex<Option<Arc<dyn Log>>>,
    pub(super) mirrors: Mirrors,
    pub(super) learned: Learned,
    /// What each partition was last in trouble with, so that it is said once.
    troubles: Mutex<BTreeMap<u32, String>>,
    pub(super) client: Client,
    pub(super) plans: RwLock<Arc<Plans>>,
    pub(super) view: View,
    pub(super) followers: Followers,
    pub(super) meters: Meters,
    on_call: OnCall,
    pub(super) decisions: Vec<Decisions>,
    pub(super) inboxes: Vec<Arc<Inbox>>,
    pub(super) states: Vec<watch::Sender<PartitionState>>,
    pub(super) looks: Mutex<BTreeMap<u64, (u32, oneshot::Sender<Looked>)>>,
    pub(super) next_look: AtomicU64,
    /// Until then, what keeps it from being opened is told to whoever opens it.
    pub(super) is_open: AtomicBool,
    is_closed: AtomicBool,
    /// Up to where inputs have been let go.
    pub(super) truncated: Vec<Mutex<Positions>>,
}

/// What a look into a partition finds.
pub(super) enum Looked {
    Instance(Arc<Instance>),
    Nothing,
    Blind,
}

pub(super) struct Inboxes(pub(super) Vec<Arc<Inbox>>);

impl Reports for Inboxes {
    fn report(&self, partition: u32, reports: Vec<Report>) {
        if let Some(inbox) = self.0.get(partition as usize) {
            inbox.tell(reports.into_iter().map(Told::Log));
        }
    }
}

impl Core {
    pub(super) fn new(log: Arc<dyn Site>, client: Client, view: View, plans: Arc<Plans>, learned: Learned) -> Self {
        let each = || 0..log.partitions();
        // Of a log that is shared, nothing is ours until we are told.
        let first = if log.is_shared() { PartitionState::Released } else { PartitionState::Recovering };
        Self {
            topics: log.topics(),
            owner: Mutex::default(),
            mirrors: Mirrors::new(if log.is_shared() { log.partitions() } else { 0 }),
            learned,
            troubles: Mutex::default(),
            client,
            plans: RwLock::new(plans),
            view,
            followers: Followers::default(),
            meters: Meters::new(log.partitions(), first == PartitionState::Recovering),
            on_call: OnCall::new(&Handle::current()),
            decisions: each().map(|_| Decisions::default()).collect(),
            inboxes: each().map(|_| Arc::new(Inbox::default())).collect(),
            states: each().map(|_| watch::Sender::new(first.clone())).collect(),
            looks: Mutex::default(),
            next_look: AtomicU64::new(0),
            is_open: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            truncated: each().map(|_| Mutex::default()).collect(),
            log,
        }
    }

    pub(super) fn is_shared(&self) -> bool {
        self.log.is_shared()
    }

    /// Whether it is known which partitions are ours.
    pub(super) fn has_joined(&self) -> bool {
        let owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner);
        owner.as_ref().is_some_and(|owner| owner.has_joined())
    }

    /// Keeps the owner's way, so that partitions can be given up by it.
    pub(super) fn owns(&self, owner: &Arc<dyn Log>) {
        *self.owner.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(owner));
    }

    pub(super) fn tell(&self, partition: u32, told: impl IntoIterator<Item = Told>) {
        if let Some(inbox) = self.inboxes.get(partition as usize) {
            inbox.tell(told);
        }
    }

    pub(super) async fn range(&self, topic: &str, partition: u32) -> Result<Range, Error> {
        Ok(client::range(&self.log, topic, partition).await?)
    }

    /// Waits until the definitions are known that others have deployed by now; not for ever.
    pub(super) async fn learn(&self) {
        let learned = async {
            let range = self.range(&self.topics.definitions, 0).await.ok()?;
            self.learned.clone().wait_for(|learned| *learned >= range.end).await.ok().map(|_| ())
        };
        if timeout(LEARN_WITHIN, learned).await.ok().flatten().is_none() {
            tracing::warn!("the definitions cannot be read for now; going on by those that are known");
        }
    }

    /// A record of a journal that counts, whoever wrote it.
    pub(super) fn mirrored(&self, partition: u32, offset: u64, record: &Arc<Record>, stands: Option<Stands>) {
        self.view.fold(partition, offset, record, stands);
        self.followers.tell(partition, offset, record);
        if let Some(decisions) = self.decisions.get(partition as usize) {
            decisions.recorded(record);
            decisions.passed(record.read.requests);
        }
    }

    pub(super) fn plans(&self) -> Arc<Plans> {
        Arc::clone(&self.plans.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every partition knows them before any request that comes after.
    pub(super) fn set_plans(&self, plans: &Arc<Plans>) {
        say_news(&self.plans(), plans);
        *self.plans.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(plans);
        for inbox in &self.inboxes {
            inbox.tell([Told::Plans(Arc::clone(plans))]);
        }
    }

    /// Brings the view up to the end of a partition's journal, before anybody writes to it.
    pub(super) async fn catch_up(&self, partition: u32) -> Result<(), OpenError> {
        let range = client::range(&self.log, &self.topics.journal, partition).await?;
        // From the last record that is in the view, which counts; else from the start, which is a checkpoint or 0.
        let known = self.view.position(partition).map(|position| position.last).filter(|last| *last >= range.start);
        let begin = known.map_or(Begin::Start(range.start), Begin::Counting);
        reading::read(&self.client, &self.topics.journal, (partition, range), begin, |offset, record, _| {
            self.view.fold(partition, offset, record, None);
            Ok(())
        })
        .await
    }

    fn troubles(&self) -> MutexGuard<'_, BTreeMap<u32, String>> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn looks(&self) -> MutexGuard<'_, BTreeMap<u64, (u32, oneshot::Sender<Looked>)>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for a live instance; `None` if the partition's thread has let go of the question.
    pub(super) async fn look(&self, partition: u32, id: &InstanceId) -> Option<Looked> {
        let token = self.next_look.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.looks().insert(token, (partition, sender));
        self.inboxes.get(partition as usize)?.tell([Told::Look { token, instance: id.clone() }]);
        receiver.await.ok()
    }

    pub(super) fn looked(&self, token: u64, looked: Looked) {
        if let Some((_, sender)) = self.looks().remove(&token) {
            // Whoever asked may have gone.
            drop(sender.send(looked));
        }
    }

    /// Waits until a partition has done what it does by itself behind its recovery: reading where its inputs go on.
    pub(super) async fn settled(&self, partition: u32) {
        let Some(state) = self.states.get(partition as usize) else { return };
        let mut changes = state.subscribe();
        let recovered = changes.wait_for(|state| *state != PartitionState::Recovering).await;
        if recovered.is_ok_and(|state| matches!(*state, PartitionState::Running { .. })) {
            let nobody = InstanceId::try_from("-").expect("it is a short text without control characters");
            // The answer comes behind what its first reads came to.
            let _answer = self.look(partition, &nobody).await;
        }
    }

    /// Waits until a partition runs.
    pub(super) async fn runs(&self, partition: u32) -> Result<(), Error> {
        let state = self.states.get(partition as usize).ok_or(Error::Closed)?;
        let mut state = state.subscribe();
        let settled = state.wait_for(|state| *state != PartitionState::Recovering).await.map_err(|_| Error::Closed)?;
        match &*settled {
            PartitionState::Stopped { why, .. } => Err(Error::Stopped { partition, why: why.to_string() }),
            PartitionState::Released => Err(Error::Closed),
            PartitionState::Running { .. } | PartitionState::Recovering => Ok(()),
        }
    }

    /// What is counted, with how far behind the inputs of the partitions are that run here, or stand still here.
    pub(super) async fn metrics(&self) -> String {
        let log_is_up = self.log.health().is_writing();
        // A log that does not answer has its own metric.
        let until = tokio::time::Instant::now() + if log_is_up { LAGS_WITHIN } else { Duration::ZERO };
        let read: BTreeMap<u32, Positions> = self.meters.read().into_iter().collect();
        for partition in 0..self.log.partitions() {
            let mut lags = [None, None];
            if let Some(read) = read.get(&partition) {
                let inputs = [(&self.topics.requests, read.requests), (&self.topics.replies, read.replies)];
                for (lag, (topic, read)) in lags.iter_mut().zip(inputs) {
                    let range = timeout_at(until, self.range(topic, partition)).await;
                    *lag = range.ok().and_then(Result::ok).map(|range| range.end.saturating_sub(read));
                }
            }
            let [requests, replies] = lags;
            self.meters.lags(partition, requests, replies);
        }
        let mut shape = Shape { log_is_up, ..Shape::default() };
        for state in &self.states {
            match &*state.borrow() {
                PartitionState::Running { .. } => shape.running += 1,
                PartitionState::Recovering => shape.recovering += 1,
                PartitionState::Stopped { .. } => shape.stopped += 1,
                PartitionState::Released => {}
            }
        }
        self.meters.text(shape)
    }

    pub(super) fn is_running(&self, partition: u32) -> bool {
        let state = self.states.get(partition as usize);
        state.is_some_and(|state| matches!(*state.borrow(), PartitionState::Running { .. }))
    }

    pub(super) fn set_state(&self, partition: u32, state: PartitionState) {
        if state == PartitionState::Recovering {
            self.meters.recovers(partition);
        }
        if let Some(known) = self.states.get(partition as usize) {
            known.send_replace(state);
        }
    }

    /// Lets inputs go that a good record has read.
    pub(super) fn let_go(&self, partition: u32, read: Positions) {
        // Where others read them, too, they stay as long as their topic keeps them.
        if self.is_shared() {
            return;
        }
        let Some(truncated) = self.truncated.get(partition as usize) else { return };
        let mut truncated = truncated.lock().unwrap_or_else(PoisonError::into_inner);
        if read.requests >= truncated.requests.saturating_add(INPUTS_KEPT) {
            truncated.requests = read.requests;
            self.client.truncate(&self.topics.requests, partition, read.requests);
        }
        if read.replies >= truncated.replies.saturating_add(INPUTS_KEPT) {
            truncated.replies = read.replies;
            self.client.truncate(&self.topics.replies, partition, read.replies);
        }
    }

    pub(super) fn close(&self, drivers: Vec<Driver>) {
        if self.is_closed.swap(true, Ordering::Relaxed) {
            return;
        }
        drivers.iter().for_each(Driver::release);
        // What is under way cannot be finished in a log that cannot be written: it is left to the next recovery.
        let can_finish = self.log.health().is_writing();
        let end = Instant::now() + if can_finish { CLOSE_WITHIN } else { Duration::ZERO };
        for driver in drivers {
            driver.join(end);
        }
        for state in &self.states {
            state.send_if_modified(|state| {
                let runs = matches!(state, PartitionState::Running { .. } | PartitionState::Recovering);
                if runs {
                    *state = PartitionState::Released;
                }
                runs
            });
        }
        self.on_call.end();
        self.mirrors.close();
        self.looks().clear();
        self.followers.end();
        self.view.flush_later();
        drop(self.owner.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.log.close();
        self.view.close();
    }
}

impl Watch for Core {
    fn facts(&self, partition: u32, facts: Vec<Fact>) {
        let plans = self.plans();
        for fact in facts {
            match fact {
                Fact::Running { epoch, live } => {
                    tracing::info!(partition, epoch, live, "the partition runs");
                    self.troubles().remove(&partition);
                    self.meters.runs(partition);
                    self.set_state(partition, PartitionState::Running { live });
                }
                Fact::Recovering => self.set_state(partition, PartitionState::Recovering),
                Fact::Elsewhere => {
                    self.meters.idle(partition, false);
                    self.set_state(partition, PartitionState::Released);
                }
                // What follows says how it goes on.
                Fact::Idle { is_fenced } => self.meters.idle(partition, is_fenced),
                Fact::Released => {
                    self.meters.idle(partition, false);
                    self.set_state(partition, PartitionState::Released);
                    let owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    if let Some(owner) = owner {
                        owner.released(partition);
                    }
                }
                Fact::Recovered { epoch, counts, live } => {
                    self.meters.recovered(partition, &counts);
                    OnCall::recovered(partition, &counts);
                    // Of a log that is shared, the view is made of the journals, whoever writes them.
                    if !self.is_shared() {
                        self.view.heal(partition, epoch, live);
                    }
                }
                Fact::Recorded { offset, record, stands } => {
                    self.meters.recorded(partition, &record, stands.as_ref(), &plans);
                    self.on_call.recorded(partition, &record, stands.as_ref(), &plans);
                    if !self.is_shared() {
                        self.view.fold(partition, offset, &record, stands);
                        self.followers.tell(partition, offset, &record);
                    }
                    if let Some(decisions) = self.decisions.get(partition as usize) {
                        decisions.recorded(&record);
                    }
                    self.let_go(partition, record.read);
                }
                Fact::Known { request, instance: _ } => {
                    if let Some(decisions) = self.decisions.get(partition as usize) {
                        decisions.decided(request, Decision::Known);
                    }
                }
                Fact::View { token, instance } => {
                    self.looked(token, instance.map_or(Looked::Nothing, Looked::Instance));
                }
                Fact::Blind { token } => self.looked(token, Looked::Blind),
                Fact::Undeliverable { topic, key, why } => {
                    self.on_call.undeliverable(partition, &topic, &key, &why);
                }
                Fact::Refused { why } => tracing::warn!(partition, %why, "the log refuses a record of the journal"),
                Fact::Overtaken { begins, checkpoint } => {
                    let journal = &self.topics.journal;
                    tracing::error!(
                        partition,
                        "partition {partition} of {journal} begins at {begins}, and its last checkpoint was at \
                         {checkpoint}: records were deleted that a recovery needs; another checkpoint is written at once, \
                         and what ended before is not listed any more; {journal} must have retention.ms=-1 and \
                         retention.bytes=-1, and nobody else may delete its records"
                    );
                }
                Fact::Whole { checkpoint } => {
                    tracing::warn!(
                        partition,
                        checkpoint,
                        "the journal is whole again: a recovery finds all that it needs"
                    );
                }
                Fact::Trouble { why } => {
                    let before = self.troubles().insert(partition, why.clone());
                    if before.as_ref() != Some(&why) {
                        tracing::warn!(partition, %why, "the log does not answer for now; it is asked again");
                    }
                }
                Fact::Stopped(stop) => {
                    if stop.is_gap() || self.is_open.load(Ordering::Relaxed) {
                        tracing::error!(partition, %stop, "the partition stands still");
                    }
                    self.meters.idle(partition, false);
                    let (why, is_gap) = (Arc::from(format!("failed to {stop}")), stop.is_gap());
                    self.set_state(partition, PartitionState::Stopped { why, is_gap });
                }
            }
        }
    }

    fn has_read(&self, partition: u32, read: Positions) {
        self.meters.has_read(partition, read);
    }

    fn wake(&self, partition: u32) {
        self.tell(partition, [Told::Tick]);
    }

    fn panicked(&self, partition: u32, next: AfterPanic) {
        // Their tasks' answers are lost with its state.
        self.looks().retain(|_, (of, _)| *of != partition);
        let state = match next {
            AfterPanic::Recovers => PartitionState::Recovering,
            AfterPanic::StandsStill => PartitionState::Stopped {
                why: Arc::from("its task panicked again and again, which is a bug of saga's"),
                is_gap: false,
            },
        };
        self.set_state(partition, state);
    }
}
