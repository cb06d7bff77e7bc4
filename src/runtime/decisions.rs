//! What became of requests: whoever made one waits here until a good record, or the lack of one, says so.
//!
//! A request is known by its offset in `saga.requests`. The decision may be told before the acknowledgement of the
//! request that it answers, so those of the last moments are kept.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::engine::Rejection;
use crate::journal::record::{Body, Cause, Record};

/// So many requests of this process are under way at most: more would only wait in the log.
pub(super) const REQUESTS_AT_ONCE: usize = 4_096;

/// Decisions that are kept in case that their request's acknowledgement is still on its way: as many as can be.
const KEPT: usize = REQUESTS_AT_ONCE;

/// What the partition's owner made of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The instance changed: it was started, or the order was taken.
    Changed,
    /// What it wants is the case already: the same start or order came before.
    Known,
    /// It was refused, and will never be taken.
    Rejected(Rejection),
    /// The engine failed at it, which is a bug: it waits for an operator.
    Parked,
}

/// A request that is durable: it will be decided, whatever crashes.
#[derive(Debug)]
pub struct Accepted {
    /// The partition.
    pub partition: u32,
    /// Its offset in `saga.requests`.
    pub offset: u64,
    pub(super) decision: oneshot::Receiver<Decision>,
}

impl Accepted {
    /// Waits for what becomes of it; `None` if the orchestrator is closed before: then it is decided when it is opened
    /// again.
    pub async fn decision(self) -> Option<Decision> {
        self.decision.await.ok()
    }
}

/// Of one partition.
#[derive(Debug, Default)]
pub(super) struct Decisions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: BTreeMap<u64, oneshot::Sender<Decision>>,
    early: BTreeMap<u64, Decision>,
}

impl Decisions {
    /// Waits for the decision on the request at an offset.
    pub(super) fn wait(&self, offset: u64, waiter: oneshot::Sender<Decision>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.early.remove(&offset) {
            // Whoever asked may have gone.
            Some(decision) => drop(waiter.send(decision)),
            None => drop(state.waiting.insert(offset, waiter)),
        }
    }

    /// All requests before an offset are decided. Those of which no record told changed nothing.
    pub(super) fn passed(&self, before: u64) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(waiting) = state.waiting.first_entry().filter(|waiting| *waiting.key() < before) {
            drop(waiting.remove().send(Decision::Known));
        }
    }

    /// A good record, which may decide a request.
    pub(super) fn recorded(&self, record: &Record) {
        if matches!(record.body, Body::Gap { .. }) {
            // Reading goes on elsewhere, maybe in a topic that was made anew: there the offsets are those of other requests.
            self.0.lock().unwrap_or_else(PoisonError::into_inner).early.clear();
        } else if let Some((request, decision)) = of(record) {
            self.decided(request, decision);
        }
    }

    /// A request is decided.
    pub(super) fn decided(&self, offset: u64, decision: Decision) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiter) = state.waiting.remove(&offset) {
            drop(waiter.send(decision));
            return;
        }
        state.early.insert(offset, decision);
        if state.early.len() > KEPT {
            state.early.pop_first();
        }
    }
}

/// The request that a good record decides, and how.
fn of(record: &Record) -> Option<(u64, Decision)> {
    let (cause, decision) = match &record.body {
        Body::Change { cause, .. } | Body::Resume { cause, .. } => (*cause, Decision::Changed),
        Body::Reject { cause, rejection, .. } | Body::Bar { cause, rejection, .. } => {
            (*cause, Decision::Rejected(rejection.clone()))
        }
        Body::Park { parked, .. } => (parked.cause, Decision::Parked),
        _ => return None,
    };
    match cause {
        Cause::Request(offset) => Some((offset, decision)),
        Cause::Reply(_)
        | Cause::Timer(_)
        | Cause::Turn
        | Cause::Undeliverable(_)
        | Cause::Acknowledged(_)
        | Cause::Parked => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::record::{Positions, VERSION};
    use crate::time::Timestamp;

    #[test]
    fn what_was_decided_of_a_topic_that_was_made_anew_is_not_told_of_the_new_one() {
        let decisions = Decisions::default();
        let ask = |offset| {
            let (tell, told) = oneshot::channel();
            decisions.wait(offset, tell);
            told
        };
        decisions.decided(3, Decision::Changed);
        let gap = Body::Gap { to: Positions::default(), by: None, reason: None };
        let (read, at) = (Positions::default(), Timestamp(0));
        decisions.recorded(&Record { v: VERSION, epoch: 0, n: 1, read, sent: 0, checkpoint: 0, at, body: gap });
        let mut told = ask(3);
        assert!(told.try_recv().is_err(), "another request");
        decisions.decided(3, Decision::Parked);
        assert_eq!(told.try_recv(), Ok(Decision::Parked));
    }
}
