//! `saga lsp`: the language server, over standard input and output.

use lsp_server::Connection;

use super::error::Kind;
use super::{CliError, Exit};
use crate::lsp;

/// Serve an editor: findings, hover, definitions, completion, rename, formatting, pictures
#[derive(Debug, clap::Args)]
#[command(after_help = "Editors start it; it speaks the Language Server Protocol. editors/vscode has an extension.")]
pub(super) struct Arguments {
    /// Over standard input and output, which is the only way; editors say it
    #[arg(long)]
    stdio: bool,
}

pub(super) fn command(_: &Arguments) -> Result<Exit, CliError> {
    let (connection, threads) = Connection::stdio();
    let served = lsp::serve(&connection);
    // The writer ends once nobody can send any more.
    drop(connection);
    served.map_err(|error| {
        CliError::new(Kind::Usage, format!("failed to serve the editor: {error}"))
            .hint("`saga lsp` is started by an editor; it speaks the Language Server Protocol")
    })?;
    threads.join().map_err(|error| CliError::new(Kind::Usage, format!("failed to serve the editor: {error}")))?;
    Ok(Exit::Done)
}
