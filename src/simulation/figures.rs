//! What a load came to.

use std::collections::BTreeMap;
use std::time::Duration;

use compact_str::CompactString;

use crate::engine::{InstanceId, Summary};

/// How a load was borne.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Partitions of the log.
    pub partitions: u32,
    /// Durations in milliseconds, rising, by how instances ended: `None`, completed; the code of the failure.
    pub ended: BTreeMap<Option<CompactString>, Vec<u64>>,
    /// Instances that wait for a person at the end.
    pub stuck: usize,
    /// Good records of the journal.
    pub records: usize,
    /// By name.
    pub participants: BTreeMap<CompactString, Asked>,
    /// From the first start to the last end, or where some wait for a person to the last that came to wait.
    pub passed: Duration,
    failing: BTreeMap<InstanceId, CompactString>,
}

/// What a participant was asked.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Commands, queries and messages, repeats included.
    pub commands: usize,
    /// Those that were attempts behind the first.
    pub repeats: usize,
    /// How long answers took, in milliseconds.
    pub answers: Vec<u64>,
    /// How long steps waited for their turn, in milliseconds, where a limit made them.
    pub waits: Vec<u64>,
    /// Commands by the second in which they came.
    pub seconds: BTreeMap<u64, usize>,
    /// The most that were not answered at the same time.
    pub at_once: usize,
    under_way: usize,
}

impl Asked {
    /// The most commands within a second.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.seconds.values().copied().max().unwrap_or_default()
    }
}

/// The value below which so many of a hundred are; 0 of none. The values rise.
#[must_use]
pub fn percentile(values: &[u64], percent: usize) -> u64 {
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied().unwrap_or_default()
}

impl Figures {
    pub(super) fn new(partitions: u32, participants: impl Iterator<Item = CompactString>) -> Self {
        let participants = participants.map(|name| (name, Asked::default())).collect();
        Self { partitions, participants, ..Self::default() }
    }

    /// Instances that have ended.
    #[must_use]
    pub fn over(&self) -> usize {
        self.ended.values().map(Vec::len).sum()
    }

    /// All commands.
    #[must_use]
    pub fn commands(&self) -> usize {
        self.participants.values().map(|asked| asked.commands).sum()
    }

    fn of(&mut self, participant: &str) -> &mut Asked {
        self.participants.entry(participant.into()).or_default()
    }

    /// Of a message nobody waits for an answer.
    pub(super) fn asked(&mut self, participant: &str, now: u64, is_repeat: bool, is_message: bool) {
        let asked = self.of(participant);
        asked.commands += 1;
        asked.repeats += usize::from(is_repeat);
        *asked.seconds.entry(now / 1_000).or_default() += 1;
        asked.under_way += usize::from(!is_message);
        asked.at_once = asked.at_once.max(asked.under_way);
    }

    pub(super) fn answered(&mut self, participant: &str, took: u64) {
        let asked = self.of(participant);
        asked.answers.push(took);
        asked.under_way = asked.under_way.saturating_sub(1);
    }

    /// It will not be answered.
    pub(super) fn forgone(&mut self, participant: &str) {
        let asked = self.of(participant);
        asked.under_way = asked.under_way.saturating_sub(1);
    }

    pub(super) fn waited(&mut self, participant: &str, took: u64) {
        self.of(participant).waits.push(took);
    }

    pub(super) fn failing(&mut self, id: &InstanceId, code: &CompactString) {
        self.failing.insert(id.clone(), code.clone());
    }

    pub(super) fn ended(&mut self, id: &InstanceId, state: Summary, took: u64) {
        let code = self.failing.remove(id);
        let how = if state == Summary::Compensated { Some(code.unwrap_or_default()) } else { None };
        self.ended.entry(how).or_default().push(took);
    }

    /// At the end: values rise.
    pub(super) fn sort(&mut self) {
        self.ended.values_mut().for_each(|values| values.sort_unstable());
        for asked in self.participants.values_mut() {
            asked.answers.sort_unstable();
            asked.waits.sort_unstable();
        }
    }
}
