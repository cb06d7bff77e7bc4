//! A participant behind HTTP: `POST /commands`, as `docs/participants.md` maps the protocol on HTTP.
//!
//! | the reply is | HTTP says |
//! |---|---|
//! | `succeeded` | 200 and the reply |
//! | `failed` | 422 and `ce-code` |
//! | `pending` | 202; the final reply is posted to `ce-callback` |
//! | `retry` | 503 |
//! | `unknown-command` | 404 |

use std::error::Error;
use std::sync::{Arc, Once};
use std::time::Duration;
use std::{fmt, io};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::{self, JoinError};

use super::http_message::{from_headers, to_body, to_headers};
use super::service::{Participant, Told};
use super::store::Store;
use crate::json::{Json, JsonError, PAYLOAD_MAX};
use crate::wire::{self, CloudEvent, Message, WireError, attribute};

/// How often work outside the database that was interrupted is taken up again.
const RESUME_EVERY: Duration = Duration::from_secs(10);

/// How often rows of the guard that nobody can ask for are removed.
const PURGE_EVERY: Duration = Duration::from_mins(10);

/// How long the orchestrator may take to accept a late reply.
const CALLBACK_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves a participant until `stop` ends; requests that are under way are ended.
///
/// # Errors
/// The listener fails.
pub async fn serve<S: Store>(
    participant: Arc<Participant<S>>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let upkeep = tokio::spawn(keep_up(Arc::clone(&participant)));
    let served = axum::serve(listener, router(participant)).with_graceful_shutdown(stop).await;
    upkeep.abort();
    served
}

/// The route alone, for a service that has more of them. Such a service calls [`Participant::resume`] and
/// [`Participant::purge`] itself.
pub fn router<S: Store>(participant: Arc<Participant<S>>) -> Router {
    Router::new()
        .route("/commands", post(answer::<S>))
        .layer(DefaultBodyLimit::max(PAYLOAD_MAX))
        .with_state(participant)
}

/// Reads a late reply that a participant posts to the address in `ce-callback`: a message for `saga.replies`, whose
/// key chooses the partition.
///
/// # Errors
/// It is no reply: answer 400 with the error's text.
pub fn read_callback(headers: &HeaderMap, body: &[u8]) -> Result<Message, WireError> {
    let mut posted = from_headers(headers);
    // What stands with a refusal may be anything: its code says what counts.
    posted.data = match data(body) {
        Err(error) if posted.get(attribute::STATUS) == Some("succeeded") => return Err(error),
        data => data.unwrap_or_default(),
    };
    posted.or_type(attribute::REPLY_TYPE);
    let reply = wire::read_reply(&posted)?;
    let about = wire::About {
        participant: posted.get(attribute::SOURCE).and_then(|source| source.rsplit('/').next()).unwrap_or("callback"),
        traceparent: posted.get(attribute::TRACEPARENT),
    };
    Ok(wire::reply(&reply, &about))
}

/// The data that a body holds; none if there is nothing in it, or `null`.
fn data(body: &[u8]) -> Result<Option<Json>, WireError> {
    if matches!(body.trim_ascii(), b"" | b"null") {
        return Ok(None);
    }
    if body.len() > PAYLOAD_MAX {
        return Err(JsonError::TooLarge { bytes: body.len() }.into());
    }
    let text = str::from_utf8(body).map_err(|error| WireError::NotUtf8 { valid_up_to: error.valid_up_to() })?;
    Ok(Some(Json::parse(text)?))
}

/// A client for HTTP that asks one address, and follows no redirects: where it asks is told once, in the settings. To reach
/// what has no TLS nobody's certificates are needed: to read those of the system takes longer than all else that a command
/// does, and a small container has none.
pub(crate) fn client(url: &reqwest::Url) -> reqwest::ClientBuilder {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Fails only where the embedding program has chosen a provider, which then serves us too.
        if rustls::crypto::ring::default_provider().install_default().is_err() {
            tracing::debug!("a TLS provider is installed already");
        }
    });
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    // A proxy may have TLS, whatever is behind it.
    let is_direct = PROXIES.iter().all(|name| std::env::var_os(name).is_none());
    if is_direct && url.scheme() == "http" { client.tls_certs_only([]) } else { client }
}

