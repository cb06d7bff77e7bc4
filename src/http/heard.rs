//! Signals that came and that nobody has taken yet, as they are shown.

use serde::{Deserialize, Serialize};

use super::view::Instant;
use crate::engine::Instance;

/// So many are shown, the oldest first: a saga awaits each some few times, so more are a sender gone wild.
pub const SIGNALS_SHOWN: usize = 50;

/// A signal that nobody has taken yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Untaken {
    /// Which.
    pub signal: String,
    /// When it came.
    pub at: Instant,
    /// Who gave it, if that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The id of the request that brought it.
    pub request: String,
}

/// Those of an instance, in the order of their coming, and how many are left out behind them.
pub(super) fn untaken(instance: &Instance) -> (Vec<Untaken>, usize) {
    let all = instance.signals();
    let shown = all.iter().take(SIGNALS_SHOWN).map(|signal| Untaken {
        signal: signal.signal.to_string(),
        at: Instant(signal.at),
        by: signal.by.as_ref().map(ToString::to_string),
        request: signal.request.to_string(),
    });
    (shown.collect(), all.len().saturating_sub(SIGNALS_SHOWN))
}
