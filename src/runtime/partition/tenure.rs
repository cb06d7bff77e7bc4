//! What an owner has while it runs: the ledger, what is under way, what is owed.
//!
//! ```text
//!   input -> decide -> append: book, number, hand over        acknowledged: good -> effects, facts
//! ```
//!
//! The ledger runs ahead of what is good, so that later inputs see earlier ones. Nobody outside sees it: facts and
//! effects wait until the record that they rest on is good.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::checkpoint::Checkpoints;
use super::defect::Defect;
use super::effects::{Next, Outgoing, Owed, of_others};
use super::feed::{Before, Feed};
use super::recovery::{Claim, Found, Volume};
use super::setting::Setting;
use super::timers::Timers;
use super::told::{Do, Fact, Stands, Stop};
use super::turnstile::Seat;
use super::{MARK_EVERY, OWED_BYTES_MAX, OWED_SPAN};
use crate::engine::{Instance, InstanceId};
use crate::journal::record::{Body, Positions, Record, Resumed, VERSION};
use crate::journal::{Booked, Ledger, encode};
use crate::log::{Append, Outcome, Request, Ticket};
use crate::time::Timestamp;
use crate::wire::{Headers, Message};

/// So long before a timer is due it may have been that the end of the replies was asked for: without it each timer of
/// a partition that is otherwise silent would cost a question of its own. An answer that comes as late may lose.
const HASTE_MAX: Duration = Duration::from_millis(100);

/// An owner of a partition, behind its claim.
#[derive(Debug)]
pub(super) struct Tenure {
    pub(super) epoch: u64,
    /// Of the last record that was handed over.
    pub(super) n: u64,
    /// Records 1 … `good` are acknowledged, each at its place.
    pub(super) good: u64,
    in_flight: VecDeque<InFlight>,
    pub(super) ledger: Ledger,
    pub(super) owed: Owed,
    pub(super) requests: Feed,
    pub(super) replies: Feed,
    pub(super) timers: Timers,
    /// Instances whose parked inputs an operator lets be tried again.
    pub(super) resumed: BTreeSet<InstanceId>,
    pub(super) checkpoints: Checkpoints,
    pub(super) volume: Volume,
    facts: VecDeque<(u64, Fact)>,
    limits: Limits,
    pub(super) clock: Clock,
    pub(super) now: Duration,
    marks: Marks,
    /// Where the previous acknowledgement was, for a defect.
    last_ack: u64,
    /// When the log took the last request that was read.
    pub(super) last_request: Timestamp,
    /// The log could not be read: it is asked again then.
    pub(super) quiet: Option<Duration>,
    /// When the partition is given up, whatever is still under way.
    pub(super) release: Option<Duration>,
    /// Where steps wait for participants with limits.
    pub(super) seat: Seat,
}

/// A record that is not good yet.
#[derive(Debug)]
struct InFlight {
    ticket: Ticket,
    acked: bool,
    record: Arc<Record>,
    /// Where its instance stands behind it.
    stands: Option<Stands>,
}

/// The log's time of the claim, and monotonic time since it was handed over: machines' clocks do not matter. So it
/// may be ahead of the log's by the time of that append, and never behind. Behind would be worse: with a slow
/// acknowledgement every deadline would lie in the past of its participant, and no command would ever be done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    claimed: Timestamp,
    at: Duration,
}

impl Clock {
    pub(super) fn now(self, now: Duration) -> Timestamp {
        self.claimed.after(now.saturating_sub(self.at))
    }

    /// When it will show that.
    pub(super) fn until(self, due: Timestamp) -> Duration {
        self.at.saturating_add(due.since(self.claimed))
    }
}

/// How much may be under way.
#[derive(Clone, Copy, Debug)]
struct Limits {
    in_flight: usize,
    owed: usize,
}

/// Whether `read` or `sent` have moved since the last record.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    moved: Option<Duration>,
    last: Duration,
}

/// Why a tenure ends.
#[derive(Debug)]
pub(super) enum Over {
    /// A record is not where it should be: what is behind it does not count.
    Fenced {
        /// Whether the log gave it another place, rather than none that is known.
        misplaced: bool,
    },
    /// The owner's clock is behind the log's.
    Behind,
    /// The log refused a record: it is not there and never will be.
    Refused(Refusal),
    /// A person must act.
    Stop(Stop),
}

/// A record that the log refused.
#[derive(Debug)]
pub(super) struct Refusal {
    /// What it is, and how large; for people.
    pub(super) record: String,
    /// What the log said.
    pub(super) why: Arc<str>,
    pub(super) is_of_checkpoint: bool,
}

