//! How librdkafka is set: what the protocol rests on, what is usual, and what people set themselves.
//!
//! Any setting of librdkafka may be given. Those that the rules of `docs/protocol.md` rest on are refused with the
//! reason; all others win over what is usual here. Values of settings that may be secret are never shown.

use std::fmt;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use super::error::OpenError;
use super::keys;
use crate::log::{DEFINITION_MAX, RECORD_MAX};
use crate::wire::HEADERS_MAX;

/// How long a message is tried before nobody knows what became of it: longer than the election of a leader, shorter
/// than people wait.
const MESSAGE_TIMEOUT_MS: &str = "30000";

/// How long a producer waits for a topic that brokers do not know: one that was just made is known to all of them within a
/// second or two, whoever writes to one that was deleted wants to know while they are still there, and an answer to a topic
/// that was never there keeps its partition from being handed over.
const ABSENT_TIMEOUT_MS: &str = "2000";

/// What one producer holds of messages that are not acknowledged: minutes of a full load, so that it is reached only
/// while the broker is away.
const QUEUED_KBYTES_MAX: &str = "262144";

/// The same as a number of messages; the bytes bound it as a rule.
const QUEUED_MESSAGES_MAX: &str = "1000000";

/// What one consumer fetches ahead, for all its partitions together: some thousand messages. With more a flood only takes more
/// memory, and what it took stays with the allocator (`cargo bench --bench kafka -- waiting`).
const FETCHED_KBYTES_MAX: &str = "1024";

/// How long a fetch waits for records. A partition that is added is fetched by the next one only, so recovery waits so
/// long a few times; an idle consumer asks so often.
const FETCH_WAIT_MS: &str = "100";

/// How long a member of the group may be silent before its partitions go to others: the time that a crash costs.
const SESSION_TIMEOUT_MS: &str = "10000";

/// How often librdkafka says how a client is, where we look at it: seldom enough to cost nothing.
const STATISTICS_EVERY_MS: &str = "1000";

/// How long a member may take to let partitions go. A partition's task takes at most half of it.
pub(super) const REBALANCE_TIMEOUT_MS: u32 = 60_000;

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Appends to the journals.
    Journal,
    /// Appends everything else.
    Effects,
    /// Reads from given offsets on.
    Reader,
    /// Is a member of a group.
    Member,
    /// Asks and makes.
    Admin,
    /// Reads commands as one of a participant's processes.
    Participant,
}

/// Where the broker is and how it is spoken to.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// `HOST:PORT`, several with commas between.
    pub brokers: String,
    /// Settings of librdkafka.
    own: Vec<(String, String)>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(key, value): &(String, String)| {
            if keys::is_secret(key) { format!("{key}=…") } else { format!("{key}={value}") }
        };
        let own: Vec<String> = self.own.iter().map(shown).collect();
        f.debug_struct("Settings").field("brokers", &self.brokers).field("own", &own).finish()
    }
}

/// What is wrong with a broker's address. librdkafka waits for ever for what never will be one, and takes a port too large
/// for another one.
fn check_address(address: &str) -> Result<(), &'static str> {
    const PROTOCOLS: [&str; 4] = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];
    let place = match address.split_once("://") {
        Some((protocol, place)) if PROTOCOLS.contains(&protocol.to_ascii_lowercase().as_str()) => place,
        Some(_) => return Err("write HOST:PORT, without `…://`; TLS is `--kafka-config security.protocol=ssl`"),
        None => address,
    };
    if place.contains('@') {
        return Err("who asks is said by settings: `--kafka-config sasl.username=…`, and the password in saga.toml");
    }
    if place.contains('/') || place.contains(char::is_whitespace) {
        return Err("write HOST:PORT, and several with commas between them");
    }
    // One of IPv6 stands in brackets where a port is behind it.
    let behind = place.rsplit_once(']').map_or(place, |(_, behind)| behind);
    let (host, port) = match behind.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, Some(port)),
        _ => (behind, None),
    };
    if host.is_empty() && !place.starts_with('[') {
        return Err("the host is missing: write HOST:PORT");
    }
    match port.map(str::parse::<u16>) {
        None | Some(Ok(1..)) => Ok(()),
        Some(Ok(0) | Err(_)) => Err("a port is a number from 1 to 65535"),
    }
}

