//! The journal's record, as `docs/protocol.md` has it.

use std::fmt;
use std::sync::Arc;

use compact_str::CompactString;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::engine::{Change, InstanceId, OrderHash, OrderRequest, Rejection, ReplyTo, RequestId, Run};
use crate::json::{Json, sorted};
use crate::time::Timestamp;
use crate::wire::{Headers, Message};

/// The version of the record's form. A change of it adds an upcaster and a frozen fixture.
pub const VERSION: u32 = 8;

/// One record of a partition's journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
pub struct Positions {
    /// Of `saga.requests`.
    pub requests: u64,
    /// Of `saga.replies`.
    pub replies: u64,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Body {
    /// A new owner begins.
    Claim {
        /// Its name, for people.
        owner: CompactString,
        /// Which attempt of that owner, so that it recognises its own.
        attempt: u64,
    },
    /// An instance changed.
    Change {
        /// Which.
        instance: InstanceId,
        /// Which life of it.
        run: Run,
        /// The hash of its definition.
        definition: Arc<str>,
        /// What made it change.
        cause: Cause,
        /// How.
        change: Change,
    },
    /// An input was refused.
    Reject {
        /// Which instance it was for, if that can be told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<InstanceId>,
        /// Which input.
        cause: Cause,
        /// Why.
        rejection: Rejection,
        /// Whom to tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tell: Option<ReplyTo>,
        /// The order, where it was one, without what it carried.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order: Option<Box<OrderRequest>>,
        /// The raw input where it cannot be read or placed: it goes to `saga.dead`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        raw: Option<Raw>,
    },
    /// A cancel came before its start: a start of this id is refused as long as ended instances are remembered.
    Bar {
        /// Which instance.
        instance: InstanceId,
        /// Which input.
        cause: Cause,
        /// Why, for whoever asked.
        rejection: Rejection,
        /// Whom to tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tell: Option<ReplyTo>,
        /// The cancel.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order: Option<Box<OrderRequest>>,
    },
    /// An input stood in the wrong partition.
    Forward {
        /// Which input.
        cause: Cause,
        /// The right partition.
        partition: u32,
        /// The input.
        message: Raw,
    },
    /// The engine failed at an input, or one before it of the same instance: it waits for an operator.
    Park {
        /// Of which instance.
        instance: InstanceId,
        /// The input.
        parked: Parked,
    },
    /// An operator lets the parked inputs of an instance be tried again.
    Resume {
        /// Of which instance.
        instance: InstanceId,
        /// Which input.
        cause: Cause,
        /// The order.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order: Option<Box<OrderRequest>>,
    },
    /// The first parked input of an instance came to nothing.
    Pass {
        /// Of which instance.
        instance: InstanceId,
    },
    /// An operator accepts that inputs are lost, since the log no longer holds them.
    Gap {
        /// Where reading goes on.
        to: Positions,
        /// Who accepts it, as that person or program calls itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<CompactString>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Moves `read` and `sent` when nothing else does.
    Mark,
    /// A checkpoint begins.
    Started {
        /// Ended instances are forgotten if they ended before this.
        forgets: Timestamp,
    },
    /// A live instance, whole.
    Snapshot {
        /// As [`Instance`](crate::engine::Instance) serializes.
        instance: Json,
    },
    /// All parked inputs of an instance.
    Waiting {
        /// Which instance.
        instance: InstanceId,
        /// Whether an operator has let them be tried again.
        resumed: Resumed,
        /// In their order.
        parked: Vec<Parked>,
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

/// What caused a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Cause {
    /// A request at this offset.
    Request(u64),
    /// A reply at this offset.
    Reply(u64),
    /// A time that had come.
    Timer(Timestamp),
    /// A participant with limits took another command.
    Turn,
    /// A command or message that the log refused for good, caused by the record at this offset.
    Undeliverable(u64),
    /// The log acknowledged a message, caused by the record at this offset.
    Acknowledged(u64),
    /// The first parked input of the instance.
    Parked,
}

/// Whether parked inputs are being tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resumed {
    /// They wait for an operator.
    No,
    /// An operator has ordered it.
    Yes,
}

/// An input at which the engine failed, or that came behind one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parked {
    /// Which input.
    pub cause: Cause,
    /// When the log took it; orders repeated starts.
    pub timestamp: Timestamp,
    /// Why it waits; none if only behind another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The input; none for a timer, which is due again anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Raw>,
}

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raw {
    /// Its key.
    pub key: Arc<str>,
    /// Its headers, in their order.
    pub headers: Headers,
    /// Its payload.
    pub payload: RawPayload,
}

/// Bytes in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RawPayload {
    /// They are UTF-8.
    Text(Box<str>),
    /// They are not: two hexadecimal digits a byte.
    Hex(HexBytes),
}

