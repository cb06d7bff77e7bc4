//! `saga serve`: runs the sagas of files until it is stopped, and answers over HTTP.

#[cfg(feature = "kafka")]
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::callback::{Callback, reachable};
use super::error::Kind;
use super::instance::runtime;
#[cfg(feature = "kafka")]
use super::kafka::{OnKafka, Opened, Place};
use super::outcomes::long;
use super::participants::{Addresses, Participants};
#[cfg(feature = "kafka")]
use super::rivals::{Carried, carried};
#[cfg(feature = "kafka")]
use super::run::older;
use super::settings::Settings;
use super::sources::{Checked, check_file};
use super::{CliError, Exit, Out, input, limits};
use crate::http::carrying::DRAIN;
#[cfg(feature = "kafka")]
use crate::http::cast::Asked;
use crate::http::cast::Cast;
use crate::http::routes;
use crate::http::server::router;
#[cfg(feature = "kafka")]
use crate::http::service::DECIDED_WITHIN;
use crate::http::service::{File, Service};
#[cfg(feature = "kafka")]
use crate::runtime::Deployed;
use crate::runtime::Options;

/// How one begins.
const BEGIN: &str = "`saga serve workflows/booking.saga`";

/// The most that a server waits for participants when it is stopped: longer than service managers let it.
const DRAIN_MAX: Duration = Duration::from_hours(1);

/// Run sagas until stopped, with an HTTP API
#[derive(Debug, clap::Args)]
#[command(after_help = routes::help())]
pub(super) struct Arguments {
    /// Files of the language, beside the definitions that are in the log already
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// Where the API listens; port 0 takes a free one [default: that in saga.toml, else 127.0.0.1:7117]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Where participants behind HTTP reach this server, such as `http://saga.internal:7117`: they post late replies to
    /// `/replies` behind it [default: that in saga.toml, else the address at which it listens]
    #[arg(long, value_name = "URL")]
    callback: Option<String>,
    /// How long to wait for participants' answers when it is stopped, such as 8s: what is not answered by then is asked
    /// again by another server; a second signal waits no longer [default: that in saga.toml, else 2s]
    #[arg(long, value_name = "DURATION")]
    drain: Option<String>,
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

pub(super) fn command(arguments: Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let settings = Settings::load()?;
    let mut files = Vec::new();
    for file in &arguments.files {
        files.push(check_file(file)?.runnable(out)?);
    }
    let addresses = arguments.participants.addresses(&settings)?;
    let callback = Callback::base(arguments.callback.as_deref(), &settings)?;
    let drain = drain(arguments.drain.as_deref(), &settings)?;
    #[cfg(feature = "kafka")]
    let mut place = if arguments.data.is_some() { None } else { arguments.kafka.place(&settings)? };
    #[cfg(feature = "kafka")]
    if let Some(place) = &place {
        files.iter().try_for_each(|file| file.keeps_off(&place.topics, out))?;
    }
    #[cfg(not(feature = "kafka"))]
    let place: Option<()> = None;
    let data = arguments.data.unwrap_or_else(|| settings.data.clone());
    let listen = arguments.listen.unwrap_or(settings.listen);
    if files.is_empty() && place.is_none() {
        Service::is_there(&data).map_err(|error| {
            CliError::new(Kind::Usage, error.message).hint(format!("to begin there, name a file: {BEGIN}"))
        })?;
    }
    runtime()?.block_on(async {
        // Before the log is opened: the address goes to participants, and a port that is taken changes nothing.
        let listener = TcpListener::bind(listen).await.map_err(|error| {
            CliError::new(Kind::Unavailable, format!("failed to listen on {listen}: {error}"))
                .hint("is another `saga serve` running there? --listen 127.0.0.1:0 takes a free port")
        })?;
        let address = listener
            .local_addr()
            .map_err(|error| CliError::new(Kind::Unavailable, format!("failed to learn the address: {error}")))?;
        let owner = format!("saga serve on http://{address}");
        let server = format!("http://{}", reachable(address));
        let callback = Callback::of(callback.as_deref(), address);
        let serving = Serving { files: &files, addresses: &addresses, callback, drain };
        let options = settings.options(owner);
        #[cfg(feature = "kafka")]
        if let Some(place) = place.take() {
            let ended = serving.on_kafka(place, (listener, address), &options, out).await;
            return ended.map_err(|error| error.at(&arguments.kafka.words()));
        }
        let service = Arc::new(Service::open(&data, &Options { server: Some(server), ..options }).await?);
        if let Err(error) = serving.prepare(&service, out).await {
            service.close().await;
            return Err(error.at(&["--data", &data.to_string_lossy()]));
        }
        let said = format!("serving {} from {} on http://{address}", service.sagas().join(", "), data.display());
        until_stopped((listener, address), (service, serving.drain), &said, out).await
    })
}

/// How long participants may take to answer what is under way when the server is stopped.
fn drain(argument: Option<&str>, settings: &Settings) -> Result<Duration, CliError> {
    let said = Settings::said("drain", argument, settings.drain.as_deref());
    let Some((text, origin)) = said else { return Ok(DRAIN) };
    input::duration(text).filter(|drain| *drain <= DRAIN_MAX).ok_or_else(|| {
        let most = long(DRAIN_MAX);
        CliError::usage(format!("failed to read how long to wait for participants, `{text}`: {origin}"))
            .hint(format!("it is a duration such as 500ms, 8s or 2m, {most} at most"))
    })
}

/// Says what it serves, and answers until it is told to stop.
async fn until_stopped(
    (listener, address): (TcpListener, SocketAddr),
    (service, drain): (Arc<Service>, Duration),
    serving: &str,
    out: &mut Out,
) -> Result<Exit, CliError> {
    // Whoever reads that it serves may tell it to stop.
    let stopped = limits::stopped();
    out.remark(format_args!("{serving}"));
    let routes = router(Arc::clone(&service), address.ip());
    // Heard from the first signal on: while it stops to listen, somebody may have given the second one.
    let (tell, told) = oneshot::channel();
    let stops = async {
        stopped.await;
        drop(tell.send(limits::stopped()));
    };
    let ended = axum::serve(listener, routes).with_graceful_shutdown(stops).await;
    let hurry = async {
        match told.await {
            Ok(again) => again.await,
            Err(_) => limits::stopped().await,
        }
    };
    out.remark(format_args!("stopping: what is under way goes to the log"));
    service.drain(drain, hurry).await;
    service.close().await;
    ended.map_err(|error| CliError::new(Kind::Unavailable, format!("failed to serve: {error}")))?;
    Ok(Exit::Done)
}

/// What is served.
struct Serving<'a> {
    files: &'a [Checked],
    addresses: &'a Addresses,
    callback: Callback,
    drain: Duration,
}

