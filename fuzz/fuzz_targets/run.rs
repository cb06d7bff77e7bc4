//! See `../src/run.rs`.
#![no_main]

#[path = "../src/run.rs"]
mod run;
#[path = "../../tests/engine/walk/mod.rs"]
mod walk;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    run::run(bytes);
});
