//! `saga run`: begins one instance, or goes on with it, follows it to its end, and gives the outcome.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::answering::Desk;
use super::error::{Kind, near_miss};
use super::instance::{pasted, runtime};
#[cfg(feature = "kafka")]
use super::kafka::{OnKafka, Place};
use super::limits::stopped;
use super::live::{Live, REDRAW};
use super::outcomes::long;
use super::participants::{Addresses, Participants};
#[cfg(feature = "kafka")]
use super::rivals::carried;
use super::settings::Settings;
use super::sources::{Checked, check_file};
use super::{CliError, Exit, Out, input};
use crate::definition::{Happening, HappeningKind, Saga, Scenario};
use crate::engine::{self, Summary};
use crate::http::api::{OrderBody, OrderWord, StartBody, StartOutcome};
use crate::http::cast::Cast;
use crate::http::follower::{Age, Step};
use crate::http::past::ShowQuery;
use crate::http::server;
use crate::http::service::Service;
use crate::http::view::{FailureView, Shown, Standing};
use crate::json::Json;
use crate::model::scenario;
use crate::participant::{Address, remembered};
use crate::plan::Plan;
use crate::runtime::{Deployed, Options, Standing as Stands};

/// How long a start on Kafka is waited for: its partition may be nobody's until a dead owner's session is over.
#[cfg(feature = "kafka")]
const RUN_PATIENCE: Duration = Duration::from_mins(1);

/// A scenario that is over sooner needs no word on how long it takes.
const SOON: Duration = Duration::from_secs(1);

/// Run an instance of a saga, durably, and follow it to its end
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The outcome is JSON on standard output; the exit code says how it ended (`saga help exit-codes`).
Ctrl-C leaves the instance in the log; the same command with the same --id goes on with it.
Meanwhile `saga signal`, `saga cancel` and their like on the same data directory reach it.
With --scenario the log and the clock are real: timeouts, pauses and waits take as long as they say.
To see whether scenarios hold, `saga test` plays them in virtual time.")]
pub(super) struct Arguments {
    /// A file of the language
    file: String,
    /// The saga, where the file has several
    saga: Option<String>,
    /// The input: JSON, @FILE, or - for standard input [default: that of the file's first scenario]
    #[arg(long, value_name = "JSON", conflicts_with = "scenario")]
    input: Option<String>,
    /// Play the scenario of this title, in real time: its input, and what happens in it
    #[arg(long, value_name = "TITLE", conflicts_with_all = ["participant"])]
    scenario: Option<String>,
    /// A business key, such as an order's number: the same run with the same id is done once
    #[arg(long)]
    id: Option<String>,
    /// The data directory [default: the one in saga.toml, else .saga]
    #[arg(long, value_name = "DIR")]
    #[cfg_attr(feature = "kafka", arg(conflicts_with_all = OnKafka::ALL))]
    data: Option<PathBuf>,
    #[cfg(feature = "kafka")]
    #[command(flatten)]
    kafka: OnKafka,
    #[command(flatten)]
    participants: Participants,
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let settings = Settings::load()?;
    let file = check_file(&arguments.file)?.runnable(out)?;
    let scenario = arguments.scenario.as_deref().map(|title| find_scenario(&file, title)).transpose()?;
    let name = arguments.saga.as_deref().or_else(|| scenario.map(|scenario| scenario.saga.as_str()));
    let saga = Arc::clone(file.saga(name)?);
    // An instance that has begun has its input: whoever goes on with it gives none.
    let may_go_on = arguments.id.is_some() && arguments.input.is_none() && scenario.is_none();
    #[cfg(feature = "kafka")]
    let is_on_kafka = arguments.data.is_none() && arguments.kafka.place(&settings)?.is_some();
    #[cfg(not(feature = "kafka"))]
    let is_on_kafka = false;
    let data = arguments.data.clone().unwrap_or_else(|| settings.data.clone());
    let may_go_on = may_go_on && (is_on_kafka || Service::is_there(&data).is_ok());
    let input = if may_go_on { None } else { Some(chosen_input(arguments, &file, &saga, scenario, out)?) };
    let addresses = arguments.participants.addresses(&settings)?;
    let cast = Cast::of(&file.program);
    addresses.are_of(&cast, out)?;
    let addresses = if scenario.is_some() { Addresses::played() } else { addresses };
    let body = StartBody { saga: saga.name.to_string(), id: arguments.id.clone(), input };
    let scenario = scenario.cloned().map(Arc::new);
    let in_data = vec!["--data".to_owned(), data.to_string_lossy().into_owned()];
    let (place, asked_at) = (in_data.clone(), in_data);
    let following = Following { arguments, place, asked_at, file: &file, saga, cast, addresses, scenario };
    #[cfg(feature = "kafka")]
    if let Some(place) = if arguments.data.is_some() { None } else { arguments.kafka.place(&settings)? } {
        return runtime()?.block_on(following.on_kafka(place, &settings, body, out));
    }
    runtime()?.block_on(async {
        let desk = Desk::take().await?;
        let options = settings.options(format!("saga run {}", file.name));
        let options = Options { server: Some(desk.address().to_owned()), ..options };
        let service = Arc::new(Service::open(&data, &options).await?);
        let answering = desk.open(server::router(Arc::clone(&service), Desk::LISTENS));
        let followed = async {
            let addresses = following.addresses.choose(&following.cast, &service.known().await?, out)?;
            following.follow(&service, addresses, body, out).await
        };
        let followed = followed.await;
        answering.end().await;
        // Whatever came of it, what is in the log is in order.
        service.close().await;
        following.end(followed.map_err(|error| error.at(&following.asked_at))?, out)
    })
}

