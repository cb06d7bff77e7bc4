//! `saga explain`: the page of a finding's code.

use super::error::near_miss;
use super::{CliError, Exit, Out};
use crate::diagnostic::codes;

/// Print the page of a finding's code
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// As in the finding: SG0101
    code: String,
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let code = arguments.code.trim();
    let Some(page) = codes::page(code) else {
        let known = codes::CATALOGUE.iter().map(|(code, _)| code.0);
        let error = CliError::usage(format!("there is no finding with the code `{code}`"));
        return Err(match near_miss("known codes", &code.to_ascii_uppercase(), known) {
            Some(hint) => error.hint(hint),
            None => error,
        });
    };
    out.data(page)?;
    Ok(Exit::Done)
}
