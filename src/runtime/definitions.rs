//! The definitions of a log: sources in the topic `saga.definitions`, plans in memory.
//!
//! | key | payload |
//! |---|---|
//! | `source/<hash>` | the text of the file in which the saga of that content hash stands |
//! | `current/<name>` | the hash by which new instances of the saga run |
//! | `triggers/<name>` | the text of the file in which the triggers of the saga stand; empty where it has none |
//! | `partitions/<number>` | on Kafka, how many partitions the deployment has: the first that was written |
//!
//! Running instances stay with the content that they were started by, so a source is kept for ever. A plan is always
//! compiled from the stored text, by the same front end as any other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use compact_str::{CompactString, format_compact};

use super::client::{Client, ReadError};
use super::deploying::NewTriggers;
use super::error::{DeployError, OpenError};
use crate::check;
use crate::definition::{Program, Saga, Trigger};
use crate::diagnostic::Diagnostic;
use crate::journal::Plans;
use crate::log::{self, DEFINITION_MAX, Outcome, PARTITIONS, Site, Topics};
use crate::plan::Plan;
use crate::source::FileId;
use crate::syntax::limits::MAX_FILE_BYTES;
use crate::wire::{Headers, Message};

const SOURCE: &str = "source/";
const CURRENT: &str = "current/";
const TRIGGERS: &str = "triggers/";

/// The hexadecimal digits of a content hash, at most: of a SHA-256.
const HASH_MAX: usize = 64;

/// A saga of a deployed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// Its name.
    pub saga: CompactString,
    /// Its version.
    pub version: u64,
    /// The hash of its content.
    pub hash: Arc<str>,
    /// What it is to what was there.
    pub standing: Standing,
    /// Its triggers, if they are others from now on.
    pub triggers: Option<NewTriggers>,
}

/// What a deployed saga is to what was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The first of its name.
    New,
    /// The same content.
    Unchanged,
    /// Other content; what runs goes on by the old one.
    Replaces {
        /// The version that was current.
        version: u64,
    },
    /// Not deployed: a newer version is current, and nobody said to go back.
    Older {
        /// The version that is current.
        version: u64,
    },
    /// Known by its number, and not current: another version was given behind it.
    Followed {
        /// That version.
        version: u64,
    },
}

/// Compiles a file as `saga check` does.
pub(super) fn compile(name: &str, text: &str) -> Result<Program, Vec<Diagnostic>> {
    let checked = check::check_text(name, text);
    if checked.has_errors() { Err(checked.findings) } else { Ok(checked.program) }
}

/// A key on one line, in quotes; what is no text in it is escaped already.
fn shown(key: &str) -> String {
    let escaped = |one: char| if one.is_control() { one.escape_default().to_string() } else { one.to_string() };
    format!("\"{}\"", key.chars().map(escaped).collect::<String>())
}

/// Everything that is stored.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// By hash, what its source compiles to; else why it does not.
    compiled: BTreeMap<CompactString, Result<Arc<Plan>, String>>,
    /// The hashes of those that speak to the deployment's own topics: nothing new runs by them.
    set_aside: BTreeSet<CompactString>,
    /// Of each saga, the hashes that were said to be current, the latest last.
    current: BTreeMap<CompactString, VecDeque<CompactString>>,
    /// Of each saga, its triggers and the text in which they stand.
    triggers: BTreeMap<CompactString, (Arc<str>, Vec<Arc<Trigger>>)>,
    /// The file that came last: it gives a record for each of its sagas, and is compiled once.
    last: Option<(Box<str>, Compiled)>,
    /// Where others write, too: of each saga and version the content that came first. Of two that deploy at once one wins, and
    /// everybody who reads on sees which.
    first: Option<BTreeMap<(CompactString, u64), CompactString>>,
    /// The topics of a deployment whose prefix definitions do not know.
    topics: Option<Topics>,
    strangers: Strangers,
}

/// Whether it is said what strangers wrote. It stays until somebody takes it away, so those who run sagas say it, and nobody who
/// only looks, orders or deploys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Strangers {
    Said,
    #[default]
    Unsaid,
}

type Compiled = Result<Program, Vec<Diagnostic>>;

