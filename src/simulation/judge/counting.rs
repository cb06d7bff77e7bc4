//! A record counts: what that may be.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::engine::{Change, Event, Instance, InstanceId, Order, Refusal, Run, invocation_at};
use crate::journal::record::{Body, Cause, Positions, Record, Resumed};
use crate::journal::{Booked, decode};
use crate::log::simulated::Shelf;
use crate::log::{Append, Stored};
use crate::plan::Plan;
use crate::wire::{Ask, CloudEvent, Request, attribute, read_request};

use super::end::Ending;
use super::inputs::whose;
use super::{Holds, Judge, Shelves, Violation, broken, violated};

/// So hasty an owner may be.
const HASTE: Duration = Duration::from_millis(100);

impl Judge {
    pub(super) fn counting(&mut self, offset: u64, record: &Record, shelves: Shelves<'_>) -> Holds {
        self.cause_counts_once(offset, &record.body)?;
        self.is_in_its_place(offset, &record.body)?;
        self.waits_while_parked(offset, &record.body)?;
        self.passes_over_nothing(offset, record, shelves)?;
        if let Body::Started { forgets } = record.body {
            self.forgets_nobody(offset, forgets.0, record.read, shelves.requests)?;
        }
        match &record.body {
            // It takes the place of the life before it.
            Body::Bar { instance, .. } => {
                let above = self.truth.past(instance).map_or(0, |past| past.run.0 + 1);
                self.begins(instance, Run(record.at.0.max(above)))?;
            }
            Body::Change { instance, run, change, cause, .. } => {
                for event in &change.events {
                    match event {
                        Event::Started { .. } => self.begins(instance, *run)?,
                        Event::Ordered { order: Order::Resolve { step, work, .. }, .. } => {
                            self.said.insert((instance.clone(), *run, step.clone(), *work));
                        }
                        _ => {}
                    }
                }
                self.is_in_the_log(*cause)?;
                self.asks_once(offset, instance, *run, *cause, shelves.requests)?;
                self.keeps_the_rate(offset, change)?;
            }
            Body::Reject { cause: Cause::Request(request), .. } => {
                self.followed_none_of_it(offset, *request, shelves.requests)?;
            }
            _ => {}
        }
        self.book(offset, record)
    }

    fn book(&mut self, offset: u64, record: &Record) -> Holds {
        let (keys, ending) = {
            let booked = match self.truth.book(&self.plans, record, 0, None) {
                Ok(booked) => booked,
                Err(damage) => return violated("a counting change continues the state before it", damage),
            };
            if let Some(live) = booked.live() {
                let of = &live.instance;
                self.states.insert((of.id.clone(), of.run, of.seq, cut(of, &live.plan)?));
            }
            let ending = if let Booked::Over(live) = &booked { Some(Ending::of(live, &self.said)?) } else { None };
            (super::effects::keys(self.partition, offset, &record.body, booked.live()), ending)
        };
        self.endings.extend(ending);
        self.effects.insert(offset, keys);
        self.all_sent_before(self.truth.sent)
    }

    /// No input counts twice, nor against what was told of it.
    fn cause_counts_once(&mut self, offset: u64, body: &Body) -> Holds {
        let Some(cause @ (Cause::Request(_) | Cause::Reply(_))) = cause_of(body) else { return Ok(()) };
        if self.causes.insert(cause, body.name()).is_some() {
            return violated("no cause counts twice", format!("record {offset}, {cause:?}"));
        }
        let changes = matches!(body, Body::Change { .. } | Body::Bar { .. });
        if changes && self.told_rejected.contains(&cause) {
            return violated("what was told rejected never happens", format!("record {offset}, {cause:?}"));
        }
        // It may be parked when it is read again, and come to nothing later; and an order that was recognised as a
        // repeat is refused where its instance has ended meanwhile. It is never followed.
        let harmless = match body {
            Body::Park { .. } => true,
            Body::Reject { rejection, .. } => rejection.code == Refusal::Ended,
            _ => false,
        };
        if let Cause::Request(request) = cause
            && self.told_known.contains(&request)
            && !harmless
        {
            return violated("what was told known never happens", format!("record {offset}, request {request}"));
        }
        Ok(())
    }

