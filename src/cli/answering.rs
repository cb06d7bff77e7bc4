//! Where a `saga run` answers, on a free port of this machine and as long as it runs: on a data directory all that
//! `saga serve` answers, so that one that waits for a signal need not be stopped to be given it; and late replies of
//! participants behind HTTP.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::CliError;
use super::error::Kind;

/// How long those who are being answered when it ends are waited for: an answer takes a group commit.
const END_WITHIN: Duration = Duration::from_secs(2);

/// A place to answer at, where nobody answers yet.
pub(super) struct Desk {
    listener: TcpListener,
    address: String,
}

/// Somebody answers, until this is dropped.
pub(super) struct Answering {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Desk {
    /// This machine alone.
    pub(super) const LISTENS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// Takes a free port.
    pub(super) async fn take() -> Result<Self, CliError> {
        let failed = |error| CliError::new(Kind::Unavailable, format!("failed to listen on 127.0.0.1: {error}"));
        let listener = TcpListener::bind((Self::LISTENS, 0)).await.map_err(failed)?;
        let address = format!("http://{}", listener.local_addr().map_err(failed)?);
        Ok(Self { listener, address })
    }

    /// `http://127.0.0.1:41234`
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Answers from now on.
    pub(super) fn open(self, routes: Router) -> Answering {
        let (stop, stopped) = oneshot::channel();
        let stopped = async { drop(stopped.await) };
        let answering = axum::serve(self.listener, routes).with_graceful_shutdown(stopped);
        let task = tokio::spawn(async move {
            if let Err(error) = answering.await {
                tracing::error!(%error, "orders and late answers are not taken any more");
            }
        });
        Answering { stop, task }
    }
}

impl Answering {
    /// Takes no more questions, and finishes answering: the order that ended the instance is still to be told of it.
    pub(super) async fn end(self) {
        drop(self.stop);
        if timeout(END_WITHIN, self.task).await.is_err() {
            tracing::debug!("somebody who is being answered is left");
        }
    }
}
