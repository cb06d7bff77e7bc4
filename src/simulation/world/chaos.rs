//! What goes wrong around the orchestrators: crashes, pauses, rebalances, retention, and people who repair.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::World;
use super::node::Running;
use crate::engine::Order;
use crate::log::simulated::{Faults, Full, Random, Shelf};
use crate::log::{JOURNAL, REPLIES, REQUESTS, Report, partition_of};
use crate::runtime::partition::{Signed, Told};
use crate::simulation::judge::Violation;
use crate::simulation::requests::ordered;
use crate::simulation::troubles::{Trouble, Wanted};
use crate::time::Timestamp;
use crate::wire::Message;

/// Longer than a guard keeps any row.
const LONG_PAUSE: u64 = 2 * 60 * 60 * 1_000;

/// How often the disk of the log is full in a world where it is.
const FULL_MAX: u32 = 3;
/// And for how long, in milliseconds: a moment, longer than most answers are waited for, longer than guards keep their rows.
const FULL_FOR: [u64; 4] = [20, 2_000, 40_000, 3 * 60 * 60 * 1_000];

/// What may still go wrong, and what has.
pub(super) struct Chaos {
    pub(super) crashes: u32,
    pub(super) crashed: u32,
    pub(super) rebalances: u32,
    /// How often each partition was assigned.
    pub(super) handed: Vec<u32>,
    /// Partitions that their owner is to release for another node.
    pub(super) leaving: BTreeMap<u32, (usize, usize)>,
    pub(super) pauses: u32,
    pub(super) losses: u32,
    pub(super) accepted: u32,
    pub(super) long_pauses: u32,
    /// Some lives of processes have an engine that panics.
    pub(super) breaks_engines: bool,
}

impl Chaos {
    pub(super) fn new(random: &mut Random, partitions: u32, wanted: &Wanted) -> Self {
        let mut some = |most: usize| u32::try_from(random.below(most + 1)).unwrap_or_default();
        let only = |trouble: Trouble, times: u32| if wanted.has(trouble) { times } else { 0 };
        Self {
            crashes: only(Trouble::Crash, some(3)),
            crashed: 0,
            rebalances: only(Trouble::Rebalance, some(4) * (1 + some(5) / 5)),
            handed: vec![0; partitions as usize],
            leaving: BTreeMap::new(),
            pauses: only(Trouble::Pause, some(2)),
            losses: only(Trouble::Retention, some(5).saturating_sub(3)),
            accepted: 0,
            long_pauses: only(Trouble::LongPause, some(7) / 7),
            breaks_engines: some(3) == 0 && wanted.has(Trouble::Panic),
        }
    }
}

impl World {
    pub(super) fn disturb(&mut self) -> Result<(), Violation> {
        let node = self.random.below(self.nodes.len());
        match self.random.below(16) {
            0..4 => self.rebalance(),
            4 | 5 => {
                self.crash(node);
                Ok(())
            }
            6 | 7 => self.revive(node),
            8 | 9 => self.pause(node),
            10 => self.lose(),
            11 | 12 => self.accept(),
            13 => {
                self.resume();
                Ok(())
            }
            14 => {
                self.rewind();
                Ok(())
            }
            15 if self.chaos.long_pauses > 0 => {
                self.chaos.long_pauses -= 1;
                self.pass(LONG_PAUSE)?;
                self.worker.forget(Timestamp(super::BEGIN + self.now));
                self.rewind();
                Ok(())
            }
            _ => {
                let partition = self.any_partition();
                self.tell(node, partition, vec![Told::Tick])
            }
        }
    }

    pub(super) fn crash(&mut self, node: usize) {
        if self.chaos.crashes > 0 && self.nodes[node].running.take().is_some() {
            self.chaos.crashes -= 1;
            self.chaos.crashed += 1;
            self.log.crash(self.nodes[node].client);
        }
    }

