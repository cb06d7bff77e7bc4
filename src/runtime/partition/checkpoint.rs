//! Checkpoints: the whole state again, between other records, so that recovery is bounded by the state.
//!
//! `started`, a `snapshot` for each live instance, `waiting` for each with parked inputs, `ended` with batches of what
//! is remembered, `completed`. Each part is walked by a cursor in the order of ids, a little at a time, and other
//! records go on in between. What an instance that begins or ends meanwhile is missing in one part is in another: one
//! that begins has its first record behind `started`, one that ends before its snapshot is in `ended`, which comes last.

use std::time::Duration;

use super::REMEMBERED_MAX;
use super::defect::Defect;
use super::setting::Setting;
use super::tenure::{Over, Tenure};
use super::told::{Do, Fact};
use crate::engine::InstanceId;
use crate::journal::record::{Body, Ended, IdHash};
use crate::journal::{Damage, ENDED_A_RECORD};
use crate::time::Timestamp;

/// So many records of a checkpoint are written in one go: other inputs do not wait longer than for those.
const STRIDE: usize = 64;

/// The checkpoints of a tenure.
#[derive(Debug)]
pub(super) struct Checkpoints {
    pointer: u64,
    /// Complete ones to which the journal may still be cut, with the time of their completion.
    kept: Vec<(u64, Timestamp)>,
    /// Where the journal begins, as far as is known.
    begins: u64,
    /// One is to be written at once.
    pub(super) is_wanted: bool,
    writing: Option<Writing>,
}

/// The checkpoint that is being written.
#[derive(Clone, Debug)]
struct Writing {
    started: u64,
    part: Part,
}

#[derive(Clone, Debug)]
enum Part {
    /// Snapshots of instances behind this one.
    Live(Option<InstanceId>),
    /// Parked inputs of instances behind this one.
    Waiting(Option<InstanceId>),
    /// Ended ones behind this one.
    Ended(Option<IdHash>),
    /// All is there; the effects of the records before this one may not be.
    Effects(u64),
    /// `completed` is under way.
    Completing,
}

impl Checkpoints {
    pub(super) const fn new(pointer: u64) -> Self {
        Self { pointer, kept: Vec::new(), begins: 0, is_wanted: false, writing: None }
    }

    /// The start of the last complete one.
    pub(super) const fn pointer(&self) -> u64 {
        self.pointer
    }

    /// A `completed` record is good.
    pub(super) fn complete(&mut self, started: u64, now: Timestamp) {
        self.pointer = started;
        self.kept.push((started, now));
        self.writing = None;
    }

    /// Where the journal may be cut now: at the newest checkpoint that is at least `retain` old.
    pub(super) fn truncation(&mut self, now: Timestamp, retain: Duration) -> Option<u64> {
        let old = self.kept.iter().take_while(|(_, at)| now.since(*at) >= retain).count();
        self.kept.drain(..old).next_back().map(|(started, _)| started)
    }

    /// The journal begins there by now.
    pub(super) fn begins(&mut self, at: u64) {
        self.begins = self.begins.max(at);
    }

    /// Whether the last complete one is not there any more: others than owners cut the journal.
    pub(super) const fn is_overtaken(&self) -> bool {
        self.begins > self.pointer
    }

    /// Whether there is something to write at once.
    pub(super) const fn is_busy(&self) -> bool {
        matches!(&self.writing, Some(Writing { part: Part::Live(_) | Part::Waiting(_) | Part::Ended(_), .. }))
    }
}

impl Tenure {
    /// Begins a checkpoint if one is due, and goes on with the one that is being written.
    pub(super) fn checkpoint(&mut self, set: &mut Setting, out: &mut Vec<Do>) -> Result<(), Over> {
        if self.checkpoints.writing.is_none() {
            let from = set.config.checkpoint_bytes.max(2 * self.volume.state).max(set.checkpoint_from);
            // One that the log refuses ends the tenure, and the state would be lost with it.
            let is_overtaken = self.checkpoints.is_overtaken() && set.checkpoint_from == 0;
            let is_wanted = self.checkpoints.is_wanted && set.checkpoint_from == 0;
            let due = is_overtaken || is_wanted || self.volume.since > from;
            if !due || !self.has_room() {
                return Ok(());
            }
            let started = self.next_place();
            let forgets = self.forgets(set);
            self.note(set, "", Body::Started { forgets }, out)?;
            self.checkpoints.is_wanted = false;
            if is_overtaken {
                let Checkpoints { begins, pointer: checkpoint, .. } = self.checkpoints;
                self.say(set, Fact::Overtaken { begins, checkpoint }, out);
            }
            let first = if ended_first(set) { Part::Ended(None) } else { Part::Live(None) };
            self.checkpoints.writing = Some(Writing { started, part: first });
        }
        for _ in 0..STRIDE {
            if !self.has_half_its_room() {
                break;
            }
            let Some(Writing { started, part }) = self.checkpoints.writing.take() else { break };
            let (part, body) = self.next_part(set, started, part)?;
            self.checkpoints.writing = Some(Writing { started, part });
            match body {
                Some((key, body)) => {
                    self.note(set, &key, body, out)?;
                    if set.config.defect == Some(Defect::CompletedAtHandOver)
                        && let Some(Writing { started, part: Part::Completing }) = self.checkpoints.writing
                    {
                        self.complete(set, started, out);
                    }
                }
                None if self.checkpoints.is_busy() => {}
                None => break,
            }
        }
        Ok(())
    }

