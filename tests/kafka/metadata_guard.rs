//! What stands before a function of librdkafka that would read behind an array: `src/log/kafka/metadata.c`.

use std::fs;
use std::path::Path;
use std::process::Command;

/// It hands on all partitions before the first that cannot be one.
#[test]
fn what_cannot_be_a_partition_is_not_handed_on() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("guarded");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/metadata_guard.c");
    let built = Command::new("cc").args(["-Wall", "-Werror"]).arg(source).arg("-o").arg(&program).status().unwrap();
    assert!(built.success());
    let run = Command::new(&program).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&run.stdout), "all: 2 0 5\nsome: 2 0\nnone:\nempty:\n");
    assert!(run.status.success(), "what librdkafka says is said");
}

/// The linker has put it there.
#[cfg(target_os = "linux")]
#[test]
fn it_stands_in_the_program() {
    let program = fs::read(env!("CARGO_BIN_EXE_saga")).unwrap();
    let found = memchr::memmem::find(&program, b"__wrap_rd_kafka_metadata_update_op\0");
    assert!(found.is_some(), "see build.rs");
}
