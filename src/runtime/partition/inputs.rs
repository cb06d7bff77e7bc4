//! What becomes of requests, replies, timers and turns.
//!
//! Each input ends in exactly one of: a change, a rejection, a forward, a bar, a parking, or nothing. Nothing is only
//! for what no later state would listen to; all else is journaled, so that a second reading comes to the same end.

use std::sync::Arc;

use compact_str::CompactString;

use super::asked::{Asked, Came};
use super::considered::Considered;
use super::defect::Defect;
use super::effects::{key_of, of_change, unreadable};
use super::setting::{FORWARDED, Setting};
use super::tenure::{Over, Tenure};
use super::told::{Do, Fact};
use super::{BEHIND_MAX, INSTANCE_MAX, PARKED_BYTES_MAX, PARKED_MAX};
use crate::engine::{Input, Instance, InstanceId, Order, OrderRequest, Refusal, Rejection, Reply, Run, Start};
use crate::journal::Live;
use crate::journal::record::{Body, Cause, Parked, PastOutcome, Raw, StartHash};
use crate::log::{Stored, partition_of};
use crate::plan::Plan;
use crate::time::Timestamp;
use crate::wire::{Ask, CloudEvent, EVENT_MAX, Message, Request, WireError, read_reply, read_request};

/// The largest input that is forwarded, in bytes: an event at its limit with its key and header. None that can be read is
/// larger, and its copy has room for one header more.
const FORWARDED_MAX: usize = EVENT_MAX + 512;

/// Which of the two streams an input came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Requests,
    Replies,
}

/// What an input says.
pub(super) enum Said {
    Request(Request),
    Reply(Reply),
}

impl Said {
    pub(super) fn read(lane: Lane, message: &Message) -> Result<Self, WireError> {
        let event = CloudEvent::read(message)?;
        match lane {
            Lane::Requests => read_request(&event).map(Self::Request),
            Lane::Replies => read_reply(&event).map(Self::Reply),
        }
    }

    /// Of which instance.
    const fn instance(&self) -> &InstanceId {
        match self {
            Self::Request(request) => &request.instance,
            Self::Reply(reply) => &reply.command.instance,
        }
    }
}

impl Tenure {
    /// Takes an input from its stream; `next` of the stream is behind it already.
    pub(super) fn take(
        &mut self,
        set: &mut Setting,
        lane: Lane,
        stored: &Stored,
        out: &mut Vec<Do>,
    ) -> Result<(), Over> {
        if stored.timestamp > self.time().after(BEHIND_MAX) && self.now >= set.reads_clock_from {
            return Err(Over::Behind);
        }
        self.moved();
        let message = &*stored.message;
        let (cause, request) = match lane {
            Lane::Requests => (Cause::Request(stored.offset), Some(stored.offset)),
            Lane::Replies => (Cause::Reply(stored.offset), None),
        };
        if lane == Lane::Requests || set.config.defect == Some(Defect::ForgetUnread) {
            self.last_request = self.last_request.max(stored.timestamp);
        }
        let came = Came { cause, timestamp: stored.timestamp, message, request };
        let said = Said::read(lane, message);
        // Whoever wrote it may have any key, or none: what it says decides. Of what nobody can read, the key has to.
        let defect = set.config.defect;
        let whose = match &said {
            Ok(said) if defect != Some(Defect::ByKey) => said.instance().as_str(),
            Ok(_) | Err(_) => &*message.key,
        };
        let right = partition_of(whose, set.config.partitions);
        if right == set.config.partition || defect == Some(Defect::NotForwarded) {
            return self.consider(set, came, said, out);
        }
        if defect == Some(Defect::ForwardDropped) {
            return Ok(());
        }
        let id = InstanceId::try_from(whose).ok();
        if message.header(FORWARDED).is_some() && defect != Some(Defect::ForwardedAgain) {
            let why = "it was forwarded once already: the topics' numbers of partitions differ";
            return self.dead(set, came, id, astray(set, right, why), out);
        }
        if message.size() > FORWARDED_MAX {
            return self.dead(set, came, id, astray(set, right, "it is too large to be forwarded"), out);
        }
        let body = Body::Forward { cause, partition: right, message: Raw::of(message) };
        self.note(set, whose, body, out)
    }

    pub(super) fn consider(
        &mut self,
        set: &mut Setting,
        came: Came<'_>,
        said: Result<Said, WireError>,
        out: &mut Vec<Do>,
    ) -> Result<(), Over> {
        match said {
            Ok(Said::Request(request)) => self.request(set, came, &request, out),
            Ok(Said::Reply(reply)) => self.reply(set, came, reply, out),
            Err(error) => self.dead(set, came, key_of(came.message), unreadable(&error), out),
        }
    }

