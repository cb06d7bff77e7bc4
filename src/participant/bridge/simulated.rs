//! A participant that is nowhere: its replies are made from its contract, and from a scenario if there is one.
//!
//! What it says follows from the command alone (its step, what is asked, the number of its attempt), so it says the
//! same after a crash, and keeps nothing.

use std::sync::Arc;

use super::{Answer, Contracts};
use crate::definition::json::least;
use crate::definition::types::Type;
use crate::definition::{self, HappeningKind, Participant, Scenario};
use crate::engine::{ReplyKind, Status};
use crate::json::Json;
use crate::model::world::{REFUSED, names};
use crate::wire::ReceivedCommand;

#[derive(Debug)]
pub(super) struct Simulated {
    pub(super) participant: Arc<Participant>,
    pub(super) contracts: Contracts,
    pub(super) scenario: Option<Arc<Scenario>>,
}

impl Simulated {
    /// None if it stays silent.
    pub(super) fn answer(&self, command: &ReceivedCommand) -> Option<Answer> {
        match self.departure(command) {
            Some(definition::Answer::TimesOut) => None,
            Some(definition::Answer::StaysPending) => Some(Answer { status: Status::Pending, payload: None }),
            Some(definition::Answer::Fails(code)) => {
                let code = code.clone().unwrap_or_else(|| REFUSED.into());
                Some(Answer { status: Status::Failed { code, message: None }, payload: None })
            }
            Some(definition::Answer::Replies(payload)) => Some(succeeded(payload.to_string())),
            None => Some(self.good_path(command)),
        }
    }

    /// What the scenario says of this attempt: each happening takes its count of attempts, in the order of the text.
    fn departure(&self, command: &ReceivedCommand) -> Option<&definition::Answer> {
        let is_undo = command.kind == ReplyKind::Undo || command.id.own_undo;
        let mut passed = 0_u32;
        for happening in &self.scenario.as_ref()?.happenings {
            let HappeningKind::Answer { called, answer, times } = &happening.kind else { continue };
            if called.undo != is_undo || !names(&called.step, &command.step) {
                continue;
            }
            passed = passed.saturating_add(times.unwrap_or(u32::MAX));
            if command.attempt <= passed {
                return Some(answer);
            }
        }
        None
    }

    fn good_path(&self, command: &ReceivedCommand) -> Answer {
        let of_all = || self.participant.commands.values().find(|known| known.wire == command.call);
        let known = self.contracts.get(&(command.saga.clone(), command.call.clone())).or_else(of_all);
        let reply = known
            .map_or_else(|| "{}".to_owned(), |known| least(&Type::Record(Arc::clone(&known.reply)), &command.step));
        succeeded(reply)
    }
}

fn succeeded(payload: String) -> Answer {
    match Json::parse(payload) {
        Ok(payload) => Answer { status: Status::Succeeded, payload: Some(payload) },
        Err(error) => {
            tracing::error!("a simulated reply cannot be used: failed to {error}");
            Answer::retry("simulated-reply")
        }
    }
}
