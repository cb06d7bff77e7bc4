//! Carries the calls of the API out on an orchestrator of this process: for the server, and for the command line where
//! no server has the data open.

use std::cmp::Reverse;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::api::{
    Accepted, Alive, ApiError, ListQuery, OrderBody, OrderOutcome, PartitionOrder, PartitionWord, Partitions, Ready,
    StartBody, StartOutcome, Started, Taken,
};
use super::cast::Cast;
use super::faults::{no_data, not_taken};
use super::follower::Follower;
use super::history::History;
use super::looking::{self, Knows, instance_id};
use super::past::{self, HistoryQuery, ShowQuery};
use super::view::{List, Shown, Stopped};
use super::wanted;
use crate::definition::Program;
use crate::engine::{InstanceId, OrderRequest, RequestId};
use crate::journal::Plans;
use crate::json::Json;
use crate::log::embedded::{self, Embedded, Holder};
use crate::log::{Health, Outcome, Site, partition_of};
use crate::participant::carrier::Carriers;
use crate::participant::http::read_callback;
use crate::participant::remembered::{self, Remembered};
use crate::plan::Plan;
use crate::runtime::partition::Signed;
use crate::runtime::{
    self, Client, Decision, Deployed, Error, Lines, OpenError, Options, Orchestrator, PartitionState, Triggers,
};
use uuid::Uuid;

/// How long a request that is in the log is waited for to be decided, to say more than that: usually it takes a
/// group commit.
pub const DECIDED_WITHIN: Duration = Duration::from_secs(2);

/// How long who gives one order waits for a log that cannot be written: a lock of another program goes by within it, and
/// a full disk does not.
const ORDER_WITHIN: Duration = Duration::from_secs(2);

/// What to do about a request that was not taken.
const AGAIN: &str =
    "ask again in a moment: a start with the same `id`, or an order with the same `request`, counts once";

/// What a process calls itself that holds the data for the moment of an order.
pub const ORDERING: &str = "saga, giving an order";

/// How long whoever wants the data waits for one who gives an order: on a log that cannot be written that takes
/// [`ORDER_WITHIN`] twice, and several may give orders one behind the other.
const ORDERED_WITHIN: Duration = Duration::from_secs(10);

/// And with which pause.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// A file: its name, its text, and what they mean.
pub type File = (String, Arc<str>, Program);

/// What a data directory knows of participants.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Where they were last reached.
    pub before: Remembered,
    /// Those of live instances; where that cannot be told at once, of all that may be live.
    pub live: Cast,
    /// Those of the definitions that new instances run by.
    pub startable: Cast,
}

/// Whether it lets go in a moment: one who gives an order, or has not yet written down who it is.
pub(super) fn is_brief(holder: Option<&Holder>) -> bool {
    holder.is_none_or(|holder| holder.owner == ORDERING)
}

/// Of a saga's versions that differ in what a participant answers, the newest counts.
fn newest_first(plans: &Plans) -> Vec<&Arc<Plan>> {
    let mut all: Vec<_> = plans.all().collect();
    all.sort_by_key(|plan| Reverse(plan.saga.version));
    all
}

/// An open data directory.
pub struct Service {
    pub(super) orchestrator: Arc<Orchestrator>,
    pub(super) replies: Client,
    /// How long a request is waited for to be decided.
    patience: Duration,
    /// Lines on requests that nobody has decided: at a handover each of hundreds a second has one.
    undecided: Lines,
    pub(super) carriers: tokio::sync::Mutex<Option<Carriers>>,
    pub(super) triggers: tokio::sync::Mutex<Option<Triggers>>,
}

impl Service {
    fn of(orchestrator: Orchestrator, patience: Duration) -> Self {
        let replies = Client::new(orchestrator.log());
        let (carriers, triggers) = (tokio::sync::Mutex::default(), tokio::sync::Mutex::default());
        let undecided = Lines::new(Handle::current(), |more| {
            tracing::warn!(more, "and more requests are in the log that nobody has decided yet");
        });
        Self { orchestrator: Arc::new(orchestrator), replies, patience, undecided, carriers, triggers }
    }

