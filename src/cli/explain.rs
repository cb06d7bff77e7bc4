//! `saga explain`: the page of a finding's code, or of a promise.

use super::error::near_miss;
use super::{CliError, Exit, Out};
use crate::diagnostic::codes;
use crate::model::explore::Property;
use crate::simulation;

/// Print the page of a finding's code, or of a promise of `check` or `simulate`
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// As in the finding: SG0101; as in `saga check`: mirror-order; or as in `saga simulate`: 'compensated = none, for ever'
    code: String,
}

/// The page of a finding's code, or of a promise.
pub(super) fn page(code: &str) -> Option<&'static str> {
    codes::page(code).or_else(|| Property::named(code).map(Property::page)).or_else(|| simulation::page(code))
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let code = arguments.code.trim();
    let Some(page) = page(code) else {
        let error = CliError::usage(format!("there is no finding with the code `{code}`, and no promise of that name"));
        let promises = || Property::ALL.into_iter().map(Property::name).chain(simulation::properties());
        let near = near_miss("promises", &code.to_ascii_lowercase(), promises())
            .filter(|_| code.contains('-') || !code.contains(|character: char| character.is_ascii_digit()));
        let codes = || codes::CATALOGUE.iter().map(|(code, _)| code.0);
        return Err(match near.or_else(|| near_miss("known codes", &code.to_ascii_uppercase(), codes())) {
            Some(hint) => error.hint(hint),
            None => error,
        });
    };
    out.data(page)?;
    Ok(Exit::Done)
}