impl Serving<'_> {
    /// Takes part in a deployment on Kafka. Participants read their commands themselves, but for those that are given.
    #[cfg(feature = "kafka")]
    async fn on_kafka(
        &self,
        place: Place,
        (listener, address): (TcpListener, SocketAddr),
        options: &Options,
        out: &mut Out,
    ) -> Result<Exit, CliError> {
        let opened = place.open(None).await?;
        opened.is_fit().await?;
        let mut cast = Cast::default();
        self.files.iter().for_each(|file| cast.extend(&Cast::of(&file.program)));
        let names: Vec<&str> = self.files.iter().map(|file| file.name.as_str()).collect();
        opened.has_topics_of(&cast, &names.join(" ")).await?;
        let service = Arc::new(Service::join(opened.site(), options, DECIDED_WITHIN).await?);
        let stands = async {
            let files = self.files.iter().map(Checked::deployable).collect::<Result<Vec<File>, _>>()?;
            for (Deployed { saga, version, .. }, current) in service.deploy(&files).await?.iter().filter_map(older) {
                out.remark(format_args!(
                    "not deployed: saga `{saga}` runs by version {current}, and the file has version {version}; \
                     `saga deploy` goes back to it"
                ));
            }
            cast.extend(&service.everybody());
            self.addresses.are_of(&cast, out)?;
            Company::gather(opened.clone(), Arc::clone(&service), self.addresses.clone(), self.callback.clone()).await
        };
        let company = match stands.await {
            Ok(company) => company,
            Err(error) => {
                service.close().await;
                return Err(error);
            }
        };
        service.heed().await;
        opened.watch(Arc::clone(&service), company.others(), company.carried());
        // Ends with the runtime.
        tokio::spawn(company.keep());
        let sagas = service.sagas().join(", ");
        let sagas = if sagas.is_empty() { "what will be deployed" } else { &sagas };
        let serving = format!("serving {sagas} from {} on http://{address}", opened.name());
        until_stopped((listener, address), (service, self.drain), &serving, out).await
    }

    /// Deploys the files, and reaches out to all participants that are known.
    async fn prepare(&self, service: &Service, out: &mut Out) -> Result<(), CliError> {
        let Self { files, addresses, .. } = self;
        let mut callback = self.callback.clone();
        let mut of_files = Cast::default();
        files.iter().for_each(|file| of_files.extend(&Cast::of(&file.program)));
        if files.is_empty() && service.sagas().is_empty() {
            return Err(CliError::usage("there is no definition in the log yet").hint(format!("name a file: {BEGIN}")));
        }
        let known = service.known().await?;
        let mut all = of_files;
        all.extend(&known.startable);
        all.extend(&known.live);
        addresses.are_of(&all, out)?;
        let reached = addresses.choose(&all, &known, out)?;
        let deployed = files.iter().map(Checked::deployable).collect::<Result<Vec<File>, _>>()?;
        service.deploy(&deployed).await?;
        callback.goes_to(&reached);
        service.carry(all.settings(&reached, None, Some(callback.url()))).await?;
        service.heed().await;
        Ok(())
    }
}

