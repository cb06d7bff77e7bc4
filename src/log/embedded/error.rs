//! Why the embedded log cannot be opened, read or written. Each says what happened, to which file, and what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::lock::Holder;

/// Why a data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Something else has the name.
    #[error("open the data directory {}: it is not a directory; choose another with `--data DIR`", path.display())]
    NotADirectory {
        /// The data directory.
        path: PathBuf,
    },
    /// No right to write there.
    #[error(
        "open the data directory {}: it cannot be written ({source}); give this user the right to write there, \
         or choose another with `--data DIR`",
        path.display()
    )]
    ReadOnly {
        /// What cannot be written.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process has it.
    #[error(
        "open the data directory {}: {} is using it; stop that process first. {}",
        path.display(),
        Owner(holder.as_deref()),
        meanwhile(holder.as_deref())
    )]
    Locked {
        /// The data directory.
        path: PathBuf,
        /// Who, as it wrote itself down.
        holder: Option<Box<Holder>>,
    },
    /// Anything else that the system refuses.
    #[error("open the data directory {}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Not SQLite.
    #[error(
        "open the log {}: it is not a SQLite database; move it away if something else wrote it, \
         or restore it from a backup",
        path.display()
    )]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// SQLite, but somebody else's.
    #[error(
        "open the log {}: it is a SQLite database, but not one of saga's (application id {found:#010x}); \
         choose another data directory with `--data DIR`",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its application id.
        found: u32,
    },
    /// Written by a later version.
    #[error(
        "open the log {}: its format is version {found}, and this program knows up to {known}; \
         use the version of saga that wrote it, or a newer one",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// Another number of partitions was asked for.
    #[error(
        "open the log {}: it was made with {found} partitions, not {asked}; their number is fixed when a data \
         directory is made: leave it out, or begin a new data directory",
        path.display()
    )]
    Partitions {
        /// The file.
        path: PathBuf,
        /// In the file.
        found: u32,
        /// Asked for.
        asked: u32,
    },
    /// The file is not whole.
    #[error("open the log {}: it is damaged: {what}; {readable}. {ADVICE}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
        /// What can still be read.
        readable: String,
    },
    /// The file is gone or emptied, and what SQLite keeps beside it is not.
    #[error(
        "open the log {}: {found}, and its write-ahead log {} holds {length} bytes: something else removed or emptied \
         it. Nothing was changed. Open neither with SQLite, which would delete the write-ahead log too; restore the \
         directory from a backup, or move it away whole to begin anew",
        path.display(), wal.display()
    )]
    Emptied {
        /// The file.
        path: PathBuf,
        /// How it was found.
        found: &'static str,
        /// Its write-ahead log.
        wal: PathBuf,
        /// The bytes of that.
        length: u64,
    },
    /// The file is gone or emptied, and nothing of it is beside it.
    #[error(
        "open the log {}: {found}, and {} says that it held a log: something else removed or emptied it, and what was in it \
         is lost unless it is elsewhere. Nothing was changed. Restore the directory from a backup, or move it away whole to \
         begin anew",
        path.display(), lock.display()
    )]
    Gone {
        /// The file.
        path: PathBuf,
        /// How it was found.
        found: &'static str,
        /// What remembers it.
        lock: PathBuf,
    },
    /// No space for the first pages.
    #[error("open the log {}: the disk is full, or a quota or a limit of file sizes is used up; make space and start again, \
             nothing is lost", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// There is nothing to look into.
    #[error("look into {}: there is no data", path.display())]
    Nothing {
        /// The data directory.
        path: PathBuf,
    },
    /// No right to read it.
    #[error(
        "look into the log {}: it cannot be read ({source}); give this user the right to read it, or look as the user \
         that runs the sagas",
        path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be read without writing, and not be written.
    #[error(
        "look into the log {}: this user may not write there, and its write-ahead log must be worked in first; copy \
         the directory to where you may write, and look there with `--data COPY`",
        path.display()
    )]
    Unfolded {
        /// The file.
        path: PathBuf,
    },
    /// Anything else that SQLite refuses.
    #[error("open the log {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

/// What one does with a damaged file.
pub(super) const ADVICE: &str = "Nothing was changed. Restore the directory from a backup, or copy it and rescue what \
     can be read with SQLite's `.recover`";

/// What can be done without stopping who holds the lock.
fn meanwhile(holder: Option<&Holder>) -> &'static str {
    match holder.and_then(|holder| holder.server.as_ref()) {
        Some(_) => "Meanwhile `saga start`, `saga list` and their like, on the same directory, ask it",
        None => "Meanwhile `saga list`, `saga show` and `saga history` read beside it",
    }
}

/// Who holds the lock, as words.
struct Owner<'a>(Option<&'a Holder>);

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(holder) => holder.fmt(f),
            None => f.write_str("another process"),
        }
    }
}
