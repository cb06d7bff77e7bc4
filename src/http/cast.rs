//! Participants as they are reached: one for each topic of commands, whichever definitions speak to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use compact_str::CompactString;
use indexmap::{IndexMap, IndexSet};

use crate::definition::types::Record;
use crate::definition::{Command, Participant, Program, Scenario};
use crate::journal::Plans;
use crate::participant::Address;
use crate::participant::bridge::{Contracts, Settings};
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
    /// What each saga asks, since definitions may differ in it; of a saga's versions that which was added first.
    contracts: Contracts,
}

/// What is to be known of participants to reach them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Topics of commands, and the words that go there.
    words: BTreeSet<(CompactString, CompactString)>,
    /// Of those who are simulated: their topics, their words, of a saga that differs its name, and the replies.
    replies: BTreeMap<(CompactString, CompactString, Option<CompactString>), Arc<Record>>,
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

    /// Whatever any definition asks.
    fn all(&self) -> impl Iterator<Item = &Arc<Command>> {
        let Participant { commands, messages, .. } = &self.contract;
        commands.values().chain(messages.values()).chain(self.contracts.values())
    }

    /// The contracts of sagas whose reply is another one than that of the contract of all.
    fn departures(&self) -> Contracts {
        let mut departures = self.contracts.clone();
        departures.retain(|(_, wire), command| {
            let of_all = self.contract.commands.values().find(|known| known.wire == *wire);
            of_all.is_none_or(|known| known.reply != command.reply)
        });
        departures
    }

    /// What those who simulate it reply.
    fn replies(&self) -> impl Iterator<Item = (CompactString, Option<CompactString>, Arc<Record>)> {
        let of_all = self.contract.commands.values().map(|known| (known.wire.clone(), None, Arc::clone(&known.reply)));
        let departures = self.departures().into_iter();
        of_all.chain(departures.map(|((saga, wire), known)| (wire, Some(saga), Arc::clone(&known.reply))))
    }
}

impl Cast {
    /// Those of a file.
    #[must_use]
    pub fn of(program: &Program) -> Self {
        let mut cast = Self::default();
        for participant in program.participants.values() {
            cast.add(participant, program.sagas.keys());
        }
        cast
    }

    /// Those of the definitions that new instances run by.
    #[must_use]
    pub fn of_current(plans: &Plans) -> Self {
        let mut cast = Self::default();
        plans.sagas().filter_map(|saga| plans.current(saga)).for_each(|plan| cast.speak(plan));
        cast
    }