impl Refusal {
    fn of(record: &Record, why: &Arc<str>) -> Self {
        let (body, bytes) = (&record.body, encode(record).len());
        let whose = body.instance().map(|id| format!(" of instance `{id}`")).unwrap_or_default();
        Self {
            record: format!("a `{}` record{whose} ({bytes} bytes)", body.name()),
            why: Arc::clone(why),
            is_of_checkpoint: body.is_of_checkpoint(),
        }
    }
}

impl From<Stop> for Over {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl Tenure {
    pub(super) fn new(set: &mut Setting, claim: Claim, claimed: Timestamp, found: Found, now: Duration) -> Self {
        let Found { ledger, owed, volume, calls } = found;
        let read = ledger.read;
        let checkpoints = Checkpoints::new(ledger.checkpoint);
        let unasked = set.config.defect == Some(Defect::ResumedUnasked);
        let resumed = ledger.queues_behind(None).filter(|(_, queue)| unasked || queue.resumed == Resumed::Yes);
        let at = if set.config.defect == Some(Defect::ClockByAck) { now } else { claim.since };
        let clock = Clock { claimed, at };
        let at_turnstile = Seat::take(set, &calls, &ledger, clock.now(now));
        Self {
            epoch: claim.epoch,
            n: 0,
            good: 0,
            in_flight: VecDeque::new(),
            resumed: resumed.map(|(id, _)| id.clone()).collect(),
            timers: Timers::of(ledger.dues(), clock.now(now)),
            ledger,
            owed,
            requests: Feed::new(set.requests(), read.requests),
            replies: Feed::new(set.replies(), read.replies),
            checkpoints,
            volume,
            facts: VecDeque::new(),
            limits: Limits { in_flight: set.config.in_flight_max, owed: set.config.owed_max },
            clock,
            now,
            marks: Marks::default(),
            last_ack: claim.epoch,
            last_request: Timestamp(0),
            quiet: None,
            release: None,
            seat: at_turnstile,
        }
    }

    /// Whether the replies have been taken that the log took before a timer was due.
    pub(super) fn replies_before(&self, due: Timestamp) -> Before {
        self.replies.before(due, self.clock.until(due).saturating_sub(HASTE_MAX))
    }

    /// The time by the owner's clock.
    pub(super) fn time(&self) -> Timestamp {
        self.clock.now(self.now)
    }

    /// Next unread offsets of the inputs.
    pub(super) const fn read(&self) -> Positions {
        Positions { requests: self.requests.next, replies: self.replies.next }
    }

    /// All effects of records before this offset are acknowledged, and so are the records: see [`Rule`](crate::journal::Rule).
    pub(super) fn sent(&self) -> u64 {
        let not_good = self.epoch + self.good + 1;
        self.owed.first().map_or(not_good, |owed| owed.min(not_good))
    }

    /// Whether another record may be begun.
    pub(super) fn has_room(&self) -> bool {
        let Self { owed, limits, .. } = self;
        let has_room = owed.open() < limits.owed && owed.span() < limits.owed.saturating_mul(OWED_SPAN);
        has_room && owed.bytes() < OWED_BYTES_MAX && self.has_room_for_records()
    }

    pub(super) fn has_room_for_records(&self) -> bool {
        self.in_flight.len() < self.limits.in_flight
    }

    /// Whether a checkpoint may go on: half of the room stays for inputs.
    pub(super) fn has_half_its_room(&self) -> bool {
        self.in_flight.len() < self.limits.in_flight.div_ceil(2)
    }

    /// The next record of this tenure, not yet handed over.
    pub(super) fn draft(&self, set: &Setting, body: Body) -> Draft {
        let read = match set.config.defect {
            Some(Defect::ReadAhead) => Positions { requests: self.requests.fetched(), replies: self.replies.fetched() },
            Some(Defect::ReadBehind) => self.ledger.read,
            _ => self.read(),
        };
        let record = Record {
            v: VERSION,
            epoch: self.epoch,
            n: self.n + 1,
            read,
            sent: self.sent(),
            checkpoint: self.checkpoints.pointer(),
            at: self.time(),
            body,
        };
        let bytes = encode(&record);
        Draft { record, bytes, next: None, messages: Vec::new() }
    }

    /// The offset that the next record will have if it counts.
    pub(super) const fn next_place(&self) -> u64 {
        self.epoch + self.n + 1
    }

    /// Hands a record over that changes no instance.
    pub(super) fn note(&mut self, set: &mut Setting, key: &str, body: Body, out: &mut Vec<Do>) -> Result<(), Over> {
        let messages = of_others(set, self.next_place(), &body);
        let draft = Draft { messages, ..self.draft(set, body) };
        self.append(set, key, draft, out)
    }

