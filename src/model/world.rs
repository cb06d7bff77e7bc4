//! Participants as a scenario has them: what is asked of them, and what they answer.
//!
//! Where a scenario says nothing, a participant answers at once with the least value of the reply's type. Everything
//! follows from the definition and the scenario; nothing is drawn.

use compact_str::CompactString;

use crate::definition::json::least;
use crate::definition::types::Type;
use crate::definition::{Answer, Called, Happening, HappeningKind, Scenario};
use crate::engine::{self, Command, CommandKind, Direction, Reply, ReplyKind, Status};
use crate::json::Json;
use crate::plan::Plan;

/// The code of a compensation that fails without one.
pub const REFUSED: &str = "refused";

/// The participants of one instance.
#[derive(Clone, Debug)]
pub struct World {
    rules: Vec<Rule>,
}

/// A happening, and how often it has come about.
#[derive(Clone, Debug)]
struct Rule {
    /// Its number in the scenario.
    index: usize,
    called: Called,
    answer: Answer,
    left: Option<u32>,
    happened: u32,
}

impl World {
    /// Participants that answer as `scenario` says; without one, everything succeeds.
    #[must_use]
    pub fn new(scenario: Option<&Scenario>) -> Self {
        let happenings = scenario.map(|scenario| scenario.happenings.as_slice()).unwrap_or_default();
        let rule = |(index, happening): (usize, &Happening)| match &happening.kind {
            HappeningKind::Cancelled(_) | HappeningKind::Arrives { .. } => None,
            HappeningKind::Answer { called, answer, times } => {
                let (called, answer) = (called.clone(), answer.clone());
                Some(Rule { index, called, answer, left: *times, happened: 0 })
            }
        };
        Self { rules: happenings.iter().enumerate().filter_map(rule).collect() }
    }

    /// What the participant answers to a command; `None` if it stays silent.
    pub fn answer(&mut self, plan: &Plan, command: &Command) -> Option<Reply> {
        let kind = match command.kind {
            // Only a silence is asked about, and who was silent about the work says nothing about it either.
            CommandKind::Query | CommandKind::Message => return None,
            CommandKind::Do => ReplyKind::Do,
            CommandKind::Undo => ReplyKind::Undo,
        };
        let (status, payload) = match self.rule(command) {
            Some(Answer::TimesOut) => return None,
            Some(Answer::StaysPending) => (Status::Pending, None),
            Some(Answer::Fails(code)) => {
                let code = code.unwrap_or(CompactString::const_new(REFUSED));
                (Status::Failed { code, message: None }, None)
            }
            Some(Answer::Replies(payload)) => (Status::Succeeded, Json::parse(payload.into_string()).ok()),
            None => (Status::Succeeded, least_reply(plan, command)),
        };
        Some(Reply { command: command.id.clone(), kind, attempt: command.attempt, status, payload })
    }

    /// Whether the step's action will never have a final answer, however often it is attempted.
    #[must_use]
    pub fn is_silent_for_ever(&self, place: &str) -> bool {
        let mut rules = self.rules.iter().filter(|rule| !rule.called.undo && names(&rule.called.step, place));
        let next = rules.find(|rule| rule.left != Some(0));
        next.is_some_and(|rule| rule.left.is_none() && matches!(rule.answer, Answer::TimesOut | Answer::StaysPending))
    }

    /// The happenings of the scenario that never came about, by their number.
    #[must_use]
    pub fn idle(&self) -> Vec<usize> {
        self.rules.iter().filter(|rule| rule.happened == 0).map(|rule| rule.index).collect()
    }

    /// The first rule in the text that still applies counts, and is used up by one.
    fn rule(&mut self, command: &Command) -> Option<Answer> {
        let undo = command.work == Direction::Undo;
        let rule = self.rules.iter_mut().find(|rule| {
            rule.called.undo == undo && names(&rule.called.step, &command.place) && rule.left != Some(0)
        })?;
        rule.left = rule.left.map(|left| left - 1);
        rule.happened += 1;
        Some(rule.answer.clone())
    }
}

/// Whether a reference means a place: without an index it stands for any element.
#[must_use]
pub fn names(reference: &str, place: &str) -> bool {
    reference == place || without_indices(place) == reference
}

/// `paid.charge[2]` without `[2]`.
pub(super) fn without_indices(place: &str) -> String {
    let mut depth = 0u32;
    let outside = |character: &char| match character {
        '[' => {
            depth += 1;
            false
        }
        ']' => {
            depth = depth.saturating_sub(1);
            false
        }
        _ => depth == 0,
    };
    place.chars().filter(outside).collect()
}

fn least_reply(plan: &Plan, command: &Command) -> Option<Json> {
    let invocation = engine::invocation_at(plan, &command.place, command.work)?;
    Json::parse(least(&Type::Record(invocation.command.reply.clone()), &command.place)).ok()
}
