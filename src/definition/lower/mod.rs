//! Lowering: from the spanned tree to the typed definition.
//!
//! Names are resolved, types are computed, times become numbers. Nothing stops at the first finding: what cannot be
//! resolved is reported where it stands, gets [`Type::Unknown`](super::types::Type::Unknown), and is silent from there on. Rules that need the
//! finished definition (structure, times, topics) are `check`'s.

mod types;
mod participants;
mod scope;
mod expressions;
mod fitting;
mod operators;
mod functions;
mod objects;
mod sagas;
mod steps;
mod signals;
mod tries;
mod loops;
mod runs;
mod skipped;
mod references;
mod scenarios;
mod triggers;
mod unused;

pub(crate) use self::sagas::ends_in_fail;

use std::collections::BTreeSet;
use std::sync::Arc;

use compact_str::CompactString;
use foldhash::fast::RandomState;
use indexmap::{IndexMap, IndexSet};

use self::scope::Scope;
use self::types::DeclaredType;
use super::expression::Typed;
use super::limits::MAX_INLINED;
use super::{Participant, Program, Saga, Signal};
use crate::diagnostic::{Diagnostic, Problems, codes};
use crate::source::{FileId, Span};
use crate::syntax::tree;

/// The trees of one program: of the file that was named, and of those that it uses.
#[derive(Debug)]
pub struct Trees {
    /// The named one first.
    pub files: Vec<(FileId, tree::File)>,
    /// Where a file uses another, and which.
    pub uses: Vec<(Span, FileId)>,
    /// None lacks anything, and none could not be found. Else names may be defined where nobody could look.
    pub is_whole: bool,
}

impl Default for Trees {
    fn default() -> Self {
        Self { files: Vec::new(), uses: Vec::new(), is_whole: true }
    }
}

/// Lowers the files of a program as if they were one. Scenarios and triggers are those of the named file.
///
/// Used files whose trees lack something are passed over: what they would have given nobody knows.
#[must_use]
pub fn lower(trees: &Trees) -> (Program, Problems) {
    let mut lowering = Lowering { room: MAX_INLINED, misses_files: !trees.is_whole, ..Lowering::default() };
    lowering.skipped_any = lowering.misses_files;
    let is_first = |file: FileId| trees.files.first().is_some_and(|(first, _)| *first == file);
    let files = || trees.files.iter().filter(|(id, file)| is_first(*id) || !file.incomplete);
    let mut sagas: IndexMap<&str, &tree::Saga> = IndexMap::new();
    let mut participants: IndexMap<&str, &tree::Participant> = IndexMap::new();
    let (mut scenarios, mut triggers) = (Vec::new(), Vec::new());
    for (id, item) in files().flat_map(|(id, file)| file.items.iter().map(move |item| (*id, item))) {
        match item {
            // It was followed.
            tree::Item::Use(_) => {}
            tree::Item::Scenario(_) | tree::Item::Trigger(_) if !is_first(id) => {}
            tree::Item::Trigger(item) => triggers.push(item),
            tree::Item::Type(item) => lowering.declare_type(item),
            tree::Item::Participant(item) => match participants.get(item.name.text.as_str()) {
                Some(first) => lowering.taken("participant", &item.name, first.name.span),
                None => drop(participants.insert(&item.name.text, item)),
            },
            tree::Item::Saga(item) => match sagas.get(item.name.text.as_str()) {
                Some(first) => lowering.taken("saga", &item.name, first.name.span),
                None => drop(sagas.insert(&item.name.text, item)),
            },
            tree::Item::Scenario(item) => scenarios.push(item),
        }
    }
    lowering.all_sagas = sagas.keys().map(|name| CompactString::from(*name)).collect();
    let mut program = Program { types: lowering.resolve_types(), ..Program::default() };
    for (name, item) in participants {
        let participant = Arc::new(lowering.participant(item));
        lowering.participants.insert(name.into(), participant);
    }
    for name in lowering.in_order(&sagas) {
        if let Some(item) = sagas.get(name) {
            let saga = Arc::new(lowering.saga(item));
            lowering.sagas.insert(name.into(), saga);
        }
    }
    let in_order_of_the_text =
        sagas.keys().filter_map(|name| Some(((*name).into(), lowering.sagas.get(*name)?.clone())));
    program.sagas = in_order_of_the_text.collect();
    let mut titles: IndexMap<(&str, &str), Span> = IndexMap::new();
    for item in scenarios {
        let title = (item.saga.text.as_str(), item.title.value.as_str());
        match titles.get(&title) {
            Some(first) => lowering.title_taken(item, *first),
            None => drop(titles.insert(title, item.title.span)),
        }
        let scenario = lowering.scenario(item, &program.sagas);
        program.scenarios.extend(scenario);
    }
    let mut named: IndexMap<&str, Span> = IndexMap::new();
    for item in triggers {
        match named.get(item.name.text.as_str()) {
            Some(first) => lowering.taken("trigger", &item.name, *first),
            None => drop(named.insert(&item.name.text, item.name.span)),
        }
        let trigger = lowering.trigger(item, &program.sagas);
        program.triggers.extend(trigger.map(Arc::new));
    }
    let with_saga: BTreeSet<FileId> = sagas.values().map(|saga| saga.span.file).collect();
    lowering.report_unused(&with_saga);
    program.participants = lowering.participants;
    (program, lowering.problems)
}