/// Hashes of one saga that are remembered as having been current: what a stranger wrote behind the right one is passed
/// over.
const CURRENT_MAX: usize = 100;

impl Stored {
    /// Of a log.
    pub(super) fn of(log: &dyn Site, strangers: Strangers) -> Self {
        let is_shared = log.is_shared();
        let (first, topics) = (is_shared.then(BTreeMap::new), is_shared.then(|| log.topics()));
        Self { first, topics, strangers, ..Self::default() }
    }

    /// Reads on in the topic, up to an end.
    pub(super) async fn read(
        &mut self,
        client: &Client,
        topic: &Arc<str>,
        mut next: u64,
        end: u64,
    ) -> Result<(), ReadError> {
        while next < end {
            let (records, _) = client.read(topic, 0, next).await?;
            next = self.take(&records).unwrap_or(next);
        }
        Ok(())
    }

    /// Takes records of the topic; gives the offset behind them, if there are any. What a stranger wrote is passed over: a
    /// source speaks for itself, since its hash is its name.
    pub(super) fn take(&mut self, records: &[log::Stored]) -> Option<u64> {
        for record in records {
            let key = &*record.message.key;
            // It is for whoever opens the log.
            if key.starts_with(PARTITIONS) {
                continue;
            }
            // What was a stranger's is deleted so; of ours nobody deletes anything.
            let is_ours = key.starts_with(CURRENT) || key.starts_with(TRIGGERS);
            if record.message.payload.is_empty() && !is_ours {
                continue;
            }
            let taken = match str::from_utf8(&record.message.payload) {
                Err(_) => Err("it is not UTF-8".to_owned()),
                Ok(text) => match (key.strip_prefix(SOURCE), key.strip_prefix(CURRENT)) {
                    (Some(hash), _) => self.take_source(hash, text),
                    (None, Some(saga)) => self.take_current(saga, text),
                    (None, None) => match key.strip_prefix(TRIGGERS) {
                        Some(saga) => self.take_triggers(saga, text),
                        None => Err("its key is none of a definition".to_owned()),
                    },
                },
            };
            if let Err(why) = taken
                && self.strangers == Strangers::Said
            {
                tracing::warn!(
                    offset = record.offset, key = %shown(key), %why,
                    "a record of the definitions is passed over: one without a value under that key takes it away"
                );
            }
        }
        records.last().map(|last| last.offset.saturating_add(1))
    }

    fn take_source(&mut self, hash: &str, text: &str) -> Result<(), String> {
        if matches!(self.compiled.get(hash), Some(Ok(_))) {
            return Ok(());
        }
        is_hash(hash)?;
        let topics = self.topics.clone();
        let mut astray = None;
        let plan = match self.compiled(hash, text) {
            Ok(program) => match find(program, hash) {
                Some(saga) => {
                    astray = on_own_topics(program, topics.as_ref());
                    Ok(Arc::new(Plan::new(Arc::clone(saga))))
                }
                None => Err("its content has another hash in this version of saga".to_owned()),
            },
            Err(findings) => Err(findings.first().map_or_else(String::new, |finding| finding.title.clone())),
        };
        if let (Some(first), Ok(plan)) = (&mut self.first, &plan) {
            let version = (plan.saga.name.clone(), plan.saga.version);
            first.entry(version).or_insert_with(|| CompactString::from(hash));
        }
        let passed = plan.as_ref().map(drop).map_err(Clone::clone);
        self.compiled.insert(CompactString::from(hash), plan);
        match astray {
            // What runs by it ends by it, and its commands are refused.
            Some(why) => {
                self.set_aside.insert(CompactString::from(hash));
                Err(why)
            }
            None => passed,
        }
    }

    fn compiled(&mut self, name: &str, text: &str) -> &Compiled {
        let known = self.last.take().filter(|(last, _)| **last == *text);
        &self.last.insert(known.unwrap_or_else(|| (Box::from(text), compile(name, text)))).1
    }

    fn take_triggers(&mut self, saga: &str, text: &str) -> Result<(), String> {
        let topics = self.topics.clone();
        let triggers = match text {
            "" => Vec::new(),
            text => match self.compiled(saga, text) {
                Ok(program) => match on_own_topics(program, topics.as_ref()) {
                    Some(why) => return Err(why),
                    None => triggers_of(program, saga),
                },
                Err(findings) => {
                    return Err(findings.first().map_or_else(String::new, |finding| finding.title.clone()));
                }
            },
        };
        self.triggers.insert(CompactString::from(saga), (Arc::from(text), triggers));
        Ok(())
    }

