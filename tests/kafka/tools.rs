//! What other languages need: whether their tools are there, how they are run, and processes that end with this one.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where this is set, a missing tool is an error and not a reason to skip.
const REQUIRED: &str = "SAGA_KAFKA_REQUIRED";

/// Whether all tools are there; said where they are not.
pub(super) fn has_tools(what: &str, tools: &[(&str, &str)]) -> bool {
    let missing = tools.iter().find(|(tool, version)| {
        let asked = Command::new(tool).arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status();
        !asked.is_ok_and(|status| status.success())
    });
    let Some((missing, _)) = missing else { return true };
    assert!(std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, and `{missing}` is missing");
    // Not captured: whoever runs the tests should know what was not run.
    let _seen = writeln!(std::io::stderr(), "\nSKIPPED: {what}, since `{missing}` is missing\n");
    false
}

/// Runs a command of a build to its end.
pub(super) fn run(command: &mut Command) {
    let ran = command.stdin(Stdio::null()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{command:?} fails:\n{out}{err}");
}

/// A folder of the repository.
pub(super) fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A process that ends with this one, however that ends: its shell waits for the end of its input, and kills it then.
pub(super) struct Process(Child);

const SHELL: &str = r#""$@" </dev/null & cat >/dev/null; kill -KILL $! 2>/dev/null; wait"#;

impl Process {
    /// Starts it; what it passes over it says, and here that is noise.
    pub(super) fn start(program: &Command) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", SHELL, "sh"]).arg(program.get_program()).args(program.get_args());
        shell.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Self(shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _gone = self.0.wait();
    }
}
