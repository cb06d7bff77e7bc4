//! Looks for damage in SQLite's write-ahead log before SQLite does.
//!
//! SQLite ends its reading of that file at the first frame whose checksum does not hold, and says nothing: after a crash
//! that is how the torn end of an unfinished commit looks. Flipped bytes in the middle look the same, and there it would
//! silently drop commits that were acknowledged. They can be told apart: each commit is synced before the next one
//! begins, so behind a torn one there is at most the end of that same commit, never another.

use std::fs;
use std::io;
use std::path::Path;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// Words of frames are summed in this order of bytes if the lowest bit of the magic number is set.
const MAGIC: u32 = 0x377f_0682;

/// Damage in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    /// The first byte of the frame that does not hold.
    pub(super) at: u64,
    /// Commits that begin behind it, and that SQLite would drop.
    pub(super) commits: usize,
}

/// Looks through the file; `None` if there is none, or nothing but perhaps a torn end.
pub(super) fn damage(path: &Path) -> io::Result<Option<Damage>> {
    match fs::read(path) {
        Ok(bytes) => Ok(look(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn look(bytes: &[u8]) -> Option<Damage> {
    let (header, frames) = bytes.split_at_checked(HEADER)?;
    let magic = word(header, 0)?;
    if magic & !1 != MAGIC {
        return None;
    }
    let order = if magic & 1 == 1 { u32::from_be_bytes } else { u32::from_le_bytes };
    let page = usize::try_from(word(header, 8)?).ok().filter(|page| *page >= 512)?;
    let salts = header.get(16..24)?;
    let mut sum = (word(header, 24)?, word(header, 28)?);
    let mut broken: Option<(usize, usize)> = None;
    for (index, frame) in frames.chunks_exact(FRAME_HEADER.checked_add(page)?).enumerate() {
        let is_of_now = frame.get(8..16)? == salts;
        let commits = is_of_now && word(frame, 4)? != 0;
        if let Some((_, ends)) = &mut broken {
            *ends += usize::from(commits);
            continue;
        }
        sum = sum_up(sum, frame.get(..8)?, order);
        sum = sum_up(sum, frame.get(FRAME_HEADER..)?, order);
        if !is_of_now || sum != (word(frame, 16)?, word(frame, 20)?) {
            broken = Some((index, usize::from(commits)));
        }
    }
    let (index, ends) = broken?;
    // The first end is that of the commit in which the broken frame stands.
    let commits = ends.checked_sub(1).filter(|commits| *commits > 0)?;
    let at = HEADER.checked_add(index.checked_mul(FRAME_HEADER.checked_add(page)?)?)?;
    Some(Damage { at: at as u64, commits })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_be_bytes(*word))
}

/// SQLite's running checksum.
fn sum_up((mut first, mut second): (u32, u32), bytes: &[u8], order: fn([u8; 4]) -> u32) -> (u32, u32) {
    let (pairs, _) = bytes.as_chunks::<8>();
    for [a, b, c, d, e, f, g, h] in pairs {
        first = first.wrapping_add(order([*a, *b, *c, *d])).wrapping_add(second);
        second = second.wrapping_add(order([*e, *f, *g, *h])).wrapping_add(first);
    }
    (first, second)
}
