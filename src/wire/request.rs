//! Requests: from anybody to the engine. Start a saga, signal one, or give an order to one.

use compact_str::CompactString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Message, WireError, header, text};
use crate::engine::{Direction, InstanceId, Order, OrderRequest, Outcome, Place, ReplyTo, RequestId, Start};
use crate::json::Json;

/// A request to the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Recognises a repeat.
    pub id: RequestId,
    /// Which instance it is for.
    pub instance: InstanceId,
    /// What is wanted.
    pub ask: Ask,
}

/// What is wanted of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Begin.
    Start {
        /// The saga's name.
        saga: CompactString,
        /// With what.
        start: Start,
    },
    /// An operator's order.
    Order {
        /// Which.
        order: OrderRequest,
        /// Who wants to hear whether it was taken.
        reply_to: Option<ReplyTo>,
    },
}

/// The payload of `cancel`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Cancel {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<CompactString>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The payload of `retry`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Retry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step: Option<Place>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<CompactString>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The payload of `signal`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Arrives {
    signal: CompactString,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    with: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<CompactString>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The payload of `resolve`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Resolve {
    step: Place,
    work: Direction,
    outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<CompactString>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A request as a message for `saga.requests`, its key the instance. `source` says who asks: `/saga/cli`.
#[must_use]
pub fn request(request: &Request, source: &str) -> Message {
    let instance = request.instance.as_str();
    let mut message = Message::event(instance, request.id.as_str(), header::REQUEST_TYPE, source);
    message.push(header::INSTANCE, instance);
    let reply_to = match &request.ask {
        Ask::Start { saga, start } => {
            message.push(header::KIND, "start");
            message.push(header::NAME, saga.as_str());
            message.push_if(header::TRACEPARENT, start.traceparent.as_deref());
            message.set_payload(&start.input);
            &start.reply_to
        }
        Ask::Order { order, reply_to } => {
            let (by, reason) = (order.by.clone(), order.reason.clone());
            let (kind, payload) = match order.order.clone() {
                Order::Cancel => ("cancel", text::encoded(&Cancel { by, reason })),
                Order::Retry { step } => ("retry", text::encoded(&Retry { step, by, reason })),
                Order::Signal { signal, with } => ("signal", text::encoded(&Arrives { signal, with, by, reason })),
                Order::Resolve { step, work, outcome } => {
                    ("resolve", text::encoded(&Resolve { step, work, outcome, by, reason }))
                }
            };
            message.push(header::KIND, kind);
            message.payload = payload.into_bytes().into_boxed_slice();
            reply_to
        }
    };
    if let Some(ReplyTo { topic, partition, request: _ }) = reply_to {
        message.push(header::REPLY_TO, topic.as_str());
        if let Some(partition) = partition {
            message.push_shown(header::REPLY_PARTITION, partition);
        }
    }
    message
}

/// Reads a request.
///
/// # Errors
/// A header is missing or wrong, or the payload is not what the kind of request takes.
pub fn read_request(message: &Message) -> Result<Request, WireError> {
    text::expect_type(message, header::REQUEST_TYPE)?;
    let id = text::request_id(message, header::ID)?;
    let instance = text::instance(message)?;
    let reply_to = reply_to(message, &id)?;
    let ask = match kind(message)? {
        Kind::Start => Ask::Start {
            saga: text::word(message, header::NAME)?,
            start: Start {
                input: text::payload(message)?.unwrap_or_else(Json::empty_object),
                reply_to,
                traceparent: text::traceparent(message),
            },
        },
        Kind::Cancel => {
            let Cancel { by, reason } = shape("cancel", message)?;
            Ask::Order { order: OrderRequest { request: id.clone(), order: Order::Cancel, by, reason }, reply_to }
        }
        Kind::Retry => {
            let Retry { step, by, reason } = shape("retry", message)?;
            let order = Order::Retry { step };
            Ask::Order { order: OrderRequest { request: id.clone(), order, by, reason }, reply_to }
        }
        Kind::Signal => {
            let Arrives { signal, with, by, reason } = shape("signal", message)?;
            let order = Order::Signal { signal, with };
            Ask::Order { order: OrderRequest { request: id.clone(), order, by, reason }, reply_to }
        }
        Kind::Resolve => {
            let Resolve { step, work, outcome, by, reason } = shape("resolve", message)?;
            let order = Order::Resolve { step, work, outcome };
            Ask::Order { order: OrderRequest { request: id.clone(), order, by, reason }, reply_to }
        }
    };
    Ok(Request { id, instance, ask })
}

enum Kind {
    Start,
    Cancel,
    Retry,
    Signal,
    Resolve,
}

fn kind(message: &Message) -> Result<Kind, WireError> {
    const WANTED: &str = "`start`, `signal`, `cancel`, `retry` or `resolve`";
    match text::required(message, header::KIND, WANTED)? {
        "start" => Ok(Kind::Start),
        "cancel" => Ok(Kind::Cancel),
        "retry" => Ok(Kind::Retry),
        "signal" => Ok(Kind::Signal),
        "resolve" => Ok(Kind::Resolve),
        other => Err(WireError::wrong(header::KIND, other, WANTED)),
    }
}

fn reply_to(message: &Message, request: &RequestId) -> Result<Option<ReplyTo>, WireError> {
    let Some(topic) = text::optional_word(message, header::REPLY_TO)? else { return Ok(None) };
    Ok(Some(ReplyTo { topic, partition: text::partition(message)?, request: request.clone() }))
}

fn shape<T: DeserializeOwned>(kind: &'static str, message: &Message) -> Result<T, WireError> {
    let payload = text::payload(message)?.unwrap_or_else(Json::empty_object);
    serde_json::from_str(payload.get()).map_err(|source| WireError::Shape { kind, source })
}
