//! What the log says of commands and messages that were sent: inputs of their instances too.

use super::asked::{Asked, Came};
use super::effects::{Outgoing, of_change};
use super::setting::Setting;
use super::tenure::{Over, Tenure};
use super::told::Do;
use crate::engine::{CommandId, CommandKind, Effect, Input, InstanceId, Undeliverable, pending};
use crate::journal::Live;
use crate::journal::record::Cause;
use crate::wire::Message;

impl Tenure {
    /// A command or message that the log refused for good.
    pub(super) fn undeliverable(
        &mut self,
        set: &mut Setting,
        record: u64,
        command: Undeliverable,
        out: &mut Vec<Do>,
    ) -> Result<(), Over> {
        let id = command.command.clone();
        self.report(set, &id, (Cause::Undeliverable(record), &Input::Undeliverable(command)), out)
    }

    /// Tells the instances whose messages are in the log, as far as there is room. Room for what is owed is not asked
    /// for: these are owed themselves until they are told.
    pub(super) fn acknowledge(&mut self, set: &mut Setting, out: &mut Vec<Do>) -> Result<(), Over> {
        while self.has_room_for_records()
            && let Some((record, acknowledged)) = self.owed.next_acknowledged()
        {
            let id = acknowledged.command.clone();
            self.report(set, &id, (Cause::Acknowledged(record), &Input::Acknowledged(acknowledged)), out)?;
            if self.owed.settle() {
                self.moved();
            }
        }
        Ok(())
    }

    fn report(
        &mut self,
        set: &mut Setting,
        command: &CommandId,
        (cause, input): (Cause, &Input),
        out: &mut Vec<Do>,
    ) -> Result<(), Over> {
        let id = &command.instance;
        let runs = self.ledger.live(id).is_some_and(|live| live.instance.run == command.run);
        if !runs || self.ledger.queue(id).is_some() {
            return Ok(()); // it waits for nothing, or its timer will notice, or what is parked will be resumed
        }
        let message = Message::default();
        let came = Came { cause, timestamp: self.time(), message: &message, request: None };
        let asked = Asked { came, instance: id, tell: None, order: None };
        self.decide(set, &asked, input, out)
    }

    /// The last parked input of an instance is dealt with, by the latest record.
    pub(super) fn send_again(&mut self, set: &mut Setting, id: &InstanceId) {
        let Some(live) = self.ledger.live(id) else { return };
        let place = self.epoch + self.n;
        for message in unheard(set, place, &live) {
            if message.command.as_ref().is_some_and(|sent| !self.owed.has(sent)) {
                self.owed.push(set, place, message);
            }
        }
    }
}

/// What the log said of an instance's messages while it was parked was not heard: they are sent again for the record that
/// ends its queue, by its owner and by whoever recovers from that record.
pub(super) fn unheard(set: &mut Setting, offset: u64, live: &Live) -> Vec<Outgoing> {
    let is_message = |effect: &Effect| matches!(effect, Effect::Command(it) if it.kind == CommandKind::Message);
    let effects = pending(&live.plan, &live.instance).into_iter().filter(is_message).collect();
    of_change(set, offset, live, effects)
}