impl Raw {
    /// Keeps a message.
    #[must_use]
    pub fn of(message: &Message) -> Self {
        let payload = match str::from_utf8(&message.payload) {
            Ok(text) => RawPayload::Text(Box::from(text)),
            Err(_) => RawPayload::Hex(HexBytes(message.payload.clone())),
        };
        Self { key: Arc::clone(&message.key), headers: message.headers.clone(), payload }
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        let payload = match &self.payload {
            RawPayload::Text(text) => text.len(),
            RawPayload::Hex(HexBytes(bytes)) => 2 * bytes.len(),
        };
        payload + self.headers.bytes()
    }

    /// The message again.
    #[must_use]
    pub fn to_message(&self) -> Message {
        let payload = match &self.payload {
            RawPayload::Text(text) => Box::from(text.as_bytes()),
            RawPayload::Hex(HexBytes(bytes)) => bytes.clone(),
        };
        Message { key: Arc::clone(&self.key), headers: self.headers.clone(), payload }
    }
}

/// Bytes that serialize as hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HexBytes(pub Box<[u8]>);

impl Serialize for HexBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        unhex(&text).map(|bytes| Self(bytes.into_boxed_slice())).ok_or_else(|| D::Error::custom("not hexadecimal"))
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|pair| value_of(*pair)).collect()
}

/// Of four bits.
const fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + (value - 10) }
}

/// Of two digits.
fn value_of([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// Declares a cut SHA-256 that serializes as hexadecimal digits.
macro_rules! cut_hash {
    ($(#[$doc:meta] $name:ident($bytes:literal))*) => {$(
        #[$doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            fn cut(hash: Sha256) -> Self {
                let whole: [u8; 32] = hash.finalize().into();
                Self(*whole.first_chunk().expect("SHA-256 has 32 bytes"))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&Hex(&self.0), f)
            }
        }
        // By the hundred thousand in a checkpoint: without a piece of memory for each.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let digits = self.0.map(|byte| [digit(byte >> 4), digit(byte & 0xf)]);
                serializer.serialize_str(str::from_utf8(digits.as_flattened()).expect("digits are ASCII"))
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Digits;

                impl Visitor<'_> for Digits {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("hexadecimal digits of a hash")
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        let mut bytes = [0; $bytes];
                        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
                        if pairs.len() != bytes.len() || !rest.is_empty() {
                            return Err(E::custom("a hash of another length"));
                        }
                        for (byte, pair) in bytes.iter_mut().zip(pairs) {
                            *byte = value_of(*pair).ok_or_else(|| E::custom("not hexadecimal"))?;
                        }
                        Ok($name(bytes))
                    }
                }

                deserializer.deserialize_str(Digits)
            }
        }
    )*};
}

cut_hash! {
    /// An instance id that is remembered: 128 bits, so that among millions no two are taken for each other.
    IdHash(16)
    /// The saga's name and input of a start: 64 bits, compared only between two starts of one id.
    StartHash(8)
    /// The id of a signal or an order, and what that said: 64 bits, compared only among those of one instance.
    RequestHash(8)
}

impl IdHash {
    /// Of an id.
    #[must_use]
    pub fn of(id: &InstanceId) -> Self {
        Self::cut(Sha256::new_with_prefix(id.as_str()))
    }
}

impl StartHash {
    /// Of a start. White space and the order of fields in the input make no difference.
    #[must_use]
    pub fn of(saga: &str, input: &Json) -> Self {
        // No name of a saga has a NUL, so the two cannot run into each other.
        Self::cut(Sha256::new_with_prefix(saga).chain_update([0]).chain_update(sorted(input.get()).as_bytes()))
    }
}

impl RequestHash {
    /// Of an id, and what was said under it: another order under the same id is not known. Where that was not kept, of the id alone.
    #[must_use]
    pub fn of(request: &RequestId, order: Option<OrderHash>) -> Self {
        let id = Sha256::new_with_prefix(request.as_str());
        // No id has a NUL, so the two cannot run into each other.
        Self::cut(order.iter().fold(id, |id, order| id.chain_update([0]).chain_update(order.to_bytes())))
    }
}

/// An instance that has ended, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// Its id.
    pub id: IdHash,
    /// What is known of it.
    pub was: Past,
    /// The last signals and orders that it followed, so that a repeat of one is known.
    #[serde(default, skip_serializing_if = "<[RequestHash]>::is_empty")]
    pub requests: Box<[RequestHash]>,
}

/// What is remembered of an ended instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Past {
    /// Which life of the id.
    pub run: Run,
    /// How it ended.
    pub outcome: PastOutcome,
    /// When, by the owner's clock.
    pub at: Timestamp,
}

/// How a remembered instance ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PastOutcome {
    /// All done; its start.
    Completed(StartHash),
    /// All taken back; its start.
    Compensated(StartHash),
    /// It was cancelled before it came.
    Barred,
}