    /// A process begins anew, or goes on where it stood still.
    pub(super) fn revive(&mut self, node: usize) -> Result<(), Violation> {
        match &mut self.nodes[node].running {
            None => {
                let was = self.nodes[node].client;
                self.start(node);
                for partition in 0..self.partitions {
                    if self.log.owner(partition) == Some(was) {
                        self.log.assign(partition, self.nodes[node].client);
                    }
                }
                Ok(())
            }
            Some(Running { paused, .. }) => {
                let mut told: BTreeMap<u32, Vec<Told>> = BTreeMap::new();
                for (partition, report) in paused.take().into_iter().flatten() {
                    told.entry(partition).or_default().push(Told::Log(report));
                }
                told.into_iter().try_for_each(|(partition, told)| self.tell(node, partition, told))
            }
        }
    }

    /// A process stands still; what it believes grows old.
    fn pause(&mut self, node: usize) -> Result<(), Violation> {
        if self.chaos.pauses == 0 {
            return self.revive(node);
        }
        if let Some(running) = &mut self.nodes[node].running {
            self.chaos.pauses -= 1;
            running.paused.get_or_insert_default();
        }
        Ok(())
    }

    /// One partition goes to another process, or all are dealt anew. Who had it learns of it now, or when it notices,
    /// or is asked to let go first.
    fn rebalance(&mut self) -> Result<(), Violation> {
        if self.chaos.rebalances == 0 {
            return Ok(());
        }
        self.chaos.rebalances -= 1;
        let one = self.any_partition();
        let all = self.random.chance(25);
        for partition in (0..self.partitions).filter(|partition| all || *partition == one) {
            let to = self.random.below(self.nodes.len());
            let owner = self.log.owner(partition);
            let from = self.nodes.iter().position(|node| Some(node.client) == owner && node.is_up());
            if !self.nodes[to].is_up() || self.chaos.leaving.contains_key(&partition) {
                continue;
            }
            match (from, self.random.below(7)) {
                // Let go, and have it back at once.
                (Some(from), 3) => {
                    self.report(from, partition, Report::Revoked)?;
                    self.hand(partition, from);
                }
                // The same again and again, while all is under way.
                (Some(from), 4) => {
                    for _ in 0..=self.random.below(4) {
                        self.report(from, partition, Report::Revoked)?;
                        self.hand(partition, from);
                        for _ in 0..self.random.below(10) {
                            self.log_step()?;
                        }
                    }
                }
                (Some(from), 0) => {
                    self.chaos.leaving.insert(partition, (from, to));
                    self.report(from, partition, Report::Revoked)?;
                }
                (Some(from), 1) => {
                    self.hand(partition, to);
                    self.report(from, partition, Report::Revoked)?;
                }
                // There and back before anybody has noticed.
                (Some(from), 2) => {
                    self.hand(partition, to);
                    self.hand(partition, from);
                }
                _ => self.hand(partition, to),
            }
        }
        Ok(())
    }

    /// The disk of the log fills up, and somebody makes room later.
    pub(super) fn fill(&mut self) {
        let Some(random) = &mut self.filler else { return };
        if random.below(60) == 0 && self.log.full().is_none() {
            let until = Timestamp(super::BEGIN + self.now + random.one_of(FULL_FOR));
            let full = random.one_of([Full::Waits, Full::Unknown]);
            self.log.fill(until, full);
        }
    }