    /// Opens a data directory, or makes it. Waits for one who only gives an order there.
    ///
    /// # Errors
    /// The data directory cannot be used.
    pub async fn open(data: &Path, options: &Options) -> Result<Self, ApiError> {
        let give_up = Instant::now() + ORDERED_WITHIN;
        loop {
            match Orchestrator::open(data, options).await {
                Err(OpenError::Log(embedded::OpenError::Locked { holder, .. }))
                    if is_brief(holder.as_deref()) && Instant::now() < give_up =>
                {
                    sleep(TRY_AGAIN_AFTER).await;
                }
                opened => return Ok(Self::of(opened?, DECIDED_WITHIN)),
            }
        }
    }

    /// Lets new instances run by the files.
    ///
    /// # Errors
    /// A file cannot be deployed.
    pub async fn deploy(&self, files: &[File]) -> Result<Vec<Deployed>, ApiError> {
        let mut deployed = Vec::new();
        for (_, text, program) in files {
            deployed.extend(self.orchestrator.deploy_program(program, text).await?);
        }
        Ok(deployed)
    }

    /// The names of the sagas that can be started.
    #[must_use]
    pub fn sagas(&self) -> Vec<String> {
        self.orchestrator.plans().sagas().map(ToString::to_string).collect()
    }

    /// The participants of the definitions in the log, and where participants were last reached.
    ///
    /// # Errors
    /// The view or the addresses cannot be read.
    pub async fn known(&self) -> Result<Known, ApiError> {
        let plans = self.orchestrator.plans();
        // Of a log that is shared, nothing is remembered, and any version may be live.
        let (live, before) = match self.orchestrator.directory() {
            Some(directory) => (Some(self.orchestrator.live_by_definition().await?), remembered::read(directory)?),
            None => (None, Remembered::default()),
        };
        let mut known = Known { before, live: Cast::default(), startable: self.startable() };
        for plan in newest_first(&plans) {
            if live.as_ref().is_none_or(|live| live.contains_key(&**plan.saga.hash())) {
                known.live.speak(plan);
            }
        }
        Ok(known)
    }

    /// The participants of the definitions that new instances run by.
    #[must_use]
    pub fn startable(&self) -> Cast {
        Cast::of_current(&self.orchestrator.plans())
    }

    /// The participants of all definitions in the log: first of those that new instances run by.
    #[must_use]
    pub fn everybody(&self) -> Cast {
        let mut cast = self.startable();
        for plan in newest_first(&self.orchestrator.plans()) {
            cast.speak(plan);
        }
        cast
    }

    /// Changes whenever others deploy.
    #[must_use]
    pub fn deployments(&self) -> watch::Receiver<u64> {
        self.orchestrator.deployments()
    }

    /// Whether there is data in a directory.
    ///
    /// # Errors
    /// There is none.
    pub fn is_there(data: &Path) -> Result<(), ApiError> {
        match Embedded::is_there(data) {
            Ok(false) => Err(no_data(data)),
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Err(no_data(data)),
            // Whether it can be used is seen when it is.
            Ok(true) | Err(_) => Ok(()),
        }
    }

    /// Opens a data directory to give orders. No participant is reached: what an order causes waits in the log for the
    /// next process that runs sagas.
    ///
    /// # Errors
    /// There is none, or it cannot be used.
    pub async fn open_for_orders(data: &Path) -> Result<Self, ApiError> {
        Self::is_there(data)?;
        let options = Options { owner: ORDERING.to_owned(), patience: Some(ORDER_WITHIN), ..Options::default() };
        Self::open(data, &options).await
    }

    /// Takes part in a log that several processes share. `patience` is how long a request is waited for to be decided:
    /// its partition may be another's, or nobody's for a while.
    ///
    /// # Errors
    /// The log cannot be used.
    pub async fn join(log: Arc<dyn Site>, options: &Options, patience: Duration) -> Result<Self, ApiError> {
        Ok(Self::of(Orchestrator::join(log, options).await?, patience))
    }

