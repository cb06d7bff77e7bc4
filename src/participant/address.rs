//! Where a participant is reached, as people write it: `--participant tickets=http://127.0.0.1:8081/commands`.

use std::fmt;
use std::str::FromStr;

/// Where a participant is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
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
                .map_err(|error| AddressError::Url { text: text.to_owned(), why: error.to_string() })?;
            return Ok(Self::Http(url));
        }
        Err(AddressError::Unknown { text: text.to_owned() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simulated => f.write_str("simulated"),
            Self::Http(url) => write!(f, "{url}"),
            Self::Process { program, arguments } => {
                let words = std::iter::once(program).chain(arguments);
                write!(f, "process:{}", shell_words::join(words))
            }
        }
    }
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
            assert_eq!(text, text.parse::<Address>().unwrap().to_string());
        }
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