    fn request(&mut self, set: &mut Setting, came: Came<'_>, request: &Request, out: &mut Vec<Do>) -> Result<(), Over> {
        let id = &request.instance;
        let (tell, order) = match &request.ask {
            Ask::Start { start, .. } => (start.reply_to.clone(), None),
            Ask::Order { order, reply_to } => (reply_to.clone(), Some(order)),
        };
        // An answer in the journal would end this tenure, and the next one, for ever.
        if let Some(to) = tell.as_ref().filter(|to| set.config.topics.is_own(&to.topic)) {
            let why = format!("the answer cannot go to `{}`, a topic of the deployment itself; name another", to.topic);
            return self.reject(set, &Asked { came, instance: id, tell: None, order }, Refusal::Unreadable, why, out);
        }
        let asked = Asked { came, instance: id, tell, order };
        let resumes = order.is_some_and(|order| order.order == Order::Retry { step: None });
        if self.waits(&asked) && resumes {
            // Recorded even while they are being tried again: that may fail, and then it would resume them after all.
            self.resumed.insert(id.clone());
            return self.note(
                set,
                id.as_str(),
                Body::Resume { instance: id.clone(), cause: came.cause, order: asked.kept() },
                out,
            );
        }
        if self.waits(&asked) && set.config.defect != Some(Defect::ParkedAlone) {
            return self.park(set, &asked, None, out);
        }
        match &request.ask {
            Ask::Start { saga, start } => self.start(set, &asked, saga, start, out),
            Ask::Order { order, .. } => self.order(set, &asked, order, out),
        }
    }

    /// Whether an input waits behind parked ones.
    fn waits(&self, asked: &Asked<'_>) -> bool {
        asked.came.cause != Cause::Parked && self.ledger.queue(asked.instance).is_some()
    }

    fn start(
        &mut self,
        set: &mut Setting,
        asked: &Asked<'_>,
        saga: &str,
        start: &Start,
        out: &mut Vec<Do>,
    ) -> Result<(), Over> {
        let id = asked.instance;
        if let Some(live) = self.ledger.live(id) {
            if live.plan.saga.name != saga {
                let why = format!("`{id}` is taken by an instance of saga `{}`", live.plan.saga.name);
                return self.reject(set, asked, Refusal::Conflict, why, out);
            }
            return self.decide(set, asked, &Input::Start(start.clone()), out);
        }
        let past = self.ledger.past(id).copied();
        if let Some(past) = past.filter(|past| asked.came.timestamp < past.at.after(set.config.remember)) {
            let repeated = |was: StartHash| was == StartHash::of(saga, &start.input);
            return match past.outcome {
                PastOutcome::Completed(was) | PastOutcome::Compensated(was) if repeated(was) => {
                    self.nothing(set, asked, out)
                }
                PastOutcome::Completed(_) | PastOutcome::Compensated(_)
                    if set.config.defect == Some(Defect::ConflictKnown) =>
                {
                    self.nothing(set, asked, out)
                }
                PastOutcome::Completed(_) | PastOutcome::Compensated(_) => {
                    let why =
                        format!("`{id}` was the id of an instance with another input or another saga, which has ended");
                    self.reject(set, asked, Refusal::Conflict, why, out)
                }
                PastOutcome::Barred => {
                    let why = format!("`{id}` was cancelled before it was started; choose another id");
                    self.reject(set, asked, Refusal::Ended, why, out)
                }
            };
        }
        if let Err(error) = id.is_startable() {
            return self.reject(set, asked, Refusal::Unreadable, format!("failed to {error}"), out);
        }
        let Some(plan) = set.plans.current(saga).cloned() else {
            let known: Vec<&str> = set.plans.sagas().map(CompactString::as_str).take(10).collect();
            let known = if known.is_empty() { "none is".to_owned() } else { known.join(", ") };
            let why = format!("there is no saga `{saga}`; deployed here: {known}");
            return self.reject(set, asked, Refusal::UnknownSaga, why, out);
        };
        if self.ledger.live_count() >= set.config.live_max {
            let why = format!(
                "partition {} has {} live instances, which is its limit; start it later",
                set.config.partition, set.config.live_max
            );
            return self.reject(set, asked, Refusal::Busy, why, out);
        }
        // Above the run that is remembered, whatever the clocks of two owners say.
        let above = past.map_or(0, |past| past.run.0 + 1);
        let run = match set.config.defect {
            Some(Defect::OneRun) => Run(1),
            Some(Defect::RunByClock) => Run(self.time().0),
            _ => Run(self.time().max(asked.came.timestamp).0.max(above)),
        };
        let fresh = Instance::new(id.clone(), run, &plan);
        let (considered, promised) = self.ponder(set, &plan, &fresh, &Input::Start(start.clone()));
        self.enter(set, asked, Of { plan: &plan, run, bytes: 0 }, considered, out)?;
        self.note_steps(id, &promised);
        Ok(())
    }

