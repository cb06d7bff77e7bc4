//! Where the log is, if it is on Kafka: what the command line and `saga.toml` say of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::CliError;
use super::error::Kind;
use super::list::untold_of;
use super::rivals::{Carried, Said, refuse, rivals, topics_of};
use super::settings::Settings;
use crate::http::cast::Cast;
use crate::http::service::Service;
use crate::log::kafka::{self, Difference, Harm, Kafka};
use crate::log::{PREFIX_USUAL, Silence, Site, Topics, Unread};
use crate::runtime::while_written;

/// How long participants have to come before it is said that nobody reads their commands, and between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long between two looks while nothing is missing: a question to each group's coordinator.
const LOOK_AGAIN_EVERY: Duration = Duration::from_secs(30);

/// How long between two looks at the settings of topics: retention takes what is too old every five minutes by Kafka's default,
/// and whoever set it by mistake is to hear of it before.
const SETTINGS_EVERY: Duration = Duration::from_secs(30);

/// How long a command that only looks, gives an order or deploys waits for brokers that are away: a broker that starts
/// again is back within it, and whoever waits longer wants to know. Who runs sagas waits for as long as it takes.
pub(super) const AWAY_PATIENCE: Duration = Duration::from_secs(30);

/// Where the log is.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct OnKafka {
    /// The log is on Kafka, at these brokers, and not in a data directory
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,
    /// What the names of the deployment's topics begin with [default: saga]
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// A setting of librdkafka, such as security.protocol=ssl; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    kafka_config: Vec<String>,
}

/// A deployment on Kafka.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) settings: kafka::Settings,
    pub(super) topics: Topics,
}

impl OnKafka {
    /// The arguments, for those that say that the instances are elsewhere: beside one of them each would be for nothing.
    pub(super) const ALL: [&str; 3] = ["kafka", "prefix", "kafka_config"];

    /// Refuses what is said of Kafka where a variable names a server: it would be for nothing, and what was meant for one
    /// deployment would be done in another.
    pub(super) fn is_unsaid(&self, variable: &str) -> Result<(), CliError> {
        if self.prefix.is_none() && self.kafka_config.is_empty() {
            return Ok(());
        }
        Err(CliError::usage(format!(
            "`--prefix` and `--kafka-config` are about a log on Kafka, and {variable} names a server"
        ))
        .hint(format!("name the brokers, too: --kafka HOST:PORT; or leave {variable} empty")))
    }

    /// Whether the command line names one.
    pub(super) const fn is_named(&self) -> bool {
        self.kafka.is_some()
    }

    /// The deployment, if one is named.
    pub(super) fn place(&self, settings: &Settings) -> Result<Option<Place>, CliError> {
        let Some(brokers) = self.kafka.as_ref().or(settings.kafka.brokers.as_ref()) else {
            if self.prefix.is_some() || !self.kafka_config.is_empty() {
                return Err(CliError::usage("`--prefix` and `--kafka-config` are about a log on Kafka")
                    .hint("name it: --kafka HOST:PORT"));
            }
            return Ok(None);
        };
        let mut config = settings.kafka.config()?;
        for argument in &self.kafka_config {
            let Some((key, value)) = argument.split_once('=') else {
                // Not shown whole: it may be a secret.
                return Err(CliError::usage("failed to read a `--kafka-config`: it has no `=`")
                    .hint("--kafka-config security.protocol=ssl"));
            };
            config.push((key.trim().to_owned(), value.to_owned()));
        }
        let usage = |error: kafka::OpenError| CliError::failed_to(Kind::Usage, &error);
        let settings_of_client = kafka::Settings::new(brokers, config).map_err(usage)?;
        let prefix = self.prefix.as_deref().or(settings.kafka.prefix.as_deref()).unwrap_or(PREFIX_USUAL);
        let topics =
            Topics::with_prefix(prefix).ok_or_else(|| usage(kafka::OpenError::Prefix { prefix: prefix.to_owned() }))?;
        Ok(Some(Place { settings: settings_of_client, topics }))
    }

