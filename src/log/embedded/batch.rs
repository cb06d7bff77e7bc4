//! The framing of a batch: how the records of one row of `batch` lie in its column `records`.
//!
//! Records follow one another without padding. All numbers are unsigned LEB128, all texts UTF-8:
//!
//! ```text
//! record  = later key headers payload
//! later   = milliseconds between the row's `at` and this record's append time
//! key     = length bytes
//! headers = count { name value }          value = length bytes
//! name    = 0 length bytes, the first time in the blob | n: as the n-th name that came so, from 1
//! payload = length bytes
//! ```
//!
//! The record at position i has the offset `first + i`. The row's `crc` is the CRC-32 (IEEE) of the whole blob. A
//! blob that does not read to its exact end with its exact count is damaged: nothing here guesses or skips.

use std::sync::Arc;

use crate::time::Timestamp;
use crate::wire::{Headers, Message};

/// A record's append time and message.
pub(super) type Entry = (Timestamp, Message);

/// A blob that is being written.
#[derive(Debug, Default)]
pub(super) struct Blob {
    pub(super) bytes: Vec<u8>,
    /// Names that are in there already.
    names: Vec<Box<str>>,
}

impl Blob {
    /// Begins anew, and keeps the room.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.names.clear();
    }

    /// Appends one record to a blob whose row has the append time `at`.
    pub(super) fn encode(&mut self, at: Timestamp, appended: Timestamp, message: &Message) {
        number(&mut self.bytes, appended.0.saturating_sub(at.0));
        bytes(&mut self.bytes, message.key.as_bytes());
        number(&mut self.bytes, message.headers.len() as u64);
        for (name, value) in message.headers.iter() {
            self.name(name);
            bytes(&mut self.bytes, value.as_bytes());
        }
        bytes(&mut self.bytes, &message.payload);
    }

    fn name(&mut self, name: &str) {
        if let Some(index) = self.names.iter().position(|known| **known == *name) {
            number(&mut self.bytes, index as u64 + 1);
            return;
        }
        number(&mut self.bytes, 0);
        bytes(&mut self.bytes, name.as_bytes());
        if self.names.len() < NAMES_MAX {
            self.names.push(Box::from(name));
        }
    }
}

/// Reads a whole blob of `count` records; `None` if it is anything else.
pub(super) fn decode(mut blob: &[u8], at: Timestamp, count: u64) -> Option<Vec<Entry>> {
    // A record takes at least four bytes, so a damaged count cannot make us reserve more than the blob's own size.
    let mut entries = Vec::with_capacity(usize::try_from(count).ok()?.min(blob.len() / 4));
    let mut told: Vec<&str> = Vec::new();
    for _ in 0..count {
        let appended = Timestamp(at.0.checked_add(take_number(&mut blob)?)?);
        let key = Arc::from(take_text(&mut blob)?);
        let headers = take_number(&mut blob)?;
        let mut list = Headers::default();
        for _ in 0..headers {
            let name = if let Some(index) = take_number(&mut blob)?.checked_sub(1) {
                told.get(usize::try_from(index).ok()?)?
            } else {
                let name = take_text(&mut blob)?;
                if told.len() < NAMES_MAX {
                    told.push(name);
                }
                name
            };
            list.push(name, take_text(&mut blob)?);
        }
        let payload = Box::from(take_bytes(&mut blob)?);
        entries.push((appended, Message { key, headers: list, payload }));
    }
    blob.is_empty().then_some(entries)
}

/// Beyond so many different names further ones are written out each time: somebody makes them up.
const NAMES_MAX: usize = 64;

fn number(blob: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        blob.push(low_bits(value) | 0x80);
        value >>= 7;
    }
    blob.push(low_bits(value));
}

fn low_bits(value: u64) -> u8 {
    u8::try_from(value & 0x7f).expect("seven bits fit in a byte")
}

fn bytes(blob: &mut Vec<u8>, content: &[u8]) {
    number(blob, content.len() as u64);
    blob.extend_from_slice(content);
}

fn take_number(blob: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = blob.split_first()?;
        *blob = rest;
        let bits = u64::from(byte & 0x7f);
        value |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take_bytes<'a>(blob: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_number(blob)?).ok()?;
    let (content, rest) = blob.split_at_checked(length)?;
    *blob = rest;
    Some(content)
}

fn take_text<'a>(blob: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(take_bytes(blob)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        let header = (".{0,12}", ".{0,30}");
        let message = (".{0,40}", prop::collection::vec(header, 0..6), prop::collection::vec(any::<u8>(), 0..400))
            .prop_map(|(key, headers, payload)| {
                let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                Message { key: Arc::from(key), headers, payload: payload.into() }
            });
        prop::collection::vec((1_000u64..1 << 50, message).prop_map(|(at, message)| (Timestamp(at), message)), 0..9)
    }

    fn write(entries: &[Entry]) -> Vec<u8> {
        let mut blob = Blob::default();
        for (appended, message) in entries {
            blob.encode(Timestamp(1_000), *appended, message);
        }
        blob.bytes
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(entries in entries()) {
            let blob = write(&entries);
            let read = decode(&blob, Timestamp(1_000), entries.len() as u64);
            prop_assert_eq!(read, Some(entries));
        }

        #[test]
        fn a_cut_is_seen(entries in entries(), cut in any::<prop::sample::Index>()) {
            let blob = write(&entries);
            prop_assume!(!blob.is_empty());
            let blob = &blob[..cut.index(blob.len())];
            prop_assert_eq!(decode(blob, Timestamp(1_000), entries.len() as u64), None);
        }

        #[test]
        fn garbage_never_panics(blob in prop::collection::vec(any::<u8>(), 0..300), count in any::<u64>()) {
            let _ = decode(&blob, Timestamp(u64::MAX - 5), count);
        }
    }
}
