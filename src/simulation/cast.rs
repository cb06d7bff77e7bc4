//! Who plays in a world: a saga, the contracts of its participants, what clients can ask with.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;

use super::values;
use crate::definition::types::Record;
use crate::definition::{Command, HappeningKind, Limit, Participant, Program, Verb};
use crate::journal::Plans;
use crate::json::Json;
use crate::log::simulated::Random;
use crate::model::world::names;
use crate::plan::{Kind, Plan};
use crate::time::Timestamp;

/// How often an input is one that a scenario gives, where there are some, in percent: it leads further than a drawn one.
const GIVEN: usize = 60;

/// Who plays in a world.
#[derive(Debug)]
pub struct Cast {
    pub(super) plan: Arc<Plan>,
    pub(super) plans: Arc<Plans>,
    /// Participants by the topics of their commands.
    pub(super) participants: BTreeMap<Arc<str>, Arc<Participant>>,
    /// By topic and name on the wire.
    contracts: BTreeMap<(CompactString, CompactString), Arc<Command>>,
    /// Inputs of scenarios.
    given: Vec<Json>,
    /// What signals carry in scenarios.
    carried: Vec<(CompactString, Json)>,
    /// The longest that an answer is waited for, in milliseconds.
    pub(super) timeout: u64,
    /// Whether it waits for anything but answers.
    pub(super) waits: bool,
}

impl Cast {
    /// The participants of a saga.
    #[must_use]
    pub fn new(plan: &Arc<Plan>) -> Self {
        let mut plans = Plans::default();
        plans.deploy(plan);
        let mut participants = BTreeMap::new();
        let mut contracts: BTreeMap<_, Arc<Command>> = BTreeMap::new();
        let mut timeout = 0;
        for invocation in plan.invocations() {
            let participant = &invocation.participant;
            participants.insert(Arc::from(participant.commands_topic.as_str()), Arc::clone(participant));
            let key = (participant.commands_topic.clone(), invocation.command.wire.clone());
            // A definition that was not written but built may have several of one name: the least that they promise.
            let refuses_less = |known: &Arc<Command>| invocation.command.fails.len() < known.fails.len();
            if contracts.get(&key).is_none_or(refuses_less) {
                contracts.insert(key, Arc::clone(&invocation.command));
            }
            if invocation.verb == Verb::Call {
                timeout = timeout.max(u64::try_from(invocation.timing.timeout.as_millis()).unwrap_or(u64::MAX));
            }
        }
        let is_wait = |kind: &Kind| matches!(kind, Kind::Sleep(_) | Kind::Await(..));
        let waits = plan.nodes().any(|(_, node)| is_wait(&node.kind));
        Self {
            plan: Arc::clone(plan),
            plans: Arc::new(plans),
            participants,
            contracts,
            given: Vec::new(),
            carried: Vec::new(),
            timeout,
            waits,
        }
    }

    /// The participants of a saga of a program, with the inputs and signals of its scenarios; `None` where it has no such saga.
    #[must_use]
    pub fn of(program: &Program, saga: &str) -> Option<Self> {
        let plan = Arc::new(Plan::new(Arc::clone(program.sagas.get(saga)?)));
        let mut cast = Self::new(&plan);
        for scenario in program.scenarios.iter().filter(|scenario| scenario.saga == saga) {
            cast.given.extend(scenario.given.as_ref().and_then(|given| Json::parse(&**given).ok()));
            for happening in &scenario.happenings {
                if let HappeningKind::Arrives { signal, with, .. } = &happening.kind {
                    cast.carried.extend(Json::parse(&**with).ok().map(|with| (signal.clone(), with)));
                }
            }
        }
        Some(cast)
    }

    /// The names of its steps and participants.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let steps = self.plan.nodes().filter(|(node, _)| self.plan.work(*node).is_some()).map(|(_, node)| &*node.place);
        steps.chain(self.participants.values().map(|participant| &*participant.name))
    }

    /// Whether one of them has this name.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// Whether something can be refused that is called at a step of this name or asked of a participant of this name; of none, anything.
    #[must_use]
    pub fn refuses(&self, name: Option<&str>) -> bool {
        let is_meant = |step: &str, participant: &str| name.is_none_or(|name| names(name, step) || name == participant);
        self.plan
            .nodes()
            .filter_map(|(at, node)| Some((node, self.plan.work(at)?.step.action.as_ref()?)))
            .any(|(node, action)| !action.command.fails.is_empty() && is_meant(&node.place, &action.participant.name))
    }

    pub(super) fn name(&self) -> &CompactString {
        &self.plan.saga.name
    }

    /// What a command's participant promises, by the topic it was read from and its name on the wire.
    pub(super) fn contract(&self, topic: &str, wire: &str) -> Option<&Arc<Command>> {
        self.contracts.get(&(topic.into(), wire.into()))
    }

    /// What a participant takes, by its topic.
    pub(super) fn limits(&self) -> impl Iterator<Item = (&Arc<str>, &Limit)> {
        let of = |(topic, participant)| {
            let participant: &Arc<Participant> = participant;
            participant.limits.iter().map(move |limit| (topic, limit))
        };
        self.participants.iter().flat_map(of)
    }

    /// What a client starts the saga with.
    pub(super) fn input(&self, now: Timestamp, random: &mut Random) -> Json {
        let record = &self.plan.saga.input;
        if record.fields.is_empty() {
            return Json::empty_object();
        }
        if !self.given.is_empty()
            && random.chance(GIVEN)
            && let Some(given) = self.given.get(random.below(self.given.len()))
        {
            return given.clone();
        }
        values::any(record, now, random)
    }

    /// What a client starts it with under a load: as a scenario has it, if one does.
    pub(super) fn usual_input(&self, now: Timestamp, random: &mut Random) -> Json {
        match self.given.get(random.below(self.given.len())) {
            Some(given) => given.clone(),
            None => self.input(now, random),
        }
    }

    /// What a signal carries under a load: as a scenario has it, if one does.
    pub(super) fn usual_signal(&self, signal: &str, now: Timestamp, random: &mut Random) -> Json {
        let carried: Vec<&Json> = self.carried.iter().filter(|(of, _)| of == signal).map(|(_, with)| with).collect();
        match (carried.get(random.below(carried.len())), self.plan.saga.signals.get(signal)) {
            (Some(with), _) => (*with).clone(),
            (None, Some(signal)) => values::any(&signal.shape, now, random),
            (None, None) => Json::empty_object(),
        }
    }

    /// What the saga can be told while it runs.
    pub(super) fn signals(&self) -> impl Iterator<Item = (&CompactString, &Record)> {
        self.plan.saga.signals.values().map(|signal| (&signal.name, &*signal.shape))
    }
}
