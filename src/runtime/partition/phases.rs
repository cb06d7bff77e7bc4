//! The way to an ownership and out of it: confirm, claim, recover, run, release.

use std::collections::BTreeMap;
use std::time::Duration;

use super::defect::Defect;
use super::inputs::Lane;
use super::losses::Renewed;
use super::recovery::{Claim, Read, Recovery};
use super::tenure::{Over, Refusal, Tenure};
use super::told::{Do, Fact, Recovered, Stop, Told};
use super::{ASK_AGAIN, CLAIM_WITHIN, LOSSES_MAX, Partition, READ_CLOCK_EVERY, REFUSALS_MAX, SLOW_MAX};
use crate::engine::Instance;
use crate::journal::record::{Body, Positions, Record, VERSION};
use crate::journal::{self, Damage, JournalError, encode};
use crate::log::{Append, Outcome, Range, Report, Request, Stored, Ticket};
use crate::time::Timestamp;
use crate::wire::Message;

/// Where a partition stands.
#[derive(Debug)]
pub(super) enum Phase {
    /// It is not ours.
    Idle,
    /// It may be ours; claiming waits.
    Pausing { until: Duration, before: Option<Box<Recovery>> },
    /// Is it ours?
    Confirming { ticket: Ticket, before: Option<Box<Recovery>> },
    /// Where is the last checkpoint?
    Looking { ticket: Ticket, before: Option<Box<Recovery>> },
    /// The claim is under way.
    Claiming { ticket: Ticket, since: Duration, recovery: Box<Recovery> },
    /// The claim is in the log; everything up to it is being read.
    Recovering { ticket: Ticket, claim: Claim, recovery: Box<Recovery>, again: Option<Duration> },
    /// The owner.
    Running(Box<Tenure>),
    /// A person must act. Up to where inputs are handled, if that is known.
    Stopped { is_gap: bool, read: Option<Positions> },
}

impl Phase {
    pub(super) fn wakes_at(&self) -> Option<Duration> {
        match self {
            Self::Idle
            | Self::Stopped { .. }
            | Self::Confirming { .. }
            | Self::Looking { .. }
            | Self::Claiming { .. } => None,
            Self::Pausing { until, .. } => Some(*until),
            Self::Recovering { again, .. } => *again,
            Self::Running(tenure) => tenure.wakes_at(),
        }
    }
}

impl Partition {
    pub(super) fn step(&mut self, told: Told, out: &mut Vec<Do>) {
        match told {
            Told::Plans(plans) => {
                self.set.plans = plans;
                if let Phase::Running(tenure) = &self.phase {
                    tenure.seat.define(&self.set.plans);
                }
            }
            Told::Look { token, instance } => match &mut self.phase {
                Phase::Running(tenure) => {
                    let instance = tenure.ledger.live(&instance).map(|live| live.instance.clone());
                    tenure.say(&self.set, Fact::View { token, instance: instance.map(Instance::into) }, out);
                }
                _ => out.push(Do::Tell(Fact::Blind { token })),
            },
            Told::AcceptGap(by) => {
                if let Phase::Stopped { is_gap: true, .. } = self.phase {
                    (self.accepts_gap, self.accepted) = (true, by);
                    self.confirm(None, out);
                }
            }
            Told::JournalBegins { at } => {
                if let Phase::Running(tenure) = &mut self.phase {
                    tenure.checkpoints.begins(at);
                }
            }
            Told::Tick => self.tick(out),
            Told::Log(report) => self.report(report, out),
        }
    }

