//! Reads files of the language and has them checked. Each file given is a program of its own, with those that it uses:
//! names of one are not known in another.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use super::error::{Kind, in_words, near_miss};
use super::{CliError, Out};
use crate::check::{self, Alone};
use crate::definition::lower::Trees;
use crate::definition::{Program, Saga};
use crate::diagnostic::render::{self, Color};
use crate::diagnostic::{Diagnostic, codes};
use crate::files::{Folder, beside};
#[cfg(feature = "kafka")]
use crate::log::Topics;
use crate::source::{FileId, SourceFile, Sources};
use crate::syntax;
use crate::syntax::limits::MAX_FILE_BYTES;

/// Standard input, where a file is asked for.
pub(super) const STDIN: &str = "-";

/// A file that was checked, with those that it uses.
pub(super) struct Checked {
    /// As the user named it.
    pub(super) name: String,
    /// The files as they were read.
    pub(super) sources: Sources,
    /// What they mean; of use only if nothing refuses it.
    pub(super) program: Program,
    /// All findings, by place.
    pub(super) findings: Vec<Diagnostic>,
    trees: Trees,
    is_refused: bool,
}

impl Checked {
    fn new(name: &str, checked: check::Checked) -> Self {
        let is_refused = checked.has_errors();
        let check::Checked { sources, trees, program, findings } = checked;
        Self { name: name.to_owned(), sources, program, findings, trees, is_refused }
    }

    /// Whether a finding refuses it.
    pub(super) const fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// The findings as people read them.
    pub(super) fn text(&self, colour: Color) -> String {
        render::text(&self.sources, &self.findings, colour)
    }

    /// The program, or its findings on standard error and a failure.
    pub(super) fn accepted(self, out: &mut Out) -> Result<Self, CliError> {
        out.aside(&self.text(colour(out.remarks_in_colour())));
        if self.is_refused() {
            let again = format!("`saga check {}` shows the findings again", shell_words::quote(&self.name));
            return Err(CliError::new(Kind::Findings, format!("{} cannot be used", self.name)).hint(again));
        }
        Ok(self)
    }

    /// The program, if an orchestrator can run it; or else its findings on standard error and a failure.
    pub(super) fn runnable(self, out: &mut Out) -> Result<Self, CliError> {
        let file = self.accepted(out)?;
        let choreographed = file.program.sagas.values().filter_map(|saga| Some((saga, saga.choreography?)));
        let not_yet = choreographed.map(|(saga, at)| {
            let title = format!("`{}` is choreographed, which saga can check and cannot run yet", saga.name);
            Diagnostic::error(codes::NOT_BUILT_YET, at, title)
                .why("Its steps would be done by agents beside the participants, and there are none yet.")
                .hint("write `coordination orchestration`: it ends in the same ways")
        });
        let not_yet: Vec<Diagnostic> = not_yet.collect();
        if not_yet.is_empty() {
            return Ok(file);
        }
        out.aside(&render::text(&file.sources, &not_yet, colour(out.remarks_in_colour())));
        Err(CliError::new(Kind::Findings, format!("{} cannot be run", file.name)))
    }

    /// Refuses what names topics of the deployment on Kafka in which it is to be run, with its findings on standard error.
    #[cfg(feature = "kafka")]
    pub(super) fn keeps_off(&self, topics: &Topics, out: &mut Out) -> Result<(), CliError> {
        let findings = check::on_own_topics(&self.program, |topic| topics.is_own(topic));
        if findings.is_empty() {
            return Ok(());
        }
        out.aside(&render::text(&self.sources, &findings, colour(out.remarks_in_colour())));
        let title = format!("{} cannot be used with topics that begin with `{}`", self.name, topics.prefix);
        Err(CliError::new(Kind::Findings, title))
    }

    /// What an orchestrator is given of it: one text that needs no other file, however many it uses.
    pub(super) fn deployable(&self) -> Result<(String, Arc<str>, Program), CliError> {
        let text: Arc<str> = check::as_one_text(&self.sources, &self.trees).into();
        if self.sources.iter().count() > 1 {
            self.is_meant_by(&text)?;
        }
        Ok((self.name.clone(), text, self.program.clone()))
    }

