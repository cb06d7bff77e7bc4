//! Where words go: data to standard output, everything else to standard error, colours only to a terminal.
//!
//! A server that logs JSON has no words beside its log: what would be read as a line goes through it.
//!
//! `NO_COLOR`, `CLICOLOR` and `CLICOLOR_FORCE` are heeded. A reader that goes away (`saga list | head -1`) ends the
//! command quietly.

use std::borrow::Cow;
use std::fmt::{Arguments, Write as _};
use std::io::{self, IsTerminal as _, Write as _};

use anstream::AutoStream;
use anstream::adapter::strip_str;

use super::error::{CliError, Kind, in_words};
use crate::source::is_obeyed;

/// Whether people see it, or a file or pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// A terminal.
    People,
    /// Something else.
    Program,
}

/// `1 file`, `2 files`
#[must_use]
pub fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

/// A text whose control characters are written out as escapes, so that no data moves the cursor or speaks to the terminal.
/// Line ends and tabs stay.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    let is_obeyed = |character: char| is_obeyed(character) && !matches!(character, '\n' | '\t');
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let escape = |character: char| {
        let (raw, escaped) =
            if is_obeyed(character) { (None, Some(character.escape_unicode())) } else { (Some(character), None) };
        raw.into_iter().chain(escaped.into_iter().flatten())
    };
    Cow::Owned(text.chars().flat_map(escape).collect())
}

/// JSON whose strings hold none either: by its own rules only those above ASCII could.
fn in_json(text: &str) -> Cow<'_, str> {
    let is_obeyed = |character: char| is_obeyed(character) && !character.is_ascii_control() || character == '\x7f';
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_obeyed(character) {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Standard output and error.
#[derive(Debug)]
pub struct Out {
    stdout: AutoStream<io::Stdout>,
    stderr: AutoStream<io::Stderr>,
    remarks: Remarks,
}

/// What becomes of what is no data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remarks {
    /// Words to standard error.
    Shown,
    /// Entries in the log, whose lines programs read.
    Logged,
}

/// Those of this process.
impl Default for Out {
    fn default() -> Self {
        Self { stdout: AutoStream::auto(io::stdout()), stderr: AutoStream::auto(io::stderr()), remarks: Remarks::Shown }
    }
}

impl Out {
    /// Writes data; control characters in it are shown, not obeyed.
    ///
    /// # Errors
    /// The reader is gone, or the disk is full.
    pub fn data(&mut self, text: impl AsRef<str>) -> Result<(), CliError> {
        self.coloured(visible(text.as_ref()))
    }

    /// Writes data with ANSI colours of ours, that are taken out where nobody would see them. What comes from elsewhere
    /// was made [`visible`] before.
    ///
    /// # Errors
    /// As [`Self::data`].
    pub fn coloured(&mut self, text: impl AsRef<str>) -> Result<(), CliError> {
        let written = self.stdout.write_all(text.as_ref().as_bytes()).and_then(|()| self.stdout.flush());
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => CliError::new(Kind::PipeClosed, ""),
            _ => CliError::new(Kind::Unwritten, format!("failed to write to standard output: {}", in_words(&error)))
                .hint("what was asked for is done: nothing of it is lost; give the output another place"),
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
        // In JSON they stand in strings alone, so this means the same.
        self.coloured(in_json(&text))
    }

    /// From now on what would be shown on standard error is logged.
    pub(super) fn log_remarks(&mut self) {
        self.remarks = Remarks::Logged;
    }

    /// Writes a remark. Nobody to read it is no reason to stop.
    pub fn remark(&mut self, text: Arguments<'_>) {
        if self.remarks == Remarks::Logged {
            return tracing::info!("{}", visible(&text.to_string()).trim());
        }
        let _ = self.stderr.write_all(visible(&text.to_string()).as_bytes());
        let _ = self.stderr.write_all(b"\n");
    }

    /// Writes a remark that few need.
    pub fn dim(&mut self, text: Arguments<'_>) {
        if self.remarks == Remarks::Logged {
            return self.remark(text);
        }
        self.aside(&format!("\x1b[2m{}\x1b[0m\n", visible(&text.to_string())));
    }

    /// Writes a text with ANSI colours of ours to standard error, as [`Self::coloured`] does to standard output.
    pub fn aside(&mut self, text: &str) {
        if self.remarks == Remarks::Logged {
            return tracing::warn!("{}", strip_str(text).to_string().trim());
        }
        let _ = self.stderr.write_all(text.as_bytes());
        let _ = self.stderr.flush();
    }

    /// Says why a command failed, and what to do.
    pub(super) fn error(&mut self, error: &CliError) {
        let text = error.text();
        if self.remarks == Remarks::Logged {
            return tracing::error!("{}", visible(text.trim_start_matches("error: ").trim()));
        }
        self.aside(&visible(&text));
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
