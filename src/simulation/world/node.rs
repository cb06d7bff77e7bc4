//! A process that orchestrates.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::World;
use crate::log::Report;
use crate::log::simulated::Client;
use crate::runtime::partition::{Config, Partition};

pub(super) struct Node {
    name: &'static str,
    /// Of its latest life.
    pub(super) client: Client,
    /// How far the clock of its machine is ahead of the right time, in milliseconds.
    pub(super) skew: i64,
    pub(super) running: Option<Running>,
}

/// One life of it.
pub(super) struct Running {
    /// When it began: its monotonic clock counts from there.
    pub(super) born: u64,
    /// By how much that clock has leapt ahead.
    pub(super) leapt: u64,
    /// One for each partition, its own or not.
    pub(super) tasks: Vec<Partition>,
    /// It stands still, and these reports wait for it.
    pub(super) paused: Option<VecDeque<(u32, Report)>>,
    /// Its engine fails at every reply.
    pub(super) is_brittle: bool,
    /// Partitions that stand still until somebody accepts a loss.
    pub(super) stopped: BTreeSet<u32>,
}

impl Running {
    /// What its monotonic clock shows.
    pub(super) const fn time(&self, now: u64) -> Duration {
        Duration::from_millis(now - self.born + self.leapt)
    }
}

impl Node {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, client: Client(0), skew: 0, running: None }
    }

    pub(super) const fn is_up(&self) -> bool {
        self.running.is_some()
    }

    pub(super) fn is_due(&self, partition: u32, now: u64) -> bool {
        let Some(running) = self.running.as_ref().filter(|running| running.paused.is_none()) else { return false };
        let now = running.time(now);
        running.tasks[partition as usize].wakes_at().is_some_and(|due| due <= now)
    }
}

impl World {
    /// A new life of a process.
    pub(super) fn start(&mut self, node: usize) {
        self.lives += 1;
        let (ways, name) = (self.ways, self.nodes[node].name);
        let is_brittle = self.chaos.breaks_engines && self.random.chance(40);
        let task = |partition| {
            let mut config = Config::new(partition, self.partitions, format!("{name}-{}", self.lives));
            config.remember = ways.remember;
            config.retain = ways.retain;
            config.checkpoint_bytes = ways.checkpoint_bytes;
            config.in_flight_max = ways.in_flight_max;
            // So few that most are at rest, whatever is told of them next.
            config.awake_max = 2;
            config.owed_max = ways.owed_max;
            config.live_max = ways.live_max;
            config.release = Duration::from_secs(3);
            config.defect = self.wrong.defect;
            config.panics_at_replies = is_brittle;
            Partition::new(config, std::sync::Arc::clone(&self.cast.plans))
        };
        let tasks = (0..self.partitions).map(task).collect();
        let stopped = BTreeSet::new();
        let client = Client(self.lives);
        let running = Some(Running { born: self.now, leapt: 0, tasks, paused: None, is_brittle, stopped });
        let skew = self.nodes[node].skew;
        self.log.skews.insert(client, skew);
        self.nodes[node] = Node { name, client, skew, running };
    }
}