/// The participants that are reached from here, also those of definitions that are deployed later.
#[cfg(feature = "kafka")]
struct Company {
    opened: Opened,
    service: Arc<Service>,
    addresses: Addresses,
    callback: Callback,
    reached: Asked,
    /// Topics of triggers, of which it has been said if they are not there.
    heeded: BTreeSet<String>,
}

#[cfg(feature = "kafka")]
impl Company {
    async fn gather(
        opened: Opened,
        service: Arc<Service>,
        addresses: Addresses,
        callback: Callback,
    ) -> Result<Self, CliError> {
        let (reached, heeded) = (Asked::default(), BTreeSet::new());
        let mut company = Self { opened, service, addresses, callback, reached, heeded };
        company.reach().await?;
        company.hear().await;
        Ok(company)
    }

    /// Reaches out to those that are given, if there is anything new to ask of them.
    async fn reach(&mut self) -> Result<(), CliError> {
        // Of a log that is shared any definition may be live.
        let cast = self.service.everybody();
        self.addresses.agree(&cast)?;
        let addresses = self.addresses.only_said(&cast);
        let asked = cast.asked(&addresses);
        if asked != self.reached {
            self.opened.are_free(carried(&cast, &self.addresses)).await?;
            self.callback.goes_to(&addresses);
            self.service.carry(cast.settings(&addresses, None, Some(self.callback.url()))).await?;
            self.reached = asked;
        }
        Ok(())
    }

    /// Says which topics of triggers are not there, of those that are new.
    async fn hear(&mut self) {
        let topics = self.service.topics_of_triggers();
        self.opened.says_missing(topics.difference(&self.heeded).cloned().collect()).await;
        self.heeded = topics;
    }

    /// Those that somebody else plays, as of now.
    fn others(&self) -> impl Fn() -> Cast + Send + 'static {
        let (service, addresses) = (Arc::clone(&self.service), self.addresses.clone());
        move || {
            let reached = addresses.only_said(&service.everybody());
            service.startable().only(|topic| !reached.contains_key(topic))
        }
    }

    /// Those that are reached from here, as of now.
    fn carried(&self) -> impl Fn() -> Vec<Carried> + Send + 'static {
        let (service, addresses) = (Arc::clone(&self.service), self.addresses.clone());
        move || carried(&service.everybody(), &addresses)
    }

    async fn keep(mut self) {
        let mut deployments = self.service.deployments();
        while deployments.changed().await.is_ok() {
            if let Err(error) = self.reach().await {
                tracing::error!("participants of what was deployed cannot be reached: {}", error.text());
            }
            self.hear().await;
        }
    }
}
