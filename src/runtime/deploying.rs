//! Deploying: lets new instances of sagas run by other content, and refuses what would make one version number mean two
//! things.
//!
//! In a data directory a number is free again when no instance runs by its content any more: that can be seen there.
//! On a log that others have too it is taken for good.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;

use super::client::{self, Client};
use super::definitions::{self, Deployed, Standing, Stored, Strangers};
use super::error::{DeployError, Error, OpenError};
use super::orchestrator::Orchestrator;
use crate::check;
use crate::definition::{Per, Program, Saga, Trigger};
use crate::journal::Plans;
use crate::log::Site;
use crate::plan::Plan;

impl Orchestrator {
    /// Compiles a file and lets new instances of its sagas run by it. What runs goes on by what it was started with.
    /// Unchanged content changes nothing.
    ///
    /// # Errors
    /// The file has errors; or a saga changed and its version number is taken.
    pub async fn deploy(&self, name: &str, text: &str) -> Result<Vec<Deployed>, DeployError> {
        let program = definitions::compile(name, text).map_err(|findings| DeployError::Refused { findings })?;
        self.deploy_program(&program, text).await
    }

    /// The same for a text that its caller has compiled, and found no error in.
    ///
    /// # Errors
    /// A saga changed and its version number is taken.
    pub async fn deploy_program(&self, program: &Program, text: &str) -> Result<Vec<Deployed>, DeployError> {
        let _one_at_a_time = self.deploying.lock().await;
        if self.core.is_shared() {
            let published = publish(&self.core.log, &[(program, text)], Back::Stays).await?;
            self.core.learn().await;
            return Ok(published.deployed);
        }
        let compared = definitions::compare(program, &self.core.plans());
        for (saga, standing) in &compared {
            if *standing != Standing::Unchanged {
                self.version_is_free(&saga.name, saga.version, saga.hash()).await?;
            }
        }
        let mut plans = Plans::clone(&self.core.plans());
        let mut deployed = Vec::new();
        for (saga, standing) in compared {
            if standing != Standing::Unchanged {
                definitions::store(&self.client, &self.core.topics.definitions, &saga, text).await?;
                plans.deploy(&Arc::new(Plan::new(Arc::clone(&saga))));
            }
            deployed.push(told(&saga, standing, None));
        }
        for (saga, text, triggers) in definitions::new_triggers(program, text, &self.core.plans()) {
            definitions::store_triggers(&self.client, &self.core.topics.definitions, &saga, text).await?;
            let new = NewTriggers::of(&saga, &triggers, &plans);
            deployed.iter_mut().filter(|one| one.saga == saga).for_each(|one| one.triggers = Some(new.clone()));
            plans.set_triggers(saga, Arc::from(text), triggers);
        }
        self.core.set_plans(&Arc::new(plans));
        Ok(deployed)
    }

    async fn version_is_free(&self, saga: &CompactString, version: u64, hash: &str) -> Result<(), DeployError> {
        let plans = self.core.plans();
        if other(&plans, saga, version, hash).is_none() {
            return Ok(());
        }
        let live = self.core.view.live_by_definition(saga).await?;
        let taken = live
            .into_iter()
            .find(|(other, ..)| other != hash && plans.by_hash(other).is_some_and(|plan| plan.saga.version == version));
        match taken {
            Some((_, live, one)) => Err(DeployError::VersionTaken { saga: saga.clone(), version, live, one }),
            None => Ok(()),
        }
    }
}

/// What becomes of a saga whose version is lower than that of the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// It is current again.
    Goes,
    /// It is left out: a process that starts anew with an old file must not undo what was deployed meanwhile.
    Stays,
}

/// Whether all limits can be kept where others run partitions, too: each has a share of its own, and one without any
/// could never go on. A rate can always be shared, by longer waits.
///
/// # Errors
/// A participant takes less at once than there are partitions.
pub fn can_be_shared(program: &Program, partitions: u32) -> Result<(), DeployError> {
    for participant in program.participants.values() {
        let at_once = participant.limits.iter().filter(|limit| limit.per == Per::Once).map(|limit| limit.count);
        if let Some(count) = at_once.min().filter(|count| *count < partitions) {
            return Err(DeployError::Unshared { participant: participant.name.clone(), count, partitions });
        }
    }
    Ok(())
}

/// What came of deploying.
#[derive(Debug)]
pub struct Published {
    /// Each saga.
    pub deployed: Vec<Deployed>,
    /// What was deployed before.
    pub before: Plans,
}

