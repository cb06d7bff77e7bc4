//! Reads the topics of triggers, and makes requests of their events.
//!
//! ```text
//!   topic --reader--> Trigger::read --> saga.requests --> decided --> the event is let go
//!                          +----------------+----------> saga.dead, with why
//! ```
//!
//! A request's id is made of the trigger and the event's topic, partition and offset, and a start is known by its instance: an
//! event that is read again after a crash changes nothing. Events of one partition that are for one instance are dealt with in
//! their order. What cannot be used is set aside, and those behind it go on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use compact_str::{CompactString, format_compact};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::client::{Client, Taking};
use super::decisions::Decision;
use super::error::Error;
use super::flood::Lines;
use super::orchestrator::Orchestrator;
use super::taking::{Ends, Handle, Taker};
use crate::definition::{Trigger, Wanted};
use crate::engine::{Event as Fact, InstanceId, Order, OrderRequest, Refusal, RequestId, Start};
use crate::journal::record::Body;
use crate::log::{Health, Member, Outcome};
use crate::wire::{Ask, Message, Request};

/// Events of a partition that are under way at once: what is read again after a crash.
const AT_ONCE: usize = 256;

/// What those who read the topics of triggers call themselves.
const TRIGGERS: &str = "saga.triggers";

/// How long a request is waited for to be decided. It is in the log by then and will be; only that it may be refused is not
/// seen here any more.
const DECIDED_WITHIN: Duration = Duration::from_secs(10);

/// How often a request is made again that an orchestrator is too busy for.
const BUSY_TRIES: u32 = 10;

/// How long a log or an orchestrator that does not take something is left alone before it is asked again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// How long closing waits for events under way; what takes longer is read again by the next process.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// The most of a reason that a note carries, in bytes: it may quote an event.
const REASON_MAX: usize = 4 << 10;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfTrigger {
    trigger: String,
    outcome: &'static str,
}

/// What is counted of events.
#[derive(Debug)]
pub(super) struct EventMeters(Family<OfTrigger, Counter>);

impl EventMeters {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let events = Family::default();
        let help = "Events that triggers have read, by what became of them";
        registry.register("trigger_events", help, events.clone());
        Self(events)
    }

    fn count(&self, trigger: &str, outcome: &'static str) {
        self.0.get_or_create(&OfTrigger { trigger: trigger.to_owned(), outcome }).inc();
    }
}

/// Reads what the triggers of all deployed definitions read, also of those that are deployed later.
pub struct Triggers {
    stop: watch::Sender<bool>,
    keeper: JoinHandle<()>,
}

impl Triggers {
    /// Begins to read.
    #[must_use]
    pub fn open(orchestrator: &Arc<Orchestrator>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let undecided = Arc::new(Lines::new(tokio::runtime::Handle::current(), |more| {
            tracing::warn!(more, "and more requests of triggers are in the log that nobody has decided yet");
        }));
        let orchestrator = Arc::clone(orchestrator);
        let keeper = Keeper { orchestrator, undecided, takers: BTreeMap::new(), tasks: JoinSet::new() };
        Self { stop, keeper: tokio::spawn(keeper.run(stopped)) }
    }

    /// Stops reading, and gives what is under way a moment.
    pub async fn close(mut self) {
        self.stop.send_replace(true);
        if timeout(CLOSE_WITHIN, &mut self.keeper).await.is_err() {
            tracing::info!("not all events are dealt with: they are read again by the next process");
            self.keeper.abort();
        }
    }
}

/// Sees to it that each topic with a trigger is read.
struct Keeper {
    orchestrator: Arc<Orchestrator>,
    undecided: Arc<Lines>,
    /// Of each topic, what ends its reading.
    takers: BTreeMap<CompactString, watch::Sender<bool>>,
    tasks: JoinSet<()>,
}

impl Keeper {
    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let mut deployments = self.orchestrator.deployments();
        loop {
            self.see();
            let has_changed = tokio::select! {
                changed = deployments.changed() => changed.is_ok(),
                _ = stopped.wait_for(|stopped| *stopped) => break,
            };
            if !has_changed {
                // Nobody else deploys here.
                let _stop = stopped.wait_for(|stopped| *stopped).await;
                break;
            }
        }
        for stop in self.takers.values() {
            stop.send_replace(true);
        }
        while self.tasks.join_next().await.is_some() {}
    }

    fn see(&mut self) {
        let plans = self.orchestrator.plans();
        self.takers.retain(|topic, stop| {
            let stays = plans.triggers().any(|trigger| trigger.topic == *topic);
            if !stays {
                stop.send_replace(true);
            }
            stays
        });
        let topics = self.orchestrator.log().topics();
        for trigger in plans.triggers() {
            if self.takers.contains_key(&trigger.topic) {
                continue;
            }
            let (stop, stopped) = watch::channel(false);
            if topics.is_own(&trigger.topic) {
                tracing::error!(trigger = %trigger.name, topic = %trigger.topic, "a trigger cannot read a topic of this deployment's own");
            } else {
                let topic: Arc<str> = Arc::from(trigger.topic.as_str());
                let group = topics.group_of_triggers(&topic);
                let member = Member { group: &group, name: TRIGGERS, stands_in: false };
                match Taking::begin(self.orchestrator.log(), &topic, member) {
                    Ok(taking) => {
                        let client = taking.client.clone();
                        let orchestrator = Arc::clone(&self.orchestrator);
                        let undecided = Arc::clone(&self.undecided);
                        let handler = Arc::new(Reading { orchestrator, undecided, client, topic: Arc::clone(&topic) });
                        let (log, dead) = (Arc::clone(self.orchestrator.log()), Arc::clone(&topics.dead));
                        let taker = Taker { log, taking, topic, dead, handler, stopped };
                        self.tasks.spawn(taker.run());
                    }
                    Err(why) => {
                        tracing::error!(%topic, %why, "a trigger's topic cannot be read");
                    }
                }
            }
            // Also what cannot be read is said once.
            self.takers.insert(trigger.topic.clone(), stop);
        }
    }
}

