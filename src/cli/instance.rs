//! Where instances are: in a data directory, whoever holds it, or behind a server. The commands that look after
//! instances do not care which.

use std::borrow::Cow;
use std::cell::Cell;
use std::path::{Path, PathBuf};
#[cfg(feature = "kafka")]
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

use super::error::Kind;
#[cfg(feature = "kafka")]
use super::kafka::{AWAY_PATIENCE, OnKafka, Place as OnPlace, patiently};
use super::settings::Settings;
use super::{CliError, Out, limits};
use crate::engine::Summary;
use crate::http::api::{
    Accepted, ApiError, EventBody, Fault, INVALID_INPUT, ListQuery, OrderBody, PartitionOrder, Published, StartBody,
    Started, Taken,
};
use crate::http::dead::{self, Dead, DeadQuery};
use crate::http::definitions::Definitions;
use crate::http::faults::named;
use crate::http::history::History;
use crate::http::past::{HistoryQuery, ShowQuery};
use crate::http::reach::{PassedBy, Purpose, Reached, reach};
#[cfg(feature = "kafka")]
use crate::http::service::Service;
use crate::http::view::{List, Shown, Stopped};
use crate::runtime::LIST_MAX;
use crate::time::{Timestamp, millis};

/// The variable that names a server where neither it nor a data directory is given.
const SERVER: &str = "SAGA_SERVER";

/// So often a server that goes away in the middle is looked for again: each time it may be another that holds the data.
const TRIES: u32 = 3;

/// How long an order on Kafka is waited for to be decided, before it is left to whoever will own its partition.
#[cfg(feature = "kafka")]
const VISIT_PATIENCE: Duration = Duration::from_secs(10);

/// Where the instances are, and how they are shown.
#[derive(Debug, clap::Args)]
pub(super) struct Where {
    /// The data directory, whoever holds it [default: the one in saga.toml, else .saga]
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    #[cfg_attr(feature = "kafka", arg(conflicts_with_all = OnKafka::ALL))]
    data: Option<PathBuf>,
    /// The address of a `saga serve`, such as `http://127.0.0.1:7117` [default: `SAGA_SERVER`, without --data]
    #[arg(long, value_name = "URL")]
    #[cfg_attr(feature = "kafka", arg(conflicts_with_all = OnKafka::ALL))]
    server: Option<String>,
    #[cfg(feature = "kafka")]
    #[command(flatten)]
    kafka: OnKafka,
    /// Print JSON, whose form is stable
    #[arg(long)]
    json: bool,
}

impl Where {
    pub(super) const fn is_json(&self) -> bool {
        self.json
    }

    /// What to say of a partition that stands still.
    pub(super) fn stopped(&self, stopped: &Stopped) -> String {
        let Stopped { partition, why, order, elsewhere } = stopped;
        let command = order.as_ref().map(|order| {
            let (order, partition) = (order.replace('_', "-"), partition.to_string());
            // Only who owns the partition can go on.
            if *elsewhere {
                return format!("saga {order} {partition} --server URL` of the `saga serve` whose /healthz names it");
            }
            format!("{}`", self.command_line(&order, &partition))
        });
        let command = command.map(|command| format!("\n  `{command}")).unwrap_or_default();
        format!("partition {partition} stands still: {why}{command}")
    }

    /// A command for the same place, to be pasted.
    pub(super) fn command_line(&self, command: &str, id: &str) -> String {
        self.command_with((command, id), &[], &[])
    }

    /// The same, with what stands behind the id and options, both quoted.
    pub(super) fn command_with(&self, command: (&str, &str), behind: &[String], options: &[String]) -> String {
        pasted(command, &self.words(), behind, options)
    }

    /// A command for the same place that is about no one instance.
    pub(super) fn pasted(&self, command: &[&str]) -> String {
        let command = ["saga"].iter().chain(command).map(|word| (*word).to_owned());
        shell_words::join(command.chain(self.words()))
    }

