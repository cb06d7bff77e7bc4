//! Which definitions there are: since when new instances run by which, and how many live ones run by each.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;

use super::client::{Client, ReadError};
use super::definitions::current_of;
use super::error::{Error, OpenError};
use super::orchestrator::Orchestrator;
use crate::journal::Plans;
use crate::log::Range;
use crate::plan::Plan;
use crate::time::Timestamp;

/// A definition that is in the log.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The definition.
    pub plan: Arc<Plan>,
    /// Since when new instances run by it; none: they do not.
    pub current: Option<Timestamp>,
    /// How many live instances run by it.
    pub live: u64,
}

/// Of each saga, since when what is current is.
pub(super) async fn since(
    client: &Client,
    topic: &Arc<str>,
    range: Range,
    plans: &Plans,
) -> Result<BTreeMap<CompactString, Timestamp>, ReadError> {
    let mut since = BTreeMap::new();
    let mut next = range.start;
    while next < range.end {
        let (records, _) = client.read(topic, 0, next).await?;
        let Some(last) = records.last() else { break };
        next = last.offset.saturating_add(1);
        for record in &records {
            if let Some((saga, hash)) = current_of(&record.message)
                && plans.current(saga).is_some_and(|plan| **plan.saga.hash() == *hash)
            {
                since.insert(CompactString::from(saga), record.timestamp);
            }
        }
    }
    Ok(since)
}

/// By their sagas' names and their versions.
pub(super) fn listed(
    plans: &Plans,
    since: &BTreeMap<CompactString, Timestamp>,
    live: &BTreeMap<String, u64>,
) -> Vec<Listed> {
    let listed = plans.all().map(|plan| {
        let saga = &plan.saga;
        let is_current = plans.current(&saga.name).is_some_and(|current| current.saga.hash() == saga.hash());
        let current = is_current.then(|| since.get(&saga.name).copied()).flatten();
        Listed { plan: Arc::clone(plan), current, live: live.get(&**saga.hash()).copied().unwrap_or_default() }
    });
    let mut listed: Vec<Listed> = listed.collect();
    listed.sort_by(|one, other| {
        let key = |listed: &Listed| (listed.plan.saga.name.clone(), listed.plan.saga.version);
        key(one).cmp(&key(other))
    });
    listed
}

impl Orchestrator {
    /// The definitions that are in the log.
    ///
    /// # Errors
    /// The definitions or the view cannot be read.
    pub async fn definitions(&self) -> Result<Vec<Listed>, Error> {
        let topic = &self.core.topics.definitions;
        let range = self.core.range(topic, 0).await?;
        let plans = self.plans();
        // A client of its own: of two reads of one only the latest is answered.
        let since = since(&Client::new(&self.core.log), topic, range, &plans).await;
        let since = since.map_err(|error| Error::Look(OpenError::Read(error)))?;
        Ok(listed(&plans, &since, &self.live_by_definition().await?))
    }
}
