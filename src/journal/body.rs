//! What can be told of a record's body by its kind alone.

use super::record::Body;
use crate::engine::InstanceId;

impl Body {
    /// Whom it is about.
    #[must_use]
    pub const fn instance(&self) -> Option<&InstanceId> {
        match self {
            Self::Change { instance, .. }
            | Self::Bar { instance, .. }
            | Self::Park { instance, .. }
            | Self::Resume { instance, .. }
            | Self::Pass { instance }
            | Self::Waiting { instance, .. } => Some(instance),
            Self::Reject { instance, .. } => instance.as_ref(),
            Self::Claim { .. }
            | Self::Forward { .. }
            | Self::Gap { .. }
            | Self::Mark
            | Self::Started { .. }
            | Self::Snapshot { .. }
            | Self::Ended { .. }
            | Self::Completed { .. } => None,
        }
    }

    /// Whether it is a part of a checkpoint, which only saves reading.
    #[must_use]
    pub const fn is_of_checkpoint(&self) -> bool {
        use Body::{Completed, Ended, Snapshot, Started, Waiting};
        matches!(self, Started { .. } | Snapshot { .. } | Waiting { .. } | Ended { .. } | Completed { .. })
    }

    /// Its name in the journal.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Claim { .. } => "claim",
            Self::Change { .. } => "change",
            Self::Reject { .. } => "reject",
            Self::Bar { .. } => "bar",
            Self::Forward { .. } => "forward",
            Self::Park { .. } => "park",
            Self::Resume { .. } => "resume",
            Self::Pass { .. } => "pass",
            Self::Gap { .. } => "gap",
            Self::Mark => "mark",
            Self::Started { .. } => "started",
            Self::Snapshot { .. } => "snapshot",
            Self::Waiting { .. } => "waiting",
            Self::Ended { .. } => "ended",
            Self::Completed { .. } => "completed",
        }
    }
}
