//! Mends the rows of live instances by the instances themselves.
//!
//! The table may have been lost, or be behind the truth of a partition that was recovered; rows of instances whose first
//! records are truncated cannot be made from records at all. A recovery has every live instance, so behind it every row
//! of a live one is right, whatever the table held before.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::table::{IS_LIVE, name, number};
use crate::log::embedded::{Aside, Written};
use crate::runtime::partition::Recovered;

/// All live instances of a partition, for its rows.
pub(super) struct Heal {
    /// Of which table.
    pub(super) of: &'static str,
    pub(super) partition: u32,
    /// The offset of the claim: all records that made the instances are before it.
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
    seq: i64,
    started: Option<i64>,
    changed: i64,
}

impl From<&Recovered> for Said {
    fn from(live: &Recovered) -> Self {
        Self {
            saga: Some(live.saga.to_string()),
            definition: live.definition.to_string(),
            state: name(live.stands.state).to_owned(),
            stuck: live.stands.stuck.join("\n"),
            seq: number(live.seq),
            started: Some(number(live.started.0)),
            changed: number(live.changed.0),
        }
    }
}

impl Aside for Heal {
    fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut wrong: BTreeMap<(String, i64), Said> =
            self.live.iter().map(|live| ((live.id.to_string(), number(live.run.0)), Said::from(live))).collect();
        let of = self.of;
        let mut strangers = Vec::new();
        let mut known = connection.prepare(&format!(
            "SELECT id, run, saga, definition, state, stuck, seq, started, changed FROM {of} \
             WHERE partition = ?1 AND {IS_LIVE}"
        ))?;
        let mut rows = known.query([self.partition])?;
        while let Some(row) = rows.next()? {
            let key = (row.get(0)?, row.get(1)?);
            // What cannot be read is not what it should be.
            let said = (|| -> rusqlite::Result<Said> {
                Ok(Said {
                    saga: row.get(2)?,
                    definition: row.get(3)?,
                    state: row.get(4)?,
                    stuck: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
                    seq: row.get(6)?,
                    started: row.get(7)?,
                    changed: row.get(8)?,
                })
            })()
            .ok();
            match wrong.get(&key) {
                None => strangers.push(key),
                Some(right) if said.as_ref() == Some(right) => drop(wrong.remove(&key)),
                Some(_) => {}
            }
        }
        let mut remove = connection.prepare(&format!("DELETE FROM {of} WHERE id = ?1 AND run = ?2"))?;
        for (id, run) in &strangers {
            remove.execute(params![id, run])?;
        }
        let mut upsert = connection.prepare(&format!(
            "INSERT INTO {of} (id, run, saga, definition, state, stuck, seq, started, changed, partition, last) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id, run) DO UPDATE SET \
             saga = ?3, definition = ?4, state = ?5, stuck = ?6, seq = ?7, started = ?8, changed = ?9, partition = ?10"
        ))?;
        for ((id, run), Said { saga, definition, state, stuck, seq, started, changed }) in &wrong {
            let (partition, last) = (self.partition, number(self.epoch));
            upsert.execute(params![id, run, saga, definition, state, stuck, seq, started, changed, partition, last])?;
        }
        if !wrong.is_empty() || !strangers.is_empty() {
            let (partition, mended, removed) = (self.partition, wrong.len(), strangers.len());
            tracing::info!(partition, mended, removed, "rows of live instances were made anew from the journal");
        }
        Ok(())
    }

    fn done(self: Box<Self>, _written: Written) {}
}