    fn order(
        &mut self,
        set: &mut Setting,
        asked: &Asked<'_>,
        order: &OrderRequest,
        out: &mut Vec<Do>,
    ) -> Result<(), Over> {
        let id = asked.instance;
        if self.ledger.live(id).is_some() {
            return self.decide(set, asked, &Input::Order(order.clone()), out);
        }
        let past = self.ledger.past(id).filter(|past| asked.came.timestamp < past.at.after(set.config.remember));
        match (past.map(|past| past.outcome), &order.order) {
            (Some(PastOutcome::Barred), Order::Cancel) => self.nothing(set, asked, out),
            (Some(_), _)
                if self.ledger.has_followed(id, &order.request, &order.order)
                    && set.config.defect != Some(Defect::RequestsForgotten) =>
            {
                self.nothing(set, asked, out)
            }
            (Some(_), _) => {
                let why = format!("instance `{id}` has ended; there is nothing left to do");
                self.reject(set, asked, Refusal::Ended, why, out)
            }
            (None, Order::Cancel) if set.config.defect == Some(Defect::NoBar) => self.nothing(set, asked, out),
            (None, Order::Cancel) => {
                let message = format!(
                    "there is no instance `{id}`; a start of it that comes within {} s is refused",
                    set.config.remember.as_secs()
                );
                let rejection = Rejection { code: Refusal::UnknownInstance, message };
                let (instance, cause, tell) = (id.clone(), asked.came.cause, asked.tell.clone());
                self.note(set, id.as_str(), Body::Bar { instance, cause, rejection, tell, order: asked.kept() }, out)
            }
            (None, Order::Retry { .. } | Order::Resolve { .. } | Order::Signal { .. }) => {
                let why = format!("there is no instance `{id}`; look up its id");
                self.reject(set, asked, Refusal::UnknownInstance, why, out)
            }
        }
    }

    fn reply(&mut self, set: &mut Setting, came: Came<'_>, reply: Reply, out: &mut Vec<Do>) -> Result<(), Over> {
        let id = reply.command.instance.clone();
        let asked = Asked { came, instance: &id, tell: None, order: None };
        if self.waits(&asked) && set.config.defect != Some(Defect::ParkedAlone) {
            return self.park(set, &asked, None, out);
        }
        let run = match self.ledger.live(&id) {
            Some(live) => Some(live.instance.run),
            None => self.ledger.past(&id).map(|past| past.run),
        };
        match run {
            Some(run) if reply.command.run < run && set.config.defect == Some(Defect::AnyRun) => {
                let mut reply = reply;
                reply.command.run = run;
                self.decide(set, &asked, &Input::Reply(reply), out)
            }
            Some(run) if reply.command.run < run => self.nothing(set, &asked, out),
            Some(run) if reply.command.run == run && self.ledger.live(&id).is_none() => self.nothing(set, &asked, out),
            Some(run) if reply.command.run == run => self.decide(set, &asked, &Input::Reply(reply), out),
            Some(_) | None => {
                let why = format!("no command `{}` was ever sent", reply.command);
                self.dead(set, came, Some(id.clone()), why, out)
            }
        }
    }

    pub(super) fn decide(
        &mut self,
        set: &mut Setting,
        asked: &Asked<'_>,
        input: &Input,
        out: &mut Vec<Do>,
    ) -> Result<(), Over> {
        self.ledger.wake(asked.instance);
        let Some(live) = self.ledger.live(asked.instance) else { return Ok(()) };
        let (considered, promised) = self.ponder(set, &live.plan, &live.instance, input);
        let (plan, run, bytes) = (Arc::clone(&live.plan), live.instance.run, live.bytes);
        self.enter(set, asked, Of { plan: &plan, run, bytes }, considered, out)?;
        self.note_steps(asked.instance, &promised);
        Ok(())
    }

