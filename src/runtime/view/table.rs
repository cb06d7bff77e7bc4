//! The tables of the view in `saga.db`.
//!
//! ```sql
//! instance (id, run, saga, definition, state, stuck, seq, started, changed, partition, first, last, why, crc)
//! viewed   (partition, last, crc)      -- the last journal record that is in there
//! ```
//!
//! `crc` is over the columns before it, as the module `sums` has it.
//!
//! An instance that has ended stays until retention has taken its last record.

use std::cell::RefCell;
use std::collections::BTreeMap;

use compact_str::CompactString;
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row as SqlRow, params};
use tokio::sync::oneshot;

use super::fold::{Delta, Note, Position, Rows};
use super::sums::{self, Before, FIELDS, integer, text};
use super::{Filter, Found, LIST_MAX, Row, ViewError, is_end};
use crate::engine::{InstanceId, Run, Summary};
use crate::log::embedded::{Aside, Written};
use crate::plan::parsed;
use crate::time::Timestamp;

/// How many rows are shown where nobody says.
const LIST_USUAL: usize = 100;

/// The table of the file.
pub(super) const TABLE: &str = "instance";

/// Its columns and key.
pub(super) const DEFINITION: &str = "
  id TEXT NOT NULL, run INTEGER NOT NULL, saga TEXT, definition TEXT NOT NULL, state TEXT NOT NULL, stuck TEXT,
  seq INTEGER NOT NULL, started INTEGER, changed INTEGER NOT NULL, partition INTEGER NOT NULL, first INTEGER,
  last INTEGER NOT NULL, why TEXT, crc INTEGER NOT NULL, PRIMARY KEY (id, run)
";

/// The live ones have an index of their own, which those that are inserted as ended never touch.
const INDEXES: &str = "
CREATE INDEX IF NOT EXISTS instance_by_state ON instance (state, changed) WHERE state NOT IN ('completed', 'compensated');
CREATE TABLE IF NOT EXISTS viewed (partition INTEGER PRIMARY KEY, last INTEGER NOT NULL, crc INTEGER NOT NULL);
";

pub(super) const IS_LIVE: &str = "state NOT IN ('completed', 'compensated')";

pub(super) const COLUMNS: &str =
    "id, run, saga, definition, state, stuck, seq, started, changed, partition, first, last, why, crc";

/// Which of them is `last`.
const LAST: usize = 11;

pub(super) const POSITIONS: &str = "partition, last, crc";

/// Whether both tables are there and have their columns.
pub(super) fn is_whole(connection: &Connection) -> bool {
    let has =
        |table: &str, columns: &str| connection.prepare(&format!("SELECT {columns} FROM main.{table} LIMIT 0")).is_ok();
    has(TABLE, COLUMNS) && has("viewed", POSITIONS)
}

/// Makes the tables.
pub(super) struct Make {
    /// What SQLite says if it refuses.
    pub(super) done: oneshot::Sender<Result<(), Option<String>>>,
    pub(super) why: RefCell<Option<String>>,
}

impl Make {
    /// Tables that are not whole go both: one alone would say that the other holds what it does not.
    fn make(connection: &Connection) -> rusqlite::Result<()> {
        if is_whole(connection) {
            sums::mend(connection)?;
        } else {
            connection.execute_batch("DROP TABLE IF EXISTS instance; DROP TABLE IF EXISTS viewed")?;
        }
        connection.execute_batch(&format!("CREATE TABLE IF NOT EXISTS {TABLE} ({DEFINITION}) WITHOUT ROWID"))?;
        connection.execute_batch(INDEXES)
    }
}

impl Aside for Make {
    fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let made = Self::make(connection);
        if let Err(error) = &made {
            self.why.replace(Some(error.to_string()));
        }
        made
    }

    fn done(self: Box<Self>, written: Written) {
        let made = match written {
            Written::Yes => Ok(()),
            Written::No => Err(self.why.into_inner()),
        };
        // Whoever asked has gone: nothing to do.
        let _gone = self.done.send(made);
    }
}

/// Writes rows and up to where they reach.
pub(super) struct Flush {
    /// Into which table.
    pub(super) into: &'static str,
    pub(super) rows: Rows,
    pub(super) done: Option<oneshot::Sender<Written>>,
}

