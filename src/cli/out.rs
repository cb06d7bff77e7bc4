//! Where words go: data to standard output, everything else to standard error, colours only to a terminal.
//!
//! `NO_COLOR`, `CLICOLOR` and `CLICOLOR_FORCE` are heeded. A reader that goes away (`saga list | head -1`) ends the
//! command quietly.

use std::fmt::Arguments;
use std::io::{self, IsTerminal as _, Write as _};

use anstream::AutoStream;

use super::error::{CliError, Kind};

/// Whether people see it, or a file or pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// A terminal.
    People,
    /// Something else.
    Program,
}

/// Standard output and error.
#[derive(Debug)]
pub struct Out {
    stdout: AutoStream<io::Stdout>,
    stderr: AutoStream<io::Stderr>,
}

/// Those of this process.
impl Default for Out {
    fn default() -> Self {
        Self { stdout: AutoStream::auto(io::stdout()), stderr: AutoStream::auto(io::stderr()) }
    }
}

impl Out {
    /// Writes data, with ANSI colours that are taken out where nobody would see them.
    ///
    /// # Errors
    /// The reader is gone, or the disk is full.
    pub fn data(&mut self, text: impl AsRef<str>) -> Result<(), CliError> {
        let written = self.stdout.write_all(text.as_ref().as_bytes()).and_then(|()| self.stdout.flush());
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => CliError::new(Kind::PipeClosed, ""),
            _ => CliError::new(Kind::Unavailable, format!("failed to write the output: {error}")),
        })
    }

    /// Writes one JSON value and a line end.
    ///
    /// # Errors
    /// As [`Self::data`].
    pub fn json(&mut self, value: &impl serde::Serialize) -> Result<(), CliError> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|error| CliError::new(Kind::Bug, format!("failed to write JSON: {error}")))?;
        text.push('\n');
        self.data(text)
    }

    /// Writes a remark. Nobody to read it is no reason to stop.
    pub fn remark(&mut self, text: Arguments<'_>) {
        let _ = self.stderr.write_fmt(text);
        let _ = self.stderr.write_all(b"\n");
    }

    /// Writes a remark that few need.
    pub fn dim(&mut self, text: Arguments<'_>) {
        self.remark(format_args!("\x1b[2m{text}\x1b[0m"));
    }

    /// Writes a text as it is to standard error.
    pub fn aside(&mut self, text: &str) {
        let _ = self.stderr.write_all(text.as_bytes());
        let _ = self.stderr.flush();
    }

    /// Who sees standard error.
    #[must_use]
    pub fn remarks_to(&self) -> Audience {
        if io::stderr().is_terminal() { Audience::People } else { Audience::Program }
    }

    /// Whether colours are shown on standard output.
    #[must_use]
    pub fn data_in_colour(&self) -> bool {
        self.stdout.current_choice() != anstream::ColorChoice::Never
    }

    /// Whether colours are shown on standard error.
    #[must_use]
    pub fn remarks_in_colour(&self) -> bool {
        self.stderr.current_choice() != anstream::ColorChoice::Never
    }
}