/// Deals with the events of one topic.
#[derive(Clone)]
struct Reading {
    orchestrator: Arc<Orchestrator>,
    /// Lines on requests that nobody has decided: at a handover each of hundreds a second has one.
    undecided: Arc<Lines>,
    client: Client,
    topic: Arc<str>,
}

/// An event, for one trigger.
struct Event {
    trigger: Arc<Trigger>,
    partition: u32,
    offset: u64,
    message: Arc<Message>,
}

impl Handle for Reading {
    async fn handle(&self, partition: u32, mut messages: mpsc::Receiver<(u64, Message)>, mut ends: Ends) {
        let mut read = Vec::with_capacity(AT_ONCE);
        loop {
            let count = tokio::select! {
                biased;
                () = ends.come() => 0,
                count = messages.recv_many(&mut read, AT_ONCE) => count,
            };
            if count == 0 {
                return;
            }
            let next = read.last().map_or(0, |(offset, _)| offset.saturating_add(1));
            if !self.take(partition, read.drain(..)).await {
                // It was closed: they are read again.
                return;
            }
            self.client.truncate(&self.topic, partition, next);
        }
    }
}

impl Reading {
    /// Deals with events; whether all of them are done.
    async fn take(&self, partition: u32, messages: impl Iterator<Item = (u64, Message)>) -> bool {
        let plans = self.orchestrator.plans();
        let mut by_instance: BTreeMap<InstanceId, Vec<(Arc<Event>, Request)>> = BTreeMap::new();
        for (offset, message) in messages {
            let message = Arc::new(message);
            for trigger in plans.triggers().filter(|trigger| *trigger.topic == *self.topic) {
                let (trigger, message) = (Arc::clone(trigger), Arc::clone(&message));
                let event = Arc::new(Event { trigger, partition, offset, message });
                let requests = match event.trigger.read(&event.message.payload) {
                    Ok(Some(wanted)) => self.requests(&event, wanted),
                    Ok(None) => {
                        self.count(&event, "passed");
                        continue;
                    }
                    Err(why) => Err(why),
                };
                match requests {
                    Ok(requests) => {
                        for request in requests {
                            let of = by_instance.entry(request.instance.clone()).or_default();
                            of.push((Arc::clone(&event), request));
                        }
                    }
                    Err(why) => {
                        if !self.set_aside(&event, &why).await {
                            return false;
                        }
                    }
                }
            }
        }
        let mut tasks = JoinSet::new();
        for chain in by_instance.into_values() {
            let reading = self.clone();
            tasks.spawn(async move {
                for (event, request) in chain {
                    let is_done = match reading.ask(&event, &request).await {
                        Ok(is_done) => is_done,
                        Err(why) => reading.set_aside(&event, &why).await,
                    };
                    if !is_done {
                        return false;
                    }
                }
                true
            });
        }
        let mut are_done = true;
        while let Some(done) = tasks.join_next().await {
            are_done &= done.unwrap_or(false);
        }
        are_done
    }

    /// What an event asks for, as requests.
    fn requests(&self, event: &Event, wanted: Wanted) -> Result<Vec<Request>, String> {
        let place = format!("{}/{}/{}", self.topic, event.partition, event.offset);
        let name = &event.trigger.name;
        let request = |kind: &str| {
            let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{place}/{name}/{kind}").as_bytes());
            RequestId::try_from(id.to_string().as_str()).map_err(|error| format!("failed to {error}"))
        };
        let instance = |id: &str| InstanceId::try_from(id).map_err(|error| format!("failed to {error}"));
        let mut requests = Vec::new();
        if let (Some((id, input)), Some(aim)) = (wanted.start, &event.trigger.start) {
            let start = Start { input, reply_to: None, traceparent: None };
            let ask = Ask::Start { saga: aim.saga.clone(), start };
            requests.push(Request { id: request("start")?, instance: instance(&id)?, ask });
        }
        if let (Some((id, with)), Some((_, signal))) = (wanted.signal, &event.trigger.signal) {
            let order = OrderRequest {
                request: request("signal")?,
                order: Order::Signal { signal: signal.clone(), with: Some(with) },
                by: Some(format_compact!("trigger {name}")),
                reason: Some(place.clone()),
            };
            let ask = Ask::Order { order: order.clone(), reply_to: None };
            requests.push(Request { id: order.request, instance: instance(&id)?, ask });
        }
        Ok(requests)
    }