    /// The arguments, to be pasted; settings are left out, they may be secrets.
    pub(super) fn words(&self) -> Vec<&str> {
        let mut words = Vec::new();
        for (name, value) in [("--kafka", &self.kafka), ("--prefix", &self.prefix)] {
            if let Some(value) = value {
                words.extend([name, value.as_str()]);
            }
        }
        words
    }
}

impl Place {
    /// Opens it. Waits for brokers that are away, for as long as `patience`, or for as long as it takes.
    pub(super) async fn open(self, patience: Option<Duration>) -> Result<Opened, CliError> {
        let brokers = self.settings.brokers.clone();
        let opening = tokio::task::spawn_blocking(move || Kafka::open(&self.settings, &self.topics, patience));
        let opened = opening.await.map_err(|_| CliError::new(Kind::Bug, "opening the log on Kafka panicked"))?;
        let log = opened.map_err(|error| CliError::failed_to(Kind::Unavailable, &error))?;
        Ok(Opened { log: Arc::new(log), brokers })
    }
}

/// What is done on a log for a command that has no time for ever.
pub(super) async fn patiently<T>(log: &Arc<dyn Site>, work: impl Future<Output = T>) -> Result<T, CliError> {
    while_written(&**log, Some(AWAY_PATIENCE), work)
        .await
        .map_err(|why| CliError::new(Kind::Unavailable, format!("failed to wait any longer: {why}")))
}

/// A deployment on Kafka, open.
#[derive(Clone)]
pub(super) struct Opened {
    log: Arc<Kafka>,
    brokers: String,
}

impl Opened {
    pub(super) fn site(&self) -> Arc<dyn Site> {
        Arc::clone(&self.log) as Arc<dyn Site>
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        format!("{} at {}", self.log.topics().prefix, self.brokers)
    }

    /// Refuses topics with which sagas would be lost, done twice or stand still, and says what else is not as it should be.
    pub(super) async fn is_fit(&self) -> Result<(), CliError> {
        let differences = match self.log.differences(AWAY_PATIENCE).await {
            Ok(differences) => differences,
            // Whoever may not ask can run all the same.
            Err(error) => {
                tracing::warn!("the settings of topics are not checked: failed to {error}");
                return Ok(());
            }
        };
        let (certain, possible): (Vec<Difference>, Vec<Difference>) =
            differences.into_iter().partition(|difference| difference.harm == Harm::Certain);
        for difference in &possible {
            tracing::warn!("{difference}");
        }
        if certain.is_empty() {
            return Ok(());
        }
        let harm = "on topics with these settings sagas would be lost, done twice or stand still for good";
        let error = CliError::new(Kind::Unavailable, harm);
        Err(listed(error, &certain, &self.brokers))
    }

    /// Refuses to go on without a topic of commands: what is sent there would be lost.
    pub(super) async fn has_topics_of(&self, cast: &Cast, files: &str) -> Result<(), CliError> {
        let (log, topics) = (Arc::clone(&self.log), cast.topics());
        let asking = tokio::task::spawn_blocking(move || log.missing(&topics, AWAY_PATIENCE));
        let missing = asking.await.map_err(|_| CliError::new(Kind::Bug, "asking for topics panicked"))?;
        let missing =
            missing.map_err(|why| CliError::new(Kind::Unavailable, format!("failed to ask for topics: {why}")))?;
        if missing.is_empty() {
            return Ok(());
        }
        Err(CliError::new(Kind::Unavailable, format!("there is no topic {} at {}", missing.join(", "), self.brokers))
            .hint(format!(
                "`saga init --kafka {}{} {files}` makes what is missing",
                self.brokers,
                kafka::of_prefix(&self.log.topics().prefix)
            )))
    }

    /// Refuses to answer commands that somebody else answers, as far as the broker tells.
    pub(super) async fn are_free(&self, carried: Vec<Carried>) -> Result<(), CliError> {
        if carried.is_empty() {
            return Ok(());
        }
        let log = Arc::clone(&self.log);
        let asking = tokio::task::spawn_blocking(move || {
            let readers = log.readers(&topics_of(&carried))?;
            Ok::<_, String>(rivals(&carried, &readers, &log.topics()))
        });
        match asking.await.unwrap_or_else(|_| Err("asking panicked".to_owned())) {
            Ok(rivals) => refuse(&rivals),
            // Whoever may not ask can run all the same.
            Err(why) => {
                tracing::warn!("nobody knows who else answers participants' commands: {why}");
                Ok(())
            }
        }
    }

