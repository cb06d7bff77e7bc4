//! What happened in worlds.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::log::simulated::Faults;
use crate::simulation::judge::Judge;

/// How often what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Worlds.
    pub worlds: usize,
    /// How instances ended: `None`, completed; the code with which they were compensated.
    pub ended: BTreeMap<Option<String>, usize>,
    /// Records of journals that count.
    pub records: usize,
    /// Commands and messages to participants, repeats included.
    pub commands: usize,
    /// Faults of the log.
    pub faults: Faults,
    /// Orchestrators that died.
    pub crashes: usize,
    /// Partitions that were handed over.
    pub rebalances: usize,
    /// Clocks that leapt ahead or fell back.
    pub jumps: usize,
    /// Claims of partitions.
    pub claims: usize,
    /// Checkpoints that were completed.
    pub checkpoints: usize,
    /// Inputs that were forwarded to their right partition.
    pub forwarded: usize,
    /// Inputs that were parked.
    pub parked: usize,
    /// Instances that a person let go on.
    pub resumed: usize,
    /// Steps of which a person said what became of them.
    pub resolved: usize,
    /// Losses of inputs that a person accepted.
    pub gaps: usize,
    /// Orders that barred a start.
    pub bars: usize,
    /// Attempts that waited for their turn.
    pub queued: usize,
    /// What strangers wrote into journals.
    pub strangers: usize,
    /// How much time passed in them.
    pub passed: Duration,
}

impl Seen {
    /// Instances that ended.
    #[must_use]
    pub fn sagas(&self) -> usize {
        self.ended.values().sum()
    }

    /// Adds what happened in other worlds.
    pub fn add(&mut self, other: &Self) {
        self.worlds += other.worlds;
        for (how, count) in &other.ended {
            *self.ended.entry(how.clone()).or_default() += count;
        }
        self.records += other.records;
        self.commands += other.commands;
        self.faults.add(&other.faults);
        self.crashes += other.crashes;
        self.rebalances += other.rebalances;
        self.jumps += other.jumps;
        self.claims += other.claims;
        self.checkpoints += other.checkpoints;
        self.forwarded += other.forwarded;
        self.parked += other.parked;
        self.resumed += other.resumed;
        self.resolved += other.resolved;
        self.gaps += other.gaps;
        self.bars += other.bars;
        self.queued += other.queued;
        self.strangers += other.strangers;
        self.passed += other.passed;
    }

    pub(super) fn count(&mut self, judge: &Judge) {
        for how in judge.ended() {
            *self.ended.entry(how.map(str::to_owned)).or_default() += 1;
        }
        self.records += judge.verdicts().filter(|counts| *counts).count();
        self.forwarded += judge.counted("forward");
        self.parked += judge.counted("park");
        self.resumed += judge.counted("resume");
        self.resolved += judge.resolved();
        self.gaps += judge.counted("gap");
        self.bars += judge.counted("bar");
        self.queued += judge.queued;
        self.checkpoints += judge.counted("completed");
        self.claims += judge.counted("claim");
        self.strangers += judge.strangers as usize;
    }
}
