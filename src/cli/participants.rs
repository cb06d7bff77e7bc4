//! Where participants are reached, as the command line and `saga.toml` say it.

use std::collections::BTreeMap;

use super::error::{Kind, near_miss};
use super::settings::Settings;
use super::{CliError, Out};
use crate::http::cast::Cast;
use crate::participant::Address;

/// Where participants are reached.
#[derive(Debug, clap::Args)]
pub(super) struct Participants {
    /// Where a participant is reached: http://…, process:COMMAND, or simulated; can be repeated
    #[arg(long, value_name = "NAME=ADDRESS")]
    pub(super) participant: Vec<String>,
    /// Simulate those for which nothing is said, without a word about it
    #[arg(long, value_enum, value_name = "HOW")]
    participants: Option<Unnamed>,
}

/// What becomes of participants for which nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Unnamed {
    /// Answered from their contracts
    Simulated,
}

/// What was said, read.
pub(super) struct Addresses {
    given: BTreeMap<String, Address>,
    /// Names that the command line gives.
    named: Vec<String>,
    unnamed: Option<Unnamed>,
}

impl Participants {
    /// Reads all addresses.
    pub(super) fn addresses(&self, settings: &Settings) -> Result<Addresses, CliError> {
        let mut given: BTreeMap<String, Address> = BTreeMap::new();
        for (name, address) in &settings.participants {
            given.insert(name.clone(), read_address(address)?);
        }
        let mut named = Vec::new();
        for argument in &self.participant {
            let Some((name, address)) = argument.split_once('=') else {
                return Err(CliError::usage(format!("failed to read `--participant {argument}`: it has no `=`"))
                    .hint("--participant tickets=http://127.0.0.1:8081/commands"));
            };
            given.insert(name.to_owned(), read_address(address)?);
            named.push(name.to_owned());
        }
        Ok(Addresses { given, named, unnamed: self.participants })
    }
}

fn read_address(text: &str) -> Result<Address, CliError> {
    text.parse().map_err(|error| CliError::failed_to(Kind::Usage, &error))
}

impl Addresses {
    /// Refuses an address on the command line for a participant that nobody knows. One settings file may serve several
    /// definitions, so a name in there that these have not is no mistake.
    pub(super) fn are_of(&self, cast: &Cast) -> Result<(), CliError> {
        let names = cast.names();
        let Some(unknown) = self.named.iter().find(|name| !names.contains(&name.as_str())) else { return Ok(()) };
        let error = CliError::usage(format!("no participant is called `{unknown}`"));
        Err(match near_miss("participants", unknown, names.iter().copied()) {
            Some(hint) => error.hint(hint),
            None => error,
        })
    }

    /// Those for which nothing is said.
    fn missing<'c>(&self, cast: &'c Cast) -> Vec<&'c str> {
        cast.names().into_iter().filter(|name| !self.given.contains_key(*name)).collect()
    }

    /// Where one is reached; simulated where nothing is said.
    pub(super) fn or_simulated(&self, name: &str) -> Address {
        self.given.get(name).cloned().unwrap_or(Address::Simulated)
    }

    /// Where one is reached that only definitions in the log speak to. They are those of a service, so nobody plays them
    /// unless that was asked for.
    pub(super) fn of_log(&self, name: &str) -> Option<Address> {
        self.given.get(name).cloned().or_else(|| self.unnamed.map(|Unnamed::Simulated| Address::Simulated))
    }

    /// Says which participants of files are simulated since nothing is said.
    pub(super) fn say_simulated(&self, files: &Cast, out: &mut Out) {
        let missing = self.missing(files);
        if !missing.is_empty() && self.unnamed.is_none() {
            out.remark(format_args!(
                "simulated: {} (give --participant NAME=ADDRESS for real ones)",
                missing.join(", ")
            ));
        }
    }

    /// Says which participants of the log are not reached.
    pub(super) fn say_unreached(&self, log: &Cast, out: &mut Out) {
        let missing = self.missing(log);
        if !missing.is_empty() && self.unnamed.is_none() {
            out.remark(format_args!(
                "not reached: {}, of definitions in the log: what they are asked waits (give --participant NAME=ADDRESS)",
                missing.join(", ")
            ));
        }
    }

    /// Refuses to leave participants of the log without an address.
    pub(super) fn reach_all(&self, log: &Cast) -> Result<(), CliError> {
        let missing = self.missing(log);
        if missing.is_empty() || self.unnamed.is_some() {
            return Ok(());
        }
        let of = missing.join(", ");
        let one = missing.first().copied().unwrap_or_default();
        Err(CliError::usage(format!("nothing says where these participants of the definitions in the log are: {of}"))
            .hint(format!("--participant {one}=http://127.0.0.1:8081/commands, or `[participants]` in saga.toml"))
            .hint("--participants simulated plays them all: not for sagas whose participants are real"))
    }
}
