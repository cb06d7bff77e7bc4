//! The SQLite file: its schema, its health, its rows. No threads and no queues here.
//!
//! ```sql
//! layout (name, value)                            -- partitions, created_by, created_at
//! lane   (id, topic, partition, start)            -- `start`: the first offset that is not truncated
//! batch  (id, lane, first, count, at, crc, records) -- `records` as the module `batch` frames them
//! log                                             -- a view for people: topic, partition, offsets, time, bytes
//! ```
//!
//! `batch` is a rowid table with an index on (lane, first), since rows then go to the end of one tree however many
//! lanes there are: with (lane, first) as its own key a commit of ten rows took 1.3 to 1.8 times as long. The file's
//! application id is `SAGA`, its user version is [`FORMAT`].

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use super::batch::{self, Blob, Entry};
use super::error::OpenError;
use super::lock;
use super::refusal::{damaged, explain};
use super::wal;
use crate::log::Stored;
use crate::time::Timestamp;

/// The log's file name in the data directory.
pub(super) const FILE: &str = "saga.db";

/// The version of the schema and of the batches' framing.
pub(super) const FORMAT: u32 = 1;

/// `SAGA`
const APPLICATION: u32 = 0x5341_4741;

/// A batch is many records: larger pages than SQLite's 4,096 spare overflow chains. 16,384 makes small commits slower.
const PAGE_BYTES: u32 = 8_192;

/// The write-ahead log is folded into the file each 8 MiB: a longer one makes opening after a crash slower, a shorter
/// one writes hot pages more often.
const WAL_PAGES: u32 = 1_024;

/// How long somebody else's short write (`sqlite3` in a terminal) is waited for in one go.
const BUSY: Duration = Duration::from_millis(500);

const SCHEMA: &str = "
CREATE TABLE layout (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE lane (
  id INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL, start INTEGER NOT NULL,
  UNIQUE (topic, partition)
);
CREATE TABLE batch (
  id INTEGER PRIMARY KEY, lane INTEGER NOT NULL REFERENCES lane, first INTEGER NOT NULL, count INTEGER NOT NULL,
  at INTEGER NOT NULL, crc INTEGER NOT NULL, records BLOB NOT NULL
);
CREATE UNIQUE INDEX batch_by_offset ON batch (lane, first);
CREATE VIEW log AS
  SELECT topic, partition, first AS first_offset, first + count - 1 AS last_offset,
         strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS at, length(records) AS bytes
  FROM batch JOIN lane ON lane.id = batch.lane ORDER BY batch.id;
";

/// What is fixed when a data directory is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Partitions of every `saga.*` topic.
    pub partitions: u32,
    /// The program that made it.
    pub created_by: String,
}

/// Number of a topic's partition in the file.
pub(super) type LaneId = i64;

/// A topic's partition as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LaneRow {
    pub(super) id: LaneId,
    pub(super) topic: String,
    pub(super) partition: u32,
    pub(super) start: u64,
    pub(super) next: u64,
    /// The append time of its last batch.
    pub(super) last_at: Timestamp,
}

/// One row of `batch`, decoded.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) first: u64,
    pub(super) entries: Vec<Entry>,
}

/// Why a batch cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum RowError {
    /// The bytes are not those that were written.
    #[error("{what}")]
    Damaged {
        /// What is wrong.
        what: String,
        /// The first offset behind them, where that can be told.
        until: Option<u64>,
    },
    /// SQLite says no.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// Opens the file for writing, makes it if there is none, and checks that it is ours and whole.
pub(super) fn open(
    directory: &Path,
    asked: &Layout,
    partitions: Option<u32>,
) -> Result<(Connection, Layout), OpenError> {
    let path = directory.join(FILE);
    whole(&path)?;
    let connection = connect(&path).map_err(|source| explain(&path, source))?;
    // SQLite opens such a file all the same, and would say so with the first write.
    if connection.is_readonly("main").unwrap_or(false) {
        return Err(OpenError::ReadOnly { path, source: io::ErrorKind::PermissionDenied.into() });
    }
    match prepare(&connection, &path, asked) {
        Ok(layout) => match partitions {
            Some(asked) if asked != layout.partitions => {
                Err(OpenError::Partitions { path, found: layout.partitions, asked })
            }
            Some(_) | None => Ok((connection, layout)),
        },
        Err(Refused::Open(error)) => Err(error),
        Err(Refused::Sqlite(source)) => Err(explain(&path, source)),
    }
}

