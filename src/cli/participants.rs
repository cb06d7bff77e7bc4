//! Where participants are reached, as the command line and `saga.toml` say it.

use std::collections::BTreeMap;

use super::error::{Kind, in_words, near_miss, nearest};
use super::settings::Settings;
use super::{CliError, Out};
use crate::http::cast::{Cast, Role};
use crate::http::service::Known;
use crate::participant::address::without_password;
use crate::participant::{Address, remembered};

/// Where participants are reached.
#[derive(Debug, clap::Args)]
pub(super) struct Participants {
    /// Where a participant is reached: http://…, process:COMMAND, or simulated; can be repeated [default: as before in
    /// this data directory, else simulated]
    #[arg(long, value_name = "NAME=ADDRESS")]
    pub(super) participant: Vec<String>,
    /// Simulate those for which nothing is said, wherever they were before
    #[arg(long, value_enum, value_name = "HOW")]
    participants: Option<Others>,
}

/// What becomes of participants for which nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Others {
    /// Answered from their contracts
    Simulated,
    /// Answered as a scenario says
    #[value(skip)]
    Played,
}

/// What was said, read.
#[derive(Clone)]
pub(super) struct Addresses {
    given: BTreeMap<String, Address>,
    /// Names that the command line gives.
    named: Vec<String>,
    others: Option<Others>,
}

impl Participants {
    /// The arguments, to be pasted: a deployment on Kafka does not remember them. Passwords are to be filled in again.
    #[cfg(feature = "kafka")]
    pub(super) fn words(&self) -> Vec<String> {
        let shown = |argument: &str| match argument.split_once('=').map(|(name, text)| (name, text.parse::<Address>()))
        {
            Some((name, Ok(address))) => format!("{name}={address}"),
            Some((_, Err(_))) | None => without_password(argument),
        };
        let given = self.participant.iter().flat_map(|argument| ["--participant".to_owned(), shown(argument)]);
        let others = self.participants.map(|_| ["--participants".to_owned(), "simulated".to_owned()]);
        given.chain(others.into_iter().flatten()).collect()
    }

    /// Reads all addresses.
    pub(super) fn addresses(&self, settings: &Settings) -> Result<Addresses, CliError> {
        let mut given: BTreeMap<String, Address> = BTreeMap::new();
        for (name, address) in &settings.participants {
            let origin = || format!("`{name} = …` below `[participants]` in saga.toml says so");
            given.insert(name.clone(), read_address(address, origin)?);
        }
        let mut named = Vec::new();
        for argument in &self.participant {
            let Some((name, address)) = argument.split_once('=') else {
                let shown = without_password(argument);
                return Err(CliError::usage(format!("failed to read `--participant {shown}`: it has no `=`"))
                    .hint("--participant tickets=http://127.0.0.1:8081/commands"));
            };
            given.insert(
                name.to_owned(),
                read_address(address, || format!("`--participant {}=…` says so", without_password(name)))?,
            );
            named.push(name.to_owned());
        }
        Ok(Addresses { given, named, others: self.participants })
    }
}

fn read_address(text: &str, origin: impl FnOnce() -> String) -> Result<Address, CliError> {
    text.parse().map_err(|error| CliError::failed_to(Kind::Usage, &error).hint(origin()))
}

impl Addresses {
    /// A scenario plays all of them.
    pub(super) fn played() -> Self {
        Self { given: BTreeMap::new(), named: Vec::new(), others: Some(Others::Played) }
    }

    /// Refuses an address on the command line for a participant that nobody knows, and a program that is not there. One
    /// settings file may serve several definitions, so a name in there that these have not is no mistake; it is pointed
    /// out where it looks like that of a participant for which nothing is said.
    pub(super) fn are_of(&self, cast: &Cast, out: &mut Out) -> Result<(), CliError> {
        let names = cast.names();
        let unsaid = |name: &&str| !self.given.contains_key(*name);
        for name in self.given.keys().filter(|name| !names.contains(name.as_str()) && !self.named.contains(name)) {
            if let Some(meant) = nearest(name, names.iter().copied().filter(unsaid)) {
                out.remark(format_args!(
                    "warning: no participant is called `{name}`, to which saga.toml gives an address: did you mean `{meant}`?"
                ));
            }
        }
        for (name, address) in self.given.iter().filter(|(name, _)| names.contains(name.as_str())) {
            can_be_started(name, address)?;
        }
        self.agree(cast)?;
        let Some(unknown) = self.named.iter().find(|name| !names.contains(name.as_str())) else { return Ok(()) };
        let error = CliError::usage(format!("no participant is called `{}`", without_password(unknown)));
        Err(match near_miss("participants", unknown, names.iter().copied()) {
            Some(hint) => error.hint(hint),
            None => error,
        })
    }

