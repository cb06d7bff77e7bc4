//! The definitions of a data directory: sources in the topic `saga.definitions`, plans in memory.
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
use crate::log::{DEFINITION_MAX, Outcome};
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
}

impl Stored {
    /// Reads the topic to its end.
    pub(super) async fn read(client: &Client, topic: &Arc<str>, start: u64, end: u64) -> Result<Self, ReadError> {
        let mut stored = Self::default();
        let mut texts: BTreeSet<Arc<str>> = BTreeSet::new();
        let mut next = start;
        while next < end {
            let (records, _) = client.read(topic, 0, next).await?;
            for record in records {
                next = record.offset.saturating_add(1);
                let Ok(text) = str::from_utf8(&record.message.payload) else {
                    tracing::warn!(offset = record.offset, "a definition that is not UTF-8 is passed over");
                    continue;
                };
                if let Some(hash) = record.message.key.strip_prefix(SOURCE) {
                    // One file gives a record for each of its sagas: the text is held once.
                    let text: Arc<str> = texts.get(text).map_or_else(|| Arc::from(text), Arc::clone);
                    texts.insert(Arc::clone(&text));
                    stored.sources.insert(CompactString::from(hash), text);
                } else if let Some(saga) = record.message.key.strip_prefix(CURRENT) {
                    stored.current.insert(CompactString::from(saga), CompactString::from(text));
                } else {
                    tracing::warn!(key = %record.message.key, "a record of saga.definitions that is no definition");
                }
            }
        }
        Ok(stored)
    }

    /// Compiles all of it. A definition that does not compile is an error if it is current; an instance that needs
    /// another is refused when its partition recovers.
    pub(super) fn compile(&self) -> Result<Plans, OpenError> {
        let mut by_text: BTreeMap<&Arc<str>, Result<Program, Vec<Diagnostic>>> = BTreeMap::new();
        let mut plans = Plans::default();
        for (hash, text) in &self.sources {
            let why = match by_text.entry(text).or_insert_with(|| compile(hash, text)) {
                Ok(program) => match find(program, hash) {
                    Some(saga) => {
                        plans.keep(&Arc::new(Plan::new(Arc::clone(saga))));
                        continue;
                    }
                    None => "its content has another hash in this version of saga".to_owned(),
                },
                Err(findings) => findings.first().map_or_else(String::new, |finding| finding.title.clone()),
            };
            if let Some((saga, hash)) = self.current.iter().find(|(_, current)| *current == hash) {
                return Err(OpenError::Definition { saga: saga.clone(), hash: hash.clone(), why });
            }
            tracing::warn!(%hash, %why, "a stored definition that is not current does not compile");
        }
        for (saga, hash) in &self.current {
            let Some(plan) = plans.by_hash(hash).cloned() else {
                let why = "its source is not stored".to_owned();
                return Err(OpenError::Definition { saga: saga.clone(), hash: hash.clone(), why });
            };
            plans.deploy(&plan);
        }
        Ok(plans)
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
            Outcome::Unknown => "it was closed, or cannot be written".to_owned(),
            Outcome::Refused(why) => why.to_string(),
        };
        return Err(DeployError::Append { saga: saga.name.clone(), why });
    }
    Ok(())
}
