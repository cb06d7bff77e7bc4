//! An instance at rest: as few bytes as can be, in memory alone, for the many that wait for days.
//!
//! What most instances that wait are made of is spelled out here. All that is rare is in it as the JSON of its type, so
//! that nothing has to be known here of what comes to the language. What repeats is a number: names of input fields are
//! those of the definition, topics of answers those of a [`Rest`], instants are told from the one before.

use compact_str::CompactString;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::heard::{Followed, Heard, Heralded};
use super::id::{InstanceId, RequestId, Run};
use super::input::ReplyTo;
use super::instance::{Attempt, Instance, Phase, Starter, State, Wait};
use crate::json::Json;
use crate::plan::{At, NodeId, Plan};
use crate::time::Timestamp;

/// Topics beyond these are written out: answers may go to a topic for each client.
const TOPICS_MAX: usize = 1_000;

/// The numbers of what repeats, for as long as the process lives.
#[derive(Clone, Debug, Default)]
pub struct Rest {
    topics: Vec<CompactString>,
}

/// The first byte of a state, of a phase, and of what else there may be.
mod tag {
    pub(super) const JSON: u64 = 0;
    pub(super) const FORWARD: u64 = 1;
    pub(super) const COMMITTED: u64 = 2;
    pub(super) const DONE: u64 = 1;
    pub(super) const DONE_WITHOUT_VALUE: u64 = 2;
    pub(super) const ANSWER: u64 = 3;
    pub(super) const PAUSE: u64 = 4;
    pub(super) const PENDING: u64 = 5;
}

/// How an instant is told.
mod way {
    pub(super) const NEVER: u64 = 0;
    /// It follows as it is.
    pub(super) const WHOLE: u64 = 1;
    /// The way 0.
    pub(super) const FIRST: u64 = 2;
}

/// What an instance has besides the usual, as bits of one number.
mod has {
    pub(super) const INPUT: u64 = 1;
    pub(super) const REPLY_TO: u64 = 2;
    pub(super) const PARTITION: u64 = 4;
    /// The request that began it has another id than it has itself.
    pub(super) const OWN_REQUEST: u64 = 8;
    pub(super) const TRACEPARENT: u64 = 16;
    pub(super) const HEARD: u64 = 32;
    pub(super) const STARTER: u64 = 64;
}

impl Rest {
    /// Puts an instance to rest behind what `bytes` hold already; but for its id and its definition, which are known to
    /// whoever wakes it.
    pub fn put(&mut self, instance: &Instance, plan: &Plan, bytes: &mut Vec<u8>) {
        let Instance { id, run, definition: _, seq, started, changed, input, deadline, starter, phase, states, heard } =
            instance;
        let mut out = Writer { bytes, last: started.0 };
        let reply_to = starter.as_ref().and_then(|starter| starter.reply_to.as_ref());
        let traceparent = starter.as_ref().and_then(|starter| starter.traceparent.as_ref());
        let own_request = reply_to.map(|to| &to.request).filter(|request| request.as_str() != id.as_str());
        let partition = reply_to.and_then(|to| to.partition);
        let flag = |is_there: bool, flag: u64| if is_there { flag } else { 0 };
        out.number(
            flag(input.is_some(), has::INPUT)
                | flag(starter.is_some(), has::STARTER)
                | flag(reply_to.is_some(), has::REPLY_TO)
                | flag(partition.is_some(), has::PARTITION)
                | flag(own_request.is_some(), has::OWN_REQUEST)
                | flag(traceparent.is_some(), has::TRACEPARENT)
                | flag(heard.is_some(), has::HEARD),
        );
        out.number(started.0);
        out.instant(Timestamp(run.0));
        out.instant(*changed);
        out.instant(*deadline);
        out.number(*seq);
        if let Some(input) = input {
            out.object(plan, input);
        }
        if let Some(ReplyTo { topic, .. }) = reply_to {
            if let Some(number) = self.number_of(topic) {
                out.number(number + 1);
            } else {
                out.number(0);
                out.text(topic);
            }
        }
        if let Some(partition) = partition {
            out.number(u64::from(partition.cast_unsigned()));
        }
        if let Some(request) = own_request {
            out.text(request.as_str());
        }
        if let Some(traceparent) = traceparent {
            out.text(traceparent);
        }
        match phase {
            Phase::Forward => out.number(tag::FORWARD),
            Phase::Committed => out.number(tag::COMMITTED),
            rare => {
                out.number(tag::JSON);
                out.json(rare);
            }
        }
        out.number(states.iter().count() as u64);
        for (at, state) in states.iter() {
            out.number(u64::from(at.node().0));
            (0..plan.node(at.node()).depth()).for_each(|depth| out.number(u64::from(at.index(depth))));
            out.state(plan, state);
        }
        if let Some(Heard { followed, signals }) = heard.as_deref() {
            out.json(followed);
            out.json(signals);
        }
    }

