//! Inputs of which nothing comes.

use crate::engine::{Decision, Input, InstanceId, Order, decide};
use crate::journal::record::{Cause, PastOutcome, StartHash};
use crate::log::Stored;
use crate::time::Timestamp;
use crate::wire::{Ask, CloudEvent, Message, read_reply, read_request};

use super::Judge;

/// Of which instance an input is: as it says, or by its key where nobody can read it.
pub(super) fn whose(message: &Message) -> String {
    let event = CloudEvent::read(message).unwrap_or_default();
    let asked = read_request(&event).map(|request| request.instance);
    let instance = asked.or_else(|_| read_reply(&event).map(|reply| reply.command.instance));
    instance.map_or_else(|_| message.key.to_string(), |instance| instance.to_string())
}

impl Judge {
    /// Whether nothing would come of an input now; `None` where it would be another life's.
    pub(super) fn ignorable(&self, stored: &Stored, cause: Cause, now: Timestamp) -> Option<bool> {
        let decided = |id: &InstanceId, input: &Input| {
            let live = self.truth.live(id)?;
            Some(decide(&live.plan, &live.instance, now, input, &mut |_, _| true) == Decision::Nothing)
        };
        if !self.is_home_of(&whose(&stored.message)) {
            return Some(false); // it must be forwarded
        }
        let Ok(event) = CloudEvent::read(&stored.message) else { return Some(false) };
        if matches!(cause, Cause::Reply(_)) {
            let Ok(reply) = read_reply(&event) else { return Some(false) };
            let id = reply.command.instance.clone();
            if self.truth.queue(&id).is_some() {
                return Some(false);
            }
            let run = self.truth.live(&id).map(|live| live.instance.run);
            return match (run, self.truth.past(&id)) {
                (Some(run), _) if reply.command.run < run => Some(true),
                (Some(_), _) => decided(&id, &Input::Reply(reply)),
                (None, Some(past)) => Some(reply.command.run <= past.run),
                (None, None) => Some(false),
            };
        }
        let Ok(request) = read_request(&event) else { return Some(false) };
        let id = &request.instance;
        if self.truth.queue(id).is_some() {
            return Some(false); // it must be parked
        }
        let past = self.truth.past(id).filter(|past| stored.timestamp < past.at.after(self.remember));
        match &request.ask {
            Ask::Start { saga, start } => match past.map(|past| past.outcome) {
                _ if self.truth.live(id).is_some() => decided(id, &Input::Start(start.clone())),
                Some(PastOutcome::Completed(was) | PastOutcome::Compensated(was)) => {
                    Some(was == StartHash::of(saga, &start.input))
                }
                Some(PastOutcome::Barred) | None => Some(false),
            },
            Ask::Order { order, .. } if self.truth.live(id).is_some() => decided(id, &Input::Order(order.clone())),
            Ask::Order { order, .. } => Some(past.is_some_and(|past| {
                let is_barred = past.outcome == PastOutcome::Barred && order.order == Order::Cancel;
                is_barred || self.truth.has_followed(id, &order.request, &order.order)
            })),
        }
    }
}