    /// A stranger writes into a journal: bytes, JSON, or a piece of what stands there.
    pub(super) fn litter(&mut self) {
        let Some(random) = &mut self.stranger else { return };
        if random.below(40) > 0 || self.log.full().is_some() {
            return;
        }
        let partition = u32::try_from(random.below(self.judges.len())).unwrap_or_default();
        let records = self.log.shelf(JOURNAL, partition).map_or(&[][..], |shelf| &shelf.records[..]);
        let payload = match records.len() {
            count @ 1.. if random.chance(50) => {
                let whole = &records[random.below(count)].message.payload;
                Box::from(&whole[..whole.len().saturating_sub(1)])
            }
            _ => Box::from(random.one_of([&b"\xff\x00"[..], b"{}", br#"{"v":1}"#, br#"{"v":2,"epoch":0}"#, b""])),
        };
        self.log.put(JOURNAL, Some(partition), Message { payload, ..Message::default() }.into());
    }

    pub(super) fn hand(&mut self, partition: u32, to: usize) {
        self.chaos.handed[partition as usize] += 1;
        self.log.assign(partition, self.nodes[to].client);
    }

    /// An owner has let go.
    pub(super) fn released(&mut self, node: usize, partition: u32) {
        if let Some((from, to)) = self.chaos.leaving.get(&partition).copied()
            && from == node
        {
            self.chaos.leaving.remove(&partition);
            self.hand(partition, to);
        }
    }

    /// Whoever waits for a release waits no longer.
    pub(super) fn force(&mut self) {
        for (partition, (_, to)) in std::mem::take(&mut self.chaos.leaving) {
            self.hand(partition, to);
        }
    }

    /// The participant has lost where it stood, and reads some of its commands again.
    fn rewind(&mut self) {
        if !self.worker.moody {
            return;
        }
        let partition = self.any_partition();
        let topics = &self.cast.participants;
        let which = if topics.len() == 1 { 0 } else { self.random.below(topics.len()) };
        let Some(topic) = topics.keys().nth(which) else { return };
        let end = self.log.shelf(topic, partition).map_or(0, |shelf| shelf.records.len());
        let from = end - self.random.below(end.min(10) + 1);
        self.commands.extend((from..end).map(|at| (Arc::clone(topic), partition, at)));
    }

    /// Retention takes inputs that nobody has read.
    fn lose(&mut self) -> Result<(), Violation> {
        if self.chaos.losses == 0 {
            return Ok(());
        }
        let partition = self.any_partition();
        let read = self.judges[partition as usize].truth().read;
        let topic = if self.random.chance(70) { REQUESTS } else { REPLIES };
        if topic == REQUESTS {
            for _ in 0..self.random.below(3) {
                self.ask();
            }
        }
        let end = |shelf: &Shelf| shelf.records.len() as u64;
        let end = self.log.shelf(topic, partition).map_or(0, end);
        let from = if topic == REQUESTS { read.requests } else { read.replies };
        if end > from {
            self.chaos.losses -= 1;
            let before = end - self.random.below(usize::try_from(end - from).unwrap_or(1)) as u64;
            self.log.expire(topic, partition, before);
        }
        self.look()
    }

    /// A partition stands still since inputs are lost.
    pub(super) fn stops(&mut self, node: usize, partition: u32) {
        if let Some(running) = &mut self.nodes[node].running {
            running.stopped.insert(partition);
        }
    }

    /// Somebody has seen that inputs are lost, and accepts it.
    pub(super) fn accept(&mut self) -> Result<(), Violation> {
        for node in 0..self.nodes.len() {
            let Some(running) = &mut self.nodes[node].running else { continue };
            if running.paused.is_some() {
                continue;
            }
            if let Some(partition) = running.stopped.pop_first() {
                self.chaos.accepted += 1;
                self.judge(partition).accepts();
                return self.tell(node, partition, vec![Told::AcceptGap(Signed::default())]);
            }
        }
        Ok(())
    }

    /// Somebody lets parked inputs be tried again.
    fn resume(&mut self) {
        let parked = self.judges.iter().flat_map(|judge| judge.truth().queues_behind(None));
        let ids: Vec<String> = parked.map(|(id, _)| id.to_string()).collect();
        if !ids.is_empty() {
            let id = &ids[self.random.below(ids.len())];
            self.order_retry(id);
        }
    }

    pub(super) fn order_retry(&mut self, id: &str) {
        if self.log.full().is_some() {
            return;
        }
        self.requests += 1;
        let message = ordered(id, Order::Retry { step: None }, &format!("help-{}", self.requests));
        self.log.put(REQUESTS, Some(partition_of(id, self.partitions)), message.into());
    }
}

/// Few faults a world, of all kinds over the worlds, so that what one fault breaks is not hidden by the next; and now
/// and then a storm.
pub(super) fn faults(random: &mut Random) -> Faults {
    let times = if random.chance(10) { 4 } else { 1 };
    let mut some =
        |most: usize| times * u32::try_from(random.below(most + 1).saturating_sub(random.below(2))).unwrap_or_default();
    Faults {
        lost: some(2),
        unacknowledged: some(2),
        late: some(2),
        doubled: some(1),
        reordered: some(2),
        replaced: some(1),
        mistaken: some(1),
        refused: some(1),
        failed: some(2),
        full: FULL_MAX,
    }
}