impl Aside for Flush {
    fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        for (id, note) in &self.rows.notes {
            reach(connection, self.into, id, *note)?;
        }
        for ((id, run), delta) in &self.rows.deltas {
            write(connection, self.into, (id, *run), delta)?;
        }
        // Who only looks keeps no positions.
        if self.into != TABLE {
            return Ok(());
        }
        let mut position = connection
            .prepare_cached("INSERT INTO viewed VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET last = ?2, crc = ?3")?;
        for (partition, Position { last }) in &self.rows.positions {
            let last = number(*last);
            let crc = sums::sum([ValueRef::Integer((*partition).into()), ValueRef::Integer(last)]);
            position.execute(params![partition, last, crc])?;
        }
        Ok(())
    }

    fn done(self: Box<Self>, written: Written) {
        if let Some(done) = self.done {
            let _gone = done.send(written);
        }
    }
}

/// Lets the records of an instance's latest run reach as far as one that changed nothing. Who only looks has the row of
/// an ended one in another table.
fn reach(connection: &Connection, into: &str, id: &InstanceId, note: Note) -> rusqlite::Result<()> {
    let mut find = latest(connection)?;
    let mut rows = find.query([id.as_str()])?;
    // Of an instance that never began, or that retention took, there is nothing to tell. A damaged row is made anew.
    let Some(row) = rows.next()? else { return Ok(()) };
    if !sums::fits(row, FIELDS)? {
        return Ok(());
    }
    let mut fields = [ValueRef::Null; FIELDS];
    for (column, field) in fields.iter_mut().enumerate() {
        *field = if column == LAST { ValueRef::Integer(number(note.last)) } else { row.get_ref(column)? };
    }
    sums::put(connection, into, &fields)
}

/// Changes one row.
fn write(connection: &Connection, into: &str, (id, run): (&InstanceId, Run), delta: &Delta) -> rusqlite::Result<()> {
    let before = match sums::before(connection, into, id.as_str(), number(run.0))? {
        // Whoever opens the directory next makes it anew: its old fields are not to be believed.
        Before::Damaged if delta.first.is_none() => return Ok(()),
        Before::Damaged | Before::Nothing => None,
        Before::Kept(kept) => Some(kept),
    };
    let before = before.as_ref();
    let stuck = delta.stuck.as_ref().map(|places| places.join("\n"));
    let old_saga = before.and_then(|before| before.saga.as_deref());
    let state = delta
        .state
        .map(Summary::name)
        .or(before.map(|before| before.state.as_str()))
        .unwrap_or(Summary::Running.name());
    let fields = [
        ValueRef::from(id.as_str()),
        ValueRef::Integer(number(run.0)),
        text(old_saga.or(delta.saga.as_deref())),
        ValueRef::from(before.map_or(delta.definition.as_str(), |before| before.definition.as_str())),
        ValueRef::from(state),
        text(stuck.as_deref().or(before.and_then(|before| before.stuck.as_deref()))),
        ValueRef::Integer(number(delta.seq)),
        integer(before.and_then(|before| before.started).or(delta.started.map(|at| number(at.0)))),
        ValueRef::Integer(number(delta.changed.0)),
        ValueRef::Integer(delta.partition.into()),
        integer(before.and_then(|before| before.first).or(delta.first.map(number))),
        ValueRef::Integer(number(delta.last)),
        text(delta.why.as_deref().or(before.and_then(|before| before.why.as_deref()))),
    ];
    sums::put(connection, into, &fields)
}

/// Forgets everything of a partition.
pub(super) struct ForgetAll {
    pub(super) partition: u32,
}

impl Aside for ForgetAll {
    fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute("DELETE FROM instance WHERE partition = ?1", [self.partition])?;
        connection.execute("DELETE FROM viewed WHERE partition = ?1", [self.partition]).map(|_| ())
    }

    fn done(self: Box<Self>, _written: Written) {}
}

/// Forgets ended instances whose last record is before the journal's start.
pub(super) struct Forget {
    pub(super) partition: u32,
    pub(super) start: u64,
}

impl Aside for Forget {
    fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .execute(
                "DELETE FROM instance WHERE partition = ?1 AND last < ?2 AND state IN ('completed', 'compensated')",
                params![self.partition, number(self.start)],
            )
            .map(|_| ())
    }

    fn done(self: Box<Self>, _written: Written) {}
}

