//! What an owner does of itself: whenever it was told something, it goes on as far as it can.

use std::time::Duration;

use super::asked::{Asked, Came};
use super::defect::Defect;
use super::feed::Before;
use super::inputs::{Lane, Said};
use super::setting::Setting;
use super::tenure::{Over, Tenure};
use super::timers::Timers;
use super::told::Do;
use crate::engine::Input;
use crate::journal::record::{Body, Cause, Parked, Resumed};
use crate::time::Timestamp;
use crate::wire::Message;

impl Tenure {
    /// Does whatever can be done now.
    pub(super) fn work(&mut self, set: &mut Setting, out: &mut Vec<Do>) -> Result<(), Over> {
        self.send(set, out);
        self.acknowledge(set, out)?;
        if self.release.is_some() {
            if self.is_settled() {
                self.mark(set, out)?;
            }
            return Ok(());
        }
        self.resume(set, out)?;
        self.fire(set, out)?;
        // Replies first: what has begun shall end before more begins.
        for lane in [Lane::Replies, Lane::Requests] {
            while self.has_room() {
                let feed = if lane == Lane::Replies { &mut self.replies } else { &mut self.requests };
                let Some(stored) = feed.take() else { break };
                self.take(set, lane, &stored, out)?;
            }
        }
        self.give_turns(set, out)?;
        self.checkpoint(set, out)?;
        if self.mark_due().is_some_and(|due| due <= self.now) && self.has_room() {
            self.mark(set, out)?;
        }
        self.send(set, out);
        if self.has_room() && self.quiet.is_none_or(|until| until <= self.now) {
            self.quiet = None;
            self.requests.fill(set, self.now, out);
            self.replies.fill(set, self.now, out);
        }
        Ok(())
    }

    pub(super) fn is_released(&self) -> bool {
        self.release.is_some_and(|until| until <= self.now || (self.is_settled() && self.mark_due().is_none()))
    }

    pub(super) fn wakes_at(&self) -> Option<Duration> {
        if self.release.is_some() {
            return self.release.into_iter().chain(self.owed.next_repeat()).min();
        }
        // Without room only acknowledgements help.
        let room = self.has_room();
        // One that is due and waits for replies is looked at when they come, or when it is known that there are none.
        let timer = self.timers.next().filter(|_| room).and_then(|due| match self.replies_before(due) {
            Before::Taken => Some(self.clock.until(due)),
            Before::Coming { again } => Some(again).filter(|at| *at > self.now),
            Before::NotKnown => Some(self.clock.until(due)).filter(|at| *at > self.now),
        });
        let turn = self.seat.next_at(self.time()).filter(|_| room).map(|at| self.clock.until(at));
        let mark = self.mark_due().filter(|_| room);
        let busy = self.checkpoints.is_busy() && self.has_half_its_room();
        let now = Some(self.now).filter(|_| busy);
        [timer, turn, mark, now, self.quiet, self.owed.next_repeat()].into_iter().flatten().min()
    }

    /// Lets the timers fire that are due, as far as there is room: behind the replies that were there before them. An
    /// owner that was down, or stood still, would else repeat or give up what has been answered long ago.
    pub(super) fn fire(&mut self, set: &mut Setting, out: &mut Vec<Do>) -> Result<(), Over> {
        let now = self.time();
        if self.timers.has_far(now) {
            self.timers = Timers::of(self.ledger.dues(), now);
        }
        while self.has_room() {
            let Some((due, id)) = self.timers.due(now) else { break };
            match self.replies_before(due) {
                Before::Taken => {}
                _ if set.config.defect == Some(Defect::HastyTimers) => {}
                Before::Coming { again } if again > self.now => break,
                Before::Coming { .. } | Before::NotKnown => {
                    if self.quiet.is_none_or(|until| until <= self.now) {
                        self.replies.measure(set, self.now, out);
                    }
                    break;
                }
            }
            if self.ledger.queue(&id).is_some() {
                self.schedule(&id, Timestamp::NEVER); // set again when the last parked input is dealt with
                continue;
            }
            let message = Message::default();
            let came = Came { cause: Cause::Timer(due), timestamp: now, message: &message, request: None };
            let asked = Asked { came, instance: &id, tell: None, order: None };
            let before = self.n;
            self.decide(set, &asked, &Input::Due, out)?;
            // If nothing came of it, the same moment brings nothing either: look again in a while, not for ever.
            if self.n == before {
                self.schedule(&id, now.after(super::MARK_EVERY));
            }
        }
        Ok(())
    }

    /// Tries the parked inputs again that an operator has resumed, as far as there is room.
    pub(super) fn resume(&mut self, set: &mut Setting, out: &mut Vec<Do>) -> Result<(), Over> {
        while self.has_room() {
            let Some(id) = self.resumed.first().cloned() else { break };
            let unasked = set.config.defect == Some(Defect::ResumedUnasked);
            let first = self.ledger.queue(&id).filter(|queue| unasked || queue.resumed == Resumed::Yes);
            let Some(parked) = first.and_then(|queue| queue.parked.front()).cloned() else {
                self.resumed.remove(&id);
                let due = self.ledger.wake(&id).and_then(|live| live.instance.next_due(&live.plan));
                self.schedule(&id, due.unwrap_or(Timestamp::NEVER));
                self.note_instance(&id);
                continue;
            };
            let Parked { cause, timestamp, message, .. } = parked;
            match (cause, message) {
                (Cause::Request(offset), Some(raw)) => {
                    let message = raw.to_message();
                    let came = Came { cause: Cause::Parked, timestamp, message: &message, request: Some(offset) };
                    self.consider(set, came, Said::read(Lane::Requests, &message), out)?;
                }
                (Cause::Reply(_), Some(raw)) => {
                    let message = raw.to_message();
                    let came = Came { cause: Cause::Parked, timestamp, message: &message, request: None };
                    self.consider(set, came, Said::read(Lane::Replies, &message), out)?;
                }
                // A timer is due again by itself, a command that could not be sent has a timer too, and messages are sent
                // again behind all that is parked.
                _ => self.note(set, id.as_str(), Body::Pass { instance: id.clone() }, out)?,
            }
            if self.ledger.queue(&id).is_none() {
                self.send_again(set, &id);
            }
        }
        Ok(())
    }

    /// Lets steps go on whose turn it is, as far as there is room.
    fn give_turns(&mut self, set: &mut Setting, out: &mut Vec<Do>) -> Result<(), Over> {
        let now = self.time();
        while self.has_room() {
            let Some((id, place)) = self.seat.next(now) else { break };
            let before = self.n;
            if self.ledger.queue(&id).is_none() {
                let message = Message::default();
                let came = Came { cause: Cause::Turn, timestamp: now, message: &message, request: None };
                let asked = Asked { came, instance: &id, tell: None, order: None };
                self.decide(set, &asked, &Input::Turn(place.clone()), out)?;
            }
            // Noted again when the last parked input is dealt with.
            if self.n == before || self.ledger.queue(&id).is_some() {
                self.seat.forget(&id, &place);
            }
        }
        out.extend(self.seat.may_go_on().into_iter().map(Do::Wake));
        Ok(())
    }
}
