//! The fuzzers' corpora, replayed: what a fuzzer once found stays found.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::engine::walk;

#[path = "../fuzz/src/run.rs"]
mod run;
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

/// Definitions that pass `check`: those that are shipped.
fn definitions() -> Vec<String> {
    let folder = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("workflows")).unwrap();
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    // One that uses another is no text of its own.
    files.retain(|file| file.extension().is_some_and(|end| end == "saga") && !file.ends_with("subscription.saga"));
    files.sort();
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// `PROPTEST_CASES` for a longer search.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_definition_that_passes_check_comes_to_an_end(
        which in any::<prop::sample::Index>(),
        choices in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let definitions = definitions();
        let mut bytes = which.get(&definitions).clone().into_bytes();
        bytes.push(0);
        bytes.extend(choices);
        run::run(&bytes);
    }
}

#[test]
fn the_seeds_of_runs_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/run");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert!(run::run(&fs::read(&path).unwrap()) > 0, "{}", path.display());
    }
}

#[test]
fn runs() {
    replay("run", |bytes| {
        run::run(bytes);
    });
}