    /// The arguments that say where.
    pub(super) fn words(&self) -> Vec<String> {
        let data = self.data.as_ref().map(|data| ["--data".to_owned(), data.to_string_lossy().into_owned()]);
        let server = self.server.as_ref().map(|server| ["--server".to_owned(), server.clone()]);
        let words = data.into_iter().chain(server).flatten();
        #[cfg(feature = "kafka")]
        let words = words.chain(self.kafka.words().into_iter().map(str::to_owned));
        words.collect()
    }
}

/// A place. Calls wait for their answer.
pub(super) struct Access {
    runtime: Runtime,
    place: Place,
    /// The same as arguments, as they were given.
    words: Vec<String>,
    /// Whether the data that was last asked was held by nobody.
    is_idle: Cell<bool>,
}

/// What came of an order to all that were stuck.
pub(super) struct StuckOrders {
    pub(super) orders: Vec<(String, Result<Taken, ApiError>)>,
    /// So many were, more than are listed perhaps.
    pub(super) all: u64,
}

enum Place {
    Data(PathBuf),
    Server(String),
    #[cfg(feature = "kafka")]
    Kafka(OnPlace),
}

impl Access {
    pub(super) fn to(place: &Where) -> Result<Self, CliError> {
        let runtime = runtime()?;
        Ok(Self { place: Self::place(place)?, words: place.words(), runtime, is_idle: Cell::default() })
    }

    fn place(place: &Where) -> Result<Place, CliError> {
        if let Some(server) = &place.server {
            return Ok(Place::Server(server.clone()));
        }
        if let Some(data) = &place.data {
            return Ok(Place::Data(data.clone()));
        }
        #[cfg(feature = "kafka")]
        if place.kafka.is_named()
            && let Some(named) = place.kafka.place(&Settings::load()?)?
        {
            return Ok(Place::Kafka(named));
        }
        if let Some(server) = std::env::var(SERVER).ok().filter(|url| !url.is_empty()) {
            #[cfg(feature = "kafka")]
            place.kafka.is_unsaid(SERVER)?;
            return Ok(Place::Server(server));
        }
        let settings = Settings::load()?;
        #[cfg(feature = "kafka")]
        if let Some(named) = place.kafka.place(&settings)? {
            return Ok(Place::Kafka(named));
        }
        Ok(Place::Data(settings.data))
    }

    pub(super) fn start(&self, mut body: StartBody, out: &mut Out) -> Result<Started, CliError> {
        // Chosen here, so that asking twice begins one.
        body.id.get_or_insert_with(|| Uuid::now_v7().to_string());
        self.ask(Purpose::Order, out, &async |reached| reached.start(body.clone()).await)
    }

    pub(super) fn order(&self, id: &str, mut body: OrderBody, out: &mut Out) -> Result<Taken, CliError> {
        body.request.get_or_insert_with(|| Uuid::now_v7().to_string());
        self.ask(Purpose::Order, out, &async |reached| reached.order(id, body.clone()).await)
    }

    /// Gives an order to each instance that waits for a person, as many as one list has. One that is refused keeps no other from its
    /// order, and a repeat of the call is recognised by the order's id as that of one instance is.
    pub(super) fn order_stuck(
        &self,
        (saga, step): (Option<&str>, Option<&str>),
        mut body: OrderBody,
        out: &mut Out,
    ) -> Result<StuckOrders, CliError> {
        body.request.get_or_insert_with(|| Uuid::now_v7().to_string());
        let limit = u32::try_from(LIST_MAX).ok();
        let (saga, step) = (saga.map(Into::into), step.map(Into::into));
        let query = ListQuery { saga, step, status: Some(Summary::Stuck), limit, ..ListQuery::default() };
        self.ask(Purpose::Order, out, &async |reached| {
            let list = reached.list(&query).await?;
            let mut orders = Vec::with_capacity(list.instances.len());
            for row in &list.instances {
                let came = reached.order(&row.id, body.clone()).await;
                if let Err(error) = &came
                    && error.fault == Fault::Unavailable
                {
                    // Nor would it be another's turn.
                    return Err(error.clone());
                }
                orders.push((row.id.clone(), came));
            }
            Ok(StuckOrders { orders, all: list.counts.iter().map(|count| count.count).sum() })
        })
    }