    /// Looks at a log that several processes share, and puts requests into it, but runs nothing.
    ///
    /// # Errors
    /// The log cannot be used.
    pub async fn visit(log: Arc<dyn Site>, patience: Duration) -> Result<Self, ApiError> {
        Ok(Self::of(Orchestrator::visit(log).await?, patience))
    }

    /// What is counted and timed, for Prometheus.
    pub async fn metrics(&self) -> String {
        self.orchestrator.metrics().await
    }

    /// For the metrics: participants and their topics of commands, as of the latest look, and whether nobody reads them.
    pub fn has_unread(&self, commands: impl IntoIterator<Item = (String, String, bool)>) {
        self.orchestrator.has_unread(commands);
    }

    /// Begins an instance, with the W3C trace context that goes to all of its participants.
    ///
    /// # Errors
    /// The input does not fit, the id is taken, there is no such saga, or the log does not take the request.
    pub async fn start(&self, body: StartBody, traceparent: Option<&str>) -> Result<Started, ApiError> {
        let id = body.id.as_deref().map(instance_id).transpose()?;
        if let Some(id) = &id {
            id.is_startable().map_err(|error| ApiError::bad_request(format!("failed to {error}")))?;
            self.decides(id)?;
        }
        let input = body.input.unwrap_or_else(Json::empty_object);
        wanted::filled_in([&input]).map_err(ApiError::bad_request)?;
        let (id, accepted) =
            self.orchestrator.start(&body.saga, id, input.clone(), traceparent.map(Into::into)).await?;
        let decision = self.decided(&id, accepted).await;
        let decision = decision.map_err(|refused| self.with_example(refused, &body.saga, &input))?;
        if decision.is_none()
            && let Some(refused) = self.foreseen(&id, &body.saga, &input).await
        {
            return Err(refused);
        }
        let start = match decision {
            None => StartOutcome::Waiting,
            Some(Decision::Known) => StartOutcome::Known,
            Some(Decision::Changed | Decision::Rejected(_) | Decision::Parked) => StartOutcome::Accepted,
        };
        let why = if decision.is_none() { self.undecided(&id).await } else { None };
        Ok(Started { id: id.to_string(), saga: body.saga, start, why })
    }

    /// What became of a request that is in the log; nothing where nobody has decided it: its partition may be nobody's for
    /// now, or still recovers, or is being closed.
    async fn decided(&self, id: &InstanceId, accepted: runtime::Accepted) -> Result<Option<Decision>, ApiError> {
        match timeout(self.patience, accepted.decision()).await {
            Ok(None) | Err(_) => Ok(None),
            Ok(Some(Decision::Rejected(rejection))) => Err(ApiError::rejected(&rejection, id)),
            Ok(Some(Decision::Parked)) => {
                Err(ApiError::unavailable("the engine failed at this request, which is a defect of saga")
                    .hint("it is kept; please report it with the log's words"))
            }
            Ok(Some(decision)) => Ok(Some(decision)),
        }
    }

    /// Why nobody has decided a request for an instance, where the log tells it.
    async fn undecided(&self, id: &InstanceId) -> Option<String> {
        if !self.orchestrator.log().is_shared() {
            return None;
        }
        let partition = Knows::partition(&*self.orchestrator, id);
        let stop = timeout(self.patience, self.orchestrator.stands_still(partition)).await;
        let why = stop.ok().and_then(Result::ok).flatten().map(|stop| {
            format!("partition {partition} stands still: failed to {stop}; `saga list` says what lets it go on")
        });
        let known = why.as_deref().unwrap_or("it waits for the orchestrator that owns its partition; is one running?");
        if self.undecided.takes() {
            tracing::warn!(partition, "the request is in the log, and nobody has decided it yet: {known}");
        }
        why
    }