    fn take_current(&mut self, saga: &str, hash: &str) -> Result<(), String> {
        is_hash(hash)?;
        let hashes = self.current.entry(CompactString::from(saga)).or_default();
        hashes.push_back(CompactString::from(hash));
        if hashes.len() > CURRENT_MAX {
            hashes.pop_front();
        }
        Ok(())
    }

    /// Whether its number was taken by other content before.
    fn was_late(&self, plan: &Plan) -> bool {
        let first = self.first.as_ref().and_then(|first| first.get(&(plan.saga.name.clone(), plan.saga.version)));
        first.is_some_and(|first| **first != **plan.saga.hash())
    }

    /// The plans of what is stored. What does not compile is left out; an instance that needs it is refused when
    /// its partition recovers. Gives also why a current one is of no use.
    pub(super) fn compile(&self) -> (Plans, Option<OpenError>) {
        let mut plans = Plans::default();
        for plan in self.compiled.values().flatten().filter(|plan| !self.was_late(plan)) {
            plans.keep(plan);
        }
        for (saga, (text, triggers)) in &self.triggers {
            plans.set_triggers(saga.clone(), Arc::clone(text), triggers.clone());
        }
        let mut unusable = None;
        for (saga, hashes) in &self.current {
            // A source is stored before it is current: without one, or with that of another saga, it is a stranger's word.
            let stored = hashes.iter().rev().find_map(|hash| {
                let compiled = self.compiled.get(hash)?;
                let is_ours = compiled.as_ref().map_or(true, |plan| plan.saga.name == *saga && !self.was_late(plan));
                is_ours.then_some((hash, compiled))
            });
            match stored {
                Some((hash, Ok(_))) if self.set_aside.contains(hash) => {}
                Some((_, Ok(plan))) => plans.deploy(plan),
                Some((hash, Err(why))) => {
                    let (saga, hash, why) = (saga.clone(), hash.clone(), why.clone());
                    unusable = Some(OpenError::Definition { saga, hash, why });
                }
                None if self.strangers == Strangers::Said => tracing::warn!(
                    saga = %shown(saga),
                    "no source of that saga is stored: what says that one is current is passed over"
                ),
                None => {}
            }
        }
        (plans, unusable)
    }

    /// The same where a current one of no use is an error.
    pub(super) fn compile_all(&self) -> Result<Plans, OpenError> {
        let (plans, unusable) = self.compile();
        unusable.map_or(Ok(plans), Err)
    }
}

/// The saga and the hash, of a record that says what is current.
pub(super) fn current_of(message: &Message) -> Option<(&str, &str)> {
    Some((message.key.strip_prefix(CURRENT)?, str::from_utf8(&message.payload).ok()?))
}

/// Whether a text may be a content hash.
fn is_hash(text: &str) -> Result<(), String> {
    let is_one = !text.is_empty() && text.len() <= HASH_MAX && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_one { Ok(()) } else { Err("it names no content hash".to_owned()) }
}

/// Why a program cannot run in a deployment whose own topics it names.
fn on_own_topics(program: &Program, topics: Option<&Topics>) -> Option<String> {
    let findings = check::on_own_topics(program, |topic| topics.is_some_and(|topics| topics.is_own(topic)));
    findings.into_iter().next().map(|finding| finding.title)
}

fn find<'a>(program: &'a Program, hash: &str) -> Option<&'a Arc<Saga>> {
    program.sagas.values().find(|saga| **saga.hash() == *hash)
}

/// What a file's sagas are to what is there; nothing is stored yet.
pub(super) fn compare(program: &Program, plans: &Plans) -> Vec<(Arc<Saga>, Standing)> {
    let standing = |saga: &Saga| match plans.current(&saga.name) {
        None => Standing::New,
        Some(current) if current.saga.hash() == saga.hash() => Standing::Unchanged,
        Some(current) => Standing::Replaces { version: current.saga.version },
    };
    program.sagas.values().map(|saga| (Arc::clone(saga), standing(saga))).collect()
}

