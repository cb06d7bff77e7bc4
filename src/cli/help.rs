//! `saga help`: a command's help, the language, the exit codes.

use clap::CommandFactory as _;

use super::error::near_miss;
use super::{CliError, Exit, Out, exit};

/// The reference, which is also a document of the project.
const LANGUAGE: &str = include_str!("../../grammar/reference.md");

const TOPICS: [&str; 2] = ["language", "exit-codes"];

/// Print help: of a command, of the `language`, of the `exit-codes`
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A command, `language` or `exit-codes`
    topic: Option<String>,
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let mut saga = super::Arguments::command();
    let text = match arguments.topic.as_deref() {
        None => saga.render_help().ansi().to_string(),
        Some("language") => LANGUAGE.to_owned(),
        Some("exit-codes") => exit::table(),
        Some(topic) => {
            saga.build();
            let Some(command) = saga.find_subcommand_mut(topic) else {
                let error = CliError::usage(format!("there is no help on `{topic}`"));
                let names: Vec<String> = saga.get_subcommands().map(|command| command.get_name().to_owned()).collect();
                let known = TOPICS.into_iter().chain(names.iter().map(String::as_str));
                return Err(match near_miss("help is there on", topic, known) {
                    Some(hint) => error.hint(hint),
                    None => error,
                });
            };
            command.render_long_help().ansi().to_string()
        }
    };
    out.coloured(text)?;
    Ok(Exit::Done)
}
