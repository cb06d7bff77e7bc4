//! The library in Python, `participants/python`: its own tests.
//!
//! It runs in an environment below `target/`, which is made once for each `pyproject.toml`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::participant::servers::Server;

/// Where this is set, a missing Python or library is an error and not a reason to skip.
const REQUIRED: &str = "SAGA_PYTHON_REQUIRED";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn library() -> PathBuf {
    root().join("participants/python")
}

/// The interpreter with what the library needs, or nothing, said once.
pub(super) fn environment() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    PYTHON
        .get_or_init(|| match make() {
            Ok(python) => Some(python),
            Err(why) => {
                assert!(std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, and {why}");
                // Not captured: whoever runs the tests should know what was not run.
                let _seen =
                    writeln!(std::io::stderr(), "\nSKIPPED: the tests of participants in Python, since {why}\n");
                None
            }
        })
        .as_deref()
}

fn make() -> Result<PathBuf, String> {
    let project = fs::read(library().join("pyproject.toml")).expect("the project's file can be read");
    let folder = root().join(format!("target/python/{:08x}", crc32fast::hash(&project)));
    // Scripts in there know their own path, so it is made in place; this file says that it is whole.
    let (python, whole) = (folder.join("bin/python"), folder.join("whole"));
    if whole.is_file() {
        return Ok(python);
    }
    let run = |command: &mut Command, what: &str| {
        let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{what}: {error}"))?;
        if output.status.success() { Ok(()) } else { Err(format!("{what}: {}", said(&output))) }
    };
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder), "python3 makes no environment")?;
    let needs = ["confluent-kafka>=2.4,<3", "psycopg[binary]>=3.1,<4", "pytest>=8"];
    let pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check"];
    run(Command::new(&python).args(pip).args(needs), "pip does not install confluent-kafka, psycopg and pytest")?;
    fs::write(&whole, "").expect("a file can be written");
    Ok(python)
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The interpreter, with the library.
pub(super) fn command(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.env("PYTHONPATH", library().join("src")).env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
    command
}

#[test]
fn the_tests_of_the_library_of_python_pass() {
    let Some(python) = environment() else { return };
    // On PostgreSQL too, where that is installed.
    let postgres = Server::postgres();
    let mut tested = command(python);
    if let Some(server) = &postgres {
        tested.env("SAGA_POSTGRES", server.url());
    }
    let tested = tested
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider"])
        .current_dir(library())
        .output()
        .expect("pytest runs");
    assert!(tested.status.success(), "{}", said(&tested));
    assert_eq!(postgres.is_none(), said(&tested).contains("skipped"), "{}", said(&tested));
}

#[test]
fn the_example_of_the_readme_is_python() {
    let Some(python) = environment() else { return };
    let readme = fs::read_to_string(library().join("README.md")).unwrap();
    let (_, code) = readme.split_once("```python\n").unwrap();
    let (code, _) = code.split_once("```").unwrap();
    let (handlers, serve) = code.rsplit_once("\nserve(").unwrap();
    assert!(serve.contains("hotel.commands"));
    // Its handlers, on the guard, without a topic.
    let tried = r#"
from saga_participant import Command
def ask(call, kind, payload):
    reply = hotels.handle(Command("o/1/room/1", call, kind, 1, 10**13, 10**13, payload, {}))
    return reply.status
assert ask("ReserveRoom", "do", {"hotel": "Lux"}) == "succeeded"
assert ask("ReserveRoom", "do", {"hotel": "Lux"}) == "succeeded"
assert store.connection.execute("SELECT count(*) FROM rooms").fetchone() == (1,)
assert ask("CancelRoom", "undo", {}) == "succeeded"
assert store.connection.execute("SELECT count(*) FROM rooms").fetchone() == (0,)
"#;
    let desk = tempfile::TempDir::new().unwrap();
    let ran = command(python).arg("-c").arg(format!("{handlers}{tried}")).current_dir(desk.path()).output().unwrap();
    assert!(ran.status.success(), "{}", said(&ran));
}
