//! The lock of a data directory: whoever holds it owns all partitions of the log in it.
//!
//! It is a lock of the operating system on `saga.lock`, which ends with its process however that ends, so there is
//! no stale lock to clear. The file's content only tells people who holds it. SQLite's own lock is not used for
//! this: it would keep people from looking into a log that is in use.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::OpenError;
use crate::time::Timestamp;

/// The lock file's name in the data directory.
const FILE: &str = "saga.lock";

/// More than this is not what we wrote.
const CONTENT_MAX: u64 = 4_096;

/// Who holds a data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// What it calls itself, such as `saga serve`.
    pub owner: String,
    /// Since when, RFC 3339.
    pub since: String,
}

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
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
    pub(super) fn take(directory: &Path, owner: &str, now: Timestamp) -> Result<Self, OpenError> {
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
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked { path: directory.to_owned(), holder: holder(&mut file).map(Box::new) });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let holder = Holder { pid: std::process::id(), owner: owner.to_owned(), since: now.to_string() };
        let text = serde_json::to_string(&holder).expect("a holder is plain text and a number");
        // A full disk does not keep the lock from being held: the content is for people only.
        let written =
            file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).and_then(|_| writeln!(file, "{text}"));
        if let Err(error) = written {
            tracing::warn!(path = %path.display(), %error, "cannot write down who holds the data directory");
        }
        Ok(Self { file })
    }
}

fn holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.take(CONTENT_MAX).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
