//! What the errors of the layers below are to whoever calls the API.

use std::path::Path;

use super::api::{ApiError, Fault, INVALID_INPUT};
use crate::engine::{InstanceId, Refusal, Rejection};
use crate::log::{Site, embedded};
use crate::participant::remembered::RememberedError;
use crate::runtime::{DeployError, Error, OpenError};

pub(super) fn no_data(data: &Path) -> ApiError {
    ApiError::unavailable(format!("there is no data in {}", data.display()))
        .hint("name the directory with --data DIR, a server with --server URL, or brokers with --kafka HOST:PORT")
}

/// An id as an argument of a command, which one that looks like an option would not be.
pub(crate) fn named(id: &str) -> String {
    let dashes = if id.starts_with('-') { "-- " } else { "" };
    format!("{dashes}{}", shell_words::quote(id))
}

/// "failed to …", with the causes that the error does not say itself.
pub(super) fn unavailable(error: &dyn std::error::Error) -> ApiError {
    let mut message = format!("failed to {error}");
    let mut cause = error.source();
    while let Some(next) = cause {
        let words = next.to_string();
        if !message.contains(&words) {
            message.push_str(": ");
            message.push_str(&words);
        }
        cause = next.source();
    }
    ApiError::unavailable(message)
}

impl ApiError {
    /// A request about the instance `id` that was refused.
    pub(super) fn rejected(rejection: &Rejection, id: &InstanceId) -> Self {
        let quoted = named(id.as_str());
        let show = |what: &str| Some(format!("`saga show {quoted}` {what}"));
        let (fault, code, hint) = match rejection.code {
            Refusal::InvalidInput => (Fault::Input, INVALID_INPUT, None),
            Refusal::Conflict => {
                let hint = format!("give the new one another id, or look at the old one: `saga show {quoted}`");
                (Fault::State, "conflict", Some(hint))
            }
            Refusal::UnknownInstance => (Fault::Unknown, "unknown_instance", None),
            Refusal::UnknownSaga => (
                Fault::Unknown,
                "unknown_saga",
                Some("give its file to `saga serve`, or on Kafka to `saga deploy`".to_owned()),
            ),
            Refusal::UnknownStep => (Fault::Unknown, "unknown_step", show("lists the steps")),
            Refusal::UnknownSignal => (Fault::Unknown, "unknown_signal", None),
            Refusal::PastPivot => (Fault::State, "past_pivot", show("lists what is possible now")),
            Refusal::Compensating => (Fault::State, "compensating", None),
            Refusal::Ended => (Fault::State, "ended", None),
            Refusal::NotStuck => (Fault::State, "not_stuck", show("lists what is possible now")),
            Refusal::Misfit => (Fault::Input, "misfit", None),
            Refusal::NotSent => (Fault::State, "not_sent", None),
            Refusal::Busy => (Fault::Busy, "busy", None),
            Refusal::Unreadable => (Fault::Request, "unreadable", None),
        };
        Self { hint, ..Self::new(fault, code, rejection.message.clone()) }
    }
}

/// The log does not take what somebody wanted in a topic: it is too large, or this server may not write there.
pub(super) fn not_taken(log: &dyn Site, topic: &str, why: &str) -> ApiError {
    let said = format!("the log refuses it: {why}");
    if log.may_not_write(topic) { ApiError::unavailable(said) } else { ApiError::new(Fault::Size, "refused", said) }
}

impl From<OpenError> for ApiError {
    fn from(error: OpenError) -> Self {
        match &error {
            OpenError::Log(embedded::OpenError::Nothing { path }) => no_data(path),
            OpenError::Log(embedded::OpenError::Locked { .. }) => {
                Self { code: Self::LOCKED.to_owned(), ..unavailable(&error) }
            }
            _ => unavailable(&error),
        }
    }
}

impl From<RememberedError> for ApiError {
    fn from(error: RememberedError) -> Self {
        unavailable(&error)
    }
}

