//! The orchestrator: what the command line, the HTTP API and tests use to run sagas on one data directory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use compact_str::CompactString;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::client::{self, Client};
use super::decisions::Accepted;
use super::driver::Driver;
use super::error::Error;
use super::followers::Follow;
use super::history::History;
use super::mirror::Depth;
use super::partition::{Config, Signed, Stop, Told};
use super::patience::while_written;
use super::readers::Readers;
use super::shared::{Core, Looked, PartitionState};
use super::view::{Filter, Found, Row};
use crate::engine::{Instance, InstanceId, OrderRequest, ReplyTo, RequestId, Start};
use crate::journal::Plans;
use crate::json::Json;
use crate::log::embedded::Embedded;
use crate::log::{Health, Outcome, Site, partition_of};
use crate::plan::Plan;
use crate::time::Timestamp;
use crate::wire::{self, Ask, Request};

/// How an orchestrator is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// What this process calls itself, for people: `saga serve`.
    pub owner: String,
    /// Where this process answers, if it does: `http://127.0.0.1:7117`.
    pub server: Option<String>,
    /// Partitions of a new data directory; refused if an old one has another number.
    pub partitions: Option<u32>,
    /// How long ended instances are remembered, so that a repeated start is recognised.
    pub remember: Duration,
    /// How long the journal, and with it the history of ended instances, is kept.
    pub retain: Duration,
    /// The least growth of a partition's journal, in bytes, after which a checkpoint is taken: what a recovery reads.
    pub checkpoint_bytes: u64,
    /// How long a log that cannot be written is waited for when opening and when putting a request into it; none: for
    /// as long as it takes.
    pub patience: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        let usual = Config::new(0, 1, "");
        Self {
            owner: "saga".to_owned(),
            server: None,
            partitions: None,
            remember: usual.remember,
            retain: usual.retain,
            checkpoint_bytes: usual.checkpoint_bytes,
            patience: None,
        }
    }
}

/// An instance with its definition.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The instance, as of a good record.
    pub instance: Arc<Instance>,
    /// Its definition.
    pub plan: Arc<Plan>,
}

/// Runs sagas on one data directory, or with others on a log that they share. Closing is explicit and finishes what is under way; dropping it closes it too,
/// on the spot.
pub struct Orchestrator {
    pub(super) core: Arc<Core>,
    pub(super) client: Client,
    /// One a partition looks through what nobody has decided: of two reads of one client only the latest is answered.
    pub(super) looks: Vec<tokio::sync::Mutex<()>>,
    pub(super) directory: Option<Arc<Embedded>>,
    pub(super) at_once: Semaphore,
    /// One deploys at a time, so that each sees what the one before made current.
    pub(super) deploying: tokio::sync::Mutex<()>,
    /// Taken by the first `close`: it releases the partitions, joins their threads, then closes the log.
    pub(super) drivers: Mutex<Vec<Driver>>,
    pub(super) patience: Option<Duration>,
    pub(super) readers: Readers,
}

impl Orchestrator {
    /// Accepts that inputs of a partition are lost which cannot be read any more, and lets it go on behind them. Returns
    /// when that is journaled.
    ///
    /// # Errors
    /// The partition is another process's, does not stand still for that, or stands still again for something else.
    pub async fn accept_gap(&self, partition: u32, signed: Signed) -> Result<(), Error> {
        let state = self.core.states.get(partition as usize);
        let state = state.ok_or(Error::NoPartition { partition, count: self.core.log.partitions() })?;
        let before = state.borrow().clone();
        match before {
            PartitionState::Stopped { is_gap: true, .. } => {}
            PartitionState::Released if self.core.is_shared() => return Err(Error::NotOwned { partition }),
            _ => return Err(Error::NoGap { partition }),
        }
        if let Some(inbox) = self.core.inboxes.get(partition as usize) {
            inbox.tell([Told::AcceptGap(signed)]);
        }
        let mut changes = state.subscribe();
        let told = changes.wait_for(|state| *state != before).await.map(drop);
        told.map_err(|_| Error::Closed)?;
        self.core.settled(partition).await;
        self.core.runs(partition).await
    }

