//! A participant behind HTTP: a `POST` for each command.
//!
//! | HTTP says | the reply is |
//! |---|---|
//! | 2xx with JSON or nothing | `succeeded` |
//! | 202 | `pending`; the final reply comes to the callback |
//! | 409 or 422 with a code | `failed` |
//! | 404 to a query | `unknown-command` |
//! | all else: 5xx, no connection, no answer in time, an answer that cannot be used | `retry` with a code that says why |

use axum::http::StatusCode;
use compact_str::{CompactString, format_compact};
use serde::Deserialize;

use super::{Answer, patience};
use crate::engine::{ReplyKind, Status};
use crate::json::{Json, PAYLOAD_MAX};
use crate::participant::http::{NoClient, client};
use crate::participant::http_message::{from_headers, to_body, to_headers};
use crate::participant::now;
use crate::wire::{CloudEvent, ReceivedCommand, attribute, is_word};

/// The most of an address that is told with what happened there: together they are a word of the wire.
const PLACE_MAX: usize = 120;

pub(super) struct HttpEndpoint {
    url: reqwest::Url,
    /// The URL for people's eyes: without who asks, and what may be a secret.
    place: String,
    client: reqwest::Client,
    callback: Option<String>,
}

/// The body of a refusal whose code stands in no header.
#[derive(Default, Deserialize)]
struct Refused {
    code: Option<CompactString>,
    message: Option<String>,
}

impl HttpEndpoint {
    pub(super) fn new(url: reqwest::Url, callback: Option<String>) -> Result<Self, NoClient> {
        let mut place = format!("{}{}", url.origin().ascii_serialization(), url.path());
        if place.len() > PLACE_MAX {
            place.truncate(PLACE_MAX);
            place.push('…');
        }
        let client = client(&url).build()?;
        Ok(Self { url, place, client, callback })
    }

    pub(super) async fn ask(&self, mut event: CloudEvent<'static>, command: &ReceivedCommand) -> Answer {
        if let Some(callback) = &self.callback {
            event.set(attribute::CALLBACK, callback.clone());
        }
        let request = self
            .client
            .post(self.url.clone())
            .timeout(patience(command.deadline, now()))
            .headers(to_headers(&event))
            .body(to_body(&event));
        let answer = match request.send().await {
            Ok(response) => read(response, command).await,
            Err(error) => Err(fault(&error)),
        };
        answer.unwrap_or_else(|code| {
            tracing::warn!(url = %self.place, command = %command.id, attempt = command.attempt, %code, "no usable answer");
            Answer::retry(&format_compact!("{code} {}", self.place))
        })
    }
}

/// The answer, or the code of what is wrong with it.
async fn read(mut response: reqwest::Response, command: &ReceivedCommand) -> Result<Answer, CompactString> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| fault(&error))? {
        if body.len().saturating_add(chunk.len()) > PAYLOAD_MAX {
            return Err("answer-too-large".into());
        }
        body.extend_from_slice(&chunk);
    }
    let reply = from_headers(&headers);
    let other = reply.get(attribute::COMMAND).is_some_and(|told| told != command.id.to_text());
    if other {
        return Err("answer-to-another-command".into());
    }
    match status {
        StatusCode::ACCEPTED => Ok(Answer { status: Status::Pending, payload: None }),
        status if status.is_success() => {
            let text = String::from_utf8(body).map_err(|_| "answer-not-json")?;
            let text = if matches!(text.trim(), "" | "null") { "{}".to_owned() } else { text };
            let payload = Json::parse(text).map_err(|_| "answer-not-json")?;
            Ok(Answer { status: Status::Succeeded, payload: Some(payload) })
        }
        StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => {
            let told: Refused = serde_json::from_slice(&body).unwrap_or_default();
            // A framework's own 422 has no code: it is no decision of the participant's.
            let code = reply.get(attribute::CODE).map(CompactString::from).or(told.code);
            let code = code
                .filter(|code| is_word(code))
                .ok_or_else(|| format_compact!("http-{}-without-code", status.as_u16()))?;
            Ok(Answer { status: Status::Failed { code, message: told.message }, payload: None })
        }
        StatusCode::NOT_FOUND if command.kind == ReplyKind::Query => {
            Ok(Answer { status: Status::UnknownCommand, payload: None })
        }
        StatusCode::SERVICE_UNAVAILABLE if reply.get(attribute::CODE).is_some() => {
            Ok(Answer::retry(reply.get(attribute::CODE).unwrap_or_default()))
        }
        status => Err(format_compact!("http-{}", status.as_u16())),
    }
}

fn fault(error: &reqwest::Error) -> CompactString {
    let code = if error.is_timeout() {
        "http-no-answer"
    } else if error.is_connect() {
        "http-no-connection"
    } else {
        "http-broken"
    };
    code.into()
}
