//! What a participant can be asked: its contract, with requests that it is likely to take.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;

use crate::definition::json::{check_json, least};
use crate::definition::types::Type;
use crate::definition::{Command, Participant, Program};
use crate::engine::CommandKind;
use crate::json::Json;
use crate::model::scenario;
use crate::plan::{Kind, Plan, Undo};

/// A participant, and what is tried on it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its contract.
    pub participant: Arc<Participant>,
    /// In the order of the contract.
    pub calls: Vec<Call>,
}

/// A command that is tried.
#[derive(Clone, Debug)]
pub struct Call {
    /// The command.
    pub command: Arc<Command>,
    /// A request that it should do.
    pub request: Json,
    /// A request that it should refuse, if one is known.
    pub refused: Option<Json>,
    /// What takes it back, with its request, if a saga has that.
    pub undo: Option<(CompactString, Json)>,
}

/// Why a participant cannot be tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// The definition has none of that name.
    #[error("find the participant `{name}`: the definition has no such one")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The contract has no such command.
    #[error("find the command `{call}` in the contract of `{participant}`")]
    UnknownCall {
        /// Whose.
        participant: String,
        /// Which.
        call: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Nothing that can be taken back.
    #[error("choose commands of `{participant}` to try: no saga takes any of them back, and a probe does real work")]
    Nothing {
        /// Whose.
        participant: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A request that does not fit.
    #[error("use a request for `{call}`: {misfit}")]
    Unfit {
        /// For which.
        call: String,
        /// What is wrong.
        misfit: String,
    },
}

/// What the user says about commands.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Commands to try; those that can be taken back if there are none.
    pub calls: Vec<String>,
    /// Requests by command.
    pub requests: BTreeMap<String, Json>,
    /// Requests by command that are refused.
    pub refused: BTreeMap<String, Json>,
}

impl Subject {
    /// The participant of a program, with the commands that are wished for.
    ///
    /// # Errors
    /// There is no such participant or command, or nothing to try.
    pub fn of(program: &Program, name: &str, wishes: &Wishes) -> Result<Self, SubjectError> {
        let participant = program.participants.get(name).ok_or_else(|| SubjectError::Unknown {
            name: name.to_owned(),
            known: program.participants.keys().map(ToString::to_string).collect(),
        })?;
        let known = || participant.commands.keys().map(ToString::to_string).collect::<Vec<_>>();
        let named = wishes.calls.iter().chain(wishes.requests.keys()).chain(wishes.refused.keys());
        for call in named {
            if !participant.commands.contains_key(call.as_str()) {
                let (participant, call) = (participant.name.to_string(), call.clone());
                return Err(SubjectError::UnknownCall { participant, call, known: known() });
            }
        }
        let (requests, undos) = (requests_of(program, name), undos_of(program, name));
        let mut calls = Vec::new();
        for command in participant.commands.values() {
            let undo = undos.get(&command.name).map(|undo| {
                let request = requests.get(&undo.name).cloned();
                (undo.wire.clone(), request.unwrap_or_else(|| least_request(undo)))
            });
            let is_wished = wishes.calls.iter().any(|call| *call == command.name);
            if !(is_wished || wishes.calls.is_empty() && undo.is_some()) {
                continue;
            }
            let given = wishes.requests.get(command.name.as_str()).or_else(|| requests.get(&command.name));
            let request = given.cloned().unwrap_or_else(|| least_request(command));
            let refused = wishes.refused.get(command.name.as_str()).cloned();
            for request in std::iter::once(&request).chain(&refused) {
                if let Err(misfits) = check_json(&Type::Record(Arc::clone(&command.request)), request.get()) {
                    let misfit = misfits.first().map(ToString::to_string).unwrap_or_default();
                    return Err(SubjectError::Unfit { call: command.name.to_string(), misfit });
                }
            }
            calls.push(Call { command: Arc::clone(command), request, refused, undo });
        }
        if calls.is_empty() {
            return Err(SubjectError::Nothing { participant: participant.name.to_string(), known: known() });
        }
        Ok(Self { participant: Arc::clone(participant), calls })
    }
}

fn least_request(command: &Command) -> Json {
    let text = least(&Type::Record(Arc::clone(&command.request)), "probe");
    Json::parse(text).unwrap_or_else(|_| Json::empty_object())
}

/// The first request to each command of a participant in the scenarios of a program: what its author thinks is usual.
#[must_use]
fn requests_of(program: &Program, participant: &str) -> BTreeMap<CompactString, Json> {
    let mut requests = BTreeMap::new();
    for scenario in &program.scenarios {
        let Some(saga) = program.sagas.get(&scenario.saga) else { continue };
        let asked = scenario::run(&Plan::new(Arc::clone(saga)), scenario).asked;
        for command in asked.iter().filter(|command| command.participant.name == participant) {
            let known = command.participant.commands.values().find(|known| known.wire == command.wire);
            if let Some(known) = known.filter(|_| command.kind != CommandKind::Query) {
                requests.entry(known.name.clone()).or_insert_with(|| command.payload.clone());
            }
        }
    }
    requests
}

/// What takes each command of a participant back, where a saga has that.
fn undos_of(program: &Program, participant: &str) -> BTreeMap<CompactString, Arc<Command>> {
    let mut undos = BTreeMap::new();
    for saga in program.sagas.values() {
        let plan = Plan::new(Arc::clone(saga));
        for (_, node) in plan.nodes() {
            let Kind::Step(work) = &node.kind else { continue };
            let (Some(action), Some(compensation)) = (work.action(), work.compensation()) else { continue };
            if action.participant.name == participant && work.undo == Some(Undo::OfCommand) {
                undos.entry(action.command.name.clone()).or_insert_with(|| Arc::clone(&compensation.command));
            }
        }
    }
    undos
}
