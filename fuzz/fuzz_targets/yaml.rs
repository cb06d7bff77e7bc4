//! See `../src/targets.rs`.
#![no_main]

#[path = "../src/targets.rs"]
#[expect(dead_code, reason = "each fuzzer runs one of the targets")]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::yaml(bytes));
