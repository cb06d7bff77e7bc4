//! Who else answers the commands that are answered from here: of two the first answer counts, and what the other one did
//! stays done. A participant that runs must not be simulated beside, nor asked twice over; nor is one simulated that is
//! away for a moment, unless a person says so by its name.

use std::collections::BTreeSet;

use super::CliError;
use super::error::Kind;
use super::participants::Addresses;
use crate::http::cast::{Cast, Role};
use crate::log::Topics;
use crate::log::kafka::{Presence, Reader};
use crate::participant::Address;

/// A participant whose commands are answered from here.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    name: String,
    topic: String,
    member: String,
    /// Whether it is simulated only since nothing is said of it.
    is_unsaid: bool,
}

/// Those that have an address.
pub(super) fn carried(cast: &Cast, said: &Addresses) -> Vec<Carried> {
    let of = |role: &Role| {
        let (name, address, is_named) = said.said(role)?;
        let is_unsaid = address == Address::Simulated && !is_named;
        Some(Carried { name: name.to_owned(), topic: role.topic().to_string(), member: address.member(), is_unsaid })
    };
    cast.iter().filter_map(of).collect()
}

/// Where their commands are.
pub(super) fn topics_of(carried: &[Carried]) -> Vec<String> {
    carried.iter().map(|carried| carried.topic.clone()).collect()
}

/// Somebody else who answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rival {
    /// Of the participant.
    name: String,
    topic: String,
    group: String,
    /// What both do.
    what: String,
    weight: Weight,
}

/// What is made of somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Both would answer.
    Certain,
    /// It has answered, is not there as far as the broker tells, and would be simulated though nobody said so by its name.
    Replaced,
    /// It has answered, and may have gone for good. Of groups by KIP-848 the broker does not tell whether they are there.
    Possible,
    /// They share the work, and ask the participant in different places.
    Elsewhere,
}

/// Who else reads what these are asked, or has read it. Other deployments carry their own commands only. Of one's own
/// whoever does the same shares the work.
pub(super) fn rivals(carried: &[Carried], readers: &[Reader], topics: &Topics) -> BTreeSet<Rival> {
    let pairs = carried.iter().flat_map(|carried| {
        let of_its = readers.iter().filter(|reader| reader.topic == carried.topic);
        of_its.filter_map(|reader| rival(carried, reader, topics))
    });
    pairs.collect()
}

fn rival(carried: &Carried, reader: &Reader, topics: &Topics) -> Option<Rival> {
    let Carried { name, topic, member, is_unsaid } = carried;
    let Reader { group, presence, .. } = reader;
    let is_bridge = Topics::is_group_of_bridges(group, topic);
    if is_bridge && *group != topics.group_of_bridges(topic) {
        return None;
    }
    let of =
        |weight, what| Some(Rival { name: name.clone(), topic: topic.clone(), group: group.clone(), what, weight });
    let past = if *is_unsaid { Weight::Replaced } else { Weight::Possible };
    let commands = format!("the commands of `{name}`, {topic}");
    match presence {
        Presence::Here(_) if !is_bridge => {
            of(Weight::Certain, format!("the group {group} reads {commands}: it answers itself"))
        }
        Presence::Here(other) if other == member => None,
        Presence::Here(other) => match (Address::of_member(other), Address::of_member(member)) {
            (Some(there), Some(here)) => of(
                Weight::Elsewhere,
                format!(
                    "another process passes commands of `{name}`, {topic}, on to {there}, and this one to {here}: which of \
                     the two is asked is chance; they must be one participant, with one database"
                ),
            ),
            (Some(_), None) => {
                of(Weight::Certain, format!("the group {group} reads {commands}: another process passes them on to it"))
            }
            (None, _) if *other == Address::Simulated.member() => {
                of(Weight::Certain, format!("the group {group} reads {commands}: another process simulates it"))
            }
            // Its settings have a name for it.
            (None, _) => None,
        },
        Presence::Untold { .. } if !is_bridge => {
            of(past, format!("the group {group} reads, or has read, {commands}: it answers itself"))
        }
        Presence::Away { .. } if !is_bridge => {
            of(past, format!("the group {group} has read {commands}, and has no member now: it answers itself"))
        }
        // What a bridge did is gone with it, but the participant behind it is as real as it was.
        Presence::Untold { last } | Presence::Away { last } if Address::of_member(member).is_none() => {
            let there = Address::of_member(last)?;
            of(past, format!("the group {group} has passed on {commands}, to {there}"))
        }
        Presence::Untold { .. } | Presence::Away { .. } => None,
    }
}