    /// The number of a topic, which is given now if need be.
    fn number_of(&mut self, topic: &CompactString) -> Option<u64> {
        let known = self.topics.iter().position(|known| known == topic);
        if known.is_none() && self.topics.len() < TOPICS_MAX {
            self.topics.push(topic.clone());
            return Some(self.topics.len() as u64 - 1);
        }
        known.map(|index| index as u64)
    }

    /// Wakes an instance that was put to rest here; none for any other bytes.
    #[must_use]
    pub fn wake(&self, id: InstanceId, plan: &Plan, bytes: &[u8]) -> Option<Instance> {
        let mut from = Reader { bytes, last: 0 };
        let flags = from.number()?;
        let has = |flag: u64| flags & flag != 0;
        let started = Timestamp(from.number()?);
        from.last = started.0;
        let (run, changed, deadline, seq) = (from.instant()?, from.instant()?, from.instant()?, from.number()?);
        let input = if has(has::INPUT) { Some(from.object(plan)?) } else { None };
        let topic = if has(has::REPLY_TO) {
            Some(match from.number()?.checked_sub(1) {
                Some(number) => self.topics.get(usize::try_from(number).ok()?)?.clone(),
                None => CompactString::from(from.text()?),
            })
        } else {
            None
        };
        let partition =
            if has(has::PARTITION) { Some(u32::try_from(from.number()?).ok()?.cast_signed()) } else { None };
        let request = if has(has::OWN_REQUEST) { from.text()? } else { id.as_str() };
        let request = RequestId::try_from(request).ok()?;
        let traceparent = if has(has::TRACEPARENT) { Some(CompactString::from(from.text()?)) } else { None };
        let reply_to = topic.map(|topic| ReplyTo { topic, partition, request });
        let phase = match from.number()? {
            tag::FORWARD => Phase::Forward,
            tag::COMMITTED => Phase::Committed,
            tag::JSON => from.json()?,
            _ => return None,
        };
        let count = from.number()?;
        // Each takes a byte at least.
        let mut states = Vec::with_capacity(usize::try_from(count).ok()?.min(from.bytes.len()));
        for _ in 0..count {
            let node = NodeId(u32::try_from(from.number()?).ok()?);
            let mut at = At::new(node);
            for depth in 0..plan.loops_around_one(node)? {
                at = at.within(node, depth, u16::try_from(from.number()?).ok()?);
            }
            states.push((at, from.state(plan)?));
        }
        let heard = if has(has::HEARD) {
            let (followed, signals): (Vec<Followed>, Vec<Heralded>) = (from.json()?, from.json()?);
            Some(Box::new(Heard { followed, signals }))
        } else {
            None
        };
        from.bytes.is_empty().then(|| Instance {
            id,
            run: Run(run.0),
            definition: plan.saga.hash().clone(),
            seq,
            started,
            changed,
            input,
            deadline,
            starter: has(has::STARTER).then(|| Box::new(Starter { reply_to, traceparent })),
            phase,
            states: states.into_iter().collect(),
            heard,
        })
    }
}

/// A mark in JSON text for the name of the field with this index: bytes that JSON text never has, so that nothing else is
/// taken for one.
const MARKS: &[u8; 28] =
    b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e";

/// The names of fields that are told by a mark.
fn names(plan: &Plan) -> impl Iterator<Item = (u8, &str)> {
    MARKS.iter().copied().zip(plan.saga.input.fields.iter().map(|field| field.key.as_str()))
}

struct Writer<'a> {
    bytes: &'a mut Vec<u8>,
    /// The instant that was written before.
    last: u64,
}

