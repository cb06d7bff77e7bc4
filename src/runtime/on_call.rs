//! What whoever is on call reads in the log: which instances wait for a person, which do no more, what was set aside or given up, and by
//! which definitions new instances run.
//!
//! A recovery says in one line how many wait in its partition: each of them was said when it began to. Definitions are
//! said one by one, since people deploy them.

use std::collections::BTreeMap;

use tokio::runtime::Handle;

use super::flood::Lines;
use super::partition::{Stands, in_short};
use crate::definition::short_hash;
use crate::engine::{Change, Direction, Event, InstanceId, Place, Summary, Why};
use crate::journal::Plans;
use crate::journal::record::{Body, Cause, Positions, Record};

/// A step that begins to wait for a person, or a pivot step that begins to be called beyond its retries.
pub(super) struct Stuck<'a> {
    pub(super) at: &'a Place,
    pub(super) work: Direction,
    why: Reason<'a>,
}

enum Reason<'a> {
    /// A code, and words.
    Said(&'a str, Option<&'a str>),
    /// It is called beyond its retries; and what the attempt before came to.
    Beyond(Option<&'a Why>),
}

/// The steps that get stuck by a change, where it is known how the instance stands behind it.
pub(super) fn newly_stuck<'a>(change: &'a Change, stands: Option<&'a Stands>) -> impl Iterator<Item = Stuck<'a>> {
    // What is called and shown as stuck is called beyond its retries: that begins once.
    let newly = stands.filter(|stands| stands.was != Some(Summary::Stuck));
    let beyond = newly.map(|stands| stands.stuck.as_slice()).unwrap_or_default();
    let repeated = stands.and_then(|stands| stands.repeated.as_ref());
    change.events.iter().filter_map(move |event| match event {
        Event::Stuck { at, work, code, message } => {
            Some(Stuck { at, work: *work, why: Reason::Said(code, message.as_deref()) })
        }
        Event::Called { at, work, .. } | Event::Sent { at, work, .. } if beyond.contains(at) => {
            Some(Stuck { at, work: *work, why: Reason::Beyond(repeated) })
        }
        _ => None,
    })
}

/// Says it.
pub(super) struct OnCall {
    stuck: Lines,
    free: Lines,
    dead: Lines,
    undeliverable: Lines,
}

impl OnCall {
    /// Sums up on this runtime what is left out.
    pub(super) fn new(runtime: &Handle) -> Self {
        let lines = |say: fn(u64)| Lines::new(runtime.clone(), say);
        Self {
            stuck: lines(|more| tracing::warn!(more, "and more are stuck: `saga list --stuck` shows them")),
            free: lines(|more| tracing::info!(more, "and more are stuck no more")),
            dead: lines(|more| tracing::warn!(more, "and more inputs were set aside: `saga dead` shows them")),
            undeliverable: lines(|more| tracing::error!(more, "and more answers and copies were given up")),
        }
    }

    /// A record is good.
    pub(super) fn recorded(&self, partition: u32, record: &Record, stands: Option<&Stands>, plans: &Plans) {
        if let Body::Gap { to: Positions { requests, replies }, by, reason } = &record.body {
            let (by, reason) = (by.as_deref(), reason.as_deref());
            tracing::warn!(partition, requests, replies, by, reason, "a partition goes on behind inputs that are lost");
        }
        if let Body::Reject { cause, rejection, instance, raw: Some(_), .. } = &record.body
            && self.dead.takes()
        {
            let (topic, why) = (came_by(*cause), rejection.message.as_str());
            let (instance, offset) = (instance.as_ref().map(InstanceId::as_str), offset_of(*cause));
            tracing::warn!(topic, partition, offset, instance, why, "an input was set aside: `saga dead` shows it");
        }
        let Body::Change { instance, definition, change, .. } = &record.body else { return };
        let Some(plan) = plans.by_hash(definition) else { return };
        let (saga, instance) = (plan.saga.name.as_str(), instance.as_str());
        for Stuck { at, work, why } in newly_stuck(change, stands) {
            if self.stuck.takes() {
                let (step, work, why) = (at.as_str(), work.name(), in_words(&why));
                let why = why.as_str();
                tracing::warn!(saga, instance, step, work, why, "an instance is stuck");
            }
        }
        let is_free = |stands: &&Stands| stands.was == Some(Summary::Stuck) && stands.state != Summary::Stuck;
        if let Some(stands) = stands.filter(is_free)
            && self.free.takes()
        {
            let status = stands.state.name();
            let (order, by) = change.events.iter().find_map(order_of).unzip();
            tracing::info!(saga, instance, status, order, by = by.flatten(), "an instance is stuck no more");
        }
    }

    /// A partition is recovered, and so many of its instances wait.
    pub(super) fn recovered(partition: u32, counts: &BTreeMap<Summary, usize>) {
        if let Some(stuck) = counts.get(&Summary::Stuck).filter(|stuck| **stuck > 0) {
            tracing::warn!(partition, stuck, "instances are stuck: `saga list --stuck` shows them");
        }
    }

    /// An answer or a copy is given up: the log refuses it for good.
    pub(super) fn undeliverable(&self, partition: u32, topic: &str, instance: &str, why: &str) {
        if self.undeliverable.takes() {
            tracing::error!(
                partition,
                topic,
                instance,
                why,
                "an answer to whoever made a request, or a copy to the dead, cannot be delivered and is given up: \
                 `saga history` shows what came of the request"
            );
        }
    }

    /// Nothing more comes: what was left out is summed up now.
    pub(super) fn end(&self) {
        for lines in [&self.stuck, &self.free, &self.dead, &self.undeliverable] {
            lines.end();
        }
    }
}

/// By which topic an input came.
pub(super) const fn came_by(cause: Cause) -> &'static str {
    if matches!(cause, Cause::Reply(_)) { "replies" } else { "requests" }
}

const fn offset_of(cause: Cause) -> Option<u64> {
    match cause {
        Cause::Request(offset) | Cause::Reply(offset) => Some(offset),
        _ => None,
    }
}

fn in_words(why: &Reason<'_>) -> String {
    match why {
        Reason::Said(code, Some(words)) => in_short(format!("{code} ({words})")),
        Reason::Said(code, None) => (*code).to_owned(),
        Reason::Beyond(Some(last)) => in_short(format!("it is called beyond its retries; the last: {last}")),
        Reason::Beyond(None) => "it is called beyond its retries".to_owned(),
    }
}

/// The order among what happened, and who gave it.
fn order_of(event: &Event) -> Option<(&'static str, Option<&str>)> {
    let Event::Ordered { order, by, .. } = event else { return None };
    Some((order.name(), by.as_deref()))
}

/// Says what is known and current now and was not.
pub(super) fn say_news(before: &Plans, now: &Plans) {
    for plan in now.all() {
        let saga = &*plan.saga;
        let is_current = |plans: &Plans| plans.current(&saga.name).is_some_and(|plan| plan.saga.hash() == saga.hash());
        let (name, version, hash) = (saga.name.as_str(), saga.version, short_hash(saga.hash()));
        if is_current(now) && !is_current(before) {
            tracing::info!(saga = name, version, hash, "new instances run by this version from now on");
        } else if before.by_hash(saga.hash()).is_none() {
            tracing::info!(saga = name, version, hash, "a version is known that is not current");
        }
    }
}