    pub(super) fn publish(&self, topic: &str, body: &EventBody, out: &mut Out) -> Result<Published, CliError> {
        self.ask(Purpose::Order, out, &async |reached| reached.publish(topic, body.clone()).await)
    }

    pub(super) fn accept_gap(
        &self,
        partition: u32,
        order: &PartitionOrder,
        out: &mut Out,
    ) -> Result<Accepted, CliError> {
        #[cfg(feature = "kafka")]
        if let Place::Kafka(_) = &self.place {
            return Err(CliError::usage(
                "only the orchestrator that owns a partition can go on behind its lost inputs",
            )
            .hint("ask it: --server URL, of the `saga serve` whose `/healthz` names the partition"));
        }
        self.ask(Purpose::Order, out, &async |reached| reached.accept_gap(partition, order.clone()).await)
    }

    pub(super) fn list(&self, query: &ListQuery, out: &mut Out) -> Result<List, CliError> {
        self.ask(Purpose::Look, out, &async |reached| reached.list(query).await)
    }

    /// An instance; with its history if that is wanted of it.
    pub(super) fn show(
        &self,
        (id, query): (&str, &ShowQuery),
        wants_history: impl Fn(&Shown) -> bool,
        out: &mut Out,
    ) -> Result<(Shown, Option<History>), CliError> {
        self.ask(Purpose::Look, out, &async |reached| {
            let shown = reached.show(id, query).await?;
            let of = HistoryQuery { run: shown.lives.run.map(|run| run.0.to_string()) };
            let history = if wants_history(&shown) { Some(reached.history(id, &of).await?) } else { None };
            Ok((shown, history))
        })
    }

    pub(super) fn history(&self, id: &str, query: &HistoryQuery, out: &mut Out) -> Result<History, CliError> {
        self.ask(Purpose::Look, out, &async |reached| reached.history(id, query).await)
    }

    pub(super) fn definitions(&self, out: &mut Out) -> Result<Definitions, CliError> {
        self.ask(Purpose::Look, out, &async |reached| reached.definitions().await)
    }

    pub(super) fn dead(&self, query: DeadQuery, out: &mut Out) -> Result<Dead, CliError> {
        self.ask(Purpose::Look, out, &async |reached| reached.dead(query).await)
    }

    pub(super) fn dead_at(&self, (partition, offset): (u32, u64), out: &mut Out) -> Result<dead::Shown, CliError> {
        self.ask(Purpose::Look, out, &async |reached| reached.dead_at(partition, offset).await)
    }

    /// Where nobody works on the data: that what is due will not happen by itself.
    pub(super) fn say_if_idle(&self, out: &mut Out) {
        if let (true, Place::Data(data)) = (self.is_idle.get(), &self.place) {
            let serve = shell_words::join(["saga", "serve", "--data", data.to_string_lossy().as_ref()]);
            out.remark(format_args!(
                "\nnobody works on {} now: what is due by the times above waits until somebody does, such as `{serve}`",
                data.display()
            ));
        }
    }

    fn ask<T>(
        &self,
        purpose: Purpose,
        out: &mut Out,
        call: &impl AsyncFn(&Reached) -> Result<T, ApiError>,
    ) -> Result<T, CliError> {
        self.runtime.block_on(async {
            let mut tried = 0;
            loop {
                tried += 1;
                let reached = match &self.place {
                    Place::Server(url) => Reached::server(url)?,
                    Place::Data(data) => {
                        reach(data, purpose).await.map_err(|error| CliError::from(error).at(&self.words))?
                    }
                    #[cfg(feature = "kafka")]
                    Place::Kafka(place) => return self.visit(place, call).await,
                };
                if let Place::Data(data) = &self.place {
                    remark(&reached, data, out);
                }
                self.is_idle.set(matches!(reached, Reached::Beside(_, None)));
                let answer = call(&reached).await;
                reached.close().await;
                match (answer, &self.place) {
                    // Every call does the same when it is repeated, so one that was perhaps heard may be.
                    (Err(error), Place::Data(_)) if error.code == ApiError::UNREACHABLE && tried < TRIES => {}
                    (answer, _) => return answer.map_err(|error| CliError::from(error).at(&self.words)),
                }
            }
        })
    }

