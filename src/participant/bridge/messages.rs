//! Messages over a bridge: nobody repeats what nobody waits for, so the bridge itself offers each until it is taken.

use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use super::Endpoint;
use crate::engine::Status;
use crate::wire::{CloudEvent, ReceivedCommand};

/// The most messages to one participant that wait until they are taken: beyond it nothing more is read, so that a
/// participant that is down for long costs no memory.
pub(super) const WAITING_MAX: usize = 1_000;

/// The first and the longest pause before a message is offered again.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// One message on its way to a participant.
pub(super) struct Letter {
    pub(super) participant: CompactString,
    pub(super) endpoint: Endpoint,
    pub(super) at_once: Arc<Semaphore>,
    /// Ends when the partition is let go.
    pub(super) closed: watch::Receiver<()>,
}

impl Letter {
    /// Offers the message until the participant takes it or refuses it for good; false if the partition was let go
    /// before that.
    pub(super) async fn deliver(mut self, message: CloudEvent<'static>, command: &ReceivedCommand) -> bool {
        let mut pause = PAUSE_MIN;
        loop {
            // The place is free while the message waits: others are not held up by it.
            let place = tokio::select! {
                biased;
                place = Arc::clone(&self.at_once).acquire_owned() => place,
                // Nothing is ever sent: it ends.
                _ = self.closed.changed() => return false,
            };
            let answer = self.endpoint.ask(message.clone(), command).await;
            drop(place);
            let (participant, id) = (&self.participant, &command.id);
            match answer.map(|answer| answer.status) {
                Some(Status::Succeeded | Status::Pending) => return true,
                Some(Status::Failed { code, .. }) => {
                    tracing::warn!(%participant, message = %id, %code, "a message was refused, which its saga never hears");
                    return true;
                }
                Some(Status::Retry { code }) => {
                    let code = code.unwrap_or_default();
                    tracing::warn!(%participant, message = %id, %code, "a message was not taken and is offered again");
                }
                Some(Status::UnknownCommand) | None => {
                    tracing::warn!(%participant, message = %id, "a message was not taken in time and is offered again");
                }
            }
            tokio::select! {
                () = sleep(pause) => {}
                _ = self.closed.changed() => return false,
            }
            pause = pause.saturating_mul(2).min(PAUSE_MAX);
        }
    }
}