    /// Refuses two addresses of one participant, which definitions call by two names.
    pub(super) fn agree(&self, cast: &Cast) -> Result<(), CliError> {
        for role in cast.iter() {
            let mut said = role.names.iter().filter_map(|name| Some((name, self.given.get(name.as_str())?)));
            let Some((one, here)) = said.next() else { continue };
            if let Some((other, there)) = said.find(|(_, address)| *address != here) {
                let topic = role.topic();
                return Err(CliError::usage(format!(
                    "`{one}` and `{other}` are one participant, which reads {topic}, and they are given different \
                     addresses: {one}={here}, {other}={there}"
                ))
                .hint("give an address to one of the names, or the same to both"));
            }
        }
        Ok(())
    }

    /// Where one is reached of whom anything is said, the name by which it is, and whether it is said of that name.
    pub(super) fn said<'r>(&self, role: &'r Role) -> Option<(&'r str, Address, bool)> {
        let named = role.names.iter().find_map(|name| Some((name.as_str(), self.given.get(name.as_str())?)));
        match named {
            Some((name, address)) => Some((name, address.clone(), true)),
            None => self.others.map(|_| (role.contract.name.as_str(), Address::Simulated, false)),
        }
    }

    /// Where each is reached of those that are said; the others read their commands from the log themselves.
    #[cfg(feature = "kafka")]
    pub(super) fn only_said(&self, cast: &Cast) -> remembered::Addresses {
        let reached = cast.iter().filter_map(|role| {
            let (_, address, _) = self.said(role)?;
            Some((role.topic().clone(), address))
        });
        reached.collect()
    }

    /// Where each is reached: as is said now, else as before, else simulated. Says what nobody said.
    ///
    /// # Errors
    /// It would simulate participants that are real for live instances.
    pub(super) fn choose(&self, cast: &Cast, known: &Known, out: &mut Out) -> Result<remembered::Addresses, CliError> {
        let mut chosen = remembered::Addresses::new();
        let (mut simulated, mut real, mut as_before) = (Vec::new(), Vec::new(), Vec::new());
        let mut roles: Vec<_> = cast.iter().collect();
        roles.sort_by_key(|role| &role.contract.name);
        let live = known.live.names();
        for role in roles {
            let topic = role.topic();
            let before = role.names.iter().find_map(|name| known.before.of(topic, name));
            let is_live = known.live.has(topic) || role.names.iter().any(|name| live.contains(name.as_str()));
            let (name, said) = match self.said(role) {
                Some((name, address, _)) => (name, Some(address)),
                None => (role.contract.name.as_str(), None),
            };
            let is_said = said.is_some();
            let address = said.or_else(|| before.cloned()).unwrap_or(Address::Simulated);
            match (&address, before) {
                (Address::Simulated, Some(before)) if *before != Address::Simulated && is_live => {
                    real.push((name, before));
                }
                (Address::Simulated, _) if !is_said || self.others == Some(Others::Played) => simulated.push(name),
                (address, _) if !is_said => as_before.push(format!("{name}: {address} as before")),
                _ => {}
            }
            chosen.insert(topic.clone(), address);
        }
        real.dedup();
        if let Some((name, address)) = real.first() {
            let given = format!("{name}={address}");
            return Err(self.refuse(&real, &shell_words::quote(&given)));
        }
        // One name may stand for several topics.
        as_before.dedup();
        for line in &as_before {
            out.remark(format_args!("{line}"));
        }
        simulated.dedup();
        if !simulated.is_empty() {
            let (names, why) = (
                simulated.join(", "),
                match self.others {
                    Some(Others::Played) => "--scenario plays them",
                    Some(Others::Simulated) | None => "give --participant NAME=ADDRESS for real ones",
                },
            );
            out.remark(format_args!("simulated: {names} ({why})"));
        }
        Ok(chosen)
    }

    /// Live instances have participants that know of them: nobody else may answer in their place.
    fn refuse(&self, real: &[(&str, &Address)], first: &str) -> CliError {
        let names: Vec<String> = real.iter().map(|(name, address)| format!("{name} ({address})")).collect();
        let names = names.join(", ");
        let error = CliError::usage(format!(
            "instances are under way with real participants, which must not be simulated for them now: {names}"
        ));
        let error = error.hint("to play, take another directory: --data DIR");
        match self.others {
            Some(Others::Played) => error.hint("to go on with what is under way, leave out --scenario"),
            Some(Others::Simulated) | None => {
                error.hint(format!("to go on, leave that out, or say where they are: --participant {first}"))
            }
        }
    }
}