fn find_scenario<'f>(file: &'f Checked, title: &str) -> Result<&'f Scenario, CliError> {
    let scenarios = &file.program.scenarios;
    scenarios.iter().find(|scenario| scenario.title == title).ok_or_else(|| {
        let error = CliError::usage(format!("{} has no scenario \"{title}\"", file.name));
        match near_miss("its scenarios", title, scenarios.iter().map(|scenario| scenario.title.as_str())) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    })
}

/// As given, else that of the scenario, else that of the first scenario of the saga.
fn chosen_input(
    arguments: &Arguments,
    file: &Checked,
    saga: &Saga,
    scenario: Option<&Scenario>,
    out: &mut Out,
) -> Result<Json, CliError> {
    let first =
        || file.program.scenarios.iter().find(|scenario| scenario.saga == saga.name && scenario.given.is_some());
    let input = match (&arguments.input, scenario.or_else(first)) {
        (Some(text), _) => input::json("--input", text)?,
        (None, Some(source)) => {
            if scenario.is_none() {
                out.remark(format_args!(
                    "input: that of the scenario \"{}\" (give --input JSON for another)",
                    source.title
                ));
            }
            let given = source.given.as_deref().unwrap_or("{}");
            Json::parse(given).map_err(|error| CliError::failed_to(Kind::Bug, &error))?
        }
        (None, None) if saga.input.fields.iter().all(|field| field.ty.is_optional()) => Json::empty_object(),
        (None, None) => return Err(input::none(saga)),
    };
    input::fits(saga, &input, out)?;
    Ok(input)
}

/// What a scenario has come from outside, and how long after the start, the first last.
fn from_outside(scenario: &Scenario) -> Vec<(Duration, OrderBody)> {
    let order = |happening: &Happening| match &happening.kind {
        HappeningKind::Cancelled(after) => {
            let reason = Some("the scenario cancels here".to_owned());
            Some((*after, OrderBody { reason, ..OrderBody::new(OrderWord::Cancel) }))
        }
        HappeningKind::Arrives { signal, with, after } => {
            let (signal, with) = (Some(signal.to_string()), Json::parse(with.clone()).ok());
            Some((*after, OrderBody { signal, with, ..OrderBody::new(OrderWord::Signal) }))
        }
        HappeningKind::Answer { .. } => None,
    };
    let mut orders: Vec<_> = scenario.happenings.iter().filter_map(order).collect();
    orders.sort_by_key(|(after, _)| std::cmp::Reverse(*after));
    orders
}

/// One run of the command.
struct Following<'a> {
    arguments: &'a Arguments,
    /// Where the log is, as arguments.
    place: Vec<String>,
    /// Where one can ask for the instance, as arguments.
    asked_at: Vec<String>,
    file: &'a Checked,
    saga: Arc<Saga>,
    cast: Cast,
    addresses: Addresses,
    scenario: Option<Arc<Scenario>>,
}