    /// The log, for whoever serves participants.
    #[must_use]
    pub fn log(&self) -> &Arc<dyn Site> {
        &self.core.log
    }

    /// The data directory, if that is where the log is.
    #[must_use]
    pub const fn directory(&self) -> Option<&Arc<Embedded>> {
        self.directory.as_ref()
    }

    /// Changes whenever others deploy.
    #[must_use]
    pub fn deployments(&self) -> watch::Receiver<u64> {
        self.core.learned.clone()
    }

    /// All definitions.
    #[must_use]
    pub fn plans(&self) -> Arc<Plans> {
        self.core.plans()
    }

    /// Asks for an instance to be started; an id is made where none is given, and the W3C trace context goes to all of its
    /// participants. Returns when the request is durable.
    ///
    /// # Errors
    /// There is no such saga, or the log does not take the request.
    pub async fn start(
        &self,
        saga: &str,
        id: Option<InstanceId>,
        input: Json,
        traceparent: Option<CompactString>,
    ) -> Result<(InstanceId, Accepted), Error> {
        if self.core.is_shared() && self.core.plans().current(saga).is_none() {
            self.core.learn().await;
        }
        if self.core.plans().current(saga).is_none() {
            return Err(Error::no_such_saga(&self.core.plans(), saga));
        }
        let id = id.unwrap_or_else(new_id);
        let start = Start { input, reply_to: None, traceparent };
        let ask = Ask::Start { saga: CompactString::from(saga), start };
        let request = Request { id: new_request_id(), instance: id.clone(), ask };
        Ok((id, self.request(&request, "/saga/orchestrator").await?))
    }

    /// Gives an order. Returns when it is durable.
    ///
    /// # Errors
    /// The log does not take it.
    pub async fn order(
        &self,
        instance: &InstanceId,
        order: OrderRequest,
        reply_to: Option<ReplyTo>,
    ) -> Result<Accepted, Error> {
        let ask = Ask::Order { order: order.clone(), reply_to };
        self.request(&Request { id: order.request, instance: instance.clone(), ask }, "/saga/orchestrator").await
    }

    /// Puts any request into the log; returns when it is durable.
    ///
    /// # Errors
    /// The log does not take it.
    pub async fn request(&self, request: &Request, source: &str) -> Result<Accepted, Error> {
        let place = self.at_once.acquire().await.map_err(|_| Error::Closed)?;
        let message = wire::request(request, source);
        let partition = self.partition(&request.instance);
        // Its decision may be another's.
        self.known(partition, Depth::News).await?;
        let (decide, decision) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let core = Arc::clone(&self.core);
        self.client.append_then(&self.core.topics.requests, partition, message, move |outcome| {
            if let Outcome::At(offset) = outcome
                && let Some(decisions) = core.decisions.get(partition as usize)
            {
                decisions.wait(offset, decide);
            }
            drop(tell.send(outcome));
        });
        let told = while_written(&self.core.log, self.patience, told).await;
        let outcome = told.map_err(|why| Error::Uncertain { why })?.unwrap_or(Outcome::Unknown);
        drop(place);
        let topic = &self.core.topics.requests;
        match outcome {
            Outcome::At(offset) => Ok(Accepted { partition, offset, decision }),
            // It is of no single request, and what was taken before went with it.
            Outcome::Refused(_) | Outcome::Unknown if !client::has(&self.core.log, topic).await => {
                Err(Error::Gone { topic: Arc::clone(topic) })
            }
            Outcome::Refused(why) if self.core.log.may_not_write(topic) => {
                Err(Error::Forbidden { why: why.to_string() })
            }
            Outcome::Refused(why) => Err(Error::Refused { why: why.to_string() }),
            Outcome::Unknown => Err(Error::Uncertain { why: self.why_unknown() }),
        }
    }

