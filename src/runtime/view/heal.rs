//! Mends the rows of live instances by the instances themselves.
//!
//! The table may have been lost, or be behind the truth of a partition that was recovered; rows of instances whose first
//! records are truncated cannot be made from records at all. A recovery has every live instance, so behind it every row
//! of a live one is right, whatever the table held before.

use std::collections::BTreeMap;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

use super::sums::{self, FIELDS, integer, text};
use super::table::{COLUMNS, IS_LIVE, number};
use crate::log::embedded::{Aside, Written};
use crate::runtime::partition::Recovered;

/// All live instances of a partition, for its rows.
pub(super) struct Heal {
    /// Of which table.
    pub(super) of: &'static str,
    pub(super) partition: u32,
    /// The offset of the claim, or of the end: all records that made the instances are before it.
    pub(super) epoch: u64,
    pub(super) live: Vec<Recovered>,
}

/// What a row says of an instance, but for where its records are.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    saga: Option<String>,
    definition: String,
    state: String,
    stuck: String,
    why: Option<String>,
    seq: i64,
    started: Option<i64>,
    changed: i64,
}

/// The offsets of an instance's first record, where that is known, and of its last.
type Span = (Option<i64>, i64);

impl From<&Recovered> for Said {
    fn from(live: &Recovered) -> Self {
        Self {
            saga: Some(live.saga.to_string()),
            definition: live.definition.to_string(),
            state: live.stands.state.name().to_owned(),
            stuck: live.stands.stuck.join("\n"),
            why: live.stands.why.clone(),
            seq: number(live.seq),
            started: Some(number(live.started.0)),
            changed: number(live.changed.0),
        }
    }
}

impl Aside for Heal {
    fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        // Where its records are is kept from a row that is right in that; else they are all before the claim. Who looks beside
        // has no claim but the end, where no record is yet.
        let span: Span = (None, number(self.epoch.saturating_sub(1)));
        let of_live = |live: &Recovered| ((live.id.to_string(), number(live.run.0)), (Said::from(live), span));
        let mut wrong: BTreeMap<(String, i64), (Said, Span)> = self.live.iter().map(of_live).collect();
        let of = self.of;
        let mut strangers = Vec::new();
        let mut known =
            connection.prepare(&format!("SELECT {COLUMNS} FROM {of} WHERE partition = ?1 AND {IS_LIVE}"))?;
        let mut rows = known.query([self.partition])?;
        while let Some(row) = rows.next()? {
            // A row that is not what was written is not found by its key either: who opens the file next mends it.
            let (Ok(id), Ok(run)) = (row.get::<_, String>(0), row.get::<_, i64>(1)) else { continue };
            let key = (id, run);
            let Some((right, span)) = wrong.get_mut(&key) else {
                strangers.push(key);
                continue;
            };
            if !sums::fits(row, FIELDS)? {
                continue;
            }
            let said = Said {
                saga: row.get(2)?,
                definition: row.get(3)?,
                state: row.get(4)?,
                stuck: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
                seq: row.get(6)?,
                started: row.get(7)?,
                changed: row.get(8)?,
                why: row.get(12)?,
            };
            if said == *right {
                wrong.remove(&key);
            } else {
                *span = (row.get(10)?, row.get(11)?);
            }
        }
        drop(rows);
        let mut remove = connection.prepare(&format!("DELETE FROM {of} WHERE id = ?1 AND run = ?2"))?;
        for (id, run) in &strangers {
            remove.execute(params![id, run])?;
        }
        for ((id, run), (said, (first, last))) in &wrong {
            let fields = [
                ValueRef::from(id.as_str()),
                ValueRef::Integer(*run),
                text(said.saga.as_deref()),
                ValueRef::from(said.definition.as_str()),
                ValueRef::from(said.state.as_str()),
                ValueRef::from(said.stuck.as_str()),
                ValueRef::Integer(said.seq),
                integer(said.started),
                ValueRef::Integer(said.changed),
                ValueRef::Integer(self.partition.into()),
                integer(*first),
                ValueRef::Integer(*last),
                text(said.why.as_deref()),
            ];
            sums::put(connection, of, &fields)?;
        }
        if !wrong.is_empty() || !strangers.is_empty() {
            let (partition, mended, removed) = (self.partition, wrong.len(), strangers.len());
            tracing::info!(partition, mended, removed, "rows of live instances were made anew from the journal");
        }
        Ok(())
    }

    fn done(self: Box<Self>, _written: Written) {}
}
