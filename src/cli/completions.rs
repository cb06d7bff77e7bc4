//! `saga completions`: a script for a shell.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{CliError, Exit, Out};

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "For bash: `saga completions bash > ~/.local/share/bash-completion/completions/saga`")]
pub(super) struct Arguments {
    shell: Shell,
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Arguments::command(), "saga", &mut script);
    out.data(String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
