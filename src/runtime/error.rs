//! Why the orchestrator cannot do what it is asked.

use std::sync::Arc;

use compact_str::CompactString;

use super::client::ReadError;
use super::partition::Stop;
use super::view::ViewError;
use crate::engine::{InstanceId, Misfit, Run};
use crate::journal::{JournalError, Plans};
use crate::log::embedded;
use crate::time::Timestamp;

/// Why an orchestrator cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory.
    #[error(transparent)]
    Log(#[from] embedded::OpenError),
    /// A log that is shared.
    #[error("{why}")]
    Site {
        /// For people.
        why: String,
    },
    /// The view of instances.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The journal or the definitions.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record of the journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A stored definition.
    #[error(
        "compile the stored definition {hash} of saga `{saga}`: {why}; use the version of saga that deployed it until its \
         instances have ended"
    )]
    Definition {
        /// The saga's name.
        saga: CompactString,
        /// The hash.
        hash: CompactString,
        /// What is wrong.
        why: String,
    },
    /// The log cannot be written, and whoever opens it has no time.
    #[error("write to the log in {}: {why}, and give the order again; nothing is lost", path.display())]
    Unwritable {
        /// The data directory.
        path: std::path::PathBuf,
        /// For people.
        why: String,
    },
    /// No thread.
    #[error("start a thread for a partition: {0}")]
    Thread(#[from] std::io::Error),
    /// A partition cannot recover.
    #[error("{why}")]
    Stopped {
        /// For people.
        why: String,
    },
}

/// Why a definition is not deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// It has errors: each is among the findings.
    #[error("deploy: the definition has {} errors", findings.iter().filter(|finding| finding.severity == crate::diagnostic::Severity::Error).count())]
    Refused {
        /// All findings, sorted.
        findings: Vec<crate::diagnostic::Diagnostic>,
    },
    /// A participant takes less at once than there are partitions.
    #[error(
        "share `at most {count} at once` of participant `{participant}`: this deployment has {partitions} partitions, each \
         keeps a share of its own, and {} would have none", partitions - count
    )]
    Unshared {
        /// Its name.
        participant: CompactString,
        /// What it takes.
        count: u32,
        /// Partitions of the deployment.
        partitions: u32,
    },
    /// It changed, and its number did not.
    #[error(
        "deploy saga `{saga}`: version {version} is taken by another content, by which `{one}` still runs{}",
        match live { 0 | 1 => String::new(), more => format!(", and {} more", more - 1) }
    )]
    VersionTaken {
        /// The saga's name.
        saga: CompactString,
        /// Its version.
        version: u64,
        /// Instances that still run by the other content.
        live: u64,
        /// One of them.
        one: String,
    },
    /// It changed, its number did not, and others have the old content.
    #[error(
        "deploy saga `{saga}`: version {version} was deployed before with another content, and stays what it was; write \
         `version {free}` for the new content"
    )]
    VersionPublished {
        /// The saga's name.
        saga: CompactString,
        /// Its version.
        version: u64,
        /// A number that is free.
        free: u64,
    },
    /// Somebody deployed another content at the same time.
    #[error(
        "deploy saga `{saga}`: somebody deployed another content of it at the same time, which counts; deploy again if yours should"
    )]
    Overtaken {
        /// The saga's name.
        saga: CompactString,
    },
    /// The log does not take it.
    #[error("deploy saga `{saga}`: the log does not take its source ({why})")]
    Append {
        /// The saga's name.
        saga: CompactString,
        /// Why.
        why: String,
    },
    /// The view of instances.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The log.
    #[error(transparent)]
    Look(Box<Error>),
}