/// Up to where the rows reach; nothing where that is not what was written, so that all is read again.
pub(super) fn positions(connection: &Connection) -> Result<Vec<(u32, Position)>, ViewError> {
    let mut statement = connection.prepare(&format!("SELECT {POSITIONS} FROM viewed"))?;
    let mut rows = statement.query([])?;
    let mut positions = Vec::new();
    while let Some(row) = rows.next()? {
        if sums::fits(row, 2)? {
            positions.push((row.get(0)?, Position { last: unsigned(row, 1)? }));
        }
    }
    Ok(positions)
}

/// Finds an instance's latest run.
fn latest(connection: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    connection.prepare_cached(&format!("SELECT {COLUMNS} FROM instance WHERE id = ?1 ORDER BY run DESC LIMIT 1"))
}

pub(super) fn row(connection: &Connection, id: &InstanceId) -> Result<Option<Row>, ViewError> {
    latest(connection)?.query_row([id.as_str()], |row| Ok(read(connection, row))).optional()?.transpose()
}

/// The lives of an id, the newest first. One whose row is damaged is left out: the list of instances names it.
pub(super) fn lives(connection: &Connection, id: &InstanceId) -> Result<Vec<Row>, ViewError> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM instance WHERE id = ?1 ORDER BY run DESC LIMIT {LIST_MAX}"))?;
    let mut rows = statement.query([id.as_str()])?;
    let mut lives = Vec::new();
    while let Some(row) = rows.next()? {
        match read(connection, row) {
            Err(ViewError::Damaged { .. }) => {}
            life => lives.push(life?),
        }
    }
    Ok(lives)
}

/// The condition on one state, in the words of the index of the live ones where that serves.
fn is_in(state: Summary) -> String {
    let is_live = if is_end(state) { String::new() } else { format!(" AND {IS_LIVE}") };
    format!("(state = '{}'{is_live})", state.name())
}

/// What a filter finds; `damaged` is told of each row that is damaged, and may go on without it.
pub(super) fn list(
    connection: &Connection,
    filter: &Filter,
    damaged: &mut dyn FnMut(ViewError) -> Result<(), ViewError>,
) -> Result<Found, ViewError> {
    match &filter.step {
        Some(step) => at_step(connection, (filter, step), damaged),
        None => Ok(Found { rows: rows(connection, filter, damaged)?, counts: counts(connection, filter)? }),
    }
}

/// Those that are stuck at a step: all that are stuck are gone through, which are few or what there is to see.
fn at_step(
    connection: &Connection,
    (filter, step): (&Filter, &str),
    damaged: &mut dyn FnMut(ViewError) -> Result<(), ViewError>,
) -> Result<Found, ViewError> {
    let means = |place: &str| place == step || parsed(place).is_some_and(|(name, _)| name == step);
    let limit = filter.limit.unwrap_or(LIST_USUAL).min(LIST_MAX);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM instance WHERE {} AND (?1 IS NULL OR saga = ?1) ORDER BY changed",
        is_in(Summary::Stuck)
    ))?;
    let mut found = Found::default();
    let mut count = 0;
    let mut rows = statement.query(params![filter.saga.as_deref()])?;
    while let Some(row) = rows.next()? {
        match read(connection, row) {
            Err(error @ ViewError::Damaged { .. }) => damaged(error)?,
            Err(error) => return Err(error),
            Ok(row) if row.stuck.iter().any(|place| means(place)) => {
                count += 1;
                found.rows.extend((found.rows.len() < limit).then_some(row));
            }
            Ok(_) => {}
        }
    }
    found.counts.extend((count > 0).then_some((Summary::Stuck, count)));
    Ok(found)
}