    /// Books a record and hands it over; its messages follow when it is good.
    pub(super) fn append(&mut self, set: &mut Setting, key: &str, draft: Draft, out: &mut Vec<Do>) -> Result<(), Over> {
        let Draft { record, bytes, next, messages } = draft;
        let place = self.next_place();
        self.n += 1;
        let plans = Arc::clone(&set.plans);
        self.volume.count(&record.body, bytes.len());
        let before = match &record.body {
            Body::Change { instance, .. } => self.ledger.wake(instance).map(|live| (live.instance.summary(), live.due)),
            _ => None,
        };
        let was = before.map(|(was, _)| was);
        let booked =
            self.ledger.book(&plans, &record, bytes.len(), next).map_err(|damage| set.damaged(place, damage))?;
        let stands = booked.live().map(|live| Stands { was, ..Stands::of(live) });
        if let (Body::Change { change, .. }, Some(live)) = (&record.body, booked.live())
            && live.plan.has_limits()
        {
            self.seat.changed(live, change);
        }
        let set_before = before.map_or(Timestamp::NEVER, |(_, due)| due);
        match &booked {
            Booked::Running(live) => self.timers.set(&live.instance.id, set_before, live.due),
            Booked::Over(live) => self.timers.set(&live.instance.id, set_before, Timestamp::NEVER),
            Booked::Other | Booked::Unseen => {}
        }
        for message in messages {
            self.owed.push(set, place, message);
        }
        let ticket = set.ticket();
        self.in_flight.push_back(InFlight { ticket, acked: false, record: Arc::new(record), stands });
        self.marks.moved = None;
        let message = Message { key: Arc::from(key), headers: Headers::default(), payload: bytes };
        let partition = Some(set.config.partition);
        out.push(Do::Ask(Request::Append(Append {
            ticket,
            topic: set.journal(),
            partition,
            message: Arc::new(message),
            waits: false,
        })));
        Ok(())
    }

    /// Sets an instance's timer.
    pub(super) fn schedule(&mut self, id: &InstanceId, due: Timestamp) {
        if let Some(was) = self.ledger.schedule(id, due) {
            self.timers.set(id, was, due);
        }
    }

    /// The log reports on an append: of a record, or of a message that a record caused.
    pub(super) fn appended(
        &mut self,
        set: &mut Setting,
        ticket: Ticket,
        outcome: Outcome,
        out: &mut Vec<Do>,
    ) -> Result<(), Over> {
        if let Ok(index) = self.in_flight.binary_search_by_key(&ticket, |record| record.ticket) {
            return self.landed(set, index, &outcome, out);
        }
        let outcome = match outcome {
            Outcome::Unknown if set.config.defect == Some(Defect::UnknownMeansTold) && self.owed.is_message(ticket) => {
                Outcome::At(0)
            }
            outcome => outcome,
        };
        let why = if let Outcome::Refused(why) = &outcome { Some(Arc::clone(why)) } else { None };
        match self.owed.report(ticket, outcome, self.now) {
            Next::Nothing => {}
            Next::Tell { .. } if set.config.defect == Some(Defect::RefusedForgotten) => {}
            Next::Tell { record, command } => self.undeliverable(set, record, command, out)?,
            Next::Lost { topic, key } => {
                let why = why.unwrap_or_else(|| Arc::from("no reason given"));
                out.push(Do::Tell(Fact::Undeliverable { topic, key, why }));
            }
        }
        if self.owed.settle() {
            self.moved();
        }
        Ok(())
    }

    fn landed(&mut self, set: &mut Setting, index: usize, outcome: &Outcome, out: &mut Vec<Do>) -> Result<(), Over> {
        let place = self.epoch + self.good + 1 + index as u64;
        let offset = match outcome {
            Outcome::At(offset) => *offset,
            Outcome::Unknown | Outcome::Refused(_) if set.config.defect == Some(Defect::NoFence) => place,
            Outcome::Unknown => return Err(Over::Fenced { misplaced: false }),
            Outcome::Refused(why) => {
                let refused = self.in_flight.get(index).map(|refused| Refusal::of(&refused.record, why));
                return Err(refused.map_or(Over::Fenced { misplaced: false }, Over::Refused));
            }
        };
        let right = match set.config.defect {
            Some(Defect::NoFence) => true,
            Some(Defect::FenceByLastOffset) => offset == self.last_ack + 1,
            _ => offset == place,
        };
        self.last_ack = offset;
        if !right {
            return Err(Over::Fenced { misplaced: true });
        }
        let Some(record) = self.in_flight.get_mut(index) else { return Ok(()) };
        record.acked = true;
        match (set.config.defect, &record.record.body) {
            (Some(Defect::CompletedByAck), Body::Completed { started }) => {
                let started = *started;
                self.complete(set, started, out);
            }
            (Some(Defect::GoodAlone), _) => {
                for skipped in self.in_flight.drain(..=index).collect::<Vec<_>>() {
                    self.good += 1;
                    self.is_good(set, skipped.record, skipped.stands, out);
                }
            }
            _ => {}
        }
        while let Some(first) = self.in_flight.pop_front_if(|first| first.acked) {
            self.good += 1;
            self.is_good(set, first.record, first.stands, out);
        }
        Ok(())
    }

