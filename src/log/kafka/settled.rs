//! Whether a member of a group has been given what it is to have, by its statistics.

use serde::Deserialize;

/// How long the coordinator of a group by KIP-848 takes at most to answer the first heartbeat, in milliseconds.
const ANSWERED_WITHIN_MS: u64 = 2_000;

/// The little that we look at of a member's statistics.
#[derive(Deserialize)]
struct Statistics {
    cgrp: Option<Membership>,
}

#[derive(Deserialize)]
struct Membership {
    state: String,
    /// For how long, in milliseconds.
    stateage: u64,
    join_state: String,
}

/// Whether a member has what it is to have. By KIP-848 one that is given nothing stays in its first state for good; what
/// is free comes with the first answer of the coordinator.
pub(super) fn has_settled(json: &[u8], is_new: bool) -> bool {
    let membership = serde_json::from_slice(json).ok().and_then(|statistics: Statistics| statistics.cgrp);
    membership.is_some_and(|Membership { state, stateage, join_state }| {
        join_state == "steady" || is_new && state == "up" && stateage >= ANSWERED_WITHIN_MS
    })
}
