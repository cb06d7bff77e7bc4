//! Where instances are: in a data directory that this process opens, or behind a server. The commands that look after
//! instances do not care which.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::runtime::{Builder, Runtime};

use super::CliError;
use super::error::Kind;
use super::settings::Settings;
use crate::http::api::{ApiError, Fault, ListQuery, OrderBody, StartBody, Started, Taken};
use crate::http::client::Client;
use crate::http::history::History;
use crate::http::service::Service;
use crate::http::view::{List, Shown};
use crate::time::{Timestamp, millis};

/// Where the instances are, and how they are shown.
#[derive(Debug, clap::Args)]
pub(super) struct Where {
    /// The data directory [default: the one in saga.toml, else .saga]
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    data: Option<PathBuf>,
    /// The address of a `saga serve`, such as `http://127.0.0.1:7117`
    #[arg(long, value_name = "URL", env = "SAGA_SERVER")]
    server: Option<String>,
    /// Print JSON, whose form is stable
    #[arg(long)]
    json: bool,
}

impl Where {
    pub(super) const fn is_json(&self) -> bool {
        self.json
    }

    /// A command for the same place, to be pasted.
    pub(super) fn command_line(&self, command: &str, id: &str) -> String {
        let data = self.data.as_ref().map(|data| ["--data".to_owned(), data.to_string_lossy().into_owned()]);
        let server = self.server.as_ref().map(|server| ["--server".to_owned(), server.clone()]);
        let words = ["saga", command, id].map(str::to_owned);
        shell_words::join(words.into_iter().chain(data.into_iter().flatten()).chain(server.into_iter().flatten()))
    }
}

/// An open place. Calls wait for their answer.
pub(super) struct Access {
    runtime: Runtime,
    face: Face,
}

enum Face {
    Here(Box<Service>),
    There(Client),
}

impl Access {
    pub(super) fn open(place: &Where) -> Result<Self, CliError> {
        let runtime = runtime()?;
        let face = if let Some(server) = &place.server {
            Face::There(Client::new(server)?)
        } else {
            let settings = Settings::load()?;
            let data = place.data.clone().unwrap_or(settings.data);
            Face::Here(Box::new(runtime.block_on(Service::look_at(&data))?))
        };
        Ok(Self { runtime, face })
    }

    pub(super) fn start(&self, body: StartBody) -> Result<Started, CliError> {
        Ok(match &self.face {
            Face::Here(service) => self.runtime.block_on(service.start(body)),
            Face::There(client) => self.runtime.block_on(client.start(&body)),
        }?)
    }

    pub(super) fn order(&self, id: &str, body: OrderBody) -> Result<Taken, CliError> {
        Ok(match &self.face {
            Face::Here(service) => self.runtime.block_on(service.order(id, body)),
            Face::There(client) => self.runtime.block_on(client.order(id, &body)),
        }?)
    }

    pub(super) fn list(&self, query: &ListQuery) -> Result<List, CliError> {
        Ok(match &self.face {
            Face::Here(service) => self.runtime.block_on(service.list(query)),
            Face::There(client) => self.runtime.block_on(client.list(query)),
        }?)
    }

    pub(super) fn show(&self, id: &str) -> Result<Shown, CliError> {
        Ok(match &self.face {
            Face::Here(service) => self.runtime.block_on(service.show(id)),
            Face::There(client) => self.runtime.block_on(client.show(id)),
        }?)
    }

    pub(super) fn history(&self, id: &str) -> Result<History, CliError> {
        Ok(match &self.face {
            Face::Here(service) => self.runtime.block_on(service.history(id)),
            Face::There(client) => self.runtime.block_on(client.history(id)),
        }?)
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        if let Face::Here(service) = &self.face {
            self.runtime.block_on(service.close());
        }
    }
}

impl From<ApiError> for CliError {
    fn from(error: ApiError) -> Self {
        let kind = match error.fault {
            Fault::Request | Fault::Method | Fault::Input | Fault::Size => Kind::Usage,
            Fault::Unknown | Fault::State | Fault::Busy => Kind::Refused,
            Fault::Unavailable => Kind::Unavailable,
        };
        let shown = Self::new(kind, error.message);
        match error.hint {
            Some(hint) => shown.hint(hint),
            None => shown,
        }
    }
}

/// The threads on which orchestration and clients run.
pub(super) fn runtime() -> Result<Runtime, CliError> {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::new(Kind::Unavailable, format!("failed to start threads: {error}")))
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
