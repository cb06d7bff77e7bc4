//! Requests: from anybody to the engine. Start a saga, signal one, or give an order to one.

use std::borrow::Cow;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::cloud_event::Writing;
use super::{CloudEvent, Message, WireError, attribute, text};
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

/// The data of `cancel`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Cancel {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<CompactString>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The data of `retry`.
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

/// The data of `signal`.
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

/// The data of `resolve`.
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

/// Where a request comes from whose decision is waited for where it was made: the API of an orchestrator, and triggers.
const WATCHED: &str = "/saga/";

/// Whether whoever made a request watches what comes of it, without an address for an answer.
pub(crate) fn is_watched(message: &Message) -> bool {
    let event = CloudEvent::of_type(message, attribute::REQUEST_TYPE);
    event.is_some_and(|event| event.get(attribute::SOURCE).is_some_and(|source| source.starts_with(WATCHED)))
}

/// A request as a message for `saga.requests`, its key the instance. `source` says who asks: `/saga/cli`.
#[must_use]
pub fn request(request: &Request, source: &str) -> Message {
    let instance = request.instance.as_str();
    let mut writing = Writing::new(instance, request.id.as_str(), attribute::REQUEST_TYPE, source);
    writing.push(attribute::INSTANCE, instance);
    let (data, reply_to) = match &request.ask {
        Ask::Start { saga, start } => {
            writing.push(attribute::KIND, "start");
            writing.push(attribute::SAGA, saga.as_str());
            writing.push_if(attribute::TRACEPARENT, start.traceparent.as_deref());
            (Cow::Borrowed(start.input.get()), &start.reply_to)
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
            writing.push(attribute::KIND, kind);
            (Cow::Owned(payload), reply_to)
        }
    };
    if let Some(ReplyTo { topic, partition, request: _ }) = reply_to {
        writing.push(attribute::REPLY_TO, topic.as_str());
        if let Some(partition) = partition {
            writing.push_plain(attribute::REPLY_PARTITION, partition);
        }
    }
    writing.end(Some(&data))
}

/// Reads a request.
///
/// # Errors
/// An attribute is missing or wrong, or the data is not what the kind of request takes.
pub fn read_request(event: &CloudEvent<'_>) -> Result<Request, WireError> {
    text::expect_type(event, attribute::REQUEST_TYPE)?;
    let id = text::request_id(event, attribute::ID)?;
    let instance = text::instance(event)?;
    let reply_to = reply_to(event, &id)?;
    let ask = match kind(event)? {
        Kind::Start => Ask::Start {
            saga: text::word(event, attribute::SAGA)?,
            start: Start { input: event.data_or_empty(), reply_to, traceparent: text::traceparent(event) },
        },
        Kind::Cancel => {
            let Cancel { by, reason } = text::shape("cancel", event)?;
            Ask::Order { order: OrderRequest { request: id.clone(), order: Order::Cancel, by, reason }, reply_to }
        }
        Kind::Retry => {
            let Retry { step, by, reason } = text::shape("retry", event)?;
            let order = Order::Retry { step };
            Ask::Order { order: OrderRequest { request: id.clone(), order, by, reason }, reply_to }
        }
        Kind::Signal => {
            let Arrives { signal, with, by, reason } = text::shape("signal", event)?;
            let order = Order::Signal { signal, with };
            Ask::Order { order: OrderRequest { request: id.clone(), order, by, reason }, reply_to }
        }
        Kind::Resolve => {
            let Resolve { step, work, outcome, by, reason } = text::shape("resolve", event)?;
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

fn kind(event: &CloudEvent<'_>) -> Result<Kind, WireError> {
    const WANTED: &str = "`start`, `signal`, `cancel`, `retry` or `resolve`";
    match text::required(event, attribute::KIND, WANTED)? {
        "start" => Ok(Kind::Start),
        "cancel" => Ok(Kind::Cancel),
        "retry" => Ok(Kind::Retry),
        "signal" => Ok(Kind::Signal),
        "resolve" => Ok(Kind::Resolve),
        other => Err(WireError::wrong(attribute::KIND, other, WANTED)),
    }
}

fn reply_to(event: &CloudEvent<'_>, request: &RequestId) -> Result<Option<ReplyTo>, WireError> {
    let Some(topic) = text::optional_word(event, attribute::REPLY_TO)? else { return Ok(None) };
    Ok(Some(ReplyTo { topic, partition: text::partition(event)?, request: request.clone() }))
}
