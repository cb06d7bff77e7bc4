//! The thread that writes: everything that is queued goes into one transaction, and is acknowledged after its fsync.
//!
//! While one commit is under way the next gathers, so a group grows with the load and a lone append waits for nobody.
//! A commit that fails because there is no space, or because somebody else holds a lock on the file, is tried again
//! until it succeeds, with everybody waiting and [`Health::Waiting`] saying why. Any other failure of a write ends
//! the log: after a failed fsync nobody can tell what the disk holds.

use std::collections::VecDeque;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use super::aside::{self, Asides, Written};
use super::batch::Blob;
use super::file::{self, LaneId};
use super::refusal;
use super::shared::{LaneIndex, Shared, State, Unacknowledged};
use crate::log::endpoint::Outbox;
use crate::log::health::now;
use crate::log::{Health, Outcome, READ_MAX, Report, Stored};

/// One transaction holds about so much: more of it would only make everybody in it wait longer.
const COMMIT_BYTES: usize = 8 << 20;

/// Batches of one lane that one commit deletes behind a truncation. A lane gets one row a commit, so this catches up.
const DELETE_SLICE: u32 = 8;

/// The same, while there is no space: nothing else can be done meanwhile.
const SPACE_SLICE: u32 = 256;

/// The first and the longest pause before a commit is tried again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// What one commit writes.
struct Group {
    writes: Vec<Write>,
    truncations: Vec<(LaneIndex, LaneId, u64)>,
    unacknowledged: VecDeque<Unacknowledged>,
    asides: Asides,
    bytes: usize,
}

/// What a commit came to.
struct Committed {
    /// Lanes in which more is to be deleted.
    unfinished: Vec<LaneIndex>,
    /// What became of each aside.
    asides: Vec<Written>,
}

struct Write {
    lane: LaneIndex,
    row: Option<LaneId>,
    topic: Arc<str>,
    partition: u32,
    records: Vec<Stored>,
}

/// Writes until the log is closed and, if the disk lets it, all is written.
pub(super) fn run(shared: &Arc<Shared>, connection: &Connection) {
    let mut blob = Blob::default();
    loop {
        let state = wait_for_work(shared);
        let closing = state.closing;
        let Some(group) = gather(state) else {
            if closing {
                break;
            }
            continue;
        };
        if !write_out(shared, connection, group, &mut blob) {
            break;
        }
    }
    finish(shared);
}

fn wait_for_work(shared: &Shared) -> MutexGuard<'_, State> {
    let state = shared.lock();
    shared.work.wait_while(state, |state| !state.has_work()).unwrap_or_else(PoisonError::into_inner)
}

/// Takes what the next commit writes; `None` if there is nothing.
fn gather(mut state: MutexGuard<'_, State>) -> Option<Group> {
    let mut writes = Vec::new();
    let mut bytes = 0usize;
    while bytes < COMMIT_BYTES
        && let Some(index) = state.dirty.pop_front()
    {
        let Some(lane) = state.lanes.get_mut(index) else { continue };
        let (records, taken) = lane.unwritten(COMMIT_BYTES.saturating_sub(bytes));
        bytes = bytes.saturating_add(taken);
        // What is pushed from here on marks the lane again; what the limit left over is marked in `written`.
        lane.is_dirty = false;
        writes.push(Write {
            lane: index,
            row: lane.row,
            topic: Arc::clone(&lane.topic),
            partition: lane.partition,
            records,
        });
    }
    let truncations = truncations(&mut state);
    let unacknowledged = std::mem::take(&mut state.unacknowledged);
    // Rows that rest on records go behind them: they wait for the commit that takes the last of these.
    let asides = if state.dirty.is_empty() { std::mem::take(&mut state.asides) } else { Asides::default() };
    let is_nothing = writes.is_empty() && truncations.is_empty() && asides.0.is_empty();
    (!is_nothing).then_some(Group { writes, truncations, unacknowledged, asides, bytes })
}

