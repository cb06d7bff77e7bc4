//! The checksum of each row: a row of the view is read only as it was written, and one that is not is made anew.
//!
//! The view is derived, so nothing is lost with a damaged row. But one that is believed says of an instance what never
//! was, and hides what is.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params, params_from_iter};

use super::table::{COLUMNS, DEFINITION, POSITIONS};

/// The columns of `instance` before its checksum.
pub(super) const FIELDS: usize = 13;

/// So many damaged rows are named.
const NAMED_MAX: usize = 8;

/// CRC-32 (IEEE) over fields in their order, each with its kind, texts with their length.
#[derive(Default)]
struct Sum(crc32fast::Hasher);

impl Sum {
    fn add(&mut self, field: ValueRef<'_>) {
        let (kind, bytes) = match field {
            ValueRef::Null => (0, [].as_slice()),
            ValueRef::Integer(number) => return self.add_bytes(1, &number.to_le_bytes()),
            ValueRef::Real(number) => return self.add_bytes(2, &number.to_le_bytes()),
            ValueRef::Text(bytes) => (3, bytes),
            ValueRef::Blob(bytes) => (4, bytes),
        };
        self.add_bytes(kind, bytes);
    }

    fn add_bytes(&mut self, kind: u8, bytes: &[u8]) {
        self.0.update(&[kind]);
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn end(self) -> i64 {
        i64::from(self.0.finalize())
    }
}

pub(super) fn text(text: Option<&str>) -> ValueRef<'_> {
    text.map_or(ValueRef::Null, ValueRef::from)
}

pub(super) fn integer(value: Option<i64>) -> ValueRef<'static> {
    value.map_or(ValueRef::Null, ValueRef::Integer)
}

/// The checksum of fields.
pub(super) fn sum<'v>(fields: impl IntoIterator<Item = ValueRef<'v>>) -> i64 {
    let mut sum = Sum::default();
    fields.into_iter().for_each(|field| sum.add(field));
    sum.end()
}

/// Whether a row is as it was written: its first `fields` columns fit the checksum behind them.
pub(super) fn fits(row: &SqlRow<'_>, fields: usize) -> rusqlite::Result<bool> {
    let mut sum = Sum::default();
    for column in 0..fields {
        sum.add(row.get_ref(column)?);
    }
    Ok(row.get_ref(fields)? == ValueRef::Integer(sum.end()))
}

/// An id for people, even one that is no text any more.
pub(super) fn id_of(row: &SqlRow<'_>) -> rusqlite::Result<String> {
    Ok(match row.get_ref(0)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Null | ValueRef::Real(_) => "?".to_owned(),
    })
}

/// Puts a row into a table, in place of the one with its key.
pub(super) fn put(connection: &Connection, table: &str, fields: &[ValueRef<'_>; FIELDS]) -> rusqlite::Result<()> {
    let crc = ValueRef::Integer(sum(fields.iter().copied()));
    connection
        .prepare_cached(&format!(
            "INSERT INTO {table} ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) \
             ON CONFLICT (id, run) DO UPDATE SET saga = ?3, definition = ?4, state = ?5, stuck = ?6, seq = ?7, \
             started = ?8, changed = ?9, partition = ?10, first = ?11, last = ?12, why = ?13, crc = ?14"
        ))?
        .execute(params_from_iter(fields.iter().copied().chain([crc]).map(ToSqlOutput::Borrowed)))
        .map(drop)
}

/// What stays of a row when it changes.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) saga: Option<String>,
    pub(super) definition: String,
    pub(super) state: String,
    pub(super) stuck: Option<String>,
    pub(super) started: Option<i64>,
    pub(super) first: Option<i64>,
    pub(super) why: Option<String>,
}

/// A row before it changes.
pub(super) enum Before {
    /// There was none.
    Nothing,
    /// It is not what was written.
    Damaged,
    /// It.
    Kept(Kept),
}

pub(super) fn before(connection: &Connection, table: &str, id: &str, run: i64) -> rusqlite::Result<Before> {
    let mut find = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM {table} WHERE id = ?1 AND run = ?2"))?;
    let found = find.query_row(params![id, run], |row| {
        if !fits(row, FIELDS)? {
            return Ok(Before::Damaged);
        }
        Ok(Before::Kept(Kept {
            saga: row.get(2)?,
            definition: row.get(3)?,
            state: row.get(4)?,
            stuck: row.get(5)?,
            started: row.get(7)?,
            first: row.get(10)?,
            why: row.get(12)?,
        }))
    });
    Ok(found.optional()?.unwrap_or(Before::Nothing))
}

/// The ids of rows of the file that are not what was written.
pub(super) fn damaged(connection: &Connection, condition: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM main.instance WHERE {condition}"))?;
    let mut rows = statement.query([])?;
    let mut damaged = Vec::new();
    while let Some(row) = rows.next()? {
        if !fits(row, FIELDS)? {
            damaged.push(id_of(row)?);
        }
    }
    Ok(damaged)
}

/// Whether the positions are as they were written.
pub(super) fn positions_fit(connection: &Connection) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare(&format!("SELECT {POSITIONS} FROM main.viewed"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if !fits(row, 2)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Takes rows away that are not what was written, and the positions with them: so the journal is read from its start.
/// The rows that are right are copied, since a key that was damaged stands where no search finds it.
pub(super) fn mend(connection: &Connection) -> rusqlite::Result<()> {
    let damaged = damaged(connection, "true")?;
    if damaged.is_empty() && positions_fit(connection)? {
        return Ok(());
    }
    if !damaged.is_empty() {
        connection.execute_batch(&format!("CREATE TABLE mended ({DEFINITION}) WITHOUT ROWID"))?;
        copy_fitting(connection)?;
        connection.execute_batch("DROP TABLE instance; ALTER TABLE mended RENAME TO instance")?;
    }
    connection.execute_batch("DELETE FROM viewed")?;
    let named = damaged.iter().take(NAMED_MAX).map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
    tracing::warn!(
        file = connection.path().unwrap_or_default(),
        rows = damaged.len(),
        "the view of instances was damaged (tables `instance`, `viewed`{}{named}): it is made anew from the journal, \
         and nothing is lost; look after the disk",
        if damaged.is_empty() { "" } else { "; rows of " },
    );
    Ok(())
}

fn copy_fitting(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM instance"))?;
    let mut insert = connection.prepare(&format!(
        "INSERT OR IGNORE INTO mended ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if !fits(row, FIELDS)? {
            continue;
        }
        let fields = (0..=FIELDS).map(|column| row.get_ref(column)).collect::<rusqlite::Result<Vec<_>>>()?;
        insert.execute(params_from_iter(fields.into_iter().map(ToSqlOutput::Borrowed)))?;
    }
    Ok(())
}