    /// Says which of these topics of triggers are not there: whoever writes events makes them.
    pub(super) async fn says_missing(&self, topics: Vec<String>) {
        if topics.is_empty() {
            return;
        }
        let log = Arc::clone(&self.log);
        let Ok(Ok(missing)) = tokio::task::spawn_blocking(move || log.missing(&topics, Duration::ZERO)).await else {
            return;
        };
        for topic in missing {
            tracing::warn!("there is no topic {topic} at {}: its triggers read it once it is there", self.brokers);
        }
    }

    /// Looks whether the topics stay, and stay as they should be. Says which participants nobody plays, and when somebody
    /// does; and who plays those that are played from here, too. Ends with the runtime.
    pub(super) fn watch(
        &self,
        service: Arc<Service>,
        cast: impl Fn() -> Cast + Send + 'static,
        carried: impl Fn() -> Vec<Carried> + Send + 'static,
    ) {
        let log = Arc::clone(&self.log);
        tokio::spawn(async move {
            let mut missing = Vec::new();
            loop {
                sleep(LOOK_EVERY).await;
                let (asked, before) = (Arc::clone(&log), missing.clone());
                if let Ok(Ok(now)) = tokio::task::spawn_blocking(move || asked.look(&before)).await {
                    missing = now;
                }
            }
        });
        let (log, brokers) = (Arc::clone(&self.log), self.brokers.clone());
        tokio::spawn(async move {
            let mut said = Vec::new();
            loop {
                sleep(SETTINGS_EVERY).await;
                // Why nothing is written is said already, and asking would only wait.
                if !log.health().is_writing() {
                    continue;
                }
                // Whoever may not ask was told so at the start.
                let Ok(now) = log.differences(Duration::ZERO).await else { continue };
                for difference in newly_certain(&said, &now) {
                    let mended = difference.mended_by(&brokers).map(|by| format!(": {by}")).unwrap_or_default();
                    tracing::warn!("sagas will be lost, done twice or stand still: {difference}{mended}");
                }
                said = now;
            }
        });
        let log = Arc::clone(&self.log);
        tokio::spawn(async move {
            let (mut readership, mut said) = (Readership::default(), Said::default());
            loop {
                let is_calm = readership.is_calm() || cast().named_topics().is_empty();
                sleep(if is_calm { LOOK_AGAIN_EVERY } else { LOOK_EVERY }).await;
                let (participants, carried) = (cast().named_topics(), carried());
                if participants.is_empty() && carried.is_empty() {
                    service.has_unread([]);
                    continue;
                }
                let topics: Vec<String> = participants.iter().map(|(_, topic)| topic.clone()).collect();
                let asked = Arc::clone(&log);
                let looking = tokio::task::spawn_blocking(move || {
                    let told = asked.told(&[topics.as_slice(), &topics_of(&carried)].concat())?;
                    let rivals = rivals(&carried, &told.readers, &asked.topics());
                    Ok::<_, String>((rivals, asked.unread_of(&told, &topics)))
                });
                let Ok(Ok((rivals, unread))) = looking.await else { continue };
                let rivals = said.looked(rivals);
                let unread = readership.looked(&participants, &unread);
                service.has_unread(readership.of(participants));
                for line in rivals.into_iter().chain(unread) {
                    tracing::warn!("{line}");
                }
            }
        });
    }
}

/// Of what is seen now, what nobody runs on, and what was not seen before.
fn newly_certain<'a>(before: &'a [Difference], now: &'a [Difference]) -> impl Iterator<Item = &'a Difference> {
    now.iter().filter(|difference| difference.harm == Harm::Certain && !before.contains(difference))
}

/// The differences as hints, each with what mends it.
pub(super) fn listed(error: CliError, differences: &[Difference], brokers: &str) -> CliError {
    differences.iter().fold(error, |error, difference| match difference.mended_by(brokers) {
        Some(command) => error.hint(format!("{difference}: {command}")),
        None => error.hint(difference.to_string()),
    })
}

