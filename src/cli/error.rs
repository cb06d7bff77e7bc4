//! Why a command could not be carried out, for people: what happened, then what to do next.
//!
//! This is the edge of the program: errors of all layers end here as text, with the kind that decides the exit code.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

use super::exit::Exit;

/// What kind of failure, for the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Arguments, files or inputs of the user.
    Usage,
    /// Files that were read and have findings.
    Findings,
    /// The engine does not accept it.
    Refused,
    /// The data directory or the server.
    Unavailable,
    /// Our own defect.
    Bug,
    /// The output cannot be written.
    Unwritten,
    /// Nobody reads our output any more.
    PipeClosed,
}

/// A failure with its hints.
#[derive(Debug)]
pub struct CliError {
    kind: Kind,
    message: String,
    hints: Vec<String>,
}

impl CliError {
    /// Bad arguments, a file or an input that cannot be read.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Of this kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new() }
    }

    /// "failed to …" with all causes behind it.
    pub fn failed_to(kind: Kind, error: &dyn Error) -> Self {
        Self::new(kind, format!("failed to {}", chain(error)))
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same for instances at this place, as arguments: the commands in its hints can be pasted.
    #[must_use]
    pub fn at(mut self, place: &[impl AsRef<str>]) -> Self {
        for hint in &mut self.hints {
            *hint = pasteable(hint, place);
        }
        self
    }

    /// How the process ends. The one place where a kind becomes an exit code.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self.kind {
            Kind::Usage => Exit::Usage,
            Kind::Findings => Exit::Findings,
            Kind::Refused => Exit::Refused,
            Kind::Unavailable => Exit::Unavailable,
            Kind::Bug => Exit::Bug,
            Kind::Unwritten => Exit::Unwritten,
            Kind::PipeClosed => Exit::PipeClosed,
        }
    }

    /// What happened, without what to do next.
    #[must_use]
    pub fn title(&self) -> String {
        self.message.clone()
    }

    /// As it is shown; nothing where nobody reads.
    #[must_use]
    pub fn text(&self) -> String {
        if self.kind == Kind::PipeClosed {
            return String::new();
        }
        let mut text = format!("error: {}\n", self.message);
        for hint in &self.hints {
            let _ = writeln!(text, "hint: {hint}");
        }
        text
    }
}

/// A hint whose commands that look at instances say where these are. What is in backquotes is a command.
fn pasteable(hint: &str, place: &[impl AsRef<str>]) -> String {
    const LOOKS: [&str; 4] = ["saga show ", "saga list ", "saga history ", "saga definitions "];
    let parts: Vec<&str> = hint.split('`').collect();
    // An id with a backquote in it: where a command ends cannot be told.
    if place.is_empty() || parts.len().is_multiple_of(2) {
        return hint.to_owned();
    }
    let (place, mut text) = (shell_words::join(place), String::new());
    for (index, part) in parts.into_iter().enumerate() {
        let is_command = index % 2 == 1;
        if index > 0 {
            text.push('`');
        }
        let Some(look) = LOOKS.into_iter().filter(|_| is_command).find(|look| format!("{part} ").starts_with(look))
        else {
            text.push_str(part);
            continue;
        };
        // Behind `--` nothing is an option any more.
        match part.strip_prefix(look).filter(|id| id.starts_with("-- ")) {
            Some(id) => text.extend([look, &place, " ", id]),
            None => text.extend([part, " ", &place]),
        }
    }
    text
}

/// An error with its causes, each behind a colon; one that its cause says already is left out.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let words = next.to_string();
        if !text.contains(&words) {
            let _ = write!(text, ": {words}");
        }
        cause = next.source();
    }
    text
}

/// The cause alone: "No such file or directory (os error 2)" says too much.
pub fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// The known names that are near to `wanted`, as a hint; the list of all where none is near and they are few.
pub fn near_miss<'a>(what: &str, wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    /// More than these nobody reads.
    const LISTED: usize = 12;
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(wanted, known.iter().copied()) {
        Some(name) => Some(format!("did you mean `{name}`?")),
        None if known.is_empty() => None,
        None => {
            let shown: Vec<String> = known.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
            let more = if known.len() > LISTED { ", …" } else { "" };
            Some(format!("{what}: {}{more}", shown.join(", ")))
        }
    }
}

/// The known name that was probably meant by `wanted`.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Jaro-Winkler: below it, names share little but letters.
    const NEAR: f64 = 0.8;
    let scored = known.into_iter().map(|name| (strsim::jaro_winkler(wanted, name), name));
    scored.filter(|(near, _)| *near >= NEAR).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}