/// Takes the lanes whose start moved.
fn truncations(state: &mut State) -> Vec<(LaneIndex, LaneId, u64)> {
    let truncated = std::mem::take(&mut state.truncated);
    let row = |index: LaneIndex| state.lanes.get(index).and_then(|lane| Some((index, lane.row?, lane.range().start)));
    truncated.into_iter().filter_map(row).collect()
}

/// Commits a group, however often it takes; whether the log is still good.
fn write_out(shared: &Shared, connection: &Connection, mut group: Group, blob: &mut Blob) -> bool {
    let mut pause = PAUSE.0;
    loop {
        match commit(connection, &mut group, blob) {
            Ok(committed) => {
                written(shared, group, &committed);
                return true;
            }
            Err(error) if is_passing(&error) => {
                let mut state = shared.lock();
                if !matches!(state.health, Health::Waiting { .. }) {
                    let why = words(&error);
                    tracing::warn!(path = %shared.path.display(), "the log cannot be written for now: {why}; it is tried again");
                    state.health = Health::Waiting { why, since: now() };
                }
                if state.closing {
                    tracing::error!(path = %shared.path.display(), %error, "closing with appends that could not be written");
                    state.unacknowledged.extend(group.unacknowledged);
                    drop(state);
                    group.asides.give_up();
                    return false;
                }
                // Woken early by `close` only: appends meanwhile do not make space.
                let waited = shared.work.wait_timeout_while(state, pause, |state| !state.closing);
                let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
                let truncated = truncations(&mut state);
                drop(state);
                group.truncations.extend(truncated);
                if let Err(error) = make_space(connection, &group.truncations) {
                    tracing::debug!(%error, "no space could be made by deleting what is truncated");
                }
                pause = pause.saturating_mul(2).min(PAUSE.1);
            }
            Err(error) => {
                tracing::error!(path = %shared.path.display(), %error, "the log failed while writing and accepts nothing more");
                let mut state = shared.lock();
                state.health = Health::Failed { why: words(&error) };
                state.unacknowledged.extend(group.unacknowledged);
                drop(state);
                group.asides.give_up();
                return false;
            }
        }
    }
}

/// Deletes what is truncated, without writing anything else: so a full file gets room as readers go on.
fn make_space(connection: &Connection, truncations: &[(LaneIndex, LaneId, u64)]) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    for (_, row, start) in truncations {
        file::set_start(&transaction, *row, *start)?;
        file::delete_before(&transaction, *row, *start, SPACE_SLICE)?;
    }
    transaction.commit()
}

/// One transaction.
fn commit(connection: &Connection, group: &mut Group, blob: &mut Blob) -> rusqlite::Result<Committed> {
    let mut transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    // Deleting comes first: what it frees may be the space that the rest needs.
    let mut unfinished = Vec::new();
    for (lane, row, start) in &group.truncations {
        file::set_start(&transaction, *row, *start)?;
        let deleted = file::delete_before(&transaction, *row, *start, DELETE_SLICE)?;
        if deleted >= DELETE_SLICE as usize {
            unfinished.push(*lane);
        }
    }
    let mut rows = Vec::with_capacity(group.writes.len());
    for write in &group.writes {
        let row = match write.row {
            Some(row) => row,
            None => file::insert_lane(&transaction, &write.topic, write.partition)?,
        };
        let mut records = write.records.as_slice();
        while let Some((batch, rest)) =
            records.split_at_checked(batch_of(records)).filter(|(batch, _)| !batch.is_empty())
        {
            file::insert_batch(&transaction, row, batch, blob)?;
            records = rest;
        }
        rows.push(row);
    }
    let mut asides = Vec::with_capacity(group.asides.0.len());
    for aside in &group.asides.0 {
        asides.push(aside::write(&mut transaction, &**aside, is_passing)?);
    }
    transaction.commit()?;
    for (write, row) in group.writes.iter_mut().zip(rows) {
        write.row = Some(row);
    }
    Ok(Committed { unfinished, asides })
}

