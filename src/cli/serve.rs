//! `saga serve`: runs the sagas of files until it is stopped, and answers over HTTP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::error::Kind;
use super::instance::runtime;
use super::run::Participants;
use super::settings::Settings;
use super::sources::{Checked, check_file};
use super::{CliError, Exit, Out};
use crate::http::server::router;
use crate::http::service::{Deployment, Service};

/// Run the sagas of files until stopped, with an HTTP API
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The API: POST /instances {\"saga\", \"id\"?, \"input\"?}, GET /instances, GET /instances/{id}, GET /instances/{id}/history,
POST /instances/{id}/orders {\"order\": \"cancel\"|\"retry\"|\"resolve\", …}, POST /replies, GET /healthz, GET /readyz.
It knows no users: whoever reaches the address may give orders.")]
pub(super) struct Arguments {
    /// Files of the language
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Where the API listens; port 0 takes a free one [default: that in saga.toml, else 127.0.0.1:7117]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// The data directory [default: the one in saga.toml, else .saga]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    participants: Participants,
}

pub(super) fn command(arguments: Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let settings = Settings::load()?;
    let mut files = Vec::new();
    for file in &arguments.files {
        files.push(check_file(file)?.accepted(out)?);
    }
    let all: Vec<&Checked> = files.iter().collect();
    let addresses = arguments.participants.addresses(&settings, &all, out)?;
    let data = arguments.data.unwrap_or_else(|| settings.data.clone());
    let listen = arguments.listen.unwrap_or(settings.listen);
    runtime()?.block_on(async {
        // Before the log is opened: the address goes to participants, and a port that is taken changes nothing.
        let listener = TcpListener::bind(listen).await.map_err(|error| {
            CliError::new(Kind::Unavailable, format!("failed to listen on {listen}: {error}"))
                .hint("is another `saga serve` running there? --listen 127.0.0.1:0 takes a free port")
        })?;
        let address = listener
            .local_addr()
            .map_err(|error| CliError::new(Kind::Unavailable, format!("failed to learn the address: {error}")))?;
        let service = Service::open(Deployment {
            owner: format!("saga serve on http://{address}"),
            server: Some(format!("http://{}", reachable(address))),
            data: data.clone(),
            programs: files.iter().map(Checked::deployable).collect(),
            addresses,
            scenario: None,
            callback: Some(format!("http://{address}/replies")),
        })
        .await?;
        let service = Arc::new(service);
        let sagas: Vec<&str> =
            files.iter().flat_map(|file| file.program.sagas.keys()).map(compact_str::CompactString::as_str).collect();
        out.remark(format_args!("serving {} from {} on http://{address}", sagas.join(", "), data.display()));
        let served = axum::serve(listener, router(Arc::clone(&service))).with_graceful_shutdown(stopped()).await;
        out.remark(format_args!("stopping: what is under way goes to the log"));
        service.close().await;
        served.map_err(|error| CliError::new(Kind::Unavailable, format!("failed to serve: {error}")))?;
        Ok(Exit::Done)
    })
}

/// Where this machine reaches what listens there: an address that stands for all is none to go to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Ctrl-C, or the signal that service managers send.
async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without signals the process ends as its owner ends it: the log is in order at any point.
    let _ = tokio::signal::ctrl_c().await;
}
