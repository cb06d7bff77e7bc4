//! What clients and operators write into `saga.requests`.

use compact_str::CompactString;

use super::cast::Cast;
use crate::engine::{InstanceId, Order, OrderRequest, ReplyTo, RequestId, Start};
use crate::json::Json;
use crate::wire::{self, Ask, Message, Request};

/// Where answers to clients go.
pub(super) const ANSWERS: &str = "client.answers";

/// An instance's id.
pub(super) fn instance(id: &str) -> InstanceId {
    InstanceId::try_from(id).expect("a short word is an id")
}

/// A start as its client sends it.
pub(super) fn started(cast: &Cast, id: &str, input: &Json, request: &str) -> Message {
    let start = Start { input: input.clone(), reply_to: Some(answers_to(request)), traceparent: None };
    asked_for(id, request, Ask::Start { saga: cast.name().clone(), start })
}

/// An order.
pub(super) fn ordered(id: &str, order: Order, request: &str) -> Message {
    let order = OrderRequest { request: request_id(request), order, by: None, reason: None };
    asked_for(id, request, Ask::Order { order, reply_to: Some(answers_to(request)) })
}

fn asked_for(id: &str, request: &str, ask: Ask) -> Message {
    let request = Request { id: request_id(request), instance: instance(id), ask };
    wire::request(&request, "/simulation")
}

fn answers_to(request: &str) -> ReplyTo {
    let topic = CompactString::const_new(ANSWERS);
    ReplyTo { topic, partition: Some(0), request: request_id(request) }
}

fn request_id(request: &str) -> RequestId {
    RequestId::try_from(request).expect("a short word is an id")
}
