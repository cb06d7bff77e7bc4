//! What can be asked about instances, whoever knows them: an orchestrator, or somebody who only looks.

use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::api::{ApiError, Fault, ListQuery};
use super::history::History;
use super::late;
use super::past::{self, HistoryQuery, ShowQuery};
use super::view::{self, Count, List, Row, Shown, Silent, Stopped, Unread, Untold};
use super::waits::asked;
use crate::engine::{Instance, InstanceId, Summary};
use crate::journal::Plans;
use crate::log::{self, Silence, partition_of};
use crate::plan::Plan;
use crate::runtime::partition::Stop;
use crate::runtime::{
    self, Backlog, Error, Filter, Found, LIST_MAX, Onlooker, Orchestrator, PartitionState, while_written,
};

/// How many instances of a list are looked into for what they wait for and why. More nobody reads, and the rest can be
/// asked for one by one. So many are also listed where nobody says how many.
const EXPLAINED_MAX: usize = 200;

/// So long a log that cannot be written is waited for by whoever looks: space that comes back at once is no matter, and who
/// asks again is told again.
const WRITTEN_WITHIN: Duration = Duration::from_secs(1);

/// Who knows instances.
pub(super) trait Knows: Sync {
    fn plans(&self) -> Arc<Plans>;
    /// What a filter finds, and what is to be said of rows that cannot be shown.
    fn found(&self, filter: Filter) -> impl Future<Output = Result<(Found, Vec<String>), Error>> + Send;
    fn row(&self, id: &InstanceId) -> impl Future<Output = Result<runtime::Row, Error>> + Send;
    fn instance(&self, id: &InstanceId) -> impl Future<Output = Result<runtime::Shown, Error>> + Send;
    fn definitions(&self) -> impl Future<Output = Result<Vec<runtime::Listed>, Error>> + Send;
    /// The partitions that stand still, and how many requests each has that nobody has decided.
    fn backlog(&self) -> impl Future<Output = Result<(Vec<Stopped>, BTreeMap<u32, u64>), Error>> + Send;
    /// Which of these topics of commands have no known reader at the moment, and what that means.
    fn unread(&self, topics: Vec<String>) -> impl Future<Output = log::Unread> + Send;
    /// Whether the log is on this machine, so that reading it costs little.
    fn is_near(&self) -> bool;
    /// Whether looking into an instance of a list costs little.
    fn explains(&self, row: &runtime::Row) -> bool;
    fn partition(&self, id: &InstanceId) -> u32;
    /// The lives of an id that can be known, the newest first.
    fn lives(&self, id: &InstanceId) -> impl Future<Output = Result<Vec<runtime::Row>, Error>> + Send;
    /// Those of them that are known without reading further.
    fn known_lives(&self, id: &InstanceId) -> impl Future<Output = Result<Vec<runtime::Row>, Error>> + Send;
    /// The records of one.
    fn records(&self, row: &runtime::Row) -> runtime::History;
}

/// The partitions that stand still.
pub(super) fn stopped(of: &Orchestrator) -> Vec<Stopped> {
    let states = (0..).zip(of.partitions());
    let stopped = states.filter_map(|(partition, state)| match state {
        PartitionState::Stopped { why, is_gap } => {
            let order = is_gap.then(|| ACCEPT_GAP.to_owned());
            Some(Stopped { partition, why: why.to_string(), order, elsewhere: false })
        }
        PartitionState::Recovering | PartitionState::Running { .. } | PartitionState::Released => None,
    });
    stopped.collect()
}

/// Those of which the log says that they stand still, or will; of one that is shared, the order is their owner's.
fn shown_of(stopped: Vec<(u32, Arc<Stop>)>, is_shared: bool) -> Vec<Stopped> {
    let shown = stopped.into_iter().map(|(partition, stop)| {
        let order = stop.is_gap().then(|| ACCEPT_GAP.to_owned());
        let elsewhere = is_shared && order.is_some();
        Stopped { partition, why: format!("failed to {stop}"), order, elsewhere }
    });
    shown.collect()
}

/// The order's word.
const ACCEPT_GAP: &str = "accept_gap";

impl Knows for Orchestrator {
    fn plans(&self) -> Arc<Plans> {
        self.plans()
    }

    async fn found(&self, filter: Filter) -> Result<(Found, Vec<String>), Error> {
        Ok((self.list(filter).await?, Vec::new()))
    }

    async fn row(&self, id: &InstanceId) -> Result<runtime::Row, Error> {
        self.row(id).await
    }

    async fn instance(&self, id: &InstanceId) -> Result<runtime::Shown, Error> {
        self.get(id).await
    }

    async fn definitions(&self) -> Result<Vec<runtime::Listed>, Error> {
        self.definitions().await
    }

