//! Who else answers the commands that are answered from here: of two the first answer counts, and what the other one did
//! stays done. A participant that runs must not be simulated beside, nor asked twice over.

use std::collections::BTreeSet;

use super::CliError;
use super::error::Kind;
use crate::http::cast::Cast;
use crate::log::Topics;
use crate::log::kafka::Reader;
use crate::participant::{Address, remembered};

/// A participant whose commands are answered from here.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    name: String,
    topic: String,
    member: String,
}

/// Those that have an address.
pub(super) fn carried(cast: &Cast, addresses: &remembered::Addresses) -> Vec<Carried> {
    let topics = cast.named_topics().into_iter();
    let of = |(name, topic): (String, String)| {
        let member = addresses.get(topic.as_str())?.member();
        Some(Carried { name, topic, member })
    };
    topics.filter_map(of).collect()
}

/// Where their commands are.
pub(super) fn topics_of(carried: &[Carried]) -> Vec<String> {
    carried.iter().map(|carried| carried.topic.clone()).collect()
}

/// Somebody else who answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rival {
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
    /// So it may be, but the broker does not tell of its members. Of those by KIP-848 there is only what they have committed,
    /// and they may have gone long ago.
    Possible,
    /// They share the work, and ask the participant in different places.
    Elsewhere,
}

/// Who else reads what these are asked. Other deployments carry their own commands only. Of one's own whoever does the
/// same shares the work.
pub(super) fn rivals(carried: &[Carried], readers: &[Reader], topics: &Topics) -> BTreeSet<Rival> {
    let mut rivals = BTreeSet::new();
    for Carried { name, topic, member } in carried {
        for reader in readers.iter().filter(|reader| reader.topic == *topic) {
            let Reader { group, .. } = reader;
            let mut insert = |what, weight| {
                rivals.insert(Rival { topic: topic.clone(), group: group.clone(), what, weight });
            };
            let other = match reader.member.as_deref() {
                _ if !Topics::is_group_of_bridges(group, topic) => "it answers itself",
                _ if *group != topics.group_of_bridges(topic) => continue,
                Some(other) if other == *member => continue,
                Some(other) => match (Address::of_member(other), Address::of_member(member)) {
                    (Some(there), Some(here)) => {
                        let what = format!(
                            "another process passes commands of `{name}`, {topic}, on to {there}, and this one to {here}: \
                             which of the two is asked is chance; they must be one participant, with one database"
                        );
                        insert(what, Weight::Elsewhere);
                        continue;
                    }
                    (Some(_), None) => "another process passes them on to it",
                    (None, _) if other == Address::Simulated.member() => "another process simulates it",
                    // Its settings have a name for it.
                    (None, _) => continue,
                },
                // By KIP-848, where members are not told.
                None => continue,
            };
            let is_told = reader.member.is_some();
            let (reads, weight) =
                if is_told { ("reads", Weight::Certain) } else { ("reads, or has read,", Weight::Possible) };
            insert(format!("the group {group} {reads} the commands of `{name}`, {topic}: {other}"), weight);
        }
    }
    rivals
}

/// Refuses to answer beside somebody else, and says who may be one.
pub(super) fn refuse(rivals: &BTreeSet<Rival>) -> Result<(), CliError> {
    let of = |weight| rivals.iter().filter(move |rival| rival.weight == weight);
    for Rival { what, .. } in of(Weight::Possible) {
        tracing::warn!("{what}; if it does, then of two answers the first counts");
    }
    let mut certain = of(Weight::Certain).peekable();
    if certain.peek().is_none() {
        return Ok(());
    }
    let error =
        CliError::new(Kind::Refused, "participants are answered for already; of two answers the first would count");
    let error = certain.fold(error, |error, rival| error.hint(rival.what.clone()));
    Err(error
        .hint("leave out --participants, --scenario or the --participant of those; or end who answers, and what died without a word is gone when its session is over")
        .hint("to simulate, take topics that nobody else reads: a Kafka of your own, or a data directory"))
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
            Weight::Possible => None,
        };
        let lines = rivals.difference(&self.0).filter_map(line).collect();
        self.0 = rivals;
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(group: &str, member: Option<&str>) -> Reader {
        Reader { topic: "hotel.commands".to_owned(), group: group.to_owned(), member: member.map(str::to_owned) }
    }

    fn found(member: &str, reader: &Reader) -> BTreeSet<Rival> {
        let member = member.to_owned();
        let carried = Carried { name: "rooms".to_owned(), topic: "hotel.commands".to_owned(), member };
        rivals(&[carried], std::slice::from_ref(reader), &Topics::default())
    }

    fn is_rival(member: &str, reader: &Reader) -> bool {
        !found(member, reader).is_empty()
    }

    #[test]
    fn whoever_answers_as_well_is_a_rival_and_whoever_shares_the_work_is_none() {
        let (simulated, bridge) = ("saga.simulated", "saga.bridge http://a/");
        let own = |member| reader("saga.bridge.hotel.commands", member);
        for member in [simulated, bridge] {
            assert!(is_rival(member, &reader("hotels", Some("rdkafka"))) && is_rival(member, &reader("hotels", None)));
            assert!(refuse(&found(member, &reader("hotels", Some("rdkafka")))).is_err());
            assert!(refuse(&found(member, &reader("hotels", None))).is_ok(), "it may have gone long ago");
            assert!(!is_rival(member, &own(Some(member))) && !is_rival(member, &own(None)));
            assert!(!is_rival(member, &own(Some("checkout-7"))), "by `client.id`");
            assert!(!is_rival(member, &reader("other.bridge.hotel.commands", Some(bridge))), "they have their own");
        }
        assert!(is_rival(simulated, &own(Some(bridge))) && is_rival(bridge, &own(Some(simulated))));
        assert!(is_rival(simulated, &reader("saga.bridge.car.commands", Some(simulated))), "another topic's");
    }

    #[test]
    fn who_passes_commands_on_to_another_place_is_named_once_and_refused_nowhere() {
        let here = "saga.bridge http://a/";
        let rivals = || found(here, &reader("saga.bridge.hotel.commands", Some("saga.bridge http://b/")));
        assert!(refuse(&rivals()).is_ok());
        let mut said = Said::default();
        let first = said.looked(rivals());
        assert!(first.len() == 1 && first[0].contains("on to http://b/, and this one to http://a/"), "{first:?}");
        assert!(said.looked(rivals()).is_empty());
    }

    #[test]
    fn a_rival_that_came_later_is_named_once_until_it_has_gone() {
        let member = "saga.bridge http://a/".to_owned();
        let carried = [Carried { name: "rooms".to_owned(), topic: "hotel.commands".to_owned(), member }];
        let found = || rivals(&carried, &[reader("hotels", Some("rdkafka"))], &Topics::default());
        let mut said = Said::default();
        let first = said.looked(found());
        assert!(first.len() == 1 && first[0].contains("the group hotels reads the commands of `rooms`"), "{first:?}");
        assert!(said.looked(found()).is_empty() && said.looked(BTreeSet::new()).is_empty());
        assert_eq!(said.looked(found()), first);
    }
}
