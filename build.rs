//! Puts a guard in front of one function of librdkafka: see `src/log/kafka/metadata.c`.

use std::env;

const GUARD: &str = "src/log/kafka/metadata.c";

fn main() {
    println!("cargo::rerun-if-changed={GUARD}");
    // `--wrap` is an option of the linkers of ELF.
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        guard();
    }
}

#[cfg(feature = "kafka")]
fn guard() {
    // An object and no library: whoever refers to it stands behind it on the linker's line.
    for object in cc::Build::new().file(GUARD).compile_intermediates() {
        println!("cargo::rustc-link-arg={}", object.display());
    }
    println!("cargo::rustc-link-arg=-Wl,--wrap=rd_kafka_metadata_update_op");
}

#[cfg(not(feature = "kafka"))]
fn guard() {}