impl Settings {
    /// For these brokers, with settings of librdkafka by name; of several of one name the last one counts.
    ///
    /// # Errors
    /// One is the protocol's own, or librdkafka does not take it.
    pub fn new(brokers: impl Into<String>, own: impl IntoIterator<Item = (String, String)>) -> Result<Self, OpenError> {
        let brokers = brokers.into();
        if brokers.trim().is_empty() {
            return Err(OpenError::NoBroker);
        }
        for address in brokers.split(',').map(str::trim).filter(|address| !address.is_empty()) {
            // What may be a password is not shown.
            let shown = address.rsplit_once('@').map_or(address, |(_, behind)| behind).to_owned();
            check_address(address).map_err(|why| OpenError::Address { address: shown, why })?;
        }
        let own: Vec<(String, String)> = own.into_iter().collect();
        for (key, value) in &own {
            keys::check(key, value)?;
        }
        Ok(Self { brokers, own })
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.own.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// Whether groups follow KIP-848.
    pub(super) fn is_new_group(&self) -> bool {
        self.get("group.protocol").is_some_and(|protocol| protocol.eq_ignore_ascii_case("consumer"))
    }

    /// Whether they say what clients are called.
    pub(super) fn names_clients(&self) -> bool {
        self.own.iter().any(|(key, _)| key == "client.id")
    }

    /// What a client of a role is made of.
    pub(crate) fn client(&self, role: Role, group: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Warning);
        config.set("client.id", "saga").set("reconnect.backoff.max.ms", "2000");
        match role {
            Role::Journal | Role::Effects => {
                let largest = if role == Role::Journal { RECORD_MAX } else { DEFINITION_MAX };
                config
                    .set("message.timeout.ms", MESSAGE_TIMEOUT_MS)
                    .set("topic.metadata.propagation.max.ms", ABSENT_TIMEOUT_MS)
                    // One that was deleted would be there again, empty, where the broker allows it.
                    .set("allow.auto.create.topics", "false")
                    .set("queue.buffering.max.kbytes", QUEUED_KBYTES_MAX)
                    .set("queue.buffering.max.messages", QUEUED_MESSAGES_MAX)
                    .set("message.max.bytes", largest.saturating_add(HEADERS_MAX).to_string())
                    .set("linger.ms", "0")
                    .set("retry.backoff.ms", "10")
                    .set("retry.backoff.max.ms", "500");
                if role == Role::Effects {
                    // For the broker's health, while nothing is sent.
                    config.set("statistics.interval.ms", STATISTICS_EVERY_MS);
                }
            }
            Role::Reader => {
                config
                    .set("queued.max.messages.kbytes", FETCHED_KBYTES_MAX)
                    .set("queued.min.messages", "100000")
                    .set("fetch.queue.backoff.ms", "1")
                    .set("fetch.error.backoff.ms", "100")
                    .set("fetch.wait.max.ms", FETCH_WAIT_MS)
                    .set("receive.message.max.bytes", (RECORD_MAX * 8).to_string());
            }
            Role::Member => {
                config.set("max.poll.interval.ms", REBALANCE_TIMEOUT_MS.to_string());
                // For whether it has settled, while it is given nothing.
                config.set("statistics.interval.ms", STATISTICS_EVERY_MS);
                if !self.is_new_group() {
                    config
                        .set("partition.assignment.strategy", "cooperative-sticky")
                        .set("session.timeout.ms", SESSION_TIMEOUT_MS)
                        .set("heartbeat.interval.ms", "1000");
                }
            }
            Role::Participant => {
                config.set("fetch.queue.backoff.ms", "1").set("queued.max.messages.kbytes", FETCHED_KBYTES_MAX);
                if !self.is_new_group() {
                    // 45 s by default: longer than all attempts of a command of the built-in defaults, so that one process which
                    // is killed would leave sagas that wait for a person.
                    config
                        .set("partition.assignment.strategy", "cooperative-sticky")
                        .set("session.timeout.ms", SESSION_TIMEOUT_MS);
                }
            }
            Role::Admin => {}
        }
        for (key, value) in &self.own {
            config.set(key, value);
        }
        // Last, so that nobody else's counts.
        config.set("bootstrap.servers", &self.brokers);
        match role {
            Role::Journal | Role::Effects => {
                config.set("enable.idempotence", "true").set("acks", "all").set("partitioner", "murmur2");
                config.set("sticky.partitioning.linger.ms", "0");
            }
            Role::Reader | Role::Member => {
                config
                    .set("group.id", group)
                    .set("enable.auto.commit", "false")
                    .set("enable.auto.offset.store", "false")
                    .set("auto.offset.reset", "error")
                    .set("isolation.level", "read_committed")
                    .set("allow.auto.create.topics", "false");
            }
            Role::Participant => {
                // A new one begins with what was asked before it came, and an offset counts once its reply is in the log.
                config
                    .set("group.id", group)
                    .set("enable.auto.commit", "true")
                    .set("auto.commit.interval.ms", "1000")
                    .set("enable.auto.offset.store", "false")
                    .set("auto.offset.reset", "earliest")
                    .set("isolation.level", "read_committed")
                    .set("allow.auto.create.topics", "false");
            }
            Role::Admin => {}
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(key: &str, value: &str) -> Result<Settings, OpenError> {
        Settings::new("127.0.0.1:9092", [(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn what_can_never_be_a_broker_is_refused_and_not_waited_for() {
        let why = |brokers: &str| Settings::new(brokers, []).err().map(|error| error.to_string());
        for right in
            ["kafka", "kafka:9092", "a:1, b:65535,", "[::1]:9092", "::1", "SASL_SSL://kafka.shop:9093", "10.0.0.1:9092"]
        {
            assert_eq!(why(right), None, "{right}");
        }
        for wrong in ["a:95128", "a:0", "a:", "a:b", ":9092", "http://a:9092", "a:9092/topic", "a b", "a:9092 b:9092"] {
            assert!(why(wrong).is_some(), "{wrong}");
        }
        let told = why("a:9092,ssl://saga:hunter2@b:9092").unwrap();
        assert!(told.contains("`b:9092`") && !told.contains("hunter2"), "{told}");
    }

    #[test]
    fn secrets_are_not_shown() {
        let settings = settings("sasl.password", "hunter2").unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
        assert_eq!(settings.client(Role::Reader, "g").get("sasl.password"), Some("hunter2"), "and they are used");
    }

    #[test]
    fn others_win_over_what_is_usual() {
        let config = settings("linger.ms", "7").unwrap().client(Role::Journal, "g");
        assert_eq!((config.get("linger.ms"), config.get("acks")), (Some("7"), Some("all")));
        let config = settings("group.protocol", "consumer").unwrap().client(Role::Member, "g");
        assert_eq!(config.get("session.timeout.ms"), None, "which KIP-848 does not take");
        let of_participant =
            |protocol: &str| settings("group.protocol", protocol).unwrap().client(Role::Participant, "g");
        assert_eq!(of_participant("classic").get("session.timeout.ms"), Some(SESSION_TIMEOUT_MS));
        assert_eq!(of_participant("consumer").get("session.timeout.ms"), None);
    }
}