/// Refuses a program that cannot be found: it would be tried again and again for nothing.
fn can_be_started(name: &str, address: &Address) -> Result<(), CliError> {
    let Address::Process { program, .. } = address else { return Ok(()) };
    let (why, hint) = if program.contains('/') {
        match std::fs::metadata(program) {
            Ok(found) if found.is_dir() => ("it is a directory".to_owned(), "name the program in it"),
            Ok(found) if !is_executable(&found) => {
                ("it is not executable".to_owned(), "`chmod +x` it, or name its interpreter before it")
            }
            Ok(_) => return Ok(()),
            Err(error) => (in_words(&error), "paths are relative to the working directory"),
        }
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let is_there = |folder: std::path::PathBuf| {
            std::fs::metadata(folder.join(program)).is_ok_and(|found| found.is_file() && is_executable(&found))
        };
        // Without a PATH the system looks where it likes.
        if path.is_empty() || std::env::split_paths(&path).any(is_there) {
            return Ok(());
        }
        ("no folder of PATH has it".to_owned(), "a program of this folder is written with its path: process:./NAME")
    };
    Err(CliError::usage(format!("participant `{name}`: failed to find the program {program}: {why}")).hint(hint))
}

#[cfg(unix)]
fn is_executable(found: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    found.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
const fn is_executable(_found: &std::fs::Metadata) -> bool {
    true
}

#[cfg(all(test, feature = "kafka"))]
mod tests {
    use super::*;
    use crate::check::check_text;

    #[test]
    fn what_is_to_be_pasted_has_no_password() {
        let participant = ["hotels=http://saga:secret@127.0.0.1:8081/?of=a@b", "payments=process:sh till.sh"];
        let said = Participants { participant: participant.map(str::to_owned).into(), participants: None };
        let words = ["--participant", "hotels=http://saga:***@127.0.0.1:8081/?of=a@b", "--participant", participant[1]];
        assert_eq!(words.as_slice(), said.words());
    }

    /// One participant as two definitions call it.
    fn of_two_names() -> Cast {
        let mut cast = Cast::default();
        for name in ["alpha", "zeta"] {
            let text = format!("participant {name} {{ commands \"rs.work\" command Do {{ }} }}");
            cast.extend(&Cast::of(&check_text("work.saga", &text).program));
        }
        cast
    }

    fn said<const N: usize>(participants: [(&str, &str); N]) -> Addresses {
        let of = |(name, address): (&str, &str)| (name.to_owned(), address.parse().expect("an address"));
        let named = participants.iter().map(|(name, _)| (*name).to_owned()).collect();
        Addresses { given: participants.into_iter().map(of).collect(), named, others: None }
    }

    #[test]
    fn each_name_of_a_participant_addresses_it() {
        let cast = of_two_names();
        for name in ["alpha", "zeta"] {
            let said = said([(name, "http://127.0.0.1:9/")]);
            assert!(said.are_of(&cast, &mut Out::default()).is_ok());
            assert_eq!(said.only_said(&cast)["rs.work"].to_string(), "http://127.0.0.1:9/");
            let role = cast.iter().next().unwrap();
            assert_eq!(said.said(role).map(|(by, _, is_named)| (by, is_named)), Some((name, true)));
        }
    }

    #[test]
    fn two_addresses_of_one_participant_are_refused_and_the_same_one_twice_is_not() {
        let cast = of_two_names();
        let there = "http://127.0.0.1:9/";
        assert!(said([("zeta", there), ("alpha", there)]).agree(&cast).is_ok());
        let error = said([("zeta", there), ("alpha", "simulated")]).agree(&cast).unwrap_err().text();
        let both = "`alpha` and `zeta` are one participant, which reads rs.work, and they are given different \
                    addresses: alpha=simulated, zeta=http://127.0.0.1:9/";
        assert!(error.contains(both), "{error}");
    }
}