    fn why_unknown(&self) -> String {
        match self.core.log.health() {
            Health::Waiting { why, .. } | Health::Failed { why } => why,
            Health::Writing | Health::Unfit { .. } => "it was busy".to_owned(),
            Health::Closed => "it was closed".to_owned(),
        }
    }

    /// An instance, live or ended, as its newest good record has it.
    ///
    /// # Errors
    /// It is unknown, or cannot be read.
    pub async fn get(&self, id: &InstanceId) -> Result<Shown, Error> {
        if let Some(instance) = self.look(id).await? {
            return self.shown(instance);
        }
        if self.core.is_shared() {
            let partition = self.partition(id);
            self.known(partition, Depth::Live).await?;
            if let Some(shown) = self.core.mirrors.live(partition, id).await {
                return Ok(shown);
            }
        }
        self.replayed(id, |_, _| true).await
    }

    /// An instance as it was behind a change.
    ///
    /// # Errors
    /// It is unknown, or cannot be read.
    pub async fn at_seq(&self, id: &InstanceId, seq: u64) -> Result<Shown, Error> {
        self.replayed(id, move |of, _| of <= seq).await
    }

    async fn replayed(&self, id: &InstanceId, wanted: impl FnMut(u64, Timestamp) -> bool) -> Result<Shown, Error> {
        let history = self.history(id).await?;
        match history.replay(&self.core.plans(), wanted).await? {
            Some(instance) => self.shown(Arc::new(instance)),
            None => Err(Error::Unknown { id: id.clone() }),
        }
    }

    fn shown(&self, instance: Arc<Instance>) -> Result<Shown, Error> {
        match self.core.plans().by_hash(&instance.definition) {
            Some(plan) => Ok(Shown { plan: Arc::clone(plan), instance }),
            None => Err(Error::NoDefinition { id: instance.id.clone(), hash: Arc::clone(&instance.definition) }),
        }
    }

    /// A live instance. Waits for a partition that recovers.
    async fn look(&self, id: &InstanceId) -> Result<Option<Arc<Instance>>, Error> {
        let partition = self.partition(id);
        if self.core.is_shared() && !self.core.is_running(partition) {
            return Ok(None);
        }
        loop {
            match self.core.look(partition, id).await {
                // Another may own it.
                Some(Looked::Blind) | None if self.core.is_shared() => return Ok(None),
                Some(Looked::Instance(instance)) => return Ok(Some(instance)),
                Some(Looked::Nothing) => return Ok(None),
                Some(Looked::Blind) | None => match self.core.runs(partition).await {
                    // What its journal says of the instance stands all the same.
                    Err(Error::Stopped { .. }) => return Ok(None),
                    runs => runs?,
                },
            }
        }
    }

    pub(super) fn partition(&self, id: &InstanceId) -> u32 {
        partition_of(id.as_str(), self.core.log.partitions())
    }

    /// Brings up to now what is known of a partition that others may own.
    pub(super) async fn known(&self, partition: u32, depth: Depth) -> Result<(), Error> {
        if self.core.is_shared() { self.core.mirrors.look(&self.core, partition, depth).await } else { Ok(()) }
    }

    /// The same of all partitions, at once. Gives back those of which the journal cannot be read: they hide nothing of the others.
    pub(super) async fn all(&self, depth: Depth) -> Result<BTreeMap<u32, Arc<Stop>>, Error> {
        let mut looks = JoinSet::new();
        for partition in 0..self.core.log.partitions() {
            let core = Arc::clone(&self.core);
            if core.is_shared() {
                looks.spawn(async move { (partition, core.mirrors.look(&core, partition, depth).await) });
            }
        }
        let mut unreadable = BTreeMap::new();
        while let Some(looked) = looks.join_next().await {
            match looked.map_err(|_| Error::Closed)? {
                (_, Ok(())) => {}
                (partition, Err(Error::Unreadable(why))) => drop(unreadable.insert(partition, why)),
                (_, Err(error)) => return Err(error),
            }
        }
        Ok(unreadable)
    }

