//! `saga schema`: the contracts of definitions for other tools.

use super::check::each_once;
use super::sources::check_file;
use super::{CliError, Exit, Out};
use crate::schema::{asyncapi, json_schema};

#[derive(Debug, clap::Args)]
#[command(about = "Write the contracts of definitions: AsyncAPI of topics and messages, JSON Schema of payloads")]
#[command(after_help = "Several files make one document; what they define alike is in it once.")]
pub(super) struct Arguments {
    /// Files of the language; - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Which document
    #[arg(long, value_enum, default_value_t = Format::Asyncapi)]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    #[value(help = "AsyncAPI 3.0: topics, messages, correlation, payloads")]
    Asyncapi,
    /// JSON Schema 2020-12: inputs, signals, requests, replies and messages, each under its name in `$defs`
    JsonSchema,
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let mut programs = Vec::new();
    for file in each_once(&arguments.files) {
        programs.push(check_file(file)?.accepted(out)?.program);
    }
    let document = match arguments.format {
        Format::Asyncapi => asyncapi(&programs),
        Format::JsonSchema => json_schema(&programs),
    };
    let document = document.map_err(|conflict| {
        CliError::usage(format!("failed to {conflict}")).hint("give files of one version, or a document to each")
    })?;
    out.json(&document)?;
    Ok(Exit::Done)
}
