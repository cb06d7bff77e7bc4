//! Settings of librdkafka by name: which there are, which are nobody else's to choose, and which may be secrets.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use super::error::OpenError;

/// All that can be set by text, of librdkafka 2.12; for hints alone, librdkafka itself says what it takes.
const NAMES: &str = include_str!("names.txt");

/// Jaro-Winkler: below it, names share little but letters.
const NEAR: f64 = 0.85;

/// Settings of the protocol, and why they are not for others to choose.
const FIXED: &[(&str, &str)] = &[
    ("bootstrap.servers", "it is what `--kafka` says"),
    ("metadata.broker.list", "it is what `--kafka` says"),
    ("group.id", "it follows from the prefix of the topics"),
    (
        "group.instance.id",
        "whoever leaves must be followed at once, and one name for several processes fences all but one",
    ),
    ("enable.idempotence", "the order of appends rests on it"),
    ("enable.gapless.guarantee", "it ends the whole producer and does not cover timeouts"),
    ("acks", "what is acknowledged must be on all replicas in sync"),
    ("request.required.acks", "what is acknowledged must be on all replicas in sync"),
    ("transactional.id", "offsets must be dense, and transactions take some"),
    ("partitioner", "requests and replies must find their instance"),
    ("message.max.bytes", "it follows from the limits of sagas"),
    ("delivery.report.only.error", "what is acknowledged must be heard of"),
    ("enable.auto.commit", "a commit is how ownership is confirmed"),
    ("auto.commit.enable", "a commit is how ownership is confirmed"),
    ("enable.auto.offset.store", "a commit is how ownership is confirmed"),
    ("max.poll.interval.ms", "partitions that go to another have half of it to finish"),
    ("auto.offset.reset", "inputs that are gone must be noticed"),
    ("isolation.level", "what is not committed may never be"),
    ("allow.auto.create.topics", "topics are made by `saga init`"),
    ("enable.partition.eof", "it is no concern of ours"),
    ("statistics.interval.ms", "whether the broker is there is learnt by it"),
];

/// Parts of the names of settings whose values are not shown. `pass` and `pwd` stand in what people meant to write, too.
const SECRET: &[&str] =
    &["pass", "pwd", "secret", "key", "token", "jaas", "oauthbearer", "username", "credential", ".pem", "kinit"];

/// Whether the value of a setting may be a secret.
pub(super) fn is_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    SECRET.iter().any(|part| text.contains(part))
}

/// Refuses what cannot be set.
pub(super) fn check(key: &str, value: &str) -> Result<(), OpenError> {
    if key.is_empty() {
        return Err(OpenError::Nameless);
    }
    if let Some((_, why)) = FIXED.iter().find(|(fixed, _)| *fixed == key) {
        return Err(OpenError::Fixed { key: key.to_owned(), why });
    }
    if !HAS_TLS && matches!(key, "sasl.mechanism" | "sasl.mechanisms") && is_scram(value) {
        // librdkafka says so only when a client is made, and of features that nobody has heard of.
        let why = "SCRAM needs the cryptography of OpenSSL, which this build has not".to_owned();
        return Err(OpenError::NoTls { key: key.to_owned(), why });
    }
    let Err(error) = ClientConfig::new().set(key, value).create_native_config() else { return Ok(()) };
    let key = key.to_owned();
    // What librdkafka says of a value holds it, and so may be shown of harmless ones only; of a name that it does not
    // know nobody can tell what the value is.
    match error {
        KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..) => {
            Err(OpenError::NoSetting { near: nearest(&key), key })
        }
        KafkaError::ClientConfig(_, why, ..) if is_about_tls(&key, value) => {
            let why = if is_secret(&key) { "it needs OpenSSL, which this build has not".to_owned() } else { why };
            Err(OpenError::NoTls { key, why })
        }
        KafkaError::ClientConfig(_, why, ..) if !is_secret(&key) => Err(OpenError::Setting { key, why }),
        _ => Err(OpenError::Setting { key, why: "librdkafka does not take its value".to_owned() }),
    }
}

const HAS_TLS: bool = cfg!(any(feature = "tls", feature = "tls-vendored"));

fn is_scram(mechanism: &str) -> bool {
    mechanism.trim().to_ascii_uppercase().starts_with("SCRAM-")
}

/// Whether a setting asks for what a build without TLS has not.
fn is_about_tls(key: &str, value: &str) -> bool {
    let asks = key.starts_with("ssl.") || key == "security.protocol" && value.to_ascii_lowercase().ends_with("ssl");
    asks && !HAS_TLS
}

fn nearest(wanted: &str) -> Option<&'static str> {
    let scored = NAMES.lines().map(|name| (strsim::jaro_winkler(wanted, name), name));
    let near = scored.filter(|(near, _)| *near >= NEAR).max_by(|one, other| one.0.total_cmp(&other.0));
    near.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(key: &str, value: &str) -> String {
        check(key, value).unwrap_err().to_string()
    }

    #[test]
    fn what_the_protocol_rests_on_is_refused() {
        for (key, why) in FIXED {
            assert!(refused(key, "1").contains(why), "{key}");
        }
    }

    #[test]
    #[cfg(not(any(feature = "tls", feature = "tls-vendored")))]
    fn what_needs_another_build_is_refused_with_its_feature() {
        for (key, value) in [
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.mechanisms", "scram-sha-256"),
            ("security.protocol", "SASL_SSL"),
            ("ssl.ca.location", "hunter2"),
            ("ssl.key.password", "hunter2"),
            ("ssl.key.pem", "hunter2"),
            ("ssl.key.location", "hunter2"),
            ("ssl.keystore.password", "hunter2"),
        ] {
            let said = refused(key, value);
            assert!(said.contains("OpenSSL") || !key.starts_with("ssl."), "{said}");
            assert!(said.contains("`saga` is built with `--features tls` or `tls-vendored`"), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
        assert!(check("sasl.mechanism", "PLAIN").is_ok());
    }

    #[test]
    fn names_are_those_of_librdkafka() {
        for name in NAMES.lines() {
            let set = ClientConfig::new().set(name, "").create_native_config();
            let is_known = !matches!(set, Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)));
            assert!(is_known, "{name}");
        }
        for (key, _) in FIXED {
            assert!(NAMES.lines().any(|name| name == *key), "{key}");
        }
    }

    #[test]
    fn a_slip_is_told_with_what_was_meant_and_without_its_value() {
        let said = refused("sasl.pasword", "hunter2");
        assert_eq!(
            said,
            "set `sasl.pasword` of the Kafka client: there is no such setting; did you mean `sasl.password`?"
        );
        let said = refused("liger.ms", "5");
        assert!(said.ends_with("did you mean `linger.ms`?"), "{said}");
        let said = refused("what", "hunter2");
        assert!(said.ends_with("the settings are those of librdkafka 2.12") && !said.contains("hunter2"), "{said}");
        let said = refused("", "hunter2");
        assert_eq!(said, "read a setting of the Kafka client: it has a value and no name");
    }

    #[test]
    fn a_value_that_is_none_is_told_unless_it_may_be_a_secret() {
        let said = refused("compression.codec", "soon");
        assert!(said.contains("set `compression.codec`") && said.contains("nvalid value"), "{said}");
        let said = refused("sasl.oauthbearer.method", "hunter2");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
