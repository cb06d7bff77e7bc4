//! Speaks to a `saga serve` elsewhere: the same calls and the same views as [`Service`](super::service::Service).

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::api::Fault;
use super::api::{Accepted, PartitionOrder};
use super::api::{Alive, ApiError, ErrorBody, EventBody, ListQuery, OrderBody, Published, StartBody, Started, Taken};
use super::dead::{self, Dead, DeadQuery};
use super::definitions::Definitions;
use super::history::History;
use super::past::{HistoryQuery, ShowQuery};
use super::view::{List, Shown};
use crate::participant::http::{NoClient, client, root_cause};

/// How long a server may take to be reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long it may take to answer: a start is answered when it is in the log.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long it may take to say who it is.
const ALIVE_TIMEOUT: Duration = Duration::from_secs(3);

/// The most of an answer that is read: a list of 100,000 instances.
const ANSWER_MAX: usize = 64 << 20;

/// A client of one server.
#[derive(Debug)]
pub struct Client {
    base: String,
    http: reqwest::Client,
}

impl Client {
    /// For the server at `base`: `http://127.0.0.1:7117`.
    ///
    /// # Errors
    /// That is no address, or TLS cannot be set up.
    pub fn new(base: &str) -> Result<Self, ApiError> {
        let base = base.trim_end_matches('/').to_owned();
        let no_address = |why: String| {
            ApiError::bad_request(format!("`{base}` is no address of a server: {why}"))
                .hint("it begins with `http://` or `https://`: http://127.0.0.1:7117")
        };
        let url = reqwest::Url::parse(&base).map_err(|error| no_address(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(no_address(format!("`{}` is another protocol", url.scheme())));
        }
        let http = client(&url).connect_timeout(CONNECT_TIMEOUT).timeout(ANSWER_TIMEOUT).build();
        let http =
            http.map_err(|error| ApiError::unavailable(format!("{base} cannot be asked: {}", NoClient::from(error))))?;
        Ok(Self { base, http })
    }

    /// Where it is.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// What stands behind the server's name and port.
    fn path(&self) -> Option<String> {
        let url = reqwest::Url::parse(&self.base).ok()?;
        Some(url.path().to_owned()).filter(|path| path != "/")
    }

    /// Who answers there.
    ///
    /// # Errors
    /// Nobody, or no `saga serve`.
    pub async fn alive(&self) -> Result<Alive, ApiError> {
        self.answer(self.http.get(format!("{}/healthz", self.base)).timeout(ALIVE_TIMEOUT)).await
    }

    /// Begins an instance.
    ///
    /// # Errors
    /// As the server says, or it cannot be reached.
    pub async fn start(&self, body: &StartBody) -> Result<Started, ApiError> {
        self.post("/instances", body).await
    }

    /// Gives an order.
    ///
    /// # Errors
    /// As the server says, or it cannot be reached.
    pub async fn order(&self, id: &str, body: &OrderBody) -> Result<Taken, ApiError> {
        self.post(&format!("/instances/{}/orders", segment(id)), body).await
    }

    /// Puts an event on a topic that a trigger reads.
    ///
    /// # Errors
    /// As the server says, or it cannot be reached.
    pub async fn publish(&self, topic: &str, body: &EventBody) -> Result<Published, ApiError> {
        self.post(&format!("/topics/{}", segment(topic)), body).await
    }

    /// Accepts that inputs of a partition are lost.
    ///
    /// # Errors
    /// As the server says, or it cannot be reached.
    pub async fn accept_gap(&self, partition: u32, order: &PartitionOrder) -> Result<Accepted, ApiError> {
        self.post(&format!("/partitions/{partition}/orders"), order).await
    }

    /// Instances.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn list(&self, query: &ListQuery) -> Result<List, ApiError> {
        self.get(&asking("/instances", query)?).await
    }

    /// One instance.
    ///
    /// # Errors
    /// There is none of that id, or the server cannot be reached.
    pub async fn show(&self, id: &str, query: &ShowQuery) -> Result<Shown, ApiError> {
        self.get(&asking(&format!("/instances/{}", segment(id)), query)?).await
    }

    /// The definitions that are in the log.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn definitions(&self) -> Result<Definitions, ApiError> {
        self.get("/definitions").await
    }

    /// What was set aside.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn dead(&self, query: DeadQuery) -> Result<Dead, ApiError> {
        self.get(&asking("/dead", &query)?).await
    }

    /// One of that.
    ///
    /// # Errors
    /// There is none, or the server cannot be reached.
    pub async fn dead_at(&self, partition: u32, offset: u64) -> Result<dead::Shown, ApiError> {
        self.get(&format!("/dead/{partition}/{offset}")).await
    }

    /// All that happened to an instance.
    ///
    /// # Errors
    /// There is none of that id, or the server cannot be reached.
    pub async fn history(&self, id: &str, query: &HistoryQuery) -> Result<History, ApiError> {
        self.get(&asking(&format!("/instances/{}/history", segment(id)), query)?).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.answer(self.http.get(format!("{}{path}", self.base))).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ApiError> {
        let text = serde_json::to_string(body).map_err(|error| ApiError::bad_request(error.to_string()))?;
        let request = self.http.post(format!("{}{path}", self.base)).header("content-type", "application/json");
        self.answer(request.body(text)).await
    }

    async fn answer<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, ApiError> {
        let unreachable = |error: reqwest::Error| {
            let code = if error.is_timeout() { "unavailable" } else { ApiError::UNREACHABLE };
            let message = format!("{} cannot be reached: {}", self.base, root_cause(&error));
            ApiError::new(Fault::Unavailable, code, message)
                .hint("is `saga serve` running there? `--data DIR` finds whoever holds that data, and `--kafka HOST:PORT` asks the log itself")
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_MAX {
                return Err(ApiError::unavailable(format!("{} answers with more than {ANSWER_MAX} bytes", self.base)));
            }
        }
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| {
                ApiError::unavailable(format!("the answer of {} cannot be read: {error}", self.base))
                    .hint("is it a `saga serve` of the same version?")
            });
        }
        match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(ErrorBody { error }) => {
                let error = ApiError { fault: ApiError::fault_of(status.as_u16()), ..error };
                // What stands in front of a server may have paths, so one that is not its own is seen by this alone.
                let path = self.path().filter(|_| error.fault == Fault::Unknown);
                Err(match path {
                    Some(path) => error.hint(format!(
                        "the server was named with a path, `{path}`: leave it out unless something in front of the server wants it"
                    )),
                    None => error,
                })
            }
            Err(_) => {
                Err(ApiError::unavailable(format!("{} answers {status}", self.base)).hint("is it a `saga serve`?"))
            }
        }
    }
}

/// A path with a query, whose own form is that of its JSON: words without spaces, but for a saga's name that is none.
fn asking(path: &str, query: &impl Serialize) -> Result<String, ApiError> {
    let words = serde_json::to_value(query).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let pairs = words.as_object().into_iter().flatten();
    let pairs = pairs.map(|(key, value)| match value.as_str() {
        Some(word) => format!("{key}={}", segment(word)),
        None => format!("{key}={value}"),
    });
    let pairs = pairs.collect::<Vec<_>>().join("&");
    Ok(if pairs.is_empty() { path.to_owned() } else { format!("{path}?{pairs}") })
}

/// An id as one segment of a path. A dot is encoded too: clients and proxies take `.` and `..` away.
fn segment(id: &str) -> String {
    utf8_percent_encode(id, NON_ALPHANUMERIC).to_string()
}
