//! What an instance has heard from outside: orders and signals, so that a repeat is recognised, and signals until they are taken.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::id::RequestId;
use super::input::Order;
use super::instance::Instance;
use crate::json::{Json, sorted};
use crate::time::Timestamp;

/// How many request ids an instance remembers; then orders and signals are refused as busy. Each is the decision of a
/// person or a program about one saga: thousands of them are a loop gone wild.
pub const REQUESTS_MAX: usize = 4_096;

/// So many of them are kept for `cancel` and `resolve`, with which a person ends what does not end: a job that orders `retry`
/// each minute would have taken all within three days.
pub(super) const REQUESTS_KEPT: usize = 256;

/// How many signals of one name wait to be taken; then the sender is refused. A saga awaits each some few times.
pub const SIGNALS_MAX: usize = 100;

/// What came from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Orders and signals that are recognised, in the order of their coming.
    pub(super) followed: Vec<Followed>,
    /// Signals that nobody has taken yet, in the order of their coming.
    pub(super) signals: Vec<Heralded>,
}

/// An order or a signal that was followed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Followed {
    /// Its request.
    pub(super) request: RequestId,
    /// What it said; none where an older version of the journal has not kept it.
    pub(super) order: Option<OrderHash>,
}

impl Followed {
    /// Whether it said that, as far as is known.
    pub(super) fn is_of(&self, order: &Order) -> bool {
        self.order.is_none_or(|known| known == OrderHash::of(order))
    }
}

/// A signal that waits to be taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heralded {
    /// Which.
    pub signal: CompactString,
    /// The request that brought it.
    pub request: RequestId,
    /// When it came.
    pub at: Timestamp,
    /// Who gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<CompactString>,
    /// What it carries.
    pub with: Json,
}

/// What an order says, in 32 bits: compared only between two orders of one request id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderHash(u32);

impl OrderHash {
    /// Of an order. White space and the order of fields in what it carries make no difference.
    #[must_use]
    pub fn of(order: &Order) -> Self {
        let text = serde_json::to_string(order).expect("an order is text and JSON");
        Self(crc32fast::hash(sorted(&text).as_bytes()))
    }

    /// As bytes, the most significant first.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }
}

impl Instance {
    /// Orders and signals that are recognised, in the order of their coming.
    pub(super) fn followed(&self) -> &[Followed] {
        self.heard.as_deref().map(|heard| heard.followed.as_slice()).unwrap_or_default()
    }

    /// Their requests, each with what it said; none where an older version of the journal has not kept that.
    pub fn requests(&self) -> impl ExactSizeIterator<Item = (&RequestId, Option<OrderHash>)> {
        self.followed().iter().map(|followed| (&followed.request, followed.order))
    }

    /// What came with a request, if it was followed.
    pub(super) fn known(&self, request: &RequestId) -> Option<&Followed> {
        self.followed().iter().find(|known| known.request == *request)
    }

    /// Whether a request was followed, if it brings the same order as then.
    #[must_use]
    pub fn has_followed(&self, request: &RequestId, order: &Order) -> bool {
        self.known(request).is_some_and(|known| known.is_of(order))
    }

    /// Signals that nobody has taken yet, in the order of their coming.
    #[must_use]
    pub fn signals(&self) -> &[Heralded] {
        self.heard.as_deref().map(|heard| heard.signals.as_slice()).unwrap_or_default()
    }
}
