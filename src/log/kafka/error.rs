//! Why a log on Kafka cannot be opened or made. Each says what happened and what to do.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::keys::is_secret;
use super::layout::listed;
use crate::log::{PREFIX_USUAL, Topics};
use crate::time::Timestamp;

/// Why a log on Kafka cannot be opened or made.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nowhere to go.
    #[error("open the log on Kafka: no broker is named; write --kafka HOST:PORT")]
    NoBroker,
    /// An address that cannot be a broker's.
    #[error("open the log on Kafka: `{address}` is no address of a broker: {why}")]
    Address {
        /// What was given, without what stands before an `@`.
        address: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The journal is gone, and what it decided is not.
    #[error(
        "make the topics at {brokers}: {journal} is gone, and {requests} has had records: with an empty journal each of them would \
         be decided anew, and done again under ids of commands that no participant has seen; restore the journal, or begin \
         anew with topics of another prefix: --prefix NAME"
    )]
    JournalGone {
        /// Which brokers.
        brokers: String,
        /// The topic of the journal.
        journal: String,
        /// The topic of requests.
        requests: String,
    },
    /// A prefix that cannot be one.
    #[error(
        "open the log on Kafka: `{prefix}` cannot begin the name of a topic; use letters, digits, `.`, `_` and `-`, at most {} of them",
        crate::log::PREFIX_MAX
    )]
    Prefix {
        /// What was given.
        prefix: String,
    },
    /// Nobody else's to choose.
    #[error("set `{key}` of the Kafka client: it is fixed, since {why}; leave it out")]
    Fixed {
        /// The setting.
        key: String,
        /// Why it is.
        why: &'static str,
    },
    /// A setting without a name.
    #[error("read a setting of the Kafka client: it has a value and no name")]
    Nameless,
    /// Not a setting.
    #[error("set `{key}` of the Kafka client: there is no such setting; {}", meant(*near))]
    NoSetting {
        /// What was given.
        key: String,
        /// What may have been meant.
        near: Option<&'static str>,
    },
    /// About TLS, or what comes with it, which most builds have not.
    #[error(
        "set `{key}` of the Kafka client: {why}; for TLS and SCRAM, `saga` is built with `--features tls` or `tls-vendored`"
    )]
    NoTls {
        /// The setting.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// Not a value of it.
    #[error("set `{key}` of the Kafka client: {why}")]
    Setting {
        /// The setting.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// A client cannot be made of the settings.
    #[error("make a Kafka client: {why}")]
    Client {
        /// What librdkafka says.
        why: String,
    },
    /// Nobody has made the topics.
    #[error(
        "open the log on Kafka at {brokers}: there is no topic {}; `saga init --kafka {brokers}{}` makes what is missing",
        list(topics),
        of_prefix(prefix)
    )]
    NoTopic {
        /// Where.
        brokers: String,
        /// What their names begin with.
        prefix: String,
        /// Which.
        topics: Vec<String>,
    },
    /// Topics that do not fit each other.
    #[error(
        "open the log on Kafka at {brokers}: topic `{topic}` has {found} partitions and `{first}` has {expected}; all of a prefix have the same number: begin another with `saga init --prefix`"
    )]
    Partitions {
        /// Where.
        brokers: String,
        /// Which.
        topic: String,
        /// How many it has.
        found: u32,
        /// The one it is compared with.
        first: String,
        /// How many that has.
        expected: u32,
    },
    /// Somebody gave topics more partitions than the deployment has.
    #[error(
        "{what} at {brokers}: {}, and this deployment has {partitions} partitions, for good, as `{}` says since {since}: an \
         instance lives in the one that its id hashes to, and with another number it would be looked for, and begun again, \
         elsewhere; Kafka takes no partition back: {}",
        listed(odd), topics.definitions, anew(topics, odd, *partitions)
    )]
    Repartitioned {
        /// What was to be done.
        what: &'static str,
        /// Where.
        brokers: String,
        /// The deployment's.
        topics: Box<Topics>,
        /// How many it has.
        partitions: u32,
        /// Since when that stands in the log.
        since: Timestamp,
        /// Topics that have another number.
        odd: Vec<(String, u32)>,
    },
    /// Another number was asked for than the deployment has.
    #[error(
        "make the topics at {brokers} with {asked} partitions: this deployment has {partitions}, for good, as `{definitions}` \
         says since {since}; leave out `--partitions`, or begin anew with topics of another prefix: --prefix NAME"
    )]
    Settled {
        /// Which brokers.
        brokers: String,
        /// How many were asked for.
        asked: u32,
        /// How many there are.
        partitions: u32,
        /// Where that stands.
        definitions: String,
        /// Since when.
        since: Timestamp,
    },
    /// Some topics are there, and fit neither each other nor any others.
    #[error(
        "make the topics at {brokers}: `{}` has {} partitions and `{}` has {}; all of a prefix have the same number, so nothing was \
         made: delete the ones that nobody has used, or begin anew with topics of another prefix: --prefix NAME",
        topics[0].0, topics[0].1, topics[1].0, topics[1].1
    )]
    Uneven {
        /// Which brokers.
        brokers: String,
        /// Two that differ, and how many each has.
        topics: [(String, u32); 2],
    },
    /// Some topics are there, and others would not fit them.
    #[error(
        "make the topics at {brokers} with {asked} partitions: `{topic}` is there and has {found}; all of a prefix have the same \
         number, so nothing was made: leave out `--partitions`, or begin anew with topics of another prefix: --prefix NAME"
    )]
    Asked {
        /// Which brokers.
        brokers: String,
        /// How many were asked for.
        asked: u32,
        /// One that is there.
        topic: String,
        /// How many it has.
        found: u32,
    },
    /// More replicas than there can be.
    #[error(
        "make the topics at {brokers} with {asked} replicas: there {} {there} broker{}, and each holds one of them at most, so \
         nothing was made: give a smaller `--replication`, or leave it out",
        if *there == 1 { "is" } else { "are" }, if *there == 1 { "" } else { "s" }
    )]
    Replicas {
        /// Which brokers.
        brokers: String,
        /// How many were asked for.
        asked: u32,
        /// How many brokers there are.
        there: u32,
    },
    /// Names that Kafka does not tell apart everywhere.
    #[error(
        "make the topics at {brokers}: `{topic}` and `{other}` differ in `.` and `_` alone, and Kafka makes no second topic of \
         such names, since its metrics would mix them up, so nothing was made: choose another name"
    )]
    Collides {
        /// Which brokers.
        brokers: String,
        /// One that is to be made.
        topic: String,
        /// One that is there, or is to be made, too.
        other: String,
    },
    /// The broker says no.
    #[error("{what} at {brokers}: {why}")]
    Broker {
        /// What was to be done.
        what: &'static str,
        /// Where.
        brokers: String,
        /// What it says.
        why: String,
    },
    /// Another user, password or certificate is needed.
    #[error(
        "{what} at {brokers}: the broker and this client do not accept each other ({why}); look at `security.protocol`, `sasl.*` and `ssl.*` in saga.toml or `--kafka-config`"
    )]
    Credentials {
        /// What was to be done.
        what: &'static str,
        /// Where.
        brokers: String,
        /// What librdkafka says.
        why: String,
    },
    /// The broker knows this user, and does not let it.
    #[error("{what} at {brokers}: this user may not {operation} {on}; what each needs stands in docs/kafka.md")]
    NotAllowed {
        /// What was to be done.
        what: &'static str,
        /// Where.
        brokers: String,
        /// The operation, as rules of access call it.
        operation: &'static str,
        /// On what.
        on: String,
    },
    /// Nobody there, for as long as it was waited for.
    #[error("{what} at {brokers}: it cannot be reached ({why})")]
    Away {
        /// What was to be done.
        what: &'static str,
        /// Where.
        brokers: String,
        /// What librdkafka says.
        why: String,
    },
    /// No thread.
    #[error("start a thread for the log on Kafka: {0}")]
    Thread(#[from] std::io::Error),
}