    /// Gives an order.
    ///
    /// # Errors
    /// The order makes no sense, is refused, or the log does not take it.
    pub async fn order(&self, id: &str, body: OrderBody) -> Result<Taken, ApiError> {
        let id = instance_id(id)?;
        self.decides(&id)?;
        match self.orchestrator.get(&id).await {
            // The order stands behind the start, and is decided behind it.
            Ok(_) | Err(Error::Undecided { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        wanted::filled_in(body.reply.iter().chain(&body.with)).map_err(ApiError::bad_request)?;
        let order = body.order()?;
        let request = match body.request.as_deref() {
            Some(text) => {
                RequestId::try_from(text).map_err(|error| ApiError::bad_request(format!("failed to {error}")))?
            }
            None => RequestId::try_from(Uuid::now_v7().to_string().as_str()).expect("a UUID is a short text"),
        };
        let by = body.by.map(Into::into);
        let order = OrderRequest { request: request.clone(), order, by, reason: body.reason };
        let decision = self.decided(&id, self.orchestrator.order(&id, order, None).await?).await?;
        let order = if decision.is_some() { OrderOutcome::Taken } else { OrderOutcome::Waiting };
        let why = if decision.is_none() { self.undecided(&id).await } else { None };
        Ok(Taken { id: id.to_string(), request: request.to_string(), order, why })
    }

    /// Instances: what needs a person first.
    ///
    /// # Errors
    /// The view cannot be read.
    pub async fn list(&self, query: &ListQuery) -> Result<List, ApiError> {
        looking::in_time(&self.orchestrator, looking::list(&*self.orchestrator, query)).await
    }

    /// One instance, live or ended.
    ///
    /// # Errors
    /// There is none of that id.
    pub async fn show(&self, id: &str, query: &ShowQuery) -> Result<Shown, ApiError> {
        looking::in_time(&self.orchestrator, looking::show(&*self.orchestrator, id, query)).await
    }

    /// All that happened to an instance.
    ///
    /// # Errors
    /// There is none of that id, or retention has taken its beginning.
    pub async fn history(&self, id: &str, query: &HistoryQuery) -> Result<History, ApiError> {
        looking::in_time(&self.orchestrator, past::history(&*self.orchestrator, id, query)).await
    }

    /// Follows an instance from its beginning on.
    ///
    /// # Errors
    /// The id is none.
    pub fn follow(&self, id: &str) -> Result<Follower, ApiError> {
        Ok(Follower::new(Arc::clone(&self.orchestrator), instance_id(id)?))
    }

    /// Takes a late reply of a participant behind HTTP.
    ///
    /// # Errors
    /// It is no reply, or the log does not take it.
    pub async fn reply(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), ApiError> {
        let message = read_callback(headers, body).map_err(|error| {
            ApiError::bad_request(format!("failed to {error}")).hint(
                "send back ce-command, ce-kind and ce-attempt of the command, with ce-status and the reply as body",
            )
        })?;
        let partition = partition_of(&message.key, self.orchestrator.log().partitions());
        let log = self.orchestrator.log();
        let replies = log.topics().replies;
        match self.replies.append(&replies, partition, message).await {
            Outcome::At(_) => Ok(()),
            Outcome::Refused(why) => Err(not_taken(log, &replies, &why)),
            Outcome::Unknown => {
                Err(ApiError::unavailable("the log cannot say whether it took the reply: send it again"))
            }
        }
    }

    /// Who this is.
    #[must_use]
    pub fn alive(&self) -> Alive {
        let holder = self.orchestrator.directory().and_then(|log| log.holder()).map(|holder| holder.id.clone());
        let log = match self.orchestrator.log().health() {
            Health::Waiting { why, since } | Health::Unfit { why, since } => Some(format!("{why}, since {since}")),
            Health::Failed { why } => Some(why),
            Health::Writing | Health::Closed => None,
        };
        let (stopped, partitions) = (looking::stopped(&self.orchestrator), self.partitions());
        Alive { status: "alive".to_owned(), holder, stopped, log, partitions }
    }

    fn partitions(&self) -> Partitions {
        let mut counts = Partitions::default();
        for state in self.orchestrator.partitions() {
            match state {
                PartitionState::Running { .. } => counts.running += 1,
                PartitionState::Recovering => counts.recovering += 1,
                PartitionState::Stopped { .. } => counts.stopped += 1,
                PartitionState::Released => counts.elsewhere += 1,
            }
        }
        counts
    }

    /// Refuses at once what would only wait: a log on other machines that cannot be reached, or too much that waits
    /// already. Whoever asks over HTTP knows best when to ask again, and what is not taken costs no memory.
    ///
    /// # Errors
    /// Nothing is taken for now.
    pub fn takes(&self) -> Result<(), ApiError> {
        if self.orchestrator.is_busy() {
            return Err(ApiError::unavailable("too many requests are under way; nothing was taken").hint(AGAIN));
        }
        match self.away() {
            Some(why) => Err(ApiError::unavailable(format!("{why}; nothing was taken")).hint(AGAIN)),
            None => Ok(()),
        }
    }

    /// Refuses at once to look into a log on other machines that cannot be reached, rather than when patience is over.
    ///
    /// # Errors
    /// Nothing can be seen for now.
    pub fn shows(&self) -> Result<(), ApiError> {
        match self.away() {
            Some(why) => {
                Err(ApiError::unavailable(why).hint("what is under way stands in the log: ask again in a moment"))
            }
            None => Ok(()),
        }
    }

    /// Why the log, on other machines, cannot be reached.
    fn away(&self) -> Option<String> {
        let log = self.orchestrator.log();
        if let (Health::Waiting { why, .. }, true) = (log.health(), log.is_shared()) { Some(why) } else { None }
    }

    /// Accepts that inputs of a partition are lost, and lets it go on behind them.
    ///
    /// # Errors
    /// It does not stand still for that.
    pub async fn accept_gap(&self, partition: u32, body: PartitionOrder) -> Result<Accepted, ApiError> {
        let PartitionOrder { order: PartitionWord::AcceptGap, by, reason } = body;
        self.orchestrator.accept_gap(partition, Signed { by: by.map(Into::into), reason }).await?;
        Ok(Accepted { partition, order: "accept_gap".to_owned() })
    }

    /// Refuses what a partition that stands still would not decide.
    fn decides(&self, id: &InstanceId) -> Result<(), ApiError> {
        let partition = Knows::partition(&*self.orchestrator, id);
        match looking::stopped(&self.orchestrator).into_iter().find(|stopped| stopped.partition == partition) {
            None => Ok(()),
            Some(Stopped { why, .. }) => Err(ApiError::unavailable(format!(
                "partition {partition}, to which `{id}` belongs, stands still: {why}"
            ))
            .hint(format!(
                "`saga list` says what is to be done; once partition {partition} goes on, give the order again"
            ))),
        }
    }

    /// Whether sagas run here now.
    ///
    /// # Errors
    /// A partition recovers or stands still, or the log cannot be written.
    pub fn ready(&self) -> Result<Ready, ApiError> {
        let no = |why: String| Err(ApiError::unavailable(why));
        // First of all why, if the log is why: partitions that it fences recover again and again.
        match self.orchestrator.log().health() {
            Health::Writing if self.orchestrator.has_joined() => {}
            Health::Writing => {
                return no("the group of orchestrators has not said yet which partitions are its own".to_owned());
            }
            Health::Waiting { why, .. } | Health::Unfit { why, .. } | Health::Failed { why } => return no(why),
            Health::Closed => return no("it is being stopped".to_owned()),
        }
        for (number, state) in self.orchestrator.partitions().into_iter().enumerate() {
            match state {
                PartitionState::Running { .. } => {}
                PartitionState::Recovering => return no(format!("partition {number} recovers")),
                PartitionState::Stopped { why, .. } => return no(format!("partition {number} stands still: {why}")),
                // Another's.
                PartitionState::Released if self.orchestrator.log().is_shared() => {}
                PartitionState::Released => return no("it is being stopped".to_owned()),
            }
        }
        Ok(Ready { status: "ready", partitions: self.partitions() })
    }
}