    /// Asks the log itself, as one who runs nothing.
    #[cfg(feature = "kafka")]
    async fn visit<T>(
        &self,
        place: &OnPlace,
        call: &impl AsyncFn(&Reached) -> Result<T, ApiError>,
    ) -> Result<T, CliError> {
        let log = place.clone().open(Some(AWAY_PATIENCE)).await?.site();
        let reached = patiently(&log, Service::visit(Arc::clone(&log), VISIT_PATIENCE)).await??;
        let reached = Reached::Here(Box::new(reached));
        let answer = patiently(&log, call(&reached)).await;
        reached.close().await;
        answer?.map_err(|error| CliError::from(error).at(&self.words))
    }
}

/// A command about an instance, to be pasted. An id that looks like an option stands last, behind `--`.
pub(super) fn pasted((command, id): (&str, &str), place: &[String], behind: &[String], options: &[String]) -> String {
    let place = place.iter().map(|word| shell_words::quote(word));
    let (behind, options) = (behind.iter().map(Into::into), options.iter().map(Into::into));
    let command = ["saga", command].map(Into::into).into_iter();
    let words: Vec<Cow<'_, str>> = if id.starts_with('-') {
        command.chain(place).chain(options).chain([named(id).into()]).chain(behind).collect()
    } else {
        command.chain([named(id).into()]).chain(place).chain(behind).chain(options).collect()
    };
    words.join(" ")
}

/// Says by what way, where that is not the usual one.
fn remark(reached: &Reached, data: &Path, out: &mut Out) {
    let data = data.display();
    match reached {
        Reached::Server(client, Some(holder)) => {
            out.dim(format_args!("asked {} (process {}), which holds {data}", client.base(), holder.pid));
        }
        Reached::Beside(_, Some(PassedBy { holder, why })) => match why {
            Some(why) => out.dim(format_args!("read beside {holder}, which holds {data} and {why}")),
            None => out.dim(format_args!("read beside {holder}, which holds {data}")),
        },
        Reached::Server(_, None) | Reached::Beside(_, None) | Reached::Here(_) => {}
    }
}

impl From<ApiError> for CliError {
    fn from(error: ApiError) -> Self {
        let kind = match error.fault {
            Fault::Request | Fault::Method | Fault::Input | Fault::Size | Fault::Media => Kind::Usage,
            Fault::Unknown | Fault::State | Fault::Busy => Kind::Refused,
            Fault::Unavailable | Fault::Foreign => Kind::Unavailable,
        };
        let shown = Self::new(kind, error.message);
        let input = error.example.iter().filter(|_| error.code == INVALID_INPUT);
        let shown = input.fold(shown, |shown, input| shown.hint(super::input::example(input.get())));
        error.hint.iter().flat_map(|hints| hints.lines()).fold(shown, Self::hint)
    }
}

/// The threads on which orchestration and clients run.
pub(super) fn runtime() -> Result<Runtime, CliError> {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::new(Kind::Unavailable, format!("failed to start threads: {error}")))?;
    limits::fail_instead_of_dying(&runtime);
    Ok(runtime)
}

/// Whether it goes on by itself while somebody works on it.
pub(super) const fn is_under_way(status: Summary) -> bool {
    match status {
        Summary::Running | Summary::Compensating => true,
        Summary::Stuck | Summary::Completed | Summary::Compensated => false,
    }
}

/// The wall clock.
pub(super) fn now() -> Timestamp {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(Timestamp(0), |since| Timestamp(millis(since)))
}

/// A duration in its largest unit, for people.
pub(super) fn ago(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}