    /// Adds one that these sagas speak to, or its contract and its name to those of the one which is there.
    fn add<'s>(&mut self, participant: &Participant, sagas: impl Iterator<Item = &'s CompactString>) {
        let new = || Role { contract: participant.clone(), names: IndexSet::new(), contracts: Contracts::new() };
        let role = self.0.entry(participant.commands_topic.clone()).or_insert_with(new);
        role.add(participant);
        for saga in sagas {
            for command in participant.commands.values() {
                let asked = (saga.clone(), command.wire.clone());
                role.contracts.entry(asked).or_insert_with(|| Arc::clone(command));
            }
        }
    }

    /// Adds those to which a plan speaks.
    pub fn speak(&mut self, plan: &Plan) {
        for work in plan.nodes().filter_map(|(node, _)| plan.work(node)) {
            for invocation in work.action().into_iter().chain(work.compensation()) {
                self.add(&invocation.participant, std::iter::once(&plan.saga.name));
            }
        }
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: &Self) {
        for (topic, role) in &other.0 {
            let known = self.0.entry(topic.clone()).or_insert_with(|| role.clone());
            known.add(&role.contract);
            known.names.extend(role.names.iter().cloned());
            for (asked, command) in &role.contracts {
                known.contracts.entry(asked.clone()).or_insert_with(|| Arc::clone(command));
            }
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

    /// What both ask of one topic by contracts that contradict each other: the topic, the word on the wire, and in what.
    #[must_use]
    pub fn contradictions(&self, other: &Self) -> BTreeSet<(CompactString, CompactString, &'static str)> {
        let codes = |command: &Command| command.fails.iter().cloned().collect::<BTreeSet<_>>();
        let mut found = BTreeSet::new();
        for (topic, here) in &self.0 {
            let Some(there) = other.0.get(topic) else { continue };
            for one in here.all() {
                for two in there.all().filter(|two| two.wire == one.wire) {
                    let differ = [
                        ("requests", one.request != two.request),
                        ("replies", one.reply != two.reply),
                        ("failure codes", codes(one) != codes(two)),
                    ];
                    let differ = differ.into_iter().filter(|(_, differs)| *differs);
                    found.extend(differ.map(|(what, _)| (topic.clone(), one.wire.clone(), what)));
                }
            }
        }
        found
    }

    /// What is to be known of those that have an address.
    #[must_use]
    pub fn asked(&self, addresses: &Addresses) -> Asked {
        let mut asked = Asked::default();
        for role in self.0.values() {
            let (Some(address), Role { contract, .. }) = (addresses.get(role.topic()), role) else { continue };
            let words = contract.commands.keys().chain(contract.messages.keys());
            asked.words.extend(words.map(|word| (role.topic().clone(), word.clone())));
            if *address == Address::Simulated {
                let replies = role.replies();
                asked.replies.extend(replies.map(|(wire, saga, reply)| ((role.topic().clone(), wire, saga), reply)));
            }
        }
        asked
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
            let settings = Settings {
                participant: Arc::new(role.contract.clone()),
                contracts: role.departures(),
                scenario,
                callback,
            };
            Some((addresses.get(role.topic())?.clone(), settings))
        });
        settings.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check_text;

    fn file(saga: &str, reply: &str) -> Cast {
        let text = format!(
            "participant {saga}s {{ commands \"rs.work\" command Do {{ }} returns {{ {reply}: string }} }}
             saga {saga} {{ version 1 deadline 1m step do {{ call {saga}s.Do {{ }} compensate nothing }} }}"
        );
        let checked = check_text("work.saga", &text);
        assert!(!checked.program.sagas.is_empty(), "{:?}", checked.findings);
        Cast::of(&checked.program)
    }

    fn of(files: &[(&str, &str)]) -> Cast {
        let mut cast = Cast::default();
        for (saga, reply) in files {
            cast.extend(&file(saga, reply));
        }
        cast
    }

    #[test]
    fn each_saga_has_the_contract_of_its_definition_and_its_newest() {
        let cast = of(&[("alpha", "seat"), ("zeta", "hold"), ("zeta", "old")]);
        let addresses = Addresses::from([("rs.work".into(), Address::Simulated)]);
        let (_, settings) = cast.settings(&addresses, None, None).pop().unwrap();
        assert_eq!((settings.participant.name.as_str(), settings.contracts.len()), ("alphas", 1));
        let departure = &settings.contracts[&("zeta".into(), "Do".into())];
        assert!(departure.reply.field("hold").is_some(), "{departure:?}");
        assert_eq!(cast.names(), ["alphas", "zetas"].into());
    }

    #[test]
    fn another_reply_is_news_of_whom_is_simulated_and_of_nobody_else() {
        let simulated = Addresses::from([("rs.work".into(), Address::Simulated)]);
        let real = Addresses::from([("rs.work".into(), "http://127.0.0.1:9/".parse().unwrap())]);
        let (before, after) = (of(&[("alpha", "seat")]), of(&[("alpha", "place")]));
        assert_ne!(before.asked(&simulated), after.asked(&simulated));
        assert_eq!(before.asked(&real), after.asked(&real));
        let more = of(&[("alpha", "seat"), ("zeta", "seat")]);
        assert_eq!(before.asked(&simulated), more.asked(&simulated), "it replies the same");
        assert_eq!(before.asked(&Addresses::new()), Asked::default());
    }

    #[test]
    fn definitions_that_give_one_command_two_contracts_contradict_each_other() {
        let (near, far) = (of(&[("alpha", "seat")]), of(&[("zeta", "hold")]));
        let replies = ("rs.work".into(), "Do".into(), "replies");
        assert_eq!(near.contradictions(&far), [replies.clone()].into());
        assert!(near.contradictions(&of(&[("zeta", "seat")])).is_empty());
        // Behind another saga, too.
        assert_eq!(of(&[("zeta", "seat"), ("alpha", "hold")]).contradictions(&near), [replies].into());
    }
}