impl Writer<'_> {
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(low_bits(value) | 0x80);
            value >>= 7;
        }
        self.bytes.push(low_bits(value));
    }

    /// As the way from the one before, which is mostly short, with its sign in the lowest bit.
    fn instant(&mut self, at: Timestamp) {
        if at == Timestamp::NEVER {
            return self.number(way::NEVER);
        }
        let signed = at.0.wrapping_sub(self.last).cast_signed();
        let short = ((signed << 1) ^ (signed >> 63)).cast_unsigned().checked_add(way::FIRST);
        if let Some(short) = short {
            self.number(short);
        } else {
            self.number(way::WHOLE);
            self.number(at.0);
        }
        self.last = at.0;
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn json(&mut self, value: &impl Serialize) {
        let text = serde_json::to_string(value).expect("states are text, numbers and JSON");
        self.text(&text);
    }

    /// JSON text that as a rule is an object with the fields of the input.
    fn object(&mut self, plan: &Plan, json: &Json) {
        let mut rest = json.get();
        let mut marked = Vec::with_capacity(rest.len());
        while let Some(quote) = rest.find('"') {
            let (before, from) = rest.split_at(quote);
            marked.extend_from_slice(before.as_bytes());
            let known = names(plan).find_map(|(mark, name)| {
                Some((mark, from.strip_prefix('"')?.strip_prefix(name)?.strip_prefix("\":")?))
            });
            if let Some((mark, behind)) = known {
                marked.push(mark);
                rest = behind;
            } else {
                marked.push(b'"');
                rest = from.get(1..).unwrap_or_default();
            }
        }
        marked.extend_from_slice(rest.as_bytes());
        self.number(marked.len() as u64);
        self.bytes.extend_from_slice(&marked);
    }

    fn attempt(&mut self, tag: u64, attempt: &Attempt, until: Timestamp) {
        self.number(tag);
        self.number(u64::from(attempt.number));
        self.number(u64::from(attempt.base));
        self.instant(attempt.limit);
        self.instant(until);
        match &attempt.repeated {
            Some(why) => self.json(why),
            None => self.text(""),
        }
    }

    fn state(&mut self, plan: &Plan, state: &State) {
        match state {
            State::Done(None) => self.number(tag::DONE_WITHOUT_VALUE),
            State::Done(Some(value)) => {
                self.number(tag::DONE);
                self.object(plan, value);
            }
            State::Doing(attempt) if attempt.beyond.is_none() => match attempt.wait {
                Wait::Answer(until) => self.attempt(tag::ANSWER, attempt, until),
                Wait::Pause(until) => self.attempt(tag::PAUSE, attempt, until),
                Wait::Pending(until) => self.attempt(tag::PENDING, attempt, until),
                Wait::Query(_) | Wait::Unfit(_) | Wait::Log(_) | Wait::Person(_) | Wait::Turn(_) => self.rare(state),
            },
            rare => self.rare(rare),
        }
    }

    fn rare(&mut self, state: &State) {
        self.number(tag::JSON);
        self.json(state);
    }
}

fn low_bits(value: u64) -> u8 {
    u8::try_from(value & 0x7f).expect("seven bits fit in a byte")
}

struct Reader<'a> {
    bytes: &'a [u8],
    last: u64,
}

impl<'a> Reader<'a> {
    fn number(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..u64::BITS).step_by(7) {
            let (byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn instant(&mut self) -> Option<Timestamp> {
        let at = match self.number()? {
            way::NEVER => return Some(Timestamp::NEVER),
            way::WHOLE => self.number()?,
            short => {
                let unsigned = short.checked_sub(way::FIRST)?;
                let signed = (unsigned >> 1).cast_signed() ^ -(unsigned & 1).cast_signed();
                self.last.wrapping_add(signed.cast_unsigned())
            }
        };
        self.last = at;
        Some(Timestamp(at))
    }

    fn take(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (content, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(content)
    }

    fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(self.take()?).ok()
    }

    fn json<T: DeserializeOwned>(&mut self) -> Option<T> {
        serde_json::from_str(self.text()?).ok()
    }

    fn object(&mut self, plan: &Plan) -> Option<Json> {
        let mut rest = self.text()?;
        let mut text = String::with_capacity(2 * rest.len());
        while let Some(at) = rest.find(|character| u8::try_from(character).is_ok_and(|byte| MARKS.contains(&byte))) {
            let (before, from) = rest.split_at(at);
            let mut characters = from.chars();
            let mark = characters.next()?;
            let (_, name) = names(plan).find(|(known, _)| char::from(*known) == mark)?;
            text.extend([before, "\"", name, "\":"]);
            rest = characters.as_str();
        }
        text.push_str(rest);
        // Not `parse`: what was computed has no limit of its own.
        serde_json::from_str(&text).ok()
    }

    fn attempt(&mut self, wait: impl FnOnce(Timestamp) -> Wait) -> Option<State> {
        let number = u32::try_from(self.number()?).ok()?;
        let base = u32::try_from(self.number()?).ok()?;
        let (limit, wait) = (self.instant()?, wait(self.instant()?));
        let repeated = match self.text()? {
            "" => None,
            why => Some(serde_json::from_str(why).ok()?),
        };
        Some(State::Doing(Attempt { number, base, limit, beyond: None, repeated, wait }))
    }

    fn state(&mut self, plan: &Plan) -> Option<State> {
        match self.number()? {
            tag::DONE_WITHOUT_VALUE => Some(State::Done(None)),
            tag::DONE => Some(State::Done(Some(self.object(plan)?))),
            tag::ANSWER => self.attempt(Wait::Answer),
            tag::PAUSE => self.attempt(Wait::Pause),
            tag::PENDING => self.attempt(Wait::Pending),
            tag::JSON => self.json(),
            _ => None,
        }
    }
}
