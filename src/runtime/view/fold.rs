//! From records to rows: what a record changes in its instance's row.
//!
//! Where an instance stands is told with the record by whoever has the instance. Records that are read back, before a
//! partition is recovered, come without it: then their events say it roughly, and the recovery says it exactly.

use std::collections::BTreeMap;

use compact_str::CompactString;

use crate::engine::{Event, InstanceId, Place, Run, Summary};
use crate::journal::record::{Body, Record};
use crate::plan::ROOT_PLACE;
use crate::runtime::partition::{Stands, in_short};
use crate::time::Timestamp;

/// Up to where a partition's journal is in the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) struct Position {
    /// The last record that is.
    pub(in crate::runtime) last: u64,
}

/// What is to be changed in a row; what is `None` stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Delta {
    pub(super) saga: Option<CompactString>,
    pub(super) definition: CompactString,
    pub(super) state: Option<Summary>,
    pub(super) stuck: Option<Vec<Place>>,
    pub(super) why: Option<String>,
    pub(super) started: Option<Timestamp>,
    pub(super) first: Option<u64>,
    pub(super) seq: u64,
    pub(super) changed: Timestamp,
    pub(super) partition: u32,
    pub(super) last: u64,
}

/// A record that changed nothing, such as a refusal: the last one about an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) partition: u32,
    pub(super) last: u64,
}

/// Rows for the table, and up to where they reach.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// Each is about its instance's latest run that is in the table before the deltas are.
    pub(super) notes: Vec<(InstanceId, Note)>,
    pub(super) deltas: Vec<((InstanceId, Run), Delta)>,
    pub(super) positions: Vec<(u32, Position)>,
}

/// Rows that are not in the table yet.
#[derive(Debug, Default)]
pub(super) struct Folding {
    deltas: BTreeMap<(InstanceId, Run), Delta>,
    notes: BTreeMap<InstanceId, Note>,
    positions: BTreeMap<u32, Position>,
}

impl Folding {
    pub(super) fn new(positions: Vec<(u32, Position)>) -> Self {
        Self { positions: positions.into_iter().collect(), ..Self::default() }
    }

    pub(super) fn position(&self, partition: u32) -> Option<Position> {
        self.positions.get(&partition).copied()
    }

    pub(super) fn forget(&mut self, partition: u32) {
        self.positions.remove(&partition);
        self.deltas.retain(|_, delta| delta.partition != partition);
        self.notes.retain(|_, note| note.partition != partition);
    }

    pub(super) fn gathered(&self) -> usize {
        self.deltas.len() + self.notes.len()
    }

    pub(super) fn take_rows(&mut self) -> Rows {
        let deltas = std::mem::take(&mut self.deltas).into_iter().collect();
        let notes = std::mem::take(&mut self.notes).into_iter().collect();
        let positions = self.positions.iter().map(|(partition, position)| (*partition, *position)).collect();
        Rows { notes, deltas, positions }
    }

    pub(super) fn take(&mut self, partition: u32, offset: u64, record: &Record, stands: Option<Stands>) {
        // Told again after a crash or a recovery: it is in there already.
        if self.positions.get(&partition).is_some_and(|position| position.last >= offset) {
            return;
        }
        self.positions.insert(partition, Position { last: offset });
        let Body::Change { instance, run, definition, change, .. } = &record.body else {
            self.note(partition, offset, &record.body);
            return;
        };
        let delta = self.deltas.entry((instance.clone(), *run)).or_insert_with(|| Delta {
            saga: None,
            definition: CompactString::from(&**definition),
            state: None,
            stuck: None,
            why: None,
            started: None,
            first: None,
            seq: change.seq,
            changed: change.at,
            partition,
            last: offset,
        });
        (delta.seq, delta.changed, delta.last) = (change.seq, change.at, offset);
        for event in &change.events {
            match event {
                Event::Started { saga, .. } => {
                    delta.saga = Some(saga.clone());
                    delta.started = Some(change.at);
                    delta.first = Some(offset);
                    delta.state = Some(Summary::Running);
                }
                // A `try` that fails is a matter of its own: the saga goes on.
                Event::Failed { scope, failure } if scope == ROOT_PLACE => {
                    delta.state = Some(Summary::Compensating);
                    delta.why = Some(in_short(failure.to_string()));
                }
                Event::Completed { .. } => delta.state = Some(Summary::Completed),
                Event::Compensated => delta.state = Some(Summary::Compensated),
                _ => {}
            }
        }
        if let Some(Stands { state, stuck, why, .. }) = stands {
            (delta.state, delta.stuck) = (Some(state), Some(stuck));
            delta.why = why.or(delta.why.take());
        }
    }

    /// What changed nothing belongs to the history of the latest run all the same, also behind its end.
    fn note(&mut self, partition: u32, offset: u64, body: &Body) {
        // A checkpoint repeats what waits: that is nothing new.
        let Some(instance) = body.instance().filter(|_| !matches!(body, Body::Waiting { .. })) else { return };
        let runs = (instance.clone(), Run(0))..=(instance.clone(), Run(u64::MAX));
        match self.deltas.range_mut(runs).next_back() {
            Some((_, delta)) => delta.last = offset,
            None => drop(self.notes.insert(instance.clone(), Note { partition, last: offset })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Change, Failure};
    use crate::journal::record::{Cause, Positions, VERSION};

    #[test]
    fn a_try_that_fails_is_no_saga_that_is_taken_back() {
        let mut folding = Folding::new(Vec::new());
        let id = InstanceId::try_from("i").unwrap();
        for (offset, scope, state) in [(1, "try#1", None), (2, "saga", Some(Summary::Compensating))] {
            let failure = Failure { code: "no".into(), step: "a".into(), message: None };
            let events = vec![Event::Failed { scope: scope.into(), failure }];
            let body = Body::Change {
                instance: id.clone(),
                run: Run(0),
                definition: "hash".into(),
                cause: Cause::Timer(Timestamp(0)),
                change: Change { seq: offset, at: Timestamp(0), events },
            };
            let read = Positions::default();
            let record =
                Record { v: VERSION, epoch: 0, n: offset, read, sent: 0, checkpoint: 0, at: Timestamp(0), body };
            folding.take(0, offset, &record, None);
            let Delta { state: found, why, .. } = &folding.deltas[&(id.clone(), Run(0))];
            assert_eq!((*found, why.as_deref()), (state, state.map(|_| "no at a")), "{scope}");
        }
    }
}
