//! The lock of a data directory: whoever holds it owns all partitions of the log in it.
//!
//! It is a lock of the operating system on `saga.lock`, which ends with its process however that ends, so there is
//! no stale lock to clear. The file's content only tells who holds it, and where that answers. SQLite's own lock is not used for
//! this: it would keep people from looking into a log that is in use.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::OpenError;
use crate::time::Timestamp;

/// The lock file's name in the data directory.
pub(super) const FILE: &str = "saga.lock";

/// More than this is not what we wrote.
const CONTENT_MAX: u64 = 4_096;

/// Who only looks whether the lock is held takes it for a moment, which must not make an owner give up: so often an owner
/// tries, with this pause.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// Who holds a data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// What it calls itself, such as `saga serve`.
    pub owner: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// Where it answers, if it does: `http://127.0.0.1:7117`. Whoever listens there is this holder only if it says the
    /// same `id`: after a crash another process may have the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Of this taking of the lock: no two are the same.
    #[serde(default)]
    pub id: String,
    /// Whether a log was ever made in the directory: then it is not made anew where it is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub made: bool,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} (`{}`, since {})", self.pid, self.owner, self.since)
    }
}

/// Whether a data directory is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// By nobody, at the moment of asking.
    Free,
    /// By a living process, and what it wrote down of itself. That is missing for a moment while it writes, and where
    /// the disk had no space for it.
    By(Option<Holder>),
}

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
    pub(super) holder: Holder,
}

/// The system's lock goes with the open file, of which a child process has a copy between its fork and its exec: let
/// go in so many words, the lock does not outlast us by that moment.
impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "cannot let go of the data directory's lock before the process ends");
        }
    }
}

impl Lock {
    /// Takes the lock of `directory`, or says who has it.
    pub(super) fn take(directory: &Path, owner: &str, server: Option<&str>, now: Timestamp) -> Result<Self, OpenError> {
        let path = directory.join(FILE);
        let io = |source| OpenError::Io { path: path.clone(), source };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(|source| {
                match source.kind() {
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                        OpenError::ReadOnly { path: directory.to_owned(), source }
                    }
                    _ => OpenError::Io { path: path.clone(), source },
                }
            })?;
        for tried in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if tried < TRIES => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    let holder = holder(&mut file).map(Box::new);
                    return Err(OpenError::Locked { path: directory.to_owned(), holder });
                }
                Err(TryLockError::Error(source)) => return Err(io(source)),
            }
        }
        let made = holder(&mut file).is_some_and(|before| before.made);
        let holder = Holder {
            pid: std::process::id(),
            owner: owner.to_owned(),
            since: now.to_string(),
            server: server.map(str::to_owned),
            id: Uuid::now_v7().to_string(),
            made,
        };
        let mut lock = Self { file, path, holder };
        lock.write();
        Ok(lock)
    }

    /// Writes down that the directory has a log.
    pub(super) fn made(&mut self) {
        if !std::mem::replace(&mut self.holder.made, true) {
            self.write();
        }
    }

    /// Over what was there, which is cut behind it: a crash or a full disk leaves the one or the other, and its first line
    /// counts. A full disk does not keep the lock from being held: the content is for those who find it held.
    fn write(&mut self) {
        let text = serde_json::to_string(&self.holder).expect("a holder is plain text and a number") + "\n";
        let file = &mut self.file;
        let written = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(text.as_bytes()));
        let written = written.and_then(|()| file.set_len(text.len() as u64));
        if let Err(error) = written {
            tracing::warn!(path = %self.path.display(), %error, "cannot write down who holds the data directory");
        }
    }
}

/// Whether somebody holds the lock of `directory` now.
pub(super) fn held(directory: &Path) -> io::Result<Held> {
    let mut file = match File::open(directory.join(FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Held::Free),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        // Dropped at once, and with it the lock that was taken.
        Ok(()) => file.unlock().map(|()| Held::Free),
        Err(TryLockError::WouldBlock) => Ok(Held::By(holder(&mut file))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether a log was ever made in the directory of this lock file, as that has it.
pub(super) fn was_made(file: &Path) -> bool {
    File::open(file).ok().and_then(|mut file| holder(&mut file)).is_some_and(|holder| holder.made)
}

fn holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.take(CONTENT_MAX).read_to_string(&mut text).ok()?;
    serde_json::from_str(text.lines().next()?).ok()
}
