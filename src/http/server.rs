//! The HTTP API of `saga serve`.
//!
//! [`ROUTES`] says what it takes.
//!
//! Errors are `{"error": {"code", "message", "hint", "example"}}`. There are no users here: whoever reaches the address may give
//! orders, so it is 127.0.0.1 unless said otherwise; web pages are kept away, as the module `visitors` has it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection as Refused, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;

use super::api::{ApiError, ErrorBody, Fault, ListQuery, PartitionOrder, StartOutcome};
use super::body::{self, Body};
use super::dead::DeadQuery;
use super::past::{HistoryQuery, ShowQuery};
use super::routes::{Call, ROUTES, Route};
use super::service::Service;
use super::visitors::{is_json, keep_out};
use crate::json::PAYLOAD_MAX;
use crate::wire::attribute::TRACEPARENT;

/// The largest body: a payload with what stands around it.
const BODY_MAX: usize = PAYLOAD_MAX + 16 * 1024;

/// What to do about a path that is wrong.
const PATHS: &str = "`saga help serve` lists what the API takes";

/// All routes; `listens` is where the server does.
pub fn router(service: Arc<Service>, listens: IpAddr) -> Router {
    let routes = ROUTES.iter().fold(Router::new(), |routes, Route { call, path, .. }| {
        routes.route(
            path,
            match call {
                Call::Start => post(start),
                Call::List => get(list),
                Call::Show => get(show),
                Call::History => get(history),
                Call::Definitions => get(definitions),
                Call::Dead => get(dead),
                Call::DeadAt => get(dead_at),
                Call::Order => post(order),
                Call::PartitionOrder => post(partition_order),
                Call::Publish => post(publish),
                Call::Reply => post(reply),
                Call::Alive => get(alive),
                Call::Ready => get(ready),
                Call::Metrics => get(metrics),
            },
        )
    });
    with_refusals(routes, service, listens)
}

/// The route for late answers of participants alone.
pub fn replies(service: Arc<Service>, listens: IpAddr) -> Router {
    with_refusals(Router::new().route("/replies", post(reply)), service, listens)
}

fn with_refusals(routes: Router<Arc<Service>>, service: Arc<Service>, listens: IpAddr) -> Router {
    routes
        .fallback(|| async {
            ApiError::new(Fault::Unknown, "no_such_path", "there is nothing at this path").hint(PATHS)
        })
        .method_not_allowed_fallback(|| async {
            ApiError::new(Fault::Method, "no_such_method", "this path does not take this method").hint(PATHS)
        })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(from_fn_with_state(listens, keep_out))
        .with_state(service)
}

async fn start(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    body: Result<Bytes, Refused>,
) -> Result<Response, ApiError> {
    service.takes()?;
    // One that is no text is dropped, as W3C says: tracing never makes work fail.
    let traceparent = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
    let started = service.start(read(&headers, body)?, traceparent).await?;
    let status = match started.start {
        StartOutcome::Accepted | StartOutcome::Waiting => StatusCode::ACCEPTED,
        StartOutcome::Known => StatusCode::OK,
    };
    Ok(json(status, &started))
}

/// What a query has, if it can be taken apart.
type Asked = Result<Query<Vec<(String, String)>>, QueryRejection>;

fn asked<T: Body>(query: Asked) -> Result<T, ApiError> {
    let Query(pairs) = query.map_err(|refused| ApiError::bad_request(refused.body_text()))?;
    body::query(pairs)
}

async fn list(State(service): State<Arc<Service>>, query: Asked) -> Result<Response, ApiError> {
    let query: ListQuery = asked(query)?;
    service.shows()?;
    Ok(json(StatusCode::OK, &service.list(&query).await?))
}

async fn show(State(service): State<Arc<Service>>, Path(id): Path<String>, query: Asked) -> Result<Response, ApiError> {
    let query: ShowQuery = asked(query)?;
    service.shows()?;
    Ok(json(StatusCode::OK, &service.show(&id, &query).await?))
}

async fn history(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    query: Asked,
) -> Result<Response, ApiError> {
    let query: HistoryQuery = asked(query)?;
    service.shows()?;
    Ok(json(StatusCode::OK, &service.history(&id, &query).await?))
}

async fn definitions(State(service): State<Arc<Service>>) -> Result<Response, ApiError> {
    service.shows()?;
    Ok(json(StatusCode::OK, &service.definitions().await?))
}

async fn dead(State(service): State<Arc<Service>>, query: Asked) -> Result<Response, ApiError> {
    let query: DeadQuery = asked(query)?;
    service.shows()?;
    Ok(json(StatusCode::OK, &service.dead(query).await?))
}

async fn dead_at(
    State(service): State<Arc<Service>>,
    Path((partition, offset)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    service.shows()?;
    let place = partition.parse().ok().zip(offset.parse().ok());
    let no_place = || ApiError::bad_request(format!("`{partition}/{offset}` is no partition and offset"));
    let (partition, offset) = place.ok_or_else(no_place)?;
    Ok(json(StatusCode::OK, &service.dead_at(partition, offset).await?))
}

async fn order(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, Refused>,
) -> Result<Response, ApiError> {
    service.takes()?;
    Ok(json(StatusCode::ACCEPTED, &service.order(&id, read(&headers, body)?).await?))
}

async fn partition_order(
    State(service): State<Arc<Service>>,
    Path(number): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, Refused>,
) -> Result<Response, ApiError> {
    let order: PartitionOrder = read(&headers, body)?;
    let number = number.parse().map_err(|_| ApiError::bad_request(format!("`{number}` is no partition's number")))?;
    Ok(json(StatusCode::OK, &service.accept_gap(number, order).await?))
}

async fn publish(
    State(service): State<Arc<Service>>,
    Path(topic): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, Refused>,
) -> Result<Response, ApiError> {
    service.takes()?;
    Ok(json(StatusCode::ACCEPTED, &service.publish(&topic, read(&headers, body)?).await?))
}

async fn reply(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    body: Result<Bytes, Refused>,
) -> Result<Response, ApiError> {
    service.takes()?;
    // Whatever its body is said to be: the headers that it needs are none that a page can send without asking.
    service.reply(&headers, &taken(body)?).await?;
    Ok(json(StatusCode::ACCEPTED, &serde_json::json!({ "reply": "accepted" })))
}

async fn alive(State(service): State<Arc<Service>>) -> Response {
    json(StatusCode::OK, &service.alive())
}

async fn ready(State(service): State<Arc<Service>>) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &service.ready()?))
}

async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let format = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    ([(header::CONTENT_TYPE, format)], service.metrics().await).into_response()
}

fn taken(body: Result<Bytes, Refused>) -> Result<Bytes, ApiError> {
    body.map_err(|refused| match refused.status().as_u16() {
        413 => ApiError::new(Fault::Size, "too_large", format!("the body is over the limit of {BODY_MAX} bytes")),
        _ => ApiError::bad_request(refused.to_string()),
    })
}

fn read<T: Body>(headers: &HeaderMap, body: Result<Bytes, Refused>) -> Result<T, ApiError> {
    let body = taken(body)?;
    // That there is none is the better word.
    if !body.is_empty() {
        is_json(headers)?;
    }
    body::read(&body)
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // Our own types have string keys and no failing serializers.
    let text = serde_json::to_string(body).expect("a view is JSON");
    let mut response = (status, text).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        json(status, &ErrorBody { error: self })
    }
}
