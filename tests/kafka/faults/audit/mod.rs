//! The auditor: reads the topics alone and says what is wrong with them.
//!
//! It shares no code with the runtime. It has its own rule of reading, takes JSON as it stands, and knows the words of
//! `docs/protocol.md` and `docs/participants.md`; of sagas it knows that steps are called, succeed and are taken back. The
//! participants' books are held against what the journal says. `doctored.rs` shows that it finds what it is for.

mod books;
mod doctored;
mod effects;
mod journal;
mod runs;
mod seen;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use self::journal::Journals;
use self::runs::Runs;

pub(super) use self::books::Books;
pub(super) use self::seen::{Seen, Topics};

/// The topics of a deployment.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) requests: String,
    pub(super) replies: String,
    pub(super) journal: String,
    pub(super) dead: String,
    pub(super) definitions: String,
    pub(super) commands: Vec<String>,
    pub(super) answers: String,
}

impl Names {
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        let own = [&self.requests, &self.replies, &self.journal, &self.dead, &self.definitions, &self.answers];
        own.into_iter().chain(&self.commands).map(String::as_str)
    }
}

/// What the auditor knows besides the topics.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    /// Instances whose starts were acknowledged by the log.
    pub(super) accepted: BTreeSet<String>,
    /// Those that asked for an answer.
    pub(super) asked: BTreeSet<String>,
}

/// What is wrong: a name for each kind of fault, and where it was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Faults(BTreeMap<&'static str, Vec<String>>);

impl Faults {
    fn add(&mut self, fault: &'static str, place: impl Into<String>) {
        self.0.entry(fault).or_default().push(place.into());
    }

    pub(super) fn kinds(&self) -> Vec<&'static str> {
        self.0.keys().copied().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 10;
        for (fault, places) in &self.0 {
            writeln!(f, "{fault}: {} times", places.len())?;
            for place in places.iter().take(SHOWN) {
                writeln!(f, "    {place}")?;
            }
        }
        Ok(())
    }
}

/// What there was, so that a round that was too calm is noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) completed: usize,
    pub(super) compensated: usize,
    pub(super) stuck: usize,
    pub(super) claims: usize,
    pub(super) misfits: usize,
    pub(super) strangers: usize,
    pub(super) checkpoints: usize,
    pub(super) rejected: usize,
    pub(super) forwarded: usize,
    pub(super) commands: usize,
}

/// How all accepted instances stand.
pub(super) struct Standing {
    pub(super) open: BTreeSet<String>,
    pub(super) stuck: BTreeSet<String>,
}

/// How they stand by what is in the topics so far.
pub(super) fn standing(topics: &Topics, names: &Names, expected: &Expected) -> Standing {
    let journals = Journals::read(topics, names);
    let runs = Runs::read(&journals, &mut Faults::default());
    let open: BTreeSet<String> = expected.accepted.iter().filter(|id| !runs.has_ended(id)).cloned().collect();
    let stuck = open.iter().filter(|id| runs.is_stuck(id)).cloned().collect();
    Standing { open, stuck }
}

/// Up to where the journal of a partition may be cut, by what is in the topics so far.
pub(super) fn cut(topics: &Topics, names: &Names, partition: u32) -> Option<u64> {
    Journals::read(topics, names).cut(partition)
}

/// What is still under way: inputs that are not read, effects that are not sent. Nothing, where all is quiet.
pub(super) fn under_way(topics: &Topics, names: &Names) -> Vec<String> {
    Journals::read(topics, names).under_way(topics, names)
}

/// What there has been so far.
pub(super) fn sums(topics: &Topics, names: &Names) -> Sums {
    let journals = Journals::read(topics, names);
    let runs = Runs::read(&journals, &mut Faults::default());
    sums_of(topics, names, &journals, &runs)
}

fn sums_of(topics: &Topics, names: &Names, journals: &Journals, runs: &Runs) -> Sums {
    let (completed, compensated, stuck) = runs.sums();
    Sums {
        completed,
        compensated,
        stuck,
        claims: journals.claims,
        misfits: journals.misfits,
        strangers: journals.strangers,
        checkpoints: journals.count("completed"),
        rejected: journals.count("reject"),
        forwarded: journals.count("forward"),
        commands: effects::commands(topics, names).count(),
    }
}

/// Audits everything.
pub(super) fn audit(topics: &Topics, names: &Names, expected: &Expected, books: &Books) -> (Sums, Faults) {
    let mut faults = Faults::default();
    let journals = Journals::read(topics, names);
    journals.audit(topics, names, &mut faults);
    let runs = Runs::read(&journals, &mut faults);
    runs.audit(expected, &mut faults);
    effects::audit(topics, names, &journals, &runs, expected, &mut faults);
    books.audit(&runs, &mut faults);
    (sums_of(topics, names, &journals, &runs), faults)
}