    fn enter(
        &mut self,
        set: &mut Setting,
        asked: &Asked<'_>,
        of: Of<'_>,
        considered: Considered,
        out: &mut Vec<Do>,
    ) -> Result<(), Over> {
        let id = asked.instance;
        match considered {
            Considered::Nothing => self.nothing(set, asked, out),
            Considered::Rejected(rejection) => self.reject(set, asked, rejection.code, rejection.message, out),
            Considered::Failed(why) => self.park(set, asked, Some(why), out),
            Considered::Change { change, next, effects } => {
                let body = Body::Change {
                    instance: id.clone(),
                    run: of.run,
                    definition: Arc::clone(of.plan.saga.hash()),
                    cause: asked.came.cause,
                    change,
                };
                let mut draft = self.draft(set, body);
                if of.bytes + draft.bytes.len() > INSTANCE_MAX
                    && !matches!(asked.came.cause, Cause::Timer(_) | Cause::Turn | Cause::Acknowledged(_))
                {
                    let why = format!("instance `{id}` holds more than {INSTANCE_MAX} bytes, which is its limit");
                    return self.reject(set, asked, Refusal::Busy, why, out);
                }
                let behind = Live { instance: next, plan: Arc::clone(of.plan), bytes: 0, due: Timestamp::NEVER };
                draft.messages = of_change(set, self.next_place(), &behind, effects);
                draft.next = Some(behind.instance);
                self.append(set, id.as_str(), draft, out)
            }
        }
    }

    /// Nothing comes of an input, now and in every later state.
    fn nothing(&mut self, set: &mut Setting, asked: &Asked<'_>, out: &mut Vec<Do>) -> Result<(), Over> {
        if let Some(request) = asked.came.request {
            self.say(set, Fact::Known { request, instance: asked.instance.clone() }, out);
        }
        if asked.came.cause == Cause::Parked {
            let instance = asked.instance.clone();
            return self.note(set, asked.instance.as_str(), Body::Pass { instance }, out);
        }
        Ok(())
    }

    fn reject(
        &mut self,
        set: &mut Setting,
        asked: &Asked<'_>,
        code: Refusal,
        message: String,
        out: &mut Vec<Do>,
    ) -> Result<(), Over> {
        let body = Body::Reject {
            instance: Some(asked.instance.clone()),
            cause: asked.came.cause,
            rejection: Rejection { code, message },
            tell: asked.tell.clone(),
            order: asked.kept(),
            raw: asked.is_unheard().then(|| asked.came.kept()),
        };
        if set.config.defect == Some(Defect::UnrecordedRejections) {
            let record = Arc::new(self.draft(set, body).record);
            out.push(Do::Tell(Fact::Recorded { offset: u64::MAX, record, stands: None }));
            return Ok(());
        }
        self.note(set, asked.instance.as_str(), body, out)
    }

    /// Nobody can read or place it.
    fn dead(
        &mut self,
        set: &mut Setting,
        came: Came<'_>,
        instance: Option<InstanceId>,
        message: String,
        out: &mut Vec<Do>,
    ) -> Result<(), Over> {
        if set.config.defect == Some(Defect::JunkDropped) {
            return Ok(());
        }
        let body = Body::Reject {
            instance,
            cause: came.cause,
            rejection: Rejection { code: Refusal::Unreadable, message },
            tell: None,
            order: None,
            raw: Some(came.kept()),
        };
        self.note(set, &came.message.key, body, out)
    }

    /// The engine failed at it, or it came behind one at which the engine failed.
    fn park(
        &mut self,
        set: &mut Setting,
        asked: &Asked<'_>,
        why: Option<String>,
        out: &mut Vec<Do>,
    ) -> Result<(), Over> {
        let id = asked.instance;
        let Came { cause, timestamp, message, .. } = asked.came;
        let message = match cause {
            Cause::Request(_) | Cause::Reply(_) => Some(Raw::of(message)),
            Cause::Timer(_) | Cause::Turn | Cause::Undeliverable(_) | Cause::Acknowledged(_) | Cause::Parked => None,
        };
        if let Some(queue) = self.ledger.queue(id)
            && cause != Cause::Parked
        {
            let size = |parked: &Parked| parked.message.as_ref().map_or(0, Raw::size);
            let bytes: usize = queue.parked.iter().map(size).sum::<usize>() + message.as_ref().map_or(0, Raw::size);
            if queue.parked.len() >= PARKED_MAX || bytes > PARKED_BYTES_MAX {
                let why = format!(
                    "instance `{id}` is parked with {} inputs, since the engine failed at one of them; order `retry` \
                     for it, or report it",
                    queue.parked.len()
                );
                return self.reject(set, asked, Refusal::Busy, why, out);
            }
        }
        if cause == Cause::Parked {
            self.resumed.remove(id);
        }
        let parked = Parked { cause, timestamp, why, message };
        self.note(set, id.as_str(), Body::Park { instance: id.clone(), parked }, out)
    }
}

/// Why an input that stands in the wrong partition stays there.
fn astray(set: &Setting, right: u32, why: &str) -> String {
    format!("its instance belongs to partition {right} of {}, and {why}", set.config.partitions)
}

/// An instance that is being decided about.
#[derive(Clone, Copy)]
struct Of<'a> {
    plan: &'a Arc<Plan>,
    run: Run,
    bytes: usize,
}
