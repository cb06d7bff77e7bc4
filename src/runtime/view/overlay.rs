//! The view as somebody sees it who only looks: the owner's tables as of one instant, and over them what the journal
//! says beyond. Nothing is written to the file; what is newer stands in tables of this connection alone.
//!
//! ```text
//!   newer     the live rows of the file, folded on and mended as an owner does it, and what became of ended ones
//!   instance  newer, and the ended rows of the file that are not in it: hides the file's own table from this connection
//! ```

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::fold::{Folding, Position};
use super::heal::Heal;
use super::sums;
use super::table::{self, COLUMNS, IS_LIVE};
use super::{Filter, Found, GATHERED_MAX, Row, ViewError};
use crate::engine::InstanceId;
use crate::journal::record::Record;
use crate::log::embedded::Aside as _;
use crate::runtime::partition::Recovered;

/// The live rows.
const NEWER: &str = "newer";

/// The view of one instant.
pub(in crate::runtime) struct Overlay {
    connection: Connection,
    folding: Folding,
}

impl Overlay {
    /// Over a connection that has its snapshot already.
    pub(in crate::runtime) fn new(connection: Connection) -> Result<Self, ViewError> {
        // Damaged live rows or positions: everything is made from the journal. Ended rows are checked as they are read.
        let is_whole = table::is_whole(&connection)
            && sums::damaged(&connection, IS_LIVE)?.is_empty()
            && sums::positions_fit(&connection)?;
        connection.execute_batch(&format!("CREATE TEMP TABLE {NEWER} ({}) WITHOUT ROWID", table::DEFINITION))?;
        let mut ended = String::new();
        let mut positions = Vec::new();
        if is_whole {
            positions = table::positions(&connection)?;
            let copy = format!("INSERT INTO {NEWER} SELECT {COLUMNS} FROM main.instance WHERE {IS_LIVE}");
            connection.execute_batch(&copy)?;
            ended = format!(
                "UNION ALL SELECT {COLUMNS} FROM main.instance AS old WHERE NOT ({IS_LIVE}) AND NOT EXISTS \
                 (SELECT 1 FROM {NEWER} AS new WHERE new.id = old.id AND new.run = old.run)"
            );
        }
        let view = format!("CREATE TEMP VIEW instance AS SELECT {COLUMNS} FROM {NEWER} {ended}");
        connection.execute_batch(&view)?;
        Ok(Self { connection, folding: Folding::new(positions) })
    }

    /// Where reading a partition's journal goes on.
    pub(in crate::runtime) fn position(&self, partition: u32) -> Option<Position> {
        self.folding.position(partition)
    }

    /// Takes a good record.
    pub(in crate::runtime) fn fold(&mut self, partition: u32, offset: u64, record: &Record) -> Result<(), ViewError> {
        self.folding.take(partition, offset, record, None);
        if self.folding.gathered() >= GATHERED_MAX { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ViewError> {
        Ok(table::Flush { into: NEWER, rows: self.folding.take_rows(), done: None }.write(&self.connection)?)
    }

    /// Mends the rows of a partition's live instances: these are all of them.
    pub(in crate::runtime) fn heal(&mut self, partition: u32, end: u64, live: Vec<Recovered>) -> Result<(), ViewError> {
        self.flush()?;
        Ok(Heal { of: NEWER, partition, epoch: end, live }.write(&self.connection)?)
    }

    pub(in crate::runtime) fn row(&self, id: &InstanceId) -> Result<Option<Row>, ViewError> {
        table::row(&self.connection, id)
    }

    /// The lives of an id, the newest first.
    pub(in crate::runtime) fn lives(&self, id: &InstanceId) -> Result<Vec<Row>, ViewError> {
        table::lives(&self.connection, id)
    }

    /// What a filter finds, and what is to be said of those that are damaged: nothing of the others is hidden by them.
    pub(in crate::runtime) fn list(&self, filter: &Filter) -> Result<(Found, Vec<ViewError>), ViewError> {
        let mut damaged = Vec::new();
        let found = table::list(&self.connection, filter, &mut |error| {
            damaged.push(error);
            Ok(())
        })?;
        Ok((found, damaged))
    }

    pub(in crate::runtime) fn live_definitions(&self) -> Result<BTreeMap<String, u64>, ViewError> {
        table::live_definitions(&self.connection)
    }
}