    /// Brings up to now what is known of the instances that a filter wants. What cannot be known is told by the backlog.
    async fn wanted(&self, filter: &Filter) -> Result<(), Error> {
        self.all(if filter.is_of_live() { Depth::Live } else { Depth::All }).await.map(drop)
    }

    /// An instance in short, live or ended.
    ///
    /// # Errors
    /// It is unknown, or the view cannot be read.
    pub async fn row(&self, id: &InstanceId) -> Result<Row, Error> {
        let partition = self.partition(id);
        self.known(partition, Depth::Live).await?;
        let mut row = self.core.view.row(id).await?;
        // It may have begun before the last checkpoint.
        if self.core.is_shared() && row.as_ref().is_none_or(|row| row.first == 0) {
            self.known(partition, Depth::All).await?;
            row = self.core.view.row(id).await?;
        }
        match row {
            Some(row) => Ok(row),
            None if self.is_undecided(id).await? => Err(Error::Undecided { id: id.clone() }),
            None => Err(Error::Unknown { id: id.clone() }),
        }
    }

    /// Instances by filter.
    ///
    /// # Errors
    /// The view cannot be read.
    pub async fn list(&self, filter: Filter) -> Result<Found, Error> {
        self.wanted(&filter).await?;
        Ok(self.core.view.list(filter).await?)
    }

    /// The hashes of the definitions by which live instances run, and how many by each. What cannot be known is told by the
    /// backlog.
    ///
    /// # Errors
    /// The view cannot be read.
    pub async fn live_by_definition(&self) -> Result<BTreeMap<String, u64>, Error> {
        self.all(Depth::Live).await?;
        Ok(self.core.view.live_definitions().await?)
    }

    /// An instance's good records from now on; it need not have begun.
    #[must_use]
    pub fn follow(&self, id: &InstanceId) -> Follow {
        self.core.followers.follow(id)
    }

    /// The records of an instance's latest run until now.
    ///
    /// # Errors
    /// It is unknown, or the view cannot be read.
    pub async fn history(&self, id: &InstanceId) -> Result<History, Error> {
        Ok(self.records(&self.row(id).await?))
    }

    /// What is counted and timed since it was opened, in the `OpenMetrics` text format that Prometheus reads.
    pub async fn metrics(&self) -> String {
        self.core.metrics().await
    }

    /// For the metrics: participants and their topics of commands, as of the latest look, and whether nobody reads them.
    pub fn has_unread(&self, commands: impl IntoIterator<Item = (String, String, bool)>) {
        self.core.meters.unread(commands);
    }

    /// Whether it is known by now which partitions are this process's; none is an answer, too.
    #[must_use]
    pub fn has_joined(&self) -> bool {
        self.core.has_joined()
    }

    /// Whether so many requests are under way that another one would only wait.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.at_once.available_permits() == 0
    }

    /// How the partitions are.
    #[must_use]
    pub fn partitions(&self) -> Vec<PartitionState> {
        self.core.states.iter().map(|state| state.borrow().clone()).collect()
    }

    /// Finishes what is under way, says so in the journal, and closes the data directory. What does not finish in time
    /// goes on when it is opened again. A second call does nothing.
    pub async fn close(&self) {
        let drivers = self.take_drivers();
        let core = Arc::clone(&self.core);
        let closing = tokio::task::spawn_blocking(move || core.close(drivers));
        if closing.await.is_err() {
            tracing::error!("closing panicked; nothing is lost");
        }
    }

    fn take_drivers(&self) -> Vec<Driver> {
        std::mem::take(&mut *self.drivers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Orchestrator {
    fn drop(&mut self) {
        self.core.close(self.take_drivers());
    }
}

fn new_id() -> InstanceId {
    InstanceId::try_from(Uuid::now_v7().to_string().as_str())
        .expect("a UUID is a short text without control characters")
}

fn new_request_id() -> RequestId {
    RequestId::try_from(Uuid::now_v7().to_string().as_str()).expect("a UUID is a short text without control characters")
}