/// How many of the records go into one row: a read decodes whole rows, and should not decode much for nothing.
fn batch_of(records: &[Stored]) -> usize {
    let mut bytes = 0usize;
    let fitting = records.iter().take_while(|stored| {
        bytes = bytes.saturating_add(stored.message.size());
        bytes <= READ_MAX
    });
    fitting.count().max(1).min(records.len())
}

/// Tells everybody what is on the disk now.
fn written(shared: &Shared, group: Group, committed: &Committed) {
    let mut outbox = Outbox::default();
    let mut state = shared.lock();
    if state.health != Health::Writing {
        tracing::info!(path = %shared.path.display(), "the log can be written again");
        state.health = Health::Writing;
    }
    let mut ends: Vec<(LaneIndex, u64)> = Vec::with_capacity(group.writes.len());
    for write in &group.writes {
        let Some(end) = write.records.last().map(|last| last.offset.saturating_add(1)) else { continue };
        let budget = state.tail_budget(write.lane);
        let Some(lane) = state.lanes.get_mut(write.lane) else { continue };
        lane.row = write.row;
        let has_moved = lane.written(end, budget);
        let left_over = lane.has_unwritten() && !std::mem::replace(&mut lane.is_dirty, true);
        let woken = lane.woken();
        if left_over {
            state.dirty.push_back(write.lane);
        }
        if has_moved && !state.truncated.contains(&write.lane) {
            state.truncated.push_back(write.lane);
        }
        for waiting in woken {
            state.read(write.lane, waiting, &mut outbox);
        }
        ends.push((write.lane, end));
    }
    for lane in &committed.unfinished {
        if !state.truncated.contains(lane) {
            state.truncated.push_back(*lane);
        }
    }
    state.queued_bytes = state.queued_bytes.saturating_sub(group.bytes);
    let mut left = VecDeque::new();
    for append in group.unacknowledged {
        let is_durable = ends.iter().any(|(lane, end)| *lane == append.lane && append.offset < *end);
        if is_durable {
            let outcome = Outcome::At(append.offset);
            outbox.push(&append.endpoint, append.home, Report::Appended { ticket: append.ticket, outcome });
        } else {
            left.push_back(append);
        }
    }
    // Those that the limit of one commit left over come before those that came meanwhile.
    while let Some(append) = left.pop_back() {
        state.unacknowledged.push_front(append);
    }
    drop(state);
    outbox.deliver();
    for (aside, written) in group.asides.0.into_iter().zip(&committed.asides) {
        aside.done(*written);
    }
}

/// Nothing more is written: whoever still waits is told that nobody knows.
fn finish(shared: &Shared) {
    let mut outbox = Outbox::default();
    let mut state = shared.lock();
    state.closing = true;
    state.disk = None;
    if !matches!(state.health, Health::Failed { .. }) {
        state.health = Health::Closed;
    }
    for append in std::mem::take(&mut state.unacknowledged) {
        let report = Report::Appended { ticket: append.ticket, outcome: Outcome::Unknown };
        outbox.push(&append.endpoint, append.home, report);
    }
    let asides = std::mem::take(&mut state.asides);
    drop(state);
    outbox.deliver();
    asides.give_up();
}

/// Whether a later try can succeed, with nothing of the failed one left behind.
fn is_passing(error: &rusqlite::Error) -> bool {
    match error.sqlite_error() {
        Some(code) => {
            matches!(code.code, ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
                // The page was not taken, and the transaction is rolled back.
                || refusal::is_out_of_room(error)
        }
        None => false,
    }
}

/// The cause and what to do, for people.
fn words(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full: make space".to_owned(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program holds a lock on saga.db: close it".to_owned()
        }
        _ if refusal::is_out_of_room(error) => {
            "a quota or a limit of file sizes is used up: raise it or make space".to_owned()
        }
        Some(ErrorCode::ReadOnly) => "it may only be read: give this user the right to write there".to_owned(),
        _ => error.to_string(),
    }
}
