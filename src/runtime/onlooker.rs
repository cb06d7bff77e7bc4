//! Looks into a data directory beside whoever holds it, and changes nothing: no lock, no claim, no timer.
//!
//! What it sees is the log as of the instant at which it was opened. A live instance is read as an owner recovers it,
//! an ended one is replayed.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use super::client::Client;
use super::definitions::Stored;
use super::error::{Error, OpenError};
use super::history::History;
use super::listed::{self, Listed};
use super::orchestrator::Shown;
use super::partition::{Recovered, Stop, lost};
use super::reading::{self, Begin};
use super::view::{Filter, Found, Overlay, Row, ViewError};
use crate::engine::InstanceId;
use crate::journal::{Ledger, Plans};
use crate::log::embedded::Embedded;
use crate::log::{DEFINITIONS, REPLIES, REQUESTS, Topics, partition_of};

/// A data directory as it was at one instant.
pub struct Onlooker {
    pub(super) log: Embedded,
    client: Client,
    plans: Arc<Plans>,
    view: Mutex<Overlay>,
    /// What the partitions knew; read when it is first asked for.
    ledgers: Vec<OnceCell<Ledger>>,
}

impl Onlooker {
    /// Opens it.
    ///
    /// # Errors
    /// There is none, or something in it cannot be read: each error says what to do.
    pub async fn open(directory: &Path) -> Result<Self, OpenError> {
        let (log, rows) = Embedded::look(directory)?;
        let view = Mutex::new(Overlay::new(rows)?);
        let client = Client::new(&log);
        let range = log.range(DEFINITIONS, 0);
        let mut stored = Stored::default();
        stored.read(&client, &Topics::default().definitions, range.start, range.end).await?;
        let plans = Arc::new(stored.compile_all()?);
        let ledgers = (0..log.layout().partitions).map(|_| OnceCell::new()).collect();
        Ok(Self { log, client, plans, view, ledgers })
    }

    /// All definitions.
    #[must_use]
    pub fn plans(&self) -> Arc<Plans> {
        Arc::clone(&self.plans)
    }

    pub(super) fn view(&self) -> MutexGuard<'_, Overlay> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A partition's ledger; with it the view is right for the partition.
    async fn ledger(&self, partition: u32) -> Result<&Ledger, Error> {
        let cell = self.ledgers.get(partition as usize).ok_or(Error::Closed)?;
        cell.get_or_try_init(|| async {
            let journal = Topics::default().journal;
            let range = self.log.range(&journal, partition);
            let known = self.view().position(partition).map(|position| position.last);
            let known = known.filter(|last| (range.start..range.end).contains(last));
            let begin = known.map_or(Begin::Start(range.start), Begin::Counting);
            let fold = |offset, record: &_, _| Ok(self.view().fold(partition, offset, record)?);
            reading::read(&self.client, &journal, (partition, range), begin, fold).await?;
            let ledger = reading::ledger(&self.client, &journal, partition, range, &self.plans).await?;
            let live: Vec<Recovered> = ledger.all_live().map(|live| Recovered::of(&live)).collect();
            self.view().heal(partition, range.end, live)?;
            Ok(ledger)
        })
        .await
        .map_err(|error| reading::unreadable(partition, error))
    }

    /// Brings all partitions up to date. One whose journal is damaged hides nothing of the others: [`stopped`](Self::stopped)
    /// tells of it.
    async fn all(&self) -> Result<(), Error> {
        for partition in 0..self.log.layout().partitions {
            match self.ledger(partition).await {
                Ok(_) | Err(Error::Unreadable(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn of(&self, id: &InstanceId) -> Result<&Ledger, Error> {
        self.ledger(partition_of(id.as_str(), self.log.layout().partitions)).await
    }

    /// An instance, live or ended.
    ///
    /// # Errors
    /// It is unknown, or cannot be read.
    pub async fn get(&self, id: &InstanceId) -> Result<Shown, Error> {
        if let Some(live) = self.of(id).await?.live(id) {
            return Ok(Shown { instance: Arc::new(live.instance.clone()), plan: Arc::clone(&live.plan) });
        }
        let replayed = self.history(id).await?.replay(&self.plans, |_, _| true).await?;
        let instance = replayed.ok_or_else(|| Error::Unknown { id: id.clone() })?;
        match self.plans.by_hash(&instance.definition) {
            Some(plan) => Ok(Shown { plan: Arc::clone(plan), instance: Arc::new(instance) }),
            None => Err(Error::NoDefinition { id: id.clone(), hash: Arc::clone(&instance.definition) }),
        }
    }

    /// An instance in short, live or ended.
    ///
    /// # Errors
    /// It is unknown, or cannot be read.
    pub async fn row(&self, id: &InstanceId) -> Result<Row, Error> {
        self.of(id).await?;
        self.view().row(id)?.ok_or_else(|| Error::Unknown { id: id.clone() })
    }

    /// Instances by filter, and why others are left out: their rows are damaged.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub async fn list(&self, filter: &Filter) -> Result<(Found, Vec<ViewError>), Error> {
        self.all().await?;
        Ok(self.view().list(filter)?)
    }

    /// The definitions that are in the log.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub async fn definitions(&self) -> Result<Vec<Listed>, Error> {
        self.all().await?;
        let range = self.log.range(DEFINITIONS, 0);
        let since = listed::since(&self.client, &Topics::default().definitions, range, &self.plans).await;
        let since = since.map_err(|error| Error::Look(OpenError::Read(error)))?;
        Ok(listed::listed(&self.plans, &since, &self.view().live_definitions()?))
    }

    /// The records of an instance's latest run.
    ///
    /// # Errors
    /// It is unknown, or cannot be read.
    pub async fn history(&self, id: &InstanceId) -> Result<History, Error> {
        Ok(self.records(&self.row(id).await?))
    }

    /// The partition to which an instance belongs.
    #[must_use]
    pub fn partition(&self, id: &InstanceId) -> u32 {
        partition_of(id.as_str(), self.log.layout().partitions)
    }

    /// Partitions that would stand still for their inputs or their journal, with why.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub async fn stopped(&self) -> Result<Vec<(u32, Arc<Stop>)>, Error> {
        let mut stopped = Vec::new();
        for partition in 0..self.log.layout().partitions {
            let read = match self.ledger(partition).await {
                Ok(ledger) => ledger.read,
                Err(Error::Unreadable(why)) => {
                    stopped.push((partition, why));
                    continue;
                }
                Err(error) => return Err(error),
            };
            for (topic, read) in [(REQUESTS, read.requests), (REPLIES, read.replies)] {
                let range = self.log.range(topic, partition);
                stopped.extend(lost(partition, &Arc::from(topic), read, range).map(|stop| (partition, stop.into())));
            }
        }
        Ok(stopped)
    }
}