    /// Those that stand still here, and those of which the log says that they do or will.
    async fn backlog(&self) -> Result<(Vec<Stopped>, BTreeMap<u32, u64>), Error> {
        let mut all = stopped(self);
        let Backlog { stopped: others, undecided } = self.backlog().await?;
        let others = shown_of(others, true);
        all.extend(
            others.into_iter().filter(|other| !stopped(self).iter().any(|own| own.partition == other.partition)),
        );
        Ok((all, undecided))
    }

    async fn unread(&self, topics: Vec<String>) -> log::Unread {
        self.unread(topics).await
    }

    fn is_near(&self) -> bool {
        !self.log().is_shared()
    }

    /// An ended instance is replayed, which is many questions to a log on other machines.
    fn explains(&self, row: &runtime::Row) -> bool {
        self.is_near() || !matches!(row.state, Summary::Completed | Summary::Compensated)
    }

    fn partition(&self, id: &InstanceId) -> u32 {
        partition_of(id.as_str(), self.log().partitions())
    }

    async fn lives(&self, id: &InstanceId) -> Result<Vec<runtime::Row>, Error> {
        self.lives(id).await
    }

    async fn known_lives(&self, id: &InstanceId) -> Result<Vec<runtime::Row>, Error> {
        self.known_lives(id).await
    }

    fn records(&self, row: &runtime::Row) -> runtime::History {
        self.records(row)
    }
}

impl Knows for Onlooker {
    fn plans(&self) -> Arc<Plans> {
        self.plans()
    }

    async fn found(&self, filter: Filter) -> Result<(Found, Vec<String>), Error> {
        let (found, damaged) = self.list(&filter).await?;
        Ok((found, damaged.iter().map(ToString::to_string).collect()))
    }

    async fn row(&self, id: &InstanceId) -> Result<runtime::Row, Error> {
        self.row(id).await
    }

    async fn instance(&self, id: &InstanceId) -> Result<runtime::Shown, Error> {
        self.get(id).await
    }

    async fn definitions(&self) -> Result<Vec<runtime::Listed>, Error> {
        self.definitions().await
    }

    /// Whoever holds a data directory decides at once; held by nobody, it takes no requests.
    async fn backlog(&self) -> Result<(Vec<Stopped>, BTreeMap<u32, u64>), Error> {
        Ok((shown_of(self.stopped().await?, false), BTreeMap::new()))
    }

    /// Who serves a data directory reaches the participants itself.
    async fn unread(&self, _topics: Vec<String>) -> log::Unread {
        log::Unread::new()
    }

    fn is_near(&self) -> bool {
        true
    }

    fn explains(&self, _row: &runtime::Row) -> bool {
        true
    }

    fn partition(&self, id: &InstanceId) -> u32 {
        self.partition(id)
    }

    async fn lives(&self, id: &InstanceId) -> Result<Vec<runtime::Row>, Error> {
        self.lives(id).await
    }

    async fn known_lives(&self, id: &InstanceId) -> Result<Vec<runtime::Row>, Error> {
        self.lives(id).await
    }

    fn records(&self, row: &runtime::Row) -> runtime::History {
        self.records(row)
    }
}

/// What is looked for; or why, where a data directory cannot be written for a moment: the table of instances is brought up
/// to date by writing it, and what it says without is of an hour ago where nobody has looked for an hour.
pub(super) async fn in_time<T>(
    of: &Orchestrator,
    looked: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    let Some(log) = of.directory() else { return looked.await };
    match while_written(&**log, Some(WRITTEN_WITHIN), looked).await {
        Ok(looked) => looked,
        Err(why) => {
            let directory = log.directory().display().to_string();
            let hint = format!(
                "with `--data {}` in place of `--server`, on the machine of the server, the same command reads the log itself",
                shell_words::quote(&directory)
            );
            Err(ApiError::unavailable(format!("the table of instances cannot be brought up to date: {why}")).hint(hint))
        }
    }
}

