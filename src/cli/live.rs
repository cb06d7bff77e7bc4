//! One instance as it goes: on a terminal a live tree of its steps, elsewhere a line for each event. Both on standard
//! error, so that the outcome alone is the output.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use unicode_width::UnicodeWidthChar as _;

use super::Out;
use super::history::sentence;
use super::out::Audience;
use super::show::standing;
use crate::http::history::Entry;
use crate::http::view::{Shown, Standing, Statement};
use crate::source::is_obeyed;
use crate::time::Timestamp;

/// How often the tree is drawn anew while nothing happens, so that its times run.
pub(super) const REDRAW: Duration = Duration::from_millis(100);

/// Rows of a terminal that the tree leaves to what stands above it.
const ROWS_LEFT: usize = 3;

/// The tree on the screen, while there is one.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Standard error for lines that anybody may write at any time: they stand above the tree, which is drawn anew below.
pub(super) struct Above;

impl io::Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let write = || io::stderr().write(bytes);
        shown.as_ref().map_or_else(write, |bar| bar.suspend(write))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Shows an instance.
pub(super) enum Live {
    /// A tree that is drawn again and again.
    Tree(Box<Tree>),
    /// A line for each event.
    Lines {
        /// When the instance began.
        began: Option<Timestamp>,
    },
}

/// The state of the tree.
pub(super) struct Tree {
    bar: ProgressBar,
    latest: Option<Shown>,
    /// When work at a place was seen to begin, and how long it took once it ended.
    times: BTreeMap<String, (Instant, Option<Duration>)>,
    frame: usize,
}

impl Live {
    /// A tree if people watch and it fits on their screen.
    pub(super) fn new(out: &Out, statements: usize) -> Self {
        let (rows, _) = console_size();
        if out.remarks_to() == Audience::Program || statements + 1 + ROWS_LEFT > rows {
            return Self::Lines { began: None };
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(ProgressStyle::with_template("{msg}").expect("the template is fixed"));
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        Self::Tree(Box::new(Tree { bar, latest: None, times: BTreeMap::new(), frame: 0 }))
    }

    /// Something happened.
    pub(super) fn happened(&mut self, entry: &Entry, shown: Shown, out: &mut Out) {
        match self {
            Self::Tree(tree) => tree.show(shown),
            Self::Lines { began } => {
                let began = *began.get_or_insert(entry.at.0);
                for event in &entry.events {
                    let at = event.at.as_ref().map(|at| format!("{at}: ")).unwrap_or_default();
                    let passed = entry.at.0.since(began).as_secs_f64();
                    // A line for each, whatever is said.
                    let sentence = sentence(event).replace(is_obeyed, " ");
                    out.remark(format_args!("+{passed:.3}s  {at}{sentence}"));
                }
            }
        }
    }

    /// Time passed.
    pub(super) fn tick(&mut self) {
        if let Self::Tree(tree) = self {
            tree.draw();
        }
    }

    /// Leaves the last picture where it is.
    pub(super) fn end(&mut self, out: &mut Out) {
        if let Self::Tree(tree) = self {
            tree.draw();
            let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
            tree.bar.abandon();
            // What follows stands below it.
            out.aside("\n");
            *shown = None;
        }
    }
}

/// Rows and columns of the terminal behind standard error, now; few rows if that cannot be told, so that lines are
/// written instead.
fn console_size() -> (usize, usize) {
    let term = console::Term::stderr();
    (usize::from(indicatif::TermLike::height(&term)), usize::from(indicatif::TermLike::width(&term)))
}

/// The lines that fit: each cut at the last column, and of too many those around the first that is under way. What were
/// longer than the screen could not be drawn again in its place, but only below itself, again and again.
fn fitting(lines: &[String], under_way: usize, (rows, columns): (usize, usize)) -> String {
    let room = rows.saturating_sub(ROWS_LEFT).max(1);
    let from = if lines.len() <= room {
        0
    } else {
        // One line before it is kept: what was done last.
        under_way.saturating_sub(usize::from(room > 2)).min(lines.len().saturating_sub(room))
    };
    let shown = lines.iter().skip(from).take(room).map(|line| cut(line, columns));
    shown.collect::<Vec<_>>().join("\n")
}

/// A line of at most so many columns; the last one stays free, since some terminals wrap there.
fn cut(line: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, character) in line.char_indices() {
        used += character.width().unwrap_or_default();
        if used >= columns {
            return line.get(..at).unwrap_or_default();
        }
    }
    line
}

