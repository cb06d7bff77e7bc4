//! The fuzzers' corpora, replayed: what a fuzzer once found stays found.

use std::fs;
use std::path::Path;

#[path = "../fuzz/src/targets.rs"]
mod targets;

/// The fewest cases a corpus may have: an empty folder would prove nothing.
const CASES_MIN: usize = 5;

fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= CASES_MIN, "{} cases", cases.len());
    for case in cases {
        let bytes = fs::read(&case).unwrap();
        let run = std::panic::catch_unwind(|| target(&bytes));
        assert!(run.is_ok(), "{} panics", case.display());
        // What is cut off in the middle, and what has a flipped bit, is bad input too.
        for cut in [bytes.len() / 3, bytes.len() / 2, bytes.len().saturating_sub(1)] {
            target(&bytes[..cut]);
        }
        for at in (0..bytes.len()).step_by(bytes.len() / 24 + 1) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            target(&flipped);
        }
    }
}

#[test]
fn sources() {
    replay("source", targets::source);
}

#[test]
fn documents() {
    replay("yaml", targets::yaml);
}

#[test]
fn the_seed_records_are_records() {
    // Seeds that are refused at once would leave the fuzzer at the door.
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/record")).unwrap() {
        let path = entry.unwrap().path();
        let record = saga::journal::decode(&fs::read(&path).unwrap());
        assert!(record.is_ok(), "{}: {record:?}", path.display());
    }
}

#[test]
fn records() {
    replay("record", targets::record);
}

#[test]
fn replies() {
    replay("reply", targets::reply);
}
