//! Why an attempt is repeated, in words.

use std::fmt;

use super::event::Why;

/// What happened: "HTTP 500 from `http://127.0.0.1:8081/commands`", without the quotes.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = match self {
            Self::Asked(code) => code.as_str(),
            Self::Silence => return f.write_str("no answer within the timeout"),
            Self::Unfit => return f.write_str("only answers came that do not fit the contract"),
            Self::Unknown => return f.write_str("the participant does not know the command"),
        };
        let (word, place) = code.split_once(' ').unwrap_or((code, "the participant"));
        match word {
            "" => f.write_str("the participant asks for a repeat"),
            "http-no-connection" => write!(f, "no connection to {place}"),
            "http-no-answer" => write!(f, "no answer from {place} in time"),
            "http-broken" => write!(f, "the connection to {place} broke"),
            "answer-not-json" => write!(f, "an answer from {place} that is no JSON"),
            "answer-too-large" => write!(f, "an answer from {place} over the limit of a payload"),
            "answer-to-another-command" => write!(f, "an answer from {place} to another command"),
            "process-died" => f.write_str("its process died before it answered"),
            "process-down" => f.write_str("its process does not run: it died or cannot be started"),
            "process-busy" => f.write_str("its process does not read what it is sent"),
            "process-unwritable" => f.write_str("the command cannot be written as a line"),
            _ => match word.strip_prefix("http-").map(|rest| rest.strip_suffix("-without-code").ok_or(rest)) {
                Some(Ok(status)) => write!(f, "HTTP {status} without a code from {place}"),
                Some(Err(status)) if status.bytes().all(|byte| byte.is_ascii_digit()) => {
                    write!(f, "HTTP {status} from {place}")
                }
                Some(Err(_)) | None => write!(f, "the participant asks for a repeat: {code}"),
            },
        }
    }
}
