//! Whole runs of the binary, as people see them: arguments, output, errors, exit status. Every golden shows all four.

#[cfg(unix)]
mod backup;
mod bad_data;
mod bad_files;
mod bad_input;
mod broken;
mod callback;
mod choreographed;
mod covering;
mod dead;
#[cfg(unix)]
mod draining;
mod definitions;
mod gap;
mod held;
mod help;
mod hostile;
mod listing;
mod looping;
mod metrics;
#[cfg(unix)]
mod on_call;
mod operating;
#[cfg(feature = "kafka")]
mod own_topics;
mod past;
mod personal;
#[cfg(feature = "kafka")]
mod placed;
mod publishing;
mod remembered;
pub(crate) mod running;
mod serving;
mod signalling;
mod simulating;
mod terminal;
#[cfg(feature = "otlp")]
mod traces;
mod twin;
mod unnamed;
mod using;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A working directory of its own, and the binary in it.
pub(crate) struct Desk {
    folder: TempDir,
}

impl Desk {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().expect("a temporary directory can be made") }
    }

    /// One with a file.
    pub(crate) fn with(name: &str, content: impl AsRef<[u8]>) -> Self {
        let desk = Self::new();
        desk.file(name, content);
        desk
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.folder.path().join(name), content).expect("a file can be written");
    }

    /// The binary, in this directory, with no settings of the machine.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_saga"));
        command.args(arguments).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command
    }

    /// Runs it, and shows the run.
    pub(crate) fn saga(&self, arguments: &[&str]) -> String {
        self.saga_reading(arguments, "")
    }

    /// Runs it with this on standard input, and shows the run.
    pub(crate) fn saga_reading(&self, arguments: &[&str], input: &str) -> String {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let mut stdin = child.stdin.take().expect("it was asked for");
        // A command that does not read its input may have ended before all of it is written.
        drop(stdin.write_all(input.as_bytes()));
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let line: Vec<String> = arguments.iter().map(|word| shell_words::quote(word).into_owned()).collect();
        let mut shown = format!("$ saga {}\n", line.join(" "));
        for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            if !bytes.is_empty() {
                shown.extend(["[", name, "]\n", &String::from_utf8_lossy(bytes)]);
            }
        }
        let status = output.status.code().map_or_else(|| "a signal".to_owned(), |code| code.to_string());
        shown.extend(["[exit status: ", &status, "]\n"]);
        shown.replace(&self.folder.path().display().to_string(), "DESK")
    }
}

/// What differs from run to run, by its form; ends of lines without spaces.
pub(crate) fn in_form(text: &str) -> String {
    let mut form = String::new();
    for line in text.trim_end().lines() {
        let mut words: Vec<String> = Vec::new();
        for word in line.trim_end().split(' ') {
            words.push(word_in_form(word));
        }
        form.push_str(&words.join(" "));
        form.push('\n');
    }
    form
}

fn word_in_form(word: &str) -> String {
    let core = word.trim_matches(|character: char| ",;:\"'`()".contains(character));
    let all = |test: fn(char) -> bool| !core.is_empty() && core.chars().all(test);
    let form = if core.len() == 36 && core.matches('-').count() == 4 {
        "ID"
    } else if core.starts_with("20") && core.contains('T') && core.ends_with('Z') {
        "INSTANT"
    } else if core.starts_with('+') && core.ends_with('s') {
        "+TIME"
    } else if core.starts_with("http://127.0.0.1:") {
        "ADDRESS"
    } else if all(|character| character.is_ascii_digit() || "smhd".contains(character))
        && core.ends_with(['s', 'm', 'h', 'd'])
    {
        "AGE"
    } else {
        return word.to_owned();
    };
    word.replace(core, form)
}
