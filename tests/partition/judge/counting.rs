//! A record counts: what that may be.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use saga::engine::{Change, Event, Instance, InstanceId, Refusal, Run};
use saga::journal::decode;
use saga::journal::record::{Body, Cause, Positions, Record, Resumed};
use saga::log::simulated::Shelf;
use saga::log::{Append, Stored};
use saga::plan::Plan;
use saga::runtime::partition::CLAIM_WITHIN;
use saga::wire::header;

use super::end::Ending;
use super::{Holds, Judge, Shelves, Violation, violated};

/// An owner's clock is ahead of the log's by as long as its claim may take, and it may be hasty by a tenth of a second.
const AHEAD_MAX: Duration = CLAIM_WITHIN.saturating_add(Duration::from_millis(100));

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
                let life = (instance.clone(), *run);
                for event in &change.events {
                    let ending = match event {
                        Event::Started { .. } => {
                            self.begins(instance, *run)?;
                            continue;
                        }
                        Event::Completed { .. } => Ending::Completed,
                        Event::Compensated => Ending::Compensated,
                        _ => continue,
                    };
                    self.endings.insert(life.clone(), ending);
                }
                self.is_in_the_log(*cause)?;
                self.asks_once(offset, instance, *run, *cause, shelves.requests)?;
                self.keeps_the_rate(offset, change)?;
            }
            _ => {}
        }
        self.book(offset, record)
    }

    fn book(&mut self, offset: u64, record: &Record) -> Holds {
        let keys = {
            let booked = match self.truth.book(&self.plans, record, 0, None) {
                Ok(booked) => booked,
                Err(damage) => return violated("a counting change continues the state before it", damage),
            };
            if let Some(live) = booked.live() {
                let of = &live.instance;
                self.states.insert((of.id.clone(), of.run, of.seq, cut(of, &live.plan)));
            }
            super::effects::keys(self.partition, offset, &record.body, booked.live())
        };
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
                if self.is_home_of(&message.key) || *partition == self.partition {
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
        for (shelf, from, to, lane, number) in [
            (shelves.requests, from.requests, to.requests, Cause::Request as Lane, 0),
            (shelves.replies, from.replies, to.replies, Cause::Reply as Lane, 1),
        ] {
            let mut lost = false;
            for input in from..to {
                let passed = lane(input);
                if cause == Some(passed) || self.causes.contains_key(&passed) {
                    continue;
                }
                let gap = matches!(record.body, Body::Gap { .. }) && input < shelf.start;
                if gap && self.consents[number] {
                    lost = true;
                    continue;
                }
                let stored = &shelf.records[usize::try_from(input).unwrap()];
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
            self.consents[number] &= !lost;
        }
        Ok(())
    }

    /// A person accepts that inputs are lost: one loss of each topic.
    pub(crate) fn accepts(&mut self) {
        self.consents = [true; 2];
    }

    /// Whoever is forgotten can be asked for by no request that is still to be read.
    fn forgets_nobody(&self, offset: u64, forgets: u64, read: Positions, requests: &Shelf) -> Holds {
        let unread = requests.records.iter().skip(usize::try_from(read.requests).unwrap());
        let Some(first) = unread.map(|stored| stored.timestamp).min() else { return Ok(()) };
        for ended in self.truth.ended_behind(None).filter(|ended| ended.was.at.0 < forgets) {
            if first < ended.was.at.after(self.remember) {
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
            let (Event::Called { .. }, Some(pause)) = (event, self.pause) else { continue };
            if let Some(last) = self.last_call.replace(change.at)
                && change.at.0 < last.0 + pause
            {
                return violated("calls keep the rate", format!("record {offset}: {:?} behind {last:?}", change.at));
            }
        }
        Ok(())
    }

    /// A request changes a life once, however often it is repeated.
    fn asks_once(&mut self, offset: u64, id: &InstanceId, run: Run, cause: Cause, requests: &Shelf) -> Holds {
        let Cause::Request(at) = cause else { return Ok(()) };
        let stored: &Stored = &requests.records[usize::try_from(at).unwrap()];
        let request = stored.message.header(header::ID).unwrap_or_default().to_owned();
        if self.asked.insert((id.clone(), run, request)) {
            return Ok(());
        }
        violated("a request counts once, however often it is repeated", format!("record {offset}, {cause:?}"))
    }
}

/// A record is handed over: a timer fires behind the replies that came before it.
pub(crate) fn hands_over(append: &Append, replies: &Shelf) -> Holds {
    let record = decode(&append.message.payload).map_err(|damage| Violation(damage.to_string()))?;
    let Body::Change { cause: Cause::Timer(due), .. } = record.body else { return Ok(()) };
    let from = usize::try_from(record.read.replies.max(replies.start)).unwrap();
    match replies.records.iter().skip(from).find(|reply| reply.timestamp.after(AHEAD_MAX) < due) {
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
pub(super) fn cut(instance: &Instance, plan: &Plan) -> u64 {
    let mut hasher = DefaultHasher::new();
    instance.to_snapshot(plan).unwrap().get().hash(&mut hasher);
    hasher.finish()
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