/// Refuses to answer beside somebody else or in the place of somebody who has answered, and says who may be one.
pub(super) fn refuse(rivals: &BTreeSet<Rival>) -> Result<(), CliError> {
    let of = |weight| rivals.iter().filter(move |rival| rival.weight == weight);
    for Rival { what, .. } in of(Weight::Possible) {
        tracing::warn!("{what}; if it answers, too, then of two answers the first counts");
    }
    let told = |error: CliError, weight| of(weight).fold(error, |error, rival| error.hint(rival.what.clone()));
    let elsewhere = "to simulate, take topics that nobody else reads: a Kafka of your own, or a data directory";
    if of(Weight::Certain).next().is_some() {
        let error =
            CliError::new(Kind::Refused, "participants are answered for already; of two answers the first would count");
        let error = told(told(error, Weight::Certain), Weight::Replaced);
        return Err(error
            .hint("leave out --participants, --scenario or the --participant of those; or end who answers, and what died without a word is gone when its session is over")
            .hint(elsewhere));
    }
    let names: BTreeSet<&str> = of(Weight::Replaced).map(|rival| rival.name.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let by_name: Vec<String> = names.iter().map(|name| format!("--participant {name}=simulated")).collect();
    let error = "participants that somebody plays are not simulated because they are away for a moment";
    let error = told(CliError::new(Kind::Refused, error), Weight::Replaced);
    Err(error
        .hint("start them, and leave out --participants or --scenario: what they are asked waits for them")
        .hint(format!("without --scenario, who is simulated all the same is said by name: {}", by_name.join(" ")))
        .hint(elsewhere))
}

/// What has been said of rivals that came later.
#[derive(Default)]
pub(super) struct Said(BTreeSet<Rival>);

impl Said {
    /// What is to be said after a look: each once, as long as it is there.
    pub(super) fn looked(&mut self, rivals: BTreeSet<Rival>) -> Vec<String> {
        let line = |Rival { what, weight, .. }: &Rival| match weight {
            Weight::Certain => Some(format!("{what}, and so does this process: of two answers the first counts")),
            Weight::Elsewhere => Some(what.clone()),
            Weight::Replaced | Weight::Possible => None,
        };
        let lines = rivals.difference(&self.0).filter_map(line).collect();
        self.0 = rivals;
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIMULATED: &str = "saga.simulated";
    const BRIDGE: &str = "saga.bridge http://a/";

    fn reader(group: &str, presence: Presence) -> Reader {
        Reader { topic: "hotel.commands".to_owned(), group: group.to_owned(), presence }
    }

    fn here(group: &str, member: &str) -> Reader {
        reader(group, Presence::Here(member.to_owned()))
    }

    /// Two ways to be away.
    fn past(group: &str, last: &str) -> [Reader; 2] {
        let last = || last.to_owned();
        [Presence::Untold { last: last() }, Presence::Away { last: last() }].map(|presence| reader(group, presence))
    }

    fn carry(member: &str, is_unsaid: bool) -> Carried {
        let member = member.to_owned();
        Carried { name: "rooms".to_owned(), topic: "hotel.commands".to_owned(), member, is_unsaid }
    }

    fn found(member: &str, reader: &Reader) -> BTreeSet<Rival> {
        rivals(&[carry(member, false)], std::slice::from_ref(reader), &Topics::default())
    }

    fn is_rival(member: &str, reader: &Reader) -> bool {
        !found(member, reader).is_empty()
    }

    #[test]
    fn whoever_answers_as_well_is_a_rival_and_whoever_shares_the_work_is_none() {
        let own = "saga.bridge.hotel.commands";
        for member in [SIMULATED, BRIDGE] {
            assert!(refuse(&found(member, &here("hotels", "rdkafka"))).is_err());
            assert!(!is_rival(member, &here(own, member)));
            assert!(!is_rival(member, &here(own, "checkout-7")), "by `client.id`");
            assert!(!is_rival(member, &here("other.bridge.hotel.commands", BRIDGE)), "they have their own");
        }
        assert!(is_rival(SIMULATED, &here(own, BRIDGE)) && is_rival(BRIDGE, &here(own, SIMULATED)));
        assert!(is_rival(SIMULATED, &here("saga.bridge.car.commands", SIMULATED)), "another topic's");
    }

    #[test]
    fn who_is_away_is_simulated_only_by_its_name() {
        let own = "saga.bridge.hotel.commands";
        let unsaid = |reader: &Reader| {
            refuse(&rivals(&[carry(SIMULATED, true)], std::slice::from_ref(reader), &Topics::default()))
        };
        for away in past("hotels", "") {
            let refused = unsaid(&away).unwrap_err().text();
            assert!(refused.contains("are not simulated because they are away"), "{refused}");
            for member in [SIMULATED, BRIDGE] {
                let named = found(member, &away);
                assert!(named.len() == 1 && refuse(&named).is_ok(), "it is said, and may have gone for good");
            }
        }
        for was in past(own, BRIDGE) {
            assert!(unsaid(&was).is_err() && !is_rival(BRIDGE, &was));
            assert!(is_rival(SIMULATED, &was) && refuse(&found(SIMULATED, &was)).is_ok(), "said by its name");
        }
        for was in past(own, SIMULATED).iter().chain(&past(own, "")).chain(&past("other.bridge.hotel.commands", BRIDGE))
        {
            assert!(unsaid(was).is_ok(), "{was:?}");
        }
    }

    #[test]
    fn who_passes_commands_on_to_another_place_is_named_once_and_refused_nowhere() {
        let rivals = || found(BRIDGE, &here("saga.bridge.hotel.commands", "saga.bridge http://b/"));
        assert!(refuse(&rivals()).is_ok());
        let mut said = Said::default();
        let first = said.looked(rivals());
        assert!(first.len() == 1 && first[0].contains("on to http://b/, and this one to http://a/"), "{first:?}");
        assert!(said.looked(rivals()).is_empty());
    }

    #[test]
    fn a_rival_that_came_later_is_named_once_until_it_has_gone() {
        let found = || found(BRIDGE, &here("hotels", "rdkafka"));
        let mut said = Said::default();
        let first = said.looked(found());
        assert!(first.len() == 1 && first[0].contains("the group hotels reads the commands of `rooms`"), "{first:?}");
        assert!(said.looked(found()).is_empty() && said.looked(BTreeSet::new()).is_empty());
        assert_eq!(said.looked(found()), first);
    }
}
