//! Participants as they are reached: one for each topic of commands, whichever definitions speak to it.

use std::collections::BTreeSet;
use std::sync::Arc;

use compact_str::CompactString;
use indexmap::{IndexMap, IndexSet};

use crate::definition::{Participant, Program, Scenario};
use crate::participant::Address;
use crate::participant::bridge::Settings;
use crate::participant::remembered::Addresses;
use crate::plan::Plan;

/// Participants by the topics of their commands. Those of several definitions that share a topic are one, with the
/// contracts and the names of all.
#[derive(Clone, Debug, Default)]
pub struct Cast(IndexMap<CompactString, Role>);

/// A participant as all who speak to it know it.
#[derive(Clone, Debug)]
pub struct Role {
    /// What all of them ask of it, by the name that came first.
    pub contract: Participant,
    /// What they call it, at least one name: people give it an address by any of them.
    pub names: IndexSet<CompactString>,
}

impl Role {
    /// The topic of its commands.
    #[must_use]
    pub const fn topic(&self) -> &CompactString {
        &self.contract.commands_topic
    }

    fn add(&mut self, participant: &Participant) {
        self.names.insert(participant.name.clone());
        let Participant { commands, messages, .. } = &mut self.contract;
        for (known, added) in [(commands, &participant.commands), (messages, &participant.messages)] {
            for (name, command) in added {
                known.entry(name.clone()).or_insert_with(|| Arc::clone(command));
            }
        }
    }
}

impl Cast {
    /// Those of a file.
    #[must_use]
    pub fn of(program: &Program) -> Self {
        let mut cast = Self::default();
        program.participants.values().for_each(|participant| cast.add(participant));
        cast
    }

    /// Adds one, or its contract and its name to those of the one which is there.
    pub fn add(&mut self, participant: &Participant) {
        let new = || Role { contract: participant.clone(), names: IndexSet::new() };
        self.0.entry(participant.commands_topic.clone()).or_insert_with(new).add(participant);
    }

    /// Adds those to which a plan speaks.
    pub fn speak(&mut self, plan: &Plan) {
        for work in plan.nodes().filter_map(|(node, _)| plan.work(node)) {
            for invocation in work.action().into_iter().chain(work.compensation()) {
                self.add(&invocation.participant);
            }
        }
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: &Self) {
        for (topic, role) in &other.0 {
            let known = self.0.entry(topic.clone()).or_insert_with(|| role.clone());
            known.add(&role.contract);
            known.names.extend(role.names.iter().cloned());
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Role> {
        self.0.values()
    }

    /// Whether one is among them whose commands go to this topic.
    #[must_use]
    pub fn has(&self, topic: &str) -> bool {
        self.0.contains_key(topic)
    }

    /// Their names, sorted, each once.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        self.0.values().flat_map(|role| &role.names).map(CompactString::as_str).collect()
    }

    /// The topics of their commands.
    #[must_use]
    pub fn topics(&self) -> Vec<String> {
        self.0.keys().map(ToString::to_string).collect()
    }

    /// Each name and the topic of its commands.
    #[must_use]
    pub fn named_topics(&self) -> Vec<(String, String)> {
        let of = |(topic, role): (&CompactString, &Role)| {
            let topic = topic.to_string();
            role.names.iter().map(|name| (name.to_string(), topic.clone())).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of).collect()
    }

    /// What can be asked of whom: topics of commands, and the words that go there.
    #[must_use]
    pub fn words(&self) -> BTreeSet<(CompactString, CompactString)> {
        let of = |(topic, Role { contract, .. }): (&CompactString, &Role)| {
            let words: Vec<_> = contract.commands.keys().chain(contract.messages.keys()).cloned().collect();
            let topic = topic.clone();
            words.into_iter().map(move |word| (topic.clone(), word))
        };
        self.0.iter().flat_map(of).collect()
    }

    /// Those whose topics `wanted` says yes to.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let chosen = self.0.iter().filter(|(topic, _)| wanted(topic));
        Self(chosen.map(|(topic, role)| (topic.clone(), role.clone())).collect())
    }

    /// Each with its address; those without are not reached.
    #[must_use]
    pub fn settings(
        &self,
        addresses: &Addresses,
        scenario: Option<&Arc<Scenario>>,
        callback: Option<&str>,
    ) -> Vec<(Address, Settings)> {
        let settings = self.0.values().filter_map(|role| {
            let (scenario, callback) = (scenario.cloned(), callback.map(str::to_owned));
            let settings = Settings { participant: Arc::new(role.contract.clone()), scenario, callback };
            Some((addresses.get(role.topic())?.clone(), settings))
        });
        settings.collect()
    }
}