/// What is known of each name: looked up at nearly every word, so with a fast hash.
type Names<V> = IndexMap<CompactString, V, RandomState>;

/// Some of the names.
type NameSet<N> = IndexSet<N, RandomState>;

/// What is known while a program is lowered.
#[derive(Default)]
struct Lowering<'t> {
    problems: Problems,
    types: IndexMap<&'t str, DeclaredType<'t>>,
    participants: IndexMap<CompactString, Arc<Participant>>,
    used_types: NameSet<CompactString>,
    used_participants: NameSet<CompactString>,
    /// Commands and messages, with their participant.
    used_commands: NameSet<(CompactString, CompactString)>,
    /// Not everything could be read: names of types, participants and sagas may be defined where nobody looked.
    misses_files: bool,
    /// Something was skipped that may use any name, so nothing can be called unused.
    skipped_any: bool,
    /// Sagas that have been lowered: what one runs is among them.
    sagas: Names<Arc<Saga>>,
    /// The names of all sagas.
    all_sagas: Vec<CompactString>,
    /// Where a saga would run itself: reported.
    circular: BTreeSet<Span>,
    /// What `run` may still copy.
    room: usize,
    /// That was too little, which was reported.
    is_full: bool,
    /// The names of the saga that is being lowered.
    scope: Scope,
    /// Blocks around what is being lowered.
    blocks: usize,
    /// Loops around it.
    loops: usize,
    /// Signals of the sagas that it runs.
    inner_signals: Vec<Arc<Signal>>,
    /// Nodes of the expression that is being lowered.
    nodes: usize,
}

impl Lowering<'_> {
    fn report(&mut self, finding: Diagnostic) {
        self.problems.push(finding);
    }

    fn title_taken(&mut self, item: &tree::Scenario, first: Span) {
        let name = tree::Name { text: item.title.value.as_str().into(), span: item.title.span };
        self.taken("scenario", &name, first);
    }

    fn taken(&mut self, kind: &str, name: &tree::Name, first: Span) {
        self.report(
            Diagnostic::error(codes::NAME_TAKEN, name.span, format!("a second {kind} is called `{}`", name.text))
                .here("defined again here")
                .also(first, "first defined here")
                .hint("give one of them another name"),
        );
    }
}

/// The candidate that `word` is probably meant to be.
pub(crate) fn near<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    /// As similar as `flihgt` and `flight`; less and suggestions are guesses.
    const SIMILAR: f64 = 0.75;
    let scored = candidates.into_iter().map(|candidate| (strsim::jaro_winkler(word, candidate), candidate));
    let best = scored.filter(|(score, _)| *score >= SIMILAR).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, candidate)| candidate)
}

/// `a`, `b` and `c`, each in backquotes; at most ten.
fn listed<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    /// Longer lists are not read.
    const SHOWN: usize = 10;
    let words: Vec<&str> = words.into_iter().collect();
    let mut quoted: Vec<String> = words.iter().take(SHOWN).map(|word| format!("`{word}`")).collect();
    if words.len() > SHOWN {
        quoted.push(format!("{} more", words.len() - SHOWN));
    }
    match quoted.split_last() {
        None => "none".into(),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}
