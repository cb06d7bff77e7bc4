//! Names of the topics of one deployment: they share a prefix, so that several fit on one broker.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{DEAD, DEFINITIONS, JOURNAL, REPLIES, REQUESTS};

/// What the names begin with where nobody says.
pub const PREFIX_USUAL: &str = "saga";

/// The longest prefix: with the longest name behind it, a topic's name stays below the 249 bytes of Kafka's limit.
pub const PREFIX_MAX: usize = 200;

/// What groups are called behind the prefix.
const OF_ORCHESTRATORS: &str = ".orchestrators";
const OF_BRIDGES: &str = ".bridge.";
const OF_TRIGGERS: &str = ".triggers.";

/// Names of the topics that all orchestrators of a deployment share. Topics of commands are not among them: the
/// definitions name those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    /// What all of them begin with.
    pub prefix: Arc<str>,
    /// Requests to the engine.
    pub requests: Arc<str>,
    /// Replies of participants.
    pub replies: Arc<str>,
    /// The journal.
    pub journal: Arc<str>,
    /// Inputs that nobody can read or place.
    pub dead: Arc<str>,
    /// Sources of definitions.
    pub definitions: Arc<str>,
}

impl Default for Topics {
    fn default() -> Self {
        Self {
            prefix: Arc::from(PREFIX_USUAL),
            requests: Arc::from(REQUESTS),
            replies: Arc::from(REPLIES),
            journal: Arc::from(JOURNAL),
            dead: Arc::from(DEAD),
            definitions: Arc::from(DEFINITIONS),
        }
    }
}

impl Topics {
    /// With a prefix in place of `saga`; `None` if it cannot begin the name of a topic.
    #[must_use]
    pub fn with_prefix(prefix: &str) -> Option<Self> {
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if prefix.is_empty() || prefix.len() > PREFIX_MAX || !prefix.bytes().all(is_legal) {
            return None;
        }
        let named = |usual: &str| -> Arc<str> { Arc::from(format!("{prefix}{}", behind_prefix(usual))) };
        Some(Self {
            prefix: Arc::from(prefix),
            requests: named(REQUESTS),
            replies: named(REPLIES),
            journal: named(JOURNAL),
            dead: named(DEAD),
            definitions: named(DEFINITIONS),
        })
    }

    /// Who carries the commands of a topic to those who do not read it themselves.
    #[must_use]
    pub fn group_of_bridges(&self, commands: &str) -> String {
        format!("{}{}", self.prefix, of_bridges(commands))
    }

    /// Who reads a topic for the triggers.
    #[must_use]
    pub fn group_of_triggers(&self, topic: &str) -> String {
        format!("{}{OF_TRIGGERS}{topic}", self.prefix)
    }

    /// Who owns the partitions.
    #[must_use]
    pub fn group_of_orchestrators(&self) -> String {
        format!("{}{OF_ORCHESTRATORS}", self.prefix)
    }

    /// Whether a group is of some deployment, by what it is called: no participant.
    #[must_use]
    pub fn is_group_of_deployment(group: &str) -> bool {
        group.ends_with(OF_ORCHESTRATORS) || group.contains(OF_BRIDGES) || group.contains(OF_TRIGGERS)
    }

    /// Whether a group carries the commands of a topic, in whatever deployment.
    #[must_use]
    pub fn is_group_of_bridges(group: &str, commands: &str) -> bool {
        group.ends_with(&of_bridges(commands))
    }

    /// Whether a topic is for the replies to another deployment.
    #[must_use]
    pub fn is_for_others(&self, replies: &str) -> bool {
        let is_reply = replies.ends_with(behind_prefix(REPLIES)) && replies != &*self.replies;
        is_reply || replies.ends_with(PROBE) && replies != self.probe()
    }

    /// Where a probe of the deployment's participants takes replies, if nobody says.
    #[must_use]
    pub fn probe(&self) -> String {
        format!("{}{PROBE}", self.prefix)
    }

    /// Those with one partition for each of the deployment's.
    #[must_use]
    pub const fn partitioned(&self) -> [&Arc<str>; 4] {
        [&self.requests, &self.replies, &self.journal, &self.dead]
    }

    /// All of the deployment's own.
    pub fn own(&self) -> impl Iterator<Item = &Arc<str>> {
        self.partitioned().into_iter().chain([&self.definitions])
    }

    /// Whether a topic is one of the deployment's own: what others name must not lead there.
    #[must_use]
    pub fn is_own(&self, topic: &str) -> bool {
        self.own().any(|own| **own == *topic)
    }

    /// Those that whoever runs sagas reads.
    #[must_use]
    pub fn read(&self) -> BTreeSet<Arc<str>> {
        [&self.requests, &self.replies, &self.journal, &self.definitions].map(Arc::clone).into()
    }
}

/// What the name of a topic has whatever the prefix is.
/// What the topic of a probe's replies is called behind a deployment's prefix.
const PROBE: &str = ".probe";

fn behind_prefix(usual: &str) -> &str {
    usual.strip_prefix(PREFIX_USUAL).unwrap_or(usual)
}

fn of_bridges(commands: &str) -> String {
    format!("{OF_BRIDGES}{commands}")
}

#[cfg(test)]
mod tests {
    use super::Topics;

    #[test]
    fn the_groups_of_any_deployment_are_no_participants() {
        let ours = Topics::with_prefix("orders").unwrap();
        for group in
            [ours.group_of_bridges("hotel.commands"), ours.group_of_triggers("placed"), ours.group_of_orchestrators()]
        {
            assert!(Topics::is_group_of_deployment(&group), "{group}");
        }
        assert!(!Topics::is_group_of_deployment("hotels") && !Topics::is_group_of_deployment("hotel.commands.hotels"));
    }

    #[test]
    fn a_prefix_stands_in_the_place_of_saga() {
        assert_eq!(Topics::with_prefix("saga"), Some(Topics::default()));
        assert_eq!(&*Topics::with_prefix("orders").unwrap().journal, "orders.journal");
        assert_eq!(Topics::with_prefix("or/ders"), None);
        assert_eq!(Topics::with_prefix(""), None);
    }

    #[test]
    fn its_own_topics_are_known() {
        let topics = Topics::with_prefix("orders").unwrap();
        let named =
            ["orders.journal", "orders.definitions", "orders.replies", "saga.journal", "hotel.commands", "orders"];
        assert_eq!(named.map(|topic| topics.is_own(topic)), [true, true, true, false, false, false]);
    }

    #[test]
    fn replies_to_another_deployment_are_known_by_the_name_of_their_topic() {
        let topics = Topics::with_prefix("orders").unwrap();
        let others = ["orders.replies", "saga.replies", "old.orders.replies", "orders.probe", "saga.probe"];
        assert_eq!(others.map(|topic| topics.is_for_others(topic)), [false, true, true, false, true]);
    }
}
