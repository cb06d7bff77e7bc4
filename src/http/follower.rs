//! Follows one instance, from its first record to its last, across what comes while one reads.

use std::sync::Arc;

use super::api::ApiError;
use super::history::{self, Entry};
use super::view::{self, Shown};
use crate::engine::{Instance, InstanceId};
use crate::journal::record::{Body, Record};
use crate::log::Site;
use crate::runtime::{Error, Follow, History, Orchestrator};

/// One step of an instance's way.
#[derive(Debug)]
pub struct Step {
    /// What happened.
    pub entry: Entry,
    /// How it stands behind that.
    pub shown: Shown,
    /// Whether this is the newest that is known: before that, it is the past.
    pub age: Age,
}

/// Whether a step is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// More is known to have happened since.
    Past,
    /// The newest.
    Newest,
}

/// Reads the history, then what comes.
pub struct Follower {
    orchestrator: Arc<Orchestrator>,
    id: InstanceId,
    phase: Phase,
    instance: Option<Instance>,
    /// The offset of the last record that was taken.
    taken: Option<u64>,
}

enum Phase {
    Begin,
    /// In the history; the next of its records, and the news that gathers meanwhile.
    Past {
        history: Box<History>,
        ahead: Option<(u64, Arc<Record>)>,
        news: Follow,
    },
    News(Follow),
}

impl Follower {
    pub(super) const fn new(orchestrator: Arc<Orchestrator>, id: InstanceId) -> Self {
        Self { orchestrator, id, phase: Phase::Begin, instance: None, taken: None }
    }

    /// The next step; none when the log is closed. Behind the end of an instance it waits for ever: stop there.
    ///
    /// # Errors
    /// The instance's records cannot be read.
    pub async fn next(&mut self) -> Result<Option<Step>, ApiError> {
        loop {
            let (offset, record, age) = match &mut self.phase {
                Phase::Begin => {
                    // News first, so that nothing falls between the two.
                    let news = self.orchestrator.follow(&self.id);
                    let history = match self.orchestrator.history(&self.id).await {
                        // Its partition may be nobody's for a while: it begins when one takes it.
                        Err(Error::Unknown { .. } | Error::Undecided { .. }) if self.orchestrator.log().is_shared() => {
                            self.phase = Phase::News(news);
                            continue;
                        }
                        history => history?,
                    };
                    let mut history = Box::new(history);
                    let ahead = history.next().await?.map(|entry| (entry.offset, Arc::new(entry.record)));
                    self.phase = Phase::Past { history, ahead, news };
                    continue;
                }
                Phase::Past { history, ahead, .. } => {
                    let next = history.next().await?.map(|entry| (entry.offset, Arc::new(entry.record)));
                    let age = if next.is_some() { Age::Past } else { Age::Newest };
                    let Some((offset, record)) = std::mem::replace(ahead, next) else {
                        if self.taken.is_none() {
                            // A row without records: either its partition has the instance, or there will be no news.
                            self.orchestrator.get(&self.id).await.map_err(|error| self.no_records(error))?;
                        }
                        if let Phase::Past { news, .. } = std::mem::replace(&mut self.phase, Phase::Begin) {
                            self.phase = Phase::News(news);
                        }
                        continue;
                    };
                    (offset, record, age)
                }
                Phase::News(news) => match news.next().await {
                    Some(followed) => (followed.offset, followed.record, Age::Newest),
                    // Closed, or we were too slow: the history knows.
                    None => match self.orchestrator.row(&self.id).await {
                        Ok(_) => {
                            self.phase = Phase::Begin;
                            continue;
                        }
                        Err(Error::View(_) | Error::Closed) => return Ok(None),
                        Err(error) => return Err(error.into()),
                    },
                },
            };
            if self.taken.is_some_and(|taken| offset <= taken) {
                continue;
            }
            self.taken = Some(offset);
            if let Some(step) = self.step(&record, age)? {
                return Ok(Some(step));
            }
        }
    }

    fn no_records(&self, error: Error) -> Error {
        match error {
            Error::Unknown { .. } => Error::NoRecords { id: self.id.clone() },
            error => error,
        }
    }

    fn step(&mut self, record: &Record, age: Age) -> Result<Option<Step>, ApiError> {
        let plans = self.orchestrator.plans();
        if let Body::Change { run, definition, change, .. } = &record.body {
            let no_definition = || Error::NoDefinition { id: self.id.clone(), hash: Arc::clone(definition) };
            let plan = plans.by_hash(definition).ok_or_else(no_definition)?;
            let fresh = self.instance.take().filter(|instance| instance.run == *run);
            let mut instance = fresh.unwrap_or_else(|| Instance::new(self.id.clone(), *run, plan));
            let applied = instance.apply(plan, change);
            self.instance = Some(instance);
            applied.map_err(|misfit| Error::Misfit { id: self.id.clone(), misfit })?;
        }
        let Some(instance) = &self.instance else { return Ok(None) };
        let Some(plan) = plans.by_hash(&instance.definition) else { return Ok(None) };
        let shown = view::shown(plan, instance);
        Ok(history::of_record(record, &plans).map(|entry| Step { entry, shown, age }))
    }
}