/// What is known of the topics of commands, and what has been said of it.
#[derive(Default)]
struct Readership {
    /// What the look before found.
    last: BTreeMap<String, Finding>,
    /// What is taken to be so, and said.
    said: BTreeMap<String, Finding>,
}

/// What a look finds of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    Read,
    Unread,
    Untold,
}

impl Readership {
    /// Whether nothing is missing that would be looked for sooner.
    fn is_calm(&self) -> bool {
        !self.last.is_empty()
            && self.last == self.said
            && !self.last.values().any(|finding| *finding == Finding::Unread)
    }

    /// What is to be said after a look. While a group's members come and go, a topic may be nobody's for a moment, and a broker
    /// may be slow to tell: so what is worse than before has to be seen twice.
    fn looked(&mut self, participants: &[(String, String)], unread: &Unread) -> Vec<String> {
        let (mut lines, mut now) = (Vec::new(), BTreeMap::new());
        for (name, topic) in participants {
            let (finding, line) = match unread.get(topic) {
                None => (Finding::Read, format!("{topic} is read now")),
                Some(Silence::Certain) => (
                    Finding::Unread,
                    format!(
                        "nobody reads {topic}: what is asked of {name} waits there; start it, or give --participant {name}=…"
                    ),
                ),
                Some(Silence::Untold(why)) => (Finding::Untold, untold_of(name, topic, why)),
            };
            now.insert(topic.clone(), finding);
            let before = self.said.get(topic).copied();
            let is_certain = before.is_none() || finding == Finding::Read || self.last.get(topic) == Some(&finding);
            if before != Some(finding) && is_certain {
                self.said.insert(topic.clone(), finding);
                if before.is_some() || finding != Finding::Read {
                    lines.push(line);
                }
            }
        }
        self.said.retain(|topic, _| now.contains_key(topic));
        self.last = now;
        lines
    }

    /// The participants with their topics, and whether nobody reads them as far as it was said; without those of which that
    /// cannot be told.
    fn of(&self, participants: Vec<(String, String)>) -> impl Iterator<Item = (String, String, bool)> {
        participants.into_iter().filter_map(|(name, topic)| match self.said.get(&topic)? {
            Finding::Read => Some((name, topic, false)),
            Finding::Unread => Some((name, topic, true)),
            Finding::Untold => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_there_is_named_once_and_who_goes_is_named_when_it_stays_away() {
        let participants = [("rooms".to_owned(), "hotel.commands".to_owned())];
        let (read, unread, untold) = (&[][..], &[Silence::Certain][..], &[Silence::Untold("why".to_owned())][..]);
        let mut readership = Readership::default();
        let mut look = |silence: &[Silence]| {
            let unread = silence.iter().map(|silence| ("hotel.commands".to_owned(), silence.clone())).collect();
            let lines = readership.looked(&participants, &unread);
            let told: Vec<bool> = readership.of(participants.to_vec()).map(|(_, _, is_unread)| is_unread).collect();
            (lines.join(" "), told, readership.is_calm())
        };
        let nobody =
            "nobody reads hotel.commands: what is asked of rooms waits there; start it, or give --participant rooms=…";
        let is_read = "hotel.commands is read now";
        let unknown = "whether somebody reads hotel.commands cannot be told: why; if nobody does, what is asked of rooms waits there";
        for (silence, said, told, is_calm) in [
            (unread, nobody, &[true][..], false),
            (unread, "", &[true], false),
            (untold, "", &[true], false),
            (unread, "", &[true], false),
            (read, is_read, &[false], true),
            (read, "", &[false], true),
            (unread, "", &[false], false),
            (unread, nobody, &[true], false),
            (read, is_read, &[false], true),
            (unread, "", &[false], false),
            (read, "", &[false], true),
            (untold, "", &[false], false),
            (unread, "", &[false], false),
            (untold, "", &[false], false),
            (untold, unknown, &[], true),
            (untold, "", &[], true),
            (unread, "", &[], false),
            (unread, nobody, &[true], false),
            (untold, "", &[true], false),
            (untold, unknown, &[], true),
            (read, is_read, &[false], true),
        ] {
            assert_eq!(look(silence), (said.to_owned(), told.to_vec(), is_calm), "{silence:?}");
        }
    }
}
