//! The floor: the bare pattern of a saga's messages, and nothing of what makes it one.
//!
//! ```text
//!   request or reply -> journal -> acknowledged -> the next command, or the answer
//! ```
//!
//! No state but a count of replies where several come at once; no rules, no names, no timers, no recovery.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::message::Message as _;

use crate::client::{Nothing, Outgoing, Receiver, Sender, Then};
use crate::shape::Shape;
use crate::stage::Names;

/// The size of every payload: about that of a booking's message.
const PAYLOAD: usize = 150;

/// The payload of message number `number` of a saga.
pub(crate) fn payload(number: u32) -> Box<[u8]> {
    format!("{number:<PAYLOAD$}").into_bytes().into_boxed_slice()
}

fn number(payload: &[u8]) -> u32 {
    let text = payload.split(|byte| *byte == b' ').next().unwrap_or_default();
    str::from_utf8(text).ok().and_then(|text| text.parse().ok()).expect("the floor's messages begin with a number")
}

/// What the journal's acknowledgement lets go.
struct Effects(Sender<Nothing>);

impl Then for Effects {
    fn acknowledged(&self, then: Outgoing) {
        self.0.send(&then, None, Vec::new());
    }
}

/// Runs until it is killed.
pub(crate) fn run(brokers: &str, names: &Names, shape: Shape, linger_ms: u32) -> ! {
    let journal = Sender::open(brokers, linger_ms, Effects(Sender::open(brokers, linger_ms, Nothing)));
    let inputs = Receiver::open(brokers, [&*names.requests, &*names.replies], names.partitions);
    let mut counts: HashMap<Box<[u8]>, u32> = HashMap::new();
    loop {
        let Some(message) = inputs.next(Duration::from_millis(100)) else { continue };
        let key: Box<[u8]> = Box::from(message.key().unwrap_or_default());
        let partition = message.partition().cast_unsigned();
        let to = |topic: &Arc<str>, number: u32| Outgoing {
            topic: Arc::clone(topic),
            partition,
            key: key.clone(),
            payload: payload(number),
        };
        let done = if message.topic() == &*names.requests { 0 } else { number(message.payload().unwrap_or_default()) };
        let record = to(&names.journal, done);
        let commands = shape.commands();
        let then = match shape {
            Shape::Chain(_) | Shape::Failing(_) if done < commands => vec![to(names.commands(done), done + 1)],
            Shape::Chain(_) | Shape::Failing(_) => vec![to(&names.answers, done)],
            Shape::FanOut(_) if done == 0 => {
                (0..commands).map(|command| to(names.commands(command), command + 1)).collect()
            }
            Shape::FanOut(_) => {
                let count = counts.entry(key.clone()).or_default();
                *count += 1;
                if *count < commands {
                    Vec::new()
                } else {
                    counts.remove(&key);
                    vec![to(&names.answers, done)]
                }
            }
        };
        journal.send(&record, None, then);
    }
}