impl From<DeployError> for ApiError {
    fn from(error: DeployError) -> Self {
        match &error {
            DeployError::Refused { .. } => Self::new(Fault::Input, "refused", format!("failed to {error}")),
            DeployError::Unshared { count, partitions, .. } => {
                Self::new(Fault::Input, "limit_too_low", format!("failed to {error}"))
                    .hint(format!("write `at most {partitions} at once` or more, or a rate, such as `at most {count} per second`"))
                    .hint(format!("or make a deployment with fewer partitions: saga init --partitions {count} --prefix NAME"))
            }
            DeployError::VersionPublished { .. } | DeployError::Overtaken { .. } => {
                Self::new(Fault::State, "version_taken", format!("failed to {error}"))
            }
            DeployError::VersionTaken { saga, version, .. } => {
                Self::new(Fault::State, "version_taken", format!("failed to {error}"))
                    .hint(format!("write `version {}` for the new content: what runs goes on by the old one", version + 1))
                    .hint(format!("`saga list --saga {saga}` shows what still runs; to try something out, take another directory: --data DIR"))
            }
            DeployError::Append { .. } | DeployError::View(_) | DeployError::Look(_) => unavailable(&error),
        }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::Look(error) => error.into(),
            error => Self::of(&error),
        }
    }
}

impl ApiError {
    fn of(error: &Error) -> Self {
        match error {
            Error::Look(error) => unavailable(error),
            Error::Unknown { id } => Self::unknown_instance(id.as_str()),
            Error::Undecided { .. } => Self::new(Fault::Unknown, "undecided", format!("failed to {error}"))
                .hint("it begins once an orchestrator takes it up: if this stays so, none runs (`saga serve`)"),
            Error::NoSuchSaga { saga, near } => {
                let known = Self::new(Fault::Unknown, "unknown_saga", format!("no saga `{saga}` is deployed here"));
                match near {
                    Some(near) => known.hint(format!("did you mean `{near}`?")),
                    None => known.hint("give its file to `saga serve` or `saga run`, or on Kafka to `saga deploy`"),
                }
            }
            Error::Forgotten { .. } => Self::new(Fault::Unknown, "forgotten", format!("failed to {error}")),
            Error::NotBegun { .. } => Self::new(Fault::Unknown, "not_begun", format!("failed to {error}"))
                .hint("what had been of this id before that is forgotten: the journal is not kept for ever"),
            Error::NoRun { id, .. } => Self::new(Fault::Unknown, "unknown_run", format!("failed to {error}"))
                .hint(format!("`saga show {}` lists the runs of the id that are known", named(id.as_str()))),
            Error::Refused { .. } => Self::new(Fault::Size, "refused", format!("failed to {error}")),
            Error::Forbidden { .. } => unavailable(error),
            Error::Gone { .. } => unavailable(error).hint(
                "restore the topic, or make it anew with `saga init`: `saga list` says then which partitions stand still, \
                 and what lets them go on",
            ),
            Error::NoPartition { .. } => Self::new(Fault::Unknown, "unknown_partition", format!("failed to {error}")),
            Error::NotOwned { partition } => Self::new(Fault::State, "not_owned", format!("failed to {error}"))
                .hint(format!("give the order to the `saga serve` whose /healthz names partition {partition} as stopped")),
            Error::NoGap { .. } => Self::new(Fault::State, "no_gap", format!("failed to {error}"))
                .hint("`saga list` says which partitions stand still, and why"),
            Error::NoDefinition { .. }
            | Error::NoRecords { .. }
            | Error::Misfit { .. }
            | Error::Stopped { .. }
            | Error::Uncertain { .. }
            | Error::Read(_)
            | Error::Journal(_)
            | Error::Unreadable(_)
            | Error::View(_)
            | Error::Closed => unavailable(error),
        }
    }
}