/// Instances: what needs a person first.
pub(super) async fn list(of: &impl Knows, query: &ListQuery) -> Result<List, ApiError> {
    let limit = query.limit.map_or(EXPLAINED_MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    if limit == 0 || limit > LIST_MAX {
        return Err(ApiError::bad_request(format!("a list has 1 to {LIST_MAX} instances"))
            .hint("`status` and `saga` narrow it down"));
    }
    if query.step.is_some() && query.states() != [Summary::Stuck] {
        return Err(ApiError::bad_request("a step is asked for of instances that are stuck at it")
            .hint("`step` alone, or beside `status=stuck`"));
    }
    let wanted = |name: &Option<String>| name.as_deref().map(Into::into);
    let (saga, step) = (wanted(&query.saga), wanted(&query.step));
    let filter = Filter { states: query.states(), saga, step, limit: Some(limit) };
    let (mut found, damaged) = of.found(filter.clone()).await?;
    if found.counts.is_empty() {
        let saga = query.saga.as_deref();
        saga.map_or(Ok(()), |saga| is_known(&of.plans(), saga))?;
        query.step.as_deref().map_or(Ok(()), |step| stands_somewhere(&of.plans(), saga, step))?;
    }
    let mut looked = Vec::new();
    for row in found.rows.iter().take(EXPLAINED_MAX) {
        let shown = if of.explains(row) { of.instance(&row.id).await.ok() } else { None };
        // Its id may have been used again: what that stands for now has a row of its own.
        let shown = shown.filter(|shown| shown.instance.run == row.run);
        let now = shown.map(|shown| {
            let row = view::row(&shown.plan, &shown.instance);
            (shown, row)
        });
        looked.push((row, now));
    }
    late::noted_in(of, &mut looked).await;
    let live = looked.iter().filter_map(|(_, now)| now.as_ref()).map(|(shown, _)| (&*shown.plan, &*shown.instance));
    let silent = silent(of, live).await;
    let looked: Vec<_> = looked.into_iter().map(|(_, now)| now.map(|(_, row)| row)).collect();
    let explained = looked.len();
    let (instances, gone) = as_they_stand(&mut found, &filter, looked);
    let explained = explained.saturating_sub(gone);
    let counts = found.counts.into_iter().map(|(status, count)| Count { status, count }).collect();
    let (stopped, undecided) = of.backlog().await?;
    let undecided = NonZeroU64::new(undecided.values().sum());
    Ok(List { instances, counts, explained, damaged, stopped, undecided, silent })
}

/// Of the participants from which these instances want something, those that may not hear it.
async fn silent<'i>(of: &impl Knows, instances: impl IntoIterator<Item = (&'i Plan, &'i Instance)>) -> Silent {
    let asked: BTreeMap<String, String> = instances.into_iter().flat_map(|(plan, it)| asked(plan, it)).collect();
    let mut silent = Silent::default();
    if asked.is_empty() {
        return silent;
    }
    for (topic, silence) in of.unread(asked.keys().cloned().collect()).await {
        let Some(participant) = asked.get(&topic).cloned() else { continue };
        match silence {
            Silence::Certain => silent.unread.push(Unread { participant, topic }),
            Silence::Untold(why) => silent.untold.push(Untold { participant, topic, why }),
        }
    }
    silent
}

/// The rows, those that were looked into as they stand now; and how many of these are not wanted any more: they have gone on
/// since the table was read.
fn as_they_stand(found: &mut Found, filter: &Filter, looked: Vec<Option<Row>>) -> (Vec<Row>, usize) {
    let rows = std::mem::take(&mut found.rows);
    let (mut instances, mut gone) = (Vec::with_capacity(rows.len()), 0);
    let mut looked = looked.into_iter();
    for row in rows {
        let (is_looked_into, now) = looked.next().map_or((false, None), |now| (true, now));
        let Some(now) = now else {
            instances.push(Row {
                id: row.id.to_string(),
                saga: row.saga.to_string(),
                status: row.state,
                started: view::Instant(row.started),
                since: view::Instant(row.changed),
                at: row.stuck.iter().map(ToString::to_string).collect(),
                why: row.why.filter(|_| is_looked_into && row.state == Summary::Compensated),
            });
            continue;
        };
        if now.status != row.state {
            found.recount(filter, row.state, now.status);
        }
        if filter.wants(now.status) {
            instances.push(now);
        } else {
            gone += 1;
        }
    }
    (instances, gone)
}

/// Why an instance cannot be shown: of one that has not begun, that its partition stands still, if it does.
pub(super) async fn undecided(of: &impl Knows, id: &InstanceId, error: Error) -> ApiError {
    if !matches!(error, Error::Undecided { .. }) {
        return error.into();
    }
    let partition = of.partition(id);
    let stopped = of.backlog().await.ok().and_then(|(all, _)| all.into_iter().find(|it| it.partition == partition));
    let Some(Stopped { why, .. }) = stopped else { return error.into() };
    let message = format!(
        "failed to find the instance `{id}`: its start is in the log, and partition {partition} stands still: {why}"
    );
    ApiError::new(Fault::Unknown, "undecided", message).hint("`saga list` says what lets it go on; then it begins")
}

/// A saga of which there is no instance is at least one that could have some.
fn is_known(plans: &Plans, saga: &str) -> Result<(), ApiError> {
    if plans.all().any(|plan| plan.saga.name == saga) {
        return Ok(());
    }
    Err(Error::no_such_saga(plans, saga).into())
}