    /// An instance has one partition, and what was forwarded is there.
    fn is_in_its_place(&self, offset: u64, body: &Body) -> Holds {
        match body {
            Body::Change { instance, .. }
            | Body::Bar { instance, .. }
            | Body::Park { instance, .. }
            | Body::Resume { instance, .. }
                if !self.is_home_of(instance.as_str()) =>
            {
                violated("an instance lives in its own partition", format!("record {offset}, {instance}"))
            }
            Body::Forward { partition, message, .. } => {
                let has_been = message.headers.get(super::effects::FORWARDED).is_some();
                if has_been {
                    return violated("an input is forwarded once", format!("record {offset}"));
                }
                if self.is_home_of(&whose(&message.to_message())) || *partition == self.partition {
                    return violated("an input in its right partition stays", format!("record {offset}"));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What is parked waits for a person, and all that comes behind it.
    fn waits_while_parked(&self, offset: u64, body: &Body) -> Holds {
        let (Body::Change { instance, cause, .. } | Body::Bar { instance, cause, .. }) = body else { return Ok(()) };
        match (self.truth.queue(instance).map(|queue| queue.resumed), cause) {
            (None, Cause::Parked) | (Some(Resumed::No), _) => {}
            (None, _) | (Some(Resumed::Yes), Cause::Parked) => return Ok(()),
            (Some(Resumed::Yes), _) => {}
        }
        violated("a parked instance stands still until it is resumed", format!("record {offset}, {cause:?}"))
    }

    /// What is passed over without a record could never come to anything, or is lost and somebody accepts it.
    fn passes_over_nothing(&mut self, offset: u64, record: &Record, shelves: Shelves<'_>) -> Holds {
        let cause = cause_of(&record.body);
        let (from, to) = (self.truth.read, record.read);
        let mut consents = self.consents;
        let lanes = [
            (shelves.requests, from.requests, to.requests, Cause::Request as Lane),
            (shelves.replies, from.replies, to.replies, Cause::Reply as Lane),
        ];
        for ((shelf, from, to, lane), consents) in lanes.into_iter().zip(&mut consents) {
            let mut lost = false;
            for input in from..to {
                let passed = lane(input);
                if cause == Some(passed) || self.causes.contains_key(&passed) {
                    continue;
                }
                let gap = matches!(record.body, Body::Gap { .. }) && input < shelf.start;
                if gap && *consents > 0 {
                    lost = true;
                    continue;
                }
                let Some(stored) = at(shelf, input) else { return Err(broken(format_args!("{passed:?}"))) };
                if self.ignorable(stored, passed, record.at) == Some(false) {
                    let property = if gap {
                        "a loss is accepted by a person"
                    } else {
                        "nothing before `read` would still change a saga"
                    };
                    return violated(property, format!("record {offset} passes over {passed:?}"));
                }
                self.passed_over.insert(passed);
            }
            *consents -= u32::from(lost);
        }
        self.consents = consents;
        Ok(())
    }

    /// A person accepts that inputs are lost: one loss of each topic.
    pub(in crate::simulation) fn accepts(&mut self) {
        self.consents = self.consents.map(|consents| consents + 1);
    }

    /// Whoever is forgotten can be asked for by no request that is still to be read.
    fn forgets_nobody(&self, offset: u64, forgets: u64, read: Positions, requests: &Shelf) -> Holds {
        let unread = requests.records.iter().skip(place(read.requests));
        let Some(first) = unread.map(|stored| stored.timestamp).min() else { return Ok(()) };
        for ended in self.truth.ended_behind(None).filter(|ended| ended.was.at.0 < forgets) {
            if first.after(self.apart) < ended.was.at.after(self.remember) {
                return violated(
                    "nobody is forgotten who may still be asked for",
                    format!("record {offset} {ended:?}"),
                );
            }
        }
        Ok(())
    }

    /// A life begins once, and above the one that is remembered.
    fn begins(&mut self, instance: &InstanceId, run: Run) -> Holds {
        let above = self.truth.past(instance).is_none_or(|past| past.run < run);
        if !self.begun.insert((instance.clone(), run)) || !above {
            return violated("a life of an instance begins once, above those before it", format!("{instance} {run:?}"));
        }
        Ok(())
    }

    /// Calls are as far apart as this partition's share of the rate wants.
    fn keeps_the_rate(&mut self, offset: u64, change: &Change) -> Holds {
        for event in &change.events {
            self.queued += usize::from(matches!(event, Event::Queued { .. }));
            let Event::Called { at, work: direction, .. } = event else { continue };
            // A cast has one plan.
            let Some(plan) = self.plans.all().next() else { continue };
            let Some(asked) = invocation_at(plan, at, *direction) else { continue };
            let Some(rate) = self.rates.get_mut(asked.participant.commands_topic.as_str()) else { continue };
            // Where an owner's claim took long its clock was ahead: then nobody can tell from the records.
            let pause = Duration::from_millis(rate.pause).saturating_sub(self.apart);
            if let Some(last) = rate.last.replace(change.at)
                && (last..last.after(pause)).contains(&change.at)
            {
                return violated("calls keep the rate", format!("record {offset}: {:?} behind {last:?}", change.at));
            }
        }
        Ok(())
    }

    /// A request changes a life once, however often it is repeated.
    fn asks_once(&mut self, offset: u64, id: &InstanceId, run: Run, cause: Cause, requests: &Shelf) -> Holds {
        let Cause::Request(at) = cause else { return Ok(()) };
        let Some(stored) = self::at(requests, at) else { return Err(broken(format_args!("request {at}"))) };
        let event = CloudEvent::read(&stored.message).map_err(broken)?;
        let request = event.get(attribute::ID).unwrap_or_default().to_owned();
        if self.asked.insert((id.clone(), run, request)) {
            return Ok(());
        }
        violated("a request counts once, however often it is repeated", format!("record {offset}, {cause:?}"))
    }
}

impl Judge {
    /// What was followed is not refused when it is repeated, whether its instance goes on or has ended.
    fn followed_none_of_it(&self, offset: u64, request: u64, requests: &Shelf) -> Holds {
        let Some(stored) = at(requests, request) else { return Err(broken(format_args!("request {request}"))) };
        let Ok(Request { id, instance, ask: Ask::Order { order, .. } }) =
            CloudEvent::read(&stored.message).and_then(|event| read_request(&event))
        else {
            return Ok(());
        };
        let live = self.truth.live(&instance).is_some_and(|live| live.instance.has_followed(&id, &order.order));
        let past = self.truth.past(&instance).filter(|past| stored.timestamp < past.at.after(self.remember));
        if live || past.is_some() && self.truth.has_followed(&instance, &id, &order.order) {
            return violated("what was followed is not refused when it is repeated", format!("record {offset}"));
        }
        Ok(())
    }
}

/// A record is handed over: a timer fires behind the replies that came before it, by an owner's clock that is so far ahead.
pub(in crate::simulation) fn hands_over(append: &Append, replies: &Shelf, ahead: Duration) -> Holds {
    let record = decode(&append.message.payload).map_err(broken)?;
    let Body::Change { cause: Cause::Timer(due), .. } = record.body else { return Ok(()) };
    match replies
        .records
        .iter()
        .skip(place(record.read.replies.max(replies.start)))
        .find(|reply| reply.timestamp.after(ahead + HASTE) < due)
    {
        None => Ok(()),
        Some(reply) => violated(
            "a timer fires behind the replies that came before it",
            format!("record {} of epoch {}, reply {}", record.n, record.epoch, reply.offset),
        ),
    }
}

/// Where an input of a topic stands.
type Lane = fn(u64) -> Cause;

/// A state, cut to a number.
pub(super) fn cut(instance: &Instance, plan: &Plan) -> Result<u64, Violation> {
    let mut hasher = DefaultHasher::new();
    instance.to_snapshot(plan).map_err(broken)?.get().hash(&mut hasher);
    Ok(hasher.finish())
}

/// The record at an offset.
pub(super) fn at(shelf: &Shelf, offset: u64) -> Option<&Stored> {
    shelf.records.get(place(offset))
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

fn cause_of(body: &Body) -> Option<Cause> {
    match body {
        Body::Change { cause, .. }
        | Body::Reject { cause, .. }
        | Body::Bar { cause, .. }
        | Body::Forward { cause, .. }
        | Body::Resume { cause, .. } => Some(*cause),
        Body::Park { parked, .. } => Some(parked.cause),
        _ => None,
    }
}