enum Refused {
    Open(OpenError),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Refused {
    fn from(source: rusqlite::Error) -> Self {
        Self::Sqlite(source)
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Beside others that may write.
    Shared,
    /// Where nobody can write, this process neither: SQLite would else have to make files beside it.
    Unchanging,
}

/// A second connection for reading what is no longer in memory.
pub(super) fn connect_reader(directory: &Path, way: Way) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let path = directory.join(FILE);
    let connection = match way {
        Way::Shared => Connection::open_with_flags(path, flags)?,
        Way::Unchanging => {
            let name = path.to_string_lossy();
            let encoded = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
            let uri = format!("file:{encoded}?immutable=1");
            Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?
        }
    };
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// A connection that sees the file as it is now, whatever others write meanwhile, and what was fixed when it was made.
/// Writes nothing.
pub(super) fn look(directory: &Path, way: Way) -> Result<(Connection, Layout), OpenError> {
    let path = directory.join(FILE);
    not_emptied(&path)?;
    if fs::metadata(&path).is_ok_and(|file| file.len() == 0) {
        return Err(OpenError::Nothing { path: directory.to_owned() });
    }
    let explained = |source| explain(&path, source);
    let connection = connect_reader(directory, way).map_err(explained)?;
    // The first read begins the snapshot.
    connection.execute_batch("BEGIN").map_err(explained)?;
    match known(&connection, &path) {
        Ok(layout) => Ok((connection, layout)),
        Err(Refused::Open(error)) => Err(error),
        Err(Refused::Sqlite(source)) => Err(explained(source)),
    }
}

/// Whether a write-ahead log holds what the file does not.
pub(super) fn is_unfolded(directory: &Path) -> bool {
    fs::metadata(wal_of(&directory.join(FILE))).is_ok_and(|wal| wal.len() > 0)
}

fn prepare(connection: &Connection, path: &Path, asked: &Layout) -> Result<Layout, Refused> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 && number(connection, "application_id")? == 0 {
        create(connection, asked)?;
    }
    known(connection, path)
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<u32> {
    connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
}

/// What was fixed when the file was made, if it is ours and not newer.
fn known(connection: &Connection, path: &Path) -> Result<Layout, Refused> {
    let found = number(connection, "application_id")?;
    if found != APPLICATION {
        return Err(Refused::Open(OpenError::Foreign { path: path.to_owned(), found }));
    }
    let version = number(connection, "user_version")?;
    if version > FORMAT {
        return Err(Refused::Open(OpenError::Newer { path: path.to_owned(), found: version, known: FORMAT }));
    }
    let text = |name: &str| {
        connection
            .query_row("SELECT value FROM layout WHERE name = ?1", [name], |row| row.get::<_, String>(0))
            .optional()
    };
    let partitions = text("partitions")?.and_then(|text| text.parse().ok()).filter(|partitions| *partitions > 0);
    let Some(partitions) = partitions else {
        let what = "its table `layout` does not say the number of partitions".to_owned();
        return Err(Refused::Open(damaged(path, what)));
    };
    Ok(Layout { partitions, created_by: text("created_by")?.unwrap_or_default() })
}

fn create(connection: &Connection, layout: &Layout) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    transaction.execute_batch(SCHEMA)?;
    let mut insert = transaction.prepare("INSERT INTO layout (name, value) VALUES (?1, ?2)")?;
    insert.execute(params!["partitions", layout.partitions.to_string()])?;
    insert.execute(params!["created_by", layout.created_by])?;
    drop(insert);
    transaction.execute("INSERT INTO layout SELECT 'created_at', strftime('%Y-%m-%dT%H:%M:%fZ', 'now')", [])?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// Refuses an empty or missing file whose write-ahead log holds something, which SQLite would delete without a word, and
/// one that was made before, which would begin anew without a word.
///
/// A file that is being made is never so. Its first page is synced before its write-ahead log begins and before the lock
/// file says that it is made, and an owner that ends deletes the log but not the file; so this looks at those first, whoever
/// is at work meanwhile.
pub(super) fn not_emptied(path: &Path) -> Result<(), OpenError> {
    let wal = wal_of(path);
    let length = fs::metadata(&wal).map_or(0, |wal| wal.len());
    let lock = path.with_file_name(lock::FILE);
    if length == 0 && !lock::was_made(&lock) {
        return Ok(());
    }
    let found = match fs::metadata(path) {
        Ok(file) if file.len() == 0 => "it is empty",
        Err(source) if source.kind() == io::ErrorKind::NotFound => "it is missing",
        Ok(_) | Err(_) => return Ok(()),
    };
    if length == 0 {
        return Err(OpenError::Gone { path: path.to_owned(), found, lock });
    }
    Err(OpenError::Emptied { path: path.to_owned(), found, wal, length })
}

/// Notices a cut before SQLite does, to say how much is there. A file whose write-ahead log holds newer pages may be
/// shorter than its header says, so this looks at files without one only.
pub(super) fn whole(path: &Path) -> Result<(), OpenError> {
    not_emptied(path)?;
    let wal = wal_of(path);
    match wal::damage(&wal) {
        Ok(None) => {}
        Ok(Some(wal::Damage { at, commits })) => {
            let what = format!(
                "its write-ahead log {} has damaged bytes from {at} on, and {commits} later commits behind them",
                wal.display()
            );
            // Nothing may open it now: that would fold in what is before the damage and drop what is behind.
            let readable = "all before the damage can be read, none of it was dropped".to_owned();
            return Err(OpenError::Damaged { path: path.to_owned(), what, readable });
        }
        Err(source) => return Err(OpenError::Io { path: wal, source }),
    }
    if fs::metadata(&wal).is_ok_and(|wal| wal.len() > 0) {
        return Ok(());
    }
    let head = match read_head(path) {
        Ok(Some(head)) => head,
        Ok(None) => return Ok(()),
        Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
            return Err(OpenError::ReadOnly { path: path.to_owned(), source });
        }
        Err(source) => return Err(OpenError::Io { path: path.to_owned(), source }),
    };
    if !head.is_sqlite {
        return Err(OpenError::NotADatabase { path: path.to_owned() });
    }
    if head.length < head.expected {
        let what = format!("{} of {} bytes are there: it was cut off", head.length, head.expected);
        return Err(damaged(path, what));
    }
    Ok(())
}

pub(super) fn wal_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

struct Head {
    length: u64,
    expected: u64,
    is_sqlite: bool,
}

/// The first bytes of the file as SQLite's file format has them; `None` where there is no file, or an empty one.
fn read_head(path: &Path) -> io::Result<Option<Head>> {
    use std::io::Read as _;
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok(None);
    }
    let mut head = [0u8; 32];
    let complete = file.read_exact(&mut head).is_ok();
    let is_sqlite = complete && head.starts_with(b"SQLite format 3\0");
    let [.., size_high, size_low, _, _, _, _, _, _, _, _, _, _, a, b, c, d] = head;
    let page = match u16::from_be_bytes([size_high, size_low]) {
        1 => 65_536,
        size => u64::from(size),
    };
    let expected = page.saturating_mul(u64::from(u32::from_be_bytes([a, b, c, d])));
    Ok(Some(Head { length, expected, is_sqlite }))
}

