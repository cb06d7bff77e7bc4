//! Which timer is due next.
//!
//! Of a million instances that wait, nearly all are due in minutes or days. Those stand nowhere but in their instances:
//! here are the timers of the near future alone, and the instant from which there are others. When that comes, all
//! instances are looked through once for those that have come near.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::engine::InstanceId;
use crate::time::Timestamp;

/// How far the near future goes. So often at most all instances are looked through, a million in a tenth of a second.
const NEAR: Duration = Duration::from_mins(1);

/// Timers of a partition.
#[derive(Debug)]
pub(super) struct Timers {
    /// All that are due before [`far`](Self::far).
    near: BTreeSet<(Timestamp, InstanceId)>,
    far: Timestamp,
    /// No timer from [`far`](Self::far) on is due before.
    rest: Timestamp,
}

impl Timers {
    /// Those of all instances, in any order.
    pub(super) fn of<'a>(dues: impl Iterator<Item = (Timestamp, &'a str)>, now: Timestamp) -> Self {
        let mut timers = Self { near: BTreeSet::new(), far: now.after(NEAR), rest: Timestamp::NEVER };
        for (due, id) in dues {
            if due < timers.far {
                let id = InstanceId::try_from(id).expect("it is one's already");
                timers.near.insert((due, id));
            } else {
                timers.rest = timers.rest.min(due);
            }
        }
        timers
    }

    /// Sets an instance's timer anew.
    pub(super) fn set(&mut self, id: &InstanceId, was: Timestamp, due: Timestamp) {
        if was == due {
            return;
        }
        if was < self.far {
            self.near.remove(&(was, id.clone()));
        }
        if due < self.far {
            self.near.insert((due, id.clone()));
        } else {
            self.rest = self.rest.min(due);
        }
    }

    /// When the first is due, or all are to be looked through; none is due before.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let near = self.near.first().map(|(due, _)| *due);
        Some(near.unwrap_or(Timestamp::NEVER).min(self.rest)).filter(|next| *next != Timestamp::NEVER)
    }

    /// Whether all instances are to be looked through before it is known what is due.
    pub(super) fn has_far(&self, now: Timestamp) -> bool {
        self.rest <= now
    }

    /// The first that is due, if all are known that are.
    pub(super) fn due(&self, now: Timestamp) -> Option<(Timestamp, InstanceId)> {
        self.near.first().filter(|(due, _)| *due <= now).cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Beside a plain set of all timers, with times from now to days ahead.
        #[test]
        fn what_is_due_is_told_in_its_order(
            steps in prop::collection::vec((0..6_u8, prop_oneof![0..500_u64, 0..200_000_u64, 0..300_000_000_u64], 0..90_000_u64), 1..80)
        ) {
            let mut dues: BTreeMap<String, Timestamp> = BTreeMap::new();
            let all = |dues: &BTreeMap<String, Timestamp>, now| {
                Timers::of(dues.iter().map(|(id, due)| (*due, id.as_str())), now)
            };
            let mut now = Timestamp(1_000_000);
            let mut timers = all(&dues, now);
            for (number, ahead, passes) in steps {
                let name = format!("i{number}");
                let id = InstanceId::try_from(name.as_str()).unwrap();
                let due = if ahead % 7 == 0 { Timestamp::NEVER } else { Timestamp(now.0 + ahead) };
                let was = dues.insert(name, due).unwrap_or(Timestamp::NEVER);
                timers.set(&id, was, due);
                now = Timestamp(now.0 + passes);
                let first = |dues: &BTreeMap<String, Timestamp>| dues.iter().map(|(id, due)| (*due, id.clone())).min();
                prop_assert!(timers.next().unwrap_or(Timestamp::NEVER) <= first(&dues).unwrap().0, "nobody oversleeps");
                if timers.has_far(now) {
                    timers = all(&dues, now);
                }
                while let Some((due, id)) = timers.due(now) {
                    prop_assert_eq!(first(&dues), Some((due, id.to_string())));
                    dues.insert(id.to_string(), Timestamp::NEVER);
                    timers.set(&id, due, Timestamp::NEVER);
                }
                prop_assert!(first(&dues).unwrap().0 > now, "nothing that is due is forgotten");
                prop_assert!(timers.next().is_none_or(|next| next > now), "it does not wake for nothing");
            }
        }
    }
}
