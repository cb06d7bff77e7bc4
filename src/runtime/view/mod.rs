//! The queryable view of all instances, live and ended: a table beside the log, made of good records alone.
//!
//! ```text
//!   good record -> fold -> rows in memory --a few hundred, or when somebody looks--> table `instance`, in a log commit
//! ```
//!
//! It is a reader of the journal like any other, and keeps up to where it has read in the same file: after a crash it
//! reads on from there, so it is never missing a record and never ahead of the truth. It holds no instance in memory
//! but those whose newest record is not in the table yet. A recovery of a partition mends the rows of its live instances.

mod fold;
mod heal;
mod overlay;
mod sums;
mod table;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use compact_str::CompactString;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::engine::{InstanceId, Place, Run, Summary};
use crate::journal::record::Record;
use crate::log::JOURNAL;
use crate::log::embedded::{Embedded, Held, Options, Written};

use super::error::OpenError;
use super::partition::{Recovered, Stands};

use self::fold::Folding;
pub(super) use self::fold::Position;
pub(super) use self::overlay::Overlay;
use self::table::TABLE;

/// So many rows are gathered before they go to the table by themselves: an insert costs a fraction in a crowd, and so
/// many are read again after a crash.
const GATHERED_MAX: usize = 512;

/// The most rows that one question answers.
pub const LIST_MAX: usize = 10_000;

/// An instance in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: InstanceId,
    /// Which life of it.
    pub run: Run,
    /// Its saga's name.
    pub saga: CompactString,
    /// The hash of its definition.
    pub definition: CompactString,
    /// Where it stands.
    pub state: Summary,
    /// The places that wait for a person.
    pub stuck: Vec<Place>,
    /// Changes so far.
    pub seq: u64,
    /// When it began.
    pub started: crate::time::Timestamp,
    /// When it last changed.
    pub changed: crate::time::Timestamp,
    /// Its partition.
    pub partition: u32,
    /// The offset of its first record.
    pub first: u64,
    /// The offset of its latest record, which need not have changed it.
    pub last: u64,
    /// Why it fails or failed, in short.
    pub why: Option<String>,
}

/// Which instances are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// In one of these states; empty: in any that is no end.
    pub states: Vec<Summary>,
    /// Of this saga.
    pub saga: Option<CompactString>,
    /// That wait for a person at this step, in whatever element or round where no index is said.
    pub step: Option<CompactString>,
    /// At most so many, at most [`LIST_MAX`]; none: 100.
    pub limit: Option<usize>,
}

impl Filter {
    /// All instances, ended ones too.
    #[must_use]
    pub fn everything() -> Self {
        Self { states: RANKED.to_vec(), ..Self::default() }
    }

    /// Whether only live instances are wanted.
    #[must_use]
    pub fn is_of_live(&self) -> bool {
        !self.ranked().any(is_end)
    }

    /// The states that are wanted, what needs a person first.
    fn ranked(&self) -> impl Iterator<Item = Summary> {
        RANKED.into_iter().filter(|state| self.wants(*state))
    }

    /// Whether instances that stand so are wanted.
    #[must_use]
    pub fn wants(&self, state: Summary) -> bool {
        if self.states.is_empty() { !is_end(state) } else { self.states.contains(&state) }
    }
}

/// What a filter finds, all of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What needs a person first, of the live ones in each state those that changed longest ago; then those that ended
    /// last. As many as the filter's limit allows.
    pub rows: Vec<Row>,
    /// How many instances there are in each state that is wanted and has some, whatever the limit.
    pub counts: Vec<(Summary, u64)>,
}

impl Found {
    /// Counts one as it stands now, and no longer as its row says.
    pub fn recount(&mut self, filter: &Filter, row: Summary, now: Summary) {
        let mut counts: BTreeMap<Summary, u64> = self.counts.iter().copied().collect();
        counts.entry(row).and_modify(|count| *count = count.saturating_sub(1));
        *counts.entry(now).or_default() += 1;
        let of = |state: Summary| counts.get(&state).map(|count| (state, *count)).filter(|(_, count)| *count > 0);
        self.counts = filter.ranked().filter_map(of).collect();
    }
}