/// The live ones state by state, so that each question is answered by the index and stops at the limit; the ended ones
/// together, by when they ended.
fn rows(
    connection: &Connection,
    filter: &Filter,
    damaged: &mut dyn FnMut(ViewError) -> Result<(), ViewError>,
) -> Result<Vec<Row>, ViewError> {
    let limit = filter.limit.unwrap_or(LIST_USUAL).min(LIST_MAX);
    let (ended, live): (Vec<Summary>, Vec<Summary>) = filter.ranked().partition(|state| is_end(*state));
    let mut asked: Vec<(String, &str)> = live.into_iter().map(|state| (is_in(state), "changed")).collect();
    if !ended.is_empty() {
        let any = ended.into_iter().map(is_in).collect::<Vec<_>>().join(" OR ");
        asked.push((format!("({any})"), "changed DESC"));
    }
    let mut found = Vec::new();
    for (condition, order) in asked {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM instance WHERE {condition} AND (?1 IS NULL OR saga = ?1) ORDER BY {order} LIMIT ?2"
        ))?;
        let room = i64::try_from(limit.saturating_sub(found.len())).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![filter.saga.as_deref(), room])?;
        while let Some(row) = rows.next()? {
            match read(connection, row) {
                Err(error @ ViewError::Damaged { .. }) => damaged(error)?,
                read => found.push(read?),
            }
        }
    }
    Ok(found)
}

fn counts(connection: &Connection, filter: &Filter) -> Result<Vec<(Summary, u64)>, ViewError> {
    let mut found = Vec::new();
    for state in filter.ranked() {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT count(*) FROM instance WHERE {} AND (?1 IS NULL OR saga = ?1)",
            is_in(state)
        ))?;
        let count = statement.query_row(params![filter.saga.as_deref()], |row| unsigned(row, 0))?;
        found.extend((count > 0).then_some((state, count)));
    }
    Ok(found)
}

pub(super) fn live_by_definition(
    connection: &Connection,
    saga: &str,
) -> Result<Vec<(CompactString, u64, String)>, ViewError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT definition, count(*), min(id) FROM instance WHERE saga = ?1 AND {IS_LIVE} GROUP BY definition"
    ))?;
    let rows = statement.query_map([saga], |row| {
        Ok((
            CompactString::from(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?),
            unsigned(row, 1)?,
            row.get(2)?,
        ))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn live_definitions(connection: &Connection) -> Result<BTreeMap<String, u64>, ViewError> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT definition, count(*) FROM instance WHERE {IS_LIVE} GROUP BY definition"))?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, unsigned(row, 1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn read(connection: &Connection, row: &SqlRow<'_>) -> Result<Row, ViewError> {
    let shown = sums::id_of(row)?;
    let file = connection.path().unwrap_or("saga.db");
    let damaged = |what| ViewError::Damaged { id: shown.clone(), file: file.to_owned(), what };
    if !sums::fits(row, FIELDS)? {
        return Err(damaged("it does not fit its checksum"));
    }
    let text: String = row.get(0)?;
    let state: String = row.get(4)?;
    let stuck: Option<String> = row.get(5)?;
    let places = |text: String| text.lines().map(CompactString::from).collect();
    let run = Run(unsigned(row, 1)?);
    Ok(Row {
        id: InstanceId::try_from(text.as_str()).map_err(|_| damaged("its id is none"))?,
        run,
        saga: CompactString::from(row.get::<_, Option<String>>(2)?.unwrap_or_default()),
        definition: CompactString::from(row.get::<_, String>(3)?),
        state: summary(&state).ok_or_else(|| damaged("its state is none"))?,
        stuck: stuck.map(places).unwrap_or_default(),
        seq: unsigned(row, 6)?,
        started: row.get::<_, Option<i64>>(7)?.map_or(Timestamp(run.0), |at| Timestamp(at.cast_unsigned())),
        changed: Timestamp(unsigned(row, 8)?),
        partition: row.get(9)?,
        first: row.get::<_, Option<i64>>(10)?.map_or(0, i64::cast_unsigned),
        last: unsigned(row, LAST)?,
        why: row.get(12)?,
    })
}

fn summary(name: &str) -> Option<Summary> {
    match name {
        "running" => Some(Summary::Running),
        "compensating" => Some(Summary::Compensating),
        "stuck" => Some(Summary::Stuck),
        "completed" => Some(Summary::Completed),
        "compensated" => Some(Summary::Compensated),
        _ => None,
    }
}

/// SQLite's integers are signed; what we keep in them stays far below 2^63.
pub(super) const fn number(value: u64) -> i64 {
    value.cast_signed()
}

fn unsigned(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}