impl Tree {
    fn show(&mut self, shown: Shown) {
        for statement in &shown.flow {
            match statement.state {
                Some(Standing::NotBegun) | None => {}
                Some(state) if is_under_way(state) => {
                    let now = (Instant::now(), None);
                    let time = self.times.entry(statement.at.clone()).or_insert(now);
                    // Taken back after it had ended: its time goes on from there.
                    time.1 = None;
                }
                Some(_) => {
                    if let Some((began, took)) = self.times.get_mut(&statement.at) {
                        took.get_or_insert(began.elapsed());
                    }
                }
            }
        }
        self.latest = Some(shown);
        self.draw();
    }

    fn draw(&mut self) {
        self.frame = self.frame.wrapping_add(1);
        let Some(shown) = &self.latest else { return };
        let mut lines = vec![format!("{} {}  {}", shown.row.saga, shown.row.id, shown.row.status)];
        let mut under_way = None;
        for statement in &shown.flow {
            if statement.state.is_some_and(is_under_way) {
                under_way.get_or_insert(lines.len());
            }
            let mut text = String::new();
            let indent = "  ".repeat(statement.depth as usize);
            let name = match statement.word.as_str() {
                "step" | "pivot step" | "run" | "element" | "round" => &statement.at,
                word => word,
            };
            let _ = write!(text, "  {indent}{} {name}  {}", mark(statement, self.frame), standing(statement));
            if let Some(attempt) = statement.attempt.filter(|attempt| *attempt > 1) {
                let _ = write!(text, ", attempt {attempt}");
            }
            if let Some((began, took)) = self.times.get(&statement.at) {
                let _ = write!(text, "  {:.1}s", took.unwrap_or_else(|| began.elapsed()).as_secs_f64());
            }
            if let Some(code) = &statement.code {
                let _ = write!(text, "  {code}");
            }
            lines.push(text);
        }
        self.bar.set_message(fitting(&lines, under_way.unwrap_or_default(), console_size()));
    }
}

const fn is_under_way(state: Standing) -> bool {
    match state {
        Standing::Called
        | Standing::Sent
        | Standing::Asked
        | Standing::Pausing
        | Standing::Pending
        | Standing::Unfit
        | Standing::Stuck
        | Standing::Queued
        | Standing::Sleeping
        | Standing::Timed
        | Standing::Failing
        | Standing::Turned
        | Standing::Awaiting => true,
        Standing::NotBegun
        | Standing::Missed
        | Standing::Caught
        | Standing::Done
        | Standing::Refused
        | Standing::Unknown
        | Standing::Undone => false,
    }
}

/// One character for how it stands.
fn mark(statement: &Statement, frame: usize) -> &'static str {
    const SPINNER: [&str; 8] = ["⠋", "⠙", "⠸", "⠴", "⠦", "⠧", "⠇", "⠏"];
    match statement.state {
        None => "┬",
        Some(Standing::NotBegun) => "·",
        Some(Standing::Stuck) => "!",
        Some(Standing::Done) => "✓",
        Some(Standing::Refused) => "✗",
        Some(Standing::Unknown) => "?",
        Some(Standing::Missed) => "∅",
        Some(Standing::Undone | Standing::Caught) => "↩",
        Some(
            Standing::Called
            | Standing::Sent
            | Standing::Asked
            | Standing::Pausing
            | Standing::Pending
            | Standing::Unfit
            | Standing::Queued
            | Standing::Sleeping
            | Standing::Timed
            | Standing::Failing
            | Standing::Turned
            | Standing::Awaiting,
        ) => SPINNER.get(frame % SPINNER.len()).copied().unwrap_or("…"),
    }
}