/// Whether nothing more happens to what stands so.
const fn is_end(state: Summary) -> bool {
    matches!(state, Summary::Completed | Summary::Compensated)
}

/// What needs a person first, ended ones last.
const RANKED: [Summary; 5] =
    [Summary::Stuck, Summary::Compensating, Summary::Running, Summary::Compensated, Summary::Completed];

/// Why the view cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The table cannot be read.
    #[error("look into the view of instances, the tables `instance` and `viewed` of saga.db: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The log was closed meanwhile.
    #[error("look into the view of instances: the data directory was closed")]
    Closed,
    /// The table cannot be made.
    #[error("make the view of instances, the table `instance` of saga.db: {why}")]
    NotMade {
        /// What SQLite says.
        why: String,
    },
    /// A row is not what was written.
    #[error(
        "look into the view of instances: the row of `{id}` in table `instance` of {file} is damaged ({what}). Nothing is \
         lost: whoever opens the directory next to run sagas or to give an order (`saga serve`, `saga run`, `saga retry`) \
         makes the row anew from the journal; a server that has it open is to be started again"
    )]
    Damaged {
        /// The row's id.
        id: String,
        /// The file.
        file: String,
        /// What is wrong.
        what: &'static str,
    },
}

/// What the names of folders of views begin with that are made from what the log has.
const SCRATCH: &str = "saga-view-";

/// Another process may be about to take the lock of a folder that is younger.
const SWEPT_AFTER: Duration = Duration::from_mins(10);