/// There is no client for HTTP: all that a machine can lack for one is what HTTPS needs.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0}; HTTPS needs the certificates of authorities: those of the system (its package `ca-certificates`), or a file of them \
     that SSL_CERT_FILE names"
)]
pub struct NoClient(String);

impl From<reqwest::Error> for NoClient {
    fn from(error: reqwest::Error) -> Self {
        Self(root_cause(&error))
    }
}

/// The innermost words: "connection refused" rather than "error sending request".
pub(crate) fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Where the environment names proxies.
const PROXIES: [&str; 4] = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];

async fn answer<S: Store>(State(participant): State<Arc<Participant<S>>>, headers: HeaderMap, body: Bytes) -> Response {
    // Not bound to the request: a client that goes away leaves no work half done.
    let handled = task::spawn_blocking(move || {
        let mut command = from_headers(&headers);
        command.data = data(&body)?;
        participant.handle(&command, super::now())
    });
    let handled = handled.await;
    respond(handled)
}

fn respond(handled: Result<Result<CloudEvent<'_>, WireError>, JoinError>) -> Response {
    let (status, headers, body) = match handled {
        Ok(Ok(reply)) => {
            let status = match reply.get(attribute::STATUS) {
                Some("succeeded") => StatusCode::OK,
                Some("failed") => StatusCode::UNPROCESSABLE_ENTITY,
                Some("pending") => StatusCode::ACCEPTED,
                Some("unknown-command") => StatusCode::NOT_FOUND,
                Some(_) | None => StatusCode::SERVICE_UNAVAILABLE,
            };
            (status, to_headers(&reply), Body::from(to_body(&reply)))
        }
        Ok(Err(error)) => (StatusCode::BAD_REQUEST, HeaderMap::new(), Body::from(format!("failed to {error}\n"))),
        Err(panic) => {
            tracing::error!(error = %panic, "a handler panicked; nothing of its work stays");
            (StatusCode::INTERNAL_SERVER_ERROR, HeaderMap::new(), Body::empty())
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Ends what was interrupted, tells the orchestrator, and keeps the guard's table small.
async fn keep_up<S: Store>(participant: Arc<Participant<S>>) {
    let mut resume = tokio::time::interval(RESUME_EVERY);
    let mut purge = tokio::time::interval(PURGE_EVERY);
    loop {
        tokio::select! {
            _ = resume.tick() => {
                let (resumed, threads) = (Arc::clone(&participant), Handle::current());
                let tell = move |command: &CloudEvent<'_>, reply: CloudEvent<'_>| {
                    threads.block_on(call_back(command, &reply));
                    Told::Yes
                };
                match task::spawn_blocking(move || resumed.resume(tell)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::warn!(%error, "interrupted work cannot be taken up for now"),
                    Err(panic) => tracing::error!(error = %panic, "interrupted work panicked"),
                }
            }
            _ = purge.tick() => {
                let purged = Arc::clone(&participant);
                match task::spawn_blocking(move || purged.purge(super::now())).await {
                    Ok(Ok(rows)) => tracing::debug!(rows, "rows of the guard removed"),
                    Ok(Err(error)) => tracing::warn!(%error, "the guard's old rows cannot be removed for now"),
                    Err(panic) => tracing::error!(error = %panic, "removing the guard's old rows panicked"),
                }
            }
        }
    }
}

/// Posts a late reply, by a client of its own: there are few. It is not repeated: the row answers whoever asks, and a step
/// whose answer never comes is asked for, or taken back.
async fn call_back(command: &CloudEvent<'_>, reply: &CloudEvent<'_>) {
    let Some(address) = command.get(attribute::CALLBACK) else { return };
    let not_taken = |why: &dyn fmt::Display| tracing::warn!(address, error = %why, "a late reply was not taken");
    let url = match reqwest::Url::parse(address) {
        Ok(url) => url,
        Err(error) => return not_taken(&error),
    };
    let client = match client(&url).build().map_err(NoClient::from) {
        Ok(client) => client,
        Err(error) => return not_taken(&error),
    };
    let request = client.post(url).timeout(CALLBACK_TIMEOUT).headers(to_headers(reply)).body(to_body(reply));
    if let Err(error) = request.send().await.and_then(reqwest::Response::error_for_status) {
        not_taken(&error);
    }
}
