//! Participants as they are reached: one for each topic of commands, whichever definitions speak to it.

use std::collections::BTreeSet;
use std::sync::Arc;

use compact_str::CompactString;
use indexmap::IndexMap;

use crate::definition::{Participant, Program, Scenario};
use crate::participant::Address;
use crate::participant::bridge::Settings;
use crate::participant::remembered::Addresses;
use crate::plan::Plan;

/// Participants by the topics of their commands. Those of several definitions that share a topic are one, with the
/// contracts of all.
#[derive(Clone, Debug, Default)]
pub struct Cast(IndexMap<CompactString, Participant>);

impl Cast {
    /// Those of a file.
    #[must_use]
    pub fn of(program: &Program) -> Self {
        let mut cast = Self::default();
        program.participants.values().for_each(|participant| cast.add(participant));
        cast
    }

    /// Adds one, or its contract to that of the one which is there.
    pub fn add(&mut self, participant: &Participant) {
        let known = self.0.entry(participant.commands_topic.clone()).or_insert_with(|| participant.clone());
        for (name, command) in &participant.commands {
            known.commands.entry(name.clone()).or_insert_with(|| Arc::clone(command));
        }
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
        other.0.values().for_each(|participant| self.add(participant));
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Participant> {
        self.0.values()
    }

    /// Whether one is among them whose commands go to this topic.
    #[must_use]
    pub fn has(&self, topic: &str) -> bool {
        self.0.contains_key(topic)
    }

    /// Their names, sorted, each once.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.values().map(|participant| participant.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The topics of their commands.
    #[must_use]
    pub fn topics(&self) -> Vec<String> {
        self.0.keys().map(ToString::to_string).collect()
    }

    /// Each one's name and the topic of its commands.
    #[must_use]
    pub fn named_topics(&self) -> Vec<(String, String)> {
        self.0.iter().map(|(topic, participant)| (participant.name.to_string(), topic.to_string())).collect()
    }

    /// What can be asked of whom: topics of commands, and the words that go there.
    #[must_use]
    pub fn words(&self) -> BTreeSet<(CompactString, CompactString)> {
        let of = |(topic, participant): (&CompactString, &Participant)| {
            let words: Vec<_> = participant.commands.keys().chain(participant.messages.keys()).cloned().collect();
            let topic = topic.clone();
            words.into_iter().map(move |word| (topic.clone(), word))
        };
        self.0.iter().flat_map(of).collect()
    }

    /// Those whose topics `wanted` says yes to.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let chosen = self.0.iter().filter(|(topic, _)| wanted(topic));
        Self(chosen.map(|(topic, participant)| (topic.clone(), participant.clone())).collect())
    }

    /// Each with its address; those without are not reached.
    #[must_use]
    pub fn settings(
        &self,
        addresses: &Addresses,
        scenario: Option<&Arc<Scenario>>,
        callback: Option<&str>,
    ) -> Vec<(Address, Settings)> {
        let settings = self.0.values().filter_map(|participant| {
            let (scenario, callback) = (scenario.cloned(), callback.map(str::to_owned));
            let settings = Settings { participant: Arc::new(participant.clone()), scenario, callback };
            Some((addresses.get(&participant.commands_topic)?.clone(), settings))
        });
        settings.collect()
    }
}
