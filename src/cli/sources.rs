//! Reads files of the language and has them checked. Each file given is a program of its own: names of one are not
//! known in another.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use super::error::{Kind, in_words, near_miss};
use super::{CliError, Out};
use crate::check;
use crate::definition::{Program, Saga};
use crate::diagnostic::render::{self, Color};
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{FileId, SourceFile, Sources};
use crate::syntax;
use crate::syntax::limits::MAX_FILE_BYTES;

/// Standard input, where a file is asked for.
pub(super) const STDIN: &str = "-";

/// A file that was checked.
pub(super) struct Checked {
    /// As the user named it.
    pub(super) name: String,
    /// The file as it was read.
    pub(super) sources: Sources,
    /// What it means; of use only if nothing refuses it.
    pub(super) program: Program,
    /// All findings, by place.
    pub(super) findings: Vec<Diagnostic>,
}

impl Checked {
    /// Whether a finding refuses it.
    pub(super) fn is_refused(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
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

    /// What an orchestrator is given of it.
    pub(super) fn deployable(&self) -> (String, Arc<str>, Program) {
        let text = self.sources.get(FileId(0)).map(|file| Arc::clone(&file.text)).unwrap_or_default();
        (self.name.clone(), text, self.program.clone())
    }

    /// The saga of that name, or the only one.
    pub(super) fn saga(&self, name: Option<&str>) -> Result<&Arc<Saga>, CliError> {
        let sagas = &self.program.sagas;
        let known = || sagas.keys().map(compact_str::CompactString::as_str);
        let Some(name) = name else {
            let mut all = sagas.values();
            return match (all.next(), all.next()) {
                (Some(only), None) => Ok(only),
                (None, _) => Err(CliError::usage(format!("{} has no saga", self.name))),
                (Some(_), Some(_)) => {
                    let names: Vec<&str> = known().collect();
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

/// Reads and checks a file.
pub(super) fn check_file(name: &str) -> Result<Checked, CliError> {
    let (file, problems) = read(name)?;
    let mut sources = Sources::default();
    sources.add(file);
    // A file whose bytes are at fault has nothing that could be checked.
    if !problems.is_empty() {
        let (name, program) = (name.to_owned(), Program::default());
        return Ok(Checked { name, sources, program, findings: problems.sorted() });
    }
    let mut checked = check::check_files(&sources);
    let program = checked.programs.pop().map(|(_, program)| program).unwrap_or_default();
    Ok(Checked { name: name.to_owned(), sources, program, findings: checked.findings })
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
    /// Of a larger folder not all names are looked at.
    const NAMES_MAX: usize = 1_000;
    let path = Path::new(name);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    let names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| {
            let paths = entries.flatten().take(NAMES_MAX).map(|entry| entry.path());
            let sagas = paths.filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "saga" || extension == "yaml" || extension == "yml")
            });
            sagas.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect()
        })
        .unwrap_or_default();
    near_miss("there are", &wanted, names.iter().map(String::as_str))
        .unwrap_or_else(|| "paths are relative to the working directory".to_owned())
}

/// Whether findings are shown in colours.
pub(super) const fn colour(wanted: bool) -> Color {
    if wanted { Color::Always } else { Color::Never }
}