/// Removes what processes left behind that were killed.
fn sweep() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.filter_map(Result::ok) {
        let is_view = entry.file_name().to_str().is_some_and(|name| name.starts_with(SCRATCH));
        let is_old = || {
            let changed = entry.metadata().and_then(|folder| folder.modified()).ok();
            changed.and_then(|changed| changed.elapsed().ok()).is_some_and(|age| age > SWEPT_AFTER)
        };
        if is_view && is_old() && matches!(Embedded::held(&entry.path()), Ok(Held::Free)) {
            // Somebody else may be sweeping, too.
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

/// The view.
pub(super) struct View {
    log: Arc<Embedded>,
    folding: Mutex<Folding>,
    reading: Arc<Mutex<Connection>>,
    /// The journals' starts as far as ended instances have been forgotten by them.
    starts: Mutex<BTreeMap<u32, u64>>,
    /// Its folder, if nothing else is in it.
    scratch: Option<PathBuf>,
}

impl View {
    /// Opens the table, and makes it if it is not there.
    pub(super) async fn open(log: &Arc<Embedded>) -> Result<Self, ViewError> {
        let (done, made) = oneshot::channel();
        log.aside(Box::new(table::Make { done, why: RefCell::default() }));
        match made.await {
            Ok(Ok(())) => {}
            Ok(Err(Some(why))) => return Err(ViewError::NotMade { why }),
            Ok(Err(None)) | Err(_) => return Err(ViewError::Closed),
        }
        let connection = log.connect()?;
        let folding = Folding::new(table::positions(&connection)?);
        let reading = Arc::new(Mutex::new(connection));
        Ok(Self {
            log: Arc::clone(log),
            folding: Mutex::new(folding),
            reading,
            starts: Mutex::default(),
            scratch: None,
        })
    }

    /// One in a folder of its own, for as long as it is open: it is made from what the log has.
    pub(super) async fn scratch() -> Result<Self, OpenError> {
        sweep();
        let folder = std::env::temp_dir().join(format!("{SCRATCH}{}", uuid::Uuid::now_v7()));
        let options = Options { owner: "a view".to_owned(), partitions: Some(1), ..Options::default() };
        let log = Arc::new(Embedded::open(&folder, &options)?);
        let view = Self::open(&log).await?;
        Ok(Self { scratch: Some(folder), ..view })
    }

    /// Ends it, if nothing else lives there.
    pub(super) fn close(&self) {
        if let Some(folder) = &self.scratch {
            self.log.close();
            if let Err(error) = std::fs::remove_dir_all(folder) {
                tracing::debug!(%error, folder = %folder.display(), "a view's folder is left behind");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Folding> {
        self.folding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where reading a partition's journal goes on.
    pub(super) fn position(&self, partition: u32) -> Option<Position> {
        self.lock().position(partition)
    }

    /// Takes a good record, and where its instance stands behind it if that is known.
    pub(super) fn fold(&self, partition: u32, offset: u64, record: &Record, stands: Option<Stands>) {
        let mut folding = self.lock();
        folding.take(partition, offset, record, stands);
        if folding.gathered() >= GATHERED_MAX {
            self.flush_of(&mut folding, None);
            drop(folding);
            self.forget(partition);
        }
    }

    /// Mends the rows of a partition's live instances: these are all of them.
    pub(super) fn heal(&self, partition: u32, epoch: u64, live: Vec<Recovered>) {
        let mut folding = self.lock();
        self.flush_of(&mut folding, None);
        self.log.aside(Box::new(heal::Heal { of: TABLE, partition, epoch, live }));
    }

    /// Hands over what is gathered. The lock is held until it is, so that rows go to the table in their order.
    fn flush_of(&self, folding: &mut Folding, done: Option<oneshot::Sender<Written>>) {
        self.log.aside(Box::new(table::Flush { into: TABLE, rows: folding.take_rows(), done }));
    }

    /// Forgets ended instances of which retention has taken the last record.
    fn forget(&self, partition: u32) {
        let start = self.log.range(JOURNAL, partition).start;
        let mut starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        if starts.insert(partition, start).unwrap_or_default() < start {
            self.log.aside(Box::new(table::Forget { partition, start }));
        }
    }

    /// Forgets a partition, to be told of it anew.
    pub(super) fn forget_all(&self, partition: u32) {
        let mut folding = self.lock();
        folding.forget(partition);
        self.log.aside(Box::new(table::ForgetAll { partition }));
    }

    /// Brings the table up to date, and waits for it.
    async fn flush(&self) -> Result<(), ViewError> {
        let (done, flushed) = oneshot::channel();
        self.flush_of(&mut self.lock(), Some(done));
        match flushed.await {
            Ok(Written::Yes) => Ok(()),
            Ok(Written::No) | Err(_) => Err(ViewError::Closed),
        }
    }

    /// Brings the table up to date, and does not wait.
    pub(super) fn flush_later(&self) {
        self.flush_of(&mut self.lock(), None);
    }

    /// An instance's latest run.
    pub(super) async fn row(&self, id: &InstanceId) -> Result<Option<Row>, ViewError> {
        let id = id.clone();
        self.query(move |connection| table::row(connection, &id)).await
    }

    /// The lives of an id, the newest first.
    pub(super) async fn lives(&self, id: &InstanceId) -> Result<Vec<Row>, ViewError> {
        let id = id.clone();
        self.query(move |connection| table::lives(connection, &id)).await
    }

    /// Instances by filter.
    pub(super) async fn list(&self, filter: Filter) -> Result<Found, ViewError> {
        self.query(move |connection| {
            // The owner writes on meanwhile: rows and counts are of one moment.
            let moment = connection.unchecked_transaction()?;
            let found = table::list(&moment, &filter, &mut |damaged| Err(damaged))?;
            moment.commit()?;
            Ok(found)
        })
        .await
    }

    /// How many live instances run by each definition.
    pub(super) async fn live_by_definition(&self, saga: &str) -> Result<Vec<(CompactString, u64, String)>, ViewError> {
        let saga = CompactString::from(saga);
        self.query(move |connection| table::live_by_definition(connection, &saga)).await
    }

    /// The definitions by which live instances run, and how many by each.
    pub(super) async fn live_definitions(&self) -> Result<BTreeMap<String, u64>, ViewError> {
        self.query(table::live_definitions).await
    }

    async fn query<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, ViewError> {
        self.flush().await?;
        let reading = Arc::clone(&self.reading);
        let asked = tokio::task::spawn_blocking(move || ask(&reading.lock().unwrap_or_else(PoisonError::into_inner)));
        asked.await.unwrap_or(Err(ViewError::Closed))
    }
}