    fn tick(&mut self, out: &mut Vec<Do>) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Pausing { until, before } if until <= self.now => self.confirm(before, out),
            Phase::Recovering { claim, recovery, again: Some(until), .. } if until <= self.now => {
                self.read_on(claim, recovery, out);
            }
            other => self.phase = other,
        }
    }

    fn report(&mut self, report: Report, out: &mut Vec<Do>) {
        match report {
            Report::Assigned => match &mut self.phase {
                Phase::Idle | Phase::Stopped { .. } => self.confirm(None, out),
                Phase::Running(tenure) => tenure.release = None,
                Phase::Pausing { .. }
                | Phase::Confirming { .. }
                | Phase::Looking { .. }
                | Phase::Claiming { .. }
                | Phase::Recovering { .. } => {}
            },
            Report::Revoked => match &mut self.phase {
                Phase::Running(tenure) => {
                    let until = self.now + self.set.config.release;
                    tenure.release.get_or_insert(until);
                }
                _ => self.let_go(out),
            },
            Report::Appended { ticket, outcome } => self.appended(ticket, outcome, out),
            Report::Confirmed { ticket } => match std::mem::replace(&mut self.phase, Phase::Idle) {
                Phase::Confirming { ticket: asked, before } if asked == ticket => self.look(before, out),
                other => self.phase = other,
            },
            Report::Stale { ticket } => {
                if matches!(self.phase, Phase::Confirming { ticket: asked, .. } if asked == ticket) {
                    self.phase = Phase::Idle;
                    self.forget_consent();
                    out.push(Do::Tell(Fact::Elsewhere));
                }
            }
            Report::Last { ticket, last, .. } => match std::mem::replace(&mut self.phase, Phase::Idle) {
                Phase::Looking { ticket: asked, before } if asked == ticket => self.claim(last.as_ref(), before, out),
                other => self.phase = other,
            },
            Report::End { ticket, range } => {
                if let Phase::Running(tenure) = &mut self.phase {
                    tenure.replies.measured(ticket, Some(range));
                }
            }
            Report::Records { ticket, records, range } => self.records(ticket, records, range, out),
            Report::OutOfRange { ticket, range } => self.out_of_range(ticket, range, out),
            Report::Failed { ticket, why } => self.failed(ticket, why, out),
            Report::Damaged { ticket, why, until } => self.damaged(ticket, why, until, out),
        }
    }

    /// Step 1: it must be ours by the word of whoever assigns, each time anew. Else two owners claim for ever.
    fn confirm(&mut self, before: Option<Box<Recovery>>, out: &mut Vec<Do>) {
        out.push(Do::Tell(Fact::Recovering));
        if self.set.config.defect == Some(Defect::Unconfirmed) {
            return self.look(before, out);
        }
        let ticket = self.set.ticket();
        out.push(Do::Ask(Request::Confirm { ticket }));
        self.phase = Phase::Confirming { ticket, before };
    }

    fn look(&mut self, before: Option<Box<Recovery>>, out: &mut Vec<Do>) {
        let ticket = self.set.ticket();
        out.push(Do::Ask(Request::Last { ticket, topic: self.set.journal() }));
        self.phase = Phase::Looking { ticket, before };
    }

    /// Step 2.
    fn claim(&mut self, last: Option<&Stored>, before: Option<Box<Recovery>>, out: &mut Vec<Do>) {
        let partition = self.set.config.partition;
        let checkpoint = match last.map(|last| (last.offset, journal::read(last.offset, &last.message.payload))) {
            // A stranger's: reading begins where the log does.
            None | Some((_, Ok(None))) => 0,
            Some((_, Ok(Some(record)))) => record.checkpoint,
            Some((offset, Err(damage))) => {
                return self.stop(self.set.damaged(offset, damage), out);
            }
        };
        self.attempts += 1;
        let body = Body::Claim { owner: self.set.config.owner.clone(), attempt: self.attempts };
        let (read, at) = (Positions::default(), Timestamp::default());
        let record = Record { v: VERSION, epoch: 0, n: 0, read, sent: 0, checkpoint, at, body };
        let message = Message { payload: encode(&record), ..Message::default() };
        let ticket = self.set.ticket();
        out.push(Do::Ask(Request::Append(Append {
            ticket,
            topic: self.set.journal(),
            partition: Some(partition),
            message: message.into(),
            waits: false,
        })));
        let recovery = before.unwrap_or_else(|| Box::new(Recovery::new(&self.set, checkpoint)));
        if self.set.config.defect == Some(Defect::AbandonedClaim) {
            self.claims.push(ticket);
        }
        self.phase = Phase::Claiming { ticket, since: self.now, recovery };
    }

    fn appended(&mut self, ticket: Ticket, outcome: Outcome, out: &mut Vec<Do>) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            // The report of an abandoned claim is not of this ticket: it is passed over, or this owner would chase
            // its own claims for ever.
            Phase::Claiming { ticket: asked, since, recovery } if asked == ticket || self.chases(ticket) => {
                match outcome {
                    // The owner's clock would be ahead of the log's by that much.
                    Outcome::At(_) if self.now.saturating_sub(since) > CLAIM_WITHIN && self.slow < SLOW_MAX => {
                        self.slow += 1;
                        self.confirm(Some(recovery), out);
                    }
                    Outcome::At(epoch) => {
                        self.slow = 0;
                        let claim = Claim { epoch, attempt: self.attempts, since };
                        self.read_on(claim, recovery, out);
                    }
                    // Whether it is there or comes later: the next one will be behind it. Not at once: a log that
                    // cannot take a claim now may not take the next one either.
                    Outcome::Unknown => self.pause(Some(recovery)),
                    Outcome::Refused(why) => {
                        // It refuses all: that passes or is somebody's will, and no record is at fault.
                        self.refusals = 0;
                        out.push(Do::Tell(Fact::Trouble { why: format!("the log refused a claim: {why}") }));
                        self.pause(Some(recovery));
                    }
                }
            }
            Phase::Running(mut tenure) => {
                tenure.now = self.now;
                let came = tenure.appended(&mut self.set, ticket, outcome, out);
                self.phase = Phase::Running(tenure);
                self.go_on(came, out);
            }
            other => self.phase = other,
        }
    }

    /// As [`Defect::AbandonedClaim`] has it: the report is that of an earlier claim.
    fn chases(&self, ticket: Ticket) -> bool {
        self.set.config.defect == Some(Defect::AbandonedClaim) && self.claims.contains(&ticket)
    }

    /// Step 3: reads from where reading stopped, up to the claim.
    fn read_on(&mut self, claim: Claim, recovery: Box<Recovery>, out: &mut Vec<Do>) {
        let ticket = self.set.ticket();
        out.push(Do::Ask(Request::Read { ticket, topic: self.set.journal(), from: recovery.next }));
        self.phase = Phase::Recovering { ticket, claim, recovery, again: None };
    }

    fn records(&mut self, ticket: Ticket, records: Vec<Stored>, range: Range, out: &mut Vec<Do>) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Recovering { ticket: asked, claim, recovery, .. } if asked == ticket => {
                self.recover(claim, recovery, &records, range, out);
            }
            Phase::Running(mut tenure) => {
                if tenure.requests.is_for(ticket) {
                    tenure.requests.keep(records);
                } else if tenure.replies.is_for(ticket) {
                    tenure.replies.keep(records);
                }
                self.phase = Phase::Running(tenure);
            }
            other => self.phase = other,
        }
    }

    fn recover(
        &mut self,
        claim: Claim,
        mut recovery: Box<Recovery>,
        records: &[Stored],
        range: Range,
        out: &mut Vec<Do>,
    ) {
        let mut read = recovery.read(&mut self.set, records, claim);
        if matches!(read, Ok(Read::Claimed(_))) && !recovery.ledger.is_whole() {
            read = Err(self.set.damaged(recovery.from, Damage::Incomplete));
        }
        match read {
            // The claim stood where a hole is.
            Ok(Read::On) if recovery.next > claim.epoch => self.confirm(Some(recovery), out),
            Ok(Read::On) => self.read_on(claim, recovery, out),
            Ok(Read::Claimed(at)) if range.end == claim.epoch + 1 => self.run(claim, at, *recovery, out),
            // The pointer was a stranger's. The log's start needs none.
            Err(Stop::Damaged(JournalError { damage: Damage::NoCheckpoint { .. } | Damage::Incomplete, .. }))
                if recovery.from > range.start =>
            {
                self.read_on(claim, Box::new(Recovery::new(&self.set, range.start)), out);
            }
            // A stray is behind the claim already, or the claim is not where the log said: claim again, read on.
            Ok(Read::Claimed(_) | Read::NotOurs) => self.confirm(Some(recovery), out),
            Err(stop) => self.stop(stop, out),
        }
    }

    fn out_of_range(&mut self, ticket: Ticket, range: Range, out: &mut Vec<Do>) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Recovering { ticket: asked, claim, recovery, .. } if asked == ticket => {
                if range.start > claim.epoch || recovery.next >= range.end {
                    return self.confirm(None, out);
                }
                // Truncated meanwhile: to a complete checkpoint, so reading begins anew there.
                self.read_on(claim, Box::new(Recovery::new(&self.set, range.start)), out);
            }
            Phase::Running(mut tenure) => {
                let lane = if tenure.requests.is_for(ticket) {
                    Some(Lane::Requests)
                } else if tenure.replies.is_for(ticket) {
                    Some(Lane::Replies)
                } else {
                    None
                };
                self.phase = Phase::Running(tenure);
                if let Some(lane) = lane {
                    self.not_there(lane, range, out);
                }
            }
            other => self.phase = other,
        }
    }

    fn failed(&mut self, ticket: Ticket, why: String, out: &mut Vec<Do>) {
        let until = self.now + ASK_AGAIN;
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Confirming { ticket: asked, before } | Phase::Looking { ticket: asked, before }
                if asked == ticket =>
            {
                self.pause(before);
            }
            Phase::Recovering { ticket: asked, claim, recovery, .. } if asked == ticket => {
                self.phase = Phase::Recovering { ticket, claim, recovery, again: Some(until) };
            }
            Phase::Running(mut tenure) => {
                let ours = tenure.requests.is_for(ticket)
                    || tenure.replies.is_for(ticket)
                    || tenure.replies.measured(ticket, None);
                if ours {
                    tenure.quiet = Some(until);
                }
                self.phase = Phase::Running(tenure);
                if !ours {
                    return;
                }
            }
            other => {
                self.phase = other;
                return;
            }
        }
        out.push(Do::Tell(Fact::Trouble { why }));
    }

    fn pause(&mut self, before: Option<Box<Recovery>>) {
        self.phase = Phase::Pausing { until: self.now + ASK_AGAIN, before };
    }

    /// Step 4 begins.
    fn run(&mut self, claim: Claim, claimed: Timestamp, recovery: Recovery, out: &mut Vec<Do>) {
        if let Some(since) = self.misplaced.take() {
            // A record was misplaced: by a stranger's, as a rule. By a hole, if nothing dense can be below.
            self.losses = if recovery.last_hole.is_some_and(|hole| hole > since) { self.losses + 1 } else { 0 };
            if self.losses >= LOSSES_MAX {
                let stop = Stop::NotDense { partition: self.set.config.partition, losses: self.losses };
                self.losses = 0;
                return self.stop(stop, out);
            }
        }
        let finished = recovery.finish(&mut self.set);
        let mut tenure = Tenure::new(&mut self.set, claim, claimed, finished, self.now);
        let accepts = self.accepts_gap;
        if accepts {
            self.accepts_gap = self.set.config.defect == Some(Defect::GapForEver);
            (tenure.requests.accepts_gap, tenure.replies.accepts_gap) = (true, true);
        }
        let (count, told_max) = (tenure.ledger.live_count(), self.set.config.told_max);
        let (mut counts, mut live) = (BTreeMap::new(), Vec::new());
        for seen in tenure.ledger.all_live() {
            *counts.entry(seen.instance.summary()).or_default() += 1;
            if live.len() < told_max {
                live.push(Recovered::of(&seen));
            }
        }
        out.push(Do::Tell(Fact::Recovered { epoch: claim.epoch, counts, live }));
        out.push(Do::Tell(Fact::Running { epoch: claim.epoch, live: count }));
        self.phase = Phase::Running(Box::new(tenure));
        self.begin_in_renewed(accepts, out);
    }

    /// Does whatever an owner can do now.
    pub(super) fn work(&mut self, out: &mut Vec<Do>) {
        let Phase::Running(tenure) = &mut self.phase else { return };
        tenure.now = self.now;
        let came = tenure.work(&mut self.set, out);
        let released = tenure.is_released();
        self.go_on(came, out);
        if released && matches!(self.phase, Phase::Running(_)) {
            out.push(Do::Tell(Fact::Idle { is_fenced: false }));
            self.let_go(out);
        }
    }

    /// Step 5: what is not at its place ends the tenure; its state and all that is unsent are dropped.
    pub(super) fn go_on(&mut self, came: Result<(), Over>, out: &mut Vec<Do>) {
        match came {
            Ok(()) => {}
            Err(Over::Stop(stop)) => self.stop(stop, out),
            Err(Over::Fenced { misplaced }) => {
                if let (true, Phase::Running(tenure)) = (misplaced, &self.phase) {
                    self.misplaced = Some(tenure.epoch);
                }
                self.refusals = 0;
                self.fence(out);
            }
            Err(Over::Behind) => {
                self.set.reads_clock_from = self.now + READ_CLOCK_EVERY;
                self.fence(out);
            }
            Err(Over::Refused(refusal)) => self.refused(refusal, out),
        }
    }

    fn fence(&mut self, out: &mut Vec<Do>) {
        let Phase::Running(tenure) = &self.phase else { return };
        let released = tenure.release.is_some();
        out.push(Do::Tell(Fact::Idle { is_fenced: true }));
        if released { self.let_go(out) } else { self.confirm(None, out) }
    }

    /// The log refused a record. A checkpoint saves reading, so it can wait; without any other the partition cannot go on.
    fn refused(&mut self, Refusal { record, why, is_of_checkpoint }: Refusal, out: &mut Vec<Do>) {
        let Phase::Running(tenure) = &self.phase else { return };
        if is_of_checkpoint {
            // By then it may fit; and what is tried in vain costs less and less of what is written.
            self.set.checkpoint_from = tenure.volume.since.saturating_mul(2);
            let why = format!("{record}: {why}; until then recoveries read more of the journal");
            out.push(Do::Tell(Fact::Refused { why }));
            return self.fence(out);
        }
        self.refusals += 1;
        if self.refusals == 1 {
            out.push(Do::Tell(Fact::Refused { why: format!("{record}: {why}") }));
        }
        if self.refusals < REFUSALS_MAX || tenure.release.is_some() {
            return self.fence(out);
        }
        let (partition, topic, times) = (self.set.config.partition, self.set.journal(), self.refusals);
        self.refusals = 0;
        self.stop(Stop::Refused { partition, topic, record, times, why }, out);
    }

    fn let_go(&mut self, out: &mut Vec<Do>) {
        self.phase = Phase::Idle;
        self.forget_consent();
        out.push(Do::Tell(Fact::Released));
    }

    /// Consent to a loss was for the tenure that was about to begin: by the next one it may be another loss.
    fn forget_consent(&mut self) {
        self.accepts_gap &= self.set.config.defect == Some(Defect::GapForEver);
        self.renewed = Renewed::default();
    }

    pub(super) fn stop(&mut self, stop: Stop, out: &mut Vec<Do>) {
        self.phase = Phase::Stopped { is_gap: stop.is_gap(), read: self.read() };
        out.push(Do::Tell(Fact::Stopped(stop.into())));
    }
}
