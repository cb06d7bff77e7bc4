//! The floor: the bare pattern of a saga's messages, and nothing of what makes it one.
//!
//! ```text
//!   request or reply -> journal -> acknowledged -> the next command, or the answer
//! ```
//!
//! No state but a count of replies where several come at once; no rules, no names, no timers, no recovery.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::message::{Message as _, OwnedHeaders};

use crate::client::{Nothing, Outgoing, Receiver, Sender, Then};
use crate::load;
use crate::shape::Shape;
use crate::stage::Names;

/// How large payloads are, in bytes, by what a message is, and whether all but journal records have a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weight {
    pub(crate) request: usize,
    pub(crate) record: usize,
    pub(crate) command: usize,
    pub(crate) reply: usize,
    pub(crate) answer: usize,
    pub(crate) has_header: bool,
}

impl Weight {
    /// What a booking says, in messages that do not say whose they are.
    pub(crate) const BARE: Self =
        Self { request: 150, record: 150, command: 150, reply: 150, answer: 150, has_header: false };

    /// The headers of a message that is no journal record.
    pub(crate) fn headers(self) -> Option<OwnedHeaders> {
        self.has_header.then(load::headers)
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request, record, command, reply, answer, has_header } = self;
        write!(f, "{request}-{record}-{command}-{reply}-{answer}-{}", u8::from(*has_header))
    }
}

impl FromStr for Weight {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<usize>, _> = text.split('-').map(str::parse).collect();
        match numbers.map_err(|error| error.to_string())?.as_slice() {
            &[request, record, command, reply, answer, header] => {
                Ok(Self { request, record, command, reply, answer, has_header: header > 0 })
            }
            _ => Err("a weight is six numbers".to_owned()),
        }
    }
}

/// The payload of message number `number` of a saga.
pub(crate) fn payload(number: u32, size: usize) -> Box<[u8]> {
    let mut payload = number.to_string().into_bytes();
    payload.resize(size, b' ');
    payload.into_boxed_slice()
}

pub(crate) fn number(payload: &[u8]) -> u32 {
    let text = payload.split(|byte| *byte == b' ').next().unwrap_or_default();
    str::from_utf8(text).ok().and_then(|text| text.parse().ok()).expect("the floor's messages begin with a number")
}

/// What the journal's acknowledgement lets go.
struct Effects(Sender<Nothing>, Weight);

impl Then for Effects {
    fn acknowledged(&self, then: Outgoing) {
        self.0.send(&then, self.1.headers(), Vec::new());
    }
}

/// Runs until it is killed.
pub(crate) fn run(brokers: &str, names: &Names, shape: Shape, weight: Weight, linger_ms: u32) -> ! {
    let effects = Effects(Sender::open(brokers, linger_ms, Nothing), weight);
    let journal = Sender::open(brokers, linger_ms, effects);
    let inputs = Receiver::open(brokers, [&*names.requests, &*names.replies], names.partitions);
    let mut counts: HashMap<Box<[u8]>, u32> = HashMap::new();
    loop {
        let Some(message) = inputs.next(Duration::from_millis(100)) else { continue };
        let key: Box<[u8]> = Box::from(message.key().unwrap_or_default());
        let partition = message.partition().cast_unsigned();
        let to = |topic: &Arc<str>, number: u32, size: usize| Outgoing {
            topic: Arc::clone(topic),
            partition,
            key: key.clone(),
            payload: payload(number, size),
        };
        let done = if message.topic() == &*names.requests { 0 } else { number(message.payload().unwrap_or_default()) };
        let record = to(&names.journal, done, weight.record);
        let command = |number: u32| to(names.commands(number), number + 1, weight.command);
        let answer = || to(&names.answers, done, weight.answer);
        let commands = shape.commands();
        let then = match shape {
            Shape::Chain(_) | Shape::Failing(_) if done < commands => vec![command(done)],
            Shape::Chain(_) | Shape::Failing(_) => vec![answer()],
            Shape::FanOut(_) if done == 0 => (0..commands).map(command).collect(),
            Shape::FanOut(_) => {
                let count = counts.entry(key.clone()).or_default();
                *count += 1;
                if *count < commands {
                    Vec::new()
                } else {
                    counts.remove(&key);
                    vec![answer()]
                }
            }
        };
        journal.send(&record, None, then);
    }
}
