//! Time in a world: how it passes, and clocks that are wrong.

use std::time::Duration;

use super::{BEGIN, World};
use crate::log::simulated::Random;
use crate::runtime::partition::Told;
use crate::simulation::cast::Cast;
use crate::simulation::judge::{Judge, Violation};
use crate::simulation::troubles::{Trouble, Wanted};
use crate::time::Timestamp;

/// The most that passes at once, in milliseconds: a year. What waits longer is asked again.
const LONGEST: u64 = 365 * 24 * 60 * 60 * 1_000;

/// How far a clock is wrong, in milliseconds: little, longer than most answers are waited for, longer than a guard keeps the
/// row of what it has taken back, longer than most sagas last.
const JUMPS: [u64; 5] = [1_000, 40_000, 20 * 60_000, 3 * 60 * 60_000, 26 * 60 * 60_000];

/// Clocks that are wrong.
pub(super) struct Clocks {
    /// What makes them jump, in every seventh world; with dice of its own, so that the other worlds are as they would be without.
    random: Option<Random>,
    /// The least and the most that one that tells the time has been ahead of the right one.
    range: (i64, i64),
    /// By how much those that measure durations have leapt, together.
    leapt: u64,
    /// How often one has jumped.
    pub(super) jumped: u32,
}

impl Clocks {
    pub(super) fn new(seed: u64, wanted: &Wanted) -> Self {
        let random = (seed % 7 == 5 && wanted.has(Trouble::ClockJump)).then(|| Random::new(!seed));
        Self { random, range: (0, 0), leapt: 0, jumped: 0 }
    }

    /// The most that two have differed.
    pub(super) const fn apart(&self) -> Duration {
        Duration::from_millis(self.range.1.abs_diff(self.range.0) + self.leapt)
    }

    fn shows(&mut self, ahead: i64) {
        self.range = (self.range.0.min(ahead), self.range.1.max(ahead));
    }
}

impl World {
    /// A clock leaps ahead or falls back: a machine's, the log's, or that by which a process measures durations, which only
    /// leaps. An owner reads the first when it claims, so that now and then a partition goes there.
    pub(super) fn jump(&mut self) {
        let Some(random) = &mut self.clocks.random else { return };
        if random.below(100) > 0 {
            return;
        }
        let far = random.one_of(JUMPS);
        let by = i64::try_from(far).unwrap_or(i64::MAX);
        let by = random.one_of([by, by, -by, -by, 0]);
        let node = random.below(self.nodes.len());
        let partition = u32::try_from(random.below(self.judges.len())).unwrap_or_default();
        let (what, goes) = (random.below(5), random.chance(60));
        self.clocks.jumped += 1;
        match (what, &mut self.nodes[node].running) {
            (0, _) => {
                self.log.skew = by;
                self.clocks.shows(by);
            }
            (1, Some(running)) => {
                running.leapt += far;
                self.clocks.leapt += far;
            }
            _ => {
                self.turn_clock(node, by);
                self.clocks.shows(by);
            }
        }
        self.worker.forget(Timestamp(BEGIN + self.now));
        let apart = self.clocks.apart();
        self.judges.iter_mut().for_each(|judge| judge.apart = apart);
        if goes && self.nodes[node].is_up() && !self.chaos.leaving.contains_key(&partition) {
            self.hand(partition, node);
        }
    }

    fn turn_clock(&mut self, node: usize, skew: i64) {
        self.nodes[node].skew = skew;
        self.log.skews.insert(self.nodes[node].client, skew);
    }

    /// All clocks are right from now on; who has read one that was wrong has.
    pub(super) fn set_clocks_right(&mut self) {
        self.clocks.random = None;
        self.log.skew = 0;
        for node in 0..self.nodes.len() {
            self.turn_clock(node, 0);
        }
    }

    pub(super) fn pass(&mut self, millis: u64) -> Result<(), Violation> {
        self.now += millis;
        self.log.now = Timestamp(BEGIN + self.now);
        for node in 0..self.nodes.len() {
            for partition in 0..self.partitions {
                if self.nodes[node].is_due(partition, self.now) {
                    self.tell(node, partition, vec![Told::Tick])?;
                }
            }
        }
        Ok(())
    }

    /// How long until time alone changes an instance, by its owner's clock: at least a moment.
    pub(super) fn until_due(&self) -> u64 {
        let due = |(partition, judge): (u32, &Judge)| {
            let now = self.shows(partition);
            judge.truth().all_live().map(|live| live.due.0.saturating_sub(now.0)).filter(|due| *due > 0).min()
        };
        (0..).zip(&self.judges).filter_map(due).min().unwrap_or(0).clamp(500, LONGEST)
    }

    /// What the clock of a partition's owner shows.
    fn shows(&self, partition: u32) -> Timestamp {
        let owner = self.nodes.iter().find(|node| Some(node.client) == self.log.owner(partition));
        let running = owner.and_then(|node| node.running.as_ref());
        let shown = running.and_then(|running| running.tasks[partition as usize].time(running.time(self.now)));
        shown.unwrap_or(Timestamp(BEGIN + self.now))
    }
}

/// How much time passes at once, in milliseconds: in most worlds, and in those where most goes quickly. Some of it is
/// longer than any answer is waited for.
pub(super) fn pauses(cast: &Cast, quick: bool) -> [u64; 5] {
    let timeout = cast.timeout.min(LONGEST);
    if quick { [1, 1, 2, 20, 2 * timeout + 1_000] } else { [1, 20, 300, timeout + 100, 2 * timeout + 1_000] }
}