/// A step at which nobody is stuck is at least one at which somebody could be.
fn stands_somewhere(plans: &Plans, saga: Option<&str>, step: &str) -> Result<(), ApiError> {
    let mut of = plans.all().filter(|plan| saga.is_none_or(|saga| plan.saga.name == saga));
    if of.any(|plan| plan.spots(step).is_some()) {
        return Ok(());
    }
    let whose =
        saga.map_or_else(|| "no saga that is deployed".to_owned(), |saga| format!("no version of saga `{saga}`"));
    Err(ApiError::new(Fault::Unknown, "unknown_step", format!("{whose} has a step `{step}`"))
        .hint("`saga list --stuck` names in AT the steps at which somebody is stuck"))
}

/// One instance.
pub(super) async fn show(of: &impl Knows, id: &str, query: &ShowQuery) -> Result<Shown, ApiError> {
    if let Some(shown) = past::show(of, id, query).await? {
        return Ok(shown);
    }
    let id = instance_id(id)?;
    let looked = match of.instance(&id).await {
        Ok(looked) => looked,
        Err(error) => return Err(undecided(of, &id, error).await),
    };
    let partition = of.partition(&id);
    let (stopped, undecided) = of.backlog().await?;
    let stopped = stopped.into_iter().find(|stopped| stopped.partition == partition);
    let undecided = undecided.get(&partition).copied().and_then(NonZeroU64::new);
    let silent = silent(of, [(&*looked.plan, &*looked.instance)]).await;
    let lives = past::beside(of, &looked).await?;
    let shown = view::shown(&looked.plan, &looked.instance);
    let mut shown = Shown { lives, stopped, undecided, silent, ..shown };
    if late::is_pending(&looked.instance) {
        let row = of.row(&id).await?;
        late::noted(of, (&row, &looked), &mut shown).await?;
    }
    Ok(shown)
}

pub(super) fn instance_id(text: &str) -> Result<InstanceId, ApiError> {
    InstanceId::try_from(text).map_err(|error| ApiError::bad_request(format!("failed to {error}")))
}

/// A data directory that is read beside whoever holds it.
pub struct Beside(pub(super) Onlooker);

impl Beside {
    /// Opens it.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub async fn open(data: &Path) -> Result<Self, ApiError> {
        Ok(Self(Onlooker::open(data).await?))
    }

    /// Instances: what needs a person first.
    ///
    /// # Errors
    /// The data cannot be read.
    pub async fn list(&self, query: &ListQuery) -> Result<List, ApiError> {
        list(&self.0, query).await
    }

    /// One instance, live or ended.
    ///
    /// # Errors
    /// There is none of that id.
    pub async fn show(&self, id: &str, query: &ShowQuery) -> Result<Shown, ApiError> {
        show(&self.0, id, query).await
    }

    /// All that happened to an instance.
    ///
    /// # Errors
    /// There is none of that id, or retention has taken its beginning.
    pub async fn history(&self, id: &str, query: &HistoryQuery) -> Result<History, ApiError> {
        past::history(&self.0, id, query).await
    }
}

#[cfg(test)]
mod tests {
    use compact_str::CompactString;

    use super::*;
    use crate::engine::Run;
    use crate::time::Timestamp;

    fn row(id: &str, state: Summary) -> runtime::Row {
        runtime::Row {
            id: InstanceId::try_from(id).unwrap(),
            run: Run(1),
            saga: "booking".into(),
            definition: CompactString::default(),
            state,
            stuck: Vec::new(),
            seq: 1,
            started: Timestamp(1),
            changed: Timestamp(1),
            partition: 0,
            first: 0,
            last: 0,
            why: None,
        }
    }

    fn looked(id: &str, status: Summary) -> Row {
        let (started, since) = (view::Instant(Timestamp(1)), view::Instant(Timestamp(2)));
        Row { id: id.into(), saga: "booking".into(), status, started, since, at: Vec::new(), why: None }
    }

    #[test]
    fn what_has_gone_on_since_the_table_was_read_is_listed_and_counted_as_it_stands_now() {
        let filter = Filter { states: vec![Summary::Running, Summary::Stuck], ..Filter::default() };
        let rows = ["a", "b", "c", "d"].map(|id| row(id, Summary::Running));
        let mut found = Found { rows: rows.to_vec(), counts: vec![(Summary::Running, 7)] };
        let now = vec![Some(looked("a", Summary::Completed)), Some(looked("b", Summary::Stuck)), None];
        let (instances, gone) = as_they_stand(&mut found, &filter, now);
        let listed: Vec<_> = instances.iter().map(|row| (row.id.as_str(), row.status)).collect();
        assert_eq!(listed, [("b", Summary::Stuck), ("c", Summary::Running), ("d", Summary::Running)]);
        assert_eq!(gone, 1);
        assert_eq!(found.counts, [(Summary::Stuck, 1), (Summary::Running, 5)], "and none that has completed");
    }
}
