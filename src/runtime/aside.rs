//! Commands that nobody can read are set aside, visibly, and reading goes on behind them.
//!
//! That loses nothing for good: a step whose command was never answered is asked again when its timeout is over.

use std::sync::Arc;

use crate::log::{Append, DEAD, Ticket};
use crate::wire::Message;

/// The note for `saga.dead` on records of a topic that cannot be read, from one offset to before another.
#[must_use]
pub(super) fn unreadable(topic: &str, partition: u32, (from, until): (u64, u64), why: &str) -> Message {
    tracing::error!(%topic, partition, from, until, %why, "records cannot be read: they are passed over, with a note in saga.dead");
    let mut message = Message::default();
    message.headers.push("saga-reason", &why.replace(char::is_control, " "));
    message.headers.push("saga-topic", topic);
    message.headers.push("saga-offsets", &format!("{partition}/{from} to before {until}"));
    message
}

/// It on its way.
pub(super) fn note(ticket: Ticket, topic: &str, partition: u32, range: (u64, u64), why: &str) -> Append {
    let message = Arc::new(unreadable(topic, partition, range, why));
    Append { ticket, topic: Arc::from(DEAD), partition: Some(partition), message, waits: false }
}
