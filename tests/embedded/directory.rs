//! Data directories that cannot be opened: each says what happened, and what to do.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use saga::log::embedded::{Embedded, Options};
use saga::log::{JOURNAL, REQUESTS};

use super::probe::{Refused, open, user};

/// The message, with the directory named `DATA` and the process `PID`.
fn refusal(directory: &Path) -> String {
    refusal_with(directory, &Options::default())
}

fn refusal_with(directory: &Path, options: &Options) -> String {
    let error = Embedded::open(directory, options).expect_err("it must be refused");
    let text = format!("failed to {error}").replace(&*directory.to_string_lossy(), "DATA");
    text.replace(&format!("process {}", std::process::id()), "process PID")
}

/// A log with some records, closed.
fn filled() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let probe = user(&log);
    for n in 0..50 {
        probe.append(JOURNAL, 0, &format!("{n} {}", "x".repeat(3_000)));
    }
    drop(log);
    directory
}

fn damage(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn locked() {
    let directory = tempfile::tempdir().unwrap();
    let holder = Options { owner: "saga serve".to_owned(), ..Options::default() };
    let _log = Embedded::open(directory.path(), &holder).unwrap();
    let text = refusal(directory.path());
    let (before, rest) = text.split_once("since ").unwrap();
    let (time, after) = rest.split_once(')').unwrap();
    assert!(time.ends_with('Z'), "{time}");
    insta::assert_snapshot!(format!("{before}since TIME){after}"), @"failed to open the data directory DATA: process PID (`saga serve`, since TIME) is using it; stop that process first. Meanwhile `saga list`, `saga show` and `saga history` read beside it");
}

#[test]
fn unlocked_by_closing() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path());
    first.close();
    open(directory.path());
}

#[test]
fn not_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "x").unwrap();
    insta::assert_snapshot!(refusal(&path), @"failed to open the data directory DATA: it is not a directory; choose another with `--data DIR`");
    insta::assert_snapshot!(refusal(&path.join("below")), @"failed to open the data directory DATA: it is not a directory; choose another with `--data DIR`");
}

#[test]
fn not_a_database() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("saga.db"), "these are my notes, not a database at all").unwrap();
    insta::assert_snapshot!(refusal(directory.path()), @"failed to open the log DATA/saga.db: it is not a SQLite database; move it away if something else wrote it, or restore it from a backup");
    let kept = fs::read_to_string(directory.path().join("saga.db")).unwrap();
    assert!(kept.starts_with("these are my notes"), "nothing is overwritten");
}

#[test]
fn a_database_of_something_else() {
    let directory = tempfile::tempdir().unwrap();
    let other = Connection::open(directory.path().join("saga.db")).unwrap();
    other.execute_batch("CREATE TABLE notes (text); PRAGMA application_id = 7").unwrap();
    drop(other);
    insta::assert_snapshot!(refusal(directory.path()), @"failed to open the log DATA/saga.db: it is a SQLite database, but not one of saga's (application id 0x00000007); choose another data directory with `--data DIR`");
}

#[test]
fn newer() {
    let directory = filled();
    let file = Connection::open(directory.path().join("saga.db")).unwrap();
    file.execute_batch("PRAGMA user_version = 9").unwrap();
    drop(file);
    insta::assert_snapshot!(refusal(directory.path()), @"failed to open the log DATA/saga.db: its format is version 9, and this program knows up to 1; use the version of saga that wrote it, or a newer one");
}

#[test]
fn another_number_of_partitions() {
    let directory = filled();
    let asked = Options { partitions: Some(8), ..Options::default() };
    insta::assert_snapshot!(refusal_with(directory.path(), &asked), @"failed to open the log DATA/saga.db: it was made with 2 partitions, not 8; their number is fixed when a data directory is made: leave it out, or begin a new data directory");
}