/// All lanes.
pub(super) fn lanes(connection: &Connection) -> Result<Vec<LaneRow>, RowError> {
    let mut statement = connection.prepare("SELECT id, topic, partition, start FROM lane ORDER BY id")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, i64>(3)?)))?;
    let mut lanes = Vec::new();
    for row in rows {
        let (id, topic, partition, start) = row?;
        let start = unsigned(start)?;
        let last = connection
            .prepare_cached("SELECT first, count, at FROM batch WHERE lane = ?1 ORDER BY first DESC LIMIT 1")?
            .query_row([id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))
            .optional()?;
        let (next, last_at) = match last {
            Some((first, count, at)) => (unsigned(first)?.saturating_add(unsigned(count)?), Timestamp(unsigned(at)?)),
            None => (start, Timestamp(0)),
        };
        lanes.push(LaneRow { id, topic, partition, start, next: next.max(start), last_at });
    }
    Ok(lanes)
}

/// Makes a lane.
pub(super) fn insert_lane(connection: &Connection, topic: &str, partition: u32) -> rusqlite::Result<LaneId> {
    connection
        .prepare_cached("INSERT INTO lane (topic, partition, start) VALUES (?1, ?2, 0) RETURNING id")?
        .query_row(params![topic, partition], |row| row.get(0))
}

