//! `saga fmt`: writes files in the one layout of their form, or in the other form.

use std::fs;

use super::check::each_once;
use super::sources::{STDIN, colour, read};
use super::{CliError, Exit, Out};
use crate::diagnostic::{Diagnostic, Severity, render};
use crate::source::{FileId, SourceFile, Sources};
use crate::syntax;

/// Write files in the one layout of the language; comments stay, and a YAML file that has some is left as it is
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files of the language; - reads standard input and writes standard output
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Change nothing; name the files that would change
    #[arg(long)]
    check: bool,
    /// Print the file in the other form; comments are lost
    #[arg(long, value_name = "FORM", conflicts_with = "check")]
    to: Option<To>,
}

/// The forms of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum To {
    /// The text form
    Saga,
    /// The YAML twin
    Yaml,
}

/// What becomes of one file.
enum Formatted {
    AsItWas,
    Changed(String),
    /// It cannot be parsed: it is left as it is.
    Refused,
    /// Laid out it would lose what this says: it is left as it is.
    Kept(String),
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    if let Some(to) = arguments.to {
        return convert(&arguments.files, to, out);
    }
    let mut exit = Exit::Done;
    for name in each_once(&arguments.files) {
        let (text, formatted) = format(name, out)?;
        match formatted {
            Formatted::Refused => {
                out.remark(format_args!("{name} is left as it is: it cannot be read"));
                exit = Exit::Findings;
            }
            Formatted::Kept(why) => {
                out.remark(format_args!("{name} is left as it is: {why}"));
                if name == STDIN && !arguments.check {
                    out.data(&text)?;
                }
            }
            Formatted::AsItWas | Formatted::Changed(_) if name == STDIN && !arguments.check => {
                // No control character but line ends and tabs: one that is there refuses the file.
                out.data(if let Formatted::Changed(changed) = &formatted { changed } else { &text })?;
            }
            Formatted::Changed(_) if arguments.check => {
                out.data(format!("{name}\n"))?;
                exit = Exit::Findings;
            }
            Formatted::Changed(changed) => write(name, &changed)?,
            Formatted::AsItWas => {}
        }
    }
    if arguments.check && exit == Exit::Findings {
        out.remark(format_args!("not in the layout of the language: `saga fmt` without --check writes them so"));
    }
    Ok(exit)
}

/// The text as it was read, and what it becomes.
fn format(name: &str, out: &mut Out) -> Result<(String, Formatted), CliError> {
    let (file, mut problems) = read(name)?;
    let text = file.text.to_string();
    let formatted = if problems.is_empty() {
        let (tree, found) = syntax::parse(FileId(0), &file);
        problems.extend(found);
        if let Some((span, what)) = syntax::lost_by_layout(&file, &tree).filter(|_| !problems.has_errors()) {
            let line = file.line_column(span.start).line;
            return Ok((text, Formatted::Kept(format!("{what} would be lost, line {line}"))));
        }
        (!problems.has_errors()).then(|| syntax::format(&file, &tree))
    } else {
        None
    };
    let outcome = match formatted {
        Some(formatted) if formatted == text => Formatted::AsItWas,
        Some(formatted) => Formatted::Changed(formatted),
        None => {
            let mut sources = Sources::default();
            sources.add(file);
            out.aside(&render::text(&sources, &problems.sorted(), colour(out.remarks_in_colour())));
            Formatted::Refused
        }
    };
    Ok((text, outcome))
}

/// Prints one file in a form.
fn convert(files: &[String], to: To, out: &mut Out) -> Result<Exit, CliError> {
    let [name] = files else {
        return Err(
            CliError::usage("`--to` prints one file").hint("give one file, and say where it goes: `… > booking.yaml`")
        );
    };
    let (file, mut problems) = read(name)?;
    let (tree, found) = if problems.is_empty() { syntax::parse(FileId(0), &file) } else { Default::default() };
    problems.extend(found);
    if problems.has_errors() {
        let mut sources = Sources::default();
        sources.add(file);
        out.aside(&render::text(&sources, &problems.sorted(), colour(out.remarks_in_colour())));
        out.remark(format_args!("{name} is not converted: it cannot be read"));
        return Ok(Exit::Findings);
    }
    let (form, converted_name) = match to {
        To::Saga => (syntax::Form::Saga, "converted.saga"),
        To::Yaml => (syntax::Form::Yaml, "converted.yaml"),
    };
    let converted = syntax::convert(&tree, form);
    // What nests deeper than YAML may can be written, and not be read again.
    if let Some(finding) = unreadable(converted_name, &converted) {
        return Err(CliError::usage(format!("{name} cannot be written in this form: {}", finding.title)));
    }
    out.data(converted)?;
    Ok(Exit::Done)
}

/// Why a text that is about to be written could not be read again.
pub(super) fn unreadable(name: &str, text: &str) -> Option<Diagnostic> {
    let (_, found) = syntax::parse(FileId(0), &SourceFile::new(name, text));
    found.sorted().into_iter().find(|finding| finding.severity == Severity::Error)
}

/// Writes beside the file and puts it in its place, so that a full disk leaves the file as it was.
pub(super) fn write(name: &str, text: &str) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::usage(format!("failed to write {name}: {error}"));
    // A link stays a link: what it leads to is written.
    let path = fs::canonicalize(name).map_err(failed)?;
    let mut beside = path.clone().into_os_string();
    beside.push(".formatted");
    let permissions = fs::metadata(&path).map_err(failed)?.permissions();
    if permissions.readonly() {
        return Err(CliError::usage(format!("failed to write {name}: it is read-only")));
    }
    let written = fs::write(&beside, text)
        .and_then(|()| fs::set_permissions(&beside, permissions))
        .and_then(|()| fs::rename(&beside, &path));
    written.map_err(|error| {
        // What is left of the attempt is ours to take away; that it is gone already is no matter.
        drop(fs::remove_file(&beside));
        failed(error)
    })
}