/// What to do about topics that were given more partitions.
fn anew(topics: &Topics, odd: &[(String, u32)], partitions: u32) -> String {
    let is_made_anew = |(topic, _): &(String, u32)| {
        [&topics.requests, &topics.replies, &topics.dead].iter().any(|it| ***it == **topic)
    };
    if odd.iter().all(is_made_anew) {
        return format!(
            "delete what has another number, and `saga init` makes it anew with {partitions}; what nobody had read of it is \
             lost then, and `saga accept-gap` lets each partition go on that had read of it (docs/kafka.md)"
        );
    }
    format!(
        "a server that runs goes on with its {partitions}, so let it end what it has; begin anew with topics of another \
         prefix, --prefix NAME, and move over (docs/kafka.md)"
    )
}

fn meant(near: Option<&str>) -> String {
    match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "the settings are those of librdkafka 2.12".to_owned(),
    }
}

fn list(topics: &[String]) -> String {
    let quoted: Vec<String> = topics.iter().map(|topic| format!("`{topic}`")).collect();
    quoted.join(", ")
}

impl OpenError {
    pub(crate) fn client(error: &KafkaError) -> Self {
        // A setting's value is not shown: it may be a secret.
        let why = match error {
            KafkaError::ClientConfig(_, _, key, _) if is_secret(key) => format!("librdkafka does not take `{key}`"),
            KafkaError::ClientConfig(_, why, key, _) => format!("`{key}`: {why}"),
            other => other.to_string(),
        };
        Self::Client { why }
    }
}

/// Whether an append that failed so never was and never will be in the log, and a repeat would end the same way.
pub(crate) const fn is_final(code: RDKafkaErrorCode) -> bool {
    is_absent(code)
        || matches!(
            code,
            RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::InvalidTopic
                | RDKafkaErrorCode::InvalidMessageSize
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed
                | RDKafkaErrorCode::InvalidRecord
                | RDKafkaErrorCode::InvalidArgument
        )
}

/// Whether there is no such topic or partition, for now or for good.
pub(super) const fn is_absent(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownPartition | RDKafkaErrorCode::UnknownTopicOrPartition
    )
}

/// Whether the broker does not let this user.
pub(super) const fn is_forbidden(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
    )
}

/// The argument for a prefix that is not the usual one.
pub(crate) fn of_prefix(prefix: &str) -> String {
    if prefix == PREFIX_USUAL { String::new() } else { format!(" --prefix {prefix}") }
}
