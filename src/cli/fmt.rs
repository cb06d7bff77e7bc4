//! `saga fmt`: writes files in the one layout.

use std::fs;

use super::check::each_once;
use super::sources::{STDIN, colour, read};
use super::{CliError, Exit, Out};
use crate::diagnostic::render;
use crate::source::{FileId, Sources};
use crate::syntax;

/// Write files in the one layout of the language; comments stay
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files of the language; - reads standard input and writes standard output
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Change nothing; name the files that would change
    #[arg(long)]
    check: bool,
}

/// What becomes of one file.
enum Formatted {
    AsItWas,
    Changed(String),
    /// It cannot be parsed: it is left as it is.
    Refused,
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let mut exit = Exit::Done;
    for name in each_once(&arguments.files) {
        let (text, formatted) = format(name, out)?;
        match formatted {
            Formatted::Refused => {
                out.remark(format_args!("{name} is left as it is: it cannot be read"));
                exit = Exit::Findings;
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

/// Writes beside the file and puts it in its place, so that a full disk leaves the file as it was.
fn write(name: &str, text: &str) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::usage(format!("failed to write {name}: {error}"));
    // A link stays a link: what it leads to is written.
    let path = fs::canonicalize(name).map_err(failed)?;
    let beside = path.with_extension("saga.formatted");
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