#[test]
fn no_number_of_partitions() {
    let directory = filled();
    let file = Connection::open(directory.path().join("saga.db")).unwrap();
    file.execute_batch("UPDATE layout SET value = 'many' WHERE name = 'partitions'").unwrap();
    drop(file);
    insta::assert_snapshot!(refusal(directory.path()), @"failed to open the log DATA/saga.db: it is damaged: its table `layout` does not say the number of partitions; SQLite's check says `ok`; 50 batches can be read, 0 cannot. Nothing was changed. Restore the directory from a backup, or copy it and rescue what can be read with SQLite's `.recover`");
}

/// A clean end leaves no write-ahead log: nothing but the lock file knows what was there.
#[test]
fn removed_or_emptied_behind_a_clean_end() {
    let directory = filled();
    let file = directory.path().join("saga.db");
    let look = || format!("failed to {}", Embedded::look(directory.path()).expect_err("it must be refused"));
    fs::write(&file, "").unwrap();
    let emptied = refusal(directory.path());
    insta::assert_snapshot!(emptied, @"failed to open the log DATA/saga.db: it is empty, and DATA/saga.lock says that it held a log: something else removed or emptied it, and what was in it is lost unless it is elsewhere. Nothing was changed. Restore the directory from a backup, or move it away whole to begin anew");
    assert_eq!(look().replace(&*directory.path().to_string_lossy(), "DATA"), emptied);
    assert_eq!(fs::read(&file).unwrap(), b"", "nothing was begun in it");
    fs::remove_file(&file).unwrap();
    insta::assert_snapshot!(refusal(directory.path()), @"failed to open the log DATA/saga.db: it is missing, and DATA/saga.lock says that it held a log: something else removed or emptied it, and what was in it is lost unless it is elsewhere. Nothing was changed. Restore the directory from a backup, or move it away whole to begin anew");
    assert_eq!(refusal(directory.path()), refusal(directory.path()), "however often it is tried");
    assert!(!file.exists() && Embedded::is_there(directory.path()).unwrap());
    // Moved away whole, the directory begins anew.
    fs::remove_file(directory.path().join("saga.lock")).unwrap();
    assert!(!Embedded::is_there(directory.path()).unwrap());
    drop(open(directory.path()));
}

#[test]
fn cut_off_in_the_middle() {
    let directory = filled();
    damage(&directory.path().join("saga.db"), |bytes| bytes.truncate(100_000));
    insta::assert_snapshot!(refusal(directory.path()), @"failed to open the log DATA/saga.db: it is damaged: 100000 of 253952 bytes are there: it was cut off; SQLite cannot read any of it (database disk image is malformed). Nothing was changed. Restore the directory from a backup, or copy it and rescue what can be read with SQLite's `.recover`");
}

#[test]
fn cut_off_in_its_header() {
    let directory = filled();
    damage(&directory.path().join("saga.db"), |bytes| bytes.truncate(50));
    insta::assert_snapshot!(refusal(directory.path()), @"failed to open the log DATA/saga.db: it is damaged: 50 of 253952 bytes are there: it was cut off; SQLite cannot read any of it (database disk image is malformed). Nothing was changed. Restore the directory from a backup, or copy it and rescue what can be read with SQLite's `.recover`");
}

#[test]
fn flipped_bytes_in_a_record_are_found_when_it_is_read() {
    let directory = filled();
    let needle = b"17 xxxx";
    damage(&directory.path().join("saga.db"), |bytes| {
        let at = bytes.windows(needle.len()).position(|window| window == needle).expect("the record is there");
        bytes[at + 5] ^= 0x20;
    });
    let log = open(directory.path());
    let probe = user(&log);
    let before = probe.records(probe.ask_read(JOURNAL, 0, 0)).unwrap();
    assert_eq!(before.len(), 17, "what is whole before it can be read");
    let Err(Refused::Damaged(why, Some(18))) = probe.records(probe.ask_read(JOURNAL, 0, 17)) else {
        panic!("a damaged record must not be read");
    };
    let why = why.replace(&*directory.path().to_string_lossy(), "DATA");
    insta::assert_snapshot!(why, @"read DATA/saga.db: it is damaged: the checksum of offsets 17 to 17 does not hold. Nothing was changed. Restore the directory from a backup, or copy it and rescue what can be read with SQLite's `.recover`");
    assert_eq!(probe.payloads(JOURNAL, 0, 20, 50).len(), 30, "what is whole behind it too");
}