    /// What comes next, if anything can be written now, and what will come behind it.
    fn next_part(&self, set: &Setting, started: u64, part: Part) -> Result<(Part, Option<(String, Body)>), Over> {
        Ok(match part {
            Part::Live(cursor) => match self.ledger.live_behind(cursor.as_ref()).next() {
                Some(live) => {
                    let id = live.instance.id.clone();
                    let snapshot = live.instance.to_snapshot(&live.plan).map_err(|error| {
                        let damage = Damage::Misfit { instance: id.to_string(), why: error.to_string() };
                        set.damaged(started, damage)
                    })?;
                    let key = id.to_string();
                    (Part::Live(Some(id)), Some((key, Body::Snapshot { instance: snapshot })))
                }
                None if set.config.defect == Some(Defect::WaitingLeftOut) => (Part::Ended(None), None),
                None => (Part::Waiting(None), None),
            },
            Part::Waiting(cursor) => match self.ledger.queues_behind(cursor.as_ref()).next() {
                Some((id, queue)) => {
                    let parked = queue.parked.iter().cloned().collect();
                    let body = Body::Waiting { instance: id.clone(), resumed: queue.resumed, parked };
                    (Part::Waiting(Some(id.clone())), Some((id.to_string(), body)))
                }
                None if ended_first(set) => (self.effects(set, started), None),
                None => (Part::Ended(None), None),
            },
            Part::Ended(cursor) => {
                let ended: Vec<Ended> = self.ledger.ended_behind(cursor).take(ENDED_A_RECORD).collect();
                match ended.last() {
                    Some(last) => (Part::Ended(Some(last.id)), Some((String::new(), Body::Ended { ended }))),
                    None if ended_first(set) => (Part::Live(None), None),
                    None => (self.effects(set, started), None),
                }
            }
            Part::Effects(before) => {
                let waits = set.config.defect != Some(Defect::CompletedTooEarly);
                if waits && self.sent() < before {
                    (Part::Effects(before), None)
                } else {
                    (Part::Completing, Some((String::new(), Body::Completed { started })))
                }
            }
            Part::Completing => (Part::Completing, None),
        })
    }

    /// Not only the effects of records before `started`: a reader that begins there learns of an instance by its
    /// snapshot, or not at all if it ended before, and cannot tell the effects of its earlier records.
    fn effects(&self, set: &Setting, started: u64) -> Part {
        let by_start = set.config.defect == Some(Defect::CompletedByStart);
        Part::Effects(if by_start { started } else { self.next_place() })
    }

    /// Instances that ended before this are forgotten.
    ///
    /// A request that is still to be read was appended at or behind the last one that was, so a repeated start of
    /// whatever ended `remember` before that one is a new run whether the old one is remembered or not. Where the log's clock is
    /// ahead of the owner's nobody is forgotten who has just ended: another life would have the same run. Beyond the
    /// limit the oldest are forgotten although it is not so.
    fn forgets(&self, set: &Setting) -> Timestamp {
        let seen = match set.config.defect {
            Some(Defect::ForgetByClock) => self.time(),
            _ => self.last_request.min(self.time()),
        };
        let remember = u64::try_from(set.config.remember.as_millis()).unwrap_or(u64::MAX);
        let by_time = Timestamp(seen.0.saturating_sub(remember));
        by_time.max(self.ledger.end_of_all_but(REMEMBERED_MAX))
    }
}

/// As [`Defect::EndedFirst`] has it.
fn ended_first(set: &Setting) -> bool {
    set.config.defect == Some(Defect::EndedFirst)
}
