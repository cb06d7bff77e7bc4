//! The definitions of a log: sources in the topic `saga.definitions`, plans in memory.
//!
//! | key | payload |
//! |---|---|
//! | `source/<hash>` | the text of the file in which the saga of that content hash stands |
//! | `current/<name>` | the hash by which new instances of the saga run |
//!
//! Running instances stay with the content that they were started by, so a source is kept for ever. A plan is always
//! compiled from the stored text, by the same front end as any other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use compact_str::{CompactString, format_compact};

use super::client::{Client, ReadError};
use super::error::{DeployError, OpenError};
use crate::check::{self, Checked};
use crate::definition::{Program, Saga};
use crate::diagnostic::{Diagnostic, Severity};
use crate::journal::Plans;
use crate::log::{self, DEFINITION_MAX, Outcome};
use crate::plan::Plan;
use crate::source::{SourceFile, Sources};
use crate::syntax::limits::MAX_FILE_BYTES;
use crate::wire::Message;

const SOURCE: &str = "source/";
const CURRENT: &str = "current/";

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
}

/// Compiles a file as `saga check` does.
pub(super) fn compile(name: &str, text: &str) -> Result<Program, Vec<Diagnostic>> {
    let mut sources = Sources::default();
    let file = sources.add(SourceFile::new(name, text));
    let Checked { programs, findings } = check::check_files(&sources);
    let program = programs.into_iter().find_map(|(id, program)| (id == file).then_some(program));
    let is_refused = findings.iter().any(|finding| finding.severity == Severity::Error);
    program.filter(|_| !is_refused).ok_or(findings)
}

/// Everything that is stored.
#[derive(Debug, Default)]
pub(super) struct Stored {
    sources: BTreeMap<CompactString, Arc<str>>,
    current: BTreeMap<CompactString, CompactString>,
    /// By hash, what has been compiled of it; else why there is none.
    compiled: BTreeMap<CompactString, Result<Arc<Plan>, String>>,
    /// One file gives a record for each of its sagas: the text is held once.
    texts: BTreeSet<Arc<str>>,
}

impl Stored {
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

    /// Takes records of the topic; gives the offset behind them, if there are any.
    pub(super) fn take(&mut self, records: &[log::Stored]) -> Option<u64> {
        for record in records {
            let Ok(text) = str::from_utf8(&record.message.payload) else {
                tracing::warn!(offset = record.offset, "a definition that is not UTF-8 is passed over");
                continue;
            };
            if let Some(hash) = record.message.key.strip_prefix(SOURCE) {
                let text: Arc<str> = self.texts.get(text).map_or_else(|| Arc::from(text), Arc::clone);
                self.texts.insert(Arc::clone(&text));
                self.sources.insert(CompactString::from(hash), text);
            } else if let Some(saga) = record.message.key.strip_prefix(CURRENT) {
                self.current.insert(CompactString::from(saga), CompactString::from(text));
            } else {
                tracing::warn!(key = %record.message.key, "a record of saga.definitions that is no definition");
            }
        }
        records.last().map(|last| last.offset.saturating_add(1))
    }

    /// Compiles what is not compiled yet. What does not compile is left out; an instance that needs it is refused when
    /// its partition recovers. Gives also why a current one is of no use.
    pub(super) fn compile(&mut self) -> (Plans, Option<OpenError>) {
        let mut by_text: BTreeMap<&Arc<str>, Result<Program, Vec<Diagnostic>>> = BTreeMap::new();
        let mut plans = Plans::default();
        for (hash, text) in &self.sources {
            let compiled = self.compiled.entry(hash.clone()).or_insert_with(|| {
                let why = match by_text.entry(text).or_insert_with(|| compile(hash, text)) {
                    Ok(program) => match find(program, hash) {
                        Some(saga) => return Ok(Arc::new(Plan::new(Arc::clone(saga)))),
                        None => "its content has another hash in this version of saga".to_owned(),
                    },
                    Err(findings) => findings.first().map_or_else(String::new, |finding| finding.title.clone()),
                };
                if !self.current.values().any(|current| current == hash) {
                    tracing::warn!(%hash, %why, "a stored definition that is not current does not compile");
                }
                Err(why)
            });
            if let Ok(plan) = compiled {
                plans.keep(plan);
            }
        }
        let mut unusable = None;
        for (saga, hash) in &self.current {
            if let Some(plan) = plans.by_hash(hash).cloned() {
                plans.deploy(&plan);
                continue;
            }
            let known = self.compiled.get(hash).and_then(|compiled| compiled.as_ref().err());
            let why = known.cloned().unwrap_or_else(|| "its source is not stored".to_owned());
            unusable = Some(OpenError::Definition { saga: saga.clone(), hash: hash.clone(), why });
        }
        (plans, unusable)
    }

    /// The same where a current one of no use is an error.
    pub(super) fn compile_all(&mut self) -> Result<Plans, OpenError> {
        let (plans, unusable) = self.compile();
        unusable.map_or(Ok(plans), Err)
    }
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

// Whatever `saga check` takes can be deployed.
const _: () = assert!(MAX_FILE_BYTES <= DEFINITION_MAX);

/// Stores a saga: first its source, then that it is current, so that what is current is always there.
pub(super) async fn store(client: &Client, topic: &Arc<str>, saga: &Saga, text: &str) -> Result<(), DeployError> {
    let source = (format_compact!("{SOURCE}{}", saga.hash()), text);
    let current = (format_compact!("{CURRENT}{}", saga.name), &**saga.hash());
    for (key, payload) in [source, current] {
        let message = Message { key: Arc::from(key.as_str()), headers: Vec::new(), payload: payload.as_bytes().into() };
        let why = match client.append(topic, 0, message).await {
            Outcome::At(_) => continue,
            Outcome::Unknown => "it was closed, or cannot be written; deploying again does no harm".to_owned(),
            Outcome::Refused(why) => why.to_string(),
        };
        return Err(DeployError::Append { saga: saga.name.clone(), why });
    }
    Ok(())
}