/// Lets new instances of the programs' sagas run by them, on a log that others have too: all of them or, where a version
/// number is taken, none.
///
/// # Errors
/// A saga changed and its version number is taken, a limit cannot be kept, or the log cannot be read or written.
pub async fn publish(log: &Arc<dyn Site>, programs: &[(&Program, &str)], back: Back) -> Result<Published, DeployError> {
    let topics = log.topics();
    for (program, _) in programs {
        can_be_shared(program, log.partitions())?;
        let findings = check::on_own_topics(program, |topic| topics.is_own(topic));
        if !findings.is_empty() {
            return Err(DeployError::Refused { findings });
        }
    }
    let (client, topic) = (Client::new(log), topics.definitions);
    let mut stored = Stored::of(&**log, Strangers::Unsaid);
    let begin = catch_up(log, &client, &mut stored, 0).await?;
    let (mut plans, _) = stored.compile();
    let before = plans.clone();
    // Of several versions of one saga the last one given counts, and no other is current for a moment in between.
    let all = programs.iter().flat_map(|(program, _)| program.sagas.values());
    let counts: BTreeMap<CompactString, Arc<Saga>> = all.map(|saga| (saga.name.clone(), Arc::clone(saga))).collect();
    let last = |saga: &Saga| counts.get(&saga.name).filter(|last| last.hash() != saga.hash());
    let mut compared = Vec::new();
    for (program, text) in programs {
        for (saga, standing) in definitions::compare(program, &plans) {
            version_is_new(&plans, &saga)?;
            let standing = match (last(&saga), standing) {
                (Some(last), _) => Standing::Followed { version: last.version },
                (None, Standing::Replaces { version }) if version > saga.version && back == Back::Stays => {
                    Standing::Older { version }
                }
                (None, standing) => standing,
            };
            let is_known = plans.by_hash(saga.hash()).is_some();
            // The files that come behind are compared with it, too.
            let plan = Arc::new(Plan::new(Arc::clone(&saga)));
            if is_news(standing) {
                plans.deploy(&plan);
            } else if !is_known {
                plans.keep(&plan);
            }
            compared.push((saga, standing, *text, is_known));
        }
    }
    for (saga, standing, text, is_known) in &compared {
        match standing {
            standing if is_news(*standing) => definitions::store(&client, &topic, saga, text).await?,
            Standing::Followed { .. } if !is_known => definitions::store_source(&client, &topic, saga, text).await?,
            _ => {}
        }
    }
    let stays = |saga: &CompactString| {
        compared.iter().any(|(of, standing, ..)| of.name == *saga && matches!(standing, Standing::Older { .. }))
    };
    let mut triggered = BTreeMap::new();
    for (program, text) in programs {
        for (saga, text, triggers) in definitions::new_triggers(program, text, &plans) {
            let is_followed = program.sagas.get(&saga).is_some_and(|saga| last(saga).is_some());
            if !is_followed && !stays(&saga) {
                definitions::store_triggers(&client, &topic, &saga, text).await?;
                triggered.insert(saga.clone(), NewTriggers::of(&saga, &triggers, &plans));
                plans.set_triggers(saga, Arc::from(text), triggers);
            }
        }
    }
    // Somebody else may have done the same meanwhile.
    catch_up(log, &client, &mut stored, begin).await?;
    let (plans, _) = stored.compile();
    for (saga, standing, ..) in &compared {
        version_is_new(&plans, saga)?;
        if is_news(*standing) && plans.current(&saga.name).is_none_or(|current| current.saga.hash() != saga.hash()) {
            return Err(DeployError::Overtaken { saga: saga.name.clone() });
        }
    }
    let triggers = |saga: &Saga| triggered.get(&saga.name).filter(|_| last(saga).is_none()).cloned();
    let told = compared.iter().map(|(saga, standing, ..)| told(saga, *standing, triggers(saga)));
    Ok(Published { deployed: told.collect(), before })
}

/// Reads what is stored to the end that it has now, from an offset on.
async fn catch_up(log: &Arc<dyn Site>, client: &Client, stored: &mut Stored, from: u64) -> Result<u64, DeployError> {
    let failed = |error| DeployError::Look(Box::new(Error::Look(OpenError::Read(error))));
    let topic = log.topics().definitions;
    let read = client::patiently(log, async || {
        let range = client::range(log, &topic, 0).await?;
        stored.read(client, &topic, from.max(range.start), range.end).await?;
        Ok(range.end)
    });
    read.await.map_err(failed)
}

/// A plan of the saga's name and version with another content.
fn other<'a>(plans: &'a Plans, saga: &str, version: u64, hash: &str) -> Option<&'a Arc<Plan>> {
    plans.all().find(|plan| plan.saga.name == *saga && plan.saga.version == version && **plan.saga.hash() != *hash)
}

fn version_is_new(plans: &Plans, saga: &Saga) -> Result<(), DeployError> {
    if other(plans, &saga.name, saga.version, saga.hash()).is_none() {
        return Ok(());
    }
    let versions = plans.all().filter(|plan| plan.saga.name == saga.name).map(|plan| plan.saga.version);
    let free = versions.max().unwrap_or(saga.version).saturating_add(1);
    Err(DeployError::VersionPublished { saga: saga.name.clone(), version: saga.version, free })
}

const fn is_news(standing: Standing) -> bool {
    match standing {
        Standing::New | Standing::Replaces { .. } => true,
        Standing::Unchanged | Standing::Older { .. } | Standing::Followed { .. } => false,
    }
}

fn told(saga: &Saga, standing: Standing, triggers: Option<NewTriggers>) -> Deployed {
    if is_news(standing) {
        tracing::info!(saga = %saga.name, version = saga.version, hash = %saga.hash(), "deployed");
    }
    Deployed { saga: saga.name.clone(), version: saga.version, hash: Arc::clone(saga.hash()), standing, triggers }
}

/// The triggers of a saga that is deployed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTriggers {
    /// Whether it has any now.
    pub has_some: bool,
    /// Those that it had before and has no more, each with its topic, which nobody reads for it any more.
    pub gone: Vec<(CompactString, CompactString)>,
}

impl NewTriggers {
    /// Of a saga, beside what it has had.
    fn of(saga: &str, now: &[Arc<Trigger>], before: &Plans) -> Self {
        let had = before.triggers().filter(|trigger| trigger.saga().is_some_and(|of| *of == saga));
        let gone = had.filter(|old| !now.iter().any(|new| new.name == old.name && new.topic == old.topic));
        Self { has_some: !now.is_empty(), gone: gone.map(|old| (old.name.clone(), old.topic.clone())).collect() }
    }
}
