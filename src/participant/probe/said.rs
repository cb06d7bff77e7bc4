//! What is said in a conversation, and what one makes of it: replies, transcripts, what is wrong.

use std::process::Command as Process;

use crate::engine::Status;
use crate::json::Json;

/// Why a rule is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is broken: where, and how.
    Broken(String),
    /// It could not be tried: why.
    Untried(String),
}

impl Wrong {
    pub(super) fn broken(how: impl Into<String>) -> Self {
        Self::Broken(how.into())
    }

    pub(super) fn untried(why: impl Into<String>) -> Self {
        Self::Untried(why.into())
    }
}

/// What shows what the participant has in its books: a shell's command whose output changes with the work alone.
#[derive(Clone, Debug)]
pub struct Books(pub String);

impl Books {
    pub(super) fn read(&self) -> Result<String, String> {
        let output = Process::new("sh").arg("-c").arg(&self.0).output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(format!("`{}` ends with {}: {said}", self.0, output.status));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// A reply, as far as it can be read.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) status: Option<Status>,
    pub(super) payload: Option<Json>,
}

impl Heard {
    fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_str(self.payload.as_ref()?.get()).ok()
    }

    /// Whether it says the same as another: JSON as JSON, since nobody keeps spaces.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let code = |heard: &Self| match &heard.status {
            Some(Status::Failed { code, .. }) => Some(code.clone()),
            _ => None,
        };
        let (mine, others) = (self.status.as_ref().map(Status::as_str), other.status.as_ref().map(Status::as_str));
        let is_payload_same = !matches!(self.status, Some(Status::Succeeded)) || self.json() == other.json();
        mine == others && code(self) == code(other) && is_payload_same
    }

    pub(super) fn shown(&self) -> String {
        /// More of a payload nobody reads in a table.
        const SHOWN: usize = 60;
        let mut text = match &self.status {
            None => "a reply that cannot be read".to_owned(),
            Some(Status::Failed { code, .. }) => format!("failed, {code}"),
            Some(Status::Retry { code: Some(code) }) => format!("retry, {code}"),
            Some(status) => status.as_str().to_owned(),
        };
        if let (Some(Status::Succeeded), Some(payload)) = (&self.status, &self.payload) {
            let payload = payload.get();
            let cut: String = payload.chars().take(SHOWN).collect();
            text.push(' ');
            text.push_str(&cut);
            if cut.len() < payload.len() {
                text.push('…');
            }
        }
        text
    }
}

/// What was said while a rule was tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// To the participant.
    pub sent: Vec<String>,
    /// By it.
    pub came: Vec<String>,
}

/// What people and tools go by in replies, and the engine does not: no rule is broken without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// Replies with another key than their command.
    pub other_keys: u32,
    /// Replies that do not hand on the `traceparent` of their command.
    pub untraced: u32,
}

impl Marks {
    /// In words, of so many replies.
    pub(super) fn remarks(self, heard: u32) -> Vec<String> {
        let said = [
            (self.other_keys, "have another key than their command, the instance, by which people and tools find them"),
            (self.untraced, "do not hand on the `traceparent` of their command, so its trace ends there"),
        ];
        let said = said.into_iter().filter(|(count, _)| *count > 0);
        said.map(|(count, what)| format!("{count} of {heard} replies {what}")).collect()
    }
}
