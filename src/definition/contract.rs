//! Contracts of participants: the addresses that they read, what they take, and how much of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use indexmap::IndexMap;

use super::types::Record;
use crate::source::Span;

/// The contract of a service and the addresses that it reads.
#[derive(Clone, Debug)]
pub struct Participant {
    /// Its name.
    pub name: CompactString,
    /// The topic of its commands, the default `<name>.commands` filled in.
    pub commands_topic: CompactString,
    /// The topic of its events, the default `<name>.events` filled in.
    pub events_topic: CompactString,
    /// Whether it answers "what became of command X".
    pub answers_queries: bool,
    /// `at most …`
    pub limits: Vec<Limit>,
    /// What it does and answers.
    pub commands: IndexMap<CompactString, Arc<Command>>,
    /// What it takes and never answers: no reply, no codes.
    pub messages: IndexMap<CompactString, Arc<Command>>,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where its name is declared.
    pub span: Span,
}

/// What all orchestrators together send at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit {
    /// So many.
    pub count: u32,
    /// In flight at once, or within a second, minute or hour.
    pub per: Per,
}

/// What a [`Limit`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Per {
    /// Commands in flight.
    Once,
    /// Commands sent within so long.
    Time(Duration),
}

/// As it is written: `at most 100 at once`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, per } = self;
        match per {
            Per::Once => write!(f, "at most {count} at once"),
            Per::Time(time) if *time == Duration::from_secs(1) => write!(f, "at most {count} per second"),
            Per::Time(time) if *time == Duration::from_mins(1) => write!(f, "at most {count} per minute"),
            Per::Time(_) => write!(f, "at most {count} per hour"),
        }
    }
}

impl Participant {
    /// How many commands it takes at once, if it says so.
    #[must_use]
    pub fn at_once(&self) -> Option<usize> {
        let counts = self.limits.iter().filter(|limit| limit.per == Per::Once).map(|limit| limit.count);
        counts.min().and_then(|count| usize::try_from(count).ok())
    }

    /// Its limits as they are written, one behind the other.
    #[must_use]
    pub fn limits_text(&self) -> String {
        self.limits.iter().map(Limit::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// A command, which is answered, or a message, which is not.
#[derive(Clone, Debug)]
pub struct Command {
    /// Its name in definitions.
    pub name: CompactString,
    /// Its name on the wire.
    pub wire: CompactString,
    /// The request's shape.
    pub request: Arc<Record>,
    /// The reply's shape; `{}` where nothing is said.
    pub reply: Arc<Record>,
    /// The codes with which it may refuse.
    pub fails: Vec<CompactString>,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where its name is declared.
    pub span: Span,
}