#[test]
fn records_that_are_missing_are_found() {
    let directory = filled();
    let file = Connection::open(directory.path().join("saga.db")).unwrap();
    file.execute_batch("DELETE FROM batch WHERE first BETWEEN 10 AND 12 OR first = 0").unwrap();
    drop(file);
    let log = open(directory.path());
    let probe = user(&log);
    let read = |from| probe.records(probe.ask_read(JOURNAL, 0, from));
    assert!(matches!(read(0), Err(Refused::Damaged(_, Some(1)))), "{:?}", read(0));
    assert_eq!(read(1).unwrap().len(), 9);
    assert!(matches!(read(10), Err(Refused::Damaged(_, Some(13)))), "{:?}", read(10));
    assert_eq!(read(13).unwrap().len(), 37);
}

#[test]
fn flipped_bytes_in_the_tree_are_found() {
    let directory = filled();
    let pages = |bytes: &mut Vec<u8>| {
        for page in bytes.chunks_mut(8_192).skip(1) {
            page[..8].fill(0xee);
        }
    };
    damage(&directory.path().join("saga.db"), pages);
    insta::assert_snapshot!(refusal(directory.path()), @r"
    failed to open the log DATA/saga.db: it is damaged: database disk image is malformed; SQLite's check says `*** in database main ***
    Tree 2 page 2: btreeInitPage() returns error code 11`; 0 batches can be read, 1 cannot. Nothing was changed. Restore the directory from a backup, or copy it and rescue what can be read with SQLite's `.recover`
    ");
}

/// A log whose process died with everything still in the write-ahead log: a copy of the files while they are in use.
fn died() -> tempfile::TempDir {
    let (directory, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = open(directory.path());
    let probe = user(&log);
    for n in 0..20 {
        probe.append(JOURNAL, 0, &format!("{n} {}", "x".repeat(3_000)));
    }
    for name in ["saga.db", "saga.db-wal"] {
        fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
    }
    copy
}

#[test]
fn flipped_bytes_in_the_write_ahead_log_drop_nothing_silently() {
    let directory = died();
    damage(&directory.path().join("saga.db-wal"), |bytes| {
        let at = bytes.windows(6).position(|window| window == b"7 xxxx").expect("the record is there");
        bytes[at + 3] ^= 0x20;
    });
    let text = refusal(directory.path());
    let digits = |text: &str| {
        text.replace(|character: char| character.is_ascii_digit(), "9")
            .replace("99", "9")
            .replace("99", "9")
            .replace("99", "9")
    };
    insta::assert_snapshot!(digits(&text), @"failed to open the log DATA/saga.db: it is damaged: its write-ahead log DATA/saga.db-wal has damaged bytes from 9 on, and 9 later commits behind them; all before the damage can be read, none of it was dropped. Nothing was changed. Restore the directory from a backup, or copy it and rescue what can be read with SQLite's `.recover`");
}

#[test]
fn a_torn_end_of_the_write_ahead_log_is_what_a_crash_leaves() {
    let directory = died();
    damage(&directory.path().join("saga.db-wal"), |bytes| bytes.truncate(bytes.len() - 5_000));
    let log = open(directory.path());
    let range = log.range(JOURNAL, 0);
    assert_eq!(user(&log).payloads(JOURNAL, 0, 0, range.end).len(), 19, "all but the last, which was torn");
}

#[test]
fn an_empty_directory_and_an_empty_file_begin_anew() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("saga.db"), "").unwrap();
    let log = open(directory.path());
    assert_eq!(user(&log).append(REQUESTS, 0, "x"), 0);
}
