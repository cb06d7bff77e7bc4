//! `saga graph`: a picture of a saga, as text for Mermaid or Graphviz, or as SVG.

use std::sync::Arc;

use super::sources::check_file;
use super::{CliError, Exit, Out};
use crate::plan::{Plan, picture, svg};

/// Draw a saga: its flow, its compensations, its point of no return
#[derive(Debug, clap::Args)]
#[command(after_help = "A picture for a browser: `saga graph FILE --format svg > saga.svg`")]
pub(super) struct Arguments {
    /// A file of the language; - for standard input
    file: String,
    /// The saga, where the file has several
    saga: Option<String>,
    /// The language of the picture
    #[arg(long, value_enum, default_value_t = Format::Mermaid)]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// Markdown of many hosts shows it in a fenced block
    Mermaid,
    /// Graphviz
    Dot,
    /// A picture that needs no other program
    Svg,
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let file = check_file(&arguments.file)?.accepted(out)?;
    let plan = Plan::new(Arc::clone(file.saga(arguments.saga.as_deref())?));
    out.data(match arguments.format {
        Format::Mermaid => picture::mermaid(&plan, &file.sources),
        Format::Dot => picture::dot(&plan, &file.sources),
        Format::Svg => svg::svg(&plan, &file.sources),
    })?;
    Ok(Exit::Done)
}
