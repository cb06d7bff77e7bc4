//! The end of a world: nothing goes wrong any more, and everything must come to its end.

use std::time::Duration;

use super::{Seen, World, length};
use crate::log::simulated::Shelf;
use crate::log::{JOURNAL, REPLIES, REQUESTS, Stored};
use crate::runtime::partition::{Partition, READ_CLOCK_EVERY};
use crate::simulation::judge::{Judge, Violation, violated};
use crate::wire::{CloudEvent, attribute};

/// What a world may need to come to its end.
const STEPS: usize = 20_000;

impl World {
    pub(super) fn end(&mut self) -> Result<Seen, Violation> {
        self.log.heal();
        self.set_clocks_right();
        self.worker.moody = false;
        let chaos = &mut self.chaos;
        (chaos.rebalances, chaos.pauses, chaos.losses, chaos.long_pauses, chaos.breaks_engines) = (0, 0, 0, 0, false);
        for node in 0..self.nodes.len() {
            if self.nodes[node].running.as_ref().is_some_and(|running| running.is_brittle) {
                self.chaos.crashes = 1;
                self.crash(node); // its engine is mended
            }
        }
        self.chaos.crashes = 0;
        self.log.heal();
        for node in 0..self.nodes.len() {
            self.revive(node)?;
        }
        self.force();
        for step in 0..STEPS * length(&self.cast) {
            self.ask();
            if !self.log.is_idle() {
                self.log_step()?;
            } else if !self.commands.is_empty() {
                self.work();
            } else if self.is_over() {
                return self.verdict();
            } else {
                self.accept()?;
                self.help();
                self.pass(if step % 50 == 49 { self.until_due().max(30_000) } else { 500 })?;
            }
        }
        let text = |judge: &Judge| judge.truth().to_text().unwrap_or_else(|damage| damage.to_string());
        let truth: Vec<String> = self.judges.iter().map(text).collect();
        violated("work can always be finished", format!("it is not, and stands at\n{}", truth.join("\n--\n")))?;
        Ok(Seen::default())
    }

    fn is_over(&self) -> bool {
        (0..self.partitions).zip(&self.judges).all(|(partition, judge)| {
            let owner = self.nodes.iter().find(|node| Some(node.client) == self.log.owner(partition));
            let task = owner.and_then(|node| node.running.as_ref()).map(|node| &node.tasks[partition as usize]);
            let Some(ledger) = task.and_then(Partition::ledger) else { return false };
            let end = |topic| self.log.shelf(topic, partition).map_or(0, |shelf| shelf.records.len() as u64);
            let read = judge.truth().read;
            // Another may have claimed it since, of which its owner learns by its next record: with nothing to do there is none.
            let is_latest = || judge.truth().to_text().ok() == ledger.to_text().ok();
            ledger.live_count() == 0
                && judge.truth().live_count() == 0
                && read.requests == end(REQUESTS)
                && read.replies == end(REPLIES)
                && (task.and_then(Partition::epoch) != judge.epoch() || is_latest())
        })
    }

    /// A person tries again what is stuck or parked, or says what became of it.
    fn help(&mut self) {
        self.operate();
        let mut ids = Vec::new();
        for judge in &self.judges {
            let stuck = judge.truth().all_live().filter(|live| !live.instance.stuck(&live.plan).is_empty());
            ids.extend(stuck.map(|live| live.instance.id.to_string()));
            ids.extend(judge.truth().queues_behind(None).map(|(id, _)| id.to_string()));
        }
        for id in ids {
            self.order_retry(&id);
        }
    }

    fn verdict(&mut self) -> Result<Seen, Violation> {
        self.look()?;
        let none = Shelf::default();
        let mut seen = Seen::default();
        // What a crash leaves under way lands piece by piece, and each piece is a fault of its own.
        let faults = self.log.happened.total() + self.log.landed_late + self.chaos.crashed + self.chaos.accepted;
        let faults = faults + self.clocks.jumped;
        // Where clocks are wrong for long each process claims again now and then, to read the log's anew.
        let lives = self.nodes.len() as u64 + u64::from(self.chaos.crashed);
        let read_every = u64::try_from(READ_CLOCK_EVERY.as_millis()).unwrap_or(u64::MAX);
        let reads = if self.clocks.jumped > 0 { lives * (1 + self.now / read_every) } else { 0 };
        for (partition, judge) in (0..).zip(&self.judges) {
            let kept = |name| self.log.shelf(name, partition).unwrap_or(&none);
            judge.end(kept(REQUESTS), kept(REPLIES), &self.worker.work)?;
            let handed = self.chaos.handed[partition as usize];
            if judge.claims
                > 1 + 3 * handed
                    + 2 * (faults + judge.strangers)
                    + self.slow_claims
                    + u32::try_from(reads).unwrap_or(u32::MAX)
            {
                let cost = judge.claims;
                let details =
                    format!("{handed} handovers, {faults} faults and what strangers wrote cost {cost} claims");
                violated("a handover costs at most 3 claims, another fault 2", details)?;
            }
            seen.count(judge);
        }
        seen.worlds = 1;
        seen.faults = self.log.happened;
        seen.jumps = self.clocks.jumped as usize;
        (seen.crashes, seen.rebalances) = (self.chaos.crashed as usize, self.chaos.handed.iter().sum::<u32>() as usize);
        seen.commands = self.cast.participants.keys().map(|topic| self.landed_in(topic)).sum();
        seen.passed = Duration::from_millis(self.now);
        Ok(seen)
    }

    /// How many records ever landed in a topic.
    fn landed_in(&self, topic: &str) -> usize {
        (0..self.partitions)
            .filter_map(|partition| self.log.shelf(topic, partition))
            .map(|shelf| shelf.records.len())
            .sum()
    }

    /// All journals, for whoever looks into a world.
    pub(super) fn story(&self) -> String {
        let none = Shelf::default();
        let mut lines = Vec::new();
        for (partition, judge) in (0..).zip(&self.judges) {
            lines.push(format!("partition {partition}"));
            let records = &self.log.shelf(JOURNAL, partition).unwrap_or(&none).records;
            for (stored, counts) in records.iter().zip(judge.verdicts()) {
                let (offset, text) = (stored.offset, String::from_utf8_lossy(&stored.message.payload));
                lines.push(format!("{offset} {} {text}", if counts { "counts" } else { "-" }));
            }
            for topic in [REQUESTS, REPLIES] {
                for stored in &self.log.shelf(topic, partition).unwrap_or(&none).records {
                    let Stored { offset, timestamp, message } = stored;
                    let event = CloudEvent::read(message).unwrap_or_default();
                    let what =
                        [attribute::ID, attribute::KIND, attribute::STATUS].map(|name| event.get(name).unwrap_or(""));
                    lines.push(format!("{topic} {offset} at {} {} {what:?}", timestamp.0, message.key));
                }
            }
        }
        lines.join("\n")
    }
}
