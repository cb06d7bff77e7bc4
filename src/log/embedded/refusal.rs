//! What SQLite's refusals mean, and what can still be read of a damaged file.

use std::io;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::error::OpenError;

/// Whether the system took no more bytes though the disk is not full: a quota, or a limit of file sizes.
pub(super) fn is_out_of_room(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|code| code.extended_code);
    matches!(code, Some(ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE | ffi::SQLITE_IOERR_TRUNCATE))
}

/// Gives SQLite's refusal to open a file its cause and its advice.
pub(super) fn explain(path: &Path, source: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotADatabase { path },
        Some(ErrorCode::DatabaseCorrupt) => damaged(&path, source.to_string()),
        Some(ErrorCode::DiskFull) => OpenError::Full { path },
        _ if is_out_of_room(&source) => OpenError::Full { path },
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            OpenError::ReadOnly { path, source: io::Error::other(source.to_string()) }
        }
        _ => OpenError::Sqlite { path, source },
    }
}

/// The error for a damaged file, with what `quick_check` and the batches' checksums say of the rest.
pub(super) fn damaged(path: &Path, what: String) -> OpenError {
    OpenError::Damaged { path: path.to_owned(), what, readable: readable(path) }
}

/// What can still be read, in one sentence.
fn readable(path: &Path) -> String {
    let count = || -> rusqlite::Result<String> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let check: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        let (good, bad) = survey(&connection)?;
        Ok(format!("SQLite's check says `{check}`; {good} batches can be read, {bad} cannot"))
    };
    count().unwrap_or_else(|error| format!("SQLite cannot read any of it ({error})"))
}

/// Counts batches whose checksum holds, and those whose does not.
fn survey(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
    let mut statement = connection.prepare("SELECT crc, records FROM batch ORDER BY id")?;
    let mut rows = statement.query([])?;
    let (mut good, mut bad) = (0, 0);
    loop {
        match rows.next() {
            Ok(None) => return Ok((good, bad)),
            Ok(Some(row)) => {
                let crc: u32 = row.get(0)?;
                let holds = row.get_ref(1)?.as_blob().is_ok_and(|records| crc32fast::hash(records) == crc);
                if holds { good += 1 } else { bad += 1 }
            }
            // A broken page ends the walk: what lies behind it is not counted as readable.
            Err(_) => return Ok((good, bad + 1)),
        }
    }
}
