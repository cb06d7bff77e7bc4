//! Where a participant is reached, as people write it: `--participant tickets=http://127.0.0.1:8081/commands`.

use std::fmt;
use std::str::FromStr;

/// Where a participant is reached. Shown without its password, so that none gets into an output or a log.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// Nowhere: replies are made from the contract.
    Simulated,
    /// A URL to which commands are posted.
    Http(reqwest::Url),
    /// A command line: the program and its arguments.
    Process {
        /// The program, as a path or found in `PATH`.
        program: String,
        /// Its arguments.
        arguments: Vec<String>,
    },
}

/// What whoever answers in a participant's place calls itself.
const MEMBER_SIMULATED: &str = "saga.simulated";

/// What the name of whoever passes commands on begins with; where to stands behind it.
const MEMBER_BRIDGE: &str = "saga.bridge ";

impl Address {
    /// What whoever carries commands there calls itself, for those who ask who reads a topic: whether it answers in a
    /// participant's place or passes on what that says, and where that is. Of a URL without what may be a secret, of a
    /// process the program.
    #[must_use]
    pub fn member(&self) -> String {
        match self {
            Self::Simulated => MEMBER_SIMULATED.to_owned(),
            Self::Http(url) => {
                let place = url.host_str().unwrap_or_default();
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                format!("{MEMBER_BRIDGE}{}://{place}{port}{}", url.scheme(), url.path())
            }
            Self::Process { program, .. } => format!("{MEMBER_BRIDGE}process:{program}"),
        }
    }

    /// Where whoever calls itself so passes commands on to; none: it does not.
    #[must_use]
    pub fn of_member(member: &str) -> Option<&str> {
        member.strip_prefix(MEMBER_BRIDGE)
    }
}

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// None of the forms.
    #[error(
        "read the address{}: it is `simulated`, a URL such as http://127.0.0.1:8081/commands, or \
         process: with a command line behind it",
        if text.is_empty() { ", which is empty".to_owned() } else { format!(" `{text}`") }
    )]
    Unknown {
        /// What was given.
        text: String,
    },
    /// A URL with a mistake.
    #[error("read the address `{text}` as a URL: {why}")]
    Url {
        /// What was given.
        text: String,
        /// The mistake.
        why: String,
    },
    /// `process:` and nothing behind it.
    #[error("read the address `process:`: there is no command behind it; write process:./tickets --store tickets.db")]
    NoCommand,
    /// A quotation mark that is not closed.
    #[error("read the command line `{text}`: a quotation mark is not closed")]
    Quotes {
        /// What was given.
        text: String,
    },
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text == "simulated" {
            return Ok(Self::Simulated);
        }
        if let Some(line) = text.strip_prefix("process:") {
            let words = shell_words::split(line).map_err(|_| AddressError::Quotes { text: line.trim().to_owned() })?;
            let mut words = words.into_iter();
            let program = words.next().filter(|word| !word.is_empty()).ok_or(AddressError::NoCommand)?;
            return Ok(Self::Process { program, arguments: words.collect() });
        }
        if text.starts_with("http://") || text.starts_with("https://") {
            let url = reqwest::Url::parse(text)
                .map_err(|error| AddressError::Url { text: without_password(text), why: error.to_string() })?;
            return Ok(Self::Http(url));
        }
        Err(AddressError::Unknown { text: without_password(text) })
    }
}

impl Address {
    /// As it was written, the password included: for whoever reads it back.
    pub(super) fn written(&self) -> String {
        match self {
            Self::Simulated => "simulated".to_owned(),
            Self::Http(url) => url.to_string(),
            Self::Process { program, arguments } => {
                let words = std::iter::once(program).chain(arguments);
                format!("process:{}", shell_words::join(words))
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Http(url) = self
            && url.password().is_some()
        {
            let mut url = url.clone();
            // A URL with a password can have another.
            let _ = url.set_password(Some(HIDDEN));
            return write!(f, "{url}");
        }
        f.write_str(&self.written())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// What stands for a password.
const HIDDEN: &str = "***";

/// A text that may have been meant as a URL, without what may have been meant as its password: all between the first
/// `:` behind the scheme and the last `@`.
#[must_use]
pub fn without_password(text: &str) -> String {
    let behind_scheme = text.find("://").map_or(0, |at| at + "://".len());
    let secret = text.rsplit_once('@').and_then(|(before, host)| {
        let (scheme, login) = before.split_at_checked(behind_scheme)?;
        let (user, _) = login.split_once(':')?;
        Some(format!("{scheme}{user}:{HIDDEN}@{host}"))
    });
    secret.unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_were_written() {
        for text in [
            "simulated",
            "http://127.0.0.1:8081/commands",
            "https://tickets.example/commands?tenant=7",
            "process:./tickets --store 'my tickets.db'",
        ] {
            assert_eq!(text, text.parse::<Address>().unwrap().written());
        }
    }

    #[test]
    fn who_carries_commands_says_where_to_and_no_secret() {
        let member = |text: &str| text.parse::<Address>().unwrap().member();
        let url = member("https://saga:s3cret@rooms.shop:8443/commands?token=t0ken");
        assert_eq!(Address::of_member(&url), Some("https://rooms.shop:8443/commands"));
        assert_eq!(Address::of_member(&member("process:./tickets --password s3cret")), Some("process:./tickets"));
        assert_eq!(Address::of_member(&member("simulated")), None);
    }

    #[test]
    fn nothing_shows_a_password() {
        let address: Address = "http://saga:s3cret@127.0.0.1:8081/commands?of=a@b".parse().unwrap();
        assert_eq!("http://saga:s3cret@127.0.0.1:8081/commands?of=a@b", address.written());
        assert_eq!("http://saga:***@127.0.0.1:8081/commands?of=a@b", address.to_string());
        assert_eq!("Address(http://saga:***@127.0.0.1:8081/commands?of=a@b)", format!("{address:?}"));
        for (text, shown) in [
            ("ftp://saga:s3cret@shop", "ftp://saga:***@shop"),
            ("http://saga:s3/c@ret@shop:99999/", "http://saga:***@shop:99999/"),
            ("saga:s3cret@shop", "saga:***@shop"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(shown) && !error.contains("s3"), "{error}");
        }
        assert_eq!("http://saga@shop:8081/", without_password("http://saga@shop:8081/"));
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        let shown: Vec<_> =
            ["", "tickets:8081", "http://", "http://a:99999/", "process:", "process: ''", "process:a 'b"]
                .map(|text| text.parse::<Address>().unwrap_err().to_string())
                .into();
        insta::assert_snapshot!(shown.join("\n"), @"
        read the address, which is empty: it is `simulated`, a URL such as http://127.0.0.1:8081/commands, or process: with a command line behind it
        read the address `tickets:8081`: it is `simulated`, a URL such as http://127.0.0.1:8081/commands, or process: with a command line behind it
        read the address `http://` as a URL: empty host
        read the address `http://a:99999/` as a URL: invalid port number
        read the address `process:`: there is no command behind it; write process:./tickets --store tickets.db
        read the address `process:`: there is no command behind it; write process:./tickets --store tickets.db
        read the command line `a 'b`: a quotation mark is not closed
        ");
    }
}