impl Following<'_> {
    /// As one more orchestrator of a deployment.
    #[cfg(feature = "kafka")]
    async fn on_kafka(
        mut self,
        place: Place,
        settings: &Settings,
        body: StartBody,
        out: &mut Out,
    ) -> Result<Exit, CliError> {
        self.place = self.arguments.kafka.words().into_iter().map(str::to_owned).collect();
        self.asked_at = self.place.clone();
        self.place.extend(self.arguments.participants.words());
        self.file.keeps_off(&place.topics, out)?;
        let opened = place.open(None).await?;
        opened.is_fit().await?;
        opened.has_topics_of(&self.cast, &self.file.name).await?;
        let addresses = self.addresses.only_said(&self.cast);
        let others = self.cast.only(|topic| !addresses.contains_key(topic));
        let carried = carried(&self.cast, &self.addresses);
        opened.are_free(carried.clone()).await?;
        let options = settings.options(format!("saga run {}", self.file.name));
        let service = Arc::new(Service::join(opened.site(), &options, RUN_PATIENCE).await?);
        opened.watch(Arc::clone(&service), move || others.clone(), move || carried.clone());
        let followed = self.follow(&service, addresses, body, out).await;
        service.close().await;
        self.end(followed.map_err(|error| error.at(&self.asked_at))?, out)
    }

    /// The id of an instance that has begun, for whoever gives no input: it goes on with its own.
    async fn begun(&self, service: &Service, body: &StartBody) -> Option<String> {
        let id = body.id.as_ref().filter(|_| body.input.is_none())?;
        let shown = service.show(id, &ShowQuery::default()).await.ok()?;
        (shown.row.saga == body.saga).then(|| id.clone())
    }

    /// The id, and the instance at its end or where it is stuck; nothing if it was left.
    async fn follow(
        &self,
        service: &Arc<Service>,
        addresses: remembered::Addresses,
        body: StartBody,
        out: &mut Out,
    ) -> Result<(String, Option<Shown>), CliError> {
        let begun = self.begun(service, &body).await;
        let input = match &begun {
            None if body.input.is_none() => Some(chosen_input(self.arguments, self.file, &self.saga, None, out)?),
            _ => body.input,
        };
        let deployed = service.deploy(&[self.file.deployable()?]).await?;
        if let Some((deployed, current)) =
            deployed.iter().find_map(older).filter(|(deployed, _)| *deployed.saga == body.saga)
        {
            let Deployed { saga, version, .. } = deployed;
            let error =
                format!("saga `{saga}` runs by version {current}, and {} has version {version}", self.file.name);
            return Err(CliError::new(Kind::Refused, error)
                .hint(format!("to run version {current}, take its file; to go back, `saga deploy` this one")));
        }
        let has_http = addresses.values().any(|address| matches!(address, Address::Http(_)));
        let desk = if has_http { Some(Desk::take().await?) } else { None };
        let callback = desk.as_ref().map(|desk| format!("{}/replies", desk.address()));
        // Where participants post is nothing else of the API.
        let _replies = desk.map(|desk| desk.open(server::replies(Arc::clone(service), Desk::LISTENS)));
        service.carry(self.cast.settings(&addresses, self.scenario.as_ref(), callback.as_deref())).await?;
        self.says_how_long(out);
        let (id, start) = if let Some(id) = begun {
            (id, StartOutcome::Known)
        } else {
            let started = service.start(StartBody { input, ..body }, None).await?;
            (started.id, started.start)
        };
        match start {
            StartOutcome::Accepted => out.remark(format_args!("instance {id} began")),
            StartOutcome::Known => out.remark(format_args!("instance {id} had begun before")),
            StartOutcome::Waiting => {
                out.remark(format_args!("instance {id} is in the log, and begins once an orchestrator takes it up"));
            }
        }
        let ended = self.to_its_end(service, &id, out).await?;
        Ok((id, ended))
    }

    /// Time is real: whoever plays a scenario in which somebody is silent for ten minutes sits before it for so long.
    fn says_how_long(&self, out: &mut Out) {
        let Some(scenario) = &self.scenario else { return };
        let trace = scenario::run(&Plan::new(Arc::clone(&self.saga)), scenario).trace;
        let takes = trace.last().map(|(after, _)| *after).unwrap_or_default();
        if takes < SOON {
            return;
        }
        let mut waits: Vec<&str> = Vec::new();
        for ((before, _), (after, event)) in trace.iter().zip(trace.iter().skip(1)) {
            let place = event.step().map(engine::Place::as_str).filter(|place| !waits.contains(place));
            waits.extend(place.filter(|_| after.saturating_sub(*before) >= SOON));
        }
        let at = if waits.is_empty() { String::new() } else { format!(", and waits at {}", waits.join(", ")) };
        out.remark(format_args!("time is real: the scenario takes {}{at}; `saga test` plays it at once", long(takes)));
    }

    fn end(&self, (id, ended): (String, Option<Shown>), out: &mut Out) -> Result<Exit, CliError> {
        if let Some(shown) = ended {
            return self.outcome(&shown, out);
        }
        out.remark(format_args!("\nleft in the log; go on with: {}", self.again(&id)));
        Ok(Exit::Left)
    }

    /// The instance at its end or where it is stuck; nothing if it was left.
    async fn to_its_end(&self, service: &Service, id: &str, out: &mut Out) -> Result<Option<Shown>, CliError> {
        let mut follower = service.follow(id)?;
        let mut live: Option<Live> = None;
        let mut redraw = interval(REDRAW);
        redraw.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut interrupted = std::pin::pin!(stopped());
        let began = Instant::now();
        let mut outside = self.scenario.as_deref().map(from_outside).unwrap_or_default();
        let ended = 'followed: loop {
            // Kept across what happens meanwhile: a step may take many questions to the log.
            let mut next = std::pin::pin!(follower.next());
            let step = loop {
                tokio::select! {
                    step = &mut next => break step?,
                    () = sleep_until(began + outside.last().map_or(REDRAW, |(after, _)| *after)), if !outside.is_empty() => {
                        if let Some((_, order)) = outside.pop()
                            && let Err(refused) = service.order(id, order).await
                        {
                            out.remark(format_args!("what the scenario has come here is refused: {}", refused.message));
                        }
                    }
                    _ = redraw.tick() => if let Some(live) = &mut live { live.tick() },
                    () = &mut interrupted => break 'followed None,
                }
            };
            let Some(Step { entry, shown, age }) = step else { break None };
            let live = live.get_or_insert_with(|| Live::new(out, shown.flow.len()));
            live.happened(&entry, shown.clone(), out);
            if age == Age::Newest && is_over(&shown) {
                break Some(shown);
            }
        };
        if let Some(live) = &mut live {
            live.end(out);
        }
        Ok(ended)
    }

    fn outcome(&self, shown: &Shown, out: &mut Out) -> Result<Exit, CliError> {
        let stuck = shown.flow.iter().filter(|statement| statement.state == Some(Standing::Stuck));
        let row = &shown.row;
        out.json(&Outcome {
            id: &row.id,
            saga: &row.saga,
            status: row.status,
            output: shown.output.as_ref(),
            failure: shown.failure.as_ref(),
            stuck: stuck
                .map(|at| StuckAt { step: &at.at, code: at.code.as_deref(), message: at.message.as_deref() })
                .collect(),
        })?;
        Ok(match row.status {
            Summary::Completed => Exit::Done,
            Summary::Compensated => Exit::Compensated,
            Summary::Stuck | Summary::Running | Summary::Compensating => {
                let show = pasted(("show", &row.id), &self.asked_at, &[], &[]);
                out.remark(format_args!("it waits for a person: `{show}` says what can be done"));
                Exit::Stuck
            }
        })
    }

    /// The same command with the id, to be pasted; where participants are is remembered.
    fn again(&self, id: &str) -> String {
        let Arguments { file, saga, .. } = self.arguments;
        let mut words = vec!["saga", "run", file.as_str()];
        words.extend(saga.as_deref());
        // In one word, so that an id that begins with `-` is none of the options.
        let joined = format!("--id={id}");
        if id.starts_with('-') {
            words.push(&joined);
        } else {
            words.extend(["--id", id]);
        }
        words.extend(self.place.iter().map(String::as_str));
        if let Some(input) = self.arguments.input.as_deref().filter(|input| *input != "-") {
            words.extend(["--input", input]);
        }
        if let Some(title) = self.arguments.scenario.as_deref() {
            words.extend(["--scenario", title]);
        }
        shell_words::join(words)
    }
}

/// What was not deployed, and the version that is current instead.
pub(super) fn older(deployed: &Deployed) -> Option<(&Deployed, u64)> {
    match deployed.standing {
        Stands::Older { version } => Some((deployed, version)),
        Stands::New | Stands::Unchanged | Stands::Replaces { .. } | Stands::Followed { .. } => None,
    }
}

const fn is_over(shown: &Shown) -> bool {
    match shown.row.status {
        Summary::Completed | Summary::Compensated | Summary::Stuck => true,
        Summary::Running | Summary::Compensating => false,
    }
}

/// What `saga run` prints: stable.
#[derive(Serialize)]
struct Outcome<'a> {
    id: &'a str,
    saga: &'a str,
    status: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a FailureView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stuck: Vec<StuckAt<'a>>,
}

#[derive(Serialize)]
struct StuckAt<'a> {
    step: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}