/// Appends one batch.
pub(super) fn insert_batch(
    connection: &Connection,
    lane: LaneId,
    records: &[Stored],
    blob: &mut Blob,
) -> rusqlite::Result<()> {
    let Some(Stored { offset: first, timestamp: at, .. }) = records.first() else { return Ok(()) };
    blob.clear();
    for stored in records {
        blob.encode(*at, stored.timestamp, &stored.message);
    }
    connection
        .prepare_cached("INSERT INTO batch (lane, first, count, at, crc, records) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            lane,
            signed(*first),
            signed(records.len() as u64),
            signed(at.0),
            crc32fast::hash(&blob.bytes),
            blob.bytes.as_slice()
        ])
        .map(|_| ())
}

/// Sets where a lane begins.
pub(super) fn set_start(connection: &Connection, lane: LaneId, start: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE lane SET start = max(start, ?2) WHERE id = ?1")?
        .execute(params![lane, signed(start)])
        .map(|_| ())
}

/// Deletes up to `limit` batches that lie wholly before `start`; returns how many.
pub(super) fn delete_before(connection: &Connection, lane: LaneId, start: u64, limit: u32) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM batch WHERE id IN (SELECT id FROM batch WHERE lane = ?1 AND first < ?2 AND first + count <= ?2 \
             ORDER BY first LIMIT ?3)",
        )?
        .execute(params![lane, signed(start), limit])
}

/// Reads batches from the one that holds `from` on, until they have at least `bytes` or there are no more.
pub(super) fn read_batches(
    connection: &Connection,
    lane: LaneId,
    from: u64,
    bytes: usize,
) -> Result<Vec<Batch>, RowError> {
    let mut statement = connection.prepare_cached(
        "SELECT first, count, at, crc, records FROM batch WHERE lane = ?1 AND first >= \
         coalesce((SELECT max(first) FROM batch WHERE lane = ?1 AND first <= ?2), ?2) ORDER BY first",
    )?;
    let mut rows = statement.query(params![lane, signed(from)])?;
    let (mut batches, mut taken): (Vec<Batch>, usize) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let first = unsigned(row.get(0)?)?;
        let count = unsigned(row.get(1)?)?;
        let at = Timestamp(unsigned(row.get(2)?)?);
        let crc: i64 = row.get(3)?;
        let records = row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
        let until = Some(first.saturating_add(count));
        let damaged = |what| RowError::Damaged { what, until };
        let offsets = || format!("offsets {first} to {}", first.saturating_add(count).saturating_sub(1));
        let expected = batches.last().map(|batch| batch.first.saturating_add(batch.entries.len() as u64));
        let holds = i64::from(crc32fast::hash(records)) == crc;
        let entries = if holds { batch::decode(records, at, count) } else { None };
        let entries = match (entries, expected) {
            (Some(entries), None) => entries,
            (Some(entries), Some(expected)) if expected == first => entries,
            // What is whole before it is given first: the next read begins at the damage.
            (_, Some(expected)) if from < expected => break,
            (Some(_), Some(_)) => {
                let what = format!("records are missing before {}", offsets());
                return Err(RowError::Damaged { what, until: Some(first) });
            }
            (None, _) if holds => return Err(damaged(format!("{} cannot be decoded", offsets()))),
            (None, _) => return Err(damaged(format!("the checksum of {} does not hold", offsets()))),
        };
        taken = taken.saturating_add(records.len());
        batches.push(Batch { first, entries });
        if taken >= bytes {
            break;
        }
    }
    Ok(batches)
}

/// SQLite's integers are signed; offsets and milliseconds stay far below 2^63.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> Result<u64, RowError> {
    let what = || format!("the number {value} stands where none below 0 can");
    u64::try_from(value).map_err(|_| RowError::Damaged { what: what(), until: None })
}
