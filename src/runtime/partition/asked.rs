//! An input as it came, and what it asks of an instance.

use crate::engine::{InstanceId, OrderRequest, ReplyTo};
use crate::journal::record::{Cause, Raw, RawPayload};
use crate::time::Timestamp;
use crate::wire::{self, Message};

/// The most of an input that is kept and copied, in bytes: with its escapes it fits a record.
const RAW_MAX: usize = 2 << 20;

/// An input as it came.
#[derive(Clone, Copy)]
pub(super) struct Came<'a> {
    /// Where it stands; [`Cause::Parked`] for one that was parked.
    pub(super) cause: Cause,
    /// When the log took it.
    pub(super) timestamp: Timestamp,
    pub(super) message: &'a Message,
    /// Its offset in `saga.requests`, if it is a request.
    pub(super) request: Option<u64>,
}

/// An input that may become a record of an instance.
pub(super) struct Asked<'a> {
    pub(super) came: Came<'a>,
    pub(super) instance: &'a InstanceId,
    pub(super) tell: Option<ReplyTo>,
    /// The order, if it is one.
    pub(super) order: Option<&'a OrderRequest>,
}

impl Came<'_> {
    /// It, as it is set aside.
    pub(super) fn kept(&self) -> Raw {
        let mut raw = Raw::of(self.message);
        if self.message.payload.len() > RAW_MAX {
            raw.payload = RawPayload::Text(Box::from("(left out by saga: too large to keep)"));
        }
        raw
    }
}

impl Asked<'_> {
    /// A start, where nobody hears what came of it: refused, it would be lost without a word.
    pub(super) fn is_unheard(&self) -> bool {
        let is_start = matches!(self.came.cause, Cause::Request(_)) && self.order.is_none();
        is_start && self.tell.is_none() && !wire::is_watched(self.came.message)
    }

    /// The order as it is kept where it is refused.
    pub(super) fn kept(&self) -> Option<Box<OrderRequest>> {
        self.order.map(|order| Box::new(order.bare()))
    }
}
