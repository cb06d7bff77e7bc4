//! What comes on the topics of replies, and waiting for it: whose it is, what it answers, and what is wrong with it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use memchr::memmem;

use super::rules::{ANSWERED_WHERE_ASKED, KEEPS_CONTRACT, NAMES_ITS_COMMAND, READABLE_REPLY};
use super::talk::{Case, Heard, Key, Talk};
use crate::definition::json::check_json;
use crate::definition::types::Type;
use crate::engine::{ReplyKind, Status};
use crate::json::Json;
use crate::log::kafka::RawArrival;
use crate::participant::guard::code;
use crate::wire::{self, CloudEvent, attribute};

/// How long is listened at a time where several things are waited for.
const LOOK: Duration = Duration::from_millis(50);

impl Talk<'_> {
    /// Waits for an answer, and behind `pending` for the final one.
    pub(super) fn hear(&mut self, key: &Key) -> Option<Heard> {
        let heard = self.hear_next(key, Instant::now() + self.options.within)?;
        if heard.status != Some(Status::Pending) {
            return Some(heard);
        }
        let end = Instant::now() + self.options.within;
        loop {
            // The final one of any attempt will do: what is under way for one is `pending` to the others.
            let of_another = if self.inbox.get(key).is_none_or(VecDeque::is_empty) { self.final_of(key) } else { None };
            if let Some(heard) = of_another {
                return self.was_heard(key, Some(heard));
            }
            let look = end.min(Instant::now() + LOOK);
            match self.next_by(key, look) {
                Some(Heard { status: Some(Status::Pending), .. }) => {}
                None if look < end => {}
                last => return self.was_heard(key, last),
            }
        }
    }

    /// Waits for what comes next to an attempt.
    pub(super) fn hear_next(&mut self, key: &Key, end: Instant) -> Option<Heard> {
        let heard = self.next_by(key, end);
        self.was_heard(key, heard)
    }

    fn was_heard(&mut self, key: &Key, heard: Option<Heard>) -> Option<Heard> {
        if let Some(heard) = &heard {
            self.said.came.push(heard.shown());
        } else {
            self.silent = Some(key.clone());
            self.said.came.push(self.nothing());
        }
        heard
    }

    fn next_by(&mut self, key: &Key, end: Instant) -> Option<Heard> {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let mut heard = self.inbox.get_mut(key).and_then(VecDeque::pop_front);
            if heard.is_none() && (left.is_zero() || self.misnames) {
                heard = self.surplus(key);
            }
            if heard.is_some() || left.is_zero() {
                return heard;
            }
            self.listen(left);
        }
    }

    /// What has come for good to any attempt of this.
    pub(super) fn final_of(&mut self, key: &Key) -> Option<Heard> {
        let of_it = |(other, _): &(&Key, &mut VecDeque<Heard>)| other.0 == key.0 && other.1 == key.1;
        self.inbox.iter_mut().filter(of_it).find_map(|(_, replies)| {
            let is_final = |heard: &Heard| matches!(heard.status, Some(Status::Succeeded | Status::Failed { .. }));
            let place = replies.iter().position(is_final)?;
            replies.remove(place)
        })
    }

    /// Where the answer to an attempt never comes: one too many to another attempt of it. One that was asked for is none: who
    /// stays silent names nothing wrong.
    fn surplus(&mut self, key: &Key) -> Option<Heard> {
        let (asked, answered) = (&self.asked, &self.answered);
        let of_it = |(other, replies): &(&Key, &mut VecDeque<Heard>)| {
            let is_of_it = other.0 == key.0 && other.1 == key.1 && other.2 != key.2;
            is_of_it && !replies.is_empty() && answered.get(other) > asked.get(other)
        };
        let (other, replies) = self.inbox.iter_mut().rev().find(of_it)?;
        let how = format!("attempt {} of `{}` is answered as attempt {}", key.2, key.1.as_str(), other.2);
        let heard = replies.pop_front();
        self.misnames = true;
        self.fault(NAMES_ITS_COMMAND, how);
        heard
    }

    pub(super) fn nothing(&self) -> String {
        format!("nothing within {:?}", self.options.within)
    }

    /// Takes what comes next, if anything does.
    pub(super) fn listen(&mut self, within: Duration) {
        if let Some(arrival) = self.raw.next(within) {
            self.arrived(&arrival);
        }
    }

    fn arrived(&mut self, arrival: &RawArrival) {
        let message = &arrival.message;
        let tag = self.options.tag.as_bytes();
        // Other probes, and on a topic of the deployment the sagas of others.
        if memmem::find(message.key.as_bytes(), tag).or_else(|| memmem::find(&message.payload, tag)).is_none() {
            return;
        }
        self.heard += 1;
        // Of what is no event nothing is known; it counts as an answer to what was asked last.
        let (event, unreadable) = match CloudEvent::read(message) {
            Ok(event) => (event, None),
            Err(error) => {
                let mut event = CloudEvent::default();
                event.key = message.key.clone();
                (event, Some(error))
            }
        };
        if self.is_of_unreadable(&event) {
            return;
        }
        let named = match (&unreadable, self.last.clone()) {
            (None, _) => self.key_of(&event),
            (Some(_), last) => last.map(|last| (last, false)),
        };
        let Some((key, is_named)) = named else { return };
        let Some(case) = self.cases.get(&key.0).cloned() else { return };
        self.check_place(arrival, &case);
        let read = match unreadable {
            None => wire::read_reply(&self.mended(&event, &key)),
            Some(error) => Err(error),
        };
        let heard = match read {
            Ok(reply) => Heard { status: Some(reply.status), payload: reply.payload },
            Err(error) => {
                self.fault(READABLE_REPLY, format!("failed to {error}"));
                Heard { status: None, payload: None }
            }
        };
        if is_named {
            self.check_contract(&heard, &case, key.1);
            self.check_marks(&event, &case);
        }
        // Behind a `pending` another one comes.
        if heard.status != Some(Status::Pending) {
            *self.answered.entry(key.clone()).or_default() += 1;
        }
        self.inbox.entry(key).or_default().push_back(heard);
    }

    /// Whether it answers what nobody can read: anything will do but that it was done.
    fn is_of_unreadable(&mut self, event: &CloudEvent<'_>) -> bool {
        let is_to_query = event.get(attribute::KIND) == Some(ReplyKind::Query.as_str());
        if is_to_query || event.get(attribute::STATUS) == Some(Status::UnknownCommand.as_str()) {
            return false;
        }
        let instance = event.get(attribute::INSTANCE).unwrap_or(&event.key);
        let of_it = |case: &&Case| {
            let is_named = event.get(attribute::COMMAND) == Some(case.id.to_text().as_str());
            is_named || case.id.instance.as_str() == instance
        };
        let Some(case) = self.cases.values().filter(|case| case.never.is_some()).find(of_it) else { return false };
        if let (Some(rule), Some("succeeded")) = (case.never, event.get(attribute::STATUS)) {
            let how = format!("`{}` is answered succeeded", case.id);
            self.fault(rule, how);
        }
        true
    }

    /// What it answers, and whether it says so; if not, it is what was asked last.
    fn key_of(&mut self, event: &CloudEvent<'_>) -> Option<(Key, bool)> {
        let last = self.last.clone()?;
        let told = |name| event.get(name).unwrap_or_default();
        let (command, kind, attempt) = (told(attribute::COMMAND), told(attribute::KIND), told(attribute::ATTEMPT));
        let find = |key: &&Key| key.0 == command && key.1.as_str() == kind && key.2.to_string() == attempt;
        if let Some(key) = self.asked.keys().find(find) {
            return Some((key.clone(), true));
        }
        let of_command =
            self.asked.keys().filter(|key| key.0 == command).max_by_key(|key| (key.1.as_str() == kind, key.2)).cloned();
        let missing: Vec<String> =
            [(attribute::COMMAND, command), (attribute::KIND, kind), (attribute::ATTEMPT, attempt)]
                .into_iter()
                .filter(|(name, _)| event.get(name).is_none())
                .map(|(name, _)| format!("`{name}` is missing"))
                .collect();
        let how = if missing.is_empty() {
            format!("a reply to `{command}`, {kind}, attempt {attempt}, which was never asked")
        } else {
            format!("of a reply {}", missing.join(" and "))
        };
        self.fault(NAMES_ITS_COMMAND, how);
        Some((of_command.unwrap_or(last), false))
    }

    /// A reply as it should name itself: what is wrong with that is noted by then, and the rest of it is read.
    fn mended(&mut self, event: &CloudEvent<'_>, (command, kind, attempt): &Key) -> CloudEvent<'static> {
        if event.get(attribute::TYPE).is_none() {
            self.fault(READABLE_REPLY, format!("of a reply `{}` is missing", attribute::TYPE));
        }
        let named = [
            (attribute::COMMAND, command.to_string()),
            (attribute::KIND, kind.as_str().to_owned()),
            (attribute::ATTEMPT, attempt.to_string()),
        ];
        let mut mended = event.clone().into_owned();
        for (name, value) in named {
            mended.set(name, value);
        }
        mended.or_type(attribute::REPLY_TYPE);
        mended
    }

    fn check_place(&mut self, arrival: &RawArrival, case: &Case) {
        let RawArrival { topic, partition, .. } = arrival;
        if *topic != self.places.replies.0 || *partition != case.reply_partition {
            let (asked, wanted) = (&self.places.replies.0, case.reply_partition);
            let how = format!("a reply in partition {partition} of `{topic}`; asked for: {wanted} of `{asked}`");
            self.fault(ANSWERED_WHERE_ASKED, how);
        }
    }

    fn check_marks(&mut self, reply: &CloudEvent<'_>, case: &Case) {
        self.marks.other_keys += u32::from(*reply.key != *case.id.instance.as_str());
        let is_traced = reply.get(attribute::TRACEPARENT).is_some_and(|traceparent| case.is_trace(traceparent));
        self.marks.untraced += u32::from(case.is_traced && !is_traced);
    }

    fn check_contract(&mut self, heard: &Heard, case: &Case, kind: ReplyKind) {
        if case.is_odd || kind == ReplyKind::Undo {
            return;
        }
        let command = &case.call.command;
        match &heard.status {
            Some(Status::Succeeded) => {
                let payload = heard.payload.clone().unwrap_or_else(Json::empty_object);
                if let Err(misfits) = check_json(&Type::Record(command.reply.clone()), payload.get()) {
                    let misfit = misfits.first().map(ToString::to_string).unwrap_or_default();
                    self.fault(KEEPS_CONTRACT, format!("the reply of {}: {misfit}", command.name));
                }
            }
            Some(Status::Failed { code: given, .. }) => {
                let is_known = command.fails.contains(given) || *given == code::ALREADY_UNDONE;
                if !is_known {
                    self.fault(KEEPS_CONTRACT, format!("{} may not fail with `{given}`", command.name));
                }
            }
            Some(Status::Retry { .. } | Status::Pending | Status::UnknownCommand) | None => {}
        }
    }

    /// Notes what breaks a rule on all replies.
    pub(super) fn fault(&mut self, rule: &'static str, how: String) {
        let (_, count) = self.faults.entry(rule).or_insert((how, 0));
        *count += 1;
    }
}
