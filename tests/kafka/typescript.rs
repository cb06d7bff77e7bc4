//! The library in TypeScript, `participants/typescript`: built and tested by npm.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::tools::{folder, has_tools, run};

/// Copies the sources below `target/`, where npm puts what it installs.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let beside = to.join(path.file_name().unwrap());
        // Of somebody's build in the folder itself.
        if beside.ends_with("node_modules") || beside.ends_with("dist") {
            continue;
        }
        if path.is_dir() {
            copy(&path, &beside);
        } else {
            fs::copy(&path, &beside).unwrap();
        }
    }
}

/// Where it is built; none, said once, where it cannot be.
pub(super) fn built() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(build).as_deref()
}

fn build() -> Option<PathBuf> {
    if !has_tools("the library in TypeScript", &[("node", "--version"), ("npm", "--version")]) {
        return None;
    }
    let (sources, desk) = (folder("participants/typescript"), folder("target/typescript"));
    for part in ["src", "test", "example", "dist"] {
        // What is no longer a source is no longer a test.
        drop(fs::remove_dir_all(desk.join(part)));
    }
    copy(&sources, &desk);
    // What the README shows is compiled too.
    let readme = fs::read_to_string(sources.join("README.md")).unwrap();
    let (_, code) = readme.split_once("```ts\n").unwrap();
    let (code, _) = code.split_once("```\n").unwrap();
    fs::write(desk.join("example/readme.ts"), code.replace("\"saga-participant\"", "\"../src/index.js\"")).unwrap();
    // Written behind the installation, which compiles SQLite and takes a minute.
    let (lock, installed) = (fs::read(sources.join("package-lock.json")).unwrap(), desk.join("installed"));
    if fs::read(&installed).ok().as_ref() != Some(&lock) {
        run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&desk));
        fs::write(installed, lock).unwrap();
    }
    run(Command::new("npm").args(["run", "build"]).current_dir(&desk));
    Some(desk)
}

#[test]
fn the_library_in_typescript_passes_its_own_tests() {
    let Some(desk) = built() else { return };
    run(Command::new("npm").arg("test").current_dir(desk));
}