    /// What is stored is read again by every orchestrator, and must then be what it is now.
    fn is_meant_by(&self, text: &str) -> Result<(), CliError> {
        let again = check::check_text("one.saga", text);
        let hashes = |program: &Program| program.sagas.values().map(|saga| Arc::clone(saga.hash())).collect::<Vec<_>>();
        if hashes(&again.program) == hashes(&self.program) {
            return Ok(());
        }
        let why = again.findings.first().map_or("it would mean something else", |finding| &finding.title);
        Err(CliError::usage(format!("{} with all that it uses cannot be written as one text: {why}", self.name))
            .hint("use only what is needed"))
    }

    /// The sagas of the named file.
    pub(super) fn own_sagas(&self) -> impl Iterator<Item = &Arc<Saga>> {
        self.program.sagas.values().filter(|saga| saga.span.file == FileId::default())
    }

    /// The saga of that name, or the only one of the named file.
    pub(super) fn saga(&self, name: Option<&str>) -> Result<&Arc<Saga>, CliError> {
        let sagas = &self.program.sagas;
        let known = || sagas.keys().map(compact_str::CompactString::as_str);
        let Some(name) = name else {
            let mut all = self.own_sagas();
            return match (all.next(), all.next()) {
                (Some(only), None) => Ok(only),
                (None, _) => Err(CliError::usage(format!("{} has no saga", self.name))),
                (Some(_), Some(_)) => {
                    let names: Vec<&str> = self.own_sagas().map(|saga| saga.name.as_str()).collect();
                    Err(CliError::usage(format!("{} has {} sagas", self.name, names.len()))
                        .hint(format!("name one behind the file: {}", names.join(", "))))
                }
            };
        };
        sagas.get(name).ok_or_else(|| {
            let error = CliError::usage(format!("{} has no saga `{name}`", self.name));
            match near_miss("its sagas", name, known()) {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })
    }
}

/// Reads and checks a file with those that it uses.
pub(super) fn check_file(name: &str) -> Result<Checked, CliError> {
    let (file, problems) = read(name)?;
    // A file whose bytes are at fault has nothing that could be checked.
    if !problems.is_empty() {
        let mut sources = Sources::default();
        sources.add(file);
        let checked = check::Checked { sources, findings: problems.sorted(), ..check::Checked::default() };
        return Ok(Checked::new(name, checked));
    }
    // Where not even the working directory is, a text has no files around it.
    let checked = match Folder::around(Path::new(name)) {
        Ok(folder) => check::check_file(file, &folder),
        Err(_) => check::check_file(file, &Alone),
    };
    Ok(Checked::new(name, checked))
}

/// Reads a file, or standard input for `-`. At most one byte over the limit is read, however large it is.
pub(super) fn read(name: &str) -> Result<(SourceFile, crate::diagnostic::Problems), CliError> {
    let failed = |error: &io::Error| {
        let failure = CliError::usage(format!("failed to read {name}: {}", in_words(error)));
        match error.kind() {
            io::ErrorKind::NotFound => failure.hint(near_file(name)),
            io::ErrorKind::IsADirectory => failure.hint(format!("name the files: {name}/*.saga")),
            _ => failure,
        }
    };
    let limit = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let (shown, outcome) = if name == STDIN {
        ("standard input", io::stdin().lock().take(limit).read_to_end(&mut bytes))
    } else {
        (name, File::open(Path::new(name)).and_then(|file| file.take(limit).read_to_end(&mut bytes)))
    };
    outcome.map_err(|error| failed(&error))?;
    Ok(syntax::decode(FileId(0), shown, &bytes))
}

/// The file beside it whose name is near.
fn near_file(name: &str) -> String {
    let path = Path::new(name);
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    near_miss("there are", &wanted, beside(path).iter().map(String::as_str))
        .unwrap_or_else(|| "paths are relative to the working directory".to_owned())
}

/// Whether findings are shown in colours.
pub(super) const fn colour(wanted: bool) -> Color {
    if wanted { Color::Always } else { Color::Never }
}