fn triggers_of(program: &Program, saga: &str) -> Vec<Arc<Trigger>> {
    let is_its = |trigger: &&Arc<Trigger>| trigger.saga().is_some_and(|its| *its == *saga);
    program.triggers.iter().filter(is_its).cloned().collect()
}

/// The sagas whose triggers a file says, with the text to store and its triggers, where they are not what is known: those that stand in it, and those of others that
/// it has triggers for. What it only uses keeps its own.
pub(super) fn new_triggers<'t>(
    program: &Program,
    text: &'t str,
    plans: &Plans,
) -> Vec<(CompactString, &'t str, Vec<Arc<Trigger>>)> {
    let own = program.sagas.values().filter(|saga| saga.span.file == FileId::default()).map(|saga| &saga.name);
    let triggered = program.triggers.iter().filter_map(|trigger| trigger.saga());
    let sagas: BTreeSet<&CompactString> = own.chain(triggered).collect();
    let with_text = sagas.into_iter().map(|saga| {
        let triggers = triggers_of(program, saga);
        (saga.clone(), if triggers.is_empty() { "" } else { text }, triggers)
    });
    with_text.filter(|(saga, text, _)| plans.text_of_triggers(saga) != *text).collect()
}

// Whatever `saga check` takes can be deployed.
const _: () = assert!(MAX_FILE_BYTES <= DEFINITION_MAX);

/// Stores a saga: first its source, then that it is current, so that what is current is always there.
pub(super) async fn store(client: &Client, topic: &Arc<str>, saga: &Saga, text: &str) -> Result<(), DeployError> {
    store_source(client, topic, saga, text).await?;
    append(client, topic, &saga.name, &format_compact!("{CURRENT}{}", saga.name), saga.hash()).await
}

/// Stores a saga's source alone: its number is taken by it, and nothing new runs by it.
pub(super) async fn store_source(
    client: &Client,
    topic: &Arc<str>,
    saga: &Saga,
    text: &str,
) -> Result<(), DeployError> {
    append(client, topic, &saga.name, &format_compact!("{SOURCE}{}", saga.hash()), text).await
}

/// Stores the triggers of a saga.
pub(super) async fn store_triggers(
    client: &Client,
    topic: &Arc<str>,
    saga: &CompactString,
    text: &str,
) -> Result<(), DeployError> {
    append(client, topic, saga, &format_compact!("{TRIGGERS}{saga}"), text).await
}