    /// Makes a request, and waits for what becomes of it; whether that is known before the log is closed.
    async fn ask(&self, event: &Event, request: &Request) -> Result<bool, String> {
        let source = format!("/saga/trigger/{}", event.trigger.name);
        let mut busy = 0;
        loop {
            let accepted = match self.orchestrator.request(request, &source).await {
                Ok(accepted) => accepted,
                Err(_) if self.is_closed() => return Ok(false),
                Err(Error::Refused { why }) => return Err(format!("the log refuses the request: {why}")),
                Err(error) => {
                    tracing::debug!(%error, "a trigger's request is not in the log for now; it is made again");
                    sleep(AGAIN_AFTER).await;
                    continue;
                }
            };
            let rejection = match timeout(DECIDED_WITHIN, accepted.decision()).await {
                Ok(Some(Decision::Rejected(rejection))) => rejection,
                Ok(Some(Decision::Changed | Decision::Known)) => break,
                Ok(Some(Decision::Parked)) => {
                    tracing::error!(instance = %request.instance, "the engine failed at a trigger's request, which is kept");
                    break;
                }
                // It is in the log, and will be decided.
                Ok(None) => break,
                Err(_) => {
                    if self.undecided.takes() {
                        tracing::warn!(
                            instance = %request.instance,
                            "a trigger's request is in the log, and nobody has decided it yet: is its partition run?"
                        );
                    }
                    break;
                }
            };
            let is_start = matches!(request.ask, Ask::Start { .. });
            match rejection.code {
                // An id that exists is not started again.
                Refusal::Conflict if is_start => break,
                // This event may have been dealt with while it lived.
                Refusal::Ended if self.was_made(request).await => break,
                Refusal::Busy if busy < BUSY_TRIES => {
                    busy += 1;
                    sleep(AGAIN_AFTER * busy).await;
                }
                _ => return Err(format!("it is refused for `{}`: {}", request.instance, rejection.message)),
            }
        }
        self.count(event, "done");
        Ok(true)
    }

    /// Whether an instance that has ended has taken this very request.
    async fn was_made(&self, request: &Request) -> bool {
        let Ok(mut history) = self.orchestrator.history(&request.instance).await else { return false };
        while let Ok(Some(entry)) = history.next().await {
            if let Body::Change { change, .. } = &entry.record.body {
                let is_it = |event: &Fact| matches!(event, Fact::Ordered { request: made, .. } if *made == request.id);
                if change.events.iter().any(is_it) {
                    return true;
                }
            }
        }
        false
    }

    fn count(&self, event: &Event, outcome: &'static str) {
        self.orchestrator.core.meters.events.count(&event.trigger.name, outcome);
    }

    /// Puts an event aside, with why; whether that is done before the log is closed.
    async fn set_aside(&self, event: &Event, why: &str) -> bool {
        let Event { trigger, partition, offset, message } = event;
        let name = &trigger.name;
        tracing::warn!(trigger = %name, topic = %self.topic, partition, offset, %why, "an event is set aside in the topic of the dead");
        self.count(event, "dead");
        let end = (0..=REASON_MAX.min(why.len())).rev().find(|end| why.is_char_boundary(*end)).unwrap_or(0);
        let reason = why.get(..end).unwrap_or_default().replace(char::is_control, " ");
        let signed = |mut note: Message| {
            note.headers.push("saga-reason", &reason);
            note.headers.push("saga-trigger", name);
            note.headers.push("saga-topic", &self.topic);
            note.headers.push("saga-offset", &format!("{partition}/{offset}"));
            note
        };
        let mut note = signed(Message::clone(message));
        let dead = self.orchestrator.log().topics().dead;
        let place = partition % self.orchestrator.log().partitions().max(1);
        loop {
            match self.client.append(&dead, place, note.clone()).await {
                Outcome::At(_) => return true,
                Outcome::Refused(why) if note.payload.is_empty() => {
                    tracing::error!(trigger = %name, %why, "the log refuses even a note on an event that was set aside");
                    return true;
                }
                // It may be too large: where it is, it says.
                Outcome::Refused(_) => note = signed(Message::default()),
                Outcome::Unknown if self.is_closed() => return false,
                Outcome::Unknown => sleep(AGAIN_AFTER).await,
            }
        }
    }

    fn is_closed(&self) -> bool {
        matches!(self.orchestrator.log().health(), Health::Closed)
    }
}
