//! The journal's record, as `docs/protocol.md` has it.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::engine::{Change, InstanceId, Rejection, Run};
use crate::json::Json;
use crate::time::Timestamp;

/// The version of the record's form. A change of it adds an upcaster and a frozen fixture.
pub const VERSION: u32 = 1;

/// One record of a partition's journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`VERSION`].
    pub v: u32,
    /// The offset of the writer's claim; 0 in a claim, whose own offset is the epoch.
    pub epoch: u64,
    /// 1, 2, 3 … behind the claim; 0 in a claim.
    pub n: u64,
    /// Next unread offsets of the inputs.
    pub read: Positions,
    /// All effects of records before this offset are acknowledged.
    pub sent: u64,
    /// The start of the last complete checkpoint; 0 where there is none.
    pub checkpoint: u64,
    /// The writer's clock.
    pub at: Timestamp,
    /// What it says.
    pub body: Body,
}

/// Next unread offsets of requests and replies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Positions {
    /// Of `saga.requests`.
    pub requests: u64,
    /// Of `saga.replies`.
    pub replies: u64,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A new owner begins.
    Claim {
        /// Its name, for people.
        owner: CompactString,
    },
    /// An instance changed.
    Change {
        /// Which.
        instance: InstanceId,
        /// Which life of it.
        run: Run,
        /// The hash of its definition.
        definition: CompactString,
        /// What made it change.
        cause: Cause,
        /// How.
        change: Change,
    },
    /// An input was refused.
    Reject {
        /// Which instance it was for, if that can be told.
        instance: Option<InstanceId>,
        /// Which input.
        cause: Cause,
        /// Why.
        rejection: Rejection,
        /// Whom to tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tell: Option<crate::engine::ReplyTo>,
        /// The raw input where it cannot be read (for `saga.dead`), as text or in base64 with a prefix.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        raw: Option<String>,
    },
    /// An input stood in the wrong partition.
    Forward {
        /// Which input.
        cause: Cause,
        /// The right partition.
        partition: i32,
    },
    /// Moves `read` and `sent` when nothing else does.
    Mark,
    /// A checkpoint begins.
    Started {
        /// Ended ids that are forgotten from here on.
        forgets: Vec<InstanceId>,
    },
    /// A live instance, whole.
    Snapshot {
        /// As `Instance` serializes.
        instance: Json,
    },
    /// Ended instances that are remembered.
    Ended {
        /// Some of them.
        ended: Vec<Ended>,
    },
    /// The checkpoint is complete.
    Completed {
        /// The offset of its `started`.
        started: u64,
    },
}

/// What made an instance change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A request at this offset.
    Request(u64),
    /// A reply at this offset.
    Reply(u64),
    /// A time that had come.
    Timer(Timestamp),
    /// A command that the log refused for good.
    Undeliverable,
}

/// An instance that has ended, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Its id.
    pub id: InstanceId,
    /// Which life of it.
    pub run: Run,
    /// How it ended: `completed`, or the failure's code.
    pub outcome: CompactString,
    /// The hash of its saga's name and input, to tell a repeat from a conflict.
    pub input: CompactString,
    /// When it ended.
    pub at: Timestamp,
}