    /// The record is good: whatever waited for it may go.
    fn is_good(&mut self, set: &mut Setting, record: Arc<Record>, stands: Option<Stands>, out: &mut Vec<Do>) {
        let offset = self.epoch + self.good;
        match &record.body {
            Body::Completed { started } => self.complete(set, *started, out),
            Body::Change { .. }
            | Body::Reject { .. }
            | Body::Bar { .. }
            | Body::Forward { .. }
            | Body::Park { .. }
            | Body::Resume { .. }
            | Body::Pass { .. }
            | Body::Gap { .. } => out.push(Do::Tell(Fact::Recorded { offset, record, stands })),
            Body::Claim { .. }
            | Body::Mark
            | Body::Started { .. }
            | Body::Snapshot { .. }
            | Body::Waiting { .. }
            | Body::Ended { .. } => {}
        }
        while let Some((_, fact)) = self.facts.pop_front_if(|(n, _)| *n <= self.good) {
            out.push(Do::Tell(fact));
        }
    }

    /// A checkpoint can be relied on.
    pub(super) fn complete(&mut self, set: &mut Setting, started: u64, out: &mut Vec<Do>) {
        let now = self.clock.now(self.now);
        let was_overtaken = self.checkpoints.is_overtaken();
        self.checkpoints.complete(started, now);
        set.checkpoint_from = 0;
        let mut before = self.checkpoints.truncation(now, set.config.retain);
        if was_overtaken && !self.checkpoints.is_overtaken() {
            // What is left before it is of no use, and reading would begin there: its pointer is with the next record, and it is
            // whole when that is good.
            before = Some(started);
            self.moved();
            self.facts.push_back((self.n + 1, Fact::Whole { checkpoint: started }));
        }
        if let Some(before) = before {
            let too_far = u64::from(set.config.defect == Some(Defect::CutTooFar));
            out.push(Do::Ask(Request::Truncate { topic: set.journal(), before: before + too_far }));
        }
    }

    /// Says it once everything that it may rest on is good.
    pub(super) fn say(&mut self, set: &Setting, fact: Fact, out: &mut Vec<Do>) {
        if self.n == self.good || set.config.defect == Some(Defect::SeenBeforeAck) {
            out.push(Do::Tell(fact));
        } else {
            self.facts.push_back((self.n, fact));
        }
    }

    /// `read` or `sent` have moved, and no record says so yet.
    pub(super) fn moved(&mut self) {
        self.marks.moved.get_or_insert(self.now);
    }

    /// When a mark is due.
    pub(super) fn mark_due(&self) -> Option<Duration> {
        self.marks.moved.map(|since| since.max(self.marks.last) + MARK_EVERY)
    }

    /// Says where it stands, if it has moved.
    pub(super) fn mark(&mut self, set: &mut Setting, out: &mut Vec<Do>) -> Result<(), Over> {
        if self.marks.moved.take().is_some() {
            self.marks.last = self.now;
            self.note(set, "", Body::Mark, out)?;
        }
        Ok(())
    }

    /// Hands over the messages of good records.
    pub(super) fn send(&mut self, set: &Setting, out: &mut Vec<Do>) {
        let good = match set.config.defect {
            Some(Defect::EffectsBeforeAck) => self.epoch + self.n,
            _ => self.epoch + self.good,
        };
        self.owed.hand_over(good, self.now, |append| out.push(Do::Ask(Request::Append(append))));
        if set.config.defect == Some(Defect::SentAtHandOver) {
            self.owed.forget_handed();
            self.owed.settle();
        }
    }

    /// Whether nothing is under way any more.
    pub(super) fn is_settled(&self) -> bool {
        self.in_flight.is_empty() && self.owed.is_empty()
    }
}

/// A record that is ready to be handed over.
pub(super) struct Draft {
    pub(super) record: Record,
    pub(super) bytes: Box<[u8]>,
    /// The instance behind it, if it changes one.
    pub(super) next: Option<Instance>,
    /// What it causes.
    pub(super) messages: Vec<Outgoing>,
}