/// Why a question or a request comes to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody has heard of it.
    #[error("find the instance `{id}`: there is none of this id, or it ended so long ago that it is forgotten")]
    Unknown {
        /// Its id.
        id: InstanceId,
    },
    /// Its start is in the log.
    #[error("find the instance `{id}`: its start is in the log, and no orchestrator has decided it yet")]
    Undecided {
        /// Its id.
        id: InstanceId,
    },
    /// Nothing of that name was deployed.
    #[error(
        "start saga `{saga}`: none of that name is deployed{}",
        near.as_ref().map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
    )]
    NoSuchSaga {
        /// The name.
        saga: CompactString,
        /// One that is spelled nearly so.
        near: Option<CompactString>,
    },
    /// It is looked at before it began.
    #[error("look at `{id}` as it stood at {at}: it had not begun; the first of it that is known began at {began}")]
    NotBegun {
        /// Its id.
        id: InstanceId,
        /// The instant.
        at: Timestamp,
        /// When the first life that is known began.
        began: Timestamp,
    },
    /// It had no such life.
    #[error("find the run {} of `{id}`: nothing of it is known, or it ended so long ago that it is forgotten", Timestamp(run.0))]
    NoRun {
        /// Its id.
        id: InstanceId,
        /// Which life.
        run: Run,
    },
    /// Its beginning is gone.
    #[error(
        "read the history of `{id}`: its first record, at offset {first}, was deleted by retention; the journal begins \
         at {start}"
    )]
    Forgotten {
        /// Its id.
        id: InstanceId,
        /// The first record's offset.
        first: u64,
        /// The journal's start.
        start: u64,
    },
    /// Its definition is not there.
    #[error("show the instance `{id}`: its definition {hash} is not stored here")]
    NoDefinition {
        /// Its id.
        id: InstanceId,
        /// The hash.
        hash: Arc<str>,
    },
    /// Its records do not fit its definition.
    #[error("replay the instance `{id}`: {misfit}")]
    Misfit {
        /// Its id.
        id: InstanceId,
        /// Why.
        misfit: Misfit,
    },
    /// The view knows it, and nobody else.
    #[error(
        "follow the instance `{id}`: the view of instances has a row of it, and neither its partition nor the journal \
         knows it; stop whoever has the directory open, drop the tables `instance` and `viewed` of saga.db, and start \
         again: they are made anew from the journal"
    )]
    NoRecords {
        /// Its id.
        id: InstanceId,
    },
    /// Its partition does not run.
    #[error("look into partition {partition}: {why}")]
    Stopped {
        /// The partition.
        partition: u32,
        /// For people.
        why: String,
    },
    /// There is no such partition.
    #[error("find partition {partition}: there are {count}, counted from 0")]
    NoPartition {
        /// Which was asked for.
        partition: u32,
        /// How many there are.
        count: u32,
    },
    /// Another process owns the partition.
    #[error("accept a gap in partition {partition}: this process does not own it")]
    NotOwned {
        /// The partition.
        partition: u32,
    },
    /// Nothing is to be accepted.
    #[error("accept a gap in partition {partition}: it does not stand still for lost inputs")]
    NoGap {
        /// The partition.
        partition: u32,
    },
    /// The log did not take a request.
    #[error("put the request into the log: {why}")]
    Refused {
        /// For people.
        why: String,
    },
    /// This user may not write requests.
    #[error("put the request into the log: {why}")]
    Forbidden {
        /// For people.
        why: String,
    },
    /// There is no topic for requests any more.
    #[error("put the request into the log: there is no topic `{topic}` any more")]
    Gone {
        /// Its name.
        topic: Arc<str>,
    },
    /// The log could not say whether it took a request.
    #[error("learn whether the log took the request: {why}; ask again with the same request id, a repeat does no harm")]
    Uncertain {
        /// For people.
        why: String,
    },
    /// The log.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The view.
    #[error(transparent)]
    View(#[from] ViewError),
    /// A data directory that is looked into.
    #[error(transparent)]
    Look(OpenError),
    /// The journal of one partition, which another may own.
    #[error(transparent)]
    Unreadable(Arc<Stop>),
    /// It was closed meanwhile.
    #[error("ask an orchestrator that was closed")]
    Closed,
}

impl Error {
    /// Nothing of that name was deployed; with a name that is spelled nearly so.
    pub(crate) fn no_such_saga(plans: &Plans, saga: &str) -> Self {
        let near = plans
            .sagas()
            .map(|known| (strsim::damerau_levenshtein(known, saga), known))
            .filter(|(distance, _)| *distance <= saga.len() / 3 + 1)
            .min()
            .map(|(_, known)| known.clone());
        Self::NoSuchSaga { saga: CompactString::from(saga), near }
    }
}
