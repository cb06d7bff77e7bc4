//! Java for brokers that live for seconds: it takes longer to start than most of them are used.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::broker;

/// For tests a quick compiler and no threads to collect garbage: an hour of figures is another matter.
const OPTIONS: &[&str] = if cfg!(test) { &["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"] } else { &[] };

/// Java with the broker's classes, to be told which to run.
pub(crate) fn java(jars: &Path) -> Command {
    let mut java = plain(jars);
    if let Some(archive) = archive(jars) {
        java.arg(format!("-XX:SharedArchiveFile={}", archive.display()));
    }
    java
}

/// The same without an archive.
pub(super) fn plain(jars: &Path) -> Command {
    let mut java = Command::new("java");
    java.arg("-Xmx512m").args(OPTIONS).arg("-cp").arg(format!("{}/*", jars.display()));
    java
}

/// The classes of a broker that runs as Java has them in memory: with it the next one starts in a third of the time. Java
/// looks itself whether it fits, and does without if it does not. None where this Java makes none.
fn archive(jars: &Path) -> Option<&'static Path> {
    static ARCHIVE: OnceLock<Option<PathBuf>> = OnceLock::new();
    ARCHIVE
        .get_or_init(|| {
            let version = Command::new("java").arg("-version").output().expect("java runs").stderr;
            let key = crc32fast::hash(&[&version, OPTIONS.concat().as_bytes()].concat());
            let archive = jars.with_extension(format!("{key:08x}.jsa"));
            if archive.is_file() {
                return Some(archive);
            }
            let beside = archive.with_extension(std::process::id().to_string());
            let mut java = plain(jars);
            java.arg(format!("-XX:ArchiveClassesAtExit={}", beside.display()));
            broker::run_once(jars, &java);
            // Another run of the tests may have been faster: its archive is as good.
            fs::rename(&beside, &archive).is_ok().then_some(archive)
        })
        .as_deref()
}
