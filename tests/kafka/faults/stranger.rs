//! Garbage on every topic, and old messages again: what anybody may write who reaches the broker.
//!
//! Forgeries are not among it: whoever writes records and replies that are right in every part is trusted, and kept away
//! by Kafka's own access control.

use serde_json::Value;

use super::audit::{Names, Seen, Topics};
use super::town::PARTITIONS;
use crate::booking::Dice;

/// As much as a topic of inputs takes: the largest payload, all the room for headers, and most of that for a batch's head.
const OVERSIZED: usize = (1 << 20) + (65 << 10) - 150;

/// JSON that is none of ours.
const WRONG_SHAPES: [&str; 7] =
    ["{}", "[]", "42", "null", r#"{"v":1}"#, r#"{"v":2,"body":"mark"}"#, r#"{"v":1,"epoch":"x","n":{},"body":[1]}"#];

/// What is to be written where.
pub(super) struct Litter {
    pub(super) topic: String,
    pub(super) partition: u32,
    pub(super) message: Seen,
    /// Without a payload, which a topic that is compacted takes for a deletion.
    pub(super) is_tombstone: bool,
}

fn bytes(dice: &mut Dice, length: usize) -> Vec<u8> {
    (0..length).map(|_| dice.byte()).collect()
}

fn any<'t>(dice: &mut Dice, topics: &'t Topics, topic: &str) -> Option<(u32, &'t Seen)> {
    let count = topics.all(topic).count();
    if count == 0 { None } else { topics.all(topic).nth(dice.index(count)) }
}

/// One piece of garbage for a topic.
pub(super) fn garbage(dice: &mut Dice, topics: &Topics, names: &Names, topic: &str) -> Litter {
    let partitions = if topic == names.definitions { 1 } else { PARTITIONS };
    let partition = u32::try_from(dice.below(u64::from(partitions))).expect("a small number");
    let length = dice.index(200) + 1;
    let key = match dice.below(3) {
        0 => Vec::new(),
        1 => bytes(dice, 8),
        _ if topic == names.definitions => definition_key(dice),
        _ => format!("stranger-{}", dice.below(1_000)).into_bytes(),
    };
    let mut message = Seen { key, payload: bytes(dice, length), ..Seen::default() };
    let mut to = partition;
    let mut is_tombstone = false;
    match dice.below(9) {
        0 => {}
        1 => message.payload = WRONG_SHAPES[dice.index(WRONG_SHAPES.len())].into(),
        2 => message.payload = bytes(dice, OVERSIZED),
        3 => is_tombstone = true,
        4 => {
            let count = dice.index(20) + 1;
            message.headers = (0..count).map(|n| (format!("saga-{n}"), bytes(dice, 9))).collect();
        }
        kind => {
            let Some((at, copy)) = any(dice, topics, topic) else {
                return Litter { topic: topic.to_owned(), partition, message, is_tombstone };
            };
            if topic != names.definitions {
                message = copy.clone();
                to = at;
            }
            match kind {
                // Without one of its headers.
                5 | 6 if !message.headers.is_empty() => {
                    message.headers.remove(dice.index(message.headers.len()));
                }
                // Cut: what was JSON is none.
                5..=7 if message.payload.len() > 1 => message.payload.truncate(message.payload.len() - 1),
                // As it is, elsewhere: a record of another partition may be one that counts by chance, a claim is not.
                _ if topic != names.journal || is_claim(&message) => to = partition,
                _ => {}
            }
        }
    }
    Litter { topic: topic.to_owned(), partition: to, message, is_tombstone }
}

/// What might be a record is cut, and is none.
pub(super) fn no_record(mut message: Seen) -> Seen {
    let record: Option<Value> = serde_json::from_slice(&message.payload).ok();
    if record.is_some_and(|record| record.get("epoch").is_some()) {
        message.payload.pop();
    }
    message
}

/// A key of a definition that is there, or of none.
fn definition_key(dice: &mut Dice) -> Vec<u8> {
    match dice.below(4) {
        0 => b"current/booking".to_vec(),
        1 => b"current/trip".to_vec(),
        2 => format!("source/{:064x}", dice.below(u64::MAX)).into_bytes(),
        _ => b"source/".to_vec(),
    }
}

fn is_claim(message: &Seen) -> bool {
    let record: Option<Value> = serde_json::from_slice(&message.payload).ok();
    record.is_some_and(|record| record["body"].get("claim").is_some())
}

/// Replies and requests that were there before, in any order, some of them in other partitions.
pub(super) fn echoes(dice: &mut Dice, topics: &Topics, names: &Names) -> Vec<Litter> {
    let count = dice.below(20) + 1;
    let mut all = Vec::new();
    for _ in 0..count {
        let topic = if dice.below(4) == 0 { &names.requests } else { &names.replies };
        let Some((at, message)) = any(dice, topics, topic) else { continue };
        let elsewhere = u32::try_from(dice.below(u64::from(PARTITIONS))).expect("a small number");
        let partition = if dice.below(4) == 0 { elsewhere } else { at };
        all.push(Litter { topic: topic.clone(), partition, message: message.clone(), is_tombstone: false });
    }
    all
}