async fn append(
    client: &Client,
    topic: &Arc<str>,
    saga: &CompactString,
    key: &str,
    payload: &str,
) -> Result<(), DeployError> {
    let message = Message { key: Arc::from(key), headers: Headers::default(), payload: payload.as_bytes().into() };
    let why = match client.append(topic, 0, message).await {
        Outcome::At(_) => return Ok(()),
        Outcome::Unknown => "it was closed, or cannot be written; deploying again does no harm".to_owned(),
        Outcome::Refused(why) => why.to_string(),
    };
    Err(DeployError::Append { saga: saga.clone(), why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    const ONE: &str = "participant p { command A { } }\nsaga trip { version 1 input { } deadline 1m step a { call p.A { } compensate nothing } }\n";

    fn record(offset: u64, key: &str, payload: &[u8]) -> log::Stored {
        let message = Message { key: Arc::from(key), headers: Headers::default(), payload: payload.into() };
        log::Stored { offset, timestamp: Timestamp(0), message: Arc::new(message) }
    }

    /// A source with its hash.
    fn source(version: &str) -> (String, String) {
        with_hash(ONE.replace("version 1", version))
    }

    fn with_hash(text: String) -> (String, String) {
        let program = compile("trip.saga", &text).unwrap_or_else(|findings| panic!("{findings:?}"));
        (text, program.sagas["trip"].hash().to_string())
    }

    #[test]
    fn of_two_contents_of_one_version_the_first_counts_where_others_write_too() {
        let (text, hash) = source("version 2");
        let (other, other_hash) = with_hash(text.replace("deadline 1m", "deadline 2m"));
        let (newer, newer_hash) = source("version 3");
        for first in [Some(BTreeMap::new()), None] {
            let mut stored = Stored { first, ..Stored::default() };
            let (key, other_key) = (format!("source/{hash}"), format!("source/{other_hash}"));
            stored.take(&[record(0, &key, text.as_bytes()), record(1, &other_key, other.as_bytes())]);
            stored
                .take(&[record(2, "current/trip", hash.as_bytes()), record(3, "current/trip", other_hash.as_bytes())]);
            let (plans, unusable) = stored.compile();
            let current = plans.current("trip").expect("one is").saga.hash().to_string();
            let (wanted, is_kept) = if stored.first.is_some() { (&hash, false) } else { (&other_hash, true) };
            assert_eq!((&current, plans.by_hash(&other_hash).is_some()), (wanted, is_kept));
            assert!(unusable.is_none());
            // Another number is free.
            stored.take(&[record(4, &format!("source/{newer_hash}"), newer.as_bytes())]);
            stored.take(&[record(5, "current/trip", newer_hash.as_bytes())]);
            assert_eq!(stored.compile().0.current("trip").map(|plan| plan.saga.version), Some(3));
        }
    }

    #[test]
    fn what_speaks_to_the_deployments_own_topics_is_kept_for_what_runs_and_begins_nothing() {
        let (text, hash) = with_hash(ONE.replace("participant p {", "participant p { commands \"shop.journal\""));
        let triggered = ONE.replace("input { }", "input { order: string }")
            + "trigger t { on \"shop.replies\" event { id: string } start trip { id: event.id, input: { order: event.id } } }\n";
        for (prefix, is_own) in [("shop", true), ("saga", false)] {
            let mut stored = Stored { topics: Topics::with_prefix(prefix), ..Stored::default() };
            stored.take(&[record(0, &format!("source/{hash}"), text.as_bytes())]);
            stored
                .take(&[record(1, "current/trip", hash.as_bytes()), record(2, "triggers/trip", triggered.as_bytes())]);
            let (plans, unusable) = stored.compile();
            assert!(plans.by_hash(&hash).is_some() && unusable.is_none());
            assert_eq!((plans.current("trip").is_none(), plans.triggers().next().is_none()), (is_own, is_own));
        }
    }

    #[test]
    fn what_a_stranger_wrote_is_passed_over() {
        let ((text, hash), (newer, newer_hash)) = (source("version 1"), source("version 2"));
        let garbage: [&[u8]; 4] = [b"", b"\xff\x00", b"saga trip {", newer.as_bytes()];
        let unknown = "0".repeat(64);
        let mut stored = Stored::default();
        let mut take = |key: &str, payload: &[u8]| {
            stored.take(&[record(7, key, payload)]);
            stored.compile()
        };
        // Also before the right one came.
        for payload in garbage {
            take(&format!("source/{hash}"), payload);
        }
        take(&format!("source/{hash}"), text.as_bytes());
        take("current/trip", hash.as_bytes());
        for payload in garbage {
            for key in ["", "trip", "source/", "current/", "current/trip", &format!("source/{hash}")] {
                let (plans, _) = take(key, payload);
                assert_eq!(
                    **plans.current("trip").expect("it is still current").saga.hash(),
                    *hash,
                    "{key} {payload:?}"
                );
            }
        }
        let (plans, unusable) = take("current/trip", unknown.as_bytes());
        assert!(plans.current("trip").is_some() && unusable.is_none(), "of that hash there is no source");
        take(&format!("source/{newer_hash}"), newer.as_bytes());
        let (plans, _) = take("current/trip", newer_hash.as_bytes());
        assert_eq!(plans.current("trip").map(|plan| plan.saga.version), Some(2));
        assert!(plans.by_hash(&hash).is_some(), "what runs goes on by the old one");
        let (plans, unusable) = take("current/other", hash.as_bytes());
        assert!(plans.current("other").is_none() && unusable.is_none(), "it is the hash of another saga");
        // An older engine may not know what a newer one deployed: it must not go on with what was before.
        take(&format!("source/{unknown}"), b"saga trip { from the future }");
        assert!(
            matches!(take("current/trip", unknown.as_bytes()).1, Some(OpenError::Definition { hash, .. }) if hash == unknown)
        );
    }
}
