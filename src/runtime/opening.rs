//! How an orchestrator begins: on a data directory of its own, or with others on a log that they share.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, watch};

use super::client::{self, Client};
use super::decisions::REQUESTS_AT_ONCE;
use super::definitions::{Stored, Strangers};
use super::driver::Driver;
#[cfg(not(feature = "otlp"))]
use super::driver::Watch;
use super::error::OpenError;
use super::gate::{self, Gate};
use super::journals;
use super::orchestrator::{Options, Orchestrator};
use super::partition::{Config, Turnstile};
use super::patience::{unless_forbidden, while_written};
use super::readers::Readers;
use super::shared::{Core, Inboxes, PartitionState};
#[cfg(feature = "otlp")]
use super::traces;
use super::view::View;
use crate::log::embedded::{self, Embedded};
use crate::log::{Reports, Site};

impl Orchestrator {
    /// Opens a data directory, makes it if it is not there, and recovers all partitions.
    ///
    /// # Errors
    /// The directory cannot be opened, or something in it cannot be read: each error says what to do.
    pub async fn open(directory: &Path, options: &Options) -> Result<Self, OpenError> {
        let log_options = embedded::Options {
            owner: options.owner.clone(),
            server: options.server.clone(),
            partitions: options.partitions,
            ..embedded::Options::default()
        };
        let log = Arc::new(Embedded::open(directory, &log_options)?);
        let unwritable = |why| OpenError::Unwritable { path: directory.to_owned(), why };
        let view = while_written(&log, options.patience, View::open(&log)).await.map_err(unwritable)??;
        let orchestrator =
            Self::begin(Arc::clone(&log) as Arc<dyn Site>, Some(log), view, (options, Strangers::Said)).await?;
        orchestrator.run(options)?;
        let recovered = orchestrator.recovered();
        while_written(&orchestrator.core.log, options.patience, recovered).await.map_err(unwritable)??;
        orchestrator.core.is_open.store(true, Ordering::Relaxed);
        Ok(orchestrator)
    }

    /// Takes part in running the sagas of a log that several processes share. Partitions come and go; instances of all
    /// of them can be asked for.
    ///
    /// # Errors
    /// Something in it cannot be read, or there is no place for what is kept of it on this machine meanwhile.
    pub async fn join(log: Arc<dyn Site>, options: &Options) -> Result<Self, OpenError> {
        let view = View::scratch().await?;
        let orchestrator = Self::begin(log, None, view, (options, Strangers::Said)).await?;
        orchestrator.core.is_open.store(true, Ordering::Relaxed);
        orchestrator.run(options)?;
        journals::watch(&orchestrator.core);
        Ok(orchestrator)
    }

    /// Looks at a log that several processes share, and puts requests into it, but runs nothing.
    ///
    /// # Errors
    /// Something in it cannot be read, or there is no place for what is kept of it on this machine meanwhile.
    pub async fn visit(log: Arc<dyn Site>) -> Result<Self, OpenError> {
        let view = View::scratch().await?;
        Self::begin(log, None, view, (&Options::default(), Strangers::Unsaid)).await
    }

    async fn begin(
        log: Arc<dyn Site>,
        directory: Option<Arc<Embedded>>,
        view: View,
        (options, strangers): (&Options, Strangers),
    ) -> Result<Self, OpenError> {
        let client = Client::new(&log);
        let topics = log.topics();
        let read = client::patiently(&log, async || {
            let range = client::range(&log, &topics.definitions, 0).await?;
            let mut stored = Stored::of(&*log, strangers);
            stored.read(&client, &topics.definitions, range.start, range.end).await?;
            Ok((stored, range.end))
        });
        let read = unless_forbidden(&log, read).await;
        let (stored, end) = read.map_err(|why| OpenError::Site { why: format!("read the definitions: {why}") })??;
        let plans = Arc::new(stored.compile_all()?);
        let (learning, learned) = watch::channel(end);
        let core = Arc::new(Core::new(log, client.clone(), view, plans, learned));
        if core.is_shared() {
            gate::follow(&core, stored, end, learning);
        } else {
            for partition in 0..core.log.partitions() {
                core.catch_up(partition).await?;
            }
        }
        let looks = (0..core.log.partitions()).map(|_| tokio::sync::Mutex::default()).collect();
        Ok(Self {
            core,
            client,
            looks,
            directory,
            at_once: Semaphore::new(REQUESTS_AT_ONCE),
            deploying: tokio::sync::Mutex::new(()),
            drivers: Mutex::default(),
            patience: options.patience,
            readers: Readers::default(),
        })
    }

    /// Begins to own partitions, and to run what is in them.
    fn run(&self, options: &Options) -> Result<(), OpenError> {
        let core = &self.core;
        let reports: Arc<dyn Reports> =
            if core.is_shared() { Arc::new(Gate::to(core)) } else { Arc::new(Inboxes(core.inboxes.clone())) };
        let owned = core.log.own(reports).map_err(|why| OpenError::Site { why })?;
        core.owns(&owned);
        #[cfg(feature = "otlp")]
        let (owned, watch) = traces::traced(core, owned);
        #[cfg(not(feature = "otlp"))]
        let watch = Arc::clone(core) as Arc<dyn Watch>;
        // One process has all partitions of a log that is not shared, and keeps them.
        let turns = (!core.is_shared()).then(|| Turnstile::of_all(core.log.partitions()));
        // Of a log that is shared, the view is made of the journals; traces alone are taken up.
        #[cfg(feature = "otlp")]
        let told_of_shared = traces::OPEN_MAX;
        #[cfg(not(feature = "otlp"))]
        let told_of_shared = 0;
        let told_max = if core.is_shared() { told_of_shared } else { usize::MAX };
        let mut drivers = self.drivers.lock().unwrap_or_else(PoisonError::into_inner);
        for (partition, inbox) in (0..core.log.partitions()).zip(&core.inboxes) {
            let mut config = Config::new(partition, core.log.partitions(), options.owner.as_str());
            (config.remember, config.retain) = (options.remember, options.retain);
            config.checkpoint_bytes = options.checkpoint_bytes;
            config.topics = core.topics.clone();
            config.told_max = told_max;
            if let Some(turns) = &turns {
                config.turns = Arc::clone(turns);
            }
            let (owned, watch) = (Arc::clone(&owned), Arc::clone(&watch));
            drivers.push(Driver::start(config, core.plans(), Arc::clone(inbox), owned, watch)?);
        }
        Ok(())
    }

    /// Waits until every partition runs, or stands still for what a person can accept.
    async fn recovered(&self) -> Result<(), OpenError> {
        for (partition, state) in (0..).zip(&self.core.states) {
            // What a task finds at its first reads it knows before it answers a question.
            self.core.settled(partition).await;
            let state = state.borrow().clone();
            if let PartitionState::Stopped { why, is_gap: false } = state {
                let why = why.strip_prefix("failed to ").unwrap_or(&why);
                return Err(OpenError::Stopped { why: why.to_owned() });
            }
        }
        Ok(())
    }
}
